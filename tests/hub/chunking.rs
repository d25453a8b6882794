//! Chunking is invisible: bytes that are fed whole, byte by byte or cut anywhere give the same events in the same
//! order and the same outgoing bytes on every connection of the hub.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use roomwire::ws::Opcode;

use crate::fuzz_hub::{BARE, BARE_3, NEWEST, Op, check, ends_clean, run};
use crate::support::cuts::{Bytes, Cuts};
use crate::support::ws::{frame, key, masked, opening, opening_with};

/// As many cases as `PROPTEST_CASES` says, or `cases`. What fails is printed, not kept in a file.
pub fn cases(cases: u32) -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { cases };
    Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() }
}

/// Texts of packets that clients send, good and bad.
fn packets() -> impl Strategy<Value = String> {
    let good = select(vec![
        "40/chat,",
        "40/chat,{\"late\":1}",
        "40/admin,{\"a\":[]}",
        "40/none,",
        "3",
        "42[\"say\",\"hello\"]",
        "427[\"say\",1,{\"a\":[]}]",
        "42[\"enter\",\"lobby\"]",
        "42[\"enter\",\"red\"]",
        "42[\"join\",\"blue\"]",
        "42[\"leave\",\"lobby\"]",
        "42[\"meta\",{\"x\":1}]",
        "42[\"meta\",2]",
        "42[\"volatile\"]",
        "42[\"latest\",\"a\"]",
        "42[\"latest\",\"b\"]",
        "42[\"large\"]",
        "42[\"whisper\",\"u1\",7]",
        "42[\"ask\",1]",
        "4212[\"ask\"]",
        "42[\"ask\",\"caf\\u00e9\"]",
        "430[\"yes\"]",
        "431[]",
        "42[\"\\u0073ay\",\"€\"]",
        "42[\"here\",1]",
    ]);
    let last = select(vec![
        "1",
        "2",
        "3probe",
        "40",
        "40{}",
        "41",
        "41/chat,",
        "42[\"bye\"]",
        "42[\"close\"]",
        "42[\"drop\"]",
        "42/chat,[\"here\",1]",
        "42/chat,[\"enter\",\"red\"]",
        "42/chat,[\"ask\"]",
        "43/chat,0[\"no\"]",
    ]);
    let bad = select(vec![
        "",
        "9",
        "x",
        "49",
        "4",
        "bye",
        "4bye",
        "42",
        "42[",
        "42[]",
        "42{}",
        "42[\"connect\"]",
        "43[]",
        "44{}",
        "451-[\"a\"]",
        "40[]",
        "40\"x\"",
        "42/none,[\"a\"]",
        "4399999999999999999999[]",
        "40/aaaaaaaaaaaaaaaaaaaaaaaaa,",
    ]);
    prop_oneof![
        60 => good.prop_map(str::to_owned),
        6 => last.prop_map(str::to_owned),
        1 => (0usize..12).prop_map(|nth| format!("40{{\"resume\":{nth}}}")),
        1 => bad.prop_map(str::to_owned),
    ]
}

/// Requests, good and bad.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let text = select(vec![
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /late HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40",
        "GET /socket.io/?EIO=5&transport=websocket HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost",
        "\r\n\r\n",
        "nonsense",
    ]);
    text.prop_map(|text| text.as_bytes().to_vec())
}

pub fn said(packet: &str) -> Vec<u8> {
    masked(Opcode::Text, packet.as_bytes())
}

/// What one client may write at once.
pub fn writes() -> impl Strategy<Value = Vec<u8>> {
    let text = packets().prop_map(|text| said(&text));
    let fragmented = (packets(), any::<prop::sample::Index>()).prop_map(|(text, at)| {
        let (first, last) = text.as_bytes().split_at(at.index(text.len() + 1));
        let ping = masked(Opcode::Ping, b"between");
        let key = key(roomwire::ws::Role::Server);
        [frame(false, Opcode::Text, key, first), ping, frame(true, Opcode::Continuation, key, last)].concat()
    });
    prop_oneof![
        80 => text,
        6 => fragmented,
        4 => vec(packets(), 1..5).prop_map(|texts| texts.iter().flat_map(|text| said(text)).collect()),
        1 => vec(any::<u8>(), 0..126).prop_map(|payload| masked(Opcode::Ping, &payload)),
        1 => Just(masked(Opcode::Close, &[3, 232])),
        1 => Just(masked(Opcode::Binary, b"bytes")),
        1 => vec(any::<u8>(), 0..40),
        2 => requests(),
    ]
}

/// What a client begins with, so that most come to something.
pub fn openings() -> impl Strategy<Value = Vec<u8>> {
    let four = opening("/socket.io/?EIO=4&transport=websocket");
    let three = opening("/socket.io/?EIO=3&transport=websocket");
    prop_oneof![
        8 => Just([&four[..], &said("40")].concat()),
        4 => Just([&four[..], &said("40"), &said("42[\"enter\",\"lobby\"]")].concat()),
        1 => Just([&four[..], &said("40{\"late\":1}")].concat()),
        2 => (0usize..6).prop_map({
            let four = four.clone();
            move |nth| [&four[..], &said(&format!("40{{\"resume\":{nth}}}"))].concat()
        }),
        3 => Just([&three[..], &said("42[\"enter\",\"lobby\"]")].concat()),
        2 => select(vec!["/raw", "/raw?late", "/raw?tardy", BARE, BARE_3])
            .prop_map(|bare| [opening(bare), said("4hello")].concat()),
        1 => Just(four),
        1 => Just(opening_with("/socket.io/?EIO=4&transport=websocket", "Content-Length: 1\r\n")),
        3 => requests(),
        1 => writes(),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let client = 0usize..6;
    let op = prop_oneof![
        3 => (client.clone(), openings()).prop_map(|(at, bytes)| vec![Op::Connect, Op::Bytes(at, Bytes(bytes))]),
        24 => (client.clone(), writes()).prop_map(|(at, bytes)| vec![Op::Bytes(at, Bytes(bytes))]),
        // Half now and half after others had their turn.
        2 => (client.clone(), writes(), client.clone(), writes()).prop_map(|(at, bytes, other, between)| {
            let (first, last) = bytes.split_at(bytes.len() / 2);
            vec![
                Op::Bytes(at, Bytes(first.to_vec())),
                Op::Bytes(other, Bytes(between)),
                Op::Bytes(at, Bytes(last.to_vec())),
            ]
        }),
        // Half now and half after a while, of which the other half is a sign of life.
        2 => (client.clone(), writes(), any::<prop::sample::Index>(), select(vec![1u64, 1000, 3000])).prop_map(
            |(at, bytes, cut, millis)| {
                let (first, last) = bytes.split_at(cut.index(bytes.len() + 1));
                vec![
                    Op::Bytes(at, Bytes(first.to_vec())),
                    Op::Advance(millis),
                    Op::Bytes(at, Bytes(last.to_vec())),
                    Op::Advance(3000),
                ]
            }
        ),
        1 => client.clone().prop_map(|at| vec![Op::Eof(at)]),
        2 => (client.clone(), 0usize..5, select(vec![0u64, 60, 7000])).prop_map(|(at, nth, away)| {
            let four = opening("/socket.io/?EIO=4&transport=websocket");
            let again = said(&format!("40{{\"resume\":{nth}}}"));
            let bytes = Bytes([four, again].concat());
            vec![Op::Eof(at), Op::ReadAll, Op::Advance(away), Op::Connect, Op::Bytes(NEWEST, bytes), Op::Advance(60)]
        }),
        2 => (client.clone(), 1usize..8).prop_map(|(at, count)| {
            vec![Op::Bytes(at, Bytes(said("42[\"large\"]").repeat(count)))]
        }),
        1 => client.clone().prop_map(|at| vec![Op::Abort(at)]),
        1 => (client.clone(), 0usize..5, prop::option::of(0usize..20), select(vec![0u64, 60, 4000]))
            .prop_map(|(at, pid, offset, away)| vec![Op::Abort(at), Op::Advance(away), Op::Recover(pid, offset)]),
        3 => (client, 0usize..3000).prop_map(|(at, count)| vec![Op::Read(at, count)]),
        3 => Just(vec![Op::ReadAll]),
        4 => select(vec![1u64, 49, 50, 51, 1000, 3000, 7000]).prop_map(|millis| vec![Op::Advance(millis)]),
    ];
    let first = vec(openings(), 2..5).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .flat_map(|(at, bytes)| [Op::Connect, Op::Bytes(at, Bytes(bytes))])
            .collect::<Vec<_>>()
    });
    (first, vec(op, 0..60)).prop_map(|(first, rest)| first.into_iter().chain(rest.into_iter().flatten()).collect())
}

pub fn cuts() -> impl Strategy<Value = Cuts> {
    prop_oneof![Just(Cuts::Bytes), vec(any::<usize>(), 1..8).prop_map(Cuts::At)]
}

/// What a thousand runs have to have met at least once; most they meet hundreds of times.
const KINDS: [&str; 24] = [
    "request",
    "refused",
    "connecting",
    "connected",
    "resumed",
    "recovered",
    "emit",
    "answered",
    "ack timed out",
    "ack lost",
    "arrived",
    "away",
    "returned",
    "updated",
    "left",
    "lost",
    "not accepted",
    "disconnected",
    "left for good",
    "congested",
    "drained",
    "closed",
    "slow consumer",
    "closed with an error",
];

#[test]
fn chunking_is_invisible() {
    let met = RefCell::new(BTreeMap::<&str, usize>::new());
    let config = cases(1000);
    // The same cases each time, so that what they cover is a fact; more of them come with PROPTEST_CASES.
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]));
    let result = runner.run(&(ops(), cuts()), |(ops, cuts)| {
        let whole = run(&ops, &Cuts::Whole);
        prop_assert_eq!(run(&ops, &cuts), whole);
        let whole = run(&ops, &Cuts::Whole);
        check(&whole);
        ends_clean(&ops);
        for told in &whole.told {
            *met.borrow_mut().entry(told.kind()).or_default() += 1;
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let met = met.into_inner();
    let missed: Vec<_> = KINDS.iter().filter(|kind| met.get(**kind).is_none_or(|count| *count < 3)).collect();
    assert!(missed.is_empty(), "hardly met: {missed:?} of {met:?}");
    println!("{met:?}");
}
