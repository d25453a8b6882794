//! MessagePack taken apart.

use super::Error;

/// Takes MessagePack apart, one value or the front of one at a time.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

/// A value that holds no other, or how many values one holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    Undefined,
    Bool(bool),
    Unsigned(u64),
    /// Never positive.
    Signed(i64),
    Float(f64),
    Str(&'a str),
    Bin(&'a [u8]),
    /// Milliseconds since 1970.
    Date(i64),
    /// So many values.
    Array(u32),
    /// So many keys, each with a value.
    Map(u32),
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads the next one. A length is no more than a claim: it is compared with what is there.
    pub(super) fn token(&mut self) -> Result<Token<'a>, Error> {
        let [marker] = self.array()?;
        Ok(match marker {
            0x00..=0x7F => Token::Unsigned(marker.into()),
            0x80..=0x8F => Token::Map(u32::from(marker & 0x0F)),
            0x90..=0x9F => Token::Array(u32::from(marker & 0x0F)),
            0xA0..=0xBF => self.string(u32::from(marker & 0x1F))?,
            0xC0 => Token::Nil,
            0xC2 => Token::Bool(false),
            0xC3 => Token::Bool(true),
            0xC4 => self.length_8().and_then(|length| self.binary(length))?,
            0xC5 => self.length_16().and_then(|length| self.binary(length))?,
            0xC6 => self.length_32().and_then(|length| self.binary(length))?,
            0xC7 => self.length_8().and_then(|length| self.array_buffer(length))?,
            0xC8 => self.length_16().and_then(|length| self.array_buffer(length))?,
            0xC9 => self.length_32().and_then(|length| self.array_buffer(length))?,
            0xCA => Token::Float(f32::from_be_bytes(self.array()?).into()),
            0xCB => Token::Float(f64::from_be_bytes(self.array()?)),
            0xCC => Token::Unsigned(u8::from_be_bytes(self.array()?).into()),
            0xCD => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            0xCE => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            0xCF => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            0xD0 => signed(i8::from_be_bytes(self.array()?).into()),
            0xD1 => signed(i16::from_be_bytes(self.array()?).into()),
            0xD2 => signed(i32::from_be_bytes(self.array()?).into()),
            0xD3 => signed(i64::from_be_bytes(self.array()?)),
            0xD4 => self.extension_0().and_then(|()| self.array::<1>()).map(|_| Token::Undefined)?,
            0xD7 => self.extension_0().and_then(|()| self.array()).map(|date| Token::Date(i64::from_be_bytes(date)))?,
            0xD9 => self.length_8().and_then(|length| self.string(length))?,
            0xDA => self.length_16().and_then(|length| self.string(length))?,
            0xDB => self.length_32().and_then(|length| self.string(length))?,
            0xDC => Token::Array(self.length_16()?),
            0xDD => Token::Array(self.length_32()?),
            0xDE => Token::Map(self.length_16()?),
            0xDF => Token::Map(self.length_32()?),
            0xE0..=0xFF => signed(i8::from_be_bytes([marker]).into()),
            // Never used, and extensions of lengths that none of the known has.
            0xC1 | 0xD5 | 0xD6 | 0xD8 => return Err(Error::MessagePack),
        })
    }

    /// Leaves out a value, however deep it is nested.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let mut missing = 1_u64;
        while missing > 0 {
            let inside = match self.token()? {
                Token::Array(count) => count.into(),
                Token::Map(count) => u64::from(count).saturating_mul(2),
                _ => 0,
            };
            missing = missing.saturating_sub(1).saturating_add(inside);
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Error::MessagePack)?;
        self.rest = rest;
        Ok(*array)
    }

    fn length_8(&mut self) -> Result<u32, Error> {
        self.array().map(|bytes| u8::from_be_bytes(bytes).into())
    }

    fn length_16(&mut self) -> Result<u32, Error> {
        self.array().map(|bytes| u16::from_be_bytes(bytes).into())
    }

    fn length_32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    fn bytes(&mut self, length: u32) -> Result<&'a [u8], Error> {
        let length = usize::try_from(length).map_err(|_| Error::MessagePack)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Error::MessagePack)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn string(&mut self, length: u32) -> Result<Token<'a>, Error> {
        crate::utf8::check(self.bytes(length)?).map(Token::Str).map_err(|_| Error::MessagePack)
    }

    fn binary(&mut self, length: u32) -> Result<Token<'a>, Error> {
        self.bytes(length).map(Token::Bin)
    }

    /// Typed arrays come so from Node.
    fn array_buffer(&mut self, length: u32) -> Result<Token<'a>, Error> {
        self.extension_0()?;
        self.binary(length)
    }

    /// The one type of extension that the parser's own codec has, for all that JavaScript needs.
    fn extension_0(&mut self) -> Result<(), Error> {
        if self.array()? == [0] { Ok(()) } else { Err(Error::MessagePack) }
    }
}

/// Not negative is not signed: each number has one token.
fn signed<'a>(number: i64) -> Token<'a> {
    u64::try_from(number).map_or(Token::Signed(number), Token::Unsigned)
}
