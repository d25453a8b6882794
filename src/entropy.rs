//! Randomness as a value: everything unpredictable is drawn from one seeded generator.
//!
//! The same seed and the same inputs give the same bytes, so that a failing run can be repeated.
//! In service the seed has to come from the operating system (32 bytes, never used twice): session
//! ids, session tokens and masking keys are only as secret as it is.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};

/// A cryptographically secure generator (ChaCha with twelve rounds), seeded once.
pub struct Entropy(ChaCha12Rng);

impl Entropy {
    /// A generator that yields the sequence which belongs to `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A public or secret identifier: 15 random bytes in the URL-safe base64 alphabet, which is
    /// exactly 20 characters, the length of an Engine.IO session id.
    pub(crate) fn id(&mut self) -> [u8; 20] {
        encode(&self.bytes::<15>())
    }

    /// A secret that gives its holder a session: 18 random bytes (144 bits) as 24 characters.
    pub(crate) fn token(&mut self) -> [u8; 24] {
        encode(&self.bytes::<18>())
    }
}

/// `M` must be the length of `N` bytes in base64; the tests hold both uses to it.
fn encode<const N: usize, const M: usize>(bytes: &[u8; N]) -> [u8; M] {
    let mut text = [b'A'; M];
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written, Ok(M));
    text
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_seed_names_a_sequence() {
        let (mut a, mut b) = (Entropy::new([7; 32]), Entropy::new([7; 32]));
        assert_eq!(a.bytes::<64>(), b.bytes::<64>());
        assert_ne!(a.bytes::<64>(), Entropy::new([8; 32]).bytes::<64>());
    }

    #[test]
    fn ids_are_full_length_and_differ() {
        let mut entropy = Entropy::new([0; 32]);
        let (first, second) = (entropy.id(), entropy.id());
        assert_ne!(first, second);
        // The last characters carry entropy too: nothing is left of the fill.
        let tails: alloc::collections::BTreeSet<u8> = (0..64).map(|_| entropy.id()[19]).collect();
        assert!(tails.len() > 16);
        let tails: alloc::collections::BTreeSet<u8> = (0..64).map(|_| entropy.token()[23]).collect();
        assert!(tails.len() > 16);
        assert!(first.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Entropy::new([9; 32])), "Entropy(..)");
    }
}
