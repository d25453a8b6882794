//! How a client came.

use alloc::sync::Arc;
use core::net::SocketAddr;

use super::config::Namespaces;
use super::front::Hub;
use super::ids::SocketId;
use super::session::Session;
use super::socket::Phase;
use crate::http::Request;
use crate::time::Instant;

/// What a driver knows of whoever is at the other end of a byte stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its address, if it has one.
    pub address: Option<SocketAddr>,
    /// Whether the stream is encrypted.
    pub secure: bool,
}

/// How a session began.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The request that opened it: headers, query. Lines have none.
    pub request: Option<Arc<Request>>,
    /// Who sent that.
    pub peer: Peer,
    /// When.
    pub time: Instant,
}

/// How long [`Hub::handshake`] is there: it is by far the largest thing that an idle connection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepHandshakes {
    /// Until the first socket of a session is accepted. In protocol 4 that is always the one in `/`: what connects to another
    /// namespace later shows nothing.
    UntilAccepted,
    /// While a socket of the session is connecting, or a further namespace may be. Where there is `/` alone that is until its
    /// socket is accepted; where any name may match it is as long as the session.
    WhileNeeded,
    /// As long as the session.
    Always,
}

/// How the client of a socket came.
impl Hub {
    /// How the session of a socket began: headers, cookies, query, the peer's address. It is there when
    /// [`Event::Connecting`](super::Event::Connecting) is told, in whichever namespace, until the application has answered; how
    /// much longer says [`Config::keep_handshakes`](super::Config::keep_handshakes).
    #[must_use]
    pub fn handshake(&self, socket: SocketId) -> Option<&Handshake> {
        let session = self.sockets.get(socket)?.session?;
        self.sessions.at(session)?.handshake.as_deref()
    }

    /// Gives back how a session began, if nobody is to see it any more. One of its sockets was accepted.
    pub(super) fn release_handshake(&mut self, session: u32) {
        let needed = self.sessions.at(session).is_some_and(|entry| match self.config.keep_handshakes {
            KeepHandshakes::UntilAccepted => false,
            KeepHandshakes::WhileNeeded => self.may_connect(entry),
            KeepHandshakes::Always => true,
        });
        if !needed && let Some(entry) = self.sessions.at_mut(session) {
            entry.handshake = None;
        }
    }

    /// Whether a session has a socket that is connecting, or may get one in a namespace that it is not in.
    fn may_connect(&self, session: &Session) -> bool {
        let listed = match &self.config.namespaces {
            // It is one socket for all its life.
            _ if session.format().is_plain() => 1,
            Namespaces::Listed(names) => names.len(),
            Namespaces::Matching(_) => usize::MAX,
        };
        let connecting = |place: &u32| {
            self.sockets.at(*place).is_some_and(|socket| matches!(socket.phase, Phase::Connecting { .. }))
        };
        session.sockets.len() < listed.min(self.config.limits.namespaces_per_session_max)
            || session.sockets.iter().any(connecting)
    }
}
