//! Random rules and packets: the compiled program, run by the kernel and by an interpreter, and the
//! evaluator agree.
//!
//! Each run prints its seed; `XSK_FILTER_SEED=N` or `time` takes others, and `XSK_FILTER_ROUNDS` is how many
//! times as much is done: usually 20,000 pairs of a filter and a packet in each of the two. A million
//! pairs in each, within half a minute on two processors:
//!
//! ```text
//! XSK_FILTER_ROUNDS=50 cargo test --release --features cli --lib filter::tests::the_ -- \
//!     --nocapture
//! ```
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a test, and one that fails if it is wrong"
)]

use super::compile::{Source, in_each_form};
use super::expr::Expr;
use super::{
    Action, CompiledFilter, Condition, Filter, FilterCounts, FilterProgram, RuleCount, Verdict,
};
use crate::bpf::XskMap;
use interpreter::{Interpreter, Maps};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::time::Instant;
use strategies::{expr, packet};
use xsk_uapi::bpf::{
    BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JLE, BPF_JLT, BPF_JMP, BPF_JMP32, BPF_JNE, bpf_insn,
};

#[path = "../../../tests/common/interpreter.rs"]
mod interpreter;
mod strategies;

/// The queue that packets come in on, and a slot of the map that has a socket.
const QUEUE: u32 = 2;
const TAKEN: u32 = 1;
const SLOTS: u32 = 4;

/// The maps of a filter, of which the counters are in use.
struct FilterMaps {
    counters: Vec<[u8; 16]>,
    /// Whether there are sockets in [`QUEUE`] and [`TAKEN`].
    sockets: bool,
}

impl Maps for FilterMaps {
    fn find(&mut self, map: u32, key: &[u8]) -> Option<usize> {
        assert_eq!(map, 2, "only the counters are looked up");
        let key = u32::from_ne_bytes(*key.first_chunk().unwrap());
        usize::try_from(key).ok().filter(|key| *key < self.counters.len())
    }

    fn value(&mut self, _: u32, number: usize) -> &mut [u8] {
        self.counters.get_mut(number).unwrap()
    }

    fn has_socket(&self, map: u32, slot: u64) -> bool {
        assert_eq!(map, 1, "only the sockets are redirected to");
        self.sockets && (slot == u64::from(QUEUE) || slot == u64::from(TAKEN))
    }
}

impl FilterMaps {
    fn new(rules: usize, sockets: bool) -> Self {
        Self { counters: vec![[0; 16]; rules.saturating_add(1)], sockets }
    }

    fn counts(&self) -> FilterCounts {
        let half = |half: &[u8]| u64::from_ne_bytes(half.try_into().unwrap());
        let count = |entry: &[u8; 16]| RuleCount {
            packets: half(entry.get(..8).unwrap()),
            bytes: half(entry.get(8..).unwrap()),
        };
        let mut rules: Vec<RuleCount> = self.counters.iter().map(count).collect();
        let others = rules.pop().unwrap();
        FilterCounts { rules, others }
    }
}

/// What a program returns for packets with this verdict.
fn retval(verdict: Verdict, maps: &FilterMaps) -> u32 {
    let slot = match verdict.action {
        Action::Pass => return 2,
        Action::Drop => return 1,
        Action::Queue => QUEUE,
        Action::Slot(slot) => slot,
    };
    if maps.has_socket(1, slot.into()) { 4 } else { 2 }
}

/// Random filters and packets, from one seed.
struct Random {
    runner: TestRunner,
    seed: u64,
    /// Rules, and whether they are counted.
    filters: BoxedStrategy<(Vec<(Expr, Action)>, bool)>,
}

impl Random {
    fn new() -> Self {
        let seed = match std::env::var("XSK_FILTER_SEED").as_deref() {
            // The same in each run.
            Err(_) => 1,
            Ok("time") => random_seed(),
            Ok(seed) => seed.parse().unwrap(),
        };
        eprintln!("XSK_FILTER_SEED={seed}");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config { failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let action = prop_oneof![
            3 => Just(Action::Drop), 2 => Just(Action::Pass), 1 => Just(Action::Queue),
            1 => (0..SLOTS).prop_map(Action::Slot),
        ];
        let rules = proptest::collection::vec((expr(), action), 1..4);
        let filters = (rules, proptest::bool::weighted(0.25)).boxed();
        Self { runner: TestRunner::new_with_rng(config, rng), seed, filters }
    }

    fn draw<S: Strategy>(&mut self, strategy: &S) -> S::Value {
        strategy.new_tree(&mut self.runner).unwrap().current()
    }

    /// Returns a filter that compiles.
    fn filter(&mut self) -> (Filter, CompiledFilter) {
        loop {
            let (rules, counters) = self.filters.new_tree(&mut self.runner).unwrap().current();
            let mut filter = Filter::new().take_everything(true).counters(counters);
            for (expr, action) in rules {
                filter = filter.rule(Condition::new(expr), action);
            }
            if let Ok(compiled) = filter.compile() {
                return (filter, compiled);
            }
        }
    }
}

fn rounds() -> u32 {
    std::env::var("XSK_FILTER_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() >> 16
}

/// Runs the interpreter on packets, whose verdicts are these. Returns what differs first.
fn interpret(
    program: &[bpf_insn],
    packets: &[Vec<u8>],
    verdicts: &[Verdict],
    maps: &mut FilterMaps,
) -> Result<(), String> {
    let interpreter = Interpreter::new(program);
    for (packet, verdict) in packets.iter().zip(verdicts) {
        let run = interpreter.run(packet, QUEUE, maps);
        if run.as_ref() != Ok(&retval(*verdict, maps)) {
            return Err(format!("the program: {run:?}, the evaluator: {verdict:?}, {packet:02x?}"));
        }
    }
    Ok(())
}

/// Returns what should be counted.
fn counted(filter: &Filter, packets: &[Vec<u8>], verdicts: &[Verdict]) -> FilterCounts {
    let mut rules = vec![RuleCount::default(); filter.rules().len()];
    let mut others = RuleCount::default();
    for (packet, verdict) in packets.iter().zip(verdicts) {
        let count = verdict.rule.map_or(&mut others, |rule| rules.get_mut(rule).unwrap());
        count.packets += 1;
        count.bytes += packet.len() as u64;
    }
    FilterCounts { rules, others }
}

fn sources(filter: &Filter) -> Vec<Source<'_>> {
    let source = |(condition, action)| {
        let condition: &Condition = condition;
        Source { condition: condition.expr(), action }
    };
    filter.rules().map(source).collect()
}

fn shown(filter: &Filter, compiled: &CompiledFilter) -> String {
    let rules: Vec<String> =
        filter.rules().map(|(condition, action)| format!("{action:?}: {condition}")).collect();
    format!("{}\n{rules:#?}\n{filter:?}", compiled.listing())
}

#[test]
fn the_interpreter_and_the_evaluator_agree() {
    let filters = 50 * rounds();
    let (mut random, start) = (Random::new(), Instant::now());
    let strategy = proptest::collection::vec(packet(), 400);
    let mut packets = Vec::new();
    let (mut pairs, mut matched, mut most) = (0, 0, 0);
    for number in 0..filters {
        let (filter, compiled) = random.filter();
        // Making packets takes longer than all else.
        if number % 5 == 0 {
            packets = random.draw(&strategy);
        }
        let verdicts: Vec<Verdict> = packets.iter().map(|packet| filter.matches(packet)).collect();
        let mut maps = FilterMaps::new(filter.rules().len(), number % 2 == 0);
        if let Err(what) = interpret(&compiled.raw(), &packets, &verdicts, &mut maps) {
            panic!("seed {}: {what}\n{}", random.seed, shown(&filter, &compiled));
        }
        for code in in_each_form(&sources(&filter), compiled.counted.is_some()) {
            let form = CompiledFilter { code, ..compiled.clone() };
            let few = ..packets.len() / 8;
            let mut maps = FilterMaps::new(filter.rules().len(), number % 2 == 0);
            let (packets, verdicts) = (&packets[few], &verdicts[few]);
            if let Err(what) = interpret(&form.raw(), packets, verdicts, &mut maps) {
                panic!("seed {}: {what}\n{}", random.seed, shown(&filter, &form));
            }
        }
        if compiled.counted.is_some() {
            let wanted = counted(&filter, &packets, &verdicts);
            assert_eq!(maps.counts(), wanted, "{}", shown(&filter, &compiled));
        }
        pairs += packets.len();
        matched += verdicts.iter().filter(|verdict| verdict.rule.is_some()).count();
        most = most.max(compiled.len());
    }
    eprintln!(
        "{pairs} pairs, {matched} matched, at most {most} instructions, {:?}",
        start.elapsed()
    );
    assert!(matched > pairs / 10 && matched < pairs * 9 / 10, "{matched} of {pairs}");
}

#[test]
fn the_kernel_and_the_evaluator_agree() {
    if !crate::test_util::privileged("the_kernel_and_the_evaluator_agree") {
        return;
    }
    let (mut random, start) = (Random::new(), Instant::now());
    let map = XskMap::create("xsks_map", SLOTS).unwrap();
    let strategy = proptest::collection::vec(packet(), 400);
    let mut packets = Vec::new();
    let (mut pairs, mut matched, mut most, mut slowest) = (0_usize, 0, 0, Slowest::default());
    for number in 0..50 * rounds() {
        let (filter, compiled) = random.filter();
        // Each form in turn.
        let mut forms = in_each_form(&sources(&filter), compiled.counted.is_some());
        let form = usize::try_from(number).unwrap() % forms.len();
        let compiled = CompiledFilter { code: forms.swap_remove(form), ..compiled };
        let failed = |what: String| -> ! {
            panic!("{what}\n{}", shown(&filter, &compiled));
        };
        let loading = Instant::now();
        let loaded: FilterProgram =
            compiled.load(&map).unwrap_or_else(|error| failed(error.to_string()));
        slowest.note(loading, compiled.len());
        // As above.
        if number % 5 == 0 {
            packets = random.draw(&strategy);
        }
        let verdicts: Vec<Verdict> = packets.iter().map(|packet| filter.matches(packet)).collect();
        let mut maps = FilterMaps::new(filter.rules().len(), false);
        if let Err(what) = interpret(&compiled.raw(), &packets, &verdicts, &mut maps) {
            failed(what);
        }
        for (packet, verdict) in packets.iter().zip(&verdicts) {
            let run = loaded.program().test_run(packet, None).unwrap();
            if run.retval != retval(*verdict, &maps) {
                failed(format!("kernel {}, evaluator {verdict:?}\n{packet:02x?}", run.retval));
            }
        }
        if let Some(counts) = loaded.counts().unwrap() {
            assert_eq!(counts, counted(&filter, &packets, &verdicts));
            assert_eq!(counts, maps.counts());
        }
        pairs += packets.len();
        matched += verdicts.iter().filter(|verdict| verdict.rule.is_some()).count();
        most = most.max(compiled.len());
    }
    eprintln!(
        "{pairs} pairs, {matched} matched, at most {most} instructions; {slowest:?}; {:?}",
        start.elapsed()
    );
}

/// The program that took longest to load: nanoseconds, and its instructions.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Slowest(u128, usize);

impl Slowest {
    fn note(&mut self, since: Instant, instructions: usize) {
        let this = Self(since.elapsed().as_nanos(), instructions);
        if this > *self {
            *self = this;
        }
    }
}

#[test]
fn a_wrong_comparison_is_seen() {
    let mut random = Random::new();
    let packets = random.draw(&proptest::collection::vec(packet(), 2000));
    let (mut wrong, mut seen) = (0, 0);
    for text in [
        "ip and udp dst port 0 or 2",
        "ip6 src net ::/9 or arp",
        "vlan 1 and ip src net 0.0.0.0/7",
        "ether host 00:00:00:00:00:01 or less 60",
        "ip[(ip[0] & 15) * 4] = ip[9] / ether[2]",
    ] {
        let filter = Filter::new().rule(text.parse().unwrap(), Action::Drop);
        let compiled = filter.compile().unwrap();
        let verdicts: Vec<Verdict> = packets.iter().map(|packet| filter.matches(packet)).collect();
        let program = compiled.raw();
        for at in 0..program.len() {
            let mut program = program.clone();
            let insn = program.get_mut(at).unwrap();
            if insn.code & 7 != BPF_JMP && insn.code & 7 != BPF_JMP32 {
                continue;
            }
            // It means its opposite.
            let Some(operation) = opposite(insn.code & 0xf0) else { continue };
            insn.code = insn.code & 15 | operation;
            wrong += 1;
            let mut maps = FilterMaps::new(1, true);
            seen += u32::from(interpret(&program, &packets, &verdicts, &mut maps).is_err());
        }
    }
    eprintln!("{seen} of {wrong} wrong comparisons were seen");
    assert!(wrong > 50 && seen > wrong / 4, "{seen} of {wrong}");
}

fn opposite(operation: u8) -> Option<u8> {
    Some(match operation {
        BPF_JEQ => BPF_JNE,
        BPF_JNE => BPF_JEQ,
        BPF_JGT => BPF_JLE,
        BPF_JLE => BPF_JGT,
        BPF_JGE => BPF_JLT,
        BPF_JLT => BPF_JGE,
        _ => return None,
    })
}
