//! Messages and pieces of them: lent, owned, shared, and encoded once for many connections.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::DeflateConfig;
use super::frame::{HEADER_BYTES_MAX, Header, Opcode};
use crate::utf8::{self, InvalidUtf8};

/// A message: text or binary, lent or owned.
///
/// What is text in Rust becomes text, what is bytes becomes bytes:
///
/// ```
/// use std::borrow::Cow;
/// use roomwire::{Instant, ws};
///
/// let mut conn = ws::Connection::server_after_upgrade(Default::default(), Instant::ORIGIN);
/// let (text, bytes) = (String::from("hi"), vec![104, 105]);
/// conn.send(Instant::ORIGIN, "hi")?;
/// conn.send(Instant::ORIGIN, b"hi")?;
/// conn.send(Instant::ORIGIN, &text)?; // is copied to the outbox, and stays the caller's
/// conn.send(Instant::ORIGIN, &bytes)?;
/// conn.send(Instant::ORIGIN, Cow::Borrowed(&*text))?;
/// conn.send(Instant::ORIGIN, Cow::Borrowed(&*bytes))?;
/// assert_eq!(conn.outgoing().collect::<Vec<_>>().concat(), b"\x81\x02hi\x82\x02hi".repeat(3));
/// # Ok::<(), ws::SendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text; on the wire it is UTF-8.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(Cow<'a, [u8]>),
}

impl Message<'_> {
    /// The payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The opcode of its first frame.
    #[must_use]
    pub const fn opcode(&self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::Text,
            Self::Binary(_) => Opcode::Binary,
        }
    }

    /// The message on its own, copied if it was lent.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(text) => Message::Text(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Message::Binary(Cow::Owned(bytes.into_owned())),
        }
    }

    /// The payload if it was owned anyway.
    pub(super) fn take_owned(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(Cow::Owned(text)) => Some(text.into_bytes()),
            Self::Binary(Cow::Owned(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

/// A piece of a message that is told or sent bit by bit.
///
/// The pieces of a message, in their order, have its payload; the first is marked, and exactly one, which may be empty, is the
/// last. Where a message is cut says nothing (RFC 6455 section 5.4): of one that is received it depends on how its
/// bytes arrived. Texts are cut between characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// What the piece consists of. It is of the same kind in all pieces of a message.
    pub data: Message<'a>,
    /// Whether the message begins here.
    pub first: bool,
    /// Whether the message ends here.
    pub last: bool,
}

impl<'a> Piece<'a> {
    /// The first piece of a message that has more.
    pub fn begin(data: impl Into<Message<'a>>) -> Self {
        Self { data: data.into(), first: true, last: false }
    }

    /// A piece in the middle of a message.
    pub fn middle(data: impl Into<Message<'a>>) -> Self {
        Self { data: data.into(), first: false, last: false }
    }

    /// The last piece of a message that had others; it may be empty, but is of their kind.
    pub fn end(data: impl Into<Message<'a>>) -> Self {
        Self { data: data.into(), first: false, last: true }
    }

    /// The piece on its own, copied if it was lent.
    #[must_use]
    pub fn into_owned(self) -> Piece<'static> {
        Piece { data: self.data.into_owned(), first: self.first, last: self.last }
    }
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Message<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl<'a> From<Cow<'a, str>> for Message<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Message<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(Cow::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl<'a> From<&'a Vec<u8>> for Message<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl<'a> From<Cow<'a, [u8]>> for Message<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(Cow::Owned(bytes))
    }
}

/// A message whose payload is counted by reference: where it needs no mask and no compression it is sent without a copy.
///
/// ```
/// use roomwire::ws::Shared;
/// let binary = Shared::from(bytes::Bytes::from_static(b"\xFF"));
/// let text = Shared::text(bytes::Bytes::from_static("é".as_bytes()))?;
/// assert!(Shared::text(binary.payload().clone()).is_err());
/// assert_eq!(text.payload(), "é");
/// # Ok::<(), roomwire::ws::InvalidUtf8>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    opcode: Opcode,
    payload: Bytes,
}

impl Shared {
    /// A text message.
    ///
    /// # Errors
    /// If the bytes are not UTF-8.
    pub fn text(payload: impl Into<Bytes>) -> Result<Self, InvalidUtf8> {
        let payload = payload.into();
        utf8::check(&payload)?;
        Ok(Self { opcode: Opcode::Text, payload })
    }

    /// The payload.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The opcode of its first frame.
    #[must_use]
    pub const fn opcode(&self) -> Opcode {
        self.opcode
    }

    pub(super) fn into_parts(self) -> (Opcode, Bytes) {
        (self.opcode, self.payload)
    }
}

impl From<Bytes> for Shared {
    /// A binary message.
    fn from(payload: Bytes) -> Self {
        Self { opcode: Opcode::Binary, payload }
    }
}

impl From<Vec<u8>> for Shared {
    /// A binary message.
    fn from(payload: Vec<u8>) -> Self {
        Bytes::from(payload).into()
    }
}

impl From<String> for Shared {
    /// A text message.
    fn from(payload: String) -> Self {
        Self { opcode: Opcode::Text, payload: payload.into() }
    }
}

/// A message encoded once, to be queued on any number of connections by reference.
///
/// ```
/// use roomwire::ws::Prepared;
/// let prepared = Prepared::text("to all");
/// assert_eq!(prepared.frame().as_ref(), b"\x81\x06to all");
/// ```
#[derive(Clone, Debug)]
pub struct Prepared {
    opcode: Opcode,
    /// The frame as a server sends it.
    frame: Bytes,
    payload: Bytes,
    /// The same compressed on its own, and the window that this needs, as an exponent of 2.
    deflated: Option<(Bytes, u8)>,
}

impl Prepared {
    /// Prepares a text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::with(Opcode::Text, text.len(), |out| out.extend_from_slice(text.as_bytes()))
    }

    /// Prepares a binary message.
    #[must_use]
    pub fn binary(bytes: &[u8]) -> Self {
        Self::with(Opcode::Binary, bytes.len(), |out| out.extend_from_slice(bytes))
    }

    /// Prepares a message that `write` appends; its header is put before it without moving it.
    /// For a text message `write` must append UTF-8.
    pub(crate) fn with(opcode: Opcode, capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let (bytes, start) = frame(opcode, 0, capacity, write);
        Self { opcode, frame: bytes.slice(start..), payload: bytes.slice(HEADER_BYTES_MAX..), deflated: None }
    }

    /// Adds the compressed form, once for all connections on which the server compresses each message on its own
    /// ([`DeflateConfig::server_no_context_takeover`](super::DeflateConfig::server_no_context_takeover)) with the largest
    /// window, or with one that holds all of this message. Where it is not smaller it is left out. Clients compress it too,
    /// each for itself.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflated(self, level: u8) -> Self {
        self.deflated_within(level, 15)
    }

    #[cfg(feature = "deflate")]
    fn deflated_within(mut self, level: u8, window_bits: u8) -> Self {
        let mut done = false;
        let (bytes, start) = frame(self.opcode, super::frame::RSV1, self.payload.len() / 2, |out| {
            done = super::deflate::Deflater::new(level, window_bits).compress(&self.payload, out);
        });
        // Nothing refers back to before the message.
        let needed = (8..window_bits).find(|bits| self.payload.len() <= 1 << bits).unwrap_or(window_bits);
        let smaller = done && bytes.len().saturating_sub(start) < self.frame.len();
        self.deflated = smaller.then(|| (bytes.slice(start..), needed));
        self
    }

    /// The same as a configuration asks for it, for connections with such a window.
    pub(crate) fn deflated_by(self, config: &DeflateConfig, window_bits: u8) -> Self {
        #[cfg(feature = "deflate")]
        return match self.payload.len() < config.threshold_bytes {
            true => self,
            false => self.deflated_within(config.level, window_bits),
        };
        #[cfg(not(feature = "deflate"))]
        match (*config, window_bits) {}
    }

    /// Whether it has a compressed form.
    pub(super) const fn is_deflated(&self) -> bool {
        self.deflated.is_some()
    }

    /// The compressed form, if it needs no larger window.
    pub(super) fn deflated_frame(&self, window_bits: u8) -> Option<&Bytes> {
        self.deflated.as_ref().filter(|(_, needed)| *needed <= window_bits).map(|(frame, _)| frame)
    }

    /// The frame as a server sends it.
    #[must_use]
    pub const fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The payload alone.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Whether it is text or binary.
    pub(crate) const fn opcode(&self) -> Opcode {
        self.opcode
    }
}

/// A frame whose payload `write` appends, and where in the bytes it begins: its header is put before the
/// payload without moving it.
fn frame(opcode: Opcode, reserved: u8, capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> (Bytes, usize) {
    let mut bytes = Vec::with_capacity(capacity.saturating_add(HEADER_BYTES_MAX));
    bytes.resize(HEADER_BYTES_MAX, 0);
    write(&mut bytes);
    let payload_len = bytes.len().saturating_sub(HEADER_BYTES_MAX) as u64;
    let (mut header, len) = Header { fin: true, opcode, mask: None, payload_len }.encode();
    if let Some(first) = header.first_mut() {
        *first |= reserved;
    }
    let start = HEADER_BYTES_MAX.saturating_sub(len);
    for (to, from) in bytes.iter_mut().skip(start).zip(header.iter().take(len)) {
        *to = *from;
    }
    (Bytes::from(bytes), start)
}
