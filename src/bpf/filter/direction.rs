//! Source or destination.

/// Which of the two addresses or ports a test compares.
///
/// ```
/// use xsk::bpf::{Condition, Direction};
///
/// let udp = Condition::udp_port(Direction::Destination, 4789);
/// assert_eq!(udp.to_string(), "udp dst port 4789");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The source.
    Source,
    /// The destination.
    Destination,
    /// One of them: the source, or else the destination.
    Either,
    /// Both of them.
    Both,
}
