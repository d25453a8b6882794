//! What a peer can do wrong, and the close code that it is answered with.

use super::{CloseCode, HandshakeError};
use crate::http;

/// Why a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The opening handshake is no acceptable HTTP request.
    #[error("handshake: {0}")]
    Http(http::Error),
    /// The request is no acceptable opening handshake (RFC 6455 section 4.2.1).
    #[error("handshake: {0}")]
    Handshake(HandshakeError),
    /// A reserved bit is set that no extension defines (section 5.2).
    #[error("reserved bit set")]
    ReservedBits,
    /// An opcode from 3 to 7 or from 11 to 15 (section 5.2).
    #[error("reserved opcode")]
    ReservedOpcode,
    /// A client's frame without a mask (section 5.1).
    #[error("client frame is not masked")]
    Unmasked,
    /// A server's frame with a mask (section 5.1).
    #[error("server frame is masked")]
    Masked,
    /// A payload length that would have fitted a shorter form (section 5.2).
    #[error("payload length is not minimal")]
    LengthNotMinimal,
    /// A 64-bit length with its first bit set (section 5.2).
    #[error("payload length out of range")]
    LengthOutOfRange,
    /// A control frame with FIN clear (section 5.5).
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    #[error("control frame too long")]
    ControlTooLong,
    /// A continuation without a message to continue (section 5.4).
    #[error("continuation without a message")]
    UnexpectedContinuation,
    /// A new message before the fragmented one has ended (section 5.4).
    #[error("message within a fragmented message")]
    UnfinishedMessage,
    /// A text or a close reason that is not UTF-8 (section 8.1).
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A close frame with one byte, or with a code that may not be sent (sections 5.5.1 and 7.4).
    #[error("invalid close frame")]
    InvalidClose,
    /// A message longer than [`Limits::message_bytes_max`](super::Limits::message_bytes_max).
    #[error("message too big")]
    MessageTooBig,
    /// A compressed message that is not deflated data, or whose end is missing (RFC 7692 section 7.2.2).
    #[error("invalid compressed data")]
    InvalidDeflate,
    /// More fragments than [`Limits::fragments_max`](super::Limits::fragments_max).
    #[error("too many fragments")]
    TooManyFragments,
    /// The peer ended the byte stream without a closing handshake.
    #[error("stream ended without a closing handshake")]
    UnexpectedEof,
    /// No sign of life after a ping.
    #[error("ping timed out")]
    PingTimeout,
    /// The peer did not answer the close frame.
    #[error("closing handshake timed out")]
    CloseTimeout,
    /// The peer did not read what was sent to it.
    #[error("peer stopped reading")]
    WriteTimeout,
}

impl Error {
    /// The code of the close frame that answers this error (section 7.4.1); `None` where no frame is sent.
    #[must_use]
    pub const fn close_code(self) -> Option<CloseCode> {
        Some(match self {
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_DATA,
            Self::MessageTooBig | Self::TooManyFragments => CloseCode::TOO_BIG,
            Self::PingTimeout => CloseCode::INTERNAL,
            Self::Http(_) | Self::Handshake(_) | Self::UnexpectedEof | Self::CloseTimeout | Self::WriteTimeout => {
                return None;
            }
            _ => CloseCode::PROTOCOL,
        })
    }
}
