//! Acknowledgements both ways.

use roomwire::hub::{AckError, AckId, EmitError, SocketError};
use roomwire::socketio::Args;

use crate::app::App;
use crate::client::{Client, Frame, text};
use crate::world::{Told, World, ms, open_config, secs};

const NANO: std::time::Duration = std::time::Duration::from_nanos(1);

fn world() -> World {
    World::new(open_config(), App::Accepting)
}

/// A client that was asked something, with so long to answer.
fn asked(world: &mut World, timeout: std::time::Duration) -> (Client, AckId) {
    let mut client = Client::connected(world);
    world.news();
    let ack = world.hub.emit_with_ack(world.now, world.last_socket(), "q", (1,), timeout).unwrap();
    world.settle();
    assert_eq!(client.frames(world), [text(r#"420["q",1]"#)]);
    (client, ack)
}

#[test]
fn the_server_answers_once_for_each_id() {
    let mut world = world();
    let mut client = Client::connected(&mut world);
    client.say(&mut world, r#"427["a"]"#);
    client.say(&mut world, r#"423["b"]"#);
    client.say(&mut world, r#"42["nobody asks"]"#);
    assert_eq!(world.ear.replies.len(), 2);
    // In any order, and much later.
    world.pass(secs(20));
    for (reply, args) in std::mem::take(&mut world.ear.replies).into_iter().zip(["", r#""é",[1]"#]).rev() {
        world.hub.ack(world.now, reply, Args::new(args).unwrap()).unwrap();
    }
    world.settle();
    assert_eq!(client.frames(&mut world), [text(r#"433["é",[1]]"#), text("437[]")]);
}

#[test]
fn an_answer_to_nobody() {
    let mut world = world();
    let mut client = Client::connected(&mut world);
    client.say(&mut world, r#"421["a"]"#);
    client.say(&mut world, r#"422["a"]"#);
    world.abort(client.conn);
    let mut replies = std::mem::take(&mut world.ear.replies).into_iter();
    let away = world.hub.ack(world.now, replies.next().unwrap(), ());
    assert!(matches!(away, Err(EmitError::Socket(SocketError::Away))), "{away:?}");
    world.pass(secs(30));
    let gone = world.hub.ack(world.now, replies.next().unwrap(), ());
    assert!(matches!(gone, Err(EmitError::Socket(SocketError::Gone))), "{gone:?}");
}

#[test]
fn the_client_answers() {
    for (packet, args) in [("430[]", ""), (r#"430["a",{"b":null}]"#, r#""a",{"b":null}"#), ("43/,0[1]", "1")] {
        let mut world = world();
        let (mut client, ack) = asked(&mut world, secs(5));
        let socket = world.last_socket();
        assert_eq!(client.ask(&mut world, packet), []);
        assert_eq!(world.news(), [Told::Ack { ack, socket, answer: Ok(args.into()) }], "{packet}");
        // Not again, not when its time would have come, not at the end.
        assert_eq!(client.ask(&mut world, packet), []);
        world.pass(secs(5));
        world.abort(client.conn);
        assert!(!world.news().iter().any(|told| matches!(told, Told::Ack { .. })));
    }
}

#[test]
fn an_answer_in_the_last_moment_and_one_too_late() {
    let mut world = world();
    let (mut client, ack) = asked(&mut world, ms(1500));
    let socket = world.last_socket();
    world.pass(ms(1500) - NANO);
    assert_eq!(world.news(), []);
    world.pass(NANO);
    assert_eq!(world.news(), [Told::Ack { ack, socket, answer: Err(AckError::TimedOut) }]);
    assert_eq!(client.ask(&mut world, r#"430["late"]"#), []);
    assert_eq!(world.news(), []);

    let mut world = self::world();
    let (mut client, ack) = asked(&mut world, ms(1500));
    let socket = world.last_socket();
    world.pass(ms(1500) - NANO);
    client.say(&mut world, r#"430["just"]"#);
    assert_eq!(world.news(), [Told::Ack { ack, socket, answer: Ok("\"just\"".into()) }]);
}

#[test]
fn several_are_told_apart() {
    let mut world = world();
    let mut client = Client::connected(&mut world);
    let (socket, now) = (world.last_socket(), world.now);
    let acks: Vec<AckId> =
        [5, 1, 3, 1].into_iter().map(|s| world.hub.emit_with_ack(now, socket, "q", (), secs(s)).unwrap()).collect();
    world.settle();
    let packets = [text(r#"420["q"]"#), text(r#"421["q"]"#), text(r#"422["q"]"#), text(r#"423["q"]"#)];
    assert_eq!(client.frames(&mut world), packets);
    world.news();
    client.say(&mut world, "432[2]");
    world.pass(secs(1));
    client.say(&mut world, "430[0]");
    let timed_out = Err(AckError::TimedOut);
    assert_eq!(
        world.news(),
        [
            Told::Ack { ack: acks[2], socket, answer: Ok("2".into()) },
            Told::Ack { ack: acks[1], socket, answer: timed_out.clone() },
            Told::Ack { ack: acks[3], socket, answer: timed_out },
            Told::Ack { ack: acks[0], socket, answer: Ok("0".into()) },
        ]
    );
}

/// A late answer to one question must not pass for the answer to the next.
#[test]
fn ids_are_not_used_again() {
    for answered in [false, true] {
        let mut world = world();
        let (mut client, first) = asked(&mut world, secs(1));
        if answered {
            client.say(&mut world, "430[1]");
        }
        world.pass(secs(1));
        let socket = world.last_socket();
        let second = world.hub.emit_with_ack(world.now, socket, "q", (2,), secs(1)).unwrap();
        world.settle();
        assert_ne!(first, second);
        world.news();
        client.say(&mut world, r#"430["late"]"#);
        assert_eq!(world.news(), [], "a late answer to the first question answered the second");
    }
}

/// The same over a break: an application's handler may answer behind it what it was asked before.
#[test]
fn ids_are_not_used_again_after_a_resume() {
    let mut world = World::manual();
    let mut client = Client::open(&mut world, crate::client::MAIN);
    client.say(&mut world, "40");
    let socket = world.last_socket();
    world.hub.accept(world.now, socket).unwrap();
    let first = world.hub.emit_with_ack(world.now, socket, "q", (1,), secs(9)).unwrap();
    let token = world.hub.token(socket).unwrap();
    world.abort(client.conn);

    let mut client = Client::open(&mut world, crate::client::MAIN);
    client.say(&mut world, "40");
    assert_eq!(world.hub.resume(world.now, world.last_socket(), &token), Ok(socket));
    let second = world.hub.emit_with_ack(world.now, socket, "q", (2,), secs(9)).unwrap();
    world.settle();
    assert_ne!(first, second);
    world.news();
    client.say(&mut world, r#"430["late"]"#);
    assert_eq!(world.news(), [], "a late answer to the first question answered the second");
}

#[test]
fn answers_that_nobody_awaits_are_ignored() {
    let mut world = world();
    let (mut client, _) = asked(&mut world, secs(5));
    for packet in ["431[]", "4318446744073709551615[]", "43[]", r#"439["x"]"#] {
        assert_eq!(client.ask(&mut world, packet), [], "{packet}");
        assert_eq!(world.news(), [], "{packet}");
    }
}

#[test]
fn answers_that_are_none_end_the_session() {
    for packet in
        ["430", "430{}", "430null", "430[", "430[1", "430[1]]", "43018446744073709551616[]", "430\"x\"", "43-1[]"]
    {
        let mut world = world();
        let (mut client, ack) = asked(&mut world, secs(5));
        let socket = world.last_socket();
        let frames = client.ask(&mut world, packet);
        assert!(matches!(&frames[..], [Frame::Close(1008, _)]), "{packet}: {frames:?}");
        assert_eq!(world.news()[0], Told::Ack { ack, socket, answer: Err(AckError::Disconnected) }, "{packet}");
    }
}

/// Answers go to the socket of their namespace.
#[test]
fn another_namespace_does_not_answer() {
    let mut world = world();
    let (mut client, ack) = asked(&mut world, secs(5));
    let socket = world.last_socket();
    client.ask(&mut world, "40/other,");
    world.news();
    client.say(&mut world, "43/other,0[]");
    assert_eq!(world.news(), []);
    client.say(&mut world, "430[]");
    assert_eq!(world.news(), [Told::Ack { ack, socket, answer: Ok(String::new()) }]);
}

/// Whoever is gone answers no more; that is told before the end itself.
#[test]
fn a_lost_transport_answers_for_all() {
    type End = fn(&mut World, &mut Client);
    let ends: [End; 4] = [
        |world, client| world.abort(client.conn),
        |world, client| client.say(world, "41"),
        |world, client| client.say(world, "1"),
        |world, _| {
            world.hub.disconnect(world.now, world.last_socket()).unwrap();
            world.settle();
        },
    ];
    for end in ends {
        let mut world = world();
        let (mut client, first) = asked(&mut world, secs(5));
        let socket = world.last_socket();
        let second = world.hub.emit_with_ack(world.now, socket, "q", (), secs(1)).unwrap();
        world.settle();
        world.news();
        end(&mut world, &mut client);
        let told = world.news();
        let lost = |ack| Told::Ack { ack, socket, answer: Err(AckError::Disconnected) };
        assert_eq!(told[..2], [lost(first), lost(second)]);
        assert!(matches!(told[2], Told::Disconnected { .. }), "{told:?}");
        world.pass(secs(10));
        assert!(!world.news().iter().any(|told| matches!(told, Told::Ack { .. })));
    }
}

#[test]
fn no_more_are_awaited_than_the_limit() {
    let mut config = open_config();
    config.limits.acks_per_socket_max = 3;
    let mut world = World::new(config, App::Accepting);
    let mut client = Client::connected(&mut world);
    let (socket, now) = (world.last_socket(), world.now);
    for _ in 0..3 {
        world.hub.emit_with_ack(now, socket, "q", (), secs(9)).unwrap();
    }
    assert!(matches!(world.hub.emit_with_ack(now, socket, "q", (), secs(9)), Err(EmitError::TooManyAcks)));
    client.say(&mut world, "431[]");
    world.hub.emit_with_ack(now, socket, "q", (), secs(9)).unwrap();
}
