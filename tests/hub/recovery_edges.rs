//! Connection state recovery where one thing meets another: cut off while it is told, sent too much at once, other kinds of
//! events and of clients.

use std::time::Duration;

use roomwire::hub::{Counts, Event, Namespaces, Peer, Recovery, Target};
#[cfg(feature = "msgpack")]
use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::Opcode;

use crate::fuzz_hub::Told;
use crate::recovery::{Client, recovering};
use crate::support::memory::measure;
use crate::support::ws::masked;
use crate::world::{V4, World, millis};

/// What is emitted as `say` with a number.
fn say(world: &mut World, target: Target<'_>, number: u32) {
    world.hub.emit(world.now, target, "say", (number,)).unwrap();
}

fn said(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("\"say\" {number}")).collect()
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

/// What is too long for a room is kept for nobody, and the application is not told otherwise.
#[test]
fn a_receipt_for_what_is_too_long_to_be_kept() {
    let mut world = World::new(recovering(Recovery { room_bytes_max: 2048, ..Recovery::default() }));
    let client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    let receipt = world.hub.emit(world.now, Target::room("lobby"), "say", ("long ".repeat(1000),)).unwrap();
    assert_eq!((receipt.away, receipt.kept), (1, 0));
    let receipt = world.hub.emit(world.now, Target::room("lobby"), "say", ("short",)).unwrap();
    assert_eq!((receipt.away, receipt.kept), (1, 1));
}

/// Lines know nothing of offsets: what is recovered on them would be recovered again and again.
#[test]
fn s16_a_claim_on_lines() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 1);
    let lines = world.hub.connect_lines(world.now, Peer::default()).unwrap();
    world.bytes(lines, format!("0{}\n", client.auth()).as_bytes());
    let told = world.told();
    assert!(matches!(told[..], [Told::Connecting(..)]), "{told:?}");
    assert!(!world.hub.is_live(client.socket));
}

/// However much the frames of what was missed take, a connection gets all of it or nothing.
#[test]
fn what_is_sent_again_has_room() {
    let name = format!("/{}", "n".repeat(1500));
    for events in 1..40 {
        let mut config = recovering(Recovery::default());
        config.namespaces = Namespaces::Listed(vec![name.clone()]);
        config.limits.namespace_bytes_max = 2000;
        config.limits.outbox_bytes_max = 20_000;
        config.limits.congested_bytes = 10_000;
        let mut world = World::new(config);
        let mut client = Client::new(&mut world, &name);
        client.lose(&mut world);
        for number in 0..events {
            say(&mut world, Target::namespace(&name), number);
        }
        let told = client.return_to(&mut world);
        let answer = name.len() + 100;
        assert!(world.hub.outgoing_len(client.conn) <= 10_000 + answer, "half of an outbox is left");
        if told.contains(&Told::Recovered(client.socket)) {
            client.heard.clear();
            assert_eq!(client.listen(&mut world), Some(true));
            assert_eq!(client.heard, said(0..events));
        } else {
            assert_eq!(told, [Told::Connected(client.socket, true)]);
            assert_eq!(client.listen(&mut world), Some(false));
        }
        assert!(world.hub.connection(client.socket).is_some(), "live on what it came by");
        assert_eq!(world.hub.counts().away, 0);
    }
}

/// A client takes the last string of any event for its offset, its name included, be it what another client has said.
#[test]
fn s16_a_volatile_event_is_no_offset() {
    for forged in [false, true] {
        let mut world = World::new(recovering(Recovery::default()));
        let mut client = Client::member(&mut world, "lobby");
        for number in 0..3 {
            say(&mut world, Target::room("lobby"), number);
            client.listen(&mut world);
        }
        let own = client.offset.clone().unwrap();
        let ahead = format!("{}8", own.strip_suffix('3').unwrap());
        let behind = format!("{}1", own.strip_suffix('3').unwrap());
        let other = Client::new(&mut world, "/");
        for said in if forged { [ahead, behind] } else { ["ann".to_owned(), String::new()] } {
            let event = format!("42[\"typing\",\"x\",\"{said}\" ]");
            let mut bytes = masked(Opcode::Text, event.as_bytes());
            let mut input = &mut bytes[..];
            while let Some(event) = world.hub.receive(world.now, other.conn, &mut input) {
                let Event::Emit { args, .. } = event else { panic!("{event:?}") };
                world.hub.emit(world.now, Target::room("lobby").volatile(), "typing", args).unwrap();
            }
        }
        client.listen(&mut world);
        client.lose(&mut world);
        for number in 3..10 {
            say(&mut world, Target::room("lobby"), number);
        }
        assert_eq!(client.recovers(&mut world), said(3..10));
        world.hub.emit(world.now, Target::room("lobby").volatile(), "tick", ()).unwrap();
        client.listen(&mut world);
        assert_eq!(client.recovers(&mut world), said([]));
    }
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

/// Whom an event is not for is kept with it, and counts.
#[test]
fn exceptions_have_their_price() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::member(&mut world, "lobby");
    let mut target = Target::room("lobby");
    say(&mut world, target.clone(), 1);
    let plain = world.hub.counts().history_bytes;
    for _ in 0..1000 {
        target = target.except(client.socket);
    }
    say(&mut world, target, 1);
    assert!(world.hub.counts().history_bytes >= 2 * plain + 8000, "{plain}");
}

/// What is kept for a client is dropped in time though nobody calls for it.
#[test]
fn the_timer_is_set_by_what_is_kept() {
    let mut world = World::new(recovering(Recovery { age_max: millis(5000), ..Recovery::default() }));
    let _client = Client::member(&mut world, "lobby");
    for number in 0..10 {
        say(&mut world, Target::room("lobby"), number);
        world.pass(millis(100));
        assert!(world.hub.poll_timeout().unwrap() > world.now);
    }
    world.pass(millis(4500));
    let some = world.hub.counts().history_bytes;
    assert!(some > 0);
    world.pass(millis(500));
    assert_eq!(world.hub.counts().history_bytes, 0);
}

/// Who has missed something, and loses the transport before it hears of that, is still in its session.
#[test]
fn a_pid_is_good_until_the_next_is_heard_of() {
    let mut world = World::new(recovering(Recovery { age_max: millis(1000), ..Recovery::default() }));
    let mut client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 1);
    world.pass(millis(1000));
    for _ in 0..3 {
        let told = client.return_to(&mut world);
        assert_eq!(told, [Told::Connected(client.socket, true)]);
        client.lose(&mut world);
    }
    let first = client.auth();
    client.has_missed_something(&mut world);
    // From its first word on only the next is good; or when it comes with that.
    world.says(client.conn, "42[\"hello\"]");
    is_unknown(&mut world, &first);
    let second = client.auth();
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 2);
    world.pass(millis(1000));
    client.has_missed_something(&mut world);
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), said([]));
    is_unknown(&mut world, &second);
    assert_eq!(world.hub.rooms(client.socket).collect::<Vec<_>>(), ["lobby"]);
}

fn is_unknown(world: &mut World, auth: &str) {
    let conn = world.open(V4);
    let told = world.says(conn, &format!("40{auth}"));
    assert!(matches!(told[..], [Told::Connecting(..)]), "{told:?}");
}

/// Clients who come and go leave nothing, nor do their rooms and what was said there.
#[test]
fn m06_clients_that_come_and_go_leave_nothing() {
    come_and_go(millis(5000));
    come_and_go(Duration::ZERO);
}

fn come_and_go(away_timeout: Duration) {
    let mut config = recovering(Recovery { age_max: millis(10_000), ..Recovery::default() });
    config.away_timeout = away_timeout;
    config.limits.outbox_bytes_max = 20_000;
    config.limits.congested_bytes = 10_000;
    let mut world = World::new(config);
    let mut lives = |count: usize| {
        for number in 0..count {
            let room = format!("room {}", number % 7);
            let mut client = Client::member(&mut world, &room);
            say(&mut world, Target::room(&room), 1);
            say(&mut world, Target::socket(client.socket).and_room("none"), 1);
            say(&mut world, Target::all().except_room(&room), 1);
            match number % 4 {
                0 => client.lose(&mut world),
                1 => drop(world.says(client.conn, "41")),
                2 => drop(client.return_to(&mut world)),
                _ => {
                    while world.hub.is_live(client.socket) {
                        let target = Target::room(&room).and_socket(client.socket);
                        world.hub.emit(world.now, target, "say", ("long ".repeat(100),)).unwrap();
                    }
                }
            }
            world.hub.abort(world.now, client.conn);
            world.told();
            while world.hub.poll_transmit().is_some() {}
            world.pass(millis(20));
        }
        world.pass(millis(60_000));
        world.told();
        assert_eq!(world.hub.counts(), Counts::default());
    };
    lives(500);
    let (_, usage) = measure(|| lives(2000));
    assert!(usage.live < 16_000, "{usage:?}");
}

/// What is counted is what it takes.
#[test]
fn what_an_event_costs() {
    for (length, count) in [(1, 10_000), (1000, 1000)] {
        let recovery = Recovery { room_bytes_max: 16 << 20, ..Recovery::default() };
        let mut world = World::new(recovering(recovery));
        let client = Client::member(&mut world, "lobby");
        client.lose(&mut world);
        let text = "x".repeat(length);
        let (_, usage) = measure(|| {
            for _ in 0..count {
                world.hub.emit(world.now, Target::room("lobby").except(client.socket), "say", (&*text,)).unwrap();
            }
        });
        let counted = world.hub.counts().history_bytes as isize;
        assert!(usage.live <= counted + 1000, "{} counted, {} taken each", counted / count, usage.live / count);
    }
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

/// In the other form of packets it is the same.
#[cfg(feature = "msgpack")]
#[test]
fn packets_of_message_pack() {
    let mut config = recovering(Recovery::default());
    config.parser = roomwire::hub::Parser::MessagePack;
    let mut world = World::new(config);
    let connect = |world: &mut World, pid: &[u8], offset: &[u8]| {
        let conn = world.open(V4);
        let (begin, middle) = (&b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x82\xa3pid\xb8"[..], &b"\xa6offset"[..]);
        let length = [0xa0 + offset.len() as u8];
        let packet = [begin, pid, middle, &length[..], offset].concat();
        world.bytes(conn, &masked(Opcode::Binary, &packet));
        (conn, world.told())
    };
    // The string behind another, which is shorter than 32 bytes.
    let behind = |bytes: &[u8], key: &[u8]| {
        let at = bytes.windows(key.len()).position(|window| window == key)? + key.len();
        let length = usize::from(bytes.get(at)?.checked_sub(0xa0)?);
        bytes.get(at + 1..at + 1 + length).map(<[u8]>::to_vec)
    };
    let (conn, told) = connect(&mut world, &[b'x'; 24], b"x");
    let [Told::Connecting(socket, ..)] = told[..] else { panic!("{told:?}") };
    world.hub.accept(world.now, socket).unwrap();
    world.told();
    let pid = behind(&world.read(conn, usize::MAX), b"\xa3pid").unwrap();
    world.hub.abort(world.now, conn);
    let args = attach((1, Placeholder(0)), [&b"\x01\x02"[..]]);
    world.hub.emit(world.now, socket, "say", args).unwrap();
    let (conn, told) = connect(&mut world, &pid, b"");
    assert_eq!(told.last(), Some(&Told::Connected(socket, true)), "an offset of nobody's");
    let pid = behind(&world.read(conn, usize::MAX), b"\xa3pid").unwrap();
    let args = attach((1, Placeholder(0)), [&b"\x01\x02"[..]]);
    world.hub.emit(world.now, socket, "say", args).unwrap();
    let offset = behind(&world.read(conn, usize::MAX), b"\xc4\x02\x01\x02").unwrap();
    let args = attach((2, Placeholder(0)), [&b"\x03\x04"[..]]);
    world.hub.emit(world.now, socket, "say", args).unwrap();
    let (conn, told) = connect(&mut world, &pid, &offset);
    assert_eq!(told.last(), Some(&Told::Recovered(socket)));
    let heard = world.read(conn, usize::MAX);
    assert_eq!(behind(&heard, b"\xc4\x02\x01\x02"), None, "it has that");
    let newest = behind(&heard, b"\xc4\x02\x03\x04").unwrap();
    assert_ne!(newest, offset);
    assert_eq!(behind(&heard, b"\xa3pid"), Some(pid));
}
