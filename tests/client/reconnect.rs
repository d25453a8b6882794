//! Sessions that are lost, and opened again.

use roomwire::client::{ConnectError, EmitError, Reconnection};

use crate::world::{OPEN, OPEN_3, POLLING, WEBSOCKET, World, config, config_4};

fn lose(world: &mut World) {
    let stream = world.socket();
    world.lose(stream);
}

#[test]
fn a_lost_session_is_opened_again() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    lose(&mut world);
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: Unreachable, try 1 in 1s"]);
    assert!(!world.client.is_connected(socket) && world.client.sid(socket).is_none());
    world.pass_time(std::time::Duration::from_millis(999));
    assert_eq!(world.streams(), 0);
    world.pass_time(std::time::Duration::from_millis(1));
    assert_eq!(world.said(), ["UPGRADE /socket.io/?EIO=4&transport=websocket"], "a new session");
    world.say(OPEN);
    world.say(r#"40{"sid":"two"}"#);
    assert_eq!(world.told(), ["opened", "connected 1"]);
    assert_eq!(world.client.sid(socket), Some("two"));
}

/// Twice as long each time, up to the longest; a session that opened begins anew.
#[test]
fn attempts_are_spaced() {
    let mut world = World::new(config(WEBSOCKET));
    world.opens = false;
    world.connect("/");
    for (nth, seconds) in [(1, 1), (2, 2), (3, 4), (4, 5), (5, 5)] {
        let stream = world.opening.pop_front().unwrap();
        world.client.open_failed(world.now, stream);
        world.turn();
        assert_eq!(world.told(), [format!("closed: Unreachable, try {nth} in {seconds}s")]);
        world.pass_seconds(seconds);
    }
    world.opens = true;
    let stream = world.opening.pop_front().unwrap();
    world.client.opened(world.now, stream);
    world.turn();
    world.say(OPEN);
    lose(&mut world);
    assert_eq!(world.told(), ["opened", "closed: Unreachable, try 1 in 1s"]);
}

#[test]
fn attempts_end() {
    let mut config = config(WEBSOCKET);
    config.reconnection.attempts_max = Some(2);
    let mut world = World::new(config);
    world.opens = false;
    let socket = world.connect("/");
    for expected in ["closed: Unreachable, try 1 in 1s", "closed: Unreachable, try 2 in 2s", "closed: Unreachable"] {
        let stream = world.opening.pop_front().unwrap();
        world.client.open_failed(world.now, stream);
        world.turn();
        assert_eq!(world.told(), [expected]);
        world.pass_seconds(5);
    }
    assert!(world.opening.is_empty() && world.client.is_finished() && world.client.poll_timeout().is_none());
    // Until the application asks for it.
    assert_eq!(world.connect("/"), socket);
    assert_eq!(world.opening.len(), 1);
}

#[test]
fn no_reconnection_at_all() {
    let mut config = config(WEBSOCKET);
    config.reconnection = Reconnection { attempts_max: Some(0), ..Reconnection::default() };
    let (mut world, _) = World::websocket(config);
    lose(&mut world);
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: Unreachable"]);
    assert!(world.client.is_finished());
}

/// By chance, but for the seed.
#[test]
fn the_delay_varies() {
    let mut config = config(WEBSOCKET);
    config.reconnection.randomization = 0.5;
    let (mut world, _) = World::websocket(config);
    lose(&mut world);
    let told = world.told();
    assert!(told[1].starts_with("closed: Unreachable, try 1 in ") && told[1] != "closed: Unreachable, try 1 in 1s");
}

#[test]
fn what_is_emitted_meanwhile_waits() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    lose(&mut world);
    world.emit(socket, "one", (1,));
    let ack = world.emit_with_ack(socket, "two", 60);
    assert!(!world.client.emit_volatile(world.now, socket, "never", ()).unwrap());
    world.emit(socket, "three", ());
    world.pass_seconds(1);
    world.say(OPEN);
    world.emit(socket, "four", ());
    assert_eq!(world.said()[1..], ["40"], "not before the namespace is connected");
    world.say(r#"40{"sid":"two"}"#);
    assert_eq!(world.said(), [r#"42["one",1]"#, r#"420["two"]"#, r#"42["three"]"#, r#"42["four"]"#]);
    world.say("430[7]");
    assert_eq!(world.told().last().unwrap(), &format!("ack {ack}: 7"));
}

#[test]
fn what_waits_is_bounded() {
    let mut config = config(WEBSOCKET);
    config.limits.offline_events_max = 3;
    config.limits.offline_bytes_max = 1000;
    let mut world = World::new(config);
    let socket = world.connect("/");
    for _ in 0..3 {
        world.emit(socket, "e", ());
    }
    assert!(matches!(world.client.emit(world.now, socket, "e", ()), Err(EmitError::Full)));
    world.say(OPEN);
    world.say(r#"40{"sid":"two"}"#);
    lose(&mut world);
    world.emit(socket, "e", ("x".repeat(900),));
    assert!(matches!(world.client.emit(world.now, socket, "e", ("x".repeat(100),)), Err(EmitError::Full)));
    assert!(matches!(
        world.client.emit_with_ack(world.now, socket, "e", ("x".repeat(100),), std::time::Duration::from_secs(1)),
        Err(EmitError::Full)
    ));
    // What was refused leaves nothing behind.
    world.pass_seconds(1);
    assert!(world.told().iter().all(|told| !told.starts_with("ack")));
}

/// A session that cannot be opened is tried again too.
#[test]
fn faults_while_opening() {
    for (status, body, error) in [
        ("400 Bad Request", &br#"{"code":5,"message":"Unsupported protocol version"}"#[..], "Status(400)"),
        ("200 OK", b"", "Payload(EmptyPacket)"),
        ("200 OK", b"hello", "Packet"),
        ("200 OK", b"42[\"e\"]", "Packet"),
        ("200 OK", b"bAAAA", "Packet"),
        ("200 OK", b"0{}", "Open"),
        ("200 OK", b"0", "Open"),
        ("200 OK", br#"0{"sid":"","upgrades":[],"pingInterval":1,"pingTimeout":1}"#, "Open"),
        ("200 OK", br#"0{"sid":"x","upgrades":[],"pingInterval":0,"pingTimeout":0}"#, "Open"),
        ("200 OK", br#"0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":"1"}"#, "Open"),
        ("200 OK", br#"0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":99999999999}"#, "Open"),
        ("200 OK", br#"0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1e400}"#, "Open"),
        ("200 OK", br#"0{"sid":"x","upgrades":[],"pingInterval":-1,"pingTimeout":1}"#, "Open"),
        ("200 OK", br#"0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1e-9}"#, "Open"),
    ] {
        let mut world = World::new(config(POLLING));
        world.connect("/");
        let get = world.get();
        world.respond(&get, status, "", body);
        assert_eq!(world.told(), [format!("closed: {error}, try 1 in 1s")], "{}", body.escape_ascii());
        assert_eq!(world.streams(), 0);
        world.pass_seconds(1);
        assert_eq!(world.get().line, "GET /socket.io/?EIO=4&transport=polling");
    }
}

/// Some servers write numbers with a fraction, or zero for less than a second.
#[test]
fn the_open_packet_of_other_servers() {
    let (mut world, _, _get) = World::polling(config(POLLING), r#"0{"sid":"SID","pingInterval":0,"pingTimeout":5000}"#);
    world.pass_seconds(6);
    assert!(world.told()[0].starts_with("disconnected 1: "));
    let mut world = World::new(config_4(POLLING));
    world.connect("/");
    let get = world.get();
    world.answer(&get, r#"50:0{"sid":"SID","pingInterval":0,"pingTimeout":5000}"#);
    assert_eq!(world.told(), ["closed: Open, try 1 in 1s"], "who pings needs a pace");

    // Some servers are to have no heartbeat: that is the longest time that a timer of Node takes.
    let open = r#"0{"sid":"SID","pingInterval":2147483647,"pingTimeout":2147483647}"#;
    let (mut world, _, _get) = World::polling(config(POLLING), open);
    world.pass_seconds(2 * 2_147_483);
    assert_eq!(world.told(), [""; 0]);

    let open = r#"0{"sid": "SID", "pingInterval": 400.0, "pingTimeout": 5000.5, "more": [{}]}"#;
    let (mut world, _, _get) = World::polling(config(POLLING), open);
    world.pass_seconds(6);
    assert!(world.told()[0].starts_with("disconnected 1: "));
}

/// Requests that fail end the session.
#[test]
fn faults_while_open() {
    for (status, body, error) in [
        ("400 Bad Request", "", "Status(400)"),
        ("200 OK", "\u{1e}", "Payload(EmptyPacket)"),
        ("200 OK", "9", "Packet"),
        ("200 OK", OPEN, "Packet"),
        ("200 OK", "42[]", "SocketIo(EventName)"),
        ("200 OK", "49", "SocketIo(PacketType)"),
        ("200 OK", "bAAAA", "SocketIo(Binary)"),
    ] {
        let (mut world, _, get) = World::polling(config(POLLING), OPEN);
        world.respond(&get, status, "", body.as_bytes());
        let reason = if error == "Status(400)" { "TransportError" } else { "ProtocolError" };
        assert_eq!(world.told(), [format!("disconnected 1: {reason}"), format!("closed: {error}, try 1 in 1s")]);
        assert_eq!(world.streams(), 0, "{error}");
    }
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    world.emit(socket, "e", ());
    let post = world.post();
    world.respond(&post, "413 Content Too Large", "", b"");
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: Status(413), try 1 in 1s"]);
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    world.eof(get.stream);
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: Http(UnexpectedEof), try 1 in 1s"]);
}

/// What belongs to an earlier session is not taken for the new one's.
#[test]
fn streams_of_a_lost_session_are_dead() {
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    world.respond(&get, "400 No", "", b"");
    world.told();
    world.pass_seconds(1);
    world.feed(get.stream, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n42[\"old\"]");
    world.turn();
    world.eof(get.stream);
    assert_eq!((world.told(), world.streams()), (vec![], 1));
}

/// Protocol 4 without a heartbeat's answer.
#[test]
fn the_session_ends_without_a_wanted_namespace() {
    let mut world = World::new(config_4(WEBSOCKET));
    let socket = world.connect("/");
    world.say(crate::world::OPEN_3);
    world.say("40");
    world.told();
    world.client.disconnect(world.now, socket);
    world.turn();
    assert_eq!(world.said()[1..], ["41", "CLOSED 1000"]);
    assert_eq!(world.told(), ["disconnected 1: Client", "closed"]);
    assert!(world.client.is_finished());
    // It may be wanted again.
    let again = world.connect("/");
    assert_ne!(again, socket);
    assert_eq!(world.streams(), 1);
}

/// The network is there again: nobody wants to wait.
#[test]
fn an_attempt_is_hurried() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    assert!(!world.client.reconnect(world.now), "the session is there");
    lose(&mut world);
    world.opens = false;
    world.pass_seconds(1);
    let stream = world.opening.pop_front().unwrap();
    world.client.open_failed(world.now, stream);
    world.turn();
    assert!(world.told().ends_with(&["closed: Unreachable, try 2 in 2s".into()]));
    assert!(world.client.reconnect(world.now) && !world.client.reconnect(world.now), "once");
    world.turn();
    let stream = world.opening.pop_front().unwrap();
    world.client.open_failed(world.now, stream);
    world.turn();
    assert_eq!(world.told(), ["closed: Unreachable, try 1 in 1s"], "it was the first again");
    world.opens = true;
    assert!(world.client.reconnect(world.now));
    world.turn();
    assert_eq!(world.said().len(), 1);
    world.say(OPEN);
    world.say(r#"40{"sid":"two"}"#);
    assert_eq!(world.told(), ["opened", "connected 1"]);
    world.client.close(world.now);
    assert!(!world.client.reconnect(world.now));
}

/// A token in a header or in the query is renewed.
#[test]
fn headers_and_the_query_are_renewed() {
    let config = config(POLLING).query("token", "a b").query("tokens", "1");
    let config = config.header("Authorization", "old").unwrap().header("X-Other", "1").unwrap();
    let mut world = World::new(config);
    world.connect("/");
    let get = world.get();
    assert_eq!(get.line, "GET /socket.io/?EIO=4&transport=polling&token=a%20b&tokens=1");
    world.client.set_header("authorization", Some("new")).unwrap();
    world.client.set_query("token", Some("c"));
    assert!(world.client.set_header("x-other", Some("a\r\nb: c")).is_err());
    assert!(world.client.set_header("host", None).is_err());
    world.answer(&get, OPEN);
    let (post, get) = (world.post(), world.get());
    for asked in [&post, &get] {
        assert!(asked.line.ends_with("&sid=SID&tokens=1&token=c"), "{}", asked.line);
        assert_eq!(asked.request.header("authorization"), Some("new"), "one line");
        assert_eq!(asked.request.header("x-other"), Some("1"));
    }
    world.client.set_header("AUTHORIZATION", None).unwrap();
    world.client.set_query("token", None);
    world.answer(&post, "ok");
    world.answer(&get, r#"40{"sid":"one"}"#);
    let get = world.get();
    assert!(get.line.ends_with("&sid=SID&tokens=1"), "{}", get.line);
    assert_eq!(get.request.header("authorization"), None);
}

#[test]
fn the_query_of_a_namespace_is_renewed() {
    let mut world = World::new(config_4(WEBSOCKET));
    let socket = world.client.connect(world.now, "/admin?token=a", "").unwrap();
    world.turn();
    world.said();
    world.say(OPEN_3);
    world.say("40");
    assert_eq!(world.said(), ["40/admin?token=a,"]);
    for query in ["a,b", "a\n", &"x".repeat(200)] {
        assert_eq!(world.client.set_namespace_query(socket, query), Err(ConnectError::Namespace));
    }
    for (query, asked) in [("token=b", "40/admin?token=b,"), ("", "40/admin,")] {
        world.client.set_namespace_query(socket, query).unwrap();
        lose(&mut world);
        world.pass_seconds(1);
        world.said();
        world.say(OPEN_3);
        world.say("40");
        assert_eq!(world.said(), [asked]);
    }
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    assert_eq!(world.client.set_namespace_query(socket, ""), Err(ConnectError::Namespace), "protocol 5 has none");
}
