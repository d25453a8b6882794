//! WebSocket (RFC 6455): opening handshake, frames, messages, close, keepalive.
//!
//! ```
//! use std::sync::Arc;
//! use roomwire::{Instant, ws};
//!
//! let now = Instant::ORIGIN;
//! let mut conn = ws::Connection::server(Arc::new(ws::Config::default()), now);
//!
//! // What a client sends: the opening handshake, and behind it a masked frame with "Hi".
//! let mut received = b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x82\0\0\0\0Hi".to_vec();
//!
//! let mut input = &mut received[..];
//! while let Some(event) = conn.receive(now, &mut input) {
//!     match event {
//!         ws::Event::Upgrade(_) => conn.accept(now, &ws::Accept::new()).unwrap(),
//!         ws::Event::Message(message) => conn.send(now, message).unwrap(),
//!         _ => {}
//!     }
//! }
//! // Both answers stand gathered for one write.
//! let answer = conn.outgoing().collect::<Vec<_>>().concat();
//! assert!(answer.starts_with(b"HTTP/1.1 101 ") && answer.ends_with(b"\r\n\r\n\x81\x02Hi"));
//! conn.sent(now, answer.len());
//! ```
//!
//! # The run loop
//! 1. [`receive`](Connection::receive) what was read, until it yields `None`; answer while the event is held.
//! 2. Write [`outgoing`](Connection::outgoing), and say how much with [`sent`](Connection::sent).
//! 3. Do to the byte stream what [`stream`](Connection::stream) says.
//! 4. Wait until there is something to read (if [`wants_read`](Connection::wants_read)), room to
//!    write (if there is outgoing), or [`poll_timeout`](Connection::poll_timeout) has come; for the last call
//!    [`handle_timeout`](Connection::handle_timeout). At the stream's end call [`receive_eof`](Connection::receive_eof),
//!    when it broke [`abort`](Connection::abort).
//!
//! What these three leave to tell, [`poll_event`](Connection::poll_event) tells until it yields `None`. So it does with what the
//! peer sent behind its handshake, if that is accepted only after `receive` had nothing more.
//!
//! # Messages in several reads
//! [`receive`](Connection::receive) takes all that it is given, so that one buffer serves all connections; a message whose end has
//! not come is gathered in memory of its own. A driver that reads on at once, or has a buffer for each connection, spares it
//! that with [`receive_in_place`](Connection::receive_in_place). Of a large message it should not read more than 32 KiB at
//! once: what comes is unmasked while it is in the nearest cache, if it fits there.
//!
//! # Memory for what is sent
//! It is gathered in memory that goes when it is written. A driver with many connections spares them that with
//! [`lend`](Connection::lend): one buffer for all, given to each in its turn. A large message that is lent, and not owned or shared,
//! goes from where it stands to the stream with [`send_directly`](Connection::send_directly).
//!
//! # Large messages
//! A message is told whole as long as the connection may hold it ([`Limits::message_bytes_max`]). With [`Config::pieces`] a
//! larger one is not refused, but told in pieces while it arrives, lent from the caller's buffer where it can be; so a
//! message of any length goes through a buffer of any size. [`Connection::send_piece`] is the way out.
//!
//! ```
//! use std::sync::Arc;
//! use roomwire::{Instant, ws};
//!
//! let now = Instant::ORIGIN;
//! let limits = ws::Limits { message_bytes_max: 1024, ..ws::Limits::default() };
//! let pieces = Some(ws::PieceLimits { message_bytes_max: 1 << 40, ..ws::PieceLimits::default() });
//! let config = Arc::new(ws::Config { limits, pieces, ..ws::Config::default() });
//! let mut client = ws::Connection::client_after_upgrade(config.clone(), [7; 32], now);
//! let mut server = ws::Connection::server_after_upgrade(config, now);
//!
//! // A megabyte goes out of 64 KiB at one end and into as many at the other.
//! let (chunk, mut told) = (vec![7; 64 << 10], 0);
//! for nth in 1..=16 {
//!     client.send_piece(now, ws::Piece { data: (&chunk[..]).into(), first: nth == 1, last: nth == 16 })?;
//!     let mut buffer = client.outgoing().collect::<Vec<_>>().concat();
//!     client.sent(now, buffer.len());
//!     let mut input = &mut buffer[..];
//!     while let Some(event) = server.receive(now, &mut input) {
//!         match event {
//!             ws::Event::Piece(piece) => {
//!                 told += piece.data.as_bytes().len(); // write it to a file, hash it, send it on
//!                 assert_eq!((piece.first, piece.last), (told == 64 << 10, told == 1 << 20));
//!             }
//!             ws::Event::Message(small) => panic!("{} bytes", small.as_bytes().len()),
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(told, 1 << 20);
//! # Ok::<(), ws::SendError>(())
//! ```
//!
//! # Invariants
//! - [`Event::Closed`] is the last event, exactly once, whatever happens.
//! - A message that lies whole in the caller's buffer is lent from there; nothing is allocated for it.
//! - Whatever violates the protocol is answered by one close frame with its code (RFC 6455
//!   section 7.1.7), and nothing that comes after it is looked at.
//! - What is kept of a peer's bytes is at most `message_bytes_max` and a few hundred bytes more,
//!   and it grows with what was received, not with what was announced.
//! - Which bytes a message has, whether it is told whole or in pieces, and what comes after which byte does not depend on how the
//!   bytes arrived. Where pieces are cut does; each message has one first and one last piece.

mod close;
mod config;
mod connection;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "deflate/absent.rs"]
mod deflate;
mod error;
#[cfg(feature = "deflate")]
mod extension;
mod frame;
mod handshake;
mod mask;
mod message;
mod opening;
mod reader;

pub use close::{CloseCode, Closed, Endpoint};
pub use config::{Config, Limits, PieceLimits};
pub use connection::{Connection, Event, SendError};
pub use deflate::DeflateConfig;
pub use error::Error;
pub use frame::{Header, Opcode, Role};
pub use handshake::{Accept, AcceptError, HandshakeError, Upgrade, accept_key};
pub use mask::apply_mask;
pub use message::{Message, Piece, Prepared, Shared};
pub use opening::{Opened, Opening, SubprotocolError, UrlError};
pub use reader::{Inbound, MessageReader};

pub use crate::utf8::InvalidUtf8;
