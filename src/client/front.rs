//! The front door: time, byte streams, and the session that is opened again when it is lost.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::asked::Asked;
use super::backoff::Backoff;
use super::config::Config;
use super::engine::{Engine, Happening, Slot, next};
use super::error::{ConfigError, Error};
use super::event::{DisconnectReason, Event};
use super::ids::{SocketId, StreamId};
use super::packets::Assembling;
use super::socket::{Phase, Socket};
use super::wire::{Shared, Wire};
use crate::engineio::Transport;
use crate::http::HeaderError;
use crate::stream::Stream;
use crate::time::Instant;

/// A Socket.IO client, see the [module](super).
pub struct Client {
    pub(super) shared: Shared,
    pub(super) engine: Option<Engine>,
    /// How many times a namespace was asked for.
    pub(super) lives: u64,
    pub(super) asked: Asked,
    /// Sessions that end in order.
    leaving: VecDeque<Engine>,
    pub(super) sockets: BTreeMap<SocketId, Socket>,
    pub(super) names: BTreeMap<Arc<str>, SocketId>,
    pub(super) next_socket: u64,
    /// The number of the next acknowledgement, of whatever namespace: an answer to an earlier socket is nobody else's.
    pub(super) next_ack: u64,
    /// In protocol 4: the namespace `/`, be it wanted or not.
    pub(super) root: Root,
    /// A packet whose attachments are still to come.
    pub(super) assembling: Option<Box<Assembling>>,
    backoff: Backoff,
    retry_at: Instant,
    pub(super) closed: bool,
    pub(super) events: VecDeque<Event<'static>>,
}

/// What has become of the namespace `/` in a session of protocol 4, where the server connects it unasked, and once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Awaited,
    Connected,
    /// It was left, disconnected or refused: from now on it has to be asked for like others.
    Gone,
}

/// More than this end at a time only where nobody answers; the oldest are cut off.
const LEAVING_MAX: usize = 4;

impl Client {
    /// A client that is not connected. `seed` must be 32 fresh bytes from the operating system's random source: masking
    /// keys are drawn from it, and how long to wait before a lost session is opened again.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            shared: Shared::new(config, seed, now),
            engine: None,
            lives: 0,
            asked: Asked::default(),
            leaving: VecDeque::new(),
            sockets: BTreeMap::new(),
            names: BTreeMap::new(),
            next_socket: 0,
            next_ack: 0,
            root: Root::Awaited,
            assembling: None,
            backoff: Backoff::default(),
            retry_at: Instant::NEVER,
            closed: false,
            events: VecDeque::new(),
        })
    }

    /// How it behaves, and where the server is.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.shared.config
    }

    /// The next byte stream that is to be opened to the server: TCP, with TLS above it if the server
    /// [is secure](Config::is_secure). Then call [`opened`](Self::opened) or [`open_failed`](Self::open_failed).
    #[must_use = "it is named only once"]
    pub fn poll_open(&mut self) -> Option<StreamId> {
        self.flush();
        self.engine.as_mut().into_iter().chain(&mut self.leaving).flat_map(Engine::wires_mut).find_map(Wire::poll_open)
    }

    /// A byte stream that was asked for is open.
    pub fn opened(&mut self, now: Instant, stream: StreamId) {
        self.clock(now);
        let Self { shared, engine, leaving, .. } = self;
        for engine in engine.iter_mut().chain(leaving) {
            if let Some(slot) = engine.slot(stream) {
                engine.opened(shared, slot);
            }
        }
    }

    /// A byte stream that was asked for cannot be opened.
    pub fn open_failed(&mut self, now: Instant, stream: StreamId) {
        self.abort(now, stream);
    }

    /// Takes bytes off the front of `input` until there is something to tell; `None` when all are consumed. What happened
    /// elsewhere meanwhile is told first.
    #[must_use = "what happened is told only once"]
    pub fn receive<'a>(&mut self, now: Instant, stream: StreamId, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        self.clock(now);
        loop {
            if let Some(event) = self.poll_event() {
                return Some(event);
            }
            let Self { shared, engine, leaving, .. } = self;
            if let Some(engine) = engine
                && let Some(slot) = engine.slot(stream)
            {
                let happening = engine.receive(shared, slot, stream, input)?;
                if let Some(event) = self.happened(happening) {
                    return Some(event);
                }
                continue;
            }
            for engine in leaving {
                if let Some(slot) = engine.slot(stream) {
                    while engine.receive(shared, slot, stream, input).is_some() {}
                }
            }
            *input = &mut [];
            return self.poll_event();
        }
    }

    /// The server will send no more on this stream. What happened is told by [`poll_event`](Self::poll_event).
    pub fn receive_eof(&mut self, now: Instant, stream: StreamId) {
        self.clock(now);
        let Self { shared, engine, leaving, .. } = self;
        for engine in engine.iter_mut().chain(leaving) {
            if let Some(slot) = engine.slot(stream) {
                engine.receive_eof(shared, slot);
            }
        }
    }

    /// This stream broke: nothing can be read or written any more.
    pub fn abort(&mut self, now: Instant, stream: StreamId) {
        self.clock(now);
        let Self { shared, engine, leaving, .. } = self;
        for engine in engine.iter_mut().chain(leaving) {
            if let Some(slot) = engine.slot(stream) {
                engine.lost(shared, slot);
            }
        }
    }

    /// The next thing that happened without input of its stream: by a time-out, or by a call.
    #[must_use = "what happened is told only once"]
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        loop {
            if let Some(event) = next(&mut self.events) {
                return Some(event);
            }
            let happening = next(&mut self.engine.as_mut()?.happenings)?;
            if let Some(event) = self.happened(happening) {
                return Some(event);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let engines = self.engine.iter().chain(&self.leaving).map(Engine::poll_timeout);
        let sockets = self.sockets.values().map(|socket| {
            let answer = if let Phase::Connecting { until } = socket.phase { until } else { Instant::NEVER };
            answer.min(socket.acks.poll_timeout())
        });
        let attachments = self.assembling.as_ref().map_or(Instant::NEVER, |assembling| assembling.until);
        engines.chain(sockets).fold(self.retry_at.min(attachments), Instant::min).finite()
    }

    /// Does all that is due at `now`; afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`. What happened is told
    /// by [`poll_event`](Self::poll_event).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.clock(now);
        let Self { shared, engine, leaving, .. } = self;
        for engine in engine.iter_mut().chain(leaving) {
            engine.handle_timeout(shared);
        }
        self.settle();
        self.handle_packet_timeouts();
        self.settle();
        if self.retry_at <= self.shared.now {
            self.retry_at = Instant::NEVER;
            self.open();
        }
    }

    /// Makes the next attempt to open a session now, not when [`Event::Closed`] said: as when the network is there again.
    /// It counts as the first. Where none is waited for nothing happens; whether one was.
    pub fn reconnect(&mut self, now: Instant) -> bool {
        self.clock(now);
        let waited = core::mem::replace(&mut self.retry_at, Instant::NEVER) != Instant::NEVER;
        if waited {
            self.backoff.reset();
            self.open();
        }
        waited
    }

    /// Sets a header line of all requests from now on, in the place of those with this name (in any case), or takes them
    /// away: a token that is not good any more. A WebSocket that is open has had its request.
    ///
    /// # Errors
    /// As for [`Config::header`].
    pub fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), HeaderError> {
        self.shared.config.set_header(name, value)
    }

    /// Sets a member of the query of all requests from now on, in the place of those with this name, or takes them away. Of
    /// protocol 4 the namespaces have [their own](Self::set_namespace_query).
    pub fn set_query(&mut self, name: &str, value: Option<&str>) {
        self.shared.config.set_query(name, value);
    }

    /// The next stream that has something new to write, or that is to be ended. Each is named once; what of it could not be
    /// written is not named again, see the run loop of the [module](super). One that the client has given up, open or not,
    /// is named with nothing to write and [`Stream::Closed`].
    #[must_use = "it is named only once"]
    pub fn poll_transmit(&mut self) -> Option<StreamId> {
        self.flush();
        if let Some(stream) = self.shared.given_up.pop_front() {
            return Some(stream);
        }
        let engines = self.engine.as_mut().into_iter().chain(&mut self.leaving);
        engines.flat_map(Engine::wires_mut).find_map(|wire| wire.wants_transmit().then_some(wire.id))
    }

    /// Bytes to be written to a stream, in order.
    pub fn outgoing(&self, stream: StreamId) -> impl Iterator<Item = &[u8]> {
        self.wire(stream).into_iter().flat_map(Wire::outgoing)
    }

    /// How many bytes are to be written.
    #[must_use]
    pub fn outgoing_len(&self, stream: StreamId) -> usize {
        self.wire(stream).map_or(0, Wire::outgoing_len)
    }

    /// So many bytes of [`outgoing`](Self::outgoing) were written.
    pub fn sent(&mut self, now: Instant, stream: StreamId, count: usize) {
        self.clock(now);
        let now = self.shared.now;
        if let Some((engine, slot)) = self.find(stream) {
            engine.sent(now, slot, count);
        }
    }

    /// How many bytes the session has to send that no stream has taken yet, on any transport: what
    /// [`outbox_bytes_max`](super::Limits::outbox_bytes_max) limits. Who emits only while they are few never meets that limit. On
    /// long polling they may take long: [`close`](Self::close) sends what it can within
    /// [`close_timeout`](Config::close_timeout).
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.engine.as_ref().map_or(0, Engine::queued_bytes)
    }

    /// Whether it is worth while to read from a stream.
    #[must_use]
    pub fn wants_read(&self, stream: StreamId) -> bool {
        self.wire(stream).is_some_and(Wire::wants_read)
    }

    /// What is to be done with a stream once everything is written.
    #[must_use]
    pub fn stream(&self, stream: StreamId) -> Stream {
        self.wire(stream).map_or(Stream::Closed, Wire::stream)
    }

    /// By which transport the session goes; `None` while none is open.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        self.engine.as_ref().filter(|engine| engine.is_open()).map(|engine| engine.transport)
    }

    /// Ends everything in order: namespaces are disconnected, what is queued is sent, streams are closed. The client is to be
    /// driven on until [`is_finished`](Self::is_finished). It connects nothing any more.
    pub fn close(&mut self, now: Instant) {
        self.clock(now);
        self.closed = true;
        let all: Vec<SocketId> = self.sockets.keys().copied().collect();
        for socket in all {
            self.disconnect(now, socket);
        }
        self.close_if_unwanted();
    }

    /// Whether there is no session, none that ends, and none that is going to be opened.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.engine.is_none() && self.leaving.iter().all(Engine::is_finished) && self.retry_at == Instant::NEVER
    }

    pub(super) fn clock(&mut self, now: Instant) {
        self.shared.now = self.shared.now.max(now);
    }

    /// Begins a session, unless there is one.
    pub(super) fn open(&mut self) {
        if self.engine.is_none() {
            self.engine = Some(Engine::new(&mut self.shared));
        }
    }

    /// Begins a session, unless there is one or one is going to be opened.
    pub(super) fn open_unless_due(&mut self) {
        if self.retry_at == Instant::NEVER {
            self.open();
        }
    }

    /// Without a namespace that is wanted, a session serves nobody.
    pub(super) fn close_if_unwanted(&mut self) {
        if self.sockets.values().any(|socket| socket.phase != Phase::Inactive) {
            return;
        }
        let waited = core::mem::replace(&mut self.retry_at, Instant::NEVER) != Instant::NEVER;
        let engine = self.engine.take();
        if engine.is_some() || waited {
            self.forget_session();
            self.events.push_back(Event::Closed { error: None, retry: None });
        }
        if let Some(mut engine) = engine {
            engine.close(&mut self.shared);
            self.leave(engine);
        }
    }

    /// The session must end for what the server sent.
    pub(super) fn fail(&mut self, error: Error) {
        let Self { shared, engine, .. } = self;
        if let Some(engine) = engine {
            engine.fail(shared, error);
        }
    }

    /// Tells what a session has told.
    fn happened<'a>(&mut self, happening: Happening<'a>) -> Option<Event<'a>> {
        match happening {
            Happening::Opened => {
                self.backoff.reset();
                self.session_opened();
                Some(Event::Opened)
            }
            Happening::Message(message) => self.message(message),
            Happening::Upgraded => Some(Event::Upgraded),
            Happening::UpgradeFailed(error) => Some(Event::UpgradeFailed { error }),
            Happening::Closed(error) => {
                self.session_closed(error);
                None
            }
        }
    }

    fn session_closed(&mut self, error: Option<Error>) {
        if let Some(engine) = self.engine.take() {
            self.leave(engine);
        }
        self.forget_session();
        self.lose_sockets(DisconnectReason::of(error));
        let next = self.backoff.next(&self.shared.config.reconnection, &mut self.shared.entropy);
        let wanted = self.sockets.values().any(|socket| socket.phase != Phase::Inactive);
        let retry = next.filter(|_| wanted).map(|(delay, attempt)| (self.shared.now.saturating_add(delay), attempt));
        match retry {
            Some((at, _)) => self.retry_at = at,
            None => {
                // Until the application asks again.
                self.backoff.reset();
                self.sockets.values_mut().for_each(|socket| socket.phase = Phase::Inactive);
            }
        }
        self.events.push_back(Event::Closed { error, retry });
    }

    fn forget_session(&mut self) {
        self.assembling = None;
        self.asked.clear();
        self.root = Root::Awaited;
    }

    fn leave(&mut self, engine: Engine) {
        self.leaving.push_back(engine);
        if self.leaving.len() > LEAVING_MAX
            && let Some(mut oldest) = self.leaving.pop_front()
        {
            for slot in Slot::ALL {
                if let Some(wire) = oldest.wire_mut(slot).take() {
                    wire.give_up(&mut self.shared);
                }
            }
        }
    }

    /// Tells what happened without input.
    fn settle(&mut self) {
        while let Some(happening) = self.engine.as_mut().and_then(|engine| next(&mut engine.happenings)) {
            if let Some(event) = self.happened(happening) {
                self.events.push_back(event);
            }
        }
    }

    fn flush(&mut self) {
        self.settle();
        let Self { shared, engine, leaving, .. } = self;
        for engine in engine.iter_mut().chain(&mut *leaving) {
            engine.flush(shared);
        }
        leaving.retain(|engine| !engine.is_finished());
        self.settle();
    }

    fn find(&mut self, stream: StreamId) -> Option<(&mut Engine, Slot)> {
        let mut engines = self.engine.as_mut().into_iter().chain(&mut self.leaving);
        engines.find_map(|engine| engine.slot(stream).map(|slot| (engine, slot)))
    }

    fn wire(&self, stream: StreamId) -> Option<&Wire> {
        self.engine.iter().chain(&self.leaving).flat_map(Engine::wires).find(|wire| wire.id == stream)
    }
}

impl fmt::Debug for Client {
    /// Shows nothing of what is said, and neither ids nor credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", self.config())
            .field("transport", &self.transport())
            .field("namespaces", &self.sockets.len())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
