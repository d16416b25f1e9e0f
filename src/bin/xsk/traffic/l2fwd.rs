//! `xsk l2fwd`: swap the MAC addresses of packets and send them back out of the same port.

use crate::command_line::{L2fwdArgs, PortArgs};
use crate::failure::Result;
use crate::process::signals::Stop;
use crate::run::counts::Lengths;
use crate::run::ended::Ended;
use crate::run::pace::{Pace, Padded, Work};
use crate::run::port::{self, ActiveProgram, kick};
use crate::run::queues::{Needs, Served};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::{Forwards, Rings, RxRing, TxRing, bytes_of};
use std::time::Duration;
use xsk::{Attachment, Interface, Kick, Umem};

/// How long to sleep while packets are being sent, whose chunks are wanted back.
pub(crate) const SENDING: Duration = Duration::from_millis(1);

pub(crate) fn run<S: Forwards>(args: &L2fwdArgs, stop: &Stop) -> Result<Ended> {
    let port = &args.port;
    let interface = port::interface(&port.interface)?;
    port::require_ethernet(&interface)?;
    let filtering = args.rx.filter.prepare(port, &interface)?;
    let _more = args.rx.receive_more(&interface)?;
    let served = Served::of(port, &interface, Needs::Both)?;
    let open = |queue| Forwarder::<S>::bound(args, &interface, queue, stop).map(Padded);
    let mut forwarders = served.each(open)?;
    let register = |program: &Attachment| {
        forwarders.iter().map(|Padded(forwarder)| forwarder.socket.register(program)).collect()
    };
    let program = ActiveProgram::take(port, &interface, &filtering, stop, register)?;
    let attachment = Some(program.attachment());
    let handles: Vec<_> =
        forwarders.iter().map(|Padded(one)| one.socket.handle().clone()).collect();
    let title = port::title(port, &interface, &handles, attachment);
    let side = Side::new(port, interface, handles, title, attachment)?.filtered(&program);
    let mut session = Session::new(port, stop, "l2fwd", vec![side])?;
    let outcome = session.begin().and_then(|()| served.run(port, &mut session, &mut forwarders));
    session.end(outcome, [program])
}

/// What forwards the packets of one queue.
struct Forwarder<'a, S> {
    args: &'a PortArgs,
    umem: Umem,
    socket: S,
    /// Those of packets whose chunks have not come back.
    lengths: Lengths,
}

impl<'a, S: Forwards> Forwarder<'a, S> {
    /// Returns one with a socket on a queue.
    fn bound(args: &'a L2fwdArgs, interface: &Interface, queue: u32, stop: &Stop) -> Result<Self> {
        let L2fwdArgs { port: args, rx, tx, .. } = args;
        let (umem, mut pool) = port::umem(args, rx.headroom)?;
        let builder = S::forwarder(port::socket(args, &umem));
        let builder = builder.rx_size(rx.rx_ring(args)).fill_size(rx.fill_ring);
        let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
        let socket = port::bind_filled(args, builder, &mut pool, (interface, queue), stop)?;
        Ok(Self { args, umem, socket, lengths: Lengths::default() })
    }
}

impl<S: Forwards> Work for Forwarder<'_, S> {
    fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
        let Self { args, umem, socket, lengths } = self;
        let handle = socket.handle().clone();
        let Rings { rx, tx, fill, completion } = socket.rings();
        while pace.goes_on()? {
            if !lengths.is_empty() {
                wake(args, tx, pace, lengths)?;
                let back = completion.reap(args.batch)?.recycle(fill)?;
                let (packets, bytes) = lengths.came_back(back);
                pace.counts().sent(packets, bytes);
            }
            let mut bytes = 0;
            let most = pace.claim();
            let count = rx.forward_each(most, tx, |frames| {
                bytes += bytes_of(frames);
                lengths.push(frames);
                if let Some(first) = frames.first_mut() {
                    swap_addresses(umem.bytes_mut(first));
                }
            })?;
            pace.counts().received(count, bytes);
            pace.done(most, count);
            if count == 0 {
                pace.kicked(port::look(args, fill, &handle))?;
                if args.poll && tx.pending() == 0 {
                    let most = if lengths.is_empty() { Duration::MAX } else { SENDING };
                    pace.sleep(&handle, most)?;
                }
            }
        }
        pace.drain(|pace| {
            if pace.is_ready() {
                wake(args, tx, pace, lengths)?;
            }
            let back = completion.reap(u32::MAX)?.recycle(fill)?;
            let (packets, bytes) = lengths.came_back(back);
            pace.counts().sent(packets, bytes);
            Ok((back > 0, lengths.packets()))
        })
    }

    /// All that was received was given to the kernel again.
    fn pending(&self) -> u64 {
        self.lengths.packets()
    }
}

/// Wakes the kernel for the TX ring.
#[inline(always)]
pub(crate) fn wake(
    args: &PortArgs,
    tx: &mut impl TxRing,
    pace: &mut impl Pace,
    lengths: &Lengths,
) -> Result<()> {
    let result = kick(args, tx);
    if let Ok(Kick::Busy) = result {
        pace.counts().dropped_bytes += lengths.taken_last(tx.pending());
    }
    pace.kicked(result)
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
