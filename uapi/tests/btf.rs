//! Compares every struct and constant of the crate with the type information of the running kernel.
//!
//! The crate describes Linux 6.18. On an older kernel, items that it does not have are listed; on
//! 6.18 and newer ones they are failures. Items that a kernel has must agree on all of them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs;
use std::io::{Write, stderr};

use xsk_uapi::btf::*;
use xsk_uapi::layout::{Origin, Struct};
use xsk_uapi::tables;

#[path = "btf/reader.rs"]
mod reader;
use reader::{Btf, Member};

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The kernel that the crate describes.
const DESCRIBED: (u32, u32) = (6, 18);

/// The structs whose layout differs on i386.
const TRANSLATED: [&str; 3] = ["ifreq_data", "ethtool_rx_flow_spec", "ethtool_rxnfc"];

/// A difference between the crate and the kernel.
enum Finding {
    /// The two contradict each other.
    Wrong(String),
    /// The kernel does not have it.
    Missing(String),
}
use Finding::{Missing, Wrong};

/// Writes a line to stderr itself: the harness hides the output of tests that pass.
fn say(line: &str) {
    // Without a stderr there is no place for the line.
    let _ = writeln!(stderr(), "{line}");
}

/// Structs that only a module of the kernel uses, whose type information is its own.
const OF_MODULES: [&str; 9] = [
    "packet_mreq",
    "unix_diag_req",
    "unix_diag_msg",
    "xdp_diag_req",
    "xdp_diag_msg",
    "xdp_diag_info",
    "xdp_diag_ring",
    "xdp_diag_umem",
    "xdp_diag_stats",
];

/// The kernel's type information, or `None` after reporting that the test is skipped.
fn kernel(test: &str) -> Result<Option<Btf>, String> {
    match fs::read(VMLINUX) {
        Ok(bytes) => Btf::parse(&bytes).map(Some),
        Err(error) => {
            say(&format!("skipped: {test} needs {VMLINUX}: {error}"));
            assert_ne!(
                std::env::var("XSK_TESTS").as_deref(),
                Ok("require"),
                "{test} may not be skipped"
            );
            Ok(None)
        }
    }
}

/// Compares the version of the running kernel with the one that the crate describes.
fn age() -> Ordering {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-', '\n']).map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor).cmp(&DESCRIBED),
        _ => Ordering::Equal,
    }
}

/// Panics on contradictions, and on gaps unless the kernel is older; returns the gaps.
fn report(findings: Vec<Finding>) -> Vec<String> {
    let (mut wrong, mut missing) = (Vec::new(), Vec::new());
    for finding in findings {
        match finding {
            Wrong(text) => wrong.push(text),
            Missing(text) if age().is_lt() => missing.push(text),
            Missing(text) => wrong.push(text),
        }
    }
    assert!(wrong.is_empty(), "the crate and the kernel differ:\n  {}", wrong.join("\n  "));
    missing
}

/// Compares one struct with the kernel's members. With `whole`, `members` are those of this
/// struct alone, and none of them may be missing here.
fn compare(ours: &Struct, members: &[Member], whole: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let bit = |offset: usize| offset.saturating_mul(8);
    for field in ours.fields.iter().filter(|field| !field.is_padding()) {
        let path = format!("{}.{}", ours.name, field.name);
        let fits = |m: &&Member| {
            m.bit == bit(field.offset) && (m.size == field.size || m.size == 0 || m.bits != 0)
        };
        let mut named = members.iter().filter(|m| m.name == field.kernel_name).peekable();
        match named.peek().copied() {
            None => findings
                .push(Missing(format!("{path}: the kernel has no field {}", field.kernel_name))),
            Some(first) if named.find(fits).is_none() => findings.push(Wrong(format!(
                "{path}: offset {} size {} here, offset {} size {} in the kernel",
                field.offset,
                field.size,
                first.bit / 8,
                first.size,
            ))),
            Some(_) => {}
        }
    }
    for member in members.iter().filter(|m| whole && m.bit < bit(ours.size)) {
        // A second name of the same bytes, or one of several bit-fields in them, is known too.
        let known = ours.fields.iter().filter(|field| !field.is_padding()).any(|field| {
            let (start, end) = (bit(field.offset), bit(field.offset.saturating_add(field.size)));
            field.kernel_name == member.name
                || (start == member.bit && field.size == member.size)
                || (member.bits != 0 && (start..end).contains(&member.bit))
        });
        if !known {
            findings.push(Wrong(format!(
                "{}: the kernel's field {} at offset {} size {} is not here",
                ours.name,
                member.name,
                member.bit / 8,
                member.size,
            )));
        }
    }
    findings
}

/// Compares one struct with a type of the kernel, which must have the same size (`exact`) or more.
fn compare_type(btf: &Btf, ours: &Struct, id: u32, exact: bool) -> Vec<Finding> {
    let (Some(members), Some(there)) = (btf.members(id, false), btf.size(id)) else {
        return vec![Wrong(format!("{}: the kernel's type {id} cannot be followed", ours.name))];
    };
    let (mut findings, here) = (compare(ours, &members, true), ours.size);
    let text = format!("{}: size {here} here, {there} in the kernel", ours.name);
    // A struct may grow at its end: such structs are passed with their length.
    if exact && (there < here || (there > here && age().is_le())) {
        findings.push(Wrong(text));
    } else if there < here {
        findings.push(Missing(text));
    }
    findings
}

#[test]
fn structs_match_the_running_kernel() -> Result<(), String> {
    let Some(btf) = kernel("structs_match_the_running_kernel")? else {
        return Ok(());
    };
    let (mut compared, mut absent, mut findings) = (0_u32, Vec::new(), Vec::new());
    for ours in tables::STRUCTS {
        // An i386 program runs on a 64-bit kernel here, which translates these for it.
        if cfg!(target_arch = "x86") && TRANSLATED.contains(&ours.name) {
            absent.push(format!("{} (not the kernel's own)", ours.name));
            continue;
        }
        let (name, exact) = match ours.origin {
            Origin::Absent(reason) => {
                absent.push(format!("{} ({reason})", ours.name));
                continue;
            }
            Origin::Same => (ours.name, true),
            Origin::Extensible => (ours.name, false),
            Origin::Attr => ("bpf_attr", false),
            Origin::Part(name) => (name, false),
        };
        let Some(id) = btf.find(name) else {
            if OF_MODULES.contains(&name) {
                absent.push(format!("{name} (of a module that this kernel has not built in)"));
                continue;
            }
            findings.push(Missing(format!("{}: the kernel has no type {name}", ours.name)));
            continue;
        };
        findings.extend(match ours.origin {
            Origin::Part(_) => compare(ours, &btf.members(id, true).unwrap(), false),
            // The members have no names: the one that differs least is compared.
            Origin::Attr => {
                let members = btf.alternatives(id).into_iter();
                members.map(|id| compare_type(&btf, ours, id, false)).min_by_key(Vec::len).unwrap()
            }
            _ => compare_type(&btf, ours, id, exact),
        });
        compared = compared.saturating_add(1);
    }
    let newer = report(findings);
    say(&format!(
        "btf: {compared} of {} structs compared with {} types of the kernel; not in BTF: {}",
        tables::STRUCTS.len(),
        btf.len(),
        absent.join(", "),
    ));
    if !newer.is_empty() {
        say(&format!("btf: newer than this kernel: {}", newer.join("; ")));
    }
    Ok(())
}

#[test]
fn constants_match_the_running_kernel() -> Result<(), String> {
    let Some(btf) = kernel("constants_match_the_running_kernel")? else {
        return Ok(());
    };
    let mut known: HashMap<&str, Vec<i128>> = HashMap::new();
    for (name, value) in btf.enumerators() {
        known.entry(name).or_default().push(value);
    }
    let (mut compared, mut total, mut findings) = (0_u32, 0_u32, Vec::new());
    for ours in tables::CONSTANTS.iter().copied().flatten() {
        total = total.saturating_add(1);
        // Macros of C are not in BTF.
        let Some(values) = known.get(ours.name) else {
            continue;
        };
        compared = compared.saturating_add(1);
        if !values.contains(&ours.value) {
            findings.push(Wrong(format!(
                "{}: {} here, {values:?} in the kernel",
                ours.name, ours.value
            )));
        }
    }
    report(findings);
    say(&format!("btf: {compared} of {total} constants compared; the others are macros in C"));
    Ok(())
}

#[test]
fn table_is_sound() {
    for (at, ours) in tables::STRUCTS.iter().enumerate() {
        assert!(
            tables::STRUCTS.iter().skip(at.saturating_add(1)).all(|s| s.name != ours.name),
            "{} twice",
            ours.name
        );
        let mut end = 0;
        for field in ours.fields {
            assert_eq!(field.offset, end, "{}.{} follows a gap", ours.name, field.name);
            end = end.saturating_add(field.size);
        }
        assert_eq!(end, ours.size, "{} ends in a gap", ours.name);
    }
}

/// Type information of a few types: an integer, a struct with one member, a typedef of itself, an
/// array, an enumeration.
fn small_btf() -> Vec<u8> {
    let types: [&[u32]; 5] = [
        &[1, kind(BTF_KIND_INT, 0), 4, 32],
        &[3, kind(BTF_KIND_STRUCT, 1), 4, 5, 1, 0],
        &[7, kind(BTF_KIND_TYPEDEF, 0), 3],
        &[0, kind(BTF_KIND_ARRAY, 0), 0, 1, 1, 2],
        &[9, kind(BTF_KIND_ENUM, 1), 4, 11, 7],
    ];
    btf_of(&types.concat())
}

/// The second word of a type.
fn kind(kind: u8, count: u32) -> u32 {
    u32::from(kind) << 24 | count
}

/// Type information of these words, with a few names.
fn btf_of(types: &[u32]) -> Vec<u8> {
    let types: Vec<u8> = types.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let strings = b"\0a\0b\0c\0d\0e\0f\0";
    let len = |bytes: usize| u32::try_from(bytes).unwrap_or(0).to_ne_bytes();
    let mut bytes = Vec::from(BTF_MAGIC.to_ne_bytes());
    bytes.extend([BTF_VERSION, 0]);
    for number in [len(24), len(0), len(types.len()), len(types.len()), len(strings.len())] {
        bytes.extend(number);
    }
    bytes.extend(types);
    bytes.extend(strings);
    bytes
}

/// Calls every method of the reader for every type.
fn walk(btf: &Btf) {
    for id in 0..u32::try_from(btf.len()).unwrap_or(0).saturating_add(2) {
        let _ = (btf.size(id), btf.alternatives(id), btf.members(id, false), btf.members(id, true));
    }
    btf.enumerators().for_each(drop);
}

#[test]
fn reader_survives_broken_input() -> Result<(), String> {
    let good = small_btf();
    let btf = Btf::parse(&good)?;
    let id = btf.find("b").ok_or("no struct b")?;
    assert_eq!((btf.len(), btf.size(id)), (5, Some(4)));
    let names: Vec<String> =
        btf.members(id, false).ok_or("no members")?.into_iter().map(|m| m.name).collect();
    assert_eq!(names, ["c"]);
    assert_eq!(btf.enumerators().collect::<Vec<_>>(), [("f", 7)]);
    walk(&btf);

    for cut in 0..good.len() {
        assert!(Btf::parse(&good[..cut]).is_err(), "cut at {cut}");
    }
    for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut broken = good.clone();
        broken[at] ^= 1 << bit;
        if let Ok(btf) = Btf::parse(&broken) {
            walk(&btf);
        }
    }
    Ok(())
}

#[test]
fn reader_gives_up_where_types_double_at_every_step() -> Result<(), String> {
    // Each struct has two unnamed members of the type before it: the 20th has 2^20 integers.
    let mut types = vec![1, kind(BTF_KIND_INT, 0), 4, 32];
    for inner in 1..=20 {
        types.extend([0, kind(BTF_KIND_STRUCT, 2), 8, 0, inner, 0, 0, inner, 0]);
    }
    let btf = Btf::parse(&btf_of(&types))?;
    assert_eq!(btf.len(), 21);
    assert!(btf.members(10, true).is_some(), "2^9 are read");
    assert!(btf.members(21, true).is_none(), "2^20 are too many");
    Ok(())
}
