//! Acknowledgements that are asked of many: each answer is told, and the end of it once.

use roomwire::hub::{AckError, EmitError, SocketError, Target};

use crate::fuzz_hub::Told;
use crate::world::{World, config, millis};

#[test]
fn all_answer() {
    let mut world = World::new(config());
    let clients = world.room(3, "red");
    let target = Target::room("red").except(clients[0].1);
    let (ack, receipt) = world.hub.emit_with_acks(world.now, target, "ask", (1,), millis(100)).unwrap();
    assert_eq!(receipt.queued, 2);
    assert!(world.hears(clients[0].0).is_empty());
    for (conn, _) in &clients[1..] {
        assert_eq!(world.hears(*conn), ["420[\"ask\",1]"], "the same id for all");
    }
    assert_eq!(world.says(clients[0].0, "430[]"), [], "it was not asked");
    let (first, second) = (clients[1], clients[2]);
    assert_eq!(world.says(first.0, "430[7]"), [Told::Ack(ack, first.1, Ok("7".into()))]);
    assert_eq!(world.says(first.0, "430[8]"), [], "a second answer");
    let told = world.says(second.0, "430[]");
    assert_eq!(told, [Told::Ack(ack, second.1, Ok(String::new())), Told::Acks(ack, 2, vec![])]);
    world.pass(millis(200));
    assert_eq!(world.told(), []);
}

#[test]
fn some_are_late_lost_or_away() {
    let mut world = World::new(config());
    let clients = world.room(4, "red");
    world.gone(clients[3].0);
    world.told();
    let (ack, receipt) = world.hub.emit_with_acks(world.now, Target::room("red"), "ask", (), millis(100)).unwrap();
    assert_eq!((receipt.queued, receipt.away), (3, 1));
    assert_eq!(world.says(clients[0].0, "430[]").len(), 1);
    world.gone(clients[1].0);
    assert!(!world.told().iter().any(|told| matches!(told, Told::Ack(..) | Told::Acks(..))), "one is still awaited");
    world.pass(millis(100));
    let missing = vec![clients[3].1, clients[1].1, clients[2].1];
    assert_eq!(world.told(), [Told::Acks(ack, 1, missing)], "who is away has not answered");
    for away in [clients[1].1, clients[3].1] {
        let asked = world.hub.emit_with_acks(world.now, away, "ask", (), millis(100));
        assert!(matches!(asked, Err(EmitError::Socket(SocketError::Away))));
    }
    assert_eq!(world.told(), []);
    assert_eq!(world.says(clients[2].0, "430[]"), [], "too late");
}

#[test]
fn nobody_is_asked() {
    let mut world = World::new(config());
    let (ack, _) = world.hub.emit_with_acks(world.now, Target::room("none"), "ask", (), millis(100)).unwrap();
    assert_eq!(world.told(), [Told::Acks(ack, 0, vec![])]);
}

#[test]
fn who_is_asked_too_much_is_missing() {
    let mut config = config();
    config.limits.acks_per_socket_max = 1;
    let mut world = World::new(config);
    let clients = world.room(2, "red");
    let single = world.hub.emit_with_ack(world.now, clients[0].1, "ask", (), millis(50)).unwrap();
    let (ack, receipt) = world.hub.emit_with_acks(world.now, Target::room("red"), "all", (), millis(60)).unwrap();
    assert_eq!((receipt.queued, receipt.dropped), (1, 1));
    assert_eq!(world.hears(clients[0].0), ["420[\"ask\"]"]);
    let missing = vec![clients[0].1];
    assert_eq!(world.says(clients[1].0, "431[]").last(), Some(&Told::Acks(ack, 1, missing)));
    world.pass(millis(60));
    assert_eq!(world.told(), [Told::Ack(single, clients[0].1, Err(AckError::TimedOut))]);
}

#[test]
fn who_is_cut_off_is_missing() {
    let mut config = config();
    config.limits.outbox_bytes_max = 4096;
    config.limits.congested_bytes = 1024;
    let mut world = World::new(config);
    let clients = world.room(2, "red");
    world.hub.emit(world.now, clients[0].1, "fill", ("x".repeat(3000),)).unwrap();
    let args = ("y".repeat(2000),);
    let (ack, receipt) = world.hub.emit_with_acks(world.now, Target::room("red"), "ask", args, millis(60)).unwrap();
    assert_eq!((receipt.queued, receipt.cut_off), (1, 1));
    world.told();
    let told = world.says(clients[1].0, "430[]");
    assert_eq!(told[1], Told::Acks(ack, 1, vec![clients[0].1]));
}
