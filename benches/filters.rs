//! Times filters, and the same filters written in C and compiled by clang -O2, by `BPF_PROG_TEST_RUN`:
//! nanoseconds for each packet, in one run, and a table.
//!
//!     cargo bench --bench filters
//!
//! Needs root. Without clang, libbpf's headers or bpftool there is nothing to compare with. Ends
//! with 1 if a filter takes more than 1.2 times what C takes. The times are the kernel's, in whole
//! nanoseconds, the least of many rounds; they contain its loop, whose share is that of a program
//! that only returns.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use xsk::bpf::{
    Action, AddressSet, CompiledFilter, Condition, Direction, Filter, Insn, Program, Reg, XskMap,
    redirect,
};

/// How often each program runs at once, and how often that is done: the least time counts.
const REPEAT: u32 = 200_000;
const ROUNDS: usize = 25;
const MOST_RATIO: f64 = 1.2;
const MOST_SET_RATIO: f64 = 2.0;

/// A filter: its name in `tests/filters/filters.c`, its text, and the packets that it is timed with.
struct Case {
    name: &'static str,
    text: &'static str,
    packets: Vec<(&'static str, Vec<u8>)>,
}

fn main() {
    if !rustix::process::geteuid().is_root() {
        println!("not root: nothing is timed");
        return;
    }
    let map = XskMap::create("xsks_map", 4).expect("a map");
    let reference = Reference::build();
    let pass = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let pass = Program::builder(&pass).load().expect("a program");
    let default = redirect(&map).expect("the default program");
    let packet = ethernet(0x0800, &ipv4(17, &ports(1, 2)));
    println!("{:<36} {:>6} {:>8}", "program", "insns", "ns");
    for (name, program, insns) in [("return XDP_PASS", &pass, 2), ("default program", &default, 6)]
    {
        println!("{name:<36} {insns:>6} {:>8.1}", least(&[program], &packet)[0]);
    }
    println!();
    println!(
        "{:<8} {:<8} {:>6} {:>8} {:>8} {:>8} {:>6}",
        "filter", "packet", "insns", "ns", "C insns", "C ns", "ratio"
    );
    let mut worst: f64 = 0.0;
    for case in cases() {
        let condition: Condition = case.text.parse().expect(case.text);
        let compiled = Filter::new().rule(condition, Action::Queue).compile().expect("compiled");
        let ours = compiled.load(&map).expect("loaded");
        let c = reference.as_ref().map(|reference| reference.program(case.name));
        for (what, packet) in &case.packets {
            let mut programs = vec![ours.program()];
            programs.extend(&c);
            let times = least(&programs, packet);
            print!(
                "{:<8} {what:<8} {:>6} {:>8.1}",
                case.name,
                Reference::insns(ours.program()),
                times[0]
            );
            if let (Some(c), [ours, theirs]) = (&c, &*times) {
                let ratio = ours / theirs;
                worst = worst.max(ratio);
                print!(" {:>8} {theirs:>8.1} {ratio:>6.2}", Reference::insns(c));
            }
            println!();
        }
    }
    println!();
    for case in cases() {
        println!("{:<8} {}", case.name, case.text);
        speed(&case, &map);
    }
    drop(reference); // removes its pins, which `exit` would not
    let ratio = prefixes(&map);
    if ratio > MOST_SET_RATIO {
        println!("a set of 10,000 prefixes takes {ratio:.2} times one, above {MOST_SET_RATIO}");
        std::process::exit(1);
    }
    if worst > MOST_RATIO {
        println!("the worst ratio, {worst:.2}, is above {MOST_RATIO}");
        std::process::exit(1);
    }
}

/// Times one prefix in the program beside a set of 10,000, and returns the ratio.
fn prefixes(map: &XskMap) -> f64 {
    let set = AddressSet::new("prefixes");
    let start = Instant::now();
    for n in 0..10_000_u32 {
        // Spread over all of IPv4, 16 to 31 bits long.
        let address = n.wrapping_mul(0x9e37_79b9);
        set.insert(Ipv4Addr::from(address), (16 + n % 16) as u8).expect("a prefix");
    }
    set.insert(Ipv4Addr::new(10, 0, 0, 0), 30).expect("a prefix");
    let filled = start.elapsed();
    let load = |condition: Condition| {
        Filter::new().rule(condition, Action::Queue).load(map).expect("loaded")
    };
    let one = load("src net 10.0.0.0/30 and ip".parse().expect("a condition"));
    let start = Instant::now();
    let many = load(Condition::ip() & Condition::address_in(Direction::Source, &set));
    let loaded = start.elapsed();
    let start = Instant::now();
    set.insert(Ipv4Addr::new(10, 0, 1, 0), 31).expect("a prefix");
    println!(
        "a set of 10,000 prefixes: filled in {filled:.1?}, loaded in {loaded:.1?}, changed in {:.1?}",
        start.elapsed()
    );
    let packet = ethernet(0x0800, &ipv4(17, &ports(1, 53)));
    let times = least(&[one.program(), many.program()], &packet);
    let ratio = times[1] / times[0];
    println!("one prefix {:.1} ns, 10,000 prefixes {:.1} ns, ratio {ratio:.2}", times[0], times[1]);
    ratio
}

/// Prints how long compiling and loading take.
fn speed(case: &Case, map: &XskMap) {
    let fastest = |f: &mut dyn FnMut()| {
        let time = |f: &mut dyn FnMut()| {
            let start = Instant::now();
            f();
            start.elapsed()
        };
        (0..9).map(|_| time(f)).min().unwrap_or_default()
    };
    let filter = || Filter::new().rule(case.text.parse().expect("a condition"), Action::Queue);
    let compiled: CompiledFilter = filter().compile().expect("compiled");
    let compile = fastest(&mut || drop(filter().compile()));
    let load = fastest(&mut || drop(compiled.load(map)));
    println!("{:<8} compiled in {compile:.1?}, loaded in {load:.1?}", "");
}

/// Returns the nanoseconds of one run of each program on a packet.
fn least(programs: &[&Program], packet: &[u8]) -> Vec<f64> {
    let mut best = vec![Duration::MAX; programs.len()];
    for _ in 0..ROUNDS {
        for (program, best) in programs.iter().zip(&mut best) {
            let (_, time) = program.time_runs(packet, REPEAT).expect("a test run");
            *best = time.min(*best);
        }
    }
    best.iter().map(|best| best.as_secs_f64() * 1e9).collect()
}

/// The filters in C, compiled, loaded, and pinned in a directory that is removed at the end.
struct Reference {
    pins: PathBuf,
    mounted: bool,
}

impl Reference {
    fn build() -> Option<Self> {
        let object = std::env::temp_dir().join(format!("xsk-filters-{}.o", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filters/filters.c");
        let include = format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH);
        let clang = Command::new("clang")
            .args(["-O2", "-g", "-Wall", "-target", "bpf", &include, "-c"])
            .arg(&source)
            .arg("-o")
            .arg(&object)
            .status();
        if !clang.is_ok_and(|status| status.success()) {
            println!("clang or libbpf's headers are missing: no comparison");
            return None;
        }
        let pins = std::env::temp_dir().join(format!("xsk-filters-{}", std::process::id()));
        std::fs::create_dir(&pins).ok()?;
        let pins_text = pins.to_str()?.to_owned();
        let mount = Command::new("mount").args(["-t", "bpf", "bpf", &pins_text]).status();
        let reference = Self { pins, mounted: mount.is_ok_and(|status| status.success()) };
        let load = Command::new("bpftool")
            .args(["prog", "loadall", object.to_str()?, &format!("{pins_text}/programs")])
            .status();
        let _ = std::fs::remove_file(&object);
        if !load.is_ok_and(|status| status.success()) {
            println!("bpftool is missing, or did not load the programs in C: no comparison");
            return None;
        }
        Some(reference)
    }

    fn program(&self, name: &str) -> Program {
        Program::from_pin(self.pins.join("programs").join(name)).expect(name)
    }

    /// Returns how many instructions the kernel has made of the program.
    fn insns(program: &Program) -> u32 {
        program.info().map_or(0, |info| info.instructions)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg(&self.pins).status();
        }
        let _ = std::fs::remove_dir(&self.pins);
    }
}

fn cases() -> Vec<Case> {
    let tagged = |payload: &[u8]| [&[0, 100, 0x08, 0x00], payload].concat();
    let extended = |payload: &[u8]| {
        // A hop-by-hop header of eight bytes before the transport header.
        [&[6, 0, 0, 0, 0, 0, 0, 0], payload].concat()
    };
    vec![
        Case {
            name: "vxlan",
            text: "udp dst port 4789",
            packets: vec![
                ("hit", ethernet(0x0800, &ipv4(17, &ports(1, 4789)))),
                ("hit-6", ethernet(0x86dd, &ipv6(17, &ports(1, 4789)))),
                ("other", ethernet(0x0800, &ipv4(17, &ports(1, 53)))),
                ("tcp", ethernet(0x0800, &ipv4(6, &ports(1, 53)))),
                ("arp", ethernet(0x0806, &[0; 46])),
            ],
        },
        Case {
            name: "range",
            text: "ip and src net 10.0.0.0/8 and tcp dst portrange 8000-8999",
            packets: vec![
                ("hit", ethernet(0x0800, &ipv4(6, &ports(1, 8080)))),
                ("other", ethernet(0x0800, &ipv4(6, &ports(1, 80)))),
            ],
        },
        Case {
            name: "tagged",
            text: "vlan 100 and ip and udp port 53",
            packets: vec![
                ("hit", ethernet(0x8100, &tagged(&ipv4(17, &ports(1, 53))))),
                ("other", ethernet(0x0800, &ipv4(17, &ports(1, 53)))),
            ],
        },
        Case {
            name: "https6",
            text: "ip6 and dst net 2001:db8::/32 and tcp dst port 443",
            packets: vec![
                ("hit", ethernet(0x86dd, &ipv6(6, &ports(1, 443)))),
                ("options", ethernet(0x86dd, &ipv6(0, &extended(&ports(1, 443))))),
                ("other", ethernet(0x86dd, &ipv6(17, &ports(1, 443)))),
            ],
        },
        Case {
            name: "syn",
            text: "ip and (icmp or (tcp dst port 80 and tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn))",
            packets: vec![
                ("hit", ethernet(0x0800, &ipv4(6, &flags(2)))),
                ("icmp", ethernet(0x0800, &ipv4(1, &ports(1, 80)))),
                ("other", ethernet(0x0800, &ipv4(6, &flags(0x10)))),
            ],
        },
    ]
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend(kind.to_be_bytes());
    packet.extend(payload);
    packet
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let head = [0x45, 0, 0, 60, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    [&head, payload].concat()
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let address = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    [&[0x60, 0, 0, 0, 0, 40, next, 64], &address[..], &address, payload].concat()
}

/// Returns a transport header with these ports, and room behind them.
fn ports(source: u16, destination: u16) -> Vec<u8> {
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &[0; 36]].concat()
}

/// Returns a TCP header to port 80 with these flags.
fn flags(flags: u8) -> Vec<u8> {
    let mut header = ports(1, 80);
    header[13] = flags;
    header
}
