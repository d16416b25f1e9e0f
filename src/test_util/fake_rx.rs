//! The kernel's side of an RX ring of a fake kernel.

use crate::error::{Error, Result};
use crate::ring::{Memory, Producer, RingKind};
use rustix::event::EventfdFlags;
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::Weak;
use xsk_uapi::if_xdp::xdp_desc;

/// The kernel's side of an RX ring, and the descriptor by which its socket is waited for.
#[derive(Debug)]
pub(super) struct FakeRx {
    pub(super) ring: Producer<xdp_desc>,
    /// Whether the kernel must not touch the ring's entries any more, after a hostile step.
    pub(super) ended: bool,
    /// Ends with the socket, if the kernel knows.
    alive: Option<Weak<()>>,
    /// An `eventfd` that is readable while the ring holds packets; the socket has another descriptor
    /// of it.
    fd: OwnedFd,
    /// Whether the descriptor is readable.
    readable: bool,
}

impl FakeRx {
    /// Makes the kernel's side of the ring in `memory`; also returns the socket's descriptor.
    pub(super) fn new(
        memory: Memory<xdp_desc>,
        alive: Option<Weak<()>>,
    ) -> Result<(Self, OwnedFd)> {
        let fd: OwnedFd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| Error::CreateSocket { errno })?;
        let of_socket = fd.try_clone().map_err(|error| Error::CreateSocket {
            errno: Errno::from_io_error(&error).unwrap_or(Errno::MFILE),
        })?;
        let ring = Producer::new(RingKind::Rx, memory);
        Ok((Self { ring, ended: false, alive, fd, readable: false }, of_socket))
    }

    /// Returns whether the socket was not closed, as far as the kernel knows.
    pub(super) fn is_alive(&self) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.strong_count() > 0)
    }

    pub(super) fn has_room(&mut self, frames: u32) -> bool {
        !self.ended && self.is_alive() && self.ring.free(frames) == Ok(frames)
    }

    /// Writes an entry, if a slot is free.
    pub(super) fn produce(&mut self, desc: xdp_desc) {
        if self.ended {
            return;
        }
        if let Ok(mut slot) = self.ring.write(1) {
            slot.write(desc);
        }
        if !self.readable {
            let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
            self.readable = true;
        }
    }

    /// Makes the descriptor unreadable again if everything that was delivered was received.
    pub(super) fn drain_if_empty(&mut self) {
        if self.readable && self.ring.pending() == 0 {
            let mut count = [0; 8];
            let _ = rustix::io::read(&self.fd, &mut count);
            self.readable = false;
        }
    }
}
