//! The small enums that every layer names.

use std::fmt;

/// One of the four rings of an AF_XDP socket.
///
/// ```
/// assert_eq!(xsk::ring::RingKind::Completion.to_string(), "completion");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RingKind {
    /// Packets received: the kernel produces.
    Rx,
    /// Packets to send: the user produces.
    Tx,
    /// Chunks for the kernel to receive into: the user produces.
    Fill,
    /// Chunks whose packets are sent: the kernel produces.
    Completion,
}

impl fmt::Display for RingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rx => "RX",
            Self::Tx => "TX",
            Self::Fill => "fill",
            Self::Completion => "completion",
        })
    }
}

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

/// The size of the pages that packet memory is made of.
///
/// ```
/// use xsk::umem::PageSize;
///
/// let huge = xsk::Umem::builder().page_size(PageSize::Huge2M).build();
/// // The system may have no huge pages reserved.
/// let (umem, pool) = huge.or_else(|_| xsk::Umem::builder().build())?;
/// # Ok::<(), xsk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PageSize {
    /// The system's ordinary pages.
    #[default]
    Normal,
    /// Huge pages of 2 MiB, which the system must have reserved (`vm.nr_hugepages`).
    Huge2M,
    /// Huge pages of 1 GiB, which the system must have reserved, best at boot.
    Huge1G,
}

/// Where in the receive path a program runs.
///
/// ```no_run
/// # fn f(attachment: &xsk::Attachment) {
/// if attachment.mode() == xsk::XdpMode::Generic {
///     println!("slow: {}", attachment.reason());
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XdpMode {
    /// In the driver (`XDP_FLAGS_DRV_MODE`).
    Native,
    /// In the network stack, after an skb was made (`XDP_FLAGS_SKB_MODE`).
    Generic,
    /// On the card (`XDP_FLAGS_HW_MODE`).
    Hardware,
}

impl fmt::Display for XdpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Hardware => "hardware",
        })
    }
}

/// What holds a program on its interface.
///
/// ```no_run
/// # fn f(interface: &xsk::Interface) -> xsk::Result<()> {
/// // The kernel detaches the program if this process is killed.
/// let builder = xsk::Attachment::builder(interface).method(xsk::AttachMethod::Link);
/// let attachment = builder.attach()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AttachMethod {
    /// Attached by rtnetlink. If the process is killed, the program stays and passes every packet
    /// to the kernel's stack.
    #[default]
    Netlink,
    /// Attached by a `bpf_link` (5.9). If the process is killed, the kernel detaches it.
    Link,
}

impl fmt::Display for AttachMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Netlink => "netlink",
            Self::Link => "link",
        })
    }
}
