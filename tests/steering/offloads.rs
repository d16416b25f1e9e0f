//! The offloads of a veth: those that ethtool sets and shows.

use crate::common::{Cable, kernel_can};
use std::process::Command;
use xsk::Interface;
use xsk::interface::Offloads;
use xsk::test_util::{privileged, test_name};

type Offload = fn(&Offloads) -> Option<bool>;

/// The offloads, and what `ethtool -K` calls them.
const NAMES: [(&str, Offload); 6] = [
    ("tx", |offloads| offloads.tx_checksum),
    ("tso", |offloads| offloads.tcp_segmentation),
    ("gso", |offloads| offloads.generic_segmentation),
    ("gro", |offloads| offloads.generic_receive),
    ("rxvlan", |offloads| offloads.rx_vlan),
    ("txvlan", |offloads| offloads.tx_vlan),
];

#[test]
fn offloads_are_what_ethtool_has_set() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let veth: &Interface = cable.veth.a();
    let set = |name: &str, state: &str| {
        let run = || Command::new("ethtool").args(["-K", veth.name(), name, state]).output();
        cable.left.run(run).unwrap()
    };
    if !kernel_can(test_name!(), set("tx", "on").is_ok(), "there is no `ethtool`") {
        return;
    }
    for state in ["on", "off", "on"] {
        for (name, offload) in NAMES {
            let output = set(name, state).unwrap();
            assert!(output.status.success(), "{name}: {output:?}");
            assert_eq!(offload(&veth.offloads().unwrap()), Some(state == "on"), "{name}");
        }
    }
    let offloads = veth.offloads().unwrap();
    // A veth has neither.
    assert_eq!((offloads.large_receive, offloads.flow_rules), (Some(false), Some(false)));
    let removed = cable.right.run(|| xsk::test_util::ip::delete(cable.veth.b())).unwrap();
    removed.unwrap();
    assert_eq!(veth.offloads().unwrap_err().errno(), Some(xsk::Errno::NODEV));
}
