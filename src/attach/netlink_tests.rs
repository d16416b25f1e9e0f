//! Programs put on and taken off a veth by netlink: what the kernel does, and in which words it refuses.

use super::netlink::{Condition, attach_netlink, detach_netlink};
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

/// What is attached, as (mode, id).
fn state(interface: &Interface) -> Vec<(XdpMode, u32)> {
    interface.attached_programs().unwrap().programs().collect()
}

/// The error number and the kernel's words of a refused attachment.
fn refusal<T: std::fmt::Debug>(result: Result<T>) -> (Errno, Option<String>) {
    match result.unwrap_err() {
        Error::Attach { errno, message, .. } | Error::Detach { errno, message, .. } => {
            (errno, message)
        }
        other => panic!("{other:?}"),
    }
}

/// A pair, and two programs.
struct Bed {
    pair: VethPair,
    ours: Program,
    other: Program,
}

impl Bed {
    fn new(name: &str) -> Option<Self> {
        let ready = || {
            let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
            let pair = VethPair::builder().build(&left, &right).unwrap();
            Self { pair, ours: program(), other: program() }
        };
        privileged(name).then(ready)
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
    let Some(bed) = Bed::new("a_program_comes_and_goes_in_both_modes") else {
        return;
    };
    for mode in [XdpMode::Native, XdpMode::Generic] {
        assert_eq!(bed.state(), []);
        bed.attach(&bed.ours, mode, Condition::Vacant).unwrap();
        assert_eq!(bed.state(), [(mode, bed.ours.id())]);
        bed.detach(&bed.ours, mode).unwrap();
    }
    assert_eq!(bed.state(), []);
}

#[test]
fn a_vacant_place_is_demanded() {
    let Some(bed) = Bed::new("a_vacant_place_is_demanded") else {
        return;
    };
    bed.attach(&bed.other, XdpMode::Native, Condition::Vacant).unwrap();
    let (errno, text) = refusal(bed.attach(&bed.ours, XdpMode::Native, Condition::Vacant));
    assert_eq!((errno, text.as_deref()), (Errno::BUSY, Some("XDP program already attached")));
    let (errno, text) = refusal(bed.attach(&bed.ours, XdpMode::Generic, Condition::Vacant));
    assert_eq!(errno, Errno::EXIST);
    assert!(text.is_some_and(|text| text.contains("same time")));
    assert_eq!(bed.state(), [(XdpMode::Native, bed.other.id())]);
}

#[test]
fn only_the_expected_program_is_replaced() {
    let Some(bed) = Bed::new("only_the_expected_program_is_replaced") else {
        return;
    };
    let third = program();
    bed.attach(&bed.other, XdpMode::Native, Condition::Vacant).unwrap();
    let (errno, text) =
        refusal(bed.attach(&third, XdpMode::Native, Condition::Replacing(bed.ours.as_fd())));
    assert_eq!(
        (errno, text.as_deref()),
        (Errno::EXIST, Some("Active program does not match expected"))
    );
    assert_eq!(bed.state(), [(XdpMode::Native, bed.other.id())]);
    bed.attach(&third, XdpMode::Native, Condition::Replacing(bed.other.as_fd())).unwrap();
    assert_eq!(bed.state(), [(XdpMode::Native, third.id())]);
    bed.attach(&bed.ours, XdpMode::Native, Condition::Anything).unwrap();
    assert_eq!(bed.state(), [(XdpMode::Native, bed.ours.id())]);
}

#[test]
fn only_the_expected_program_is_detached() {
    let Some(bed) = Bed::new("only_the_expected_program_is_detached") else {
        return;
    };
    let (errno, _) = refusal(bed.detach(&bed.ours, XdpMode::Native));
    assert_eq!(errno, Errno::EXIST, "nothing there");
    bed.attach(&bed.other, XdpMode::Generic, Condition::Vacant).unwrap();
    for mode in [XdpMode::Generic, XdpMode::Native] {
        let (errno, text) = refusal(bed.detach(&bed.ours, mode));
        assert_eq!(
            (errno, text.as_deref()),
            (Errno::EXIST, Some("Active program does not match expected"))
        );
    }
    let (errno, _) = refusal(bed.detach(&bed.other, XdpMode::Native));
    assert_eq!(
        errno,
        Errno::EXIST,
        "the wrong mode, which alone would be a success that does nothing"
    );
    assert_eq!(bed.state(), [(XdpMode::Generic, bed.other.id())]);
    bed.detach(&bed.other, XdpMode::Generic).unwrap();
    assert_eq!(bed.state(), []);
}

#[test]
fn hardware_mode_is_refused_by_type() {
    let Some(bed) = Bed::new("hardware_mode_is_refused_by_type") else {
        return;
    };
    let attached = bed.attach(&bed.ours, XdpMode::Hardware, Condition::Vacant);
    assert!(matches!(attached, Err(Error::UnsupportedMode { mode: XdpMode::Hardware, .. })));
    let detached = bed.detach(&bed.ours, XdpMode::Hardware);
    assert!(matches!(detached, Err(Error::UnsupportedMode { mode: XdpMode::Hardware, .. })));
}

#[test]
fn what_the_driver_refuses_is_told_in_its_words() {
    let Some(bed) = Bed::new("what_the_driver_refuses_is_told_in_its_words") else {
        return;
    };
    ip::set_mtu(bed.pair.b(), 9000).unwrap();
    let (errno, text) = refusal(bed.attach(&bed.ours, XdpMode::Native, Condition::Vacant));
    assert_eq!(errno, Errno::RANGE);
    assert!(text.is_some_and(|text| text.contains("MTU")));

    let namespace = Namespace::new().unwrap();
    let loopback = namespace.interface("lo").unwrap();
    let refused = attach_netlink(&loopback, bed.ours.as_fd(), XdpMode::Native, Condition::Vacant);
    let (errno, text) = refusal(refused);
    assert_eq!(errno, Errno::OPNOTSUPP);
    assert!(text.is_some());
}

#[test]
fn an_interface_that_went_is_told() {
    let Some(bed) = Bed::new("an_interface_that_went_is_told") else {
        return;
    };
    bed.attach(&bed.ours, XdpMode::Native, Condition::Vacant).unwrap();
    ip::delete(bed.pair.b()).unwrap();
    assert_eq!(refusal(bed.attach(&bed.ours, XdpMode::Native, Condition::Vacant)).0, Errno::NODEV);
    assert_eq!(refusal(bed.detach(&bed.ours, XdpMode::Native)).0, Errno::NODEV);
}

#[test]
fn a_thread_elsewhere_attaches_where_the_interface_is() {
    let Some(bed) = Bed::new("a_thread_elsewhere_attaches_where_the_interface_is") else {
        return;
    };
    let elsewhere = Namespace::new().unwrap();
    elsewhere
        .run(|| {
            bed.attach(&bed.ours, XdpMode::Native, Condition::Vacant).unwrap();
            assert_eq!(bed.state(), [(XdpMode::Native, bed.ours.id())]);
            bed.detach(&bed.ours, XdpMode::Native).unwrap();
        })
        .unwrap();
}
