//! Texts of errors about BPF maps, programs and pins.

use super::Texts;
use crate::error::{BpfOp, Error, ObjectKind, SlotOp};
use expect_test::expect;
use rustix::io::Errno;

#[test]
fn texts_are_as_pinned() {
    super::check(texts());
}

/// Returns the errors and their pinned texts.
// Not formatted: `UPDATE_EXPECT` does not find the texts where rustfmt puts them.
#[rustfmt::skip]
pub(super) fn texts() -> Texts {
    let map = |name: &str, entries, errno| Error::CreateMap {
        name: name.to_owned(),
        entries,
        errno,
    };
    let slot = |operation, errno| Error::UpdateMap {
        operation,
        other_interface: None,
        index: 4,
        entries: 4,
        errno,
    };
    let taken = |name: &str| Error::UpdateMap {
        operation: SlotOp::Insert,
        other_interface: Some(name.to_owned()),
        index: 0,
        entries: 4,
        errno: Errno::EXIST,
    };
    let load = |name: &str, instructions, log: &str, errno| Error::LoadProgram {
        name: name.to_owned(),
        instructions,
        log: log.to_owned(),
        bound_to: None,
        errno,
    };
    let load_bound = |log: &str, errno| Error::LoadProgram {
        name: "xsk_metadata".to_owned(),
        instructions: 77,
        log: log.to_owned(),
        bound_to: Some(3),
        errno,
    };
    let object = |operation, object: &str, errno| Error::BpfObject {
        operation,
        object: object.to_owned(),
        errno,
    };
    let wrong = |object: &str, wanted| Error::WrongObject {
        object: object.to_owned(),
        wanted,
    };
    vec![
        (map("xsks_map", 4, Errno::PERM),
            expect!["cannot make the BPF map xsks_map of 4 slots: EPERM (Operation not permitted). This needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8) in the initial user namespace: run it as root (`sudo`) there. Root of another user namespace (a rootless container, `unshare --user`) has them only inside. Before 5.11 it can also be RLIMIT_MEMLOCK: `ulimit -l unlimited`. In a container, seccomp may refuse bpf(2)"]),
        (map("xsks_map", 4, Errno::NOSYS),
            expect!["cannot make the BPF map xsks_map of 4 slots: ENOSYS (Function not implemented). This kernel is built without CONFIG_BPF_SYSCALL"]),
        (map("xsks_map", 4, Errno::NOMEM),
            expect!["cannot make the BPF map xsks_map of 4 slots: ENOMEM (Cannot allocate memory). The kernel has no memory for it, or the control group's limit is reached"]),
        (map("xsks_map", 0, Errno::INVAL),
            expect!["cannot make the BPF map xsks_map of 0 slots: EINVAL (Invalid argument). A map has one slot at least"]),
        (map("no-hyphen", 4, Errno::INVAL),
            expect!["cannot make the BPF map no-hyphen of 4 slots: EINVAL (Invalid argument). A name has 15 bytes at the most, of A-Z, a-z, 0-9, `_` and `.`"]),
        (map("sixteen_letters_", 4, Errno::INVAL),
            expect!["cannot make the BPF map sixteen_letters_ of 4 slots: EINVAL (Invalid argument). A name has 15 bytes at the most, of A-Z, a-z, 0-9, `_` and `.`"]),
        (map("xsks_map", 4, Errno::INVAL),
            expect!["cannot make the BPF map xsks_map of 4 slots: EINVAL (Invalid argument)"]),
        (map("xsks_map", 4, Errno::MFILE),
            expect!["cannot make the BPF map xsks_map of 4 slots: EMFILE (Too many open files). This process has too many open files: raise `ulimit -n`"]),
        (slot(SlotOp::Insert, Errno::TOOBIG),
            expect!["cannot insert the socket into slot 4 of the BPF map of 4 slots: E2BIG (Argument list too long). The map has 4 slot(s): this crate's default program gets one for each queue that there is when it is attached (after `ethtool -L` has made more, end all its users and attach it again), and `bpf::spread` needs one for each socket of each queue"]),
        (slot(SlotOp::Insert, Errno::EXIST),
            expect!["cannot insert the socket into slot 4 of the BPF map of 4 slots: EEXIST (File exists). Another socket is registered there, or this one already: a slot has one, and of several sockets on a queue each needs a slot of its own (`bpf::spread`)"]),
        (taken("v0"), expect!["cannot insert the socket into slot 0 of the BPF map of 4 slots: EEXIST (File exists). The slot belongs to a socket that is registered for v0: a map has one slot for each queue number, so use a program and a map for each interface"]),
        (slot(SlotOp::Insert, Errno::NETDOWN), expect!["cannot insert the socket into slot 4 of the BPF map of 4 slots: ENETDOWN (Network is down). The socket's interface is down, and before Linux 6.4 the kernel does not report then whether a bound socket has an RX ring; one without could crash it. Set the interface up (`ip link set dev NAME up`), or register the socket before it is bound"]),
        (slot(SlotOp::Insert, Errno::OPNOTSUPP),
            expect!["cannot insert the socket into slot 4 of the BPF map of 4 slots: EOPNOTSUPP (Operation not supported). It is no AF_XDP socket, or (before Linux 5.10) one without rings"]),
        (slot(SlotOp::Insert, Errno::NOTSOCK),
            expect!["cannot insert the socket into slot 4 of the BPF map of 4 slots: ENOTSOCK (Socket operation on non-socket). It is no AF_XDP socket, or (before Linux 5.10) one without rings"]),
        (slot(SlotOp::Remove, Errno::INVAL),
            expect!["cannot remove the socket from slot 4 of the BPF map of 4 slots: EINVAL (Invalid argument). The map has no such slot: they are numbered from 0 to 3"]),
        (slot(SlotOp::Insert, Errno::NOENT),
            expect!["cannot insert the socket into slot 4 of the BPF map of 4 slots: ENOENT (No such file or directory). The socket was closed in the meantime, or something else emptied the slot"]),
        (slot(SlotOp::Remove, Errno::PERM),
            expect!["cannot remove the socket from slot 4 of the BPF map of 4 slots: EPERM (Operation not permitted). Before Linux 5.19, where `sysctl kernel.unprivileged_bpf_disabled` is not 0, using a map needs CAP_BPF, too (CAP_SYS_ADMIN before 5.8)"]),
        (load("xsk_redirect", 5, "", Errno::PERM),
            expect!["the kernel refused the program xsk_redirect of 5 instructions: EPERM (Operation not permitted). This needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8) in the initial user namespace: run it as root (`sudo`) there. Root of another user namespace (a rootless container, `unshare --user`) has them only inside. Before 5.11 it can also be RLIMIT_MEMLOCK: `ulimit -l unlimited`. In a container, seccomp may refuse bpf(2)"]),
        (load("xsk_redirect", 5, "", Errno::NOSYS),
            expect!["the kernel refused the program xsk_redirect of 5 instructions: ENOSYS (Function not implemented). This kernel is built without CONFIG_BPF_SYSCALL"]),
        (load("mine", 2, "0: (bf) r0 = r7\nR7 !read_ok\n", Errno::ACCESS),
            expect![[r#"
                the kernel refused the program mine of 2 instructions: EACCES (Permission denied). The verifier said:
                0: (bf) r0 = r7
                R7 !read_ok"#]]),
        (load("mine", 2, "unknown func 9999", Errno::INVAL),
            expect![[r#"
                the kernel refused the program mine of 2 instructions: EINVAL (Invalid argument). The verifier said:
                unknown func 9999"#]]),
        (load("mine", 0, "", Errno::TOOBIG),
            expect!["the kernel refused the program mine of 0 instructions: E2BIG (Argument list too long). A program has one instruction at least"]),
        (load("mine", 70000, "BPF program is too large. Processed 1000001 insn\n", Errno::TOOBIG),
            expect![[r#"
                the kernel refused the program mine of 70000 instructions: E2BIG (Argument list too long). It is too long, or takes the verifier too many steps: 4096 instructions before Linux 5.2, a million steps since. The verifier said:
                BPF program is too large. Processed 1000001 insn"#]]),
        (load("no-hyphen", 2, "", Errno::INVAL),
            expect!["the kernel refused the program no-hyphen of 2 instructions: EINVAL (Invalid argument). A name has 15 bytes at the most, of A-Z, a-z, 0-9, `_` and `.`"]),
        (load("mine", 2, "", Errno::PERM),
            expect!["the kernel refused the program mine of 2 instructions: EPERM (Operation not permitted). This needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8) in the initial user namespace: run it as root (`sudo`) there. Root of another user namespace (a rootless container, `unshare --user`) has them only inside. Before 5.11 it can also be RLIMIT_MEMLOCK: `ulimit -l unlimited`. In a container, seccomp may refuse bpf(2)"]),
        (load("mine", 2, "R0 pointer arithmetic prohibited\n", Errno::PERM),
            expect![[r#"
                the kernel refused the program mine of 2 instructions: EPERM (Operation not permitted). This needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8) in the initial user namespace: run it as root (`sudo`) there. Root of another user namespace (a rootless container, `unshare --user`) has them only inside. Before 5.11 it can also be RLIMIT_MEMLOCK: `ulimit -l unlimited`. In a container, seccomp may refuse bpf(2). The verifier said:
                R0 pointer arithmetic prohibited"#]]),
        (load_bound("", Errno::OPNOTSUPP), expect!["the kernel refused the program xsk_metadata of 77 instructions, bound to the interface with index 3: EOPNOTSUPP (Operation not supported). The interface's driver has no functions that say what the card knows of a packet, and so takes no bound programs: receive without metadata"]),
        (load_bound("", Errno::INVAL), expect!["the kernel refused the program xsk_metadata of 77 instructions, bound to the interface with index 3: EINVAL (Invalid argument). There is no interface of this index in the network namespace of the calling thread (`ip link`), or the kernel does not take these flags for a bound program"]),
        (load_bound("arg#0 is no pointer\n", Errno::INVAL), expect![[r#"
            the kernel refused the program xsk_metadata of 77 instructions, bound to the interface with index 3: EINVAL (Invalid argument). The verifier said:
            arg#0 is no pointer"#]]),
        (object(BpfOp::ProgramById, "program 7", Errno::PERM),
            expect!["bpf(BPF_PROG_GET_FD_BY_ID) failed for program 7: EPERM (Operation not permitted). Looking BPF objects up by their id needs CAP_SYS_ADMIN in the initial user namespace (CAP_BPF is not enough). Run as root there, or pass descriptors or pins"]),
        (object(BpfOp::ProgramById, "program 7", Errno::NOENT),
            expect!["bpf(BPF_PROG_GET_FD_BY_ID) failed for program 7: ENOENT (No such file or directory). It is gone: nothing held it any more"]),
        (object(BpfOp::Get, "/sys/fs/bpf/xsks_map", Errno::NOENT),
            expect!["bpf(BPF_OBJ_GET) failed for /sys/fs/bpf/xsks_map: ENOENT (No such file or directory). There is no such file or directory: pins are gone after a restart of the machine"]),
        (object(BpfOp::Get, "/sys/fs/bpf/xsks_map", Errno::ACCESS),
            expect!["bpf(BPF_OBJ_GET) failed for /sys/fs/bpf/xsks_map: EACCES (Permission denied). The pin belongs to another user: `chown` or `chmod` it, or run as root"]),
        (object(BpfOp::Pin, "/tmp/xsks_map", Errno::PERM),
            expect!["bpf(BPF_OBJ_PIN) failed for /tmp/xsks_map: EPERM (Operation not permitted). A pin has to be in a BPF file system (`mount -t bpf bpf /sys/fs/bpf`), its name must not have a full stop in it, and it needs CAP_BPF where `sysctl kernel.unprivileged_bpf_disabled` is not 0"]),
        (object(BpfOp::Pin, "/sys/fs/bpf/xsks_map", Errno::EXIST),
            expect!["bpf(BPF_OBJ_PIN) failed for /sys/fs/bpf/xsks_map: EEXIST (File exists). Something is pinned there already: remove the file, or take another name"]),
        (object(BpfOp::Info, "the file descriptor", Errno::INVAL),
            expect!["bpf(BPF_OBJ_GET_INFO_BY_FD) failed for the file descriptor: EINVAL (Invalid argument). It is no BPF object"]),
        (object(BpfOp::Info, "the kernel's type information", Errno::BADMSG), expect!["bpf(BPF_OBJ_GET_INFO_BY_FD) failed for the kernel's type information: EBADMSG (Bad message). This crate does not understand the kernel's answer: please report it, with the output of `uname -r`"]),
        (object(BpfOp::TestRun, "program 7", Errno::INVAL),
            expect!["bpf(BPF_PROG_TEST_RUN) failed for program 7: EINVAL (Invalid argument). A packet has 14 bytes at least, and has to fit a page with what the kernel puts around it"]),
        (object(BpfOp::MapById, "map 7", Errno::NOENT),
            expect!["bpf(BPF_MAP_GET_FD_BY_ID) failed for map 7: ENOENT (No such file or directory). It is gone: nothing held it any more"]),
        (object(BpfOp::LinkById, "link 7", Errno::PERM),
            expect!["bpf(BPF_LINK_GET_FD_BY_ID) failed for link 7: EPERM (Operation not permitted). Looking BPF objects up by their id needs CAP_SYS_ADMIN in the initial user namespace (CAP_BPF is not enough). Run as root there, or pass descriptors or pins"]),
        (object(BpfOp::NextLinkId, "link 7", Errno::INVAL),
            expect!["bpf(BPF_LINK_GET_NEXT_ID) failed for link 7: EINVAL (Invalid argument)"]),
        (object(BpfOp::Duplicate, "program 7", Errno::MFILE),
            expect!["cannot duplicate program 7: EMFILE (Too many open files). This process has too many open files: raise `ulimit -n`"]),
        (object(BpfOp::Get, "/sys/fs/bpf/xsks_map", Errno::IO),
            expect!["bpf(BPF_OBJ_GET) failed for /sys/fs/bpf/xsks_map: EIO (Input/output error)"]),
        (object(BpfOp::Pin, "/sys/fs/bpf/xsk/eth1-map", Errno::NOENT),
            expect!["bpf(BPF_OBJ_PIN) failed for /sys/fs/bpf/xsk/eth1-map: ENOENT (No such file or directory). The directory has to be there, in a BPF file system: make it first (`mkdir -p`)"]),
        (object(BpfOp::Unpin, "/sys/fs/bpf/eth1", Errno::ACCESS),
            expect!["cannot unpin /sys/fs/bpf/eth1: EACCES (Permission denied). The pin belongs to another user: `chown` or `chmod` it, or run as root"]),
        (wrong("/sys/fs/bpf/eth1", ObjectKind::XdpLink),
            expect!["/sys/fs/bpf/eth1 is not a link of an XDP program"]),
        (wrong("program 7, which does not use map 12,", ObjectKind::ProgramOfAttachment),
            expect!["program 7, which does not use map 12, is not a program that uses the attachment's map"]),
        (wrong("/sys/fs/bpf/other", ObjectKind::XskMap),
            expect!["/sys/fs/bpf/other is not a map of type XSKMAP with keys and values of four bytes"]),
        (wrong("program 7", ObjectKind::XdpProgram),
            expect!["program 7 is not an XDP program"]),
        (wrong(r#"program 7, attached to eth1 and without a map named "xsks_map","#, ObjectKind::ProgramWithMap),
            expect![[r#"program 7, attached to eth1 and without a map named "xsks_map", is not a program with a map of the name asked for"#]]),
        (wrong("the socket for slot 3", ObjectKind::SocketWithRxRing),
            expect!["the socket for slot 3 is not an AF_XDP socket with an RX ring. A socket that only sends is not registered: the kernel would take it, and may crash at the first packet"]),
    ]
}
