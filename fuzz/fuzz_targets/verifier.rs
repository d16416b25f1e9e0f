//! A verifier's log of any bytes: the error shows it, and is no longer than it has to be.
#![no_main]

libfuzzer_sys::fuzz_target!(|log: &[u8]| {
    let error = xsk::test_util::fuzz::refused_with(log);
    let shown = error.to_string();
    assert!(shown.contains("fuzzed") && !shown.contains('\0'));
    // Three bytes stand for one that is no text; each may begin a line of its own, which is set in.
    assert!(shown.len() <= 1000 + 16 * log.len());
    let _ = format!("{error:?}");
});
