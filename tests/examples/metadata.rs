//! `examples/metadata.rs`: what the card knows of each packet.

use crate::common::{AtCable, Cable, kernel_can, kernel_since, packet, until};
use crate::fixture::Example;
use rustix::process::Signal;
use xsk::Port;
use xsk::test_util::{privileged, test_name};

#[test]
fn each_packet_has_a_line() {
    if !privileged!()
        || !kernel_can(test_name!(), kernel_since(6, 3), "bound programs came with 6.3")
    {
        return;
    }
    let cable = Cable::named(1, "from0", "eth1");
    let example = Example::start(&cable.right, "metadata eth1", 1);
    let mut sender = Port::left(&cable);
    for number in 0..3 {
        let mut frame = sender.pool.take().unwrap();
        sender.umem.write(&mut frame, &packet(number, 60)).unwrap();
        sender.socket.tx.reserve(1).unwrap().push(frame).unwrap();
        until("the packet is sent", || {
            sender.service(1).unwrap();
            sender.socket.tx.pending() == 0
        });
        let line = example.line();
        assert!(line.starts_with("60 bytes, received at none, hash "), "{line}");
        assert!(line.contains(" of addresses, VLAN "), "{line}");
    }
    let ended = example.stop(Signal::TERM);
    assert!(ended.status.success(), "{ended:?}");
    // Nothing is left on the interface.
    let programs = cable.right.run(|| cable.veth.b().attached_programs()).unwrap().unwrap();
    assert!(programs.is_empty(), "{programs:?}");
}
