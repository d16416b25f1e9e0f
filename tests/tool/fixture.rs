//! The tool as a child process in a namespace, and a cable for it.

use crate::common::{Cable, left_on};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use xsk::attach::{Attachment, XdpMode};
use xsk::bpf::{Insn, Program, Reg, XskMap};
use xsk::interface::Interface;
use xsk::test_util::Namespace;

/// The binary under test; in a guest of `tests/vm` it is elsewhere than where it was built.
pub(crate) const TOOL: &str = match option_env!("XSK_TESTS_TOOL") {
    Some(path) => path,
    None => env!("CARGO_BIN_EXE_xsk"),
};
/// Longer than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Tests that take namespaces down keep the kernel from freeing queues in time.
pub(crate) const WAIT: &str = "--wait 20000";

/// A cable between two namespaces; the tool works at its left end, `near`.
pub(crate) struct Fixture {
    pub(crate) cable: Cable,
}

impl Fixture {
    pub(crate) fn new(queues: u32) -> Self {
        Self { cable: Cable::named(queues, "near", "far") }
    }

    /// Returns what is attached to the near end.
    pub(crate) fn attached(&self) -> Option<XdpMode> {
        attached(self.cable.veth.a())
    }

    /// Returns what the near end is left with.
    pub(crate) fn left(&self) -> Option<XdpMode> {
        left_on(self.cable.veth.a())
    }

    /// Starts the tool at the near end: the words of `line`, and `-i near --json`.
    pub(crate) fn start(&self, line: &str) -> Tool {
        Tool::start(&self.cable.left, &format!("{line} -i near --json {WAIT}"))
    }

    /// Sends `count` packets from the far end to a queue of the near one.
    pub(crate) fn send(&self, queue: u32, count: u32) {
        let line = format!("txonly -i far -q {queue} -C {count} --json {WAIT}");
        let sent = Tool::start(&self.cable.right, &line).summary();
        assert_eq!(sent["tx_packets"], count);
    }
}

/// Returns whether a program is there.
pub(crate) fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Returns what is attached to an interface.
pub(crate) fn attached(interface: &Interface) -> Option<XdpMode> {
    let state = interface.attached_programs().unwrap();
    state.programs().next().map(|(mode, _)| mode)
}

/// Attaches a program that is not the tool's to the near end, named `foreign`.
pub(crate) fn foreign(fixture: &Fixture, replace: bool) -> Attachment {
    foreign_on(&fixture.cable.left, fixture.cable.veth.a(), replace)
}

/// Attaches a program that is not the tool's to an interface of a namespace, named `foreign`.
pub(crate) fn foreign_on(here: &Namespace, interface: &Interface, replace: bool) -> Attachment {
    let insns = [Insn::mov64_imm(Reg::R0, 1), Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let program = Program::builder(&insns).name("foreign").license(c"MIT").load().unwrap();
    let map = XskMap::create("foreign_map", 1).unwrap();
    let builder = Attachment::builder(interface).program(program, map);
    let attach = || builder.replace_foreign(replace).attach();
    here.run(attach).unwrap().unwrap()
}

/// The tool, running.
pub(crate) struct Tool {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
    /// Lines of its standard error that say that it waits for a queue: the kernel may take its time
    /// to free one that another test had.
    pub(crate) waits: Vec<String>,
}

impl Ended {
    /// Returns the last JSON object of a run that succeeded.
    pub(crate) fn summary(&self) -> Value {
        self.summary_of(0)
    }

    /// Returns the last JSON object of a run that ended with this exit code.
    pub(crate) fn summary_of(&self, code: i32) -> Value {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        let summary = self.objects().pop().unwrap();
        assert_eq!(summary["summary"], true, "{self:?}");
        summary
    }

    /// Returns all JSON objects of a run, whose words the help has to list.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let objects = self.out.iter().map(|line| serde_json::from_str(line).unwrap());
        objects
            .inspect(|object: &Value| {
                for key in ["event", "ended"] {
                    if let Some(word) = object.get(key) {
                        assert!(listed(key).iter().any(|one| one == word), "{key}: {object}");
                    }
                }
            })
            .collect()
    }

    /// Returns the message of a run that failed.
    pub(crate) fn failure(&self) -> &str {
        self.failure_of(1)
    }

    /// Returns the message of a run that ended with this exit code.
    pub(crate) fn failure_of(&self, code: i32) -> &str {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        let message = self.err.last().unwrap();
        assert!(message.starts_with("xsk: "), "{self:?}");
        for words in ["::", "replace_foreign"] {
            assert!(!message.contains(words), "a word of the library: {self:?}");
        }
        message
    }
}

/// Returns the words that the help lists for `key`, "event" or "ended".
pub(crate) fn listed(key: &str) -> Vec<String> {
    static HELP: OnceLock<String> = OnceLock::new();
    let help = HELP.get_or_init(|| {
        let output = Command::new(TOOL).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    let (_, list) = help.split_once(&format!("\"{key}\" is one of:\n")).unwrap();
    let rows = list.lines().take_while(|line| line.starts_with("  "));
    rows.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// Returns the names of all commands, as the help lists them.
pub(crate) fn commands() -> Vec<String> {
    let output = Command::new(TOOL).arg("-h").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let rows = list.lines().take_while(|line| !line.is_empty());
    // Names are indented by two columns, and the rest of a description by more.
    let names = rows.filter_map(|line| line.strip_prefix("  ").filter(|row| !row.starts_with(' ')));
    names.map(|row| row.split_whitespace().next().unwrap().to_owned()).collect()
}

/// A directory that goes with the test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("xsk-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Tool {
    pub(crate) fn start(namespace: &Namespace, line: &str) -> Self {
        Self::spawn(namespace, Command::new(TOOL).args(line.split_whitespace()))
    }

    pub(crate) fn spawn(namespace: &Namespace, command: &mut Command) -> Self {
        namespace.run(|| Self::spawn_here(command)).unwrap()
    }

    /// Starts it in the namespace and with the privileges of the calling thread.
    pub(crate) fn spawn_here(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { out: lines(out), err: lines(err), child }
    }

    /// Waits for the first line, which comes when everything is attached and bound.
    pub(crate) fn ready(mut self) -> Self {
        let next = || self.err.recv_timeout(LIMIT);
        // The kernel may take its time to free a queue.
        let next = match next() {
            Ok(line) if line.starts_with("waiting for queue ") => next(),
            next => next,
        };
        match next {
            Ok(line) if line.contains(" queue") && !line.starts_with("xsk: ") => self,
            other => panic!("not ready: {other:?}, {:?}", self.child.try_wait()),
        }
    }

    /// Returns the id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the next line of the standard output.
    pub(crate) fn line(&self) -> String {
        self.out.recv_timeout(LIMIT).unwrap()
    }

    /// Returns the next line of the standard error output.
    pub(crate) fn note(&self) -> String {
        self.err.recv_timeout(LIMIT).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Returns whether it has mapped rings of a socket.
    pub(crate) fn has_rings(&self) -> bool {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.child.id())).unwrap();
        maps.contains("socket:[")
    }

    /// Returns how it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Stops reading its standard output.
    pub(crate) fn hang_up(&mut self) {
        let (_, unread) = channel();
        self.out = unread;
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > LIMIT {
                let [out, err] = [&self.out, &self.err].map(|lines| lines.try_iter().collect());
                let (out, err): (Vec<_>, Vec<_>) = (out, err);
                panic!("the tool does not end: {out:?}, {err:?}");
            }
            thread::sleep(Duration::from_millis(1));
        };
        let (waits, err) = self.err.iter().partition(|line| line.starts_with("waiting for queue "));
        Ended { status, out: self.out.iter().collect(), err, waits }
    }

    /// Waits for its end, which must be a success, and returns its summary.
    #[track_caller]
    pub(crate) fn summary(self) -> Value {
        self.end().summary()
    }

    /// Asks it to end.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::INT);
        self.end()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the lines of a stream, read by a thread, which closes the stream when the receiver is
/// gone.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            if line.is_err() || sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}
