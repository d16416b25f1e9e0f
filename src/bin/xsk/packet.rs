//! The demo's frames: a sequence number, a payload that follows from it, and a checksum over both.

/// Ethernet header, mark, number of the run, sequence number, checksum.
pub(crate) const HEADER: usize = 36;
/// The least number of bytes of a frame: headers, and a byte of payload.
pub(crate) const MIN_SIZE: u32 = 37;
/// The Ethernet header.
pub(crate) const ETHERNET: u32 = 14;
/// "Local experimental", which no protocol uses (IEEE 802).
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
const MARK: [u8; 2] = *b"xs";

/// What all frames of a run have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) to: [u8; 6],
    pub(crate) from: [u8; 6],
    /// Tells the frames of this run from those of another.
    pub(crate) number: u32,
    /// Bytes of a frame, without the FCS.
    pub(crate) size: usize,
}

/// What a received frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This frame of the run, whole.
    Frame(u64),
    /// A frame of the run with a wrong length or checksum.
    Corrupt,
    /// Not of this run.
    Foreign,
}

impl Stream {
    /// Writes frame `sequence` over `bytes`, which are [`size`](Self::size) of them.
    pub(crate) fn write(&self, sequence: u64, bytes: &mut [u8]) {
        let Some((header, payload)) = bytes.split_first_chunk_mut::<HEADER>() else {
            return;
        };
        fill(sequence, payload);
        let fields: [&[u8]; 7] = [
            &self.to,
            &self.from,
            &ETHERTYPE,
            &MARK,
            &self.number.to_le_bytes(),
            &sequence.to_le_bytes(),
            &checksum(sequence, payload).to_le_bytes(),
        ];
        let mut rest = header.as_mut_slice();
        for field in fields {
            let Some((here, after)) = rest.split_at_mut_checked(field.len()) else {
                return;
            };
            here.copy_from_slice(field);
            rest = after;
        }
    }

    /// Checks a received frame. A longer one was padded on its way.
    pub(crate) fn check(&self, bytes: &[u8]) -> Verdict {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
            return Verdict::Foreign;
        };
        let [_, _, _, _, _, _, _, _, _, _, _, _, type0, type1, mark0, mark1, tail @ ..] = header;
        let number = tail.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let ours = [*type0, *type1] == ETHERTYPE && [*mark0, *mark1] == MARK;
        if !ours || number != Some(self.number) {
            return Verdict::Foreign;
        }
        let word = |from: usize| {
            let bytes = header.get(from..).and_then(|bytes| bytes.first_chunk());
            bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        let (sequence, sum) = (word(20), word(28));
        match bytes.get(HEADER..self.size) {
            Some(payload) if checksum(sequence, payload) == sum => Verdict::Frame(sequence),
            _ => Verdict::Corrupt,
        }
    }
}

/// A payload that differs from frame to frame and from word to word.
fn fill(sequence: u64, payload: &mut [u8]) {
    let mut word = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut words = payload.chunks_exact_mut(8);
    for bytes in &mut words {
        bytes.copy_from_slice(&word.to_le_bytes());
        word = word.wrapping_add(0x0123_4567_89ab_cdef);
    }
    for (byte, value) in words.into_remainder().iter_mut().zip(word.to_le_bytes()) {
        *byte = value;
    }
}

/// Fletcher's sum over words of 64 bits: it sees what changed, and what changed places.
fn checksum(sequence: u64, payload: &[u8]) -> u64 {
    let (mut sum, mut sums) = (sequence ^ 0x7873_6b20_6465_6d6f, 0_u64);
    let mut add = |word: u64| {
        sum = sum.wrapping_add(word);
        sums = sums.wrapping_add(sum);
    };
    let words = payload.chunks_exact(8);
    let tail = words.remainder();
    for bytes in words {
        add(bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    add(u64::from_le_bytes(last));
    sum ^ sums.rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(size: usize) -> Stream {
        Stream { to: [1; 6], from: [2; 6], number: 7, size }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        for size in [37, 60, 61, 1500] {
            let mut bytes = vec![0; size];
            run(size).write(1234, &mut bytes);
            assert_eq!(run(size).check(&bytes), Verdict::Frame(1234));
            bytes.resize(size + 3, 0);
            assert_eq!(run(size).check(&bytes), Verdict::Frame(1234), "padded");
            let other = Stream { number: 8, ..run(size) };
            assert_eq!(other.check(&bytes), Verdict::Foreign);
        }
    }

    #[test]
    fn every_flipped_bit_behind_the_mark_is_seen() {
        let mut good = vec![0; 70];
        run(70).write(5, &mut good);
        for at in 20..70 {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                assert_eq!(run(70).check(&bytes), Verdict::Corrupt, "byte {at} bit {bit}");
            }
        }
        assert_eq!(run(70).check(&good[..69]), Verdict::Corrupt, "cut");
        assert_eq!(run(70).check(&good[..30]), Verdict::Foreign, "no header");
    }
}
