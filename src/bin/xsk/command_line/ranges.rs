//! Numbers with units, and ranges of addresses, ports and sizes, as options take them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Reads a number per second: digits, also with a point, and `k`, `M` or `G` behind them.
pub(crate) fn per_second(text: &str) -> Result<u64, String> {
    const MOST: f64 = 1e12;
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        Some((at, 'g' | 'G')) => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value = number.parse::<f64>().ok().filter(|_| plain).map(|value| value * unit);
    let value = value.filter(|value| (1.0..=MOST).contains(value));
    value.map(|value| value.round() as u64).ok_or_else(|| {
        "a number per second is wanted, from 1 to 1000G, as 50000, 50k or 1.5M".to_owned()
    })
}

/// Reads a factor from a thousandth to a million.
pub(crate) fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| (0.001..=1e6).contains(factor));
    factor.ok_or_else(|| "a factor is wanted, from 0.001 to 1000000, as 2 or 0.5".to_owned())
}

/// How often a capture is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loops {
    Times(u64),
    Forever,
}

impl FromStr for Loops {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("forever", _) => Ok(Self::Forever),
            (_, Ok(times)) if times > 0 => Ok(Self::Times(times)),
            _ => Err("a number from 1 on is wanted, or `forever`".to_owned()),
        }
    }
}

/// A MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mac(pub(crate) [u8; 6]);

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut mac = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut mac {
            let part = parts.next().filter(|part| (1..=2).contains(&part.len()));
            let part = part.and_then(|part| u8::from_str_radix(part, 16).ok());
            *byte = part.ok_or("a MAC address is wanted, as 02:00:5e:00:00:01")?;
        }
        match parts.next() {
            None => Ok(Self(mac)),
            Some(_) => Err("a MAC address has six bytes".to_owned()),
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Consecutive IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) first: IpAddr,
    /// How many there are, at least one; at most as many as a [`u128`] holds.
    pub(crate) count: u128,
}

impl Addresses {
    /// Returns the range of one address.
    pub(crate) fn one(address: IpAddr) -> Self {
        Self { first: address, count: 1 }
    }

    /// Returns the first one as a number.
    pub(crate) fn start(&self) -> u128 {
        number(self.first)
    }
}

/// Returns an address as a number.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTED: &str = "an IP address is wanted, a range (10.0.0.1-10.0.0.9) or a prefix \
            (10.0.0.0/24)";
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| WANTED.to_owned());
        if let Some((first, length)) = text.split_once('/') {
            let first = address(first)?;
            let bits: u32 = if first.is_ipv4() { 32 } else { 128 };
            let length = length.parse::<u32>().ok().filter(|length| *length <= bits);
            let host = bits - length.ok_or_else(|| WANTED.to_owned())?;
            let count = 1_u128.checked_shl(host).unwrap_or(u128::MAX);
            let start = number(first) & !(count - 1);
            let first = match first {
                IpAddr::V4(_) => Ipv4Addr::from_bits(start as u32).into(),
                IpAddr::V6(_) => Ipv6Addr::from_bits(start).into(),
            };
            return Ok(Self { first, count });
        }
        let Some((first, last)) = text.split_once('-') else {
            return Ok(Self::one(address(text)?));
        };
        let (first, last) = (address(first)?, address(last)?);
        if first.is_ipv4() != last.is_ipv4() {
            return Err("a range has addresses of one kind".to_owned());
        }
        match number(last).checked_sub(number(first)) {
            Some(more) => Ok(Self { first, count: more.saturating_add(1) }),
            None => Err(format!("the range ends before it begins: {last} is below {first}")),
        }
    }
}

/// Consecutive numbers, the ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers<T> {
    pub(crate) first: T,
    pub(crate) last: T,
}

impl<T: Copy> Numbers<T> {
    /// Returns the range of one number.
    pub(crate) fn one(number: T) -> Self {
        Self { first: number, last: number }
    }
}

impl<T: FromStr + PartialOrd + fmt::Display> FromStr for Numbers<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| {
            let number = text.parse::<T>();
            number.map_err(|_| "a number is wanted, or a range (1000-2000)".to_owned())
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("the range ends before it begins: {last} is below {first}"));
        }
        Ok(Self { first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units() {
        for (text, rate) in [
            ("1", 1),
            ("50000", 50_000),
            ("50k", 50_000),
            ("1.5M", 1_500_000),
            ("2G", 2_000_000_000),
        ] {
            assert_eq!(per_second(text), Ok(rate), "{text}");
        }
        for text in ["", "k", "0", "-1", "1e3", "1x", "inf", "1001G", "1 k", "é"] {
            assert!(per_second(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_of_addresses_have_ends() {
        let range = |text: &str| text.parse::<Addresses>();
        let of = |first: &str, count| Ok(Addresses { first: first.parse().unwrap(), count });
        assert_eq!(range("10.0.0.1"), of("10.0.0.1", 1));
        assert_eq!(range("10.0.0.1-10.0.0.9"), of("10.0.0.1", 9));
        assert_eq!(range("10.0.0.77/24"), of("10.0.0.0", 256));
        assert_eq!(range("0.0.0.0/0"), of("0.0.0.0", 1 << 32));
        assert_eq!(range("2001:db8::5/126"), of("2001:db8::4", 4));
        assert_eq!(range("::/0"), of("::", u128::MAX));
        assert_eq!(range("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), of("::", u128::MAX));
        for text in ["", "10.0.0", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "10.0.0.0/33", "::/129"] {
            assert!(range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_of_numbers_have_ends() {
        let range = |text: &str| text.parse::<Numbers<u16>>();
        assert_eq!(range("9"), Ok(Numbers::one(9)));
        assert_eq!(range("1000-2000"), Ok(Numbers { first: 1000, last: 2000 }));
        for text in ["", "-", "2-1", "65536", "1-", "a"] {
            assert!(range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mac_address_has_six_bytes() {
        assert_eq!("02:0:5e:00:00:fF".parse(), Ok(Mac([2, 0, 0x5e, 0, 0, 255])));
        for text in
            ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "02:00:00:00:00:100", "g:1:1:1:1:1"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
