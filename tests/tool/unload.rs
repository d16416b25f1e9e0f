//! `xsk unload`: what it removes, what it refuses, and what it asks.

use crate::common::{as_nobody, kernel_can, path_for_anybody, wait_for};
use crate::fixture::{Ended, Fixture, TOOL, Tool, WAIT, foreign, is_there};
use crate::status::{attach_dispatcher, output_in};
use rustix::thread::CapabilitySet;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use xsk::attach::{AttachMethod, Attachment, XdpMode};
use xsk::bpf::{Insn, Program, Reg, XskMap};
use xsk::test_util::{privileged, test_name};

/// Runs `xsk unload near` with more words.
fn unload(fixture: &Fixture, words: &str) -> Ended {
    let line = format!("unload near {words}");
    Tool::start(&fixture.cable.left, &line).end()
}

/// Returns the object of a run that succeeded.
#[track_caller]
fn object(ended: &Ended) -> Value {
    assert_eq!((ended.status.code(), ended.out.len()), (Some(0), 1), "{ended:?}");
    serde_json::from_str(&ended.out[0]).unwrap()
}

/// Leaves a program on the near end, as a killed process does that attached it by netlink.
fn left_behind(fixture: &Fixture) -> u32 {
    let tool = fixture.start("rxdrop --attach netlink").ready();
    let program = fixture.cable.veth.a().attached_programs().unwrap();
    tool.kill();
    program.program(XdpMode::Native).unwrap()
}

/// A command that has a terminal, by `script` of util-linux.
struct AtTerminal(Child);

impl AtTerminal {
    fn start(fixture: &Fixture, line: &str) -> Self {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{TOOL} {line}"), "/dev/null"]);
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(fixture.cable.left.run(|| script.spawn().unwrap()).unwrap())
    }

    /// Reads until `words` were written.
    fn read_until(&mut self, words: &str) -> String {
        let mut text = Vec::new();
        let out = self.0.stdout.as_mut().unwrap();
        while !String::from_utf8_lossy(&text).contains(words) {
            let mut byte = [0];
            assert_eq!(out.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&text));
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }

    /// Types a line; returns what is written from then on, and the exit code.
    fn answer(mut self, line: &str) -> (String, Option<i32>) {
        let mut input = self.0.stdin.take().unwrap();
        input.write_all(line.as_bytes()).unwrap();
        let mut text = String::new();
        self.0.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
        drop(input);
        (text, self.0.wait().unwrap().code())
    }
}

fn has_script(name: &str) -> bool {
    let there = Command::new("script").arg("--version").output();
    kernel_can(name, there.is_ok(), "there is no script (util-linux)")
}

#[test]
fn what_a_killed_process_left_is_removed() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let id = left_behind(&fixture);
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
    let removed = object(&unload(&fixture, "--yes --json"));
    let expected = json!([{
        "mode": "native", "id": id, "name": "xsk_redirect", "held_by": "netlink", "link": null,
        "pins": [],
    }]);
    assert_eq!(removed["removed"], expected, "{removed}");
    assert_eq!((&removed["left"], &removed["error"]), (&json!([]), &Value::Null));
    assert_eq!(fixture.left(), None);
    // There is nothing to do then.
    let ended = unload(&fixture, "--yes");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.out, ["near has no XDP program: nothing to do"]);
    assert_eq!(object(&unload(&fixture, "--json"))["removed"], json!([]));
    // For people.
    let id = left_behind(&fixture);
    let ended = unload(&fixture, "--all --yes");
    let text = ended.out.join(" ");
    assert!(text.contains(&format!("removed from near: program {id} xsk_redirect")), "{ended:?}");
    assert!(text.ends_with("near has no XDP program now"), "{ended:?}");
    assert_eq!(fixture.left(), None);
}

#[test]
fn only_the_mode_or_the_number_that_was_named_is_removed() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let id = left_behind(&fixture);
    let ended = unload(&fixture, "--mode generic --yes");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.out, ["near has no XDP program in generic mode: nothing to do"]);
    let other = Program::builder(&[Insn::mov64_imm(Reg::R0, 2), Insn::exit()]).load().unwrap();
    for strange in [other.id(), u32::MAX, 0] {
        let ended = unload(&fixture, &format!("--id {strange} --yes"));
        let text = ended.failure();
        let has =
            format!("program {strange} is not on near, which has {id} xsk_redirect (native mode)");
        assert!(text.contains(&has) && text.contains("nothing was removed"), "{text}");
    }
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
    for contradiction in ["--id 1 --all", "--mode native --id 1", "--mode native --all", "--id x"] {
        let ended = unload(&fixture, contradiction);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    }
    let removed = object(&unload(&fixture, &format!("--id {id} --yes --json")));
    assert_eq!(removed["removed"][0]["id"], id);
    assert_eq!(fixture.left(), None);
    let id = left_behind(&fixture);
    let removed = object(&unload(&fixture, "--mode native --yes --json"));
    assert_eq!(removed["removed"][0]["id"], id);
}

#[test]
fn what_a_link_holds_is_refused_with_its_holder_and_broken_only_when_asked() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = fixture.start("rxdrop --attach link").ready();
    let ended = unload(&fixture, "--yes");
    let text = ended.failure();
    let process = format!("of process {} (xsk)", tool.id());
    for words in ["held by link ", &process, "nothing was removed", "--break-links"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
    // It still works.
    fixture.send(0, 10);
    let removed = object(&unload(&fixture, "--yes --break-links --json"));
    assert_eq!(removed["removed"][0]["held_by"], "link", "{removed}");
    assert!(removed["removed"][0]["link"].is_u64(), "{removed}");
    assert_eq!(fixture.left(), None);
    // Its process sees it.
    let ended = tool.end();
    assert_eq!(ended.status.code(), Some(5), "{ended:?}");
}

#[test]
fn without_a_terminal_it_asks_for_yes() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let id = left_behind(&fixture);
    let ended = unload(&fixture, "");
    let text = ended.failure();
    assert!(text.contains(&format!("program {id} xsk_redirect")), "{text}");
    assert!(text.contains("there is no terminal to ask on: confirm with --yes"), "{text}");
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
    // A program reads one object, whatever becomes of it.
    for (words, why) in [("--json", "confirm with --yes"), ("--json --yes --id 1", "program 1 is")]
    {
        let ended = unload(&fixture, words);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let object: Value = serde_json::from_str(&ended.out[0]).unwrap();
        assert!(object["error"].as_str().unwrap().contains(why), "{object}");
        assert_eq!(object["removed"], json!([]), "{object}");
        assert_eq!(object["left"][0]["id"], id, "{object}");
    }
}

#[test]
fn a_question_that_no_terminal_shows_is_not_asked() {
    if !privileged!() || !has_script(test_name!()) {
        return;
    }
    let fixture = Fixture::new(1);
    left_behind(&fixture);
    let (_, code) = AtTerminal::start(&fixture, "unload near 2>/dev/null").answer("y\n");
    assert_eq!(code, Some(1));
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
}

#[test]
fn at_a_terminal_the_answer_counts() {
    if !privileged!() || !has_script(test_name!()) {
        return;
    }
    let fixture = Fixture::new(1);
    let id = left_behind(&fixture);
    for no in ["n\n", "\n", "perhaps\n", "\u{4}"] {
        let mut terminal = AtTerminal::start(&fixture, "unload near");
        let question = terminal.read_until("remove? [y/N] ");
        assert!(question.contains(&format!("program {id} xsk_redirect")), "{question}");
        let (text, code) = terminal.answer(no);
        assert_eq!(code, Some(1), "{no:?}: {text}");
        assert!(text.contains("nothing was removed"), "{no:?}: {text}");
        assert_eq!(fixture.attached(), Some(XdpMode::Native));
    }
    // It says whose sockets may lose their packets.
    let line = format!("rxdrop -i near -q 0 --json {WAIT}");
    let user = Tool::start(&fixture.cable.left, &line).ready();
    let mut terminal = AtTerminal::start(&fixture, "unload near");
    let question = terminal.read_until("remove? [y/N] ");
    let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
    let loser = format!("of process {} (xsk) may receive nothing more", user.id());
    assert!(question.contains(&loser), "{question}");
    let (text, code) = terminal.answer("y\n");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("near has no XDP program now"), "{text}");
    assert_eq!(fixture.left(), None);
    assert_eq!(user.end().status.code(), Some(5));
}

#[test]
fn a_program_that_came_in_between_stays() {
    if !privileged!() || !has_script(test_name!()) {
        return;
    }
    let fixture = Fixture::new(1);
    let old = left_behind(&fixture);
    let mut terminal = AtTerminal::start(&fixture, "unload near");
    terminal.read_until("remove? [y/N] ");
    let attachment = foreign(&fixture, true);
    let (text, code) = terminal.answer("y\n");
    assert_eq!(code, Some(1), "{text}");
    let now = format!("near has program {} foreign in native mode now", attachment.program_id());
    assert!(text.contains(&now) && text.contains(&format!("in place of program {old}")), "{text}");
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
    // And one that went, and left nothing.
    let mut terminal = AtTerminal::start(&fixture, "unload near");
    terminal.read_until("remove? [y/N] ");
    let id = attachment.program_id();
    fixture.cable.left.run(|| attachment.close().unwrap()).unwrap();
    let (text, code) = terminal.answer("y\n");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("program {id} went from near before it was removed")), "{text}");
}

/// The same program is on an interface of the same index of another namespace, by a link.
#[test]
fn a_link_that_came_in_between_stays_although_it_holds_the_same_program() {
    if !privileged!() || !has_script(test_name!()) {
        return;
    }
    let fixture = Fixture::new(1);
    let program = Program::builder(&[Insn::mov64_imm(Reg::R0, 2), Insn::exit()]).load().unwrap();
    let map = XskMap::create("unused", 1).unwrap();
    let attach = || {
        let (program, map) = (program.try_clone().unwrap(), map.try_clone().unwrap());
        let builder = Attachment::builder(fixture.cable.veth.a()).program(program, map);
        let attach = || builder.method(AttachMethod::Link).attach().unwrap();
        fixture.cable.left.run(attach).unwrap()
    };
    let first = attach();
    let mut terminal = AtTerminal::start(&fixture, "unload near --break-links");
    terminal.read_until("remove? [y/N] ");
    fixture.cable.left.run(|| first.close().unwrap()).unwrap();
    let second = attach();
    let (text, code) = terminal.answer("y\n");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("in place of link"), "{text}");
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
    fixture.cable.left.run(|| second.close().unwrap()).unwrap();
}

#[test]
fn the_link_of_another_namespace_is_none_of_this_one() {
    if !privileged!() {
        return;
    }
    let (fixture, other) = (Fixture::new(1), Fixture::new(1));
    let same = fixture.cable.veth.a().index() == other.cable.veth.a().index();
    if !kernel_can(test_name!(), same, "the interfaces have other indices") {
        return;
    }
    let program = Program::builder(&[Insn::mov64_imm(Reg::R0, 2), Insn::exit()]).load().unwrap();
    let map = XskMap::create("unused", 1).unwrap();
    let attach = |fixture: &Fixture, method| {
        let interface = fixture.cable.veth.a();
        let (program, map) = (program.try_clone().unwrap(), map.try_clone().unwrap());
        let builder = Attachment::builder(interface).program(program, map).method(method);
        fixture.cable.left.run(|| builder.attach().unwrap()).unwrap()
    };
    let link = attach(&other, AttachMethod::Link);
    attach(&fixture, AttachMethod::Netlink).keep();
    let removed = object(&unload(&fixture, "--yes --break-links --json"));
    assert_eq!(removed["removed"][0]["held_by"], "netlink", "{removed}");
    assert_eq!((fixture.left(), other.attached()), (None, Some(XdpMode::Native)));
    other.cable.left.run(|| link.close().unwrap()).unwrap();
}

#[test]
fn a_dispatcher_is_called_by_its_name() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    attach_dispatcher(&fixture).keep();
    let ended = unload(&fixture, "");
    let text = ended.failure();
    assert!(text.contains("libxdp's dispatcher with an unknown program (priority 10)"), "{text}");
    if !kernel_can(test_name!(), is_there("bpftool"), "there is no bpftool") {
        return;
    }
    // libxdp's pins stay, and it says how they are removed.
    let index = fixture.cable.veth.a().index();
    let id = fixture.cable.veth.a().attached_programs().unwrap();
    let id = id.program(XdpMode::Generic).unwrap();
    let directory = format!("/sys/fs/bpf/xdp/dispatch-{index}-{id}");
    let script = format!(
        "mount -t bpf none /sys/fs/bpf && mkdir -p {directory} && \
         bpftool prog pin id {id} {directory}/prog0-prog && {TOOL} unload near --yes && \
         test -e {directory}/prog0-prog"
    );
    let output = output_in(&fixture.cable.left, &["unshare", "--mount", "sh", "-c", &script]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    // On a line of its own, to be copied.
    let command = format!("$ rm -r {directory}");
    assert!(text.lines().any(|line| line.trim() == command), "{text}");
    assert_eq!(fixture.left(), None);
}

#[test]
fn without_rights_it_says_which_are_missing() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    left_behind(&fixture);
    let (_file, tool) = path_for_anybody(TOOL);
    for (rights, capability) in [
        (CapabilitySet::empty(), "CAP_SYS_ADMIN"),
        (CapabilitySet::NET_ADMIN, "CAP_SYS_ADMIN"),
        (CapabilitySet::SYS_ADMIN, "CAP_NET_ADMIN"),
    ] {
        let run = || Command::new(&tool).args(["unload", "near", "--yes"]).output().unwrap();
        let output = as_nobody(rights, &fixture.cable.left, run);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(capability), "{rights:?}: {text}");
        assert_eq!(fixture.attached(), Some(XdpMode::Native), "{rights:?}");
    }
}

#[test]
fn an_interface_that_goes_while_it_asks_is_an_error() {
    if !privileged!() || !has_script(test_name!()) {
        return;
    }
    let fixture = Fixture::new(1);
    left_behind(&fixture);
    let mut terminal = AtTerminal::start(&fixture, "unload near");
    terminal.read_until("remove? [y/N] ");
    let index = fixture.cable.veth.a().index();
    let output = output_in(&fixture.cable.left, &["ip", "link", "del", "near"]);
    assert!(output.status.success(), "{output:?}");
    wait_for("the interface to go", || {
        fixture.cable.left.run(|| xsk::Interface::by_index(index).is_err()).unwrap()
    });
    let (text, code) = terminal.answer("y\n");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("xsk: "), "{text}");
}

#[test]
fn with_a_closed_output_it_is_removed_all_the_same() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for words in [&["--yes"][..], &["--yes", "--json"]] {
        left_behind(&fixture);
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(TOOL);
        command.args(["unload", "near"]).args(words).stdout(Stdio::from(writer));
        let output = fixture.cable.left.run(|| command.output().unwrap()).unwrap();
        assert_eq!(output.status.code(), Some(141), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        assert_eq!(fixture.left(), None);
    }
}
