//! `xsk status`: what it shows of programs and sockets.

use crate::common::{as_nobody, kernel_can, kernel_since, path_for_anybody};
use crate::fixture::{Directory, Fixture, TOOL, WAIT, foreign};
use rustix::thread::CapabilitySet;
use serde_json::{Value, json};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use xsk::attach::{AttachMode, Attachment};
use xsk::bpf::{ArrayMap, Assembler, Insn, Program, Reg, Size, XskMap};
use xsk::test_util::{Namespace, privileged, test_name};

/// Runs a command in a namespace.
pub(crate) fn output_in(here: &Namespace, words: &[&str]) -> Output {
    here.run(|| Command::new(words[0]).args(&words[1..]).output().unwrap()).unwrap()
}

/// Returns what a command prints that succeeds; `None` if it is not installed.
pub(crate) fn printed(here: &Namespace, words: &[&str]) -> Option<String> {
    let output = here.run(|| Command::new(words[0]).args(&words[1..]).output()).unwrap().ok()?;
    assert!(output.status.success(), "{words:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Returns the objects of `xsk status`, one for each interface.
pub(crate) fn status(here: &Namespace, words: &[&str]) -> Vec<Value> {
    let text = printed(here, &[&[TOOL, "status", "--json"], words].concat()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the only program of the near end.
#[track_caller]
pub(crate) fn only(fixture: &Fixture) -> Value {
    let mut objects = status(&fixture.cable.left, &["near"]);
    assert_eq!(objects.len(), 1);
    let programs = objects[0]["programs"].take();
    assert_eq!(programs.as_array().unwrap().len(), 1, "{programs}");
    programs[0].clone()
}

#[test]
fn what_a_capture_of_copies_has_counted_is_shown() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 18), "copies: Linux 5.18") {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("tap"));
    let file = files.path().join("a.pcapng");
    let line = format!("capture -w {} --tee len >= 100", file.display());
    let tool = fixture.start(&line).ready();
    fixture.send(0, 70);
    let counts = only(&fixture)["tap"].take();
    assert!(counts["others"]["packets"].as_u64() >= Some(70), "{counts}");
    assert_eq!((&counts["matched"]["packets"], &counts["lost"]), (&json!(0), &json!(0)));
    let text = printed(&fixture.cable.left, &[TOOL, "status", "near"]).unwrap();
    assert!(text.contains("a tap of xsk") && text.contains("0 packets matched"), "{text}");
    tool.stop();
}

#[test]
fn a_filter_at_work_is_shown_with_its_rules_and_counters() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = fixture.start("rxdrop --take-management len >= 30").ready();
    fixture.send(0, 1000);
    let program = only(&fixture);
    assert_eq!((&program["name"], &program["mode"]), (&json!("xsk_filter"), &json!("native")));
    assert_eq!(program["held_by"], "link");
    assert_eq!(program["link_processes"], json!([{ "pid": tool.id(), "command": "xsk" }]));
    let rules = program["filter"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 1, "{program}");
    assert_eq!(rules[0]["action"], "queue");
    assert_eq!(rules[0]["condition"], "len >= 30");
    // Others than those that were sent here may come.
    let (packets, bytes) = (&rules[0]["packets"], &rules[0]["bytes"]);
    assert!(packets.as_u64() >= Some(1000) && bytes.as_u64() >= Some(60_000), "{program}");
    assert_eq!(program["filter"]["others"], json!({ "packets": 0, "bytes": 0 }));
    let maps = program["maps"].as_array().unwrap();
    let kinds = maps.iter().map(|map| (map["name"].as_str().unwrap(), &map["type"]));
    let mut kinds: Vec<_> = kinds.map(|(name, kind)| (name, kind.as_str().unwrap())).collect();
    kinds.sort_unstable();
    let expected =
        [("xsk_rules", "percpu_array"), ("xsk_rules_text", "array"), ("xsks_map", "xskmap")];
    assert_eq!(kinds, expected);
    let slots = |name: &str| {
        let map = maps.iter().find(|map| map["name"] == name).unwrap();
        map["socket_slots"].clone()
    };
    assert_eq!((slots("xsks_map"), slots("xsk_rules")), (json!([0]), Value::Null));
    // For people, the same in 80 columns.
    let text = printed(&fixture.cable.left, &[TOOL, "status"]).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}: {text}");
    }
    let process = format!("of process {} (xsk)", tool.id());
    for words in ["INTERFACE", "xsk_filter, native mode", "queue: len >= 30", &process] {
        assert!(text.contains(words), "{words}: {text}");
    }
    tool.stop().summary();
    assert_eq!(status(&fixture.cable.left, &["near"])[0]["programs"], json!([]));
    let text = printed(&fixture.cable.left, &[TOOL, "status"]).unwrap();
    assert!(text.starts_with("no XDP program and no AF_XDP socket on "), "{text}");
}

#[test]
fn the_rules_that_keep_management_with_the_kernel_are_shown() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = fixture.start("rxdrop udp dst port 4789 or udp dst port 1234").ready();
    let rules = only(&fixture)["filter"]["rules"].take();
    let rules = rules.as_array().unwrap();
    assert!(rules.len() > 2, "{rules:?}");
    let conditions: Vec<_> = rules.iter().map(|rule| rule["condition"].as_str().unwrap()).collect();
    assert!(conditions[0].starts_with("arp"), "{conditions:?}");
    let (last, kept) = rules.split_last().unwrap();
    assert_eq!(last["action"], "queue");
    assert!(kept.iter().all(|rule| rule["action"] == "pass"), "{rules:?}");
    // It is what `xsk filter` prints of the expression.
    let words = ["udp", "dst", "port", "4789", "or", "udp", "dst", "port", "1234"];
    let filter = printed(&fixture.cable.left, &[&[TOOL, "filter"], &words[..]].concat()).unwrap();
    assert_eq!(filter.lines().next(), last["condition"].as_str());
    tool.stop().summary();
}

/// What each object of an interface has.
const KEYS: [&str; 8] =
    ["carrier", "index", "interface", "kind", "missing", "programs", "sockets", "up"];

#[test]
fn the_keys_are_stable() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let attachment = foreign(&fixture, false);
    let objects = status(&fixture.cable.left, &[]);
    let names: Vec<_> = objects.iter().map(|one| one["interface"].as_str().unwrap()).collect();
    assert!(names.contains(&"lo") && names.contains(&"near"), "{names:?}");
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    for object in &objects {
        assert_eq!(keys(object), KEYS);
    }
    let near = objects.iter().find(|one| one["interface"] == "near").unwrap();
    let program = [
        "age_seconds",
        "dispatcher",
        "filter",
        "held_by",
        "id",
        "instructions",
        "link",
        "link_pins",
        "link_processes",
        "loaded_at",
        "maps",
        "mode",
        "name",
        "pins",
        "tag",
        "tap",
        "uid",
        "user",
    ];
    assert_eq!(keys(&near["programs"][0]), program);
    assert_eq!(near["programs"][0]["filter"], Value::Null);
    assert_eq!(near["kind"], "veth");
    // All of them are in the help.
    let help = printed(&fixture.cable.left, &[TOOL, "status", "--help"]).unwrap();
    for key in KEYS.iter().chain(&program) {
        assert!(help.contains(&format!("\"{key}\"")), "{key}: {help}");
    }
    fixture.cable.left.run(|| attachment.close().unwrap()).unwrap();
}

/// Returns a program like libxdp's dispatcher of two programs, in version 2.
fn dispatcher() -> Program {
    let mut bytes = [0_u8; 124];
    bytes[..4].copy_from_slice(&[236, 2, 2, 1]);
    for (at, number) in [(4, 1 << 31 | 1 << 2), (8, 1 << 31 | 6), (44, 10), (48, 50_u32)] {
        bytes[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    }
    let data = ArrayMap::<[u8; 124]>::create("xdp_disp.rodata", 1).unwrap();
    data.set(0, &bytes).unwrap();
    let mut a = Assembler::new();
    a.add(Insn::load_map_value(Reg::R1, data.as_fd(), 0));
    a.add([Insn::load(Size::Byte, Reg::R0, Reg::R1, 0), Insn::mov64_imm(Reg::R0, 2), Insn::exit()]);
    a.finish().unwrap().builder().name("xdp_dispatcher").load().unwrap()
}

/// Attaches such a program to the near end.
pub(crate) fn attach_dispatcher(fixture: &Fixture) -> Attachment {
    let map = XskMap::create("unused", 1).unwrap();
    let builder = Attachment::builder(fixture.cable.veth.a()).program(dispatcher(), map);
    let attach = || builder.mode(AttachMode::Generic).attach().unwrap();
    fixture.cable.left.run(attach).unwrap()
}

#[test]
fn a_dispatcher_is_shown_with_its_chain() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let attachment = attach_dispatcher(&fixture);
    let found = only(&fixture);
    let chain = &found["dispatcher"]["chain"];
    assert_eq!(
        (&found["dispatcher"]["version"], &found["dispatcher"]["frags"]),
        (&json!(2), &json!(true))
    );
    assert_eq!((&chain[0]["priority"], &chain[1]["priority"]), (&json!(10), &json!(50)));
    assert_eq!(chain[1]["chain_actions"], json!(["XDP_DROP", "XDP_PASS"]));
    // Nothing replaces its functions.
    assert_eq!(chain[0]["id"], Value::Null);
    let text = printed(&fixture.cable.left, &[TOOL, "status", "near"]).unwrap();
    for words in ["libxdp's dispatcher, version 2", "(priority 50)", "XDP_DROP,XDP_PASS"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    fixture.cable.left.run(|| attachment.close().unwrap()).unwrap();
}

#[test]
fn without_rights_what_is_unknown_is_named() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let attachment = foreign(&fixture, false);
    let (_file, tool) = path_for_anybody(TOOL);
    let run = |words: &[&str]| -> String {
        let run = || Command::new(&tool).args(words).output().unwrap();
        let output = as_nobody(CapabilitySet::empty(), &fixture.cable.left, run);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let object: Value = serde_json::from_str(&run(&["status", "near", "--json"])).unwrap();
    let program = &object["programs"][0];
    assert_eq!(program["id"], attachment.program_id());
    for key in ["name", "tag", "held_by", "link", "link_pins", "maps", "uid", "loaded_at", "pins"] {
        assert_eq!(program[key], Value::Null, "{key}: {object}");
    }
    assert_eq!(object["missing"][0], "CAP_SYS_ADMIN", "{object}");
    let text = run(&["status"]);
    assert!(text.contains("held by       unknown"), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("(CAP_SYS_ADMIN would show it)"), "{text}");
    fixture.cable.left.run(|| attachment.close().unwrap()).unwrap();
}

#[test]
fn an_interface_with_a_typo_has_the_nearest_name_offered() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for words in [&["status", "naer"][..], &["unload", "naer", "--yes"]] {
        let output = output_in(&fixture.cable.left, &[&[TOOL], words].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.starts_with("xsk: ") && text.contains("the nearest name is near"), "{text}");
    }
}

#[test]
fn a_closed_output_and_a_full_disk_end_it_in_order() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let run = |out: Stdio| {
        let mut command = Command::new(TOOL);
        command.arg("status").stdout(out).stderr(Stdio::piped());
        fixture.cable.left.run(|| command.output().unwrap()).unwrap()
    };
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    drop(reader);
    let output = run(Stdio::from(writer));
    assert_eq!((output.status.code(), output.status.signal()), (Some(141), None), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = run(Stdio::from(full));
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text.contains("the output cannot be written"), "{text}");
}

#[test]
fn what_runs_at_the_other_end_is_not_shown_here() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let line = format!("rxdrop -i far --json {WAIT}");
    let tool = crate::fixture::Tool::start(&fixture.cable.right, &line).ready();
    let here = status(&fixture.cable.left, &[]);
    assert!(here.iter().all(|one| one["programs"] == json!([])), "{here:?}");
    let there = status(&fixture.cable.right, &["far"]);
    assert_eq!(there[0]["programs"][0]["name"], "xsk_redirect", "{there:?}");
    tool.stop().summary();
}

#[test]
fn where_the_kernel_lists_no_sockets_their_processes_are_shown() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(3);
    let receiver = fixture.start("rxdrop -q 0,2").ready();
    let objects = status(&fixture.cable.left, &[]);
    let (strays, others): (Vec<_>, Vec<_>) =
        objects.iter().partition(|one| one["interface"] == Value::Null);
    let near = others.iter().find(|one| one["interface"] == "near").unwrap();
    let map = &near["programs"][0]["maps"][0];
    assert_eq!((&map["name"], &map["socket_slots"]), (&json!("xsks_map"), &json!([0, 2])));
    let listed = near["sockets"].as_array();
    let sockets = listed.or_else(|| strays.first()?["sockets"].as_array()).unwrap();
    assert_eq!(sockets.len(), 2, "{objects:?}");
    for socket in sockets {
        let process = json!([{ "pid": receiver.id(), "command": "xsk" }]);
        assert_eq!(socket["processes"], process, "{socket}");
    }
    if listed.is_none() {
        let words = format!("2 sockets of process {} (xsk)", receiver.id());
        for line in [&[TOOL, "status"][..], &[TOOL, "status", "near"]] {
            let text = printed(&fixture.cable.left, line).unwrap();
            assert!(text.contains(&words), "{text}");
            let row = text.lines().find(|line| line.starts_with("near ")).unwrap();
            assert!(row.ends_with("  unknown"), "{text}");
        }
        // Those of the other namespace.
        let there = status(&fixture.cable.right, &[]);
        assert!(there.iter().all(|one| one["interface"] != Value::Null), "{there:?}");
    }
    receiver.stop().summary();
}

#[test]
fn the_commands_of_the_documentation_work() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let run = |line: &str, code: i32| {
        let words: Vec<_> =
            line.split(' ').map(|word| if word == "xsk" { TOOL } else { word }).collect();
        let output = output_in(&fixture.cable.left, &words);
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let tool = fixture.start("rxdrop udp dst port 4789").ready();
    assert!(run("xsk status", 0).starts_with("INTERFACE"));
    assert_eq!(run("xsk status near --json", 0).lines().count(), 1);
    run("xsk unload near --yes", 1);
    assert!(run("xsk unload near --yes --break-links", 0).contains("has no XDP program now"));
    assert_eq!(tool.end().status.code(), Some(5));
    for words in ["--mode native", "--all", ""] {
        let line = format!("xsk unload near --yes {words}");
        assert!(run(line.trim_end(), 0).contains("nothing to do"));
    }
}

#[test]
fn interfaces_that_come_and_go_meanwhile_are_no_error() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let script = "while :; do ip link add name come type veth peer name go; ip link del come; done";
    let mut shell = Command::new("sh");
    let mut shell = here.run(|| shell.args(["-c", script]).spawn().unwrap()).unwrap();
    for _ in 0..15 {
        for words in [&[TOOL, "status"][..], &[TOOL, "status", "--json"]] {
            let output = output_in(&here, words);
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        }
    }
    shell.kill().unwrap();
    shell.wait().unwrap();
}
