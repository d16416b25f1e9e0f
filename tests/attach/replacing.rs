//! Another program in the place of the attached one, while packets come.

use crate::common::{METHODS, kernel_can, kernel_since, rounds, wait_for};
use crate::fixture::{Fixture, count, counting_socket, other_program};
use crate::processes::Other;
use crate::stream::{Receiver, Sender, Stack, receiving_port};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;
use xsk::Error;
use xsk::attach::{AttachConflict, AttachMethod, AttachMode, Attachment, XdpMode};
use xsk::bpf::{
    Action, Cond, Condition, Filter, Helper, Insn, Program, Reg, Size, Width, XskMap, redirect,
};
use xsk::error::ObjectKind;
use xsk::test_util::privileged;

/// Returns a program over `map` that redirects packets of one Ethernet type, and passes the others.
fn by_ethernet_type(map: &XskMap, kind: i32) -> Program {
    let [low, high] = Insn::load_map_fd(Reg::R1, map.as_fd());
    let insns = [
        Insn::load(Size::Word, Reg::R2, Reg::R1, 16),
        Insn::load(Size::Word, Reg::R3, Reg::R1, 0),
        Insn::load(Size::Word, Reg::R4, Reg::R1, 4),
        Insn::mov64_imm(Reg::R0, 2),
        Insn::mov64_reg(Reg::R5, Reg::R3),
        Insn::alu64_imm(xsk::bpf::Alu::Add, Reg::R5, 14),
        Insn::jump_reg(Cond::Gt, Reg::R5, Reg::R4, 7),
        Insn::load(Size::Half, Reg::R5, Reg::R3, 12),
        Insn::to_be(Reg::R5, Width::W16),
        Insn::jump_imm(Cond::Ne, Reg::R5, kind, 4),
        low,
        high,
        Insn::mov64_imm(Reg::R3, 2),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ];
    Program::builder(&insns).name("by_type").license(c"MIT").load().unwrap()
}

#[test]
fn under_traffic_no_packet_goes_past_the_socket() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for method in METHODS {
        for (mode, xdp) in
            [(AttachMode::Native, XdpMode::Native), (AttachMode::Generic, XdpMode::Generic)]
        {
            let stack = fixture.inside(Stack::listen);
            let attach = || {
                Attachment::builder(fixture.interface()).mode(mode).method(method).attach().unwrap()
            };
            let attachment = fixture.inside(attach);
            let port = receiving_port(&fixture.cable, fixture.interface());
            let registration = port.socket.register(&attachment).unwrap();
            let mut waiting = vec![
                by_ethernet_type(attachment.map(), 0x88b5),
                redirect(attachment.map()).unwrap(),
                by_ethernet_type(attachment.map(), 0x88b5),
            ];
            let receiver = Receiver::start(port, Arc::new(AtomicU32::new(0)));
            let sender = Sender::start(&fixture.cable, Some(Arc::clone(&receiver.received)));
            let start = Instant::now();
            let mut running = attachment.program_id();
            for _ in 0..rounds(200) {
                let before = receiver.count();
                wait_for("packets by this program", || receiver.count() > before + 20);
                let next = waiting.remove(0);
                let id = next.id();
                let old = fixture.inside(|| attachment.replace_program(next)).unwrap();
                assert_eq!((old.id(), attachment.program_id()), (running, id));
                running = id;
                waiting.push(old);
            }
            let (time, rate) = (start.elapsed(), f64::from(receiver.count()));
            let sent = sender.stop();
            wait_for("the last packet", || receiver.count() == sent);
            eprintln!("{method}, {xdp}: {:.0} packets/s", rate / time.as_secs_f64());
            assert_eq!(stack.count(), 0, "of {sent} packets, at the kernel's stack");
            assert_eq!(fixture.attached(), Some((xdp, running)));
            let port = receiver.stop();

            // The same stack sees what a program passes.
            let other = by_ethernet_type(attachment.map(), 0x88b6);
            fixture.inside(|| attachment.replace_program(other)).unwrap();
            let sender = Sender::start(&fixture.cable, None);
            wait_for("a packet that was passed", || stack.count() > 0);
            sender.stop();
            registration.close().unwrap();
            drop(port);
            attachment.close().unwrap();
            fixture.assert_vacant();
        }
    }
}

/// Returns the conflict of a replacement that was refused.
#[track_caller]
fn conflict(result: xsk::Result<Program>) -> AttachConflict {
    match result {
        Err(Error::OtherAttachment { conflict, .. }) => conflict,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_netlink_holds_is_replaced_by_its_only_user() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    fixture.inside(|| {
        let build = || Attachment::builder(fixture.interface()).method(AttachMethod::Netlink);
        let first = build().attach().unwrap();
        let id = first.program_id();
        let replace = || first.replace_program(redirect(first.map()).unwrap());
        let (other, _) = Other::start(&fixture, "netlink native 1");
        assert_eq!(conflict(replace()), AttachConflict::OtherUsers { id });
        other.leave();
        let second = build().attach().unwrap();
        assert_eq!(conflict(replace()), AttachConflict::OtherUsers { id });
        assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        second.close().unwrap();
        // A process that only has the map, and a socket in it, is no hindrance.
        let worker = counting_socket(fixture.interface(), 1);
        first.map().insert(1, &worker).unwrap();
        let old = replace().unwrap();
        let new = first.program_id();
        assert_eq!((old.id(), fixture.attached()), (id, Some((XdpMode::Native, new))));
        first.map().remove(1).unwrap();
        drop(worker);
        // The new program has the mark: who comes joins it and leaves it, in any order.
        let (other, said) = Other::start(&fixture, "netlink native 1");
        assert_eq!(said, format!("{new} true"));
        first.close().unwrap();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, new)));
        other.leave();
        fixture.assert_vacant();
    });
}

#[test]
fn each_user_of_a_link_may_replace_its_program() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let sender = fixture.sender();
    fixture.inside(|| {
        let build = || Attachment::builder(fixture.interface()).method(AttachMethod::Link);
        let (mut other, said) = Other::start(&fixture, "link native 0");
        let id: u32 = said.strip_suffix(" false").unwrap().parse().unwrap();
        let (first, second) = (build().attach().unwrap(), build().attach().unwrap());
        assert_eq!((first.joined(), first.program_id()), (true, id));
        let broadcast = by_ethernet_type(first.map(), 0x0800);
        let new = broadcast.id();
        assert_eq!(first.replace_program(broadcast).unwrap().id(), id);
        assert_eq!((first.program_id(), first.frags()), (new, None));

        // The other process's socket goes on.
        let before: u64 = other.ask("count").parse().unwrap();
        wait_for("packets by the new program", || {
            sender.send();
            other.ask("count").parse::<u64>().unwrap() > before
        });
        // The second attachment does not know it yet.
        assert_eq!(second.program_id(), id);
        let replace = |by: &Attachment| by.replace_program(redirect(first.map()).unwrap());
        let mode = XdpMode::Native;
        assert_eq!(conflict(replace(&second)), AttachConflict::OtherProgram { id: new, mode });
        assert_eq!(fixture.attached(), Some((mode, new)), "nothing has changed");
        assert_eq!(second.refresh(), Ok(new));
        assert_eq!(replace(&second).unwrap().id(), new);
        let last = second.program_id();
        assert_eq!((second.frags(), fixture.attached()), (Some(false), Some((mode, last))));
        // Registering takes note of it, too.
        let socket = counting_socket(fixture.interface(), 1);
        let registration = first.register(1, &socket).unwrap();
        assert_eq!(first.program_id(), last);
        wait_for("packets of queue 1", || {
            sender.send();
            count(&socket) > 0
        });
        registration.close().unwrap();
        second.close().unwrap();
        other.leave();
        first.close().unwrap();
        fixture.assert_vacant();
    });
}

#[test]
fn what_others_have_changed_is_left_alone() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for method in METHODS {
            let first = Attachment::builder(fixture.interface()).method(method).attach().unwrap();
            let (foreign, map) = other_program();
            let foreign_id = foreign.id();
            let second = Attachment::builder(fixture.interface())
                .method(method)
                .program(foreign, map)
                .replace_foreign(true)
                .attach()
                .unwrap();
            let replace = || first.replace_program(redirect(first.map()).unwrap());
            let mode = XdpMode::Native;
            let changed = AttachConflict::OtherProgram { id: foreign_id, mode };
            assert_eq!(conflict(replace()), changed, "{method}");
            assert_eq!(fixture.attached(), Some((mode, foreign_id)));
            assert!(first.refresh().is_err());
            second.close().unwrap();
            fixture.assert_vacant();
            assert_eq!(conflict(replace()), AttachConflict::NoProgram, "{method}");
            first.close().unwrap();

            let first = Attachment::builder(fixture.interface()).method(method).attach().unwrap();
            let id = first.program_id();
            let error = first.replace_program(other_program().0).unwrap_err();
            let wanted = |kind| matches!(kind, ObjectKind::ProgramOfAttachment { .. });
            assert!(matches!(error, Error::WrongObject { wanted: kind, .. } if wanted(kind)));
            let guest = Attachment::with_map(
                fixture.interface(),
                XskMap::from_id(first.map().id()).unwrap(),
            );
            let guest = guest.unwrap();
            let program = redirect(first.map()).unwrap();
            let refused = conflict(guest.replace_program(program));
            let expected = match method {
                AttachMethod::Netlink => AttachConflict::OtherUsers { id },
                AttachMethod::Link => AttachConflict::OthersProgram { id },
            };
            assert_eq!(refused, expected);
            assert_eq!(fixture.attached(), Some((mode, id)));
            guest.close().unwrap();
            let here = std::thread::scope(|scope| {
                let outside = || {
                    let elsewhere = fixture.cable.right.enter().unwrap();
                    let error = first.replace_program(redirect(first.map()).unwrap());
                    drop(elsewhere);
                    error
                };
                scope.spawn(outside).join().unwrap()
            });
            let elsewhere = here.unwrap_err();
            assert_eq!(elsewhere.errno(), Some(xsk::Errno::XDEV), "{elsewhere}");
            first.close().unwrap();
            fixture.assert_vacant();
        }
    });
}

#[test]
fn a_filter_that_only_passes_or_drops_takes_the_place_of_one_and_gives_it_back() {
    let name = "a_filter_that_only_passes_or_drops_takes_the_place_of_one_and_gives_it_back";
    if !privileged(name) || !kernel_can(name, kernel_since(5, 10), "no map can be bound") {
        return;
    }
    let fixture = Fixture::new(1);
    let sender = fixture.sender();
    fixture.inside(|| {
        for method in METHODS {
            let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
            let take =
                Filter::new().rule("ether proto 0x88b5 or ip".parse().unwrap(), Action::Queue);
            let program = take.load(&map).unwrap().program().try_clone().unwrap();
            let taking = program.id();
            let build = Attachment::builder(fixture.interface()).method(method);
            let attachment = build.program(program, map).attach().unwrap();
            let socket = counting_socket(fixture.interface(), 0);
            let registration = attachment.register(0, &socket).unwrap();
            let received = |more: &str| {
                let before = count(&socket);
                wait_for(more, || {
                    sender.send();
                    count(&socket) > before
                });
            };
            received("packets by the filter");
            for all in [Action::Pass, Action::Drop] {
                let other =
                    Filter::new().rule(Condition::every_packet(), all).take_everything(true);
                let other = other.load(attachment.map()).unwrap();
                let program = other.program().try_clone().unwrap();
                let old = attachment.replace_program(program).unwrap();
                assert_eq!(old.id(), taking);
                let before = count(&socket);
                (0..20).for_each(|_| sender.send());
                assert_eq!(count(&socket), before, "{all:?}");
                attachment.replace_program(old).unwrap();
                received("packets by the filter that is back");
            }
            // A program of one's own without a map is told how.
            let insns = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
            let pass = Program::builder(&insns).load().unwrap();
            let same = pass.try_clone().unwrap();
            let error = attachment.replace_program(pass).unwrap_err().to_string();
            assert!(error.contains("which has no map, is not a program over map"), "{error}");
            assert!(error.contains("`Program::bind_map`"), "{error}");
            same.bind_map(attachment.map()).unwrap();
            attachment.replace_program(same).unwrap();
            registration.close().unwrap();
            attachment.close().unwrap();
            fixture.assert_vacant();
        }
    });
}
