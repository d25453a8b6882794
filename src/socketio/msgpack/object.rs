//! Packets without arguments in protocol 4, whose parser writes them as JSON objects: CONNECT, DISCONNECT and ERROR.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Error, PacketType, Unpacked, kind_of_number, namespace_of, number_of};
use crate::http::Text;
use crate::socketio::{Packet, write_name};

/// Appends a packet as a JSON object. Its data, if there are any, must be a string: clients take no other.
pub fn write_packet_as_text(packet: &Packet<'_>, out: &mut Vec<u8>) {
    use core::fmt::Write as _;
    // Writing to a vector does not fail.
    let _ = write!(Text(out), r#"{{"type":{},"nsp":"#, number_of(packet.kind));
    write_name(packet.namespace, out);
    if !packet.data.is_empty() {
        let _ = write!(Text(out), r#","data":{}"#, packet.data);
    }
    out.push(b'}');
}

pub(super) fn read(message: &str) -> Result<Unpacked<'_>, Error> {
    let mut parser = serde_json::Deserializer::from_str(message);
    let object = Object::deserialize(&mut parser).map_err(|_| Error::Payload)?;
    parser.end().map_err(|_| Error::Payload)?;
    let kind = kind_of_number(object.kind.ok_or(Error::PacketType)?)?;
    let namespace = namespace_of(object.namespace.ok_or(Error::Namespace)?)?;
    match kind {
        PacketType::Event | PacketType::Ack | PacketType::BinaryEvent | PacketType::BinaryAck => Err(Error::Text),
        _ => {
            // Nothing else says anything with them.
            let data = object.data.filter(|_| kind == PacketType::ConnectError).unwrap_or_default().into();
            Ok(Unpacked { kind, namespace, id: None, data, attachments: Vec::new() })
        }
    }
}

/// What matters of such an object.
#[derive(Default)]
struct Object<'a> {
    kind: Option<u64>,
    namespace: Option<Cow<'a, str>>,
    /// As JSON.
    data: Option<&'a str>,
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a packet")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut object = Object::default();
                while let Some(Name(key)) = map.next_key()? {
                    let repeated = match &*key {
                        "type" => object.kind.replace(map.next_value()?).is_some(),
                        "nsp" => object.namespace.replace(map.next_value::<Name<'_>>()?.0).is_some(),
                        "data" => {
                            object.data = Some(map.next_value::<&RawValue>()?.get());
                            false
                        }
                        _ => map.next_value::<IgnoredAny>().map(|_| false)?,
                    };
                    if repeated {
                        return Err(A::Error::custom("a member twice"));
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A string that is borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(String::from(text).into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
