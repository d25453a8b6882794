//! Where the body of a message ends, and its bytes up to there.

use alloc::vec::Vec;

use super::Error;
use super::chunked::Chunked;
use super::headers::Headers;

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are left; a body that has none is no body.
    Length(usize),
    Chunked(Chunked),
    /// By the end of the stream.
    Stream,
}

impl Framing {
    /// What the head of a message says, where it can mean only one thing; `unsaid` if it says nothing.
    ///
    /// # Errors
    /// If it can mean more than one thing, or is a transfer coding that is not known here.
    pub(super) fn of(headers: &Headers, minor_version: u8, unsaid: Self) -> Result<Self, Error> {
        let lengths = headers.count("content-length");
        match headers.count("transfer-encoding") {
            0 if lengths == 0 => return Ok(unsaid),
            0 => {}
            // A coding beside a length is how messages are smuggled; one that HTTP/1.0 does not know makes its framing
            // faulty (section 6.1).
            1 if lengths == 0 && minor_version > 0 => {
                let chunked = headers.only("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
                return if chunked { Ok(Self::Chunked(Chunked::new())) } else { Err(Error::TransferCoding) };
            }
            _ => return Err(Error::AmbiguousLength),
        }
        // A repeated line reads as `None` here, as does anything beyond one run of digits.
        let digits = headers.only("content-length").filter(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()));
        digits.ok_or(Error::AmbiguousLength)?.parse().map(Self::Length).map_err(|_| Error::BodyTooLarge)
    }

    /// How many bytes are known to come.
    pub(super) const fn announced(&self) -> usize {
        if let Self::Length(left) = self { *left } else { 0 }
    }

    /// Moves what belongs to the body from the front of `input` to `body`; true when that is all of it.
    ///
    /// # Errors
    /// If chunks break the grammar; or as soon as what was not announced beforehand is more than `bytes_max` bytes.
    pub(super) fn read(&mut self, body: &mut Vec<u8>, bytes_max: usize, input: &mut &[u8]) -> Result<bool, Error> {
        match self {
            Self::Length(left) => {
                let (now, later) = input.split_at(input.len().min(*left));
                body.extend_from_slice(now);
                *input = later;
                *left = left.saturating_sub(now.len());
                Ok(*left == 0)
            }
            Self::Chunked(chunked) => chunked.read(body, bytes_max, input),
            Self::Stream if input.len() > bytes_max.saturating_sub(body.len()) => Err(Error::BodyTooLarge),
            Self::Stream => {
                body.extend_from_slice(core::mem::take(input));
                Ok(false)
            }
        }
    }
}
