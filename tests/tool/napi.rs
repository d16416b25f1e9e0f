//! `xsk napi`: the instances of a veth, what is set on them, and the command that undoes it.

use crate::common::{kernel_can, kernel_since};
use crate::fixture::{Fixture, TOOL, Tool};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use xsk::interface::{NapiSettings, NapiThreading};
use xsk::test_util::{privileged, test_name};

/// Returns the lines of a run that succeeds.
fn lines(fixture: &Fixture, line: &str) -> Vec<String> {
    let ended = Tool::start(&fixture.cable.left, line).end();
    assert!(ended.status.success() && ended.err.is_empty(), "{line}: {ended:?}");
    ended.out
}

fn objects(fixture: &Fixture, line: &str) -> Vec<Value> {
    let lines = lines(fixture, &format!("{line} --json"));
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the settings of a queue's instance.
fn settings(fixture: &Fixture, queue: u32) -> NapiSettings {
    fixture.cable.veth.a().napi(queue).unwrap().unwrap().settings().unwrap()
}

/// Returns a cable with a native program at its near end, so that it has instances; `None` after
/// printing that the test is skipped.
fn with_instances(queues: u32, test: &str) -> Option<(Fixture, Tool)> {
    let fixture = Fixture::new(queues);
    if !kernel_can(test, kernel_since(6, 13), "settings of single NAPI instances: Linux 6.13") {
        return None;
    }
    let tool = fixture.start("rxdrop -N -q all").ready();
    Some((fixture, tool))
}

#[test]
fn what_is_set_is_shown_and_undone_by_the_command_that_is_printed() {
    if !privileged!() {
        return;
    }
    let Some((fixture, _tool)) = with_instances(2, test_name!()) else { return };
    let before = settings(&fixture, 0);
    let told = lines(
        &fixture,
        "napi near set -q 1 --defer-hard-irqs 3 --gro-flush-timeout 150000 --irq-suspend-timeout 7",
    );
    let napi = fixture.cable.veth.a().napi(1).unwrap().unwrap();
    assert_eq!(
        told[0],
        format!(
            "near queue 1 (NAPI {}): no deferral -> 3 deferrals of 150 us, interrupts suspended for \
             7 ns",
            napi.id()
        )
    );
    assert_eq!(settings(&fixture, 0), before);
    let set = settings(&fixture, 1);
    assert_eq!((set.defer_hard_irqs, set.gro_flush_timeout), (3, Duration::from_micros(150)));

    let shown = objects(&fixture, "napi near show");
    let [first, second, device] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!((&first["queue"], &first["defer_hard_irqs"]), (&json!(0), &json!(0)));
    assert_eq!((&second["queue"], &second["napi"]), (&json!(1), &json!(napi.id())));
    assert_eq!(second["defer_hard_irqs"], 3);
    assert_eq!(second["gro_flush_timeout_ns"], 150_000);
    assert_eq!(second["irq_suspend_timeout_ns"], 7);
    assert_eq!((&second["irq"], &second["thread"]), (&Value::Null, &Value::Null));
    // /sys shows the namespace of the test.
    assert_eq!((&device["queue"], &device["defer_hard_irqs"]), (&Value::Null, &Value::Null));
    let text = lines(&fixture, "napi near show");
    assert!(text.iter().all(|line| line.len() <= 80), "{text:?}");
    assert!(text.iter().any(|line| line.contains("150 us") && line.contains("7 ns")), "{text:?}");
    assert!(text.iter().any(|line| line.contains("/sys shows another network")), "{text:?}");

    // What is not named stays.
    lines(&fixture, "napi near set -q 1 --gro-flush-timeout 9000");
    assert_eq!(settings(&fixture, 1).defer_hard_irqs, 3);
    let vain = lines(&fixture, "napi near set -q 0 --defer-hard-irqs 1");
    assert!(vain[0].ends_with("no effect while --gro-flush-timeout is 0"), "{vain:?}");
    lines(&fixture, "napi near set -q 0 --defer-hard-irqs 0");
    let undo = told.last().unwrap().trim().strip_prefix("xsk ").unwrap();
    lines(&fixture, undo);
    assert_eq!(settings(&fixture, 1), before);
}

#[test]
fn a_profile_is_set_on_all_queues_and_undone_by_one_command() {
    if !privileged!() {
        return;
    }
    let Some((fixture, _tool)) = with_instances(2, test_name!()) else { return };
    let before = [0, 1].map(|queue| settings(&fixture, queue));
    let set = objects(&fixture, "napi near profile throughput");
    assert_eq!(set.len(), 2, "{set:?}");
    for (queue, object) in set.iter().enumerate() {
        assert_eq!((&object["done"], &object["queue"]), (&json!("set"), &json!(queue)));
        assert_eq!(object["before"]["defer_hard_irqs"], 0);
        // What the profile leaves alone was there before it, too.
        for key in ["irq_suspend_timeout_ns", "threaded"] {
            assert_eq!(object["before"][key], object["after"][key], "{object}");
        }
        assert_eq!(object["after"]["defer_hard_irqs"], 2);
        assert_eq!(object["after"]["gro_flush_timeout_ns"], 200_000);
        let undo = object["undo"].as_str().unwrap().strip_prefix("xsk ").unwrap();
        lines(&fixture, undo);
        assert_eq!(settings(&fixture, queue as u32), before[queue]);
    }
    let told = lines(&fixture, "napi near profile throughput");
    assert!(told.last().unwrap().contains(" set -q 0,1 --defer-hard-irqs 0 "), "{told:?}");
    lines(&fixture, "napi near profile latency");
    assert_eq!([0, 1].map(|queue| settings(&fixture, queue).defer_hard_irqs), [0, 0]);
}

#[test]
fn a_thread_is_given_and_its_pid_is_shown() {
    if !privileged!() {
        return;
    }
    let Some((fixture, _tool)) = with_instances(1, test_name!()) else { return };
    let can = settings(&fixture, 0).threaded.is_some();
    if !kernel_can(test_name!(), can, "threading of single NAPI instances: Linux 6.17") {
        return;
    }
    lines(&fixture, "napi near set --threaded on");
    let shown = objects(&fixture, "napi near show");
    assert_eq!(shown[0]["threaded"], "on", "{shown:?}");
    let thread = shown[0]["thread"].as_u64().unwrap();
    let name = std::fs::read_to_string(format!("/proc/{thread}/comm")).unwrap();
    assert!(name.starts_with("napi/"), "{name}");
    let told = lines(&fixture, "napi near set --threaded off");
    assert!(told[0].contains("in a thread of its own -> "), "{told:?}");
    assert_eq!(settings(&fixture, 0).threaded, Some(NapiThreading::Off));
}

#[test]
fn an_interface_without_instances_says_when_it_has_some() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let text = lines(&fixture, "napi near show").join("\n");
    if !kernel_can(test_name!(), kernel_since(6, 8), "lists of NAPI instances: Linux 6.8") {
        return;
    }
    assert!(text.contains("a veth has some while a native XDP program is attached"), "{text}");
    let shown = objects(&fixture, "napi near show");
    assert_eq!((shown.len(), &shown[1]["napi"]), (3, &Value::Null), "{shown:?}");
    let ended = Tool::start(&fixture.cable.left, "napi near profile throughput").end();
    let message = ended.failure();
    assert!(message.contains("while a native XDP program is attached"), "{message}");
    xsk::test_util::ip::set_up(fixture.cable.veth.a(), false).unwrap();
    let text = lines(&fixture, "napi near show").join("\n");
    assert!(text.contains("`ip link set near up`"), "{text}");
}

#[test]
fn mistakes_are_refused_with_words() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let ended = Tool::start(&fixture.cable.left, "napi near profile latency -q 2").end();
    let message = ended.failure();
    assert!(message.contains("near has no receive queue 2: it has 2, which are"), "{message}");
    for (words, text) in [
        (&["lo"][..], "show"),
        (&["lo", "set"], "--defer-hard-irqs"),
        (&["lo", "set", "-q", "0"], "--defer-hard-irqs"),
        (&["lo", "set", "--defer-hard-irqs", "2147483648"], "2147483647"),
        (&["lo", "set", "--threaded", "maybe"], "on, off"),
        (&["lo", "profile", "speed"], "throughput, latency"),
        (&["lo", "profile"], "<AIM>"),
    ] {
        let output = Command::new(TOOL).arg("napi").args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(text), "{words:?}: {error}");
    }
}
