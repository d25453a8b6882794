//! The hub as a whole: bytes and virtual time, no sockets.

#[path = "../support/fuzz_hub/mod.rs"]
mod fuzz_hub;
#[path = "../support/mod.rs"]
mod support;

mod acks;
mod base64;
mod chunking;
mod clock;
mod consumers;
mod corpus;
#[cfg(feature = "deflate")]
mod deflate;
mod early;
mod foreign;
mod latest;
mod lines;
mod memory;
mod model;
mod pipelines;
mod plain;
mod polled;
mod presence;
mod recovery;
mod review;
mod rounds;
mod secrets;
mod selection;
mod senders;
mod sessions;
mod threats;
mod transmit;
mod waiting;
mod world;

#[global_allocator]
static COUNTING: support::memory::Counting = support::memory::Counting;
