//! The tool as a child process in a namespace, and a cable for it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use xsk::attach::{Attachment, XdpMode};
use xsk::bpf::{Insn, Program, Reg, XskMap};
use xsk::interface::Interface;
use xsk::test_util::{Namespace, VethPair, privileged};

/// The binary under test.
pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_xsk");
/// Longer than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Tests that take namespaces down keep the kernel from freeing queues in time.
pub(crate) const WAIT: &str = "--wait 20000";

/// A cable between two namespaces; the tool works at the near end.
pub(crate) struct Rig {
    pub(crate) cable: VethPair,
    pub(crate) near: Namespace,
    pub(crate) far: Namespace,
}

impl Rig {
    /// `None`, said aloud, without privileges.
    pub(crate) fn new(test: &str, queues: u32) -> Option<Self> {
        if !privileged(test) {
            return None;
        }
        let (near, far) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        let cable =
            VethPair::builder().queues(queues).names("near", "far").build(&near, &far).unwrap();
        Some(Self { cable, near, far })
    }

    /// What is attached to the near end.
    pub(crate) fn attached(&self) -> Option<XdpMode> {
        attached(self.cable.a())
    }

    /// The tool at the near end: the words of `line`, and `-i near --json`.
    pub(crate) fn start(&self, line: &str) -> Tool {
        Tool::start(&self.near, &format!("{line} -i near --json {WAIT}"))
    }

    /// Sends `count` packets from the far end to a queue of the near one.
    pub(crate) fn send(&self, queue: u32, count: u32) {
        let line = format!("txonly -i far -q {queue} -C {count} --json {WAIT}");
        let sent = Tool::start(&self.far, &line).summary();
        assert_eq!(sent["tx_packets"], count);
    }
}

/// What is attached to an interface.
pub(crate) fn attached(interface: &Interface) -> Option<XdpMode> {
    let state = interface.attached_programs().unwrap();
    state.programs().next().map(|(mode, _)| mode)
}

/// Attaches a program that is not the tool's to the near end, named `foreign`.
pub(crate) fn foreign(rig: &Rig, replace: bool) -> Attachment {
    let insns = [Insn::mov64_imm(Reg::R0, 1), Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let program = Program::builder(&insns).name("foreign").license(c"MIT").load().unwrap();
    let map = XskMap::create("foreign_map", 1).unwrap();
    let builder = Attachment::builder(rig.cable.a()).program(program, map);
    let attach = || builder.replace_foreign(replace).attach();
    rig.near.run(attach).unwrap().unwrap()
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
}

impl Ended {
    /// The last JSON object of a run that went well.
    pub(crate) fn summary(&self) -> Value {
        assert_eq!(self.status.code(), Some(0), "{self:?}");
        let summary: Value = serde_json::from_str(self.out.last().unwrap()).unwrap();
        assert_eq!(summary["summary"], true, "{self:?}");
        summary
    }

    /// The message of a run that failed.
    pub(crate) fn failure(&self) -> &str {
        assert_eq!(self.status.code(), Some(1), "{self:?}");
        let message = self.err.last().unwrap();
        assert!(message.starts_with("xsk: "), "{self:?}");
        message
    }
}

impl Tool {
    pub(crate) fn start(namespace: &Namespace, line: &str) -> Self {
        Self::spawn(namespace, Command::new(TOOL).args(line.split_whitespace()))
    }

    pub(crate) fn spawn(namespace: &Namespace, command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = namespace.run(|| command.spawn().unwrap()).unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { out: lines(out), err: lines(err), child }
    }

    /// Waits for the first line, which comes when everything is attached and bound.
    pub(crate) fn ready(mut self) -> Self {
        match self.err.recv_timeout(LIMIT) {
            Ok(line) if line.contains(" queue ") && !line.starts_with("xsk: ") => self,
            other => panic!("not ready: {other:?}, {:?}", self.child.try_wait()),
        }
    }

    /// The next line of the standard output.
    pub(crate) fn line(&self) -> String {
        self.out.recv_timeout(LIMIT).unwrap()
    }

    /// The next line of the standard error output.
    pub(crate) fn note(&self) -> String {
        self.err.recv_timeout(LIMIT).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Nobody listens to it any more.
    pub(crate) fn hang_up(&mut self) {
        let (_, deaf) = channel();
        self.out = deaf;
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < LIMIT, "it does not end");
            thread::sleep(Duration::from_millis(1));
        };
        Ended { status, out: self.out.iter().collect(), err: self.err.iter().collect() }
    }

    /// Waits for its end, which is a good one.
    pub(crate) fn summary(self) -> Value {
        self.end().summary()
    }

    /// Asks it to end.
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

/// The lines of a stream, read by a thread; it closes the stream when nobody listens.
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

/// Waits until `condition` holds.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
