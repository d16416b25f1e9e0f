//! Attaches XDP programs by a `bpf_link` (5.9): a program stays attached while any process has a
//! descriptor of the link.

use super::mode::flag;
use super::netlink::refused;
use crate::error::{BpfOp, Error, ObjectKind, Result};
use crate::interface::Interface;
use crate::netlink::Refusal;
use crate::sys::bpf;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use xsk_uapi::bpf::BPF_LINK_TYPE_XDP;

/// The error on a kernel without XDP links.
const NO_LINKS: Error =
    Error::NeedsKernel { feature: "attaching by link (`AttachMethod::Link`)", version: "5.9" };

/// Returns whether the kernel refused an XDP link with `errno` because it has none.
///
/// It returns `EINVAL` for a command (before 5.7) or a kind of link (before 5.9) that it does not
/// know, but also if the interface is gone or the driver refuses the program. `of_nothing`, a link
/// of no program, distinguishes them: it is `EBADF` where there are links.
fn is_unknown(errno: Errno, of_nothing: impl FnOnce() -> Result<(), Errno>) -> bool {
    errno == Errno::INVAL && of_nothing() == Err(Errno::INVAL)
}

/// Returns whether the kernel has XDP links.
pub(super) fn is_known() -> bool {
    bpf::link_create_of_nothing() == Err(Errno::BADF)
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A descriptor of an XDP link. The kernel detaches the program when the last one, in any process,
/// is closed.
#[derive(Debug)]
pub(super) struct Link(OwnedFd);

impl Link {
    /// Attaches `program` to an interface that has no program. The interface must be in the calling
    /// thread's namespace: the kernel looks its index up there.
    pub(super) fn create(
        interface: &Interface,
        program: BorrowedFd<'_>,
        mode: XdpMode,
    ) -> Result<Self> {
        bpf::link_create(program, interface.index(), flag(mode)).map(Self).map_err(|errno| {
            if is_unknown(errno, bpf::link_create_of_nothing) {
                return NO_LINKS;
            }
            refused(interface, mode, AttachMethod::Link, Refusal { errno, text: None })
        })
    }

    /// Opens every link that holds the program with the id `program` on an interface of this index.
    ///
    /// The kernel does not report the namespace of a link's interface. A default program is
    /// attached in one place only. A program of the user's may be in several; as an interface takes
    /// one program, more than one link means other namespaces, and to hold those links would keep
    /// the program attached there. Needs `CAP_SYS_ADMIN`.
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
            // Links of any kind come by. A kind whose info the kernel refuses is no XDP link.
            let Ok(info) = bpf::link_info(link.0.as_fd()) else { continue };
            if info.r#type == BPF_LINK_TYPE_XDP
                && info.prog_id == program
                && info.ifindex == interface.index()
            {
                found.push(link);
            }
        }
    }

    /// Opens the link with this number; `None` if it is no XDP link.
    pub(super) fn by_id(id: u32) -> Result<Option<Self>> {
        let failed = |operation| {
            move |errno| Error::BpfObject { operation, object: format!("link {id}"), errno }
        };
        let link = Self(bpf::link_by_id(id).map_err(failed(BpfOp::LinkById))?);
        let info = bpf::link_info(link.0.as_fd()).map_err(failed(BpfOp::Info))?;
        Ok((info.r#type == BPF_LINK_TYPE_XDP).then_some(link))
    }

    /// Returns the kernel's number for the link, which `bpftool link` shows.
    pub(super) fn id(&self) -> Option<u32> {
        bpf::link_info(self.0.as_fd()).ok().map(|info| info.id)
    }

    /// Puts `new` in the place of `old`, which the link runs.
    ///
    /// # Errors
    /// `EPERM` if it runs another program; `ENOLINK` if it was detached or its interface is gone;
    /// `EINVAL` if the two were not loaded for the same kind of attachment; what the driver says.
    pub(super) fn update(
        &self,
        new: BorrowedFd<'_>,
        old: Option<BorrowedFd<'_>>,
    ) -> Result<(), Errno> {
        bpf::link_update(self.0.as_fd(), new, old)
    }

    /// Takes the descriptor of `object`, which was handed over or is pinned.
    ///
    /// # Errors
    /// [`Error::WrongObject`] if it is none of an XDP link; [`Error::NeedsKernel`] if the kernel has
    /// none.
    pub(super) fn check(fd: OwnedFd, object: impl FnOnce() -> String) -> Result<Self> {
        match bpf::link_update_to_nothing(fd.as_fd()) {
            Err(Errno::BADF) => {}
            Err(errno) if is_unknown(errno, bpf::link_create_of_nothing) => return Err(NO_LINKS),
            // Whatever else it is, it is refused before the kernel looks for the program.
            _ => return Err(Error::WrongObject { object: object(), wanted: ObjectKind::XdpLink }),
        }
        match bpf::link_info(fd.as_fd()) {
            Ok(info) if info.r#type == BPF_LINK_TYPE_XDP => Ok(Self(fd)),
            Ok(_) => Err(Error::WrongObject { object: object(), wanted: ObjectKind::XdpLink }),
            Err(errno) => Err(Error::BpfObject { operation: BpfOp::Info, object: object(), errno }),
        }
    }

    /// Returns the id of the program that the link runs.
    pub(super) fn program_id(&self) -> Result<u32, Errno> {
        bpf::link_info(self.0.as_fd()).map(|info| info.prog_id)
    }

    /// Returns the index of its interface; 0 if the link was detached or the interface is gone.
    pub(super) fn ifindex(&self) -> Result<u32, Errno> {
        bpf::link_info(self.0.as_fd()).map(|info| info.ifindex)
    }

    /// Detaches the program, also if other processes hold the link.
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
    fn other_refusals_keep_their_number() {
        // An interface that is gone, on a kernel with links; and a process that may not call
        // bpf(2).
        for of_nothing in [Errno::BADF, Errno::PERM] {
            assert!(!is_unknown(Errno::INVAL, || Err(of_nothing)));
        }
        for errno in [Errno::BUSY, Errno::EXIST, Errno::OPNOTSUPP, Errno::PERM] {
            assert!(!is_unknown(errno, || Err(Errno::INVAL)), "{errno}");
        }
    }

    #[test]
    fn a_link_of_no_program_is_a_bad_descriptor() {
        // A process that may not call bpf(2) at all gets EPERM first.
        let result = bpf::link_create_of_nothing();
        assert!(matches!(result, Err(Errno::BADF | Errno::PERM)), "{result:?}");
    }
}
