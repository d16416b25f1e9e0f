//! Programs that are written down here, and what they mean: to this crate's interpreter, translated,
//! and on the kernel.

use crate::interpreter::Interpreter;
use crate::maps::OneSocket;
use xsk::bpf::{Action, ClassicFilter, XskMap};
use xsk::test_util::{fuzz, privileged};
use xsk::uapi::filter::{
    SKF_AD_OFF, SKF_AD_PROTOCOL, SKF_AD_VLAN_TAG_PRESENT, SKF_LL_OFF, SKF_NET_OFF,
};

/// `tcpdump -ddd -y EN10MB tcp port 80`
const TCP_PORT_80: &str = "20
40 0 0 12
21 0 6 34525
48 0 0 20
21 0 15 6
40 0 0 54
21 12 0 80
40 0 0 56
21 10 11 80
21 0 10 2048
48 0 0 23
21 0 8 6
40 0 0 20
69 6 0 8191
177 0 0 14
72 0 0 14
21 2 0 80
72 0 0 16
21 0 1 80
6 0 0 262144
6 0 0 0";

/// `tcpdump -dd -y EN10MB 'len - 14 > ip[2:2]'`
const LONGER_THAN_IT_SAYS: &str = "{ 0x28, 0, 0, 0x0000000c },
{ 0x15, 0, 8, 0x00000800 },
{ 0x80, 0, 0, 0x00000000 },
{ 0x14, 0, 0, 0x0000000e },
{ 0x2, 0, 0, 0x00000001 },
{ 0x28, 0, 0, 0x00000010 },
{ 0x7, 0, 0, 0x00000000 },
{ 0x60, 0, 0, 0x00000001 },
{ 0x2d, 0, 1, 0x00000000 },
{ 0x6, 0, 0, 0x00040000 },
{ 0x6, 0, 0, 0x00000000 },
";

/// Returns whether a program takes a packet, on which all ways to run it agree.
fn takes(filter: &ClassicFilter, packet: &[u8]) -> bool {
    let filter = filter.clone().take_everything(true);
    let taken = filter.matches(packet);
    let compiled = filter.compile(Action::Drop).unwrap();
    let verdict = if taken { 1 } else { 2 };
    let ran = Interpreter::new(&fuzz::instructions(&compiled)).run(packet, 0, &mut OneSocket);
    assert_eq!(ran, Ok(verdict), "{filter}\n{}{packet:02x?}", compiled.listing());
    if packet.len() >= 14 && privileged("golden: on the kernel") {
        let map = XskMap::create("xsks_map", 1).unwrap();
        let program = compiled.load(&map).unwrap();
        let ran = program.program().test_run(packet, None).unwrap();
        assert_eq!(ran.retval, verdict, "{filter}\n{}{packet:02x?}", compiled.listing());
    }
    taken
}

/// Returns TCP over IPv4 with options, or over IPv6.
fn tcp(ip6: bool, ports: [u16; 2]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    if ip6 {
        packet.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
        packet.extend([0; 32]);
    } else {
        packet.extend([8, 0, 0x46, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0]);
        packet.extend([0; 12]);
    }
    packet.extend(ports.map(u16::to_be_bytes).concat());
    packet.extend([0; 16]);
    packet
}

#[test]
fn a_port_of_tcp() {
    let filter: ClassicFilter = TCP_PORT_80.parse().unwrap();
    assert_eq!(filter.to_string(), TCP_PORT_80);
    let commas: ClassicFilter = TCP_PORT_80.replace('\n', ",").parse().unwrap();
    assert_eq!(commas, filter);
    assert_eq!(ClassicFilter::new(filter.instructions()).unwrap(), filter);
    for ip6 in [false, true] {
        assert!(takes(&filter, &tcp(ip6, [80, 1])));
        assert!(takes(&filter, &tcp(ip6, [1, 80])));
        assert!(!takes(&filter, &tcp(ip6, [1, 81])));
        let mut udp = tcp(ip6, [80, 80]);
        udp[if ip6 { 20 } else { 23 }] = 17;
        assert!(!takes(&filter, &udp));
        // It ends before the ports.
        let whole = tcp(ip6, [80, 80]);
        assert!(!takes(&filter, &whole[..whole.len() - 20]));
    }
    let mut fragment = tcp(false, [80, 80]);
    fragment[21] = 1;
    assert!(!takes(&filter, &fragment));
    assert!(!takes(&filter, &[]) && !takes(&filter, &[0; 14]));
}

#[test]
fn lengths_and_memory() {
    let filter: ClassicFilter = LONGER_THAN_IT_SAYS.parse().unwrap();
    let mut packet = tcp(false, [1, 1]); // It says 44 bytes, and has them.
    assert_eq!(packet.len(), 14 + 44);
    assert!(!takes(&filter, &packet));
    packet.push(0);
    assert!(takes(&filter, &packet));
}

/// Returns a program that takes packets of which the value of A is `value` behind `lines`.
fn gives(lines: &[(u16, u32)], value: u32) -> ClassicFilter {
    let lines: Vec<String> = lines.iter().map(|(code, k)| format!("{code} 0 0 {k}\n")).collect();
    let count = lines.len() + 3;
    format!("{count}\n{}21 0 1 {value}\n6 0 0 1\n6 0 0 0", lines.concat()).parse().unwrap()
}

const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const LD_WORD_ABS: u16 = 0x20;
const LD_HALF_ABS: u16 = 0x28;
const LD_BYTE_IND: u16 = 0x50;
const LDX_MSH: u16 = 0xb1;
const TXA: u16 = 0x87;

#[test]
fn arithmetic() {
    // Each operation, with a constant and with X.
    for (code, a, b, value) in [
        (0x04, u32::MAX, 2, 1),
        (0x14, 1, 2, u32::MAX),
        (0x24, 0x1_0001, 0x1_0001, 0x2_0001),
        (0x34, u32::MAX, 7, u32::MAX / 7),
        (0x44, 0xf0, 0x8000_000f, 0x8000_00ff),
        (0x54, 0xff00_00ff, 0x8000_00f0, 0x8000_00f0),
        (0x64, 3, 31, 0x8000_0000),
        (0x74, 0x8000_0000, 31, 1),
        (0x94, u32::MAX, 10, u32::MAX % 10),
        (0xa4, 0xffff_0000, 0x8000_ffff, 0x7fff_ffff),
    ] {
        assert!(takes(&gives(&[(LD, a), (code, b)], value), &[0; 60]), "{code:#x}");
        assert!(takes(&gives(&[(LD, a), (LDX, b), (code | 8, 0)], value), &[0; 60]), "{code:#x}");
    }
    assert!(takes(&gives(&[(LD, 1), (0x84, 0)], u32::MAX), &[0; 60]), "the negative");
    // libpcap shifts all bits out; a division by 0 ends the program.
    for code in [0x6c, 0x7c] {
        for bits in [32, 33, u32::MAX] {
            assert!(takes(&gives(&[(LD, u32::MAX), (LDX, bits), (code, 0)], 0), &[0; 60]));
        }
    }
    for code in [0x3c, 0x9c] {
        let divides: ClassicFilter =
            format!("4\n0 0 0 7\n1 0 0 0\n{code} 0 0 0\n6 0 0 1").parse().unwrap();
        assert!(!takes(&divides, &[0; 60]));
    }
}

#[test]
fn comparisons() {
    for (code, a, b, wanted) in [
        (0x15, 5_u32, 5_u32, true),
        (0x15, 5, 4, false),
        (0x25, u32::MAX, 1, true),
        (0x25, 5, 5, false),
        (0x35, 5, 5, true),
        (0x35, 5, 0x8000_0000, false),
        (0x45, 0x8000_0001, 0x8000_0000, true),
        (0x45, 5, 2, false),
    ] {
        for (code, first) in [(code, b), (code | 8, 77)] {
            for (jt, jf, swapped) in [(0, 1, false), (1, 0, true)] {
                let text =
                    format!("5\n0 0 0 {a}\n1 0 0 {b}\n{code} {jt} {jf} {first}\n6 0 0 1\n6 0 0 0");
                let filter: ClassicFilter = text.parse().unwrap();
                assert_eq!(takes(&filter, &[0; 60]), wanted != swapped, "{text}");
            }
        }
    }
}

#[test]
fn registers_and_memory_begin_and_stay() {
    assert!(takes(&gives(&[], 0), &[0; 60]), "A is 0 at first");
    assert!(takes(&gives(&[(LD, 7), (TXA, 0)], 0), &[0; 60]), "X is 0 at first");
    let words =
        [(LD, 7), (0x02, 0), (LDX, 9), (0x03, 15), (LD, 0), (0x60, 15), (0x61, 0), (0x0c, 0)];
    assert!(takes(&gives(&words, 16), &[0; 60]), "words 0 and 15");
    assert!(takes(&gives(&[(0x81, 0), (TXA, 0)], 60), &[0; 60]), "the length in X");
    // What is returned may be A.
    let length: ClassicFilter = "2\n128 0 0 0\n22 0 0 0".parse().unwrap();
    assert!(takes(&length, &[0; 60]) && !takes(&length, &[]));
}

#[test]
fn loads_and_their_ends() {
    let packet: Vec<u8> = (0..60).collect();
    assert!(takes(&gives(&[(LD_WORD_ABS, 56)], 0x3839_3a3b), &packet));
    assert!(takes(&gives(&[(LD_HALF_ABS, 58)], 0x3a3b), &packet));
    assert!(takes(&gives(&[(LDX_MSH, 0x1f), (TXA, 0)], 60), &packet), "4 * (0x1f & 0xf)");
    for (x, k) in [(0, 59), (59, 0), (30, 29)] {
        assert!(takes(&gives(&[(LDX, x), (LD_BYTE_IND, k)], 59), &packet));
        assert!(!takes(&gives(&[(LDX, x + 1), (LD_BYTE_IND, k)], 59), &packet));
    }
    // Whatever is behind a load that is behind the end does not matter, also of a rule's opposite.
    for k in [57_u32, 60, 0x7fef, 0x7ff0, 0x7ff1, 0xfffb, 0xfffc, 0x10000, 0x7fff_ffff, 0x8000_0000]
    {
        for code in [LD_WORD_ABS, 0x40] {
            let any: ClassicFilter = format!("2\n{code} 0 0 {k}\n6 0 0 1").parse().unwrap();
            assert!(!takes(&any, &packet), "{k:#x}");
        }
    }
    // The offset is larger than 32 bits: the kernel's socket filters begin at 0 again.
    for x in [u32::MAX, 0x8000_0000, 0x10000, 0xffff] {
        let any: ClassicFilter = format!("3\n1 0 0 {x}\n80 0 0 14\n6 0 0 1").parse().unwrap();
        assert!(!takes(&any, &packet), "{x:#x}");
    }
}

#[test]
fn the_end_of_what_can_be_read() {
    let packet = vec![7; 0x1_0010];
    // The kernel's test runs take no such packets.
    let byte = |k: u32| format!("2\n48 0 0 {k}\n22 0 0 0").parse::<ClassicFilter>().unwrap();
    let ran = |filter: &ClassicFilter| {
        let compiled = filter.compile(Action::Drop).unwrap();
        let ran = Interpreter::new(&fuzz::instructions(&compiled)).run(&packet, 0, &mut OneSocket);
        assert_eq!(ran == Ok(1), filter.matches(&packet));
        filter.matches(&packet)
    };
    for k in [0x7fef, 0x7ff0, 0x7ff1, 0x8000, 0xfffe] {
        assert!(ran(&byte(k)), "{k:#x}");
        let indexed = format!("3\n1 0 0 {}\n80 0 0 {}\n22 0 0 0", k % 100, k - k % 100);
        assert!(ran(&indexed.parse().unwrap()), "{k:#x}");
    }
    assert!(!ran(&byte(0xffff)));
}

#[test]
fn offsets_that_the_kernel_gives_a_meaning() {
    let packet: Vec<u8> = (0..60).collect();
    let k = |offset: i32| u32::from_ne_bytes(offset.to_ne_bytes());
    assert!(takes(&gives(&[(LD_HALF_ABS, k(SKF_LL_OFF + 6))], 0x0607), &packet));
    assert!(takes(&gives(&[(LD_HALF_ABS, k(SKF_NET_OFF + 6))], 0x1415), &packet));
    assert!(takes(&gives(&[(LDX_MSH, k(SKF_NET_OFF)), (TXA, 0)], 56), &packet));
    assert!(takes(&gives(&[(LDX, 1), (LD_BYTE_IND, k(SKF_NET_OFF))], 15), &packet));
    assert!(takes(&gives(&[(LD_WORD_ABS, k(SKF_AD_OFF + SKF_AD_PROTOCOL))], 0x0c0d), &packet));
    let tag = k(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT);
    assert!(takes(&gives(&[(LD, 7), (0x30, tag)], 0), &packet));
    let xor = k(SKF_AD_OFF + 40);
    assert!(takes(&gives(&[(LD, 6), (LDX, 5), (LD_WORD_ABS, xor)], 3), &packet));
}

#[test]
fn actions() {
    let filter: ClassicFilter = TCP_PORT_80.parse().unwrap();
    let (taken, other) = (tcp(false, [80, 80]), tcp(false, [81, 81]));
    let run = |action, packet: &[u8]| {
        let compiled = filter.compile(action).unwrap();
        Interpreter::new(&fuzz::instructions(&compiled)).run(packet, 3, &mut OneSocket)
    };
    // There is a socket in slot 3.
    for (action, verdict) in [
        (Action::Drop, 1),
        (Action::Pass, 2),
        (Action::Queue, 4),
        (Action::Slot(3), 4),
        (Action::Slot(4), 2),
    ] {
        assert_eq!(run(action, &taken), Ok(verdict), "{action:?}");
        assert_eq!(run(action, &other), Ok(2), "{action:?}");
    }
}
