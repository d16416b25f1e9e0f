//! `xsk l2fwd`: swap the MAC addresses of packets and send them back out of the same port.

use crate::args::{L2fwdArgs, PortArgs};
use crate::counts::Lengths;
use crate::ended::Ended;
use crate::failure::Result;
use crate::port::{self, ActiveProgram, kick};
use crate::session::Session;
use crate::side::Side;
use crate::signals::Stop;
use crate::sockets::{Forwards, Rings, RxRing, TxRing, bytes_of};
use std::time::Duration;
use xsk::{Kick, Umem};

/// How long to sleep while packets are being sent, whose chunks are wanted back.
pub(crate) const SENDING: Duration = Duration::from_millis(1);

pub(crate) fn run<S: Forwards>(args: &L2fwdArgs, stop: &Stop) -> Result<Ended> {
    let L2fwdArgs { port: args, rx, tx, .. } = args;
    let interface = port::interface(&args.interface)?;
    port::require_ethernet(&interface)?;
    let _more = rx.receive_more(&interface)?;
    let (umem, mut pool) = port::umem(args, rx.headroom)?;
    let builder = S::forwarder(port::socket(args, &umem));
    let builder = builder.rx_size(rx.rx_ring(args)).fill_size(rx.fill_ring);
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    let mut socket = port::bind_filled(args, builder, &mut pool, &interface, stop)?;
    let program = ActiveProgram::take(args, &interface, stop, |program| socket.register(program))?;
    let attachment = Some(program.attachment());
    let handle = socket.handle().clone();
    let title = port::title(args, &interface, &handle, attachment, 1);
    let side = Side::new(args, interface, vec![handle], title, attachment)?;
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
    socket: &mut impl Forwards,
    session: &mut Session<'_>,
) -> Result<()> {
    let handle = socket.handle().clone();
    let Rings { rx, tx, fill, completion } = socket.rings();
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut lengths = Lengths::default();
    while left > 0 && session.goes_on()? {
        if !lengths.is_empty() {
            wake(args, tx, session, &lengths)?;
            let back = completion.reap(args.batch)?.recycle(fill)?;
            let (packets, bytes) = lengths.came_back(back);
            session.counts.sent(packets, bytes);
        }
        let mut bytes = 0;
        let count = rx.forward_each(args.next_batch(left), tx, |frames| {
            bytes += bytes_of(frames);
            lengths.push(frames);
            if let Some(first) = frames.first_mut() {
                swap_addresses(umem.bytes_mut(first));
            }
        })?;
        session.counts.received(count, bytes);
        left -= u64::from(count);
        if count == 0 {
            session.kicked(0, port::look(args, fill, &handle))?;
            if args.poll && tx.pending() == 0 {
                let most = if lengths.is_empty() { Duration::MAX } else { SENDING };
                session.sleep(&[&handle], most)?;
            }
        }
    }
    session.drain(|session, _| {
        if session.is_ready(0) {
            wake(args, tx, session, &lengths)?;
        }
        let back = completion.reap(u32::MAX)?.recycle(fill)?;
        let (packets, bytes) = lengths.came_back(back);
        session.counts.sent(packets, bytes);
        Ok((back > 0, lengths.packets()))
    })
}

/// Wakes the kernel for the TX ring.
#[inline]
fn wake(
    args: &PortArgs,
    tx: &mut impl TxRing,
    session: &mut Session<'_>,
    lengths: &Lengths,
) -> Result<()> {
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
