//! Misuse of the hub: why a call was not done.

use alloc::string::String;

use crate::engineio::CookieError;
use crate::http::LimitsError;
use crate::socketio::ArgumentsError;

/// A configuration cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A limit or a time-out that cannot work.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// A cookie that no browser would keep.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// No transport is allowed.
    #[error("no transport")]
    NoTransport,
    /// The path does not begin with a slash, or has characters that no path has.
    #[error("invalid path {0:?}")]
    Path(String),
    /// A path of [`Config::plain`](super::Config::plain) is Socket.IO's own, or stands there twice.
    #[error("path {0:?} is served already")]
    PathTaken(String),
    /// A subprotocol of [`Config::plain`](super::Config::plain) is no token.
    #[error("invalid subprotocol {0:?}")]
    Subprotocol(String),
    /// No browser writes an origin like this: see [`Origins::Listed`](super::Origins::Listed).
    #[error("no origin is written {0:?}")]
    Origin(String),
    /// The name does not begin with a slash, has a comma or a question mark, or is longer than
    /// [`Limits::namespace_bytes_max`](super::Limits::namespace_bytes_max); or a path of
    /// [`Config::plain`](super::Config::plain) names a namespace that is none of [`Config::namespaces`](super::Config::namespaces).
    #[error("invalid namespace {0:?}")]
    Namespace(String),
    /// A name of [`Config::presence_events`](super::Config::presence_events) is reserved, or both are the same.
    #[error("event {0:?} cannot tell of presence")]
    PresenceEvent(String),
}

/// A further connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There are [`Limits::connections_max`](super::Limits::connections_max).
    #[error("too many connections")]
    Full,
    /// The hub shuts down.
    #[error("shutting down")]
    ShuttingDown,
}

/// A socket is not in the state that a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// There is no such socket (any more).
    #[error("no such socket")]
    Gone,
    /// It does not wait to be accepted.
    #[error("socket does not wait to be accepted")]
    NotConnecting,
    /// It waits to be accepted.
    #[error("socket is not accepted")]
    NotAccepted,
    /// It is away.
    #[error("socket is away")]
    Away,
}

/// A session cannot be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The socket that would resume it is not in the state for that.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The token is unknown, used before, or of another namespace. Accept the socket as a new one.
    #[error("unknown token")]
    UnknownToken,
}

/// A socket cannot join or enter a room, or be identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket is not in the state for that.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The name is empty or longer than [`Limits::name_bytes_max`](super::Limits::name_bytes_max).
    #[error("name is empty or too long")]
    Name,
    /// The socket is in [`Limits::rooms_per_socket_max`](super::Limits::rooms_per_socket_max) rooms.
    #[error("too many rooms")]
    TooManyRooms,
    /// Only who is identified can be present.
    #[error("socket is not identified")]
    NotIdentified,
    /// The socket is identified as another user.
    #[error("socket is identified as another user")]
    Identified,
    /// The socket has not entered this room.
    #[error("socket has not entered the room")]
    NotEntered,
    /// What is to be shown is longer than [`Limits::meta_bytes_max`](super::Limits::meta_bytes_max), or has no form in JSON.
    #[error("meta is too long or not JSON")]
    Meta,
}

/// An event cannot be emitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The socket is not in the state for that.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The name is one that clients, servers or the hub's presence use for themselves.
    #[error("reserved event name (connect, disconnect, presence and their like)")]
    ReservedName,
    /// An argument has no form in JSON.
    #[error("arguments: {0}")]
    Arguments(#[from] ArgumentsError),
    /// The event alone is more than an outbox may hold.
    #[error("event too long")]
    TooLong,
    /// More attachments than [`Limits::attachments_max`](super::Limits::attachments_max).
    #[error("too many attachments")]
    TooManyAttachments,
    /// A placeholder among the arguments names no attachment.
    #[error("placeholder names no attachment")]
    Placeholder,
    /// A [`Plain`](super::Plain) client cannot acknowledge.
    #[error("client cannot acknowledge")]
    NoAcks,
    /// [`Limits::acks_per_socket_max`](super::Limits::acks_per_socket_max) are awaited.
    #[error("too many acknowledgements awaited")]
    TooManyAcks,
}
