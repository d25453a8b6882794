//! The protocol half of a realtime server, as a pure library: bytes go in, bytes and events come out.
//!
//! `roomwire` speaks WebSocket (RFC 6455), Engine.IO (revisions 3 and 4) and Socket.IO (protocols
//! 4 and 5), and keeps what a realtime application is really about: connections, rooms, presence,
//! sessions that outlive a lost connection, private messages. It owns no socket, thread, clock or random source: a
//! driver plugs it into `std::net`, tokio, or whatever loop there is. So it runs the same in a server, in a test with virtual
//! time, under a fuzzer, and without `std`.
//!
//! # Where to begin
//! | to write | begin with |
//! | --- | --- |
//! | a server with rooms, for browsers and Socket.IO clients | [`hub`] |
//! | a client of a Socket.IO server | [`client`] |
//! | a WebSocket server of your own | [`ws`] |
//! | something else on these protocols | [`socketio`], [`engineio`], [`http`] |
//! | a driver | the run loop below and `examples/echo.rs` for [`ws`]; that of [`hub`] and `examples/server.rs` for a whole server |
//!
//! # The run loop
//! Every layer has the same shape. Input functions take bytes off the front of a cursor and lend events from the *caller's
//! buffer*, so that the application may answer while it holds the event:
//!
//! ```
//! # use roomwire::{Instant, Stream, ws};
//! # fn turn(conn: &mut ws::Connection, buffer: &mut [u8], n: usize, now: Instant) -> Result<(), ws::SendError> {
//! let mut input = &mut buffer[..n]; // bytes that the driver has read
//! while let Some(event) = conn.receive(now, &mut input) {
//!     if let ws::Event::Message(message) = event {
//!         conn.send(now, message)?;
//!     }
//! }
//! let pieces: Vec<&[u8]> = conn.outgoing().collect(); // all answers, gathered: one write
//! # let written = pieces.concat().len();
//! conn.sent(now, written); // as many as were written
//! match conn.stream() { // and then
//!     Stream::Open => {}       // go on
//!     Stream::HalfClosed => {} // shut down the writing direction, read on
//!     Stream::Closed => {}     // close
//! }
//! let _wake_me_at = conn.poll_timeout(); // for `handle_timeout`
//! # Ok(()) }
//! ```
//!
//! # What every layer promises
//! - **Chunking is invisible.** The same bytes, cut anywhere, give the same events and the same answers. `receive` returns
//!   `None` when all input is consumed; nothing is owed back, and one buffer can serve every connection.
//! - **Peers' errors are data, misuse is `Err`.** Whatever a peer sends ends in an answer that the protocol has for
//!   it and in one last event; it never panics, and never touches another connection.
//! - **Everything a peer can make grow has a limit**, in a plain struct with defaults that say where they come from. Buffers grow
//!   by bytes received, never by a length announced.
//! - **Time goes in** as [`Instant`], a number that the driver chose. All time-outs live here, none in a driver; time
//!   that goes backwards is taken as standing still.
//! - **Randomness goes in once**, as a seed. The same seed and the same inputs give the same bytes out.
//!
//! # Features
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `std` | yes | run-time detection of vector instructions for checking UTF-8, masking and heads of HTTP; no behaviour changes |
//! | `deflate` | no | `permessage-deflate` (RFC 7692) for [`ws`] and gzip for long polling, once they are configured; needs `std` |
//! | `msgpack` | no | Socket.IO packets as MessagePack, once it is configured: see [`hub::Parser`], [`client::Parser`] |
//!
//! The crate is `no_std` with `alloc`, always, and has no `unsafe` code of its own.

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
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod client;
mod cursor;
pub mod engineio;
pub mod entropy;
pub mod http;
pub mod hub;
pub mod lines;
mod outbox;
mod outflow;
pub mod socketio;
mod stall;
pub mod stream;
pub mod time;
mod utf8;
mod words;
pub mod ws;

pub use entropy::Entropy;
pub use stream::Stream;
pub use time::Instant;

/// So that the program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
