//! The hub beside a naive model of it: after each of many random steps both have told the same, every client has heard
//! the same, and both say the same about who is where.
//!
//! [`transition`] is what can happen, [`reference`](mod@reference) the model, [`sut`] the real hub with a driver and
//! clients, [`assertions`] the comparison.

mod assertions;
mod broadcast;
mod poll;
mod reference;
mod rooms;
mod sut;
mod transition;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::chunking::cases;
use reference::Reference;
use sut::Sut;
use transition::{Transition, scripts};

/// What all runs together must have met.
const MET: [&str; 21] = [
    "connecting",
    "connected",
    "resumed",
    "lost",
    "gone",
    "left",
    "emit",
    "answer",
    "timed out",
    "unanswered",
    "presence arrived",
    "presence away",
    "presence returned",
    "presence updated",
    "presence left",
    "congested",
    "drained",
    "closed",
    "gone by NotAccepted",
    "cut off",
    "upgraded",
];

fn run(script: &[Transition], met: &mut BTreeMap<String, usize>) {
    let (mut model, mut real) = (Reference::new(), Sut::new());
    for (number, step) in script.iter().chain(&[Transition::Shutdown, Transition::Advance(60_000)]).enumerate() {
        let expected = model.apply(step);
        let result = real.apply(step);
        assert_eq!(result, expected, "result of step {number}, {step:?}");
        assertions::check(&mut model, &mut real, number, step, met);
    }
    assertions::nothing_is_left(&real);
}

#[test]
fn the_hub_is_what_the_model_says() {
    let met = RefCell::new(BTreeMap::new());
    let config = cases(400);
    // The same cases each time, so that what they cover is a fact; more of them come with PROPTEST_CASES.
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]));
    let result = runner.run(&scripts(), |script| {
        run(&script, &mut met.borrow_mut());
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let met = met.into_inner();
    let missed: Vec<_> = MET.iter().filter(|kind| met.get(**kind).is_none_or(|count| *count < 5)).collect();
    assert!(missed.is_empty(), "hardly met: {missed:?} of {met:?}");
    println!("{met:?}");
}
