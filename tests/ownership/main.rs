//! The law of conservation: every chunk is in one place, whatever a program does; as sets of addresses.

mod fleet;
mod foreign;
mod lifetimes;
mod op;
mod panics;
mod threads;
mod user_loop;

use fleet::Fleet;
use proptest::prelude::*;
use xsk::test_util::strategies;

#[test]
fn random_programs_over_several_umems_and_sockets_lose_and_double_nothing() {
    let fleet = (1..=2_usize, 1..=40_u32, prop::collection::vec(strategies::rings(4), 1..=4));
    let program = prop::collection::vec(op::any_op(), 1..100);
    proptest!(strategies::config(400), |((umems, chunks, rings) in fleet, program in program)| {
        let mut fleet = Fleet::new(umems, chunks, &rings);
        for op in &program {
            fleet.step(op);
            fleet.check();
        }
        fleet.close_all();
        fleet.check();
    });
}
