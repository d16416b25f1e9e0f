//! Reports what happens to an interface.

use super::Interface;
use super::device_event::DeviceEvent;
use super::info::InterfaceInfo;
use super::notice::{Notice, is_of_channels, monitor_group, notice};
use super::queues::Queues;
use crate::error::{Error, Result};
use crate::netlink::message::messages;
use crate::sys::netlink::{Family, join, try_receive};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::io::{Errno, read, retry_on_intr, write};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use xsk_uapi::rtnetlink::RTNLGRP_LINK;

/// A watch over an interface: what happens to it is an event.
///
/// Its descriptor is readable when there may be an event, and after the last one, so it can be
/// waited for together with sockets: `poll(2)` of an AF_XDP socket stays silent when the interface
/// goes.
///
/// ```no_run
/// use xsk::interface::{DeviceEvent, Interface};
/// # fn f(socket: &xsk::Socket, interface: &Interface) -> xsk::Result<()> {
/// let mut watch = interface.watch()?;
/// loop {
///     xsk::wait(&[&socket.rx, &watch], None)?;
///     while let Some(event) = watch.try_next()? {
///         if matches!(event, DeviceEvent::Removed | DeviceEvent::Moved) {
///             return Ok(());
///         }
///     }
///     // ... receive ...
/// }
/// # }
/// ```
///
/// # What is missed, and what is not
/// The events are the kernel's notifications about interfaces (`RTNLGRP_LINK`) and, since 5.7,
/// about numbers of queues (`ETHTOOL_MSG_CHANNELS_NTF`). A kernel that has to leave notifications
/// out reports that; the state is read anew then, and the differences are the events. So a state
/// that lasts is never missed, but two changes of which the second undoes the first may be: also
/// where both came before the first notification was read, whose numbers of queues are then asked for.
/// An event may also come twice.
///
/// The kernel notifies of no program that is attached or replaced by a link, nor of any program
/// while the interface is down, nor of numbers of queues before 5.7: those events come with the
/// next notification, whatever it is about, or with [`refresh`](Self::refresh).
///
/// The descriptor is readable for notifications about other interfaces of the namespace, too; they
/// are no events.
#[derive(Debug)]
pub struct Watch {
    interface: Interface,
    route: OwnedFd,
    /// The socket for numbers of queues, and the id of its family; `None` before 5.7.
    channels: Option<(OwnedFd, u16)>,
    /// An `eventfd` that is readable while there are events, and after the last one.
    pending: OwnedFd,
    is_pending: bool,
    /// Is readable when one of the others is.
    epoll: OwnedFd,
    info: InterfaceInfo,
    queues: Option<Queues>,
    events: VecDeque<DeviceEvent>,
    has_ended: bool,
    /// Whether notifications were left out, or could not be read, since the state was read.
    has_lost: bool,
    buffer: Vec<u8>,
}

/// How often the state is read while notifications keep coming.
const READINGS: usize = 8;

static_assertions::assert_impl_all!(Watch: Send, Sync, AsFd);

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Interface {
    /// Watches it: what happens from now on is an event.
    ///
    /// # Errors
    /// [`Error::Interface`]: with `ENODEV` if it is gone, with `EXDEV` if the calling thread is in
    /// another network namespace and may not enter that of the interface. [`Error::Netlink`] if
    /// descriptors or memory run out.
    #[doc(alias = "RTNLGRP_LINK")]
    pub fn watch(&self) -> Result<Watch> {
        let group = monitor_group(&self.sockets.generic);
        let (route, channels) = self.inside("watch", || {
            let route = listen(Family::Route, RTNLGRP_LINK)?;
            let channels = match group {
                Some((family, group)) => Some((listen(Family::Generic, group)?, family)),
                None => None,
            };
            Ok((route, channels))
        })?;
        let failed = |errno| Error::Netlink { operation: "watch netlink sockets", errno };
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let pending = eventfd(0, flags).map_err(failed)?;
        let all = [Some(&pending), Some(&route), channels.as_ref().map(|(socket, _)| socket)];
        let epoll = any_of(all.into_iter().flatten()).map_err(failed)?;
        let mut watch = Watch {
            interface: self.clone(),
            route,
            channels,
            pending,
            is_pending: false,
            epoll,
            info: InterfaceInfo::default(),
            queues: None,
            events: VecDeque::new(),
            has_ended: false,
            has_lost: false,
            buffer: Vec::new(),
        };
        watch.read_anew()?;
        if watch.has_ended {
            return Err(watch.failed(Errno::NODEV));
        }
        // What happened before this is no event.
        watch.events.clear();
        Ok(watch)
    }
}

impl Watch {
    /// Returns the interface.
    #[must_use]
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Returns its state after the events so far. The counters are those of the last notification.
    #[must_use]
    pub fn info(&self) -> &InterfaceInfo {
        &self.info
    }

    /// Returns the next event, if there is one.
    ///
    /// # Errors
    /// [`Error::Interface`]: with `ENODEV` after [`DeviceEvent::Removed`] and
    /// [`DeviceEvent::Moved`] ([`Error::is_gone`]), otherwise if a netlink socket fails.
    pub fn try_next(&mut self) -> Result<Option<DeviceEvent>> {
        let done = if self.events.is_empty() { self.read() } else { Ok(()) };
        let event = if done.is_ok() { self.events.pop_front() } else { None };
        let shown = self.show_pending();
        done.and(shown)?;
        match event {
            None if self.has_ended => Err(self.failed(Errno::NODEV)),
            event => Ok(event),
        }
    }

    /// Waits for the next event, however long that takes; signals do not end it.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    #[expect(clippy::should_implement_trait, reason = "an iterator would hide the end in an error")]
    pub fn next(&mut self) -> Result<DeviceEvent> {
        loop {
            if let Some(event) = self.wait(None)? {
                return Ok(event);
            }
        }
    }

    /// Waits for the next event, at most for `timeout` (`None`: for ever); returns `None` if none
    /// came, or a signal did.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<DeviceEvent>> {
        let start = Instant::now();
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            const LONGEST: Timespec = Timespec { tv_sec: 0x7fff_ffff, tv_nsec: 0 };
            let left = left.map(|left| Timespec::try_from(left).unwrap_or(LONGEST));
            let mut fds = [PollFd::new(&self.epoll, PollFlags::IN)];
            match poll(&mut fds, left.as_ref()) {
                // After the time is over, one more look.
                Ok(_) => {}
                Err(Errno::INTR) => return Ok(None),
                Err(errno) => return Err(self.failed(errno)),
            }
        }
    }

    /// Reads the state anew; the differences are the next events. A program that has to know of
    /// changes which the kernel does not notify of calls this once a second or so.
    ///
    /// The request takes the lock of all network settings in the kernel (RTNL), for which it may
    /// have to wait.
    ///
    /// # Errors
    /// [`Error::Interface`]. An interface that is gone is no error but the next event.
    pub fn refresh(&mut self) -> Result<()> {
        let done = self.read_anew();
        done.and(self.show_pending())
    }

    /// Reads the state anew, and first the notifications that are older: read afterwards, they would
    /// undo it.
    fn read_anew(&mut self) -> Result<()> {
        // Until it has succeeded.
        self.has_lost = true;
        for left in (0..READINGS).rev() {
            self.read_notifications()?;
            if self.has_ended {
                break;
            }
            let info = match self.interface.info() {
                Err(error) if !error.is_gone() => return Err(error),
                info => info.ok(),
            };
            // The kernel sends its notifications before it replies to a later request. One that
            // waits may be older than the reply.
            let is_behind = self.has_notifications()?;
            if is_behind && left > 0 {
                continue;
            }
            match info {
                Some(info) => {
                    self.take_info(info);
                    self.take_queues();
                    self.has_lost = is_behind;
                }
                None => self.end(DeviceEvent::Removed),
            }
            break;
        }
        Ok(())
    }

    /// Returns whether a notification waits to be read.
    fn has_notifications(&self) -> Result<bool> {
        const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut fds = [PollFd::new(&self.route, PollFlags::IN)];
        let ready = retry_on_intr(|| poll(&mut fds, Some(&NOW)));
        ready.map(|ready| ready > 0).map_err(|errno| self.failed(errno))
    }

    /// Makes the descriptor readable if there are events.
    fn show_pending(&mut self) -> Result<()> {
        let is_pending = self.has_ended || self.has_lost || !self.events.is_empty();
        if is_pending == self.is_pending {
            return Ok(());
        }
        let mut count = [0; 8];
        let done = if is_pending {
            write(&self.pending, &1_u64.to_ne_bytes())
        } else {
            read(&self.pending, &mut count)
        };
        done.map_err(|errno| self.failed(errno))?;
        self.is_pending = is_pending;
        Ok(())
    }

    fn failed(&self, errno: Errno) -> Error {
        self.interface.error("watch", errno.into())
    }

    fn take_info(&mut self, info: InterfaceInfo) {
        DeviceEvent::between(&self.info, &info, &mut self.events);
        self.info = info;
    }

    fn take_queues(&mut self) {
        // A failure is that of an interface that is just going.
        let Ok(to) = self.interface.queues() else { return };
        if let Some(from) = self.queues.replace(to).filter(|from| *from != to) {
            self.events.push_back(DeviceEvent::QueuesChanged { from, to });
        }
    }

    fn end(&mut self, last: DeviceEvent) {
        self.events.push_back(last);
        self.has_ended = true;
    }

    /// Reads all notifications that there are, and the state if some were left out.
    fn read(&mut self) -> Result<()> {
        let asks_for_queues = self.read_notifications()?;
        if self.has_ended {
            return Ok(());
        }
        if self.has_lost {
            return self.read_anew();
        }
        if asks_for_queues {
            self.take_queues();
        }
        Ok(())
    }

    /// Reads all notifications that there are; returns whether the numbers of queues may be others.
    fn read_notifications(&mut self) -> Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let done = self.read_with(&mut buffer);
        self.buffer = buffer;
        // What else was there is not known.
        self.has_lost |= done.is_err();
        done
    }

    fn read_with(&mut self, buffer: &mut Vec<u8>) -> Result<bool> {
        let mut asks_for_queues = false;
        loop {
            match try_receive(self.route.as_fd(), buffer) {
                Ok(true) if self.has_ended => {}
                Ok(true) => {
                    for message in messages(buffer) {
                        let notice =
                            message.and_then(|message| notice(&message, self.interface.index));
                        match notice.map_err(|malformed| self.failed(malformed.into()))? {
                            Notice::State(info) => {
                                self.take_info(*info);
                                asks_for_queues |= self.channels.is_none();
                            }
                            Notice::End(last) => {
                                self.end(last);
                                break;
                            }
                            Notice::Nothing => {}
                        }
                    }
                }
                Ok(false) => break,
                // What is read after this was sent before something was left out.
                Err(Errno::NOBUFS) => self.has_lost = true,
                Err(errno) => return Err(self.failed(errno)),
            }
        }
        while let Some((socket, family)) = &self.channels {
            match try_receive(socket.as_fd(), buffer) {
                Ok(true) => {
                    let mut about = messages(buffer).flatten();
                    let (family, index) = (*family, self.interface.index);
                    asks_for_queues |= about.any(|message| {
                        message.kind == family && is_of_channels(&message, index).unwrap_or(true)
                    });
                }
                Ok(false) => break,
                Err(Errno::NOBUFS) => asks_for_queues = true,
                Err(errno) => return Err(self.failed(errno)),
            }
        }
        Ok(asks_for_queues)
    }
}

/// Opens a socket for what the kernel sends to `group`.
fn listen(family: Family, group: u32) -> Result<OwnedFd, Errno> {
    let socket = crate::sys::netlink::open(family)?;
    join(socket.as_fd(), group)?;
    Ok(socket)
}

/// Returns a descriptor that is readable when one of `sockets` is.
fn any_of<'a>(sockets: impl Iterator<Item = &'a OwnedFd>) -> Result<OwnedFd, Errno> {
    let all = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for socket in sockets {
        epoll::add(&all, socket, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    Ok(all)
}
