//! Captures of both formats, whole, cut and broken.

use super::*;

/// Returns how many packets there are before the end or an error.
fn read(bytes: &[u8]) -> (u64, Result<(), CaptureError>) {
    let mut capture = match Capture::open(bytes) {
        Ok(capture) => capture,
        Err(error) => return (0, Err(error)),
    };
    loop {
        match capture.next() {
            Ok(Some(packet)) => assert!(packet.bytes.len() <= bytes.len()),
            Ok(None) => return (capture.packets, Ok(())),
            Err(error) => return (capture.packets, Err(error)),
        }
    }
}

fn pcapng() -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let blocks: [Vec<u8>; 4] = [
        words(&[SECTION, 28, BYTE_ORDER, 1, u32::MAX, u32::MAX, 28]),
        words(&[INTERFACE, 20, 1, 0, 20]),
        words(&[SIMPLE_PACKET, 20, 4, 0x0403_0201, 20]),
        words(&[PACKET, 40, 0, 0, 0, 6, 9, 0x0403_0201, 0x0605, 40]),
    ];
    blocks.concat()
}

#[test]
fn packets_of_both_kinds_of_blocks_are_read() {
    let bytes = pcapng();
    let mut capture = Capture::open(&bytes[..]).unwrap();
    assert_eq!(capture.next().unwrap(), Some(Next { bytes: &[1, 2, 3, 4], length: 4, time: None }));
    let cut = Next { bytes: &[1, 2, 3, 4, 5, 6], length: 9, time: Some(0) };
    assert_eq!(capture.next().unwrap(), Some(cut));
    assert_eq!(capture.next().unwrap(), None);
}

#[test]
fn the_size_of_what_comes_next_is_in_its_first_bytes() {
    let bytes = pcapng();
    let capture = Capture::open(&bytes[..]).unwrap();
    assert_eq!(capture.next_size(&bytes[..11]), None);
    for (start, size) in [(0, 28), (28, 20), (48, 20), (68, 40)] {
        assert_eq!(capture.next_size(&bytes[start..]), Some(size));
    }
    let big = [SECTION, 28, BYTE_ORDER].map(u32::to_be_bytes).concat();
    assert_eq!(capture.next_size(&big), Some(28));
    let mut head = 0xa1b2_c3d4_u32.to_be_bytes().to_vec();
    head.extend([0; 18]);
    head.extend([0, 1]);
    let capture = Capture::open(&head[..]).unwrap();
    let record = [0, 0, 60, 1514].map(u32::to_be_bytes).concat();
    assert_eq!((capture.next_size(&record), capture.next_size(&record[..11])), (Some(76), None));
}

#[test]
fn times_are_those_of_the_clock_of_their_interface() {
    let words =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let section = words(&[SECTION, 28, BYTE_ORDER, 1, u32::MAX, u32::MAX, 28]);
    let packet = words(&[PACKET, 32, 0, 1, 2, 0, 0, 32]);
    let ticks = (1_u64 << 32) + 2;
    for (options, time) in [
        (&[][..], ticks * 1000),
        // Nanoseconds; with an offset of 7 seconds; 2^-10 seconds; end of options before it.
        (&[0x0001_0009, 9][..], ticks),
        (&[0x0001_0009, 9, 0x0008_000e, 7, 0][..], ticks + 7_000_000_000),
        (&[0x0001_0009, 0x8a][..], (u128::from(ticks) * 1_000_000_000 / 1024) as u64),
        // Seconds and parts of them: 64 bits hold no more than 18 seconds of 10^-18 seconds.
        (&[0x0001_0009, 0][..], ticks * 1_000_000_000),
        (&[0x0001_0009, 1][..], ticks * 100_000_000),
        (&[0x0001_0009, 20, 0x0008_000e, 7, 0][..], 7_000_000_000),
        (&[0x0001_0009, 19, 0x0008_000e, 7, 0][..], 7_000_000_000),
        (&[0x0001_0009, 12][..], ticks / 1000),
        (&[0x0001_0009, 127, 0x0008_000e, 7, 0][..], 7_000_000_000),
        (&[0x0001_0009, 0xc0, 0x0008_000e, 7, 0][..], 7_000_000_000),
        (&[0x0001_0009, 0xff, 0x0008_000e, 7, 0][..], 7_000_000_000),
        (&[0x0001_0009, 0x9f][..], 2_000_000_000),
        (&[0, 0x0001_0009, 9][..], ticks * 1000),
        // An option that is longer than its block.
        (&[0x00ff_0009, 9][..], ticks * 1000),
    ] {
        let length = 20 + options.len() as u32 * 4;
        let interface = words(&[&[INTERFACE, length, 1, 0][..], options, &[length]].concat());
        let bytes = [&section[..], &interface, &packet].concat();
        let mut capture = Capture::open(&bytes[..]).unwrap();
        assert_eq!(capture.next().unwrap().unwrap().time, Some(time), "{options:x?}");
    }
}

#[test]
fn a_packet_is_not_longer_than_its_block() {
    let mut bytes = pcapng();
    bytes[28 + 20 + 8] = 5;
    let (packets, end) = read(&bytes);
    assert!(matches!(end, Err(CaptureError::Broken(0, _))), "{packets}, {end:?}");
}

/// Each cut, and each change of a byte, ends in one of the ways that are known.
#[test]
fn any_bytes_are_read_to_an_end() {
    let pcap = {
        let mut bytes = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0]);
        for _ in 0..3 {
            bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4]);
        }
        bytes
    };
    assert!(matches!(read(&pcap), (3, Ok(()))));
    for bytes in [pcap, pcapng()] {
        for end in 0..bytes.len() {
            let (packets, outcome) = read(&bytes[..end]);
            assert!(packets < 3 && (outcome.is_err() || end % 4 == 0), "{end}: {outcome:?}");
        }
        for at in 0..bytes.len() {
            for flipped in [1, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flipped;
                let _ = read(&bytes);
            }
        }
    }
}
