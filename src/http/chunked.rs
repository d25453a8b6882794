//! The chunked transfer coding (RFC 9112 section 7.1), as a client has to read it.

use alloc::vec::Vec;

use super::Error;

/// Bytes of a size line behind its digits, and of all trailer lines: what nobody needs is not read for ever.
const EXTENSION_BYTES_MAX: usize = 256;
const TRAILER_BYTES_MAX: usize = 4096;

/// Where in the coding the reader is. Line ends are CR LF and nothing else.
#[derive(Debug)]
pub(super) enum Chunked {
    Size { size: usize, digits: u8 },
    Extension { size: usize, bytes: usize },
    SizeEnd { size: usize },
    Data { left: usize },
    DataEnd { after_cr: bool },
    Trailer { bytes: usize, line_bytes: usize, after_cr: bool },
}

impl Chunked {
    pub(super) const START: Self = Self::Size { size: 0, digits: 0 };

    /// Takes bytes off the front of `input` and appends data to `body`, of at most `body_bytes_max` in all; true at the end.
    pub(super) fn read(&mut self, input: &mut &[u8], body: &mut Vec<u8>, body_bytes_max: usize) -> Result<bool, Error> {
        while !input.is_empty() {
            if let Self::Data { left } = self {
                let (data, rest) = input.split_at(input.len().min(*left));
                body.extend_from_slice(data);
                *input = rest;
                *left = left.saturating_sub(data.len());
                if *left == 0 {
                    *self = Self::DataEnd { after_cr: false };
                }
                continue;
            }
            let Some((&byte, rest)) = input.split_first() else { break };
            *input = rest;
            if self.line(byte)? {
                return Ok(true);
            }
            if let Self::Data { left } = self
                && body.len().saturating_add(*left) > body_bytes_max
            {
                return Err(Error::BodyTooLarge);
            }
        }
        Ok(false)
    }

    /// One byte outside the data; true if it ends the body.
    fn line(&mut self, byte: u8) -> Result<bool, Error> {
        *self = match (&*self, byte) {
            (&Self::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).ok_or(Error::Chunk)? as usize;
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit)).ok_or(Error::BodyTooLarge)?;
                // As many as 64 bits have: zeros in front are not read for ever either.
                if digits == 16 {
                    return Err(Error::Chunk);
                }
                Self::Size { size, digits: digits.saturating_add(1) }
            }
            (&Self::Size { size, digits: 1.. }, b'\r') => Self::SizeEnd { size },
            (&Self::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => Self::Extension { size, bytes: 1 },
            (&Self::Extension { size, .. }, b'\r') => Self::SizeEnd { size },
            (&Self::Extension { size, bytes }, _) if byte != b'\n' && bytes < EXTENSION_BYTES_MAX => {
                Self::Extension { size, bytes: bytes.saturating_add(1) }
            }
            (&Self::SizeEnd { size: 0 }, b'\n') => Self::Trailer { bytes: 0, line_bytes: 0, after_cr: false },
            (&Self::SizeEnd { size }, b'\n') => Self::Data { left: size },
            (Self::DataEnd { after_cr: false }, b'\r') => Self::DataEnd { after_cr: true },
            (Self::DataEnd { after_cr: true }, b'\n') => Self::START,
            (Self::Trailer { line_bytes: 0, after_cr: true, .. }, b'\n') => return Ok(true),
            (&Self::Trailer { bytes, after_cr: true, .. }, b'\n') => {
                Self::Trailer { bytes, line_bytes: 0, after_cr: false }
            }
            (&Self::Trailer { bytes, line_bytes, after_cr: false }, b'\r') => {
                Self::Trailer { bytes, line_bytes, after_cr: true }
            }
            (&Self::Trailer { bytes, line_bytes, after_cr: false }, _)
                if byte != b'\n' && bytes < TRAILER_BYTES_MAX =>
            {
                Self::Trailer {
                    bytes: bytes.saturating_add(1),
                    line_bytes: line_bytes.saturating_add(1),
                    after_cr: false,
                }
            }
            _ => return Err(Error::Chunk),
        };
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    /// The body, or the error; what is left behind it.
    fn read(pieces: &[&[u8]], max: usize) -> Result<Option<(Vec<u8>, usize)>, Error> {
        let (mut chunked, mut body) = (Chunked::START, Vec::new());
        for (nth, piece) in pieces.iter().enumerate() {
            let mut input = *piece;
            if chunked.read(&mut input, &mut body, max)? {
                let rest: usize = pieces.iter().skip(nth + 1).map(|piece| piece.len()).sum();
                return Ok(Some((body, rest + input.len())));
            }
            assert!(input.is_empty());
        }
        Ok(None)
    }

    proptest! {
        #[test]
        fn reads_what_was_written(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5), behind: Vec<u8>) {
            let mut stream = Vec::new();
            for chunk in &chunks {
                stream.extend(format!("{:X};a=b\r\n", chunk.len()).into_bytes());
                stream.extend(chunk);
                stream.extend(b"\r\n");
            }
            stream.extend(b"0\r\nx: y\r\n\r\n");
            stream.extend(&behind);
            let expected = Ok(Some((chunks.concat(), behind.len())));
            prop_assert_eq!(read(&[&stream], 1000), expected.clone());
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(read(&bytes, 1000), expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in "[0-9a-fA-F;\r\n x]{0,60}") {
            let whole = read(&[bytes.as_bytes()], 20);
            let pieces: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
            prop_assert_eq!(read(&pieces, 20), whole);
        }
    }

    #[test]
    fn a16_sizes_are_in_range() {
        for size in ["ffffffffffffffff", "fffffffffffffffe", "7fffffffffffffff", "3e9", "10000000000000000"] {
            assert_eq!(read(&[format!("{size}\r\n").as_bytes()], 1000), Err(Error::BodyTooLarge), "{size}");
        }
        assert_eq!(read(&[b"3e8\r\n"], 1000), Ok(None));
        assert_eq!(read(&[b"1\r\nx\r\n3e8\r\n"], 1000), Err(Error::BodyTooLarge), "all chunks together");
        assert_eq!(read(&["0".repeat(17).as_bytes()], 1000), Err(Error::Chunk));
    }

    #[test]
    fn a18_line_ends_are_strict() {
        for stream in [
            "1\nx",
            "1\r\nxXX",
            "1\r\nx\n",
            "1\r\nx\r\r",
            "1;a\nb\r\nx",
            "\r\n",
            ";\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1\rx",
            "0\r\n\n",
            "0\r\na\n",
            "0\r\n\rx",
        ] {
            assert_eq!(read(&[stream.as_bytes()], 1000), Err(Error::Chunk), "{stream:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_end() {
        assert_eq!(read(&[format!("1;{}", "x".repeat(1000)).as_bytes()], 1000), Err(Error::Chunk));
        assert_eq!(read(&[format!("0\r\n{}", "x: y\r\n".repeat(2000)).as_bytes()], 1000), Err(Error::Chunk));
    }
}
