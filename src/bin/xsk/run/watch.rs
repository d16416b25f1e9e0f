//! Watches an interface in a thread of its own: by the kernel's notifications, and once a second by
//! a look, for what the kernel does not notify of. It serves looks under the lock of all network
//! settings, for which the data path must not wait.

use crate::failure::{Failure, Result};
use crate::process::rights;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use xsk::Interface;
use xsk::interface::{DeviceEvent, InterfaceInfo, Watch as Notifications};

/// How often the interface is looked at beside the notifications: they say nothing of counters, nor
/// of programs that links hold.
const LOOK: Duration = Duration::from_secs(1);
/// How often [`Watch::take`] is worth a call.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// What was seen of an interface since the last time.
#[derive(Debug)]
pub(crate) struct Seen {
    /// When the look began.
    pub(crate) at: Instant,
    /// Its state; an error is the last that is seen.
    pub(crate) info: xsk::Result<InterfaceInfo>,
    /// What happened, the oldest event first.
    pub(crate) events: Vec<DeviceEvent>,
}

/// The thread, which ends with this value.
#[derive(Debug)]
pub(crate) struct Watch {
    ask: UnixStream,
    seen: Arc<Mutex<Option<Seen>>>,
}

impl Watch {
    pub(crate) fn start(interface: &Interface) -> Result<Self> {
        // With sockets of its own: those of `interface` are used by one thread at a time.
        let mut notifications = Interface::by_index(interface.index())?.watch()?;
        let seen = Arc::new(Mutex::new(None));
        let failed = |error: io::Error| {
            Failure::Text(format!("what wakes the watch cannot be made: {error}"))
        };
        let (ask, asked) = UnixStream::pair().map_err(failed)?;
        for end in [&ask, &asked] {
            end.set_nonblocking(true).map_err(failed)?;
        }
        let report = Arc::clone(&seen);
        let look = move || {
            rights::give_up_in_thread();
            let mut due = Instant::now();
            loop {
                let left = due.saturating_duration_since(Instant::now());
                let waited = xsk::wait(&[&notifications, &asked], Some(left));
                let at = Instant::now();
                let Some(is_asked) = take_asked(&asked) else { return };
                let is_due = is_asked || at >= due;
                if is_due {
                    due = at + LOOK;
                }
                let mut events = Vec::new();
                let done = waited.and_then(|_| see(&mut notifications, is_due, &mut events));
                if done.is_ok() && !is_due && events.is_empty() {
                    continue;
                }
                let has_ended = done.is_err();
                let info = done.map(|()| notifications.info().clone());
                note(&report, Seen { at, info, events });
                if has_ended {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("watch".to_owned());
        thread.spawn(look).map_err(Failure::of_thread("looks at the interface"))?;
        Ok(Self { ask, seen })
    }

    /// Returns what was seen, unless it was returned before.
    pub(crate) fn take(&self) -> Option<Seen> {
        self.seen.try_lock().ok()?.take()
    }

    /// Has the thread look now.
    pub(crate) fn ask(&self) {
        // Where there is no room for it, it is asked already.
        let _ = (&self.ask).write(&[0]);
    }
}

/// Returns whether a look was asked for; `None` at the end.
fn take_asked(mut asked: &UnixStream) -> Option<bool> {
    let mut is_asked = false;
    loop {
        match asked.read(&mut [0; 64]) {
            Ok(0) => return None,
            Ok(_) => is_asked = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Some(is_asked),
        }
    }
}

/// Takes the events; reads the state before, if `looks` says so.
fn see(
    notifications: &mut Notifications,
    looks: bool,
    events: &mut Vec<DeviceEvent>,
) -> xsk::Result<()> {
    if looks {
        notifications.refresh()?;
    }
    while let Some(event) = notifications.try_next()? {
        events.push(event);
    }
    Ok(())
}

/// Keeps what was seen, after the events that were not taken yet.
fn note(report: &Mutex<Option<Seen>>, mut now: Seen) {
    let Ok(mut seen) = report.lock() else { return };
    if let Some(mut before) = seen.take() {
        before.events.append(&mut now.events);
        now.events = before.events;
    }
    *seen = Some(now);
}
