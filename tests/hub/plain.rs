//! WebSockets without Socket.IO, in the same rooms as everybody else.

use roomwire::Stream;
use roomwire::hub::{Config, ConnId, EmitError, Origins, Plain, SocketId, Target};
use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::{Message, Opcode};

use crate::fuzz_hub::Told;
use crate::support::ws::{masked, opening, opening_with};
use crate::world::{World, config, millis};

fn plain() -> Config {
    Config { plain: vec![Plain::new("/raw", "/chat")], ..config() }
}

fn connecting(world: &mut World) -> (ConnId, SocketId) {
    let conn = world.open("/raw?room=red");
    match &world.told()[..] {
        [.., Told::Connecting(socket, namespace, auth)] => {
            assert_eq!((namespace.as_str(), auth.as_str()), ("/chat", "?room=red"));
            (conn, *socket)
        }
        other => panic!("{other:?}"),
    }
}

fn connected(world: &mut World) -> (ConnId, SocketId) {
    let (conn, socket) = connecting(world);
    world.hub.accept(world.now, socket).unwrap();
    assert_eq!(world.told(), [Told::Connected(socket, false)]);
    assert!(world.hears(conn).is_empty(), "it knows nothing of namespaces");
    (conn, socket)
}

#[test]
fn messages_in_events_out() {
    let mut world = World::new(plain());
    let (conn, socket) = connected(&mut world);
    let told = world.says(conn, "42[\"x\"]");
    assert_eq!(told, [Told::Message(conn, Some(socket), Message::Text("42[\"x\"]".into()))], "whatever it looks like");
    world.bytes(conn, &masked(Opcode::Binary, &[1, 2]));
    assert_eq!(world.told(), [Told::Message(conn, Some(socket), Message::Binary(vec![1, 2].into()))]);
    let (browser, _) = world.client();
    let chat = world.ask(browser, "/chat");
    world.hub.accept(world.now, chat).unwrap();
    world.hears(browser);
    for member in [socket, chat] {
        world.hub.join(world.now, member, "red").unwrap();
    }
    world.hub.emit(world.now, Target::room("red").of("/chat"), "news", ("a", 1)).unwrap();
    assert_eq!(world.hears(conn), [r#"["news","a",1]"#]);
    assert_eq!(world.hears(browser), [r#"42/chat,["news","a",1]"#]);
    world.hub.send_message(world.now, Target::room("red").of("/chat"), "raw").unwrap();
    assert_eq!(world.hears(conn), ["raw"]);
    assert_eq!(world.hears(browser), [r#"42/chat,["message","raw"]"#]);
    world.hub.emit(world.now, socket, "file", attach((Placeholder(0),), [&b"x"[..]])).unwrap();
    assert_eq!(world.hears(conn), [r#"["file",{"_placeholder":true,"num":0}]"#, "frame 82"]);
    assert_eq!((world.hub.protocol(socket), world.hub.transport(socket)), (None, None));
}

#[test]
fn it_cannot_acknowledge() {
    let mut world = World::new(plain());
    let (conn, socket) = connected(&mut world);
    let asked = world.hub.emit_with_ack(world.now, socket, "ask", (), millis(9));
    assert!(matches!(asked, Err(EmitError::NoAcks)));
    let (ack, receipt) = world.hub.emit_with_acks(world.now, Target::all(), "ask", (), millis(9)).unwrap();
    assert_eq!((receipt.dropped, world.told()), (1, vec![Told::Acks(ack, 0, vec![socket])]));
    assert!(world.hears(conn).is_empty());
}

#[test]
fn refused_disconnected_and_closed() {
    let mut world = World::new(plain());
    let (conn, socket) = connecting(&mut world);
    world.hub.refuse(world.now, socket, &roomwire::hub::Refusal::new("no")).unwrap();
    assert_eq!(world.hears(conn), ["close 1008"]);
    let (conn, socket) = connected(&mut world);
    world.hub.disconnect(world.now, socket).unwrap();
    assert_eq!(world.hears(conn), ["close 1008"]);
    let (conn, socket) = connected(&mut world);
    world.gone(conn);
    assert!(world.told().iter().any(|told| matches!(told, Told::Disconnected(lost, _, Some(_)) if *lost == socket)));
    assert_eq!(world.hub.counts().sessions, 0);
}

/// Who comes back on a new stream ends the old one as any other client does: that is no refusal.
#[test]
fn the_old_stream_of_who_is_resumed_is_told_so() {
    let mut config = plain();
    config.plain.push(Plain::engine_io("/engine.io/", "/chat"));
    let mut world = World::new(config);
    let (old, socket) = connected(&mut world);
    let token = world.hub.token(socket).unwrap();
    let new = world.open("/engine.io/?EIO=4&transport=websocket");
    let [.., Told::Connecting(connecting, ..)] = world.told()[..] else { panic!() };
    assert_eq!(world.hub.resume(world.now, connecting, &token), Ok(socket));
    assert_eq!(world.hears(old), ["close 1001"]);
    let told = world.told();
    assert!(
        matches!(told[..], [Told::Disconnected(lost, ..), Told::Connected(back, true)] if lost == back),
        "{told:?}"
    );
    assert_eq!(world.hub.connection(socket), Some(new));
}

/// A page sends as soon as its WebSocket is open, and knows nothing of the application's looking up who it is.
#[test]
fn what_comes_before_it_is_accepted_waits() {
    let mut world = World::new(plain());
    let (conn, socket) = connecting(&mut world);
    assert!(world.hub.wants_read(conn));
    assert_eq!(world.says(conn, "first"), []);
    assert!(!world.hub.wants_read(conn), "nothing further is read");
    assert_eq!(world.says(conn, "second"), [], "of what was read already nothing is lost");
    while world.hub.poll_transmit().is_some() {}
    world.hub.accept(world.now, socket).unwrap();
    let message = |text: &'static str| Told::Message(conn, Some(socket), Message::Text(text.into()));
    assert_eq!(world.told(), [Told::Connected(socket, false), message("first"), message("second")]);
    assert!(world.hub.wants_read(conn));
    assert_eq!(world.hub.poll_transmit(), Some(conn), "the driver hears that it may read");
    assert_eq!(world.says(conn, "third"), [message("third")]);

    // Within bounds.
    let mut world = World::new(plain());
    let (conn, socket) = connecting(&mut world);
    let half = "x".repeat(499_900);
    assert_eq!(world.says(conn, &half), []);
    assert_eq!(world.says(conn, &half), []);
    let told = world.says(conn, &half);
    assert!(matches!(told[..], [Told::Disconnected(lost, _, None)] if lost == socket), "{told:?}");
    assert_eq!(world.hears(conn), ["close 1008"]);
}

#[test]
fn only_upgrades_of_that_path_and_of_pages_that_may() {
    let mut world = World::new(Config { origins: Origins::SameHost, ..plain() });
    for request in ["GET /raw HTTP/1.1\r\nHost: a\r\n\r\n", "GET /raw/ HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let conn = world.hub.connect(world.now).unwrap();
        world.bytes(conn, request.as_bytes());
        assert!(matches!(&world.told()[..], [Told::Request(..)]), "the application's");
    }
    let conn = world.hub.connect(world.now).unwrap();
    world.bytes(conn, &opening_with("/raw", "Origin: http://evil.example\r\n"));
    assert_eq!(world.told(), [Told::Refused(conn, 4)]);
    assert!(world.read(conn, 100).starts_with(b"HTTP/1.1 403 "));
    let conn = world.hub.connect(world.now).unwrap();
    world.bytes(conn, &opening("/other"));
    assert!(matches!(&world.told()[..], [Told::Request(..)]));
}

/// A subprotocol is chosen only if it is spoken there: what else a client offers may be a secret, or a promise.
#[test]
fn subprotocols() {
    let subprotocols = vec!["chat.v1".to_owned(), "chat.v2".into()];
    let spoken = vec![Plain { subprotocols, ..Plain::new("/raw", "/chat") }];
    for (plain, offered, chosen) in [
        (&spoken, Some("bearer.secret-token, chat.v2"), Some("chat.v2")),
        (&spoken, Some("chat.v2, chat.v1"), Some("chat.v2")),
        (&spoken, Some("Chat.v1, chat.v3"), None),
        (&spoken, None, None),
        (&plain().plain, Some("bearer.secret-token, chat.v2"), None),
    ] {
        let mut world = World::new(Config { plain: plain.clone(), ..config() });
        let conn = world.hub.connect(world.now).unwrap();
        let lines = offered.map_or(String::new(), |offered| format!("Sec-WebSocket-Protocol: {offered}\r\n"));
        world.bytes(conn, &opening_with("/raw", &lines));
        let head = String::from_utf8(world.read(conn, usize::MAX)).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let answered = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(answered, chosen, "{offered:?}");
    }
}

/// It has a heartbeat of its own, that of WebSocket.
#[test]
fn silence_is_noticed() {
    let mut world = World::new(plain());
    let (conn, _) = connected(&mut world);
    world.pass(millis(25_000));
    assert_eq!(world.hears(conn), ["frame 89"]);
    world.pass(millis(20_000));
    assert!(world.told().iter().any(|told| matches!(told, Told::Closed(closed, Some(_)) if *closed == conn)));
    assert_ne!(world.hub.stream(conn), Stream::Open);
}

/// An event for many is compressed once, for those who agreed on it, unless the target says otherwise.
#[cfg(feature = "deflate")]
#[test]
fn events_are_compressed_once() {
    let deflate = Some(roomwire::ws::DeflateConfig::default());
    let mut world = World::new(Config { deflate, ..plain() });
    let compressed: Vec<_> = (0..2)
        .map(|_| {
            let conn = world.hub.connect(world.now).unwrap();
            let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
            world.bytes(conn, &opening_with("/raw?room=red", offer));
            let head = String::from_utf8(world.read(conn, usize::MAX)).unwrap();
            assert!(head.contains("permessage-deflate; server_no_context_takeover"), "{head}");
            let [.., Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
            world.hub.accept(world.now, socket).unwrap();
            conn
        })
        .collect();
    let (bare, _) = connected(&mut world);
    let text = "news ".repeat(50);
    let first_bytes = |world: &mut World, conn| world.read(conn, usize::MAX)[0];
    for (target, first) in [(Target::all(), 0xC1), (Target::all().uncompressed(), 0x81)] {
        world.hub.emit(world.now, target, "e", (text.as_str(),)).unwrap();
        assert_eq!(compressed.iter().map(|conn| first_bytes(&mut world, *conn)).collect::<Vec<_>>(), [first; 2]);
        assert_eq!(first_bytes(&mut world, bare), 0x81);
    }
    world.hub.emit(world.now, Target::all(), "e", ("short",)).unwrap();
    assert_eq!(first_bytes(&mut world, compressed[0]), 0x81, "below the threshold");
}
