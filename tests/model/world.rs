//! The library and the oracle, side by side.

use crate::op::{Edit, End, Op};
use crate::oracle::{CHUNK, Entry, Oracle, chunk};
use std::collections::VecDeque;
use xsk::ring::Kind;
use xsk::test_util::{FakeKernel, KernelStep, Stepped, Whereabouts};
use xsk::{Frame, Kick, Pool, Socket, Umem};

pub(crate) struct World {
    umem: Umem,
    pool: Pool,
    kernel: FakeKernel,
    socket: Socket,
    held: VecDeque<Frame>,
    kicks: u64,
    flags: (bool, bool),
    oracle: Oracle,
}

fn entry(frame: &Frame) -> Entry {
    (frame.address(), frame.len())
}

/// At most `count` times.
fn upto(count: u32) -> std::ops::Range<u32> {
    0..count
}

fn edit(umem: &Umem, frame: &mut Frame, edit: &Edit) -> bool {
    let done = match *edit {
        Edit::Truncate(len) => frame.truncate(len),
        Edit::Advance(bytes) => frame.advance(bytes),
        Edit::GrowFront(bytes) => umem.grow_front(frame, bytes),
        Edit::SetLen(len) => umem.set_len(frame, len),
        Edit::Write(ref bytes) => umem.write(frame, bytes),
    };
    done.is_ok()
}

/// Every second frame is exchanged for the one that is held longest.
fn exchange<T>(on: bool, number: usize, frame: &mut T, held: &mut VecDeque<T>) {
    if let (true, 0, Some(other)) = (on, number % 2, held.front_mut()) {
        std::mem::swap(frame, other);
        held.rotate_left(1);
    }
}

fn end<T>(guard: T, how: End) {
    match how {
        End::Drop => drop(guard),
        End::Forget => std::mem::forget(guard),
    }
}

impl World {
    pub(crate) fn new(setting: &crate::Setting) -> Self {
        let (umem, pool) = Umem::builder()
            .chunks(setting.chunks)
            .chunk_size(CHUNK as u32)
            .headroom(setting.headroom)
            .build()
            .unwrap();
        let (kernel, socket) = FakeKernel::with(&umem, setting.rings).unwrap();
        Self {
            umem,
            pool,
            kernel,
            socket,
            held: VecDeque::new(),
            kicks: 0,
            flags: (false, false),
            oracle: Oracle::new(setting),
        }
    }

    pub(crate) fn step(&mut self, op: &Op) {
        match *op {
            Op::Kernel(ref step) => self.kernel_step(step),
            Op::FillFrom(want) => {
                let count = self.socket.fill.fill_from(&mut self.pool, want).unwrap();
                let oracle = &mut self.oracle;
                let moved = oracle.fill.free().min(oracle.pool.len()).min(want as usize);
                for _ in 0..moved {
                    oracle
                        .fill
                        .written
                        .push_back((oracle.pool.pop().unwrap(), 0));
                }
                oracle.fill.end(End::Drop);
                assert_eq!(count as usize, moved);
            }
            Op::FillPush { reserve, push, end } => self.fill_push(reserve, push, end),
            Op::Peek(want) => {
                let batch = self.socket.rx.receive(want).unwrap();
                let there = self.oracle.rx.there.len().min(want as usize);
                assert_eq!(batch.len() as usize, there);
                assert_eq!(batch.is_empty(), there == 0);
            }
            Op::Receive { want, take, end } => self.receive(want, take, end),
            Op::Recycle(want) => {
                let batch = self.socket.rx.receive(want).unwrap();
                let count = batch.recycle(&mut self.socket.fill).unwrap();
                self.expect_recycled(want, count, false);
            }
            Op::RecycleEach { want, exchange: on } => {
                let batch = self.socket.rx.receive(want).unwrap();
                let (held, umem, mut number) = (&mut self.held, &self.umem, 0);
                let mut seen = Vec::new();
                let look = |frame: &mut Frame| {
                    seen.push((entry(frame), umem.bytes(frame).to_vec()));
                    exchange(on, number, frame, held);
                    number += 1;
                };
                let count = batch.recycle_each(&mut self.socket.fill, look).unwrap();
                for (entry, bytes) in &seen {
                    assert_eq!(self.oracle.bytes(*entry), bytes);
                }
                let expected: Vec<Entry> = self.oracle.rx.there.iter().copied().collect();
                let seen: Vec<Entry> = seen.iter().map(|(entry, _)| *entry).collect();
                assert_eq!(seen, expected[..seen.len()]);
                assert_eq!(seen.len(), count as usize);
                self.expect_recycled(want, count, on);
            }
            Op::Forward(want) => {
                let batch = self.socket.rx.receive(want).unwrap();
                let count = batch.forward(&mut self.socket.tx).unwrap();
                self.expect_forwarded(want, count, None, false);
            }
            Op::ForwardEach {
                want,
                edit: ref how,
                exchange: on,
            } => {
                let batch = self.socket.rx.receive(want).unwrap();
                let (held, umem) = (&mut self.held, &self.umem);
                let mut edits = Vec::new();
                let work = |frame: &mut Frame| {
                    exchange(on, edits.len(), frame, held);
                    edits.push(edit(umem, frame, how));
                };
                let count = batch.forward_each(&mut self.socket.tx, work).unwrap();
                let expected = self.expect_forwarded(want, count, Some(how), on);
                assert_eq!(edits, expected);
            }
            Op::ReceivedIntoPool(want) => {
                let batch = self.socket.rx.receive(want).unwrap();
                let count = batch.into_pool(&mut self.pool);
                let oracle = &mut self.oracle;
                let moved = oracle
                    .vacant()
                    .min(oracle.rx.there.len())
                    .min(want as usize);
                for _ in 0..moved {
                    let (address, _) = oracle.rx.take().unwrap();
                    oracle.pool.push(chunk(address));
                }
                oracle.rx.end(End::Drop);
                assert_eq!(count as usize, moved);
            }
            Op::TxPush { reserve, push, end } => self.tx_push(reserve, push, end),
            Op::SendFrom { want, len } => {
                let count = self.socket.tx.send_from(&mut self.pool, want, len).unwrap();
                let oracle = &mut self.oracle;
                let moved = oracle.tx.free().min(oracle.pool.len()).min(want as usize);
                for _ in 0..moved {
                    oracle
                        .tx
                        .written
                        .push_back((oracle.pool.pop().unwrap(), len));
                }
                oracle.tx.end(End::Drop);
                assert_eq!(count as usize, moved);
            }
            Op::SendEach {
                want,
                edit: ref how,
                exchange: on,
            } => self.send_each(want, how, on),
            Op::Reap { want, take, end } => self.reap(want, take, end),
            Op::ReapInto(want) => {
                let count = self
                    .socket
                    .completion
                    .reap_into(&mut self.pool, want)
                    .unwrap();
                let oracle = &mut self.oracle;
                let there = oracle.completion.there.len();
                let moved = oracle.vacant().min(there).min(want as usize);
                for _ in 0..moved {
                    let (address, _) = oracle.completion.take().unwrap();
                    oracle.pool.push(chunk(address));
                }
                oracle.completion.end(End::Drop);
                assert_eq!(count as usize, moved);
            }
            Op::ReapIntoFill(want) => {
                let batch = self.socket.completion.reap(want).unwrap();
                let there = batch.len() as usize;
                let count = batch.into_fill(&mut self.socket.fill).unwrap();
                let oracle = &mut self.oracle;
                assert_eq!(there, oracle.completion.there.len().min(want as usize));
                let moved = oracle.fill.free().min(there);
                for _ in 0..moved {
                    let (address, _) = oracle.completion.take().unwrap();
                    oracle.fill.written.push_back((address, 0));
                }
                oracle.completion.end(End::Drop);
                oracle.fill.end(End::Drop);
                assert_eq!(count as usize, moved);
            }
            Op::Put(count) => {
                for _ in upto(count) {
                    let Some(frame) = self.held.pop_front() else {
                        break;
                    };
                    self.pool.put(frame);
                    let (address, _) = self.oracle.held.pop_front().unwrap();
                    self.oracle.pool.push(chunk(address));
                }
            }
            Op::Take(count) => {
                for _ in upto(count) {
                    let frame = self.pool.take();
                    let expected = self.oracle.pool.pop().map(|chunk| (chunk, CHUNK as u32));
                    assert_eq!(frame.as_ref().map(entry), expected);
                    self.held.extend(frame);
                    self.oracle.held.extend(expected);
                }
            }
            Op::Edit(ref how) => {
                if let (Some(frame), Some(mut model)) =
                    (self.held.back_mut(), self.oracle.held.pop_back())
                {
                    let done = edit(&self.umem, frame, how);
                    assert_eq!(done, self.oracle.edit(&mut model, how));
                    self.oracle.held.push_back(model);
                }
            }
            Op::SplitAndMerge(count) => {
                // The moved ones keep their order, and come back on top.
                let other = self.pool.split(count as usize);
                let len = self.oracle.pool.len();
                assert_eq!(other.len(), len.min(count as usize));
                assert_eq!(self.pool.len(), len - other.len());
                self.pool.merge(other);
            }
            Op::KickTx(always) => {
                let asked = always || self.flags.0;
                let tx = &mut self.socket.tx;
                let kick = if always {
                    tx.kick()
                } else {
                    tx.kick_if_needed()
                };
                self.expect_kick(asked, kick.unwrap());
            }
            Op::KickFill => {
                let kick = self.socket.fill.kick_if_needed().unwrap();
                self.expect_kick(self.flags.1, kick);
            }
        }
    }

    fn kernel_step(&mut self, step: &KernelStep) {
        if let KernelStep::NeedWakeup(ring, on) = *step {
            match ring {
                Kind::Tx => self.flags.0 = on,
                Kind::Fill => self.flags.1 = on,
                _ => (),
            }
        }
        let (count, sent) = self.oracle.step(step);
        let expected = match step {
            KernelStep::Deliver(_) | KernelStep::DeliverUnwritten { .. } => {
                Stepped::Delivered(count)
            }
            KernelStep::Transmit(_) => Stepped::Transmitted(sent),
            KernelStep::Complete(_) => Stepped::Completed(count),
            KernelStep::NeedWakeup(..) => Stepped::Flagged,
        };
        assert_eq!(self.kernel.step(step), expected);
    }

    fn fill_push(&mut self, reserve: u32, push: u32, how: End) {
        let oracle = &mut self.oracle;
        let mut guard = self.socket.fill.reserve(reserve).unwrap();
        let mut left = oracle.fill.free().min(reserve as usize);
        for _ in upto(push) {
            assert_eq!(guard.left() as usize, left);
            let Some(frame) = self.held.pop_front() else {
                break;
            };
            if let Err(frame) = guard.push(frame) {
                assert_eq!(left, 0);
                self.held.push_front(frame);
                break;
            }
            left = left.checked_sub(1).unwrap();
            let (address, _) = oracle.held.pop_front().unwrap();
            oracle.fill.written.push_back((address, 0));
        }
        end(guard, how);
        oracle.fill.end(how);
    }

    fn tx_push(&mut self, reserve: u32, push: u32, how: End) {
        let oracle = &mut self.oracle;
        let mut guard = self.socket.tx.reserve(reserve).unwrap();
        let mut left = oracle.tx.free().min(reserve as usize);
        for _ in upto(push) {
            assert_eq!(guard.left() as usize, left);
            let Some(frame) = self.held.pop_front() else {
                break;
            };
            if let Err(frame) = guard.push(frame) {
                assert_eq!(left, 0);
                self.held.push_front(frame);
                break;
            }
            left = left.checked_sub(1).unwrap();
            oracle
                .tx
                .written
                .push_back(oracle.held.pop_front().unwrap());
        }
        end(guard, how);
        oracle.tx.end(how);
    }

    fn receive(&mut self, want: u32, take: u32, how: End) {
        let oracle = &mut self.oracle;
        let mut frames = self.socket.rx.receive(want).unwrap().into_iter();
        let mut left = oracle.rx.there.len().min(want as usize);
        for _ in upto(take) {
            assert_eq!(frames.left() as usize, left);
            let frame = frames.next();
            let expected = if left == 0 { None } else { oracle.rx.take() };
            assert_eq!(frame.as_ref().map(entry), expected);
            let Some(frame) = frame else { break };
            left -= 1;
            assert_eq!(self.umem.bytes(&frame), oracle.bytes(entry(&frame)));
            oracle.held.push_back(entry(&frame));
            self.held.push_back(frame);
        }
        end(frames, how);
        oracle.rx.end(how);
    }

    fn reap(&mut self, want: u32, take: u32, how: End) {
        let oracle = &mut self.oracle;
        let mut frames = self.socket.completion.reap(want).unwrap().into_iter();
        let mut left = oracle.completion.there.len().min(want as usize);
        for _ in upto(take) {
            let frame = frames.next();
            let taken = if left == 0 {
                None
            } else {
                oracle.completion.take()
            };
            let expected = taken.map(|(address, _)| (chunk(address), CHUNK as u32));
            assert_eq!(frame.as_ref().map(entry), expected);
            let Some(frame) = frame else { break };
            left -= 1;
            assert_eq!(self.umem.bytes(&frame), oracle.bytes(entry(&frame)));
            oracle.held.push_back(entry(&frame));
            self.held.push_back(frame);
        }
        end(frames, how);
        oracle.completion.end(how);
    }

    fn expect_recycled(&mut self, want: u32, count: u32, on: bool) {
        let oracle = &mut self.oracle;
        let moved = oracle
            .fill
            .free()
            .min(oracle.rx.there.len())
            .min(want as usize);
        for number in 0..moved {
            let mut entry = oracle.rx.take().unwrap();
            exchange(on, number, &mut entry, &mut oracle.held);
            oracle.fill.written.push_back((entry.0, 0));
        }
        oracle.rx.end(End::Drop);
        oracle.fill.end(End::Drop);
        assert_eq!(count as usize, moved);
    }

    fn expect_forwarded(
        &mut self,
        want: u32,
        count: u32,
        how: Option<&Edit>,
        on: bool,
    ) -> Vec<bool> {
        let oracle = &mut self.oracle;
        let moved = oracle
            .tx
            .free()
            .min(oracle.rx.there.len())
            .min(want as usize);
        let mut edits = Vec::new();
        for number in 0..moved {
            let mut entry = oracle.rx.take().unwrap();
            exchange(on, number, &mut entry, &mut oracle.held);
            edits.extend(how.map(|how| oracle.edit(&mut entry, how)));
            oracle.tx.written.push_back(entry);
        }
        oracle.rx.end(End::Drop);
        oracle.tx.end(End::Drop);
        assert_eq!(count as usize, moved);
        edits
    }

    fn send_each(&mut self, want: u32, how: &Edit, on: bool) {
        let (held, umem) = (&mut self.held, &self.umem);
        let mut edits = Vec::new();
        let write = |frame: &mut Frame| {
            exchange(on, edits.len(), frame, held);
            edits.push(edit(umem, frame, how));
        };
        let count = self
            .socket
            .tx
            .send_each(&mut self.pool, want, write)
            .unwrap();
        let oracle = &mut self.oracle;
        let moved = oracle.tx.free().min(oracle.pool.len()).min(want as usize);
        let mut expected = Vec::new();
        for number in 0..moved {
            let mut entry = (oracle.pool.pop().unwrap(), CHUNK as u32);
            exchange(on, number, &mut entry, &mut oracle.held);
            expected.push(oracle.edit(&mut entry, how));
            oracle.tx.written.push_back(entry);
        }
        oracle.tx.end(End::Drop);
        assert_eq!((count as usize, edits), (moved, expected));
    }

    fn expect_kick(&mut self, asked: bool, kick: Kick) {
        assert_eq!(kick, if asked { Kick::Done } else { Kick::NotNeeded });
        self.kicks += u64::from(asked);
        assert_eq!(self.kernel.kicks(), self.kicks);
    }

    /// After every step, where that is not a lot of work.
    pub(crate) fn compare_if_small(&self) {
        if self.umem.chunks() <= 256 {
            self.compare();
        }
    }

    /// Everything there is, in both worlds.
    pub(crate) fn compare(&self) {
        let oracle = &self.oracle;
        assert!(
            self.pool.addresses().eq(oracle.pool.iter().copied()),
            "pool"
        );
        assert_eq!(self.pool.len(), oracle.pool.len());
        assert!(
            self.held.iter().map(entry).eq(oracle.held.iter().copied()),
            "frames"
        );
        for frame in &self.held {
            assert_eq!(self.umem.bytes(frame), oracle.bytes(entry(frame)));
        }
        let rings = self.kernel.holdings();
        let addresses = |entries: &[u64]| entries.iter().map(|address| (*address, 0)).collect();
        let fill: Vec<Entry> = addresses(&rings.fill);
        assert_eq!(oracle.fill.published, fill, "fill ring");
        let completion: Vec<Entry> = addresses(&rings.completion);
        assert_eq!(completion, oracle.completion.memory(), "completion ring");
        let rx: Vec<Entry> = rings.rx.iter().map(|desc| (desc.addr, desc.len)).collect();
        assert_eq!(rx, oracle.rx.memory(), "RX ring");
        let tx: Vec<Entry> = rings.tx.iter().map(|desc| (desc.addr, desc.len)).collect();
        assert_eq!(oracle.tx.published, tx, "TX ring");
        assert!(rings.tx.iter().all(|desc| desc.options == 0));
        assert_eq!(oracle.kernel, rings.kernel, "kernel");
        let pending = |out: &crate::oracle::Out| out.published.len() + out.written.len();
        assert_eq!(self.socket.fill.pending() as usize, pending(&oracle.fill));
        assert_eq!(self.socket.tx.pending() as usize, pending(&oracle.tx));
    }

    /// Ends every forgotten guard's delay, and asks where the chunks are.
    pub(crate) fn settle(&mut self) {
        let none = Op::Receive {
            want: 0,
            take: 0,
            end: End::Drop,
        };
        self.step(&none);
        self.step(&Op::Reap {
            want: 0,
            take: 0,
            end: End::Drop,
        });
        self.step(&Op::FillPush {
            reserve: 0,
            push: 0,
            end: End::Drop,
        });
        self.step(&Op::TxPush {
            reserve: 0,
            push: 0,
            end: End::Drop,
        });
        self.compare();
        let found = Whereabouts::of(&self.umem)
            .pool(&self.pool)
            .frames(&self.held)
            .rings(&self.kernel)
            .check();
        found.unwrap();
    }
}
