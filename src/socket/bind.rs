//! Binds a socket to a queue of an interface.

use super::bind_error::BindError;
use super::copy_reason::CopyReason;
use super::inner::TxAbilities;
use super::packet_tx::{max_frames_copied, max_frames_of_card};
use super::unbound::Unbound;
use super::{CopyMode, SocketHandle, SocketKind};
use crate::error::{Error, Result};
use crate::interface::{Interface, Queues, XdpFeatures};
use crate::ring::RingKind;
use crate::sys::release::is_before;
use crate::sys::xsk as sys;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use xsk_uapi::if_xdp as uapi;

/// The first pause between two attempts to bind to a taken queue, and the longest. Each attempt
/// takes the lock of all network settings (RTNL); the kernel frees a queue up to 20 ms after its
/// last use.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

impl<S: SocketKind> Unbound<S> {
    /// `bind(fd, {AF_XDP, flags, interface, queue}, 16)`: gives the socket a queue of an interface.
    ///
    /// This works whether or not a program is attached that redirects to the socket; without one,
    /// nothing is received. While the queue is taken, it tries again for as long as
    /// [`bind_timeout`](super::SocketBuilder::bind_timeout) says.
    ///
    /// A queue takes one socket, and those that share it ([`Socket::share_queue`](super::Socket)). The
    /// interface should be up: what is sent before waits in the TX ring, and zero-copy drivers may
    /// refuse.
    ///
    /// # Errors
    /// The socket comes back in the [`BindError`], with what is in its fill ring.
    /// [`Error::Setting`] for a queue above 65535, of whose number the kernel would take the lower
    /// 16 bits, and for zero-copy with chunks whose size is no power of two; [`Error::QueueSide`]
    /// for one that has no RX side, where the socket receives, or no TX side, where it sends;
    /// [`Error::Bind`] if the kernel refuses.
    #[expect(clippy::result_large_err, reason = "a refused bind gives the socket back")]
    pub fn bind(self, interface: &Interface, queue: u32) -> Result<S, BindError<S>> {
        let copy = match self.try_bind(interface, queue) {
            Ok(copy) => copy,
            Err(error) => return Err(BindError { error, socket: self }),
        };
        let handle =
            SocketHandle::new(self.inner, interface.name(), interface.index(), queue, copy);
        let has_tx_metadata = handle.umem().geometry().has_tx_metadata();
        // What is not known the driver does not have.
        let features = if S::MULTI_BUFFER || has_tx_metadata {
            interface.xdp_features().ok().flatten().unwrap_or_default()
        } else {
            XdpFeatures::default()
        };
        let lends_pages = (S::MULTI_BUFFER || has_tx_metadata)
            && !handle.is_zero_copy()
            && lends_pages(interface);
        if has_tx_metadata {
            handle.inner().set_tx_abilities(TxAbilities {
                checksum: if handle.is_zero_copy() {
                    features.tx_checksum()
                } else {
                    let software = handle.umem().has_software_checksum();
                    !lends_pages || computes_lent_checksums(software, is_before(6, 18))
                },
                launch_time: features.tx_launch_time(),
            });
        }
        let max_frames = match (S::MULTI_BUFFER, handle.is_zero_copy()) {
            (false, _) => 1,
            (true, true) => max_frames_of_card(features.zero_copy_max_segments()),
            (true, false) => {
                max_frames_copied(lends_pages, !handle.umem().chunk_size().is_power_of_two())
            }
        };
        Ok(S::build(self.rx, self.tx, self.fill, self.completion, handle, max_frames))
    }

    /// Binds; returns whether the mode is zero-copy, and why.
    fn try_bind(&self, interface: &Interface, queue: u32) -> Result<(bool, CopyReason)> {
        // The kernel cuts the number to 16 bits before it looks whether there is such a queue.
        if queue > u32::from(u16::MAX) {
            let rule = "is below 65536";
            return Err(Error::Setting { name: "queue", value: u64::from(queue), rule });
        }
        self.require_same_namespace(interface)?;
        self.require_another_queue(interface, queue)?;
        // Read once, for the check and for the error.
        let queues = interface.queues().ok();
        if let Some(queues) = queues {
            require_sides::<S>(interface, queue, queues)?;
        }
        let started = Instant::now();
        let bind = |flag| self.bind_with(flag, interface.index(), queue, started);
        let (bound, reason) = match self.bind.copy {
            // The kernel takes no mode: it is that of the other socket.
            _ if self.shares.is_some() => (bind(0), CopyReason::Shared),
            CopyMode::Auto if self.crosses_pages() => {
                (bind(uapi::XDP_COPY), CopyReason::CrossesPages)
            }
            CopyMode::ZeroCopy if self.crosses_pages() => {
                let rule = "is a power of two for zero-copy, such as 2048 or 4096, because a \
                    card takes no chunk that crosses pages; others are for copy mode \
                    (`CopyMode::Copy`)";
                let value = self.inner.pool.umem.chunk_size().into();
                return Err(Error::Setting { name: "chunk size", value, rule });
            }
            CopyMode::Copy => (bind(uapi::XDP_COPY), CopyReason::Asked),
            CopyMode::ZeroCopy => (bind(uapi::XDP_ZEROCOPY), CopyReason::Asked),
            CopyMode::Auto => match bind(uapi::XDP_ZEROCOPY) {
                Ok(()) => (Ok(()), CopyReason::ZeroCopy),
                Err(Errno::OPNOTSUPP) if S::MULTI_BUFFER && may_have_zero_copy(interface) => {
                    (bind(uapi::XDP_COPY), CopyReason::NoMultiBuffer)
                }
                // EBUSY after all the waiting can be the driver's, too; if the queue is taken, it
                // comes again.
                Err(errno) => (bind(uapi::XDP_COPY), CopyReason::Refused { errno }),
            },
        };
        let waited = started.elapsed();
        bound.map_err(|errno| match errno {
            Errno::INVAL if S::MULTI_BUFFER && self.shares.is_none() && is_before(6, 6) => {
                Error::NeedsKernel {
                    feature: "packets of several frames (XDP_USE_SG)",
                    version: "6.6",
                }
            }
            // Then only the queue of the other socket is possible.
            Errno::INVAL if self.shares.is_some() && is_before(5, 10) => Error::NeedsKernel {
                feature: "packet memory that sockets of several queues share",
                version: "5.10",
            },
            errno => Error::Bind {
                interface: interface.name().to_owned(),
                queue,
                queues: queues.map(|queues| queues.current()),
                copy: self.bind.copy,
                shared_with: self.shares.as_ref().map(SocketHandle::place),
                multi_buffer: S::MULTI_BUFFER,
                waited,
                holder: (errno == Errno::BUSY).then(|| interface.holder_of(queue)).flatten(),
                errno,
            },
        })?;
        let zero_copy = match sys::options(self.inner.as_fd()) {
            Ok(options) => options & uapi::XDP_OPTIONS_ZEROCOPY != 0,
            // Before 5.3 the kernel does not report it; it did what it was asked for last.
            Err(_) => self.bind.copy == CopyMode::ZeroCopy || reason == CopyReason::ZeroCopy,
        };
        Ok((zero_copy, reason))
    }

    /// Returns whether chunks cross pages: the kernel takes one that does for zero-copy only if the
    /// pages lie side by side (`xp_desc_crosses_non_contig_pg`, include/net/xsk_buff_pool.h), and
    /// drops it from the fill ring without a word.
    fn crosses_pages(&self) -> bool {
        !self.inner.pool.umem.chunk_size().is_power_of_two()
    }

    /// Binds in one mode; tries again while the queue is taken, until the time is over.
    fn bind_with(
        &self,
        mode: u16,
        interface: u32,
        queue: u32,
        started: Instant,
    ) -> Result<(), Errno> {
        let wakeup = if self.bind.need_wakeup { uapi::XDP_USE_NEED_WAKEUP } else { 0 };
        let frames = if S::MULTI_BUFFER { uapi::XDP_USE_SG } else { 0 };
        let [mut pause, longest] = PAUSES;
        let fd = self.inner.as_fd();
        let bind = || match &self.shares {
            Some(other) => sys::bind_shared(fd, interface, queue, other.as_fd()),
            None => sys::bind(fd, mode | wakeup | frames, interface, queue),
        };
        loop {
            match bind() {
                Err(Errno::BUSY) if started.elapsed() < self.bind.timeout => {
                    let left = self.bind.timeout.saturating_sub(started.elapsed());
                    std::thread::sleep(pause.min(left));
                    pause = pause.saturating_mul(2).min(longest);
                }
                done => return done,
            }
        }
    }

    /// Refuses the queue of the socket whose packet memory this one shares: it has a fill and a
    /// completion ring already.
    fn require_another_queue(&self, interface: &Interface, queue: u32) -> Result<()> {
        match &self.shares {
            Some(with) if (with.interface_index(), with.queue()) == (interface.index(), queue) => {
                Err(Error::Bind {
                    interface: interface.name().to_owned(),
                    queue,
                    queues: None,
                    copy: self.bind.copy,
                    shared_with: Some(with.place()),
                    multi_buffer: S::MULTI_BUFFER,
                    waited: Duration::ZERO,
                    holder: None,
                    errno: Errno::BUSY,
                })
            }
            _ => Ok(()),
        }
    }

    /// Refuses an interface of another namespace: the kernel looks the index up in the namespace
    /// that the socket was made in, where another interface may have it.
    fn require_same_namespace(&self, interface: &Interface) -> Result<()> {
        if interface.shares_namespace_with(self.inner.as_fd()) != Some(false) {
            return Ok(());
        }
        Err(Error::Interface {
            name: interface.name().to_owned(),
            operation: "bind to",
            errno: Errno::XDEV,
            message: Some("the socket was made in another network namespace".to_owned()),
        })
    }
}

/// Refuses a queue that the kernel would accept although it has no side for one of the socket's
/// rings: `xsk_bind` compares it with the larger of the numbers of RX and TX queues.
fn require_sides<S: SocketKind>(interface: &Interface, queue: u32, queues: Queues) -> Result<()> {
    let lacks = |has_ring: bool, count: u32| has_ring && queue >= count;
    let ring = match (lacks(S::HAS_RX, queues.rx), lacks(S::HAS_TX, queues.tx)) {
        _ if queue >= queues.current() => return Ok(()),
        (false, false) => return Ok(()),
        (true, _) => RingKind::Rx,
        (false, true) => RingKind::Tx,
    };
    let Queues { rx, tx, .. } = queues;
    Err(Error::QueueSide { interface: interface.name().to_owned(), queue, ring, rx, tx })
}

/// Returns whether the kernel copies nothing for a driver in copy mode, but lends it the pages of packet
/// memory (`IFF_TX_SKB_NO_LINEAR`, which virtio_net alone has, as of 7.3).
fn lends_pages(interface: &Interface) -> bool {
    interface.has_driver("virtio_net")
}

/// Returns whether a checksum that is asked for is computed where pages are lent
/// (`xsk_build_skb_zerocopy`, net/xdp/xsk.c). Kernels `before_6_18` do not look at TX metadata there;
/// and what is to compute checksums in `software` finds no bytes in the kernel's packet: the kernel
/// refuses that one for ever, and all that come after it.
fn computes_lent_checksums(software: bool, before_6_18: bool) -> bool {
    !software && !before_6_18
}

/// Returns whether a driver has zero-copy for packets of one frame, or it is not known.
fn may_have_zero_copy(interface: &Interface) -> bool {
    let features = interface.xdp_features().ok().flatten();
    features.is_none_or(|features| features.zero_copy())
}

#[cfg(test)]
mod tests {
    use super::computes_lent_checksums;
    #[cfg(feature = "test-util")]
    use crate::test_util::{Namespace, VethPair, privileged};

    #[test]
    fn lent_pages_have_checksums_of_the_card_and_of_newer_kernels_only() {
        assert!(computes_lent_checksums(false, false));
        for (software, before) in [(false, true), (true, false), (true, true)] {
            assert!(!computes_lent_checksums(software, before));
        }
    }

    #[test]
    #[cfg(feature = "test-util")]
    fn the_driver_of_an_interface_is_known() {
        if !privileged("the_driver_of_an_interface_is_known") {
            return;
        }
        let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        let pair = VethPair::builder().build(&left, &right).unwrap();
        assert!(pair.b().has_driver("veth"));
        assert!(!pair.b().has_driver("vet") && !pair.b().has_driver("veth\0"));
        assert!(!super::lends_pages(pair.b()));
    }
}
