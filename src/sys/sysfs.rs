//! Attributes of network devices that only `/sys/class/net` has.
//!
//! What is there belongs to the network namespace in which the file system was mounted, which need
//! not be that of the calling thread: the caller has to compare.

use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Reads an attribute of the device `name`, without its line break.
pub(crate) fn read(name: &OsStr, attribute: &str) -> Result<String, Errno> {
    let text = std::fs::read_to_string(path(name, attribute)).map_err(|error| errno(&error))?;
    Ok(text.trim_end().to_owned())
}

/// Reads an attribute that is a number.
pub(crate) fn read_number(name: &OsStr, attribute: &str) -> Result<u64, Errno> {
    read(name, attribute)?.parse().map_err(|_| Errno::BADMSG)
}

/// Writes an attribute that is a number.
pub(crate) fn write_number(name: &OsStr, attribute: &str, value: u64) -> Result<(), Errno> {
    // It is there, or the kernel has no such attribute: nothing is created.
    std::fs::OpenOptions::new()
        .write(true)
        .open(path(name, attribute))
        .and_then(|mut file| std::io::Write::write_all(&mut file, value.to_string().as_bytes()))
        .map_err(|error| errno(&error))
}

fn path(name: &OsStr, attribute: &str) -> PathBuf {
    Path::new("/sys/class/net").join(name).join(attribute)
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
