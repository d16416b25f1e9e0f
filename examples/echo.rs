//! A UDP echo on one port, beside the kernel's own stack: `echo eth1 7777`.
//!
//! Its XDP program takes the UDP packets of that port off IPv4, and passes everything else on, so
//! that `ping`, ARP and ssh work as before. It serves queue 0; packets of other queues go to the
//! kernel. Ctrl-C and SIGTERM end it in order.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::bpf::{Alu, Assembler, Cond, Helper, Insn, Program, Reg, Size, XskMap};
use xsk::packet::finish_checksum;
use xsk::{AttachMethod, Attachment, Interface, Port, Socket, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, udp_port] = &args[..] else { return Err("usage: echo INTERFACE PORT".into()) };
    let udp_port = udp_port.parse().map_err(|error| format!("port {udp_port}: {error}"))?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let interface = Interface::by_name(name)?;
    let (umem, pool) = Umem::builder().chunk_size(2048).chunk_count(2048).build()?;
    let mut port = Port::bind(pool, Socket::builder(&umem), &interface, 0)?;
    let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
    let program = udp_filter(udp_port, &map)?;
    // By link: if the process is killed, the kernel detaches the program.
    let builder = Attachment::builder(&interface).method(AttachMethod::Link);
    let program = builder.program(program, map).attach()?;
    let _registration = port.socket.register(&program)?;
    eprintln!("{name}: {} mode, {}", program.mode(), program.reason());

    while !stop.load(Ordering::Relaxed) {
        let Port { umem, pool, socket, .. } = &mut port;
        let mut out = socket.tx.reserve(BURST)?;
        let mut received = 0;
        for mut frame in socket.rx.receive(BURST)? {
            received += 1;
            send_back(umem.bytes_mut(&mut frame));
            // No room: drop the packet, keep the chunk.
            if let Err(frame) = out.push(frame) {
                pool.put(frame);
            }
        }
        drop(out); // Submits.
        port.service(BURST)?; // While the link is down, what is in the TX ring waits.
        // A signal ends the wait. That the interface is removed does not: hence the timeout.
        if received == 0 && wait(&[&port.socket.rx], Some(Duration::from_millis(100)))? == 0 {
            port.socket.handle.check()?;
        }
    }
    Ok(())
}

/// Exchanges source and destination: of Ethernet, of IPv4, and of UDP. The program let only IPv4
/// without options through.
fn send_back(packet: &mut [u8]) {
    // Its sender may have left the checksum to its card. The exchange changes no sum.
    finish_checksum(packet);
    for (at, len) in [(0, 6), (26, 4), (34, 2)] {
        if let Some(addresses) = packet.get_mut(at..at + 2 * len) {
            addresses.rotate_left(len);
        }
    }
}

/// An XDP program that sends UDP packets of one port to the socket in the slot of their queue, and
/// passes everything else on to the kernel.
fn udp_filter(port: u16, map: &XskMap) -> xsk::Result<Program> {
    const XDP_PASS: i32 = 2;
    // Packets have their numbers in network byte order; the program loads them as they are.
    let be = |number: u16| i32::from(number.to_be());
    // What is looked at, where in the packet, and when the packet is passed on to the kernel.
    let checks = [
        (Size::Half, 12, Cond::Ne, be(0x0800)),  // EtherType: not IPv4
        (Size::Byte, 14, Cond::Ne, 0x45),        // version and words of the header: has options
        (Size::Half, 20, Cond::Set, be(0x3fff)), // a fragment: more to come, or an offset
        (Size::Byte, 23, Cond::Ne, 17),          // protocol: not UDP
        (Size::Half, 36, Cond::Ne, be(port)),    // destination port: another one
    ];
    // R1 is the context, a `struct xdp_md`: data at 0, data_end at 4, rx_queue_index at 16. The
    // verifier lets the program read bytes only after it has compared their end with data_end: an
    // Ethernet header of 14 bytes, an IPv4 header of 20, and a UDP header of 8.
    let mut program = Assembler::new();
    let pass = program.named("pass");
    program.add([
        Insn::load(Size::Word, Reg::R2, Reg::R1, 0),
        Insn::load(Size::Word, Reg::R3, Reg::R1, 4),
        Insn::mov64_reg(Reg::R4, Reg::R2),
        Insn::alu64_imm(Alu::Add, Reg::R4, 42),
    ]);
    program.jump_if(Cond::Gt, Reg::R4, Reg::R3, pass);
    for (size, at, cond, value) in checks {
        program.add(Insn::load(size, Reg::R4, Reg::R2, at));
        program.jump_if(cond, Reg::R4, value, pass);
    }
    // return bpf_redirect_map(map, ctx->rx_queue_index, XDP_PASS if the slot is empty);
    program.add(Insn::load(Size::Word, Reg::R2, Reg::R1, 16)).load_map(Reg::R1, map);
    program.add([
        Insn::mov64_imm(Reg::R3, XDP_PASS),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]);
    program.place(pass).add([Insn::mov64_imm(Reg::R0, XDP_PASS), Insn::exit()]);
    program.finish()?.builder().name("udp_echo").license(c"Dual MIT/GPL").load()
}
