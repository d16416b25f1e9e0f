//! `linux/netdev.h`: the generic netlink family `netdev`, features and queues of devices (6.3).

use crate::layout::constants;

constants! {
    u8 {
        /// Version of the family (6.3).
        NETDEV_FAMILY_VERSION = 1;

        /// Report one device, or dump all: `NETDEV_A_DEV_*` (6.3).
        NETDEV_CMD_DEV_GET = 1;
        /// Notification: a device was added (6.3).
        NETDEV_CMD_DEV_ADD_NTF = 2;
        /// Notification: a device was removed (6.3).
        NETDEV_CMD_DEV_DEL_NTF = 3;
        /// Notification: a device changed (6.3).
        NETDEV_CMD_DEV_CHANGE_NTF = 4;
        /// Report page pools (6.8).
        NETDEV_CMD_PAGE_POOL_GET = 5;
        /// Report queues: `NETDEV_A_QUEUE_*` (6.8).
        NETDEV_CMD_QUEUE_GET = 10;
        /// Report NAPI instances: `NETDEV_A_NAPI_*` (6.8).
        NETDEV_CMD_NAPI_GET = 11;
        /// Report counters by queue (6.9).
        NETDEV_CMD_QSTATS_GET = 12;
        /// Change a NAPI instance (6.13).
        NETDEV_CMD_NAPI_SET = 14;
    }

    u16 {
        /// `u32`: the device (6.3).
        NETDEV_A_DEV_IFINDEX = 1;
        /// Padding (6.3).
        NETDEV_A_DEV_PAD = 2;
        /// `u64`: `NETDEV_XDP_ACT_*` (6.3).
        NETDEV_A_DEV_XDP_FEATURES = 3;
        /// `u32`: descriptors of one packet in zero-copy mode; only with
        /// [`NETDEV_XDP_ACT_XSK_ZEROCOPY`] (6.6).
        NETDEV_A_DEV_XDP_ZC_MAX_SEGS = 4;
        /// `u64`: `NETDEV_XDP_RX_METADATA_*` (6.7).
        NETDEV_A_DEV_XDP_RX_METADATA_FEATURES = 5;
        /// `u64`: `NETDEV_XSK_FLAGS_*` (6.8).
        NETDEV_A_DEV_XSK_FEATURES = 6;

        /// `u32`: number of the queue (6.8).
        NETDEV_A_QUEUE_ID = 1;
        /// `u32`: the device (6.8).
        NETDEV_A_QUEUE_IFINDEX = 2;
        /// `u32`: `NETDEV_QUEUE_TYPE_*` (6.8).
        NETDEV_A_QUEUE_TYPE = 3;
        /// `u32`: NAPI instance that serves the queue (6.8).
        NETDEV_A_QUEUE_NAPI_ID = 4;
        /// `u32`: device memory bound to the queue (6.12).
        NETDEV_A_QUEUE_DMABUF = 5;
        /// Nest: `io_uring` receives from the queue (6.15).
        NETDEV_A_QUEUE_IO_URING = 6;
        /// Nest: an AF_XDP socket is bound to the queue, copy mode too (6.15).
        NETDEV_A_QUEUE_XSK = 7;

        /// `u32`: the device (6.8).
        NETDEV_A_NAPI_IFINDEX = 1;
        /// `u32`: id of the instance (6.8).
        NETDEV_A_NAPI_ID = 2;
        /// `u32`: its interrupt (6.8).
        NETDEV_A_NAPI_IRQ = 3;
        /// `u32`: its thread (6.8).
        NETDEV_A_NAPI_PID = 4;
        /// `u32`: how often to defer interrupts (6.13).
        NETDEV_A_NAPI_DEFER_HARD_IRQS = 5;
        /// Unsigned: for how many nanoseconds to defer them (6.13).
        NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT = 6;
        /// Unsigned: for how many nanoseconds busy polling holds interrupts (6.13).
        NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT = 7;
        /// `u32`: runs in a thread (6.17).
        NETDEV_A_NAPI_THREADED = 8;
    }

    u32 {
        /// Receive queue (6.8).
        NETDEV_QUEUE_TYPE_RX = 0;
        /// Transmit queue (6.8).
        NETDEV_QUEUE_TYPE_TX = 1;

        /// The NAPI instance runs in a softirq (6.17).
        NETDEV_NAPI_THREADED_DISABLED = 0;
        /// The NAPI instance runs in a thread of its own (6.17).
        NETDEV_NAPI_THREADED_ENABLED = 1;
    }

    u64 {
        /// Programs in the driver: abort, drop, pass, send back (6.3).
        NETDEV_XDP_ACT_BASIC = 1 << 0;
        /// The redirect action (6.3).
        NETDEV_XDP_ACT_REDIRECT = 1 << 1;
        /// Takes packets that others redirect to it (6.3).
        NETDEV_XDP_ACT_NDO_XMIT = 1 << 2;
        /// AF_XDP in zero-copy mode (6.3).
        NETDEV_XDP_ACT_XSK_ZEROCOPY = 1 << 3;
        /// Programs in the hardware (6.3).
        NETDEV_XDP_ACT_HW_OFFLOAD = 1 << 4;
        /// Programs that can handle fragments (6.3).
        NETDEV_XDP_ACT_RX_SG = 1 << 5;
        /// Takes redirected packets in fragments (6.3).
        NETDEV_XDP_ACT_NDO_XMIT_SG = 1 << 6;

        /// Programs can read the time of receipt (6.7).
        NETDEV_XDP_RX_METADATA_TIMESTAMP = 1 << 0;
        /// Programs can read the receive hash (6.7).
        NETDEV_XDP_RX_METADATA_HASH = 1 << 1;
        /// Programs can read the VLAN tag (6.8).
        NETDEV_XDP_RX_METADATA_VLAN_TAG = 1 << 2;

        /// AF_XDP: the time of sending (6.8).
        NETDEV_XSK_FLAGS_TX_TIMESTAMP = 1 << 0;
        /// AF_XDP: checksums in hardware (6.8).
        NETDEV_XSK_FLAGS_TX_CHECKSUM = 1 << 1;
        /// AF_XDP: sending at a given time (6.15).
        NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO = 1 << 2;
    }
}

/// Name of the family.
pub const NETDEV_FAMILY_NAME: &str = "netdev";

/// Name of the multicast group with the notifications.
pub const NETDEV_MCGRP_MGMT: &str = "mgmt";
