//! What can be set on a NAPI instance.

use std::fmt;
use std::time::Duration;
use xsk_uapi::netdev::{NETDEV_NAPI_THREADED_DISABLED, NETDEV_NAPI_THREADED_ENABLED};

/// `NETDEV_NAPI_THREADED_BUSY_POLL` (linux/netdev.h, after 6.18).
const BUSY_POLL: u32 = 2;

/// What a NAPI instance does before it switches the interrupts of its queue on again, and where it
/// runs.
///
/// With deferral ([`defer_hard_irqs`](Self::defer_hard_irqs) and
/// [`gro_flush_timeout`](Self::gro_flush_timeout), both above 0), a queue that ran empty is looked
/// at again after the timeout, and only after so many such looks that found nothing the next packet
/// makes an interrupt. So packets come in larger batches, and one that comes in between waits for
/// up to the timeout.
///
/// ```
/// use std::time::Duration;
/// use xsk::interface::NapiSettings;
///
/// let settings = NapiSettings::new(2, Duration::from_micros(200));
/// assert_eq!(settings.to_string(), "2 deferrals of 200 us");
/// assert_eq!(NapiSettings::default().to_string(), "no deferral");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct NapiSettings {
    /// How often interrupts are deferred after the last packet (`defer-hard-irqs`): up to 2^31 - 1.
    pub defer_hard_irqs: u32,
    /// For how long each time (`gro-flush-timeout`), in nanoseconds.
    pub gro_flush_timeout: Duration,
    /// For how long at most interrupts stay off while an application polls by `epoll`
    /// (`irq-suspend-timeout`, 6.13), in nanoseconds. It has no effect on sockets that are polled
    /// by their own calls, as those of this crate are. `None` where the kernel does not report it;
    /// when it is set, `None` leaves it as it is.
    pub irq_suspend_timeout: Option<Duration>,
    /// Where the instance runs (6.17). `None` where the kernel does not report it; when it is set,
    /// `None` leaves it as it is.
    pub threaded: Option<NapiThreading>,
}

impl NapiSettings {
    /// Returns settings that defer interrupts so often, for that long each time, and leave the rest
    /// as it is.
    #[must_use]
    pub const fn new(defer_hard_irqs: u32, gro_flush_timeout: Duration) -> Self {
        Self { defer_hard_irqs, gro_flush_timeout, irq_suspend_timeout: None, threaded: None }
    }

    /// Sets [`irq_suspend_timeout`](Self::irq_suspend_timeout).
    #[must_use]
    pub const fn with_irq_suspend_timeout(mut self, timeout: Duration) -> Self {
        self.irq_suspend_timeout = Some(timeout);
        self
    }

    /// Sets [`threaded`](Self::threaded).
    #[must_use]
    pub const fn with_threading(mut self, threaded: NapiThreading) -> Self {
        self.threaded = Some(threaded);
        self
    }

    /// Returns whether `now` has every value that is set here.
    pub(super) fn are_kept_in(&self, now: &Self) -> bool {
        let Self { defer_hard_irqs, gro_flush_timeout, irq_suspend_timeout, threaded } = *self;
        defer_hard_irqs == now.defer_hard_irqs
            && gro_flush_timeout == now.gro_flush_timeout
            && (irq_suspend_timeout.is_none() || irq_suspend_timeout == now.irq_suspend_timeout)
            && (threaded.is_none() || threaded == now.threaded)
    }

    /// Returns these values without those that `set` left as they were.
    pub(super) fn of_what_is_set_in(&self, set: &Self) -> Self {
        Self {
            irq_suspend_timeout: self
                .irq_suspend_timeout
                .filter(|_| set.irq_suspend_timeout.is_some()),
            threaded: self.threaded.filter(|_| set.threaded.is_some()),
            ..*self
        }
    }
}

impl fmt::Display for NapiSettings {
    /// Writes the settings in words; what is left as it is, and what is off, is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.defer_hard_irqs, self.gro_flush_timeout) {
            (0, Duration::ZERO) => f.write_str("no deferral")?,
            (count, time) => write!(f, "{count} deferrals of {}", Microseconds(time))?,
        }
        match self.irq_suspend_timeout {
            None | Some(Duration::ZERO) => {}
            Some(time) => write!(f, ", interrupts suspended for {}", Microseconds(time))?,
        }
        match self.threaded {
            None | Some(NapiThreading::Off) => Ok(()),
            Some(threaded) => write!(f, ", {threaded}"),
        }
    }
}

/// A time as people write it.
struct Microseconds(Duration);

impl fmt::Display for Microseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        if nanoseconds == self.0.as_micros().saturating_mul(1000) {
            write!(f, "{} us", self.0.as_micros())
        } else {
            write!(f, "{nanoseconds} ns")
        }
    }
}

/// Where a NAPI instance runs (`enum netdev_napi_threaded`, 6.17).
///
/// ```
/// use xsk::interface::NapiThreading;
///
/// assert_eq!(NapiThreading::On.to_string(), "in a thread of its own");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NapiThreading {
    /// In a softirq: on the processor that took the interrupt.
    Off,
    /// In a thread of its own, which can be given a processor ([`Napi::thread`](super::Napi)).
    On,
    /// In a thread of its own, which never sleeps (after 6.18; older kernels refuse it).
    BusyPoll,
    /// Something that this crate does not know.
    Other(u32),
}

impl NapiThreading {
    pub(super) fn of(value: u32) -> Self {
        match value {
            NETDEV_NAPI_THREADED_DISABLED => Self::Off,
            NETDEV_NAPI_THREADED_ENABLED => Self::On,
            BUSY_POLL => Self::BusyPoll,
            other => Self::Other(other),
        }
    }

    pub(super) fn value(self) -> u32 {
        match self {
            Self::Off => NETDEV_NAPI_THREADED_DISABLED,
            Self::On => NETDEV_NAPI_THREADED_ENABLED,
            Self::BusyPoll => BUSY_POLL,
            Self::Other(value) => value,
        }
    }
}

impl fmt::Display for NapiThreading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("in a softirq"),
            Self::On => f.write_str("in a thread of its own"),
            Self::BusyPoll => f.write_str("in a thread of its own that polls without pause"),
            Self::Other(value) => write!(f, "threading {value}"),
        }
    }
}
