//! Reading the records of a ring buffer.

use super::raw::RawMap;
use super::record::{Step, step};
use crate::error::{Error, MapOp, Result};
use crate::num::usize32;
use crate::sys::bpf::RingMemory;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Reads the records of a [ring buffer](super::RingBuffer), from `RingBuffer::reader`. It keeps the ring
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
    /// Maps the ring buffer `map`, whose type is known.
    pub(super) fn new(map: &RawMap) -> Result<Self> {
        let memory = RingMemory::map(&map.fd, map.entries());
        let memory = memory.map_err(map.failed(MapOp::Mmap, None))?;
        let position = memory.consumer();
        Ok(Self { map: map.try_clone()?, memory, position, record: Vec::new() })
    }

    /// Returns the next record, or `None` if there is none, or the next one is not finished: a
    /// program has reserved it, and still writes. Its room is free from this call on.
    ///
    /// # Errors
    /// [`Error::RingBuffer`] if what is in the ring contradicts its size, or something else has read
    /// from it since: this reader cannot go on, a new one begins where the other stopped.
    pub fn read(&mut self) -> Result<Option<&[u8]>> {
        loop {
            let available = self.look()?;
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
    /// so that it returns even if programs write faster than `f` reads. With edge-triggered epoll,
    /// call it until it returns 0: otherwise there is no event for what is left.
    ///
    /// Their room becomes free after an eighth of the ring, and at the end. If `f` panics, the
    /// records whose room is not free yet, the one that it was called with among them, are seen
    /// again by the next call.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_all(&mut self, f: impl FnMut(&[u8])) -> Result<usize> {
        let end = self.position.saturating_add(self.map.entries().into());
        self.read_until(end, usize::MAX, f)
    }

    /// Calls `f` with the records that are there, `most` at the most, until there is none or the next
    /// one is not finished. Returns how many there were. If `f` panics, as [`read_all`](Self::read_all).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(in super::super) fn read_each(
        &mut self,
        most: usize,
        f: impl FnMut(&[u8]),
    ) -> Result<usize> {
        self.read_until(u64::MAX, most, f)
    }

    /// Reads records that begin before the position `end`, `most` at the most.
    ///
    /// Their room is given back for an eighth of the ring at once: programs look at the reader's
    /// position for each record, and have to fetch it from another CPU whenever it was written.
    ///
    /// It ends after a look that found nothing, and not at a record that was unfinished before room
    /// was given back: the kernel wakes the reader for a record only if the reader's position is the
    /// record's, and such a record may have been finished before the position came to it.
    fn read_until(&mut self, end: u64, most: usize, mut f: impl FnMut(&[u8])) -> Result<usize> {
        let part = u64::from(self.map.entries()).wrapping_div(8);
        let mut count = 0_usize;
        while count < most {
            let available = self.look()?;
            let until = self.position.saturating_add(available.min(part)).min(end);
            let (mut read, mut bad) = (0_u64, None);
            while count < most && self.position.saturating_add(read) < until {
                let position = self.position.saturating_add(read);
                match step(self.memory.header(position), available.saturating_sub(read)) {
                    Step::Busy => break,
                    Step::Skip { whole } => read = read.saturating_add(whole),
                    Step::Bad { len } => {
                        bad = Some(len);
                        break;
                    }
                    Step::Record { len, whole } => {
                        self.record.resize(usize32(len), 0);
                        if !self.memory.copy(position, &mut self.record) {
                            bad = Some(len);
                            break;
                        }
                        f(&self.record);
                        read = read.saturating_add(whole);
                        count = count.saturating_add(1);
                    }
                }
            }
            if read > 0 {
                self.release(read);
            }
            if bad.is_some() {
                return Err(self.fault(available.saturating_sub(read), bad));
            }
            if read == 0 {
                break;
            }
        }
        Ok(count)
    }

    /// Returns how many bytes the kernel has written since the last record that was read.
    fn look(&self) -> Result<u64> {
        let available = self.memory.available(self.position);
        if self.memory.consumer() != self.position || available > u64::from(self.map.entries()) {
            return Err(self.fault(available, None));
        }
        Ok(available)
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
