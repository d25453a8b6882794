//! The hub as a whole: bytes and virtual time, no sockets.

#[path = "../support/fuzz_hub.rs"]
mod fuzz_hub;
#[path = "../support/mod.rs"]
mod support;

mod acks;
mod chunking;
mod clock;
mod consumers;
mod corpus;
mod memory;
mod model;
mod polled;
mod presence;
mod sessions;
mod threats;
mod transmit;
mod world;

#[global_allocator]
static COUNTING: support::memory::Counting = support::memory::Counting;
