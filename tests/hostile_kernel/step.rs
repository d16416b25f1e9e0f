//! The steps of both sides.

use crate::input::{Chunks, address, kind, len, options};
use proptest::prelude::*;
use xsk::ring::RingKind;
use xsk::test_util::{KernelStep, strategies};

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Kernel(KernelStep),
    Fill(u32),
    Push(u32),
    /// A packet of the last frames in hand.
    PushPacket(u32, usize),
    SendFrom(u32),
    Receive(u32, u32),
    Recycle(u32),
    RecycleEach(u32),
    Forward(u32),
    ForwardEach(u32),
    RouteEach(u32),
    ReceivedIntoPool(u32),
    Reap(u32, u32),
    ReapInto(u32),
    ReapIntoFill(u32),
    Put(u32),
    Take(u32),
    Kick,
    HostileReceive(u64, u32, u32),
    /// An entry for a chunk that may come, with any length and options.
    HostileFilled(u32, u32),
    HostileComplete(u64),
    /// An index this far from where it is.
    HostileIndex(RingKind, u32),
}

pub(crate) fn step(chunks: Chunks) -> impl Strategy<Value = Step> {
    let few = || 0..9_u32;
    let far = prop_oneof![2 => 0..20_u32, 2 => (0..20_u32).prop_map(u32::wrapping_neg), 1 => any::<u32>()];
    let user = prop_oneof![
        3 => few().prop_map(Step::Fill),
        2 => few().prop_map(Step::Push),
        1 => (few(), 1..6_usize).prop_map(|(want, frames)| Step::PushPacket(want, frames)),
        1 => few().prop_map(Step::SendFrom),
        4 => (few(), few()).prop_map(|(want, take)| Step::Receive(want, take)),
        1 => few().prop_map(Step::Recycle),
        1 => few().prop_map(Step::RecycleEach),
        1 => few().prop_map(Step::Forward),
        1 => few().prop_map(Step::ForwardEach),
        1 => few().prop_map(Step::RouteEach),
        1 => few().prop_map(Step::ReceivedIntoPool),
        3 => (few(), few()).prop_map(|(want, take)| Step::Reap(want, take)),
        1 => few().prop_map(Step::ReapInto),
        1 => few().prop_map(Step::ReapIntoFill),
    ];
    let other = prop_oneof![
        6 => strategies::long_step(4000).prop_map(Step::Kernel),
        1 => few().prop_map(Step::Put),
        1 => few().prop_map(Step::Take),
        1 => Just(Step::Kick),
        3 => (address(chunks), len(), options()).prop_map(|(a, l, o)| Step::HostileReceive(a, l, o)),
        3 => (len(), options()).prop_map(|(len, options)| Step::HostileFilled(len, options)),
        3 => address(chunks).prop_map(Step::HostileComplete),
        2 => (kind(), far).prop_map(|(kind, far)| Step::HostileIndex(kind, far)),
    ];
    prop_oneof![user, other]
}
