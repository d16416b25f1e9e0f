//! Counts the packets of queue 0, and is started anew without a gap: `restart eth1
//! /sys/fs/bpf/eth1 [PID]`.
//!
//! Started with the id of the process that runs, it takes over from that: the program stays on the
//! interface, by a link that is pinned in a BPF file system, and the slot of the queue changes
//! hands in one step. No packet goes to the kernel's stack; those are lost that come until the old
//! process has left the queue. If it does not leave, because its id was not given, the new one gives
//! up after 10 seconds, and the old one takes its slot back. With Ctrl-C or SIGTERM it ends for good, and removes the pins and
//! the program; with SIGHUP it ends for the next process. After SIGKILL, `rm` of both pins detaches
//! the program. **All packets of the queue are taken**: the kernel's own stack sees none.

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::{Attachment, Interface, Port, Registration, Socket, Umem};

/// Takes queue 0 of the interface: from the process that runs, which `end` tells to leave.
fn start(
    interface: &Interface,
    pin: &str,
    end: impl FnOnce(),
) -> xsk::Result<(Port, Registration, Attachment)> {
    let program = Attachment::builder(interface).pin(pin).attach()?; // the pinned link, if there is one
    let (umem, mut pool) = Umem::builder().build()?;
    let mut socket = Socket::builder(&umem).bind_timeout(Duration::from_secs(10)).open()?;
    socket.fill.fill_from(&mut pool, 2048)?;
    let slot = program.take_slot(0, &socket)?; // in one step: no packet goes to the kernel's stack
    end();
    let socket = socket.bind(interface, 0)?; // as soon as the other process has left the queue
    Ok((Port::new(umem, pool, socket), slot, program))
}

/// Leaves the queue: for the next process, or for good.
fn leave(port: Port, slot: Registration, program: Attachment, for_next: bool) -> xsk::Result<()> {
    slot.close()?; // it is left alone if another process has taken it
    drop(port);
    if for_next {
        program.keep(); // the program stays, by its pin
        return Ok(());
    }
    program.close() // the last one removes the pins
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn run(name: &str, pin: &str, running: Option<&str>) -> Result<()> {
    let running = running.map(str::parse).transpose()?.and_then(Pid::from_raw);
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGHUP, Arc::clone(&next))?;

    let interface = Interface::by_name(name)?;
    let end = || {
        if let Some(running) = running {
            // If it has gone already, the queue is free.
            let _ = kill_process(running, Signal::HUP);
        }
    };
    let (mut port, slot, program) = start(&interface, pin, end)?;
    let how = if program.joined() { "taken over" } else { "attached" };
    eprintln!("{name}: {} mode, {how}", program.mode());

    let mut received = 0_u64;
    loop {
        let count = port.socket.rx.receive(64)?.recycle(&mut port.socket.fill)?;
        received += u64::from(count);
        // For the next process, what came before the slot was taken is received as well.
        if stop.load(Ordering::Relaxed) || next.load(Ordering::Relaxed) && count == 0 {
            break;
        }
        port.service(64)?;
        if xsk::wait(&[&port.socket.rx], Some(Duration::from_millis(10)))? == 0 {
            port.socket.handle.check()?;
            // If the next process took the slot, and has ended before it could bind its socket, nothing
            // comes any more: the slot is empty, and this socket goes back into it. (`false`: the other
            // one has it still.)
            slot.restore()?;
        }
    }
    leave(port, slot, program, next.load(Ordering::Relaxed))?;
    eprintln!("{received} packets");
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [name, pin] => run(name, pin, None),
        [name, pin, running] => run(name, pin, Some(running)),
        _ => Err("usage: restart INTERFACE PIN [PID]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("restart: {error}");
            ExitCode::FAILURE
        }
    }
}
