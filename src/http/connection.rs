//! The server's side of one byte stream.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::{Buf as _, BytesMut};

use super::reader::{Limits, LimitsError, RequestReader};
use super::{Error, Request, Response};
use crate::outbox::Outbox;
use crate::outflow::{Outflow, Patience};
use crate::stream::Stream;
use crate::time::Instant;

/// How a [`Connection`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What a peer may make the connection hold.
    pub limits: Limits,
    /// From the beginning of the stream, or of a later request, to the end of its head. It is absolute: bytes
    /// that trickle do not extend it. Default 10 s.
    pub head_timeout: Duration,
    /// From the end of a head to the end of its body. Default 30 s.
    pub body_timeout: Duration,
    /// Between an answer, from when it is written, and the first byte of the next request. Default 60 s.
    pub idle_timeout: Duration,
    /// How long the application may take to answer; then the peer gets a 503. Default 60 s.
    pub answer_timeout: Duration,
    /// How long a peer may take to read 16 KiB of what is sent to it, or all that waited when the time
    /// began if that is less. Default 30 s.
    pub write_timeout: Duration,
    /// After the last byte of the last answer: how long to wait for the peer to end the stream. Default 2 s.
    pub linger_timeout: Duration,
    /// Bytes kept of what is sent behind a request that is not answered yet; no less than a driver reads at once, which may
    /// be all of that. As many bytes of unread answers stop further reading, and of what was read the requests that are left
    /// wait. Default 65,536.
    pub pipelined_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(2),
            pipelined_bytes_max: 65_536,
        }
    }
}

impl Config {
    /// Whether these settings can work.
    ///
    /// # Errors
    /// The first limit that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        self.limits.validate()?;
        LimitsError::check("pipelined_bytes_max", self.pipelined_bytes_max, 1, isize::MAX as usize)?;
        LimitsError::positive("head_timeout", self.head_timeout)?;
        LimitsError::positive("body_timeout", self.body_timeout)?;
        LimitsError::positive("idle_timeout", self.idle_timeout)?;
        LimitsError::positive("answer_timeout", self.answer_timeout)?;
        LimitsError::positive("write_timeout", self.write_timeout)?;
        LimitsError::positive("linger_timeout", self.linger_timeout)
    }

    const fn patience(&self) -> Patience {
        Patience { write: self.write_timeout, linger: self.linger_timeout }
    }
}

/// What happened on a [`Connection`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request has arrived whole: answer it with [`Connection::respond`]. The next one comes only after that.
    Request(Request),
    /// The connection is over; always the last event, exactly once. Without an error both sides
    /// were done.
    Closed {
        /// What went wrong, if anything did.
        error: Option<Error>,
    },
}

/// What is left of a connection whose stream speaks another protocol now.
pub(crate) struct Upgraded {
    /// Bytes still to be written.
    pub(crate) outbox: Outbox,
    /// Bytes that were read already.
    pub(crate) early: Vec<u8>,
    /// Whether no more will come.
    pub(crate) peer_ended: bool,
}

/// The answer cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// No request awaits an answer.
    #[error("no request awaits an answer")]
    NoRequest,
}

/// The server's side of one HTTP/1.1 byte stream.
///
/// ```text
///            request whole              respond
///  Reading ────────────────▶ Answering ─────────▶ Reading (keep-alive)
///     │  error, time-out         │ respond (last)
///     └────────────▶ Over ◀──────┘
/// ```
pub struct Connection {
    config: Arc<Config>,
    phase: Phase,
    reader: RequestReader,
    /// What came behind the request that is not answered yet, then the input of the next ones.
    pipelined: BytesMut,
    out: Outflow<Error>,
    now: Instant,
    /// The end of the present phase.
    deadline: Instant,
    /// When the last head with a body behind it was whole.
    body_begun: Instant,
    /// Whether a request was answered before.
    answered: bool,
    tells_refusals: bool,
    /// Whether nothing further is read until everything is written.
    awaits_reader: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    Answering {
        keep_alive: bool,
        head_only: bool,
        old: bool,
        parked: bool,
        refused: Option<Error>,
    },
    /// The outgoing half may have something to write.
    Over,
}

impl Connection {
    /// A connection at the beginning of its byte stream.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant) -> Self {
        let deadline = now.saturating_add(config.head_timeout);
        Self {
            config,
            phase: Phase::Reading,
            reader: RequestReader::new(),
            pipelined: BytesMut::new(),
            out: Outflow::new(),
            now,
            deadline,
            body_begun: now,
            answered: false,
            tells_refusals: false,
            awaits_reader: false,
        }
    }

    /// The same, but a request whose body cannot be taken is told like others ([`Request::refused`]): its owner answers it, at
    /// once, and that is the last answer.
    pub(crate) const fn telling_refusals(mut self) -> Self {
        self.tells_refusals = true;
        self
    }

    /// Takes bytes off the front of `input` until there is something to tell; `None` when all are consumed.
    #[must_use = "what happened is told only once"]
    #[inline]
    pub fn receive(&mut self, now: Instant, input: &mut &[u8]) -> Option<Event> {
        if let [byte] = **input
            && self.push(byte)
        {
            *input = &[];
            return None;
        }
        self.receive_any(now, input)
    }

    /// The same for all but a byte within a head.
    fn receive_any(&mut self, now: Instant, input: &mut &[u8]) -> Option<Event> {
        self.clock(now);
        if let Some(event) = self.poll_event() {
            return Some(event);
        }
        if input.is_empty() {
            return None;
        }
        if self.reads() {
            let event = self.read(input);
            if event.is_some() || self.phase == Phase::Reading {
                return event;
            }
        }
        if self.phase != Phase::Over {
            let room = self.config.pipelined_bytes_max.saturating_sub(self.pipelined.len());
            if input.len() > room {
                *input = &[];
                self.fail(Error::Pipelined);
                return self.poll_event();
            }
            self.pipelined.extend_from_slice(input);
        }
        *input = &[];
        None
    }

    /// Whether the byte is one within a head that has begun, and was taken: nothing else happens then, and no time is to be
    /// noted. The rest is left to [`receive`](Self::receive).
    #[inline]
    pub(crate) fn push(&mut self, byte: u8) -> bool {
        let taken = self.reader.push(&self.config.limits, byte);
        // A head begins when everything before it is read and answered, and does not outlive the peer's end of the stream.
        debug_assert!(!taken || self.phase == Phase::Reading && self.pipelined.is_empty() && !self.out.peer_ended());
        taken
    }

    /// Whether what comes is read now. Further requests wait until the answers to those before are read by the peer.
    fn reads(&self) -> bool {
        self.phase == Phase::Reading && (self.has_room() || self.reader.is_mid_request())
    }

    fn has_room(&self) -> bool {
        !self.awaits_reader && self.outgoing_len() < self.config.pipelined_bytes_max
    }

    /// Whether [`poll_event`](Self::poll_event) has a request that waited.
    pub(crate) fn is_resumable(&self) -> bool {
        !self.pipelined.is_empty() && self.reads()
    }

    /// One step in phase `Reading`.
    fn read(&mut self, input: &mut &[u8]) -> Option<Event> {
        let (was_idle, was_head) = (!self.reader.is_mid_request(), !self.reader.is_in_body());
        if was_idle && !input.is_empty() && self.answered {
            // Of the first request the time runs from the beginning of the stream.
            self.deadline = self.now.saturating_add(self.config.head_timeout);
        }
        match self.reader.read(&self.config.limits, input) {
            Ok(Some(request)) => {
                // Also where the body came without waiting: the answer must not depend on how the bytes were cut.
                if was_head && request.awaits_continue() {
                    self.write_continue();
                }
                Some(self.asked(request))
            }
            Ok(None) => {
                if was_head && self.reader.is_in_body() {
                    self.body_begun = self.now;
                    self.deadline = self.now.saturating_add(self.config.body_timeout);
                    if self.reader.awaits_continue() {
                        self.write_continue();
                    }
                }
                None
            }
            Err(error) => {
                // Also here: a body is refused only after its head was taken.
                if was_head && self.reader.awaits_continue() {
                    self.write_continue();
                }
                match self.reader.take_refused().filter(|_| self.tells_refusals) {
                    Some(mut request) => {
                        request.0.refused = Some(error);
                        Some(self.asked(request))
                    }
                    None => {
                        self.fail(error);
                        self.poll_event()
                    }
                }
            }
        }
    }

    /// A request is the application's to answer.
    fn asked(&mut self, request: Request) -> Event {
        let refused = request.refused();
        let keep_alive = refused.is_none() && request.keep_alive();
        let (head_only, old) = (request.method() == "HEAD", request.minor_version() == 0);
        self.phase = Phase::Answering { keep_alive, head_only, old, parked: false, refused };
        self.deadline = self.now.saturating_add(self.config.answer_timeout);
        Event::Request(request)
    }

    /// The peer will send no more. Requests that are there already are still told, and answered.
    #[must_use = "the end is told only once"]
    pub fn receive_eof(&mut self, now: Instant) -> Option<Event> {
        self.clock(now);
        self.out.receive_eof();
        self.poll_event()
    }

    /// What happened without input: the end, or the request that was sent behind another, after its answer; where much of
    /// answers is unread, after [`sent`](Self::sent).
    #[must_use = "what happened is told only once"]
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.is_resumable() {
            let mut kept = core::mem::take(&mut self.pipelined);
            let mut rest = &kept[..];
            let event = self.read(&mut rest);
            if matches!(self.phase, Phase::Answering { .. }) {
                let taken = kept.len().saturating_sub(rest.len());
                kept.advance(taken);
                // Of what is told nothing is kept.
                self.pipelined = if kept.is_empty() { BytesMut::new() } else { kept };
            }
            if event.is_some() {
                return event;
            }
        }
        if self.phase == Phase::Reading && self.pipelined.is_empty() && self.out.peer_ended() {
            if self.reader.is_mid_request() {
                self.fail(Error::UnexpectedEof);
            } else {
                // An end in place of a further request is how a kept-alive stream ends.
                self.end(None);
            }
        }
        self.out.poll_ended().map(|error| Event::Closed { error })
    }

    /// Whether [`poll_event`](Self::poll_event) may have something to tell.
    pub(crate) fn has_more(&self) -> bool {
        !self.pipelined.is_empty() || self.out.peer_ended() || !self.out.is_open()
    }

    /// Answers the request that was told last.
    ///
    /// # Errors
    /// If there is none.
    pub fn respond(&mut self, now: Instant, response: Response) -> Result<(), RespondError> {
        self.clock(now);
        let Phase::Answering { keep_alive, head_only, old, refused, .. } = self.phase else {
            return Err(RespondError::NoRequest);
        };
        let connection = match (keep_alive, old) {
            (false, _) => Some("close"),
            (true, true) => Some("keep-alive"),
            (true, false) => None,
        };
        self.write(response, connection, head_only);
        self.answered = true;
        if keep_alive {
            self.phase = Phase::Reading;
            self.deadline = self.now.saturating_add(self.config.idle_timeout);
        } else {
            self.end(refused);
        }
        Ok(())
    }

    /// The answer to the request that was told last comes when there is something to say: it has no time of its own, and
    /// the stream is read meanwhile, so that the peer's end is noticed.
    pub(crate) const fn park(&mut self) {
        if let Phase::Answering { parked, .. } = &mut self.phase {
            *parked = true;
            self.deadline = Instant::NEVER;
        }
    }

    /// Nothing that comes behind the answer that is queued is told before [`sent`](Self::sent) has it all.
    pub(crate) const fn await_reader(&mut self) {
        self.awaits_reader = true;
    }

    /// Whether the peer has ended its half of the stream.
    pub(crate) const fn peer_ended(&self) -> bool {
        self.out.peer_ended()
    }

    /// The request whose head has come and whose body has not come to its end.
    pub(crate) const fn unfinished(&self) -> Option<&Request> {
        self.reader.unfinished()
    }

    /// When the body of that request began to come; never, if there is none.
    pub(crate) const fn begun(&self) -> Instant {
        if self.reader.is_in_body() { self.body_begun } else { Instant::NEVER }
    }

    /// Whether something came behind the request that is not answered yet.
    pub(crate) fn is_followed(&self) -> bool {
        matches!(self.phase, Phase::Answering { .. }) && !self.pipelined.is_empty()
    }

    /// Answers and ends the stream, whether it might have carried more or not.
    ///
    /// # Errors
    /// If no request awaits an answer.
    pub fn respond_last(&mut self, now: Instant, response: Response) -> Result<(), RespondError> {
        if let Phase::Answering { keep_alive, .. } = &mut self.phase {
            *keep_alive = false;
        }
        self.respond(now, response)
    }

    /// Ends the stream after what is already queued.
    pub fn close(&mut self, now: Instant) {
        self.clock(now);
        self.end(None);
    }

    /// Gives the connection up at once: nothing queued is written any more.
    pub fn abort(&mut self, now: Instant) {
        self.clock(now);
        self.out.abandon(None);
        self.end(None);
    }

    /// Bytes to be written, in order.
    pub fn outgoing(&self) -> impl Iterator<Item = &[u8]> {
        self.out.outbox().chunks()
    }

    /// How many bytes are to be written.
    #[must_use]
    pub const fn outgoing_len(&self) -> usize {
        self.out.outbox().len()
    }

    /// So many bytes of [`outgoing`](Self::outgoing) were written; for a request that waited for that see
    /// [`poll_event`](Self::poll_event).
    pub fn sent(&mut self, now: Instant, count: usize) {
        self.clock(now);
        let waited = self.outgoing_len() > 0;
        self.out.sent(self.now, self.config.patience(), count);
        self.awaits_reader &= self.outgoing_len() > 0;
        let is_idle = self.phase == Phase::Reading && self.answered && !self.reader.is_mid_request();
        if waited && self.outgoing_len() == 0 && is_idle {
            self.deadline = self.now.saturating_add(self.config.idle_timeout);
        }
    }

    /// Whether it is worth while to read: false while a request is unanswered, or the answers unread.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        match self.phase {
            Phase::Reading => self.has_room(),
            // One read at a time is kept of what comes behind it.
            Phase::Answering { parked, .. } => parked && self.pipelined.is_empty(),
            Phase::Over => self.stream() == Stream::HalfClosed,
        }
    }

    /// What is to be done with the byte stream once everything is written.
    #[must_use]
    pub const fn stream(&self) -> Stream {
        self.out.stream()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.min(self.out.deadline()).finite()
    }

    /// Does what is due at `now`; afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    #[must_use = "the end is told only once"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Event> {
        self.clock(now);
        self.out.handle_timeout(self.now, Error::WriteTimeout);
        if !self.out.is_open() {
            self.end(None);
        } else if self.deadline <= self.now {
            match self.phase {
                Phase::Reading if self.reader.is_mid_request() => self.fail(Error::Timeout),
                Phase::Answering { .. } => self.fail(Error::AnswerTimeout),
                // It is the peer's turn to read, and that has a time of its own.
                Phase::Reading if !self.pipelined.is_empty() || self.outgoing_len() > 0 => {
                    self.deadline = self.now.saturating_add(self.config.idle_timeout);
                }
                Phase::Reading | Phase::Over => self.end(None),
            }
        }
        self.poll_event()
    }

    /// The stream speaks another protocol from here on.
    pub(crate) fn into_upgraded(self) -> Upgraded {
        let peer_ended = self.out.peer_ended();
        Upgraded { outbox: self.out.into_outbox(), early: self.pipelined.into(), peer_ended }
    }

    pub(crate) const fn outbox(&self) -> &Outbox {
        self.out.outbox()
    }

    /// Writes what is the last of HTTP on this stream.
    pub(crate) fn write_switching(&mut self, response: Response) {
        let (head, _) = response.into_parts(None);
        self.out.write(self.now, self.config.patience(), |outbox| push_head(outbox, head));
    }

    fn write(&mut self, response: Response, connection: Option<&str>, head_only: bool) {
        let with_body = !head_only && !response.is_bodiless();
        let (head, body) = response.into_parts(connection);
        self.out.write(self.now, self.config.patience(), |outbox| {
            push_head(outbox, head);
            if with_body {
                outbox.push_bytes(body);
            }
        });
    }

    fn write_continue(&mut self) {
        self.out.write(self.now, self.config.patience(), |outbox| outbox.push(b"HTTP/1.1 100 Continue\r\n\r\n"));
    }

    fn fail(&mut self, error: Error) {
        if !self.out.is_open() {
            return;
        }
        if let Some(response) = error.response() {
            let head_only = matches!(self.phase, Phase::Answering { head_only: true, .. });
            self.write(response, Some("close"), head_only);
        }
        self.end(Some(error));
    }

    /// No further request is read; what is queued still goes out.
    fn end(&mut self, error: Option<Error>) {
        self.out.end(self.now, self.config.patience(), error);
        self.reader = RequestReader::new();
        self.pipelined = BytesMut::new();
        self.phase = Phase::Over;
        self.deadline = Instant::NEVER;
    }

    fn clock(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

impl fmt::Debug for Connection {
    /// Shows how much there is of what was received and is to be sent, not what: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("config", &self.config)
            .field("phase", &self.phase)
            .field("reader", &self.reader)
            .field("pipelined_bytes", &self.pipelined.len())
            .field("out", &self.out)
            .field("now", &self.now)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Queues a head; one that nothing stands before is not copied.
fn push_head(outbox: &mut Outbox, head: Vec<u8>) {
    if outbox.is_empty() {
        outbox.push_with(|tail| *tail = head);
    } else {
        outbox.push_sized(head.len(), |tail| tail.extend_from_slice(&head));
    }
}
