//! The settings of one queue's NAPI instance (6.13).

use crate::common::{Cable, kernel_can, kernel_since};
use crate::fixture::Fixture;
use rustix::io::Errno;
use std::time::Duration;
use xsk::Error;
use xsk::interface::{NapiScope, NapiSettings, NapiThreading};
use xsk::test_util::{ip, privileged, test_name};

const US: fn(u64) -> Duration = Duration::from_micros;

/// Returns whether the kernel sets single instances; if not, prints the test's name.
fn can(fixture: &Fixture, name: &str) -> bool {
    let can = fixture.sets_instances();
    assert!(can || !kernel_since(6, 13));
    kernel_can(name, can, "settings of single NAPI instances: Linux 6.13")
}

#[test]
fn one_queue_is_set_and_restored_and_the_other_stays() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    if !can(&fixture, test_name!()) {
        return;
    }
    let [before, other] = [fixture.settings(0), fixture.settings(1)];
    let ids = [0, 1].map(|queue| fixture.interface().napi(queue).unwrap().unwrap().id());
    assert!(ids[0] < ids[1] && ids[0] > 0, "{ids:?}");
    let wanted =
        NapiSettings::new(i32::MAX.unsigned_abs(), US(200)).with_irq_suspend_timeout(US(1));
    let guard = fixture.interface().set_napi(0, &wanted).unwrap();
    assert_eq!(guard.scope(), NapiScope::Queue { queue: 0, napi: ids[0] });
    let now = fixture.settings(0);
    assert_eq!((now.defer_hard_irqs, now.gro_flush_timeout), (i32::MAX.unsigned_abs(), US(200)));
    assert_eq!(now.irq_suspend_timeout, Some(US(1)));
    assert_eq!(fixture.settings(1), other);
    guard.restore().unwrap();
    assert_eq!(fixture.settings(0), before);
    // Dropped, and kept.
    drop(fixture.interface().set_napi(1, &NapiSettings::new(1, US(1))).unwrap());
    assert_eq!(fixture.settings(1), other);
    fixture.interface().set_napi(1, &NapiSettings::new(1, US(1))).unwrap().keep();
    assert_eq!(fixture.settings(1).defer_hard_irqs, 1);
}

#[test]
fn what_another_process_has_set_meanwhile_stays() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    if !can(&fixture, test_name!()) {
        return;
    }
    let guard = fixture.interface().set_napi(0, &NapiSettings::new(2, US(200))).unwrap();
    fixture.interface().set_napi(0, &NapiSettings::new(7, US(9))).unwrap().keep();
    let error = guard.restore().unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::CANCELED, .. }), "{error}");
    assert!(error.to_string().contains("2 deferrals of 200 us became 7 deferrals of 9 us"));
    assert_eq!(fixture.settings(0).defer_hard_irqs, 7);
    // Nor does a guard that is dropped touch them.
    let guard = fixture.interface().set_napi(0, &NapiSettings::new(2, US(200))).unwrap();
    fixture.interface().set_napi(0, &NapiSettings::new(8, US(9))).unwrap().keep();
    drop(guard);
    assert_eq!(fixture.settings(0).defer_hard_irqs, 8);
}

#[test]
fn values_that_cannot_be_are_refused_and_nothing_is_changed() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    if !can(&fixture, test_name!()) {
        return;
    }
    let before = fixture.settings(0);
    for wanted in [
        NapiSettings::new(1 << 31, US(1)),
        NapiSettings::new(u32::MAX, US(1)),
        NapiSettings::new(1, Duration::MAX),
        NapiSettings::new(1, US(1)).with_threading(NapiThreading::Other(77)),
    ] {
        let error = fixture.interface().set_napi(0, &wanted).unwrap_err();
        let of_kernel = matches!(
            error,
            Error::Interface { errno: Errno::RANGE | Errno::INVAL, .. } | Error::NeedsKernel { .. }
        );
        assert!(of_kernel, "{wanted:?}: {error}");
        assert_eq!(fixture.settings(0), before, "{wanted:?}");
    }
    let error = fixture.interface().set_napi(1, &NapiSettings::default()).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::INVAL, .. }), "{error}");
}

#[test]
fn a_thread_is_given_to_the_instance_and_taken_back() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    if !can(&fixture, test_name!()) {
        return;
    }
    let threads = fixture.settings(0).threaded.is_some();
    let wanted = NapiSettings::new(0, Duration::ZERO).with_threading(NapiThreading::On);
    let result = fixture.interface().set_napi(0, &wanted);
    if !kernel_can(test_name!(), threads, "threading of single NAPI instances: Linux 6.17") {
        assert!(matches!(result, Err(Error::NeedsKernel { version: "6.17", .. })), "{result:?}");
        return;
    }
    let guard = result.unwrap();
    let napi = fixture.interface().napi(0).unwrap().unwrap();
    assert!(napi.thread().is_some_and(|thread| thread > 0), "{napi:?}");
    guard.restore().unwrap();
    assert_eq!(fixture.settings(0).threaded, Some(NapiThreading::Off));
}

#[test]
fn an_interface_without_instances_is_refused_with_words() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    // Without a native program the processor takes the packets.
    assert_eq!(cable.veth.a().napi(0).unwrap(), None);
    if !kernel_can(test_name!(), kernel_since(6, 8), "lists of NAPI instances: Linux 6.8") {
        return;
    }
    let error = cable.veth.a().set_napi(0, &NapiSettings::new(2, US(200))).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::NOENT, .. }), "{error}");
    assert!(error.to_string().contains("while a native XDP program is attached"), "{error}");
}

#[test]
fn an_instance_that_is_gone_took_its_settings_with_it() {
    if !privileged!() {
        return;
    }
    let mut fixture = Fixture::new(1);
    if !can(&fixture, test_name!()) {
        return;
    }
    let set = |fixture: &Fixture| {
        fixture.interface().set_napi(0, &NapiSettings::new(2, US(200))).unwrap()
    };
    let guard = set(&fixture);
    ip::set_up(fixture.interface(), false).unwrap();
    let error = guard.restore().unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::NETDOWN, .. }), "{error}");
    ip::set_up(fixture.interface(), true).unwrap();

    let guard = set(&fixture);
    drop(fixture.registration.take());
    assert_eq!(fixture.interface().napi(0).unwrap(), None);
    guard.restore().unwrap();

    let other = Fixture::new(1);
    let guard = set(&other);
    ip::delete(other.interface()).unwrap();
    guard.restore().unwrap();
    let error = other.interface().napi(0).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::NODEV, .. }), "{error}");
}
