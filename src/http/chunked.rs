//! Bodies that come in chunks.

use alloc::vec::Vec;

use super::Error;
use super::percent::hex_digit;

/// Bytes of the extensions of all chunks of a body. They are read over (RFC 9112 section 7.1.1 asks for that, and for a limit).
const EXTENSION_BYTES_MAX: usize = 256;
/// Digits of the size of a chunk: 64 bits.
const DIGITS_MAX: u8 = 16;

/// Reads a body that comes in chunks (RFC 9112 section 7.1).
///
/// Lines end with CRLF and nothing else, sizes are digits and nothing else. Trailer fields are refused: nobody here
/// could use them, and a reader that drops them may be told something else by them than the one before it.
#[derive(Debug)]
pub(super) struct Chunked {
    part: Part,
    extension_bytes: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// A digit of a size, or what ends it.
    Size {
        digits: u8,
        size: usize,
    },
    /// The rest of an extension.
    Extension {
        size: usize,
    },
    /// The line feed behind the size.
    SizeEnd {
        size: usize,
    },
    Data {
        left: usize,
    },
    /// The two bytes behind the data.
    DataCr,
    DataLf,
    /// The two bytes behind the last chunk.
    LastCr,
    LastLf,
}

impl Part {
    const SIZE: Self = Self::Size { digits: 0, size: 0 };
}

impl Chunked {
    /// A body of which nothing was read.
    pub(super) const fn new() -> Self {
        Self { part: Part::SIZE, extension_bytes: 0 }
    }

    /// Moves the data of chunks from `input` to `body`; true when the last chunk is in.
    ///
    /// # Errors
    /// On the first byte that is wrong, or as soon as a size is more than `bytes_max` with what is there already.
    pub(super) fn read(&mut self, body: &mut Vec<u8>, bytes_max: usize, input: &mut &[u8]) -> Result<bool, Error> {
        loop {
            if let Part::Data { left } = &mut self.part {
                let (now, later) = input.split_at(input.len().min(*left));
                body.extend_from_slice(now);
                *input = later;
                *left = left.saturating_sub(now.len());
                if *left > 0 {
                    return Ok(false);
                }
                self.part = Part::DataCr;
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            if matches!((self.part, byte), (Part::LastLf, b'\n')) {
                return Ok(true);
            }
            self.part = self.next(byte, bytes_max.saturating_sub(body.len()))?;
        }
    }

    /// What comes behind a byte; `room` is how large a chunk may be.
    fn next(&mut self, byte: u8, room: usize) -> Result<Part, Error> {
        Ok(match (self.part, byte) {
            (Part::Size { digits, size }, _) if byte.is_ascii_hexdigit() && digits < DIGITS_MAX => {
                let digit = hex_digit(byte).map(usize::from);
                let size = size.checked_mul(16).zip(digit).and_then(|(size, digit)| size.checked_add(digit));
                let size = size.filter(|size| *size <= room).ok_or(Error::BodyTooLarge)?;
                Part::Size { digits: digits.saturating_add(1), size }
            }
            (Part::Size { digits: 1.., size }, b'\r') | (Part::Extension { size }, b'\r') => Part::SizeEnd { size },
            (Part::Size { digits: 1.., size }, b';') | (Part::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.extension_bytes = self.extension_bytes.saturating_add(1);
                if self.extension_bytes > EXTENSION_BYTES_MAX {
                    return Err(Error::Chunk);
                }
                Part::Extension { size }
            }
            (Part::SizeEnd { size: 0 }, b'\n') => Part::LastCr,
            (Part::SizeEnd { size }, b'\n') => Part::Data { left: size },
            (Part::DataCr, b'\r') => Part::DataLf,
            (Part::DataLf, b'\n') => Part::SIZE,
            (Part::LastCr, b'\r') => Part::LastLf,
            _ => return Err(Error::Chunk),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    fn read(stream: &[u8], bytes_max: usize) -> Result<(bool, Vec<u8>, usize), Error> {
        let (mut body, mut input) = (Vec::new(), stream);
        let done = Chunked::new().read(&mut body, bytes_max, &mut input)?;
        Ok((done, body, input.len()))
    }

    #[test]
    fn bodies() {
        for (stream, body) in [
            ("0\r\n\r\n", ""),
            ("000\r\n\r\n", ""),
            ("3\r\nabc\r\n0\r\n\r\n", "abc"),
            ("1\r\na\r\n0002\r\n\r\n\r\n0\r\n\r\n", "a\r\n"),
            ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
            ("3;a\r\nabc\r\n0;b=\"c d\";\tf\u{e9}\r\n\r\n", "abc"),
            ("0000000000000001\r\na\r\n0\r\n\r\n", "a"),
        ] {
            let behind = format!("{stream}GET /");
            assert_eq!(read(behind.as_bytes(), 20), Ok((true, body.into(), 5)), "{stream:?}");
            for end in 0..stream.len() {
                let (done, part, left) = read(&stream.as_bytes()[..end], 20).unwrap();
                assert!(!done && left == 0 && body.as_bytes().starts_with(&part), "{stream:?} up to {end}");
            }
        }
    }

    #[test]
    fn a16_sizes_are_checked() {
        for (stream, error) in [
            ("15\r\n", Error::BodyTooLarge),
            ("ffffffffffffffff", Error::BodyTooLarge),
            ("fffffffffffffffe", Error::BodyTooLarge),
            ("8000000000000000", Error::BodyTooLarge),
            ("10000000000000000", Error::BodyTooLarge),
            ("14\r\n01234567890123456789\r\n1", Error::BodyTooLarge),
            ("1\r\n0\r\n14", Error::BodyTooLarge),
            ("00000000000000000", Error::Chunk),
            ("00000000000000001", Error::Chunk),
        ] {
            assert_eq!(read(stream.as_bytes(), 20), Err(error), "{stream:?}");
        }
        assert_eq!(read(b"14\r\n01234567890123456789\r\n0\r\n\r\n", 20).map(|read| read.1.len()), Ok(20));
        assert_eq!(read(b"ffffffffffffffff\r\n", usize::MAX).is_ok(), cfg!(target_pointer_width = "64"));
    }

    #[test]
    fn a18_lines_end_in_one_way_only() {
        for stream in [
            "\r\n",
            "\n",
            ";a\r\n",
            " 3\r\n",
            "3 \r\n",
            "+3\r\n",
            "-3\r\n",
            "0x3\r\n",
            "3h\r\n",
            "g\r\n",
            "3\n",
            "3\ra",
            "3\r\r\n",
            "3;a\n",
            "3;a\r;",
            "3;\0\r\n",
            "3;\u{7f}\r\n",
            "3\r\nabcXX",
            "3\r\nabc\n",
            "3\r\nabc\rX",
            "3\r\nabc0\r\n\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\r\n\r\n",
            "0\r\n\n",
            "0\r\n\r\r",
            "0\r\na: b\r\n\r\n",
            "0\r\n0\r\n",
            "0\r\n \r\n",
            "3\u{b}\r\n",
        ] {
            assert_eq!(read(stream.as_bytes(), 20), Err(Error::Chunk), "{stream:?}");
        }
    }

    #[test]
    fn extensions_are_bounded_over_all_chunks() {
        let stream = |each: usize| format!("1;{0}\r\na\r\n1;{0}\r\na\r\n0\r\n\r\n", "x".repeat(each - 1));
        assert_eq!(read(stream(128).as_bytes(), 20).map(|read| read.0), Ok(true));
        assert_eq!(read(stream(129).as_bytes(), 20), Err(Error::Chunk));
    }

    proptest! {
        /// Any bytes, cut anywhere: the same.
        #[test]
        fn a_body_does_not_see_where_it_is_cut(
            pieces in prop::collection::vec(prop::sample::select(&["0", "1", "3", "a", "abc", "\r\n", "\r", "\n", ";", "x", " "][..]), 0..12),
            cut: prop::sample::Index,
        ) {
            let stream = pieces.concat();
            let at = cut.index(stream.len() + 1);
            let (mut body, mut chunked) = (Vec::new(), Chunked::new());
            let mut result = Ok(false);
            let mut left = 0;
            for mut part in [&stream.as_bytes()[..at], &stream.as_bytes()[at..]] {
                if result == Ok(false) {
                    result = chunked.read(&mut body, 20, &mut part);
                }
                left += part.len();
            }
            prop_assert_eq!(result.map(|done| (done, body, left)), read(stream.as_bytes(), 20));
        }
    }
}
