//! Kernel structs and constants of AF_XDP, BPF and netlink.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    non_camel_case_types,
    non_upper_case_globals,
    reason = "kernel names are kept"
)]

pub mod layout;

pub mod bpf;
pub mod btf;
pub mod ethtool;
pub mod genetlink;
pub mod if_link;
pub mod if_xdp;
pub mod netdev;
pub mod netlink;
pub mod rtnetlink;
