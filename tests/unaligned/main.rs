//! Unaligned chunks by the public API: the edges of each chunk, in plain memory; and packets over
//! veth pairs.
//!
//! The random programs of `model/`, `ownership/` and `hostile_kernel/` run with such chunks, too.

#[path = "../common/mod.rs"]
mod common;
mod frames;
mod traffic;

use std::collections::BTreeSet;
use xsk::umem::UmemBuilder;
use xsk::{FramePool, Umem};

/// Sizes of chunks: powers of two, even and odd ones.
const SIZES: [u32; 6] = [2048, 2049, 3000, 3001, 4001, 4096];

/// Returns a builder of `chunks` unaligned chunks.
fn builder(chunks: u32, size: u32) -> UmemBuilder {
    Umem::builder().chunk_count(chunks).chunk_size(size).unaligned()
}

/// Returns how far apart chunks of this size begin: at even addresses.
fn step(size: u32) -> u64 {
    u64::from(size.next_multiple_of(2))
}

/// Asserts that the pool has every chunk of the UMEM, each once.
#[track_caller]
fn assert_all_home(umem: &Umem, pool: &FramePool) {
    let step = step(umem.chunk_size());
    let all: BTreeSet<u64> = (0..umem.chunk_count() as u64).map(|chunk| chunk * step).collect();
    assert_eq!(pool.addresses().collect::<BTreeSet<u64>>(), all);
    assert_eq!(pool.len(), umem.chunk_count());
}
