//! A link and the map of its program, pinned in a BPF file system for the next process.

use super::bpf_link::Link;
use super::lock::{Lock, LockSocket, Mark, MarkKind};
use crate::bpf::pin::{open, pin};
use crate::bpf::{Program, XskMap};
use crate::error::{BpfOp, Error, Result};
use crate::interface::Interface;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::remove_file;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

/// What follows the path of the link in that of the map.
const OF_MAP: &str = "-map";

/// The absolute paths of a pinned link and of the map of its program.
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
    /// Takes a path; a relative one is one of the directory that the process is in now, because it
    /// may be in another one when the pins are removed.
    pub(super) fn new(link: &Path) -> Result<Self> {
        // An empty path has no number: the kernel's is ENOENT.
        let failed = |error| Error::BpfObject {
            operation: BpfOp::Get,
            object: link.display().to_string(),
            errno: Errno::from_io_error(&error).unwrap_or(Errno::NOENT),
        };
        let link = absolute(link).map_err(failed)?;
        let mut map = OsString::from(&link);
        map.push(OF_MAP);
        Ok(Self { link, map: map.into() })
    }

    /// Opens the link that is pinned, if there is one.
    pub(super) fn link(&self) -> Result<Option<Link>> {
        let Some(fd) = unless_missing(open(&self.link))? else {
            return Ok(None);
        };
        Link::check(fd, || self.link.display().to_string()).map(Some)
    }

    /// Opens the map that is pinned, if there is one.
    pub(super) fn map(&self) -> Result<Option<XskMap>> {
        unless_missing(XskMap::from_pin(&self.map))
    }

    /// Opens the map beside a link that is pinned.
    pub(super) fn map_of_link(&self) -> Result<XskMap> {
        XskMap::from_pin(&self.map)
    }

    /// Pins a map, where no link is pinned: before the link, so that where that is, its map is.
    /// What is pinned there stays: it may be of another user, and `EEXIST` is returned.
    pub(super) fn pin_map(&self, map: &XskMap) -> Result<()> {
        map.pin(&self.map)
    }

    /// Removes the pin of the map with this id. What another process has pinned there since, under
    /// the lock of another interface, stays.
    pub(super) fn unpin_map(&self, map: u32) -> Result<()> {
        match self.map() {
            Ok(Some(pinned)) if pinned.id() == map => remove(&self.map),
            Ok(_) | Err(Error::WrongObject { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the pins of a link and its map, as far as they are still theirs: the paths may be
    /// those of another interface's link since.
    pub(super) fn unpin(&self, link: u32, map: u32) -> Result<()> {
        match self.link()? {
            Some(pinned) if link_id(&pinned)? == link => remove(&self.link)?,
            _ => return Ok(()),
        }
        self.unpin_map(map)
    }

    /// Removes the pin of a link that is on no interface any more, and that of the map beside it if
    /// the link's program uses that map.
    ///
    /// Which maps that program uses takes `CAP_SYS_ADMIN` to know. Without it the map is taken for the
    /// link's, so that a restart needs no help.
    pub(super) fn unpin_detached(&self, link: &Link) -> Result<()> {
        match self.link()? {
            Some(pinned) if link_id(&pinned)? == link_id(link)? => remove(&self.link)?,
            _ => return Ok(()),
        }
        match self.map() {
            Ok(Some(map)) if maps_of(link).is_none_or(|maps| maps.contains(&map.id())) => {
                remove(&self.map)
            }
            Ok(_) | Err(Error::WrongObject { .. }) => Ok(()),
            Err(error) => Err(error),
        }
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
        path.unpin(id, map.id())
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

/// Returns the ids of the maps that the link's program uses, if they can be known.
fn maps_of(link: &Link) -> Option<Vec<u32>> {
    let program = Program::from_id(link.program_id().ok()?).ok()?;
    Some(program.info().ok()?.map_ids)
}

fn unless_missing<T>(opened: Result<T>) -> Result<Option<T>> {
    match opened {
        Err(Error::BpfObject { operation: BpfOp::Get, errno: Errno::NOENT, .. }) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_one_of_the_directory_of_the_moment() {
        let path = PinPath::new(Path::new("some/pin")).unwrap();
        let directory = std::env::current_dir().unwrap();
        assert_eq!(path.link, directory.join("some/pin"));
        assert_eq!(path.map, directory.join("some/pin-map"));
        let absolute = PinPath::new(Path::new("/sys/fs/bpf/eth1")).unwrap();
        assert_eq!(absolute.link, Path::new("/sys/fs/bpf/eth1"));
        let empty = PinPath::new(Path::new("")).unwrap_err();
        assert_eq!(empty.errno(), Some(Errno::NOENT));
    }
}
