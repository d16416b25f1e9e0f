//! Interfaces that are moved or deleted, and threads in another namespace.

use crate::common::{METHODS, rx_socket};
use crate::fixture::Fixture;
use rustix::io::Errno;
use std::os::fd::AsFd;
use xsk::Error;
use xsk::attach::{AttachMethod, Attachment};
use xsk::test_util::{Namespace, ip, privileged};

#[test]
fn a_program_goes_with_its_link_when_the_interface_is_moved() {
    if !privileged!() {
        return;
    }
    for method in METHODS {
        let fixture = Fixture::new(1);
        let elsewhere = Namespace::new().unwrap();
        fixture.inside(|| {
            let attachment =
                Attachment::builder(fixture.interface()).method(method).attach().unwrap();
            let moved = elsewhere.take_interface(fixture.interface()).unwrap();
            attachment.close().unwrap();
            assert_eq!(
                moved.attached_programs().unwrap().is_empty(),
                method == AttachMethod::Link,
                "{method}: as documented"
            );
        });
    }
}

#[test]
fn the_thread_may_have_moved_and_the_interface_may_have_gone() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let elsewhere = Namespace::new().unwrap();
    for method in METHODS {
        let attachment = fixture
            .inside(|| Attachment::builder(fixture.interface()).method(method).attach().unwrap());
        elsewhere.run(|| attachment.close()).unwrap().unwrap();
        fixture.assert_vacant();
        let from_outside = elsewhere
            .run(|| Attachment::builder(fixture.interface()).method(method).attach())
            .unwrap();
        assert!(
            matches!(from_outside, Err(Error::Interface { errno: Errno::XDEV, .. })),
            "{from_outside:?}"
        );
    }
    for method in METHODS {
        let fixture = Fixture::new(1);
        fixture.inside(|| {
            let attachment =
                Attachment::builder(fixture.interface()).method(method).attach().unwrap();
            let registration = attachment.register(0, rx_socket().as_fd()).unwrap();
            ip::delete(fixture.interface()).unwrap();
            let late = attachment.register(0, rx_socket().as_fd());
            assert!(late.is_err(), "{late:?}");
            registration.close().unwrap();
            attachment.close().unwrap();
            let late = Attachment::builder(fixture.interface()).method(method).attach();
            assert!(matches!(late, Err(Error::Interface { errno: Errno::NODEV, .. })), "{late:?}");
        });
    }
}
