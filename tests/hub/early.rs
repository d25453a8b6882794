//! What clients without Socket.IO say before they are accepted: their streams are not read on meanwhile, which is no fault of theirs.

use std::time::Duration;

use roomwire::Stream;
use roomwire::hub::{Config, ConnId, Error, Plain, Refusal, SocketId};
use roomwire::ws::{CloseCode, Message, Opcode};

use crate::fuzz_hub::Told;
use crate::review::{get, post, read, stream};
use crate::support::memory::measure;
use crate::support::ws::masked;
use crate::world::{World, config, count, millis};

/// Bare, and on Engine.IO in both revisions.
const TARGETS: [&str; 3] = ["/raw", "/engine.io/?EIO=3&transport=websocket", "/engine.io/?EIO=4&transport=websocket"];

fn plain() -> Config {
    let mut config = config();
    config.plain = vec![Plain::new("/raw", "/chat"), Plain::engine_io("/engine.io/", "/chat")];
    config
}

/// A client that has spoken before it is accepted.
fn early(world: &mut World, target: &str) -> (ConnId, SocketId) {
    let conn = world.open(target);
    let [.., Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
    assert_eq!(says(world, target, conn, "early"), []);
    assert!(!world.hub.wants_read(conn), "nothing further is read");
    (conn, socket)
}

fn says(world: &mut World, target: &str, conn: ConnId, text: &str) -> Vec<Told> {
    let prefix = if target == "/raw" { "" } else { "4" };
    world.says(conn, &format!("{prefix}{text}"))
}

/// What it sends meanwhile to show that it lives stands unread behind that.
#[test]
fn who_is_not_read_is_not_taken_for_dead() {
    for target in TARGETS {
        let connect_timeout = Duration::from_secs(600);
        let mut world = World::new(Config { connect_timeout, ..plain() });
        let (conn, socket) = early(&mut world, target);
        for _ in 0..50 {
            world.pass(millis(10_000));
            world.read(conn, usize::MAX);
            assert_eq!(world.told(), [], "{target}");
        }
        world.hub.accept(world.now, socket).unwrap();
        let message = |text: &'static str| Told::Message(conn, Some(socket), Message::Text(text.into()));
        assert_eq!(world.told(), [Told::Connected(socket, false), message("early")]);
        // It takes a while to be read, and counts from now on.
        world.pass(millis(19_999));
        assert_eq!(world.told(), [], "{target}");
        assert_eq!(says(&mut world, target, conn, "late"), [message("late")]);
        world.pass(millis(100_000));
        assert_eq!(count(&world.told(), "lost"), 1, "{target}");
    }
}

/// Whose stream ends in order is read again: the answer to the close frame comes on it.
#[test]
fn who_was_not_read_ends_in_order() {
    for target in TARGETS {
        for end in ["refuse", "close", "shutdown", "disconnect", "timeout"] {
            let mut world = World::new(plain());
            let (conn, socket) = early(&mut world, target);
            while world.hub.poll_transmit().is_some() {}
            match end {
                "refuse" => world.hub.refuse(world.now, socket, &Refusal::new("no")).unwrap(),
                "close" => world.hub.close_connection(world.now, conn, CloseCode::GOING_AWAY, ""),
                "disconnect" => world.hub.disconnect_client(world.now, socket).unwrap(),
                "shutdown" => world.hub.shutdown(world.now),
                _ => world.pass(millis(45_000)),
            }
            assert_eq!(world.hub.poll_transmit(), Some(conn), "{target} {end}");
            assert!(world.hears(conn).last().is_some_and(|last| last.starts_with("close ")), "{target} {end}");
            assert!(world.hub.wants_read(conn), "{target} {end}");
            world.told();
            world.bytes(conn, &masked(Opcode::Close, &[]));
            assert_eq!(world.told(), [Told::Closed(conn, None)], "{target} {end}");
            assert_eq!(world.hub.stream(conn), Stream::Closed, "{target} {end}");
            assert_eq!(world.hub.counts().sockets, 0, "{target} {end}");
        }
    }
}

/// A session on long polling that waits to be accepted: its query, and its socket.
fn polling(world: &mut World) -> (String, SocketId) {
    let conn = stream(world, &at(&get("EIO=4", "")));
    let [.., Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
    let open = read(world, conn);
    let sid = open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    (format!("EIO=4&sid={sid}"), socket)
}

fn at(request: &str) -> String {
    request.replace("/socket.io/", "/engine.io/")
}

/// Of a session that is remembered for its client to hear of its end nothing else is kept.
#[test]
fn what_was_said_early_goes_with_the_socket() {
    let mut world = World::new(plain());
    let (query, socket) = polling(&mut world);
    let conn = world.hub.connect(world.now).unwrap();
    let request = at(&post(&query, &format!("4{}", "x".repeat(900_000))));
    let ((), usage) = measure(|| {
        world.bytes(conn, request.as_bytes());
        world.told();
        read(&mut world, conn);
    });
    assert!(usage.live > 900_000, "it is held: {usage:?}");
    let ((), usage) = measure(|| world.hub.refuse(world.now, socket, &Refusal::new("no")).unwrap());
    assert!(usage.live < -900_000, "{usage:?}");
    assert_eq!(world.hub.counts().sessions, 1, "its client is still to hear of it");
}

/// A message that would be taken later is taken early.
#[test]
fn one_message_waits_whatever_its_size() {
    let mut config = plain();
    config.limits.packet_bytes_max = 1000;
    for target in TARGETS {
        let mut world = World::new(config.clone());
        let conn = world.open(target);
        let [.., Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
        let text = "x".repeat(config.engine.max_payload - 1);
        assert_eq!(says(&mut world, target, conn, &text), [], "{target}");
        world.hub.accept(world.now, socket).unwrap();
        let message = Told::Message(conn, Some(socket), Message::Text(text.into()));
        assert!(world.told() == [Told::Connected(socket, false), message], "{target}");

        let (conn, socket) = early(&mut world, target);
        let told = says(&mut world, target, conn, &"x".repeat(1000));
        assert!(matches!(told[..], [Told::Disconnected(lost, _, None)] if lost == socket), "{target} {told:?}");
        world.hub.receive_eof(world.now, conn);
        assert_eq!(world.told(), [Told::Closed(conn, Some(Error::EarlyMessages))], "{target}");
    }
}
