//! How a user holds an attached program, and how it lets go.

use super::ModeReason;
use super::bpf_link::Link;
use super::lock::{LockSocket, Mark};
use super::netlink::detach_netlink;
use super::usage::MapAndProbe;
use crate::bpf::{Program, XskMap};
use crate::error::{Error, Result, SlotOp};
use crate::interface::Interface;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use rustix::process::{Pid, getpid};
use std::os::fd::AsFd;
use std::time::Duration;

/// How long a value that is dropped waits for the lock at most: nobody expects dropping to take long.
const DROP_PATIENCE: Duration = Duration::from_secs(1);

/// What the clones of an attachment and its registrations have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) interface: Interface,
    pub(super) mode: XdpMode,
    pub(super) reason: ModeReason,
    pub(super) method: AttachMethod,
    pub(super) program_id: u32,
    pub(super) joined: bool,
    pub(super) parts: MapAndProbe,
    pub(super) ownership: Ownership,
    pub(super) patience: Duration,
    /// The process that made it.
    pub(super) owner: Pid,
}

/// How this user holds the program.
#[derive(Debug)]
pub(super) enum Ownership {
    /// Not any more.
    Released,
    /// By descriptors of its link: the kernel counts them.
    Link {
        /// Closed last of all.
        _links: Vec<Link>,
    },
    /// By a mark; the last one who has such a mark detaches the program, under the lock.
    Netlink { mark: Mark, lock: LockSocket, program: Program },
    /// By a mark that keeps others of this crate from detaching it; it is not this one's to detach.
    Guest { _mark: Mark },
}

impl Shared {
    pub(super) fn map(&self) -> &XskMap {
        &self.parts.map
    }

    pub(super) fn slot_error(&self, index: u32, errno: Errno) -> Error {
        Error::UpdateMap { operation: SlotOp::Insert, index, entries: self.map().entries(), errno }
    }

    /// Whether our program is on the interface, and not another one.
    fn is_attached(&self) -> Result<bool> {
        match self.interface.attached_programs() {
            Ok(state) => Ok(state.program(self.mode) == Some(self.program_id)),
            Err(Error::Interface { errno: Errno::NODEV, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn require_attached(&self) -> Result<()> {
        let state = self.interface.attached_programs()?;
        if state.program(self.mode) == Some(self.program_id) {
            return Ok(());
        }
        let found = state.programs().next();
        Err(Error::OtherAttachment {
            interface: self.interface.name().to_owned(),
            wanted: format!("program {} in {} mode", self.program_id, self.mode),
            found: found.map_or_else(
                || "no program".to_owned(),
                |(mode, id)| format!("program {id} in {mode} mode"),
            ),
        })
    }

    /// Lets go of the program; `patience` is for the lock.
    pub(super) fn release(&mut self, patience: Duration) -> Result<()> {
        // What is held is let go of whatever fails. A copy in a forked child owns nothing.
        let ownership = std::mem::replace(&mut self.ownership, Ownership::Released);
        let Ownership::Netlink { mark, lock, program } = ownership else {
            return Ok(());
        };
        if self.owner != getpid() {
            return Ok(());
        }
        let lock = lock.acquire(self.interface.index(), patience)?;
        drop(mark);
        if self.parts.users(&lock, self.program_id)?.any() || !self.is_attached()? {
            return Ok(());
        }
        let answer = detach_netlink(&self.interface, self.mode, program.as_fd(), self.program_id);
        match answer {
            // Another program has taken its place in between, or the interface has gone.
            Err(_) if !self.is_attached()? => Ok(()),
            answer => answer,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Who wants to know calls `close`.
        let _ = self.release(self.patience.min(DROP_PATIENCE));
    }
}
