//! A netlink socket, and the conversations over it: a request, its replies, its acknowledgement.

use super::ack::Ack;
use super::message::{Message, Request, messages};
use crate::sys::netlink::{self, Family};
use rustix::io::Errno;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use xsk_uapi::netlink::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN,
};

/// How often a dump is requested because what it describes was changed meanwhile.
const DUMP_ATTEMPTS: usize = 16;

/// The kernel's refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason.
    pub(crate) errno: Errno,
    /// The kernel's text.
    pub(crate) text: Option<String>,
}

impl<T: Into<Errno>> From<T> for Refusal {
    fn from(errno: T) -> Self {
        Self { errno: errno.into(), text: None }
    }
}

/// A copy of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    flags: u16,
    kind: u16,
    payload: Vec<u8>,
}

impl Reply {
    /// Returns the reply as a message.
    pub(crate) fn message(&self) -> Message<'_> {
        Message { kind: self.kind, flags: self.flags, sequence: 0, payload: &self.payload }
    }
}

/// A netlink socket. It stays in the network namespace that it was opened in.
#[derive(Debug)]
pub(crate) struct Netlink {
    fd: OwnedFd,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sequence: u32,
    buffer: Vec<u8>,
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Netlink {
    /// Opens a socket in the calling thread's network namespace.
    pub(crate) fn open(family: Family) -> Result<Self, Errno> {
        Self::open_as(family, 0)
    }

    /// The same, with an address: `EADDRINUSE` if a socket of the namespace has it. 0 has the kernel
    /// choose one.
    pub(crate) fn open_as(family: Family, number: u32) -> Result<Self, Errno> {
        Ok(Self { fd: netlink::open_as(family, number)?, state: Mutex::default() })
    }

    /// Opens a socket whose address is not likely to be one in another namespace; returns both.
    pub(crate) fn open_with_address(family: Family) -> Option<(Self, u32)> {
        // Those that the kernel chooses are process ids, which are below 2^22, and negative numbers.
        const OURS: u32 = 1 << 30;
        let random = RandomState::new().build_hasher().finish();
        let address = u32::try_from(random >> 34).ok()? | OURS; // 30 bits
        Self::open_as(family, address).ok().map(|socket| (socket, address))
    }

    /// Sends a request and collects everything up to its acknowledgement, or to the end of its
    /// dump.
    ///
    /// A dump that was interrupted by a change is requested again.
    pub(crate) fn ask(&self, request: &Request) -> Result<Vec<Reply>, Refusal> {
        // A conversation that panicked may leave replies behind. Their sequence numbers are other
        // ones.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..DUMP_ATTEMPTS {
            state.sequence = state.sequence.wrapping_add(1);
            let bytes = request.finish(state.sequence).ok_or(Errno::MSGSIZE)?;
            netlink::send(self.as_fd(), &bytes)?;
            if let Some(replies) = self.collect(&mut state, request)? {
                return Ok(replies);
            }
        }
        Err(Errno::INTR.into())
    }

    /// Reads replies up to the end; returns `None` for an interrupted dump.
    fn collect(&self, state: &mut State, request: &Request) -> Result<Option<Vec<Reply>>, Refusal> {
        let mut conversation =
            Conversation::new(state.sequence, request.flags() & NLM_F_DUMP == NLM_F_DUMP);
        loop {
            netlink::receive(self.as_fd(), &mut state.buffer)?;
            if let Some(end) = conversation.read(&state.buffer)? {
                if let Some(errno) = end.errno {
                    return Err(Refusal { errno, text: end.text });
                }
                return Ok((!conversation.interrupted()).then_some(conversation.replies));
            }
        }
    }
}

/// The replies to one request so far. It has no socket, so that a test can feed any bytes to it.
#[derive(Debug)]
pub(crate) struct Conversation {
    sequence: u32,
    dump: bool,
    interrupted: bool,
    replies: Vec<Reply>,
}

impl Conversation {
    /// Returns a conversation that expects replies with the number `sequence`.
    pub(crate) fn new(sequence: u32, dump: bool) -> Self {
        Self { sequence, dump, interrupted: false, replies: Vec::new() }
    }

    /// The replies so far.
    #[cfg(test)]
    pub(crate) fn replies(&self) -> &[Reply] {
        &self.replies
    }

    /// Returns whether what is being dumped was changed meanwhile.
    pub(crate) fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// Reads a datagram; returns the acknowledgement if it is in it.
    pub(crate) fn read(&mut self, datagram: &[u8]) -> Result<Option<Ack>, Errno> {
        for message in messages(datagram) {
            let message = message?;
            if message.sequence != self.sequence {
                // It belongs to an earlier conversation that was given up.
                continue;
            }
            self.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.kind {
                NLMSG_NOOP => {}
                NLMSG_OVERRUN => return Err(Errno::OVERFLOW),
                NLMSG_DONE => return Ok(Some(Ack::of_done(&message)?)),
                NLMSG_ERROR => {
                    let ack = Ack::of_error(&message)?;
                    // A dump ends with NLMSG_DONE; an error before that ends it too.
                    if !self.dump || ack.errno.is_some() {
                        return Ok(Some(ack));
                    }
                }
                kind => {
                    self.replies.push(Reply {
                        flags: message.flags,
                        kind,
                        payload: message.payload.to_vec(),
                    });
                }
            }
        }
        Ok(None)
    }
}
