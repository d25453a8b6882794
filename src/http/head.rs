//! The head of a message, request or response, up to its blank line.

use alloc::vec::Vec;

use super::Error;
use super::reader::Limits;

/// A head of which the blank line is still to come.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) buffer: Vec<u8>,
    /// Lines ended so far, the first included.
    pub(super) lines: usize,
    /// Bytes of the line that has not ended.
    line_bytes: usize,
    after_cr: bool,
    /// Whether an empty line came before the first.
    skipped: bool,
}

impl Head {
    /// Moves bytes from `input` to the buffer; true when the blank line is in.
    pub(super) fn read(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<bool, Error> {
        let room = limits.head_bytes_max.saturating_sub(self.buffer.len());
        let mut taken = 0_usize;
        let mut blank = false;
        for &byte in input.iter().take(room) {
            taken = taken.saturating_add(1);
            if self.scan(byte, limits)? {
                blank = true;
                break;
            }
        }
        let (head, rest) = input.split_at(taken);
        if !blank && taken == room && !rest.is_empty() {
            return Err(Error::HeadTooLarge);
        }
        *input = rest;
        if blank && self.lines == 0 {
            // One empty line before the first is ignored (RFC 9112 section 2.2).
            if self.skipped {
                return Err(Error::MalformedHead);
            }
            *self = Self { skipped: true, ..Self::default() };
            return self.read(limits, input);
        }
        self.buffer.extend_from_slice(head);
        Ok(blank)
    }

    /// Whether this byte completes a blank line.
    fn scan(&mut self, byte: u8, limits: &Limits) -> Result<bool, Error> {
        match (core::mem::replace(&mut self.after_cr, byte == b'\r'), byte) {
            (true, b'\n') => {
                if self.line_bytes == 0 {
                    return Ok(true);
                }
                self.lines = self.lines.saturating_add(1);
                self.line_bytes = 0;
                if self.lines > limits.headers_max.saturating_add(1) {
                    return Err(Error::TooManyHeaders);
                }
            }
            (true, _) | (false, b'\n') => return Err(Error::BareLineEnd),
            (false, b'\r') => {}
            (false, _) => {
                self.line_bytes = self.line_bytes.saturating_add(1);
                // The longest method and version around the target.
                if self.lines == 0 && self.line_bytes > limits.target_bytes_max.saturating_add(32) {
                    return Err(Error::TargetTooLong);
                }
            }
        }
        Ok(false)
    }
}
