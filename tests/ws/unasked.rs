//! What conformance suites do not ask, or ask of one end alone, and implementations get wrong.

use std::sync::Arc;

use roomwire::http;
use roomwire::ws::{Config, Connection, Error, Event, HandshakeError, Opcode, Opening, Role};
use roomwire::{Instant, Stream};

use crate::clock::{START, client, server};
use crate::support::cuts::Cuts;
use crate::support::memory::measure;
use crate::support::ws::{
    Answers, End, Seen, answered, flush, frame, frames, key, opening_with, outgoing, receive, run,
};

/// A frame from the peer of `reader`, its length written in a form of choice, its payload masked with zeros.
fn odd(reader: Role, first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    let (mask, zeros): (u8, &[u8]) = if reader == Role::Server { (0x80, &[0; 4]) } else { (0, &[]) };
    [&[first, mask | length[0]][..], &length[1..], zeros, payload].concat()
}

/// What each end may do wrong, the error that it is, and the close code that is owed to it.
fn violations(reader: Role) -> Vec<(Vec<u8>, Error, u16)> {
    let short = |first: u8, payload: &[u8]| odd(reader, first, &[payload.len() as u8], payload);
    let wrong_mask = frame(true, Opcode::Text, if reader == Role::Server { None } else { Some([1; 4]) }, b"x");
    let mut list = vec![
        (wrong_mask, if reader == Role::Server { Error::Unmasked } else { Error::Masked }, 1002),
        (odd(reader, 0x88, &[126, 0, 126], &[0; 126]), Error::ControlTooLong, 1002),
        (odd(reader, 0x89, &[126, 0, 126], &[0; 126]), Error::ControlTooLong, 1002),
        (odd(reader, 0x8A, &[126, 0, 126], &[0; 126]), Error::ControlTooLong, 1002),
        (odd(reader, 0x8A, &[127, 0, 0, 0, 0, 0, 0, 0, 1], &[0]), Error::ControlTooLong, 1002),
        (short(0x09, b""), Error::FragmentedControl, 1002),
        (short(0x88, b"\x03"), Error::InvalidClose, 1002),
        (short(0x88, b"\x03\xED"), Error::InvalidClose, 1002),
        (short(0x88, b"\x03\xE8\xFF"), Error::InvalidUtf8, 1007),
        (odd(reader, 0x82, &[126, 0, 125], &[0; 125]), Error::LengthNotMinimal, 1002),
        (odd(reader, 0x82, &[127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], &[]), Error::LengthNotMinimal, 1002),
        (odd(reader, 0x82, &[127, 0x80, 0, 0, 0, 0, 0, 0, 0], &[]), Error::LengthOutOfRange, 1002),
        (odd(reader, 0x82, &[127, 0, 0, 0, 1, 0, 0, 0, 0], &[]), Error::MessageTooBig, 1009),
        (short(0x80, b""), Error::UnexpectedContinuation, 1002),
        ([short(0x01, b""), short(0x82, b"")].concat(), Error::UnfinishedMessage, 1002),
        ([short(0x01, b"x"), short(0xC0, b"")].concat(), Error::ReservedBits, 1002),
        (short(0xC9, b""), Error::ReservedBits, 1002),
        (short(0x83, b""), Error::ReservedOpcode, 1002),
        (short(0x8B, b""), Error::ReservedOpcode, 1002),
        (short(0x81, b"\xC3"), Error::InvalidUtf8, 1007),
        ([short(0x01, b"\xED"), short(0x00, b"\xA0")].concat(), Error::InvalidUtf8, 1007),
    ];
    for bits in [0xC1, 0xA2, 0x91] {
        list.push((short(bits, b"x"), Error::ReservedBits, 1002));
    }
    list
}

/// No failure is silent, at either end: one close frame with the code, masked if it is a client's, and then the end of what
/// is sent.
#[test]
fn every_violation_is_answered_with_its_code_by_both_ends() {
    for end in [End::ServerAfterUpgrade, End::ClientAfterUpgrade] {
        for (stream, error, code) in violations(end.role()) {
            // What comes behind it is not looked at.
            let stream = [&stream[..], &frame(true, Opcode::Text, key(end.role()), b"late")].concat();
            for cuts in [Cuts::Whole, Cuts::Bytes] {
                let trace = run(end, Config::default(), &cuts.of(&stream), Answers::AtOnce, false);
                assert_eq!(trace.closed().and_then(|closed| closed.error), Some(error), "{}", stream.escape_ascii());
                assert_eq!((trace.told().len(), trace.stream), (0, Stream::HalfClosed));
                let written = frames(&trace.outgoing);
                assert_eq!((written.len(), written[0].code()), (1, Some(code)), "{}", stream.escape_ascii());
                assert_eq!(written[0].mask.is_some(), end.role() == Role::Client);
            }
        }
    }
}

/// The header is enough, nothing is waited for and nothing allocated.
#[test]
fn a_frame_of_four_gib_is_refused_by_its_header() {
    for mut conn in [server(Config::default()), client(Config::default())] {
        let mut bytes = odd(conn.role(), 0x82, &[127, 0, 0, 0, 1, 0, 0, 0, 0], &[]);
        let (told, usage) = measure(|| {
            let mut input = &mut bytes[..];
            matches!(conn.receive(START, &mut input), Some(Event::Closed(closed)) if closed.error == Some(Error::MessageTooBig))
        });
        assert!(told && usage.peak < 1024, "{usage:?}");
        assert_eq!(frames(&outgoing(&conn))[0].code(), Some(1009));
    }
}

#[test]
fn a_header_of_32_kib() {
    let long = "x".repeat(32 * 1024);
    let error = Error::Http(http::Error::HeadTooLarge);
    let (cookie, target) = (format!("Cookie: {long}\r\n"), format!("/{long}"));
    for (stream, error, status) in [
        (opening_with("/", &cookie), error, 431),
        (opening_with(&target, ""), Error::Http(http::Error::TargetTooLong), 414),
    ] {
        for cuts in [Cuts::Whole, Cuts::Bytes, Cuts::At(vec![8191, 8192, 8193])] {
            let trace = run(End::Server, Config::default(), &cuts.of(&stream), Answers::AtOnce, false);
            assert_eq!(trace.closed().and_then(|closed| closed.error), Some(error));
            assert_eq!((trace.told().len(), answered(&trace.outgoing)), (0, (Some(status), vec![])));
        }
    }
    // An answer with such a header opens nothing.
    let mut conn = Connection::client(Arc::default(), Opening::url("ws://h/").unwrap(), [7; 32], START);
    flush(&mut conn, START);
    let response = format!("HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: {long}\r\n");
    let (told, usage) = measure(|| receive(&mut conn, START, response.as_bytes()));
    assert!(matches!(&told[..], [Seen::Closed(closed)] if closed.error == Some(error)), "{told:?}");
    assert!(usage.peak < 2 * 32 * 1024 + 16 * 1024 && !conn.is_open() && conn.outgoing_len() == 0, "{usage:?}");
}

/// Each thing that is wrong with a request by itself, and the answer to it; what is said of versions stands in the answer.
#[test]
fn requests_that_are_no_opening_handshake() {
    let good = String::from_utf8(opening_with("/", "")).unwrap();
    for (from, to, error, status) in [
        ("GET /", "POST /", HandshakeError::Method, 400),
        ("HTTP/1.1", "HTTP/1.0", HandshakeError::HttpVersion, 400),
        ("Version: 13", "Version: 8", HandshakeError::Version, 426),
        ("Upgrade: websocket", "Upgrade: h2c", HandshakeError::Upgrade, 426),
        ("Key: dGhl", "Key: ?Ghl", HandshakeError::Key, 400),
        ("Key: dGhl", "Key: ", HandshakeError::Key, 400),
    ] {
        assert!(good.contains(from));
        let stream = good.replace(from, to);
        let trace = run(End::Server, Config::default(), &[stream.as_bytes()], Answers::AtOnce, false);
        assert_eq!(trace.closed().and_then(|closed| closed.error), Some(Error::Handshake(error)), "{to}");
        assert_eq!(answered(&trace.outgoing), (Some(status), vec![]), "{to}");
        let head = String::from_utf8(trace.outgoing.0.clone()).unwrap().to_lowercase();
        let is_version = error == HandshakeError::Version;
        assert_eq!(head.contains("\r\nsec-websocket-version: 13\r\n"), is_version, "{head}");
        // What is asked for by 426 is named, and `Connection` says that it is (RFC 9110 sections 15.5.22 and 7.8).
        assert_eq!(head.contains("\r\nupgrade: websocket\r\n"), status == 426, "{head}");
        let connection = if status == 426 { "upgrade, close" } else { "close" };
        assert_eq!(head.matches("\r\nconnection: ").count(), 1, "{head}");
        assert!(head.contains(&format!("\r\nconnection: {connection}\r\n")), "{head}");
    }
}

/// Who answers the newest ping must not answer an older one after it (section 5.5.3): whoever takes a pong for the answer to
/// all pings before it would find a late one that answers nothing.
#[test]
fn pongs_come_in_the_order_of_their_pings() {
    let mut conn = server(Config::default());
    let long = |nth: u8| [nth; 125];
    for nth in 0..8 {
        receive(&mut conn, START, &frame(true, Opcode::Ping, key(Role::Server), &long(nth)));
    }
    receive(&mut conn, START, &frame(true, Opcode::Ping, key(Role::Server), &[8]));
    let mut pongs = Vec::new();
    while conn.outgoing_len() > 0 {
        pongs.extend(frames(&flush(&mut conn, Instant::ORIGIN)).into_iter().map(|pong| pong.payload[0]));
    }
    assert!(pongs.is_sorted() && pongs.last() == Some(&8), "{pongs:?}");
}

/// Who reads all the time, but never everything, gets an answer to the newest of its pings, and no more than it reads.
#[test]
fn pings_are_answered_where_there_is_always_more_to_read() {
    let mut conn = server(Config::default());
    let (mut read, mut least) = (Vec::new(), usize::MAX);
    conn.send(START, vec![0; 20_000]).unwrap();
    for nth in 1..=200 {
        conn.send(START, vec![0; 2_000]).unwrap();
        // More than is answered one by one, and the last one is short.
        for _ in 0..10 {
            receive(&mut conn, START, &frame(true, Opcode::Ping, key(Role::Server), &[nth; 125]));
        }
        receive(&mut conn, START, &frame(true, Opcode::Ping, key(Role::Server), &[nth]));
        let waiting = outgoing(&conn);
        let count = waiting.len() - 18_000;
        read.extend_from_slice(&waiting[..count]);
        conn.sent(START, count);
        least = least.min(conn.outgoing_len());
        assert!(conn.outgoing_len() < 20_000, "{} bytes wait", conn.outgoing_len());
    }
    assert!(least > 15_000, "there was always more: {least}");
    read.extend(flush(&mut conn, START));
    read.extend(flush(&mut conn, START));
    let pongs: Vec<u8> = frames(&read).iter().filter(|frame| frame.first == 0x8A).map(|pong| pong.payload[0]).collect();
    assert!(pongs.is_sorted() && (1..=200).all(|nth| pongs.contains(&nth)), "{pongs:?}");
}
