use std::hint::black_box;
use std::sync::Arc;

use roomwire::ws::{Accept, Config, Connection, Event, Opcode, Opening, Prepared};
use roomwire::{Instant, http};

use super::http::HEAD_ALONE;
use super::{Bytewise, Clock, HEADS, Linear, Path, hand_over, masked, noise, text};
use crate::section::count;

const KIB: usize = 1024;
const ALL: usize = usize::MAX;

pub const HOT: &[Path] = &[
    Path { name: "ws: opening handshake, server", times: 100, run: |times| opening_server(times, ALL) },
    Path { name: "ws: opening handshake, client", times: 100, run: |times| opening_client(times, ALL) },
    Path { name: "ws: receive binary 16 B", times: 2000, run: |times| binary(times, 16, ALL) },
    Path { name: "ws: receive binary 125 B", times: 2000, run: |times| binary(times, 125, ALL) },
    Path { name: "ws: receive binary 1 KiB", times: 1000, run: |times| binary(times, KIB, ALL) },
    Path { name: "ws: receive binary 16 KiB", times: 100, run: |times| binary(times, 16 * KIB, ALL) },
    Path { name: "ws: receive binary 16 KiB, reads of 1460 B", times: 100, run: |times| binary(times, 16 * KIB, 1460) },
    Path {
        name: "ws: receive binary 16 KiB in place, reads of 1460 B",
        times: 100,
        run: |times| in_place(times, 16 * KIB, 1460),
    },
    Path { name: "ws: receive text 16 B", times: 2000, run: |times| texts(times, 16, 1, ALL) },
    Path { name: "ws: receive text 125 B", times: 2000, run: |times| texts(times, 125, 1, ALL) },
    Path { name: "ws: receive text 1 KiB", times: 1000, run: |times| texts(times, KIB, 1, ALL) },
    Path { name: "ws: receive text 16 KiB", times: 100, run: |times| texts(times, 16 * KIB, 1, ALL) },
    Path { name: "ws: receive text 16 KiB, reads of 1460 B", times: 100, run: |times| texts(times, 16 * KIB, 1, 1460) },
    Path { name: "ws: receive text 125 B in 4 fragments", times: 1000, run: |times| texts(times, 125, 4, ALL) },
    Path { name: "ws: receive text 16 KiB in 4 fragments", times: 100, run: |times| texts(times, 16 * KIB, 4, ALL) },
    Path { name: "ws: receive ping, answer it", times: 1000, run: pings },
    Path { name: "ws: send 125 B, server", times: 2000, run: |times| send(times, 125, server()) },
    Path { name: "ws: send 1 KiB, server", times: 1000, run: |times| send(times, KIB, server()) },
    Path { name: "ws: send 16 KiB, server", times: 100, run: |times| send(times, 16 * KIB, server()) },
    Path { name: "ws: send 125 B, client", times: 2000, run: |times| send(times, 125, client()) },
    Path { name: "ws: send 1 KiB, client", times: 1000, run: |times| send(times, KIB, client()) },
    Path { name: "ws: send 16 KiB, client", times: 100, run: |times| send(times, 16 * KIB, client()) },
    Path { name: "ws: send 1 KiB, server, buffer lent", times: 1000, run: |times| send_lent(times, KIB, server()) },
    Path { name: "ws: send prepared 1 KiB, server", times: 1000, run: prepared },
    Path { name: "ws: echo 125 B, one in a read", times: 1000, run: |times| echo(times, 1) },
    Path { name: "ws: echo 125 B, 16 of them in a read", times: 3200, run: |times| echo(times, 16) },
    Path { name: "ws: closing handshake, server", times: 500, run: closing },
];

pub const LINEAR: &[Linear] = &[
    Linear { name: "A05 Sec-WebSocket-Extensions that is never closed", units: 16 << 10, run: extensions },
    Linear { name: "A06 Sec-WebSocket-Protocol with spaces", units: 16 << 10, run: subprotocols },
    Linear { name: "F16 fragments of 1 byte", units: 8 << 10, run: |count| fragments(count, b"a") },
    Linear { name: "F17 fragments of nothing", units: 8 << 10, run: |count| fragments(count, b"") },
    Linear { name: "F19 a frame byte by byte", units: 16 << 10, run: |size| binary(1, size, 1) },
    Linear { name: "F19 a frame byte by byte, left in place", units: 16 << 10, run: |size| in_place(1, size, 1) },
    Linear { name: "C02 pings that are not read", units: 4 << 10, run: unread_pings },
];

pub const BYTEWISE: &[Bytewise] = &[
    Bytewise { name: "A01 opening handshake, server", run: |piece| opening_server(HEADS, piece), alone: HEAD_ALONE },
    Bytewise {
        name: "A01 opening handshake, client",
        run: |piece| opening_client(HEADS, piece),
        alone: ("a response head is handed over", |piece| hand_over(&response(), piece)),
    },
];

fn server() -> Connection {
    Connection::server_after_upgrade(Arc::default(), Instant::ORIGIN)
}

fn client() -> Connection {
    Connection::client_after_upgrade(Arc::default(), [5; 32], Instant::ORIGIN)
}

/// A server in its handshake, with room for long heads.
fn fresh_server() -> Connection {
    let limits = http::Limits { head_bytes_max: 1 << 20, ..http::Limits::default() };
    let http = Arc::new(http::Config { limits, ..http::Config::default() });
    let config = Config { http, deflate: Some(Default::default()), ..Config::default() };
    Connection::server(Arc::new(config), Instant::ORIGIN)
}

fn opening_server(times: usize, piece: usize) {
    let mut heads = vec![super::http::head(); times];
    let config = Arc::<Config>::default();
    count(|| {
        for head in &mut heads {
            let mut conn = Connection::server(config.clone(), Instant::ORIGIN);
            accept(&mut conn, head, piece);
            written(&mut conn, Instant::ORIGIN);
            assert!(conn.is_open());
        }
    });
}

fn opening_client(times: usize, piece: usize) {
    let (config, mut answers) = (Arc::default(), vec![response(); times]);
    count(|| {
        for answer in &mut answers {
            let mut conn = asking(&config);
            written(&mut conn, Instant::ORIGIN);
            let mut opened = false;
            for mut input in answer.chunks_mut(piece) {
                if let Some(event) = conn.receive(Instant::ORIGIN, &mut input) {
                    opened = matches!(event, Event::Opened(_));
                }
            }
            assert!(opened);
        }
    });
}

/// The same seed gives the same request, so that the response can be made beforehand.
fn asking(config: &Arc<Config>) -> Connection {
    let opening = Opening::url("ws://chat.example.org/socket").expect("it names a WebSocket");
    Connection::client(config.clone(), opening, [6; 32], Instant::ORIGIN)
}

fn response() -> Vec<u8> {
    let mut conn = Connection::server(Arc::default(), Instant::ORIGIN);
    accept(&mut conn, &mut asking(&Arc::default()).outgoing().flatten().copied().collect::<Vec<_>>(), ALL);
    conn.outgoing().flatten().copied().collect()
}

/// Accepts the handshake that `head` asks for, which comes in pieces of so many bytes.
fn accept(conn: &mut Connection, head: &mut [u8], piece: usize) {
    for mut input in head.chunks_mut(piece) {
        match conn.receive(Instant::ORIGIN, &mut input) {
            Some(Event::Upgrade(upgrade)) => {
                black_box(upgrade.subprotocols().count());
                conn.accept(Instant::ORIGIN, &Accept::new()).expect("it is awaited");
            }
            Some(event) => panic!("{event:?}"),
            None => {}
        }
    }
}

fn binary(times: usize, size: usize, read: usize) {
    let frame = masked(true, Opcode::Binary, &noise(size));
    receive(&mut frame.repeat(times), read, times, size);
}

fn texts(times: usize, size: usize, fragments: usize, read: usize) {
    let (text, mut frames) = (text(size), vec![]);
    for (nth, part) in text.as_bytes().chunks(size.div_ceil(fragments)).enumerate() {
        let opcode = if nth == 0 { Opcode::Text } else { Opcode::Continuation };
        frames.extend(masked(nth + 1 == fragments, opcode, part));
    }
    receive(&mut frames.repeat(times), read, times, size);
}

/// Receives `stream` in reads of at most 64 KiB.
fn receive(stream: &mut [u8], read: usize, messages: usize, size: usize) {
    let (mut conn, mut clock, mut seen) = (server(), Clock::default(), 0);
    count(|| {
        for mut input in stream.chunks_mut(read.min(64 * KIB)) {
            let now = clock.tick();
            while let Some(event) = conn.receive(now, &mut input) {
                let Event::Message(message) = event else { panic!("{event:?}") };
                assert_eq!(black_box(message).as_bytes().len(), size);
                seen += 1;
            }
        }
    });
    assert_eq!(seen, messages);
}

/// Receives frames that are left in the stream until they are whole.
fn in_place(times: usize, size: usize, read: usize) {
    let mut stream = masked(true, Opcode::Binary, &noise(size)).repeat(times);
    let (mut conn, mut clock, mut seen) = (server(), Clock::default(), 0);
    let (mut begin, mut end) = (0, 0);
    count(|| {
        while end < stream.len() {
            end = stream.len().min(end + read);
            let (now, mut input) = (clock.tick(), &mut stream[begin..end]);
            while let Some(event) = conn.receive_in_place(now, &mut input, usize::MAX) {
                let Event::Message(message) = event else { panic!("{event:?}") };
                assert_eq!(black_box(message).as_bytes().len(), size);
                seen += 1;
            }
            begin = end - input.len();
        }
    });
    assert_eq!(seen, times);
}

fn send(times: usize, size: usize, mut conn: Connection) {
    let (payload, mut clock) = (noise(size), Clock::default());
    count(|| {
        for _ in 0..times {
            let now = clock.tick();
            conn.send(now, &payload[..]).expect("there is room");
            assert!(written(&mut conn, now) > size);
        }
    });
}

fn send_lent(times: usize, size: usize, mut conn: Connection) {
    let (payload, mut clock, mut buffer) = (noise(size), Clock::default(), Vec::with_capacity(64 * KIB));
    count(|| {
        for _ in 0..times {
            let now = clock.tick();
            conn.lend(&mut buffer);
            conn.send(now, &payload[..]).expect("there is room");
            assert!(written(&mut conn, now) > size);
            conn.reclaim(&mut buffer);
        }
    });
}

fn prepared(times: usize) {
    let (mut conn, prepared, mut clock) = (server(), Prepared::text(&text(KIB)), Clock::default());
    count(|| {
        for _ in 0..times {
            let now = clock.tick();
            conn.send_prepared(now, &prepared).expect("there is room");
            assert!(written(&mut conn, now) > KIB);
        }
    });
}

fn echo(times: usize, in_a_read: usize) {
    let frame = masked(true, Opcode::Binary, &noise(125));
    let (mut stream, frames) = (frame.repeat(times), frame.len() * in_a_read);
    let (mut conn, mut clock, mut size) = (server(), Clock::default(), 0);
    count(|| {
        for mut input in stream.chunks_mut(frames) {
            let now = clock.tick();
            while let Some(event) = conn.receive(now, &mut input) {
                let Event::Message(message) = event else { panic!("{event:?}") };
                conn.send(now, message).expect("there is room");
            }
            size += written(&mut conn, now);
        }
    });
    assert_eq!(size, times * 127);
}

fn pings(times: usize) {
    let mut stream = masked(true, Opcode::Ping, b"are you there?").repeat(times);
    let (mut conn, mut clock, mut input) = (server(), Clock::default(), &mut stream[..]);
    count(|| {
        for _ in 0..times {
            let now = clock.tick();
            let event = conn.receive(now, &mut input);
            assert!(matches!(event, Some(Event::Ping(_))));
            assert_eq!(written(&mut conn, now), 16);
        }
    });
}

fn closing(times: usize) {
    let frame = masked(true, Opcode::Close, b"\x03\xE8good bye");
    let (mut streams, mut conns) = (vec![frame; times], Vec::from_iter((0..times).map(|_| server())));
    count(|| {
        for (conn, stream) in conns.iter_mut().zip(&mut streams) {
            let event = conn.receive(Instant::ORIGIN, &mut &mut stream[..]);
            assert!(matches!(event, Some(Event::Closed(_))));
            assert!(written(conn, Instant::ORIGIN) >= 4);
        }
    });
}

/// All that is to be written is; how much that was.
fn written(conn: &mut Connection, now: Instant) -> usize {
    let size = black_box(&*conn).outgoing().map(<[u8]>::len).sum();
    conn.sent(now, size);
    size
}

/// A head with a line of its own, fed in reads of 4 KiB.
fn handshake(line: &str) {
    let mut head = super::http::head();
    head.truncate(head.len() - 2);
    head.extend_from_slice(format!("{line}\r\n\r\n").as_bytes());
    let mut conn = fresh_server();
    let told = count(|| {
        let mut told = 0;
        for read in head.chunks_mut(4096) {
            let mut input = read;
            while let Some(event) = conn.receive(Instant::ORIGIN, &mut input) {
                if let Event::Upgrade(upgrade) = event {
                    black_box((upgrade.subprotocols().count(), upgrade.extensions().count()));
                    conn.accept(Instant::ORIGIN, &Accept::new()).expect("it is awaited");
                }
                told += 1;
            }
        }
        told
    });
    assert_eq!(told, 1);
}

fn extensions(size: usize) {
    handshake(&format!("Sec-WebSocket-Extensions: a; b=\"{}", r"\c".repeat(size / 2)));
}

fn subprotocols(size: usize) {
    handshake(&format!("Sec-WebSocket-Protocol: a{}b", " ".repeat(size)));
}

fn fragments(times: usize, part: &[u8]) {
    let mut stream = masked(false, Opcode::Binary, part);
    stream.extend(masked(false, Opcode::Continuation, part).repeat(times - 2));
    stream.extend(masked(true, Opcode::Continuation, part));
    // In reads that are shorter than the message whatever its length: one that lies whole in a read goes another way.
    receive(&mut stream, 1460, 1, times * part.len());
}

fn unread_pings(times: usize) {
    let mut stream = masked(true, Opcode::Ping, &noise(125)).repeat(times);
    let (mut conn, mut input, mut told) = (server(), &mut stream[..], 0);
    count(|| {
        while let Some(event) = conn.receive(Instant::ORIGIN, &mut input) {
            black_box(event);
            told += 1;
        }
    });
    assert_eq!(told, times);
}
