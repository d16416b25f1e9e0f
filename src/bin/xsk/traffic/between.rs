//! `xsk l2fwd -o` and `xsk bridge`: forward between two interfaces over one packet memory.

use crate::command_line::{PortArgs, RxArgs, TxArgs};
use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::report::rates::grouped;
use crate::run::counts::Lengths;
use crate::run::ended::Ended;
use crate::run::lines::More;
use crate::run::port::{self, ActiveProgram, BIND_SLICE, CHUNKS, kick};
use crate::run::queues::Served;
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::{Forwards, RxRing, TxRing, bytes_of};
use crate::traffic::l2fwd::SENDING;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::time::Duration;
use xsk::packet::{Checksum, finish_checksum};
use xsk::{
    Attachment, Completion, Errno, Error, Fill, Frame, FramePool, Interface, Kick, SocketHandle,
    Umem,
};

/// What is received on a queue of one interface and sent on that of the other.
struct Direction<'a, R: RxRing> {
    /// The numbers of the interfaces.
    from: usize,
    to: usize,
    /// The receiving interface's socket.
    rx: &'a mut R,
    fill: &'a mut Fill,
    handle: &'a SocketHandle,
    /// The sending interface's rings, which carry nothing else.
    tx: &'a mut R::Tx,
    completion: &'a mut Completion,
    /// Those of packets whose chunks have not come back.
    lengths: Lengths,
}

/// What is forwarded between which interfaces, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between<'a> {
    pub(crate) command: &'static str,
    /// The options, with the first interface.
    pub(crate) port: &'a PortArgs,
    pub(crate) rx: &'a RxArgs,
    pub(crate) tx: &'a TxArgs,
    /// The second interface.
    pub(crate) output: &'a OsStr,
    /// Whether packets to all addresses are received.
    pub(crate) promiscuous: bool,
    /// A line for the user, if there is one.
    pub(crate) note: Option<&'static str>,
    /// Whether checksums are finished that a sender left to its card.
    pub(crate) finish_checksums: bool,
}

pub(crate) fn run<S: Forwards>(all: Between<'_>, stop: &Stop) -> Result<Ended> {
    let args = all.port;
    let interfaces = [port::interface(&args.interface)?, port::interface(all.output)?];
    if interfaces[0] == interfaces[1] {
        return Err(Failure::Text(format!(
            "{} cannot be both interfaces: -i and -o name two",
            interfaces[0]
        )));
    }
    if is_one_cable(&interfaces)? {
        return Err(Failure::Text(format!(
            "{0} and {1} are the two ends of one cable: what is sent on one comes back on the other, \
             and each packet would go round for ever. For such a loop, start `xsk l2fwd -i {0}` and \
             `xsk l2fwd -i {1}`, each of which sends back what comes",
            interfaces[0], interfaces[1]
        )));
    }
    let chunks = args.chunks.unwrap_or(2 * CHUNKS);
    if chunks == 1 {
        return Err(Failure::Text(
            "one chunk is too little for two interfaces (--chunks): each receives into half of \
             them"
                .to_owned(),
        ));
    }
    for interface in &interfaces {
        port::require_ethernet(interface)?;
    }
    let filtering = |interface| all.rx.filter.prepare(args, interface);
    let filters = [filtering(&interfaces[0])?, filtering(&interfaces[1])?];
    let promiscuous = interfaces.iter().filter(|_| all.promiscuous);
    let _more = promiscuous.map(Interface::promiscuous).collect::<xsk::Result<Vec<_>>>()?;
    let (served, mut lost) = Served::between(args, interfaces.each_ref())?;
    let mut pairs = bound::<S>(&all, chunks, interfaces.each_ref(), &served, stop)?;
    let take = |end: usize| {
        let register =
            |program: &Attachment| pairs.iter().map(|pair| pair[end].register(program)).collect();
        ActiveProgram::take(args, &interfaces[end], &filters[end], stop, register)
    };
    let programs = [take(0)?, take(1)?];
    let handles = [0, 1].map(|end| pairs.iter().map(|pair| pair[end].handle().clone()).collect());
    let ends = interfaces.into_iter().zip(handles).zip(programs.iter().zip(&mut lost));
    let sides = ends.map(|((interface, handles), (program, lost))| {
        let handles: Vec<SocketHandle> = handles;
        let attachment = Some(program.attachment());
        let title = port::title(args, &interface, &handles, attachment);
        let mut side = Side::new(args, interface, handles, title, attachment)?.filtered(program);
        side.left_out = lost.take();
        Ok(side)
    });
    let mut session = Session::new(args, stop, all.command, sides.collect::<Result<_>>()?)?;
    let mut finished = 0;
    let outcome = session.begin().and_then(|()| {
        served.note_left_out(&session);
        all.note.iter().for_each(|note| session.note(note));
        forward(&all, &mut pairs, &mut session, &mut finished)
    });
    if outcome.is_err() {
        // All that was received was given to the kernel again.
        let counted = session.counted();
        session.pending = counted.rx_packets.saturating_sub(counted.tx_packets);
    }
    session.note_to_left_out(|end| {
        let taken = pairs.iter_mut().map(|pair| {
            let rings = pair[end].rings();
            rings.rx.recycle_each(u32::MAX, rings.fill, |_| ()).map_or(0, u64::from)
        });
        taken.sum()
    });
    if all.finish_checksums {
        session.more.push(More {
            key: "checksums_finished",
            json: finished.into(),
            lines: vec![format!("checksums finished: {}", grouped(finished))],
        });
    }
    session.end(outcome, programs)
}

/// Returns whether two interfaces are the ends of one veth pair (or of a netkit one): what is sent on
/// one is received on the other.
fn is_one_cable([a, b]: &[Interface; 2]) -> Result<bool> {
    let info = a.info()?;
    let is_pair = matches!(info.kind.as_deref(), Some("veth" | "netkit"));
    Ok(is_pair && !info.lower_is_elsewhere && info.lower == Some(b.index()))
}

/// Returns sockets on the queues of both interfaces, over one packet memory, which has so many
/// chunks for each queue.
fn bound<S: Forwards>(
    args: &Between<'_>,
    chunks: u32,
    [on_a, on_b]: [&Interface; 2],
    served: &Served,
    stop: &Stop,
) -> Result<Vec<[S; 2]>> {
    let all = chunks.saturating_mul(served.count());
    let memory = port::memory(args.port).chunk_count(all).headroom(args.rx.headroom);
    let (umem, mut pool) = memory.build()?;
    let mut first: Option<SocketHandle> = None;
    let mut open = |place: (&Interface, u32), chunks: u32| -> Result<S> {
        // What a fill ring has no room for stays unused.
        let mut pool = pool.split_off(chunks as usize);
        let Some(with) = &first else {
            let socket: S = registering(args, &umem, &mut pool, place, stop)?;
            first = Some(socket.handle().clone());
            return Ok(socket);
        };
        match sharing(args, with, &mut pool, place, stop) {
            // An older kernel, or a driver without the first one's mode.
            Err(Failure::Xsk(
                Error::NeedsKernel { .. } | Error::Bind { errno: Errno::OPNOTSUPP, .. },
            )) => registering(args, &umem, &mut pool, place, stop),
            result => result,
        }
    };
    served.each_sharing(|queue| {
        let a = open((on_a, queue), chunks / 2)?;
        Ok([a, open((on_b, queue), chunks - chunks / 2)?])
    })
}

/// Returns a socket that registers the packet memory, and receives into the chunks of `pool`.
fn registering<S: Forwards>(
    args: &Between<'_>,
    umem: &Umem,
    pool: &mut FramePool,
    place: (&Interface, u32),
    stop: &Stop,
) -> Result<S> {
    let Between { port, rx, tx, .. } = *args;
    let builder =
        S::forwarder(port::socket(port, umem)).rx_size(rx.rx_ring(port)).fill_size(rx.fill_ring);
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    port::bind_filled(port, builder, pool, place, stop)
}

/// Returns a socket that uses the registration of another one, and receives into the chunks of
/// `pool`.
fn sharing<S: Forwards>(
    args: &Between<'_>,
    with: &SocketHandle,
    pool: &mut FramePool,
    place: (&Interface, u32),
    stop: &Stop,
) -> Result<S> {
    let Between { port, rx, tx, .. } = *args;
    let builder = S::sharing(with.share_memory()).rx_size(rx.rx_ring(port)).fill_size(rx.fill_ring);
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    let unbound = builder.bind_timeout(port.wait().min(BIND_SLICE)).open()?;
    let mut socket = port::bind(unbound, place.0, place.1, port.wait(), stop)?;
    // Not before: the chunks in the fill ring of a socket that is refused would be lost. A driver
    // that found none when it was bound is woken by the loop.
    socket.rings().fill.fill_from(pool, u32::MAX)?;
    Ok(socket)
}

/// Serves all queues in turn.
///
/// Adds to `finished` how many checksums were finished.
fn forward<S: Forwards>(
    all: &Between<'_>,
    pairs: &mut [[S; 2]],
    session: &mut Session<'_>,
    finished: &mut u64,
) -> Result<()> {
    let args = all.port;
    let handles: Vec<SocketHandle> =
        pairs.iter().flatten().map(|socket| socket.handle().clone()).collect();
    let sockets: Vec<&dyn AsFd> = handles.iter().map(|handle| handle as &dyn AsFd).collect();
    let mut directions = Vec::new();
    for ([a, b], handles) in pairs.iter_mut().zip(handles.chunks(2)) {
        let (a, b) = (a.rings(), b.rings());
        directions.push(Direction::new((0, a.rx, a.fill, &handles[0]), (1, b.tx, b.completion)));
        directions.push(Direction::new((1, b.rx, b.fill, &handles[1]), (0, a.tx, a.completion)));
    }
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 && session.goes_on()? {
        let before = left;
        for direction in &mut directions {
            if !direction.lengths.is_empty() {
                direction.wake(args, session)?;
                direction.take_back(args.batch, session)?;
            }
            let most = args.next_batch(left);
            left -= u64::from(match all.finish_checksums {
                true => direction.pass_on(most, session, |frames, umem| {
                    *finished += u64::from(is_finished(frames, umem));
                })?,
                false => direction.pass_on(most, session, |_, _| ())?,
            });
        }
        if left == before {
            for direction in &mut directions {
                let from = direction.from;
                let result = port::look(args, direction.fill, direction.handle);
                session.kicked(from, result)?;
            }
            if args.poll && directions.iter().all(|direction| direction.tx.pending() == 0) {
                let idle = directions.iter().all(|direction| direction.lengths.is_empty());
                session.sleep(&sockets, if idle { Duration::MAX } else { SENDING })?;
            }
        }
    }
    session.drain(|session, side| {
        let (mut back, mut pending) = (0, 0);
        // Those that send there.
        for direction in directions.iter_mut().filter(|direction| direction.to == side) {
            if session.is_ready(side) {
                direction.wake(args, session)?;
            }
            back += direction.take_back(u32::MAX, session)?;
            pending += direction.lengths.packets();
        }
        Ok((back > 0, pending))
    })
}

/// Finishes the checksum of a packet if its sender left that to its card; returns whether that was
/// so. Of a packet in several frames it is left as it is.
fn is_finished(frames: &mut [Frame], umem: &Umem) -> bool {
    match frames {
        [frame] => finish_checksum(umem.bytes_mut(frame)) == Checksum::Finished,
        _ => false,
    }
}

impl<'a, R: RxRing> Direction<'a, R> {
    /// Takes number and rings of the interface that receives, and of the one that sends.
    fn new(
        (from, rx, fill, handle): (usize, &'a mut R, &'a mut Fill, &'a SocketHandle),
        (to, tx, completion): (usize, &'a mut R::Tx, &'a mut Completion),
    ) -> Self {
        Self { from, to, rx, fill, handle, tx, completion, lengths: Lengths::default() }
    }

    /// Sends what was received, after `edit`; returns how many packets.
    fn pass_on(
        &mut self,
        most: u32,
        session: &mut Session<'_>,
        mut edit: impl FnMut(&mut [Frame], &Umem),
    ) -> Result<u32> {
        let Self { rx, tx, lengths, handle, .. } = self;
        let umem = handle.umem();
        let mut bytes = 0;
        let count = rx.forward_each(most, tx, |frames| {
            bytes += bytes_of(frames);
            lengths.push(frames);
            edit(frames, umem);
        })?;
        session.parts[self.from].received(count, bytes);
        Ok(count)
    }

    /// Gives chunks that came back to the fill ring that they are from; returns how many chunks.
    fn take_back(&mut self, most: u32, session: &mut Session<'_>) -> Result<u32> {
        let back = self.completion.reap(most)?.recycle(self.fill)?;
        let (packets, bytes) = self.lengths.came_back(back);
        session.parts[self.from].sent(packets, bytes);
        Ok(back)
    }

    /// Wakes the kernel for the TX ring.
    fn wake(&mut self, args: &PortArgs, session: &mut Session<'_>) -> Result<()> {
        let result = kick(args, self.tx);
        if let Ok(Kick::Busy) = result {
            session.parts[self.from].dropped_bytes += self.lengths.taken_last(self.tx.pending());
        }
        session.kicked(self.to, result)
    }
}
