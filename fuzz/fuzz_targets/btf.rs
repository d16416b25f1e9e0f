//! Reads arbitrary bytes as type information, with the library's reader and with that of the tests
//! of `xsk-uapi`: looks functions up by the first, measures every type that the second finds and
//! lists its members, and compares what both can read.
#![no_main]

#[path = "../../uapi/tests/btf/reader.rs"]
mod reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let btf = reader::Btf::parse(bytes).ok();
    // A name in the bytes is most likely that of a type.
    let names = bytes.rsplit(|byte| *byte == 0).filter_map(|name| str::from_utf8(name).ok());
    for name in names.filter(|name| name.len() < 32).take(8).chain(["", "bpf_xdp_metadata_rx_hash"])
    {
        match (xsk::test_util::fuzz::btf(bytes, name), &btf) {
            (Some(Ok(Some(number))), Some(btf)) => {
                assert!((1..=btf.len()).contains(&usize::try_from(number).unwrap()));
                assert_eq!(btf.size(number), None, "a function has no size");
            }
            // What is behind a function that was found is not looked at.
            (Some(Ok(Some(number))), None) => assert!(number > 0),
            (Some(Ok(None)), btf) => assert!(btf.is_some()),
            (Some(Err(_)) | None, btf) => assert!(btf.is_none()),
        }
    }
    let Some(btf) = btf else { return };
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
