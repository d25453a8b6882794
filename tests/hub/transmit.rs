//! `poll_transmit` names every connection that has something to write or whose stream is to be ended, and each once.

use std::collections::BTreeSet;

use roomwire::hub::{ConnId, Target};
use roomwire::ws::Opcode;
use roomwire::{Stream, http};

use crate::support::ws::masked;
use crate::world::{World, config, millis};

fn named(world: &mut World) -> Vec<ConnId> {
    std::iter::from_fn(|| world.hub.poll_transmit()).collect()
}

#[test]
fn each_once_and_none_forgotten() {
    let mut world = World::new(config());
    let clients = world.room(50, "lobby");
    named(&mut world);
    for round in 0..3 {
        for text in ["one", "two", "three"] {
            world.hub.emit(world.now, Target::room("lobby"), "say", (text, round)).unwrap();
        }
        let all = named(&mut world);
        assert_eq!(all.len(), 50, "each once");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 50);
        assert_eq!(named(&mut world), []);
        for (conn, _) in &clients {
            assert_eq!(world.hears(*conn).len(), 3);
        }
    }
    assert_eq!(named(&mut world), [], "what is written is not named again");
}

#[test]
fn who_is_partly_written_is_named_when_there_is_more() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    named(&mut world);
    world.hub.emit(world.now, socket, "say", ("x".repeat(1000),)).unwrap();
    assert_eq!(named(&mut world), [conn]);
    world.read(conn, 100);
    assert_eq!(named(&mut world), [], "the driver knows");
    world.hub.emit(world.now, socket, "say", ()).unwrap();
    assert_eq!(named(&mut world), [conn]);
}

#[test]
fn a_stream_to_be_ended_is_named() {
    let mut world = World::new(config());
    // The peer ends in the middle of nothing: there is nothing to write, but the stream is to be closed.
    let conn = world.hub.connect(world.now).unwrap();
    world.hub.receive_eof(world.now, conn);
    assert_eq!((named(&mut world), world.hub.stream(conn)), (vec![conn], Stream::Closed));
    // A broken one.
    let (conn, _) = world.client();
    named(&mut world);
    world.hub.abort(world.now, conn);
    assert_eq!((named(&mut world), world.hub.stream(conn)), (vec![conn], Stream::Closed));
    // One that times out before it says anything.
    let conn = world.hub.connect(world.now).unwrap();
    world.pass(millis(10_000));
    assert!(named(&mut world).contains(&conn));
    world.read(conn, usize::MAX);
    assert_eq!(world.hub.stream(conn), Stream::HalfClosed);
    named(&mut world);
    world.pass(millis(2000));
    assert_eq!((named(&mut world), world.hub.stream(conn)), (vec![conn], Stream::Closed));
    assert_eq!(world.hub.counts().connections, 0);
}

/// The driver waits to write the rest, which nobody reads, before it closes the stream.
#[test]
fn a_stream_whose_last_words_are_given_up_is_named() {
    let mut world = World::new(config());
    let (conn, _) = world.client();
    world.bytes(conn, &masked(Opcode::Close, &[]));
    assert_eq!((named(&mut world), world.hub.stream(conn)), (vec![conn], Stream::Closed));
    world.read(conn, world.hub.outgoing_len(conn) - 1);
    assert_eq!(named(&mut world), [], "the driver knows");
    world.pass(millis(60_000));
    assert_eq!((world.hub.outgoing_len(conn), world.hub.counts().connections), (0, 0));
    assert_eq!(named(&mut world), [conn]);
}

/// A driver that does what the module's first example does must not leave bytes behind.
#[test]
fn what_is_owed_after_everything_was_written_is_named() {
    let mut world = World::new(config());
    let (conn, _) = world.client();
    named(&mut world);
    for _ in 0..20 {
        world.bytes(conn, &masked(Opcode::Ping, &[b'x'; 100]));
    }
    let mut pongs = 0;
    // Each round is the driver's loop: take the connections that are named, write what they have, say so.
    for _ in 0..5 {
        for conn in named(&mut world) {
            pongs += world.hears(conn).len();
        }
    }
    assert!(pongs >= 2);
    assert_eq!(world.hub.outgoing_len(conn), 0, "the pong that is owed since waits for a driver that nobody calls");
}

#[test]
fn a_request_behind_another_is_told_when_that_is_answered() {
    let mut world = World::new(config());
    let conn = world.hub.connect(world.now).unwrap();
    world.bytes(conn, b"GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(world.told().len(), 1);
    assert!(!world.hub.wants_read(conn));
    world.hub.respond(world.now, conn, http::Response::new(200));
    world.bytes(conn, b"");
    assert_eq!(world.told().len(), 1, "the second, of which no further byte will come");
}

#[test]
fn copying_equals_lending() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    for size in [3, 500, 20] {
        world.hub.emit(world.now, socket, "say", ("x".repeat(size),)).unwrap();
    }
    let lent: Vec<u8> = world.hub.outgoing(conn).flatten().copied().collect();
    assert_eq!(lent.len(), world.hub.outgoing_len(conn));
    for size in [0, 1, 100, 600, 5000] {
        let mut buffer = vec![0; size];
        let copied = world.hub.copy_outgoing(conn, &mut buffer);
        assert_eq!(buffer[..copied], lent[..lent.len().min(size)]);
    }
}
