//! Hostile clients of Socket.IO: namespaces that there are not, packets at the wrong time, odd payloads.

use roomwire::hub::{Config, Counts, Error, Namespaces};
use roomwire::{Stream, socketio};

use super::packets::{fatal, fate};
use crate::app::App;
use crate::client::{Client, Frame, MAIN, MAIN_3, message, text};
use crate::world::{Told, World, open_config, secs};

fn listed() -> World {
    World::new(Config { namespaces: Namespaces::Listed(vec!["/".into()]), ..open_config() }, App::Accepting)
}

/// One answer for each, and nothing else: no socket, no group, no memory, no word to the application.
#[test]
fn s12_unknown_namespaces_keep_no_state() {
    let mut world = listed();
    let mut client = Client::connected(&mut world);
    world.news();
    let before = world.hub.counts();
    // What the first one makes room for is not what each keeps.
    client.ask(&mut world, "40/first,");
    let ((), usage) = crate::memory::measure(|| {
        for n in 0..20_000 {
            let answer = client.ask(&mut world, &format!("40/z{n},"));
            assert_eq!(answer, [text(&format!(r#"44/z{n},{{"message":"Invalid namespace"}}"#))]);
        }
    });
    assert!(usage.live < 1024, "{usage:?}");
    assert_eq!((world.hub.counts(), world.news()), (before, vec![]));
}

/// The same before anything is connected, in both protocols.
#[test]
fn s12_unknown_namespaces_of_nobody() {
    for target in [MAIN, MAIN_3] {
        let mut world =
            World::new(Config { namespaces: Namespaces::Listed(vec!["/".into()]), ..open_config() }, App::Manual);
        let mut client = Client::open(&mut world, target);
        client.frames(&mut world);
        let before = world.hub.counts();
        world.news();
        for n in 0..1000 {
            assert_eq!(client.ask(&mut world, &format!("40/z{n}?a=b,")).len(), 1);
        }
        assert_eq!((world.hub.counts(), world.news()), (before, vec![]));
    }
}

/// Answers that nobody reads: reading stops, and a driver that reads on sees the client cut off at its limit.
#[test]
fn s12_refusals_that_nobody_reads() {
    let mut world = listed();
    let client = Client::connected(&mut world);
    world.stalled.push(client.conn);
    let flood: Vec<u8> = (0..1000).flat_map(|n| message(&format!("40/z{n},"))).collect();
    let mut paused = false;
    let ((), usage) = crate::memory::measure(|| {
        for _ in 0..100 {
            paused |= !world.hub.wants_read(client.conn);
            world.feed(client.conn, &flood);
        }
    });
    assert!(paused);
    assert_eq!(world.error(client.conn), Some(Error::SlowConsumer));
    assert!(usage.peak < 3 << 20, "{usage:?}");
    assert_eq!(world.hub.stream(client.conn), Stream::Closed);
}

/// Known namespaces are bounded too.
#[test]
fn s12_known_namespaces_have_a_cap() {
    let mut world = World::new(open_config(), App::Manual);
    let client = Client::open(&mut world, MAIN);
    let flood: Vec<u8> = (0..1000).flat_map(|n| message(&format!("40/a{n},"))).collect();
    world.feed(client.conn, &flood);
    let told = world.news();
    let connecting = told.iter().filter(|told| matches!(told, Told::Connecting { .. })).count();
    let ended = told.iter().filter(|told| matches!(told, Told::Disconnected { .. })).count();
    assert_eq!((connecting, ended), (16, 16));
    world.abort(client.conn);
    assert_eq!(world.hub.counts(), Counts::default());
}

#[test]
fn s13_packets_at_the_wrong_time() {
    // Before any CONNECT.
    for packet in [r#"42["x"]"#, r#"420["x"]"#, "430[]", r#"42/a,["x"]"#, r#"451-["x"]"#, "44{}", "461-0[]"] {
        let mut world = World::new(open_config(), App::Accepting);
        let mut client = Client::open(&mut world, MAIN);
        client.frames(&mut world);
        assert!(matches!(&client.ask(&mut world, packet)[..], [Frame::Close(1008, _)]), "{packet}");
        assert_eq!(world.news(), [], "{packet}");
    }
    // In a namespace that was never connected, or is left.
    fatal(r#"42/a,["x"]"#, socketio::Error::NotConnected);
    fatal("43/a,0[]", socketio::Error::NotConnected);
    let (told, frames, _) = fate(&["41".into(), r#"42["x"]"#.into()]);
    assert!(matches!(&told[..], [Told::Disconnected { .. }]), "{told:?}");
    assert_eq!(frames, [Frame::Close(1008, "Socket.IO: namespace is not connected".into())]);
    // What is a server's to say.
    fatal("44{}", socketio::Error::ServerPacket);
    fatal(r#"44{"message":"no"}"#, socketio::Error::ServerPacket);
    // What is no packet.
    for packet in ["4", "4x", "47", "4-", "4 2[\"x\"]", "4é"] {
        fatal(packet, socketio::Error::PacketType);
    }
}

/// Who only answers pings is sent away all the same.
#[test]
fn s13_never_connecting() {
    let mut world = listed();
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    let opened = world.now;
    while !world.closed(client.conn) {
        world.pass(secs(1));
        for seen in client.frames(&mut world) {
            match seen {
                Frame::Close(..) => client.finish(&mut world),
                _ => client.say(&mut world, "3"),
            }
        }
        assert!(world.now.saturating_since(opened) <= secs(45));
    }
    assert_eq!(world.now.saturating_since(opened), secs(45));
    assert_eq!(world.hub.counts(), Counts::default());
}

#[test]
fn s15_the_payload_is_an_object() {
    for payload in [r#""x""#, "[]", "null", "true", "{", "}", "{}x", "{}{}", "{a:1}", "{\"a\":}", " {}", "'{}'", "[{}]"]
    {
        fatal(&format!("40/a,{payload}"), socketio::Error::Payload);
        let mut world = World::new(open_config(), App::Accepting);
        let mut client = Client::open(&mut world, MAIN);
        client.frames(&mut world);
        assert!(matches!(&client.ask(&mut world, &format!("40{payload}"))[..], [Frame::Close(1008, _)]), "{payload}");
        assert_eq!(world.news(), [], "{payload}");
    }
}

/// A payload as long as a message may be passes once to the application, and nothing of it stays.
#[test]
fn s15_a_long_payload() {
    let mut world = World::new(open_config(), App::Accepting);
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    let payload = format!(r#"{{"a":"{}"}}"#, "x".repeat(999_000));
    let packet = format!("40{payload}");
    client.say(&mut world, &packet);
    let told = world.news();
    assert!(matches!(&told[0], Told::Connecting { auth, .. } if *auth == payload));
    drop(told);
    let bytes = message(&format!("40/b,{payload}"));
    let ((), usage) = crate::memory::measure(|| {
        world.feed(client.conn, &bytes);
        world.news();
    });
    assert!(usage.live < 16_384, "{usage:?}");
    let (told, frames, _) = fate(&[format!("40/c,{{\"a\":\"{}\"}}", "x".repeat(1_000_000))]);
    assert!(matches!(&told[..], [Told::Disconnected { .. }, Told::Closed { .. }]), "{told:?}");
    assert_eq!(frames, [Frame::Close(1009, "message too big".into())]);
}
