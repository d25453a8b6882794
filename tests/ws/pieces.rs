//! Large messages, told and sent in pieces.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use roomwire::ws::{
    Config, Connection, Error, Event, Header, Limits, Message, Opcode, Piece, PieceLimits, Role, SendError,
};

use crate::clock::{START, client, server};
use crate::script::{binaries, cases, cuts, scripts, texts};
use crate::support::cuts::Cuts;
use crate::support::memory::measure;
use crate::support::pieces::{in_pieces, joined, merged, whole};
use crate::support::ws::{Answers, End, Seen, flush, frame, frames, key, masked, outgoing, receive, run, small};

proptest! {
    #![proptest_config(cases(1500))]

    /// Joined, the pieces are the messages that a connection tells which gathers them, and it ends in the same way.
    #[test]
    fn pieces_are_the_messages((end, stream) in scripts(), cuts in cuts(), eof: bool) {
        let whole = run(end, small(), &cuts.of(&stream), Answers::AtOnce, eof);
        // As many fragments may be held as there may be: the application closes when it is told so, whole.
        let mut config = in_pieces();
        config.limits.fragments_max = small().limits.fragments_max;
        let pieces = run(end, config, &cuts.of(&stream), Answers::AtOnce, eof);
        prop_assert_eq!(joined(pieces.seen).0, whole.seen);
    }

    /// What is told up to an error, and every answer, does not depend on the cuts either.
    #[test]
    fn pieces_do_not_show_where_the_stream_is_cut((end, stream) in scripts(), cuts in cuts(), eof: bool) {
        let whole = run(end, in_pieces(), &Cuts::Whole.of(&stream), Answers::AtOnce, eof);
        let cut = run(end, in_pieces(), &cuts.of(&stream), Answers::AtOnce, eof);
        prop_assert_eq!(merged(cut.seen), merged(whole.seen));
        prop_assert_eq!(cut.outgoing, whole.outgoing);
    }
}

/// A text or binary message and where it is cut when it is sent.
fn messages() -> impl Strategy<Value = Vec<(Message<'static>, Vec<Index>)>> {
    let message = prop_oneof![
        3 => texts().prop_map(Message::from),
        3 => binaries().prop_map(Message::from),
        1 => (1usize..30_000).prop_map(|size| Message::from("aé€𝄞".repeat(size / 10))),
        1 => (1usize..70_000).prop_map(|size| Message::from(vec![0xA5; size])),
    ];
    vec((message, vec(any::<Index>(), 0..5)), 0..5)
}

/// The pieces of a message that is cut at about these places.
pub fn pieces<'m>(message: &'m Message<'_>, cuts: &[Index]) -> Vec<Piece<'m>> {
    let size = message.as_bytes().len();
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(size + 1)).collect();
    if let Message::Text(text) = message {
        ends.iter_mut().for_each(|end| *end = (0..=*end).rev().find(|end| text.is_char_boundary(*end)).unwrap());
    }
    ends.push(size);
    ends.sort_unstable();
    let (count, mut start) = (ends.len(), 0);
    let part = |(nth, end): (usize, usize)| {
        let from = std::mem::replace(&mut start, end);
        let data = match message {
            Message::Text(text) => text[from..end].into(),
            Message::Binary(bytes) => bytes[from..end].into(),
        };
        Piece { data, first: nth == 0, last: nth + 1 == count }
    };
    ends.into_iter().enumerate().map(part).collect()
}

/// Sends messages in pieces, a ping behind each, and reads them at the other end, which they reach cut somewhere.
pub fn exchange(
    from: &mut Connection,
    to: &mut Connection,
    messages: &[(Message<'static>, Vec<Index>)],
    owned: bool,
    cuts: &Cuts,
) -> (Vec<u8>, Vec<Seen>) {
    for (message, cuts) in messages {
        for piece in pieces(message, cuts) {
            from.send_piece(START, if owned { piece.into_owned() } else { piece }).unwrap();
            from.ping(START, b"between").unwrap();
        }
    }
    let bytes = flush(from, START);
    let seen = cuts.of(&bytes).iter().flat_map(|piece| receive(to, START, piece)).collect();
    let (seen, unfinished) = joined(seen);
    assert_eq!(unfinished, None);
    (bytes, seen.into_iter().filter(|seen| !matches!(seen, Seen::Ping(_))).collect())
}

pub fn expected(messages: &[(Message<'static>, Vec<Index>)]) -> Vec<Seen> {
    messages.iter().map(|(message, _)| whole(message.clone())).collect()
}

proptest! {
    #![proptest_config(cases(250))]

    /// What is sent in pieces is read by whoever gathers and by whoever does not, in both directions.
    #[test]
    fn what_is_sent_in_pieces_is_read(
        messages in messages(), up: bool, whole: bool, owned: bool, cuts in vec(any::<usize>(), 0..9),
    ) {
        let limits = Limits { message_bytes_max: 20, ..Limits::default() };
        let reader = if whole { Config::default() } else { Config { limits, pieces: Some(PieceLimits::default()), ..Config::default() } };
        let (mut from, mut to) = if up { (client(Config::default()), server(reader)) } else { (server(Config::default()), client(reader)) };
        let (bytes, seen) = exchange(&mut from, &mut to, &messages, owned, &Cuts::At(cuts));
        prop_assert_eq!(seen, expected(&messages));
        let data = frames(&bytes).into_iter().filter(|frame| frame.first & 0x0F < 8).count();
        prop_assert_eq!(data, messages.iter().map(|(_, cuts)| cuts.len() + 1).sum::<usize>(), "a fragment for each piece");
    }
}

#[test]
fn what_may_be_held_is_told_whole() {
    for (size, count) in [(19, 1), (20, 1), (21, 3)] {
        let text = "x".repeat(size);
        let (first, rest) = text.as_bytes().split_at(7);
        let mask = key(Role::Server);
        let stream = [
            frame(false, Opcode::Text, mask, first),
            frame(false, Opcode::Continuation, mask, rest),
            frame(true, Opcode::Continuation, mask, b""),
        ]
        .concat();
        let mut conn = server(in_pieces());
        let seen = receive(&mut conn, START, &stream);
        assert_eq!((seen.len(), matches!(seen[0], Seen::Text(_))), (count, size <= 20));
        assert_eq!(joined(seen).0, [Seen::Text(text)]);
    }
    // More fragments than may be held, though they have little.
    let fragment = frame(false, Opcode::Continuation, key(Role::Server), b"");
    let begin = frame(false, Opcode::Binary, key(Role::Server), b"a");
    for last in [&b"b"[..], b""] {
        let end = masked(Opcode::Continuation, last);
        for (between, pieces) in [(1, false), (2, true)] {
            let stream = [begin.clone(), fragment.repeat(between), end.clone()].concat();
            let seen = receive(&mut server(in_pieces()), START, &stream);
            assert_eq!(matches!(seen[0], Seen::Piece(_)), pieces);
            assert_eq!(joined(seen).0, [Seen::Binary([b"a", last].concat())]);
        }
    }
}

/// Pieces lie in the buffer of the caller, but for a character that is cut.
#[test]
fn pieces_are_lent() {
    let text = "é€𝄞".repeat(100);
    let stream = masked(Opcode::Text, text.as_bytes());
    let mut conn = server(in_pieces_of_any_size());
    let mut characters = 0;
    for piece in stream.chunks(64) {
        let mut buffer = piece.to_vec();
        let range = buffer.as_ptr_range();
        let mut input = &mut buffer[..];
        while let Some(Event::Piece(piece)) = conn.receive(START, &mut input) {
            let Message::Text(text) = piece.data else { panic!("not a text") };
            if !range.contains(&text.as_ptr()) {
                assert_eq!(text.chars().count(), 1);
                characters += 1;
            }
        }
    }
    assert!(characters > 5, "{characters}");
}

fn in_pieces_of_any_size() -> Config {
    let limits = Limits { message_bytes_max: 1, ..Limits::default() };
    let pieces = PieceLimits { message_bytes_max: PieceLimits::NO_LIMIT, fragments_max: PieceLimits::NO_LIMIT };
    Config { limits, pieces: Some(pieces), ..Config::default() }
}

/// A message of more than 4 GiB goes through one buffer of 64 KiB, in both directions, while the connection holds next to
/// nothing. Without optimization the test stops early.
#[test]
fn four_gibibytes_go_through_64_kib() {
    // A multiple of twelve: see below.
    const SIZE: u64 = (4 << 30) + 8;
    const BUFFER: usize = 64 << 10;
    let enough = if cfg!(debug_assertions) { 16 << 20 } else { SIZE };
    for make in [server, client] {
        for opcode in [Opcode::Text, Opcode::Binary] {
            let mut conn = make(in_pieces_of_any_size());
            let mask = key(conn.role());
            // Characters have three bytes and masks four: any twelve begin both.
            let mut payload = "€".repeat(BUFFER / 3 + 12).into_bytes();
            if let Some(key) = mask {
                roomwire::ws::apply_mask(&mut payload, key);
            }
            let mut buffer = vec![0; BUFFER];
            let (header, size) = Header { fin: true, opcode, mask, payload_len: SIZE }.encode();
            let (mut fed, mut told, mut pieces, mut last) = (0u64, 0u64, 0u64, false);
            let (_, usage) = measure(|| {
                assert!(receive_none(&mut conn, &mut header[..size].to_vec()));
                while fed < enough {
                    let count = BUFFER.min((SIZE - fed) as usize);
                    buffer[..count].copy_from_slice(&payload[(fed % 12) as usize..][..count]);
                    let mut input = &mut buffer[..count];
                    while let Some(event) = conn.receive(START, &mut input) {
                        let Event::Piece(piece) = event else { panic!("{event:?}") };
                        assert_eq!((piece.first, last, piece.data.opcode()), (pieces == 0, false, opcode));
                        (told, pieces, last) = (told + piece.data.as_bytes().len() as u64, pieces + 1, piece.last);
                    }
                    fed += count as u64;
                }
            });
            assert!(told <= fed && told + 3 >= fed && pieces <= 2 * fed.div_ceil(BUFFER as u64) + 1);
            assert_eq!((last, told == SIZE), (fed == SIZE, fed == SIZE));
            assert!(usage.peak < 1024 && usage.live < 512, "{usage:?}");
        }
    }
}

fn receive_none(conn: &mut Connection, bytes: &mut [u8]) -> bool {
    let mut input = bytes;
    conn.receive(START, &mut input).is_none()
}

/// Sending needs room for the pieces that are not written yet, and for nothing else.
#[test]
fn what_is_sent_in_pieces_is_not_held() {
    for make in [server, client] {
        let mut conn = make(Config::default());
        let data = vec![7; 64 << 10];
        let ((), usage) = measure(|| {
            for nth in 0..100 {
                conn.send_piece(START, Piece { data: data[..].into(), first: nth == 0, last: false }).unwrap();
                conn.sent(START, usize::MAX);
            }
        });
        assert!(usage.live <= 0 && usage.peak < 80 << 10, "{usage:?}");
    }
}

/// A piece out of turn is refused, and the message goes on as if it had not been tried.
#[test]
fn pieces_out_of_turn() {
    fn refused(conn: &mut Connection, piece: Piece<'_>, error: SendError) {
        let before = outgoing(conn);
        assert_eq!(conn.send_piece(START, piece), Err(error));
        assert_eq!(outgoing(conn), before);
    }
    let limits = Limits { outbox_bytes_max: 1024, ..Limits::default() };
    let mut conn = server(Config { limits, ..Config::default() });
    refused(&mut conn, Piece::middle("x"), SendError::UnexpectedContinuation);
    refused(&mut conn, Piece::end("x"), SendError::UnexpectedContinuation);
    conn.send_piece(START, Piece::begin("a")).unwrap();
    refused(&mut conn, Piece::begin("x"), SendError::UnfinishedMessage);
    refused(&mut conn, Piece { data: "x".into(), first: true, last: true }, SendError::UnfinishedMessage);
    refused(&mut conn, Piece::middle(&b"x"[..]), SendError::OtherKind);
    refused(&mut conn, Piece::end(&b""[..]), SendError::OtherKind);
    refused(&mut conn, Piece::end("x".repeat(1020)), SendError::TooLong);
    refused(&mut conn, Piece::end("x".repeat(1010)), SendError::OutboxFull);
    assert_eq!(conn.send(START, "x"), Err(SendError::UnfinishedMessage));
    assert_eq!(conn.send_plain(START, "x"), Err(SendError::UnfinishedMessage));
    assert_eq!(conn.send_shared(START, String::from("x")), Err(SendError::UnfinishedMessage));
    assert_eq!(conn.send_prepared(START, &roomwire::ws::Prepared::text("x")), Err(SendError::UnfinishedMessage));
    conn.send_piece(START, Piece::end("b")).unwrap();
    refused(&mut conn, Piece::end("x"), SendError::UnexpectedContinuation);
    conn.send_piece(START, Piece { data: "c".into(), first: true, last: true }).unwrap();
    assert_eq!(flush(&mut conn, START), b"\x01\x01a\x80\x01b\x81\x01c");
    // The closing handshake ends a message too.
    conn.send_piece(START, Piece::begin("a")).unwrap();
    conn.close(START, roomwire::ws::CloseCode::NORMAL, "").unwrap();
    refused(&mut conn, Piece::end("b"), SendError::NotOpen);
}

/// An application that sends back what it gets, while it holds the piece.
#[test]
fn a_piece_is_answered_with_itself() {
    let text = "é€𝄞".repeat(1000);
    let config = Arc::new(in_pieces_of_any_size());
    let (mut client, mut server) = (
        Connection::client_after_upgrade(config.clone(), [7; 32], START),
        Connection::server_after_upgrade(config, START),
    );
    client.send(START, &*text).unwrap();
    for piece in flush(&mut client, START).chunks(1000) {
        let mut buffer = piece.to_vec();
        let mut input = &mut buffer[..];
        while let Some(Event::Piece(piece)) = server.receive(START, &mut input) {
            server.send_piece(START, piece).unwrap();
        }
    }
    let seen = receive(&mut client, START, &flush(&mut server, START));
    assert!(seen.len() > 10);
    assert_eq!(joined(seen).0, [Seen::Text(text)]);
}

/// The end of the stream within a message is told as it always is.
#[test]
fn a_message_in_pieces_that_never_ends() {
    let stream = masked(Opcode::Binary, &[1; 100]);
    let trace = run(End::ServerAfterUpgrade, in_pieces(), &[&stream[..60]], Answers::AtOnce, true);
    assert_eq!(trace.closed().and_then(|closed| closed.error), Some(Error::UnexpectedEof));
    assert_eq!(joined(trace.seen).1.map(|message| message.as_bytes().len()), Some(54));
}
