//! `xsk unload`: takes XDP programs off an interface.

use crate::command_line::status::UnloadArgs;
use crate::failure::{Failure, NotWritten, Result, quoted};
use crate::process::users::Users;
use crate::report::clock;
use crate::report::output::{print, width};
use crate::report::paragraph::{labelled, one_line};
use crate::run::ended::Ended;
use crate::run::port;
use crate::status::{holder, listed, pins_of, title};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use xsk::attach::AttachedProgram;
use xsk::bpf::{PinnedObject, Pins};
use xsk::interface::{Processes, XdpSocketInfo};
use xsk::{AttachMethod, Errno, Error, Interface};

/// A program that is to be taken off.
struct Target {
    program: AttachedProgram,
    method: AttachMethod,
    /// What holds it, in words.
    holder: String,
    /// Where the program, or the chain of libxdp, is pinned: that keeps it loaded.
    pins: Vec<PathBuf>,
}

pub(crate) fn run(args: &UnloadArgs) -> Result<Ended> {
    let interface = port::interface(&args.interface)?;
    let targets = match targets(args, &interface) {
        Ok(targets) => targets,
        Err(failure) => {
            report(args, &interface, &[], Some(failure.to_string()))?;
            return Err(failure);
        }
    };
    if targets.is_empty() {
        let mode = args.mode.map_or(String::new(), |mode| format!(" in {} mode", mode.mode()));
        say(args, &format!("{} has no XDP program{mode}: nothing to do", interface.name()))?;
        return report(args, &interface, &[], None).map(|()| Ended::Count);
    }
    let mut removed = Vec::new();
    for target in &targets {
        if let Err(failure) = target.remove(&interface) {
            report(args, &interface, &removed, Some(failure.to_string()))?;
            return Err(failure);
        }
        say(args, &format!("removed from {}: {}", interface.name(), target.text()))?;
        target.say_what_stays(args, &interface)?;
        removed.push(target);
    }
    report(args, &interface, &removed, None)?;
    Ok(Ended::Count)
}

/// Returns what is to be removed, and may be.
fn targets(args: &UnloadArgs, interface: &Interface) -> Result<Vec<Target>> {
    let programs = interface.programs()?;
    let chosen = choose(args, interface, &programs)?;
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let pins = Pins::find();
    let processes = Processes::read();
    let targets = chosen
        .into_iter()
        .map(|program| Target::look(program.clone(), interface, &pins, &processes));
    let targets = targets.collect::<Result<Vec<_>>>()?;
    if !args.break_links {
        if let Some(held) = targets.iter().find(|one| one.method == AttachMethod::Link) {
            return Err(held.refusal(interface));
        }
    }
    if !args.yes {
        confirm(interface, &targets, &processes)?;
    }
    Ok(targets)
}

/// Returns the programs that are to be removed.
fn choose<'a>(
    args: &UnloadArgs,
    interface: &Interface,
    programs: &'a [AttachedProgram],
) -> Result<Vec<&'a AttachedProgram>> {
    let there = || {
        let list = programs.iter().map(|one| format!("{} ({} mode)", title(one), one.mode));
        list.collect::<Vec<_>>().join(" and ")
    };
    let name = interface.name();
    if let Some(mode) = args.mode {
        return Ok(programs.iter().filter(|one| one.mode == mode.mode()).collect());
    }
    if let Some(id) = args.id {
        let chosen: Vec<_> = programs.iter().filter(|one| one.id == id).collect();
        if chosen.is_empty() {
            let there = if programs.is_empty() { "no program".to_owned() } else { there() };
            return Err(Failure::Text(format!(
                "program {id} is not on {name}, which has {there}: nothing was removed"
            )));
        }
        return Ok(chosen);
    }
    if programs.len() > 1 && !args.all {
        return Err(Failure::Text(format!(
            "{name} has several programs: {}. Name one (--mode or --id), or --all",
            there()
        )));
    }
    Ok(programs.iter().collect())
}

impl Target {
    fn look(
        program: AttachedProgram,
        interface: &Interface,
        pins: &Pins,
        processes: &Processes,
    ) -> Result<Self> {
        let method = interface
            .attach_method(program.mode, program.id)
            .map_err(|error| explained(error, interface, &program))?;
        let mut program = program;
        program.method = Some(method);
        if method == AttachMethod::Netlink {
            // That of another namespace.
            program.link = None;
        }
        let link_pins = program.link.and_then(|link| pins_of(pins, PinnedObject::Link(link)));
        let users = program.link.map(|link| processes.with_link(link));
        let users = users.filter(|users| !users.is_empty() || processes.is_complete());
        let holder = holder(&program, users, link_pins.as_deref());
        let pinned = pins.of(PinnedObject::Program(program.id)).map(Path::to_owned);
        let mut kept: Vec<_> = pinned.collect();
        let chain = program.dispatcher.as_ref().and_then(|_| chain_pins(interface, &program, pins));
        if let Some(chain) = chain {
            kept.retain(|path| !path.starts_with(&chain));
            kept.push(chain);
        }
        Ok(Self { program, method, holder, pins: kept })
    }

    /// Returns it in words.
    fn text(&self) -> String {
        let Self { program, holder, .. } = self;
        let kind = match &program.dispatcher {
            Some(dispatcher) => format!(" ({dispatcher})"),
            None => String::new(),
        };
        format!("program {}{kind}, {} mode, held by {holder}", title(program), program.mode)
    }

    /// Returns why it is not removed without --break-links.
    fn refusal(&self, interface: &Interface) -> Failure {
        Failure::Text(format!(
            "{} has {}: nothing was removed. End that process or remove that pin, or detach the link \
             with --break-links",
            interface.name(),
            self.text()
        ))
    }

    fn remove(&self, interface: &Interface) -> Result<()> {
        let AttachedProgram { mode, id, link, .. } = self.program;
        let removed = match self.method {
            AttachMethod::Netlink => interface.detach_program(mode, id),
            AttachMethod::Link => {
                self.require_link(interface)?;
                match link {
                    Some(shown) => interface.detach_link(shown),
                    None => interface.break_link(mode, id),
                }
            }
        };
        removed.map_err(|error| explained(error, interface, &self.program))
    }

    /// Refuses if another link holds the program than the one that was shown.
    fn require_link(&self, interface: &Interface) -> Result<()> {
        let AttachedProgram { mode, id, link: shown, .. } = self.program;
        let programs = interface.programs()?;
        let now = programs.iter().find(|one| (one.mode, one.id) == (mode, id));
        match (now.and_then(|now| now.link), shown) {
            (Some(now), Some(shown)) if now != shown => Err(Failure::Text(format!(
                "link {now} holds program {id} on {} now, in place of link {shown}: it was not \
                 detached",
                interface.name()
            ))),
            _ => Ok(()),
        }
    }

    /// Says what is left of it.
    fn say_what_stays(&self, args: &UnloadArgs, interface: &Interface) -> Result<()> {
        if self.pins.is_empty() {
            return Ok(());
        }
        let paths: Vec<_> = self.pins.iter().map(|path| quoted(&path.to_string_lossy())).collect();
        let paths = paths.join(" ");
        let (why, command) = match self.program.dispatcher {
            Some(_) => {
                let name = quoted(interface.name());
                let why = format!(
                    "libxdp's pins keep its programs loaded (`xdp-loader unload {name} --all` would \
                     have removed both). Remove them:"
                );
                (why, "rm -r")
            }
            None => ("it stays loaded, because it is pinned. Remove the pin:".to_owned(), "rm"),
        };
        say(args, &why)?;
        // Commands are not wrapped: they are there to be copied.
        match args.json {
            true => Ok(()),
            false => Ok(print(&format!("  $ {command} {paths}\n"))?),
        }
    }
}

/// Returns the directory in which libxdp has pinned the chain of a dispatcher.
fn chain_pins(interface: &Interface, program: &AttachedProgram, pins: &Pins) -> Option<PathBuf> {
    let name = format!("dispatch-{}-{}", interface.index(), program.id);
    let mut parents = pins.found.iter().filter_map(|pin| pin.path.parent());
    parents
        .find(|parent| parent.file_name().is_some_and(|last| last == name.as_str()))
        .map(Path::to_owned)
}

/// Returns the failure of a program that is not what it was, or may not be removed.
fn explained(error: Error, interface: &Interface, program: &AttachedProgram) -> Failure {
    let name = interface.name();
    match &error {
        Error::Attach { errno: Errno::PERM, .. } | Error::Detach { errno: Errno::PERM, .. } => {
            Failure::Text(format!(
                "to take an XDP program off {name} takes CAP_NET_ADMIN beside CAP_SYS_ADMIN, which \
                 this process does not have"
            ))
        }
        Error::BpfObject { errno: Errno::PERM, .. } => Failure::Text(format!(
            "to take a program off {name}, and no other one, it has to be opened: that takes \
             CAP_SYS_ADMIN beside CAP_NET_ADMIN, which this process does not have"
        )),
        Error::Attach { errno: Errno::EXIST, .. }
        | Error::Detach { errno: Errno::EXIST | Errno::NOLINK | Errno::BUSY, .. }
        | Error::BpfObject { errno: Errno::NOENT, .. } => {
            let there = interface.programs().unwrap_or_default();
            let now = there.iter().find(|one| one.mode == program.mode);
            match now {
                Some(now) if now.id == program.id => Failure::Xsk(error),
                Some(now) => Failure::Text(format!(
                    "{name} has program {} in {} mode now, in place of program {}: it was not removed",
                    title(now),
                    program.mode,
                    program.id
                )),
                None => Failure::Text(format!(
                    "program {} went from {name} before it was removed",
                    program.id
                )),
            }
        }
        _ => Failure::Xsk(error),
    }
}

/// Shows what is about to be removed, and asks.
fn confirm(interface: &Interface, targets: &[Target], processes: &Processes) -> Result<()> {
    let input = io::stdin();
    let name = interface.name();
    if !input.is_terminal() || !io::stderr().is_terminal() {
        let what: Vec<_> = targets.iter().map(Target::text).collect();
        return Err(Failure::Text(format!(
            "{} would be removed from {name}; there is no terminal to ask on: confirm with --yes",
            what.join(" and ")
        )));
    }
    let (width, users) = (width(), Users::read());
    let mut text = format!("to be removed from {}:\n", one_line(name));
    for target in targets {
        text += &labelled("  ", &target.text(), width);
        if let Some(info) = &target.program.info {
            let (age, user) = (clock::age(info.age()), users.shown(info.created_by));
            text += &labelled("    ", &format!("loaded {age} ago by {user}"), width);
        }
        if target.program.dispatcher.is_some() {
            let chain = format!(
                "the programs of its chain end with it; `xdp-loader unload {} --all` removes them \
                 with their pins",
                quoted(name)
            );
            text += &labelled("    ", &chain, width);
        }
    }
    for socket in losers(interface, processes)? {
        text += &labelled("  ", &format!("{socket} may receive nothing more"), width);
    }
    let mut terminal = io::stderr().lock();
    write!(terminal, "{text}remove? [y/N] ").map_err(NotWritten)?;
    terminal.flush().map_err(NotWritten)?;
    let mut answer = String::new();
    let read = input.lock().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::Text("nothing was removed, as answered".to_owned())),
    }
}

/// Returns the sockets that the program may have packets for; where the kernel does not report their
/// interfaces, those of all processes of this network namespace.
fn losers(interface: &Interface, processes: &Processes) -> Result<Vec<String>> {
    let users = |inode| match processes.with_socket(inode) {
        [] => "an unknown process".to_owned(),
        users => listed(users),
    };
    let on_queue = |socket: &XdpSocketInfo| {
        format!("the socket on queue {} of {}", socket.queue, users(socket.inode))
    };
    Ok(match interface.xdp_sockets()? {
        Some(sockets) => sockets.iter().map(on_queue).collect(),
        None => {
            let sockets: BTreeSet<_> = processes.xdp_sockets().map(users).collect();
            sockets.iter().map(|users| format!("if it is here, a socket of {users}")).collect()
        }
    })
}

/// Writes a line for people.
fn say(args: &UnloadArgs, text: &str) -> Result<()> {
    if args.json {
        return Ok(());
    }
    let mut output = io::stdout().lock();
    output.write_all(labelled("", text, width()).as_bytes()).map_err(NotWritten)?;
    Ok(output.flush().map_err(NotWritten)?)
}

/// Looks at the interface again, and reports what is there.
fn report(
    args: &UnloadArgs,
    interface: &Interface,
    removed: &[&Target],
    error: Option<String>,
) -> Result<()> {
    let left = match interface.programs() {
        Ok(left) => left,
        // What is gone has nothing on it.
        Err(error) if error.is_gone() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if args.json {
        let of_left = |one: &AttachedProgram| {
            let name = one.info.as_ref().map(|info| info.name.as_str());
            json!({ "mode": one.mode.to_string(), "id": one.id, "name": name })
        };
        let of_removed = |one: &&Target| {
            let mut object = of_left(&one.program);
            object["held_by"] = one.method.to_string().into();
            object["link"] = one.program.link.into();
            object["pins"] = one.pins.iter().map(|path| path.to_string_lossy()).collect::<Value>();
            object
        };
        let object = json!({
            "interface": interface.name(),
            "index": interface.index(),
            "removed": removed.iter().map(of_removed).collect::<Value>(),
            "left": left.iter().map(of_left).collect::<Value>(),
            "error": error,
        });
        let mut output = io::stdout().lock();
        writeln!(output, "{object}").map_err(NotWritten)?;
        output.flush().map_err(NotWritten)?;
    } else if !removed.is_empty() {
        let text = match left.as_slice() {
            [] => format!("{} has no XDP program now", interface.name()),
            left => {
                let left: Vec<_> =
                    left.iter().map(|one| format!("{} ({} mode)", title(one), one.mode)).collect();
                format!("{} has still: {}", interface.name(), left.join(", "))
            }
        };
        say(args, &text)?;
    }
    Ok(())
}
