//! What a check found.

use crate::report::output::printable;
use crate::report::paragraph::wrapped;
use serde_json::{Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it should be.
    Fine,
    /// Good to know: it stops some of what can be wanted.
    Note,
    /// It stops packets.
    Problem,
    /// It could not be looked at.
    Unknown,
}

impl Verdict {
    pub(crate) const ALL: [Self; 4] = [Self::Fine, Self::Note, Self::Problem, Self::Unknown];

    /// Returns the word, for people and in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Problem => "problem",
            Self::Unknown => "unknown",
        }
    }
}

/// A known fault of a kernel or a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its name in the list.
    pub(crate) id: String,
    /// Where it is described.
    pub(crate) source: String,
}

/// One check, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// Its name.
    pub(crate) id: &'static str,
    pub(crate) verdict: Verdict,
    /// A sentence.
    pub(crate) text: String,
    /// What to type: one command each.
    pub(crate) commands: Vec<String>,
    pub(crate) fault: Option<Fault>,
}

impl Check {
    pub(crate) fn new(id: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { id, verdict, text: text.into(), commands: Vec::new(), fault: None }
    }

    pub(crate) fn fine(id: &'static str, text: impl Into<String>) -> Self {
        Self::new(id, Verdict::Fine, text)
    }

    pub(crate) fn note(id: &'static str, text: impl Into<String>) -> Self {
        Self::new(id, Verdict::Note, text)
    }

    pub(crate) fn problem(id: &'static str, text: impl Into<String>) -> Self {
        Self::new(id, Verdict::Problem, text)
    }

    pub(crate) fn unknown(id: &'static str, text: impl Into<String>) -> Self {
        Self::new(id, Verdict::Unknown, text)
    }

    /// Adds a command to type.
    pub(crate) fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    /// Returns what it is in JSON.
    pub(crate) fn json(&self, interface: Option<&str>) -> Value {
        json!({
            "summary": false,
            "interface": interface,
            "check": self.id,
            "verdict": self.verdict.word(),
            "text": self.text,
            "commands": self.commands,
            "fault": self.fault.as_ref().map(|fault| &fault.id),
            "source": self.fault.as_ref().map(|fault| &fault.source),
        })
    }

    /// Returns its lines for people. Commands are not wrapped: they are there to be copied.
    pub(crate) fn lines(&self, columns: usize) -> Vec<String> {
        const INDENT: usize = 28;
        let mut lines = Vec::new();
        for text in wrapped(&printable(&self.text), columns - INDENT) {
            let (verdict, id) =
                if lines.is_empty() { (self.verdict.word(), self.id) } else { ("", "") };
            lines.push(format!("{verdict:<8} {id:<18} {text}"));
        }
        if let Some(fault) = &self.fault {
            let source = wrapped(&format!("Source: {}", fault.source), columns - INDENT);
            lines.extend(source.into_iter().map(|text| format!("{:INDENT$}{text}", "")));
        }
        for command in &self.commands {
            lines.push(format!("{:9}$ {}", "", printable(command)));
        }
        lines
    }
}
