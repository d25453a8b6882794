//! Control frames and the closing handshake.

use roomwire::ws::{CloseCode, Config, Error, Event, Opcode};
use roomwire::{Instant, Stream};

use crate::clock::{START, after, client, millis, server, visible};
use crate::support::cuts::Cuts;
use crate::support::memory::measure;
use crate::support::ws::{Answers, End, Frame, Seen, flush, frame, frames, masked, outgoing, receive, run};

fn failed(stream: &[u8]) -> (Option<Error>, Option<u16>) {
    let whole = run(End::ServerAfterUpgrade, Config::default(), &[stream], Answers::AtOnce, false);
    assert_eq!(run(End::ServerAfterUpgrade, Config::default(), &Cuts::Bytes.of(stream), Answers::AtOnce, false), whole);
    let written = frames(&whole.outgoing);
    assert_eq!(written.len(), 1);
    (whole.closed().and_then(|closed| closed.error), written[0].code())
}

#[test]
fn c01_control_frames_are_short_and_whole() {
    for first in [0x88, 0x89, 0x8A] {
        for length in [&[0xFE, 0, 126][..], &[0xFF, 0, 0, 0, 0, 0, 1, 0, 0]] {
            let stream = [&[first], length, &[0; 4]].concat();
            let (outcome, usage) = measure(|| failed(&stream));
            assert_eq!(outcome, (Some(Error::ControlTooLong), Some(1002)));
            assert!(usage.largest < 64 * 1024);
        }
        assert_eq!(failed(&[first & 0x7F, 0x80, 0, 0, 0, 0]), (Some(Error::FragmentedControl), Some(1002)));
    }
}

/// Ten pings in one read are ten pongs; of a flood only the newest is owed an answer.
#[test]
fn c02_pings_from_who_reads_nothing() {
    let mut conn = server(Config::default());
    let ten: Vec<u8> = (0..10u8).flat_map(|nth| masked(Opcode::Ping, &[nth])).collect();
    receive(&mut conn, START, &ten);
    let pongs = frames(&flush(&mut conn, START));
    assert_eq!(
        pongs.iter().map(|pong| (pong.is_pong(), pong.payload[0])).collect::<Vec<_>>(),
        (0..10).map(|nth| (true, nth)).collect::<Vec<_>>()
    );

    for size in [0, 1, 125] {
        let mut conn = server(Config::default());
        let (_, usage) = measure(|| {
            for nth in 0..20_000u32 {
                let mut payload = vec![0; size];
                payload.iter_mut().zip(nth.to_be_bytes()).for_each(|(to, from)| *to = from);
                let mut bytes = masked(Opcode::Ping, &payload);
                let mut input = &mut bytes[..];
                assert!(matches!(conn.receive(START, &mut input), Some(Event::Ping(_))));
            }
        });
        assert!(conn.outgoing_len() <= 1024 + 256 && usage.live <= 4096, "{} {usage:?}", conn.outgoing_len());
        // When there is room again the newest is answered, once.
        let newest: Vec<u8> = [&19_999u32.to_be_bytes()[..], &[0; 125]].concat()[..size].to_vec();
        flush(&mut conn, START);
        let owed = frames(&flush(&mut conn, START));
        assert_eq!(owed, [Frame { first: 0x8A, mask: None, payload: newest }]);
        assert_eq!(conn.outgoing_len(), 0);
    }
}

#[test]
fn c02_nothing_is_owed_after_the_end() {
    let mut conn = server(Config::default());
    receive(&mut conn, START, &masked(Opcode::Ping, &[1; 125]).repeat(20));
    conn.close(START, CloseCode::NORMAL, "").unwrap();
    let written = frames(&flush(&mut conn, START));
    assert!(written.last().unwrap().is_close());
    assert_eq!(conn.outgoing_len(), 0, "a pong behind the close frame");
}

#[test]
fn c03_a_pong_is_the_ping_and_nothing_else() {
    for size in 0..126 {
        let payload: Vec<u8> = (0..size).map(|at| at as u8 ^ 0x5A).collect();
        let mut conn = server(Config::default());
        receive(&mut conn, START, &masked(Opcode::Ping, &payload));
        assert_eq!(frames(&outgoing(&conn)), [Frame { first: 0x8A, mask: None, payload }]);
    }
}

#[test]
fn c04_pongs_that_nobody_asked_for() {
    let mut conn = server(Config::default());
    let bytes = masked(Opcode::Pong, &[1; 125]);
    let mut buffer = bytes.clone();
    let (_, usage) = measure(|| {
        for _ in 0..100_000 {
            buffer.copy_from_slice(&bytes);
            let mut input = &mut buffer[..];
            assert!(matches!(conn.receive(START, &mut input), Some(Event::Pong(_))));
        }
    });
    assert_eq!((usage.allocations, conn.outgoing_len()), (0, 0));
}

#[test]
fn c05_close_codes_that_must_not_be_sent() {
    for code in (0..1000).chain([1004, 1005, 1006]).chain(1015..3000).chain([5000, 9999, 65_535]) {
        let stream = masked(Opcode::Close, &u16::to_be_bytes(code));
        assert_eq!(failed(&stream), (Some(Error::InvalidClose), Some(1002)), "{code}");
    }
    assert_eq!(failed(&masked(Opcode::Close, &[3])), (Some(Error::InvalidClose), Some(1002)));
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        assert_eq!(failed(&masked(Opcode::Close, &u16::to_be_bytes(code))), (None, Some(code)));
    }
}

#[test]
fn c06_close_reasons() {
    assert_eq!(failed(&masked(Opcode::Close, b"\x03\xE8\xFF")), (Some(Error::InvalidUtf8), Some(1007)));
    assert_eq!(failed(&masked(Opcode::Close, b"\x03\xE8\xE2\x82")), (Some(Error::InvalidUtf8), Some(1007)));
    let longest = [&b"\x03\xE8"[..], &[b'x'; 123]].concat();
    assert_eq!(failed(&masked(Opcode::Close, &longest)), (None, Some(1000)));
    for size in 110..140 {
        let mut conn = server(Config::default());
        conn.close(START, CloseCode::NORMAL, &"é".repeat(size)[..2 * size / 4 * 4]).unwrap();
        let written = frames(&outgoing(&conn));
        assert!(written[0].payload.len() <= 125 && std::str::from_utf8(&written[0].payload[2..]).is_ok());
    }
}

#[test]
fn c07_data_after_the_close_frame() {
    let close = masked(Opcode::Close, b"\x03\xE8");
    let stream = [&close[..], &masked(Opcode::Text, b"late"), &[0xFF]].concat();
    let trace = run(End::ServerAfterUpgrade, Config::default(), &[&stream], Answers::AtOnce, false);
    assert_eq!(trace.seen.len(), 1);
    assert_eq!((trace.closed().unwrap().error, trace.outgoing.len()), (None, 4));
}

#[test]
fn c08_many_close_frames() {
    let mut conn = server(Config::default());
    let close = masked(Opcode::Close, b"\x03\xE8").repeat(10_000);
    let (_, usage) = measure(|| {
        let told: usize = close.chunks(1000).map(|piece| receive(&mut conn, START, piece).len()).sum();
        assert_eq!(told, 1);
    });
    assert_eq!(frames(&outgoing(&conn)).len(), 1);
    assert!(usage.live < 256, "{usage:?}");
}

#[test]
fn c10_the_end_of_the_stream_again_and_again() {
    let close = masked(Opcode::Close, b"\x03\xE8");
    for end in [End::Server, End::ServerAfterUpgrade] {
        for part in [&b""[..], &[0x81], &[0xFF], &close] {
            let mut conn = end.connection(Config::default(), START);
            let mut told = receive(&mut conn, START, part).len();
            for minute in 0..50 {
                told += usize::from(conn.receive_eof(START).is_some());
                told += usize::from(conn.handle_timeout(after(START, millis(60_000 * minute))).is_some());
                told += usize::from(conn.poll_event().is_some());
            }
            assert_eq!((told, conn.stream()), (1, Stream::Closed));
            assert_eq!(conn.poll_timeout(), None);
        }
    }
}

/// A driver that cannot write now says so with zero; that is no progress and no event.
#[test]
fn c11_a_write_of_nothing_does_nothing() {
    let mut conn = server(Config::default());
    receive(&mut conn, START, &masked(Opcode::Ping, &[1; 125]).repeat(20));
    let before = visible(&conn);
    for second in 0..20 {
        conn.sent(after(START, millis(1000 * second)), 0);
        assert_eq!(visible(&conn), before);
    }
}

#[test]
fn c12_masking_keys_are_fresh_and_come_from_the_seed() {
    let keys = |seed: u8| {
        let mut conn = roomwire::ws::Connection::client_after_upgrade(Config::default().into(), [seed; 32], START);
        for _ in 0..1000 {
            conn.send(START, "x").unwrap();
        }
        receive(&mut conn, START, &frame(true, Opcode::Ping, None, b""));
        conn.close(START, CloseCode::NORMAL, "").unwrap();
        frames(&outgoing(&conn)).into_iter().map(|frame| frame.mask.expect("no mask")).collect::<Vec<_>>()
    };
    let first = keys(1);
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert!(first.len() == 1002 && distinct.len() >= 1000);
    // Each byte of a key takes many values.
    for at in 0..4 {
        assert!(first.iter().map(|key| key[at]).collect::<std::collections::BTreeSet<_>>().len() > 200);
    }
    assert_eq!(keys(1), first);
    assert_ne!(keys(2), first);
}

/// A client that is told to close twice at the same time by both ends neither answers twice nor waits for ever.
#[test]
fn c08_a_client_answers_once() {
    let mut conn = client(Config::default());
    let close = frame(true, Opcode::Close, None, b"\x03\xE8");
    let told = receive(&mut conn, START, &close.repeat(3));
    assert!(matches!(told[..], [Seen::Closed(_)]));
    assert_eq!(frames(&flush(&mut conn, START)).len(), 1);
    assert!(conn.handle_timeout(Instant::NEVER).is_none());
    assert_eq!(conn.stream(), Stream::Closed);
}
