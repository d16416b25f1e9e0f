//! Sizes of a fake kernel's rings, the position where their indices begin, and whether the TX ring
//! asks for wake-ups.

use crate::ring::Index;

/// Settings for the rings of a [`FakeKernel`](super::FakeKernel).
///
/// ```
/// use xsk::test_util::{FakeKernel, FakeRings, Index};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// // Indices that wrap after four entries.
/// let start = Index::new(u32::MAX - 3);
/// let rings = FakeRings { rx: 8, start, ..FakeRings::default() };
/// let (mut kernel, mut socket) = FakeKernel::with(&umem, rings)?;
/// socket.fill.fill_from(&mut pool, 16)?;
/// assert_eq!(kernel.deliver_unwritten(16, 60), 8, "the RX ring is full");
/// assert_eq!(socket.rx.receive(16)?.len(), 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FakeRings {
    /// Entries of the RX ring. Every size is a power of two from 1 to 2^20.
    pub rx: u32,
    /// Entries of the TX ring.
    pub tx: u32,
    /// Entries of the fill ring.
    pub fill: u32,
    /// Entries of the completion ring.
    pub completion: u32,
    /// The position where all indices begin: near `u32::MAX` they wrap soon.
    pub start: Index,
    /// Whether the TX ring's need-wakeup flag is set from the beginning, as it always is in copy
    /// mode: then a packet is sent only after a kick, which takes 32 at the most. `false` makes a
    /// kernel that sends by itself whatever is submitted, for tests of other things.
    pub need_wakeup: bool,
}

impl Default for FakeRings {
    fn default() -> Self {
        Self {
            rx: 2048,
            tx: 2048,
            fill: 4096,
            completion: 2048,
            start: Index::new(0),
            need_wakeup: true,
        }
    }
}
