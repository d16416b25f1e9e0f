//! Busy polling: the calls of a socket do the work of its queue's NAPI instance themselves.

use super::handle::SocketHandle;
use super::inner::{DEFAULT_BUSY_POLL_BUDGET, Inner};
use super::kick::Kick;
use crate::error::{Error, Result, SocketOption};
use crate::sys::busy_poll as sys;
use rustix::io::Errno;
use std::fmt;
use std::os::fd::AsFd;
use std::time::Duration;

/// Whether, and how, the calls of a socket poll its queue.
///
/// With busy polling, [`SocketHandle::poll_queue`] and each wake-up of the kernel
/// ([`Tx::kick`](super::Tx::kick)) first try to take packets from the queue, on the processor of the
/// caller: so a loop that only receives calls `poll_queue` in each turn. ([`wait`](super::wait())
/// does not poll.) If it is also preferred, and interrupts are deferred
/// ([`NapiSettings`](crate::interface::NapiSettings)), the interrupts stay off for as long as the
/// loop polls often enough. Whether packets come by polling is up to the kernel and the driver:
/// [`SocketHandle::busy_poll_effect`].
///
/// ```
/// use xsk::socket::BusyPoll;
///
/// assert_eq!(BusyPoll::default(), BusyPoll::OFF);
/// let polling = BusyPoll::new(std::time::Duration::from_micros(20)).prefer(true).budget(64);
/// assert_eq!(polling.to_string(), "busy polling of 64 packets, preferred");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct BusyPoll {
    time: Duration,
    prefer: bool,
    budget: u16,
}

impl BusyPoll {
    /// How many packets are taken by one poll unless it is set (`BUSY_POLL_BUDGET`,
    /// net/core/dev.c).
    pub const DEFAULT_BUDGET: u16 = DEFAULT_BUSY_POLL_BUDGET;

    /// No busy polling: what a new socket has, unless `sysctl net.core.busy_read` is above 0.
    pub const OFF: Self = Self::new(Duration::ZERO);

    /// Returns busy polling for this time (`SO_BUSY_POLL`), which is rounded up to microseconds:
    /// zero switches it off. An AF_XDP socket polls once in each call, however long the time is.
    #[doc(alias = "SO_BUSY_POLL")]
    pub const fn new(time: Duration) -> Self {
        Self { time, prefer: false, budget: Self::DEFAULT_BUDGET }
    }

    /// Sets whether interrupts stay off while the application polls (`SO_PREFER_BUSY_POLL`): only
    /// together with deferral of interrupts. In zero-copy mode the kernel then leaves out the wake-up
    /// of the driver. Needs CAP_NET_ADMIN.
    #[doc(alias = "SO_PREFER_BUSY_POLL")]
    pub const fn prefer(mut self, prefer: bool) -> Self {
        self.prefer = prefer;
        self
    }

    /// Sets how many packets one poll takes at the most (`SO_BUSY_POLL_BUDGET`); 0 stands for
    /// [`DEFAULT_BUDGET`](Self::DEFAULT_BUDGET). Raising it needs CAP_NET_ADMIN. So does any other
    /// number on a socket on which it was never set: the kernel has 0 there.
    #[doc(alias = "SO_BUSY_POLL_BUDGET")]
    pub const fn budget(mut self, packets: u16) -> Self {
        self.budget = packets;
        self
    }

    /// Returns the time in whole microseconds.
    fn microseconds(&self) -> Result<u32> {
        let time = self.time.as_nanos().div_ceil(1000);
        let value = u32::try_from(time).ok().filter(|value| i32::try_from(*value).is_ok());
        value.ok_or(Error::Setting {
            name: "busy poll time",
            value: u64::try_from(time).unwrap_or(u64::MAX),
            rule: "is at most 2147483647 microseconds",
        })
    }
}

impl Default for BusyPoll {
    fn default() -> Self {
        Self::OFF
    }
}

impl fmt::Display for BusyPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.time.is_zero() {
            return f.write_str("no busy polling");
        }
        let preferred = if self.prefer { ", preferred" } else { "" };
        write!(f, "busy polling of {} packets{preferred}", self.budget)
    }
}

/// Whether the calls of a socket have a NAPI instance to poll.
///
/// ```no_run
/// use xsk::socket::{BusyPoll, BusyPollEffect};
///
/// # fn f(socket: &xsk::Socket) -> xsk::Result<()> {
/// socket.handle.set_busy_poll(&BusyPoll::new(std::time::Duration::from_micros(20)))?;
/// if let BusyPollEffect::Polls { napi } = socket.handle.busy_poll_effect()? {
///     println!("calls poll NAPI instance {napi}");
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BusyPollEffect {
    /// It is off.
    Off,
    /// It does nothing: the kernel knows no NAPI instance for the socket. Before 6.13 it learns one
    /// from the first packet, if the driver names it (igb does not, virtio-net does); since 6.14 when the socket is bound, from the driver, where the driver
    /// names the instances of its queues (a veth does not).
    NoNapi,
    /// Calls poll this NAPI instance. Packets come by them only if no interrupt has taken them
    /// before: see [`SocketHandle::busy_poll_effect`].
    Polls {
        /// The id of the instance, as [`Napi::id`](crate::interface::Napi::id) returns it.
        napi: u32,
    },
}

impl fmt::Display for BusyPollEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("busy polling is off"),
            Self::NoNapi => f.write_str(
                "busy polling has no effect: the kernel knows no NAPI instance for the socket",
            ),
            Self::Polls { napi } => {
                write!(f, "busy polling: calls poll NAPI instance {napi}")
            }
        }
    }
}

impl SocketHandle {
    /// Sets busy polling (5.11): all three options, or none.
    ///
    /// What was set is read back where the kernel lets it be read: the budget is not. Call
    /// [`busy_poll_effect`](Self::busy_poll_effect) to learn whether there is something to poll.
    ///
    /// # Errors
    /// [`Error::SocketOption`] with `EPERM` without CAP_NET_ADMIN for [`BusyPoll::prefer`], for a
    /// greater [budget](BusyPoll::budget), and before 6.4 for a longer time;
    /// [`Error::NeedsKernel`] before 5.11, and where the kernel was built without
    /// CONFIG_NET_RX_BUSY_POLL; [`Error::Setting`] for a time above 2^31 - 1 microseconds.
    pub fn set_busy_poll(&self, wanted: &BusyPoll) -> Result<()> {
        let inner = self.inner();
        let microseconds = wanted.microseconds()?;
        let before = self.busy_poll()?;
        // A former time that the kernel had is one that it takes.
        let former_time = before.microseconds()?;
        // What may be refused comes first, while nothing else is changed that takes a privilege to
        // be put back.
        let set = || -> Result<()> {
            if wanted.prefer && !before.prefer {
                set_preferred(&inner, true)?;
            }
            if wanted.budget > before.budget {
                set_budget(&inner, wanted.budget)?;
            }
            set_time(&inner, microseconds)?;
            set_budget(&inner, wanted.budget)?;
            if before.prefer && !wanted.prefer {
                set_preferred(&inner, false)?;
            }
            Ok(())
        };
        let back = || {
            let _ = set_time(&inner, former_time);
            let _ = set_budget(&inner, before.budget);
            let _ = set_preferred(&inner, before.prefer);
        };
        set().inspect_err(|_| back())?;
        let now = self.busy_poll()?;
        if (now.microseconds()?, now.prefer) != (microseconds, wanted.prefer) {
            back();
            return Err(failed(SocketOption::BusyPoll)(Errno::INVAL));
        }
        Ok(())
    }

    /// `recvfrom(fd, NULL, 0, MSG_DONTWAIT, NULL, NULL)`: with busy polling, takes packets from the
    /// queue into the RX ring, unless an interrupt has begun to. Without, it wakes a zero-copy driver that asked for it, as
    /// [`Fill::kick_if_needed`](super::Fill::kick_if_needed) does, and does nothing in copy mode.
    ///
    /// # Errors
    /// [`Error::Kick`] as that of `kick_if_needed`: [`Error::is_down`] if the interface is down.
    ///
    /// ```no_run
    /// # fn f(socket: &mut xsk::Socket) -> xsk::Result<()> {
    /// socket.handle.poll_queue()?;
    /// socket.rx.receive(64)?.recycle(&mut socket.fill)?;
    /// # Ok(()) }
    /// ```
    pub fn poll_queue(&self) -> Result<Kick> {
        self.inner().kick_fill()
    }

    /// Returns how the socket polls. The budget is what this crate has set on it.
    ///
    /// # Errors
    /// [`Error::NeedsKernel`] before 5.11; [`Error::SocketOption`] if the kernel refuses.
    pub fn busy_poll(&self) -> Result<BusyPoll> {
        let inner = self.inner();
        let fd = inner.as_fd();
        let prefer = sys::preferred(fd).map_err(failed(SocketOption::PreferBusyPoll))?;
        let time = sys::time(fd).map_err(failed(SocketOption::BusyPoll))?;
        let time = Duration::from_micros(time.into());
        Ok(BusyPoll { time, prefer, budget: inner.busy_poll_budget() })
    }

    /// Returns whether the kernel has a NAPI instance for the socket (`SO_INCOMING_NAPI_ID`), which
    /// is what calls poll.
    ///
    /// It is necessary, not sufficient. Without one, busy polling does nothing. With one, a poll takes
    /// packets only while no interrupt has scheduled the instance (`napi_busy_loop`,
    /// net/core/dev.c): often none, unless interrupts are deferred and polling is
    /// [preferred](BusyPoll::prefer). With virtio-net cards and deferral
    /// ([`Interface::set_napi`](crate::Interface::set_napi)) 508 to 512 of 512 packets came by polling
    /// on Linux 6.18 and 7.3, without it 0 to 250. With emulated igb cards, which do not mask the
    /// interrupt of a queue as real ones do, it was 0 to 50 with any settings. `nstat -az
    /// TcpExtBusyPollRxPackets` shows how many came so in the network namespace.
    ///
    /// Ask a bound socket, and before 6.14 one that has received a packet. In Linux 6.13 there is
    /// none for any AF_XDP socket; since 6.14 there is one in zero-copy and in copy mode where the
    /// driver names the instances of its queues.
    ///
    /// # Errors
    /// As [`busy_poll`](Self::busy_poll).
    #[doc(alias = "SO_INCOMING_NAPI_ID")]
    pub fn busy_poll_effect(&self) -> Result<BusyPollEffect> {
        if self.busy_poll()?.time.is_zero() {
            return Ok(BusyPollEffect::Off);
        }
        let inner = self.inner();
        let napi = sys::napi_id(inner.as_fd()).map_err(failed(SocketOption::IncomingNapiId))?;
        Ok(if napi == 0 { BusyPollEffect::NoNapi } else { BusyPollEffect::Polls { napi } })
    }
}

fn set_time(inner: &Inner, microseconds: u32) -> Result<()> {
    sys::set_time(inner.as_fd(), microseconds).map_err(failed(SocketOption::BusyPoll))
}

fn set_preferred(inner: &Inner, prefer: bool) -> Result<()> {
    sys::set_preferred(inner.as_fd(), prefer).map_err(failed(SocketOption::PreferBusyPoll))
}

fn set_budget(inner: &Inner, packets: u16) -> Result<()> {
    if packets == inner.busy_poll_budget() {
        return Ok(());
    }
    sys::set_budget(inner.as_fd(), packets).map_err(failed(SocketOption::BusyPollBudget))?;
    inner.keep_busy_poll_budget(packets);
    Ok(())
}

/// Returns what makes an error of the kernel's refusal.
fn failed(option: SocketOption) -> impl Fn(Errno) -> Error {
    move |errno| match errno {
        Errno::NOPROTOOPT => {
            Error::NeedsKernel { feature: "busy polling of AF_XDP sockets", version: "5.11" }
        }
        errno => Error::SocketOption { option, errno },
    }
}
