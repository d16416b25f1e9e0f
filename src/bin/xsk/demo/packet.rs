//! The demo's packets: a sequence number, a payload that follows from it, and a checksum over both.

/// Ethernet header (14 bytes), mark (2), number of the run (4), sequence number (8), checksum (8).
const HEADER: usize = 36;
/// The least number of bytes of a packet: headers, and a byte of payload.
pub(crate) const MIN_SIZE: u32 = HEADER as u32 + 1;
/// Bytes of an Ethernet header.
pub(crate) const ETHERNET_HEADER: u32 = 14;
/// "Local experimental", which no protocol uses (IEEE 802).
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
const MARK: [u8; 2] = *b"xs";

/// What all packets of a run have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) to: [u8; 6],
    pub(crate) from: [u8; 6],
    /// Differs from run to run.
    pub(crate) number: u32,
    /// Bytes of a packet, without the FCS.
    pub(crate) size: u32,
}

/// What a received packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This packet of the run, whole.
    Packet(u64),
    /// A packet of the run with a wrong length or checksum.
    Corrupt,
    /// Not of this run.
    Foreign,
}

impl Stream {
    /// Writes packet `sequence` over `bytes`, which has [`size`](Self::size) bytes.
    pub(crate) fn write(&self, sequence: u64, bytes: &mut [u8]) {
        let Some((header, payload)) = bytes.split_first_chunk_mut::<HEADER>() else {
            return;
        };
        fill(sequence, payload);
        header[..6].copy_from_slice(&self.to);
        header[6..12].copy_from_slice(&self.from);
        header[12..14].copy_from_slice(&ETHERTYPE);
        header[14..16].copy_from_slice(&MARK);
        header[16..20].copy_from_slice(&self.number.to_le_bytes());
        header[20..28].copy_from_slice(&sequence.to_le_bytes());
        header[28..].copy_from_slice(&checksum(sequence, payload).to_le_bytes());
    }

    /// Checks a received frame. It may be longer than it was sent: short ones are padded.
    pub(crate) fn check(&self, bytes: &[u8]) -> Verdict {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
            return Verdict::Foreign;
        };
        let of_demo = field(header, 12) == ETHERTYPE && field(header, 14) == MARK;
        if !of_demo || u32::from_le_bytes(field(header, 16)) != self.number {
            return Verdict::Foreign;
        }
        let sequence = u64::from_le_bytes(field(header, 20));
        let sum = u64::from_le_bytes(field(header, 28));
        match bytes.get(HEADER..self.size as usize) {
            Some(payload) if checksum(sequence, payload) == sum => Verdict::Packet(sequence),
            _ => Verdict::Corrupt,
        }
    }
}

/// Returns `N` bytes of a header, which must end inside it.
#[inline]
fn field<const N: usize>(header: &[u8; HEADER], from: usize) -> [u8; N] {
    std::array::from_fn(|i| header[from + i])
}

/// Writes a payload that differs from packet to packet and from word to word.
fn fill(sequence: u64, payload: &mut [u8]) {
    let mut word = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut words = payload.chunks_exact_mut(8);
    for bytes in &mut words {
        bytes.copy_from_slice(&word.to_le_bytes());
        word = word.wrapping_add(0x0123_4567_89ab_cdef);
    }
    let tail = words.into_remainder();
    tail.copy_from_slice(&word.to_le_bytes()[..tail.len()]);
}

/// Returns Fletcher's sum over words of 64 bits: it detects changed words and swapped words.
fn checksum(sequence: u64, payload: &[u8]) -> u64 {
    let (mut sum, mut sums) = (sequence ^ 0x7873_6b20_6465_6d6f, 0_u64);
    let mut add = |word: u64| {
        sum = sum.wrapping_add(word);
        sums = sums.wrapping_add(sum);
    };
    let mut rest = payload;
    while let Some((word, after)) = rest.split_first_chunk() {
        add(u64::from_le_bytes(*word));
        rest = after;
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(u64::from_le_bytes(last));
    sum ^ sums.rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(size: usize) -> Stream {
        Stream { to: [1; 6], from: [2; 6], number: 7, size: size as u32 }
    }

    #[test]
    fn a_packet_is_read_as_it_was_written() {
        for size in [37, 60, 61, 1500] {
            let mut bytes = vec![0; size];
            stream(size).write(1234, &mut bytes);
            assert_eq!(stream(size).check(&bytes), Verdict::Packet(1234));
            bytes.resize(size + 3, 0);
            assert_eq!(stream(size).check(&bytes), Verdict::Packet(1234), "padded");
            let other = Stream { number: 8, ..stream(size) };
            assert_eq!(other.check(&bytes), Verdict::Foreign);
        }
    }

    #[test]
    fn every_flipped_bit_behind_the_mark_is_seen() {
        let mut good = vec![0; 70];
        stream(70).write(5, &mut good);
        for at in 20..70 {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                assert_eq!(stream(70).check(&bytes), Verdict::Corrupt, "byte {at} bit {bit}");
            }
        }
        assert_eq!(stream(70).check(&good[..69]), Verdict::Corrupt, "cut");
        assert_eq!(stream(70).check(&good[..30]), Verdict::Foreign, "no header");
    }
}
