//! Binary attachments: their places in the JSON, and their reassembly behind it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::{Args, Arguments, ArgumentsError, Error, EventData, Packet, PacketType};

/// The place of a binary attachment in JSON arguments, at any depth: `{"_placeholder":true,"num":0}` is where the first one
/// belongs.
///
/// ```
/// use roomwire::socketio::{Args, Arguments, Placeholder, attach};
/// # use roomwire::socketio::ArgumentsError;
/// # fn example(received: Args<'_>) -> Result<(), ArgumentsError> {
/// // sending
/// let photo = attach(("photo.png", Placeholder(0)), [&b"\x89PNG"[..]]);
/// // receiving
/// let (name, place): (String, Placeholder) = received.parse()?;
/// let bytes = received.attachment(place);
/// # let _ = (photo, name, bytes); Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placeholder(
    /// The number of the attachment, from 0.
    pub u32,
);

impl Serialize for Placeholder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("_placeholder", &true)?;
        map.serialize_entry("num", &self.0)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Placeholder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match (Value { count: u64::MAX }).deserialize(deserializer)? {
            Kind::Placeholder(num) => {
                u32::try_from(num).map(Self).map_err(|_| de::Error::custom("placeholder out of range"))
            }
            _ => Err(de::Error::custom("expected a binary attachment")),
        }
    }
}

/// Arguments with the attachments that their [`Placeholder`]s name.
#[derive(Clone, Debug)]
pub struct Attached<T> {
    arguments: T,
    attachments: Vec<Bytes>,
}

/// Joins arguments and the attachments that their [`Placeholder`]s name, by number.
pub fn attach<T: Arguments, B: Into<Attachment>>(
    arguments: T,
    attachments: impl IntoIterator<Item = B>,
) -> Attached<T> {
    Attached { arguments, attachments: attachments.into_iter().map(|bytes| bytes.into().0).collect() }
}

/// Bytes of an attachment: copied from a slice, or shared.
#[derive(Clone, Debug)]
pub struct Attachment(Bytes);

impl From<&[u8]> for Attachment {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl From<Vec<u8>> for Attachment {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for Attachment {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl<T: Arguments> Arguments for Attached<T> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), ArgumentsError> {
        self.arguments.write(out)
    }

    fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}

/// A packet whose attachments are still to come.
#[derive(Debug)]
pub(crate) struct Assembly {
    text: String,
    missing: usize,
    attachments: Vec<Bytes>,
    bytes: usize,
}

impl Assembly {
    /// A packet that announces at least one attachment.
    ///
    /// # Errors
    /// What is wrong with it already, before they have come; or that there are more than `attachments_max`.
    pub(crate) fn new(packet: &Packet<'_>, attachments_max: usize) -> Result<Self, Error> {
        let announced = usize::try_from(packet.attachments).unwrap_or(usize::MAX);
        if announced > attachments_max {
            return Err(Error::Attachments);
        }
        match packet.kind {
            PacketType::BinaryAck => drop(Args::from_array(packet.data)?),
            _ => drop(EventData::parse(packet.data)?),
        }
        check_placeholders(packet.data, announced)?;
        let mut text = Vec::with_capacity(packet.data.len().saturating_add(packet.namespace.len()).saturating_add(32));
        packet.write(&mut text);
        let text = String::from_utf8(text).unwrap_or_default();
        Ok(Self { bytes: text.len(), text, missing: announced, attachments: Vec::new() })
    }

    /// Takes the next attachment; the packet's text and all attachments when it was the last.
    ///
    /// # Errors
    /// If the packet has more than `bytes_max` by now.
    pub(crate) fn push(&mut self, bytes: Bytes, bytes_max: usize) -> Result<Option<(String, Vec<Bytes>)>, Error> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > bytes_max {
            return Err(Error::AttachmentsTooLong);
        }
        self.attachments.push(bytes);
        self.missing = self.missing.saturating_sub(1);
        let done = self.missing == 0;
        Ok(done.then(|| (core::mem::take(&mut self.text), core::mem::take(&mut self.attachments))))
    }
}

/// Whether every placeholder in a text that is valid JSON names one of `count` attachments.
pub(crate) fn check_placeholders(text: &str, count: usize) -> Result<(), Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = Value { count: u64::try_from(count).unwrap_or(u64::MAX) };
    value.deserialize(&mut parser).map(drop).map_err(|_| Error::Placeholder)
}

/// Walks through a value. It recurses as deep as the value is nested, which the parser bounds.
#[derive(Clone, Copy)]
struct Value {
    /// How many attachments there are.
    count: u64,
}

/// What a value is, as far as it matters here.
#[derive(Clone, Copy)]
enum Kind {
    True,
    Number(u64),
    Placeholder(u64),
    Other,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON whose placeholders name attachments")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(if value { Kind::True } else { Kind::Other })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Kind, A::Error> {
        while sequence.next_element_seed(self)?.is_some() {}
        Ok(Kind::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let (mut marked, mut num) = (false, None);
        while let Some(key) = map.next_key::<Key>()? {
            let value = map.next_value_seed(self)?;
            // Of a key that stands there twice the last one counts, as in JavaScript.
            match (key, value) {
                (Key::Mark, value) => marked = matches!(value, Kind::True),
                (Key::Num, Kind::Number(number)) => num = Some(number),
                (Key::Num, _) => num = None,
                (Key::Other, _) => {}
            }
        }
        match num {
            _ if !marked => Ok(Kind::Other),
            Some(num) if num < self.count => Ok(Kind::Placeholder(num)),
            _ => Err(de::Error::custom("placeholder names no attachment")),
        }
    }
}

/// The keys that make a placeholder.
#[derive(Clone, Copy)]
enum Key {
    Mark,
    Num,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "_placeholder" => Key::Mark,
                    "num" => Key::Num,
                    _ => Key::Other,
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socketio::Args;
    use alloc::vec;

    #[test]
    fn s01_placeholders_name_what_is_there() {
        let check = |text: &str| check_placeholders(text, 2);
        for text in [
            "[]",
            r#"["e",{"_placeholder":true,"num":0},[{"a":{"num":1,"_placeholder":true}}]]"#,
            r#"["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]"#,
            r#"["e",{"_placeholder":false,"num":7},{"num":7},{"_placeholder":1,"num":7}]"#,
            r#"["e",{"_placeholder":true,"num":9,"num":1}]"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for num in ["2", "-1", "1.5", "\"splice\"", "null", "[0]", "{}", "18446744073709551616", "true"] {
            let text = alloc::format!(r#"["e",{{"x":[{{"_placeholder":true,"num":{num}}}]}}]"#);
            assert_eq!(check(&text), Err(Error::Placeholder), "{text}");
        }
        assert_eq!(check(r#"["e",{"_placeholder":true}]"#), Err(Error::Placeholder));
        assert_eq!(
            check(r#"["e",{"\u005fplaceholder":true,"num":2}]"#),
            Err(Error::Placeholder),
            "escapes do not hide it"
        );
        assert_eq!(check_placeholders(r#"[{"_placeholder":true,"num":0}]"#, 0), Err(Error::Placeholder));
    }

    #[test]
    fn a_packet_is_whole_with_its_last_attachment() {
        let text = "52-/a,7[1]";
        let packet = Packet::parse(text).unwrap();
        let mut assembly = Assembly::new(&packet, 2).unwrap();
        assert_eq!(assembly.push(Bytes::from_static(b"a"), 12), Ok(None));
        let attachments = vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        assert_eq!(assembly.push(Bytes::from_static(b"b"), 12), Ok(Some((text.into(), attachments))));
        let mut assembly = Assembly::new(&packet, 2).unwrap();
        assert_eq!(assembly.push(Bytes::from_static(b"abc"), 12), Err(Error::AttachmentsTooLong), "its text counts");
    }

    #[test]
    fn placeholders_as_values() {
        let mut out = Vec::new();
        let arguments = attach(("name", Placeholder(1)), [&b"x"[..], b"y"]);
        arguments.write(&mut out).unwrap();
        assert_eq!(out, br#""name",{"_placeholder":true,"num":1}"#);
        let text = String::from_utf8(out).unwrap();
        let args = Args::new(text).unwrap().with_attachments(arguments.attachments().to_vec());
        let (_, place): (String, Placeholder) = args.parse().unwrap();
        assert_eq!(args.attachment(place).map(|bytes| &bytes[..]), Some(&b"y"[..]));
        assert_eq!(args.attachment(Placeholder(2)), None);
        assert!(args.parse::<(Placeholder, Placeholder)>().is_err());
    }
}
