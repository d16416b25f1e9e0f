//! The words of JSON for what happened during a run, and for why it ended.

/// What happened: the value of "event".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The interface was switched off.
    LinkDown,
    /// The interface has no carrier.
    NoCarrier,
    /// Packets come and go again.
    LinkUp,
    /// The interface has another name.
    InterfaceRenamed,
    /// Another process took the program off.
    ProgramTakenOff,
    /// Packets come to other queues.
    PacketsElsewhere,
    /// Queues (-q) lack the side that the command needs.
    QueuesLeftOut,
    /// Busy polling (-B) has nothing to poll.
    BusyPollNoEffect,
    /// No packet can come by the filter.
    FilterTakesNothing,
    /// Packets were lost: the RX ring was full.
    RxRingFull,
    /// Packets were lost: the fill ring was empty.
    FillRingEmpty,
    /// Packets were lost: they did not fit a chunk.
    TooLong,
    /// The device dropped packets that were to be sent.
    DroppedByDevice,
    /// Copies of packets (--tee) were lost: the ring buffer was full.
    TeeRingFull,
}

impl Event {
    const ALL: [Self; 14] = [
        Self::LinkDown,
        Self::NoCarrier,
        Self::LinkUp,
        Self::InterfaceRenamed,
        Self::ProgramTakenOff,
        Self::PacketsElsewhere,
        Self::QueuesLeftOut,
        Self::BusyPollNoEffect,
        Self::FilterTakesNothing,
        Self::RxRingFull,
        Self::FillRingEmpty,
        Self::TooLong,
        Self::DroppedByDevice,
        Self::TeeRingFull,
    ];

    /// Returns the word.
    pub(crate) fn word(self) -> &'static str {
        debug_assert!(Self::ALL.contains(&self), "{self:?} is not in the list");
        self.row().0
    }

    /// Returns the word and its meaning.
    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::LinkDown => ("link_down", "the interface was switched off"),
            Self::NoCarrier => ("no_carrier", "the interface has no carrier"),
            Self::LinkUp => ("link_up", "packets come and go again"),
            Self::InterfaceRenamed => ("interface_renamed", "the interface has another name"),
            Self::ProgramTakenOff => ("program_taken_off", "another process took the program off"),
            Self::PacketsElsewhere => ("packets_elsewhere", "packets come to other queues"),
            Self::QueuesLeftOut => {
                ("queues_left_out", "queues (-q) lack the side that the command needs")
            }
            Self::BusyPollNoEffect => {
                ("busy_poll_no_effect", "busy polling (-B) has nothing to poll")
            }
            Self::FilterTakesNothing => {
                ("filter_takes_nothing", "no packet can come by the filter")
            }
            Self::RxRingFull => ("rx_ring_full", "packets were lost: the RX ring was full"),
            Self::FillRingEmpty => {
                ("fill_ring_empty", "packets were lost: the fill ring was empty")
            }
            Self::TooLong => ("too_long", "packets were lost: they did not fit a chunk"),
            Self::DroppedByDevice => {
                ("dropped_by_device", "the device dropped packets that were to be sent")
            }
            Self::TeeRingFull => {
                ("tee_ring_full", "copies of packets were lost: the ring buffer was full")
            }
        }
    }
}

/// Why a run ended: the value of "ended".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The count (-C) was reached.
    Count,
    /// The time (-d) was over.
    Time,
    /// A signal came.
    Signal,
    /// All that was to be sent was sent.
    Complete,
    /// The interface was removed, or moved to another namespace.
    InterfaceGone,
    /// Another process took the program off.
    ProgramTakenOff,
    /// Something else, which "error" says.
    Error,
}

impl Why {
    const ALL: [Self; 7] = [
        Self::Count,
        Self::Time,
        Self::Signal,
        Self::Complete,
        Self::InterfaceGone,
        Self::ProgramTakenOff,
        Self::Error,
    ];

    /// Returns the word.
    pub(crate) fn word(self) -> &'static str {
        debug_assert!(Self::ALL.contains(&self), "{self:?} is not in the list");
        self.row().0
    }

    /// Returns the word and its meaning.
    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Count => ("count", "the count (-C) was reached"),
            Self::Time => ("time", "the time (-d) was over"),
            Self::Signal => ("signal", "a signal came"),
            Self::Complete => ("complete", "the whole capture (--replay) was sent"),
            Self::InterfaceGone => {
                ("interface_gone", "the interface was removed, or moved to another namespace")
            }
            Self::ProgramTakenOff => ("program_taken_off", "another process took the program off"),
            Self::Error => ("error", "something else, which \"error\" says"),
        }
    }
}

/// Returns the list of all words, for the help.
pub(crate) fn list() -> String {
    let mut events = Event::ALL.iter().map(|event| event.row());
    let mut reasons = Why::ALL.iter().map(|why| why.row());
    let rows = |words: &mut dyn Iterator<Item = (&str, &str)>| -> String {
        words.map(|(word, meaning)| format!("\n  {word:<21}{meaning}")).collect()
    };
    format!(
        "In JSON (--json), \"event\" is one of:{}\nand \"ended\" is one of:{}",
        rows(&mut events),
        rows(&mut reasons)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_a_row_that_fits_a_line() {
        let list = list();
        let words = Event::ALL.iter().map(|event| event.word());
        for word in words.chain(Why::ALL.iter().map(|why| why.word())) {
            assert!(list.lines().any(|line| line.starts_with(&format!("  {word} "))), "{word}");
        }
        assert!(list.lines().all(|line| line.len() <= 100), "{list}");
        assert_eq!(list.lines().count(), Event::ALL.len() + Why::ALL.len() + 2);
    }
}
