//! Kinds of maps, programs, attach points and links, and return values of XDP programs.

use crate::layout::constants;

constants! {
    u32 {
        /// Map: hash table.
        BPF_MAP_TYPE_HASH = 1;
        /// Map: array.
        BPF_MAP_TYPE_ARRAY = 2;
        /// Map: programs, for tail calls.
        BPF_MAP_TYPE_PROG_ARRAY = 3;
        /// Map: perf events.
        BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4;
        /// Map: hash table, one value per CPU.
        BPF_MAP_TYPE_PERCPU_HASH = 5;
        /// Map: array, one value per CPU.
        BPF_MAP_TYPE_PERCPU_ARRAY = 6;
        /// Map: stack traces.
        BPF_MAP_TYPE_STACK_TRACE = 7;
        /// Map: control groups.
        BPF_MAP_TYPE_CGROUP_ARRAY = 8;
        /// Map: hash table that evicts the least recently used.
        BPF_MAP_TYPE_LRU_HASH = 9;
        /// Map: the same, one value per CPU.
        BPF_MAP_TYPE_LRU_PERCPU_HASH = 10;
        /// Map: longest prefix match.
        BPF_MAP_TYPE_LPM_TRIE = 11;
        /// Map: array of maps.
        BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
        /// Map: hash table of maps.
        BPF_MAP_TYPE_HASH_OF_MAPS = 13;
        /// Map: network devices, for redirects.
        BPF_MAP_TYPE_DEVMAP = 14;
        /// Map: sockets.
        BPF_MAP_TYPE_SOCKMAP = 15;
        /// Map: CPUs, for redirects.
        BPF_MAP_TYPE_CPUMAP = 16;
        /// Map: AF_XDP sockets, for redirects (4.18).
        BPF_MAP_TYPE_XSKMAP = 17;
        /// Map: sockets by key (4.18).
        BPF_MAP_TYPE_SOCKHASH = 18;
        /// Map: storage of a control group, older form (4.19).
        BPF_MAP_TYPE_CGROUP_STORAGE = 19;
        /// Map: sockets that share a port (4.19).
        BPF_MAP_TYPE_REUSEPORT_SOCKARRAY = 20;
        /// Map: storage of a control group per CPU, older form (4.20).
        BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE = 21;
        /// Map: first in, first out (4.20).
        BPF_MAP_TYPE_QUEUE = 22;
        /// Map: last in, first out (4.20).
        BPF_MAP_TYPE_STACK = 23;
        /// Map: storage of a socket (5.2).
        BPF_MAP_TYPE_SK_STORAGE = 24;
        /// Map: network devices by key, for redirects (5.4).
        BPF_MAP_TYPE_DEVMAP_HASH = 25;
        /// Map: functions the kernel calls (5.6).
        BPF_MAP_TYPE_STRUCT_OPS = 26;
        /// Map: ring of records, read by mmap (5.8).
        BPF_MAP_TYPE_RINGBUF = 27;
        /// Map: storage of an inode (5.10).
        BPF_MAP_TYPE_INODE_STORAGE = 28;
        /// Map: storage of a task (5.11).
        BPF_MAP_TYPE_TASK_STORAGE = 29;
        /// Map: set with false positives (5.16).
        BPF_MAP_TYPE_BLOOM_FILTER = 30;
        /// Map: ring of records, written by mmap (6.1).
        BPF_MAP_TYPE_USER_RINGBUF = 31;
        /// Map: storage of a control group (6.2).
        BPF_MAP_TYPE_CGRP_STORAGE = 32;
        /// Map: memory shared with the process (6.9).
        BPF_MAP_TYPE_ARENA = 33;

        /// Program: filter of a socket.
        BPF_PROG_TYPE_SOCKET_FILTER = 1;
        /// Program: kernel probe.
        BPF_PROG_TYPE_KPROBE = 2;
        /// Program: traffic classifier.
        BPF_PROG_TYPE_SCHED_CLS = 3;
        /// Program: traffic action.
        BPF_PROG_TYPE_SCHED_ACT = 4;
        /// Program: tracepoint.
        BPF_PROG_TYPE_TRACEPOINT = 5;
        /// Program: XDP.
        BPF_PROG_TYPE_XDP = 6;
        /// Program: perf event.
        BPF_PROG_TYPE_PERF_EVENT = 7;
        /// Program: packets of a control group.
        BPF_PROG_TYPE_CGROUP_SKB = 8;
        /// Program: sockets of a control group.
        BPF_PROG_TYPE_CGROUP_SOCK = 9;
        /// Program: light-weight tunnel, input.
        BPF_PROG_TYPE_LWT_IN = 10;
        /// Program: light-weight tunnel, output.
        BPF_PROG_TYPE_LWT_OUT = 11;
        /// Program: light-weight tunnel, sending.
        BPF_PROG_TYPE_LWT_XMIT = 12;
        /// Program: TCP events of a control group.
        BPF_PROG_TYPE_SOCK_OPS = 13;
        /// Program: packets of a socket map.
        BPF_PROG_TYPE_SK_SKB = 14;
        /// Program: device access of a control group.
        BPF_PROG_TYPE_CGROUP_DEVICE = 15;
        /// Program: messages of a socket map.
        BPF_PROG_TYPE_SK_MSG = 16;
        /// Program: raw tracepoint.
        BPF_PROG_TYPE_RAW_TRACEPOINT = 17;
        /// Program: addresses of sockets of a control group.
        BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18;
        /// Program: segment routing (4.18).
        BPF_PROG_TYPE_LWT_SEG6LOCAL = 19;
        /// Program: infra-red remote control (4.18).
        BPF_PROG_TYPE_LIRC_MODE2 = 20;
        /// Program: choice among sockets that share a port (4.19).
        BPF_PROG_TYPE_SK_REUSEPORT = 21;
        /// Program: flow dissector (4.20).
        BPF_PROG_TYPE_FLOW_DISSECTOR = 22;
        /// Program: sysctl of a control group (5.2).
        BPF_PROG_TYPE_CGROUP_SYSCTL = 23;
        /// Program: raw tracepoint with a writable buffer (5.2).
        BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE = 24;
        /// Program: socket options of a control group (5.3).
        BPF_PROG_TYPE_CGROUP_SOCKOPT = 25;
        /// Program: typed tracing (5.5).
        BPF_PROG_TYPE_TRACING = 26;
        /// Program: function the kernel calls (5.6).
        BPF_PROG_TYPE_STRUCT_OPS = 27;
        /// Program: replaces a function of another program (5.6).
        BPF_PROG_TYPE_EXT = 28;
        /// Program: security hook (5.7).
        BPF_PROG_TYPE_LSM = 29;
        /// Program: choice of a listening socket (5.9).
        BPF_PROG_TYPE_SK_LOOKUP = 30;
        /// Program: run by the system call (5.14).
        BPF_PROG_TYPE_SYSCALL = 31;
        /// Program: netfilter hook (6.4).
        BPF_PROG_TYPE_NETFILTER = 32;

        /// Attach point: packets a control group receives.
        BPF_CGROUP_INET_INGRESS = 0;
        /// Attach point: packets a control group sends.
        BPF_CGROUP_INET_EGRESS = 1;
        /// Attach point: sockets a control group creates.
        BPF_CGROUP_INET_SOCK_CREATE = 2;
        /// Attach point: TCP events of a control group.
        BPF_CGROUP_SOCK_OPS = 3;
        /// Attach point: socket map, parser.
        BPF_SK_SKB_STREAM_PARSER = 4;
        /// Attach point: socket map, verdict on a stream.
        BPF_SK_SKB_STREAM_VERDICT = 5;
        /// Attach point: device access.
        BPF_CGROUP_DEVICE = 6;
        /// Attach point: socket map, verdict on a message.
        BPF_SK_MSG_VERDICT = 7;
        /// Attach point: `bind`, IPv4.
        BPF_CGROUP_INET4_BIND = 8;
        /// Attach point: `bind`, IPv6.
        BPF_CGROUP_INET6_BIND = 9;
        /// Attach point: `connect`, IPv4.
        BPF_CGROUP_INET4_CONNECT = 10;
        /// Attach point: `connect`, IPv6.
        BPF_CGROUP_INET6_CONNECT = 11;
        /// Attach point: after `bind`, IPv4.
        BPF_CGROUP_INET4_POST_BIND = 12;
        /// Attach point: after `bind`, IPv6.
        BPF_CGROUP_INET6_POST_BIND = 13;
        /// Attach point: `sendmsg`, UDP over IPv4 (4.18).
        BPF_CGROUP_UDP4_SENDMSG = 14;
        /// Attach point: `sendmsg`, UDP over IPv6 (4.18).
        BPF_CGROUP_UDP6_SENDMSG = 15;
        /// Attach point: infra-red remote control (4.18).
        BPF_LIRC_MODE2 = 16;
        /// Attach point: flow dissector (4.20).
        BPF_FLOW_DISSECTOR = 17;
        /// Attach point: sysctl (5.2).
        BPF_CGROUP_SYSCTL = 18;
        /// Attach point: `recvmsg`, UDP over IPv4 (5.2).
        BPF_CGROUP_UDP4_RECVMSG = 19;
        /// Attach point: `recvmsg`, UDP over IPv6 (5.2).
        BPF_CGROUP_UDP6_RECVMSG = 20;
        /// Attach point: `getsockopt` (5.3).
        BPF_CGROUP_GETSOCKOPT = 21;
        /// Attach point: `setsockopt` (5.3).
        BPF_CGROUP_SETSOCKOPT = 22;
        /// Attach point: raw tracepoint with types (5.5).
        BPF_TRACE_RAW_TP = 23;
        /// Attach point: entry of a kernel function (5.5).
        BPF_TRACE_FENTRY = 24;
        /// Attach point: exit of a kernel function (5.5).
        BPF_TRACE_FEXIT = 25;
        /// Attach point: result of a kernel function (5.7).
        BPF_MODIFY_RETURN = 26;
        /// Attach point: security hook (5.7).
        BPF_LSM_MAC = 27;
        /// Attach point: iterator (5.8).
        BPF_TRACE_ITER = 28;
        /// Attach point: `getpeername`, IPv4 (5.8).
        BPF_CGROUP_INET4_GETPEERNAME = 29;
        /// Attach point: `getpeername`, IPv6 (5.8).
        BPF_CGROUP_INET6_GETPEERNAME = 30;
        /// Attach point: `getsockname`, IPv4 (5.8).
        BPF_CGROUP_INET4_GETSOCKNAME = 31;
        /// Attach point: `getsockname`, IPv6 (5.8).
        BPF_CGROUP_INET6_GETSOCKNAME = 32;
        /// Attach point: XDP program in a device map (5.8).
        BPF_XDP_DEVMAP = 33;
        /// Attach point: end of a socket (5.9).
        BPF_CGROUP_INET_SOCK_RELEASE = 34;
        /// Attach point: XDP program in a CPU map (5.9).
        BPF_XDP_CPUMAP = 35;
        /// Attach point: choice of a listening socket (5.9).
        BPF_SK_LOOKUP = 36;
        /// Attach point: XDP program of a network device (5.9).
        BPF_XDP = 37;
        /// Attach point: socket map, verdict on a packet (5.13).
        BPF_SK_SKB_VERDICT = 38;
        /// Attach point: choice among sockets that share a port (5.14).
        BPF_SK_REUSEPORT_SELECT = 39;
        /// Attach point: the same, with migration (5.14).
        BPF_SK_REUSEPORT_SELECT_OR_MIGRATE = 40;
        /// Attach point: perf event (5.15).
        BPF_PERF_EVENT = 41;
        /// Attach point: many kernel probes (5.18).
        BPF_TRACE_KPROBE_MULTI = 42;
        /// Attach point: security hook of a control group (6.0).
        BPF_LSM_CGROUP = 43;
        /// Attach point: functions the kernel calls (6.4).
        BPF_STRUCT_OPS = 44;
        /// Attach point: netfilter hook (6.4).
        BPF_NETFILTER = 45;
        /// Attach point: traffic control, received packets (6.6).
        BPF_TCX_INGRESS = 46;
        /// Attach point: traffic control, sent packets (6.6).
        BPF_TCX_EGRESS = 47;
        /// Attach point: many user probes (6.6).
        BPF_TRACE_UPROBE_MULTI = 48;
        /// Attach point: `connect`, Unix socket (6.7).
        BPF_CGROUP_UNIX_CONNECT = 49;
        /// Attach point: `sendmsg`, Unix socket (6.7).
        BPF_CGROUP_UNIX_SENDMSG = 50;
        /// Attach point: `recvmsg`, Unix socket (6.7).
        BPF_CGROUP_UNIX_RECVMSG = 51;
        /// Attach point: `getpeername`, Unix socket (6.7).
        BPF_CGROUP_UNIX_GETPEERNAME = 52;
        /// Attach point: `getsockname`, Unix socket (6.7).
        BPF_CGROUP_UNIX_GETSOCKNAME = 53;
        /// Attach point: netkit device, primary end (6.7).
        BPF_NETKIT_PRIMARY = 54;
        /// Attach point: netkit device, peer end (6.7).
        BPF_NETKIT_PEER = 55;
        /// Attach point: kernel probes at entry and exit (6.10).
        BPF_TRACE_KPROBE_SESSION = 56;
        /// Attach point: user probes at entry and exit (6.13).
        BPF_TRACE_UPROBE_SESSION = 57;

        /// Link: raw tracepoint (5.8).
        BPF_LINK_TYPE_RAW_TRACEPOINT = 1;
        /// Link: typed tracing (5.8).
        BPF_LINK_TYPE_TRACING = 2;
        /// Link: control group (5.8).
        BPF_LINK_TYPE_CGROUP = 3;
        /// Link: iterator (5.8).
        BPF_LINK_TYPE_ITER = 4;
        /// Link: network namespace (5.8).
        BPF_LINK_TYPE_NETNS = 5;
        /// Link: XDP program of a network device (5.9).
        BPF_LINK_TYPE_XDP = 6;
        /// Link: perf event (5.15).
        BPF_LINK_TYPE_PERF_EVENT = 7;
        /// Link: many kernel probes (5.18).
        BPF_LINK_TYPE_KPROBE_MULTI = 8;
        /// Link: functions the kernel calls (5.19).
        BPF_LINK_TYPE_STRUCT_OPS = 9;
        /// Link: netfilter hook (6.4).
        BPF_LINK_TYPE_NETFILTER = 10;
        /// Link: traffic control (6.6).
        BPF_LINK_TYPE_TCX = 11;
        /// Link: many user probes (6.6).
        BPF_LINK_TYPE_UPROBE_MULTI = 12;
        /// Link: netkit device (6.7).
        BPF_LINK_TYPE_NETKIT = 13;
        /// Link: socket map (6.10).
        BPF_LINK_TYPE_SOCKMAP = 14;

        /// Return value of an XDP program: an error; drop the packet and trace it.
        XDP_ABORTED = 0;
        /// Return value of an XDP program: drop the packet.
        XDP_DROP = 1;
        /// Return value of an XDP program: pass it on to the network stack.
        XDP_PASS = 2;
        /// Return value of an XDP program: send the packet back.
        XDP_TX = 3;
        /// Return value of an XDP program: send it where a redirect helper said.
        XDP_REDIRECT = 4;

        /// Kind of receive hash: IPv4 (6.3).
        XDP_RSS_L3_IPV4 = 1 << 0;
        /// Kind of receive hash: IPv6 (6.3).
        XDP_RSS_L3_IPV6 = 1 << 1;
        /// Kind of receive hash: the packet has IP options or extension headers (6.3).
        XDP_RSS_L3_DYNHDR = 1 << 2;
        /// Kind of receive hash: ports are in the hash (6.3).
        XDP_RSS_L4 = 1 << 3;
        /// Kind of receive hash: TCP (6.3).
        XDP_RSS_L4_TCP = 1 << 4;
        /// Kind of receive hash: UDP (6.3).
        XDP_RSS_L4_UDP = 1 << 5;
        /// Kind of receive hash: SCTP (6.3).
        XDP_RSS_L4_SCTP = 1 << 6;
        /// Kind of receive hash: IPsec (6.3).
        XDP_RSS_L4_IPSEC = 1 << 7;
        /// Kind of receive hash: ICMP (6.8).
        XDP_RSS_L4_ICMP = 1 << 8;
    }
}
