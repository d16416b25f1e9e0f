//! A kernel that breaks every rule: the library answers with typed errors, makes no frame of what is no
//! chunk, and no second frame of a chunk that it can know to be taken.
//!
//! With the ledger (debug builds, feature `ledger`) anything goes. Without it nobody can tell a chunk that
//! is given twice, so only what is wrong in itself is tried then.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]

use proptest::prelude::*;
use std::collections::BTreeSet;
use xsk::ring::Kind;
use xsk::test_util::{FakeKernel, FakeRings, Hostile, Index, KernelStep, strategies};
use xsk::umem::Place;
use xsk::{Fault, Frame, Pool, Socket, Umem};

const CHUNK: u64 = 2048;
const CHUNKS: u64 = 12;
const AREA: u64 = CHUNK * CHUNKS;

/// Addresses near everything that matters.
fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 0..AREA,
        2 => (0..CHUNKS).prop_map(|number| number * CHUNK),
        2 => (0..CHUNKS).prop_map(|number| number * CHUNK + CHUNK - 1),
        1 => Just(AREA),
        1 => AREA..AREA + 2 * CHUNK,
        1 => (0..64_u32, 0..3_u64).prop_map(|(bit, less)| (1_u64 << bit).wrapping_sub(less)),
        1 => any::<u64>(),
    ]
}

/// Addresses that nobody needs a ledger to refuse.
fn outside() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(AREA),
        1 => AREA..AREA + 2 * CHUNK,
        1 => (15..64_u32, 0..3_u64).prop_map(|(bit, less)| (1_u64 << bit).wrapping_sub(less)),
        1 => AREA..=u64::MAX,
    ]
}

fn len() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 1..=64_u32,
        2 => Just(0),
        2 => 2040..=2056_u32,
        1 => any::<u32>(),
        1 => (0..3_u32).prop_map(|less| u32::MAX - less),
    ]
}

fn options() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0), 1 => (0..32_u32).prop_map(|bit| 1 << bit), 1 => any::<u32>()]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Rx, Kind::Tx, Kind::Fill, Kind::Completion])
}

#[derive(Debug, Clone)]
enum Step {
    Kernel(KernelStep),
    Fill(u32),
    Push(u32),
    SendFrom(u32),
    Receive(u32, u32),
    Recycle(u32),
    RecycleEach(u32),
    Forward(u32),
    ForwardEach(u32),
    ReceivedIntoPool(u32),
    Reap(u32, u32),
    ReapInto(u32),
    ReapIntoFill(u32),
    Put(u32),
    Take(u32),
    HostileReceive(u64, u32, u32),
    HostileComplete(u64),
    /// An index this far from where it is.
    HostileIndex(Kind, u32),
}

fn step() -> impl Strategy<Value = Step> {
    let few = || 0..9_u32;
    let far = prop_oneof![2 => 0..20_u32, 2 => (0..20_u32).prop_map(u32::wrapping_neg), 1 => any::<u32>()];
    let user = prop_oneof![
        3 => few().prop_map(Step::Fill),
        2 => few().prop_map(Step::Push),
        1 => few().prop_map(Step::SendFrom),
        4 => (few(), few()).prop_map(|(want, take)| Step::Receive(want, take)),
        1 => few().prop_map(Step::Recycle),
        1 => few().prop_map(Step::RecycleEach),
        1 => few().prop_map(Step::Forward),
        1 => few().prop_map(Step::ForwardEach),
        1 => few().prop_map(Step::ReceivedIntoPool),
        3 => (few(), few()).prop_map(|(want, take)| Step::Reap(want, take)),
        1 => few().prop_map(Step::ReapInto),
        1 => few().prop_map(Step::ReapIntoFill),
    ];
    let other = prop_oneof![
        6 => strategies::kernel_step(100).prop_map(Step::Kernel),
        1 => few().prop_map(Step::Put),
        1 => few().prop_map(Step::Take),
        3 => (address(), len(), options()).prop_map(|(a, l, o)| Step::HostileReceive(a, l, o)),
        3 => address().prop_map(Step::HostileComplete),
        2 => (kind(), far).prop_map(|(kind, far)| Step::HostileIndex(kind, far)),
    ];
    prop_oneof![user, other]
}

/// Where the test knows a chunk to be, from the library's answers alone; as a set, chunk by chunk.
struct World {
    umem: Umem,
    pool: Pool,
    kernel: FakeKernel,
    socket: Socket,
    held: Vec<Frame>,
    faults: usize,
}

impl World {
    fn new(start: Index) -> Self {
        let chunks = u32::try_from(CHUNKS).unwrap();
        let (umem, pool) = Umem::builder()
            .chunks(chunks)
            .chunk_size(2048)
            .build()
            .unwrap();
        let rings = FakeRings {
            rx: 4,
            tx: 4,
            fill: 8,
            completion: 4,
            start,
        };
        let (kernel, socket) = FakeKernel::with(&umem, rings).unwrap();
        Self {
            umem,
            pool,
            kernel,
            socket,
            held: Vec::new(),
            faults: 0,
        }
    }

    /// Chunks that are ours: in the pool or in hand.
    fn ours(&self) -> BTreeSet<u64> {
        let held = self.held.iter().map(Frame::address);
        self.pool
            .addresses()
            .chain(held)
            .map(|address| address / CHUNK)
            .collect()
    }

    /// No chunk is twice in our hands; every frame's bytes are inside one chunk, and can be read and
    /// written.
    fn check(&mut self) {
        assert_eq!(
            self.ours().len(),
            self.pool.len() + self.held.len(),
            "a second frame for a chunk"
        );
        for frame in &mut self.held {
            let (first, len) = (frame.address(), u64::from(frame.len()));
            assert!(len > 0 && first + len <= AREA, "outside the UMEM");
            assert_eq!(
                first / CHUNK,
                (first + len - 1) / CHUNK,
                "outside its chunk"
            );
            let bytes = self.umem.bytes_mut(frame);
            assert_eq!(bytes.len() as u64, len);
            bytes[0] = bytes[bytes.len() - 1].wrapping_add(1);
        }
        for chunk in self.pool.addresses() {
            assert!(chunk < AREA && chunk % CHUNK == 0, "no chunk in the pool");
        }
    }

    /// A frame that came: its chunk was not ours, and was at `place` as the library's own books say.
    fn came(&mut self, frame: Frame, before: &[Place], place: Place) {
        let chunk = frame.address() / CHUNK;
        assert!(!self.ours().contains(&chunk), "a second frame for a chunk");
        assert_eq!(before[usize::try_from(chunk).unwrap()], place);
        self.held.push(frame);
    }

    fn hostile(&mut self) -> Hostile<'_> {
        self.kernel.hostile().unwrap()
    }

    fn count(&mut self, result: Result<u32, Fault>) {
        self.faults += usize::from(result.is_err());
    }

    fn step(&mut self, step: &Step) {
        let places = self.umem.places().unwrap();
        let World {
            pool, socket, held, ..
        } = self;
        match *step {
            Step::Kernel(ref step) => drop(self.kernel.step(step)),
            Step::Fill(n) => {
                let result = socket.fill.fill_from(pool, n);
                self.count(result);
            }
            Step::Push(n) => {
                let Ok(mut slots) = socket.tx.reserve(n) else {
                    return self.faults += 1;
                };
                while let Some(frame) = held.pop() {
                    if let Err(frame) = slots.push(frame) {
                        held.push(frame);
                        break;
                    }
                }
            }
            Step::SendFrom(n) => {
                let result = socket.tx.send_from(pool, n, 60);
                self.count(result);
            }
            Step::Receive(n, take) => {
                let Ok(batch) = socket.rx.receive(n) else {
                    return self.faults += 1;
                };
                let frames: Vec<Frame> = batch.into_iter().take(take as usize).collect();
                for frame in frames {
                    self.came(frame, &places, Place::Receiving);
                }
            }
            Step::Recycle(n) => {
                let result = socket
                    .rx
                    .receive(n)
                    .and_then(|batch| batch.recycle(&mut socket.fill));
                self.count(result);
            }
            Step::RecycleEach(n) => {
                let umem = &self.umem;
                let taken = |frame: &Frame| {
                    held.iter()
                        .any(|held| held.address() / CHUNK == frame.address() / CHUNK)
                };
                let look = |frame: &mut Frame| {
                    assert!(!taken(frame), "a second frame for a chunk");
                    assert_eq!(umem.bytes(frame).len(), frame.len() as usize);
                };
                let batch = socket.rx.receive(n);
                let result = batch.and_then(|batch| batch.recycle_each(&mut socket.fill, look));
                self.count(result);
            }
            Step::Forward(n) => {
                let result = socket
                    .rx
                    .receive(n)
                    .and_then(|batch| batch.forward(&mut socket.tx));
                self.count(result);
            }
            Step::ForwardEach(n) => {
                let umem = &self.umem;
                let edit = |frame: &mut Frame| umem.bytes_mut(frame).fill(9);
                let batch = socket.rx.receive(n);
                let result = batch.and_then(|batch| batch.forward_each(&mut socket.tx, edit));
                self.count(result);
            }
            Step::ReceivedIntoPool(n) => {
                let result = socket.rx.receive(n).map(|batch| batch.into_pool(pool));
                self.count(result);
            }
            Step::Reap(n, take) => {
                let Ok(batch) = socket.completion.reap(n) else {
                    return self.faults += 1;
                };
                let frames: Vec<Frame> = batch.into_iter().take(take as usize).collect();
                for frame in frames {
                    assert_eq!(
                        (frame.address() % CHUNK, u64::from(frame.len())),
                        (0, CHUNK)
                    );
                    self.came(frame, &places, Place::Sending);
                }
            }
            Step::ReapInto(n) => {
                let result = socket.completion.reap_into(pool, n);
                self.count(result);
            }
            Step::ReapIntoFill(n) => {
                let batch = socket.completion.reap(n);
                let result = batch.and_then(|batch| batch.into_fill(&mut socket.fill));
                self.count(result);
            }
            Step::Put(n) => {
                for frame in held.drain(..held.len().min(n as usize)) {
                    pool.put(frame);
                }
            }
            Step::Take(n) => held.extend((0..n).map_while(|_| pool.take())),
            Step::HostileReceive(address, len, options) => {
                self.hostile().receive(address, len, options)
            }
            Step::HostileComplete(address) => self.hostile().complete(address),
            Step::HostileIndex(kind, far) => {
                let index = self.hostile().published(kind).advance(far);
                self.hostile().set_index(kind, index);
            }
        }
    }
}

/// Whether the ledger is on.
fn ledger() -> bool {
    let (umem, _) = Umem::builder().chunks(1).build().unwrap();
    umem.census().is_some()
}

#[test]
#[cfg_attr(
    not(any(debug_assertions, feature = "ledger")),
    ignore = "without the ledger nobody can tell a chunk that is given twice"
)]
fn no_program_of_a_hostile_kernel_makes_a_second_frame() {
    let program = prop::collection::vec(step(), 1..150);
    let faults = std::cell::Cell::new(0);
    proptest!(strategies::config(500), |((start, program) in (strategies::index(), program))| {
        let mut world = World::new(start);
        for step in &program {
            world.step(step);
            world.check();
        }
        faults.set(faults.get() + world.faults);
    });
    assert!(faults.get() > 0, "no program was hostile");
}

/// A socket with a good packet and a good completion on the way, and everything else in the pool.
fn quiet(start: Index) -> World {
    let mut world = World::new(start);
    let World {
        pool,
        kernel,
        socket,
        ..
    } = &mut world;
    assert_eq!(socket.fill.fill_from(pool, 4), Ok(4));
    assert_eq!(socket.tx.send_from(pool, 4, 60), Ok(4));
    assert_eq!(kernel.transmit_unread(2), 2);
    world
}

/// The hostile steps. Without the ledger the caller must take care, see `hostile_unchecked`.
///
/// # Safety
/// As [`FakeKernel::hostile_unchecked`].
unsafe fn unchecked(kernel: &mut FakeKernel) -> Hostile<'_> {
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.hostile_unchecked() }
}

fn good_packet(address: u64, len: u32, options: u32) -> bool {
    address < AREA && len > 0 && options == 0 && address % CHUNK + u64::from(len) <= CHUNK
}

/// The next answer names an entry that was refused, with all that was in it, once; then things go on.
#[test]
fn every_bad_rx_entry_is_named_once() {
    let entry = (address(), len(), options(), strategies::index());
    proptest!(strategies::config(2000), |((address, len, options, start) in entry)| {
        let good = good_packet(address, len, options);
        prop_assume!(ledger() || !good);
        let mut world = quiet(start);
        let places = world.umem.places();
        // SAFETY: without the ledger, only entries that are wrong in themselves come here.
        unsafe { unchecked(&mut world.kernel) }.receive(address, len, options);
        world.kernel.deliver(b"good");
        let chunk = usize::try_from(address / CHUNK).unwrap_or(usize::MAX);
        let place = places.and_then(|places| places.get(chunk).copied());
        let taken = good && place == Some(Place::Receiving);
        let frames: Vec<Frame> = world.socket.rx.receive(1).unwrap().into_iter().collect();
        let ring = Kind::Rx;
        if taken {
            prop_assert_eq!((frames[0].address(), frames[0].len()), (address, len));
        } else {
            prop_assert!(frames.is_empty());
            let fault = if good {
                Fault::Repeated { ring, address }
            } else {
                Fault::Entry { ring, address, len, options }
            };
            prop_assert_eq!(world.socket.rx.receive(9).map(drop), Err(fault));
            // SAFETY: the index is far beyond the ring, so no entry is taken while it stands.
            let mut hostile = unsafe { unchecked(&mut world.kernel) };
            let right = hostile.published(ring);
            hostile.set_index(ring, right.advance(100));
            let next = world.socket.rx.receive(9).map(drop);
            prop_assert!(matches!(next, Err(Fault::Index { .. })), "told twice: {:?}", next);
            // SAFETY: this is where it was.
            unsafe { unchecked(&mut world.kernel) }.set_index(ring, right);
        }
        world.held.extend(frames);
        let rest = world.socket.rx.receive(9).unwrap();
        prop_assert_eq!(rest.len(), 1);
        let rest: Vec<Frame> = rest.into_iter().collect();
        // The good packet is there, unless its chunk is the one that came too early.
        prop_assert!(rest.len() == 1 || taken);
        world.held.extend(rest);
        world.check();
    });
}

/// The same, for batches that are passed on whole: the bad entry is in the middle.
#[test]
fn a_bad_entry_ends_a_batch_where_it_is() {
    let entry = (address(), len(), options(), strategies::index(), 0..5_u32);
    proptest!(strategies::config(1500), |((address, len, options, start, how) in entry)| {
        // An unread chunk goes back to the fill ring whatever its length was.
        let good = if how == 0 { address < AREA } else { good_packet(address, len, options) };
        prop_assume!(!good);
        let mut world = World::new(start);
        let World { pool, kernel, socket, .. } = &mut world;
        assert_eq!(socket.fill.fill_from(pool, 4), Ok(4));
        assert!(kernel.deliver(b"a"));
        // SAFETY: an entry that is wrong in itself.
        unsafe { unchecked(kernel) }.receive(address, len, options);
        assert!(kernel.deliver(b"b"));
        let mut seen = Vec::new();
        let batch = socket.rx.receive(9).unwrap();
        assert_eq!(batch.len(), 3);
        let mut note = |frame: &mut Frame| seen.push(frame.len());
        let moved = match how {
            0 => batch.recycle(&mut socket.fill),
            1 => batch.recycle_each(&mut socket.fill, &mut note),
            2 => batch.forward(&mut socket.tx),
            3 => batch.forward_each(&mut socket.tx, &mut note),
            _ => Ok(u32::try_from(batch.into_iter().count()).unwrap()),
        };
        prop_assert_eq!(moved, Ok(1));
        let fault = Fault::Entry { ring: Kind::Rx, address, len, options };
        prop_assert_eq!(socket.rx.receive(9).map(drop), Err(fault));
        let rings = kernel.holdings();
        prop_assert_eq!(rings.rx.len(), 1, "what came after it stays in the ring");
        prop_assert_eq!(rings.fill.len(), if how < 2 { 3 } else { 2 });
        prop_assert_eq!(rings.tx.len(), usize::from(how == 2 || how == 3));
        let last: Vec<Frame> = socket.rx.receive(9).unwrap().into_iter().collect();
        prop_assert_eq!(last.len(), 1);
        prop_assert_eq!(world.umem.bytes(&last[0]), b"b");
    });
}

#[test]
fn every_bad_completion_is_named_once() {
    let any = if ledger() {
        address().boxed()
    } else {
        outside().boxed()
    };
    let entry = (any, strategies::index(), 0..3_u32);
    proptest!(strategies::config(2000), |((address, start, how) in entry)| {
        let mut world = quiet(start);
        let chunk = usize::try_from(address / CHUNK).unwrap_or(usize::MAX);
        let place = world.umem.places().and_then(|places| places.get(chunk).copied());
        // SAFETY: without the ledger, only addresses outside the UMEM come here.
        unsafe { unchecked(&mut world.kernel) }.complete(address);
        let World { pool, socket, held, kernel, .. } = &mut world;
        let (had, filled) = (pool.len(), kernel.holdings().fill.len());
        let batch = socket.completion.reap(1).unwrap();
        match how {
            0 => held.extend(batch),
            1 => assert!(batch.into_pool(pool) <= 1),
            _ => assert!(batch.into_fill(&mut socket.fill).unwrap() <= 1),
        }
        let came = held.len() + pool.len() - had + kernel.holdings().fill.len() - filled;
        prop_assert_eq!(came == 1, place == Some(Place::Sending), "{} came", came);
        let ring = Kind::Completion;
        let answer = socket.completion.reap(1).map(drop);
        if came == 0 {
            let fault = if address < AREA {
                Fault::Repeated { ring, address }
            } else {
                Fault::Entry { ring, address, len: 0, options: 0 }
            };
            prop_assert_eq!(answer, Err(fault));
        }
        prop_assert_eq!(socket.completion.reap(1).map(drop), Ok(()));
        world.check();
    });
}

/// Any value of any index: refused if it cannot be, by the right name; and forgotten when it is right
/// again.
#[test]
fn an_index_that_cannot_be_is_refused_on_every_ring() {
    let far = prop_oneof![3 => 0..20_u32, 3 => (0..20_u32).prop_map(u32::wrapping_neg), 1 => any::<u32>()];
    let index = (kind(), far, strategies::index(), 0..=3_u32);
    proptest!(strategies::config(2000), |((ring, far, start, more) in index)| {
        // The kernel was given `2 + more` of each kind, took one, and gave it back.
        let mut world = World::new(start);
        let World { umem, pool, kernel, socket, .. } = &mut world;
        assert_eq!(socket.fill.fill_from(pool, 2 + more), Ok(2 + more));
        assert_eq!(socket.tx.send_from(pool, 2, 60), Ok(2));
        assert!(kernel.deliver(b"x"));
        assert_eq!((kernel.transmit_unread(1), kernel.complete(1)), (1, 1));
        assert_eq!(socket.tx.send_from(pool, more, 60), Ok(more));
        // SAFETY: only indices are set, and no entry is taken while one is wrong.
        let mut hostile = unsafe { unchecked(kernel) };
        let right = hostile.published(ring);
        hostile.set_index(ring, right.advance(far));
        let size = if ring == Kind::Fill { 8 } else { 4 };
        let too_many = |there| Fault::TooMany { ring, available: there, outstanding: 2 + more };
        let ahead = |distance| Fault::Index { ring, distance, size };
        let (answer, expected) = match ring {
            // One is there: now `1 + far`.
            Kind::Rx | Kind::Completion => {
                let answer = match ring {
                    Kind::Rx => socket.rx.receive(99).map(|batch| batch.len()),
                    _ => socket.completion.reap(99).map(|batch| batch.len()),
                };
                let there = far.wrapping_add(1);
                let expected = match there {
                    0..=4 if there <= 2 + more => Ok(there),
                    0..=4 => Err(too_many(there)),
                    _ => Err(ahead(there)),
                };
                (answer, expected)
            }
            // `1 + more` are pending: now fewer by `far`.
            Kind::Fill | Kind::Tx => {
                let answer = match ring {
                    Kind::Fill => socket.fill.reserve(99).map(|slots| slots.left()),
                    _ => socket.tx.reserve(99).map(|slots| slots.left()),
                };
                let pending = (1 + more).wrapping_sub(far);
                let expected = if pending <= size { Ok(size - pending) } else { Err(ahead(pending)) };
                (answer, expected)
            }
        };
        prop_assert_eq!(answer, expected);
        // SAFETY: as above.
        unsafe { unchecked(kernel) }.set_index(ring, right);
        let received: Vec<Frame> = socket.rx.receive(9).unwrap().into_iter().collect();
        prop_assert_eq!(received.len(), 1);
        prop_assert_eq!(umem.bytes(&received[0]), b"x");
        prop_assert_eq!(socket.completion.reap_into(pool, 9), Ok(1));
        prop_assert_eq!(socket.fill.fill_from(pool, 1), Ok(1));
        prop_assert_eq!(kernel.transmit_unread(1), 1);
        prop_assert_eq!(socket.tx.send_from(pool, 1, 60), Ok(1));
    });
}
