//! Arguments of `bpf(2)`: commands, their structs, their flags.

use crate::layout::{constants, structs};

constants! {
    u32 {
        /// Create a map: [`bpf_attr_map_create`].
        BPF_MAP_CREATE = 0;
        /// Read a map element: [`bpf_attr_map_elem`].
        BPF_MAP_LOOKUP_ELEM = 1;
        /// Write a map element: [`bpf_attr_map_elem`].
        BPF_MAP_UPDATE_ELEM = 2;
        /// Delete a map element: [`bpf_attr_map_elem`].
        BPF_MAP_DELETE_ELEM = 3;
        /// Find the key after a given one: [`bpf_attr_map_elem`].
        BPF_MAP_GET_NEXT_KEY = 4;
        /// Verify and load a program: [`bpf_attr_prog_load`].
        BPF_PROG_LOAD = 5;
        /// Pin an object in a BPF file system: [`bpf_attr_obj`].
        BPF_OBJ_PIN = 6;
        /// Open a pinned object: [`bpf_attr_obj`].
        BPF_OBJ_GET = 7;
        /// Attach a program to a cgroup, socket map or similar.
        BPF_PROG_ATTACH = 8;
        /// Undo [`BPF_PROG_ATTACH`].
        BPF_PROG_DETACH = 9;
        /// Run a program on given data: [`bpf_attr_test_run`].
        BPF_PROG_TEST_RUN = 10;
        /// Another name of [`BPF_PROG_TEST_RUN`] (5.14).
        BPF_PROG_RUN = BPF_PROG_TEST_RUN;
        /// Find the program after an id: [`bpf_attr_get_id`].
        BPF_PROG_GET_NEXT_ID = 11;
        /// Find the map after an id: [`bpf_attr_get_id`].
        BPF_MAP_GET_NEXT_ID = 12;
        /// Open a program by id: [`bpf_attr_get_id`].
        BPF_PROG_GET_FD_BY_ID = 13;
        /// Open a map by id: [`bpf_attr_get_id`].
        BPF_MAP_GET_FD_BY_ID = 14;
        /// Describe an object: [`bpf_attr_info`].
        BPF_OBJ_GET_INFO_BY_FD = 15;
        /// List the programs of an attach point.
        BPF_PROG_QUERY = 16;
        /// Attach to a raw tracepoint.
        BPF_RAW_TRACEPOINT_OPEN = 17;
        /// Load type information: [`bpf_attr_btf_load`] (4.18).
        BPF_BTF_LOAD = 18;
        /// Open type information by id: [`bpf_attr_get_id`] (4.18).
        BPF_BTF_GET_FD_BY_ID = 19;
        /// Describe the program behind a perf event (4.18).
        BPF_TASK_FD_QUERY = 20;
        /// Read and delete a map element: [`bpf_attr_map_elem`] (4.20).
        BPF_MAP_LOOKUP_AND_DELETE_ELEM = 21;
        /// Refuse further writes through the system call: [`bpf_attr_map_elem`], `map_fd` only
        /// (5.2).
        BPF_MAP_FREEZE = 22;
        /// Find the type information after an id: [`bpf_attr_get_id`] (5.4).
        BPF_BTF_GET_NEXT_ID = 23;
        /// Read many map elements: [`bpf_attr_map_batch`] (5.6).
        BPF_MAP_LOOKUP_BATCH = 24;
        /// Read and delete many map elements: [`bpf_attr_map_batch`] (5.6).
        BPF_MAP_LOOKUP_AND_DELETE_BATCH = 25;
        /// Write many map elements: [`bpf_attr_map_batch`] (5.6).
        BPF_MAP_UPDATE_BATCH = 26;
        /// Delete many map elements: [`bpf_attr_map_batch`] (5.6).
        BPF_MAP_DELETE_BATCH = 27;
        /// Attach a program by a link: [`bpf_attr_link_create`] (5.7; XDP 5.9).
        BPF_LINK_CREATE = 28;
        /// Exchange the program of a link: [`bpf_attr_link_update`] (5.7).
        BPF_LINK_UPDATE = 29;
        /// Open a link by id: [`bpf_attr_get_id`] (5.8).
        BPF_LINK_GET_FD_BY_ID = 30;
        /// Find the link after an id: [`bpf_attr_get_id`] (5.8).
        BPF_LINK_GET_NEXT_ID = 31;
        /// Count runs and time of programs while the fd lives (5.8).
        BPF_ENABLE_STATS = 32;
        /// Create an iterator from a link (5.8).
        BPF_ITER_CREATE = 33;
        /// Detach a link whose fd stays open: [`bpf_attr_link_detach`] (5.9).
        BPF_LINK_DETACH = 34;
        /// Tie the life of a map to a program: [`bpf_attr_prog_bind_map`] (5.10).
        BPF_PROG_BIND_MAP = 35;
        /// Create a token from a BPF file system (6.9).
        BPF_TOKEN_CREATE = 36;
        /// Read the standard output or error of a program (6.17).
        BPF_PROG_STREAM_READ_BY_FD = 37;

        /// [`bpf_attr_map_create::map_flags`]: allocate elements on demand.
        BPF_F_NO_PREALLOC = 1 << 0;
        /// [`bpf_attr_map_create::map_flags`]: one LRU list per CPU.
        BPF_F_NO_COMMON_LRU = 1 << 1;
        /// [`bpf_attr_map_create::map_flags`]: `numa_node` is used.
        BPF_F_NUMA_NODE = 1 << 2;
        /// `map_flags` and `file_flags`: the fd may read only.
        BPF_F_RDONLY = 1 << 3;
        /// `map_flags` and `file_flags`: the fd may write only.
        BPF_F_WRONLY = 1 << 4;
        /// [`bpf_attr_map_create::map_flags`]: programs may read only (5.2).
        BPF_F_RDONLY_PROG = 1 << 7;
        /// [`bpf_attr_map_create::map_flags`]: programs may write only (5.2).
        BPF_F_WRONLY_PROG = 1 << 8;
        /// [`bpf_attr_map_create::map_flags`]: the map can be mapped into memory (5.5).
        BPF_F_MMAPABLE = 1 << 10;
        /// [`bpf_attr_obj::file_flags`]: `path_fd` is used (6.5).
        BPF_F_PATH_FD = 1 << 14;
        /// `map_flags`, `prog_flags`, `open_flags`: the token fd field is used (6.9).
        BPF_F_TOKEN_FD = 1 << 16;

        /// [`bpf_attr_prog_load::prog_flags`]: check alignment strictly.
        BPF_F_STRICT_ALIGNMENT = 1 << 0;
        /// [`bpf_attr_prog_load::prog_flags`]: assume that every alignment works (5.0).
        BPF_F_ANY_ALIGNMENT = 1 << 1;
        /// [`bpf_attr_prog_load::prog_flags`]: fill upper halves with noise, to test the verifier
        /// (5.3).
        BPF_F_TEST_RND_HI32 = 1 << 2;
        /// [`bpf_attr_prog_load::prog_flags`]: store verifier states often, to test the verifier
        /// (5.4).
        BPF_F_TEST_STATE_FREQ = 1 << 3;
        /// [`bpf_attr_prog_load::prog_flags`]: the program may sleep (5.10).
        BPF_F_SLEEPABLE = 1 << 4;
        /// [`bpf_attr_prog_load::prog_flags`]: an XDP program that can handle fragments (5.18).
        BPF_F_XDP_HAS_FRAGS = 1 << 5;
        /// [`bpf_attr_prog_load::prog_flags`]: bound to the device `prog_ifindex`, not offloaded
        /// (6.3).
        BPF_F_XDP_DEV_BOUND_ONLY = 1 << 6;
        /// [`bpf_attr_prog_load::prog_flags`]: report broken verifier invariants as errors (6.8).
        BPF_F_TEST_REG_INVARIANTS = 1 << 7;

        /// [`bpf_attr_test_run::flags`]: run on CPU `cpu`; not for XDP (5.10).
        BPF_F_TEST_RUN_ON_CPU = 1 << 0;
        /// [`bpf_attr_test_run::flags`]: carry out XDP actions with real frames (5.18).
        BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1;

        /// [`bpf_attr_link_update::flags`]: only if the link runs `old_prog_fd` (5.7).
        BPF_F_REPLACE = 1 << 2;

        /// [`bpf_attr_prog_load::log_level`]: a record of what was checked. Kernel-internal name.
        BPF_LOG_LEVEL1 = 1;
        /// [`bpf_attr_prog_load::log_level`]: the state after every instruction. Kernel-internal
        /// name.
        BPF_LOG_LEVEL2 = 2;
        /// [`bpf_attr_prog_load::log_level`]: statistics (5.2). Kernel-internal name.
        BPF_LOG_STATS = 4;
        /// [`bpf_attr_prog_load::log_level`]: on overflow keep the start, not the end (6.4).
        /// Kernel-internal name.
        BPF_LOG_FIXED = 8;

        /// In the header of a record of a ring buffer: it is still being written (5.8).
        BPF_RINGBUF_BUSY_BIT = 1 << 31;
        /// In the header of a record of a ring buffer: it was given up (5.8).
        BPF_RINGBUF_DISCARD_BIT = 1 << 30;
        /// Length of that header (5.8).
        BPF_RINGBUF_HDR_SZ = 8;
    }

    u64 {
        /// [`bpf_attr_map_elem::flags`]: create or replace.
        BPF_ANY = 0;
        /// [`bpf_attr_map_elem::flags`]: create, refuse to replace.
        BPF_NOEXIST = 1;
        /// [`bpf_attr_map_elem::flags`]: replace, refuse to create.
        BPF_EXIST = 2;
        /// [`bpf_attr_map_elem::flags`]: the element holds a spin lock (5.1).
        BPF_F_LOCK = 4;
    }

    usize {
        /// Length of a program's or map's name with its final zero.
        BPF_OBJ_NAME_LEN = 16;
        /// Length of [`bpf_prog_info::tag`](super::bpf_prog_info::tag).
        BPF_TAG_SIZE = 8;
    }
}

structs! {
    /// Argument of [`BPF_MAP_CREATE`].
    pub struct bpf_attr_map_create(96, Attr) {
        /// `BPF_MAP_TYPE_*`.
        0: map_type: u32,
        /// Size of a key in bytes.
        4: key_size: u32,
        /// Size of a value in bytes.
        8: value_size: u32,
        /// Number of elements.
        12: max_entries: u32,
        /// [`BPF_F_NUMA_NODE`] and others.
        16: map_flags: u32,
        /// For maps of maps: a map like those inside.
        20: inner_map_fd: u32,
        /// With [`BPF_F_NUMA_NODE`].
        24: numa_node: u32,
        /// Letters, digits, `_` and `.`, ended by a zero.
        28: map_name: [u8; BPF_OBJ_NAME_LEN],
        /// Device to offload to.
        44: map_ifindex: u32,
        /// Type information of key and value (4.18).
        48: btf_fd: u32,
        /// Type of the key (4.18).
        52: btf_key_type_id: u32,
        /// Type of the value (4.18).
        56: btf_value_type_id: u32,
        /// Type of a `struct_ops` value (5.6).
        60: btf_vmlinux_value_type_id: u32,
        /// More, by map type (5.16).
        64: map_extra: u64,
        /// Type information of a module (6.9).
        72: value_type_btf_obj_fd: i32,
        /// With [`BPF_F_TOKEN_FD`] (6.9).
        76: map_token_fd: i32,
        /// Pointer to the hash of the only program that may use the map (6.18).
        80: excl_prog_hash: u64,
        /// Length of that hash (6.18).
        88: excl_prog_hash_size: u32,
        /// Zero.
        92: _pad: [u8; 4],
    }

    /// Arguments of the commands on one map element.
    pub struct bpf_attr_map_elem(32, Attr) {
        /// The map.
        0: map_fd: u32,
        /// Zero.
        4: _pad: [u8; 4],
        /// Pointer to the key.
        8: key: u64,
        /// Pointer to the value; for [`BPF_MAP_GET_NEXT_KEY`] to the next key.
        16: value: u64,
        /// [`BPF_ANY`] and its neighbours.
        24: flags: u64,
    }

    /// Arguments of the commands on many map elements (5.6).
    pub struct bpf_attr_map_batch(56, Attr) {
        /// Pointer to the place to start after, or zero for the start: the number of a bucket of a
        /// hash map (four bytes), a key of another map.
        0: in_batch: u64,
        /// Pointer to room for the place that was come to.
        8: out_batch: u64,
        /// Pointer to the keys.
        16: keys: u64,
        /// Pointer to the values.
        24: values: u64,
        /// In: the number of elements, or the room for them; out: how many were worked on.
        32: count: u32,
        /// The map.
        36: map_fd: u32,
        /// [`BPF_ANY`] and its neighbours, for each element.
        40: elem_flags: u64,
        /// Zero.
        48: flags: u64,
    }

    /// Argument of [`BPF_PROG_LOAD`].
    pub struct bpf_attr_prog_load(168, Attr) {
        /// `BPF_PROG_TYPE_*`.
        0: prog_type: u32,
        /// Number of instruction slots.
        4: insn_cnt: u32,
        /// Pointer to [`bpf_insn`](super::bpf_insn)s.
        8: insns: u64,
        /// Pointer to the licence, ended by a zero.
        16: license: u64,
        /// [`BPF_LOG_LEVEL1`] and its neighbours.
        24: log_level: u32,
        /// Length of the log buffer.
        28: log_size: u32,
        /// Pointer to the log buffer.
        32: log_buf: u64,
        /// Kernel version, for probes before 5.0.
        40: kern_version: u32,
        /// [`BPF_F_XDP_HAS_FRAGS`] and others.
        44: prog_flags: u32,
        /// Letters, digits, `_` and `.`, ended by a zero.
        48: prog_name: [u8; BPF_OBJ_NAME_LEN],
        /// Device to bind or offload to.
        64: prog_ifindex: u32,
        /// Attach type the verifier assumes.
        68: expected_attach_type: u32,
        /// Type information of the program (5.0).
        72: prog_btf_fd: u32,
        /// Size of a function record (5.0).
        76: func_info_rec_size: u32,
        /// Pointer to function records (5.0).
        80: func_info: u64,
        /// Number of function records (5.0).
        88: func_info_cnt: u32,
        /// Size of a line record (5.0).
        92: line_info_rec_size: u32,
        /// Pointer to line records (5.0).
        96: line_info: u64,
        /// Number of line records (5.0).
        104: line_info_cnt: u32,
        /// Kernel type to attach to (5.5).
        108: attach_btf_id: u32,
        /// Program to attach to (5.5), or the type information of a module (5.11).
        112: attach_prog_fd: u32,
        /// Number of relocation records (5.17).
        116: core_relo_cnt: u32,
        /// Pointer to fds that instructions name by index (5.14).
        120: fd_array: u64,
        /// Pointer to relocation records (5.17).
        128: core_relos: u64,
        /// Size of a relocation record (5.17).
        136: core_relo_rec_size: u32,
        /// Out: length of the whole log (6.4).
        140: log_true_size: u32,
        /// With [`BPF_F_TOKEN_FD`] (6.9).
        144: prog_token_fd: i32,
        /// Number of fds in `fd_array`, to bind them all (6.14).
        148: fd_array_cnt: u32,
        /// Pointer to a signature of the instructions (6.18).
        152: signature: u64,
        /// Length of the signature (6.18).
        160: signature_size: u32,
        /// Keyring to check it with (6.18).
        164: keyring_id: i32,
    }

    /// Arguments of [`BPF_OBJ_PIN`] and [`BPF_OBJ_GET`].
    pub struct bpf_attr_obj(24, Attr) {
        /// Pointer to the path, ended by a zero.
        0: pathname: u64,
        /// The object to pin; zero for get.
        8: bpf_fd: u32,
        /// [`BPF_F_RDONLY`], [`BPF_F_WRONLY`], [`BPF_F_PATH_FD`].
        12: file_flags: u32,
        /// Directory that a relative path starts from (6.5).
        16: path_fd: i32,
        /// Zero.
        20: _pad: [u8; 4],
    }

    /// Argument of [`BPF_PROG_TEST_RUN`].
    pub struct bpf_attr_test_run(80, Attr) {
        /// The program.
        0: prog_fd: u32,
        /// Out: what the program returned.
        4: retval: u32,
        /// Length of the packet.
        8: data_size_in: u32,
        /// In: room for the packet afterwards; out: its length.
        12: data_size_out: u32,
        /// Pointer to the packet.
        16: data_in: u64,
        /// Pointer to room for the packet afterwards, or zero.
        24: data_out: u64,
        /// How often to run; zero is once.
        32: repeat: u32,
        /// Out: mean time of a run in nanoseconds.
        36: duration: u32,
        /// Length of the context (5.2; XDP 5.15).
        40: ctx_size_in: u32,
        /// In: room for the context afterwards; out: its length (5.2).
        44: ctx_size_out: u32,
        /// Pointer to the context: an [`xdp_md`](super::xdp_md) for XDP (5.2; XDP 5.15).
        48: ctx_in: u64,
        /// Pointer to room for the context afterwards, or zero (5.2).
        56: ctx_out: u64,
        /// [`BPF_F_TEST_XDP_LIVE_FRAMES`] or others (5.10).
        64: flags: u32,
        /// With [`BPF_F_TEST_RUN_ON_CPU`] (5.10).
        68: cpu: u32,
        /// Live frames per batch, up to 256; zero is 64 (5.18).
        72: batch_size: u32,
        /// Zero.
        76: _pad: [u8; 4],
    }

    /// Argument of [`BPF_PROG_BIND_MAP`].
    pub struct bpf_attr_prog_bind_map(12, Attr) {
        /// The program.
        0: prog_fd: u32,
        /// The map that lives as long as the program does.
        4: map_fd: u32,
        /// Zero.
        8: flags: u32,
    }

    /// Arguments of the commands `*_GET_NEXT_ID` and `*_GET_FD_BY_ID`.
    pub struct bpf_attr_get_id(16, Attr) {
        /// The id to open, or to start after. The kernel also calls it `prog_id`, `map_id`,
        /// `btf_id`, `link_id`.
        0: start_id: u32,
        /// Out: the next id.
        4: next_id: u32,
        /// [`BPF_F_RDONLY`] and others, for maps.
        8: open_flags: u32,
        /// With [`BPF_F_TOKEN_FD`] (6.15).
        12: fd_by_id_token_fd: i32,
    }

    /// Argument of [`BPF_OBJ_GET_INFO_BY_FD`].
    pub struct bpf_attr_info(16, Attr) {
        /// The object.
        0: bpf_fd: u32,
        /// In: room for the result; out: its length.
        4: info_len: u32,
        /// Pointer to a zeroed `bpf_*_info` struct.
        8: info: u64,
    }

    /// Argument of [`BPF_LINK_CREATE`] for XDP (5.9). The kernel's struct is longer for other link
    /// types.
    pub struct bpf_attr_link_create(16, Attr) {
        /// The program.
        0: prog_fd: u32,
        /// The network device.
        4: target_ifindex: u32,
        /// [`BPF_XDP`](super::BPF_XDP).
        8: attach_type: u32,
        /// One mode bit of `XDP_FLAGS_*`, or zero.
        12: flags: u32,
    }

    /// Argument of [`BPF_LINK_UPDATE`] (5.7).
    pub struct bpf_attr_link_update(16, Attr) {
        /// The link.
        0: link_fd: u32,
        /// The program to run instead.
        4: new_prog_fd: u32,
        /// [`BPF_F_REPLACE`] or zero.
        8: flags: u32,
        /// With [`BPF_F_REPLACE`]: the program that must be there; else zero.
        12: old_prog_fd: u32,
    }

    /// Argument of [`BPF_LINK_DETACH`] (5.9).
    pub struct bpf_attr_link_detach(4, Attr) {
        /// The link.
        0: link_fd: u32,
    }

    /// Argument of [`BPF_BTF_LOAD`] (4.18).
    pub struct bpf_attr_btf_load(40, Attr) {
        /// Pointer to the type information.
        0: btf: u64,
        /// Pointer to the log buffer.
        8: btf_log_buf: u64,
        /// Length of the type information.
        16: btf_size: u32,
        /// Length of the log buffer.
        20: btf_log_size: u32,
        /// Above zero for a log.
        24: btf_log_level: u32,
        /// Out: length of the whole log (6.4).
        28: btf_log_true_size: u32,
        /// [`BPF_F_TOKEN_FD`] or zero (6.9).
        32: btf_flags: u32,
        /// With [`BPF_F_TOKEN_FD`] (6.9).
        36: btf_token_fd: i32,
    }
}
