//! The Socket.IO client: bytes in virtual time, no sockets. A script plays the server.

#[path = "../support/memory.rs"]
#[allow(dead_code)]
mod memory;

mod acks;
mod chat;
mod chunking;
mod cookies;
mod events;
mod hub;
#[cfg(feature = "msgpack")]
mod msgpack;
mod namespaces;
mod polling;
mod reconnect;
mod recovery;
mod stories;
mod threats;
mod time;
mod upgrade;
mod vectors;
mod websocket;
mod world;

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;
