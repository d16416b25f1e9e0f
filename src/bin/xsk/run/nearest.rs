//! The name that was meant, for one that was mistyped.

use crate::failure::Failure;
use std::ffi::OsStr;
use xsk::{Errno, Error, Interface};

/// Returns the failure of an interface that is not found, with the name that may have been meant.
pub(crate) fn offered(name: &OsStr, error: Error) -> Failure {
    if !matches!(error, Error::Interface { errno: Errno::NODEV, .. }) {
        return error.into();
    }
    let all = Interface::all().unwrap_or_default();
    let names: Vec<&str> = all.iter().map(Interface::name).collect();
    let typed = name.to_string_lossy();
    let hint = match of(&typed, names.iter().copied()) {
        Some(nearest) => format!("the nearest name is {nearest}"),
        None if names.len() <= 16 => format!("there are {}", names.join(", ")),
        None => "`ip -br link` lists all".to_owned(),
    };
    Failure::Text(format!(
        "there is no interface {typed} in this network namespace (ENODEV): {hint}"
    ))
}

/// Returns the candidate that takes the fewest changes to become `typed`, if those are few: a
/// letter more, less or another one, and two neighbours swapped, count one each.
pub(crate) fn of<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let distances = candidates.into_iter().map(|name| (distance(typed, name), name));
    let (changes, name) = distances.min()?;
    let most = 1 + typed.chars().count() / 4;
    (changes > 0 && changes <= most).then_some(name)
}

/// Returns how many changes make one word of another (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut least = (row[j] + usize::from(a != b)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && from[i - 1] == *b && to[j - 1] == *a {
                let swapped: usize = before[j - 1];
                least = least.min(swapped + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, of};

    #[test]
    fn changes_are_counted() {
        for (from, to, changes) in [
            ("eth1", "eth1", 0),
            ("eht1", "eth1", 1),
            ("eth", "eth1", 1),
            ("etth1", "eth1", 1),
            ("eth2", "eth1", 1),
            ("", "lo", 2),
            ("enp3s0", "enp5s0f1", 3),
            ("ca", "abc", 3),
        ] {
            assert_eq!(distance(from, to), changes, "{from} {to}");
            assert_eq!(distance(to, from), changes, "{to} {from}");
        }
    }

    #[test]
    fn the_nearest_is_one_of_few_changes() {
        let names = ["lo", "eth0", "eth1", "enp5s0f1", "br-ab12"];
        assert_eq!(of("eht1", names), Some("eth1"));
        assert_eq!(of("eth", names), Some("eth0"));
        assert_eq!(of("enp5s0f0", names), Some("enp5s0f1"));
        assert_eq!(of("l0", names), Some("lo"));
        assert_eq!(of("wlan0", names), None);
        assert_eq!(of("nope", names), None);
        assert_eq!(of("eth0", []), None);
    }
}
