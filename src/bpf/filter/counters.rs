//! The counters of filters that are loaded, which go on when one takes the place of another.
//!
//! Programs that were loaded one after another count in one map, and a rule keeps its entry there. So
//! whichever of two programs handles a packet while one takes the place of the other, the packet is
//! counted once.

use super::super::map::{PerCpuArray, possible_cpus};
use super::super::program::Program;
use super::action::Action;
use super::condition::Condition;
use super::counts::{FilterCounts, RuleCount};
use crate::error::Result;
use crate::num::u32_of_count;
use crate::sys::bpf::prog_by_id;
use crate::sys::fork::Process;
use crate::sys::rcu::wait_for_programs;
use rustix::io::Errno;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of a map.
pub(super) const MAP: &str = "xsk_rules";
/// The fewest entries of a map.
const FEWEST_ENTRIES: u32 = 64;

/// What makes two rules the same, in whichever filters they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum RuleKey {
    Rule(Condition, Action),
    /// The text of a classic program.
    Classic(String, Action),
}

/// Where packets are counted: the program counts them at the last place, and programs before it
/// counted them at the others.
type Places = Vec<(Arc<Bank>, u32)>;

/// The counters of a program.
#[derive(Debug)]
pub(super) struct Counters {
    rules: Arc<[RuleKey]>,
    /// Those of each rule, and then those of the packets for which there is no rule.
    places: Vec<Places>,
    /// Where the program counts.
    bank: Arc<Bank>,
    /// Whether they were found in a program, and only the process that loaded it knows which entries
    /// are used.
    of_other: bool,
}

/// A map that several programs count in.
#[derive(Debug)]
struct Bank {
    /// Only this process knows which entries are used: a forked child has a copy of the list.
    owner: Process,
    map: PerCpuArray<RuleCount>,
    entries: Mutex<Entries>,
}

/// Which entries of a map are used.
#[derive(Debug, Default)]
struct Entries {
    /// From here on no entry was used yet.
    unused: u32,
    /// Those of programs that are being loaded.
    taken: Vec<u32>,
    /// The entries that belong to each program, by the program's id.
    users: HashMap<u32, Vec<u32>>,
}

impl Counters {
    /// Has `load` load a program of these rules, with the map that it counts in and the entries of
    /// the rules in it, after which comes that of the packets for which there is no rule. Rules that
    /// `old` has go on counting where they do.
    pub(super) fn load(
        rules: &Arc<[RuleKey]>,
        old: Option<&Self>,
        load: impl FnOnce(&PerCpuArray<RuleCount>, &[u32]) -> Result<Program>,
    ) -> Result<(Program, Self)> {
        let old = old.filter(|old| !old.of_other && old.bank.owner == Process::current());
        let mut places = kept(rules, old);
        let new = places.iter().filter(|places| places.is_empty()).count();
        let (bank, fresh) = match old {
            Some(old) => match old.bank.take(new)? {
                Some(fresh) => (Arc::clone(&old.bank), fresh),
                None => Bank::create(places.len())?,
            },
            None => Bank::create(places.len())?,
        };
        let mut left = fresh.iter();
        for places in &mut places {
            // All entries that a program counts in are in one map.
            if !places.last().is_some_and(|(last, _)| Arc::ptr_eq(last, &bank)) {
                places.extend(left.next().map(|&entry| (Arc::clone(&bank), entry)));
            }
        }
        let entries: Vec<u32> =
            places.iter().filter_map(|places| places.last()).map(|&(_, entry)| entry).collect();
        let loaded = load(&bank.map, &entries);
        if let Ok(program) = &loaded {
            for (bank, entry) in places.iter().flatten() {
                bank.entries().users.entry(program.id()).or_default().push(*entry);
            }
        }
        bank.entries().taken.retain(|entry| !fresh.contains(entry));
        let program = loaded?;
        Ok((program, Self { rules: Arc::clone(rules), places, bank, of_other: false }))
    }

    /// Returns the counters of a program of another process: its map, and the entries of its rules,
    /// after which comes that of the packets for which there is no rule.
    pub(super) fn of_other(map: PerCpuArray<RuleCount>, entries: &[u32]) -> Self {
        let bank = Arc::new(Bank { owner: Process::current(), map, entries: Mutex::default() });
        let places = entries.iter().map(|&entry| vec![(Arc::clone(&bank), entry)]).collect();
        Self { rules: Arc::from([]), places, bank, of_other: true }
    }

    /// Returns the entries that the program counts in, in its own map.
    pub(super) fn entries(&self) -> Vec<u32> {
        self.places.iter().filter_map(|places| places.last()).map(|&(_, entry)| entry).collect()
    }

    /// Reads what was counted.
    pub(super) fn read(&self) -> Result<FilterCounts> {
        let mut rules = Vec::with_capacity(self.places.len());
        for places in &self.places {
            let mut sum = RuleCount::default();
            for (bank, entry) in places {
                for count in bank.map.get(*entry)?.unwrap_or_default() {
                    sum.packets = sum.packets.wrapping_add(count.packets);
                    sum.bytes = sum.bytes.wrapping_add(count.bytes);
                }
            }
            rules.push(sum);
        }
        let others = rules.pop().unwrap_or_default();
        Ok(FilterCounts { rules, others })
    }
}

/// Returns where each of these rules, and then the packets of none, were counted before. Of rules
/// that a filter has several times, the first is the first.
#[expect(clippy::mutable_key_type, reason = "sets are equal by their numbers")]
fn kept(rules: &[RuleKey], old: Option<&Counters>) -> Vec<Places> {
    let Some(old) = old else {
        return vec![Places::new(); rules.len().saturating_add(1)];
    };
    let mut known: HashMap<&RuleKey, VecDeque<&Places>> = HashMap::new();
    for (rule, places) in old.rules.iter().zip(&old.places) {
        known.entry(rule).or_default().push_back(places);
    }
    let before = |rule| known.get_mut(rule).and_then(VecDeque::pop_front);
    let before = rules.iter().map(before).chain([old.places.last()]);
    before.map(|places| places.cloned().unwrap_or_default()).collect()
}

impl Bank {
    /// Makes a map with room for a program that counts in so many entries, and others after it.
    /// Returns the first entries.
    fn create(needed: usize) -> Result<(Arc<Self>, Vec<u32>)> {
        let unused = u32_of_count(needed);
        let entries = unused.saturating_mul(2).max(FEWEST_ENTRIES);
        let map = PerCpuArray::create(MAP, entries)?;
        let entries = Mutex::new(Entries { unused, ..Entries::default() });
        let owner = Process::current();
        Ok((Arc::new(Self { owner, map, entries }), (0..unused).collect()))
    }

    /// Returns as many entries that no program uses and that are 0, if there are so many.
    fn take(&self, count: usize) -> Result<Option<Vec<u32>>> {
        let mut entries = self.entries();
        let first = entries.unused;
        let end = first.saturating_add(u32_of_count(count));
        if end <= self.map.entries() {
            entries.unused = end;
            entries.taken.extend(first..end);
            return Ok(Some((first..end).collect()));
        }
        // Programs that the kernel has freed do not count any more.
        entries.users.retain(|&program, _| prog_by_id(program).err() != Some(Errno::NOENT));
        let used = entries.users.values().flatten().chain(&entries.taken);
        let used: HashSet<u32> = used.copied().collect();
        let free = (0..self.map.entries()).filter(|entry| !used.contains(entry));
        let free: Vec<u32> = free.take(count).collect();
        if free.len() < count {
            return Ok(None);
        }
        // They may have left the interface while they handled a packet.
        wait_for_programs();
        let zeros = vec![RuleCount::default(); possible_cpus()?];
        for &entry in &free {
            self.map.set(entry, &zeros)?;
        }
        entries.unused = self.map.entries();
        entries.taken.extend(&free);
        Ok(Some(free))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
