//! Serves one queue with several threads: `workers eth1 7777 4` is a UDP echo on port 7777 whose
//! packets four workers look at.
//!
//! Each worker has a socket on queue 0, with an RX and a TX ring of its own, and a program gives
//! each flow to one of them. The queue has one fill and one completion ring, which belong to one
//! thread: the owner, here the main thread. The chunks go round:
//!
//! ```text
//! owner's pool --fill ring--> kernel --RX rings--> workers --TX rings--> kernel --completion--> owner
//!                                                     \----- pool of chunks, by a channel ----> owner
//! ```
//!
//! A worker puts the chunks of packets that it does not send into a pool, and sends the whole pool
//! to the owner, once for each burst. It neither waits nor allocates for that: it has a second pool
//! meanwhile, and the owner sends the first one back, empty. **All packets of the queue are
//! taken**: the kernel's own stack sees none, ARP included. Ctrl-C and SIGTERM end it in order.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use xsk::bpf::{Spread, XskMap};
use xsk::packet::finish_checksum;
use xsk::socket::{SharedCompletion, SharedRx};
use xsk::{Attachment, Fill, FramePool, Interface, Socket, SocketHandle, Tx, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// In copy mode one wake-up sends so many.
const BURST: u32 = 32;
/// 4 MiB. The fill ring takes them all.
const CHUNKS: u32 = 2048;
/// How long a thread sleeps that has nothing to do, and one that waits for others.
const IDLE: Duration = Duration::from_millis(100);
const BRIEF: Duration = Duration::from_millis(1);

/// What a worker tells the owner after a burst.
struct Handover {
    worker: usize,
    /// Chunks to be filled again. The owner sends the pool back, empty.
    pool: FramePool,
    /// How many packets were sent, whose chunks come back in the completion ring.
    sent: u32,
}

struct Worker {
    number: usize,
    rx: SharedRx,
    tx: Tx,
    handle: SocketHandle,
    pool: FramePool,
    full: SyncSender<Handover>,
    /// A second pool is always here or with the owner, so that no worker waits for its own.
    empty: Receiver<FramePool>,
}

struct Owner {
    fill: Fill,
    completion: SharedCompletion,
    pool: FramePool,
    full: Receiver<Handover>,
    /// To each worker.
    empty: Vec<SyncSender<FramePool>>,
}

/// Ends all threads when one ends, with an error or by a panic.
struct EndsAll<'a>(&'a AtomicBool);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workers: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, udp_port, count] = &args[..] else {
        return Err("usage: workers INTERFACE PORT WORKERS".into());
    };
    let udp_port: u16 = udp_port.parse().map_err(|error| format!("port {udp_port}: {error}"))?;
    let count: u32 = count.parse().map_err(|error| format!("workers {count}: {error}"))?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let interface = Interface::by_name(name)?;
    let spread = Spread::new(count)?;
    let (umem, mut pool) = Umem::builder().chunk_size(2048).chunk_count(CHUNKS).build()?;
    let mut socket = Socket::builder(&umem).open()?;
    socket.fill.fill_from(&mut pool, CHUNKS)?;
    let mut queue = socket.bind(&interface, 0)?.share_queue();
    let added = (1..count).map(|_| queue.add_socket().bind()).collect::<xsk::Result<Vec<_>>>()?;

    // Packets of other queues go to the kernel's stack.
    let map = XskMap::create(XskMap::DEFAULT_NAME, spread.slots(1)?)?;
    let builder = Attachment::builder(&interface).program(spread.load(&map)?, map);
    let program = builder.take_over(true).attach()?; // Also what a kill has left.
    let mut registrations = vec![queue.register(&program, spread.slot(0, 0)?)?];
    for (socket, number) in added.iter().zip(1..) {
        registrations.push(socket.register(&program, spread.slot(0, number)?)?);
    }
    eprintln!("{name}: {count} workers, {} mode, {}", program.mode(), program.reason());

    let first = (queue.rx, queue.tx, queue.handle);
    let added = added.into_iter().map(|socket| (socket.rx, socket.tx, socket.handle));
    // With room for all pools: sending one never waits.
    let (handover, full) = sync_channel(2 * spread.sockets() as usize);
    let mut owner =
        Owner { fill: queue.fill, completion: queue.completion, pool, full, empty: Vec::new() };
    let mut workers = Vec::new();
    for (number, (rx, tx, handle)) in std::iter::once(first).chain(added).enumerate() {
        let (sender, empty) = sync_channel(2);
        let pool = owner.pool.split_off(0); // An empty pool has room for all chunks.
        sender.send(owner.pool.split_off(0))?;
        owner.empty.push(sender);
        let full = handover.clone();
        workers.push(Worker { number, rx, tx, handle, pool, full, empty });
    }
    drop(handover);

    thread::scope(|scope| {
        let (umem, stop) = (&umem, &*stop);
        let threads = workers.iter_mut().map(|worker| {
            scope.spawn(move || {
                let _end = EndsAll(stop);
                worker.serve(umem, udp_port, stop)
            })
        });
        let threads: Vec<_> = threads.collect();
        let owned = {
            let _end = EndsAll(stop);
            owner.serve(stop)
        };
        let mut counts = Vec::new();
        for thread in threads {
            counts.push(thread.join().map_err(|_| "a thread panicked")??);
        }
        println!("total {counts:?}, {} packets", counts.iter().sum::<u64>());
        owned
    })
}

impl Worker {
    /// Sends the packets of a UDP port back until `stop` is set; returns how many.
    fn serve(&mut self, umem: &Umem, udp_port: u16, stop: &AtomicBool) -> Result<u64> {
        let Self { number, rx, tx, handle, pool, full, empty } = self;
        let (mut total, mut sent) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            let mut received = 0;
            let mut out = tx.reserve(BURST)?;
            for mut frame in rx.receive(BURST)? {
                received += 1;
                let sends = send_back(umem.bytes_mut(&mut frame), udp_port);
                match if sends { out.push(frame) } else { Err(frame) } {
                    Ok(()) => sent += 1,
                    // Another port, or no room: drop the packet, keep the chunk.
                    Err(frame) => pool.put(frame),
                }
            }
            drop(out); // Submits.
            match tx.kick_if_needed() {
                Err(error) if error.is_down() => {} // The link is waited for.
                result => drop(result?),
            }
            if sent > 0 || !pool.is_empty() {
                // If the owner has not sent the last one back, there is time after the next burst.
                if let Ok(empty) = empty.try_recv() {
                    let pool = std::mem::replace(pool, empty);
                    total += u64::from(sent);
                    let handover = Handover { worker: *number, pool, sent };
                    if full.send(handover).is_err() {
                        break; // The owner has ended.
                    }
                    sent = 0;
                }
            }
            let left = sent > 0 || !pool.is_empty() || tx.pending() > 0;
            let patience = if left { BRIEF } else { IDLE };
            // That the interface is removed does not end the wait: hence the timeout.
            if received == 0 && wait(&[&*rx], Some(patience))? == 0 {
                handle.check()?;
            }
        }
        Ok(total + u64::from(sent))
    }
}

impl Owner {
    /// Takes chunks back and gives them to the kernel until `stop` is set.
    fn serve(&mut self, stop: &AtomicBool) -> Result<()> {
        let Self { fill, completion, pool, full, empty } = self;
        // Below zero where a chunk came back before its worker told of it.
        let mut sending: i64 = 0;
        while !stop.load(Ordering::Relaxed) {
            // Handovers wake this thread; completions wake none, so it looks for them.
            let first = full.recv_timeout(if sending > 0 { BRIEF } else { IDLE });
            for mut handover in first.into_iter().chain(full.try_iter()) {
                sending += i64::from(handover.sent);
                handover.pool.move_to(pool, usize::MAX);
                // A worker that has ended needs none.
                let _ = empty[handover.worker].send(handover.pool);
            }
            sending -= i64::from(completion.reap_into(pool, u32::MAX)?);
            fill.fill_from(pool, u32::MAX)?;
            match fill.kick_if_needed() {
                Err(error) if error.is_down() => {}
                result => drop(result?),
            }
        }
        Ok(())
    }
}

/// Exchanges source and destination of a UDP packet of the port, over IPv4 without options; returns
/// whether it is one.
fn send_back(packet: &mut [u8], udp_port: u16) -> bool {
    let Some(headers) = packet.first_chunk::<42>() else { return false };
    let is_ipv4 = headers[12..15] == [0x08, 0x00, 0x45];
    let is_fragment = headers[20] & 0x3f != 0 || headers[21] != 0;
    let is_udp = headers[23] == 17 && headers[36..38] == udp_port.to_be_bytes();
    if !is_ipv4 || is_fragment || !is_udp {
        return false;
    }
    // Its sender may have left the checksum to its card. The exchange changes no sum.
    finish_checksum(packet);
    for (at, len) in [(0, 6), (26, 4), (34, 2)] {
        packet[at..at + 2 * len].rotate_left(len);
    }
    true
}
