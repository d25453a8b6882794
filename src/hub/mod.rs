//! The whole server but for the bytes' way in and out: connections, rooms, users, presence.
//!
//! One [`Hub`] serves any number of byte streams. Each may speak HTTP, to which the application answers, or Socket.IO by long
//! polling or WebSocket, in either protocol; or messages and lines of the application's own.
//!
//! ```
//! use roomwire::hub::{Config, Event, Hub, Origins, Target};
//! use roomwire::{Instant, http::Response};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Instant::ORIGIN;
//! let mut hub = Hub::new(Config::new(Origins::SameHost), [7; 32], now)?; // in service: a seed from the system
//! let conn = hub.connect(now)?; // a byte stream was accepted
//!
//! # let mut received = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
//! let mut input = &mut received[..]; // bytes that were read from it
//! while let Some(event) = hub.receive(now, conn, &mut input) {
//!     match event {
//!         Event::Request { conn, .. } => hub.respond(now, conn, Response::new(200).text("a page")),
//!         Event::Connecting { socket, .. } => hub.accept(now, socket)?,
//!         Event::Connected { socket, .. } => hub.join(now, socket, "lobby")?,
//!         Event::Emit { socket, name, args, .. } if name == "say" => {
//!             hub.emit(now, Target::room("lobby").except(socket), "say", args)?; // passed on as it came
//!         }
//!         _ => {}
//!     }
//! }
//! while let Some(conn) = hub.poll_transmit() {
//!     let bytes = hub.outgoing(conn).collect::<Vec<_>>().concat(); // to be written to its stream
//!     hub.sent(now, conn, bytes.len());
//! }
//! # Ok(()) }
//! ```
//!
//! # The run loop
//! 1. [`connect`](Hub::connect) for each byte stream; its [`ConnId`] names it from then on.
//! 2. [`receive`](Hub::receive) what was read until it yields `None`; [`receive_eof`](Hub::receive_eof) at its end;
//!    [`abort`](Hub::abort) when it broke. Read at most [`pipelined_bytes_max`](crate::http::Config::pipelined_bytes_max) at
//!    once, and only while [`wants_read`](Hub::wants_read). A reader that waits for that looks again **after
//!    [`sent`](Hub::sent) of its connection, and when [`poll_transmit`](Hub::poll_transmit) names it**; nothing else makes it
//!    true.
//! 3. After each call that may have done something, take the events that are left ([`poll_event`](Hub::poll_event)), then
//!    serve each connection that [`poll_transmit`](Hub::poll_transmit) names: write its [`outgoing`](Hub::outgoing) and say
//!    how much with [`sent`](Hub::sent). **What the stream does not take now is yours to remember**: the connection is not
//!    named again for it. Write on when the stream is writable, until [`outgoing_len`](Hub::outgoing_len) is 0; only then do
//!    to the stream what [`stream`](Hub::stream) says. Serving may have made events, and events something to serve: go on
//!    until both have nothing, also after what could be written only later. Where [`stream`](Hub::stream) is
//!    [`Closed`](crate::Stream::Closed) and nothing is left to write, close the stream and forget its id, which by now the hub
//!    does not know either: what it says of unknown ids is just that.
//! 4. Call [`handle_timeout`](Hub::handle_timeout) when [`poll_timeout`](Hub::poll_timeout) has come.
//!
//! # What clients send
//! Socket.IO clients of protocol 4 and 5 come with their default settings: by long polling, which they leave for WebSocket, or by
//! either alone. Both are served on the streams of [`connect`](Hub::connect); requests that another HTTP server has read go
//! to [`handle_request`](Hub::handle_request).
//!
//! Without a client, a bare WebSocket opens `ws://HOST/socket.io/?EIO=4&transport=websocket` and gets `0{"sid":…}`. It sends
//! `40` to connect (with an object for authentication behind it, if it likes) and gets `40{"sid":…}`. From then on
//! `42["name",arg,…]` is an event, either way, and the server's `2` wants a `3`.
//!
//! Without HTTP, [`connect_lines`](Hub::connect_lines) takes the same packets as lines: `0` connects, `2["name",arg,…]` is an
//! event, and there is no heartbeat to answer.
//!
//! Without Socket.IO, [`Config::plain`] names paths that carry messages of the application's own: bare WebSockets, or Engine.IO with
//! its transports and its heartbeat. Their clients join the same rooms, and get events as text:
//! ```
//! use roomwire::hub::{Config, Event, Hub, Origins, Plain};
//! use roomwire::{Instant, ws::Message};
//!
//! let mut config = Config::new(Origins::SameHost);
//! config.plain = vec![Plain::engine_io("/engine.io/", "/"), Plain::new("/raw", "/")];
//! # let now = Instant::ORIGIN;
//! let mut hub = Hub::new(config, [7; 32], now)?;
//! # let conn = hub.connect(now)?;
//! # let mut input = &mut [][..];
//! while let Some(event) = hub.receive(now, conn, &mut input) {
//!     match event {
//!         Event::Connecting { socket, .. } => hub.accept(now, socket)?,
//!         Event::Message { socket: Some(socket), message, .. } => {
//!             hub.send_message(now, socket, message)?; // an echo
//!         }
//!         _ => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What middleware, adapters and catch-all listeners do elsewhere is plain code here: the application sees each event before
//! anybody else does, and sends what it passes on. For what goes out that is a function of its own around
//! [`emit`](Hub::emit), which can ask [`sockets`](Hub::sockets) for whom an event is, socket by socket:
//! ```
//! use roomwire::Instant;
//! use roomwire::hub::{EmitError, Hub, Receipt, Target};
//! use roomwire::socketio::Arguments;
//!
//! fn emit(hub: &mut Hub, now: Instant, to: &Target<'_>, name: &str, args: impl Arguments) -> Result<Receipt, EmitError> {
//!     for socket in hub.sockets(to.clone()) {
//!         println!("{name} to {:?} of {:?}", hub.sid(socket), hub.namespace(socket));
//!     }
//!     hub.emit(now, to.clone(), name, args)
//! }
//! ```
//! A hub knows its own clients alone, so that each target is what is called
//! local elsewhere.
//!
//! # Who reads slowly
//! What is emitted to a connection waits in its outbox, and what is more than [`congested_bytes`](Limits::congested_bytes) there is
//! told by [`Event::Congested`]. Each event says what it wants then: to be queued all the same, until the connection is cut
//! off at [`outbox_bytes_max`](Limits::outbox_bytes_max) (its session may come back); to be dropped
//! ([`volatile`](Target::volatile)); or to wait in the place of an older one of its kind ([`latest`](Target::latest)). The
//! [`Receipt`] counts what became of it.
//!
//! # On long polling
//! - What is emitted is gathered until the application has nothing more to say, which is when [`poll_event`](Hub::poll_event) or
//!   [`poll_transmit`](Hub::poll_transmit) has nothing either: one response for all of it.
//! - The packets of a POST are looked at one by one, so that the application can answer between them.
//! - What comes on a stream behind an answer with packets waits until that is written: it is told after
//!   [`sent`](Hub::sent).
//! - A session that is closed waits up to 30 s for its client to fetch what is queued, and to hear of it.
//! - There is no connection that is the socket's: [`Event::Congested`] is not told, and [`Hub::connection`] is `None`. The limits are
//!   the same.
//!
//! # Recovery
//! A session that is lost stays for the [`away_timeout`](Config::away_timeout), with its rooms and its user. Its client comes back
//! into it by the [token](Hub::token) that the application gave it, see [`resume`](Hub::resume): then what was emitted meanwhile
//! is lost to it. With [`Config::recovery`] the official clients since 4.6 come back by themselves, and get it:
//! - An answer to CONNECT has a secret besides, `{"sid":"…","pid":"…"}`, and an event has one argument more behind its own, a
//!   string, its *offset*. A client that was lost connects with `{"pid":"…","offset":"…"}` of its last event among its payload.
//! - It is in its session again without [`Event::Connecting`]: the application let it in before, and nobody else knows the pid.
//!   Who is to be let in no more is [disconnected](Hub::disconnect).
//! - What it has missed comes before the answer to CONNECT, in the order in which it was emitted: events to its rooms while it
//!   was in them, to its user, its namespace and itself, each once, those that its old transport had lost included.
//!   [`Event::Connected`] says `recovered`, as the client's `socket.recovered` does.
//! - If some of that is not kept any more ([`Recovery`] says how much is), or were more than half of what its connection may
//!   have queued ([`outbox_bytes_max`](Limits::outbox_bytes_max)), nothing is sent again: the session is `resumed` but not
//!   `recovered`, the client is told the same by another pid, and can ask for the state anew. (The pid before is good, for the
//!   same, until the client's first packet: it may not have heard of the other.)
//! - Nothing is kept of volatile events and of those of which only the [latest](Target::latest) is wanted, of those that ask for
//!   an acknowledgement, and of the hub's own about presence: who comes back gets the list of who is there.
//! - An event that is not kept and ends in a string, or has no arguments, has the offset of the last event behind that:
//!   clients take any last string for an offset, an event's name included, and would not be recovered by "ann" of a volatile
//!   `typing`.
//! - Clients of protocol 4, lines and messages alone know nothing of it, and get events as they are.
//!
//! What is kept does not grow with the number of clients: an event is kept once, and of a client it is known in which rooms
//! it was when.
//!
//! # Presence on the wire
//! Members of a room that somebody has [entered](Hub::enter) get two events of the hub's own (under
//! [other names](PresenceEvents) if these are taken):
//! - `presence` `{"room":"lobby","version":7,"members":[{"user":"ann","state":"live","meta":null}]}`, the list as it is at a
//!   version, for who has just joined or come back;
//! - `presence_diff` `{"room":"lobby","version":8,"changes":[{"user":"ann","change":"away","state":"away","meta":null}]}`, the
//!   next version: `arrived`, `away`, `returned`, `updated` or `left`, which has no state. Folding the diffs into the
//!   list always gives the list.
//!
//! A list that is too long for one event comes in several, which have `"part"` (from 0) and `"parts"` besides and the
//! same version. Where it is too long to be sent at all (half of what may be queued for a connection), both events have
//! `"count"` in its place, until it is short enough again and everybody gets it anew.
//!
//! # Invariants
//! - A stale id does nothing and names nobody else.
//! - [`Event::Closed`] is the last event of a connection, exactly once. A socket that was told by
//!   [`Event::Connecting`] is told by exactly one end: [`Event::Disconnected`] without `away_until`,
//!   or [`Event::Left`] (or the application refused it).
//! - A connection's bytes go out in the order of the calls that queued them.
//! - An event is encoded once for each namespace and form, however many sockets it is for.
//! - A session that changes its transport loses, repeats and reorders nothing.
//! - A client that is told to be recovered has got each event that was for it once, in order.
//! - What a peer does ends at most its own connection.

mod acks;
mod body;
mod carrier;
mod config;
mod connection;
mod emit;
mod error;
mod event;
mod foreign;
mod form;
mod format;
mod front;
mod groups;
mod handshake;
mod history;
mod ids;
mod latest;
mod life;
mod messages;
mod opening;
mod origins;
mod packets;
mod parser;
mod polling;
mod presence;
mod recovery;
mod requests;
mod rooms;
mod select;
mod session;
mod slab;
mod socket;
mod socket_map;
mod target;
mod timers;
mod upgrade;
mod validate;

pub use crate::socketio::Parser;
pub use config::{Config, Limits, Namespaces, Plain};
pub use error::{ConfigError, ConnectError, EmitError, JoinError, ResumeError, SocketError};
pub use event::{AckError, DisconnectReason, Error, Event, Refusal};
pub use foreign::Answer;
pub use front::{Counts, Hub};
pub use handshake::{Handshake, KeepHandshakes, Peer};
pub use history::Recovery;
pub use ids::{AckId, ConnId, Reply, RequestId, SocketId, Token};
pub use origins::{Cors, Origins};
pub use presence::{PresenceChange, PresenceEvents, PresenceState, Present};
pub use socket_map::SocketMap;
pub use target::{Receipt, Target};
