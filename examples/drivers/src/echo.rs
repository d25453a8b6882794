//! The application of all the servers here: everybody is let in, and every message is sent back.

use roomwire::{Instant, ws};

/// These bytes were received.
pub fn received(conn: &mut ws::Connection, now: Instant, mut input: &mut [u8]) {
    while let Some(event) = conn.receive(now, &mut input) {
        answer(conn, now, event);
    }
}

/// The same where a frame that is not whole can wait in the buffer, which has room for so many bytes; how many are left.
pub fn received_in_place(conn: &mut ws::Connection, now: Instant, mut input: &mut [u8], room: usize) -> usize {
    while let Some(event) = conn.receive_in_place(now, &mut input, room) {
        answer(conn, now, event);
    }
    input.len()
}

/// The peer will send no more.
pub fn ended(conn: &mut ws::Connection, now: Instant) {
    let first = conn.receive_eof(now);
    answer_all(conn, now, first);
}

/// The connection's deadline may have come.
pub fn time_passed(conn: &mut ws::Connection, now: Instant) {
    let first = conn.handle_timeout(now);
    answer_all(conn, now, first);
}

fn answer_all(conn: &mut ws::Connection, now: Instant, first: Option<ws::Event<'_>>) {
    let mut next = first;
    while let Some(event) = next {
        answer(conn, now, event);
        next = conn.poll_event();
    }
}

#[inline]
fn answer(conn: &mut ws::Connection, now: Instant, event: ws::Event<'_>) {
    match event {
        ws::Event::Upgrade(_) => drop(conn.accept(now, &ws::Accept::new())),
        ws::Event::Message(message) => drop(conn.send(now, message)),
        _ => {}
    }
}
