//! The front door: time, bytes in, bytes out.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::acks::Round;
use super::config::Config;
use super::connection::{Conn, Tie};
use super::error::{ConfigError, ConnectError};
use super::event::{DisconnectReason, Event};
use super::foreign::Answered;
use super::groups::{Groups, Sockets};
use super::handshake::Peer;
use super::history::History;
use super::ids::{ConnId, SessionId, SocketId, Token};
use super::polling::Payload;
use super::session::{Session, session_place};
use super::slab::Slab;
use super::timers::{Scheduled, Timer, Timers};
use crate::engineio::Sid;
use crate::entropy::Entropy;
use crate::http::{self, Response};
use crate::lines;
use crate::outbox::Outbox;
use crate::stream::Stream;
use crate::time::Instant;
use crate::ws::{self, CloseCode, DeflateConfig};

/// Everything that a realtime server keeps, see the [module](super).
pub struct Hub {
    pub(super) config: Config,
    pub(super) http_config: Arc<http::Config>,
    pub(super) ws_config: Arc<ws::Config>,
    /// For WebSockets without Engine.IO.
    pub(super) plain_config: Arc<ws::Config>,
    pub(super) lines_config: Arc<lines::Config>,
    pub(super) now: Instant,
    pub(super) entropy: Entropy,
    pub(super) conns: Slab<ConnId, Conn>,
    pub(super) sessions: Slab<SessionId, Session>,
    /// Sessions by the ids that clients know.
    pub(super) sids: BTreeMap<Sid, SessionId>,
    pub(super) sockets: Sockets,
    pub(super) groups: Groups,
    /// Sockets by the tokens that resume them.
    pub(super) tokens: BTreeMap<Token, SocketId>,
    /// What was emitted of late, if that is kept.
    pub(super) history: Option<Box<History>>,
    pub(super) timers: Timers,
    /// Connections with something to write or to do, each once.
    pub(super) transmit: VecDeque<ConnId>,
    /// Sessions on long polling for whose GET there is something.
    pub(super) polls: VecDeque<SessionId>,
    /// POSTs whose packets are not all looked at.
    pub(super) payloads: VecDeque<Payload>,
    /// Connections that were answered, and may have sent more behind the question.
    pub(super) unsettled: VecDeque<ConnId>,
    /// The responses to requests that another server has read.
    pub(super) responses: VecDeque<Answered>,
    /// What happened, and is not told yet.
    pub(super) events: VecDeque<Event<'static>>,
    /// The number of the last selection of sockets.
    pub(super) selections: u64,
    /// The id of the next acknowledgement that is asked for.
    pub(super) questions: u64,
    /// Those that were asked of many.
    pub(super) rounds: BTreeMap<u64, Round>,
    pub(super) away: usize,
    shutting_down: bool,
    /// Whether another server reads requests for this hub.
    pub(super) elsewhere: bool,
}

impl fmt::Debug for Hub {
    /// Shows how much there is, and nothing of what is said, ids and credentials included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("config", &self.config)
            .field("counts", &self.counts())
            .field("events", &self.events.len())
            .field("shutting_down", &self.shutting_down)
            .finish_non_exhaustive()
    }
}

/// How much there is in a [`Hub`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Byte streams.
    pub connections: usize,
    /// Engine.IO sessions.
    pub sessions: usize,
    /// Sockets, those that are away included.
    pub sockets: usize,
    /// Sockets that are away.
    pub away: usize,
    /// Rooms.
    pub rooms: usize,
    /// Users.
    pub users: usize,
    /// Bytes of the events that are kept for clients who were away, see [`Config::recovery`](super::Config::recovery).
    pub history_bytes: usize,
}

/// For the driver: streams, bytes, time (see the run loop of the [module](super)), pages, and the end.
impl Hub {
    /// A hub without connections. `seed` must be 32 fresh bytes from the operating system's random source (by the crate
    /// `getrandom`, for one): session ids and tokens are drawn from it.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut http_config = config.http;
        // A POST of long polling may be as long as clients are told.
        http_config.limits.body_bytes_max = http_config.limits.body_bytes_max.max(config.engine.max_payload);
        let http_config = Arc::new(http_config);
        let ws_config = ws::Config {
            limits: ws::Limits {
                message_bytes_max: config.engine.max_payload,
                outbox_bytes_max: config.limits.outbox_bytes_max,
                read_pause_bytes: config.limits.congested_bytes,
                ..ws::Limits::default()
            },
            http: http_config.clone(),
            // Engine.IO has a heartbeat of its own.
            ping_interval: None,
            deflate: config.deflate.map(DeflateConfig::each_alone),
            close_timeout: config.close_timeout,
            write_timeout: config.write_timeout,
            ..ws::Config::default()
        };
        let plain_config = ws::Config {
            ping_interval: Some(config.engine.ping_interval),
            ping_timeout: config.engine.ping_timeout,
            ..ws_config.clone()
        };
        let lines_config = config.lines();
        let mut entropy = Entropy::new(seed);
        let groups = Groups::new(&mut entropy);
        let history = config.recovery.map(|recovery| Box::new(History::new(recovery, &mut entropy)));
        Ok(Self {
            config,
            http_config,
            ws_config: ws_config.into(),
            plain_config: plain_config.into(),
            lines_config: lines_config.into(),
            now,
            entropy,
            conns: Slab::new(),
            sessions: Slab::new(),
            sids: BTreeMap::new(),
            sockets: Sockets::new(),
            groups,
            tokens: BTreeMap::new(),
            history,
            timers: Timers::default(),
            transmit: VecDeque::new(),
            polls: VecDeque::new(),
            payloads: VecDeque::new(),
            unsettled: VecDeque::new(),
            responses: VecDeque::new(),
            events: VecDeque::new(),
            selections: 0,
            questions: 0,
            rounds: BTreeMap::new(),
            away: 0,
            shutting_down: false,
            elsewhere: false,
        })
    }

    /// Registers a new byte stream, at its beginning.
    ///
    /// # Errors
    /// If there are too many already, or the hub shuts down.
    pub fn connect(&mut self, now: Instant) -> Result<ConnId, ConnectError> {
        self.connect_from(now, Peer::default())
    }

    /// The same with what is known of the peer, which [`handshake`](Self::handshake) shows.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub fn connect_from(&mut self, now: Instant, peer: Peer) -> Result<ConnId, ConnectError> {
        self.clock(now);
        self.register(Conn::new(self.http_config.clone(), peer, self.now))
    }

    /// Takes bytes off the front of `input` until there is something to tell; `None` when all are
    /// consumed. What happened elsewhere in the hub meanwhile is told first.
    #[must_use = "what happened is told only once"]
    pub fn receive<'a>(&mut self, now: Instant, conn: ConnId, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        self.clock(now);
        // Of a byte within a head there is nothing to tell, nor does anything else depend on it.
        if let [byte] = **input
            && self.conns.get_mut(conn).is_some_and(|conn| conn.push(byte))
        {
            *input = &mut [];
            return self.poll_event();
        }
        if !input.is_empty() && self.conns.get(conn).is_some_and(|conn| conn.begun() < self.now) {
            self.goes_on(conn);
        }
        loop {
            if let Some(event) = self.next_event() {
                return Some(event);
            }
            let Some(received) = self.conns.get_mut(conn).and_then(|conn| conn.receive(self.now, input)) else { break };
            let event = self.received(conn, received);
            if event.is_some() {
                self.touch(conn);
                return event;
            }
        }
        match self.conns.get(conn).map(|conn| conn.tie) {
            None => *input = &mut [],
            // What came behind the poll may want its answer.
            Some(Tie::Polls(session)) => self.poll_due(session),
            Some(_) => {}
        }
        self.touch(conn);
        self.poll_event()
    }

    /// The peer of `conn` will send no more. What happened is told by [`poll_event`](Self::poll_event).
    pub fn receive_eof(&mut self, now: Instant, conn: ConnId) {
        self.clock(now);
        if let Some(received) = self.conns.get_mut(conn).and_then(|conn| conn.receive_eof(self.now)) {
            self.received_alone(conn, received);
        }
        self.end_poll(conn);
        self.settle(conn);
    }

    /// The byte stream of `conn` broke: nothing can be read or written any more.
    pub fn abort(&mut self, now: Instant, conn: ConnId) {
        self.clock(now);
        self.lose_delivery(conn);
        if let Some(received) = self.conns.get_mut(conn).and_then(|conn| conn.abort(self.now)) {
            self.received_alone(conn, received);
        }
        self.settle(conn);
    }

    /// The next thing that happened without input of its connection: by a time-out, or by a call.
    #[must_use = "what happened is told only once"]
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        loop {
            let event = self.next_event();
            if event.is_some() || self.polls.is_empty() {
                return event;
            }
            // The application has said all that it had to.
            self.answer_polls();
        }
    }

    /// The next thing that happened, while more may be said before polls are answered.
    #[inline]
    fn next_event(&mut self) -> Option<Event<'static>> {
        // As it is mostly, and this is asked several times for each read.
        if self.events.is_empty() && self.unsettled.is_empty() && self.payloads.is_empty() {
            return None;
        }
        self.next_waiting_event()
    }

    #[inline(never)]
    fn next_waiting_event(&mut self) -> Option<Event<'static>> {
        loop {
            if let Some(event) = next(&mut self.events) {
                return Some(event);
            }
            if let Some(conn) = next(&mut self.unsettled) {
                self.settle_on(conn);
            } else if self.payloads.is_empty() {
                return None;
            } else if let Some(event) = self.read_payload() {
                return Some(event);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.poll_timeout()
    }

    /// Does all that is due at `now`; afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.clock(now);
        while let Some((at, timer)) = self.timers.pop(self.now) {
            match timer {
                Timer::Conn(id) => {
                    if self.conns.get_mut(id).is_some_and(|conn| conn.scheduled.fire(at)) {
                        self.connection_due(id);
                    }
                }
                Timer::Session(id) => {
                    if self.sessions.get_mut(id).is_some_and(|session| session.scheduled.fire(at)) {
                        self.session_due(id);
                    }
                }
                Timer::Socket(id) => {
                    if self.sockets.get_mut(id).is_some_and(|socket| socket.scheduled.fire(at)) {
                        self.socket_due(id);
                    }
                }
                Timer::History => self.expire_history(at),
                Timer::Shutdown => {
                    let all: Vec<ConnId> = self.conns.keys().collect();
                    all.into_iter().for_each(|conn| self.abort(self.now, conn));
                    self.end_sessions(DisconnectReason::Shutdown);
                }
                Timer::Group(id) => {
                    if self.groups.get_mut(id).is_some_and(|group| group.scheduled.fire(at)) {
                        self.tell_presence(Groups::place(id));
                    }
                }
            }
        }
    }

    /// The next connection that has something new to write, or whose stream is to be ended. Each is named once; what of it
    /// could not be written is not named again, see the run loop of the [module](super).
    #[must_use = "it is named only once"]
    pub fn poll_transmit(&mut self) -> Option<ConnId> {
        // A poll may have waited for the answer that was written last, as may requests behind that.
        self.answer_polls();
        while self.events.is_empty()
            && let Some(conn) = next(&mut self.unsettled)
        {
            self.settle_on(conn);
            self.answer_polls();
        }
        let id = next(&mut self.transmit)?;
        if let Some(conn) = self.conns.get_mut(id) {
            conn.queued = false;
        }
        Some(id)
    }

    /// Bytes to be written to the stream of `conn`, in order.
    pub fn outgoing(&self, conn: ConnId) -> impl Iterator<Item = &[u8]> {
        self.conns.get(conn).and_then(Conn::outbox).into_iter().flat_map(Outbox::chunks)
    }

    /// How many bytes are to be written; none for a connection that the hub does not know (any more).
    #[must_use]
    pub fn outgoing_len(&self, conn: ConnId) -> usize {
        self.conns.get(conn).map_or(0, Conn::outgoing_len)
    }

    /// Copies as much of [`outgoing`](Self::outgoing) as fits; how much that is. For drivers that must not hold the
    /// hub while they write.
    pub fn copy_outgoing(&self, conn: ConnId, buffer: &mut [u8]) -> usize {
        let mut copied = 0_usize;
        for piece in self.outgoing(conn) {
            let room = buffer.get_mut(copied..).unwrap_or_default();
            let size = piece.len().min(room.len());
            for (to, from) in room.iter_mut().zip(piece) {
                *to = *from;
            }
            copied = copied.saturating_add(size);
            if size < piece.len() {
                break;
            }
        }
        copied
    }

    /// So many bytes of [`outgoing`](Self::outgoing) were written. There may be something to tell and to serve then that waited
    /// for it: go on as the run loop of the [module](super) says.
    pub fn sent(&mut self, now: Instant, conn: ConnId, count: usize) {
        self.clock(now);
        let (now, limits) = (self.now, self.config.limits);
        let Some(mut entry) = self.conns.get_mut(conn) else { return };
        let expected = entry.outgoing_len().saturating_sub(count);
        let paused = matches!(entry.tie, Tie::Carries(_)) && !entry.wants_read();
        entry.sent(now, count);
        if entry.congested && !entry.ended && entry.outgoing_len() <= limits.congested_bytes / 2 {
            entry.congested = false;
            self.events.push_back(Event::Drained { conn });
            if let Tie::Carries(session) = entry.tie {
                self.release_latest(session_place(session));
            }
            let Some(again) = self.conns.get_mut(conn) else { return };
            entry = again;
        }
        if entry.is_resumable() {
            self.unsettled.push_back(conn);
        }
        // The driver is at it: of what it has left it need not be told, of what has come to it it must.
        let known = entry.outgoing_len() <= expected && !core::mem::replace(&mut entry.queued, true);
        match entry.tie {
            Tie::Carries(session) if paused && count > 0 => {
                entry.has_ping &= entry.outgoing_len() > 0;
                if let Some(session) = self.sessions.get_mut(session) {
                    // What it owes may stand behind what is not read from it; that it reads is a sign of life.
                    session.await_anew(now, &self.config);
                }
            }
            Tie::Carries(session) if entry.has_ping && entry.outgoing_len() == 0 => {
                entry.has_ping = false;
                self.pinged(session);
            }
            Tie::Posts(_) if entry.outgoing_len() == 0 => self.tie(conn, Tie::None),
            Tie::Delivers(session) if entry.outgoing_len() == 0 => {
                let asked = core::mem::take(&mut entry.has_ping);
                self.tie(conn, Tie::None);
                if asked {
                    self.pinged(session);
                }
            }
            _ => {}
        }
        self.touch(conn);
        if known && let Some(entry) = self.conns.get_mut(conn) {
            entry.queued = false;
        }
    }

    /// Whether it is worth while to read from the stream of `conn`: not while its peer leaves too much unread, or has to be
    /// answered first, nor when it is over. It becomes true only by [`sent`](Self::sent) of this connection, or where
    /// [`poll_transmit`](Self::poll_transmit) names it.
    #[must_use]
    pub fn wants_read(&self, conn: ConnId) -> bool {
        self.conns.get(conn).is_some_and(Conn::wants_read)
    }

    /// What is to be done with the stream of `conn` once everything is written. One that the hub does not know (any more) is
    /// [`Closed`](Stream::Closed).
    #[must_use]
    pub fn stream(&self, conn: ConnId) -> Stream {
        self.conns.get(conn).map_or(Stream::Closed, Conn::stream)
    }

    /// Answers a request that was told by [`Event::Request`]. Without one it does nothing: the peer may have gone.
    pub fn respond(&mut self, now: Instant, conn: ConnId, response: Response) {
        self.clock(now);
        // Those of Engine.IO are the hub's own to answer.
        let own = self.payloads.iter().any(|payload| payload.is_from(conn));
        if let Some(conn) = self.conns.get_mut(conn).filter(|conn| !own && !matches!(conn.tie, Tie::Polls(_))) {
            conn.respond(self.now, response);
        }
        self.settle_on(conn);
    }

    /// Ends everything in order: no further connections, WebSockets are closed with 1001, other streams after what is
    /// queued. Who has packets to fetch by long polling can do that, on the stream of its last GET. Nobody can come back any more:
    /// who is away has left, and who loses its transport from now on is not away, but gone. The hub is to be driven on
    /// until [`is_finished`](Self::is_finished); what is not finished twice the
    /// [`close_timeout`](super::Config::close_timeout) later is cut off.
    pub fn shutdown(&mut self, now: Instant) {
        self.clock(now);
        if self.shutting_down {
            return;
        }
        self.shutting_down = true;
        self.end_away();
        let at = self.now.saturating_add(self.config.close_timeout.saturating_mul(2));
        self.timers.schedule(Timer::Shutdown, &mut Scheduled::default(), at);
        let awaited = self.shut_polling_down();
        let all: Vec<ConnId> = self.conns.keys().collect();
        for conn in all {
            let tie = self.conns.get(conn).map(|conn| conn.tie);
            let upgrades = matches!(tie, Some(Tie::Upgrades(session)) if self.sessions.get(session).is_some());
            // By now it may be what carries another session.
            let polls = awaited.contains(&conn) && !matches!(tie, Some(Tie::Carries(_)));
            if !upgrades && !polls {
                self.end_connection(conn, DisconnectReason::Shutdown, None, CloseCode::GOING_AWAY, "");
            }
        }
    }

    pub(super) const fn is_shutting_down(&self) -> bool {
        self.shutting_down
    }

    /// Whether [`shutdown`](Self::shutdown) was called, no connection and no session is left, and no response is to be taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.shutting_down && self.conns.len() == 0 && self.sessions.len() == 0 && self.responses.is_empty()
    }

    /// How much there is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.conns.len(),
            sessions: self.sessions.len(),
            sockets: self.sockets.len(),
            away: self.away,
            rooms: self.groups.rooms(),
            users: self.groups.users(),
            history_bytes: self.history.as_ref().map_or(0, |history| history.bytes()),
        }
    }

    pub(super) fn clock(&mut self, now: Instant) {
        self.now = self.now.max(now);
        // Which few have: what is below is not looked at then.
        if self.timers.len() > TIMERS_MIN {
            self.compact_timers();
        }
    }

    /// Drops the entries whose owners are gone, or have an earlier one: peers who come and go fast leave many.
    fn compact_timers(&mut self) {
        let owners = self.conns.len().saturating_add(self.sessions.len()).saturating_add(self.sockets.len());
        let owners = owners.saturating_add(self.groups.len());
        if self.timers.len() <= owners.saturating_mul(2).saturating_add(TIMERS_MIN) {
            return;
        }
        let Self { timers, conns, sessions, sockets, groups, history, .. } = self;
        timers.retain(|at, timer| match timer {
            Timer::Conn(id) => conns.get(id).is_some_and(|conn| conn.scheduled.is(at)),
            Timer::Session(id) => sessions.get(id).is_some_and(|session| session.scheduled.is(at)),
            Timer::Socket(id) => sockets.get(id).is_some_and(|socket| socket.scheduled.is(at)),
            Timer::Group(id) => groups.get(id).is_some_and(|group| group.scheduled.is(at)),
            Timer::History => history.as_ref().is_some_and(|history| history.scheduled.is(at)),
            Timer::Shutdown => true,
        });
    }
}

/// So many deadlines are never too many.
const TIMERS_MIN: usize = 1024;

/// Takes the first of a queue; one that was long once and is empty gives its memory back.
fn next<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front()?;
    if queue.is_empty() && queue.capacity() > 256 {
        *queue = VecDeque::new();
    }
    Some(first)
}
