//! The implementations behind one face.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use roomwire::Instant;
use roomwire::ws::{self, Accept, CloseCode, Config, Connection, DeflateConfig, Event, Opening, Role};
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
pub struct Ours(pub Connection);

impl Ours {
    pub fn after_upgrade(role: Role) -> Self {
        Self(match role {
            Role::Server => Connection::server_after_upgrade(Arc::default(), NOW),
            Role::Client => Connection::client_after_upgrade(Arc::default(), [7; 32], NOW),
        })
    }

    /// A client whose opening handshake is answered with the extensions that `answer` chooses of those that it offers.
    pub fn client(deflate: DeflateConfig, answer: impl FnOnce(&str) -> String) -> Self {
        let opening = Opening::url("ws://localhost/").unwrap();
        let mut client = Self(Connection::client(config(deflate), opening, [7; 32], NOW));
        let request = String::from_utf8(client.take()).unwrap();
        let accept =
            String::from_utf8(ws::accept_key(header(&request, "sec-websocket-key").unwrap()).to_vec()).unwrap();
        let chosen = answer(header(&request, "sec-websocket-extensions").unwrap());
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: {chosen}\r\n\r\n"
        );
        assert!(client.read(&[response.into_bytes()]).is_empty() && client.0.is_open(), "{chosen}");
        client
    }

    /// A server that has answered these offers, and the extensions that it chose.
    pub fn server(deflate: DeflateConfig, offers: &str) -> (Self, Option<String>) {
        let mut server = Self(Connection::server(config(deflate), NOW));
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: {offers}\r\n\r\n"
        );
        assert!(server.read(&[request.into_bytes()]).is_empty() && server.0.is_open());
        let response = String::from_utf8(server.take()).unwrap();
        let chosen = header(&response, "sec-websocket-extensions").map(Into::into);
        (server, chosen)
    }
}

fn config(deflate: DeflateConfig) -> Arc<Config> {
    Arc::new(Config { deflate: Some(deflate), ..Config::default() })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl End for Ours {
    fn write(&mut self, item: &Item) {
        match item {
            Item::Text(text) => self.0.send(NOW, text.as_str()).unwrap(),
            Item::Binary(bytes) => self.0.send(NOW, &bytes[..]).unwrap(),
            Item::Ping(payload) => self.0.ping(NOW, payload).unwrap(),
            Item::Close(close) => {
                let (code, reason) = close
                    .as_ref()
                    .map_or((CloseCode::NO_STATUS, ""), |(code, reason)| (CloseCode::new(*code).unwrap(), reason));
                self.0.close(NOW, code, reason).unwrap();
            }
            Item::Pong(_) | Item::Failed => unreachable!(),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // What is owed beyond what is queued comes when that was sent.
        while self.0.outgoing_len() > 0 {
            let written: Vec<u8> = self.0.outgoing().flatten().copied().collect();
            self.0.sent(NOW, written.len());
            bytes.extend(written);
        }
        bytes
    }

    fn read(&mut self, pieces: &[Vec<u8>]) -> Vec<Item> {
        let mut items = Vec::new();
        for piece in pieces {
            let mut buffer = piece.clone();
            let mut input = &mut buffer[..];
            while let Some(event) = self.0.receive(NOW, &mut input) {
                items.push(match event {
                    Event::Upgrade(_) => {
                        self.0.accept(NOW, &Accept::new()).unwrap();
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
