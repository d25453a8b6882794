//! The form of Socket.IO packets on the wire.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::queue::Outgoing;
use crate::socketio::{Packet, PacketType, Protocol};

/// The form in which Socket.IO packets are sent and expected. The server has to be configured for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parser {
    /// Text with JSON, and attachments behind it: what servers do by themselves.
    #[default]
    Json,
    /// MessagePack, for servers with `socket.io-msgpack-parser` 2.2 (protocol 4) or 3.0 (protocol 5), or with python-socketio's
    /// `serializer="msgpack"`. Events are the same to the application: see [`socketio::msgpack`](crate::socketio::msgpack).
    #[cfg(feature = "msgpack")]
    MessagePack,
}

impl Parser {
    /// Gives `send` the messages of a packet, which has the type that it has without attachments.
    #[cfg_attr(not(feature = "msgpack"), expect(unused_variables))]
    pub(super) fn write(
        self,
        protocol: Protocol,
        packet: Packet<'_>,
        attachments: Vec<Bytes>,
        mut send: impl FnMut(Outgoing),
    ) {
        match self {
            Self::Json => {
                let kind = match packet.kind {
                    PacketType::Event if !attachments.is_empty() => PacketType::BinaryEvent,
                    PacketType::Ack if !attachments.is_empty() => PacketType::BinaryAck,
                    kind => kind,
                };
                let count = u32::try_from(attachments.len()).unwrap_or(u32::MAX);
                send(text(|out| Packet { kind, attachments: count, ..packet }.write(out)));
                attachments.into_iter().map(Outgoing::Binary).for_each(send);
            }
            #[cfg(feature = "msgpack")]
            Self::MessagePack => {
                use crate::socketio::msgpack::{write_packet, write_packet_as_text};

                let is_event = matches!(packet.kind, PacketType::Event | PacketType::Ack);
                if protocol == Protocol::V4 && !is_event {
                    return send(text(|out| write_packet_as_text(&packet, out)));
                }
                let mut out = Vec::with_capacity(packet.data.len().saturating_add(64));
                // Data that are not JSON, and placeholders without attachment, were refused before.
                if write_packet(&packet, &attachments, &mut out).is_ok() {
                    send(Outgoing::Binary(out.into()));
                }
            }
        }
    }

    /// How many bytes a text has in a packet, or more where it is little beside `bytes_max`.
    #[cfg_attr(not(feature = "msgpack"), expect(unused_variables))]
    pub(super) fn size(self, text: &str, bytes_max: usize) -> usize {
        match self {
            Self::Json => text.len(),
            // Three characters, as in 1e9, can make nine bytes; nothing makes more of less.
            #[cfg(feature = "msgpack")]
            Self::MessagePack if text.len() <= bytes_max / 16 => text.len().saturating_mul(3),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => {
                let mut size = 0;
                let packet = Packet { data: text, ..Packet::new(PacketType::Event, "/") };
                self.write(Protocol::V5, packet, Vec::new(), |packet| size = packet.len());
                size
            }
        }
    }
}

/// A packet of Socket.IO as a message of Engine.IO.
fn text(write: impl FnOnce(&mut Vec<u8>)) -> Outgoing {
    let mut text = alloc::vec![b'4'];
    write(&mut text);
    Outgoing::Text(String::from_utf8(text).unwrap_or_default())
}

#[cfg(feature = "msgpack")]
mod packed {
    use crate::client::error::Error;
    use crate::client::event::Event;
    use crate::client::front::Client;
    use crate::socketio::msgpack::Unpacked;
    use crate::socketio::{self, Protocol};
    use crate::ws::Message;

    impl Client {
        /// A message that is a packet; in protocol 4 some are text.
        pub(in crate::client) fn packed(&mut self, message: &Message<'_>) -> Result<Option<Event<'static>>, Error> {
            let limits = self.shared.config.limits;
            let unpacked = match message {
                Message::Binary(bytes) => Unpacked::parse(bytes, limits.attachments_max, limits.packet_bytes_max),
                Message::Text(text) if self.shared.config.protocol == Protocol::V4 => Unpacked::parse_text(text),
                Message::Text(_) => Err(socketio::Error::Text),
            };
            let mut unpacked = unpacked.map_err(Error::SocketIo)?;
            let attachments = core::mem::take(&mut unpacked.attachments);
            Ok(self.packet(&unpacked.packet(), attachments).map_err(Error::SocketIo)?.map(Event::into_owned))
        }
    }
}
