//! `xsk doctor` on what becomes of packets: MTU, offloads, bonds and bridges, routes, deferral.

use crate::common::{kernel_can, kernel_since};
use crate::doctor::{Both, doctor, has_tools};
use crate::fixture::{Fixture, Tool};
use std::time::Duration;
use xsk::Attachment;
use xsk::interface::NapiSettings;
use xsk::test_util::{VethPair, ip, privileged, test_name};

#[test]
fn an_mtu_that_no_chunk_holds_is_a_problem_at_either_end() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let both = Both::build(VethPair::builder().mtu(9000));
    let found = both.doctor("");
    let commands = found.is("mtu", "problem", "the MTU of near is 9000: frames of more than 3520");
    assert_eq!(commands[0], "xsk rxdrop -i near -F");
    found.is_broken(true);
    both.type_in(&commands[1]);
    assert_eq!(both.near().info().unwrap().mtu, 3506);
    let found = both.doctor("");
    let words = "the MTU of far, the other end of near, is 9000";
    both.type_in(&found.is("mtu", "problem", words)[1]);
    let found = both.doctor("");
    found.is("mtu", "fine", "the MTU of near is 3506");
    // And native mode is taken.
    let attach = || Attachment::builder(both.near()).mode(xsk::AttachMode::Native).attach();
    both.namespace.run(attach).unwrap().unwrap().close().unwrap();
}

#[test]
fn the_mtu_of_the_loopback_interface_is_no_problem() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let ended = Tool::start(&fixture.cable.left, "doctor lo --json").end();
    let objects = ended.out.iter().map(|line| serde_json::from_str::<serde_json::Value>(line));
    let found = objects.map(Result::unwrap).find(|object| object["check"] == "mtu").unwrap();
    assert_eq!(found["verdict"], "note", "{found}");
    assert_eq!(found["commands"], serde_json::json!(["xsk rxdrop -i lo -F"]), "{found}");
}

#[test]
fn offloads_of_the_other_end_are_noted_until_what_is_said_is_typed() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let both = Both::new(1);
    for command in ["ethtool -K far tx on", "ethtool -K far tso on", "ethtool -K near gro on"] {
        both.type_in(command);
    }
    let found = both.doctor("");
    let commands = found.is("peer_tx_checksum", "note", "far, the other end, leaves checksums");
    both.type_in(&commands[0]);
    both.doctor("").is("peer_tx_checksum", "fine", "far, the other end, computes checksums");
    both.type_in("ethtool -K far tx on tso on");
    let commands =
        both.doctor("").is("vlan_offload", "note", "far, the other end, sends VLAN tags");
    both.type_in(&commands[0]);
    both.doctor("").is("vlan_offload", "fine", "puts VLAN tags into packets");
    // In native mode neither GRO nor segmentation is in the way.
    let found = both.doctor("");
    found.is("gro", "fine", "native mode");
    found.is("peer_segmentation", "fine", "native mode");
    let tool = Tool::start(&both.namespace, "rxdrop -i near -S --json").ready();
    let found = both.doctor("");
    let segmentation = found.is("peer_segmentation", "note", "in one long packet");
    let gro = found.is("gro", "note", "GRO of near is on");
    for command in segmentation.iter().chain(&gro) {
        both.type_in(command);
    }
    let found = both.doctor("");
    found.is("gro", "fine", "GRO of near is off");
    found.is("peer_segmentation", "fine", "cuts its data");
    tool.stop();
}

#[test]
fn the_other_end_in_another_namespace_is_unknown() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let found = doctor(&fixture.cable.left, "near");
    found.is("peer_tx_checksum", "unknown", "another network namespace");
    found.is_broken(false);
    ip::set_up(fixture.cable.veth.b(), false).unwrap();
    ip::wait_until(fixture.cable.veth.a(), crate::common::PATIENCE, |info| !info.carrier).unwrap();
    let found = doctor(&fixture.cable.left, "near");
    found.is("carrier", "problem", "its other end, in another network namespace, is down");
}

#[test]
fn members_and_their_masters_are_noted() {
    if !privileged!() {
        return;
    }
    let both = Both::new(1);
    let bridge = both.namespace.add_bridge("br").unwrap();
    ip::set_master(both.near(), Some(&bridge)).unwrap();
    both.doctor("").is("kind", "note", "near belongs to br");
    let found = doctor(&both.namespace, "br");
    assert_eq!(found.is("kind", "note", "br is a bridge"), ["xsk doctor near"]);
    if kernel_since(6, 3) {
        found.is("native_mode", "note", "no native mode");
    }
    ip::set_master(both.near(), None).unwrap();
    let vlan = both.namespace.add_device("vlan", "tagged", Some(both.near()));
    if kernel_can(test_name!(), vlan.is_ok(), "the kernel makes no VLAN interface") {
        let found = doctor(&both.namespace, "tagged");
        assert_eq!(found.is("kind", "note", "of kind vlan"), ["xsk doctor near"]);
    }
    let bond = both.namespace.add_device("bond", "bond", None);
    if kernel_can(test_name!(), bond.is_ok(), "the kernel makes no bond") {
        ip::set_up(both.near(), false).unwrap();
        ip::set_master(both.near(), Some(&bond.unwrap())).unwrap();
        let found = doctor(&both.namespace, "bond");
        assert_eq!(found.is("kind", "note", "bond is a bond"), ["xsk doctor near"]);
        both.doctor("").is("kind", "note", "near belongs to bond");
    }
}

#[test]
fn the_default_route_is_noted() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let both = Both::new(1);
    both.doctor("").is("default_route", "fine", "carries neither");
    ip::add_ipv4(both.near(), [192, 0, 2, 1].into(), 24).unwrap();
    both.type_in("ip route add default via 192.0.2.2");
    let commands = both.doctor("").is("default_route", "note", "near carries the default route");
    assert!(commands[0].starts_with("xsk rxdrop -i near udp"), "{commands:?}");
}

#[test]
fn deferred_interrupts_are_noted() {
    if !privileged!() {
        return;
    }
    let both = Both::new(1);
    let tool = Tool::start(&both.namespace, "rxdrop -i near --json").ready();
    let settings = NapiSettings::new(2, Duration::from_micros(200));
    let set = both.namespace.run(|| both.near().set_napi(0, &settings)).unwrap();
    if kernel_can(test_name!(), set.is_ok(), "NAPI cannot be set here") {
        both.doctor("").is("napi", "note", "are deferred (2 deferrals of 200 us");
        set.unwrap().restore().unwrap();
        both.doctor("").is("napi", "fine", "are not deferred");
    }
    tool.stop();
}

#[test]
fn a_virtual_interface_with_an_address_filter_is_not_said_to_get_every_packet() {
    if !privileged!() {
        return;
    }
    let both = Both::new(1);
    both.doctor("").is("promiscuity", "fine", "packets to all addresses come");
    let above = both.namespace.add_device("macvlan", "above", Some(both.near()));
    if !kernel_can(test_name!(), above.is_ok(), "the kernel makes no macvlan") {
        return;
    }
    let found = doctor(&both.namespace, "above");
    let commands = found.is("promiscuity", "note", "above drops packets to other addresses");
    assert_eq!(commands, ["xsk rxdrop -i above --promiscuous"]);
}
