//! Texts of errors about wake-ups, waiting, counters, and the rules of the ring protocol.

use super::Texts;
use crate::error::{Error, SocketOption};
use crate::ring::RingError;
use crate::types::RingKind;
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
    let kick = |ring, errno| {
        let (interface, queue) = ("eth1".to_owned(), 3);
        Error::Kick { ring, interface, queue, errno }
    };
    let option = |option, errno| Error::SocketOption { option, errno };
    let entry = |ring, address, len, options| {
        Error::Ring(RingError::BadEntry {
            ring,
            address,
            len,
            options,
        })
    };
    vec![
        (kick(RingKind::Tx, Errno::NETDOWN),
            expect!["cannot wake the kernel for the TX ring of eth1 queue 3: ENETDOWN (Network is down). The interface is down: set it up; what is in the TX ring is sent then"]),
        (kick(RingKind::Fill, Errno::NXIO),
            expect!["cannot wake the kernel for the fill ring of eth1 queue 3: ENXIO (No such device or address). The interface is gone, or was moved to another network namespace: close the socket and make a new one"]),
        (kick(RingKind::Tx, Errno::INVAL),
            expect!["cannot wake the kernel for the TX ring of eth1 queue 3: EINVAL (Invalid argument). In zero-copy mode many drivers send only while an XDP program is attached to the interface: attach one, even if this socket receives nothing"]),
        (Error::Kick { ring: RingKind::Tx, interface: String::new(), queue: 0, errno: Errno::NXIO },
            expect!["cannot wake the kernel for the TX ring: ENXIO (No such device or address). The interface is gone, or was moved to another network namespace: close the socket and make a new one"]),
        (Error::SocketEnded { interface: "eth1".to_owned(), queue: 3, errno: Errno::NETDOWN },
            expect!["the kernel has unbound the socket of eth1 queue 3: ENETDOWN (Network is down). The interface is gone, or was moved to another network namespace: close the socket and make a new one"]),
        (Error::QueueSide { interface: "eth1".to_owned(), queue: 1, ring: RingKind::Tx, rx: 2, tx: 1 },
            expect!["queue 1 of eth1 has no TX side: the interface has 2 RX queue(s) and 1 TX queue(s), each numbered from 0. Take a queue that has it, make the socket `rx_only()`, or give the interface more queues: `ethtool -L eth1 tx 2`"]),
        (Error::QueueSide { interface: "eth1".to_owned(), queue: 1, ring: RingKind::Rx, rx: 1, tx: 2 },
            expect!["queue 1 of eth1 has no RX side: the interface has 1 RX queue(s) and 2 TX queue(s), each numbered from 0. Take a queue that has it, make the socket `tx_only()`, or give the interface more queues: `ethtool -L eth1 rx 2`"]),
        (Error::Wait { errno: Errno::INVAL },
            expect!["waiting for packets failed: EINVAL (Invalid argument). These are more sockets than `ulimit -n` allows: wait for fewer, or raise it"]),
        (Error::Wait { errno: Errno::NOMEM },
            expect!["waiting for packets failed: ENOMEM (Cannot allocate memory). The kernel has no memory for it, or the limit of the control group is reached"]),
        (option(SocketOption::TxBudget, Errno::ACCESS),
            expect!["the socket option XDP_MAX_TX_SKB_BUDGET failed: EACCES (Permission denied). It goes from 32 to the TX ring's size, and the socket must have a TX ring of 32 entries at least"]),
        (option(SocketOption::Statistics, Errno::NOPROTOOPT),
            expect!["the socket option XDP_STATISTICS failed: ENOPROTOOPT (Protocol not available)"]),
        (option(SocketOption::MmapOffsets, Errno::NOPROTOOPT),
            expect!["the socket option XDP_MMAP_OFFSETS failed: ENOPROTOOPT (Protocol not available)"]),
        (option(SocketOption::PreferBusyPoll, Errno::PERM), expect!["the socket option SO_PREFER_BUSY_POLL failed: EPERM (Operation not permitted). This needs CAP_NET_ADMIN in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (option(SocketOption::BusyPollBudget, Errno::PERM), expect!["the socket option SO_BUSY_POLL_BUDGET failed: EPERM (Operation not permitted). This needs CAP_NET_ADMIN in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (option(SocketOption::BusyPoll, Errno::INVAL), expect!["the socket option SO_BUSY_POLL failed: EINVAL (Invalid argument)"]),
        (option(SocketOption::IncomingNapiId, Errno::BADF), expect!["the socket option SO_INCOMING_NAPI_ID failed: EBADF (Bad file descriptor)"]),
        (option(SocketOption::Error, Errno::BADF),
            expect!["the socket option SO_ERROR failed: EBADF (Bad file descriptor)"]),
        (Error::NeedsKernel { feature: "XDP_MAX_TX_SKB_BUDGET", version: "6.17" },
            expect!["XDP_MAX_TX_SKB_BUDGET needs Linux 6.17"]),
        (Error::Ring(RingError::BadIndex { ring: RingKind::Rx, distance: 2049, capacity: 2048 }),
            expect!["the kernel's index of the RX ring is 2049 entries away from ours, in a ring of 2048. The kernel does not do this: something else writes to the ring, or there is a bug in this library. Close the socket and report it"]),
        (Error::Ring(RingError::TooManyEntries { ring: RingKind::Completion, available: 3, outstanding: 2 }),
            expect!["the completion ring holds 3 entries, but the kernel was given only 2. The kernel does not do this: something else writes to the ring, or there is a bug in this library. Close the socket and report it"]),
        (entry(RingKind::Rx, 0x40_0000, 60, 0),
            expect!["the RX ring's entry {address 0x400000, length 60, options 0x0} is not inside a chunk of the UMEM. The kernel does not do this: something else writes to the ring, or there is a bug in this library. Close the socket and report it"]),
        (entry(RingKind::Rx, 0x1000, 60, 2),
            expect!["the RX ring's entry {address 0x1000, length 60, options 0x2} has options that this crate does not know. The kernel does not do this: something else writes to the ring, or there is a bug in this library. Close the socket and report it"]),
        (entry(RingKind::Completion, u64::MAX, 0, 0),
            expect!["the completion ring's entry {address 0xffffffffffffffff, length 0, options 0x0} is not inside a chunk of the UMEM. The kernel does not do this: something else writes to the ring, or there is a bug in this library. Close the socket and report it"]),
        (Error::OutOfBounds,
            expect!["a frame holds at least one byte and stays inside its chunk"]),
        (Error::Ring(RingError::DuplicateChunk { ring: RingKind::Completion, address: 0x1000 }),
            expect!["the completion ring's entry 0x1000 names a chunk that the kernel does not hold. The kernel does not do this: something else writes to the ring, or there is a bug in this library. Close the socket and report it"]),
    ]
}
