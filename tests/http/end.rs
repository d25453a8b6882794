//! How a stream ends, in each of its states, and what an application may not do.

use roomwire::Stream;
use roomwire::http::{Connection, Error, Event, RespondError, Response};

use crate::clock::{START, assert_closed, connection, feed, outgoing, request};
use crate::support::http::{responses, small};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn eof(conn: &mut Connection) -> Option<Option<Error>> {
    conn.receive_eof(START).map(|event| match event {
        Event::Closed { error } => error,
        other => panic!("{other:?}"),
    })
}

#[test]
fn eof_before_a_request() {
    let mut conn = connection(small());
    assert_eq!(eof(&mut conn), Some(None));
    assert_closed(&mut conn, START);
}

#[test]
fn eof_within_a_head_or_body() {
    for part in [&b"G"[..], &GET[..GET.len() - 1], b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"] {
        let mut conn = connection(small());
        feed(&mut conn, START, part);
        assert_eq!(eof(&mut conn), Some(Some(Error::UnexpectedEof)));
        assert_eq!(conn.outgoing_len(), 0);
        assert_closed(&mut conn, START);
    }
}

#[test]
fn eof_while_the_application_thinks() {
    let mut conn = connection(small());
    request(&mut conn, START, GET);
    assert_eq!(eof(&mut conn), None);
    conn.respond(START, Response::new(200).text("still there")).unwrap();
    assert!(matches!(conn.poll_event(), Some(Event::Closed { error: None })));
    assert_eq!(conn.stream(), Stream::Closed);
    assert_eq!(responses(&outgoing(&conn), &["GET"])[0].body, b"still there");
}

#[test]
fn eof_while_draining_and_again() {
    let mut conn = connection(small());
    request(&mut conn, START, CLOSE);
    conn.respond(START, Response::new(200)).unwrap();
    assert_eq!(conn.stream(), Stream::HalfClosed);
    assert_eq!((eof(&mut conn), eof(&mut conn)), (Some(None), None));
    assert_eq!(conn.stream(), Stream::Closed);
    assert!(conn.outgoing_len() > 0, "the answer still goes out");
}

#[test]
fn an_end_that_the_application_wants() {
    let mut conn = connection(small());
    request(&mut conn, START, GET);
    conn.respond_last(START, Response::new(200)).unwrap();
    assert_eq!(responses(&outgoing(&conn), &["GET"])[0].headers.last().unwrap().1, "close");
    conn.close(START);
    assert!(matches!(conn.poll_event(), Some(Event::Closed { error: None })));
    assert!(conn.poll_event().is_none());

    let mut conn = connection(small());
    conn.close(START);
    assert!(matches!(conn.poll_event(), Some(Event::Closed { error: None })));
    feed(&mut conn, START, GET);
    assert!(eof(&mut conn).is_none());
    assert_closed(&mut conn, START);
}

#[test]
fn an_answer_without_a_question_changes_nothing() {
    let mut conn = connection(small());
    assert_eq!(conn.respond(START, Response::new(200)), Err(RespondError::NoRequest));
    assert_eq!(conn.respond_last(START, Response::new(200)), Err(RespondError::NoRequest));
    request(&mut conn, START, GET);
    conn.respond(START, Response::new(200)).unwrap();
    let before = (outgoing(&conn), conn.poll_timeout(), conn.stream());
    assert_eq!(conn.respond(START, Response::new(200)), Err(RespondError::NoRequest));
    assert_eq!(conn.respond_last(START, Response::new(200)), Err(RespondError::NoRequest));
    assert_eq!((outgoing(&conn), conn.poll_timeout(), conn.stream()), before);
    request(&mut conn, START, GET);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |change: fn(&mut roomwire::http::Config)| {
        let mut config = roomwire::http::Config::default();
        assert!(config.validate().is_ok() && small().validate().is_ok());
        change(&mut config);
        config.validate().is_err()
    };
    assert!(refused(|config| config.limits.head_bytes_max = 0));
    assert!(refused(|config| config.limits.headers_max = 0));
    assert!(refused(|config| config.limits.target_bytes_max = 0));
    assert!(refused(|config| config.limits.body_bytes_max = usize::MAX));
    // With it `wants_read` would never be true.
    assert!(refused(|config| config.pipelined_bytes_max = 0));
}
