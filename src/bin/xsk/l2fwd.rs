//! `xsk l2fwd`: swap the MAC addresses of packets and send them back out of the same port.

use crate::args::{L2fwdArgs, PortArgs};
use crate::counts::Lengths;
use crate::ended::Ended;
use crate::failure::Result;
use crate::port::{self, ActiveProgram, kick};
use crate::session::Session;
use crate::side::Side;
use crate::signals::Stop;
use std::time::Duration;
use xsk::{Kick, Socket, Tx, Umem};

/// How long to sleep while packets are being sent, whose chunks are wanted back.
pub(crate) const SENDING: Duration = Duration::from_millis(1);

pub(crate) fn run(args: &L2fwdArgs, stop: &Stop) -> Result<Ended> {
    let L2fwdArgs { port: args, rx, tx, .. } = args;
    let interface = port::interface(&args.interface)?;
    port::require_ethernet(&interface)?;
    let (umem, mut pool) = port::umem(args, rx.headroom)?;
    let builder = port::socket(args, &umem);
    let builder = builder.rx_size(rx.rx_ring).fill_size(rx.fill_ring);
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    let mut unbound = port::patiently(builder, stop)?;
    unbound.fill.fill_from(&mut pool, u32::MAX)?;
    let mut socket = port::bind(unbound, &interface, args.queue, args.wait(), stop)?;
    let program = ActiveProgram::take(args, &interface, stop, |program| socket.register(program))?;
    let attachment = Some(program.attachment());
    let handle = socket.handle.clone();
    let title = port::title(&interface, &handle, attachment, 1);
    let side = Side::new(interface, vec![handle], title, attachment)?;
    let mut session = Session::new(args, stop, "l2fwd", vec![side])?;
    let outcome = session.begin().and_then(|()| forward(args, &umem, &mut socket, &mut session));
    if outcome.is_err() {
        // All that it received was given to the kernel again.
        session.pending = session.counts.rx_packets.saturating_sub(session.counts.tx_packets);
    }
    session.end(outcome, [program])
}

fn forward(
    args: &PortArgs,
    umem: &Umem,
    socket: &mut Socket,
    session: &mut Session<'_>,
) -> Result<()> {
    let Socket { rx, tx, fill, completion, handle, .. } = socket;
    let mut left = args.count.unwrap_or(u64::MAX);
    // Packets whose chunks have not come back.
    let (mut sending, mut lengths) = (0, Lengths::default());
    while left > 0 && session.goes_on()? {
        if sending > 0 {
            wake(args, tx, session, &lengths)?;
            let back = completion.reap(args.batch)?.recycle(fill)?;
            session.counts.sent(back, lengths.came_back(back));
            sending -= back;
        }
        let mut bytes = 0;
        let count = rx.receive(args.next_batch(left))?.forward_each(tx, |frame| {
            bytes += u64::from(frame.len());
            lengths.push(frame.len());
            swap_addresses(umem.bytes_mut(frame));
        })?;
        session.counts.received(count, bytes);
        sending += count;
        left -= u64::from(count);
        if count == 0 {
            session.kicked(0, fill.kick_if_needed())?;
            if args.poll && tx.pending() == 0 {
                let most = if sending > 0 { SENDING } else { Duration::MAX };
                session.sleep(&[handle], most)?;
            }
        }
    }
    session.drain(|session, _| {
        if session.is_ready(0) {
            wake(args, tx, session, &lengths)?;
        }
        let back = completion.reap(u32::MAX)?.recycle(fill)?;
        session.counts.sent(back, lengths.came_back(back));
        sending -= back;
        Ok((back > 0, u64::from(sending)))
    })
}

/// Wakes the kernel for the TX ring.
#[inline]
fn wake(args: &PortArgs, tx: &mut Tx, session: &mut Session<'_>, lengths: &Lengths) -> Result<()> {
    let result = kick(args, tx);
    if let Ok(Kick::Busy) = result {
        session.counts.dropped_bytes += lengths.taken_last(tx.pending());
    }
    session.kicked(0, result)
}

/// Swaps the first two fields of an Ethernet header.
#[inline]
pub(crate) fn swap_addresses(packet: &mut [u8]) {
    let Some((to, rest)) = packet.split_first_chunk_mut::<6>() else {
        return;
    };
    if let Some(from) = rest.first_chunk_mut::<6>() {
        std::mem::swap(to, from);
    }
}

#[cfg(test)]
mod tests {
    use super::swap_addresses;

    #[test]
    fn addresses_change_places_and_nothing_else_does() {
        let mut packet = *b"to-to-from--type";
        swap_addresses(&mut packet);
        assert_eq!(&packet, b"from--to-to-type");
        let mut short = *b"to-to-from-";
        swap_addresses(&mut short);
        assert_eq!(&short, b"to-to-from-");
    }
}
