//! Messages in pieces: the rows on limits, where nothing is held.

use roomwire::ws::{Config, Connection, Error, Event, Header, Limits, Opcode, PieceLimits};

use crate::clock::{START, server};
use crate::support::cuts::Cuts;
use crate::support::memory::{Usage, measure};
use crate::support::pieces::joined;
use crate::support::ws::{Answers, End, frame, frames, masked, run};

const KEY: Option<[u8; 4]> = Some([0; 4]);

fn config(message_bytes_max: u64, fragments_max: u64) -> Config {
    let limits = Limits { message_bytes_max: 100, fragments_max: 10, ..Limits::default() };
    Config { limits, pieces: Some(PieceLimits { message_bytes_max, fragments_max }), ..Config::default() }
}

/// Feeds a server in pieces of 4 KiB; how many bytes it told, how it ended, and what that cost.
fn swallow(config: Config, stream: &mut [u8]) -> (usize, Option<Error>, Usage) {
    let mut conn = server(config);
    let (mut told, mut error) = (0, None);
    let (_, usage) = measure(|| {
        for mut input in stream.chunks_mut(4096) {
            while let Some(event) = conn.receive(START, &mut input) {
                match event {
                    Event::Piece(piece) => told += piece.data.as_bytes().len(),
                    Event::Closed(closed) => error = closed.error,
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    if let Some(error) = error {
        let code = error.close_code().map(roomwire::ws::CloseCode::get);
        assert_eq!(frames(&conn.outgoing().collect::<Vec<_>>().concat())[0].code(), code);
    }
    (told, error, usage)
}

fn header(fin: bool, opcode: Opcode, payload_len: u64) -> Vec<u8> {
    let (bytes, size) = Header { fin, opcode, mask: KEY, payload_len }.encode();
    bytes[..size].to_vec()
}

#[test]
fn f01_f27_a_huge_length_in_pieces() {
    // At its header, before anything of it is told.
    let most = (1 << 40) - 1;
    for (announced, fits) in [(most, true), (most + 1, false), (u64::MAX >> 1, false)] {
        let mut stream = [header(true, Opcode::Binary, announced), vec![0; 50_000]].concat();
        let (told, error, usage) = swallow(config(most, 10), &mut stream);
        assert_eq!((told, error), if fits { (50_000, None) } else { (0, Some(Error::MessageTooBig)) });
        assert!(usage.peak < 1024, "{usage:?}");
    }
    // Without a limit the longest that can be announced.
    let mut stream = [header(true, Opcode::Text, u64::MAX >> 1), vec![b'x'; 50_000]].concat();
    let (told, error, usage) = swallow(config(PieceLimits::NO_LIMIT, 10), &mut stream);
    assert_eq!((told, error), (50_000, None));
    assert!(usage.peak < 1024, "{usage:?}");
}

#[test]
fn f04_f05_lengths_that_add_up_in_pieces() {
    let begun = frame(false, Opcode::Binary, KEY, &[1; 200]);
    for (max, refused) in [(PieceLimits::NO_LIMIT, false), (1000, true)] {
        let mut stream = begun.clone();
        for _ in 0..3 {
            stream.extend(header(false, Opcode::Continuation, u64::MAX >> 1));
        }
        stream.extend([0; 64]);
        let (told, error, _) = swallow(config(max, 10), &mut stream);
        assert_eq!((told >= 200, error), (true, refused.then_some(Error::MessageTooBig)));
    }
}

#[test]
fn f15_f17_fragments_without_end_in_pieces() {
    for payload in [&b""[..], b"x"] {
        let fragment = frame(false, Opcode::Continuation, KEY, payload);
        let begun = frame(false, Opcode::Binary, KEY, &[1; 200]);
        let mut stream = [begun.clone(), fragment.repeat(5000)].concat();
        let (told, error, usage) = swallow(config(1 << 20, 1000), &mut stream);
        assert_eq!((told, error), (200 + 999 * payload.len(), Some(Error::TooManyFragments)));
        assert!(usage.peak < 2048, "{usage:?}");
        // Exactly so many may be.
        let end = masked(Opcode::Continuation, payload);
        for (between, fits) in [(998, true), (999, false)] {
            let mut stream = [begun.clone(), fragment.repeat(between), end.clone()].concat();
            assert_eq!(swallow(config(1 << 20, 1000), &mut stream).1.is_none(), fits);
        }
    }
}

#[test]
fn f16_one_byte_fragments_in_pieces() {
    let fragment = frame(false, Opcode::Continuation, Some([1, 2, 3, 4]), b"x");
    let mut stream = [frame(false, Opcode::Binary, KEY, b"x"), fragment.repeat(50_000)].concat();
    let (told, error, usage) = swallow(config(PieceLimits::NO_LIMIT, PieceLimits::NO_LIMIT), &mut stream);
    assert_eq!((told, error), (50_001, None));
    assert!(usage.peak < 1024, "{usage:?}");
}

#[test]
fn f18_the_cap_of_pieces_is_over_all_fragments() {
    for (last, fits) in [(200, true), (201, false)] {
        for opcode in [Opcode::Text, Opcode::Binary] {
            let stream = [
                frame(false, opcode, KEY, &[b'x'; 400]),
                frame(false, Opcode::Continuation, KEY, &[b'x'; 400]),
                frame(true, Opcode::Continuation, KEY, &vec![b'x'; last]),
            ]
            .concat();
            for cuts in [Cuts::Whole, Cuts::Bytes] {
                let trace = run(End::ServerAfterUpgrade, config(1000, 10), &cuts.of(&stream), Answers::AtOnce, false);
                let error = trace.closed().and_then(|closed| closed.error);
                assert_eq!(error, (!fits).then_some(Error::MessageTooBig));
                assert_eq!(
                    joined(trace.seen).1.map_or(1000, |told| told.as_bytes().len()),
                    if fits { 1000 } else { 800 }
                );
            }
        }
    }
}

/// All that is valid is told, and the error comes with the first byte that cannot be mended.
#[test]
fn f23_invalid_utf8_in_pieces() {
    let long = "x€".repeat(60);
    for bad in [
        &b"\xC0\x80"[..],
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\x80",
        b"\xFF",
        b"\xE2\x28\xA1",
        b"\xF0\x9Fx",
        b"\xF0\x9F",
    ] {
        let payload = [long.as_bytes(), b"!", bad].concat();
        for cut in 0..=payload.len() {
            let (first, second) = payload.split_at(cut);
            let stream = [
                frame(false, Opcode::Text, KEY, first),
                masked(Opcode::Ping, b"\xFF"),
                frame(true, Opcode::Continuation, KEY, second),
            ]
            .concat();
            for cuts in [Cuts::Whole, Cuts::Bytes] {
                let trace = run(End::ServerAfterUpgrade, config(1000, 10), &cuts.of(&stream), Answers::AtOnce, false);
                assert_eq!(trace.closed().and_then(|closed| closed.error), Some(Error::InvalidUtf8));
                let told = joined(trace.seen).1;
                // A first fragment that is to be held is not told before it is known that it cannot be.
                let held = cut <= 100 && told.is_none();
                assert!(held || told.is_some_and(|told| told.as_bytes() == &payload[..long.len() + 1]), "cut at {cut}");
            }
        }
    }
}

/// Not with the next frame: it may never come, and what comes must not be told.
#[test]
fn f23_invalid_utf8_at_the_end_of_a_fragment() {
    let bad = frame(false, Opcode::Text, KEY, &[&[b'x'; 200][..], b"\xFF"].concat());
    for stream in [bad.clone(), [bad, masked(Opcode::Ping, b"")].concat()] {
        let trace = run(End::ServerAfterUpgrade, config(1000, 10), &[&stream], Answers::AtOnce, false);
        assert_eq!(trace.closed().and_then(|closed| closed.error), Some(Error::InvalidUtf8));
        assert_eq!(trace.seen.len(), 2, "a piece and the end");
    }
}

/// A connection that waits for the rest of a message in pieces holds nothing of it.
#[test]
fn f20_a_message_in_pieces_that_stalls() {
    let stream = masked(Opcode::Text, "€".repeat(100_000).as_bytes());
    let mut begun = stream[..200_001].to_vec();
    let (told, error, usage) = swallow(config(1 << 20, 10), &mut begun);
    assert!(told > 199_000 && error.is_none() && usage.live < 512, "{usage:?}");
}

/// What is held before a message turns out to be larger than that is within the limits.
#[test]
fn f19_what_is_held_before_the_pieces() {
    let conn = |limit: usize| {
        let limits = Limits { message_bytes_max: limit, ..Limits::default() };
        server(Config { limits, pieces: Some(PieceLimits::default()), ..Config::default() })
    };
    let mut conn: Connection = conn(10_000);
    let mut stream = frame(false, Opcode::Continuation, KEY, &[1; 1000]).repeat(40);
    stream[0] = 0x02;
    let mut told = Vec::new();
    let ((), usage) = measure(|| {
        for mut input in stream.chunks_mut(333) {
            while let Some(event) = conn.receive(START, &mut input) {
                let Event::Piece(piece) = event else { panic!("{event:?}") };
                told.push((piece.first, piece.data.as_bytes().len()));
            }
        }
    });
    assert_eq!(told[0], (true, 10_000), "what was gathered is the first piece");
    assert!(told[1..].iter().all(|piece| !piece.0) && told.iter().map(|piece| piece.1).sum::<usize>() == 40_000);
    assert!(usage.peak <= 2 * 10_000 + 4096 && usage.live < 4096, "{usage:?}");
}
