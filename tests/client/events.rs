//! Events: what is refused before it is sent, volatile ones, and the bound on what is queued.

use roomwire::client::EmitError;
use roomwire::socketio::{Args, Placeholder, attach};

use crate::world::{OPEN, POLLING, WEBSOCKET, World, config};

#[test]
fn s03_reserved_names_are_not_sent() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        assert!(matches!(world.client.emit(world.now, socket, name, ()), Err(EmitError::ReservedName)), "{name}");
    }
    world.emit(socket, "a\"b\\", Args::new(r#"{"x":[null]},"€""#).unwrap());
    assert_eq!(world.said(), [r#"42["a\"b\\",{"x":[null]},"€"]"#]);
}

#[test]
fn what_cannot_be_sent() {
    let mut config = config(WEBSOCKET);
    config.limits.outbox_bytes_max = 2000;
    config.limits.congested_bytes = 1000;
    config.limits.attachments_max = 2;
    let (mut world, socket) = World::websocket(config);
    let now = world.now;
    let long = "x".repeat(2000);
    assert!(matches!(world.client.emit(now, socket, "e", (&long,)), Err(EmitError::TooLong)));
    let byte = [&[0_u8][..]; 3];
    assert!(matches!(world.client.emit(now, socket, "e", attach((), byte)), Err(EmitError::TooManyAttachments)));
    let stray = attach((Placeholder(1),), [&[0_u8][..]]);
    assert!(matches!(world.client.emit(now, socket, "e", stray), Err(EmitError::Placeholder)));
    // What is queued and not written counts.
    world.client.emit(now, socket, "e", ("x".repeat(1000),)).unwrap();
    assert!(matches!(world.client.emit(now, socket, "e", ("x".repeat(1000),)), Err(EmitError::Full)));
    assert!(!world.client.emit_volatile(now, socket, "v", ()).unwrap(), "volatile events are dropped");
    world.turn();
    assert_eq!(world.said().len(), 1);
    world.emit(socket, "e", ("x".repeat(1000),));
    assert!(world.client.emit_volatile(now, socket, "v", ()).unwrap());
    world.client.disconnect(now, socket);
    assert!(matches!(world.client.emit(now, socket, "e", ()), Err(EmitError::Gone)));
    assert!(matches!(world.client.emit_volatile(now, socket, "e", ()), Err(EmitError::Gone)));
}

/// While a POST is under way they would have to wait.
#[test]
fn volatile_events_by_polling() {
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    assert!(world.client.emit_volatile(world.now, socket, "v", (1,)).unwrap());
    world.turn();
    let post = world.post();
    assert_eq!(post.body(), r#"42["v",1]"#);
    assert!(!world.client.emit_volatile(world.now, socket, "v", (2,)).unwrap());
    world.emit(socket, "e", ());
    world.answer(&post, "ok");
    assert_eq!(world.post().body(), r#"42["e"]"#);
}

/// A peer that does not read does not make the client queue without end.
#[test]
fn m01_what_is_queued_is_bounded() {
    let mut config = config(POLLING);
    config.limits.outbox_bytes_max = 10_000;
    config.limits.congested_bytes = 1000;
    let (mut world, socket, _get) = World::polling(config, OPEN);
    let mut sent = 0;
    while world.client.emit(world.now, socket, "e", ("x".repeat(80),)).is_ok() {
        world.turn();
        sent += 1;
    }
    assert!((100..=115).contains(&sent), "{sent}");
}

/// What a program that wants to end has to wait for.
#[test]
fn what_is_not_settled_is_counted() {
    let mut world = World::new(config(WEBSOCKET));
    let socket = world.connect("/");
    assert_eq!(world.client.pending(socket), 0);
    world.emit(socket, "e", (1,));
    world.emit_with_ack(socket, "e", 60);
    assert_eq!(world.client.pending(socket), 2, "they wait for the namespace");
    world.say(OPEN);
    world.say(r#"40{"sid":"one"}"#);
    assert_eq!(world.client.pending(socket), 1, "the other waits for its acknowledgement");
    world.say("430[]");
    assert_eq!(world.client.pending(socket), 0);
    world.emit(socket, "e", (2,));
    assert_eq!(world.client.pending(socket), 0, "on its way");
    world.client.disconnect(world.now, socket);
    assert_eq!(world.client.pending(socket), 0);

    let mut config = config(WEBSOCKET);
    config.retries = 1;
    let (mut world, socket) = World::websocket(config);
    world.emit(socket, "e", (1,));
    world.emit(socket, "e", (2,));
    world.emit_with_ack(socket, "e", 60);
    for (left, ack) in [(3, "430[]"), (2, "432[]"), (1, "433[]")] {
        assert_eq!(world.client.pending(socket), left);
        world.say(ack);
    }
    assert_eq!(world.client.pending(socket), 0);
}
