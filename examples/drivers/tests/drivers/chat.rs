//! The hub behind axum: polling, WebSocket, byte streams and lines in the same rooms.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::peer::{PATIENCE, Peer, Told, exchange, exchange_at};
use crate::server::Server;
use serde_json::{Value, json};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
/// How long a new stream may take for its first request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// The answer to a request: status and body.
fn request(server: &Server, method: &str, path: &str, body: &str) -> (u16, String) {
    let size = format!("Content-Length: {}\r\n", body.len());
    send(server, method, path, &size, body)
}

fn send(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    let answer = exchange(server, &format!("{head}{body}"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{answer:?}")), body.to_owned())
}

/// The pages of axum, and those that the chat gives where the hub reads HTTP.
#[test]
fn pages_are_to_be_read() {
    let server = Server::start("axum");
    for port in [server.port, server.raw] {
        let answer = |method: &str| {
            let request = format!("{method} /chat.css HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            exchange_at(port, &request).to_ascii_lowercase()
        };
        assert!(answer("GET").starts_with("http/1.1 200 "));
        let head = answer("HEAD");
        assert!(head.starts_with("http/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
        let refused = answer("DELETE").replace(' ', "");
        assert!(refused.starts_with("http/1.1405") && refused.contains("\r\nallow:get,head\r\n"), "{refused}");
    }
}

/// Begins a GET whose answer is not waited for.
fn begin_poll(server: &Server, session: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("GET {session} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// A client that does nothing by itself. Packets are told without what Engine.IO puts before them.
enum Client<'s> {
    /// With the path of its session, and what was fetched.
    Polling(&'s Server, String, Vec<String>),
    WebSocket(Box<Peer>),
    Lines(BufReader<TcpStream>),
}

impl<'s> Client<'s> {
    fn polling(server: &'s Server) -> Self {
        let (status, body) = request(server, "GET", POLLING, "");
        let open: Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(status, 200);
        let session = format!("{POLLING}&sid={}", open["sid"].as_str().unwrap());
        Self::Polling(server, session, Vec::new()).welcomed()
    }

    fn websocket(server: &Server, port: u16) -> Self {
        let mut peer = Peer::begin_at(server, port, &format!("ws://127.0.0.1:{port}{WEBSOCKET}"));
        peer.opened();
        assert!(matches!(peer.next(), Told::Text(open) if open.starts_with("0{")));
        Self::WebSocket(Box::new(peer)).welcomed()
    }

    fn lines(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::Lines(BufReader::new(stream)).welcomed()
    }

    fn welcomed(mut self) -> Self {
        self.send("0");
        assert!(self.next().starts_with("0{\"sid\":"));
        assert_eq!(self.event()[0], "welcome");
        self
    }

    fn send(&mut self, packet: &str) {
        match self {
            Self::Polling(server, session, _) => {
                assert_eq!(request(server, "POST", session, &format!("4{packet}")), (200, "ok".into()));
            }
            Self::WebSocket(peer) => peer.send(format!("4{packet}").as_str()),
            Self::Lines(stream) => stream.get_mut().write_all(format!("{packet}\n").as_bytes()).unwrap(),
        }
    }

    fn next(&mut self) -> String {
        match self {
            Self::Polling(server, session, fetched) => {
                if fetched.is_empty() {
                    let (status, body) = request(server, "GET", session, "");
                    assert_eq!(status, 200);
                    fetched.extend(body.split('\u{1e}').rev().map(|packet| packet[1..].to_owned()));
                }
                fetched.pop().unwrap()
            }
            Self::WebSocket(peer) => match peer.next() {
                Told::Text(packet) => packet[1..].to_owned(),
                other => panic!("{other:?}"),
            },
            Self::Lines(stream) => {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                line.trim_end().to_owned()
            }
        }
    }

    /// The next event or acknowledgement.
    fn event(&mut self) -> Value {
        let packet = self.next();
        serde_json::from_str(packet.trim_start_matches(|c: char| c.is_ascii_digit())).unwrap_or(Value::Null)
    }

    /// The next event that is not about who is there.
    fn said(&mut self) -> Value {
        loop {
            let event = self.event();
            if event[0] != "presence" && event[0] != "presence_diff" {
                return event;
            }
        }
    }

    fn enter(&mut self, name: &str) {
        self.send(&format!(r#"27["enter",{{"name":"{name}","room":"hall"}}]"#));
        assert_eq!(self.said(), json!([{ "ok": true, "user": name, "room": "hall" }]));
    }

    /// Waits until it is told of a user's change.
    fn learns(&mut self, user: &str, change: &str) {
        loop {
            let event = self.event();
            let changes = event[1]["changes"].as_array().cloned().unwrap_or_default();
            if changes.iter().any(|told| told["user"] == user && told["change"] == change) {
                return;
            }
        }
    }
}

#[test]
fn one_room_for_polling_websocket_byte_streams_and_lines() {
    let server = Server::start("axum");
    let mut clients = [
        ("ann", Client::polling(&server)),
        ("bob", Client::websocket(&server, server.port)),
        ("cem", Client::websocket(&server, server.raw)),
        ("dan", Client::lines(server.lines)),
    ];
    for (name, client) in &mut clients {
        client.enter(name);
        client.send(r#"21["echo","héllo",[1]]"#);
        assert_eq!(client.said(), json!(["héllo", [1]]), "{name}");
    }
    for speaker in 0..clients.len() {
        let name = clients[speaker].0;
        clients[speaker].1.send(&format!(r#"2["say","from {name}"]"#));
        for (listener, client) in &mut clients {
            let said = json!(["said", { "from": name, "room": "hall", "text": format!("from {name}") }]);
            assert_eq!(client.said(), said, "{listener} hears {name}");
        }
        let (other, _) = clients[(speaker + 1) % clients.len()];
        clients[speaker].1.send(&format!(r#"29["whisper",{{"to":"{other}","text":"psst"}}]"#));
        let whispered = json!(["whispered", { "from": name, "to": other, "text": "psst" }]);
        assert_eq!(clients[speaker].1.said(), json!([{ "ok": true, "devices": 1 }]));
        assert_eq!(clients[(speaker + 1) % clients.len()].1.said(), whispered);
    }
}

#[test]
fn polling_becomes_websocket() {
    let server = Server::start("axum");
    let mut client = Client::polling(&server);
    client.enter("ann");
    let Client::Polling(_, session, _) = &client else { unreachable!() };
    let mut waiting = begin_poll(&server, session);
    let target = session.replace("polling", "websocket");
    let mut peer = Peer::begin_at(&server, server.port, &format!("ws://127.0.0.1:{}{target}", server.port));
    peer.opened();
    peer.send("2probe");
    assert_eq!(peer.next(), Told::Text("3probe".into()));
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    peer.send("5");
    let mut client = Client::WebSocket(Box::new(peer));
    client.send(r#"21["echo","here"]"#);
    assert_eq!(client.said(), json!(["here"]));
}

/// A client that breaks its poll is gone at once; the rest of its time is kept by a task.
#[test]
fn a_poll_that_breaks_is_a_client_that_is_away_and_then_left() {
    let server = Server::start("axum");
    let (mut ann, mut bob) = (Client::polling(&server), Client::websocket(&server, server.raw));
    bob.enter("bob");
    // Who comes before that is in it.
    while bob.event()[0] != "presence" {}
    ann.enter("ann");
    bob.learns("ann", "arrived");
    let Client::Polling(_, session, fetched) = &mut ann else { unreachable!() };
    // Everything there is for it has to be fetched, for a poll to wait.
    fetched.clear();
    request(&server, "POST", session, r#"421["echo","last"]"#);
    while !request(&server, "GET", session, "").1.contains("last") {}
    drop(begin_poll(&server, session));
    bob.learns("ann", "away");
    bob.learns("ann", "left");
    assert_eq!(request(&server, "GET", session, "").0, 400);
    bob.send(r#"21["echo","still here"]"#);
    assert_eq!(bob.said(), json!(["still here"]));
}

#[test]
fn a_body_has_at_most_the_bytes_that_clients_were_told() {
    const MOST: usize = 1_000_000;
    let server = Server::start("axum");
    let post = |size: usize, chunked: bool| {
        let client = Client::polling(&server);
        let Client::Polling(_, session, _) = &client else { unreachable!() };
        let packet = format!("42[\"{}\"]", "x".repeat(size - 6));
        if chunked {
            let body = format!("{size:x}\r\n{packet}\r\n0\r\n\r\n");
            send(&server, "POST", session, "Transfer-Encoding: chunked\r\n", &body).0
        } else {
            request(&server, "POST", session, &packet).0
        }
    };
    for chunked in [false, true] {
        assert_eq!(post(MOST, chunked), 200, "chunked: {chunked}");
        assert_eq!(post(MOST + 1, chunked), 413, "chunked: {chunked}");
        assert_eq!(post(2 * MOST, chunked), 413, "chunked: {chunked}");
    }
    // Far too much is not even waited for.
    let client = Client::polling(&server);
    let Client::Polling(_, session, _) = &client else { unreachable!() };
    assert_eq!(send(&server, "POST", session, &format!("Content-Length: {}\r\n", 3 * MOST), "").0, 413);
}

#[test]
fn who_never_reads_is_held_up_and_hurts_nobody_else() {
    let server = Server::start("axum");
    for port in [server.port, server.raw] {
        let Client::WebSocket(mut deaf) = Client::websocket(&server, port) else { unreachable!() };
        let mut other = Client::websocket(&server, port);
        let packet = format!("42[\"echo\",\"{}\"]", "x".repeat(10_000));
        let frame = crate::frame(true, roomwire::ws::Opcode::Text, packet.as_bytes());
        let taken = deaf.write_until_stuck(&frame, 128 << 20);
        assert!(taken < 128 << 20, "it reads on and on");
        for nth in 0..100 {
            other.send(&format!("21[\"echo\",{nth}]"));
            assert_eq!(other.said(), json!([nth]));
        }
        for _ in 0..taken / frame.len() {
            assert!(deaf.next() == Told::Text(packet.clone()));
        }
    }
}

#[test]
fn the_same_where_one_thread_waits_for_all() {
    let server = Server::start("hub_mio");
    let client = || {
        let mut peer = Peer::begin_at(&server, server.port, &format!("ws://127.0.0.1:{}{WEBSOCKET}", server.port));
        peer.opened();
        assert!(matches!(peer.next(), Told::Text(open) if open.starts_with("0{")));
        peer.send("40");
        assert!(matches!(peer.next(), Told::Text(connected) if connected.starts_with("40{")));
        peer
    };
    let (mut deaf, mut other) = (client(), client());
    let text = "x".repeat(10_000);
    let frame = crate::frame(true, roomwire::ws::Opcode::Text, format!("420[\"echo\",\"{text}\"]").as_bytes());
    let taken = deaf.write_until_stuck(&frame, 128 << 20);
    assert!(taken < 128 << 20, "it reads on and on");
    for nth in 0..100 {
        other.send(format!("42{nth}[\"echo\",{nth}]").as_str());
        assert_eq!(other.next(), Told::Text(format!("43{nth}[{nth}]")));
    }
    for _ in 0..taken / frame.len() {
        assert!(deaf.next() == Told::Text(format!("430[\"{text}\"]")));
    }
}

/// A stream on which a client polls carries another's requests behind that, as behind a proxy, and becomes a WebSocket: all at
/// once, or each as soon as the answer before it is read. What waits for an answer to be written is not forgotten then.
#[test]
fn requests_behind_a_poll_are_served() {
    for (name, rounds) in [("axum", 50), ("hub_mio", 50)] {
        let server = Server::start(name);
        let port = if name == "axum" { server.raw } else { server.port };
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let post = |path: &str, body: &str| {
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        for at_once in (0..2 * rounds).map(|nth| nth % 2 == 0) {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_nodelay(true).unwrap();
            // When the first time-out of the hub is due everything is looked at again.
            stream.set_read_timeout(Some(HEAD_TIMEOUT - Duration::from_secs(2))).unwrap();
            let mut heard = Vec::new();
            stream.write_all(get(POLLING).as_bytes()).unwrap();
            let open = until(&mut stream, &mut heard, "}");
            let session = open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
            let session = format!("{POLLING}&sid={session}");
            let upgrade = session.replace("polling", "websocket");
            let head = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
            let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            let handshake = format!("GET {upgrade} HTTP/1.1\r\nHost: localhost\r\n{head}{key}\r\n");
            let said = |text: &str| crate::frame(true, roomwire::ws::Opcode::Text, text.as_bytes());
            let asked = [
                (post(&session, "40").into_bytes(), "\r\n\r\nok"),
                (get(&session).into_bytes(), "40{\"sid\":\""),
                (post(&session, "421[\"echo\",\"one\"]").into_bytes(), "\r\n\r\nok"),
                (get(&session).into_bytes(), "431[\"one\"]"),
                (handshake.into_bytes(), "HTTP/1.1 101 "),
                (said("2probe"), "3probe"),
                ([said("5"), said("422[\"echo\",\"two\"]")].concat(), "432[\"two\"]"),
            ];
            if at_once {
                stream.write_all(&asked.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<_>>()).unwrap();
            }
            for (bytes, answer) in &asked {
                if !at_once {
                    stream.write_all(bytes).unwrap();
                }
                until(&mut stream, &mut heard, answer);
            }
        }
    }
}

/// Reads on until that was heard, and takes it out with all that stands before it.
fn until(stream: &mut TcpStream, heard: &mut Vec<u8>, wanted: &str) -> String {
    loop {
        if let Some(at) = heard.windows(wanted.len()).position(|part| part == wanted.as_bytes()) {
            let taken: Vec<u8> = heard.drain(..at + wanted.len()).collect();
            return String::from_utf8_lossy(&taken).into_owned();
        }
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap_or_else(|error| panic!("{wanted:?} after {heard:?}: {error}"));
        assert!(count > 0, "the end before {wanted:?}: {:?}", String::from_utf8_lossy(heard));
        heard.extend(&buffer[..count]);
    }
}

#[test]
fn all_are_told_when_it_stops() {
    let mut server = Server::start("axum");
    let mut clients = [Client::websocket(&server, server.port), Client::websocket(&server, server.raw)];
    let poller = Client::polling(&server);
    let Client::Polling(_, session, _) = &poller else { unreachable!() };
    let mut waiting = begin_poll(&server, session);
    // Whatever is sent later on one stream, the poll is there before the answer to this.
    for client in &mut clients {
        client.send(r#"21["echo"]"#);
        assert_eq!(client.said(), json!([]));
    }
    server.interrupt();
    for client in clients {
        let Client::WebSocket(mut peer) = client else { unreachable!() };
        assert!(matches!(peer.next(), Told::Closed(1001, ..)));
        assert!(peer.ends_in_order());
    }
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    // Or it came too late.
    assert!(answer.ends_with("\r\n\r\n1") || answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    assert_eq!(server.ended(), Some(0));
}
