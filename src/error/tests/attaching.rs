//! Texts of errors about interfaces, namespaces, attaching and detaching.

use super::Texts;
use crate::error::{AttachConflict, Error};
use crate::types::{AttachMethod, ChainActions, Dispatcher, DispatcherComponent, XdpMode};
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
        mtu: None,
        rx_queues: None,
    };
    let attach_at = |method, errno, mtu, rx_queues| {
        let interface = "a;$(id)".to_owned();
        let (mode, message) = (XdpMode::Native, None);
        let (mtu, rx_queues) = (Some(mtu), Some(rx_queues));
        Error::Attach { interface, mode, method, errno, message, mtu, rx_queues }
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
    let held = |mode, name: Option<&str>, method, link| Error::ForeignProgram {
        interface: "eth1".to_owned(),
        id: 42,
        name: name.map(str::to_owned),
        mode,
        method,
        link,
        dispatcher: None,
    };
    let foreign = |mode, name| held(mode, name, AttachMethod::Netlink, None);
    let mut component = DispatcherComponent::new(0, 50, ChainActions::from_bits(4), Some(0));
    component.name = Some("xdp_pass".to_owned());
    let mut nameless = DispatcherComponent::new(1, 60, ChainActions::from_bits(4), Some(0));
    let mut chain = vec![component, nameless.clone()];
    nameless.id = Some(77);
    chain.push(nameless);
    let dispatching = |interface: &str, method, components| Error::ForeignProgram {
        interface: interface.to_owned(),
        id: 42,
        name: Some("xdp_dispatcher".to_owned()),
        mode: XdpMode::Native,
        method,
        link: None,
        dispatcher: Some(Dispatcher::new(2, None, components)),
    };
    let hidden = |interface: &str, mode, method, in_use| Error::HiddenProgram {
        interface: interface.to_owned(),
        id: 8785,
        mode,
        method,
        in_use,
        errno: Errno::PERM,
    };
    let other = |wanted: &str, conflict| Error::OtherAttachment {
        interface: "eth1".to_owned(),
        wanted: wanted.to_owned(),
        conflict,
    };
    let bond = |members: &[&str]| Error::NativeBond {
        interface: "bond0".to_owned(),
        members: members.iter().map(|name| (*name).to_owned()).collect(),
    };
    vec![
        (bond(&["eth1", "eth2"]),
            expect!["cannot attach to bond bond0 in native mode: what its program redirects comes to sockets of its members only (eth1, eth2). Attach and bind to each member, which is quicker; or use generic mode on the bond (`AttachMode::Generic`)"]),
        (bond(&[]),
            expect!["cannot attach to bond bond0 in native mode: what its program redirects comes to sockets of its members only, and it has none. Attach and bind to each member, which is quicker; or use generic mode on the bond (`AttachMode::Generic`)"]),
        (interface("eth1", "receive the packets to all addresses on", Errno::PERM, None),
            expect!["cannot receive the packets to all addresses on interface eth1: EPERM (Operation not permitted). This needs CAP_NET_RAW in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (interface("eth1", "receive the packets to a multicast address on", Errno::AFNOSUPPORT, None),
            expect!["cannot receive the packets to a multicast address on interface eth1: EAFNOSUPPORT (Address family not supported by protocol). This kernel has no packet sockets (CONFIG_PACKET; the module is af_packet), or a seccomp filter refuses the address family (containers have one; in systemd it is RestrictAddressFamilies=, which has to name AF_PACKET)"]),
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
        (namespace("ioctl(SIOCGSKNS)", Errno::PERM),
            expect!["cannot make or enter a network namespace: ioctl(SIOCGSKNS): EPERM (Operation not permitted). This needs CAP_NET_ADMIN in the user namespace that owns the network namespace. Root of another user namespace (a rootless container, `unshare --user`) has it only in a network namespace of its own: `unshare --user --map-root-user --net`. Otherwise, run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (namespace("unshare(CLONE_NEWNET)", Errno::NOSPC),
            expect!["cannot make or enter a network namespace: unshare(CLONE_NEWNET): ENOSPC (No space left on device). There are as many network namespaces as this user may have: `sysctl user.max_net_namespaces`"]),
        (namespace("setns(pidfd_open(), CLONE_NEWNET)", Errno::SRCH),
            expect!["cannot make or enter a network namespace: setns(pidfd_open(), CLONE_NEWNET): ESRCH (No such process)"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::PERM, None),
            expect!["cannot attach an XDP program to eth1 in native mode by netlink: EPERM (Operation not permitted). This needs CAP_NET_ADMIN in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::OPNOTSUPP, None),
            expect!["cannot attach an XDP program to eth1 in native mode by netlink: EOPNOTSUPP (Operation not supported). The driver of eth1 has no native XDP: use generic mode (`AttachMode::Generic`)"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::RANGE, Some("Peer MTU is too large to set XDP")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: ERANGE (Numerical result out of range), "Peer MTU is too large to set XDP". Set a smaller MTU at the other end of the cable: `ip link set dev PEER mtu 1500`. Or take longer packets in several frames (`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or `ProgramBuilder::frags`). Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"#]]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::INVAL, Some("MTU too large for XDP")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: EINVAL (Invalid argument), "MTU too large for XDP". Set a smaller MTU (`ip link set dev eth1 mtu 1500`); on a veth, at its peer. Or take longer packets in several frames (`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or `ProgramBuilder::frags`). Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"#]]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::INVAL, Some("XDP not supported with LRO")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: EINVAL (Invalid argument), "XDP not supported with LRO". Use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"#]]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::INVAL, Some("Program bound to different device")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: EINVAL (Invalid argument), "Program bound to different device". The program was loaded for another interface (`MetadataProgram::load`, `ProgramBuilder::bound_to`): load it anew for this one"#]]),
        (attach(XdpMode::Generic, AttachMethod::Netlink, Errno::INVAL, Some("Can't attach device-bound programs in generic mode")),
            expect![[r#"cannot attach an XDP program to eth1 in generic mode by netlink: EINVAL (Invalid argument), "Can't attach device-bound programs in generic mode". A program that is bound to an interface (`MetadataProgram::load`, `ProgramBuilder::bound_to`) runs in native mode only: ask for it (`AttachMode::Native`); the error then says what the driver has against it, if anything"#]]),
        (attach_at(AttachMethod::Netlink, Errno::RANGE, 9000, 4),
            expect!["cannot attach an XDP program to a;$(id) in native mode by netlink: ERANGE (Numerical result out of range). Likely an MTU is too large for native XDP here. The MTU of 'a;$(id)' is 9000: set a smaller one (`ip link set dev 'a;$(id)' mtu 1500`); on a veth, at its peer. Or take longer packets in several frames (`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or `ProgramBuilder::frags`). Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"]),
        (attach_at(AttachMethod::Link, Errno::RANGE, 1500, 4),
            expect!["cannot attach an XDP program to a;$(id) in native mode by link: ERANGE (Numerical result out of range). Likely an MTU is too large for native XDP here. The MTU of 'a;$(id)' is 1500; on a veth the peer's counts: set a smaller one there (`ip link set dev PEER mtu 1500`). Or take longer packets in several frames (`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or `ProgramBuilder::frags`). For a link the kernel passes on no reason: with `AttachMethod::Netlink` the error has the driver's own words. Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"]),
        (attach_at(AttachMethod::Link, Errno::INVAL, 9000, 4),
            expect!["cannot attach an XDP program to a;$(id) in native mode by link: EINVAL (Invalid argument). The driver refuses the program, likely for the MTU (9000; on a veth, the peer's counts), the number of queues (rx 4; `ethtool -l 'a;$(id)'`); or 'a;$(id)' is gone, or the program is bound to another interface. Or take longer packets in several frames (`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or `ProgramBuilder::frags`). For a link the kernel passes on no reason: with `AttachMethod::Netlink` the error has the driver's own words. Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"]),
        (attach_at(AttachMethod::Link, Errno::TOOBIG, 1500, 4),
            expect!["cannot attach an XDP program to a;$(id) in native mode by link: E2BIG (Argument list too long). The driver refuses the program, likely for the number of queues (rx 4; `ethtool -l 'a;$(id)'`), the MTU (1500; on a veth, the peer's counts); or 'a;$(id)' is gone, or the program is bound to another interface. For a link the kernel passes on no reason: with `AttachMethod::Netlink` the error has the driver's own words. Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"]),
        (attach_at(AttachMethod::Link, Errno::NOSPC, 1500, 1),
            expect!["cannot attach an XDP program to a;$(id) in native mode by link: ENOSPC (No space left on device). 'a;$(id)' needs as many receive queues as its peer has transmit queues (rx 1; `ethtool -L 'a;$(id)' rx N`). For a link the kernel passes on no reason: with `AttachMethod::Netlink` the error has the driver's own words. Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"]),
        (attach(XdpMode::Native, AttachMethod::Link, Errno::RANGE, None),
            expect!["cannot attach an XDP program to eth1 in native mode by link: ERANGE (Numerical result out of range). Likely an MTU is too large for native XDP here. Set a smaller MTU (`ip link set dev eth1 mtu 1500`); on a veth, at its peer. Or take longer packets in several frames (`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or `ProgramBuilder::frags`). For a link the kernel passes on no reason: with `AttachMethod::Netlink` the error has the driver's own words. Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"]),
        (attach(XdpMode::Native, AttachMethod::Link, Errno::INVAL, None),
            expect!["cannot attach an XDP program to eth1 in native mode by link: EINVAL (Invalid argument). The driver refuses the program, likely for the number of queues (`ethtool -l eth1`), the MTU (on a veth, the peer's counts); or eth1 is gone, or the program is bound to another interface. For a link the kernel passes on no reason: with `AttachMethod::Netlink` the error has the driver's own words. Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"]),
        (attach(XdpMode::Generic, AttachMethod::Link, Errno::INVAL, None), expect!["cannot attach an XDP program to eth1 in generic mode by link: EINVAL (Invalid argument). Perhaps eth1 is gone, or the program is bound to an interface (it runs in native mode then). For a link the kernel passes on no reason: with `AttachMethod::Netlink` the error has the driver's own words"]),
        (attach(XdpMode::Generic, AttachMethod::Netlink, Errno::INVAL, None),
            expect!["cannot attach an XDP program to eth1 in generic mode by netlink: EINVAL (Invalid argument)"]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::NOSPC, Some("XDP expects number of rx queues not less than peer tx queues")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: ENOSPC (No space left on device), "XDP expects number of rx queues not less than peer tx queues". eth1 needs as many receive queues as its peer has transmit queues (`ethtool -L eth1 rx N`). Or use generic mode (`AttachMode::Generic`), whose largest packet is the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)"#]]),
        (attach(XdpMode::Native, AttachMethod::Netlink, Errno::BUSY, Some("Can't replace active BPF XDP link")),
            expect![[r#"cannot attach an XDP program to eth1 in native mode by netlink: EBUSY (Device or resource busy), "Can't replace active BPF XDP link". A program is attached already (`ip -d link show dev eth1`): in another mode, by a link (`bpftool link`), or to the bond or bridge that it belongs to"#]]),
        (attach(XdpMode::Generic, AttachMethod::Netlink, Errno::EXIST, Some("Native and generic XDP can't be active at the same time")),
            expect![[r#"cannot attach an XDP program to eth1 in generic mode by netlink: EEXIST (File exists), "Native and generic XDP can't be active at the same time". A program is attached already (`ip -d link show dev eth1`): in another mode, by a link (`bpftool link`), or to the bond or bridge that it belongs to"#]]),
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
            expect![[r#"cannot detach the XDP program from eth1 (native mode): EBUSY (Device or resource busy), "Can't replace active BPF XDP link". A link holds it, and only its owner can close that: `bpftool link` shows it, `bpftool link detach id N` detaches it"#]]),
        (detach(XdpMode::Native, Errno::NOTUNIQ, None),
            expect!["cannot detach the XDP program from eth1 (native mode): ENOTUNIQ (Name not unique on network). By hand: `bpftool link detach id N`"]),
        (detach(XdpMode::Generic, Errno::IO, None),
            expect!["cannot detach the XDP program from eth1 (generic mode): EIO (Input/output error). By hand: `ip link set dev eth1 xdpgeneric off`"]),
        (detach(XdpMode::Hardware, Errno::IO, None),
            expect!["cannot detach the XDP program from eth1 (hardware mode): EIO (Input/output error). By hand: `ip link set dev eth1 xdpoffload off`"]),
        (foreign(XdpMode::Native, Some("xdp_dispatcher")),
            expect!["another XDP program is attached to eth1 in native mode: id 42, name xdp_dispatcher. It is left alone. If nothing needs it, detach it with `ip link set dev eth1 xdpdrv off`, or allow this program to replace it (`replace_foreign`), or, if a process of this program left it that was killed, take it over (`take_over`)"]),
        (dispatching("eth1", AttachMethod::Netlink, Some(chain[..1].to_vec())),
            expect!["another XDP program is attached to eth1 in native mode: id 42, name xdp_dispatcher, libxdp's dispatcher with xdp_pass (priority 50). It is left alone. If nothing needs it, detach it with `xdp-loader unload eth1 --all`, or allow this program to replace it (`replace_foreign`)"]),
        (dispatching("a;$(id)", AttachMethod::Netlink, Some(chain)),
            expect!["another XDP program is attached to a;$(id) in native mode: id 42, name xdp_dispatcher, libxdp's dispatcher with xdp_pass (priority 50), an unknown program (priority 60), program 77 (priority 60). It is left alone. If nothing needs it, detach it with `xdp-loader unload 'a;$(id)' --all`, or allow this program to replace it (`replace_foreign`)"]),
        (dispatching("eth1", AttachMethod::Link, Some(Vec::new())),
            expect!["another XDP program is attached to eth1 in native mode: id 42, name xdp_dispatcher, libxdp's dispatcher without programs, held by a link. It is left alone. If nothing needs it, end the processes that hold its link (`bpftool link`), or detach it with `bpftool link detach id N`, or allow this program to replace it (`replace_foreign`)"]),
        (dispatching("eth1", AttachMethod::Netlink, None),
            expect!["another XDP program is attached to eth1 in native mode: id 42, name xdp_dispatcher, libxdp's dispatcher of version 2, whose chain is not known. It is left alone. If nothing needs it, detach it with `xdp-loader unload eth1 --all`, or allow this program to replace it (`replace_foreign`)"]),
        (foreign(XdpMode::Generic, None),
            expect!["another XDP program is attached to eth1 in generic mode: id 42. It is left alone. If nothing needs it, detach it with `ip link set dev eth1 xdpgeneric off`, or allow this program to replace it (`replace_foreign`), or, if a process of this program left it that was killed, take it over (`take_over`)"]),
        (foreign(XdpMode::Hardware, None),
            expect!["another XDP program is attached to eth1 in hardware mode: id 42. It is left alone. If nothing needs it, detach it with `ip link set dev eth1 xdpoffload off`, or allow this program to replace it (`replace_foreign`), or, if a process of this program left it that was killed, take it over (`take_over`)"]),
        (held(XdpMode::Native, Some("firewall"), AttachMethod::Link, Some(7)),
            expect!["another XDP program is attached to eth1 in native mode: id 42, name firewall, held by link 7. It is left alone. If nothing needs it, end the processes that hold its link (`bpftool link`), or detach it with `bpftool link detach id 7`, or allow this program to replace it (`replace_foreign`)"]),
        (held(XdpMode::Generic, None, AttachMethod::Link, None),
            expect!["another XDP program is attached to eth1 in generic mode: id 42, held by a link. It is left alone. If nothing needs it, end the processes that hold its link (`bpftool link`), or detach it with `bpftool link detach id N`, or allow this program to replace it (`replace_foreign`)"]),
        (hidden("eth1", XdpMode::Native, AttachMethod::Netlink, false),
            expect!["program 8785 is attached to eth1 in native mode by netlink, and this process may not look at it: EPERM (Operation not permitted). A process that was killed may have left it behind; to take it over takes CAP_SYS_ADMIN in the initial user namespace (CAP_BPF is not enough). If nothing needs it, detach it with `ip link set dev eth1 xdpdrv off`, or allow this program to replace it (`replace_foreign`). A program attached by link (`AttachMethod::Link`) is not left behind"]),
        (hidden("a;b", XdpMode::Generic, AttachMethod::Netlink, false),
            expect!["program 8785 is attached to a;b in generic mode by netlink, and this process may not look at it: EPERM (Operation not permitted). A process that was killed may have left it behind; to take it over takes CAP_SYS_ADMIN in the initial user namespace (CAP_BPF is not enough). If nothing needs it, detach it with `ip link set dev 'a;b' xdpgeneric off`, or allow this program to replace it (`replace_foreign`). A program attached by link (`AttachMethod::Link`) is not left behind"]),
        (hidden("eth1", XdpMode::Native, AttachMethod::Netlink, true),
            expect!["program 8785 is attached to eth1 in native mode by netlink, and this process may not look at it: EPERM (Operation not permitted). Processes have it in use; to join them takes CAP_SYS_ADMIN in the initial user namespace (CAP_BPF is not enough). Without it, use the program's map from a pin or a descriptor (`Attachment::with_map`)"]),
        (hidden("eth1", XdpMode::Native, AttachMethod::Link, false),
            expect!["program 8785 is attached to eth1 in native mode by link, and this process may not look at it: EPERM (Operation not permitted). To join its users takes CAP_SYS_ADMIN in the initial user namespace (CAP_BPF is not enough). Without it, use the program's map from a pin or a descriptor (`Attachment::with_map`). The program goes when the processes end that hold the link"]),
        (other("native mode by netlink", AttachConflict::OtherMode { mode: XdpMode::Native, method: AttachMethod::Link }),
            expect!["eth1: wanted native mode by netlink, found native mode by link. Ask for what is there (`AttachMode::Native`, `AttachMethod::Link`), or for no mode and no method, which joins any; or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (other("native mode", AttachConflict::OtherMode { mode: XdpMode::Generic, method: AttachMethod::Netlink }),
            expect!["eth1: wanted native mode, found generic mode by netlink. Ask for what is there (`AttachMode::Generic`, `AttachMethod::Netlink`), or for no mode and no method, which joins any; or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (other("any mode by link", AttachConflict::OtherMode { mode: XdpMode::Hardware, method: AttachMethod::Netlink }),
            expect!["eth1: wanted any mode by link, found hardware mode by netlink. Ask for what is there (`AttachMethod::Netlink`), or for no mode and no method, which joins any; or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (other("program 42 in native mode", AttachConflict::NoProgram),
            expect!["eth1: wanted program 42 in native mode, found no program. Nothing is attached there, or something detached it: attach again, and register the sockets again"]),
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
            expect!["eth1: wanted native mode by link, found that very program, by links in several network namespaces, which cannot be distinguished. Ask for what is there, or end the processes that use it (`ip -d link show dev eth1`, `bpftool net`)"]),
        (other("program 8 in place of program 7", AttachConflict::OtherUsers { id: 7 }),
            expect!["eth1: wanted program 8 in place of program 7, found program 7, which has other users. A program that netlink holds is replaced by its only user, because the others know it by its id: close their attachments first, or attach by a link (`AttachMethod::Link`), whose users all may replace the program"]),
        (other("program 8 in place of program 7", AttachConflict::OthersProgram { id: 7 }),
            expect!["eth1: wanted program 8 in place of program 7, found program 7, which belongs to other processes. Replace it in the process that attached it"]),
        (other("any mode by the link", AttachConflict::OtherLink { id: 7, ifindex: 3 }),
            expect!["eth1: wanted any mode by the link, found a link of program 7 on the interface with the index 3. Take another path or descriptor for each interface: `ip link` shows the indices, `bpftool link show` the links. A pin that is not needed any more is removed with `rm`"]),
        (other("any mode by the link", AttachConflict::OtherLink { id: 7, ifindex: 0 }),
            expect!["eth1: wanted any mode by the link, found a link of program 7 that is on no interface any more. Take another path or descriptor for each interface: `ip link` shows the indices, `bpftool link show` the links. A pin that is not needed any more is removed with `rm`"]),
        (lock(None, None), expect!["another process or thread has held the lock of this interface's XDP attachments for 5003 ms: EADDRINUSE (Address already in use). It attaches or detaches, or hangs while doing so: `ss -xap | grep xsk` shows the lock and who has it; the kernel frees it when that process ends"]),
        (lock(Some(4711), Some(0)), expect!["process 4711 (user 0) has held the lock of this interface's XDP attachments for 5003 ms: EADDRINUSE (Address already in use). It attaches or detaches, or hangs while doing so: `ss -xap | grep xsk` shows the lock and who has it; the kernel frees it when that process ends"]),
        (lock(Some(4711), Some(65_533)), expect!["process 4711 (user 65533) has held the lock of this interface's XDP attachments for 5003 ms: EADDRINUSE (Address already in use). Unless it runs with capabilities of its own, a process of user 65533 has no business there: as root, `ss -xap | grep xsk` shows what it holds, and `kill 4711` ends it"]),
        (lock(None, Some(65_533)), expect!["a process of user 65533 has held the lock of this interface's XDP attachments for 5003 ms: EADDRINUSE (Address already in use). Unless it runs with capabilities of its own, a process of user 65533 has no business there: as root, `ss -xap | grep xsk` shows what it holds, and `kill PID` ends it"]),
        (marks(None, None), expect!["cannot mark the program as used: another process or thread has one of its 1024 marks, and none is free: EADDRINUSE (Address already in use). Each attachment has one: close what is not needed; `ss -xap | grep xsk` shows them and who has them"]),
        (marks(Some(4711), None), expect!["cannot mark the program as used: process 4711 has one of its 1024 marks, and none is free: EADDRINUSE (Address already in use). Each attachment has one: close what is not needed; `ss -xap | grep xsk` shows them and who has them"]),
        (marks(Some(4711), Some(65_533)), expect!["cannot mark the program as used: process 4711 (user 65533) has one of its 1024 marks, and none is free: EADDRINUSE (Address already in use). Unless it runs with capabilities of its own, a process of user 65533 has no business there: as root, `ss -xap | grep xsk` shows what it holds, and `kill 4711` ends it"]),
    ]
}
