//! The form of packets that clients with `socket.io-msgpack-parser` send and expect: one binary message for each packet, a
//! MessagePack map with `type`, `nsp`, and where there are any `id` and `data`. Binary data stand inline, and make no other
//! type.
//!
//! Everything else here keeps arguments as JSON text with attachments, and so does what is read here: what an
//! application gets is what it would have got from the same client through JSON.
//!
//! ```
//! use roomwire::socketio::{PacketType, msgpack::Unpacked};
//!
//! let message = b"\x83\xa4type\x02\xa4data\x93\xa3pos\x01\xc4\x01\xff\xa3nsp\xa1/";
//! let packet = Unpacked::parse(message, 10, 1000)?;
//! assert_eq!((packet.kind, &*packet.namespace), (PacketType::Event, "/"));
//! assert_eq!(packet.data, r#"["pos",1,{"_placeholder":true,"num":0}]"#);
//! assert_eq!(&*packet.attachments[0], b"\xff");
//! # Ok::<(), roomwire::socketio::Error>(())
//! ```
//!
//! # What becomes of what
//! | MessagePack | JSON |
//! | --- | --- |
//! | nil, booleans, integers of 64 bits, strings, arrays | the same |
//! | floats | the shortest text that is the same number of 64 bits; `null` for what is no finite number |
//! | `undefined` (fixext 1, type 0) | nothing in a map, `null` elsewhere, as `JSON.stringify` has it |
//! | a `Date` (fixext 8, type 0) | its text in ISO 8601, likewise |
//! | bin, and an `ArrayBuffer` (ext, type 0) | an attachment, and its [`Placeholder`](super::Placeholder) |
//! | other extensions | refused |
//! | keys that are no strings | the text of numbers, booleans and nil; others are refused |
//! | a key twice in a map | twice; whoever reads it takes the last one |
//!
//! A map in the data that looks like a placeholder is a map, where there are no attachments; beside attachments it could
//! not be told from one, and is refused.
//!
//! The other way round an integer is written in the fewest bytes, a number with a fraction or an exponent as a float of 64
//! bits. A placeholder becomes its attachment; half of a surrogate pair, which JSON can hold, becomes U+FFFD.

mod date;
mod json;
mod object;
mod reader;
#[cfg(test)]
mod tests;
mod text;
mod writer;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Error, Packet, PacketType};
use reader::{Reader, Token};
use text::Text;

pub use object::write_packet_as_text;

/// A packet that was read from MessagePack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked<'a> {
    /// Its type. Those with attachments are given as those without: clients of protocol 4 send either.
    pub kind: PacketType,
    /// The namespace. When a client of protocol 4 connects, it may have a query behind a `?`.
    pub namespace: Cow<'a, str>,
    /// The acknowledgement id.
    pub id: Option<u64>,
    /// The payload as JSON; empty if there is none.
    pub data: String,
    /// The binary data that placeholders in the payload name.
    pub attachments: Vec<Bytes>,
}

impl<'a> Unpacked<'a> {
    /// Reads a binary message that is a packet: at most `attachments_max` binary values in it, and at most
    /// `bytes_max` bytes of JSON and binary values together.
    ///
    /// # Errors
    /// If it is no MessagePack, no packet, nested too deeply, or more than may be.
    pub fn parse(message: &'a [u8], attachments_max: usize, bytes_max: usize) -> Result<Self, Error> {
        let mut reader = Reader::new(message);
        let Token::Map(count) = reader.token()? else { return Err(Error::MessagePack) };
        let (mut kind, mut namespace, mut id) = (None, None, None);
        let mut data: Option<Text<'_>> = None;
        for _ in 0..count {
            let Token::Str(key) = reader.token()? else { return Err(Error::MessagePack) };
            let repeated = match key {
                "type" => kind.replace(kind_of(reader.token()?)?).is_some(),
                "nsp" => match reader.token()? {
                    Token::Str(text) => namespace.replace(namespace_of(text.into())?).is_some(),
                    _ => return Err(Error::Namespace),
                },
                "id" => id.replace(id_of(reader.token()?)?).is_some(),
                "data" => {
                    let (text, behind) = Text::read(reader, attachments_max, bytes_max)?;
                    reader = behind;
                    data.replace(text).is_some()
                }
                _ => {
                    reader.skip()?;
                    false
                }
            };
            if repeated {
                return Err(Error::MessagePack);
            }
        }
        if !reader.is_at_end() {
            return Err(Error::MessagePack);
        }
        let kind = kind.ok_or(Error::PacketType)?;
        let namespace = namespace.ok_or(Error::Namespace)?;
        let (data, attachments) = data.map_or_else(Default::default, Text::finish);
        if !attachments.is_empty() && !matches!(kind, PacketType::Event | PacketType::Ack) {
            return Err(Error::Attachments);
        }
        Ok(Self { kind, namespace, id: id.flatten(), data, attachments })
    }

    /// Reads a text message that is a packet: those of protocol 4 that are no events are JSON objects.
    /// Data are kept of a CONNECT_ERROR only.
    ///
    /// # Errors
    /// If it is no such packet.
    pub fn parse_text(message: &'a str) -> Result<Self, Error> {
        object::read(message)
    }

    /// The packet as it would be without its attachments.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        Packet { id: self.id, data: &self.data, ..Packet::new(self.kind, &self.namespace) }
    }
}

/// Appends a packet as a MessagePack map. `attachments` are what placeholders in its data name; without any, nothing in the
/// data is a placeholder.
///
/// # Errors
/// If the data are not JSON, or a placeholder names no attachment.
pub fn write_packet(packet: &Packet<'_>, attachments: &[Bytes], out: &mut Vec<u8>) -> Result<(), Error> {
    let optional = [!packet.data.is_empty(), packet.id.is_some()];
    writer::map(optional.into_iter().filter(|there| *there).count().saturating_add(2), out);
    writer::string("type", out);
    writer::unsigned(number_of(packet.kind).into(), out);
    if !packet.data.is_empty() {
        writer::string("data", out);
        json::write(packet.data, attachments, out)?;
    }
    if let Some(id) = packet.id {
        writer::string("id", out);
        writer::unsigned(id, out);
    }
    writer::string("nsp", out);
    writer::string(packet.namespace, out);
    Ok(())
}

const fn number_of(kind: PacketType) -> u8 {
    match kind {
        PacketType::Connect => 0,
        PacketType::Disconnect => 1,
        PacketType::Event | PacketType::BinaryEvent => 2,
        PacketType::Ack | PacketType::BinaryAck => 3,
        PacketType::ConnectError => 4,
    }
}

fn kind_of(token: Token<'_>) -> Result<PacketType, Error> {
    match token {
        Token::Unsigned(number) => kind_of_number(number),
        _ => Err(Error::PacketType),
    }
}

const fn kind_of_number(number: u64) -> Result<PacketType, Error> {
    Ok(match number {
        0 => PacketType::Connect,
        1 => PacketType::Disconnect,
        // Clients of protocol 4 look for binary data before they ask their parser.
        2 | 5 => PacketType::Event,
        3 | 6 => PacketType::Ack,
        4 => PacketType::ConnectError,
        _ => return Err(Error::PacketType),
    })
}

/// A namespace holds nothing that could not stand in it in the other form of packets.
fn namespace_of(text: Cow<'_, str>) -> Result<Cow<'_, str>, Error> {
    let comma = text.split('?').next().is_some_and(|name| name.contains(','));
    if comma || !text.starts_with('/') { Err(Error::Namespace) } else { Ok(text) }
}

const fn id_of(token: Token<'_>) -> Result<Option<u64>, Error> {
    match token {
        Token::Unsigned(id) => Ok(Some(id)),
        Token::Nil | Token::Undefined => Ok(None),
        _ => Err(Error::AckId),
    }
}
