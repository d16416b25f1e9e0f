//! What is handed over, and what is refused.

use crate::common::{Cable, rx_socket, wait_for};
use crate::fixture::{Worker, attach, grant};
use rustix::cmsg_space;
use rustix::io::{Errno, FdFlags, IoSlice, fcntl_getfd};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use xsk::bpf::XskMap;
use xsk::error::{HandoverFault, ObjectKind};
use xsk::handover::{self, Grant};
use xsk::socket::XskFd;
use xsk::test_util::{ip, privileged};
use xsk::{AttachMethod, CopyMode, Error};

/// A message that is right, about queue 3 of the interface 7.
fn message() -> Vec<u8> {
    let mut bytes = b"xskgrant".to_vec();
    bytes.extend([1, 0, 48, 0, 7, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 1]);
    bytes.extend([0; 6]);
    bytes.extend(b"eth1");
    bytes.resize(48, 0);
    bytes
}

/// Sends bytes with descriptors beside the first of them.
fn send(to: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(16))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    let sent = sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::empty()).unwrap();
    assert_eq!(sent, bytes.len());
}

#[track_caller]
fn fault(result: xsk::Result<Grant>) -> HandoverFault {
    match result.unwrap_err() {
        Error::Handover { fault, operation: "receive a grant", .. } => fault,
        other => panic!("{other:?}"),
    }
}

/// The other end of a pipe, which shows whether what was sent is closed.
struct Watched(File, OwnedFd);

impl Watched {
    fn new() -> Self {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        Self(File::from(reader), writer)
    }

    /// Asserts that the only descriptors of the writing end are in this value, and closes it.
    #[track_caller]
    fn close_the_last(self) {
        let Self(mut reader, writer) = self;
        drop(writer);
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        // A child that another test has forked has copies until it calls `execve(2)`.
        wait_for("all descriptors to be closed", || {
            reader.read(&mut [0]).is_ok_and(|len| len == 0)
        });
    }
}

#[test]
fn a_grant_comes_as_it_went_over_streams_and_over_messages() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "fifteen_letters", "far");
    let program = attach(&cable, AttachMethod::Link);
    for kind in [SocketType::STREAM, SocketType::SEQPACKET, SocketType::DGRAM] {
        let (here, there) =
            socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        for (copy_mode, multi_buffer) in
            [(CopyMode::Auto, false), (CopyMode::Copy, true), (CopyMode::ZeroCopy, false)]
        {
            let mut sent = grant(&cable, &program);
            sent.queue = u32::MAX;
            sent.slot = 5;
            sent.copy_mode = copy_mode;
            sent.multi_buffer = multi_buffer;
            handover::send(&here, sent).unwrap();
            let came = handover::receive(&there, Some(Duration::from_secs(5))).unwrap();
            assert_eq!(came.interface_name, "fifteen_letters");
            assert_eq!(came.interface_index, cable.veth.a().index());
            assert_eq!((came.queue, came.slot), (u32::MAX, 5));
            assert_eq!((came.copy_mode, came.multi_buffer), (copy_mode, multi_buffer));
            assert_eq!(came.map.id(), program.map().id());
            for fd in [came.socket.as_fd(), came.map.as_fd()] {
                assert_eq!(fcntl_getfd(fd), Ok(FdFlags::CLOEXEC));
            }
        }
    }
}

#[test]
fn several_grants_and_what_follows_stay_apart_on_a_stream() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let program = attach(&cable, AttachMethod::Link);
    let (mut here, mut there) = UnixStream::pair().unwrap();
    for queue in 0..2 {
        let mut grant = grant(&cable, &program);
        grant.queue = queue;
        handover::send(&here, grant).unwrap();
    }
    here.write_all(b"go").unwrap();
    for queue in 0..2 {
        assert_eq!(handover::receive(&there, None).unwrap().queue, queue);
    }
    let mut rest = [0; 2];
    there.read_exact(&mut rest).unwrap();
    assert_eq!(&rest, b"go");
}

#[test]
fn a_message_that_comes_in_pieces_is_put_together() {
    if !privileged!() {
        return;
    }
    let (socket, map) = (XskFd::open().unwrap(), XskMap::create("xsks_map", 1).unwrap());
    let (mut here, there) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        let receiver = scope.spawn(move || handover::receive(there, None));
        let bytes = message();
        send(&here, &bytes[..1], &[socket.as_fd(), map.as_fd()]);
        for byte in &bytes[1..] {
            here.write_all(&[*byte]).unwrap();
            std::thread::yield_now();
        }
        let came = receiver.join().unwrap().unwrap();
        assert_eq!((came.interface_index, came.queue, came.slot), (7, 3, 2));
        assert_eq!((came.copy_mode, came.multi_buffer), (CopyMode::Copy, true));
    });
}

/// A worker may want to know who its helper is.
#[test]
fn credentials_that_come_beside_leave_room_for_the_descriptors() {
    if !privileged!() {
        return;
    }
    let (socket, map) = (XskFd::open().unwrap(), XskMap::create("xsks_map", 1).unwrap());
    let (here, there) = UnixStream::pair().unwrap();
    rustix::net::sockopt::set_socket_passcred(&there, true).unwrap();
    send(&here, &message(), &[socket.as_fd(), map.as_fd()]);
    assert_eq!(handover::receive(&there, None).unwrap().queue, 3);
}

#[test]
fn a_peer_that_closes_or_hangs_is_reported() {
    let bytes = message();
    for len in [0, 1, 8, 47] {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(&bytes[..len]).unwrap();
        let limit = Some(Duration::from_millis(20));
        let HandoverFault::TimedOut { waited } = fault(handover::receive(&there, limit)) else {
            panic!("after {len} bytes")
        };
        assert!(waited >= Duration::from_millis(20));
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(&bytes[..len]).unwrap();
        drop(here);
        assert_eq!(fault(handover::receive(&there, None)), HandoverFault::Closed { bytes: len });
    }
    // The sender sees it, too, and is not ended by a signal.
    let (here, there) = UnixStream::pair().unwrap();
    drop(there);
    if privileged!() {
        let map = XskMap::create("xsks_map", 1).unwrap();
        let lo = xsk::Interface::by_name("lo").unwrap();
        let grant = Grant::new(&lo, 0, XskFd::open().unwrap(), map);
        let error = handover::send(&here, grant).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::PIPE), "{error}");
    }
    let error = handover::receive(File::open("/dev/null").unwrap(), None);
    assert_eq!(fault(error), HandoverFault::Socket { errno: Errno::NOTSOCK });
}

#[test]
fn what_is_no_message_is_refused_and_its_descriptors_are_closed() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = message();
        bytes[at] = byte;
        bytes
    };
    let long_name = {
        let mut bytes = message();
        bytes[32..].fill(b'x');
        bytes
    };
    let mut other_version = changed(8, 2);
    other_version.truncate(12);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("the first byte", changed(0, b'X')),
        ("the last of the word", changed(7, 0)),
        ("the length", changed(10, 49)),
        ("no interface", changed(12, 0)),
        ("the copy mode", changed(24, 3)),
        ("the flags", changed(25, 2)),
        ("what has no meaning", changed(31, 1)),
        ("no name", changed(32, 0)),
        ("bytes after the name", changed(47, b'x')),
        ("a name without an end", long_name),
        ("another version", changed(8, 2)),
        ("another version with a high byte", changed(9, 1)),
        ("a shorter message of another version", other_version),
    ];
    for (case, bytes) in cases {
        let watched = Watched::new();
        let (here, there) = UnixStream::pair().unwrap();
        send(&here, &bytes, &[watched.1.as_fd(), watched.1.as_fd()]);
        let fault = fault(handover::receive(&there, Some(Duration::from_secs(5))));
        if case.contains("version") {
            let version = u16::from_le_bytes([bytes[8], bytes[9]]);
            assert_eq!(fault, HandoverFault::Version { found: version }, "{case}");
        } else {
            assert!(matches!(fault, HandoverFault::Malformed { .. }), "{case}: {fault:?}");
        }
        watched.close_the_last();
    }
    // The rest is not waited for.
    for bytes in [&b"GET / HTTP/1.1"[..], b"y", b"xskgrand", b"xskgrant\x02\x00"] {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(bytes).unwrap();
        let limit = Duration::from_secs(20);
        let fault = fault(handover::receive(&there, Some(limit)));
        let wanted = match bytes.last() {
            Some(0) => matches!(fault, HandoverFault::Version { found: 2 }),
            _ => matches!(fault, HandoverFault::Malformed { .. }),
        };
        assert!(wanted, "{bytes:?}: {fault:?}");
    }
    // Messages that are too short or too long for one.
    for len in [0, 12, 47, 49] {
        let kind = SocketType::SEQPACKET;
        let (here, there) =
            socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        let mut bytes = message();
        bytes.resize(len, 0);
        let watched = Watched::new();
        send(&here, &bytes, &[watched.1.as_fd(), watched.1.as_fd()]);
        let fault = fault(handover::receive(&there, None));
        let wanted = matches!(
            (len, &fault),
            (0, HandoverFault::Closed { bytes: 0 }) | (1.., HandoverFault::Malformed { .. })
        );
        assert!(wanted, "{len} bytes: {fault:?}");
        watched.close_the_last();
    }
}

#[test]
fn too_few_and_too_many_descriptors_are_refused_and_closed() {
    for count in [0, 1, 3, 4, 5, 16] {
        let watched = Watched::new();
        let (here, there) = UnixStream::pair().unwrap();
        send(&here, &message(), &vec![watched.1.as_fd(); count]);
        let fault = fault(handover::receive(&there, None));
        let HandoverFault::Descriptors { found, wanted: 2, cut } = fault else {
            panic!("{count}: {fault:?}")
        };
        assert!(if cut { found < count } else { found == count }, "{count}: {fault:?}");
        watched.close_the_last();
    }
    // In two parts, one with each half of the bytes.
    let watched = Watched::new();
    let (here, there) = UnixStream::pair().unwrap();
    let bytes = message();
    send(&here, &bytes[..24], &[watched.1.as_fd(); 2]);
    send(&here, &bytes[24..], &[watched.1.as_fd(); 1]);
    let fault = fault(handover::receive(&there, None));
    assert_eq!(fault, HandoverFault::Descriptors { found: 3, wanted: 2, cut: false });
    watched.close_the_last();
}

#[test]
fn descriptors_of_another_kind_are_refused_and_closed() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("xsks_map", 1).unwrap();
    let receive = |descriptors: [BorrowedFd<'_>; 2]| {
        let (here, there) = UnixStream::pair().unwrap();
        send(&here, &message(), &descriptors);
        handover::receive(&there, None).unwrap_err()
    };
    let is_wrong = |error: Error, words: &str| {
        let Error::WrongObject { object, wanted, .. } = error else { panic!("{error:?}") };
        assert_eq!(object, words);
        wanted
    };
    let watched = Watched::new();
    let error = receive([watched.1.as_fd(), map.as_fd()]);
    assert_eq!(is_wrong(error, "the socket that was handed over"), ObjectKind::FreshSocket);
    let fresh = XskFd::open().unwrap();
    let error = receive([fresh.as_fd(), watched.1.as_fd()]);
    assert!(matches!(error, Error::BpfObject { errno: Errno::INVAL, .. }), "{error:?}");
    watched.close_the_last();
    // The other way round; a socket that was used; a program in place of a map.
    let error = receive([map.as_fd(), fresh.as_fd()]);
    assert_eq!(is_wrong(error, "the socket that was handed over"), ObjectKind::FreshSocket);
    let error = receive([rx_socket().as_fd(), map.as_fd()]);
    assert_eq!(is_wrong(error, "the socket that was handed over"), ObjectKind::FreshSocket);
    use xsk::bpf::{Insn, Program, Reg};
    let pass = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let program = Program::builder(&pass).license(c"MIT").load().unwrap();
    let error = receive([fresh.as_fd(), program.as_fd()]);
    assert_eq!(is_wrong(error, "the map that was handed over"), ObjectKind::XskMap);
}

#[test]
fn a_grant_is_for_the_namespace_of_its_socket() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let program = attach(&cable, AttachMethod::Link);
    let granted = grant(&cable, &program);
    let found = cable.left.run(|| granted.interface()).unwrap().unwrap();
    // Before 5.14 values of two look-ups are not equal.
    assert_eq!(found.index(), cable.veth.a().index());
    // In other namespaces, whether or not they have an interface of this index.
    let third = xsk::test_util::Namespace::new().unwrap();
    for elsewhere in [&cable.right, &third] {
        let error = elsewhere.run(|| granted.interface()).unwrap().unwrap_err();
        assert!(matches!(error, Error::Interface { errno: Errno::XDEV, .. }), "{error:?}");
        assert!(error.to_string().contains("opened in another network namespace"), "{error}");
        // And in the kernel, with the interface of there.
        let other = elsewhere.interface("lo").unwrap();
        let work = || Worker::on(&other, grant(&cable, &program)).map(drop).unwrap_err();
        let error = elsewhere.run(work).unwrap();
        assert!(matches!(error, Error::Interface { errno: Errno::XDEV, .. }), "{error:?}");
    }
    ip::delete(cable.veth.a()).unwrap();
    let error = cable.left.run(|| granted.interface()).unwrap().unwrap_err();
    assert!(error.is_gone(), "{error:?}");
}

#[test]
fn the_helper_keeps_no_descriptor_of_what_it_sent() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let program = attach(&cable, AttachMethod::Link);
    let (here, there) = UnixStream::pair().unwrap();
    let granted = grant(&cable, &program);
    let inode = rustix::fs::fstat(&granted.socket).unwrap().st_ino;
    let open = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        targets.filter(|target| target.as_os_str() == &*format!("socket:[{inode}]")).count()
    };
    assert_eq!(open(), 1);
    handover::send(&here, granted).unwrap();
    assert_eq!(open(), 0);
    let granted = handover::receive(&there, None).unwrap();
    assert_eq!(open(), 1);
    drop(OwnedFd::from(granted.socket));
    assert_eq!(open(), 0);
}
