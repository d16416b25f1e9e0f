//! The checks of what the process may do.

use super::check::{Check, Verdict};
use crate::failure::quoted;
use rustix::thread::{CapabilitySet, capabilities as read};

const ID: &str = "capabilities";

/// Where the kernel shows which users of the first user namespace those of this one are.
const UID_MAP: &str = "/proc/self/uid_map";

/// Returns what the process may do; nothing if it cannot be read.
fn effective() -> CapabilitySet {
    read(None).map_or(CapabilitySet::empty(), |sets| sets.effective)
}

/// Returns whether the process is in the first user namespace; `None` if /proc does not show it.
fn is_in_first_user_namespace() -> Option<bool> {
    let map = std::fs::read_to_string(UID_MAP).ok()?;
    Some(map.split_whitespace().eq(["0", "0", "4294967295"]))
}

/// Returns whether the process may load programs, as far as its capabilities say.
pub(super) fn may_load() -> bool {
    let has = effective();
    is_in_first_user_namespace() != Some(false)
        && (has.contains(CapabilitySet::SYS_ADMIN)
            || has.contains(CapabilitySet::BPF | CapabilitySet::NET_ADMIN))
}

/// Returns whether packet memory of the process is not limited.
pub(super) fn may_pin_any() -> bool {
    is_in_first_user_namespace() != Some(false) && effective().contains(CapabilitySet::IPC_LOCK)
}

/// Checks the capabilities.
pub(super) fn capabilities() -> Check {
    of(effective())
}

fn of(has: CapabilitySet) -> Check {
    let may_administer = has.contains(CapabilitySet::SYS_ADMIN);
    // CAP_SYS_ADMIN stands for both.
    let needed = [
        (CapabilitySet::NET_RAW, "CAP_NET_RAW", "make a socket", false),
        (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN", "attach a program", false),
        (CapabilitySet::BPF, "CAP_BPF", "load a program", may_administer),
        (CapabilitySet::PERFMON, "CAP_PERFMON", "load a filter", may_administer),
    ];
    let missing: Vec<_> =
        needed.into_iter().filter(|(one, _, _, stands)| !has.contains(*one) && !stands).collect();
    if missing.is_empty() {
        return match may_administer {
            true => Check::fine(ID, "all that is needed is there"),
            false => Check::note(
                ID,
                "all that a socket with a program of its own needs is there; to join or describe \
                 the program of another process takes CAP_SYS_ADMIN",
            ),
        };
    }
    let only_filters = missing.iter().all(|(one, ..)| *one == CapabilitySet::PERFMON);
    let verdict = if only_filters { Verdict::Note } else { Verdict::Problem };
    let words: Vec<_> =
        missing.iter().map(|(_, name, deed, _)| format!("{name} (to {deed})")).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let path = std::env::current_exe().map(|path| path.display().to_string());
    let path = quoted(&path.unwrap_or_else(|_| "xsk".to_owned()));
    Check::new(ID, verdict, format!("{} {verb} missing", words.join(", ")))
        .command(format!("sudo {path} ..."))
        .command(format!("sudo setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon+ep {path}"))
}

/// Says if the process is in another user namespace than the first, where its capabilities are few.
pub(super) fn user_namespace() -> Option<Check> {
    const ID: &str = "user_namespace";
    match is_in_first_user_namespace() {
        Some(true) => None,
        Some(false) => Some(Check::problem(
            ID,
            "this process is in a user namespace of its own (a container without root, `unshare \
             --user`): its capabilities do not allow to load a program; sockets can be made, and \
             a process outside can hand a program over",
        )),
        None => Some(Check::unknown(ID, "/proc does not show which user namespace this is")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_it_is_for() {
        let four = CapabilitySet::NET_RAW
            | CapabilitySet::NET_ADMIN
            | CapabilitySet::BPF
            | CapabilitySet::PERFMON;
        for (has, verdict, words) in [
            (CapabilitySet::empty(), Verdict::Problem, "CAP_NET_RAW (to make a socket), CAP_NET"),
            (four, Verdict::Note, "takes CAP_SYS_ADMIN"),
            (four | CapabilitySet::SYS_ADMIN, Verdict::Fine, "all that is needed"),
            (four - CapabilitySet::PERFMON, Verdict::Note, "CAP_PERFMON (to load a filter) is"),
            (four - CapabilitySet::BPF, Verdict::Problem, "CAP_BPF (to load a program) is missing"),
        ] {
            let check = of(has);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.text.contains(words), "{check:?}");
            assert_eq!(check.commands.is_empty(), !check.text.contains("missing"), "{check:?}");
        }
        let stands = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
        assert_eq!(of(stands).verdict, Verdict::Fine);
    }
}
