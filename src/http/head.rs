//! The head of a message, request or response, up to its blank line.

use alloc::vec::Vec;
use core::fmt;

use super::Error;
use super::reader::Limits;
use crate::words;

/// Room for a head is at first made for as much as there is, and at least for so much.
const FIRST_BYTES: usize = 256;

/// A head of which the blank line is still to come.
#[derive(Default)]
pub(super) struct Head {
    pub(super) buffer: Vec<u8>,
    /// Lines ended so far, the first included.
    pub(super) lines: usize,
    /// Where in the buffer the line begins that has not ended.
    line_start: usize,
    /// How long the buffer may become by bytes within that line: nothing, once it has begun to end.
    line_end_max: usize,
    after_cr: bool,
    /// Whether an empty line came before the first.
    skipped: bool,
}

impl Head {
    /// Moves bytes from `input` to the buffer; true when the blank line is in. Each byte is looked at once.
    #[inline]
    pub(super) fn read(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<bool, Error> {
        if let [byte] = **input
            && self.push(limits, byte)
        {
            *input = &[];
            return Ok(false);
        }
        self.read_lines(limits, input)
    }

    /// The way of a peer that sends byte by byte, which must not cost much more than all at once: whether the byte is in
    /// order, and there is room for it in a head that has begun, and it was taken. What this does not take, and the end of the
    /// head, is left to [`read`](Self::read).
    #[inline]
    pub(super) fn push(&mut self, limits: &Limits, byte: u8) -> bool {
        let len = self.buffer.len();
        // Another way is where it begins or has to grow; so this one calls nothing.
        if len >= self.buffer.capacity() {
            return false;
        }
        // All that ends a line is among these. What a line must not hold is found when the head is parsed.
        if byte < b' ' && matches!(byte, b'\r' | b'\n') {
            if len >= limits.head_bytes_max || !self.push_line_end(limits, byte, len) {
                return false;
            }
        } else if len >= self.line_end_max {
            return false;
        }
        self.buffer.push(byte);
        true
    }

    #[inline]
    fn push_line_end(&mut self, limits: &Limits, byte: u8, len: usize) -> bool {
        match (self.after_cr, byte) {
            (false, b'\r') => {
                self.after_cr = true;
                self.line_end_max = 0;
            }
            // Behind more than the other half of the line end.
            (true, b'\n') if len.saturating_sub(self.line_start) > 1 && self.lines <= limits.headers_max => {
                self.end_line(len.saturating_add(1));
                self.line_end_max = limits.head_bytes_max;
            }
            _ => return false,
        }
        true
    }

    #[inline]
    const fn end_line(&mut self, line_start: usize) {
        self.after_cr = false;
        self.lines = self.lines.saturating_add(1);
        self.line_start = line_start;
    }

    fn read_lines(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<bool, Error> {
        let room = limits.head_bytes_max.saturating_sub(self.buffer.len());
        let (within, beyond) = input.split_at_checked(room).unwrap_or((input, &[]));
        let (mut left, mut blank) = (within, false);
        let end = self.buffer.len().saturating_add(within.len());
        while !blank && !left.is_empty() {
            blank = self.scan(&mut left, end, limits)?;
        }
        if !blank && !beyond.is_empty() {
            return Err(Error::HeadTooLarge);
        }
        let (head, rest) = input.split_at_checked(within.len().saturating_sub(left.len())).unwrap_or_default();
        *input = rest;
        if blank && self.lines == 0 {
            // One empty line before the first is ignored (RFC 9112 section 2.2).
            if self.skipped {
                return Err(Error::MalformedHead);
            }
            *self = Self { skipped: true, ..Self::default() };
            return self.read_lines(limits, input);
        }
        if self.buffer.capacity() == 0 && !head.is_empty() {
            self.buffer.reserve(head.len().max(FIRST_BYTES));
        }
        self.buffer.extend_from_slice(head);
        self.line_end_max = match self.lines {
            _ if self.after_cr => 0,
            // More than the method and the version around a target are for the other way to judge.
            0 => limits.target_bytes_max.min(limits.head_bytes_max),
            _ => limits.head_bytes_max,
        };
        Ok(blank)
    }

    /// Takes what there is of a line off the front of `bytes`, which end at `end` in the head, with what there is of its
    /// end; whether that completes a blank line.
    fn scan(&mut self, bytes: &mut &[u8], end: usize, limits: &Limits) -> Result<bool, Error> {
        if !self.after_cr {
            let size = words::first_of(*b"\r\n", bytes).unwrap_or(bytes.len());
            *bytes = bytes.get(size..).unwrap_or_default();
            // The longest method and version around the target.
            if self.lines == 0 && end.saturating_sub(bytes.len()) > limits.target_bytes_max.saturating_add(32) {
                return Err(Error::TargetTooLong);
            }
        }
        let (ended, rest) = match (self.after_cr, *bytes) {
            (_, []) => return Ok(false),
            (false, [b'\r', b'\n', rest @ ..]) | (true, [b'\n', rest @ ..]) => (true, rest),
            (false, [b'\r']) => (false, &[][..]),
            _ => return Err(Error::BareLineEnd),
        };
        *bytes = rest;
        self.after_cr = !ended;
        if ended {
            let at = end.saturating_sub(rest.len());
            if at.saturating_sub(self.line_start) == 2 {
                return Ok(true);
            }
            self.end_line(at);
        }
        if self.lines > limits.headers_max.saturating_add(1) { Err(Error::TooManyHeaders) } else { Ok(false) }
    }
}

impl fmt::Debug for Head {
    /// Shows how much there is, not what: its values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("bytes", &self.buffer.len()).field("lines", &self.lines).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a stream that comes in pieces of so many bytes, and how much of it is taken.
    fn read(limits: &Limits, stream: &[u8], piece: usize) -> Result<(bool, usize), Error> {
        let (mut head, mut taken) = (Head::default(), 0);
        for mut part in stream.chunks(piece) {
            let size = part.len();
            let blank = head.read(limits, &mut part)?;
            taken += size - part.len();
            if blank {
                assert_eq!(head.buffer.len(), taken);
                return Ok((true, taken));
            }
        }
        Ok((false, taken))
    }

    /// Every limit, met by every kind of byte, at the byte that is one too many and not later.
    #[test]
    fn a01_single_bytes_meet_the_same_limits() {
        let lines = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(20), b"\r\n"].concat();
        let long = [b"GET / HTTP/1.1\r\na:", &[b'b'; 99][..], b"\r\nc: d\r\n\r\n"].concat();
        let target = [b"GET /", &[b'a'; 120][..], b" HTTP/1.1\r\nb: c\r\n\r\n"].concat();
        for stream in [lines, long, target] {
            for most in 1..=stream.len() {
                let all = [
                    Limits { head_bytes_max: most, ..Limits::default() },
                    Limits { headers_max: most, ..Limits::default() },
                    Limits { target_bytes_max: most, ..Limits::default() },
                ];
                for limits in all {
                    // One that stops shows at which byte the limit is met.
                    for end in [stream.len(), most, most + 1, most + 2, most + 3].map(|end| end.min(stream.len())) {
                        let whole = read(&limits, &stream[..end], usize::MAX);
                        assert_eq!(read(&limits, &stream[..end], 1), whole, "{limits:?}, {end} bytes");
                        assert!(end <= limits.head_bytes_max || whole.is_err());
                    }
                }
            }
        }
    }
}
