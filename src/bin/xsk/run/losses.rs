//! Why packets were lost, and what to do about it.

use crate::failure::quoted;
use crate::report::words::Event;
use crate::run::counts::Report;

/// Why packets were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The RX ring was full.
    RingFull,
    /// The fill ring was empty.
    NoChunk,
    /// Something else: the packet was longer than a chunk has room for, and packets have one frame.
    TooLong,
    /// The device dropped what was to be sent.
    Device,
}

/// Where packets were lost.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// The interface's name.
    pub(crate) name: &'a str,
    /// Bytes that a chunk has for a received packet.
    pub(crate) room: u32,
    /// Whether the program is attached in generic mode.
    pub(crate) generic: bool,
}

impl Loss {
    pub(crate) const ALL: [Self; 4] = [Self::RingFull, Self::NoChunk, Self::TooLong, Self::Device];

    /// Returns how many packets were lost for this reason. Where they have several frames (`frags`)
    /// none is too long, and the fill ring has too few chunks for one also when it is not empty.
    pub(crate) fn count(self, report: &Report, frags: bool) -> u64 {
        let kernel = &report.kernel;
        match self {
            Self::RingFull => kernel.rx_ring_full.unwrap_or(0),
            Self::NoChunk if frags => kernel.rx_dropped,
            Self::NoChunk => report.without_chunk,
            Self::TooLong => kernel.rx_dropped - Self::NoChunk.count(report, frags),
            Self::Device => report.tx_dropped,
        }
    }

    /// Returns the event that it is.
    pub(crate) fn event(self) -> Event {
        match self {
            Self::RingFull => Event::RxRingFull,
            Self::NoChunk => Event::FillRingEmpty,
            Self::TooLong => Event::TooLong,
            Self::Device => Event::DroppedByDevice,
        }
    }

    /// Returns a sentence about `count` packets that were lost, with the cure.
    pub(crate) fn described(self, count: u64, place: &Place<'_>) -> String {
        let Place { name, room, generic } = place;
        match self {
            Self::RingFull => format!(
                "{count} received packets were dropped because the RX ring was full: this process \
                 does not keep up. A larger ring (--rx-ring) helps against bursts, and -p where \
                 there are more threads than processors"
            ),
            Self::NoChunk => format!(
                "{count} received packets were dropped because the fill ring was empty: more \
                 chunks (--chunks, --fill-ring) help against bursts"
            ),
            Self::TooLong => {
                let offloads = if *generic {
                    format!(
                        "; in generic mode the kernel also joins packets before they come: \
                         `ethtool -K {} gro off lro off`, and on a veth `tso off gso off` of its \
                         peer",
                        quoted(name)
                    )
                } else {
                    String::new()
                };
                format!(
                    "{count} received packets were dropped because they did not fit a chunk, which \
                     has room for {room} bytes: a smaller MTU, larger chunks (-f), or packets of \
                     several frames (-F){offloads}"
                )
            }
            Self::Device => format!(
                "{name} dropped {count} packets in place of sending them: it has no carrier, its \
                 queue was full, or they are longer than its MTU or its peer's \
                 (`ip -s link show dev {}`)",
                quoted(name)
            ),
        }
    }
}
