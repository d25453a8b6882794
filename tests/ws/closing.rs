//! The closing handshake in all directions (RFC 6455 section 7), and every other end.

use roomwire::Stream;
use roomwire::http::{self, Response};
use roomwire::ws::{CloseCode, Closed, Connection, Endpoint, Error, Opcode, Role, SendError};

use crate::clock::{START, asked, assert_closed, client, closed, server, visible};
use crate::support::ws::{End, Seen, answered, flush, frame, frames, key, outgoing, receive, small};

fn both() -> [Connection; 2] {
    [server(small()), client(small())]
}

fn close_from_peer(conn: &Connection, payload: &[u8]) -> Vec<u8> {
    frame(true, Opcode::Close, key(conn.role()), payload)
}

fn text_from_peer(conn: &Connection, text: &str) -> Vec<u8> {
    frame(true, Opcode::Text, key(conn.role()), text.as_bytes())
}

fn told(seen: Vec<Seen>) -> Closed {
    match <[Seen; 1]>::try_from(seen) {
        Ok([Seen::Closed(closed)]) => closed,
        other => panic!("not only closed: {other:?}"),
    }
}

/// Who closes the stream: the server at once, the client when the server has (section 7.1.1).
fn assert_ends(conn: &mut Connection) {
    if conn.role() == Role::Client {
        assert_eq!(conn.stream(), Stream::HalfClosed);
        assert!(conn.receive_eof(START).is_none());
    }
    assert_closed(conn, START);
}

#[test]
fn the_peer_closes() {
    for (code, reason) in [(1000, "bye"), (1001, ""), (3000, "é"), (4999, "own")] {
        for mut conn in both() {
            let close = close_from_peer(&conn, &[&u16::to_be_bytes(code)[..], reason.as_bytes()].concat());
            let closed = told(receive(&mut conn, START, &close));
            let expected = CloseCode::new(code).unwrap();
            assert_eq!(closed, Closed { code: expected, reason: reason.into(), by: Endpoint::Peer, error: None });
            let answer = frames(&outgoing(&conn));
            assert_eq!((answer.len(), answer[0].code()), (1, Some(code)));
            assert_ends(&mut conn);
        }
    }
}

#[test]
fn the_peer_closes_without_a_code() {
    for mut conn in both() {
        let close = close_from_peer(&conn, b"");
        let closed = told(receive(&mut conn, START, &close));
        assert_eq!((closed.code, closed.error), (CloseCode::NO_STATUS, None));
        let answer = frames(&outgoing(&conn));
        assert!(answer[0].is_close() && answer[0].payload.is_empty());
        assert_ends(&mut conn);
    }
}

#[test]
fn we_close() {
    for mut conn in both() {
        conn.close(START, CloseCode::GOING_AWAY, "restart").unwrap();
        assert!(!conn.is_open() && conn.stream() == Stream::Open && conn.poll_event().is_none());
        let sent = frames(&flush(&mut conn, START));
        assert_eq!((sent.len(), sent[0].code(), &sent[0].payload[2..]), (1, Some(1001), &b"restart"[..]));
        // Messages sent before the peer knew are still told, and nothing more is answered.
        let late = [text_from_peer(&conn, "late"), frame(true, Opcode::Ping, key(conn.role()), b"")].concat();
        assert_eq!(receive(&mut conn, START, &late), [Seen::Text("late".into()), Seen::Ping(Vec::new())]);
        assert_eq!(conn.outgoing_len(), 0);
        let close = close_from_peer(&conn, b"\x03\xE9");
        let closed = told(receive(&mut conn, START, &close));
        assert_eq!((closed.code.get(), closed.by, closed.error), (1001, Endpoint::Local, None));
        assert_eq!(conn.outgoing_len(), 0, "a second close frame");
        assert_ends(&mut conn);
    }
}

#[test]
fn both_close_at_once() {
    let (mut one, mut other) = (server(small()), client(small()));
    one.close(START, CloseCode::NORMAL, "one").unwrap();
    other.close(START, CloseCode::GOING_AWAY, "other").unwrap();
    let (from_one, from_other) = (flush(&mut one, START), flush(&mut other, START));
    for (conn, bytes) in [(&mut one, from_other), (&mut other, from_one)] {
        let closed = told(receive(conn, START, &bytes));
        assert_eq!((closed.by, closed.error), (Endpoint::Local, None));
        assert_eq!(conn.outgoing_len(), 0);
        assert_ends(conn);
    }
}

/// A violation while our own close frame is on its way ends the connection without a second frame.
#[test]
fn a_violation_while_closing() {
    for mut conn in both() {
        conn.close(START, CloseCode::NORMAL, "").unwrap();
        let closed = told(receive(&mut conn, START, &[0xFF]));
        assert_eq!(closed.error, Some(Error::ReservedBits));
        assert_eq!(frames(&outgoing(&conn)).len(), 1);
        assert_eq!(conn.stream(), Stream::HalfClosed);
    }
}

#[test]
fn a_reason_is_cut_between_characters() {
    for (reason, expected) in
        [("é".repeat(100), 122), ("a".repeat(123), 123), ("a".repeat(124), 123), ("💩".repeat(31), 120)]
    {
        for mut conn in both() {
            conn.close(START, CloseCode::POLICY, &reason).unwrap();
            let sent = frames(&outgoing(&conn));
            assert_eq!(sent[0].payload.len(), 2 + expected);
            assert!(reason.starts_with(std::str::from_utf8(&sent[0].payload[2..]).unwrap()));
        }
    }
}

#[test]
fn a_code_that_must_not_be_sent_leaves_the_frame_empty() {
    for code in [CloseCode::NO_STATUS, CloseCode::ABNORMAL] {
        let mut conn = server(small());
        conn.close(START, code, "why").unwrap();
        assert_eq!(outgoing(&conn), b"\x88\0");
    }
}

#[test]
fn the_end_of_the_stream_in_each_state() {
    let abnormal = |by, error| Closed { code: CloseCode::ABNORMAL, reason: String::new(), by, error: Some(error) };
    for mut conn in both() {
        let partial = text_from_peer(&conn, "not whole");
        receive(&mut conn, START, &partial[..5]);
        assert_eq!(closed(conn.receive_eof(START)), abnormal(Endpoint::Peer, Error::UnexpectedEof));
        assert_closed(&mut conn, START);
    }
    for mut conn in both() {
        conn.close(START, CloseCode::NORMAL, "").unwrap();
        let told = closed(conn.receive_eof(START));
        assert_eq!(told.error, Some(Error::UnexpectedEof));
        assert_closed(&mut conn, START);
    }
    for mut conn in both() {
        told(receive(&mut conn, START, &[0xFF]));
        assert!(conn.receive_eof(START).is_none());
        assert_closed(&mut conn, START);
    }
}

#[test]
fn the_end_of_the_stream_in_the_opening_handshake() {
    let mut conn = End::Server.connection(small(), START);
    let told_of = closed(conn.receive_eof(START));
    assert_eq!((told_of.error, told_of.by), (Some(Error::UnexpectedEof), Endpoint::Peer));
    assert_closed(&mut conn, START);

    let mut conn = End::Server.connection(small(), START);
    receive(&mut conn, START, b"GET / HT");
    let told_of = closed(conn.receive_eof(START));
    assert_eq!(told_of.error, Some(Error::Http(http::Error::UnexpectedEof)));
    assert_eq!(told_of.by, Endpoint::Peer, "it was the peer who ended the stream");
    assert_closed(&mut conn, START);
}

/// A peer that has ended the stream cannot be spoken with: accepting it afterwards must not leave a
/// connection behind that waits for bytes which never come.
#[test]
fn the_end_of_the_stream_before_the_handshake_is_answered() {
    let mut conn = asked(roomwire::ws::Config { ping_interval: None, ..small() });
    let mut ends = usize::from(conn.receive_eof(START).is_some());
    let _ = conn.accept(START, &roomwire::ws::Accept::new());
    ends += receive(&mut conn, START, &[]).len();
    // A driver says it once; the time-outs are off.
    assert_eq!((ends, conn.is_open()), (1, false));
    assert_closed(&mut conn, START);
}

/// The end by `reject` is told by whatever call comes next.
#[test]
fn a_rejection_is_told_by_the_next_call() {
    let reject = || {
        let mut conn = asked(small());
        conn.reject(START, Response::new(403)).unwrap();
        conn
    };
    let mut conn = reject();
    closed(conn.poll_event());
    let mut conn = reject();
    told(receive(&mut conn, START, b"more"));
    let mut conn = reject();
    closed(conn.receive_eof(START));
    assert_eq!(answered(&outgoing(&conn)).0, Some(403));
    assert_closed(&mut conn, START);
}

#[test]
fn abort_in_each_state() {
    let states: [fn() -> Connection; 5] = [
        || End::Server.connection(small(), START),
        || asked(small()),
        || server(small()),
        || {
            let mut conn = server(small());
            conn.close(START, CloseCode::NORMAL, "").unwrap();
            conn
        },
        || {
            let mut conn = asked(small());
            conn.reject(START, Response::new(403)).unwrap();
            conn
        },
    ];
    for state in states {
        let mut conn = state();
        conn.abort(START);
        assert_eq!((conn.outgoing_len(), conn.stream()), (0, Stream::Closed));
        assert_eq!(closed(conn.poll_event()).code, CloseCode::ABNORMAL);
        conn.abort(START);
        assert_closed(&mut conn, START);
    }
    let mut conn = server(small());
    told(receive(&mut conn, START, &[0xFF]));
    conn.abort(START);
    assert!(conn.poll_event().is_none(), "told twice");
    assert_closed(&mut conn, START);
}

#[test]
fn nothing_is_sent_after_a_close_frame() {
    for mut conn in both() {
        conn.close(START, CloseCode::NORMAL, "").unwrap();
        let before = visible(&conn);
        assert_eq!(conn.send(START, "x"), Err(SendError::NotOpen));
        assert_eq!(conn.send_prepared(START, &roomwire::ws::Prepared::text("x")), Err(SendError::NotOpen));
        assert_eq!(conn.ping(START, b""), Err(SendError::NotOpen));
        assert_eq!(conn.close(START, CloseCode::NORMAL, ""), Err(SendError::NotOpen));
        assert_eq!(visible(&conn), before);
    }
}
