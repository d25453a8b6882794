//! Responses as a client reads them; the reader here is for those that an upgrade gets.

use alloc::vec::Vec;
use core::fmt;

use super::Error;
use super::body::Framing;
use super::head::{Head, fault};
use super::headers::{Headers, Span};
use super::reader::Limits;

/// A response that a server sent: its head, checked, and its body or the beginning of it.
#[derive(Clone, Default)]
pub struct ReceivedResponse {
    status: u16,
    pub(super) headers: Headers,
    pub(super) minor_version: u8,
    pub(super) body: Vec<u8>,
}

impl ReceivedResponse {
    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The header lines in their order. Values may hold bytes beyond ASCII.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter()
    }

    /// The values of all lines with this name (in any case) that are UTF-8, in their order.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.values(name)
    }

    /// The value of the only line with this name (in any case), if it is UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.only(name)
    }

    /// Whether a header that is a comma-separated list has this member, in any case.
    #[must_use]
    pub fn header_lists(&self, name: &str, member: &str) -> bool {
        self.headers.lists(name, member)
    }

    /// How many lines have this name (in any case).
    #[must_use]
    pub fn header_count(&self, name: &str) -> usize {
        self.headers.count(name)
    }

    /// The body. Of the answer to an upgrade it is the beginning: all of it, if it is short.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes the body.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

impl fmt::Debug for ReceivedResponse {
    /// Shows no header values, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedResponse")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Reads one response. Of a body, be it in chunks or not, it takes the beginning only; after `101 Switching Protocols`
/// it takes nothing, since what follows is another protocol.
#[derive(Debug, Default)]
pub struct ResponseReader {
    head: Head,
    /// A response whose body is arriving, and where that ends.
    response: Option<(ReceivedResponse, Framing)>,
}

/// Enough of a body to show why an upgrade was refused.
const BODY_BYTES_MAX: usize = 4096;

impl ResponseReader {
    /// A reader that awaits the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the byte is one within a line of the head, and was taken; the rest is left to [`read`](Self::read).
    #[inline]
    pub(crate) fn push(&mut self, limits: &Limits, byte: u8) -> bool {
        self.response.is_none() && self.head.push(limits, byte)
    }

    /// Takes bytes off the front of `input` until the response is there.
    ///
    /// # Errors
    /// If it is no acceptable HTTP response. What the reader says after that means nothing.
    pub fn read(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<Option<ReceivedResponse>, Error> {
        loop {
            if let Some((response, framing)) = &mut self.response {
                let room = BODY_BYTES_MAX.saturating_sub(response.body.len());
                let part = input.get(..room).unwrap_or(input);
                let mut left = part;
                // What is wrong with a body ends it.
                let ended = framing.read(&mut response.body, usize::MAX, &mut left).unwrap_or(true);
                *input = input.get(part.len().saturating_sub(left.len())..).unwrap_or_default();
                if ended || response.body.len() >= BODY_BYTES_MAX {
                    return Ok(self.finish());
                }
                if input.is_empty() {
                    return Ok(None);
                }
                continue;
            }
            if !self.head.read(limits, input)? {
                return Ok(None);
            }
            let (head, lines) = self.head.take();
            let response = parse(head, lines)?;
            let framing = match response.status {
                // Interim responses come before the one that counts (RFC 9110 section 15.2).
                100 | 102..=199 => continue,
                101 | 204 | 304 => Framing::Length(0),
                // What could mean more than one thing says nothing.
                _ => Framing::of(&response.headers, response.minor_version, Framing::Stream).unwrap_or(Framing::Stream),
            };
            self.response = Some((response, framing));
        }
    }

    /// The response as far as it came: for when the peer sends no more.
    pub fn finish(&mut self) -> Option<ReceivedResponse> {
        self.response.take().map(|(response, _)| response)
    }
}

pub(super) fn parse(buffer: Vec<u8>, lines: usize) -> Result<ReceivedResponse, Error> {
    let mut lines = alloc::vec![httparse::EMPTY_HEADER; lines.saturating_sub(1)];
    let mut parsed = httparse::Response::new(&mut lines);
    match parsed.parse(&buffer) {
        Ok(httparse::Status::Complete(size)) if size == buffer.len() => {}
        result => return Err(fault(&buffer, result.err())),
    }
    let status = parsed.code.filter(|code| (100..=999).contains(code)).ok_or(Error::MalformedHead)?;
    let span = |part: &[u8]| Span::of(part, &buffer);
    let lines = parsed.headers.iter().map(|line| (span(line.name.as_bytes()), span(line.value))).collect();
    let minor_version = parsed.version.unwrap_or_default();
    Ok(ReceivedResponse { status, headers: Headers::new(buffer, lines), minor_version, body: Vec::new() })
}
