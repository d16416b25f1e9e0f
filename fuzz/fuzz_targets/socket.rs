//! Runs random calls on sockets of one UMEM over fake kernels: no chunk is ever in two places, each
//! is where the ledger says, and none is missing at the end.
//!
//! There are one or two queues. On the first there may be several sockets, which are added and
//! dropped; a socket that is alone on its queue may be one for packets of several frames.
//!
//! Six bytes describe the sockets and the kind of the chunks (aligned or unaligned, of an even or
//! odd size), then two bytes are a call; a hostile call takes two more.
#![no_main]

#[path = "socket/any.rs"]
mod any;
#[path = "socket/area.rs"]
mod area;
#[path = "socket/closures.rs"]
mod closures;
#[path = "socket/foreign.rs"]
mod foreign;
#[path = "socket/law.rs"]
mod law;
#[path = "socket/port.rs"]
mod port;
#[path = "socket/world.rs"]
mod world;

use world::World;

libfuzzer_sys::fuzz_target!(init: area::keep_expected_panics_quiet(), |program: &[u8]| {
    let Some((header, mut calls)) = program.split_first_chunk() else { return };
    let mut world = World::new(header);
    for _ in 0..100 {
        let Some((&[call, n], rest)) = calls.split_first_chunk() else { break };
        calls = world.step(call, n, rest);
        world.check();
    }
    world.settle();
});
