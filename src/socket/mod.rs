//! AF_XDP sockets: from a builder to four rings at work.

/// Whether packets are copied between the kernel's buffers and the UMEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyMode {
    /// Zero-copy where driver and queue can, else copy.
    #[default]
    Auto,
    /// Always copy (`XDP_COPY`).
    Copy,
    /// Zero-copy or nothing (`XDP_ZEROCOPY`).
    ZeroCopy,
}
