//! An example for users: a forwarding loop of your own, checked with random traffic: it loses no
//! chunk, sends what it should, and goes on after all of it.
//!
//! Nothing here is private to this crate: copy it, and put your own loop in the place of
//! [`Router`].

use proptest::prelude::*;
use xsk::test_util::{ChunkAudit, FakeKernel, KernelStep, Progress, StepOutcome, strategies};
use xsk::{FramePool, Socket, Umem};

/// The code under test: passes packets from one port to the other, but drops those that begin with
/// 0.
struct Router {
    umem: Umem,
    pool: FramePool,
    ports: [Socket; 2],
}

impl Router {
    fn turn(&mut self) -> xsk::Result<()> {
        const BURST: u32 = 8;
        let [left, right] = &mut self.ports;
        Self::pass(&self.umem, &mut self.pool, left, right, BURST)?;
        Self::pass(&self.umem, &mut self.pool, right, left, BURST)
    }

    fn pass(
        umem: &Umem,
        pool: &mut FramePool,
        from: &mut Socket,
        to: &mut Socket,
        burst: u32,
    ) -> xsk::Result<()> {
        to.completion.reap_into(pool, burst)?;
        from.fill.fill_from(pool, burst)?;
        from.fill.kick_if_needed()?;
        let mut out = to.tx.reserve(burst)?;
        for mut frame in from.rx.receive(burst)? {
            let bytes = umem.bytes_mut(&mut frame);
            if bytes.first() == Some(&0) {
                pool.put(frame);
                continue;
            }
            bytes.reverse();
            // No room: the packet is dropped, its chunk is not.
            if let Err(frame) = out.push(frame) {
                pool.put(frame);
            }
        }
        drop(out);
        // Also if nothing was added: what an earlier kick left is still there.
        to.tx.kick_if_needed()?;
        Ok(())
    }
}

#[test]
fn a_users_loop_conserves_chunks_sends_what_it_should_and_goes_on() {
    let step = (0..2_usize, strategies::kernel_step(40));
    let rings = || strategies::rings(4);
    // More chunks than the two fill rings have entries, so that neither can take them all.
    let umem = (strategies::umem(), 40..100_u32);
    let traffic = (umem, rings(), rings(), prop::collection::vec(step, 1..80));
    proptest!(strategies::config(300), |(((umem, chunks), a, b, steps) in traffic)| {
        let (umem, pool) = umem.chunk_count(chunks).build()?;
        let (left_kernel, left) = FakeKernel::with(&umem, a)?;
        let (right_kernel, right) = FakeKernel::with(&umem, b)?;
        let mut kernels = [left_kernel, right_kernel];
        let mut router = Router { umem: umem.clone(), pool, ports: [left, right] };
        // What may come out of each port.
        let mut expected: [Vec<Vec<u8>>; 2] = Default::default();
        for (number, step) in &steps {
            // Packets whose bytes were not written hold whatever the chunk last held.
            if matches!(step, KernelStep::DeliverUnwritten { .. }) {
                continue;
            }
            let stepped = kernels[*number].step(step);
            if let (KernelStep::Deliver(packet), StepOutcome::Delivered(1)) = (step, &stepped) {
                expected[1 - number].push(packet.iter().rev().copied().collect());
            }
            if let StepOutcome::Transmitted(packets) = stepped {
                for packet in packets {
                    let at = expected[*number].iter().position(|there| *there == packet);
                    let at = at.ok_or_else(|| TestCaseError::fail("a packet that was never sent"))?;
                    // In order: what came before was dropped.
                    expected[*number].drain(..=at);
                    prop_assert_ne!(packet.last(), Some(&0));
                }
            }
            router.turn()?;
            let found = ChunkAudit::of(&umem).pool(&router.pool);
            found.rings(&kernels[0]).rings(&kernels[1]).check()?;
        }
        // Whatever the traffic was: packets go on arriving, and leaving.
        let sent = Progress::new().check(&mut kernels, || router.turn())?;
        prop_assert!(sent > 0);
        let found = ChunkAudit::of(&umem).pool(&router.pool);
        found.rings(&kernels[0]).rings(&kernels[1]).check()?;
    });
}
