//! Reads bytes as a classic BPF program, as its text or, behind a first byte of 0, as its
//! instructions; with a packet behind it. A program that is taken reads back from its text, and
//! takes the packet translated as it does interpreted.
#![no_main]

#[path = "../../tests/common/interpreter.rs"]
mod interpreter;

use interpreter::{Interpreter, Maps};
use xsk::bpf::{Action, ClassicFilter};
use xsk::test_util::fuzz::instructions;
use xsk::uapi::filter::sock_filter;

/// A socket in slot 0, and no other map.
struct OneSocket;

impl Maps for OneSocket {
    fn find(&mut self, _: u32, _: &[u8]) -> Option<usize> {
        None
    }

    fn value(&mut self, _: u32, _: usize) -> &mut [u8] {
        &mut []
    }

    fn has_socket(&self, _: u32, slot: u64) -> bool {
        slot == 0
    }
}

fn read(bytes: &[u8]) -> Option<(ClassicFilter, &[u8])> {
    let Some(rest) = bytes.strip_prefix(&[0]) else {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let (text, packet) = bytes.split_at(end);
        let text = String::from_utf8_lossy(text);
        return match text.parse() {
            Ok(filter) => Some((filter, packet)),
            Err(error) => {
                assert!(error.line().is_none_or(|line| line <= text.lines().count()), "{error:?}");
                assert!(!error.to_string().contains('\n') && error.to_string().len() < 400);
                None
            }
        };
    };
    let (count, rest) = rest.split_first()?;
    let mut slots = rest.chunks_exact(8);
    let program: Vec<sock_filter> = slots
        .by_ref()
        .take((*count).into())
        .map(|slot| sock_filter {
            code: u16::from_le_bytes([slot[0], slot[1]]),
            jt: slot[2],
            jf: slot[3],
            k: u32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]),
        })
        .collect();
    let packet = &rest[program.len() * 8..];
    match ClassicFilter::new(&program) {
        Ok(filter) => {
            assert_eq!(filter.instructions(), program);
            Some((filter, packet))
        }
        Err(error) => {
            assert!(error.instruction().is_none_or(|at| at < program.len()), "{error:?}");
            None
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((filter, packet)) = read(bytes) else { return };
    assert_eq!(filter.to_string().parse().as_ref(), Ok(&filter));
    let filter = filter.take_everything(true);
    let taken = filter.matches(packet);
    for (action, verdict) in [(Action::Drop, 1), (Action::Queue, 4), (Action::Pass, 2)] {
        // Only programs of thousands of instructions are too large.
        let Ok(compiled) = filter.compile(action) else {
            assert!(filter.instructions().len() > 3000);
            return;
        };
        assert!(compiled.len() <= 16 + 8 * filter.instructions().len(), "{filter}");
        let ran = Interpreter::new(&instructions(&compiled)).run(packet, 0, &mut OneSocket);
        let wanted = if taken { verdict } else { 2 };
        assert_eq!(ran, Ok(wanted), "{filter}\n{}{packet:02x?}", compiled.listing());
    }
});
