//! Masking (RFC 6455 section 5.3).

use alloc::vec::Vec;

#[cfg(feature = "std")]
use multiversion::multiversion;

/// With more bytes it pays to begin where a cache line does.
const LONG_BYTES: usize = 1024;
const LINE_BYTES: usize = 64;
/// What was copied is masked while it is in the nearest cache. No part of the key is left over.
const NEAR_BYTES: usize = 16 << 10;

/// XORs `bytes` with the masking key, repeated (RFC 6455 section 5.3). It is its own inverse.
///
/// By 32 bytes, which compilers turn into vector instructions; what is left is too short for them.
#[inline]
pub fn apply_mask(bytes: &mut [u8], key: [u8; 4]) {
    if bytes.len() > LONG_BYTES {
        return mask_lines(bytes, key);
    }
    let wide = widen(key);
    let (blocks, rest) = bytes.as_chunks_mut::<32>();
    for block in blocks {
        *block = masked(*block, wide);
    }
    mask_words(rest, wide);
}

/// The same from the first cache line on: stores that lie across two lines take twice as long, and a payload stands wherever
/// its header ended. Of AVX-512 only what does not slow the processor down is used; Rust has it from 1.89 on.
#[cfg_attr(feature = "std", rustversion::attr(since(1.89), multiversion(targets("x86_64+avx512f", "x86_64+avx2"))))]
#[cfg_attr(feature = "std", rustversion::attr(before(1.89), multiversion(targets("x86_64+avx2"))))]
#[inline(never)]
fn mask_lines(bytes: &mut [u8], key: [u8; 4]) {
    let start = bytes.as_ptr().align_offset(LINE_BYTES).min(bytes.len());
    let (head, lines) = bytes.split_at_mut_checked(start).unwrap_or_default();
    mask_words(head, widen(key));
    mask_words(lines, widen(rotate(key, start)));
}

/// Word by word, of which compilers make as wide ones as there are, several at a time.
#[inline(always)]
fn mask_words(bytes: &mut [u8], wide: u64) {
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = masked(*word, wide);
    }
    let (half, tail) = tail.as_chunks_mut::<4>();
    for half in half {
        *half = (u32::from_ne_bytes(*half) ^ wide as u32).to_ne_bytes();
    }
    // At most three bytes are left.
    for (byte, key) in tail.iter_mut().zip((wide as u32).to_ne_bytes()) {
        *byte ^= key;
    }
}

/// Appends `bytes` masked with `key`: in one pass, by as many bytes as fit the registers of any 64-bit processor, or where it
/// pays to begin at a cache line in two.
pub(super) fn append_masked(out: &mut Vec<u8>, mut bytes: &[u8], key: [u8; 4]) {
    if bytes.len() <= LONG_BYTES {
        let wide = widen(key);
        let (blocks, rest) = bytes.as_chunks::<128>();
        for block in blocks {
            out.extend_from_slice(&masked(*block, wide));
        }
        return append_near(out, rest, key);
    }
    while let Some((near, rest)) = bytes.split_first_chunk::<NEAR_BYTES>() {
        append_near(out, near, key);
        bytes = rest;
    }
    append_near(out, bytes, key);
}

/// The same for what takes few steps, none of which reads what was just written.
#[inline]
pub(super) fn append_short_masked(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    let wide = widen(key);
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        out.extend_from_slice(&masked(*block, wide));
    }
    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        out.extend_from_slice(&masked(*word, wide));
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        out.extend_from_slice(&(u32::from_ne_bytes(*half) ^ wide as u32).to_ne_bytes());
    }
    for (byte, key) in rest.iter().zip(key) {
        out.push(byte ^ key);
    }
}

#[inline]
fn append_near(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    let start = out.len();
    out.extend_from_slice(bytes);
    apply_mask(out.get_mut(start..).unwrap_or_default(), key);
}

/// The key twice.
#[inline]
const fn widen(key: [u8; 4]) -> u64 {
    // Not through an array of eight, which compilers take apart.
    let key = u32::from_ne_bytes(key) as u64;
    key << 32 | key
}

#[inline]
fn masked<const SIZE: usize>(mut block: [u8; SIZE], wide: u64) -> [u8; SIZE] {
    for word in block.as_chunks_mut::<8>().0 {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    block
}

/// The key as it stands after `count` bytes were masked with it.
pub(super) const fn rotate(key: [u8; 4], count: usize) -> [u8; 4] {
    // As a number, which is quicker than byte by byte.
    let bytes = (count % 4) as u32;
    u32::from_be_bytes(key).rotate_left(8_u32.wrapping_mul(bytes)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The fast loop equals the one in section 5.3, also when the bytes come in pieces.
        #[test]
        fn f25_equals_the_definition(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..400),
                prop::collection::vec(any::<u8>(), LONG_BYTES..LONG_BYTES + 800),
            ],
            key: [u8; 4],
            cut: prop::sample::Index,
        ) {
            let naive: Vec<u8> = bytes.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            let mut masked = bytes.clone();
            let start = cut.index(bytes.len() + 1);
            let (first, second) = masked.split_at_mut(start);
            apply_mask(first, key);
            apply_mask(second, rotate(key, first.len()));
            prop_assert_eq!(&masked, &naive);
            // Not only where blocks begin in the buffer.
            let mut out = naive[..start].to_vec();
            append_masked(&mut out, &bytes[start..], rotate(key, start));
            prop_assert_eq!(&out, &naive);
            out.truncate(start);
            append_short_masked(&mut out, &bytes[start..], rotate(key, start));
            prop_assert_eq!(out, naive);
        }
    }

    /// Wherever it begins, and in more than one part.
    #[test]
    fn long_ones_equal_the_definition() {
        let key = [1, 2, 4, 8];
        for size in [LONG_BYTES, LONG_BYTES + 1, NEAR_BYTES - 1, NEAR_BYTES, NEAR_BYTES + 1, 2 * NEAR_BYTES + 77] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let naive: Vec<u8> = bytes.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            for start in 0..70 {
                let mut buffer = [&alloc::vec![0; start], &bytes[..]].concat();
                apply_mask(&mut buffer[start..], key);
                assert!(buffer[start..] == naive && buffer[..start].iter().all(|byte| *byte == 0), "{size} at {start}");
            }
            let mut out = alloc::vec![9; 3];
            append_masked(&mut out, &bytes, key);
            assert!(out[..3] == [9; 3] && out[3..] == naive, "{size} appended");
        }
    }
}
