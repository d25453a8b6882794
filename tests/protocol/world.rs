//! A hub, its clock, its driver and its application, with everything that the application was told.

use std::collections::BTreeMap;
use std::time::Duration;

use roomwire::engineio::RequestError;
use roomwire::http::Request;
use roomwire::hub::{
    AckError, AckId, Config, ConnId, DisconnectReason, Error, Event, Hub, Namespaces, Origins, Reply, SocketId,
};
use roomwire::ws::Message;
use roomwire::{Instant, Stream};

use crate::app::App;

/// An event, on its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Request { conn: ConnId, method: String, target: String },
    Refused { conn: ConnId, error: RequestError },
    Connecting { socket: SocketId, namespace: String, auth: String, query: String },
    Connected { socket: SocketId, resumed: bool },
    Emit { socket: SocketId, name: String, args: String, attachments: Vec<Vec<u8>>, asks: bool },
    Message { conn: ConnId, socket: Option<SocketId>, message: Message<'static> },
    Ack { ack: AckId, socket: SocketId, answer: Result<String, AckError> },
    Disconnected { socket: SocketId, reason: DisconnectReason, away_until: Option<Instant> },
    Left { socket: SocketId },
    Closed { conn: ConnId, error: Option<Error> },
    Other(String),
}

impl From<&Event<'_>> for Told {
    fn from(event: &Event<'_>) -> Self {
        match event {
            Event::Request { conn, request } => {
                Self::Request { conn: *conn, method: request.method().into(), target: request.target().into() }
            }
            Event::Refused { conn, error } => Self::Refused { conn: *conn, error: *error },
            Event::Connecting { socket, namespace, auth, query } => Self::Connecting {
                socket: *socket,
                namespace: (**namespace).into(),
                auth: auth.clone().into_owned(),
                query: query.clone().into_owned(),
            },
            Event::Connected { socket, resumed, .. } => Self::Connected { socket: *socket, resumed: *resumed },
            Event::Emit { socket, name, args, reply } => Self::Emit {
                socket: *socket,
                name: name.clone().into_owned(),
                args: args.as_str().into(),
                attachments: args.attachments().iter().map(|bytes| bytes.to_vec()).collect(),
                asks: reply.is_some(),
            },
            Event::Message { conn, socket, message } => {
                Self::Message { conn: *conn, socket: *socket, message: message.clone().into_owned() }
            }
            Event::Ack { ack, socket, answer } => Self::Ack {
                ack: *ack,
                socket: *socket,
                answer: answer.as_ref().map(|args| args.as_str().into()).map_err(|error| *error),
            },
            Event::Disconnected { socket, reason, away_until } => {
                Self::Disconnected { socket: *socket, reason: *reason, away_until: *away_until }
            }
            Event::Left { socket } => Self::Left { socket: *socket },
            Event::Closed { conn, error } => Self::Closed { conn: *conn, error: *error },
            other => Self::Other(format!("{other:?}")),
        }
    }
}

/// What the application heard, and what it left to the test.
pub struct Ear {
    app: App,
    pub told: Vec<Told>,
    socket: Option<SocketId>,
    /// The acknowledgements that are owed to clients.
    pub replies: Vec<Reply>,
    /// The requests that await an answer.
    pub requests: Vec<(ConnId, Request)>,
}

impl Ear {
    fn hear(&mut self, hub: &mut Hub, now: Instant, event: Event<'_>) {
        if let Event::Connecting { socket, .. } | Event::Connected { socket, .. } | Event::Emit { socket, .. } = &event
        {
            self.socket = Some(*socket);
        }
        self.told.push(Told::from(&event));
        // Answered while the event is held, which lends from the input.
        match self.app.handle(hub, now, event) {
            Some(Event::Emit { reply: Some(reply), .. }) => self.replies.push(reply),
            Some(Event::Request { conn, request }) => self.requests.push((conn, request)),
            _ => {}
        }
    }
}

pub struct World {
    pub hub: Hub,
    pub now: Instant,
    pub ear: Ear,
    /// What was written to each stream and not looked at yet.
    written: BTreeMap<ConnId, Vec<u8>>,
    /// Streams whose peers do not read.
    pub stalled: Vec<ConnId>,
}

/// Any page, any namespace.
pub fn open_config() -> Config {
    Config { namespaces: Namespaces::Matching(|_| true), ..Config::new(Origins::Any) }
}

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    pub fn new(config: Config, app: App) -> Self {
        Self::seeded(config, app, [7; 32])
    }

    pub fn seeded(config: Config, app: App, seed: [u8; 32]) -> Self {
        // Not at the origin, so that nothing passes for being zero.
        let now = Instant::from(secs(1000));
        Self {
            hub: Hub::new(config, seed, now).unwrap(),
            now,
            ear: Ear { app, told: Vec::new(), socket: None, replies: Vec::new(), requests: Vec::new() },
            written: BTreeMap::new(),
            stalled: Vec::new(),
        }
    }

    /// A hub with an application that leaves everything to the test.
    pub fn manual() -> Self {
        Self::new(open_config(), App::Manual)
    }

    /// A hub whose application does what the captured ones did.
    pub fn captured() -> Self {
        Self::new(open_config(), App::Captured)
    }

    pub fn stream(&mut self) -> ConnId {
        self.hub.connect(self.now).unwrap()
    }

    /// Gives bytes to a stream, tells the application what comes of them, and writes what is owed.
    pub fn feed(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut buffer = bytes.to_vec();
        let mut input = &mut buffer[..];
        while let Some(event) = self.hub.receive(self.now, conn, &mut input) {
            self.ear.hear(&mut self.hub, self.now, event);
        }
        assert!(input.is_empty(), "receive yielded None with bytes left");
        self.settle();
    }

    pub fn eof(&mut self, conn: ConnId) {
        self.hub.receive_eof(self.now, conn);
        self.settle();
    }

    pub fn abort(&mut self, conn: ConnId) {
        self.hub.abort(self.now, conn);
        self.settle();
    }

    /// Takes the events that are left and writes what is owed, as a driver does after each call.
    pub fn settle(&mut self) {
        loop {
            while let Some(event) = self.hub.poll_event() {
                self.ear.hear(&mut self.hub, self.now, event);
            }
            let Some(conn) = self.hub.poll_transmit() else { break };
            self.write(conn);
        }
    }

    /// Writes what is owed to a stream, unless its peer does not read.
    pub fn write(&mut self, conn: ConnId) {
        if self.stalled.contains(&conn) {
            return;
        }
        let bytes = self.hub.outgoing(conn).collect::<Vec<_>>().concat();
        assert_eq!(bytes.len(), self.hub.outgoing_len(conn));
        self.hub.sent(self.now, conn, bytes.len());
        if !bytes.is_empty() {
            self.written.entry(conn).or_default().extend(bytes);
        }
    }

    /// What was written to a stream since it was last asked.
    pub fn take(&mut self, conn: ConnId) -> Vec<u8> {
        self.written.remove(&conn).unwrap_or_default()
    }

    /// Puts back what was taken too early.
    pub fn unread(&mut self, conn: ConnId, bytes: &[u8]) {
        self.written.entry(conn).or_default().splice(0..0, bytes.iter().copied());
    }

    /// Lets time pass, with every timer at its very instant.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        while let Some(at) = self.hub.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.hub.handle_timeout(self.now);
            assert!(self.hub.poll_timeout().is_none_or(|next| next > self.now), "the same time-out again");
            self.settle();
        }
        self.now = end;
        self.hub.handle_timeout(end);
        self.settle();
    }

    pub fn closed(&self, conn: ConnId) -> bool {
        self.ear.told.iter().any(|told| matches!(told, Told::Closed { conn: closed, .. } if *closed == conn))
    }

    /// Why a stream ended; panics if its end was not told.
    pub fn error(&self, conn: ConnId) -> Option<Error> {
        let mut ends = self.ear.told.iter().filter_map(|told| match told {
            Told::Closed { conn: closed, error } if *closed == conn => Some(*error),
            _ => None,
        });
        ends.next().expect("not closed")
    }

    /// What was told since it was last asked.
    pub fn news(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.ear.told)
    }

    /// The socket that connected or emitted last.
    pub fn last_socket(&self) -> SocketId {
        self.ear.socket.expect("no socket was told")
    }

    pub fn is_over(&self, conn: ConnId) -> bool {
        self.hub.stream(conn) == Stream::Closed
    }
}
