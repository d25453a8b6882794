//! Names of what there is in a hub: ids, which are never given twice, and tokens.

use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;

use super::slab::Key;
use crate::entropy::Entropy;

macro_rules! ids {
    ($($(#[$doc:meta])* $visibility:vis struct $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility struct $name(u64);

        impl Key for $name {
            fn from_raw(raw: u64) -> Self {
                Self(raw)
            }
            fn raw(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            /// The place, and how often it was used before.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}.{})"), self.0 & 0xFFFF_FFFF, self.0 >> 32)
            }
        }
    )*};
}

ids! {
    /// A byte stream. Never given twice: after the stream's end it names nothing, and calls with it do nothing.
    pub struct ConnId;

    /// A client in one namespace. It outlives the byte stream while the session is away, and names nothing after
    /// that. It is the hub's own; the client knows itself by another, see [`Hub::sid`](super::Hub::sid).
    pub struct SocketId;

    /// An Engine.IO session.
    pub(crate) struct SessionId;

    /// A set of sockets: a namespace, a room, or the devices of a user.
    pub(crate) struct GroupId;
}

/// A request that another HTTP server has read, and that awaits its response: see
/// [`Hub::handle_request`](super::Hub::handle_request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) ConnId);

/// An event whose acknowledgement the hub awaits, from one client or from many. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckId(pub(super) u64);

/// An acknowledgement that a client awaits: give it to [`Hub::ack`](super::Hub::ack). It can be
/// given only once.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub(super) socket: SocketId,
    /// The transport's session: on another one the same id is another event's.
    pub(super) session: SessionId,
    pub(super) id: u64,
}

/// The secret with which a client comes back into its session: 144 random bits as 24 characters
/// of the URL-safe base64 alphabet. It is good once, and it is not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token([u8; 24]);

impl Ord for Token {
    /// By its first eight bytes as one number, which nearly always decide.
    fn cmp(&self, other: &Self) -> Ordering {
        let first = |token: &Self| token.0.first_chunk().copied().map(u64::from_be_bytes);
        first(self).cmp(&first(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Token {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Token {
    pub(super) fn new(entropy: &mut Entropy) -> Self {
        Self(entropy.token())
    }

    /// The token that a client sent, if it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    /// Its 24 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.as_str().into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
