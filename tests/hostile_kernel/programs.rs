//! Random programs of both sides.

use crate::fixture::Fixture;
use crate::input::chunks;
use crate::step::step;
use proptest::prelude::*;
use xsk::test_util::strategies;

#[test]
#[cfg_attr(
    not(any(debug_assertions, feature = "ledger")),
    ignore = "without the ledger a chunk that is given twice is not detected"
)]
fn no_program_of_a_hostile_kernel_makes_a_second_frame() {
    let program = chunks().prop_flat_map(|chunks| {
        let steps = prop::collection::vec(step(chunks), 1..150);
        (Just(chunks), strategies::index(), any::<bool>(), steps)
    });
    let faults = std::cell::Cell::new(0);
    proptest!(strategies::config(800), |((chunks, start, multi_buffer, program) in program)| {
        let mut fixture = Fixture::any(chunks, start, multi_buffer);
        for step in &program {
            fixture.step(step);
            fixture.check();
        }
        faults.set(faults.get() + fixture.faults);
    });
    assert!(faults.get() > 0, "no program was hostile");
}
