//! Groups 46 to 50 and 53: maps, programs and attaching.

use crate::common::{Cable, kernel_since};
use crate::says;
use expect_test::expect;
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsFd;
use xsk::bpf::{Helper, Insn, Program, Reg, Size, XskMap};
use xsk::test_util::{Namespace, privileged};
use xsk::uapi::bpf::{BPF_F_STRICT_ALIGNMENT, BPF_F_TOKEN_FD};
use xsk::{AttachMethod, AttachMode, Attachment, Error};

/// Group 46 of the table in tests/README.md.
#[test]
fn what_is_no_socket_is_not_put_into_a_map() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("a_map", 2).unwrap();
    let file = File::open("/proc/self/exe").unwrap();
    let error = map.insert(0, file.as_fd()).unwrap_err();
    says(
        &error,
        &expect![[r#"
        cannot insert the socket into slot 0 of the BPF map of 2 slots: ENOTSOCK (Socket operation on non-socket).
        It is no AF_XDP socket, or (before Linux 5.10) one without rings"#]],
    );
    let null = File::open("/dev/null").unwrap();
    let error = map.replace(1, null.as_fd()).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::NOTSOCK));
    let socket = crate::sockets::raw();
    rustix::net::sockopt::set_xdp_rx_ring_size(&socket, 64).unwrap();
    map.insert(0, socket.as_fd()).unwrap();
    let error = map.insert(2, socket.as_fd()).unwrap_err();
    says(
        &error,
        &expect![[r#"
            cannot insert the socket into slot 2 of the BPF map of 2 slots: E2BIG (Argument list too long).
            The map has 2 slot(s): this crate's default program gets one for each queue that there is when it is attached (after `ethtool -L` has made more, end all its users and attach it again), and `bpf::spread` needs one for each socket of each queue"#]],
    );
    let other = crate::sockets::raw();
    rustix::net::sockopt::set_xdp_rx_ring_size(&other, 64).unwrap();
    let error = map.insert(0, other.as_fd()).unwrap_err();
    says(
        &error,
        &expect![[r#"
            cannot insert the socket into slot 0 of the BPF map of 2 slots: EEXIST (File exists).
            Another socket is registered there, or this one already: a slot has one, and of several sockets on a queue each needs a slot of its own (`bpf::spread`)"#]],
    );
    let error = map.remove(2).unwrap_err();
    says(
        &error,
        &expect![[r#"
        cannot remove the socket from slot 2 of the BPF map of 2 slots: EINVAL (Invalid argument).
        The map has no such slot: they are numbered from 0 to 1"#]],
    );
    // Emptying an empty slot changes nothing.
    map.remove(1).unwrap();
}

/// Group 48 of the table in tests/README.md.
#[test]
fn refused_programs_are_explained() {
    if !privileged!() {
        return;
    }
    let (r0, r1, r2) = (Reg::R0, Reg::R1, Reg::R2);
    let pass = Insn::mov64_imm(r0, 2);
    // The first words of the context are pointers to the packet and to its end.
    let data = Insn::load(Size::Word, r2, r1, 0);
    let unknown = Insn::from_raw(xsk::uapi::bpf::bpf_insn {
        imm: 9999,
        ..Insn::call(Helper::REDIRECT).raw()
    })
    .unwrap();
    let cases: [(&str, Vec<Insn<'_>>, Errno, bool); 9] = [
        ("no_exit", vec![pass], Errno::INVAL, true),
        ("unreachable", vec![pass, Insn::exit(), pass, Insn::exit()], Errno::INVAL, true),
        ("helper", vec![unknown, pass, Insn::exit()], Errno::INVAL, true),
        ("uninitialised", vec![Insn::mov64_reg(r0, Reg::R7), Insn::exit()], Errno::ACCESS, true),
        ("context", vec![Insn::load(Size::Word, r0, r1, 400), Insn::exit()], Errno::ACCESS, true),
        (
            "bounds",
            vec![data, Insn::load(Size::Byte, r0, r2, 0), Insn::exit()],
            Errno::ACCESS,
            true,
        ),
        ("empty", vec![], Errno::TOOBIG, false),
        ("bad-name", vec![pass, Insn::exit()], Errno::INVAL, false),
        ("sixteen_letters_", vec![pass, Insn::exit()], Errno::INVAL, false),
    ];
    for (name, insns, errno, logged) in cases {
        let error = Program::builder(&insns).name(name).license(c"MIT").load().unwrap_err();
        assert_eq!(error.errno(), Some(errno), "{error}");
        let text = error.to_string();
        let beginning =
            format!("the kernel refused the program {name} of {} instructions: E", insns.len());
        assert!(text.starts_with(&beginning), "{text}");
        assert_eq!(text.contains("The verifier said:\n"), logged, "{text}");
        // Where there is no log, the hint helps.
        let helped = text.contains("one instruction at least") || text.contains("15 bytes");
        assert_eq!(helped, !logged, "{text}");
    }
    // A flag that does not exist.
    let flags =
        Program::builder(&[pass, Insn::exit()]).name("flags").license(c"MIT").flags(1 << 31).load();
    assert_eq!(flags.unwrap_err().errno(), Some(Errno::INVAL));
    // The kernel would take descriptor 0 for a token.
    let token = BPF_F_TOKEN_FD | BPF_F_STRICT_ALIGNMENT;
    let flags = Program::builder(&[pass, Insn::exit()]).license(c"MIT").flags(token).load();
    says(
        &flags.unwrap_err(),
        &expect![
            "program flags 65537 is not possible: a possible one has no BPF_F_TOKEN_FD (65536), which needs a token's descriptor"
        ],
    );
    // A descriptor that is no map.
    let file = File::open("/proc/self/exe").unwrap();
    let [low, high] = Insn::load_map_fd(r1, file.as_fd());
    let no_map =
        Program::builder(&[low, high, pass, Insn::exit()]).name("no_map").license(c"MIT").load();
    let error = no_map.unwrap_err();
    let errno = error.errno().unwrap();
    assert!(matches!(errno, Errno::INVAL | Errno::BADF | Errno::ACCESS), "{error}");
}

/// The flags hold the result of a redirection into an empty slot; other flags are for other maps.
///
/// Group 49 of the table in tests/README.md.
#[test]
fn flags_of_a_redirection() {
    if !privileged!() {
        return;
    }
    const ABORTED: u32 = 0;
    const REDIRECT: u32 = 4;
    let map = XskMap::create("a_map", 1).unwrap();
    let run = |flags| {
        let [low, high] = Insn::load_map_fd(Reg::R1, map.as_fd());
        let insns = [
            low,
            high,
            Insn::mov64_imm(Reg::R2, 0),
            Insn::mov64_imm(Reg::R3, flags),
            Insn::call(Helper::REDIRECT_MAP),
            Insn::exit(),
        ];
        let program = Program::builder(&insns).name("flags").license(c"MIT").load().unwrap();
        program.test_run(&[0xff; 60], None).unwrap().retval
    };
    for flags in 0..4 {
        assert_eq!(run(flags), flags as u32, "missed");
    }
    let socket = crate::sockets::raw();
    rustix::net::sockopt::set_xdp_rx_ring_size(&socket, 64).unwrap();
    map.insert(0, socket.as_fd()).unwrap();
    for flags in 0..4 {
        assert_eq!(run(flags), REDIRECT, "hit");
    }
    for flags in [4, 8, 16] {
        assert_eq!(run(flags), ABORTED, "a flag of other maps, although the slot is taken");
    }
}

/// Group 50 of the table in tests/README.md.
#[test]
fn native_mode_where_there_is_none() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let loopback = namespace.interface("lo").unwrap();
    for method in [AttachMethod::Netlink, AttachMethod::Link] {
        let builder = Attachment::builder(&loopback).mode(AttachMode::Native);
        let builder = builder.method(method);
        let error = namespace.run(|| builder.attach()).unwrap().unwrap_err();
        let Error::Attach { errno, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(*errno, Errno::OPNOTSUPP);
        let text = error.to_string();
        let hint = "The driver of lo has no native XDP: use generic mode (`AttachMode::Generic`)";
        assert!(text.ends_with(hint), "{text}");
        assert!(loopback.attached_programs().unwrap().is_empty());
    }
}

/// With either method, the text names the MTU.
///
/// Group 50 of the table in tests/README.md.
#[test]
fn a_large_packet_size_at_the_other_end() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    xsk::test_util::ip::set_mtu(cable.veth.b(), 9000).unwrap();
    let error = |method| {
        let builder = Attachment::builder(cable.veth.a()).method(method);
        let builder = builder.mode(AttachMode::Native);
        cable.left.run(|| builder.attach()).unwrap().unwrap_err()
    };
    says(
        &error(AttachMethod::Netlink),
        &expect![[r#"
            cannot attach an XDP program to xsk-a in native mode by netlink: ERANGE (Numerical result out of range), "...".
            Set a smaller MTU at the other end of the cable: `ip link set dev PEER mtu 1500`.
            Or take longer packets in several frames (`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or `ProgramBuilder::frags`).
            Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"#]],
    );
    says(
        &error(AttachMethod::Link),
        &expect![[r#"
            cannot attach an XDP program to xsk-a in native mode by link: ERANGE (Numerical result out of range).
            Likely an MTU is too large for native XDP here.
            The MTU of xsk-a is 1500; on a veth the peer's counts: set a smaller one there (`ip link set dev PEER mtu 1500`).
            Or take longer packets in several frames (`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or `ProgramBuilder::frags`).
            For a link the kernel passes on no reason: with `AttachMethod::Netlink` the error has the driver's own words.
            Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"#]],
    );
}

/// Group 53 of the table in tests/README.md.
#[test]
fn a_packet_that_is_too_short_is_not_run() {
    if !privileged!() {
        return;
    }
    let insns = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let program = Program::builder(&insns).name("pass").license(c"MIT").load().unwrap();
    match program.test_run(&[0; 13], None) {
        Err(error) => says(
            &error,
            &expect![[r#"
                bpf(BPF_PROG_TEST_RUN) failed for program N: EINVAL (Invalid argument).
                A packet has 14 bytes at least, and has to fit a page with what the kernel puts around it; of a context, data_end is the packet's length, and the interface has the queue; a program that is bound to a device cannot be run so"#]],
        ),
        Ok(run) => assert!(!kernel_since(6, 1), "{run:?}"),
    }
    let error = program.test_run(&[0; 1 << 17], None).unwrap_err();
    assert!(matches!(error, Error::BpfObject { .. }), "{error}");
    assert_eq!(program.test_run(&[0; 14], None).unwrap().retval, 2);
}
