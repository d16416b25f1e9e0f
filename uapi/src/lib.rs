//! Kernel structs.
#![no_std]
#![forbid(unsafe_code)]
#![allow(non_camel_case_types, missing_docs, missing_debug_implementations, reason = "stub")]
pub mod if_xdp {
    use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
    macro_rules! s { ($n:ident { $($f:ident: $t:ty),* }) => {
        #[repr(C)] #[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $n { $(pub $f: $t),* } } }
    s!(xdp_umem_reg { addr: u64, len: u64, chunk_size: u32, headroom: u32, flags: u32, tx_metadata_len: u32 });
    s!(xdp_ring_offset { producer: u64, consumer: u64, desc: u64, flags: u64 });
    s!(xdp_ring_offset_v1 { producer: u64, consumer: u64, desc: u64 });
    s!(xdp_mmap_offsets { rx: xdp_ring_offset, tx: xdp_ring_offset, fr: xdp_ring_offset, cr: xdp_ring_offset });
    s!(xdp_mmap_offsets_v1 { rx: xdp_ring_offset_v1, tx: xdp_ring_offset_v1, fr: xdp_ring_offset_v1, cr: xdp_ring_offset_v1 });
    s!(xdp_statistics { rx_dropped: u64, rx_invalid_descs: u64, tx_invalid_descs: u64, rx_ring_full: u64, rx_fill_ring_empty_descs: u64, tx_ring_empty_descs: u64 });
    s!(xdp_options { flags: u32 });
    s!(xdp_desc { addr: u64, len: u32, options: u32 });
    pub const SOL_XDP: i32 = 283;
    pub const XDP_MMAP_OFFSETS: i32 = 1;
    pub const XDP_RX_RING: i32 = 2;
    pub const XDP_TX_RING: i32 = 3;
    pub const XDP_UMEM_REG: i32 = 4;
    pub const XDP_UMEM_FILL_RING: i32 = 5;
    pub const XDP_UMEM_COMPLETION_RING: i32 = 6;
    pub const XDP_STATISTICS: i32 = 7;
    pub const XDP_OPTIONS: i32 = 8;
    pub const XDP_MAX_TX_SKB_BUDGET: i32 = 9;
    pub const XDP_RING_NEED_WAKEUP: u32 = 1;
    pub const XDP_COPY: u16 = 2;
    pub const XDP_ZEROCOPY: u16 = 4;
    pub const XDP_USE_NEED_WAKEUP: u16 = 8;
    pub const XDP_OPTIONS_ZEROCOPY: u32 = 1;
    pub const XDP_PGOFF_RX_RING: u64 = 0;
    pub const XDP_PGOFF_TX_RING: u64 = 0x8000_0000;
    pub const XDP_UMEM_PGOFF_FILL_RING: u64 = 0x1_0000_0000;
    pub const XDP_UMEM_PGOFF_COMPLETION_RING: u64 = 0x1_8000_0000;
}
