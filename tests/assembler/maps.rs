//! Maps that programs name: kept open, one descriptor for each.

use crate::array::array;
use crate::common::{kernel_can, kernel_since};
use std::os::fd::{AsFd, AsRawFd};
use xsk::Error;
use xsk::bpf::{Assembler, Code, Helper, Insn, Reg::*, Size, XskMap};
use xsk::error::{AssemblyFault, ObjectKind};
use xsk::test_util::{privileged, test_name};

fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}

/// `return bpf_redirect_map(map, 0, XDP_DROP)`
fn redirect(map: &XskMap) -> Code {
    let mut a = Assembler::new();
    a.load_map(R1, map).add([Insn::mov64_imm(R2, 0), Insn::mov64_imm(R3, 1)]);
    a.add([Insn::call(Helper::REDIRECT_MAP), Insn::exit()]);
    a.finish().unwrap()
}

#[test]
fn a_program_names_its_maps_whatever_is_closed_and_opened() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("first", 1).unwrap();
    let (id, number) = (map.id(), map.as_raw_fd());
    let code = redirect(&map);
    is_shared(&code);
    assert_ne!(code.insns()[0].raw().imm, number, "the descriptor is its own");
    drop(map);
    // Another map gets the number of the one that is closed.
    let others: Vec<XskMap> = (0..8).map(|_| XskMap::create("other", 1).unwrap()).collect();
    assert!(others.iter().any(|other| other.as_raw_fd() == number));
    let clone = code.clone();
    drop(code);
    let program = clone.builder().name("keeps").load().unwrap();
    assert_eq!(program.info().unwrap().map_ids, [id]);
    assert_eq!(program.test_run(&[0; 64], None).unwrap().retval, 1);
}

#[test]
fn a_map_has_one_descriptor() {
    if !privileged!() {
        return;
    }
    let [first, second] = ["first", "second"].map(|name| XskMap::create(name, 1).unwrap());
    let same = first.try_clone().unwrap();
    let mut a = Assembler::new();
    for map in [&first, &same, &second, &first] {
        a.load_map(R1, map);
    }
    a.add([Insn::mov64_imm(R0, 2), Insn::exit()]);
    let code = a.finish().unwrap();
    assert_eq!(code.maps().count(), 2);
    let named: Vec<i32> = (0..4).map(|load| code.insns()[2 * load].raw().imm).collect();
    assert!(named[0] == named[1] && named[0] == named[3] && named[0] != named[2], "{named:?}");
    let listed = code.to_string();
    let times = |map: &XskMap| listed.matches(&format!("map[id:{}]", map.id())).count();
    assert_eq!((times(&first), times(&second)), (3, 1), "{listed}");
    code.builder().load().unwrap();
}

#[test]
fn a_program_is_a_part_of_another_one() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("inner", 1).unwrap();
    let part = redirect(&map);
    drop(map);
    let mut a = Assembler::new();
    a.add(Insn::mov64_imm(R0, 2)).add_code(&part);
    let whole = a.finish().unwrap();
    drop(part);
    let program = whole.builder().load().unwrap();
    assert_eq!(program.test_run(&[0; 64], None).unwrap().retval, 1);
    // Its bare instructions do not say what keeps the map.
    let mut a = Assembler::new();
    a.add(whole.insns().iter().copied());
    let error = a.finish().unwrap_err();
    let fault = AssemblyFault::NamesObject { at: 1 };
    assert!(matches!(&error, Error::Assemble { fault: found, .. } if *found == fault), "{error}");
}

#[test]
fn what_is_no_map_is_refused() {
    if !privileged!() {
        return;
    }
    let file = std::fs::File::open("/dev/null").unwrap();
    let mut a = Assembler::new();
    a.load_map(R1, &file).add([Insn::mov64_imm(R0, 2), Insn::exit()]);
    let error = a.finish().unwrap_err();
    let is_map = matches!(error, Error::WrongObject { wanted: ObjectKind::AnyMap, .. });
    assert!(is_map, "{error}");
}

#[test]
fn a_value_of_an_array_is_reached_without_looking_it_up() {
    let name = test_name!();
    let can = kernel_since(5, 2);
    if !privileged!() || !kernel_can(name, can, "it came with 5.2") {
        return;
    }
    let array = array();
    let mut a = Assembler::new();
    a.add(Insn::load_map_value(R1, array.as_fd(), 8)).add([
        Insn::load(Size::Double, R0, R1, 0),
        Insn::mov64_imm(R2, 1),
        Insn::atomic64(xsk::bpf::Atomic::Add, R1, 0, R2),
        Insn::exit(),
    ]);
    let code = a.finish().unwrap();
    drop(array);
    let text = code.to_string();
    assert!(text.starts_with("   0: (18) r1 = map[id:") && text.contains("][0]+8\n"), "{text}");
    let program = code.builder().license(c"GPL").load().unwrap();
    let counts = [0, 1, 2].map(|_| program.test_run(&[0; 64], None).unwrap().retval);
    assert_eq!(counts, [0, 1, 2]);
}
