//! What can be wrong with a byte stream that is to be HTTP, and what is answered then.

use super::Response;

/// Why a byte stream is no acceptable HTTP, request or response.
///
/// As a request each has a [`status`](Error::status) that is answered before the stream is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line feed without a carriage return before it, or the reverse (RFC 9112 section 2.2).
    #[error("bare CR or LF in the head")]
    BareLineEnd,
    /// The first line or a header line breaks the grammar (RFC 9112 sections 3, 4 and 5).
    #[error("malformed head")]
    MalformedHead,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    #[error("unsupported HTTP version")]
    Version,
    /// `Host` is missing, stands there twice, or has characters that no host has (RFC 9112 section 3.2).
    #[error("missing, repeated or malformed Host")]
    Host,
    /// `Content-Length` is not one number, or stands beside `Transfer-Encoding`; or that stands there twice or in HTTP/1.0.
    #[error("ambiguous body length")]
    AmbiguousLength,
    /// A request to upgrade that has a body: what follows the head must be one thing only.
    #[error("upgrade with a body")]
    UpgradeWithBody,
    /// A chunked body that breaks the grammar, has long extensions or any trailer fields (RFC 9112 section 7.1).
    #[error("malformed chunk")]
    Chunk,
    /// A transfer coding other than chunked.
    #[error("transfer coding not implemented")]
    TransferCoding,
    /// An expectation other than `100-continue`.
    #[error("unknown expectation")]
    Expectation,
    /// The head is larger than [`Limits::head_bytes_max`](super::Limits::head_bytes_max).
    #[error("head too large")]
    HeadTooLarge,
    /// More header lines than [`Limits::headers_max`](super::Limits::headers_max).
    #[error("too many header lines")]
    TooManyHeaders,
    /// The target is longer than [`Limits::target_bytes_max`](super::Limits::target_bytes_max).
    #[error("request target too long")]
    TargetTooLong,
    /// The body is longer than [`Limits::body_bytes_max`](super::Limits::body_bytes_max).
    #[error("body too large")]
    BodyTooLarge,
    /// More was sent behind an unanswered request than the connection keeps.
    #[error("too much pipelined behind an unanswered request")]
    Pipelined,
    /// The request, or a client's answer, did not arrive in time.
    #[error("message did not arrive in time")]
    Timeout,
    /// The application did not answer in time.
    #[error("no answer in time")]
    AnswerTimeout,
    /// The peer ended the stream within a request, or before its answer to one was whole.
    #[error("stream ended within a message")]
    UnexpectedEof,
    /// The peer did not read what was sent to it.
    #[error("peer stopped reading")]
    WriteTimeout,
}

impl Error {
    /// The status that answers this error; `None` where nobody is there to read it.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        Some(match self {
            Self::BareLineEnd
            | Self::UpgradeWithBody
            | Self::MalformedHead
            | Self::Host
            | Self::AmbiguousLength
            | Self::Chunk
            | Self::Pipelined => 400,
            Self::Timeout => 408,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::TransferCoding => 501,
            Self::AnswerTimeout => 503,
            Self::Version => 505,
            Self::UnexpectedEof | Self::WriteTimeout => return None,
        })
    }

    /// The response that answers this error, with its reason as text.
    pub(crate) fn response(self) -> Option<Response> {
        self.status().map(|status| Response::new(status).text(&alloc::format!("{self}\n")))
    }
}
