//! The text of a condition, which reads back as an equal one, but for sets.

use super::condition::Condition;
use super::direction::Direction;
use super::expr::{Expr, Header, Number, Operator, Relation, Test, TestKind};
use super::parse::loads;
use super::ports::Ports;
use std::fmt::{self, Write};
use std::net::Ipv4Addr;

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Writer { f, tags: 0 }.expr(self.expr())
    }
}

/// Writes from left to right, and knows how many VLAN tags the reader will think of.
struct Writer<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    tags: u8,
}

impl Writer<'_, '_> {
    fn expr(&mut self, expr: &Expr) -> fmt::Result {
        match expr {
            Expr::Always(true) => self.f.write_str("len >= 0"),
            Expr::Always(false) => self.f.write_str("len < 0"),
            Expr::Not(inner) => {
                self.f.write_str("not ")?;
                self.term(inner)
            }
            Expr::And(list) => self.list(list, " and "),
            Expr::Or(list) => self.list(list, " or "),
            Expr::Test(_) => self.list(std::slice::from_ref(expr), ""),
        }
    }

    /// Writes what `not`, `and` and `or` stand before or behind.
    fn term(&mut self, expr: &Expr) -> fmt::Result {
        let single = match expr {
            Expr::Always(_) | Expr::Test(_) | Expr::Not(_) => true,
            Expr::And(list) => comparison(list).is_some_and(|(_, used)| used == list.len()),
            Expr::Or(list) => alternatives(list).is_some_and(|(_, used)| used == list.len()),
        };
        if single {
            return self.expr(expr);
        }
        self.f.write_str("(")?;
        self.expr(expr)?;
        self.f.write_str(")")
    }

    /// Writes the parts of a list, of which several can be one condition of the language.
    fn list(&mut self, mut list: &[Expr], between: &str) -> fmt::Result {
        let mut first = true;
        while let Some(part) = list.first() {
            if !first {
                self.f.write_str(between)?;
            }
            first = false;
            let several = if between == " or " { alternatives(list) } else { comparison(list) };
            let used = match (several, part) {
                (Some((text, used)), _) => {
                    let depth = list.iter().take(used).find_map(depth);
                    self.behind(depth)?;
                    self.f.write_str(&text)?;
                    used
                }
                (None, Expr::Test(test)) => {
                    self.behind(depth(part))?;
                    self.f.write_str(&one(test))?;
                    if matches!(test.kind, TestKind::Vlan(_)) && self.tags == test.depth {
                        self.tags = self.tags.saturating_add(1);
                    }
                    1
                }
                (None, part) => {
                    self.term(part)?;
                    1
                }
            };
            list = list.get(used..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes how many tags come before the header, if the reader would think of another number.
    fn behind(&mut self, depth: Option<u8>) -> fmt::Result {
        match depth {
            Some(depth) if depth != self.tags => write!(self.f, "behind {depth} "),
            _ => Ok(()),
        }
    }
}

/// Returns the number of tags before what is tested, if that matters.
fn depth(expr: &Expr) -> Option<u8> {
    let Expr::Test(test) = expr else { return None };
    match &test.kind {
        TestKind::Ether(..) | TestKind::EtherMulticast | TestKind::Length(..) => None,
        TestKind::Compare(left, _, right) => {
            (loads::has_depth(left) || loads::has_depth(right)).then_some(test.depth)
        }
        _ => Some(test.depth),
    }
}

/// Returns the text of the parts at the beginning of a list with `or` that are one condition of the
/// language, and how many they are.
fn alternatives(list: &[Expr]) -> Option<(String, usize)> {
    let kinds: Vec<(u8, &TestKind)> = list
        .iter()
        .take(6)
        .map_while(|part| match part {
            Expr::Test(test) => Some((test.depth, &test.kind)),
            _ => None,
        })
        .collect();
    let (depth, first) = *kinds.first()?;
    let follow = |wanted: &[TestKind]| {
        let found = kinds.get(1..)?.get(..wanted.len())?;
        let same = found.iter().zip(wanted).all(|(found, wanted)| *found == (depth, wanted));
        same.then_some(wanted.len().saturating_add(1))
    };
    match first {
        TestKind::Ip4Protocol(number) => {
            let used = follow(&[TestKind::Ip6Protocol(*number)])?;
            let text = match number {
                6 => "tcp".to_owned(),
                17 => "udp".to_owned(),
                50 => "esp".to_owned(),
                103 => "pim".to_owned(),
                132 => "sctp".to_owned(),
                number => format!("proto {number}"),
            };
            Some((text, used))
        }
        TestKind::Ip4(direction, address, mask) => {
            let (direction, address, mask) = (*direction, *address, *mask);
            let arp = |reverse| TestKind::Arp { reverse, direction, address, mask };
            let used = follow(&[arp(false), arp(true)])?;
            Some((address4("", direction, address, mask), used))
        }
        TestKind::Ip4Port(protocol, direction, ports) => {
            let (direction, ports) = (*direction, *ports);
            let ip4 = |protocol| TestKind::Ip4Port(protocol, direction, ports);
            let ip6 = |protocol| TestKind::Ip6Port(protocol, direction, ports);
            if *protocol == 6 {
                let others = [ip4(17), ip4(132), ip6(6), ip6(17), ip6(132)];
                if let Some(used) = follow(&others) {
                    return Some((port("", direction, ports), used));
                }
            }
            let used = follow(&[ip6(*protocol)])?;
            Some((port(&transport(*protocol), direction, ports), used))
        }
        _ => None,
    }
}

/// The most tests that come before a comparison.
const MOST_GUARDS: usize = 12;

/// Returns the text of the parts at the beginning of a list with `and` that are one comparison of
/// bytes, and how many they are: as many as possible, since what comes before a comparison may be
/// one itself.
fn comparison(list: &[Expr]) -> Option<(String, usize)> {
    for (index, part) in list.iter().enumerate().take(MOST_GUARDS).rev() {
        let Expr::Test(Test { depth, kind: TestKind::Compare(left, relation, right) }) = part
        else {
            continue;
        };
        let before = list.get(..index)?;
        for network in loads::NETWORK {
            for payload in loads::OVER_IP4 {
                let named = Names { network, payload4: payload, payload6: "icmp6" };
                let mut guards = Vec::new();
                named.guards(left, *depth, &mut guards)?;
                named.guards(right, *depth, &mut guards)?;
                if !guards.is_empty() && guards == before {
                    let text = named.comparison(left, *relation, right);
                    return Some((text, index.saturating_add(1)));
                }
            }
        }
    }
    None
}

/// Returns the text of one test.
fn one(test: &Test) -> String {
    match &test.kind {
        TestKind::EtherType(number) => match number {
            0x0800 => "ip".to_owned(),
            0x0806 => "arp".to_owned(),
            0x8035 => "rarp".to_owned(),
            0x86dd => "ip6".to_owned(),
            number => format!("ether proto {number:#06x}"),
        },
        TestKind::Vlan(None) => "vlan".to_owned(),
        TestKind::Vlan(Some(id)) => format!("vlan {id}"),
        TestKind::Ether(Direction::Destination, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) => {
            "ether broadcast".to_owned()
        }
        TestKind::Ether(direction, address) => {
            let [a, b, c, d, e, f] = address;
            let way = way(*direction);
            format!("ether {way}host {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
        }
        TestKind::EtherMulticast => "ether multicast".to_owned(),
        TestKind::Ip4(direction, address, mask) => address4("ip ", *direction, *address, *mask),
        TestKind::Arp { reverse, direction, address, mask } => {
            address4(if *reverse { "rarp " } else { "arp " }, *direction, *address, *mask)
        }
        TestKind::Ip6(direction, address, 128) => format!("{}host {address}", way(*direction)),
        TestKind::Ip6(direction, address, bits) => {
            format!("{}net {address}/{bits}", way(*direction))
        }
        TestKind::Ip4Protocol(1) => "icmp".to_owned(),
        TestKind::Ip4Protocol(2) => "igmp".to_owned(),
        TestKind::Ip4Protocol(number) => format!("ip proto {number}"),
        TestKind::Ip6Protocol(58) => "icmp6".to_owned(),
        TestKind::Ip6Protocol(number) => format!("ip6 proto {number}"),
        TestKind::Ip4Port(protocol, direction, ports) => {
            port(&format!("ip {}", transport(*protocol)), *direction, *ports)
        }
        TestKind::Ip6Port(protocol, direction, ports) => {
            port(&format!("ip6 {}", transport(*protocol)), *direction, *ports)
        }
        TestKind::AddressIn(direction, set) => format!("{}net @{}", way(*direction), set.name()),
        TestKind::Ip4PortIn(protocol, direction, set) => {
            format!("ip {}{}port @{}", transport(*protocol), way(*direction), set.name())
        }
        TestKind::Ip6PortIn(protocol, direction, set) => {
            format!("ip6 {}{}port @{}", transport(*protocol), way(*direction), set.name())
        }
        TestKind::Length(relation, number) => format!("len {} {number}", sign(*relation)),
        TestKind::Compare(left, relation, right) => {
            let raw = Names { network: "network", payload4: "payload4", payload6: "payload6" };
            raw.comparison(left, *relation, right)
        }
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Source => "src ",
        Direction::Destination => "dst ",
        Direction::Either => "",
        Direction::Both => "src and dst ",
    }
}

fn address4(protocol: &str, direction: Direction, address: Ipv4Addr, mask: Ipv4Addr) -> String {
    let way = way(direction);
    let bits = u32::from(mask).leading_ones();
    if bits == 32 {
        return format!("{protocol}{way}host {address}");
    }
    if u32::from(mask) == u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0) {
        return format!("{protocol}{way}net {address}/{bits}");
    }
    format!("{protocol}{way}net {address} mask {mask}")
}

/// The name of a transport protocol, with a space behind it.
fn transport(protocol: u8) -> String {
    match protocol {
        6 => "tcp ".to_owned(),
        17 => "udp ".to_owned(),
        132 => "sctp ".to_owned(),
        other => format!("{other} "),
    }
}

fn port(protocol: &str, direction: Direction, ports: Ports) -> String {
    let way = way(direction);
    let Ports { first, last } = ports;
    if first == last {
        return format!("{protocol}{way}port {first}");
    }
    format!("{protocol}{way}portrange {first}-{last}")
}

fn sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "=",
        Relation::NotEqual => "!=",
        Relation::Less => "<",
        Relation::LessOrEqual => "<=",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => ">=",
    }
}

fn operator(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Remainder => "%",
        Operator::And => "&",
        Operator::Or => "|",
        Operator::Xor => "^",
        Operator::ShiftLeft => "<<",
        Operator::ShiftRight => ">>",
    }
}

/// What headers are called in `NAME[...]`.
struct Names {
    network: &'static str,
    payload4: &'static str,
    payload6: &'static str,
}

impl Names {
    fn of(&self, header: Header) -> &'static str {
        match header {
            Header::Ethernet => "ether",
            Header::Network => self.network,
            Header::Ip4Payload => self.payload4,
            Header::Ip6Payload => self.payload6,
        }
    }

    /// Adds what the reader will put before the number, each once.
    fn guards(&self, number: &Number, depth: u8, guards: &mut Vec<Expr>) -> Option<()> {
        match number {
            Number::Constant(_) | Number::Length => {}
            Number::Load { header, offset, .. } => {
                self.guards(offset, depth, guards)?;
                let (_, own) = loads::header(self.of(*header), depth)?;
                for guard in own {
                    if !guards.contains(&guard) {
                        guards.push(guard);
                    }
                }
                if guards.len() > MOST_GUARDS {
                    return None;
                }
            }
            Number::Binary(_, left, right) => {
                self.guards(left, depth, guards)?;
                self.guards(right, depth, guards)?;
            }
            Number::Negate(inner) => self.guards(inner, depth, guards)?,
        }
        Some(())
    }

    fn comparison(&self, left: &Number, relation: Relation, right: &Number) -> String {
        let mut text = String::new();
        self.number(&mut text, left, false);
        let _ = write!(text, " {} ", sign(relation));
        self.number(&mut text, right, false);
        text
    }

    /// Writes a number, operators in parentheses if it is the operand of another one.
    fn number(&self, text: &mut String, number: &Number, operand: bool) {
        match number {
            Number::Constant(value) => text.push_str(&value.to_string()),
            Number::Length => text.push_str("len"),
            Number::Load { header, offset, size } => {
                text.push_str(self.of(*header));
                text.push('[');
                self.number(text, offset, false);
                if *size != 1 {
                    text.push(':');
                    text.push_str(&size.to_string());
                }
                text.push(']');
            }
            Number::Negate(inner) => {
                text.push('-');
                self.number(text, inner, true);
            }
            Number::Binary(kind, left, right) => {
                if operand {
                    text.push('(');
                }
                self.number(text, left, true);
                text.push(' ');
                text.push_str(operator(*kind));
                text.push(' ');
                self.number(text, right, true);
                if operand {
                    text.push(')');
                }
            }
        }
    }
}
