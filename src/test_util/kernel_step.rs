//! Steps of a fake kernel as values, and their outcomes.

use super::FakeKernel;
use crate::ring::RingKind;

/// A step of a [`FakeKernel`] as a value, for random programs of steps.
///
/// ```
/// use xsk::test_util::{FakeKernel, KernelStep, StepOutcome};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 1)?;
/// let program = [KernelStep::Deliver(b"hello".to_vec()), KernelStep::Complete(8)];
/// let outcomes = program.map(|step| kernel.step(&step));
/// assert_eq!(outcomes, [StepOutcome::Delivered(1), StepOutcome::Completed(0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelStep {
    /// [`FakeKernel::deliver`].
    Deliver(Vec<u8>),
    /// [`FakeKernel::deliver_unwritten`].
    DeliverUnwritten {
        /// The number of packets.
        count: u32,
        /// The length of each, in bytes.
        len: u32,
    },
    /// [`FakeKernel::deliver_to`]: of several sockets on the queue, to that of this number, modulo how
    /// many there are.
    DeliverTo {
        /// The number of the socket.
        socket: usize,
        /// The packet's bytes.
        packet: Vec<u8>,
    },
    /// [`FakeKernel::transmit`], up to this many times.
    Transmit(u32),
    /// [`FakeKernel::complete`], up to this many packets.
    Complete(u32),
    /// [`FakeKernel::set_need_wakeup`].
    NeedWakeup(RingKind, bool),
}

/// The outcome of a [`KernelStep`].
///
/// ```
/// use xsk::test_util::{FakeKernel, KernelStep, StepOutcome};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 1)?;
/// kernel.deliver(b"hello");
/// socket.rx.receive(1)?.forward(&mut socket.tx)?;
/// socket.tx.kick_if_needed()?;
/// let outcome = kernel.step(&KernelStep::Transmit(8));
/// assert_eq!(outcome, StepOutcome::Transmitted(vec![b"hello".to_vec()]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// This many packets arrived.
    Delivered(u32),
    /// These packets were sent.
    Transmitted(Vec<Vec<u8>>),
    /// This many chunks came back.
    Completed(u32),
    /// A flag was set or cleared.
    Flagged,
}

impl FakeKernel {
    /// Does a step, and returns its outcome.
    pub fn step(&mut self, step: &KernelStep) -> StepOutcome {
        match *step {
            KernelStep::Deliver(ref packet) => StepOutcome::Delivered(self.deliver(packet).into()),
            KernelStep::DeliverUnwritten { count, len } => {
                StepOutcome::Delivered(self.deliver_unwritten(count, len))
            }
            KernelStep::DeliverTo { socket, ref packet } => {
                let socket = socket.checked_rem(self.sockets()).unwrap_or(0);
                StepOutcome::Delivered(self.deliver_to(socket, packet).into())
            }
            KernelStep::Transmit(count) => {
                StepOutcome::Transmitted((0..count).map_while(|_| self.transmit()).collect())
            }
            KernelStep::Complete(count) => StepOutcome::Completed(self.complete(count)),
            KernelStep::NeedWakeup(ring, on) => {
                self.set_need_wakeup(ring, on);
                StepOutcome::Flagged
            }
        }
    }
}
