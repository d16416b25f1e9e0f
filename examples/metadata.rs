//! Prints what the card knows of each packet that arrives on queue 0: `metadata eth1`.
//!
//! Receive timestamp, hash and VLAN tag, as far as the driver reports them (Linux 6.3), without a C
//! compiler: the program that asks for them is assembled here. It ends with Ctrl-C or SIGTERM. **All
//! packets are taken**: the kernel's own stack sees none.
#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::attach::AttachMode;
use xsk::bpf::{MetadataProgram, XskMap};
use xsk::packet::{Property, RxMetadata};
use xsk::{Attachment, Interface, Port, Socket, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("metadata: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(name) = std::env::args().nth(1) else {
        return Err("usage: metadata INTERFACE".into());
    };
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let interface = Interface::by_name(&name)?;
    let Port { umem, mut pool, socket, .. } = Port::open(&interface, 0)?;
    let map = XskMap::create(XskMap::DEFAULT_NAME, interface.queues()?.rx)?;
    let metadata = MetadataProgram::load(&map, interface.index())?;
    let builder = Attachment::builder(&interface).mode(AttachMode::Native).take_over(true);
    let program = builder.program(metadata.program()?, map).attach()?;
    let _registration = socket.register(&program)?;
    eprintln!("{name}: {} mode, {}", program.mode(), program.reason());

    let Socket { rx, mut fill, handle, .. } = socket;
    let mut rx = rx.with_metadata(&metadata, 0)?;
    while !stop.load(Ordering::Relaxed) {
        if wait(&[&rx], Some(Duration::from_millis(200)))? == 0 {
            handle.check()?;
        }
        for (frame, metadata) in rx.receive(64)? {
            println!("{} bytes, {}", umem.bytes(&frame).len(), describe(metadata));
            pool.put(frame);
        }
        fill.fill_from(&mut pool, 64)?;
        fill.kick_if_needed()?;
    }
    Ok(())
}

fn describe(metadata: Option<RxMetadata>) -> String {
    let Some(RxMetadata { timestamp, hash, vlan, .. }) = metadata else {
        return "no record: the packet came past the program".to_owned();
    };
    format!(
        "received at {}, hash {}, VLAN {}",
        shown(timestamp, |time| format!("{time} ns")),
        shown(hash, |hash| format!(
            "{:08x} of {}",
            hash.value,
            if hash.is_l4() { "ports" } else { "addresses" }
        )),
        shown(vlan, |tag| tag.id().to_string()),
    )
}

fn shown<T>(property: Property<T>, show: impl FnOnce(T) -> String) -> String {
    match property {
        Property::Known(value) => show(value),
        Property::NotOfThisPacket => "none".to_owned(),
        Property::NotSupported => "not reported by the driver".to_owned(),
    }
}
