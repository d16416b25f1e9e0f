//! `xsk doctor` without rights, and on a machine that lacks something.

use crate::common::{as_nobody, kernel_since, path_for_anybody};
use crate::doctor::{Both, Found, has_tools};
use crate::fixture::{TOOL, Tool};
use rustix::thread::CapabilitySet;
use std::process::Command;
use xsk::test_util::{Namespace, privileged, test_name};

/// Runs it as a user without any right but these, and without a right to memory with `limited`.
fn without_rights(kept: CapabilitySet, limited: bool) -> Found {
    let both = Both::new(1);
    let (file, path) = path_for_anybody(TOOL);
    // The shell has it, too.
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let limit = if limited { "ulimit -l 0; " } else { "" };
    let line = format!("{limit}exec {path} doctor near --json");
    let ended = as_nobody(kept, &both.namespace, || {
        Tool::spawn_here(Command::new("sh").args(["-c", &line])).end()
    });
    Found::of(&ended)
}

#[test]
fn what_a_user_without_rights_cannot_see_is_unknown() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let found = without_rights(CapabilitySet::empty(), false);
    found.is_broken(true);
    let commands = found.is("capabilities", "problem", "CAP_NET_RAW (to make a socket)");
    assert!(commands[1].starts_with("sudo setcap cap_net_raw,"), "{commands:?}");
    for check in ["socket", "bpf"] {
        found.is(check, "unknown", "cannot be seen without CAP_");
    }
    if kernel_since(6, 15) {
        found.is("queue_taken", "fine", "queue 0");
    }
    found.is("up", "fine", "near is up");
}

#[test]
fn each_missing_capability_is_named() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let all = CapabilitySet::NET_RAW
        | CapabilitySet::NET_ADMIN
        | CapabilitySet::BPF
        | CapabilitySet::PERFMON
        | CapabilitySet::IPC_LOCK;
    without_rights(all, false).is_broken(false);
    for (one, verdict, words) in [
        (CapabilitySet::NET_RAW, "problem", "CAP_NET_RAW (to make a socket) is missing"),
        (CapabilitySet::NET_ADMIN, "problem", "CAP_NET_ADMIN (to attach a program) is missing"),
        (CapabilitySet::BPF, "problem", "CAP_BPF (to load a program) is missing"),
        (CapabilitySet::PERFMON, "note", "CAP_PERFMON (to load a filter) is missing"),
    ] {
        let found = without_rights(all - one, false);
        found.is("capabilities", verdict, words);
        found.is_broken(verdict == "problem");
    }
}

#[test]
fn memory_that_may_not_be_pinned_is_a_problem() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let rights = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN | CapabilitySet::BPF;
    let found = without_rights(rights, true);
    let commands = found.is("memlock", "problem", "RLIMIT_MEMLOCK is 0 MiB");
    // A user may not raise a limit: `ulimit` alone would be refused.
    let raise = "prlimit --pid $$ --memlock=unlimited:unlimited";
    assert_eq!(commands, [format!("sudo {raise}")]);
    let own = rustix::thread::capabilities(None).unwrap().effective;
    if own.contains(CapabilitySet::SYS_RESOURCE) {
        let line = format!("ulimit -l 0 && {raise} && ulimit -l");
        let typed = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&typed.stdout), "unlimited\n", "{line}: {typed:?}");
    }
    found.is("socket", "fine", "see memlock");
    found.is_broken(true);
    let found = without_rights(rights | CapabilitySet::IPC_LOCK, true);
    found.is("memlock", "fine", "CAP_IPC_LOCK");
    found.is_broken(false);
}

#[test]
fn a_kernel_without_sockets_is_a_problem() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let both = Both::new(1);
    // The kernel says that it is 2.6 then.
    let line = format!("setarch --uname-2.6 {TOOL} doctor --json");
    let words: Vec<_> = line.split(' ').collect();
    let ended = Tool::spawn(&both.namespace, Command::new(words[0]).args(&words[1..])).end();
    let found = Found::of(&ended);
    found.is("kernel", "problem", "has no AF_XDP, which came with 4.18");
    found.is_broken(true);
}

#[test]
fn root_of_a_user_namespace_is_said_to_be_no_root() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let line = format!("unshare -Urn {TOOL} doctor --json");
    let words: Vec<_> = line.split(' ').collect();
    let namespace = Namespace::new().unwrap();
    let ended = Tool::spawn(&namespace, Command::new(words[0]).args(&words[1..])).end();
    let found = Found::of(&ended);
    found.is("user_namespace", "problem", "do not allow to load a program");
    found.is("bpf", "unknown", "cannot be seen");
    found.is("socket", "fine", "can be made");
}
