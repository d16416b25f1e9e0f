//! Texts of errors about sockets, their rings, and binding.

use super::Texts;
use crate::error::{Error, QueueHolder};
use crate::types::{CopyMode, RingKind};
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
    let bind = |queue, queues, copy, errno| Error::Bind {
        interface: "eth1".to_owned(),
        queue,
        queues,
        copy,
        shared_with: None,
        multi_buffer: false,
        waited: Duration::from_millis(2001),
        holder: None,
        errno,
    };
    let shared = |with: (&str, u32), queues, errno| Error::Bind {
        interface: "eth1".to_owned(),
        queue: 1,
        queues,
        copy: CopyMode::Auto,
        shared_with: Some((with.0.to_owned(), with.1)),
        multi_buffer: false,
        waited: Duration::ZERO,
        holder: None,
        errno,
    };
    let held = |inode, uid, pid| {
        let mut error = bind(0, Some(2), CopyMode::Copy, Errno::BUSY);
        if let Error::Bind { holder, .. } = &mut error {
            *holder = Some(QueueHolder::new(inode, uid, pid));
        }
        error
    };
    let several = |mut error: Error| {
        if let Error::Bind { multi_buffer, .. } = &mut error {
            *multi_buffer = true;
        }
        error
    };
    let create_ring = |ring, errno| Error::CreateRing {
        ring,
        entries: 4096,
        errno,
    };
    let map_ring = |ring, errno| Error::MapRing {
        ring,
        bytes: 33_088,
        errno,
    };
    vec![
        (Error::CreateSocket { errno: Errno::PERM },
            expect!["cannot make an AF_XDP socket: EPERM (Operation not permitted). This needs CAP_NET_RAW in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (Error::CreateSocket { errno: Errno::AFNOSUPPORT },
            expect!["cannot make an AF_XDP socket: EAFNOSUPPORT (Address family not supported by protocol). This kernel is built without CONFIG_XDP_SOCKETS, or a seccomp filter refuses the address family (containers have one; in systemd it is RestrictAddressFamilies=, which has to name AF_XDP)"]),
        (Error::CreateSocket { errno: Errno::MFILE },
            expect!["cannot make an AF_XDP socket: EMFILE (Too many open files). This process has too many open files: raise `ulimit -n`"]),
        (Error::CreateSocket { errno: Errno::NFILE },
            expect!["cannot make an AF_XDP socket: ENFILE (Too many open files in system). The whole system has too many open files: raise `sysctl fs.file-max`"]),
        (Error::CreateSocket { errno: Errno::NOMEM },
            expect!["cannot make an AF_XDP socket: ENOMEM (Cannot allocate memory). The kernel has no memory for it, or the limit of the control group is reached"]),
        (create_ring(RingKind::Rx, Errno::NOMEM),
            expect!["cannot make the RX ring of 4096 entries: ENOMEM (Cannot allocate memory). The kernel has no memory for it; before 6.3 a ring must lie in contiguous pages: ask for fewer entries"]),
        (create_ring(RingKind::Fill, Errno::INVAL),
            expect!["cannot make the fill ring of 4096 entries: EINVAL (Invalid argument). Something else has used the socket since it was opened: it was handed over to two processes, or twice. Open a new one"]),
        (map_ring(RingKind::Tx, Errno::BUSY),
            expect!["cannot map the TX ring (33088 bytes): EBUSY (Device or resource busy). Before Linux 6.4 a ring cannot be mapped after bind"]),
        (map_ring(RingKind::Completion, Errno::NOMEM),
            expect!["cannot map the completion ring (33088 bytes): ENOMEM (Cannot allocate memory). The kernel has no memory for it, or the limit of the control group is reached"]),
        (bind(2, Some(2), CopyMode::Auto, Errno::INVAL),
            expect!["cannot bind to eth1 queue 2 (zero-copy if possible): EINVAL (Invalid argument). eth1 has 2 queue(s), numbered from 0 (`ethtool -l eth1`)"]),
        (bind(2, None, CopyMode::Auto, Errno::INVAL),
            expect!["cannot bind to eth1 queue 2 (zero-copy if possible): EINVAL (Invalid argument). Does eth1 have this queue (`ethtool -l eth1`)? Before Linux 5.4 the kernel also refuses need-wakeup: switch it off"]),
        (bind(0, Some(2), CopyMode::Copy, Errno::INVAL),
            expect!["cannot bind to eth1 queue 0 (copy): EINVAL (Invalid argument). Does eth1 have this queue (`ethtool -l eth1`)? Before Linux 5.4 the kernel also refuses need-wakeup: switch it off"]),
        (bind(0, Some(2), CopyMode::ZeroCopy, Errno::INVAL),
            expect!["cannot bind to eth1 queue 0 (zero-copy): EINVAL (Invalid argument). The driver refused zero-copy with these settings (chunk size, headroom, MTU, or a virtio card without iommu_platform): try copy mode (`CopyMode::Copy`)"]),
        (bind(0, Some(2), CopyMode::ZeroCopy, Errno::OPNOTSUPP),
            expect!["cannot bind to eth1 queue 0 (zero-copy): EOPNOTSUPP (Operation not supported). The driver of eth1 has no zero-copy (or not for this queue): ask for copy mode (`CopyMode::Copy`), or leave the choice open"]),
        (several(bind(0, Some(2), CopyMode::ZeroCopy, Errno::OPNOTSUPP)),
            expect!["cannot bind to eth1 queue 0 (zero-copy): EOPNOTSUPP (Operation not supported). The driver of eth1 has no zero-copy (or not for this queue, or not for packets of several frames): ask for copy mode (`CopyMode::Copy`), or leave the choice open"]),
        (several(shared(("eth2", 0), Some(2), Errno::OPNOTSUPP)),
            expect!["cannot bind to eth1 queue 1 (over the packet memory of eth2 queue 0): EOPNOTSUPP (Operation not supported). The other socket is in zero-copy mode, and this driver has none (or not for this queue, or not for packets of several frames): bind the other one in copy mode (`CopyMode::Copy`), or make this one with `Socket::builder`, which registers the memory once more and has a mode of its own"]),
        (bind(0, Some(2), CopyMode::Auto, Errno::BUSY),
            expect!["cannot bind to eth1 queue 0 (zero-copy if possible): EBUSY (Device or resource busy), after 2001 ms of trying. Another socket has this queue: one of another process, one of this process of which a part is not dropped yet, or one closed just now that the kernel has not let go of. `ss -f xdp -e` shows sockets and their queues, where the kernel has CONFIG_XDP_SOCKETS_DIAG"]),
        (bind(0, None, CopyMode::Auto, Errno::NODEV),
            expect!["cannot bind to eth1 queue 0 (zero-copy if possible): ENODEV (No such device). eth1 is gone, or is in another network namespace than the socket, which is the one of the thread that made it"]),
        (bind(0, Some(2), CopyMode::Auto, Errno::NETDOWN),
            expect!["cannot bind to eth1 queue 0 (zero-copy if possible): ENETDOWN (Network is down). eth1 is down: `ip link set dev eth1 up`"]),
        (bind(0, Some(2), CopyMode::ZeroCopy, Errno::NOMEM),
            expect!["cannot bind to eth1 queue 0 (zero-copy): ENOMEM (Cannot allocate memory). The kernel has no memory for it, or the limit of the control group is reached"]),
        (held(4711, Some(1000), Some(1)),
            expect!["cannot bind to eth1 queue 0 (copy): EBUSY (Device or resource busy), after 2001 ms of trying. Another socket has this queue, that of process 1 of user 1000 (socket inode 4711): end that process (`kill 1`), or take another queue"]),
        (held(4711, Some(1000), None),
            expect!["cannot bind to eth1 queue 0 (copy): EBUSY (Device or resource busy), after 2001 ms of trying. Another socket has this queue, that of a process of user 1000 (socket inode 4711): `ss -f xdp -ep` shows it to root, with the process; or take another queue"]),
        (held(4711, None, Some(std::process::id())),
            expect!["cannot bind to eth1 queue 0 (copy): EBUSY (Device or resource busy), after 2001 ms of trying. Another socket has this queue, that of this process (socket inode 4711), of which a part is not dropped yet: drop it, or let both share the queue (`share_queue`)"]),
        (shared(("eth1", 1), Some(2), Errno::BUSY),
            expect!["cannot bind to eth1 queue 1 (over the packet memory of eth1 queue 1): EBUSY (Device or resource busy). That is the queue of the socket whose packet memory is shared: another socket on it comes from `share_queue`"]),
        (shared(("eth1", 0), Some(2), Errno::BUSY),
            expect!["cannot bind to eth1 queue 1 (over the packet memory of eth1 queue 0): EBUSY (Device or resource busy). Another socket has this queue: one of another process, one of this process of which a part is not dropped yet, or one closed just now that the kernel has not let go of. `ss -f xdp -e` shows sockets and their queues, where the kernel has CONFIG_XDP_SOCKETS_DIAG"]),
        (shared(("eth2", 0), Some(2), Errno::OPNOTSUPP),
            expect!["cannot bind to eth1 queue 1 (over the packet memory of eth2 queue 0): EOPNOTSUPP (Operation not supported). The other socket is in zero-copy mode, and this driver has none (or not for this queue): bind the other one in copy mode (`CopyMode::Copy`), or make this one with `Socket::builder`, which registers the memory once more and has a mode of its own"]),
        (shared(("eth2", 0), Some(2), Errno::BADF),
            expect!["cannot bind to eth1 queue 1 (over the packet memory of eth2 queue 0): EBADF (Bad file descriptor). The other socket is bound no more: its interface is gone, or was moved to another network namespace"]),
        (shared(("eth2", 0), Some(2), Errno::INVAL),
            expect!["cannot bind to eth1 queue 1 (over the packet memory of eth2 queue 0): EINVAL (Invalid argument). The driver may have refused zero-copy, the mode of the other socket, with these settings: bind the other one in copy mode (`CopyMode::Copy`), or make this one with `Socket::builder`"]),
        (shared(("eth2", 0), Some(1), Errno::INVAL),
            expect!["cannot bind to eth1 queue 1 (over the packet memory of eth2 queue 0): EINVAL (Invalid argument). eth1 has 1 queue(s), numbered from 0 (`ethtool -l eth1`)"]),
        (bind(0, Some(2), CopyMode::ZeroCopy, Errno::IO),
            expect!["cannot bind to eth1 queue 0 (zero-copy): EIO (Input/output error)"]),
    ]
}
