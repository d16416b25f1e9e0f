//! Loops that lose no chunk and stand still: the check of progress names what each leaves out.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use xsk::test_util::{
    ChunkAudit, FakeKernel, FakeRings, KernelStep, Progress, ProgressError, Stall, strategies,
};
use xsk::{FramePool, Kick, Port, Socket, Umem};

/// What a loop leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Omits {
    Nothing,
    Reaping,
    Kicking,
    Filling,
    Receiving,
    /// Kicks after it has added packets, and not else.
    KickingOfOldPackets,
}

struct Ports {
    umem: Umem,
    pool: FramePool,
    kernels: [FakeKernel; 2],
    sockets: [Socket; 2],
}

impl Ports {
    fn new(chunks: u32, rings: [FakeRings; 2]) -> Self {
        let (umem, mut pool) = Umem::builder().chunk_count(chunks).build().unwrap();
        let mut make = |rings| {
            let (kernel, mut socket) = FakeKernel::with(&umem, rings).unwrap();
            // As before `bind`.
            socket.fill.fill_from(&mut pool, 4).unwrap();
            (kernel, socket)
        };
        let [(left_kernel, left), (right_kernel, right)] = rings.map(&mut make);
        Self { umem, pool, kernels: [left_kernel, right_kernel], sockets: [left, right] }
    }

    fn step(&mut self, port: usize, step: &KernelStep, omits: Omits) {
        self.kernels[port].step(step);
        turn(&mut self.sockets, &mut self.pool, omits).unwrap();
        let found = ChunkAudit::of(&self.umem).pool(&self.pool);
        found.rings(&self.kernels[0]).rings(&self.kernels[1]).check().unwrap();
    }

    fn progress(&mut self, omits: Omits) -> Result<u64, ProgressError> {
        let Self { pool, kernels, sockets, .. } = self;
        Progress::new().check(kernels, || turn(sockets, pool, omits))
    }
}

/// Forwards everything between two ports.
fn turn(sockets: &mut [Socket; 2], pool: &mut FramePool, omits: Omits) -> xsk::Result<()> {
    let [left, right] = sockets;
    pass(left, right, pool, omits)?;
    pass(right, left, pool, omits)
}

fn pass(from: &mut Socket, to: &mut Socket, pool: &mut FramePool, omits: Omits) -> xsk::Result<()> {
    if omits != Omits::Reaping {
        to.completion.reap_into(pool, 8)?;
    }
    if omits != Omits::Filling {
        from.fill.fill_from(pool, 8)?;
    }
    let mut added = 0;
    if omits != Omits::Receiving {
        added = from.rx.receive(8)?.forward(&mut to.tx)?;
        // No room: the packets are dropped, their chunks are not.
        from.rx.receive(8)?.reclaim(pool);
    }
    match omits {
        Omits::Kicking => {}
        Omits::KickingOfOldPackets if added == 0 => {}
        _ => drop(to.tx.kick_if_needed()?),
    }
    Ok(())
}

fn after_random_traffic(omits: Omits, check: impl Fn(Result<u64, ProgressError>)) {
    let step = (0..2_usize, strategies::kernel_step(40));
    let steps = prop::collection::vec(step, 0..60);
    let rings = || strategies::rings(4);
    let program = (rings(), rings(), 40..100_u32, steps);
    let run = |(left, right, chunks, steps): (_, _, _, Vec<(usize, KernelStep)>)| {
        let mut ports = Ports::new(chunks, [left, right]);
        for (port, step) in &steps {
            ports.step(*port, step, omits);
        }
        check(ports.progress(omits));
        Ok(())
    };
    TestRunner::new(strategies::config(100)).run(&program, run).unwrap();
}

/// Each way to stand still, and the words for it, which are in no other message.
#[test]
fn a_loop_that_leaves_something_out_is_named_after_any_traffic() {
    const WORDS: &[(Omits, &str)] = &[
        (Omits::Reaping, "the loop never reaps"),
        (Omits::Kicking, "the loop never kicks"),
        (Omits::Filling, "the loop never fills"),
        (Omits::Receiving, "the loop never receives"),
    ];
    for (omits, words) in WORDS {
        after_random_traffic(*omits, |result| {
            let error = result.expect_err(words).to_string();
            assert!(error.starts_with("port "), "{error}");
            for (_, other) in WORDS {
                assert_eq!(error.contains(other), other == words, "{omits:?}: {error}");
            }
        });
    }
}

#[test]
fn a_loop_that_leaves_nothing_out_passes_after_any_traffic() {
    after_random_traffic(Omits::Nothing, |result| assert!(result.unwrap() > 0));
}

/// The ring is full, nothing can be added, and so nothing is kicked.
#[test]
fn a_full_ring_that_is_kicked_only_after_a_push_is_found() {
    let rings = FakeRings { tx: 4, completion: 4, ..FakeRings::default() };
    for omits in [Omits::KickingOfOldPackets, Omits::Nothing] {
        let mut ports = Ports::new(64, [rings, rings]);
        let socket = &mut ports.sockets[1];
        for _ in 0..2 {
            assert_eq!(socket.tx.send_from(&mut ports.pool, 4, 60), Ok(4));
            let kick = socket.tx.kick().unwrap();
            assert!(matches!(kick, Kick::Done | Kick::Again));
        }
        let result = ports.progress(omits);
        if omits == Omits::Nothing {
            result.unwrap();
            continue;
        }
        let Err(ProgressError::Stalled(stalls)) = result else { panic!("{result:?}") };
        assert_eq!(stalls, [(1, Stall::NotKicked { left: 4, kicks: 0 })]);
    }
}

/// Loops with a plan of their own: one that reaps only when it has no chunk left, one that only
/// sends, and one that only receives.
#[test]
fn lazy_and_one_way_loops_pass() {
    let mut ports = Ports::new(64, [FakeRings::default(); 2]);
    let Ports { pool, kernels, sockets: [left, right], .. } = &mut ports;
    let sent = Progress::new().send_only(1).check(kernels, || -> xsk::Result<()> {
        left.rx.receive(4)?.forward(&mut right.tx)?;
        right.tx.kick_if_needed()?;
        left.fill.fill_from(pool, 4)?;
        if pool.is_empty() {
            right.completion.reap_into(pool, 64)?;
        }
        Ok(())
    });
    assert!(sent.unwrap() > 0);

    let [kernel, _] = kernels;
    let sent = Progress::new().check(std::slice::from_mut(kernel), || -> xsk::Result<()> {
        left.rx.receive(4)?.recycle(&mut left.fill).map(drop)?;
        Ok(())
    });
    assert_eq!(sent.unwrap(), 0);
}

/// The loop of the manual: bursts that take more than one kick, and [`Port::service`].
#[test]
fn the_loop_of_the_manual_passes() {
    for rings in [
        FakeRings::default(),
        FakeRings { completion: 8, ..FakeRings::default() },
        FakeRings { rx: 4, tx: 4, fill: 4, completion: 4, ..FakeRings::default() },
    ] {
        let (umem, pool) = Umem::builder().chunk_count(256).build().unwrap();
        let (kernel, socket) = FakeKernel::with(&umem, rings).unwrap();
        let mut port = Port::new(umem, pool, socket);
        port.socket.tx.send_from(&mut port.pool, 100, 60).unwrap();
        let sent = Progress::new().check(&mut [kernel], || {
            let Port { pool, socket, .. } = &mut port;
            let mut out = socket.tx.reserve(64)?;
            for frame in socket.rx.receive(64)? {
                if let Err(frame) = out.push(frame) {
                    pool.put(frame);
                }
            }
            drop(out);
            port.service(64)
        });
        assert!(sent.unwrap() > 0, "{rings:?}");
    }
}

/// A loop that passes one kind of packet is given that; its error is handed on.
#[test]
fn packets_can_be_chosen_and_errors_come_out() {
    let mut ports = Ports::new(64, [FakeRings::default(); 2]);
    let Ports { umem, pool, kernels: [kernel, _], sockets: [socket, _] } = &mut ports;
    let mut echo = |packet: &[u8]| {
        Progress::new().packet(packet).rounds(20).check(std::slice::from_mut(kernel), || {
            socket.completion.reap_into(pool, 8)?;
            socket.fill.fill_from(pool, 8)?;
            let mut out = socket.tx.reserve(8)?;
            for frame in socket.rx.receive(8)? {
                if umem.bytes(&frame) == b"stop" {
                    pool.put(frame);
                    return Err(xsk::Error::UmemNumbers);
                } else if umem.bytes(&frame) == b"ping" {
                    out.push(frame).unwrap();
                } else {
                    pool.put(frame);
                }
            }
            drop(out);
            socket.tx.kick_if_needed().map(drop)
        })
    };
    assert_eq!(echo(b"unknown").unwrap(), 0);
    assert!(echo(b"ping").unwrap() > 0);
    assert!(matches!(echo(b"stop"), Err(ProgressError::Turn(_))));
}
