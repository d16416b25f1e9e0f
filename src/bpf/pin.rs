//! What programs and maps have in common: errors, opening by id, pins.

use crate::error::{BpfOp, Error, Result};
use crate::sys;
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Makes the error of an operation on one object.
pub(super) fn failed(operation: BpfOp, object: impl Into<String>) -> impl FnOnce(Errno) -> Error {
    let object = object.into();
    move |errno| Error::BpfObject { operation, object, errno }
}

/// `bpf(BPF_OBJ_GET)`
pub(crate) fn open(path: &Path) -> Result<OwnedFd> {
    c_path(path)
        .and_then(|path| sys::bpf::obj_get(&path))
        .map_err(failed(BpfOp::Get, path.display().to_string()))
}

/// `bpf(BPF_OBJ_PIN)`
pub(crate) fn pin(fd: BorrowedFd<'_>, path: &Path) -> Result<()> {
    c_path(path)
        .and_then(|path| sys::bpf::obj_pin(fd, &path))
        .map_err(failed(BpfOp::Pin, path.display().to_string()))
}

fn c_path(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)
}

/// `bpf(BPF_MAP_GET_FD_BY_ID)`
pub(super) fn open_map(id: u32) -> Result<OwnedFd> {
    sys::bpf::map_by_id(id).map_err(failed(BpfOp::MapById, format!("map {id}")))
}
