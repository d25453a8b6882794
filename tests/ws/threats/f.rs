//! Frames.

use std::sync::Arc;

use roomwire::ws::{Config, Connection, Error, Header, Limits, Opcode, Role, apply_mask};

use crate::clock::{START, after, client, closed, fires_at, server};
use crate::support::cuts::Cuts;
use crate::support::memory::{Usage, measure};
use crate::support::ws::{Answers, End, Frame, Seen, frame, frames, key, masked, receive, run};

const KEY: Option<[u8; 4]> = Some([0; 4]);

/// Whole or byte by byte, the stream ends in this error, answered by one close frame with its code, and nothing
/// but the end is told.
#[track_caller]
fn check(end: End, stream: &[u8], error: Error, code: u16) {
    for cuts in [Cuts::Whole, Cuts::Bytes] {
        let trace = run(end, Config::default(), &cuts.of(stream), Answers::AtOnce, false);
        assert_eq!(trace.closed().and_then(|closed| closed.error), Some(error), "{}", stream.escape_ascii());
        assert_eq!(trace.seen.len(), 1);
        let written = frames(&trace.outgoing);
        assert_eq!((written.len(), written[0].code()), (1, Some(code)));
    }
}

/// A client's frames that break the rules.
#[track_caller]
fn broken(stream: &[u8], error: Error) {
    check(End::ServerAfterUpgrade, stream, error, error.close_code().unwrap().get());
}

fn config(limits: Limits) -> Config {
    Config { limits, ..Config::default() }
}

/// Feeds a server in pieces; the events, the connection, and what that cost.
fn usage(limits: Limits, stream: &mut [u8], piece: usize) -> (Vec<Seen>, Connection, Usage) {
    let config = Arc::new(config(limits));
    let mut seen = Vec::new();
    let (conn, usage) = measure(|| {
        let mut conn = Connection::server_after_upgrade(config, START);
        for mut input in stream.chunks_mut(piece) {
            while let Some(event) = conn.receive(START, &mut input) {
                seen.push(Seen::from(&event));
            }
        }
        conn
    });
    (seen, conn, usage)
}

#[test]
fn f01_f27_memory_does_not_follow_an_announced_length() {
    for announced in [16u64 << 20, (16 << 20) - 1, 1 << 20] {
        let header = Header { fin: true, opcode: Opcode::Binary, mask: KEY, payload_len: announced };
        let (bytes, size) = header.encode();
        let mut stream = [&bytes[..size], &[0; 100]].concat();
        let (seen, _conn, usage) = usage(Limits::default(), &mut stream, 50);
        assert!(seen.is_empty() && usage.peak < 1024 && usage.largest < 512, "{usage:?}");
    }
    broken(b"\x82\xFF\0\0\0\0\x7F\xFF\xFF\xFF\0\0\0\0", Error::MessageTooBig);
}

/// Feeds so much of a frame that announces `announced`; what is held then.
fn begin(conn: &mut Connection, announced: usize, size: usize) -> Usage {
    let (header, header_size) =
        Header { fin: true, opcode: Opcode::Binary, mask: KEY, payload_len: announced as u64 }.encode();
    let mut bytes = [&header[..header_size], &vec![0; size]].concat();
    measure(|| assert!(conn.receive(START, &mut &mut bytes[..]).is_none())).1
}

/// Who has sent a megabyte is believed the next one; not more, and not after a silence. Over all that is still no more than
/// twice what came.
#[test]
fn f01_an_announced_length_is_believed_as_far_as_as_much_came_before() {
    const MIB: usize = 1 << 20;
    let config = Config::default();
    let fill = |conn: &mut Connection, size: usize| {
        let message = masked(Opcode::Binary, &vec![5; size]);
        let told: usize = message.chunks(10_000).map(|piece| receive(conn, START, piece).len()).sum();
        assert_eq!(told, 1);
    };
    let mut conn = server(config.clone());
    fill(&mut conn, MIB);
    // Room for all is made at once.
    let usage = begin(&mut conn, MIB, 100);
    assert!((MIB..MIB + 1024).contains(&usage.largest) && usage.allocations <= 2, "{usage:?}");

    let mut conn = server(config.clone());
    fill(&mut conn, MIB);
    fill(&mut conn, 15_000);
    let usage = begin(&mut conn, 16 * MIB, 100);
    assert!((MIB..MIB + 1024).contains(&usage.peak.unsigned_abs()), "{usage:?}");

    // Little is believed of who has sent little, and of who has sent whole frames alone.
    let mut conn = server(config.clone());
    fill(&mut conn, 12_000);
    assert!(receive(&mut conn, START, &masked(Opcode::Binary, &vec![5; MIB])).len() == 1);
    assert!(begin(&mut conn, 16 * MIB, 100).peak < 13_000);

    let mut conn = server(config.clone());
    fill(&mut conn, MIB);
    let ping = after(START, config.ping_interval.unwrap());
    assert!(fires_at(&mut conn, ping).is_none());
    assert!(begin(&mut conn, MIB, 100).peak < 1024);
}

#[test]
fn f02_an_unknown_opcode_with_a_huge_length() {
    broken(b"\x83\xFF\0\0\0\0\x7F\xFF\xFF\xFF\0\0\0\0", Error::ReservedOpcode);
}

#[test]
fn f03_a_length_with_its_first_bit_set() {
    broken(b"\x82\xFF\x80\0\0\0\0\0\0\0\0\0\0\0", Error::LengthOutOfRange);
    broken(b"\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0", Error::LengthOutOfRange);
}

#[test]
fn f04_f05_a_huge_length_behind_a_first_fragment() {
    let begun = frame(false, Opcode::Binary, KEY, b"x");
    for length in [u64::MAX >> 1, (u64::MAX >> 1) - 1, 1 << 62, u64::from(u32::MAX) + 6, (16 << 20) - 1 + 1] {
        let (bytes, size) = Header { fin: true, opcode: Opcode::Continuation, mask: KEY, payload_len: length }.encode();
        broken(&[&begun[..], &bytes[..size]].concat(), Error::MessageTooBig);
    }
}

#[test]
fn f06_fourteen_bytes_that_overflowed_another() {
    broken(b"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xEB\x0E\x8F", Error::FragmentedControl);
    broken(b"\x8A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xEB\x0E\x8F", Error::ControlTooLong);
    broken(b"\x02\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xEB\x0E\x8F", Error::MessageTooBig);
}

#[test]
fn f07_a_length_beyond_32_bits() {
    broken(b"\x82\xFF\0\0\0\x01\0\0\0\x05\0\0\0\0", Error::MessageTooBig);
}

#[test]
fn f08_lengths_that_are_not_minimal() {
    for length in [0u16, 5, 125] {
        broken(&[&[0x82, 0xFE][..], &length.to_be_bytes(), &[0; 4]].concat(), Error::LengthNotMinimal);
    }
    for length in [0u64, 5, 125, 126, 65_535] {
        broken(&[&[0x82, 0xFF][..], &length.to_be_bytes(), &[0; 4]].concat(), Error::LengthNotMinimal);
    }
}

#[test]
fn f09_f10_f11_reserved_bits() {
    for bits in 1..8u8 {
        for opcode in [0, 1, 2, 8, 9, 10] {
            broken(&[0x80 | bits << 4 | opcode, 0x80, 0, 0, 0, 0], Error::ReservedBits);
        }
    }
    let begun = frame(false, Opcode::Text, KEY, b"x");
    broken(&[&begun[..], b"\xC0\x80"].concat(), Error::ReservedBits);
    check(End::ClientAfterUpgrade, b"\xC1\x05hello", Error::ReservedBits, 1002);
}

#[test]
fn f12_reserved_opcodes() {
    for opcode in (3..8u8).chain(11..16) {
        for fin in [0, 0x80] {
            broken(&[fin | opcode, 0x80, 0, 0, 0, 0], Error::ReservedOpcode);
        }
    }
}

#[test]
fn f13_masks_where_the_role_demands() {
    broken(b"\x81\x05hello", Error::Unmasked);
    broken(b"\x89\0", Error::Unmasked);
    check(End::ClientAfterUpgrade, &masked(Opcode::Text, b"hello"), Error::Masked, 1002);
}

#[test]
fn f14_messages_that_overlap() {
    let begun = frame(false, Opcode::Text, KEY, b"");
    broken(&begun.repeat(2), Error::UnfinishedMessage);
    broken(&[begun.clone(), frame(true, Opcode::Binary, KEY, b"")].concat(), Error::UnfinishedMessage);
    broken(b"\x80\x80\0\0\0\0", Error::UnexpectedContinuation);
    broken(b"\0\x80\0\0\0\0", Error::UnexpectedContinuation);
}

#[test]
fn f15_f17_fragments_without_end() {
    for payload in [&b""[..], b"x"] {
        let limits = Limits { fragments_max: 1000, ..Limits::default() };
        let fragment = frame(false, Opcode::Continuation, KEY, payload);
        let mut stream = [frame(false, Opcode::Binary, KEY, payload), fragment.repeat(5000)].concat();
        let (seen, conn, usage) = usage(limits, &mut stream, 4096);
        assert!(matches!(&seen[..], [Seen::Closed(closed)] if closed.error == Some(Error::TooManyFragments)));
        assert!(usage.peak <= 2 * 1000 + 1024, "{usage:?}");
        assert_eq!(frames(&conn.outgoing().collect::<Vec<_>>().concat())[0].code(), Some(1009));
    }
    // Exactly so many may be.
    let limits = Limits { fragments_max: 3, ..Limits::default() };
    let message = |count: usize| {
        let between = frame(false, Opcode::Continuation, KEY, b"").repeat(count - 2);
        [frame(false, Opcode::Text, KEY, b""), between, frame(true, Opcode::Continuation, KEY, b"")].concat()
    };
    assert_eq!(usage(limits, &mut message(3), 1).0, [Seen::Text(String::new())]);
    assert!(matches!(usage(limits, &mut message(4), 1).0[..], [Seen::Closed(_)]));
}

#[test]
fn f16_one_byte_fragments() {
    let fragment = frame(false, Opcode::Continuation, Some([1, 2, 3, 4]), b"x");
    let mut stream = [frame(false, Opcode::Binary, KEY, b"x"), fragment.repeat(131_000)].concat();
    for piece in [7, 65_536] {
        let (seen, _conn, usage) = usage(Limits::default(), &mut stream.clone(), piece);
        assert!(seen.is_empty());
        // Of 917,007 bytes on the wire 131,001 are payload.
        assert!(usage.live <= 2 * 131_001 + 1024 && usage.peak <= 2 * 131_001 + 1024, "{usage:?}");
    }
    // Twice as much costs twice as much memory over all, not four times.
    let requested =
        |fragments: usize, stream: &mut Vec<u8>| usage(Limits::default(), &mut stream[..7 * fragments], 7).2.requested;
    assert!(requested(60_000, &mut stream) * 10 <= 22 * requested(30_000, &mut stream));
}

#[test]
fn f18_the_cap_is_over_all_fragments() {
    let limits = Limits { message_bytes_max: 1000, ..Limits::default() };
    let (first, next) =
        (frame(false, Opcode::Binary, KEY, &[0; 400]), frame(false, Opcode::Continuation, KEY, &[0; 400]));
    let mut stream = [&first[..], &next, &next].concat();
    let (seen, _conn, usage) = usage(limits, &mut stream, 64);
    assert!(matches!(&seen[..], [Seen::Closed(closed)] if closed.error == Some(Error::MessageTooBig)));
    assert!(usage.peak <= 2 * 1000 + 1024, "{usage:?}");
    // Exactly so much may be.
    for (size, fits) in [(1000, true), (1001, false)] {
        for opcode in [Opcode::Text, Opcode::Binary] {
            for cuts in [Cuts::Whole, Cuts::Bytes] {
                let stream = masked(opcode, &vec![b'x'; size]);
                let trace = run(End::ServerAfterUpgrade, config(limits), &cuts.of(&stream), Answers::AtOnce, false);
                assert_eq!(trace.closed().is_none(), fits);
            }
        }
    }
}

#[test]
fn f19_reads_are_not_retained_as_objects() {
    let stream = masked(Opcode::Binary, &[5; 65_536]);
    let held = |piece: usize| {
        let (seen, _conn, usage) = usage(Limits::default(), &mut stream.clone()[..65_000], piece);
        assert!(seen.is_empty());
        usage.live
    };
    assert!(held(1) <= 2 * 65_000 + 1024 && held(65_000) <= 2 * 65_000 + 1024);
}

#[test]
fn f20_a_large_frame_that_never_ends() {
    let config = Config::default();
    let stream = masked(Opcode::Binary, &vec![5; 1 << 20]);
    let mut conn = server(config.clone());
    let begun = &stream[..stream.len() - 1];
    let (_, usage) =
        measure(|| begun.chunks(10_000).for_each(|piece| assert!(receive(&mut conn, START, piece).is_empty())));
    assert!(usage.live <= 2 * begun.len() as isize + 1024, "{usage:?}");
    // It is pinged, and given up when it says nothing.
    let ping = after(START, config.ping_interval.unwrap());
    assert!(fires_at(&mut conn, ping).is_none());
    conn.sent(ping, usize::MAX);
    assert_eq!(closed(fires_at(&mut conn, after(ping, config.ping_timeout))).error, Some(Error::PingTimeout));
    let (_, usage) = measure(|| conn.sent(ping, usize::MAX));
    assert!(usage.live <= 0);
}

#[test]
fn f21_drafts_are_not_spoken() {
    broken(b"\x80\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", Error::LengthOutOfRange);
    broken(b"\0hello\xFF", Error::Unmasked);
    let draft = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U";
    let trace = run(End::Server, Config::default(), &[draft], Answers::AtOnce, false);
    assert_eq!(crate::support::ws::answered(&trace.outgoing).0, Some(426));
}

#[test]
fn f23_invalid_utf8_is_found_at_its_first_byte() {
    let bad: [(&[u8], usize); 9] = [
        (b"\xC0\x80", 1),
        (b"\xED\xA0\x80", 2),
        (b"\xF4\x90\x80\x80", 2),
        (b"\x80", 1),
        (b"\xFF", 1),
        (b"ab\xE2\x28\xA1", 4),
        (b"\xF0\x9Fx", 3),
        ("κόσμε\u{0}\u{7f}".as_bytes(), usize::MAX),
        ("💩".as_bytes(), usize::MAX),
    ];
    for (payload, at) in bad {
        // Every split into two fragments, byte by byte: it fails with the first byte that cannot be mended.
        for cut in 0..=payload.len() {
            let (first, second) = payload.split_at(cut);
            let parts = [frame(false, Opcode::Text, KEY, first), frame(true, Opcode::Continuation, KEY, second)];
            let mut conn = server(Config::default());
            let mut given = 0;
            let mut failed = None;
            for (part, payload) in parts.iter().zip([first, second]) {
                for (nth, byte) in part.iter().enumerate() {
                    given += usize::from(nth >= part.len() - payload.len());
                    for seen in receive(&mut conn, START, &[*byte]) {
                        match seen {
                            Seen::Text(text) => {
                                assert_eq!((text.as_bytes(), at), (payload_of(&[first, second]).as_slice(), usize::MAX))
                            }
                            Seen::Closed(closed) => {
                                assert_eq!(closed.error, Some(Error::InvalidUtf8));
                                failed = Some(given);
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                }
            }
            assert_eq!(failed.unwrap_or(usize::MAX), at, "{} cut at {cut}", payload.escape_ascii());
        }
        if at != usize::MAX {
            broken(&masked(Opcode::Text, payload), Error::InvalidUtf8);
        }
    }
    // The end of the message in the middle of a character.
    for payload in [&b"\xF0\x9F\x92"[..], b"a\xE2\x82", b"\xC3"] {
        broken(&masked(Opcode::Text, payload), Error::InvalidUtf8);
    }
}

fn payload_of(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn f24_control_frames_do_not_disturb_a_text() {
    let stream = [
        frame(false, Opcode::Text, KEY, b"\xF0\x9F"),
        masked(Opcode::Ping, b"\xFF"),
        masked(Opcode::Pong, b"\xC0"),
        frame(false, Opcode::Continuation, KEY, b"\x92"),
        masked(Opcode::Ping, b""),
        frame(true, Opcode::Continuation, KEY, b"\xA9"),
    ]
    .concat();
    for cuts in [Cuts::Whole, Cuts::Bytes] {
        let trace = run(End::ServerAfterUpgrade, Config::default(), &cuts.of(&stream), Answers::AtOnce, false);
        assert_eq!(trace.seen.last(), Some(&Seen::Text("💩".into())));
        assert_eq!(trace.seen.len(), 4);
    }
}

#[test]
fn f25_masking_in_every_phase_and_at_every_place() {
    let key = [0xA1, 0xB2, 0xC3, 0xD4];
    for size in 0..131 {
        for start in 0..8 {
            let mut bytes: Vec<u8> = (0..start + size).map(|at| (at * 7) as u8).collect();
            let naive: Vec<u8> = bytes[start..].iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
            apply_mask(&mut bytes[start..], key);
            assert_eq!(bytes[start..], naive);
        }
        // Through a connection, cut in two at every byte.
        let payload: Vec<u8> = (0..size).map(|at| at as u8).collect();
        let stream = frame(true, Opcode::Binary, Some(key), &payload);
        for cut in 0..stream.len() {
            let mut conn = server(Config::default());
            let mut seen = receive(&mut conn, START, &stream[..cut]);
            seen.extend(receive(&mut conn, START, &stream[cut..]));
            assert_eq!(seen, [Seen::Binary(payload.clone())]);
        }
    }
}

/// Both ends, cut at every byte.
#[test]
fn x04_a_first_frame_in_every_two_pieces() {
    for make in [server, client].map(|make| move || make(Config::default())) {
        let mask = key(make().role());
        let stream =
            [frame(true, Opcode::Text, mask, b"hello"), frame(true, Opcode::Close, mask, b"\x03\xE8")].concat();
        for cut in 0..=stream.len() {
            let mut conn = make();
            let mut seen = receive(&mut conn, START, &stream[..cut]);
            seen.extend(receive(&mut conn, START, &stream[cut..]));
            assert_eq!(seen.len(), 2);
            let written: Vec<Frame> = frames(&conn.outgoing().collect::<Vec<_>>().concat());
            assert_eq!((written.len(), written[0].mask.is_some()), (1, conn.role() == Role::Client));
        }
    }
}
