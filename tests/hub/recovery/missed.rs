//! What somebody has missed who was away: all that would have come, once and in order.

use std::time::Duration;

use roomwire::hub::{DisconnectReason, EmitError, Namespaces, Recovery, SocketError, Target};

use super::{Client, recovering, said, say};
use crate::fuzz_hub::Told;
use crate::world::{V4, World, config, millis};

#[test]
fn what_was_missed_comes_before_the_answer() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    world.hub.identify(world.now, client.socket, "ann").unwrap();
    say(&mut world, Target::room("lobby"), 1);
    client.listen(&mut world);
    assert_eq!(client.heard, said([1]));
    // On its way, and lost.
    say(&mut world, Target::room("lobby"), 2);
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 3);
    let receipt = world.hub.emit(world.now, client.socket, "say", (4,)).unwrap();
    assert_eq!((receipt.queued, receipt.away, receipt.kept), (0, 1, 1));
    say(&mut world, Target::user("ann"), 5);
    say(&mut world, Target::all(), 6);
    say(&mut world, Target::room("other"), 7);
    let told = client.return_to(&mut world);
    assert_eq!(told, [Told::Recovered(client.socket)]);
    let packets = world.hears(client.conn);
    let sid = world.hub.sid(client.socket).unwrap();
    assert_eq!(packets.last().unwrap(), &format!(r#"40{{"sid":"{sid}","pid":"{}"}}"#, client.pid));
    let events: Vec<_> = packets[..packets.len() - 1].iter().map(|packet| packet.split(',').nth(1).unwrap()).collect();
    assert_eq!(events, ["2", "3", "4", "5", "6"]);
    assert_eq!(world.hub.rooms(client.socket).collect::<Vec<_>>(), ["lobby"]);
    assert_eq!((world.hub.user(client.socket), world.hub.counts().away), (Some("ann"), 0));
    say(&mut world, Target::room("lobby"), 8);
    client.heard.clear();
    client.listen(&mut world);
    assert_eq!(client.heard, said([8]));
}

#[test]
fn without_it_nothing_is_different() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.hub.emit(world.now, socket, "say", (1,)).unwrap();
    assert_eq!(world.hears(conn), ["42[\"say\",1]"]);
    world.gone(conn);
    world.told();
    assert!(matches!(world.hub.emit(world.now, socket, "say", ()), Err(EmitError::Socket(SocketError::Away))));
    let conn = world.open(V4);
    let told =
        world.says(conn, &format!(r#"40{{"pid":"{}","offset":"1"}}"#, world.hub.token(socket).unwrap().as_str()));
    assert!(matches!(told[..], [Told::Connecting(..)]), "{told:?}");
}

#[test]
fn who_was_never_told_anything_recovers_too() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), said([]));
    say(&mut world, Target::room("lobby"), 1);
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 2);
    assert_eq!(client.recovers(&mut world), said([1, 2]), "it has no offset yet");
}

#[test]
fn what_may_be_lost_is_not_kept() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    say(&mut world, Target::room("lobby").volatile(), 1);
    let (_, receipt) = world.hub.emit_with_acks(world.now, Target::room("lobby"), "ask", (), millis(1000)).unwrap();
    assert_eq!(receipt.queued, 1);
    assert_eq!(world.hears(client.conn), ["42[\"say\",1]", "420[\"ask\"]"], "neither has an offset");
    client.lose(&mut world);
    say(&mut world, Target::room("lobby").volatile(), 2);
    assert!(world.hub.emit(world.now, Target::socket(client.socket).volatile(), "say", ()).is_err());
    assert!(world.hub.emit_with_ack(world.now, client.socket, "ask", (), millis(1000)).is_err());
    assert_eq!(client.recovers(&mut world), said([]));
    assert_eq!(world.hub.counts().history_bytes, 0);
}

#[test]
fn a_live_session_is_taken_over() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    let old = client.conn;
    say(&mut world, Target::room("lobby"), 1);
    let told = client.return_to(&mut world);
    let until = world.now.saturating_add(Duration::from_secs(120));
    let taken = Told::Disconnected(client.socket, DisconnectReason::TakenOver, Some(until));
    assert_eq!(told, [taken, Told::Recovered(client.socket)]);
    client.listen(&mut world);
    assert_eq!(client.heard, said([1]), "what the old transport still had is sent again");
    assert_eq!(world.hears(old).last().unwrap(), "close 1001");
    assert_eq!(world.hub.connection(client.socket), Some(client.conn));
}

/// A client of two namespaces comes back with both, while its old transport still seems alive.
#[test]
fn two_namespaces_on_one_transport() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut main = Client::member(&mut world, "lobby");
    let socket = world.ask(main.conn, "/chat");
    world.hub.accept(world.now, socket).unwrap();
    world.told();
    let answer = world.hears(main.conn).pop().unwrap();
    let pid = answer.split("\"pid\":\"").nth(1).unwrap()[..24].to_owned();
    for (at, target) in [Target::all(), Target::namespace("/chat"), Target::room("lobby")].into_iter().enumerate() {
        say(&mut world, target, at as u32);
    }
    let told = main.return_to(&mut world);
    assert!(told.contains(&Told::Recovered(main.socket)), "{told:?}");
    main.listen(&mut world);
    assert_eq!(main.heard, said([0, 2]));
    let told = world.says(main.conn, &format!("40/chat,{{\"pid\":\"{pid}\"}}"));
    assert_eq!(told, [Told::Recovered(socket)]);
    let heard = world.hears(main.conn);
    let [first, second, answer] = &heard[..] else { panic!("{heard:?}") };
    assert!(first.starts_with("42/chat,[\"say\",0,") && second.starts_with("42/chat,[\"say\",1,"), "{heard:?}");
    assert!(answer.starts_with("40/chat,") && answer.contains(&pid), "{answer}");
    assert_eq!((world.hub.counts().sockets, world.hub.counts().away), (2, 0));
}

#[test]
fn it_is_as_if_one_had_been_there() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    let mut chat = Client::new(&mut world, "/chat");
    for client in [&client, &chat] {
        world.hub.identify(world.now, client.socket, "ann").unwrap();
        client.lose(&mut world);
    }
    let (hub, now) = (&mut world.hub, world.now);
    hub.join(now, client.socket, "red").unwrap();
    hub.join(now, chat.socket, "blue").unwrap();
    let targets = [
        Target::room("lobby").and_room("red").and_socket(client.socket).and_room("lobby"), // 0: once
        Target::room("lobby").except(client.socket),
        Target::room("lobby").except_room("red"),
        Target::room("lobby").except_room("blue"), // 3
        Target::user("ann"),                       // 4: both
        Target::user("ann").of("/chat"),           // 5: chat
        Target::namespace("/chat"),                // 6: chat
        Target::room("blue"),
        Target::room("blue").of("/chat"),              // 8: chat
        Target::all().except_room("blue"),             // 9
        Target::sockets([client.socket, chat.socket]), // 10: both
        Target::sockets([client.socket]).of("/chat"),
        Target::socket(chat.socket).and_user("ann").except(client.socket), // 12: chat
        Target::room("lobby").and_user("bob").of("/"),                     // 13
        Target::namespace("/none"),
    ];
    for (number, target) in targets.into_iter().enumerate() {
        say(&mut world, target, number as u32);
    }
    let live = world.hub.sockets(Target::user("ann"));
    assert_eq!(live.len(), 2);
    assert_eq!(client.recovers(&mut world), said([0, 3, 4, 9, 10, 13]));
    assert_eq!(chat.recovers(&mut world), said([4, 5, 6, 8, 10, 12]));
}

/// Rooms are joined and left at all times; what counts is where one was when something was said.
#[test]
fn rooms_that_one_was_in_for_a_while() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::new(&mut world, "/");
    let other = Client::member(&mut world, "red");
    say(&mut world, Target::room("red"), 0);
    world.hub.join(world.now, client.socket, "red").unwrap();
    say(&mut world, Target::room("red"), 1);
    world.hub.leave(world.now, client.socket, "red").unwrap();
    say(&mut world, Target::room("red"), 2);
    world.hub.join(world.now, client.socket, "red").unwrap();
    say(&mut world, Target::room("red"), 3);
    client.lose(&mut world);
    say(&mut world, Target::room("red"), 4);
    world.hub.leave(world.now, client.socket, "red").unwrap();
    say(&mut world, Target::room("red"), 5);
    world.hub.join(world.now, other.socket, "mute").unwrap();
    assert_eq!(client.recovers(&mut world), said([1, 3, 4]));
}

/// A room that nobody is in any more is forgotten, with what was said there.
#[test]
fn a_room_that_is_gone() {
    for read in [false, true] {
        let mut world = World::new(recovering(Recovery::default()));
        let mut client = Client::member(&mut world, "red");
        say(&mut world, Target::room("red"), 1);
        if read {
            client.listen(&mut world);
        }
        world.hub.leave(world.now, client.socket, "red").unwrap();
        assert_eq!(world.hub.counts().history_bytes, 0);
        client.lose(&mut world);
        if read {
            assert_eq!(client.recovers(&mut world), said([]));
        } else {
            client.has_missed_something(&mut world);
        }
    }
}

/// While much is said elsewhere, one goes from room to room in which nothing is: nothing is missed.
#[test]
fn silent_rooms_beside_a_loud_one() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "quiet");
    let _loud = Client::member(&mut world, "loud");
    say(&mut world, Target::room("quiet"), 1);
    for number in 0..200 {
        let room = format!("room {number}");
        world.hub.join(world.now, client.socket, &room).unwrap();
        say(&mut world, Target::room("loud"), number);
        world.hub.leave(world.now, client.socket, &room).unwrap();
    }
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), said([1]));
}

/// A room in which nothing is said says all the same who does not get what is said elsewhere.
#[test]
fn a_silent_room_that_is_excepted() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    let _other = Client::member(&mut world, "muted");
    world.hub.join(world.now, client.socket, "muted").unwrap();
    say(&mut world, Target::room("lobby").except_room("muted"), 1);
    say(&mut world, Target::room("lobby"), 2);
    world.hub.leave(world.now, client.socket, "muted").unwrap();
    say(&mut world, Target::room("lobby").except_room("muted"), 3);
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), said([2, 3]));
}

/// An event for all costs the same however many namespaces clients have made.
#[test]
fn events_for_all_of_many_namespaces() {
    let mut config = recovering(Recovery::default());
    config.namespaces = Namespaces::Matching(|_| true);
    let mut world = World::new(config);
    let mut client = Client::new(&mut world, "/");
    say(&mut world, Target::all(), 1);
    let one = world.hub.counts().history_bytes;
    let others: Vec<_> = (0..50).map(|number| Client::new(&mut world, &format!("/n{number}"))).collect();
    client.lose(&mut world);
    say(&mut world, Target::all(), 2);
    assert_eq!(world.hub.counts().history_bytes, 2 * one);
    for other in others {
        world.says(other.conn, &format!("41{}", world.hub.namespace(other.socket).unwrap().to_owned()));
    }
    assert_eq!(client.recovers(&mut world), said([1, 2]));
}

/// Who comes when nobody is left gets nothing from before, so nothing is kept.
#[test]
fn events_for_all_when_all_are_gone() {
    let mut world = World::new(recovering(Recovery::default()));
    let clients = [Client::new(&mut world, "/"), Client::new(&mut world, "/")];
    say(&mut world, Target::all(), 1);
    world.says(clients[0].conn, "41");
    assert!(world.hub.counts().history_bytes > 0);
    world.says(clients[1].conn, "41");
    assert_eq!(world.hub.counts().history_bytes, 0);
    say(&mut world, Target::all(), 2);
    assert_eq!(world.hub.counts().history_bytes, 0);
}

/// Whoever is cut off by an event and may not be away has left: nothing is kept for it, nor of its room.
#[test]
fn who_is_cut_off_and_gone() {
    let mut config = recovering(Recovery::default());
    config.away_timeout = Duration::ZERO;
    config.limits.outbox_bytes_max = 10_000;
    config.limits.congested_bytes = 5000;
    let mut world = World::new(config);
    for target in [Some(Target::room("own")), None] {
        let client = Client::member(&mut world, "own");
        let target = target.unwrap_or_else(|| Target::socket(client.socket));
        loop {
            let receipt = world.hub.emit(world.now, target.clone(), "say", ("long ".repeat(100),)).unwrap();
            assert_eq!(receipt.kept, 0, "it does not come back");
            if receipt.cut_off == 1 {
                break;
            }
        }
        assert!(world.told().iter().any(|told| matches!(told, Told::Disconnected(_, _, None))));
        assert_eq!(world.hub.counts().history_bytes, 0);
    }
}

/// Whoever is cut off and may be away gets it later.
#[test]
fn who_is_cut_off_and_comes_back() {
    let mut config = recovering(Recovery::default());
    config.limits.outbox_bytes_max = 10_000;
    config.limits.congested_bytes = 5000;
    let mut world = World::new(config);
    let mut client = Client::member(&mut world, "lobby");
    let mut number = 0;
    let receipt = loop {
        let receipt = world.hub.emit(world.now, Target::room("lobby"), "say", (number, "long ".repeat(300))).unwrap();
        if receipt.queued == 0 {
            break receipt;
        }
        if number < 4 {
            client.listen(&mut world);
        }
        number += 1;
    };
    assert_eq!((receipt.cut_off, receipt.kept), (1, 1));
    world.told();
    client.offset.as_ref().unwrap();
    client.heard.clear();
    // More than half of an outbox is behind.
    let told = client.return_to(&mut world);
    assert_eq!(told.last(), Some(&Told::Connected(client.socket, true)));
}
