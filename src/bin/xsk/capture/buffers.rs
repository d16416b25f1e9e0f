//! Buffers with blocks of packets, on their way from the threads that receive to the one that writes.
//!
//! There is a fixed number of them, made at the start. While none is free, a thread that receives
//! leaves packets in its ring.

use crate::capture::format::{self, Known, MOST_OVERHEAD};
use crate::failure::{Failure, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a buffer: above those of the longest packet.
const SIZE: usize = 512 << 10;
/// How many there are, and how many each thread has at least.
const COUNT: usize = 32;
const EACH: usize = 3;
/// How long packets wait in a buffer that is not full, in nanoseconds.
pub(crate) const FLUSH: u64 = 200_000_000;

/// A buffer with packets.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) bytes: Vec<u8>,
    pub(crate) packets: u64,
}

/// What both ends share.
#[derive(Debug)]
struct Shared {
    /// The buffers that are free. The one that was used last is used next: it is in the cache.
    free: Mutex<Vec<Vec<u8>>>,
    /// Whether nothing is written any more.
    closed: AtomicBool,
}

/// The end that writes.
#[derive(Debug)]
pub(crate) struct Drain {
    shared: Arc<Shared>,
    pub(crate) filled: Receiver<Filled>,
}

/// The end that receives, of one thread.
#[derive(Debug)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
    sender: SyncSender<Filled>,
    /// The buffer that is being filled, and the next one.
    current: Option<Vec<u8>>,
    next: Option<Vec<u8>>,
    packets: u64,
    /// When it was seen first that packets are in it.
    since: Option<u64>,
}

/// Makes the buffers for so many threads.
pub(crate) fn make(threads: usize) -> (Vec<Sink>, Drain) {
    let count = COUNT.max(threads * EACH);
    let free = (0..count).map(|_| Vec::with_capacity(SIZE)).collect();
    let shared = Arc::new(Shared { free: Mutex::new(free), closed: AtomicBool::new(false) });
    let (sender, filled) = sync_channel(count);
    let sink = |_| Sink {
        shared: Arc::clone(&shared),
        sender: sender.clone(),
        current: None,
        next: None,
        packets: 0,
        since: None,
    };
    let sinks = (0..threads).map(sink).collect();
    (sinks, Drain { shared, filled })
}

impl Drain {
    /// Takes a buffer back.
    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.shared.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
    }
}

impl Sink {
    /// Returns how many packets there is room for, of which `most_bytes` are kept at the most.
    ///
    /// # Errors
    /// If nothing is written any more: the thread that writes says why.
    pub(crate) fn room(&mut self, most_bytes: u32) -> Result<u32> {
        if self.current.is_none() || self.next.is_none() {
            self.take_buffers();
        }
        if self.shared.closed.load(Ordering::Relaxed) {
            return Err(Failure::Text("nothing is written any more".to_owned()));
        }
        let block = most_bytes as usize + MOST_OVERHEAD;
        let rest = |buffer: &Option<Vec<u8>>| {
            buffer.as_ref().map_or(0, |buffer| (SIZE - buffer.len()) / block)
        };
        Ok((rest(&self.current) + rest(&self.next)) as u32)
    }

    #[cold]
    fn take_buffers(&mut self) {
        let mut free = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner);
        for place in [&mut self.current, &mut self.next] {
            if place.is_none() {
                *place = free.pop();
            }
        }
    }

    /// Adds a packet, for which there is room: its kept bytes are those of `parts` one after the
    /// other.
    #[inline]
    pub(crate) fn add<'a>(
        &mut self,
        known: &Known,
        kept: usize,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) {
        let is_full = |buffer: &Vec<u8>| SIZE - buffer.len() < kept + MOST_OVERHEAD;
        if self.current.as_ref().is_none_or(is_full) {
            self.flush();
            self.current = self.next.take();
        }
        let Some(buffer) = &mut self.current else {
            debug_assert!(false, "there is no room");
            return;
        };
        format::packet(buffer, known, kept, parts);
        self.packets += 1;
    }

    /// Hands over what has waited for long at the time `now`, which does not go back.
    #[inline]
    pub(crate) fn flush_old(&mut self, now: u64) {
        if self.packets > 0 && now - *self.since.get_or_insert(now) >= FLUSH {
            self.flush();
        }
    }

    /// Returns whether packets wait.
    #[inline]
    pub(crate) fn has_packets(&self) -> bool {
        self.packets > 0
    }

    /// Hands over the packets that wait.
    #[cold]
    pub(crate) fn flush(&mut self) {
        if self.packets == 0 {
            return;
        }
        if let Some(bytes) = self.current.take() {
            // There is room for all buffers; if the other end is gone, `room` says so.
            let _ = self.sender.try_send(Filled { bytes, packets: self.packets });
        }
        (self.packets, self.since) = (0, None);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.flush();
    }
}
