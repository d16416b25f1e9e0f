//! `xsk l2fwd`: swap the MAC addresses and send back out of the same port.

use crate::args::PortArgs;
use crate::failure::Result;
use crate::port::{self, ActiveProgram};
use crate::session::Session;
use crate::signals::Stop;
use std::time::Duration;
use xsk::{Interface, Kick, Socket, Tx, Umem};

/// How long to sleep while packets are on their way out, whose chunks are wanted back.
const SENDING: Duration = Duration::from_millis(1);

pub(crate) fn run(args: &PortArgs, stop: &Stop) -> Result<()> {
    let interface = Interface::by_name(&args.interface)?;
    let (umem, mut pool) = port::umem(args)?;
    let mut unbound = port::socket(args, &umem).open()?;
    unbound.fill.fill_from(&mut pool, u32::MAX)?;
    let mut socket = unbound.bind(&interface, args.queue).map_err(xsk::Error::from)?;
    let hold = ActiveProgram::take(args, &interface, |program| socket.register(program))?;
    let program = Some(hold.attachment());
    let title = port::title(&socket.handle, program);
    let handle = socket.handle.clone();
    let mut session = Session::new(args, stop, interface, handle, "l2fwd", program);
    let outcome =
        session.title(&title).and_then(|()| forward(args, &umem, &mut socket, &mut session));
    session.end(outcome, Some(hold))
}

fn forward(
    args: &PortArgs,
    umem: &Umem,
    socket: &mut Socket,
    session: &mut Session<'_>,
) -> Result<()> {
    let Socket { rx, tx, fill, completion, handle, .. } = socket;
    let mut left = args.count.unwrap_or(u64::MAX);
    // Packets whose chunks are not back yet.
    let mut sending = 0_u32;
    while left > 0 && session.goes_on()? {
        if sending > 0 {
            // In copy mode a call for an empty ring is one for nothing; a zero-copy driver may want it to
            // give chunks back.
            if tx.pending() > 0 || handle.is_zero_copy() {
                let _ = kick(args, tx)?;
            }
            let back = completion.reap(args.batch)?.recycle(fill)?;
            sending = sending.saturating_sub(back);
        }
        let batch = u32::try_from(left).map_or(args.batch, |left| left.min(args.batch));
        let mut bytes = 0_u64;
        let count = rx.receive(batch)?.forward_each(tx, |frame| {
            bytes = bytes.wrapping_add(u64::from(frame.len()));
            swap_addresses(umem.bytes_mut(frame));
        })?;
        session.counts.received(count, bytes);
        session.counts.sent(count, bytes);
        sending = sending.saturating_add(count);
        left = left.saturating_sub(u64::from(count));
        if count == 0 {
            fill.kick_if_needed()?;
            if args.poll && tx.pending() == 0 {
                let most = if sending > 0 { SENDING } else { Duration::MAX };
                session.sleep(handle, most)?;
            }
        }
    }
    port::drain(|| {
        let _ = kick(args, tx)?;
        let back = completion.reap(u32::MAX)?.recycle(fill)?;
        sending = sending.saturating_sub(back);
        Ok((back, sending == 0))
    })
}

/// Has the kernel send what is in the TX ring.
pub(crate) fn kick(args: &PortArgs, tx: &mut Tx) -> xsk::Result<Kick> {
    if args.no_need_wakeup { tx.kick() } else { tx.kick_if_needed() }
}

/// Swaps the first two fields of an Ethernet header.
#[inline]
fn swap_addresses(packet: &mut [u8]) {
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
