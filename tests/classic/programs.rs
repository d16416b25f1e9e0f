//! Random classic programs, of all instructions that there are: this crate's interpreter and the
//! translated program, run without the kernel and on it, take the same packets.

use crate::interpreter::Interpreter;
use crate::maps::OneSocket;
use crate::random_filters::packet;
use crate::random_numbers::{Random, seed};
use std::time::Instant;
use xsk::bpf::{Action, ClassicFilter, XskMap};
use xsk::test_util::{fuzz, privileged};
use xsk::uapi::filter::sock_filter;

const PROGRAMS: usize = 400;
const PACKETS: usize = 60;

/// The operations of arithmetic, but for the divisions.
const ALU: [u16; 8] = [0x04, 0x14, 0x24, 0x44, 0x54, 0x64, 0x74, 0xa4];
const LOADS: [u16; 7] = [0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1];
const JUMPS: [u16; 4] = [0x15, 0x25, 0x35, 0x45];

fn constant(random: &mut Random) -> u32 {
    match random.below(4) {
        0 => random.next() as u32,
        1 => (random.next() as u32) >> random.below(32),
        _ => random.below(80) as u32,
    }
}

/// An instruction with so many others behind it.
fn instruction(random: &mut Random, behind: usize) -> sock_filter {
    let one = |code, k| sock_filter { code, k, ..Default::default() };
    let mut skip = || random.below(behind.min(12)) as u8;
    let (jt, jf) = (skip(), skip());
    match random.below(16) {
        0..=3 => {
            let code = LOADS[random.below(LOADS.len())];
            // Offsets that are too large now and then.
            let k = if random.one_in(40) { constant(random) } else { random.below(50) as u32 };
            // Nothing behind `SKF_AD_OFF`.
            one(code, k & 0x7fff_ffff)
        }
        4 => one([0x00, 0x01][random.below(2)], constant(random)),
        5 => one([0x80, 0x81, 0x07, 0x87][random.below(4)], 0),
        6 => one([0x02, 0x03][random.below(2)], random.below(16) as u32),
        7 => one([0x60, 0x61][random.below(2)], random.below(16) as u32),
        8 => one(0x84, 0),
        9 => one([0x34, 0x94][random.below(2)], constant(random).max(1)),
        10 if random.one_in(3) => one([0x3c, 0x9c][random.below(2)], 0),
        10 | 11 => {
            let code = ALU[random.below(ALU.len())];
            one(
                code,
                if matches!(code, 0x64 | 0x74) {
                    random.below(32) as u32
                } else {
                    constant(random)
                },
            )
        }
        12 => one(ALU[random.below(ALU.len())] | 8, 0),
        13 if random.one_in(6) => one([0x06, 0x16][random.below(2)], random.below(2) as u32),
        13 if random.one_in(4) => one(0x05, jt.into()),
        _ => {
            let code = JUMPS[random.below(4)] | [0, 0, 8][random.below(3)];
            sock_filter { code, jt, jf, k: constant(random) }
        }
    }
}

/// Makes a program that is possible: words of memory are written first.
fn program(random: &mut Random, len: usize) -> ClassicFilter {
    let mut program = Vec::new();
    for k in 0..16 {
        program.push(sock_filter { code: 0x02, k, ..Default::default() });
    }
    for at in 0..len {
        program.push(instruction(random, len - at));
    }
    program.push(sock_filter { code: [0x06, 0x16][random.below(2)], k: 1, ..Default::default() });
    ClassicFilter::new(&program).unwrap().take_everything(true)
}

#[test]
fn random_programs_mean_the_same_everywhere() {
    let seed = seed();
    eprintln!("XSK_SEED={seed}");
    let rounds: usize = std::env::var("XSK_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let mut random = Random(seed);
    let map = privileged("random_programs_mean_the_same_everywhere: on the kernel")
        .then(|| XskMap::create("xsks_map", 4).unwrap());
    let (mut pairs, mut taken, mut largest, mut slowest) = (0, 0, 0, (0, 0));
    for _ in 0..PROGRAMS * rounds {
        let len = random.below(60);
        let filter = program(&mut random, len);
        let compiled = filter.compile(Action::Drop).unwrap();
        let interpreter = Interpreter::new(&fuzz::instructions(&compiled));
        largest = largest.max(compiled.len());
        let start = Instant::now();
        let loaded = map.as_ref().map(|map| {
            compiled
                .load(map)
                .unwrap_or_else(|error| panic!("{error}\n{filter}\n{}", compiled.listing()))
        });
        if loaded.is_some() {
            slowest = slowest.max((start.elapsed().as_micros(), compiled.len()));
        }
        for _ in 0..PACKETS {
            let packet = packet(&mut random).bytes;
            let wanted = filter.matches(&packet);
            let verdict = if wanted { 1 } else { 2 };
            let shown = || format!("{filter}\n{}{packet:02x?}", compiled.listing());
            assert_eq!(interpreter.run(&packet, 0, &mut OneSocket), Ok(verdict), "{}", shown());
            if let Some(loaded) = loaded.as_ref().filter(|_| packet.len() >= 14) {
                let ran = loaded.program().test_run(&packet, None).unwrap();
                assert_eq!(ran.retval, verdict, "{}", shown());
            }
            pairs += 1;
            taken += usize::from(wanted);
        }
    }
    eprintln!(
        "{pairs} pairs, {taken} of them taken; at most {largest} instructions; longest load: {} us, \
         of {} instructions",
        slowest.0, slowest.1
    );
    assert!(taken > pairs / 10 && taken < pairs * 9 / 10, "{taken} of {pairs}");
}

#[test]
fn the_longest_programs_are_loaded_or_refused() {
    let map = privileged("the_longest_programs_are_loaded_or_refused: on the kernel")
        .then(|| XskMap::create("xsks_map", 4).unwrap());
    let load = |name: &str, code: u16, jf: u8, count: usize| {
        let middle = format!("{code} 0 {jf} 5\n").repeat(count);
        let text = format!("{}\n48 0 0 12\n7 0 0 0\n{middle}4 0 0 1\n22 0 0 0", count + 4);
        let filter = text.parse::<ClassicFilter>().unwrap();
        let compiled = filter.compile(Action::Drop)?;
        let start = Instant::now();
        if let Some(map) = &map {
            compiled.load(map)?;
        }
        eprintln!("{name}: {count}, {} instructions, {:?}", compiled.len(), start.elapsed());
        Ok::<usize, xsk::Error>(compiled.len())
    };
    assert!(load("constant loads", 0x30, 0, 4092).unwrap() < 5000);
    load("comparisons", 0x15, 1, 4092).unwrap();
    load("comparisons with X", 0x3d, 1, 4092).unwrap();
    load("bits", 0x45, 1, 4092).unwrap();
    load("shifts", 0x6c, 0, 4092).unwrap();
    load("indexed bytes", 0x50, 0, 4092).unwrap();
    load("indexed words", 0x40, 0, 4092).unwrap();
    // Jumps have 16 bits.
    let text = format!("4096\n{}22 0 0 0", "64 0 0 40000\n".repeat(4095));
    let refused = text.parse::<ClassicFilter>().unwrap().compile(Action::Drop).unwrap_err();
    assert!(refused.to_string().contains("too large a program"), "{refused}");
}
