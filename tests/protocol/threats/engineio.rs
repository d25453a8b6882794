//! Hostile packets of Engine.IO.

use roomwire::engineio::SessionError;
use roomwire::hub::Error;
use roomwire::{socketio, ws};

use crate::app::App;
use crate::client::{Client, Frame, MAIN, MAIN_3, message, opening, text};
use crate::world::{Told, World, open_config};

/// Acknowledgement ids as long as a message may be: refused beyond 64 bits, in time.
#[test]
fn e02_giant_acknowledgement_ids() {
    for digits in [20, 1000, 999_000] {
        for kind in ["42", "43", "40"] {
            let mut world = World::captured();
            let mut client = Client::connected(&mut world);
            let packet = format!("{kind}{}[\"e\"]", "9".repeat(digits));
            let frames = client.ask(&mut world, &packet);
            assert_eq!(frames, [Frame::Close(1008, "Socket.IO: invalid acknowledgement id".into())], "{kind}");
            client.finish(&mut world);
            assert_eq!(world.error(client.conn), Some(Error::SocketIo(socketio::Error::AckId)));
        }
    }
    // What it looked like in long polling is no packet here.
    let mut world = World::captured();
    let mut client = Client::connected_3(&mut world);
    client.say(&mut world, &format!("99999991:4{}", "2".repeat(100_000)));
    assert!(matches!(&client.frames(&mut world)[..], [Frame::Close(1008, _)]));
    client.finish(&mut world);
    assert_eq!(world.error(client.conn), Some(Error::EngineIo(SessionError::Packet)));
}

/// The reserved bits at every moment of a connection's life, whole and cut anywhere.
#[test]
fn e03_reserved_bits_at_any_time() {
    let prefixes: [Vec<u8>; 5] = [
        opening(MAIN, ""),
        opening(MAIN_3, ""),
        [opening(MAIN, ""), message("40")].concat(),
        [opening(MAIN, ""), message("40"), message(r#"42["msg"]"#)].concat(),
        [opening(MAIN, ""), message("1")].concat(),
    ];
    for prefix in prefixes {
        for app in [App::Manual, App::Captured] {
            // Without an acceptance the event is what ends it.
            if app == App::Manual && prefix.ends_with(&message(r#"42["msg"]"#)) {
                continue;
            }
            let stream = [&prefix[..], b"\xF1\x80\0\0\0\0", &message("40")].concat();
            for cut in prefix.len() - 3..=stream.len() {
                let mut world = World::new(open_config(), app);
                let conn = world.stream();
                world.feed(conn, &stream[..cut]);
                world.feed(conn, &stream[cut..]);
                world.abort(conn);
                let told = world.news();
                let ends: Vec<_> = told
                    .iter()
                    .filter_map(|told| if let Told::Closed { error, .. } = told { Some(*error) } else { None })
                    .collect();
                assert_eq!(ends.len(), 1, "{told:?}");
                assert_eq!(ends[0], Some(Error::WebSocket(ws::Error::ReservedBits)), "{told:?}");
                assert!(world.is_over(conn));
            }
        }
    }
}

/// A heartbeat from the wrong side ends the session, and no flood of the right one is amplified.
#[test]
fn e15_floods_of_heartbeats() {
    for (target, packet) in [(MAIN, "2"), (MAIN, "2probe"), (MAIN_3, "3"), (MAIN_3, "3probe")] {
        let mut world = World::captured();
        let mut client = Client::open(&mut world, target);
        client.frames(&mut world);
        client.raw(&mut world, &message(packet).repeat(1000));
        let frames = client.frames(&mut world);
        assert!(matches!(&frames[..], [Frame::Close(1008, _)]), "{packet}: {frames:?}");
    }
    for (target, packet) in [(MAIN, "3"), (MAIN, "5"), (MAIN, "6"), (MAIN_3, "2"), (MAIN_3, "2probe")] {
        let mut world = World::captured();
        let mut client = Client::open(&mut world, target);
        client.frames(&mut world);
        let flood = message(packet).repeat(10_000);
        let ((), usage) = crate::memory::measure(|| client.raw(&mut world, &flood));
        let answer = world.take(client.conn);
        assert!(answer.len() <= flood.len(), "{packet}: {} for {}", answer.len(), flood.len());
        assert!(usage.peak < 3 * flood.len() as isize, "{packet}: {usage:?}");
        let heartbeats = answer.len() / 3;
        assert_eq!(heartbeats, if packet.starts_with('2') { 10_000 } else { 0 }, "{packet}");
    }
}

/// A flooder that does not read is not read from, and holds no more than is pending.
#[test]
fn e15_heartbeats_that_nobody_reads() {
    let mut world = World::captured();
    let mut client = Client::connected_3(&mut world);
    world.stalled.push(client.conn);
    let flood = message("2").repeat(1000);
    let mut rounds = 0;
    while world.hub.wants_read(client.conn) {
        client.raw(&mut world, &flood);
        rounds += 1;
        assert!(rounds < 1000, "reading goes on");
    }
    assert!(world.hub.outgoing_len(client.conn) < 65_536 + flood.len());
    let mut other = Client::connected(&mut world);
    assert_eq!(other.ask(&mut world, r#"420["echo"]"#).last(), Some(&text("430[]")));
}
