//! Several namespaces on one session.

use roomwire::hub::{Config, DisconnectReason, Error, Limits, Namespaces};
use roomwire::socketio;

use crate::app::App;
use crate::client::{Client, Frame, MAIN, MAIN_3, text};
use crate::world::{Told, World, open_config, secs};

fn limited(namespaces: usize) -> World {
    let limits = Limits { namespaces_per_session_max: namespaces, ..Limits::default() };
    World::new(Config { limits, ..open_config() }, App::Accepting)
}

#[test]
fn a_session_has_sixteen_namespaces() {
    let mut world = World::new(open_config(), App::Accepting);
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    for n in 0..16 {
        let frames = client.ask(&mut world, &format!("40/n{n},"));
        assert!(matches!(&frames[..], [Frame::Text(answer)] if answer.starts_with(&format!("40/n{n},{{"))));
    }
    assert_eq!(world.hub.counts().sockets, 16);
    let reason = "Socket.IO: too many namespaces";
    assert_eq!(client.ask(&mut world, "40/n16,"), [Frame::Close(1008, reason.into())]);
    client.finish(&mut world);
    assert_eq!(world.error(client.conn), Some(Error::SocketIo(socketio::Error::TooManyNamespaces)));
}

#[test]
fn a_namespace_that_is_left_makes_room() {
    let mut world = limited(2);
    let mut client = Client::connected(&mut world);
    for _ in 0..5 {
        assert_eq!(client.ask(&mut world, "40/a,").len(), 1);
        assert_eq!(client.ask(&mut world, "41/a,"), []);
    }
    assert_eq!(world.hub.counts().sockets, 1);
}

/// The one that protocol 4 has unasked counts like any other.
#[test]
fn the_main_namespace_counts() {
    let mut world = limited(1);
    let mut client = Client::connected_3(&mut world);
    assert!(matches!(&client.ask(&mut world, "40/a,")[..], [Frame::Close(1008, _)]));
}

#[test]
fn unknown_namespaces() {
    let config = Config { namespaces: Namespaces::Listed(vec!["/".into(), "/a".into()]), ..open_config() };
    for (target, packet, answer) in [
        (MAIN, "40/b,", r#"44/b,{"message":"Invalid namespace"}"#),
        (MAIN, "40/A,", r#"44/A,{"message":"Invalid namespace"}"#),
        (MAIN, "40/a/,", r#"44/a/,{"message":"Invalid namespace"}"#),
        (MAIN, "40//,", r#"44//,{"message":"Invalid namespace"}"#),
        (MAIN_3, "40/b?x=y,", r#"44/b,"Invalid namespace""#),
    ] {
        let mut world = World::new(config.clone(), App::Accepting);
        let mut client = Client::open(&mut world, target);
        client.frames(&mut world);
        world.news();
        assert_eq!(client.ask(&mut world, packet), [text(answer)]);
        assert_eq!(world.news(), [], "the application is not asked");
    }
}

/// A name beyond the limit ends the session, and is not repeated.
#[test]
fn a_name_too_long() {
    let mut world = World::new(open_config(), App::Accepting);
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    let name = format!("/{}", "x".repeat(127));
    assert!(matches!(&client.ask(&mut world, &format!("40{name},"))[..], [Frame::Text(_)]));
    let reason = "Socket.IO: namespace name too long";
    assert_eq!(client.ask(&mut world, &format!("40{name}x,")), [Frame::Close(1008, reason.into())]);
}

#[test]
fn leaving_one_namespace_leaves_the_others() {
    let mut world = World::captured();
    let mut client = Client::connected(&mut world);
    client.ask(&mut world, "40/dyn-1,");
    let socket = world.last_socket();
    world.news();
    assert_eq!(client.ask(&mut world, "41/dyn-1,"), []);
    let reason = DisconnectReason::Client;
    assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
    assert_eq!(client.ask(&mut world, r#"420["echo",1]"#), [text("430[1]")]);
    // Leaving again, or what one never was in, does no harm.
    assert_eq!(client.ask(&mut world, "41/dyn-1,"), []);
    assert_eq!(client.ask(&mut world, "41/never,"), []);
    // And one may come back, as somebody else.
    client.ask(&mut world, "40/dyn-1,");
    assert_ne!(world.last_socket(), socket);
    let reason = "Socket.IO: namespace is not connected";
    client.say(&mut world, "41/dyn-1,");
    assert_eq!(client.ask(&mut world, r#"42/dyn-1,["msg"]"#), [Frame::Close(1008, reason.into())]);
}

/// Without any namespace the session stays open, as with the official server: clients of it come back. Who does not
/// come back in time has to go.
#[test]
fn leaving_the_last_namespace_keeps_the_session() {
    let mut world = World::captured();
    let mut client = Client::connected(&mut world);
    for _ in 0..2 {
        assert_eq!(client.ask(&mut world, "41"), []);
        assert_eq!((world.hub.counts().sessions, world.hub.counts().sockets), (1, 0));
        world.pass(secs(20));
        assert!(matches!(&client.ask(&mut world, "40")[..], [Frame::Text(answer), _] if answer.starts_with("40{")));
        // What was asked for stays, whenever that was.
        world.pass(secs(4));
        client.say(&mut world, "3");
    }
    client.say(&mut world, "41");
    for _ in 0..44 {
        world.pass(secs(1));
        client.say(&mut world, "3");
    }
    assert!(client.frames(&mut world).is_empty());
    world.pass(secs(1));
    assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
}

/// Where there is no main namespace protocol 4 is told so, unasked as ever.
#[test]
fn no_main_namespace() {
    let config = Config { namespaces: Namespaces::Listed(vec!["/a".into()]), ..open_config() };
    let mut world = World::new(config, App::Accepting);
    let mut client = Client::open(&mut world, MAIN_3);
    assert_eq!(client.frames(&mut world)[1..], [text(r#"44"Invalid namespace""#)]);
    assert_eq!(world.news(), []);
    assert_eq!(client.ask(&mut world, "40/a,"), [text("40/a,")]);
}

#[test]
fn packets_carry_their_namespace() {
    let mut world = World::captured();
    let mut client = Client::connected(&mut world);
    client.ask(&mut world, "40/dyn-a,");
    assert_eq!(client.ask(&mut world, r#"42/dyn-a,["msg",1]"#), [text(r#"42/dyn-a,["msg-back",1]"#)]);
    assert_eq!(client.ask(&mut world, r#"42/dyn-a,9["echo"]"#), [text("43/dyn-a,9[]")]);
    assert_eq!(client.ask(&mut world, r#"42/,["msg",1]"#), [text(r#"42["msg-back",1]"#)]);
    // An event for all is encoded for each namespace, and each socket gets it once.
    let mut got = client.texts(&mut world);
    client.say(&mut world, r#"42["all",2]"#);
    got.extend(client.texts(&mut world));
    got.sort();
    assert_eq!(got, [r#"42/dyn-a,["all",2]"#, r#"42["all",2]"#]);
}
