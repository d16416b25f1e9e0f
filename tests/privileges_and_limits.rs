//! What goes wrong before the first packet: missing privileges, kernels without AF_XDP, limits.
//! Each fault is a typed error with the request, the kernel's result and the cure, and leaves
//! nothing behind.

mod common;

use common::{AtCable, Cable};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use std::time::Duration;
use xsk::attach::Attachment;
use xsk::test_util::{Namespace, ip, privileged};
use xsk::umem::PageSize;
use xsk::{AttachMode, Error, Interface, Port, Socket, Umem};

/// Runs `work` in a thread of its own that has only the capabilities `kept`, in `namespace`.
fn with_only<T: Send>(
    kept: CapabilitySet,
    namespace: &Namespace,
    work: impl FnOnce() -> T + Send,
) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // Leaving the namespace again would need a capability: the thread ends inside.
            let inside = namespace.enter().unwrap();
            std::mem::forget(inside);
            let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: kept };
            set_capabilities(None, sets).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

/// Asserts that the text has every one of `words`.
#[track_caller]
fn says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[test]
fn without_net_raw_there_is_no_socket() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let kept = CapabilitySet::NET_ADMIN | CapabilitySet::BPF;
    let error = with_only(kept, &namespace, || {
        let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
        Socket::builder(&umem).open().unwrap_err()
    });
    assert!(matches!(error, Error::CreateSocket { errno: Errno::PERM, .. }), "{error:?}");
    says(&error, &["AF_XDP socket", "EPERM", "CAP_NET_RAW", "sudo"]);
}

/// Also root of a user namespace, in a network namespace that is not its own.
#[test]
fn without_net_admin_the_own_namespace_is_not_opened() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let error = with_only(CapabilitySet::SYS_ADMIN, &namespace, || {
        Namespace::current().map(drop).unwrap_err()
    });
    assert!(matches!(error, Error::Namespace { errno: Errno::PERM, .. }), "{error:?}");
    says(&error, &["SIOCGSKNS", "CAP_NET_ADMIN", "in a network namespace of its own", "sudo"]);
}

#[test]
fn without_bpf_there_is_no_program() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    for kept in [CapabilitySet::NET_ADMIN, CapabilitySet::BPF, CapabilitySet::NET_RAW] {
        let interface = cable.veth.a().clone();
        let attach = || Attachment::builder(&interface).attach().unwrap_err();
        let error = with_only(kept, &cable.left, attach);
        says(&error, &["EPERM", "CAP_BPF and CAP_NET_ADMIN", "sudo"]);
        assert_eq!(common::left_on(cable.veth.a()), None);
    }
}

#[test]
fn without_sys_admin_no_program_is_joined_and_none_is_lost() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let attach = || Attachment::builder(cable.veth.a()).attach();
    let first = cable.left.run(attach).unwrap().unwrap();
    let kept = CapabilitySet::NET_ADMIN | CapabilitySet::BPF | CapabilitySet::NET_RAW;
    let interface = cable.veth.a().clone();
    let error =
        with_only(kept, &cable.left, || Attachment::builder(&interface).attach().unwrap_err());
    says(&error, &["CAP_SYS_ADMIN"]);
    let there = cable.veth.a().attached_programs().unwrap().programs().next();
    assert_eq!(there.map(|(_, id)| id), Some(first.program_id()));
}

#[test]
fn a_kernel_without_af_xdp_is_named() {
    if !privileged!() {
        return;
    }
    let error = std::thread::spawn(|| {
        use seccompiler::{
            SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
            SeccompRule, TargetArch, apply_filter,
        };
        // The thread's socket(AF_XDP, ...) returns EAFNOSUPPORT; SYS_socket is 41 on x86-64, 198 on
        // aarch64.
        let (number, arch) = if cfg!(target_arch = "x86_64") {
            (41, TargetArch::x86_64)
        } else {
            (198, TargetArch::aarch64)
        };
        let family = u64::from(xsk::uapi::if_xdp::AF_XDP);
        let condition =
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family).unwrap();
        let rule = SeccompRule::new(vec![condition]).unwrap();
        let refuse =
            SeccompAction::Errno(u32::try_from(Errno::AFNOSUPPORT.raw_os_error()).unwrap());
        let rules = [(number, vec![rule])].into();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap();
        let program: seccompiler::BpfProgram = filter.try_into().unwrap();
        apply_filter(&program).unwrap();
        let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
        Socket::builder(&umem).open().unwrap_err()
    })
    .join()
    .unwrap();
    assert_eq!(error.errno(), Some(Errno::AFNOSUPPORT));
    says(&error, &["EAFNOSUPPORT", "CONFIG_XDP_SOCKETS", "seccomp"]);
}

#[test]
fn the_limit_of_locked_memory_is_explained() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let before = getrlimit(Resource::Memlock);
    let limit = Rlimit { current: Some(64 << 10), maximum: before.maximum };
    // Other threads are root, which the limit does not apply to.
    setrlimit(Resource::Memlock, limit).unwrap();
    let error = with_only(CapabilitySet::NET_RAW, &namespace, || {
        let (umem, _pool) = Umem::builder().chunk_count(1024).build().unwrap();
        Socket::builder(&umem).open().unwrap_err()
    });
    setrlimit(Resource::Memlock, before).unwrap();
    assert_eq!(error.errno(), Some(Errno::NOBUFS));
    says(
        &error,
        &["4194304 bytes", "ENOBUFS", "RLIMIT_MEMLOCK", "65536", "ulimit -l 4096", "CAP_IPC_LOCK"],
    );
}

#[test]
fn huge_pages_that_are_not_there_are_explained() {
    let huge = Umem::builder().chunk_count(1 << 19).page_size(PageSize::Huge1G);
    match huge.build() {
        // A machine may have them reserved.
        Ok(_) => {}
        Err(error) => {
            assert!(matches!(error, Error::AllocateUmem { .. }));
            says(&error, &["huge pages", "ordinary pages"]);
        }
    }
}

#[test]
fn too_much_headroom_is_refused_by_the_kernel_and_explained() {
    if !privileged!() {
        return;
    }
    let builder = Umem::builder().chunk_count(16).chunk_size(2048).headroom(1791);
    let (umem, _pool) = builder.build().unwrap();
    // Older kernels accept it.
    if let Err(error) = Socket::builder(&umem).open() {
        assert_eq!(error.errno(), Some(Errno::INVAL));
        says(&error, &["headroom 1791", "EINVAL", "1344 bytes"]);
    }
}

#[test]
fn an_unknown_interface_is_named() {
    let error = Interface::by_name("no-such-if").unwrap_err();
    says(&error, &["no-such-if", "ENODEV", "ip link"]);
    for name in ["", "a-name-that-is-too-long", "a/b", "a\0b"] {
        assert!(Interface::by_name(name).is_err());
    }
}

#[test]
fn a_foreign_program_is_left_alone_and_named() {
    if !privileged!() {
        return;
    }
    use xsk::bpf::{Insn, Program, Reg, XskMap};
    let cable = Cable::new(1);
    let pass = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let foreign = Program::builder(&pass).name("foreign").license(c"GPL").load().unwrap();
    let id = foreign.id();
    let map = XskMap::create("other_map", 1).unwrap();
    let attach = || Attachment::builder(cable.veth.a()).program(foreign, map).attach();
    let theirs = cable.left.run(attach).unwrap().unwrap();
    for method in common::METHODS {
        let attach = || Attachment::builder(cable.veth.a()).method(method).attach();
        let error = cable.left.run(attach).unwrap().unwrap_err();
        assert!(matches!(error, Error::ForeignProgram { .. }), "{error}");
        says(&error, &["foreign", &id.to_string(), "xdpdrv off", "replace_foreign"]);
    }
    let there = cable.veth.a().attached_programs().unwrap().programs().next();
    assert_eq!(there.map(|(_, id)| id), Some(id));
    theirs.close().unwrap();
    assert_eq!(common::left_on(cable.veth.a()), None);
}

#[test]
fn a_large_mtu_is_an_error_only_where_native_mode_is_asked_for() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    ip::set_mtu(cable.veth.b(), 9000).unwrap();
    let attach = |mode| Attachment::builder(cable.veth.a()).mode(mode).attach();
    let error = cable.left.run(|| attach(AttachMode::Native)).unwrap().unwrap_err();
    says(&error, &["native", "ERANGE", "mtu", "generic mode"]);
    assert_eq!(common::left_on(cable.veth.a()), None);
    let attachment = cable.left.run(|| attach(AttachMode::Auto)).unwrap().unwrap();
    assert_eq!(attachment.mode(), xsk::XdpMode::Generic);
    let reason = attachment.reason().to_string();
    assert!(reason.starts_with("the driver refuses native mode: ERANGE, \""), "{reason}");
    assert!(reason.contains("Peer MTU is too large to set XDP\" (a smaller MTU, or "), "{reason}");
}

#[test]
fn where_there_is_no_native_mode_generic_is_chosen_and_says_why() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let bridge = namespace.add_bridge("br1").unwrap();
    let attach = || Attachment::builder(&bridge).attach();
    let attachment = namespace.run(attach).unwrap().unwrap();
    assert_eq!(attachment.mode(), xsk::XdpMode::Generic);
    assert!(attachment.reason().to_string().contains("no native mode"));
}

#[test]
fn a_refused_bind_leaks_nothing_and_can_be_tried_again() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let taken = Port::left(&cable);
    let (umem, mut pool) = Umem::builder().chunk_count(64).build().unwrap();
    let builder = Socket::builder(&umem).bind_timeout(Duration::ZERO);
    let mut unbound = cable.left.run(|| builder.open()).unwrap().unwrap();
    unbound.fill.fill_from(&mut pool, 64).unwrap();
    let mut unbound = Some(unbound);
    // A second try would come a millisecond later. On a slow machine the only try may take as long,
    // but not always.
    common::until("a bind that is tried once", || {
        let refused = unbound.take().unwrap();
        let refused = refused.bind(cable.veth.a(), 0).unwrap_err();
        unbound = Some(refused.socket);
        says(&refused.error, &["xsk-a queue 0", "EBUSY", "of trying", "Another socket"]);
        refused.error.to_string().contains("after 0 ms")
    });
    drop(taken);
    common::until("the queue is free", || match unbound.take().unwrap().bind(cable.veth.a(), 0) {
        Ok(socket) => {
            assert_eq!(socket.fill.pending(), 64, "the filled chunks are still there");
            true
        }
        Err(again) => {
            unbound = Some(again.socket);
            false
        }
    });
}
