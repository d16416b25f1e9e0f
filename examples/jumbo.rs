//! Receives jumbo frames from one queue, and prints a line for each packet: `jumbo eth1 0`.
//!
//! A packet that does not fit a chunk comes in several frames (Linux 6.6), each of which is a chunk:
//! its length, how many frames there are, and its first bytes are printed. The interface keeps its
//! MTU: `ip link set dev eth1 mtu 9000`. It ends with Ctrl-C or SIGTERM. **All packets of the queue
//! are taken**: the kernel's own stack sees none of them.
#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::{Attachment, Interface, PacketSocket, Socket, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;
/// 8 MiB: the usual limit of locked memory.
const CHUNKS: u32 = 2048;
/// How many bytes of each packet are printed.
const SHOWN: usize = 32;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jumbo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, queue] = &args[..] else { return Err("usage: jumbo INTERFACE QUEUE".into()) };
    let queue = queue.parse().map_err(|error| format!("queue {queue}: {error}"))?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let interface = Interface::by_name(name)?;
    let (umem, mut pool) = Umem::builder().chunk_count(CHUNKS).build()?;
    // An RX ring that has room for every chunk never cuts a packet, whatever the kernel (6.18.17).
    let builder = Socket::builder(&umem).multi_buffer().rx_size(CHUNKS).fill_size(CHUNKS);
    let mut socket = builder.open()?;
    socket.fill.fill_from(&mut pool, CHUNKS)?;
    let socket = socket.bind(&interface, queue)?;
    // In native mode the program, too, has to be one for packets of several frames.
    let program = Attachment::builder(&interface).frags(true).attach()?;
    let _registration = socket.register(&program)?;
    eprintln!("{name}: {} mode, {}", program.mode(), program.reason());

    let PacketSocket { mut rx, mut fill, handle, .. } = socket;
    while !stop.load(Ordering::Relaxed) {
        // Shows the frames of each packet, and gives their chunks back to the kernel.
        let received = rx.receive(BURST)?.recycle_each(&mut fill, |frames| {
            let bytes = umem.packet_bytes(frames);
            let (len, count) = (bytes.remaining(), frames.len());
            // As one slice, wherever the frames lie; `bytes` is also a `std::io::Read`.
            let mut first = [0; SHOWN];
            let shown = bytes.copy_to(&mut first);
            println!("{len} bytes in {count} frames: {:02x?}", &first[..shown]);
        })?;
        match fill.kick_if_needed() {
            Err(error) if error.is_down() => {} // The link is waited for.
            result => drop(result?),
        }
        // A signal ends the wait. That the interface is removed does not: hence the timeout.
        if received == 0 && wait(&[&rx], Some(Duration::from_millis(100)))? == 0 {
            handle.check()?;
        }
    }
    Ok(())
}
