//! How what is sent is written for a session.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use crate::engineio::{PacketType, Revision, write_base64};
use crate::socketio::Packet;
use crate::ws::{Message, Opcode, Prepared};

/// How packets and messages are written for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Packets in the messages of Engine.IO.
    Engine(Revision),
    Lines,
    /// Messages as they are: on a WebSocket, or as those of Engine.IO.
    Plain(Option<Revision>),
}

impl Format {
    /// Whether what is sent is no packet of Socket.IO.
    pub(super) const fn is_plain(self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Whether clients with it know of connection state recovery: those of protocol 5 who speak Engine.IO.
    pub(super) const fn is_recoverable(self) -> bool {
        matches!(self, Self::Engine(Revision::V4))
    }

    /// A Socket.IO packet. On Engine.IO it is a message, the same in both revisions; who has messages alone gets an event as the
    /// array of its name and arguments.
    pub(super) fn packet(self, packet: &Packet<'_>) -> Prepared {
        let size = packet.data.len().saturating_add(packet.namespace.len()).saturating_add(32);
        Prepared::with(Opcode::Text, size, |out| match self {
            Self::Engine(_) => {
                out.push(PacketType::Message.digit());
                packet.write(out);
            }
            Self::Lines => packet.write(out),
            Self::Plain(revision) => {
                out.extend(revision.map(|_| PacketType::Message.digit()));
                out.extend_from_slice(packet.data.as_bytes());
            }
        })
    }

    /// The same with its attachments behind it.
    pub(super) fn packet_attached(self, mut packet: Packet<'_>, attachments: &[Bytes]) -> Vec<Prepared> {
        packet.attachments = u32::try_from(attachments.len()).unwrap_or(u32::MAX);
        let attached = attachments.iter().map(|bytes| self.binary(bytes));
        core::iter::once(self.packet(&packet)).chain(attached).collect()
    }

    /// A message of the application's own, for who can take it as it is.
    pub(super) fn message(self, message: &Message<'_>) -> Option<Prepared> {
        match (self, message) {
            (Self::Engine(_), _) => None,
            (Self::Lines | Self::Plain(None), Message::Text(text)) => Some(Prepared::text(text)),
            (Self::Plain(Some(_)), Message::Text(text)) => {
                Some(Prepared::with(Opcode::Text, text.len().saturating_add(1), |out| {
                    out.push(PacketType::Message.digit());
                    out.extend_from_slice(text.as_bytes());
                }))
            }
            (_, Message::Binary(bytes)) => Some(self.binary(bytes)),
        }
    }

    /// Binary data. A line of it begins with `b` and is base64; in revision 3 a message begins with its type there too.
    fn binary(self, bytes: &[u8]) -> Prepared {
        match self {
            Self::Lines => {
                let mut line = String::from("b");
                BASE64_STANDARD.encode_string(bytes, &mut line);
                Prepared::text(&line)
            }
            Self::Engine(Revision::V4) | Self::Plain(None | Some(Revision::V4)) => Prepared::binary(bytes),
            Self::Engine(Revision::V3) | Self::Plain(Some(Revision::V3)) => {
                Prepared::with(Opcode::Binary, bytes.len().saturating_add(1), |out| {
                    out.push(4);
                    out.extend_from_slice(bytes);
                })
            }
        }
    }
}

/// A message on a WebSocket as text, for who is to get nothing binary.
pub(super) fn as_text(revision: Revision, message: &Prepared) -> Prepared {
    let bytes = message.payload();
    let data = match (message.opcode(), revision) {
        (Opcode::Binary, Revision::V4) => bytes,
        // Behind its type byte.
        (Opcode::Binary, Revision::V3) => bytes.get(1..).unwrap_or_default(),
        _ => return message.clone(),
    };
    Prepared::with(Opcode::Text, data.len().saturating_mul(2), |out| write_base64(revision, data, out))
}
