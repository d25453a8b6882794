//! The life of sockets: asked for, accepted or refused, resumed, lost and gone.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::error::{ResumeError, SocketError};
use super::event::{DisconnectReason, Event, Refusal};
use super::front::Hub;
use super::ids::{SessionId, SocketId, Token};
use super::presence::PresenceState;
use super::session::session_place;
use super::socket::{Phase, Socket, socket_place};
use super::timers::Timer;
use crate::http::Text;
use crate::socketio::{Packet, PacketType, Protocol, write_name};
use crate::time::Instant;
use crate::ws::CloseCode;

/// How a socket has become live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Connected {
    /// It was accepted.
    New,
    /// Its client came back with this token.
    Resumed(Token),
    /// Its client came back by recovery, with this pid, but what it has missed is not known any more.
    Missed(Token),
    /// Its client came back by recovery, and has got what it had missed.
    Recovered,
}

/// For the application: who is let in, who comes back, who has to go.
impl Hub {
    /// Accepts a client that was told by [`Event::Connecting`]; [`Event::Connected`] follows. The socket is live from here on: it
    /// may be identified, join rooms and be sent to before that is told.
    ///
    /// # Errors
    /// If the socket does not wait for that (any more).
    pub fn accept(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        self.clock(now);
        self.require_connecting(socket)?;
        self.connected(socket, Connected::New);
        Ok(())
    }

    /// Refuses a client that was told by [`Event::Connecting`]: it gets a `CONNECT_ERROR`.
    ///
    /// # Errors
    /// If the socket does not wait for that (any more).
    pub fn refuse(&mut self, now: Instant, socket: SocketId, refusal: &Refusal) -> Result<(), SocketError> {
        self.clock(now);
        self.require_connecting(socket)?;
        self.refuse_connecting(socket, refusal);
        Ok(())
    }

    /// Puts a client that was told by [`Event::Connecting`] back into the session that `token` names, whether that is
    /// away or its old transport only seems alive (which is then closed). It keeps its [`SocketId`], which is returned,
    /// its rooms and its user, and gets a new token; [`Event::Connected`] follows. The id of the connecting socket names
    /// nothing any more. The token that was used is good until the client's first packet: its new transport may be lost before it
    /// hears of the new one.
    ///
    /// Events that were emitted to the session while it was away are lost to it; [recovery](super#recovery) is how clients get
    /// them.
    ///
    /// # Errors
    /// If the token is not good; the connecting socket then still waits for [`accept`](Self::accept).
    pub fn resume(&mut self, now: Instant, socket: SocketId, token: &Token) -> Result<SocketId, ResumeError> {
        self.clock(now);
        let connecting = self.require_connecting(socket)?;
        let (namespace, session) = (connecting.namespace, connecting.session);
        let old = *self.tokens.get(token).ok_or(ResumeError::UnknownToken)?;
        self.sockets.get(old).filter(|old| old.namespace == namespace).ok_or(ResumeError::UnknownToken)?;
        let before = self.come_back(old, session);
        if let Some(session) = session.and_then(|place| self.sessions.at_mut(place)) {
            for at in session.sockets.iter_mut().filter(|at| **at == socket_place(socket)) {
                *at = socket_place(old);
            }
        }
        self.forget_socket(socket);
        self.connected(old, Connected::Resumed(*token));
        self.end_taken_over(before);
        Ok(old)
    }

    /// Disconnects a socket for good: its client is told so, and does not come back by itself.
    ///
    /// # Errors
    /// If there is no such socket.
    pub fn disconnect(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        self.clock(now);
        let place = socket_place(socket);
        let entry = self.sockets.get(socket).ok_or(SocketError::Gone)?;
        if let Some(session) = entry.session {
            let namespace = self.groups.name(entry.namespace);
            self.send_packet(session, &Packet::new(PacketType::Disconnect, &namespace));
            self.leave_session(session, place);
            if let Some(session) = self.sessions.at_mut(session)
                && !session.was_dismissed(&namespace)
            {
                let dismissed = session.dismissed.get_or_insert_default();
                dismissed.truncate(self.config.limits.namespaces_per_session_max);
                dismissed.insert(0, namespace);
            }
        }
        self.lose_socket(place, DisconnectReason::Server);
        Ok(())
    }

    /// Disconnects a socket and all others of its session for good, and closes their transport: the client is told so, and
    /// does not come back by itself.
    ///
    /// # Errors
    /// If there is no such socket, or it is away.
    pub fn disconnect_client(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        let session = self.sockets.get(socket).ok_or(SocketError::Gone)?.session.ok_or(SocketError::Away)?;
        let Some(id) = self.sessions.key_at(session) else { return Err(SocketError::Away) };
        let places = self.sessions.get(id).map(|session| session.sockets.clone()).unwrap_or_default();
        for socket in places.into_iter().filter_map(|place| self.sockets.key_at(place)).collect::<Vec<_>>() {
            self.disconnect(now, socket)?;
        }
        self.close_session(id, DisconnectReason::Server, None, CloseCode::NO_STATUS, "");
        Ok(())
    }

    /// Closes the transport under a socket, in order. Its session is away then, and its client may come back;
    /// [`disconnect`](Self::disconnect) it before if it shall not.
    ///
    /// # Errors
    /// If there is no such socket, or it is away.
    pub fn close(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        self.clock(now);
        let session = self.sockets.get(socket).ok_or(SocketError::Gone)?.session.ok_or(SocketError::Away)?;
        if let Some(id) = self.sessions.key_at(session) {
            self.close_session(id, DisconnectReason::Closed, None, CloseCode::NO_STATUS, "");
        }
        Ok(())
    }

    /// A client asks for a namespace that it may have.
    pub(super) fn connecting<'a>(
        &mut self,
        session: SessionId,
        namespace: &str,
        auth: alloc::borrow::Cow<'a, str>,
        query: alloc::borrow::Cow<'a, str>,
    ) -> Option<Event<'a>> {
        let group = self.groups.find_or_make(super::groups::Scope::Namespace, namespace)?;
        let until = self.now.saturating_add(self.config.connect_timeout);
        let socket = Socket::connecting(group, Some(session_place(session)), until, &mut self.entropy);
        let id = self.sockets.insert(socket)?;
        self.join_group(group, id);
        let namespace = self.groups.at(group)?.name.clone();
        self.enter_session(session, id, &namespace);
        self.touch_socket(id);
        Some(Event::Connecting { socket: id, namespace, auth, query })
    }

    /// A socket is one of a session's.
    pub(super) fn enter_session(&mut self, session: SessionId, socket: SocketId, namespace: &str) {
        let Some(session) = self.sessions.get_mut(session) else { return };
        session.sockets.push(socket_place(socket));
        if let Some(dismissed) = &mut session.dismissed {
            dismissed.retain(|dismissed| **dismissed != *namespace);
        }
        session.connect_by = Instant::NEVER;
    }

    /// A socket has a session again, or another, and is live on it; the session that it had until now.
    pub(super) fn come_back(&mut self, socket: SocketId, session: Option<u32>) -> Option<SessionId> {
        let place = socket_place(socket);
        let before = self.sockets.get(socket)?.session;
        if let Some(before) = before {
            // It changes hands before its old transport ends, so that it need not be away for a moment.
            self.hand_over(before, place);
            let away_until = Some(self.now.saturating_add(self.config.away_timeout));
            self.fail_acks(socket);
            self.events.push_back(Event::Disconnected { socket, reason: DisconnectReason::TakenOver, away_until });
        } else {
            self.away = self.away.saturating_sub(1);
            self.shift_presence(place, Some(PresenceState::Away), Some(PresenceState::Live));
        }
        let entry = self.sockets.get_mut(socket)?;
        (entry.session, entry.phase) = (session, Phase::Live);
        self.owe_snapshots(place);
        before.and_then(|before| self.sessions.key_at(before))
    }

    /// The transport that a socket has left for another is closed.
    pub(super) fn end_taken_over(&mut self, before: Option<SessionId>) {
        if let Some(before) = before {
            self.close_session(before, DisconnectReason::TakenOver, None, CloseCode::GOING_AWAY, "taken over");
        }
    }

    /// A socket is live: tells its client, and the application.
    pub(super) fn connected(&mut self, socket: SocketId, how: Connected) {
        let Some(entry) = self.sockets.get_mut(socket) else { return };
        entry.phase = Phase::Live;
        // The one that it was made with is good from now on. What was used its client has; another it need not have heard of, or
        // has no more use for.
        if let Connected::Resumed(used) = how {
            let before = core::mem::replace(&mut entry.token, Token::new(&mut self.entropy));
            let spent = entry.spent.get_or_insert_default().token.replace(used);
            for other in [Some(before), spent].into_iter().flatten().filter(|other| *other != used) {
                self.tokens.remove(&other);
            }
        }
        self.tokens.insert(entry.token, socket);
        let (resumed, recovered) = (how != Connected::New, how == Connected::Recovered);
        self.events.push_back(Event::Connected { socket, resumed, recovered });
        self.forget_spent_pid(socket);
        if !recovered {
            self.begin_history(socket);
        }
        if let Connected::Missed(used) = how {
            self.spend_pid(socket, used);
        }
        let Some(entry) = self.sockets.get(socket) else { return };
        let mut data = String::new();
        if let Some(place) = entry.session
            && let Some(session) = self.sessions.at(place)
        {
            if session.protocol() == Protocol::V5 {
                data.reserve(64);
                let pid = self.history.as_ref().and_then(|history| history.pid(socket)).map(Token::as_str);
                for (name, value) in [("{\"sid\":\"", Some(entry.sid())), ("\",\"pid\":\"", pid)] {
                    if let Some(value) = value {
                        data.push_str(name);
                        data.push_str(value);
                    }
                }
                data.push_str("\"}");
            }
            let namespace = self.groups.name(entry.namespace);
            self.send_packet(place, &Packet { data: &data, ..Packet::new(PacketType::Connect, &namespace) });
            self.release_early(place, socket);
            self.release_handshake(place);
        }
    }

    fn refuse_connecting(&mut self, socket: SocketId, refusal: &Refusal) {
        let Some(entry) = self.sockets.get(socket) else { return };
        let namespace = self.groups.name(entry.namespace);
        if let Some(session) = entry.session {
            self.leave_session(session, socket_place(socket));
            self.send_connect_error(session, &namespace, refusal);
        }
        self.forget_socket(socket);
    }

    pub(super) fn send_connect_error(&mut self, session: u32, namespace: &str, refusal: &Refusal) {
        let Some(entry) = self.sessions.at(session) else { return };
        let mut data = Vec::new();
        let protocol = entry.protocol();
        match (protocol, refusal.data.as_ref().filter(|data| self.config.parser.takes_refusal(data, protocol))) {
            (Protocol::V4, Some(value)) => data.extend_from_slice(value.as_bytes()),
            (Protocol::V4, None) => write_name(&refusal.message, &mut data),
            (Protocol::V5, value) => {
                data.extend_from_slice(b"{\"message\":");
                write_name(&refusal.message, &mut data);
                if let Some(value) = value {
                    let _ = write!(Text(&mut data), ",\"data\":{value}");
                }
                data.push(b'}');
            }
        }
        let data = String::from_utf8(data).unwrap_or_default();
        self.send_packet(session, &Packet { data: &data, ..Packet::new(PacketType::ConnectError, namespace) });
    }

    /// The client left a namespace in order.
    pub(super) fn client_left(&mut self, session: SessionId, socket: u32) {
        self.leave_session(session_place(session), socket);
        self.lose_socket(socket, DisconnectReason::Client);
    }

    /// A socket has no transport any more: it is away, if it may be, or it has left.
    pub(super) fn lose_socket(&mut self, place: u32, reason: DisconnectReason) {
        let Some(socket) = self.sockets.key_at(place) else { return };
        let Some(entry) = self.sockets.get_mut(socket) else { return };
        entry.session = None;
        self.fail_acks(socket);
        let timeout = self.config.away_timeout;
        let has_room = self.away < self.config.limits.away_max && !timeout.is_zero() && !self.is_shutting_down();
        let Some(entry) = self.sockets.get_mut(socket) else { return };
        let may_stay = entry.phase == Phase::Live && reason.is_recoverable() && has_room;
        if may_stay {
            let until = self.now.saturating_add(timeout);
            entry.phase = Phase::Away { until };
            self.away = self.away.saturating_add(1);
            self.events.push_back(Event::Disconnected { socket, reason, away_until: Some(until) });
            self.shift_presence(place, Some(PresenceState::Live), Some(PresenceState::Away));
            self.touch_socket(socket);
        } else {
            self.events.push_back(Event::Disconnected { socket, reason, away_until: None });
            self.forget_socket(socket);
        }
    }

    /// Nobody comes back any more: who is away has left.
    pub(super) fn end_away(&mut self) {
        let is_away = |socket: &SocketId| {
            self.sockets.get(*socket).is_some_and(|entry| matches!(entry.phase, Phase::Away { .. }))
        };
        for socket in self.sockets.keys().filter(is_away).collect::<Vec<_>>() {
            self.forget_socket(socket);
            self.events.push_back(Event::Left { socket });
        }
    }

    /// The client speaks on its new transport: it can know its new token and pid.
    pub(super) fn forget_spent(&mut self, place: u32) {
        let Some(spent) = self.sockets.at_mut(place).and_then(|socket| socket.spent.take()) else { return };
        if let Some(token) = spent.token {
            self.tokens.remove(&token);
        }
        if let Some((pid, history)) = spent.pid.zip(self.history.as_mut()) {
            history.forget_pid(&pid);
        }
    }

    /// Takes a socket out of everything.
    pub(super) fn forget_socket(&mut self, socket: SocketId) {
        let place = socket_place(socket);
        let Some(entry) = self.sockets.get(socket) else { return };
        if matches!(entry.phase, Phase::Away { .. }) {
            self.away = self.away.saturating_sub(1);
        }
        let token = entry.token;
        if self.tokens.get(&token) == Some(&socket) {
            self.tokens.remove(&token);
        }
        self.forget_spent(place);
        if let Some(history) = &mut self.history {
            history.forget_client(socket);
        }
        self.exit_all(place);
        // Rooms go before the namespace that they belong to, which was joined first.
        while let Some(group) = self.sockets.get(socket).and_then(|entry| entry.groups.last()).map(|link| link.place) {
            self.leave_group(group, socket);
        }
        self.sockets.remove(socket);
    }

    /// Does what is due for a socket.
    pub(super) fn socket_due(&mut self, socket: SocketId) {
        let now = self.now;
        let Some(entry) = self.sockets.get_mut(socket) else { return };
        match entry.phase {
            Phase::Connecting { until } if until <= now => {
                self.refuse_connecting(socket, &Refusal::new("timeout"));
                let reason = DisconnectReason::NotAccepted;
                self.events.push_back(Event::Disconnected { socket, reason, away_until: None });
                return;
            }
            Phase::Away { until } if until <= now => {
                self.forget_socket(socket);
                self.events.push_back(Event::Left { socket });
                return;
            }
            _ => {}
        }
        self.expire_acks(socket);
        self.touch_socket(socket);
    }

    pub(super) fn touch_socket(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            let at = socket.poll_timeout();
            self.timers.schedule(Timer::Socket(id), &mut socket.scheduled, at);
        }
    }

    fn require_connecting(&self, socket: SocketId) -> Result<&Socket, SocketError> {
        let entry = self.sockets.get(socket).ok_or(SocketError::Gone)?;
        match entry.phase {
            Phase::Connecting { .. } => Ok(entry),
            Phase::Live | Phase::Away { .. } => Err(SocketError::NotConnecting),
        }
    }

    /// A socket that was accepted, live or away.
    pub(super) fn require_accepted(&self, socket: SocketId) -> Result<&Socket, SocketError> {
        let entry = self.sockets.get(socket).ok_or(SocketError::Gone)?;
        match entry.phase {
            Phase::Live | Phase::Away { .. } => Ok(entry),
            Phase::Connecting { .. } => Err(SocketError::NotAccepted),
        }
    }
}
