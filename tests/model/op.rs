//! The operations of a program.

use proptest::prelude::*;
use xsk::test_util::{KernelStep, strategies};

/// How a guard ends after its entries were pushed or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Drop,
    Forget,
}

/// A change of a frame's bounds, or of its bytes.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Truncate(u32),
    Advance(u32),
    GrowFront(u32),
    SetLen(u32),
    Write(Vec<u8>),
}

/// What a closure says of a packet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
    Send,
    Recycle,
    Pool,
    Keep,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Kernel(KernelStep),
    FillFrom(u32),
    FillPush {
        reserve: u32,
        push: u32,
        end: End,
    },
    Peek(u32),
    Receive {
        want: u32,
        take: u32,
        end: End,
    },
    Recycle(u32),
    RecycleEach {
        want: u32,
        exchange: bool,
    },
    Forward(u32),
    ForwardEach {
        want: u32,
        edit: Edit,
        exchange: bool,
    },
    /// The verdicts are used in turn.
    RouteEach {
        want: u32,
        verdicts: Vec<Route>,
    },
    ReceivedIntoPool(u32),
    TxPush {
        reserve: u32,
        push: u32,
        end: End,
    },
    SendFrom {
        want: u32,
        len: u32,
    },
    SendEach {
        want: u32,
        edit: Edit,
        exchange: bool,
    },
    Reap {
        want: u32,
        take: u32,
        end: End,
    },
    ReapInto(u32),
    ReapIntoFill(u32),
    Put(u32),
    Take(u32),
    Edit(Edit),
    SplitAndMerge(u32),
    KickTx(bool),
    KickFill,
}

impl Op {
    pub(crate) fn deliver(count: u32) -> Self {
        Self::Kernel(KernelStep::DeliverUnwritten { count, len: 60 })
    }

    pub(crate) fn transmit(count: u32) -> Self {
        Self::Kernel(KernelStep::Transmit(count))
    }

    pub(crate) fn complete(count: u32) -> Self {
        Self::Kernel(KernelStep::Complete(count))
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let edge = || prop::sample::select(vec![1_u32, 60, 256, 2047, 2048, 2049]);
    let bytes = || prop_oneof![3 => 0..=70_u32, 3 => edge(), 1 => 0..=2100_u32, 1 => any::<u32>()];
    prop_oneof![
        bytes().prop_map(Edit::Truncate),
        bytes().prop_map(Edit::Advance),
        bytes().prop_map(Edit::GrowFront),
        bytes().prop_map(Edit::SetLen),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(Edit::Write),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![4 => Just(End::Drop), 1 => Just(End::Forget)]
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let route = prop_oneof![
        3 => Just(Route::Send),
        3 => Just(Route::Recycle),
        1 => Just(Route::Pool),
        1 => Just(Route::Keep),
    ];
    proptest::collection::vec(route, 1..6)
}

pub(crate) fn any_op() -> impl Strategy<Value = Op> {
    let burst = strategies::burst;
    let three = || (burst(), burst(), end());
    let each = || (burst(), edit(), any::<bool>());
    let user = prop_oneof![
        3 => burst().prop_map(Op::FillFrom),
        2 => three().prop_map(|(reserve, push, end)| Op::FillPush { reserve, push, end }),
        1 => burst().prop_map(Op::Peek),
        3 => three().prop_map(|(want, take, end)| Op::Receive { want, take, end }),
        1 => burst().prop_map(Op::Recycle),
        1 => (burst(), any::<bool>()).prop_map(|(want, exchange)| Op::RecycleEach { want, exchange }),
        1 => burst().prop_map(Op::Forward),
        1 => each().prop_map(|(want, edit, exchange)| Op::ForwardEach { want, edit, exchange }),
        2 => (burst(), routes()).prop_map(|(want, verdicts)| Op::RouteEach { want, verdicts }),
        1 => burst().prop_map(Op::ReceivedIntoPool),
        3 => three().prop_map(|(reserve, push, end)| Op::TxPush { reserve, push, end }),
        1 => (burst(), 1..=2048_u32).prop_map(|(want, len)| Op::SendFrom { want, len }),
        1 => each().prop_map(|(want, edit, exchange)| Op::SendEach { want, edit, exchange }),
    ];
    let more = prop_oneof![
        3 => three().prop_map(|(want, take, end)| Op::Reap { want, take, end }),
        1 => burst().prop_map(Op::ReapInto),
        1 => burst().prop_map(Op::ReapIntoFill),
        1 => burst().prop_map(Op::Put),
        2 => (0..6_u32).prop_map(Op::Take),
        2 => edit().prop_map(Op::Edit),
        1 => burst().prop_map(Op::SplitAndMerge),
        3 => prop::bool::weighted(0.3).prop_map(Op::KickTx),
        1 => Just(Op::KickFill),
    ];
    prop_oneof![
        5 => strategies::kernel_step(120).prop_map(Op::Kernel),
        5 => user,
        3 => more,
    ]
}
