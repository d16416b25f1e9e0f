//! Conditions without `and`, `or` and `not`: a protocol, or qualifiers and a value.

use super::super::expr::{Direction, Expr, MOST_TAGS, Number, Relation, Test, TestKind};
use super::built::Built;
use super::cursor::{Parser, Result};
use super::lexer::Kind;
use super::loads::network_field;
use super::names;
use super::values::{Family, Protocol, Qualifiers, ValueKind};
use crate::error::ExpressionFault;

const VALUES: &str = "`host`, `net`, `port`, `portrange`, `src`, `dst` or `proto`";

impl Parser<'_> {
    /// Reads a condition that begins with a keyword.
    pub(super) fn primitive(&mut self) -> Result<(Built, Option<Qualifiers>)> {
        let expr = match self.word() {
            "less" => self.length(Relation::LessOrEqual)?,
            "greater" => self.length(Relation::GreaterOrEqual)?,
            "vlan" => self.vlan()?,
            "broadcast" => {
                self.advance();
                broadcast()
            }
            "multicast" => {
                self.advance();
                multicast()
            }
            word if names::is_protocol(word) => return self.protocol(),
            "src" | "dst" | "host" | "net" | "port" | "portrange" | "proto" | "protochain" => {
                return self.qualified(Protocol::Any);
            }
            _ => {
                let value = matches!(self.peek(), Kind::Ip4(..) | Kind::Ip6(_) | Kind::Ether(_));
                let expected = if names::service(self.word()).is_some() {
                    "a keyword before the service, such as `port`"
                } else if value {
                    "a keyword before the value, such as `host` or `net`"
                } else {
                    "a condition, such as `tcp`, `port 80` or `host 192.0.2.1`"
                };
                return Err(self.unexpected(expected));
            }
        };
        Ok((Built::new(expr), None))
    }

    /// `less 100`, `greater 100`.
    fn length(&mut self, relation: Relation) -> Result<Expr> {
        self.advance();
        let number = self.plain_number("a number of bytes")?;
        if relation == Relation::GreaterOrEqual && number == 0 {
            return Ok(Expr::Always(true));
        }
        Ok(Expr::Test(Test { depth: 0, kind: TestKind::Length(relation, number) }))
    }

    fn plain_number(&mut self, expected: &str) -> Result<u32> {
        let Kind::Number(number) = *self.peek() else { return Err(self.unexpected(expected)) };
        self.advance();
        Ok(number)
    }

    /// `vlan`, `vlan 5`: what follows is behind this tag.
    fn vlan(&mut self) -> Result<Expr> {
        if self.tags >= MOST_TAGS {
            let rule = format!("conditions look behind at most {MOST_TAGS} VLAN tags");
            return Err(self.fault(ExpressionFault::Limit, &rule));
        }
        self.advance();
        let id = match *self.peek() {
            Kind::Number(id) => {
                let small = u16::try_from(id).ok().filter(|id| *id <= 4095);
                let Some(id) = small else {
                    let rule = "the id of a VLAN is at most 4095";
                    return Err(self.fault(ExpressionFault::Value, rule));
                };
                self.advance();
                Some(id)
            }
            _ => None,
        };
        let test = self.test(TestKind::Vlan(id));
        self.tags = self.tags.saturating_add(1);
        Ok(test)
    }

    /// `behind 1`: the term that follows is behind so many tags. Returns how many it would have
    /// been otherwise.
    pub(super) fn behind(&mut self) -> Result<u8> {
        self.advance();
        let at = self.position();
        let number = self.plain_number("a number of VLAN tags")?;
        let tags = u8::try_from(number).ok().filter(|tags| *tags <= MOST_TAGS);
        let Some(tags) = tags else {
            let rule = format!("conditions look behind at most {MOST_TAGS} VLAN tags");
            return Err(self.fault_at(at, ExpressionFault::Limit, &rule));
        };
        Ok(std::mem::replace(&mut self.tags, tags))
    }

    /// A condition that begins with a protocol.
    fn protocol(&mut self) -> Result<(Built, Option<Qualifiers>)> {
        let name = self.word().to_owned();
        self.advance();
        let protocol = match name.as_str() {
            "ether" | "link" => Protocol::Ether,
            "ip" => Protocol::Ip,
            "ip6" => Protocol::Ip6,
            "arp" => Protocol::Arp,
            "rarp" => Protocol::Rarp,
            "tcp" => Protocol::Transport(6),
            "udp" => Protocol::Transport(17),
            "sctp" => Protocol::Transport(132),
            _ => Protocol::Other,
        };
        let family = match protocol {
            Protocol::Ip => Some(Family::Ip),
            Protocol::Ip6 => Some(Family::Ip6),
            _ => None,
        };
        let expr = match (self.word(), family) {
            ("tcp" | "udp" | "sctp", Some(family)) => {
                let number = names::protocol(self.word()).unwrap_or_default();
                self.advance();
                return self.qualified(Protocol::Over(family, number));
            }
            ("src" | "dst" | "host" | "net" | "port" | "portrange" | "proto" | "protochain", _) => {
                return self.qualified(protocol);
            }
            ("broadcast", _) => {
                if protocol != Protocol::Ether {
                    let rule = "the broadcast address depends on the network; write \
                                `dst host ADDRESS`";
                    return Err(self.fault(ExpressionFault::NotTaken, rule));
                }
                self.advance();
                broadcast()
            }
            ("multicast", _) => {
                let expr = match protocol {
                    Protocol::Ether => multicast(),
                    Protocol::Ip => self.guarded(0x0800, 16, Relation::GreaterOrEqual, 0xe0),
                    Protocol::Ip6 => self.guarded(0x86dd, 24, Relation::Equal, 0xff),
                    _ => {
                        let rule = "`multicast` is for `ether`, `ip` and `ip6`";
                        return Err(self.fault(ExpressionFault::Value, rule));
                    }
                };
                self.advance();
                expr
            }
            (word, _) if names::not_taken(word).is_some() => return Err(self.unexpected("")),
            _ => match self.abbreviation(&name) {
                Some(expr) => expr,
                None => {
                    let expected = format!("`multicast`, `broadcast`, `[`, {VALUES}");
                    return Err(self.unexpected(&expected));
                }
            },
        };
        Ok((Built::new(expr), None))
    }

    /// A protocol without anything behind it; `None` for Ethernet.
    fn abbreviation(&self, name: &str) -> Option<Expr> {
        match name {
            "ip" | "ip6" | "arp" | "rarp" => {
                Some(self.test(TestKind::EtherType(names::ether_type(name)?)))
            }
            "icmp" | "igmp" | "igrp" | "vrrp" | "carp" => Some(self.ip4(names::protocol(name)?)),
            "icmp6" => Some(self.ip6(names::protocol(name)?)),
            _ => {
                let number = names::protocol(name)?;
                Some(self.ip4(number).or(self.ip6(number)))
            }
        }
    }

    /// A byte of the network header, behind a test of the Ethernet type.
    fn guarded(&self, ether_type: u16, offset: u32, relation: Relation, value: u32) -> Expr {
        let byte = network_field(offset, 1);
        let kind = TestKind::Compare(byte, relation, Number::Constant(value));
        self.test(TestKind::EtherType(ether_type)).and(self.test(kind))
    }

    /// Qualifiers, and a value or several in parentheses.
    fn qualified(&mut self, protocol: Protocol) -> Result<(Built, Option<Qualifiers>)> {
        let directed = match self.word() {
            "src" => Some((Direction::Source, "dst")),
            "dst" => Some((Direction::Destination, "src")),
            _ => None,
        };
        let mut direction = Direction::Either;
        if let Some((first, other)) = directed {
            self.advance();
            direction = first;
            if self.word_at(1) == other {
                if self.take_sign("or") {
                    direction = Direction::Either;
                    self.advance();
                } else if self.take_sign("and") {
                    direction = Direction::Both;
                    self.advance();
                }
            }
        }
        let keyword = self.position();
        let kind = match (self.word(), directed) {
            ("host", _) => Some(ValueKind::Host),
            ("net", _) => Some(ValueKind::Net),
            ("port", _) => Some(ValueKind::Port),
            ("portrange", _) => Some(ValueKind::PortRange),
            ("proto", None) => Some(ValueKind::Protocol),
            ("protochain", None) => Some(ValueKind::ProtocolChain),
            _ => None,
        };
        let kind = match kind {
            Some(kind) => {
                self.advance();
                kind
            }
            None if directed.is_some() => {
                if names::not_taken(self.word()).is_some() || names::is_keyword(self.word()) {
                    return Err(self.unexpected("`host`, `net`, `port`, `portrange` or a value"));
                }
                ValueKind::Direction
            }
            None => return Err(self.unexpected(VALUES)),
        };
        self.check(protocol, kind, keyword)?;
        let qualifiers = Qualifiers { protocol, direction, kind };
        let built = self.values(qualifiers)?;
        Ok((built, Some(qualifiers)))
    }

    /// Refuses values that the protocol does not have.
    fn check(&self, protocol: Protocol, kind: ValueKind, token: usize) -> Result<()> {
        let rule = match kind {
            ValueKind::Host | ValueKind::Direction | ValueKind::Net => match protocol {
                Protocol::Ether if kind == ValueKind::Net => "Ethernet has no networks",
                Protocol::Transport(_) | Protocol::Over(..) | Protocol::Other => {
                    "addresses are of `ether`, `ip`, `ip6`, `arp` or `rarp`: write `and` between \
                     the protocol and the address, or `port` for a port"
                }
                _ => return Ok(()),
            },
            ValueKind::Port | ValueKind::PortRange => match protocol {
                Protocol::Any | Protocol::Transport(_) | Protocol::Over(..) => return Ok(()),
                _ => "ports are of `tcp`, `udp` or `sctp`",
            },
            ValueKind::Protocol => match protocol {
                Protocol::Any | Protocol::Ether | Protocol::Ip | Protocol::Ip6 => return Ok(()),
                _ => "`proto` is for `ether`, `ip` and `ip6`",
            },
            ValueKind::ProtocolChain => match protocol {
                Protocol::Ip6 => return Ok(()),
                _ => {
                    let rule = "only `ip6 protochain` is; `proto` does not look behind the \
                                authentication header of IPv4";
                    return Err(self.fault_at(token, ExpressionFault::NotTaken, rule));
                }
            },
        };
        Err(self.fault_at(token, ExpressionFault::Value, rule))
    }
}

fn broadcast() -> Expr {
    let kind = TestKind::Ether(Direction::Destination, [0xff; 6]);
    Expr::Test(Test { depth: 0, kind })
}

fn multicast() -> Expr {
    Expr::Test(Test { depth: 0, kind: TestKind::EtherMulticast })
}
