//! What lies in the rings, as their memory says.

use super::FakeKernel;
use xsk_uapi::if_xdp::xdp_desc;

/// What a [`FakeKernel`] and its four rings hold, oldest first: read from the rings' memory, not from
/// anybody's books.
///
/// What the user's side wrote and did not publish (a guard of it was forgotten) is not here; what it took
/// and did not release still is. Both end with the next guard of
/// that ring that is dropped, even one of no entries, or the next batch of it that is passed on whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RingContents {
    /// In the fill ring: addresses that the kernel did not take.
    pub fill: Vec<u64>,
    /// In the RX ring: packets that the user did not take.
    pub rx: Vec<xdp_desc>,
    /// In the TX ring: packets that the kernel did not take.
    pub tx: Vec<xdp_desc>,
    /// In the kernel: addresses of transmitted packets that are not completed.
    pub kernel: Vec<u64>,
    /// In the completion ring: addresses that the user did not take.
    pub completion: Vec<u64>,
}

impl FakeKernel {
    /// What is in the rings and with this kernel now.
    ///
    /// While another thread uses the socket, the answer is one of the states that it goes through, ring
    /// by ring.
    #[must_use]
    pub fn ring_contents(&self) -> RingContents {
        RingContents {
            fill: self.blocks.fill.entries(),
            rx: self.blocks.rx.entries(),
            tx: self.blocks.tx.entries(),
            kernel: self.unfinished.iter().copied().collect(),
            completion: self.blocks.completion.entries(),
        }
    }
}
