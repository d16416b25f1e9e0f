//! Reads the bytes before the first 0 as the text of a condition, and tries it on the bytes behind
//! it: its text reads back as an equal condition with the same text, and an error is at a column of
//! the text.
#![no_main]

use xsk::bpf::Condition;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, packet) = bytes.split_at(end);
    let packet = packet.get(1..).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let condition: Condition = match text.parse() {
        Ok(condition) => condition,
        Err(error) => {
            let letters = text.chars().count();
            assert!((1..=letters + 1).contains(&error.column()), "{error:?}");
            let shown = error.to_string();
            assert_eq!(shown.lines().count(), 3, "{shown}");
            assert!(!xsk::Error::from(error).to_string().contains('\n'));
            return;
        }
    };
    let shown = condition.to_string();
    match shown.parse::<Condition>() {
        Ok(again) => {
            assert_eq!(again, condition, "{text}\n{shown}");
            assert_eq!(again.to_string(), shown);
        }
        // Short names of services and values without keywords become longer.
        Err(error) => assert!(shown.len() > 64 << 10, "{text}\n{error}"),
    }
    let value = condition.matches(packet);
    let opposite = (!condition.clone()).matches(packet);
    // Neither is true if the packet is too short for it.
    assert!(!(value && opposite), "{shown}");
    assert_eq!((condition.clone() & condition).matches(packet), value, "{shown}");
});
