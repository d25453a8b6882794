//! The upgrade of a session from long polling to WebSocket, step by step.

use roomwire::Stream;
use roomwire::engineio::{RequestError, Transport};
use roomwire::hub::{Config, DisconnectReason, SocketId};
use roomwire::ws::{Message, Opcode};

use crate::app::App;
use crate::client::{Client, Frame, frame, opening, text};
use crate::poller::{Answer, Poller, payload};
use crate::polling::{accepting, connected, emit, numbers};
use crate::world::{Told, World, ms, open_config, secs};

const EMPTY_CLOSE: [Frame; 1] = [Frame::Close(1005, String::new())];

/// A session on long polling and a WebSocket that is open for it.
fn beside(world: &mut World, revision: u8) -> (Poller, SocketId, Client) {
    let (poller, socket) = connected(world, revision);
    let client = Client::open(world, &poller.target("websocket"));
    (poller, socket, client)
}

/// A session that changed from the one to the other.
fn upgraded(world: &mut World, revision: u8) -> (Poller, SocketId, Client) {
    let (poller, socket, mut client) = beside(world, revision);
    assert_eq!(client.ask(world, "2probe"), [text("3probe")]);
    assert_eq!(client.ask(world, "5"), []);
    (poller, socket, client)
}

/// The refusal of whatever a client asks with its session.
fn refusal(world: &mut World, bytes: &[u8]) -> Option<RequestError> {
    let conn = world.stream();
    world.news();
    world.feed(conn, bytes);
    world.news().into_iter().find_map(|told| if let Told::Refused { error, .. } = told { Some(error) } else { None })
}

/// The whole dance: a GET that waits gets a noop when the probe is answered, what is queued meanwhile goes over the WebSocket.
#[test]
fn the_dance() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        poller.park(&mut world);
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        assert_eq!(client.frames(&mut world), [], "nothing is said before the probe");
        assert_eq!(poller.heard(&mut world), None);
        assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
        assert_eq!(poller.heard(&mut world).unwrap().texts(), ["6"]);
        assert_eq!(world.hub.transport(socket), Some(Transport::Polling));
        emit(&mut world, socket, 0..20);
        assert_eq!(client.frames(&mut world), []);
        assert_eq!(client.ask(&mut world, "5"), numbers(0..20).iter().map(|packet| text(packet)).collect::<Vec<_>>());
        assert_eq!(world.hub.transport(socket), Some(Transport::WebSocket));
        assert_eq!(world.hub.connection(socket), Some(client.conn));
        emit(&mut world, socket, 20..21);
        assert_eq!(client.texts(&mut world), numbers(20..21));
        client.say(&mut world, r#"42["e"]"#);
        assert!(matches!(&world.news()[..], [Told::Emit { .. }]));
        assert_eq!(world.hub.counts().sessions, 1);
    }
}

/// Long polling goes on until the `5`, with events in both directions.
#[test]
fn polling_goes_on_beside_a_probe() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket, mut client) = beside(&mut world, revision);
        emit(&mut world, socket, 0..1);
        assert_eq!(poller.poll(&mut world).texts(), numbers(0..1));
        client.say(&mut world, "2probe");
        emit(&mut world, socket, 1..2);
        assert_eq!(poller.poll(&mut world).texts(), numbers(1..2));
        poller.say(&mut world, &[r#"42["e"]"#]);
        assert!(matches!(&world.news()[..], [Told::Emit { .. }]));
        // Nothing to say: each GET is over at once, so that the client can change.
        assert_eq!(poller.poll(&mut world).texts(), ["6"]);
        assert_eq!(poller.poll(&mut world).texts(), ["6"]);
        assert_eq!(client.frames(&mut world), [text("3probe")]);
        assert_eq!(client.ask(&mut world, "5"), []);
    }
}

/// What was announced on long polling may be completed on WebSocket.
#[test]
fn attachments_on_both_transports() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, _, mut client) = beside(&mut world, revision);
        client.say(&mut world, "2probe");
        poller.send(&mut world, &[text(r#"452-["e",{"_placeholder":true,"num":1}]"#), Frame::Binary(vec![7, 8])]);
        client.say(&mut world, "5");
        assert_eq!(world.news(), []);
        let data: &[u8] = if revision == 3 { &[4, 9] } else { &[9] };
        client.send(&mut world, Message::Binary(data.into()));
        assert!(matches!(&world.news()[..], [Told::Emit { attachments, .. }] if *attachments == [vec![7, 8], vec![9]]));
    }
}

/// A client that does not hear of the probe's answer, since its proxy holds that back, asks on: as often as with the official
/// server, and not as fast as it can.
#[test]
fn who_does_not_hear_the_answer_asks_ten_times_a_second() {
    for revision in [3, 4] {
        let mut world = World::captured();
        let mut poller = Poller::connected(&mut world, revision);
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        poller.park(&mut world);
        client.say(&mut world, "2probe");
        assert_eq!(poller.heard(&mut world).unwrap().texts(), ["6"], "at once: it may have heard");
        for _ in 1..8 {
            assert_eq!(poller.poll(&mut world).texts(), ["6"]);
        }
        for _ in 0..5 {
            poller.park(&mut world);
            assert!(poller.heard(&mut world).is_none());
            world.pass(ms(99));
            assert!(poller.heard(&mut world).is_none());
            world.pass(ms(1));
            assert_eq!(poller.heard(&mut world).unwrap().texts(), ["6"]);
        }
        // What there is to say does not wait, nor does who comes late.
        poller.park(&mut world);
        let socket = world.last_socket();
        world.hub.emit(world.now, socket, "e", ()).unwrap();
        world.settle();
        assert_eq!(poller.heard(&mut world).unwrap().texts(), ["42[\"e\"]"]);
        world.pass(ms(100));
        assert_eq!(poller.poll(&mut world).texts(), ["6"]);
        assert_eq!(client.frames(&mut world), [text("3probe")]);
        assert_eq!(client.ask(&mut world, "5"), []);
    }
}

/// A probe may be repeated, and is answered each time.
#[test]
fn e13_probed_twice() {
    let mut world = accepting();
    let (_, socket, mut client) = beside(&mut world, 4);
    for _ in 0..3 {
        assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
    }
    assert_eq!(client.ask(&mut world, "5"), []);
    assert_eq!(world.hub.transport(socket), Some(Transport::WebSocket));
}

/// Anything but the probe, and then the `5`, closes the WebSocket; the session does not notice.
#[test]
fn e13_other_packets_in_the_probe() {
    for revision in [3, 4] {
        let before = ["5", "2", "2prob", "2probe2", "3probe", "40", "42[\"e\"]", "1", "6", "0", "", "x", "2PROBE"];
        let after = ["2", "5 ", "55", "40", "42[\"e\"]", "1", "6", "3", "3probe", "", "x"];
        let all = before.map(|packet| (false, packet)).into_iter().chain(after.map(|packet| (true, packet)));
        for (probed, packet) in all {
            let mut world = accepting();
            let (mut poller, socket, mut client) = beside(&mut world, revision);
            poller.park(&mut world);
            if probed {
                client.ask(&mut world, "2probe");
                assert_eq!(poller.heard(&mut world).unwrap().texts(), ["6"]);
                assert_eq!(poller.poll(&mut world).texts(), ["6"]);
            }
            assert_eq!(client.ask(&mut world, packet), EMPTY_CLOSE, "{probed} {packet}");
            client.finish(&mut world);
            assert!(world.is_over(client.conn));
            if probed {
                poller.park(&mut world);
            }
            assert!(world.news().iter().all(|told| matches!(told, Told::Closed { error: None, .. })));
            emit(&mut world, socket, 0..1);
            assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
            // And another one may try.
            let mut client = Client::open(&mut world, &poller.target("websocket"));
            assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
        }
    }
    // Binary data are no probe either.
    let mut world = accepting();
    let (_, socket, mut client) = beside(&mut world, 4);
    client.raw(&mut world, &frame(true, Opcode::Binary, b"2probe"));
    assert_eq!(client.frames(&mut world), EMPTY_CLOSE);
    assert!(world.hub.is_live(socket));
}

/// A packet behind the `5` in the same read belongs to the session.
#[test]
fn what_follows_the_upgrade_packet() {
    let mut world = accepting();
    let (_, _, mut client) = beside(&mut world, 4);
    let bytes = ["2probe", "5", r#"42["a"]"#, r#"42["b"]"#].map(crate::client::message).concat();
    client.raw(&mut world, &bytes);
    let names: Vec<_> = world.news();
    assert!(matches!(&names[..], [Told::Emit { name: a, .. }, Told::Emit { name: b, .. }] if a == "a" && b == "b"));
    assert_eq!(client.frames(&mut world), [text("3probe")]);
}

/// A second WebSocket is closed at once, whether the first is about to take over or has; the first does not notice.
#[test]
fn e13_a_second_websocket() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket, mut client) = beside(&mut world, revision);
        for step in ["", "2probe", "5", r#"42["e"]"#] {
            if !step.is_empty() {
                client.ask(&mut world, step);
            }
            let mut second = Client::open(&mut world, &poller.target("websocket"));
            assert_eq!(second.frames(&mut world), EMPTY_CLOSE, "after {step:?}");
            // What it says is nobody's.
            for packet in ["2probe", "5", "1", "41"] {
                second.raw(&mut world, &crate::client::message(packet));
            }
            second.finish(&mut world);
            assert!(world.is_over(second.conn));
        }
        assert!(world.hub.is_live(socket));
        assert_eq!(world.hub.connection(socket), Some(client.conn));
        assert_eq!(poller.poll(&mut world).text(), r#"{"code":3,"message":"Bad request"}"#);
    }
}

/// Without the `5` in time the WebSocket is closed and long polling goes on.
#[test]
fn the_upgrade_has_its_time() {
    for (revision, probed) in [(3, false), (3, true), (4, false), (4, true)] {
        let mut world = accepting();
        let (mut poller, socket, mut client) = beside(&mut world, revision);
        world.pass(secs(4));
        if probed {
            client.ask(&mut world, "2probe");
        }
        world.pass(secs(6) - std::time::Duration::from_nanos(1));
        assert_eq!(client.frames(&mut world), []);
        world.pass(std::time::Duration::from_nanos(1));
        assert_eq!(client.frames(&mut world), EMPTY_CLOSE, "it is absolute");
        // Too late.
        client.raw(&mut world, &crate::client::message("5"));
        client.finish(&mut world);
        assert!(world.is_over(client.conn));
        assert_eq!(world.hub.transport(socket), Some(Transport::Polling));
        poller.park(&mut world);
        emit(&mut world, socket, 0..1);
        assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
        poller.say(&mut world, &[r#"42["e"]"#]);
        assert!(matches!(world.news().last(), Some(Told::Emit { .. })));
        // It may try again, with all of the time.
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        world.pass(secs(9));
        client.ask(&mut world, "2probe");
        client.ask(&mut world, "5");
        world.pass(secs(5));
        assert_eq!(world.hub.transport(socket), Some(Transport::WebSocket));
    }
}

/// A time of the application's choice.
#[test]
fn upgrade_timeout() {
    let mut config = open_config();
    config.engine.upgrade_timeout = secs(1);
    let mut world = World::new(config.clone(), App::Accepting);
    let (_, _, mut client) = beside(&mut world, 4);
    world.pass(secs(1));
    assert_eq!(client.frames(&mut world), EMPTY_CLOSE);
    config.engine.upgrade_timeout = std::time::Duration::ZERO;
    assert!(Config::validate(&config).is_err());
}

/// The WebSocket of an upgrade may break, end or be closed at any step: long polling goes on.
#[test]
fn an_upgrade_that_is_lost() {
    for revision in [3, 4] {
        for probed in [false, true] {
            for way in 0..3 {
                let mut world = accepting();
                let (mut poller, socket, mut client) = beside(&mut world, revision);
                if probed {
                    client.ask(&mut world, "2probe");
                }
                emit(&mut world, socket, 0..1);
                match way {
                    0 => world.abort(client.conn),
                    1 => world.eof(client.conn),
                    _ => {
                        client.close(&mut world);
                        assert_eq!(client.frames(&mut world), EMPTY_CLOSE);
                        client.finish(&mut world);
                    }
                }
                let told = world.news();
                assert!(matches!(told[..], [Told::Closed { .. }]), "{told:?}");
                assert_eq!(poller.poll(&mut world).texts(), numbers(0..1));
                poller.park(&mut world);
                emit(&mut world, socket, 1..2);
                assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(1..2));
                let mut client = Client::open(&mut world, &poller.target("websocket"));
                assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
                assert_eq!(client.ask(&mut world, "5"), []);
            }
        }
    }
}

/// After the upgrade a request of long polling is a bad one, and harms nobody.
#[test]
fn polling_after_the_upgrade() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (poller, socket, mut client) = upgraded(&mut world, revision);
        let body = payload(revision, &[text(r#"42["e"]"#)]);
        for bytes in [poller.get_bytes(), poller.post_bytes("text/plain", body.as_bytes())] {
            assert_eq!(refusal(&mut world, &bytes), Some(RequestError::BadRequest));
        }
        emit(&mut world, socket, 0..1);
        assert_eq!(client.texts(&mut world), numbers(0..1));
    }
}

/// An answer that is still on its way when the `5` comes, against the rules, and is lost then: the session is over, and with it
/// the WebSocket that carries it by now, which nobody else would ever end.
#[test]
fn an_answer_that_is_lost_after_the_upgrade() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        let conn = poller.park(&mut world);
        world.stalled.push(conn);
        emit(&mut world, socket, 0..1);
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
        assert_eq!(client.ask(&mut world, "5"), []);
        world.news();
        world.abort(conn);
        let away_until = Some(world.now.saturating_add(secs(30)));
        let lost = Told::Disconnected { socket, reason: DisconnectReason::TransportClosed, away_until };
        assert!(world.news().contains(&lost));
        assert_eq!(client.frames(&mut world), EMPTY_CLOSE);
        client.finish(&mut world);
        assert!(world.closed(client.conn) && world.is_over(client.conn));
    }
}

/// A client that has heard `3probe` polls no more: it would not notice that a WebSocket ends which is not its transport yet.
#[test]
fn a_shutdown_waits_for_the_upgrade() {
    for revision in [3, 4] {
        for end in ["it finishes", "it goes away", "it does nothing"] {
            let mut world = accepting();
            let (_poller, socket, mut client) = beside(&mut world, revision);
            assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
            world.hub.shutdown(world.now);
            world.settle();
            assert!(!world.hub.is_live(socket));
            assert_eq!(client.frames(&mut world), [], "it is not closed yet");
            match end {
                "it finishes" => {
                    assert_eq!(client.ask(&mut world, "5"), EMPTY_CLOSE);
                    client.finish(&mut world);
                }
                "it goes away" => {
                    world.hub.abort(world.now, client.conn);
                    world.settle();
                    assert_eq!(world.hub.counts().sessions, 0);
                }
                _ => world.pass(secs(8)),
            }
            // For the streams of its polls, which nobody ends.
            world.pass(secs(2));
            assert!(world.hub.is_finished(), "{revision} {end}");
        }
    }
}

/// A GET that waits against the rules when the `5` comes does not hang, and takes nothing with it.
#[test]
fn a_get_that_waits_for_nothing() {
    let mut world = accepting();
    let (mut poller, socket, mut client) = beside(&mut world, 4);
    // In one turn, so that the GET is not answered in between.
    let get = world.stream();
    let mut input = poller.get_bytes();
    let mut input = &mut input[..];
    assert!(world.hub.receive(world.now, get, &mut input).is_none());
    world.hub.emit(world.now, socket, "n", (0,)).unwrap();
    let bytes = ["2probe", "5"].map(crate::client::message).concat();
    client.raw(&mut world, &bytes);
    let answers = Answer::all(&world.take(get));
    assert_eq!(answers.len(), 1);
    let heard = [answers[0].texts(), client.texts(&mut world)].concat();
    assert_eq!(heard.iter().filter(|packet| **packet == r#"42["n",0]"#).count(), 1, "{heard:?}");
    poller.get = Some(get);
    assert_eq!(world.hub.stream(get), Stream::Open);
}

/// The session that ends takes the WebSocket that was to carry it with it.
#[test]
fn a_session_that_ends_in_between() {
    for probed in [false, true] {
        // In its farewell a probed WebSocket is waited for: see below.
        for way in (0..4).filter(|way| !(probed && *way == 2)) {
            let mut world = accepting();
            let (mut poller, socket, mut client) = beside(&mut world, 4);
            if probed {
                client.ask(&mut world, "2probe");
            }
            match way {
                0 => poller.say(&mut world, &["1"]),
                1 => poller.say(&mut world, &["x"]),
                2 => {
                    world.hub.close(world.now, socket).unwrap();
                    world.settle();
                }
                _ => {
                    // It fetched nothing.
                    for number in 0..66_000 {
                        world.hub.emit(world.now, roomwire::hub::Target::all(), "n", (number,)).unwrap();
                    }
                    world.settle();
                }
            }
            assert_eq!(client.frames(&mut world), EMPTY_CLOSE, "{probed} {way}");
            client.finish(&mut world);
            assert!(world.is_over(client.conn) && !world.hub.is_live(socket));
            assert_eq!(world.hub.counts().sessions, usize::from(way == 2), "a farewell is owed");
        }
    }
}

/// The heartbeat goes on over the change: what was sent on the one may be answered on the other.
#[test]
fn the_heartbeat_over_the_change() {
    let mut world = accepting();
    let (mut poller, socket) = connected(&mut world, 4);
    world.pass(secs(25));
    let mut client = Client::open(&mut world, &poller.target("websocket"));
    client.ask(&mut world, "2probe");
    // The ping was not fetched.
    assert_eq!(client.ask(&mut world, "5"), [text("2")]);
    world.pass(secs(19));
    client.say(&mut world, "3");
    world.pass(secs(25));
    assert_eq!(client.frames(&mut world), [text("2")]);
    world.pass(secs(20));
    assert_eq!(client.frames(&mut world), EMPTY_CLOSE);
    assert!(!world.hub.is_live(socket) && poller.is_gone(&mut world));
    // The other way: pinged on long polling, answered on WebSocket.
    let (mut poller, socket) = connected(&mut world, 4);
    world.pass(secs(25));
    assert_eq!(poller.poll(&mut world).texts(), ["2"]);
    let mut client = Client::open(&mut world, &poller.target("websocket"));
    client.ask(&mut world, "2probe");
    assert_eq!(client.ask(&mut world, "5"), []);
    client.say(&mut world, "3");
    world.pass(secs(24));
    assert!(world.hub.is_live(socket));
    // In revision 3 probes are no heartbeat of the session.
    let mut world = accepting();
    let (_, socket, mut client) = beside(&mut world, 3);
    world.pass(secs(9));
    client.ask(&mut world, "2probe");
    client.ask(&mut world, "5");
    world.pass(secs(36) - std::time::Duration::from_nanos(1));
    assert!(world.hub.is_live(socket));
    world.pass(std::time::Duration::from_nanos(1));
    assert!(!world.hub.is_live(socket));
}

/// An upgraded session ends as any on WebSocket does.
#[test]
fn the_end_of_an_upgraded_session() {
    let mut world = accepting();
    let (mut poller, socket, client) = upgraded(&mut world, 4);
    world.news();
    world.abort(client.conn);
    let away_until = Some(world.now.saturating_add(secs(30)));
    let told = Told::Disconnected { socket, reason: DisconnectReason::TransportClosed, away_until };
    assert_eq!(world.news()[0], told);
    assert!(poller.is_gone(&mut world));
    let conn = world.stream();
    world.feed(conn, &opening(&poller.target("websocket"), ""));
    assert!(world.take(conn).ends_with(b"Session ID unknown"));
}

/// Who is made to go while it changes its transport polls no more: what it is to hear, and the end, come on the other one.
#[test]
fn a_session_that_is_closed_between_probe_and_upgrade() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
        world.hub.disconnect_client(world.now, socket).unwrap();
        world.settle();
        assert_eq!(client.frames(&mut world), []);
        client.say(&mut world, "5");
        assert_eq!(client.frames(&mut world), [text("41"), Frame::Close(1005, String::new())]);
        assert_eq!(world.hub.counts().sessions, 0);
        assert!(poller.is_gone(&mut world));
    }
}

/// The same where the client goes on polling, or does nothing: the session is over, and its WebSocket with it.
#[test]
fn a_session_that_is_closed_between_probe_and_upgrade_and_polls_on() {
    for polls in [false, true] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, 4);
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        client.ask(&mut world, "2probe");
        world.hub.disconnect_client(world.now, socket).unwrap();
        world.settle();
        if polls {
            assert_eq!(poller.poll(&mut world).texts(), ["41"]);
            assert_eq!(poller.poll(&mut world).texts(), ["6", "1"]);
        } else {
            world.pass(secs(30));
        }
        assert_eq!(client.frames(&mut world), EMPTY_CLOSE);
        assert_eq!(world.hub.counts().sessions, 0);
    }
}
