//! Attaching and leaving while something changes that a test of the public API cannot cause.

use super::*;
use crate::attach::mode::ModeReason;
use crate::attach::netlink::Condition;
use crate::bpf::load_redirect;
use crate::test_util::{Namespace, VethPair, privileged};

#[test]
fn a_program_that_cannot_be_read_back_is_detached() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().build(&left, &right).unwrap();
    left.run(|| {
        for method in [AttachMethod::Netlink, AttachMethod::Link] {
            let request = Request { method: Some(method), ..Request::new(pair.a()) };
            let candidate = Candidate::load(pair.a(), None, false).unwrap();
            let lock = request.lock().unwrap();
            let attempt = Attempt { request: &request, candidate: &candidate, lock: &lock };
            let ownership = attempt.attach_new(XdpMode::Native, Condition::Vacant).unwrap();
            assert!(!pair.a().attached_programs().unwrap().is_empty());
            let why = Error::Netlink { operation: "look", errno: Errno::NOBUFS };
            let unread = Err(why.clone());
            let step =
                attempt.verify_attached(XdpMode::Native, ownership, ModeReason::Asked, unread);
            assert_eq!(step.err(), Some(why));
            assert!(pair.a().attached_programs().unwrap().is_empty(), "{method}");
        }
    })
    .unwrap();
}

#[test]
fn where_generic_mode_fails_too_the_error_is_that_of_native_mode() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    let request = Request { method: Some(AttachMethod::Link), ..Request::new(pair.a()) };
    let refused = namespace.run(|| {
        let candidate = Candidate::load(pair.a(), None, false).unwrap();
        let lock = request.lock().unwrap();
        let attempt = Attempt { request: &request, candidate: &candidate, lock: &lock };
        // By link, an interface that is gone is EINVAL in either mode.
        drop(pair);
        attempt.attach_to_vacant().err()
    });
    let refused = refused.unwrap();
    assert!(
        matches!(refused, Some(Error::Attach { mode: XdpMode::Native, errno: Errno::INVAL, .. })),
        "{refused:?}"
    );
}

#[test]
fn a_program_that_has_gone_is_looked_for_again() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().build(&left, &right).unwrap();
    left.run(|| {
        let request = Request::new(pair.a());
        let candidate = Candidate::load(pair.a(), None, false).unwrap();
        let lock = request.lock().unwrap();
        let attempt = Attempt { request: &request, candidate: &candidate, lock: &lock };
        let id = load_redirect(&candidate.slots.map, false).unwrap().id();
        // The kernel frees it a little later.
        while Program::from_id(id).is_ok() {
            std::thread::yield_now();
        }
        assert!(matches!(attempt.identify(XdpMode::Native, id), Ok(Found::Gone)));
        let there = load_redirect(&candidate.slots.map, false).unwrap();
        assert!(matches!(attempt.identify(XdpMode::Native, there.id()), Ok(Found::Joinable(..))));
    })
    .unwrap();
}
