//! What the crate does on kernels that lack a feature: the table of README.md and of the crate's
//! documentation.

use crate::probes::{self, Outcome};

/// A feature that not every supported kernel has.
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    /// The first kernel that has it.
    pub(crate) since: (u32, u32),
    /// What an older kernel does instead.
    pub(crate) without: &'static str,
    /// Tries the running kernel.
    pub(crate) probe: fn() -> Outcome,
}

impl Feature {
    pub(crate) fn version(&self) -> String {
        format!("{}.{}", self.since.0, self.since.1)
    }

    /// Returns the row of the tables.
    pub(crate) fn row(&self) -> String {
        format!("| {} | {} | {} |", self.name, self.version(), self.without)
    }
}

pub(crate) const HEAD: &str = "| feature | since | without it |\n|---|---|---|\n";

/// In the order of the kernels.
pub(crate) const FEATURES: [Feature; 25] = [
    Feature {
        name: "the default program (`bpf::redirect`)",
        since: (5, 3),
        without: "`NeedsKernel`; a program of your own can be attached",
        probe: probes::default_program,
    },
    Feature {
        name: "the mode read back from the kernel (`is_zero_copy`)",
        since: (5, 3),
        without: "`is_zero_copy` is what `bind` asked for",
        probe: probes::options,
    },
    Feature {
        name: "need-wakeup",
        since: (5, 4),
        without: "`kick_if_needed` wakes the kernel for every batch that is sent",
        probe: probes::need_wakeup,
    },
    Feature {
        name: "unaligned chunks (`UmemBuilder::unaligned`)",
        since: (5, 4),
        without: "`NeedsKernel`",
        probe: probes::unaligned,
    },
    Feature {
        name: "`AttachMethod::Link`",
        since: (5, 9),
        without: "`NeedsKernel`",
        probe: probes::link,
    },
    Feature {
        name: "`Statistics`: `rx_ring_full`, `fill_ring_empty`, `tx_ring_empty`",
        since: (5, 9),
        without: "`None`",
        probe: probes::statistics,
    },
    Feature {
        name: "`XskMap::insert` of a socket that is not bound yet",
        since: (5, 10),
        without: "`UpdateMap`, which names 5.10",
        probe: probes::unbound_in_map,
    },
    Feature {
        name: "packet memory shared with sockets of other queues and interfaces (`share_memory`)",
        since: (5, 10),
        without: "`NeedsKernel`; `Socket::builder` registers the memory once more",
        probe: probes::shared_memory,
    },
    Feature {
        name: "programs and maps do not count against `RLIMIT_MEMLOCK`",
        since: (5, 11),
        without: "they count; above the limit `CreateMap`, `LoadProgram` with `EPERM`, which name the limit and 5.11",
        probe: probes::memlock,
    },
    Feature {
        name: "`XskMap::insert` refuses a bound socket that only sends",
        since: (5, 11),
        without: "the kernel accepts it, and may crash: put no such socket into a map",
        probe: probes::sender_in_map,
    },
    Feature {
        name: "busy polling (`set_busy_poll`)",
        since: (5, 11),
        without: "`NeedsKernel`",
        probe: probes::busy_poll,
    },
    Feature {
        name: "whether an interface is in another namespace is known without `CAP_NET_ADMIN`",
        since: (5, 14),
        without: "`is_in_current_netns` is `None`",
        probe: probes::namespace,
    },
    Feature {
        name: "programs for packets of several frames, the default one among them (`frags`, `BPF_F_XDP_HAS_FRAGS`)",
        since: (5, 18),
        without: "`NeedsKernel`",
        probe: probes::frags,
    },
    Feature {
        name: "frames that the kernel makes and a program sends (`Program::run_live`)",
        since: (5, 18),
        without: "`NeedsKernel`",
        probe: probes::live_frames,
    },
    Feature {
        name: "sockets are put into a map without `CAP_BPF`",
        since: (5, 19),
        without: "`UpdateMap` with `EPERM`, which names 5.19; unless `kernel.unprivileged_bpf_disabled` is 0",
        probe: probes::unprivileged_map,
    },
    Feature {
        name: "what a driver can do with XDP (`xdp_features`)",
        since: (6, 3),
        without: "`None`: not known",
        probe: probes::features,
    },
    Feature {
        name: "what the card knows of a received packet (`MetadataProgram`, `ProgramBuilder::bound_to`)",
        since: (6, 3),
        without: "`NeedsKernel`",
        probe: probes::metadata,
    },
    Feature {
        name: "rings of up to 2^20 entries, in memory that need not be contiguous",
        since: (6, 3),
        without: "`CreateRing` with `ENOMEM`, which names 6.3, for a ring above 4 MiB, or a smaller one where memory is fragmented",
        probe: probes::long_ring,
    },
    Feature {
        name: "rings can be mapped after `bind`",
        since: (6, 4),
        without: "not needed: all are mapped before",
        probe: probes::mapping_after_bind,
    },
    Feature {
        name: "`XskMap::insert` knows a socket that only sends while its interface is down",
        since: (6, 4),
        without: "`UpdateMap` with `ENETDOWN`, which names 6.4, also for one that receives; before 5.11 the kernel accepts it",
        probe: probes::sender_on_a_link_that_is_down,
    },
    Feature {
        name: "packets of several frames, or multi-buffer (`multi_buffer`, `XDP_USE_SG`)",
        since: (6, 6),
        without: "`NeedsKernel`; packets have to fit a chunk",
        probe: probes::multi_buffer,
    },
    Feature {
        name: "the VLAN tag among it",
        since: (6, 8),
        without: "`None`: `Property::NotSupported`",
        probe: probes::vlan_tag,
    },
    Feature {
        name: "checksums and the time of sending of packets that are sent (`UmemBuilder::tx_metadata`)",
        since: (6, 8),
        without: "`NeedsKernel`",
        probe: probes::tx_metadata,
    },
    Feature {
        name: "NAPI settings of one queue (`set_napi`)",
        since: (6, 13),
        without: "`None` of a queue; the whole device is set, in the network namespace that `/sys` shows",
        probe: probes::napi,
    },
    Feature {
        name: "`set_tx_budget` (`XDP_MAX_TX_SKB_BUDGET`)",
        since: (6, 17),
        without: "`NeedsKernel`",
        probe: probes::tx_budget,
    },
];
