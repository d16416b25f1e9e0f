//! Busy polling, and whether it does something.

use crate::common::{AtCable, Cable, as_nobody, kernel_can, kernel_since, until};
use crate::fixture::{Fixture, with_sysfs};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use std::time::{Duration, Instant};
use xsk::error::SocketOption;
use xsk::interface::NapiSettings;
use xsk::socket::{BusyPoll, BusyPollEffect};
use xsk::test_util::{privileged, test_name};
use xsk::{Error, Port};

const US: fn(u64) -> Duration = Duration::from_micros;

#[test]
fn the_three_options_are_set_together_and_read_back() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let port = Port::left(&cable);
    let handle = &port.socket.handle;
    if !kernel_can(test_name!(), kernel_since(5, 11), "busy polling of AF_XDP sockets: Linux 5.11")
    {
        let error = handle.set_busy_poll(&BusyPoll::OFF).unwrap_err();
        assert!(matches!(error, Error::NeedsKernel { version: "5.11", .. }), "{error}");
        return;
    }
    assert_eq!(handle.busy_poll().unwrap(), BusyPoll::OFF);
    assert_eq!(handle.busy_poll_effect().unwrap(), BusyPollEffect::Off);
    for wanted in [
        BusyPoll::new(US(20)).prefer(true).budget(64),
        BusyPoll::new(US(i32::MAX.unsigned_abs().into())).budget(u16::MAX),
        BusyPoll::new(US(1)).budget(0),
        BusyPoll::OFF,
    ] {
        handle.set_busy_poll(&wanted).unwrap();
        assert_eq!(handle.busy_poll().unwrap(), wanted);
    }
    handle.set_busy_poll(&BusyPoll::new(Duration::from_nanos(1))).unwrap();
    assert_eq!(handle.busy_poll().unwrap(), BusyPoll::new(US(1)), "rounded up");
    for time in [US(1 << 31), Duration::MAX] {
        let error = handle.set_busy_poll(&BusyPoll::new(time)).unwrap_err();
        assert!(matches!(error, Error::Setting { name: "busy poll time", .. }), "{error}");
    }
}

#[test]
fn without_the_capability_nothing_is_changed() {
    if !privileged!() || !kernel_since(5, 11) {
        return;
    }
    let cable = Cable::new(1);
    let port = Port::left(&cable);
    let handle = &port.socket.handle;
    let polling = BusyPoll::new(US(7)).budget(64);
    for (before, wanted, refused) in [
        (polling, BusyPoll::new(US(1)).prefer(true), SocketOption::PreferBusyPoll),
        (polling.prefer(true), BusyPoll::new(US(1)).budget(65), SocketOption::BusyPollBudget),
    ] {
        handle.set_busy_poll(&before).unwrap();
        as_nobody(CapabilitySet::empty(), &cable.left, || {
            let error = handle.set_busy_poll(&wanted).unwrap_err();
            assert!(
                matches!(&error, Error::SocketOption { option, errno: Errno::PERM, .. }
                    if *option == refused),
                "{error}"
            );
            assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
            assert_eq!(handle.busy_poll().unwrap(), before);
        });
    }
}

/// With deferral, a packet that follows another one waits for the timer, unless the queue is
/// polled: that is what a wake-up does, if and only if `busy_poll_effect` names an instance.
#[test]
fn a_wake_up_takes_packets_exactly_if_there_is_said_to_be_an_effect() {
    if !privileged!() {
        return;
    }
    let mut fixture = Fixture::new(1);
    let can = kernel_since(5, 11);
    if !kernel_can(test_name!(), can, "busy polling of AF_XDP sockets: Linux 5.11") {
        return;
    }
    let handle = fixture.port.socket.handle.clone();
    let mut sender = Port::right(&fixture.cable);
    let mut received = 0;
    let mut send = || {
        assert_eq!(sender.socket.tx.send_from(&mut sender.pool, 1, 60), Ok(1));
        sender.socket.tx.kick_if_needed().unwrap();
    };
    // The first packet may be what the kernel learns the instance from.
    send();
    until("the first packet", || {
        let rx = &mut fixture.port.socket.rx;
        received += rx.receive(8).unwrap().into_iter().count();
        received == 1
    });
    const WAIT: Duration = Duration::from_secs(2);
    let set = || fixture.cable.veth.a().set_napi(0, &NapiSettings::new(1000, WAIT));
    let deferred = with_sysfs(&fixture.cable.left, set).unwrap();
    handle.set_busy_poll(&BusyPoll::new(US(20)).prefer(true).budget(64)).unwrap();
    let polls = match handle.busy_poll_effect().unwrap() {
        BusyPollEffect::Polls { napi } => {
            assert!(napi > 0);
            true
        }
        effect => {
            assert_eq!(effect, BusyPollEffect::NoNapi);
            false
        }
    };
    // This one makes the interrupt, after which they are deferred.
    let start = Instant::now();
    send();
    until("the second packet", || {
        received += fixture.port.socket.rx.receive(8).unwrap().into_iter().count();
        received == 2
    });
    send();
    until("the third packet", || {
        handle.poll_queue().unwrap();
        received += fixture.port.socket.rx.receive(8).unwrap().into_iter().count();
        received == 3
    });
    let time = start.elapsed();
    assert_eq!(time < WAIT, polls, "{time:?}");
    with_sysfs(&fixture.cable.left, || deferred.restore()).unwrap();
    // Since 6.13 a veth, which names no instances for its queues, shows the kernel none.
    assert_eq!(polls, !kernel_since(6, 13));
}
