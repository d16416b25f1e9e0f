//! Bad input: the message has the request, the kernel's result and the cure; and nothing is left.

use crate::fixture::{Fixture, TOOL, Tool, attached, foreign};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use xsk::Interface;
use xsk::test_util::{Namespace, privileged};

/// A user without privileges.
const NOBODY: u32 = 65534;

#[test]
fn each_mistake_is_named_with_its_cure_and_leaves_nothing() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let cases: [(&str, &[&str]); 18] = [
        ("rxdrop -i nope", &["nope", "ENODEV"]),
        ("txonly -i nope", &["nope", "ENODEV"]),
        ("rxdrop -i bad/name", &["bad/name", "EINVAL"]),
        ("rxdrop -i near -q 2", &["near", "queue 2", "EINVAL", "2 queue(s)"]),
        ("txonly -i near -q 2", &["near", "queue 2", "EINVAL", "2 queue(s)"]),
        ("rxdrop -i near -q 65536", &["queue 65536", "65536"]),
        ("rxdrop -i near --rx-ring 0", &["RX ring 0", "power of two"]),
        ("rxdrop -i near --rx-ring 3", &["RX ring 3", "power of two"]),
        ("rxdrop -i near --fill-ring 2147483648", &["fill ring 2147483648", "2^20"]),
        ("txonly -i near --tx-ring 3", &["TX ring 3", "power of two"]),
        ("l2fwd -i near --completion-ring 3", &["completion ring 3", "power of two"]),
        ("rxdrop -i near -f 1000", &["1000", "power of two", "2048"]),
        ("rxdrop -i near -f 1048576", &["1048576", "page"]),
        ("rxdrop -i near --headroom 4096", &["headroom 4096"]),
        ("rxdrop -i near --chunks 0", &["chunks 0"]),
        ("rxdrop -i near -z", &["near", "zero-copy", "EOPNOTSUPP", "copy mode is `-c`"]),
        ("txonly -i near -s 41", &["41", "42", "1514"]),
        ("txonly -i near -s 1515", &["1515", "1514"]),
    ];
    for (line, wanted) in cases {
        let ended = Tool::start(&fixture.cable.left, line).end();
        for words in wanted {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
        assert_eq!(ended.err.len(), 1, "{ended:?}");
        assert_eq!(ended.out, [""; 0], "{line}");
        assert_eq!(fixture.attached(), None, "{line}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for line in [
        "",
        "fly",
        "rxdrop",
        "rxdrop -i near -S -N",
        "rxdrop -i near -b 0",
        "rxdrop -i near -n 0",
        "rxdrop -i near -z -c",
        "demo -i near",
        "demo --frames 0",
        "demo -b 0",
    ] {
        let ended = Tool::start(&fixture.cable.left, line).end();
        assert_eq!(ended.status.code(), Some(2), "{line}: {ended:?}");
        assert_eq!(ended.out, [""; 0]);
    }
}

#[test]
fn a_foreign_program_stays_unless_replace_is_given() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let near: &Interface = fixture.cable.veth.a();
    let attachment = foreign(&fixture, false);
    let before = near.attached_programs().unwrap().programs().next();
    for line in ["rxdrop", "rxdrop -S", "l2fwd --attach link"] {
        let ended = fixture.start(line).end();
        for words in ["near", "another", "foreign", "replacing it is `--replace`"] {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
        assert_eq!(near.attached_programs().unwrap().programs().next(), before, "{line}");
    }
    let tool = fixture.start("rxdrop --replace -C 10").ready();
    assert_ne!(near.attached_programs().unwrap().programs().next(), before);
    fixture.send(0, 10);
    assert_eq!(tool.summary()["rx_packets"], 10);
    assert_eq!(attached(near), None);
    attachment.close().unwrap();
}

/// The tool in a directory from which every user may run it.
struct Copied(PathBuf);

impl Copied {
    fn new(name: &str) -> Self {
        let name = format!("xsk-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::copy(TOOL, &path).unwrap();
        Self(path)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn without_privileges_one_sentence_names_the_capability_and_the_command() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = Copied::new("unprivileged");
    let path = tool.0.to_str().unwrap();
    for (line, capability) in [
        ("rxdrop -i near", "CAP_NET_RAW"),
        ("txonly -i near", "CAP_NET_RAW"),
        ("l2fwd -i near", "CAP_NET_RAW"),
        ("demo", "CAP_SYS_ADMIN"),
    ] {
        let ended = as_nobody(&fixture.cable.left, path, line);
        let message = ended.failure();
        assert!(message.contains(capability), "{ended:?}");
        assert!(message.contains(&format!("`sudo {path} {line}`")), "{ended:?}");
        assert_eq!(ended.err.len(), 1, "{ended:?}");
        assert_eq!(fixture.attached(), None);
    }
}

fn as_nobody(namespace: &Namespace, path: &str, line: &str) -> crate::fixture::Ended {
    let mut command = Command::new(path);
    // Setting the user id takes all capabilities away.
    command.args(line.split_whitespace()).uid(NOBODY).gid(NOBODY);
    Tool::spawn(namespace, &mut command).end()
}
