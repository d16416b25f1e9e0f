//! The tables of expressions beside tcpdump: which of them it takes.

use crate::tcpdump;

/// Returns the texts of a table.
fn texts(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with("    "))
}

/// What tcpdump does not have.
fn is_our_own(text: &str) -> bool {
    let words = ["behind ", "network[", "payload4[", "payload6["];
    words.iter().any(|word| text.contains(word))
        // Ports of one kind of IP.
        || ["ip tcp ", "ip sctp ", "ip6 udp "].iter().any(|begin| text.starts_with(begin))
        // Names of protocols without a backslash, and names that a system's files may lack.
        || ["ip proto tcp", "ether proto arp", "ether proto loopback", "proto gre", "proto \\icmp6"]
            .contains(&text)
        || ["portrange ftp-data-21", "host ((192.0.2.1))"].contains(&text)
}

/// What tcpdump takes and this crate refuses: constructs that are not taken, what is never true,
/// and what is so by a value.
fn is_only_theirs(text: &str, reason: &str) -> bool {
    reason.contains("is not taken")
        || reason.contains("len >= 0")
        || reason.contains("look behind at most 2")
        || ["ether proto 1500", "ether proto 0x5ff", "ether proto 65536", "ip proto 256"]
            .contains(&text)
        // A system's files may have the service for both protocols.
        || ["tcp port syslog", "udp port http"].contains(&text)
        // Only its optimizer sees it.
        || text == "len / (2 - 2) = 1"
}

#[test]
fn tcpdump_takes_and_refuses_the_same_texts() {
    if !tcpdump::is_here("tcpdump_takes_and_refuses_the_same_texts") {
        return;
    }
    let (mut same, mut differ) = (0, 0);
    for text in texts(include_str!("../../src/bpf/filter/parse/tests/valid.txt")) {
        let taken = tcpdump::compiles(text);
        assert!(taken.is_ok() || is_our_own(text), "{text}: {taken:?}");
        if taken.is_ok() { same += 1 } else { differ += 1 }
    }
    let invalid = include_str!("../../src/bpf/filter/parse/tests/invalid.txt");
    let reasons = invalid.lines().filter(|line| line.starts_with("    "));
    for (text, reason) in texts(invalid).zip(reasons) {
        let taken = tcpdump::compiles(text);
        assert!(taken.is_err() || is_only_theirs(text, reason), "{text}");
        if taken.is_err() { same += 1 } else { differ += 1 }
    }
    assert!(same > 250 && differ < 60, "{same} {differ}");
}
