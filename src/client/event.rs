//! What a client tells its application.

use alloc::borrow::Cow;
use core::fmt;

use super::error::Error;
use super::ids::{AckId, Reply, SocketId};
use crate::socketio::{self, Args};
use crate::time::Instant;

/// What happened in a [`Client`](super::Client). Names and arguments are lent from the input where they lay whole in it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A session with the server is open. Its namespaces are still to be connected.
    Opened,
    /// The session goes by WebSocket now, after long polling.
    Upgraded,
    /// The session could not change to WebSocket, and goes on by long polling.
    UpgradeFailed {
        /// Why.
        error: Error,
    },
    /// A namespace is connected.
    Connected {
        /// Which.
        socket: SocketId,
        /// Whether nothing was missed since it was connected last: what was emitted to it meanwhile has been told before
        /// this event.
        recovered: bool,
    },
    /// The server refuses a namespace, disconnects it before it was connected, or did not answer in time. It is not asked
    /// again until the application calls [`Client::connect`](super::Client::connect).
    Refused {
        /// Which.
        socket: SocketId,
        /// The server's message; empty if there is none.
        message: Cow<'a, str>,
        /// What the server added, as JSON text; empty if nothing.
        data: Cow<'a, str>,
    },
    /// The server emitted an event.
    Emit {
        /// To which namespace.
        socket: SocketId,
        /// The event's name.
        name: Cow<'a, str>,
        /// Its arguments.
        args: Args<'a>,
        /// Present if the server asks for an acknowledgement: see [`Client::ack`](super::Client::ack).
        reply: Option<Reply>,
    },
    /// An acknowledgement that was asked for came, or did not; exactly once for each.
    Ack {
        /// Which one.
        ack: AckId,
        /// The answer.
        answer: Result<Args<'a>, AckError>,
    },
    /// An event that was to be sent until it is acknowledged, without the application asking for that, was given up after
    /// all [`retries`](super::Config::retries).
    Undelivered {
        /// The namespace.
        socket: SocketId,
    },
    /// A namespace that was connected is so no more.
    Disconnected {
        /// Which.
        socket: SocketId,
        /// Why. It says too whether the namespace will be [connected again](DisconnectReason::reconnects).
        reason: DisconnectReason,
    },
    /// A session ended, or could not be opened.
    Closed {
        /// What went wrong, if anything did.
        error: Option<Error>,
        /// When the next attempt is made, and its number from 1. `None` if there is none: after
        /// [`Client::close`](super::Client::close), without a namespace that is wanted, or after
        /// [`attempts_max`](super::Reconnection::attempts_max).
        retry: Option<(Instant, u32)>,
    },
}

impl Event<'_> {
    /// The event on its own, copied where it was lent.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Opened => Event::Opened,
            Self::Upgraded => Event::Upgraded,
            Self::UpgradeFailed { error } => Event::UpgradeFailed { error },
            Self::Connected { socket, recovered } => Event::Connected { socket, recovered },
            Self::Refused { socket, message, data } => {
                Event::Refused { socket, message: own(message), data: own(data) }
            }
            Self::Emit { socket, name, args, reply } => {
                Event::Emit { socket, name: own(name), args: args.into_owned(), reply }
            }
            Self::Ack { ack, answer } => Event::Ack { ack, answer: answer.map(Args::into_owned) },
            Self::Undelivered { socket } => Event::Undelivered { socket },
            Self::Disconnected { socket, reason } => Event::Disconnected { socket, reason },
            Self::Closed { error, retry } => Event::Closed { error, retry },
        }
    }
}

/// Why an acknowledgement did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// Not in time.
    #[error("no acknowledgement in time")]
    TimedOut,
    /// The namespace was disconnected before.
    #[error("disconnected before the acknowledgement")]
    Disconnected,
}

/// Why a namespace was disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The server disconnected it.
    Server,
    /// The application did.
    Client,
    /// The server ended the session.
    TransportClosed,
    /// The session broke.
    TransportError,
    /// The server fell silent: it gave no sign of life, or the attachments of a packet did not come.
    PingTimeout,
    /// The server broke the protocol.
    ProtocolError,
}

impl DisconnectReason {
    /// Whether the namespace will be connected again without a call, as the [configuration](super::Config::reconnection) says.
    #[must_use]
    pub const fn reconnects(self) -> bool {
        !matches!(self, Self::Server | Self::Client)
    }

    pub(super) const fn of(error: Option<Error>) -> Self {
        match error {
            None => Self::TransportClosed,
            Some(Error::PingTimeout | Error::SocketIo(socketio::Error::AttachmentsTimeout)) => Self::PingTimeout,
            Some(Error::SocketIo(_) | Error::Payload(_) | Error::Packet | Error::Open) => Self::ProtocolError,
            Some(_) => Self::TransportError,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "disconnected by the server",
            Self::Client => "disconnected here",
            Self::TransportClosed => "transport closed",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ProtocolError => "protocol error",
        })
    }
}
