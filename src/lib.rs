#![doc = "placeholder"]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused_must_use)]
#![deny(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod engineio;
pub mod entropy;
pub mod http;
pub mod hub;
pub mod outbox;
pub mod socketio;
pub mod stream;
pub mod time;
pub mod utf8;
pub mod ws;

pub use entropy::Entropy;
pub use stream::Stream;
pub use time::Instant;
