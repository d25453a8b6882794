//! Acknowledgements: asked for, given, late, lost; and events that are sent until they are acknowledged.

use std::time::Duration;

use roomwire::client::{Config, EmitError};
use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::Message;

use crate::world::{OPEN, POLLING, WEBSOCKET, World, config};

#[test]
fn acknowledgements_come_back() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    let (first, second) = (world.emit_with_ack(socket, "a", 5), world.emit_with_ack(socket, "b", 5));
    assert_eq!(world.said(), [r#"420["a"]"#, r#"421["b"]"#]);
    world.say(r#"431["x",1]"#);
    world.say(r#"461-0[{"_placeholder":true,"num":0}]"#);
    world.send(&[Message::from(&[1_u8][..])]);
    let expected = [format!("ack {second}: \"x\",1"), format!("ack {first}: {{\"_placeholder\":true,\"num\":0}}")];
    assert_eq!(world.told(), expected);
    // An answer counts once, and one that nobody awaits not at all.
    world.say("430[]");
    world.say("4399[]");
    world.say("43[]");
    world.pass_seconds(6);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn acknowledgements_time_out() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    let ack = world.emit_with_ack(socket, "a", 5);
    world.pass_time(Duration::from_millis(4999));
    assert_eq!(world.told(), [""; 0]);
    world.pass_time(Duration::from_millis(1));
    assert_eq!(world.told(), [format!("ack {ack}: TimedOut")]);
    world.say("430[]");
    assert_eq!(world.told(), [""; 0]);
}

/// It times out while its event still waits: that is not sent any more.
#[test]
fn a_time_out_while_waiting_takes_the_event_back() {
    let mut world = World::new(config(WEBSOCKET));
    let socket = world.connect("/");
    let ack = world.emit_with_ack(socket, "a", 5);
    world.emit(socket, "b", ());
    world.pass_seconds(5);
    assert_eq!(world.told(), [format!("ack {ack}: TimedOut")]);
    world.said();
    world.say(OPEN);
    world.say(r#"40{"sid":"one"}"#);
    assert_eq!(world.said(), ["40", r#"42["b"]"#]);
}

#[test]
fn acknowledgements_fail_with_the_session() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    let sent = world.emit_with_ack(socket, "a", 50);
    let stream = world.socket();
    world.lose(stream);
    let waiting = world.emit_with_ack(socket, "b", 50);
    let told =
        ["disconnected 1: TransportError", &format!("ack {sent}: Disconnected"), "closed: Unreachable, try 1 in 1s"];
    assert_eq!(world.told(), told);
    world.pass_seconds(1);
    world.say(OPEN);
    world.say(r#"40{"sid":"two"}"#);
    assert_eq!(world.said().last().unwrap(), r#"421["b"]"#, "ids do not come again");
    world.say("430[]");
    world.say("431[]");
    assert_eq!(world.told(), ["opened", "connected 1", &format!("ack {waiting}: ")]);
    let last = world.emit_with_ack(socket, "c", 50);
    world.client.disconnect(world.now, socket);
    world.turn();
    assert_eq!(world.told(), [&format!("ack {last}: Disconnected"), "disconnected 1: Client", "closed"]);
}

#[test]
fn the_server_asks() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    world.say(r#"427["ask",1]"#);
    world.say(r#"428["ask",2]"#);
    assert_eq!(world.told(), ["1 ask(1) ?", "1 ask(2) ?"]);
    let second = world.replies.pop().unwrap();
    world.client.ack(world.now, second, attach((Placeholder(0),), [&[5_u8][..]])).unwrap();
    let first = world.replies.pop().unwrap();
    world.client.ack(world.now, first, ("yes", 1)).unwrap();
    world.turn();
    assert_eq!(world.said(), [r#"461-8[{"_placeholder":true,"num":0}]"#, "[05]", r#"437["yes",1]"#]);

    // In another session the same id is another event's.
    world.say(r#"429["ask",3]"#);
    let late = world.replies.pop().unwrap();
    let stream = world.socket();
    world.lose(stream);
    world.pass_seconds(1);
    world.say(OPEN);
    world.say(r#"40{"sid":"two"}"#);
    assert!(matches!(world.client.ack(world.now, late, ()), Err(EmitError::Stale)));
    world.say(r#"429["ask",4]"#);
    let gone = world.replies.pop().unwrap();
    world.client.disconnect(world.now, socket);
    assert!(matches!(world.client.ack(world.now, gone, ()), Err(EmitError::Gone)));
}

#[test]
fn m05_acknowledgements_are_bounded() {
    let mut config = config(WEBSOCKET);
    config.limits.acks_per_socket_max = 3;
    let (mut world, socket) = World::websocket(config);
    for _ in 0..3 {
        world.emit_with_ack(socket, "a", 5);
    }
    let fourth = world.client.emit_with_ack(world.now, socket, "a", (), Duration::from_secs(5));
    assert!(matches!(fourth, Err(EmitError::TooManyAcks)));
    world.say("430[]");
    world.emit_with_ack(socket, "a", 5);
}

fn retrying() -> Config {
    let mut config = config(WEBSOCKET);
    config.retries = 2;
    config.ack_timeout = Duration::from_secs(3);
    config
}

/// One is under way at a time; each try has an id of its own.
#[test]
fn events_are_sent_until_acknowledged() {
    let (mut world, socket) = World::websocket(retrying());
    world.emit(socket, "a", ());
    let asked = world.emit_with_ack(socket, "b", 1);
    world.emit(socket, "c", ());
    assert_eq!(world.said(), [r#"420["a"]"#]);
    world.pass_seconds(3);
    assert_eq!(world.said(), [r#"422["a"]"#]);
    // The answer to the first try comes too late.
    world.say("430[]");
    assert_eq!(world.said(), [""; 0]);
    world.say("432[]");
    assert_eq!((world.said(), world.told()), (vec![r#"423["b"]"#.into()], vec![]));
    world.say("433[7]");
    assert_eq!((world.said(), world.told()), (vec![r#"424["c"]"#.into()], vec![format!("ack {asked}: 7")]));
    world.say("434[]");
    world.pass_seconds(9);
    assert_eq!((world.said(), world.told()), (vec![], vec![]));
}

#[test]
fn events_are_given_up_after_all_tries() {
    let (mut world, socket) = World::websocket(retrying());
    world.emit(socket, "a", ());
    let asked = world.emit_with_ack(socket, "b", 1);
    world.pass_seconds(9);
    assert_eq!(world.said(), [r#"420["a"]"#, r#"422["a"]"#, r#"423["a"]"#, r#"424["b"]"#]);
    assert_eq!(world.told(), ["undelivered 1"]);
    world.pass_seconds(9);
    assert_eq!(world.said(), [r#"425["b"]"#, r#"426["b"]"#]);
    assert_eq!(world.told(), [format!("ack {asked}: TimedOut")]);
}

/// A session that is lost is a try that failed; the next one begins with the same event.
#[test]
fn events_are_sent_again_in_the_next_session() {
    let (mut world, socket) = World::websocket(retrying());
    world.emit(socket, "a", ());
    let stream = world.socket();
    world.lose(stream);
    world.emit(socket, "b", ());
    world.pass_seconds(1);
    world.said();
    world.told();
    world.say(OPEN);
    world.say(r#"40{"sid":"two"}"#);
    assert_eq!(world.said(), ["40", r#"421["a"]"#]);
    world.say("431[]");
    assert_eq!(world.said(), [r#"422["b"]"#]);
    world.say("432[]");
    assert_eq!(world.told(), ["opened", "connected 1"]);
    // Volatile events are not held up, nor kept.
    world.emit(socket, "c", ());
    assert!(world.client.emit_volatile(world.now, socket, "v", ()).unwrap());
    world.turn();
    assert_eq!(world.said(), [r#"423["c"]"#, r#"42["v"]"#]);
    let asked = world.emit_with_ack(socket, "d", 1);
    world.client.disconnect(world.now, socket);
    world.turn();
    assert_eq!(world.told(), [&format!("ack {asked}: Disconnected"), "disconnected 1: Client", "closed"]);
}

#[test]
fn events_to_be_acknowledged_are_bounded() {
    let mut config = retrying();
    config.limits.offline_events_max = 2;
    let (mut world, socket) = World::websocket(config);
    world.emit(socket, "a", ());
    world.emit(socket, "b", ());
    assert!(matches!(world.client.emit(world.now, socket, "c", ()), Err(EmitError::Full)));
    world.say("430[]");
    world.emit(socket, "c", ());
}

/// What was acknowledged, or given up, takes no room any more.
#[test]
fn room_comes_back() {
    let mut config = retrying();
    config.limits.offline_bytes_max = 100;
    let (mut world, socket) = World::websocket(config);
    for nth in 0..10 {
        world.emit(socket, "e", ("x".repeat(50),));
        if nth % 2 == 0 {
            let id: String = world.said()[0][2..].chars().take_while(char::is_ascii_digit).collect();
            world.say(&format!("43{id}[]"));
        } else {
            world.pass_seconds(9);
            world.said();
            world.say("2");
            world.said();
        }
    }
}

/// A server that reads slowly does not make the client queue one try behind the other.
#[test]
fn m01_tries_have_room() {
    let mut config = retrying();
    config.retries = 1000;
    config.limits.outbox_bytes_max = 65_536;
    let (mut world, socket) = World::websocket(config);
    let stream = world.socket();
    world.slow = Some(stream);
    world.emit(socket, "e", ("x".repeat(20_000),));
    for _ in 0..9 {
        world.pass_seconds(3);
        let queued = world.client.queued_bytes();
        assert!((20_000..=65_536).contains(&queued), "{queued}");
    }
    assert_eq!(world.told(), [""; 0]);
    // As soon as there is room the next one goes out.
    world.client.sent(world.now, stream, world.client.outgoing_len(stream));
    assert_eq!(world.client.queued_bytes(), 0);
    world.pass_seconds(3);
    assert!((20_000..21_000).contains(&world.client.queued_bytes()));
}

/// By long polling too.
#[test]
fn acknowledgements_by_polling() {
    let (mut world, socket, get) = World::polling(config(POLLING), OPEN);
    let ack = world.emit_with_ack(socket, "a", 5);
    let post = world.post();
    assert_eq!(post.body(), r#"420["a"]"#);
    world.answer(&get, r#"430["x"]"#);
    world.answer(&post, "ok");
    assert_eq!(world.told(), [format!("ack {ack}: \"x\"")]);
}
