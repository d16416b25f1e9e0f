//! The device plugin of Kubernetes: a stand-in server, written from the protocol's description,
//! with and without manners.

use crate::common::{Cable, PATIENCE};
use crate::fixture::{attach, maps_take_no_right, open, send, without_rights};
use rustix::cmsg_space;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept, bind, listen,
    recv, recvmsg, sendmsg, socket_with, sockopt,
};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use xsk::bpf::XskMap;
use xsk::error::{HandoverFault, ObjectKind};
use xsk::handover::device_plugin::Client;
use xsk::test_util::{privileged, test_name};
use xsk::{AttachMethod, Error, Port, Socket, Umem};

/// What the server replies to a request, with so many copies of its descriptor; nothing at all, or
/// the end of the connection.
#[derive(Clone)]
enum Reply {
    Text(&'static [u8], usize),
    /// As `Text`, but after [`LATE`].
    Late(&'static [u8], usize),
    Close,
    Hang,
}

/// How long a late reply takes.
const LATE: Duration = Duration::from_millis(200);

type Replies = fn(&str) -> Reply;

/// As the plugin of a pod named `pod` with the device `eth1` replies.
fn plugin(request: &str) -> Reply {
    let words: Vec<&str> = request.split(',').collect();
    match words[..] {
        ["/connect", "pod"] => Reply::Text(b"/host_ok", 0),
        ["/connect", _] => Reply::Text(b"/host_nak", 0),
        ["/version"] => Reply::Text(b"0.1", 0),
        ["/xsk_map_fd", "eth1"] => Reply::Text(b"/fd_ack", 1),
        ["/xsk_map_fd", _] => Reply::Text(b"/fd_nak", 0),
        ["/fin"] => Reply::Text(b"/fin_ack", 0),
        _ => Reply::Text(b"/nak", 0),
    }
}

/// A server, which ends with its connection; it returns what it was asked.
struct Server {
    path: PathBuf,
    thread: JoinHandle<Vec<String>>,
}

fn new_path() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("xsk-plugin-{}-{number}", std::process::id()))
}

fn listener(path: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    // The worker may be another user.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    listen(&socket, 1).unwrap();
    socket
}

impl Server {
    fn start(replies: Replies, descriptor: OwnedFd) -> Self {
        let path = new_path();
        let listener = listener(&path);
        let serve = move || {
            let connection = accept(&listener).unwrap();
            let mut asked = Vec::new();
            loop {
                let mut buffer = [0; 64];
                let (len, _) = recv(&connection, &mut buffer[..], RecvFlags::empty()).unwrap();
                let request = String::from_utf8(buffer[..len].to_vec()).unwrap();
                if len == 0 {
                    return asked;
                }
                let reply = replies(&request);
                asked.push(request);
                if matches!(reply, Reply::Late(..)) {
                    std::thread::sleep(LATE);
                }
                match reply {
                    Reply::Text(text, copies) | Reply::Late(text, copies) => {
                        reply_with(&connection, text, &vec![descriptor.as_fd(); copies]);
                    }
                    Reply::Close => return asked,
                    Reply::Hang => {}
                }
            }
        };
        Self { path, thread: std::thread::spawn(serve) }
    }

    fn end(self) -> Vec<String> {
        std::fs::remove_file(&self.path).unwrap();
        self.thread.join().unwrap()
    }
}

fn reply_with(to: impl AsFd, text: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    // The client may have closed already.
    let _ = sendmsg(to, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL);
}

fn null() -> OwnedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

fn fault<T: std::fmt::Debug>(result: xsk::Result<T>) -> HandoverFault {
    match result.unwrap_err() {
        Error::Handover { fault, .. } => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_without_rights_receives_by_a_map_of_the_plugin() {
    if !privileged!() || !maps_take_no_right(test_name!()) {
        return;
    }
    let cable = Cable::named(1, "eth1", "far");
    let program = attach(&cable, AttachMethod::Link);
    let map = program.map().as_fd().try_clone_to_owned().unwrap();
    let server = Server::start(plugin, map);
    // In a pod the worker opens it itself, with CAP_NET_RAW.
    let fd = open(&cable.left);
    let (ready, when_ready) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let (left, path) = (&cable.left, &server.path);
        let worker = scope.spawn(move || {
            without_rights(left, || {
                let mut plugin = Client::connect(path, "pod", PATIENCE)?;
                assert_eq!(plugin.version()?, "0.1");
                let map = plugin.xsk_map("eth1")?;
                plugin.finish()?;
                let interface = xsk::Interface::by_name("eth1")?;
                let (umem, pool) = Umem::builder().chunk_count(64).build()?;
                let socket = Socket::builder(&umem).open_with(fd)?.bind(&interface, 0)?;
                let slot = socket.register_in(&map, 0)?;
                let mut port = Port::new(umem, pool, socket);
                port.socket.fill.fill_from(&mut port.pool, 64)?;
                ready.send(()).unwrap();
                let mut received = 0;
                crate::common::wait_for("packets", || {
                    received +=
                        port.socket.rx.receive(64).unwrap().recycle(&mut port.socket.fill).unwrap();
                    received == 20
                });
                slot.remove()
            })
        });
        if when_ready.recv().is_ok() {
            send(&cable, 20);
        }
        assert!(worker.join().unwrap().unwrap());
    });
    assert_eq!(server.end(), ["/connect,pod", "/version", "/xsk_map_fd,eth1", "/fin"]);
}

#[test]
fn refusals_of_the_plugin_are_reported() {
    let server = Server::start(plugin, null());
    let refused = fault(Client::connect(&server.path, "other-pod", PATIENCE));
    let (request, reply) = ("/connect,other-pod".to_owned(), "/host_nak".to_owned());
    assert_eq!(refused, HandoverFault::Refused { request, reply });
    server.end();
    let server = Server::start(plugin, null());
    let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
    let refused = fault(client.xsk_map("eth2"));
    let (request, reply) = ("/xsk_map_fd,eth2".to_owned(), "/fd_nak".to_owned());
    assert_eq!(refused, HandoverFault::Refused { request, reply });
    // The connection goes on. What comes is no map.
    let error = client.xsk_map("eth1").unwrap_err();
    assert!(matches!(error, Error::BpfObject { errno: Errno::INVAL, .. }), "{error:?}");
    client.finish().unwrap();
    server.end();
}

#[test]
fn a_plugin_that_is_not_there_is_reported() {
    let path = new_path();
    let errno = |result: xsk::Result<Client>| result.unwrap_err().errno();
    assert_eq!(errno(Client::connect(&path, "pod", PATIENCE)), Some(Errno::NOENT));
    // A socket on which nothing listens, and one of another kind.
    drop(listener(&path));
    // A child that another test has forked listens until it calls `execve(2)`.
    let soon = Duration::from_millis(100);
    crate::common::wait_for("a refusal", || {
        errno(Client::connect(&path, "pod", soon)) == Some(Errno::CONNREFUSED)
    });
    std::fs::remove_file(&path).unwrap();
    let stream = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(errno(Client::connect(&path, "pod", PATIENCE)), Some(Errno::PROTOTYPE));
    drop(stream);
    std::fs::remove_file(&path).unwrap();
    let long = "x".repeat(200);
    assert_eq!(errno(Client::connect(&long, "pod", PATIENCE)), Some(Errno::NAMETOOLONG));
}

#[test]
fn a_plugin_that_hangs_is_waited_for_so_long() {
    let limit = Duration::from_millis(50);
    let is_over = |result: xsk::Result<()>, start: Instant| {
        let HandoverFault::TimedOut { waited } = fault(result) else { panic!() };
        assert!(waited >= limit && start.elapsed() < PATIENCE, "{waited:?}");
    };
    // It never accepts; it accepts and never replies; it never replies later.
    let path = new_path();
    let listener = listener(&path);
    let start = Instant::now();
    is_over(Client::connect(&path, "pod", limit).map(drop), start);
    // Its queue of connections is full.
    let mut kept = vec![];
    let full = loop {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let address = SocketAddrUnix::new(&path).unwrap();
        match rustix::net::connect(&socket, &address) {
            Ok(()) => kept.push(socket),
            Err(errno) => break errno,
        }
    };
    assert_eq!(full, Errno::AGAIN);
    let start = Instant::now();
    is_over(Client::connect(&path, "pod", limit).map(drop), start);
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    let server = Server::start(|_| Reply::Hang, null());
    let start = Instant::now();
    is_over(Client::connect(&server.path, "pod", limit).map(drop), start);
    server.end();
    let later: Replies = |request| match request {
        "/xsk_map_fd,eth1" | "/fin" => Reply::Hang,
        request => plugin(request),
    };
    let server = Server::start(later, null());
    let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
    client.set_timeout(limit);
    let start = Instant::now();
    is_over(client.xsk_map("eth1").map(drop), start);
    is_over(client.finish(), start);
    server.end();
}

/// Else the map of one device is taken for that of another.
#[test]
fn a_late_reply_is_not_taken_for_that_to_another_request() {
    let late: Replies = |request| match request {
        "/xsk_map_fd,eth1" => Reply::Late(b"/fd_ack", 1),
        "/version" => Reply::Late(b"0.1", 0),
        request => plugin(request),
    };
    let server = Server::start(late, null());
    let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
    client.set_timeout(LATE / 4);
    assert!(matches!(fault(client.xsk_map("eth1")), HandoverFault::TimedOut { .. }));
    assert!(matches!(fault(client.version()), HandoverFault::TimedOut { .. }));
    client.set_timeout(PATIENCE);
    let (request, reply) = ("/xsk_map_fd,eth2".to_owned(), "/fd_nak".to_owned());
    assert_eq!(fault(client.xsk_map("eth2")), HandoverFault::Refused { request, reply });
    client.finish().unwrap();
    let asked = ["/connect,pod", "/xsk_map_fd,eth1", "/version", "/xsk_map_fd,eth2", "/fin"];
    assert_eq!(server.end(), asked);
}

#[test]
fn a_plugin_that_closes_or_talks_nonsense_is_reported() {
    let server = Server::start(|_| Reply::Close, null());
    let closed = HandoverFault::Closed { bytes: 0 };
    assert_eq!(fault(Client::connect(&server.path, "pod", PATIENCE)), closed);
    server.end();
    let closes: Replies = |request| match request {
        "/xsk_map_fd,eth1" => Reply::Close,
        request => plugin(request),
    };
    let server = Server::start(closes, null());
    let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
    assert_eq!(fault(client.xsk_map("eth1")), closed);
    // And once more, now that nothing is at the other end.
    assert!(matches!(fault(client.finish()), HandoverFault::Socket { errno: Errno::PIPE }));
    server.end();

    static NONSENSE: [&[u8]; 5] =
        [b"/fd_ack", b"/host_ok_", b"\x7fELF\xff\n", b" /host_ok", b"HTTP/1.1 400 Bad Request"];
    let nonsense: [Replies; 5] = [
        |_| Reply::Text(NONSENSE[0], 0),
        |_| Reply::Text(NONSENSE[1], 0),
        |_| Reply::Text(NONSENSE[2], 0),
        |_| Reply::Text(NONSENSE[3], 0),
        |_| Reply::Text(NONSENSE[4], 0),
    ];
    for replies in nonsense {
        let server = Server::start(replies, null());
        let found = fault(Client::connect(&server.path, "pod", PATIENCE));
        assert!(matches!(found, HandoverFault::Unexpected { .. }), "{found:?}");
        let request = "/connect,pod";
        assert!(format!("{found}").contains(request) && format!("{found}").is_ascii(), "{found}");
        server.end();
    }
    // Longer than any reply, even if it begins as one.
    static LONG: &[u8] = &[0; 4096];
    let server = Server::start(|_| Reply::Text(LONG, 0), null());
    let found = fault(Client::connect(&server.path, "pod", PATIENCE));
    assert!(matches!(found, HandoverFault::Unexpected { .. }), "{found:?}");
    server.end();
    // A reply with C's zero byte is one.
    let with_zero: Replies = |request| match request {
        "/connect,pod" => Reply::Text(b"/host_ok\0", 0),
        "/version" => Reply::Text(b"/fd_ack", 0),
        request => plugin(request),
    };
    let server = Server::start(with_zero, null());
    let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
    assert!(matches!(fault(client.version()), HandoverFault::Unexpected { .. }));
    client.finish().unwrap();
    server.end();
}

#[test]
fn a_wrong_number_of_descriptors_is_refused() {
    let replies: [(Replies, usize); 3] =
        [(|r| acknowledged(r, 0), 0), (|r| acknowledged(r, 2), 2), (|r| acknowledged(r, 8), 8)];
    for (replies, count) in replies {
        let server = Server::start(replies, null());
        let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
        let HandoverFault::Descriptors { found, wanted: 1, cut } = fault(client.xsk_map("eth1"))
        else {
            panic!("{count}")
        };
        assert!(if cut { found < count } else { found == count }, "{count}: {found}");
        drop(client);
        server.end();
    }
}

/// As the plugin replies, but with so many descriptors.
fn acknowledged(request: &str, copies: usize) -> Reply {
    match request {
        "/xsk_map_fd,eth1" => Reply::Text(b"/fd_ack", copies),
        request => plugin(request),
    }
}

/// A server that sets an option, here another one, on the descriptor that comes with the request.
#[test]
fn busy_polling_is_switched_on_by_the_plugin() {
    if !privileged!() {
        return;
    }
    let path = new_path();
    let listener = listener(&path);
    let serve = move || {
        let connection = accept(&listener).unwrap();
        let mut buffer = [0; 64];
        recv(&connection, &mut buffer[..], RecvFlags::empty()).unwrap();
        reply_with(&connection, b"/host_ok", &[]);
        for reply in [&b"/config_busy_poll_ack"[..], b"/config_busy_poll_nak", b"/fd_ack"] {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut buffer = [0; 64];
            let iov = &mut [IoSliceMut::new(&mut buffer)];
            let message = recvmsg(&connection, iov, &mut control, RecvFlags::empty()).unwrap();
            assert_eq!(&buffer[..message.bytes], b"/config_busy_poll,20,64");
            let sockets: Vec<OwnedFd> = control
                .drain()
                .filter_map(|part| match part {
                    RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
                    _ => None,
                })
                .flatten()
                .collect();
            let [socket] = &sockets[..] else { panic!("{sockets:?}") };
            sockopt::set_socket_keepalive(socket, true).unwrap();
            reply_with(&connection, reply, &[]);
        }
    };
    let server = std::thread::spawn(serve);
    let socket = xsk::socket::XskFd::open().unwrap();
    let mut client = Client::connect(&path, "pod", PATIENCE).unwrap();
    client.set_busy_poll(&socket, 20, 64).unwrap();
    assert!(sockopt::socket_keepalive(&socket).unwrap(), "the plugin had this very socket");
    let refused = fault(client.set_busy_poll(&socket, 20, 64));
    assert!(matches!(refused, HandoverFault::Refused { .. }), "{refused:?}");
    let refused = fault(client.set_busy_poll(&socket, 20, 64));
    assert!(matches!(refused, HandoverFault::Unexpected { .. }), "{refused:?}");
    server.join().unwrap();
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_does_not_fit_a_request_is_refused_before() {
    let server = Server::start(plugin, null());
    let is_refused = |error: Error| assert!(matches!(error, Error::Setting { .. }), "{error:?}");
    for name in ["", "a,b", "a b", "a\0b", "a\nb", "é", &"x".repeat(56)] {
        is_refused(Client::connect(&server.path, name, PATIENCE).unwrap_err());
    }
    let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
    for name in ["", "a,b", "a b", &"x".repeat(53)] {
        is_refused(client.xsk_map(name).unwrap_err());
    }
    // The longest that fits: 64 bytes with the request.
    assert!(matches!(fault(client.xsk_map(&"x".repeat(52))), HandoverFault::Refused { .. }));
    client.finish().unwrap();
    server.end();
}

#[test]
fn a_map_of_another_kind_is_refused() {
    if !privileged!() {
        return;
    }
    use xsk::bpf::{Insn, Program, Reg};
    let pass = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let program = Program::builder(&pass).license(c"MIT").load().unwrap();
    let server = Server::start(plugin, program.as_fd().try_clone_to_owned().unwrap());
    let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
    let error = client.xsk_map("eth1").unwrap_err();
    assert!(matches!(error, Error::WrongObject { wanted: ObjectKind::XskMap, .. }), "{error:?}");
    assert!(error.to_string().starts_with("what the device plugin sent for eth1 is not a map"));
    client.finish().unwrap();
    server.end();
    let map = XskMap::create("xsks_map", 7).unwrap();
    let server = Server::start(plugin, map.as_fd().try_clone_to_owned().unwrap());
    let mut client = Client::connect(&server.path, "pod", PATIENCE).unwrap();
    assert_eq!(client.xsk_map("eth1").unwrap().id(), map.id());
    drop(client);
    server.end();
}
