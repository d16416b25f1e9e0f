//! `xsk txonly`: send the same packet as fast as possible.

use crate::args::{PortArgs, TxonlyArgs};
use crate::ended::Ended;
use crate::failure::{Failure, Result};
use crate::packet::ETHERNET_HEADER;
use crate::port::{self, ActiveProgram, DEFAULT_TX_BUDGET, kick};
use crate::session::Session;
use crate::side::Side;
use crate::signals::Stop;
use std::time::Duration;
use xsk::{FramePool, Kick, Tx, TxSocket};

/// Ethernet, IPv4 and UDP headers.
const HEADERS: u32 = 42;
/// How long to sleep while the kernel takes nothing.
const BUSY: Duration = Duration::from_millis(1);

pub(crate) fn run(args: &TxonlyArgs, stop: &Stop) -> Result<Ended> {
    let TxonlyArgs { port, tx, .. } = args;
    let interface = port::interface(&port.interface)?;
    port::require_ethernet(&interface)?;
    let (umem, mut pool) = port::umem(port, 0)?;
    let info = interface.info()?;
    let most = info.mtu.saturating_add(ETHERNET_HEADER).min(umem.chunk_size());
    if args.size < HEADERS || args.size > most {
        return Err(Failure::Text(format!(
            "packets of {} bytes cannot be sent on {}: from {HEADERS} bytes (Ethernet, IPv4 and \
             UDP headers) to {most} (MTU {} with the Ethernet header, chunks of {})",
            args.size,
            info.name,
            info.mtu,
            umem.chunk_size()
        )));
    }
    let packet = packet(args.size, info.mac.unwrap_or([2, 0, 0, 0, 0, 1]));
    umem.for_each_free_chunk(&mut pool, |chunk| {
        chunk[..packet.len()].copy_from_slice(&packet);
    });
    let builder = port::socket(port, &umem).tx_only();
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    let unbound = port::patiently(builder, stop)?;
    let mut socket = port::bind(unbound, &interface, port.queue, port.wait(), stop)?;
    raise_tx_budget(port, &socket)?;
    let builder = || port::attachment(port, &interface);
    let program = ActiveProgram::to_send(builder, &interface, &socket.handle, stop)?;
    if program.is_some() {
        port::wait_for_link(&interface, stop)?;
    }
    let handle = socket.handle.clone();
    let attachment = program.as_ref().map(ActiveProgram::attachment);
    let title = port::title(&interface, &handle, attachment, 1);
    let side = Side::new(interface, vec![handle], title, None)?;
    let mut session = Session::new(port, stop, "txonly", vec![side])?;
    let all = pool.len();
    let outcome = session.begin().and_then(|()| send(args, &mut pool, &mut socket, &mut session));
    if outcome.is_err() {
        session.pending = (all - pool.len()) as u64;
    }
    session.end(outcome, program)
}

/// Lets one wake-up send a whole batch (6.17). Where it sends 32, the TX ring fills up, and every
/// chunk has left the processor's cache before it is used again.
fn raise_tx_budget(port: &PortArgs, socket: &TxSocket) -> Result<()> {
    let size = socket.tx.capacity();
    if port.batch <= DEFAULT_TX_BUDGET || size < DEFAULT_TX_BUDGET {
        return Ok(());
    }
    match socket.handle.set_tx_budget(port.batch.min(size)) {
        Ok(()) | Err(xsk::Error::NeedsKernel { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn send(
    args: &TxonlyArgs,
    pool: &mut FramePool,
    socket: &mut TxSocket,
    session: &mut Session<'_>,
) -> Result<()> {
    let TxSocket { tx, completion, .. } = socket;
    let TxonlyArgs { port, size, .. } = args;
    let all = pool.len();
    let mut left = port.count.unwrap_or(u64::MAX);
    while left > 0 && session.goes_on()? {
        let mut sent = 0;
        if session.is_ready(0) {
            sent = tx.send_from(pool, port.next_batch(left), *size)?;
            left -= u64::from(sent);
            wake(port, tx, session, *size)?;
        } else {
            session.look_at_link(0)?;
        }
        let back = completion.reap_into(pool, port.batch)?;
        session.counts.sent(back, bytes(back, *size));
        if port.poll && sent == 0 && back == 0 {
            // Not by poll(2): that would send what is in the ring, and hide what is dropped.
            session.nap(BUSY);
        }
    }
    session.drain(|session, _| {
        if session.is_ready(0) {
            wake(port, tx, session, *size)?;
        }
        let back = completion.reap_into(pool, u32::MAX)?;
        session.counts.sent(back, bytes(back, *size));
        Ok((back > 0, (all - pool.len()) as u64))
    })
}

/// Wakes the kernel for the TX ring.
#[inline]
fn wake(args: &PortArgs, tx: &mut Tx, session: &mut Session<'_>, size: u32) -> Result<()> {
    let result = kick(args, tx);
    if let Ok(Kick::Busy) = result {
        session.counts.dropped_bytes += u64::from(size);
    }
    session.kicked(0, result)
}

#[inline]
fn bytes(packets: u32, size: u32) -> u64 {
    u64::from(packets) * u64::from(size)
}

/// Returns a UDP packet to the discard port in a network that is reserved for benchmarks
/// (RFC 2544). `size` goes from [`HEADERS`] to a page.
fn packet(size: u32, from: [u8; 6]) -> Vec<u8> {
    // A page is 64 KiB at the most, so that a length without headers has 16 bits.
    let len = |headers: u32| (size - headers) as u16;
    let mut ip = vec![0x45, 0];
    ip.extend(len(ETHERNET_HEADER).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend([198, 18, 0, 1, 198, 18, 0, 2]);
    let words = ip.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    let sum: u32 = words.map(u32::from).sum();
    // Twice: adding the carry may carry again.
    let carried = |sum: u32| (sum & 0xffff) + (sum >> 16);
    let sum = !(carried(carried(sum)) as u16);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![2, 0, 0, 0, 0, 2];
    packet.extend(from);
    packet.extend([8, 0]);
    packet.extend(ip);
    packet.extend([0x10, 0, 0, 9]);
    packet.extend(len(34).to_be_bytes());
    packet.extend([0, 0]);
    packet.resize(size as usize, b'x');
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_is_as_long_as_asked_and_its_header_adds_up() {
        for size in [42, 60, 1514] {
            let packet = packet(size, [2; 6]);
            assert_eq!(packet.len(), size as usize);
            let words = packet[14..34].chunks(2);
            let sum: u32 = words.map(|w| u32::from(w[0]) * 256 + u32::from(w[1])).sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        }
    }
}
