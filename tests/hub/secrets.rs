//! `Debug` is what ends up in logs: of what peers and applications say it shows sizes and names, and no values.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use roomwire::http::{self, OutgoingRequest, Response};
use roomwire::ws::{self, Opcode};
use roomwire::{Instant, lines};

use crate::support::ws::{frame, key, masked, opening, opening_with};
use crate::world::{World, config};

const NOW: Instant = Instant::ORIGIN;

/// Letters that stand in no name of a field.
const SECRET: &str = "qzxj";

/// What shows the secret, as text or as the numbers of its bytes.
#[derive(Default)]
struct Logs {
    checked: usize,
    leaks: Vec<String>,
}

impl Logs {
    fn check(&mut self, name: &str, value: &impl Debug) {
        let numbers = SECRET.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
        for shown in [format!("{value:?}"), format!("{value:#?}")] {
            let bare: String = shown.split_whitespace().collect();
            if bare.contains(SECRET) || bare.contains(&numbers) {
                self.leaks.push(format!("{name}: {}", shown.split_whitespace().collect::<Vec<_>>().join(" ")));
                break;
            }
            assert!(bare.len() > 8, "{name} shows nothing");
        }
        self.checked += 1;
    }

    fn check_ws(&mut self, name: &str, mut conn: ws::Connection, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while conn.receive(NOW, &mut input).is_some() {}
        self.check(name, &conn);
    }
}

fn server() -> ws::Connection {
    ws::Connection::server_after_upgrade(Arc::default(), NOW)
}

fn client() -> ws::Connection {
    let opening = ws::Opening::url("ws://h/").unwrap().subprotocol(&format!("bearer.{SECRET}")).unwrap();
    ws::Connection::client(Arc::default(), opening, [1; 32], NOW)
}

/// What a client is told of a handshake that a server has accepted, with the subprotocol and a cookie.
fn opened() -> Box<ws::Opened> {
    let (mut client, mut server) = (client(), ws::Connection::server(Arc::default(), NOW));
    let mut request = client.outgoing().collect::<Vec<_>>().concat();
    assert!(matches!(server.receive(NOW, &mut &mut request[..]), Some(ws::Event::Upgrade(_))));
    let accept = ws::Accept::new().subprotocol(&format!("bearer.{SECRET}")).header("set-cookie", SECRET).unwrap();
    server.accept(NOW, &accept).unwrap();
    let mut answer = server.outgoing().collect::<Vec<_>>().concat();
    let Some(ws::Event::Opened(opened)) = client.receive(NOW, &mut &mut answer[..]) else { panic!("not opened") };
    assert!(opened.subprotocol().is_some_and(|chosen| chosen.contains(SECRET)));
    opened
}

#[test]
fn values_show_no_secrets() {
    let mut logs = Logs::default();
    let (url, line) = (format!("wss://h/a?token={SECRET}"), format!("sid={SECRET}"));
    let opening = ws::Opening::url(&url).unwrap().subprotocol(SECRET).unwrap().header("authorization", &line).unwrap();
    logs.check("ws::Opening", &opening);
    logs.check("ws::Accept", &ws::Accept::new().subprotocol(SECRET).header("set-cookie", &line).unwrap());
    let asked = OutgoingRequest::new("POST", "h", &format!("/a?token={SECRET}")).unwrap();
    logs.check("http::OutgoingRequest", &asked.header("cookie", &line).unwrap().body(SECRET));
    logs.check("http::Response", &Response::new(200).header("set-cookie", &line).unwrap().text(SECRET));
    let request = http::Request::from_parts("GET", &format!("/?{SECRET}"), 1, [("host", SECRET.as_bytes())]).unwrap();
    logs.check("http::Request", &request.with_body(SECRET));
    let mut reader = http::ResponseReader::new();
    let response = format!("HTTP/1.1 400 No\r\nSet-Cookie: {line}\r\nContent-Length: 9\r\n\r\n{SECRET}");
    let mut input = response.as_bytes();
    assert!(reader.read(&http::Limits::default(), &mut input).unwrap().is_none() && input.is_empty());
    logs.check("http::ResponseReader", &reader);
    logs.check("http::ReceivedResponse", &reader.finish().unwrap());
    logs.check("ws::Opened", &opened());
    assert_eq!((logs.checked, logs.leaks), (8, vec![]));
    // What is there is named.
    assert_eq!(
        format!("{:?}", Response::new(200).header("set-cookie", &line).unwrap().body("ok")),
        r#"Response { status: 200, headers: ["set-cookie"], body_bytes: 2 }"#
    );
    let shown = format!("{opening:?}");
    assert!(shown.contains(r#"path: "/a""#) && shown.contains(r#"headers: ["authorization"]"#), "{shown}");
}

#[test]
fn streams_show_no_secrets() {
    let mut logs = Logs::default();
    let first = |opcode| frame(false, opcode, key(ws::Role::Server), SECRET.as_bytes());
    logs.check_ws("text of fragments", server(), &first(Opcode::Text));
    logs.check_ws("bytes of fragments", server(), &first(Opcode::Binary));
    logs.check_ws("a text whose end has not come", server(), &masked(Opcode::Text, SECRET.repeat(9).as_bytes())[..30]);
    logs.check_ws("a ping whose end has not come", server(), &masked(Opcode::Ping, SECRET.repeat(9).as_bytes())[..30]);
    let pings = masked(Opcode::Ping, SECRET.repeat(9).as_bytes()).repeat(60);
    logs.check_ws("a pong that is owed", server(), &pings);
    let head = opening_with("/", &format!("Cookie: sid={SECRET}\r\n"));
    let begun = ws::Connection::server(Arc::default(), NOW);
    logs.check_ws("an opening handshake that has begun", begun, &head[..head.len() - 2]);
    let mut asked = ws::Connection::server(Arc::default(), NOW);
    let mut bytes = [&head[..], SECRET.as_bytes()].concat();
    let mut input = &mut bytes[..];
    assert!(matches!(asked.receive(NOW, &mut input), Some(ws::Event::Upgrade(_))));
    assert!(asked.receive(NOW, &mut input).is_none());
    logs.check("what came behind an opening handshake", &asked);
    asked.accept(NOW, &ws::Accept::new()).unwrap();
    logs.check("what is read when that is accepted", &asked);
    logs.check("a request that was written", &client());
    let answer = format!("HTTP/1.1 101 Switching\r\nSet-Cookie: sid={SECRET}\r\n");
    logs.check_ws("an answer that has begun", client(), answer.as_bytes());
    let mut sends = server();
    sends.send(NOW, SECRET).unwrap();
    logs.check("ws::Connection that sends", &sends);

    let mut reads = ws::MessageReader::new();
    let mut bytes = first(Opcode::Text);
    assert!(reads.read(ws::Role::Server, &ws::Limits::default(), &mut &mut bytes[..]).unwrap().is_none());
    logs.check("ws::MessageReader", &reads);

    let get = format!("GET /?{SECRET} HTTP/1.1\r\nHost: h\r\nCookie: {SECRET}\r\n\r\n");
    let post = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{SECRET}");
    for (name, stream) in [("head", &get[..get.len() - 2]), ("body", &post), ("pipeline", &get.repeat(2))] {
        let mut conn = http::Connection::new(Arc::default(), NOW);
        let mut input = stream.as_bytes();
        while conn.receive(NOW, &mut input).is_some() {}
        logs.check(&format!("http::Connection: {name}"), &conn);
    }
    for (name, body) in [("head", ""), ("body", &*format!("\r\n{SECRET}"))] {
        let mut conn = http::ClientConnection::new(Arc::default(), NOW);
        let asked = OutgoingRequest::new("GET", "h", "/").unwrap().header("cookie", SECRET).unwrap();
        conn.request(NOW, &asked, Duration::from_secs(9)).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\nSet-Cookie: {SECRET}\r\nContent-Length: 99\r\n{body}");
        assert!(conn.receive(NOW, &mut answer.as_bytes()).is_none());
        logs.check(&format!("http::ClientConnection: {name}"), &conn);
    }
    let mut conn = lines::Connection::new(Arc::default(), NOW);
    conn.send(NOW, SECRET).unwrap();
    assert!(conn.receive(NOW, &mut &mut SECRET.as_bytes().to_vec()[..]).is_none());
    logs.check("lines::Connection", &conn);
    assert_eq!((logs.checked, logs.leaks), (18, vec![]));
}

#[test]
fn a_hub_shows_no_secrets() {
    let mut logs = Logs::default();
    let packet =
        masked(Opcode::Text, format!("451-[\"x\",\"{SECRET}\",{{\"_placeholder\":true,\"num\":0}}]").as_bytes());
    let frame = masked(Opcode::Text, SECRET.repeat(9).as_bytes());
    let request = opening(&format!("/?{SECRET}"));
    for (name, bytes) in [("a packet without its attachment", &packet[..]), ("part of a frame", &frame[..30])] {
        let mut world = World::new(config());
        let (conn, _) = world.client();
        world.bytes(conn, bytes);
        logs.check(name, &world.hub);
    }
    let mut world = World::new(config());
    let stream = world.hub.connect(world.now).unwrap();
    world.bytes(stream, &request[..30]);
    logs.check("part of a request", &world.hub);
    let (_, socket) = world.client();
    world.hub.join(world.now, socket, SECRET).unwrap();
    logs.check("a room", &world.hub);
    assert_eq!((logs.checked, logs.leaks), (4, vec![]));
    let shown = format!("{:?}", world.hub);
    assert!(shown.contains("connections: 2, sessions: 1, sockets: 1"), "{shown}");
}
