//! What is counted for the statistics of a file, by the thread that writes it.

use crate::capture::clock::Clock;
use crate::capture::format::Statistics;
use crate::run::counts::Report;
use crate::run::filtering::LiveFilter;
use std::sync::Arc;
use xsk::SocketHandle;

/// What counts the packets that come to sockets.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) clock: Clock,
    /// When the capture began.
    pub(crate) start: u64,
    pub(crate) handles: Vec<SocketHandle>,
    pub(crate) filter: Option<Arc<LiveFilter>>,
}

impl Counted {
    /// Returns what was counted so far; `received` is what the sockets did not get, if there is no
    /// filter.
    pub(crate) fn now(&self) -> Statistics {
        // What a socket of an interface that is gone has counted is not known.
        let report = Report::of_sockets(0, &self.handles).unwrap_or_default();
        let dropped = report.totals().rx_dropped;
        let seen = self.filter.as_ref().and_then(|filter| filter.seen());
        Statistics {
            start: self.start,
            end: self.clock.now(),
            received: seen.unwrap_or(dropped),
            beside: seen.is_none(),
            dropped,
            accepted: self.filter.as_ref().and_then(|filter| filter.matched()),
            ring_lost: None,
            written: 0,
        }
    }
}
