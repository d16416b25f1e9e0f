//! All structs and constants of the crate, as data.
//!
//! A test compares the tables with the type information of the running kernel
//! (`/sys/kernel/btf/vmlinux`). A program can do the same at start-up, or print a layout beside a
//! hex dump.
//!
//! ```
//! use xsk_uapi::tables;
//!
//! let desc = tables::STRUCTS.iter().find(|s| s.name == "xdp_desc").unwrap();
//! assert_eq!(desc.size, 16);
//! let offsets: Vec<_> = desc.fields.iter().map(|f| (f.name, f.offset)).collect();
//! assert_eq!(offsets, [("addr", 0), ("len", 8), ("options", 12)]);
//! ```

use crate::layout::{Constant, Origin, Struct};
use crate::{
    bpf, btf, ethtool, filter, genetlink, if_arp, if_link, if_packet, if_xdp, netdev, netlink,
    rtnetlink, unix_diag, xdp_diag,
};

/// Every struct of the crate.
pub const STRUCTS: &[Struct] = &concat_structs::<STRUCT_COUNT>();

/// Every constant of the crate, one slice per source file.
pub const CONSTANTS: &[&[Constant]] = &[
    bpf::attr::CONSTANTS,
    bpf::insn::CONSTANTS,
    bpf::kind::CONSTANTS,
    btf::CONSTANTS,
    ethtool::CONSTANTS,
    filter::CONSTANTS,
    genetlink::CONSTANTS,
    if_arp::CONSTANTS,
    if_link::CONSTANTS,
    if_packet::CONSTANTS,
    if_xdp::CONSTANTS,
    netdev::CONSTANTS,
    netlink::CONSTANTS,
    rtnetlink::CONSTANTS,
    unix_diag::CONSTANTS,
    xdp_diag::CONSTANTS,
];

const PARTS: &[&[Struct]] = &[
    bpf::attr::STRUCTS,
    bpf::info::STRUCTS,
    bpf::insn::STRUCTS,
    btf::STRUCTS,
    ethtool::STRUCTS,
    filter::STRUCTS,
    genetlink::STRUCTS,
    if_packet::STRUCTS,
    if_xdp::STRUCTS,
    netlink::STRUCTS,
    rtnetlink::STRUCTS,
    unix_diag::STRUCTS,
    xdp_diag::STRUCTS,
];

const STRUCT_COUNT: usize = {
    let (mut count, mut rest) = (0_usize, PARTS);
    while let [first, tail @ ..] = rest {
        count = count.saturating_add(first.len());
        rest = tail;
    }
    count
};

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses a bad index")]
const fn concat_structs<const N: usize>() -> [Struct; N] {
    let mut all = [Struct { name: "", size: 0, origin: Origin::Same, fields: &[] }; N];
    let (mut at, mut parts) = (0_usize, PARTS);
    while let [part, tail @ ..] = parts {
        let mut rest = *part;
        while let [one, others @ ..] = rest {
            all[at] = *one;
            at = at.saturating_add(1);
            rest = others;
        }
        parts = tail;
    }
    all
}
