use std::hint::black_box;
use std::sync::Arc;

use roomwire::Instant;
use roomwire::ws::{Accept, Config, Connection, DeflateConfig, Event, Message, Opcode, Opening};

use super::{Clock, Linear, Path, json, masked};
use crate::section::count;

pub const HOT: &[Path] = &[
    Path { name: "ws: deflate and send JSON of 125 B", times: 500, run: deflate },
    Path { name: "ws: receive and inflate JSON of 125 B", times: 500, run: inflate },
];

pub const LINEAR: &[Linear] = &[
    Linear { name: "D04 empty stored blocks", units: 4 << 10, run: |blocks| blocks_of_nothing(&stored(blocks)) },
    Linear { name: "D05 empty fixed blocks", units: 16 << 10, run: |blocks| blocks_of_nothing(&fixed(blocks)) },
    Linear { name: "D01 zeros that inflate a hundredfold", units: 1 << 20, run: zeros },
];

/// A client and a server that have agreed on compression with context takeover, the first messages being exchanged: the
/// codecs are made and know what the messages look like.
fn pair() -> (Connection, Connection) {
    let config = Arc::new(Config { deflate: Some(DeflateConfig::default()), ..Config::default() });
    let opening = Opening::url("ws://localhost/").expect("it names a WebSocket");
    let mut client = Connection::client(config.clone(), opening, [8; 32], Instant::ORIGIN);
    let mut server = Connection::server(config, Instant::ORIGIN);
    let mut request = taken(&mut client);
    let event = server.receive(Instant::ORIGIN, &mut &mut request[..]);
    assert!(matches!(event, Some(Event::Upgrade(_))));
    server.accept(Instant::ORIGIN, &Accept::new()).expect("it is awaited");
    let mut answer = taken(&mut server);
    let event = client.receive(Instant::ORIGIN, &mut &mut answer[..]);
    assert!(matches!(event, Some(Event::Opened(_))));
    for nth in 0..10 {
        client.send(Instant::ORIGIN, json(nth)).expect("there is room");
        server.send(Instant::ORIGIN, json(nth)).expect("there is room");
        let mut bytes = taken(&mut client);
        assert!(server.receive(Instant::ORIGIN, &mut &mut bytes[..]).is_some());
        let mut bytes = taken(&mut server);
        assert!(client.receive(Instant::ORIGIN, &mut &mut bytes[..]).is_some());
    }
    (client, server)
}

fn taken(conn: &mut Connection) -> Vec<u8> {
    let bytes: Vec<u8> = conn.outgoing().flatten().copied().collect();
    conn.sent(Instant::ORIGIN, bytes.len());
    bytes
}

fn deflate(times: usize) {
    let (_, mut server) = pair();
    let messages = Vec::from_iter((0..times).map(|nth| json(nth + 10)));
    let (mut clock, mut size) = (Clock::default(), 0);
    count(|| {
        for message in &messages {
            let now = clock.tick();
            server.send(now, &**message).expect("there is room");
            let frame = server.outgoing().map(<[u8]>::len).sum();
            server.sent(now, frame);
            size += frame;
        }
    });
    assert!((10..60).contains(&(size / times)), "{size}");
}

fn inflate(times: usize) {
    let (mut client, mut server) = pair();
    let frame = |nth| {
        client.send(Instant::ORIGIN, json(nth + 10)).expect("there is room");
        taken(&mut client)
    };
    let mut frames = Vec::from_iter((0..times).map(frame));
    let (mut clock, mut size) = (Clock::default(), 0);
    count(|| {
        for frame in &mut frames {
            match server.receive(clock.tick(), &mut &mut frame[..]) {
                Some(Event::Message(Message::Text(text))) => size += black_box(text).len(),
                event => panic!("{event:?}"),
            }
        }
    });
    assert_eq!(size, times * 125);
}

/// Blocks 00 00 00 FF FF, the last without the four bytes that a sender takes off.
fn stored(blocks: usize) -> Vec<u8> {
    let mut stream = [0, 0, 0, 0xFF, 0xFF].repeat(blocks);
    stream.truncate(stream.len() - 4);
    stream
}

/// Blocks of ten bits, 010 and the seven zeros that end a block, four in five bytes; a stored one ends the message.
fn fixed(blocks: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    let (mut bits, mut filled) = (0_u32, 0);
    for _ in 0..blocks / 4 * 4 {
        bits |= 0b010 << filled;
        filled += 10;
        while filled >= 8 {
            stream.push(bits as u8);
            bits >>= 8;
            filled -= 8;
        }
    }
    stream.push(0);
    stream
}

/// As many zeros, which a hundredth of the bytes stands for.
fn zeros(size: usize) {
    let (mut client, mut server) = pair();
    client.send(Instant::ORIGIN, vec![0; size]).expect("there is room");
    let mut frame = taken(&mut client);
    assert!(frame.len() < size / 100, "{}", frame.len());
    let inflated = count(|| match server.receive(Instant::ORIGIN, &mut &mut frame[..]) {
        Some(Event::Message(message)) => message.as_bytes().len(),
        event => panic!("{event:?}"),
    });
    assert_eq!(inflated, size);
}

/// A compressed message that inflates to nothing.
fn blocks_of_nothing(payload: &[u8]) {
    let (_, mut server) = pair();
    let mut frame = masked(true, Opcode::Binary, payload);
    // The first reserved bit: compressed.
    frame[0] |= 0x40;
    let event = count(|| {
        let event = server.receive(Instant::ORIGIN, &mut &mut frame[..]);
        matches!(event, Some(Event::Message(message)) if message.as_bytes().is_empty())
    });
    assert!(event, "no empty message");
}
