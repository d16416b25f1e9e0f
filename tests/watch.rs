//! What happens to an interface is reported within a bounded time, and nothing is missed.

mod common;

use common::{AtCable, Cable, PATIENCE, as_nobody, kernel_can, kernel_since};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use std::process::Command;
use std::time::{Duration, Instant};
use xsk::attach::{AttachMethod, AttachMode, Attachment};
use xsk::bpf::{Insn, Program, XskMap};
use xsk::interface::{DeviceEvent, Watch};
use xsk::test_util::{Namespace, VethPair, ip, privileged};
use xsk::{Error, Port, XdpMode};

/// Returns all events up to the first one that is `wanted`.
#[track_caller]
fn up_to(watch: &mut Watch, wanted: impl Fn(&DeviceEvent) -> bool) -> Vec<DeviceEvent> {
    let start = Instant::now();
    let mut events = Vec::new();
    loop {
        let left = PATIENCE.saturating_sub(start.elapsed());
        let event = watch.wait(Some(left)).unwrap();
        assert!(event.is_some() || !left.is_zero(), "waited in vain after {events:?}");
        let Some(event) = event else { continue };
        let found = wanted(&event);
        events.push(event);
        if found {
            return events;
        }
    }
}

#[track_caller]
fn wait_for(watch: &mut Watch, wanted: &DeviceEvent) {
    up_to(watch, |event| event == wanted);
}

#[test]
fn a_link_that_goes_and_comes_is_reported_in_order() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (near, far) = (cable.veth.a(), cable.veth.b());
    let mut watch = near.watch().unwrap();
    assert_eq!(watch.interface(), near);
    assert_eq!(watch.try_next().unwrap(), None);
    assert_eq!(watch.wait(Some(Duration::ZERO)).unwrap(), None);
    ip::set_up(near, false).unwrap();
    wait_for(&mut watch, &DeviceEvent::Down);
    assert!(!watch.info().up);
    ip::set_up(near, true).unwrap();
    let events = up_to(&mut watch, |event| *event == DeviceEvent::Carrier);
    assert!(events.contains(&DeviceEvent::Up), "{events:?}");
    assert!(watch.info().up && watch.info().carrier);
    // Only the other end's state changes.
    ip::set_up(far, false).unwrap();
    let events = up_to(&mut watch, |event| *event == DeviceEvent::CarrierLost);
    assert!(!events.contains(&DeviceEvent::Down), "{events:?}");
    ip::set_up(far, true).unwrap();
    wait_for(&mut watch, &DeviceEvent::Carrier);
}

#[test]
fn names_and_other_settings_are_reported() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let near = cable.veth.a();
    let mut watch = near.watch().unwrap();
    ip::set_mtu(near, 1400).unwrap();
    assert_eq!(up_to(&mut watch, |_| true), [DeviceEvent::Other]);
    assert_eq!(watch.info().mtu, 1400);
    // Since 6.2 the name may change while the interface is up.
    ip::set_up(near, false).unwrap();
    ip::rename(near, "nearer").unwrap();
    let renamed = DeviceEvent::Renamed { from: "near".into(), to: "nearer".into() };
    wait_for(&mut watch, &renamed);
    assert_eq!(watch.info().name, "nearer");
    // Settings of another interface are none of this one.
    while watch.wait(Some(Duration::from_millis(50))).unwrap().is_some() {}
    let mut other = cable.veth.b().watch().unwrap();
    ip::set_mtu(cable.veth.b(), 1300).unwrap();
    up_to(&mut other, |_| other_mtu(cable.veth.b()));
    assert_eq!(watch.try_next().unwrap(), None);
}

fn other_mtu(interface: &xsk::Interface) -> bool {
    interface.info().unwrap().mtu == 1300
}

#[test]
fn a_port_of_a_bridge_is_not_taken_for_a_removed_interface() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let bridge = cable.left.add_bridge("bridge").unwrap();
    let near = cable.veth.a();
    let mut watch = near.watch().unwrap();
    ip::set_master(near, Some(&bridge)).unwrap();
    up_to(&mut watch, |event| *event == DeviceEvent::Other);
    ip::set_master(near, None).unwrap();
    ip::set_mtu(near, 1400).unwrap();
    let start = Instant::now();
    while watch.info().mtu != 1400 {
        assert!(start.elapsed() < PATIENCE);
        let event = watch.wait(Some(PATIENCE)).unwrap();
        assert!(!matches!(event, Some(DeviceEvent::Removed | DeviceEvent::Moved)), "{event:?}");
    }
    assert_eq!(watch.info().master, None);
}

#[test]
fn an_interface_that_is_removed_is_reported_once() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut watch = cable.veth.a().watch().unwrap();
    ip::delete(cable.veth.a()).unwrap();
    wait_for(&mut watch, &DeviceEvent::Removed);
    for _ in 0..2 {
        assert_eq!(xsk::wait(&[&watch], Some(Duration::ZERO)), Ok(1), "readable after the end");
        let error = watch.try_next().unwrap_err();
        assert!(error.is_gone(), "{error}");
        assert!(watch.next().is_err());
        assert_eq!(watch.refresh(), Ok(()));
    }
    let error = cable.veth.a().watch().unwrap_err();
    assert!(error.is_gone(), "{error}");
}

#[test]
fn an_interface_that_is_moved_is_reported_as_that() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().build(&left, &left).unwrap();
    let mut watch = pair.a().watch().unwrap();
    let moved = right.take_interface(pair.a()).unwrap();
    let events = up_to(&mut watch, |event| *event == DeviceEvent::Moved);
    assert!(!events.contains(&DeviceEvent::Removed), "{events:?}");
    assert!(watch.try_next().unwrap_err().is_gone());
    // The other one sees its end.
    let mut watch = moved.watch().unwrap();
    ip::set_up(&moved, true).unwrap();
    wait_for(&mut watch, &DeviceEvent::Up);
}

/// A program that passes everything, and a map for it.
fn pass() -> (Program, XskMap) {
    let program =
        Program::builder(&[Insn::mov64_imm(xsk::bpf::Reg::R0, 2), Insn::exit()]).load().unwrap();
    (program, XskMap::create("unused", 1).unwrap())
}

#[test]
fn programs_that_come_and_go_are_reported() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let near = cable.veth.a();
    for method in common::METHODS {
        let mut watch = near.watch().unwrap();
        cable
            .left
            .run(|| {
                let build = || {
                    let builder = Attachment::builder(near).method(method);
                    builder.mode(AttachMode::Native)
                };
                let attach = |watch: &mut Watch| {
                    let (program, map) = pass();
                    let builder = build().program(program, map).replace_foreign(true);
                    let attachment = builder.attach().unwrap();
                    notice(watch, method);
                    attachment
                };
                let mode = XdpMode::Native;
                let first = attach(&mut watch);
                let from = first.program_id();
                wait_for(&mut watch, &DeviceEvent::ProgramAttached { mode, id: from });
                let second = attach(&mut watch);
                let to = second.program_id();
                let replaced = DeviceEvent::ProgramReplaced { mode, from, to };
                // The crate may detach the one before it attaches the other.
                let events = up_to(&mut watch, |event| {
                    *event == replaced || *event == DeviceEvent::ProgramAttached { mode, id: to }
                });
                let gone = DeviceEvent::ProgramDetached { mode, id: from };
                assert!(events.contains(&replaced) || events.contains(&gone), "{events:?}");
                drop(first);
                second.close().unwrap();
                notice(&mut watch, method);
                wait_for(&mut watch, &DeviceEvent::ProgramDetached { mode, id: to });
            })
            .unwrap();
    }
}

/// The kernel notifies of no link.
fn notice(watch: &mut Watch, method: AttachMethod) {
    if method == AttachMethod::Link {
        watch.refresh().unwrap();
    }
}

#[test]
fn numbers_of_queues_are_reported() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(4, "near", "far");
    let near = cable.veth.a();
    let mut watch = near.watch().unwrap();
    let set = |rx: u32| {
        let line = format!("-L near rx {rx}");
        let run = || Command::new("ethtool").args(line.split(' ')).status();
        cable.left.run(run).unwrap().is_ok_and(|status| status.success())
    };
    let here = "numbers_of_queues_are_reported";
    if !kernel_can(here, set(2), "there is no ethtool, or it cannot set channels") {
        return;
    }
    if !kernel_since(5, 7) {
        watch.refresh().unwrap();
    }
    let events = up_to(&mut watch, |event| matches!(event, DeviceEvent::QueuesChanged { .. }));
    let Some(DeviceEvent::QueuesChanged { from, to }) = events.last() else { unreachable!() };
    assert_eq!((from.rx, from.tx, to.rx, to.tx), (4, 4, 2, 4));
}

/// The kernel leaves notifications out when more come than the socket has room for.
#[test]
fn what_the_kernel_left_out_is_found_by_reading_the_state() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let near = cable.veth.a();
    let mut watch = near.watch().unwrap();
    for round in 0..2000 {
        ip::set_mtu(near, 1000 + round % 2).unwrap();
    }
    // These notifications are left out.
    ip::set_mtu(near, 1234).unwrap();
    ip::set_up(near, false).unwrap();
    let events = up_to(&mut watch, |event| *event == DeviceEvent::Down);
    assert!(events.len() < 1900, "no notification was left out");
    assert_eq!((watch.info().mtu, watch.info().up), (1234, false));
    // And the watch goes on.
    ip::set_up(near, true).unwrap();
    wait_for(&mut watch, &DeviceEvent::Up);
    for round in 0..2000 {
        ip::set_mtu(near, 1000 + round % 2).unwrap();
    }
    ip::delete(near).unwrap();
    up_to(&mut watch, |event| matches!(event, DeviceEvent::Removed));
}

/// Notifications that wait when the state is read anew are older than it.
#[test]
fn what_was_read_anew_is_not_undone_by_older_notifications() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let near = cable.veth.a();
    let here = "what_was_read_anew_is_not_undone_by_older_notifications";
    if !kernel_can(here, kernel_since(5, 9), "programs attached by a link: Linux 5.9") {
        return;
    }
    let mut watch = near.watch().unwrap();
    ip::set_mtu(near, 1400).unwrap();
    let attach = || {
        let (program, map) = pass();
        let builder = Attachment::builder(near).method(AttachMethod::Link);
        builder.mode(AttachMode::Generic).program(program, map).attach().unwrap()
    };
    let attachment = cable.left.run(attach).unwrap();
    let (mode, id) = (XdpMode::Generic, attachment.program_id());
    let attached = DeviceEvent::ProgramAttached { mode, id };
    // What happened before a watch began is no event, whatever waits for it.
    let mut later = near.watch().unwrap();
    assert_eq!((later.try_next().unwrap(), later.info().programs.program(mode)), (None, Some(id)));
    watch.refresh().unwrap();
    let mut events = Vec::new();
    while let Some(event) = watch.try_next().unwrap() {
        events.push(event);
    }
    assert_eq!(events, [DeviceEvent::Other, attached]);
    assert_eq!((watch.info().mtu, watch.info().programs.program(mode)), (1400, Some(id)));
    attachment.close().unwrap();
}

/// `poll(2)` of an AF_XDP socket stays silent when its interface goes.
#[test]
fn packets_and_events_are_waited_for_together() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let port = Port::left(&cable);
    let mut watch = cable.veth.a().watch().unwrap();
    while watch.try_next().unwrap().is_some() {}
    let both =
        |watch: &Watch, timeout| xsk::wait(&[&port.socket.rx, watch], Some(timeout)).unwrap();
    assert_eq!(both(&watch, Duration::ZERO), 0);
    std::thread::scope(|scope| {
        let interface = cable.veth.a().clone();
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            ip::delete(&interface).unwrap();
        });
        let start = Instant::now();
        // One event for each wait: the descriptor is readable as long as there are more.
        while !matches!(watch.try_next(), Ok(Some(DeviceEvent::Removed))) {
            assert!(both(&watch, PATIENCE) > 0, "nothing woke the sleeper");
            assert!(start.elapsed() < PATIENCE, "nothing woke the sleeper");
        }
    });
}

#[test]
fn an_interface_of_another_namespace_is_watched_or_refused() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let elsewhere = Namespace::new().unwrap();
    let near = cable.veth.a();
    // This thread may enter the namespace.
    let mut watch = elsewhere.run(|| near.watch()).unwrap().unwrap();
    ip::set_mtu(near, 1400).unwrap();
    wait_for(&mut watch, &DeviceEvent::Other);
    // Inside the namespace it takes no privilege.
    let watched = as_nobody(CapabilitySet::empty(), &cable.left, || near.watch().map(drop));
    assert_eq!(watched, Ok(()));
    let refused = as_nobody(CapabilitySet::empty(), &elsewhere, || near.watch().map(drop));
    let error = refused.unwrap_err();
    assert!(matches!(&error, Error::Interface { errno: Errno::XDEV, .. }), "{error:?}");
    assert!(error.to_string().contains("in another network namespace"), "{error}");
}
