//! Whom a target means, and what is done to all of them.

use roomwire::hub::{Receipt, Target};

use crate::fuzz_hub::Told;
use crate::world::{World, config, millis};

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

/// A target is the union of what it names: sockets, rooms, users, a namespace; whoever is meant twice is told once.
#[test]
fn a_target_of_several_kinds() {
    let mut world = World::new(config());
    let clients = world.room(4, "red");
    let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| clients[at].1);
    let chat = world.ask(clients[0].0, "/chat");
    world.hub.accept(world.now, chat).unwrap();
    for (socket, room) in [(c, "blue"), (d, "blue"), (chat, "blue")] {
        world.hub.join(world.now, socket, room).unwrap();
    }
    for socket in [a, chat] {
        world.hub.identify(world.now, socket, "ann").unwrap();
    }
    for (target, expected) in [
        (Target::socket(b).and_room("blue"), vec![b, c, d]),
        (Target::room("blue").and_socket(c).and_socket(b), vec![b, c, d]),
        (Target::user("ann").and_room("blue"), vec![a, c, d, chat]),
        (Target::user("none").and_user("ann").and_socket(b), vec![a, b, chat]),
        (Target::namespace("/chat").and_socket(b), vec![chat]),
        (Target::all().and_room("blue"), vec![a, b, c, d, chat]),
        (Target::sockets([a, b, a]), vec![a, b]),
        (Target::sockets([]), vec![]),
        (Target::sockets([]).and_room("blue").except(c), vec![d]),
        // A room is one of `/` unless another namespace is named, and then nobody elsewhere is meant.
        (Target::socket(chat).and_room("blue"), vec![c, d, chat]),
        (Target::socket(b).and_room("blue").of("/chat"), vec![chat]),
        (Target::user("ann").and_room("blue").of("/chat"), vec![chat]),
        (Target::sockets([a, chat]).of("/chat"), vec![chat]),
        (Target::socket(a).of("/chat"), vec![]),
        (Target::socket(a).of("/nope"), vec![]),
        (Target::room("red").and_socket(chat).except_room("blue"), vec![a, b]),
        (Target::room("red").and_socket(chat).except_room("blue").of("/chat"), vec![]),
    ] {
        let shown = format!("{target:?}");
        let mut found = world.hub.sockets(target);
        found.sort_unstable();
        assert_eq!(found, expected, "{shown}");
    }
    world.hub.emit(world.now, Target::socket(b).and_room("blue"), "e", ()).unwrap();
    assert!(
        clients.iter().map(|(conn, _)| world.hears(*conn).contains(&r#"42["e"]"#.into())).eq([false, true, true, true])
    );
    let receipt = world.hub.emit(world.now, Target::socket(b).of("/chat"), "e", ()).unwrap();
    assert_eq!((receipt, world.hears(clients[1].0)), (Receipt::default(), vec![]));
}

/// One socket that cannot take an event is an error; among others it is counted, or nobody.
#[test]
fn a_socket_that_is_away_among_others() {
    let mut world = World::new(config());
    let clients = world.room(2, "red");
    let [lost, there] = [clients[0].1, clients[1].1];
    world.gone(clients[0].0);
    let mut emit = |target: Target<'_>| world.hub.emit(world.now, target, "e", ()).map_err(|error| error.to_string());
    assert!(emit(Target::socket(lost)).is_err());
    let receipt = Receipt { queued: 1, away: 1, ..Receipt::default() };
    assert_eq!(emit(Target::socket(lost).and_socket(there)), Ok(receipt));
    world.hub.disconnect(world.now, lost).unwrap();
    let mut emit = |target: Target<'_>| world.hub.emit(world.now, target, "e", ()).map_err(|error| error.to_string());
    assert_eq!(emit(Target::sockets([lost, there])), Ok(Receipt { queued: 1, ..Receipt::default() }));
    assert_eq!(emit(Target::sockets([lost])), Ok(Receipt::default()));
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

/// All clients in a room go, with their transports and whatever else they are in; who is away does not come back.
#[test]
fn all_clients_are_disconnected() {
    let mut world = World::new(config());
    let clients = world.room(4, "red");
    let chat = world.ask(clients[0].0, "/chat");
    world.hub.accept(world.now, chat).unwrap();
    world.hub.leave(world.now, clients[3].1, "red").unwrap();
    world.gone(clients[2].0);
    for (conn, _) in &clients {
        world.hears(*conn);
    }
    world.told();
    let target = Target::room("red").and_socket(chat);
    assert_eq!(world.hub.disconnect_all_clients(world.now, target), 4);
    assert_eq!(world.hears(clients[0].0), ["41", "41/chat,", "close 0"]);
    assert_eq!(world.hears(clients[1].0), ["41", "close 0"]);
    assert!(world.hears(clients[3].0).is_empty());
    let told = world.told();
    assert_eq!(told.iter().filter(|told| matches!(told, Told::Disconnected(_, _, None) | Told::Left(_))).count(), 4);
    assert_eq!((world.hub.counts().sockets, world.hub.counts().sessions, world.hub.counts().away), (1, 1, 0));
}

/// An acknowledgement can be asked of one socket by a volatile event: it is missing if that was dropped.
#[test]
fn one_socket_is_asked_by_a_volatile_event() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let target = || Target::socket(socket).volatile();
    let (ack, receipt) = world.hub.emit_with_acks(world.now, target(), "ask", (), millis(9)).unwrap();
    assert_eq!((receipt.queued, world.hears(conn)), (1, vec![format!(r#"420["ask"]"#)]));
    world.says(conn, "430[]");
    let full = "x".repeat(70_000);
    world.hub.emit(world.now, socket, "full", (full.as_str(),)).unwrap();
    world.told();
    let (second, receipt) = world.hub.emit_with_acks(world.now, target(), "ask", (), millis(9)).unwrap();
    assert_ne!(ack, second);
    assert_eq!((receipt.dropped, world.told()), (1, vec![Told::Acks(second, 0, vec![socket])]));
}

/// A catch-all of outgoing events is a function around `emit`: those whom a target means before it are those who hear it.
#[test]
fn a_catch_all_of_outgoing_events() {
    let mut world = World::new(config());
    let clients = world.room(4, "red");
    world.hub.join(world.now, clients[1].1, "blue").unwrap();
    for (target, name) in [
        (Target::room("red").except(clients[0].1), "e0"),
        (Target::room("blue").and_socket(clients[3].1), "e1"),
        (Target::socket(clients[2].1), "e2"),
        (Target::room("red").except_room("blue").volatile(), "e3"),
        (Target::room("none"), "e4"),
    ] {
        let mut seen = world.hub.sockets(target.clone());
        let receipt = world.hub.emit(world.now, target, name, (1,)).unwrap();
        assert_eq!(receipt, Receipt { queued: seen.len(), ..Receipt::default() });
        seen.sort_unstable();
        let heard = clients.iter().filter(|(conn, _)| world.hears(*conn) == [format!(r#"42["{name}",1]"#)]);
        assert_eq!(seen, heard.map(|(_, socket)| *socket).collect::<Vec<_>>(), "{name}");
    }
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
