//! Texts of errors about BPF maps, programs and pins.

use super::Texts;
use crate::error::{AssemblyFault, BpfOp, Error, MapKind, MapOp, ObjectKind, SlotOp};
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
        kind: MapKind::XskMap,
        entries,
        errno,
    };
    let typed = |kind, entries, errno| Error::CreateMap {
        name: "some_map".to_owned(),
        kind,
        entries,
        errno,
    };
    let entry = |operation, kind, index, errno| Error::MapEntry {
        operation,
        name: "some_map".to_owned(),
        kind,
        entries: 4,
        index,
        errno,
    };
    let ring = |available, record| Error::RingBuffer {
        name: "events".to_owned(),
        bytes: 4096,
        position: 128,
        available,
        record,
    };
    let wrong_map = |kind, key_size, value_size| Error::WrongObject {
        object: "map 7".to_owned(),
        wanted: ObjectKind::Map { kind, key_size, value_size },
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
        refused_at: None,
        listing: String::new(),
        bound_to: None,
        errno,
    };
    let assemble = |fault| Error::Assemble { fault };
    let load_bound = |log: &str, errno| Error::LoadProgram {
        name: "xsk_metadata".to_owned(),
        instructions: 77,
        log: log.to_owned(),
        refused_at: None,
        listing: String::new(),
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
            expect!["cannot make the BPF map xsks_map (xskmap of 4 slots): EPERM (Operation not permitted). This needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8) in the initial user namespace: run it as root (`sudo`) there. Root of another user namespace (a rootless container, `unshare --user`) has them only inside. Before 5.11 it can also be RLIMIT_MEMLOCK: `ulimit -l unlimited`. In a container, seccomp may refuse bpf(2)"]),
        (map("xsks_map", 4, Errno::NOSYS),
            expect!["cannot make the BPF map xsks_map (xskmap of 4 slots): ENOSYS (Function not implemented). This kernel is built without CONFIG_BPF_SYSCALL"]),
        (map("xsks_map", 4, Errno::NOMEM),
            expect!["cannot make the BPF map xsks_map (xskmap of 4 slots): ENOMEM (Cannot allocate memory). The kernel has no memory for it, or the control group's limit is reached"]),
        (map("xsks_map", 0, Errno::INVAL),
            expect!["cannot make the BPF map xsks_map (xskmap of 0 slots): EINVAL (Invalid argument). A map has one slot or entry at least"]),
        (map("no-hyphen", 4, Errno::INVAL),
            expect!["cannot make the BPF map no-hyphen (xskmap of 4 slots): EINVAL (Invalid argument). A name has 15 bytes at the most, of A-Z, a-z, 0-9, `_` and `.`"]),
        (map("sixteen_letters_", 4, Errno::INVAL),
            expect!["cannot make the BPF map sixteen_letters_ (xskmap of 4 slots): EINVAL (Invalid argument). A name has 15 bytes at the most, of A-Z, a-z, 0-9, `_` and `.`"]),
        (map("xsks_map", 4, Errno::INVAL),
            expect!["cannot make the BPF map xsks_map (xskmap of 4 slots): EINVAL (Invalid argument)"]),
        (map("xsks_map", 4, Errno::MFILE),
            expect!["cannot make the BPF map xsks_map (xskmap of 4 slots): EMFILE (Too many open files). This process has too many open files: raise `ulimit -n`"]),
        (typed(MapKind::Array, u32::MAX, Errno::TOOBIG), expect!["cannot make the BPF map some_map (array of 4294967295 entries): E2BIG (Argument list too long). It has too many entries, or its keys or values are too large"]),
        (typed(MapKind::RingBuffer, 5000, Errno::INVAL), expect!["cannot make the BPF map some_map (ringbuf of 5000 bytes): EINVAL (Invalid argument). The size of a ring buffer is a power of two, and a page at least (`getconf PAGE_SIZE`)"]),
        (typed(MapKind::Hash, 4, Errno::PERM), expect!["cannot make the BPF map some_map (hash of 4 entries): EPERM (Operation not permitted). This needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8) in the initial user namespace: run it as root (`sudo`) there. Root of another user namespace (a rootless container, `unshare --user`) has them only inside. Before 5.11 it can also be RLIMIT_MEMLOCK: `ulimit -l unlimited`. In a container, seccomp may refuse bpf(2)"]),
        (entry(MapOp::Write, MapKind::Array, Some(4), Errno::TOOBIG), expect!["cannot write entry 4 of the BPF map some_map (array of 4 entries): E2BIG (Argument list too long). The map has no such index: its entries are numbered from 0 to 3"]),
        (entry(MapOp::Read, MapKind::PerCpuArray, Some(0), Errno::PERM), expect!["cannot read entry 0 of the BPF map some_map (percpu_array of 4 entries): EPERM (Operation not permitted). The map is frozen, or the descriptor is for reading or for writing only. Before Linux 5.19, where `sysctl kernel.unprivileged_bpf_disabled` is not 0, using a map needs CAP_BPF, too (CAP_SYS_ADMIN before 5.8)"]),
        (entry(MapOp::Write, MapKind::Hash, None, Errno::TOOBIG), expect!["cannot write an entry of the BPF map some_map (hash of 4 entries): E2BIG (Argument list too long). The map is full: remove entries, or make it with more"]),
        (entry(MapOp::Write, MapKind::PerCpuHash, None, Errno::NOMEM), expect!["cannot write an entry of the BPF map some_map (percpu_hash of 4 entries): ENOMEM (Cannot allocate memory). The kernel has no memory for the entry, or the control group's limit is reached. A map that is not made with `MapBuilder::without_preallocation` has it from the start"]),
        (entry(MapOp::Write, MapKind::LpmTrie, None, Errno::NOSPC), expect!["cannot write an entry of the BPF map some_map (lpm_trie of 4 entries): ENOSPC (No space left on device). The map is full: remove entries, or make it with more"]),
        (entry(MapOp::Write, MapKind::LpmTrie, None, Errno::INVAL), expect!["cannot write an entry of the BPF map some_map (lpm_trie of 4 entries): EINVAL (Invalid argument)"]),
        (entry(MapOp::Remove, MapKind::LruHash, None, Errno::BUSY), expect!["cannot remove an entry of the BPF map some_map (lru_hash of 4 entries): EBUSY (Device or resource busy). A program on another CPU works on the same part of the map: try again"]),
        (entry(MapOp::List, MapKind::LpmTrie, None, Errno::AGAIN), expect!["cannot list the entries of the BPF map some_map (lpm_trie of 4 entries): EAGAIN (Resource temporarily unavailable). The map changes faster than it can be listed: try again"]),
        (entry(MapOp::Mmap, MapKind::Array, None, Errno::INVAL), expect!["cannot mmap the BPF map some_map (array of 4 entries): EINVAL (Invalid argument). The map was not made to be mapped (`MapBuilder::mappable`, BPF_F_MMAPABLE)"]),
        (entry(MapOp::Mmap, MapKind::RingBuffer, None, Errno::PERM), expect!["cannot mmap the BPF map some_map (ringbuf of 4 bytes): EPERM (Operation not permitted). The map is frozen, or the descriptor is for reading or for writing only. Before Linux 5.19, where `sysctl kernel.unprivileged_bpf_disabled` is not 0, using a map needs CAP_BPF, too (CAP_SYS_ADMIN before 5.8)"]),
        (entry(MapOp::Wait, MapKind::RingBuffer, None, Errno::NOMEM), expect!["cannot wait for records of the BPF map some_map (ringbuf of 4 bytes): ENOMEM (Cannot allocate memory). The kernel has no memory for it, or the limit of the control group is reached"]),
        (entry(MapOp::Write, MapKind::DevMap, Some(2), Errno::INVAL), expect!["cannot write entry 2 of the BPF map some_map (devmap of 4 slots): EINVAL (Invalid argument). There is no interface of this index in the network namespace of the calling thread (`ip link`)"]),
        (entry(MapOp::Remove, MapKind::DevMap, Some(4), Errno::INVAL), expect!["cannot remove entry 4 of the BPF map some_map (devmap of 4 slots): EINVAL (Invalid argument). The map has no such index: its slots are numbered from 0 to 3"]),
        (ring(8192, None), expect!["the ring buffer events of 4096 bytes cannot be read beyond position 128, from where on 8192 bytes are written. Something else reads it, too, in this process or another one, and a ring buffer has one reader at a time; a new reader begins where the other stopped"]),
        (ring(64, Some(1 << 29)), expect!["the ring buffer events of 4096 bytes cannot be read beyond position 128, from where on 64 bytes are written: the record there has 536870912. Something else reads it, too, in this process or another one, and a ring buffer has one reader at a time; a new reader begins where the other stopped"]),
        (wrong_map(MapKind::Hash, 4, 8), expect!["map 7 is not a BPF map of type hash with keys of 4 and values of 8 bytes"]),
        (wrong_map(MapKind::RingBuffer, 0, 0), expect!["map 7 is not a BPF map of type ringbuf"]),
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
            expect!["bpf(BPF_PROG_TEST_RUN) failed for program 7: EINVAL (Invalid argument). A packet has 14 bytes at least, and has to fit a page with what the kernel puts around it; of a context, data_end is the packet's length, and the interface has the queue; a program that is bound to a device cannot be run so"]),
        (object(BpfOp::TestRun, "program 7", Errno::PERM), expect!["bpf(BPF_PROG_TEST_RUN) failed for program 7: EPERM (Operation not permitted). Before 5.19 this takes CAP_BPF unless kernel.unprivileged_bpf_disabled is 0"]),
        (object(BpfOp::TestRun, "program 7", Errno::NODEV), expect!["bpf(BPF_PROG_TEST_RUN) failed for program 7: ENODEV (No such device). The network namespace has no interface of the context's ingress_ifindex"]),
        (object(BpfOp::TestRun, "program 7", Errno::INTR), expect!["bpf(BPF_PROG_TEST_RUN) failed for program 7: EINTR (Interrupted system call). A signal came: only a part of the frames was made"]),
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
            expect!["bpf(BPF_OBJ_PIN) failed for /sys/fs/bpf/xsk/eth1-map: ENOENT (No such file or directory). The directory has to be there, in a BPF file system: mount that where it is missing (`mount -t bpf bpf /sys/fs/bpf`; `ip netns exec` has a `/sys` of its own without one), and make a directory in it (`mkdir -p`)"]),
        (object(BpfOp::Unpin, "/sys/fs/bpf/eth1", Errno::ACCESS),
            expect!["cannot unpin /sys/fs/bpf/eth1: EACCES (Permission denied). The pin belongs to another user: `chown` or `chmod` it, or run as root"]),
        (wrong("/sys/fs/bpf/eth1", ObjectKind::XdpLink),
            expect!["/sys/fs/bpf/eth1 is not a link of an XDP program"]),
        (wrong("/sys/fs/bpf/eth1-map", ObjectKind::XdpLink),
            expect!["/sys/fs/bpf/eth1-map is not a link of an XDP program. The path is that of the link; its map is pinned beside it, with `-map` behind the path"]),
        (wrong("program 7, whose map is 5,", ObjectKind::ProgramOfAttachment { map: 12 }),
            expect!["program 7, whose map is 5, is not a program over map 12, which the sockets are in. Load it for the map of the sockets: `Attachment::map`, or before a link is taken over that is pinned `Attachment::pinned_map`. One that only passes and drops is bound to the map (`Program::bind_map`, Linux 5.10)"]),
        (wrong("/sys/fs/bpf/other", ObjectKind::XskMap),
            expect!["/sys/fs/bpf/other is not a map of type XSKMAP with keys and values of four bytes"]),
        (wrong("program 7", ObjectKind::XdpProgram),
            expect!["program 7 is not an XDP program"]),
        (wrong(r#"program 7, attached to eth1 and without a map named "xsks_map","#, ObjectKind::ProgramWithMap),
            expect![[r#"program 7, attached to eth1 and without a map named "xsks_map", is not a program with a map of the name asked for"#]]),
        (wrong("the socket for slot 3", ObjectKind::SocketWithRxRing),
            expect!["the socket for slot 3 is not an AF_XDP socket with an RX ring. A socket that only sends is not registered: the kernel would take it, and may crash at the first packet"]),
        (assemble(AssemblyFault::Empty), expect!["the program is wrong: it has no instruction. A program has one instruction at least"]),
        (assemble(AssemblyFault::TooLong { instructions: 5000, limit: 4096 }), expect!["the program is wrong: it has 5000 instructions, and may have 4096. Kernels since 5.2 take a million instructions from a process with CAP_BPF, and 4096 from others, as do earlier kernels"]),
        (assemble(AssemblyFault::NotPlaced { at: 3, label: "label pass".to_owned() }), expect!["the program is wrong: instruction 3 goes to label pass, which was not placed. Call `Assembler::place` before the instruction that it is to go to is added"]),
        (assemble(AssemblyFault::PlacedTwice { label: "label 0".to_owned(), first: 1, second: 4 }), expect!["the program is wrong: label 0 was placed at instruction 1 and at instruction 4"]),
        (assemble(AssemblyFault::ForeignLabel { at: 2 }), expect!["the program is wrong: the label at instruction 2 is another assembler's. A label is used with the assembler that made it"]),
        (assemble(AssemblyFault::NotAJump { at: 2 }), expect!["the program is wrong: instruction 2 was given a label, and goes nowhere"]),
        (assemble(AssemblyFault::TooFar { at: 2, to: 40000 }), expect!["the program is wrong: the jump at instruction 2 does not reach instruction 40000. Jumps reach 32767 instructions forward and 32768 back. From Linux 6.6 on `Assembler::goto_long` reaches further, also for each `goto` after `Assembler::long_jumps`, and a conditional jump can skip one"]),
        (assemble(AssemblyFault::Outside { at: 2 }), expect!["the program is wrong: instruction 2 goes out of the program, or out of the function that it is in"]),
        (assemble(AssemblyFault::IntoHalf { at: 2, to: 5 }), expect!["the program is wrong: instruction 2 goes to instruction 5, the second half of a 16-byte load"]),
        (assemble(AssemblyFault::Half { at: 4 }), expect!["the program is wrong: instruction 4 is half of a 16-byte load without the other half"]),
        (assemble(AssemblyFault::FallsOff { at: 7 }), expect!["the program is wrong: it does not end after instruction 7, the last of the function. A function ends with `Insn::exit`, or with a jump to another part of it"]),
        (assemble(AssemblyFault::Unreachable { at: 6 }), expect!["the program is wrong: no way leads to instruction 6. The kernel refuses code that nothing leads to: leave it out"]),
        (assemble(AssemblyFault::Operand { at: 6, rule: "does not write to R10, the frame pointer" }), expect!["the program is wrong: instruction 6 is not possible: a possible one does not write to R10, the frame pointer"]),
        (assemble(AssemblyFault::NamesObject { at: 0 }), expect!["the program is wrong: instruction 0 names an object by a number that may be another's by now. Load a map with `Assembler::load_map`, and put another program's code in with `Assembler::add_code`"]),
        (assemble(AssemblyFault::Bytes { len: 12 }), expect!["the program is wrong: its 12 bytes are no multiple of eight, the length of an instruction"]),
        (load("xsk_filter", 90, "22: (0f) r4 += r5\nR5 has unknown scalar, prohibited for !root\n", Errno::ACCESS), expect![[r#"
            the kernel refused the program xsk_filter of 90 instructions: EACCES (Permission denied). This needs CAP_PERFMON: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd). The verifier said:
            22: (0f) r4 += r5
            R5 has unknown scalar, prohibited for !root"#]]),
        (load("xsk_filter", 900, "The total number of maps per program has reached the limit of 64\n", Errno::TOOBIG), expect![[r#"
            the kernel refused the program xsk_filter of 900 instructions: E2BIG (Argument list too long). A program takes 64 maps at the most: of sets of addresses, which have two each, and of ports together. The verifier said:
            The total number of maps per program has reached the limit of 64"#]]),
        (Error::LoadProgram {
            name: "bad".to_owned(),
            instructions: 2,
            log: "0: (bf) r0 = r7\nR7 !read_ok\n".to_owned(),
            refused_at: Some(0),
            listing: ">   0: (bf) r0 = r7\n    1: (95) exit\n".to_owned(),
            bound_to: None,
            errno: Errno::ACCESS,
        }, expect![[r#"
            the kernel refused the program bad of 2 instructions: EACCES (Permission denied). The verifier stopped at instruction 0:
            >   0: (bf) r0 = r7
                1: (95) exit
            The verifier said:
            0: (bf) r0 = r7
            R7 !read_ok"#]]),
    ]
}
