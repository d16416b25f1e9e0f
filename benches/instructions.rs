//! Counts instructions per packet with callgrind over the fake kernel, user side only.
//!
//! `cargo bench --bench instructions` prints a line for each case (loop, batch, instructions per
//! packet) and fails if a limit is exceeded, or if valgrind is missing. No packet byte is touched. The
//! limits are for builds without the ledger: not for `--all-features`.
//! `XSK_BENCH_ONLY=l2fwd-for` runs only the cases whose name and batch (`l2fwd-for 64`) begin so.
//!
//! One call of a measured function is one batch of a size known at compile time, as in most
//! programs. A size that is only known at run time (the cases `-dynamic`) costs the same at 64 and 16
//! (+0.4 at most); single packets then cost more, because the loop over several packets is not
//! optimised away.
#![allow(clippy::print_stdout, reason = "a benchmark")]

use std::hint::black_box;
use std::process::{Command, ExitCode};
use xsk::packet::{Property, RxHash, RxMetadata, VlanTag};
use xsk::socket::{MetadataRx, PacketSocket};
use xsk::test_util::{FakeKernel, FakeRings};
use xsk::{Fill, Frame, FramePool, SharedQueue, SharedSocket, Socket, Umem, Verdict, wait};

/// Loop, batch, and the largest number of instructions per packet that is allowed: 2 % above what was
/// measured when the limit was set.
const CASES: &[(&str, u32, f64)] = &[
    ("rxdrop", 64, 6.3),
    ("rxdrop", 16, 10.7),
    ("rxdrop", 1, 51.6),
    ("txonly", 64, 11.6),
    ("txonly", 16, 18.6),
    ("txonly", 1, 66.4),
    ("l2fwd", 64, 20.5),
    ("l2fwd", 16, 29.1),
    ("l2fwd", 1, 98.3),
    ("rxdrop-each", 64, 16.0),
    ("rxdrop-each", 16, 21.7),
    ("rxdrop-each", 1, 64.9),
    ("txonly-each", 64, 13.1),
    ("txonly-each", 16, 21.3),
    ("txonly-each", 1, 76.6),
    ("l2fwd-each", 64, 23.1),
    ("l2fwd-each", 16, 32.9),
    ("l2fwd-each", 1, 105.5),
    ("rxdrop-verdict", 64, 22.5),
    ("rxdrop-verdict", 16, 32.9),
    ("rxdrop-verdict", 1, 113.2),
    ("l2fwd-verdict", 64, 28.6),
    ("l2fwd-verdict", 16, 42.8),
    ("l2fwd-verdict", 1, 154.0),
    ("wait-rxdrop", 64, 6.7),
    ("wait-rxdrop", 1, 84.2),
    ("rxdrop-for", 64, 25.1),
    ("rxdrop-for", 16, 29.8),
    ("rxdrop-for", 1, 82.2),
    ("l2fwd-for", 64, 31.9),
    ("l2fwd-for", 16, 40.3),
    ("l2fwd-for", 1, 120.7),
    ("rxdrop-dynamic", 1, 69.5),
    ("txonly-dynamic", 1, 98.9),
    ("l2fwd-dynamic", 1, 132.7),
    ("unaligned", 64, 22.2),
    ("unaligned", 16, 33.3),
    ("unaligned", 1, 103.4),
    ("unaligned-each", 64, 34.0),
    ("unaligned-each", 16, 45.8),
    ("unaligned-each", 1, 118.7),
    ("packets-1-rxdrop", 64, 20.3),
    ("packets-1-rxdrop", 16, 28.0),
    ("packets-1-rxdrop", 1, 73.0),
    ("packets-1", 64, 27.4),
    ("packets-1", 16, 38.3),
    ("packets-1", 1, 123.9),
    ("packets-3", 64, 475.0),
    ("packets-3", 1, 701.0),
    ("packets-for-1", 64, 177.0),
    ("packets-for-3", 64, 536.0),
    ("shared-2", 64, 21.1),
    ("shared-2", 16, 31.8),
    ("shared-2", 1, 141.0),
    ("sockets-64", 64, 18.9),
    ("sockets-64", 1, 95.3),
    ("rx-metadata", 64, 100.7),
    ("rx-metadata", 1, 144.9),
];

/// Packets in one measured run: the rings wrap many times for each batch.
const PACKETS: u32 = 1 << 14;
const LEN: u32 = 60;

/// A socket over a fake kernel, and its UMEM and pool.
struct Bench {
    umem: Umem,
    pool: FramePool,
    socket: Socket,
    kernel: FakeKernel,
    /// The size of a batch, for the cases that know it at run time only.
    batch: u32,
}

impl Bench {
    fn new(case: &str, batch: u32) -> Self {
        let builder = Umem::builder().chunk_count(4096);
        let (umem, pool) = if case.starts_with("unaligned") {
            builder.unaligned().chunk_size(3072).build().unwrap()
        } else {
            builder.build().unwrap()
        };
        let (kernel, socket) = FakeKernel::with(&umem, rings()).unwrap();
        Self { umem, pool, socket, kernel, batch: black_box(batch) }
    }
}

#[inline(always)]
fn rxdrop(b: &mut Bench, batch: u32) -> u32 {
    b.socket.rx.receive(batch).unwrap().recycle(&mut b.socket.fill).unwrap()
}

#[inline(always)]
fn txonly(b: &mut Bench, batch: u32) -> u32 {
    b.socket.completion.reap_into(&mut b.pool, batch).unwrap();
    b.socket.tx.send_from(&mut b.pool, batch, LEN).unwrap()
}

#[inline(always)]
fn l2fwd(b: &mut Bench, batch: u32) -> u32 {
    b.socket.completion.reap(batch).unwrap().recycle(&mut b.socket.fill).unwrap();
    b.socket.rx.receive(batch).unwrap().forward(&mut b.socket.tx).unwrap()
}

#[inline(never)]
fn measured_rxdrop<const BATCH: u32>(b: &mut Bench) -> u32 {
    rxdrop(b, BATCH)
}

#[inline(never)]
fn measured_txonly<const BATCH: u32>(b: &mut Bench) -> u32 {
    txonly(b, BATCH)
}

#[inline(never)]
fn measured_l2fwd<const BATCH: u32>(b: &mut Bench) -> u32 {
    l2fwd(b, BATCH)
}

/// One round of a loop that sleeps: wait, receive, give the chunks back.
#[inline(never)]
fn measured_wait_rxdrop<const BATCH: u32>(b: &mut Bench) -> u32 {
    assert_eq!(wait(&[&b.socket.rx], None), Ok(1));
    rxdrop(b, BATCH)
}

#[inline(never)]
fn measured_rxdrop_dynamic(b: &mut Bench) -> u32 {
    rxdrop(b, b.batch)
}

#[inline(never)]
fn measured_txonly_dynamic(b: &mut Bench) -> u32 {
    txonly(b, b.batch)
}

#[inline(never)]
fn measured_l2fwd_dynamic(b: &mut Bench) -> u32 {
    l2fwd(b, b.batch)
}

#[inline(never)]
fn measured_rxdrop_each<const BATCH: u32>(b: &mut Bench) -> u32 {
    let Bench { umem, socket, .. } = b;
    let look = |frame: &mut Frame| {
        black_box(umem.bytes(frame).len());
    };
    socket.rx.receive(BATCH).unwrap().recycle_each(&mut socket.fill, look).unwrap()
}

#[inline(never)]
fn measured_txonly_each<const BATCH: u32>(b: &mut Bench) -> u32 {
    let Bench { umem, pool, socket, .. } = b;
    socket.completion.reap_into(pool, BATCH).unwrap();
    let write = |frame: &mut Frame| {
        let _ = frame.truncate(LEN);
        black_box(umem.bytes(frame).len());
    };
    socket.tx.send_each(pool, BATCH, write).unwrap()
}

#[inline(never)]
fn measured_l2fwd_each<const BATCH: u32>(b: &mut Bench) -> u32 {
    let Bench { umem, socket, .. } = b;
    socket.completion.reap(BATCH).unwrap().recycle(&mut socket.fill).unwrap();
    let edit = |frame: &mut Frame| {
        black_box(umem.bytes(frame).len());
    };
    socket.rx.receive(BATCH).unwrap().forward_each(&mut socket.tx, edit).unwrap()
}

#[inline(never)]
fn measured_l2fwd_verdict<const BATCH: u32>(b: &mut Bench) -> u32 {
    let Bench { umem, pool, socket, .. } = b;
    let Socket { rx, tx, fill, completion, .. } = socket;
    completion.reap(BATCH).unwrap().recycle(fill).unwrap();
    let decide = |frame| {
        black_box(umem.bytes(&frame).len());
        Verdict::Send(frame)
    };
    rx.receive(BATCH).unwrap().route_each(tx, fill, pool, decide).unwrap().sent
}

#[inline(never)]
fn measured_rxdrop_verdict<const BATCH: u32>(b: &mut Bench) -> u32 {
    let Bench { umem, pool, socket, .. } = b;
    let Socket { rx, tx, fill, .. } = socket;
    let decide = |frame| {
        black_box(umem.bytes(&frame).len());
        Verdict::Recycle(frame)
    };
    rx.receive(BATCH).unwrap().route_each(tx, fill, pool, decide).unwrap().recycled
}

#[inline(never)]
fn measured_rxdrop_for<const BATCH: u32>(b: &mut Bench) -> u32 {
    let Bench { umem, pool, socket, .. } = b;
    let mut slots = socket.fill.reserve(BATCH).unwrap();
    for frame in socket.rx.receive(BATCH).unwrap() {
        black_box(umem.bytes(&frame).len());
        if let Err(frame) = slots.push(frame) {
            pool.put(frame);
        }
    }
    BATCH - slots.remaining()
}

#[inline(never)]
fn measured_l2fwd_for<const BATCH: u32>(b: &mut Bench) -> u32 {
    let Bench { umem, pool, socket, .. } = b;
    socket.completion.reap(BATCH).unwrap().recycle(&mut socket.fill).unwrap();
    let mut slots = socket.tx.reserve(BATCH).unwrap();
    for frame in socket.rx.receive(BATCH).unwrap() {
        black_box(umem.bytes(&frame).len());
        if let Err(frame) = slots.push(frame) {
            pool.put(frame);
        }
    }
    BATCH - slots.remaining()
}

/// Two sockets of one queue.
struct SharedBench {
    pool: FramePool,
    kernel: FakeKernel,
    queue: SharedQueue,
    second: SharedSocket,
}

/// Forwards from the RX ring of one socket to the TX ring of another one on the queue.
#[inline(never)]
fn measured_shared_2<const BATCH: u32>(b: &mut SharedBench) -> u32 {
    let SharedBench { queue, second, .. } = b;
    queue.completion.reap(BATCH).unwrap().recycle(&mut queue.fill).unwrap();
    queue.rx.receive(BATCH).unwrap().forward(&mut second.tx).unwrap()
}

/// Forwards on each of many sockets in turn.
#[inline(never)]
fn measured_sockets_64<const BATCH: u32>(sockets: &mut [Socket]) -> u32 {
    let mut count = 0;
    for Socket { rx, tx, fill, completion, .. } in sockets {
        completion.reap(BATCH).unwrap().recycle(fill).unwrap();
        count += rx.receive(BATCH).unwrap().forward(tx).unwrap();
    }
    count
}

struct MetadataBench {
    pool: FramePool,
    kernel: FakeKernel,
    rx: MetadataRx,
    fill: Fill,
}

/// Reads all that the card knows of each packet, and gives the chunk back.
#[inline(never)]
fn measured_rx_metadata<const BATCH: u32>(b: &mut MetadataBench) -> u32 {
    let MetadataBench { pool, rx, fill, .. } = b;
    let mut slots = fill.reserve(BATCH).unwrap();
    for (frame, metadata) in rx.receive(BATCH).unwrap() {
        let Some(RxMetadata { timestamp, hash, vlan, .. }) = metadata else { unreachable!() };
        black_box((timestamp.known(), hash.known(), vlan.known()));
        if let Err(frame) = slots.push(frame) {
            pool.put(frame);
        }
    }
    BATCH - slots.remaining()
}

/// A socket for packets of several frames.
struct PacketBench {
    umem: Umem,
    pool: FramePool,
    kernel: FakeKernel,
    socket: PacketSocket,
}

#[inline(never)]
fn measured_packets_rxdrop<const BATCH: u32>(b: &mut PacketBench) -> u32 {
    let PacketBench { umem, socket, .. } = b;
    let look = |frames: &mut [Frame]| {
        for frame in frames {
            black_box(umem.bytes(frame).len());
        }
    };
    socket.rx.receive(BATCH).unwrap().recycle_each(&mut socket.fill, look).unwrap()
}

#[inline(never)]
fn measured_packets<const BATCH: u32>(b: &mut PacketBench) -> u32 {
    let PacketBench { umem, socket, .. } = b;
    socket.completion.reap(3 * BATCH).unwrap().recycle(&mut socket.fill).unwrap();
    let edit = |frames: &mut [Frame]| {
        for frame in frames {
            black_box(umem.bytes(frame).len());
        }
    };
    socket.rx.receive(BATCH).unwrap().forward_each(&mut socket.tx, edit).unwrap()
}

/// As `packets`, as values.
#[inline(never)]
fn measured_packets_for<const BATCH: u32>(b: &mut PacketBench) -> u32 {
    let PacketBench { umem, socket, pool, .. } = b;
    socket.completion.reap(3 * BATCH).unwrap().recycle(&mut socket.fill).unwrap();
    let mut slots = socket.tx.reserve(3 * BATCH).unwrap();
    let mut count = 0;
    for packet in socket.rx.receive(BATCH).unwrap() {
        for frame in packet.frames() {
            black_box(umem.bytes(frame).len());
        }
        if let Err(refused) = slots.push(packet) {
            pool.extend(refused.packet);
        }
        count += 1;
    }
    count
}

fn run_packets<const BATCH: u32>(case: &str) {
    let (umem, mut pool) = Umem::builder().chunk_count(4096).build().unwrap();
    let rings = FakeRings { completion: 4096, ..rings() };
    let (kernel, mut socket) = FakeKernel::multi_buffer(&umem, rings).unwrap();
    socket.fill.fill_from(&mut pool, 2048 - 3 * BATCH).unwrap();
    let mut b = PacketBench { umem, pool, kernel, socket };
    let packet = vec![0; if case.contains("-3") { 9000 } else { LEN as usize }];
    for _ in 0..PACKETS / BATCH {
        for _ in 0..BATCH {
            assert!(b.kernel.deliver(&packet));
        }
        let count = if case.contains("rxdrop") {
            measured_packets_rxdrop::<BATCH>(&mut b)
        } else if case.contains("for") {
            measured_packets_for::<BATCH>(&mut b)
        } else {
            measured_packets::<BATCH>(&mut b)
        };
        assert_eq!(count, BATCH, "every packet is handled");
        while b.kernel.transmit_unread(BATCH) != 0 {
            b.kernel.complete(u32::MAX);
        }
    }
}

fn run_rx_metadata<const BATCH: u32>() {
    let (umem, mut pool) = Umem::builder().chunk_count(4096).build().unwrap();
    let (kernel, mut socket) = FakeKernel::with(&umem, rings()).unwrap();
    socket.fill.fill_from(&mut pool, 2048 - BATCH).unwrap();
    let (rx, fill) = (kernel.with_metadata(socket.rx), socket.fill);
    let mut b = MetadataBench { pool, kernel, rx, fill };
    let mut metadata = RxMetadata::unknown();
    metadata.timestamp = Property::Known(1);
    metadata.hash = Property::Known(RxHash { value: 2, kind: 9 });
    metadata.vlan = Property::Known(VlanTag { protocol: 0x8100, tci: 3 });
    for _ in 0..PACKETS / BATCH {
        for _ in 0..BATCH {
            assert!(b.kernel.deliver_with_metadata(&[0; LEN as usize], metadata));
        }
        assert_eq!(measured_rx_metadata::<BATCH>(&mut b), BATCH, "every packet is handled");
    }
}

fn rings() -> FakeRings {
    FakeRings { fill: 2048, need_wakeup: false, ..FakeRings::default() }
}

fn run_shared_2<const BATCH: u32>() {
    let (umem, pool) = Umem::builder().chunk_count(4096).build().unwrap();
    let (mut kernel, socket) = FakeKernel::with(&umem, rings()).unwrap();
    let mut queue = socket.share_queue();
    let second = kernel.add_socket(&mut queue, rings()).unwrap();
    let mut b = SharedBench { pool, kernel, queue, second };
    b.queue.fill.fill_from(&mut b.pool, 2048 - BATCH).unwrap();
    for _ in 0..PACKETS / BATCH {
        assert_eq!(b.kernel.deliver_unwritten(BATCH, LEN), BATCH);
        assert_eq!(measured_shared_2::<BATCH>(&mut b), BATCH, "every packet is handled");
        assert_eq!(b.kernel.transmit_unread(BATCH), BATCH);
        assert_eq!(b.kernel.complete(BATCH), BATCH);
    }
}

fn run_sockets_64<const BATCH: u32>() {
    let (umem, mut pool) = Umem::builder().chunk_count(64 * 256).build().unwrap();
    let both = (0..64).map(|_| FakeKernel::with(&umem, rings()).unwrap());
    let (mut kernels, mut sockets): (Vec<_>, Vec<_>) = both.unzip();
    for socket in &mut sockets {
        socket.fill.fill_from(&mut pool, 256).unwrap();
    }
    let mut handled = 0;
    while handled < PACKETS {
        for kernel in &mut kernels {
            assert_eq!(kernel.deliver_unwritten(BATCH, LEN), BATCH);
        }
        let count = measured_sockets_64::<BATCH>(&mut sockets);
        assert_eq!(count, 64 * BATCH, "every packet is handled");
        for kernel in &mut kernels {
            assert_eq!(kernel.transmit_unread(BATCH), BATCH);
            assert_eq!(kernel.complete(BATCH), BATCH);
        }
        handled += count;
    }
}

/// Returns the name of a case's loop: `unaligned` is `l2fwd` with unaligned chunks.
fn name_of_loop(case: &str) -> String {
    let loop_of = case.strip_suffix("-1").or_else(|| case.strip_suffix("-3"));
    match case {
        _ if case.starts_with("packets") => loop_of.unwrap_or(case).replace("-1-", "-"),
        _ => case.replace("unaligned", "l2fwd"),
    }
}

/// Returns the loop of a case.
fn measured<const BATCH: u32>(case: &str) -> fn(&mut Bench) -> u32 {
    match name_of_loop(case).as_str() {
        "rxdrop" => measured_rxdrop::<BATCH>,
        "txonly" => measured_txonly::<BATCH>,
        "l2fwd" => measured_l2fwd::<BATCH>,
        "rxdrop-each" => measured_rxdrop_each::<BATCH>,
        "txonly-each" => measured_txonly_each::<BATCH>,
        "l2fwd-each" => measured_l2fwd_each::<BATCH>,
        "wait-rxdrop" => measured_wait_rxdrop::<BATCH>,
        "rxdrop-verdict" => measured_rxdrop_verdict::<BATCH>,
        "l2fwd-verdict" => measured_l2fwd_verdict::<BATCH>,
        "rxdrop-for" => measured_rxdrop_for::<BATCH>,
        "l2fwd-for" => measured_l2fwd_for::<BATCH>,
        "rxdrop-dynamic" => measured_rxdrop_dynamic,
        "txonly-dynamic" => measured_txonly_dynamic,
        "l2fwd-dynamic" => measured_l2fwd_dynamic,
        other => panic!("no such case: {other}"),
    }
}

/// Runs one case: the kernel's steps around each measured call.
fn run(case: &str, batch: u32) {
    match (case, batch) {
        ("shared-2", 1) => return run_shared_2::<1>(),
        ("shared-2", 16) => return run_shared_2::<16>(),
        ("shared-2", 64) => return run_shared_2::<64>(),
        (case, 1) if case.starts_with("packets") => return run_packets::<1>(case),
        (case, 16) if case.starts_with("packets") => return run_packets::<16>(case),
        (case, 64) if case.starts_with("packets") => return run_packets::<64>(case),
        ("rx-metadata", 1) => return run_rx_metadata::<1>(),
        ("rx-metadata", 64) => return run_rx_metadata::<64>(),
        ("sockets-64", 1) => return run_sockets_64::<1>(),
        ("sockets-64", 64) => return run_sockets_64::<64>(),
        _ => (),
    }
    let mut b = Bench::new(case, batch);
    let step = match batch {
        1 => measured::<1>(case),
        16 => measured::<16>(case),
        64 => measured::<64>(case),
        other => panic!("no such batch: {other}"),
    };
    let receives = !case.starts_with("txonly");
    let sends = !case.contains("rxdrop");
    if receives {
        b.socket.fill.fill_from(&mut b.pool, 2048 - batch).unwrap();
    }
    let mut handled = 0;
    while handled < PACKETS {
        if receives {
            assert_eq!(b.kernel.deliver_unwritten(batch, LEN), batch);
        }
        let count = step(&mut b);
        assert_eq!(count, batch, "every packet is handled");
        if sends {
            assert_eq!(b.kernel.transmit_unread(batch), batch);
            assert_eq!(b.kernel.complete(batch), batch);
        }
        handled += count;
    }
}

/// Returns the instructions per packet of one case.
fn measure(case: &str, batch: u32) -> Result<f64, String> {
    let out = std::env::temp_dir().join(format!("xsk-callgrind-{}", std::process::id()));
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect=*measured_{}", name_of_loop(case).replace('-', "_")))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(me)
        .env("XSK_BENCH_CASE", format!("{case} {batch}"))
        .output()
        .map_err(|e| format!("valgrind cannot be started ({e}): apt-get install valgrind"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let profile = std::fs::read_to_string(&out).unwrap_or_default();
    if std::env::var_os("XSK_BENCH_KEEP").is_none() {
        let _ = std::fs::remove_file(&out);
    }
    if !output.status.success() {
        return Err(format!("{case} {batch} failed under valgrind:\n{said}"));
    }
    let total = profile.lines().find_map(|l| l.strip_prefix("summary: "));
    let total: f64 =
        total.and_then(|n| n.trim().parse().ok()).ok_or("no summary from callgrind")?;
    if total == 0.0 {
        return Err(format!("{case} {batch}: callgrind saw no instruction of the loop"));
    }
    Ok(total / f64::from(PACKETS))
}

fn main() -> ExitCode {
    if let Ok(case) = std::env::var("XSK_BENCH_CASE") {
        let (case, batch) = case.split_once(' ').expect("loop and batch");
        run(case, batch.parse().expect("a batch"));
        return ExitCode::SUCCESS;
    }
    let mut good = true;
    let only = std::env::var("XSK_BENCH_ONLY").unwrap_or_default();
    for &(case, batch, limit) in CASES {
        if !format!("{case} {batch}").starts_with(&only) {
            continue;
        }
        match measure(case, batch) {
            Ok(count) => {
                println!("{case} {batch} {count:.1}");
                if count > limit {
                    eprintln!(
                        "{case} {batch}: {count:.1} instructions per packet, the limit is {limit}"
                    );
                    good = false;
                }
            }
            Err(why) => {
                eprintln!("{why}");
                good = false;
                break;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
