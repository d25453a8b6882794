//! Settings and limits of WebSocket connections.

use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;

use super::deflate::{self, DeflateConfig};
use crate::http::{self, LimitsError};

/// What a peer may make a [`Connection`](super::Connection) hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Payload bytes of a message over all its fragments, after inflation. Default 16 MiB, the size of a frame that most
    /// servers take (tungstenite 16 MiB a frame, ws 100 MiB a message). More is answered by 1009, unless
    /// [`Config::pieces`] is set.
    pub message_bytes_max: usize,
    /// Frames of a message. Default 131,072: 16 MiB in pieces of 128 bytes. Empty fragments count too. More is answered by
    /// 1009, unless [`Config::pieces`] is set.
    pub fragments_max: u32,
    /// Bytes in the outbox above which a message is refused with
    /// [`SendError::OutboxFull`](super::SendError::OutboxFull), or with [`SendError::TooLong`](super::SendError::TooLong) if it
    /// is more by itself. Default 32 MiB. Control frames do not count: of pongs at most about 1.3 KiB are queued beyond what is
    /// written meanwhile.
    pub outbox_bytes_max: usize,
    /// Bytes in the outbox above which [`wants_read`](super::Connection::wants_read) is false: who does not read
    /// its answers is not asked for more. Default 65,536.
    pub read_pause_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 16 << 20,
            fragments_max: 1 << 17,
            outbox_bytes_max: 32 << 20,
            read_pause_bytes: 65_536,
        }
    }
}

/// How large a message may be that is told in pieces ([`Config::pieces`]). Nothing of it is held, so that these are limits on
/// the time a message takes, and on what the application does with it.
///
/// ```
/// use roomwire::ws::{Config, Limits, PieceLimits};
///
/// // Messages of up to 64 KiB come whole, larger ones in pieces, without end.
/// let config = Config {
///     limits: Limits { message_bytes_max: 64 << 10, ..Limits::default() },
///     pieces: Some(PieceLimits { message_bytes_max: PieceLimits::NO_LIMIT, fragments_max: PieceLimits::NO_LIMIT }),
///     ..Config::default()
/// };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceLimits {
    /// Payload bytes of a message over all its fragments, after inflation. Default 4 GiB. More is answered by 1009.
    pub message_bytes_max: u64,
    /// Frames of a message. Default 4,194,304: 4 GiB in pieces of 1 KiB. Empty fragments count too. More is answered by 1009.
    pub fragments_max: u64,
}

impl PieceLimits {
    /// No limit at all: a message may go on for as long as the connection.
    pub const NO_LIMIT: u64 = u64::MAX;

    fn validate(&self) -> Result<(), LimitsError> {
        let check = |name, value| LimitsError::check(name, usize::try_from(value).unwrap_or(usize::MAX), 1, usize::MAX);
        check("pieces.message_bytes_max", self.message_bytes_max)?;
        check("pieces.fragments_max", self.fragments_max)
    }
}

impl Default for PieceLimits {
    fn default() -> Self {
        Self { message_bytes_max: 1 << 32, fragments_max: 1 << 22 }
    }
}

/// How a [`Connection`](super::Connection) behaves. Shared by all that behave alike.
#[derive(Clone, Debug)]
pub struct Config {
    /// What a peer may make the connection hold.
    pub limits: Limits,
    /// Whether a message that is more than `limits` lets the connection hold is told in pieces while it arrives
    /// ([`Event::Piece`](super::Event::Piece)), and how large it may be. Default `None`: it is refused. What is within
    /// `limits` is told whole in either case, so that a small `message_bytes_max` bounds the memory of large messages.
    pub pieces: Option<PieceLimits>,
    /// The limits and time-outs of the opening handshake.
    pub http: Arc<http::Config>,
    /// After so long without a byte from the peer it gets a ping, and memory of compression is given back that need not be
    /// kept. Default 30 s; `None` for never: then nothing gives that memory back while the connection is idle either.
    pub ping_interval: Option<Duration>,
    /// After a ping, from when it and everything that stands before it is written: how long to wait for any byte before the
    /// connection is given up. It runs only while [`wants_read`](super::Connection::wants_read) is true. Default 20 s.
    pub ping_timeout: Duration,
    /// How long to wait for the peer's close frame, and after that for its end of the stream, each from when everything that
    /// stands before is written. Default 5 s.
    pub close_timeout: Duration,
    /// How long a peer may take to read 16 KiB of what is sent to it, or all that waited when the time
    /// began if that is less. Default 30 s.
    pub write_timeout: Duration,
    /// Whether and how messages are compressed (RFC 7692). Default `None`: they are not, and without the feature
    /// `deflate` it is the only value.
    pub deflate: Option<DeflateConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            pieces: None,
            http: Arc::default(),
            ping_interval: Some(Duration::from_secs(30)),
            ping_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            deflate: None,
        }
    }
}

impl Config {
    /// What a client whose opening handshake somebody else makes is to offer in it, the value of `Sec-WebSocket-Extensions`
    /// (RFC 6455 section 9.1); `None` if that has no place there. The answer to it is for
    /// [`Connection::client_behind`](super::Connection::client_behind).
    #[must_use]
    pub fn extensions(&self) -> Option<String> {
        self.deflate.as_ref().map(deflate::offer)
    }

    /// Whether these settings can work. A connection does not ask: to do so once, where they come from, is for its owner.
    ///
    /// # Errors
    /// The first limit that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        self.http.validate()?;
        if let Some(deflate) = &self.deflate {
            deflate.validate()?;
        }
        if let Some(pieces) = &self.pieces {
            pieces.validate()?;
        }
        let limits = &self.limits;
        LimitsError::check("message_bytes_max", limits.message_bytes_max, 1, isize::MAX as usize)?;
        LimitsError::check("fragments_max", limits.fragments_max as usize, 1, u32::MAX as usize)?;
        LimitsError::check("outbox_bytes_max", limits.outbox_bytes_max, 1024, isize::MAX as usize)?;
        LimitsError::check("read_pause_bytes", limits.read_pause_bytes, 1, isize::MAX as usize)?;
        LimitsError::positive("ping_interval", self.ping_interval.unwrap_or(Duration::MAX))?;
        LimitsError::positive("ping_timeout", self.ping_timeout)?;
        LimitsError::positive("close_timeout", self.close_timeout)?;
        LimitsError::positive("write_timeout", self.write_timeout)
    }
}
