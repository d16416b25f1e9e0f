//! An example as a child process in a namespace.

use crate::common::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use xsk::Interface;
use xsk::test_util::Namespace;

/// A running example.
pub(crate) struct Example {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

/// How it ended, and what it wrote that was not read before.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
}

impl Example {
    /// Starts an example: its name and its arguments. `ready` lines with the mode in them say that
    /// it is attached.
    pub(crate) fn start(namespace: &Namespace, line: &str, ready: usize) -> Self {
        let mut words = line.split_whitespace();
        let mut command = Command::new(path(words.next().unwrap()));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = namespace.run(|| command.spawn().unwrap()).unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let example = Self { out: lines(out), err: lines(err), child };
        for _ in 0..ready {
            let line = example.err.recv_timeout(PATIENCE).unwrap();
            assert!(line.contains(" mode, "), "{line}");
        }
        example
    }

    /// Starts an example as [`start`](Self::start) does, with a pipe as its standard input.
    pub(crate) fn with_input(namespace: &Namespace, line: &[&str]) -> (Self, ChildStdin) {
        let (name, args) = line.split_first().unwrap();
        let mut command = Command::new(path(name));
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = namespace.run(|| command.spawn().unwrap()).unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let input = child.stdin.take().unwrap();
        (Self { out: lines(out), err: lines(err), child }, input)
    }

    /// Returns the next line of its standard error.
    pub(crate) fn error_line(&self) -> String {
        self.err.recv_timeout(PATIENCE).unwrap()
    }

    /// Returns the next line of its standard output.
    pub(crate) fn line(&self) -> String {
        self.out.recv_timeout(PATIENCE).unwrap()
    }

    /// Returns the next line of its standard output, if it has written one by now.
    pub(crate) fn try_line(&self) -> Option<String> {
        self.out.try_recv().ok()
    }

    /// Sends it a signal that does not end it.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.id()).unwrap(), signal).unwrap();
    }

    /// Returns the id of its process.
    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends it a signal and waits for its end.
    pub(crate) fn stop(self, signal: Signal) -> Ended {
        kill_process(Pid::from_raw(self.id()).unwrap(), signal).unwrap();
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "the example does not end");
            thread::sleep(Duration::from_millis(1));
        };
        Ended { status, out: self.out.iter().collect(), err: self.err.iter().collect() }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Asserts that it ended well, and that nothing is attached to the interfaces any more.
    #[track_caller]
    pub(crate) fn well(&self, interfaces: &[&Interface]) {
        assert_eq!((self.status.code(), &self.err), (Some(0), &vec![]), "{self:?}");
        for interface in interfaces {
            assert_eq!(crate::common::left_on(interface), None, "{interface:?}");
        }
    }

    /// Asserts that it ended with one message, in which there is `word`.
    #[track_caller]
    pub(crate) fn names(&self, word: &str) {
        assert_eq!((self.status.code(), self.err.len()), (Some(1), 1), "{self:?}");
        assert!(self.err[0].contains(word), "{self:?}");
    }
}

/// Returns where cargo puts an example: beside the directory of the tests.
fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is built by `cargo build --examples`", path.display());
    path
}

/// Returns the lines of a stream, read by a thread.
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

/// Sends datagrams of several lengths, and receives each of them back before the next one goes.
#[track_caller]
pub(crate) fn datagrams_come_back(socket: &UdpSocket, lens: &[usize]) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    for (number, &len) in lens.iter().enumerate() {
        let data: Vec<u8> = (0..len).map(|at| (at * 7 + number) as u8).collect();
        socket.send(&data).unwrap();
        let mut back = [0; 2048];
        let received = socket.recv(&mut back).unwrap_or_else(|error| panic!("{len}: {error}"));
        assert!(back[..received] == data, "{len} bytes, {received} came back");
    }
}
