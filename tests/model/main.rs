//! Random programs of calls on every ring half, against a naive oracle of queues: every result,
//! every entry in the rings' memory, the pool, the frames in hand and their bytes must be the
//! oracle's.

mod fixture;
mod op;
mod oracle;

use fixture::Fixture;
use op::Op;
use proptest::prelude::*;
use xsk::Umem;
use xsk::ring::RingKind;
use xsk::test_util::{FakeRings, Index, KernelStep, strategies};
use xsk::umem::UmemBuilder;

/// The sizes of everything.
#[derive(Debug, Clone)]
struct Setting {
    umem: UmemBuilder,
    rings: FakeRings,
    chunks: u32,
    headroom: u32,
}

fn settings(bits: u32) -> impl Strategy<Value = Setting> {
    let chunks = prop_oneof![1 => 1..=40_u32, 2 => 1..=(2_u32 << bits)];
    let headroom = prop_oneof![2 => Just(0), 1 => 1..1700_u32];
    let setting = (strategies::umem(), strategies::rings(bits), chunks, headroom);
    setting.prop_map(|(umem, rings, chunks, headroom)| Setting { umem, rings, chunks, headroom })
}

fn run(setting: &Setting, program: &[Op]) {
    let mut fixture = Fixture::new(setting);
    for op in program {
        fixture.step(op);
        fixture.compare_if_small();
    }
    fixture.compare();
    fixture.settle();
}

#[test]
fn small_rings_do_what_queues_do() {
    let program = prop::collection::vec(op::any_op(), 1..120);
    proptest!(strategies::config(400), |(setting in settings(4), program in program)| {
        run(&setting, &program);
    });
}

#[test]
fn large_rings_do_what_queues_do() {
    let program = prop::collection::vec(op::any_op(), 1..60);
    proptest!(strategies::config(60), |(setting in settings(15), program in program)| {
        run(&setting, &program);
    });
}

/// Every size while the indices wrap, with whole rings at a time, all the way round.
#[test]
fn every_size_goes_round_over_the_wrap() {
    for bits in 0..=15 {
        let size = 1_u32 << bits;
        for before in [0, 1, size / 2, size, size + 1] {
            let setting = Setting {
                umem: Umem::builder().chunk_size(2048),
                rings: FakeRings {
                    rx: size,
                    tx: size,
                    fill: size,
                    completion: size,
                    start: Index::new(u32::MAX - before),
                    need_wakeup: true,
                },
                chunks: size,
                headroom: 0,
            };
            let third = (size / 3).max(1);
            let round = |n| {
                [
                    Op::FillFrom(n),
                    Op::deliver(n),
                    Op::Forward(n),
                    Op::transmit(n),
                    Op::complete(n),
                    Op::ReapInto(n),
                ]
            };
            let rounds = [third, size, third, third, size].map(round);
            // A kernel that needs no kicks: they would be many.
            let awake = Op::Kernel(KernelStep::NeedWakeup(RingKind::Tx, false));
            run(&setting, &[&[awake][..], &rounds.concat()].concat());
        }
    }
}
