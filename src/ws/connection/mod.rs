//! One connection: its state, its times, and what it tells.

mod ending;
mod handshake;
mod receiving;
mod sending;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::Error;
use super::close::{CONTROL_BYTES_MAX, CloseCode, Closed, Endpoint};
use super::config::Config;
use super::deflate::Deflate;
use super::frame::{Opcode, Role};
use super::handshake::Upgrade;
use super::message::{Message, Piece};
use super::opening::{Expected, Opened};
use super::reader::{Credit, MessageReader, Waiting};
use crate::entropy::Entropy;
use crate::http::{self, ReceivedResponse, ResponseReader};
use crate::outbox::Outbox;
use crate::stall::Stall;
use crate::stream::Stream;
use crate::time::Instant;

/// What happened on a [`Connection`]. Payloads are lent from the input where they lay whole in it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The opening handshake is in order: answer with [`Connection::accept`] or [`Connection::reject`].
    Upgrade(Upgrade),
    /// The server has accepted the opening handshake: messages can be sent. A client's only.
    Opened(Box<Opened>),
    /// The server has answered the opening handshake with something else: a redirect, a demand for a password, an
    /// error. [`Event::Closed`] follows. A client's only.
    Refused(Box<ReceivedResponse>),
    /// A message.
    Message(Message<'a>),
    /// A piece of a message that is larger than [`Limits`](super::Limits) lets the connection hold; only where
    /// [`Config::pieces`] is set.
    Piece(Piece<'a>),
    /// A ping. The application owes it nothing: it is answered, but in two cases. While this end is closing it is not, since
    /// our close frame is the last that the peer is to read. And from a peer that does not read its answers, of the pings
    /// beyond the first KiB of them only the newest is answered (RFC 6455 section 5.5.3).
    Ping(Cow<'a, [u8]>),
    /// A pong.
    Pong(Cow<'a, [u8]>),
    /// The connection is over; always the last event, exactly once. Go on driving it until
    /// [`Connection::stream`] says [`Stream::Closed`].
    Closed(Box<Closed>),
}

/// A message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Before the handshake is accepted, or after a close frame was sent or received.
    #[error("connection is not open")]
    NotOpen,
    /// The payload of a ping has more than 125 bytes (RFC 6455 section 5.5), or a message alone is more
    /// than the outbox may ever hold.
    #[error("payload is longer than may ever be queued")]
    TooLong,
    /// The peer does not read fast enough, see [`Limits::outbox_bytes_max`](super::Limits::outbox_bytes_max).
    #[error("outbox is full")]
    OutboxFull,
    /// A message that was begun in pieces has not ended: no other may begin within it (RFC 6455 section 5.4). Pings may
    /// be sent.
    #[error("message in pieces has not ended")]
    UnfinishedMessage,
    /// A piece that is not the first where no message has begun (section 5.4).
    #[error("piece without a message")]
    UnexpectedContinuation,
    /// A piece of text in a binary message, or of bytes in a text.
    #[error("piece is not of the message's kind")]
    OtherKind,
}

/// A message that is being sent in pieces.
#[derive(Clone, Copy, Debug)]
struct Outgoing {
    opcode: Opcode,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Plain,
    /// Compressed; whether anything but empty pieces was sent of it.
    Deflated {
        begun: bool,
    },
}

/// Our ping, which asks for a sign of life.
///
/// ```text
///        silence            everything is written            ping_timeout
///  Unsent ──────▶ Unwritten ─────────────────────▶ Awaited ──────────────▶ the end
///    ▲               │            any byte            │
///    └───────────────┴────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnPing {
    /// None is due yet.
    Unsent,
    /// It is queued: how long the peer may take to read what stands before it is for `stall` to say.
    Unwritten,
    /// The peer has its time to answer.
    Awaited,
}

/// Pongs queued, in bytes beyond what was written meanwhile. Beyond that only the newest ping is owed an answer (section
/// 5.5.3), so that pings of who reads nothing cost nothing.
const PONG_BYTES_MAX: u16 = 1024;

/// One WebSocket connection, either end of it.
///
/// ```text
///        accept (server),
///        101 (client)             close               peer's close
///  Handshake ───────────▶ Open ──────────────▶ Closing ─────┐
///      │ reject, error     │ peer's close, error            │ answer, close_timeout
///      └───────────────────┴──────────▶ Draining ◀──────────┘
///                                          │ peer's end of the stream, close_timeout
///                                          ▼
///                                        Closed
/// ```
///
/// It has at most 128 bytes, and owns no buffer while nothing is partial and everything is written.
#[derive(Debug)]
pub struct Connection {
    config: Arc<Config>,
    state: State,
    outbox: Outbox,
    now: Instant,
    /// The end of the present state's patience; in state `Open` when a ping, or its answer, is due.
    deadline: Instant,
    stall: Stall,
    /// The end that is still to be told.
    closed: Option<Box<Closed>>,
    /// What most connections do without.
    extras: Option<Box<Extras>>,
    pong_bytes: u16,
    own_ping: OwnPing,
    outgoing: Option<Outgoing>,
    /// What room is made at once for what the peer announces.
    credit: Credit,
    /// Whether the peer ended its stream before the handshake was answered.
    peer_ended: bool,
    role: Role,
}

#[derive(Debug, Default)]
struct Extras {
    /// Where masking keys come from: a client's only.
    masks: Option<Entropy>,
    /// The compression that was agreed on.
    deflate: Option<Box<Deflate>>,
    /// The newest ping that is owed an answer beyond those already queued.
    pong: Option<Pong>,
}

#[derive(Debug)]
enum State {
    /// The server's.
    Handshake(Box<Handshake>),
    /// The client's: the request is queued, the response is awaited.
    Requested(Box<Requested>),
    Open(MessageReader, Waiting),
    /// Our close frame is queued, the peer's is awaited.
    Closing(MessageReader, Waiting),
    /// Over; what the peer still sends is discarded.
    Draining,
    Closed,
}

#[derive(Debug)]
struct Handshake {
    http: http::Connection,
    upgrade: Option<Upgrade>,
    /// Whether the end is told; the response may still be on its way.
    ended: bool,
}

#[derive(Debug)]
struct Requested {
    reader: ResponseReader,
    expected: Expected,
}

struct Pong {
    payload: [u8; CONTROL_BYTES_MAX],
    len: usize,
}

impl fmt::Debug for Pong {
    /// Shows how much there is, not what: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pong").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Connection {
    /// The server's end, at the beginning of the byte stream: the opening handshake comes first.
    #[must_use]
    pub fn server(config: Arc<Config>, now: Instant) -> Self {
        let http = http::Connection::new(config.http.clone(), now);
        let handshake = Handshake { http, upgrade: None, ended: false };
        Self::new(Role::Server, config, State::Handshake(Box::new(handshake)), Outbox::new(), now)
    }

    /// The server's end of a stream on which somebody else has answered the opening handshake, without extensions; see
    /// [`server_behind`](Self::server_behind) for compression.
    #[must_use]
    pub fn server_after_upgrade(config: Arc<Config>, now: Instant) -> Self {
        Self::open(Role::Server, config, Outbox::new(), Vec::new(), now)
    }

    /// The client's end of a stream on which somebody else has made the opening handshake, without extensions; see
    /// [`client_behind`](Self::client_behind) for compression. Masking keys (RFC 6455 section 10.3) are drawn from `seed`,
    /// which must be secret and fresh.
    #[must_use]
    pub fn client_after_upgrade(config: Arc<Config>, seed: [u8; 32], now: Instant) -> Self {
        let mut conn = Self::open(Role::Client, config, Outbox::new(), Vec::new(), now);
        conn.extras = Some(Box::new(Extras { masks: Some(Entropy::new(seed)), ..Extras::default() }));
        conn
    }

    fn open(role: Role, config: Arc<Config>, outbox: Outbox, early: Vec<u8>, now: Instant) -> Self {
        let mut conn =
            Self::new(role, config, State::Open(MessageReader::with_early(early), Waiting::default()), outbox, now);
        conn.heard();
        conn.watch_writes();
        conn
    }

    const fn new(role: Role, config: Arc<Config>, state: State, outbox: Outbox, now: Instant) -> Self {
        Self {
            config,
            state,
            outbox,
            now,
            deadline: Instant::NEVER,
            stall: Stall::NONE,
            closed: None,
            extras: None,
            pong_bytes: 0,
            own_ping: OwnPing::Unsent,
            outgoing: None,
            credit: Credit::NONE,
            peer_ended: false,
            role,
        }
    }

    /// Which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether messages can be sent.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(..))
    }

    /// When the message began to come whose end has not come; never, if there is none.
    #[inline]
    pub(crate) fn begun(&self) -> Instant {
        if let State::Open(reader, _) = &self.state { reader.begun() } else { Instant::NEVER }
    }

    /// The peer will send no more. More than one thing may have happened: [`poll_event`](Self::poll_event) tells the
    /// rest.
    #[must_use = "the end is told only once"]
    pub fn receive_eof<'a>(&mut self, now: Instant) -> Option<Event<'a>> {
        self.clock(now);
        match &mut self.state {
            State::Handshake(handshake) => {
                return match handshake.http.receive_eof(self.now) {
                    Some(event) => self.handshake_event(event, Error::UnexpectedEof),
                    None => self.closed.take().map(Event::Closed),
                };
            }
            State::Requested(requested) => match requested.reader.finish() {
                // The end of the stream is the end of the body.
                Some(response) => {
                    let event = self.answered(response);
                    self.enter(State::Closed);
                    return Some(event);
                }
                None => self.end(CloseCode::ABNORMAL, "", Endpoint::Peer, Some(Error::UnexpectedEof)),
            },
            State::Open(..) | State::Closing(..) => {
                self.peer_ended = true;
                return self.poll_event();
            }
            State::Draining | State::Closed => {}
        }
        self.enter(State::Closed);
        self.poll_event()
    }

    /// What happened without input: the end, or what the peer sent behind its handshake before that was accepted.
    #[must_use = "what happened is told only once"]
    pub fn poll_event<'a>(&mut self) -> Option<Event<'a>> {
        if let State::Open(reader, _) | State::Closing(reader, _) = &self.state
            && reader.has_early()
            && let Some(event) = self.read_messages(&mut &mut [][..])
        {
            return Some(event);
        }
        if self.peer_ended && matches!(self.state, State::Open(..) | State::Closing(..)) {
            return self.stream_ended();
        }
        self.closed.take().map(Event::Closed)
    }

    /// Bytes to be written, in order: all answers to what was received stand gathered here.
    pub fn outgoing(&self) -> impl Iterator<Item = &[u8]> {
        self.outbox().chunks()
    }

    /// How many bytes are to be written.
    #[must_use]
    pub fn outgoing_len(&self) -> usize {
        self.outbox().len()
    }

    /// So many bytes of [`outgoing`](Self::outgoing) were written.
    pub fn sent(&mut self, now: Instant, count: usize) {
        self.clock(now);
        if let State::Handshake(handshake) = &mut self.state {
            return handshake.http.sent(self.now, count);
        }
        if count == 0 {
            return;
        }
        let paused = !self.wants_read();
        self.outbox.advance(count);
        self.stall.written(self.now, self.config.write_timeout, count, self.outbox.len());
        if paused || !self.outbox.is_empty() {
            // The peer reads, a sign of life: its pong may stand behind what we did not read.
            self.await_pong_anew(now);
        }
        let written = u16::try_from(count).unwrap_or(u16::MAX);
        self.pong_bytes = if self.outbox.is_empty() { 0 } else { self.pong_bytes.saturating_sub(written) };
        if self.pong_bytes == 0 {
            self.write_owed_pong();
        }
        if self.outbox.is_empty() {
            self.all_written();
        }
        self.watch_writes();
    }

    /// Only now can the peer have read our close frame, or our ping.
    fn all_written(&mut self) {
        if self.is_ending() {
            self.deadline = self.now.saturating_add(self.config.close_timeout);
        } else if self.own_ping == OwnPing::Unwritten {
            self.own_ping = OwnPing::Awaited;
            self.deadline = self.now.saturating_add(self.config.ping_timeout);
        }
    }

    /// Whether it is worth while to read: false while too much that the peer should read is unwritten.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        match &self.state {
            State::Handshake(handshake) => handshake.http.wants_read(),
            State::Open(..) => self.outbox.len() < self.config.limits.read_pause_bytes,
            State::Requested(_) | State::Closing(..) | State::Draining => true,
            State::Closed => false,
        }
    }

    /// What is to be done with the byte stream once everything is written. After the closing handshake
    /// the server closes it first (section 7.1.1).
    #[must_use]
    pub const fn stream(&self) -> Stream {
        match &self.state {
            State::Handshake(handshake) => handshake.http.stream(),
            State::Requested(_) | State::Open(..) | State::Closing(..) => Stream::Open,
            State::Draining => Stream::HalfClosed,
            State::Closed => Stream::Closed,
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Handshake(handshake) => handshake.http.poll_timeout(),
            _ => self.deadline.min(self.stall.deadline()).finite(),
        }
    }

    /// Does what is due at `now`; afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`. More than one thing
    /// may have happened: [`poll_event`](Self::poll_event) tells the rest.
    #[must_use = "the end is told only once"]
    pub fn handle_timeout<'a>(&mut self, now: Instant) -> Option<Event<'a>> {
        self.clock(now);
        if let State::Handshake(handshake) = &mut self.state {
            let event = handshake.http.handle_timeout(self.now)?;
            return self.handshake_event(event, Error::Http(http::Error::Timeout));
        }
        if self.stall.deadline() <= self.now {
            self.abandon(Some(Error::WriteTimeout));
        } else if self.deadline <= self.now {
            let paused = !self.wants_read();
            match &mut self.state {
                State::Requested(requested) => match requested.reader.finish() {
                    Some(response) => return Some(self.answered(response)),
                    None => self.fail(Error::Http(http::Error::Timeout)),
                },
                // Its pong may lie among what we do not read: `stall` says how long it may take to read what keeps us from it.
                State::Open(..) if self.own_ping == OwnPing::Awaited && paused => self.await_pong_anew(now),
                State::Open(..) if self.own_ping == OwnPing::Awaited => self.fail(Error::PingTimeout),
                State::Open(..) => {
                    self.release();
                    self.own_ping = OwnPing::Unwritten;
                    self.deadline = Instant::NEVER;
                    self.write_frame(Opcode::Ping, &[]);
                }
                State::Closing(..) => {
                    self.end(CloseCode::ABNORMAL, "", Endpoint::Local, Some(Error::CloseTimeout));
                    self.enter(State::Closed);
                }
                State::Draining => self.enter(State::Closed),
                State::Handshake(_) | State::Closed => self.deadline = Instant::NEVER,
            }
        }
        self.poll_event()
    }

    pub(crate) const fn outbox(&self) -> &Outbox {
        match &self.state {
            State::Handshake(handshake) => handshake.http.outbox(),
            _ => &self.outbox,
        }
    }

    fn watch_writes(&mut self) {
        if !self.outbox.is_empty() {
            self.stall.queued(self.now, self.config.write_timeout, self.outbox.len());
        }
    }

    /// Nothing came for a while: gives back what can be made again.
    pub(crate) fn release(&mut self) {
        self.credit = Credit::NONE;
        if let State::Open(reader, _) = &self.state
            && let Some(deflate) = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut())
        {
            deflate.release(reader.is_inflating());
        }
    }

    /// A sign of life.
    #[inline]
    fn heard(&mut self) {
        if self.is_open() {
            self.own_ping = OwnPing::Unsent;
            let interval = self.config.ping_interval;
            self.deadline = interval.map_or(Instant::NEVER, |interval| self.now.saturating_add(interval));
        }
    }

    /// The pong may stand behind what is not read: the peer has its time for it anew.
    pub(crate) fn await_pong_anew(&mut self, now: Instant) {
        self.clock(now);
        if self.own_ping == OwnPing::Awaited && self.is_open() {
            self.deadline = self.now.saturating_add(self.config.ping_timeout);
        }
    }

    #[inline]
    fn clock(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

const _: () = assert!(size_of::<Connection>() <= 128);
