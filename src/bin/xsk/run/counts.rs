//! What a run counts: its own counters and the kernel's.

use std::collections::VecDeque;
use xsk::{Frame, SocketHandle, Statistics, Umem};

/// What a loop counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    /// Packets whose chunks came back: sent, or dropped by the device.
    pub(crate) tx_packets: u64,
    /// Their bytes.
    pub(crate) tx_bytes: u64,
    /// Bytes of packets that the device dropped.
    pub(crate) dropped_bytes: u64,
    /// Packets that a program had no room for.
    pub(crate) rx_lost: u64,
}

impl Counts {
    #[inline]
    pub(crate) fn received(&mut self, packets: u32, bytes: u64) {
        self.rx_packets += u64::from(packets);
        self.rx_bytes += bytes;
    }

    #[inline]
    pub(crate) fn sent(&mut self, packets: u32, bytes: u64) {
        self.tx_packets += u64::from(packets);
        self.tx_bytes += bytes;
    }

    /// Returns the sum of both.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            rx_packets: self.rx_packets + other.rx_packets,
            rx_bytes: self.rx_bytes + other.rx_bytes,
            tx_packets: self.tx_packets + other.tx_packets,
            tx_bytes: self.tx_bytes + other.tx_bytes,
            dropped_bytes: self.dropped_bytes + other.dropped_bytes,
            rx_lost: self.rx_lost + other.rx_lost,
        }
    }
}

/// The lengths of packets whose chunks have not come back, in the order in which they were sent:
/// for each frame one number, which is the length of the packet at its last frame, and 0 at the
/// others.
#[derive(Debug, Default)]
pub(crate) struct Lengths(VecDeque<u32>);

impl Lengths {
    /// Returns none, with room for so many frames.
    pub(crate) fn with_room(frames: usize) -> Self {
        Self(VecDeque::with_capacity(frames))
    }

    /// Takes the frames of a packet that is sent.
    #[inline]
    pub(crate) fn push(&mut self, frames: &[Frame]) {
        for _ in 1..frames.len() {
            self.0.push_back(0);
        }
        self.0.push_back(frames.iter().map(Frame::len).sum());
    }

    /// Returns how many packets end with the next `frames` frames, whose chunks came back, and
    /// their bytes.
    #[inline]
    pub(crate) fn came_back(&mut self, frames: u32) -> (u32, u64) {
        let most = self.0.len().min(frames as usize);
        self.0.drain(..most).fold((0, 0), |(packets, bytes), len| {
            (packets + u32::from(len > 0), bytes + u64::from(len))
        })
    }

    /// Returns how many packets are not back as a whole.
    pub(crate) fn packets(&self) -> u64 {
        self.0.iter().filter(|len| **len > 0).count() as u64
    }

    /// Returns whether all frames are back.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes of the packet that the kernel took last, with `pending` frames left in the
    /// TX ring.
    pub(crate) fn taken_last(&self, pending: u32) -> u64 {
        let place = self.0.len().checked_sub(pending as usize + 1);
        place.and_then(|place| self.0.get(place)).copied().map_or(0, u64::from)
    }

    /// Forgets the packets that the kernel has taken, with `pending` frames left in the TX ring.
    pub(crate) fn forget_taken(&mut self, pending: u32) {
        let taken = self.0.len().saturating_sub(pending as usize);
        self.0.drain(..taken);
    }
}

/// Returns how far apart chunks begin.
pub(crate) fn chunk_step(umem: &Umem) -> u64 {
    // At even addresses, also if their size is odd.
    umem.chunk_size().next_multiple_of(2).into()
}

/// The packets that are being sent, by their chunks: chunks of several sockets come back in one
/// ring, which does not say who sent them.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// How far apart chunks begin.
    step: u64,
    /// Length and socket of the packet that was sent last from each chunk. A chunk that is being
    /// sent is not received into and not sent again before it came back, so each packet is found as
    /// it was noted.
    packets: Vec<(u32, usize)>,
}

impl Outgoing {
    pub(crate) fn new(umem: &Umem) -> Self {
        let packets = vec![(0, 0); umem.chunk_count()];
        Self { step: chunk_step(umem), packets }
    }

    /// Returns the place of the chunk that an address is in.
    #[inline]
    fn chunk(&self, frame: &Frame) -> usize {
        (frame.address() / self.step) as usize
    }

    /// Notes that a socket sends a packet.
    #[inline]
    pub(crate) fn note(&mut self, frame: &Frame, socket: usize) {
        let chunk = self.chunk(frame);
        self.packets[chunk] = (frame.len(), socket);
    }

    /// Returns length and socket of the packet whose chunk came back.
    #[inline]
    pub(crate) fn came_back(&self, frame: &Frame) -> (u32, usize) {
        self.packets[self.chunk(frame)]
    }
}

/// The kernel's counters of several sockets.
#[derive(Debug, Clone, Copy, Default)]
struct Kernel {
    sum: Statistics,
    without_chunk: u64,
}

impl Kernel {
    /// Adds up the counters of all sockets, of which those of a queue come one after the other.
    fn of(sockets: impl IntoIterator<Item = (u32, Statistics)>) -> Self {
        // Those of a queue have one fill ring, and each reports its counter.
        let mut queues: Vec<(u32, Statistics)> = Vec::new();
        for (queue, mut one) in sockets {
            match queues.last_mut().filter(|(before, _)| *before == queue) {
                Some((_, sum)) => {
                    one.fill_ring_empty = one.fill_ring_empty.map(|_| 0);
                    *sum = both(sum, &one);
                }
                None => queues.push((queue, one)),
            }
        }
        // One queue may have dropped long packets while another one had no chunks.
        let without_chunk = queues.iter().map(|(_, queue)| without_chunk(queue)).sum();
        let sum = queues.iter().map(|(_, queue)| *queue).reduce(|sum, one| both(&sum, &one));
        Self { sum: sum.unwrap_or_default(), without_chunk }
    }
}

/// Returns how many packets a queue dropped because its fill ring was empty.
fn without_chunk(queue: &Statistics) -> u64 {
    queue.fill_ring_empty.unwrap_or(0).min(queue.rx_dropped)
}

/// Returns the sum of two sockets' counters.
fn both(one: &Statistics, other: &Statistics) -> Statistics {
    let known = |one: Option<u64>, other: Option<u64>| Some(one? + other?);
    let mut sum = Statistics::default();
    sum.rx_dropped = one.rx_dropped + other.rx_dropped;
    sum.rx_invalid_descs = one.rx_invalid_descs + other.rx_invalid_descs;
    sum.tx_invalid_descs = one.tx_invalid_descs + other.tx_invalid_descs;
    sum.rx_ring_full = known(one.rx_ring_full, other.rx_ring_full);
    sum.fill_ring_empty = known(one.fill_ring_empty, other.fill_ring_empty);
    sum.tx_ring_empty = known(one.tx_ring_empty, other.tx_ring_empty);
    sum
}

/// All counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Report {
    counts: Counts,
    /// Packets that the device dropped on sending.
    pub(crate) tx_dropped: u64,
    pub(crate) kernel: Statistics,
    /// Packets that were dropped because a fill ring was empty.
    pub(crate) without_chunk: u64,
}

/// Packets and bytes of an interval, or of the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    pub(crate) rx_dropped: u64,
    pub(crate) tx_packets: u64,
    pub(crate) tx_bytes: u64,
    pub(crate) tx_dropped: u64,
}

impl Report {
    /// Returns the report about one queue.
    pub(crate) fn new(counts: Counts, tx_dropped: u64, kernel: Statistics) -> Self {
        Self { counts, tx_dropped, kernel, without_chunk: without_chunk(&kernel) }
    }

    /// Returns what the kernel did for all sockets of an interface, of which those of a queue come
    /// one after the other.
    pub(crate) fn of_sockets(tx_dropped: u64, handles: &[SocketHandle]) -> xsk::Result<Self> {
        let one = |handle: &SocketHandle| Ok((handle.queue(), handle.statistics()?));
        let all = handles.iter().map(one).collect::<xsk::Result<Vec<_>>>()?;
        let Kernel { sum, without_chunk } = Kernel::of(all);
        Ok(Self { counts: Counts::default(), tx_dropped, kernel: sum, without_chunk })
    }

    /// Returns what a loop counted, with what the kernel and the devices did on each interface.
    pub(crate) fn sum(counts: Counts, sides: &[Self]) -> Self {
        let kernel = sides.iter().map(|side| side.kernel).reduce(|sum, one| both(&sum, &one));
        let tx_dropped = sides.iter().map(|side| side.tx_dropped).sum();
        let without_chunk = sides.iter().map(|side| side.without_chunk).sum();
        Self { counts, tx_dropped, kernel: kernel.unwrap_or_default(), without_chunk }
    }

    /// Returns what was counted since the start. A packet that the device dropped is not sent.
    pub(crate) fn totals(&self) -> Totals {
        let Counts { rx_packets, rx_bytes, tx_packets, tx_bytes, dropped_bytes, rx_lost } =
            self.counts;
        // Before 5.9 the kernel counts both together.
        let rx_dropped = self.kernel.rx_dropped + self.kernel.rx_ring_full.unwrap_or(0) + rx_lost;
        Totals {
            rx_packets,
            rx_bytes,
            rx_dropped,
            tx_packets: tx_packets.saturating_sub(self.tx_dropped),
            tx_bytes: tx_bytes.saturating_sub(dropped_bytes),
            tx_dropped: self.tx_dropped,
        }
    }
}

impl Totals {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            rx_packets: self.rx_packets - before.rx_packets,
            rx_bytes: self.rx_bytes - before.rx_bytes,
            rx_dropped: self.rx_dropped.saturating_sub(before.rx_dropped),
            // A drop is known before its completion is seen.
            tx_packets: self.tx_packets.saturating_sub(before.tx_packets),
            tx_bytes: self.tx_bytes.saturating_sub(before.tx_bytes),
            tx_dropped: self.tx_dropped - before.tx_dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_device_dropped_was_not_sent() {
        let mut counts = Counts::default();
        counts.sent(1000, 60_000);
        counts.dropped_bytes = 24_000;
        let totals = Report::new(counts, 400, Statistics::default()).totals();
        assert_eq!((totals.tx_packets, totals.tx_bytes, totals.tx_dropped), (600, 36_000, 400));
        // Its completion is still in the ring.
        let counts = Counts { dropped_bytes: 60, ..Counts::default() };
        let totals = Report::new(counts, 1, Statistics::default()).totals();
        assert_eq!((totals.tx_packets, totals.tx_bytes), (0, 0));
    }

    #[test]
    fn lengths_are_those_of_the_packets_that_came_back() {
        let (_umem, mut pool) = Umem::builder().chunk_count(8).build().unwrap();
        let mut lengths = Lengths::default();
        for len in [100, 9000, 200, 300] {
            let packet = pool.take_packet(len).unwrap();
            lengths.push(packet.frames());
            pool.extend(packet);
        }
        // Two packets are in the ring: the kernel took the second one, of three frames, last.
        assert_eq!((lengths.taken_last(2), lengths.taken_last(0)), (9000, 300));
        assert_eq!(lengths.taken_last(6), 0, "it took none");
        assert_eq!((lengths.packets(), lengths.is_empty()), (4, false));
        assert_eq!(lengths.came_back(3), (1, 100), "a part of the second one is not back");
        assert_eq!(lengths.packets(), 3);
        assert_eq!((lengths.came_back(1), lengths.came_back(5)), ((1, 9000), (2, 500)));
        assert!(lengths.is_empty());
    }

    #[test]
    fn what_one_socket_does_not_know_is_unknown_of_all() {
        let mut known = Statistics::default();
        (known.rx_dropped, known.rx_ring_full) = (3, Some(2));
        let sum = both(&known, &known);
        assert_eq!((sum.rx_dropped, sum.rx_ring_full, sum.fill_ring_empty), (6, Some(4), None));
        assert_eq!(both(&known, &Statistics::default()).rx_ring_full, None);
    }

    #[test]
    fn what_one_queue_lacked_is_not_laid_to_another() {
        let of = |rx_dropped, fill_ring_empty| {
            let mut queue = Statistics::default();
            (queue.rx_dropped, queue.fill_ring_empty) = (rx_dropped, Some(fill_ring_empty));
            queue
        };
        // Queue 0 dropped long packets only. The fill ring of queue 1, whose two sockets report its
        // counter, was empty more often than packets were dropped.
        let Kernel { sum, without_chunk } =
            Kernel::of([(0, of(5, 0)), (1, of(1, 9)), (1, of(2, 9))]);
        assert_eq!((sum.rx_dropped, sum.fill_ring_empty, without_chunk), (8, Some(9), 3));
    }

    #[test]
    fn a_packet_is_found_by_any_address_in_its_chunk() {
        let (umem, mut pool) = Umem::builder().chunk_count(2).build().unwrap();
        let mut outgoing = Outgoing::new(&umem);
        let mut frames = [pool.take().unwrap(), pool.take().unwrap()];
        for (socket, frame) in frames.iter_mut().enumerate() {
            frame.advance(256).unwrap();
            frame.truncate(100 + socket as u32).unwrap();
            outgoing.note(frame, socket);
        }
        pool.extend(frames);
        let back = [pool.take().unwrap(), pool.take().unwrap()].map(|f| outgoing.came_back(&f));
        assert!(back == [(100, 0), (101, 1)] || back == [(101, 1), (100, 0)], "{back:?}");
    }
}
