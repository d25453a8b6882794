//! Hostile inputs that concern the hub; each test's name begins with the id of its row.

use roomwire::hub::{Counts, Error, JoinError, Target};
use roomwire::ws::Opcode;

use crate::fuzz_hub::Told;
use crate::support::memory::measure;
use crate::support::ws::masked;
use crate::world::{V3, World, config, count, millis};

/// A client asks for echoes and never reads them.
#[test]
fn m01_echoes_that_nobody_reads() {
    let mut world = World::new(config());
    let (deaf, deaf_socket) = world.client();
    let (other, _) = world.client();
    let (mut bytes_in, mut closed, mut paused) = (0, 0, false);
    let text = "x".repeat(1000);
    let packet = masked(Opcode::Text, format!("42[\"echo\",\"{text}\"]").as_bytes());
    while closed == 0 && bytes_in < 8 << 20 {
        world.bytes(deaf, &packet);
        bytes_in += packet.len();
        for told in world.told() {
            match told {
                Told::Emit(socket, ..) => drop(world.hub.emit(world.now, socket, "echo", (text.as_str(),))),
                Told::Closed(conn, error) => {
                    assert_eq!((conn, error), (deaf, Some(Error::SlowConsumer)));
                    closed += 1;
                }
                _ => {}
            }
        }
        closed += count(&world.told(), "slow consumer");
        paused |= !world.hub.wants_read(deaf);
        assert!(world.hub.outgoing_len(deaf) <= 1 << 20);
        assert_eq!(paused, bytes_in > 65_536 + 2000 || paused, "the driver is told to read no more");
    }
    assert_eq!(closed, 1);
    assert!(bytes_in < 2 << 20);
    assert!(!world.hub.is_live(deaf_socket));
    world.hub.emit(world.now, Target::all(), "still here", ()).unwrap();
    assert_eq!(world.hears(other), ["42[\"still here\"]"]);
}

#[test]
fn m01_heartbeats_that_nobody_reads() {
    let mut world = World::new(config());
    let conn = world.open(V3);
    let (_, usage) = measure(|| {
        for _ in 0..10_000 {
            world.bytes(conn, &masked(Opcode::Text, b"2").repeat(100));
            if !world.hub.wants_read(conn) {
                break;
            }
        }
    });
    assert!(!world.hub.wants_read(conn));
    assert!(world.hub.outgoing_len(conn) < 70_000 && usage.live < 300_000, "{usage:?}");
}

#[test]
fn m02_one_error_for_a_connection() {
    let mut world = World::new(config());
    let (conn, _) = world.client();
    for _ in 0..1000 {
        world.bytes(conn, &masked(Opcode::Text, b"nonsense"));
    }
    assert_eq!(world.hears(conn).len(), 1);
    let told = world.told();
    assert_eq!((count(&told, "disconnected"), told.len()), (1, 1), "{told:?}");
    world.pass(millis(10_000));
    assert_eq!(count(&world.told(), "closed with an error"), 1);
}

#[test]
fn c02_pings_of_who_never_reads() {
    let mut world = World::new(config());
    let (conn, _) = world.client();
    let (_, usage) = measure(|| {
        for _ in 0..1000 {
            world.bytes(conn, &masked(Opcode::Ping, &[7; 125]).repeat(100));
        }
    });
    assert!(world.hub.outgoing_len(conn) < 1500);
    assert!(usage.live < 4096, "{usage:?}");
    assert_eq!(world.told(), []);
    assert!(world.hears(conn).iter().all(|packet| packet == "pong"));
}

#[test]
fn m05_rooms_of_a_socket() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.hub.identify(world.now, socket, "ann").unwrap();
    let long = "n".repeat(257);
    assert_eq!(world.hub.join(world.now, socket, &long), Err(JoinError::Name));
    assert_eq!(world.hub.join(world.now, socket, ""), Err(JoinError::Name));
    assert_eq!(world.hub.enter(world.now, socket, &long), Err(JoinError::Name));
    let (other, other_socket) = world.client();
    assert_eq!(world.hub.identify(world.now, other_socket, &long), Err(JoinError::Name));
    for room in 0..256 {
        let name = format!("{room:0256}");
        world.hub.enter(world.now, socket, &name).unwrap();
        world.hub.join(world.now, socket, &name).unwrap();
    }
    assert_eq!(world.hub.join(world.now, socket, "one more"), Err(JoinError::TooManyRooms));
    assert_eq!(world.hub.enter(world.now, socket, "one more"), Err(JoinError::TooManyRooms));
    assert_eq!(world.hub.counts().rooms, 256);
    world.hub.leave(world.now, socket, &format!("{:0256}", 7)).unwrap();
    world.hub.join(world.now, socket, "one more").unwrap();
    assert_eq!(world.hub.set_meta(world.now, socket, "one more", &1), Err(JoinError::NotEntered));
    let meta = world.hub.set_meta(world.now, socket, &format!("{:0256}", 8), &"m".repeat(2000));
    assert_eq!(meta, Err(JoinError::Meta));
    world.says(conn, "41");
    assert_eq!((world.hub.counts().rooms, world.hub.counts().users), (0, 0), "leaving gives everything back");
    world.gone(other);
    world.pass(millis(30_000));
    world.gone(conn);
    assert_eq!(world.hub.counts(), Counts::default());
}

#[test]
fn m05_namespaces_of_a_session() {
    let mut config = config();
    config.namespaces = roomwire::hub::Namespaces::Matching(|_| true);
    let mut world = World::new(config);
    let (conn, _) = world.client();
    for number in 1..16 {
        let socket = world.ask(conn, &format!("/{number}"));
        world.hub.accept(world.now, socket).unwrap();
    }
    world.hears(conn);
    world.told();
    assert_eq!(world.hub.counts().sockets, 16);
    let told = world.says(conn, "40/17,");
    assert_eq!(count(&told, "disconnected"), 16, "a client that breaks the limit is closed");
    assert_eq!(world.hub.counts().sockets, 0);
}

#[test]
fn s12_namespaces_that_there_are_not() {
    let mut world = World::new(config());
    let (conn, _) = world.client();
    let before = world.hub.counts();
    let (_, usage) = measure(|| {
        for number in 0..2000 {
            world.bytes(conn, &masked(Opcode::Text, format!("40/none{number},").as_bytes()));
            assert_eq!(world.hears(conn).len(), 1);
        }
    });
    assert!(usage.live.abs() < 1024, "{usage:?}");
    assert_eq!((world.hub.counts(), world.told()), (before, vec![]));
    let told = world.says(conn, &format!("40/{}", "n".repeat(5000)));
    assert_eq!((count(&told, "disconnected"), world.hears(conn).len()), (1, 1), "too long to be repeated");
}

#[test]
fn s13_events_before_and_after_the_connection() {
    for packets in [&["42[\"early\"]"][..], &["40", "42[\"not accepted\"]"], &["40/chat,", "42[\"elsewhere\"]"]] {
        let mut world = World::new(config());
        let conn = world.open(crate::world::V4);
        let told: Vec<_> = packets.iter().flat_map(|packet| world.says(conn, packet)).collect();
        assert_eq!(count(&told, "emit"), 0, "{packets:?}");
        assert_eq!(world.hub.counts().sessions, 0);
    }
    let mut world = World::new(config());
    let (conn, _) = world.client();
    let told: Vec<_> = ["41", "42[\"late\"]"].iter().flat_map(|packet| world.says(conn, packet)).collect();
    assert_eq!((count(&told, "emit"), world.hub.counts().sessions), (0, 0));
}
