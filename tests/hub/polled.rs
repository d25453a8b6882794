//! Chunking is invisible with clients of long polling too: whatever is cut, the same is told, every stream of the others gets
//! the same bytes, and each client of long polling hears the same packets in the same order.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use roomwire::ws::Opcode;

use crate::chunking::{cases, cuts, openings, writes};
use crate::fuzz_hub::{NEWEST, Op, Told, check, ends_clean, run};
use crate::support::cuts::Bytes;
use crate::support::polls::dance;
use crate::support::ws::masked;

fn bytes(text: &str) -> Bytes {
    Bytes(text.as_bytes().to_vec())
}

/// The bodies of POSTs.
fn bodies() -> impl Strategy<Value = Bytes> {
    let good = select(vec![
        "40",
        "40/chat,",
        "40/none,",
        "3",
        "2",
        "42[\"say\",\"€😀\"]",
        "427[\"say\",1]",
        "42[\"enter\",\"lobby\"]",
        "42[\"enter\",\"red\"]",
        "42[\"join\",\"blue\"]",
        "42[\"leave\",\"lobby\"]",
        "42[\"meta\",{\"x\":1}]",
        "42[\"whisper\",\"u1\",7]",
        "42[\"ask\",1]",
        "4212[\"ask\"]",
        "430[]",
        "430[\"yes\"]",
        "431[]",
        "451-[\"say\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAAECAw==",
        "452-[\"say\",{\"_placeholder\":true,\"num\":1}]\u{1e}bAA==\u{1e}b",
    ]);
    let half = select(vec!["451-[\"say\"]", "bAAEC", "42[\"bye\"]", "42[\"close\"]", "41", "1"]);
    let bad = select(vec!["", "zzz", "b!", "42[", "44", "451-[\"a\",{\"_placeholder\":true,\"num\":1}]"]);
    let one = prop_oneof![60 => good, 4 => half, 1 => bad];
    vec(one, 1..5).prop_map(|packets| bytes(&packets.join("\u{1e}")))
}

/// What is said on the WebSocket of an upgrade.
fn dances() -> impl Strategy<Value = Bytes> {
    let said = |text: &str| masked(Opcode::Text, text.as_bytes());
    prop_oneof![
        6 => Just(dance()),
        2 => Just([dance(), said("42[\"say\",1]"), said("42[\"enter\",\"red\"]")].concat()),
        1 => Just(said("2probe")),
        1 => Just(said("5")),
        1 => Just(Vec::new()),
    ]
    .prop_map(Bytes)
}

/// What a client of long polling says first: in revision 4 it connects.
fn first(at: usize, v3: bool) -> Op {
    Op::Post(at, bytes(if v3 { "2" } else { "40" }))
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let at = 0usize..4;
    let op = prop_oneof![
        2 => any::<[bool; 2]>().prop_map(|[v3, bare]| vec![Op::Poller { v3, bare }, first(NEWEST, v3)]),
        20 => (at.clone(), bodies()).prop_map(|(at, body)| vec![Op::Post(at, body)]),
        // Of which the second part is a sign of life.
        5 => (at.clone(), bodies(), any::<usize>(), select(vec![1u64, 1000, 3000]))
            .prop_map(|(at, body, count, millis)| vec![Op::PostSlowly(at, body, count, millis), Op::Advance(2000)]),
        4 => (at.clone(), dances()).prop_map(|(at, bytes)| vec![Op::Upgrade(at, bytes)]),
        1 => (at.clone(), bodies()).prop_map(|(at, body)| vec![
            Op::Upgrade(at, Bytes(masked(Opcode::Text, b"2probe"))),
            Op::Post(at, body),
            Op::Bytes(NEWEST, Bytes(masked(Opcode::Text, b"5"))),
        ]),
        8 => writes().prop_map(|bytes| vec![Op::Bytes(NEWEST, Bytes(bytes))]),
        8 => (at.clone(), writes()).prop_map(|(at, bytes)| vec![Op::Bytes(at, Bytes(bytes))]),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, eof)| vec![Op::Lose(at, eof)]),
        1 => (at.clone(), openings()).prop_map(|(at, bytes)| vec![Op::Connect, Op::Bytes(at, Bytes(bytes))]),
        1 => at.clone().prop_map(|at| vec![Op::Eof(at)]),
        1 => at.prop_map(|at| vec![Op::Abort(at)]),
        2 => Just(vec![Op::ReadAll]),
        5 => select(vec![1u64, 50, 51, 1000, 3000]).prop_map(|millis| vec![Op::ReadAll, Op::Advance(millis)]),
    ];
    let clients = (vec(any::<[bool; 2]>(), 1..4), vec(openings(), 0..3)).prop_map(|(pollers, others)| {
        let pollers = pollers.into_iter().enumerate();
        let mut ops: Vec<Op> = pollers.flat_map(|(at, [v3, bare])| [Op::Poller { v3, bare }, first(at, v3)]).collect();
        let others = others.into_iter().enumerate();
        ops.extend(others.flat_map(|(at, bytes)| [Op::Connect, Op::Bytes(at, Bytes(bytes))]));
        ops
    });
    (clients, vec(op, 0..40))
        .prop_map(|(clients, rest)| clients.into_iter().chain(rest.into_iter().flatten()).collect())
}

/// What all runs together have to have met.
const KINDS: [&str; 13] = [
    "connecting",
    "connected",
    "emit",
    "answered",
    "ack timed out",
    "arrived",
    "away",
    "left",
    "lost",
    "disconnected",
    "refused",
    "closed",
    "closed with an error",
];

#[test]
fn chunking_is_invisible_to_pollers() {
    let met = RefCell::new(BTreeMap::<&str, usize>::new());
    // The same cases each time, so that what they cover is a fact; more of them come with PROPTEST_CASES.
    let mut runner = TestRunner::new_with_rng(cases(500), TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]));
    let result = runner.run(&(ops(), cuts()), |(ops, cuts)| {
        let whole = run(&ops, &crate::support::cuts::Cuts::Whole);
        let cut = run(&ops, &cuts);
        prop_assert_eq!(&cut.polled, &whole.polled);
        prop_assert_eq!(&cut, &whole);
        check(&whole);
        ends_clean(&ops);
        let mut met = met.borrow_mut();
        whole.told.iter().for_each(|told| *met.entry(told.kind()).or_default() += 1);
        let with =
            |name: &'static str, count: usize, met: &mut BTreeMap<&str, usize>| *met.entry(name).or_default() += count;
        let attached = |told: &&Told| matches!(told, Told::Emit(_, _, args, _) if args.contains(" + "));
        with("attachments", whole.told.iter().filter(attached).count(), &mut met);
        let heard = whole.polled.iter().flatten();
        with("heard by polls", heard.clone().count(), &mut met);
        with("upgraded", heard.filter(|packet| packet.contains("Bad request")).count(), &mut met);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let met = met.into_inner();
    let further = ["attachments", "heard by polls", "upgraded"];
    let missed: Vec<_> =
        KINDS.iter().chain(&further).filter(|kind| met.get(**kind).is_none_or(|count| *count < 10)).collect();
    assert!(missed.is_empty(), "hardly met: {missed:?} of {met:?}");
    println!("{met:?}");
}
