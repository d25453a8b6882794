//! How a client came.

use alloc::sync::Arc;
use core::net::SocketAddr;

use super::front::Hub;
use super::ids::SocketId;
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

impl Hub {
    /// How the session of a socket began. It is there while the first socket of the session is connecting, and given back
    /// then, unless [`Config::keep_handshakes`](super::Config::keep_handshakes) is on: it is by far the largest thing that an idle
    /// connection would hold.
    #[must_use]
    pub fn handshake(&self, socket: SocketId) -> Option<&Handshake> {
        let session = self.sockets.get(socket)?.session?;
        self.sessions.at(session)?.handshake.as_deref()
    }
}
