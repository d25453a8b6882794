//! The head of a message, request or response, up to its blank line.

use alloc::vec::Vec;
use core::fmt;

use super::Error;
use super::reader::Limits;
use crate::words;

/// Room for a head is at first made for its first line, and at least for so much.
const FIRST_BYTES: usize = 512;

/// The longest method and version that stand around a target, and the line end.
const AROUND_TARGET: usize = 34;

/// A head of which the blank line is still to come.
#[derive(Default)]
pub(super) struct Head {
    /// What has arrived, and room that the limits allow.
    buffer: Vec<u8>,
    /// How much has arrived.
    filled: usize,
    /// Lines ended so far, the first included.
    lines: usize,
    /// Where in the buffer the line begins that has not ended.
    line_start: usize,
    /// Whether an empty line came before the first.
    skipped: bool,
}

impl Head {
    /// Whether a byte of it has arrived.
    pub(super) const fn has_begun(&self) -> bool {
        self.filled > 0
    }

    /// Whether nothing at all came yet.
    pub(super) const fn is_new(&self) -> bool {
        self.filled == 0 && !self.skipped
    }

    /// The whole head, and how many lines it has without the blank one.
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        let Self { mut buffer, filled, lines, .. } = core::mem::take(self);
        buffer.truncate(filled);
        (buffer, lines)
    }

    /// Moves bytes from `input` to the buffer; true when the blank line is in. Each byte is looked at once, for the ends of
    /// lines: what a line must not hold is found when the head is parsed.
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

    /// The way of a peer that sends byte by byte, which must not cost much more than all at once: whether there is room for
    /// the byte in a head that has begun, and it was taken. What this does not take, and the end of the head, is left to
    /// [`read`](Self::read).
    #[inline]
    pub(super) fn push(&mut self, limits: &Limits, byte: u8) -> bool {
        let Some(place) = self.buffer.get_mut(self.filled) else { return false };
        *place = byte;
        let end = self.filled.saturating_add(1);
        if byte == b'\n' {
            // Behind more than the other half of the line end.
            let is_line = matches!(self.buffer.get(self.line_start..self.filled), Some([_, .., b'\r']));
            if !is_line || self.lines > limits.headers_max {
                return false;
            }
            self.lines = self.lines.saturating_add(1);
            self.line_start = end;
        }
        self.filled = end;
        true
    }

    /// The same for all but a byte that [`push`](Self::push) has taken.
    pub(super) fn read_lines(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<bool, Error> {
        while !input.is_empty() {
            let end = words::first_of([b'\n'], input).map(|at| at.saturating_add(1));
            let (part, rest) = input.split_at_checked(end.unwrap_or(input.len())).unwrap_or((input, &[]));
            self.extend(limits, part)?;
            *input = rest;
            if end.is_some() && self.end_line(limits)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn extend(&mut self, limits: &Limits, part: &[u8]) -> Result<(), Error> {
        let end = self.filled.saturating_add(part.len());
        if end > self.buffer.len() {
            self.make_room(limits, end)?;
        }
        if let Some(place) = self.buffer.get_mut(self.filled..end) {
            place.copy_from_slice(part);
            self.filled = end;
        }
        Ok(())
    }

    fn make_room(&mut self, limits: &Limits, least: usize) -> Result<(), Error> {
        let first_line_max = limits.target_bytes_max.saturating_add(AROUND_TARGET);
        let (most, error) = if self.lines == 0 && first_line_max < limits.head_bytes_max {
            (first_line_max, Error::TargetTooLong)
        } else {
            (limits.head_bytes_max, Error::HeadTooLarge)
        };
        if least > most {
            return Err(error);
        }
        let room = self.buffer.len().saturating_mul(2).max(FIRST_BYTES).max(least).min(most);
        self.buffer.reserve_exact(room.saturating_sub(self.buffer.len()));
        self.buffer.resize(room, 0);
        Ok(())
    }

    /// What is there ends a line; whether that is the blank one.
    fn end_line(&mut self, limits: &Limits) -> Result<bool, Error> {
        match self.buffer.get(self.line_start..self.filled).unwrap_or_default() {
            // One empty line before the first is ignored (RFC 9112 section 2.2).
            b"\r\n" if self.lines == 0 => {
                if self.skipped {
                    return Err(Error::MalformedHead);
                }
                *self = Self { skipped: true, ..Self::default() };
                return Ok(false);
            }
            b"\r\n" => return Ok(true),
            [.., b'\r', b'\n'] => {}
            _ => return Err(Error::BareLineEnd),
        }
        if self.lines > limits.headers_max {
            return Err(Error::TooManyHeaders);
        }
        self.lines = self.lines.saturating_add(1);
        self.line_start = self.filled;
        Ok(false)
    }
}

/// What is wrong with a head that the parser does not take as one; `told` is what that says.
#[cold]
pub(super) fn fault(head: &[u8], told: Option<httparse::Error>) -> Error {
    // Each LF is known to end a line, and the last byte is one. To the end in any case, which vectors are faster at.
    let pairs = head.iter().zip(head.get(1..).unwrap_or_default());
    let has_bare_return = pairs.fold(false, |found, (one, next)| found | ((*one == b'\r') & (*next != b'\n')));
    match told {
        _ if has_bare_return => Error::BareLineEnd,
        Some(httparse::Error::Version) => Error::Version,
        _ => Error::MalformedHead,
    }
}

impl fmt::Debug for Head {
    /// Shows how much there is, not what: its values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("bytes", &self.filled).field("lines", &self.lines).finish_non_exhaustive()
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
                assert_eq!(head.take().0.len(), taken);
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
