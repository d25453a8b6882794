//! Compression on whole connections (RFC 7692): what the codec's own tests cannot see.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use roomwire::ws::{
    Accept, Config, Connection, DeflateConfig, Error, Event, HandshakeError, Limits, Opening, Piece, Prepared, Role,
    Upgrade,
};

use crate::clock::START;
use crate::support::memory::measure;
use crate::support::ws::frames;

fn config(deflate: DeflateConfig) -> Arc<Config> {
    let limits = Limits { message_bytes_max: 100_000, ..Limits::default() };
    Arc::new(Config { deflate: Some(deflate), limits, ..Config::default() })
}

pub fn all() -> DeflateConfig {
    DeflateConfig { threshold_bytes: 1, ..DeflateConfig::default() }
}

pub fn take(conn: &mut Connection) -> Vec<u8> {
    let bytes: Vec<u8> = conn.outgoing().flatten().copied().collect();
    conn.sent(START, bytes.len());
    bytes
}

/// A client and a server that have agreed as these two configurations have it.
pub fn pair(client: DeflateConfig, server: DeflateConfig) -> (Connection, Connection) {
    pair_of(config(client), config(server))
}

pub fn pair_of(client: Arc<Config>, server: Arc<Config>) -> (Connection, Connection) {
    let opening = Opening::url("ws://h/").unwrap();
    let mut client = Connection::client(client, opening, [7; 32], START);
    let mut server = Connection::server(server, START);
    let mut request = take(&mut client);
    let mut input = &mut request[..];
    while server.receive(START, &mut input).is_some() {
        server.accept(START, &Accept::new()).unwrap();
    }
    let mut answer = take(&mut server);
    let mut input = &mut answer[..];
    assert!(matches!(client.receive(START, &mut input), Some(Event::Opened(_))));
    (client, server)
}

/// A server that has agreed to what the line offers, and the extension line of its answer.
fn server(deflate: DeflateConfig, offer: &str) -> (Connection, Option<String>) {
    let mut conn = Connection::server(config(deflate), START);
    let mut request = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n"
    )
    .into_bytes();
    let mut input = &mut request[..];
    assert!(matches!(conn.receive(START, &mut input), Some(Event::Upgrade(_))));
    conn.accept(START, &Accept::new()).unwrap();
    let answer = String::from_utf8(take(&mut conn)).unwrap();
    let line = answer.split("\r\n").find_map(|line| line.strip_prefix("sec-websocket-extensions: "));
    (conn, line.map(Into::into))
}

/// A masked frame with a key of zeros.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let size = payload.len();
    let mut frame = match size {
        0..126 => vec![first, 0x80 | size as u8],
        126..65_536 => [&[first, 0x80 | 126][..], &(size as u16).to_be_bytes()].concat(),
        _ => [&[first, 0x80 | 127][..], &(size as u64).to_be_bytes()].concat(),
    };
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A short frame as the peer of this end sends it.
pub fn masked_or_not(reader: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    match reader {
        Role::Server => frame(first, payload),
        Role::Client => [&[first, payload.len() as u8][..], payload].concat(),
    }
}

pub fn receive(conn: &mut Connection, mut bytes: Vec<u8>) -> Vec<Result<Vec<u8>, Option<Error>>> {
    let mut input = &mut bytes[..];
    let mut told = Vec::new();
    while let Some(event) = conn.receive(START, &mut input) {
        match event {
            Event::Message(message) => told.push(Ok(message.as_bytes().to_vec())),
            Event::Closed(closed) => told.push(Err(closed.error)),
            _ => {}
        }
    }
    told
}

pub fn parameters() -> impl Strategy<Value = DeflateConfig> {
    (1u8..=9, any::<bool>(), any::<bool>(), 8u8..=15, 8u8..=15, 0usize..200).prop_map(
        |(level, server_reset, client_reset, server_bits, client_bits, threshold_bytes)| DeflateConfig {
            level,
            threshold_bytes,
            server_no_context_takeover: server_reset,
            client_no_context_takeover: client_reset,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        },
    )
}

fn message() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{0,40}",
        "[ab€😀]{0,400}",
        ("[a-z]{1,9}", 1usize..4000).prop_map(|(word, count)| word.repeat(count))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever both sides ask for, what one sends the other reads, cut anywhere.
    #[test]
    fn messages_survive(
        client in parameters(), server in parameters(), messages in vec((any::<bool>(), message()), 1..8), cut: usize,
    ) {
        let (mut client, mut server) = pair(client, server);
        for (up, text) in messages {
            let (from, to) = if up { (&mut client, &mut server) } else { (&mut server, &mut client) };
            from.send(START, text.as_str()).unwrap();
            let mut bytes = take(from);
            let rest = bytes.split_off(cut % (bytes.len() + 1));
            let mut told = receive(to, bytes);
            told.extend(receive(to, rest));
            prop_assert_eq!(told, [Ok(text.into_bytes())]);
        }
    }
}

#[test]
fn it_is_off_unless_both_want_it() {
    let (_, line) = server(all(), "x-other");
    assert_eq!(line, None);
    let (mut conn, _) = server(all(), "");
    conn.send(START, "hello hello hello hello").unwrap();
    assert_eq!(take(&mut conn)[0], 0x81, "not compressed");
    assert_eq!(receive(&mut conn, frame(0xC1, &[0xF2, 0x48])), [Err(Some(Error::ReservedBits))], "f10");
    let mut plain = Connection::server_after_upgrade(Arc::default(), START);
    assert_eq!(receive(&mut plain, frame(0xC1, &[0x00])), [Err(Some(Error::ReservedBits))]);
}

#[test]
fn d08_thresholds_and_plain_messages() {
    let (mut conn, _) = server(DeflateConfig { threshold_bytes: 20, ..all() }, "permessage-deflate");
    for (text, first) in [("hello hello hello h", 0x81), ("hello hello hello he", 0xC1)] {
        conn.send(START, text).unwrap();
        assert_eq!(take(&mut conn)[0], first, "{text}");
    }
    conn.send_shared(START, "hello hello hello he".to_owned()).unwrap();
    assert_eq!(take(&mut conn)[0], 0xC1);
    let never = |_: [&[u8]; 2]| -> usize { panic!("it is compressed") };
    conn.send_directly(START, "hello hello hello he", never).unwrap();
    assert_eq!(take(&mut conn)[0], 0xC1);
    conn.send_directly(START, "hello hello hello h", |pieces| pieces.concat().len()).unwrap();
    assert_eq!(conn.outgoing_len(), 0);
    conn.send_plain(START, "a secret beside what somebody else chose").unwrap();
    assert_eq!(take(&mut conn)[0], 0x81);
    conn.send(START, "").unwrap();
    assert_eq!(take(&mut conn), [0x81, 0]);
}

/// RSV1 on the first frame alone (section 6), control frames between the fragments of a compressed message.
#[test]
fn f11_d06_where_the_bit_may_stand() {
    let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let fragments = [frame(0x41, &hello[..3]), frame(0x89, b"ping"), frame(0x80, &hello[3..])].concat();
    assert_eq!(receive(&mut server(all(), "permessage-deflate").0, fragments), [Ok(b"Hello".to_vec())]);
    for bad in [
        [frame(0x41, &hello[..3]), frame(0xC0, &hello[3..])].concat(),
        [frame(0x01, b"He"), frame(0xC0, b"llo")].concat(),
        frame(0xC9, b""),
        frame(0xC8, b""),
        frame(0xA1, b"x"),
        frame(0xE1, &hello),
    ] {
        assert_eq!(receive(&mut server(all(), "permessage-deflate").0, bad), [Err(Some(Error::ReservedBits))]);
    }
}

#[test]
fn d07_a_window_that_is_not_kept_cannot_be_referred_to() {
    let first = frame(0xC1, &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]);
    let second = frame(0xC1, &[0xF2, 0x00, 0x11, 0x00, 0x00]);
    let both = [first, second].concat();
    let (mut kept, _) = server(all(), "permessage-deflate");
    assert_eq!(receive(&mut kept, both.clone()), [Ok(b"Hello".to_vec()), Ok(b"Hello".to_vec())]);
    let (mut reset, line) = server(all(), "permessage-deflate; client_no_context_takeover");
    assert_eq!(line.as_deref(), Some("permessage-deflate; client_no_context_takeover"));
    assert_eq!(receive(&mut reset, both), [Ok(b"Hello".to_vec()), Err(Some(Error::InvalidDeflate))]);
}

#[test]
fn text_is_checked_after_inflation() {
    let stored = |bytes: &[u8]| [&[0, bytes.len() as u8, 0, !(bytes.len() as u8), 0xFF][..], bytes, &[0]].concat();
    let (mut conn, _) = server(all(), "permessage-deflate");
    assert_eq!(receive(&mut conn, frame(0xC2, &stored(b"\xFF"))), [Ok(vec![0xFF])]);
    assert_eq!(receive(&mut conn, frame(0xC1, &stored(b"\xC3"))), [Err(Some(Error::InvalidUtf8))]);
}

/// A client and a server that holds messages of so many bytes.
fn pair_within(deflate: DeflateConfig, message_bytes_max: usize) -> (Connection, Connection) {
    let limits = Limits { message_bytes_max, ..Limits::default() };
    pair_of(config(deflate), Arc::new(Config { deflate: Some(deflate), limits, ..Config::default() }))
}

/// The limit is on what comes out of inflation: not on what goes in, which is more where nothing can be compressed or the
/// sender flushes often.
#[test]
fn d02_a_message_of_exactly_the_limit() {
    let mut noise = 1_u32;
    let mut byte = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    for size in [1, 2, 63, 64, 65, 255, 257, 4095, 4096, 4097, 8191, 8192, 8193, 20_000] {
        let noise = Vec::from_iter((0..size).map(|_| byte()));
        for (bits, payload) in [(8, &noise), (9, &noise), (15, &noise), (8, &vec![7; size]), (15, &vec![7; size])] {
            // Whole, by one byte at a time, and by many, each flushed, as if it was one frame.
            for piece_bytes in [size, 1, 300] {
                let deflate = DeflateConfig { client_max_window_bits: bits, ..all() };
                for (limit, told) in [(size, Ok(payload.clone())), (size - 1, Err(Some(Error::MessageTooBig)))] {
                    if limit == 0 {
                        continue;
                    }
                    let (mut client, mut server) = pair_within(deflate, limit);
                    let pieces = payload.chunks(piece_bytes).enumerate();
                    for (nth, data) in pieces {
                        let (first, last) = (nth == 0, (nth + 1) * piece_bytes >= size);
                        client.send_piece(START, Piece { data: data.into(), first, last }).unwrap();
                    }
                    let deflated = frames(&take(&mut client)).into_iter().flat_map(|frame| frame.payload);
                    let whole = frame(0xC2, &deflated.collect::<Vec<_>>());
                    assert_eq!(receive(&mut server, whole), [told], "{size} of {bits} bits by {piece_bytes}");
                }
            }
        }
    }
}

/// What is cut is no message, wherever it is cut (section 7.2.2): it is refused, and not told as far as it goes.
#[test]
fn a_message_that_is_cut_is_refused() {
    let text = "one message of some length, one message of another, and 0123456789".repeat(3);
    let noise = Vec::from_iter((0..150_u32).map(|nth| (nth.wrapping_mul(2_654_435_761) >> 13) as u8));
    // With codes of its own, with fixed ones, and stored.
    for (level, message) in [(9, text.as_bytes()), (1, &text.as_bytes()[..9]), (1, &noise)] {
        let (mut client, _) = pair(DeflateConfig { level, ..all() }, all());
        client.send(START, message).unwrap();
        let whole = frames(&take(&mut client)).remove(0).payload;
        for end in 0..=whole.len() {
            let refused = Err(Some(Error::InvalidDeflate));
            let told = if end == whole.len() { Ok(message.to_vec()) } else { refused };
            let cut = frame(0xC2, &whole[..end]);
            for bytes in [1, cut.len()] {
                let (mut server, _) = server(all(), "permessage-deflate");
                let found: Vec<_> = cut.chunks(bytes).flat_map(|piece| receive(&mut server, piece.to_vec())).collect();
                assert_eq!(found, std::slice::from_ref(&told), "{end} of {}", whole.len());
                assert!(told.is_ok() || take(&mut server)[2..4] == 1007_u16.to_be_bytes());
            }
        }
    }
}

/// What an empty message has is a byte (section 7.2.3.6); where a final block has ended nothing is missing (section 7.2.3.4).
#[test]
fn what_a_message_may_end_with() {
    let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let stored = |bytes: &[u8]| [&[0, bytes.len() as u8, 0, !(bytes.len() as u8), 0xFF][..], bytes].concat();
    let good: &[(&[u8], &str)] = &[
        (&[0x00], ""),
        (&[0x01], ""),
        (&[0x02, 0x00], ""),
        (&[0x03, 0x00], ""),
        (&[0x03, 0x00, 0x00], ""),
        (&[0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00], ""),
        (&hello, "Hello"),
        (&last, "Hello"),
        (&[&last[..], &[0]].concat(), "Hello"),
        (&[&stored(b"Hello")[..], &[0]].concat(), "Hello"),
        (&[&last[..], &hello].concat(), "HelloHello"),
        (&[&hello[..], &[0, 0, 0xFF, 0xFF], &last].concat(), "HelloHello"),
    ];
    let bad: &[&[u8]] = &[
        &[],
        // A block of fixed codes without its end, with it and without another, and one that ends with its byte.
        &hello[..5],
        &hello[..6],
        &[0x02],
        // Its end is there, that of the message is not: the next block has begun.
        &[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA],
        // What was left out is there, and nothing behind it.
        &[&hello[..], &[0, 0, 0xFF, 0xFF]].concat(),
        &[0x00, 0x00],
        &[0x00, 0x00, 0x00],
        &[0x00, 0x00, 0x00, 0xFF],
        &[0x00, 0x00, 0x00, 0xFF, 0xFF],
        // Stored blocks that want as much as the tail, a byte less, and a byte more; and whose length is in it.
        &stored(b"Hello")[..6],
        &[0, 4, 0, 0xFB, 0xFF],
        &[0, 3, 0, 0xFC, 0xFF],
        &[0, 5, 0, 0xFA, 0xFF],
        &[0, 0xFF],
        &[0, 0xFF, 0xFF],
        &stored(b"Hello"),
    ];
    let context = || server(all(), "permessage-deflate").0;
    let without = || server(all(), "permessage-deflate; client_no_context_takeover").0;
    for (payload, text) in good {
        // The next one begins where this one has ended.
        for (mut conn, mut other) in [(context(), context()), (without(), without())] {
            let next = [frame(0xC1, payload), frame(0xC1, &hello), frame(0xC1, &[0])].concat();
            let told = [text, "Hello", ""].map(|text| Ok(text.as_bytes().to_vec()));
            assert_eq!(receive(&mut conn, next.clone()), told, "{payload:x?}");
            assert_eq!(next.iter().flat_map(|byte| receive(&mut other, vec![*byte])).collect::<Vec<_>>(), told);
        }
    }
    for payload in bad {
        for (mut conn, before) in [(context(), false), (context(), true), (without(), true)] {
            if before {
                assert_eq!(receive(&mut conn, frame(0xC1, &hello)), [Ok(b"Hello".to_vec())]);
            }
            assert_eq!(receive(&mut conn, frame(0xC1, payload)), [Err(Some(Error::InvalidDeflate))], "{payload:x?}");
        }
        // Nor does a final block of one message end another, though it ends with what was left out.
        for before in [&last[..], &[0x01]] {
            let mut conn = context();
            assert!(matches!(receive(&mut conn, frame(0xC1, before))[..], [Ok(_)]));
            assert_eq!(receive(&mut conn, frame(0xC1, payload)), [Err(Some(Error::InvalidDeflate))], "{payload:x?}");
        }
    }
}

/// A bomb ends in 1009, having had no more than the limit, a window and the codec's own tables.
#[test]
fn d01_d02_bombs() {
    let (mut client, mut server) = pair(DeflateConfig { level: 9, ..all() }, all());
    // The limit is on what is received.
    client.send(START, vec![0; 10_000_000]).unwrap();
    let bomb = take(&mut client);
    assert!(bomb.len() < 11_000, "{} : 1", 10_000_000 / bomb.len());
    let (told, usage) = measure(|| receive(&mut server, bomb.clone()));
    assert_eq!(told, [Err(Some(Error::MessageTooBig))]);
    assert!(usage.peak < 2 * 100_000 + 128 * 1024, "{usage:?}");
    let answer = take(&mut server);
    assert_eq!((answer[0], &answer[2..4]), (0x88, &1009u16.to_be_bytes()[..]));
}

/// What came out of inflation earns no room for what is announced.
#[test]
fn f01_a_compressed_message_is_not_as_much_as_it_becomes() {
    let (mut client, mut server) = pair(DeflateConfig { level: 9, ..all() }, all());
    client.send(START, vec![0; 90_000]).unwrap();
    let message = take(&mut client);
    let told: usize = message.chunks(50).map(|piece| receive(&mut server, piece.to_vec()).len()).sum();
    assert!(told == 1 && message.len() < 200);
    client.send_plain(START, vec![0; 90_000]).unwrap();
    let mut begun = take(&mut client)[..100].to_vec();
    let (_, usage) = measure(|| assert!(server.receive(START, &mut &mut begun[..]).is_none()));
    assert!(usage.peak < 1024, "{usage:?}");
}

#[test]
fn d03_after_the_end_nothing_is_inflated() {
    let (mut conn, _) = server(all(), "permessage-deflate");
    let rubbish = [frame(0xC1, &[0xFF; 50]), frame(0xC1, &[0xFF; 50]), frame(0x81, b"late")].concat();
    assert_eq!(receive(&mut conn, rubbish), [Err(Some(Error::InvalidDeflate))]);
    let answer = take(&mut conn);
    assert_eq!((answer[0], &answer[2..4]), (0x88, &1007u16.to_be_bytes()[..]));
}

#[test]
fn one_compressed_frame_for_all_who_keep_no_context() {
    let text = "to all of you, to all of you, to all of you";
    let prepared = Prepared::text(text).deflated(6);
    let resets = DeflateConfig { server_no_context_takeover: true, ..all() };
    let (mut client, mut without) = pair(all(), resets);
    for _ in 0..2 {
        without.send_prepared(START, &prepared).unwrap();
        let bytes = take(&mut without);
        assert!(bytes[0] == 0xC1 && bytes.len() < text.len());
        assert_eq!(receive(&mut client, bytes), [Ok(text.as_bytes().to_vec())]);
    }
    let (mut client, mut with) = pair(all(), all());
    with.send_prepared(START, &prepared).unwrap();
    let bytes = take(&mut with);
    assert_eq!(bytes[0], 0x81, "plain where a context is kept");
    assert_eq!(receive(&mut client, bytes), [Ok(text.as_bytes().to_vec())]);
}

/// Both ends of a handshake that others have made, as over HTTP/2.
fn pair_behind(client: DeflateConfig, server: DeflateConfig) -> (Connection, Connection) {
    let offer = config(client).extensions().unwrap();
    let headers = [("sec-websocket-version", &b"13"[..]), ("sec-websocket-extensions", offer.as_bytes())];
    let upgrade = Upgrade::extended_connect("CONNECT", Some("websocket"), "h", "/", headers).unwrap();
    let (response, server) = Connection::server_behind(config(server), &upgrade, &Accept::new(), START).unwrap();
    let answered = response.headers().filter(|line| line.0 == "sec-websocket-extensions").map(|line| line.1);
    (Connection::client_behind(config(client), answered, [7; 32], START).unwrap(), server)
}

#[test]
fn compression_behind_handshakes_that_others_make() {
    let text = "behind others, behind others, behind others";
    let resets = DeflateConfig { server_no_context_takeover: true, client_no_context_takeover: true, ..all() };
    let small = DeflateConfig { server_max_window_bits: 9, client_max_window_bits: 9, ..all() };
    for asked in [all(), resets, small] {
        for granted in [all(), resets, small] {
            let (mut client, mut server) = pair_behind(asked, granted);
            for _ in 0..2 {
                client.send(START, text).unwrap();
                let bytes = take(&mut client);
                assert!(bytes[0] == 0xC1 && bytes.len() < text.len());
                assert_eq!(receive(&mut server, bytes), [Ok(text.as_bytes().to_vec())]);
                server.send(START, text).unwrap();
                let bytes = take(&mut server);
                assert!(bytes[0] == 0xC1 && bytes.len() < text.len());
                assert_eq!(receive(&mut client, bytes), [Ok(text.as_bytes().to_vec())]);
            }
        }
    }
    // A server that does not compress; one that compresses without having been asked to.
    let behind = |answered: &[&'static str]| {
        let made = Connection::client_behind(config(all()), answered.iter().copied(), [7; 32], START);
        made.map(|mut conn| (conn.send(START, text).unwrap(), take(&mut conn)[0]).1)
    };
    assert_eq!(behind(&[]), Ok(0x81));
    assert_eq!(behind(&["permessage-deflate"]), Ok(0xC1));
    for wrong in [&["x-other"][..], &["permessage-deflate", "permessage-deflate"], &["permessage-deflate; x"]] {
        assert_eq!(behind(wrong), Err(HandshakeError::Extension), "{wrong:?}");
    }
}

#[test]
fn a_client_compresses_what_is_prepared() {
    let text = "to you, to you, to you, to you, to you";
    for deflate in [all(), DeflateConfig { client_no_context_takeover: true, ..all() }] {
        let (mut client, mut server) = pair(deflate, all());
        let (plain, prepared) = (Prepared::text(text), Prepared::text(text).deflated(6));
        for (prepared, first) in [(&prepared, 0xC1), (&plain, 0x81), (&prepared, 0xC1)] {
            client.send_prepared(START, prepared).unwrap();
            let bytes = take(&mut client);
            assert_eq!(bytes[0], first);
            assert_eq!(receive(&mut server, bytes), [Ok(text.as_bytes().to_vec())]);
        }
    }
    let mut bare = Connection::client_after_upgrade(config(all()), [7; 32], START);
    bare.send_prepared(START, &Prepared::text(text).deflated(6)).unwrap();
    assert_eq!(take(&mut bare)[0], 0x81, "nothing was agreed on");
}

/// A message that fits the window refers to nothing beyond it.
#[test]
fn a_prepared_message_needs_a_window_of_its_own_size() {
    for bits in 8..=15 {
        let small = DeflateConfig { server_no_context_takeover: true, server_max_window_bits: bits, ..all() };
        let (mut client, mut server) = pair(all(), small);
        for (size, first) in [(1 << bits, 0xC1), ((1 << bits) + 1, if bits == 15 { 0xC1 } else { 0x81 })] {
            let text = "ab".repeat(size).split_off(size);
            server.send_prepared(START, &Prepared::text(&text).deflated(6)).unwrap();
            let bytes = take(&mut server);
            assert_eq!(bytes[0], first, "{size} in {bits}");
            assert_eq!(receive(&mut client, bytes), [Ok(text.into_bytes())], "{size} in {bits}");
        }
    }
}

/// A configuration that nobody has validated is harmless, too.
#[test]
fn a_level_beyond_all_is_the_highest() {
    for level in [0, 10, 255] {
        let (mut client, mut server) = pair(DeflateConfig { level, ..all() }, DeflateConfig { level, ..all() });
        let text = "again and ".repeat(100);
        client.send(START, &*text).unwrap();
        assert_eq!(receive(&mut server, take(&mut client)), [Ok(text.clone().into_bytes())]);
        server.send(START, &*text).unwrap();
        assert_eq!(receive(&mut client, take(&mut server)), [Ok(text.into_bytes())]);
    }
}
