//! How many packets of a batch went where.

/// How many packets of a batch went where: the result of
/// [`RxBatch::route_each`](super::RxBatch::route_each).
///
/// ```no_run
/// # fn f(port: &mut xsk::Port) -> xsk::Result<()> {
/// # let xsk::Socket { rx, tx, fill, .. } = &mut port.socket;
/// let routed = rx.receive(64)?.route_each(tx, fill, &mut port.pool, xsk::Verdict::Send)?;
/// println!("{} packets are to be sent", routed.sent);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Routed {
    /// In the TX ring.
    pub sent: u32,
    /// In the fill ring.
    pub recycled: u32,
    /// In the pool; also those for which the fill ring had no room.
    pub pooled: u32,
    /// Kept by the closure.
    pub kept: u32,
}

impl Routed {
    /// Returns how many packets were taken from the RX ring.
    #[inline]
    #[must_use]
    pub fn total(&self) -> u32 {
        [self.recycled, self.pooled, self.kept]
            .iter()
            .fold(self.sent, |sum, n| sum.wrapping_add(*n))
    }
}
