//! Bytes → whole responses, for a client that reads their bodies.

use alloc::boxed::Box;

use super::Error;
use super::body::Framing;
use super::head::Head;
use super::reader::Limits;
use super::received::{ReceivedResponse, parse};

/// Reads responses with their bodies out of bytes that arrive in any pieces.
///
/// It consumes exactly the bytes of one response and yields it; what follows stays in the input.
#[derive(Debug)]
pub(super) enum ExchangeReader {
    Head(Head),
    Body(Box<ReceivedResponse>, Framing),
    Failed,
}

impl Default for ExchangeReader {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

/// A response that is whole.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) response: Box<ReceivedResponse>,
    /// Whether the stream may carry another after it (RFC 9112 section 9.3).
    pub(super) keep_alive: bool,
}

impl ExchangeReader {
    /// Takes bytes off the front of `input` until a response is whole; with `head_only` it is the answer to a HEAD.
    ///
    /// # Errors
    /// On the first byte that makes it unacceptable; what the reader says after that means nothing.
    pub(super) fn read(
        &mut self,
        limits: &Limits,
        head_only: bool,
        input: &mut &[u8],
    ) -> Result<Option<Exchange>, Error> {
        let result = self.step(limits, head_only, input);
        if result.is_err() {
            *self = Self::Failed;
        }
        result
    }

    fn step(&mut self, limits: &Limits, head_only: bool, input: &mut &[u8]) -> Result<Option<Exchange>, Error> {
        while let Self::Head(head) = self {
            if !head.read(limits, input)? {
                return Ok(None);
            }
            let (head, lines) = head.take();
            let response = Box::new(parse(head, lines)?);
            *self = match response.status() {
                // Nothing was asked for that this could be the answer to.
                101 => return Err(Error::MalformedHead),
                // Interim responses come before the one that counts (RFC 9110 section 15.2).
                100 | 102..=199 => Self::default(),
                // Whatever the head says, that is of another answer (RFC 9112 section 6.3, rule 1).
                204 | 304 => Self::Body(response, Framing::Length(0)),
                _ if head_only => Self::Body(response, Framing::Length(0)),
                _ => {
                    let framing = Framing::of(&response.headers, response.minor_version, Framing::Stream)?;
                    if framing.announced() > limits.body_bytes_max {
                        return Err(Error::BodyTooLarge);
                    }
                    Self::Body(response, framing)
                }
            };
        }
        let Self::Body(response, framing) = self else { return Ok(None) };
        let whole = framing.read(&mut response.body, limits.body_bytes_max, input)?;
        Ok(if whole { self.take() } else { None })
    }

    /// The stream has ended: the response whose end that is.
    pub(super) fn finish(&mut self) -> Option<Exchange> {
        if matches!(self, Self::Body(_, Framing::Stream)) { self.take() } else { None }
    }

    fn take(&mut self) -> Option<Exchange> {
        let Self::Body(response, framing) = core::mem::take(self) else { return None };
        let keep_alive = !matches!(framing, Framing::Stream) && response.headers.keep_alive(response.minor_version);
        Some(Exchange { response, keep_alive })
    }
}
