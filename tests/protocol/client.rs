//! The client's side of a stream: opening handshake, masked frames, and what the server sent.

use std::sync::Arc;

use roomwire::hub::ConnId;
use roomwire::ws::{self, CloseCode, Connection, Event, Header, Message, Opcode, accept_key, apply_mask};

use crate::world::World;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const MAIN: &str = "/socket.io/?EIO=4&transport=websocket";
pub const MAIN_3: &str = "/socket.io/?EIO=3&transport=websocket";

/// What a server sends on a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Pong,
    /// A close frame; the code is 1005 if it has none.
    Close(u16, String),
}

pub fn text(text: &str) -> Frame {
    Frame::Text(text.into())
}

/// A client whose handshake was answered.
pub struct Client {
    pub conn: ConnId,
    ws: Connection,
    over: bool,
}

/// An opening handshake, with further header lines.
pub fn opening(target: &str, lines: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{lines}\r\n"
    )
    .into_bytes()
}

/// A plain request.
pub fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: example.org\r\n\r\n").into_bytes()
}

/// A frame as a client sends it.
pub fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = [0x9A, 0x01, 0xC3, 0x5F];
    let (header, size) = Header { fin, opcode, mask: Some(key), payload_len: payload.len() as u64 }.encode();
    let mut bytes = header[..size].to_vec();
    bytes.extend_from_slice(payload);
    apply_mask(&mut bytes[size..], key);
    bytes
}

/// A text message as a client sends it.
pub fn message(text: &str) -> Vec<u8> {
    frame(true, Opcode::Text, text.as_bytes())
}

/// Splits the answer to a handshake off what a server wrote; panics unless it is the 101 that was to come.
pub fn split_head(bytes: &[u8]) -> &[u8] {
    let accept = accept_key(KEY);
    let head = [
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ",
        &accept[..],
        b"\r\n\r\n",
    ]
    .concat();
    let rest = bytes.strip_prefix(&head[..]);
    rest.unwrap_or_else(|| panic!("no 101 in order: {}", bytes.escape_ascii()))
}

impl Client {
    /// Opens a WebSocket. What the server sent behind its answer is left to be received.
    pub fn open(world: &mut World, target: &str) -> Self {
        Self::open_with(world, target, "")
    }

    pub fn open_with(world: &mut World, target: &str, lines: &str) -> Self {
        let conn = world.stream();
        world.feed(conn, &opening(target, lines));
        Self::behind(world, conn)
    }

    /// Goes on behind an opening handshake whose answer was written.
    pub fn behind(world: &mut World, conn: ConnId) -> Self {
        let config = ws::Config { ping_interval: None, ..ws::Config::default() };
        let mut client =
            Self { conn, ws: Connection::client_after_upgrade(Arc::new(config), [3; 32], world.now), over: false };
        let written = world.take(conn);
        client.pending(split_head(&written), world);
        client
    }

    /// Keeps bytes for the next look.
    fn pending(&mut self, bytes: &[u8], world: &mut World) {
        world.unread(self.conn, bytes);
    }

    /// Opens a WebSocket and connects to `/` in protocol 5; the answers are taken.
    pub fn connected(world: &mut World) -> Self {
        let mut client = Self::open(world, MAIN);
        client.say(world, "40");
        let frames = client.frames(world);
        assert!(matches!(&frames[1], Frame::Text(answer) if answer.starts_with(r#"40{"sid":"#)), "{frames:?}");
        client
    }

    /// Opens a WebSocket in revision 3, where `/` is connected unasked; the answers are taken.
    pub fn connected_3(world: &mut World) -> Self {
        let mut client = Self::open(world, MAIN_3);
        assert_eq!(client.frames(world)[1], text("40"));
        client
    }

    /// Sends a text message.
    pub fn say(&mut self, world: &mut World, packet: &str) {
        self.send(world, packet.into());
    }

    pub fn send(&mut self, world: &mut World, message: Message<'_>) {
        self.ws.send(world.now, message).unwrap();
        self.flush(world);
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, world: &mut World, bytes: &[u8]) {
        world.feed(self.conn, bytes);
    }

    /// Begins the closing handshake with an empty close frame, or answers the server's.
    pub fn close(&mut self, world: &mut World) {
        // A connection that was closed owes the answer already.
        let _ = self.ws.close(world.now, CloseCode::NO_STATUS, "");
        self.flush(world);
    }

    /// Sends what its WebSocket owes, like the answer to a close frame, and ends the stream if it may.
    pub fn finish(&mut self, world: &mut World) {
        self.flush(world);
        world.eof(self.conn);
    }

    fn flush(&mut self, world: &mut World) {
        let bytes = self.ws.outgoing().collect::<Vec<_>>().concat();
        self.ws.sent(world.now, bytes.len());
        world.feed(self.conn, &bytes);
    }

    /// Says something and takes what comes back.
    pub fn ask(&mut self, world: &mut World, packet: &str) -> Vec<Frame> {
        self.say(world, packet);
        self.frames(world)
    }

    /// What came since it last looked; every frame must be in its shortest form.
    pub fn frames(&mut self, world: &mut World) -> Vec<Frame> {
        let mut bytes = world.take(self.conn);
        let raw = bytes.clone();
        let mut input = &mut bytes[..];
        let mut frames = Vec::new();
        let mut encoded = Vec::new();
        while let Some(event) = self.ws.receive(world.now, &mut input) {
            assert!(!self.over, "{event:?} behind a close frame");
            let (frame, opcode, payload) = seen(event);
            self.over = opcode == Opcode::Close;
            let (header, size) = Header { fin: true, opcode, mask: None, payload_len: payload.len() as u64 }.encode();
            encoded.extend_from_slice(&header[..size]);
            encoded.extend_from_slice(&payload);
            frames.push(frame);
        }
        assert_eq!(encoded.escape_ascii().to_string(), raw.escape_ascii().to_string());
        frames
    }

    /// The texts that came since it last looked; anything else is a failure.
    pub fn texts(&mut self, world: &mut World) -> Vec<String> {
        let frames = self.frames(world).into_iter();
        frames.map(|frame| if let Frame::Text(text) = frame { text } else { panic!("{frame:?}") }).collect()
    }

    /// The id of this client's session, from what its first packet says.
    pub fn sid_of(open: &Frame) -> String {
        let Frame::Text(open) = open else { panic!("{open:?}") };
        let open: serde_json::Value = serde_json::from_str(&open[open.find('{').unwrap()..]).unwrap();
        open["sid"].as_str().unwrap().to_owned()
    }
}

/// A frame from the server, its opcode and its payload.
fn seen(event: Event<'_>) -> (Frame, Opcode, Vec<u8>) {
    match event {
        Event::Message(message) => {
            let (opcode, payload) = (message.opcode(), message.as_bytes().to_vec());
            let frame = match message {
                Message::Text(text) => Frame::Text(text.into_owned()),
                Message::Binary(bytes) => Frame::Binary(bytes.into_owned()),
            };
            (frame, opcode, payload)
        }
        Event::Ping(payload) => (Frame::Ping, Opcode::Ping, payload.into_owned()),
        Event::Pong(payload) => (Frame::Pong, Opcode::Pong, payload.into_owned()),
        Event::Closed(closed) => {
            assert_eq!(closed.error, None, "the server broke the protocol");
            let code = closed.code.get();
            let payload =
                if code == 1005 { Vec::new() } else { [&code.to_be_bytes()[..], closed.reason.as_bytes()].concat() };
            (Frame::Close(code, closed.reason), Opcode::Close, payload)
        }
        other => panic!("a client behind its handshake got {other:?}"),
    }
}
