//! The functions of the kernel that XDP programs may call, by their numbers.

use xsk_uapi::bpf as uapi;

/// A function of the kernel that a program may call (a *helper*), by its number in
/// `enum bpf_func_id` (`linux/bpf.h`).
///
/// There is a constant for each one that Linux 6.18 lets XDP programs call: those of
/// `xdp_func_proto` in net/core/filter.c, and of `bpf_base_func_proto` in kernel/bpf/helpers.c.
/// Some of them take `CAP_PERFMON`, too, or a licence that is compatible with the GPL. Those that
/// call a function of the program ([`LOOP`](Self::LOOP),
/// [`FOR_EACH_MAP_ELEM`](Self::FOR_EACH_MAP_ELEM) and others) want type information of it, which
/// this crate does not load.
///
/// A number in brackets, (5.8), is the kernel that the helper came with; that XDP programs may call
/// it can have come later. Those without one are as old as AF_XDP (4.18) or older.
///
/// ```
/// use xsk::bpf::{Helper, Insn};
/// assert_eq!(Insn::call(Helper::REDIRECT_MAP).raw().imm, 51);
/// assert_eq!(Helper::REDIRECT_MAP.name(), Some("bpf_redirect_map"));
/// assert_eq!(Helper::RINGBUF_OUTPUT.since(), Some("5.8"));
/// // Any other is called by its number.
/// assert_eq!(Helper(9).name(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Helper(pub i32);

/// Declares the constants and the table of them.
macro_rules! helpers {
    ($($(#[$doc:meta])* $name:ident = $number:ident, $text:literal, $since:literal;)*) => {
        impl Helper {
            $($(#[$doc])* pub const $name: Self = Self(uapi::$number);)*
        }

        /// Each helper, its name in the kernel, and the kernel that it came with.
        const TABLE: &[(Helper, &str, &str)] = &[$((Helper::$name, $text, $since),)*];
    };
}

impl Helper {
    /// Returns the helpers that have a constant, by their numbers.
    ///
    /// ```
    /// use xsk::bpf::Helper;
    /// assert_eq!(Helper::all().next(), Some(Helper::MAP_LOOKUP_ELEM));
    /// ```
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(helper, ..)| *helper)
    }

    /// Returns the name that the kernel and `bpftool` give the helper; `None` if it has no
    /// constant.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|(_, name, _)| *name)
    }

    /// Returns the first kernel that has the helper; `None` if it has no constant.
    #[must_use]
    pub fn since(self) -> Option<&'static str> {
        self.entry().map(|(.., since)| *since)
    }

    fn entry(self) -> Option<&'static (Self, &'static str, &'static str)> {
        TABLE.iter().find(|(helper, ..)| *helper == self)
    }
}

helpers! {
    /// `bpf_map_lookup_elem(map, key)`: a pointer to the value, or null. On an XSKMAP since 5.3.
    MAP_LOOKUP_ELEM = BPF_FUNC_map_lookup_elem, "bpf_map_lookup_elem", "3.19";
    /// `bpf_map_update_elem(map, key, value, flags)`: sets an element.
    MAP_UPDATE_ELEM = BPF_FUNC_map_update_elem, "bpf_map_update_elem", "3.19";
    /// `bpf_map_delete_elem(map, key)`: deletes an element.
    MAP_DELETE_ELEM = BPF_FUNC_map_delete_elem, "bpf_map_delete_elem", "3.19";
    /// `bpf_ktime_get_ns()`: monotonic nanoseconds; needs a GPL-compatible licence.
    KTIME_GET_NS = BPF_FUNC_ktime_get_ns, "bpf_ktime_get_ns", "4.1";
    /// `bpf_trace_printk(format, size, ...)`: writes to the trace pipe.
    TRACE_PRINTK = BPF_FUNC_trace_printk, "bpf_trace_printk", "4.1";
    /// `bpf_get_prandom_u32()`: a random number.
    GET_PRANDOM_U32 = BPF_FUNC_get_prandom_u32, "bpf_get_prandom_u32", "4.1";
    /// `bpf_get_smp_processor_id()`: the number of this CPU.
    GET_SMP_PROCESSOR_ID = BPF_FUNC_get_smp_processor_id, "bpf_get_smp_processor_id", "4.1";
    /// `bpf_tail_call(ctx, map, index)`: goes on in another program.
    TAIL_CALL = BPF_FUNC_tail_call, "bpf_tail_call", "4.2";
    /// `bpf_get_current_pid_tgid()`: the thread that was interrupted.
    GET_CURRENT_PID_TGID = BPF_FUNC_get_current_pid_tgid, "bpf_get_current_pid_tgid", "4.2";
    /// `bpf_get_current_uid_gid()`: the user of the thread that was interrupted.
    GET_CURRENT_UID_GID = BPF_FUNC_get_current_uid_gid, "bpf_get_current_uid_gid", "4.2";
    /// `bpf_get_current_comm(buf, size)`: the name of the thread that was interrupted.
    GET_CURRENT_COMM = BPF_FUNC_get_current_comm, "bpf_get_current_comm", "4.2";
    /// `bpf_get_cgroup_classid(skb)`: the class of the net_cls control group.
    GET_CGROUP_CLASSID = BPF_FUNC_get_cgroup_classid, "bpf_get_cgroup_classid", "4.3";
    /// `bpf_perf_event_read(map, flags)`: a perf counter.
    PERF_EVENT_READ = BPF_FUNC_perf_event_read, "bpf_perf_event_read", "4.3";
    /// `bpf_redirect(ifindex, flags)`: sends out of an interface.
    REDIRECT = BPF_FUNC_redirect, "bpf_redirect", "4.4";
    /// `bpf_perf_event_output(ctx, map, flags, data, size)`: writes an event to a perf ring.
    PERF_EVENT_OUTPUT = BPF_FUNC_perf_event_output, "bpf_perf_event_output", "4.4";
    /// `bpf_csum_diff(from, from_size, to, to_size, seed)`: the difference of two checksums.
    CSUM_DIFF = BPF_FUNC_csum_diff, "bpf_csum_diff", "4.6";
    /// `bpf_get_current_task()`: the `task_struct` of the thread that was interrupted.
    GET_CURRENT_TASK = BPF_FUNC_get_current_task, "bpf_get_current_task", "4.8";
    /// `bpf_current_task_under_cgroup(map, index)`: whether the interrupted thread is in a control
    /// group.
    CURRENT_TASK_UNDER_CGROUP =
        BPF_FUNC_current_task_under_cgroup, "bpf_current_task_under_cgroup", "4.9";
    /// `bpf_get_numa_node_id()`: the NUMA node of this CPU.
    GET_NUMA_NODE_ID = BPF_FUNC_get_numa_node_id, "bpf_get_numa_node_id", "4.10";
    /// `bpf_xdp_adjust_head(ctx, delta)`: moves the start of the packet.
    XDP_ADJUST_HEAD = BPF_FUNC_xdp_adjust_head, "bpf_xdp_adjust_head", "4.10";
    /// `bpf_redirect_map(map, index, flags)`: sends to an entry of a map. Since 5.3 the two low
    /// bits of `flags` are the action when the entry is empty; before, `flags` must be 0.
    REDIRECT_MAP = BPF_FUNC_redirect_map, "bpf_redirect_map", "4.14";
    /// `bpf_xdp_adjust_meta(ctx, delta)`: moves the start of the metadata before the packet.
    XDP_ADJUST_META = BPF_FUNC_xdp_adjust_meta, "bpf_xdp_adjust_meta", "4.15";
    /// `bpf_perf_event_read_value(map, flags, buf, size)`: a perf counter with its times.
    PERF_EVENT_READ_VALUE = BPF_FUNC_perf_event_read_value, "bpf_perf_event_read_value", "4.15";
    /// `bpf_xdp_adjust_tail(ctx, delta)`: moves the end of the packet.
    XDP_ADJUST_TAIL = BPF_FUNC_xdp_adjust_tail, "bpf_xdp_adjust_tail", "4.18";
    /// `bpf_fib_lookup(ctx, params, size, flags)`: looks up a route and a neighbour.
    FIB_LOOKUP = BPF_FUNC_fib_lookup, "bpf_fib_lookup", "4.18";
    /// `bpf_get_current_cgroup_id()`: the control group of the interrupted thread.
    GET_CURRENT_CGROUP_ID = BPF_FUNC_get_current_cgroup_id, "bpf_get_current_cgroup_id", "4.18";
    /// `bpf_sk_lookup_tcp(ctx, tuple, size, netns, flags)` (4.20): a TCP socket, to be released.
    SK_LOOKUP_TCP = BPF_FUNC_sk_lookup_tcp, "bpf_sk_lookup_tcp", "4.20";
    /// `bpf_sk_lookup_udp(ctx, tuple, size, netns, flags)` (4.20): a UDP socket, to be released.
    SK_LOOKUP_UDP = BPF_FUNC_sk_lookup_udp, "bpf_sk_lookup_udp", "4.20";
    /// `bpf_sk_release(sock)` (4.20): releases a socket.
    SK_RELEASE = BPF_FUNC_sk_release, "bpf_sk_release", "4.20";
    /// `bpf_map_push_elem(map, value, flags)` (4.20): puts an element into a queue or on a stack.
    MAP_PUSH_ELEM = BPF_FUNC_map_push_elem, "bpf_map_push_elem", "4.20";
    /// `bpf_map_pop_elem(map, value)` (4.20): takes an element out of a queue or off a stack.
    MAP_POP_ELEM = BPF_FUNC_map_pop_elem, "bpf_map_pop_elem", "4.20";
    /// `bpf_map_peek_elem(map, value)` (4.20): reads the next element of a queue or stack.
    MAP_PEEK_ELEM = BPF_FUNC_map_peek_elem, "bpf_map_peek_elem", "4.20";
    /// `bpf_spin_lock(lock)` (5.1): takes a lock in a map's value.
    SPIN_LOCK = BPF_FUNC_spin_lock, "bpf_spin_lock", "5.1";
    /// `bpf_spin_unlock(lock)` (5.1): gives a lock back.
    SPIN_UNLOCK = BPF_FUNC_spin_unlock, "bpf_spin_unlock", "5.1";
    /// `bpf_skc_lookup_tcp(ctx, tuple, size, netns, flags)` (5.2): a TCP socket in any state, to be
    /// released.
    SKC_LOOKUP_TCP = BPF_FUNC_skc_lookup_tcp, "bpf_skc_lookup_tcp", "5.2";
    /// `bpf_tcp_check_syncookie(sk, iph, iph_len, th, th_len)` (5.2): whether a packet has a valid
    /// SYN cookie.
    TCP_CHECK_SYNCOOKIE = BPF_FUNC_tcp_check_syncookie, "bpf_tcp_check_syncookie", "5.2";
    /// `bpf_strtol(buf, len, flags, result)` (5.2): reads a signed number.
    STRTOL = BPF_FUNC_strtol, "bpf_strtol", "5.2";
    /// `bpf_strtoul(buf, len, flags, result)` (5.2): reads an unsigned number.
    STRTOUL = BPF_FUNC_strtoul, "bpf_strtoul", "5.2";
    /// `bpf_send_signal(signal)` (5.3): sends a signal to the interrupted process.
    SEND_SIGNAL = BPF_FUNC_send_signal, "bpf_send_signal", "5.3";
    /// `bpf_tcp_gen_syncookie(sk, iph, iph_len, th, th_len)` (5.3): makes a SYN cookie.
    TCP_GEN_SYNCOOKIE = BPF_FUNC_tcp_gen_syncookie, "bpf_tcp_gen_syncookie", "5.3";
    /// `bpf_probe_read_user(dst, size, from)` (5.5): reads memory of the interrupted process.
    PROBE_READ_USER = BPF_FUNC_probe_read_user, "bpf_probe_read_user", "5.5";
    /// `bpf_probe_read_kernel(dst, size, from)` (5.5): reads memory of the kernel.
    PROBE_READ_KERNEL = BPF_FUNC_probe_read_kernel, "bpf_probe_read_kernel", "5.5";
    /// `bpf_probe_read_user_str(dst, size, from)` (5.5): reads a string of the interrupted process.
    PROBE_READ_USER_STR = BPF_FUNC_probe_read_user_str, "bpf_probe_read_user_str", "5.5";
    /// `bpf_probe_read_kernel_str(dst, size, from)` (5.5): reads a string of the kernel.
    PROBE_READ_KERNEL_STR = BPF_FUNC_probe_read_kernel_str, "bpf_probe_read_kernel_str", "5.5";
    /// `bpf_send_signal_thread(signal)` (5.5): sends a signal to the interrupted thread.
    SEND_SIGNAL_THREAD = BPF_FUNC_send_signal_thread, "bpf_send_signal_thread", "5.5";
    /// `bpf_jiffies64()` (5.6): the kernel's ticks.
    JIFFIES64 = BPF_FUNC_jiffies64, "bpf_jiffies64", "5.6";
    /// `bpf_get_ns_current_pid_tgid(dev, ino, info, size)` (5.7): the interrupted thread as a PID
    /// namespace numbers it.
    GET_NS_CURRENT_PID_TGID =
        BPF_FUNC_get_ns_current_pid_tgid, "bpf_get_ns_current_pid_tgid", "5.7";
    /// `bpf_get_current_ancestor_cgroup_id(level)` (5.7): a control group above that of the
    /// interrupted thread.
    GET_CURRENT_ANCESTOR_CGROUP_ID =
        BPF_FUNC_get_current_ancestor_cgroup_id, "bpf_get_current_ancestor_cgroup_id", "5.7";
    /// `bpf_ktime_get_boot_ns()` (5.8): nanoseconds since boot, sleep included.
    KTIME_GET_BOOT_NS = BPF_FUNC_ktime_get_boot_ns, "bpf_ktime_get_boot_ns", "5.8";
    /// `bpf_ringbuf_output(map, data, size, flags)` (5.8): writes a record to a BPF ring.
    RINGBUF_OUTPUT = BPF_FUNC_ringbuf_output, "bpf_ringbuf_output", "5.8";
    /// `bpf_ringbuf_reserve(map, size, flags)` (5.8): reserves a record in a BPF ring: a pointer,
    /// or null.
    RINGBUF_RESERVE = BPF_FUNC_ringbuf_reserve, "bpf_ringbuf_reserve", "5.8";
    /// `bpf_ringbuf_submit(record, flags)` (5.8): submits a reserved record.
    RINGBUF_SUBMIT = BPF_FUNC_ringbuf_submit, "bpf_ringbuf_submit", "5.8";
    /// `bpf_ringbuf_discard(record, flags)` (5.8): gives a reserved record up.
    RINGBUF_DISCARD = BPF_FUNC_ringbuf_discard, "bpf_ringbuf_discard", "5.8";
    /// `bpf_ringbuf_query(map, flags)` (5.8): how full a BPF ring is.
    RINGBUF_QUERY = BPF_FUNC_ringbuf_query, "bpf_ringbuf_query", "5.8";
    /// `bpf_skc_to_tcp6_sock(sk)` (5.9): the socket as a `tcp6_sock`, or null.
    SKC_TO_TCP6_SOCK = BPF_FUNC_skc_to_tcp6_sock, "bpf_skc_to_tcp6_sock", "5.9";
    /// `bpf_skc_to_tcp_sock(sk)` (5.9): the socket as a `tcp_sock`, or null.
    SKC_TO_TCP_SOCK = BPF_FUNC_skc_to_tcp_sock, "bpf_skc_to_tcp_sock", "5.9";
    /// `bpf_skc_to_tcp_timewait_sock(sk)` (5.9): the socket as a `tcp_timewait_sock`, or null.
    SKC_TO_TCP_TIMEWAIT_SOCK =
        BPF_FUNC_skc_to_tcp_timewait_sock, "bpf_skc_to_tcp_timewait_sock", "5.9";
    /// `bpf_skc_to_tcp_request_sock(sk)` (5.9): the socket as a `tcp_request_sock`, or null.
    SKC_TO_TCP_REQUEST_SOCK =
        BPF_FUNC_skc_to_tcp_request_sock, "bpf_skc_to_tcp_request_sock", "5.9";
    /// `bpf_skc_to_udp6_sock(sk)` (5.9): the socket as a `udp6_sock`, or null.
    SKC_TO_UDP6_SOCK = BPF_FUNC_skc_to_udp6_sock, "bpf_skc_to_udp6_sock", "5.9";
    /// `bpf_get_task_stack(task, buf, size, flags)` (5.9): the stack of a thread.
    GET_TASK_STACK = BPF_FUNC_get_task_stack, "bpf_get_task_stack", "5.9";
    /// `bpf_copy_from_user(dst, size, from)` (5.10): reads memory of the process; only in programs
    /// that may sleep.
    COPY_FROM_USER = BPF_FUNC_copy_from_user, "bpf_copy_from_user", "5.10";
    /// `bpf_snprintf_btf(str, size, ptr, ptr_size, flags)` (5.10): prints a value by its type.
    SNPRINTF_BTF = BPF_FUNC_snprintf_btf, "bpf_snprintf_btf", "5.10";
    /// `bpf_per_cpu_ptr(ptr, cpu)` (5.10): the copy of a variable on a CPU, or null.
    PER_CPU_PTR = BPF_FUNC_per_cpu_ptr, "bpf_per_cpu_ptr", "5.10";
    /// `bpf_this_cpu_ptr(ptr)` (5.10): the copy of a variable on this CPU.
    THIS_CPU_PTR = BPF_FUNC_this_cpu_ptr, "bpf_this_cpu_ptr", "5.10";
    /// `bpf_task_storage_get(map, task, value, flags)` (5.11): what a map keeps for a thread.
    TASK_STORAGE_GET = BPF_FUNC_task_storage_get, "bpf_task_storage_get", "5.11";
    /// `bpf_task_storage_delete(map, task)` (5.11): deletes what a map keeps for a thread.
    TASK_STORAGE_DELETE = BPF_FUNC_task_storage_delete, "bpf_task_storage_delete", "5.11";
    /// `bpf_get_current_task_btf()` (5.11): the `task_struct` of the interrupted thread, with its
    /// type.
    GET_CURRENT_TASK_BTF = BPF_FUNC_get_current_task_btf, "bpf_get_current_task_btf", "5.11";
    /// `bpf_ktime_get_coarse_ns()` (5.11): monotonic nanoseconds, as of the last tick.
    KTIME_GET_COARSE_NS = BPF_FUNC_ktime_get_coarse_ns, "bpf_ktime_get_coarse_ns", "5.11";
    /// `bpf_check_mtu(ctx, ifindex, mtu_len, delta, flags)` (5.12): whether the packet fits the MTU
    /// of an interface.
    CHECK_MTU = BPF_FUNC_check_mtu, "bpf_check_mtu", "5.12";
    /// `bpf_for_each_map_elem(map, callback, ctx, flags)` (5.13): calls a function for each
    /// element.
    FOR_EACH_MAP_ELEM = BPF_FUNC_for_each_map_elem, "bpf_for_each_map_elem", "5.13";
    /// `bpf_snprintf(str, size, format, data, data_len)` (5.13): prints to memory.
    SNPRINTF = BPF_FUNC_snprintf, "bpf_snprintf", "5.13";
    /// `bpf_timer_init(timer, map, flags)` (5.15): makes a timer in a map's value ready.
    TIMER_INIT = BPF_FUNC_timer_init, "bpf_timer_init", "5.15";
    /// `bpf_timer_set_callback(timer, callback)` (5.15): sets the function that a timer calls.
    TIMER_SET_CALLBACK = BPF_FUNC_timer_set_callback, "bpf_timer_set_callback", "5.15";
    /// `bpf_timer_start(timer, nsecs, flags)` (5.15): starts a timer.
    TIMER_START = BPF_FUNC_timer_start, "bpf_timer_start", "5.15";
    /// `bpf_timer_cancel(timer)` (5.15): stops a timer.
    TIMER_CANCEL = BPF_FUNC_timer_cancel, "bpf_timer_cancel", "5.15";
    /// `bpf_task_pt_regs(task)` (5.15): the registers of a thread.
    TASK_PT_REGS = BPF_FUNC_task_pt_regs, "bpf_task_pt_regs", "5.15";
    /// `bpf_get_branch_snapshot(entries, size, flags)` (5.16): the last branches of this CPU.
    GET_BRANCH_SNAPSHOT = BPF_FUNC_get_branch_snapshot, "bpf_get_branch_snapshot", "5.16";
    /// `bpf_trace_vprintk(format, size, data, data_len)` (5.16): writes to the trace pipe, more
    /// than three numbers.
    TRACE_VPRINTK = BPF_FUNC_trace_vprintk, "bpf_trace_vprintk", "5.16";
    /// `bpf_skc_to_unix_sock(sk)` (5.16): the socket as a `unix_sock`, or null.
    SKC_TO_UNIX_SOCK = BPF_FUNC_skc_to_unix_sock, "bpf_skc_to_unix_sock", "5.16";
    /// `bpf_find_vma(task, addr, callback, ctx, flags)` (5.17): calls a function for the mapping at
    /// an address.
    FIND_VMA = BPF_FUNC_find_vma, "bpf_find_vma", "5.17";
    /// `bpf_loop(count, callback, ctx, flags)` (5.17): calls a function so many times.
    LOOP = BPF_FUNC_loop, "bpf_loop", "5.17";
    /// `bpf_strncmp(s1, size, s2)` (5.17): compares with a constant string.
    STRNCMP = BPF_FUNC_strncmp, "bpf_strncmp", "5.17";
    /// `bpf_xdp_get_buff_len(ctx)` (5.18): the length of the packet with its fragments.
    XDP_GET_BUFF_LEN = BPF_FUNC_xdp_get_buff_len, "bpf_xdp_get_buff_len", "5.18";
    /// `bpf_xdp_load_bytes(ctx, offset, buf, len)` (5.18): reads from the packet with its
    /// fragments.
    XDP_LOAD_BYTES = BPF_FUNC_xdp_load_bytes, "bpf_xdp_load_bytes", "5.18";
    /// `bpf_xdp_store_bytes(ctx, offset, buf, len)` (5.18): writes to the packet with its
    /// fragments.
    XDP_STORE_BYTES = BPF_FUNC_xdp_store_bytes, "bpf_xdp_store_bytes", "5.18";
    /// `bpf_copy_from_user_task(dst, size, from, task, flags)` (5.18): reads memory of a process;
    /// only in programs that may sleep.
    COPY_FROM_USER_TASK = BPF_FUNC_copy_from_user_task, "bpf_copy_from_user_task", "5.18";
    /// `bpf_kptr_xchg(dst, ptr)` (5.19): exchanges a pointer in a map's value.
    KPTR_XCHG = BPF_FUNC_kptr_xchg, "bpf_kptr_xchg", "5.19";
    /// `bpf_map_lookup_percpu_elem(map, key, cpu)` (5.19): a pointer to the value of a CPU, or
    /// null.
    MAP_LOOKUP_PERCPU_ELEM = BPF_FUNC_map_lookup_percpu_elem, "bpf_map_lookup_percpu_elem", "5.19";
    /// `bpf_skc_to_mptcp_sock(sk)` (5.19): the socket as an `mptcp_sock`, or null.
    SKC_TO_MPTCP_SOCK = BPF_FUNC_skc_to_mptcp_sock, "bpf_skc_to_mptcp_sock", "5.19";
    /// `bpf_dynptr_from_mem(data, size, flags, dynptr)` (5.19): makes a dynamic pointer to memory.
    DYNPTR_FROM_MEM = BPF_FUNC_dynptr_from_mem, "bpf_dynptr_from_mem", "5.19";
    /// `bpf_ringbuf_reserve_dynptr(map, size, flags, dynptr)` (5.19): reserves a record of any
    /// length in a BPF ring.
    RINGBUF_RESERVE_DYNPTR = BPF_FUNC_ringbuf_reserve_dynptr, "bpf_ringbuf_reserve_dynptr", "5.19";
    /// `bpf_ringbuf_submit_dynptr(dynptr, flags)` (5.19): submits such a record.
    RINGBUF_SUBMIT_DYNPTR = BPF_FUNC_ringbuf_submit_dynptr, "bpf_ringbuf_submit_dynptr", "5.19";
    /// `bpf_ringbuf_discard_dynptr(dynptr, flags)` (5.19): gives such a record up.
    RINGBUF_DISCARD_DYNPTR = BPF_FUNC_ringbuf_discard_dynptr, "bpf_ringbuf_discard_dynptr", "5.19";
    /// `bpf_dynptr_read(dst, len, dynptr, offset, flags)` (5.19): reads through a dynamic pointer.
    DYNPTR_READ = BPF_FUNC_dynptr_read, "bpf_dynptr_read", "5.19";
    /// `bpf_dynptr_write(dynptr, offset, src, len, flags)` (5.19): writes through a dynamic
    /// pointer.
    DYNPTR_WRITE = BPF_FUNC_dynptr_write, "bpf_dynptr_write", "5.19";
    /// `bpf_dynptr_data(dynptr, offset, len)` (5.19): a pointer to what a dynamic pointer points
    /// to, or null.
    DYNPTR_DATA = BPF_FUNC_dynptr_data, "bpf_dynptr_data", "5.19";
    /// `bpf_tcp_raw_gen_syncookie_ipv4(iph, th, th_len)` (6.0): makes a SYN cookie without a
    /// socket.
    TCP_RAW_GEN_SYNCOOKIE_IPV4 =
        BPF_FUNC_tcp_raw_gen_syncookie_ipv4, "bpf_tcp_raw_gen_syncookie_ipv4", "6.0";
    /// `bpf_tcp_raw_gen_syncookie_ipv6(iph, th, th_len)` (6.0): makes a SYN cookie without a
    /// socket.
    TCP_RAW_GEN_SYNCOOKIE_IPV6 =
        BPF_FUNC_tcp_raw_gen_syncookie_ipv6, "bpf_tcp_raw_gen_syncookie_ipv6", "6.0";
    /// `bpf_tcp_raw_check_syncookie_ipv4(iph, th)` (6.0): whether a packet has a valid SYN cookie.
    TCP_RAW_CHECK_SYNCOOKIE_IPV4 =
        BPF_FUNC_tcp_raw_check_syncookie_ipv4, "bpf_tcp_raw_check_syncookie_ipv4", "6.0";
    /// `bpf_tcp_raw_check_syncookie_ipv6(iph, th)` (6.0): whether a packet has a valid SYN cookie.
    TCP_RAW_CHECK_SYNCOOKIE_IPV6 =
        BPF_FUNC_tcp_raw_check_syncookie_ipv6, "bpf_tcp_raw_check_syncookie_ipv6", "6.0";
    /// `bpf_ktime_get_tai_ns()` (6.1): nanoseconds of the clock without leap seconds.
    KTIME_GET_TAI_NS = BPF_FUNC_ktime_get_tai_ns, "bpf_ktime_get_tai_ns", "6.1";
    /// `bpf_user_ringbuf_drain(map, callback, ctx, flags)` (6.1): calls a function for each record
    /// that user space wrote.
    USER_RINGBUF_DRAIN = BPF_FUNC_user_ringbuf_drain, "bpf_user_ringbuf_drain", "6.1";
    /// `bpf_cgrp_storage_get(map, cgroup, value, flags)` (6.2): what a map keeps for a control
    /// group.
    CGRP_STORAGE_GET = BPF_FUNC_cgrp_storage_get, "bpf_cgrp_storage_get", "6.2";
    /// `bpf_cgrp_storage_delete(map, cgroup)` (6.2): deletes what a map keeps for a control group.
    CGRP_STORAGE_DELETE = BPF_FUNC_cgrp_storage_delete, "bpf_cgrp_storage_delete", "6.2";
}
