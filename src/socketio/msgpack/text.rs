//! MessagePack as the JSON text that stands for it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use bytes::Bytes;

use super::reader::{Reader, Token};
use super::{Error, date};
use crate::http;
use crate::socketio::json::DEPTH_MAX;
use crate::socketio::write_name;

/// A value as JSON text, and its binary parts.
pub(super) struct Text<'a> {
    reader: Reader<'a>,
    /// Valid JSON as far as it goes.
    json: Vec<u8>,
    attachments: Vec<Bytes>,
    /// Bytes of all attachments.
    bytes: usize,
    attachments_max: usize,
    bytes_max: usize,
    /// Whether a map looks like the place of an attachment.
    lookalike: bool,
}

impl<'a> Text<'a> {
    /// Reads the next value; the reader stands behind it then.
    pub(super) fn read(
        reader: Reader<'a>,
        attachments_max: usize,
        bytes_max: usize,
    ) -> Result<(Self, Reader<'a>), Error> {
        let (json, attachments) = (Vec::new(), Vec::new());
        let mut text = Self { reader, json, attachments, bytes: 0, attachments_max, bytes_max, lookalike: false };
        match text.reader.token()? {
            // No data at all: Python's client says so where it has none.
            Token::Nil | Token::Undefined => {}
            token => text.value(token, 1)?,
        }
        if text.lookalike && !text.attachments.is_empty() {
            return Err(Error::Placeholder);
        }
        let behind = text.reader;
        Ok((text, behind))
    }

    pub(super) fn finish(self) -> (String, Vec<Bytes>) {
        // All of it came from strings.
        (String::from_utf8(self.json).unwrap_or_default(), self.attachments)
    }

    /// Appends a value of which the front was read. It recurses as deep as values are nested, which is bounded.
    fn value(&mut self, token: Token<'a>, depth: usize) -> Result<(), Error> {
        if matches!(token, Token::Array(_) | Token::Map(_)) && depth > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        match token {
            Token::Array(count) => self.array(count, depth)?,
            Token::Map(count) => self.map(count, depth)?,
            Token::Str(text) => write_name(text, &mut self.json),
            Token::Bin(bytes) => self.attachment(bytes)?,
            Token::Date(millis) => date::write(millis, &mut self.json),
            token => self.scalar(token),
        }
        self.check_size(0)
    }

    fn array(&mut self, count: u32, depth: usize) -> Result<(), Error> {
        self.json.push(b'[');
        for nth in 0..count {
            if nth > 0 {
                self.json.push(b',');
            }
            let token = self.reader.token()?;
            self.value(token, depth.saturating_add(1))?;
        }
        self.json.push(b']');
        Ok(())
    }

    fn map(&mut self, count: u32, depth: usize) -> Result<(), Error> {
        self.json.push(b'{');
        let mut first = true;
        for _ in 0..count {
            let before = self.json.len();
            if !first {
                self.json.push(b',');
            }
            let key = self.reader.token()?;
            self.key(key)?;
            self.json.push(b':');
            let value = self.reader.token()?;
            if value == Token::Undefined {
                self.json.truncate(before);
                continue;
            }
            self.lookalike |= key == Token::Str("_placeholder") && value == Token::Bool(true);
            self.value(value, depth.saturating_add(1))?;
            first = false;
        }
        self.json.push(b'}');
        Ok(())
    }

    fn key(&mut self, key: Token<'_>) -> Result<(), Error> {
        match key {
            Token::Str(text) => write_name(text, &mut self.json),
            Token::Nil | Token::Bool(_) | Token::Unsigned(_) | Token::Signed(_) | Token::Float(_) => {
                self.json.push(b'"');
                self.scalar(key);
                self.json.push(b'"');
            }
            _ => return Err(Error::MessagePack),
        }
        self.check_size(0)
    }

    fn scalar(&mut self, token: Token<'_>) {
        let out = &mut http::Text(&mut self.json);
        // Writing to a vector does not fail.
        let _ = match token {
            Token::Bool(value) => write!(out, "{value}"),
            Token::Unsigned(number) => write!(out, "{number}"),
            Token::Signed(number) => write!(out, "{number}"),
            Token::Float(number) => match serde_json::Number::from_f64(number) {
                Some(number) => write!(out, "{number}"),
                None => write!(out, "null"),
            },
            _ => write!(out, "null"),
        };
    }

    fn attachment(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.attachments.len() >= self.attachments_max {
            return Err(Error::Attachments);
        }
        self.check_size(bytes.len())?;
        let _ = write!(http::Text(&mut self.json), r#"{{"_placeholder":true,"num":{}}}"#, self.attachments.len());
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.attachments.push(Bytes::copy_from_slice(bytes));
        Ok(())
    }

    /// Whether there is room for what was written and so many bytes.
    fn check_size(&self, more: usize) -> Result<(), Error> {
        let size = self.json.len().saturating_add(self.bytes).saturating_add(more);
        if size > self.bytes_max { Err(Error::AttachmentsTooLong) } else { Ok(()) }
    }
}
