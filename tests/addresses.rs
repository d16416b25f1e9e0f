//! Addresses, default routes, and the interfaces above another one.

mod common;

use common::{Cable, has_iproute2, kernel_can};
use rustix::io::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use xsk::interface::Interface;
use xsk::test_util::{Namespace, ip, privileged};
use xsk::{Error, Result};

const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const HERE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Returns whether `ip` is there for a test.
fn has_ip(test: &str) -> bool {
    kernel_can(test, has_iproute2(), "`ip` is not that of iproute2")
}

/// Runs `ip` with the words of `line` in a namespace; returns whether it succeeded.
fn run_ip(namespace: &Namespace, line: &str) -> bool {
    let output = namespace.run(|| Command::new("ip").args(line.split(' ')).output());
    output.unwrap().unwrap().status.success()
}

fn find(namespace: &Namespace, name: &str) -> Interface {
    namespace.run(|| Interface::by_name(name)).unwrap().unwrap()
}

fn names(interfaces: Result<Vec<Interface>>) -> Vec<String> {
    let mut names: Vec<_> =
        interfaces.unwrap().iter().map(|interface| interface.name().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_addresses_are_those_of_the_interface_and_of_no_other() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let near = cable.veth.a();
    ip::without_ipv6(near).unwrap();
    let own = || -> Vec<IpAddr> {
        let all = near.addresses().unwrap().into_iter();
        all.filter(|address| !address.to_string().starts_with("fe80")).collect()
    };
    assert_eq!(own(), [] as [IpAddr; 0]);
    ip::add_ipv4(near, HERE, 24).unwrap();
    ip::add_ipv4(near, Ipv4Addr::new(192, 0, 2, 7), 24).unwrap();
    let mut wanted: Vec<IpAddr> = vec![HERE.into(), Ipv4Addr::new(192, 0, 2, 7).into()];
    assert_eq!(own(), wanted);
    if ip::add_ipv6(near, HERE6, 64).is_ok() {
        wanted.push(HERE6.into());
        assert_eq!(own(), wanted);
    }
    ip::add_ipv4(cable.veth.b(), Ipv4Addr::new(192, 0, 2, 2), 24).unwrap();
    assert_eq!(own(), wanted);
    // One of the same namespace.
    assert!(!find(&cable.left, "lo").addresses().unwrap().contains(&HERE.into()));
}

#[test]
fn the_broadcast_addresses_are_the_last_ones_of_subnets_and_those_that_were_given() {
    if !privileged!() || !has_ip("the_broadcast_addresses_are_the_last_ones_of_subnets") {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let near = cable.veth.a();
    assert_eq!(near.broadcast_addresses().unwrap(), [] as [Ipv4Addr; 0]);
    for address in [
        "192.0.2.1/24",
        "192.0.2.7/24 brd +",
        "198.51.100.1/30",
        "203.0.113.4/31",
        "203.0.113.9/32",
        "10.0.0.1 peer 10.1.0.1/16",
        "172.16.0.1/24 brd 172.16.0.200",
    ] {
        assert!(run_ip(&cable.left, &format!("address add {address} dev near")), "{address}");
    }
    let mut all: Vec<_> =
        near.broadcast_addresses().unwrap().iter().map(Ipv4Addr::to_string).collect();
    all.sort();
    assert_eq!(
        all,
        ["10.1.255.255", "172.16.0.200", "172.16.0.255", "192.0.2.255", "198.51.100.3"]
    );
}

#[test]
fn of_a_point_to_point_address_the_local_one_counts() {
    if !privileged!() || !has_ip("of_a_point_to_point_address_the_local_one_counts") {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    ip::without_ipv6(cable.veth.a()).unwrap();
    assert!(run_ip(&cable.left, "address add 192.0.2.1 peer 192.0.2.2/32 dev near"));
    let addresses = cable.veth.a().addresses().unwrap();
    assert!(addresses.contains(&HERE.into()), "{addresses:?}");
    assert!(!addresses.contains(&Ipv4Addr::new(192, 0, 2, 2).into()), "{addresses:?}");
}

#[test]
fn a_default_route_is_one_of_the_main_table_with_any_next_hop() {
    if !privileged!() || !has_ip("a_default_route_is_one_of_the_main_table_with_any_next_hop") {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let near = cable.veth.a();
    assert!(!near.carries_default_route().unwrap());
    ip::add_ipv4(near, HERE, 24).unwrap();
    assert!(!near.carries_default_route().unwrap(), "a route to its network");
    for (line, carries) in [
        ("route add 198.51.100.0/24 via 192.0.2.2 dev near", false),
        ("route add default via 192.0.2.2 dev near table 100", false),
        ("route add unreachable default metric 900", false),
        ("route add default via 192.0.2.2 dev near", true),
        ("route del default via 192.0.2.2 dev near", false),
        ("route add default dev lo", false),
        (
            "route replace default nexthop via 192.0.2.2 dev near nexthop via 192.0.2.3 dev near",
            true,
        ),
        ("route flush table main", false),
        ("address replace 2001:db8::1/64 dev near nodad", false),
        ("-6 route add default via 2001:db8::2 dev near", true),
    ] {
        let done = run_ip(&cable.left, line);
        if line.contains("2001") && !done {
            return;
        }
        assert!(done, "{line}");
        assert_eq!(near.carries_default_route().unwrap(), carries, "{line}");
    }
}

#[test]
fn the_route_of_an_interface_above_counts() {
    if !privileged!() || !has_ip("the_route_of_an_interface_above_counts") {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let near = cable.veth.a();
    assert_eq!(names(near.uppers()), [""; 0], "the other end of a veth is not above");
    let lines = [
        "link add bridge0 type bridge",
        "link set near master bridge0",
        "link set bridge0 up",
        "address add 203.0.113.1/24 dev bridge0",
    ];
    for line in lines {
        if !kernel_can("the_route_of_an_interface_above_counts", run_ip(&cable.left, line), line) {
            return;
        }
    }
    let bridge = find(&cable.left, "bridge0");
    assert_eq!(names(near.uppers()), ["bridge0"]);
    assert_eq!(names(bridge.uppers()), [""; 0]);
    assert_eq!(near.addresses().unwrap().iter().filter(|one| one.is_ipv4()).count(), 0);
    assert!(!near.carries_default_route().unwrap());
    assert!(run_ip(&cable.left, "route add default via 203.0.113.2 dev bridge0"));
    for interface in [near, &bridge] {
        assert!(interface.carries_default_route().unwrap(), "{interface}");
    }
    assert!(!find(&cable.left, "lo").carries_default_route().unwrap());
    // A kernel may have no VLAN interfaces.
    if run_ip(&cable.left, "link add link bridge0 name tagged type vlan id 5") {
        let tagged = find(&cable.left, "tagged");
        assert_eq!(names(near.uppers()), ["bridge0", "tagged"]);
        assert_eq!(names(bridge.uppers()), ["tagged"]);
        assert_eq!(names(tagged.uppers()), [""; 0]);
        assert!(!tagged.carries_default_route().unwrap());
    }
}

/// Both ends have the same index in namespaces of their own, so that each is `IFLA_LINK` of itself.
#[test]
fn an_interface_is_not_above_itself_and_one_that_is_gone_is_enodev() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let near = cable.veth.a();
    assert_eq!(names(near.uppers()), [""; 0]);
    ip::delete(near).unwrap();
    let gone = |error: Error| {
        matches!(error, Error::Interface { errno: Errno::NODEV, .. }) && error.is_gone()
    };
    assert!(gone(near.addresses().unwrap_err()));
    assert!(gone(near.uppers().unwrap_err()));
    assert!(gone(near.carries_default_route().unwrap_err()));
}
