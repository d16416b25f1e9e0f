//! A Unix socket, by which bytes and descriptors come.

use crate::error::HandoverFault;
use crate::sys::sockopt;
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

/// Keeps the kernel from passing a descriptor of the sender with each message (`SO_PASSPIDFD`, 6.5),
/// if the owner of the socket has asked for that: [`RecvAncillaryBuffer`] passes over a message of
/// this kind, and its descriptor would stay open.
struct WithoutPidfd<'a>(Option<BorrowedFd<'a>>);

impl<'a> WithoutPidfd<'a> {
    fn new(socket: BorrowedFd<'a>) -> Result<Self, HandoverFault> {
        if !sockopt::passes_pidfd(socket) {
            return Ok(Self(None));
        }
        sockopt::set_passes_pidfd(socket, false)
            .map_err(|errno| HandoverFault::Socket { errno })?;
        Ok(Self(Some(socket)))
    }
}

impl Drop for WithoutPidfd<'_> {
    fn drop(&mut self) {
        if let Some(socket) = self.0 {
            let _ = sockopt::set_passes_pidfd(socket, true);
        }
    }
}

/// Receives what is there, or waits for it; no bytes at all at the end of the stream. Descriptors
/// that come are added to `descriptors`; they are closed by `execve(2)`.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    into: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    deadline: Deadline,
) -> Result<Received, HandoverFault> {
    let _without = WithoutPidfd::new(socket)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    /// Returns how many descriptors of this process are those of processes.
    fn pidfds() -> usize {
        let all = std::fs::read_dir("/proc/self/fd").unwrap();
        let names = all.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        names.filter(|name| name.to_string_lossy().contains("pidfd")).count()
    }

    #[test]
    fn a_descriptor_of_the_sender_does_not_stay_open() {
        const MESSAGES: usize = 32;
        let (here, there) = UnixDatagram::pair().unwrap();
        // Before 6.5 there is no such option.
        let can = sockopt::set_passes_pidfd(here.as_fd(), true).is_ok();
        let (mut bytes, mut descriptors) = ([0; 16], Vec::new());
        for _ in 0..MESSAGES {
            there.send(b"message").unwrap();
            let deadline = Deadline::after(Some(Duration::from_secs(10)));
            let received = receive(here.as_fd(), &mut bytes, &mut descriptors, deadline).unwrap();
            assert_eq!(received.bytes, 7);
        }
        assert!(descriptors.is_empty());
        // Other tests have a few at most.
        assert!(pidfds() < MESSAGES);
        assert_eq!(sockopt::passes_pidfd(here.as_fd()), can, "the option is as it was");
    }
}
