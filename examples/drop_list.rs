//! Drops what comes from a list of IPv4 prefixes: `drop_list eth1 FILE`.
//!
//! The file has a prefix on each line, such as `198.51.100.0/24`; an address alone is one of 32
//! bits, and `#` begins a comment. The list is a trie (`LpmTrie`), which a program looks the source
//! address of each packet up in: a hundred thousand prefixes cost little more than one, and no
//! packet reaches a socket or the kernel that is on the list. Everything else is passed on.
//!
//! Change the file and send SIGHUP (`kill -HUP PID`): what is new is added, what is gone is
//! removed, while the program goes on; packets of prefixes that stay never slip through. If the new
//! file has an error, the list stays as it is. Ctrl-C and SIGTERM end it in order.
//!
//! It says how long the list took to fill, and how long a packet takes: runs of the program on a
//! packet of its own, without an interface.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use xsk::bpf::{
    Alu, Assembler, Cond, Helper, Insn, LpmTrie, PerCpuArray, Prefix, Program, Reg, Size, XskMap,
};
use xsk::{AttachMethod, Attachment, Interface};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The most prefixes of a list. The kernel takes memory for those only that are there.
const MOST: u32 = 1 << 20;
/// How often a packet is timed.
const RUNS: u32 = 100_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drop_list: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, file] = &args[..] else { return Err("usage: drop_list INTERFACE FILE".into()) };
    let [stop, changed] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGHUP, Arc::clone(&changed))?;

    let mut list = read(file)?;
    let trie = LpmTrie::<Prefix<4>, u8>::create("drop_list", MOST)?;
    let begin = Instant::now();
    trie.insert_all(list.iter().map(|prefix| (prefix, &1)))?;
    println!("{} prefixes in {} ms", list.len(), begin.elapsed().as_millis());

    let dropped = PerCpuArray::<u64>::create("dropped", 1)?;
    let program = drop_listed(&trie, &dropped)?;
    let time = |source: [u8; 4]| -> Result<u128> {
        let mut packet = [0; 64];
        packet[12..14].copy_from_slice(&[0x08, 0x00]);
        packet[26..30].copy_from_slice(&source);
        Ok(program.time_runs(&packet, RUNS)?.1.as_nanos())
    };
    let listed = list.iter().next().map_or(Ok(0), |prefix| time(prefix.address()))?;
    println!("a packet takes {listed} ns if it is listed, {} ns if not", time([0, 0, 0, 1])?);
    let before = total(&dropped)?; // Those runs are counted, too.

    // A program without sockets: its map of sockets is empty.
    let interface = Interface::by_name(name)?;
    let unused = XskMap::create(XskMap::DEFAULT_NAME, 1)?;
    // By link: if the process is killed, the kernel detaches the program.
    let builder = Attachment::builder(&interface).method(AttachMethod::Link);
    let attachment = builder.program(program, unused).attach()?;
    eprintln!("{name}: {} mode, {}", attachment.mode(), attachment.reason());

    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100)); // A signal does not end it.
        interface.info()?; // An error if it has been removed.
        if !changed.swap(false, Ordering::Relaxed) {
            continue;
        }
        match read(file) {
            Ok(new) => {
                let begin = Instant::now();
                // What is new comes first, so that a prefix that is split stays listed throughout.
                trie.insert_all(new.difference(&list).map(|prefix| (prefix, &1)))?;
                trie.remove_all(list.difference(&new))?;
                let (added, removed) =
                    (new.difference(&list).count(), list.difference(&new).count());
                let took = begin.elapsed().as_millis();
                println!("{added} prefixes added, {removed} removed in {took} ms");
                list = new;
            }
            Err(error) => eprintln!("the list stays as it is: {error}"),
        }
    }
    attachment.close()?;
    println!("{} packets dropped", total(&dropped)? - before);
    Ok(())
}

/// Returns what the program counted on all CPUs.
fn total(counter: &PerCpuArray<u64>) -> Result<u64> {
    Ok(counter.get(0)?.unwrap_or_default().iter().sum())
}

/// Reads a list of prefixes.
fn read(file: &str) -> Result<HashSet<Prefix<4>>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mut list = HashSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            let prefix = prefix(line).map_err(|error| format!("{file}, line {number}: {error}"))?;
            list.insert(prefix);
        }
    }
    if list.len() > MOST as usize {
        return Err(format!("{file}: {} prefixes, {MOST} is the most", list.len()).into());
    }
    Ok(list)
}

/// Reads an IPv4 address with or without a length.
fn prefix(text: &str) -> Result<Prefix<4>> {
    let (address, len) = text.split_once('/').unwrap_or((text, "32"));
    Ok(Prefix::v4(address.parse::<Ipv4Addr>()?, len.parse()?)?)
}

/// An XDP program that drops and counts packets from addresses of the trie, and passes all others
/// on to the kernel.
fn drop_listed(trie: &LpmTrie<Prefix<4>, u8>, dropped: &PerCpuArray<u64>) -> xsk::Result<Program> {
    use Reg::{R0, R1, R2, R3, R4, R10};
    const XDP_DROP: i32 = 1;
    const XDP_PASS: i32 = 2;
    let mut a = Assembler::new();
    let (pass, drop) = (a.named("pass"), a.named("drop"));
    // R1 is the context, a `struct xdp_md`: data at 0, data_end at 4.
    a.add([
        Insn::load(Size::Word, R2, R1, 0),
        Insn::load(Size::Word, R3, R1, 4),
        Insn::mov64_reg(R4, R2),
        Insn::alu64_imm(Alu::Add, R4, 14 + 20), // Ethernet, IPv4
    ]);
    a.jump_if(Cond::Gt, R4, R3, pass);
    a.add([Insn::load(Size::Half, R4, R2, 12)]);
    a.jump_if(Cond::Ne, R4, i32::from(0x0800_u16.to_be()), pass);
    // The key, on the stack: the length in bits of what is looked up, and the address.
    a.add([
        Insn::load(Size::Word, R4, R2, 26),
        Insn::store_imm(Size::Word, R10, -8, 32),
        Insn::store(Size::Word, R10, -4, R4),
    ]);
    // if (!bpf_map_lookup_elem(trie, &key)) return XDP_PASS;
    a.load_map(R1, trie);
    a.add([
        Insn::mov64_reg(R2, R10),
        Insn::alu64_imm(Alu::Add, R2, -8),
        Insn::call(Helper::MAP_LOOKUP_ELEM),
    ]);
    a.jump_if(Cond::Eq, R0, 0, pass);
    // The counter of this CPU, which no other one writes: no atomic instruction is needed.
    a.add([Insn::store_imm(Size::Word, R10, -4, 0)]);
    a.load_map(R1, dropped);
    a.add([
        Insn::mov64_reg(R2, R10),
        Insn::alu64_imm(Alu::Add, R2, -4),
        Insn::call(Helper::MAP_LOOKUP_ELEM),
    ]);
    a.jump_if(Cond::Eq, R0, 0, drop);
    a.add([
        Insn::load(Size::Double, R3, R0, 0),
        Insn::alu64_imm(Alu::Add, R3, 1),
        Insn::store(Size::Double, R0, 0, R3),
    ]);
    a.place(drop).add([Insn::mov64_imm(R0, XDP_DROP), Insn::exit()]);
    a.place(pass).add([Insn::mov64_imm(R0, XDP_PASS), Insn::exit()]);
    a.finish()?.builder().name("drop_list").license(c"Dual MIT/GPL").load()
}
