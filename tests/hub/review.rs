//! What goes wrong between a poll and its client: answers that are lost, given up or never asked for.

use roomwire::Stream;
use roomwire::http::{Request, Response};
use roomwire::hub::{Answer, ConnId, Origins, Peer, Plain, RequestId, SocketId, Target};
use roomwire::ws::{CloseCode, Opcode};

use crate::fuzz_hub::Told;
use crate::support::ws::masked;
use crate::world::{World, config, count, millis};

pub fn get(query: &str, headers: &str) -> String {
    format!("GET /socket.io/?{query}&transport=polling HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

pub fn post(query: &str, body: &str) -> String {
    let size = body.len();
    format!("POST /socket.io/?{query}&transport=polling HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n{body}")
}

pub fn stream(world: &mut World, bytes: &str) -> ConnId {
    let conn = world.hub.connect(world.now).unwrap();
    world.bytes(conn, bytes.as_bytes());
    conn
}

pub fn read(world: &mut World, conn: ConnId) -> String {
    String::from_utf8(world.read(conn, usize::MAX)).unwrap()
}

/// A session of protocol 5 on long polling: its query, and its socket, which is accepted and has fetched that.
pub fn session(world: &mut World) -> (String, SocketId) {
    let conn = stream(world, &get("EIO=4", ""));
    world.told();
    let open = read(world, conn);
    let sid = open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let query = format!("EIO=4&sid={sid}");
    world.bytes(conn, post(&query, "40").as_bytes());
    let told = world.told();
    let Some(Told::Connecting(socket, ..)) = told.last() else { panic!("{told:?}") };
    let socket = *socket;
    world.hub.accept(world.now, socket).unwrap();
    world.told();
    read(world, conn);
    world.bytes(conn, get(&query, "").as_bytes());
    world.told();
    assert!(read(world, conn).contains("40{\"sid\""));
    (query, socket)
}

pub fn emit(world: &mut World) {
    world.hub.emit(world.now, Target::all(), "lost", ()).unwrap();
}

pub fn is_lost(told: &[Told], socket: SocketId) -> bool {
    told.iter().any(|told| matches!(told, Told::Disconnected(lost, _, Some(_)) if *lost == socket))
}

/// The stream was to end with this answer, and its peer does not read it.
#[test]
fn an_answer_that_is_given_up_ends_its_session() {
    let mut world = World::new(config());
    let (query, socket) = session(&mut world);
    let poll = stream(&mut world, &get(&query, "Connection: close\r\n"));
    emit(&mut world);
    assert_eq!(count(&world.told(), "closed"), 1);
    assert!(world.hub.outgoing_len(poll) > 0);
    // Its heartbeat would end it later.
    world.pass(millis(30_001));
    assert_eq!(world.hub.outgoing_len(poll), 0, "given up");
    let told = world.told();
    assert!(is_lost(&told, socket), "{told:?}");
}

/// Packets are under way on a stream on which a POST was answered behind them.
#[test]
fn an_answer_with_a_post_behind_it_that_breaks_ends_its_session() {
    let mut world = World::new(config());
    let (query, socket) = session(&mut world);
    let poll = stream(&mut world, &get(&query, ""));
    emit(&mut world);
    assert_eq!(world.told(), []);
    world.bytes(poll, post(&query, "42[\"x\"]").as_bytes());
    world.told();
    world.hub.abort(world.now, poll);
    let told = world.told();
    assert!(is_lost(&told, socket), "{told:?}");
}

/// The application closes a stream while a POST on it is half read, and an answer before it is not written.
#[test]
fn a_post_on_a_stream_that_is_closed_holds_no_poll_back() {
    let mut world = World::new(config());
    let (query, socket) = session(&mut world);
    let closed = stream(&mut world, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    world.told();
    world.hub.respond(world.now, closed, Response::new(200).text("page"));
    let mut bytes = post(&query, "42[\"x\"]").into_bytes();
    let mut input = &mut bytes[..];
    let event = world.hub.receive(world.now, closed, &mut input).map(|event| Told::from(&event));
    assert!(matches!(event, Some(Told::Emit(..))), "{event:?}");
    world.hub.close_connection(world.now, closed, CloseCode::NORMAL, "");
    world.told();
    world.hub.abort(world.now, closed);
    world.told();
    let poll = stream(&mut world, &get(&query, ""));
    world.hub.emit(world.now, socket, "heard", ()).unwrap();
    world.told();
    assert!(read(&mut world, poll).contains("heard"));
}

/// Only what was told by `Event::Request` is the application's to answer.
#[test]
fn the_application_answers_no_poll_and_no_post() {
    let mut world = World::new(config());
    let (query, _) = session(&mut world);
    let poll = stream(&mut world, &get(&query, ""));
    world.hub.respond(world.now, poll, Response::new(200).text("not asked for"));
    assert_eq!(read(&mut world, poll), "");
    emit(&mut world);
    world.told();
    assert!(read(&mut world, poll).contains("lost"));

    let conn = world.hub.connect(world.now).unwrap();
    let mut bytes = post(&query, "42[\"x\"]").into_bytes();
    let mut input = &mut bytes[..];
    let event = world.hub.receive(world.now, conn, &mut input).map(|event| Told::from(&event));
    assert!(matches!(event, Some(Told::Emit(..))), "{event:?}");
    world.hub.respond(world.now, conn, Response::new(200).text("not asked for"));
    world.told();
    let answer = read(&mut world, conn);
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}

/// The peer ends its stream before its POST is looked at: it is answered, and that is the end.
#[test]
fn a_stream_that_ends_behind_a_post_is_over_with_its_answer() {
    let mut world = World::new(config());
    let (query, _) = session(&mut world);
    let conn = world.hub.connect(world.now).unwrap();
    let mut bytes = post(&query, "42[\"x\"]").into_bytes();
    let mut input = &mut bytes[..];
    let event = world.hub.receive(world.now, conn, &mut input).map(|event| Told::from(&event));
    assert!(matches!(event, Some(Told::Emit(..))), "{event:?}");
    world.hub.receive_eof(world.now, conn);
    assert_eq!(count(&world.told(), "closed"), 1);
    let answer = read(&mut world, conn);
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!(world.hub.stream(conn), Stream::Closed);
}

fn request(method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers = [("host", "a")].into_iter().chain(headers.iter().copied());
    let headers: Vec<_> = headers.map(|(name, value)| (name, value.as_bytes())).collect();
    Request::from_parts(method, &format!("/socket.io/?transport=polling&{query}"), 1, headers).unwrap().with_body(body)
}

fn parked(world: &mut World, request: Request) -> RequestId {
    match world.hub.handle_request(world.now, Peer::default(), request) {
        Answer::Parked(id) => id,
        other => panic!("{other:?}"),
    }
}

/// The answer was made, and not taken yet, when the client went away.
#[test]
fn an_answer_that_is_cancelled_ends_its_session() {
    let mut world = World::new(config());
    let (query, socket) = session(&mut world);
    let poll = parked(&mut world, request("GET", &query, &[], ""));
    emit(&mut world);
    assert_eq!(world.told(), []);
    world.hub.cancel_request(world.now, poll);
    let told = world.told();
    assert!(world.hub.poll_response().is_none());
    assert!(is_lost(&told, socket), "{told:?}");
}

/// Others' streams have their times too.
#[test]
fn a_plain_websocket_of_another_server_is_pinged() {
    let mut config = config();
    config.plain = vec![Plain::new("/raw", "/")];
    let interval = config.engine.ping_interval;
    let mut world = World::new(config);
    let headers = [
        ("host", &b"a"[..]),
        ("upgrade", b"websocket"),
        ("connection", b"Upgrade"),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let request = Request::from_parts("GET", "/raw", 1, headers).unwrap();
    let Answer::Upgrade(conn, _) = world.hub.handle_request(world.now, Peer::default(), request) else { panic!() };
    let told = world.told();
    let [Told::Connecting(socket, ..)] = told[..] else { panic!("{told:?}") };
    world.hub.accept(world.now, socket).unwrap();
    world.told();
    world.pass(interval);
    assert_eq!(world.hears(conn), ["frame 89"]);
    world.pass(interval);
    assert_eq!(count(&world.told(), "closed with an error"), 1);
}

/// A page of another origin cannot read by a script what it may not read otherwise.
#[test]
fn e17_a_script_of_another_page_opens_no_session() {
    let mut own = config();
    own.origins = Origins::SameHost;
    let mut world = World::new(own);
    for headers in [&[][..], &[("referer", "https://evil/")], &[("sec-fetch-site", "cross-site")]] {
        let asked = request("GET", "EIO=3&j=0", headers, "");
        let answer = world.hub.handle_request(world.now, Peer::default(), asked);
        assert!(matches!(&answer, Answer::Now(response) if response.status() == 403), "{headers:?} {answer:?}");
    }
    assert_eq!(world.hub.counts().sessions, 0);
    for headers in
        [&[("referer", "https://a/page")][..], &[("sec-fetch-site", "same-origin")], &[("origin", "https://a")]]
    {
        parked(&mut world, request("GET", "EIO=3&j=0", headers, ""));
    }
    // Without a script nobody reads it.
    parked(&mut world, request("GET", "EIO=3", &[], ""));
}

/// All that may wait for a GET finds room on the WebSocket.
#[test]
fn a_full_queue_survives_the_upgrade() {
    let mut queued = usize::MAX;
    // How much that is, and then so much of it.
    for cut_off in [1, 0] {
        let mut world = World::new(config());
        let (query, socket) = session(&mut world);
        let conn = world.open(&format!("/socket.io/?{query}&transport=websocket"));
        world.bytes(conn, &masked(Opcode::Text, b"2probe"));
        let mut emit = |_: &usize| world.hub.emit(world.now, Target::all(), "ninebytes", ()).unwrap().queued == 1;
        queued = (0..queued).take_while(&mut emit).count();
        world.bytes(conn, &masked(Opcode::Text, b"5"));
        assert_eq!(count(&world.told(), "lost"), cut_off);
        assert_eq!(world.hub.is_live(socket), cut_off == 0);
    }
    assert!(queued > 50_000, "{queued}");
}

/// The end of a stream whose answer was made while it was driven is told without further input.
#[test]
fn what_follows_from_driving_is_told() {
    let mut world = World::new(config());
    let (query, _) = session(&mut world);
    let poll = stream(&mut world, &get(&query, "Connection: close\r\n"));
    emit(&mut world);
    while world.hub.poll_transmit().is_some() {}
    assert!(world.hub.outgoing_len(poll) > 0);
    assert_eq!(count(&world.told(), "closed"), 1);
}
