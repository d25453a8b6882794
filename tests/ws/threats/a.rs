//! The opening handshake.

use roomwire::http;
use roomwire::ws::{Accept, Config, Error, Event, HandshakeError, Opcode};
use roomwire::{Instant, Stream};

use crate::clock::{START, after, asked, closed, fires_at, millis};
use crate::support::cuts::Cuts;
use crate::support::http::responses;
use crate::support::memory::measure;
use crate::support::ws::{
    Answers, End, Seen, Trace, answered, feed, masked, opening, opening_with, outgoing, receive, run,
};

fn run_whole(stream: &[u8]) -> Trace {
    run(End::Server, Config::default(), &[stream], Answers::AtOnce, false)
}

/// The stream is refused with this status and error, and nothing but the end is told.
#[track_caller]
fn check(stream: &[u8], error: Error, status: u16) -> Trace {
    let trace = run_whole(stream);
    assert!(trace.told().is_empty(), "{}", stream.escape_ascii());
    assert_eq!(trace.closed().and_then(|closed| closed.error), Some(error), "{}", stream.escape_ascii());
    assert_eq!(answered(&trace.outgoing), (Some(status), Vec::new()), "{}", stream.escape_ascii());
    assert_eq!(trace.stream, Stream::HalfClosed);
    trace
}

fn with(from: &str, to: &str) -> Vec<u8> {
    let opening = String::from_utf8(opening("/")).unwrap();
    assert!(opening.contains(from));
    opening.replace(from, to).into_bytes()
}

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

#[test]
fn a01_a_handshake_without_end() {
    let mut stream = b"GET / HTTP/1.1\r\nA: ".to_vec();
    stream.resize(100_000, b'x');
    check(&stream, Error::Http(http::Error::HeadTooLarge), 431);
}

#[test]
fn a02_too_many_headers_before_the_upgrade() {
    let lines: String = (0..1400)
        .map(|n| format!("{}{}:\r\n", (b'a' + (n / 26 % 26) as u8) as char, (b'a' + (n % 26) as u8) as char))
        .collect();
    check(&opening_with("/", &lines), Error::Http(http::Error::TooManyHeaders), 431);
}

/// The lists are split as they are asked for, each member once, and nothing is copied.
#[test]
fn a05_a06_long_lists_are_split_in_place() {
    let extension = format!("a; b=\"{}", "\\c".repeat(1500));
    let subprotocol = format!("a{}b", " ".repeat(2500));
    let lines = format!(
        "Sec-WebSocket-Extensions: {extension}\r\nSec-WebSocket-Protocol: {subprotocol}, {}\r\n",
        "x,".repeat(500)
    );
    let mut conn = End::Server.connection(Config::default(), START);
    let mut seen = 0;
    feed(&mut conn, START, &opening_with("/", &lines), |_, event| {
        let Event::Upgrade(upgrade) = event else { panic!("{event:?}") };
        let ((subprotocols, extensions), usage) =
            measure(|| (upgrade.subprotocols().count(), upgrade.extensions().count()));
        assert_eq!((subprotocols, extensions, usage.allocations), (500, 1, 0));
        seen += 1;
    });
    assert_eq!(seen, 1);
}

#[test]
fn a07_an_unknown_extension_is_ignored() {
    for extension in ["constructor", ",;constructor", "__proto__", "permessage-deflate", "a;b;c=\"d\"", "=", ""] {
        let trace = run_whole(&opening_with("/", &format!("Sec-WebSocket-Extensions: {extension}\r\n")));
        let (status, frames) = answered(&trace.outgoing);
        assert_eq!((status, frames.len(), trace.seen.len()), (Some(101), 0, 1));
        let head = String::from_utf8_lossy(&trace.outgoing).to_lowercase();
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
    }
}

#[test]
fn a11_only_version_13() {
    for version in ["7", "8", "0", "14", "013", "13, 8", "8, 13", "", "130"] {
        let stream = with("Version: 13", &format!("Version: {version}"));
        let trace = check(&stream, Error::Handshake(HandshakeError::Version), 426);
        let hint = ("sec-websocket-version".to_owned(), "13".to_owned());
        assert!(responses(&trace.outgoing, &["GET"])[0].headers.contains(&hint));
    }
    let none = with("Sec-WebSocket-Version: 13\r\n", "");
    check(&none, Error::Handshake(HandshakeError::Version), 426);
    for upgrade in ["", "Upgrade: h2c\r\n", "Upgrade: websocketx\r\n", "Upgrade: web socket\r\n"] {
        check(&with("Upgrade: websocket\r\n", upgrade), Error::Handshake(HandshakeError::Upgrade), 426);
    }
    for connection in ["", "Connection: keep-alive\r\n", "Connection: Upgradex\r\n"] {
        check(
            &with("Connection: keep-alive, Upgrade\r\n", connection),
            Error::Handshake(HandshakeError::Connection),
            400,
        );
    }
    // In any case, and among others.
    let stream = with("Upgrade: websocket", "Upgrade: h2c, WebSocket");
    assert_eq!(answered(&run_whole(&stream).outgoing).0, Some(101));
}

#[test]
fn a12_nothing_is_parsed_after_a_refusal() {
    let behind =
        [&opening("/second")[..], &masked(Opcode::Text, b"smuggled"), b"GET /third HTTP/1.1\r\nHost: a\r\n\r\n"]
            .concat();
    let refusals = [
        with("Version: 13", "Version: 7"),
        with(KEY, "short"),
        with("GET", "POST"),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for refused in refusals {
        let stream = [&refused[..], &behind].concat();
        for cuts in [Cuts::Whole, Cuts::Bytes, Cuts::At(vec![refused.len()])] {
            let trace = run(End::Server, Config::default(), &cuts.of(&stream), Answers::AtOnce, false);
            assert_eq!(trace.seen.len(), 1, "{:?}", trace.seen);
            assert_eq!(responses(&trace.outgoing, &["GET"]).len(), 1);
            assert!(answered(&trace.outgoing).0.is_some_and(|status| status >= 400));
        }
    }
    // The application's refusal too.
    for answers in [Answers::AtOnce, Answers::Late] {
        let stream = [&opening("/no")[..], &behind].concat();
        let trace = run(End::Server, Config::default(), &[&stream], answers, false);
        assert_eq!((trace.seen.len(), answered(&trace.outgoing).0), (2, Some(403)));
    }
}

#[test]
fn a13_an_upgrade_with_a_body() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let stream = opening_with("/", &format!("Content-Length: {}\r\n", smuggled.len()));
    let trace = run_whole(&[&stream[..], smuggled.as_bytes()].concat());
    assert_eq!(trace.told(), [], "it was offered to the application");
    assert!(matches!(trace.closed().unwrap().error, Some(Error::Handshake(_) | Error::Http(_))));
    assert_eq!(answered(&trace.outgoing).0, Some(400));
    let stream = opening_with("/", "Transfer-Encoding: chunked\r\n");
    for body in [smuggled, "0\r\n\r\n"] {
        check(&[&stream[..], body.as_bytes()].concat(), Error::Http(http::Error::UpgradeWithBody), 400);
    }
}

#[test]
fn a14_what_comes_before_the_acceptance_waits_within_a_bound() {
    let config = Config::default();
    let cap = config.http.pipelined_bytes_max;
    let early = masked(Opcode::Binary, &vec![7; cap - 8 - 14]);
    let (mut conn, usage) = measure(|| {
        let mut conn = asked(config.clone());
        let told: usize = early.chunks(1000).map(|piece| receive(&mut conn, START, piece).len()).sum();
        assert_eq!(told, 0, "read before it was accepted");
        conn
    });
    assert!(usage.live <= 2 * early.len() as isize + 4096, "{usage:?}");
    assert!(!conn.wants_read());
    conn.accept(START, &Accept::new()).unwrap();
    assert!(matches!(receive(&mut conn, START, &[])[..], [Seen::Binary(_)]));
    // Discarded on refusal.
    let mut conn = asked(config.clone());
    receive(&mut conn, START, &masked(Opcode::Text, b"early"));
    conn.reject(START, http::Response::new(403)).unwrap();
    assert!(matches!(receive(&mut conn, START, &[])[..], [Seen::Closed(_)]));
    // And never beyond the bound.
    let mut conn = asked(config);
    let told = receive(&mut conn, START, &vec![0; cap + 1]);
    assert!(matches!(&told[..], [Seen::Closed(closed)] if closed.error == Some(Error::Http(http::Error::Pipelined))));
    assert_eq!(answered(&outgoing(&conn)).0, Some(400));
}

#[test]
fn a22_keys_that_are_none() {
    let key = |value: &str| with(KEY, value);
    for value in [
        "",
        "====",
        "x",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBs ZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZXg=",
        "dGhlIHNhbXBsZSBub25jZXh4",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "!GhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZR==",
    ] {
        check(&key(value), Error::Handshake(HandshakeError::Key), 400);
    }
    check(&opening_with("/", &format!("Sec-WebSocket-Key: {KEY}\r\n")), Error::Handshake(HandshakeError::Key), 400);
    check(&with("Host: localhost\r\n", ""), Error::Http(http::Error::Host), 400);
    check(&with("GET", "POST"), Error::Handshake(HandshakeError::Method), 400);
    check(&with("GET", "get"), Error::Handshake(HandshakeError::Method), 400);
    check(&with("HTTP/1.1", "HTTP/1.0"), Error::Handshake(HandshakeError::HttpVersion), 400);
}

#[test]
fn a24_a_handshake_that_trickles() {
    let config = Config::default();
    let mut conn = End::Server.connection(config.clone(), START);
    for (nth, byte) in opening("/").iter().take(90).enumerate() {
        assert!(receive(&mut conn, after(START, millis(100 * nth as u64)), &[*byte]).is_empty());
    }
    let told = closed(fires_at(&mut conn, after(START, config.http.head_timeout)));
    assert_eq!(told.error, Some(Error::Http(http::Error::Timeout)));
    assert!(conn.handle_timeout(Instant::NEVER).is_none());
}
