//! Takes a program off an interface that no attachment of this process is for.

use super::bpf_link::Link;
use super::netlink::{detach_netlink, is_held_by_link};
use crate::bpf::Program;
use crate::error::{BpfOp, Error, ObjectKind, Result};
use crate::interface::Interface;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::AsFd;

const NO_LINK: &str = "no link holds the program";

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
    /// link and its end goes with the link. A link that has come to hold this program since it was
    /// looked for goes as well: [`detach_link`](Self::detach_link) detaches a certain one.
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
        const SEVERAL: &str = "several links hold the program, on interfaces of this index in \
            several network namespaces: it is not known which one is this interface's";
        let links = Link::find(self, id)?;
        self.require_held(mode, id)?;
        match links.as_slice() {
            [link] => self.detach(link, mode, id),
            [] => Err(self.detach_failed(mode, Errno::NOLINK, NO_LINK)),
            _ => Err(self.detach_failed(mode, Errno::NOTUNIQ, SEVERAL)),
        }
    }

    /// Detaches the link with the number `link` as [`break_link`](Self::break_link) does, and no other
    /// one that has come to hold the same program since it was seen
    /// ([`AttachedProgram::link`](super::AttachedProgram::link), `bpftool link`). Checks that it held
    /// a program of this interface, and that the program is gone. Needs `CAP_NET_ADMIN` and
    /// `CAP_SYS_ADMIN`. Since 5.9.
    ///
    /// The kernel does not report the namespace of a link's interface: of several links that hold one
    /// program, on interfaces of this index in several namespaces, each is taken for this one's.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if the link cannot be opened: `EPERM` without `CAP_SYS_ADMIN`, `ENOENT` if
    /// it is gone. [`Error::WrongObject`] if it is no XDP link. Else as
    /// [`break_link`](Self::break_link): [`Error::Detach`] with `ENOLINK` if this link does not hold
    /// what is attached here.
    ///
    /// ```no_run
    /// # fn main() -> xsk::Result<()> {
    /// let interface = xsk::Interface::by_name("eth1")?;
    /// for link in interface.programs()?.iter().filter_map(|program| program.link) {
    ///     interface.detach_link(link)?;
    /// }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "BPF_LINK_DETACH")]
    pub fn detach_link(&self, link: u32) -> Result<()> {
        let object = || format!("link {link}");
        let wanted = ObjectKind::XdpLink;
        let opened =
            Link::by_id(link)?.ok_or_else(|| Error::WrongObject { object: object(), wanted })?;
        let failed = |errno| Error::BpfObject { operation: BpfOp::Info, object: object(), errno };
        let id = opened.program_id().map_err(failed)?;
        let is_here = opened.ifindex().map_err(failed)? == self.index();
        let attached = self.attached_programs()?;
        let mode =
            attached.programs().find_map(|(mode, attached)| (attached == id).then_some(mode));
        match mode.filter(|_| is_here) {
            Some(mode) => {
                self.require_held(mode, id)?;
                self.detach(&opened, mode, id)
            }
            None => {
                let mode = attached.programs().next().map_or(XdpMode::Native, |(mode, _)| mode);
                Err(self.detach_failed(mode, Errno::NOLINK, "the link is not on this interface"))
            }
        }
    }

    /// Refuses if no link holds the program here. With the links that may hold it open, the program
    /// stays: if it is still here, its link is among them. Else the only one that is left may be that
    /// of another namespace.
    fn require_held(&self, mode: XdpMode, id: u32) -> Result<()> {
        match self.attach_method(mode, id)? {
            AttachMethod::Link => Ok(()),
            AttachMethod::Netlink => Err(self.detach_failed(mode, Errno::NOLINK, NO_LINK)),
        }
    }

    /// Detaches the link that holds a program, and checks that that is gone.
    fn detach(&self, link: &Link, mode: XdpMode, id: u32) -> Result<()> {
        const STILL: &str = "the link was detached, but the program is still attached";
        link.detach().map_err(|errno| self.detach_failed(mode, errno, "BPF_LINK_DETACH"))?;
        if self.attached_programs()?.program(mode) == Some(id) {
            return Err(self.detach_failed(mode, Errno::EXIST, STILL));
        }
        Ok(())
    }

    fn detach_failed(&self, mode: XdpMode, errno: Errno, text: &str) -> Error {
        let message = Some(text.to_owned());
        Error::Detach { interface: self.name().to_owned(), mode, errno, message }
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
