//! Engine.IO whose messages are the application's own, beside Socket.IO: the same sessions with nothing in them.

use roomwire::engineio::RequestError;
use roomwire::hub::{Config, ConnId, DisconnectReason, EmitError, Error, Plain, Refusal, SocketId, Target};
use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::{Message, Opcode};

use crate::app::App;
use crate::client::{Client, Frame, frame, get, opening, text};
use crate::poller::{Answer, Poller};
use crate::world::{Told, World, ms, open_config, secs};

const PATH: &str = "/engine.io/";

fn config() -> Config {
    Config { plain: vec![Plain::engine_io(PATH, "/bare")], ..open_config() }
}

fn world(app: App) -> World {
    World::new(config(), app)
}

fn target(revision: u8) -> String {
    format!("{PATH}?EIO={revision}&transport=websocket")
}

/// A session on long polling that was accepted.
fn polling(world: &mut World, revision: u8) -> (Poller, SocketId) {
    let (poller, answer) = Poller::open_at(world, PATH, revision, "");
    assert_eq!(answer.packets().len(), 1, "nothing but what Engine.IO says");
    world.news();
    (poller, world.last_socket())
}

/// A session on WebSocket that was accepted.
fn streaming(world: &mut World, revision: u8) -> (Client, SocketId) {
    let mut client = Client::open(world, &target(revision));
    assert_eq!(client.frames(world).len(), 1, "nothing but what Engine.IO says");
    world.news();
    (client, world.last_socket())
}

fn binary(bytes: &[u8]) -> Frame {
    Frame::Binary(bytes.to_vec())
}

/// Binary data as the message of a WebSocket.
fn on_websocket(revision: u8, bytes: &[u8]) -> Vec<u8> {
    if revision == 3 { [&[4], bytes].concat() } else { bytes.to_vec() }
}

/// The messages that were told, all of one socket.
fn messages(world: &mut World, of: SocketId) -> Vec<Message<'static>> {
    let told = world.news().into_iter();
    told.map(|told| match told {
        Told::Message { socket: Some(socket), message, .. } if socket == of => message,
        other => panic!("{other:?}"),
    })
    .collect()
}

fn send(world: &mut World, socket: SocketId, message: Message<'_>) {
    world.hub.send_message(world.now, socket, message).unwrap();
    world.settle();
}

#[test]
fn a_session_is_a_socket_of_the_namespace() {
    for revision in [3, 4] {
        let mut world = world(App::Manual);
        let (poller, answer) = Poller::open_at(&mut world, PATH, revision, "&room=red");
        assert_eq!(answer.packets().len(), 1);
        let [Told::Connecting { socket, namespace, auth, query }] = &world.news()[..] else { panic!() };
        assert_eq!((namespace.as_str(), auth.as_str()), ("/bare", ""));
        assert!(world.hub.handshake(*socket).is_some());
        assert_eq!(*query, format!("EIO={revision}&transport=polling&room=red"));
        world.hub.accept(world.now, *socket).unwrap();
        world.settle();
        assert_eq!(world.news(), [Told::Connected { socket: *socket, resumed: false }]);
        assert_eq!((world.hub.protocol(*socket), world.hub.namespace(*socket)), (None, Some("/bare")));
        assert!(world.hub.handshake(*socket).is_none(), "there is no namespace left to ask for");
        assert_eq!(poller.sid.len(), 20);
    }
}

#[test]
fn messages_both_ways_on_long_polling() {
    for revision in [3, 4] {
        let mut world = world(App::Accepting);
        let (mut poller, socket) = polling(&mut world, revision);
        // What looks like Socket.IO is none.
        poller.send(&mut world, &[text("440"), text("4"), binary(&[1, 2]), text("42[\"é\"]"), binary(&[])]);
        let all = ["40", "", "2[\"é\"]"].map(|text| Message::Text(text.into()));
        let [first, second, third] = all;
        let binaries = [vec![1, 2], vec![]].map(|bytes| Message::Binary(bytes.into()));
        let [some, none] = binaries;
        assert_eq!(messages(&mut world, socket), [first, second, some, third, none]);
        for message in [Message::Text("€".into()), Message::Binary(vec![9, 8].into()), Message::Text("".into())] {
            send(&mut world, socket, message);
        }
        assert_eq!(poller.poll(&mut world).packets(), [text("4€"), binary(&[9, 8]), text("4")]);
        poller.park(&mut world);
        send(&mut world, socket, "late".into());
        assert_eq!(poller.heard(&mut world).unwrap().texts(), ["4late"]);
    }
}

#[test]
fn messages_both_ways_on_websocket() {
    for revision in [3, 4] {
        let mut world = world(App::Accepting);
        let (mut client, socket) = streaming(&mut world, revision);
        for message in [Message::Text("440".into()), Message::Binary(on_websocket(revision, &[1, 2]).into())] {
            client.send(&mut world, message);
        }
        let told = world.news();
        let expected = [Message::Text("40".into()), Message::Binary(vec![1, 2].into())];
        let expected = expected.map(|message| Told::Message { conn: client.conn, socket: Some(socket), message });
        assert_eq!(told, expected);
        send(&mut world, socket, "a".into());
        send(&mut world, socket, Message::Binary(vec![7].into()));
        assert_eq!(client.frames(&mut world), [text("4a"), Frame::Binary(on_websocket(revision, &[7]))]);
        world.hub.send_to_connection(world.now, client.conn, "b");
        world.settle();
        assert_eq!(client.texts(&mut world), ["4b"]);
    }
}

/// Room and event are everybody's: each gets them in its own form.
#[test]
fn beside_socket_io_in_one_room() {
    for revision in [3, 4] {
        let mut world = world(App::Accepting);
        let (mut poller, bare) = polling(&mut world, revision);
        let (mut stream, second) = streaming(&mut world, revision);
        let mut browser = Client::connected(&mut world);
        browser.say(&mut world, "40/bare");
        let third = world.last_socket();
        browser.frames(&mut world);
        for socket in [bare, second, third] {
            world.hub.join(world.now, socket, "red").unwrap();
        }
        let room = || Target::room("red").of("/bare");
        world.hub.emit(world.now, room(), "news", ("a", 1)).unwrap();
        world.hub.send_message(world.now, room(), "raw").unwrap();
        world.hub.emit(world.now, room(), "file", attach((Placeholder(0),), [&b"x"[..]])).unwrap();
        world.settle();
        let file = r#"4["file",{"_placeholder":true,"num":0}]"#;
        let own = [r#"4["news","a",1]"#, "4raw", file].map(text);
        assert_eq!(poller.poll(&mut world).packets(), [&own[..], &[binary(b"x")]].concat());
        assert_eq!(stream.frames(&mut world), [&own[..], &[binary(&on_websocket(revision, b"x"))]].concat());
        let theirs = browser.frames(&mut world);
        assert_eq!(theirs[..2], [text(r#"42/bare,["news","a",1]"#), text(r#"42/bare,["message","raw"]"#)]);
        let (ack, receipt) = world.hub.emit_with_acks(world.now, bare, "ask", (), ms(9)).unwrap();
        assert_eq!(receipt.dropped, 1, "{ack:?}");
        let asked = world.hub.emit_with_ack(world.now, second, "ask", (), ms(9));
        assert!(matches!(asked, Err(EmitError::NoAcks)));
    }
}

#[test]
fn the_transport_changes_under_them() {
    for revision in [3, 4] {
        let mut world = world(App::Accepting);
        let (mut poller, socket) = polling(&mut world, revision);
        poller.say(&mut world, &["4one"]);
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
        poller.say(&mut world, &["4two"]);
        send(&mut world, socket, "a".into());
        send(&mut world, socket, Message::Binary(vec![1].into()));
        assert_eq!(client.frames(&mut world), []);
        assert_eq!(client.ask(&mut world, "5"), [text("4a"), Frame::Binary(on_websocket(revision, &[1]))]);
        client.say(&mut world, "4three");
        assert_eq!(messages(&mut world, socket), ["one", "two", "three"].map(|text| Message::Text(text.into())));
        assert_eq!(world.hub.connection(socket), Some(client.conn));
    }
}

#[test]
fn the_heartbeat_is_engine_io_s_own() {
    let mut world = world(App::Accepting);
    let (mut client, socket) = streaming(&mut world, 4);
    let (mut poller, polled) = polling(&mut world, 4);
    for _ in 0..3 {
        world.pass(secs(25));
        assert_eq!(client.texts(&mut world), ["2"]);
        assert_eq!(poller.poll(&mut world).texts(), ["2"]);
        client.say(&mut world, "3");
        poller.say(&mut world, &["3"]);
    }
    assert_eq!(world.news(), []);
    world.pass(secs(45));
    let told = world.news();
    for lost in [socket, polled] {
        let is_lost = |told: &Told| {
            let timed_out = DisconnectReason::PingTimeout;
            matches!(told, Told::Disconnected { socket, reason, .. } if *socket == lost && *reason == timed_out)
        };
        assert!(told.iter().any(is_lost), "{told:?}");
    }
    let (mut old, _) = streaming(&mut world, 3);
    assert_eq!(old.ask(&mut world, "2"), [text("3")], "in revision 3 it is the client that pings");
}

/// A client may speak as soon as its session is open.
#[test]
fn what_comes_before_it_is_accepted_waits() {
    for revision in [3, 4] {
        let mut world = world(App::Manual);
        let (mut poller, _) = polling(&mut world, revision);
        let socket = world.last_socket();
        poller.say(&mut world, &["4one", "4two"]);
        poller.send(&mut world, &[binary(&[3])]);
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        client.say(&mut world, "2probe");
        client.say(&mut world, "5");
        assert!(world.hub.wants_read(client.conn));
        client.say(&mut world, "4four");
        assert!(!world.hub.wants_read(client.conn), "nothing further is read");
        assert_eq!(world.news(), []);
        world.hub.accept(world.now, socket).unwrap();
        assert_eq!(
            world.hub.poll_event().map(|event| Told::from(&event)),
            Some(Told::Connected { socket, resumed: false })
        );
        assert_eq!(world.hub.poll_transmit(), Some(client.conn), "the driver hears that it may read");
        world.settle();
        let expected = ["one", "two"].map(|text| Message::Text(text.into()));
        let later = [Message::Binary(vec![3].into()), Message::Text("four".into())];
        assert_eq!(messages(&mut world, socket), [expected, later].concat());
        assert!(world.hub.wants_read(client.conn));
        client.say(&mut world, "4five");
        assert_eq!(messages(&mut world, socket), [Message::Text("five".into())]);
    }
}

#[test]
fn what_waits_is_bounded() {
    let mut world = world(App::Manual);
    let (mut poller, socket) = polling(&mut world, 4);
    let long = format!("4{}", "x".repeat(400_000));
    poller.say(&mut world, &[&long]);
    poller.say(&mut world, &[&long]);
    assert_eq!(world.news(), []);
    poller.say(&mut world, &[&long]);
    let reason = DisconnectReason::ProtocolError;
    let told = world.news();
    assert!(told.contains(&Told::Disconnected { socket, reason, away_until: None }), "{told:?}");
    assert!(poller.is_over(&mut world));
}

#[test]
fn refused_disconnected_and_closed() {
    for revision in [3, 4] {
        let mut world = world(App::Manual);
        let (mut poller, socket) = polling(&mut world, revision);
        world.hub.refuse(world.now, socket, &Refusal::new("no")).unwrap();
        world.settle();
        assert!(poller.is_over(&mut world));
        let (mut client, socket) = streaming(&mut world, revision);
        world.hub.refuse(world.now, socket, &Refusal::new("no")).unwrap();
        world.settle();
        assert_eq!(client.frames(&mut world), [Frame::Close(1008, String::new())]);

        let (mut poller, socket) = polling(&mut world, revision);
        world.hub.accept(world.now, socket).unwrap();
        send(&mut world, socket, "last".into());
        world.hub.disconnect(world.now, socket).unwrap();
        world.settle();
        assert_eq!(poller.poll(&mut world).texts()[0], "4last");
        assert!(poller.is_over(&mut world));

        let (mut poller, socket) = polling(&mut world, revision);
        world.hub.accept(world.now, socket).unwrap();
        world.settle();
        world.news();
        poller.say(&mut world, &["1"]);
        let reason = DisconnectReason::Client;
        assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
        assert!(poller.is_gone(&mut world));
        assert_eq!(world.hub.counts().sockets, 0);
    }
}

/// Who is lost comes back into its session by a token, which the application hands out.
#[test]
fn lost_and_resumed() {
    let mut world = world(App::Manual);
    let (client, socket) = streaming(&mut world, 4);
    world.hub.accept(world.now, socket).unwrap();
    world.hub.join(world.now, socket, "red").unwrap();
    let token = world.hub.token(socket).unwrap();
    world.abort(client.conn);
    let (mut poller, new) = polling(&mut world, 4);
    assert_eq!(world.hub.resume(world.now, new, &token), Ok(socket));
    world.hub.send_message(world.now, Target::room("red").of("/bare"), "again").unwrap();
    world.settle();
    assert_eq!(poller.poll(&mut world).texts(), ["4again"]);
    world.news();
    poller.say(&mut world, &["4here"]);
    assert_eq!(messages(&mut world, socket), [Message::Text("here".into())]);
}

#[test]
fn packets_that_are_none_end_the_session() {
    for revision in [3, 4] {
        let mut world = world(App::Accepting);
        let (mut poller, socket) = polling(&mut world, revision);
        let body = if revision == 3 { "3:abc" } else { "abc" };
        let answer = poller.post(&mut world, "text/plain;charset=UTF-8", body.as_bytes());
        assert_eq!(answer.text(), "ok", "as on Socket.IO's own path");
        assert!(poller.is_gone(&mut world));
        let reason = DisconnectReason::ProtocolError;
        assert!(world.news().contains(&Told::Disconnected { socket, reason, away_until: None }));
        let (mut client, _) = streaming(&mut world, revision);
        client.say(&mut world, "abc");
        assert!(matches!(client.frames(&mut world)[..], [Frame::Close(1008, _)]));
        client.finish(&mut world);
        assert!(matches!(world.error(client.conn), Some(Error::EngineIo(_))));
    }
    let mut world = world(App::Accepting);
    let (mut client, _) = streaming(&mut world, 3);
    client.raw(&mut world, &frame(true, Opcode::Binary, &[9, 1]));
    assert!(
        matches!(client.frames(&mut world)[..], [Frame::Close(1008, _)]),
        "binary data begin with their type there"
    );
}

fn refused(world: &mut World, bytes: &[u8]) -> (ConnId, Option<RequestError>) {
    let conn = world.stream();
    world.news();
    world.feed(conn, bytes);
    let error = world.news().into_iter().find_map(|told| match told {
        Told::Refused { error, .. } => Some(error),
        _ => None,
    });
    (conn, error)
}

/// Each path has its own sessions.
#[test]
fn a_session_is_unknown_at_another_path() {
    let mut config = config();
    config.plain.push(Plain::engine_io("/second/", "/bare"));
    let mut world = World::new(config, App::Accepting);
    let paths = ["/socket.io/", PATH, "/second/"];
    for own in paths {
        for path in paths {
            let (mut poller, _) = Poller::open_at(&mut world, own, 4, "");
            poller.path = path.into();
            let sent =
                [poller.get_bytes(), poller.post_bytes("text/plain", b"4a"), opening(&poller.target("websocket"), "")];
            for bytes in if path == own { &sent[2..] } else { &sent[..] } {
                let expected = (path != own).then_some(RequestError::UnknownSession);
                assert_eq!(refused(&mut world, bytes).1, expected, "{own} {path}");
            }
        }
    }
}

#[test]
fn which_path_it_is() {
    let mut world = world(App::Accepting);
    for (path, is_served) in
        [("/engine.io", true), (PATH, true), ("/engine.iox/", false), ("/", false), ("/engine.io/a", false)]
    {
        let conn = world.stream();
        world.news();
        world.feed(conn, &get(&format!("{path}?EIO=4&transport=polling")));
        let told = world.news();
        assert_eq!(matches!(told[..], [Told::Connecting { .. }, Told::Connected { .. }]), is_served, "{path} {told:?}");
        assert_eq!(matches!(told[..], [Told::Request { .. }]), !is_served, "{path} {told:?}");
    }
    // What is wrong with a request is told by Engine.IO, on WebSockets too.
    for (query, error) in [
        ("", RequestError::UnknownTransport),
        ("?EIO=4&transport=abc", RequestError::UnknownTransport),
        ("?EIO=5&transport=polling", RequestError::UnsupportedVersion),
        ("?EIO=4&transport=websocket", RequestError::BadRequest),
        ("?EIO=4&transport=polling&sid=x", RequestError::UnknownSession),
    ] {
        let (conn, told) = refused(&mut world, &get(&format!("{PATH}{query}")));
        assert_eq!(told, Some(error), "{query}");
        assert_eq!(
            Answer::all(&world.take(conn))[0].text(),
            format!(r#"{{"code":{},"message":"{error}"}}"#, error.code())
        );
    }
    let (_, told) = refused(&mut world, &opening(&format!("{PATH}?EIO=4"), ""));
    assert_eq!(told, Some(RequestError::UnknownTransport));
}

#[test]
fn subprotocols() {
    let spoken = Plain { subprotocols: vec!["a".into(), "b".into()], ..Plain::engine_io(PATH, "/bare") };
    for (plain, chosen) in [(Plain::engine_io(PATH, "/bare"), "x"), (spoken, "b")] {
        let mut world = World::new(Config { plain: vec![plain], ..open_config() }, App::Accepting);
        let conn = world.stream();
        world.feed(conn, &opening(&target(4), "Sec-WebSocket-Protocol: x, b, a\r\n"));
        let head = String::from_utf8_lossy(&world.take(conn)).into_owned();
        assert!(head.contains(&format!("\r\nsec-websocket-protocol: {chosen}\r\n")), "{head}");
    }
}

/// The parser is Socket.IO's.
#[cfg(feature = "msgpack")]
#[test]
fn messages_are_no_packets_of_messagepack() {
    let config = Config { parser: roomwire::hub::Parser::MessagePack, ..config() };
    let mut world = World::new(config, App::Accepting);
    for revision in [3, 4] {
        let (mut poller, socket) = polling(&mut world, revision);
        poller.send(&mut world, &[text("4a"), binary(&[0x80])]);
        assert_eq!(messages(&mut world, socket), [Message::Text("a".into()), Message::Binary(vec![0x80].into())]);
        world.hub.emit(world.now, socket, "e", (1,)).unwrap();
        send(&mut world, socket, "b".into());
        assert_eq!(poller.poll(&mut world).texts(), [r#"4["e",1]"#, "4b"]);
    }
}
