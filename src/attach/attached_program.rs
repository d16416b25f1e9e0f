//! What is known about the programs on an interface.

use crate::bpf::{self, Hold, LinkRecord, Program, ProgramInfo};
use crate::error::{BpfOp, Error, Result};
use crate::interface::Interface;
use crate::types::{AttachMethod, Dispatcher, XdpMode};
use rustix::io::Errno;

/// A program on an interface, from [`Interface::programs`].
///
/// Where a program or a link is pinned the kernel does not report; [`Pins`](crate::bpf::Pins) looks
/// through all files for it, and [`Processes`](crate::interface::Processes) for the processes that
/// have a link open. A filter of this crate is read by
/// [`FilterProgram::from_program`](crate::bpf::FilterProgram::from_program).
///
/// ```
/// # fn main() -> xsk::Result<()> {
/// for program in xsk::Interface::by_name("lo")?.programs()? {
///     print!("{} mode: program {}", program.mode, program.id);
///     if let Some(info) = &program.info {
///         print!(", {}, of {} instructions", info.name, info.instructions);
///     }
///     if let Some(link) = program.link {
///         print!(", held by link {link}");
///     }
///     println!();
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttachedProgram {
    /// The mode that it is attached in.
    pub mode: XdpMode,
    /// The kernel's number for it.
    pub id: u32,
    /// Its name, tag, user, maps and more. `None` without `CAP_SYS_ADMIN`, and if the program has
    /// just gone.
    pub info: Option<ProgramInfo>,
    /// What holds it. `None` without `CAP_SYS_ADMIN`.
    ///
    /// The kernel does not report the namespace of a link's interface: a program that is attached
    /// here by netlink, and by a link to an interface of the same index in another namespace,
    /// counts as held by that link.
    pub method: Option<AttachMethod>,
    /// The number of the link that holds it, if there is one candidate only.
    pub link: Option<u32>,
    /// The chain that it runs, if it is libxdp's dispatcher. `None` for another program, and as
    /// for `info`.
    pub dispatcher: Option<Dispatcher>,
}

impl Interface {
    /// Returns the XDP programs on it at this moment, with what the kernel reports about each.
    ///
    /// Without `CAP_SYS_ADMIN` that is little: a mode and a number, as
    /// [`attached_programs`](Self::attached_programs) returns them. What is not known is `None`.
    /// A card may run one program in hardware besides another.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone. [`Error::BpfObject`] if there is no
    /// memory or no descriptor left to ask for a link or a program.
    pub fn programs(&self) -> Result<Vec<AttachedProgram>> {
        let attached = self.attached_programs()?;
        if attached.is_empty() {
            return Ok(Vec::new());
        }
        let links = links()?;
        attached.programs().map(|(mode, id)| self.describe(mode, id, links.as_deref())).collect()
    }

    fn describe(
        &self,
        mode: XdpMode,
        id: u32,
        links: Option<&[LinkRecord]>,
    ) -> Result<AttachedProgram> {
        let info = match Program::from_id(id).and_then(|program| program.info()) {
            Ok(info) => Some(info),
            Err(Error::BpfObject { errno: Errno::PERM | Errno::NOENT, .. }) => None,
            Err(error) => return Err(error),
        };
        let hold = Hold::Xdp { ifindex: self.index() };
        let mut holding =
            links.unwrap_or_default().iter().filter(|link| link.program == id && link.hold == hold);
        let (first, second) = (holding.next(), holding.next());
        let method = links.map(|_| match first {
            Some(_) => AttachMethod::Link,
            None => AttachMethod::Netlink,
        });
        let link = if second.is_none() { first.map(|link| link.id) } else { None };
        let dispatcher = info
            .as_ref()
            .and_then(|info| bpf::dispatcher(info, self.index(), || links.unwrap_or_default()));
        Ok(AttachedProgram { mode, id, info, method, link, dispatcher })
    }
}

/// Returns what `program` is if it is libxdp's dispatcher and is attached to `interface`; `None`
/// also if it cannot be found out.
pub(super) fn dispatcher_of(interface: &Interface, program: &Program) -> Option<Dispatcher> {
    let links = || bpf::links().ok().flatten().unwrap_or_default();
    bpf::dispatcher(&program.info().ok()?, interface.index(), links)
}

fn links() -> Result<Option<Vec<LinkRecord>>> {
    let failed = |errno| {
        let object = "the links".to_owned();
        Error::BpfObject { operation: BpfOp::NextLinkId, object, errno }
    };
    bpf::links().map_err(failed)
}
