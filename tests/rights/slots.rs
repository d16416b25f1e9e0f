//! Slots of maps without an attachment.

use crate::common::{Cable, METHODS, rx_socket};
use crate::fixture::{Worker, attach, grant, is_detached, maps_take_no_right, without_rights};
use rustix::io::Errno;
use std::os::fd::AsFd;
use xsk::attach::MapSlot;
use xsk::bpf::{SlotProbe, XskMap};
use xsk::error::{ObjectKind, SlotOp};
use xsk::test_util::{Namespace, privileged, test_name};
use xsk::{AttachMethod, Error, Socket, Umem};

fn occupied(map: &XskMap) -> Vec<u32> {
    SlotProbe::new(map).unwrap().occupied().unwrap()
}

#[test]
fn a_guard_empties_its_slot() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("xsks_map", 4).unwrap();
    let socket = rx_socket();
    let slot = MapSlot::new(&map, 3, &socket).unwrap();
    assert_eq!((slot.slot(), occupied(&map)), (3, vec![3]));
    drop(slot);
    assert_eq!(occupied(&map), []);
    assert!(MapSlot::new(&map, 0, &socket).unwrap().remove().unwrap());
    assert_eq!(occupied(&map), []);
    // One that is kept goes with the socket.
    MapSlot::new(&map, 1, &socket).unwrap().keep();
    assert_eq!(occupied(&map), [1]);
    drop(socket);
    assert_eq!(occupied(&map), []);
}

#[test]
fn only_the_own_socket_is_taken_out() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("xsks_map", 1).unwrap();
    let (socket, other) = (rx_socket(), rx_socket());
    let slot = MapSlot::new(&map, 0, &socket).unwrap();
    assert_eq!(slot.restore(), Ok(true), "it has its slot");
    let passing = rx_socket();
    map.replace(0, &passing).unwrap();
    assert_eq!(slot.restore(), Ok(false), "another socket has it");
    drop(passing);
    assert_eq!(occupied(&map), []);
    assert_eq!(slot.restore(), Ok(true), "it is put back");
    assert_eq!(occupied(&map), [0]);
    map.replace(0, &other).unwrap();
    assert!(!slot.remove().unwrap(), "another socket has it");
    assert_eq!(occupied(&map), [0]);
    drop(other);
    // One that something else has emptied is not another's: nothing was undone that was not set.
    let slot = MapSlot::new(&map, 0, &socket).unwrap();
    map.remove(0).unwrap();
    assert!(slot.remove().unwrap());
    assert_eq!(occupied(&map), []);
}

#[test]
fn what_cannot_be_in_a_slot_is_refused() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("xsks_map", 2).unwrap();
    let (socket, other) = (rx_socket(), rx_socket());
    let insert_error = |slot, socket: &dyn AsFd| match MapSlot::new(&map, slot, socket.as_fd()) {
        Err(Error::UpdateMap { operation: SlotOp::Insert, errno, .. }) => errno,
        other => panic!("{other:?}"),
    };
    assert_eq!(insert_error(2, &socket), Errno::TOOBIG);
    let slot = MapSlot::new(&map, 1, &socket).unwrap();
    assert_eq!(insert_error(1, &other), Errno::EXIST);
    // The kernel would take the same socket twice, and the first guard would take it out for both.
    assert_eq!(insert_error(1, &socket), Errno::EXIST);
    drop(slot);
    MapSlot::new(&map, 1, &other).unwrap().remove().unwrap();
    assert_eq!(insert_error(0, &std::fs::File::open("/dev/null").unwrap()), Errno::NOTSOCK);
    // A socket without an RX ring.
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let tx_only = Socket::builder(&umem).tx_only().open().unwrap();
    let error = MapSlot::new(&map, 0, &tx_only).unwrap_err();
    assert!(
        matches!(error, Error::WrongObject { wanted: ObjectKind::SocketWithRxRing, .. }),
        "{error:?}"
    );
    assert_eq!(occupied(&map), []);
}

#[test]
fn a_slot_is_taken_and_left_without_any_capability() {
    if !privileged!() || !maps_take_no_right(test_name!()) {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let map = XskMap::create("xsks_map", 1).unwrap();
    let socket = namespace.run(rx_socket).unwrap();
    let copy = map.try_clone().unwrap();
    assert_eq!((copy.id(), copy.entries(), copy.name()), (map.id(), 1, "xsks_map"));
    let slot = without_rights(&namespace, || {
        // As a worker gets it: by a descriptor.
        let copy = XskMap::from_fd(copy.as_fd().try_clone_to_owned().unwrap()).unwrap();
        MapSlot::new(&copy, 0, &socket).unwrap()
    });
    assert_eq!(occupied(&map), [0]);
    assert!(without_rights(&namespace, || slot.remove()).unwrap());
    assert_eq!(occupied(&map), []);
}

/// The helper does not know whose the slot is, and does not take the program from under the worker.
#[test]
fn a_program_that_netlink_holds_stays_while_a_worker_has_a_slot() {
    if !privileged!() {
        return;
    }
    for method in METHODS {
        let cable = Cable::new(1);
        let program = attach(&cable, method);
        let worker = Worker::new_in(&cable.left, grant(&cable, &program));
        program.close().unwrap();
        match method {
            AttachMethod::Link => is_detached(cable.veth.a()),
            AttachMethod::Netlink => {
                assert!(!cable.veth.a().attached_programs().unwrap().is_empty());
            }
        }
        // The next one who attaches takes it over, and takes it off.
        drop(worker);
        attach(&cable, method).close().unwrap();
        is_detached(cable.veth.a());
    }
}
