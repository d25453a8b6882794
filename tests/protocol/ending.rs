//! Every way in which sockets, connections and the hub itself come to an end.

use roomwire::hub::{ConnectError, DisconnectReason, Error, SocketError};
use roomwire::ws::{self, CloseCode, Opcode};
use roomwire::{Stream, hub};

use crate::app::App;
use crate::client::{Client, Frame, frame, get, text};
use crate::world::{Told, World, open_config, secs};

fn world() -> World {
    World::new(open_config(), App::Accepting)
}

/// A client in `/` with nothing left to be told.
fn one(world: &mut World) -> (Client, hub::SocketId) {
    let client = Client::connected(world);
    world.news();
    let socket = world.last_socket();
    (client, socket)
}

/// The end of a transport after which the client may come back.
fn away(world: &World, socket: hub::SocketId, reason: DisconnectReason) -> Told {
    Told::Disconnected { socket, reason, away_until: Some(world.now.saturating_add(secs(30))) }
}

fn gone(socket: hub::SocketId, reason: DisconnectReason) -> Told {
    Told::Disconnected { socket, reason, away_until: None }
}

#[test]
fn the_application_disconnects_a_namespace() {
    for (packet, goodbye) in [("40", "41"), ("40/admin,", "41/admin,")] {
        let mut world = world();
        let mut client = Client::open(&mut world, crate::client::MAIN);
        client.ask(&mut world, packet);
        let socket = world.last_socket();
        world.news();
        world.hub.disconnect(world.now, socket).unwrap();
        world.settle();
        assert_eq!(client.frames(&mut world), [text(goodbye)]);
        assert_eq!(world.news(), [gone(socket, DisconnectReason::Server)]);
        assert_eq!(world.hub.disconnect(world.now, socket), Err(SocketError::Gone));
        // The stream stays, and the client may say goodbye too.
        assert_eq!(client.ask(&mut world, goodbye), []);
        assert!(matches!(&client.ask(&mut world, packet)[..], [Frame::Text(_)]));
    }
}

/// What a client sent before it heard of it is no fault of its.
#[test]
fn packets_that_cross_a_disconnect() {
    let mut world = world();
    let (mut client, socket) = one(&mut world);
    world.hub.disconnect(world.now, socket).unwrap();
    for packet in [r#"42["crossing"]"#, r#"421["crossing"]"#, "430[]", "41"] {
        client.say(&mut world, packet);
    }
    assert_eq!(world.news(), [gone(socket, DisconnectReason::Server)]);
    assert_eq!(client.frames(&mut world), [text("41")]);
    // Elsewhere it is one, and here too when it was connected anew and has left by itself.
    client.ask(&mut world, "40");
    client.ask(&mut world, "41");
    assert!(matches!(&client.ask(&mut world, r#"42["late"]"#)[..], [Frame::Close(1008, _)]));
}

#[test]
fn a_socket_that_waits_is_disconnected() {
    let mut world = World::manual();
    let mut client = Client::open(&mut world, crate::client::MAIN);
    client.say(&mut world, "40");
    let socket = world.last_socket();
    world.news();
    world.hub.disconnect(world.now, socket).unwrap();
    world.settle();
    assert_eq!(world.news(), [gone(socket, DisconnectReason::Server)]);
    assert_eq!(world.hub.accept(world.now, socket), Err(SocketError::Gone));
}

#[test]
fn the_application_closes_the_stream_under_a_socket() {
    let mut world = world();
    let (mut client, socket) = one(&mut world);
    client.ask(&mut world, "40/admin,");
    let other = world.last_socket();
    world.news();
    world.hub.close(world.now, socket).unwrap();
    world.settle();
    assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
    let ends = [socket, other].map(|socket| away(&world, socket, DisconnectReason::Closed));
    assert_eq!(world.news(), ends);
    assert_eq!(world.hub.close(world.now, socket), Err(SocketError::Away));
    client.finish(&mut world);
    assert_eq!(world.news(), [Told::Closed { conn: client.conn, error: None }]);
    assert!(world.is_over(client.conn));
}

#[test]
fn the_application_closes_a_connection_with_its_own_code() {
    let mut world = world();
    let (mut client, socket) = one(&mut world);
    let code = CloseCode::new(4000).unwrap();
    world.hub.close_connection(world.now, client.conn, code, "because");
    world.settle();
    assert_eq!(client.frames(&mut world), [Frame::Close(4000, "because".into())]);
    let end = away(&world, socket, DisconnectReason::Closed);
    assert_eq!(world.news(), [end]);
    // Again is as good as once.
    world.hub.close_connection(world.now, client.conn, CloseCode::NORMAL, "");
    world.settle();
    client.finish(&mut world);
    assert_eq!(client.frames(&mut world), []);
    assert_eq!(world.news(), [Told::Closed { conn: client.conn, error: None }]);
}

/// What a client sends behind its own or our close is nobody's.
#[test]
fn packets_after_the_end() {
    let mut world = world();
    let (client, _) = one(&mut world);
    world.hub.close_connection(world.now, client.conn, CloseCode::NORMAL, "");
    world.settle();
    world.news();
    for packet in [r#"42["late"]"#, "40/late,", "2", "garbage", "1"] {
        world.feed(client.conn, &crate::client::message(packet));
    }
    world.feed(client.conn, &frame(true, Opcode::Binary, b"late"));
    assert_eq!(world.news(), []);
    assert_eq!((world.hub.counts().sessions, world.hub.counts().sockets), (0, 1));
}

#[test]
fn a_client_that_does_not_answer_the_close() {
    let mut world = world();
    let (client, _) = one(&mut world);
    world.hub.close_connection(world.now, client.conn, CloseCode::NORMAL, "");
    world.settle();
    world.news();
    world.pass(secs(5));
    let error = Some(Error::WebSocket(ws::Error::CloseTimeout));
    assert_eq!(world.news(), [Told::Closed { conn: client.conn, error }]);
    assert!(world.is_over(client.conn));
    assert_eq!(world.hub.counts().connections, 0);
}

#[test]
fn a_client_that_closes_in_order_may_come_back() {
    let mut world = world();
    let (mut client, socket) = one(&mut world);
    client.close(&mut world);
    assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
    let away_until = Some(world.now.saturating_add(secs(30)));
    let reason = DisconnectReason::TransportClosed;
    let closed = Told::Closed { conn: client.conn, error: None };
    assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until }, closed]);
    world.pass(secs(30) - std::time::Duration::from_nanos(1));
    assert_eq!(world.news(), []);
    world.pass(std::time::Duration::from_nanos(1));
    assert_eq!(world.news(), [Told::Left { socket }]);
    assert_eq!(world.hub.counts(), hub::Counts::default());
}

#[test]
fn a_client_that_left_before_it_closed_does_not() {
    let mut world = world();
    let (mut client, socket) = one(&mut world);
    client.say(&mut world, "41");
    client.close(&mut world);
    assert_eq!(world.news(), [gone(socket, DisconnectReason::Client), Told::Closed { conn: client.conn, error: None }]);
}

#[test]
fn streams_that_end_or_break() {
    for broken in [true, false] {
        let mut world = world();
        let (client, socket) = one(&mut world);
        if broken {
            world.abort(client.conn)
        } else {
            world.eof(client.conn)
        }
        let told = world.news();
        let reason = DisconnectReason::TransportClosed;
        let away_until = Some(world.now.saturating_add(secs(30)));
        assert_eq!(told[0], Told::Disconnected { socket, reason, away_until });
        assert!(matches!(told[1], Told::Closed { conn, .. } if conn == client.conn) && told.len() == 2, "{told:?}");
        assert!(world.is_over(client.conn));
        // Once is enough.
        world.eof(client.conn);
        world.abort(client.conn);
        world.feed(client.conn, b"late");
        assert_eq!(world.news(), []);
    }
}

#[test]
fn nobody_is_away_where_that_is_not_wanted() {
    let config = hub::Config { away_timeout: secs(0), ..open_config() };
    let mut world = World::new(config, App::Accepting);
    let (client, socket) = one(&mut world);
    world.abort(client.conn);
    assert_eq!(world.news()[0], gone(socket, DisconnectReason::TransportClosed));
    assert_eq!(world.hub.counts(), hub::Counts::default());
}

#[test]
fn shutdown() {
    let mut world = world();
    let (mut client, socket) = one(&mut world);
    let mut fresh = Client::open(&mut world, crate::client::MAIN);
    fresh.frames(&mut world);
    let idle = world.stream();
    let asking = world.stream();
    world.feed(asking, &get("/page"));
    world.news();

    assert!(!world.hub.is_finished());
    world.hub.shutdown(world.now);
    world.settle();
    assert_eq!(world.hub.connect(world.now), Err(ConnectError::ShuttingDown));
    assert!(!world.hub.is_finished());
    for client in [&mut client, &mut fresh] {
        assert_eq!(client.frames(&mut world), [Frame::Close(1001, String::new())]);
        client.finish(&mut world);
    }
    world.eof(idle);
    world.eof(asking);
    assert!(world.hub.is_finished());
    let told = world.news();
    let reason = DisconnectReason::Shutdown;
    assert!(told.contains(&Told::Disconnected { socket, reason, away_until: None }), "{told:?}");
    for conn in [client.conn, fresh.conn, idle, asking] {
        let closed = told.iter().filter(|told| **told == Told::Closed { conn, error: None }).count();
        assert_eq!(closed, 1, "{told:?}");
    }
    // Again does nothing.
    world.hub.shutdown(world.now);
    world.settle();
    assert_eq!(world.news(), []);
}

/// Nobody can hold a shutdown up.
#[test]
fn shutdown_with_peers_that_do_nothing() {
    let mut world = world();
    let (client, _) = one(&mut world);
    let stalled = one(&mut world).0;
    let idle = world.stream();
    world.stalled = vec![stalled.conn];
    world.hub.shutdown(world.now);
    world.settle();
    world.pass(secs(10) - std::time::Duration::from_nanos(1));
    assert!(!world.hub.is_finished());
    world.pass(std::time::Duration::from_nanos(1));
    assert!(world.hub.is_finished());
    for conn in [client.conn, stalled.conn, idle] {
        assert!(world.closed(conn) && world.hub.stream(conn) == Stream::Closed);
    }
}
