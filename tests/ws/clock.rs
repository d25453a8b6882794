//! Connections under virtual time.

use std::sync::Arc;
use std::time::Duration;

use roomwire::ws::{Closed, Config, Connection, Event};
use roomwire::{Instant, Stream};

use crate::support::ws::{End, Seen, flush, opening, outgoing, receive};

/// Not the origin, so that nothing is right by chance.
pub const START: Instant = Instant::from_nanos(1_000_000_007);

pub fn after(earlier: Instant, span: Duration) -> Instant {
    earlier.saturating_add(span)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A server behind the opening handshake.
pub fn server(config: Config) -> Connection {
    Connection::server_after_upgrade(Arc::new(config), START)
}

/// A client behind the opening handshake.
pub fn client(config: Config) -> Connection {
    Connection::client_after_upgrade(Arc::new(config), [9; 32], START)
}

/// A server that has been asked to upgrade and has not answered.
pub fn asked(config: Config) -> Connection {
    let mut conn = End::Server.connection(config, START);
    assert!(matches!(receive(&mut conn, START, &opening("/"))[..], [Seen::Upgrade { .. }]));
    conn
}

pub fn closed(event: Option<Event<'_>>) -> Closed {
    match event {
        Some(Event::Closed(closed)) => *closed,
        other => panic!("not closed but {other:?}"),
    }
}

/// Everything about a connection that can be seen.
pub fn visible(conn: &Connection) -> (Option<Instant>, Stream, Vec<u8>, bool, bool) {
    (conn.poll_timeout(), conn.stream(), outgoing(conn), conn.is_open(), conn.wants_read())
}

/// Asserts that nothing is due a nanosecond before `at`, and yields what comes at that time.
pub fn fires_at(conn: &mut Connection, at: Instant) -> Option<Event<'static>> {
    let before = visible(conn);
    assert_eq!(before.0, Some(at));
    assert!(conn.handle_timeout(Instant::from_nanos(at.as_nanos() - 1)).is_none());
    assert_eq!(visible(conn), before, "something happened too early");
    let event = conn.handle_timeout(at);
    assert!(conn.poll_timeout().is_none_or(|next| next > at), "still due");
    event
}

/// It is over, and nothing is left to wait for once everything is written.
pub fn assert_closed(conn: &mut Connection, now: Instant) {
    assert_eq!(conn.stream(), Stream::Closed);
    assert!(!conn.is_open() && !conn.wants_read());
    assert!(conn.poll_event().is_none() && conn.receive_eof(now).is_none());
    flush(conn, now);
    assert_eq!((conn.poll_timeout(), conn.outgoing_len()), (None, 0));
}
