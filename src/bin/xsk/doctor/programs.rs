//! The check of what is attached.

use super::check::Check;
use super::subject::Subject;
use crate::failure::Result;
use crate::run::port::take_off;
use xsk::AttachMethod;
use xsk::attach::{AttachedProgram, Dispatcher, DispatcherComponent};

/// How the names of this crate's programs begin that any process may join.
const SHARED: &str = "xsk_redirect";
/// The names of those that belong to one process: with a FILTER, with --tee, with several sockets on
/// a queue, with RX metadata.
const OWN: [&str; 4] = ["xsk_filter", "xsk_tap", "xsk_spread", "xsk_metadata"];

/// Looks at the programs on the interface.
pub(super) fn attached(subject: &Subject) -> Result<Vec<Check>> {
    const ID: &str = "program";
    let programs = subject.interface.programs()?;
    if programs.is_empty() {
        return Ok(vec![Check::fine(ID, format!("no XDP program is on {}", subject.name()))]);
    }
    Ok(programs.iter().map(|program| of(ID, subject, program)).collect())
}

fn of(id: &'static str, subject: &Subject, program: &AttachedProgram) -> Check {
    let (name, word) = (subject.name(), subject.word());
    let AttachedProgram { mode, id: number, info, link, dispatcher, .. } = program;
    let called = match info {
        Some(info) => {
            format!("program {number} ({}, loaded by user {})", info.name, info.created_by)
        }
        None => format!("program {number}, whose name takes CAP_SYS_ADMIN to read,"),
    };
    let held = match (program.method, link) {
        (Some(AttachMethod::Link), Some(link)) => format!(", held by link {link}"),
        (Some(AttachMethod::Link), None) => ", held by a link".to_owned(),
        _ => String::new(),
    };
    let what = format!("{called} is on {name} in {mode} mode{held}");
    if info.as_ref().is_some_and(|info| info.name.starts_with(SHARED)) {
        return Check::note(
            id,
            format!(
                "{what}: by its name that of `xsk`, or of its library; sockets on other queues \
                 join it, and one that a killed process left is replaced"
            ),
        );
    }
    if info.as_ref().is_some_and(|info| OWN.contains(&info.name.as_str())) {
        let check = Check::problem(
            id,
            format!(
                "{what}: by its name that of `xsk`, or of its library, and of one process alone: \
                 others are refused until that one has ended"
            ),
        )
        .command(format!("xsk status {word}"));
        // That of a process that was killed stays.
        return match program.method {
            Some(AttachMethod::Netlink) => check.command(format!("xsk unload {word}")),
            _ => check,
        };
    }
    let off = match (dispatcher, link) {
        (Some(_), _) => format!("xdp-loader unload {word} --all"),
        (None, Some(link)) => format!("bpftool link detach id {link}"),
        (None, None) => take_off(&subject.interface, *mode),
    };
    let chain = match dispatcher {
        Some(Dispatcher { components: Some(components), .. }) if !components.is_empty() => {
            let part = |part: &DispatcherComponent| {
                let name = part.name.as_deref().unwrap_or("one without a name");
                format!("{name} (priority {})", part.priority)
            };
            let parts: Vec<_> = components.iter().map(part).collect();
            format!(", libxdp's dispatcher, with {}", parts.join(", "))
        }
        Some(_) => ", libxdp's dispatcher".to_owned(),
        None => String::new(),
    };
    Check::problem(
        id,
        format!("{what}{chain}: it is not `xsk`'s, which refuses to replace it without --replace"),
    )
    .command(off)
    .command(format!("xsk rxdrop -i {word} --replace"))
}
