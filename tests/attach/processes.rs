//! Several processes on one interface, which end in every order and in every way.

use crate::common::{METHODS, as_nobody, path_for_anybody, rounds, rx_socket, wait_for};
use crate::fixture::{Fixture, count, counting_socket, program_named};
use rustix::thread::CapabilitySet;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use xsk::attach::{AttachMethod, AttachMode, Attachment, XdpMode};
use xsk::bpf::{Program, XskMap};
use xsk::interface::Interface;
use xsk::test_util::privileged;

const THE_OTHER: &str = "processes::the_other_process";
pub(crate) const NAME: &str = "XSK_TEST_INTERFACE";
pub(crate) const ROLE: &str = "XSK_TEST_ROLE";

/// Another process: this test binary, running only [`the_other_process`].
pub(crate) struct Other {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Other {
    /// Starts it in the fixture's left namespace and waits for its first line.
    pub(crate) fn start(fixture: &Fixture, role: &str) -> (Self, String) {
        let program = std::env::current_exe().unwrap();
        Self::of(fixture.inside(|| Self::spawn(&program, THE_OTHER, fixture, role)))
    }

    /// The same of a process that runs this test.
    pub(crate) fn start_as(test: &str, fixture: &Fixture, role: &str) -> (Self, String) {
        let program = std::env::current_exe().unwrap();
        Self::of(fixture.inside(|| Self::spawn(&program, test, fixture, role)))
    }

    /// The same, as a user with only these capabilities.
    pub(crate) fn start_with(kept: CapabilitySet, fixture: &Fixture, role: &str) -> (Self, String) {
        let (_file, program) = path_for_anybody(std::env::current_exe().unwrap());
        let spawn = || Self::spawn(program.as_ref(), THE_OTHER, fixture, role);
        Self::of(as_nobody(kept, &fixture.cable.left, spawn))
    }

    fn spawn(program: &Path, test: &str, fixture: &Fixture, role: &str) -> Child {
        Command::new(program)
            .args([test, "--exact", "--nocapture"])
            .env(NAME, fixture.interface().name())
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn of(mut child: Child) -> (Self, String) {
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut other = Self { child, stdin, stdout };
        let answer = other.answer();
        (other, answer)
    }

    /// Returns the next line that it writes, among what the test harness writes.
    pub(crate) fn answer(&mut self) -> String {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            if let Some((_, answer)) = line.trim_end().split_once("@@") {
                return answer.to_owned();
            }
            line.clear();
        }
        panic!("the other process ended: {:?}", self.child.wait());
    }

    pub(crate) fn ask(&mut self, question: &str) -> String {
        writeln!(self.stdin, "{question}").unwrap();
        self.answer()
    }

    /// Tells it to do something, and waits for its end.
    pub(crate) fn end(mut self, how: &str) {
        writeln!(self.stdin, "{how}").unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn leave(mut self) {
        assert_eq!(self.ask("leave"), "left");
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@@{what}").unwrap();
    out.flush().unwrap();
}

/// Not a test by itself: what the other process does. `ROLE` is "method mode queue", and perhaps
/// more words: a program of its own ("own", "twin": the same name, other instructions; or the ids of
/// one and of its map), "replace", "take_over".
#[test]
fn the_other_process() {
    let (Ok(name), Ok(role)) = (std::env::var(NAME), std::env::var(ROLE)) else {
        return;
    };
    let words: Vec<&str> = role.split(' ').collect();
    let [method, mode, queue, ref options @ ..] = words[..] else { panic!("{role}") };
    let method = match method {
        "link" => Some(AttachMethod::Link),
        "netlink" => Some(AttachMethod::Netlink),
        _ => None,
    };
    let mode = match mode {
        "native" => AttachMode::Native,
        "generic" => AttachMode::Generic,
        _ => AttachMode::Auto,
    };
    let interface = Interface::by_name(&name).unwrap();
    let build = || {
        let mut builder = Attachment::builder(&interface).mode(mode);
        if let Some(method) = method {
            builder = builder.method(method);
        }
        let ids: Vec<u32> = options.iter().filter_map(|option| option.parse().ok()).collect();
        if let [program, map] = ids[..] {
            let (program, map) = (Program::from_id(program), XskMap::from_id(map));
            builder = builder.program(program.unwrap(), map.unwrap());
        }
        for option in options.iter().filter(|option| option.parse::<u32>().is_err()) {
            builder = match *option {
                "replace" => builder.replace_foreign(true),
                "take_over" => builder.take_over(true),
                option => {
                    let (program, map) = program_named("own", i32::from(option == "twin"));
                    builder.program(program, map)
                }
            };
        }
        builder.attach()
    };
    let mut lines = std::io::stdin().lines();
    if queue == "storm" {
        say("ready");
        loop {
            let attachment = build().unwrap();
            let registration = attachment.register(1, rx_socket().as_fd()).unwrap();
            registration.close().unwrap();
            attachment.close().unwrap();
        }
    }
    let attachment = match build() {
        Ok(attachment) => attachment,
        Err(error) => return say(&format!("error: {error}")),
    };
    let with_socket: Option<u32> = queue.parse().ok();
    let socket = with_socket.map(|queue| {
        let socket = counting_socket(&interface, queue);
        let registration = attachment.register(queue, socket.as_fd()).unwrap();
        (socket, registration)
    });
    say(&format!("{} {}", attachment.program_id(), attachment.joined()));
    loop {
        match lines.next().unwrap().unwrap().as_str() {
            "count" => say(&socket.as_ref().map_or(0, |(socket, _)| count(socket)).to_string()),
            "how" => say(&format!("{}, {}", attachment.method(), attachment.method_reason())),
            "replaced" => {
                say(&attachment.replaced().map_or("none".to_owned(), |old| old.to_string()))
            }
            _ => break,
        }
    }
    if let Some((_, registration)) = socket {
        registration.close().unwrap();
    }
    attachment.close().unwrap();
    say("left");
}

#[test]
fn two_processes_share_a_program_and_either_may_end_first() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let sender = fixture.sender();
    for method in METHODS {
        for first_ends in [true, false] {
            for killed in [true, false] {
                let (first, said) = Other::start(&fixture, &format!("{method} auto 0"));
                let id: u32 = said.strip_suffix(" false").unwrap().parse().unwrap();
                let (second, said) = Other::start(&fixture, &format!("{method} auto 1"));
                assert_eq!(said, format!("{id} true"));
                let (ending, mut staying) =
                    if first_ends { (first, second) } else { (second, first) };
                if killed {
                    ending.kill();
                } else {
                    ending.leave();
                }
                assert_eq!(
                    fixture.attached(),
                    Some((XdpMode::Native, id)),
                    "{method} {first_ends} {killed}"
                );
                let before: u64 = staying.ask("count").parse().unwrap();
                wait_for("packets for the user that stays", || {
                    sender.send();
                    staying.ask("count").parse::<u64>().unwrap() > before
                });
                staying.leave();
                fixture.assert_vacant();
            }
        }
    }
}

#[test]
fn a_killed_user_leaves_what_its_method_says_and_the_next_start_works() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for next_method in METHODS {
        for (next_mode, mode) in
            [(AttachMode::Native, XdpMode::Native), (AttachMode::Generic, XdpMode::Generic)]
        {
            let (other, _) = Other::start(&fixture, "link native 0");
            other.kill();
            fixture.assert_vacant();

            let (other, said) = Other::start(&fixture, "netlink native 0");
            let id: u32 = said.strip_suffix(" false").unwrap().parse().unwrap();
            other.kill();
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)), "netlink leaves it behind");
            let next = fixture.inside(|| {
                Attachment::builder(fixture.interface())
                    .mode(next_mode)
                    .method(next_method)
                    .attach()
            });
            let next = next.unwrap();
            assert_eq!(fixture.attached(), Some((mode, next.program_id())));
            let same = next_method == AttachMethod::Netlink && mode == XdpMode::Native;
            assert_eq!(next.joined(), same);
            assert_eq!(next.program_id() == id, same);
            next.close().unwrap();
            fixture.assert_vacant();
        }
    }
    // Auto takes over a program in native mode, and replaces one in generic mode by one in native
    // mode.
    for (left, joined) in [("native", true), ("generic", false)] {
        Other::start(&fixture, &format!("netlink {left} 0")).0.kill();
        let next = fixture.inside(|| Attachment::builder(fixture.interface()).attach()).unwrap();
        assert_eq!((next.joined(), next.mode()), (joined, XdpMode::Native));
        next.close().unwrap();
        fixture.assert_vacant();
    }
}

#[test]
fn a_user_without_a_socket_keeps_its_program() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for method in METHODS {
        let (silent, said) = Other::start(&fixture, &format!("{method} native none"));
        let id: u32 = said.strip_suffix(" false").unwrap().parse().unwrap();
        let ours = fixture
            .inside(|| Attachment::builder(fixture.interface()).method(method).attach())
            .unwrap();
        let registration = ours.register(0, fixture.inside(rx_socket).as_fd()).unwrap();
        registration.close().unwrap();
        ours.close().unwrap();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        silent.leave();
        fixture.assert_vacant();
    }
}

#[test]
fn kills_at_any_moment_leave_the_program_of_the_other_user() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for method in METHODS {
        for round in 0..rounds(5).max(4) {
            let (storm, _) = Other::start(&fixture, &format!("{method} native storm"));
            fixture.inside(|| {
                let mut storm = Some(storm);
                for turn in 0..8 {
                    if turn == 1 + round % 4 {
                        if let Some(storm) = storm.take() {
                            storm.kill();
                        }
                    }
                    let attachment =
                        Attachment::builder(fixture.interface()).method(method).attach().unwrap();
                    let registration = attachment.register(0, rx_socket().as_fd()).unwrap();
                    for _ in 0..20 {
                        assert_eq!(
                            fixture.attached(),
                            Some((XdpMode::Native, attachment.program_id())),
                            "the program is gone"
                        );
                    }
                    registration.close().unwrap();
                    attachment.close().unwrap();
                }
            });
            fixture.assert_vacant();
        }
    }
}
