//! The four rings of a socket.

use std::fmt;

/// One of the four rings of an AF_XDP socket.
///
/// ```
/// assert_eq!(xsk::ring::RingKind::Completion.to_string(), "completion");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RingKind {
    /// Packets received: the kernel produces.
    Rx,
    /// Packets to send: the user produces.
    Tx,
    /// Chunks for the kernel to receive into: the user produces.
    Fill,
    /// Chunks whose packets are sent: the kernel produces.
    Completion,
}

impl fmt::Display for RingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rx => "RX",
            Self::Tx => "TX",
            Self::Fill => "fill",
            Self::Completion => "completion",
        })
    }
}
