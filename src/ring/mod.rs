//! Ring indices and the halves of the four rings, over plain pointers: no descriptor, no system
//! call.
//!
//! The protocol is that of the kernel's `net/xdp/xsk_queue.h`: one producer, one consumer, two
//! free-running 32-bit indices. The producer writes entries and then stores its index with release;
//! the consumer loads that index with acquire, reads the entries, and stores its own index with
//! release.
//!
//! # Safety
//! This module reads and writes entries that the other side of a ring shares. It needs valid,
//! aligned pointers and one half for each side; it promises that an entry is only touched by the
//! side that the indices give it to, and that a count of entries never leaves the borrow of its ring
//! (rules I1 and I8 of [`umem`](crate::umem)).
#![allow(unsafe_code, reason = "rings are raw shared memory")]

mod atomic;
mod consumer;
mod error;
mod index;
mod memory;
mod producer;
pub(crate) mod route;
mod runs;
mod shared_count;
#[cfg(all(test, loom))]
mod tests;
pub(crate) mod transfer;

pub use crate::types::RingKind;
/// The largest ring: the kernel knows no limit, and 2^30 entries would take 16 GiB of its memory.
pub(crate) const MAX_ENTRIES: u32 = 1 << 20;

pub(crate) use atomic::AtomicU32;
pub(crate) use consumer::{Consumer, Diagnosis, Portion, Reader, Rest, Suspect};
pub use error::RingError;
pub use index::Index;
pub(crate) use memory::{Memory, Parts};
pub(crate) use producer::{Producer, Writer};
pub(crate) use shared_count::SharedCount;
