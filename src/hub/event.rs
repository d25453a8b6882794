//! What the hub tells the application.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::ids::{AckId, ConnId, Reply, SocketId};
use super::presence::PresenceChange;
use crate::engineio::{RequestError, SessionError};
use crate::http::{self, Request};
use crate::lines;
use crate::socketio::{self, Args};
use crate::time::Instant;
use crate::ws::{self, HandshakeError, Message};

/// What happened in a [`Hub`](super::Hub). Names and arguments are lent from the input where they lay whole in it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request that is the application's own: answer with [`Hub::respond`](super::Hub::respond).
    Request {
        /// Who asks.
        conn: ConnId,
        /// What.
        request: Request,
    },
    /// A request of Engine.IO was refused, and answered with the protocol's own error.
    Refused {
        /// Who asked.
        conn: ConnId,
        /// Why it was refused.
        error: RequestError,
    },
    /// A client wants to connect to a namespace: answer with [`Hub::accept`](super::Hub::accept),
    /// [`Hub::refuse`](super::Hub::refuse) or [`Hub::resume`](super::Hub::resume). Headers and cookies of the request that
    /// began its session: [`Hub::handshake`](super::Hub::handshake). Who comes back by [recovery](super#recovery) is let in
    /// without this.
    Connecting {
        /// The socket that it will be.
        socket: SocketId,
        /// The namespace, which is one of those configured.
        namespace: Arc<str>,
        /// The client's payload for authentication, a JSON object as text; empty if there is none. Clients of protocol 4
        /// have none, but for a named namespace they may send a query, see `query`.
        auth: Cow<'a, str>,
        /// What a client of protocol 4 wrote behind the namespace's `?`; of a [`Plain`](super::Plain) client the query of its
        /// request; else empty.
        query: Cow<'a, str>,
    },
    /// A socket is connected.
    Connected {
        /// Which.
        socket: SocketId,
        /// Whether it came back into a session that was there before, with its rooms.
        resumed: bool,
        /// Whether its client lacks nothing that was emitted to it meanwhile: what it had missed was sent to it before anything
        /// else. See the [module](super#recovery).
        recovered: bool,
    },
    /// A client emitted an event.
    Emit {
        /// Who.
        socket: SocketId,
        /// The event's name.
        name: Cow<'a, str>,
        /// Its arguments.
        args: Args<'a>,
        /// Present if the client asks for an acknowledgement: see [`Hub::ack`](super::Hub::ack).
        reply: Option<Reply>,
    },
    /// A message that is no event: of a [`Plain`](super::Plain) client, or a line that is no packet. Answer by
    /// [`Hub::send_message`](super::Hub::send_message) or [`Hub::send_to_connection`](super::Hub::send_to_connection).
    Message {
        /// On which connection; on long polling that of the POST, on which nothing can be sent, and which may be over by now.
        conn: ConnId,
        /// Whose it is; lines may come before their client is connected to the main namespace.
        socket: Option<SocketId>,
        /// What.
        message: Message<'a>,
    },
    /// An acknowledgement that was asked of one socket came, or did not: exactly once. Of those that were asked of many, each
    /// that comes.
    Ack {
        /// Which one.
        ack: AckId,
        /// Who was asked.
        socket: SocketId,
        /// The answer.
        answer: Result<Args<'a>, AckError>,
    },
    /// Of an event whose acknowledgement was asked of many nobody is awaited any more; exactly once.
    Acks {
        /// Which one.
        ack: AckId,
        /// How many have answered.
        answered: usize,
        /// Who has not: it was late, lost or away, or could not be asked.
        missing: Vec<SocketId>,
    },
    /// Who is in a room changed; told to its members at the same moment.
    Presence {
        /// The room's namespace.
        namespace: Arc<str>,
        /// The room.
        room: Arc<str>,
        /// Whose presence.
        user: Arc<str>,
        /// How.
        change: PresenceChange,
        /// The version of the room's list that this change belongs to.
        version: u64,
    },
    /// The transport of a socket ended, or its client left the namespace.
    Disconnected {
        /// Which socket. Without `away_until` the id names nothing any more: what the application wants to know of it then it
        /// keeps itself, in a [`SocketMap`](super::SocketMap). (Rooms hear of users by [`Presence`](Self::Presence).)
        socket: SocketId,
        /// Why.
        reason: DisconnectReason,
        /// Until when the client may come back into the session; meanwhile it keeps its rooms.
        away_until: Option<Instant>,
    },
    /// A socket that was away did not come back. Its id names nothing any more.
    Left {
        /// Which.
        socket: SocketId,
    },
    /// A connection falls behind: see [`Limits::congested_bytes`](super::Limits::congested_bytes).
    Congested {
        /// Which.
        conn: ConnId,
    },
    /// A connection that was congested has caught up.
    Drained {
        /// Which.
        conn: ConnId,
    },
    /// A byte stream is over; the last event of it, exactly once. Its id goes on naming it until everything is
    /// written: a driver forgets it when [`Hub::stream`](super::Hub::stream) is [`Closed`](crate::Stream::Closed) and nothing is
    /// left to write.
    Closed {
        /// Which.
        conn: ConnId,
        /// What went wrong, if anything did.
        error: Option<Error>,
    },
}

/// Why an acknowledgement did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// Not in time.
    #[error("no acknowledgement in time")]
    TimedOut,
    /// The transport was lost before.
    #[error("disconnected before the acknowledgement")]
    Disconnected,
}

/// Why a socket lost its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client left the namespace or closed the session.
    Client,
    /// The application disconnected it.
    Server,
    /// The transport ended.
    TransportClosed,
    /// The application closed the transport.
    Closed,
    /// It fell silent: the heartbeat failed, or the attachments of a packet did not come.
    PingTimeout,
    /// It broke the protocol.
    ProtocolError,
    /// It did not read what was sent to it.
    SlowConsumer,
    /// The session was taken over by a newer connection of the same client.
    TakenOver,
    /// The hub shuts down.
    Shutdown,
    /// The application did not accept it in time.
    NotAccepted,
}

impl DisconnectReason {
    /// Whether the client did not mean to leave, and may come back.
    #[must_use]
    pub const fn is_recoverable(self) -> bool {
        match self {
            Self::TransportClosed
            | Self::Closed
            | Self::PingTimeout
            | Self::SlowConsumer
            | Self::TakenOver
            | Self::Shutdown => true,
            Self::Client | Self::Server | Self::ProtocolError | Self::NotAccepted => false,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the client left",
            Self::Server => "disconnected by the application",
            Self::TransportClosed => "transport closed",
            Self::Closed => "connection closed by the application",
            Self::PingTimeout => "ping timeout",
            Self::ProtocolError => "protocol error",
            Self::SlowConsumer => "slow consumer",
            Self::TakenOver => "taken over by a newer connection",
            Self::Shutdown => "shutdown",
            Self::NotAccepted => "not accepted in time",
        })
    }
}

/// What went wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// In HTTP.
    #[error("HTTP: {0}")]
    Http(http::Error),
    /// In the opening handshake of WebSocket.
    #[error("WebSocket handshake: {0}")]
    Handshake(HandshakeError),
    /// In WebSocket.
    #[error("WebSocket: {0}")]
    WebSocket(ws::Error),
    /// In lines.
    #[error("lines: {0}")]
    Lines(lines::Error),
    /// In Engine.IO.
    #[error("Engine.IO: {0}")]
    EngineIo(SessionError),
    /// In Socket.IO.
    #[error("Socket.IO: {0}")]
    SocketIo(socketio::Error),
    /// Before the application accepted it, a client with messages alone sent more of them than
    /// [`Limits::packet_bytes_max`](super::Limits::packet_bytes_max) lets be kept.
    #[error("too many messages before the client was accepted")]
    EarlyMessages,
    /// The client did not answer the heartbeat.
    #[error("heartbeat timed out")]
    PingTimeout,
    /// The peer did not read what was sent to it.
    #[error("slow consumer: outbox is full")]
    SlowConsumer,
}

/// The refusal of a client: what `CONNECT_ERROR` carries.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub(super) message: String,
    pub(super) data: Option<String>,
}

impl Refusal {
    /// A refusal with a message.
    #[must_use]
    pub fn new(message: &str) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Adds data, any value that serde can write. Clients of protocol 4 get nothing but the data.
    ///
    /// # Errors
    /// If the value has no form in JSON.
    pub fn data(mut self, data: &impl serde::Serialize) -> Result<Self, serde_json::Error> {
        self.data = Some(serde_json::to_string(data)?);
        Ok(self)
    }
}
