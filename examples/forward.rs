//! Forwards packets between two interfaces, both ways, as a router does: `forward eth1 eth2`.
//!
//! Frames received on one interface are sent on the other one without a copy; the TTL of IPv4 is
//! counted down, and checksums that the sender left to its card are finished. Queue 0 of each
//! interface is served (`ethtool -L eth1 combined 1` makes it the only one).
//!
//! A link that is down is waited for. Ctrl-C and SIGTERM end the program in order: what it attached
//! is detached. With a third argument, `generic`, it attaches in generic mode; then the far end of
//! a veth pair needs `ethtool -K DEVICE tso off gso off` (see `xsk::packet`).

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::packet::finish_checksum;
use xsk::{AttachMode, Attachment, Completion, Fill, FramePool, Interface, Kick};
use xsk::{Registration, Rx, Socket, SocketHandle, Tx, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;
/// The sizes of the rings for chunks to receive into, and for packets to send. (A card in zero-copy
/// mode wants as many chunks as its RX ring has entries: `ethtool -g eth1`.)
const FILL: u32 = 512;
const TX: u32 = 256;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forward: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (a, b, mode) = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [a, b] => (a, b, AttachMode::Auto),
        [a, b, "generic"] => (a, b, AttachMode::Generic),
        _ => return Err("usage: forward INTERFACE INTERFACE [generic]".into()),
    };
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    // One half of the chunks goes from a to b and back, the other one from b to a: however busy one
    // direction is, the other one has chunks. These are 3 MiB. RLIMIT_MEMLOCK counts them for each
    // socket, so 6 MiB of the usual 8.
    let (umem, mut pool_a) =
        Umem::builder().chunk_size(2048).chunk_count(2 * (FILL + TX)).build()?;
    let mut pool_b = pool_a.split_off(pool_a.len() / 2);
    let (a, _slot_a) = open(&umem, &mut pool_a, a, mode)?;
    let (b, _slot_b) = open(&umem, &mut pool_b, b, mode)?;
    let handles = [a.handle.clone(), b.handle.clone()];
    let mut lanes = [
        // Each lane may as well run in a thread of its own.
        Lane::new((a.rx, a.fill), (b.tx, b.completion, b.handle), pool_a),
        Lane::new((b.rx, b.fill), (a.tx, a.completion, a.handle), pool_b),
    ];
    while !stop.load(Ordering::Relaxed) {
        let mut received = 0;
        for lane in &mut lanes {
            received += lane.forward()?;
        }
        // A signal ends the wait. That an interface is removed does not: hence the timeout.
        let [to_b, to_a] = &lanes;
        if received == 0 && wait(&[&to_b.rx, &to_a.rx], Some(Duration::from_millis(100)))? == 0 {
            for handle in &handles {
                handle.check()?;
            }
        }
    }
    Ok(())
}

/// Opens a socket on queue 0 of an interface, ready to receive.
fn open(
    umem: &Umem,
    pool: &mut FramePool,
    name: &str,
    mode: AttachMode,
) -> Result<(Socket, Registration)> {
    let interface = Interface::by_name(name)?;
    let mut socket = Socket::builder(umem).fill_size(FILL).tx_size(TX).open()?;
    socket.fill.fill_from(pool, FILL)?;
    let socket = socket.bind(&interface, 0)?;
    let program = Attachment::builder(&interface).mode(mode).attach()?;
    let slot = socket.register(&program)?;
    eprintln!("{name}: {} mode, {}", program.mode(), program.reason());
    Ok((socket, slot))
}

/// One direction: from the RX ring of one socket to the TX ring of the other one.
struct Lane {
    rx: Rx,
    fill: Fill,
    tx: Tx,
    completion: Completion,
    to: SocketHandle,
    pool: FramePool,
}

impl Lane {
    fn new((rx, fill): (Rx, Fill), to: (Tx, Completion, SocketHandle), pool: FramePool) -> Self {
        let (tx, completion, to) = to;
        Self { rx, fill, tx, completion, to, pool }
    }

    /// Forwards one burst. Returns the number of packets received.
    fn forward(&mut self) -> Result<u32> {
        let Self { rx, fill, tx, completion, to, pool } = self;
        completion.reap_into(pool, BURST)?;
        fill.fill_from(pool, BURST)?;
        let mut out = tx.reserve(BURST)?;
        let mut received = 0;
        for mut frame in rx.receive(BURST)? {
            received += 1;
            let packet = to.umem().bytes_mut(&mut frame);
            finish_checksum(packet);
            // Not sent, or no room in the TX ring: drop the packet, keep the chunk.
            let dropped = if decrement_ttl(packet) { out.push(frame).err() } else { Some(frame) };
            if let Some(frame) = dropped {
                pool.put(frame);
            }
        }
        drop(out); // Submits.
        fill.kick_if_needed()?;
        while tx.pending() > 0 {
            match tx.kick_if_needed() {
                // In copy mode one wake-up sends 32 packets at the most.
                Ok(Kick::Again | Kick::Busy) if completion.reap_into(pool, BURST)? > 0 => {}
                Ok(_) => break,
                // The link is down: what is in the ring waits.
                Err(error) if error.is_down() => break,
                result => drop(result?),
            }
        }
        Ok(received)
    }
}

/// Counts the TTL of an IPv4 packet down and corrects the header's checksum (RFC 1624). Returns
/// `false` if the packet has come to its end. (A router reports that to the sender by ICMP.)
fn decrement_ttl(packet: &mut [u8]) -> bool {
    let Some([0x08, 0x00, header @ ..]) = packet.get_mut(12..) else { return true };
    let [_, _, _, _, _, _, _, _, ttl, _, high, low, ..] = header else { return true };
    if *ttl <= 1 {
        return false;
    }
    *ttl -= 1;
    // The TTL is the upper byte of its word: the word became smaller by 0x100, so the sum, which is
    // inverted, grows by that, with the carry added at the lower end.
    let (sum, carry) = u16::from_be_bytes([*high, *low]).overflowing_add(0x100);
    [*high, *low] = (sum + u16::from(carry)).to_be_bytes();
    true
}
