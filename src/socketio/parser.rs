//! The form of packets on the wire.

#[cfg(feature = "msgpack")]
use super::{Packet, PacketType, msgpack};

/// The form in which Socket.IO packets are sent and expected. As with the official ones it is one for a whole server, and its
/// clients have to be configured for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parser {
    /// Text with JSON, and attachments behind it: what servers and clients do by themselves.
    #[default]
    Json,
    /// MessagePack, for `socket.io-msgpack-parser` 2.2 (protocol 4) or 3.0 (protocol 5), or python-socketio's
    /// `serializer="msgpack"`. Events are the same to the application: see [`msgpack`].
    #[cfg(feature = "msgpack")]
    MessagePack,
}

impl Parser {
    /// How many bytes a text has in a packet, or more where it is little beside `bytes_max`.
    #[cfg_attr(not(feature = "msgpack"), expect(unused_variables))]
    pub(crate) fn size(self, text: &str, bytes_max: usize) -> usize {
        match self {
            Self::Json => text.len(),
            // Three characters, as in 1e9, can make nine bytes; nothing makes more of less.
            #[cfg(feature = "msgpack")]
            Self::MessagePack if text.len() <= bytes_max / 16 => text.len().saturating_mul(3),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => {
                let mut out = alloc::vec::Vec::with_capacity(text.len().saturating_add(64));
                let packet = Packet { data: text, ..Packet::new(PacketType::Event, "/") };
                msgpack::write_packet(&packet, &[], &mut out).map_or(0, |()| out.len())
            }
        }
    }
}
