//! Requests of the protocol that are refused: the error JSON, or the message alone where a WebSocket was asked for.

use roomwire::Stream;
use roomwire::engineio::RequestError::{self, *};
use roomwire::hub::{Config, Origins};

use crate::app::App;
use crate::client::{Client, MAIN, opening};
use crate::world::{Told, World, open_config};

/// The answer to a request, and what the application was told.
fn ask(config: &Config, head: &str) -> (u16, String, String, Vec<Told>, Stream) {
    let mut world = World::new(config.clone(), App::Accepting);
    let conn = world.stream();
    world.feed(conn, head.as_bytes());
    let answer = String::from_utf8(world.take(conn)).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{head}");
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    let (status, stream) = (head[9..12].parse().unwrap(), world.hub.stream(conn));
    (status, kind.into(), body.into(), world.news(), stream)
}

/// Both forms of an error, for the same query.
fn check(config: &Config, method: &str, query: &str, error: RequestError) {
    let (code, message) = (error.code(), error.to_string());
    let status = if error == Forbidden { 403 } else { 400 };
    let page = "https://evil.example";
    let plain =
        format!("{method} /socket.io/?{query} HTTP/1.1\r\nHost: a\r\nOrigin: {page}\r\nContent-Length: 0\r\n\r\n");
    let (got, kind, body, told, stream) = ask(config, &plain);
    assert_eq!((got, kind.as_str()), (status, "application/json"), "{plain}");
    assert_eq!(body, format!(r#"{{"code":{code},"message":"{message}"}}"#), "{plain}");
    assert!(matches!(&told[..], [Told::Refused { error: seen, .. }] if *seen == error), "{told:?}");
    assert_eq!(stream, Stream::Open, "kept alive");
}

/// The same for an upgrade.
fn check_upgrade(config: &Config, query: &str, error: RequestError) {
    let head = String::from_utf8(opening(&format!("/socket.io/?{query}"), "Origin: https://evil.example\r\n")).unwrap();
    let (status, kind, body, told, _) = ask(config, &head);
    assert_eq!((status, kind.as_str()), (if error == Forbidden { 403 } else { 400 }, "text/html"), "{query}");
    assert_eq!(body, error.to_string(), "{query}");
    assert!(matches!(&told[..], [Told::Refused { error: seen, .. }] if *seen == error), "{told:?}");
}

#[test]
fn each_error_with_its_code() {
    let table = [
        (UnknownTransport, 0, "Transport unknown"),
        (UnknownSession, 1, "Session ID unknown"),
        (BadHandshakeMethod, 2, "Bad handshake method"),
        (BadRequest, 3, "Bad request"),
        (Forbidden, 4, "Forbidden"),
        (UnsupportedVersion, 5, "Unsupported protocol version"),
    ];
    for (error, code, message) in table {
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    }
}

#[test]
fn plain_requests() {
    let any = open_config();
    let own = Config::new(Origins::SameHost);
    let mut only_4 = open_config();
    only_4.engine.allow_revision_3 = false;
    check(&any, "GET", "", UnknownTransport);
    check(&any, "GET", "EIO=4", UnknownTransport);
    check(&any, "GET", "EIO=4&transport=flashsocket", UnknownTransport);
    check(&any, "GET", "EIO=4&transport=polling&sid=short", UnknownSession);
    check(&any, "POST", "EIO=4&transport=polling&sid=0123456789abcdefghij", UnknownSession);
    check(&any, "POST", "EIO=4&transport=polling", BadHandshakeMethod);
    check(&any, "OPTIONS", "EIO=3&transport=polling", BadHandshakeMethod);
    check(&any, "GET", "EIO=4&transport=websocket", BadRequest);
    check(&any, "GET", "EIO=5&transport=polling", UnsupportedVersion);
    check(&any, "GET", "EIO=04&transport=polling", UnsupportedVersion);
    check(&any, "GET", "EIO=&transport=polling", UnsupportedVersion);
    check(&any, "GET", "EIO=4&EIO=4&transport=polling", UnsupportedVersion);
    check(&only_4, "GET", "EIO=3&transport=polling", UnsupportedVersion);
    check(&only_4, "GET", "transport=polling", UnsupportedVersion);
    check(&own, "GET", "EIO=4&transport=polling", Forbidden);
}

#[test]
fn upgrades() {
    let any = open_config();
    let own = Config::new(Origins::SameHost);
    let mut only_4 = open_config();
    only_4.engine.allow_revision_3 = false;
    check_upgrade(&any, "EIO=4", UnknownTransport);
    check_upgrade(&any, "EIO=4&transport=tobi", UnknownTransport);
    check_upgrade(&any, "EIO=4&transport=websocket&sid=short", UnknownSession);
    check_upgrade(&any, "EIO=4&transport=websocket&sid=0123456789abcdefghij", UnknownSession);
    check_upgrade(&any, "EIO=4&transport=polling", BadRequest);
    check_upgrade(&any, "EIO=5&transport=websocket", UnsupportedVersion);
    check_upgrade(&only_4, "EIO=3&transport=websocket", UnsupportedVersion);
    check_upgrade(&only_4, "transport=websocket", UnsupportedVersion);
    check_upgrade(&own, "EIO=4&transport=websocket", Forbidden);
}

/// A stream on which a request was refused carries the next one, even the right one.
#[test]
fn a_refused_stream_goes_on() {
    let mut config = open_config();
    config.engine.transports.polling = false;
    for (config, transport) in [(open_config(), "flashsocket"), (config, "polling")] {
        let mut world = World::new(config, App::Captured);
        let conn = world.stream();
        for _ in 0..3 {
            let head = format!("GET /socket.io/?EIO=4&transport={transport}&t=abc HTTP/1.1\r\nHost: a\r\n\r\n");
            world.feed(conn, head.as_bytes());
            let answer = String::from_utf8(world.take(conn)).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("connection: close"), "{answer}");
            assert!(answer.ends_with(r#"{"code":0,"message":"Transport unknown"}"#), "{answer}");
        }
        world.feed(conn, &opening("/socket.io/?EIO=4&transport=nothing", ""));
        assert!(world.take(conn).ends_with(b"Transport unknown"));
        assert_eq!(world.hub.counts().sessions, 0);
        world.feed(conn, &opening(MAIN, ""));
        let mut client = Client::behind(&mut world, conn);
        client.say(&mut world, "40");
        assert_eq!(client.frames(&mut world).len(), 3);
    }
}

/// The path is found with and without its last slash, and nothing near it is.
#[test]
fn paths() {
    for (path, ours) in [
        ("/socket.io/", true),
        ("/socket.io", true),
        ("http://example.org/socket.io/", true),
        ("/socket.io/x", false),
        ("/socket.iox/", false),
        ("/Socket.io/", false),
        ("/x/socket.io/", false),
        ("/socket%2Eio/", false),
        ("/", false),
        ("*", false),
    ] {
        let (.., told, _) = {
            let mut world = World::new(open_config(), App::Manual);
            let conn = world.stream();
            world.feed(conn, format!("GET {path}?EIO=4 HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
            ((), world.news(), ())
        };
        match &told[..] {
            [Told::Refused { error: UnknownTransport, .. }] => assert!(ours, "{path}"),
            [Told::Request { .. }] => assert!(!ours, "{path}"),
            _ => panic!("{path}: {told:?}"),
        }
    }
}

#[test]
fn a_path_of_the_applications_choice() {
    let mut config = open_config();
    config.engine.path = "/live/".into();
    let mut world = World::new(config, App::Accepting);
    let mut client = Client::open(&mut world, "/live?EIO=4&transport=websocket");
    assert_eq!(client.frames(&mut world).len(), 1);
    let conn = world.stream();
    world.feed(conn, &opening(MAIN, ""));
    assert!(matches!(world.news().last(), Some(Told::Request { .. })));
}

/// What is no opening handshake of WebSocket's is refused by its own rules, and ends the stream.
#[test]
fn handshakes_out_of_order() {
    use roomwire::hub::Error;
    use roomwire::ws::HandshakeError;
    let good = String::from_utf8(opening(MAIN, "")).unwrap();
    for (from, to, status, error) in [
        ("Version: 13", "Version: 12", "426", HandshakeError::Version),
        ("Connection: Upgrade\r\n", "", "400", HandshakeError::Connection),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", "400", HandshakeError::Key),
        ("HTTP/1.1\r\nHost", "HTTP/1.0\r\nHost", "400", HandshakeError::HttpVersion),
    ] {
        let mut world = World::manual();
        let conn = world.stream();
        world.feed(conn, good.replace(from, to).as_bytes());
        let answer = String::from_utf8(world.take(conn)).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let connection = if status == "426" { "upgrade, close" } else { "close" };
        assert!(answer.contains(&format!("\r\nconnection: {connection}\r\n")), "{answer}");
        assert_eq!(answer.contains("\r\nupgrade: websocket\r\n"), status == "426", "{answer}");
        assert_eq!(world.news(), [Told::Closed { conn, error: Some(Error::Handshake(error)) }]);
        assert_eq!(world.hub.counts().sessions, 0);
        // Frames behind it are not looked at (a12).
        world.feed(conn, &crate::client::message("40"));
        assert_eq!(world.news(), []);
    }
}
