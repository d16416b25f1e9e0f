//! Sockets in the map of an attached program.

use crate::common::{kernel_can, kernel_since, rx_socket, wait_for};
use crate::fixture::{Fixture, count, counting_socket};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use xsk::attach::{AttachMethod, AttachMode, Attachment, Registration, XdpMode};
use xsk::bpf::{SlotProbe, XskMap};
use xsk::error::ObjectKind;
use xsk::test_util::{Namespace, VethPair, ip, privileged, test_name};
use xsk::{AttachConflict, CopyMode, Error, Socket, Umem};

#[test]
fn a_registered_socket_receives_and_gives_its_slot_back() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let sender = fixture.sender();
    fixture.inside(|| {
        for bind_first in [true, false] {
            let early =
                bind_first.then(|| [0, 1].map(|queue| counting_socket(fixture.interface(), queue)));
            let attachment = Attachment::builder(fixture.interface()).attach().unwrap();
            let sockets = early
                .unwrap_or_else(|| [0, 1].map(|queue| counting_socket(fixture.interface(), queue)));
            let slots = [0, 1].map(|queue: u32| {
                let socket = &sockets[usize::try_from(queue).unwrap()];
                attachment.register(queue, socket.as_fd()).unwrap()
            });
            sender.send();
            wait_for("packets on both queues", || sockets.iter().all(|socket| count(socket) > 0));
            let probe = SlotProbe::new(attachment.map()).unwrap();
            assert_eq!(probe.occupied().unwrap(), [0, 1]);
            let [first, second] = slots;
            assert_eq!((first.slot(), second.slot()), (0, 1));
            first.close().unwrap();
            drop(second);
            assert_eq!(probe.occupied().unwrap(), []);
            attachment.close().unwrap();
        }
    });
}

#[test]
fn in_generic_mode_before_5_12_a_socket_that_is_not_bound_is_refused() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let sender = fixture.sender();
    fixture.inside(|| {
        let generic = Attachment::builder(fixture.interface()).mode(AttachMode::Generic);
        let attachment = generic.attach().unwrap();
        let bound = counting_socket(fixture.interface(), 0);
        let registration = attachment.register(0, bound.as_fd()).unwrap();
        let unbound = rx_socket();
        type Put = fn(&Attachment, u32, OwnedFd) -> xsk::Result<Registration>;
        for put in [Attachment::register as Put, Attachment::take_slot] {
            match put(&attachment, 1, unbound.try_clone().unwrap()) {
                Ok(_) => assert!(kernel_since(5, 12)),
                Err(Error::NeedsKernel { version: "5.12", .. }) => assert!(!kernel_since(5, 12)),
                Err(error) => panic!("{error}"),
            }
        }
        if !kernel_since(5, 12) {
            wait_for("packets", || {
                sender.send();
                count(&bound) > 0
            });
        }
        drop(registration);
    });
}

#[test]
fn a_slot_is_not_taken_for_a_program_that_is_gone() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let generic = Attachment::builder(fixture.interface()).mode(AttachMode::Generic);
        let attachment = generic.method(AttachMethod::Netlink).attach().unwrap();
        let (first, second) = (counting_socket(fixture.interface(), 0), rx_socket());
        attachment.map().insert(0, first.as_fd()).unwrap();
        fixture.interface().detach_program(XdpMode::Generic, attachment.program_id()).unwrap();
        let taken = attachment.take_slot(0, second.as_fd());
        match taken {
            // A socket that is not bound is refused there before.
            Err(Error::NeedsKernel { version: "5.12", .. }) => assert!(!kernel_since(5, 12)),
            taken => assert!(matches!(taken, Err(Error::OtherAttachment { .. })), "{taken:?}"),
        }
        let probe = SlotProbe::new(attachment.map()).unwrap();
        assert_eq!(probe.occupied().unwrap(), [0], "the slot is still the first socket's");
    });
}

#[test]
fn a_slot_that_another_socket_has_is_left_alone() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    fixture.inside(|| {
        let attachment = Attachment::builder(fixture.interface()).attach().unwrap();
        let (first, second) = (rx_socket(), rx_socket());
        let registration = attachment.register(1, first.as_fd()).unwrap();
        let taken = attachment.register(1, second.as_fd());
        assert!(
            matches!(taken, Err(Error::UpdateMap { errno: Errno::EXIST, index: 1, .. })),
            "{taken:?}"
        );
        attachment.map().replace(1, second.as_fd()).unwrap();
        registration.close().unwrap();
        let probe = SlotProbe::new(attachment.map()).unwrap();
        assert_eq!(probe.occupied().unwrap(), [1], "the slot is the second socket's");
        let beyond = attachment.register(2, second.as_fd());
        assert!(
            matches!(beyond, Err(Error::UpdateMap { errno: Errno::TOOBIG, entries: 2, .. })),
            "{beyond:?}"
        );
        // A socket in the map counts as a user, whatever put it there.
        attachment.close().unwrap();
        assert!(fixture.attached().is_some());
        drop(second);
        Attachment::builder(fixture.interface()).attach().unwrap().close().unwrap();
        fixture.assert_vacant();
    });
}

/// The parts of sockets are values, which can be exchanged: a type that has an RX ring may have the
/// handle of a socket without one. In a slot, that could crash the kernel at the first packet: so the
/// interface is down here.
#[test]
fn a_socket_without_an_rx_ring_is_refused_whatever_its_type() {
    let why = "before 5.11 the kernel does not say whether there is one";
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 11), why) {
        return;
    }
    let fixture = Fixture::new(2);
    fixture.inside(|| {
        let interface = fixture.interface();
        ip::set_up(interface, false).unwrap();
        let attachment = Attachment::builder(interface).attach().unwrap();
        let probe = SlotProbe::new(attachment.map()).unwrap();
        let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
        let copying = || Socket::builder(&umem).copy_mode(CopyMode::Copy);
        let mut sends = copying().tx_only().bind(interface, 0).unwrap();
        let refused = |result: xsk::Result<Registration>| match result.map(drop).unwrap_err() {
            Error::WrongObject { wanted: ObjectKind::SocketWithRxRing, .. } => {}
            // Before 6.4 the kernel does not say whether there is one.
            Error::UpdateMap { errno: Errno::NETDOWN, .. } => {}
            error => panic!("{error:?}"),
        };
        let mut receives = copying().rx_only().bind(interface, 1).unwrap();
        std::mem::swap(&mut receives.handle, &mut sends.handle);
        refused(receives.register(&attachment));
        std::mem::swap(&mut receives.handle, &mut sends.handle);
        let mut queue = receives.share_queue();
        std::mem::swap(&mut queue.handle, &mut sends.handle);
        refused(queue.register(&attachment, 0));
        assert_eq!(probe.occupied().unwrap(), []);
        // With its own parts it is not asked for its ring, which is there by its type.
        std::mem::swap(&mut queue.handle, &mut sends.handle);
        queue.register(&attachment, 1).unwrap().close().unwrap();
    });
}

#[test]
fn a_slot_has_one_registration() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let first = Attachment::builder(fixture.interface()).attach().unwrap();
        let second = Attachment::builder(fixture.interface()).attach().unwrap();
        let probe = SlotProbe::new(first.map()).unwrap();
        let socket = rx_socket();
        let registration = first.register(0, socket.as_fd()).unwrap();
        for attachment in [&first, &second] {
            let again = attachment.register(0, socket.as_fd());
            assert!(
                matches!(again, Err(Error::UpdateMap { errno: Errno::EXIST, .. })),
                "{again:?}"
            );
            assert_eq!(probe.occupied().unwrap(), [0], "the socket still receives");
        }
        registration.close().unwrap();
        // A failed registration does not keep the slot.
        assert!(second.register(0, std::io::stdin().as_fd()).is_err());
        let registration = second.register(0, socket.as_fd()).unwrap();
        assert_eq!(probe.occupied().unwrap(), [0]);
        drop(registration);
        assert_eq!(probe.occupied().unwrap(), []);
        first.close().unwrap();
        second.close().unwrap();
        fixture.assert_vacant();
    });
}

#[test]
fn a_socket_is_not_registered_with_a_program_on_another_interface() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let (near, far) = (&fixture.cable.left, Namespace::new().unwrap());
    let other = VethPair::builder().names("second", "far").build(near, &far).unwrap();
    fixture.inside(|| {
        let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
        let socket = Socket::builder(&umem).bind(fixture.interface(), 0).unwrap();
        let attachment = Attachment::builder(other.a()).attach().unwrap();
        let refused = socket.register(&attachment);
        let Err(Error::OtherAttachment { interface, conflict, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(interface, "second");
        assert_eq!(conflict, AttachConflict::OtherInterface { name: "second".to_owned() });
        let probe = SlotProbe::new(attachment.map()).unwrap();
        assert_eq!(probe.occupied().unwrap(), [], "nothing was put into the map");
    });
}

/// The first veth of each namespace has the same index.
#[test]
fn a_socket_is_not_registered_with_a_program_in_another_namespace() {
    if !privileged!() {
        return;
    }
    let (one, other) = (Fixture::new(1), Fixture::new(1));
    assert_eq!(one.interface().index(), other.interface().index());
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    let bind = || Socket::builder(&umem).bind(one.interface(), 0).unwrap();
    let socket = one.inside(bind);
    let attachment = other.inside(|| Attachment::builder(other.interface()).attach().unwrap());
    let refused = socket.register(&attachment);
    let Err(Error::OtherAttachment { conflict, .. }) = refused else {
        panic!("{refused:?}");
    };
    let name = other.interface().name().to_owned();
    assert_eq!(conflict, AttachConflict::OtherNamespace { name });
    let probe = SlotProbe::new(attachment.map()).unwrap();
    assert_eq!(probe.occupied().unwrap(), [], "nothing was put into the map");
    // With the program of its own interface it is, from whichever namespace.
    let attachment = one.inside(|| Attachment::builder(one.interface()).attach().unwrap());
    let registration = other.inside(|| socket.register(&attachment)).unwrap();
    registration.close().unwrap();
}

/// Makes this thread's kernel refuse to map rings of bound sockets afterwards, as before 6.4: the
/// check for an RX ring maps it read-only.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn refuse_mapping_after_bind() {
    use seccompiler::{
        SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch, apply_filter,
    };
    // The number of `mmap`.
    let (number, arch) = if cfg!(target_arch = "x86_64") {
        (9, TargetArch::x86_64)
    } else {
        (222, TargetArch::aarch64)
    };
    // PROT_READ and MAP_SHARED, each alone.
    let is_one = |argument| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, 1).unwrap()
    };
    let rule = SeccompRule::new(vec![is_one(2), is_one(3)]).unwrap();
    let busy = SeccompAction::Errno(u32::try_from(Errno::BUSY.raw_os_error()).unwrap());
    let rules = [(number, vec![rule])].into();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, busy, arch).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    apply_filter(&program).unwrap();
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn before_6_4_a_socket_on_a_link_that_is_down_is_refused_unless_its_type_says_that_it_receives() {
    if !privileged!() || !crate::common::kernel_since(5, 11) {
        return;
    }
    let fixture = Fixture::new(3);
    let on_old_kernel = || {
        let interface = fixture.interface();
        let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
        let socket = Socket::builder(&umem).bind(interface, 0).unwrap();
        let receiver = Socket::builder(&umem).rx_only().bind(interface, 1).unwrap();
        let sender = Socket::builder(&umem).tx_only().bind(interface, 2).unwrap();
        let attachment = Attachment::builder(interface).attach().unwrap();
        let map: &XskMap = attachment.map();
        let probe = SlotProbe::new(map).unwrap();
        refuse_mapping_after_bind();
        let refused_for = |result: Result<(), Error>| {
            let error = result.unwrap_err();
            let text = error.to_string();
            match &error {
                Error::UpdateMap { errno: Errno::NETDOWN, .. } => assert!(text.contains("6.4")),
                Error::WrongObject { .. } => {}
                _ => panic!("{error:?}"),
            }
            error.errno()
        };
        ip::set_up(interface, false).unwrap();
        for fd in [socket.as_fd(), receiver.as_fd(), sender.tx.as_fd()] {
            assert_eq!(refused_for(map.insert(0, fd)), Some(Errno::NETDOWN));
            assert_eq!(refused_for(map.replace(0, fd)), Some(Errno::NETDOWN));
            let registered = attachment.register(0, fd).map(drop);
            assert_eq!(refused_for(registered), Some(Errno::NETDOWN));
        }
        assert_eq!(probe.occupied().unwrap(), []);
        let slots =
            [socket.register(&attachment).unwrap(), receiver.register(&attachment).unwrap()];
        assert_eq!(probe.occupied().unwrap(), [0, 1]);
        drop(slots);
        assert_eq!(probe.occupied().unwrap(), []);

        ip::set_up(interface, true).unwrap();
        map.insert(0, &socket).unwrap();
        map.remove(0).unwrap();
        assert_eq!(refused_for(map.insert(2, &sender.tx)), None, "it only sends");
        attachment.close().unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| fixture.inside(on_old_kernel)).join().unwrap();
    });
    fixture.assert_vacant();
}
