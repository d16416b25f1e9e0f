//! stand-in
#![allow(
    missing_docs,
    missing_debug_implementations,
    non_camel_case_types,
    dead_code
)]
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
macro_rules! s { ($($n:ident { $($f:ident : $t:ty),* $(,)? })*) => { $(
#[repr(C)] #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct $n { $(pub $f: $t),* } )* } }
s! {
bpf_insn { code: u8, regs: u8, off: i16, imm: i32 }
bpf_attr_map_create { map_type: u32, key_size: u32, value_size: u32, max_entries: u32, map_flags: u32, inner_map_fd: u32, numa_node: u32, map_name: [u8;16] }
bpf_attr_map_elem { map_fd: u32, pad: u32, key: u64, value: u64, flags: u64 }
bpf_attr_prog_load { prog_type: u32, insn_cnt: u32, insns: u64, license: u64, log_level: u32, log_size: u32, log_buf: u64, kern_version: u32, prog_flags: u32, prog_name: [u8;16], prog_ifindex: u32, expected_attach_type: u32, prog_btf_fd: u32, func_info_rec_size: u32, func_info: u64, func_info_cnt: u32, line_info_rec_size: u32, line_info: u64, line_info_cnt: u32, attach_btf_id: u32, attach_prog_fd: u32, core_relo_cnt: u32, fd_array: u64, core_relos: u64, core_relo_rec_size: u32, log_true_size: u32 }
bpf_attr_obj { pathname: u64, bpf_fd: u32, file_flags: u32 }
bpf_attr_test_run { prog_fd: u32, retval: u32, data_size_in: u32, data_size_out: u32, data_in: u64, data_out: u64, repeat: u32, duration: u32, ctx_size_in: u32, ctx_size_out: u32, ctx_in: u64, ctx_out: u64, flags: u32, cpu: u32, batch_size: u32, pad: u32 }
bpf_attr_get_id { id: u32, next_id: u32, open_flags: u32 }
bpf_attr_info { bpf_fd: u32, info_len: u32, info: u64 }
bpf_attr_link_create { prog_fd: u32, target_ifindex: u32, attach_type: u32, flags: u32 }
bpf_attr_link_update { link_fd: u32, new_prog_fd: u32, flags: u32, old_prog_fd: u32 }
bpf_attr_link_detach { link_fd: u32 }
bpf_prog_info { r#type: u32, id: u32, tag: [u8;8], jited_prog_len: u32, xlated_prog_len: u32, jited_prog_insns: u64, xlated_prog_insns: u64, load_time: u64, created_by_uid: u32, nr_map_ids: u32, map_ids: u64, name: [u8;16], rest: [[u8;8];19] }
bpf_map_info { r#type: u32, id: u32, key_size: u32, value_size: u32, max_entries: u32, map_flags: u32, name: [u8;16] }
bpf_link_info_xdp { r#type: u32, id: u32, prog_id: u32, pad: u32, ifindex: u32, pad2: u32 }
xdp_md { data: u32, data_end: u32, data_meta: u32, ingress_ifindex: u32, rx_queue_index: u32, egress_ifindex: u32 }
}
