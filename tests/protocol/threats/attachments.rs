//! Hostile attachments: places that name nothing, packets that are never whole.

use roomwire::socketio;
use roomwire::ws::Opcode;

use super::packets::fatal;
use crate::client::{Client, frame, message};
use crate::memory::measure;
use crate::polling::{accepting, connected};
use crate::world::{Told, World, secs};

/// A place is a whole number below that of the attachments; it may be named as often as one likes.
#[test]
fn s01_places_that_name_nothing() {
    for num in [
        "\"splice\"",
        "\"0\"",
        "-1",
        "1.5",
        "1",
        "10",
        "null",
        "true",
        "[]",
        "[0]",
        "{}",
        "1e0",
        "18446744073709551616",
    ] {
        for form in [
            "{\"_placeholder\":true,\"num\":@}",
            "{\"num\":@,\"_placeholder\":true}",
            "[[{\"x\":{\"_placeholder\":true,\"num\":@}}]]",
        ] {
            let place = form.replace('@', num);
            fatal(&format!(r#"451-["e",{place}]"#), socketio::Error::Placeholder);
            fatal(&format!(r#"451-9["e",{place}]"#), socketio::Error::Placeholder);
            fatal(&format!(r#"461-9[{place}]"#), socketio::Error::Placeholder);
        }
    }
    fatal(r#"451-["e",{"_placeholder":true}]"#, socketio::Error::Placeholder);
    fatal(r#"451-["e",{"_placeholder":true,"num":0,"num":1}]"#, socketio::Error::Placeholder);
    fatal(r#"451-["e",{"\u005fplaceholder":true,"num":7}]"#, socketio::Error::Placeholder);
    let fine = r#"{"_placeholder":true,"num":0},[{"num":0,"_placeholder":true},{"_placeholder":false,"num":9}]"#;
    let mut world = accepting();
    let mut client = Client::connected(&mut world);
    world.news();
    client.raw(&mut world, &message(&format!(r#"451-["e",{fine}]"#)));
    client.raw(&mut world, &frame(true, Opcode::Binary, b"x"));
    assert!(matches!(&world.news()[..], [Told::Emit { args, .. }] if args == fine));
    // A packet that announces none may look as it likes: nothing is put in its places.
    client.raw(&mut world, &message(r#"42["e",{"_placeholder":true,"num":"splice"}]"#));
    assert!(matches!(&world.news()[..], [Told::Emit { attachments, .. }] if attachments.is_empty()));
}

/// What is held of a packet in parts is what came of it, and no byte is moved again and again.
#[test]
fn s04_accumulation() {
    let mut world = accepting();
    let mut client = Client::connected(&mut world);
    world.news();
    let data = frame(true, Opcode::Binary, &[7; 99_000]);
    let mut before = 0;
    for round in 0..10 {
        let ((), usage) = measure(|| {
            if round == 0 {
                client.raw(&mut world, &message(r#"4510-["e"]"#));
            }
            client.raw(&mut world, &data);
        });
        if round < 9 {
            // One copy for the test's cursor, one that is kept.
            assert!(usage.requested < 3 * 99_000 + 8192, "{round}: {usage:?}");
            assert!(usage.live < 99_000 + 4096, "{round}: {usage:?}");
            before += usage.live;
        }
    }
    assert!(before < 9 * 99_000 + 16_384);
    assert!(matches!(&world.news()[..], [Told::Emit { attachments, .. }] if attachments.len() == 10));
    // In fragments and in pieces too.
    let mut pieces = frame(false, Opcode::Binary, &[7; 100]);
    for _ in 0..900 {
        pieces.extend(frame(false, Opcode::Continuation, &[7; 100]));
    }
    pieces.extend(frame(true, Opcode::Continuation, &[7; 100]));
    client.raw(&mut world, &message(r#"451-["e"]"#));
    let ((), usage) = measure(|| pieces.chunks(50).for_each(|piece| client.raw(&mut world, piece)));
    assert!(usage.peak < 3 * 90_200 + 16_384, "{usage:?}");
    assert!(matches!(&world.news()[..], [Told::Emit { attachments, .. }] if attachments[0].len() == 90_200));
}

/// What a session holds of a packet that never was whole goes with it, however it goes.
#[test]
fn s07_disconnected_half_way() {
    for way in 0..6 {
        for polling in [false, true] {
            let mut world = accepting();
            let head = r#"4510-["e"]"#;
            let data = [7_u8; 90_000];
            // One that did it before, so that every table is there.
            for last in [false, true] {
                let half_way = |world: &mut World| {
                    let (conn, socket) = if polling {
                        let (mut poller, socket) = connected(world, 4);
                        poller.send(world, &[crate::client::text(head)]);
                        for _ in 0..9 {
                            poller.send(world, &[crate::client::Frame::Binary(data.to_vec())]);
                        }
                        (poller.park(world), socket)
                    } else {
                        let mut client = Client::connected(world);
                        let socket = world.last_socket();
                        let stream = [message(head), frame(true, Opcode::Binary, &data).repeat(9)].concat();
                        client.raw(world, &stream);
                        (client.conn, socket)
                    };
                    world.news();
                    (conn, socket)
                };
                let ((conn, socket), held) = measure(|| half_way(&mut world));
                assert!((800_000..1_000_000).contains(&held.live), "{held:?}");
                let ((), freed) = measure(|| {
                    match way {
                        0 => world.abort(conn),
                        1 => world.eof(conn),
                        2 => {
                            world.hub.close(world.now, socket).unwrap();
                            world.settle();
                        }
                        3 => world.pass(secs(30)),
                        4 if polling => world.abort(conn),
                        4 => world.feed(conn, &message("1")),
                        5 if polling => world.eof(conn),
                        _ => world.feed(conn, &message("41")),
                    }
                    world.abort(conn);
                    world.take(conn);
                    world.news();
                });
                assert!(!world.hub.is_live(socket), "{way}");
                if last {
                    let left = held.live + freed.live;
                    assert!(left < 40_000, "{way} {polling}: {left} bytes are left");
                }
            }
        }
    }
}

/// A session that is only remembered until its client hears of its end holds nothing else (s07).
#[test]
fn s07_a_farewell_keeps_nothing() {
    let mut world = accepting();
    let (mut poller, socket) = connected(&mut world, 4);
    let ((), held) = measure(|| {
        poller.send(&mut world, &[crate::client::text(r#"4510-["e"]"#)]);
        for _ in 0..9 {
            poller.send(&mut world, &[crate::client::Frame::Binary(vec![7; 90_000])]);
        }
    });
    assert!(held.live > 800_000, "{held:?}");
    let ((), freed) = measure(|| {
        world.hub.close(world.now, socket).unwrap();
        world.settle();
        world.news();
    });
    assert_eq!(world.hub.counts().sessions, 1, "it is remembered");
    assert!(held.live + freed.live < 40_000, "{held:?} {freed:?}");
    assert!(!poller.poll(&mut world).packets().is_empty());
}

/// Before a namespace is connected nothing is taken, and nothing kept (s07, s13).
#[test]
fn s07_before_a_namespace() {
    for packet in [r#"452-["e"]"#, r#"452-/other,["e"]"#, "462-1[]"] {
        let mut world = accepting();
        let mut client = Client::open(&mut world, crate::client::MAIN);
        client.frames(&mut world);
        client.raw(&mut world, &message(packet));
        let close = format!("Socket.IO: {}", socketio::Error::NotConnected);
        assert_eq!(client.frames(&mut world), [crate::client::Frame::Close(1008, close)]);
        let flood = frame(true, Opcode::Binary, &[7; 1000]).repeat(100);
        let ((), usage) = measure(|| client.raw(&mut world, &flood));
        assert!(usage.live < 4096 && world.news().iter().all(|told| !matches!(told, Told::Emit { .. })), "{usage:?}");
    }
    // While it waits to be accepted no less.
    let mut world = World::manual();
    let mut client = Client::open(&mut world, crate::client::MAIN);
    client.frames(&mut world);
    client.say(&mut world, "40");
    client.raw(&mut world, &message(r#"452-["e"]"#));
    assert!(matches!(&client.frames(&mut world)[..], [crate::client::Frame::Close(1008, _)]));
}
