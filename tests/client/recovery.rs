//! Connection state recovery: what was missed is told, and that it was.

use crate::world::{OPEN, WEBSOCKET, World, config};

fn connected() -> (World, roomwire::client::SocketId) {
    let mut world = World::new(config(WEBSOCKET));
    let socket = world.client.connect(world.now, "/", r#"{"token":"t"}"#).unwrap();
    world.turn();
    world.say(OPEN);
    world.say(r#"40{"sid":"sidX","pid":"secret"}"#);
    assert_eq!(world.told(), ["opened", "connected 1"]);
    (world, socket)
}

/// The session breaks and another is open.
fn again(world: &mut World) -> String {
    let stream = world.socket();
    world.lose(stream);
    world.pass_seconds(1);
    world.said();
    world.told();
    world.say(OPEN);
    assert_eq!(world.told(), ["opened"]);
    world.said().pop().unwrap()
}

#[test]
fn what_was_missed_is_told_before() {
    let (mut world, socket) = connected();
    world.say(r#"42["e",1,"off\"set-1"]"#);
    world.say(r#"42["e",2]"#);
    assert_eq!(again(&mut world), r#"40{"pid":"secret","offset":"off\"set-1","token":"t"}"#);
    world.say(r#"42["e",3,"offset-2"]"#);
    world.emit(socket, "waits", ());
    world.say(r#"40{"sid":"sidX","pid":"secret"}"#);
    assert_eq!(world.told(), [r#"1 e(3,"offset-2")"#, "recovered 1"]);
    assert_eq!(world.said(), [r#"42["waits"]"#]);
    assert_eq!(again(&mut world), r#"40{"pid":"secret","offset":"offset-2","token":"t"}"#);
}

/// The server does not know it any more: everything is new.
#[test]
fn a_session_that_cannot_be_recovered() {
    let (mut world, _) = connected();
    world.say(r#"42["e","offset-1"]"#);
    again(&mut world);
    world.say(r#"40{"sid":"sidY","pid":"other"}"#);
    assert_eq!(world.told(), ["connected 1"]);
    assert_eq!(again(&mut world), r#"40{"pid":"other","token":"t"}"#, "the offset was of the other");
    world.say(r#"40{"sid":"sidZ"}"#);
    world.say(r#"42["e","offset-1"]"#);
    world.told();
    assert_eq!(again(&mut world), r#"40{"token":"t"}"#);
}

#[test]
fn offsets_are_short_strings_at_the_end() {
    let (mut world, _) = connected();
    for event in [
        r#"42["e",{"a":"b"}]"#.into(),
        r#"42["e",["b"]]"#.into(),
        r#"42["e"]"#.into(),
        format!(r#"42["e","{}"]"#, "x".repeat(300)),
    ] {
        world.say(&event);
    }
    world.told();
    assert_eq!(again(&mut world), r#"40{"pid":"secret","token":"t"}"#);
}

/// A namespace that was refused or left begins anew.
#[test]
fn a_refusal_ends_it() {
    let (mut world, _) = connected();
    world.say(r#"42["e","offset-1"]"#);
    world.told();
    again(&mut world);
    world.say(r#"44{"message":"no"}"#);
    world.connect("/");
    world.say(OPEN);
    assert_eq!(world.said().last().unwrap(), "40");
}

/// What is to be acknowledged is not sent again, and has no offset.
#[test]
fn a_question_has_no_offset() {
    let (mut world, _) = connected();
    world.say(r#"42["e","offset-1"]"#);
    world.say(r#"427["ask","why"]"#);
    world.told();
    assert_eq!(again(&mut world), r#"40{"pid":"secret","offset":"offset-1","token":"t"}"#);
}
