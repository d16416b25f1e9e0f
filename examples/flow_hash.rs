//! Gives each flow to one of N sockets of queue 0: `flow_hash eth1 4`.
//!
//! The program computes a hash of the two addresses and the two ports of TCP and UDP over IPv4. The
//! hash is symmetric: both directions of a connection come to the same socket, because the numbers
//! of source and destination are combined by exclusive or, which has no order. For each packet a
//! line says which socket it came to.
//!
//! The crate has such a program ready, which also knows IPv6, VLAN tags and more:
//! `xsk::bpf::Spread`; `examples/workers.rs` serves its sockets by a thread each. This one shows
//! how it is made. **What it hashes is taken from the kernel**: TCP and UDP over IPv4 on queue 0;
//! everything else is passed on, as are packets with IPv4 options and fragments, which may have no
//! ports. Ctrl-C and SIGTERM end it in order.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::bpf::{Alu, Assembler, Cond, Helper, Insn, Program, Reg, Size, XskMap};
use xsk::{AttachMethod, Attachment, Interface, Socket, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;
const CHUNKS: u32 = 2048;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flow_hash: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, count] = &args[..] else { return Err("usage: flow_hash INTERFACE SOCKETS".into()) };
    let count: u32 = count.parse().map_err(|error| format!("sockets {count}: {error}"))?;
    if !(1..=64).contains(&count) {
        return Err(format!("{count}: 1 to 64 sockets").into());
    }
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    // One socket has the queue's fill ring; the others share its memory and its queue.
    let interface = Interface::by_name(name)?;
    let (umem, mut pool) = Umem::builder().chunk_size(2048).chunk_count(CHUNKS).build()?;
    let mut socket = Socket::builder(&umem).open()?;
    socket.fill.fill_from(&mut pool, CHUNKS)?;
    let mut queue = socket.bind(&interface, 0)?.share_queue();
    let added = (1..count).map(|_| queue.add_socket().bind()).collect::<xsk::Result<Vec<_>>>()?;

    // The slots of the map are the sockets.
    let map = XskMap::create(XskMap::DEFAULT_NAME, count)?;
    let program = by_flow(count, &map)?;
    // By link: if the process is killed, the kernel detaches the program.
    let builder = Attachment::builder(&interface).method(AttachMethod::Link);
    let program = builder.program(program, map).attach()?;
    let mut registrations = vec![queue.register(&program, 0)?];
    for (socket, slot) in added.iter().zip(1..) {
        registrations.push(socket.register(&program, slot)?);
    }
    eprintln!("{name}: {count} sockets, {} mode, {}", program.mode(), program.reason());

    let mut receivers = vec![queue.rx];
    receivers.extend(added.into_iter().map(|socket| socket.rx));
    while !stop.load(Ordering::Relaxed) {
        let mut received = 0;
        for (number, rx) in receivers.iter_mut().enumerate() {
            for frame in rx.receive(BURST)? {
                received += 1;
                if let Some((from, to)) = flow(umem.bytes(&frame)) {
                    println!("socket {number}: {from} > {to}");
                }
                pool.put(frame);
            }
        }
        queue.fill.fill_from(&mut pool, BURST * count)?;
        match queue.fill.kick_if_needed() {
            Err(error) if error.is_down() => {} // The link is waited for.
            result => drop(result?),
        }
        // A signal ends the wait. That the interface is removed does not: hence the timeout.
        let idle = Some(Duration::from_millis(100));
        let sleepers: Vec<_> = receivers.iter().map(|rx| rx as &dyn AsFd).collect();
        if received == 0 && wait(&sleepers, idle)? == 0 {
            queue.handle.check()?;
        }
    }
    Ok(())
}

/// Returns source and destination of a TCP or UDP packet as the program lets them through.
fn flow(packet: &[u8]) -> Option<(SocketAddrV4, SocketAddrV4)> {
    let end = |address: usize, port: usize| {
        let address: [u8; 4] = packet.get(address..address + 4)?.try_into().ok()?;
        let port: [u8; 2] = packet.get(port..port + 2)?.try_into().ok()?;
        Some(SocketAddrV4::new(Ipv4Addr::from(address), u16::from_be_bytes(port)))
    };
    Some((end(26, 34)?, end(30, 36)?))
}

/// An XDP program that sends the TCP and UDP packets of queue 0 to the sockets in `count` slots, by
/// a hash of their flow, and passes all other packets on to the kernel.
fn by_flow(count: u32, map: &XskMap) -> xsk::Result<Program> {
    use Reg::{R0, R1, R2, R3, R4, R5, R6};
    const XDP_PASS: i32 = 2;
    let mut a = Assembler::new();
    let (ports, pass) = (a.named("ports"), a.named("pass"));
    // R1 is the context, a `struct xdp_md`: data at 0, data_end at 4, rx_queue_index at 16.
    a.add([Insn::load(Size::Word, R4, R1, 16)]);
    a.jump_if(Cond::Ne, R4, 0, pass); // The sockets are those of queue 0.
    a.add([
        Insn::load(Size::Word, R2, R1, 0),
        Insn::load(Size::Word, R3, R1, 4),
        Insn::mov64_reg(R4, R2),
        Insn::alu64_imm(Alu::Add, R4, 14 + 20 + 4), // Ethernet, IPv4, two ports
    ]);
    a.jump_if(Cond::Gt, R4, R3, pass);
    // What is looked at, where in the packet, and when the packet is passed on to the kernel.
    for (size, at, cond, value) in [
        (Size::Half, 12, Cond::Ne, i32::from(0x0800_u16.to_be())), // EtherType: not IPv4
        (Size::Byte, 14, Cond::Ne, 0x45),                          // has options
        (Size::Half, 20, Cond::Set, i32::from(0x3fff_u16.to_be())), // a fragment
    ] {
        a.add([Insn::load(size, R4, R2, at)]);
        a.jump_if(cond, R4, value, pass);
    }
    a.add([Insn::load(Size::Byte, R4, R2, 23)]);
    a.jump_if(Cond::Eq, R4, 6, ports); // TCP
    a.jump_if(Cond::Ne, R4, 17, pass); // UDP
    // R6 = (source ^ destination) ^ (source port ^ destination port) * a large odd number
    a.place(ports);
    a.add([
        Insn::load(Size::Word, R6, R2, 26),
        Insn::load(Size::Word, R4, R2, 30),
        Insn::alu32_reg(Alu::Xor, R6, R4),
        Insn::load(Size::Half, R5, R2, 34),
        Insn::load(Size::Half, R4, R2, 36),
        Insn::alu32_reg(Alu::Xor, R5, R4),
        Insn::alu32_imm(Alu::Mul, R5, 0x2c1b_3c6d),
        Insn::alu32_reg(Alu::Xor, R6, R5),
    ]);
    // Multiplying moves bits up only, and the slot is made of the upper ones. So the upper half is
    // folded into the lower one before each multiplication: every bit comes to count.
    for _ in 0..2 {
        a.add([
            Insn::mov32_reg(R4, R6),
            Insn::alu32_imm(Alu::Rsh, R4, 16),
            Insn::alu32_reg(Alu::Xor, R6, R4),
            Insn::alu32_imm(Alu::Mul, R6, 0x297a_2d39),
        ]);
    }
    // slot = hash * count >> 32; return bpf_redirect_map(map, slot, XDP_PASS if it is empty);
    a.add([
        Insn::mov32_reg(R2, R6),
        Insn::alu64_imm(Alu::Mul, R2, count as i32),
        Insn::alu64_imm(Alu::Rsh, R2, 32),
    ]);
    a.load_map(R1, map);
    a.add([Insn::mov64_imm(R3, XDP_PASS), Insn::call(Helper::REDIRECT_MAP), Insn::exit()]);
    a.place(pass).add([Insn::mov64_imm(R0, XDP_PASS), Insn::exit()]);
    a.finish()?.builder().name("flow_hash").license(c"Dual MIT/GPL").load()
}
