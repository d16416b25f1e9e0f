//! Several UMEMs, pools and sockets, and the chunks that each has lost.

use crate::any_ring::{AnyCompletion, AnyRx, AnyTx, Look};
use crate::op::{Move, Op, Trouble};
use crate::panics::caught;
use std::panic::resume_unwind;
use xsk::test_util::{ChunkAudit, FakeKernel, FakeRings, RingContents};
use xsk::umem::UmemBuilder;
use xsk::{Fill, Frame, FramePool, Packet, RingError, Umem};

/// The parts of all queues and sockets, kind by kind, so that any two can be used at once.
#[derive(Default)]
struct Ports {
    /// Of each queue: the number of its UMEM, its kernel, and the rings that its sockets share.
    umem: Vec<usize>,
    kernel: Vec<FakeKernel>,
    fill: Vec<Fill>,
    completion: Vec<AnyCompletion>,
    /// Of each socket: the number of its queue, and its rings.
    queue: Vec<usize>,
    rx: Vec<AnyRx>,
    tx: Vec<AnyTx>,
}

pub(crate) struct Fixture {
    umems: Vec<Umem>,
    /// Each with the number of its UMEM; so are the frames.
    pools: Vec<(usize, FramePool)>,
    ports: Ports,
    held: Vec<(usize, Frame)>,
    /// Addresses of lost chunks, by UMEM.
    lost: Vec<Vec<u64>>,
    /// How many of these were in the rings of closed sockets, by UMEM.
    closed: Vec<usize>,
}

/// Everything that can be compared.
#[derive(Debug, PartialEq)]
struct State {
    pools: Vec<Vec<u64>>,
    held: Vec<(usize, u64, u32)>,
    rings: Vec<RingContents>,
}

impl Fixture {
    pub(crate) fn new(builders: &[UmemBuilder], chunks: u32, rings: &[FakeRings]) -> Self {
        let umems = builders.len();
        let builders = builders.iter().cloned();
        let (handles, pools): (Vec<_>, Vec<_>) =
            builders.map(|builder| builder.chunk_count(chunks).build().unwrap()).unzip();
        let mut fixture = Self {
            umems: handles,
            pools: pools.into_iter().enumerate().collect(),
            ports: Ports::default(),
            held: Vec::new(),
            lost: vec![Vec::new(); umems],
            closed: vec![0; umems],
        };
        for (number, rings) in rings.iter().enumerate() {
            // Any kind of sockets comes first.
            fixture.open(number, *rings, (number + chunks as usize) % 4);
        }
        fixture
    }

    /// Opens a queue with so many sockets beside the first; with 3, one for packets of several frames.
    fn open(&mut self, umem: usize, rings: FakeRings, others: usize) {
        let umem = umem % self.umems.len();
        if others == 3 {
            return self.open_packets(umem, rings);
        }
        let (mut kernel, socket) = FakeKernel::with(&self.umems[umem], rings).unwrap();
        let ports = &mut self.ports;
        let number = ports.umem.len();
        ports.umem.push(umem);
        if others == 0 {
            ports.rx.push(AnyRx::Own(socket.rx));
            ports.tx.push(AnyTx::Frames(socket.tx));
            ports.fill.push(socket.fill);
            ports.completion.push(AnyCompletion::Own(socket.completion));
        } else {
            let mut queue = socket.share_queue();
            for _ in 0..others {
                let other = kernel.add_socket(&mut queue, rings).unwrap();
                ports.rx.push(AnyRx::Shared(other.rx));
                ports.tx.push(AnyTx::Frames(other.tx));
            }
            ports.rx.push(AnyRx::Shared(queue.rx));
            ports.tx.push(AnyTx::Frames(queue.tx));
            ports.fill.push(queue.fill);
            ports.completion.push(AnyCompletion::Shared(queue.completion));
        }
        ports.kernel.push(kernel);
        ports.queue.extend(vec![number; others + 1]);
    }

    fn open_packets(&mut self, umem: usize, rings: FakeRings) {
        let (kernel, socket) = FakeKernel::multi_buffer(&self.umems[umem], rings).unwrap();
        let ports = &mut self.ports;
        ports.queue.push(ports.umem.len());
        ports.umem.push(umem);
        ports.rx.push(AnyRx::Packets(socket.rx));
        ports.tx.push(AnyTx::Packets(socket.tx));
        ports.fill.push(socket.fill);
        ports.completion.push(AnyCompletion::Own(socket.completion));
        ports.kernel.push(kernel);
    }

    /// Closes a socket, and its queue with the last one: what lay in the rings, or was with the
    /// kernel, is lost. Before that, what lies in a closed socket's rings is nobody else's.
    fn close(&mut self, socket: usize) {
        self.settle();
        let ports = &mut self.ports;
        let queue = ports.queue.swap_remove(socket);
        drop(ports.rx.swap_remove(socket));
        drop(ports.tx.swap_remove(socket));
        if ports.queue.contains(&queue) {
            return;
        }
        let rings = ports.kernel.swap_remove(queue).ring_contents();
        let umem = ports.umem.swap_remove(queue);
        let lost = &mut self.lost[umem];
        let before = lost.len();
        lost.extend(rings.fill.iter().chain(&rings.kernel).chain(&rings.completion));
        lost.extend(rings.rx.iter().chain(&rings.tx).map(|desc| desc.addr));
        self.closed[umem] += lost.len() - before;
        drop(ports.fill.swap_remove(queue));
        drop(ports.completion.swap_remove(queue));
        // The last queue has another number now.
        let last = ports.umem.len();
        ports.queue.iter_mut().filter(|number| **number == last).for_each(|number| *number = queue);
    }

    pub(crate) fn close_all(&mut self) {
        while !self.ports.queue.is_empty() {
            self.close(0);
        }
    }

    /// Starts an empty batch on every ring, so that nothing of a forgotten guard is left.
    fn settle(&mut self) {
        let Ports { rx, tx, fill, completion, .. } = &mut self.ports;
        fill.iter_mut().for_each(|fill| drop(fill.reserve(0).unwrap()));
        tx.iter_mut().for_each(|tx| drop(tx.reserve(0).unwrap()));
        rx.iter_mut().for_each(|rx| drop(rx.receive(0).unwrap().take(0, false)));
        completion.iter_mut().for_each(|completion| drop(completion.reap(0).unwrap().into_iter()));
    }

    /// Checks for every UMEM that every chunk is in one place.
    pub(crate) fn check(&mut self) {
        self.settle();
        for ((umem, lost), closed) in self.umems.iter().zip(&self.lost).zip(&self.closed) {
            let (counted, dropped) = (umem.lost_chunks() as usize, lost.len() - closed);
            match umem.chunk_counts() {
                Some(counts) => assert_eq!((counted, counts.lost), (dropped, dropped)),
                // Less those of frames that `recycle_each` had when its closure panicked.
                None => assert!(counted <= dropped),
            }
            let mut found = ChunkAudit::of(umem)
                .frames(self.held.iter().map(|(_, frame)| frame))
                .lost(lost.iter().copied());
            for (_, pool) in &self.pools {
                found = found.pool(pool);
            }
            for kernel in &self.ports.kernel {
                found = found.rings(kernel);
            }
            found.check().unwrap();
        }
    }

    fn state(&self) -> State {
        let held = |(umem, frame): &(usize, Frame)| (*umem, frame.address(), frame.len());
        State {
            pools: self.pools.iter().map(|(_, pool)| pool.addresses().collect()).collect(),
            held: self.held.iter().map(held).collect(),
            rings: self.ports.kernel.iter().map(FakeKernel::ring_contents).collect(),
        }
    }

    /// Makes a call that must panic and change nothing.
    fn refused(&mut self, call: impl FnOnce(&mut Self)) {
        self.settle();
        let before = self.state();
        let message = caught(|| call(self)).unwrap_err();
        let message = message.downcast_ref::<String>().map_or("", String::as_str);
        assert!(message.contains("was given to a ring, pool or area of"), "{message}");
        assert_eq!(self.state(), before, "a refused call changed something");
    }

    /// Makes a call that must be refused unless both are of one UMEM.
    fn refused_unless(&mut self, same: bool, call: impl FnOnce(&mut Self)) {
        if same {
            call(self);
        } else {
            self.refused(call);
        }
    }

    pub(crate) fn step(&mut self, op: &Op) {
        let (pools, ports) = (self.pools.len(), self.ports.queue.len());
        let p = |pool: usize| pool % pools.max(1);
        let s = |socket: usize| socket % ports.max(1);
        // The queue of a socket.
        let queues = self.ports.queue.clone();
        let q = |socket: usize| queues[s(socket)];
        let beside = |fixture: &Self, socket: usize, pool: usize| {
            fixture.ports.umem[q(socket)] == fixture.pools[p(pool)].0
        };
        // A program continues where there is no socket left; such calls cannot be made.
        match *op {
            Op::Kernel(k, ref step) if ports > 0 => drop(self.ports.kernel[q(k)].step(step)),
            Op::Fill { socket, pool, want } if ports > 0 => {
                self.refused_unless(beside(self, socket, pool), |fixture| {
                    let pool = &mut fixture.pools[p(pool)].1;
                    fixture.ports.fill[q(socket)].fill_from(pool, want).unwrap();
                });
            }
            Op::FillPush { socket, want } if ports > 0 => self.fill_push(q(socket), want),
            Op::Receive { socket, want, take, forget } if ports > 0 => {
                let umem = self.ports.umem[q(socket)];
                let batch = self.ports.rx[s(socket)].receive(want).unwrap();
                let taken = batch.take(take as usize, forget);
                self.held.extend(taken.into_iter().map(|frame| (umem, frame)));
            }
            Op::Move { from, to, want, how } if ports > 0 => {
                self.pass_on(s(from), s(to), want, how)
            }
            Op::IntoPool { socket, pool, want } if ports > 0 => {
                self.refused_unless(beside(self, socket, pool), |fixture| {
                    let batch = fixture.ports.rx[s(socket)].receive(want).unwrap();
                    batch.reclaim(&mut fixture.pools[p(pool)].1);
                });
            }
            Op::Push { socket, want, forget } if ports > 0 => self.push(s(socket), want, forget),
            Op::PushPacket { socket, frames, want, forget } if ports > 0 => {
                self.push_packet(s(socket), frames, want, forget);
            }
            Op::SendFrom { socket, pool, want } if ports > 0 => {
                self.refused_unless(beside(self, socket, pool), |fixture| {
                    let pool = &mut fixture.pools[p(pool)].1;
                    fixture.ports.tx[s(socket)].send_from(pool, want).unwrap();
                });
            }
            Op::SendEach { socket, pool, want, trouble } if ports > 0 => {
                self.refused_unless(beside(self, socket, pool), |fixture| {
                    let (tx, umem) =
                        (&mut fixture.ports.tx[s(socket)], fixture.ports.umem[q(socket)]);
                    let pool = &mut fixture.pools[p(pool)].1;
                    troubled(umem, &mut fixture.held, &mut fixture.lost, trouble, |look| {
                        tx.send_each(pool, want, look).unwrap();
                    });
                });
            }
            Op::Kick(socket) if ports > 0 => {
                self.ports.tx[s(socket)].kick_if_needed().unwrap();
            }
            Op::Reap { socket, want, take, forget } if ports > 0 => {
                let umem = self.ports.umem[q(socket)];
                let completion = &mut self.ports.completion[q(socket)];
                let mut frames = completion.reap(want).unwrap().into_iter();
                let taken = frames.by_ref().take(take as usize);
                self.held.extend(taken.map(|frame| (umem, frame)));
                if forget {
                    std::mem::forget(frames);
                }
            }
            Op::ReapInto { socket, pool, want } if ports > 0 => {
                self.refused_unless(beside(self, socket, pool), |fixture| {
                    let pool = &mut fixture.pools[p(pool)].1;
                    fixture.ports.completion[q(socket)].reap_into(pool, want).unwrap();
                });
            }
            Op::ReapIntoFill { from, to, want } if ports > 0 => {
                let same = self.ports.umem[q(from)] == self.ports.umem[q(to)];
                self.refused_unless(same, |fixture| {
                    let batch = fixture.ports.completion[q(from)].reap(want).unwrap();
                    batch.recycle(&mut fixture.ports.fill[q(to)]).unwrap();
                });
            }
            Op::Put(pool) => self.put(p(pool)),
            Op::Take(pool, count) => {
                let (umem, pool) = &mut self.pools[p(pool)];
                let frames = (0..count).map_while(|_| pool.take());
                self.held.extend(frames.map(|frame| (*umem, frame)));
            }
            Op::TakePacket(pool, len) => {
                let (umem, pool) = &mut self.pools[p(pool)];
                let frames = pool.take_packet(len.into()).into_iter().flatten();
                self.held.extend(frames.map(|frame| (*umem, frame)));
            }
            Op::Split(pool, count) if pools < 6 => {
                let (umem, pool) = &mut self.pools[p(pool)];
                let other = (*umem, pool.split_off(count));
                self.pools.push(other);
            }
            Op::Merge(to, from) if pools > 1 => {
                let (umem, other) = self.pools.swap_remove(p(from));
                let to = to % self.pools.len();
                let same = self.pools[to].0 == umem;
                if !same {
                    self.lost[umem].extend(other.addresses());
                }
                self.refused_unless(same, |fixture| fixture.pools[to].1.append(other));
            }
            Op::Feed(from, to, count) if p(from) != p(to) => {
                let same = self.pools[p(from)].0 == self.pools[p(to)].0;
                self.refused_unless(same, |fixture| {
                    let (low, high) = (p(from).min(p(to)), p(from).max(p(to)));
                    let (left, right) = fixture.pools.split_at_mut(high);
                    let (mut from, mut to) = match p(from) < p(to) {
                        true => (&mut left[low].1, &mut right[0].1),
                        false => (&mut right[0].1, &mut left[low].1),
                    };
                    let (from, to) = (&mut from, &mut to);
                    let moved = count.min(from.len());
                    assert_eq!(from.move_to(to, count), moved);
                });
            }
            Op::DropFrame => {
                if let Some((umem, frame)) = self.held.pop() {
                    self.lost[umem].push(frame.address());
                    drop(frame);
                }
            }
            Op::DropPool(pool) if pools > 2 => {
                let (umem, pool) = self.pools.swap_remove(p(pool));
                self.lost[umem].extend(pool.addresses());
                drop(pool);
            }
            Op::Close(port) if ports > 0 => self.close(s(port)),
            Op::Open(umem, rings, others) if ports < 7 => self.open(umem, rings, others),
            _ => (),
        }
    }

    /// Puts the last frame in hand into a pool; a frame of another UMEM is refused, and lost.
    fn put(&mut self, pool: usize) {
        let Some((umem, frame)) = self.held.pop() else {
            return;
        };
        let same = self.pools[pool].0 == umem;
        if !same {
            self.lost[umem].push(frame.address());
        }
        self.refused_unless(same, |fixture| fixture.pools[pool].1.put(frame));
    }

    /// Pushes frames in hand to the fill ring, the last first, up to one of another UMEM, which is
    /// refused and lost.
    fn fill_push(&mut self, q: usize, want: u32) {
        let here = self.ports.umem[q];
        let mut slots = self.ports.fill[q].reserve(want).unwrap();
        while let Some((umem, frame)) = self.held.pop() {
            if umem != here {
                drop(slots);
                self.lost[umem].push(frame.address());
                return self.refused(|fixture| {
                    let mut slots = fixture.ports.fill[q].reserve(want).unwrap();
                    drop(slots.push(frame));
                });
            }
            if let Err(frame) = slots.push(frame) {
                return self.held.push((umem, frame));
            }
        }
    }

    /// As `fill_push`, to the TX ring.
    fn push(&mut self, s: usize, want: u32, forget: bool) {
        let here = self.ports.umem[self.ports.queue[s]];
        let mut slots = self.ports.tx[s].reserve(want).unwrap();
        while let Some((umem, frame)) = self.held.pop() {
            if umem != here {
                drop(slots);
                self.lost[umem].push(frame.address());
                return self.refused(|fixture| {
                    let mut slots = fixture.ports.tx[s].reserve(want).unwrap();
                    drop(slots.push(frame));
                });
            }
            if let Err(frame) = slots.push(frame) {
                self.held.push((umem, frame));
                break;
            }
        }
        if forget {
            std::mem::forget(slots);
        }
    }

    /// Sends a packet of the last frames in hand. It has none of another UMEM than its first one's, and
    /// is refused whole, and lost, if that is another one than the socket's.
    fn push_packet(&mut self, s: usize, frames: usize, want: u32, forget: bool) {
        let here = self.ports.umem[self.ports.queue[s]];
        let first = self.held.len().saturating_sub(frames);
        let mut frames = self.held.drain(first..).collect::<Vec<_>>().into_iter();
        let Some((umem, first)) = frames.next() else {
            return;
        };
        let mut packet = Packet::new(first);
        for (of, frame) in frames {
            if of != umem {
                self.lost[of].push(frame.address());
            }
            self.refused_unless(of == umem, |_| packet.push(frame));
        }
        if umem != here && matches!(self.ports.tx[s], AnyTx::Packets(_)) {
            self.lost[umem].extend(packet.frames().iter().map(Frame::address));
            return self.refused(|fixture| {
                let mut slots = fixture.ports.tx[s].reserve(want).unwrap();
                drop(slots.push_packet(packet));
            });
        }
        let (before, count) = (format!("{packet:?}"), packet.frames().len());
        let mut slots = self.ports.tx[s].reserve(want).unwrap();
        if let Err(packet) = slots.push_packet(packet) {
            assert_eq!(format!("{packet:?}"), before, "what is refused is unchanged");
            assert_eq!(packet.frames().len(), count);
            self.held.extend(packet.into_iter().map(|frame| (umem, frame)));
        }
        if forget {
            std::mem::forget(slots);
        }
    }

    fn pass_on(&mut self, from: usize, to: usize, want: u32, how: Move) {
        let [from_queue, to_queue] = [from, to].map(|socket| self.ports.queue[socket]);
        let umem = self.ports.umem[from_queue];
        self.refused_unless(umem == self.ports.umem[to_queue], |fixture| {
            let Self { ports, pools, held, lost, .. } = fixture;
            let batch = ports.rx[from].receive(want).unwrap();
            let (fill, tx) = (&mut ports.fill[to_queue], &mut ports.tx[to]);
            let fits = |moved| match moved {
                Ok(_) | Err(RingError::TooManyFrames { .. }) => (),
                Err(error) => panic!("{error}"),
            };
            match how {
                Move::Recycle => fits(batch.recycle(fill)),
                Move::Forward => fits(batch.forward(tx, fill)),
                Move::RecycleEach(trouble) => troubled(umem, held, lost, trouble, |look| {
                    fits(batch.recycle_each(fill, look));
                }),
                Move::ForwardEach(trouble) => troubled(umem, held, lost, trouble, |edit| {
                    fits(batch.forward_each(tx, fill, edit));
                }),
                Move::RouteEach(trouble) => {
                    let Some((_, pool)) = pools.iter_mut().find(|(of, _)| *of == umem) else {
                        return fits(batch.forward(tx, fill));
                    };
                    troubled(umem, held, lost, trouble, |edit| {
                        fits(batch.route_each(tx, fill, pool, edit));
                    });
                }
            }
        });
    }
}

/// Makes a call with a closure that exchanges frames or panics, and records which chunks are lost
/// by it: those of all frames of the packet that it had.
fn troubled(
    umem: usize,
    held: &mut [(usize, Frame)],
    lost: &mut [Vec<u64>],
    trouble: Trouble,
    call: impl FnOnce(Look<'_>),
) {
    let mut number = 0;
    let mut doomed = Vec::new();
    let mut closure = |frames: &mut [Frame]| {
        assert_eq!(doomed, [], "called again after a panic");
        let (mut umems, mut panics) = (vec![umem; frames.len()], false);
        for (frame, of) in frames.iter_mut().zip(&mut umems) {
            let (exchange, panic) = match trouble {
                Trouble::None => (false, false),
                Trouble::Exchange => (true, false),
                Trouble::Panic { at } => (false, at == number),
                Trouble::ExchangeAndPanic { at } => (at == number, at == number),
            };
            let len = held.len().max(1);
            if let (true, Some((other, kept))) = (exchange, held.get_mut(number % len)) {
                std::mem::swap(frame, kept);
                std::mem::swap(of, other);
            }
            number += 1;
            panics |= panic;
        }
        // The library must refuse a frame of another UMEM.
        if panics || umems.iter().any(|of| *of != umem) {
            doomed.extend(umems.into_iter().zip(frames.iter().map(Frame::address)));
        }
        assert!(!panics, "as the program says");
    };
    match (caught(|| call(&mut closure)), doomed.is_empty()) {
        (Ok(()), true) => (),
        (Err(_), false) => doomed.into_iter().for_each(|(of, address)| lost[of].push(address)),
        (Err(refused), true) => resume_unwind(refused),
        (Ok(()), false) => panic!("{doomed:?}: frames of another UMEM were taken"),
    }
}
