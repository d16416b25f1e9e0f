//! Guards of settings that have values beside those that are set, and calls that go by name.

use crate::interface::Interface;
use crate::sys::ethtool::tests::install;
use std::cell::RefCell;
use std::rc::Rc;
use xsk_uapi::ethtool::{
    ETHTOOL_GCHANNELS, ETHTOOL_GRINGPARAM, ETHTOOL_SCHANNELS, ETHTOOL_SRINGPARAM, ethtool_channels,
    ethtool_ringparam,
};
use zerocopy::{FromBytes, IntoBytes};

/// Some drivers can have fewer channels, and shorter rings, while a program is attached.
#[test]
fn a_maximum_that_changes_keeps_no_guard_from_restoring() {
    let channels = ethtool_channels { max_combined: 8, combined_count: 8, ..Default::default() };
    let channels = Rc::new(RefCell::new(channels));
    let rings = ethtool_ringparam { rx_max_pending: 4096, rx_pending: 512, ..Default::default() };
    let rings = Rc::new(RefCell::new(rings));
    let (of_channels, of_rings) = (Rc::clone(&channels), Rc::clone(&rings));
    let _installed = install(Box::new(move |argument| {
        let mut channels = of_channels.borrow_mut();
        let mut rings = of_rings.borrow_mut();
        match u32::read_from_prefix(argument).unwrap().0 {
            ETHTOOL_GCHANNELS => argument[4..].copy_from_slice(&channels.as_bytes()[4..]),
            ETHTOOL_SCHANNELS => {
                let new = ethtool_channels::read_from_bytes(argument).unwrap();
                channels.combined_count = new.combined_count;
            }
            ETHTOOL_GRINGPARAM => argument[4..].copy_from_slice(&rings.as_bytes()[4..]),
            ETHTOOL_SRINGPARAM => {
                rings.rx_pending = ethtool_ringparam::read_from_bytes(argument).unwrap().rx_pending;
            }
            command => unreachable!("{command}"),
        }
        Ok(())
    }));
    let interface = Interface::by_name("lo").unwrap();

    let mut wanted = interface.channels().unwrap().unwrap();
    wanted.combined = 2;
    let guard = interface.set_channels(&wanted).unwrap();
    assert_eq!(channels.borrow().combined_count, 2);
    channels.borrow_mut().max_combined = 16;
    guard.restore().unwrap();
    assert_eq!(channels.borrow().combined_count, 8);

    let mut wanted = interface.ring_sizes().unwrap().unwrap();
    wanted.rx = 1024;
    let guard = interface.set_ring_sizes(&wanted).unwrap();
    assert_eq!(rings.borrow().rx_pending, 1024);
    rings.borrow_mut().rx_max_pending = 2048;
    drop(guard);
    assert_eq!(rings.borrow().rx_pending, 512);
}

/// An ioctl goes by name: here the name changes between the look-up and the call.
#[cfg(feature = "test-util")]
#[test]
fn a_call_during_a_renaming_is_made_again_or_reported() {
    use crate::test_util::{Namespace, VethPair, ip, privileged};
    use rustix::io::Errno;
    use std::cell::Cell;

    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    let interface = pair.a().clone();
    let calls = Rc::new(Cell::new(0));
    let (renamed, count) = (interface.clone(), Rc::clone(&calls));
    let _installed = install(Box::new(move |argument| {
        assert_eq!(u32::read_from_prefix(argument).unwrap().0, ETHTOOL_GCHANNELS);
        count.set(u32::saturating_add(count.get(), 1));
        match count.get() {
            // What the kernel reports for the former name.
            1 => {
                ip::rename(&renamed, "renamed-once").unwrap();
                Err(Errno::NODEV)
            }
            // Another interface has the former name now.
            3 => {
                ip::rename(&renamed, "renamed-twice").unwrap();
                Ok(())
            }
            _ => Ok(()),
        }
    }));
    assert_eq!(interface.channels().unwrap().map(|channels| channels.combined), Some(0));
    assert_eq!(calls.get(), 2, "the interface is not gone");
    let error = interface.channels().unwrap_err();
    assert_eq!(error.errno(), Some(Errno::CANCELED));
    assert!(error.to_string().contains("from renamed-once to renamed-twice"), "{error}");
    assert!(!error.is_gone());
}

#[cfg(feature = "test-util")]
#[test]
fn what_was_set_during_a_renaming_is_put_back() {
    use crate::test_util::{Namespace, VethPair, ip, privileged};
    use rustix::io::Errno;

    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    let channels = ethtool_channels { max_combined: 8, combined_count: 8, ..Default::default() };
    let channels = Rc::new(RefCell::new(channels));
    let (renamed, ours) = (pair.a().clone(), Rc::clone(&channels));
    let _installed = install(Box::new(move |argument| {
        match u32::read_from_prefix(argument).unwrap().0 {
            ETHTOOL_GCHANNELS => argument[4..].copy_from_slice(&ours.borrow().as_bytes()[4..]),
            _ => {
                let new = ethtool_channels::read_from_bytes(argument).unwrap();
                ours.borrow_mut().combined_count = new.combined_count;
                let name = format!("renamed-{}", new.combined_count);
                ip::rename(&renamed, &name).unwrap();
            }
        }
        Ok(())
    }));
    let mut wanted = pair.a().channels().unwrap().unwrap();
    wanted.combined = 2;
    let error = pair.a().set_channels(&wanted).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::CANCELED), "{error}");
    assert_eq!(channels.borrow().combined_count, 8);
}
