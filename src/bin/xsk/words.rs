//! The words of JSON for what happened during a run, and for why it ended.

/// Makes an enum of words with their meanings.
macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident { $($variant:ident = $word:literal: $meaning:literal,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $(#[doc = $meaning] $variant,)*
        }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the word.
            pub(crate) const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

words! {
    /// What happened: the value of "event".
    Event {
        LinkDown = "link_down": "the interface was switched off",
        NoCarrier = "no_carrier": "the interface has no carrier",
        LinkUp = "link_up": "packets come and go again",
        InterfaceRenamed = "interface_renamed": "the interface has another name",
        ProgramTakenOff = "program_taken_off": "another process took the program off",
        PacketsElsewhere = "packets_elsewhere": "packets come to other queues",
        QueuesLeftOut = "queues_left_out": "queues (-q) lack the side that the command needs",
        BusyPollNoEffect = "busy_poll_no_effect": "busy polling (-B) has nothing to poll",
        RxRingFull = "rx_ring_full": "packets were lost: the RX ring was full",
        FillRingEmpty = "fill_ring_empty": "packets were lost: the fill ring was empty",
        TooLong = "too_long": "packets were lost: they did not fit a chunk",
        DroppedByDevice = "dropped_by_device": "the device dropped packets that were to be sent",
    }
}

words! {
    /// Why a run ended: the value of "ended".
    Why {
        Count = "count": "the count (-C) was reached",
        Time = "time": "the time (-d) was over",
        Signal = "signal": "a signal came",
        InterfaceGone = "interface_gone": "the interface was removed, or moved to another namespace",
        ProgramTakenOff = "program_taken_off": "another process took the program off",
        Error = "error": "something else, which \"error\" says",
    }
}

/// Returns the list of all words, for the help.
pub(crate) fn list() -> String {
    let mut events = Event::ALL.iter().map(|event| (event.word(), event.meaning()));
    let mut reasons = Why::ALL.iter().map(|why| (why.word(), why.meaning()));
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
