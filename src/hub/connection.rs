//! One byte stream: HTTP first, WebSocket after an upgrade.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::carrier::bytes_at_most;
use super::event::{DisconnectReason, Error, Event};
use super::format::as_text;
use super::front::Hub;
use super::handshake::Peer;
use super::ids::{ConnId, SessionId};
use super::timers::{Scheduled, Timer};
use crate::cursor::read_shared;
use crate::engineio::Revision;
use crate::http::{self, Response};
use crate::lines;
use crate::outbox::Outbox;
use crate::stream::Stream;
use crate::time::Instant;
use crate::ws::{self, CloseCode, Prepared, SendError};

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) link: Link,
    pub(super) peer: Peer,
    pub(super) tie: Tie,
    /// What went wrong, before the connection's own end is told.
    pub(super) error: Option<Error>,
    pub(super) scheduled: Scheduled,
    /// Whether it stands in the hub's queue of connections to serve.
    pub(super) queued: bool,
    pub(super) congested: bool,
    /// Whether its end was told.
    pub(super) ended: bool,
    /// Whether what it sent waits until the application has accepted it.
    pub(super) held: bool,
    /// Whether not everything was written since a ping of the session was queued that it carries, or whose packets it delivers.
    pub(super) has_ping: bool,
    /// The revision of who has a WebSocket and asked for binary data as text.
    pub(super) base64: Option<Revision>,
    /// What the driver was last asked to do.
    told: Stream,
    /// The answer to the request with which another server's stream became a WebSocket.
    pub(super) switched: Option<Box<Response>>,
}

/// What a connection is to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    None,
    /// It carries all of its packets.
    Carries(SessionId),
    /// Its request waits for packets.
    Polls(SessionId),
    /// The answer to its POST is not written yet.
    Posts(SessionId),
    /// The packets in the answer to its GET are not written yet. Nothing that comes behind them is looked at before.
    Delivers(SessionId),
    /// It is a WebSocket that will carry them.
    Upgrades(SessionId),
}

#[derive(Debug)]
pub(super) enum Link {
    /// Lines of text.
    Lines(Box<lines::Connection>),
    /// A request that another server has read; no bytes pass here.
    Foreign,
    Http(Box<http::Connection>),
    WebSocket(ws::Connection),
}

/// What a byte stream yields.
#[derive(Debug)]
pub(super) enum Received<'a> {
    Http(http::Event),
    WebSocket(ws::Event<'a>),
    Lines(lines::Event<'a>),
}

impl From<http::Event> for Received<'_> {
    fn from(event: http::Event) -> Self {
        Self::Http(event)
    }
}

impl<'a> From<ws::Event<'a>> for Received<'a> {
    fn from(event: ws::Event<'a>) -> Self {
        Self::WebSocket(event)
    }
}

impl<'a> From<lines::Event<'a>> for Received<'a> {
    fn from(event: lines::Event<'a>) -> Self {
        Self::Lines(event)
    }
}

/// The same for a byte stream of each kind, which have their methods in common; something else where there is none.
macro_rules! each {
    ($link:expr, $stream:ident => $do:expr, else $none:expr) => {
        match $link {
            Link::WebSocket($stream) => $do,
            Link::Lines($stream) => $do,
            Link::Http($stream) => $do,
            Link::Foreign => $none,
        }
    };
}

impl Conn {
    pub(super) fn new(config: Arc<http::Config>, peer: Peer, now: Instant) -> Self {
        Self::over(Link::Http(Box::new(http::Connection::new(config, now).telling_refusals())), peer)
    }

    pub(super) const fn over(link: Link, peer: Peer) -> Self {
        Self {
            link,
            peer,
            tie: Tie::None,
            error: None,
            scheduled: Scheduled::NONE,
            queued: false,
            congested: false,
            ended: false,
            held: false,
            has_ping: false,
            base64: None,
            told: Stream::Open,
            switched: None,
        }
    }

    pub(super) fn receive<'a>(&mut self, now: Instant, input: &mut &'a mut [u8]) -> Option<Received<'a>> {
        match &mut self.link {
            Link::WebSocket(ws) => ws.receive(now, input).map(Received::WebSocket),
            Link::Lines(lines) => lines.receive(now, input).map(Received::Lines),
            Link::Http(http) => read_shared(input, |input| http.receive(now, input)).map(Received::Http),
            Link::Foreign => None,
        }
    }

    /// When the message, or the body of a request, began to come whose end has not come; never, if there is none.
    pub(super) fn begun(&self) -> Instant {
        each!(&self.link, stream => stream.begun(), else Instant::NEVER)
    }

    /// Since when what its client owes may be under way: behind what is not read from it, or in or behind what it is sending.
    pub(super) fn owes_since(&self, now: Instant) -> Option<Instant> {
        if self.held { Some(now) } else { self.begun().finite() }
    }

    /// Whether the byte is one within the head of a request, and was taken.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        if let Link::Http(http) = &mut self.link { http.push(byte) } else { false }
    }

    pub(super) fn receive_eof(&mut self, now: Instant) -> Option<Received<'static>> {
        each!(&mut self.link, stream => stream.receive_eof(now).map(Received::from), else None)
    }

    pub(super) fn abort(&mut self, now: Instant) -> Option<Received<'static>> {
        each!(&mut self.link, stream => stream.abort(now), else {});
        self.poll_event()
    }

    pub(super) fn respond(&mut self, now: Instant, response: Response) {
        if let Link::Http(http) = &mut self.link {
            // Without a request there is nobody to tell.
            let _ = http.respond(now, response);
        }
    }

    /// The answer to the request at hand comes when there is something to say.
    pub(super) fn park(&mut self) {
        if let Link::Http(http) = &mut self.link {
            http.park();
        }
    }

    /// What comes behind the answer that is queued waits until that is written.
    pub(super) fn await_reader(&mut self) {
        if let Link::Http(http) = &mut self.link {
            http.await_reader();
        }
    }

    /// Whether no more requests will come.
    pub(super) fn peer_ended(&self) -> bool {
        matches!(&self.link, Link::Http(http) if http.peer_ended())
    }

    /// Whether something came behind the request that is not answered yet.
    pub(super) fn is_followed(&self) -> bool {
        matches!(&self.link, Link::Http(http) if http.is_followed())
    }

    /// Whether there may be something to tell without further input.
    pub(super) fn has_more(&self) -> bool {
        !matches!(&self.link, Link::Http(http) if !http.has_more())
    }

    fn poll_event(&mut self) -> Option<Received<'static>> {
        each!(&mut self.link, stream => stream.poll_event().map(Received::from), else None)
    }

    fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Option<Received<'static>> {
        match &mut self.link {
            Link::WebSocket(ws) => {
                // A connection that is closing already goes on with that.
                let _ = ws.close(now, code, reason);
            }
            Link::Lines(lines) => lines.close(now, reason),
            Link::Http(http) => http.close(now),
            Link::Foreign => {}
        }
        self.poll_event()
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<Received<'static>> {
        if self.held {
            self.await_pong_anew(now);
        }
        each!(&mut self.link, stream => stream.handle_timeout(now).map(Received::from), else None)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        each!(&self.link, stream => stream.poll_timeout(), else None)
    }

    pub(super) fn send(&mut self, now: Instant, prepared: &Prepared) -> Result<(), SendError> {
        match &mut self.link {
            Link::WebSocket(ws) => ws.send_prepared(now, prepared),
            Link::Lines(lines) => {
                // What is sent here is made of text.
                let line = core::str::from_utf8(prepared.payload()).unwrap_or_default();
                lines.send(now, line).map_err(|error| match error {
                    lines::SendError::OutboxFull => SendError::OutboxFull,
                    lines::SendError::NotOpen => SendError::NotOpen,
                })
            }
            Link::Http(_) | Link::Foreign => Err(SendError::NotOpen),
        }
    }

    /// Queues packets, all or none, within so many bytes: an event and its attachments.
    pub(super) fn send_all(&mut self, now: Instant, packets: &[Prepared], bytes_max: usize) -> Result<(), SendError> {
        let text: Option<Vec<_>> =
            self.base64.map(|revision| packets.iter().map(|packet| as_text(revision, packet)).collect());
        let packets = text.as_deref().unwrap_or(packets);
        let size = bytes_at_most(packets);
        if size > bytes_max {
            return Err(SendError::TooLong);
        }
        if self.outgoing_len().saturating_add(size) > bytes_max {
            return Err(SendError::OutboxFull);
        }
        packets.iter().try_for_each(|packet| self.send(now, packet))
    }

    pub(super) fn outbox(&self) -> Option<&Outbox> {
        each!(&self.link, stream => Some(stream.outbox()), else None)
    }

    pub(super) fn outgoing_len(&self) -> usize {
        self.outbox().map_or(0, Outbox::len)
    }

    pub(super) fn sent(&mut self, now: Instant, count: usize) {
        each!(&mut self.link, stream => stream.sent(now, count), else {});
    }

    /// Whether there is a request that waited for answers to be read.
    pub(super) fn is_resumable(&self) -> bool {
        matches!(&self.link, Link::Http(http) if http.is_resumable())
    }

    /// The heartbeat of a WebSocket may be answered behind what is not read.
    fn await_pong_anew(&mut self, now: Instant) {
        if let Link::WebSocket(ws) = &mut self.link {
            ws.await_pong_anew(now);
        }
    }

    /// A heartbeat: gives back what compression can make again.
    pub(super) fn rest(&mut self) {
        if let Link::WebSocket(ws) = &mut self.link {
            ws.release();
        }
    }

    /// What it sends is read again; whether it was not.
    pub(super) fn release(&mut self, now: Instant) -> bool {
        if self.held {
            self.await_pong_anew(now);
        }
        core::mem::take(&mut self.held)
    }

    pub(super) fn wants_read(&self) -> bool {
        !self.held && each!(&self.link, stream => stream.wants_read(), else false)
    }

    pub(super) const fn stream(&self) -> Stream {
        each!(&self.link, stream => stream.stream(), else Stream::Open)
    }
}

impl Hub {
    /// What a byte stream yielded means to the hub, and what of it is told.
    pub(super) fn received<'a>(&mut self, conn: ConnId, received: Received<'a>) -> Option<Event<'a>> {
        match received {
            Received::Http(http::Event::Request(request)) => self.http_request(conn, request),
            Received::Http(http::Event::Closed { error }) => {
                self.connection_ended(conn, DisconnectReason::TransportClosed, error.map(Error::Http));
                None
            }
            Received::WebSocket(ws::Event::Message(message)) => self.message(conn, message),
            Received::Lines(lines::Event::Line(line)) => self.line(conn, line),
            Received::Lines(lines::Event::Closed { error }) => {
                self.connection_ended(conn, DisconnectReason::TransportClosed, error.map(Error::Lines));
                None
            }
            Received::WebSocket(ws::Event::Closed(closed)) => {
                // A close frame without a packet before it is how a page ends: it may come back.
                self.connection_ended(conn, DisconnectReason::TransportClosed, closed.error.map(Error::WebSocket));
                None
            }
            // Handshakes are over, or a client's; no messages are told in pieces; control frames are not the application's.
            Received::WebSocket(
                ws::Event::Upgrade(_)
                | ws::Event::Opened(_)
                | ws::Event::Refused(_)
                | ws::Event::Piece(_)
                | ws::Event::Ping(_)
                | ws::Event::Pong(_),
            ) => None,
        }
    }

    /// The same where there is no input to lend from.
    pub(super) fn received_alone(&mut self, conn: ConnId, received: Received<'static>) {
        let event = self.received(conn, received);
        self.events.extend(event);
    }

    /// Bytes come of a message that began to come before. Who sends slowly is not silent: what its session waits for may stand
    /// in that message, or behind it. All that comes at one instant counts once, however it is cut.
    #[cold]
    pub(super) fn goes_on(&mut self, conn: ConnId) {
        let Some(entry) = self.conns.get(conn) else { return };
        let session = match (&entry.link, entry.tie) {
            (_, Tie::Carries(session)) => Some(session),
            // To the session that a POST is for no stream is tied before it is whole.
            (Link::Http(http), _) => http.unfinished().and_then(|request| self.posts_to(request)),
            _ => None,
        };
        if let Some(session) = session.and_then(|session| self.sessions.get_mut(session)) {
            session.await_anew(self.now, &self.config);
        }
    }

    /// Takes what was sent behind a question that is answered now, as far as there is something to tell: the application
    /// answers that before it is told more, be it the end of the stream.
    pub(super) fn settle_on(&mut self, conn: ConnId) {
        while self.events.is_empty()
            && let Some(received) = self.conns.get_mut(conn).and_then(Conn::poll_event)
        {
            self.received_alone(conn, received);
        }
        self.end_poll(conn);
        if !self.events.is_empty() {
            self.unsettled.push_front(conn);
        }
        self.touch(conn);
    }

    /// Takes all that a connection has to tell without further input.
    pub(super) fn settle(&mut self, conn: ConnId) {
        while let Some(received) = self.conns.get_mut(conn).and_then(Conn::poll_event) {
            self.received_alone(conn, received);
        }
        self.touch(conn);
    }

    pub(super) fn connection_due(&mut self, conn: ConnId) {
        let now = self.now;
        if let Some(received) = self.conns.get_mut(conn).and_then(|conn| conn.handle_timeout(now)) {
            self.received_alone(conn, received);
        }
        self.settle(conn);
    }

    /// Ends a connection from this side: its session at once, its stream after what is queued.
    pub(super) fn end_connection(
        &mut self,
        conn: ConnId,
        reason: DisconnectReason,
        error: Option<Error>,
        code: CloseCode,
        text: &str,
    ) {
        let now = self.now;
        self.detach(conn, reason, error);
        if let Some(received) = self.conns.get_mut(conn).and_then(|conn| conn.close(now, code, text)) {
            self.received_alone(conn, received);
        }
        self.touch(conn);
    }

    /// The stream is over: tells so, once.
    fn connection_ended(&mut self, conn: ConnId, reason: DisconnectReason, error: Option<Error>) {
        self.detach(conn, reason, error);
        if let Some(entry) = self.conns.get_mut(conn)
            && !core::mem::replace(&mut entry.ended, true)
        {
            self.events.push_back(Event::Closed { conn, error: entry.error });
        }
    }

    /// After anything that may have changed a connection: asks the driver to serve it if there is need, keeps its time,
    /// and forgets it when nothing is left of it.
    pub(super) fn touch(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let stream = conn.stream();
        // What was still to be written may have been given up: a driver that waits to write it has to know.
        let over = stream == Stream::Closed && conn.outgoing_len() == 0 && conn.ended;
        if (conn.outgoing_len() > 0 || stream != conn.told || over) && !conn.queued {
            conn.queued = true;
            self.transmit.push_back(id);
        }
        conn.told = stream;
        if over {
            // An answer may have been given up after the end was told.
            self.detach(id, DisconnectReason::TransportClosed, None);
            self.conns.remove(id);
            if self.is_shutting_down() && self.conns.len() == 0 && !self.elsewhere {
                // Nobody is left who could fetch anything.
                self.end_sessions(DisconnectReason::Shutdown);
            }
            return;
        }
        if let Some(at) = conn.poll_timeout() {
            self.timers.schedule(Timer::Conn(id), &mut conn.scheduled, at);
        }
    }

    pub(super) fn note_congestion(&mut self, conn: ConnId) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        if entry.outgoing_len() > self.config.limits.congested_bytes && !core::mem::replace(&mut entry.congested, true)
        {
            self.events.push_back(Event::Congested { conn });
        }
    }
}
