//! What ends sessions of a client, and what an application may not ask of it.

use crate::engineio::PayloadError;
use crate::http::{self, HeaderError, LimitsError};
use crate::socketio::{self, ArgumentsError};
use crate::ws::{self, UrlError};

/// What ended a session, or kept one from opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The driver could not open a byte stream, not in time, or it broke.
    #[error("server cannot be reached")]
    Unreachable,
    /// The session was not open in time.
    #[error("connection timed out")]
    ConnectTimeout,
    /// In HTTP, a time-out included.
    #[error("HTTP: {0}")]
    Http(http::Error),
    /// The server answered a request with this status; 400 stands for all of Engine.IO's own errors.
    #[error("HTTP status {0}")]
    Status(u16),
    /// In WebSocket, its opening handshake included.
    #[error("WebSocket: {0}")]
    WebSocket(ws::Error),
    /// The body of a poll is no payload.
    #[error("Engine.IO: {0}")]
    Payload(PayloadError),
    /// A text that is no packet of Engine.IO, or one that has no place here.
    #[error("Engine.IO: unexpected packet")]
    Packet,
    /// The packet that opens the session is not what this client understands.
    #[error("Engine.IO: malformed open packet")]
    Open,
    /// The server gave no sign of life.
    #[error("heartbeat timed out")]
    PingTimeout,
    /// In the change to WebSocket: it was not complete in time. The session goes on without it.
    #[error("upgrade timed out")]
    UpgradeTimeout,
    /// In Socket.IO.
    #[error("Socket.IO: {0}")]
    SocketIo(socketio::Error),
}

/// A configuration cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL names no server.
    #[error("{}", url_text(*.0))]
    Url(UrlError),
    /// The URL has a path or a query: see [`Config::path`](super::Config::path), [`Config::query`](super::Config::query) and
    /// the namespaces of [`Client::connect`](super::Client::connect).
    #[error(
        "URL of a server has a path or a query: a namespace is named when it is connected, a query is set on its own"
    )]
    UrlPath,
    /// [`Config::path`](super::Config::path) does not begin with a slash, or has characters that no target has.
    #[error("invalid path")]
    Path,
    /// A header that must not be sent, or is not the application's to write.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No transport is allowed.
    #[error("no transport")]
    NoTransport,
    /// A limit or a time-out that cannot work.
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

impl From<UrlError> for ConfigError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

/// What [`UrlError`] says, of other schemes.
const fn url_text(error: UrlError) -> &'static str {
    match error {
        UrlError::Scheme => "scheme of the URL is not http, https, ws or wss",
        UrlError::Host => "invalid host",
        UrlError::Port => "invalid port",
        UrlError::UserInfo => "user information in the URL of a server: send an Authorization header",
        UrlError::Fragment => "fragment in the URL of a server",
    }
}

/// A namespace cannot be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name does not begin with a slash, is too long, or has a comma or a control character.
    #[error("invalid namespace")]
    Namespace,
    /// What is to be sent for authentication is no JSON object, or too long.
    #[error("authentication is not a JSON object")]
    Auth,
    /// It is connected, or is going to be: [`Client::reconnect`](super::Client::reconnect) hurries an attempt that is waited
    /// for.
    #[error("namespace is connected already")]
    Already,
    /// There are [`Limits::namespaces_max`](super::Limits::namespaces_max).
    #[error("too many namespaces")]
    TooMany,
    /// The client was closed.
    #[error("client is closed")]
    Closed,
}

/// An event cannot be emitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// There is no such socket (any more).
    #[error("no such socket")]
    Gone,
    /// The session in which an acknowledgement was asked for is over.
    #[error("session is over")]
    Stale,
    /// The name is one that clients and servers use for themselves.
    #[error("reserved event name (connect, disconnect and their like)")]
    ReservedName,
    /// An argument has no form in JSON.
    #[error("arguments: {0}")]
    Arguments(#[from] ArgumentsError),
    /// A placeholder that names no attachment.
    #[error("placeholder names no attachment")]
    Placeholder,
    /// More attachments than [`Limits::attachments_max`](super::Limits::attachments_max).
    #[error("too many attachments")]
    TooManyAttachments,
    /// The event alone is more than may be queued.
    #[error("event too long")]
    TooLong,
    /// What waits to be sent is as much as may wait.
    #[error("buffer is full")]
    Full,
    /// [`Limits::acks_per_socket_max`](super::Limits::acks_per_socket_max) are awaited.
    #[error("too many acknowledgements awaited")]
    TooManyAcks,
}
