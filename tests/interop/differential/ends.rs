//! The implementations behind one face.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use roomwire::Instant;
use roomwire::ws::{
    self, Accept, CloseCode, Config, Connection, DeflateConfig, Event, Limits, Opening, Piece, PieceLimits, Role,
};
use sockudo_ws::CompressedProtocol;
use tungstenite::protocol::{CloseFrame, WebSocketContext};

use crate::wire::Frame;

const NOW: Instant = Instant::ORIGIN;

/// What is written, and what is read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame, with its code and reason if it had one.
    Close(Option<(u16, String)>),
    /// The peer broke the protocol.
    Failed,
}

impl Item {
    pub fn control_frame(&self) -> Frame {
        let (first, payload) = match self {
            Self::Ping(payload) => (0x89, payload),
            Self::Pong(payload) => (0x8A, payload),
            _ => unreachable!("not between fragments"),
        };
        Frame { first, key: None, payload: payload.clone() }
    }

    pub fn ping(&self) -> Option<&Vec<u8>> {
        if let Self::Ping(payload) = self { Some(payload) } else { None }
    }

    pub fn pong(&self) -> Option<&Vec<u8>> {
        if let Self::Pong(payload) = self { Some(payload) } else { None }
    }

    pub fn summary(&self) -> String {
        let (size, mut shown) = (format!("{self:?}").len(), format!("{self:?}"));
        shown.truncate(shown.char_indices().nth(200).map_or(shown.len(), |(at, _)| at));
        format!("{shown} ({size} bytes)")
    }
}

pub trait End {
    fn write(&mut self, item: &Item);

    /// What was written, and what is owed for what was read.
    fn take(&mut self) -> Vec<u8>;

    fn read(&mut self, pieces: &[Vec<u8>]) -> Vec<Item>;
}

/// This library.
pub struct Ours {
    pub conn: Connection,
    mode: Mode,
    /// The pieces so far of a message that is read so.
    begun: Option<Item>,
}

/// How this library is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Messages are sent and told whole.
    Whole,
    /// Messages are sent in pieces, and told in pieces if they are longer than 100 bytes.
    Pieces,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Whole, Self::Pieces];

    fn config(self, deflate: Option<DeflateConfig>) -> Arc<Config> {
        Arc::new(match self {
            Self::Whole => Config { deflate, ..Config::default() },
            Self::Pieces => Config {
                deflate,
                limits: Limits { message_bytes_max: 100, ..Limits::default() },
                pieces: Some(PieceLimits::default()),
                ..Config::default()
            },
        })
    }
}

impl Ours {
    pub fn new(conn: Connection, mode: Mode) -> Self {
        Self { conn, mode, begun: None }
    }

    pub fn after_upgrade(role: Role, mode: Mode) -> Self {
        let config = mode.config(None);
        let conn = match role {
            Role::Server => Connection::server_after_upgrade(config, NOW),
            Role::Client => Connection::client_after_upgrade(config, [7; 32], NOW),
        };
        Self::new(conn, mode)
    }

    /// A client whose opening handshake is answered with the extensions that `answer` chooses of those that it offers.
    pub fn client(deflate: DeflateConfig, mode: Mode, answer: impl FnOnce(&str) -> String) -> Self {
        let opening = Opening::url("ws://localhost/").unwrap();
        let mut client = Self::new(Connection::client(mode.config(Some(deflate)), opening, [7; 32], NOW), mode);
        let request = String::from_utf8(client.take()).unwrap();
        let accept =
            String::from_utf8(ws::accept_key(header(&request, "sec-websocket-key").unwrap()).to_vec()).unwrap();
        let chosen = answer(header(&request, "sec-websocket-extensions").unwrap());
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: {chosen}\r\n\r\n"
        );
        assert!(client.read(&[response.into_bytes()]).is_empty() && client.conn.is_open(), "{chosen}");
        client
    }

    /// A server that has answered these offers, and the extensions that it chose.
    pub fn server(deflate: DeflateConfig, mode: Mode, offers: &str) -> (Self, Option<String>) {
        let mut server = Self::new(Connection::server(mode.config(Some(deflate)), NOW), mode);
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: {offers}\r\n\r\n"
        );
        assert!(server.read(&[request.into_bytes()]).is_empty() && server.conn.is_open());
        let response = String::from_utf8(server.take()).unwrap();
        let chosen = header(&response, "sec-websocket-extensions").map(Into::into);
        (server, chosen)
    }
}

impl Ours {
    fn send_pieces<'a, T: Into<ws::Message<'a>>>(&mut self, [first, second, third]: [T; 3]) {
        for piece in [Piece::begin(first), Piece::middle(second), Piece::end(third)] {
            self.conn.send_piece(NOW, piece).unwrap();
        }
    }

    /// Puts a piece behind those before it; the message, if it was the last.
    fn gather(&mut self, piece: Piece<'_>) -> Option<Item> {
        assert_eq!(piece.first, self.begun.is_none(), "the first piece is marked, and no other");
        let whole = match (self.begun.take(), piece.data) {
            (None, ws::Message::Text(text)) => Item::Text(text.into_owned()),
            (None, ws::Message::Binary(bytes)) => Item::Binary(bytes.into_owned()),
            (Some(Item::Text(begun)), ws::Message::Text(text)) => Item::Text(begun + &text),
            (Some(Item::Binary(begun)), ws::Message::Binary(bytes)) => Item::Binary([&begun[..], &bytes].concat()),
            (begun, data) => panic!("{data:?} behind {begun:?}"),
        };
        if piece.last {
            return Some(whole);
        }
        self.begun = Some(whole);
        None
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl End for Ours {
    fn write(&mut self, item: &Item) {
        match item {
            Item::Text(text) if self.mode == Mode::Pieces => {
                let cut = |at: usize| (at..).find(|at| text.is_char_boundary(*at)).unwrap();
                let (first, second) = (cut(text.len() / 3), cut(text.len() / 2));
                self.send_pieces([&text[..first], &text[first..second], &text[second..]]);
            }
            Item::Binary(bytes) if self.mode == Mode::Pieces => {
                let (first, second) = (bytes.len() / 3, bytes.len() / 2);
                self.send_pieces([&bytes[..first], &bytes[first..second], &bytes[second..]]);
            }
            Item::Text(text) => self.conn.send(NOW, text.as_str()).unwrap(),
            Item::Binary(bytes) => self.conn.send(NOW, &bytes[..]).unwrap(),
            Item::Ping(payload) => self.conn.ping(NOW, payload).unwrap(),
            Item::Close(close) => {
                let (code, reason) = close
                    .as_ref()
                    .map_or((CloseCode::NO_STATUS, ""), |(code, reason)| (CloseCode::new(*code).unwrap(), reason));
                self.conn.close(NOW, code, reason).unwrap();
            }
            Item::Pong(_) | Item::Failed => unreachable!(),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // What is owed beyond what is queued comes when that was sent.
        while self.conn.outgoing_len() > 0 {
            let written: Vec<u8> = self.conn.outgoing().flatten().copied().collect();
            self.conn.sent(NOW, written.len());
            bytes.extend(written);
        }
        bytes
    }

    fn read(&mut self, pieces: &[Vec<u8>]) -> Vec<Item> {
        let mut items = Vec::new();
        for piece in pieces {
            let mut buffer = piece.clone();
            let mut input = &mut buffer[..];
            while let Some(event) = self.conn.receive(NOW, &mut input) {
                items.push(match event {
                    Event::Piece(piece) => match self.gather(piece) {
                        Some(item) => item,
                        None => continue,
                    },
                    Event::Upgrade(_) => {
                        self.conn.accept(NOW, &Accept::new()).unwrap();
                        continue;
                    }
                    Event::Opened(_) => continue,
                    Event::Message(ws::Message::Text(text)) => Item::Text(text.into_owned()),
                    Event::Message(ws::Message::Binary(bytes)) => Item::Binary(bytes.into_owned()),
                    Event::Ping(payload) => Item::Ping(payload.into_owned()),
                    Event::Pong(payload) => Item::Pong(payload.into_owned()),
                    Event::Closed(closed) if closed.error.is_some() => Item::Failed,
                    Event::Closed(closed) if closed.code == CloseCode::NO_STATUS => Item::Close(None),
                    Event::Closed(closed) => Item::Close(Some((closed.code.get(), closed.reason.clone()))),
                    Event::Refused(response) => panic!("status {}", response.status()),
                    other => panic!("an event that this test does not know: {other:?}"),
                });
            }
        }
        items
    }
}

/// What the others read from and write to, where they want a stream.
#[derive(Debug, Default)]
pub struct Pipe {
    pub input: VecDeque<Vec<u8>>,
    pub output: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.input.front_mut() else { return Err(ErrorKind::WouldBlock.into()) };
        let size = piece.len().min(buffer.len());
        buffer[..size].copy_from_slice(&piece[..size]);
        piece.drain(..size);
        if piece.is_empty() {
            self.input.pop_front();
        }
        Ok(size)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// tungstenite.
pub struct Tungstenite {
    context: WebSocketContext,
    pipe: Pipe,
}

impl Tungstenite {
    pub fn new(role: Role) -> Self {
        let role = match role {
            Role::Server => tungstenite::protocol::Role::Server,
            Role::Client => tungstenite::protocol::Role::Client,
        };
        Self { context: WebSocketContext::new(role, None), pipe: Pipe::default() }
    }
}

impl End for Tungstenite {
    fn write(&mut self, item: &Item) {
        let message = match item {
            Item::Text(text) => tungstenite::Message::text(text.as_str()),
            Item::Binary(bytes) => tungstenite::Message::binary(bytes.clone()),
            Item::Ping(payload) => tungstenite::Message::Ping(payload.clone().into()),
            Item::Close(close) => tungstenite::Message::Close(
                close
                    .as_ref()
                    .map(|(code, reason)| CloseFrame { code: (*code).into(), reason: reason.as_str().into() }),
            ),
            Item::Pong(_) | Item::Failed => unreachable!(),
        };
        self.context.write(&mut self.pipe, message).unwrap();
    }

    fn take(&mut self) -> Vec<u8> {
        // It is an error at the end of a connection, when there is nothing to flush.
        let _ = self.context.flush(&mut self.pipe);
        std::mem::take(&mut self.pipe.output)
    }

    fn read(&mut self, pieces: &[Vec<u8>]) -> Vec<Item> {
        self.pipe.input = pieces.iter().filter(|piece| !piece.is_empty()).cloned().collect();
        let mut items = Vec::new();
        loop {
            items.push(match self.context.read(&mut self.pipe) {
                Ok(tungstenite::Message::Text(text)) => Item::Text(text.as_str().into()),
                Ok(tungstenite::Message::Binary(bytes)) => Item::Binary(bytes.into()),
                Ok(tungstenite::Message::Ping(payload)) => Item::Ping(payload.into()),
                Ok(tungstenite::Message::Pong(payload)) => Item::Pong(payload.into()),
                Ok(tungstenite::Message::Close(close)) => {
                    Item::Close(close.map(|close| (close.code.into(), close.reason.as_str().into())))
                }
                Ok(tungstenite::Message::Frame(_)) => unreachable!("it is not read as a message"),
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return items,
                Err(tungstenite::Error::ConnectionClosed) => return items,
                Err(_) => {
                    items.push(Item::Failed);
                    return items;
                }
            });
        }
    }
}

/// sockudo-ws, with compression.
pub struct Sockudo {
    protocol: CompressedProtocol,
    input: BytesMut,
    output: BytesMut,
}

impl Sockudo {
    pub fn new(role: Role, deflate: sockudo_ws::DeflateConfig) -> Self {
        const MAX: usize = 16 << 20;
        let protocol = match role {
            Role::Server => CompressedProtocol::server(MAX, MAX, deflate),
            Role::Client => CompressedProtocol::client(MAX, MAX, deflate),
        };
        Self { protocol, input: BytesMut::new(), output: BytesMut::new() }
    }
}

impl End for Sockudo {
    fn write(&mut self, item: &Item) {
        let message = match item {
            Item::Text(text) => sockudo_ws::Message::Text(Bytes::copy_from_slice(text.as_bytes())),
            Item::Binary(bytes) => sockudo_ws::Message::Binary(Bytes::copy_from_slice(bytes)),
            Item::Ping(payload) => sockudo_ws::Message::Ping(Bytes::copy_from_slice(payload)),
            Item::Pong(_) | Item::Close(_) | Item::Failed => unreachable!(),
        };
        self.protocol.encode_message(&message, &mut self.output).unwrap();
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output).into()
    }

    fn read(&mut self, pieces: &[Vec<u8>]) -> Vec<Item> {
        let (mut items, mut messages) = (Vec::new(), Vec::new());
        for piece in pieces {
            self.input.extend_from_slice(piece);
            let failed = self.protocol.process_into(&mut self.input, &mut messages).is_err();
            for message in messages.drain(..) {
                items.push(match message {
                    sockudo_ws::Message::Text(text) => Item::Text(String::from_utf8(text.into()).unwrap()),
                    sockudo_ws::Message::Binary(bytes) => Item::Binary(bytes.into()),
                    sockudo_ws::Message::Ping(payload) => {
                        self.protocol.encode_pong(&payload, &mut self.output);
                        Item::Ping(payload.into())
                    }
                    sockudo_ws::Message::Pong(payload) => Item::Pong(payload.into()),
                    sockudo_ws::Message::Close(close) => Item::Close(close.map(|close| (close.code, close.reason))),
                });
            }
            if failed {
                items.push(Item::Failed);
                return items;
            }
        }
        items
    }
}
