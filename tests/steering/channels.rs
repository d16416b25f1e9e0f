//! The channels of a veth: set, refused, restored.

use crate::common::{AtCable, Cable, as_nobody, kernel_can, kernel_since};
use rustix::thread::CapabilitySet;
use xsk::interface::Channels;
use xsk::test_util::{privileged, test_name};
use xsk::{Errno, Error, Interface, Port};

/// Returns whether a test can run that sets the channels of a veth.
fn can_set(test: &str) -> bool {
    let why = "the channels of a veth cannot be set (5.15)";
    privileged(test) && kernel_can(test, kernel_since(5, 15), why)
}

fn channels(interface: &Interface) -> Channels {
    interface.channels().unwrap().unwrap()
}

/// Returns the channels with these numbers of RX and TX queues.
fn with(interface: &Interface, rx: u32, tx: u32) -> Channels {
    let mut channels = channels(interface);
    (channels.rx, channels.tx) = (rx, tx);
    channels
}

/// Returns the error number and the text of a refusal.
#[track_caller]
fn refusal(interface: &Interface, rx: u32, tx: u32) -> (Errno, String) {
    let before = channels(interface);
    let error = interface.set_channels(&with(interface, rx, tx)).unwrap_err();
    assert!(matches!(error, Error::Interface { .. }), "{error:?}");
    assert_eq!(channels(interface), before, "nothing has changed");
    (error.errno().unwrap(), error.to_string())
}

#[test]
fn channels_are_set_and_come_back() {
    if !can_set(test_name!()) {
        return;
    }
    let cable = Cable::new(4);
    let veth = cable.veth.a();
    let all = channels(veth);
    assert_eq!((all.rx, all.tx, all.combined), (4, 4, 0));
    assert_eq!((all.max_rx, all.max_tx, all.max_combined), (4, 4, 0));
    for (rx, tx) in [(1, 1), (2, 1), (4, 3), (4, 4)] {
        let guard = veth.set_channels(&with(veth, rx, tx)).unwrap();
        assert_eq!((guard.channels().rx, guard.channels().tx), (rx, tx));
        assert_eq!(guard.before(), &all);
        let queues = veth.queues().unwrap();
        assert_eq!((queues.rx, queues.tx, queues.max()), (rx, tx, 4));
        guard.restore().unwrap();
        assert_eq!(channels(veth), all);
    }
    let guard = veth.set_channels(&with(veth, 2, 2)).unwrap();
    drop(guard);
    assert_eq!(channels(veth), all, "dropping restores");
    veth.set_channels(&with(veth, 2, 3)).unwrap().keep();
    assert_eq!((channels(veth).rx, channels(veth).tx), (2, 3));
}

#[test]
fn guards_undo_nothing_that_they_did_not_set() {
    if !can_set(test_name!()) {
        return;
    }
    let cable = Cable::new(4);
    let veth = cable.veth.a();
    for dropped in [false, true] {
        veth.set_channels(&with(veth, 4, 4)).unwrap().keep();
        let guard = veth.set_channels(&with(veth, 2, 2)).unwrap();
        // Another program.
        veth.set_channels(&with(veth, 3, 3)).unwrap().keep();
        if dropped {
            drop(guard);
        } else {
            let error = guard.restore().unwrap_err();
            assert_eq!(error.errno(), Some(Errno::CANCELED));
            let text = error.to_string();
            assert!(text.contains("cannot restore the channels of interface"), "{text}");
            assert!(text.contains("another value was set since, which stays"), "{text}");
        }
        assert_eq!((channels(veth).rx, channels(veth).tx), (3, 3));
    }
    // Guards that end in the order in which they were made leave what the first one set.
    veth.set_channels(&with(veth, 4, 4)).unwrap().keep();
    let one = veth.set_channels(&with(veth, 3, 3)).unwrap();
    let two = veth.set_channels(&with(veth, 2, 2)).unwrap();
    drop((one, two));
    assert_eq!((channels(veth).rx, channels(veth).tx), (3, 3));
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    if !can_set(test_name!()) {
        return;
    }
    let cable = Cable::new(4);
    let veth = cable.veth.a();
    for (rx, tx, words) in [
        (5, 4, "5 RX channels, of which it has at most 4"),
        (4, 5, "5 TX channels, of which it has at most 4"),
        (u32::MAX, 1, "4294967295 RX channels, of which it has at most 4"),
        (0, 1, "at least one channel has to receive and one to send"),
        (1, 0, "at least one channel has to receive and one to send"),
        (0, 0, "at least one channel has to receive and one to send"),
    ] {
        let (errno, text) = refusal(veth, rx, tx);
        assert_eq!(errno, Errno::INVAL);
        assert!(text.contains(words), "{text}");
    }
    let mut combined = channels(veth);
    combined.combined = 1;
    let text = veth.set_channels(&combined).unwrap_err().to_string();
    assert!(text.contains("1 combined channels, of which it has at most 0"), "{text}");
}

#[test]
fn a_queue_with_a_socket_stays() {
    if !can_set(test_name!()) {
        return;
    }
    let cable = Cable::new(4);
    let veth = cable.veth.a();
    let port = Port::at(&cable.left, veth, 2);
    let (errno, text) = refusal(veth, 2, 2);
    assert_eq!(errno, Errno::INVAL);
    assert!(text.contains("a queue that would go has an AF_XDP socket"), "{text}");
    veth.set_channels(&with(veth, 3, 3)).unwrap().restore().unwrap();
    drop(port);
    crate::common::wait_for("the queue to be free", || {
        veth.set_channels(&with(veth, 2, 2)).is_ok()
    });
}

#[test]
fn without_channels_there_are_none_and_without_net_admin_none_are_set() {
    if !can_set(test_name!()) {
        return;
    }
    let cable = Cable::new(2);
    let loopback = cable.left.interface("lo").unwrap();
    assert_eq!(loopback.channels().unwrap(), None);
    let veth = cable.veth.a();
    let error = loopback.set_channels(&channels(veth)).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::OPNOTSUPP));
    assert!(error.to_string().contains("its driver"), "{error}");
    let error = as_nobody(CapabilitySet::empty(), &cable.left, || {
        let veth = Interface::by_index(veth.index()).unwrap();
        assert_eq!(channels(&veth).rx, 2, "anybody may ask");
        veth.set_channels(&with(&veth, 1, 1)).unwrap_err()
    });
    assert_eq!(error.errno(), Some(Errno::PERM));
    assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
}

#[test]
fn an_interface_that_is_gone_is_named() {
    if !can_set(test_name!()) {
        return;
    }
    let cable = Cable::new(2);
    let veth = cable.veth.a();
    let guard = veth.set_channels(&with(veth, 1, 1)).unwrap();
    xsk::test_util::ip::delete(veth).unwrap();
    assert!(veth.channels().unwrap_err().is_gone());
    assert!(guard.restore().unwrap_err().is_gone());
}
