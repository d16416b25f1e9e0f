//! Parses arbitrary bytes as a message that goes with what is handed over to a worker: what is
//! taken for one is written again as it was.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(again) = xsk::test_util::fuzz::handover(bytes) {
        assert_eq!(again, bytes);
    }
});
