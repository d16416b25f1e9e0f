//! Conditions.

use super::expr::Expr;

/// A condition on a packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition(pub(crate) Expr);

impl Condition {
    pub(crate) fn expr(&self) -> &Expr {
        &self.0
    }

    /// Returns the condition that is true of every packet.
    #[must_use]
    pub fn always() -> Self {
        Self(Expr::Always(true))
    }

    /// Returns whether it is true of a packet.
    #[must_use]
    pub fn matches(&self, packet: &[u8]) -> bool {
        super::evaluate::evaluate(&self.0, packet) == Some(true)
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
