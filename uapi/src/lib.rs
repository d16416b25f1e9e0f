//! Structs and constants of the Linux interface to programs: AF_XDP, BPF, netlink, ethtool, Unix sockets.
//!
//! # Synopsis
//!
//! ```
//! use xsk_uapi::if_xdp::{XDP_UMEM_UNALIGNED_CHUNK_FLAG, xdp_umem_reg};
//! use zerocopy::IntoBytes;
//!
//! let reg = xdp_umem_reg {
//!     addr: 0x7f00_0000_0000,
//!     len: 1 << 20,
//!     chunk_size: 3000,
//!     flags: XDP_UMEM_UNALIGNED_CHUNK_FLAG,
//!     ..Default::default()
//! };
//! assert_eq!(reg.as_bytes().len(), 32);
//! ```
//!
//! # Description
//!
//! The crate describes the interface of Linux 6.18 on 32-bit and 64-bit machines. It makes no
//! system call, contains no `unsafe` and does not need `std`. It has one module for each header of
//! the kernel in `linux/`:
//!
//! | module        | header                             | about                                  |
//! |---------------|------------------------------------|----------------------------------------|
//! | [`if_xdp`]    | `if_xdp.h`                         | AF_XDP sockets, UMEM, rings            |
//! | [`bpf`]       | `bpf.h`, `bpf_common.h`            | the `bpf` system call, instructions    |
//! | [`btf`]       | `btf.h`                            | type information                       |
//! | [`filter`]    | `filter.h`, `bpf_common.h`         | classic BPF                            |
//! | [`netlink`]   | `netlink.h`                        | messages, attributes, acknowledgements |
//! | [`rtnetlink`] | `rtnetlink.h`, `if_addr.h`, `if.h` | devices and addresses                  |
//! | [`if_link`]   | `if_link.h`, `veth.h`              | attributes of devices, attaching XDP   |
//! | [`if_packet`] | `if_packet.h`                      | what a device receives                 |
//! | [`genetlink`] | `genetlink.h`                      | generic netlink                        |
//! | [`netdev`]    | `netdev.h`                         | features and queues of devices         |
//! | [`ethtool`]   | `ethtool.h`, `ethtool_netlink.h`   | channels, rings, steering rules        |
//! | [`unix_diag`] | `unix_diag.h`, `sock_diag.h`       | which Unix sockets there are           |
//! | [`xdp_diag`]  | `xdp_diag.h`                       | which AF_XDP sockets there are         |
//! | [`layout`]    |                                    | types that describe a struct as data   |
//! | [`tables`]    |                                    | all structs and constants as data      |
//!
//! **Names** are the kernel's. Where the kernel has a union, each use has a struct of its own:
//! `bpf_attr_*` for `union bpf_attr`, [`bpf::bpf_link_info_xdp`] for `struct bpf_link_info`,
//! [`if_xdp::xsk_tx_metadata`] and [`if_xdp::xsk_tx_metadata_completion`] for
//! `struct xsk_tx_metadata`, [`ethtool::ifreq_data`] for `struct ifreq`. A suffix `_v1` marks the
//! shorter form of an older kernel.
//!
//! **Versions.** A number in brackets, (5.4), is the first kernel that knows an item. Items without
//! one are older than AF_XDP itself, which came with 4.18.
//!
//! **Types** of constants are those of the fields and arguments they go into: flags of
//! `sxdp_flags` are `u16`, socket options `i32`, attribute and message types `u16`, opcodes `u8`.
//!
//! **Structs** have no hidden padding: padding that a C compiler would insert is a field `_pad*`.
//! They are plain data: [`zerocopy`] turns them into bytes and back without copying and without
//! `unsafe`. [`Default`] is all bytes zero, which the kernel requires of fields that are not used.
//! Fields that hold numbers of the network (addresses and ports of [`ethtool`]) are byte arrays, in
//! network byte order; all others are in the byte order of the machine. Pointers are `u64`, except
//! in [`ethtool::ifreq_data`].
//!
//! **32-bit machines** have the same structs: their fields have fixed widths and lie at multiples
//! of them. Three differ, all in [`ethtool`]: [`ifreq_data`](ethtool::ifreq_data) holds a real
//! pointer, and on i386, which aligns a `u64` to 4 bytes,
//! [`ethtool_rx_flow_spec`](ethtool::ethtool_rx_flow_spec) and
//! [`ethtool_rxnfc`](ethtool::ethtool_rxnfc) are shorter.
//!
//! # Conformance
//!
//! The compiler checks size and offsets of each struct. A test reads `/sys/kernel/btf/vmlinux` and
//! compares names, offsets and sizes of all structs, and the values of all constants that are
//! enumerations in C, with the running kernel.
//!
//! ```text
//! cargo test -p xsk-uapi --test btf
//! ```
//!
//! Without that file the test reports that it is skipped; with `XSK_TESTS=require` it fails
//! instead.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![allow(non_camel_case_types, non_upper_case_globals, reason = "kernel names are kept")]

#[cfg(target_pointer_width = "16")]
compile_error!("Linux has no 16-bit machines");

pub mod layout;

pub mod bpf;
pub mod btf;
pub mod ethtool;
pub mod filter;
pub mod genetlink;
pub mod if_arp;
pub mod if_link;
pub mod if_packet;
pub mod if_xdp;
pub mod netdev;
pub mod netlink;
pub mod rtnetlink;
pub mod unix_diag;
pub mod xdp_diag;

pub mod tables;
