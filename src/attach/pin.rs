//! A link and the map of its program, pinned in a BPF file system for the next process.

use super::bpf_link::Link;
use super::lock::{Lock, LockSocket, Mark, MarkKind};
use crate::bpf::pin::{open, pin};
use crate::bpf::{Program, XskMap};
use crate::error::{BpfOp, Error, ObjectKind, Result};
use crate::interface::Interface;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::remove_file;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What follows the path of the link in that of the map.
const OF_MAP: &str = "-map";

/// The paths of a pinned link and of the map of its program.
#[derive(Debug, Clone)]
pub(super) struct PinPath {
    link: PathBuf,
    map: PathBuf,
}

/// This user's share in a pinned link.
#[derive(Debug)]
pub(super) struct Pinned {
    path: PinPath,
    mark: Mark,
    lock: LockSocket,
}

impl PinPath {
    pub(super) fn new(link: &Path) -> Self {
        let mut map = OsString::from(link);
        map.push(OF_MAP);
        Self { link: link.to_owned(), map: map.into() }
    }

    /// Opens the link that is pinned, if there is one.
    pub(super) fn link(&self) -> Result<Option<Link>> {
        let Some(fd) = unless_missing(open(&self.link))? else {
            return Ok(None);
        };
        let object = || self.link.display().to_string();
        let checked = Link::check(fd).map_err(|errno| {
            let operation = BpfOp::Info;
            Error::BpfObject { operation, object: object(), errno }
        })?;
        let wrong = || Error::WrongObject { object: object(), wanted: ObjectKind::XdpLink };
        checked.map(Some).ok_or_else(wrong)
    }

    /// Opens the map that is pinned, if there is one.
    pub(super) fn map(&self) -> Result<Option<XskMap>> {
        unless_missing(XskMap::from_pin(&self.map))
    }

    /// Opens the map beside a link that is pinned.
    pub(super) fn map_of_link(&self) -> Result<XskMap> {
        XskMap::from_pin(&self.map)
    }

    /// Pins a map, where no link is pinned: before the link, so that where that is, its map is. What
    /// is pinned there stays: it may be of another user, and `EEXIST` is returned.
    pub(super) fn pin_map(&self, map: &XskMap) -> Result<()> {
        map.pin(&self.map)
    }

    /// Removes the pin of a map that [`pin_map`](Self::pin_map) made, and whose link could not be
    /// pinned.
    pub(super) fn unpin_map(&self) {
        // Else it is in the way of the next process, which names it.
        let _ = remove(&self.map);
    }

    /// Removes both pins.
    pub(super) fn remove(&self) -> Result<()> {
        remove(&self.link)?;
        remove(&self.map)
    }
}

impl Pinned {
    /// Pins a link whose map is pinned.
    pub(super) fn create(path: PinPath, lock: &Lock, link: &Link) -> Result<Self> {
        let pinned = Self::join(path, lock, link)?;
        pin(link.as_fd(), &pinned.path.link)?;
        Ok(pinned)
    }

    /// Becomes one more user of a link that is pinned.
    pub(super) fn join(path: PinPath, lock: &Lock, link: &Link) -> Result<Self> {
        let mark = lock.mark(MarkKind::Pin, link_id(link)?)?;
        Ok(Self { path, mark, lock: LockSocket::new()? })
    }

    /// Gives up this share; the last user removes the pins, as far as they are of this link
    /// and its map.
    pub(super) fn release(
        self,
        interface: &Interface,
        link: &Link,
        program: &Program,
        map: &XskMap,
        timeout: Duration,
    ) -> Result<()> {
        let Self { path, mark, lock } = self;
        let lock = lock.acquire(interface.index(), timeout)?;
        drop(mark);
        let id = link_id(link)?;
        if lock.is_marked(MarkKind::Pin, id, Some(program.info()?.created_by))? {
            return Ok(());
        }
        match path.link()? {
            Some(pinned) if link_id(&pinned)? == id => remove(&path.link)?,
            _ => return Ok(()),
        }
        match path.map()? {
            Some(pinned) if pinned.id() == map.id() => remove(&path.map),
            _ => Ok(()),
        }
    }
}

/// Removes a pin, unless it is not there.
fn remove(path: &Path) -> Result<()> {
    match remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::BpfObject {
            operation: BpfOp::Unpin,
            object: path.display().to_string(),
            errno: Errno::from_io_error(&error).unwrap_or(Errno::IO),
        }),
        _ => Ok(()),
    }
}

fn link_id(link: &Link) -> Result<u32> {
    link.id().ok_or_else(|| Error::BpfObject {
        operation: BpfOp::Info,
        object: "the link".to_owned(),
        errno: Errno::BADF,
    })
}

fn unless_missing<T>(opened: Result<T>) -> Result<Option<T>> {
    match opened {
        Err(Error::BpfObject { operation: BpfOp::Get, errno: Errno::NOENT, .. }) => Ok(None),
        other => other.map(Some),
    }
}
