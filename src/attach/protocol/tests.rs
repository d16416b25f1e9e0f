//! What happens while attaching, and cannot be brought about from outside.

use super::lock::LockSocket;
use super::netlink::Condition;
use super::{AttachMethod, Attachment, ModeReason, XdpMode};
use crate::Error;
use crate::test_util::{Namespace, VethPair, privileged};
use rustix::io::Errno;
use std::time::Duration;

#[test]
fn what_cannot_be_read_back_is_taken_off() {
    if !privileged("what_cannot_be_read_back_is_taken_off") {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().build(&left, &right).unwrap();
    left.run(|| {
        for method in [AttachMethod::Netlink, AttachMethod::Link] {
            let mut builder = Attachment::builder(pair.a()).method(method);
            let candidate = builder.load().unwrap();
            let lock = LockSocket::new().unwrap();
            let lock = lock.acquire(pair.a().index(), Duration::from_secs(10)).unwrap();
            let ownership =
                builder.attach_new(&candidate, &lock, XdpMode::Native, Condition::Vacant);
            assert!(!pair.a().attached_programs().unwrap().is_empty());
            let why = Error::Netlink { operation: "look", errno: Errno::NOBUFS };
            let unread = Err(why.clone());
            let step = builder.verify_attached(
                &candidate,
                XdpMode::Native,
                ownership.unwrap(),
                ModeReason::Asked,
                unread,
            );
            assert_eq!(step.err(), Some(why));
            assert!(pair.a().attached_programs().unwrap().is_empty(), "{method}");
        }
    })
    .unwrap();
}
