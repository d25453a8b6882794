//! An application and a driver around `ws::Connection`, and what they saw.

use std::sync::Arc;
use std::time::Duration;

use roomwire::http::Response;
use roomwire::ws::{
    Accept, CloseCode, Closed, Config, Connection, Event, Header, Limits, Message, Opcode, Piece, Role, apply_mask,
};
use roomwire::{Instant, Stream};

use super::cuts::Bytes;

/// An event, on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Upgrade { target: String, subprotocols: Vec<String> },
    Opened { subprotocol: Option<String> },
    Refused { status: u16 },
    Text(String),
    Binary(Vec<u8>),
    Piece(Piece<'static>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Closed(Closed),
}

impl From<&Event<'_>> for Seen {
    fn from(event: &Event<'_>) -> Self {
        match event {
            Event::Upgrade(upgrade) => Self::Upgrade {
                target: upgrade.request().target().into(),
                subprotocols: upgrade.subprotocols().map(Into::into).collect(),
            },
            Event::Opened(opened) => Self::Opened { subprotocol: opened.subprotocol().map(Into::into) },
            Event::Refused(response) => Self::Refused { status: response.status() },
            Event::Message(Message::Text(text)) => Self::Text(text.clone().into_owned()),
            Event::Message(Message::Binary(bytes)) => Self::Binary(bytes.clone().into_owned()),
            Event::Piece(piece) => Self::Piece(piece.clone().into_owned()),
            Event::Ping(payload) => Self::Ping(payload.clone().into_owned()),
            Event::Pong(payload) => Self::Pong(payload.clone().into_owned()),
            Event::Closed(closed) => Self::Closed((**closed).clone()),
            other => panic!("an event that this test does not know: {other:?}"),
        }
    }
}

/// What came of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub seen: Vec<Seen>,
    pub outgoing: Bytes,
    pub stream: Stream,
}

impl Trace {
    pub fn closed(&self) -> Option<&Closed> {
        self.seen.iter().find_map(|seen| if let Seen::Closed(closed) = seen { Some(closed) } else { None })
    }

    /// Everything but the end.
    pub fn told(&self) -> &[Seen] {
        match self.seen.split_last() {
            Some((Seen::Closed(_), told)) => told,
            _ => &self.seen,
        }
    }
}

/// What the connection under test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A server before the opening handshake.
    Server,
    ServerAfterUpgrade,
    ClientAfterUpgrade,
}

impl End {
    pub fn role(self) -> Role {
        if self == Self::ClientAfterUpgrade { Role::Client } else { Role::Server }
    }

    pub fn connection(self, config: Config, now: Instant) -> Connection {
        let config = Arc::new(config);
        match self {
            Self::Server => Connection::server(config, now),
            Self::ServerAfterUpgrade => Connection::server_after_upgrade(config, now),
            Self::ClientAfterUpgrade => Connection::client_after_upgrade(config, [7; 32], now),
        }
    }
}

/// When the application answers the opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// While it holds the event.
    AtOnce,
    /// When everything was read.
    Late,
}

/// Limits small enough for generated streams to reach them.
pub fn small() -> Config {
    Config {
        limits: Limits { message_bytes_max: 300, fragments_max: 7, outbox_bytes_max: 100_000, read_pause_bytes: 2000 },
        pieces: None,
        http: Arc::new(super::http::small()),
        ping_interval: Some(Duration::from_millis(30_011)),
        ping_timeout: Duration::from_millis(20_011),
        close_timeout: Duration::from_millis(5003),
        write_timeout: Duration::from_millis(9001),
        deflate: None,
    }
}

/// The application: it sends every message back, closes when it is told so, and lets nobody in at `/no`.
pub fn answer(conn: &mut Connection, now: Instant, event: Event<'_>) {
    match event {
        Event::Upgrade(upgrade) => enter(conn, now, upgrade.request().path(), upgrade.subprotocols().next()),
        Event::Message(Message::Text(text)) if text == "close" => drop(conn.close(now, CloseCode::NORMAL, "asked to")),
        // Refused where a close frame is sent already.
        Event::Message(message) => drop(conn.send(now, message)),
        _ => {}
    }
}

fn enter(conn: &mut Connection, now: Instant, path: &str, subprotocol: Option<&str>) {
    if path == "/no" {
        conn.reject(now, Response::new(403).text("no")).unwrap();
    } else {
        let accept = subprotocol.map_or_else(Accept::new, |name| Accept::new().subprotocol(name));
        conn.accept(now, &accept).unwrap();
    }
}

/// Feeds `pieces`, then the end of the stream if `eof`, and takes what is to be written at the end.
pub fn run(end: End, config: Config, pieces: &[&[u8]], answers: Answers, eof: bool) -> Trace {
    run_in_place(end, config, pieces, 0, answers, eof)
}

/// The same with a driver that keeps frames in a buffer of so many bytes until they are whole, and lends a small one to answer in.
pub fn run_in_place(end: End, config: Config, pieces: &[&[u8]], room: usize, answers: Answers, eof: bool) -> Trace {
    let now = Instant::from_nanos(1);
    let mut conn = end.connection(config, now);
    let mut seen = Vec::new();
    let mut owed = None;
    let mut with = |conn: &mut Connection, event: Event<'_>| {
        note(&mut seen, &event);
        match event {
            Event::Upgrade(upgrade) if answers == Answers::Late => owed = Some(upgrade),
            event => answer(conn, now, event),
        }
    };
    let (mut left, mut lent) = (Vec::new(), Vec::new());
    for piece in pieces.iter().copied() {
        left.extend_from_slice(piece);
        lent.reserve(64);
        conn.lend(&mut lent);
        left = feed_in_place(&mut conn, now, left, room, &mut with);
        conn.reclaim(&mut lent);
    }
    feed(&mut conn, now, &left, with);
    if let Some(upgrade) = owed
        && !matches!(seen.last(), Some(Seen::Closed(_)))
    {
        enter(&mut conn, now, upgrade.request().path(), upgrade.subprotocols().next());
        feed(&mut conn, now, &[], |conn, event| {
            note(&mut seen, &event);
            answer(conn, now, event);
        });
    }
    if eof && let Some(event) = conn.receive_eof(now) {
        note(&mut seen, &event);
    }
    let outgoing = conn.outgoing().collect::<Vec<_>>().concat();
    assert_eq!(outgoing.len(), conn.outgoing_len());
    let trace = Trace { seen, outgoing: Bytes(outgoing), stream: conn.stream() };
    check_end(&mut conn, now, &trace);
    trace
}

/// Gives `piece` to the connection and every event to `with`.
pub fn feed(conn: &mut Connection, now: Instant, piece: &[u8], mut with: impl FnMut(&mut Connection, Event<'_>)) {
    let mut buffer = piece.to_vec();
    let mut input = &mut buffer[..];
    while let Some(event) = conn.receive(now, &mut input) {
        with(conn, event);
    }
    assert!(input.is_empty(), "receive yielded None with bytes left");
}

/// Gives `bytes` to the connection and every event to `with`; what is left.
pub fn feed_in_place(
    conn: &mut Connection,
    now: Instant,
    mut bytes: Vec<u8>,
    room: usize,
    mut with: impl FnMut(&mut Connection, Event<'_>),
) -> Vec<u8> {
    let mut input = &mut bytes[..];
    while let Some(event) = conn.receive_in_place(now, &mut input, room) {
        with(conn, event);
    }
    assert!(input.is_empty() || input.len() < room, "{} bytes left where there is room for {room}", input.len());
    input.to_vec()
}

/// Gives `piece` to the connection; the events, which the application leaves unanswered.
pub fn receive(conn: &mut Connection, now: Instant, piece: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    feed(conn, now, piece, |_, event| seen.push(Seen::from(&event)));
    seen
}

pub fn outgoing(conn: &Connection) -> Vec<u8> {
    conn.outgoing().collect::<Vec<_>>().concat()
}

/// Takes what is to be written, as if it was written.
pub fn flush(conn: &mut Connection, now: Instant) -> Vec<u8> {
    let bytes = outgoing(conn);
    conn.sent(now, bytes.len());
    bytes
}

fn note(seen: &mut Vec<Seen>, event: &Event<'_>) {
    assert!(!matches!(seen.last(), Some(Seen::Closed(_))), "an event after Closed: {event:?}");
    seen.push(Seen::from(event));
}

/// After the end nothing happens any more, whatever is received.
fn check_end(conn: &mut Connection, now: Instant, trace: &Trace) {
    if !matches!(trace.seen.last(), Some(Seen::Closed(_))) {
        assert_eq!(trace.stream, Stream::Open);
        return;
    }
    let mut late = frame(true, Opcode::Text, key(conn.role()), b"late");
    let mut input = &mut late[..];
    assert!(conn.receive(now, &mut input).is_none() && input.is_empty());
    assert!(!conn.is_open() && conn.send(now, "late").is_err() && conn.accept(now, &Accept::new()).is_err());
    assert!(conn.receive_eof(now).is_none() && conn.poll_event().is_none());
    assert_eq!(outgoing(conn), trace.outgoing.0);
}

/// A masking key, if the peer of this role has to mask.
pub fn key(reader: Role) -> Option<[u8; 4]> {
    (reader == Role::Server).then_some([0x12, 0x34, 0x56, 0x78])
}

/// A frame as this library writes it.
pub fn frame(fin: bool, opcode: Opcode, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let (header, size) = Header { fin, opcode, mask, payload_len: payload.len() as u64 }.encode();
    let mut bytes = header[..size].to_vec();
    bytes.extend_from_slice(payload);
    if let Some(key) = mask {
        apply_mask(&mut bytes[size..], key);
    }
    bytes
}

/// A message or control frame from a client.
pub fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    frame(true, opcode, key(Role::Server), payload)
}

/// An opening handshake.
pub fn opening(target: &str) -> Vec<u8> {
    opening_with(target, "")
}

/// An opening handshake with further header lines, each with its line end.
pub fn opening_with(target: &str, lines: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    )
    .into_bytes()
}

/// One frame, taken apart without the library's own reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub first: u8,
    pub mask: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn is_close(&self) -> bool {
        self.first == 0x88
    }

    pub fn is_pong(&self) -> bool {
        self.first == 0x8A
    }

    /// The code in a close frame.
    pub fn code(&self) -> Option<u16> {
        (self.is_close() && self.payload.len() >= 2).then(|| u16::from_be_bytes([self.payload[0], self.payload[1]]))
    }
}

/// Takes frames apart; panics on anything that is not a sequence of whole, minimal frames.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let first = bytes[0];
        let (length, mut at) = match bytes[1] & 0x7F {
            126 => (u64::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            127 => (u64::from_be_bytes(bytes[2..10].try_into().unwrap()), 10),
            length => (u64::from(length), 2),
        };
        assert!(at == 2 || length >= 126 && (at == 4) == (length <= 0xFFFF), "length is not minimal");
        let mask = (bytes[1] & 0x80 != 0).then(|| <[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap());
        at += if mask.is_some() { 4 } else { 0 };
        let end = at + usize::try_from(length).unwrap();
        let mut payload = bytes[at..end].to_vec();
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask.map_or(0, |key| key[index % 4]);
        }
        frames.push(Frame { first, mask, payload });
        bytes = &bytes[end..];
    }
    frames
}

/// Splits what a server wrote into the status of its answer to the handshake and the frames behind
/// it, which there are none of unless that is 101.
pub fn answered(mut bytes: &[u8]) -> (Option<u16>, Vec<Frame>) {
    bytes = bytes.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(bytes);
    if bytes.starts_with(b"HTTP/1.1 101 ") {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("no blank line") + 4;
        return (Some(101), frames(&bytes[end..]));
    }
    // The answer to HEAD ends with its head; of others there is a body.
    let method = if bytes.ends_with(b"\r\n\r\n") { "HEAD" } else { "GET" };
    let responses = super::http::responses(bytes, &[method]);
    assert!(responses.len() <= 1, "more than one response");
    (responses.first().map(|response| response.status), Vec::new())
}
