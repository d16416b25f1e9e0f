//! Texts of errors about interfaces, namespaces, attaching and detaching.

use super::Texts;
use crate::error::{AttachConflict, Error};
use crate::types::{AttachMethod, XdpMode};
use expect_test::expect;
use rustix::io::Errno;
use std::time::Duration;

#[test]
fn texts_are_as_pinned() {
    super::check(texts());
}

/// Returns the errors and their pinned texts.
// Not formatted: `UPDATE_EXPECT` does not find the texts where rustfmt puts them.
#[rustfmt::skip]
pub(super) fn texts() -> Texts {
    let interface = |name: &str, operation, errno, message: Option<&str>| Error::Interface {
        name: name.to_owned(),
        operation,
        errno,
        message: message.map(str::to_owned),
    };
    let netlink = |operation, errno| Error::Netlink { operation, errno };
    let namespace = |operation, errno| Error::Namespace { operation, errno };
    let attach = |mode, method, errno, message: Option<&str>| Error::Attach {
        interface: "eth1".to_owned(),
        mode,
        method,
        errno,
        message: message.map(str::to_owned),
    };
    let lock = |pid, uid| {
        let waited = Duration::from_millis(5003);
        Error::AttachLock { waited, errno: Errno::ADDRINUSE, pid, uid }
    };
    let marks = |pid, uid| Error::AttachMarks { marks: 1024, pid, uid, errno: Errno::ADDRINUSE };
    let detach = |mode, errno, message: Option<&str>| Error::Detach {
        interface: "eth1".to_owned(),
        mode,
        errno,
        message: message.map(str::to_owned),
    };
    let foreign = |mode, name: Option<&str>| Error::ForeignProgram {
        interface: "eth1".to_owned(),
        id: 42,
        name: name.map(str::to_owned),
        mode,
    };
    let other = |wanted: &str, conflict| Error::OtherAttachment {
        interface: "eth1".to_owned(),
        wanted: wanted.to_owned(),
        conflict,
    };
    vec![
        (interface("nope", "find", Errno::NODEV, None),
            expect!["cannot find interface nope: ENODEV (No such device). There is no such interface in this network namespace: `ip link` lists those that there are"]),
        (interface("bad/name", "find", Errno::INVAL, Some("an interface's name has no slash")),
            expect![[r#"cannot find interface bad/name: EINVAL (Invalid argument), "an interface's name has no slash""#]]),
        (interface("eth1", "bind to", Errno::XDEV, Some("the socket was made in another network namespace")),
            expect![[r#"cannot bind to interface eth1: EXDEV (Invalid cross-device link), "the socket was made in another network namespace". Make sockets and attachments in a thread that is in the namespace of the interface (`ip netns exec`, `nsenter --net`)"#]]),
        (interface("eth1", "set the MTU of", Errno::PERM, None),
            expect!["cannot set the MTU of interface eth1: EPERM (Operation not permitted). This needs CAP_NET_ADMIN in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (interface("eth1", "set the MTU of", Errno::INVAL, Some("mtu greater than device maximum.\n")),
            expect![[r#"cannot set the MTU of interface eth1: EINVAL (Invalid argument), "mtu greater than device maximum""#]]),
        (netlink("open a netlink socket", Errno::AFNOSUPPORT),
            expect!["cannot open a netlink socket: EAFNOSUPPORT (Address family not supported by protocol). A seccomp filter refuses the address family (containers have one; in systemd it is RestrictAddressFamilies=, which has to name AF_NETLINK and AF_UNIX)"]),
        (netlink("open a netlink socket", Errno::MFILE),
            expect!["cannot open a netlink socket: EMFILE (Too many open files). This process has too many open files: raise `ulimit -n`"]),
        (netlink("list interfaces", Errno::BADMSG),
            expect!["cannot list interfaces: EBADMSG (Bad message). This crate does not understand the kernel's answer: please report it, with the output of `uname -r`"]),
        (netlink("list interfaces", Errno::NOBUFS),
            expect!["cannot list interfaces: ENOBUFS (No buffer space available)"]),
        (namespace("unshare(CLONE_NEWNET)", Errno::PERM),
            expect!["cannot make or enter a network namespace: unshare(CLONE_NEWNET): EPERM (Operation not permitted). This needs CAP_SYS_ADMIN: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (namespace("unshare(CLONE_NEWNET)", Errno::NOSPC),
            expect!["cannot make or enter a network namespace: unshare(CLONE_NEWNET): ENOSPC (No space left on device). There are as many network namespaces as this user may have: `sysctl user.max_net_namespaces`"]),
        (namespace("setns(pidfd_open(), CLONE_NEWNET)", Errno::SRCH),
            expect!["cannot make or enter a network namespace: setns(pidfd_open(), CLONE_NEWNET): ESRCH (No such process)"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::PERM, None),
            expect!["cannot attach an XDP program to eth1 in native mode by netlink: EPERM (Operation not permitted). This needs CAP_NET_ADMIN in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::OPNOTSUPP, None),
            expect!["cannot attach an XDP program to eth1 in native mode by netlink: EOPNOTSUPP (Operation not supported). The driver of eth1 has no native XDP: use generic mode (`AttachMode::Generic`)"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::RANGE, Some("Peer MTU is too large to set XDP")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: ERANGE (Numerical result out of range), "Peer MTU is too large to set XDP". Often the MTU is too large for XDP in this driver: `ip link set dev eth1 mtu 1500` (on a veth, of its peer)"#]]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::INVAL, Some("MTU too large for XDP")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: EINVAL (Invalid argument), "MTU too large for XDP". Often the MTU is too large for XDP in this driver: `ip link set dev eth1 mtu 1500` (on a veth, of its peer)"#]]),
        (attach(XdpMode::Native, AttachMethod::Link, Errno::RANGE, None),
            expect!["cannot attach an XDP program to eth1 in native mode by link: ERANGE (Numerical result out of range). Often the MTU is too large for XDP in this driver: `ip link set dev eth1 mtu 1500` (on a veth, of its peer)"]),
        (attach(XdpMode::Native, AttachMethod::Link, Errno::INVAL, None),
            expect!["cannot attach an XDP program to eth1 in native mode by link: EINVAL (Invalid argument). Either eth1 is gone, or its driver refuses the program: attached by netlink it would say why"]),
        (attach(XdpMode::Generic, AttachMethod::Netlink, Errno::INVAL, None),
            expect!["cannot attach an XDP program to eth1 in generic mode by netlink: EINVAL (Invalid argument)"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::NOSPC, Some("XDP expects number of rx queues not less than peer tx queues")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: ENOSPC (No space left on device), "XDP expects number of rx queues not less than peer tx queues". eth1 needs as many receive queues as its peer has transmit queues: `ethtool -L eth1 rx N`"#]]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::BUSY, Some("Can't replace active BPF XDP link")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: EBUSY (Device or resource busy), "Can't replace active BPF XDP link". A program is attached already (`ip -d link show dev eth1`), maybe in another mode or by a link, which only its owner can detach"#]]),
        (attach(XdpMode::Generic, AttachMethod::Netlink, Errno::EXIST, Some("Native and generic XDP can't be active at the same time")),
            expect![[r#"cannot attach an XDP program to eth1 in generic mode by netlink: EEXIST (File exists), "Native and generic XDP can't be active at the same time". A program is attached already (`ip -d link show dev eth1`), maybe in another mode or by a link, which only its owner can detach"#]]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::NODEV, None),
            expect!["cannot attach an XDP program to eth1 in native mode by netlink: ENODEV (No such device). There is no such interface in this network namespace: `ip link` lists those that there are"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::NOMEM, None),
            expect!["cannot attach an XDP program to eth1 in native mode by netlink: ENOMEM (Cannot allocate memory). The kernel has no memory for it, or the limit of the control group is reached"]),
        (detach(XdpMode::Native, Errno::NODEV, None),
            expect!["cannot detach the XDP program from eth1 (native mode): ENODEV (No such device). There is no such interface in this network namespace: `ip link` lists those that there are"]),
        (detach(XdpMode::Native, Errno::PERM, None),
            expect!["cannot detach the XDP program from eth1 (native mode): EPERM (Operation not permitted). This needs CAP_NET_ADMIN in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (detach(XdpMode::Native, Errno::EXIST, Some("Active program does not match expected")),
            expect![[r#"cannot detach the XDP program from eth1 (native mode): EEXIST (File exists), "Active program does not match expected". Another program was attached in the meantime; it is left alone"#]]),
        (detach(XdpMode::Native, Errno::BUSY, Some("Can't replace active BPF XDP link")),
            expect![[r#"cannot detach the XDP program from eth1 (native mode): EBUSY (Device or resource busy), "Can't replace active BPF XDP link". It is attached by a link, which only its owner can detach: `bpftool link` shows it"#]]),
        (detach(XdpMode::Generic, Errno::IO, None),
            expect!["cannot detach the XDP program from eth1 (generic mode): EIO (Input/output error). By hand: `ip link set dev eth1 xdpgeneric off`"]),
        (detach(XdpMode::Hardware, Errno::IO, None),
            expect!["cannot detach the XDP program from eth1 (hardware mode): EIO (Input/output error). By hand: `ip link set dev eth1 xdpoffload off`"]),
        (foreign(XdpMode::Native, Some("xdp_dispatcher")),
            expect!["another XDP program is attached to eth1 in native mode: id 42, name xdp_dispatcher. It is left alone. If nobody needs it, detach it with `ip link set dev eth1 xdpdrv off`, or allow this program to replace it (`replace_foreign`)"]),
        (foreign(XdpMode::Generic, None),
            expect!["another XDP program is attached to eth1 in generic mode: id 42. It is left alone. If nobody needs it, detach it with `ip link set dev eth1 xdpgeneric off`, or allow this program to replace it (`replace_foreign`)"]),
        (foreign(XdpMode::Hardware, None),
            expect!["another XDP program is attached to eth1 in hardware mode: id 42. It is left alone. If nobody needs it, detach it with `ip link set dev eth1 xdpoffload off`, or allow this program to replace it (`replace_foreign`)"]),
        (other("native mode by netlink", AttachConflict::OtherMode { mode: XdpMode::Native, method: AttachMethod::Link }),
            expect!["eth1: wanted native mode by netlink, found native mode by link. Ask for what is there, or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (other("program 42 in native mode", AttachConflict::NoProgram),
            expect!["eth1: wanted program 42 in native mode, found no program. Nothing is attached there, or somebody detached it: attach again, and register the sockets again"]),
        (other("a program on eth0", AttachConflict::OtherInterface { name: "eth1".to_owned() }),
            expect!["eth1: wanted a program on eth0, found one on eth1. Register the socket with an attachment on its own interface"]),
        (other("a program on eth1", AttachConflict::OtherNamespace { name: "eth1".to_owned() }),
            expect!["eth1: wanted a program on eth1, found one on eth1 of another network namespace. Register the socket with an attachment on its own interface"]),
        (other("program 42 in native mode", AttachConflict::OtherProgram { id: 7, mode: XdpMode::Generic }),
            expect!["eth1: wanted program 42 in native mode, found program 7 in generic mode. Ask for what is there, or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (other("any mode by netlink", AttachConflict::ProgramGone),
            expect!["eth1: wanted any mode by netlink, found a program that has just gone. Ask for what is there, or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (other("any mode by link", AttachConflict::ProgramReplaced),
            expect!["eth1: wanted any mode by link, found a program that came right after ours. Ask for what is there, or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (other("native mode by link", AttachConflict::SeveralNamespaces),
            expect!["eth1: wanted native mode by link, found that very program, by links in several network namespaces, which cannot be told apart. Ask for what is there, or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (lock(None, None), expect!["another process or thread has held the lock of this interface's XDP attachments for 5003 ms: EADDRINUSE (Address already in use). It attaches or detaches, or hangs while doing so: `ss -xap | grep xsk` shows the lock and who has it; the kernel frees it when that process ends"]),
        (lock(Some(4711), Some(0)), expect!["process 4711 (user 0) has held the lock of this interface's XDP attachments for 5003 ms: EADDRINUSE (Address already in use). It attaches or detaches, or hangs while doing so: `ss -xap | grep xsk` shows the lock and who has it; the kernel frees it when that process ends"]),
        (lock(Some(4711), Some(65_533)), expect!["process 4711 (user 65533) has held the lock of this interface's XDP attachments for 5003 ms: EADDRINUSE (Address already in use). Unless it runs with capabilities of its own, a process of user 65533 has no business there: as root, `ss -xap | grep xsk` shows what it holds, and `kill 4711` ends it"]),
        (lock(None, Some(65_533)), expect!["a process of user 65533 has held the lock of this interface's XDP attachments for 5003 ms: EADDRINUSE (Address already in use). Unless it runs with capabilities of its own, a process of user 65533 has no business there: as root, `ss -xap | grep xsk` shows what it holds, and `kill PID` ends it"]),
        (marks(None, None), expect!["cannot mark the program as used: another process or thread has one of its 1024 marks, and none is free: EADDRINUSE (Address already in use). Each attachment has one: close what is not needed; `ss -xap | grep xsk` shows them and who has them"]),
        (marks(Some(4711), None), expect!["cannot mark the program as used: process 4711 has one of its 1024 marks, and none is free: EADDRINUSE (Address already in use). Each attachment has one: close what is not needed; `ss -xap | grep xsk` shows them and who has them"]),
        (marks(Some(4711), Some(65_533)), expect!["cannot mark the program as used: process 4711 (user 65533) has one of its 1024 marks, and none is free: EADDRINUSE (Address already in use). Unless it runs with capabilities of its own, a process of user 65533 has no business there: as root, `ss -xap | grep xsk` shows what it holds, and `kill 4711` ends it"]),
    ]
}
