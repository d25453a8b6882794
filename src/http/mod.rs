//! HTTP/1.1 as values: requests are read from bytes, responses are written as bytes.
//!
//! [`Connection`] is the server's side of one byte stream: it reads requests one at a time, keeps
//! the stream alive between them, and holds all its time-outs. [`RequestReader`] below it only
//! turns bytes into [`Request`]s. [`ClientConnection`] is the client's side.
//!
//! ```
//! use roomwire::{Instant, http};
//!
//! let now = Instant::ORIGIN;
//! let mut conn = http::Connection::new(http::Config::default().into(), now);
//! let mut input: &[u8] = b"GET /hello?name=ann HTTP/1.1\r\nHost: localhost\r\n\r\n";
//! while let Some(event) = conn.receive(now, &mut input) {
//!     if let http::Event::Request(request) = event {
//!         assert_eq!((request.path(), request.query_value("name").as_deref()), ("/hello", Some("ann")));
//!         conn.respond(now, http::Response::new(200).text("hi")).unwrap();
//!     }
//! }
//! let answer = conn.outgoing().collect::<Vec<_>>().concat();
//! assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"\r\n\r\nhi"));
//! conn.sent(now, answer.len());
//! ```
//!
//! # Invariants
//! - A request's head that comes whole is parsed where it lies. Every other head is scanned once as it arrives and parsed once,
//!   when its blank line is in.
//! - What could mean two things to two readers is refused (RFC 9112 section 11.2): repeated or
//!   malformed `Content-Length`, any `Transfer-Encoding` but one `chunked` by itself, chunks that are not in
//!   strict form, trailer fields, bare CR or LF, folded lines, names that are no tokens. After such an error nothing more is read.
//! - At most one request is with the application; what a peer sends after it waits, within a bound.
//! - No response can be split: names and values are checked where they enter.

mod body;
mod chunked;
mod client;
mod connection;
mod error;
mod exchange;
mod head;
mod headers;
mod outgoing;
mod percent;
mod reader;
mod received;
mod request;
mod response;
mod token;

pub use client::{ClientConfig, ClientConnection, ClientEvent, RequestError};
pub(crate) use connection::Upgraded;
pub use connection::{Config, Connection, Event, RespondError};
pub use error::Error;
pub use outgoing::OutgoingRequest;
pub(crate) use percent::{decode as percent_decode, encode as percent_encode};
pub use reader::{Limits, LimitsError, RequestReader};
pub use received::{ReceivedResponse, ResponseReader};
pub use request::Request;
pub use response::{HeaderError, Response};
pub(crate) use response::{Names, Text, push_header, write_decimal};
#[cfg(feature = "deflate")]
pub(crate) use token::split_unquoted;
pub(crate) use token::{decimal, is_token, list, list_unquoted};
