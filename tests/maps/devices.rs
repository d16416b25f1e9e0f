//! Maps of network devices.

use crate::programs::{load, packet, run};
use std::os::fd::AsFd;
use xsk::bpf::{DevMap, Helper, Insn, Reg};
use xsk::error::MapOp;
use xsk::test_util::{Namespace, privileged};
use xsk::{Errno, Error};

#[test]
fn a_program_redirects_to_the_device_of_a_slot() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let bridge = namespace.add_bridge("port").unwrap();
    let map = DevMap::create("ports", 4).unwrap();
    let mut insns = Insn::load_map_fd(Reg::R1, map.as_fd()).to_vec();
    insns.extend([
        Insn::mov64_imm(Reg::R2, 2),
        Insn::mov64_imm(Reg::R3, 1), // an empty slot: XDP_DROP
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]);
    let program = load("redirect", &insns);
    assert_eq!(run(&program, &packet(&[])), 1);
    namespace.run(|| map.set(2, bridge.index())).unwrap().unwrap();
    assert_eq!(map.get(2).unwrap(), Some(bridge.index()));
    assert_eq!(run(&program, &packet(&[])), 4);
    map.remove(2).unwrap();
    map.remove(2).unwrap();
    assert_eq!((map.get(2).unwrap(), map.get(4).unwrap()), (None, None));
    assert_eq!(run(&program, &packet(&[])), 1);
}

#[test]
fn a_slot_or_device_that_is_not_there_is_refused() {
    if !privileged!() {
        return;
    }
    let map = DevMap::create("ports", 4).unwrap();
    let refused = |result: Result<(), Error>, wanted| {
        let error = result.unwrap_err();
        let Error::MapEntry { operation, index: Some(_), errno, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((*operation, *errno), wanted, "{error}");
        error.hint().unwrap().into_owned()
    };
    // In an empty namespace there is the loopback device alone, which has index 1.
    let namespace = Namespace::new().unwrap();
    let hint = namespace.run(|| refused(map.set(0, 77), (MapOp::Write, Errno::INVAL))).unwrap();
    assert!(hint.contains("no interface of this index"), "{hint}");
    namespace.run(|| map.set(0, 1)).unwrap().unwrap();
    let hint = refused(map.set(4, 1), (MapOp::Write, Errno::TOOBIG));
    assert!(hint.contains("slots are numbered from 0 to 3"), "{hint}");
    let hint = refused(map.remove(4), (MapOp::Remove, Errno::INVAL));
    assert!(hint.contains("slots are numbered from 0 to 3"), "{hint}");
}
