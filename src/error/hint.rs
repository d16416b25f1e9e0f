//! What to do about an error: the part that an operator reads at night.

use super::Error;

/// One or two sentences without the final full stop, or nothing where nothing useful is known.
pub(super) fn of(_error: &Error) -> String {
    String::new()
}
