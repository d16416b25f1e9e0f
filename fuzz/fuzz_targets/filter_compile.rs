//! Reads the bytes before the first 0 as the conditions of rules, one a line, and compiles them to
//! one program, which has to do with the packet behind the 0 what the evaluator says. Time and size
//! are bounded: `-timeout` of `fuzz/run`, and the most instructions of a program.
#![no_main]

#[path = "../../tests/common/interpreter.rs"]
mod interpreter;

use interpreter::{Interpreter, Maps};
use xsk::bpf::{Action, Condition, Filter};
use xsk::test_util::fuzz::instructions;

/// The counters of a filter, and sockets in slots 0 and 1.
struct FilterMaps(Vec<[u8; 16]>);

impl Maps for FilterMaps {
    fn find(&mut self, map: u32, key: &[u8]) -> Option<usize> {
        assert_eq!(map, 2, "only the counters are looked up");
        let key = u32::from_ne_bytes(*key.first_chunk().unwrap());
        usize::try_from(key).ok().filter(|key| *key < self.0.len())
    }

    fn value(&mut self, _: u32, number: usize) -> &mut [u8] {
        &mut self.0[number]
    }

    fn has_socket(&self, map: u32, slot: u64) -> bool {
        assert_eq!(map, 1, "only the sockets are redirected to");
        slot < 2
    }
}

const ACTIONS: [Action; 5] =
    [Action::Queue, Action::Drop, Action::Pass, Action::Slot(1), Action::Slot(2)];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, packet) = bytes.split_at(end);
    let packet = packet.get(1..).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let mut filter = Filter::new().take_everything(true).counters(bytes.len() & 1 == 0);
    for (line, action) in text.lines().zip(ACTIONS.iter().cycle()) {
        let Ok(condition) = line.parse::<Condition>() else { return };
        filter = filter.rule(condition, *action);
    }
    let Ok(compiled) = filter.compile() else { return };
    assert!(compiled.len() <= 0x7fff, "{text}");
    assert!(compiled.unreachable().iter().all(|rule| *rule < filter.rules().len()), "{text}");
    // XDP programs see no packet that is shorter than its Ethernet header.
    if packet.len() < 14 {
        return;
    }
    let verdict = filter.matches(packet);
    let rule = verdict.rule.unwrap_or(filter.rules().len());
    assert!(!compiled.unreachable().contains(&rule), "{text}");
    let wanted = match verdict.action {
        Action::Drop => 1,
        Action::Queue | Action::Slot(0 | 1) => 4,
        _ => 2,
    };
    let mut maps = FilterMaps(vec![[0; 16]; filter.rules().len() + 1]);
    let ran = Interpreter::new(&instructions(&compiled)).run(packet, 0, &mut maps);
    assert_eq!(ran, Ok(wanted), "{text}\n{}{packet:02x?}", compiled.listing());
    let counted = maps.0.iter().position(|count| *count != [0; 16]);
    if let Some(counted) = counted {
        assert_eq!(counted, rule, "{text}");
    }
});
