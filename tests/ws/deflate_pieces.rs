//! Large messages in pieces under compression (RFC 7692).

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use roomwire::ws::{Config, Connection, DeflateConfig, Error, Limits, Message, Piece, PieceLimits};

use crate::clock::START;
use crate::deflate::{all, frame, pair_of, parameters, take};
use crate::pieces::{exchange, expected};
use crate::script::{cases, cuts};
use crate::support::cuts::Cuts;
use crate::support::memory::measure;
use crate::support::pieces::{joined, merged};
use crate::support::ws::{Seen, frames, receive};

/// Holds messages of so many bytes whole, and takes so many in pieces.
fn config(deflate: DeflateConfig, held: usize, message_bytes_max: u64) -> Arc<Config> {
    let limits = Limits { message_bytes_max: held, ..Limits::default() };
    let pieces = PieceLimits { message_bytes_max, ..PieceLimits::default() };
    Arc::new(Config { deflate: Some(deflate), limits, pieces: Some(pieces), ..Config::default() })
}

fn messages() -> impl Strategy<Value = Vec<(Message<'static>, Vec<Index>)>> {
    let message = prop_oneof![
        "[a-c]{0,60}".prop_map(Message::from),
        "[ab€😀]{0,400}".prop_map(Message::from),
        ("[a-z€]{1,9}", 1usize..9000).prop_map(|(word, count)| Message::from(word.repeat(count))),
        vec(any::<u8>(), 0..5000).prop_map(Message::from),
    ];
    vec((message, vec(any::<Index>(), 0..4)), 0..5)
}

fn read(conn: &mut Connection, bytes: &[u8], cuts: &Cuts) -> Vec<Seen> {
    cuts.of(bytes).iter().flat_map(|piece| receive(conn, START, piece)).collect()
}

fn closed(seen: &[Seen]) -> Option<Error> {
    seen.iter().find_map(|seen| if let Seen::Closed(closed) = seen { closed.error } else { None })
}

proptest! {
    #![proptest_config(cases(64))]

    /// Whatever was agreed on, what is sent in pieces is read in pieces, or whole where it may be held.
    #[test]
    fn what_is_sent_in_pieces_is_read(
        client in parameters(), server in parameters(), messages in messages(),
        held in prop_oneof![Just(1usize), Just(100), Just(1 << 20)], up: bool, owned: bool, cuts in cuts(),
    ) {
        let (mut client, mut server) = pair_of(config(client, held, 1 << 30), config(server, held, 1 << 30));
        let (from, to) = if up { (&mut client, &mut server) } else { (&mut server, &mut client) };
        let (bytes, seen) = exchange(from, to, &messages, owned, &cuts);
        prop_assert_eq!(seen, expected(&messages));
        for frame in frames(&bytes) {
            prop_assert!(frame.first & 0x40 == 0 || matches!(frame.first & 0x0F, 1 | 2), "RSV1 behind the first frame");
        }
    }

    /// What is told up to an error does not depend on the cuts: compressed text that was damaged, or is none, or too much.
    #[test]
    fn cuts_cannot_be_seen(
        text in "[a-e€😀]{1,3000}", rubbish in vec(any::<u8>(), 0..3), damage in vec((any::<Index>(), any::<u8>()), 0..2),
        held in prop_oneof![Just(1usize), Just(500), Just(5000)], most in prop_oneof![Just(1u64 << 30), Just(3000)],
        gathered: bool, cuts in cuts(),
    ) {
        let (mut client, _) = pair_of(config(all(), 1, 1), config(all(), 1, 1));
        let (middle, end) = text.split_at(text.char_indices().nth(text.chars().count() / 2).unwrap().0);
        let payload = [middle.as_bytes(), &rubbish].concat();
        client.send_piece(START, Piece::begin(payload)).unwrap();
        client.send_piece(START, Piece::end(end.as_bytes())).unwrap();
        let mut bytes = Vec::new();
        for (nth, mut part) in frames(&take(&mut client)).into_iter().enumerate() {
            for (at, byte) in &damage {
                let size = part.payload.len();
                part.payload[at.index(size)] ^= byte;
            }
            bytes.extend(frame([0x41, 0x80][nth], &part.payload));
        }
        let run = |cuts: &Cuts| {
            let mut config = Config::clone(&config(all(), held, most));
            if gathered {
                config.pieces = None;
            }
            let (_, mut server) = pair_of(config.clone().into(), config.into());
            (merged(read(&mut server, &bytes, cuts)), take(&mut server))
        };
        prop_assert_eq!(run(&cuts), run(&Cuts::Whole));
    }
}

/// Each piece can be read when it has come: nothing of it waits for the next.
#[test]
fn a_compressed_piece_is_told_at_once() {
    let (mut client, mut server) = pair_of(config(all(), 1, 1 << 30), config(all(), 1, 1 << 30));
    let (mut told, mut pieces) = (Vec::new(), Vec::new());
    let phrase = "much, much, much more than a piece of what was inflated";
    let large = phrase.repeat(1000);
    for data in ["first first first", "", &large, "third"] {
        let piece = if pieces.is_empty() { Piece::begin(data) } else { Piece::middle(data) };
        client.send_piece(START, piece).unwrap();
        pieces.push(data);
        let bytes = take(&mut client);
        told.extend(read(&mut server, &bytes, &Cuts::Whole));
        assert_eq!(joined(told.clone()).1, Some(pieces.concat().into()));
    }
    client.send_piece(START, Piece::end("")).unwrap();
    let bytes = take(&mut client);
    assert_eq!(bytes.len(), 6, "nothing but a header and a key");
    told.extend(read(&mut server, &bytes, &Cuts::Whole));
    assert_eq!(joined(told).0, [Seen::Text(pieces.concat())]);
    // And the context goes on.
    client.send(START, phrase).unwrap();
    let bytes = take(&mut client);
    assert!(bytes.len() < 6 + 10);
    assert_eq!(joined(read(&mut server, &bytes, &Cuts::Bytes)).0, [Seen::Text(phrase.into())]);
}

/// Nor does the end of a run whose code has come wait where a piece is full before it.
#[test]
fn what_the_codec_still_holds_is_told_at_once() {
    for beyond in (1..300).step_by(7) {
        let (mut client, mut server) = pair_of(config(all(), 1, 1 << 30), config(all(), 1, 1 << 30));
        let text = "x".repeat((16 << 10) + beyond);
        client.send_piece(START, Piece::begin(&*text)).unwrap();
        let told = read(&mut server, &take(&mut client), &Cuts::Whole);
        assert_eq!(joined(told).1, Some(text.into()), "{beyond}");
    }
}

#[test]
fn empty_pieces_are_an_empty_message() {
    for pieces in [2, 5] {
        let (mut client, mut server) = pair_of(config(all(), 1, 1 << 30), config(all(), 1, 1 << 30));
        for nth in 1..=pieces {
            client.send_piece(START, Piece { data: "".into(), first: nth == 1, last: nth == pieces }).unwrap();
        }
        client.send(START, "behind").unwrap();
        let seen = joined(read(&mut server, &take(&mut client), &Cuts::Bytes)).0;
        assert_eq!(seen, [Seen::Text(String::new()), Seen::Text("behind".into())]);
    }
}

#[test]
fn pieces_that_are_not_compressed() {
    let (mut client, mut server) = pair_of(config(all(), 1, 1 << 30), config(all(), 1, 1 << 30));
    client.send_piece_plain(START, Piece::begin("a secret")).unwrap();
    client.send_piece(START, Piece::middle(" beside what")).unwrap();
    client.send_piece(START, Piece::end(" others chose")).unwrap();
    let bytes = take(&mut client);
    assert!(frames(&bytes).iter().all(|frame| frame.first & 0x40 == 0));
    let seen = joined(read(&mut server, &bytes, &Cuts::Whole)).0;
    assert_eq!(seen, [Seen::Text("a secret beside what others chose".into())]);
}

/// A bomb goes by in pieces of bounded size, or ends in 1009 at exactly the limit, and is never held.
#[test]
fn d01_d02_bombs_in_pieces() {
    for most in [100_000u64, 100_001, PieceLimits::NO_LIMIT] {
        let (mut client, mut server) =
            pair_of(config(DeflateConfig { level: 9, ..all() }, 1, 1), config(all(), 100, most));
        client.send(START, vec![0; 4_000_000]).unwrap();
        let mut bomb = take(&mut client);
        assert!(bomb.len() < 5_000, "{} : 1", 4_000_000 / bomb.len());
        let (mut told, mut largest, mut end) = (0, 0, None);
        let ((), usage) = measure(|| {
            let mut input = &mut bomb[..];
            while let Some(event) = server.receive(START, &mut input) {
                match event {
                    roomwire::ws::Event::Piece(piece) => {
                        let size = piece.data.as_bytes().len();
                        (told, largest, end) = (told + size as u64, size.max(largest), Some(Ok(piece.last)));
                    }
                    roomwire::ws::Event::Closed(closed) => end = Some(Err(closed.error)),
                    other => panic!("{other:?}"),
                }
            }
        });
        let expected = if most < 4_000_000 { Err(Some(Error::MessageTooBig)) } else { Ok(true) };
        assert_eq!((told, end), (most.min(4_000_000), Some(expected)));
        assert!(largest <= 24 << 10, "{largest}");
        assert!(usage.peak < 128 << 10, "{usage:?}");
    }
}

/// No context is kept where none was to be: messages in pieces refer to nothing before them, within them to all.
#[test]
fn d07_windows_of_messages_in_pieces() {
    let deflate = DeflateConfig { client_no_context_takeover: true, ..all() };
    let (mut client, mut server) = pair_of(config(deflate, 1, 1 << 30), config(deflate, 1, 1 << 30));
    let mut sizes = Vec::new();
    for _ in 0..2 {
        client.send_piece(START, Piece::begin("0123456789 abcdefghij")).unwrap();
        client.send_piece(START, Piece::end("0123456789 abcdefghij")).unwrap();
        let bytes = take(&mut client);
        sizes.push(frames(&bytes).iter().map(|frame| frame.payload.len()).collect::<Vec<_>>());
        assert_eq!(joined(read(&mut server, &bytes, &Cuts::Whole)).0, [Seen::Text("0123456789 abcdefghij".repeat(2))]);
    }
    assert_eq!(sizes[0], sizes[1]);
    assert!(sizes[0][1] < 15, "{sizes:?}");
}

/// What may be held is told whole, after inflation.
#[test]
fn what_may_be_held_is_told_whole() {
    for (size, whole) in [(1000, true), (1001, false)] {
        let (mut client, mut server) = pair_of(config(all(), 1, 1), config(all(), 1000, 1 << 30));
        client.send(START, "x".repeat(size)).unwrap();
        let seen = read(&mut server, &take(&mut client), &Cuts::Bytes);
        assert_eq!(matches!(seen[0], Seen::Text(_)), whole);
        assert_eq!(closed(&seen), None);
        assert_eq!(joined(seen).0, [Seen::Text("x".repeat(size))]);
    }
}

/// Of one that is cut what came is told, but no end.
#[test]
fn a_message_that_is_cut_has_no_last_piece() {
    let text = "a piece of what was said, and said, and said again".repeat(10);
    let (mut client, _) = pair_of(config(all(), 1, 1 << 30), config(all(), 1, 1 << 30));
    client.send(START, &*text).unwrap();
    let whole = frames(&take(&mut client)).remove(0).payload;
    for end in 1..whole.len() {
        for cuts in [Cuts::Whole, Cuts::Bytes] {
            let (_, mut server) = pair_of(config(all(), 1, 1 << 30), config(all(), 1, 1 << 30));
            let seen = read(&mut server, &frame(0xC1, &whole[..end]), &cuts);
            assert_eq!(closed(&seen), Some(Error::InvalidDeflate), "cut at {end}");
            let (told, begun) = joined(seen);
            assert!(matches!(told[..], [Seen::Closed(_)]), "cut at {end}: {told:?}");
            let begun = begun.unwrap_or_else(|| "".into());
            assert!(text.as_bytes().starts_with(begun.as_bytes()), "cut at {end}");
        }
    }
}

/// One that turns out to be too large to be held may have no more fragments than one in pieces.
#[test]
fn f17_fragments_that_came_while_it_was_held() {
    for (count, told) in [(4, Ok(())), (5, Err(Some(Error::TooManyFragments)))] {
        let mut receiver = Config::clone(&config(all(), 100, 1 << 30));
        receiver.pieces = Some(PieceLimits { fragments_max: 4, ..PieceLimits::default() });
        let (mut client, mut server) = pair_of(config(all(), 1, 1), receiver.into());
        for nth in 1..count {
            client.send_piece(START, Piece { data: "".into(), first: nth == 1, last: false }).unwrap();
        }
        client.send_piece(START, Piece::end("x".repeat(101))).unwrap();
        let seen = joined(read(&mut server, &take(&mut client), &Cuts::Bytes)).0;
        match told {
            Ok(()) => assert_eq!(seen, [Seen::Text("x".repeat(101))]),
            Err(error) => assert!(seen.len() == 1 && closed(&seen) == error, "{seen:?}"),
        }
    }
}
