//! Ring buffers: records that programs write and user space reads in their order.

use super::object::map_object;
use super::raw::{Options, RawMap, Shape};
use super::ring_reader::RingReader;
use crate::error::{Error, MapKind, Result};
use rustix::io::Errno;
use std::marker::PhantomData;

/// A BPF map into which programs on all CPUs write records, which one reader reads in the order of
/// their writing (5.8).
///
/// When it is full, programs lose records: the helper that writes them (`bpf_ringbuf_output`,
/// `bpf_ringbuf_reserve`) fails.
///
/// ```
/// use std::os::fd::AsFd;
/// use std::time::Duration;
/// use xsk::bpf::{Helper, Insn, Program, Reg, RingBuffer, Size};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of RingBuffer") { return Ok(()); }
/// let events = RingBuffer::create("events", 1 << 16)?;
/// let [low, high] = Insn::load_map_fd(Reg::R1, events.as_fd());
/// let insns = [
///     Insn::store_imm(Size::Double, Reg::R10, -8, 77),
///     low,
///     high,
///     Insn::mov64_reg(Reg::R2, Reg::R10),
///     Insn::alu64_imm(xsk::bpf::Alu::Add, Reg::R2, -8),
///     Insn::mov64_imm(Reg::R3, 8), // eight bytes
///     Insn::mov64_imm(Reg::R4, 0),
///     Insn::call(Helper(130)),     // bpf_ringbuf_output
///     Insn::mov64_imm(Reg::R0, 2),
///     Insn::exit(),
/// ];
/// Program::builder(&insns).license(c"MIT").load()?.test_run(&[0; 64], None)?;
///
/// let mut reader = events.reader()?;
/// assert!(reader.wait(Some(Duration::from_secs(1)))?);
/// assert_eq!(reader.read()?, Some(77_u64.to_ne_bytes().as_slice()));
/// assert_eq!(reader.read()?, None);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "BPF_MAP_TYPE_RINGBUF")]
pub struct RingBuffer {
    raw: RawMap,
    types: PhantomData<()>,
}

map_object!(
    "RingBuffer", [] RingBuffer,
    Shape { kind: MapKind::RingBuffer, key_size: 0, value_size: 0 }
);

impl RingBuffer {
    /// Makes a ring buffer with room for `bytes`: a power of two, and a page at least. A record takes
    /// eight bytes more than it has, and a multiple of eight.
    ///
    /// `name` is what `bpftool map` shows: at most 15 of `A-Za-z0-9_.`. Needs `CAP_BPF`.
    ///
    /// # Errors
    /// [`Error::CreateMap`]; [`Error::NeedsKernel`] before 5.8.
    #[doc(alias = "BPF_MAP_CREATE")]
    pub fn create(name: &str, bytes: u32) -> Result<Self> {
        let made = RawMap::create(Self::SHAPE, Options::new(name, bytes));
        match made {
            Err(Error::CreateMap { errno: Errno::INVAL, .. }) if !is_known() => {
                Err(Error::NeedsKernel { feature: "a ring buffer", version: "5.8" })
            }
            made => made.map(Self::of),
        }
    }

    /// Maps the ring buffer into memory, to read its records from where the last reader stopped.
    ///
    /// There must be one reader at a time, in all processes: of two, each takes records from the
    /// other, and may find ones that are being overwritten. (Nothing worse: a reader looks at no
    /// memory outside the ring, and copies a record before it returns it.)
    ///
    /// # Errors
    /// [`Error::MapEntry`]: `EPERM` if the descriptor is for reading only; [`Error::BpfObject`] if
    /// the process has too many open files.
    pub fn reader(&self) -> Result<RingReader> {
        RingReader::new(&self.raw)
    }
}

/// Returns whether the kernel has ring buffers: it takes one of a page.
fn is_known() -> bool {
    let page = u32::try_from(rustix::param::page_size()).unwrap_or_default();
    RawMap::create(RingBuffer::SHAPE, Options::new("", page)).is_ok()
}
