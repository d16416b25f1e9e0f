//! `xsk status`: what it shows of programs and sockets, beside what `bpftool`, `xdp-loader` and `ss`
//! do.

use crate::common::{as_nobody, kernel_can, path_for_anybody};
use crate::fixture::{Fixture, TOOL, WAIT, foreign};
use rustix::thread::CapabilitySet;
use serde_json::{Value, json};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use xsk::attach::{AttachMode, Attachment};
use xsk::bpf::{ArrayMap, Assembler, Insn, Program, Reg, Size, XskMap};
use xsk::interface::XdpSocketInfo;
use xsk::test_util::{Namespace, privileged, test_name};

/// Runs a command in a namespace.
pub(crate) fn output_in(here: &Namespace, words: &[&str]) -> Output {
    here.run(|| Command::new(words[0]).args(&words[1..]).output().unwrap()).unwrap()
}

/// Returns what a command prints that succeeds; `None` if it is not installed.
fn printed(here: &Namespace, words: &[&str]) -> Option<String> {
    let output = here.run(|| Command::new(words[0]).args(&words[1..]).output()).unwrap().ok()?;
    assert!(output.status.success(), "{words:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Returns the objects of `xsk status`, one for each interface.
fn status(here: &Namespace, words: &[&str]) -> Vec<Value> {
    let text = printed(here, &[&[TOOL, "status", "--json"], words].concat()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the only program of the near end.
#[track_caller]
fn only(fixture: &Fixture) -> Value {
    let mut objects = status(&fixture.cable.left, &["near"]);
    assert_eq!(objects.len(), 1);
    let programs = objects[0]["programs"].take();
    assert_eq!(programs.as_array().unwrap().len(), 1, "{programs}");
    programs[0].clone()
}

/// Returns whether the kernel lists AF_XDP sockets.
fn lists_sockets(name: &str) -> bool {
    let why = "the kernel does not list AF_XDP sockets";
    kernel_can(name, XdpSocketInfo::list().unwrap().is_some(), why)
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

#[test]
fn bpftool_says_the_same() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let here = &fixture.cable.left;
    let there = Command::new("bpftool").arg("version").output().is_ok();
    if !kernel_can(test_name!(), there, "there is no bpftool") {
        return;
    }
    for method in ["netlink", "link"] {
        let tool = fixture.start(&format!("rxdrop -S --attach {method}")).ready();
        let program = only(&fixture);
        let id = program["id"].to_string();
        let json = |words: &[&str]| -> Value {
            let text = printed(here, &[&["bpftool", "--json"], words].concat()).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let show = json(&["prog", "show", "id", &id]);
        for (key, of_bpftool) in [("id", "id"), ("name", "name"), ("tag", "tag"), ("uid", "uid")] {
            assert_eq!(program[key], show[of_bpftool], "{program}: {show}");
        }
        let length = program["instructions"].as_u64().unwrap() * 8;
        assert_eq!(Some(length), show["bytes_xlated"].as_u64());
        let maps = program["maps"].as_array().unwrap().iter().map(|map| map["id"].clone());
        assert_eq!(Value::from_iter(maps), show["map_ids"]);
        // bpftool has seconds since 1970.
        let date = ["date", "-u", "+%s", "-d", program["loaded_at"].as_str().unwrap()];
        let seconds: u64 = printed(here, &date).unwrap().trim().parse().unwrap();
        assert!(seconds.abs_diff(show["loaded_at"].as_u64().unwrap()) <= 2, "{program}: {show}");
        let net = json(&["net", "show", "dev", "near"]);
        assert_eq!(net[0]["xdp"][0]["id"], program["id"], "{net}");
        assert_eq!(net[0]["xdp"][0]["mode"], "generic", "{net}");
        assert_eq!((&program["mode"], &program["held_by"]), (&json!("generic"), &json!(method)));
        if method == "link" {
            let link = json(&["link", "show", "id", &program["link"].to_string()]);
            assert_eq!(link["prog_id"], program["id"], "{link}");
        } else {
            assert_eq!(program["link"], Value::Null);
        }
        tool.stop().summary();
    }
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

#[test]
fn the_pins_of_a_link_and_of_a_program_are_found() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let there = Command::new("bpftool").arg("version").output().is_ok();
    if !kernel_can(test_name!(), there, "there is no bpftool") {
        return;
    }
    let tool = fixture.start("rxdrop --attach link").ready();
    let (program, link) = (only(&fixture)["id"].clone(), only(&fixture)["link"].clone());
    let script = format!(
        "mkdir -p '/tmp/x s k' && mount -t tmpfs none '/tmp/x s k' && mkdir '/tmp/x s k/b p f' && \
         mount -t bpf bpf '/tmp/x s k/b p f' && cd '/tmp/x s k/b p f' && mkdir deep && \
         bpftool link pin id {link} deep/link && bpftool prog pin id {program} prog && \
         {TOOL} status near --json && {TOOL} status near && ! {TOOL} unload near --yes 2>&1"
    );
    let words = ["unshare", "--mount", "sh", "-c", &script];
    let text = printed(&fixture.cable.left, &words).unwrap();
    let (json, text) = text.split_once('\n').unwrap();
    let object: Value = serde_json::from_str(json).unwrap();
    let found = &object["programs"][0];
    assert_eq!(found["link_pins"], json!(["/tmp/x s k/b p f/deep/link"]), "{object}");
    assert_eq!(found["pins"], json!(["/tmp/x s k/b p f/prog"]), "{object}");
    let (shown, refused) = text.split_once("xsk: ").unwrap();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("pinned at /tmp/x s k/b p f/deep/link"), "{text}");
    assert!(refused.contains("pinned at /tmp/x s k/b p f/deep/link"), "{text}");
    let _ = std::fs::remove_dir("/tmp/x s k");
    tool.stop().summary();
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
fn xdp_loader_says_the_same() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let object = format!("/usr/lib/{}-linux-gnu/bpf/xdpfilt_dny_all.o", std::env::consts::ARCH);
    let there = Command::new("xdp-loader").arg("help").output().is_ok()
        && std::path::Path::new(&object).exists();
    if !kernel_can(test_name!(), there, "there are no xdp-tools") {
        return;
    }
    // libxdp pins its programs: in a mount namespace of their own.
    let script = format!(
        "mount -t bpf bpf /sys/fs/bpf && xdp-loader load --mode skb --prio 50 near {object} && \
         xdp-loader status near && echo '# status' && {TOOL} status near --json && \
         {TOOL} unload near --yes --json && ! xdp-loader status near | grep -q {}",
        "xdpfilt"
    );
    let text = printed(&fixture.cable.left, &["unshare", "--mount", "sh", "-c", &script]).unwrap();
    let (loader, own) = text.split_once("# status\n").unwrap();
    let mut objects = own.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let program = objects.next().unwrap()["programs"][0].take();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = loader.lines().map(words).collect();
    let line = lines.iter().find(|words| words.first().is_some_and(|word| word == "near")).unwrap();
    let text = |key: &str| program[key].as_str().map_or(program[key].to_string(), str::to_owned);
    assert_eq!(line[1..], [text("name"), "skb".to_owned(), text("id"), text("tag")], "{loader}");
    if let Some(chain) = program["dispatcher"]["chain"].as_array() {
        let part = lines.iter().find(|words| words.first().is_some_and(|word| word == "=>"));
        let part = part.unwrap();
        assert_eq!((part[1].as_str(), chain[0]["priority"].as_u64()), ("50", Some(50)));
        assert_eq!(Some(part[2].as_str()), chain[0]["name"].as_str());
    }
    let removed = objects.next().unwrap();
    assert_eq!(removed["removed"][0]["id"], program["id"], "{removed}");
    assert_eq!((&removed["left"], &removed["error"]), (&json!([]), &Value::Null));
}

#[test]
fn sockets_are_shown_also_where_there_is_no_program() {
    if !privileged!() || !lists_sockets(test_name!()) {
        return;
    }
    let fixture = Fixture::new(2);
    let tool = fixture.start("txonly -q 1 -c -p --chunks 512 -f 2048").ready();
    let object = status(&fixture.cable.left, &[]);
    let near = object.iter().find(|one| one["interface"] == "near").unwrap();
    assert_eq!(near["programs"], json!([]));
    let socket = &near["sockets"][0];
    assert_eq!((&socket["queue"], &socket["uid"]), (&json!(1), &json!(0)));
    assert_eq!(socket["processes"], json!([{ "pid": tool.id(), "command": "xsk" }]));
    let umem = &socket["umem"];
    assert_eq!((&umem["bytes"], &umem["chunk_bytes"]), (&json!(512 * 2048), &json!(2048)));
    assert_eq!(umem["zero_copy"], false);
    assert!(socket["rings"]["tx"].as_u64() > Some(0), "{socket}");
    assert!(socket["statistics"]["rx_ring_full"].is_u64(), "{socket}");
    if let Some(ss) = printed(&fixture.cable.left, &["ss", "--xdp", "-a", "-e"]) {
        let inode = format!("ino:{}", socket["inode"]);
        assert!(ss.contains("near:q1") && ss.contains(&inode), "{ss}: {socket}");
    }
    let text = printed(&fixture.cable.left, &[TOOL, "status"]).unwrap();
    assert!(text.contains(&format!("socket on queue 1 of process {} (xsk)", tool.id())), "{text}");
    tool.stop().summary();
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
        assert!(text.starts_with("xsk: ") && text.contains("is near meant?"), "{text}");
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
        let text = printed(&fixture.cable.left, &[TOOL, "status"]).unwrap();
        assert!(text.contains(&format!("2 sockets of process {} (xsk)", receiver.id())), "{text}");
        // Those of the other namespace.
        let there = status(&fixture.cable.right, &[]);
        assert!(there.iter().all(|one| one["interface"] != Value::Null), "{there:?}");
    }
    receiver.stop().summary();
}
