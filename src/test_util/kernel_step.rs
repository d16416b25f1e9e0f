//! What a kernel does next, as a value.

use super::FakeKernel;
use crate::ring::RingKind;

/// A step of a [`FakeKernel`], to make random programs of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelStep {
    /// [`FakeKernel::deliver`].
    Deliver(Vec<u8>),
    /// [`FakeKernel::deliver_unwritten`].
    DeliverUnwritten {
        /// How many packets.
        count: u32,
        /// Bytes of each.
        len: u32,
    },
    /// [`FakeKernel::transmit`], up to so many times.
    Transmit(u32),
    /// [`FakeKernel::complete`], up to so many packets.
    Complete(u32),
    /// [`FakeKernel::set_need_wakeup`].
    NeedWakeup(RingKind, bool),
}

/// What came of a [`KernelStep`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// So many packets arrived.
    Delivered(u32),
    /// These packets were sent.
    Transmitted(Vec<Vec<u8>>),
    /// So many chunks came back.
    Completed(u32),
    /// A flag was set.
    Flagged,
}

impl FakeKernel {
    /// Takes a step.
    pub fn step(&mut self, step: &KernelStep) -> StepOutcome {
        match *step {
            KernelStep::Deliver(ref packet) => StepOutcome::Delivered(self.deliver(packet).into()),
            KernelStep::DeliverUnwritten { count, len } => {
                StepOutcome::Delivered(self.deliver_unwritten(count, len))
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
