//! Programs that tcpdump makes of random expressions, on random packets: this crate's interpreter,
//! the translated program and tcpdump take the same packets, and the same as conditions where the
//! language means the same.

use crate::capture::{self, Capture};
use crate::interpreter::Interpreter;
use crate::maps::OneSocket;
use crate::random_filters::{Packet, expression, packet};
use crate::random_numbers::{Random, seed};
use std::process::Command;
use std::time::Instant;
use xsk::bpf::{Action, ClassicFilter, Condition, XskMap};
use xsk::test_util::{fuzz, privileged};

const EXPRESSIONS: usize = 150;
const PACKETS: usize = 400;

/// Returns what `tcpdump -ddd` prints; `None` if its optimizer sees that no packet is taken.
fn compiled(text: &str, optimize: bool) -> Option<String> {
    let mut command = Command::new("tcpdump");
    command.args(["-ddd", "-y", "EN10MB"]);
    if !optimize {
        command.arg("-O");
    }
    let output = command.args(["--", text]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        assert!(message.contains("rejects all packets"), "{text}: {message}");
        return None;
    }
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn programs_of_tcpdump_mean_what_tcpdump_means() {
    if !capture::is_here("programs_of_tcpdump_mean_what_tcpdump_means") {
        return;
    }
    let seed = seed();
    eprintln!("XSK_SEED={seed}");
    let rounds: usize = std::env::var("XSK_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let mut random = Random(seed);
    let on_kernel = privileged("programs_of_tcpdump_mean_what_tcpdump_means: on the kernel");
    let map = on_kernel.then(|| XskMap::create("xsks_map", 4).unwrap());
    let (mut pairs, mut taken, mut loaded_pairs) = (0, 0, 0);
    let (mut largest, mut slowest) = ((0, 0), (0, 0));
    for _ in 0..rounds {
        let packets: Vec<Packet> = (0..PACKETS).map(|_| packet(&mut random)).collect();
        let capture = Capture::new(packets.iter().map(|packet| &*packet.bytes));
        for number in 0..EXPRESSIONS {
            let (text, optimize) = (expression(&mut random), number % 2 == 0);
            // Numbers that are constants: divisions by 0 and long shifts are refused by both.
            let Ok(condition) = text.parse::<Condition>() else { continue };
            let Some(program) = compiled(&text, optimize) else { continue };
            let theirs = capture.taken(&text, optimize);
            let filter: ClassicFilter =
                program.parse().unwrap_or_else(|error| panic!("{text}: {error}\n{program}"));
            assert_eq!(filter.to_string(), program.trim_end());
            let filter = filter.take_everything(true);
            let translated = filter.compile(Action::Drop).unwrap();
            let interpreter = Interpreter::new(&fuzz::instructions(&translated));
            largest = largest.max((translated.len(), filter.instructions().len()));
            let start = Instant::now();
            let loaded = map.as_ref().map(|map| {
                let failed = |error| panic!("{text}: {error}\n{}", translated.listing());
                translated.load(map).unwrap_or_else(failed)
            });
            if loaded.is_some() {
                slowest = slowest.max((start.elapsed().as_micros(), translated.len()));
            }
            for (index, packet) in packets.iter().enumerate() {
                let wanted = theirs.contains(&index);
                let shown = || format!("{text} (optimized: {optimize})\n{:02x?}", packet.bytes);
                assert_eq!(filter.matches(&packet.bytes), wanted, "{}", shown());
                let verdict = if wanted { 1 } else { 2 };
                let ran = interpreter.run(&packet.bytes, 0, &mut OneSocket);
                assert_eq!(ran, Ok(verdict), "{}\n{}", shown(), translated.listing());
                if !optimize && packet.means_the_same_to_tcpdump(&text) {
                    assert_eq!(condition.matches(&packet.bytes), wanted, "{}", shown());
                }
                // The kernel's test runs need an Ethernet header.
                if let Some(loaded) = loaded.as_ref().filter(|_| packet.bytes.len() >= 14) {
                    let ran = loaded.program().test_run(&packet.bytes, None).unwrap();
                    assert_eq!(ran.retval, verdict, "{}\n{}", shown(), translated.listing());
                    loaded_pairs += 1;
                }
                pairs += 1;
                taken += usize::from(wanted);
            }
        }
    }
    eprintln!(
        "{pairs} pairs, {taken} of them taken, {loaded_pairs} on the kernel; at most {} \
         instructions, of {} classic ones; longest load: {} us, of {} instructions",
        largest.0, largest.1, slowest.0, slowest.1
    );
    assert!(taken > pairs / 10 && taken < pairs * 9 / 10, "{taken} of {pairs}");
}
