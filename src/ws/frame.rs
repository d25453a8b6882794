//! The header of a frame (RFC 6455 section 5.2), there and back.

use super::Error;
use super::close::CONTROL_BYTES_MAX;

/// Which end of the connection this is; frames from the client are masked (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Accepts the opening handshake; sends frames without a mask.
    Server,
    /// Begins the opening handshake; masks its frames.
    Client,
}

/// What a frame is (section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further fragment of the message that has begun.
    Continuation,
    /// A text message or its first fragment.
    Text,
    /// A binary message or its first fragment.
    Binary,
    /// The close frame.
    Close,
    /// Ping.
    Ping,
    /// Pong.
    Pong,
}

impl Opcode {
    /// The four bits, or `None` if they are reserved.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// The four bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// Close, ping and pong (section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The header of a frame (section 5.2), without extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last fragment.
    pub fin: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, if the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload, less than 2⁶³.
    pub payload_len: u64,
}

/// The length of a payload, its masking key, and what stands behind the header.
type Sizes<'a> = (u64, Option<[u8; 4]>, &'a [u8]);

/// The longest header: two bytes, eight of length, four of mask.
pub(super) const HEADER_BYTES_MAX: usize = 14;

pub(super) const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
/// The first reserved bit, by which RFC 7692 marks a compressed message.
pub(super) const RSV1: u8 = 0x40;
pub(super) const MASKED: u8 = 0x80;

impl Header {
    /// Reads a header that the other end than `role` sent: it and its length in bytes, or `None` if it is not
    /// complete yet.
    ///
    /// # Errors
    /// On the first byte that breaks section 5: reserved bits and opcodes, a mask where it must not be or none
    /// where it must, control frames that are fragmented or too long, lengths that are not minimal.
    pub fn parse(bytes: &[u8], role: Role) -> Result<Option<(Self, usize)>, Error> {
        Self::parse_extended(bytes, role, 0)
    }

    /// The same where an extension defines some reserved bits of the first frame of a message (RFC 7692 section 6).
    pub(super) fn parse_extended(bytes: &[u8], role: Role, defined: u8) -> Result<Option<(Self, usize)>, Error> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let opcode = Opcode::from_bits(first & 0x0F);
        let defined = if matches!(opcode, Some(Opcode::Text | Opcode::Binary)) { defined } else { 0 };
        if first & RESERVED & !defined != 0 {
            return Err(Error::ReservedBits);
        }
        let opcode = opcode.ok_or(Error::ReservedOpcode)?;
        let fin = first & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(Error::FragmentedControl);
        }
        let Some((payload_len, mask, rest)) = Self::parse_sizes(rest, role, opcode.is_control())? else {
            return Ok(None);
        };
        let header = Self { fin, opcode, mask, payload_len };
        Ok(Some((header, bytes.len().saturating_sub(rest.len()))))
    }

    /// What stands behind the first byte: the payload's length and masking key, and the bytes behind them.
    #[inline]
    pub(super) fn parse_sizes(bytes: &[u8], role: Role, is_control: bool) -> Result<Option<Sizes<'_>>, Error> {
        let Some((&second, rest)) = bytes.split_first() else { return Ok(None) };
        match (role, second & MASKED != 0) {
            (Role::Server, false) => return Err(Error::Unmasked),
            (Role::Client, true) => return Err(Error::Masked),
            _ => {}
        }
        if is_control && usize::from(second & 0x7F) > CONTROL_BYTES_MAX {
            return Err(Error::ControlTooLong);
        }
        let (payload_len, rest) = match second & 0x7F {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            length => (u64::from(length), rest),
        };
        match second & 0x7F {
            126 if payload_len < 126 => return Err(Error::LengthNotMinimal),
            127 if payload_len >> 63 != 0 => return Err(Error::LengthOutOfRange),
            127 if payload_len <= 0xFFFF => return Err(Error::LengthNotMinimal),
            _ => {}
        }
        Ok(match role {
            Role::Client => Some((payload_len, None, rest)),
            Role::Server => rest.split_first_chunk().map(|(key, rest)| (payload_len, Some(*key), rest)),
        })
    }

    /// The header as bytes: an array and how many of them count.
    #[must_use]
    pub fn encode(&self) -> ([u8; 14], usize) {
        let (bytes, len) = self.encode_extended(0);
        (*bytes.first_chunk().unwrap_or(&[0; HEADER_BYTES_MAX]), len)
    }

    /// The same with some reserved bits set, in sixteen bytes: as one number that is written at once.
    #[inline]
    pub(super) fn encode_extended(&self, reserved: u8) -> ([u8; 16], usize) {
        let (masked, mask_len) = if self.mask.is_some() { (MASKED, 4_usize) } else { (0, 0) };
        let key = u128::from(u32::from_be_bytes(self.mask.unwrap_or_default()));
        let first = if self.fin { FIN } else { 0 } | reserved | self.opcode.bits();
        let length = u128::from(self.payload_len);
        let (second, rest, len) = match self.payload_len {
            short @ ..126 => (short as u8, key << 80, 2),
            ..=0xFFFF => (126, length << 96 | key << 64, 4),
            _ => (127, length << 48 | key << 16, 10),
        };
        let bits = u128::from(first) << 120 | u128::from(masked | second) << 112 | rest;
        (bits.to_be_bytes(), mask_len.saturating_add(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = Header> {
        let length = prop_oneof![
            0u64..130,
            65_530u64..65_540,
            0u64..=i64::MAX as u64,
            Just(125),
            Just(126),
            Just(65_535),
            Just(65_536),
            Just(i64::MAX as u64),
        ];
        let opcode = prop::sample::select(alloc::vec![0u8, 1, 2, 8, 9, 10]);
        (any::<bool>(), opcode, any::<Option<[u8; 4]>>(), length).prop_map(|(fin, bits, mask, length)| {
            let opcode = Opcode::from_bits(bits).unwrap();
            let control = opcode.is_control();
            Header { fin: fin || control, opcode, mask, payload_len: if control { length % 126 } else { length } }
        })
    }

    proptest! {
        #[test]
        fn parse_inverts_encode(header in header()) {
            let (bytes, len) = header.encode();
            let role = if header.mask.is_some() { Role::Server } else { Role::Client };
            prop_assert_eq!(Header::parse(&bytes[..len], role), Ok(Some((header, len))));
            for short in 0..len {
                prop_assert_eq!(Header::parse(&bytes[..short], role), Ok(None));
            }
        }
    }
}
