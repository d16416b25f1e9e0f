//! Maps: creating, reading and writing their elements one by one and many at once.

use super::call::{address, bpf, number, owned};
use super::object::{Name, by_id, obj_info};
use crate::num::usize32;
use crate::sys::cpu;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use xsk_uapi::bpf::{
    BPF_F_NUMA_NODE, BPF_MAP_CREATE, BPF_MAP_DELETE_BATCH, BPF_MAP_DELETE_ELEM, BPF_MAP_FREEZE,
    BPF_MAP_GET_FD_BY_ID, BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_BATCH, BPF_MAP_LOOKUP_ELEM,
    BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
    BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_UPDATE_BATCH, BPF_MAP_UPDATE_ELEM, bpf_attr_map_batch,
    bpf_attr_map_create, bpf_attr_map_elem, bpf_map_info,
};
use zerocopy::FromZeros;

/// The bytes of a hash map's place in a batch; other maps have a key there.
const HASH_PLACE: usize = 4;

/// What is to be created.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapSpec {
    pub(crate) kind: u32,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) entries: u32,
    pub(crate) flags: u32,
    pub(crate) numa_node: Option<u32>,
    pub(crate) name: Name,
}

/// A BPF map, and how many bytes the kernel copies for a key and for a value of it. Creating one or
/// asking the kernel is the only way to get one, so the element functions know how much the kernel
/// reads and writes.
///
/// Invariant: the kernel copies `key_len` bytes for a key, and at most `value_len` for a value. A
/// map's type and sizes never change; if the descriptor is of something else, the kernel refuses
/// the commands for elements.
#[derive(Debug)]
pub(crate) struct MapFd {
    fd: OwnedFd,
    key_len: usize,
    value_len: usize,
}

impl AsFd for MapFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The place that a batch of reads has come to.
#[derive(Debug, Default)]
pub(crate) struct Place {
    bytes: Vec<u8>,
    started: bool,
}

/// Returns how many bytes the kernel copies for a value at the most: `bpf_map_value_size` of
/// kernel/bpf/syscall.c. Those of per-CPU maps have eight bytes, or a multiple, for each possible
/// CPU.
fn value_len(kind: u32, value_size: u32) -> Result<usize, Errno> {
    match kind {
        BPF_MAP_TYPE_PERCPU_HASH
        | BPF_MAP_TYPE_PERCPU_ARRAY
        | BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE
        | BPF_MAP_TYPE_LRU_PERCPU_HASH => usize32(value_size)
            .checked_next_multiple_of(8)
            .and_then(|stride| stride.checked_mul(cpu::bound().ok()?))
            .ok_or(Errno::OVERFLOW),
        _ => Ok(usize32(value_size)),
    }
}

/// `bpf(BPF_MAP_CREATE)`
pub(crate) fn map_create(spec: &MapSpec) -> Result<MapFd, Errno> {
    let value_len = value_len(spec.kind, spec.value_size)?;
    let mut attr = bpf_attr_map_create::new_zeroed();
    attr.map_type = spec.kind;
    attr.key_size = spec.key_size;
    attr.value_size = spec.value_size;
    attr.max_entries = spec.entries;
    attr.map_flags = spec.flags;
    attr.map_name = spec.name;
    if let Some(node) = spec.numa_node {
        attr.map_flags |= BPF_F_NUMA_NODE;
        attr.numa_node = node;
    }
    // SAFETY: the attribute holds no pointer; the call makes a descriptor that has no other owner.
    let fd = owned(unsafe { bpf(BPF_MAP_CREATE, &mut attr) }?)?;
    Ok(MapFd { fd, key_len: usize32(spec.key_size), value_len })
}

impl MapFd {
    /// Takes a descriptor of a map, and returns what the kernel reports about it.
    pub(crate) fn open(fd: OwnedFd) -> Result<(Self, bpf_map_info), Errno> {
        let info = map_info(fd.as_fd())?;
        let value_len = value_len(info.r#type, info.value_size)?;
        Ok((Self { fd, key_len: usize32(info.key_size), value_len }, info))
    }

    /// `fcntl(F_DUPFD_CLOEXEC)`: the same map.
    pub(crate) fn duplicate(&self) -> Result<Self, Errno> {
        let fd = fcntl_dupfd_cloexec(&self.fd, 0)?;
        Ok(Self { fd, key_len: self.key_len, value_len: self.value_len })
    }

    /// The bytes of a key.
    pub(crate) fn key_len(&self) -> usize {
        self.key_len
    }

    /// The bytes that a buffer for one value has.
    pub(crate) fn value_len(&self) -> usize {
        self.value_len
    }

    /// Refuses a key of another length than the map's.
    fn key(&self, key: &[u8]) -> Result<u64, Errno> {
        if key.len() == self.key_len { Ok(address(key.as_ptr())) } else { Err(Errno::INVAL) }
    }

    /// Refuses a value of another length than the map's.
    fn has_value_len(&self, value: &[u8]) -> Result<(), Errno> {
        if value.len() == self.value_len { Ok(()) } else { Err(Errno::INVAL) }
    }

    fn element(&self) -> bpf_attr_map_elem {
        let mut attr = bpf_attr_map_elem::new_zeroed();
        attr.map_fd = number(self.fd.as_fd());
        attr
    }

    /// `bpf(BPF_MAP_FREEZE)` (5.2): refuses all writes through the system call from then on.
    pub(crate) fn freeze(&self) -> Result<(), Errno> {
        let mut attr = self.element();
        // SAFETY: the pointers in the attribute are null; the kernel reads the descriptor only.
        unsafe { bpf(BPF_MAP_FREEZE, &mut attr) }.map(drop)
    }

    /// `bpf(BPF_MAP_LOOKUP_ELEM)`
    pub(crate) fn lookup(&self, key: &[u8], value: &mut [u8]) -> Result<(), Errno> {
        self.has_value_len(value)?;
        let mut attr = self.element();
        attr.key = self.key(key)?;
        attr.value = address(value.as_mut_ptr());
        // SAFETY: the kernel reads `key_len` bytes at `key` and writes at most `value_len` at
        // `value`, by `MapFd`'s invariant: the lengths, just checked, of slices that are borrowed
        // until after the call.
        unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &mut attr) }.map(drop)
    }

    /// `bpf(BPF_MAP_UPDATE_ELEM)`
    pub(crate) fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.has_value_len(value)?;
        let mut attr = self.element();
        attr.key = self.key(key)?;
        attr.value = address(value.as_ptr());
        attr.flags = flags;
        // SAFETY: the kernel reads `key_len` bytes at `key` and at most `value_len` at `value`, by
        // `MapFd`'s invariant: the lengths, just checked, of slices that are borrowed until after
        // the call.
        unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.map(drop)
    }

    /// `bpf(BPF_MAP_UPDATE_ELEM)` of a map whose values are descriptors.
    pub(crate) fn update_fd(
        &self,
        key: u32,
        value: BorrowedFd<'_>,
        flags: u64,
    ) -> Result<(), Errno> {
        self.update(&key.to_ne_bytes(), &number(value).to_ne_bytes(), flags)
    }

    /// `bpf(BPF_MAP_DELETE_ELEM)`
    pub(crate) fn delete(&self, key: &[u8]) -> Result<(), Errno> {
        let mut attr = self.element();
        attr.key = self.key(key)?;
        // SAFETY: the kernel reads `key_len` bytes at `key`, by `MapFd`'s invariant: the length, just
        // checked, of a slice that is borrowed until after the call.
        unsafe { bpf(BPF_MAP_DELETE_ELEM, &mut attr) }.map(drop)
    }

    /// `bpf(BPF_MAP_GET_NEXT_KEY)`: the key after `key`, or the first one, into `next`; returns
    /// whether there is one.
    pub(crate) fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<bool, Errno> {
        self.key(next)?;
        let mut attr = self.element();
        if let Some(key) = key {
            attr.key = self.key(key)?;
        }
        attr.value = address(next.as_mut_ptr());
        // SAFETY: the kernel reads `key_len` bytes at `key` unless that is null, and writes as many
        // at `value`, by `MapFd`'s invariant: the lengths, just checked, of slices that are borrowed
        // until after the call.
        match unsafe { bpf(BPF_MAP_GET_NEXT_KEY, &mut attr) } {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Returns how many elements the slices have room for, or refuses them.
    fn count(&self, keys: &[u8], values: Option<&[u8]>) -> Result<u32, Errno> {
        let count = keys.len().checked_div(self.key_len).ok_or(Errno::INVAL)?;
        let fits = count.checked_mul(self.key_len) == Some(keys.len())
            && values.is_none_or(|values| count.checked_mul(self.value_len) == Some(values.len()));
        u32::try_from(count).ok().filter(|_| fits).ok_or(Errno::INVAL)
    }

    fn batch(&self, count: u32) -> bpf_attr_map_batch {
        let mut attr = bpf_attr_map_batch::new_zeroed();
        attr.map_fd = number(self.fd.as_fd());
        attr.count = count;
        attr
    }

    /// `bpf(BPF_MAP_LOOKUP_BATCH)` (5.6): the elements from `place` on, as far as they fit. Returns
    /// how many there are, and whether more may follow. `ENOSPC` if not even the elements of one
    /// bucket fit.
    ///
    /// The values come one right after another: those of a per-CPU map have as many bytes as there
    /// are CPUs for, which may be fewer than `value_len`.
    pub(crate) fn lookup_batch(
        &self,
        place: &mut Place,
        keys: &mut [u8],
        values: &mut [u8],
    ) -> Result<(u32, bool), Errno> {
        let mut attr = self.batch(self.count(keys, Some(values))?);
        place.bytes.resize(self.key_len.max(HASH_PLACE), 0);
        let at = address(place.bytes.as_mut_ptr());
        if place.started {
            attr.in_batch = at;
        }
        attr.out_batch = at;
        attr.keys = address(keys.as_mut_ptr());
        attr.values = address(values.as_mut_ptr());
        // SAFETY: at `keys` and `values` the kernel writes `count` of each at most, by `MapFd`'s
        // invariant: the slices, exclusively borrowed, are that long (just checked). A place in the
        // map is a bucket's number, four bytes, or a key: the vector has room for the longer.
        let result = unsafe { bpf(BPF_MAP_LOOKUP_BATCH, &mut attr) };
        match result {
            Ok(_) => {
                place.started = true;
                Ok((attr.count, true))
            }
            Err(Errno::NOENT) => Ok((attr.count, false)),
            Err(errno) => Err(errno),
        }
    }

    /// `bpf(BPF_MAP_UPDATE_BATCH)` (5.6). Returns how many elements were written, and why no more.
    ///
    /// Not for per-CPU maps, whose values the kernel expects right after one another.
    pub(crate) fn update_batch(
        &self,
        keys: &[u8],
        values: &[u8],
        flags: u64,
    ) -> (u32, Result<(), Errno>) {
        let count = match self.count(keys, Some(values)) {
            Ok(count) => count,
            Err(errno) => return (0, Err(errno)),
        };
        let mut attr = self.batch(count);
        attr.keys = address(keys.as_ptr());
        attr.values = address(values.as_ptr());
        attr.elem_flags = flags;
        // SAFETY: the kernel reads at most `count` times `key_len` bytes at `keys` and `count` times
        // `value_len` at `values`, by `MapFd`'s invariant: the lengths, just checked, of slices that
        // are borrowed until after the call.
        let result = unsafe { bpf(BPF_MAP_UPDATE_BATCH, &mut attr) };
        done(result, &attr, count)
    }

    /// `bpf(BPF_MAP_DELETE_BATCH)` (5.6). Returns how many elements were removed, and why no more.
    pub(crate) fn delete_batch(&self, keys: &[u8]) -> (u32, Result<(), Errno>) {
        let count = match self.count(keys, None) {
            Ok(count) => count,
            Err(errno) => return (0, Err(errno)),
        };
        let mut attr = self.batch(count);
        attr.keys = address(keys.as_ptr());
        // SAFETY: the kernel reads at most `count` times `key_len` bytes at `keys`, by `MapFd`'s
        // invariant: the length, just checked, of a slice that is borrowed until after the call.
        let result = unsafe { bpf(BPF_MAP_DELETE_BATCH, &mut attr) };
        done(result, &attr, count)
    }
}

/// Returns how many elements of a batch were worked on. A kernel that refuses the whole batch leaves
/// its count as it was.
fn done(
    result: Result<usize, Errno>,
    attr: &bpf_attr_map_batch,
    count: u32,
) -> (u32, Result<(), Errno>) {
    match result {
        Ok(_) => (count, Ok(())),
        Err(errno) if attr.count < count => (attr.count, Err(errno)),
        Err(errno) => (0, Err(errno)),
    }
}

/// `bpf(BPF_MAP_GET_FD_BY_ID)`: needs `CAP_SYS_ADMIN`.
pub(crate) fn map_by_id(id: u32) -> Result<OwnedFd, Errno> {
    by_id(BPF_MAP_GET_FD_BY_ID, id)
}

/// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a map.
pub(crate) fn map_info(fd: BorrowedFd<'_>) -> Result<bpf_map_info, Errno> {
    let mut info = bpf_map_info::new_zeroed();
    // SAFETY: the info is zero: whatever `fd` is, it holds no pointer and no count.
    unsafe { obj_info(fd, &mut info) }?;
    Ok(info)
}
