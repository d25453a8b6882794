//! What the hub holds, counted by the allocator: idle connections are small, and everything is given back.

use roomwire::hub::{Config, Counts, KeepHandshakes, Origins};
use roomwire::ws::Opcode;

use crate::support::memory::measure;
use crate::support::ws::{frame, key, masked};
use crate::world::{V4, World, config, millis};

/// One life of a client: handshake, room, presence, a question, and an end of one kind or another.
fn life(world: &mut World, number: usize) {
    let (conn, socket) = world.client();
    let room = format!("room {}", number % 7);
    world.hub.identify(world.now, socket, &format!("user {}", number % 5)).unwrap();
    world.hub.enter(world.now, socket, &room).unwrap();
    world.hub.set_meta(world.now, socket, &room, &number).unwrap();
    world.hub.emit_with_ack(world.now, socket, "ask", (number,), millis(10_000)).unwrap();
    match number % 4 {
        0 => world.gone(conn),
        1 => world.hub.abort(world.now, conn),
        2 => {
            world.says(conn, "41");
            world.gone(conn);
        }
        _ => {
            world.gone(conn);
            let again = world.resume(socket);
            world.says(again, "1");
            world.gone(again);
        }
    }
    world.told();
    while world.hub.poll_transmit().is_some() {}
}

#[test]
fn m06_clients_that_come_and_go_leave_nothing() {
    let mut world = World::new(config());
    let mut lives = |count: usize| {
        for number in 0..count {
            life(&mut world, number);
            world.pass(millis(20));
        }
        world.pass(millis(60_000));
        world.told();
        assert_eq!(world.hub.counts(), Counts::default());
    };
    lives(2000);
    // Tables may breathe a little; eight bytes for each life would be seen.
    let (_, usage) = measure(|| (0..4).for_each(|_| lives(2000)));
    assert!(usage.live < 64_000, "{usage:?}");
}

/// Many within one moment: what is kept for their time-outs must not outlive them without bound.
#[test]
fn m06_connections_that_come_and_go_at_once() {
    let mut world = World::new(config());
    let (_, usage) = measure(|| {
        for _ in 0..30_000 {
            let conn = world.hub.connect(world.now).unwrap();
            world.hub.abort(world.now, conn);
            world.told();
            while world.hub.poll_transmit().is_some() {}
        }
    });
    assert_eq!(world.hub.counts(), Counts::default());
    assert!(usage.live < 64 * 1024, "{usage:?}");
}

/// The same by one client that connects to a namespace and leaves it, again and again.
#[test]
fn m06_sockets_that_come_and_go_at_once() {
    let mut world = World::new(config());
    let (conn, _) = world.client();
    world.says(conn, "41");
    let connect = [masked(Opcode::Text, b"40"), masked(Opcode::Text, b"41")].concat();
    let (_, usage) = measure(|| {
        for _ in 0..30_000 {
            world.bytes(conn, &connect);
            world.told();
        }
    });
    assert_eq!(world.hub.counts().sockets, 0);
    assert!(usage.live < 64 * 1024, "{} bytes for 480 kB that came: {usage:?}", usage.live);
}

#[test]
fn m07_one_large_message_leaves_no_buffer() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let text = "x".repeat(900_000);
    let (_, usage) = measure(|| {
        let message = frame(true, Opcode::Text, key(roomwire::ws::Role::Server), format!("42[\"{text}\"]").as_bytes());
        for piece in message.chunks(16_384) {
            world.bytes(conn, piece);
        }
        drop(message);
        assert_eq!(world.told().len(), 1);
        world.hub.emit(world.now, socket, "large", (text.as_str(),)).unwrap();
        world.hears(conn);
        world.told();
    });
    assert!(usage.peak > 900_000 && usage.live < 4096, "{usage:?}");
}

#[test]
fn m07_a_burst_of_events_leaves_no_queue() {
    let mut world = World::new(config());
    let clients = world.room(500, "lobby");
    let (_, usage) = measure(|| {
        for (_, socket) in &clients {
            for _ in 0..50 {
                world.hub.emit_with_ack(world.now, *socket, "ask", (), millis(100)).unwrap();
            }
        }
        for (conn, _) in &clients {
            world.hears(*conn);
        }
        world.pass(millis(100));
        assert_eq!(world.told().len(), 500 * 50);
    });
    // Something small may stay with each socket: that it was asked before.
    assert!(usage.live < 500 * 256, "{usage:?}");
}

/// How many connections that do nothing. It is no power of two, at which tables that double would be just full.
const IDLE: usize = 10_000;

/// What each of them costs, with its share of everything, where `/` is all that there is.
fn idle(make: impl FnMut(&mut World, usize)) -> isize {
    idle_in(Config::new(Origins::Any), make)
}

fn idle_in(config: Config, mut make: impl FnMut(&mut World, usize)) -> isize {
    let mut world = World::new(config);
    let (_, usage) = measure(|| {
        for number in 0..IDLE {
            make(&mut world, number);
        }
        world.pass(millis(100));
        world.told();
        while world.hub.poll_transmit().is_some() {}
    });
    assert_eq!(world.hub.counts().connections, IDLE);
    usage.live / IDLE as isize
}

#[test]
fn an_idle_client_in_a_room_has_at_most_a_kibibyte() {
    let bytes = idle(|world, number| {
        let (conn, socket) = world.client();
        world.hub.identify(world.now, socket, &format!("user {number}")).unwrap();
        world.hub.join(world.now, socket, &format!("room {}", number % 100)).unwrap();
        world.hears(conn);
    });
    println!("{bytes} bytes");
    assert!((100..=1024).contains(&bytes), "{bytes}");
}

/// Where there are further namespaces it has the request that it came with besides, unless that is not wanted.
#[test]
fn an_idle_client_that_may_connect_further_has_its_handshake() {
    let client = |world: &mut World, _| {
        let (conn, _) = world.client();
        world.hears(conn);
    };
    let bytes = [KeepHandshakes::UntilAccepted, KeepHandshakes::WhileNeeded]
        .map(|keep_handshakes| idle_in(Config { keep_handshakes, ..config() }, client));
    println!("{bytes:?} bytes");
    assert!(bytes[0] <= 1024 && (200..=700).contains(&(bytes[1] - bytes[0])), "{bytes:?}");
}

#[test]
fn an_idle_client_that_was_asked_once_has_at_most_a_kibibyte() {
    let bytes = idle(|world, number| {
        let (conn, socket) = world.client();
        world.hub.identify(world.now, socket, &format!("user {number}")).unwrap();
        world.hub.join(world.now, socket, &format!("room {}", number % 100)).unwrap();
        world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100)).unwrap();
        world.hears(conn);
        world.says(conn, "430[]");
    });
    println!("{bytes} bytes");
    assert!((100..=1024).contains(&bytes), "{bytes}");
}

#[test]
fn a_stream_that_says_nothing_has_at_most_a_kibibyte() {
    let bytes = idle(|world, _| {
        world.hub.connect(world.now).unwrap();
    });
    println!("{bytes} bytes");
    assert!((50..=1024).contains(&bytes), "{bytes}");
}

#[test]
fn a_session_before_its_namespace_has_at_most_nine_kibibytes() {
    let bytes = idle(|world, _| {
        world.open(V4);
    });
    println!("{bytes} bytes");
    assert!((100..=9 * 1024).contains(&bytes), "{bytes}");
}
