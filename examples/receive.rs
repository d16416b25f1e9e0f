//! The program of the README: prints what arrives on queue 0 of eth1.
#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use std::{convert::Infallible, time::Duration};
use xsk::{Attachment, Interface, Port, wait};

fn run() -> xsk::Result<Infallible> {
    let interface = Interface::by_name("eth1")?;
    let mut port = Port::open(&interface, 0)?; // packet memory, a pool of its chunks, a socket
    let program = Attachment::builder(&interface).attach()?;
    let _registration = port.socket.register(&program)?;
    println!("{} mode: {}", program.mode(), program.reason());
    loop {
        if wait(&[&port.socket.rx], Some(Duration::from_secs(1)))? == 0 {
            port.socket.handle.check()?; // an error if the interface is gone: that wakes no sleeper
        }
        for frame in port.socket.rx.receive(64)? {
            println!("{:02x?}", port.umem.bytes(&frame));
            port.pool.put(frame);
        }
        port.service(64)?; // gives free chunks back to the kernel, and wakes it where it sleeps
    }
}

fn main() {
    let Err(error) = run();
    eprintln!("{error}"); // what failed, and what to do; `main` would print what it returns by {:?}
    std::process::exit(1)
}
