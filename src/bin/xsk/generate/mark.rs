//! The mark of a packet that `xsk generate` has sent: stream, flow, number and time.

/// How it begins; f5 begins no text.
const MAGIC: u64 = 0x00f5_786b;
/// Bytes of a mark.
pub(crate) const LEN: usize = 18;
/// The times are numbers of 48 bits.
pub(crate) const TIME_BITS: u32 = 48;
/// Flows have numbers below this one.
pub(crate) const FLOWS: u32 = 1 << 24;

/// The mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Another number for each queue of each run.
    pub(crate) stream: u16,
    /// The flow, below [`FLOWS`].
    pub(crate) flow: u32,
    /// The packet's number in its flow; 0 follows the greatest one.
    pub(crate) sequence: u32,
    /// When it was written, in nanoseconds of `CLOCK_MONOTONIC`, of which there are 48 bits.
    pub(crate) time: u64,
}

impl Mark {
    /// Returns the first eight bytes as a number.
    #[inline]
    fn head(&self) -> u64 {
        MAGIC << 40 | u64::from(self.stream) << 24 | u64::from(self.flow)
    }

    /// Writes it over `bytes`; returns a number whose rest by 65535 is that of the sum of its words.
    #[inline]
    pub(crate) fn write(&self, bytes: &mut [u8; LEN]) -> u64 {
        let head = self.head();
        bytes[..8].copy_from_slice(&head.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[12..].copy_from_slice(&self.time.to_be_bytes()[2..]);
        // Each begins at an even place, and 65536 has the rest 1.
        (head >> 32) + (head & 0xffff_ffff) + u64::from(self.sequence) + self.time
    }

    /// Reads a mark, if it is one.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let (sequence, rest) = rest.split_first_chunk::<4>()?;
        let time: &[u8; 6] = rest.first_chunk()?;
        let head = u64::from_be_bytes(*head);
        let [a, b, c, d, e, f] = *time;
        (head >> 40 == MAGIC).then(|| Self {
            stream: (head >> 24) as u16,
            flow: head as u32 % FLOWS,
            sequence: u32::from_be_bytes(*sequence),
            time: u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
        })
    }

    /// Returns the mark of an Ethernet frame: behind the headers of UDP, TCP, or ICMP echo, with VLAN
    /// tags or without, not of a fragment.
    #[inline]
    pub(crate) fn of_packet(packet: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes(*packet.get(at..)?.first_chunk()?));
        let mut ip = 14;
        while matches!(word(ip - 2)?, 0x8100 | 0x88a8) {
            ip += 4;
        }
        let (protocol, transport) = match word(ip - 2)? {
            // More fragments, or not the first one.
            0x0800 if word(ip + 6)? & 0x3fff == 0 => {
                (*packet.get(ip + 9)?, ip + usize::from(packet.get(ip)? & 15) * 4)
            }
            0x86dd => (*packet.get(ip + 6)?, ip + 40),
            _ => return None,
        };
        let header = match (protocol, packet.get(transport)?) {
            // UDP, ICMP echo reply and request, ICMPv6 echo request and reply.
            (17, _) | (1, 0 | 8) | (58, 128 | 129) => 8,
            (6, _) => usize::from(packet.get(transport + 12)? >> 4) * 4,
            _ => return None,
        };
        Self::read(packet.get(transport + header..)?)
    }
}

/// Returns the low 48 bits of a time in nanoseconds.
pub(crate) fn time_of(nanoseconds: u64) -> u64 {
    nanoseconds & ((1 << TIME_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark =
            Mark { stream: 0xfedc, flow: FLOWS - 1, sequence: u32::MAX, time: (1 << 48) - 2 };
        let mut bytes = [0; LEN];
        let sum = mark.write(&mut bytes);
        assert_eq!(Mark::read(&bytes), Some(mark));
        let words = bytes.chunks(2).map(|word| u64::from(word[0]) << 8 | u64::from(word[1]));
        assert_eq!(sum % 65535, words.sum::<u64>() % 65535);
        assert_eq!(Mark::read(&bytes[..LEN - 1]), None);
        for at in 0..3 {
            let mut other = bytes;
            other[at] ^= 1;
            assert_eq!(Mark::read(&other), None);
        }
    }

    #[test]
    fn any_bytes_have_a_mark_or_none() {
        let mut state = 1_u64;
        for length in 0..200 {
            let mut bytes = vec![0; length];
            for byte in &mut bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            for kind in [[8, 0], [0x86, 0xdd], [0x81, 0]] {
                if let Some(place) = bytes.get_mut(12..14) {
                    place.copy_from_slice(&kind);
                }
                assert_eq!(Mark::of_packet(&bytes), None);
            }
        }
        // Tags to the end.
        assert_eq!(Mark::of_packet(&[0x81, 0].repeat(50)), None);
    }
}
