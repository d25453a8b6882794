//! The client's side of the opening handshake (RFC 6455 section 4.1), and both sides with each other.

use std::sync::Arc;
use std::time::Duration;

use roomwire::ws::{
    Accept, Closed, Config, Connection, Error, Event, HandshakeError, Message, Opening, Upgrade, accept_key,
};
use roomwire::{Instant, Stream, http};

use crate::clock::{START, after};

fn client(opening: Opening) -> (Connection, String) {
    let mut conn = Connection::client(Arc::new(Config::default()), opening, [7; 32], START);
    let request: Vec<u8> = conn.outgoing().flatten().copied().collect();
    conn.sent(START, request.len());
    (conn, String::from_utf8(request).unwrap())
}

fn asks() -> (Connection, String) {
    client(Opening::url("ws://localhost:8888/chat").unwrap().subprotocol("a").unwrap().subprotocol("b").unwrap())
}

fn key(request: &str) -> &str {
    request.split("Sec-WebSocket-Key: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap()
}

/// A response that accepts the request, with further lines.
fn accepting(request: &str, lines: &str) -> Vec<u8> {
    let accept = String::from_utf8(accept_key(key(request)).to_vec()).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{lines}\r\n"
    )
    .into_bytes()
}

#[derive(Debug, PartialEq)]
enum Told {
    Opened(Option<String>),
    Refused(u16, Vec<u8>),
    Text(String),
    Closed(Option<Error>),
}

fn tell(event: Event<'_>) -> Told {
    match event {
        Event::Opened(opened) => Told::Opened(opened.subprotocol().map(Into::into)),
        Event::Refused(response) => Told::Refused(response.status(), response.body().to_vec()),
        Event::Message(Message::Text(text)) => Told::Text(text.into_owned()),
        Event::Closed(closed) => Told::Closed(Closed::clone(&closed).error),
        other => panic!("{other:?}"),
    }
}

fn reads(conn: &mut Connection, mut bytes: Vec<u8>) -> Vec<Told> {
    let mut input = &mut bytes[..];
    let mut told = Vec::new();
    while let Some(event) = conn.receive(START, &mut input) {
        told.push(tell(event));
    }
    assert!(input.is_empty());
    told
}

#[test]
fn the_request() {
    let opening = Opening::url("wss://example.org/a?b=c").unwrap().header("Origin", "https://example.org").unwrap();
    let (_, request) = client(opening);
    let expected = format!(
        "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\nOrigin: https://example.org\r\n\r\n",
        key(&request)
    );
    assert_eq!(request, expected);
    let (_, request) = asks();
    assert!(
        request.contains("\r\nHost: localhost:8888\r\n") && request.contains("\r\nSec-WebSocket-Protocol: a, b\r\n")
    );
}

#[test]
fn a20_a19_what_must_not_be_asked() {
    let opening = || Opening::url("ws://h/").unwrap();
    for (name, value) in
        [("x", "a\r\nb: c"), ("x", "a\0"), ("x y", "a"), ("", "a"), ("Host", "a"), ("sec-websocket-Key", "a")]
    {
        assert!(opening().header(name, value).is_err(), "{name}: {value}");
    }
    for name in ["", "a b", "a,b", "a\r\n", "é"] {
        assert!(opening().subprotocol(name).is_err(), "{name}");
    }
    assert!(opening().subprotocol("a").unwrap().subprotocol("a").is_err());
}

#[test]
fn a_response_in_any_pieces_and_what_follows_it() {
    let (_, request) = asks();
    let mut stream = accepting(&request, "Sec-WebSocket-Protocol: b\r\n");
    stream.extend_from_slice(b"\x81\x02hi\x88\x00");
    let expected = [Told::Opened(Some("b".into())), Told::Text("hi".into()), Told::Closed(None)];
    for cut in 0..=stream.len() {
        let (mut conn, _) = asks();
        let mut told = reads(&mut conn, stream[..cut].to_vec());
        told.extend(reads(&mut conn, stream[cut..].to_vec()));
        assert_eq!(told, expected, "cut at {cut}");
    }
}

#[test]
fn a21_responses_that_fail_the_connection() {
    let (_, request) = asks();
    let good = String::from_utf8(accepting(&request, "")).unwrap();
    let other = String::from_utf8(accept_key("AAAAAAAAAAAAAAAAAAAAAA==").to_vec()).unwrap();
    let accept = String::from_utf8(accept_key(key(&request)).to_vec()).unwrap();
    for (response, error) in [
        (good.replace("Upgrade: WebSocket", "Upgrade: websocketx"), HandshakeError::Upgrade),
        (good.replace("Upgrade: WebSocket\r\n", ""), HandshakeError::Upgrade),
        (good.replace("Connection: keep-alive, Upgrade", "Connection: keep-alive"), HandshakeError::Connection),
        (good.replace(&accept, &other), HandshakeError::Accept),
        (good.replace(&accept, &accept.to_lowercase()), HandshakeError::Accept),
        (good.replace("Sec-WebSocket-Accept", "X"), HandshakeError::Accept),
        (good.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: c\r\n\r\n"), HandshakeError::Subprotocol),
        (good.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a, b\r\n\r\n"), HandshakeError::Subprotocol),
        (
            good.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
            HandshakeError::Extension,
        ),
    ] {
        let (mut conn, _) = asks();
        // What follows such a response is not read as frames.
        let told = reads(&mut conn, [response.as_bytes(), b"\x81\x02hi"].concat());
        assert_eq!(told, [Told::Refused(101, vec![]), Told::Closed(Some(Error::Handshake(error)))], "{response}");
        assert!(!conn.is_open() && conn.outgoing_len() == 0);
    }
}

#[test]
fn other_answers_are_shown_with_the_start_of_their_body() {
    for (response, status, body) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nwho? and more",
            401,
            "who? ",
        ),
        ("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, ""),
        ("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.0 500 x\r\nContent-Length: 2\r\n\r\nno", 500, "no"),
    ] {
        let (mut conn, _) = asks();
        let told = reads(&mut conn, response.into());
        let error = Error::Handshake(HandshakeError::Status(status));
        assert_eq!(told, [Told::Refused(status, body.into()), Told::Closed(Some(error))]);
    }
    // What is no length says nothing: the body ends with the stream.
    let (mut conn, _) = asks();
    assert_eq!(reads(&mut conn, "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhello".into()), []);
    assert_eq!(conn.receive_eof(START).map(tell), Some(Told::Refused(200, b"hello".to_vec())));
    // Without a length the body ends with the stream, with its 4,096th byte, or with the patience for it.
    let endless = "HTTP/1.1 200 OK\r\n\r\nhello";
    let (mut conn, _) = asks();
    assert_eq!(reads(&mut conn, endless.into()), []);
    assert_eq!(conn.receive_eof(START).map(tell), Some(Told::Refused(200, b"hello".to_vec())));
    assert_eq!(conn.poll_event().map(tell), Some(Told::Closed(Some(Error::Handshake(HandshakeError::Status(200))))));
    assert_eq!(conn.stream(), Stream::Closed);
    let (mut conn, _) = asks();
    reads(&mut conn, endless.into());
    let at = after(START, Duration::from_secs(10));
    assert_eq!(conn.poll_timeout(), Some(at));
    assert_eq!(conn.handle_timeout(at).map(tell), Some(Told::Refused(200, b"hello".to_vec())));
}

/// A body in chunks (RFC 9112 section 7.1) ends with the last of them, and the stream may be kept alive behind it.
#[test]
fn an_answer_in_chunks_is_shown_when_it_is_whole() {
    let long = format!("1000\r\n{}\r\n1\r\ny", "x".repeat(4096));
    for (chunks, body) in [
        ("0\r\n\r\n", ""),
        ("3\r\nno \r\n3;a=b\r\nway\r\n0\r\n\r\n", "no way"),
        // The beginning of it is enough.
        (&long[..4102], &long[6..4102]),
        (&format!("FFFFFF\r\n{}", "x".repeat(4096)), &long[6..4102]),
        // What is wrong with it ends it.
        ("2\r\nnox", "no"),
        ("2\r\nno\r\n0\r\nt", "no"),
    ] {
        let response = format!("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        for size in [1, 7, response.len()] {
            let (mut conn, _) = asks();
            let told: Vec<_> =
                response.as_bytes().chunks(size).flat_map(|piece| reads(&mut conn, piece.to_vec())).collect();
            let error = Error::Handshake(HandshakeError::Status(403));
            let expected = [Told::Refused(403, body.into()), Told::Closed(Some(error))];
            assert_eq!(told, expected, "{chunks:.20} in pieces of {size}");
        }
    }
}

#[test]
fn no_answer_and_no_http() {
    let (mut conn, _) = asks();
    let at = after(START, Duration::from_secs(10));
    assert!(conn.handle_timeout(Instant::from_nanos(at.as_nanos() - 1)).is_none());
    let told = conn.handle_timeout(at).map(tell);
    assert_eq!(told, Some(Told::Closed(Some(Error::Http(http::Error::Timeout)))));
    let (mut conn, _) = asks();
    assert_eq!(conn.receive_eof(START).map(tell), Some(Told::Closed(Some(Error::UnexpectedEof))));
    for (rubbish, error) in [
        ("\x16\x03\x01\r\n\r\n".to_owned(), http::Error::Version),
        ("HTTP/1.1 200\n".to_owned(), http::Error::BareLineEnd),
        (format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(9000)), http::Error::HeadTooLarge),
    ] {
        let (mut conn, _) = asks();
        assert_eq!(reads(&mut conn, rubbish.into()), [Told::Closed(Some(Error::Http(error)))]);
    }
}

/// Our client and our server, byte by byte.
#[test]
fn both_sides_with_each_other() {
    let (mut client, request) = asks();
    let mut server = Connection::server(Arc::new(Config::default()), START);
    for mut byte in request.into_bytes() {
        let mut input = std::slice::from_mut(&mut byte);
        while let Some(Event::Upgrade(upgrade)) = server.receive(START, &mut input) {
            assert_eq!(
                (upgrade.request().path(), upgrade.subprotocols().collect::<Vec<_>>()),
                ("/chat", vec!["a", "b"])
            );
            server.accept(START, &Accept::new().subprotocol("a")).unwrap();
        }
    }
    server.send(START, "welcome").unwrap();
    let answer: Vec<u8> = server.outgoing().flatten().copied().collect();
    assert!(client.send(START, "too early").is_err());
    assert_eq!(reads(&mut client, answer), [Told::Opened(Some("a".into())), Told::Text("welcome".into())]);
    client.send(START, "thanks").unwrap();
    let sent: Vec<u8> = client.outgoing().flatten().copied().collect();
    assert_eq!(reads(&mut server, sent), [Told::Text("thanks".into())]);
}

/// A comma within quotes separates nothing (RFC 9110 section 5.6.4), nor does one behind an escaped quote.
#[test]
fn offered_extensions() {
    for (line, expected) in [
        (r#"x; a="1,2""#, &[r#"x; a="1,2""#][..]),
        (r#"x; a="1\",2" , ,y;b=3,"#, &[r#"x; a="1\",2""#, "y;b=3"]),
        (r#"x; a="1, y"#, &[r#"x; a="1, y"#]),
        (",\t, ", &[]),
    ] {
        let headers = [("sec-websocket-version", &b"13"[..]), ("sec-websocket-extensions", line.as_bytes())];
        let upgrade = Upgrade::extended_connect("CONNECT", Some("websocket"), "h", "/", headers).unwrap();
        assert_eq!(upgrade.extensions().collect::<Vec<_>>(), expected, "{line}");
    }
}

/// RFC 8441: what HTTP/2 says in place of the handshake.
#[test]
fn extended_connect() {
    let ask = |method: &str, protocol: Option<&str>, version: &'static [u8]| {
        let headers = [("sec-websocket-version", version), ("sec-websocket-protocol", &b"a, b"[..]), ("origin", b"x")];
        Upgrade::extended_connect(method, protocol, "example.org", "/chat?x", headers)
    };
    let upgrade = ask("CONNECT", Some("websocket"), b"13").unwrap();
    assert_eq!((upgrade.request().target(), upgrade.request().header("host")), ("/chat?x", Some("example.org")));
    assert_eq!((upgrade.origin(), upgrade.subprotocols().collect::<Vec<_>>()), (Some("x"), vec!["a", "b"]));
    let config = Arc::new(Config::default());
    let (response, conn) = Connection::server_behind(config, &upgrade, &Accept::new().subprotocol("b"), START).unwrap();
    assert_eq!((response.status(), conn.is_open()), (200, true));
    assert_eq!(response.headers().collect::<Vec<_>>(), [("sec-websocket-protocol", "b")]);
    assert_eq!(ask("GET", Some("websocket"), b"13").map(drop), Err(HandshakeError::Method));
    assert_eq!(ask("CONNECT", None, b"13").map(drop), Err(HandshakeError::Upgrade));
    assert_eq!(ask("CONNECT", Some("connect-udp"), b"13").map(drop), Err(HandshakeError::Upgrade));
    assert_eq!(ask("CONNECT", Some("websocket"), b"8").map(drop), Err(HandshakeError::Version));
    let bad = Upgrade::extended_connect("CONNECT", Some("websocket"), "h", "/ x", []);
    assert_eq!(bad.map(drop), Err(HandshakeError::Malformed));
}
