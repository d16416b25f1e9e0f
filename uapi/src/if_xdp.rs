//! `linux/if_xdp.h`: the AF_XDP socket.

use crate::layout::{constants, structs};

constants! {
    u16 {
        /// Address family of AF_XDP sockets; from `linux/socket.h` (4.18).
        AF_XDP = 44;
        /// Protocol family, the same number (4.18).
        PF_XDP = AF_XDP;

        /// `sxdp_flags`: take the UMEM of `sxdp_shared_umem_fd`; no other flag may be set with it
        /// (4.18).
        XDP_SHARED_UMEM = 1 << 0;
        /// `sxdp_flags`: copy mode, never ask the driver for zero-copy (4.18).
        XDP_COPY = 1 << 1;
        /// `sxdp_flags`: zero-copy or fail (4.18).
        XDP_ZEROCOPY = 1 << 2;
        /// `sxdp_flags`: the driver may sleep until it is kicked (5.4).
        XDP_USE_NEED_WAKEUP = 1 << 3;
        /// `sxdp_flags`: a received packet may span several descriptors (6.6).
        XDP_USE_SG = 1 << 4;
    }

    i32 {
        /// Level of the AF_XDP socket options; from `linux/socket.h` (4.18).
        SOL_XDP = 283;

        /// getsockopt, [`xdp_mmap_offsets`]: where the ring fields lie in each mapping (4.18).
        XDP_MMAP_OFFSETS = 1;
        /// setsockopt, `u32`: create the RX ring with that many entries (4.18).
        XDP_RX_RING = 2;
        /// setsockopt, `u32`: create the TX ring (4.18).
        XDP_TX_RING = 3;
        /// setsockopt, [`xdp_umem_reg`]: register packet memory (4.18).
        XDP_UMEM_REG = 4;
        /// setsockopt, `u32`: create the fill ring (4.18).
        XDP_UMEM_FILL_RING = 5;
        /// setsockopt, `u32`: create the completion ring (4.18).
        XDP_UMEM_COMPLETION_RING = 6;
        /// getsockopt, [`xdp_statistics`]: drop counters (4.18).
        XDP_STATISTICS = 7;
        /// getsockopt, [`xdp_options`]: the mode that the socket is in (5.3).
        XDP_OPTIONS = 8;
        /// setsockopt, `u32`: descriptors sent per copy-mode kick (6.17).
        XDP_MAX_TX_SKB_BUDGET = 9;
    }

    u32 {
        /// [`xdp_umem_reg::flags`]: chunks of any size, packets at any place (5.4).
        XDP_UMEM_UNALIGNED_CHUNK_FLAG = 1 << 0;
        /// [`xdp_umem_reg::flags`]: the kernel computes TX checksums in software, copy mode only
        /// (6.8).
        XDP_UMEM_TX_SW_CSUM = 1 << 1;
        /// [`xdp_umem_reg::flags`]: `tx_metadata_len` is used (6.11).
        XDP_UMEM_TX_METADATA_LEN = 1 << 2;

        /// [`xdp_options::flags`]: zero-copy is in use (5.3).
        XDP_OPTIONS_ZEROCOPY = 1 << 0;

        /// Ring flags word: the kernel must be woken for this ring (5.4).
        XDP_RING_NEED_WAKEUP = 1 << 0;

        /// [`xdp_desc::options`]: the packet continues in the next descriptor (6.6).
        XDP_PKT_CONTD = 1 << 0;
        /// [`xdp_desc::options`]: TX metadata lies just before the packet (6.8).
        XDP_TX_METADATA = 1 << 1;

        /// Unaligned mode: the number of the first offset bit of an address (5.4).
        XSK_UNALIGNED_BUF_OFFSET_SHIFT = 48;
    }

    u64 {
        /// `mmap` offset of the RX ring (4.18).
        XDP_PGOFF_RX_RING = 0;
        /// `mmap` offset of the TX ring (4.18).
        XDP_PGOFF_TX_RING = 0x8000_0000;
        /// `mmap` offset of the fill ring (4.18).
        XDP_UMEM_PGOFF_FILL_RING = 0x1_0000_0000;
        /// `mmap` offset of the completion ring (4.18).
        XDP_UMEM_PGOFF_COMPLETION_RING = 0x1_8000_0000;

        /// Unaligned mode: the bits of an address that hold the base (5.4).
        XSK_UNALIGNED_BUF_ADDR_MASK = (1 << 48) - 1;

        /// [`xsk_tx_metadata::flags`]: write the time of sending into `tx_timestamp` (6.8).
        XDP_TXMD_FLAGS_TIMESTAMP = 1 << 0;
        /// [`xsk_tx_metadata::flags`]: compute the checksum that `csum_start` and `csum_offset`
        /// name (6.8).
        XDP_TXMD_FLAGS_CHECKSUM = 1 << 1;
        /// [`xsk_tx_metadata::flags`]: send at `launch_time` (6.15).
        XDP_TXMD_FLAGS_LAUNCH_TIME = 1 << 2;
    }
}

structs! {
    /// The address that `bind` takes (4.18).
    pub struct sockaddr_xdp(16, Same) {
        /// [`AF_XDP`].
        0: sxdp_family: u16,
        /// [`XDP_COPY`] and its neighbours.
        2: sxdp_flags: u16,
        /// Index of the network device, in the socket's own network namespace.
        4: sxdp_ifindex: u32,
        /// Queue of the device. The kernel silently keeps 16 bits of it.
        8: sxdp_queue_id: u32,
        /// With [`XDP_SHARED_UMEM`]: a bound socket whose UMEM is shared.
        12: sxdp_shared_umem_fd: u32,
    }

    /// Argument of [`XDP_UMEM_REG`] (4.18; 24 bytes then). Always pass all 32 bytes: if the length
    /// is below the kernel's own, it silently ignores everything from `flags` on.
    pub struct xdp_umem_reg(32, Extensible) {
        /// Start of the memory, page aligned.
        0: addr: u64,
        /// Length of the memory in bytes.
        8: len: u64,
        /// Size of one chunk in bytes, 2048 to the page size.
        16: chunk_size: u32,
        /// Bytes the kernel leaves free before each received packet.
        20: headroom: u32,
        /// [`XDP_UMEM_UNALIGNED_CHUNK_FLAG`] and its neighbours (5.4).
        24: flags: u32,
        /// Bytes of TX metadata before each packet, a multiple of 8 below 256 (6.8).
        28: tx_metadata_len: u32,
    }

    /// Where the parts of one ring lie in its mapping (5.4).
    pub struct xdp_ring_offset(32, Same) {
        /// Offset of the producer index.
        0: producer: u64,
        /// Offset of the consumer index.
        8: consumer: u64,
        /// Offset of the first entry.
        16: desc: u64,
        /// Offset of the flags word ([`XDP_RING_NEED_WAKEUP`]).
        24: flags: u64,
    }

    /// Result of [`XDP_MMAP_OFFSETS`] (5.4; [`xdp_mmap_offsets_v1`] before).
    pub struct xdp_mmap_offsets(128, Same) {
        /// RX ring.
        0: rx: xdp_ring_offset,
        /// TX ring.
        32: tx: xdp_ring_offset,
        /// Fill ring.
        64: fr: xdp_ring_offset,
        /// Completion ring.
        96: cr: xdp_ring_offset,
    }

    /// [`xdp_ring_offset`] before the flags word (4.18 to 5.3).
    pub struct xdp_ring_offset_v1(24, Same) {
        /// Offset of the producer index.
        0: producer: u64,
        /// Offset of the consumer index.
        8: consumer: u64,
        /// Offset of the first entry.
        16: desc: u64,
    }

    /// Result of [`XDP_MMAP_OFFSETS`] for a length of 96 to 127 bytes, and always before 5.4
    /// (4.18).
    pub struct xdp_mmap_offsets_v1(96, Same) {
        /// RX ring.
        0: rx: xdp_ring_offset_v1,
        /// TX ring.
        24: tx: xdp_ring_offset_v1,
        /// Fill ring.
        48: fr: xdp_ring_offset_v1,
        /// Completion ring.
        72: cr: xdp_ring_offset_v1,
    }

    /// Result of [`XDP_STATISTICS`] (5.9; [`xdp_statistics_v1`] before).
    pub struct xdp_statistics(48, Extensible) {
        /// Received packets dropped for other reasons than an invalid descriptor (4.18).
        0: rx_dropped: u64,
        /// Invalid entries of the fill ring (4.18).
        8: rx_invalid_descs: u64,
        /// Invalid entries of the TX ring (4.18).
        16: tx_invalid_descs: u64,
        /// Packets dropped because the RX ring was full (5.9).
        24: rx_ring_full: u64,
        /// Times the fill ring was found empty (5.9).
        32: rx_fill_ring_empty_descs: u64,
        /// Times the TX ring was found empty; counts peeks, not errors (5.9).
        40: tx_ring_empty_descs: u64,
    }

    /// Counters of kernels before 5.9, and of later ones for a length of 24 to 47 bytes (4.18).
    /// `rx_dropped` then includes the packets that found the RX ring full.
    pub struct xdp_statistics_v1(24, Absent("the kernel cuts its one struct by length")) {
        /// Received packets dropped for other reasons than an invalid descriptor.
        0: rx_dropped: u64,
        /// Invalid entries of the fill ring.
        8: rx_invalid_descs: u64,
        /// Invalid entries of the TX ring.
        16: tx_invalid_descs: u64,
    }

    /// Result of [`XDP_OPTIONS`] (5.3).
    pub struct xdp_options(4, Same) {
        /// [`XDP_OPTIONS_ZEROCOPY`] or nothing.
        0: flags: u32,
    }

    /// One entry of the RX and TX rings (4.18). The fill and completion rings hold bare `u64`
    /// addresses.
    pub struct xdp_desc(16, Same) {
        /// Offset of the packet from the start of the UMEM. In unaligned mode the lower 48 bits
        /// ([`XSK_UNALIGNED_BUF_ADDR_MASK`]) say where the chunk begins, and the upper 16
        /// ([`XSK_UNALIGNED_BUF_OFFSET_SHIFT`]) how far behind that the packet does.
        0: addr: u64,
        /// Length in bytes.
        8: len: u32,
        /// [`XDP_PKT_CONTD`], [`XDP_TX_METADATA`]; zero before 6.6.
        12: options: u32,
    }

    /// TX metadata as the program writes it: the `request` form (6.8).
    /// After sending, [`xsk_tx_metadata_completion`] lies in the same place.
    pub struct xsk_tx_metadata(24, Part("xsk_tx_metadata")) {
        /// [`XDP_TXMD_FLAGS_TIMESTAMP`] and its neighbours.
        0: flags: u64,
        /// Where the checksum begins, counted from the start of the packet.
        8: csum_start: u16,
        /// Where it is stored, counted from `csum_start`.
        10: csum_offset: u16,
        /// Zero.
        12: _pad: [u8; 4],
        /// Time to send at, nanoseconds of the device's clock (6.15).
        16: launch_time: u64,
    }

    /// TX metadata as the kernel writes it: the `completion` form (6.8).
    pub struct xsk_tx_metadata_completion(16, Part("xsk_tx_metadata")) {
        /// As the program wrote them.
        0: flags: u64,
        /// Time of sending in nanoseconds, if [`XDP_TXMD_FLAGS_TIMESTAMP`] asked for it.
        8: tx_timestamp: u64,
    }
}
