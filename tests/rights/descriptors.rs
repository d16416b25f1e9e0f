//! Descriptors that become sockets: only those that nothing has used.

use crate::common::{Cable, METHODS, PATIENCE, rx_socket, wait_for};
use crate::fixture::{CHUNKS, attach, open};
use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, socket};
use std::os::fd::{AsFd, OwnedFd};
use xsk::error::ObjectKind;
use xsk::socket::XskFd;
use xsk::test_util::{Namespace, privileged};
use xsk::{Error, PacketSocket, Port, RxSocket, Socket, TxSocket, Umem};

#[track_caller]
fn is_refused(fd: impl AsFd) {
    let fd = fd.as_fd().try_clone_to_owned().unwrap();
    let error = XskFd::from_fd(fd).unwrap_err();
    assert!(
        matches!(error, Error::WrongObject { wanted: ObjectKind::FreshSocket, .. }),
        "{error:?}"
    );
}

fn umem() -> (Umem, xsk::FramePool) {
    Umem::builder().chunk_count(CHUNKS).build().unwrap()
}

#[test]
fn a_socket_that_was_opened_elsewhere_becomes_one_of_every_kind() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (umem, _pool) = umem();
    let builder = || Socket::builder(&umem).bind_timeout(PATIENCE);
    let eth = cable.veth.a();
    let _: Socket = builder().open_with(open(&cable.left)).unwrap().bind(eth, 0).unwrap();
    let _: RxSocket =
        builder().rx_only().open_with(open(&cable.left)).unwrap().bind(eth, 0).unwrap();
    let _: TxSocket =
        builder().tx_only().open_with(open(&cable.left)).unwrap().bind(eth, 0).unwrap();
    let opened: xsk::socket::Unbound<PacketSocket> =
        builder().multi_buffer().open_with(open(&cable.left)).unwrap();
    drop(opened);
}

#[test]
fn sockets_that_share_a_queue_or_memory_come_of_descriptors_too() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let (umem, _pool) = umem();
    let builder = Socket::builder(&umem).bind_timeout(PATIENCE);
    let first = builder.open_with(open(&cable.left)).unwrap().bind(cable.veth.a(), 0).unwrap();
    let sharing = first.handle.share_memory().open_with(open(&cable.left)).unwrap();
    let second = sharing.bind(cable.veth.a(), 1).unwrap();
    assert_eq!(second.handle.queue(), 1);
    // Of another namespace.
    let error = first.handle.share_memory().open_with(open(&cable.right)).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::XDEV, .. }), "{error:?}");
    let mut queue = first.share_queue();
    let added = queue.add_socket().bind_with(open(&cable.left)).unwrap();
    assert_eq!(added.handle.queue(), 0);
    let error = queue.add_socket().bind_with(open(&cable.right)).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::XDEV, .. }), "{error:?}");
}

#[test]
fn what_is_no_xdp_socket_is_refused() {
    is_refused(std::fs::File::open("/dev/null").unwrap());
    is_refused(std::os::unix::net::UnixStream::pair().unwrap().0);
    is_refused(socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap());
}

#[test]
fn a_socket_that_was_used_is_refused() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    // With one ring of each kind, and no memory.
    use rustix::net::sockopt;
    type Set = fn(&XskFd, u32) -> rustix::io::Result<()>;
    let rings: [Set; 4] = [
        |fd, size| sockopt::set_xdp_rx_ring_size(fd, size),
        |fd, size| sockopt::set_xdp_tx_ring_size(fd, size),
        |fd, size| sockopt::set_xdp_umem_fill_ring_size(fd, size),
        |fd, size| sockopt::set_xdp_umem_completion_ring_size(fd, size),
    ];
    for set in rings {
        let fd = open(&cable.left);
        // Looking changes nothing: it is taken again and again.
        let again = XskFd::from_fd(fd.as_fd().try_clone_to_owned().unwrap()).unwrap();
        set(&again, 64).unwrap();
        is_refused(&fd);
    }
    is_refused(cable.left.run(rx_socket).unwrap());
    // With memory and no ring.
    let fd = open(&cable.left);
    let page = rustix::param::page_size();
    let memory = vec![0_u8; 2 * page];
    let start = memory.as_ptr().addr().next_multiple_of(page);
    let memory_of_a_page = rustix::net::xdp::XdpUmemReg {
        addr: start as u64,
        len: page as u64,
        chunk_size: 2048,
        headroom: 0,
        flags: rustix::net::xdp::XdpUmemRegFlags::empty(),
        tx_metadata_len: 0,
    };
    sockopt::set_xdp_umem_reg(&fd, memory_of_a_page).unwrap();
    is_refused(&fd);
    // With memory and all rings; bound; and of an interface that has gone.
    let (umem, _pool) = umem();
    let unbound = Socket::builder(&umem).open_with(open(&cable.left)).unwrap();
    is_refused(&unbound);
    let bound = unbound.bind(cable.veth.a(), 0).unwrap();
    is_refused(&bound);
    xsk::test_util::ip::delete(cable.veth.a()).unwrap();
    wait_for("the socket is unbound", || bound.handle.check().is_err());
    is_refused(&bound);
}

#[test]
fn two_descriptors_of_one_socket_make_one_socket() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let (umem, _pool) = umem();
    let fd = open(&namespace);
    // Both are checked before either is used.
    let copy = XskFd::from_fd(fd.as_fd().try_clone_to_owned().unwrap()).unwrap();
    let third = XskFd::from_fd(fd.as_fd().try_clone_to_owned().unwrap()).unwrap();
    let first = Socket::builder(&umem).open_with(fd).unwrap();
    let error = Socket::builder(&umem).open_with(copy).unwrap_err();
    assert!(matches!(error, Error::RegisterUmem { errno: Errno::BUSY, .. }), "{error:?}");
    assert!(error.to_string().contains("handed over to two processes"), "{error}");
    drop(first);
    // The third descriptor has kept the socket open.
    let error = Socket::builder(&umem).open_with(third).unwrap_err();
    assert!(matches!(error, Error::RegisterUmem { errno: Errno::BUSY, .. }), "{error:?}");
}

#[test]
fn a_ring_that_another_process_makes_after_the_check_is_refused() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let (umem, _pool) = umem();
    let fd = open(&namespace);
    let other = fd.as_fd().try_clone_to_owned().unwrap();
    rustix::net::sockopt::set_xdp_umem_fill_ring_size(&other, 64).unwrap();
    let error = Socket::builder(&umem).open_with(fd).unwrap_err();
    assert!(matches!(error, Error::CreateRing { errno: Errno::INVAL, .. }), "{error:?}");
}

#[test]
fn what_is_inherited_is_closed_by_the_next_exec() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let fd = OwnedFd::from(open(&namespace));
    fcntl_setfd(&fd, FdFlags::empty()).unwrap();
    let fd = XskFd::try_from(fd).unwrap();
    assert_eq!(fcntl_getfd(&fd), Ok(FdFlags::CLOEXEC));
}

#[test]
fn a_socket_stays_in_the_namespace_where_it_was_opened() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (umem, _pool) = umem();
    let fd = open(&cable.left);
    fd.require_namespace_of(cable.veth.a()).unwrap();
    let error = fd.require_namespace_of(cable.veth.b()).unwrap_err();
    assert!(matches!(error, Error::Interface { errno: Errno::XDEV, .. }), "{error:?}");
    assert!(error.to_string().contains("opened in another network namespace"), "{error}");
    let refused = Socket::builder(&umem).open_with(fd).unwrap().bind(cable.veth.b(), 0);
    let refused = refused.unwrap_err();
    assert!(matches!(refused.error, Error::Interface { errno: Errno::XDEV, .. }), "{refused:?}");
    // From whatever namespace it is used.
    let bind = || refused.socket.bind(cable.veth.a(), 0).map_err(Error::from);
    cable.right.run(bind).unwrap().unwrap();
}

#[test]
fn an_attachment_registers_what_was_opened_elsewhere() {
    if !privileged!() {
        return;
    }
    for method in METHODS {
        let cable = Cable::new(1);
        let program = attach(&cable, method);
        let (umem, pool) = umem();
        let builder = Socket::builder(&umem).bind_timeout(PATIENCE);
        let socket = builder.open_with(open(&cable.left)).unwrap().bind(cable.veth.a(), 0).unwrap();
        let port = Port::new(umem, pool, socket);
        port.socket.register(&program).unwrap().close().unwrap();
    }
}
