//! The lock of an interface, held by somebody else.

use crate::rig::{LIMIT, Rig, rx_socket};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};
use xsk::Error;
use xsk::attach::{Attachment, XdpMode};

#[test]
fn dropping_does_not_wait_as_long_as_closing() {
    let Some(rig) = Rig::new("dropping_does_not_wait_as_long_as_closing", 1) else {
        return;
    };
    rig.inside(|| {
        let attachment = Attachment::builder(rig.interface()).attach().unwrap();
        let registration = attachment.register(0, rx_socket().as_fd()).unwrap();
        drop(attachment);
        let name = format!("xsk/lock/{}", rig.interface().index());
        let held = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        let start = Instant::now();
        drop(registration);
        let waited = start.elapsed();
        assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
        drop(held);
    });
}

#[test]
fn a_lock_that_is_held_too_long_is_an_error() {
    let Some(rig) = Rig::new("a_lock_that_is_held_too_long_is_an_error", 1) else {
        return;
    };
    rig.inside(|| {
        let patience = Duration::from_millis(30);
        let build = || Attachment::builder(rig.interface()).lock_timeout(patience);
        let attachment = build().attach().unwrap();
        let name = format!("xsk/lock/{}", rig.interface().index());
        let held = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        let refused = build().attach();
        let Err(Error::AttachLock { waited, errno: Errno::ADDRINUSE, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(waited >= patience && waited < LIMIT, "{waited:?}");
        let id = attachment.program_id();
        let left = attachment.close();
        assert!(matches!(left, Err(Error::AttachLock { .. })), "{left:?}");
        assert_eq!(rig.attached(), Some((XdpMode::Native, id)));
        drop(held);
        let next = build().attach().unwrap();
        assert_eq!(
            (next.program_id(), next.joined()),
            (id, true),
            "what was left behind is taken over"
        );
        next.close().unwrap();
        rig.assert_vacant();
    });
}
