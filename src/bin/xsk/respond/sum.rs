//! Sums in ones' complement, of which the checksums of the Internet are made (RFC 1071).

/// The sum of the 16-bit words of bytes that come in parts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    sum: u64,
    /// Whether the next byte is the lower half of a word.
    odd: bool,
}

impl Sum {
    /// Adds bytes behind those that were added before.
    pub(crate) fn add(mut self, mut bytes: &[u8]) -> Self {
        if let (true, [low, rest @ ..]) = (self.odd, bytes) {
            self.sum += u64::from(*low);
            self.odd = false;
            bytes = rest;
        }
        let mut words = bytes.chunks_exact(2);
        for word in &mut words {
            self.sum += u64::from(u16::from_be_bytes([word[0], word[1]]));
        }
        if let [high] = words.remainder() {
            self.sum += u64::from(*high) << 8;
            self.odd = true;
        }
        self
    }

    /// Returns the sum as 16 bits: of bytes with a right checksum among them it is 0xffff.
    pub(crate) fn fold(self) -> u16 {
        let mut sum = self.sum;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    /// Returns the checksum of the bytes, in whose field there was 0.
    pub(crate) fn checksum(self) -> [u8; 2] {
        (!self.fold()).to_be_bytes()
    }
}

/// Returns a checksum after one of the words that it is of has changed (RFC 1624).
pub(crate) fn updated(checksum: [u8; 2], before: u16, now: u16) -> [u8; 2] {
    let inverted = (!u16::from_be_bytes(checksum)).to_be_bytes();
    Sum::default().add(&inverted).add(&(!before).to_be_bytes()).add(&now.to_be_bytes()).checksum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_any_length_have_the_sum_of_the_whole() {
        let bytes: Vec<u8> = (0..=250).map(|byte: u8| byte.wrapping_mul(37)).collect();
        let whole = Sum::default().add(&bytes).fold();
        for cut in [0, 1, 2, 7, 100, 251] {
            let (one, two) = bytes.split_at(cut);
            assert_eq!(Sum::default().add(one).add(two).fold(), whole, "{cut}");
            let (two, three) = two.split_at(two.len() / 3);
            assert_eq!(Sum::default().add(one).add(two).add(three).fold(), whole, "{cut}");
        }
    }

    #[test]
    fn an_updated_checksum_is_that_of_the_changed_bytes() {
        for (before, now) in [(0x0800, 0), (0x8000, 0x8100), (0, 0xffff), (0xffff, 1)] {
            for other in [0_u16, 1, 0xf7ff, 0xffff, 0x1234] {
                let of = |word: u16| {
                    Sum::default().add(&word.to_be_bytes()).add(&other.to_be_bytes()).add(&[9, 8])
                };
                let new = updated(of(before).checksum(), before, now);
                assert_eq!(of(now).add(&new).fold(), 0xffff, "{before:#x} {now:#x} {other:#x}");
            }
        }
    }
}
