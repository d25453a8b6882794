use std::hint::black_box;
use std::sync::Arc;

use roomwire::Instant;
use roomwire::http::{Config, Connection, Event, Limits, RequestReader, Response};

use super::{Alone, Bytewise, Clock, HEADS, Linear, Path, hand_over};
use crate::section::count;

pub const HOT: &[Path] = &[
    Path { name: "http: request head of 450 bytes", times: 100, run: |times| heads(times, usize::MAX) },
    Path { name: "http: request head of 450 bytes, byte by byte", times: 100, run: |times| heads(times, 1) },
    Path { name: "http: request answered", times: 200, run: answered },
];

pub const LINEAR: &[Linear] = &[
    Linear { name: "A01 head in one piece", units: 64 << 10, run: |size| long_head(size, usize::MAX) },
    Linear { name: "A01 head in pieces of 256 bytes", units: 64 << 10, run: |size| long_head(size, 256) },
    Linear { name: "A01 head byte by byte", units: 16 << 10, run: |size| long_head(size, 1) },
];

pub const BYTEWISE: &[Bytewise] =
    &[Bytewise { name: "A01 request and its answer", run: |piece| connections(HEADS, piece), alone: HEAD_ALONE }];

pub const HEAD_ALONE: Alone = ("a request head is handed over", |piece| hand_over(&head(), piece));

/// As a browser sends it.
pub fn head() -> Vec<u8> {
    let text = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: chat.example.org\r\nConnection: Upgrade\r\n\
        Pragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n\
        Upgrade: websocket\r\nOrigin: https://chat.example.org\r\nSec-WebSocket-Version: 13\r\n\
        Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    text.into()
}

fn heads(times: usize, piece: usize) {
    let (head, limits) = (head(), Limits::default());
    assert_eq!(head.len().next_multiple_of(50), 450);
    count(|| {
        for _ in 0..times {
            read(&limits, &head, piece);
        }
    });
}

fn connections(times: usize, piece: usize) {
    let (head, config) = (head(), Arc::new(Config::default()));
    count(|| {
        for _ in 0..times {
            let mut conn = Connection::new(config.clone(), Instant::ORIGIN);
            let told = head.chunks(piece).find_map(|mut part| conn.receive(Instant::ORIGIN, &mut part));
            assert!(matches!(black_box(told), Some(Event::Request(_))));
            answer(&mut conn, Instant::ORIGIN);
        }
    });
}

/// A line that is as long as the limits may ever be set to allow.
fn long_head(size: usize, piece: usize) {
    let mut head = b"GET / HTTP/1.1\r\nHost: localhost\r\nA: ".to_vec();
    head.resize(size - 4, b'a');
    head.extend_from_slice(b"\r\n\r\n");
    let limits = Limits { head_bytes_max: 1 << 20, ..Limits::default() };
    count(|| read(&limits, &head, piece));
}

fn read(limits: &Limits, head: &[u8], piece: usize) {
    let mut reader = RequestReader::new();
    let request = head.chunks(piece).find_map(|mut part| reader.read(limits, &mut part).expect("it is in order"));
    black_box(request.expect("it is whole"));
}

fn answered(times: usize) {
    // On the heap, as a driver's buffer is: a constant lies where others leave room, and how it is aligned costs instructions.
    let request =
        b"GET /status?verbose=1 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: probe\r\n\r\n".to_vec();
    let mut clock = Clock::default();
    let mut conn = Connection::new(Arc::new(Config::default()), clock.tick());
    count(|| {
        for _ in 0..times {
            let mut input = &request[..];
            let Some(Event::Request(request)) = conn.receive(clock.tick(), &mut input) else { panic!("no request") };
            black_box(request);
            answer(&mut conn, clock.tick());
        }
    });
}

fn answer(conn: &mut Connection, now: Instant) {
    conn.respond(now, Response::new(200).text("all is well\n")).expect("it is awaited");
    let size: usize = conn.outgoing().map(<[u8]>::len).sum();
    conn.sent(now, size);
}
