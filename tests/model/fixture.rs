//! The library and the oracle, side by side.

mod comparing;
mod receiving;
mod sending;

use crate::op::{Edit, End, Op, Route};
use crate::oracle::{Entry, Oracle};
use std::collections::VecDeque;
use xsk::ring::RingKind;
use xsk::test_util::{FakeKernel, KernelStep, StepOutcome};
use xsk::{Frame, FramePool, Socket, Umem, Verdict};

pub(crate) struct Fixture {
    umem: Umem,
    pool: FramePool,
    kernel: FakeKernel,
    socket: Socket,
    held: VecDeque<Frame>,
    kicks: u64,
    /// The need-wakeup flags of the TX and the fill ring.
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

/// Exchanges every second frame for the one that is held longest.
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

impl Fixture {
    pub(crate) fn new(setting: &crate::Setting) -> Self {
        let builder = setting.umem.clone().chunk_count(setting.chunks).headroom(setting.headroom);
        let (umem, pool) = builder.build().unwrap();
        let size = umem.chunk_size();
        let (kernel, socket) = FakeKernel::with(&umem, setting.rings).unwrap();
        Self {
            umem,
            pool,
            kernel,
            socket,
            held: VecDeque::new(),
            kicks: 0,
            flags: (true, false),
            oracle: Oracle::new(setting, size),
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
                    oracle.fill.written.push_back((oracle.pool.pop().unwrap(), 0));
                }
                oracle.fill.end(End::Drop);
                assert_eq!(count as usize, moved);
            }
            Op::FillPush { reserve, push, end } => self.fill_push(reserve, push, end),
            Op::Peek(want) => {
                let batch = self.socket.rx.receive(want).unwrap();
                let there = self.oracle.rx.there.len().min(want as usize);
                assert_eq!(batch.len(), there);
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
            Op::ForwardEach { want, edit: ref how, exchange: on } => {
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
            Op::RouteEach { want, ref verdicts } => {
                let Self { umem, pool, socket, held, .. } = self;
                let xsk::Socket { rx, tx, fill, .. } = socket;
                let mut turn = verdicts.iter().cycle();
                let mut seen = Vec::new();
                let decide = |frame: Frame| {
                    seen.push((entry(&frame), umem.bytes(&frame).to_vec()));
                    match turn.next() {
                        Some(Route::Send) => Verdict::Send(frame),
                        Some(Route::Recycle) => Verdict::Recycle(frame),
                        Some(Route::Pool) => Verdict::Pool(frame),
                        Some(Route::Keep) | None => {
                            held.push_back(frame);
                            Verdict::Kept
                        }
                    }
                };
                let routed = rx.receive(want).unwrap().route_each(tx, fill, pool, decide).unwrap();
                for (entry, bytes) in &seen {
                    assert_eq!(self.oracle.bytes(*entry), bytes);
                }
                let seen: Vec<Entry> = seen.iter().map(|(entry, _)| *entry).collect();
                self.expect_routed(want, routed, verdicts, &seen);
            }
            Op::ReceivedIntoPool(want) => {
                let batch = self.socket.rx.receive(want).unwrap();
                let count = batch.reclaim(&mut self.pool);
                let oracle = &mut self.oracle;
                let moved = oracle.vacant().min(oracle.rx.there.len()).min(want as usize);
                for _ in 0..moved {
                    let (address, _) = oracle.rx.take().unwrap();
                    let chunk = oracle.chunk(address);
                    oracle.pool.push(chunk);
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
                    oracle.tx.written.push_back((oracle.pool.pop().unwrap(), len));
                }
                oracle.tx.end(End::Drop);
                assert_eq!(count as usize, moved);
            }
            Op::SendEach { want, edit: ref how, exchange: on } => self.send_each(want, how, on),
            Op::Reap { want, take, end } => self.reap(want, take, end),
            Op::ReapInto(want) => {
                let count = self.socket.completion.reap_into(&mut self.pool, want).unwrap();
                let oracle = &mut self.oracle;
                let there = oracle.completion.there.len();
                let moved = oracle.vacant().min(there).min(want as usize);
                for _ in 0..moved {
                    let (address, _) = oracle.completion.take().unwrap();
                    let chunk = oracle.chunk(address);
                    oracle.pool.push(chunk);
                }
                oracle.completion.end(End::Drop);
                assert_eq!(count as usize, moved);
            }
            Op::ReapIntoFill(want) => {
                let batch = self.socket.completion.reap(want).unwrap();
                let there = batch.len();
                let count = batch.recycle(&mut self.socket.fill).unwrap();
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
                    let chunk = self.oracle.chunk(address);
                    self.oracle.pool.push(chunk);
                }
            }
            Op::Take(count) => {
                for _ in upto(count) {
                    let frame = self.pool.take();
                    let expected = self.oracle.pool.pop().map(|chunk| (chunk, self.oracle.size));
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
                // The moved frames keep their order, and end up on top.
                let other = self.pool.split_off(count as usize);
                let len = self.oracle.pool.len();
                assert_eq!(other.len(), len.min(count as usize));
                assert_eq!(self.pool.len(), len - other.len());
                self.pool.append(other);
            }
            Op::KickTx(always) => self.kick_tx(always),
            Op::KickFill => self.kick_fill(),
        }
    }

    fn kernel_step(&mut self, step: &KernelStep) {
        if let KernelStep::NeedWakeup(ring, on) = *step {
            match ring {
                RingKind::Tx => {
                    self.flags.0 = on;
                    self.oracle.awake = !on;
                    if on {
                        // What a socket submitted that saw no flag is not left.
                        self.oracle.take(usize::MAX);
                    }
                }
                RingKind::Fill => self.flags.1 = on,
                _ => (),
            }
        }
        let (count, sent) = self.oracle.step(step);
        let expected = match step {
            KernelStep::Deliver(_)
            | KernelStep::DeliverTo { .. }
            | KernelStep::DeliverUnwritten { .. } => StepOutcome::Delivered(count),
            KernelStep::Transmit(_) => StepOutcome::Transmitted(sent),
            KernelStep::Complete(_) => StepOutcome::Completed(count),
            KernelStep::NeedWakeup(..) => StepOutcome::Flagged,
        };
        assert_eq!(self.kernel.step(step), expected);
    }
}
