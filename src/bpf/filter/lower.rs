//! Lowers conditions to comparisons of fields: which header bytes a test reads, and which values
//! of them make it true.

use super::direction::Direction;
use super::expr::{Expr, Header, Number, Operator, Relation, Test, TestKind};
use super::field::{Base, Compare, Field, LONGEST, Load, NOT_FIRST, SHORTEST};
use super::ports::Ports;
use super::set::PortSet;

/// A condition whose tests compare fields. `And` and `Or` have the meaning of [`Expr`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Formula {
    Always(bool),
    Not(Box<Formula>),
    And(Vec<Formula>),
    Or(Vec<Formula>),
    /// The field's value is in one of these ranges: both ends are in it, they are in order, and do
    /// not overlap. Unreadable if the field is absent.
    In(Field, Ranges),
}

/// Ranges of values, both ends in them, in order.
pub(super) type Ranges = Vec<(u64, u64)>;

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
pub(super) const IPV6: u16 = 0x86dd;
const TAGS: [u64; 3] = [0x8100, 0x88a8, 0x9100];
/// The fragment's offset, in the flags word of IPv4.
const FRAGMENT_OFFSET: u64 = 0x1fff;
/// The largest constant offset that an instruction has room for, with any header before it.
const MOST_OFFSET: u32 = 0x7000;

/// Lowers a condition.
pub(super) fn lower(expr: &Expr) -> Formula {
    match expr {
        Expr::Always(outcome) => Formula::Always(*outcome),
        Expr::Not(inner) => Formula::Not(Box::new(lower(inner))),
        Expr::And(all) => Formula::And(all.iter().map(lower).collect()),
        Expr::Or(all) => Formula::Or(all.iter().map(lower).collect()),
        Expr::Test(test) => lower_test(test),
    }
}

/// Adds the fields of a formula to `fields`, in their order.
pub(super) fn collect(formula: &Formula, fields: &mut Vec<Field>) {
    match formula {
        Formula::Always(_) => {}
        Formula::Not(inner) => collect(inner, fields),
        Formula::And(all) | Formula::Or(all) => {
            for one in all {
                collect(one, fields);
            }
        }
        Formula::In(field, _) => fields.push(field.clone()),
    }
}

fn lower_test(test: &Test) -> Formula {
    let depth = test.depth;
    let network = network(depth);
    let ip4 = || ether_type(depth, IPV4);
    let ip6 = || ether_type(depth, IPV6);
    match &test.kind {
        TestKind::EtherType(kind) => ether_type(depth, *kind),
        TestKind::Vlan(id) => {
            let tagged = Formula::In(ether_type_field(depth), TAGS.map(|tag| (tag, tag)).to_vec());
            match id {
                None => tagged,
                Some(id) => {
                    let id = u64::from(*id);
                    let field = packet(network, 2, 0xfff);
                    Formula::And(vec![tagged, Formula::In(field, vec![(id, id)])])
                }
            }
        }
        TestKind::Ether(direction, address) => {
            let [a, b, c, d, e, f] = *address;
            let value = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
            let one = |offset| Formula::In(packet(offset, 6, Load::full(6)), vec![(value, value)]);
            either(*direction, one(6), one(0))
        }
        TestKind::EtherMulticast => Formula::In(packet(0, 1, 1), vec![(1, 1)]),
        TestKind::Ip4(direction, address, mask) => {
            let one = |offset| address4(network.saturating_add(offset), *address, *mask);
            Formula::And(vec![ip4(), either(*direction, one(12), one(16))])
        }
        TestKind::Arp { reverse, direction, address, mask } => {
            let one = |offset| address4(network.saturating_add(offset), *address, *mask);
            let kind = ether_type(depth, if *reverse { RARP } else { ARP });
            Formula::And(vec![kind, either(*direction, one(14), one(24))])
        }
        TestKind::Ip6(direction, address, len) => {
            let one = |offset| {
                address6(
                    network.saturating_add(offset),
                    u128::from_be_bytes(address.octets()),
                    *len,
                )
            };
            Formula::And(vec![ip6(), either(*direction, one(8), one(24))])
        }
        TestKind::Ip4Protocol(protocol) => Formula::And(vec![ip4(), protocol4(network, *protocol)]),
        TestKind::Ip6Protocol(protocol) => {
            let protocol = u64::from(*protocol);
            let not_first = protocol | NOT_FIRST;
            let both = vec![(protocol, protocol), (not_first, not_first)];
            Formula::And(vec![ip6(), Formula::In(Field::Upper6 { depth }, both)])
        }
        TestKind::Ip4Port(protocol, direction, ports) => Formula::And(vec![
            ip4(),
            protocol4(network, *protocol),
            Formula::In(packet(network.saturating_add(6), 2, FRAGMENT_OFFSET), vec![(0, 0)]),
            either_port(Base::Payload4 { depth }, *direction, *ports),
        ]),
        TestKind::Ip6Port(protocol, direction, ports) => {
            let protocol = u64::from(*protocol);
            Formula::And(vec![
                ip6(),
                Formula::In(Field::Upper6 { depth }, vec![(protocol, protocol)]),
                either_port(Base::Payload6 { depth }, *direction, *ports),
            ])
        }
        TestKind::AddressIn(direction, set) => {
            let inside = |field| Formula::In(field, vec![(1, 1)]);
            let table = |offset| {
                let offset = network.saturating_add(offset);
                inside(Field::InTable { set: set.clone(), offset })
            };
            let trie = |offset| {
                let offset = network.saturating_add(offset);
                inside(Field::InTrie { set: set.clone(), offset })
            };
            Formula::Or(vec![
                Formula::And(vec![ip4(), either(*direction, table(12), table(16))]),
                Formula::And(vec![ip6(), either(*direction, trie(8), trie(24))]),
            ])
        }
        TestKind::Ip4PortIn(protocol, direction, set) => Formula::And(vec![
            ip4(),
            protocol4(network, *protocol),
            Formula::In(packet(network.saturating_add(6), 2, FRAGMENT_OFFSET), vec![(0, 0)]),
            either_port_in(Base::Payload4 { depth }, *direction, set),
        ]),
        TestKind::Ip6PortIn(protocol, direction, set) => {
            let protocol = u64::from(*protocol);
            Formula::And(vec![
                ip6(),
                Formula::In(Field::Upper6 { depth }, vec![(protocol, protocol)]),
                either_port_in(Base::Payload6 { depth }, *direction, set),
            ])
        }
        TestKind::Length(relation, number) => length(*relation, u64::from(*number)),
        TestKind::Compare(left, relation, right) => {
            compare(depth, fold(left), *relation, fold(right))
        }
    }
}

/// Returns the offset of what comes behind the Ethernet type.
pub(super) fn network(depth: u8) -> u32 {
    u32::from(depth).saturating_mul(4).saturating_add(14)
}

fn packet(offset: u32, size: u8, mask: u64) -> Field {
    Field::Load(Load { base: Base::Packet, offset, size, mask })
}

fn ether_type_field(depth: u8) -> Field {
    packet(network(depth).saturating_sub(2), 2, 0xffff)
}

fn ether_type(depth: u8, kind: u16) -> Formula {
    let kind = u64::from(kind);
    Formula::In(ether_type_field(depth), vec![(kind, kind)])
}

fn protocol4(network: u32, protocol: u8) -> Formula {
    let protocol = u64::from(protocol);
    Formula::In(packet(network.saturating_add(9), 1, 0xff), vec![(protocol, protocol)])
}

fn address4(offset: u32, address: std::net::Ipv4Addr, mask: std::net::Ipv4Addr) -> Formula {
    let (address, mask) = (u32::from(address), u32::from(mask));
    let first = u64::from(address & mask);
    if mask.leading_ones().saturating_add(mask.trailing_zeros()) == 32 {
        let last = u64::from(address | !mask);
        return Formula::In(packet(offset, 4, Load::full(4)), vec![(first, last)]);
    }
    Formula::In(packet(offset, 4, u64::from(mask)), vec![(first, first)])
}

/// The last bytes are read first: a packet without them has no address at all.
fn address6(offset: u32, address: u128, len: u8) -> Formula {
    let full = Load::full(8);
    let (high, low) = (packet(offset, 8, full), packet(offset.saturating_add(8), 8, full));
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(len))).unwrap_or(0);
    let [first, last] = [address & mask, address | !mask].map(halves);
    let whole = Formula::In(low.clone(), vec![(0, full)]);
    let high = Formula::In(high, vec![(first.0, last.0)]);
    if len <= 64 {
        return Formula::And(vec![whole, high]);
    }
    Formula::And(vec![whole, high, Formula::In(low, vec![(first.1, last.1)])])
}

/// Returns the first and the last eight bytes.
fn halves(address: u128) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = address.to_be_bytes();
    let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    (high, u64::from_be_bytes([i, j, k, l, m, n, o, p]))
}

fn either(direction: Direction, source: Formula, destination: Formula) -> Formula {
    match direction {
        Direction::Source => source,
        Direction::Destination => destination,
        Direction::Either => Formula::Or(vec![source, destination]),
        Direction::Both => Formula::And(vec![source, destination]),
    }
}

fn either_port(base: Base, direction: Direction, ports: Ports) -> Formula {
    let one = |offset| {
        let field = Field::Load(Load { base, offset, size: 2, mask: 0xffff });
        Formula::In(field, vec![(u64::from(ports.first), u64::from(ports.last))])
    };
    either(direction, one(0), one(2))
}

fn either_port_in(base: Base, direction: Direction, set: &PortSet) -> Formula {
    let one = |offset| {
        let load = Load { base, offset, size: 2, mask: 0xffff };
        Formula::In(Field::InPorts { set: set.clone(), load }, vec![(1, 1)])
    };
    either(direction, one(0), one(2))
}

/// Returns the values from 0 to `most` that compare so with `number`.
fn ranges(relation: Relation, number: u64, most: u64) -> Ranges {
    let below = || number.checked_sub(1).map(|last| (0, last.min(most)));
    let above = || (number < most).then(|| (number.saturating_add(1), most));
    let equal = || (number <= most).then_some((number, number));
    let (first, second) = match relation {
        Relation::Equal => (equal(), None),
        Relation::NotEqual => (below(), above()),
        Relation::Less => (below(), None),
        Relation::LessOrEqual => (Some((0, number.min(most))), None),
        Relation::Greater => (above(), None),
        Relation::GreaterOrEqual => ((number <= most).then_some((number, most)), None),
    };
    first.into_iter().chain(second).collect()
}

/// Lowers a comparison of the packet's length, of which all packets have some and none has others.
fn length(relation: Relation, number: u64) -> Formula {
    let all = ranges(relation, number, LONGEST);
    let some = all.into_iter().filter(|&(_, last)| last >= SHORTEST);
    let some = some.map(|(first, last)| (if first <= SHORTEST { 0 } else { first }, last));
    Formula::In(Field::Length, some.collect())
}

/// Lowers a comparison of numbers, whose constants are folded.
fn compare(depth: u8, left: Number, relation: Relation, right: Number) -> Formula {
    if let (Number::Constant(_), false) = (&left, matches!(right, Number::Constant(_))) {
        return compare(depth, right, mirrored(relation), left);
    }
    if let Number::Constant(number) = right {
        let number = u64::from(number);
        if let Number::Constant(left) = left {
            let all = ranges(relation, number, u64::from(u32::MAX));
            let left = u64::from(left);
            return Formula::Always(all.iter().any(|&(a, b)| a <= left && left <= b));
        }
        if left == Number::Length {
            return length(relation, number);
        }
        if let Some(field) = plain(depth, &left) {
            let most = field.most();
            return Formula::In(field, ranges(relation, number, most));
        }
    }
    let field = Field::Compare(Box::new(Compare { depth, left, relation, right }));
    Formula::In(field, vec![(1, 1)])
}

/// Returns the field that a number is, if it is one.
fn plain(depth: u8, number: &Number) -> Option<Field> {
    match number {
        Number::Load { header, offset, size } => {
            let Number::Constant(offset) = **offset else { return None };
            load(depth, *header, offset, *size, Load::full(*size))
        }
        Number::Binary(Operator::And, left, right) => {
            let (number, mask) = match (&**left, &**right) {
                (number, Number::Constant(mask)) | (Number::Constant(mask), number) => {
                    (number, *mask)
                }
                _ => return None,
            };
            match plain(depth, number)? {
                Field::Load(load) => {
                    let mask = load.mask & u64::from(mask);
                    Some(Field::Load(Load { mask, ..load }))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn load(depth: u8, header: Header, offset: u32, size: u8, mask: u64) -> Option<Field> {
    if offset > MOST_OFFSET {
        return None;
    }
    let network = network(depth);
    let (base, offset) = match header {
        Header::Ethernet => (Base::Packet, offset),
        Header::Network => (Base::Packet, offset.checked_add(network)?),
        Header::Ip4Payload => (Base::Payload4 { depth }, offset),
        Header::Ip6Payload => (Base::Packet, offset.checked_add(network)?.checked_add(40)?),
    };
    Some(Field::Load(Load { base, offset, size, mask }))
}

fn mirrored(relation: Relation) -> Relation {
    match relation {
        Relation::Equal | Relation::NotEqual => relation,
        Relation::Less => Relation::Greater,
        Relation::LessOrEqual => Relation::GreaterOrEqual,
        Relation::Greater => Relation::Less,
        Relation::GreaterOrEqual => Relation::LessOrEqual,
    }
}

/// Computes what is constant in a number. A division by a constant 0 stays: it is unreadable.
fn fold(number: &Number) -> Number {
    match number {
        Number::Constant(_) | Number::Length => number.clone(),
        Number::Load { header, offset, size } => {
            Number::Load { header: *header, offset: Box::new(fold(offset)), size: *size }
        }
        Number::Negate(inner) => match fold(inner) {
            Number::Constant(value) => Number::Constant(value.wrapping_neg()),
            inner => Number::Negate(Box::new(inner)),
        },
        Number::Binary(operator, left, right) => {
            let (left, right) = (fold(left), fold(right));
            if let (Number::Constant(a), Number::Constant(b)) = (&left, &right) {
                if let Some(value) = apply(*operator, *a, *b) {
                    return Number::Constant(value);
                }
            }
            Number::Binary(*operator, Box::new(left), Box::new(right))
        }
    }
}

/// Returns the outcome of an operation; `None` for a division by 0.
fn apply(operator: Operator, a: u32, b: u32) -> Option<u32> {
    Some(match operator {
        Operator::Add => a.wrapping_add(b),
        Operator::Subtract => a.wrapping_sub(b),
        Operator::Multiply => a.wrapping_mul(b),
        Operator::Divide => return a.checked_div(b),
        Operator::Remainder => return a.checked_rem(b),
        Operator::And => a & b,
        Operator::Or => a | b,
        Operator::Xor => a ^ b,
        Operator::ShiftLeft => a.checked_shl(b).unwrap_or(0),
        Operator::ShiftRight => a.checked_shr(b).unwrap_or(0),
    })
}
