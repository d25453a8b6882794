//! What an application may not do is `Err`, and changes nothing.

use roomwire::http::{HeaderError, Response};
use roomwire::ws::{
    Accept, AcceptError, CloseCode, Config, Connection, Limits, Opcode, PieceLimits, Prepared, SendError,
};

use crate::clock::{START, after, asked, assert_closed, closed, millis, server, visible};
use crate::support::ws::{End, Seen, answered, flush, masked, opening_with, outgoing, receive, small};

/// Nothing that can be seen of `conn` is changed by `misuse`.
fn unchanged<T>(conn: &mut Connection, misuse: impl FnOnce(&mut Connection) -> T) -> T {
    let before = visible(conn);
    let result = misuse(conn);
    assert_eq!(visible(conn), before);
    result
}

#[test]
fn sending_before_the_handshake_is_accepted() {
    for mut conn in [End::Server.connection(small(), START), asked(small())] {
        assert_eq!(unchanged(&mut conn, |conn| conn.send(START, "x")), Err(SendError::NotOpen));
        assert_eq!(
            unchanged(&mut conn, |conn| conn.send_prepared(START, &Prepared::text("x"))),
            Err(SendError::NotOpen)
        );
        assert_eq!(unchanged(&mut conn, |conn| conn.ping(START, b"")), Err(SendError::NotOpen));
        assert_eq!(unchanged(&mut conn, |conn| conn.close(START, CloseCode::NORMAL, "")), Err(SendError::NotOpen));
    }
}

#[test]
fn answering_a_handshake_that_is_not_there() {
    let mut conn = End::Server.connection(small(), START);
    assert_eq!(unchanged(&mut conn, |conn| conn.accept(START, &Accept::new())), Err(AcceptError::NotAwaited));
    assert_eq!(unchanged(&mut conn, |conn| conn.reject(START, Response::new(403))), Err(AcceptError::NotAwaited));
    receive(&mut conn, START, b"GET / ");
    assert_eq!(unchanged(&mut conn, |conn| conn.accept(START, &Accept::new())), Err(AcceptError::NotAwaited));
}

#[test]
fn answering_a_handshake_twice() {
    let mut conn = asked(small());
    conn.accept(START, &Accept::new()).unwrap();
    assert_eq!(unchanged(&mut conn, |conn| conn.accept(START, &Accept::new())), Err(AcceptError::NotAwaited));
    assert_eq!(unchanged(&mut conn, |conn| conn.reject(START, Response::new(403))), Err(AcceptError::NotAwaited));
    assert!(conn.is_open());

    let mut conn = asked(small());
    conn.reject(START, Response::new(403)).unwrap();
    assert_eq!(unchanged(&mut conn, |conn| conn.accept(START, &Accept::new())), Err(AcceptError::NotAwaited));
    assert_eq!(unchanged(&mut conn, |conn| conn.reject(START, Response::new(404))), Err(AcceptError::NotAwaited));
    assert_eq!(answered(&outgoing(&conn)).0, Some(403));
}

/// The application was too late: the peer has its 503, and 101 behind that would be a second answer.
#[test]
fn accepting_after_the_answer_timed_out() {
    let mut conn = asked(small());
    let late = after(START, small().http.answer_timeout);
    closed(conn.handle_timeout(late));
    assert_eq!(unchanged(&mut conn, |conn| conn.accept(late, &Accept::new())), Err(AcceptError::NotAwaited));
    assert_eq!(unchanged(&mut conn, |conn| conn.reject(late, Response::new(403))), Err(AcceptError::NotAwaited));
    assert_eq!(answered(&outgoing(&conn)).0, Some(503));
}

#[test]
fn a14_accepting_after_too_much_was_sent_early() {
    let mut conn = asked(small());
    let seen = receive(&mut conn, START, &[b'x'; 501]);
    assert!(matches!(seen[..], [Seen::Closed(_)]));
    assert_eq!(unchanged(&mut conn, |conn| conn.accept(START, &Accept::new())), Err(AcceptError::NotAwaited));
    assert!(receive(&mut conn, START, &masked(Opcode::Text, b"x")).is_empty());
    assert_eq!(answered(&outgoing(&conn)).0, Some(400));
}

#[test]
fn a20_a_subprotocol_that_was_not_offered() {
    let lines = "Sec-WebSocket-Protocol: chat, chat\0\r\nSec-WebSocket-Protocol: b c, caf\u{e9}, v2\r\n";
    let mut conn = End::Server.connection(small(), START);
    // A NUL is refused with the whole head …
    receive(&mut conn, START, &opening_with("/", lines));
    assert_eq!(answered(&outgoing(&conn)).0, Some(400));
    // … and what is no token is no offer.
    let mut conn = End::Server.connection(small(), START);
    let seen = receive(&mut conn, START, &opening_with("/", &lines.replace('\0', "@")));
    assert_eq!(seen, [Seen::Upgrade { target: "/".into(), subprotocols: vec!["chat".into(), "v2".into()] }]);
    for name in ["Chat", "v3", "", "b c", "caf\u{e9}", "chat, v2", "v2\r\nset-cookie: a=b"] {
        let accept = Accept::new().subprotocol(name);
        let refused = unchanged(&mut conn, |conn| conn.accept(START, &accept));
        assert_eq!(refused, Err(AcceptError::SubprotocolNotOffered), "{name:?}");
    }
    conn.accept(START, &Accept::new().subprotocol("v2")).unwrap();
    let head = String::from_utf8(outgoing(&conn)).unwrap();
    assert_eq!(head.matches("sec-websocket-protocol: v2\r\n").count(), 1);
    assert_eq!(head.matches("\r\n\r\n").count(), 1);
}

#[test]
fn a19_headers_of_the_acceptance() {
    for value in ["x\r\nset-cookie: a=b", "x\ny", "x\0", "\r"] {
        assert_eq!(Accept::new().header("x-name", value).err(), Some(HeaderError::Value));
    }
    for name in ["", "a b", "a\r\nb", "é"] {
        assert_eq!(Accept::new().header(name, "x").err(), Some(HeaderError::Name));
    }
    let own =
        ["Upgrade", "connection", "Content-Length", "transfer-encoding", "Sec-WebSocket-Accept", "sec-websocket-x"];
    for name in own {
        assert_eq!(Accept::new().header(name, "x").err(), Some(HeaderError::Reserved));
    }
    let mut conn = asked(small());
    let accept = Accept::new().header("set-cookie", "a=b").and_then(|accept| accept.header("x-y", "z")).unwrap();
    conn.accept(START, &accept).unwrap();
    let head = String::from_utf8(outgoing(&conn)).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("\r\nset-cookie: a=b\r\nx-y: z\r\n"));
}

#[test]
fn a_ping_has_at_most_125_bytes() {
    let mut conn = server(small());
    assert_eq!(unchanged(&mut conn, |conn| conn.ping(START, &[0; 126])), Err(SendError::TooLong));
    conn.ping(START, &[0; 125]).unwrap();
}

#[test]
fn m01_the_outbox_has_a_cap() {
    let limits = Limits { outbox_bytes_max: 2000, ..Limits::default() };
    let mut conn = server(Config { limits, ..small() });
    assert_eq!(unchanged(&mut conn, |conn| conn.send(START, &[0; 2000][..])), Err(SendError::TooLong));
    while conn.send(START, &[0; 100][..]).is_ok() {}
    assert_eq!(unchanged(&mut conn, |conn| conn.send(START, &[0; 100][..])), Err(SendError::OutboxFull));
    assert_eq!(unchanged(&mut conn, |conn| conn.send_shared(START, vec![0; 900])), Err(SendError::OutboxFull));
    assert_eq!(
        unchanged(&mut conn, |conn| conn.send_prepared(START, &Prepared::binary(&[0; 900]))),
        Err(SendError::OutboxFull)
    );
    assert_eq!(unchanged(&mut conn, |conn| conn.ping(START, &[0; 125])), Err(SendError::OutboxFull));
    assert!(conn.outgoing_len() <= 2000);
    // Closing and answering pings always works.
    receive(&mut conn, START, &masked(Opcode::Ping, &[1; 125]));
    conn.close(START, CloseCode::NORMAL, "full").unwrap();
    assert!(conn.outgoing_len() <= 2000 + 127 + 8);
    flush(&mut conn, after(START, millis(1)));
}

#[test]
fn after_the_end_everything_is_refused() {
    let mut conn = server(small());
    assert!(conn.receive_eof(START).is_some());
    assert_eq!(unchanged(&mut conn, |conn| conn.send(START, "x")), Err(SendError::NotOpen));
    assert_eq!(unchanged(&mut conn, |conn| conn.ping(START, b"")), Err(SendError::NotOpen));
    assert_eq!(unchanged(&mut conn, |conn| conn.close(START, CloseCode::NORMAL, "")), Err(SendError::NotOpen));
    assert_eq!(unchanged(&mut conn, |conn| conn.accept(START, &Accept::new())), Err(AcceptError::NotAwaited));
    assert_eq!(unchanged(&mut conn, |conn| conn.reject(START, Response::new(403))), Err(AcceptError::NotAwaited));
    assert_closed(&mut conn, START);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |change: fn(&mut Config)| {
        let mut config = Config::default();
        assert!(config.validate().is_ok() && small().validate().is_ok());
        change(&mut config);
        config.validate().is_err()
    };
    assert!(refused(|config| config.limits.message_bytes_max = 0));
    assert!(refused(|config| config.limits.message_bytes_max = usize::MAX));
    assert!(refused(|config| config.limits.fragments_max = 0));
    assert!(refused(|config| config.limits.outbox_bytes_max = 0));
    assert!(refused(|config| config.limits.read_pause_bytes = 0));
    assert!(refused(|config| config.pieces = Some(PieceLimits { message_bytes_max: 0, ..PieceLimits::default() })));
    assert!(refused(|config| config.pieces = Some(PieceLimits { fragments_max: 0, ..PieceLimits::default() })));
    assert!(refused(|config| std::sync::Arc::make_mut(&mut config.http).limits.headers_max = 0));
}
