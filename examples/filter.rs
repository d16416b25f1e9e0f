//! Takes the packets of a filter from a queue, and leaves everything else to the kernel:
//!
//!     filter INTERFACE QUEUE EXPRESSION...     filter eth1 0 udp dst port 4789
//!
//! Prints what it took and what the kernel kept once a second. Addresses, one a line on its standard
//! input, are dropped from then on: `198.51.100.0/24`, or `-198.51.100.0/24` to let it in again. There is
//! room for 10,000 wherever they are.
//! Needs root, or CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_NET_RAW.
#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use signal_hook::consts::{SIGINT, SIGTERM};
use std::error::Error;
use std::io::BufRead;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use xsk::bpf::{Action, AddressSet, Condition, Direction, Filter, XskMap};
use xsk::{AttachMethod, Attachment, Interface, Port, wait};

fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(queue)) = (args.next(), args.next()) else {
        return Err("usage: filter INTERFACE QUEUE EXPRESSION...".into());
    };
    let queue: u32 = queue.parse().map_err(|_| format!("{queue} is no queue"))?;
    // An error of the expression shows where it is.
    let wanted: Condition = args.collect::<Vec<_>>().join(" ").parse()?;

    let interface = Interface::by_name(&name)?;
    let blocked = AddressSet::with_room("blocked", 10_000); // 10 MiB
    let filter = Filter::new()
        .rule(Condition::address_in(Direction::Source, &blocked), Action::Drop)
        .rule(wanted, Action::Queue)
        .keep_management(interface.addresses()?, []) // ARP, ssh and the like: before all others
        .counters(true);
    let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
    let filter = filter.load(&map)?;

    let mut port = Port::open(&interface, queue)?;
    let program = filter.program().try_clone()?;
    // By link: if the process is killed, the kernel detaches the program. (By netlink the next start
    // would take it over with `take_over(true)`.)
    let builder = Attachment::builder(&interface).method(AttachMethod::Link);
    let attachment = builder.program(program, map).attach()?;
    let _registration = port.socket.register(&attachment)?;
    eprintln!("{} mode, {}", attachment.mode(), attachment.reason());
    std::thread::spawn(move || change(&blocked));

    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if wait(&[&port.socket.rx], Some(Duration::from_millis(100)))? == 0 {
            port.socket.handle.check()?; // an error if the interface is gone
        }
        for frame in port.socket.rx.receive(64)? {
            // ... look at `port.umem.bytes(&frame)` ...
            port.pool.put(frame);
        }
        port.service(64)?;
        if next.elapsed() >= Duration::from_secs(1) {
            next = Instant::now();
            if let Some(counts) = filter.counts()? {
                let packets = |rule: usize| counts.rules.get(rule).map_or(0, |rule| rule.packets);
                const DROPPED: usize = Filter::MANAGEMENT_RULES; // the first rule of this program's own
                println!(
                    "taken {}, dropped {}, kept for management {}, others {}",
                    packets(DROPPED + 1),
                    packets(DROPPED),
                    (0..DROPPED).map(packets).sum::<u64>(),
                    counts.others.packets
                );
            }
        }
    }
    Ok(()) // what was attached is taken off
}

/// Adds the prefixes of standard input to a set, or removes them.
fn change(set: &AddressSet) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (add, prefix) = match line.strip_prefix('-') {
            Some(prefix) => (false, prefix.trim()),
            None => (true, line.trim()),
        };
        let (address, len) = prefix.split_once('/').unwrap_or((prefix, ""));
        let parsed = address.parse::<IpAddr>().ok();
        let whole = parsed.map(|address| if address.is_ipv4() { 32 } else { 128 });
        let len = if len.is_empty() { whole } else { len.parse().ok() };
        let done = match (parsed, len) {
            (Some(address), Some(len)) if add => set.insert(address, len),
            (Some(address), Some(len)) => set.remove(address, len),
            _ => {
                eprintln!("{line} is no address and no prefix");
                continue;
            }
        };
        match done {
            Ok(changed) => println!("{prefix}: {}", if changed { "done" } else { "no change" }),
            Err(error) => eprintln!("{error}"),
        }
    }
}

fn main() {
    let Err(error) = run() else { return };
    eprintln!("{error}");
    std::process::exit(1)
}
