//! A Socket.IO client: sessions that are opened again, namespaces, events and acknowledgements.
//!
//! One [`Client`] speaks with one server, over as many byte streams as its transport needs: the driver opens them when it is
//! asked to. It speaks protocol 5 (servers 3.x and 4.x) or protocol 4 (servers 2.x), by HTTP long polling, by WebSocket, or
//! by the one changed into the other.
//!
//! ```
//! use roomwire::Instant;
//! use roomwire::client::{Client, Config, Event};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = Instant::ORIGIN;
//! let mut client = Client::new(Config::new("http://localhost:3000")?, [7; 32], now)?; // in service: a seed from the system
//! let chat = client.connect(now, "/", r#"{"token":"abc"}"#)?;
//! client.emit(now, chat, "say", ("hello",))?; // waits until the namespace is connected
//!
//! while let Some(stream) = client.poll_open() {
//!     // Open a TCP stream to `client.config().host()` and `port()`, and when it is open:
//!     client.opened(now, stream);
//! }
//! while let Some(stream) = client.poll_transmit() {
//!     let bytes = client.outgoing(stream).collect::<Vec<_>>().concat(); // to be written to it
//!     assert!(bytes.starts_with(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n"));
//!     client.sent(now, stream, bytes.len());
//! }
//! while let Some(event) = client.poll_event() {
//!     if let Event::Emit { name, args, .. } = event {
//!         println!("{name} {args:?}");
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # The run loop
//! 1. Open each byte stream that [`poll_open`](Client::poll_open) names, and say how it went: [`opened`](Client::opened) or
//!    [`open_failed`](Client::open_failed).
//! 2. [`receive`](Client::receive) what was read until it yields `None`; [`receive_eof`](Client::receive_eof) at its end;
//!    [`abort`](Client::abort) when it broke. Read only while [`wants_read`](Client::wants_read).
//! 3. After each call that may have done something, take the events that are left ([`poll_event`](Client::poll_event)), then
//!    serve each stream that [`poll_transmit`](Client::poll_transmit) names: write its [`outgoing`](Client::outgoing), say how
//!    much with [`sent`](Client::sent), and do to it what [`stream`](Client::stream) says once everything is written. **What
//!    the stream does not take now is yours to remember**: it is not named again for it. Then begin at 1.
//! 4. Call [`handle_timeout`](Client::handle_timeout) when [`poll_timeout`](Client::poll_timeout) has come.
//!
//! # When a session is lost
//! Its namespaces are [`Disconnected`](Event::Disconnected), [`Event::Closed`] tells when the next attempt is made, and what is
//! emitted meanwhile waits. When a session is open again each namespace is connected again; if the server has
//! [connection state recovery](Event::Connected) it sends what was missed.
//!
//! [`reconnect`](Client::reconnect) makes the attempt at once. Credentials that are not good any more are renewed before it:
//! [`set_auth`](Client::set_auth), [`set_header`](Client::set_header), [`set_query`](Client::set_query).
//!
//! What was on its way when a session is lost may have arrived or not, and the acknowledgement for it
//! [fails](AckError::Disconnected). [`Config::retries`] sends such events again, so that the server gets each at least once.
//!
//! # Invariants
//! - A stale id does nothing and names nobody else.
//! - [`Event::Ack`] is told exactly once for each [`AckId`].
//! - Events of one namespace go out in the order of the calls, over a change of transport too.
//! - What waits to be sent, and what is kept of the server's bytes, has a limit in [`Limits`]; every wait has a deadline.

mod asked;
mod backoff;
mod config;
mod cookies;
mod emit;
mod engine;
mod error;
mod event;
mod fields;
mod front;
mod heartbeat;
mod ids;
mod packets;
mod parser;
mod polling;
mod queue;
mod socket;
mod upgrade;
mod wire;

pub use crate::socketio::Parser;
pub use config::{Config, Limits, Reconnection};
pub use error::{ConfigError, ConnectError, EmitError, Error};
pub use event::{AckError, DisconnectReason, Event};
pub use front::Client;
pub use ids::{AckId, Reply, SocketId, StreamId};
