//! Values behind qualifiers: addresses, networks, ports, protocols.

use super::super::expr::{Direction, Expr, Ports, Test, TestKind};
use super::built::Built;
use super::cursor::{Parser, Result};
use super::lexer::Kind;
use super::loads::first_header;
use super::names;
use crate::error::{ExpressionError, ExpressionFault};
use std::net::Ipv4Addr;

/// What comes before a value: `tcp src port`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Qualifiers {
    pub(super) protocol: Protocol,
    pub(super) direction: Direction,
    pub(super) kind: ValueKind,
}

/// The protocol that a value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Any,
    Ether,
    Ip,
    Ip6,
    Arp,
    Rarp,
    /// TCP, UDP or SCTP over both kinds of IP.
    Transport(u8),
    /// The same over IPv4 only or over IPv6 only, which tcpdump has no words for.
    Over(Family, u8),
    /// Any other one, which no value belongs to.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ip,
    Ip6,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Host,
    /// A direction without a keyword, which is for hosts.
    Direction,
    Net,
    Port,
    PortRange,
    Protocol,
    ProtocolChain,
}

/// TCP, UDP and SCTP.
const TRANSPORTS: [u8; 3] = [6, 17, 132];

/// Extension headers of IPv6: a packet's last header is none of them.
const EXTENSIONS: [u8; 5] = [0, 43, 44, 51, 60];

const PORT_RULE: &str = "a port is at most 65535";

fn mask4(bits: u32) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0)
}

impl Parser<'_> {
    pub(super) fn test(&self, kind: TestKind) -> Expr {
        Expr::Test(Test { depth: self.tags, kind })
    }

    pub(super) fn ip4(&self, number: u8) -> Expr {
        self.test(TestKind::Ip4Protocol(number))
    }

    pub(super) fn ip6(&self, number: u8) -> Expr {
        if EXTENSIONS.contains(&number) {
            let ip6 = self.test(TestKind::EtherType(0x86dd));
            return ip6.and(self.test(first_header(number)));
        }
        self.test(TestKind::Ip6Protocol(number))
    }

    /// Reads a value, or several in parentheses with `and`, `or` and `not`.
    pub(super) fn values(&mut self, qualifiers: Qualifiers) -> Result<Built> {
        let begin = self.position();
        let mut negated = false;
        while self.take_sign("not") {
            negated = !negated;
        }
        let built = if matches!(self.peek(), Kind::Sign("(")) {
            self.enter()?;
            self.advance();
            let mut built = self.values(qualifiers)?;
            loop {
                let at = self.position();
                let or = match self.peek() {
                    Kind::Sign("or") => true,
                    Kind::Sign("and") => false,
                    Kind::Sign(")") => break,
                    _ => return Err(self.unexpected("`and`, `or` or `)`")),
                };
                self.advance();
                built = built.join(or, self.values(qualifiers)?);
                self.check_levels(built.levels, at)?;
            }
            self.advance();
            self.leave();
            built
        } else {
            Built::new(self.value(qualifiers)?)
        };
        if !negated {
            return Ok(built);
        }
        let built = built.not();
        self.check_levels(built.levels, begin)?;
        Ok(built)
    }

    /// One value.
    fn value(&mut self, qualifiers: Qualifiers) -> Result<Expr> {
        match qualifiers.kind {
            ValueKind::Host | ValueKind::Direction if qualifiers.protocol == Protocol::Ether => {
                let Kind::Ether(address) = *self.peek() else {
                    return Err(self.no_name("an Ethernet address, such as 02:00:00:00:00:01"));
                };
                self.advance();
                let kind = TestKind::Ether(qualifiers.direction, address);
                Ok(Expr::Test(Test { depth: 0, kind }))
            }
            ValueKind::Host | ValueKind::Direction | ValueKind::Net => self.address(qualifiers),
            ValueKind::Port | ValueKind::PortRange => self.ports(qualifiers),
            ValueKind::Protocol => self.protocol_number(qualifiers.protocol),
            ValueKind::ProtocolChain => {
                let at = self.position();
                let number = self.ip_protocol()?;
                if EXTENSIONS.contains(&number) {
                    let rule = "an extension header is only found as the first one: `ip6 proto`";
                    return Err(self.fault_at(at, ExpressionFault::NotTaken, rule));
                }
                Ok(self.ip6(number))
            }
        }
    }

    /// Makes an error that says why a name is no value.
    fn no_name(&self, expected: &str) -> ExpressionError {
        let word = self.word();
        let name = matches!(self.peek(), Kind::Word | Kind::Escaped);
        if name && !names::is_keyword(word) && names::not_taken(word).is_none() {
            let rule = format!("names are not looked up; write {expected}");
            return self.fault(ExpressionFault::NotTaken, &rule);
        }
        self.unexpected(expected)
    }

    /// An address or a network.
    fn address(&mut self, qualifiers: Qualifiers) -> Result<Expr> {
        let Qualifiers { protocol, direction, kind } = qualifiers;
        let is_net = kind == ValueKind::Net;
        let at = self.position();
        match *self.peek() {
            Kind::Ip4(address, bits) => {
                self.advance();
                self.check_network(is_net)?;
                let mask = match self.prefix_length(32)? {
                    Some(bits) => mask4(bits.into()),
                    None if self.take_word("mask") => {
                        let Kind::Ip4(mask, _) = *self.peek() else {
                            return Err(self.unexpected("a mask, such as 255.255.255.0"));
                        };
                        self.advance();
                        mask
                    }
                    None => mask4(bits),
                };
                if address & !mask != 0 {
                    return Err(self.host_bits(at));
                }
                self.host4(protocol, direction, address, mask, at)
            }
            Kind::Number(number) => {
                self.advance();
                // As in tcpdump, `net 10` is 10.0.0.0/8, and `host 10` is 0.0.0.10.
                let zeros = if is_net { number.leading_zeros() & !7 } else { 0 };
                let address = number.checked_shl(zeros).unwrap_or(0);
                let mask = if number == 0 { u32::MAX } else { u32::MAX << zeros };
                self.host4(protocol, direction, address, mask, at)
            }
            Kind::Ip6(address) => {
                self.advance();
                self.check_network(is_net)?;
                let bits = self.prefix_length(128)?.unwrap_or(128);
                let rest = u128::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
                if u128::from(address) & rest != 0 {
                    return Err(self.host_bits(at));
                }
                if !matches!(protocol, Protocol::Any | Protocol::Ip6) {
                    let rule = "this is an IPv6 address: write `ip6`, or leave the protocol out";
                    return Err(self.fault_at(at, ExpressionFault::Value, rule));
                }
                Ok(self.test(TestKind::Ip6(direction, address, bits)))
            }
            Kind::Ether(_) => {
                let rule = "this is an Ethernet address: write `ether host`";
                Err(self.fault(ExpressionFault::Value, rule))
            }
            _ if is_net => Err(self.no_name("a network, such as 192.0.2.0/24")),
            _ => Err(self.no_name("an address, such as 192.0.2.1")),
        }
    }

    /// Refuses a prefix or a mask of a host.
    fn check_network(&self, is_net: bool) -> Result<()> {
        if !is_net && (matches!(self.peek(), Kind::Sign("/")) || self.word() == "mask") {
            let rule = "a prefix is for networks: write `net` in place of `host`, or behind `src` \
                        or `dst`";
            return Err(self.fault(ExpressionFault::Value, rule));
        }
        Ok(())
    }

    fn host_bits(&self, at: usize) -> ExpressionError {
        let rule = "bits behind the prefix are set";
        self.fault_at(at, ExpressionFault::Value, rule)
    }

    /// The length of a prefix: `/24`.
    fn prefix_length(&mut self, most: u8) -> Result<Option<u8>> {
        if !self.take_sign("/") {
            return Ok(None);
        }
        let Kind::Number(number) = *self.peek() else {
            return Err(self.unexpected("the length of the prefix"));
        };
        let Some(bits) = u8::try_from(number).ok().filter(|bits| *bits <= most) else {
            let rule = format!("a prefix has at most {most} bits here");
            return Err(self.fault(ExpressionFault::Value, &rule));
        };
        self.advance();
        Ok(Some(bits))
    }

    fn host4(
        &self,
        protocol: Protocol,
        direction: Direction,
        address: u32,
        mask: u32,
        at: usize,
    ) -> Result<Expr> {
        let address = Ipv4Addr::from(address);
        let mask = Ipv4Addr::from(mask);
        let ip = || self.test(TestKind::Ip4(direction, address, mask));
        let arp = |reverse| self.test(TestKind::Arp { reverse, direction, address, mask });
        match protocol {
            Protocol::Any => Ok(Expr::any([ip(), arp(false), arp(true)])),
            Protocol::Ip => Ok(ip()),
            Protocol::Arp => Ok(arp(false)),
            Protocol::Rarp => Ok(arp(true)),
            _ => {
                let rule = "this is an IPv4 address: write `ip`, or leave the protocol out";
                Err(self.fault_at(at, ExpressionFault::Value, rule))
            }
        }
    }

    /// A port, a service, or a range of them.
    fn ports(&mut self, qualifiers: Qualifiers) -> Result<Expr> {
        let at = self.position();
        let (ports, only) = match *self.peek() {
            Kind::Number(number) => {
                let Ok(port) = u16::try_from(number) else {
                    return Err(self.fault(ExpressionFault::Value, PORT_RULE));
                };
                (Ports::from(port), None)
            }
            Kind::Word | Kind::Escaped => {
                let name = self.name();
                if names::is_keyword(&name) && *self.peek() == Kind::Word {
                    return Err(self.unexpected("a port, or the name of a service"));
                }
                match names::service(&name) {
                    Some((port, only)) => (Ports::from(port), only),
                    None if qualifiers.kind == ValueKind::PortRange => self.range(&name)?,
                    None => return Err(self.unknown_service(&name)),
                }
            }
            _ => return Err(self.unexpected("a port, or the name of a service")),
        };
        self.advance();
        let protocol = match (qualifiers.protocol, only) {
            (Protocol::Transport(wanted) | Protocol::Over(_, wanted), Some(only))
                if wanted != only =>
            {
                let rule = "this service is of another protocol; write its number";
                return Err(self.fault_at(at, ExpressionFault::Value, rule));
            }
            (Protocol::Any, Some(only)) => Protocol::Transport(only),
            (protocol, _) => protocol,
        };
        let direction = qualifiers.direction;
        let ip4 = |number| self.test(TestKind::Ip4Port(number, direction, ports));
        let ip6 = |number| self.test(TestKind::Ip6Port(number, direction, ports));
        Ok(match protocol {
            Protocol::Transport(number) => ip4(number).or(ip6(number)),
            Protocol::Over(Family::Ip, number) => ip4(number),
            Protocol::Over(Family::Ip6, number) => ip6(number),
            _ => Expr::any(TRANSPORTS.map(ip4).into_iter().chain(TRANSPORTS.map(ip6))),
        })
    }

    fn name(&self) -> String {
        let escaped = *self.peek() == Kind::Escaped;
        let text = self.token_text();
        text.get(usize::from(escaped)..).unwrap_or_default().to_owned()
    }

    /// `80-90`, `http-https`.
    fn range(&self, name: &str) -> Result<(Ports, Option<u8>)> {
        let cuts = name.match_indices('-').map(|(at, _)| name.split_at(at));
        let end = |text: &str| match text.parse::<u32>() {
            Ok(number) => Some((number, None)),
            Err(_) => names::service(text).map(|(port, only)| (u32::from(port), only)),
        };
        for (first, last) in cuts {
            let last = last.trim_start_matches('-');
            let (Some((first, one)), Some((last, other))) = (end(first), end(last)) else {
                continue;
            };
            let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(last)) else {
                return Err(self.fault(ExpressionFault::Value, PORT_RULE));
            };
            // As in tcpdump, two services that are of different protocols are of any.
            let only = if one == other { one } else { None };
            return Ok((Ports::from(first..=last), only));
        }
        let rule = "a range is two ports with `-` between them and no spaces, such as 8000-8080";
        Err(self.fault(ExpressionFault::Value, rule))
    }

    fn unknown_service(&self, name: &str) -> ExpressionError {
        let rule = if name.contains('-') {
            "no service of this name is known; a range is for `portrange`"
        } else {
            "no service of this name is known; write the number of the port"
        };
        self.fault(ExpressionFault::Value, rule)
    }

    /// The number or the name of a protocol behind `proto`.
    fn protocol_number(&mut self, protocol: Protocol) -> Result<Expr> {
        if protocol == Protocol::Ether {
            let number = match *self.peek() {
                Kind::Number(number) => u16::try_from(number).ok().filter(|n| *n >= 0x600),
                Kind::Word | Kind::Escaped => match names::ether_type(&self.name()) {
                    Some(number) => Some(number),
                    None => return Err(self.unknown_protocol("`ip`, `ip6`, `arp` or `rarp`")),
                },
                _ => return Err(self.unexpected("an Ethernet type")),
            };
            let Some(number) = number else {
                let rule = "an Ethernet type is from 0x600 to 0xffff; what is below is for IEEE \
                            802.2";
                return Err(self.fault(ExpressionFault::Value, rule));
            };
            self.advance();
            return Ok(self.test(TestKind::EtherType(number)));
        }
        let number = self.ip_protocol()?;
        Ok(match protocol {
            Protocol::Ip => self.ip4(number),
            Protocol::Ip6 => self.ip6(number),
            _ => self.ip4(number).or(self.ip6(number)),
        })
    }

    fn unknown_protocol(&self, known: &str) -> ExpressionError {
        if names::not_taken(self.word()).is_some() {
            return self.unexpected("");
        }
        let rule = format!("no protocol of this name is known; write its number, or {known}");
        self.fault(ExpressionFault::Value, &rule)
    }

    fn ip_protocol(&mut self) -> Result<u8> {
        let number = match *self.peek() {
            Kind::Number(number) => match u8::try_from(number) {
                Ok(number) => number,
                Err(_) => {
                    let rule = "a protocol's number is at most 255";
                    return Err(self.fault(ExpressionFault::Value, rule));
                }
            },
            Kind::Word | Kind::Escaped => match names::protocol(&self.name()) {
                Some(number) => number,
                None => return Err(self.unknown_protocol("a name such as `tcp` or `gre`")),
            },
            _ => return Err(self.unexpected("a protocol")),
        };
        self.advance();
        Ok(number)
    }
}
