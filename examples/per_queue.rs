//! Receives from every queue of an interface, with a thread for each: `per_queue eth1`.
//!
//! The card spreads its packets over its queues, and a socket receives from one of them. So each
//! thread has a socket and packet memory of its own, and shares nothing with the others but the
//! program on the interface. Counts are printed once a second, and a total at the end, which comes
//! with Ctrl-C or SIGTERM. **All packets are taken**: the kernel's own stack sees none.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xsk::{Interface, MultiQueue, RxSocket, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const BURST: u32 = 64;
/// For each queue: 1 MiB. All of them go to the fill ring.
const CHUNKS: u32 = 512;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("per_queue: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(name) = std::env::args().nth(1) else {
        return Err("usage: per_queue INTERFACE".into());
    };
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let interface = Interface::by_name(&name)?;
    // One program for all queues; in its map, each socket has the slot of its queue.
    let mut all = MultiQueue::builder(&interface)
        .memory(Umem::builder().chunk_size(2048).chunk_count(CHUNKS))
        .socket(|socket| socket.rx_only())
        .open()?;
    if let Some(program) = &all.attachment {
        let (queues, mode) = (all.ports.len(), program.mode());
        eprintln!("{name}: {queues} queues, {mode} mode, {}", program.reason());
    }

    let counts: Vec<AtomicU64> = all.ports.iter().map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        let (stop, mut threads) = (&*stop, Vec::new());
        for (port, count) in all.ports.iter_mut().zip(&counts) {
            threads.push(scope.spawn(move || receive(&mut port.socket, count, stop)));
        }
        let mut printed = Instant::now();
        // A thread that has ended before is one that panicked.
        while !stop.load(Ordering::Relaxed) && !threads.iter().any(|thread| thread.is_finished()) {
            // In short steps, because a signal does not end the sleep.
            thread::sleep(Duration::from_millis(50));
            if printed.elapsed() >= Duration::from_secs(1) {
                printed = Instant::now();
                print("", &counts);
            }
        }
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        print("total ", &counts);
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    Ok(all.close()?)
}

/// Receives from one queue until `stop` is set; sets it when it ends with an error.
fn receive(socket: &mut RxSocket, count: &AtomicU64, stop: &AtomicBool) -> Result<()> {
    let result = receive_until(socket, count, stop);
    if result.is_err() {
        stop.store(true, Ordering::Relaxed);
    }
    result
}

fn receive_until(socket: &mut RxSocket, count: &AtomicU64, stop: &AtomicBool) -> Result<()> {
    let RxSocket { rx, fill, handle, .. } = socket;
    while !stop.load(Ordering::Relaxed) {
        // The packets would be looked at here (`recycle_each`); the chunks go back to the kernel.
        let received = rx.receive(BURST)?.recycle(fill)?;
        count.fetch_add(u64::from(received), Ordering::Relaxed);
        match fill.kick_if_needed() {
            Err(error) if error.is_down() => {} // The link is waited for.
            result => drop(result?),
        }
        // That the interface is removed does not end the wait: hence the timeout.
        if received == 0 && wait(&[&*rx], Some(Duration::from_millis(500)))? == 0 {
            handle.check()?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn print(word: &str, counts: &[AtomicU64]) {
    let counts: Vec<u64> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    let total: u64 = counts.iter().sum();
    println!("{word}{counts:?}, {total} packets");
}
