//! Ranges of ports.

use std::ops::RangeInclusive;

/// A range of ports, both ends in it; the first is not above the last.
///
/// ```
/// use xsk::bpf::Ports;
///
/// assert_eq!(Ports::from(80), Ports::from(80..=80));
/// // The ends come in either order, as in the tcpdump language.
/// assert_eq!(Ports::from(90..=80), Ports::from(80..=90));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl Ports {
    /// Returns the first port.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first
    }

    /// Returns the last port, which is not below the first one.
    #[must_use]
    pub fn last(self) -> u16 {
        self.last
    }
}

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

impl From<RangeInclusive<u16>> for Ports {
    fn from(range: RangeInclusive<u16>) -> Self {
        let (start, end) = range.into_inner();
        Self { first: start.min(end), last: start.max(end) }
    }
}
