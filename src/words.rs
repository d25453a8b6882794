//! Bytes looked at eight at a time, as one number.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = ONES << 7;

/// Where the first byte stands that is one of `wanted`.
#[inline]
pub(crate) fn first_of<const COUNT: usize>(wanted: [u8; COUNT], within: &[u8]) -> Option<usize> {
    let Some(last) = within.last_chunk() else { return within.iter().position(|byte| wanted.contains(byte)) };
    let patterns = wanted.map(|byte| ONES.wrapping_mul(byte.into()));
    let place = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        let marks = patterns.iter().fold(0, |marks, pattern| marks | zeros(word ^ pattern));
        // The lowest byte of a word is the first.
        if marks == 0 { None } else { Some(marks.trailing_zeros() as usize / 8) }
    };
    for (nth, word) in within.as_chunks().0.iter().enumerate() {
        if let Some(place) = place(word) {
            return Some(nth.saturating_mul(8).saturating_add(place));
        }
    }
    // Some of it was looked at before, and is none.
    place(last).map(|place| within.len().saturating_sub(8).saturating_add(place))
}

/// Whether two texts are the same but for the case of ASCII letters. Not inlined, so that a loop over texts of which most have
/// another length is.
#[inline(never)]
pub(crate) fn eq_ignore_case(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let same = |one: &[u8; 8], other: &[u8; 8]| lower(u64::from_le_bytes(*one)) == lower(u64::from_le_bytes(*other));
    match (one.last_chunk(), other.last_chunk()) {
        (Some(last), Some(other_last)) => {
            let mut words = one.as_chunks().0.iter().zip(other.as_chunks().0);
            words.all(|(one, other)| same(one, other)) && same(last, other_last)
        }
        _ => one.iter().zip(other).all(|(one, other)| one == other || one ^ other == b' ' && one.is_ascii_alphabetic()),
    }
}

/// The same letters in lower case.
const fn lower(word: u64) -> u64 {
    const FROM_A: u64 = ONES * (0x80 - b'A' as u64);
    const BEYOND_Z: u64 = ONES * (0x7F - b'Z' as u64);
    // A sum has the high bit where the byte is `A` or more, or more than `Z`; none reaches the next byte.
    let sevens = word & !HIGH_BITS;
    let (from_a, beyond_z) = (sevens.wrapping_add(FROM_A), sevens.wrapping_add(BEYOND_Z));
    word | (((from_a ^ beyond_z) & !word & HIGH_BITS) >> 2)
}

/// The high bit of each byte that is zero. Behind the lowest of them others may be set too.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        /// The same as looking at one byte after the other, among neighbours of what is looked for and bytes with the high bit.
        #[test]
        fn equals_a_plain_search(
            bytes in prop::collection::vec(prop::sample::select(b"\0\x01\x09\x0a\x0b\x0c\x0d\x0e\x8a\x8d\xffxyz".to_vec()), 0..40),
            wanted in prop::sample::select(b"\0\x01\x0a\x0d\x8a\xff".to_vec()),
        ) {
            prop_assert_eq!(first_of([wanted], &bytes), bytes.iter().position(|byte| *byte == wanted));
            prop_assert_eq!(first_of(*b"\r\n", &bytes), bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')));
        }
    }

    proptest! {
        #[test]
        fn case_is_ignored_as_by_the_standard_library(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            flips in prop::collection::vec(prop::sample::select(b"\0\0\0\x20\x01\x80".to_vec()), 40),
        ) {
            let others = Vec::from_iter(bytes.iter().zip(&flips).map(|(byte, flip)| byte ^ flip));
            prop_assert_eq!(eq_ignore_case(&bytes, &others), bytes.eq_ignore_ascii_case(&others));
            prop_assert!(eq_ignore_case(&bytes, &bytes.to_ascii_uppercase()));
        }
    }

    #[test]
    fn only_letters_have_a_case() {
        for byte in 0..=255_u8 {
            for len in [1, 7, 8, 9, 16, 20] {
                for place in 0..len {
                    let mut one = Vec::from_iter(core::iter::repeat_n(b'-', len));
                    one[place] = byte;
                    let mut other = one.clone();
                    other[place] ^= 0x20;
                    assert_eq!(eq_ignore_case(&one, &other), byte.is_ascii_alphabetic(), "{byte} at {place} of {len}");
                }
            }
        }
        assert!(!eq_ignore_case(b"host", b"hos") && eq_ignore_case(b"", b""));
    }

    #[test]
    fn every_place_is_found() {
        for len in 0..33 {
            assert_eq!(first_of([b'?'], &Vec::from_iter(core::iter::repeat_n(b'a', len))), None);
            for place in 0..len {
                let mut bytes = Vec::from_iter(core::iter::repeat_n(b'a', len));
                bytes[place] = b'\n';
                assert_eq!((first_of([b'\n'], &bytes), first_of(*b"\r\n", &bytes)), (Some(place), Some(place)));
            }
        }
    }
}
