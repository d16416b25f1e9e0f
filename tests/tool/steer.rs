//! `xsk steer`: what is refused before a card is asked, and what a device without flow rules says.
//! The rules themselves are tested on the cards of a guest (`cards`), and on a fake card
//! (`src/interface/steering`); their translation beside it (`src/bin/xsk/steer/rules.rs`).

use crate::fixture::{Ended, Fixture, TOOL, Tool};
use std::process::{Command, Output};
use xsk::test_util::privileged;

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
