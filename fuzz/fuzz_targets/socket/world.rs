//! The UMEM, its pools, one or two queues with their sockets and kernels, and the frames in hand.

use crate::any::{AnyRx, Edit};
use crate::area;
use crate::closures::with_closure;
use crate::law::{Set, chunk_number, chunk_step, mark, marked};
use crate::port::{Parts, Place, Port, parts};
use xsk::ring::{Index, RingKind};
use xsk::test_util::{FakeRings, Hostile};
use xsk::{Frame, FramePool, Packet, RingError, Umem};

pub struct World {
    /// The kind of the chunks.
    pub chunks: usize,
    pub umem: Umem,
    pub pools: [FramePool; 2],
    pub ports: Vec<Port>,
    pub held: Vec<Frame>,
    /// Chunks of frames that were dropped.
    pub lost: Set,
    pub hostile: bool,
    rings: FakeRings,
    /// The two sockets that calls mean, by their numbers; a number too high counts from 0 again.
    meant: [usize; 2],
}

const KINDS: [RingKind; 4] = [RingKind::Rx, RingKind::Tx, RingKind::Fill, RingKind::Completion];

impl World {
    pub fn new(header: &[u8; 6]) -> Self {
        let [flags, start, sizes @ ..] = *header;
        let chunks = usize::from(sizes[1] / 5);
        let (umem, mut pool) = area::umem(0, chunks);
        let [rx, tx, fill, completion] = sizes.map(|size| 1 << (size % 5));
        let start = Index::new(u32::MAX.wrapping_sub(start.into()));
        let rings = FakeRings { rx, tx, fill, completion, start, need_wakeup: flags & 4 != 0 };
        // Whether the sockets of the two queues are for packets of several frames.
        let [first, second] = [1, 2].map(|bit| (sizes[2] / 5) & bit != 0);
        let alone = |packets| if packets { Port::packets } else { Port::alone };
        let make = if flags & 8 != 0 { Port::shared } else { alone(first) };
        let mut first = make(&umem, rings);
        for _ in 0..=(sizes[0] / 5) & 1 {
            first.add(rings);
        }
        let mut ports = vec![first];
        ports.extend((0..flags & 1).map(|_| alone(second)(&umem, rings)));
        let other = pool.split_off(usize::from(flags >> 4));
        let (held, lost) = (Vec::with_capacity(16), Set::default());
        let (pools, hostile) = ([pool, other], flags & 2 != 0);
        Self { chunks, umem, pools, ports, held, lost, hostile, rings, meant: [0, 1] }
    }

    /// Returns the number of sockets.
    pub fn sockets(&self) -> usize {
        self.ports.iter().map(Port::sockets).sum()
    }

    /// Returns whether there is a socket for packets of several frames.
    pub fn has_packets(&self) -> bool {
        self.ports.iter().any(Port::is_for_packets)
    }

    /// Returns the socket of a number: first come those that are the first on their queues.
    pub fn place(&self, number: usize) -> Place {
        let (number, ports) = (number % self.sockets(), self.ports.len());
        match number.checked_sub(ports) {
            None => Place { port: number, at: 0 },
            Some(added) => Place { port: 0, at: added + 1 },
        }
    }

    /// Unwraps the result of a call that fails only with a hostile kernel.
    fn good<T>(hostile: bool, result: Result<T, RingError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(fault) => {
                assert!(hostile, "{fault}");
                None
            }
        }
    }

    /// Makes one call; returns the rest of the program.
    pub fn step<'a>(&mut self, call: u8, n: u8, mut rest: &'a [u8]) -> &'a [u8] {
        let [s, t] = [call >> 7, call >> 6 & 1].map(|n| self.place(self.meant[usize::from(n)]));
        let p = usize::from(n >> 7);
        let count = u32::from(n & 31);
        let Self { umem, pools, ports, held, lost, hostile, rings, meant, .. } = self;
        let hostile = *hostile;
        match call & 63 {
            20 => self.foreign(s, n),
            code @ 21..=28 => forward(umem, ports, held, lost, hostile, (s, t), code, n),
            45 => meant[usize::from(call >> 7)] = usize::from(n & 7),
            46 => ports[s.port].drop_added(s.at),
            47 if ports[0].sockets() < 4 => ports[0].add(*rings),
            code => {
                let (Parts { rx, completion, kernel, number, tx }, fill) = parts(ports, s, s);
                let pool = &mut pools[p];
                match code {
                    0 => drop(Self::good(hostile, fill.fill_from(pool, count))),
                    1 => {
                        // Longer than a chunk where that can arrive.
                        let long = matches!(rx, AnyRx::Packets(_));
                        let chunks = if long { usize::from(n >> 6) } else { 0 };
                        let len = chunks * umem.chunk_size() as usize + usize::from(n & 63);
                        let _ = kernel.deliver_to(number, &vec![0xee; len]);
                    }
                    2 => drop(kernel.deliver_unwritten_to(number, count, 60)),
                    3 | 4 => {
                        if let Some(batch) = Self::good(hostile, rx.receive(count)) {
                            let frames = batch.take(usize::from(n >> 5), code == 4);
                            keep(umem, held, frames.into_iter());
                        }
                    }
                    5 => {
                        if let Some(batch) = Self::good(hostile, rx.receive(count)) {
                            Self::good(hostile, batch.recycle(fill));
                        }
                    }
                    6 => {
                        if let Some(batch) = Self::good(hostile, rx.receive(count)) {
                            batch.reclaim(pool);
                        }
                    }
                    7 | 8 => {
                        if let Some(mut slots) = Self::good(hostile, tx.reserve(count)) {
                            give(umem, held, n >> 5, |frame| slots.push(frame));
                            if code == 8 {
                                std::mem::forget(slots);
                            }
                        }
                    }
                    9 | 10 => {
                        if let Some(mut slots) = Self::good(hostile, fill.reserve(count)) {
                            give(umem, held, n >> 5, |frame| slots.push(frame));
                            if code == 10 {
                                std::mem::forget(slots);
                            }
                        }
                    }
                    11 => drop(Self::good(hostile, tx.send_from(pool, count, 1 + u32::from(n)))),
                    12 => {
                        let each = |edit: Edit<'_>| tx.send_each(pool, u32::from(n >> 5), edit);
                        if let Some(sent) = with_closure(umem, held, lost, n, each) {
                            Self::good(hostile, sent);
                        }
                    }
                    13 => {
                        if let Some(packet) = kernel.transmit() {
                            let most = umem.chunk_size() as usize * umem.chunk_count();
                            assert!(!packet.is_empty() && packet.len() <= most);
                        }
                    }
                    14 => drop(kernel.transmit_unread(count)),
                    15 => drop(kernel.complete(count)),
                    16 => drop(Self::good(hostile, completion.reap_into(pool, count))),
                    17 | 18 => {
                        if let Some(batch) = Self::good(hostile, completion.reap(count)) {
                            let mut frames = batch.into_iter();
                            keep(umem, held, frames.by_ref().take(usize::from(n >> 5)));
                            if code == 18 {
                                std::mem::forget(frames);
                            }
                        }
                    }
                    19 => {
                        if let Some(batch) = Self::good(hostile, completion.reap(count)) {
                            Self::good(hostile, batch.recycle(fill));
                        }
                    }
                    29 => {
                        let [one, other] = pools;
                        let (from, to) = if p == 0 { (one, other) } else { (other, one) };
                        let (before, there) = (to.len(), from.len());
                        assert_eq!(from.move_to(to, count as usize), there.min(count as usize));
                        assert_eq!(to.len() - before, there - from.len());
                    }
                    30 => {
                        let some = pools[p].split_off(count as usize);
                        pools[1 - p].append(some);
                    }
                    31 => keep(
                        umem,
                        held,
                        std::iter::from_fn(|| pool.take()).take(usize::from(n >> 4 & 7)),
                    ),
                    32 => give(umem, held, n >> 5, |frame| {
                        pool.put(frame);
                        Ok(())
                    }),
                    33 => edit(umem, held, n),
                    34 => {
                        if let Some(frame) = held.pop() {
                            lost.add(chunk_number(umem, frame.address()));
                        }
                    }
                    35 => {
                        kernel.set_need_wakeup(KINDS[usize::from(n & 3)], n & 4 != 0);
                        let _ = (tx.kick_if_needed(), fill.kick_if_needed());
                    }
                    36 => {
                        let at = held.len();
                        held[..].rotate_left(usize::from(n) % at.max(1));
                    }
                    44 => tx.kick_if_needed().unwrap(),
                    48 | 49 => {
                        if let Some(mut slots) = Self::good(hostile, tx.reserve(count)) {
                            give_packet(umem, held, n >> 5, |packet| slots.push_packet(packet));
                            if code == 49 {
                                std::mem::forget(slots);
                            }
                        }
                    }
                    37..=43 | 50 if hostile => {
                        let (more, after) = rest.split_first_chunk().unwrap_or((&[0, 0], &[]));
                        rest = after;
                        let hostile = kernel.hostile().unwrap().of_socket(number);
                        break_a_rule(umem, hostile, code, n, *more);
                    }
                    _ => drop(Self::good(hostile, fill.fill_from(pool, count))),
                }
            }
        }
        rest
    }
}

/// Forwards or recycles a whole batch of received frames, with and without closures.
#[expect(clippy::too_many_arguments, reason = "the parts of a world")]
fn forward(
    umem: &Umem,
    ports: &mut [Port],
    held: &mut [Frame],
    lost: &mut Set,
    hostile: bool,
    (s, t): (Place, Place),
    code: u8,
    n: u8,
) {
    let count = u32::from(n >> 5);
    let (Parts { rx, tx, .. }, fill) = parts(ports, s, t);
    let Some(batch) = World::good(hostile, rx.receive(count)) else { return };
    let result = match code {
        21 | 22 => Some(batch.forward(tx)),
        23..=25 => with_closure(umem, held, lost, n, |edit| batch.forward_each(tx, edit)),
        26..=27 => with_closure(umem, held, lost, n, |edit| batch.recycle_each(fill, edit)),
        _ => Some(batch.recycle(fill)),
    };
    if let Some(result) = result {
        World::good(hostile, result);
    }
}

/// Marks frames and keeps them in hand.
fn keep(umem: &Umem, held: &mut Vec<Frame>, frames: impl Iterator<Item = Frame>) {
    for mut frame in frames {
        mark(umem, &mut frame);
        held.push(frame);
    }
}

/// Gives frames away until one is returned.
fn give(
    umem: &Umem,
    held: &mut Vec<Frame>,
    most: u8,
    mut to: impl FnMut(Frame) -> Result<(), Frame>,
) {
    for _ in 0..most {
        let Some(frame) = held.pop() else { return };
        assert!(marked(umem, &frame), "{frame:?}: something else wrote there");
        if let Err(frame) = to(frame) {
            held.push(frame);
            return;
        }
    }
}

/// Gives a packet of up to `most` frames away, the last ones in hand.
fn give_packet(
    umem: &Umem,
    held: &mut Vec<Frame>,
    most: u8,
    to: impl FnOnce(Packet) -> Result<(), Packet>,
) {
    let first = held.len().saturating_sub(usize::from(most));
    let mut frames = held.drain(first..);
    let Some(frame) = frames.next() else { return };
    let mut packet = Packet::new(frame);
    frames.for_each(|frame| packet.push(frame));
    assert!(packet.frames().iter().all(|frame| marked(umem, frame)), "something else wrote there");
    if let Err(packet) = to(packet) {
        held.extend(packet);
    }
}

/// Changes the bounds of a frame in hand; a refused change has no effect.
fn edit(umem: &Umem, held: &mut [Frame], n: u8) {
    let Some(frame) = held.last_mut() else { return };
    let (address, len) = (frame.address(), frame.len());
    let size = umem.chunk_size();
    let amount = [1, 9, 60, 255, 256, 257, size - 1, size][usize::from(n & 7)];
    let done = match n >> 3 & 7 {
        0 => frame.truncate(amount),
        1 => frame.advance(amount),
        2 => umem.set_len(frame, amount),
        3 => umem.grow_front(frame, amount),
        4 => umem.write(frame, &[7; 4096][..amount as usize]),
        5 => frame.truncate(0),
        6 => frame.advance(u32::MAX),
        _ => umem.set_len(frame, u32::MAX - amount),
    };
    if done.is_err() {
        assert_eq!((frame.address(), frame.len()), (address, len), "refused and changed");
    }
    mark(umem, frame);
}

/// A step that a kernel must not make, with the ledger on.
fn break_a_rule(umem: &Umem, mut hostile: Hostile<'_>, code: u8, n: u8, [a, b]: [u8; 2]) {
    let (step, size) = (chunk_step(umem), umem.chunk_size());
    let address = match a >> 6 {
        0 => u64::from(a & 31) * step + 256,
        // The same byte of an unaligned chunk; at the end of one, and behind it.
        1 if a & 32 == 0 => (u64::from(a & 31) * step) | (256 << 48),
        1 => (u64::from(a & 31) * step) | ((u64::from(size) - u64::from(b & 1)) << 48),
        2 if a & 32 == 0 => u64::from(a & 31) * step / 2 + u64::from(b),
        2 => (u64::from(a & 31) * step + u64::from(b & 3)) | (u64::from(b) << 48),
        _ => u64::MAX.rotate_left(u32::from(a)) ^ u64::from(b),
    };
    let options = if n & 7 == 7 { u32::from(b) } else { 0 };
    let room = size - 256;
    let len = [60, 0, 1, room, room + 1, size, u32::MAX, u32::from(b)][usize::from(n >> 3 & 7)];
    let ring = KINDS[usize::from(n & 3)];
    match code {
        37..=39 => hostile.receive(address, len, options),
        50 => _ = hostile.receive_filled(len, u32::from(a & 3)),
        40 | 41 => hostile.complete(address),
        42 => {
            let index = hostile.published(ring).advance(u32::from(a & 31).wrapping_sub(8));
            hostile.set_index(ring, index);
        }
        _ => hostile.set_index(ring, Index::new(u32::from_le_bytes([n, a, b, a]))),
    }
}
