//! The processors that threads run on.

use crate::failure::{Failure, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::str::FromStr;
use xsk::multi_queue::QueueSet;

/// One processor for each of the two ends of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cpus(pub(crate) [u32; 2]);

impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|_| !text.starts_with('+'));
        let both = text.split_once(',').and_then(|(a, b)| Some([number(a)?, number(b)?]));
        both.map(Self).ok_or_else(|| "two numbers of processors are wanted, as in 2,3".to_owned())
    }
}

impl Cpus {
    /// Returns those that were asked for, if the process may run on them; without a wish the last
    /// two that it may run on, if there are two and `spins` says that the ends spin.
    pub(crate) fn choose(wanted: Option<Self>, spins: bool) -> Result<Option<Self>> {
        // Unknown on a kernel with more processors than a set holds.
        let allowed = sched_getaffinity(None).ok();
        let allowed = allowed.as_ref().map(numbers);
        match (wanted, allowed) {
            (Some(wanted), Some(allowed)) => wanted.among(&allowed).map(Some),
            (Some(wanted), None) => Ok(Some(wanted)),
            (None, Some(allowed)) if spins => Ok(last_two(&allowed)),
            (None, _) => Ok(None),
        }
    }

    fn among(self, allowed: &[u32]) -> Result<Self> {
        match self.0.iter().find(|number| !allowed.contains(number)) {
            None => Ok(self),
            Some(other) => Err(Failure::Text(format!(
                "this process may not run on processor {other} (--cpus): it may run on {}",
                allowed.iter().copied().collect::<QueueSet>()
            ))),
        }
    }

    /// Returns whether both ends share a processor.
    pub(crate) fn is_one(self) -> bool {
        self.0[0] == self.0[1]
    }

    /// Returns them in words.
    pub(crate) fn named(self) -> String {
        let [a, b] = self.0;
        format!("pinned to processors {a} and {b}")
    }
}

/// Returns the processors of a set.
fn numbers(set: &CpuSet) -> Vec<u32> {
    (0..CpuSet::MAX_CPU).filter(|number| set.is_set(*number)).map(|number| number as u32).collect()
}

fn last_two(allowed: &[u32]) -> Option<Cpus> {
    allowed.last_chunk::<2>().map(|last| Cpus(*last))
}

/// The calling thread runs on one processor until this is dropped.
#[derive(Debug)]
pub(crate) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    /// Has the calling thread run on the processor of this number.
    pub(crate) fn to(number: u32) -> Result<Self> {
        let failed = |errno| {
            Failure::Text(format!("a thread cannot be pinned to processor {number}: {errno}"))
        };
        let before = sched_getaffinity(None).map_err(failed)?;
        let mut only = CpuSet::new();
        if number as usize >= CpuSet::MAX_CPU {
            return Err(failed(rustix::io::Errno::INVAL));
        }
        only.set(number as usize);
        sched_setaffinity(None, &only).map_err(failed)?;
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = sched_setaffinity(None, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_two_processors() {
        assert_eq!("2,3".parse(), Ok(Cpus([2, 3])));
        assert_eq!("0,0".parse(), Ok(Cpus([0, 0])));
        for text in ["", "1", "1,", ",1", "1,2,3", "-1,2", "+1,2", "a,b", "1, 2"] {
            assert!(text.parse::<Cpus>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_two_are_taken_and_others_than_allowed_are_refused() {
        assert_eq!(last_two(&[0, 2, 5, 9]), Some(Cpus([5, 9])));
        assert_eq!((last_two(&[4]), last_two(&[])), (None, None));
        assert_eq!(Cpus([9, 2]).among(&[0, 2, 5, 9]).unwrap(), Cpus([9, 2]));
        let error = Cpus([0, 3]).among(&[0, 1, 2, 5]).unwrap_err().to_string();
        assert!(error.contains("processor 3 (--cpus): it may run on 0-2,5"), "{error}");
    }

    #[test]
    fn a_thread_is_pinned_until_the_value_is_dropped() {
        let before = numbers(&sched_getaffinity(None).unwrap());
        let pinned = Pinned::to(before[0]).unwrap();
        assert_eq!(numbers(&sched_getaffinity(None).unwrap()), [before[0]]);
        drop(pinned);
        assert_eq!(numbers(&sched_getaffinity(None).unwrap()), before);
        assert!(Pinned::to(u32::MAX).is_err());
    }
}
