//! Options of a socket, as [`Error::SocketOption`](super::Error::SocketOption) names them.

use std::fmt;

/// A socket option that this crate reads or sets, and whose failure is an error of its own.
///
/// [`Display`](fmt::Display) gives the option's kernel name.
///
/// ```
/// use xsk::error::SocketOption;
///
/// assert_eq!(SocketOption::TxBudget.to_string(), "XDP_MAX_TX_SKB_BUDGET");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketOption {
    /// Where the parts of the rings are in their mappings (`XDP_MMAP_OFFSETS`).
    MmapOffsets,
    /// The socket's counters (`XDP_STATISTICS`).
    Statistics,
    /// How many packets one wake-up sends at the most (`XDP_MAX_TX_SKB_BUDGET`, 6.17).
    TxBudget,
    /// The socket's pending error (`SO_ERROR`).
    Error,
    /// The address family of a socket that was handed over (`SO_DOMAIN`).
    Domain,
    /// Whether and how long calls poll the queue (`SO_BUSY_POLL`).
    BusyPoll,
    /// Whether interrupts stay off while calls poll (`SO_PREFER_BUSY_POLL`, 5.11).
    PreferBusyPoll,
    /// How many packets one poll takes (`SO_BUSY_POLL_BUDGET`, 5.11).
    BusyPollBudget,
    /// The NAPI instance that is polled (`SO_INCOMING_NAPI_ID`).
    IncomingNapiId,
}

impl fmt::Display for SocketOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MmapOffsets => "XDP_MMAP_OFFSETS",
            Self::Statistics => "XDP_STATISTICS",
            Self::TxBudget => "XDP_MAX_TX_SKB_BUDGET",
            Self::Error => "SO_ERROR",
            Self::Domain => "SO_DOMAIN",
            Self::BusyPoll => "SO_BUSY_POLL",
            Self::PreferBusyPoll => "SO_PREFER_BUSY_POLL",
            Self::BusyPollBudget => "SO_BUSY_POLL_BUDGET",
            Self::IncomingNapiId => "SO_INCOMING_NAPI_ID",
        })
    }
}
