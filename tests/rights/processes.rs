//! Other processes: this test binary, running only [`another_process`]. Standard input is a Unix
//! socket to the test.

use crate::common::{PATIENCE, wait_for};
use crate::fixture::{Worker, drop_all_rights};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus};
use xsk::handover::{self, Grant};
use xsk::socket::XskFd;
use xsk::test_util::Namespace;
use xsk::{AttachMethod, Attachment, Interface};

const ROLE: &str = "XSK_RIGHTS_ROLE";

/// Another process, killed if it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) stream: UnixStream,
}

impl Process {
    /// Starts one with this role in a namespace.
    pub(crate) fn start(namespace: &Namespace, role: &str) -> Self {
        let command = Command::new(std::env::current_exe().unwrap());
        namespace.run(|| Self::spawn(command, role)).unwrap()
    }

    /// Starts one by a command, to which the arguments of the test binary are added.
    pub(crate) fn spawn(mut command: Command, role: &str) -> Self {
        let (stream, theirs) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let arguments =
            ["processes::another_process", "--exact", "--nocapture", "--test-threads=1"];
        command.args(arguments).env(ROLE, role).stdin(OwnedFd::from(theirs));
        // What it prints is only read if it fails.
        let child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        Self { child, stream }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says this.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, word: u8) {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).unwrap();
        assert_eq!(byte[0], word);
    }

    pub(crate) fn kill(&mut self) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the other process to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test by itself: what the other process does.
#[test]
fn another_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    match role.as_str() {
        "helper by netlink" => helper(&mut stream, AttachMethod::Netlink),
        "helper by link" => helper(&mut stream, AttachMethod::Link),
        "worker" => worker(&mut stream),
        "user namespace" => crate::user_namespace::inside(&mut stream),
        role => panic!("{role}"),
    }
}

/// Hands a socket and the map of a program over, and keeps the program until the test ends it.
fn helper(stream: &mut UnixStream, method: AttachMethod) {
    let interface = Interface::by_name("xsk-a").unwrap();
    let program = Attachment::builder(&interface).method(method).attach().unwrap();
    let socket = XskFd::open().unwrap();
    let grant = Grant::new(&interface, 0, socket, program.map().try_clone().unwrap());
    handover::send(&*stream, grant).unwrap();
    let _ = stream.read(&mut [0]);
    program.close().unwrap();
}

/// Takes a socket and a map, and keeps the socket in its slot until the test ends it.
fn worker(stream: &mut UnixStream) {
    drop_all_rights();
    let worker = Worker::new(handover::receive(&*stream, Some(PATIENCE)).unwrap()).unwrap();
    stream.write_all(b"r").unwrap();
    let _ = stream.read(&mut [0]);
    worker.slot.remove().unwrap();
}
