//! The settings of a whole device, by sysfs.

use crate::common::{Cable, kernel_can, kernel_since};
use crate::fixture::{Fixture, with_sysfs};
use rustix::io::Errno;
use std::time::Duration;
use xsk::interface::{NapiScope, NapiSettings};
use xsk::test_util::{privileged, test_name};
use xsk::{Error, Interface};

const US: fn(u64) -> Duration = Duration::from_micros;

#[test]
fn the_settings_of_another_namespace_are_not_read() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    // /sys shows the namespace of this process.
    assert_eq!(fixture.interface().device_napi_settings().unwrap(), None);
    let inside = with_sysfs(&fixture.cable.left, || fixture.interface().device_napi_settings());
    let expected = kernel_since(5, 8).then(NapiSettings::default);
    assert_eq!(inside.unwrap(), expected);
    // Each namespace has a `lo` with the index 1.
    let lo = fixture.cable.left.run(|| Interface::by_name("lo")).unwrap().unwrap();
    assert_eq!(lo.device_napi_settings().unwrap(), None);
    // The other end has another index in another namespace.
    let outside = with_sysfs(&fixture.cable.right, || fixture.interface().device_napi_settings());
    assert_eq!(outside.unwrap(), None);
}

/// Where the kernel has no request for single instances.
#[test]
fn the_device_is_set_and_restored() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let old = !fixture.sets_instances() && kernel_since(5, 11);
    if !kernel_can(test_name!(), old, "NAPI_SET is there: the device is not set as a whole") {
        return;
    }
    let interface = fixture.interface();
    let wanted = NapiSettings::new(2, US(200));
    // Elsewhere, sysfs shows no such interface.
    let error = interface.set_napi(0, &wanted).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::XDEV, .. }), "{error}");
    assert!(error.to_string().contains("/sys shows another network namespace"), "{error}");
    with_sysfs(&fixture.cable.left, || {
        let guard = interface.set_napi(0, &wanted).unwrap();
        assert_eq!(guard.scope(), NapiScope::Device);
        assert_eq!(interface.device_napi_settings().unwrap(), Some(wanted));
        guard.restore().unwrap();
        assert_eq!(interface.device_napi_settings().unwrap(), Some(NapiSettings::default()));

        let guard = interface.set_napi(0, &wanted).unwrap();
        interface.set_napi(1, &NapiSettings::new(5, US(200))).unwrap().keep();
        let error = guard.restore().unwrap_err();
        assert!(matches!(error, Error::Interface { errno: Errno::CANCELED, .. }), "{error}");

        let suspend = wanted.with_irq_suspend_timeout(US(1));
        let error = interface.set_napi(0, &suspend).unwrap_err();
        assert!(matches!(error, Error::NeedsKernel { version: "6.13", .. }), "{error}");
    });
}

/// A driver that names no instances, and has some.
#[test]
fn an_interface_that_is_down_is_read_and_has_no_instance() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    xsk::test_util::ip::set_up(cable.veth.a(), false).unwrap();
    assert_eq!(cable.veth.a().napi(0).unwrap(), None);
}
