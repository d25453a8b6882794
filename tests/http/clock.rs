//! A connection under virtual time.

use std::sync::Arc;
use std::time::Duration;

use roomwire::http::{Config, Connection, Event, Request};
use roomwire::{Instant, Stream};

/// Not the origin, so that nothing is right by chance.
pub const START: Instant = Instant::from_nanos(1_000_000_007);

pub fn after(earlier: Instant, span: Duration) -> Instant {
    earlier.saturating_add(span)
}

pub fn connection(config: Config) -> Connection {
    Connection::new(Arc::new(config), START)
}

/// Feeds what yields no event.
pub fn feed(conn: &mut Connection, now: Instant, bytes: &[u8]) {
    let mut input = bytes;
    assert!(conn.receive(now, &mut input).is_none() && input.is_empty());
}

/// Feeds what is the end of one request.
pub fn request(conn: &mut Connection, now: Instant, bytes: &[u8]) -> Request {
    let mut input = bytes;
    match conn.receive(now, &mut input) {
        Some(Event::Request(request)) if input.is_empty() => request,
        other => panic!("no request but {other:?}"),
    }
}

pub fn outgoing(conn: &Connection) -> Vec<u8> {
    conn.outgoing().collect::<Vec<_>>().concat()
}

/// Asserts that nothing is due a nanosecond before `at`, and yields what comes at that time.
pub fn fires_at(conn: &mut Connection, at: Instant) -> Option<Event> {
    let state = |conn: &Connection| (conn.poll_timeout(), conn.stream(), outgoing(conn));
    let before = state(conn);
    assert_eq!(before.0, Some(at));
    assert!(conn.handle_timeout(Instant::from_nanos(at.as_nanos() - 1)).is_none());
    assert_eq!(state(conn), before, "something happened too early");
    let event = conn.handle_timeout(at);
    assert!(conn.poll_timeout().is_none_or(|next| next > at), "still due");
    event
}

/// The stream is over and nothing is left to wait for.
pub fn assert_closed(conn: &mut Connection, now: Instant) {
    assert_eq!((conn.stream(), conn.poll_timeout()), (Stream::Closed, None));
    assert!(conn.poll_event().is_none() && conn.receive_eof(now).is_none() && !conn.wants_read());
}
