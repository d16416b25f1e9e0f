//! Replies to every second ping from user space: `every_second eth1`, and elsewhere `ping -6 ADDRESS`.
//!
//! This is the AF_XDP exercise of the xdp-tutorial. An XDP program counts the ICMPv6 echo requests,
//! in a map with a counter for each CPU: the first one, the third and so on go to the kernel, which
//! replies to them as ever; the second one, the fourth and so on to the socket of queue 0, and this
//! program replies. `ping` shows which is which: replies from here have `ttl=255`, those of a
//! kernel usually 64. Everything else goes to the kernel, neighbour discovery included.
//!
//! Requests that come in on several CPUs are counted apart, so that each CPU has a second one of
//! its own. This program replies for every address that a request comes for. Ctrl-C and SIGTERM end
//! it in order.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::bpf::{Alu, Assembler, Cond, Helper, Insn, PerCpuArray, Program, Reg, Size, XskMap};
use xsk::{AttachMethod, Attachment, Interface, Port, Socket, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;
/// The hop limit of the replies.
const HOP_LIMIT: u8 = 255;
const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("every_second: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name] = &args[..] else { return Err("usage: every_second INTERFACE".into()) };
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let interface = Interface::by_name(name)?;
    let (umem, pool) = Umem::builder().chunk_size(2048).chunk_count(1024).build()?;
    let mut port = Port::bind(pool, Socket::builder(&umem), &interface, 0)?;
    let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
    let requests = PerCpuArray::<u64>::create("requests", 1)?;
    let program = every_second_request(&requests, &map)?;
    // By link: if the process is killed, the kernel detaches the program.
    let builder = Attachment::builder(&interface).method(AttachMethod::Link);
    let program = builder.program(program, map).attach()?;
    let _registration = port.socket.register(&program)?;
    eprintln!("{name}: {} mode, {}", program.mode(), program.reason());

    let mut answered = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let Port { umem, pool, socket, .. } = &mut port;
        let mut out = socket.tx.reserve(BURST)?;
        let mut received = 0;
        for mut frame in socket.rx.receive(BURST)? {
            received += 1;
            let packet = umem.bytes_mut(&mut frame);
            // No reply, or no room for it: drop the packet, keep the chunk.
            let result = if reply(packet).is_some() { out.push(frame) } else { Err(frame) };
            match result {
                Ok(()) => answered += 1,
                Err(frame) => pool.put(frame),
            }
        }
        drop(out); // Submits.
        port.service(BURST)?;
        // A signal ends the wait. That the interface is removed does not: hence the timeout.
        if received == 0 && wait(&[&port.socket.rx], Some(Duration::from_millis(100)))? == 0 {
            port.socket.handle.check()?;
        }
    }
    let seen: u64 = requests.get(0)?.unwrap_or_default().iter().sum();
    println!("{seen} echo requests, {answered} of them answered here");
    Ok(())
}

/// Makes the reply to an echo request of the request itself; `None` if it is none.
fn reply(packet: &mut [u8]) -> Option<()> {
    let icmp = packet.get_mut(54..)?;
    let [kind @ ECHO_REQUEST, _, high, low, ..] = icmp else { return None };
    *kind = ECHO_REPLY;
    // The checksum is the complement of a sum of 16-bit words, a carry added at the lower end. One
    // word has grown by 0x0100. To exchange the addresses changes no sum.
    let sum = !u16::from_be_bytes([*high, *low]);
    let (sum, carry) = sum.overflowing_add(0x0100);
    [*high, *low] = (!(sum + u16::from(carry))).to_be_bytes();
    packet.get_mut(0..12)?.rotate_left(6); // Ethernet
    packet.get_mut(22..54)?.rotate_left(16); // IPv6
    *packet.get_mut(21)? = HOP_LIMIT;
    Some(())
}

/// An XDP program that counts ICMPv6 echo requests, sends each second one to the socket in the slot
/// of its queue, and passes all other packets on to the kernel.
fn every_second_request(requests: &PerCpuArray<u64>, map: &XskMap) -> xsk::Result<Program> {
    use Reg::{R0, R1, R2, R3, R4, R6, R10};
    const XDP_PASS: i32 = 2;
    // What is looked at, where in the packet, and when the packet is passed on to the kernel.
    let checks = [
        (Size::Half, 12, Cond::Ne, i32::from(0x86dd_u16.to_be())), // EtherType: not IPv6
        (Size::Byte, 20, Cond::Ne, 58),                            // next header: not ICMPv6
        (Size::Byte, 38, Cond::Eq, 0xff),                          // destination: multicast
        (Size::Byte, 54, Cond::Ne, i32::from(ECHO_REQUEST)),
    ];
    let mut a = Assembler::new();
    let pass = a.named("pass");
    // R1 is the context, a `struct xdp_md`: data at 0, data_end at 4, rx_queue_index at 16. The
    // verifier lets the program read bytes only after it has compared their end with data_end.
    a.add([
        Insn::load(Size::Word, R2, R1, 0),
        Insn::load(Size::Word, R3, R1, 4),
        Insn::mov64_reg(R4, R2),
        Insn::alu64_imm(Alu::Add, R4, 14 + 40 + 8), // Ethernet, IPv6, ICMPv6
    ]);
    a.jump_if(Cond::Gt, R4, R3, pass);
    for (size, at, cond, value) in checks {
        a.add([Insn::load(size, R4, R2, at)]);
        a.jump_if(cond, R4, value, pass);
    }
    // Helpers change R0 to R5, so the context moves to R6. The key, number 0, is on the stack.
    a.add([Insn::mov64_reg(R6, R1), Insn::store_imm(Size::Word, R10, -4, 0)]);
    a.load_map(R1, requests);
    a.add([
        Insn::mov64_reg(R2, R10),
        Insn::alu64_imm(Alu::Add, R2, -4),
        Insn::call(Helper::MAP_LOOKUP_ELEM),
    ]);
    a.jump_if(Cond::Eq, R0, 0, pass); // Never, but the verifier does not know that.
    // The counter of this CPU, which no other one writes: no atomic instruction is needed.
    a.add([
        Insn::load(Size::Double, R3, R0, 0),
        Insn::alu64_imm(Alu::Add, R3, 1),
        Insn::store(Size::Double, R0, 0, R3),
    ]);
    a.jump_if(Cond::Set, R3, 1, pass); // 1, 3, 5 ...
    // return bpf_redirect_map(map, ctx->rx_queue_index, XDP_PASS if the slot is empty);
    a.add([Insn::load(Size::Word, R2, R6, 16)]);
    a.load_map(R1, map);
    a.add([Insn::mov64_imm(R3, XDP_PASS), Insn::call(Helper::REDIRECT_MAP), Insn::exit()]);
    a.place(pass).add([Insn::mov64_imm(R0, XDP_PASS), Insn::exit()]);
    a.finish()?.builder().name("every_second").license(c"Dual MIT/GPL").load()
}
