//! Sums in ones' complement, of which the checksums of the Internet are made.

/// Returns the big-endian number at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

/// Writes the checksum of the bytes from `start` on, `offset` bytes behind that, as a card does; if
/// that is inside `packet`.
#[cfg(feature = "test-util")]
pub(crate) fn write_checksum(packet: &mut [u8], start: usize, offset: usize) {
    let Some(bytes) = packet.get_mut(start..) else { return };
    let sum = Sum::of(bytes).fold();
    if let Some(field) = bytes.get_mut(offset..).and_then(|bytes| bytes.first_chunk_mut()) {
        *field = (!sum).to_be_bytes();
    }
}

/// A sum in ones' complement of 16-bit words (RFC 1071), kept in the machine's byte order: the sum
/// of words whose bytes are exchanged is the sum, with its bytes exchanged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum(u64);

impl Sum {
    /// Returns the sum of `bytes`. An odd last byte is the upper half of a word.
    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Self {
        // 2^32 words of four bytes would be needed for an overflow.
        let mut sum = 0_u64;
        let mut words = bytes.chunks_exact(4);
        for word in &mut words {
            if let Ok(word) = word.try_into() {
                sum = sum.wrapping_add(u32::from_ne_bytes(word).into());
            }
        }
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        Self(sum.wrapping_add(u32::from_ne_bytes(last).into()))
    }

    /// Adds a word that is in host order here and in network order in a packet.
    pub(super) fn add_word(&mut self, word: u16) {
        self.0 = self.0.wrapping_add(word.to_be().into());
    }

    /// Returns the sum as 16 bits. It is 0 only if every word is.
    pub(super) fn fold(self) -> u16 {
        let mut sum = self.0;
        // Every carry is added at the lower end. 64 bits become 16 in four rounds at the most.
        loop {
            match u16::try_from(sum) {
                Ok(sum) => return u16::from_be(sum),
                Err(_) => sum = (sum & 0xffff).wrapping_add(sum >> 16),
            }
        }
    }
}
