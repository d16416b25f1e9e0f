//! The links of the system, as far as they hold XDP programs and programs of their chains.

use crate::sys::bpf as sys;
use rustix::io::Errno;
use std::os::fd::AsFd;
use xsk_uapi::bpf::{BPF_LINK_TYPE_TRACING, BPF_LINK_TYPE_XDP};

/// A link, and the program that it holds somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkRecord {
    pub(crate) id: u32,
    pub(crate) program: u32,
    pub(crate) hold: Hold,
}

/// Where a link holds its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// On the interface of this index, of a network namespace that the kernel does not report.
    Xdp { ifindex: u32 },
    /// In the place of a function, which is a number in the type information of another program.
    Function { of_program: u32, number: u32 },
}

/// Returns the links of programs on interfaces, and of programs that trace or replace functions, in
/// the order of their numbers. `None` without `CAP_SYS_ADMIN`.
///
/// # Errors
/// The kernel's error number: too many open files, no memory.
pub(crate) fn links() -> Result<Option<Vec<LinkRecord>>, Errno> {
    let mut found = Vec::new();
    let mut id = 0;
    loop {
        id = match sys::link_next_id(id) {
            Ok(Some(id)) => id,
            // An unknown command: before 5.8 there are no links.
            Ok(None) | Err(Errno::INVAL) => return Ok(Some(found)),
            Err(Errno::PERM) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let link = match sys::link_by_id(id) {
            Ok(link) => link,
            // Gone meanwhile, or not yet complete.
            Err(Errno::NOENT | Errno::AGAIN) => continue,
            Err(Errno::PERM) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        // A kind of link whose info the kernel refuses is none of these.
        let Ok(info) = sys::link_target(link.as_fd()) else { continue };
        let hold = match info.r#type {
            // The index is where links of functions have the point to attach to.
            BPF_LINK_TYPE_XDP => Hold::Xdp { ifindex: info.attach_type },
            BPF_LINK_TYPE_TRACING => {
                Hold::Function { of_program: info.target_obj_id, number: info.target_btf_id }
            }
            _ => continue,
        };
        found.push(LinkRecord { id, program: info.prog_id, hold });
    }
}
