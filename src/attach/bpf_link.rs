//! XDP programs held by a `bpf_link` (5.9): attached as long as somebody has a descriptor of the link.

use crate::error::{BpfOp, Error, Result};
use crate::interface::Interface;
use crate::sys::bpf;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use xsk_uapi::bpf::BPF_LINK_TYPE_XDP;
use xsk_uapi::if_link::{XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_SKB_MODE};

/// What a kernel without XDP links comes to.
const NO_LINKS: Error =
    Error::NeedsKernel { feature: "attaching by link (`AttachMethod::Link`)", version: "5.9" };

/// Whether the kernel refused an XDP link with `errno` because it has none. It says `EINVAL` to a command (before 5.7)
/// or a kind of link (before 5.9) that it does not know, but also for an interface that is gone and for what a driver
/// dislikes. `of_nothing` tells them apart: a link of no program is `EBADF` where there are links.
fn is_unknown(errno: Errno, of_nothing: impl FnOnce() -> Result<(), Errno>) -> bool {
    errno == Errno::INVAL && of_nothing() == Err(Errno::INVAL)
}

/// A descriptor of an XDP link. The kernel detaches the program when the last one, in any process, is closed.
#[derive(Debug)]
pub(super) struct Link(OwnedFd);

impl Link {
    /// Attaches `program` to an interface that has no program. The interface must be in the calling thread's
    /// namespace: the kernel looks its index up there.
    pub(super) fn create(
        interface: &Interface,
        program: BorrowedFd<'_>,
        mode: XdpMode,
    ) -> Result<Self> {
        let flags = match mode {
            XdpMode::Native => XDP_FLAGS_DRV_MODE,
            XdpMode::Generic => XDP_FLAGS_SKB_MODE,
            XdpMode::Hardware => XDP_FLAGS_HW_MODE,
        };
        bpf::link_create(program, interface.index(), flags).map(Self).map_err(|errno| {
            if is_unknown(errno, bpf::link_create_of_nothing) {
                return NO_LINKS;
            }
            Error::Attach {
                interface: interface.name().to_owned(),
                mode,
                method: AttachMethod::Link,
                errno,
                message: None,
            }
        })
    }

    /// Takes a descriptor of every link that holds the program with the id `program` on an interface of this index.
    ///
    /// A link does not say in which namespace its interface is. A default program is attached in one place only. A
    /// program of the user's may be in several; as an interface takes one program, more than one link means other
    /// namespaces, and to hold those links would keep the program attached there. Needs `CAP_SYS_ADMIN`.
    pub(super) fn find(interface: &Interface, program: u32) -> Result<Vec<Self>> {
        let failed = |operation, id: u32| {
            move |errno| Error::BpfObject { operation, object: format!("link {id}"), errno }
        };
        let mut found = Vec::new();
        let mut id = 0;
        loop {
            id = match bpf::link_next_id(id) {
                Ok(Some(id)) => id,
                // An unknown command: before 5.8 there are no links.
                Ok(None) | Err(Errno::INVAL) => return Ok(found),
                Err(errno) => return Err(failed(BpfOp::NextLinkId, id)(errno)),
            };
            let link = match bpf::link_by_id(id) {
                Ok(link) => Self(link),
                // Gone meanwhile, or not yet complete.
                Err(Errno::NOENT | Errno::AGAIN) => continue,
                Err(errno) => return Err(failed(BpfOp::LinkById, id)(errno)),
            };
            let info = bpf::link_info(link.0.as_fd()).map_err(failed(BpfOp::Info, id))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_5_9_a_link_is_refused_as_unknown() {
        assert!(is_unknown(Errno::INVAL, || Err(Errno::INVAL)));
        assert!(NO_LINKS.to_string().ends_with("needs Linux 5.9"));
    }

    #[test]
    fn other_refusals_stay_what_the_kernel_said() {
        // An interface that is gone, on a kernel with links; and where bpf(2) is refused altogether.
        for of_nothing in [Errno::BADF, Errno::PERM] {
            assert!(!is_unknown(Errno::INVAL, || Err(of_nothing)));
        }
        for errno in [Errno::BUSY, Errno::EXIST, Errno::OPNOTSUPP, Errno::PERM] {
            assert!(!is_unknown(errno, || Err(Errno::INVAL)), "{errno}");
        }
    }

    #[test]
    fn this_kernel_says_what_the_others_are_told_apart_by() {
        // Whoever may not call bpf(2) at all hears that first.
        let said = bpf::link_create_of_nothing();
        assert!(matches!(said, Err(Errno::BADF | Errno::PERM)), "{said:?}");
    }
}
