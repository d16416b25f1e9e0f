//! Forwards packets between two interfaces, both ways, over one UMEM: `forward eth1 eth2`.
//!
//! Frames received on one port are sent on the other one without a copy. Packets without room are
//! dropped; their chunks are kept. The program ends when a port is removed.

use std::time::Duration;
use xsk::{Attachment, FramePool, Interface, Registration, Socket, Umem, wait};

const BURST: u32 = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut names = std::env::args().skip(1);
    let (Some(a), Some(b)) = (names.next(), names.next()) else {
        return Err("usage: forward INTERFACE INTERFACE".into());
    };
    let (umem, mut pool) = Umem::builder().chunk_count(16384).build()?;
    let (mut a, _slot_a) = port(&umem, &mut pool, &a)?;
    let (mut b, _slot_b) = port(&umem, &mut pool, &b)?;
    loop {
        let moved =
            forward(&umem, &mut pool, &mut a, &mut b)? + forward(&umem, &mut pool, &mut b, &mut a)?;
        if moved == 0 {
            wait(&[&a.rx, &b.rx], Some(Duration::from_millis(100)))?;
        }
    }
}

/// A socket on queue 0 of an interface, ready to receive.
fn port(umem: &Umem, pool: &mut FramePool, name: &str) -> xsk::Result<(Socket, Registration)> {
    let interface = Interface::by_name(name)?;
    let mut socket = Socket::builder(umem).open()?;
    socket.fill.fill_from(pool, 4096)?;
    let socket = socket.bind(&interface, 0)?;
    let program = Attachment::builder(&interface).attach()?;
    let slot = socket.register(&program)?;
    eprintln!("{name}: {} mode, {}", program.mode(), program.reason());
    Ok((socket, slot))
}

/// Forwards one burst from one port to another one. Returns the number of packets received.
fn forward(
    umem: &Umem,
    pool: &mut FramePool,
    from: &mut Socket,
    to: &mut Socket,
) -> xsk::Result<u32> {
    to.completion.reap_into(pool, BURST)?;
    from.fill.fill_from(pool, BURST)?;
    let mut out = to.tx.reserve(BURST)?;
    let mut received = 0;
    for mut frame in from.rx.receive(BURST)? {
        decrement_ttl(umem.bytes_mut(&mut frame));
        if let Err(frame) = out.push(frame) {
            pool.put(frame);
        }
        received += 1;
    }
    drop(out);
    to.tx.kick_if_needed()?;
    from.fill.kick_if_needed()?;
    Ok(received)
}

/// An example of what a router does to each packet.
fn decrement_ttl(packet: &mut [u8]) {
    if let Some([0x08, 0x00, header @ ..]) = packet.get_mut(12..) {
        if let Some(ttl) = header.get_mut(8) {
            *ttl = ttl.saturating_sub(1);
        }
    }
}
