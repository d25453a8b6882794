//! The Socket.IO server over both transports, as its clients see it: bytes in virtual time through
//! a hub, no sockets.

#[path = "../support/fuzz_packets.rs"]
mod fuzz_packets;
#[path = "../support/fuzz_payloads.rs"]
mod fuzz_payloads;
#[path = "../support/memory.rs"]
#[allow(dead_code)]
mod memory;

mod acks;
mod app;
mod binary;
mod client;
#[cfg(feature = "deflate")]
mod compression;
mod connect;
mod corpus;
mod cors;
mod dance;
mod differences;
mod ending;
mod events;
mod forms;
mod heartbeat;
mod messages;
#[cfg(feature = "msgpack")]
mod msgpack;
mod mutation;
mod namespaces;
mod origins;
mod poll_ends;
mod poller;
mod polling;
mod posts;
mod refusals;
mod requests;
mod round_trip;
mod threats;
mod upgrade;
mod vectors;
mod world;

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;
