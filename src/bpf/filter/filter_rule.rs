//! The rules of a filter as text, which its program keeps in the kernel.
//!
//! The text is in a frozen array of one value, a map that is bound to the program beside those that
//! its instructions name (5.10): a line that says what it is, one with the entries of the counters'
//! map that the rules and then all other packets are counted in, and for each rule a line with the
//! action, a tab, and the condition.

use super::super::info::MapInfo;
use super::super::program::Program;
use super::action::Action;
use crate::num::usize32;
use crate::sys::bpf::{self as sys, MapFd, MapSpec};
use crate::sys::release;
use rustix::io::Errno;
use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};
use xsk_uapi::bpf::{BPF_ANY, BPF_F_RDONLY_PROG, BPF_MAP_TYPE_ARRAY};

/// The name of the map.
const NAME: &str = "xsk_rules_text";
/// The first line.
const HEAD: &str = "xsk filter rules 1";
/// How the second line begins.
const COUNTERS: &str = "counters";
/// The bytes of the longest text that is kept.
const MOST: u32 = 64 << 10;

/// A rule of a filter that is loaded, as text, from
/// [`FilterProgram::rules`](super::FilterProgram::rules).
///
/// ```
/// use xsk::bpf::{Action, Filter, XskMap};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of FilterRule") { return Ok(()); }
/// let map = XskMap::create(XskMap::DEFAULT_NAME, 4)?;
/// let filter = Filter::new().rule("arp".parse()?, Action::Drop).load(&map)?;
/// for rule in filter.rules().unwrap_or_default() {
///     println!("{}: {}", rule.action, rule.condition); // drop: arp
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterRule {
    /// What becomes of its packets.
    pub action: Action,
    /// The condition, as [`Condition`](super::Condition) prints it: an expression of the tcpdump
    /// language, in which a set is shown by its name.
    pub condition: String,
}

impl FilterRule {
    pub(super) fn new(action: Action, condition: String) -> Self {
        Self { action, condition }
    }
}

/// Has a program keep the text of its rules. Returns whether it does: not before 5.10, nor a text
/// that is too long, nor without memory for it. A filter works all the same.
pub(super) fn keep(program: &Program, rules: &[FilterRule], entries: Option<&[u32]>) -> bool {
    !release::is_before(5, 10) && bind(program, text(rules, entries).as_bytes()).is_ok()
}

/// The rules of a program, and the entries that it counts in, if it counts.
type Kept = (Vec<FilterRule>, Option<Vec<u32>>);

/// Returns what a program keeps in one of these maps; `None` also if this process may not read them.
pub(super) fn kept(map_ids: &[u32]) -> Option<Kept> {
    map_ids.iter().find_map(|id| {
        let (fd, info) = MapInfo::open(*id).ok()?;
        if info.name == NAME { rules(&value(fd, &info)?) } else { None }
    })
}

fn bind(program: &Program, text: &[u8]) -> Result<(), Errno> {
    let value_size = u32::try_from(text.len()).ok().filter(|bytes| *bytes <= MOST);
    let map = sys::map_create(&MapSpec {
        kind: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: value_size.ok_or(Errno::TOOBIG)?,
        entries: 1,
        flags: BPF_F_RDONLY_PROG,
        numa_node: None,
        name: sys::name(NAME)?,
    })?;
    map.update(&[0; 4], text, BPF_ANY)?;
    map.freeze()?;
    sys::prog_bind_map(program.as_fd(), map.as_fd())
}

fn value(fd: OwnedFd, info: &MapInfo) -> Option<Vec<u8>> {
    let fits = info.kind == BPF_MAP_TYPE_ARRAY
        && (info.key_size, info.entries) == (4, 1)
        && info.value_size <= MOST;
    let (map, _) = fits.then(|| MapFd::open(fd).ok())??;
    let mut value = vec![0; usize32(info.value_size)];
    map.lookup(&[0; 4], &mut value).ok()?;
    Some(value)
}

fn text(rules: &[FilterRule], entries: Option<&[u32]>) -> String {
    let mut text = format!("{HEAD}\n{COUNTERS}");
    // Writing to a string does not fail.
    for entry in entries.unwrap_or_default() {
        let _ = write!(text, " {entry}");
    }
    text.push('\n');
    for FilterRule { action, condition } in rules {
        // The name of a set may have any character.
        let _ = writeln!(text, "{action}\t{}", condition.replace('\n', " "));
    }
    text
}

/// Reads what [`text`] wrote.
fn rules(text: &[u8]) -> Option<Kept> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next() != Some(HEAD) {
        return None;
    }
    let mut entries = lines.next()?.split(' ');
    if entries.next() != Some(COUNTERS) {
        return None;
    }
    let entries = entries.map(|entry| entry.parse().ok()).collect::<Option<Vec<u32>>>()?;
    let rules = lines.map(|line| {
        let (action, condition) = line.split_once('\t')?;
        Some(FilterRule::new(Action::of_text(action)?, condition.to_owned()))
    });
    let rules: Vec<FilterRule> = rules.collect::<Option<_>>()?;
    let counting = entries.len() == rules.len().checked_add(1)?;
    (counting || entries.is_empty()).then_some((rules, counting.then_some(entries)))
}

#[cfg(test)]
mod tests {
    use super::super::condition::Condition;
    use super::super::direction::Direction;
    use super::super::set::PortSet;
    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        let one = |action, condition: &str| FilterRule::new(action, condition.to_owned());
        let all = [
            one(Action::Pass, "arp"),
            one(Action::Drop, ""),
            one(Action::Queue, "udp dst port 1\tor x"),
            one(Action::Slot(u32::MAX), "len >= 0"),
        ];
        for count in 0..=all.len() {
            let (first, entries) = (&all[..count], &[7, 0, 3, u32::MAX, 4][..=count]);
            for entries in [None, Some(entries)] {
                let (read, counted) = rules(text(first, entries).as_bytes()).unwrap();
                assert_eq!((&*read, counted.as_deref()), (first, entries));
            }
        }
    }

    #[test]
    fn a_line_in_the_name_of_a_set_is_no_rule() {
        let set = PortSet::new("a\npass\tip");
        let condition = Condition::port_in(Direction::Source, &set).to_string();
        let rule = FilterRule::new(Action::Drop, condition);
        let (read, _) = rules(text(std::slice::from_ref(&rule), None).as_bytes()).unwrap();
        assert_eq!(read.len(), 1, "{read:?}");
        let (_, counted) = rules(text(&[rule], Some(&[0, 1])).as_bytes()).unwrap();
        assert_eq!(counted, Some(vec![0, 1]));
    }

    #[test]
    fn what_is_no_list_of_rules_is_refused() {
        for text in [
            "",
            "\n",
            "xsk filter rules 1",
            "xsk filter rules 1\n",
            "xsk filter rules 2\ncounters\n",
            "xsk filter rules 1\ncounters 0\ndrop\tarp\n",
            "xsk filter rules 1\ncounters 0 x\ndrop\tarp\n",
            "xsk filter rules 1\ncounters 0 1 2\ndrop\tarp\n",
            "xsk filter rules 1\ncounters\ndrop\n",
            "xsk filter rules 1\ncounters\nkeep\tarp\n",
            "xsk filter rules 1\ncounters\nslot\tarp\n",
            "xsk filter rules 1\ncounters\nslot -1\tarp\n",
            "xsk filter rules 1\ncounters\nslot 4294967296\tarp\n",
            "xsk filter rules 1\ncounters\nqueue 1\tarp\n",
            "xsk filter rules 1\ncounters\n\n",
            "xsk filter rules 1\ncounters\ndrop\tarp\n\0",
        ] {
            assert_eq!(rules(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(rules(b"xsk filter rules 1\ncounters\ndrop\t\xff\n"), None);
    }
}
