//! The result of waking the kernel.

/// The result of waking the kernel for a ring ([`Tx::kick_if_needed`](super::Tx::kick_if_needed)).
///
/// None of these is a failure: what the kernel has not taken stays in its ring. A loop may pass over
/// the result if it sends no more per round than one wake-up does (32 descriptors in copy mode, or
/// [`set_tx_budget`](super::SocketHandle::set_tx_budget)): otherwise its TX ring fills up.
/// [`Port::service`](super::Port::service) wakes the kernel as often as it takes.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// while socket.tx.pending() > 0 {
///     if socket.tx.kick_if_needed()? == xsk::Kick::NoBuffers {
///         std::thread::yield_now();
///     }
///     socket.completion.reap_into(pool, 64)?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kick {
    /// The kernel was not woken: the need-wakeup flag was not set, or the TX ring of a socket in copy
    /// mode was empty.
    NotNeeded,
    /// The kernel was woken, and reported no problem. That does not mean that the ring is drained:
    /// the kernel stops at a full completion ring, for example; see
    /// [`Tx::pending`](super::Tx::pending).
    Done,
    /// `EAGAIN`: there is more to send than the kernel does in one call (32 descriptors), or the
    /// completion ring or the socket's send buffer is full. Reap, then kick again.
    Again,
    /// `EBUSY`: the device dropped a packet (it has no carrier, its queue was full, or the packet is
    /// longer than the MTU); its chunk comes back as if it had been sent. Kick again for the rest.
    /// [`SocketHandle::tx_dropped`](super::SocketHandle::tx_dropped) counts them.
    Busy,
    /// `ENOBUFS` or `ENOMEM`: the kernel had no memory. Kick again later.
    NoBuffers,
}
