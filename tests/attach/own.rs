//! Programs of one's own, default programs, and those that a killed process has left.

use crate::common::{METHODS, rx_socket};
use crate::fixture::{Fixture, default_instructions, map_id, other_program};
use std::os::fd::AsFd;
use xsk::Error;
use xsk::attach::{AttachConflict, AttachMode, Attachment, XdpMode};
use xsk::bpf::{Program, SlotProbe, XskMap};
use xsk::test_util::privileged;

#[test]
fn a_program_of_ones_own_is_attached_and_joined() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    fixture.inside(|| {
        for method in METHODS {
            let (program, map) = other_program();
            let again = program.try_clone().unwrap();
            let id = program.id();
            let same_map = || xsk::bpf::XskMap::from_id(map_id(id)).unwrap();
            let build = || Attachment::builder(fixture.interface()).method(method);
            let first = build().program(program, map).attach().unwrap();
            let second = build().program(again, same_map()).attach().unwrap();
            assert_eq!((first.joined(), second.joined()), (false, true));
            first.close().unwrap();
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
            let registration = second.register(1, rx_socket().as_fd()).unwrap();
            registration.close().unwrap();
            second.close().unwrap();
            fixture.assert_vacant();
        }
    });
}

#[test]
fn an_abandoned_program_of_ones_own_is_taken_over_on_request() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let (program, map) = other_program();
        let build = || {
            let map = xsk::bpf::XskMap::from_id(map.id()).unwrap();
            Attachment::builder(fixture.interface()).program(program.try_clone().unwrap(), map)
        };
        let abandon = || {
            // The state that a kill leaves: attached, without a mark.
            let first = Fixture::attach_without_patience(build);
            fixture.without_the_lock(|| assert!(first.close().is_err()));
            assert!(fixture.attached().is_some());
        };
        abandon();
        let next = build().take_over(true).attach().unwrap();
        assert!(next.joined());
        next.close().unwrap();
        fixture.assert_vacant();

        abandon();
        let other_mode = || build().mode(AttachMode::Generic).take_over(true).attach();
        // With a socket in the map, or a guest, the program is not abandoned.
        let socket = rx_socket();
        map.insert(0, socket.as_fd()).unwrap();
        let refused = other_mode();
        assert!(
            matches!(
                refused,
                Err(Error::OtherAttachment { conflict: AttachConflict::OtherMode { .. }, .. })
            ),
            "{refused:?}"
        );
        let guest = build().take_over(true).attach().unwrap();
        map.remove(0).unwrap();
        let refused = other_mode();
        assert!(
            matches!(
                refused,
                Err(Error::OtherAttachment { conflict: AttachConflict::OtherMode { .. }, .. })
            ),
            "{refused:?}"
        );
        guest.close().unwrap();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, program.id())));
        let next = other_mode().unwrap();
        assert!(!next.joined());
        assert_eq!(fixture.attached(), Some((XdpMode::Generic, program.id())));
        next.close().unwrap();
        fixture.assert_vacant();
    });
}

#[test]
fn a_socket_is_not_registered_with_a_program_that_was_replaced() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let ours = Attachment::builder(fixture.interface()).attach().unwrap();
        let (program, map) = other_program();
        let id = program.id();
        let theirs = Attachment::builder(fixture.interface())
            .program(program, map)
            .replace_foreign(true)
            .attach()
            .unwrap();
        let socket = rx_socket();
        let late = ours.register(0, socket.as_fd());
        let Err(Error::OtherAttachment { conflict, .. }) = &late else {
            panic!("{late:?}");
        };
        assert_eq!(*conflict, AttachConflict::OtherProgram { id, mode: XdpMode::Native });
        assert_eq!(SlotProbe::new(ours.map()).unwrap().occupied().unwrap(), []);
        theirs.close().unwrap();
        let late = ours.register(0, socket.as_fd());
        assert!(
            matches!(
                &late,
                Err(Error::OtherAttachment { conflict: AttachConflict::NoProgram, .. })
            ),
            "{late:?}"
        );
        ours.close().unwrap();
    });
}

#[test]
fn a_program_is_a_default_one_by_its_name_and_by_its_instructions() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for (name, map_name, same_instructions) in [
            ("xsk_redirect", "xsks_map", true),
            ("xsk_redirect", "xsks_map", false),
            ("another_name", "xsks_map", true),
            ("xsk_redirect", "another_map", true),
        ] {
            let map = XskMap::create(map_name, 1).unwrap();
            let mut insns = default_instructions(&map);
            if !same_instructions {
                insns.insert(0, xsk::bpf::Insn::mov64_imm(xsk::bpf::Reg::R0, 0));
            }
            let program = Program::builder(&insns).name(name).license(c"GPL").load().unwrap();
            let id = program.id();
            let theirs =
                Attachment::builder(fixture.interface()).program(program, map).attach().unwrap();
            let ours = Attachment::builder(fixture.interface()).attach();
            if (name, map_name, same_instructions) == ("xsk_redirect", "xsks_map", true) {
                let ours = ours.unwrap();
                assert!(ours.joined());
                ours.close().unwrap();
            } else {
                assert!(
                    matches!(ours, Err(Error::ForeignProgram { id: found, .. }) if found == id),
                    "{name} {map_name} {same_instructions}: {ours:?}"
                );
            }
            theirs.close().unwrap();
            fixture.assert_vacant();
        }
    });
}

#[test]
fn a_left_over_program_with_too_few_slots_is_replaced() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(3);
    fixture.inside(|| {
        for slots in 1..=4 {
            let map = XskMap::create("xsks_map", slots).unwrap();
            let insns = default_instructions(&map);
            let program =
                Program::builder(&insns).name("xsk_redirect").license(c"GPL").load().unwrap();
            let killed = Fixture::attach_without_patience(|| {
                let map = XskMap::from_id(map.id()).unwrap();
                Attachment::builder(fixture.interface()).program(program.try_clone().unwrap(), map)
            });
            let id = killed.program_id();
            fixture.without_the_lock(|| assert!(killed.close().is_err()));
            let ours = Attachment::builder(fixture.interface()).attach().unwrap();
            assert_eq!(ours.map().entries(), slots.max(3));
            assert_eq!((ours.joined(), ours.program_id() == id), (slots >= 3, slots >= 3));
            ours.close().unwrap();
            fixture.assert_vacant();
        }
    });
}

#[test]
fn a_program_that_redirects_into_another_map_than_that_given_is_refused() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for method in METHODS {
            let build = || Attachment::builder(fixture.interface()).method(method);
            let other = XskMap::create("xsks_map", 1).unwrap();
            let (program, map) = other_program();
            let [id, its_map, other_map] = [program.id(), map.id(), other.id()];
            let error = build().program(program, other).attach().unwrap_err().to_string();
            let said = format!(
                "program {id}, whose map is {its_map}, is not a program over map {other_map}, which the \
                 sockets are in. "
            );
            assert!(error.starts_with(&said) && error.contains("`Program::bind_map`"), "{error}");
            fixture.assert_vacant();
            // One without sockets takes any map.
            let insns = [xsk::bpf::Insn::mov64_imm(xsk::bpf::Reg::R0, 2), xsk::bpf::Insn::exit()];
            let pass = Program::builder(&insns).load().unwrap();
            let unused = XskMap::create("xsks_map", 1).unwrap();
            build().program(pass, unused).attach().unwrap().close().unwrap();
            fixture.assert_vacant();
        }
    });
}
