//! Ring buffers: records that programs write and user space reads in their order.

use super::raw::{Options, RawMap, Shape, map_object};
use super::record::{Step, step};
use crate::error::{Error, MapKind, MapOp, Result};
use crate::num::usize32;
use crate::sys::bpf::RingMemory;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

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
        let memory = RingMemory::map(&self.raw.fd, self.raw.entries())
            .map_err(self.raw.failed(MapOp::Mmap, None))?;
        let position = memory.consumer();
        Ok(RingReader { map: self.raw.try_clone()?, memory, position, record: Vec::new() })
    }
}

/// Returns whether the kernel has ring buffers: it takes one of a page.
fn is_known() -> bool {
    let page = u32::try_from(rustix::param::page_size()).unwrap_or_default();
    RawMap::create(RingBuffer::SHAPE, Options::new("", page)).is_ok()
}

/// Reads the records of a [ring buffer](RingBuffer), from [`RingBuffer::reader`]. It keeps the ring
/// buffer alive.
///
/// [`AsFd`] gives the descriptor that becomes readable when there is a record: to be waited for
/// together with sockets by [`wait`](crate::socket::wait()), for instance.
///
/// ```no_run
/// # fn f(events: &xsk::bpf::RingBuffer) -> xsk::Result<()> {
/// let mut reader = events.reader()?;
/// loop {
///     reader.wait(None)?;
///     reader.read_all(|record| println!("{} bytes: {record:02x?}", record.len()))?;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct RingReader {
    map: RawMap,
    memory: RingMemory,
    position: u64,
    record: Vec<u8>,
}

impl RingReader {
    /// Returns the next record, or `None` if there is none, or the next one is not finished: a
    /// program has reserved it, and still writes. Its room is free from this call on.
    ///
    /// # Errors
    /// [`Error::RingBuffer`] if what is in the ring contradicts its size, or something else has read
    /// from it since: this reader cannot go on, a new one begins where the other stopped.
    pub fn read(&mut self) -> Result<Option<&[u8]>> {
        loop {
            let consumer = self.memory.consumer();
            let available = self.memory.available(self.position);
            if consumer != self.position || available > u64::from(self.map.entries()) {
                return Err(self.fault(available, None));
            }
            if available == 0 {
                return Ok(None);
            }
            let header = self.memory.header(self.position);
            match step(header, available) {
                Step::Busy => return Ok(None),
                Step::Skip { whole } => self.release(whole),
                Step::Bad { len } => return Err(self.fault(available, Some(len))),
                Step::Record { len, whole } => {
                    self.record.resize(usize32(len), 0);
                    if !self.memory.copy(self.position, &mut self.record) {
                        return Err(self.fault(available, Some(len)));
                    }
                    self.release(whole);
                    return Ok(Some(&self.record));
                }
            }
        }
    }

    /// Calls `f` with each record that is there, until there is none or the next one is not finished.
    /// Returns how many there were.
    ///
    /// It also gives those that come meanwhile, but not more than the ring has room for in one round,
    /// so that it returns even if programs write faster than `f` reads.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_all(&mut self, mut f: impl FnMut(&[u8])) -> Result<usize> {
        let end = self.position.saturating_add(self.map.entries().into());
        let mut count = 0_usize;
        while self.position < end {
            let Some(record) = self.read()? else { break };
            f(record);
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// Sleeps until there is a record, or `timeout` is over (`None`: for ever); returns whether there
    /// is one. It also returns `false` after a signal, and `true` for a record that is not finished.
    ///
    /// The kernel wakes a sleeper when a record is finished that the reader has come to: read until
    /// there is none before.
    ///
    /// # Errors
    /// [`Error::MapEntry`].
    #[doc(alias = "poll")]
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        const LONGEST: Timespec = Timespec { tv_sec: 0x7fff_ffff, tv_nsec: 0 };
        let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap_or(LONGEST));
        let mut fds = [PollFd::from_borrowed_fd(self.map.as_fd(), PollFlags::IN)];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => Ok(ready != 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(self.map.failed(MapOp::Wait, None)(errno)),
        }
    }

    fn release(&mut self, bytes: u64) {
        self.position = self.position.wrapping_add(bytes);
        self.memory.set_consumer(self.position);
    }

    fn fault(&self, available: u64, record: Option<u32>) -> Error {
        Error::RingBuffer {
            name: self.map.name().to_owned(),
            bytes: self.map.entries(),
            position: self.position,
            available,
            record,
        }
    }
}

impl AsFd for RingReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}
