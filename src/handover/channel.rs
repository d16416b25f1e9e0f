//! A Unix socket, by which bytes and descriptors come.

use crate::error::HandoverFault;
use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, send, sendmsg,
};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// The descriptors that there is room for at least: one more than any message has, so that one too
/// many is seen. The kernel closes those for which there is none.
const MOST: usize = 3;

/// When a wait is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    start: Instant,
    limit: Option<Duration>,
}

impl Deadline {
    pub(super) fn after(limit: Option<Duration>) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// Waits until `socket` has `what`.
    fn wait(&self, socket: BorrowedFd<'_>, what: PollFlags) -> Result<(), HandoverFault> {
        loop {
            let waited = self.start.elapsed();
            let left = self.limit.map(|limit| limit.saturating_sub(waited));
            // A limit that the kernel's type does not hold is none.
            let time = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::from_borrowed_fd(socket, what)], time.as_ref()) {
                Ok(0) => return Err(HandoverFault::TimedOut { waited: self.start.elapsed() }),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(HandoverFault::Socket { errno }),
            }
        }
    }
}

/// What was received by one call.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: usize,
    /// Whether the message was longer than the buffer; not of a stream, which has no messages.
    pub(super) cut: bool,
    /// Whether more descriptors were sent than came.
    pub(super) descriptors_cut: bool,
}

/// Receives what is there, or waits for it; no bytes at all at the end of the stream. Descriptors
/// that come are added to `descriptors`; they are closed by `execve(2)`.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    into: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    deadline: Deadline,
) -> Result<Received, HandoverFault> {
    loop {
        // The credentials come first if the socket's `SO_PASSCRED` is set.
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST), ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        match recvmsg(socket, &mut [IoSliceMut::new(into)], &mut control, flags) {
            Ok(message) => {
                for part in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(those) = part {
                        descriptors.extend(those);
                    }
                }
                return Ok(Received {
                    bytes: message.bytes,
                    cut: message.flags.contains(ReturnFlags::TRUNC),
                    descriptors_cut: message.flags.contains(ReturnFlags::CTRUNC),
                });
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => deadline.wait(socket, PollFlags::IN)?,
            Err(errno) => return Err(HandoverFault::Socket { errno }),
        }
    }
}

/// Sends all of `bytes`, with the descriptors beside the first of them.
pub(super) fn send_all(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
    deadline: Deadline,
) -> Result<(), HandoverFault> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let mut sent: usize = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        let result = if sent == 0 && !descriptors.is_empty() {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                return Err(HandoverFault::Socket { errno: Errno::TOOMANYREFS });
            }
            sendmsg(socket, &[IoSlice::new(rest)], &mut control, flags)
        } else {
            send(socket, rest, flags)
        };
        match result {
            Ok(bytes) => sent = sent.saturating_add(bytes),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => deadline.wait(socket, PollFlags::OUT)?,
            Err(errno) => return Err(HandoverFault::Socket { errno }),
        }
    }
    Ok(())
}
