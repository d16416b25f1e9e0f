//! TX metadata of frames and packets that a user gets wrong, or that are rare.

use super::{Fake, Pair, fake, is_right, udp};
use crate::common::{self, attach};
use xsk::Umem;
use xsk::attach::AttachMode;
use xsk::packet::{TxMetadata, finish_checksum};
use xsk::test_util::privileged;

/// A frame of another UMEM is a programming error, and no lack of room.
#[test]
fn a_frame_of_another_umem_panics_whatever_is_asked() {
    let Fake { umem, mut pool, mut tx, .. } = fake(Umem::builder().chunk_count(4));
    let (other, mut others) = Umem::builder().chunk_count(4).tx_metadata().build().unwrap();
    // Asked for nothing; for what is refused; with no slot.
    for (slots, asked) in [
        (1, TxMetadata::new()),
        (1, TxMetadata::new().checksum(u16::MAX, u16::MAX)),
        (0, TxMetadata::new().timestamp()),
    ] {
        let frame = others.take().unwrap();
        let mut slots = tx.reserve(slots).unwrap();
        let push = std::panic::AssertUnwindSafe(|| slots.push_with(frame, asked).is_ok());
        let message = *std::panic::catch_unwind(push).unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("UMEM"), "{message}");
    }
    assert_eq!((other.lost_chunks(), umem.lost_chunks()), (3, 0));
    // The ring works on.
    let frame = pool.take().unwrap();
    tx.reserve(1).unwrap().push_with(frame, TxMetadata::new().timestamp()).unwrap();
    assert_eq!(tx.pending(), 1);
}

/// The kernel sums up to the packet's end. Whether it has padding of zeros or none is the same; other
/// padding would make the checksum wrong.
#[test]
fn a_checksum_is_not_asked_for_where_padding_would_be_summed() {
    for data in [b"".as_slice(), b"odd", b"even"] {
        let packet = udp(data);
        let plain = Some(TxMetadata::new().checksum(34, 6));
        for (padding, expected) in [(vec![], plain), (vec![0; 9], plain), (vec![0, 0, 7], None)] {
            let mut padded = [packet.clone(), padding].concat();
            let before = padded.clone();
            assert_eq!(TxMetadata::for_transport(&mut padded), expected, "{padded:02x?}");
            if expected.is_none() {
                assert_eq!(padded, before, "it was written to");
                continue;
            }
            let (sent, _) = fake(Umem::builder().chunk_count(4)).round(&padded, expected);
            assert!(is_right(&sent[..packet.len()]), "{sent:02x?}");
            finish_checksum(&mut padded);
            assert_eq!(sent, padded);
        }
    }
}

/// A UDP checksum that comes out as 0 is written as 0xffff, by the fake kernel as by the kernel.
#[test]
fn a_udp_checksum_of_0_is_written_as_ffff() {
    let mut packet = udp(&[0, 0]);
    let asked = TxMetadata::for_transport(&mut packet);
    let mut fake = fake(Umem::builder().chunk_count(4));
    let (sent, _) = fake.round(&packet, asked);
    // With its own checksum as data, the sum is 0xffff.
    packet[42..44].copy_from_slice(&sent[40..42]);
    let (sent, _) = fake.round(&packet, asked);
    assert_eq!(sent[40..42], [0xff, 0xff]);
    if !privileged!() || !common::kernel_since(6, 8) {
        return;
    }
    let mut pair = Pair::new(Umem::builder().software_checksum());
    let slot = attach(&pair.cable.right, pair.cable.veth.b(), AttachMode::Native, &pair.right);
    let socket = pair.socket.take().unwrap();
    let (mut tx, _completion) = socket.tx.with_metadata(socket.completion).unwrap();
    let mut frame = pair.pool.take().unwrap();
    pair.umem.write(&mut frame, &packet).unwrap();
    tx.reserve(1).unwrap().push_with(frame, asked.unwrap()).unwrap();
    tx.kick_if_needed().unwrap();
    assert_eq!(Pair::receive(&mut pair.right)[40..42], [0xff, 0xff]);
    drop(slot);
}
