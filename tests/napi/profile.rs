//! Named profiles.

use crate::common::{AtCable, Cable, kernel_can, kernel_since};
use crate::fixture::{Fixture, with_sysfs};
use rustix::io::Errno;
use xsk::socket::{BusyPoll, NapiProfile};
use xsk::test_util::{privileged, test_name};
use xsk::{Error, Port};

#[test]
fn a_profile_sets_socket_and_queue_and_restores_both() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    if !kernel_can(test_name!(), kernel_since(5, 11), "NAPI settings: Linux 5.11") {
        return;
    }
    let handle = &fixture.port.socket.handle;
    let former = BusyPoll::new(std::time::Duration::from_micros(3));
    handle.set_busy_poll(&former).unwrap();
    with_sysfs(&fixture.cable.left, || {
        let interface = fixture.interface();
        let settings = || match interface.napi(0).unwrap().and_then(|napi| napi.settings()) {
            Some(settings) => settings,
            None => interface.device_napi_settings().unwrap().unwrap(),
        };
        let before = settings();
        for profile in [NapiProfile::Throughput, NapiProfile::Latency] {
            let applied = profile.apply(interface, handle).unwrap();
            let (now, wanted) = (settings(), profile.napi());
            assert_eq!(now.defer_hard_irqs, wanted.defer_hard_irqs, "{profile}");
            assert_eq!(now.gro_flush_timeout, wanted.gro_flush_timeout, "{profile}");
            assert_eq!(handle.busy_poll().unwrap(), profile.busy_poll());
            applied.restore().unwrap();
            assert_eq!(settings(), before);
            assert_eq!(handle.busy_poll().unwrap(), former);
        }
        drop(NapiProfile::Throughput.apply(interface, handle).unwrap());
        assert_eq!(settings(), before);
        // What was set on the socket meanwhile stays; the queue has its settings back.
        let applied = NapiProfile::Latency.apply(interface, handle).unwrap();
        let other = BusyPoll::new(std::time::Duration::from_micros(5));
        handle.set_busy_poll(&other).unwrap();
        let error = applied.restore().unwrap_err();
        assert!(matches!(error, Error::Interface { errno: Errno::CANCELED, .. }), "{error}");
        assert_eq!((handle.busy_poll().unwrap(), settings()), (other, before));
    });
}

#[test]
fn a_profile_that_is_refused_changes_nothing() {
    if !privileged!() || !kernel_since(5, 11) {
        return;
    }
    let cable = Cable::new(1);
    let port = Port::left(&cable);
    let handle = &port.socket.handle;
    // The other interface.
    let error = NapiProfile::Latency.apply(cable.veth.b(), handle).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::XDEV, .. }), "{error}");
    // No NAPI instance, or another sysfs.
    let error = NapiProfile::Latency.apply(cable.veth.a(), handle).unwrap_err();
    let expected = matches!(error, Error::Interface { errno: Errno::NOENT | Errno::XDEV, .. });
    assert!(expected, "{error}");
    assert_eq!(handle.busy_poll().unwrap(), BusyPoll::OFF);
}
