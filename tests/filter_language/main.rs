//! The language of conditions beside tcpdump itself: random expressions on random packets, and
//! which packets each of the two takes.

#[path = "../common/random_filters.rs"]
mod random_filters;
#[path = "../common/random_numbers.rs"]
mod random_numbers;
mod tables;
mod tcpdump;
mod values;

use random_filters::{Packet, expression, packet};
use random_numbers::{Random, seed};
use std::collections::BTreeSet;
use xsk::bpf::Condition;

/// Expressions, and packets that each of them is tried on.
const EXPRESSIONS: usize = 400;
const PACKETS: usize = 500;

/// How many times as much as usual: `XSK_ROUNDS`.
fn rounds() -> usize {
    std::env::var("XSK_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

#[test]
fn tcpdump_takes_the_same_packets() {
    if !tcpdump::is_here("tcpdump_takes_the_same_packets") {
        return;
    }
    let seed = seed();
    eprintln!("XSK_SEED={seed}");
    let mut random = Random(seed);
    let (mut pairs, mut taken, mut refused) = (0, 0, 0);
    for _ in 0..rounds() {
        let packets: Vec<Packet> = (0..PACKETS).map(|_| packet(&mut random)).collect();
        let capture = tcpdump::Capture::new(packets.iter().map(|packet| &*packet.bytes));
        for _ in 0..EXPRESSIONS {
            let text = expression(&mut random);
            let condition: Condition = match text.parse() {
                Ok(condition) => condition,
                // Numbers that are constants, which only the whole of a random text has.
                Err(error) if constant_fault(&error) => {
                    refused += 1;
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let shown = condition.to_string();
            assert_eq!(shown.parse().as_ref(), Ok(&condition), "{text}\n{shown}");
            compare(&text, &condition, &packets, &capture.taken(&text, false));
            pairs += packets.len();
            taken += packets.iter().filter(|packet| condition.matches(&packet.bytes)).count();
        }
    }
    eprintln!("{pairs} pairs, {taken} of them taken; {refused} expressions refused");
    assert!(taken > pairs / 10 && taken < pairs * 9 / 10, "{taken} of {pairs}");
    assert!(refused < EXPRESSIONS * rounds() / 20, "{refused}");
}

/// Whether tcpdump refuses it, too: a division by a constant 0, a shift by too much.
fn constant_fault(error: &xsk::error::ExpressionError) -> bool {
    ["divided by 0", "at most 31 bits"].iter().any(|rule| error.expected().contains(rule))
}

fn compare(text: &str, condition: &Condition, packets: &[Packet], taken: &BTreeSet<usize>) {
    for (index, packet) in packets.iter().enumerate() {
        if packet.means_the_same_to_tcpdump(text) {
            let ours = condition.matches(&packet.bytes);
            let theirs = taken.contains(&index);
            assert_eq!(ours, theirs, "{text}\n{condition}\n{condition:?}\n{:02x?}", packet.bytes);
        }
    }
}
