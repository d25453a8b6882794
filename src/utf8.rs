//! UTF-8, whole and in pieces. In pieces it fails at the first byte that cannot belong to any
//! valid text (RFC 6455 section 8.1 asks for no more than an error in the end; a server that waits
//! for the end of a message lets a peer keep it busy with rubbish).

use alloc::string::String;

/// The bytes are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid UTF-8")]
pub struct InvalidUtf8;

/// The bytes as text, if they are UTF-8.
#[inline]
pub(crate) fn check(bytes: &[u8]) -> Result<&str, InvalidUtf8> {
    #[cfg(feature = "std")]
    // Below 64 bytes this is core's check; above it uses vector instructions, for ASCII too.
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| InvalidUtf8);
    #[cfg(not(feature = "std"))]
    let text = core::str::from_utf8(bytes).map_err(|_| InvalidUtf8);
    text
}

/// Where the character begins whose end is not there yet; the end of the bytes if there is none.
fn last_boundary(bytes: &[u8]) -> usize {
    for (back, &byte) in (1_usize..=3).zip(bytes.iter().rev()) {
        let width = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0.. => 4,
            _ => 1,
        };
        return if width > back { bytes.len().saturating_sub(back) } else { bytes.len() };
    }
    bytes.len()
}

/// The beginning of a character whose end has not come yet: at most three bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8Tail {
    bytes: [u8; 4],
    len: u8,
}

impl Utf8Tail {
    /// Appends the characters that `piece` completes to `text` and keeps the rest of it.
    ///
    /// # Errors
    /// As soon as what was given cannot be the beginning of valid text any more. The characters before that are
    /// appended.
    pub(crate) fn push(&mut self, mut piece: &[u8], text: &mut String) -> Result<(), InvalidUtf8> {
        text.extend(self.complete(&mut piece)?);
        if !self.is_empty() {
            return Ok(());
        }
        let (whole, valid) = self.split(piece);
        text.push_str(whole);
        valid
    }

    /// Takes bytes off the front of `piece` until the character that has begun is whole, and yields it; `None` if there is
    /// none, or its end has not come.
    ///
    /// # Errors
    /// At the first byte that cannot belong to it.
    pub(crate) fn complete(&mut self, piece: &mut &[u8]) -> Result<Option<char>, InvalidUtf8> {
        while self.len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(None) };
            *piece = rest;
            let len = usize::from(self.len);
            *self.bytes.get_mut(len).ok_or(InvalidUtf8)? = byte;
            self.len = self.len.saturating_add(1);
            let begun = self.bytes.get(..len.saturating_add(1)).ok_or(InvalidUtf8)?;
            match core::str::from_utf8(begun) {
                Ok(text) => {
                    self.len = 0;
                    return Ok(text.chars().next());
                }
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// The characters that lie whole in `piece`, before the first byte that cannot belong to any; the beginning of one at its
    /// end is kept. No character may have begun before.
    ///
    /// # Errors
    /// Beside the characters, if something stands behind them that is none.
    pub(crate) fn split<'p>(&mut self, piece: &'p [u8]) -> (&'p str, Result<(), InvalidUtf8>) {
        let (whole, begun) = piece.split_at_checked(last_boundary(piece)).unwrap_or_default();
        match check(whole) {
            Ok(text) => (text, self.begin(begun)),
            Err(_) => (whole.utf8_chunks().next().map_or("", |chunk| chunk.valid()), Err(InvalidUtf8)),
        }
    }

    /// Keeps the beginning of a character.
    fn begin(&mut self, begun: &[u8]) -> Result<(), InvalidUtf8> {
        if core::str::from_utf8(begun).is_err_and(|error| error.error_len().is_some()) {
            return Err(InvalidUtf8);
        }
        // Nothing in most cases, and at most three bytes.
        for (to, from) in self.bytes.iter_mut().zip(begun) {
            *to = *from;
        }
        self.len = u8::try_from(begun.len()).map_err(|_| InvalidUtf8)?;
        Ok(())
    }

    /// Whether the text may end here, that is between two characters.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Feeds `bytes` cut at `cuts`; the text, or how many bytes were given when it failed.
    fn feed(bytes: &[u8], cuts: &[usize]) -> Result<String, usize> {
        let (mut tail, mut text, mut at) = (Utf8Tail::default(), String::new(), 0);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        for end in ends {
            tail.push(&bytes[at..end], &mut text).map_err(|_| end)?;
            at = end;
        }
        if tail.is_empty() { Ok(text) } else { Err(bytes.len()) }
    }

    fn nearly_utf8() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<char>().prop_map(|c| {
                let mut b = [0; 4];
                c.encode_utf8(&mut b).as_bytes().to_vec()
            }),
            prop::sample::select(alloc::vec![
                alloc::vec![0xC0u8, 0x80],
                alloc::vec![0xED, 0xA0, 0x80],
                alloc::vec![0xF4, 0x90, 0x80, 0x80],
                alloc::vec![0xF0, 0x9F],
                alloc::vec![0x80],
                alloc::vec![0xFF],
                alloc::vec![0xE2, 0x82, 0xAC],
            ]),
        ];
        prop::collection::vec(prop_oneof![9 => piece, 1 => prop::collection::vec(any::<u8>(), 0..3)], 0..40)
            .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn pieces_agree_with_the_whole(bytes in nearly_utf8(), cuts in prop::collection::vec(any::<usize>(), 0..8)) {
            let pieces = feed(&bytes, &cuts);
            prop_assert_eq!(pieces.as_deref().ok(), core::str::from_utf8(&bytes).ok());
            prop_assert_eq!(check(&bytes).ok(), core::str::from_utf8(&bytes).ok());
        }

        /// What is valid before the first bad byte is given, wherever the bytes were cut.
        #[test]
        fn what_stands_before_a_bad_byte_is_given(bytes in nearly_utf8(), cut: prop::sample::Index) {
            let (mut tail, mut text) = (Utf8Tail::default(), String::new());
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            let _ = tail.push(first, &mut text).and_then(|()| tail.push(second, &mut text));
            prop_assert_eq!(text, bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()));
        }

        #[test]
        fn fails_at_the_first_bad_byte(bytes in nearly_utf8()) {
            let every: Vec<usize> = (0..=bytes.len()).collect();
            if let Err(error) = core::str::from_utf8(&bytes) && error.error_len().is_some() {
                // The shortest prefix that no continuation can mend.
                let bad = (0..=bytes.len())
                    .find(|&n| matches!(core::str::from_utf8(&bytes[..n]), Err(e) if e.error_len().is_some()));
                prop_assert_eq!(feed(&bytes, &every).err(), bad);
            }
        }
    }
}
