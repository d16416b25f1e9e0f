//! Two ends of a cable with the kernel's defaults: 4 queues, 1024 chunks of 4096 bytes, rings of
//! 2048, batches of 64.

use crate::common::{Cable, PATIENCE, until};
use crate::packets::{Packet, lay};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use xsk::attach::{AttachMode, Attachment, Registration};
use xsk::bpf::{Program, XskMap};
use xsk::{CopyMode, Frame, Interface, Port, Socket, Umem, XdpMode, wait};

pub(crate) const CHUNKS: u32 = 1024;
pub(crate) const RING: u32 = 2048;
pub(crate) const BATCH: u32 = 64;
const QUEUES: u32 = 4;
/// The most packets on their way at once: a veth queue holds no more and drops later ones.
const ON_THE_WAY: u32 = 256;

/// What a case needs of a socket and its memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) queue: u32,
    pub(crate) chunks: u32,
    pub(crate) chunk_size: u32,
    pub(crate) unaligned: bool,
    pub(crate) headroom: u32,
    pub(crate) rx: u32,
    /// Chunks given to the fill ring at once.
    pub(crate) fill: u32,
}

pub(crate) const SENDER: Shape = Shape {
    queue: 0,
    chunks: CHUNKS,
    chunk_size: 4096,
    unaligned: false,
    headroom: 0,
    rx: RING,
    fill: 0,
};

pub(crate) const RECEIVER: Shape = Shape { fill: CHUNKS, ..SENDER };

/// A cable, and the mode in which programs are attached to its ends.
pub(crate) struct Fixture {
    pub(crate) cable: Cable,
    pub(crate) mode: AttachMode,
    /// Held while a case runs: one case at a time.
    _alone: MutexGuard<'static, ()>,
}

/// In generic mode, and where no program is attached, packets wait in a backlog of the processor
/// (`netdev_max_backlog`, 1000 packets), which all namespaces share: a case that floods it makes
/// the kernel drop packets of another.
static ALONE: Mutex<()> = Mutex::new(());

/// A port in a slot of an attached program.
pub(crate) struct Listener {
    port: Port,
    _slot: Registration,
}

impl Deref for Listener {
    type Target = Port;
    fn deref(&self) -> &Port {
        &self.port
    }
}

impl DerefMut for Listener {
    fn deref_mut(&mut self) -> &mut Port {
        &mut self.port
    }
}

impl Fixture {
    pub(crate) fn new(mode: AttachMode) -> Self {
        Self::over(Cable::new(QUEUES), mode)
    }

    /// Over a cable that was made before.
    pub(crate) fn over(cable: Cable, mode: AttachMode) -> Self {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { cable, mode, _alone }
    }

    /// Returns a socket on the left end, where packets are sent.
    pub(crate) fn left(&self, shape: Shape) -> Port {
        let bind = || port(self.cable.veth.a(), shape);
        self.cable.left.run(bind).unwrap()
    }

    /// Returns a socket on the right end, where packets arrive.
    pub(crate) fn right(&self, shape: Shape) -> Port {
        let bind = || port(self.cable.veth.b(), shape);
        self.cable.right.run(bind).unwrap()
    }

    /// Returns a socket on the right end that the default program sends packets to.
    pub(crate) fn listener(&self, shape: Shape) -> Listener {
        Listener::new(self.right(shape), &self.attach(None))
    }

    /// Returns a socket on the right end that a program of the case's own sends packets to.
    pub(crate) fn listener_by(&self, program: (Program, XskMap)) -> Listener {
        Listener::new(self.right(RECEIVER), &self.attach(Some(program)))
    }

    /// Attaches to the right end.
    pub(crate) fn attach(&self, program: Option<(Program, XskMap)>) -> Attachment {
        let attach = || attach(self.cable.veth.b(), self.mode, program);
        self.cable.right.run(attach).unwrap()
    }

    /// Attaches the default program to the left end.
    pub(crate) fn attach_left(&self) -> Attachment {
        let attach = || attach(self.cable.veth.a(), self.mode, None);
        self.cable.left.run(attach).unwrap()
    }

    /// Returns the queue to send from so that packets arrive on `queue`: generic mode counts a
    /// sender's queue number as one more than the queue of arrival, except number 0
    /// (`skb_get_rx_queue` of the number that TX left in the packet).
    pub(crate) fn sending_queue(&self, queue: u32) -> u32 {
        match self.mode {
            AttachMode::Generic if queue > 0 => queue + 1,
            _ => queue,
        }
    }

    /// Asserts that nothing is left attached. To be called when all users have gone.
    #[track_caller]
    pub(crate) fn end(self) {
        for end in [self.cable.veth.a(), self.cable.veth.b()] {
            assert_eq!(crate::common::left_on(end), None, "{end:?}");
        }
    }
}

fn attach(end: &Interface, mode: AttachMode, program: Option<(Program, XskMap)>) -> Attachment {
    let mut builder = Attachment::builder(end).mode(mode);
    if let Some((program, map)) = program {
        builder = builder.program(program, map);
    }
    let attachment = builder.attach().unwrap();
    let wanted = match mode {
        AttachMode::Generic => XdpMode::Generic,
        _ => XdpMode::Native,
    };
    assert_eq!(attachment.mode(), wanted);
    attachment
}

impl Listener {
    pub(crate) fn new(port: Port, attachment: &Attachment) -> Self {
        let _slot = port.socket.register(attachment).unwrap();
        Self { port, _slot }
    }
}

/// Makes a port, in the calling thread's namespace.
fn port(interface: &Interface, shape: Shape) -> Port {
    let mut builder = Umem::builder()
        .chunk_count(shape.chunks)
        .chunk_size(shape.chunk_size)
        .headroom(shape.headroom);
    if shape.unaligned {
        builder = builder.unaligned();
    }
    let (umem, mut pool) = builder.build().unwrap();
    let mut socket = Socket::builder(&umem)
        .rx_size(shape.rx)
        .tx_size(RING)
        .fill_size(RING)
        .completion_size(RING)
        .copy_mode(CopyMode::Copy)
        .bind_timeout(PATIENCE)
        .bind(interface, shape.queue)
        .unwrap();
    assert!(!socket.handle.is_zero_copy());
    assert_eq!(
        socket.fill.fill_from(&mut pool, shape.fill),
        Ok(shape.fill),
        "the fill ring takes all chunks"
    );
    Port::new(umem, pool, socket)
}

/// Where the chunks of a port are.
pub(crate) trait Chunks {
    /// Returns the chunks in the pool, each counted once.
    fn pooled(&self) -> BTreeSet<u64>;

    /// Returns where chunks are according to the ledger: pool, user, receiving, sending.
    fn counts(&self) -> Option<[usize; 4]>;
}

impl Chunks for Port {
    fn pooled(&self) -> BTreeSet<u64> {
        self.pool.addresses().collect()
    }

    fn counts(&self) -> Option<[usize; 4]> {
        let counts = self.umem.chunk_counts()?;
        Some([counts.pool, counts.user, counts.receiving, counts.sending])
    }
}

/// How a test wakes the kernel to send, or waits to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// `sendto(2)` if need-wakeup is set, and looking at the ring.
    Kick,
    /// Nothing but `poll(2)`.
    Poll,
}

/// Waits for at most `limit`, and returns whether the TX ring is less than half full.
pub(crate) fn writable(socket: &Socket, limit: Duration) -> bool {
    let mut fds = [PollFd::new(&socket.tx, PollFlags::OUT)];
    let limit = Timespec::try_from(limit).unwrap();
    let ready = rustix::event::poll(&mut fds, Some(&limit)).unwrap();
    assert!(ready == 0 || fds[0].revents() == PollFlags::OUT);
    ready == 1
}

/// Sends `packets` and gets every chunk back, the same ones. `done` returns how many packets are no
/// longer waited for.
#[track_caller]
pub(crate) fn send(
    port: &mut Port,
    packets: &[Packet],
    batch: u32,
    by: By,
    mut done: impl FnMut() -> u32,
) {
    let pooled = port.pooled();
    let mut rest = packets.iter();
    until("sending", || {
        let Port { umem, pool, socket, .. } = &mut *port;
        let sent = (packets.len() - rest.len()) as u32;
        let room = ON_THE_WAY.saturating_sub(sent - done().min(sent));
        if room >= batch {
            let mut slots = socket.tx.reserve(batch).unwrap();
            while slots.remaining() > 0 && !pool.is_empty() {
                let Some(packet) = rest.next() else { break };
                let mut frame = pool.take().unwrap();
                lay(umem, &mut frame, *packet);
                slots.push(frame).unwrap();
            }
        }
        match by {
            By::Kick => drop(socket.tx.kick_if_needed().unwrap()),
            By::Poll => assert!(writable(socket, PATIENCE)),
        }
        socket.completion.reap_into(pool, batch).unwrap();
        rest.len() == 0 && pool.len() == pooled.len()
    });
    assert_eq!(port.pooled(), pooled, "every chunk came back, each once");
    let statistics = port.socket.handle.statistics().unwrap();
    assert_eq!(statistics.tx_invalid_descs, 0);
}

/// Receives what is `expected` and nothing else, in order, and gives the chunks back to the kernel.
#[track_caller]
pub(crate) fn receive(
    port: &mut Port,
    expected: &[Packet],
    by: By,
    check: impl Fn(&Umem, &mut Frame, Packet),
    seen: impl Fn(Packet),
) {
    let mut rest = expected.iter();
    until("receiving", || {
        let Port { umem, socket, .. } = &mut *port;
        if by == By::Poll {
            let ready = wait(&[&socket.rx], Some(PATIENCE)).unwrap();
            assert_eq!(ready, 1, "{} packets are missing", rest.len());
        }
        let mut back = socket.fill.reserve(BATCH).unwrap();
        for mut frame in socket.rx.receive(BATCH).unwrap() {
            let Some(packet) = rest.next() else {
                panic!("one packet too many: {:?}", umem.bytes(&frame));
            };
            check(umem, &mut frame, *packet);
            back.push(frame).unwrap();
            seen(*packet);
        }
        rest.len() == 0
    });
}

/// Sends `packets` from one port to the other in two threads, and receives what is `expected`
/// there.
#[track_caller]
pub(crate) fn exchange(
    from: &mut Port,
    to: &mut Port,
    [packets, expected]: [&[Packet]; 2],
    check: impl Fn(&Umem, &mut Frame, Packet) + Send,
) {
    exchange_by(from, to, [packets, expected], [By::Kick; 2], BATCH, check);
}

/// As [`exchange`], with other ways to wait and another batch.
#[track_caller]
pub(crate) fn exchange_by(
    from: &mut Port,
    to: &mut Port,
    [packets, expected]: [&[Packet]; 2],
    [sending, receiving]: [By; 2],
    batch: u32,
    check: impl Fn(&Umem, &mut Frame, Packet) + Send,
) {
    let before = to.counts();
    let seen = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let seen = &seen;
        scope.spawn(|| {
            let see = |packet: Packet| seen.store(packet.number + 1, Ordering::SeqCst);
            receive(to, expected, receiving, check, see);
            // A packet after the last expected one is to be dropped, or an error that is found
            // below.
            seen.store(u32::MAX, Ordering::SeqCst);
        });
        // Numbers may be left out.
        let done = || {
            let seen = seen.load(Ordering::SeqCst);
            packets.partition_point(|packet| packet.number < seen) as u32
        };
        send(from, packets, batch, sending, done);
    });
    let more = to.socket.rx.receive(1).unwrap().len();
    assert_eq!(more, 0, "a packet too many");
    assert_eq!(to.counts(), before, "the receiver's chunks are where they were");
}
