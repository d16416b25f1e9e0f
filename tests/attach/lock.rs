//! The lock of an interface, held by another user.

use crate::common::rx_socket;
use crate::fixture::{Fixture, LIMIT};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use xsk::Error;
use xsk::attach::{Attachment, XdpMode};
use xsk::test_util::privileged;

#[test]
fn dropping_does_not_wait_as_long_as_closing() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let build = Attachment::builder(fixture.interface()).lock_timeout(Duration::from_secs(60));
        let attachment = build.attach().unwrap();
        let registration = attachment.register(0, rx_socket().as_fd()).unwrap();
        drop(attachment);
        let held = fixture.take_the_lock();
        let start = Instant::now();
        drop(registration);
        let waited = start.elapsed();
        assert!((Duration::from_secs(1)..Duration::from_secs(20)).contains(&waited), "{waited:?}");
        drop(held);
    });
}

#[test]
fn a_lock_that_is_held_too_long_is_an_error() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let patience = Duration::from_millis(300);
        let build = || Attachment::builder(fixture.interface()).lock_timeout(patience);
        let attachment = build().attach().unwrap();
        let held = fixture.take_the_lock();
        let refused = build().attach();
        let Err(Error::AttachLock { waited, errno: Errno::ADDRINUSE, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(waited >= patience && waited < LIMIT, "{waited:?}");
        let id = attachment.program_id();
        let left = attachment.close();
        assert!(matches!(left, Err(Error::AttachLock { .. })), "{left:?}");
        assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        drop(held);
        let next = build().attach().unwrap();
        assert_eq!(
            (next.program_id(), next.joined()),
            (id, true),
            "the abandoned program is taken over"
        );
        next.close().unwrap();
        fixture.assert_vacant();
    });
}
