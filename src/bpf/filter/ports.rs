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
