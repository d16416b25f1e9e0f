//! The table of helpers, against the kernel.

use crate::common::{kernel_can, kernel_since};
use std::collections::BTreeSet;
use xsk::Error;
use xsk::bpf::{Helper, Insn, Program, Reg};
use xsk::test_util::{privileged, test_name};

/// A helper is known to the kernel, under its name, and XDP programs may call it: the verifier gets
/// as far as its arguments.
#[test]
fn xdp_programs_may_call_every_helper() {
    let name = test_name!();
    let can = kernel_since(6, 18);
    if !privileged!() || !kernel_can(name, can, "the table is that of 6.18") {
        return;
    }
    for helper in Helper::all() {
        let insns = [Insn::call(helper), Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
        let load = Program::builder(&insns).license(c"GPL").load();
        let log = match load {
            Ok(_) => continue,
            Err(Error::LoadProgram { log, .. }) => log,
            Err(other) => panic!("{helper:?}: {other}"),
        };
        let called = format!("call {}#{}", helper.name().unwrap(), helper.0);
        assert!(log.contains(&called), "{called}: {log}");
        for refusal in ["unknown func", "cannot use helper", "invalid func"] {
            assert!(!log.contains(refusal), "{called}: {log}");
        }
    }
}

#[test]
fn the_table_is_in_order_and_has_a_kernel_for_each() {
    let all: Vec<i32> = Helper::all().map(|helper| helper.0).collect();
    assert!(all.is_sorted() && all.len() == 104, "{}", all.len());
    let names: BTreeSet<&str> = Helper::all().filter_map(Helper::name).collect();
    assert_eq!(names.len(), all.len());
    for helper in Helper::all() {
        let (major, minor) = helper.since().unwrap().split_once('.').unwrap();
        let (major, minor): (u32, u32) = (major.parse().unwrap(), minor.parse().unwrap());
        assert!((3..=6).contains(&major) && minor <= 20, "{helper:?}");
    }
    assert_eq!(Helper::MAP_LOOKUP_ELEM.since(), Some("3.19"));
    assert_eq!(Helper::RINGBUF_OUTPUT.since(), Some("5.8"));
    assert_eq!((Helper(0).name(), Helper(-1).since()), (None, None));
}
