//! A hub with clients around it, in virtual time: what a test says to it, and what each client hears.

use std::time::Duration;

use roomwire::hub::{Config, ConnId, Hub, Namespaces, Origins, SocketId};
use roomwire::ws::Opcode;
use roomwire::{Instant, Stream};

use crate::fuzz_hub::Told;
use crate::support::ws::{frames, masked, opening};

pub const V3: &str = "/socket.io/?EIO=3&transport=websocket";
pub const V4: &str = "/socket.io/?EIO=4&transport=websocket";

pub fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The defaults, with two namespaces.
pub fn config() -> Config {
    let mut config = Config::new(Origins::Any);
    config.namespaces = Namespaces::Listed(vec!["/".into(), "/chat".into()]);
    config
}

pub struct World {
    pub hub: Hub,
    pub now: Instant,
    /// What was told since it was last asked.
    told: Vec<Told>,
}

impl World {
    pub fn new(config: Config) -> Self {
        Self { hub: Hub::new(config, [9; 32], Instant::ORIGIN).unwrap(), now: Instant::ORIGIN, told: Vec::new() }
    }

    /// Everything told since the last call.
    pub fn told(&mut self) -> Vec<Told> {
        while let Some(event) = self.hub.poll_event() {
            self.told.push((&event).into());
        }
        std::mem::take(&mut self.told)
    }

    /// A byte stream with its WebSocket open; the answer to the handshake is read.
    pub fn open(&mut self, target: &str) -> ConnId {
        let conn = self.hub.connect(self.now).unwrap();
        self.bytes(conn, &opening(target));
        let head = self.read(conn, usize::MAX);
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
        conn
    }

    /// A client of protocol 5 that asks for a namespace and waits to be accepted.
    pub fn connecting(&mut self, namespace: &str) -> (ConnId, SocketId) {
        let conn = self.open(V4);
        let socket = self.ask(conn, namespace);
        (conn, socket)
    }

    /// Asks for a further namespace.
    pub fn ask(&mut self, conn: ConnId, namespace: &str) -> SocketId {
        let told = self.says(conn, &format!("40{},", namespace.trim_end_matches('/')).replace("40,", "40"));
        match told.last() {
            Some(Told::Connecting(socket, ..)) => *socket,
            _ => panic!("{told:?}"),
        }
    }

    /// A client of protocol 5 in `/`, accepted, everything read.
    pub fn client(&mut self) -> (ConnId, SocketId) {
        let (conn, socket) = self.connecting("/");
        self.hub.accept(self.now, socket).unwrap();
        assert_eq!(self.told().last(), Some(&Told::Connected(socket, false)));
        self.hears(conn);
        (conn, socket)
    }

    /// A client on a WebSocket at any target that is let in; everything read.
    pub fn client_at(&mut self, target: &str) -> (ConnId, SocketId) {
        let conn = self.open(target);
        if target.starts_with("/socket.io/?EIO=4") {
            self.bytes(conn, &masked(Opcode::Text, b"40"));
        }
        let told = self.told();
        let socket = self.let_in(&told);
        self.hears(conn);
        (conn, socket)
    }

    /// Lets in who is told to be connecting.
    pub fn let_in(&mut self, told: &[Told]) -> SocketId {
        let socket = told.iter().find_map(|told| match told {
            Told::Connecting(socket, ..) => Some(*socket),
            _ => None,
        });
        let socket = socket.unwrap_or_else(|| panic!("{told:?}"));
        self.hub.accept(self.now, socket).unwrap();
        self.told();
        socket
    }

    /// So many of them in the same room.
    pub fn room(&mut self, count: usize, room: &str) -> Vec<(ConnId, SocketId)> {
        let clients: Vec<_> = (0..count).map(|_| self.client()).collect();
        for (_, socket) in &clients {
            self.hub.join(self.now, *socket, room).unwrap();
        }
        clients
    }

    /// A new connection that resumes with the token that `socket` has now.
    pub fn resume(&mut self, socket: SocketId) -> ConnId {
        let token = self.hub.token(socket).unwrap();
        let (conn, connecting) = self.connecting(self.hub.namespace(socket).unwrap().to_owned().as_str());
        assert_eq!(self.hub.resume(self.now, connecting, &token), Ok(socket));
        conn
    }

    pub fn bytes(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while let Some(event) = self.hub.receive(self.now, conn, &mut input) {
            self.told.push((&event).into());
        }
    }

    /// A client sends a packet; what is told, with all that was told before.
    pub fn says(&mut self, conn: ConnId, packet: &str) -> Vec<Told> {
        self.bytes(conn, &masked(Opcode::Text, packet.as_bytes()));
        self.told()
    }

    /// Takes what is to be written to a connection, as far as its peer reads.
    pub fn read(&mut self, conn: ConnId, count: usize) -> Vec<u8> {
        let bytes: Vec<u8> = self.hub.outgoing(conn).flatten().copied().take(count).collect();
        self.hub.sent(self.now, conn, bytes.len());
        bytes
    }

    /// The packets that a client hears; a close frame as its code.
    pub fn hears(&mut self, conn: ConnId) -> Vec<String> {
        let bytes = self.read(conn, usize::MAX);
        packets(&bytes)
    }

    /// Lets time pass, stopping at each deadline on the way.
    pub fn pass(&mut self, span: Duration) {
        let until = self.now.saturating_add(span);
        while let Some(at) = self.hub.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.hub.handle_timeout(self.now);
        }
        self.now = until;
        self.hub.handle_timeout(until);
    }

    /// Lets time pass while these clients go on reading and answering heartbeats.
    pub fn live(&mut self, conns: &[ConnId], span: Duration) {
        let until = self.now.saturating_add(span);
        while self.now < until {
            self.pass(millis(1000).min(until.saturating_since(self.now)));
            for conn in conns {
                if self.hears(*conn).iter().any(|packet| packet == "2") {
                    self.bytes(*conn, &masked(Opcode::Text, b"3"));
                }
            }
        }
    }

    /// The peer goes away, and the driver with it.
    pub fn gone(&mut self, conn: ConnId) {
        self.hub.receive_eof(self.now, conn);
        self.read(conn, usize::MAX);
        assert_eq!(self.hub.stream(conn), Stream::Closed);
    }
}

/// The texts in a sequence of frames; of others their kind.
pub fn packets(bytes: &[u8]) -> Vec<String> {
    let text = |frame: crate::support::ws::Frame| match frame.first {
        0x81 => String::from_utf8(frame.payload).unwrap(),
        0x88 => format!("close {}", u16::from_be_bytes(frame.payload.get(..2).unwrap_or(&[0, 0]).try_into().unwrap())),
        0x8A => "pong".into(),
        other => format!("frame {other:x}"),
    };
    frames(bytes).into_iter().map(text).collect()
}

/// How often an event of this kind was told.
pub fn count(told: &[Told], kind: &str) -> usize {
    told.iter().filter(|told| told.kind() == kind).count()
}
