//! Which queues of an interface are meant.

use crate::interface::Queues;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The number of queues that `bind(2)` can tell apart: it looks at 16 bits.
const LIMIT: u32 = 1 << 16;

/// Which queues of an interface are meant: all that it has at the time, or some by their numbers.
///
/// In text: `all`, or numbers and ranges, such as `0`, `0-3`, `0,2,4-7`.
///
/// ```
/// use xsk::multi_queue::QueueSet;
///
/// let set: QueueSet = "0,2-3".parse()?;
/// assert_eq!(set, [3, 2, 0].into_iter().collect());
/// assert_eq!(set.to_string(), "0,2-3");
/// assert_eq!("all".parse(), Ok(QueueSet::default()));
/// assert_eq!("3-1".parse::<QueueSet>().unwrap_err().to_string(),
///     "\"3-1\" names no queues: the range 3-1 ends before it begins");
/// # Ok::<(), xsk::multi_queue::InvalidQueueSet>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct QueueSet {
    /// `None`: all.
    numbers: Option<BTreeSet<u32>>,
}

impl QueueSet {
    /// Returns the set of all queues that the interface has when it is asked.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Returns whether all queues are meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.numbers.is_none()
    }

    /// Returns the one queue that is meant, if it is one by its number.
    #[must_use]
    pub fn single(&self) -> Option<u32> {
        let numbers = self.numbers.as_ref()?;
        numbers.first().copied().filter(|_| numbers.len() == 1)
    }

    /// Returns the numbers, in order, given how many queues there are.
    #[must_use]
    pub fn numbers(&self, queues: Queues) -> Vec<u32> {
        match &self.numbers {
            Some(numbers) => numbers.iter().copied().collect(),
            None => (0..queues.current()).collect(),
        }
    }
}

impl FromIterator<u32> for QueueSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self { numbers: Some(numbers.into_iter().collect()) }
    }
}

impl From<u32> for QueueSet {
    fn from(queue: u32) -> Self {
        Self::from_iter([queue])
    }
}

impl fmt::Display for QueueSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(numbers) = &self.numbers else { return f.write_str("all") };
        let mut numbers = numbers.iter().copied().peekable();
        let mut between = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if_eq(&last.wrapping_add(1)) {
                last = next;
            }
            write!(f, "{between}{first}")?;
            if last != first {
                write!(f, "-{last}")?;
            }
            between = ",";
        }
        Ok(())
    }
}

/// Returned for a text that names no queues ([`QueueSet`]).
///
/// ```
/// let error = "".parse::<xsk::multi_queue::QueueSet>().unwrap_err();
/// assert_eq!(error.to_string(), "\"\" names no queues: \"\" is no number; \
///     write `all`, or numbers and ranges, such as 0,2,4-7");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidQueueSet {
    text: String,
    reason: String,
}

impl fmt::Display for InvalidQueueSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} names no queues: {}", self.text, self.reason)
    }
}

impl std::error::Error for InvalidQueueSet {}

impl FromStr for QueueSet {
    type Err = InvalidQueueSet;

    fn from_str(text: &str) -> Result<Self, InvalidQueueSet> {
        if text == "all" {
            return Ok(Self::all());
        }
        let invalid = |reason| InvalidQueueSet { text: text.to_owned(), reason };
        let number = |word: &str| {
            let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            match word.parse() {
                Ok(number) if digits && number < LIMIT => Ok(number),
                _ if digits => Err(invalid(format!("{word} is not below {LIMIT}"))),
                _ => Err(invalid(format!(
                    "{word:?} is no number; write `all`, or numbers and ranges, such as 0,2,4-7"
                ))),
            }
        };
        let mut numbers = BTreeSet::new();
        for part in text.split(',') {
            let Some((first, last)) = part.split_once('-') else {
                numbers.insert(number(part)?);
                continue;
            };
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return Err(invalid(format!("the range {part} ends before it begins")));
            }
            numbers.extend(first..=last);
        }
        Ok(Self { numbers: Some(numbers) })
    }
}
