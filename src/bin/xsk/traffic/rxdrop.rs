//! `xsk rxdrop`: receive and count packets, and give their chunks back.

use crate::command_line::{PortArgs, RxArgs, RxdropArgs};
use crate::failure::Result;
use crate::process::signals::Stop;
use crate::run::ended::Ended;
use crate::run::pace::{Pace, Padded, Work};
use crate::run::port::{self, ActiveProgram};
use crate::run::queues::{Needs, Served};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::{Receives, RxRing, bytes_of};
use std::os::fd::AsFd;
use std::time::Duration;
use xsk::socket::{SharedRx, SharedRxQueue, SharedRxSocket};
use xsk::{Attachment, Fill, Interface, PacketSocket, RxSocket, SocketHandle};

pub(crate) fn run(args: &RxdropArgs, stop: &Stop) -> Result<Ended> {
    let RxdropArgs { port: args, rx } = args;
    if rx.sockets > 1 {
        run_several(args, rx, stop)
    } else if args.frags {
        run_one::<PacketSocket>(args, rx, stop)
    } else {
        run_one::<RxSocket>(args, rx, stop)
    }
}

/// Returns a socket on a queue.
fn bound<S: Receives>(
    args: &PortArgs,
    rx: &RxArgs,
    place: (&Interface, u32),
    stop: &Stop,
) -> Result<S> {
    let (umem, mut pool) = port::umem(args, rx.headroom)?;
    let builder = S::receiver(port::socket(args, &umem));
    let builder = builder.rx_size(rx.rx_ring(args)).fill_size(rx.fill_ring);
    port::bind_filled(args, builder, &mut pool, place, stop)
}

/// Runs with one socket on each queue.
fn run_one<S: Receives>(args: &PortArgs, rx: &RxArgs, stop: &Stop) -> Result<Ended> {
    let interface = port::interface(&args.interface)?;
    let filtering = rx.filter.prepare(args, &interface)?;
    let _more = rx.receive_more(&interface)?;
    let served = Served::of(args, &interface, Needs::Rx)?;
    let sockets: Vec<S> = served.each(|queue| bound(args, rx, (&interface, queue), stop))?;
    let register =
        |program: &Attachment| sockets.iter().map(|socket| socket.register(program)).collect();
    let program = ActiveProgram::take(args, &interface, &filtering, stop, register)?;
    let attachment = Some(program.attachment());
    let (mut receivers, mut handles) = (Vec::new(), Vec::new());
    for socket in sockets {
        let (rx, fill, handle) = socket.into_parts();
        handles.push(handle.clone());
        receivers.push(Padded(Receiver { args, rx, fill, handle }));
    }
    let title = port::title(args, &interface, &handles, attachment);
    let side = Side::new(args, interface, handles, title, attachment)?.filtered(&program);
    let mut session = Session::new(args, stop, "rxdrop", vec![side])?;
    let received = session.begin().and_then(|()| served.run(args, &mut session, &mut receivers));
    session.end(received, [program])
}

/// What receives on one queue.
struct Receiver<'a, R> {
    args: &'a PortArgs,
    rx: R,
    fill: Fill,
    handle: SocketHandle,
}

impl<R: RxRing> Work for Receiver<'_, R> {
    fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
        let Self { args, rx, fill, handle } = self;
        while pace.goes_on()? {
            let mut bytes = 0;
            let most = pace.claim();
            let count = rx.recycle_each(most, fill, |frames| bytes += bytes_of(frames))?;
            pace.counts().received(count, bytes);
            pace.done(most, count);
            if count == 0 {
                pace.kicked(port::look(args, fill, handle))?;
                if args.poll {
                    pace.sleep(handle, Duration::MAX)?;
                }
            }
        }
        Ok(())
    }

    fn pending(&self) -> u64 {
        0
    }
}

/// Runs with several sockets on the queue.
fn run_several(args: &PortArgs, rx: &RxArgs, stop: &Stop) -> Result<Ended> {
    let interface = port::interface(&args.interface)?;
    rx.filter.prepare(args, &interface)?;
    let socket: RxSocket = bound(args, rx, (&interface, args.one_queue()), stop)?;
    let _more = rx.receive_more(&interface)?;
    let mut queue = socket.share_queue();
    let added = (1..rx.sockets).map(|_| queue.add_socket().rx_size(rx.rx_ring(args)).bind());
    let added = added.collect::<xsk::Result<Vec<_>>>()?;
    let register = |program: &Attachment, number: usize, slot| match number.checked_sub(1) {
        None => queue.register(program, slot),
        Some(place) => added[place].register(program, slot),
    };
    let program =
        ActiveProgram::spread(args, &interface, args.one_queue(), rx.sockets, stop, register)?;
    let SharedRxQueue { rx, mut fill, handle, .. } = queue;
    let (mut rings, mut handles) = (vec![rx], vec![handle]);
    for SharedRxSocket { rx, handle, .. } in added {
        rings.push(rx);
        handles.push(handle);
    }
    let attachment = Some(program.attachment());
    let title = port::title(args, &interface, &handles, attachment);
    let side = Side::new(args, interface, handles.clone(), title, attachment)?;
    let mut session = Session::new(args, stop, "rxdrop", vec![side])?;
    let outcome = session
        .begin()
        .and_then(|()| receive_by_all(args, &mut rings, &mut fill, &handles, &mut session));
    session.end(outcome, [program])
}

/// Serves the sockets in turn.
fn receive_by_all(
    args: &PortArgs,
    rings: &mut [SharedRx],
    fill: &mut Fill,
    handles: &[SocketHandle],
    session: &mut Session<'_>,
) -> Result<()> {
    let sockets: Vec<&dyn AsFd> = handles.iter().map(|handle| handle as &dyn AsFd).collect();
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 && session.goes_on()? {
        let before = left;
        for (rx, counts) in rings.iter_mut().zip(&mut session.parts) {
            let mut bytes = 0;
            let batch = rx.receive(args.next_batch(left))?;
            let count = batch.recycle_each(fill, |frame| bytes += u64::from(frame.len()))?;
            counts.received(count, bytes);
            left -= u64::from(count);
        }
        if left == before {
            session.kicked(0, port::look(args, fill, &handles[0]))?;
            if args.poll {
                session.sleep(&sockets, Duration::MAX)?;
            }
        }
    }
    Ok(())
}
