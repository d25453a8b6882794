//! Any order of calls, at any time: the next time-out is in the future, the end comes once, and an
//! abandoned connection ends by itself.

use proptest::collection::vec;
use proptest::prelude::*;
use roomwire::http::Response;
use roomwire::ws::{Accept, CloseCode, Connection, Event};
use roomwire::{Instant, Stream};

use crate::clock::{START, after, assert_closed, millis, visible};
use crate::script::{cases, scripts};
use crate::support::ws::{End, small};

/// What a driver and an application may do, at any time.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Receive(usize),
    Sent(usize),
    Accept,
    Reject,
    Send(usize),
    Ping(usize),
    Close,
    Timeout,
    Eof,
    Abort,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u64..25_000).prop_map(Step::Wait),
        10 => (1usize..300).prop_map(Step::Receive),
        4 => prop_oneof![Just(0usize), 1usize..100, Just(usize::MAX)].prop_map(Step::Sent),
        6 => Just(Step::Accept),
        1 => Just(Step::Reject),
        4 => (0usize..2000).prop_map(Step::Send),
        1 => (0usize..130).prop_map(Step::Ping),
        1 => Just(Step::Close),
        8 => Just(Step::Timeout),
        1 => Just(Step::Eof),
        1 => Just(Step::Abort),
    ]
}

struct Driver {
    conn: Connection,
    now: Instant,
    told: u32,
    stream: Stream,
}

impl Driver {
    fn note(&mut self, event: Option<Event<'_>>) {
        assert!(event.is_none() || self.told == 0, "{event:?} after Closed");
        self.told += u32::from(matches!(event, Some(Event::Closed(_))));
        assert!(self.conn.stream() >= self.stream, "the stream went back");
        self.stream = self.conn.stream();
        assert!(!self.conn.is_open() || self.told == 0, "open after Closed");
    }

    fn timeout(&mut self) {
        let due = self.conn.poll_timeout().is_some_and(|due| due <= self.now);
        let before = visible(&self.conn);
        let event = self.conn.handle_timeout(self.now);
        assert!(self.conn.poll_timeout().is_none_or(|next| next > self.now), "a time-out that is due stays due");
        assert!(due || event.is_some() || visible(&self.conn) == before, "something happened too early");
        self.note(event);
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while let Some(event) = self.conn.receive(self.now, &mut input) {
            self.note(Some(event));
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn every_order_of_calls_leads_to_one_end((end, stream) in scripts(), steps in vec(step(), 1..50)) {
        let mut driver = Driver { conn: end.connection(small(), START), now: START, told: 0, stream: Stream::Open };
        let mut stream = &stream[..];
        for step in steps {
            let (now, conn) = (driver.now, &mut driver.conn);
            match step {
                Step::Wait(wait) => driver.now = after(now, millis(wait)),
                Step::Receive(count) => {
                    let (piece, rest) = stream.split_at(count.min(stream.len()));
                    stream = rest;
                    driver.receive(piece);
                }
                Step::Sent(count) => conn.sent(now, count),
                Step::Accept => drop(conn.accept(now, &Accept::new())),
                Step::Reject => drop(conn.reject(now, Response::new(403).body(vec![0; 500]))),
                Step::Send(size) => drop(conn.send(now, vec![0; size])),
                Step::Ping(size) => drop(conn.ping(now, &vec![0; size])),
                Step::Close => drop(conn.close(now, CloseCode::NORMAL, "done")),
                Step::Timeout => driver.timeout(),
                Step::Eof => {
                    let event = conn.receive_eof(now);
                    driver.note(event);
                }
                Step::Abort => conn.abort(now),
            }
            let event = driver.conn.poll_event();
            driver.note(event);
        }
        // Nobody does anything any more. An open connection pings first, and the close frame waits in vain.
        for _ in 0..8 {
            if let Some(due) = driver.conn.poll_timeout() {
                driver.now = driver.now.max(due);
                driver.timeout();
            }
        }
        prop_assert_eq!(driver.told, 1);
        assert_closed(&mut driver.conn, driver.now);
    }
}

/// The end of the stream is the last thing that a driver learns: whatever was to be told is told then,
/// and the connection cannot come back.
#[test]
fn after_the_end_of_the_stream_a_connection_is_over() {
    for end in [End::Server, End::ServerAfterUpgrade, End::ClientAfterUpgrade] {
        let mut conn = end.connection(small(), START);
        assert!(matches!(conn.receive_eof(START), Some(Event::Closed(_))));
        assert_closed(&mut conn, START);
    }
}
