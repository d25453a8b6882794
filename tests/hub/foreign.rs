//! Requests that another HTTP server has read.

use roomwire::http::Request;
use roomwire::hub::{Answer, Config, DisconnectReason, Peer, Plain, RequestId, Target};
use roomwire::ws::{Message, Opcode};

use crate::fuzz_hub::Told;
use crate::support::ws::masked;
use crate::world::{World, config};

fn request(method: &str, query: &str, body: &str) -> Request {
    let headers = [("host", &b"a"[..])];
    Request::from_parts(method, &format!("/socket.io/?EIO=4&{query}"), 1, headers).unwrap().with_body(body)
}

fn upgrade(query: &str) -> Request {
    let headers = [
        ("host", &b"a"[..]),
        ("upgrade", b"websocket"),
        ("connection", b"Upgrade"),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    Request::from_parts("GET", &format!("/socket.io/?EIO=4&transport=websocket{query}"), 1, headers).unwrap()
}

/// The same as HTTP/2 asks for it.
fn extended_connect(query: &str, version: &'static [u8]) -> Request {
    let target = format!("https://example.org/socket.io/?EIO=4&transport=websocket{query}");
    let request = Request::from_parts("CONNECT", &target, 1, [("sec-websocket-version", version)]).unwrap();
    request.with_protocol("websocket")
}

fn parked(world: &mut World, request: Request) -> RequestId {
    match world.hub.handle_request(world.now, Peer::default(), request) {
        Answer::Parked(id) => id,
        other => panic!("{other:?}"),
    }
}

/// The body of the only response that there is now.
fn body(world: &mut World, of: RequestId) -> String {
    let (id, response) = world.hub.poll_response().expect("no response");
    assert_eq!((id, response.status()), (of, 200));
    assert!(world.hub.poll_response().is_none());
    String::from_utf8(response.body_bytes().to_vec()).unwrap()
}

fn open(world: &mut World) -> String {
    let id = parked(world, request("GET", "transport=polling", ""));
    assert_eq!(world.told(), []);
    let open = body(world, id);
    format!("transport=polling&sid={}", &open[9..29])
}

#[test]
fn polling_by_values() {
    let mut world = World::new(config());
    let session = open(&mut world);
    let post = parked(&mut world, request("POST", &session, "40"));
    let [Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
    world.hub.accept(world.now, socket).unwrap();
    assert_eq!(body(&mut world, post), "ok");
    let poll = parked(&mut world, request("GET", &session, ""));
    assert!(body(&mut world, poll).starts_with("40{\"sid\":"));
    let poll = parked(&mut world, request("GET", &session, ""));
    assert!(world.hub.poll_response().is_none());
    world.hub.emit(world.now, Target::all(), "a", ()).unwrap();
    world.hub.emit(world.now, Target::all(), "b", ()).unwrap();
    assert_eq!(body(&mut world, poll), "42[\"a\"]\u{1e}42[\"b\"]", "gathered");
    assert_eq!(world.hub.counts().connections, 0);
}

#[test]
fn engine_io_without_socket_io() {
    let mut world = World::new(Config { plain: vec![Plain::engine_io("/bare/", "/")], ..config() });
    let bare = |method: &str, query: &str, body: &str| {
        let target = format!("/bare?EIO=4&transport=polling{query}");
        Request::from_parts(method, &target, 1, [("host", &b"a"[..])]).unwrap().with_body(body)
    };
    let open = parked(&mut world, bare("GET", "", ""));
    let [Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
    world.hub.accept(world.now, socket).unwrap();
    let session = format!("&sid={}", &body(&mut world, open)[9..29]);
    let poll = parked(&mut world, bare("GET", &session, ""));
    world.told();
    let post = parked(&mut world, bare("POST", &session, "4hello\u{1e}bAQI="));
    let told = world.told();
    let expected: [Message<'static>; 2] = [Message::Text("hello".into()), Message::Binary(vec![1, 2].into())];
    for (told, expected) in told.iter().zip(expected) {
        assert!(matches!(told, Told::Message(_, Some(from), message) if *from == socket && *message == expected));
    }
    assert_eq!((told.len(), body(&mut world, post)), (2, "ok".into()));
    world.hub.send_message(world.now, socket, "back").unwrap();
    assert_eq!(body(&mut world, poll), "4back");
    // One packet is one, whatever was passed on: alone, and with others.
    for (texts, expected) in [(&["a\u{1e}1"][..], "4a\u{fffd}1"), (&["b", "\u{1e}4c"], "4b\u{1e}4\u{fffd}4c")] {
        for text in texts {
            world.hub.send_message(world.now, Target::all(), *text).unwrap();
        }
        let poll = parked(&mut world, bare("GET", &session, ""));
        world.told();
        assert_eq!(body(&mut world, poll), expected);
    }
    // On the path of Socket.IO nobody knows it.
    let elsewhere = request("GET", &format!("transport=polling{session}"), "");
    let Answer::Now(refused) = world.hub.handle_request(world.now, Peer::default(), elsewhere) else { panic!() };
    assert_eq!(refused.status(), 400);
}

#[test]
fn errors_are_answered_now() {
    let mut world = World::new(config());
    for (asked, status, text) in [
        (request("GET", "transport=nothing", ""), 400, r#"{"code":0,"message":"Transport unknown"}"#),
        (request("POST", "transport=polling", "40"), 400, r#"{"code":2,"message":"Bad handshake method"}"#),
        (upgrade("&sid=aaaaaaaaaaaaaaaaaaaa"), 400, "Session ID unknown"),
    ] {
        match world.hub.handle_request(world.now, Peer::default(), asked) {
            Answer::Now(response) => {
                assert_eq!((response.status(), &response.body_bytes()[..]), (status, text.as_bytes()));
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(world.told()[..], [Told::Refused(..)]));
    }
    let elsewhere = Request::from_parts("GET", "/other", 1, [("host", &b"a"[..])]).unwrap();
    assert!(matches!(world.hub.handle_request(world.now, Peer::default(), elsewhere), Answer::NotServed(_)));
    assert_eq!(world.hub.counts().connections, 0);
}

#[test]
fn a_request_that_is_cancelled_ends_its_session() {
    let mut world = World::new(config());
    let session = open(&mut world);
    let post = parked(&mut world, request("POST", &session, "40"));
    let [Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
    world.hub.accept(world.now, socket).unwrap();
    body(&mut world, post);
    let poll = parked(&mut world, request("GET", &session, ""));
    body(&mut world, poll);
    let poll = parked(&mut world, request("GET", &session, ""));
    world.told();
    world.hub.cancel_request(world.now, poll);
    world.hub.cancel_request(world.now, poll);
    let told = world.told();
    assert!(
        matches!(told[..], [Told::Disconnected(lost, DisconnectReason::TransportClosed, Some(_))] if lost == socket)
    );
    assert!(world.hub.poll_response().is_none());
    assert_eq!((world.hub.counts().sessions, world.hub.counts().connections), (0, 0));
}

#[test]
fn an_upgrade_becomes_a_byte_stream() {
    let mut world = World::new(config());
    let Answer::Upgrade(conn, response) = world.hub.handle_request(world.now, Peer::default(), upgrade("")) else {
        panic!()
    };
    assert_eq!(response.status(), 101);
    assert!(response.headers().any(|line| line == ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    let heard = world.hears(conn);
    assert!(heard[0].starts_with("0{\"sid\":"), "{heard:?}");
    assert!(matches!(world.says(conn, "40")[..], [Told::Connecting(..)]));
}

#[test]
fn an_extended_connect_becomes_a_byte_stream() {
    let mut world = World::new(config());
    let answer = world.hub.handle_request(world.now, Peer::default(), extended_connect("", b"13"));
    let Answer::Upgrade(conn, response) = answer else { panic!("{answer:?}") };
    assert_eq!((response.status(), response.headers().count()), (200, 0));
    assert!(world.hears(conn)[0].starts_with("0{\"sid\":"));
    assert!(matches!(world.says(conn, "40")[..], [Told::Connecting(..)]));
}

#[test]
fn polling_becomes_a_websocket_of_http_2() {
    let mut world = World::new(config());
    let session = open(&mut world);
    let sid = session.replace("transport=polling", "");
    let answer = world.hub.handle_request(world.now, Peer::default(), extended_connect(&sid, b"13"));
    let Answer::Upgrade(conn, _) = answer else { panic!("{answer:?}") };
    world.bytes(conn, &masked(Opcode::Text, b"2probe"));
    assert_eq!(world.hears(conn), ["3probe"]);
    world.bytes(conn, &masked(Opcode::Text, b"5"));
    assert!(matches!(world.says(conn, "40")[..], [Told::Connecting(..)]));
}

#[test]
fn an_extended_connect_that_is_not_in_order_is_refused() {
    let mut world = World::new(config());
    let wrong = |target: &str, protocol: &str| {
        let version = [("sec-websocket-version", &b"13"[..])];
        Request::from_parts("CONNECT", target, 1, version).unwrap().with_protocol(protocol)
    };
    for (asked, status) in [
        (extended_connect("", b"8"), 426),
        (extended_connect("&sid=aaaaaaaaaaaaaaaaaaaa", b"13"), 400),
        (wrong("https://h/socket.io/?EIO=4&transport=polling", "websocket"), 400),
        (wrong("https://h/socket.io/?EIO=4&transport=websocket", "connect-udp"), 400),
    ] {
        let answer = world.hub.handle_request(world.now, Peer::default(), asked);
        assert!(matches!(&answer, Answer::Now(response) if response.status() == status), "{answer:?}");
    }
    let elsewhere = wrong("https://h/other", "websocket");
    assert!(matches!(world.hub.handle_request(world.now, Peer::default(), elsewhere), Answer::NotServed(_)));
    assert_eq!((world.hub.counts().connections, world.hub.counts().sessions), (0, 0));
}

/// One session over requests of another server and over a stream of this one's.
#[test]
fn polling_there_and_websocket_here() {
    let mut world = World::new(config());
    let session = open(&mut world);
    let target = format!("/socket.io/?EIO=4&{}", session.replace("polling", "websocket"));
    let conn = world.open(&target);
    let poll = parked(&mut world, request("GET", &session, ""));
    world.bytes(conn, &masked(Opcode::Text, b"2probe"));
    assert_eq!(world.told(), []);
    assert_eq!(body(&mut world, poll), "6");
    assert_eq!(world.hears(conn), ["3probe"]);
    world.bytes(conn, &masked(Opcode::Text, b"5"));
    assert!(matches!(world.says(conn, "40")[..], [Told::Connecting(..)]));
}

#[test]
fn shutdown_answers_what_is_parked() {
    let mut world = World::new(config());
    let session = open(&mut world);
    let poll = parked(&mut world, request("GET", &session, ""));
    world.hub.shutdown(world.now);
    assert_eq!(body(&mut world, poll), "1");
    assert!(world.hub.is_finished());
    let refused = world.hub.handle_request(world.now, Peer::default(), request("GET", "transport=polling", ""));
    assert!(matches!(refused, Answer::Now(response) if response.status() == 503));
}

/// Also where an answer has room for no more than that.
#[test]
fn who_is_disconnected_is_told_so_whatever_fits_an_answer() {
    for (packets_max, last) in [(1, "1"), (2, "6\u{1e}1")] {
        let mut config = config();
        config.engine.poll_packets_max = packets_max;
        let mut world = World::new(config);
        let session = open(&mut world);
        parked(&mut world, request("POST", &session, "40"));
        let [Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
        world.hub.accept(world.now, socket).unwrap();
        world.hub.disconnect_client(world.now, socket).unwrap();
        world.told();
        while world.hub.poll_response().is_some() {}
        let mut bodies = Vec::new();
        while let Answer::Parked(poll) =
            world.hub.handle_request(world.now, Peer::default(), request("GET", &session, ""))
        {
            world.told();
            bodies.push(body(&mut world, poll));
        }
        assert_eq!(bodies.last().map(String::as_str), Some(last), "{bodies:?}");
        assert_eq!(world.hub.counts().sessions, 0);
    }
}

/// What is queued at a shutdown is fetched by further requests; nothing else is served.
#[test]
fn a_shutdown_waits_for_what_is_fetched() {
    let mut world = World::new(config());
    let session = open(&mut world);
    let post = parked(&mut world, request("POST", &session, "40"));
    let [Told::Connecting(socket, ..)] = world.told()[..] else { panic!() };
    world.hub.accept(world.now, socket).unwrap();
    world.told();
    assert_eq!(body(&mut world, post), "ok");
    for number in 0..17 {
        world.hub.emit(world.now, socket, "n", (number,)).unwrap();
    }
    world.hub.shutdown(world.now);
    world.told();
    for first in [r#"40{"sid":"#, r#"42["n",15]"#, "6\u{1e}1"] {
        assert!(!world.hub.is_finished());
        let opening = world.hub.handle_request(world.now, Peer::default(), request("GET", "transport=polling", ""));
        assert!(matches!(opening, Answer::Now(response) if response.status() == 503));
        assert!(matches!(world.told()[..], [Told::Refused(..)]));
        let poll = parked(&mut world, request("GET", &session, ""));
        assert_eq!(world.told(), []);
        let body = body(&mut world, poll);
        assert!(body.starts_with(first) && body.split('\u{1e}').count() <= 16, "{body}");
    }
    assert!(world.hub.is_finished());
}
