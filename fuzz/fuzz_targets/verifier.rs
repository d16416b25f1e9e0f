//! Shows arbitrary bytes as a verifier's log: the error contains the log, and its length is
//! limited.
#![no_main]

libfuzzer_sys::fuzz_target!(|log: &[u8]| {
    let error = xsk::test_util::fuzz::refused_with(log);
    let shown = error.to_string();
    assert!(shown.contains("fuzzed") && !shown.contains('\0'));
    // A byte that is no text is shown as three; each may begin a line of its own, which is
    // indented.
    assert!(shown.len() <= 1000 + 16 * log.len());
    let _ = format!("{error:?}");
});
