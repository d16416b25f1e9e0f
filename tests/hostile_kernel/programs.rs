//! Random programs of both sides.

use crate::fixture::Fixture;
use crate::step::step;
use proptest::prelude::*;
use xsk::test_util::strategies;

#[test]
#[cfg_attr(
    not(any(debug_assertions, feature = "ledger")),
    ignore = "without the ledger a chunk that is given twice is not detected"
)]
fn no_program_of_a_hostile_kernel_makes_a_second_frame() {
    let program = prop::collection::vec(step(), 1..150);
    let faults = std::cell::Cell::new(0);
    proptest!(strategies::config(500), |((start, program) in (strategies::index(), program))| {
        let mut fixture = Fixture::new(start);
        for step in &program {
            fixture.step(step);
            fixture.check();
        }
        faults.set(faults.get() + fixture.faults);
    });
    assert!(faults.get() > 0, "no program was hostile");
}
