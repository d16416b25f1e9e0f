//! Sends packets, and prints when each of them was sent: `tx_times eth1 COUNT`.
//!
//! The time is written by the kernel in copy mode, and by the card in zero-copy mode (Linux 6.8). The
//! packets are UDP datagrams to the discard port of 192.0.2.2, in frames to the broadcast address, whose
//! checksums are left to the device, or to the kernel before one that computes none. (A veth passes them
//! on unfinished: with `software_checksum` in place of `tx_metadata` the kernel finishes them there, too.)
//! Ctrl-C and SIGTERM end the program.
#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use xsk::packet::{TxMetadata, TxTimestamp};
use xsk::{Interface, Socket, Umem};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// UDP over IPv4 over Ethernet, with 18 bytes of zeros.
#[rustfmt::skip]
const PACKET: [u8; 60] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00, // to all, IPv4
    0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0xf6, 0xbb, 192, 0, 2, 1, 192, 0, 2, 2, // 46 bytes, UDP
    0xc0, 0, 0, 9, 0, 26, 0, 0, // ports 49152 and 9, 26 bytes, checksum
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tx_times: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, count] = &args[..] else { return Err("usage: tx_times INTERFACE COUNT".into()) };
    let count: u32 = count.parse().map_err(|error| format!("count {count}: {error}"))?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    // Each frame has 24 bytes before it for what is asked.
    let builder = Umem::builder().chunk_count(64).tx_metadata();
    let (umem, mut pool) = builder.build()?;
    let socket = Socket::builder(&umem).tx_only().bind(&Interface::by_name(name)?, 0)?;
    let (mut tx, mut completion) = socket.tx.with_metadata(socket.completion)?;
    for number in 0..count {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut frame = pool.take().ok_or("all chunks are on their way")?;
        umem.write(&mut frame, &PACKET)?;
        // Puts the sum of the pseudo-header into the packet, which the device completes.
        let asked = TxMetadata::for_transport(umem.bytes_mut(&mut frame)).unwrap_or_default();
        if let Err(refused) = tx.reserve(1)?.push_with(frame, asked.timestamp()) {
            let words = refused.to_string();
            pool.put(refused.frame);
            return Err(words.into());
        }
        let (kicked, start) = (xsk::packet::TxClock::Tai.now(), Instant::now());
        // The packet comes back when it was sent: a link that is down is waited for.
        let sent = loop {
            match tx.kick_if_needed() {
                Err(error) if error.is_down() => {}
                result => drop(result?),
            }
            if let Some((frame, sent)) = completion.reap(1)?.next() {
                pool.put(frame);
                break sent;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if start.elapsed() > Duration::from_millis(1) {
                socket.handle.check()?;
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        println!("packet {number}: {}", words(sent, kicked));
    }
    Ok(())
}

/// Returns a time in words: how long after the kick, if it is of a clock that can be read.
fn words(sent: Option<TxTimestamp>, kicked: Option<u64>) -> String {
    let Some(TxTimestamp { nanoseconds, clock }) = sent else {
        return "the card says no time".to_owned();
    };
    match (clock.now(), kicked) {
        (Some(_), Some(kicked)) => {
            format!(
                "{nanoseconds} ns of {clock:?}, {} ns after the kick",
                nanoseconds.saturating_sub(kicked)
            )
        }
        _ => format!("{nanoseconds} ns of the card's clock"),
    }
}
