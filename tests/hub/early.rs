//! What clients without Socket.IO say before they are accepted: their streams are not read on meanwhile, which is no fault of theirs.

use std::time::Duration;

use roomwire::Stream;
use roomwire::hub::{Config, ConnId, Plain, Refusal, SocketId};
use roomwire::ws::{CloseCode, Message, Opcode};

use crate::fuzz_hub::Told;
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
