//! Each time-out comes at exactly its time.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use roomwire::http::{Config, Connection, Error, Event, Response};
use roomwire::{Instant, Stream};

use crate::clock::{START, after, assert_closed, connection, feed, fires_at, outgoing, request};
use crate::script::{cases, script};
use crate::support::http::{responses, small};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn closed(event: Option<Event>) -> Option<Error> {
    match event {
        Some(Event::Closed { error }) => error,
        other => panic!("not closed but {other:?}"),
    }
}

#[test]
fn head_timeout_without_a_byte_ends_the_stream_in_silence() {
    let mut conn = connection(small());
    let at = after(START, small().head_timeout);
    assert_eq!(closed(fires_at(&mut conn, at)), None);
    assert_eq!((conn.outgoing_len(), conn.stream()), (0, Stream::HalfClosed));
}

#[test]
fn head_timeout_is_absolute() {
    let mut conn = connection(small());
    let at = after(START, small().head_timeout);
    for (step, byte) in GET.iter().take(GET.len() - 1).enumerate() {
        feed(&mut conn, after(START, Duration::from_millis(10 * step as u64)), &[*byte]);
    }
    assert_eq!(closed(fires_at(&mut conn, at)), Some(Error::Timeout));
    assert_eq!(responses(&outgoing(&conn), &[])[0].status, 408);
}

#[test]
fn head_timeout_of_a_later_request_runs_from_its_first_byte() {
    // Whether it begins early or at the last moment of the idle time.
    for patience in [Duration::from_millis(5), small().idle_timeout - Duration::from_millis(1)] {
        let mut conn = connection(small());
        request(&mut conn, START, GET);
        conn.respond(START, Response::new(200)).unwrap();
        conn.sent(START, usize::MAX);
        let begun = after(START, patience);
        feed(&mut conn, begun, b"G");
        feed(&mut conn, after(begun, Duration::from_millis(500)), b"ET ");
        assert_eq!(closed(fires_at(&mut conn, after(begun, small().head_timeout))), Some(Error::Timeout));
    }
}

#[test]
fn empty_lines_do_not_extend_the_head_timeout() {
    let mut conn = connection(small());
    feed(&mut conn, after(START, Duration::from_millis(1000)), b"\r\n");
    assert_eq!(conn.poll_timeout(), Some(after(START, small().head_timeout)));
}

#[test]
fn body_timeout_runs_from_the_end_of_the_head() {
    let mut conn = connection(small());
    let begun = after(START, Duration::from_millis(700));
    feed(&mut conn, begun, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    feed(&mut conn, after(begun, Duration::from_millis(2000)), b"def");
    assert_eq!(closed(fires_at(&mut conn, after(begun, small().body_timeout))), Some(Error::Timeout));
    assert_eq!(responses(&outgoing(&conn), &[])[0].status, 408);
}

#[test]
fn idle_timeout_ends_a_kept_stream_in_silence() {
    let mut conn = connection(small());
    request(&mut conn, START, GET);
    let answered = after(START, Duration::from_millis(100));
    conn.respond(answered, Response::new(200)).unwrap();
    conn.sent(answered, usize::MAX);
    assert_eq!(closed(fires_at(&mut conn, after(answered, small().idle_timeout))), None);
    assert_eq!(conn.outgoing_len(), 0);
}

/// While the peer reads an answer it is not idle, however long that takes; its idle time begins when it has all of it.
#[test]
fn who_reads_an_answer_is_not_idle() {
    let (idle, step) = (small().idle_timeout, small().write_timeout - Duration::from_millis(1));
    let mut conn = connection(small());
    request(&mut conn, START, GET);
    conn.respond(START, Response::new(200).body(vec![0; 200_000])).unwrap();
    let mut now = START;
    while conn.outgoing_len() > 17_000 || now < after(START, 2 * idle) {
        while let Some(due) = conn.poll_timeout().filter(|due| *due <= after(now, step)) {
            assert!(conn.handle_timeout(due).is_none());
            assert!(conn.poll_timeout().is_none_or(|next| next > due));
        }
        now = after(now, step);
        conn.sent(now, 17_000.min(conn.outgoing_len() - 1));
        assert_eq!(conn.stream(), Stream::Open, "with {} bytes unread", conn.outgoing_len());
    }
    conn.sent(now, usize::MAX);
    // Nothing is written any more, however often that is said.
    conn.sent(after(now, step), 0);
    conn.sent(after(now, step), usize::MAX);
    assert_eq!(closed(fires_at(&mut conn, after(now, idle))), None);
}

#[test]
fn answer_timeout_is_answered_by_503() {
    let mut conn = connection(small());
    let asked = after(START, Duration::from_millis(100));
    request(&mut conn, asked, GET);
    assert!(!conn.wants_read());
    assert_eq!(closed(fires_at(&mut conn, after(asked, small().answer_timeout))), Some(Error::AnswerTimeout));
    assert_eq!(responses(&outgoing(&conn), &["GET"])[0].status, 503);
    assert!(conn.respond(asked, Response::new(200)).is_err());
}

#[test]
fn an_error_that_answers_head_has_no_body() {
    let mut conn = connection(small());
    request(&mut conn, START, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    closed(fires_at(&mut conn, after(START, small().answer_timeout)));
    assert_eq!(responses(&outgoing(&conn), &["HEAD"]).len(), 1);
}

#[test]
fn c14_write_timeout_gives_up_who_reads_nothing() {
    let config = Config { idle_timeout: Duration::from_secs(60), ..small() };
    let mut conn = connection(config);
    request(&mut conn, START, GET);
    conn.respond(START, Response::new(200).body(vec![0; 100_000])).unwrap();
    // 16 KiB that get through are progress; a byte now and then is not.
    let read = after(START, Duration::from_millis(3000));
    conn.sent(read, 16 * 1024);
    conn.sent(after(read, Duration::from_millis(2000)), 1);
    let at = after(read, config.write_timeout);
    assert_eq!(closed(fires_at(&mut conn, at)), Some(Error::WriteTimeout));
    assert_eq!(conn.outgoing_len(), 0);
    assert_closed(&mut conn, at);
}

/// The linger time is for a peer that has everything and does not end; a slow reader of a long last answer
/// has all the time that it uses.
#[test]
fn linger_timeout_runs_from_the_last_byte_written() {
    let mut conn = connection(small());
    request(&mut conn, START, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    conn.respond(START, Response::new(200).body(vec![0; 4000])).unwrap();
    assert!(matches!(conn.poll_event(), Some(Event::Closed { error: None })));
    let mut now = START;
    while conn.outgoing_len() > 0 {
        now = after(now, Duration::from_millis(100));
        if conn.poll_timeout().is_some_and(|due| due <= now) {
            assert!(conn.handle_timeout(now).is_none());
        }
        assert!(conn.outgoing_len() > 0, "the answer was cut off");
        conn.sent(now, 500);
    }
    assert_eq!(conn.stream(), Stream::HalfClosed);
    let at = after(now, small().linger_timeout);
    assert!(fires_at(&mut conn, at).is_none());
    assert_closed(&mut conn, at);
}

/// Nothing is undone when the clock is set back, and no deadline moves.
#[test]
fn time_that_goes_backwards_is_harmless() {
    let mut conn = connection(small());
    let late = after(START, Duration::from_millis(900));
    feed(&mut conn, late, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
    let due = conn.poll_timeout();
    assert_eq!(due, Some(after(late, small().body_timeout)));
    assert!(conn.handle_timeout(Instant::ORIGIN).is_none());
    conn.sent(Instant::ORIGIN, 0);
    assert_eq!(conn.poll_timeout(), due);
    request(&mut conn, Instant::ORIGIN, b"x");
    assert_eq!(conn.poll_timeout(), Some(after(late, small().answer_timeout)));
}

/// Who sets a time-out to zero is told that it cannot work, or gets what works: never a time-out that stays due.
#[test]
fn a_timeout_of_zero_is_refused_or_harmless() {
    let fields: [fn(&mut Config) -> &mut Duration; 6] = [
        |config| &mut config.head_timeout,
        |config| &mut config.body_timeout,
        |config| &mut config.idle_timeout,
        |config| &mut config.answer_timeout,
        |config| &mut config.write_timeout,
        |config| &mut config.linger_timeout,
    ];
    for (nth, field) in fields.into_iter().enumerate() {
        let mut config = small();
        *field(&mut config) = Duration::ZERO;
        if config.validate().is_err() {
            continue;
        }
        let mut conn = connection(config);
        let mut now = START;
        let mut input = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\n"[..];
        while let Some(Event::Request(_)) = conn.receive(now, &mut input) {
            conn.respond(now, Response::new(200)).unwrap();
        }
        while let Some(due) = conn.poll_timeout() {
            now = now.max(due);
            let _ = conn.handle_timeout(now);
            assert!(conn.poll_timeout().is_none_or(|next| next > now), "field {nth}: still due");
        }
    }
}

/// What a driver and an application may do, at any time.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Receive(usize),
    Sent(usize),
    Respond,
    RespondLast,
    Timeout,
    Eof,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..8000).prop_map(Step::Wait),
        6 => (1usize..200).prop_map(Step::Receive),
        3 => prop_oneof![Just(0usize), 1usize..100, Just(usize::MAX)].prop_map(Step::Sent),
        4 => Just(Step::Respond),
        1 => Just(Step::RespondLast),
        4 => Just(Step::Timeout),
        1 => Just(Step::Eof),
        1 => Just(Step::Close),
    ]
}

struct Driver {
    conn: Connection,
    now: Instant,
    told: u32,
    stream: Stream,
}

impl Driver {
    fn note(&mut self, event: Option<Event>) {
        assert!(event.is_none() || self.told == 0, "{event:?} after Closed");
        self.told += u32::from(matches!(event, Some(Event::Closed { .. })));
        assert!(self.conn.stream() >= self.stream, "the stream went back");
        self.stream = self.conn.stream();
    }

    fn timeout(&mut self) {
        let due = self.conn.poll_timeout().is_some_and(|due| due <= self.now);
        let before = (self.conn.poll_timeout(), self.conn.stream(), outgoing(&self.conn));
        let event = self.conn.handle_timeout(self.now);
        assert!(self.conn.poll_timeout().is_none_or(|next| next > self.now), "a time-out that is due stays due");
        if !due && event.is_none() {
            assert_eq!((self.conn.poll_timeout(), self.conn.stream(), outgoing(&self.conn)), before);
        }
        self.note(event);
    }
}

proptest! {
    #![proptest_config(cases(600))]

    /// In any order of calls the next time-out is in the future, and an abandoned connection ends by itself.
    #[test]
    fn every_order_of_calls_leads_to_one_end(stream in script(), steps in vec(step(), 1..40)) {
        let mut driver = Driver { conn: connection(small()), now: START, told: 0, stream: Stream::Open };
        let mut stream = &stream[..];
        for step in steps {
            let (now, conn) = (driver.now, &mut driver.conn);
            match step {
                Step::Wait(millis) => driver.now = after(now, Duration::from_millis(millis)),
                Step::Receive(count) => {
                    let (mut input, rest) = stream.split_at(count.min(stream.len()));
                    stream = rest;
                    while let Some(event) = driver.conn.receive(now, &mut input) {
                        driver.note(Some(event));
                    }
                }
                Step::Sent(count) => conn.sent(now, count),
                Step::Respond => drop(conn.respond(now, Response::new(200).body(vec![0; 300]))),
                Step::RespondLast => drop(conn.respond_last(now, Response::new(200))),
                Step::Timeout => driver.timeout(),
                Step::Eof => {
                    let event = conn.receive_eof(now);
                    driver.note(event);
                }
                Step::Close => conn.close(now),
            }
            let event = driver.conn.poll_event();
            driver.note(event);
        }
        // Nobody does anything any more.
        for _ in 0..6 {
            if let Some(due) = driver.conn.poll_timeout() {
                driver.now = driver.now.max(due);
                driver.timeout();
            }
        }
        assert_closed(&mut driver.conn, driver.now);
        prop_assert_eq!(driver.told, 1);
    }
}
