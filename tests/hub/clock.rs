//! Time: deadlines lie ahead after they were served, and time that goes backwards does no harm.

use proptest::collection::vec;
use proptest::prelude::*;
use roomwire::Instant;
use roomwire::hub::Hub;
use roomwire::ws::Opcode;

use crate::chunking::cases;
use crate::fuzz_hub::{self, Told};
use crate::support::ws::{masked, opening};
use crate::world::{V3, V4, World, config, count, millis};

#[derive(Clone, Debug)]
enum Call {
    Connect,
    Receive(usize, Vec<u8>),
    Eof(usize),
    Abort(usize),
    Sent(usize, usize),
    Timeout,
}

fn calls() -> impl Strategy<Value = Call> {
    let bytes = prop_oneof![
        4 => Just(opening(V4)),
        2 => Just(opening(V3)),
        1 => Just(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        1 => Just(b"GET / HT".to_vec()),
        8 => prop::sample::select(vec!["40", "3", "2", "42[\"enter\",\"lobby\"]", "42[\"ask\"]", "42[\"say\"]", "41"])
            .prop_map(|text| masked(Opcode::Text, text.as_bytes())),
        1 => Just(masked(Opcode::Ping, b"")),
        1 => Just(masked(Opcode::Close, b"")),
    ];
    prop_oneof![
        3 => Just(Call::Connect),
        12 => (0usize..6, bytes).prop_map(|(at, bytes)| Call::Receive(at, bytes)),
        1 => (0usize..6).prop_map(Call::Eof),
        1 => (0usize..6).prop_map(Call::Abort),
        4 => (0usize..6, prop_oneof![Just(usize::MAX), 0usize..200]).prop_map(|(at, count)| Call::Sent(at, count)),
        6 => Just(Call::Timeout),
    ]
}

/// Everything that is told and written; with every `now` as it is given, or with the latest so far.
fn run(script: &[(Call, u64)], clamped: bool) -> (Vec<Told>, Vec<u8>) {
    let mut hub = Hub::new(fuzz_hub::config(), [5; 32], Instant::ORIGIN).unwrap();
    let (mut conns, mut told, mut written) = (Vec::new(), Vec::new(), Vec::new());
    let mut latest = Instant::ORIGIN;
    let mut react = |hub: &mut Hub, now, event: roomwire::hub::Event<'_>| {
        told.push(Told::from(&event));
        match told.last() {
            Some(Told::Connecting(socket, ..)) => drop(hub.accept(now, *socket)),
            Some(Told::Connected(socket, _)) => drop(hub.identify(now, *socket, "ann")),
            Some(Told::Request(conn, _)) => hub.respond(now, *conn, roomwire::http::Response::new(200)),
            Some(Told::Emit(socket, name, ..)) if name == "enter" => drop(hub.enter(now, *socket, "lobby")),
            Some(Told::Emit(socket, name, ..)) if name == "ask" => {
                drop(hub.emit_with_ack(now, *socket, "ask", (), millis(1500)));
            }
            Some(Told::Emit(..)) => drop(hub.emit(now, roomwire::hub::Target::all(), "said", ())),
            _ => {}
        }
    };
    for (call, time) in script {
        if conns.is_empty() && !matches!(call, Call::Connect | Call::Timeout) {
            continue;
        }
        latest = latest.max(Instant::from(millis(*time)));
        let now = if clamped { latest } else { Instant::from(millis(*time)) };
        let at = |index: &usize| conns.get(index.checked_rem(conns.len()).unwrap_or(0)).copied();
        match call {
            Call::Connect => conns.extend(hub.connect(now)),
            Call::Receive(index, bytes) => {
                let (Some(conn), mut bytes) = (at(index), bytes.clone()) else { continue };
                let mut input = &mut bytes[..];
                while let Some(event) = hub.receive(now, conn, &mut input) {
                    react(&mut hub, now, event);
                }
            }
            Call::Eof(index) => at(index).into_iter().for_each(|conn| hub.receive_eof(now, conn)),
            Call::Abort(index) => at(index).into_iter().for_each(|conn| hub.abort(now, conn)),
            Call::Sent(index, count) => {
                let Some(conn) = at(index) else { continue };
                let bytes: Vec<u8> = hub.outgoing(conn).flatten().copied().take(*count).collect();
                hub.sent(now, conn, bytes.len());
                written.extend(bytes);
            }
            Call::Timeout => {
                hub.handle_timeout(now);
                assert!(hub.poll_timeout().is_none_or(|at| at > latest), "{:?} at {latest:?}", hub.poll_timeout());
            }
        }
        while let Some(event) = hub.poll_event() {
            react(&mut hub, now, event);
        }
    }
    (told, written)
}

proptest! {
    #![proptest_config(cases(500))]

    /// After `handle_timeout` the next deadline is later than now, whatever the steps of time.
    #[test]
    fn deadlines_lie_ahead(script in vec((calls(), prop_oneof![Just(0u64), 0u64..400, 0u64..9000]), 1..60)) {
        let mut now = 0;
        let script: Vec<_> = script.into_iter().map(|(call, step)| { now += step; (call, now) }).collect();
        run(&script, false);
    }

    /// A time before the latest one means the latest one.
    #[test]
    fn time_that_goes_backwards_stands_still(script in vec((calls(), 0u64..12_000), 1..60)) {
        prop_assert_eq!(run(&script, false), run(&script, true));
    }
}

/// The thread that read took its time before it waited for the hub, where others had their turn meanwhile.
#[test]
fn a_late_reader_is_not_timed_out() {
    let mut world = World::new(config());
    let conn = world.hub.connect(world.now).unwrap();
    world.bytes(conn, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    world.hub.respond(world.now, conn, roomwire::http::Response::new(200));
    world.read(conn, usize::MAX);
    world.pass(millis(50_000));
    world.told();
    let mut head = b"GET / HTTP/1.1\r\n".to_vec();
    let mut input = &mut head[..];
    assert!(world.hub.receive(Instant::from(millis(2000)), conn, &mut input).is_none());
    world.hub.handle_timeout(world.now);
    assert_eq!(world.told(), [], "its head has ten seconds from now");
}

#[test]
fn a_heartbeat_is_expected_of_each_revision() {
    let mut world = World::new(config());
    let (four, _) = world.client();
    let three = world.open(V3);
    world.pass(millis(25_000));
    assert_eq!(world.hears(four), ["2"]);
    world.says(three, "2");
    assert_eq!(world.hears(three), ["3"]);
    world.pass(millis(19_999));
    assert_eq!(count(&world.told(), "lost"), 0);
    world.pass(millis(1));
    assert_eq!(count(&world.told(), "lost"), 1, "revision 4 did not answer");
    assert_eq!(world.hears(four), ["close 0"]);
    world.pass(millis(25_000));
    assert_eq!(count(&world.told(), "not accepted") + count(&world.told(), "lost"), 0);
}
