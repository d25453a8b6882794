//! Sessions on HTTP long polling: a GET waits for packets, a POST brings some.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use super::carrier::Carrier;
use super::connection::{Conn, Tie};
use super::event::{DisconnectReason, Error, Event};
use super::form::{Form, Packets, is_octet_stream};
use super::front::Hub;
use super::ids::{ConnId, RequestId, SessionId};
use super::session::{is_ping, session_place};
use crate::engineio::{HttpCompression, Revision, SessionError};
use crate::http::{Request, Response};
use crate::time::Instant;
use crate::ws::{CloseCode, Prepared, SendError};

/// How long a session that this side closed waits for a GET that can be told so; the official server's.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a GET is answered without packets while the answer to a probe is under way; the official server's.
const NOOP_INTERVAL: Duration = Duration::from_millis(100);

/// So many are answered at once: mostly that answer comes while the client asks once more.
const NOOPS_AT_ONCE: u8 = 8;

/// A session on long polling.
#[derive(Debug)]
pub(super) struct Polling {
    form: Form,
    queue: VecDeque<Prepared>,
    bytes: usize,
    /// Whether a ping is queued.
    has_ping: bool,
    /// The GET that waits for packets.
    parked: Option<Parked>,
    /// On which stream the last GET came, as the next will if it is kept.
    stream: ConnId,
    /// Whether it stands in the hub's queue of polls to be answered.
    due: bool,
    /// POSTs whose answers are not written yet. Clients take it ill if what a POST has caused comes before its answer.
    posting: u32,
    /// The WebSocket that is to carry the session from now on.
    pub(super) upgrade: Option<Upgrading>,
    /// It is over, and the next GET is told so; until then it is remembered.
    farewell_until: Option<Instant>,
}

#[derive(Debug)]
struct Parked {
    conn: ConnId,
    /// What its answer is made of: status and headers.
    response: Response,
    compression: Option<HttpCompression>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Upgrading {
    pub(super) conn: ConnId,
    /// Whether its probe was answered.
    pub(super) probed: bool,
    /// How many GETs were answered since, and when the next is if there are no packets for it: the client is to stop asking, but
    /// asks as fast as it can until it hears of the probe.
    pub(super) noops: u8,
    pub(super) noop_at: Instant,
    pub(super) until: Instant,
}

/// The packets of a POST that are not looked at yet.
#[derive(Debug)]
pub(super) struct Payload {
    session: SessionId,
    conn: ConnId,
    packets: Packets,
    response: Response,
}

/// What packets take on a WebSocket, which has to have room for all that waits.
fn frame_bytes(packets: &[Prepared]) -> usize {
    packets.iter().fold(0_usize, |sum, packet| sum.saturating_add(packet.frame().len()))
}

impl Payload {
    pub(super) fn is_from(&self, conn: ConnId) -> bool {
        self.conn == conn
    }
}

impl Polling {
    pub(super) const fn new(form: Form, stream: ConnId) -> Self {
        Self {
            form,
            queue: VecDeque::new(),
            bytes: 0,
            has_ping: false,
            parked: None,
            stream,
            due: false,
            posting: 0,
            upgrade: None,
            farewell_until: None,
        }
    }

    /// Bytes that wait for a GET.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// On which stream the last GET came.
    pub(super) const fn stream(&self) -> ConnId {
        self.stream
    }

    /// Whether a ping waits for a GET.
    pub(super) const fn has_ping(&self) -> bool {
        self.has_ping
    }

    /// A ping is queued next.
    pub(super) const fn note_ping(&mut self) {
        self.has_ping = true;
    }

    pub(super) fn queue(&mut self, packets: &[Prepared], bytes_max: usize) -> Result<(), SendError> {
        if self.farewell_until.is_some() {
            return Err(SendError::NotOpen);
        }
        let size = frame_bytes(packets);
        let bytes = self.bytes.saturating_add(size);
        // A packet of few bytes holds some too. On the WebSocket that may take all of them over is the answer to its probe, and
        // it wants room for the longest header.
        if bytes > bytes_max.saturating_sub(32) || self.queue.len().saturating_add(packets.len()) > bytes_max / 16 {
            return Err(SendError::OutboxFull);
        }
        self.bytes = bytes;
        self.queue.extend(packets.iter().cloned());
        Ok(())
    }

    /// Puts the next packets into the answer to a GET. An answer without any would be no answer.
    fn fill(&mut self, response: Response, packets_max: usize) -> Response {
        if self.queue.is_empty() {
            // Not behind packets of Socket.IO: clients look at these later, and would see their transport end before.
            let leaves = self.is_leaving();
            if !leaves || packets_max > 1 {
                self.queue.push_back(Prepared::text("6"));
            }
            if leaves {
                self.queue.push_back(Prepared::text("1"));
            }
        }
        let count = self.queue.len().min(packets_max);
        let packets = self.queue.make_contiguous().get(..count).unwrap_or_default();
        let response = self.form.encode(packets, response);
        self.has_ping = self.has_ping && !packets.iter().any(is_ping);
        self.bytes = self.bytes.saturating_sub(frame_bytes(packets));
        self.queue.drain(..count);
        if self.queue.is_empty() {
            // A session in waiting owns no memory for it.
            self.queue = VecDeque::new();
        }
        response
    }

    /// Everything that no GET has fetched.
    pub(super) fn take_all(&mut self) -> Vec<Prepared> {
        self.bytes = 0;
        core::mem::take(&mut self.queue).into()
    }

    pub(super) const fn is_leaving(&self) -> bool {
        self.farewell_until.is_some()
    }

    /// When something is to be done that no heartbeat asks for.
    pub(super) fn poll_timeout(&self) -> Instant {
        let waits = self.parked.is_some() && !self.due && self.posting == 0;
        let upgrade = self.upgrade.map_or(Instant::NEVER, |upgrade| {
            if waits && upgrade.probed { upgrade.until.min(upgrade.noop_at) } else { upgrade.until }
        });
        self.farewell_until.map_or(upgrade, |until| until.min(upgrade))
    }
}

impl Hub {
    pub(super) fn polling(&mut self, session: SessionId) -> Option<&mut Polling> {
        self.sessions.get_mut(session)?.carrier.polling()
    }

    /// A GET of a session: it waits until there is something to answer.
    pub(super) fn poll(
        &mut self,
        conn: ConnId,
        session: SessionId,
        response: Response,
        compression: Option<HttpCompression>,
    ) {
        let Some(polling) = self.polling(session) else { return };
        if polling.parked.is_some() {
            // Two clients share a session id, or one does not wait for its answer.
            self.respond_to(conn, response.with_status(400));
            return self.close_session(
                session,
                DisconnectReason::ProtocolError,
                Some(Error::EngineIo(SessionError::SecondPoll)),
                CloseCode::POLICY,
                "",
            );
        }
        polling.parked = Some(Parked { conn, response, compression });
        polling.stream = conn;
        self.tie(conn, Tie::Polls(session));
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.park();
        }
        self.poll_due(session);
    }

    /// The waiting GET of a session is answered before the driver writes again, if there is anything to answer.
    pub(super) fn poll_due(&mut self, session: SessionId) {
        let now = self.now;
        let Some(polling) = self.polling(session) else { return };
        let Some(parked) = &polling.parked else { return };
        let conn = parked.conn;
        let noop_at = polling.upgrade.filter(|upgrade| upgrade.probed).map(|upgrade| upgrade.noop_at);
        let noop = noop_at.is_some_and(|at| at <= now);
        let urgent = (!polling.queue.is_empty() || noop || polling.is_leaving()) && polling.posting == 0;
        let due = polling.due;
        // What the client sends behind the poll on the same stream cannot be answered before it.
        if (urgent || self.is_followed(conn)) && !due {
            if let Some(polling) = self.polling(session) {
                polling.due = true;
            }
            self.polls.push_back(session);
        } else if noop_at.is_some() {
            self.touch_session(session);
        }
    }

    fn is_followed(&self, conn: ConnId) -> bool {
        self.conns.get(conn).is_some_and(Conn::is_followed)
    }

    /// The answer to a POST is written.
    pub(super) fn posted(&mut self, session: SessionId) {
        let Some(polling) = self.polling(session) else { return };
        polling.posting = polling.posting.saturating_sub(1);
        self.poll_due(session);
    }

    /// Answers the GETs for which there is something. Until now everything for them was gathered.
    pub(super) fn answer_polls(&mut self) {
        while let Some(session) = self.polls.pop_front() {
            self.answer_poll(session);
        }
    }

    fn answer_poll(&mut self, session: SessionId) {
        let (now, packets_max) = (self.now, self.config.engine.poll_packets_max);
        let Some(polling) = self.polling(session) else { return };
        polling.due = false;
        let waits = polling.posting > 0;
        let Some(conn) = polling.parked.as_ref().map(|parked| parked.conn) else { return };
        if waits && !self.is_followed(conn) {
            return;
        }
        let Some(polling) = self.polling(session) else { return };
        let Some(parked) = polling.parked.take() else { return };
        if let Some(upgrade) = polling.upgrade.as_mut().filter(|upgrade| upgrade.probed) {
            upgrade.noops = upgrade.noops.saturating_add(1);
            if upgrade.noops >= NOOPS_AT_ONCE {
                upgrade.noop_at = now.saturating_add(NOOP_INTERVAL);
            }
        }
        let leaves = polling.is_leaving() && polling.queue.is_empty();
        let ping_waited = polling.has_ping;
        let response = polling.fill(parked.response, packets_max);
        let asks = ping_waited && !polling.has_ping;
        self.answer(conn, response, parked.compression);
        self.release_latest(session_place(session));
        if self.outgoing_len(conn) > 0 {
            // A stream that is something to another session as well would lose packets that nobody misses.
            self.tie(conn, Tie::Delivers(session));
            if let Some(entry) = self.conns.get_mut(conn) {
                entry.await_reader();
                entry.has_ping = asks;
            }
        } else if let Some(answered) = self.responses.back_mut().filter(|answered| answered.request == RequestId(conn))
        {
            answered.delivers = Some(session);
            if asks {
                // Another server writes it.
                self.pinged(session);
            }
        }
        if leaves {
            self.end_session(session, DisconnectReason::Closed);
            if self.is_shutting_down() {
                // It was left open for this.
                self.end_connection(conn, DisconnectReason::Shutdown, None, CloseCode::GOING_AWAY, "");
            }
        }
    }

    /// Who ends a stream does not wait for an answer on it, if none is there.
    pub(super) fn end_poll(&mut self, conn: ConnId) {
        let Some(Tie::Polls(session)) = self.conns.get(conn).filter(|conn| conn.peer_ended()).map(|conn| conn.tie)
        else {
            return;
        };
        if self.polling(session).is_some_and(|polling| !polling.due) {
            self.detach(conn, DisconnectReason::TransportClosed, None);
        }
    }

    fn answer(&mut self, conn: ConnId, response: Response, compression: Option<HttpCompression>) {
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.tie = Tie::None;
        }
        let response = match compression {
            Some(compression) => compression.apply(response),
            None => response,
        };
        self.respond_to(conn, response);
    }

    /// Closes a session on long polling: its sockets at once, and its client when it has fetched what is queued, by a GET of
    /// its own.
    pub(super) fn close_polling(&mut self, id: SessionId, reason: DisconnectReason, error: Option<Error>) {
        let until = self.now.saturating_add(FAREWELL_TIMEOUT);
        let Some(polling) = self.polling(id) else { return };
        let waits = match reason {
            // Its client is not there, or has said so itself.
            DisconnectReason::PingTimeout | DisconnectReason::Client => false,
            _ if polling.is_leaving() => return,
            _ if !polling.queue.is_empty() => true,
            // Who sent rubbish is not waited for; who broke a rule of Socket.IO may want to know that it is over.
            _ => polling.parked.is_none() && !matches!(error, Some(Error::EngineIo(_))),
        };
        if !waits {
            return self.end_session(id, reason);
        }
        polling.farewell_until = Some(until);
        // A client that is about to change its transport polls no more: it is told on the other one.
        if let Some(upgrade) = polling.upgrade.take_if(|upgrade| !upgrade.probed) {
            self.drop_upgrade(upgrade);
        }
        self.lose_sockets(id, reason);
        self.poll_due(id);
        self.touch_session(id);
    }

    /// Ends the sessions on long polling: at once those that have fetched everything. The streams on which the others will go
    /// on fetching.
    pub(super) fn shut_polling_down(&mut self) -> BTreeSet<ConnId> {
        let mut awaited = BTreeSet::new();
        let all: Vec<SessionId> = self.sessions.keys().collect();
        for session in all {
            let Some(polling) = self.polling(session) else { continue };
            if polling.upgrade.is_some_and(|upgrade| upgrade.probed) {
                // Its client polls no more, and would not hear of a WebSocket that ends before it is the transport.
                self.close_polling(session, DisconnectReason::Shutdown, None);
            } else if !polling.queue.is_empty() {
                awaited.insert(polling.stream);
                self.close_polling(session, DisconnectReason::Shutdown, None);
            } else {
                self.end_session(session, DisconnectReason::Shutdown);
            }
        }
        awaited
    }

    /// What is left of a session on long polling that is over.
    pub(super) fn abandon_polling(&mut self, mut polling: Polling, reason: DisconnectReason) {
        if let Some(upgrade) = polling.upgrade.take() {
            self.drop_upgrade(upgrade);
        }
        let Some(parked) = polling.parked.take() else { return };
        let packets_max = self.config.engine.poll_packets_max;
        // Nobody asks for what is behind these any more.
        polling.queue.truncate(packets_max.saturating_sub(1));
        // Who closed it itself needs not be told.
        polling.queue.push_back(Prepared::text(if reason == DisconnectReason::Client { "6" } else { "1" }));
        let response = polling.fill(parked.response, packets_max);
        self.answer(parked.conn, response, parked.compression);
    }

    /// Does what is due for a session on long polling.
    pub(super) fn polling_due(&mut self, id: SessionId) {
        let now = self.now;
        let Some(polling) = self.polling(id) else { return };
        if polling.farewell_until.is_some_and(|until| until <= now) {
            return self.end_session(id, DisconnectReason::Closed);
        }
        if let Some(upgrade) = polling.upgrade.filter(|upgrade| upgrade.until <= now) {
            polling.upgrade = None;
            self.drop_upgrade(upgrade);
        }
        self.poll_due(id);
    }

    /// A POST of a session: its packets are looked at one by one, so that the application can answer between them.
    pub(super) fn post(&mut self, conn: ConnId, session: SessionId, request: Request, response: Response) {
        let (packets_max, max_payload) = (self.config.engine.payload_packets_max, self.config.engine.max_payload);
        let Some(polling) = self.polling(session) else { return };
        if request.body().len() > max_payload {
            return self.respond_to(conn, response.with_status(413));
        }
        let is_octet_stream = is_octet_stream(&request);
        if polling.form.revision == Revision::V4 && is_octet_stream {
            self.respond_to(conn, response.with_status(400));
            return self.fail_session(session, Error::EngineIo(SessionError::Payload), CloseCode::POLICY);
        }
        let packets = polling.form.decode(request.into_body(), is_octet_stream, packets_max);
        let response = response.own_lines("content-type: text/html\r\n").body("ok");
        self.payloads.push_back(Payload { session, conn, packets, response });
    }

    /// Looks at the next packet of a POST, or answers it after the last one. What is told comes before what followed from it,
    /// as where it is lent.
    pub(super) fn read_payload(&mut self) -> Option<Event<'static>> {
        let payload = self.payloads.front_mut()?;
        let (session, conn) = (payload.session, payload.conn);
        // What is left when the session is over, or has another transport by now, is nobody's.
        let packet = match self.sessions.get(session).map(|session| &session.carrier) {
            Some(Carrier::Polling(polling)) if !polling.is_leaving() => payload.packets.next(),
            _ => None,
        };
        let result = match packet {
            Some(packet) => self.packet(conn, session, packet),
            None => {
                let payload = self.payloads.pop_front()?;
                self.respond_to(conn, payload.response);
                if self.outgoing_len(conn) > 0
                    && let Some(polling) = self.polling(session)
                {
                    polling.posting = polling.posting.saturating_add(1);
                    self.tie(conn, Tie::Posts(session));
                }
                payload.packets.error.map_or(Ok(None), Err)
            }
        };
        result.unwrap_or_else(|error| {
            if let Some(entry) = self.conns.get_mut(conn) {
                entry.error = Some(error);
            }
            self.fail_session(session, error, CloseCode::POLICY);
            None
        })
    }
}
