//! What a process has open and mapped, what its network namespace holds, and which BPF objects are
//! alive.

use crate::common::until;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use xsk::bpf::{Program, XskMap, redirect};

/// What this process holds, and which sockets its network namespace has; equal if nothing leaked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// Open descriptors by kind: sockets, BPF maps, programs and links, network namespaces ...
    pub(crate) descriptors: BTreeMap<String, usize>,
    /// Mappings and their bytes by kind, without the heap and the stack.
    pub(crate) mappings: BTreeMap<String, (usize, u64)>,
    /// AF_XDP sockets of the namespace, also those without a descriptor.
    pub(crate) xdp_sockets: u64,
    /// Locks and marks in the namespace.
    pub(crate) marks: usize,
    /// Netlink sockets in the namespace.
    pub(crate) netlink: usize,
}

impl Held {
    /// Counts, for the calling thread's namespace.
    pub(crate) fn now() -> Self {
        let mut descriptors = BTreeMap::new();
        for entry in fs::read_dir("/proc/self/fd").unwrap() {
            // The descriptor of the directory itself is closed by now.
            if let Ok(target) = fs::read_link(entry.unwrap().path()) {
                *descriptors.entry(kind(&target.to_string_lossy())).or_default() += 1;
            }
        }
        let mut mappings = BTreeMap::new();
        for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
            let mut words = line.split_whitespace();
            let (from, to) = words.next().unwrap().split_once('-').unwrap();
            let bytes = number(to) - number(from);
            let what = words.nth(4).map_or_else(|| "anonymous".to_owned(), kind);
            if what != "[heap]" && what != "[stack]" {
                let sum: &mut (usize, u64) = mappings.entry(what).or_default();
                *sum = (sum.0 + 1, sum.1 + bytes);
            }
        }
        Self {
            descriptors,
            mappings,
            xdp_sockets: xdp_sockets(),
            marks: lines("unix", "@xsk/"),
            netlink: lines("netlink", ""),
        }
    }
}

/// Returns how many AF_XDP sockets the calling thread's network namespace has.
pub(crate) fn xdp_sockets() -> u64 {
    let table = fs::read_to_string("/proc/thread-self/net/protocols").unwrap();
    let line = table.lines().find(|line| line.starts_with("XDP ")).unwrap();
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// Returns how many locks and marks the calling thread's network namespace has.
pub(crate) fn marks() -> usize {
    lines("unix", "@xsk/")
}

fn lines(table: &str, with: &str) -> usize {
    let table = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap();
    table.lines().filter(|line| line.contains(with)).count()
}

fn number(hex: &str) -> u64 {
    u64::from_str_radix(hex, 16).unwrap()
}

/// Returns a target of `/proc/self/fd` without what differs from one to the next.
fn kind(target: &str) -> String {
    target.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// The BPF objects that were made since a point in time, and are like those of the interface with
/// `brand` queues.
///
/// The kernel gives ids out in ascending order. A link needs no id of its own here: its program
/// lives as long as it does.
#[derive(Debug)]
pub(crate) struct Since {
    brand: u32,
    map: u32,
    program: u32,
}

impl Since {
    pub(crate) fn now(brand: u32) -> Self {
        let (map, program) = newest();
        Self { brand, map, program }
    }

    /// Waits until all are gone, and returns how many ids were looked at. Fails if one is left.
    #[track_caller]
    pub(crate) fn assert_gone(&self) -> u32 {
        let (last_map, last_program) = newest();
        let (maps, programs) = (self.map + 1..last_map, self.program + 1..last_program);
        let looked_at = (maps.len() + programs.len()) as u32;
        let mut alive: BTreeSet<(bool, u32)> = maps.map(|id| (false, id)).collect();
        alive.extend(programs.map(|id| (true, id)));
        let first = alive.len();
        until("BPF objects are gone", || {
            alive.retain(|(program, id)| if *program { self.program(*id) } else { self.map(*id) });
            if !alive.is_empty() && alive.len() < first {
                std::thread::yield_now();
            }
            alive.is_empty()
        });
        looked_at
    }

    /// Returns whether there is such a map.
    fn map(&self, id: u32) -> bool {
        XskMap::from_id(id)
            .is_ok_and(|map| map.name() == XskMap::DEFAULT_NAME && map.entries() == self.brand)
    }

    /// Returns whether there is a program with such a map.
    pub(crate) fn program(&self, id: u32) -> bool {
        let Ok(program) = Program::from_id(id) else {
            return false;
        };
        let maps = program.maps().unwrap_or_default();
        maps.iter().any(|map| map.name == XskMap::DEFAULT_NAME && map.entries == self.brand)
    }
}

/// Returns the ids of a map and of a program that are made here.
fn newest() -> (u32, u32) {
    let map = XskMap::create("xsk_newest", 1).unwrap();
    let program = redirect(&map).unwrap();
    (map.id(), program.id())
}
