//! Random rules and packets: the verifier takes every program, and its outcome is the evaluator's.

use crate::common::rounds;
use crate::random_filters::{expression, packet};
use crate::random_numbers::{Random, seed};
use xsk::bpf::{Action, Condition, Filter, XskMap};
use xsk::test_util::privileged;

const PROGRAMS: u32 = 60;
const PACKETS: u32 = 100;

/// Returns a random filter of a few rules.
fn filter(random: &mut Random) -> Filter {
    let mut filter = Filter::new().take_everything(true);
    for _ in 0..=random.below(4) {
        let condition: Condition = expression(random).parse().unwrap();
        let action = if random.one_in(2) { Action::Drop } else { Action::Pass };
        filter = filter.rule(condition, action);
    }
    filter
}

#[test]
fn each_program_is_loaded_and_decides_as_the_evaluator_does() {
    if !privileged!() {
        return;
    }
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = seed();
    let times = variable("XSK_ROUNDS").unwrap_or(1);
    eprintln!("XSK_SEED={seed}");
    let mut random = Random(seed);
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    let (mut most, mut matched) = (0, 0_u64);
    for _ in 0..u64::from(rounds(PROGRAMS)) * times {
        let filter = filter(&mut random).counters(random.one_in(2));
        let compiled = filter.compile().unwrap();
        most = most.max(compiled.len());
        let program = compiled.load(&map).unwrap();
        let mut wanted = vec![0; filter.rules().len() + 1];
        for _ in 0..rounds(PACKETS) {
            // A test run takes an Ethernet header at least.
            let mut packet = packet(&mut random).bytes;
            packet.resize(packet.len().max(14), 0);
            let verdict = filter.matches(&packet);
            let number = if verdict.action == Action::Drop { 1 } else { 2 };
            let ran = program.program().test_run(&packet, None).unwrap();
            let rules: Vec<String> = filter
                .rules()
                .map(|(condition, action)| format!("{action:?}: {condition}"))
                .collect();
            assert_eq!(ran.retval, number, "{packet:02x?}\n{rules:#?}");
            wanted[verdict.rule.unwrap_or(filter.rules().len())] += 1;
            matched += u64::from(verdict.rule.is_some());
        }
        if let Some(counts) = program.counts().unwrap() {
            let counted = counts.rules.iter().chain([&counts.others]).map(|count| count.packets);
            assert_eq!(counted.collect::<Vec<_>>(), wanted);
        }
    }
    eprintln!("{matched} packets were for a rule; at most {most} instructions");
    assert!(matched > 0);
}
