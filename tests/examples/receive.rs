//! `examples/receive.rs`: the program of the README, word for word.

use crate::common::{AtCable, Cable, PATIENCE, packet, until};
use crate::fixture::Example;
use xsk::Port;
use xsk::test_util::{ip, privileged};

#[test]
fn it_is_the_program_of_the_readme() {
    let readme = include_str!("../../README.md");
    let (_, block) = readme.split_once("```rust,no_run\n").unwrap();
    let (program, _) = block.split_once("```").unwrap();
    assert!(include_str!("../../examples/receive.rs").ends_with(&format!("\n\n{program}")));
}

#[test]
fn a_flap_is_survived_and_a_removed_interface_is_named() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "from0", "eth1");
    let example = Example::start(&cable.right, "receive", 0);
    assert!(example.line().starts_with("native mode: "));
    let mut sender = Port::left(&cable);
    for number in 0..2 {
        let mut frame = sender.pool.take().unwrap();
        sender.umem.write(&mut frame, &packet(number, 60)).unwrap();
        sender.socket.tx.reserve(1).unwrap().push(frame).unwrap();
        until("the packet is sent", || {
            sender.service(1).unwrap();
            sender.socket.tx.pending() == 0
        });
        assert_eq!(example.line(), format!("{:02x?}", packet(number, 60)));
        ip::set_up(cable.veth.b(), false).unwrap();
        // Longer than the program waits at once.
        std::thread::sleep(std::time::Duration::from_millis(1200));
        ip::set_up(cable.veth.b(), true).unwrap();
        ip::wait_for_carrier(cable.veth.a(), PATIENCE).unwrap();
    }
    ip::delete(cable.veth.b()).unwrap();
    example.end().names("the kernel has unbound the socket of eth1 queue 0");
    // The text of an error, not its fields.
    Example::start(&cable.right, "receive", 0).end().names("`ip link` lists those that there are");
}
