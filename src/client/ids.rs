//! The names of byte streams, sockets and acknowledgements; none is given twice.

use core::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* pub struct $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) u64);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

ids! {
    /// A byte stream to the server. Never given twice: after the stream's end it names nothing, and calls with it do
    /// nothing.
    pub struct StreamId;

    /// One namespace of the server's, as this client uses it. It outlives byte streams and sessions, until
    /// [`Client::disconnect`](super::Client::disconnect).
    pub struct SocketId;
}

/// An acknowledgement that is awaited from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckId {
    pub(super) socket: SocketId,
    pub(super) id: u64,
}

/// An acknowledgement that the server awaits: give it to [`Client::ack`](super::Client::ack). It can be given only once.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub(super) socket: SocketId,
    /// Which connection of the namespace awaits it: in another one the same id is another event's.
    pub(super) life: u64,
    pub(super) id: u64,
}
