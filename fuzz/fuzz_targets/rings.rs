//! Runs random steps on ring halves, and compares them with queues.
#![no_main]

libfuzzer_sys::fuzz_target!(|program: &[u8]| xsk::test_util::ring_program(program));
