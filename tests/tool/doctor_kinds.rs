//! `xsk doctor` of interfaces that are made of others: a bond and its member, a VLAN device and so on.

use crate::common::{PATIENCE, kernel_can};
use crate::doctor::{Both, doctor};
use xsk::test_util::{ip, privileged, test_name};

#[test]
fn a_member_names_its_master_and_a_master_its_members() {
    if !privileged!() {
        return;
    }
    for (kind, words) in [
        ("bond", "upper is a bond: in native mode packets come to sockets on its members only"),
        ("team", "upper is a team: native mode is for its members"),
        ("bridge", "upper is a bridge: sockets get what is for the bridge itself"),
    ] {
        let both = Both::new(2);
        let made = both.namespace.add_device(kind, "upper", None);
        if !kernel_can(test_name!(), made.is_ok(), &format!("the kernel has no {kind}")) {
            continue;
        }
        let upper = made.unwrap();
        if kind == "team" {
            both.namespace.set_team_mode(&upper, "broadcast").unwrap();
        }
        let near = both.near();
        // Bonds and teams take no interface that is up.
        ip::set_up(near, false).unwrap();
        ip::set_master(near, Some(&upper)).unwrap();
        for interface in [near, &upper] {
            ip::set_up(interface, true).unwrap();
            ip::wait_for_carrier(interface, PATIENCE).unwrap();
        }
        let found = doctor(&both.namespace, "upper");
        assert_eq!(found.is("kind", "note", words), ["xsk doctor near"], "{kind}");
        found.is_broken(false);
        let found = both.doctor("");
        found.is("kind", "note", "near belongs to upper: sockets and programs here get packets");
        found.is_broken(false);
    }
}

#[test]
fn an_interface_over_another_names_that_one() {
    if !privileged!() {
        return;
    }
    for kind in ["vlan", "macvlan"] {
        let both = Both::new(2);
        let made = both.namespace.add_device(kind, "upper", Some(both.near()));
        if !kernel_can(test_name!(), made.is_ok(), &format!("the kernel has no {kind}")) {
            continue;
        }
        let upper = made.unwrap();
        ip::set_up(&upper, true).unwrap();
        ip::wait_for_carrier(&upper, PATIENCE).unwrap();
        let found = doctor(&both.namespace, "upper");
        let words = format!("upper is of kind {kind}: generic mode only");
        assert_eq!(found.is("kind", "note", &words), ["xsk doctor near"]);
        found.is_broken(false);
    }
}
