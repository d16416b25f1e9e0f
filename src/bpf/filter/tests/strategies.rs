//! Random expressions and packets.

use super::super::direction::Direction;
use super::super::expr::{Expr, Header, Number, Operator, Relation, Test, TestKind};
use super::super::ports::Ports;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![
        Just(Direction::Source),
        Just(Direction::Destination),
        Just(Direction::Either),
        Just(Direction::Both)
    ]
}

/// Values that packets have, so that tests are true often enough.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![3 => 0_u8..3, 1 => any::<u8>()]
}

fn protocol() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(6_u8), 3 => Just(17), 1 => Just(58), 1 => Just(1), 1 => Just(44), 1 => any::<u8>()]
}

fn ether_type() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => Just(0x800_u16), 3 => Just(0x86dd), 1 => Just(0x806), 1 => Just(0x8035), 2 => Just(0x8100),
        1 => Just(0x88a8), 1 => Just(0x9100), 1 => any::<u16>()
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0_u16..4, 1 => any::<u16>()]
}

fn address4() -> impl Strategy<Value = Ipv4Addr> {
    [byte(), byte(), byte(), byte()].prop_map(Ipv4Addr::from)
}

fn address6() -> impl Strategy<Value = Ipv6Addr> {
    (byte(), byte(), byte()).prop_map(|(a, b, c)| {
        let mut bytes = [0; 16];
        (bytes[0], bytes[7], bytes[15]) = (a, b, c);
        Ipv6Addr::from(bytes)
    })
}

fn mask() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        6 => (0_u32..=32).prop_map(|len| Ipv4Addr::from(u32::MAX.checked_shl(32 - len).unwrap_or(0))),
        1 => any::<u32>().prop_map(Ipv4Addr::from)
    ]
}

fn relation() -> impl Strategy<Value = Relation> {
    prop_oneof![
        Just(Relation::Equal),
        Just(Relation::NotEqual),
        Just(Relation::Less),
        Just(Relation::LessOrEqual),
        Just(Relation::Greater),
        Just(Relation::GreaterOrEqual)
    ]
}

fn number() -> impl Strategy<Value = Number> {
    let constant = prop_oneof![4 => 0_u32..80, 1 => any::<u32>()].prop_map(Number::Constant);
    let leaf = prop_oneof![3 => constant, 1 => Just(Number::Length)];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let header = prop_oneof![
            Just(Header::Ethernet),
            Just(Header::Network),
            Just(Header::Ip4Payload),
            Just(Header::Ip6Payload)
        ];
        let operator = prop_oneof![
            1 => Just(Operator::Add),
            1 => Just(Operator::Subtract),
            1 => Just(Operator::Multiply),
            1 => Just(Operator::Divide),
            1 => Just(Operator::Remainder),
            3 => Just(Operator::And),
            1 => Just(Operator::Or),
            1 => Just(Operator::Xor),
            1 => Just(Operator::ShiftLeft),
            1 => Just(Operator::ShiftRight)
        ];
        let size = prop_oneof![Just(1_u8), Just(2), Just(4)];
        prop_oneof![
            4 => (header, inner.clone(), size).prop_map(|(header, offset, size)| Number::Load {
                header, offset: Box::new(offset), size
            }),
            2 => (operator, inner.clone(), inner.clone())
                .prop_map(|(operator, a, b)| Number::Binary(operator, Box::new(a), Box::new(b))),
            1 => inner.prop_map(|inner| Number::Negate(Box::new(inner)))
        ]
    })
}

fn ports() -> impl Strategy<Value = Ports> {
    (port(), port()).prop_map(|(a, b)| Ports { first: a.min(b), last: a.max(b) })
}

fn test() -> impl Strategy<Value = Expr> {
    let kind = prop_oneof![
        2 => ether_type().prop_map(TestKind::EtherType),
        1 => proptest::option::of(0_u16..3).prop_map(TestKind::Vlan),
        1 => (direction(), [byte(), byte(), byte(), byte(), byte(), byte()])
            .prop_map(|(direction, address)| TestKind::Ether(direction, address)),
        1 => Just(TestKind::EtherMulticast),
        2 => (direction(), address4(), mask()).prop_map(|(direction, address, mask)| {
            TestKind::Ip4(direction, Ipv4Addr::from(u32::from(address) & u32::from(mask)), mask)
        }),
        1 => (any::<bool>(), direction(), address4(), mask()).prop_map(
            |(reverse, direction, address, mask)| {
                let address = Ipv4Addr::from(u32::from(address) & u32::from(mask));
                TestKind::Arp { reverse, direction, address, mask }
            }
        ),
        2 => (direction(), address6(), 0_u8..=128)
            .prop_map(|(direction, address, len)| TestKind::Ip6(direction, address, len)),
        2 => protocol().prop_map(TestKind::Ip4Protocol),
        2 => protocol().prop_map(TestKind::Ip6Protocol),
        2 => (protocol(), direction(), ports())
            .prop_map(|(protocol, direction, ports)| TestKind::Ip4Port(protocol, direction, ports)),
        2 => (protocol(), direction(), ports())
            .prop_map(|(protocol, direction, ports)| TestKind::Ip6Port(protocol, direction, ports)),
        1 => (relation(), prop_oneof![4 => 10_u32..90, 1 => any::<u32>()])
            .prop_map(|(relation, number)| TestKind::Length(relation, number)),
        3 => (number(), relation(), number())
            .prop_map(|(left, relation, right)| TestKind::Compare(left, relation, right)),
    ];
    let depth = prop_oneof![4 => Just(0_u8), 1 => Just(1_u8), 1 => Just(2_u8)];
    (depth, kind).prop_map(|(depth, kind)| Expr::Test(Test { depth, kind }))
}

pub(super) fn expr() -> impl Strategy<Value = Expr> {
    prop_oneof![12 => test(), 1 => any::<bool>().prop_map(Expr::Always)].prop_recursive(
        4,
        24,
        4,
        |inner| {
            prop_oneof![
                1 => inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
                2 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Expr::And),
                2 => proptest::collection::vec(inner, 0..4).prop_map(Expr::Or),
            ]
        },
    )
}

/// A packet whose headers are right more often than not.
pub(super) fn packet() -> impl Strategy<Value = Vec<u8>> {
    let tags = proptest::collection::vec(
        (0_u16..4, prop_oneof![Just(0x8100_u16), Just(0x88a8), Just(0x9100)]),
        0..3,
    );
    let head = (tags, ether_type(), proptest::collection::vec(byte(), 12), protocol());
    let ports = proptest::collection::vec(byte(), 40);
    let walk = proptest::collection::vec(
        (
            prop_oneof![Just(0_u8), Just(43), Just(44), Just(51), Just(60)],
            0_u8..3,
            prop_oneof![3 => Just(0_u8), 1 => any::<u8>()],
        ),
        0..8,
    );
    let extra = (
        5_u8..8,
        prop_oneof![3 => Just(0_u16), 1 => any::<u16>()],
        walk,
        any::<bool>(),
        14_usize..140,
    );
    (head, ports, extra, proptest::collection::vec(byte(), 60)).prop_map(
        |(
            (tags, kind, ethernet, protocol),
            payload,
            (ihl, fragment, walk, cut, len),
            addresses,
        )| {
            let mut packet = ethernet;
            for (id, tag) in tags {
                packet.extend(tag.to_be_bytes());
                packet.extend(id.to_be_bytes());
            }
            packet.extend(kind.to_be_bytes());
            if kind == 0x800 {
                packet.extend([0x40 | ihl, 0, 0, 0, 0, 0]);
                packet.extend(fragment.to_be_bytes());
                packet.extend([64, protocol, 0, 0]);
                packet.extend(&addresses[..8]);
                packet.extend(&addresses[8..8 + usize::from(ihl - 5) * 4]);
            } else if kind == 0x86dd {
                packet.extend([0x60, 0, 0, 0, 0, 0]);
                packet.push(walk.first().map_or(protocol, |first| first.0));
                packet.push(64);
                for at in [0, 3] {
                    let mut address = [0; 16];
                    (address[0], address[7], address[15]) =
                        (addresses[at], addresses[at + 1], addresses[at + 2]);
                    packet.extend(address);
                }
                for (at, &(header, len, flags)) in walk.iter().enumerate() {
                    let next = walk.get(at + 1).map_or(protocol, |next| next.0);
                    let bytes = match header {
                        44 => 8,
                        51 => (usize::from(len) + 2) * 4,
                        _ => (usize::from(len) + 1) * 8,
                    };
                    let mut body = vec![0; bytes];
                    (body[0], body[1]) = (next, len);
                    if header == 44 {
                        (body[2], body[3]) = (flags >> 5, flags & 7);
                    }
                    packet.extend(body);
                }
            } else {
                packet.extend(&addresses[..30]);
            }
            packet.extend(payload);
            if cut {
                packet.truncate(len);
            }
            packet
        },
    )
}
