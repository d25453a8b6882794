//! Binary attachments: their places in the JSON, and their reassembly behind it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::{Args, Arguments, ArgumentsError, Error, EventData, Packet, PacketType, check_placeholders};

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
        deserializer.deserialize_map(Members)
    }
}

/// The members of a placeholder; others may stand beside them.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Placeholder;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a binary attachment")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Placeholder, A::Error> {
        let (mut marked, mut num) = (false, None);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "_placeholder" => marked = map.next_value()?,
                "num" => num = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match num {
            Some(num) if marked => Ok(Placeholder(num)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socketio::Args;
    use alloc::vec;

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
