//! The heartbeat of both revisions, at its very instants.

use roomwire::engineio::SessionError;
use roomwire::hub::{DisconnectReason, Error};

use crate::app::App;
use crate::client::{Client, Frame, text};
use crate::world::{Told, World, ms, open_config, secs};

const NANO: std::time::Duration = std::time::Duration::from_nanos(1);

fn idle() -> World {
    World::new(open_config(), App::Accepting)
}

#[test]
fn revision_4_is_pinged_an_interval_after_the_opening_and_after_each_pong() {
    let mut world = idle();
    let mut client = Client::connected(&mut world);
    world.pass(secs(25) - NANO);
    assert_eq!(client.frames(&mut world), []);
    world.pass(NANO);
    assert_eq!(client.frames(&mut world), [text("2")]);
    // Late, but not too late.
    world.pass(ms(19_999));
    assert_eq!(client.ask(&mut world, "3"), []);
    world.pass(secs(25) - NANO);
    assert_eq!(client.frames(&mut world), []);
    world.pass(NANO);
    assert_eq!(client.frames(&mut world), [text("2")]);
}

#[test]
fn revision_4_expires_a_time_out_after_the_ping() {
    let mut world = idle();
    let mut client = Client::connected(&mut world);
    let socket = world.last_socket();
    world.pass(secs(45) - NANO);
    assert_eq!(client.frames(&mut world), [text("2")]);
    // Nothing but a pong counts.
    client.say(&mut world, r#"42["alive"]"#);
    world.news();
    world.pass(NANO);
    assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
    let away_until = Some(world.now.saturating_add(secs(30)));
    let reason = DisconnectReason::PingTimeout;
    assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until }]);
    assert!(!world.hub.is_live(socket));
    client.finish(&mut world);
    assert_eq!(world.error(client.conn), Some(Error::PingTimeout));
}

#[test]
fn a_pong_that_nobody_asked_for_is_a_sign_of_life() {
    let mut world = idle();
    let mut client = Client::connected(&mut world);
    world.pass(secs(10));
    assert_eq!(client.ask(&mut world, "3"), []);
    world.pass(secs(25) - NANO);
    assert_eq!(client.frames(&mut world), []);
    world.pass(NANO);
    assert_eq!(client.frames(&mut world), [text("2")]);
}

#[test]
fn revision_3_is_answered_without_what_it_sent() {
    let mut world = idle();
    let mut client = Client::connected_3(&mut world);
    assert_eq!(client.ask(&mut world, "2"), [text("3")]);
    assert_eq!(client.ask(&mut world, "2probe"), [text("3")]);
}

#[test]
fn revision_3_is_never_pinged_and_expires_after_interval_and_time_out() {
    let mut world = idle();
    let mut client = Client::connected_3(&mut world);
    world.pass(secs(44));
    assert_eq!(client.frames(&mut world), []);
    assert_eq!(client.ask(&mut world, "2"), [text("3")]);
    world.pass(secs(45) - NANO);
    assert_eq!(client.frames(&mut world), []);
    world.pass(NANO);
    assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
    client.finish(&mut world);
    assert_eq!(world.error(client.conn), Some(Error::PingTimeout));
}

#[test]
fn a_heartbeat_in_the_wrong_direction_ends_the_session() {
    for (open, packet) in [(Client::connected as fn(&mut World) -> Client, "2"), (Client::connected_3, "3")] {
        let mut world = idle();
        let mut client = open(&mut world);
        let reason = "Engine.IO: heartbeat in the wrong direction";
        assert_eq!(client.ask(&mut world, packet), [Frame::Close(1008, reason.into())]);
        client.finish(&mut world);
        assert_eq!(world.error(client.conn), Some(Error::EngineIo(SessionError::HeartbeatDirection)));
    }
}

/// A ping that is due while a client has not connected a namespace is sent too.
#[test]
fn the_heartbeat_does_not_wait_for_a_namespace() {
    let mut world = idle();
    let mut client = Client::open(&mut world, crate::client::MAIN);
    client.frames(&mut world);
    world.pass(secs(25));
    assert_eq!(client.frames(&mut world), [text("2")]);
}

/// What an application does on WebSocket's own level is no heartbeat of Engine.IO.
#[test]
fn websocket_pings_are_answered_and_count_for_nothing() {
    let mut world = idle();
    let mut client = Client::connected(&mut world);
    world.pass(secs(44));
    client.raw(&mut world, &crate::client::frame(true, roomwire::ws::Opcode::Ping, b"here"));
    assert_eq!(client.frames(&mut world), [text("2"), Frame::Pong]);
    world.pass(secs(1));
    assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
}

#[test]
fn packets_without_a_meaning_on_an_open_websocket_are_ignored() {
    for open in [Client::connected as fn(&mut World) -> Client, Client::connected_3] {
        let mut world = idle();
        let mut client = open(&mut world);
        for packet in ["0", "5", "6", "0{}", "5probe"] {
            assert_eq!(client.ask(&mut world, packet), [], "{packet}");
        }
        world.news();
        client.say(&mut world, r#"42["still here"]"#);
        assert!(matches!(&world.news()[..], [Told::Emit { .. }]));
    }
}

#[test]
fn a_close_packet_ends_the_session_for_good() {
    for open in [Client::connected as fn(&mut World) -> Client, Client::connected_3] {
        let mut world = idle();
        let mut client = open(&mut world);
        let socket = world.last_socket();
        world.news();
        assert_eq!(client.ask(&mut world, "1"), [Frame::Close(1000, String::new())]);
        let reason = DisconnectReason::Client;
        assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
        client.finish(&mut world);
        assert_eq!(world.news(), [Told::Closed { conn: client.conn, error: None }]);
    }
}
