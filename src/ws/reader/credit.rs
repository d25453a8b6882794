//! How much room a peer has shown that it fills.

/// The size of the largest message that was gathered from what a peer sent, rounded up to one of eight steps between a
/// power of two and the next; at first 8.
///
/// What a frame announces is nothing that memory is asked for. But a peer that has sent a message of a megabyte may be taken
/// at its word when it announces another: then room for it is made at once, instead of growing with what comes, which would
/// move it a few times. Over all that is still no more than twice what the peer has sent, and it takes the peer no less to make
/// us ask for it than it takes with growth. Compressed messages count for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ws) struct Credit(u8);

impl Credit {
    pub(in crate::ws) const NONE: Self = Self(0);

    pub(super) fn bytes(self) -> usize {
        let step = usize::from(self.0 & 7).saturating_add(8);
        step.checked_shl(u32::from(self.0 >> 3)).unwrap_or(usize::MAX)
    }

    /// A message of so many bytes came.
    pub(super) fn earn(&mut self, bytes: usize) {
        let exponent = usize::BITS.saturating_sub(bytes.leading_zeros()).saturating_sub(4);
        let steps = bytes.div_ceil(1_usize.checked_shl(exponent).unwrap_or(usize::MAX));
        let code = (exponent as usize).saturating_mul(8).saturating_add(steps).saturating_sub(8);
        self.0 = self.0.max(u8::try_from(code).unwrap_or(u8::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn earned(bytes: usize) -> usize {
        let mut credit = Credit::NONE;
        credit.earn(bytes);
        credit.bytes()
    }

    proptest! {
        /// Enough for the same message again, and at most an eighth more.
        #[test]
        fn covers_what_was_sent_and_little_more(size in (0u32..34, any::<usize>()).prop_map(|(bits, n)| n % (1 << bits))) {
            prop_assert!(size <= earned(size) && earned(size) <= (size + size / 8).max(8));
        }
    }

    #[test]
    fn the_largest_counts() {
        let mut credit = Credit::NONE;
        assert_eq!(credit.bytes(), 8);
        for size in [0, 100, 1 << 20, 17] {
            credit.earn(size);
        }
        assert_eq!(credit.bytes(), 1 << 20);
        credit.earn(usize::MAX);
        assert_eq!(credit.bytes(), 15 << 31);
    }
}
