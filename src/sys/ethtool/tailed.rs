//! A struct of the kernel with an array behind it, as one buffer.

use crate::num::usize32;
use zerocopy::{FromBytes, IntoBytes};

/// The bytes of a struct, of words and of more bytes, one behind the other.
///
/// The length never changes, so what a command may write is what its counts were when this was
/// made.
pub(super) struct Tailed {
    bytes: Vec<u8>,
    /// Bytes of the struct.
    header: usize,
}

impl Tailed {
    pub(super) fn new(header: &[u8], words: &[u32], tail: &[u8]) -> Self {
        let bytes = [header, words.as_bytes(), tail].concat();
        Self { bytes, header: header.len() }
    }

    pub(super) fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Returns the struct; fields that are not a part of the buffer are zero.
    pub(super) fn header<T: FromBytes + IntoBytes>(&self) -> T {
        let mut header = T::new_zeroed();
        let from = self.bytes.iter().take(self.header);
        header.as_mut_bytes().iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        header
    }

    /// Returns the first `count` words behind the struct, or as many as there are.
    pub(super) fn words(&self, count: u32) -> Vec<u32> {
        let tail = self.bytes.get(self.header..).unwrap_or_default();
        let words = tail.chunks_exact(size_of::<u32>()).take(usize32(count));
        words.filter_map(|word| u32::read_from_bytes(word).ok()).collect()
    }

    /// Returns the bytes behind `count` words.
    pub(super) fn bytes_after(&self, count: u32) -> Vec<u8> {
        let words = usize32(count).saturating_mul(size_of::<u32>());
        self.bytes.get(self.header.saturating_add(words)..).unwrap_or_default().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::Tailed;
    use xsk_uapi::ethtool::ethtool_value;
    use zerocopy::IntoBytes;

    #[test]
    fn what_goes_in_comes_out() {
        let header = ethtool_value { cmd: 1, data: 2 };
        let tailed = Tailed::new(header.as_bytes(), &[3, 4], &[5, 6, 7]);
        assert_eq!(tailed.header::<ethtool_value>(), header);
        assert_eq!(tailed.words(1), [3]);
        assert_eq!(tailed.words(2), [3, 4]);
        assert_eq!(tailed.words(u32::MAX), [3, 4], "no more than there are");
        assert_eq!(tailed.bytes_after(2), [5, 6, 7]);
        assert_eq!(tailed.bytes_after(u32::MAX), [0; 0]);
    }

    #[test]
    fn a_part_of_a_struct_is_the_rest_of_zeros() {
        let header = ethtool_value { cmd: 1, data: 2 };
        let (first, _) = header.as_bytes().split_at(4);
        let tailed = Tailed::new(first, &[9], &[]);
        assert_eq!(tailed.header::<ethtool_value>(), ethtool_value { cmd: 1, data: 0 });
        assert_eq!(tailed.words(1), [9]);
    }
}
