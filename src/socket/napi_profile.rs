//! Named settings of busy polling and NAPI for a socket and its queue.

use super::busy_poll::BusyPoll;
use super::handle::SocketHandle;
use crate::error::{Error, Result};
use crate::interface::{Interface, NapiGuard, NapiSettings};
use rustix::io::Errno;
use std::fmt;
use std::os::fd::AsFd;
use std::time::Duration;

/// Settings of busy polling and NAPI for one of two aims, set by one call.
///
/// [`Display`](fmt::Display) says what it sets.
///
/// ```
/// use xsk::socket::NapiProfile;
///
/// assert_eq!(
///     NapiProfile::Throughput.to_string(),
///     "throughput: 2 deferrals of 200 us, no busy polling"
/// );
/// assert_eq!(
///     NapiProfile::Latency.to_string(),
///     "latency: no deferral, busy polling of 64 packets"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NapiProfile {
    /// Few interrupts and large batches: interrupts are deferred twice, for 200 microseconds each
    /// time.
    ///
    /// A third of the processors' time was saved by it at 118.8 million packets per second (measured
    /// by go-afxdp); longer deferral (10 times 500 microseconds) cost a third of the packets. A
    /// packet that comes alone waits for up to 200 microseconds.
    Throughput,
    /// No packet waits for a timer: interrupts are not deferred, and the socket's own wake-ups poll
    /// the queue, 64 packets at a time.
    ///
    /// Busy polling is not preferred: that has an effect only with deferral, which makes a packet
    /// wait for the timer whenever the application has not polled in time. Where busy polling has no
    /// effect ([`SocketHandle::busy_poll_effect`]), as on a veth since 6.13, these are the settings
    /// that a new interface has. `xsk latency --compare` measures both profiles.
    Latency,
}

impl NapiProfile {
    /// Returns what it sets on the NAPI instance of the queue.
    #[must_use]
    pub const fn napi(self) -> NapiSettings {
        match self {
            Self::Throughput => NapiSettings::new(2, Duration::from_micros(200)),
            Self::Latency => NapiSettings::new(0, Duration::ZERO),
        }
    }

    /// Returns what it sets on the socket.
    pub const fn busy_poll(self) -> BusyPoll {
        match self {
            Self::Throughput => BusyPoll::OFF,
            Self::Latency => BusyPoll::new(Duration::from_micros(20)).budget(64),
        }
    }

    /// Sets it on a bound socket and the queue of `interface` that the socket is bound to, until the
    /// guard is dropped.
    ///
    /// Call it after the program is attached: see [`Interface::set_napi`].
    ///
    /// # Errors
    /// Those of [`Interface::set_napi`] and [`SocketHandle::set_busy_poll`]: then nothing is
    /// changed. [`Error::Interface`] with `EXDEV` if the socket is bound to another interface.
    ///
    /// ```no_run
    /// use xsk::socket::NapiProfile;
    ///
    /// # fn f(socket: &xsk::Socket, interface: &xsk::Interface) -> xsk::Result<()> {
    /// let profile = NapiProfile::Throughput.apply(interface, &socket.handle)?;
    /// // ... receive ...
    /// profile.restore()?;
    /// # Ok(()) }
    /// ```
    pub fn apply(self, interface: &Interface, handle: &SocketHandle) -> Result<AppliedProfile> {
        let elsewhere = interface.shares_namespace_with(handle.as_fd()) == Some(false);
        if elsewhere || interface.index() != handle.interface_index() {
            return Err(Error::Interface {
                name: interface.name().to_owned(),
                operation: "set the NAPI profile of",
                errno: Errno::XDEV,
                message: Some(format!("the socket is bound to {}", handle.interface())),
            });
        }
        let former = handle.busy_poll()?;
        handle.set_busy_poll(&self.busy_poll())?;
        match interface.set_napi(handle.queue(), &self.napi()) {
            Ok(guard) => {
                Ok(AppliedProfile { profile: self, handle: handle.clone(), former, guard })
            }
            Err(error) => {
                let _ = handle.set_busy_poll(&former);
                Err(error)
            }
        }
    }
}

impl fmt::Display for NapiProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
        };
        write!(f, "{name}: {}, {}", self.napi(), self.busy_poll())
    }
}

/// Puts the settings that a profile replaced back: made by [`NapiProfile::apply`].
///
/// Dropping it restores those of NAPI, and leaves those of the socket, which is mostly closed then.
/// It keeps the socket open. What a killed process leaves behind is that of [`NapiGuard`].
///
/// ```no_run
/// # fn f(profile: xsk::socket::AppliedProfile) -> xsk::Result<()> {
/// println!("{}, set on {:?}", profile.profile(), profile.napi().scope());
/// profile.restore()
/// # }
/// ```
#[must_use = "dropping it restores the former settings"]
#[derive(Debug)]
pub struct AppliedProfile {
    profile: NapiProfile,
    handle: SocketHandle,
    former: BusyPoll,
    guard: NapiGuard,
}

impl AppliedProfile {
    /// Returns the profile.
    #[must_use]
    pub fn profile(&self) -> NapiProfile {
        self.profile
    }

    /// Returns the guard of the NAPI settings.
    pub fn napi(&self) -> &NapiGuard {
        &self.guard
    }

    /// Puts the former settings of both back. Those that something else has changed meanwhile are
    /// left as they are.
    ///
    /// # Errors
    /// Those of [`NapiGuard::restore`] and [`SocketHandle::set_busy_poll`]; both are tried.
    /// [`Error::Interface`] with `ECANCELED` if other settings were set on the socket.
    pub fn restore(self) -> Result<()> {
        let Self { profile, handle, former, guard } = self;
        let restored = guard.restore();
        let of_socket = match handle.busy_poll() {
            Ok(now) if now == profile.busy_poll() => handle.set_busy_poll(&former),
            Ok(now) => Err(Error::Interface {
                name: handle.interface().to_owned(),
                operation: "restore the busy polling of a socket on",
                errno: Errno::CANCELED,
                message: Some(format!("something else was set since ({now}), which stays")),
            }),
            Err(error) => Err(error),
        };
        restored.and(of_socket)
    }

    /// Leaves the settings as they are.
    pub fn keep(self) {
        self.guard.keep();
    }
}
