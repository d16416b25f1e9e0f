//! What failed, with its parameters and the kernel's words.

use super::Error;
use std::fmt;

impl Error {
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
