//! The same bytes, cut anywhere, give the same events and the same outgoing bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use roomwire::ws::{CloseCode, Error, MessageReader, Role};

use crate::script::{cases, cuts, frames, scripts};
use crate::support::cuts::{Bytes, Cuts};
use crate::support::ws::{Answers, Seen, run, run_in_place, small};

fn answers() -> impl Strategy<Value = Answers> {
    prop_oneof![3 => Just(Answers::AtOnce), 1 => Just(Answers::Late)]
}

/// What a bare reader makes of the pieces, and how it failed.
fn read(role: Role, pieces: &[&[u8]]) -> (Vec<String>, Option<Error>) {
    let mut reader = MessageReader::new();
    let mut found = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            match reader.read(role, &small().limits, &mut input) {
                Ok(Some(inbound)) => found.push(format!("{inbound:?}")),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
        assert!(input.is_empty(), "read yielded None with bytes left");
    }
    (found, None)
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn a_connection_does_not_see_where_the_stream_is_cut(
        (end, stream) in scripts(), cuts in cuts(), answers in answers(), eof: bool,
    ) {
        let whole = run(end, small(), &Cuts::Whole.of(&stream), answers, eof);
        prop_assert_eq!(run(end, small(), &cuts.of(&stream), answers, eof), whole);
    }

    /// Nor what its driver keeps until frames are whole.
    #[test]
    fn a_connection_does_not_see_what_waits_in_the_buffer(
        (end, stream) in scripts(), cuts in cuts(), room in 1usize..330, answers in answers(), eof: bool,
    ) {
        let whole = run(end, small(), &Cuts::Whole.of(&stream), answers, eof);
        prop_assert_eq!(run_in_place(end, small(), &cuts.of(&stream), room, answers, eof), whole);
    }

    #[test]
    fn a_reader_does_not_see_where_the_stream_is_cut(
        (role, stream) in prop_oneof![Just(Role::Server), Just(Role::Client)]
            .prop_flat_map(|role| (Just(role), frames(role).prop_map(Bytes))),
        cuts in cuts(),
    ) {
        prop_assert_eq!(read(role, &cuts.of(&stream)), read(role, &Cuts::Whole.of(&stream)));
    }
}

/// The generated streams reach what the property is about.
#[test]
fn the_scripts_reach_every_error_and_event() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeMap::<String, u32>::new();
    let mut note = |what: &str| *found.entry(what.to_owned()).or_default() += 1;
    for round in 0..6000 {
        let (end, stream) = scripts().new_tree(&mut runner).unwrap().current();
        let answers = if round % 4 == 0 { Answers::Late } else { Answers::AtOnce };
        let trace = run(end, small(), &Cuts::Whole.of(&stream), answers, true);
        for seen in &trace.seen {
            match seen {
                Seen::Upgrade { subprotocols, .. } => {
                    note(if subprotocols.is_empty() { "upgrade" } else { "subprotocols" })
                }
                Seen::Opened { .. } | Seen::Refused { .. } => note("the client's handshake"),
                Seen::Text(_) => note("text"),
                Seen::Binary(_) => note("binary"),
                Seen::Piece(_) => note("piece"),
                Seen::Ping(_) => note("ping"),
                Seen::Pong(_) => note("pong"),
                Seen::Closed(closed) => {
                    let error = closed.error.map_or("no error".into(), |error| format!("{error:?}"));
                    note(&error);
                    note(&format!("closed by {:?}", closed.by));
                    if let Some((layer, _)) = error.split_once('(') {
                        note(layer);
                    }
                    if closed.code == CloseCode::NO_STATUS {
                        note("close without code");
                    }
                }
            }
        }
    }
    let errors = [
        Error::ReservedBits,
        Error::ReservedOpcode,
        Error::Unmasked,
        Error::Masked,
        Error::LengthNotMinimal,
        Error::LengthOutOfRange,
        Error::FragmentedControl,
        Error::ControlTooLong,
        Error::UnexpectedContinuation,
        Error::UnfinishedMessage,
        Error::InvalidUtf8,
        Error::InvalidClose,
        Error::MessageTooBig,
        Error::TooManyFragments,
        Error::UnexpectedEof,
    ];
    let errors = errors.map(|error| format!("{error:?}"));
    let kinds = ["upgrade", "subprotocols", "text", "binary", "ping", "pong", "no error", "close without code"];
    let sides = ["closed by Local", "closed by Peer", "Http", "Handshake"];
    let handshakes = ["Method", "HttpVersion", "Upgrade", "Connection", "Key", "Version", "Rejected"];
    let handshakes = handshakes.map(|error| format!("Handshake({error})"));
    let expected = errors.iter().chain(&handshakes).map(String::as_str).chain(kinds).chain(sides);
    for expected in expected {
        assert!(found.get(expected).is_some_and(|&count| count >= 5), "{expected} is too rare: {found:#?}");
    }
}
