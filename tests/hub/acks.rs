//! Acknowledgements: each question gets exactly one end, and no answer goes to another question.

use std::collections::BTreeSet;

use roomwire::hub::{AckError, EmitError, SocketError};
use roomwire::ws::Opcode;

use crate::fuzz_hub::Told;
use crate::support::ws::masked;
use crate::world::{World, config, millis};

/// The number behind `42` of a question.
fn id(packet: &str) -> u64 {
    let digits = packet.strip_prefix("42").unwrap();
    digits[..digits.find('[').unwrap()].parse().unwrap()
}

#[test]
fn an_answer_is_told_once() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let ack = world.hub.emit_with_ack(world.now, socket, "ask", (1,), millis(100)).unwrap();
    assert_eq!(world.hears(conn), ["420[\"ask\",1]"]);
    assert_eq!(world.says(conn, "430[\"yes\",2]"), [Told::Ack(ack, socket, Ok("\"yes\",2".into()))]);
    assert_eq!(world.says(conn, "430[\"yes\",2]"), [], "a second answer");
    assert_eq!(world.says(conn, "437[]"), [], "an answer that nobody asked for");
    world.pass(millis(200));
    assert_eq!(world.told(), [], "no time-out after the answer");
}

#[test]
fn a_question_times_out_once() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let first = world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100)).unwrap();
    let second = world.hub.emit_with_ack(world.now, socket, "ask", (), millis(50)).unwrap();
    world.hears(conn);
    world.pass(millis(99));
    assert_eq!(world.told(), [Told::Ack(second, socket, Err(AckError::TimedOut))]);
    world.pass(millis(1));
    assert_eq!(world.told(), [Told::Ack(first, socket, Err(AckError::TimedOut))]);
    assert_eq!(world.says(conn, "430[]"), [], "too late");
}

#[test]
fn questions_end_with_the_transport_and_with_the_socket() {
    let mut world = World::new(config());
    for leave in [false, true] {
        let (conn, socket) = world.client();
        let ack = world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100)).unwrap();
        let told = if leave { world.says(conn, "41") } else { (world.gone(conn), world.told()).1 };
        assert!(told.contains(&Told::Ack(ack, socket, Err(AckError::Disconnected))), "{told:?}");
        world.pass(millis(200));
        assert!(!world.told().iter().any(|told| matches!(told, Told::Ack(..))));
    }
}

/// The number of a question that timed out is not given to the next one: its answer may still be on the way.
#[test]
fn s14_a_late_answer_is_not_taken_for_the_next_one() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let first = world.hub.emit_with_ack(world.now, socket, "delete everything?", (), millis(100)).unwrap();
    let late = id(&world.hears(conn)[0]);
    world.pass(millis(100));
    assert_eq!(world.told(), [Told::Ack(first, socket, Err(AckError::TimedOut))]);
    let second = world.hub.emit_with_ack(world.now, socket, "delete nothing?", (), millis(100)).unwrap();
    assert_ne!(first, second, "an AckId names one question");
    assert_eq!(world.says(conn, &format!("43{late}[\"yes\"]")), [], "the answer to the first question");
}

/// The same over a resume: the client object is the same, and its handlers may answer late.
#[test]
fn s14_no_number_comes_again_after_a_resume() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let mut seen = BTreeSet::new();
    let first = world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100)).unwrap();
    seen.insert(id(&world.hears(conn)[0]));
    world.gone(conn);
    let again = world.resume(socket);
    world.hears(again);
    let second = world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100)).unwrap();
    assert_ne!(first, second, "an AckId names one question");
    assert!(seen.insert(id(&world.hears(again)[0])), "the number comes again");
}

#[test]
fn m05_questions_are_capped_and_the_cap_is_given_back() {
    let mut config = config();
    config.limits.acks_per_socket_max = 3;
    let mut world = World::new(config);
    let (conn, socket) = world.client();
    let ask = |world: &mut World| world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100));
    for _ in 0..3 {
        ask(&mut world).unwrap();
    }
    assert!(matches!(ask(&mut world), Err(EmitError::TooManyAcks)));
    let numbers: Vec<_> = world.hears(conn).iter().map(|packet| id(packet)).collect();
    world.says(conn, &format!("43{}[]", numbers[1]));
    ask(&mut world).unwrap();
    assert!(matches!(ask(&mut world), Err(EmitError::TooManyAcks)));
    world.pass(millis(100));
    ask(&mut world).unwrap();
}

#[test]
fn nobody_is_asked_who_is_away() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.gone(conn);
    let asked = world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100));
    assert!(matches!(asked, Err(EmitError::Socket(SocketError::Away))));
    assert!(matches!(world.hub.emit(world.now, socket, "event", ()), Err(EmitError::Socket(SocketError::Away))));
}

/// A client that was made to leave, and asks again, may still answer what it was asked before; with attachments, too.
#[test]
fn an_answer_of_an_earlier_socket_is_no_fault() {
    let mut world = World::new(config());
    for (answer, attachment) in [("430[1]", None), (r#"461-0[{"_placeholder":true,"num":0}]"#, Some(b"x"))] {
        let (conn, socket) = world.client();
        world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100)).unwrap();
        world.hears(conn);
        world.hub.disconnect(world.now, socket).unwrap();
        world.told();
        let again = world.ask(conn, "/");
        assert_eq!(world.says(conn, answer), []);
        if let Some(bytes) = attachment {
            // The new socket may be live by then.
            world.hub.accept(world.now, again).unwrap();
            world.bytes(conn, &masked(Opcode::Binary, bytes));
            assert_eq!(world.told(), [Told::Connected(again, false)]);
        } else {
            world.hub.accept(world.now, again).unwrap();
            world.told();
        }
        let ask = world.hub.emit_with_ack(world.now, again, "ask", (), millis(100)).unwrap();
        let number = id(world.hears(conn).last().unwrap());
        assert_eq!(world.says(conn, &format!("43{number}[]")), [Told::Ack(ask, again, Ok(String::new()))]);
        // Anything else from somebody who is not connected yet ends the session.
        let chat = world.ask(conn, "/chat");
        assert!(world.says(conn, r#"42/chat,["event"]"#).len() > 1, "{chat:?}");
        assert_eq!(world.hub.counts().sessions, 0);
    }
}
