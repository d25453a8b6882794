//! Bytes → whole responses, for a client that reads their bodies.

use alloc::vec::Vec;

use super::chunked::Chunked;
use super::head::Head;
use super::reader::Limits;
use super::received::{ReceivedResponse, parse};
use super::{Error, received};

/// Reads responses with their bodies out of bytes that arrive in any pieces.
///
/// It consumes exactly the bytes of one response and yields it; what follows stays in the input.
#[derive(Debug, Default)]
pub(super) struct ExchangeReader {
    state: State,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Body(ReceivedResponse, Framing),
    Failed,
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Debug)]
enum Framing {
    Length {
        left: usize,
    },
    Chunked(Chunked),
    /// By the end of the stream.
    Stream,
}

impl ExchangeReader {
    /// Takes bytes off the front of `input` until a response is whole.
    ///
    /// # Errors
    /// On the first byte that makes it unacceptable; what the reader says after that means nothing.
    pub(super) fn read(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<Option<ReceivedResponse>, Error> {
        let result = self.step(limits, input);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    fn step(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<Option<ReceivedResponse>, Error> {
        while let State::Head(head) = &mut self.state {
            if !head.read(limits, input)? {
                return Ok(None);
            }
            let head = core::mem::take(head);
            let response = parse(head.buffer, head.lines)?;
            self.state = match response.status() {
                // Nothing was asked for that this could be the answer to.
                101 => return Err(Error::MalformedHead),
                // Interim responses come before the one that counts (RFC 9110 section 15.2).
                100 | 102..=199 => State::default(),
                _ => {
                    let framing = framing(&response, limits)?;
                    State::Body(response, framing)
                }
            };
        }
        let State::Body(response, framing) = &mut self.state else { return Ok(None) };
        let whole = match framing {
            Framing::Length { left } => {
                let (now, later) = input.split_at(input.len().min(*left));
                response.body.extend_from_slice(now);
                *input = later;
                *left = left.saturating_sub(now.len());
                *left == 0
            }
            Framing::Chunked(chunked) => chunked.read(&mut response.body, limits.body_bytes_max, input)?,
            Framing::Stream => {
                if response.body.len().saturating_add(input.len()) > limits.body_bytes_max {
                    return Err(Error::BodyTooLarge);
                }
                response.body.extend_from_slice(core::mem::take(input));
                false
            }
        };
        Ok(if whole { self.take() } else { None })
    }

    /// The stream has ended: the response whose end that is.
    pub(super) fn finish(&mut self) -> Option<ReceivedResponse> {
        if matches!(self.state, State::Body(_, Framing::Stream)) { self.take() } else { None }
    }

    fn take(&mut self) -> Option<ReceivedResponse> {
        match core::mem::take(&mut self.state) {
            State::Body(response, _) => Some(response),
            _ => None,
        }
    }
}

fn framing(response: &ReceivedResponse, limits: &Limits) -> Result<Framing, Error> {
    let lengths = response.header_count("content-length");
    match response.header_count("transfer-encoding") {
        _ if matches!(response.status(), 204 | 304) => return Ok(Framing::Length { left: 0 }),
        0 if lengths == 0 => return Ok(Framing::Stream),
        0 => {}
        // A coding beside a length is how responses are smuggled.
        1 if lengths == 0 => {
            let chunked = response.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
            return if chunked { Ok(Framing::Chunked(Chunked::new())) } else { Err(Error::TransferCoding) };
        }
        _ => return Err(Error::AmbiguousLength),
    }
    let left = received::length(response)?;
    if left > limits.body_bytes_max { Err(Error::BodyTooLarge) } else { Ok(Framing::Length { left }) }
}

impl ReceivedResponse {
    /// Whether the stream may carry another exchange after this one (RFC 9112 section 9.3).
    pub(super) fn keep_alive(&self) -> bool {
        if self.header_lists("connection", "close") || self.ends_with_the_stream() {
            return false;
        }
        self.minor_version >= 1 || self.header_lists("connection", "keep-alive")
    }

    fn ends_with_the_stream(&self) -> bool {
        let framed = self.header_count("content-length") > 0 || self.header_count("transfer-encoding") > 0;
        !framed && !matches!(self.status(), 204 | 304)
    }

    /// Takes the body.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}
