use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Error;
use super::close::{self, CONTROL_BYTES_MAX, CloseCode, Closed, Endpoint};
use super::config::Config;
use super::deflate::{Agreed, Deflate};
use super::frame::{HEADER_BYTES_MAX, Header, Opcode, RSV1, Role};
use super::handshake::{Accept, AcceptError, HandshakeError, Upgrade};
use super::mask::apply_mask;
use super::message::{Message, Prepared};
use super::opening::{Expected, Opened, Opening};
use super::reader::{Context, Inbound, MessageReader};
use crate::entropy::Entropy;
use crate::http::{self, ReceivedResponse, Response, ResponseReader, Upgraded};
use crate::outbox::Outbox;
use crate::stall::Stall;
use crate::stream::Stream;
use crate::time::Instant;

/// What happened on a [`Connection`]. Payloads are lent from the input where they lay whole in it.
#[derive(Debug)]
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
    /// A ping; it is answered already.
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
    #[error("payload too long")]
    TooLong,
    /// The peer does not read fast enough, see [`Limits::outbox_bytes_max`](super::Limits::outbox_bytes_max).
    #[error("outbox is full")]
    OutboxFull,
}

/// Pongs queued since the outbox was last empty, in bytes. Beyond that only the newest ping is
/// owed an answer (section 5.5.3), so that pings of who reads nothing cost nothing.
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
    awaits_pong: bool,
    /// Whether the peer ended its stream before the handshake was answered.
    peer_ended: bool,
    role: Role,
}

#[derive(Debug, Default)]
struct Extras {
    /// Where masking keys come from: a client's only.
    masks: Option<Entropy>,
    /// The compression that was agreed on.
    deflate: Option<Deflate>,
    /// The newest ping that is owed an answer beyond those already queued.
    pong: Option<Pong>,
}

#[derive(Debug)]
enum State {
    /// The server's.
    Handshake(Box<Handshake>),
    /// The client's: the request is queued, the response is awaited.
    Requested(Box<Requested>),
    Open(MessageReader),
    /// Our close frame is queued, the peer's is awaited.
    Closing(MessageReader),
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

#[derive(Debug)]
struct Pong {
    payload: [u8; CONTROL_BYTES_MAX],
    len: usize,
}

impl Connection {
    /// The server's end, at the beginning of the byte stream: the opening handshake comes first.
    #[must_use]
    pub fn server(config: Arc<Config>, now: Instant) -> Self {
        let http = http::Connection::new(config.http.clone(), now);
        let handshake = Handshake { http, upgrade: None, ended: false };
        Self::new(Role::Server, config, State::Handshake(Box::new(handshake)), Outbox::new(), now)
    }

    /// The client's end, at the beginning of the byte stream: the request for the opening handshake is queued, and
    /// [`Event::Opened`] tells when it is accepted. Its key and the masking keys (RFC 6455 section 10.3) are drawn from
    /// `seed`, which must be secret and fresh.
    #[must_use]
    pub fn client(config: Arc<Config>, opening: Opening, seed: [u8; 32], now: Instant) -> Self {
        let mut entropy = Entropy::new(seed);
        let mut outbox = Outbox::new();
        let expected = outbox.push_with(|out| opening.write(config.deflate(), &mut entropy, out));
        let requested = Requested { reader: ResponseReader::new(), expected };
        let deadline = now.saturating_add(config.http.head_timeout);
        let mut conn = Self::new(Role::Client, config, State::Requested(Box::new(requested)), outbox, now);
        conn.extras = Some(Box::new(Extras { masks: Some(entropy), ..Extras::default() }));
        conn.deadline = deadline;
        conn.watch_writes();
        conn
    }

    /// The server's end of a stream on which somebody else has answered the opening handshake.
    #[must_use]
    pub fn server_after_upgrade(config: Arc<Config>, now: Instant) -> Self {
        Self::open(Role::Server, config, Outbox::new(), Vec::new(), now)
    }

    /// The client's end of a stream on which somebody else has made the opening handshake. Masking keys (RFC
    /// 6455 section 10.3) are drawn from `seed`, which must be secret and fresh.
    #[must_use]
    pub fn client_after_upgrade(config: Arc<Config>, seed: [u8; 32], now: Instant) -> Self {
        let mut conn = Self::open(Role::Client, config, Outbox::new(), Vec::new(), now);
        conn.extras = Some(Box::new(Extras { masks: Some(Entropy::new(seed)), ..Extras::default() }));
        conn
    }

    /// Goes on behind an HTTP connection whose last request is `upgrade`.
    pub(crate) fn upgrade_http(
        mut http: http::Connection,
        upgrade: &Upgrade,
        accept: &Accept,
        config: Arc<Config>,
        now: Instant,
    ) -> Result<Self, AcceptError> {
        let agreed = http.outbox_mut().push_with(|out| upgrade.write(accept, config.deflate(), out))?;
        Ok(Self::upgraded(config, http.into_upgraded(), agreed, now))
    }

    fn open(role: Role, config: Arc<Config>, outbox: Outbox, early: Vec<u8>, now: Instant) -> Self {
        let mut conn = Self::new(role, config, State::Open(MessageReader::with_early(early)), outbox, now);
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
            awaits_pong: false,
            peer_ended: false,
            role,
        }
    }

    /// The server's end behind an HTTP connection.
    fn upgraded(config: Arc<Config>, http: Upgraded, agreed: Option<Agreed>, now: Instant) -> Self {
        let mut conn = Self::open(Role::Server, config, http.outbox, http.early, now);
        let deflate = agreed.zip(conn.config.deflate());
        let deflate = deflate.map(|(agreed, config)| Deflate::new(Role::Server, agreed, *config));
        if deflate.is_some() {
            conn.extras.get_or_insert_default().deflate = deflate;
        }
        conn.peer_ended = http.peer_ended;
        conn
    }

    /// Which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether messages can be sent.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Takes bytes off the front of `input` until there is something to tell; `None` when all are
    /// consumed. Violations by the peer are answered and told as [`Event::Closed`].
    pub fn receive<'a>(&mut self, now: Instant, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        self.clock(now);
        if let Some(event) = self.poll_event() {
            return Some(event);
        }
        if !input.is_empty() {
            self.heard();
        }
        if let State::Requested(_) = self.state
            && let Some(event) = self.read_response(input)
        {
            return Some(event);
        }
        if let State::Open(_) | State::Closing(_) = self.state {
            let event = self.read_messages(input);
            if event.is_some() || input.is_empty() {
                return event;
            }
        }
        let event = match &mut self.state {
            State::Handshake(handshake) => {
                let mut rest: &[u8] = input;
                let event = handshake.http.receive(self.now, &mut rest);
                consume(input, rest.len());
                event
            }
            State::Requested(_) => return None,
            _ => {
                *input = &mut [];
                None
            }
        };
        match event {
            Some(event) => self.handshake_event(event, Error::UnexpectedEof),
            None => self.poll_event(),
        }
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
            State::Open(_) | State::Closing(_) => {
                self.peer_ended = true;
                return self.poll_event();
            }
            State::Draining | State::Closed => {}
        }
        self.enter(State::Closed);
        self.poll_event()
    }

    /// What happened without input: the end, or what the peer sent behind its handshake before that was accepted.
    pub fn poll_event<'a>(&mut self) -> Option<Event<'a>> {
        let event = self.read_messages(&mut &mut [][..]);
        if event.is_some() {
            return event;
        }
        if self.peer_ended && matches!(self.state, State::Open(_) | State::Closing(_)) {
            return self.stream_ended();
        }
        self.closed.take().map(Event::Closed)
    }

    /// Accepts the opening handshake that was told by [`Event::Upgrade`].
    ///
    /// # Errors
    /// If there is none, or the subprotocol was not offered; nothing is sent then.
    pub fn accept(&mut self, now: Instant, accept: &Accept) -> Result<(), AcceptError> {
        self.clock(now);
        let State::Handshake(handshake) = &mut self.state else { return Err(AcceptError::NotAwaited) };
        let upgrade = handshake.upgrade.as_ref().ok_or(AcceptError::NotAwaited)?;
        let deflate = self.config.deflate();
        let agreed = handshake.http.outbox_mut().push_with(|out| upgrade.write(accept, deflate, out))?;
        if let State::Handshake(handshake) = core::mem::replace(&mut self.state, State::Closed) {
            *self = Self::upgraded(self.config.clone(), handshake.http.into_upgraded(), agreed, self.now);
        }
        Ok(())
    }

    /// Answers the opening handshake with another response, and ends.
    ///
    /// # Errors
    /// If no handshake awaits an answer.
    pub fn reject(&mut self, now: Instant, response: Response) -> Result<(), AcceptError> {
        self.clock(now);
        let State::Handshake(handshake) = &mut self.state else { return Err(AcceptError::NotAwaited) };
        handshake.upgrade.take().ok_or(AcceptError::NotAwaited)?;
        self.refuse(HandshakeError::Rejected, response);
        Ok(())
    }

    /// Queues a message, compressed where that was agreed on and is worth it.
    ///
    /// # Errors
    /// If the connection is not open or the outbox has no room; nothing is queued then.
    pub fn send<'m>(&mut self, now: Instant, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        self.clock(now);
        let message = message.into();
        self.require_room(message.as_bytes().len())?;
        if !self.write_compressed(message.opcode(), message.as_bytes()) {
            self.write_message(message);
        }
        Ok(())
    }

    /// Queues a message that is not compressed, whatever was agreed on: for one that holds a secret beside text of somebody
    /// else's choice, whose compressed size would tell of it.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_plain<'m>(&mut self, now: Instant, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        self.clock(now);
        let message = message.into();
        self.require_room(message.as_bytes().len())?;
        self.write_message(message);
        Ok(())
    }

    /// Queues a message that was encoded before, by reference. Where compression with context takeover was agreed on it
    /// goes plain: what is compressed once for all cannot refer to what this connection sent before.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_prepared(&mut self, now: Instant, prepared: &Prepared) -> Result<(), SendError> {
        self.clock(now);
        self.require_room(prepared.payload().len())?;
        match self.role {
            Role::Server => {
                let deflate = self.extras.as_ref().and_then(|extras| extras.deflate.as_ref());
                let deflated = deflate.filter(|deflate| deflate.takes_prepared()).and(prepared.deflated_frame());
                self.outbox.push_shared(deflated.unwrap_or_else(|| prepared.frame()));
                self.watch_writes();
            }
            Role::Client => self.write_frame(prepared.opcode(), prepared.payload()),
        }
        Ok(())
    }

    /// Queues a ping; the answer comes as [`Event::Pong`].
    ///
    /// # Errors
    /// If the connection is not open, the payload has more than 125 bytes or the outbox has no room.
    pub fn ping(&mut self, now: Instant, payload: &[u8]) -> Result<(), SendError> {
        self.clock(now);
        if payload.len() > CONTROL_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        self.require_room(payload.len())?;
        self.write_frame(Opcode::Ping, payload);
        Ok(())
    }

    /// Begins the closing handshake. A code that must not be sent leaves the frame empty; a reason of more
    /// than 123 bytes is cut. Messages that the peer sent before its answer are still told.
    ///
    /// # Errors
    /// If the connection is not open.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.clock(now);
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Open(reader) => {
                self.enter(State::Closing(reader));
                self.write_frame(Opcode::Close, &close::encode(code, reason));
                Ok(())
            }
            other => {
                self.state = other;
                Err(SendError::NotOpen)
            }
        }
    }

    /// Gives the connection up at once: nothing queued is written any more. [`Event::Closed`] is still told,
    /// unless it was.
    pub fn abort(&mut self, now: Instant) {
        self.clock(now);
        self.abandon(None);
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
        self.outbox.advance(count);
        self.stall.written(self.now, self.config.write_timeout, count, self.outbox.len());
        if self.outbox.is_empty() {
            self.pong_bytes = 0;
            self.write_owed_pong();
        }
        self.watch_writes();
    }

    /// Whether it is worth while to read: false while too much that the peer should read is unwritten.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        match &self.state {
            State::Handshake(handshake) => handshake.http.wants_read(),
            State::Open(_) => self.outbox.len() < self.config.limits.read_pause_bytes,
            State::Requested(_) | State::Closing(_) | State::Draining => true,
            State::Closed => false,
        }
    }

    /// What is to be done with the byte stream once everything is written. After the closing handshake
    /// the server closes it first (section 7.1.1).
    #[must_use]
    pub const fn stream(&self) -> Stream {
        match &self.state {
            State::Handshake(handshake) => handshake.http.stream(),
            State::Requested(_) | State::Open(_) | State::Closing(_) => Stream::Open,
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
            match &mut self.state {
                State::Requested(requested) => match requested.reader.finish() {
                    Some(response) => return Some(self.answered(response)),
                    None => self.fail(Error::Http(http::Error::Timeout)),
                },
                State::Open(_) if self.awaits_pong => self.fail(Error::PingTimeout),
                State::Open(_) => {
                    self.release();
                    self.awaits_pong = true;
                    self.deadline = self.now.saturating_add(self.config.ping_timeout);
                    self.write_frame(Opcode::Ping, &[]);
                }
                State::Closing(_) => {
                    self.end(CloseCode::ABNORMAL, "", Endpoint::Local, Some(Error::CloseTimeout));
                    self.enter(State::Closed);
                }
                State::Draining => self.enter(State::Closed),
                State::Handshake(_) | State::Closed => self.deadline = Instant::NEVER,
            }
        }
        self.poll_event()
    }

    /// Reads on in what the peer sent, until there is something to tell.
    fn read_messages<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        loop {
            let (State::Open(reader) | State::Closing(reader)) = &mut self.state else { return None };
            let deflate = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut());
            let inflater = deflate.map(|deflate| &mut deflate.inflater);
            let mut context = Context { role: self.role, limits: &self.config.limits, inflater };
            match reader.read_in(&mut context, input) {
                Ok(None) => return None,
                Ok(Some(inbound)) => {
                    if let Some(event) = self.inbound(inbound) {
                        return Some(event);
                    }
                }
                Err(error) => {
                    self.fail(error);
                    return self.closed.take().map(Event::Closed);
                }
            }
        }
    }

    /// The peer ended its stream while a closing handshake was due.
    fn stream_ended<'a>(&mut self) -> Option<Event<'a>> {
        let by = if self.is_open() { Endpoint::Peer } else { Endpoint::Local };
        self.end(CloseCode::ABNORMAL, "", by, Some(Error::UnexpectedEof));
        self.enter(State::Closed);
        self.closed.take().map(Event::Closed)
    }

    /// What a frame means for the connection, and what of it is told.
    fn inbound<'a>(&mut self, inbound: Inbound<'a>) -> Option<Event<'a>> {
        match inbound {
            Inbound::Message(message) => Some(Event::Message(message)),
            Inbound::Ping(payload) => {
                self.owe_pong(&payload);
                Some(Event::Ping(payload))
            }
            Inbound::Pong(payload) => Some(Event::Pong(payload)),
            Inbound::Close(payload) => {
                match close::parse(&payload) {
                    Ok((code, reason)) => self.peer_closed(code, reason),
                    Err(error) => self.fail(error),
                }
                self.poll_event()
            }
        }
    }

    /// Answers the peer's close frame (section 5.5.1), or takes it as the answer to ours.
    fn peer_closed(&mut self, code: CloseCode, reason: &str) {
        let by = if self.is_open() {
            // The code is sent back; there is nothing to add to the reason.
            self.write_frame(Opcode::Close, &close::encode(code, ""));
            Endpoint::Peer
        } else {
            Endpoint::Local
        };
        self.end(code, reason, by, None);
        self.enter(match self.role() {
            Role::Server => State::Closed,
            Role::Client => State::Draining,
        });
    }

    /// Fails the connection (section 7.1.7): one close frame with the code, if none was sent, and the end.
    fn fail(&mut self, error: Error) {
        let code = error.close_code().unwrap_or(CloseCode::ABNORMAL);
        let reason = alloc::format!("{error}");
        if self.is_open() && code.is_sendable() {
            self.write_frame(Opcode::Close, &close::encode(code, &reason));
        }
        self.end(code, &reason, Endpoint::Local, Some(error));
        self.enter(State::Draining);
    }

    /// Ends without another byte.
    fn abandon(&mut self, error: Option<Error>) {
        self.end(CloseCode::ABNORMAL, "", Endpoint::Local, error);
        self.enter(State::Closed);
        self.outbox.clear();
        self.stall = Stall::NONE;
    }

    /// Notes the end, unless it was noted before.
    fn end(&mut self, code: CloseCode, reason: &str, by: Endpoint, error: Option<Error>) {
        let told = match &mut self.state {
            State::Handshake(handshake) => core::mem::replace(&mut handshake.ended, true),
            State::Requested(_) | State::Open(_) | State::Closing(_) => false,
            State::Draining | State::Closed => true,
        };
        if !told {
            self.closed = Some(Box::new(Closed { code, reason: reason.into(), by, error }));
        }
    }

    fn enter(&mut self, state: State) {
        self.deadline = match state {
            State::Closing(_) | State::Draining => self.now.saturating_add(self.config.close_timeout),
            _ => Instant::NEVER,
        };
        self.state = state;
    }

    /// Reads on in the server's response; what follows a 101 stays in the input.
    fn read_response<'a>(&mut self, input: &mut &mut [u8]) -> Option<Event<'a>> {
        let State::Requested(requested) = &mut self.state else { return None };
        let mut rest: &[u8] = input;
        let result = requested.reader.read(&self.config.http.limits, &mut rest);
        consume(input, rest.len());
        match result {
            Ok(None) => None,
            Ok(Some(response)) => Some(self.answered(response)),
            Err(error) => {
                self.fail(Error::Http(error));
                self.poll_event()
            }
        }
    }

    /// What the server's response means.
    fn answered<'a>(&mut self, response: ReceivedResponse) -> Event<'a> {
        let checked = match &self.state {
            State::Requested(requested) => requested.expected.check(&response),
            _ => Err(HandshakeError::Status(response.status())),
        };
        match checked {
            Ok((protocol, deflate)) => {
                // A client has them already, for its masking keys.
                self.extras.get_or_insert_default().deflate = deflate;
                self.state = State::Open(MessageReader::new());
                self.heard();
                Event::Opened(Box::new(Opened { protocol, response }))
            }
            Err(error) => {
                self.fail(Error::Handshake(error));
                Event::Refused(Box::new(response))
            }
        }
    }

    fn handshake_event<'a>(&mut self, event: http::Event, silence: Error) -> Option<Event<'a>> {
        match event {
            http::Event::Request(request) => match Upgrade::check(*request) {
                Ok(upgrade) => {
                    if let State::Handshake(handshake) = &mut self.state {
                        handshake.upgrade = Some(upgrade.clone());
                    }
                    Some(Event::Upgrade(upgrade))
                }
                Err(error) => {
                    self.refuse(error, error.response());
                    self.poll_event()
                }
            },
            http::Event::Closed { error } => {
                if let State::Handshake(handshake) = &mut self.state {
                    handshake.upgrade = None;
                }
                let error = error.map_or(silence, Error::Http);
                let by = match error {
                    Error::UnexpectedEof | Error::Http(http::Error::UnexpectedEof) => Endpoint::Peer,
                    _ => Endpoint::Local,
                };
                self.end(CloseCode::ABNORMAL, "", by, Some(error));
                self.poll_event()
            }
        }
    }

    fn refuse(&mut self, error: HandshakeError, response: Response) {
        if let State::Handshake(handshake) = &mut self.state {
            // It is awaited, since the request was just told; that this ends the stream is told below.
            let _ = handshake.http.respond_last(self.now, response);
            let _ = handshake.http.poll_event();
        }
        self.end(CloseCode::ABNORMAL, "", Endpoint::Local, Some(Error::Handshake(error)));
    }

    fn owe_pong(&mut self, payload: &[u8]) {
        if !self.is_open() {
            return;
        }
        let size = u16::try_from(payload.len().saturating_add(HEADER_BYTES_MAX)).unwrap_or(u16::MAX);
        if self.pong_bytes.saturating_add(size) <= PONG_BYTES_MAX {
            self.pong_bytes = self.pong_bytes.saturating_add(size);
            return self.write_pong(payload);
        }
        let mut pong = Pong { payload: [0; CONTROL_BYTES_MAX], len: payload.len() };
        for (to, from) in pong.payload.iter_mut().zip(payload) {
            *to = *from;
        }
        self.extras.get_or_insert_default().pong = Some(pong);
    }

    fn write_owed_pong(&mut self) {
        let Some(extras) = &mut self.extras else { return };
        let pong = extras.pong.take();
        if extras.masks.is_none() && extras.deflate.is_none() {
            self.extras = None;
        }
        if let Some(pong) = pong.filter(|_| self.is_open()) {
            self.write_pong(pong.payload.get(..pong.len).unwrap_or_default());
        }
    }

    fn write_pong(&mut self, payload: &[u8]) {
        self.write_frame(Opcode::Pong, payload);
    }

    /// Queues a message as a compressed frame, if compression was agreed on and makes it smaller.
    fn write_compressed(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let Some(deflate) = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut()) else { return false };
        if !deflate.is_worth(payload.len()) {
            return false;
        }
        let mut compressed = Vec::new();
        // Even where it is not smaller it must go: the context has it now.
        if !deflate.compress(payload, &mut compressed) {
            return false;
        }
        self.write_frame_with(opcode, RSV1, &compressed);
        true
    }

    /// Queues a message as it is.
    fn write_message(&mut self, message: Message<'_>) {
        let opcode = message.opcode();
        if self.role == Role::Client {
            return self.write_frame(opcode, message.as_bytes());
        }
        let payload_len = message.as_bytes().len() as u64;
        let (header, size) = Header { fin: true, opcode, mask: None, payload_len }.encode();
        self.outbox.push(header.get(..size).unwrap_or_default());
        match message {
            Message::Text(Cow::Borrowed(text)) => self.outbox.push(text.as_bytes()),
            Message::Binary(Cow::Borrowed(bytes)) => self.outbox.push(bytes),
            owned => self.outbox.push_owned(owned.take_owned().unwrap_or_default()),
        }
        self.watch_writes();
    }

    fn write_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        self.write_frame_with(opcode, 0, payload);
    }

    fn write_frame_with(&mut self, opcode: Opcode, reserved: u8, payload: &[u8]) {
        let masks = self.extras.as_mut().and_then(|extras| extras.masks.as_mut());
        let mask = masks.map(|entropy| entropy.bytes::<4>());
        let (header, size) = Header { fin: true, opcode, mask, payload_len: payload.len() as u64 }.encode();
        self.outbox.push_with(|out| {
            let first = out.len();
            out.extend_from_slice(header.get(..size).unwrap_or_default());
            if let Some(first) = out.get_mut(first) {
                *first |= reserved;
            }
            let start = out.len();
            out.extend_from_slice(payload);
            if let (Some(key), Some(payload)) = (mask, out.get_mut(start..)) {
                apply_mask(payload, key);
            }
        });
        self.watch_writes();
    }

    fn require_room(&self, payload_len: usize) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        let room = self.config.limits.outbox_bytes_max;
        let size = payload_len.saturating_add(HEADER_BYTES_MAX);
        if size > room {
            Err(SendError::TooLong)
        } else if self.outbox.len().saturating_add(size) > room {
            Err(SendError::OutboxFull)
        } else {
            Ok(())
        }
    }

    const fn outbox(&self) -> &Outbox {
        match &self.state {
            State::Handshake(handshake) => handshake.http.outbox(),
            _ => &self.outbox,
        }
    }

    fn watch_writes(&mut self) {
        if !self.outbox.is_empty() {
            self.stall.queued(self.now, self.config.write_timeout);
        }
    }

    /// Nothing came for a while: gives back what can be made again.
    fn release(&mut self) {
        if let State::Open(reader) = &self.state
            && reader.is_between_messages()
            && let Some(deflate) = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut())
        {
            deflate.release();
        }
    }

    /// A sign of life.
    fn heard(&mut self) {
        if self.is_open() {
            self.awaits_pong = false;
            let interval = self.config.ping_interval;
            self.deadline = interval.map_or(Instant::NEVER, |interval| self.now.saturating_add(interval));
        }
    }

    fn clock(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

/// Takes bytes off the front so that `left` remain.
fn consume(input: &mut &mut [u8], left: usize) {
    let used = input.len().saturating_sub(left);
    *input = core::mem::take(input).get_mut(used..).unwrap_or_default();
}

const _: () = assert!(size_of::<Connection>() <= 128);
