//! Each time-out comes at exactly its time.

use std::time::Duration;

use roomwire::http::{self, Response};
use roomwire::ws::{Accept, CloseCode, Config, Connection, Endpoint, Error, Limits, Opcode, Role};
use roomwire::{Instant, Stream};

use crate::clock::{START, after, asked, assert_closed, client, closed, fires_at, millis, server};
use crate::support::ws::{
    End, Frame, Seen, answered, flush, frame, frames, key, masked, opening, outgoing, receive, small,
};

const PING: &[u8] = b"\x89\0";

fn both() -> [Connection; 2] {
    [server(small()), client(small())]
}

/// A frame from the peer of `conn`.
fn from_peer(conn: &Connection, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    frame(true, opcode, key(conn.role()), payload)
}

#[test]
fn the_opening_handshake_has_the_timeouts_of_http() {
    let config = small();
    let mut conn = End::Server.connection(config.clone(), START);
    receive(&mut conn, START, b"GET ");
    let at = after(START, config.http.head_timeout);
    let told = closed(fires_at(&mut conn, at));
    assert_eq!((told.error, told.code), (Some(Error::Http(http::Error::Timeout)), CloseCode::ABNORMAL));
    assert_eq!(answered(&outgoing(&conn)).0, Some(408));
    flush(&mut conn, at);
    assert!(fires_at(&mut conn, after(at, config.http.linger_timeout)).is_none());
    assert_closed(&mut conn, at);

    let mut conn = End::Server.connection(config.clone(), START);
    let told = closed(fires_at(&mut conn, at));
    assert_eq!(told.error, Some(Error::Http(http::Error::Timeout)));
    assert_eq!(conn.outgoing_len(), 0);

    let mut conn = asked(config.clone());
    let at = after(START, config.http.answer_timeout);
    let told = closed(fires_at(&mut conn, at));
    assert_eq!(told.error, Some(Error::Http(http::Error::AnswerTimeout)));
    assert_eq!(answered(&outgoing(&conn)).0, Some(503));
}

/// RFC 6455 has no keepalive; this one sends a ping after silence and takes any byte as its answer.
#[test]
fn keepalive_pings_after_silence() {
    let config = small();
    for mut conn in both() {
        let ping = after(START, config.ping_interval.unwrap());
        assert!(fires_at(&mut conn, ping).is_none());
        let sent = frames(&flush(&mut conn, ping));
        assert!(matches!(&sent[..], [Frame { first: 0x89, payload, .. }] if payload.is_empty()));
        // One byte of anything is a sign of life …
        let heard = after(ping, millis(20_010));
        let pong = from_peer(&conn, Opcode::Pong, b"");
        receive(&mut conn, heard, &pong[..1]);
        let ping = after(heard, config.ping_interval.unwrap());
        assert!(fires_at(&mut conn, ping).is_none());
        flush(&mut conn, ping);
        // … and without any the connection is given up.
        let given_up = after(ping, config.ping_timeout);
        let told = closed(fires_at(&mut conn, given_up));
        assert_eq!((told.error, told.by), (Some(Error::PingTimeout), Endpoint::Local));
        assert_eq!(frames(&flush(&mut conn, given_up))[0].code(), Some(1011));
        assert!(fires_at(&mut conn, after(given_up, config.close_timeout)).is_none());
        assert_closed(&mut conn, given_up);
    }
}

/// Also one that is kept without a word of it.
#[test]
fn a_fragment_is_a_sign_of_life() {
    for mut conn in both() {
        let heard = after(START, millis(10));
        let fragment = frame(false, Opcode::Text, key(conn.role()), b"to be continued");
        assert!(receive(&mut conn, heard, &fragment).is_empty());
        assert_eq!(conn.poll_timeout(), Some(after(heard, small().ping_interval.unwrap())));
    }
}

#[test]
fn what_is_sent_is_no_sign_of_life() {
    let mut conn = server(small());
    conn.send(after(START, millis(10_000)), "x").unwrap();
    flush(&mut conn, after(START, millis(10_000)));
    assert!(fires_at(&mut conn, after(START, small().ping_interval.unwrap())).is_none());
    assert_eq!(outgoing(&conn), PING);
}

#[test]
fn without_keepalive_an_open_connection_waits_for_ever() {
    let mut conn = server(Config { ping_interval: None, ..small() });
    assert_eq!(conn.poll_timeout(), None);
    receive(&mut conn, after(START, millis(1)), &masked(Opcode::Text, b"x"));
    assert_eq!(conn.poll_timeout(), None);
}

#[test]
fn the_interval_begins_with_the_acceptance() {
    let mut conn = asked(small());
    let accepted = after(START, millis(3000));
    conn.accept(accepted, &Accept::new()).unwrap();
    flush(&mut conn, accepted);
    assert!(fires_at(&mut conn, after(accepted, small().ping_interval.unwrap())).is_none());
    assert_eq!(outgoing(&conn), PING);
}

#[test]
fn close_timeout_is_absolute() {
    for mut conn in both() {
        conn.close(START, CloseCode::NORMAL, "").unwrap();
        flush(&mut conn, START);
        let at = after(START, small().close_timeout);
        // Messages do not extend it.
        let message = from_peer(&conn, Opcode::Text, b"still here");
        assert_eq!(receive(&mut conn, after(START, millis(5000)), &message), [Seen::Text("still here".into())]);
        let told = closed(fires_at(&mut conn, at));
        assert_eq!((told.error, told.code, told.by), (Some(Error::CloseTimeout), CloseCode::ABNORMAL, Endpoint::Local));
        assert_closed(&mut conn, at);
    }
}

/// After the closing handshake the server closes the stream, the client waits for that (section 7.1.1).
#[test]
fn a_client_waits_for_the_end_of_the_stream() {
    let mut conn = client(small());
    let close = from_peer(&conn, Opcode::Close, b"\x03\xE8");
    assert!(matches!(receive(&mut conn, START, &close)[..], [Seen::Closed(_)]));
    flush(&mut conn, START);
    assert_eq!(conn.stream(), Stream::HalfClosed);
    let at = after(START, small().close_timeout);
    assert!(fires_at(&mut conn, at).is_none());
    assert_closed(&mut conn, at);
}

#[test]
fn c09_a_peer_that_never_ends_the_stream() {
    for mut conn in both() {
        receive(&mut conn, START, &[0xFF]);
        flush(&mut conn, START);
        assert_eq!(conn.stream(), Stream::HalfClosed);
        // It may go on sending: that is discarded, and extends nothing.
        let at = after(START, small().close_timeout);
        assert!(receive(&mut conn, after(START, millis(4000)), &[0xFF; 1000]).is_empty());
        assert!(fires_at(&mut conn, at).is_none(), "told before");
        assert_closed(&mut conn, at);
    }
}

#[test]
fn c14_a_peer_that_stops_reading() {
    for mut conn in both() {
        conn.send(START, &[1; 50_000][..]).unwrap();
        let read = after(START, millis(8000));
        conn.sent(read, 16 * 1024);
        // A byte now and then is no progress.
        conn.sent(after(read, millis(8000)), 1);
        // What is received is none either.
        let ping = from_peer(&conn, Opcode::Ping, b"");
        receive(&mut conn, after(read, millis(8500)), &ping);
        let at = after(read, small().write_timeout);
        let told = closed(fires_at(&mut conn, at));
        assert_eq!((told.error, told.code), (Some(Error::WriteTimeout), CloseCode::ABNORMAL));
        assert_eq!(conn.outgoing_len(), 0);
        assert_closed(&mut conn, at);
    }
}

/// What is queued while the time runs is not asked for in it: who has taken all that waited when it began has done its part.
#[test]
fn what_is_queued_meanwhile_has_its_own_time() {
    let config = Config { ping_interval: None, ..small() };
    for mut conn in [server(config.clone()), client(config)] {
        let write_timeout = small().write_timeout;
        conn.send(START, &[1; 1000][..]).unwrap();
        let waited = conn.outgoing_len();
        let mut now = after(START, millis(4000));
        conn.send(now, &[2; 50_000][..]).unwrap();
        // Not all but a byte …
        conn.sent(now, waited - 1);
        assert_eq!(conn.poll_timeout(), Some(after(START, write_timeout)));
        now = after(START, millis(8000));
        conn.sent(now, 1);
        assert_eq!(conn.poll_timeout(), Some(after(now, write_timeout)));
        // … and of the rest 16 KiB, as long as there is so much.
        let (begun, step) = (now, write_timeout - millis(1));
        conn.sent(after(begun, step), 16 * 1024 - 1);
        assert_eq!(conn.poll_timeout(), Some(after(begun, write_timeout)));
        now = after(begun, step);
        conn.sent(now, 1);
        now = after(now, step);
        conn.sent(now, 32 * 1024);
        let rest = conn.outgoing_len();
        assert!((1..16 * 1024).contains(&rest), "{rest}");
        conn.send(now, &[3; 1000][..]).unwrap();
        conn.sent(after(now, step), rest - 1);
        let told = closed(fires_at(&mut conn, after(now, write_timeout)));
        assert_eq!(told.error, Some(Error::WriteTimeout));
    }
}

#[test]
fn c14_the_write_timeout_holds_in_every_state() {
    let config = Config { close_timeout: millis(60_000), ..small() };
    type Enter = fn(&mut Connection);
    // Each with whether its end was told before.
    let states: [(Enter, bool); 3] = [
        (|conn| conn.close(START, CloseCode::NORMAL, "").unwrap(), false),
        (|conn| drop(receive(conn, START, &[0xFF])), true),
        (|conn| drop(receive(conn, START, &masked(Opcode::Close, b"\x03\xE8"))), true),
    ];
    for (enter, told) in states {
        let mut conn = server(config.clone());
        enter(&mut conn);
        let at = after(START, config.write_timeout);
        assert_eq!(fires_at(&mut conn, at).is_none(), told);
        assert_eq!(conn.outgoing_len(), 0);
        assert_closed(&mut conn, at);
    }
    let mut conn = asked(config.clone());
    conn.accept(START, &Accept::new()).unwrap();
    let told = closed(fires_at(&mut conn, after(START, config.write_timeout)));
    assert_eq!(told.error, Some(Error::WriteTimeout));
    let mut conn = asked(config.clone());
    conn.reject(START, Response::new(403).body(vec![0; 5000])).unwrap();
    closed(conn.poll_event());
    let mut now = START;
    while conn.stream() != Stream::Closed {
        now = conn.poll_timeout().expect("it never ends");
        assert!(conn.handle_timeout(now).is_none());
    }
    assert!(now <= after(START, config.http.write_timeout + config.http.linger_timeout));
}

/// Nothing is undone when the clock is set back, and no deadline moves.
#[test]
fn time_that_goes_backwards_is_harmless() {
    let mut conn = server(small());
    let late = after(START, millis(20_000));
    receive(&mut conn, late, &masked(Opcode::Ping, b""));
    flush(&mut conn, late);
    let due = conn.poll_timeout();
    assert_eq!(due, Some(after(late, small().ping_interval.unwrap())));
    receive(&mut conn, Instant::ORIGIN, &masked(Opcode::Text, b"x"));
    assert!(conn.handle_timeout(Instant::ORIGIN).is_none());
    conn.send(Instant::ORIGIN, "x").unwrap();
    assert_eq!(conn.poll_timeout(), Some(after(late, small().write_timeout)));
    flush(&mut conn, Instant::ORIGIN);
    assert_eq!(conn.poll_timeout(), due);
    conn.close(Instant::ORIGIN, CloseCode::NORMAL, "").unwrap();
    flush(&mut conn, Instant::ORIGIN);
    assert_eq!(conn.poll_timeout(), Some(after(late, small().close_timeout)));
}

/// A stream that was upgraded keeps no deadline of the handshake.
#[test]
fn an_accepted_handshake_has_no_deadline_left() {
    let mut conn = End::Server.connection(Config { ping_interval: None, ..small() }, START);
    receive(&mut conn, START, &opening("/"));
    conn.accept(START, &Accept::new()).unwrap();
    flush(&mut conn, START);
    assert_eq!(conn.poll_timeout(), None);
}

/// Who sets a time-out to zero is told that it cannot work, or gets what works: never a time-out that stays due.
#[test]
fn a_timeout_of_zero_is_refused_or_harmless() {
    let changes: [fn(&mut Config); 4] = [
        |config| config.ping_interval = Some(Duration::ZERO),
        |config| config.ping_timeout = Duration::ZERO,
        |config| config.close_timeout = Duration::ZERO,
        |config| config.write_timeout = Duration::ZERO,
    ];
    for (nth, change) in changes.into_iter().enumerate() {
        let mut config = small();
        change(&mut config);
        if config.validate().is_err() {
            continue;
        }
        for mut conn in [server(config.clone()), client(config)] {
            let mut now = START;
            while let Some(due) = conn.poll_timeout() {
                now = now.max(due);
                let _ = conn.handle_timeout(now);
                assert!(conn.poll_timeout().is_none_or(|next| next > now), "change {nth}: still due");
            }
        }
    }
}

/// A close frame behind much is not read at once; who goes on reading has its time from then on.
#[test]
fn the_close_timeout_begins_when_everything_is_written() {
    let config = Config::default();
    for mut conn in [server(config.clone()), client(config.clone())] {
        conn.send(START, vec![1; 400_000]).unwrap();
        conn.close(START, CloseCode::NORMAL, "").unwrap();
        let (mut now, step) = (START, config.write_timeout - millis(1));
        assert!(step > config.close_timeout);
        while conn.outgoing_len() > 0 {
            now = after(now, step);
            assert!(conn.handle_timeout(now).is_none(), "{} bytes are unwritten", conn.outgoing_len());
            conn.sent(now, 50_000);
        }
        let at = after(now, config.close_timeout);
        assert_eq!(closed(fires_at(&mut conn, at)).error, Some(Error::CloseTimeout));
        assert_closed(&mut conn, at);
    }
}

/// The same for our last frame after a violation; who reads nothing has the write time-out.
#[test]
fn who_reads_nothing_at_the_end_has_the_write_timeout() {
    for close in [true, false] {
        for mut conn in both() {
            conn.send(START, vec![1; 40_000]).unwrap();
            if close {
                conn.close(START, CloseCode::NORMAL, "").unwrap();
            } else {
                assert!(matches!(receive(&mut conn, START, &[0xFF])[..], [Seen::Closed(_)]));
            }
            let at = after(START, small().write_timeout);
            let told = fires_at(&mut conn, at);
            assert_eq!(told.map(|told| closed(Some(told)).error), close.then_some(Some(Error::WriteTimeout)));
            assert_closed(&mut conn, at);
        }
    }
}

/// A ping stands behind what is not read yet, though it is little.
#[test]
fn a_ping_behind_a_rest_may_wait() {
    let (mut conn, mut now, mut pings) = (server(Config::default()), START, 0);
    conn.send(now, vec![7; 40_000]).unwrap();
    assert!(conn.wants_read());
    for _ in 0..300 {
        now = after(now, millis(1000));
        conn.send(now, vec![7; 1490]).unwrap();
        let written = outgoing(&conn)[..1500].to_vec();
        conn.sent(now, 1500);
        // It is answered as soon as it is read.
        if written.windows(2).any(|two| two == PING) {
            pings += 1;
            let pong = from_peer(&conn, Opcode::Pong, b"");
            receive(&mut conn, now, &pong);
        }
        assert!(conn.handle_timeout(now).is_none(), "taken for dead while it reads, {pings} pings");
    }
    assert!(pings > 1 && conn.outgoing_len() > 30_000, "{pings} {}", conn.outgoing_len());
}

/// The time for the answer begins when the ping is written, and not when it is queued behind what is not read.
#[test]
fn a_ping_that_waits_has_not_been_asked() {
    let (interval, patience) = (millis(1000), millis(2000));
    let config = Config { ping_interval: Some(interval), ping_timeout: patience, ..small() };
    for mut conn in [server(config.clone()), client(config.clone())] {
        conn.send(START, &[1; 1500][..]).unwrap();
        assert!(conn.wants_read(), "it is no matter of not being read from");
        assert!(fires_at(&mut conn, after(START, interval)).is_none());
        let waiting = conn.outgoing_len();
        assert!(waiting > 1500 + PING.len());
        // It is read a little, then all of it but the ping, and that at last: just before nothing would be waited for.
        for (at, count) in [(5000, 100), (8000, waiting - 101), (9000, 1)] {
            let now = after(START, millis(at));
            assert!(conn.handle_timeout(now).is_none(), "taken for dead, with {} bytes unread", conn.outgoing_len());
            conn.sent(now, count);
        }
        let at = after(START, millis(9000) + patience);
        assert_eq!(closed(fires_at(&mut conn, at)).error, Some(Error::PingTimeout));
    }
    // Who is heard meanwhile is asked anew.
    let mut conn = server(config);
    conn.send(START, &[1; 1500][..]).unwrap();
    assert!(fires_at(&mut conn, after(START, interval)).is_none());
    let heard = after(START, millis(1500));
    receive(&mut conn, heard, &masked(Opcode::Pong, b""));
    flush(&mut conn, after(START, millis(1600)));
    assert!(fires_at(&mut conn, after(heard, interval)).is_none());
    assert_eq!(flush(&mut conn, after(heard, interval)), PING);
    let at = after(heard, interval + patience);
    assert_eq!(closed(fires_at(&mut conn, at)).error, Some(Error::PingTimeout));
}

/// While a peer is behind with reading it is not read from: its pong cannot be seen, that it reads can.
#[test]
fn a_slow_reader_is_not_silent() {
    for mut conn in both() {
        let mut config = Config { limits: Limits { read_pause_bytes: 1000, ..small().limits }, ..small() };
        (config.ping_interval, config.ping_timeout) = (Some(millis(1000)), millis(2000));
        conn = if conn.role() == Role::Server { server(config.clone()) } else { client(config.clone()) };
        conn.send(START, &[1; 60_000][..]).unwrap();
        assert!(!conn.wants_read());
        let mut now = after(START, config.ping_interval.unwrap());
        assert!(conn.handle_timeout(now).is_none());
        let step = config.ping_timeout.min(config.write_timeout) - millis(1);
        while !conn.wants_read() {
            now = after(now, step);
            assert!(conn.handle_timeout(now).is_none(), "taken for dead while it reads");
            conn.sent(now, 16 * 1024);
        }
        // Now its silence counts.
        flush(&mut conn, now);
        let told = closed(fires_at(&mut conn, after(now, config.ping_timeout)));
        assert_eq!(told.error, Some(Error::PingTimeout));
    }
}

/// Nor is one silent whom we do not read from since it does not read: its pong may have come. That it reads is asked for.
#[test]
fn who_is_not_read_from_is_not_silent() {
    let limits = Limits { read_pause_bytes: 1000, ..small().limits };
    let (interval, patience) = (millis(1000), millis(2000));
    let config = Config { limits, ping_interval: Some(interval), ping_timeout: patience, ..small() };
    for reads in [true, false] {
        for mut conn in [server(config.clone()), client(config.clone())] {
            let asked = after(START, interval);
            assert!(fires_at(&mut conn, asked).is_none());
            flush(&mut conn, asked);
            let queued = after(asked, millis(500));
            conn.send(queued, &[1; 5000][..]).unwrap();
            assert!(!conn.wants_read());
            let (read, mut now) = (after(queued, millis(9000)), after(asked, patience));
            while now < read {
                assert!(fires_at(&mut conn, now).is_none(), "taken for dead while nothing is read from it");
                now = conn.poll_timeout().unwrap();
            }
            if reads {
                flush(&mut conn, read);
                let told = closed(fires_at(&mut conn, after(read, patience)));
                assert_eq!(told.error, Some(Error::PingTimeout));
            } else {
                let told = closed(fires_at(&mut conn, after(queued, config.write_timeout)));
                assert_eq!(told.error, Some(Error::WriteTimeout));
            }
        }
    }
}
