//! `xsk rxdrop`: receive and count packets, and give their chunks back.

use crate::args::{PortArgs, RxdropArgs};
use crate::ended::Ended;
use crate::failure::Result;
use crate::port::{self, ActiveProgram};
use crate::session::Session;
use crate::signals::Stop;
use std::time::Duration;
use xsk::RxSocket;

pub(crate) fn run(args: &RxdropArgs, stop: &Stop) -> Result<Ended> {
    let RxdropArgs { port: args, rx } = args;
    let interface = port::interface(&args.interface)?;
    let (umem, mut pool) = port::umem(args, rx.headroom)?;
    let builder = port::socket(args, &umem).rx_only();
    let builder = builder.rx_size(rx.rx_ring).fill_size(rx.fill_ring);
    let mut unbound = port::patiently(builder, stop)?;
    unbound.fill.fill_from(&mut pool, u32::MAX)?;
    let mut socket = port::bind(unbound, &interface, args.queue, args.wait(), stop)?;
    let program = ActiveProgram::take(args, &interface, stop, |program| socket.register(program))?;
    let attachment = Some(program.attachment());
    let title = port::title(&interface, &socket.handle, attachment);
    let handle = socket.handle.clone();
    let mut session = Session::new(args, stop, interface, handle, "rxdrop", attachment)?;
    let outcome = session.title(&title).and_then(|()| receive(args, &mut socket, &mut session));
    session.end(outcome, Some(program))
}

fn receive(args: &PortArgs, socket: &mut RxSocket, session: &mut Session<'_>) -> Result<()> {
    let RxSocket { rx, fill, handle, .. } = socket;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 && session.goes_on()? {
        let mut bytes = 0;
        let batch = rx.receive(args.next_batch(left))?;
        let count = batch.recycle_each(fill, |frame| bytes += u64::from(frame.len()))?;
        session.counts.received(count, bytes);
        left -= u64::from(count);
        if count == 0 {
            session.kicked(fill.kick_if_needed())?;
            if args.poll {
                session.sleep(handle, Duration::MAX)?;
            }
        }
    }
    Ok(())
}
