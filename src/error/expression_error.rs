//! What is wrong in the text of a condition, and where.

use std::fmt;

/// Why the text of a [`Condition`](crate::bpf::Condition) was refused, and at which column.
///
/// Its text has three lines: what is wrong, the expression, and a caret below the column.
///
/// ```
/// use xsk::bpf::Condition;
/// use xsk::error::ExpressionFault;
///
/// let error = "tcp and prot 80".parse::<Condition>().unwrap_err();
/// assert_eq!(error.fault(), ExpressionFault::Unexpected);
/// assert_eq!((error.column(), error.found(), error.nearest()), (9, "prot", Some("port")));
/// assert!(error.to_string().ends_with("\n  tcp and prot 80\n          ^"));
/// // As a crate's error it has one line.
/// let error = xsk::Error::from(error);
/// assert!(error.to_string().starts_with("cannot read the filter expression at column 9: `prot`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    fault: ExpressionFault,
    column: usize,
    found: String,
    expected: String,
    nearest: Option<&'static str>,
    /// Another keyword that is as near.
    other: Option<&'static str>,
    /// A part of the expression with the column in it, and where in that part the column is.
    excerpt: (String, usize),
}

/// The kinds of [`ExpressionError`].
///
/// ```
/// use xsk::bpf::Condition;
/// use xsk::error::ExpressionFault;
///
/// let fault = |text: &str| text.parse::<Condition>().unwrap_err().fault();
/// assert_eq!(fault("tcp port"), ExpressionFault::Unexpected);
/// assert_eq!(fault("inbound and tcp"), ExpressionFault::NotTaken);
/// assert_eq!(fault("port 65536"), ExpressionFault::Value);
/// assert_eq!(fault("vlan and vlan and vlan"), ExpressionFault::Limit);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExpressionFault {
    /// Something else has to be at this place.
    Unexpected,
    /// The tcpdump language has this, and this crate does not.
    NotTaken,
    /// A number, an address or a name that is not possible here.
    Value,
    /// The expression is too long, or too deep.
    Limit,
}

/// The characters of the expression that are shown on each side of the column.
const SHOWN: usize = 60;

impl ExpressionError {
    /// Describes a fault at the character with this index.
    pub(crate) fn new(
        fault: ExpressionFault,
        text: &str,
        at: usize,
        found: &str,
        expected: String,
    ) -> Self {
        let from = at.saturating_sub(SHOWN);
        let wanted = SHOWN.saturating_mul(2);
        let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
        let mut shown: String = text.chars().skip(from).take(wanted).map(plain).collect();
        let mut caret = at.saturating_sub(from);
        if from > 0 {
            shown.insert_str(0, "...");
            caret = caret.saturating_add(3);
        }
        if text.chars().count() > from.saturating_add(wanted) {
            shown.push_str("...");
        }
        let mut short: String = found.chars().take(40).map(plain).collect();
        if found.chars().count() > 40 {
            short.push_str("...");
        }
        Self(Box::new(Details {
            fault,
            column: at.saturating_add(1),
            found: short,
            expected,
            nearest: None,
            other: None,
            excerpt: (shown, caret),
        }))
    }

    /// Names the keyword that may have been meant, and another one that is as near.
    pub(crate) fn with_nearest(
        mut self,
        near: Option<(&'static str, Option<&'static str>)>,
    ) -> Self {
        self.0.nearest = near.map(|(nearest, _)| nearest);
        self.0.other = near.and_then(|(_, other)| other);
        self
    }

    /// Returns which kind of fault it is.
    #[must_use]
    pub fn fault(&self) -> ExpressionFault {
        self.0.fault
    }

    /// Returns the column, in characters; the first one is 1. At the end of the expression it is
    /// one more than there are characters.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// Returns what is at the column, at most 40 characters of it; empty at the end.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// Returns what should be there, or the rule that is broken.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// Returns the keyword that may have been meant, if one is near.
    #[must_use]
    pub fn nearest(&self) -> Option<&'static str> {
        self.0.nearest
    }

    /// Writes what is wrong, without the column.
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.found.trim() {
            "" => f.write_str("the end")?,
            found => write!(f, "`{found}`")?,
        }
        match self.0.fault {
            ExpressionFault::Unexpected => write!(f, " in place of {}", self.0.expected)?,
            ExpressionFault::NotTaken => write!(f, " is not taken: {}", self.0.expected)?,
            ExpressionFault::Value => write!(f, " is not possible: {}", self.0.expected)?,
            ExpressionFault::Limit => write!(f, " is too much: {}", self.0.expected)?,
        }
        match (self.0.nearest, self.0.other) {
            (Some(nearest), Some(other)) => {
                write!(f, " (the nearest keywords are `{nearest}` and `{other}`)")
            }
            (Some(nearest), None) => write!(f, " (the nearest keyword is `{nearest}`)"),
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.0.column)?;
        self.describe(f)?;
        let (text, caret) = &self.0.excerpt;
        write!(f, "\n  {text}\n  {:caret$}^", "", caret = *caret)
    }
}

impl std::error::Error for ExpressionError {}
