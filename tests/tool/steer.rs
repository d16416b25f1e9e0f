//! `xsk steer`: what is refused before a card is asked, and what a device without flow rules says.
//! The rules themselves are tested on a fake card (`src/interface/steering`), and their translation
//! beside it (`src/bin/xsk/steer/rules.rs`).

use crate::common::kernel_can;
use crate::fixture::{Ended, Fixture, TOOL, Tool};
use serde_json::Value;
use std::process::{Command, Output};
use xsk::Interface;
use xsk::test_util::{privileged, test_name};

fn run(words: &[&str]) -> Output {
    Command::new(TOOL).arg("steer").args(words).output().unwrap()
}

/// Returns the message of a run that ended with this exit code.
fn refusal(words: &[&str], code: i32) -> String {
    let output = run(words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_wrong_command_line_says_what_is_missing() {
    for (words, text) in [
        (&["lo"][..], "it is not said what to do"),
        (&["lo", "udp port 53"], "bring them to a queue (-q), or drop them (--drop)"),
        (&["lo", "udp port 53", "-q", "1", "--drop"], "packets of a rule go to a queue, or they"),
        (&["lo", "-q", "1", "list"], "`list` and `delete` take none of them"),
        (&["lo", "delete"], "`xsk steer lo list` shows their numbers, and --all deletes all"),
        (&["lo", "delete"], "Usage: xsk steer <IF> delete <ID>...|--all [--json]"),
        (&["lo", "delete", "1", "--all"], "Usage: xsk steer <IF> delete <ID>...|--all [--json]"),
        (&["lo", "delete", "seven"], "'seven'"),
        (&["list"], "<IF>"),
    ] {
        let error = refusal(words, 2);
        assert!(error.contains(text), "{words:?}: {error}");
    }
}

#[test]
fn an_expression_is_refused_before_the_interface_is_looked_for() {
    let error = refusal(&["none", "udp and not port 53", "-q", "1"], 1);
    let text =
        "xsk: \"udp and not port 53\" cannot be made flow rules: no rule has `not port 53`\n";
    assert_eq!(error, text);
    let error = refusal(&["none", "udp prot 53", "-q", "1"], 2);
    assert!(error.starts_with("xsk: the filter cannot be read: column 5: `prot`"), "{error}");
    // The words of an expression need no quotes.
    let error = refusal(&["none", "udp", "dst", "port", "53", "-q", "1"], 1);
    assert!(error.contains("none"), "{error}");
}

#[test]
fn a_veth_has_no_flow_rules_and_says_so() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for line in [
        "steer near list",
        "steer near list --json",
        "steer near udp dst port 4789 -q 1",
        "steer near ip and udp dst port 4789 --drop --json",
        "steer near delete 7",
        "steer near delete --all",
    ] {
        let ended: Ended = Tool::start(&fixture.cable.left, line).end();
        let message = ended.failure();
        assert!(message.contains("Its driver has no flow rules"), "{line}: {message}");
        assert!(message.contains("`xsk rxdrop -i IF FILTER`"), "{line}: {message}");
        assert_eq!(ended.out, [""; 0], "{line}");
    }
    let ended = Tool::start(&fixture.cable.left, "steer near ip and udp port 4789 -q 2").end();
    let message = ended.failure();
    assert!(message.contains("RX queue 2, of 2 that are numbered from 0"), "{message}");
}

/// On a card of a guest, and of a kind that takes rules for Ethernet types.
#[test]
fn a_card_has_a_rule_until_it_is_deleted() {
    let names = std::env::var("XSK_CARDS").ok();
    let igb = std::env::var("XSK_CARDS_KIND").is_ok_and(|kind| kind == "igb");
    if !kernel_can(test_name!(), igb && names.is_some(), "needs a card of the kind igb, XSK_CARDS")
    {
        return;
    }
    let card = names.unwrap().split(',').next().unwrap().to_owned();
    let interface = Interface::by_name(&card).unwrap();
    let ntuple = interface.set_ntuple(true).unwrap();
    let objects = |words: &[&str]| -> Vec<Value> {
        let output = run(&[&[&*card], words, &["--json"]].concat());
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let added = objects(&["ether proto 0x88f7", "-q", "1"]);
    assert_eq!((added.len(), &added[0]["queue"]), (1, &Value::from(1)), "{added:?}");
    let id = added[0]["id"].to_string();
    let listed = objects(&["list"]);
    assert_eq!((&listed[0]["id"], &listed[0]["rule"]), (&added[0]["id"], &added[0]["rule"]));
    let deleted = objects(&["delete", &id]);
    assert_eq!((&deleted[0]["done"], &deleted[0]["id"]), (&"deleted".into(), &added[0]["id"]));
    assert_eq!(objects(&["list"]), Vec::<Value>::new());
    let error = refusal(&[&card, "delete", &id], 1);
    assert!(error.contains(&format!("has no flow rule {id}")), "{error}");
    ntuple.restore().unwrap();
}
