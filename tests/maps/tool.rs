//! What `bpftool map` shows of a map is what the library says.

use crate::common::kernel_can;
use crate::programs::{count_by_packet, packet, run};
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::process::Command;
use xsk::bpf::{ArrayMap, BpfHashMap, LpmTrie, MapData, PerCpuArray, Prefix};
use xsk::test_util::{privileged, test_name};

/// Returns whether bpftool is there. If not, prints why the test `name` is skipped.
pub(crate) fn has_bpftool(name: &str) -> bool {
    let there =
        Command::new("bpftool").arg("version").output().is_ok_and(|output| output.status.success());
    kernel_can(name, there, "there is no bpftool")
}

/// Runs bpftool and returns what it prints.
pub(crate) fn bpftool(arguments: &[&str]) -> String {
    let output = Command::new("bpftool").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Returns the bytes of each key and its values, one after another.
fn dump(id: u32, entry_len: usize) -> BTreeSet<Vec<u8>> {
    let text = bpftool(&["--json", "map", "dump", "id", &id.to_string()]);
    // Bytes are strings like "0x1f"; newer versions show numbers that they know the type of, too.
    let bytes: Vec<u8> = text
        .split('"')
        .filter_map(|word| u8::from_str_radix(word.strip_prefix("0x")?, 16).ok())
        .collect();
    assert_eq!(bytes.len() % entry_len, 0, "{text}");
    bytes.chunks(entry_len).map(<[u8]>::to_vec).collect()
}

fn bytes<K: MapData, V: MapData>(key: &K, values: &[V]) -> Vec<u8> {
    [key.as_bytes()].into_iter().chain(values.iter().map(V::as_bytes)).flatten().copied().collect()
}

#[test]
fn bpftool_shows_what_is_in_the_maps() {
    if !privileged!() || !has_bpftool(test_name!()) {
        return;
    }
    let array = ArrayMap::<u64>::create("counters", 3).unwrap();
    let program = count_by_packet(array.as_fd(), 1);
    (0..300).for_each(|_| assert_eq!(run(&program, &packet(&2_u32.to_ne_bytes())), 1));
    let expected = [(0_u32, 0_u64), (1, 0), (2, 300)].map(|(key, value)| bytes(&key, &[value]));
    assert_eq!(dump(array.id(), 12), BTreeSet::from(expected));

    let hash = BpfHashMap::<u16, [u8; 3]>::create("hash", 10).unwrap();
    let entries = [(7_u16, [1, 2, 3]), (0xabcd, [4, 5, 6])];
    hash.insert_all(entries.iter().map(|(key, value)| (key, value))).unwrap();
    let expected = entries.map(|(key, value)| bytes(&key, &[value]));
    assert_eq!(dump(hash.id(), 5), BTreeSet::from(expected));

    let trie = LpmTrie::<Prefix<4>, u32>::create("routes", 10).unwrap();
    let prefix = Prefix::new([10, 1, 2, 3], 9).unwrap();
    trie.insert(&prefix, &0x0102_0304).unwrap();
    assert_eq!(dump(trie.id(), 12), BTreeSet::from([bytes(&prefix, &[0x0102_0304_u32])]));

    let per_cpu = PerCpuArray::<u64>::create("per_cpu", 1).unwrap();
    let program = count_by_packet(per_cpu.as_fd(), 1);
    (0..40).for_each(|_| assert_eq!(run(&program, &packet(&[])), 1));
    let values = per_cpu.get(0).unwrap().unwrap();
    assert_eq!(values.iter().sum::<u64>(), 40);
    assert_eq!(dump(per_cpu.id(), 4 + 8 * values.len()), BTreeSet::from([bytes(&0_u32, &values)]));
}

#[test]
fn bpftool_shows_the_properties() {
    if !privileged!() || !has_bpftool(test_name!()) {
        return;
    }
    let map =
        BpfHashMap::<u16, u64>::builder("some_name", 7).without_preallocation().create().unwrap();
    let text = bpftool(&["--json", "map", "show", "id", &map.id().to_string()]);
    for part in [
        "\"type\":\"hash\"",
        "\"name\":\"some_name\"",
        "\"flags\":1",
        "\"bytes_key\":2",
        "\"bytes_value\":8",
        "\"max_entries\":7",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
