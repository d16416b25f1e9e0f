//! `xsk l2fwd -o`: forward between two interfaces over one packet memory.

use crate::command_line::{L2fwdArgs, PortArgs};
use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::run::counts::Lengths;
use crate::run::ended::Ended;
use crate::run::port::{self, ActiveProgram, BIND_SLICE, CHUNKS, kick};
use crate::run::queues::Served;
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::{Forwards, RxRing, TxRing, bytes_of};
use crate::traffic::l2fwd::SENDING;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::time::Duration;
use xsk::{
    Attachment, Completion, Errno, Error, Fill, FramePool, Interface, Kick, SocketHandle, Umem,
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

pub(crate) fn run<S: Forwards>(all: &L2fwdArgs, output: &OsStr, stop: &Stop) -> Result<Ended> {
    let args = &all.port;
    let interfaces = [port::interface(&args.interface)?, port::interface(output)?];
    if interfaces[0] == interfaces[1] {
        return Err(Failure::Text(format!(
            "{} cannot be both interfaces: -i and -o name two",
            interfaces[0]
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
    let more = interfaces.each_ref().map(|interface| all.rx.receive_more(interface));
    let _more = more.into_iter().collect::<Result<Vec<_>>>()?;
    let served = Served::between(args, interfaces.each_ref())?;
    let open = |queue| bound::<S>(all, chunks, (interfaces.each_ref(), queue), stop);
    let mut pairs = served.each(open)?;
    let take = |end: usize| {
        let register =
            |program: &Attachment| pairs.iter().map(|pair| pair[end].register(program)).collect();
        ActiveProgram::take(args, &interfaces[end], &filters[end], stop, register)
    };
    let programs = [take(0)?, take(1)?];
    let handles = [0, 1].map(|end| pairs.iter().map(|pair| pair[end].handle().clone()).collect());
    let ends = interfaces.into_iter().zip(handles).zip(&programs);
    let sides = ends.map(|((interface, handles), program): ((_, Vec<SocketHandle>), _)| {
        let attachment = Some(program.attachment());
        let title = port::title(args, &interface, &handles, attachment);
        Ok(Side::new(args, interface, handles, title, attachment)?.filtered(program))
    });
    let mut session = Session::new(args, stop, "l2fwd", sides.collect::<Result<_>>()?)?;
    let outcome = session.begin().and_then(|()| {
        served.note_left_out(&session);
        forward(args, &mut pairs, &mut session)
    });
    if outcome.is_err() {
        // All that was received was given to the kernel again.
        let counted = session.counted();
        session.pending = counted.rx_packets.saturating_sub(counted.tx_packets);
    }
    session.end(outcome, programs)
}

/// Returns sockets on a queue of both interfaces, over one packet memory.
fn bound<S: Forwards>(
    args: &L2fwdArgs,
    chunks: u32,
    ([on_a, on_b], queue): ([&Interface; 2], u32),
    stop: &Stop,
) -> Result<[S; 2]> {
    let memory = port::memory(&args.port).chunk_count(chunks).headroom(args.rx.headroom);
    let (umem, mut pool) = memory.build()?;
    // What a fill ring has no room for stays unused.
    let mut half = pool.split_off(pool.len() / 2);
    let a: S = registering(args, &umem, &mut half, (on_a, queue), stop)?;
    let b: S = match sharing(args, a.handle(), &mut pool, (on_b, queue), stop) {
        // An older kernel, or a driver without the first one's mode.
        Err(Failure::Xsk(
            Error::NeedsKernel { .. } | Error::Bind { errno: Errno::OPNOTSUPP, .. },
        )) => registering(args, &umem, &mut pool, (on_b, queue), stop),
        result => result,
    }?;
    Ok([a, b])
}

/// Returns a socket that registers the packet memory, and receives into the chunks of `pool`.
fn registering<S: Forwards>(
    args: &L2fwdArgs,
    umem: &Umem,
    pool: &mut FramePool,
    place: (&Interface, u32),
    stop: &Stop,
) -> Result<S> {
    let L2fwdArgs { port, rx, tx, .. } = args;
    let builder =
        S::forwarder(port::socket(port, umem)).rx_size(rx.rx_ring(port)).fill_size(rx.fill_ring);
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    port::bind_filled(port, builder, pool, place, stop)
}

/// Returns a socket that uses the registration of another one, and receives into the chunks of
/// `pool`.
fn sharing<S: Forwards>(
    args: &L2fwdArgs,
    with: &SocketHandle,
    pool: &mut FramePool,
    place: (&Interface, u32),
    stop: &Stop,
) -> Result<S> {
    let L2fwdArgs { port, rx, tx, .. } = args;
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
fn forward<S: Forwards>(
    args: &PortArgs,
    pairs: &mut [[S; 2]],
    session: &mut Session<'_>,
) -> Result<()> {
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
            left -= u64::from(direction.pass_on(args.next_batch(left), session)?);
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

impl<'a, R: RxRing> Direction<'a, R> {
    /// Takes number and rings of the interface that receives, and of the one that sends.
    fn new(
        (from, rx, fill, handle): (usize, &'a mut R, &'a mut Fill, &'a SocketHandle),
        (to, tx, completion): (usize, &'a mut R::Tx, &'a mut Completion),
    ) -> Self {
        Self { from, to, rx, fill, handle, tx, completion, lengths: Lengths::default() }
    }

    /// Sends what was received; returns how many packets.
    fn pass_on(&mut self, most: u32, session: &mut Session<'_>) -> Result<u32> {
        let Self { rx, tx, lengths, .. } = self;
        let mut bytes = 0;
        let count = rx.forward_each(most, tx, |frames| {
            bytes += bytes_of(frames);
            lengths.push(frames);
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
