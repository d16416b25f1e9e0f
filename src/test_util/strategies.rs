//! Strategies of `proptest` for random programs of [`FakeKernel`](super::FakeKernel) steps: feature
//! `proptest`.
//!
//! A packet loop, checked to lose no chunk and to go on after any traffic:
//!
//! ```
//! use proptest::prelude::*;
//! use xsk::test_util::{ChunkAudit, FakeKernel, Progress, strategies};
//!
//! /// The code under test: echoes the packets that fit the TX ring, and drops the others.
//! fn echo(port: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
//!     port.completion.reap_into(pool, 64)?;
//!     port.rx.receive(64)?.forward(&mut port.tx)?;
//!     port.rx.receive(64)?.reclaim(pool);
//!     port.fill.fill_from(pool, 64)?;
//!     port.tx.kick_if_needed()?;
//!     Ok(())
//! }
//!
//! let steps = prop::collection::vec(strategies::kernel_step(100), 1..50);
//! let program = (strategies::umem(), strategies::rings(4), steps);
//! proptest!(strategies::config(64), |((umem, rings, steps) in program)| {
//!     let (umem, mut pool) = umem.chunk_count(32).build()?;
//!     let (kernel, mut port) = FakeKernel::with(&umem, rings)?;
//!     let mut kernels = [kernel];
//!     for step in &steps {
//!         kernels[0].step(step);
//!         echo(&mut port, &mut pool)?;
//!         ChunkAudit::of(&umem).pool(&pool).rings(&kernels[0]).check()?;
//!     }
//!     Progress::new().check(&mut kernels, || echo(&mut port, &mut pool))?;
//! });
//! ```

use super::{FakeRings, Index, KernelStep};
use crate::ring::RingKind;
use crate::umem::{Umem, UmemBuilder};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

/// The largest exponent that [`ring_size`] and [`rings`] take.
pub const MAX_BITS: u32 = 15;

/// Returns the configuration of a property: it runs `cases` times, or `PROPTEST_CASES` times if
/// that is set, with the same random numbers in each run, or those of `PROPTEST_RNG_SEED`, and
/// without a file of regressions.
#[must_use]
pub fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let set = |name| std::env::var_os(name).is_some();
    let cases = if set("PROPTEST_CASES") { default.cases } else { cases };
    ProptestConfig {
        cases,
        // The share of inputs that may be rejected does not depend on the length of the run.
        max_global_rejects: default.max_global_rejects.max(cases.saturating_mul(4)),
        rng_seed: if set("PROPTEST_RNG_SEED") { default.rng_seed } else { RngSeed::Fixed(1) },
        failure_persistence: None,
        // The default gives up before a program of steps is short.
        max_shrink_iters: 100_000,
        ..default
    }
}

/// The size of a ring: a power of two from 1 to 2^`most_bits` (2^15 at the most), small ones more
/// often.
pub fn ring_size(most_bits: u32) -> BoxedStrategy<u32> {
    let most = most_bits.min(MAX_BITS);
    prop_oneof![6 => 0..=most.min(4), 2 => 0..=most.min(9), 1 => 0..=most]
        .prop_map(|bits| 1_u32.wrapping_shl(bits))
        .boxed()
}

/// A position where a ring's indices begin: any, and very often just before the counter wraps or
/// its sign bit changes.
pub fn index() -> BoxedStrategy<Index> {
    prop_oneof![
        4 => (0..=64_u32).prop_map(|before| Index::new(u32::MAX.wrapping_sub(before))),
        2 => (0..=70_000_u32).prop_map(|before| Index::new(u32::MAX.wrapping_sub(before))),
        1 => (0..=64_u32).prop_map(|before| Index::new((1_u32 << 31).wrapping_sub(before))),
        1 => Just(Index::new(0)),
        2 => any::<u32>().prop_map(Index::new),
    ]
    .boxed()
}

/// Rings of any [sizes](ring_size) whose indices begin at any [`index`], with a TX ring that asks
/// for kicks, as in copy mode.
pub fn rings(most_bits: u32) -> BoxedStrategy<FakeRings> {
    let size = || ring_size(most_bits);
    (size(), size(), size(), size(), index())
        .prop_map(|(rx, tx, fill, completion, start)| {
            let need_wakeup = true;
            FakeRings { rx, tx, fill, completion, start, need_wakeup }
        })
        .boxed()
}

/// A builder of packet memory, to be given a number of chunks: aligned chunks as often as
/// [unaligned](UmemBuilder::unaligned) ones, of even and odd sizes from 2048 to 4096 bytes.
pub fn umem() -> BoxedStrategy<UmemBuilder> {
    let aligned = select(vec![2048, 4096]).prop_map(|size| Umem::builder().chunk_size(size));
    let unaligned = select(vec![2048, 2049, 3000, 3001, 4001, 4096])
        .prop_map(|size| Umem::builder().chunk_size(size).unaligned());
    prop_oneof![aligned, unaligned].boxed()
}

/// How many entries a call asks for: mostly few, sometimes none, sometimes more than any ring has.
pub fn burst() -> BoxedStrategy<u32> {
    prop_oneof![
        12 => 0..=9_u32,
        4 => 10..=70_u32,
        2 => 71..=70_000_u32,
        1 => Just(u32::MAX),
    ]
    .boxed()
}

/// A packet of 1 to `longest` bytes.
pub fn packet(longest: u16) -> BoxedStrategy<Vec<u8>> {
    let longest = usize::from(longest.max(1));
    prop::collection::vec(any::<u8>(), 1..=longest).boxed()
}

/// A packet of 1 to `longest` bytes, which may be longer than a chunk: mostly a short one. Its bytes
/// follow from its length and a number, so that a long one is soon made.
pub fn long_packet(longest: u32) -> BoxedStrategy<Vec<u8>> {
    let longest = longest.max(1);
    let len = prop_oneof![1 => 1..=longest.min(100), 1 => 1..=longest];
    (len, any::<u8>())
        .prop_map(|(len, first)| (0..len).map(|at| first ^ at.to_le_bytes()[0]).collect())
        .boxed()
}

/// A step of the kernel, with packets of up to `longest` bytes. Now and then the TX ring's
/// need-wakeup flag is cleared for a while, as in zero-copy mode, and the kernel sends by itself.
pub fn kernel_step(longest: u16) -> BoxedStrategy<KernelStep> {
    step_with(packet(longest), longest.into())
}

/// As [`kernel_step`], with a [`long_packet`] now and then, for a socket that takes packets of several
/// frames; others drop what is longer than a chunk has room for.
pub fn long_step(longest: u32) -> BoxedStrategy<KernelStep> {
    step_with(long_packet(longest), longest)
}

/// A step with packets of `packet`.
fn step_with(packet: BoxedStrategy<Vec<u8>>, longest: u32) -> BoxedStrategy<KernelStep> {
    let len = 1..=longest.max(1);
    let flag = (select(vec![RingKind::Tx, RingKind::Fill]), any::<bool>());
    prop_oneof![
        4 => packet.prop_map(KernelStep::Deliver),
        3 => (burst(), len).prop_map(|(count, len)| KernelStep::DeliverUnwritten { count, len }),
        3 => burst().prop_map(KernelStep::Transmit),
        3 => burst().prop_map(KernelStep::Complete),
        1 => flag.prop_map(|(ring, on)| KernelStep::NeedWakeup(ring, on)),
    ]
    .boxed()
}

/// A [step](kernel_step) of a kernel with several sockets on its queue: packets arrive at any of them.
pub fn queue_step(longest: u16) -> BoxedStrategy<KernelStep> {
    queue_step_with(packet(longest), kernel_step(longest))
}

/// As [`queue_step`], with a [`long_packet`] now and then.
pub fn long_queue_step(longest: u32) -> BoxedStrategy<KernelStep> {
    queue_step_with(long_packet(longest), long_step(longest))
}

fn queue_step_with(
    packet: BoxedStrategy<Vec<u8>>,
    step: BoxedStrategy<KernelStep>,
) -> BoxedStrategy<KernelStep> {
    let deliver =
        (0..4_usize, packet).prop_map(|(socket, packet)| KernelStep::DeliverTo { socket, packet });
    prop_oneof![2 => deliver, 5 => step].boxed()
}
