//! Contents of a fake kernel and its rings, read from the rings' memory.

use super::FakeKernel;
use xsk_uapi::if_xdp::xdp_desc;

/// The entries of a [`FakeKernel`]'s four rings, and the chunks that it holds itself, oldest first.
/// They are read from the rings' memory, not counted along.
///
/// After a guard was forgotten, entries that the user's side wrote and did not submit are missing
/// here, and those that it took and did not release are still here. Both end with the next guard of
/// that ring that is dropped, even one of no entries, or with its next batch that is moved as a
/// whole.
///
/// ```
/// use xsk::test_util::FakeKernel;
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 8)?;
/// kernel.deliver(b"hello");
/// let contents = kernel.ring_contents();
/// assert_eq!((contents.fill.len(), contents.rx.len()), (7, 1));
/// assert_eq!(contents.rx[0].len, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RingContents {
    /// Addresses in the fill ring that the kernel has not taken.
    pub fill: Vec<u64>,
    /// Packets in the RX ring that the user has not taken.
    pub rx: Vec<xdp_desc>,
    /// Packets in the TX ring that the kernel has not taken.
    pub tx: Vec<xdp_desc>,
    /// Addresses of packets that the kernel transmitted and has not completed.
    pub kernel: Vec<u64>,
    /// Addresses in the completion ring that the user has not taken.
    pub completion: Vec<u64>,
}

impl FakeKernel {
    /// Returns the present contents of the rings and of this kernel.
    ///
    /// While another thread uses the socket, the contents of each ring are those of one moment, but
    /// not of the same moment for all rings.
    #[must_use]
    pub fn ring_contents(&self) -> RingContents {
        RingContents {
            fill: self.memory.fill.entries(),
            rx: self.memory.rx.entries(),
            tx: self.memory.tx.entries(),
            kernel: self.unfinished.iter().copied().collect(),
            completion: self.memory.completion.entries(),
        }
    }
}
