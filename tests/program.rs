//! Programs and maps against the running kernel: needs root, makes no interface.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::os::fd::{AsFd, OwnedFd};
use xsk::Error;
use xsk::program::{Alu, Census, Cond, Helper, Insn, Program, Reg, Size, XskMap, redirect};
use xsk::test_util::privileged;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt, xdp};
use std::io::Write;

/// A socket with an RX ring: enough for a slot (5.10).
fn rx_socket() -> OwnedFd {
    let socket = socket_with(
        AddressFamily::XDP,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    sockopt::set_xdp_rx_ring_size(&socket, 64).unwrap();
    socket
}

#[test]
fn default_program_passes_on_empty_slots_and_redirects_on_taken_ones() {
    if !privileged("default_program_passes_on_empty_slots_and_redirects_on_taken_ones") {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 2).unwrap();
    let program = redirect(&map).unwrap();
    let packet = [0xff; 60];
    assert_eq!(
        program.test_run(&packet, None).unwrap().retval,
        2,
        "XDP_PASS"
    );
    let socket = rx_socket();
    map.insert(0, socket.as_fd()).unwrap();
    let run = program.test_run(&packet, None).unwrap();
    assert_eq!(run.retval, 4, "XDP_REDIRECT");
    assert_eq!(run.data, packet, "the packet is not changed");
    drop(socket);
    assert_eq!(
        program.test_run(&packet, None).unwrap().retval,
        2,
        "the slot empties itself"
    );

    let info = program.info().unwrap();
    assert_eq!(
        (info.name.as_str(), info.kind, info.id),
        ("xsk_redirect", 6, program.id())
    );
    assert_eq!(info.map_ids, [map.id()]);
    let again = redirect(&XskMap::create(XskMap::DEFAULT_NAME, 9).unwrap()).unwrap();
    assert_eq!(
        again.info().unwrap().tag,
        info.tag,
        "the map is not part of the tag"
    );
    assert_ne!(again.id(), program.id());
}

#[test]
fn objects_are_found_by_id_and_fd() {
    if !privileged("objects_are_found_by_id_and_fd") {
        return;
    }
    let map = XskMap::create("some.map_1", 7).unwrap();
    assert_eq!((map.name(), map.entries()), ("some.map_1", 7));
    let program = redirect(&map).unwrap();

    let found = Program::from_id(program.id()).unwrap();
    assert_eq!(found.info().unwrap(), program.info().unwrap());
    let maps = found.maps().unwrap();
    assert_eq!(maps.len(), 1);
    assert_eq!(
        (maps[0].name.as_str(), maps[0].kind, maps[0].entries),
        ("some.map_1", 17, 7)
    );
    let found = found.xsk_map("some.map_1").unwrap().unwrap();
    assert_eq!((found.id(), found.entries()), (map.id(), 7));
    assert!(program.xsk_map("another").unwrap().is_none());

    let copy = map.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(XskMap::from_fd(copy).unwrap().id(), map.id());
    let copy = program.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(Program::from_fd(copy).unwrap().id(), program.id());
}

#[test]
fn wrong_objects_are_refused() {
    if !privileged("wrong_objects_are_refused") {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let program = redirect(&map).unwrap();
    let as_program = Program::from_fd(map.as_fd().try_clone_to_owned().unwrap());
    assert!(
        matches!(as_program, Err(Error::WrongObject { .. })),
        "{as_program:?}"
    );
    let as_map = XskMap::from_fd(program.as_fd().try_clone_to_owned().unwrap());
    assert!(
        matches!(as_map, Err(Error::WrongObject { .. })),
        "{as_map:?}"
    );
    let file: OwnedFd = std::fs::File::open("/").unwrap().into();
    let as_map = XskMap::from_fd(file);
    assert!(
        matches!(
            as_map,
            Err(Error::BpfObject {
                errno: Errno::INVAL,
                ..
            })
        ),
        "{as_map:?}"
    );
    let missing = Program::from_id(u32::MAX / 2);
    assert!(
        matches!(
            missing,
            Err(Error::BpfObject {
                errno: Errno::NOENT,
                ..
            })
        ),
        "{missing:?}"
    );
    let missing = XskMap::from_pin("/nowhere/map");
    assert!(
        matches!(
            missing,
            Err(Error::BpfObject {
                errno: Errno::NOENT,
                ..
            })
        ),
        "{missing:?}"
    );
    for name in ["no-hyphen", "sixteen_letters_", "no\0nul"] {
        let map = XskMap::create(name, 1);
        assert!(
            matches!(
                map,
                Err(Error::CreateMap {
                    errno: Errno::INVAL,
                    ..
                })
            ),
            "{map:?}"
        );
    }
    assert!(matches!(
        XskMap::create("m", 0),
        Err(Error::CreateMap {
            errno: Errno::INVAL,
            entries: 0,
            ..
        })
    ));
}

#[test]
fn a_refused_program_comes_with_the_verifiers_log() {
    if !privileged("a_refused_program_comes_with_the_verifiers_log") {
        return;
    }
    let insns = [Insn::mov64_reg(Reg::R0, Reg::R7), Insn::exit()];
    let Err(Error::LoadProgram {
        name,
        instructions,
        log,
        errno,
    }) = Program::load("bad", &insns, c"MIT", 0)
    else {
        panic!("an uninitialised register was accepted");
    };
    assert_eq!(
        (name.as_str(), instructions, errno),
        ("bad", 2, Errno::ACCESS)
    );
    assert!(log.contains("R7 !read_ok"), "{log}");

    // A log of more than the first buffer takes: it is read whole, down to its last line.
    let mut insns: Vec<Insn> = vec![Insn::mov64_imm(Reg::R0, 0)];
    for _ in 0..6000 {
        insns.push(Insn::alu64_imm(Alu::Add, Reg::R0, 1));
    }
    insns.push(Insn::mov64_reg(Reg::R0, Reg::R7));
    insns.push(Insn::exit());
    let Err(Error::LoadProgram { log, errno, .. }) = Program::load("long", &insns, c"MIT", 0)
    else {
        panic!("an uninitialised register was accepted");
    };
    assert_eq!(errno, Errno::ACCESS);
    assert!(log.len() > 64 << 10, "{}", log.len());
    assert!(
        log.starts_with("0: ") || log.contains("\n0: "),
        "the head is there: {}",
        &log[..200]
    );
    assert!(log.contains("R7 !read_ok"), "the tail is there");

    let none = Program::load("none", &[], c"MIT", 0);
    assert!(
        matches!(
            none,
            Err(Error::LoadProgram {
                errno: Errno::TOOBIG,
                instructions: 0,
                ..
            })
        ),
        "{none:?}"
    );
}

#[test]
fn every_form_of_instruction_is_what_the_kernel_takes_it_for() {
    if !privileged("every_form_of_instruction_is_what_the_kernel_takes_it_for") {
        return;
    }
    use xsk::program::Width;
    let run = |body: &[Insn]| {
        let mut insns = vec![Insn::mov64_imm(Reg::R0, 0)];
        insns.extend_from_slice(body);
        insns.push(Insn::exit());
        Program::load("form", &insns, c"MIT", 0)
            .unwrap()
            .test_run(&[0; 64], None)
            .unwrap()
            .retval
    };
    let r0 = Reg::R0;
    let alu = [
        (Alu::Add, 7 + 3),
        (Alu::Sub, 7 - 3),
        (Alu::Mul, 21),
        (Alu::Div, 2),
        (Alu::Or, 7),
        (Alu::And, 3),
        (Alu::Lsh, 56),
        (Alu::Rsh, 0),
        (Alu::Mod, 1),
        (Alu::Xor, 4),
        (Alu::Mov, 3),
        (Alu::Arsh, 0),
    ];
    for (op, expect) in alu {
        assert_eq!(
            run(&[Insn::mov64_imm(r0, 7), Insn::alu64_imm(op, r0, 3)]),
            expect,
            "{op:?}"
        );
        assert_eq!(
            run(&[Insn::mov32_imm(r0, 7), Insn::alu32_imm(op, r0, 3)]),
            expect,
            "{op:?}"
        );
        let r1 = Insn::mov64_imm(Reg::R1, 3);
        assert_eq!(
            run(&[Insn::mov64_imm(r0, 7), r1, Insn::alu64_reg(op, r0, Reg::R1)]),
            expect,
            "{op:?}"
        );
        assert_eq!(
            run(&[Insn::mov64_imm(r0, 7), r1, Insn::alu32_reg(op, r0, Reg::R1)]),
            expect,
            "{op:?}"
        );
    }
    // Taken or not, for (-5 or 5) against 3.
    let conds = [
        (Cond::Eq, false, false),
        (Cond::Gt, true, true),
        (Cond::Ge, true, true),
        (Cond::Set, true, true),
        (Cond::Ne, true, true),
        (Cond::Sgt, false, true),
        (Cond::Sge, false, true),
        (Cond::Lt, false, false),
        (Cond::Le, false, false),
        (Cond::Slt, true, false),
        (Cond::Sle, true, false),
    ];
    for (cond, negative, positive) in conds {
        for (value, taken) in [(-5, negative), (5, positive)] {
            let set = [
                Insn::mov64_imm(Reg::R1, value),
                Insn::mov64_imm(Reg::R2, 3),
                Insn::mov64_imm(r0, 1),
            ];
            for jump in [
                Insn::jump_imm(cond, Reg::R1, 3, 1),
                Insn::jump_reg(cond, Reg::R1, Reg::R2, 1),
                Insn::jump32_imm(cond, Reg::R1, 3, 1),
                Insn::jump32_reg(cond, Reg::R1, Reg::R2, 1),
            ] {
                let body = [set[0], set[1], set[2], jump, Insn::mov64_imm(r0, 0)];
                assert_eq!(run(&body) == 1, taken, "{cond:?} of {value}, {jump:?}");
            }
        }
    }
    // The second path into the skipped instruction is for the verifier, which refuses dead code.
    let way_in = Insn::jump_imm(Cond::Ne, r0, 0, 1);
    assert_eq!(run(&[way_in, Insn::jump(1), Insn::mov64_imm(r0, 9)]), 0);
    assert_eq!(run(&[Insn::mov64_imm(r0, -9), Insn::neg64(r0)]), 9);
    assert_eq!(run(&[Insn::mov64_imm(r0, -9), Insn::neg32(r0)]), 9);
    let [low, high] = Insn::load_imm64(r0, 0x1234_5678_9abc_def0);
    assert_eq!(run(&[low, high]), 0x9abc_def0);
    assert_eq!(
        run(&[low, high, Insn::alu64_imm(Alu::Rsh, r0, 32)]),
        0x1234_5678
    );
    assert_eq!(
        run(&[low, high, Insn::to_be(r0, Width::W16)]),
        u32::from(0xdef0_u16.to_be())
    );
    assert_eq!(
        run(&[low, high, Insn::to_be(r0, Width::W32)]),
        0x9abc_def0_u32.to_be()
    );
    assert_eq!(
        run(&[low, high, Insn::to_le(r0, Width::W32)]),
        0x9abc_def0_u32.to_le()
    );
    for (size, expect) in [
        (Size::Byte, 0xff),
        (Size::Half, 0xffff),
        (Size::Word, u32::MAX),
        (Size::Double, u32::MAX),
    ] {
        let clear = Insn::store_imm(Size::Double, Reg::R10, -8, 0);
        let read = Insn::load(size, r0, Reg::R10, -8);
        assert_eq!(
            run(&[clear, Insn::store_imm(size, Reg::R10, -8, -1), read]),
            expect,
            "{size:?}"
        );
        let ones = Insn::mov64_imm(Reg::R3, -1);
        assert_eq!(
            run(&[clear, ones, Insn::store(size, Reg::R10, -8, Reg::R3), read]),
            expect,
            "{size:?}"
        );
    }
    assert_eq!(
        run(&[Insn::mov64_imm(Reg::R4, 6), Insn::mov64_reg(r0, Reg::R4)]),
        6
    );
    assert_eq!(
        run(&[
            Insn::mov64_imm(Reg::R4, -1),
            Insn::mov32_reg(r0, Reg::R4),
            Insn::alu64_imm(Alu::Rsh, r0, 31)
        ]),
        1
    );
    assert!(
        run(&[
            Insn::call(Helper::KTIME_GET_NS),
            Insn::alu64_imm(Alu::Rsh, r0, 20)
        ]) > 0
    );
}

#[test]
fn a_census_sees_each_slot_and_nothing_else() {
    if !privileged("a_census_sees_each_slot_and_nothing_else") {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 100).unwrap();
    let census = Census::new(&map).unwrap();
    assert_eq!(census.occupied().unwrap(), []);
    let sockets: Vec<(u32, OwnedFd)> = [0, 1, 31, 32, 63, 64, 99]
        .into_iter()
        .map(|slot| (slot, rx_socket()))
        .collect();
    for (slot, socket) in &sockets {
        map.insert(*slot, socket.as_fd()).unwrap();
    }
    assert_eq!(census.occupied().unwrap(), [0, 1, 31, 32, 63, 64, 99]);
    assert!(census.is_occupied(63).unwrap() && !census.is_occupied(62).unwrap());
    assert!(!census.is_occupied(100).unwrap() && !census.is_occupied(u32::MAX).unwrap());
    map.remove(31).unwrap();
    map.remove(31).unwrap();
    drop(sockets);
    assert_eq!(
        census.occupied().unwrap(),
        [],
        "the slots of closed sockets are empty"
    );
}

#[test]
fn slots_are_not_taken_from_others() {
    if !privileged("slots_are_not_taken_from_others") {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 2).unwrap();
    let census = Census::new(&map).unwrap();
    let (first, second) = (rx_socket(), rx_socket());
    map.insert(1, first.as_fd()).unwrap();
    map.insert(1, first.as_fd()).unwrap();
    let taken = map.insert(1, second.as_fd());
    assert!(
        matches!(
            taken,
            Err(Error::UpdateMap {
                errno: Errno::EXIST,
                index: 1,
                entries: 2,
                ..
            })
        ),
        "{taken:?}"
    );
    map.replace(1, second.as_fd()).unwrap();
    drop(first);
    assert_eq!(census.occupied().unwrap(), [1]);
    let beyond = map.insert(2, second.as_fd());
    assert!(
        matches!(
            beyond,
            Err(Error::UpdateMap {
                errno: Errno::TOOBIG,
                ..
            })
        ),
        "{beyond:?}"
    );
    let beyond = map.remove(2);
    assert!(
        matches!(
            beyond,
            Err(Error::UpdateMap {
                errno: Errno::INVAL,
                operation: "remove",
                ..
            })
        ),
        "{beyond:?}"
    );
}

#[test]
fn a_socket_that_cannot_receive_is_not_put_into_a_map() {
    if !privileged("a_socket_that_cannot_receive_is_not_put_into_a_map") {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let socket = socket_with(
        AddressFamily::XDP,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    sockopt::set_xdp_tx_ring_size(&socket, 64).unwrap();
    for result in [
        map.insert(0, socket.as_fd()),
        map.replace(0, socket.as_fd()),
    ] {
        assert!(
            matches!(result, Err(Error::WrongObject { .. })),
            "{result:?}"
        );
    }
    assert_eq!(Census::new(&map).unwrap().occupied().unwrap(), []);
    let udp = std::net::UdpSocket::bind("127.0.0.1:0");
    if let Ok(udp) = udp {
        let other = map.insert(0, udp.as_fd());
        assert!(
            matches!(
                other,
                Err(Error::UpdateMap {
                    errno: Errno::OPNOTSUPP,
                    ..
                })
            ),
            "{other:?}"
        );
    }
    // The kernel's own struct, to be sure that this rustix is the one the crate uses.
    assert_eq!(size_of::<xdp::XdpDesc>(), 16);
}

#[test]
fn pins_outlive_their_makers() {
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen,
    };
    use std::os::fd::AsRawFd;
    if !privileged("pins_outlive_their_makers") {
        return;
    }
    // A BPF file system that is mounted nowhere and goes with its descriptor.
    let context = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    fsconfig_create(&context).unwrap();
    let mount = fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
    .unwrap();
    let directory = std::path::PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
    if !directory.exists() {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: pins_outlive_their_makers (needs /proc)"
        );
        return;
    }
    let (map_path, program_path) = (directory.join("map"), directory.join("program"));
    let map = XskMap::create(XskMap::DEFAULT_NAME, 3).unwrap();
    let program = redirect(&map).unwrap();
    map.pin(&map_path).unwrap();
    program.pin(&program_path).unwrap();
    let again = map.pin(&map_path);
    assert!(
        matches!(
            again,
            Err(Error::BpfObject {
                operation: "BPF_OBJ_PIN",
                errno: Errno::EXIST,
                ..
            })
        ),
        "{again:?}"
    );
    let ids = (map.id(), program.id());
    drop((map, program));
    let map = XskMap::from_pin(&map_path).unwrap();
    assert_eq!((map.id(), map.entries()), (ids.0, 3));
    assert_eq!(Program::from_pin(&program_path).unwrap().id(), ids.1);
    let wrong = XskMap::from_pin(&program_path);
    assert!(matches!(wrong, Err(Error::WrongObject { .. })), "{wrong:?}");
    let wrong = Program::from_pin(&map_path);
    assert!(matches!(wrong, Err(Error::WrongObject { .. })), "{wrong:?}");
}
