//! Conservation of chunks: every chunk is in one place, whatever a program does; compared as sets
//! of addresses.

mod any_ring;
mod fixture;
mod foreign;
mod lifetimes;
mod losses;
mod op;
mod panics;
mod stalls;
mod threads;
mod user_loop;

use fixture::Fixture;
use proptest::prelude::*;
use xsk::test_util::strategies;

#[test]
fn random_programs_over_several_umems_and_sockets_lose_and_double_nothing() {
    let umems = prop::collection::vec(strategies::umem(), 1..=2);
    let fixture = (umems, 1..=40_u32, prop::collection::vec(strategies::rings(4), 1..=4));
    let program = prop::collection::vec(op::any_op(), 1..100);
    proptest!(strategies::config(800), |((umems, chunks, rings) in fixture, program in program)| {
        let mut fixture = Fixture::new(&umems, chunks, &rings);
        for op in &program {
            fixture.step(op);
            fixture.check();
        }
        fixture.close_all();
        fixture.check();
    });
}
