//! Groups 18 to 26: binding.

use crate::common::{AtCable, Cable, PATIENCE};
use crate::says;
use expect_test::expect;
use rustix::io::Errno;
use std::time::Duration;
use xsk::socket::CopyReason;
use xsk::test_util::{Namespace, ip, privileged};
use xsk::{CopyMode, Error, Interface, Port, Socket, Umem};

/// Binds a new socket to a queue without waiting for it.
fn bind(
    namespace: &Namespace,
    interface: &Interface,
    queue: u32,
    copy: CopyMode,
) -> Result<Socket, Error> {
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let builder = Socket::builder(&umem).bind_timeout(Duration::ZERO).copy_mode(copy);
    let bind = || builder.bind(interface, queue);
    namespace.run(bind).unwrap()
}

/// Group 18 of the table in tests/README.md.
#[test]
fn a_second_socket_does_not_get_the_queue() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let _first = Port::left(&cable);
    let error = bind(&cable.left, cable.veth.a(), 0, CopyMode::Auto).unwrap_err();
    let lists = cable.veth.a().xdp_sockets().unwrap().is_some();
    let Error::Bind { holder, .. } = error else { panic!("{error:?}") };
    assert_eq!(holder.is_some(), lists, "the holder is known where the kernel lists sockets");
    if lists {
        let words = "Another socket has this queue, that of this process of user 0 (socket inode ";
        assert!(error.to_string().contains(words), "{error}");
        drop(bind(&cable.left, cable.veth.a(), 1, CopyMode::Auto).unwrap());
        return;
    }
    says(
        &error,
        &expect![[r#"
        cannot bind to xsk-a queue 0 (zero-copy if possible): EBUSY (Device or resource busy), after N ms of trying.
        Another socket has this queue: one of another process, one of this process of which a part is not dropped yet, or one closed just now that the kernel has not let go of.
        `ss -f xdp -e` shows sockets and their queues, where the kernel has CONFIG_XDP_SOCKETS_DIAG"#]],
    );
    drop(bind(&cable.left, cable.veth.a(), 1, CopyMode::Auto).unwrap());
}

/// Group 21 of the table in tests/README.md.
#[test]
fn queues_and_interfaces_that_are_not_there() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    // The kernel would cut the first two to 16 bits, and bind queues 0 and 1.
    for queue in [65536, 131_073, u32::MAX] {
        let error = bind(&cable.left, cable.veth.a(), queue, CopyMode::Auto).unwrap_err();
        assert!(
            matches!(error, Error::Setting { name: "queue", value, .. } if value == u64::from(queue)),
            "{error}"
        );
    }
    for queue in [2, 65535] {
        let error = bind(&cable.left, cable.veth.a(), queue, CopyMode::Auto).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::INVAL));
        let text = error.to_string();
        let wanted = "xsk-a has 2 queue(s), numbered from 0 (`ethtool -l xsk-a`)";
        assert!(text.ends_with(wanted), "{text}");
    }
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let open = || Socket::builder(&umem).open();
    let unbound = cable.left.run(open).unwrap().unwrap();
    ip::delete(cable.veth.a()).unwrap();
    let refused = unbound.bind(cable.veth.a(), 0).unwrap_err();
    assert_eq!(refused.socket.fill.pending(), 0, "the socket comes back");
    says(
        &refused.error,
        &expect![[r#"
        cannot bind to xsk-a queue 0 (zero-copy if possible): ENODEV (No such device).
        xsk-a is gone, or is in another network namespace than the socket, which is the one of the thread that made it"#]],
    );
}

/// Group 22 of the table in tests/README.md.
#[test]
fn no_zero_copy_and_what_is_left() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let loopback = namespace.interface("lo").unwrap();
    let error = bind(&namespace, &loopback, 0, CopyMode::ZeroCopy).unwrap_err();
    says(
        &error,
        &expect![[r#"
        cannot bind to lo queue 0 (zero-copy): EOPNOTSUPP (Operation not supported).
        The driver of lo has no zero-copy (or not for this queue): ask for copy mode (`CopyMode::Copy`), or leave the choice open"#]],
    );
    let socket = bind(&namespace, &loopback, 0, CopyMode::Auto).unwrap();
    assert!(!socket.handle.is_zero_copy());
    let cable = Cable::new(1);
    let error = bind(&cable.left, cable.veth.a(), 0, CopyMode::ZeroCopy).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::OPNOTSUPP));
    let socket = bind(&cable.left, cable.veth.a(), 0, CopyMode::Copy).unwrap();
    assert!(!socket.handle.is_zero_copy());
}

/// Chunks that cross pages are for copy mode, whatever the driver has; others are not.
///
/// Group 22 of the table in tests/README.md.
#[test]
fn chunks_that_cross_pages_are_for_copy_mode() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let bind = |size, copy| {
        let builder = Umem::builder().chunk_count(16).chunk_size(size).unaligned();
        let (umem, _pool) = builder.build().unwrap();
        let builder = Socket::builder(&umem).bind_timeout(PATIENCE).copy_mode(copy);
        cable.left.run(|| builder.bind(cable.veth.a(), 0)).unwrap()
    };
    for (size, auto) in [
        (2048, CopyReason::Refused { errno: Errno::OPNOTSUPP }),
        (3000, CopyReason::CrossesPages),
        (3001, CopyReason::CrossesPages),
        (4001, CopyReason::CrossesPages),
        (4096, CopyReason::Refused { errno: Errno::OPNOTSUPP }),
    ] {
        let error = bind(size, CopyMode::ZeroCopy).unwrap_err();
        if size.is_power_of_two() {
            assert_eq!(error.errno(), Some(Errno::OPNOTSUPP), "{error}");
        } else {
            let Error::Setting { name, value, .. } = error else { panic!("{error}") };
            assert_eq!((name, value), ("chunk size", size.into()));
        }
        for (copy, reason) in [(CopyMode::Auto, auto), (CopyMode::Copy, CopyReason::Asked)] {
            let socket = bind(size, copy).unwrap();
            assert!(!socket.handle.is_zero_copy());
            assert_eq!(socket.handle.copy_reason(), reason);
        }
    }
    let error = bind(3000, CopyMode::ZeroCopy).unwrap_err();
    says(
        &error,
        &expect![
            "chunk size 3000 is not possible: a possible one is a power of two for zero-copy, such as 2048 or 4096, because a card takes no chunk that crosses pages; others are for copy mode (`CopyMode::Copy`)"
        ],
    );
}

/// Each part of a socket keeps the queue, and the text mentions it.
///
/// Group 23 of the table in tests/README.md.
#[test]
fn a_part_that_is_kept_keeps_the_queue() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let Port { socket: Socket { completion, .. }, .. } = Port::left(&cable);
    let error = bind(&cable.left, cable.veth.a(), 0, CopyMode::Auto).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::BUSY));
    let text = error.to_string();
    assert!(text.contains("a part is not dropped yet"), "{text}");
    drop(completion);
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let builder = Socket::builder(&umem).bind_timeout(PATIENCE);
    let bind = || builder.bind(cable.veth.a(), 0);
    drop(cable.left.run(bind).unwrap().unwrap());
}

/// The kernel leaves a socket in a state of its own when its interface goes: it cannot be used
/// again.
///
/// Group 26 of the table in tests/README.md.
#[test]
fn a_socket_does_not_outlive_its_interface() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut left = Port::left(&cable);
    ip::delete(cable.veth.a()).unwrap();
    let error = left.socket.tx.kick().unwrap_err();
    says(
        &error,
        &expect![[r#"
            cannot wake the kernel for the TX ring of xsk-a queue 0: ENXIO (No such device or address).
            The interface is gone, or was moved to another network namespace: close the socket and make a new one"#]],
    );
    let again = rustix::net::xdp::SocketAddrXdp::new(
        rustix::net::xdp::SocketAddrXdpFlags::XDP_COPY,
        cable.veth.a().index(),
        0,
    );
    let again = rustix::net::bind(&left.socket.handle, &again);
    assert_eq!(again, Err(Errno::BUSY));
}
