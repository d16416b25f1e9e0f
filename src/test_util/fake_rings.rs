//! The sizes of a fake kernel's rings, and where their indices begin.

use crate::ring::Index;

/// How a [`FakeKernel`](super::FakeKernel) is to be made: sizes of the rings, and where their indices begin.
#[derive(Debug, Clone, Copy)]
pub struct FakeRings {
    /// Entries of the RX ring; every size is a power of two, 2^20 at the most.
    pub rx: u32,
    /// Entries of the TX ring.
    pub tx: u32,
    /// Entries of the fill ring.
    pub fill: u32,
    /// Entries of the completion ring.
    pub completion: u32,
    /// Where all indices begin: near `u32::MAX`, to see them wrap.
    pub start: Index,
}

impl Default for FakeRings {
    fn default() -> Self {
        Self { rx: 2048, tx: 2048, fill: 4096, completion: 2048, start: Index::new(0) }
    }
}
