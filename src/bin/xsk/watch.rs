//! Looks at an interface again and again, in a thread of its own: the kernel serves such requests
//! under the lock of all network settings, for which the data path must not wait.

use crate::failure::{Failure, Result};
use crate::rights;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use xsk::Interface;
use xsk::interface::InterfaceInfo;

/// How often the interface is looked at.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// What was seen, and when the look began.
type Seen = Option<(Instant, xsk::Result<InterfaceInfo>)>;

/// The thread, which ends with this value.
#[derive(Debug)]
pub(crate) struct Watch {
    ask: Sender<()>,
    seen: Arc<Mutex<Seen>>,
}

impl Watch {
    pub(crate) fn start(interface: &Interface) -> Result<Self> {
        // With sockets of its own: those of `interface` are used by one thread at a time.
        let interface = Interface::by_index(interface.index())?;
        let seen = Arc::new(Mutex::new(None));
        let (ask, asked) = channel();
        let report = Arc::clone(&seen);
        let look = move || {
            rights::give_up_in_thread();
            while matches!(asked.recv_timeout(INTERVAL), Ok(()) | Err(RecvTimeoutError::Timeout)) {
                let (start, info) = (Instant::now(), interface.info());
                if let Ok(mut seen) = report.lock() {
                    *seen = Some((start, info));
                }
            }
        };
        let thread = std::thread::Builder::new().name("watch".to_owned());
        thread.spawn(look).map_err(Failure::of_thread("looks at the interface"))?;
        Ok(Self { ask, seen })
    }

    /// Returns what was seen last, unless it was returned before.
    pub(crate) fn take(&self) -> Seen {
        self.seen.try_lock().ok()?.take()
    }

    /// Has the thread look now.
    pub(crate) fn ask(&self) {
        let _ = self.ask.send(());
    }
}
