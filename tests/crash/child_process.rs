//! Other processes: this test binary, running only [`another_process`].

use crate::fixture::Fixture;
use crate::leaks;
use crate::lifecycle::{Phase, Place};
use crate::random_numbers::Random;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use xsk::Interface;
use xsk::attach::{AttachMethod, AttachMode};

const ROLE: &str = "XSK_CRASH_ROLE";
const INTERFACE: &str = "XSK_CRASH_INTERFACE";
/// The byte before and after a neighbour's reply.
const ANSWER: u8 = b'@';

/// Another process, killed if it is dropped.
pub(crate) struct ChildProcess {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl ChildProcess {
    /// Starts it in the fixture's left namespace. `role` is "what method mode seed".
    pub(crate) fn start(fixture: &Fixture, role: &str) -> Self {
        let spawn = || {
            Command::new(std::env::current_exe().unwrap())
                .args([
                    "child_process::another_process",
                    "--exact",
                    "--nocapture",
                    "--test-threads=1",
                ])
                .env(INTERFACE, fixture.interface().name())
                .env(ROLE, role)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
        };
        let mut child = fixture.near().run(spawn).unwrap().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Waits until it writes the phase.
    pub(crate) fn wait_for(&mut self, phase: Phase) {
        while self.byte() != phase.letter() {}
    }

    /// Makes a neighbour receive packets; returns the id of its program.
    pub(crate) fn ask(&mut self) -> String {
        self.stdin.write_all(b"?").unwrap();
        while self.byte() != ANSWER {}
        let mut answer = Vec::new();
        loop {
            match self.byte() {
                ANSWER => return String::from_utf8(answer).unwrap(),
                byte => answer.push(byte),
            }
        }
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        match self.stdout.read(&mut byte).unwrap() {
            0 => panic!("the other process ended: {:?}", self.child.wait()),
            _ => byte[0],
        }
    }

    /// Kills it, and returns the phase in which it was: the last one that it wrote.
    pub(crate) fn kill(mut self, known: Phase) -> Phase {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
        let mut rest = Vec::new();
        self.stdout.read_to_end(&mut rest).unwrap();
        let last = rest.iter().rev().find_map(|byte| Phase::of_letter(*byte));
        last.unwrap_or(known)
    }

    /// Lets it end in an orderly way, and returns what else it wrote.
    pub(crate) fn end(mut self) -> String {
        self.stdin.write_all(b".").unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
        rest
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test by itself: what the other process does.
#[test]
fn another_process() {
    let (Ok(name), Ok(role)) = (std::env::var(INTERFACE), std::env::var(ROLE)) else {
        return;
    };
    let words: Vec<&str> = role.split(' ').collect();
    let [what, method, mode, seed] = words[..] else { panic!("{role}") };
    let interface = Interface::by_name(&name).unwrap();
    let place = Place {
        interface: &interface,
        queue: u32::from(what == "neighbour"),
        method: if method == "link" { AttachMethod::Link } else { AttachMethod::Netlink },
        mode: match mode {
            "native" => AttachMode::Native,
            "generic" => AttachMode::Generic,
            _ => AttachMode::Auto,
        },
        // A victim chooses for each lifecycle.
        three: false,
    };
    let seed = seed.parse().unwrap();
    // Not buffered: a buffer would be lost with the process.
    let mut out = File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap());
    let mut random = Random(seed);
    match what {
        "victim" => loop {
            let number = random.below(1_000_000_000) as u64;
            let mut report = |phase: Phase| out.write_all(&[phase.letter()]).unwrap();
            place.run(&mut random, number, &mut report).unwrap();
        },
        "neighbour" => {
            let mut user = place.start(true, &mut |_| ()).unwrap();
            let mut question = [0];
            while std::io::stdin().read(&mut question).unwrap() > 0 && question == *b"?" {
                // Packets that wait in the ring may be old.
                while user.turn() > 0 {}
                user.receive(16);
                assert_eq!(user.slots[0].slot(), place.queue);
                write!(out, "@{}@", user.attachment.program_id()).unwrap();
            }
            user.end();
        }
        _ => leaks::lifecycles(&interface, seed),
    }
}
