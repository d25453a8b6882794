//! What the hub tells.

use roomwire::Instant;
use roomwire::hub::{AckError, AckId, ConnId, DisconnectReason, Error, Event, PresenceChange, SocketId};
use roomwire::socketio::Args;
use roomwire::ws;

/// An event, on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Request(ConnId, String),
    Refused(ConnId, u8),
    Connecting(SocketId, String, String),
    Connected(SocketId, bool),
    Recovered(SocketId),
    Emit(SocketId, String, String, bool),
    Message(ConnId, Option<SocketId>, ws::Message<'static>),
    Acks(AckId, usize, Vec<SocketId>),
    Ack(AckId, SocketId, Result<String, AckError>),
    Presence { namespace: String, room: String, user: String, change: PresenceChange, version: u64 },
    Disconnected(SocketId, DisconnectReason, Option<Instant>),
    Left(SocketId),
    Congested(ConnId),
    Drained(ConnId),
    Closed(ConnId, Option<Error>),
}

impl From<&Event<'_>> for Told {
    fn from(event: &Event<'_>) -> Self {
        match event {
            Event::Request { conn, request } => Self::Request(*conn, request.target().into()),
            Event::Refused { conn, error } => Self::Refused(*conn, error.code()),
            Event::Connecting { socket, namespace, auth, query } => {
                Self::Connecting(*socket, (**namespace).into(), format!("{auth}?{query}"))
            }
            Event::Connected { socket, recovered: true, .. } => Self::Recovered(*socket),
            Event::Connected { socket, resumed, .. } => Self::Connected(*socket, *resumed),
            Event::Emit { socket, name, args, reply } => {
                Self::Emit(*socket, name.clone().into_owned(), whole(args), reply.is_some())
            }
            Event::Ack { ack, socket, answer } => {
                let answer = answer.as_ref().map(whole).map_err(|error| *error);
                Self::Ack(*ack, *socket, answer)
            }
            Event::Message { conn, socket, message } => Self::Message(*conn, *socket, message.clone().into_owned()),
            Event::Acks { ack, answered, missing } => Self::Acks(*ack, *answered, missing.clone()),
            Event::Presence { namespace, room, user, change, version } => Self::Presence {
                namespace: (**namespace).into(),
                room: (**room).into(),
                user: (**user).into(),
                change: *change,
                version: *version,
            },
            Event::Disconnected { socket, reason, away_until } => Self::Disconnected(*socket, *reason, *away_until),
            Event::Left { socket } => Self::Left(*socket),
            Event::Congested { conn } => Self::Congested(*conn),
            Event::Drained { conn } => Self::Drained(*conn),
            Event::Closed { conn, error } => Self::Closed(*conn, *error),
            other => panic!("an event that this test does not know: {other:?}"),
        }
    }
}

/// Arguments as text, their attachments behind them.
fn whole(args: &Args<'_>) -> String {
    let attachments = args.attachments().iter().map(|bytes| format!(" + {}", bytes.escape_ascii()));
    args.as_str().to_owned() + &attachments.collect::<String>()
}

impl Told {
    /// Its kind, for counting.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Request(..) => "request",
            Self::Refused(..) => "refused",
            Self::Connecting(..) => "connecting",
            Self::Connected(_, false) => "connected",
            Self::Connected(_, true) => "resumed",
            Self::Recovered(_) => "recovered",
            Self::Emit(..) => "emit",
            Self::Message(..) => "message",
            Self::Acks(..) => "acks",
            Self::Ack(_, _, Ok(_)) => "answered",
            Self::Ack(_, _, Err(AckError::TimedOut)) => "ack timed out",
            Self::Ack(_, _, Err(_)) => "ack lost",
            Self::Presence { change, .. } => change.as_str(),
            Self::Disconnected(_, _, Some(_)) => "lost",
            Self::Disconnected(_, DisconnectReason::NotAccepted, None) => "not accepted",
            Self::Disconnected(..) => "disconnected",
            Self::Left(_) => "left for good",
            Self::Congested(_) => "congested",
            Self::Drained(_) => "drained",
            Self::Closed(_, None) => "closed",
            Self::Closed(_, Some(Error::SlowConsumer)) => "slow consumer",
            Self::Closed(_, Some(_)) => "closed with an error",
        }
    }

    /// The byte stream that it is about.
    pub const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Request(conn, _)
            | Self::Refused(conn, _)
            | Self::Congested(conn)
            | Self::Drained(conn)
            | Self::Closed(conn, _) => Some(*conn),
            _ => None,
        }
    }
}
