//! Slow consumers: what is reliable cuts them off, what is volatile is dropped; nobody else notices. And encoding once.

use roomwire::hub::{Config, DisconnectReason, EmitError, Error, Receipt, Target};
use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::Opcode;

use crate::fuzz_hub::Told;
use crate::support::memory::measure;
use crate::support::ws::masked;
use crate::world::{World, config, count, millis, packets};

fn small() -> Config {
    let mut config = config();
    config.limits.outbox_bytes_max = 10_000;
    config.limits.congested_bytes = 4_000;
    config
}

#[test]
fn m03_a_slow_member_is_cut_off_and_the_others_get_everything() {
    let mut world = World::new(small());
    let clients = world.room(10, "lobby");
    let (slow, slow_socket) = clients[3];
    let (mut told, mut cut_off) = (Vec::new(), 0);
    for number in 0..30 {
        let event = (number, "x".repeat(1000));
        cut_off += world.hub.emit(world.now, Target::room("lobby"), "say", event).unwrap().cut_off;
        told.extend(world.told());
        assert!(world.hub.outgoing_len(slow) <= 10_000);
        for (conn, _) in clients.iter().filter(|(conn, _)| *conn != slow) {
            let heard = world.hears(*conn);
            assert!(matches!(&heard[..], [one] if one.starts_with(&format!("42[\"say\",{number},"))), "{heard:?}");
        }
    }
    assert_eq!(cut_off, 1);
    let closed: Vec<_> = told.iter().filter(|told| matches!(told, Told::Closed(..))).collect();
    assert_eq!(closed, [&Told::Closed(slow, Some(Error::SlowConsumer))], "once");
    assert!(matches!(&told[..], [Told::Congested(conn), ..] if *conn == slow));
    assert!(told.iter().any(|told| matches!(
        told,
        Told::Disconnected(socket, DisconnectReason::SlowConsumer, Some(_)) if *socket == slow_socket
    )));
    let again = world.resume(slow_socket);
    assert_eq!(count(&world.told(), "resumed"), 1);
    world.hears(again);
    world.hub.emit(world.now, Target::room("lobby"), "say", ()).unwrap();
    assert_eq!(world.hears(again), ["42[\"say\"]"]);
}

#[test]
fn volatile_events_are_dropped_and_counted() {
    let mut world = World::new(small());
    let (conn, _) = world.client();
    let (fast, _) = world.client();
    let emit =
        |world: &mut World| world.hub.emit(world.now, Target::all().volatile(), "v", ("x".repeat(1000),)).unwrap();
    let mut receipts = Receipt::default();
    for _ in 0..20 {
        let receipt = emit(&mut world);
        receipts.queued += receipt.queued;
        receipts.dropped += receipt.dropped;
        assert_eq!((receipt.away, receipt.cut_off), (0, 0));
        assert_eq!(world.hears(fast).len(), 1);
    }
    assert_eq!((receipts.queued, receipts.dropped), (20 + 4, 16), "until it is congested");
    assert_eq!(world.told(), [Told::Congested(conn)]);
    // Reliable events still go.
    assert_eq!(world.hub.emit(world.now, Target::all(), "r", ()).unwrap().queued, 2);
    assert_eq!(world.hears(conn).len(), 5);
    assert_eq!(world.told(), [Told::Drained(conn)]);
    assert_eq!(emit(&mut world).queued, 2);
}

/// An event and its attachments go together, however little room is left.
#[test]
fn volatile_events_are_never_cut_in_two() {
    let mut config = small();
    config.limits.outbox_bytes_max = 4096;
    config.limits.congested_bytes = 4096;
    let mut whole = 0;
    for left in 0..400 {
        let mut world = World::new(config.clone());
        let (conn, socket) = world.client();
        // In two, since one event must leave room for more.
        for size in [2000, 4096 - 2048 - left] {
            world.hub.emit(world.now, socket, "fill", ("x".repeat(size),)).unwrap();
        }
        let event = attach((Placeholder(0),), [&[7; 100][..]]);
        let receipt = world.hub.emit(world.now, Target::socket(socket).volatile(), "v", event).unwrap();
        assert_eq!(receipt.queued + receipt.dropped, 1);
        assert_eq!(world.hears(conn).len(), 2 + 2 * receipt.queued, "{left} bytes are left");
        whole += receipt.queued;
    }
    assert!((100..350).contains(&whole), "{whole}");
}

#[test]
fn congested_and_drained_alternate() {
    let mut world = World::new(small());
    let (conn, socket) = world.client();
    for _ in 0..3 {
        for _ in 0..6 {
            world.hub.emit(world.now, socket, "say", ("x".repeat(1000),)).unwrap();
        }
        assert_eq!(world.told(), [Told::Congested(conn)]);
        world.read(conn, 4000);
        assert_eq!(world.told(), [], "more than half the mark is left");
        world.read(conn, 500);
        assert_eq!(world.told(), [Told::Drained(conn)]);
        world.read(conn, usize::MAX);
        assert_eq!(world.told(), []);
    }
}

/// The last event of a connection is its end, also when it was congested then.
#[test]
fn nothing_is_told_of_a_connection_after_its_end() {
    let mut world = World::new(small());
    let (conn, socket) = world.client();
    for _ in 0..6 {
        world.hub.emit(world.now, socket, "say", ("x".repeat(1000),)).unwrap();
    }
    world.bytes(conn, b"\x88\x82\0\0\0\0\x03\xe8");
    assert_eq!(count(&world.told(), "closed"), 1);
    world.read(conn, usize::MAX);
    assert_eq!(world.told(), []);
}

#[test]
fn an_event_that_no_outbox_can_hold_is_refused() {
    let mut world = World::new(small());
    let (conn, socket) = world.client();
    let refused = world.hub.emit(world.now, socket, "say", ("x".repeat(10_000),));
    assert!(matches!(refused, Err(EmitError::TooLong)));
    assert_eq!((world.told(), world.hub.outgoing_len(conn)), (vec![], 0), "it is the application's fault alone");
}

/// Everybody hears a room in the order of the calls, direct events between broadcasts included, however it is read.
#[test]
fn one_order_at_every_receiver() {
    let mut world = World::new(config());
    let clients = world.room(8, "lobby");
    let mut heard = vec![Vec::new(); clients.len()];
    for number in 0..300usize {
        let size = [1, 300, 40, 2000][number % 4];
        world.hub.emit(world.now, Target::room("lobby"), "all", (number, "x".repeat(size))).unwrap();
        let (conn, socket) = clients[number % 8];
        world.hub.emit(world.now, socket, "one", (number, "y".repeat(size / 2))).unwrap();
        heard[number % 8].extend(world.read(conn, number * 97 % 3000));
    }
    for (index, (conn, _)) in clients.iter().enumerate() {
        heard[index].extend(world.read(*conn, usize::MAX));
        let expected = (0..300).flat_map(|number| {
            let own = (number % 8 == index).then(|| format!("42[\"one\",{number},"));
            [Some(format!("42[\"all\",{number},")), own].into_iter().flatten()
        });
        let packets = packets(&heard[index]);
        assert_eq!(packets.len(), expected.clone().count());
        assert!(packets.iter().zip(expected).all(|(packet, start)| packet.starts_with(&start)));
    }
}

#[test]
fn a_broadcast_is_encoded_once() {
    let mut world = World::new(config());
    let clients = world.room(1000, "lobby");
    let text = "x".repeat(50_000);
    // The outboxes' queues exist: what is measured is the payload.
    world.hub.emit(world.now, Target::room("lobby"), "say", ("y".repeat(300),)).unwrap();
    let (receipt, usage) =
        measure(|| world.hub.emit(world.now, Target::room("lobby"), "say", (text.as_str(),)).unwrap());
    assert_eq!(receipt.queued, 1000);
    assert!(usage.requested < 6 * text.len() + 1000 * 200, "{usage:?}");
    assert!(usage.live < 2 * 50_000 + 1000 * 200, "{usage:?}");
    assert!(usage.largest < 3 * text.len(), "{usage:?}");
    for (conn, _) in &clients {
        assert_eq!(world.hears(*conn).len(), 2);
    }
}

#[test]
fn a_cut_off_client_does_not_hold_the_broadcast() {
    let mut world = World::new(small());
    world.room(100, "lobby");
    let (_, usage) = measure(|| {
        for _ in 0..50 {
            world.hub.emit(world.now, Target::room("lobby"), "say", ("x".repeat(1000),)).unwrap();
        }
        world.told();
    });
    assert_eq!(world.hub.counts().connections, 0, "nobody read");
    assert!(usage.live < 100 * 1000, "what was queued for them is given back: {usage:?}");
}

#[test]
fn c14_who_reads_nothing_is_given_up() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.pass(millis(1000));
    world.hub.emit(world.now, socket, "say", ()).unwrap();
    world.pass(millis(10_000));
    world.hub.emit(world.now, socket, "say", ()).unwrap();
    world.pass(millis(19_999));
    assert_eq!(count(&world.told(), "lost"), 0);
    world.pass(millis(1));
    let told = world.told();
    assert_eq!((count(&told, "lost"), count(&told, "closed with an error")), (1, 1), "{told:?}");
    assert_eq!(world.hub.outgoing_len(conn), 0);
    assert_eq!(world.hub.counts().connections, 0);
}

/// While its client is behind with reading, nothing is read from it: that what it owes does not come is not its fault.
#[test]
fn a_slow_reader_is_not_silent() {
    let mut config = small();
    config.attachments_timeout = millis(10_000);
    config.engine.ping_interval = millis(7_000);
    config.engine.ping_timeout = millis(10_000);
    let mut world = World::new(config);
    let (conn, socket) = world.client();
    assert_eq!(world.says(conn, r#"451-["file",{"_placeholder":true,"num":0}]"#), []);
    for _ in 0..9 {
        world.hub.emit(world.now, socket, "say", ("x".repeat(1000),)).unwrap();
    }
    assert!(!world.hub.wants_read(conn));
    world.told();
    while !world.hub.wants_read(conn) {
        world.pass(millis(2_999));
        assert!(world.hub.is_live(socket), "taken for dead while it reads");
        world.read(conn, 1000);
    }
    world.told();
    world.bytes(conn, &masked(Opcode::Binary, b"x"));
    assert!(matches!(&world.told()[..], [Told::Emit(from, ..)] if *from == socket));
    // Now its silence counts.
    world.read(conn, usize::MAX);
    world.pass(millis(10_000));
    assert!(!world.hub.is_live(socket));
}

/// A ping that waits behind other packets has not been asked: its time begins when it is written, and until then it is for the
/// write time-out to say how long a client may take to read.
#[test]
fn a_ping_that_waits_has_not_been_asked() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.pass(millis(24_000));
    world.hub.emit(world.now, socket, "say", ("x".repeat(40_000),)).unwrap();
    assert!(world.hub.wants_read(conn));
    world.pass(millis(29_999));
    assert!(world.hub.is_live(socket), "taken for dead before it could know of the ping");
    world.read(conn, 20_000);
    world.pass(millis(29_999));
    assert!(world.hub.is_live(socket));
    assert!(world.read(conn, usize::MAX).ends_with(b"\x81\x012"));
    world.pass(millis(19_999));
    assert!(world.hub.is_live(socket));
    world.pass(millis(1));
    assert!(!world.hub.is_live(socket), "now its silence counts");
}

/// Nor is anybody waited for longer who has read the ping, whatever is sent to him.
#[test]
fn what_is_written_behind_a_ping_gives_no_time() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.pass(millis(25_000));
    assert_eq!(world.hears(conn), ["2"]);
    for _ in 0..19 {
        world.pass(millis(1000));
        world.hub.emit(world.now, socket, "say", ()).unwrap();
        world.hears(conn);
    }
    assert!(world.hub.is_live(socket));
    world.pass(millis(1000));
    assert!(!world.hub.is_live(socket));
}

/// Nor for longer than once if he was so far behind that he was not read from, and then read everything at once.
#[test]
fn who_has_read_everything_is_waited_for_once() {
    for at_once in [usize::MAX, 2000] {
        let mut world = World::new(small());
        let (conn, socket) = world.client();
        world.pass(millis(24_000));
        for _ in 0..6 {
            world.hub.emit(world.now, socket, "say", ("x".repeat(1000),)).unwrap();
        }
        assert!(!world.hub.wants_read(conn));
        world.pass(millis(1000));
        while world.hub.outgoing_len(conn) > 0 {
            world.read(conn, at_once);
        }
        world.pass(millis(19_999));
        assert!(world.hub.is_live(socket));
        world.pass(millis(1));
        assert!(!world.hub.is_live(socket), "its silence counts");
    }
}
