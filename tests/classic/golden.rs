//! Programs that tcpdump has made, and what they mean.

use std::fmt::Write as _;
use xsk::bpf::{Action, ClassicFilter, XskMap};
use xsk::test_util::privileged;

/// `tcpdump -ddd -y EN10MB tcp port 80`
const TCP_PORT_80: &str = "16
40 0 0 12
21 0 6 34525
48 0 0 20
21 0 11 6
40 0 0 54
21 8 0 80
40 0 0 56
21 6 7 80
21 0 6 2048
48 0 0 23
21 0 4 6
40 0 0 20
69 2 0 8191
177 0 0 14
6 0 0 262144
6 0 0 0
";

#[test]
fn a_program_reads_back() {
    let filter: ClassicFilter = TCP_PORT_80.parse().unwrap();
    assert_eq!(filter.to_string(), TCP_PORT_80.trim_end());
    let mut text = String::new();
    write!(text, "{}", filter.compile(Action::Drop).unwrap().listing()).unwrap();
    println!("{text}");
    let mut packet = vec![0; 60];
    packet[12..15].copy_from_slice(&[8, 0, 0x45]);
    packet[23] = 6;
    assert!(filter.matches(&packet));
    if !privileged("a_program_reads_back") {
        return;
    }
    let map = XskMap::create("xsks_map", 4).unwrap();
    let loaded = filter.load(&map, Action::Drop).unwrap();
    assert_eq!(loaded.program().test_run(&packet, None).unwrap().retval, 1);
    packet[23] = 7;
    assert_eq!(loaded.program().test_run(&packet, None).unwrap().retval, 2);
}
