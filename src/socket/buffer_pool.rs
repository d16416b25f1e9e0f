//! The buffer pool of a queue: its packet memory, its fill and completion ring, and how much the
//! kernel was given.

use crate::ring::{AtomicU32, SharedCount};
use crate::umem::Umem;
use std::any::Any;
use std::sync::Arc;

/// What belongs to a queue of a device and not to one socket on it: the kernel's `struct
/// xsk_buff_pool` (`net/xdp/xsk_buff_pool.c`).
///
/// Every socket on the queue receives into the chunks of its one fill ring, and the chunks of all
/// come back in its one completion ring.
#[derive(Debug)]
pub(crate) struct BufferPool {
    pub(crate) given: GivenCounts,
    /// Keeps the fill and the completion ring mapped; unmapped before the packet memory goes.
    _rings: Box<dyn Keep>,
    pub(crate) umem: Umem,
    /// Whether packets of several frames come to the sockets over its registration: the kernel keeps
    /// that with the packet memory (`XDP_UMEM_SG_FLAG`, net/xdp/xsk.c).
    pub(crate) multi_buffer: bool,
}

/// Anything that is kept for its drop.
pub(crate) trait Keep: Any + Send + Sync + std::fmt::Debug {}

impl<T: Any + Send + Sync + std::fmt::Debug> Keep for T {}

/// How many entries were ever given to the kernel, modulo 2^32. Never more come back (invariant
/// I7).
#[derive(Debug, Default)]
pub(crate) struct GivenCounts {
    /// Chunks submitted in the fill ring.
    pub(crate) filled: Arc<AtomicU32>,
    /// Descriptors submitted in the TX ring of the socket that has the fill and completion ring.
    pub(crate) sent: Arc<AtomicU32>,
    /// Packets that the kernel put into the RX rings of several sockets on the queue; not counted
    /// while there is one.
    pub(crate) received: SharedCount,
}

impl BufferPool {
    /// Makes the pool of a queue whose fill and completion ring `rings` keeps mapped.
    pub(crate) fn new(umem: Umem, rings: impl Keep, multi_buffer: bool) -> Self {
        let given = GivenCounts::default();
        Self { given, _rings: Box::new(rings), umem, multi_buffer }
    }
}
