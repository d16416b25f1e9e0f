//! Random filter expressions and random packets, which have ports, addresses and protocols in
//! common, so that conditions are true of some packets.

use crate::random_numbers::Random;

const ETHER: &[[u8; 6]] = &[
    [2, 0, 0, 0, 0, 1],
    [2, 0, 0, 0, 0, 2],
    [0x02, 0xab, 0xcd, 0xef, 0x00, 0x01],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0x01, 0x00, 0x5e, 0x00, 0x00, 0x01],
];
const IP4: &[[u8; 4]] =
    &[[10, 0, 0, 1], [10, 0, 1, 2], [192, 0, 2, 77], [224, 0, 0, 251], [255, 255, 255, 255]];
const IP6: &[&str] = &["2001:db8::1", "2001:db8:0:1::2", "fe80::1", "ff02::fb"];
const PORTS: &[u16] = &[22, 53, 80, 443, 4789, 8000, 8080, 65535];

/// A packet, and in which ways this crate and tcpdump may differ about it.
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    /// Whether it is IPv6 with a fragment header.
    fragment6: bool,
    /// Whether it is IPv6 with other extension headers.
    extensions6: bool,
    /// Whether its IPv4 header says that it is shorter than 20 bytes.
    short_header: bool,
    /// Whether so much is there that no expression reads behind the end.
    long: bool,
}

/// Makes a packet.
pub(crate) fn packet(random: &mut Random) -> Packet {
    let long = !random.one_in(3);
    let mut packet = Packet {
        bytes: Vec::new(),
        fragment6: false,
        extensions6: false,
        short_header: false,
        long,
    };
    packet.bytes.extend(ETHER[random.below(ETHER.len())]);
    packet.bytes.extend(ETHER[random.below(3)]);
    for _ in 0..random.below(5).saturating_sub(2) {
        packet.bytes.extend(random.pick(&[&[0x81, 0x00], &[0x88, 0xa8], &[0x91, 0x00]]));
        packet.bytes.extend([random.next() as u8 & 0xe0, [0, 5, 7, 100][random.below(4)]]);
    }
    let mut address6 = None;
    match random.below(12) {
        0..=4 => ip4(random, &mut packet),
        5..=8 => {
            address6 = Some(packet.bytes.len() + 2 + 8);
            ip6(random, &mut packet);
        }
        9 | 10 => arp(random, &mut packet),
        _ => {
            packet.bytes.extend(random.pick(&[&[0x88, 0xcc], &[0x06, 0x00], &[0x00, 0x26]]));
        }
    }
    if long {
        while packet.bytes.len() < 220 {
            let byte = random.next() as u8;
            packet.bytes.push(byte);
        }
    } else {
        for _ in 0..random.below(12) {
            let byte = random.next() as u8;
            packet.bytes.push(byte);
        }
        if random.one_in(2) {
            let mut end = random.below(packet.bytes.len()) + 1;
            // tcpdump reads an address of IPv6 by words, and only until one differs.
            if let Some(address) = address6 {
                if (address + 1..address + 32).contains(&end) {
                    end = address + 16;
                }
            }
            packet.bytes.truncate(end);
        }
    }
    packet
}

fn ip4(random: &mut Random, packet: &mut Packet) {
    packet.bytes.extend([0x08, 0x00]);
    let words = if random.one_in(3) { 5 + random.below(11) } else { 5 };
    packet.short_header = random.one_in(12);
    let said = if packet.short_header { random.below(5) } else { words };
    let fragment: &[u8; 2] =
        random.pick(&[&[0, 0], &[0x40, 0], &[0, 0], &[0x20, 0], &[0x20, 0x10], &[0, 0x10]]);
    let (protocol, body) = transport(random, false);
    packet.bytes.extend([
        0x40 | said as u8,
        random.next() as u8,
        0,
        (words * 4 + body.len()) as u8,
    ]);
    packet.bytes.extend([random.next() as u8, random.next() as u8]);
    packet.bytes.extend(fragment);
    packet.bytes.extend([random.next() as u8, protocol, random.next() as u8, random.next() as u8]);
    packet.bytes.extend(IP4[random.below(IP4.len())]);
    packet.bytes.extend(IP4[random.below(IP4.len())]);
    for _ in 20..words * 4 {
        let byte = random.next() as u8;
        packet.bytes.push(byte);
    }
    packet.bytes.extend(body);
}

fn ip6(random: &mut Random, packet: &mut Packet) {
    packet.bytes.extend([0x86, 0xdd]);
    let (protocol, body) = transport(random, true);
    let mut next = protocol;
    let mut headers: Vec<Vec<u8>> = Vec::new();
    if random.one_in(4) {
        packet.fragment6 = true;
        let offset = if random.one_in(2) { [0, 1] } else { [0x01, 0x09] };
        headers.push(vec![next, 0, offset[0], offset[1], 0, 0, 0, random.next() as u8]);
        next = 44;
    }
    if random.one_in(5) {
        packet.extensions6 = true;
        for _ in 0..=random.below(7) {
            let kind = [0, 43, 60, 51][random.below(4)];
            let words = random.below(3);
            let bytes = if kind == 51 { (words + 2) * 4 } else { (words + 1) * 8 };
            let mut header = vec![0; bytes];
            header[0] = next;
            header[1] = words as u8;
            headers.insert(0, header);
            next = kind;
        }
    }
    packet.bytes.extend([0x60, 0, 0, 0, 0, body.len() as u8, next, random.next() as u8]);
    for _ in 0..2 {
        let address: std::net::Ipv6Addr = IP6[random.below(IP6.len())].parse().unwrap();
        packet.bytes.extend(address.octets());
    }
    packet.bytes.extend(headers.concat());
    packet.bytes.extend(body);
}

fn transport(random: &mut Random, ip6: bool) -> (u8, Vec<u8>) {
    let mut body = Vec::new();
    let protocol = match random.below(10) {
        0..=2 => 6,
        3..=5 => 17,
        6 => 132,
        7 if ip6 => 58,
        7 => 1,
        8 => 2,
        _ => 47,
    };
    match protocol {
        1 | 58 => {
            body.extend([[0, 8, 3, 128, 129, 135][random.below(6)], random.next() as u8 & 3, 0, 0])
        }
        _ => {
            body.extend(PORTS[random.below(PORTS.len())].to_be_bytes());
            body.extend(PORTS[random.below(PORTS.len())].to_be_bytes());
        }
    }
    if protocol == 6 {
        body.extend([0, 0, 0, random.next() as u8, 0, 0, 0, random.next() as u8]);
        body.extend([0x50 | random.next() as u8 & 0x30, [2, 0x12, 0x10, 0x18, 4][random.below(5)]]);
        body.extend([0, 0, 0, 0, 0, 0]);
    } else {
        body.extend([0, 16, random.next() as u8, random.next() as u8]);
    }
    (protocol, body)
}

fn arp(random: &mut Random, packet: &mut Packet) {
    packet.bytes.extend(random.pick(&[&[0x08, 0x06], &[0x08, 0x06], &[0x80, 0x35]]));
    packet.bytes.extend([0, 1, 8, 0, 6, 4, 0, 1 + (random.next() as u8 & 1)]);
    for _ in 0..2 {
        packet.bytes.extend(ETHER[random.below(ETHER.len())]);
        packet.bytes.extend(IP4[random.below(IP4.len())]);
    }
}

impl Packet {
    /// Whether tcpdump, without its optimizer, means the same as this crate by an expression on this
    /// packet. The differences are those of `Condition`'s documentation; and of packets that end
    /// within a header, what is read together.
    pub(crate) fn means_the_same_to_tcpdump(&self, text: &str) -> bool {
        let ports = text.contains("port");
        let payload = ["tcp[", "udp[", "icmp[", "sctp["].iter().any(|name| text.contains(name));
        let differs = self.extensions6
            || self.fragment6 && (ports || !self.long)
            || has_computed_offset(text) && !self.long
            || self.short_header && (ports || payload);
        !differs
    }
}

/// Whether bytes are within the brackets of others, as in `udp[icmp[0]]`.
fn has_computed_offset(text: &str) -> bool {
    let mut depth = 0;
    text.chars().any(|character| {
        match character {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        depth > 1
    })
}

/// Makes an expression of the language that this crate and tcpdump share.
pub(crate) fn expression(random: &mut Random) -> String {
    loop {
        let levels = random.below(4);
        let text = chain(random, levels);
        // Conditions look behind two tags.
        if text.split(|c: char| !c.is_alphanumeric()).filter(|word| *word == "vlan").count() <= 2 {
            return text;
        }
    }
}

fn chain(random: &mut Random, levels: usize) -> String {
    let mut text = term(random, levels);
    for _ in 0..random.below(3) {
        text += random.pick(&[" and ", " or ", " && ", " || "]);
        text += &term(random, levels);
    }
    text
}

fn term(random: &mut Random, levels: usize) -> String {
    match random.below(8) {
        0 => format!("{}{}", random.pick(&["not ", "! ", "!"]), term(random, levels)),
        1 | 2 if levels > 0 => format!("({})", chain(random, levels - 1)),
        _ => leaf(random),
    }
}

fn leaf(random: &mut Random) -> String {
    match random.below(16) {
        0 | 1 => random
            .pick(&[
                "ip",
                "ip6",
                "arp",
                "rarp",
                "tcp",
                "udp",
                "sctp",
                "icmp",
                "icmp6",
                "igmp",
                "pim",
                "esp",
                "vrrp",
                "carp",
                "igrp",
                "broadcast",
                "multicast",
                "ether broadcast",
                "ether multicast",
                "ip multicast",
                "ip6 multicast",
            ])
            .to_owned(),
        2 => random
            .pick(&[
                "ether proto 0x88cc",
                "ether proto 0x0800",
                "ether proto \\ip6",
                "ether proto \\arp",
                "ip proto 6",
                "ip proto \\udp",
                "ip proto (1 or 2)",
                "ip6 proto 17",
                "ip6 proto \\tcp or 58",
                "proto 47",
                "proto \\sctp",
                "proto 132 or 6 and not 17",
            ])
            .to_owned(),
        3..=5 => hosts(random),
        6..=8 => ports(random),
        9 | 10 => {
            let id = random.pick(&["", "", " 5", " 7", " 100"]);
            format!("vlan{id}")
        }
        11 => {
            let word = random.pick(&["less", "greater", "len >", "len <=", "length !=", "len ="]);
            format!("{word} {}", [20, 42, 60, 64, 100, 220][random.below(6)])
        }
        12 => {
            let [a, b, c, d, e, f] = ETHER[random.below(ETHER.len())];
            let way = random.pick(&["host", "src", "dst", "src or dst", "src and dst host"]);
            format!("ether {way} {a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}")
        }
        _ => comparison(random),
    }
}

fn way(random: &mut Random) -> &'static str {
    random.pick(&["", "", "src ", "dst ", "src or dst ", "src and dst ", "dst or src "])
}

fn hosts(random: &mut Random) -> String {
    let way = way(random);
    if random.one_in(3) {
        let ip6 = random.pick(&["", "ip6 "]);
        return match random.below(4) {
            0 => format!("{ip6}{way}net 2001:db8::/{}", [29, 32, 48, 64, 3][random.below(4)]),
            1 => format!("{ip6}{way}net ff00::/8 or fe80::/10"),
            2 => format!(
                "{ip6}{way}host {} {} {}",
                IP6[random.below(IP6.len())],
                random.pick(&["or", "and", "or not"]),
                IP6[random.below(IP6.len())]
            ),
            _ => format!("{ip6}{way}host {}", IP6[random.below(IP6.len())]),
        };
    }
    let protocol = random.pick(&["", "", "", "ip ", "arp ", "rarp "]);
    let mut address = || {
        let [a, b, c, d] = IP4[random.below(IP4.len())];
        format!("{a}.{b}.{c}.{d}")
    };
    let (one, other) = (address(), address());
    match random.below(7) {
        0 => format!("{protocol}{way}net 10.0.0.0/{}", [8, 15, 16, 23, 24][random.below(5)]),
        1 => format!("{protocol}{way}net {}", random.pick(&["10", "10.0", "192.0.2", "0.0.0.0/0"])),
        2 => format!("{protocol}{way}net 10.0.0.0 mask 255.0.255.0"),
        3 => format!("{protocol}{way}host ({one} or {other})"),
        4 => format!("{protocol}{way}host {one} {} {other}", random.pick(&["or", "and", "or not"])),
        _ => format!("{protocol}{way}host {one}"),
    }
}

fn ports(random: &mut Random) -> String {
    let protocol = random.pick(&["", "", "tcp ", "udp ", "sctp "]);
    let way = way(random);
    let port = PORTS[random.below(PORTS.len())];
    let other = PORTS[random.below(PORTS.len())];
    match random.below(6) {
        0 => format!("{protocol}{way}portrange {port}-{other}"),
        1 => format!("{protocol}{way}port ({port} or {other})"),
        2 => format!(
            "{protocol}{way}port {port} {} {other}",
            random.pick(&["or", "and", "or !", "or (ip or udp) and", "and not (arp) or"])
        ),
        3 if protocol.is_empty() => {
            format!("{way}port {}", random.pick(&["http", "ssh", "domain"]))
        }
        _ => format!("{protocol}{way}port {port}"),
    }
}

fn comparison(random: &mut Random) -> String {
    let known = [
        "tcp[tcpflags] & tcp-syn != 0",
        "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "tcp[13] = 0x12 or tcp[13] = 24",
        "icmp[icmptype] = icmp-echo",
        "icmp[icmptype] != icmp-echo and icmp[icmpcode] < 2",
        "icmp6[icmp6type] = icmp6-echo",
        "icmp6[0] = icmp6-neighborsolicit",
        "ip[6:2] & 0x1fff = 0",
        "ip[0] & 0xf > 5",
        "ip[0] & 0xf != 5",
        "ip[9] = 6 or ip[9] = 17",
        "ip6[6] = 44",
        "ip6[8:4] = 0x20010db8",
        "arp[6:2] = 1",
        "arp[24:4] = 0x0a000001",
        "ether[0] & 1 = 0",
        "ether[12:2] > 0x7ff",
        "udp[4:2] > 8",
        "sctp[0:2] = sctp[2:2]",
        "tcp[0:2] > tcp[2:2]",
        "ip[2:2] - ((ip[0] & 0xf) << 2) > 20",
        "tcp[(tcp[12] & 0xf0) >> 2] > 127",
        "tcp[0:2] + 1 = 81",
        "len - 14 > ip[2:2]",
        "len % 3 + 1 = 2",
        "len % 7 % 4 = 1",
        "len + 7 % 3 > 100",
        "len ^ 5 + 2 > 200",
        "len & 15 | 64 = 76",
        "len | 1 & 3 > 0",
        "len << 1 + 1 > 400",
        "len * 2 + 3 > 400 - 1 - 2",
        "-len + 100 > 100",
        "-len % 50 = 0",
    ];
    if random.one_in(2) {
        return random.pick(&known).to_owned();
    }
    let left = number(random, 2);
    let right = if random.one_in(2) { number(random, 1) } else { constant(random) };
    let relation = random.pick(&["=", "==", "!=", "<", "<=", ">", ">="]);
    format!("{left} {relation} {right}")
}

fn constant(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("{:#x}", random.next() as u32 >> random.below(32)),
        1 => format!("0{:o}", random.below(64)),
        _ => random.below(300).to_string(),
    }
}

fn number(random: &mut Random, levels: usize) -> String {
    match random.below(6) {
        0 => constant(random),
        1 => "len".to_owned(),
        2 if levels > 0 => {
            let operator = random.pick(&["+", "-", "*", "&", "|", "^", "<<", ">>", "%", "/"]);
            let left = number(random, levels - 1);
            let right = match operator {
                "<<" | ">>" => random.below(32).to_string(),
                "/" | "%" => (1 + random.below(20)).to_string(),
                // tcpdump 4.99 with libpcap 1.10 forgets what the right operand needs: with `len +
                // tcp[0]` it reads packets that are not TCP.
                _ => [constant(random), "len".to_owned(), "ether[5]".to_owned()][random.below(3)]
                    .clone(),
            };
            // What follows could bind closer, and make a shift one by more than 31 bits, or a division
            // one by 0.
            if matches!(operator, "<<" | ">>" | "/" | "%") || random.one_in(2) {
                format!("({left} {operator} {right})")
            } else {
                format!("{left} {operator} {right}")
            }
        }
        3 if levels > 0 => format!("-({})", number(random, levels - 1)),
        _ => {
            let protocol =
                random.pick(&["ether", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6"]);
            let size = random.pick(&["", "", ":1", ":2", ":4"]);
            let offset = random.below(24);
            if levels > 0 && random.one_in(5) {
                format!("{protocol}[({} & 7) + {offset}{size}]", number(random, levels - 1))
            } else {
                format!("{protocol}[{offset}{size}]")
            }
        }
    }
}
