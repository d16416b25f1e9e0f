//! What there is, as far as this process may see it.

use crate::failure::Result;
use crate::process::users::Users;
use crate::run::port;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use xsk::attach::AttachedProgram;
use xsk::bpf::{
    FilterProgram, FilterRule, MapInfo, PinnedObject, Pins, Program, RuleCount, SlotProbe,
    TapCounts, XskMap,
};
use xsk::interface::{InterfaceInfo, ProcessInfo, Processes, XdpSocketInfo};
use xsk::uapi::bpf::BPF_MAP_TYPE_XSKMAP;
use xsk::{AttachMethod, Interface};

/// The slots of the largest XSKMAP that is looked into.
const MOST_SLOTS: u32 = 1 << 16;

/// All that is shown.
pub(super) struct View {
    pub(super) now: SystemTime,
    pub(super) interfaces: Vec<Seen>,
    /// Whether the kernel lists sockets.
    pub(super) lists_sockets: bool,
    /// Sockets of no interface that is shown, and none of these if an interface was named; or, where
    /// the kernel does not list them, those of the processes in this network namespace.
    pub(super) strays: Vec<XdpSocketInfo>,
    /// Whether one interface was named.
    pub(super) is_named: bool,
    pub(super) processes: Processes,
    pub(super) users: Users,
    /// Those of BPF file systems; none if there is no program.
    pins: Pins,
}

/// An interface.
pub(super) struct Seen {
    pub(super) info: InterfaceInfo,
    pub(super) programs: Vec<SeenProgram>,
    /// `None` if the kernel does not list them.
    pub(super) sockets: Option<Vec<XdpSocketInfo>>,
}

/// A program on an interface.
pub(super) struct SeenProgram {
    pub(super) program: AttachedProgram,
    pub(super) maps: Option<Vec<SeenMap>>,
    pub(super) filter: Option<SeenFilter>,
    /// What it has counted, if it is one that copies packets.
    pub(super) tap: Option<TapCounts>,
}

/// A map of a program.
pub(super) struct SeenMap {
    pub(super) info: MapInfo,
    /// The slots that name a socket, of an XSKMAP; `None` if they are not known.
    pub(super) sockets: Option<Vec<u32>>,
}

/// A filter of this crate.
pub(super) struct SeenFilter {
    /// What is known of each rule; `None` if nothing is, not even how many there are.
    pub(super) rules: Option<Vec<SeenRule>>,
    /// The packets of no rule.
    pub(super) others: Option<RuleCount>,
}

/// A rule of a filter: its text, and what it has counted.
pub(super) struct SeenRule {
    pub(super) text: Option<FilterRule>,
    pub(super) count: Option<RuleCount>,
}

#[cfg(test)]
impl View {
    /// Returns a view of one interface with one socket, of an unknown process.
    pub(super) fn of_socket(socket: XdpSocketInfo) -> Self {
        let mut info = InterfaceInfo::default();
        (info.name, info.index) = ("eth1".to_owned(), socket.interface_index);
        Self {
            now: SystemTime::UNIX_EPOCH,
            interfaces: vec![Seen { info, programs: Vec::new(), sockets: Some(vec![socket]) }],
            lists_sockets: true,
            strays: Vec::new(),
            is_named: false,
            processes: Processes::default(),
            users: Users::default(),
            pins: Pins::default(),
        }
    }
}

impl View {
    pub(super) fn look(name: Option<&OsStr>) -> Result<Self> {
        let interfaces = match name {
            Some(name) => vec![port::interface(name)?],
            None => Interface::all()?,
        };
        let mut all = XdpSocketInfo::list()?;
        let mut seen = Vec::new();
        for interface in &interfaces {
            let sockets = all.as_mut().map(|all| {
                let (here, others) =
                    all.drain(..).partition(|one| one.interface_index == interface.index());
                *all = others;
                here
            });
            match Seen::look(interface, sockets) {
                // It has just gone; one that was named is missed.
                Err(error) if error.is_gone() && name.is_none() => {}
                result => seen.push(result?),
            }
        }
        let has_programs = seen.iter().any(|one| !one.programs.is_empty());
        let has_sockets = all.as_ref().is_some_and(|all| !all.is_empty())
            || seen.iter().any(|one| one.sockets.as_ref().is_some_and(|all| !all.is_empty()));
        let lists_sockets = all.is_some();
        let processes = match has_programs || has_sockets || !lists_sockets {
            true => Processes::read(),
            false => Processes::default(),
        };
        let of_processes = || processes.xdp_sockets().map(of_inode).collect();
        Ok(Self {
            now: SystemTime::now(),
            interfaces: seen,
            lists_sockets,
            strays: match (all, name) {
                (None, _) => of_processes(),
                (Some(_), Some(_)) => Vec::new(),
                (Some(all), None) => all,
            },
            is_named: name.is_some(),
            processes,
            users: Users::read(),
            pins: if has_programs { Pins::find() } else { Pins::default() },
        })
    }

    /// Returns the processes that have a socket open; `None` if they are not known. One with an inode
    /// has a process, if only in another PID namespace.
    pub(super) fn with_socket(&self, socket: &XdpSocketInfo) -> Option<&[ProcessInfo]> {
        let found = self.processes.with_socket(socket.inode);
        (!found.is_empty() || socket.inode == 0).then_some(found)
    }

    /// Returns the processes that have a link open; `None` if they are not known. A pin may hold it
    /// alone.
    pub(super) fn with_link(&self, link: u32) -> Option<&[ProcessInfo]> {
        let found = self.processes.with_link(link);
        (!found.is_empty() || self.processes.is_complete()).then_some(found)
    }

    /// Returns where an object is pinned; `None` if that is not known.
    pub(super) fn pins_of(&self, object: PinnedObject) -> Option<Vec<PathBuf>> {
        pins_of(&self.pins, object)
    }

    /// Returns the capabilities that would show more.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let programs = || self.interfaces.iter().flat_map(|one| &one.programs);
        let sockets = self.interfaces.iter().flat_map(|one| one.sockets.iter().flatten());
        let links = || programs().filter_map(|one| one.program.link);
        let mut missing = Vec::new();
        if programs().any(|one| one.program.info.is_none() || one.program.method.is_none()) {
            missing.push("CAP_SYS_ADMIN");
        }
        let is_unknown = sockets.chain(&self.strays).any(|one| self.with_socket(one).is_none())
            || links().any(|link| self.with_link(link).is_none());
        if is_unknown && !self.processes.is_complete() {
            missing.push("CAP_SYS_PTRACE");
        }
        if links().any(|link| self.pins_of(PinnedObject::Link(link)).is_none()) {
            missing.push("CAP_DAC_OVERRIDE");
        }
        missing
    }
}

/// Returns a socket of which no more is known.
fn of_inode(inode: u32) -> XdpSocketInfo {
    let mut socket = XdpSocketInfo::default();
    socket.inode = inode;
    socket
}

impl Seen {
    fn look(
        interface: &Interface,
        sockets: Option<Vec<XdpSocketInfo>>,
    ) -> Result<Self, xsk::Error> {
        let info = interface.info()?;
        let programs = interface.programs()?.into_iter().map(SeenProgram::look).collect();
        Ok(Self { info, programs, sockets })
    }

    /// Returns whether there is anything on it.
    pub(super) fn is_used(&self) -> bool {
        !self.programs.is_empty() || self.sockets.as_ref().is_some_and(|all| !all.is_empty())
    }
}

impl SeenMap {
    fn look(info: MapInfo) -> Self {
        let is_small = info.entries <= MOST_SLOTS;
        let sockets = (info.kind == BPF_MAP_TYPE_XSKMAP && is_small).then(|| {
            // A small program, which is attached nowhere, looks into the map.
            let map = XskMap::from_id(info.id).ok()?;
            SlotProbe::new(&map).ok()?.occupied().ok()
        });
        Self { info, sockets: sockets.flatten() }
    }
}

impl SeenProgram {
    /// Looks at a program, which may have gone meanwhile.
    fn look(program: AttachedProgram) -> Self {
        let opened = program.info.as_ref().and_then(|_| Program::from_id(program.id).ok());
        let maps = opened.as_ref().and_then(|opened| opened.maps().ok());
        let maps = maps.map(|maps| maps.into_iter().map(SeenMap::look).collect());
        let tap = opened.as_ref().and_then(|opened| TapCounts::of_program(opened).ok()?);
        let filter = opened.and_then(|opened| FilterProgram::from_program(opened).ok()?);
        Self { program, maps, filter: filter.as_ref().map(SeenFilter::of), tap }
    }

    /// Returns its name; an empty one if it has none, and `None` if that is not known.
    pub(super) fn name(&self) -> Option<&str> {
        self.program.info.as_ref().map(|info| info.name.as_str())
    }

    /// Returns its number and its name.
    pub(super) fn title(&self) -> String {
        title(&self.program)
    }
}

/// Returns the number and the name of a program.
pub(crate) fn title(program: &AttachedProgram) -> String {
    match program.info.as_ref().map(|info| info.name.as_str()) {
        Some("") => format!("{} (no name)", program.id),
        Some(name) => format!("{} {name}", program.id),
        None => program.id.to_string(),
    }
}

/// Returns where an object is pinned; `None` if that is not known.
pub(crate) fn pins_of(pins: &Pins, object: PinnedObject) -> Option<Vec<PathBuf>> {
    let found: Vec<PathBuf> = pins.of(object).map(Path::to_owned).collect();
    (!found.is_empty() || pins.is_complete).then_some(found)
}

/// Returns what holds a program, for people.
pub(crate) fn holder(
    program: &AttachedProgram,
    processes: Option<&[ProcessInfo]>,
    pins: Option<&[PathBuf]>,
) -> String {
    let link = match (program.method, program.link) {
        (None, _) => return "unknown".to_owned(),
        (Some(AttachMethod::Link), Some(link)) => link,
        (Some(AttachMethod::Link), None) => {
            return "one of several links of this program, in other network namespaces, too".into();
        }
        (Some(_), _) => return "netlink".to_owned(),
    };
    let mut text = format!("link {link}");
    match processes {
        None => text += " of processes that are not known",
        Some([]) => text += " of no process that is seen here",
        Some(processes) => text += &format!(" of {}", listed(processes)),
    }
    match pins {
        None => text += "; its pins are not known",
        Some([]) => {}
        Some(pins) => {
            let paths: Vec<_> = pins.iter().map(|path| path.display().to_string()).collect();
            text += &format!(", pinned at {}", paths.join(" and "));
        }
    }
    text
}

/// Returns a program's tag, as bpftool has it.
pub(super) fn hex(tag: [u8; 8]) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns processes, for people.
pub(crate) fn listed(processes: &[ProcessInfo]) -> String {
    processes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl SeenFilter {
    fn of(filter: &FilterProgram) -> Self {
        let (texts, counts) = (filter.rules(), filter.counts().ok().flatten());
        let known =
            [texts.map(<[FilterRule]>::len), counts.as_ref().map(|counts| counts.rules.len())];
        let rules = known.into_iter().flatten().max().map(|number| {
            let rule = |at: usize| SeenRule {
                text: texts.and_then(|texts| texts.get(at)).cloned(),
                count: counts.as_ref().and_then(|counts| counts.rules.get(at)).copied(),
            };
            (0..number).map(rule).collect()
        });
        Self { rules, others: counts.map(|counts| counts.others) }
    }
}
