//! What conformance suites do not ask of compression (RFC 7692), and implementations get wrong.

use std::sync::Arc;

use roomwire::ws::{
    Accept, Config, Connection, DeflateConfig, Error, Event, HandshakeError, Limits, Message, Opening, Role, accept_key,
};

use crate::clock::START;
use crate::support::cuts::Cuts;
use crate::support::memory::measure;
use crate::support::ws::{flush, outgoing};

const MESSAGE_BYTES_MAX: usize = 1 << 20;
const PLAIN_OFFER: &str = "permessage-deflate; client_max_window_bits";

fn config(deflate: DeflateConfig) -> Arc<Config> {
    let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, ..Limits::default() };
    Arc::new(Config { deflate: Some(deflate), limits, ..Config::default() })
}

/// A server that was offered these extensions, a header line for each, and the line of its answer.
fn server(offers: &[&str]) -> (Connection, Option<String>) {
    let mut conn = Connection::server(config(DeflateConfig::default()), START);
    let lines: String = offers.iter().map(|offer| format!("Sec-WebSocket-Extensions: {offer}\r\n")).collect();
    let mut request = crate::support::ws::opening_with("/", &lines);
    let mut input = &mut request[..];
    assert!(matches!(conn.receive(START, &mut input), Some(Event::Upgrade(_))));
    conn.accept(START, &Accept::new()).unwrap();
    let answer = String::from_utf8(flush(&mut conn, START)).unwrap();
    let line = answer.split("\r\n").find_map(|line| line.strip_prefix("sec-websocket-extensions: "));
    (conn, line.map(Into::into))
}

/// A client that was answered with these extensions, and why it failed.
fn client(deflate: DeflateConfig, answer: &str) -> (Connection, Option<Error>) {
    let mut conn = Connection::client(config(deflate), Opening::url("ws://h/").unwrap(), [7; 32], START);
    let request = String::from_utf8(flush(&mut conn, START)).unwrap();
    let key = request.split("\r\n").find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = String::from_utf8(accept_key(key).to_vec()).unwrap();
    let mut response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: {answer}\r\n\r\n"
    )
    .into_bytes();
    let error = receive(&mut conn, &mut response).into_iter().find_map(Result::err);
    (conn, error)
}

/// Both ends after a handshake that has agreed on compression.
fn both() -> [Connection; 2] {
    [server(&[PLAIN_OFFER]).0, client(DeflateConfig::default(), "permessage-deflate").0]
}

/// The messages, and the error of the end.
fn receive(conn: &mut Connection, bytes: &mut [u8]) -> Vec<Result<Vec<u8>, Error>> {
    let mut input = bytes;
    let mut told = Vec::new();
    while let Some(event) = conn.receive(START, &mut input) {
        match event {
            Event::Message(message) => told.push(Ok(message.as_bytes().to_vec())),
            Event::Closed(closed) => told.extend(closed.error.map(Err)),
            _ => {}
        }
    }
    told
}

fn receive_in(conn: &mut Connection, cuts: &Cuts, bytes: &[u8]) -> Vec<Result<Vec<u8>, Error>> {
    cuts.of(bytes).into_iter().flat_map(|piece| receive(conn, &mut piece.to_vec())).collect()
}

/// A frame from the peer of `reader`, masked with zeros where it has to be.
fn frame(reader: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let (mask, key): (u8, &[u8]) = if reader == Role::Server { (0x80, &[0; 4]) } else { (0, &[]) };
    let size = u16::try_from(payload.len()).unwrap();
    let length = if size < 126 { vec![mask | size as u8] } else { [&[mask | 126][..], &size.to_be_bytes()].concat() };
    [&[first][..], &length, key, payload].concat()
}

#[test]
fn a08_a09_offers_on_a_connection() {
    const TAKEN: &str = "permessage-deflate; client_no_context_takeover";
    for bad in [
        "server_max_window_bits",
        "server_max_window_bits=",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits=08",
        "client_max_window_bits=16",
        "client_max_window_bits; client_max_window_bits",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover=true",
        "mem_level=9",
    ] {
        let offer = format!("permessage-deflate; {bad}");
        // An offer with it is declined: the connection goes on without, or by the next offer.
        assert_eq!(server(&[&offer]).1, None, "{bad}");
        if bad != "server_max_window_bits=" {
            assert_eq!(server(&[&format!("{offer}, {TAKEN}")]).1.as_deref(), Some(TAKEN), "{bad}");
            assert_eq!(server(&[&offer, TAKEN]).1.as_deref(), Some(TAKEN), "{bad}, in two lines");
        }
    }
    for (offer, answer) in [
        ("server_max_window_bits=8", "server_max_window_bits=8"),
        ("server_max_window_bits=15", "server_max_window_bits=15"),
        ("server_max_window_bits=\"9\"", "server_max_window_bits=9"),
        ("client_max_window_bits=8", "client_max_window_bits=8"),
    ] {
        let (mut conn, line) = server(&[&format!("permessage-deflate; {offer}")]);
        assert_eq!(line, Some(format!("permessage-deflate; {answer}")));
        conn.send(START, "a message that is long enough, a message that is long enough to be compressed").unwrap();
        assert_eq!(outgoing(&conn)[0], 0xC1);
    }
}

#[test]
fn a08_a10_answers_on_a_connection() {
    for bad in [
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; mem_level=9",
        "permessage-deflate, permessage-deflate",
        "x-webkit-deflate-frame",
    ] {
        let (conn, error) = client(DeflateConfig::default(), bad);
        assert_eq!((error, conn.is_open()), (Some(Error::Handshake(HandshakeError::Extension)), false), "{bad}");
    }
    for good in ["permessage-deflate; server_max_window_bits=8", "permessage-deflate; client_max_window_bits=8", ""] {
        assert!(client(DeflateConfig::default(), good).0.is_open(), "{good}");
    }
}

/// A final block ends a stream of DEFLATE, not the message (section 7.2.3.4).
#[test]
fn final_blocks() {
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let one = [&last[..], &[0]].concat();
    let two = [&last[..], &last, &[0]].concat();
    let stored = [&last[..], &[0, 1, 0, 0xFE, 0xFF, b'!', 0]].concat();
    for (payload, text) in [(&one, "Hello"), (&two, "HelloHello"), (&stored, "Hello!")] {
        for mut conn in both() {
            let role = conn.role();
            let whole = frame(role, 0xC1, payload);
            // Fragments with an end in each place, and a ping where it hurts most.
            for cut in 0..=payload.len() {
                let (start, rest) = payload.split_at(cut);
                let parts = [frame(role, 0x41, start), frame(role, 0x89, b""), frame(role, 0x80, rest)].concat();
                for cuts in [Cuts::Whole, Cuts::Bytes] {
                    assert_eq!(receive_in(&mut conn, &cuts, &parts), [Ok(text.as_bytes().to_vec())], "cut at {cut}");
                }
            }
            assert_eq!(receive_in(&mut conn, &Cuts::Whole, &whole.repeat(2)).len(), 2);
        }
    }
}

/// The second message is nothing but a reference to the first, whatever came between that is not of the window.
#[test]
fn d07_a_message_that_refers_into_the_window() {
    let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let again = [0xF2, 0x00, 0x11, 0x00, 0x00];
    for cuts in [Cuts::Whole, Cuts::Bytes] {
        for mut conn in both() {
            let role = conn.role();
            let stream = [
                frame(role, 0x41, &hello[..3]),
                frame(role, 0x89, b"ping"),
                frame(role, 0x80, &hello[3..]),
                frame(role, 0x81, b"plain, and so outside"),
                frame(role, 0xC1, &again),
                frame(role, 0xC1, &[0]),
                frame(role, 0x41, &again[..2]),
                frame(role, 0x00, b""),
                frame(role, 0x80, &again[2..]),
            ];
            let told = receive_in(&mut conn, &cuts, &stream.concat());
            let texts = ["Hello", "plain, and so outside", "Hello", "", "Hello"];
            assert_eq!(told, texts.map(|text| Ok(text.as_bytes().to_vec())));
        }
    }
    // Before there is anything to refer to, and when the server was told that nothing is kept.
    for (offer, stream) in [
        (PLAIN_OFFER, frame(Role::Server, 0xC1, &again)),
        (
            "permessage-deflate; client_no_context_takeover",
            [frame(Role::Server, 0xC1, &hello), frame(Role::Server, 0xC1, &again)].concat(),
        ),
    ] {
        let told = receive_in(&mut server(&[offer]).0, &Cuts::Whole, &stream);
        assert_eq!(told.last(), Some(&Err(Error::InvalidDeflate)));
    }
}

/// 750 : 1, which is no bomb. It came from zlib at its level 9.
#[test]
fn sixty_thousand_of_one_letter() {
    let mut payload = b"\xEC\xC1\x31\x01\x00\x00\x00\xC2\xA0\xAC\xEB\x5F\xC2\x1A\x1E\x40\x01".to_vec();
    payload.resize(74, 0);
    payload.extend([0x7C, 0x19, 0x00]);
    let text = vec![b'a'; 60_000];
    for mut conn in both() {
        let stream = frame(conn.role(), 0xC1, &payload);
        for cuts in [Cuts::Whole, Cuts::Bytes, Cuts::At(vec![9, 40, 78])] {
            assert_eq!(receive_in(&mut conn, &cuts, &stream), [Ok(text.clone())]);
        }
        // And back, by the other end's reader.
        conn.send(START, String::from_utf8(text.clone()).unwrap()).unwrap();
        let sent = outgoing(&conn);
        assert!(sent[0] == 0xC1 && sent.len() < 600, "{} bytes", sent.len());
        let [server, client] = both();
        let mut other = if conn.role() == Role::Server { client } else { server };
        assert_eq!(receive_in(&mut other, &Cuts::Bytes, &sent), [Ok(text.clone())]);
    }
}

/// At either end, in one frame or in many: 1009, having had no more than the limit and what inflating takes.
#[test]
fn d01_a_bomb_in_fragments_and_from_a_server() {
    let limits = Limits { outbox_bytes_max: 8 << 20, ..Limits::default() };
    let deflate = DeflateConfig { level: 9, ..DeflateConfig::default() };
    let mut bomber =
        Connection::server(Arc::new(Config { deflate: Some(deflate), limits, ..Config::default() }), START);
    let mut request = crate::support::ws::opening_with("/", &format!("Sec-WebSocket-Extensions: {PLAIN_OFFER}\r\n"));
    let mut input = &mut request[..];
    assert!(bomber.receive(START, &mut input).is_some());
    bomber.accept(START, &Accept::new()).unwrap();
    flush(&mut bomber, START);
    bomber.send(START, Message::from(vec![0; 4 << 20])).unwrap();
    let bytes = outgoing(&bomber);
    let bomb = &bytes[4..];
    assert!(bytes[1] == 126 && (4 << 20) / bomb.len() >= 1000, "{} bytes", bomb.len());
    for mut conn in both() {
        let role = conn.role();
        let whole = frame(role, 0xC2, bomb);
        let mut parts = frame(role, 0x42, b"");
        bomb.chunks(100).for_each(|part| parts.extend(frame(role, 0x00, part)));
        for (nth, stream) in [whole, parts].into_iter().enumerate() {
            if nth > 0 {
                let [server, client] = both();
                conn = if role == Role::Server { server } else { client };
            }
            let (told, usage) = measure(|| receive_in(&mut conn, &Cuts::Whole, &stream));
            assert_eq!(told, [Err(Error::MessageTooBig)]);
            assert!(usage.peak < 2 * MESSAGE_BYTES_MAX as isize + 128 * 1024, "{usage:?}");
            let close = crate::support::ws::frames(&outgoing(&conn));
            assert_eq!((close.len(), close[0].code()), (1, Some(1009)));
        }
    }
}

/// The answer of a server that declined says nothing of extensions, and its messages are plain.
#[test]
fn a_declined_offer_leaves_a_plain_connection() {
    let (mut conn, line) = server(&["permessage-deflate; server_max_window_bits=08"]);
    assert_eq!(line, None);
    conn.send(START, "a message that is long enough, a message that is long enough to be compressed").unwrap();
    assert_eq!(outgoing(&conn)[0], 0x81);
    let told = receive_in(&mut conn, &Cuts::Whole, &frame(Role::Server, 0xC1, &[0]));
    assert_eq!(told, [Err(Error::ReservedBits)]);
}
