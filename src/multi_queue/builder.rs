//! Opens sockets on every queue: all of them, or none.

use super::{MultiQueue, QueuePort, QueueSet, QueueSocket};
use crate::attach::{Attachment, AttachmentBuilder};
use crate::error::{Error, Result};
use crate::interface::{Interface, Queues};
use crate::num::{u32_of_count, usize32};
use crate::socket::{Socket, SocketBuilder, SocketHandle, SocketKind, Unbound};
use crate::types::RingKind;
use crate::umem::{FramePool, Umem, UmemBuilder};
use std::fmt;

/// The settings of a [`MultiQueue`]; made by [`MultiQueue::builder`].
///
/// Defaults: all queues; for each, packet memory of 8192 chunks of 4096 bytes of its own (32 MiB), half
/// of them for receiving; sockets that receive and send, with rings of the default sizes; this crate's
/// default program.
///
/// ```no_run
/// use xsk::{AttachMode, Interface, MultiQueue, Umem};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let interface = Interface::by_name("eth1")?;
/// let some = MultiQueue::builder(&interface)
///     .queues("0-3".parse()?)
///     .memory(Umem::builder().chunk_size(2048).chunk_count(2048))
///     .shared_memory(true)
///     .socket(|socket| socket.rx_size(1024).tx_size(1024))
///     .attachment(|attachment| attachment.mode(AttachMode::Native))
///     .open()?;
/// println!("{} queues", some.ports.len());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is made before `open`"]
pub struct MultiQueueBuilder<S: SocketKind = Socket> {
    interface: Interface,
    queues: QueueSet,
    memory: UmemBuilder,
    shared_memory: bool,
    socket: Box<dyn Fn(SocketBuilder) -> SocketBuilder<S>>,
    program: Program,
}

/// The program that brings the packets.
enum Program {
    /// One to attach, or to join.
    Settings(Box<dyn FnOnce(AttachmentBuilder) -> AttachmentBuilder>),
    /// One that is attached.
    Attached(Attachment),
}

impl<S: SocketKind> fmt::Debug for MultiQueueBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, queues, memory, shared_memory, .. } = self;
        f.debug_struct("MultiQueueBuilder")
            .field("interface", interface)
            .field("queues", queues)
            .field("memory", memory)
            .field("shared_memory", shared_memory)
            .finish_non_exhaustive()
    }
}

impl MultiQueue {
    /// Starts sockets on every queue of `interface`.
    pub fn builder(interface: &Interface) -> MultiQueueBuilder {
        MultiQueueBuilder {
            interface: interface.clone(),
            queues: QueueSet::all(),
            memory: Umem::builder().chunk_count(8192),
            shared_memory: false,
            socket: Box::new(|builder| builder),
            program: Program::Settings(Box::new(|builder| builder)),
        }
    }
}

impl MultiQueueBuilder<Socket> {
    /// Sets the kind of the sockets, and their settings: `make` gets the builder of a socket with the
    /// default ones. It is called for each queue.
    pub fn socket<S: QueueSocket>(
        self,
        make: impl Fn(SocketBuilder) -> SocketBuilder<S> + 'static,
    ) -> MultiQueueBuilder<S> {
        let Self { interface, queues, memory, shared_memory, program, .. } = self;
        let socket = Box::new(make);
        MultiQueueBuilder { interface, queues, memory, shared_memory, socket, program }
    }
}

impl<S: QueueSocket> MultiQueueBuilder<S> {
    /// Sets the queues; the default is all.
    pub fn queues(mut self, queues: QueueSet) -> Self {
        self.queues = queues;
        self
    }

    /// Sets the packet memory of each queue.
    pub fn memory(mut self, memory: UmemBuilder) -> Self {
        self.memory = memory;
        self
    }

    /// Sets whether all queues have one UMEM, so that what comes on one queue can be sent on another
    /// one without a copy (5.10); the default is no. It has as many chunks for each queue as the
    /// [`memory`](Self::memory) of one, and is registered and pinned once. Copy or zero-copy mode is
    /// that of the first queue's socket.
    ///
    /// A chunk that queue a received and queue b sent comes back by b's completion ring: it has to go into
    /// a's pool or fill ring, or a runs dry, which its
    /// [`fill_ring_empty`](crate::Statistics::fill_ring_empty) counts:
    ///
    /// ```no_run
    /// # fn f(a: &mut xsk::multi_queue::QueuePort, b: &mut xsk::multi_queue::QueuePort) -> xsk::Result<()> {
    /// // From queue a to queue b, as one lane of a ring of queues.
    /// b.socket.completion.reap(64)?.recycle(&mut a.socket.fill)?;
    /// a.socket.rx.receive(64)?.forward(&mut b.socket.tx)?;
    /// b.socket.tx.kick_if_needed()?;
    /// a.socket.fill.kick_if_needed()?;
    /// # Ok(()) }
    /// ```
    pub fn shared_memory(mut self, shared: bool) -> Self {
        self.shared_memory = shared;
        self
    }

    /// Sets how the program is attached.
    pub fn attachment(
        mut self,
        make: impl FnOnce(AttachmentBuilder) -> AttachmentBuilder + 'static,
    ) -> Self {
        self.program = Program::Settings(Box::new(make));
        self
    }

    /// Uses a program that is attached already, to this interface, with a slot for each queue.
    pub fn attached(mut self, attachment: &Attachment) -> Self {
        self.program = Program::Attached(attachment.clone());
        self
    }

    /// Opens a socket on each queue, attaches or joins the program, and puts the sockets into its map.
    ///
    /// How many queues there are is read at this moment, RX and TX queues apart. A queue without one
    /// side gets a socket that does the other thing ([`MultiQueue::rx_only`], [`MultiQueue::tx_only`]);
    /// for other kinds of sockets than [`Socket`] it is left out and named
    /// ([`MultiQueue::not_served`]). Zero-copy or copy mode is each queue's own: see the handles.
    ///
    /// All or nothing: where one step fails, what the others made is undone.
    ///
    /// # Errors
    /// [`Error::Setting`] for no queue, and for one that the interface does not have;
    /// [`Error::QueueSide`] if no queue has what the sockets need; those of [`UmemBuilder::build`],
    /// [`SocketBuilder::open`] and [`Unbound::bind`]; those of [`AttachmentBuilder::attach`] and
    /// [`Attachment::register`]. `RLIMIT_MEMLOCK` has to allow the packet memory of all queues.
    ///
    /// # Panics
    /// If the closure of [`socket`](MultiQueueBuilder::socket) returns a builder over other packet
    /// memory than that of the builder it got.
    pub fn open(self) -> Result<MultiQueue<S>> {
        let Self { interface, queues, memory, shared_memory, socket, program } = self;
        let counts = interface.queues()?;
        let wanted = Wanted::of::<S>(&queues.numbers(counts), counts)?;
        if wanted.count() == 0 {
            return Err(wanted.none_served::<S>(&interface, counts));
        }
        let mut opener = Opener::new(&interface, memory, shared_memory, wanted.count())?;
        // Where a later step fails, these are dropped: nothing is attached yet.
        let mut ports = opener.bind_all(&wanted.both, &|builder| Some(socket(builder)))?;
        let mut rx_only = opener.bind_all(&wanted.rx, &|builder| S::rx_only(socket(builder)))?;
        let tx_only = opener.bind_all(&wanted.tx, &|builder| S::tx_only(socket(builder)))?;
        let mut not_served = wanted.not_served;
        not_served.sort_unstable();
        let attachment = match program {
            _ if ports.is_empty() && rx_only.is_empty() || !S::RECEIVES => None,
            Program::Attached(attachment) => Some(attachment),
            Program::Settings(make) => Some(make(Attachment::builder(&interface)).attach()?),
        };
        if let Some(attachment) = &attachment {
            register_all(&mut ports, attachment)?;
            register_all(&mut rx_only, attachment)?;
        }
        Ok(MultiQueue { ports, rx_only, tx_only, not_served, attachment })
    }
}

/// The queues that were asked for, by what they have.
#[derive(Debug, Default)]
struct Wanted {
    /// Those with what a socket of the kind needs.
    both: Vec<u32>,
    /// Those without a TX side.
    rx: Vec<u32>,
    /// Those without an RX side.
    tx: Vec<u32>,
    /// Those that no socket of the kind can serve.
    not_served: Vec<u32>,
}

impl Wanted {
    fn of<S: QueueSocket>(queues: &[u32], counts: Queues) -> Result<Self> {
        let mut wanted = Self::default();
        for &queue in queues {
            if queue >= counts.current() {
                let rule = "is below the number of queues of the interface (`Interface::queues`, \
                    `ethtool -l`)";
                return Err(Error::Setting { name: "queue", value: queue.into(), rule });
            }
            let list = match (S::can_serve(queue, counts), S::ONE_SIDED) {
                (true, _) => &mut wanted.both,
                (false, true) if queue < counts.rx => &mut wanted.rx,
                (false, true) => &mut wanted.tx,
                (false, false) => &mut wanted.not_served,
            };
            list.push(queue);
        }
        if queues.is_empty() {
            let rule = "is at least 1";
            return Err(Error::Setting { name: "number of queues", value: 0, rule });
        }
        Ok(wanted)
    }

    /// Returns for how many queues there will be sockets.
    fn count(&self) -> usize {
        [&self.both, &self.rx, &self.tx].map(Vec::len).iter().sum()
    }

    /// Returns the error for queues none of which can be served.
    fn none_served<S: QueueSocket>(&self, interface: &Interface, counts: Queues) -> Error {
        let queue = self.not_served.first().copied().unwrap_or_default();
        let lacks_rx = S::RECEIVES && queue >= counts.rx;
        Error::QueueSide {
            interface: interface.name().to_owned(),
            queue,
            ring: if lacks_rx { RingKind::Rx } else { RingKind::Tx },
            rx: counts.rx,
            tx: counts.tx,
        }
    }
}

/// Opens and binds sockets, one after the other.
struct Opener<'a> {
    interface: &'a Interface,
    /// The memory of each queue.
    memory: UmemBuilder,
    shared: Option<SharedMemory>,
}

/// The memory of all queues.
struct SharedMemory {
    umem: Umem,
    /// The chunks of the queues whose sockets are not opened yet.
    pool: FramePool,
    /// The chunks of each queue.
    chunks: usize,
    /// A socket that has registered it.
    first: Option<SocketHandle>,
}

impl<'a> Opener<'a> {
    fn new(
        interface: &'a Interface,
        memory: UmemBuilder,
        shared: bool,
        queues: usize,
    ) -> Result<Self> {
        if !shared {
            return Ok(Self { interface, memory, shared: None });
        }
        let chunks = memory.chunks();
        // A product that is too large is refused as a number of chunks.
        let all = chunks.saturating_mul(u32_of_count(queues));
        let (umem, pool) = memory.clone().chunk_count(all).build()?;
        let shared = SharedMemory { umem, pool, chunks: usize32(chunks), first: None };
        Ok(Self { interface, memory, shared: Some(shared) })
    }

    /// Opens and binds a socket for each of the queues.
    fn bind_all<S: QueueSocket>(
        &mut self,
        queues: &[u32],
        make: &dyn Fn(SocketBuilder) -> Option<SocketBuilder<S>>,
    ) -> Result<Vec<QueuePort<S>>> {
        let bound = queues.iter().filter_map(|queue| self.bind(*queue, make).transpose());
        bound.collect()
    }

    fn bind<S: QueueSocket>(
        &mut self,
        queue: u32,
        make: &dyn Fn(SocketBuilder) -> Option<SocketBuilder<S>>,
    ) -> Result<Option<QueuePort<S>>> {
        let (umem, mut pool) = match &mut self.shared {
            Some(shared) => (shared.umem.clone(), shared.pool.split_off(shared.chunks)),
            None => self.memory.clone().build()?,
        };
        let Some(builder) = make(Socket::builder(&umem)) else {
            return Ok(None);
        };
        let first = self.shared.as_ref().and_then(|shared| shared.first.as_ref());
        let mut unbound: Unbound<S> = match first {
            Some(first) => first.share_memory_as(&builder).open()?,
            None => builder.open()?,
        };
        let chunks = u32_of_count(S::to_fill(pool.len()));
        unbound.fill.fill_from(&mut pool, chunks)?;
        let socket = unbound.bind(self.interface, queue)?;
        if let Some(shared) = &mut self.shared {
            shared.first.get_or_insert_with(|| socket.handle().clone());
        }
        Ok(Some(QueuePort { queue, registration: None, umem, pool, socket }))
    }
}

/// Puts the sockets into their slots.
fn register_all<S: QueueSocket>(ports: &mut [QueuePort<S>], program: &Attachment) -> Result<()> {
    for port in ports {
        port.registration = port.socket.register_with(program)?;
    }
    Ok(())
}
