//! Reads arbitrary bytes as type information. Measures every type that is found, and lists its
//! members.
#![no_main]

#[path = "../../uapi/tests/btf/reader.rs"]
mod reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(btf) = reader::Btf::parse(bytes) else { return };
    let types = u32::try_from(btf.len()).unwrap();
    // One more than there are.
    for id in (0..=types.saturating_add(1).min(40)).chain([u32::MAX]) {
        let _ = btf.size(id);
        for inner in btf.alternatives(id) {
            let _ = btf.size(inner);
        }
        for deep in [false, true] {
            for member in btf.members(id, deep).into_iter().flatten() {
                assert!(!member.name.is_empty());
                let _ = (btf.find(&member.name), member.bit, member.size, member.bits);
            }
        }
    }
    let _ = btf.enumerators().count();
});
