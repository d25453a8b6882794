//! A client in one namespace, and what is known of it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::front::Hub;
use super::groups::{Link, Sockets};
use super::ids::{ConnId, SocketId, Token};
use super::session::Session;
use super::timers::Scheduled;
use crate::engineio::Transport;
use crate::entropy::Entropy;
use crate::socketio::{Acks, Protocol};
use crate::time::Instant;

/// A client in one namespace.
///
/// ```text
///             accept          transport lost              away_timeout
///  Connecting ──────▶ Live ───────────────────▶ Away ───────────────────▶ (left)
///      │               ▲ │ leaves, disconnected  │
///      │ refuse        │ └──────▶ (left)         │ resume
///      ▼               └─────────────────────────┘
///  (refused)
/// ```
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) phase: Phase,
    /// The place of its namespace's group, of which it is a member from the beginning.
    pub(super) namespace: u32,
    /// The place of its session; `None` while it is away.
    pub(super) session: Option<u32>,
    /// What the client knows it by.
    pub(super) sid: [u8; 20],
    pub(super) token: Token,
    pub(super) spent: Option<Box<Spent>>,
    /// The place of its user's group, once it is identified.
    pub(super) user: Option<u32>,
    /// The groups that it is in, see [`groups`](super::groups).
    pub(super) groups: Vec<Link>,
    /// The places of the rooms in which its user is shown.
    pub(super) entered: Vec<u32>,
    pub(super) acks: Option<Box<Acks>>,
    /// The last selection that has dealt with it.
    pub(super) marked: u64,
    pub(super) scheduled: Scheduled,
}

/// With what a client came back, and got another instead: good until it shows that it can know of that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// With which it was resumed.
    pub(super) token: Option<Token>,
    /// With which it came to recover, but had missed something.
    pub(super) pid: Option<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The application is to accept or refuse it.
    Connecting {
        until: Instant,
    },
    Live,
    /// Its transport is lost; it keeps its place.
    Away {
        until: Instant,
    },
}

impl Socket {
    /// A socket that is to be accepted until then.
    pub(super) fn connecting(namespace: u32, session: Option<u32>, until: Instant, entropy: &mut Entropy) -> Self {
        Self {
            phase: Phase::Connecting { until },
            namespace,
            session,
            sid: entropy.id(),
            token: Token::new(entropy),
            spent: None,
            user: None,
            groups: Vec::new(),
            entered: Vec::new(),
            acks: None,
            marked: 0,
            scheduled: Scheduled::default(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        let acks = self.acks.as_ref().map_or(Instant::NEVER, |acks| acks.poll_timeout());
        match self.phase {
            Phase::Connecting { until } | Phase::Away { until } => until.min(acks),
            Phase::Live => acks,
        }
    }

    pub(super) fn sid(&self) -> &str {
        core::str::from_utf8(&self.sid).unwrap_or_default()
    }
}

pub(super) fn socket_place(id: SocketId) -> u32 {
    Sockets::place(id)
}

/// What is known of a socket.
impl Hub {
    /// The connection that a socket has now. While it is on long polling it has none of its own.
    #[must_use]
    pub fn connection(&self, socket: SocketId) -> Option<ConnId> {
        let session = self.sockets.get(socket)?.session?;
        self.sessions.at(session)?.carrier.stream()
    }

    /// The transport of Engine.IO that a socket's client uses now; `None` while it is away, or if it has none.
    #[must_use]
    pub fn transport(&self, socket: SocketId) -> Option<Transport> {
        let session = self.sessions.at(self.sockets.get(socket)?.session?)?;
        session.engine().map(|_| session.carrier.transport())
    }

    /// The secret with which the client of this socket can resume its session: see [`resume`](Self::resume). It is for that
    /// client alone.
    #[must_use]
    pub fn token(&self, socket: SocketId) -> Option<Token> {
        self.sockets.get(socket).map(|socket| socket.token)
    }

    /// The id by which clients of protocol 5 know this socket. It is public, and stays the same when the session is resumed.
    #[must_use]
    pub fn sid(&self, socket: SocketId) -> Option<&str> {
        self.sockets.get(socket).map(Socket::sid)
    }

    /// The namespace of a socket.
    #[must_use]
    pub fn namespace(&self, socket: SocketId) -> Option<&str> {
        let namespace = self.sockets.get(socket)?.namespace;
        self.groups.at(namespace).map(|group| &*group.name)
    }

    /// The protocol of Socket.IO that a socket's client speaks; `None` while it is away, or if it has messages alone.
    #[must_use]
    pub fn protocol(&self, socket: SocketId) -> Option<Protocol> {
        let session = self.sockets.get(socket)?.session?;
        self.sessions.at(session).filter(|session| !session.format().is_plain()).map(Session::protocol)
    }

    /// Whether a socket has a transport now.
    #[must_use]
    pub fn is_live(&self, socket: SocketId) -> bool {
        self.sockets.get(socket).is_some_and(|socket| socket.phase == Phase::Live)
    }
}
