//! The same bytes, cut anywhere, give the same events and the same outgoing bytes, though the client is driven between the
//! pieces. (But for bytes that nobody asked for, behind an answer: whether the next request is on its way before they come is
//! the network's choice.)

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use roomwire::client::StreamId;
use roomwire::engineio::Transports;
use roomwire::ws::Message;

use crate::world::{OPEN, OPEN_UPGRADE, World, config, config_4};

const SID: &str = "40{\"sid\":\"one\"}";
const PID: &str = "40{\"sid\":\"one\",\"pid\":\"p\"}";

/// What the server and the application do; what does not apply is left out.
#[derive(Clone, Debug)]
enum Step {
    /// Answers the oldest request.
    Answer(&'static str),
    /// The same with a length in front of each packet, as revision 3 has it.
    Answer3(&'static str),
    Respond(&'static [u8]),
    Say(&'static str),
    SayBinary(&'static [u8]),
    Raw(&'static [u8]),
    Emit,
    Ask,
    Time(u64),
    Lose,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let packets = [
        SID,
        PID,
        "40/admin,{\"sid\":\"two\"}",
        "42[\"e\",\"€😀\"]",
        "42/admin,[\"e\",\"offset\"]",
        "421[\"e\"]",
        "430[1]",
        "451-[\"e\",{\"_placeholder\":true,\"num\":0}]",
        "41",
        "44/admin,{\"message\":\"no\"}",
        "2",
        "3",
        "6",
        "1",
        "x",
    ];
    prop_oneof![
        3 => select(vec![OPEN, OPEN_UPGRADE, "ok"]).prop_map(Step::Answer),
        5 => select(packets.to_vec()).prop_map(Step::Answer),
        2 => select(vec!["42[\"e\",1]\u{1e}42[\"e\",2]\u{1e}2", "40{\"sid\":\"one\"}\u{1e}451-[\"e\"]\u{1e}bAAE="]).prop_map(Step::Answer),
        2 => select(vec![OPEN, OPEN_UPGRADE, "40", "42[\"e\",\"€😀\"]", "3"]).prop_map(Step::Answer3),
        2 => select(vec![
            &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n42[\r\n4\r\n\"e\"]\r\n0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n6",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200\n",
        ]).prop_map(Step::Respond),
        3 => Just(Step::Say("3probe")),
        6 => select(packets.to_vec()).prop_map(Step::Say),
        2 => Just(Step::Say(OPEN)),
        1 => select(vec![&b"\x01\x02"[..], b"\x04\x01"]).prop_map(Step::SayBinary),
        1 => select(vec![&b"\x81\x022"[..], b"\x01\x0242\x80\x05[\"e\"]", b"\x89\x01x", b"\xf1\x00"]).prop_map(Step::Raw),
        3 => Just(Step::Emit),
        1 => Just(Step::Ask),
        2 => (0_u64..30_000).prop_map(Step::Time),
        1 => Just(Step::Lose),
        1 => Just(Step::Close),
    ]
}

type Trace = (Vec<String>, Vec<String>, BTreeMap<StreamId, Vec<u8>>);

fn run(steps: &[Step], transports: Transports, revision_3: bool, pieces: &[usize]) -> Trace {
    let mut world = World::new(if revision_3 { config_4(transports) } else { config(transports) });
    world.pieces = pieces.to_vec();
    world.echoes = true;
    let socket = world.connect("/");
    let _ = world.client.connect(world.now, "/admin", "");
    world.turn();
    for step in steps {
        match step {
            Step::Answer(body) => {
                if let Some(asked) = world.any_request() {
                    world.answer(&asked, body);
                }
            }
            Step::Answer3(body) => {
                if let Some(asked) = world.any_request() {
                    world.answer(&asked, &format!("{}:{body}", body.encode_utf16().count()));
                }
            }
            Step::Respond(bytes) => {
                if let Some(asked) = world.any_request() {
                    world.feed(asked.stream, bytes);
                    world.turn();
                }
            }
            Step::Say(text) => send(&mut world, Message::from(*text)),
            Step::SayBinary(bytes) => send(&mut world, Message::from(*bytes)),
            Step::Raw(bytes) => {
                if let Some(stream) = world.any_socket() {
                    world.feed(stream, bytes);
                    world.turn();
                }
            }
            Step::Emit => {
                let _ = world.client.emit(world.now, socket, "app", (1,));
                world.turn();
            }
            Step::Ask => {
                if let Ok(ack) = world.client.emit_with_ack(world.now, socket, "ask", (), Duration::from_secs(9)) {
                    world.acks.push(ack);
                }
                world.turn();
            }
            Step::Time(millis) => world.pass_time(Duration::from_millis(*millis)),
            Step::Lose => {
                if let Some(stream) = world.any_socket() {
                    world.lose(stream);
                }
            }
            Step::Close => {
                world.client.disconnect(world.now, socket);
                world.turn();
            }
        }
    }
    (world.told(), world.said(), world.written)
}

fn send(world: &mut World, message: Message<'_>) {
    if world.any_socket().is_some() {
        world.send(&[message]);
    }
}

fn transports() -> impl Strategy<Value = Transports> {
    select(vec![Transports::ALL, crate::world::POLLING, crate::world::WEBSOCKET])
}

/// So that most scripts come beyond the opening.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let opening = prop_oneof![
        3 => Just(vec![Step::Answer(OPEN_UPGRADE), Step::Say("3probe"), Step::Answer(SID), Step::Answer("ok")]),
        2 => Just(vec![Step::Answer(OPEN), Step::Answer(SID), Step::Answer("ok")]),
        2 => Just(vec![Step::Answer3(OPEN_UPGRADE), Step::Answer3("40"), Step::Answer("ok")]),
        2 => Just(vec![Step::Say(OPEN), Step::Say(SID)]),
        2 => Just(vec![Step::Say(OPEN), Step::Say(PID), Step::Say("42[\"e\",\"offset\"]"), Step::Lose, Step::Time(1000),
            Step::Say(OPEN), Step::Say(PID)]),
        1 => Just(vec![]),
    ];
    (opening, vec(step(), 0..24)).prop_map(|(opening, steps)| [opening, steps].concat())
}

fn cases() -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 200 };
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_client_does_not_see_where_streams_are_cut(
        steps in steps(), transports in transports(), revision_3: bool, pieces in vec(1_usize..12, 1..5),
    ) {
        let whole = run(&steps, transports, revision_3, &[]);
        prop_assert_eq!(&run(&steps, transports, revision_3, &pieces), &whole);
        prop_assert_eq!(&run(&steps, transports, revision_3, &[]), &whole, "the same seed gives the same bytes");
    }
}

/// The generated scripts reach what the property is about.
#[test]
fn the_scripts_reach_every_kind_of_event() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeMap::<String, u32>::new();
    for _ in 0..800 {
        let script = (steps(), transports(), any::<bool>()).new_tree(&mut runner).unwrap().current();
        let (told, _, _) = run(&script.0, script.1, script.2, &[]);
        for told in told {
            let kind: String = told.split(['1', '2', ':', '0', ',']).next().unwrap().into();
            *found.entry(kind).or_default() += 1;
        }
    }
    let kinds = [
        "opened",
        "connected ",
        "recovered ",
        "upgraded",
        "upgrade failed",
        "refused ",
        "ack ",
        "disconnected ",
        "closed",
    ];
    for kind in kinds {
        assert!(found.get(kind).is_some_and(|count| *count >= 5), "{kind} is too rare: {found:#?}");
    }
}
