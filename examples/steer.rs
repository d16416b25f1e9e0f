//! Takes one UDP port out of a card's traffic: `steer eth1 3 4789` steers its packets to queue 3, and
//! prints the length of each; everything else goes to the kernel as before.
//!
//! A flow rule of the card brings the packets of the port to the queue (an n-tuple filter, as `ethtool -N`
//! sets), and the queue is taken out of the table by which the card spreads all others. Both need a
//! card that can: which step it refuses, and why, is said. Ctrl-C and SIGTERM end the program in order:
//! the rule is removed, and the table as before. After a kill both stay: `ethtool -n eth1` shows the rule,
//! `ethtool -N eth1 delete LOCATION` removes it, `ethtool -X eth1 default` resets the table.
#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::interface::FlowRule;
use xsk::{Attachment, Interface, RxSocket, Socket, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;
const CHUNKS: u32 = 2048;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("steer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, queue, port] = &args[..] else {
        return Err("usage: steer INTERFACE QUEUE UDP-PORT".into());
    };
    let queue = queue.parse().map_err(|error| format!("queue {queue}: {error}"))?;
    let port = port.parse().map_err(|error| format!("port {port}: {error}"))?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let interface = Interface::by_name(name)?;
    let (umem, mut pool) = Umem::builder().chunk_count(CHUNKS).build()?;
    let mut socket = Socket::builder(&umem).rx_only().open()?;
    socket.fill.fill_from(&mut pool, CHUNKS)?;
    let socket = socket.bind(&interface, queue)?;
    let program = Attachment::builder(&interface).attach()?;
    let _registration = socket.register(&program)?;
    // After the program: a driver may set its rules and tables anew when one is attached.
    let table = interface.keep_queue_out(queue)?;
    let rule = interface.add_rule(&FlowRule::udp_v4().destination_port(port).to_queue(queue))?;
    eprintln!("{name}: {} mode, rule {} brings UDP port {port}", program.mode(), rule.location());

    let RxSocket { mut rx, mut fill, handle, .. } = socket;
    while !stop.load(Ordering::Relaxed) {
        let received = rx.receive(BURST)?.recycle_each(&mut fill, |frame| {
            println!("{} bytes", umem.bytes(frame).len());
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
    // Dropping the guards does the same, without a word if another program changed the settings.
    rule.remove()?;
    Ok(table.restore()?)
}
