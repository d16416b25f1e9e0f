//! Processes that are started anew, one after or beside the other, on a program that stays attached.

use crate::common::{as_nobody, kernel_can, kernel_since, rx_socket, wait_for};
use crate::fixture::{Fixture, other_program};
use crate::processes::{NAME, Other, ROLE, say};
use crate::stream::{Sender, Stack, number, receiving_port};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::thread::CapabilitySet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use xsk::attach::{AttachConflict, AttachMethod, AttachMode, Attachment, MethodReason, XdpMode};
use xsk::bpf::{Helper, Insn, Program, Reg, Size, XskMap, redirect};
use xsk::error::ObjectKind;
use xsk::interface::Interface;
use xsk::test_util::{privileged, test_name};
use xsk::{Errno, Error, Socket, Umem};

/// A BPF file system that is mounted nowhere, and goes with this value. Its path is one of every
/// process of root's.
pub(crate) struct Pins(OwnedFd);

impl Pins {
    pub(crate) fn new() -> Self {
        let context = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        fsconfig_create(&context).unwrap();
        let flags = FsMountFlags::FSMOUNT_CLOEXEC;
        Self(fsmount(&context, flags, MountAttrFlags::empty()).unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        let directory = format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd());
        PathBuf::from(directory).join("eth1")
    }

    /// Returns the names of what is pinned.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().parent().unwrap()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        // The kernel has files of its own there (`maps.debug`).
        let mut names: Vec<_> = entries.map(name).filter(|name| !name.contains('.')).collect();
        names.sort();
        names
    }
}

/// Not a test by itself: what a process does that is started anew. `ROLE` is "mode path".
#[test]
fn the_started_process() {
    let (Ok(name), Ok(role)) = (std::env::var(NAME), std::env::var(ROLE)) else {
        return;
    };
    let (mode, path) = role.split_once(' ').unwrap();
    let mode = if mode == "native" { AttachMode::Native } else { AttachMode::Generic };
    let interface = Interface::by_name(&name).unwrap();
    let attachment = Attachment::builder(&interface).mode(mode).pin(path).attach().unwrap();
    let (umem, mut pool) = Umem::builder().build().unwrap();
    let mut unbound = Socket::builder(&umem).bind_timeout(Duration::from_secs(20)).open().unwrap();
    unbound.fill.fill_from(&mut pool, 2048).unwrap();
    let registration = attachment.take_slot(0, &unbound).unwrap();
    say(&format!("{} {}", attachment.program_id(), attachment.joined()));
    // This waits until the old process has left the queue.
    let mut socket = unbound.bind(&interface, 0).unwrap();
    say("bound");
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        std::io::stdin().lines().try_for_each(|line| tell.send(line.unwrap()))
    });
    let (mut first, mut last, mut count) = (None, 0, 0_u32);
    let mut ends = false;
    loop {
        let batch = socket.rx.receive(64).unwrap();
        if ends && batch.is_empty() {
            break;
        }
        for frame in batch {
            let number = number(umem.bytes(&frame)).expect("one of the sender's");
            assert!(first.is_none() || number > last, "{number} after {last}");
            first = first.or(Some(number));
            (last, count) = (number, count + 1);
            pool.put(frame);
        }
        socket.fill.fill_from(&mut pool, 64).unwrap();
        match told.try_recv().as_deref() {
            Ok("count") => say(&format!("{} {last} {count}", first.unwrap_or(0))),
            Ok("close") => {
                registration.close().unwrap();
                drop(socket);
                return attachment.close().unwrap();
            }
            // Once the slot is another one's, what is in the ring is all that comes.
            Ok("keep") => ends = true,
            _ => {}
        }
    }
    drop((registration, socket));
    attachment.keep();
    say(&format!("{} {last} {count}", first.unwrap_or(0)));
}

impl Other {
    fn restarted(fixture: &Fixture, mode: XdpMode, pins: &Pins) -> (Self, u32, bool) {
        let role = format!("{mode} {}", pins.path().display());
        let (other, said) = Self::start_as("pins::the_started_process", fixture, &role);
        let (id, joined) = said.split_once(' ').unwrap();
        (other, id.parse().unwrap(), joined == "true")
    }

    /// Returns the first and last number that it has received, and how many.
    fn numbers(&mut self, question: &str) -> [u32; 3] {
        let said = self.ask(question);
        let numbers: Vec<u32> = said.split(' ').map(|word| word.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }
}

#[test]
fn a_start_beside_the_old_process_sends_nothing_to_the_stack() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for mode in [XdpMode::Native, XdpMode::Generic] {
        let why = "before 5.12 a socket that is not bound takes no slot in generic mode";
        if mode == XdpMode::Generic && !kernel_can(test_name!(), kernel_since(5, 12), why) {
            continue;
        }
        let pins = Pins::new();
        let (mut old, id, joined) = Other::restarted(&fixture, mode, &pins);
        assert!(!joined);
        assert_eq!(old.answer(), "bound");
        let stack = fixture.inside(Stack::listen);
        let begin = Instant::now();
        let sender = Sender::start(&fixture.cable, None);
        let count = |process: &mut Other| process.numbers("count")[2];
        wait_for("packets", || count(&mut old) > 1000);
        for _ in 0..3 {
            // It takes the slot at once, and the queue when the old one has left it.
            let start = Instant::now();
            let (mut new, new_id, joined) = Other::restarted(&fixture, mode, &pins);
            let taken = start.elapsed();
            assert_eq!((new_id, joined), (id, true), "the same program goes on");
            let [_, last, _] = old.numbers("keep");
            assert_eq!(new.answer(), "bound");
            let without = start.elapsed() - taken;
            wait_for("packets", || count(&mut new) > 1000);
            let [first, ..] = new.numbers("count");
            let lost = first - last - 1;
            let (time, sent) = (begin.elapsed(), sender.sent.load(Ordering::Relaxed));
            eprintln!(
                "{mode}: {lost} packets lost, {without:?} from slot to queue; {sent} sent in {time:?}"
            );
            assert_eq!(fixture.attached(), Some((mode, id)));
            assert_eq!(pins.names(), ["eth1", "eth1-map"]);
            old = new;
        }
        let sent = sender.stop();
        assert_eq!(stack.count(), 0, "of {sent} packets, at the kernel's stack");
        old.end("close");
        fixture.assert_vacant();
        assert!(pins.names().is_empty());
    }
}

#[test]
fn the_old_process_takes_its_slot_back_when_the_new_one_fails() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let pins = Pins::new();
    let interface = fixture.interface();
    let attach = || Attachment::builder(interface).pin(pins.path()).attach().unwrap();
    let attachment = fixture.inside(attach);
    let mut port = receiving_port(&fixture.cable, interface);
    let registration = port.socket.register(&attachment).unwrap();
    assert_eq!(registration.restore(), Ok(true), "it has its slot");
    let mut receives = |what: &str| {
        let sender = Sender::start(&fixture.cable, None);
        wait_for(what, || {
            let umem = &port.umem;
            let mut count = 0;
            for frame in port.socket.rx.receive(64).unwrap() {
                count += u32::from(number(umem.bytes(&frame)).is_some());
                port.pool.put(frame);
            }
            port.service(64).unwrap();
            count > 0
        });
        sender.stop();
        // What is left in the ring is none of the next time.
        loop {
            let batch = port.socket.rx.receive(64).unwrap();
            if batch.is_empty() {
                break;
            }
            batch.into_iter().for_each(|frame| port.pool.put(frame));
        }
    };
    receives("packets for the old process");
    // One that ends before the queue is free leaves the slot empty.
    let (new, ..) = Other::restarted(&fixture, XdpMode::Native, &pins);
    assert_eq!(registration.restore(), Ok(false), "the new process has it");
    new.kill();
    let stack = fixture.inside(Stack::listen);
    let sender = Sender::start(&fixture.cable, None);
    wait_for("packets at the stack", || stack.count() > 0);
    sender.stop();
    assert_eq!(registration.restore(), Ok(true));
    receives("packets for the old process, after the new one has failed");
    // One that hangs loses it.
    let (new, ..) = Other::restarted(&fixture, XdpMode::Native, &pins);
    assert_eq!(registration.restore(), Ok(false));
    registration.retake().unwrap();
    assert_eq!(registration.restore(), Ok(true));
    receives("packets for the old process, beside the new one");
    new.kill();
    receives("packets for the old process, after the end of the new one");
    registration.close().unwrap();
    drop(port);
    attachment.close().unwrap();
    fixture.assert_vacant();
}

#[test]
fn a_killed_process_leaves_its_pins_and_the_next_one_takes_over() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let pins = Pins::new();
    let (old, id, _) = Other::restarted(&fixture, XdpMode::Native, &pins);
    old.kill();
    let stack = fixture.inside(Stack::listen);
    let sender = Sender::start(&fixture.cable, None);
    wait_for("packets at the stack", || stack.count() > 0);
    sender.stop();
    assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
    let (mut next, same, joined) = Other::restarted(&fixture, XdpMode::Native, &pins);
    assert_eq!((same, joined, next.answer().as_str()), (id, true, "bound"));
    // One that ends in order for the next one does the same.
    next.numbers("keep");
    assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
    assert_eq!(pins.names(), ["eth1", "eth1-map"]);
    // The command of the documentation.
    for path in [pins.path(), PathBuf::from(format!("{}-map", pins.path().display()))] {
        assert!(std::process::Command::new("rm").arg(path).status().unwrap().success());
    }
    fixture.assert_vacant();
}

#[test]
fn the_next_process_has_the_link_run_its_own_program() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let pins = Pins::new();
    fixture.inside(|| {
        let build = || Attachment::builder(fixture.interface()).pin(pins.path());
        let first = build().attach().unwrap();
        let id = first.program_id();
        assert_eq!(first.method(), AttachMethod::Link);
        assert_eq!(first.method_reason(), &MethodReason::Pinned);
        let map = Attachment::pinned_map(pins.path()).unwrap().unwrap();
        assert_eq!(map.id(), first.map().id());
        // The same is left as it is; for packets of several frames it is another one.
        let second = build().attach().unwrap();
        assert_eq!((second.program_id(), second.frags()), (id, Some(false)));
        let frags = kernel_since(5, 18);
        let third = build().frags(frags).attach().unwrap();
        assert_eq!(third.program_id() != id, frags);
        assert_eq!(third.frags(), Some(frags));
        // One of the user's, over the same map.
        let own = || {
            let map = Attachment::pinned_map(pins.path()).unwrap().unwrap();
            (redirect_or_drop(&map), map)
        };
        let (program, map) = own();
        let own_id = program.id();
        let fourth = build().program(program, map).attach().unwrap();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, own_id)));
        assert_eq!((fourth.program_id(), fourth.frags(), fourth.joined()), (own_id, None, true));
        // The others follow when they register.
        let registration = second.register(0, rx_socket()).unwrap();
        assert_eq!(second.program_id(), own_id);
        registration.close().unwrap();
        // A program with another map would leave the sockets behind.
        let (program, map) = other_program();
        let error = build().program(program, map).attach().unwrap_err();
        let text = error.to_string();
        let said =
            format!("is not a program over map {}, which the sockets are in", first.map().id());
        assert!(text.contains(&said) && text.contains("`Attachment::pinned_map`"), "{text}");
        // The path of the map is none of a link.
        let mut of_map = pins.path().into_os_string();
        of_map.push("-map");
        let error = Attachment::pinned_map(of_map).unwrap_err().to_string();
        assert!(
            error.contains("is not a link of an XDP program. The path is that of the"),
            "{error}"
        );
        // The last one that is closed removes the pins, and not the one that is kept.
        first.close().unwrap();
        third.keep();
        fourth.close().unwrap();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, own_id)));
        assert_eq!(pins.names(), ["eth1", "eth1-map"]);
        second.close().unwrap();
        fixture.assert_vacant();
        assert!(pins.names().is_empty());
        assert!(Attachment::pinned_map(pins.path()).unwrap().is_none());
    });
}

/// Returns a program over `map` that drops the packets of queues without a socket.
pub(crate) fn redirect_or_drop(map: &XskMap) -> Program {
    let [low, high] = Insn::load_map_fd(Reg::R1, map.as_fd());
    let insns = [
        Insn::load(Size::Word, Reg::R2, Reg::R1, 16),
        low,
        high,
        Insn::mov64_imm(Reg::R3, 1),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ];
    Program::builder(&insns).name("or_drop").license(c"MIT").load().unwrap()
}

#[test]
fn a_link_is_handed_over_by_its_descriptor() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let builder = || Attachment::builder(fixture.interface());
        let by_netlink = builder().method(AttachMethod::Netlink).attach().unwrap();
        assert!(by_netlink.link().unwrap().is_none());
        by_netlink.close().unwrap();
        let first = builder().method(AttachMethod::Link).attach().unwrap();
        let id = first.program_id();
        let map = || XskMap::from_id(first.map().id()).unwrap();
        let fd = first.link().unwrap().unwrap();
        let copy = fd.try_clone().unwrap();
        let frags = kernel_since(5, 18);
        let second = builder().link(fd, map()).frags(frags).attach().unwrap();
        if !frags {
            assert_eq!(second.program_id(), id);
            second.replace_program(redirect(second.map()).unwrap()).unwrap();
        }
        let new = second.program_id();
        assert_ne!(new, id);
        let socket = rx_socket();
        let registration = second.register(0, &socket).unwrap();
        registration.close().unwrap();
        let map_fd = map().as_fd().try_clone_to_owned().unwrap();
        let error = builder().link(map_fd, map()).attach().unwrap_err();
        let wanted = ObjectKind::XdpLink;
        assert!(matches!(&error, Error::WrongObject { wanted: found, .. } if *found == wanted));
        let map = map();
        first.close().unwrap();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, new)));
        second.close().unwrap();
        // The copy still holds it.
        assert_eq!(fixture.attached(), Some((XdpMode::Native, new)));
        let other = Fixture::new(1);
        let elsewhere = other.inside(|| {
            let builder = Attachment::builder(other.interface());
            let own = builder.attach().unwrap();
            let map = XskMap::from_id(own.map().id()).unwrap();
            let fd = copy.try_clone().unwrap();
            Attachment::builder(other.interface()).link(fd, map).attach().unwrap_err()
        });
        let ifindex = fixture.interface().index();
        let expected = AttachConflict::OtherLink { id: new, ifindex };
        assert!(
            matches!(&elsewhere, Error::OtherAttachment { conflict, .. } if *conflict == expected),
            "{elsewhere}"
        );
        let third = builder().link(copy, map).mode(AttachMode::Generic).attach().unwrap_err();
        assert!(third.to_string().contains("native mode by link"), "{third}");
        fixture.assert_vacant();
    });
}

#[test]
fn neither_to_pin_nor_to_take_over_needs_sys_admin() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let pins = Pins::new();
    let few = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN | CapabilitySet::BPF;
    as_nobody(few, &fixture.cable.left, || {
        let interface = Interface::by_name("xsk-a").unwrap();
        let build = || Attachment::builder(&interface).pin(pins.path());
        let first = build().attach().unwrap();
        let frags = kernel_since(5, 18);
        let second = build().frags(frags).attach().unwrap();
        assert_eq!((second.joined(), second.frags()), (true, Some(frags)));
        if !frags {
            second.replace_program(redirect(second.map()).unwrap()).unwrap();
        }
        let id = second.program_id();
        assert_ne!(id, first.program_id());
        second.register(0, rx_socket()).unwrap().close().unwrap();
        // What took its program's place may not be looked at.
        for error in [first.refresh().unwrap_err(), first.register(0, rx_socket()).unwrap_err()] {
            assert_eq!(error.errno(), Some(Errno::PERM), "{error}");
        }
        let program = redirect(second.map()).unwrap();
        assert_eq!(second.replace_program(program).unwrap().id(), id);
        first.close().unwrap();
        assert_eq!(pins.names(), ["eth1", "eth1-map"]);
        second.close().unwrap();
        assert!(pins.names().is_empty());
    });
    fixture.assert_vacant();
}
