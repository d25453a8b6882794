/// XORs `bytes` with the masking key, repeated (RFC 6455 section 5.3). It is its own inverse.
///
/// Eight bytes at a time: compilers turn that loop into vector instructions.
#[inline]
pub fn apply_mask(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    // At most seven bytes are left.
    for (byte, key) in tail.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
    }
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
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        /// The fast loop equals the one in section 5.3, also when the bytes come in pieces.
        #[test]
        fn f25_equals_the_definition(bytes in prop::collection::vec(any::<u8>(), 0..400), key: [u8; 4], cut: prop::sample::Index) {
            let naive: Vec<u8> = bytes.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            let mut masked = bytes.clone();
            let (first, second) = masked.split_at_mut(cut.index(bytes.len() + 1));
            apply_mask(first, key);
            apply_mask(second, rotate(key, first.len()));
            prop_assert_eq!(masked, naive);
        }
    }
}
