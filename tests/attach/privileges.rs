//! What works without `CAP_SYS_ADMIN`.

use crate::common::{kernel_since, rx_socket};
use crate::fixture::{Fixture, other_program};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::os::fd::AsFd;
use xsk::Error;
use xsk::attach::{AttachMethod, Attachment, XdpMode};
use xsk::bpf::XskMap;
use xsk::test_util::privileged;

/// Runs `work` with nothing but these capabilities.
pub(crate) fn with_only<T>(keep: CapabilitySet, work: impl FnOnce() -> T) -> T {
    let all = capabilities(None).unwrap();
    let mut fewer = all;
    fewer.effective = keep;
    set_capabilities(None, fewer).unwrap();
    let result = work();
    set_capabilities(None, all).unwrap();
    result
}

#[test]
fn only_joining_needs_sys_admin() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let enough = CapabilitySet::BPF | CapabilitySet::NET_ADMIN;
        let (joined, used, closed) = with_only(enough, || {
            let Ok(first) = Attachment::builder(fixture.interface()).attach() else {
                return (None, None, None);
            };
            let joined = Attachment::builder(fixture.interface()).attach().err();
            let copy = first.map().as_fd().try_clone_to_owned().ok();
            let used = copy.and_then(|fd| {
                let guest =
                    Attachment::with_map(fixture.interface(), XskMap::from_fd(fd).ok()?).ok()?;
                Some((guest.mode(), guest.close()))
            });
            (joined, used, Some(first.close()))
        });
        let Some(Error::HiddenProgram { errno: Errno::PERM, interface, .. }) = &joined else {
            panic!("{joined:?}");
        };
        assert_eq!(interface, fixture.interface().name());
        assert_eq!(used, Some((XdpMode::Native, Ok(()))));
        assert_eq!(closed, Some(Ok(())));
        fixture.assert_vacant();

        let nothing =
            with_only(CapabilitySet::empty(), || Attachment::builder(fixture.interface()).attach());
        assert!(matches!(nothing, Err(Error::CreateMap { errno: Errno::PERM, .. })), "{nothing:?}");
        let no_attach =
            with_only(CapabilitySet::BPF, || Attachment::builder(fixture.interface()).attach());
        assert!(no_attach.is_err(), "{no_attach:?}");
        fixture.assert_vacant();
    });
}

#[test]
fn sockets_are_registered_without_any_capability() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let attachment = Attachment::builder(fixture.interface()).attach().unwrap();
        let socket = rx_socket();
        let registered = with_only(CapabilitySet::empty(), || {
            attachment.register(0, socket.as_fd()).and_then(xsk::attach::Registration::close)
        });
        match registered {
            Ok(()) => {}
            Err(error) => {
                let text = error.to_string();
                let old = !kernel_since(5, 19) && error.errno() == Some(Errno::PERM);
                assert!(old && text.contains("unprivileged_bpf_disabled"), "{text}");
            }
        }
        attachment.close().unwrap();
        fixture.assert_vacant();
    });
}

/// Without `CAP_SYS_ADMIN` a program cannot be looked at: only marks show that it is one of this
/// crate's, in use.
#[test]
fn a_program_that_cannot_be_looked_at_is_replaced_only_without_marks() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let replace = || {
            with_only(CapabilitySet::BPF | CapabilitySet::NET_ADMIN, || {
                Attachment::builder(fixture.interface()).replace_foreign(true).attach()
            })
        };
        let (program, map) = other_program();
        let id = program.id();
        let build = || {
            let map = XskMap::from_id(map.id()).unwrap();
            Attachment::builder(fixture.interface()).program(program.try_clone().unwrap(), map)
        };
        let abandon = || {
            let user = Fixture::attach_without_patience(build);
            fixture.without_the_lock(|| assert!(user.close().is_err()));
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        };
        let refused = |attached: xsk::Result<Attachment>| {
            assert!(
                matches!(attached, Err(Error::HiddenProgram { errno: Errno::PERM, .. })),
                "{attached:?}"
            );
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        };
        // A user's mark.
        let user = build().attach().unwrap();
        refused(replace());
        user.close().unwrap();
        fixture.assert_vacant();
        // A guest's mark.
        abandon();
        let guest = build().attach().unwrap();
        refused(replace());
        guest.close().unwrap();
        // No mark.
        let ours = replace().unwrap();
        assert!(!ours.joined());
        assert_eq!(ours.replaced().map(|replaced| replaced.created_by), Some(None));
        ours.close().unwrap();
        fixture.assert_vacant();
        // It is refused if a link holds it, too.
        let link = build().method(AttachMethod::Link).attach().unwrap();
        assert!(replace().is_err());
        assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        link.close().unwrap();
        fixture.assert_vacant();
    });
}
