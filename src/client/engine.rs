//! One session of Engine.IO, the client's side of it: its transports, its heartbeat, its end.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::error::Error;
use super::fields::{fields, string};
use super::heartbeat::{Due, Heartbeat};
use super::ids::StreamId;
use super::queue::{Outgoing, Queue};
use super::upgrade::{Stage, Upgrade};
use super::wire::{Shared, Wire, WireEvent, target};
use crate::engineio::{Packet, PacketType, Revision, Transport};
use crate::http::{self, ClientEvent};
use crate::socketio::Protocol;
use crate::time::Instant;
use crate::ws::Message;

/// A session, from its first request to its last byte.
///
/// ```text
///        open packet            close
///  Opening ─────────▶ Open ──────────────▶ Closing
///     │ error,         │ error, close packet,  │ all is sent, close_timeout
///     │ connect_timeout│ heartbeat             │
///     └────────────────┴──────▶ Closed ◀───────┘
/// ```
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) phase: Phase,
    pub(super) revision: Revision,
    /// Where packets go.
    pub(super) transport: Transport,
    pub(super) sid: String,
    /// The stream of the GETs, and whether one is under way.
    pub(super) poll: Option<Wire>,
    pub(super) polling: bool,
    /// The stream of the POSTs, and whether one is under way.
    pub(super) post: Option<Wire>,
    pub(super) posting: bool,
    /// The WebSocket, be it the transport or on its way to be.
    pub(super) socket: Option<Wire>,
    pub(super) upgrade: Option<Upgrade>,
    /// A WebSocket in its closing handshake.
    pub(super) leaving: Option<Wire>,
    pub(super) heartbeat: Option<Heartbeat>,
    /// What the heartbeat owes on long polling, before all that is queued. However many pings came, one answer will do.
    pub(super) beat: Option<&'static str>,
    pub(super) queue: Queue,
    pub(super) post_bytes_max: usize,
    /// The end of the present phase's patience.
    pub(super) deadline: Instant,
    pub(super) happenings: VecDeque<Happening<'static>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    Open,
    Closing,
    Closed,
}

/// What a session tells.
#[derive(Debug)]
pub(super) enum Happening<'a> {
    Opened,
    Message(Message<'a>),
    Upgraded,
    /// The session goes on by long polling.
    UpgradeFailed(Error),
    /// The last thing that is told, unless the application closed the session.
    Closed(Option<Error>),
}

/// Which of a session's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Poll,
    Post,
    Socket,
    Leaving,
}

impl Slot {
    pub(super) const ALL: [Self; 4] = [Self::Poll, Self::Post, Self::Socket, Self::Leaving];
}

/// No server needs a heartbeat beyond these: timers of Node take no longer times, and those who want none say that.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
const INTERVAL_MAX: Duration = Duration::from_millis(i32::MAX as u64);
const OPEN_BYTES_MAX: usize = 4096;

impl Engine {
    /// A session that begins to open.
    pub(super) fn new(shared: &mut Shared) -> Self {
        let transports = shared.config.transports;
        let mut engine = Self {
            phase: Phase::Opening,
            revision: match shared.config.protocol {
                Protocol::V4 => Revision::V3,
                Protocol::V5 => Revision::V4,
            },
            transport: if transports.polling { Transport::Polling } else { Transport::WebSocket },
            sid: String::new(),
            poll: None,
            polling: false,
            post: None,
            posting: false,
            socket: None,
            upgrade: None,
            leaving: None,
            heartbeat: None,
            beat: None,
            queue: Queue::default(),
            post_bytes_max: shared.config.limits.post_bytes_max,
            deadline: shared.now.saturating_add(shared.config.connect_timeout),
            happenings: VecDeque::new(),
        };
        if engine.transport == Transport::WebSocket {
            match engine.websocket(shared) {
                Ok(wire) => engine.socket = Some(wire),
                Err(error) => engine.end(shared, Some(error)),
            }
        }
        engine
    }

    pub(super) fn websocket(&self, shared: &mut Shared) -> Result<Wire, Error> {
        let target = target(&shared.config, self.eio(), "websocket", &self.sid);
        Wire::websocket(shared, &target)
    }

    pub(super) const fn eio(&self) -> char {
        match self.revision {
            Revision::V3 => '3',
            Revision::V4 => '4',
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether nothing is left to be done for it.
    pub(super) fn is_finished(&self) -> bool {
        self.phase == Phase::Closed && self.happenings.is_empty() && self.wires().next().is_none()
    }

    /// Takes bytes off the front of `input` until there is something to tell.
    pub(super) fn receive<'a>(
        &mut self,
        shared: &mut Shared,
        slot: Slot,
        id: StreamId,
        input: &mut &'a mut [u8],
    ) -> Option<Happening<'a>> {
        loop {
            if let Some(happening) = next(&mut self.happenings) {
                return Some(happening);
            }
            let Some(wire) = self.wire_mut(slot).as_mut().filter(|wire| wire.id == id) else {
                *input = &mut [];
                return None;
            };
            let came = !input.is_empty();
            let event = wire.receive(shared.now, input);
            if came
                && slot == self.downstream()
                && let Some(heartbeat) = &mut self.heartbeat
            {
                heartbeat.bytes(shared.now, event.is_none());
            }
            let event = event?;
            if let Some(happening) = self.wire_event(shared, slot, event) {
                return Some(happening);
            }
        }
    }

    /// Whether the end of what comes is still to come. Silence within it is the heartbeat's.
    pub(super) fn is_mid_message(&self) -> bool {
        self.heartbeat.is_some_and(|heartbeat| heartbeat.is_mid_message())
    }

    /// Where packets come from.
    const fn downstream(&self) -> Slot {
        match self.transport {
            Transport::Polling => Slot::Poll,
            Transport::WebSocket => Slot::Socket,
        }
    }

    /// The server will send no more on this stream.
    pub(super) fn receive_eof(&mut self, shared: &mut Shared, slot: Slot) {
        let event = self.wire_mut(slot).as_mut().and_then(|wire| wire.receive_eof(shared.now));
        self.settle(shared, slot, event);
    }

    /// The stream is open.
    pub(super) fn opened(&mut self, shared: &mut Shared, slot: Slot) {
        if let Some(Err(error)) = self.wire_mut(slot).as_mut().map(|wire| wire.opened(shared)) {
            self.end(shared, Some(error));
        }
    }

    /// The stream broke, or could not be opened.
    pub(super) fn lost(&mut self, shared: &mut Shared, slot: Slot) {
        // The driver knows.
        drop(self.wire_mut(slot).take());
        let error = Error::Unreachable;
        match slot {
            Slot::Poll if self.polling => self.end(shared, Some(error)),
            Slot::Post if self.posting => self.end(shared, Some(error)),
            Slot::Socket if self.upgrade.is_some() => self.upgrade_failed(shared, error),
            Slot::Socket => self.end(shared, Some(error)),
            Slot::Poll | Slot::Post | Slot::Leaving => {}
        }
    }

    /// So many bytes of a stream were written.
    pub(super) fn sent(&mut self, now: Instant, slot: Slot, count: usize) {
        let Some(wire) = self.wire_mut(slot) else { return };
        wire.sent(now, count);
        let is_written = wire.outgoing_len() == 0;
        match (self.transport, slot) {
            (Transport::Polling, Slot::Post) if is_written => self.beat_written(now),
            (Transport::WebSocket, Slot::Socket) if is_written && self.queue.is_empty() => self.beat_written(now),
            _ => {}
        }
    }

    /// What was handed over to the stream that packets go out on is written.
    pub(super) fn beat_written(&mut self, now: Instant) {
        if self.beat.is_none()
            && let Some(heartbeat) = &mut self.heartbeat
        {
            heartbeat.written(now);
        }
    }

    /// Queues a packet.
    pub(super) fn send(&mut self, shared: &Shared, packet: Outgoing) {
        self.queue.push(packet);
        if self.transport == Transport::WebSocket {
            self.flush_socket(shared.now);
        }
    }

    /// How much waits to be handed over to a stream's socket, in bytes.
    pub(super) fn queued_bytes(&self) -> usize {
        self.wires().fold(self.queue.bytes(), |sum, wire| sum.saturating_add(wire.outgoing_len()))
    }

    /// Whether what is queued now will be on its way at once: otherwise volatile events are dropped.
    pub(super) fn is_writable(&self, shared: &Shared) -> bool {
        let paused = matches!(&self.upgrade, Some(Upgrade { stage: Stage::Pausing, .. }));
        match self.transport {
            Transport::Polling => !self.posting && !paused,
            Transport::WebSocket => self.queued_bytes() <= shared.config.limits.congested_bytes,
        }
    }

    /// Ends the session in order: what is queued still goes out.
    pub(super) fn close(&mut self, shared: &mut Shared) {
        // It is nobody's any more, be it over or not.
        self.happenings.clear();
        match (self.phase, self.transport) {
            (Phase::Open, Transport::Polling) => {
                if let Some(wire) = self.socket.take() {
                    self.upgrade = None;
                    wire.give_up(shared);
                }
                self.queue.push(Outgoing::Text("1".into()));
            }
            (Phase::Open, Transport::WebSocket) => self.flush_socket(shared.now),
            (Phase::Opening, _) => {
                self.phase = Phase::Closing;
                return self.end(shared, None);
            }
            (Phase::Closing | Phase::Closed, _) => return,
        }
        self.phase = Phase::Closing;
        self.heartbeat = None;
        self.deadline = shared.now.saturating_add(shared.config.close_timeout);
    }

    /// The session ends for what it told last: what came behind that says nothing, its own end included.
    pub(super) fn fail(&mut self, shared: &mut Shared, error: Error) {
        self.end(shared, Some(error));
        self.happenings.clear();
        self.happenings.push_back(Happening::Closed(Some(error)));
    }

    /// The session is over. What a WebSocket still has to say is said.
    pub(super) fn end(&mut self, shared: &mut Shared, error: Option<Error>) {
        if self.phase == Phase::Closed {
            return;
        }
        // Who closed it knows.
        if self.phase != Phase::Closing {
            self.happenings.push_back(Happening::Closed(error));
        }
        self.phase = Phase::Closed;
        self.deadline = Instant::NEVER;
        self.heartbeat = None;
        self.upgrade = None;
        self.queue = Queue::default();
        self.polling = false;
        self.posting = false;
        for wire in [self.poll.take(), self.post.take()].into_iter().flatten() {
            wire.give_up(shared);
        }
        self.leave_socket(shared);
    }

    /// What is due at `now`.
    pub(super) fn handle_timeout(&mut self, shared: &mut Shared) {
        for slot in Slot::ALL {
            let event = self.wire_mut(slot).as_mut().and_then(|wire| wire.handle_timeout(shared.now));
            self.settle(shared, slot, event);
        }
        while let Some(due) = self.heartbeat.as_mut().and_then(|heartbeat| heartbeat.handle_timeout(shared.now)) {
            match due {
                Due::Ping => self.beat(shared, "2"),
                Due::Dead => self.end(shared, Some(Error::PingTimeout)),
            }
        }
        if self.upgrade.as_ref().is_some_and(|upgrade| upgrade.until <= shared.now) {
            self.upgrade_failed(shared, Error::UpgradeTimeout);
        }
        if self.deadline <= shared.now {
            self.end(shared, Some(Error::ConnectTimeout));
        }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        let heartbeat = self.heartbeat.map_or(Instant::NEVER, |heartbeat| heartbeat.poll_timeout());
        let upgrade = self.upgrade.as_ref().map_or(Instant::NEVER, |upgrade| upgrade.until);
        let own = self.deadline.min(heartbeat).min(upgrade);
        self.wires().fold(own, |earliest, wire| earliest.min(wire.poll_timeout()))
    }

    /// Gives the streams what can go out now.
    pub(super) fn flush(&mut self, shared: &mut Shared) {
        if self.leaving.as_ref().is_some_and(Wire::is_finished)
            && let Some(wire) = self.leaving.take()
        {
            wire.give_up(shared);
        }
        match (self.phase, self.transport) {
            (Phase::Closed, _) => {}
            (_, Transport::Polling) => self.flush_polling(shared),
            (phase, Transport::WebSocket) => {
                self.flush_socket(shared.now);
                if phase == Phase::Closing && self.queue.is_empty() {
                    self.end(shared, None);
                }
            }
        }
    }

    /// What happened on a stream without input, and everything else that is to be told of it.
    fn settle(&mut self, shared: &mut Shared, slot: Slot, mut event: Option<WireEvent<'static>>) {
        while let Some(happened) = event.take() {
            if let Some(happening) = self.wire_event(shared, slot, happened) {
                self.happenings.push_back(happening);
            }
            event = self.wire_mut(slot).as_mut().and_then(Wire::poll_event);
        }
    }

    fn wire_event<'a>(&mut self, shared: &mut Shared, slot: Slot, event: WireEvent<'a>) -> Option<Happening<'a>> {
        match (slot, event) {
            (Slot::Leaving, _) => {}
            (Slot::Poll, WireEvent::Http(ClientEvent::Response(response))) => self.polled(shared, *response),
            (Slot::Post, WireEvent::Http(ClientEvent::Response(response))) => self.posted(shared, &response),
            (Slot::Poll | Slot::Post, WireEvent::Http(ClientEvent::Closed { error })) => {
                let awaits = if slot == Slot::Poll { self.polling } else { self.posting };
                if let Some(wire) = self.wire_mut(slot).take() {
                    wire.give_up(shared);
                }
                if awaits {
                    self.end(shared, Some(Error::Http(error.unwrap_or(http::Error::UnexpectedEof))));
                }
            }
            (Slot::Socket, WireEvent::WebSocket(event)) => return self.socket_event(shared, event),
            (_, WireEvent::Unreachable) => {
                if let Some(wire) = self.wire_mut(slot).take() {
                    wire.give_up(shared);
                }
                self.lost(shared, slot);
            }
            // Requests go on the one kind of stream, messages on the other.
            (Slot::Poll | Slot::Post | Slot::Socket, _) => {}
        }
        None
    }

    /// A packet of the transport's. Binary data stands without a type.
    ///
    /// # Errors
    /// If the session must end for it.
    pub(super) fn packet<'a>(
        &mut self,
        shared: &mut Shared,
        message: Message<'a>,
    ) -> Result<Option<Happening<'a>>, Error> {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.packet(shared.now);
        }
        let text = match message {
            Message::Binary(_) => {
                return match self.phase {
                    Phase::Opening => Err(Error::Packet),
                    Phase::Open => Ok(Some(Happening::Message(message))),
                    Phase::Closing | Phase::Closed => Ok(None),
                };
            }
            Message::Text(text) => text,
        };
        let packet = Packet::parse(&text).map_err(|_| Error::Packet)?;
        match (self.phase, packet.kind) {
            (Phase::Opening, PacketType::Open) => return self.open(shared, packet.data).map(Some),
            (Phase::Opening, _) | (_, PacketType::Open) => return Err(Error::Packet),
            (Phase::Open, PacketType::Message) => {
                return Ok(Some(Happening::Message(Message::Text(without_type(text)))));
            }
            (Phase::Open, PacketType::Close) => self.end(shared, None),
            (Phase::Open, PacketType::Ping) if self.revision == Revision::V4 => self.pinged(shared),
            (Phase::Open, PacketType::Pong) => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.pong(shared.now);
                }
            }
            (_, _) => {}
        }
        Ok(None)
    }

    fn pinged(&mut self, shared: &mut Shared) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.ping(shared.now);
        }
        self.beat(shared, "3");
    }

    /// Sends a packet of the heartbeat.
    fn beat(&mut self, shared: &Shared, packet: &'static str) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.queued();
        }
        match self.transport {
            Transport::Polling => self.beat = Some(packet),
            // Who does not read its answers is not read from, before these are many.
            Transport::WebSocket => self.send(shared, Outgoing::Text(packet.into())),
        }
    }

    fn open<'a>(&mut self, shared: &mut Shared, data: &str) -> Result<Happening<'a>, Error> {
        if data.len() > OPEN_BYTES_MAX {
            return Err(Error::Open);
        }
        let names = ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"];
        let [sid, upgrades, interval, timeout, max_payload] = fields(data, names).ok_or(Error::Open)?;
        // Milliseconds, which some servers write with a fraction.
        let span = |json: Option<&str>, least: Duration| {
            let millis: f64 = json.and_then(|json| json.parse().ok()).ok_or(Error::Open)?;
            let span = Duration::try_from_secs_f64(millis / 1000.0).map_err(|_| Error::Open)?;
            if span < least || span > INTERVAL_MAX { Err(Error::Open) } else { Ok(span) }
        };
        // Where it is the server that pings, some write zero for less than a second.
        let least = if self.revision == Revision::V4 { Duration::ZERO } else { INTERVAL_MIN };
        let (interval, timeout) = (span(interval, least)?, span(timeout, INTERVAL_MIN)?);
        let fits = |sid: &String| (1..=shared.config.limits.offset_bytes_max).contains(&sid.len());
        self.sid = string(sid).filter(fits).ok_or(Error::Open)?;
        self.heartbeat = Some(Heartbeat::new(self.revision, interval, timeout, shared.now));
        if let Some(most) = max_payload.and_then(|most| most.parse().ok()) {
            self.post_bytes_max = self.post_bytes_max.min(most);
        }
        self.phase = Phase::Open;
        self.deadline = Instant::NEVER;
        let upgrades: Vec<String> = upgrades.and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
        let offered = upgrades.iter().any(|name| name == "websocket");
        if offered && self.transport == Transport::Polling && shared.config.transports.websocket {
            self.begin_upgrade(shared);
        }
        Ok(Happening::Opened)
    }

    pub(super) fn slot(&self, id: StreamId) -> Option<Slot> {
        let wires = [(Slot::Poll, &self.poll), (Slot::Post, &self.post), (Slot::Socket, &self.socket)];
        let found = wires.into_iter().chain([(Slot::Leaving, &self.leaving)]);
        found.into_iter().find(|(_, wire)| wire.as_ref().is_some_and(|wire| wire.id == id)).map(|(slot, _)| slot)
    }

    pub(super) const fn wire_mut(&mut self, slot: Slot) -> &mut Option<Wire> {
        match slot {
            Slot::Poll => &mut self.poll,
            Slot::Post => &mut self.post,
            Slot::Socket => &mut self.socket,
            Slot::Leaving => &mut self.leaving,
        }
    }

    pub(super) fn wires(&self) -> impl Iterator<Item = &Wire> {
        [&self.poll, &self.post, &self.socket, &self.leaving].into_iter().flatten()
    }

    pub(super) fn wires_mut(&mut self) -> impl Iterator<Item = &mut Wire> {
        [&mut self.poll, &mut self.post, &mut self.socket, &mut self.leaving].into_iter().flatten()
    }
}

/// Takes the first of a queue; one that was long once and is empty gives its memory back.
pub(super) fn next<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if queue.is_empty() && queue.capacity() > 64 {
        *queue = VecDeque::new();
    }
    first
}

/// What follows the digit of a packet.
fn without_type(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(1..).unwrap_or_default()),
        Cow::Owned(mut text) => {
            text.drain(..1);
            Cow::Owned(text)
        }
    }
}
