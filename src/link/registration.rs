//! A socket's slot in the map of an attached program.

use super::attachment::Shared;
use crate::Result;
use rustix::process::getpid;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// A socket in its slot: packets of the queue go to it while this value lives.
///
/// Dropping it empties the slot, unless another socket has it by then. It keeps the
/// [`Attachment`](super::Attachment) alive, and a descriptor of the socket open: the kernel lets go of the socket,
/// its queue and its memory only after this value is dropped.
#[derive(Debug)]
#[must_use = "dropping it takes the socket out of the map"]
pub struct Registration {
    shared: Arc<Shared>,
    slot: u32,
    /// Proves, while it is open, whose the slot is. `None` once the slot is given up.
    socket: Option<OwnedFd>,
}

impl Registration {
    pub(super) fn new(shared: Arc<Shared>, slot: u32, socket: OwnedFd) -> Self {
        Self {
            shared,
            slot,
            socket: Some(socket),
        }
    }

    /// The slot: the queue's number.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Empties the slot as dropping does, and says if that failed.
    ///
    /// # Errors
    /// [`Error::UpdateMap`](crate::Error::UpdateMap).
    pub fn close(mut self) -> Result<()> {
        self.leave()
    }

    fn leave(&mut self) -> Result<()> {
        match self.socket.take() {
            // A copy in a forked child is not the slot's owner.
            Some(socket) if self.shared.owner == getpid() => self
                .shared
                .map()
                .remove_own(self.slot, socket.as_fd())
                .map(drop),
            _ => Ok(()),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // The kernel empties the slot when the socket is closed: this only does it earlier.
        let _ = self.leave();
    }
}
