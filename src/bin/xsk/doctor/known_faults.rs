//! The list of known faults of kernels and drivers.

use super::check::{Check, Fault};
use super::version::{Range, Version};
use serde_json::Value;

/// The list: an array of objects. "driver" is null for a fault that any driver has, and "kernels"
/// an array of ranges with "from" and "before", of which one that is not known is null.
const LIST: &str = include_str!("known_faults.json");

/// The name of the checks.
const ID: &str = "known_fault";

/// The modes of the list that not every driver has: zero-copy mode, and packets of several frames in
/// it.
const ZERO_COPY: &str = "zero-copy";
const ZERO_COPY_FRAMES: &str = "zero-copy, several frames";

/// What a driver may be able to do: all that is not known to be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Modes {
    /// Zero-copy mode.
    pub(crate) zero_copy: bool,
    /// Packets of several frames in zero-copy mode.
    pub(crate) frames: bool,
}

/// A fault as the list has it.
#[derive(Debug)]
struct Entry {
    id: String,
    driver: Option<String>,
    kernels: Vec<Range>,
    mode: String,
    text: String,
    advice: String,
    source: String,
}

impl Entry {
    fn read(object: &Value) -> Option<Self> {
        let text = |key: &str| object[key].as_str().filter(|text| !text.is_empty());
        let end = |range: &Value, key: &str| match &range[key] {
            Value::Null => Some(None),
            value => Version::read(value.as_str()?).map(Some),
        };
        let range = |range: &Value| {
            Some(Range { from: end(range, "from")?, before: end(range, "before")? })
        };
        Some(Self {
            id: text("id")?.to_owned(),
            driver: match &object["driver"] {
                Value::Null => None,
                _ => Some(text("driver")?.to_owned()),
            },
            kernels: object["kernels"].as_array()?.iter().map(range).collect::<Option<_>>()?,
            mode: text("mode")?.to_owned(),
            text: text("text")?.to_owned(),
            advice: text("advice")?.to_owned(),
            source: text("source")?.to_owned(),
        })
    }

    fn is_in(&self, kernel: Version) -> bool {
        self.kernels.iter().any(|range| range.contains(kernel))
    }

    /// Returns whether a driver with these modes can have it.
    fn is_of(&self, modes: Modes) -> bool {
        match self.mode.as_str() {
            ZERO_COPY => modes.zero_copy,
            ZERO_COPY_FRAMES => modes.zero_copy && modes.frames,
            _ => true,
        }
    }

    fn is_of_zero_copy(&self) -> bool {
        self.mode.starts_with(ZERO_COPY)
    }

    fn check(&self) -> Check {
        let ranges: Vec<_> = self.kernels.iter().map(Range::to_string).collect();
        let text = format!(
            "{} {} This holds for Linux {}; a distribution may have changed that.",
            self.text,
            self.advice,
            ranges.join("; ")
        );
        let fault = Fault { id: self.id.clone(), source: self.source.clone() };
        Check { fault: Some(fault), ..Check::note(ID, text) }
    }
}

/// Returns the whole list; entries that cannot be read, of which there are none, are left out.
fn entries() -> Vec<Entry> {
    let list: Value = serde_json::from_str(LIST).unwrap_or_default();
    list.as_array().into_iter().flatten().filter_map(Entry::read).collect()
}

/// Returns a check for each fault of a kernel that any interface has; none of zero-copy mode, in
/// which few are.
pub(crate) fn of_kernel(kernel: Option<Version>) -> Vec<Check> {
    found(kernel, "the kernel itself", |entry| entry.driver.is_none() && !entry.is_of_zero_copy())
}

/// Returns a check for each fault of a driver in a kernel, and of the kernel in zero-copy mode;
/// without those of modes that the driver does not have.
pub(crate) fn of_driver(driver: &str, modes: Modes, kernel: Option<Version>) -> Vec<Check> {
    found(kernel, &format!("driver {driver}"), |entry| match &entry.driver {
        Some(name) => name == driver && entry.is_of(modes),
        None => entry.is_of_zero_copy() && entry.is_of(modes),
    })
}

/// Returns a check for each fault of a kernel of which `is_wanted` is true; if there is none, one
/// that says so.
fn found(kernel: Option<Version>, whose: &str, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Check> {
    let Some(kernel) = kernel else {
        return vec![Check::unknown(ID, "the version of the kernel cannot be read")];
    };
    let mut entries = entries();
    entries.retain(|entry| is_wanted(entry) && entry.is_in(kernel));
    if entries.is_empty() {
        return vec![Check::fine(ID, format!("none is known of {whose} in Linux {kernel}"))];
    }
    entries.iter().map(Entry::check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_entry_of_the_list_is_whole() {
        let list: Value = serde_json::from_str(LIST).unwrap();
        let list = list.as_array().unwrap();
        assert!(list.len() >= 10);
        let mut ids = BTreeSet::new();
        for object in list {
            let entry = Entry::read(object).unwrap_or_else(|| panic!("{object}"));
            assert!(ids.insert(entry.id.clone()), "{} is there twice", entry.id);
            assert!(
                entry.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
            assert!(!entry.kernels.is_empty(), "{object}");
            for range in &entry.kernels {
                assert!(!range.is_empty(), "{object}");
                assert!(range.from.is_some() || range.before.is_some(), "{object}");
            }
            for pair in entry.kernels.windows(2) {
                let (before, from) = (pair[0].before.unwrap(), pair[1].from.unwrap());
                assert!(before <= from, "ranges overlap: {object}");
            }
            let modes = ["any", "copy", "generic", "native", ZERO_COPY, ZERO_COPY_FRAMES];
            assert!(modes.contains(&entry.mode.as_str()), "{object}");
            for text in [&entry.text, &entry.advice] {
                assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{text}");
            }
            let known = ["https://", "CVE-", "Linux commit ", "Linux "];
            assert!(known.iter().any(|start| entry.source.starts_with(start)), "{object}");
            let keys: BTreeSet<_> =
                object.as_object().unwrap().keys().map(String::as_str).collect();
            let wanted = ["advice", "driver", "id", "kernels", "mode", "source", "text"];
            assert_eq!(keys, BTreeSet::from(wanted), "{object}");
        }
        assert_eq!(entries().len(), list.len());
    }

    fn ids(checks: Vec<Check>) -> Vec<String> {
        checks.into_iter().filter_map(|check| check.fault).map(|fault| fault.id).collect()
    }

    #[test]
    fn faults_are_found_by_driver_mode_and_kernel() {
        let all = Modes { zero_copy: true, frames: true };
        let igb = |kernel, modes| ids(of_driver("igb", modes, Version::read(kernel)));
        assert!(!igb("6.13", all).iter().any(|id| id.starts_with("igb")));
        for (kernel, is_there) in [
            ("6.14", true),
            ("6.18.22", true),
            ("6.18.23", false),
            ("6.19.12", true),
            ("6.19.13", false),
            ("7.0", false),
        ] {
            let is_found = igb(kernel, all).contains(&"igb-tx-stall-after-kill".to_owned());
            assert_eq!(is_found, is_there, "{kernel}");
        }
        assert!(igb("6.14", all).contains(&"partial-packets".to_owned()));
        let one_frame = Modes { frames: false, ..all };
        assert!(!igb("6.14", one_frame).contains(&"partial-packets".to_owned()));
        assert!(igb("6.14", one_frame).contains(&"igb-tx-stall-after-kill".to_owned()));
        let copy = Modes { zero_copy: false, ..all };
        assert_eq!(igb("6.14", copy), [""; 0]);
        let any = |kernel| ids(of_kernel(Version::read(kernel)));
        assert_eq!(any("6.18.44"), [""; 0]);
        assert!(any("5.10.37").contains(&"unbound-socket-in-map-generic".to_owned()));
        assert!(!any("5.12").contains(&"unbound-socket-in-map-generic".to_owned()));
        assert!(any("6.13.2").contains(&"busy-polling-without-effect".to_owned()));
        assert!(!any("6.15").contains(&"busy-polling-without-effect".to_owned()));
        for (kernel, is_there) in [
            ("5.15.32", false),
            ("5.15.33", true),
            ("5.15.132", false),
            ("6.1.53", true),
            ("6.1.54", false),
            ("6.5.3", true),
            ("6.5.4", false),
            ("6.5.13", false),
        ] {
            let is_found = any(kernel).contains(&"list-of-dying-sockets".to_owned());
            assert_eq!(is_found, is_there, "{kernel}");
        }
        let chunks = "chunks-of-2048-refused".to_owned();
        let zero_copy = |kernel| ids(of_driver("ice", all, Version::read(kernel)));
        assert!(!zero_copy("6.18.23").contains(&chunks) && zero_copy("6.18.24").contains(&chunks));
        let text = &of_driver("no-such", copy, Version::read("6.1"))[0];
        assert_eq!(text.text, "none is known of driver no-such in Linux 6.1");
        assert_eq!(of_kernel(None)[0].verdict.word(), "unknown");
    }
}
