//! Whom a target means, and what is done to all of them.

use roomwire::hub::Target;

use crate::fuzz_hub::Told;
use crate::world::{World, config};

#[test]
fn each_socket_once() {
    let mut world = World::new(config());
    let clients = world.room(4, "red");
    for (_, socket) in &clients[1..3] {
        world.hub.join(world.now, *socket, "blue").unwrap();
    }
    let ids: Vec<_> = clients.iter().map(|(_, socket)| *socket).collect();
    let sorted = |mut sockets: Vec<_>| {
        sockets.sort_unstable();
        sockets
    };
    let hub = &mut world.hub;
    assert_eq!(sorted(hub.sockets(Target::room("red").and_room("blue"))), ids);
    assert_eq!(sorted(hub.sockets(Target::room("red").except_room("blue").except(ids[0]))), [ids[3]]);
    assert_eq!(hub.sockets(Target::room("none")), []);
    assert_eq!(hub.sockets(ids[2]), [ids[2]]);
    assert_eq!(sorted(hub.sockets(Target::all())), ids);
    assert_eq!(hub.sockets(Target::namespace("/chat")), []);
}

#[test]
fn who_is_connecting_is_not_there_yet_and_who_is_away_is() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.connecting("/");
    world.gone(conn);
    assert_eq!(world.hub.sockets(Target::all()), [socket]);
}

#[test]
fn all_join_leave_and_go() {
    let mut world = World::new(config());
    let clients = world.room(3, "red");
    let but_one = || Target::room("red").except(clients[0].1);
    assert_eq!(world.hub.join_all(world.now, but_one(), "blue"), Ok(2));
    assert_eq!(world.hub.room("/", "blue").count(), 2);
    assert_eq!(world.hub.leave_all(world.now, Target::room("blue"), "red"), 2);
    assert_eq!(world.hub.room("/", "red").collect::<Vec<_>>(), [clients[0].1]);
    assert_eq!(world.hub.disconnect_all(world.now, Target::room("blue")), 2);
    assert_eq!(world.told().iter().filter(|told| matches!(told, Told::Disconnected(_, _, None))).count(), 2);
    assert_eq!(world.hears(clients[1].0), ["41"]);
    assert!(world.hears(clients[0].0).is_empty());
}

/// A client is made to leave all of its namespaces, is told of each, and its transport ends.
#[test]
fn a_client_is_disconnected_from_everything() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let chat = world.ask(conn, "/chat");
    world.hub.accept(world.now, chat).unwrap();
    world.hears(conn);
    world.told();
    world.hub.disconnect_client(world.now, socket).unwrap();
    assert_eq!(world.hears(conn), ["41", "41/chat,", "close 0"]);
    assert_eq!(world.hub.counts().sessions, 0);
    assert_eq!(world.told().iter().filter(|told| matches!(told, Told::Disconnected(_, _, None))).count(), 2);
    assert!(world.hub.disconnect_client(world.now, socket).is_err());
}
