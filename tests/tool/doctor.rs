//! `xsk doctor`: each check made to fail for real, what it says to type, and its exit codes.

use crate::common::{has_iproute2, kernel_can, kernel_since, left_on, wait_for};
use crate::fixture::{Ended, TOOL, Tool, foreign_on};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::Duration;
use xsk::bpf::{Insn, Program, Reg, XskMap};
use xsk::test_util::{Namespace, VethBuilder, VethPair, ip, privileged, test_name};
use xsk::{AttachMethod, Attachment, Interface};

/// The exit code of a problem.
pub(crate) const BROKEN: i32 = 6;

/// Returns whether the tools are there that the test `name` types in, or compares with.
pub(crate) fn has_tools(name: &str) -> bool {
    let is_there = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    let all = ["sh", "ethtool", "bpftool", "setarch", "unshare"];
    let can = has_iproute2() && all.into_iter().all(is_there);
    kernel_can(name, can, "sh, ip, ethtool, bpftool, setarch or unshare is missing")
}

/// A cable with both ends, `near` and `far`, in one namespace.
pub(crate) struct Both {
    pub(crate) pair: VethPair,
    pub(crate) namespace: Namespace,
}

impl Both {
    pub(crate) fn new(queues: u32) -> Self {
        Self::build(VethPair::builder().queues(queues))
    }

    pub(crate) fn build(builder: VethBuilder) -> Self {
        let namespace = Namespace::new().unwrap();
        Self {
            pair: builder.names("near", "far").build(&namespace, &namespace).unwrap(),
            namespace,
        }
    }

    pub(crate) fn near(&self) -> &Interface {
        self.pair.a()
    }

    pub(crate) fn far(&self) -> &Interface {
        self.pair.b()
    }

    /// Runs the checks of the near end, with these words more.
    pub(crate) fn doctor(&self, words: &str) -> Found {
        doctor(&self.namespace, &format!("near {words}"))
    }

    /// Types a command that the tool showed.
    pub(crate) fn type_in(&self, command: &str) {
        let shell = || Command::new("sh").args(["-c", command]).output().unwrap();
        let output = self.namespace.run(shell).unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    code: Option<i32>,
    checks: Vec<Value>,
    summary: Value,
}

pub(crate) fn doctor(namespace: &Namespace, words: &str) -> Found {
    Found::of(&Tool::start(namespace, &format!("doctor --json {words}")).end())
}

impl Found {
    pub(crate) fn of(ended: &Ended) -> Self {
        assert!(ended.err.is_empty(), "{ended:?}");
        let mut checks = ended.objects();
        let summary = checks.pop().unwrap();
        assert_eq!(summary["summary"], true, "{summary}");
        let code = ended.status.code();
        assert_eq!(code == Some(BROKEN), summary["broken"], "{ended:?}");
        let problems = checks.iter().filter(|check| check["verdict"] == "problem").count();
        if !summary["interface"].is_null() {
            assert_eq!(summary["problems"], problems, "{ended:?}");
        }
        Self { code, checks, summary }
    }

    /// Returns the first check of this name.
    #[track_caller]
    pub(crate) fn check(&self, name: &str) -> &Value {
        self.checks.iter().find(|check| check["check"] == name).unwrap()
    }

    /// Asserts what a check found, and returns its commands.
    #[track_caller]
    pub(crate) fn is(&self, name: &str, verdict: &str, words: &str) -> Vec<String> {
        let check = self.check(name);
        assert_eq!(check["verdict"], verdict, "{check}");
        assert!(check["text"].as_str().unwrap().contains(words), "{words}: {check}");
        let commands = check["commands"].as_array().unwrap().iter();
        commands.map(|command| command.as_str().unwrap().to_owned()).collect()
    }

    /// Asserts that the exit code is that of a problem, or not.
    #[track_caller]
    pub(crate) fn is_broken(&self, broken: bool) {
        let problems: Vec<_> =
            self.checks.iter().filter(|check| check["verdict"] == "problem").collect();
        assert_eq!(self.code, Some(if broken { BROKEN } else { 0 }), "{problems:?}");
    }
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_sound_interface_has_no_problem_and_keys_are_stable() {
    if !privileged!() {
        return;
    }
    let both = Both::new(1);
    let found = both.doctor("");
    found.is_broken(false);
    for check in &found.checks {
        let wanted =
            ["check", "commands", "fault", "interface", "source", "summary", "text", "verdict"];
        assert_eq!(keys(check), BTreeSet::from(wanted));
        let verdicts = ["fine", "note", "problem", "unknown"];
        assert!(verdicts.iter().any(|verdict| check["verdict"] == *verdict), "{check}");
        assert!(!check["text"].as_str().unwrap().contains("::"), "{check}");
    }
    let wanted =
        ["broken", "fine", "interface", "kernel", "notes", "problems", "summary", "unknown"];
    assert_eq!(keys(&found.summary), BTreeSet::from(wanted));
    let of = |interface: Value| -> Vec<&str> {
        let checks = found.checks.iter().filter(|check| check["interface"] == interface);
        checks.map(|check| check["check"].as_str().unwrap()).collect()
    };
    let machine = [
        "kernel",
        "capabilities",
        "socket",
        "memlock",
        "bpf",
        "bpf_jit",
        "unprivileged_bpf",
        "btf",
        "xdp_diag",
        "known_fault",
    ];
    // A kernel may have several known faults.
    assert_eq!(of(Value::Null)[..10], machine);
    let interface = [
        "up",
        "carrier",
        "kind",
        "native_mode",
        "zero_copy",
        "program",
        "queues",
        "rss",
        "queue_taken",
        "mtu",
        "gro",
        "lro",
        "peer_tx_checksum",
        "peer_segmentation",
        "vlan_offload",
        "promiscuity",
        "napi",
        "default_route",
        "known_fault",
    ];
    assert_eq!(of("near".into())[..19], interface);
    assert_eq!(found.summary["kernel"], rustix::system::uname().release().to_str().unwrap());
    assert_eq!(found.summary["interface"], "near");
}

#[test]
fn without_an_interface_each_has_a_line_and_none_counts() {
    if !privileged!() {
        return;
    }
    let both = Both::new(1);
    ip::set_up(both.near(), false).unwrap();
    let found = doctor(&both.namespace, "");
    found.is_broken(false);
    let lines = found.checks.iter().filter(|check| check["check"] == "interface");
    let names: BTreeSet<_> = lines.map(|line| line["interface"].as_str().unwrap()).collect();
    assert!(names.is_superset(&["lo", "near", "far"].into()), "{names:?}");
    let near = found.checks.iter().find(|check| check["interface"] == "near").unwrap();
    assert_eq!(near["verdict"], "problem");
    assert!(near["text"].as_str().unwrap().starts_with("near is down"), "{near}");
    assert_eq!(found.summary["interface"], Value::Null);
}

#[test]
fn an_interface_that_is_down_or_has_no_carrier_is_a_problem_until_what_is_said_is_typed() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let both = Both::new(1);
    ip::set_up(both.near(), false).unwrap();
    let found = both.doctor("");
    found.is_broken(true);
    found.is("carrier", "unknown", "only when it is up");
    for command in found.is("up", "problem", "near is down") {
        both.type_in(&command);
    }
    ip::set_up(both.far(), false).unwrap();
    let found = both.doctor("");
    found.is_broken(true);
    found.is("up", "fine", "near is up");
    for command in found.is("carrier", "problem", "its other end, far, is down") {
        both.type_in(&command);
    }
    ip::wait_for_carrier(both.near(), crate::common::PATIENCE).unwrap();
    both.doctor("").is_broken(false);
}

#[test]
fn with_several_queues_it_says_which_are_listened_on() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let both = Both::new(8);
    let found = both.doctor("");
    let commands = found.is("rss", "note", "near has 8 RX queues, and you listen on queue 0");
    // A veth has no combined channels and no flow rules.
    assert_eq!(commands, ["xsk rxdrop -i near -q all", "ethtool -L near rx 1 tx 1"]);
    found.is_broken(false);
    both.doctor("-q all").is("rss", "fine", "all 8 RX queues");
    both.doctor("-q 0-7").is("rss", "fine", "all 8 RX queues");
    both.doctor("-q 2,3").is("rss", "note", "listen on queues 2-3");
    let found = both.doctor("-q 8");
    found.is("queues", "problem", "8 RX queue(s) and 8 TX queue(s): there is no queue 8");
    found.is_broken(true);
    if !kernel_can(test_name!(), kernel_since(5, 15), "channels of a veth cannot be set") {
        return;
    }
    both.type_in(&commands[1]);
    both.doctor("").is("rss", "fine", "near has one RX queue");
    // The other end still sends on eight, which a native program on one queue cannot take.
    let commands = both.doctor("").is("queues", "note", "far, the other end, has 8 TX queues");
    both.type_in(&commands[0]);
    both.doctor("").is("queues", "fine", "1 RX queue(s) and 1 TX queue(s)");
}

#[test]
fn a_queue_without_one_side_is_a_problem() {
    if !privileged!() {
        return;
    }
    let both = Both::build(VethPair::builder().rx_tx_queues(1, 2));
    let found = both.doctor("-q 1");
    found.is("queues", "problem", "queue 1 has no RX side, and nothing comes there");
    found.is_broken(true);
    both.doctor("").is("queues", "note", "1 RX queue(s) and 2 TX queue(s)");
    let both = Both::build(VethPair::builder().rx_tx_queues(2, 1));
    both.doctor("-q 1").is("queues", "problem", "queue 1 has no TX side");
}

#[test]
fn a_foreign_program_is_named_and_goes_by_what_is_typed() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let both = Both::new(1);
    both.doctor("").is("program", "fine", "no XDP program is on near");
    let attachment = foreign_on(&both.namespace, both.near(), false);
    let id = both.near().attached_programs().unwrap().programs().next().unwrap().1;
    let found = both.doctor("");
    found.is_broken(true);
    let words = format!("program {id} (foreign, loaded by user ");
    let commands = found.is("program", "problem", &words);
    assert!(found.check("program")["text"].as_str().unwrap().contains("on near in native mode"));
    both.type_in(&commands[0]);
    assert_eq!(left_on(both.near()), None, "{commands:?}");
    drop(attachment);
    both.doctor("").is_broken(false);
}

#[test]
fn a_program_that_a_link_holds_is_named_with_it() {
    if !privileged!()
        || !has_tools(test_name!())
        || !kernel_can(test_name!(), kernel_since(5, 9), "links came with 5.9")
    {
        return;
    }
    let both = Both::new(1);
    let attach = || {
        let insns = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
        let program = Program::builder(&insns).name("held").license(c"MIT").load()?;
        let builder = Attachment::builder(both.near()).method(AttachMethod::Link);
        builder.program(program, XskMap::create("held_map", 1)?).attach()
    };
    let attachment = both.namespace.run(attach).unwrap().unwrap();
    let commands = both.doctor("").is("program", "problem", ", held by link ");
    both.type_in(&commands[0]);
    assert_eq!(left_on(both.near()), None, "{commands:?}");
    drop(attachment);
}

/// The pins of libxdp are in a mount namespace of their own, which goes with the shell.
#[test]
fn a_dispatcher_is_named_with_its_chain() {
    if !privileged!() {
        return;
    }
    let directory = format!("/usr/lib/{}-linux-gnu/bpf", std::env::consts::ARCH);
    let object = format!("{directory}/xdpfilt_alw_udp.o");
    let there = Command::new("xdp-loader").arg("help").output().is_ok()
        && std::path::Path::new(&object).exists();
    if !kernel_can(test_name!(), there, "there are no xdp-tools") {
        return;
    }
    let both = Both::new(1);
    let script = format!(
        "mount -t bpf none /sys/fs/bpf; xdp-loader load --mode skb --prio 50 near {object} >&2 \
         && {TOOL} doctor near --json; xdp-loader unload near --all >&2"
    );
    let mut command = Command::new("unshare");
    let ended = Tool::spawn(&both.namespace, command.args(["--mount", "sh", "-c", &script])).end();
    let check = ended.objects().into_iter().find(|check| check["check"] == "program").unwrap();
    let text = check["text"].as_str().unwrap();
    assert_eq!(check["verdict"], "problem", "{check}");
    let single = !text.contains("dispatcher");
    if kernel_can(test_name!(), !single, "libxdp attaches programs alone here") {
        assert!(
            text.contains("libxdp's dispatcher, with xdpfilt_alw_udp (priority 50)"),
            "{check}"
        );
        assert_eq!(check["commands"][0], "xdp-loader unload near --all");
    }
    assert_eq!(left_on(both.near()), None, "{ended:?}");
}

#[test]
fn a_taken_queue_and_an_own_program_are_seen() {
    if !privileged!() {
        return;
    }
    let both = Both::new(2);
    both.doctor("").is("queue_taken", "fine", "queue 0 of near");
    let tool = Tool::start(&both.namespace, "rxdrop -i near -q 1 --json").ready();
    both.doctor("").is("queue_taken", "fine", "queue 0 of near");
    let found = both.doctor("-q all");
    let commands = found.is("queue_taken", "problem", "queue 1 of near is taken");
    assert_eq!(commands, ["xsk status"]);
    let status = Tool::start(&both.namespace, &commands[0]["xsk ".len()..]).end();
    let who = format!("process {} (xsk)", tool.id());
    assert!(status.out.join("\n").contains(&who), "{status:?}");
    found.is("queue_taken", "problem", &format!("process {}", tool.id()));
    found.is("program", "note", "xsk_redirect");
    found.is_broken(true);
    // It changed nothing.
    assert!(tool.stop().status.success());
    wait_for("the queue", || both.doctor("-q 1").check("queue_taken")["verdict"] == "fine");
}

/// The kernel frees a queue some time after its process has ended.
#[test]
fn a_queue_that_becomes_free_in_a_moment_is_no_problem() {
    if !privileged!() {
        return;
    }
    let both = Both::new(1);
    let has_passed = || {
        let bind = || {
            let (umem, _) = xsk::Umem::builder().chunk_count(2).build().unwrap();
            let builder = xsk::Socket::builder(&umem).bind_timeout(Duration::from_secs(20));
            builder.bind(both.near(), 0).unwrap()
        };
        // The process of the test is in another namespace, by its first thread.
        let socket = both.namespace.run(bind).unwrap();
        let closing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(400));
            drop(socket);
        });
        let check = both.doctor("").check("queue_taken").clone();
        closing.join().unwrap();
        check["verdict"] == "fine"
    };
    // Under load the kernel takes longer.
    assert!((0..8).any(|_| has_passed()));
}

#[test]
fn a_filter_of_xsk_is_called_one_and_not_the_program_of_others() {
    if !privileged!() {
        return;
    }
    let both = Both::new(2);
    let line = "rxdrop -i near -q 1 --json udp dst port 9";
    let tool = Tool::start(&both.namespace, line).ready();
    let found = both.doctor("");
    let commands = found.is("program", "problem", "xsk_filter");
    found.is("program", "problem", "by its name that of `xsk`");
    // To detach its link would cut off a command that works.
    assert_eq!(commands, ["xsk status near"]);
    found.is_broken(true);
    assert!(tool.stop().status.success());
}

#[test]
fn it_changes_nothing() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let both = Both::new(4);
    let state = || {
        let show = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let output = || Command::new(words[0]).args(&words[1..]).output().unwrap();
            let output = both.namespace.run(output).unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        ["ip -d link", "ethtool -k near", "ethtool -l near", "ip route"].map(show)
    };
    let before = state();
    for words in [
        "features",
        "features near",
        "doctor",
        "doctor near",
        "doctor near -q all",
        "doctor near -q 3 --json",
    ] {
        let ended = Tool::start(&both.namespace, words).end();
        assert_eq!(ended.status.code(), Some(0), "{words}: {ended:?}");
        assert_eq!(state(), before, "{words}");
    }
    // No socket stays.
    let rxdrop = "rxdrop -i near -q all -d 0.1 --json --wait 20000";
    Tool::start(&both.namespace, rxdrop).summary();
}

#[test]
fn a_name_with_control_characters_controls_no_terminal() {
    if !privileged!() {
        return;
    }
    let both = Both::new(1);
    ip::rename(both.near(), "v\u{1b}[31m").unwrap();
    ip::set_up(both.near(), false).unwrap();
    for words in ["doctor", "features", "doctor v\u{1b}[31m", "features v\u{1b}[31m"] {
        let ended = Tool::start(&both.namespace, words).end();
        let text = ended.out.join("\n");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains("v\\u{1b}[31m"), "{text:?}");
    }
    let found = doctor(&both.namespace, "v\u{1b}[31m");
    let commands = found.is("up", "problem", "v\u{1b}[31m is down");
    assert_eq!(commands, [r"ip link set dev $'v\033[31m' up"]);
}

#[test]
fn text_fits_eighty_columns_but_for_commands() {
    if !privileged!() {
        return;
    }
    let both = Both::new(8);
    ip::set_up(both.near(), false).unwrap();
    for words in ["doctor near -q 9", "doctor"] {
        let ended = Tool::start(&both.namespace, words).end();
        for line in &ended.out {
            let is_command = line.starts_with("         $ ");
            assert!(line.chars().count() <= 80 || is_command, "{line}");
        }
        assert!(ended.out.last().unwrap().ends_with(" unknown"), "{ended:?}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    if !privileged!() {
        return;
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(TOOL).arg("doctor").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("the output cannot be written"), "{message}");
}
