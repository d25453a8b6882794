//! The HTTP layer: bytes in virtual time, no sockets.

#[path = "../support/mod.rs"]
mod support;

mod chunking;
mod clock;
mod corpus;
mod end;
mod heads;
mod mutation;
mod round_trip;
mod script;
mod split;
mod threats;
mod time;

#[global_allocator]
static COUNTING: support::memory::Counting = support::memory::Counting;
