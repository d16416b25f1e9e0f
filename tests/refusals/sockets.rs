//! Groups 1 to 7: making a socket and its rings, and socket options.

use crate::common::{AtCable, Cable, kernel_since};
use crate::says;
use expect_test::expect;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, sockopt};
use std::os::fd::OwnedFd;
use xsk::socket::SocketBuilder;
use xsk::test_util::privileged;
use xsk::{Error, Port, Socket, SocketHandle, Umem};

/// Returns a socket made without this crate.
pub(crate) fn raw() -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    socket_with(AddressFamily::XDP, SocketType::RAW, flags, None).unwrap()
}

/// The kernel knows one type and no protocol; this crate requests no other.
///
/// Group 1 of the table in tests/README.md.
#[test]
fn the_kernel_has_one_kind_of_socket() {
    if !privileged!() {
        return;
    }
    let make = |kind, protocol| {
        socket_with(AddressFamily::XDP, kind, SocketFlags::CLOEXEC, protocol).unwrap_err()
    };
    assert_eq!(make(SocketType::DGRAM, None), Errno::SOCKTNOSUPPORT);
    let icmp = Some(ipproto::ICMP);
    assert_eq!(make(SocketType::RAW, icmp), Errno::PROTONOSUPPORT);
}

/// Sizes that the kernel refuses, and sizes that it should refuse: 2^30 entries take 16 GiB of its
/// memory. Needs no privilege: no socket is made.
///
/// Groups 2 and 4 of the table in tests/README.md.
#[test]
fn sizes_of_rings_are_checked_before_the_kernel_sees_them() {
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    type Size = fn(SocketBuilder, u32) -> SocketBuilder;
    let rings: [(&str, Size); 4] = [
        ("size of the RX ring", SocketBuilder::rx_size),
        ("size of the TX ring", SocketBuilder::tx_size),
        ("size of the fill ring", SocketBuilder::fill_size),
        ("size of the completion ring", SocketBuilder::completion_size),
    ];
    for (wanted, size) in rings {
        let large = [(1 << 20) + 1, 1 << 21, 1 << 30, 1 << 31, u32::MAX];
        for entries in [0, 3, 1000].into_iter().chain(large) {
            let error = size(Socket::builder(&umem), entries).open().unwrap_err();
            let Error::Setting { name, value, .. } = error else {
                panic!("{error}");
            };
            assert_eq!((name, value), (wanted, u64::from(entries)));
        }
    }
}

/// The largest and the smallest ring are accepted; the kernel refuses what is no power of two, and
/// a second ring of a kind.
///
/// Group 2 of the table in tests/README.md.
#[test]
fn the_kernel_takes_the_sizes_that_are_left() {
    if !privileged!() {
        return;
    }
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    for entries in [1, 1 << 20] {
        let builder = Socket::builder(&umem).rx_size(entries).fill_size(entries);
        match builder.open() {
            Ok(socket) => drop(socket),
            // Here a ring must lie in contiguous pages.
            Err(error) => {
                assert!(!kernel_since(6, 4) && entries == 1 << 20, "{error}");
                says(
                    &error,
                    &expect![[r#"
                    cannot make the RX ring of 1048576 entries: ENOMEM (Cannot allocate memory).
                    The kernel has no memory for it; before 6.3 a ring must lie in contiguous pages: ask for fewer entries"#]],
                );
            }
        }
    }
    let socket = raw();
    for entries in [0, 3, 1000, u32::MAX] {
        let refused = sockopt::set_xdp_rx_ring_size(&socket, entries);
        assert_eq!(refused, Err(Errno::INVAL), "{entries}");
    }
    sockopt::set_xdp_rx_ring_size(&socket, 64).unwrap();
    let twice = sockopt::set_xdp_rx_ring_size(&socket, 64);
    assert_eq!(twice, Err(Errno::INVAL));
}

/// This crate has no call for what the kernel refuses after binding: the handle with those calls is
/// consumed.
///
/// Group 3 of the table in tests/README.md.
#[test]
fn a_bound_socket_is_finished() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let end = Port::left(&cable);
    let rx = sockopt::set_xdp_rx_ring_size(&end.socket.handle, 64);
    assert_eq!(rx, Err(Errno::BUSY));
    let fill = sockopt::set_xdp_umem_fill_ring_size(&end.socket.handle, 64);
    assert_eq!(fill, Err(Errno::BUSY));
}

/// Group 7 of the table in tests/README.md.
#[test]
fn the_budget_is_from_32_to_the_ring() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let bind = |entries, queue| {
        let builder = Socket::builder(&umem).tx_size(entries);
        let bind = || builder.bind(cable.veth.a(), queue);
        cable.left.run(bind).unwrap().unwrap().handle
    };
    let (small, usual) = (bind(16, 0), bind(64, 1));
    if let Err(error @ Error::NeedsKernel { .. }) = usual.set_tx_budget(32) {
        says(&error, &expect!["XDP_MAX_TX_SKB_BUDGET needs Linux 6.17"]);
        return;
    }
    usual.set_tx_budget(64).unwrap();
    // No number is accepted for a ring of 16, nor for a socket without a TX ring.
    let builder = Socket::builder(&umem).rx_only();
    let other = Cable::new(1);
    let bind = || builder.bind(other.veth.a(), 0);
    let receiver = other.left.run(bind).unwrap().unwrap().handle;
    let cases = [
        (&usual, 31),
        (&usual, 65),
        (&usual, 0),
        (&usual, u32::MAX),
        (&small, 16),
        (&small, 32),
        (&receiver, 32),
    ];
    let refused =
        |(socket, packets): (&SocketHandle, u32)| socket.set_tx_budget(packets).unwrap_err();
    let refused = cases.map(refused);
    for error in &refused {
        assert_eq!(error, &refused[0]);
    }
    assert_eq!(refused[0].errno(), Some(Errno::ACCESS));
    says(
        &refused[0],
        &expect![[r#"
        the socket option XDP_MAX_TX_SKB_BUDGET failed: EACCES (Permission denied).
        It goes from 32 to the TX ring's size, and the socket must have a TX ring of 32 entries at least"#]],
    );
}
