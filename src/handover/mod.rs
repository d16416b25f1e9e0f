//! Rights apart: a helper with privileges opens a socket and attaches a program, a worker without
//! any receives and sends.
//!
//! | step | needs | who |
//! |---|---|---|
//! | open a socket ([`XskFd::open`]) | `CAP_NET_RAW` | helper |
//! | load and attach a program ([`Attachment`](crate::Attachment)) | `CAP_BPF`, `CAP_NET_ADMIN` | helper |
//! | hand both over ([`send`]) | nothing | helper |
//! | packet memory, rings, `bind` ([`SocketBuilder::open_with`](crate::socket::SocketBuilder::open_with)) | nothing, up to `RLIMIT_MEMLOCK`; above it `CAP_IPC_LOCK` | worker |
//! | put the socket into its slot ([`Socket::register_in`](crate::Socket::register_in)) | nothing (before 5.19 `CAP_BPF`, unless the sysctl `kernel.unprivileged_bpf_disabled` is 0) | worker |
//! | receive and send | nothing | worker |
//! | detach the program | by netlink `CAP_NET_ADMIN`; by a link ([`AttachMethod::Link`](crate::AttachMethod::Link)) nothing | helper |
//!
//! [`send`] and [`receive`] carry a [`Grant`] over a Unix socket;
//! `examples/worker_without_rights.rs` in the repository is a program of both. [`device_plugin`]
//! gets the map from the AF_XDP device plugin of Kubernetes.
//!
//! # What a killed process leaves behind
//! - *The worker*: nothing. The kernel closes the socket and empties its slot, and the queue's
//!   packets go to the kernel's stack. The helper can hand another socket over.
//! - *The helper*, by [`AttachMethod::Netlink`](crate::AttachMethod::Netlink): the program stays,
//!   and the worker goes on receiving. `ip link set dev NAME xdpdrv off` (or `xdpgeneric off`)
//!   takes it off, as does the next attachment that ends in order.
//! - *The helper*, by [`AttachMethod::Link`](crate::AttachMethod::Link): the kernel detaches the
//!   program, and the worker receives nothing more; its socket stays bound.

mod channel;
pub mod device_plugin;
mod grant;
mod message;

pub use grant::Grant;
pub(crate) use message::Message;

use crate::bpf::XskMap;
use crate::error::{Error, HandoverFault, Result};
use crate::socket::XskFd;
use channel::Deadline;
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Sends a grant over a Unix socket: a stream ([`UnixStream`](std::os::unix::net::UnixStream)) or
/// one with messages. This process's descriptors of the socket and the map are closed then.
///
/// The kernel holds on to the descriptors until the peer receives them, or the Unix socket is
/// closed. While the Unix socket's buffer is full, because the peer has not received what was sent
/// before, this waits: without a limit, as long as the peer keeps its end open.
///
/// # Errors
/// [`Error::Handover`]: with `EPIPE` if the peer has closed its end.
pub fn send(to: impl AsFd, grant: Grant) -> Result<()> {
    let Grant { interface_name, interface_index, queue, slot, copy_mode, multi_buffer, .. } =
        &grant;
    let message = Message {
        interface_name: interface_name.clone(),
        interface_index: *interface_index,
        queue: *queue,
        slot: *slot,
        copy_mode: *copy_mode,
        multi_buffer: *multi_buffer,
    };
    let descriptors = [grant.socket.as_fd(), grant.map.as_fd()];
    let deadline = Deadline::after(None);
    message
        .to_bytes()
        .and_then(|bytes| channel::send_all(to.as_fd(), &bytes, &descriptors, deadline))
        .map_err(|fault| Error::Handover { operation: "send a grant", fault })
}

/// Receives a grant that [`send`] sent; waits for it not longer than `timeout`.
///
/// The message and the descriptors are checked: the socket has to be one that was not used
/// ([`XskFd::from_fd`]), the map an XSKMAP. That does not replace trust in the peer, which may keep
/// descriptors of both ([`XskFd`], "Trust"). All descriptors that came are closed if this fails,
/// and by `execve(2)`. What else follows on a stream stays there.
///
/// # Errors
/// [`Error::Handover`] if the peer closes its end, hangs, or sends anything else than a grant of
/// this version with two descriptors; [`Error::WrongObject`] or [`Error::BpfObject`] if those are
/// of another kind.
pub fn receive(from: impl AsFd, timeout: Option<Duration>) -> Result<Grant> {
    let failed = |fault| Error::Handover { operation: "receive a grant", fault };
    let mut descriptors = Vec::new();
    let bytes = receive_message(from.as_fd(), &mut descriptors, timeout).map_err(failed)?;
    let message = Message::parse(&bytes).map_err(failed)?;
    let found = descriptors.len();
    let [socket, map] = <[OwnedFd; 2]>::try_from(descriptors)
        .map_err(|_| failed(HandoverFault::Descriptors { found, wanted: 2, cut: false }))?;
    let socket = XskFd::check(socket, "the socket that was handed over")?;
    let map = XskMap::check(map, || "the map that was handed over".to_owned())?;
    let Message { interface_name, interface_index, queue, slot, copy_mode, multi_buffer } = message;
    Ok(Grant { interface_name, interface_index, queue, slot, copy_mode, multi_buffer, socket, map })
}

/// Receives the bytes of a message, as far as they may be one.
fn receive_message(
    from: BorrowedFd<'_>,
    descriptors: &mut Vec<OwnedFd>,
    timeout: Option<Duration>,
) -> Result<Vec<u8>, HandoverFault> {
    let is_stream =
        socket_type(from).map_err(|errno| HandoverFault::Socket { errno })? == SocketType::STREAM;
    let deadline = Deadline::after(timeout);
    let mut buffer = [0; message::LEN];
    let mut len: usize = 0;
    while let Some(room) = buffer.get_mut(len..).filter(|room| !room.is_empty()) {
        let received = channel::receive(from, room, descriptors, deadline)?;
        let found = descriptors.len();
        if found > 2 || received.descriptors_cut {
            let cut = received.descriptors_cut;
            return Err(HandoverFault::Descriptors { found, wanted: 2, cut });
        }
        if received.bytes == 0 {
            return Err(HandoverFault::Closed { bytes: len });
        }
        if received.cut {
            return Err(HandoverFault::Malformed { rule: "it has 48 bytes" });
        }
        len = len.saturating_add(received.bytes);
        if !is_stream {
            break;
        }
        Message::check_head(buffer.get(..len).unwrap_or_default())?;
    }
    Ok(buffer.get(..len).unwrap_or_default().to_vec())
}
