//! `xsk l2fwd -M`: several sockets on one queue, each of which sends back what it received.

use crate::command_line::{L2fwdArgs, PortArgs};
use crate::failure::Result;
use crate::process::signals::Stop;
use crate::run::counts::{Lengths, Outgoing};
use crate::run::ended::Ended;
use crate::run::port::{self, ActiveProgram, kick};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::traffic::l2fwd::{SENDING, swap_addresses};
use std::os::fd::AsFd;
use std::time::Duration;
use xsk::socket::{SharedCompletion, SharedQueue, SharedRx, SharedSocket};
use xsk::{Attachment, Fill, Kick, SocketHandle, Tx, Umem};

/// The rings of one of the sockets.
struct Rings {
    rx: SharedRx,
    tx: Tx,
    /// The lengths of the packets in the TX ring.
    lengths: Lengths,
}

/// The sockets on the queue, and what they share.
struct Sockets<'a> {
    args: &'a PortArgs,
    umem: Umem,
    rings: Vec<Rings>,
    fill: Fill,
    completion: SharedCompletion,
    outgoing: Outgoing,
    /// Packets whose chunks have not come back.
    sending: u32,
}

pub(crate) fn run(args: &L2fwdArgs, stop: &Stop) -> Result<Ended> {
    let L2fwdArgs { port: args, rx, tx, .. } = args;
    let interface = port::interface(&args.interface)?;
    port::require_ethernet(&interface)?;
    rx.filter.prepare(args, &interface)?;
    let _more = rx.receive_more(&interface)?;
    let (umem, mut pool) = port::umem(args, rx.headroom)?;
    let builder = port::socket(args, &umem);
    let builder = builder.rx_size(rx.rx_ring(args)).fill_size(rx.fill_ring);
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    let socket = port::bind_filled(args, builder, &mut pool, (&interface, args.one_queue()), stop)?;
    let mut queue = socket.share_queue();
    let (rx_size, tx_size) = (rx.rx_ring(args), tx.tx_ring);
    let added = (1..rx.sockets)
        .map(|_| queue.add_socket().rx_size(rx_size).tx_size(tx_size).bind())
        .collect::<xsk::Result<Vec<_>>>()?;
    let register = |program: &Attachment, number: usize, slot| match number.checked_sub(1) {
        None => queue.register(program, slot),
        Some(place) => added[place].register(program, slot),
    };
    let program =
        ActiveProgram::spread(args, &interface, args.one_queue(), rx.sockets, stop, register)?;

    let SharedQueue { rx, tx, fill, completion, handle, .. } = queue;
    let mut handles = vec![handle];
    let mut rings = vec![Rings { rx, tx, lengths: Lengths::default() }];
    for SharedSocket { rx, tx, handle, .. } in added {
        rings.push(Rings { rx, tx, lengths: Lengths::default() });
        handles.push(handle);
    }
    let outgoing = Outgoing::new(&umem);
    let mut sockets = Sockets { args, umem, rings, fill, completion, outgoing, sending: 0 };
    let attachment = Some(program.attachment());
    let title = port::title(args, &interface, &handles, attachment);
    let side = Side::new(args, interface, handles.clone(), title, attachment)?;
    let mut session = Session::new(args, stop, "l2fwd", vec![side])?;
    let outcome = session.begin().and_then(|()| sockets.forward(&handles, &mut session));
    if outcome.is_err() {
        // All that they received was given to the kernel again.
        let counted = session.counted();
        session.pending = counted.rx_packets.saturating_sub(counted.tx_packets);
    }
    session.end(outcome, [program])
}

impl Sockets<'_> {
    /// Serves the sockets in turn.
    fn forward(&mut self, handles: &[SocketHandle], session: &mut Session<'_>) -> Result<()> {
        let args = self.args;
        let handles: Vec<&dyn AsFd> = handles.iter().map(|handle| handle as &dyn AsFd).collect();
        let mut left = args.count.unwrap_or(u64::MAX);
        while left > 0 && session.goes_on()? {
            if self.sending > 0 {
                self.wake(session)?;
                self.take_back(args.batch, session)?;
            }
            let before = left;
            for number in 0..self.rings.len() {
                left -= u64::from(self.pass_on(number, args.next_batch(left), session)?);
            }
            if left == before {
                let result = port::look(args, &mut self.fill, session.handle(0));
                session.kicked(0, result)?;
                if args.poll && self.rings.iter().all(|rings| rings.tx.pending() == 0) {
                    let most = if self.sending > 0 { SENDING } else { Duration::MAX };
                    session.sleep(&handles, most)?;
                }
            }
        }
        session.drain(|session, _| {
            if session.is_ready(0) {
                self.wake(session)?;
            }
            let back = self.take_back(u32::MAX, session)?;
            Ok((back > 0, u64::from(self.sending)))
        })
    }

    /// Sends back what a socket has received; returns how many packets.
    fn pass_on(&mut self, number: usize, most: u32, session: &mut Session<'_>) -> Result<u32> {
        let Self { umem, rings, outgoing, .. } = self;
        let Rings { rx, tx, lengths } = &mut rings[number];
        let mut bytes = 0;
        let count = rx.receive(most)?.forward_each(tx, |frame| {
            bytes += u64::from(frame.len());
            lengths.push(std::slice::from_ref(frame));
            outgoing.note(frame, number);
            swap_addresses(umem.bytes_mut(frame));
        })?;
        session.parts[number].received(count, bytes);
        self.sending += count;
        Ok(count)
    }

    /// Gives chunks that came back to the fill ring; returns how many.
    fn take_back(&mut self, most: u32, session: &mut Session<'_>) -> Result<u32> {
        let mut room = self.fill.reserve(most)?;
        let mut back = 0;
        // No more than there is room for: none is refused.
        for frame in self.completion.reap(room.remaining())? {
            let (len, number) = self.outgoing.came_back(&frame);
            session.parts[number].sent(1, u64::from(len));
            back += 1;
            let _ = room.push(frame);
        }
        self.sending -= back;
        Ok(back)
    }

    /// Wakes the kernel for each TX ring, until the interface turns out not to be ready.
    fn wake(&mut self, session: &mut Session<'_>) -> Result<()> {
        for (number, Rings { tx, lengths, .. }) in self.rings.iter_mut().enumerate() {
            let result = kick(self.args, tx);
            let pending = tx.pending();
            if let Ok(Kick::Busy) = result {
                session.parts[number].dropped_bytes += lengths.taken_last(pending);
            }
            lengths.forget_taken(pending);
            session.kicked(0, result)?;
            if !session.is_ready(0) {
                break;
            }
        }
        Ok(())
    }
}
