//! Looks at one IPv4 packet in N: `sample eth1 100`.
//!
//! An XDP program draws a random number for each packet and sends one in N, on average, to the
//! socket of queue 0, where this program prints its length, its addresses and its protocol. Random,
//! because traffic that repeats itself would let a counter see the same kind of packet always.
//!
//! **A sampled packet is taken, not copied**: a redirect moves it, so it does not reach the kernel.
//! TCP sends it again, at the price of a loss; a datagram is gone. Choose N accordingly, or look at
//! traffic that goes nowhere else, such as that of a mirror port. A copy takes a packet socket
//! (tcpdump), or a program that writes bytes of the packet into an `xsk::bpf::RingBuffer`.
//!
//! What is not IPv4 is passed on, ARP and IPv6 included; so are samples of other queues. Ctrl-C and
//! SIGTERM end it in order.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::bpf::{Alu, Assembler, Cond, Helper, Insn, PerCpuArray, Program, Reg, Size, XskMap};
use xsk::{AttachMethod, Attachment, Interface, Port, Socket, Umem, wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BURST: u32 = 64;
/// The counters of the map.
const SEEN: u32 = 0;
const SAMPLED: u32 = 1;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sample: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, n] = &args[..] else { return Err("usage: sample INTERFACE N".into()) };
    let one_in: i32 = n.parse().map_err(|error| format!("{n}: {error}"))?;
    if one_in < 1 {
        return Err(format!("{n}: one packet in 1 or more is sampled").into());
    }
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let interface = Interface::by_name(name)?;
    let (umem, pool) = Umem::builder().chunk_size(2048).chunk_count(2048).build()?;
    let mut port = Port::bind(pool, Socket::builder(&umem), &interface, 0)?;
    let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
    let counters = PerCpuArray::<u64>::create("counters", 2)?;
    let program = one_in_n(one_in, &counters, &map)?;
    // By link: if the process is killed, the kernel detaches the program.
    let builder = Attachment::builder(&interface).method(AttachMethod::Link);
    let program = builder.program(program, map).attach()?;
    let _registration = port.socket.register(&program)?;
    eprintln!("{name}: {} mode, {}", program.mode(), program.reason());

    while !stop.load(Ordering::Relaxed) {
        let Port { umem, pool, socket, .. } = &mut port;
        let mut received = 0;
        for frame in socket.rx.receive(BURST)? {
            received += 1;
            println!("{}", summary(umem.bytes(&frame)));
            pool.put(frame);
        }
        port.service(BURST)?;
        // A signal ends the wait. That the interface is removed does not: hence the timeout.
        if received == 0 && wait(&[&port.socket.rx], Some(Duration::from_millis(100)))? == 0 {
            port.socket.handle.check()?;
        }
    }
    // What a program counted on each CPU, added up.
    let [seen, sampled] = [SEEN, SAMPLED].map(|counter| counters.get(counter));
    let [seen, sampled] = [seen?, sampled?].map(|on_cpus| on_cpus.iter().flatten().sum::<u64>());
    println!("{seen} packets, {sampled} of them sampled");
    Ok(())
}

/// Returns a line about an IPv4 packet.
fn summary(packet: &[u8]) -> String {
    let address = |at: usize| {
        let bytes = packet.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        bytes.map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from)
    };
    let protocol = packet.get(23).copied().unwrap_or_default();
    format!("{} bytes, {} > {}, protocol {protocol}", packet.len(), address(26), address(30))
}

/// An XDP program that counts IPv4 packets, sends one in `one_in` to the socket in the slot of its
/// queue, and passes all others on to the kernel.
fn one_in_n(one_in: i32, counters: &PerCpuArray<u64>, map: &XskMap) -> xsk::Result<Program> {
    use Reg::{R0, R1, R2, R3, R4, R6, R10};
    const XDP_PASS: i32 = 2;
    let mut a = Assembler::new();
    let (count, pass) = (a.named("count"), a.named("pass"));
    // R1 is the context, a `struct xdp_md`: data at 0, data_end at 4, rx_queue_index at 16.
    a.add([
        Insn::mov64_reg(R6, R1), // Helpers change R0 to R5.
        Insn::load(Size::Word, R2, R1, 0),
        Insn::load(Size::Word, R3, R1, 4),
        Insn::mov64_reg(R4, R2),
        Insn::alu64_imm(Alu::Add, R4, 14 + 20), // Ethernet, IPv4
    ]);
    a.jump_if(Cond::Gt, R4, R3, pass);
    a.add([Insn::load(Size::Half, R4, R2, 12)]);
    a.jump_if(Cond::Ne, R4, i32::from(0x0800_u16.to_be()), pass);
    a.add([Insn::mov64_imm(R1, SEEN as i32)]);
    a.call(count);
    a.add([Insn::call(Helper::GET_PRANDOM_U32), Insn::alu32_imm(Alu::Mod, R0, one_in)]);
    a.jump_if(Cond::Ne, R0, 0, pass);
    a.add([Insn::mov64_imm(R1, SAMPLED as i32)]);
    a.call(count);
    // return bpf_redirect_map(map, ctx->rx_queue_index, XDP_PASS if the slot is empty);
    a.add([Insn::load(Size::Word, R2, R6, 16)]);
    a.load_map(R1, map);
    a.add([Insn::mov64_imm(R3, XDP_PASS), Insn::call(Helper::REDIRECT_MAP), Insn::exit()]);
    a.place(pass).add([Insn::mov64_imm(R0, XDP_PASS), Insn::exit()]);

    // A function: adds 1 to the counter whose number is in R1.
    let unknown = a.named("unknown");
    a.place(count).add([Insn::store(Size::Word, R10, -4, R1)]);
    a.load_map(R1, counters);
    a.add([
        Insn::mov64_reg(R2, R10),
        Insn::alu64_imm(Alu::Add, R2, -4),
        Insn::call(Helper::MAP_LOOKUP_ELEM),
    ]);
    a.jump_if(Cond::Eq, R0, 0, unknown);
    // The counter of this CPU, which no other one writes: no atomic instruction is needed.
    a.add([
        Insn::load(Size::Double, R3, R0, 0),
        Insn::alu64_imm(Alu::Add, R3, 1),
        Insn::store(Size::Double, R0, 0, R3),
    ]);
    a.place(unknown).add([Insn::mov64_imm(R0, 0), Insn::exit()]);
    a.finish()?.builder().name("sample").license(c"Dual MIT/GPL").load()
}
