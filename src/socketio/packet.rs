//! Packets: type, namespace, id and payload, as text.

use alloc::vec::Vec;

use super::Error;
use crate::http::write_decimal;

/// The type of a packet; on the wire its number as a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// 0: connects a namespace.
    Connect,
    /// 1: leaves a namespace.
    Disconnect,
    /// 2: an event.
    Event,
    /// 3: the answer to an event.
    Ack,
    /// 4: a namespace is refused (protocol 4 calls it ERROR).
    ConnectError,
    /// 5: an event with binary attachments.
    BinaryEvent,
    /// 6: an answer with binary attachments.
    BinaryAck,
}

impl PacketType {
    const fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Connect,
            b'1' => Self::Disconnect,
            b'2' => Self::Event,
            b'3' => Self::Ack,
            b'4' => Self::ConnectError,
            b'5' => Self::BinaryEvent,
            b'6' => Self::BinaryAck,
            _ => return None,
        })
    }

    const fn digit(self) -> u8 {
        match self {
            Self::Connect => b'0',
            Self::Disconnect => b'1',
            Self::Event => b'2',
            Self::Ack => b'3',
            Self::ConnectError => b'4',
            Self::BinaryEvent => b'5',
            Self::BinaryAck => b'6',
        }
    }

    const fn has_attachments(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }
}

/// A packet: `<type>[<attachments>-][<namespace>,][<ack id>][<json>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its type.
    pub kind: PacketType,
    /// How many binary attachments follow; not 0 only for the types that have them.
    pub attachments: u32,
    /// The namespace, which begins with a slash; `/` where none is named. When a client of protocol 4 connects, it may
    /// have a query behind a `?`.
    pub namespace: &'a str,
    /// The acknowledgement id.
    pub id: Option<u64>,
    /// The payload, as JSON text that is not checked yet.
    pub data: &'a str,
}

impl<'a> Packet<'a> {
    /// A packet with nothing but a type and a namespace.
    #[must_use]
    pub const fn new(kind: PacketType, namespace: &'a str) -> Self {
        Self { kind, attachments: 0, namespace, id: None, data: "" }
    }

    /// Reads the text of a packet. The payload is taken as it is.
    ///
    /// # Errors
    /// If type, number of attachments or id are malformed.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let digit = text.as_bytes().first().ok_or(Error::PacketType)?;
        let kind = PacketType::from_digit(*digit).ok_or(Error::PacketType)?;
        let mut rest = text.get(1..).unwrap_or_default();
        let mut packet = Self::new(kind, "/");
        if kind.has_attachments() {
            let (number, after) = digits(rest);
            packet.attachments = number.parse().map_err(|_| Error::Attachments)?;
            rest = after.strip_prefix('-').ok_or(Error::Attachments)?;
        }
        if rest.starts_with('/') {
            // Without a comma it ends with the packet.
            (packet.namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let (number, data) = digits(rest);
        if !number.is_empty() {
            packet.id = Some(number.parse().map_err(|_| Error::AckId)?);
        }
        packet.data = data;
        Ok(packet)
    }

    /// Appends the text of the packet.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.kind.digit());
        if self.kind.has_attachments() {
            write_decimal(self.attachments.into(), out);
            out.push(b'-');
        }
        // A payload must not be taken for a namespace where none is written.
        let ambiguous = self.id.is_none() && self.data.starts_with('/');
        if self.namespace != "/" || ambiguous {
            out.extend_from_slice(self.namespace.as_bytes());
            out.push(b',');
        }
        if let Some(id) = self.id {
            write_decimal(id, out);
        }
        out.extend_from_slice(self.data.as_bytes());
    }
}

/// The digits at the front of a text, and the rest.
fn digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parse_inverts_write(
            digit in b'0'..=b'6',
            attachments: u32,
            namespace in "/[a-z0-9/-]{0,12}([?][a-z]=[^,]{0,5})?",
            id: Option<u64>,
            data in r#"(\[[^0-9].{0,20}\]|\{.{0,9}\})?"#,
        ) {
            let kind = PacketType::from_digit(digit).unwrap();
            let attachments = if kind.has_attachments() { attachments } else { 0 };
            let packet = Packet { kind, attachments, namespace: &namespace, id, data: &data };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            prop_assert_eq!(Packet::parse(core::str::from_utf8(&bytes).unwrap()), Ok(packet));
        }

        #[test]
        fn any_text_is_a_packet_or_an_error(text: String) {
            let _ = Packet::parse(&text);
        }
    }

    #[test]
    fn s08_attachments_are_digits() {
        for text in ["51e1-[]", "5 1-[]", "5+1-[]", "50x1-[]", "5-[]", "5", "5[\"a\"]", "54294967296-[]"] {
            assert_eq!(Packet::parse(text), Err(Error::Attachments), "{text}");
        }
    }

    #[test]
    fn s14_ids_have_64_bits() {
        assert_eq!(Packet::parse("318446744073709551615[]").map(|p| p.id), Ok(Some(u64::MAX)));
        assert_eq!(Packet::parse("318446744073709551616[]"), Err(Error::AckId));
    }
}
