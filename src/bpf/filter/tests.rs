//! Random rules and packets: the compiled program, run by the kernel and by an interpreter, and the
//! evaluator agree.
//!
//! Each run prints its seed; `XSK_FILTER_SEED` repeats a run, and `XSK_FILTER_ROUNDS` is how many
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
use super::direction::Direction;
use super::expr::{Expr, Header, Number, Operator, Relation, Test, TestKind};
use super::ports::Ports;
use super::{
    Action, CompiledFilter, Condition, Filter, FilterCounts, FilterProgram, RuleCount, Verdict,
};
use crate::bpf::XskMap;
use interpreter::{Interpreter, Maps};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;
use xsk_uapi::bpf::{
    BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JLE, BPF_JLT, BPF_JMP, BPF_JMP32, BPF_JNE, bpf_insn,
};

#[path = "../../../tests/common/interpreter.rs"]
mod interpreter;

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![
        Just(Direction::Source),
        Just(Direction::Destination),
        Just(Direction::Either),
        Just(Direction::Both)
    ]
}

/// Values that packets have, so that tests are true often enough.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![3 => 0_u8..3, 1 => any::<u8>()]
}

fn protocol() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(6_u8), 3 => Just(17), 1 => Just(58), 1 => Just(1), 1 => Just(44), 1 => any::<u8>()]
}

fn ether_type() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => Just(0x800_u16), 3 => Just(0x86dd), 1 => Just(0x806), 1 => Just(0x8035), 2 => Just(0x8100),
        1 => Just(0x88a8), 1 => Just(0x9100), 1 => any::<u16>()
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0_u16..4, 1 => any::<u16>()]
}

fn address4() -> impl Strategy<Value = Ipv4Addr> {
    [byte(), byte(), byte(), byte()].prop_map(Ipv4Addr::from)
}

fn address6() -> impl Strategy<Value = Ipv6Addr> {
    (byte(), byte(), byte()).prop_map(|(a, b, c)| {
        let mut bytes = [0; 16];
        (bytes[0], bytes[7], bytes[15]) = (a, b, c);
        Ipv6Addr::from(bytes)
    })
}

fn mask() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        6 => (0_u32..=32).prop_map(|len| Ipv4Addr::from(u32::MAX.checked_shl(32 - len).unwrap_or(0))),
        1 => any::<u32>().prop_map(Ipv4Addr::from)
    ]
}

fn relation() -> impl Strategy<Value = Relation> {
    prop_oneof![
        Just(Relation::Equal),
        Just(Relation::NotEqual),
        Just(Relation::Less),
        Just(Relation::LessOrEqual),
        Just(Relation::Greater),
        Just(Relation::GreaterOrEqual)
    ]
}

fn number() -> impl Strategy<Value = Number> {
    let constant = prop_oneof![4 => 0_u32..80, 1 => any::<u32>()].prop_map(Number::Constant);
    let leaf = prop_oneof![3 => constant, 1 => Just(Number::Length)];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let header = prop_oneof![
            Just(Header::Ethernet),
            Just(Header::Network),
            Just(Header::Ip4Payload),
            Just(Header::Ip6Payload)
        ];
        let operator = prop_oneof![
            1 => Just(Operator::Add),
            1 => Just(Operator::Subtract),
            1 => Just(Operator::Multiply),
            1 => Just(Operator::Divide),
            1 => Just(Operator::Remainder),
            3 => Just(Operator::And),
            1 => Just(Operator::Or),
            1 => Just(Operator::Xor),
            1 => Just(Operator::ShiftLeft),
            1 => Just(Operator::ShiftRight)
        ];
        let size = prop_oneof![Just(1_u8), Just(2), Just(4)];
        prop_oneof![
            4 => (header, inner.clone(), size).prop_map(|(header, offset, size)| Number::Load {
                header, offset: Box::new(offset), size
            }),
            2 => (operator, inner.clone(), inner.clone())
                .prop_map(|(operator, a, b)| Number::Binary(operator, Box::new(a), Box::new(b))),
            1 => inner.prop_map(|inner| Number::Negate(Box::new(inner)))
        ]
    })
}

fn ports() -> impl Strategy<Value = Ports> {
    (port(), port()).prop_map(|(a, b)| Ports { first: a.min(b), last: a.max(b) })
}

fn test() -> impl Strategy<Value = Expr> {
    let kind = prop_oneof![
        2 => ether_type().prop_map(TestKind::EtherType),
        1 => proptest::option::of(0_u16..3).prop_map(TestKind::Vlan),
        1 => (direction(), [byte(), byte(), byte(), byte(), byte(), byte()])
            .prop_map(|(direction, address)| TestKind::Ether(direction, address)),
        1 => Just(TestKind::EtherMulticast),
        2 => (direction(), address4(), mask()).prop_map(|(direction, address, mask)| {
            TestKind::Ip4(direction, Ipv4Addr::from(u32::from(address) & u32::from(mask)), mask)
        }),
        1 => (any::<bool>(), direction(), address4(), mask()).prop_map(
            |(reverse, direction, address, mask)| {
                let address = Ipv4Addr::from(u32::from(address) & u32::from(mask));
                TestKind::Arp { reverse, direction, address, mask }
            }
        ),
        2 => (direction(), address6(), 0_u8..=128)
            .prop_map(|(direction, address, len)| TestKind::Ip6(direction, address, len)),
        2 => protocol().prop_map(TestKind::Ip4Protocol),
        2 => protocol().prop_map(TestKind::Ip6Protocol),
        2 => (protocol(), direction(), ports())
            .prop_map(|(protocol, direction, ports)| TestKind::Ip4Port(protocol, direction, ports)),
        2 => (protocol(), direction(), ports())
            .prop_map(|(protocol, direction, ports)| TestKind::Ip6Port(protocol, direction, ports)),
        1 => (relation(), prop_oneof![4 => 10_u32..90, 1 => any::<u32>()])
            .prop_map(|(relation, number)| TestKind::Length(relation, number)),
        3 => (number(), relation(), number())
            .prop_map(|(left, relation, right)| TestKind::Compare(left, relation, right)),
    ];
    let depth = prop_oneof![4 => Just(0_u8), 1 => Just(1_u8), 1 => Just(2_u8)];
    (depth, kind).prop_map(|(depth, kind)| Expr::Test(Test { depth, kind }))
}

fn expr() -> impl Strategy<Value = Expr> {
    prop_oneof![12 => test(), 1 => any::<bool>().prop_map(Expr::Always)].prop_recursive(
        4,
        24,
        4,
        |inner| {
            prop_oneof![
                1 => inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
                2 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Expr::And),
                2 => proptest::collection::vec(inner, 0..4).prop_map(Expr::Or),
            ]
        },
    )
}

/// A packet whose headers are right more often than not.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let tags = proptest::collection::vec(
        (0_u16..4, prop_oneof![Just(0x8100_u16), Just(0x88a8), Just(0x9100)]),
        0..3,
    );
    let head = (tags, ether_type(), proptest::collection::vec(byte(), 12), protocol());
    let ports = proptest::collection::vec(byte(), 40);
    let walk = proptest::collection::vec(
        (
            prop_oneof![Just(0_u8), Just(43), Just(44), Just(51), Just(60)],
            0_u8..3,
            prop_oneof![3 => Just(0_u8), 1 => any::<u8>()],
        ),
        0..8,
    );
    let extra = (
        5_u8..8,
        prop_oneof![3 => Just(0_u16), 1 => any::<u16>()],
        walk,
        any::<bool>(),
        14_usize..140,
    );
    (head, ports, extra, proptest::collection::vec(byte(), 60)).prop_map(
        |(
            (tags, kind, ethernet, protocol),
            payload,
            (ihl, fragment, walk, cut, len),
            addresses,
        )| {
            let mut packet = ethernet;
            for (id, tag) in tags {
                packet.extend(tag.to_be_bytes());
                packet.extend(id.to_be_bytes());
            }
            packet.extend(kind.to_be_bytes());
            if kind == 0x800 {
                packet.extend([0x40 | ihl, 0, 0, 0, 0, 0]);
                packet.extend(fragment.to_be_bytes());
                packet.extend([64, protocol, 0, 0]);
                packet.extend(&addresses[..8]);
                packet.extend(&addresses[8..8 + usize::from(ihl - 5) * 4]);
            } else if kind == 0x86dd {
                packet.extend([0x60, 0, 0, 0, 0, 0]);
                packet.push(walk.first().map_or(protocol, |first| first.0));
                packet.push(64);
                for at in [0, 3] {
                    let mut address = [0; 16];
                    (address[0], address[7], address[15]) =
                        (addresses[at], addresses[at + 1], addresses[at + 2]);
                    packet.extend(address);
                }
                for (at, &(header, len, flags)) in walk.iter().enumerate() {
                    let next = walk.get(at + 1).map_or(protocol, |next| next.0);
                    let bytes = match header {
                        44 => 8,
                        51 => (usize::from(len) + 2) * 4,
                        _ => (usize::from(len) + 1) * 8,
                    };
                    let mut body = vec![0; bytes];
                    (body[0], body[1]) = (next, len);
                    if header == 44 {
                        (body[2], body[3]) = (flags >> 5, flags & 7);
                    }
                    packet.extend(body);
                }
            } else {
                packet.extend(&addresses[..30]);
            }
            packet.extend(payload);
            if cut {
                packet.truncate(len);
            }
            packet
        },
    )
}

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
            Ok("random") => random_seed(),
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
