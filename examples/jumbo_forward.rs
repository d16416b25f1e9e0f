//! Forwards packets of up to 9000 bytes between two interfaces, both ways: `jumbo_forward eth1 eth2`.
//!
//! A packet that does not fit a chunk comes in several frames (Linux 6.6) and goes on in the same ones,
//! unread: nothing is copied here. One registration of the packet memory serves both sockets. The
//! interfaces keep their MTU: `ip link set dev eth1 mtu 9000`. Queue 0 of each is served. A link that
//! is down is waited for. Ctrl-C and SIGTERM end the program, which says where the chunks are then.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::socket::{PacketRx, PacketTx};
use xsk::{Attachment, Completion, Fill, FramePool, Interface, Kick, Registration};
use xsk::{PacketSocket, Socket, Umem, XdpMode, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;
/// Chunks of each direction: both together are 8 MiB, the usual limit of locked memory.
const CHUNKS: u32 = 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jumbo_forward: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [a, b] = &args[..] else { return Err("usage: jumbo_forward INTERFACE INTERFACE".into()) };
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let (umem, mut pool_a) = Umem::builder().chunk_count(2 * CHUNKS).build()?;
    let mut pool_b = pool_a.split_off(pool_a.len() / 2);
    let (a, b) = (Interface::by_name(a)?, Interface::by_name(b)?);
    // RX rings that have room for every chunk never cut a packet, whatever the kernel (6.18.17).
    let builder = Socket::builder(&umem).multi_buffer().rx_size(2 * CHUNKS).fill_size(CHUNKS);
    let mut unbound = builder.open()?;
    unbound.fill.fill_from(&mut pool_a, CHUNKS)?;
    let on_a = unbound.bind(&a, 0)?;
    let builder = on_a.handle.share_memory().multi_buffer();
    let mut unbound = builder.rx_size(2 * CHUNKS).fill_size(CHUNKS).open()?;
    unbound.fill.fill_from(&mut pool_b, CHUNKS)?;
    let on_b = unbound.bind(&b, 0)?;
    let slots = [register(&a, &on_a)?, register(&b, &on_b)?];

    let handles = [on_a.handle, on_b.handle];
    let mut lanes = [
        Lane {
            rx: on_a.rx,
            fill: on_a.fill,
            tx: on_b.tx,
            completion: on_b.completion,
            pool: pool_a,
        },
        Lane {
            rx: on_b.rx,
            fill: on_b.fill,
            tx: on_a.tx,
            completion: on_a.completion,
            pool: pool_b,
        },
    ];
    let mut packets = [0_u64; 2];
    while !stop.load(Ordering::Relaxed) {
        let mut forwarded = 0;
        for (lane, packets) in lanes.iter_mut().zip(&mut packets) {
            let count = lane.forward()?;
            *packets += u64::from(count);
            forwarded += count;
        }
        // A signal ends the wait. That an interface is removed does not: hence the timeout.
        let [to_b, to_a] = &lanes;
        if forwarded == 0 && wait(&[&to_b.rx, &to_a.rx], Some(Duration::from_millis(100)))? == 0 {
            for handle in &handles {
                handle.check()?;
            }
        }
    }
    // No packet comes any more; those that came go on.
    for slot in slots {
        slot.close()?;
    }
    for lane in &mut lanes {
        while lane.forward()? > 0 {}
    }
    let home: usize = lanes.iter().map(Lane::chunks_at_home).sum();
    let [to_b, to_a] = packets;
    eprintln!("{to_b} packets to {b}, {to_a} to {a}; {home} of {} chunks home", umem.chunk_count());
    Ok(())
}

/// Brings the packets of a queue to a socket.
fn register(interface: &Interface, socket: &PacketSocket) -> Result<Registration> {
    // In native mode the program, too, has to be one for packets of several frames.
    let program = Attachment::builder(interface).frags(true).attach()?;
    eprintln!("{interface}: {} mode, {}", program.mode(), program.reason());
    if program.frags() == Some(false) && program.mode() == XdpMode::Native {
        eprintln!("{interface}: the program that was there takes no packets of several frames");
    }
    Ok(socket.register(&program)?)
}

/// One direction: from the RX ring of one socket to the TX ring of the other one. A lane may as well
/// run in a thread of its own.
struct Lane {
    rx: PacketRx,
    fill: Fill,
    tx: PacketTx,
    completion: Completion,
    pool: FramePool,
}

impl Lane {
    /// Forwards one burst. Returns the number of packets.
    fn forward(&mut self) -> Result<u32> {
        let Self { rx, fill, tx, completion, pool } = self;
        // Counted in chunks: a packet of 9000 bytes has three.
        completion.reap_into(pool, 4 * BURST)?;
        fill.fill_from(pool, 4 * BURST)?;
        // Counted in packets. What the TX ring has no room for stays in the RX ring.
        let forwarded = rx.receive(BURST)?.forward(tx)?;
        match fill.kick_if_needed() {
            Err(error) if error.is_down() => {} // The link is waited for.
            result => drop(result?),
        }
        while tx.pending() > 0 {
            match tx.kick_if_needed() {
                // In copy mode one wake-up takes 32 descriptors at the most.
                Ok(Kick::Again | Kick::Busy) if completion.reap_into(pool, 4 * BURST)? > 0 => {}
                Ok(_) => break,
                Err(error) if error.is_down() => break,
                result => drop(result?),
            }
        }
        Ok(forwarded)
    }

    /// Returns how many chunks are free, or wait in the fill ring for packets.
    fn chunks_at_home(&self) -> usize {
        self.pool.len() + self.fill.pending() as usize
    }
}
