//! Programs of steps on ring halves, against queues.
#![no_main]

libfuzzer_sys::fuzz_target!(|program: &[u8]| xsk::test_util::ring_program(program));
