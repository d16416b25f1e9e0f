//! A process without privileges that takes the names of the lock and of marks.

use crate::common::rounds;
use crate::fixture::strangers_of_free;
use crate::fixture::{Fixture, lists_unix_sockets, other_program, sockets_of, strangers};
use rustix::io::Errno;
use rustix::process::Uid;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use rustix::thread::{set_capabilities, set_keep_capabilities, set_thread_res_uid};
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsk::Error;
use xsk::attach::{AttachMethod, AttachMode, Attachment, XdpMode};
use xsk::bpf::XskMap;
use xsk::test_util::privileged;

/// The user of the other process.
const STRANGER: u32 = 65_533;

/// How the owner of a mark makes it hard to find out who holds it.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Plain,
    FullQueue,
    CannotSend,
    Connected,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Plain, Self::FullQueue, Self::CannotSend, Self::Connected];

    fn make(self, mark: &UnixDatagram) {
        match self {
            Self::Plain => {}
            Self::FullQueue => {
                mark.set_nonblocking(true).unwrap();
                let address = mark.local_addr().unwrap();
                let sender = UnixDatagram::unbound().unwrap();
                sender.set_nonblocking(true).unwrap();
                while sender.send_to_addr(&[], &address).is_ok() {}
            }
            Self::CannotSend => mark.shutdown(Shutdown::Write).unwrap(),
            Self::Connected => mark.connect_addr(&mark.local_addr().unwrap()).unwrap(),
        }
    }
}

/// Returns the names of two marks of each kind, at both ends of the numbers.
fn mark_names(fixture: &Fixture, program: u32) -> Vec<String> {
    let index = fixture.interface().index();
    let name = |kind, number| format!("xsk/{kind}/{index}/{program}/{number}");
    vec![name("user", 1), name("user", 1023), name("guest", 0), name("guest", 1023)]
}

#[test]
fn a_stranger_that_holds_the_lock_is_named() {
    if !privileged!() || !lists_unix_sockets("a_stranger_that_holds_the_lock_is_named") {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let patience = Duration::from_millis(300);
        let build = || Attachment::builder(fixture.interface()).lock_timeout(patience);
        let attachment = build().attach().unwrap();
        let lock = strangers(vec![format!("xsk/lock/{}", fixture.interface().index())]);
        let refused = [build().attach().unwrap_err(), attachment.close().unwrap_err()];
        for error in refused {
            let Error::AttachLock { pid, uid, errno: Errno::ADDRINUSE, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!((pid, uid), (Some(std::process::id()), Some(STRANGER)));
            let text = error.to_string();
            assert!(text.contains("user 65533") && text.contains("no business"), "{text}");
            assert!(text.contains(&format!("`kill {}`", std::process::id())), "{text}");
        }
        drop(lock);
        build().attach().unwrap().close().unwrap();
        fixture.assert_vacant();
    });
}

#[test]
fn a_strangers_marks_keep_nothing_attached() {
    if !privileged!() || !lists_unix_sockets("a_strangers_marks_keep_nothing_attached") {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for kind in Kind::ALL {
            let attachment = Attachment::builder(fixture.interface()).attach().unwrap();
            let id = attachment.program_id();
            let marks = strangers(mark_names(&fixture, id));
            for mark in &marks {
                kind.make(mark);
            }
            // Users see each other all the same.
            let second = Attachment::builder(fixture.interface()).attach().unwrap();
            assert!(second.joined());
            attachment.close().unwrap();
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)), "{kind:?}");
            second.close().unwrap();
            assert_eq!(crate::common::left_on(fixture.interface()), None, "{kind:?}");
        }
    });
}

#[test]
fn a_strangers_marks_do_not_make_a_left_over_program_one_in_use() {
    if !privileged!() || !lists_unix_sockets("a_strangers_marks_do_not_make_a_left_over_program") {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for (mode, method) in
            [(AttachMode::Generic, AttachMethod::Netlink), (AttachMode::Auto, AttachMethod::Link)]
        {
            let build = || Attachment::builder(fixture.interface());
            let killed = Fixture::attach_without_patience(build);
            let id = killed.program_id();
            let lock = strangers(vec![format!("xsk/lock/{}", fixture.interface().index())]);
            assert!(killed.close().is_err());
            drop(lock);
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
            let _marks = strangers(mark_names(&fixture, id));
            let next = Attachment::builder(fixture.interface())
                .mode(mode)
                .method(method)
                .attach()
                .unwrap();
            assert_ne!(next.program_id(), id);
            next.close().unwrap();
            fixture.assert_vacant();
        }
    });
}

#[test]
fn a_stranger_that_has_all_marks_is_named() {
    if !privileged!() || !lists_unix_sockets("a_stranger_that_has_all_marks_is_named") {
        return;
    }
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(8192, |maximum| maximum.min(8192));
    let current = limit.current.map(|current| current.max(enough));
    setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum }).unwrap();
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let (program, map) = other_program();
        let attach = || {
            let map = XskMap::from_id(map.id()).unwrap();
            Attachment::builder(fixture.interface())
                .program(program.try_clone().unwrap(), map)
                .attach()
        };
        let index = fixture.interface().index();
        let name = |number| format!("xsk/user/{index}/{}/{number}", program.id());
        let mut marks = strangers((0..1024).map(name).collect());
        let refused = attach().unwrap_err();
        let Error::AttachMarks { marks: 1024, pid, uid, errno: Errno::ADDRINUSE, .. } = refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!((pid, uid), (Some(std::process::id()), Some(STRANGER)));
        assert!(refused.to_string().contains("no business"), "{refused}");
        assert_eq!(crate::common::left_on(fixture.interface()), None);
        // One name is enough.
        drop(marks.pop());
        let attachment = attach().unwrap();
        assert!(attach().is_err(), "the name is taken");
        attachment.close().unwrap();
        assert_eq!(crate::common::left_on(fixture.interface()), None);
    });
}

/// Names that come and go can make leaving fail, but never unnoticed.
#[test]
fn a_stranger_whose_marks_come_and_go_keeps_nothing_attached_in_silence() {
    let test = "a_stranger_whose_marks_come_and_go_keeps_nothing_attached_in_silence";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for _ in 0..rounds(20) {
            let attachment = Attachment::builder(fixture.interface()).attach().unwrap();
            let names = mark_names(&fixture, attachment.program_id());
            let ended = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !ended.load(Ordering::Relaxed) {
                        // The attachment binds free names, too, while it looks for users.
                        drop(strangers_of_free(names.clone()));
                    }
                });
                match attachment.close() {
                    Ok(()) => assert_eq!(crate::common::left_on(fixture.interface()), None),
                    Err(Error::Netlink { errno: Errno::AGAIN, .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
                ended.store(true, Ordering::Relaxed);
            });
            Attachment::builder(fixture.interface()).attach().unwrap().close().unwrap();
            assert_eq!(crate::common::left_on(fixture.interface()), None);
        }
    });
}

/// Runs `work` in a thread of the user 65532, who has all capabilities, in the calling thread's
/// network namespace.
fn as_service<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    as_service_of(65_532, work)
}

/// The same for this user.
fn as_service_of<T: Send>(user: u32, work: impl FnOnce() -> T + Send) -> T {
    let user = Uid::from_raw(user);
    std::thread::scope(|scope| {
        let service = scope.spawn(|| {
            set_keep_capabilities(true).unwrap();
            set_thread_res_uid(user, user, user).unwrap();
            let all = CapabilitySet::NET_ADMIN | CapabilitySet::BPF | CapabilitySet::SYS_ADMIN;
            let inheritable = CapabilitySet::empty();
            set_capabilities(None, CapabilitySets { effective: all, permitted: all, inheritable })
                .unwrap();
            work()
        });
        service.join().unwrap()
    })
}

#[test]
fn root_leaves_the_program_of_a_user_with_capabilities_attached() {
    let test = "root_leaves_the_program_of_a_user_with_capabilities_attached";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let build = || Attachment::builder(fixture.interface());
        let theirs = as_service(|| build().attach()).unwrap();
        let attached = Some((XdpMode::Native, theirs.program_id()));
        let ours = build().attach().unwrap();
        assert!(ours.joined());
        ours.close().unwrap();
        assert_eq!(fixture.attached(), attached);
        let refused = build().mode(AttachMode::Generic).attach();
        assert!(matches!(refused, Err(Error::OtherAttachment { .. })), "{refused:?}");
        // They believe root.
        let ours = build().attach().unwrap();
        as_service(|| theirs.close()).unwrap();
        assert_eq!(fixture.attached(), attached);
        // They loaded it, so their marks count for everyone.
        let again = as_service(|| build().attach()).unwrap();
        ours.close().unwrap();
        assert_eq!(fixture.attached(), attached);
        as_service(|| again.close()).unwrap();
        assert_eq!(crate::common::left_on(fixture.interface()), None);

        // On what root loaded they believe each other.
        let killed = Fixture::attach_without_patience(build);
        fixture.without_the_lock(|| assert!(killed.close().is_err()));
        let attached = fixture.attached();
        let [one, other] = as_service(|| [build().attach().unwrap(), build().attach().unwrap()]);
        as_service(|| one.close()).unwrap();
        assert_eq!(fixture.attached(), attached);
        as_service(|| other.close()).unwrap();
        assert_eq!(crate::common::left_on(fixture.interface()), None);
    });
}

/// In a user namespace every user of the outside is the overflow user.
#[test]
fn a_program_of_the_overflow_user_makes_no_stranger_trusted() {
    let test = "a_program_of_the_overflow_user_makes_no_stranger_trusted";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    const OVERFLOW: u32 = 65_534;
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let build = || Attachment::builder(fixture.interface());
        let theirs = as_service_of(OVERFLOW, || build().attach()).unwrap();
        let id = theirs.program_id();
        let ours = build().attach().unwrap();
        assert!(ours.joined());
        as_service_of(OVERFLOW, || theirs.close()).unwrap();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        let index = fixture.interface().index();
        let name = |kind| format!("xsk/{kind}/{index}/{id}/1023");
        let marks = sockets_of(OVERFLOW, vec![name("user"), name("guest")]);
        ours.close().unwrap();
        assert_eq!(crate::common::left_on(fixture.interface()), None);
        drop(marks);
    });
}
