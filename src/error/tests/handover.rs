//! Texts of errors about what one process hands over to another.

use super::Texts;
use crate::error::{Error, HandoverFault, ObjectKind};
use crate::types::RingKind;
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
    let receive = |fault| Error::Handover {
        operation: "receive a grant",
        fault,
    };
    let map = |fault| Error::Handover {
        operation: "ask the device plugin for a map",
        fault,
    };
    let connect = |errno| Error::Handover {
        operation: "connect to the device plugin",
        fault: HandoverFault::Socket { errno },
    };
    let (request, reply) = ("/xsk_map_fd,eth1".to_owned(), "/fd_nak".to_owned());
    let strange = "\\x7fELF".to_owned();
    vec![
        (receive(HandoverFault::Closed { bytes: 12 }), expect!["cannot receive a grant: the other end was closed after 12 bytes of the message. The other process has ended, or has closed its end: look at what it reported"]),
        (receive(HandoverFault::TimedOut { waited: Duration::from_millis(1500) }), expect!["cannot receive a grant: nothing came for 1500 ms. The other process hangs, or has more to do: look what it does, or wait longer"]),
        (receive(HandoverFault::Version { found: 2 }), expect!["cannot receive a grant: the message is of version 2, and this crate reads version 1. The other process uses another version of this crate: build both with the same one"]),
        (receive(HandoverFault::Malformed { rule: "it has 48 bytes" }), expect!["cannot receive a grant: the message breaks a rule: it has 48 bytes. Something else than `xsk::handover::send` is at the other end"]),
        (receive(HandoverFault::Descriptors { found: 3, wanted: 2, cut: false }), expect!["cannot receive a grant: 3 descriptor(s) came in place of 2. Something else than `xsk::handover::send` is at the other end"]),
        (receive(HandoverFault::Descriptors { found: 1, wanted: 2, cut: true }), expect!["cannot receive a grant: 1 descriptor(s) came in place of 2, and more were sent. This process may have too many open files (`ulimit -n`), or a security module does not let it have them"]),
        (receive(HandoverFault::Socket { errno: Errno::CONNRESET }), expect!["cannot receive a grant: ECONNRESET (Connection reset by peer). The other process has ended, or has closed its end: look at what it reported"]),
        (receive(HandoverFault::Socket { errno: Errno::NOTSOCK }), expect!["cannot receive a grant: ENOTSOCK (Socket operation on non-socket)"]),
        (connect(Errno::NOENT), expect!["cannot connect to the device plugin: ENOENT (No such file or directory). Is the device plugin's socket mounted into this container, and the pod's resource that of the AF_XDP device plugin?"]),
        (connect(Errno::ACCESS), expect!["cannot connect to the device plugin: EACCES (Permission denied). The socket's file belongs to another user: `chown` or `chmod` it"]),
        (map(HandoverFault::Refused { request: request.clone(), reply }), expect![[r#"cannot ask the device plugin for a map: the request "/xsk_map_fd,eth1" was refused: "/fd_nak". The device plugin does not know the host name as that of a pod with its devices, or the device as one of this pod's"#]]),
        (map(HandoverFault::Unexpected { request, reply: strange }), expect![[r#"cannot ask the device plugin for a map: "\x7fELF" is no reply to "/xsk_map_fd,eth1". Something else than a device plugin of intel/afxdp-plugins-for-kubernetes is at the other end, or one of another version"#]]),
        (Error::WrongObject { object: "the socket that was handed over".to_owned(), wanted: ObjectKind::FreshSocket }, expect!["the socket that was handed over is not an AF_XDP socket that was opened and not used. Only one that nothing has registered memory with, given rings or bound can become a socket here: open it (`XskFd::open`) and hand it over at once"]),
        (Error::RegisterUmem { bytes: 4096, chunk_size: 4096, headroom: 0, memlock: None, errno: Errno::BUSY }, expect!["cannot register 4096 bytes of packet memory (chunks of 4096, headroom 0): EBUSY (Device or resource busy). Something else has used the socket since it was opened: it was handed over to two processes, or twice. Open a new one"]),
        (Error::CreateRing { ring: RingKind::Rx, entries: 64, errno: Errno::BUSY }, expect!["cannot make the RX ring of 64 entries: EBUSY (Device or resource busy). Something else has used the socket since it was opened: it was handed over to two processes, or twice. Open a new one"]),
    ]
}
