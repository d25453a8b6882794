//! What the form of packets on the wire means for a client.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::queue::Outgoing;
use crate::socketio::{Packet, PacketType, Parser, Protocol};

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
