//! What was replied to, and what was not, and why.

use crate::report::rates::grouped;
use crate::run::lines::More;
use crate::run::table::row;
use serde_json::{Map, Value, json};

/// What was replied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Arp,
    Neighbour,
    Echo,
    Echo6,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Arp, Self::Neighbour, Self::Echo, Self::Echo6];

    fn key(self) -> &'static str {
        match self {
            Self::Arp => "arp",
            Self::Neighbour => "neighbour",
            Self::Echo => "echo",
            Self::Echo6 => "echo6",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Arp => "replied: ARP",
            Self::Neighbour => "replied: neighbour",
            Self::Echo => "replied: echo, IPv4",
            Self::Echo6 => "replied: echo, IPv6",
        }
    }
}

/// Why a packet that the filter took was not replied to, and got lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreplied {
    /// A checksum is wrong.
    Checksum,
    /// Its lengths contradict one another, or it breaks a rule of its protocol.
    Malformed,
    /// No host has its source address, or this one has.
    Source,
    /// It has a source route, along which the reply would have to go back.
    SourceRoute,
    /// It is a part of a packet.
    Fragment,
    /// It is nothing that is replied to.
    Other,
}

impl Unreplied {
    const ALL: [Self; 6] = [
        Self::Checksum,
        Self::Malformed,
        Self::Source,
        Self::SourceRoute,
        Self::Fragment,
        Self::Other,
    ];

    fn key(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Malformed => "malformed",
            Self::Source => "source",
            Self::SourceRoute => "source_route",
            Self::Fragment => "fragment",
            Self::Other => "other",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Checksum => "not replied: wrong checksum",
            Self::Malformed => "not replied: malformed",
            Self::Source => "not replied: its source",
            Self::SourceRoute => "not replied: source route",
            Self::Fragment => "not replied: fragment",
            Self::Other => "not replied: other kind",
        }
    }
}

/// How many packets were replied to, and how many were not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Replies {
    replied: [u64; Kind::ALL.len()],
    unreplied: [u64; Unreplied::ALL.len()],
}

impl Replies {
    /// Counts a packet.
    pub(crate) fn count(&mut self, outcome: Result<Kind, Unreplied>) {
        match outcome {
            Ok(kind) => self.replied[kind as usize] += 1,
            Err(why) => self.unreplied[why as usize] += 1,
        }
    }

    /// Returns the sum of both.
    pub(crate) fn plus(mut self, other: &Self) -> Self {
        let add = |sum: &mut [u64], other: &[u64]| {
            for (sum, other) in sum.iter_mut().zip(other) {
                *sum += other;
            }
        };
        add(&mut self.replied, &other.replied);
        add(&mut self.unreplied, &other.unreplied);
        self
    }

    /// Returns what the summary has about it; `fragments` were passed on by the filter, if that is
    /// known.
    pub(crate) fn summary(&self, fragments: Option<u64>) -> More {
        let object = |pairs: Vec<(&str, u64)>| -> Value {
            let pairs = pairs.into_iter().map(|(key, count)| (key.to_owned(), json!(count)));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        let unreplied = Unreplied::ALL.map(|why| (why, self.unreplied[why as usize]));
        let replied = Kind::ALL.map(|kind| (kind, self.replied[kind as usize]));
        let named = replied.iter().map(|(kind, count)| (kind.name(), *count));
        let lost = unreplied.iter().map(|(why, count)| (why.name(), *count));
        let passed_on = [("passed on: fragments", fragments.unwrap_or(0))];
        let exceptions = lost.chain(passed_on).filter(|(_, count)| *count > 0);
        let lines = named.chain(exceptions).map(|(name, count)| row(name, "", &grouped(count)));
        More {
            key: "replies",
            json: json!({
                "replied": object(replied.iter().map(|(kind, n)| (kind.key(), *n)).collect()),
                "not_replied": object(unreplied.iter().map(|(why, n)| (why.key(), *n)).collect()),
                "fragments_passed_on": fragments,
            }),
            lines: lines.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_counted_where_it_belongs() {
        let mut replies = Replies::default();
        for kind in Kind::ALL {
            replies.count(Ok(kind));
        }
        replies.count(Ok(Kind::Echo));
        for why in Unreplied::ALL {
            replies.count(Err(why));
        }
        let More { json, lines, .. } = replies.plus(&replies).summary(Some(7));
        let text = lines.join("\n");
        for kind in Kind::ALL {
            let wanted = if kind == Kind::Echo { 4 } else { 2 };
            assert_eq!(json["replied"][kind.key()], wanted);
            assert!(text.contains(&row(kind.name(), "", &wanted.to_string())), "{text}");
        }
        for why in Unreplied::ALL {
            assert_eq!(json["not_replied"][why.key()], 2);
            assert!(text.contains(&row(why.name(), "", "2")), "{text}");
        }
        assert_eq!(json["fragments_passed_on"], 7);
        assert!(text.contains(&row("passed on: fragments", "", "7")), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert_eq!(replies.summary(None).json["fragments_passed_on"], Value::Null);
    }
}
