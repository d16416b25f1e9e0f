//! Interfaces: found, refused, described.

#[path = "common/mod.rs"]
mod common;

use rustix::io::Errno;
use std::collections::HashSet;
use xsk::attach::XdpMode;
use xsk::interface::{Interface, OperState};
use xsk::test_util::{Namespace, VethPair, ip, privileged};
use xsk::{Error, Socket, Umem};

/// Returns whether `name` is refused as one that no interface can have.
fn refused(name: &str) -> bool {
    matches!(
        Interface::by_name(name),
        Err(Error::Interface { errno: Errno::INVAL, message: Some(_), .. })
    )
}

#[test]
fn names_that_cannot_be_are_refused() {
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "a\0b",
        "\0",
        "a b",
        "a:b",
        "a\tb",
        &"x".repeat(128),
        &"x".repeat(5000),
    ] {
        assert!(refused(name), "{name:?}");
    }
}

#[test]
fn unknown_interfaces_are_typed_errors() {
    for name in ["fifteen-bytes-x", "sixteen-bytes-16", "nosuchthing", "ümlaut", &"x".repeat(127)]
    {
        let error = Interface::by_name(name).unwrap_err();
        assert!(matches!(&error, Error::Interface { errno: Errno::NODEV, .. }), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
    for index in [0, 0x7fff_ffff, u32::MAX] {
        let error = Interface::by_index(index).unwrap_err();
        assert!(matches!(&error, Error::Interface { errno: Errno::NODEV, .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("#{index}")), "{error}");
    }
}

#[test]
fn loopback_is_described() {
    let loopback = Interface::by_name("lo").unwrap();
    assert_eq!(loopback.index(), 1);
    assert_eq!(Interface::by_index(1).unwrap().name(), "lo");
    assert!(Interface::all().unwrap().iter().any(|interface| interface.name() == "lo"));
    let info = loopback.info().unwrap();
    assert_eq!((info.name.as_str(), info.index, info.kind, info.master), ("lo", 1, None, None));
    assert!(info.mtu > 0);
    // The loopback driver has no channels: its queues are those that it was made with.
    assert_eq!(loopback.queues().unwrap().max(), info.rx_queues.max(info.tx_queues));
    assert_eq!(loopback.max_queues().unwrap(), 1);
    assert!(loopback.attached_programs().unwrap().is_empty());
    assert_ne!(loopback.is_in_current_netns(), Some(false));
}

#[test]
#[expect(clippy::mutable_key_type, reason = "what is compared and hashed never changes")]
fn interfaces_are_equal_by_index_and_namespace() {
    let loopback = Interface::by_name("lo").unwrap();
    assert_eq!(loopback, loopback.clone());
    let all = Interface::all().unwrap();
    let set: HashSet<_> = all.iter().chain(&all).collect();
    assert_eq!(set.len(), all.len(), "each once");
    if common::kernel_since(5, 14) {
        assert_eq!(loopback, Interface::by_index(1).unwrap(), "another look-up");
        assert!(set.contains(&loopback));
    }
    assert_eq!(format!("{loopback:>4}"), "  lo");
    if !privileged("interfaces_are_equal_by_index_and_namespace") {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let other = namespace.interface("lo").unwrap();
    assert_eq!(other.index(), loopback.index());
    assert_ne!(other, loopback);
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    assert_ne!(pair.a(), pair.b());
    if common::kernel_since(5, 14) {
        let name = pair.a().name();
        let seen = namespace.run(|| Interface::by_name(name)).unwrap().unwrap();
        assert_eq!(&seen, pair.a());
    }
}

#[test]
fn features_are_those_of_the_driver() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    // Kernels before 6.3 cannot report features.
    if let Some(features) = pair.a().xdp_features().unwrap() {
        assert!(features.native() && features.redirect());
        assert!(!features.zero_copy());
        assert_eq!(features.zero_copy_max_segments(), None);
        let loopback = namespace.interface("lo").unwrap().xdp_features().unwrap().unwrap();
        assert_eq!(loopback.bits(), 0);
        assert!(!loopback.native() && !loopback.redirect());
    }
    drop(namespace);
    ip::delete(pair.a()).unwrap();
    if let Err(error) = pair.a().xdp_features() {
        assert!(matches!(&error, Error::Interface { errno: Errno::NODEV, .. }), "{error:?}");
    }
}

#[test]
fn the_bits_of_features_have_names() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    let Some(features) = pair.a().xdp_features().unwrap() else {
        assert!(!common::kernel_since(6, 3));
        return;
    };
    let text = format!("{features:?}");
    assert!(text.contains("xdp: BASIC | REDIRECT | RX_SG"), "{text}");
    let known = common::kernel_since(6, 7);
    for value in [features.rx_timestamp(), features.rx_hash()] {
        assert_eq!(value, known.then_some(true), "{text}");
    }
    assert_eq!(features.rx_vlan_tag().is_some(), known, "{text}");
    assert!(text.contains("TIMESTAMP | HASH") || !known, "{text}");
    let loopback = namespace.interface("lo").unwrap().xdp_features().unwrap().unwrap();
    assert_eq!(loopback.rx_hash(), known.then_some(false));
    assert!(format!("{loopback:?}").contains("xdp: none"));
}

#[test]
fn the_driver_is_described() {
    assert_eq!(Interface::by_name("lo").unwrap().driver().unwrap(), None);
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    let driver = pair.a().driver().unwrap().unwrap();
    assert_eq!((driver.name.as_str(), driver.firmware, driver.bus), ("veth", None, None));
    assert!(driver.version.is_some_and(|version| !version.is_empty()));
    ip::delete(pair.a()).unwrap();
    let gone = pair.a().driver().unwrap_err();
    assert!(gone.is_gone(), "{gone}");
}

#[test]
fn limits_and_relations_are_described() {
    let loopback = Interface::by_name("lo").unwrap().info().unwrap();
    assert_eq!((loopback.lower, loopback.lower_is_elsewhere), (None, false));
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let bridge = left.add_bridge("bridge").unwrap();
    let pair = VethPair::builder().build(&left, &right).unwrap();
    let info = || pair.a().info().unwrap();
    assert_eq!((info().min_mtu, info().max_mtu), (Some(68), Some(65535)));
    assert_eq!((info().lower, info().lower_is_elsewhere), (Some(pair.b().index()), true));
    common::wait_for("it is up", || info().oper_state == Some(OperState::Up));
    assert_eq!(info().promiscuity, Some(0));
    ip::set_master(pair.a(), Some(&bridge)).unwrap();
    assert_eq!((info().master, info().promiscuity), (Some(bridge.index()), Some(1)));
    ip::set_up(pair.b(), false).unwrap();
    let seen = ip::wait_until(pair.a(), common::PATIENCE, |info| !info.carrier).unwrap();
    ip::wait_until(pair.a(), common::PATIENCE, |info| {
        // A veth without its other end is as one whose lower interface is down.
        matches!(info.oper_state, Some(OperState::Down | OperState::LowerLayerDown))
    })
    .unwrap();
    assert_eq!(seen.max_mtu, Some(65535));
}

#[test]
fn the_owner_of_a_queue_is_seen() {
    if !privileged!() {
        return;
    }
    let cable = common::Cable::new(2);
    let near = cable.veth.a();
    let Some(states) = near.queue_states().unwrap() else {
        assert!(!common::kernel_since(6, 8));
        return;
    };
    let known = common::kernel_since(6, 15);
    assert_eq!(states.iter().map(|state| state.queue).collect::<Vec<_>>(), [0, 1]);
    for state in &states {
        assert!(state.rx.is_some() && state.tx.is_some(), "{state:?}");
        assert_eq!(state.has_socket(), known.then_some(false), "{state:?}");
    }
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    let builder = Socket::builder(&umem).bind_timeout(common::PATIENCE);
    let socket = cable.left.run(|| builder.rx_only().bind(near, 1)).unwrap().unwrap();
    let has_socket = |queue| near.queue_state(queue).unwrap().unwrap().has_socket();
    assert_eq!((has_socket(0), has_socket(1)), (known.then_some(false), known.then_some(true)));
    assert_eq!(near.queue_state(2).unwrap(), None);
    drop(socket);
    common::wait_for("the free queue", || has_socket(1) != Some(true));
    // No queue is in use while the interface is down.
    ip::set_up(near, false).unwrap();
    assert_eq!(near.queue_states().unwrap(), Some(vec![]));
    ip::delete(near).unwrap();
    assert!(near.queue_states().unwrap_err().is_gone());
}

#[test]
fn sockets_are_listed_where_the_kernel_lists_them() {
    if !privileged!() {
        return;
    }
    let cable = common::Cable::new(2);
    let near = cable.veth.a();
    let here = "sockets_are_listed_where_the_kernel_lists_them";
    let empty = near.xdp_sockets().unwrap();
    let why = "the kernel has no CONFIG_XDP_SOCKETS_DIAG";
    if !common::kernel_can(here, empty.is_some(), why) {
        return;
    }
    assert_eq!(empty, Some(vec![]));
    let (umem, _pool) = Umem::builder().chunk_count(64).chunk_size(2048).build().unwrap();
    let builder = || Socket::builder(&umem).bind_timeout(common::PATIENCE);
    let bind = || builder().fill_size(128).rx_size(256).rx_only().bind(near, 1);
    let socket = cable.left.run(bind).unwrap().unwrap();
    // From another namespace, too.
    let listed = near.xdp_sockets().unwrap().unwrap();
    let [info] = listed[..] else { panic!("{listed:?}") };
    assert_eq!((info.interface_index, info.queue), (near.index(), 1));
    assert_eq!(info.uid, Some(rustix::process::geteuid().as_raw()));
    let inode = rustix::fs::fstat(&socket.rx).unwrap().st_ino;
    assert_eq!(u64::from(info.inode), inode);
    let memory = info.umem.unwrap();
    assert_eq!((memory.bytes, memory.chunk_size), (64 * 2048, 2048));
    assert!(!memory.zero_copy);
    assert_eq!((info.rx_ring, info.tx_ring, info.fill_ring), (Some(256), None, Some(128)));
    assert!(info.completion_ring.is_some());
    assert_eq!(info.counters.is_some(), common::kernel_since(5, 9));
    // Those of other interfaces are left out.
    assert_eq!(cable.veth.b().xdp_sockets().unwrap(), Some(vec![]));
    drop(socket);
    common::wait_for("the end of the socket", || {
        near.xdp_sockets().unwrap().is_some_and(|listed| listed.is_empty())
    });
}

#[test]
fn a_promiscuous_interface_is_so_for_as_long_as_a_guard_lives() {
    if !privileged!() {
        return;
    }
    let cable = common::Cable::new(1);
    let near = cable.veth.a();
    let promiscuity = || near.info().unwrap().promiscuity;
    // From another namespace, too.
    let one = near.promiscuous().unwrap();
    assert_eq!(one.interface(), near);
    let another = cable.left.run(|| near.promiscuous()).unwrap().unwrap();
    assert_eq!(promiscuity(), Some(2));
    drop(one);
    assert_eq!(promiscuity(), Some(1));
    assert_eq!(another.restore(), Ok(()));
    assert_eq!(promiscuity(), Some(0));
    near.promiscuous().unwrap().keep();
    assert_eq!(promiscuity(), Some(1), "kept until the process ends");
    // A guard may outlive the interface.
    let late = near.promiscuous().unwrap();
    ip::delete(near).unwrap();
    assert_eq!(late.restore(), Ok(()));
    let gone = near.promiscuous().unwrap_err();
    assert!(gone.is_gone(), "{gone}");
}

#[test]
fn multicast_addresses_are_joined_and_left() {
    if !privileged!() {
        return;
    }
    let cable = common::Cable::named(1, "near", "far");
    let near = cable.veth.a();
    let is_joined = || {
        let joined = cable.left.run(|| std::fs::read_to_string("/proc/thread-self/net/dev_mcast"));
        let joined = joined.unwrap().unwrap();
        joined.lines().any(|line| line.contains("near") && line.ends_with("01005e010203"))
    };
    let address = [1, 0, 0x5e, 1, 2, 3];
    let member = near.join_multicast(address).unwrap();
    assert!(is_joined());
    drop(member);
    assert!(!is_joined());
    let unicast = near.join_multicast([2, 0, 0, 0, 0, 1]).unwrap_err();
    assert!(unicast.to_string().contains("the first byte of a multicast address is odd"));
}

#[test]
fn receiving_more_takes_a_capability() {
    if !privileged!() {
        return;
    }
    let cable = common::Cable::new(1);
    let ask = || cable.veth.a().promiscuous().map(drop);
    let error =
        common::as_nobody(rustix::thread::CapabilitySet::empty(), &cable.left, ask).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::PERM, .. }), "{error:?}");
    assert!(error.to_string().contains("CAP_NET_RAW"), "{error}");
}

#[test]
fn an_interface_stays_in_its_namespace() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().queues(4).names("port", "port").build(&left, &right).unwrap();
    let port = left.run(|| Interface::by_name("port")).unwrap().unwrap();
    assert_eq!(port.index(), pair.a().index());
    // This thread is in neither namespace.
    assert_ne!(port.is_in_current_netns(), Some(true));
    assert_ne!(left.run(|| port.is_in_current_netns()).unwrap(), Some(false));
    assert_eq!(port.queues().unwrap().current(), 4);
    assert!(port.xdp_features().is_ok());
    right.run(|| assert_eq!(port.info().unwrap().mac, pair.a().info().unwrap().mac)).unwrap();
}

#[test]
fn an_interface_may_be_asked_by_many_threads() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    std::thread::scope(|scope| {
        for end in [pair.a(), pair.b(), pair.a(), pair.b()] {
            scope.spawn(move || {
                for _ in 0..200 {
                    assert_eq!(end.info().unwrap().index, end.index());
                }
            });
        }
    });
}

/// The list needs more than one datagram.
#[test]
fn many_interfaces_are_listed() {
    if !privileged!() {
        return;
    }
    const PAIRS: usize = 40;
    let namespace = Namespace::new().unwrap();
    let mut pairs = Vec::new();
    for number in 0..PAIRS {
        let names = VethPair::builder().names(format!("a{number}"), format!("b{number}"));
        pairs.push(names.build(&namespace, &namespace).unwrap());
        let all = namespace.run(Interface::all).unwrap().unwrap();
        assert_eq!(all.len(), pairs.len() * 2 + 1);
    }
    drop(pairs);
    assert_eq!(namespace.run(Interface::all).unwrap().unwrap().len(), 1);
}

#[test]
fn nothing_is_attached_to_a_new_interface() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    let state = pair.a().attached_programs().unwrap();
    assert!(state.is_empty());
    for mode in [XdpMode::Native, XdpMode::Generic, XdpMode::Hardware] {
        assert_eq!(state.program(mode), None);
    }
}

#[test]
fn an_interface_is_found_by_a_long_other_name() {
    if !privileged!() {
        return;
    }
    let (near, far) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let cable = VethPair::builder().build(&near, &far).unwrap();
    for name in ["sixteen-bytes-16", &"y".repeat(127)] {
        near.run(|| {
            add_other_name(cable.a().index(), name);
            let found = Interface::by_name(name).unwrap();
            assert_eq!((found.index(), found.name()), (cable.a().index(), cable.a().name()));
        })
        .unwrap();
    }
}

/// `ip link property add dev #index altname name`
fn add_other_name(index: u32, name: &str) {
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};
    const RTM_NEWLINKPROP: u16 = 108;
    const IFLA_PROP_LIST_NESTED: u16 = 52 | 0x8000;
    const IFLA_ALT_IFNAME: u16 = 53;
    // NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE | NLM_F_APPEND
    const FLAGS: u16 = 0xe05;
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    let padded = text.len().next_multiple_of(4);
    let short = |value: usize| u16::try_from(value).unwrap().to_ne_bytes();
    let mut message = Vec::new();
    message.extend(u32::try_from(40 + padded).unwrap().to_ne_bytes());
    message.extend([RTM_NEWLINKPROP, FLAGS].map(u16::to_ne_bytes).concat());
    message.extend([1_u32, 0, 0, index, 0, 0].map(u32::to_ne_bytes).concat());
    message.extend(short(8 + padded));
    message.extend(IFLA_PROP_LIST_NESTED.to_ne_bytes());
    message.extend(short(4 + text.len()));
    message.extend(IFLA_ALT_IFNAME.to_ne_bytes());
    text.resize(padded, 0);
    message.extend(text);
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &message, SendFlags::empty(), &kernel).unwrap();
    let mut answer = [0; 4096];
    let (len, _) = recv(&socket, &mut answer, RecvFlags::empty()).unwrap();
    assert!(len >= 20);
    let error = i32::from_ne_bytes(answer[16..20].try_into().unwrap());
    assert_eq!(error, 0, "the kernel refused the other name");
}
