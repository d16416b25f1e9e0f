//! `xsk doctor`: looks for what keeps packets from sockets, and changes nothing.

mod check;
mod driver;
mod known_faults;
mod link;
mod machine;
mod programs;
mod queues;
mod rights;
mod subject;
mod version;

use crate::command_line::doctor::DoctorArgs;
use crate::doctor::check::{Check, Verdict};
use crate::doctor::subject::Subject;
use crate::doctor::version::Version;
use crate::failure::{NotWritten, Result};
use crate::report::output::{printable, width};
use crate::run::ended::Ended;
use crate::run::port;
use serde_json::json;
use std::io::{self, BufWriter, Write};
use xsk::Interface;
use xsk::multi_queue::QueueSet;

pub(crate) fn run(args: &DoctorArgs) -> Result<Ended> {
    let interface = args.interface.as_deref().map(port::interface).transpose()?;
    let set = args.queue.clone().unwrap_or_else(|| QueueSet::from(0));
    let subject = interface.clone().map(Subject::new).transpose()?;
    let queues = subject.as_ref().map_or(1, |subject| set.numbers(subject.queues).len());
    let machine = machine::checks(queues.max(1));
    let mut report = Report::new(args.json);
    report.head(&format!("this machine, Linux {}", Version::running().0))?;
    report.checks(None, &machine)?;
    let mut counted = machine;
    match &subject {
        Some(subject) => {
            let checks = of_interface(subject, &set, true)?;
            report.head(subject.name())?;
            report.checks(Some(subject.name()), &checks)?;
            counted.extend(checks);
        }
        None => {
            report.head("interfaces (`xsk doctor IF` shows all of one)")?;
            for interface in Interface::all()? {
                report.checks(Some(interface.name()), &[in_short(&interface)])?;
            }
        }
    }
    let broken = counted.iter().any(|check| check.verdict == Verdict::Problem);
    report.summary(interface.as_ref(), &counted, broken)?;
    Ok(if broken { Ended::Broken } else { Ended::Count })
}

/// Runs the checks of an interface; with `by_trial` a socket may be bound to it.
fn of_interface(subject: &Subject, set: &QueueSet, by_trial: bool) -> Result<Vec<Check>> {
    let wanted = set.numbers(subject.queues);
    let mut checks = link::state(subject);
    checks.push(link::kind(subject)?);
    checks.extend(driver::modes(subject));
    checks.extend(programs::attached(subject)?);
    checks.push(queues::numbers(subject, &wanted));
    let there: Vec<u32> =
        wanted.iter().copied().filter(|queue| *queue < subject.queues.current()).collect();
    if !there.is_empty() {
        checks.push(queues::spread(subject, set, &there)?);
        checks.push(queues::taken(subject, &there, by_trial)?);
    }
    checks.push(link::mtu(subject));
    checks.extend(driver::rings(subject)?);
    checks.extend(driver::offloads(subject)?);
    checks.push(link::promiscuity(subject));
    checks.push(queues::napi(subject, &wanted)?);
    checks.push(link::route(subject)?);
    checks.extend(driver::faults(subject));
    Ok(checks)
}

/// Returns one check for all of an interface.
fn in_short(interface: &Interface) -> Check {
    const ID: &str = "interface";
    let name = interface.name();
    let checks = Subject::new(interface.clone())
        .and_then(|subject| of_interface(&subject, &QueueSet::from(0), false));
    let checks = match checks {
        Ok(checks) => checks,
        Err(failure) => return Check::unknown(ID, failure.to_string()),
    };
    let of = |verdict| checks.iter().filter(move |check| check.verdict == verdict);
    match (of(Verdict::Problem).next(), of(Verdict::Note).count()) {
        (Some(problem), _) => {
            let more = of(Verdict::Problem).count() - 1;
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            Check::problem(ID, format!("{}{more}", problem.text))
        }
        (None, 0) => Check::fine(ID, format!("{name}: nothing is known against it")),
        (None, notes) => Check::note(ID, format!("{name}: {notes} note(s)")),
    }
}

/// What is written to the standard output.
struct Report {
    output: BufWriter<io::Stdout>,
    json: bool,
    columns: usize,
}

impl Report {
    fn new(json: bool) -> Self {
        Self { output: BufWriter::new(io::stdout()), json, columns: width() }
    }

    fn line(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.output, "{text}").map_err(NotWritten)?)
    }

    fn head(&mut self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { self.line(&printable(text)) }
    }

    fn checks(&mut self, interface: Option<&str>, checks: &[Check]) -> Result<()> {
        for check in checks {
            if self.json {
                self.line(&check.json(interface).to_string())?;
                continue;
            }
            for line in check.lines(self.columns) {
                self.line(&line)?;
            }
        }
        Ok(())
    }

    fn summary(
        &mut self,
        interface: Option<&Interface>,
        checks: &[Check],
        broken: bool,
    ) -> Result<()> {
        let [fine, notes, problems, unknown] = Verdict::ALL
            .map(|verdict| checks.iter().filter(|check| check.verdict == verdict).count());
        if self.json {
            let object = json!({
                "summary": true,
                "kernel": Version::running().0,
                "interface": interface.map(Interface::name),
                "fine": fine,
                "notes": notes,
                "problems": problems,
                "unknown": unknown,
                "broken": broken,
            });
            self.line(&object.to_string())?;
        } else {
            let counts = format!("{problems} problem(s), {notes} note(s), {fine} fine");
            self.line(&format!("{counts}, {unknown} unknown"))?;
        }
        Ok(self.output.flush().map_err(NotWritten)?)
    }
}
