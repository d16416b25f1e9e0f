//! Rules in the kernel's form, and back.

use super::criteria::prefix_of;
use super::{FlowAction, FlowMatch, FlowRule, InstalledRule, free};
use crate::error::Error;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use xsk_uapi::ethtool::{
    ETHER_FLOW, FLOW_EXT, FLOW_MAC_EXT, FLOW_RSS, RX_CLS_FLOW_DISC, TCP_V6_FLOW, UDP_V4_FLOW,
    ethtool_rx_flow_spec,
};

const V4: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 9);
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

/// Returns the rule that the kernel's form of `rule` is read as.
fn round(rule: &FlowRule) -> Option<FlowRule> {
    let (spec, context) = rule.write(7);
    let installed = InstalledRule::read(&spec, context);
    assert_eq!((installed.location, installed.action), (7, rule.action()));
    assert_eq!(installed.flow_type, spec.flow_type);
    installed.rule
}

fn rules() -> Vec<(FlowRule, &'static str)> {
    vec![
        (FlowRule::udp_v4().destination_port(4789).to_queue(3), "udp4 dst-port 4789: queue 3"),
        (
            FlowRule::tcp_v4().source_net(V4, 8).destination(V4).source_port(1).drop_packets(),
            "tcp4 src 10.0.0.0/8 dst 10.1.2.3 src-port 1: drop",
        ),
        (
            FlowRule::sctp_v4().destination_ports(1039, 0xfff0).vlan(5).to_queue(0),
            "sctp4 dst-port 1024/0xfff0 vlan 5: queue 0",
        ),
        (
            FlowRule::tcp_v6().source(V6).destination_net(V6, 33).destination_port(80).to_queue(1),
            "tcp6 src 2001:db8:0:1::9 dst 2001:db8::/33 dst-port 80: queue 1",
        ),
        (
            FlowRule::udp_v6().destination_mac(MAC).to_queue(1),
            "udp6 dst-mac 02:00:00:00:00:09: queue 1",
        ),
        (
            FlowRule::sctp_v6().source_ports(0, 1).to_context(4),
            "sctp6 src-port 0/0x0001: context 4",
        ),
        (
            FlowRule::ipv4().protocol(47).source(V4).to_queue(2),
            "ip4 src 10.1.2.3 proto 47: queue 2",
        ),
        (FlowRule::ipv6().protocol(58).destination_net(V6, 0).to_queue(2), "ip6 proto 58: queue 2"),
        (
            FlowRule::ethernet().source(MAC).destination(MAC).ethertype(0x0800).to_queue(2),
            "ether src 02:00:00:00:00:09 dst 02:00:00:00:00:09 proto 2048: queue 2",
        ),
        (
            FlowRule::ethernet().vlan_priority(6).vlan(0).to_queue(2),
            "ether vlan 0 vlan-priority 6: queue 2",
        ),
        (FlowRule::tcp_v4().to_queue(9), "tcp4: queue 9"),
    ]
}

#[test]
fn rules_come_back_from_the_kernels_form() {
    for (rule, text) in rules() {
        assert_eq!(rule.to_string(), text);
        rule.check().unwrap();
        assert_eq!(round(&rule), Some(rule), "{text}");
    }
}

#[test]
fn fields_are_where_the_kernel_has_them() {
    let rule = FlowRule::udp_v4().source(V4).destination_net(V4, 20).destination_port(4789).vlan(7);
    let (spec, _) = rule.destination_mac(MAC).to_queue(3).write(5);
    assert_eq!(spec.flow_type, UDP_V4_FLOW | FLOW_EXT | FLOW_MAC_EXT);
    assert_eq!(spec.h_u[..13], [10, 1, 2, 3, 10, 1, 0, 0, 0, 0, 0x12, 0xb5, 0]);
    assert_eq!(spec.m_u[..13], [255, 255, 255, 255, 255, 255, 0xf0, 0, 0, 0, 255, 255, 0]);
    assert_eq!((spec.h_ext.vlan_tci, spec.m_ext.vlan_tci), ([0, 7], [0x0f, 0xff]));
    assert_eq!((spec.h_ext.h_dest, spec.m_ext.h_dest), (MAC, [0xff; 6]));
    assert_eq!((spec.ring_cookie, spec.location), (3, 5));

    let (spec, context) = FlowRule::tcp_v6().source_port(258).to_context(9).write(0);
    assert_eq!((spec.flow_type, context), (TCP_V6_FLOW | FLOW_RSS, 9));
    assert_eq!((&spec.h_u[32..34], &spec.m_u[32..34]), (&[1, 2][..], &[255, 255][..]));

    let (spec, _) = FlowRule::ipv4().protocol(6).drop_packets().write(0);
    assert_eq!((spec.h_u[13], spec.m_u[13], spec.h_u[14]), (1, 0, 6), "the version is named");
    assert_eq!(spec.ring_cookie, RX_CLS_FLOW_DISC);

    let (spec, _) = FlowRule::ethernet().ethertype(0x88f7).vlan_priority(7).to_queue(1).write(0);
    assert_eq!(spec.flow_type, ETHER_FLOW | FLOW_EXT);
    assert_eq!((&spec.h_u[12..14], &spec.m_u[12..14]), (&[0x88, 0xf7][..], &[255, 255][..]));
    assert_eq!((spec.h_ext.vlan_tci, spec.m_ext.vlan_tci), ([0xe0, 0], [0xe0, 0]));
}

#[test]
fn what_has_no_word_is_kept_as_unknown() {
    let (known, _) = FlowRule::udp_v4().destination_port(53).to_queue(1).write(0);
    let read = |change: &dyn Fn(&mut ethtool_rx_flow_spec)| {
        let mut spec = known;
        change(&mut spec);
        InstalledRule::read(&spec, 0)
    };
    assert!(read(&|_| ()).rule.is_some());
    assert_eq!(read(&|spec| spec.m_u[12] = 0xff).rule, None, "the type of service");
    assert_eq!(read(&|spec| spec.m_u[1] = 0xff).rule, None, "a mask with a hole");
    assert_eq!(read(&|spec| spec.m_u[51] = 1).rule, None, "behind the header");
    let unknown = read(&|spec| spec.flow_type = 0x13);
    assert_eq!((unknown.rule, unknown.flow_type), (None, 0x13));
    assert_eq!(unknown.action, FlowAction::Queue(1));
    let tagged = |tci: [u8; 2], etype: [u8; 2]| {
        read(&move |spec| {
            spec.flow_type |= FLOW_EXT;
            spec.m_ext.vlan_tci = tci;
            spec.m_ext.vlan_etype = etype;
        })
    };
    assert!(tagged([0x0f, 0xff], [0; 2]).rule.is_some());
    assert_eq!(tagged([0x00, 0xff], [0; 2]).rule, None, "a part of the VLAN");
    assert_eq!(tagged([0x1f, 0xff], [0; 2]).rule, None, "the drop bit");
    assert_eq!(tagged([0; 2], [0xff; 2]).rule, None, "the ethertype of the tag");
    let of_function = read(&|spec| spec.ring_cookie = 2 << 32 | 1);
    assert_eq!(of_function.action, FlowAction::Other(2 << 32 | 1));
    assert_eq!(of_function.rule.unwrap().to_string(), "udp4 dst-port 53: action 0x200000001");
}

#[test]
fn mistakes_are_named() {
    #[track_caller]
    fn refused<K>(rule: FlowMatch<K>, words: &str) {
        let error = rule.to_queue(0).check().unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error:?}");
        assert_eq!(error.to_string(), words);
    }
    let udp = FlowRule::udp_v4;
    refused(
        udp().source_net(V4, 33),
        "prefix length of the source 33 is not possible: a possible one goes from 0 to 32",
    );
    refused(
        FlowRule::ipv6().destination_net(V6, 129),
        "prefix length of the destination 129 is not possible: a possible one goes from 0 to 128",
    );
    refused(
        udp().destination_port(0),
        "destination port 0 is not possible: a possible one goes from 1 to 65535",
    );
    refused(
        udp().source_ports(80, 0),
        "mask of the source port 0 is not possible: a possible one has at least one bit",
    );
    refused(udp().vlan(4095), "VLAN 4095 is not possible: a possible one goes from 0 to 4094");
    refused(udp().vlan(4096), "VLAN 4096 is not possible: a possible one goes from 0 to 4094");
    refused(
        udp().vlan_priority(8),
        "VLAN priority 8 is not possible: a possible one goes from 0 to 7",
    );
    refused(
        FlowRule::ethernet().ethertype(1500),
        "ethertype 1500 is not possible: a possible one goes from 1536 to 65535",
    );
    // The first one counts, and what comes later does not take it back.
    refused(
        udp().source_port(0).vlan(9999).source_port(1),
        "source port 0 is not possible: a possible one goes from 1 to 65535",
    );
    for right in [udp().source_net(V4, 32), udp().vlan(4094), udp().destination_ports(0, 1)] {
        right.vlan_priority(7).to_queue(0).check().unwrap();
    }
}

#[test]
fn a_prefix_has_no_hole() {
    assert_eq!(prefix_of(&[0xff, 0xf0, 0, 0]), Some(12));
    assert_eq!(prefix_of(&[0xff; 4]), Some(32));
    assert_eq!(prefix_of(&[0; 4]), Some(0));
    for hole in [[0xff, 0, 0xff, 0], [0xfe, 1, 0, 0], [0x0f, 0, 0, 0], [0, 0, 0, 1]] {
        assert_eq!(prefix_of(&hole), None, "{hole:?}");
    }
}

#[test]
fn a_rule_goes_behind_the_others() {
    let taken = |places: &[u32]| places.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(free(16, &taken(&[])), Some(15));
    assert_eq!(free(16, &taken(&[15, 13])), Some(14));
    assert_eq!(free(2, &taken(&[0, 1])), None);
    for size in [u32::MAX.into(), u64::MAX] {
        assert_eq!(free(size, &taken(&[])), Some(0x7fff_ffff), "no special number");
    }
    assert_eq!(free(0, &taken(&[0, 1, 3])), Some(2), "a driver that does not report its size");
}

#[test]
fn a_match_is_the_beginning_of_several_rules() {
    let vxlan = FlowRule::udp_v4().destination_port(4789);
    assert_eq!(vxlan.clone(), vxlan);
    let rules = [1, 2].map(|queue| {
        let source = Ipv4Addr::new(10, 0, 0, u8::try_from(queue).unwrap());
        vxlan.clone().source(source).to_queue(queue)
    });
    assert_ne!(rules[0], rules[1]);
}
