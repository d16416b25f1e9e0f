//! Results of `BPF_OBJ_GET_INFO_BY_FD`, and the context of an XDP program.
//!
//! The kernel fills the fields that it knows and that fit. In a struct that was zeroed before,
//! fields that an older kernel does not know stay zero.

use super::{BPF_OBJ_NAME_LEN, BPF_TAG_SIZE};
use crate::layout::structs;

structs! {
    /// Result of `BPF_OBJ_GET_INFO_BY_FD` for a program.
    pub struct bpf_prog_info(232, Extensible) {
        /// `BPF_PROG_TYPE_*`.
        0: r#type as type: u32,
        /// Id, unique while the program lives.
        4: id: u32,
        /// Hash of the instructions.
        8: tag: [u8; BPF_TAG_SIZE],
        /// Length of the machine code.
        16: jited_prog_len: u32,
        /// Length of the instructions after the verifier's changes.
        20: xlated_prog_len: u32,
        /// In: pointer to room for the machine code, or zero.
        24: jited_prog_insns: u64,
        /// In: pointer to room for the instructions, or zero.
        32: xlated_prog_insns: u64,
        /// Time of loading, nanoseconds since boot.
        40: load_time: u64,
        /// User who loaded it.
        48: created_by_uid: u32,
        /// In: room in `map_ids`; out: number of maps.
        52: nr_map_ids: u32,
        /// In: pointer to room for map ids, or zero.
        56: map_ids: u64,
        /// Name, ended by a zero.
        64: name: [u8; BPF_OBJ_NAME_LEN],
        /// Device it is bound to.
        80: ifindex: u32,
        /// Lowest bit on little-endian machines: the licence is GPL-compatible; a bit-field in C
        /// (4.18).
        84: gpl_compatible: u32,
        /// Network namespace of that device: file system.
        88: netns_dev: u64,
        /// Network namespace of that device: inode.
        96: netns_ino: u64,
        /// Symbols: room, then number (4.18).
        104: nr_jited_ksyms: u32,
        /// Function lengths: room, then number (4.18).
        108: nr_jited_func_lens: u32,
        /// Pointer to room for symbol addresses (4.18).
        112: jited_ksyms: u64,
        /// Pointer to room for function lengths (4.18).
        120: jited_func_lens: u64,
        /// Type information (5.0).
        128: btf_id: u32,
        /// Size of a function record (5.0).
        132: func_info_rec_size: u32,
        /// Pointer to room for function records (5.0).
        136: func_info: u64,
        /// Function records: room, then number (5.0).
        144: nr_func_info: u32,
        /// Line records: room, then number (5.0).
        148: nr_line_info: u32,
        /// Pointer to room for line records (5.0).
        152: line_info: u64,
        /// Pointer to room for machine-code line records (5.0).
        160: jited_line_info: u64,
        /// Machine-code line records: room, then number (5.0).
        168: nr_jited_line_info: u32,
        /// Size of a line record (5.0).
        172: line_info_rec_size: u32,
        /// Size of a machine-code line record (5.0).
        176: jited_line_info_rec_size: u32,
        /// Tags of subprograms: room, then number (5.0).
        180: nr_prog_tags: u32,
        /// Pointer to room for tags of subprograms (5.0).
        184: prog_tags: u64,
        /// Time spent in the program while statistics are on (5.1).
        192: run_time_ns: u64,
        /// Number of runs while statistics are on (5.1).
        200: run_cnt: u64,
        /// Runs refused because it was running already (5.12).
        208: recursion_misses: u64,
        /// Instructions the verifier walked (5.16).
        216: verified_insns: u32,
        /// Type information of what it is attached to (6.0).
        220: attach_btf_obj_id: u32,
        /// Type of what it is attached to (6.0).
        224: attach_btf_id: u32,
        /// Zero.
        228: _pad: [u8; 4],
    }

    /// Result of `BPF_OBJ_GET_INFO_BY_FD` for a map.
    pub struct bpf_map_info(104, Extensible) {
        /// `BPF_MAP_TYPE_*`.
        0: r#type as type: u32,
        /// Id, unique while the map lives.
        4: id: u32,
        /// Size of a key in bytes.
        8: key_size: u32,
        /// Size of a value in bytes.
        12: value_size: u32,
        /// Number of elements.
        16: max_entries: u32,
        /// Flags it was created with.
        20: map_flags: u32,
        /// Name, ended by a zero.
        24: name: [u8; BPF_OBJ_NAME_LEN],
        /// Device it is offloaded to.
        40: ifindex: u32,
        /// Type of a `struct_ops` value (5.6).
        44: btf_vmlinux_value_type_id: u32,
        /// Network namespace of that device: file system.
        48: netns_dev: u64,
        /// Network namespace of that device: inode.
        56: netns_ino: u64,
        /// Type information (4.18).
        64: btf_id: u32,
        /// Type of the key (4.18).
        68: btf_key_type_id: u32,
        /// Type of the value (4.18).
        72: btf_value_type_id: u32,
        /// Type information of the module that owns a `struct_ops` value (6.9).
        76: btf_vmlinux_id: u32,
        /// More, by map type (5.16).
        80: map_extra: u64,
        /// In: pointer to room for the hash of the contents (6.18).
        88: hash: u64,
        /// Length of that room (6.18).
        96: hash_size: u32,
        /// Zero.
        100: _pad: [u8; 4],
    }

    /// Result of `BPF_OBJ_GET_INFO_BY_FD` for an XDP link (5.9). The kernel's `bpf_link_info` is
    /// longer; the kernel writes no more than there is room for.
    pub struct bpf_link_info_xdp(24, Part("bpf_link_info")) {
        /// [`BPF_LINK_TYPE_XDP`](super::BPF_LINK_TYPE_XDP).
        0: r#type as type: u32,
        /// Id, unique while the link lives.
        4: id: u32,
        /// The program.
        8: prog_id: u32,
        /// Zero.
        12: _pad0: [u8; 4],
        /// The device; zero when it is gone.
        16: ifindex: u32,
        /// Belongs to other link types.
        20: _pad1: [u8; 4],
    }

    /// Result of `BPF_OBJ_GET_INFO_BY_FD` for a link of a program that traces or replaces a
    /// function (5.8). The kernel's `bpf_link_info` is longer; the kernel writes no more than there
    /// is room for.
    pub struct bpf_link_info_tracing(32, Part("bpf_link_info")) {
        /// [`BPF_LINK_TYPE_TRACING`](super::BPF_LINK_TYPE_TRACING).
        0: r#type as type: u32,
        /// Id, unique while the link lives.
        4: id: u32,
        /// The program.
        8: prog_id: u32,
        /// Zero.
        12: _pad0: [u8; 4],
        /// `BPF_TRACE_*`, or zero for a program that replaces a function.
        16: attach_type: u32,
        /// The program whose function it is, or type information of the kernel (5.13).
        20: target_obj_id: u32,
        /// The function, a type of that (5.13).
        24: target_btf_id: u32,
        /// Belongs to other link types, or zero.
        28: _pad1: [u8; 4],
    }

    /// Result of `BPF_OBJ_GET_INFO_BY_FD` for type information (4.18).
    pub struct bpf_btf_info(32, Extensible) {
        /// In: pointer to room for the type information, or zero.
        0: btf: u64,
        /// In: that room; out: length of the type information.
        8: btf_size: u32,
        /// Id, unique while the object lives.
        12: id: u32,
        /// In: pointer to room for the name, or zero (5.11).
        16: name: u64,
        /// In: that room; out: length of the name (5.11).
        24: name_len: u32,
        /// One for the kernel's and its modules' own (5.11).
        28: kernel_btf: u32,
    }

    /// The context of an XDP program; programs read it at these offsets.
    pub struct xdp_md(24, Extensible) {
        /// Start of the packet; load it as a pointer.
        0: data: u32,
        /// End of the packet; load it as a pointer.
        4: data_end: u32,
        /// Start of the metadata before the packet.
        8: data_meta: u32,
        /// Device that received the packet.
        12: ingress_ifindex: u32,
        /// Queue that received the packet.
        16: rx_queue_index: u32,
        /// Device that will send the packet; DEVMAP programs only (5.8).
        20: egress_ifindex: u32,
    }
}
