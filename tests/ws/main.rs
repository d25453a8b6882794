//! The WebSocket layer: bytes in virtual time, no sockets.

#[path = "../support/mod.rs"]
mod support;

mod allocation;
mod chunking;
mod clock;
mod closing;
mod corpus;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "deflate")]
mod deflate_memory;
#[cfg(feature = "deflate")]
mod deflate_pieces;
mod direct;
mod in_place;
#[cfg(feature = "deflate")]
mod inflate;
mod lent;
mod misuse;
mod mutation;
mod opening;
mod orders;
mod pair;
mod pieces;
mod round_trip;
mod script;
mod threats;
mod time;
mod unasked;
#[cfg(feature = "deflate")]
mod unasked_deflate;
mod waiting;

#[global_allocator]
static COUNTING: support::memory::Counting = support::memory::Counting;
