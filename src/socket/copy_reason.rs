//! Zero-copy or not, and why.

use rustix::io::Errno;
use std::fmt;

/// Why a socket is in zero-copy or in copy mode:
/// [`SocketHandle::copy_reason`](super::SocketHandle::copy_reason).
///
/// ```no_run
/// # fn f(socket: &xsk::Socket) {
/// let handle = &socket.handle;
/// if !handle.is_zero_copy() {
///     println!("copies: {}", handle.copy_reason());
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyReason {
    /// This mode was asked for.
    Asked,
    /// The driver has zero-copy for this queue.
    ZeroCopy,
    /// The socket shares the packet memory of another one, and with it the mode.
    Shared,
    /// Copy mode, without asking the driver: the size of the chunks is no power of two, so that they
    /// cross pages ([`UmemBuilder::unaligned`](crate::umem::UmemBuilder::unaligned)).
    CrossesPages,
    /// Copy mode, because the driver has no zero-copy for packets of several frames
    /// ([`SocketBuilder::multi_buffer`](super::SocketBuilder::multi_buffer)): each has to fit into one
    /// ([`XdpFeatures::zero_copy_max_segments`](crate::interface::XdpFeatures::zero_copy_max_segments)
    /// is 1). For packets of one frame it may have it.
    NoMultiBuffer,
    /// Zero-copy was tried first, and refused.
    Refused {
        /// What the kernel said: `EOPNOTSUPP` if the driver has none, `EINVAL` and others if the
        /// driver has it and refused it with these settings.
        errno: Errno,
    },
}

impl fmt::Display for CopyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("as asked"),
            Self::ZeroCopy => f.write_str("the driver has it"),
            Self::CrossesPages => f.write_str("the chunks cross pages, which a card cannot take"),
            Self::NoMultiBuffer => {
                f.write_str("the driver has no zero-copy for packets of several frames")
            }
            Self::Shared => f.write_str("as the socket whose packet memory it shares"),
            Self::Refused {
                errno: Errno::OPNOTSUPP,
            } => f.write_str("the driver has no zero-copy (or not for this queue)"),
            Self::Refused {
                errno: Errno::INVAL,
            } => f.write_str(
                "the driver refused zero-copy with EINVAL: chunk size, headroom, MTU, a queue that does not both \
                 receive and send, or a virtio card without iommu_platform",
            ),
            Self::Refused {
                errno: Errno::BUSY,
            } => f.write_str("the driver was busy, and refused zero-copy with EBUSY"),
            Self::Refused { errno } => write!(f, "the driver refused zero-copy: {errno}"),
        }
    }
}
