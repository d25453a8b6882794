//! Sessions: what a client has with this server, and how long.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::carrier::Carrier;
use super::config::{Config, Content};
use super::connection::Tie;
use super::event::{DisconnectReason, Error};
use super::format::Format;
use super::front::Hub;
use super::handshake::Handshake;
use super::ids::{ConnId, SessionId};
use super::latest::Latest;
use super::slab::Slab;
use super::timers::{Scheduled, Timer};
use crate::engineio::{self, Due, Revision};
use crate::socketio::{self, Assembly, Packet, Protocol};
use crate::time::Instant;
use crate::ws::{CloseCode, Message, Opcode, Prepared};

/// The packet by which the server asks for a sign of life.
const PING: &str = "2";

/// What one client has with this server, and the sockets on it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) speech: Speech,
    pub(super) carrier: Carrier,
    /// The places of its sockets, one for each namespace.
    pub(super) sockets: Vec<u32>,
    /// How it began, until nobody is to see it any more.
    pub(super) handshake: Option<Box<Handshake>>,
    /// When it must have connected to a namespace.
    pub(super) connect_by: Instant,
    /// Namespaces that the server made it leave: packets for them may still be under way.
    #[allow(clippy::box_collection, reason = "8 bytes in each session instead of 24")]
    pub(super) dismissed: Option<Box<Vec<Arc<str>>>>,
    /// The packet whose attachments are still to come.
    pub(super) assembling: Option<Box<Assembling>>,
    /// What waits for it while it is congested.
    pub(super) latest: Option<Box<Latest>>,
    pub(super) scheduled: Scheduled,
}

/// What a session speaks, for all its life.
#[derive(Debug)]
pub(super) enum Speech {
    /// Socket.IO on Engine.IO.
    Engine(engineio::Session),
    /// Socket.IO packets as lines.
    Lines,
    /// Messages of the application's own.
    Plain(Box<PlainSpeech>),
}

/// Messages of the application's own.
#[derive(Debug)]
pub(super) struct PlainSpeech {
    /// Which place in [`Config::plain`] they belong to.
    pub(super) at: usize,
    /// Where they are those of Engine.IO.
    pub(super) engine: Option<engineio::Session>,
    pub(super) early: Early,
}

/// Messages that came before their client was accepted.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// With the connection that each came on.
    pub(super) messages: Vec<(ConnId, Message<'static>)>,
    /// What it costs to keep them.
    pub(super) bytes: usize,
}

/// A packet whose attachments are still to come, and how long they may take.
#[derive(Debug)]
pub(super) struct Assembling {
    pub(super) assembly: Assembly,
    pub(super) until: Instant,
}

impl Session {
    pub(super) fn was_dismissed(&self, namespace: &str) -> bool {
        self.dismissed.iter().flat_map(|all| all.iter()).any(|dismissed| **dismissed == *namespace)
    }

    fn poll_timeout(&self) -> Instant {
        let carrier = match &self.carrier {
            Carrier::Stream(_) => Instant::NEVER,
            Carrier::Polling(polling) if polling.is_leaving() => return polling.poll_timeout(),
            Carrier::Polling(polling) => polling.poll_timeout(),
        };
        let assembling = self.assembling.as_ref().map_or(Instant::NEVER, |assembling| assembling.until);
        let heartbeat = self.engine().map_or(Instant::NEVER, engineio::Session::poll_timeout);
        heartbeat.min(self.connect_by).min(carrier).min(assembling)
    }

    pub(super) fn engine(&self) -> Option<&engineio::Session> {
        match &self.speech {
            Speech::Engine(engine) => Some(engine),
            Speech::Plain(plain) => plain.engine.as_ref(),
            Speech::Lines => None,
        }
    }

    pub(super) fn engine_mut(&mut self) -> Option<&mut engineio::Session> {
        match &mut self.speech {
            Speech::Engine(engine) => Some(engine),
            Speech::Plain(plain) => plain.engine.as_mut(),
            Speech::Lines => None,
        }
    }

    /// What it carries, if it is one of Engine.IO.
    pub(super) fn content(&self) -> Option<Content> {
        match &self.speech {
            Speech::Engine(_) => Some(Content::SocketIo),
            Speech::Plain(plain) => plain.engine.as_ref().map(|_| Content::Plain(plain.at)),
            Speech::Lines => None,
        }
    }

    /// The client was there at `then`, and what it owes may be under way, behind what was not read from it or in what it is
    /// sending: it has its time for a pong and for attachments from then on.
    pub(super) fn await_anew(&mut self, then: Instant, config: &Config) {
        if let Some(engine) = self.engine_mut() {
            engine.await_anew(then, &config.engine);
        }
        if let Some(assembling) = &mut self.assembling {
            assembling.until = assembling.until.max(then.saturating_add(config.attachments_timeout));
        }
    }

    pub(super) fn format(&self) -> Format {
        match &self.speech {
            Speech::Engine(engine) => Format::Engine(engine.revision()),
            Speech::Lines => Format::Lines,
            Speech::Plain(plain) => Format::Plain(plain.engine.as_ref().map(engineio::Session::revision)),
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self.format() {
            Format::Engine(Revision::V3) => Protocol::V4,
            Format::Engine(Revision::V4) | Format::Lines | Format::Plain(_) => Protocol::V5,
        }
    }
}

/// Whether it asks for a sign of life; what is binary is an attachment.
pub(super) fn is_ping(packet: &Prepared) -> bool {
    packet.opcode() == Opcode::Text && packet.payload() == PING
}

pub(super) fn session_place(id: SessionId) -> u32 {
    Slab::<SessionId, Session>::place(id)
}

/// For the application: streams, whatever they speak.
impl Hub {
    /// Closes a byte stream in order, whatever it speaks.
    pub fn close_connection(&mut self, now: Instant, conn: ConnId, code: CloseCode, reason: &str) {
        self.clock(now);
        self.end_connection(conn, DisconnectReason::Closed, None, code, reason);
    }

    /// Queues a Socket.IO packet without attachments on a session.
    pub(super) fn send_packet(&mut self, session: u32, packet: &Packet<'_>) {
        let Some(format) = self.sessions.at(session).map(Session::format) else { return };
        // Who has messages alone knows nothing of namespaces.
        if !format.is_plain() {
            self.send_attached(session, *packet, &[]);
        }
    }

    /// A session is over: its sockets lose their transport.
    pub(super) fn end_session(&mut self, id: SessionId, reason: DisconnectReason) {
        let Some(session) = self.forget_session(id) else { return };
        for place in session.sockets {
            self.lose_socket(place, reason);
        }
        match session.carrier {
            Carrier::Polling(polling) => self.abandon_polling(*polling, reason),
            // Mostly it was the stream that ended. Where it was not, nobody else would end it.
            Carrier::Stream(conn) if self.conns.get(conn).is_some_and(|entry| entry.tie == Tie::Carries(id)) => {
                self.end_connection(conn, reason, None, CloseCode::NO_STATUS, "");
            }
            Carrier::Stream(_) => {}
        }
    }

    pub(super) fn end_sessions(&mut self, reason: DisconnectReason) {
        let all: Vec<SessionId> = self.sessions.keys().collect();
        all.into_iter().for_each(|session| self.end_session(session, reason));
    }

    /// The same for a session that is remembered for a while.
    pub(super) fn lose_sockets(&mut self, id: SessionId, reason: DisconnectReason) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        (session.assembling, session.handshake, session.latest) = (None, None, None);
        if let Speech::Plain(plain) = &mut session.speech {
            plain.early = Early::default();
        }
        for place in core::mem::take(&mut session.sockets) {
            self.lose_socket(place, reason);
        }
    }

    /// Takes a session out of everything.
    pub(super) fn forget_session(&mut self, id: SessionId) -> Option<Session> {
        let session = self.sessions.remove(id)?;
        if let Some(engine) = session.engine() {
            self.sids.remove(engine.sid());
        }
        Some(session)
    }

    /// One of its sockets goes out of a session, which ends with its last if it can have no other.
    pub(super) fn leave_session(&mut self, session: u32, socket: u32) {
        self.hand_over(session, socket);
        let Some(entry) = self.sessions.at(session).filter(|entry| entry.sockets.is_empty()) else { return };
        if entry.format().is_plain()
            && let Some(id) = self.sessions.key_at(session)
        {
            self.close_session(id, DisconnectReason::Server, None, CloseCode::POLICY, "");
        }
    }

    /// One of its sockets is no longer a session's.
    pub(super) fn hand_over(&mut self, session: u32, socket: u32) {
        let by = self.now.saturating_add(self.config.connect_timeout);
        let Some(id) = self.sessions.key_at(session) else { return };
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.sockets.retain(|place| *place != socket);
        if session.sockets.is_empty() {
            // Who is nowhere has to connect again, or go.
            session.connect_by = by;
            self.touch_session(id);
        }
    }

    /// Does what is due for a session.
    pub(super) fn session_due(&mut self, id: SessionId) {
        let now = self.now;
        self.polling_due(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.carrier.polling().is_some_and(|polling| polling.is_leaving()) {
            return self.touch_session(id);
        }
        if session.connect_by <= now {
            return self.fail_session(id, Error::SocketIo(socketio::Error::ConnectTimeout), CloseCode::NO_STATUS);
        }
        let conn = self.conns.get(session.carrier.last_stream());
        if session.carrier.stream().is_some()
            && let Some(then) = conn.and_then(|conn| conn.owes_since(now))
        {
            session.await_anew(then, &self.config);
        }
        if session.assembling.as_ref().is_some_and(|assembling| assembling.until <= now) {
            // Most likely it was lost in the middle of it, and may come back.
            let (reason, error) = (DisconnectReason::PingTimeout, Error::SocketIo(socketio::Error::AttachmentsTimeout));
            return self.close_session(id, reason, Some(error), CloseCode::NO_STATUS, "");
        }
        let unwritten = conn.filter(|conn| conn.outgoing_len() > 0);
        let ping_waits = unwritten.is_some_and(|conn| match &session.carrier {
            Carrier::Stream(_) => conn.has_ping,
            Carrier::Polling(polling) => conn.tie == Tie::Delivers(id) && (conn.has_ping || polling.has_ping()),
        });
        if ping_waits && let Some(engine) = session.engine_mut() {
            // How long the client may take to read what stands before it is for the time-out of writing to say.
            engine.await_anew(now, &self.config.engine);
        }
        match session.engine_mut().and_then(|engine| engine.handle_timeout(now, &self.config.engine)) {
            Some(Due::Ping) => self.heartbeat(id, PING),
            Some(Due::Expired) => {
                let (reason, error) = (DisconnectReason::PingTimeout, Some(Error::PingTimeout));
                return self.close_session(id, reason, error, CloseCode::NO_STATUS, "");
            }
            None => {}
        }
        self.touch_session(id);
    }

    /// This side's half of a heartbeat. Whatever was in use since the last one is given back.
    pub(super) fn heartbeat(&mut self, id: SessionId, packet: &str) {
        let is_ping = packet == PING;
        match self.sessions.get_mut(id).map(|session| &mut session.carrier) {
            Some(Carrier::Stream(conn)) => {
                if let Some(conn) = self.conns.get_mut(*conn) {
                    conn.rest();
                    conn.has_ping |= is_ping;
                }
            }
            Some(Carrier::Polling(polling)) if is_ping => polling.note_ping(),
            _ => {}
        }
        self.send(session_place(id), &[Prepared::text(packet)]);
    }

    /// The ping of a session is written: the time for its pong begins.
    pub(super) fn pinged(&mut self, id: SessionId) {
        if let Some(engine) = self.sessions.get_mut(id).and_then(Session::engine_mut) {
            engine.pinged(self.now, &self.config.engine);
        }
    }

    pub(super) fn touch_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            let at = session.poll_timeout();
            self.timers.schedule(Timer::Session(id), &mut session.scheduled, at);
        }
    }
}
