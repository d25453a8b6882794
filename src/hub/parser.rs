//! What the form of packets on the wire means for the hub.

use alloc::vec::Vec;

use bytes::Bytes;

use super::format::Format;
use crate::socketio::{Packet, Parser, Protocol};
use crate::ws::Prepared;

impl Parser {
    /// A packet and its attachments in a format; only those on Engine.IO have different forms.
    pub(super) fn prepare(self, packet: Packet<'_>, attachments: &[Bytes], format: Format) -> Vec<Prepared> {
        match (self, format) {
            #[cfg(feature = "msgpack")]
            (Self::MessagePack, Format::Engine(revision)) => {
                packed::prepare(&packet, attachments, revision).into_iter().collect()
            }
            _ => format.packet_attached(packet, attachments),
        }
    }

    /// Whether a packet with attachments, or one without, is the same in both revisions.
    pub(super) const fn is_same_in_both(self, attached: bool) -> bool {
        match self {
            Self::Json => !attached,
            #[cfg(feature = "msgpack")]
            Self::MessagePack => false,
        }
    }

    /// Whether clients take the data of a refusal.
    #[cfg_attr(not(feature = "msgpack"), expect(unused_variables))]
    pub(super) fn takes_refusal(self, data: &str, protocol: Protocol) -> bool {
        match self {
            Self::Json => true,
            // Clients of protocol 4 throw an error from within for what is no string.
            #[cfg(feature = "msgpack")]
            Self::MessagePack => protocol == Protocol::V5 || data.starts_with('"'),
        }
    }
}

#[cfg(feature = "msgpack")]
mod packed {
    use super::*;
    use crate::engineio::{self, Revision};
    use crate::hub::event::Event;
    use crate::hub::front::Hub;
    use crate::hub::ids::SessionId;
    use crate::hub::session::Session;
    use crate::socketio::msgpack::{Unpacked, write_packet, write_packet_as_text};
    use crate::socketio::{Error, PacketType};
    use crate::ws::Opcode;

    /// A packet as one message; none if its data are not JSON.
    pub(super) fn prepare(packet: &Packet<'_>, attachments: &[Bytes], revision: Revision) -> Option<Prepared> {
        let is_event = !matches!(packet.kind, PacketType::Connect | PacketType::Disconnect | PacketType::ConnectError);
        let mut out = Vec::with_capacity(packet.data.len().saturating_add(packet.namespace.len()).saturating_add(32));
        match revision {
            Revision::V3 if !is_event => {
                out.push(engineio::PacketType::Message.digit());
                write_packet_as_text(packet, &mut out);
                return Some(Prepared::with(Opcode::Text, out.len(), |frame| frame.extend_from_slice(&out)));
            }
            Revision::V3 => out.push(4),
            Revision::V4 => {}
        }
        write_packet(packet, attachments, &mut out).ok()?;
        Some(Prepared::binary(&out))
    }

    impl Hub {
        /// A binary message that is a packet.
        pub(in crate::hub) fn packed_packet(
            &mut self,
            id: SessionId,
            message: &[u8],
        ) -> Result<Option<Event<'static>>, Error> {
            let limits = &self.config.limits;
            let packet = Unpacked::parse(message, limits.attachments_max, limits.packet_bytes_max)?;
            self.unpacked(id, packet)
        }

        /// A text message that should be a packet: clients of protocol 4 send some so.
        pub(in crate::hub) fn packed_text(
            &mut self,
            id: SessionId,
            message: &str,
        ) -> Result<Option<Event<'static>>, Error> {
            match self.sessions.get(id).map(Session::protocol) {
                Some(Protocol::V4) => self.unpacked(id, Unpacked::parse_text(message)?),
                _ => Err(Error::Text),
            }
        }

        fn unpacked(&mut self, id: SessionId, mut packet: Unpacked<'_>) -> Result<Option<Event<'static>>, Error> {
            // Nothing of it can be lent: its text was made here.
            let nowhere = alloc::borrow::Cow::Owned(alloc::string::String::new());
            let attachments = core::mem::take(&mut packet.attachments);
            self.socketio_packet(id, &packet.packet(), &nowhere, Some(attachments))
        }
    }
}
