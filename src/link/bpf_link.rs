//! XDP programs held by a `bpf_link` (5.9): attached as long as somebody has a descriptor of the link.

use super::{Interface, Method, Mode};
use crate::sys::bpf;
use crate::{Error, Result};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use xsk_uapi::bpf::BPF_LINK_TYPE_XDP;
use xsk_uapi::if_link::{XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_SKB_MODE};

/// A descriptor of an XDP link. The kernel detaches the program when the last one, in any process, is closed.
#[derive(Debug)]
pub(super) struct Link(OwnedFd);

impl Link {
    /// Attaches `program` to an interface that has no program. The interface must be in the calling thread's
    /// namespace: the kernel looks its index up there.
    pub(super) fn create(
        interface: &Interface,
        program: BorrowedFd<'_>,
        mode: Mode,
    ) -> Result<Self> {
        let flags = match mode {
            Mode::Native => XDP_FLAGS_DRV_MODE,
            Mode::Generic => XDP_FLAGS_SKB_MODE,
            Mode::Hardware => XDP_FLAGS_HW_MODE,
        };
        bpf::link_create(program, interface.index(), flags)
            .map(Self)
            .map_err(|errno| Error::Attach {
                interface: interface.name().to_owned(),
                mode,
                method: Method::Link,
                errno,
                message: None,
            })
    }

    /// Takes a descriptor of every link that holds the program with the id `program` on an interface of this index.
    ///
    /// A link does not say in which namespace its interface is. A default program is attached in one place only. A
    /// program of the user's may be in several; as an interface takes one program, more than one link means other
    /// namespaces, and to hold those links would keep the program attached there. Needs `CAP_SYS_ADMIN`.
    pub(super) fn find(interface: &Interface, program: u32) -> Result<Vec<Self>> {
        let failed = |operation, id: u32| {
            move |errno| Error::BpfObject {
                operation,
                object: format!("link {id}"),
                errno,
            }
        };
        let mut found = Vec::new();
        let mut id = 0;
        loop {
            id = match bpf::link_next_id(id) {
                Ok(Some(id)) => id,
                // An unknown command: before 5.8 there are no links.
                Ok(None) | Err(Errno::INVAL) => return Ok(found),
                Err(errno) => return Err(failed("BPF_LINK_GET_NEXT_ID", id)(errno)),
            };
            let link = match bpf::link_by_id(id) {
                Ok(link) => Self(link),
                // Gone meanwhile, or not yet complete.
                Err(Errno::NOENT | Errno::AGAIN) => continue,
                Err(errno) => return Err(failed("BPF_LINK_GET_FD_BY_ID", id)(errno)),
            };
            let info =
                bpf::link_info(link.0.as_fd()).map_err(failed("BPF_OBJ_GET_INFO_BY_FD", id))?;
            if info.r#type == BPF_LINK_TYPE_XDP
                && info.prog_id == program
                && info.ifindex == interface.index()
            {
                found.push(link);
            }
        }
    }

    /// Detaches the program whoever else holds the link.
    pub(super) fn detach(&self) -> Result<(), Errno> {
        bpf::link_detach(self.0.as_fd())
    }
}
