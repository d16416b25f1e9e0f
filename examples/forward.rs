//! Forwards packets between two interfaces, both ways, over one UMEM: `forward eth1 eth2`.
//!
//! Frames received on one port are sent on the other one without a copy. Packets without room are
//! dropped; their chunks are kept. The program ends when a port is removed.

use std::time::Duration;
use xsk::{Attachment, FramePool, Interface, Kick, Registration, Socket, Umem, wait};

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
            for port in [&a, &b] {
                if let Some(errno) = port.handle.take_error()? {
                    return Err(format!("{}: {errno}", port.handle.interface()).into());
                }
            }
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
    // In copy mode one wake-up sends 32 packets at the most.
    while to.tx.kick_if_needed()? == Kick::Again {
        if to.completion.reap_into(pool, BURST)? == 0 {
            break;
        }
    }
    from.fill.kick_if_needed()?;
    Ok(received)
}

/// What a router does to each packet, as an example: counts the TTL of an IPv4 packet down and
/// corrects the header's checksum (RFC 1624).
fn decrement_ttl(packet: &mut [u8]) {
    let Some([0x08, 0x00, header @ ..]) = packet.get_mut(12..) else { return };
    let [_, _, _, _, _, _, _, _, ttl @ 1..=255, _, high, low, ..] = header else { return };
    *ttl -= 1;
    // The TTL is the upper byte of its word: the word became smaller by 0x100, so the sum, which is
    // inverted, grows by that, with the carry added at the lower end.
    let (sum, carry) = u16::from_be_bytes([*high, *low]).overflowing_add(0x100);
    [*high, *low] = (sum + u16::from(carry)).to_be_bytes();
}

#[cfg(test)]
mod tests {
    use super::decrement_ttl;

    /// The checksum of an IPv4 header, or 0 if it has its checksum.
    fn checksum(header: &[u8]) -> u16 {
        let words =
            header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
        let sum: u32 = words.sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        !((folded & 0xffff) + (folded >> 16)) as u16
    }

    #[test]
    fn the_checksum_stays_right_for_every_ttl() {
        for id in 0..=u16::MAX {
            let ttl = (id % 255) as u8 + 1;
            let mut packet = vec![0; 12];
            packet.extend([8, 0, 0x45, 0, 0, 84, (id >> 8) as u8, id as u8, 0x40, 0, ttl, 1, 0, 0]);
            packet.extend([10, 1, 0, 1, 10, 1, 0, 2]);
            let sum = checksum(&packet[14..]);
            packet[24..26].copy_from_slice(&sum.to_be_bytes());
            decrement_ttl(&mut packet);
            assert_eq!((packet[22], checksum(&packet[14..])), (ttl - 1, 0), "{id}");
        }
    }
}
