//! Takes a program off an interface that no attachment of this process is for.

use super::bpf_link::Link;
use super::netlink::{detach_netlink, is_held_by_link};
use crate::bpf::Program;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::AsFd;

impl Interface {
    /// Finds out what holds the program with the number `id`, which is attached in `mode`.
    ///
    /// The kernel is asked to replace the program by itself, which changes nothing, and which it
    /// refuses if a link holds the program. Unlike [`programs`](Self::programs), this cannot take the
    /// link of another namespace for one of this interface. Needs `CAP_NET_ADMIN` and
    /// `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if the program cannot be opened: `EPERM` without `CAP_SYS_ADMIN`,
    /// `ENOENT` if it is gone; [`Error::Attach`] with `EPERM` without `CAP_NET_ADMIN`, with `EEXIST`
    /// if it is not attached in `mode`.
    ///
    /// ```no_run
    /// # fn main() -> xsk::Result<()> {
    /// let interface = xsk::Interface::by_name("eth1")?;
    /// for (mode, id) in interface.attached_programs()?.programs() {
    ///     println!("program {id}: held by {}", interface.attach_method(mode, id)?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn attach_method(&self, mode: XdpMode, id: u32) -> Result<AttachMethod> {
        let program = Program::from_id(id)?;
        let by_link = is_held_by_link(self, mode, &program)?;
        self.require(mode, id)?;
        Ok(if by_link { AttachMethod::Link } else { AttachMethod::Netlink })
    }

    /// Takes the program with the number `id` off, which netlink holds in `mode`, and checks that it
    /// is gone. Another program that was put in its place meanwhile stays (5.7). The processes that
    /// use the program are not asked. Needs `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if the program cannot be opened: `EPERM` without `CAP_SYS_ADMIN`,
    /// `ENOENT` if it is gone. [`Error::Detach`]: `EEXIST` if another program, or none, is attached
    /// in `mode`, `EBUSY` if a link holds it ([`break_link`](Self::break_link)), `EPERM` without
    /// `CAP_NET_ADMIN`, `ENODEV` if the interface is gone.
    ///
    /// ```no_run
    /// # fn main() -> xsk::Result<()> {
    /// let interface = xsk::Interface::by_name("eth1")?;
    /// for (mode, id) in interface.attached_programs()?.programs() {
    ///     interface.detach_program(mode, id)?;
    /// }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "IFLA_XDP_EXPECTED_FD")]
    pub fn detach_program(&self, mode: XdpMode, id: u32) -> Result<()> {
        detach_netlink(self, mode, Program::from_id(id)?.as_fd(), id)
    }

    /// Detaches the link that holds the program with the number `id` in `mode`, for all who have it
    /// open or pinned: it stays theirs, and does nothing any more. Checks that the program is gone.
    /// Needs `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`.
    ///
    /// A program that the holder of the link puts in the place of this one between the look at the
    /// link and its end goes with the link.
    ///
    /// # Errors
    /// As [`attach_method`](Self::attach_method). [`Error::Detach`]: `ENOLINK` if no link holds the
    /// program here, `ENOTUNIQ` if several do, on interfaces of this index in several namespaces, so
    /// that it is not known which one is meant, `EEXIST` if the program is still there afterwards.
    ///
    /// ```no_run
    /// # fn main() -> xsk::Result<()> {
    /// let interface = xsk::Interface::by_name("eth1")?;
    /// for program in interface.programs()? {
    ///     if program.link.is_some() {
    ///         interface.break_link(program.mode, program.id)?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "BPF_LINK_DETACH")]
    pub fn break_link(&self, mode: XdpMode, id: u32) -> Result<()> {
        const NO_LINK: &str = "no link holds the program";
        const SEVERAL: &str = "several links hold the program, on interfaces of this index in \
            several network namespaces: it is not known which one is this interface's";
        const STILL: &str = "the link was detached, but the program is still attached";
        let failed = |errno, text: &str| Error::Detach {
            interface: self.name().to_owned(),
            mode,
            errno,
            message: Some(text.to_owned()),
        };
        let links = Link::find(self, id)?;
        // With its link open, the program stays: if it is still here, its link is among them. Else the
        // only one that is left may be that of another namespace.
        if self.attach_method(mode, id)? == AttachMethod::Netlink {
            return Err(failed(Errno::NOLINK, NO_LINK));
        }
        let link = match links.as_slice() {
            [link] => link,
            [] => return Err(failed(Errno::NOLINK, NO_LINK)),
            _ => return Err(failed(Errno::NOTUNIQ, SEVERAL)),
        };
        link.detach().map_err(|errno| failed(errno, "BPF_LINK_DETACH"))?;
        if self.attached_programs()?.program(mode) == Some(id) {
            return Err(failed(Errno::EXIST, STILL));
        }
        Ok(())
    }

    /// Refuses if another program than that with the number `id`, or none, is attached in `mode`.
    fn require(&self, mode: XdpMode, id: u32) -> Result<()> {
        if self.attached_programs()?.program(mode) == Some(id) {
            return Ok(());
        }
        Err(Error::Attach {
            interface: self.name().to_owned(),
            mode,
            method: AttachMethod::Netlink,
            errno: Errno::EXIST,
            message: Some("another program, or none, is attached".to_owned()),
            mtu: None,
            rx_queues: None,
        })
    }
}
