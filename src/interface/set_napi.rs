//! How the NAPI instances of an interface are found, read and set.

use super::Interface;
use super::napi::Napi;
use super::napi_guard::{NapiGuard, NapiScope};
use super::napi_request::{self, nanoseconds};
use super::napi_settings::NapiSettings;
use crate::error::{Error, Result};
use crate::netlink::Refusal;
use crate::sys::sysfs;
use rustix::io::Errno;
use std::time::Duration;

/// The attributes of a whole device in sysfs (net/core/net-sysfs.c, 5.8).
const DEFER: &str = "napi_defer_hard_irqs";
const FLUSH: &str = "gro_flush_timeout";

const OPERATION: &str = "set the NAPI settings of";
const READING: &str = "ask for the NAPI settings of";

impl Interface {
    /// Returns the NAPI instance that serves an RX queue (6.8).
    ///
    /// `None` where the kernel or the driver does not report it, and while the interface is down.
    /// Drivers name the instance of each queue; for those that do not, it is known if the interface
    /// has one RX queue and one instance, and of a veth, whose instances are in the order of its
    /// queues. A veth has instances only while a native program is attached to it, or GRO is on
    /// (`ethtool -K IF gro on`): otherwise packets are taken by the processor's own instance, which
    /// no setting concerns.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone, and with `EINVAL` if it has no such queue
    /// (6.8).
    #[doc(alias = "NETDEV_CMD_QUEUE_GET")]
    pub fn napi(&self, queue: u32) -> Result<Option<Napi>> {
        self.find_napi(queue).map_err(|refusal| self.error("ask for the NAPI instance of", refusal))
    }

    /// Returns the NAPI settings of the whole device, as sysfs has them (5.8).
    ///
    /// `None` where the kernel does not have them, where `/sys` does not show the network namespace
    /// of this interface, and for an interface without an Ethernet address of its own, by which that
    /// is seen. Instances that were set one by one have settings of their own.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone.
    pub fn device_napi_settings(&self) -> Result<Option<NapiSettings>> {
        match self.read_sysfs() {
            Ok(settings) => Ok(Some(settings)),
            Err(Refusal { errno: Errno::XDEV | Errno::NOENT, .. }) => Ok(None),
            Err(refusal) => Err(self.error(READING, refusal)),
        }
    }

    /// Sets the NAPI instance of an RX queue until the guard is dropped.
    ///
    /// Where the kernel can set single instances (6.13), and this queue's is known
    /// ([`napi`](Self::napi)), the queue alone is set. Otherwise the whole device is, through sysfs
    /// (5.8): [`NapiGuard::scope`] says which. Sysfs is the one way on such kernels, and shows the
    /// network namespace in which it was mounted: if that is another one, the call is refused. Both
    /// the call and its guard then set every instance, those that were set one by one included.
    ///
    /// What was set is read back: a value that the kernel did not keep is an error, and the former
    /// settings are put back.
    ///
    /// Set it after the program is attached and the socket bound: some drivers make their instances
    /// anew then, with the default settings.
    ///
    /// # Errors
    /// [`Error::Interface`]: with `ENOENT` if the interface has no NAPI instance; with `EPERM`
    /// without CAP_NET_ADMIN, in the initial user namespace for a single instance; with `EXDEV` if
    /// `/sys` shows another network namespace, or might; with `ERANGE` or `EINVAL` for a value that the
    /// kernel refuses or did not keep; with `ENODEV` if the interface is gone.
    /// [`Error::NeedsKernel`] where the kernel lacks what is set: 5.8 for deferral, 6.13 for
    /// [`irq_suspend_timeout`](NapiSettings::irq_suspend_timeout), 6.17 for
    /// [`threaded`](NapiSettings::threaded).
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use xsk::interface::NapiSettings;
    ///
    /// # fn f(interface: &xsk::Interface) -> xsk::Result<()> {
    /// let guard = interface.set_napi(0, &NapiSettings::new(2, Duration::from_micros(200)))?;
    /// // ... receive ...
    /// guard.restore()?;
    /// # Ok(()) }
    /// ```
    #[doc(alias = "NETDEV_CMD_NAPI_SET")]
    pub fn set_napi(&self, queue: u32, settings: &NapiSettings) -> Result<NapiGuard> {
        let found = self.napi(queue)?;
        if let Some((id, before)) = found.and_then(|napi| Some((napi.id(), napi.settings()?))) {
            self.check_abilities(&before, settings)?;
            if self.set_instance(id, &before, settings)? {
                return Ok(NapiGuard::new(
                    self.clone(),
                    NapiScope::Queue { queue, napi: id },
                    before.of_what_is_set_in(settings),
                    *settings,
                ));
            }
        }
        self.set_device(settings)
    }

    /// Refuses what this kernel has no attribute for.
    fn check_abilities(&self, has: &NapiSettings, wanted: &NapiSettings) -> Result<()> {
        if wanted.irq_suspend_timeout.is_some() && has.irq_suspend_timeout.is_none() {
            return Err(Error::NeedsKernel { feature: "irq-suspend-timeout", version: "6.13" });
        }
        if wanted.threaded.is_some() && has.threaded.is_none() {
            return Err(Error::NeedsKernel {
                feature: "threading of a single NAPI instance",
                version: "6.17",
            });
        }
        Ok(())
    }

    /// Sets a single instance; returns whether the kernel can.
    fn set_instance(&self, id: u32, before: &NapiSettings, wanted: &NapiSettings) -> Result<bool> {
        let generic = &self.sockets.generic;
        let back = || drop(napi_request::set(generic, id, &before.of_what_is_set_in(wanted)));
        match napi_request::set(generic, id, wanted) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(refusal) => {
                // The kernel sets one value after the other.
                back();
                return Err(self.error(OPERATION, refusal));
            }
        }
        let now = napi_request::get(generic, id).map_err(|refusal| {
            // What was set is not known: the settings from before are better than that.
            back();
            self.error(OPERATION, refusal)
        })?;
        let now = now.and_then(|napi| napi.settings());
        if now.is_none_or(|now| !wanted.are_kept_in(&now)) {
            back();
            return Err(self.error(OPERATION, not_kept(wanted, now.as_ref())));
        }
        Ok(true)
    }

    /// Sets the whole device.
    fn set_device(&self, wanted: &NapiSettings) -> Result<NapiGuard> {
        let failed = |refusal| self.error(OPERATION, refusal);
        let instances = napi_request::all(&self.sockets.generic, self.index).map_err(failed)?;
        if instances.is_some_and(|instances| instances.is_empty()) {
            let text = "it has no NAPI instance at the moment; a veth has some while a native XDP \
                        program is attached, or GRO is on"
                .to_owned();
            return Err(failed(Refusal { errno: Errno::NOENT, text: Some(text) }));
        }
        self.check_abilities(&NapiSettings::default(), wanted)?;
        let before = match self.read_sysfs() {
            Err(Refusal { errno: Errno::NOENT, .. }) => {
                return Err(Error::NeedsKernel { feature: DEFER, version: "5.8" });
            }
            before => before.map_err(failed)?,
        };
        let kept = self.write_sysfs(wanted).and_then(|()| {
            let now = self.read_sysfs()?;
            if wanted.are_kept_in(&now) { Ok(()) } else { Err(not_kept(wanted, Some(&now))) }
        });
        if let Err(refusal) = kept {
            let _ = self.write_sysfs(&before);
            return Err(failed(refusal));
        }
        Ok(NapiGuard::new(self.clone(), NapiScope::Device, before, *wanted))
    }

    /// Puts the settings `before` back where `set` still holds.
    pub(super) fn restore_napi(
        &self,
        scope: NapiScope,
        before: &NapiSettings,
        set: &NapiSettings,
    ) -> Result<()> {
        let operation = "restore the NAPI settings of";
        let now = match scope {
            NapiScope::Device => self.read_sysfs().map(Some),
            NapiScope::Queue { napi, .. } => napi_request::get(&self.sockets.generic, napi)
                .map(|napi| napi.and_then(|napi| napi.settings())),
        };
        let result = match now {
            // Its settings went with it, unless they wait for the interface to be up again.
            Ok(None) => match self.info() {
                Ok(info) if !info.up => Err(Refusal {
                    errno: Errno::NETDOWN,
                    text: Some("the interface is down, and keeps its settings".to_owned()),
                }),
                _ => Ok(()),
            },
            Err(Refusal { errno: Errno::NODEV, .. }) => Ok(()),
            Ok(Some(now)) if !set.are_kept_in(&now) => Err(Refusal {
                errno: Errno::CANCELED,
                text: Some(format!(
                    "something else has changed them meanwhile ({set} became {now}), and they are \
                     left as they are"
                )),
            }),
            Ok(Some(_)) => match scope {
                NapiScope::Device => self.write_sysfs(before),
                NapiScope::Queue { napi, .. } => {
                    napi_request::set(&self.sockets.generic, napi, before).map(drop)
                }
            },
            Err(refusal) => Err(refusal),
        };
        result.map_err(|refusal| self.error(operation, refusal))
    }

    /// Finds the NAPI instance of an RX queue.
    fn find_napi(&self, queue: u32) -> Result<Option<Napi>, Refusal> {
        let generic = &self.sockets.generic;
        if let Some(id) = napi_request::of_queue(generic, self.index, queue)? {
            return napi_request::get(generic, id);
        }
        let Some(all) = napi_request::all(generic, self.index)? else {
            return Ok(None);
        };
        let Some(queues) = self.queues().ok().map(|queues| queues.rx) else {
            return Ok(None);
        };
        let ordered = queues == 1 || self.has_driver("veth");
        if u32::try_from(all.len()) != Ok(queues) || !ordered {
            return Ok(None);
        }
        // `__veth_napi_enable_range` (drivers/net/veth.c) enables them one by one, and each gets
        // the next id.
        Ok(usize::try_from(queue).ok().and_then(|queue| all.get(queue)).copied())
    }

    /// Reads the settings of the device from sysfs.
    fn read_sysfs(&self) -> Result<NapiSettings, Refusal> {
        let name = self.sysfs_name()?;
        let defer = sysfs::read_number(&name, DEFER)?;
        let flush = sysfs::read_number(&name, FLUSH)?;
        let defer = u32::try_from(defer).map_err(|_| Errno::BADMSG)?;
        Ok(NapiSettings::new(defer, Duration::from_nanos(flush)))
    }

    /// Writes the settings of the device to sysfs.
    fn write_sysfs(&self, settings: &NapiSettings) -> Result<(), Refusal> {
        let name = self.sysfs_name()?;
        sysfs::write_number(&name, DEFER, settings.defer_hard_irqs.into())?;
        sysfs::write_number(&name, FLUSH, nanoseconds(settings.gro_flush_timeout)?)?;
        Ok(())
    }

    /// Returns the present name of this interface, if sysfs shows this interface by it.
    fn sysfs_name(&self) -> Result<std::ffi::OsString, Refusal> {
        let info = self.info().map_err(|error| error.errno().unwrap_or(Errno::IO))?;
        let index = sysfs::read_number(&info.os_name, "ifindex");
        let address = sysfs::read(&info.os_name, "address");
        // Without an address of its own, as `lo` in each namespace, it cannot be told from another.
        let mac = info.mac.filter(|mac| *mac != [0; 6]);
        let mac = mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":"));
        let is_here = index == Ok(self.index.into()) && mac.is_some_and(|mac| address == Ok(mac));
        if is_here {
            return Ok(info.os_name);
        }
        Err(Refusal {
            errno: Errno::XDEV,
            text: Some(
                "/sys shows another network namespace, or the interface has no Ethernet address by \
                 which to exclude that: settings of a whole device can be set only where a sysfs of \
                 its namespace is mounted on /sys, as `ip netns exec` does it"
                    .to_owned(),
            ),
        })
    }
}

/// Returns the refusal about values that are not what was set.
fn not_kept(wanted: &NapiSettings, now: Option<&NapiSettings>) -> Refusal {
    let now = now.map_or_else(|| "nothing".to_owned(), NapiSettings::to_string);
    Refusal {
        errno: Errno::INVAL,
        text: Some(format!("{wanted} was set, and the kernel has {now}: the former are put back")),
    }
}
