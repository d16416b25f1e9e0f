//! What a device without rings, rules and a receive hash says: a veth, and the loopback.

use crate::common::{Cable, as_nobody};
use rustix::thread::CapabilitySet;
use std::net::Ipv4Addr;
use xsk::interface::{FlowKind, FlowRule, HashFields};
use xsk::test_util::{ip, privileged};
use xsk::{Errno, Error, Interface, Result};

/// Returns the error number and the text of what is refused.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>) -> (Errno, String) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Interface { .. }), "{error:?}");
    (error.errno().unwrap(), error.to_string())
}

fn vxlan() -> FlowRule {
    FlowRule::udp_v4().destination_port(4789).to_queue(0)
}

#[test]
fn a_getter_has_none_of_what_a_driver_does_not_have() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    for interface in [cable.veth.a(), &cable.left.interface("lo").unwrap()] {
        assert_eq!(interface.ring_sizes().unwrap(), None);
        assert_eq!(interface.rss().unwrap(), None);
        assert_eq!(interface.hash_fields(FlowKind::UdpV4).unwrap(), None);
        assert!(!interface.ntuple().unwrap());
    }
}

#[test]
fn a_veth_refuses_and_says_why() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let veth = cable.veth.a();
    for (errno, text) in
        [refused(veth.rules()), refused(veth.add_rule(&vxlan())), refused(veth.remove_rule(0))]
    {
        assert_eq!(errno, Errno::OPNOTSUPP);
        assert!(text.contains("Its driver has no flow rules"), "{text}");
    }
    for (errno, text) in [
        refused(veth.keep_queue_out(0)),
        refused(veth.set_symmetric_rss()),
        refused(veth.add_rss_context(&[0])),
    ] {
        assert_eq!(errno, Errno::OPNOTSUPP);
        assert!(text.contains("no receive hash that can be changed"), "{text}");
    }
    let (errno, text) = refused(veth.set_ntuple(true));
    assert_eq!(errno, Errno::OPNOTSUPP);
    assert!(text.contains("Its driver does not have this feature"), "{text}");
    let (errno, _) = refused(veth.set_hash_fields(FlowKind::UdpV4, HashFields::ADDRESSES));
    assert_eq!(errno, Errno::OPNOTSUPP);
}

#[test]
fn mistakes_are_refused_before_the_kernel_is_asked() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let veth = cable.veth.a();
    let wrong = FlowRule::udp_v4().source_net(Ipv4Addr::LOCALHOST, 33).to_queue(0);
    let error = veth.add_rule(&wrong).unwrap_err();
    assert!(matches!(error, Error::Setting { value: 33, .. }), "{error:?}");
    let (errno, text) = refused(veth.add_rule(&FlowRule::tcp_v6().to_queue(2)));
    assert_eq!(errno, Errno::INVAL);
    assert!(text.contains("RX queue 2, of 2 that are numbered from 0"), "{text}");
}

#[test]
fn an_interface_that_is_gone_is_named_by_every_call() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let veth = cable.veth.a();
    ip::delete(veth).unwrap();
    let gone = |error: Error| assert!(error.is_gone(), "{error:?}");
    gone(veth.ring_sizes().unwrap_err());
    gone(veth.rules().unwrap_err());
    gone(veth.add_rule(&vxlan()).unwrap_err());
    gone(veth.remove_rule(0).unwrap_err());
    gone(veth.rss().unwrap_err());
    gone(veth.keep_queue_out(0).unwrap_err());
    gone(veth.hash_fields(FlowKind::Ipv4).unwrap_err());
    gone(veth.ntuple().unwrap_err());
}

#[test]
fn without_net_admin_nothing_is_changed() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let index = cable.veth.a().index();
    as_nobody(CapabilitySet::empty(), &cable.left, || {
        let veth = Interface::by_index(index).unwrap();
        for (errno, text) in [refused(veth.remove_rule(0)), refused(veth.set_ntuple(true))] {
            assert_eq!(errno, Errno::PERM);
            assert!(text.contains("CAP_NET_ADMIN in the user namespace"), "{text}");
        }
        // Anybody may ask.
        assert!(!veth.ntuple().unwrap());
        assert_eq!(refused(veth.rules()).0, Errno::OPNOTSUPP);
    });
}
