//! Prefixes of addresses, the keys of LPM tries.

use crate::error::{Error, Result};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The first bits of an address of `N` bytes, in network byte order: `Prefix<4>` of IPv4,
/// `Prefix<16>` of IPv6, other lengths of anything else. `N` is from 1 to 256.
///
/// ```
/// use std::net::Ipv4Addr;
/// use xsk::bpf::Prefix;
///
/// let prefix = Prefix::v4(Ipv4Addr::new(10, 1, 2, 3), 8)?;
/// assert_eq!(prefix.to_string(), "10.0.0.0/8");
/// assert!(Prefix::v4(Ipv4Addr::LOCALHOST, 33).is_err());
/// # Ok::<(), xsk::Error>(())
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[doc(alias = "bpf_lpm_trie_key")]
pub struct Prefix<const N: usize> {
    /// The number of bits, in the machine's byte order. As bytes, so that no length of an address
    /// has padding behind it.
    len: [u8; 4],
    address: [u8; N],
}

impl<const N: usize> Prefix<N> {
    /// The bits of a whole address.
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "at most 2048")]
    const BITS: u32 = {
        assert!(N >= 1 && N <= 256, "an address in an LPM trie has 1 to 256 bytes");
        N as u32 * 8
    };

    /// Returns the first `len` bits of an address; what is behind them becomes zero.
    ///
    /// # Errors
    /// [`Error::Setting`] if an address has fewer bits.
    pub fn new(address: [u8; N], len: u32) -> Result<Self> {
        if len > Self::BITS {
            let rule = "is not above the number of an address's bits";
            return Err(Error::Setting { name: "prefix length", value: len.into(), rule });
        }
        let mut address = address;
        let mut bits = len;
        for byte in &mut address {
            let kept = bits.min(8);
            *byte &= !0xff_u8.checked_shr(kept).unwrap_or(0);
            bits = bits.saturating_sub(kept);
        }
        Ok(Self { len: len.to_ne_bytes(), address })
    }

    /// Returns the prefix that is the whole address, as one looks it up.
    #[must_use]
    pub fn whole(address: [u8; N]) -> Self {
        Self { len: Self::BITS.to_ne_bytes(), address }
    }

    /// Returns the number of bits.
    #[must_use]
    pub fn prefix_len(&self) -> u32 {
        u32::from_ne_bytes(self.len)
    }

    /// Returns the address, with zeros behind the prefix; of one that something else has written
    /// into a map with what it wrote there.
    #[must_use]
    pub fn address(&self) -> [u8; N] {
        self.address
    }
}

impl Prefix<4> {
    /// Returns the first `len` bits of an IPv4 address; what is behind them becomes zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for more than 32.
    pub fn v4(address: Ipv4Addr, len: u32) -> Result<Self> {
        Self::new(address.octets(), len)
    }
}

impl Prefix<16> {
    /// Returns the first `len` bits of an IPv6 address; what is behind them becomes zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for more than 128.
    pub fn v6(address: Ipv6Addr, len: u32) -> Result<Self> {
        Self::new(address.octets(), len)
    }
}

/// The prefix of 32 bits.
impl From<Ipv4Addr> for Prefix<4> {
    fn from(address: Ipv4Addr) -> Self {
        Self::whole(address.octets())
    }
}

/// The prefix of 128 bits.
impl From<Ipv6Addr> for Prefix<16> {
    fn from(address: Ipv6Addr) -> Self {
        Self::whole(address.octets())
    }
}

/// As `10.0.0.0/8`.
impl fmt::Display for Prefix<4> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.address), self.prefix_len())
    }
}

/// As `2001:db8::/32`.
impl fmt::Display for Prefix<16> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from(self.address), self.prefix_len())
    }
}

impl<const N: usize> fmt::Debug for Prefix<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({:?}/{})", self.address, self.prefix_len())
    }
}

#[cfg(test)]
mod tests {
    use super::{IntoBytes, Ipv4Addr, Ipv6Addr, Prefix};

    #[test]
    fn bits_behind_the_prefix_are_zero() {
        let address = [0xff; 4];
        let masks: Vec<u32> = (0..=32)
            .map(|len| u32::from_be_bytes(Prefix::new(address, len).unwrap().address()))
            .collect();
        for (len, mask) in (0_u32..).zip(masks) {
            assert_eq!(mask.count_ones(), len, "{mask:#x}");
            assert_eq!(mask.leading_ones(), len, "{mask:#x}");
        }
        assert!(Prefix::new(address, 33).is_err());
        assert!(Prefix::new([0; 3], 25).is_err());
    }

    #[test]
    fn the_bytes_are_those_of_the_kernel() {
        let prefix = Prefix::v4(Ipv4Addr::new(10, 1, 2, 3), 24).unwrap();
        let mut expected = 24_u32.to_ne_bytes().to_vec();
        expected.extend([10, 1, 2, 0]);
        assert_eq!(prefix.as_bytes(), expected);
        assert_eq!(size_of::<Prefix<3>>(), 7);
        assert_eq!(format!("{prefix} {prefix:?}"), "10.1.2.0/24 Prefix([10, 1, 2, 0]/24)");
        let v6 = Prefix::v6("2001:db8::1".parse().unwrap(), 32).unwrap();
        assert_eq!(v6.to_string(), "2001:db8::/32");
        assert_eq!(Prefix::from(Ipv6Addr::LOCALHOST).to_string(), "::1/128");
        assert_eq!(Prefix::from(Ipv4Addr::LOCALHOST).prefix_len(), 32);
    }
}
