//! Packets: a type and data, as text.

use alloc::vec::Vec;

/// The revision of the protocol that a session speaks, for all its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// `EIO=3`: the client sends the heartbeat. Socket.IO 1.x and 2.x.
    V3,
    /// `EIO=4`: the server sends the heartbeat. Socket.IO 3.x and 4.x.
    V4,
}

/// The type of a packet; on the wire its number as a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// 0: opens a session.
    Open,
    /// 1: closes it.
    Close,
    /// 2: asks for a sign of life.
    Ping,
    /// 3: gives it.
    Pong,
    /// 4: carries a message.
    Message,
    /// 5: completes a change of transport.
    Upgrade,
    /// 6: nothing; it ends a poll.
    Noop,
}

impl PacketType {
    /// The type that an ASCII digit names.
    #[must_use]
    pub const fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Open,
            b'1' => Self::Close,
            b'2' => Self::Ping,
            b'3' => Self::Pong,
            b'4' => Self::Message,
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            _ => return None,
        })
    }

    /// The ASCII digit that names it.
    #[must_use]
    pub const fn digit(self) -> u8 {
        match self {
            Self::Open => b'0',
            Self::Close => b'1',
            Self::Ping => b'2',
            Self::Pong => b'3',
            Self::Message => b'4',
            Self::Upgrade => b'5',
            Self::Noop => b'6',
        }
    }
}

/// A packet that is a text message of the WebSocket transport: its type and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its type.
    pub kind: PacketType,
    /// Everything after the type.
    pub data: &'a str,
}

/// A text is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Engine.IO packet")]
pub struct PacketError;

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// If the text does not begin with a digit from 0 to 6.
    pub fn parse(text: &'a str) -> Result<Self, PacketError> {
        let digit = text.as_bytes().first().ok_or(PacketError)?;
        let kind = PacketType::from_digit(*digit).ok_or(PacketError)?;
        Ok(Self { kind, data: text.get(1..).ok_or(PacketError)? })
    }

    /// Appends the packet as text.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.kind.digit());
        out.extend_from_slice(self.data.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parse_inverts_write(digit in b'0'..=b'6', data: String) {
            let packet = Packet { kind: PacketType::from_digit(digit).unwrap(), data: &data };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            prop_assert_eq!(Packet::parse(core::str::from_utf8(&bytes).unwrap()), Ok(packet));
        }
    }

    #[test]
    fn no_packets() {
        for text in ["", "7", "9x", "x", "€", "-1"] {
            assert_eq!(Packet::parse(text), Err(PacketError), "{text}");
        }
    }
}
