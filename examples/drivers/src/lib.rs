//! What several of the drivers need.

pub mod asynchronous;
pub mod echo;
pub mod hub_service;
pub mod options;
pub mod readiness;
pub mod tls;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::IoSlice;
use std::sync::LazyLock;
use std::time::Instant as Clock;

use roomwire::Instant;

/// The origin of all times in the process.
static ORIGIN: LazyLock<Clock> = LazyLock::new(Clock::now);

/// What time it is.
pub fn now() -> Instant {
    Instant::from(ORIGIN.elapsed())
}

/// As much of what is to be written as one call takes, and how many of the slices are filled.
pub fn gather<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> ([IoSlice<'a>; 16], usize) {
    let mut slices = [IoSlice::new(&[]); 16];
    let mut filled = 0;
    for (slice, piece) in slices.iter_mut().zip(pieces) {
        *slice = IoSlice::new(piece);
        filled += 1;
    }
    (slices, filled)
}

/// 32 bytes out of the one random source that `std` offers: the keys of `RandomState` come from the operating system.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for (at, part) in seed.chunks_exact_mut(8).enumerate() {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_usize(at);
        part.copy_from_slice(&hasher.finish().to_ne_bytes());
    }
    seed
}
