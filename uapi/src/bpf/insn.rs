//! Instructions: the struct, the parts of an opcode, helper numbers. Mostly from
//! `linux/bpf_common.h`.

use crate::layout::{constants, structs};

constants! {
    u8 {
        /// Class: load an immediate value.
        BPF_LD = 0x00;
        /// Class: load from memory into a register.
        BPF_LDX = 0x01;
        /// Class: store an immediate value.
        BPF_ST = 0x02;
        /// Class: store a register.
        BPF_STX = 0x03;
        /// Class: 32-bit arithmetic.
        BPF_ALU = 0x04;
        /// Class: jumps that compare 64 bits.
        BPF_JMP = 0x05;
        /// Class: jumps that compare 32 bits (5.1).
        BPF_JMP32 = 0x06;
        /// Class: 64-bit arithmetic.
        BPF_ALU64 = 0x07;

        /// Size: 4 bytes.
        BPF_W = 0x00;
        /// Size: 2 bytes.
        BPF_H = 0x08;
        /// Size: 1 byte.
        BPF_B = 0x10;
        /// Size: 8 bytes.
        BPF_DW = 0x18;

        /// Mode: an immediate value; with [`BPF_DW`] over two instruction slots.
        BPF_IMM = 0x00;
        /// Mode: packet access at a fixed offset, for socket filters.
        BPF_ABS = 0x20;
        /// Mode: packet access at a variable offset, for socket filters.
        BPF_IND = 0x40;
        /// Mode: ordinary memory.
        BPF_MEM = 0x60;
        /// Mode: ordinary memory, sign-extended (6.6).
        BPF_MEMSX = 0x80;
        /// Mode: atomic operation, named by the immediate value (5.12; only addition before).
        BPF_ATOMIC = 0xc0;

        /// Source: the immediate value.
        BPF_K = 0x00;
        /// Source: a register.
        BPF_X = 0x08;

        /// Arithmetic: `dst += src`.
        BPF_ADD = 0x00;
        /// Arithmetic: `dst -= src`.
        BPF_SUB = 0x10;
        /// Arithmetic: `dst *= src`.
        BPF_MUL = 0x20;
        /// Arithmetic: `dst /= src`.
        BPF_DIV = 0x30;
        /// Arithmetic: `dst |= src`.
        BPF_OR = 0x40;
        /// Arithmetic: `dst &= src`.
        BPF_AND = 0x50;
        /// Arithmetic: `dst <<= src`.
        BPF_LSH = 0x60;
        /// Arithmetic: `dst >>= src`, filled with zeros.
        BPF_RSH = 0x70;
        /// Arithmetic: `dst = -dst`.
        BPF_NEG = 0x80;
        /// Arithmetic: `dst %= src`.
        BPF_MOD = 0x90;
        /// Arithmetic: `dst ^= src`.
        BPF_XOR = 0xa0;
        /// Arithmetic: `dst = src`.
        BPF_MOV = 0xb0;
        /// Arithmetic: `dst >>= src`, filled with the sign.
        BPF_ARSH = 0xc0;
        /// Arithmetic: change the byte order; the immediate value is 16, 32 or 64.
        BPF_END = 0xd0;

        /// With [`BPF_END`]: to little-endian.
        BPF_TO_LE = 0x00;
        /// With [`BPF_END`]: to big-endian.
        BPF_TO_BE = 0x08;

        /// Jump: always.
        BPF_JA = 0x00;
        /// Jump if `dst == src`.
        BPF_JEQ = 0x10;
        /// Jump if `dst > src`, unsigned.
        BPF_JGT = 0x20;
        /// Jump if `dst >= src`, unsigned.
        BPF_JGE = 0x30;
        /// Jump if `dst & src`.
        BPF_JSET = 0x40;
        /// Jump if `dst != src`.
        BPF_JNE = 0x50;
        /// Jump if `dst > src`, signed.
        BPF_JSGT = 0x60;
        /// Jump if `dst >= src`, signed.
        BPF_JSGE = 0x70;
        /// Call a helper, a function or a kernel function.
        BPF_CALL = 0x80;
        /// Return.
        BPF_EXIT = 0x90;
        /// Jump if `dst < src`, unsigned.
        BPF_JLT = 0xa0;
        /// Jump if `dst <= src`, unsigned.
        BPF_JLE = 0xb0;
        /// Jump if `dst < src`, signed.
        BPF_JSLT = 0xc0;
        /// Jump if `dst <= src`, signed.
        BPF_JSLE = 0xd0;

        /// Source register of a 64-bit immediate load: the value is a map's fd.
        BPF_PSEUDO_MAP_FD = 1;
        /// Source register of a 64-bit immediate load: a map's fd, then an offset into its value
        /// (5.2).
        BPF_PSEUDO_MAP_VALUE = 2;
        /// Source register of a 64-bit immediate load: type id of a kernel variable (5.10).
        BPF_PSEUDO_BTF_ID = 3;
        /// Source register of a 64-bit immediate load: distance to a function (5.13).
        BPF_PSEUDO_FUNC = 4;
        /// Source register of a 64-bit immediate load: index into `fd_array` (5.14).
        BPF_PSEUDO_MAP_IDX = 5;
        /// Source register of a 64-bit immediate load: index into `fd_array`, then an offset
        /// (5.14).
        BPF_PSEUDO_MAP_IDX_VALUE = 6;

        /// Source register of a call: the value is the distance to a function.
        BPF_PSEUDO_CALL = 1;
        /// Source register of a call: the value is the type id of a kernel function (5.13).
        BPF_PSEUDO_KFUNC_CALL = 2;

        /// Result of a function.
        BPF_REG_0 = 0;
        /// First argument; the context at the start.
        BPF_REG_1 = 1;
        /// Second argument.
        BPF_REG_2 = 2;
        /// Third argument.
        BPF_REG_3 = 3;
        /// Fourth argument.
        BPF_REG_4 = 4;
        /// Fifth argument.
        BPF_REG_5 = 5;
        /// Kept over calls.
        BPF_REG_6 = 6;
        /// Kept over calls.
        BPF_REG_7 = 7;
        /// Kept over calls.
        BPF_REG_8 = 8;
        /// Kept over calls.
        BPF_REG_9 = 9;
        /// Top of the stack, read only; 512 bytes lie below it.
        BPF_REG_10 = 10;
    }

    i32 {
        /// Immediate value of an atomic operation: return the old value in the source register
        /// (5.12).
        BPF_FETCH = 0x01;
        /// Immediate value of an atomic operation: exchange (5.12).
        BPF_XCHG = 0xe0 | BPF_FETCH;
        /// Immediate value of an atomic operation: compare with register 0 and exchange (5.12).
        BPF_CMPXCHG = 0xf0 | BPF_FETCH;
        /// Immediate value of an atomic operation: load, before all that follows (6.15).
        BPF_LOAD_ACQ = 0x100;
        /// Immediate value of an atomic operation: store, after all that came before (6.15).
        BPF_STORE_REL = 0x110;

        /// Helper: pointer to a map's value, or null.
        BPF_FUNC_map_lookup_elem = 1;
        /// Helper: write a map's element.
        BPF_FUNC_map_update_elem = 2;
        /// Helper: delete a map's element.
        BPF_FUNC_map_delete_elem = 3;
        /// Helper: monotonic nanoseconds.
        BPF_FUNC_ktime_get_ns = 5;
        /// Helper: print to the trace pipe.
        BPF_FUNC_trace_printk = 6;
        /// Helper: a random number.
        BPF_FUNC_get_prandom_u32 = 7;
        /// Helper: number of this CPU.
        BPF_FUNC_get_smp_processor_id = 8;
        /// Helper: continue in another program.
        BPF_FUNC_tail_call = 12;
        /// Helper: the thread that was interrupted.
        BPF_FUNC_get_current_pid_tgid = 14;
        /// Helper: the user of the thread that was interrupted.
        BPF_FUNC_get_current_uid_gid = 15;
        /// Helper: the name of the thread that was interrupted.
        BPF_FUNC_get_current_comm = 16;
        /// Helper: the class of the net_cls control group.
        BPF_FUNC_get_cgroup_classid = 17;
        /// Helper: a perf counter.
        BPF_FUNC_perf_event_read = 22;
        /// Helper: choose a device to send from.
        BPF_FUNC_redirect = 23;
        /// Helper: write an event to a perf ring.
        BPF_FUNC_perf_event_output = 25;
        /// Helper: difference of two checksums.
        BPF_FUNC_csum_diff = 28;
        /// Helper: the `task_struct` of the thread that was interrupted.
        BPF_FUNC_get_current_task = 35;
        /// Helper: whether the interrupted thread is in a control group.
        BPF_FUNC_current_task_under_cgroup = 37;
        /// Helper: the NUMA node of this CPU.
        BPF_FUNC_get_numa_node_id = 42;
        /// Helper: move the start of the packet.
        BPF_FUNC_xdp_adjust_head = 44;
        /// Helper: choose an entry of a map to send to.
        BPF_FUNC_redirect_map = 51;
        /// Helper: move the start of the metadata.
        BPF_FUNC_xdp_adjust_meta = 54;
        /// Helper: a perf counter with its times.
        BPF_FUNC_perf_event_read_value = 55;
        /// Helper: move the end of the packet (4.18).
        BPF_FUNC_xdp_adjust_tail = 65;
        /// Helper: look up a route and a neighbour (4.18).
        BPF_FUNC_fib_lookup = 69;
        /// Helper: the control group of the interrupted thread.
        BPF_FUNC_get_current_cgroup_id = 80;
        /// Helper: a TCP socket, to be released (4.20).
        BPF_FUNC_sk_lookup_tcp = 84;
        /// Helper: a UDP socket, to be released (4.20).
        BPF_FUNC_sk_lookup_udp = 85;
        /// Helper: releases a socket (4.20).
        BPF_FUNC_sk_release = 86;
        /// Helper: puts an element into a queue or on a stack (4.20).
        BPF_FUNC_map_push_elem = 87;
        /// Helper: takes an element out of a queue or off a stack (4.20).
        BPF_FUNC_map_pop_elem = 88;
        /// Helper: reads the next element of a queue or stack (4.20).
        BPF_FUNC_map_peek_elem = 89;
        /// Helper: takes a lock in a map's value (5.1).
        BPF_FUNC_spin_lock = 93;
        /// Helper: gives a lock back (5.1).
        BPF_FUNC_spin_unlock = 94;
        /// Helper: a TCP socket in any state, to be released (5.2).
        BPF_FUNC_skc_lookup_tcp = 99;
        /// Helper: whether a packet has a valid SYN cookie (5.2).
        BPF_FUNC_tcp_check_syncookie = 100;
        /// Helper: reads a signed number (5.2).
        BPF_FUNC_strtol = 105;
        /// Helper: reads an unsigned number (5.2).
        BPF_FUNC_strtoul = 106;
        /// Helper: sends a signal to the interrupted process (5.3).
        BPF_FUNC_send_signal = 109;
        /// Helper: makes a SYN cookie (5.3).
        BPF_FUNC_tcp_gen_syncookie = 110;
        /// Helper: reads memory of the interrupted process (5.5).
        BPF_FUNC_probe_read_user = 112;
        /// Helper: reads memory of the kernel (5.5).
        BPF_FUNC_probe_read_kernel = 113;
        /// Helper: reads a string of the interrupted process (5.5).
        BPF_FUNC_probe_read_user_str = 114;
        /// Helper: reads a string of the kernel (5.5).
        BPF_FUNC_probe_read_kernel_str = 115;
        /// Helper: sends a signal to the interrupted thread (5.5).
        BPF_FUNC_send_signal_thread = 117;
        /// Helper: the kernel's ticks (5.6).
        BPF_FUNC_jiffies64 = 118;
        /// Helper: the interrupted thread as a PID namespace numbers it (5.7).
        BPF_FUNC_get_ns_current_pid_tgid = 120;
        /// Helper: a control group above that of the interrupted thread (5.7).
        BPF_FUNC_get_current_ancestor_cgroup_id = 123;
        /// Helper: nanoseconds since boot, sleep included (5.8).
        BPF_FUNC_ktime_get_boot_ns = 125;
        /// Helper: write a record to a BPF ring (5.8).
        BPF_FUNC_ringbuf_output = 130;
        /// Helper: reserve a record in a BPF ring (5.8).
        BPF_FUNC_ringbuf_reserve = 131;
        /// Helper: submit a reserved record (5.8).
        BPF_FUNC_ringbuf_submit = 132;
        /// Helper: discard a reserved record (5.8).
        BPF_FUNC_ringbuf_discard = 133;
        /// Helper: how full a BPF ring is (5.8).
        BPF_FUNC_ringbuf_query = 134;
        /// Helper: the socket as a `tcp6_sock`, or null (5.9).
        BPF_FUNC_skc_to_tcp6_sock = 136;
        /// Helper: the socket as a `tcp_sock`, or null (5.9).
        BPF_FUNC_skc_to_tcp_sock = 137;
        /// Helper: the socket as a `tcp_timewait_sock`, or null (5.9).
        BPF_FUNC_skc_to_tcp_timewait_sock = 138;
        /// Helper: the socket as a `tcp_request_sock`, or null (5.9).
        BPF_FUNC_skc_to_tcp_request_sock = 139;
        /// Helper: the socket as a `udp6_sock`, or null (5.9).
        BPF_FUNC_skc_to_udp6_sock = 140;
        /// Helper: the stack of a thread (5.9).
        BPF_FUNC_get_task_stack = 141;
        /// Helper: reads memory of the process; only in programs that may sleep (5.10).
        BPF_FUNC_copy_from_user = 148;
        /// Helper: prints a value by its type (5.10).
        BPF_FUNC_snprintf_btf = 149;
        /// Helper: the copy of a variable on a CPU, or null (5.10).
        BPF_FUNC_per_cpu_ptr = 153;
        /// Helper: the copy of a variable on this CPU (5.10).
        BPF_FUNC_this_cpu_ptr = 154;
        /// Helper: what a map keeps for a thread (5.11).
        BPF_FUNC_task_storage_get = 156;
        /// Helper: deletes what a map keeps for a thread (5.11).
        BPF_FUNC_task_storage_delete = 157;
        /// Helper: the `task_struct` of the interrupted thread, with its type (5.11).
        BPF_FUNC_get_current_task_btf = 158;
        /// Helper: monotonic nanoseconds, as of the last tick (5.11).
        BPF_FUNC_ktime_get_coarse_ns = 160;
        /// Helper: whether the packet fits the MTU of a device (5.12).
        BPF_FUNC_check_mtu = 163;
        /// Helper: calls a function for each element (5.13).
        BPF_FUNC_for_each_map_elem = 164;
        /// Helper: prints to memory (5.13).
        BPF_FUNC_snprintf = 165;
        /// Helper: makes a timer in a map's value ready (5.15).
        BPF_FUNC_timer_init = 169;
        /// Helper: sets the function that a timer calls (5.15).
        BPF_FUNC_timer_set_callback = 170;
        /// Helper: starts a timer (5.15).
        BPF_FUNC_timer_start = 171;
        /// Helper: stops a timer (5.15).
        BPF_FUNC_timer_cancel = 172;
        /// Helper: the registers of a thread (5.15).
        BPF_FUNC_task_pt_regs = 175;
        /// Helper: the last branches of this CPU (5.16).
        BPF_FUNC_get_branch_snapshot = 176;
        /// Helper: writes to the trace pipe, more than three numbers (5.16).
        BPF_FUNC_trace_vprintk = 177;
        /// Helper: the socket as a `unix_sock`, or null (5.16).
        BPF_FUNC_skc_to_unix_sock = 178;
        /// Helper: calls a function for the mapping at an address (5.17).
        BPF_FUNC_find_vma = 180;
        /// Helper: calls a function so many times (5.17).
        BPF_FUNC_loop = 181;
        /// Helper: compares with a constant string (5.17).
        BPF_FUNC_strncmp = 182;
        /// Helper: length of the packet with its fragments (5.18).
        BPF_FUNC_xdp_get_buff_len = 188;
        /// Helper: read from the packet with its fragments (5.18).
        BPF_FUNC_xdp_load_bytes = 189;
        /// Helper: write to the packet with its fragments (5.18).
        BPF_FUNC_xdp_store_bytes = 190;
        /// Helper: reads memory of a process; only in programs that may sleep (5.18).
        BPF_FUNC_copy_from_user_task = 191;
        /// Helper: exchanges a pointer in a map's value (5.19).
        BPF_FUNC_kptr_xchg = 194;
        /// Helper: a pointer to the value of a CPU, or null (5.19).
        BPF_FUNC_map_lookup_percpu_elem = 195;
        /// Helper: the socket as an `mptcp_sock`, or null (5.19).
        BPF_FUNC_skc_to_mptcp_sock = 196;
        /// Helper: makes a dynamic pointer to memory (5.19).
        BPF_FUNC_dynptr_from_mem = 197;
        /// Helper: reserves a record of any length in a BPF ring (5.19).
        BPF_FUNC_ringbuf_reserve_dynptr = 198;
        /// Helper: submits such a record (5.19).
        BPF_FUNC_ringbuf_submit_dynptr = 199;
        /// Helper: gives such a record up (5.19).
        BPF_FUNC_ringbuf_discard_dynptr = 200;
        /// Helper: reads through a dynamic pointer (5.19).
        BPF_FUNC_dynptr_read = 201;
        /// Helper: writes through a dynamic pointer (5.19).
        BPF_FUNC_dynptr_write = 202;
        /// Helper: a pointer to what a dynamic pointer points to, or null (5.19).
        BPF_FUNC_dynptr_data = 203;
        /// Helper: makes a SYN cookie without a socket (6.0).
        BPF_FUNC_tcp_raw_gen_syncookie_ipv4 = 204;
        /// Helper: makes a SYN cookie without a socket (6.0).
        BPF_FUNC_tcp_raw_gen_syncookie_ipv6 = 205;
        /// Helper: whether a packet has a valid SYN cookie (6.0).
        BPF_FUNC_tcp_raw_check_syncookie_ipv4 = 206;
        /// Helper: whether a packet has a valid SYN cookie (6.0).
        BPF_FUNC_tcp_raw_check_syncookie_ipv6 = 207;
        /// Helper: nanoseconds of the clock without leap seconds (6.1).
        BPF_FUNC_ktime_get_tai_ns = 208;
        /// Helper: calls a function for each record that user space wrote (6.1).
        BPF_FUNC_user_ringbuf_drain = 209;
        /// Helper: what a map keeps for a control group (6.2).
        BPF_FUNC_cgrp_storage_get = 210;
        /// Helper: deletes what a map keeps for a control group (6.2).
        BPF_FUNC_cgrp_storage_delete = 211;
    }
}

structs! {
    /// One instruction slot.
    pub struct bpf_insn(8, Same) {
        /// Opcode: class, and source with operation or size with mode.
        0: code: u8,
        /// Two registers: on little-endian machines `src << 4 | dst`, on big-endian ones
        /// `dst << 4 | src`. Bit-fields in C.
        1: regs as dst_reg: u8,
        /// Offset of a jump or of memory.
        2: off: i16,
        /// Immediate value.
        4: imm: i32,
    }
}
