//! Attaching to a veth pair and detaching from it: the kernel's behaviour, and its reasons.

use super::{Condition, attach_netlink, detach_netlink};
use crate::bpf::{Insn, Program, Reg};
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::test_util::{Namespace, VethPair, ip, privileged};
use crate::types::XdpMode;
use rustix::io::Errno;
use std::os::fd::AsFd;

const PASS: i32 = 2;

fn program() -> Program {
    Program::builder(&[Insn::mov64_imm(Reg::R0, PASS), Insn::exit()])
        .name("xsk_test")
        .license(c"GPL")
        .load()
        .unwrap()
}

/// Returns the attached programs, as (mode, id).
fn state(interface: &Interface) -> Vec<(XdpMode, u32)> {
    interface.attached_programs().unwrap().programs().collect()
}

/// Returns the error number and the kernel's text of a failed request.
fn refusal<T: std::fmt::Debug>(result: Result<T>) -> (Errno, Option<String>) {
    match result.unwrap_err() {
        Error::Attach { errno, message, .. } | Error::Detach { errno, message, .. } => {
            (errno, message)
        }
        other => panic!("{other:?}"),
    }
}

/// A veth pair and two programs.
struct Fixture {
    pair: VethPair,
    program: Program,
    other: Program,
}

impl Fixture {
    fn new() -> Self {
        let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        let pair = VethPair::builder().build(&left, &right).unwrap();
        Self { pair, program: program(), other: program() }
    }

    fn attach(&self, program: &Program, mode: XdpMode, condition: Condition<'_>) -> Result<()> {
        attach_netlink(self.pair.a(), program.as_fd(), mode, condition)
    }

    fn detach(&self, program: &Program, mode: XdpMode) -> Result<()> {
        detach_netlink(self.pair.a(), mode, program.as_fd(), program.id())
    }

    fn state(&self) -> Vec<(XdpMode, u32)> {
        state(self.pair.a())
    }
}

#[test]
fn a_program_comes_and_goes_in_both_modes() {
    let Some(fixture) = privileged!().then(Fixture::new) else { return };
    for mode in [XdpMode::Native, XdpMode::Generic] {
        assert_eq!(fixture.state(), []);
        fixture.attach(&fixture.program, mode, Condition::Vacant).unwrap();
        assert_eq!(fixture.state(), [(mode, fixture.program.id())]);
        fixture.detach(&fixture.program, mode).unwrap();
    }
    assert_eq!(fixture.state(), []);
}

#[test]
fn a_vacant_interface_can_be_required() {
    let Some(fixture) = privileged!().then(Fixture::new) else { return };
    fixture.attach(&fixture.other, XdpMode::Native, Condition::Vacant).unwrap();
    let (errno, text) =
        refusal(fixture.attach(&fixture.program, XdpMode::Native, Condition::Vacant));
    assert_eq!((errno, text.as_deref()), (Errno::BUSY, Some("XDP program already attached")));
    let (errno, text) =
        refusal(fixture.attach(&fixture.program, XdpMode::Generic, Condition::Vacant));
    assert_eq!(errno, Errno::EXIST);
    assert!(text.is_some_and(|text| text.contains("same time")));
    assert_eq!(fixture.state(), [(XdpMode::Native, fixture.other.id())]);
}

#[test]
fn only_the_expected_program_is_replaced() {
    let Some(fixture) = privileged!().then(Fixture::new) else { return };
    let third = program();
    fixture.attach(&fixture.other, XdpMode::Native, Condition::Vacant).unwrap();
    let (errno, text) = refusal(fixture.attach(
        &third,
        XdpMode::Native,
        Condition::Replacing(fixture.program.as_fd()),
    ));
    assert_eq!(
        (errno, text.as_deref()),
        (Errno::EXIST, Some("Active program does not match expected"))
    );
    assert_eq!(fixture.state(), [(XdpMode::Native, fixture.other.id())]);
    fixture.attach(&third, XdpMode::Native, Condition::Replacing(fixture.other.as_fd())).unwrap();
    assert_eq!(fixture.state(), [(XdpMode::Native, third.id())]);
    fixture.attach(&fixture.program, XdpMode::Native, Condition::Anything).unwrap();
    assert_eq!(fixture.state(), [(XdpMode::Native, fixture.program.id())]);
}

#[test]
fn only_the_expected_program_is_detached() {
    let Some(fixture) = privileged!().then(Fixture::new) else { return };
    let (errno, _) = refusal(fixture.detach(&fixture.program, XdpMode::Native));
    assert_eq!(errno, Errno::EXIST, "no program");
    fixture.attach(&fixture.other, XdpMode::Generic, Condition::Vacant).unwrap();
    for mode in [XdpMode::Generic, XdpMode::Native] {
        let (errno, text) = refusal(fixture.detach(&fixture.program, mode));
        assert_eq!(
            (errno, text.as_deref()),
            (Errno::EXIST, Some("Active program does not match expected"))
        );
    }
    let (errno, _) = refusal(fixture.detach(&fixture.other, XdpMode::Native));
    assert_eq!(
        errno,
        Errno::EXIST,
        "the wrong mode: without the condition the kernel would report success"
    );
    assert_eq!(fixture.state(), [(XdpMode::Generic, fixture.other.id())]);
    fixture.detach(&fixture.other, XdpMode::Generic).unwrap();
    assert_eq!(fixture.state(), []);
}

#[test]
fn a_refusal_of_the_driver_keeps_its_words() {
    let Some(fixture) = privileged!().then(Fixture::new) else { return };
    ip::set_mtu(fixture.pair.b(), 9000).unwrap();
    let (errno, text) =
        refusal(fixture.attach(&fixture.program, XdpMode::Native, Condition::Vacant));
    assert_eq!(errno, Errno::RANGE);
    assert!(text.is_some_and(|text| text.contains("MTU")));

    let namespace = Namespace::new().unwrap();
    let loopback = namespace.interface("lo").unwrap();
    let refused =
        attach_netlink(&loopback, fixture.program.as_fd(), XdpMode::Native, Condition::Vacant);
    let (errno, text) = refusal(refused);
    assert_eq!(errno, Errno::OPNOTSUPP);
    assert!(text.is_some());
}

#[test]
fn an_interface_that_is_gone_is_reported() {
    let Some(fixture) = privileged!().then(Fixture::new) else { return };
    fixture.attach(&fixture.program, XdpMode::Native, Condition::Vacant).unwrap();
    ip::delete(fixture.pair.b()).unwrap();
    assert_eq!(
        refusal(fixture.attach(&fixture.program, XdpMode::Native, Condition::Vacant)).0,
        Errno::NODEV
    );
    assert_eq!(refusal(fixture.detach(&fixture.program, XdpMode::Native)).0, Errno::NODEV);
}

#[test]
fn a_thread_in_another_namespace_attaches_where_the_interface_is() {
    let Some(fixture) = privileged!().then(Fixture::new) else { return };
    let elsewhere = Namespace::new().unwrap();
    elsewhere
        .run(|| {
            fixture.attach(&fixture.program, XdpMode::Native, Condition::Vacant).unwrap();
            assert_eq!(fixture.state(), [(XdpMode::Native, fixture.program.id())]);
            fixture.detach(&fixture.program, XdpMode::Native).unwrap();
        })
        .unwrap();
}
