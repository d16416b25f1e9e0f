//! A condition that is being put together.

use super::super::expr::Expr;

/// A condition, and how many levels it has.
pub(super) struct Built {
    pub(super) expr: Expr,
    pub(super) levels: usize,
}

impl Built {
    /// Wraps a condition whose levels are few.
    pub(super) fn new(expr: Expr) -> Self {
        let levels = expr.levels();
        Self { expr, levels }
    }

    pub(super) fn not(self) -> Self {
        let levels = match &self.expr {
            Expr::Not(_) => self.levels.saturating_sub(1),
            _ => self.levels.saturating_add(1),
        };
        Self { expr: self.expr.not(), levels }
    }

    /// Joins two conditions: with `or`, or with `and`.
    pub(super) fn join(self, or: bool, other: Self) -> Self {
        let inside = |built: &Self| match (&built.expr, or) {
            (Expr::Or(_), true) | (Expr::And(_), false) => built.levels,
            _ => built.levels.saturating_add(1),
        };
        let levels = inside(&self).max(inside(&other));
        let expr = if or { self.expr.or(other.expr) } else { self.expr.and(other.expr) };
        Self { expr, levels }
    }
}
