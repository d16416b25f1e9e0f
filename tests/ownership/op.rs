//! The operations of a program over several UMEMs, pools and sockets. Numbers choose one of those
//! that exist, modulo how many there are.

use proptest::prelude::*;
use xsk::test_util::{KernelStep, strategies};

/// The length of the longest packet that arrives: longer than any chunk.
const LONGEST: u32 = 9000;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Kernel(usize, KernelStep),
    Fill {
        socket: usize,
        pool: usize,
        want: u32,
    },
    FillPush {
        socket: usize,
        want: u32,
    },
    Receive {
        socket: usize,
        want: u32,
        take: u32,
        forget: bool,
    },
    Move {
        from: usize,
        to: usize,
        want: u32,
        how: Move,
    },
    IntoPool {
        socket: usize,
        pool: usize,
        want: u32,
    },
    Push {
        socket: usize,
        want: u32,
        forget: bool,
    },
    /// A packet of the last frames in hand.
    PushPacket {
        socket: usize,
        frames: usize,
        want: u32,
        forget: bool,
    },
    SendFrom {
        socket: usize,
        pool: usize,
        want: u32,
    },
    SendEach {
        socket: usize,
        pool: usize,
        want: u32,
        trouble: Trouble,
    },
    Kick(usize),
    Reap {
        socket: usize,
        want: u32,
        take: u32,
        forget: bool,
    },
    ReapInto {
        socket: usize,
        pool: usize,
        want: u32,
    },
    ReapIntoFill {
        from: usize,
        to: usize,
        want: u32,
    },
    Put(usize),
    Take(usize, u32),
    /// The frames of a packet of so many bytes.
    TakePacket(usize, u32),
    Split(usize, usize),
    Merge(usize, usize),
    Feed(usize, usize, usize),
    DropFrame,
    DropPool(usize),
    Close(usize),
    /// A queue of this UMEM, with so many sockets beside the first; 3 is one socket for packets of
    /// several frames.
    Open(usize, xsk::test_util::FakeRings, usize),
}

/// How a received batch goes to another socket, or to its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Move {
    Recycle,
    RecycleEach(Trouble),
    Forward,
    ForwardEach(Trouble),
    RouteEach(Trouble),
}

/// What a closure does at its `at`th frame.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    None,
    /// Exchanges every frame for one in hand, of any UMEM.
    Exchange,
    Panic {
        at: usize,
    },
    /// Exchanges the frame, then panics.
    ExchangeAndPanic {
        at: usize,
    },
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let at = || 0..12_usize;
    prop_oneof![
        1 => Just(Trouble::None),
        1 => Just(Trouble::Exchange),
        1 => at().prop_map(|at| Trouble::Panic { at }),
        1 => at().prop_map(|at| Trouble::ExchangeAndPanic { at }),
    ]
}

pub(crate) fn any_op() -> impl Strategy<Value = Op> {
    let which = || 0..12_usize;
    let burst = strategies::burst;
    let how = prop_oneof![
        Just(Move::Recycle),
        trouble().prop_map(Move::RecycleEach),
        Just(Move::Forward),
        trouble().prop_map(Move::ForwardEach),
        trouble().prop_map(Move::RouteEach),
    ];
    let often = prop_oneof![
        8 => (which(), strategies::long_queue_step(LONGEST)).prop_map(|(k, step)| Op::Kernel(k, step)),
        4 => (which(), which(), burst()).prop_map(|(socket, pool, want)| Op::Fill { socket, pool, want }),
        1 => (which(), burst()).prop_map(|(socket, want)| Op::FillPush { socket, want }),
        3 => (which(), burst(), burst(), any::<bool>())
            .prop_map(|(socket, want, take, forget)| Op::Receive { socket, want, take, forget }),
        4 => (which(), which(), burst(), how).prop_map(|(from, to, want, how)| Op::Move { from, to, want, how }),
        1 => (which(), which(), burst())
            .prop_map(|(socket, pool, want)| Op::IntoPool { socket, pool, want }),
        3 => (which(), burst(), any::<bool>())
            .prop_map(|(socket, want, forget)| Op::Push { socket, want, forget }),
        2 => (which(), 1..10_usize, burst(), any::<bool>())
            .prop_map(|(socket, frames, want, forget)| Op::PushPacket { socket, frames, want, forget }),
        1 => (which(), which(), burst())
            .prop_map(|(socket, pool, want)| Op::SendFrom { socket, pool, want }),
        2 => (which(), which(), burst(), trouble())
            .prop_map(|(socket, pool, want, trouble)| Op::SendEach { socket, pool, want, trouble }),
    ];
    let more = prop_oneof![
        3 => which().prop_map(Op::Kick),
        3 => (which(), burst(), burst(), any::<bool>())
            .prop_map(|(socket, want, take, forget)| Op::Reap { socket, want, take, forget }),
        2 => (which(), which(), burst())
            .prop_map(|(socket, pool, want)| Op::ReapInto { socket, pool, want }),
        2 => (which(), which(), burst()).prop_map(|(from, to, want)| Op::ReapIntoFill { from, to, want }),
        3 => which().prop_map(Op::Put),
        3 => (which(), 0..6_u32).prop_map(|(pool, count)| Op::Take(pool, count)),
        1 => (which(), 0..2 * LONGEST).prop_map(|(pool, len)| Op::TakePacket(pool, len)),
        1 => (which(), which()).prop_map(|(pool, count)| Op::Split(pool, count)),
        1 => (which(), which()).prop_map(|(to, from)| Op::Merge(to, from)),
        1 => (which(), which(), which()).prop_map(|(from, to, count)| Op::Feed(from, to, count)),
        1 => Just(Op::DropFrame),
    ];
    let seldom = prop_oneof![
        2 => which().prop_map(Op::DropPool),
        3 => which().prop_map(Op::Close),
        3 => (which(), strategies::rings(4), 0..=3_usize)
            .prop_map(|(umem, rings, others)| Op::Open(umem, rings, others)),
    ];
    prop_oneof![30 => often, 16 => more, 1 => seldom]
}
