//! What the kernel reports about programs and maps.

use super::pin;
use crate::error::{BpfOp, Result};
use crate::num::usize32;
use crate::sys;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use xsk_uapi::bpf::bpf_prog_info;

/// The length of `struct bpf_prog_info` in 4.18. It has grown since, and is longer than what the
/// kernel reports about a map (104 bytes in 6.18) or a link, whose type numbers mean other things.
const PROG_INFO_4_18: u32 = 128;

/// Far more maps than a program can have (`MAX_USED_MAPS` of the kernel is 64): no larger number is
/// allocated for.
const MAPS_MAX: usize = 64 << 10;

/// What the kernel reports about a program, from [`Program::info`](super::Program::info).
///
/// ```
/// use xsk::bpf::{XskMap, redirect};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of ProgramInfo") { return Ok(()); }
/// let map = XskMap::create("xsks_map", 4)?;
/// let info = redirect(&map)?.info()?;
/// assert_eq!((info.name.as_str(), info.kind), ("xsk_redirect", 6));
/// assert_eq!(info.map_ids, [map.id()]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "bpf_prog_info")]
#[non_exhaustive]
pub struct ProgramInfo {
    /// The kernel's number for it; not used again soon.
    pub id: u32,
    /// A hash of its instructions (without the maps in them): the same program has the same tag on
    /// one kernel.
    pub tag: [u8; 8],
    /// The name given when it was loaded.
    pub name: String,
    /// The program type (`enum bpf_prog_type`): 6 is XDP.
    pub kind: u32,
    /// When it was loaded: the time since the machine started, suspended or not
    /// (`CLOCK_BOOTTIME`).
    pub loaded_at: Duration,
    /// The numbers of its maps.
    pub map_ids: Vec<u32>,
    /// The user who loaded it, as this process's user namespace numbers users.
    pub created_by: u32,
    /// How many instruction slots it has after the kernel's own changes; 0 if the kernel does not
    /// say.
    pub instructions: u32,
    /// The length of its machine code in bytes; 0 if it is interpreted (no JIT compiler, or
    /// `net.core.bpf_jit_enable` is 0), or the kernel does not say.
    pub machine_code: u32,
}

impl ProgramInfo {
    /// Returns how long ago it was loaded, suspended or not.
    #[must_use]
    pub fn age(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
        Duration::new(seconds, nanos).saturating_sub(self.loaded_at)
    }

    /// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a program.
    pub(super) fn read(program: BorrowedFd<'_>) -> Result<Self, Errno> {
        let (info, map_ids) = with_map_ids(program)?;
        Ok(Self {
            id: info.id,
            tag: info.tag,
            name: sys::bpf::text(&info.name),
            kind: info.r#type,
            loaded_at: Duration::from_nanos(info.load_time),
            map_ids,
            created_by: info.created_by_uid,
            instructions: info.xlated_prog_len / 8,
            machine_code: info.jited_prog_len,
        })
    }
}

/// Returns what the kernel reports about a descriptor if it is one of a program.
pub(super) fn of_program(fd: BorrowedFd<'_>) -> Result<Option<bpf_prog_info>, Errno> {
    let (info, len) = sys::bpf::prog_info(fd, &mut [])?;
    Ok((len >= PROG_INFO_4_18).then_some(info))
}

/// Asks for the number of maps first, then for their ids.
fn with_map_ids(program: BorrowedFd<'_>) -> Result<(bpf_prog_info, Vec<u32>), Errno> {
    let mut ids = Vec::new();
    loop {
        let (info, _) = sys::bpf::prog_info(program, &mut ids)?;
        let count = usize32(info.nr_map_ids);
        if count <= ids.len() {
            ids.truncate(count);
            return Ok((info, ids));
        }
        if count > MAPS_MAX {
            return Err(Errno::OVERFLOW);
        }
        ids.resize(count, 0);
    }
}

/// The names of map types by their numbers (`enum bpf_map_type`), as bpftool has them.
const KINDS: [Option<&str>; 34] = [
    None,
    Some("hash"),
    Some("array"),
    Some("prog_array"),
    Some("perf_event_array"),
    Some("percpu_hash"),
    Some("percpu_array"),
    Some("stack_trace"),
    Some("cgroup_array"),
    Some("lru_hash"),
    Some("lru_percpu_hash"),
    Some("lpm_trie"),
    Some("array_of_maps"),
    Some("hash_of_maps"),
    Some("devmap"),
    Some("sockmap"),
    Some("cpumap"),
    Some("xskmap"),
    Some("sockhash"),
    Some("cgroup_storage"),
    Some("reuseport_sockarray"),
    Some("percpu_cgroup_storage"),
    Some("queue"),
    Some("stack"),
    Some("sk_storage"),
    Some("devmap_hash"),
    Some("struct_ops"),
    Some("ringbuf"),
    Some("inode_storage"),
    Some("task_storage"),
    Some("bloom_filter"),
    Some("user_ringbuf"),
    Some("cgrp_storage"),
    Some("arena"),
];

/// What the kernel reports about a map, from [`Program::maps`](super::Program::maps).
///
/// ```
/// use xsk::bpf::{XskMap, redirect};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of MapInfo") { return Ok(()); }
/// let program = redirect(&XskMap::create("xsks_map", 4)?)?;
/// let maps = program.maps()?;
/// assert_eq!((maps[0].name.as_str(), maps[0].kind, maps[0].entries), ("xsks_map", 17, 4));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "bpf_map_info")]
#[non_exhaustive]
pub struct MapInfo {
    /// The kernel's number for it.
    pub id: u32,
    /// The name given when it was made.
    pub name: String,
    /// The map type (`enum bpf_map_type`): 17 is XSKMAP.
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// The most entries that it takes.
    pub entries: u32,
    /// The flags that it was made with ([`BPF_F_MMAPABLE`](crate::uapi::bpf::BPF_F_MMAPABLE) and
    /// others).
    pub flags: u32,
}

impl MapInfo {
    /// Returns the name of the map's type, as `bpftool map` has it; `None` for a type that came after
    /// 6.18.
    ///
    /// ```
    /// # fn f(map: &xsk::bpf::MapInfo) {
    /// println!("map {}: {}", map.id, map.kind_name().unwrap_or("unknown")); // Such as "xskmap".
    /// # }
    /// ```
    #[must_use]
    pub fn kind_name(&self) -> Option<&'static str> {
        KINDS.get(usize32(self.kind)).copied().flatten()
    }

    /// Opens the map with the number `id` and asks the kernel about it.
    pub(super) fn open(id: u32) -> Result<(OwnedFd, Self)> {
        let fd = pin::open_map(id)?;
        let info = Self::read(fd.as_fd()).map_err(pin::failed(BpfOp::Info, format!("map {id}")))?;
        Ok((fd, info))
    }

    /// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a map.
    pub(super) fn read(map: BorrowedFd<'_>) -> Result<Self, Errno> {
        let info = sys::bpf::map_info(map)?;
        Ok(Self {
            id: info.id,
            name: sys::bpf::text(&info.name),
            kind: info.r#type,
            key_size: info.key_size,
            value_size: info.value_size,
            entries: info.max_entries,
            flags: info.map_flags,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::KINDS;
    use crate::error::MapKind;

    #[test]
    fn types_of_maps_have_one_name() {
        for kind in [
            MapKind::Array,
            MapKind::PerCpuArray,
            MapKind::Hash,
            MapKind::PerCpuHash,
            MapKind::LruHash,
            MapKind::LpmTrie,
            MapKind::RingBuffer,
            MapKind::DevMap,
            MapKind::XskMap,
        ] {
            let number = usize::try_from(kind.number()).unwrap();
            assert_eq!(KINDS[number], Some(kind.to_string().as_str()));
        }
        assert!(KINDS.iter().skip(1).all(Option::is_some));
    }
}
