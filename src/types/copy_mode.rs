//! Copy or zero-copy.

/// Whether packets are copied between the kernel's buffers and the UMEM.
///
/// ```no_run
/// # fn f(umem: &xsk::Umem, interface: &xsk::Interface) -> xsk::Result<()> {
/// let builder = xsk::Socket::builder(umem).copy_mode(xsk::CopyMode::ZeroCopy);
/// let socket = builder.bind(interface, 0)?; // an error where the driver has no zero-copy
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CopyMode {
    /// Zero-copy where driver and queue can, else copy, and why:
    /// [`SocketHandle::copy_reason`](crate::SocketHandle::copy_reason).
    ///
    /// Zero-copy is tried first, and copy mode when that is refused. (The kernel's own choice, a
    /// bind with neither flag, does the same and keeps the reason to itself.)
    #[default]
    Auto,
    /// Always copy (`XDP_COPY`).
    Copy,
    /// Zero-copy or nothing (`XDP_ZEROCOPY`).
    ZeroCopy,
}
