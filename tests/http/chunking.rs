//! The same bytes, cut anywhere, give the same events and the same outgoing bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use roomwire::http::Error;

use crate::script::{cases, cuts, script};
use crate::support::cuts::Cuts;
use crate::support::http::{Answers, Seen, read, run, small};

fn answers() -> impl Strategy<Value = Answers> {
    prop_oneof![3 => Just(Answers::AtOnce), 2 => Just(Answers::Late), 1 => Just(Answers::Never)]
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn a_connection_does_not_see_where_the_stream_is_cut(
        stream in script(), cuts in cuts(), answers in answers(), eof: bool,
    ) {
        let whole = run(small(), &Cuts::Whole.of(&stream), answers, eof);
        prop_assert_eq!(run(small(), &cuts.of(&stream), answers, eof), whole);
    }

    #[test]
    fn a_reader_does_not_see_where_the_stream_is_cut(stream in script(), cuts in cuts()) {
        let limits = small().limits;
        prop_assert_eq!(read(&limits, &cuts.of(&stream)), read(&limits, &Cuts::Whole.of(&stream)));
    }
}

/// The generated streams reach what the property is about.
#[test]
fn the_scripts_reach_every_error_and_event() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeMap::<String, u32>::new();
    let mut note = |what: &str| *found.entry(what.to_owned()).or_default() += 1;
    for round in 0..3000 {
        let stream = script().new_tree(&mut runner).unwrap().current();
        let answers = [Answers::AtOnce, Answers::AtOnce, Answers::Late][round % 3];
        let trace = run(small(), &Cuts::Whole.of(&stream), answers, true);
        let requests = trace.requests();
        if requests.len() > 1 {
            note(if answers == Answers::Late { "pipelined" } else { "kept alive" });
        }
        for request in requests {
            note(if request.body.is_empty() { "request" } else { "request with body" });
            if request.headers.iter().any(|(name, _)| name == "transfer-encoding") {
                note(if request.body.is_empty() { "request with no chunk" } else { "request with chunks" });
            }
            if !request.keep_alive {
                note("request that ends the stream");
            }
        }
        if trace.outgoing.windows(12).any(|part| part == b"HTTP/1.1 100") {
            note("100 Continue");
        }
        if let Some(Seen::Closed(error)) = trace.seen.last() {
            note(&format!("{error:?}"));
        }
    }
    let errors = [
        Error::BareLineEnd,
        Error::MalformedHead,
        Error::Version,
        Error::Host,
        Error::AmbiguousLength,
        Error::Chunk,
        Error::UpgradeWithBody,
        Error::TransferCoding,
        Error::Expectation,
        Error::HeadTooLarge,
        Error::TooManyHeaders,
        Error::TargetTooLong,
        Error::BodyTooLarge,
        Error::Pipelined,
        Error::UnexpectedEof,
    ];
    let expected = errors.map(|error| format!("{:?}", Some(error)));
    let kinds = [
        "None",
        "request",
        "request with body",
        "request with chunks",
        "request with no chunk",
        "request that ends the stream",
        "kept alive",
        "pipelined",
    ];
    for expected in expected.iter().map(String::as_str).chain(kinds) {
        assert!(found.get(expected).is_some_and(|&count| count >= 5), "{expected} is too rare: {found:#?}");
    }
}

/// RFC 9110 section 10.1.1 lets a server leave the 100 out when the body is there already, but what it
/// writes must not depend on how the network cut the stream.
#[test]
fn the_answer_to_an_expectation_does_not_depend_on_the_cut() {
    for (body, status) in [
        ("Content-Length: 3\r\n\r\nabc", 200),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabcd", 400),
        ("Transfer-Encoding: chunked\r\n\r\nc9\r\n", 413),
    ] {
        let stream = format!("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{body}").into_bytes();
        let whole = run(small(), &Cuts::Whole.of(&stream), Answers::AtOnce, false);
        assert_eq!(whole.statuses(), [100, status]);
        for at in 0..stream.len() {
            let cut = run(small(), &Cuts::At(vec![at]).of(&stream), Answers::AtOnce, false);
            assert_eq!(cut.outgoing, whole.outgoing, "cut at {at}");
        }
    }
}

/// Who waits for it gets it.
#[test]
fn a_peer_that_waits_for_100_continue_gets_it() {
    for length in ["Content-Length: 3", "Transfer-Encoding: chunked"] {
        let head = format!("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{length}\r\n\r\n");
        let trace = run(small(), &[head.as_bytes()], Answers::AtOnce, false);
        assert_eq!(&*trace.outgoing, b"HTTP/1.1 100 Continue\r\n\r\n");
    }
}
