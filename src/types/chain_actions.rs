//! The verdicts after which a dispatcher goes on with its next program.

use std::fmt;

/// The verdicts of XDP programs by their numbers, in the kernel's words (`enum xdp_action`).
const NAMES: [&str; 5] = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"];

/// The verdicts of a program after which libxdp's dispatcher runs the next one; any other verdict
/// is final.
///
/// Printed, they are the kernel's names with commas between them, as in `xdp-loader status`.
///
/// ```
/// use xsk::attach::ChainActions;
/// use xsk::uapi::bpf::{XDP_DROP, XDP_PASS};
///
/// let actions = ChainActions::from_bits(1 << XDP_PASS | 1 << 31);
/// assert!(actions.contains(XDP_PASS) && !actions.contains(XDP_DROP));
/// assert_eq!(actions.to_string(), "XDP_PASS");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainActions(u32);

impl ChainActions {
    /// Returns the verdicts whose bits are set: bit 0 is `XDP_ABORTED`.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Returns the bits, those that are no verdict among them: libxdp sets bit 31 for a place of
    /// the chain without a program.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns whether the dispatcher goes on after this verdict, such as
    /// [`XDP_PASS`](crate::uapi::bpf::XDP_PASS).
    #[must_use]
    pub fn contains(self, verdict: u32) -> bool {
        1_u32.checked_shl(verdict).is_some_and(|bit| self.0 & bit != 0)
    }
}

impl fmt::Display for ChainActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (verdict, name) in (0..).zip(NAMES) {
            if self.contains(verdict) {
                write!(f, "{between}{name}")?;
                between = ",";
            }
        }
        Ok(())
    }
}
