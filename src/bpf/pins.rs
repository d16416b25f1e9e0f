//! Which objects are pinned in BPF file systems, and where.

use super::pin;
use std::ffi::OsString;
use std::fs::{read, read_dir, read_to_string, symlink_metadata};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The file systems that this process sees.
const MOUNTS: &str = "/proc/thread-self/mountinfo";
/// More levels of directories than anyone makes.
const LEVELS: u32 = 64;

/// A file of a BPF file system, from [`Pins::find`].
///
/// ```
/// for pin in &xsk::bpf::Pins::find().found {
///     println!("{}: {:?}", pin.path.display(), pin.object);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pin {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub object: PinnedObject,
}

/// What a pin holds, with the kernel's number for it.
///
/// ```
/// use xsk::bpf::PinnedObject;
/// assert_ne!(PinnedObject::Program(7), PinnedObject::Link(7));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PinnedObject {
    /// A program.
    Program(u32),
    /// A map.
    Map(u32),
    /// A link.
    Link(u32),
}

/// The pins of all BPF file systems that this process sees: those of its mount namespace.
///
/// ```
/// use xsk::bpf::{PinnedObject, Pins};
///
/// let pins = Pins::find();
/// let paths: Vec<_> = pins.of(PinnedObject::Link(7)).collect();
/// if paths.is_empty() && !pins.is_complete {
///     println!("some pins cannot be read");
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pins {
    /// Those that were found, in the order of the directories.
    pub found: Vec<Pin>,
    /// Whether there are no more: no file and no directory that this process may not open.
    pub is_complete: bool,
}

impl Pins {
    /// Opens all files of all BPF file systems for a moment. What this process may not read is left
    /// out: [`is_complete`](Self::is_complete).
    #[must_use]
    #[doc(alias = "BPF_OBJ_GET")]
    pub fn find() -> Self {
        let mut pins = Self { found: Vec::new(), is_complete: true };
        match read(MOUNTS) {
            Ok(mounts) => {
                for mount in bpf_mounts(&mounts) {
                    pins.look_into(&mount, LEVELS);
                }
            }
            Err(_) => pins.is_complete = false,
        }
        // A file system that is mounted twice at one place.
        pins.found.sort_by(|one, other| one.path.cmp(&other.path));
        pins.found.dedup();
        pins
    }

    /// Returns where an object is pinned.
    pub fn of(&self, object: PinnedObject) -> impl Iterator<Item = &Path> {
        let found = self.found.iter().filter(move |pin| pin.object == object);
        found.map(|pin| pin.path.as_path())
    }

    fn look_into(&mut self, directory: &Path, levels: u32) {
        let (Ok(entries), Some(levels)) = (read_dir(directory), levels.checked_sub(1)) else {
            // One that was removed meanwhile is none that is missing; so for files.
            self.is_complete &= !directory.exists();
            return;
        };
        for entry in entries {
            let Ok(entry) = entry else {
                self.is_complete = false;
                continue;
            };
            let path = entry.path();
            // Symbolic links lead to what is found anyway.
            match symlink_metadata(&path).map(|data| data.file_type()) {
                Ok(kind) if kind.is_dir() => self.look_into(&path, levels),
                Ok(kind) if kind.is_file() => match object(&path) {
                    Some(object) => self.found.push(Pin { path, object }),
                    None => self.is_complete &= is_of_kernel(&path) || !path.exists(),
                },
                _ => {}
            }
        }
    }
}

/// Returns whether a file is one of the kernel's own, such as `maps.debug`: there is no full stop in
/// the name of a pin (`bpf_lookup`, kernel/bpf/inode.c).
fn is_of_kernel(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().contains(&b'.'))
}

/// Returns what is pinned at `path`, by what the kernel reports about its descriptor.
fn object(path: &Path) -> Option<PinnedObject> {
    let fd = pin::open(path).ok()?;
    let info =
        read_to_string(format!("/proc/thread-self/fdinfo/{}", fd.as_fd().as_raw_fd())).ok()?;
    of_fdinfo(&info)
}

/// Reads the text of a descriptor. That of a link has the id of its program, too.
fn of_fdinfo(text: &str) -> Option<PinnedObject> {
    let id = |key| {
        let value = text.lines().find_map(|line| line.strip_prefix(key))?;
        value.trim().parse::<u32>().ok()
    };
    None.or_else(|| id("link_id:").map(PinnedObject::Link))
        .or_else(|| id("map_id:").map(PinnedObject::Map))
        .or_else(|| id("prog_id:").map(PinnedObject::Program))
}

/// Returns where BPF file systems are mounted. A path has any bytes: it need not be text.
fn bpf_mounts(text: &[u8]) -> impl Iterator<Item = PathBuf> + '_ {
    text.split(|byte| *byte == b'\n').filter_map(bpf_mount)
}

/// Returns where a BPF file system is mounted; `None` for the line of another file system.
fn bpf_mount(line: &[u8]) -> Option<PathBuf> {
    let mut fields = line.split(|byte| *byte == b' ');
    let place = fields.nth(4)?;
    // Behind the options and optional fields.
    fields.find(|field| *field == b"-")?;
    (fields.next() == Some(b"bpf")).then(|| PathBuf::from(unescaped(place)))
}

/// Returns a path in which the kernel has written some bytes as three octal digits.
fn unescaped(text: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let number = behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        bytes.push(number.unwrap_or(*first));
        rest = behind.get(if number.is_some() { 3.. } else { 0.. }).unwrap_or_default();
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn mounts_of_bpf_file_systems_are_found() {
        let one = "36 35 0:32 / /sys/fs/bpf rw,nosuid shared:9 - bpf bpf rw,mode=700";
        assert_eq!(bpf_mount(one.as_bytes()), Some("/sys/fs/bpf".into()));
        let odd = r"36 35 0:32 /a /tmp/a\040b\134\011c rw - bpf none rw";
        assert_eq!(bpf_mount(odd.as_bytes()), Some("/tmp/a b\\\tc".into()));
        for other in ["", "36 35 0:32 / /sys rw - sysfs bpf rw", "36 35 - bpf bpf rw"] {
            assert_eq!(bpf_mount(other.as_bytes()), None, "{other}");
        }
        assert_eq!(unescaped(br"\0\9\\777\04"), OsString::from(r"\0\9\\777\04"));
    }

    #[test]
    fn a_mount_of_any_bytes_hides_no_other() {
        let text = b"1 0 0:9 / /home/\xff rw - fuse f rw\n2 0 0:8 / /bpf\xfe rw - bpf b rw\n";
        let found: Vec<_> = bpf_mounts(text).collect();
        assert_eq!(found, [PathBuf::from(OsStr::from_bytes(b"/bpf\xfe"))]);
    }

    #[test]
    fn a_link_is_no_program_although_it_names_one() {
        let link = "pos:\t0\nlink_type:\txdp\nlink_id:\t7\nprog_tag:\tab\nprog_id:\t9\n";
        assert_eq!(of_fdinfo(link), Some(PinnedObject::Link(7)));
        assert_eq!(of_fdinfo("prog_type:\t6\nprog_id:\t9\n"), Some(PinnedObject::Program(9)));
        assert_eq!(
            of_fdinfo("map_type:\t2\nmap_id:\t4294967295\n"),
            Some(PinnedObject::Map(u32::MAX))
        );
        for other in ["", "pos:\t0\n", "prog_id:\tx\n", "prog_id:\t4294967296\n"] {
            assert_eq!(of_fdinfo(other), None, "{other}");
        }
    }
}
