//! Receives from a queue without any right: `worker_without_rights eth1 0 [PACKETS]`.
//!
//! The program runs as two processes. The helper, as root, attaches the XDP program, opens a
//! socket, hands both over by a Unix socket, and waits. The worker starts as root, gives up all
//! groups, users and capabilities, and only then takes anything: it registers its packet memory,
//! binds, puts the socket into its slot, and receives. So a fault in the code that looks at packets
//! is one of a process that may do nothing. The packets that came are printed once a second, and a
//! total at the end: after so many packets, or with Ctrl-C or SIGTERM. The worker also ends when
//! the helper does. **All packets of the queue are taken**: the kernel's own stack sees none.

use rustix::fs::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use xsk::handover::{self, Grant};
use xsk::socket::XskFd;
use xsk::{Attachment, Interface, Port, Socket, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;
/// 1 MiB: without `CAP_IPC_LOCK`, memory counts against RLIMIT_MEMLOCK.
const CHUNKS: u32 = 512;
/// The user and the group `nobody`.
const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--worker", count] => worker(count),
        [name, queue] => helper(name, queue, "0"),
        [name, queue, count] => helper(name, queue, count),
        _ => Err("usage: worker_without_rights INTERFACE QUEUE [PACKETS]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker_without_rights: {error}");
            ExitCode::FAILURE
        }
    }
}

fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
    Ok(stop)
}

/// What takes privileges: the program and the socket.
fn helper(name: &str, queue: &str, count: &str) -> Result<()> {
    let queue = queue.parse().map_err(|error| format!("queue {queue}: {error}"))?;
    count.parse::<u64>().map_err(|error| format!("packets {count}: {error}"))?;
    let stop = stop_flag()?;
    let interface = Interface::by_name(name)?;
    let program = Attachment::builder(&interface).attach()?;
    eprintln!("{name}: {} mode, {}", program.mode(), program.reason());
    let grant = Grant::new(&interface, queue, XskFd::open()?, program.map().try_clone()?);

    let (ours, theirs) = UnixStream::pair()?;
    let mut worker = Command::new("/proc/self/exe")
        .args(["--worker", count])
        .stdin(OwnedFd::from(theirs))
        .spawn()?;
    let sent = handover::send(&ours, grant);
    let ended = loop {
        if let Some(status) = worker.try_wait()? {
            break status;
        }
        if sent.is_err() || stop.load(Ordering::Relaxed) {
            // The worker sees that its helper has gone, and ends.
            ours.shutdown(Shutdown::Both)?;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // After the worker, whose socket is in the map: the last user detaches.
    program.close()?;
    match ended.success() {
        true => Ok(()),
        false => Err(format!("the worker failed: {ended}").into()),
    }
}

/// What takes none. Standard input is the Unix socket.
fn worker(count: &str) -> Result<()> {
    let count: u64 = count.parse()?;
    drop_all_rights()?;
    let stop = stop_flag()?;
    let helper = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    for line in std::fs::read_to_string("/proc/self/status")?.lines() {
        if ["Uid:", "CapEff:", "CapPrm:", "NoNewPrivs:"].iter().any(|word| line.starts_with(word)) {
            print(line);
        }
    }

    let grant = handover::receive(&helper, Some(Duration::from_secs(10)))?;
    let (interface, queue, slot) = (grant.interface()?, grant.queue, grant.slot);
    let Grant { socket, map, .. } = grant;
    let (umem, mut pool) = Umem::builder().chunk_size(2048).chunk_count(CHUNKS).build()?;
    let mut socket = Socket::builder(&umem).open_with(socket)?;
    socket.fill.fill_from(&mut pool, CHUNKS)?;
    let socket = socket.bind(&interface, queue)?;
    let slot = socket.register_in(&map, slot)?;
    print(&format!("{interface} queue {queue}: ready"));

    helper.set_nonblocking(true)?;
    let mut port = Port::new(umem, pool, socket);
    let (mut received, mut printed) = (0_u64, Instant::now());
    while !stop.load(Ordering::Relaxed) && !is_over(&helper) && (count == 0 || received < count) {
        if wait(&[&port.socket.rx], Some(Duration::from_millis(100)))? == 0 {
            port.socket.handle.check()?;
        }
        for frame in port.socket.rx.receive(BURST)? {
            received += 1; // Its bytes are `port.umem.bytes(&frame)`.
            port.pool.put(frame);
        }
        port.service(BURST)?;
        if printed.elapsed() >= Duration::from_secs(1) {
            printed = Instant::now();
            print(&format!("{received} packets"));
        }
    }
    slot.remove()?;
    print(&format!("total {received} packets"));
    Ok(())
}

/// Becomes nobody, without groups and capabilities, and without a way to get any. This process has
/// one thread: each has rights of its own.
fn drop_all_rights() -> Result<()> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets)?;
    clear_ambient_capability_set()?;
    set_no_new_privs(true)?;
    Ok(())
}

/// Returns whether the helper has ended, or wants this process to end.
fn is_over(helper: &UnixStream) -> bool {
    let mut byte = [0];
    matches!(std::io::Read::read(&mut &*helper, &mut byte), Ok(0))
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn print(line: &str) {
    println!("{line}");
}
