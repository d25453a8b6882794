//! What the application says: namespaces, events, acknowledgements.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::error::{ConnectError, EmitError};
use super::event::{AckError, DisconnectReason, Event};
use super::front::{Client, Root};
use super::ids::{AckId, Reply, SocketId};
use super::socket::{Body, Phase, Retried, Socket};
use crate::socketio::{
    Arguments, Packet, PacketType, Protocol, ack_array, check_object, check_placeholders, event_array, is_reserved,
};
use crate::time::Instant;

fn take_number(next: &mut u64) -> u64 {
    let number = *next;
    *next = number.saturating_add(1);
    number
}

impl Client {
    /// Connects a namespace, `/` being the one that all servers have; a session is opened for it if there is none.
    /// [`Event::Connected`] or [`Event::Refused`] tells the answer. It is connected again, with the same payload, whenever a
    /// session is lost; see [`set_auth`](Self::set_auth).
    ///
    /// `auth` is a JSON object as text that the server gets for authentication, or empty. Protocol 4 has none, but there a
    /// namespace may have a query: `/admin?token=abc`.
    ///
    /// A namespace that was refused or that the server disconnected is connected again under the same id, with what waits to
    /// be sent to it.
    ///
    /// # Errors
    /// If it cannot be connected, or is already.
    pub fn connect(&mut self, now: Instant, namespace: &str, auth: &str) -> Result<SocketId, ConnectError> {
        self.clock(now);
        if self.closed {
            return Err(ConnectError::Closed);
        }
        let limits = self.shared.config.limits;
        self.check_namespace(namespace)?;
        let name = self.name_of(namespace);
        self.check_auth(auth)?;
        let id = match self.names.get(name) {
            Some(&id) => id,
            None if self.sockets.len() >= limits.namespaces_max => return Err(ConnectError::TooMany),
            None => {
                self.next_socket = self.next_socket.saturating_add(1);
                let (id, socket) = (SocketId(self.next_socket), Socket::new(name));
                self.names.insert(socket.namespace.clone(), id);
                self.sockets.insert(id, socket);
                id
            }
        };
        if let Some(socket) = self.sockets.get_mut(&id) {
            if socket.phase != Phase::Inactive {
                return Err(ConnectError::Already);
            }
            socket.phase = Phase::Waiting;
            socket.auth = auth.into();
            socket.asked = namespace.into();
        }
        self.open_unless_due();
        if self.engine.as_ref().is_some_and(|engine| engine.is_open()) {
            self.ask_for(id);
        }
        Ok(id)
    }

    /// Sets what is sent for authentication when the namespace is connected the next time. See also
    /// [`set_header`](Self::set_header), [`set_query`](Self::set_query) and
    /// [`set_namespace_query`](Self::set_namespace_query).
    ///
    /// # Errors
    /// If it is no JSON object, or too long. Of a socket that is gone nothing is remembered.
    pub fn set_auth(&mut self, socket: SocketId, auth: &str) -> Result<(), ConnectError> {
        self.check_auth(auth)?;
        if let Some(socket) = self.sockets.get_mut(&socket) {
            socket.auth = auth.into();
        }
        Ok(())
    }

    /// Sets the query that a namespace of protocol 4 has when it is connected the next time: `token=abc`, or empty.
    ///
    /// # Errors
    /// If namespaces have none in this protocol, if it has a comma or a control character, or is too long. Of a socket that
    /// is gone nothing is remembered.
    pub fn set_namespace_query(&mut self, socket: SocketId, query: &str) -> Result<(), ConnectError> {
        if self.shared.config.protocol != Protocol::V4 {
            return Err(ConnectError::Namespace);
        }
        let Some(name) = self.namespace(socket) else { return Ok(()) };
        let mark = if query.is_empty() { "" } else { "?" };
        let asked = [name, mark, query].concat();
        self.check_namespace(&asked)?;
        if let Some(socket) = self.sockets.get_mut(&socket) {
            socket.asked = asked;
        }
        Ok(())
    }

    /// Leaves a namespace. Its id names nothing any more, and what waits to be sent to it is dropped; without another
    /// namespace the session is closed.
    pub fn disconnect(&mut self, now: Instant, socket: SocketId) {
        self.clock(now);
        let id = socket;
        let Some(socket) = self.sockets.get(&id) else { return };
        // Who is not connected yet is disconnected when the answer comes: until then the server knows nobody to disconnect.
        if socket.is_connected() {
            self.say_disconnect(&socket.namespace.clone());
        }
        let Some(mut socket) = self.sockets.remove(&id) else { return };
        self.names.remove(&socket.namespace);
        let retried: Vec<u64> = socket.retried.iter().filter_map(|retried| retried.awaits).collect();
        let awaited = socket.acks.drain().filter(|ack| !retried.contains(ack));
        let told = socket.retried.iter().filter_map(|retried| retried.told);
        for ack in awaited.chain(told) {
            let ack = AckId { socket: id, id: ack };
            self.events.push_back(Event::Ack { ack, answer: Err(AckError::Disconnected) });
        }
        if socket.is_connected() {
            self.events.push_back(Event::Disconnected { socket: id, reason: DisconnectReason::Client });
        }
        self.close_if_unwanted();
    }

    /// Whether a namespace is connected.
    #[must_use]
    pub fn is_connected(&self, socket: SocketId) -> bool {
        self.sockets.get(&socket).is_some_and(Socket::is_connected)
    }

    /// The server's name for this client in a namespace, while it is connected.
    #[must_use]
    pub fn sid(&self, socket: SocketId) -> Option<&str> {
        self.sockets.get(&socket).filter(|socket| socket.is_connected()).map(|socket| socket.sid.as_str())
    }

    /// The name of a namespace.
    #[must_use]
    pub fn namespace(&self, socket: SocketId) -> Option<&str> {
        self.sockets.get(&socket).map(|socket| &*socket.namespace)
    }

    /// Sends an event. While the namespace is not connected it waits, within
    /// [`Limits::offline_events_max`](super::Limits::offline_events_max). Once it is on its way it may be lost with the
    /// session; see [`Config::retries`](super::Config::retries).
    ///
    /// # Errors
    /// If it can neither be sent nor wait.
    pub fn emit(&mut self, now: Instant, socket: SocketId, name: &str, args: impl Arguments) -> Result<(), EmitError> {
        self.clock(now);
        let body = self.event_body(name, &args)?;
        if self.shared.config.retries > 0 {
            return self.retry_until_acked(socket, body, None);
        }
        self.emit_body(socket, None, body)
    }

    /// Sends an event if it can be on its way at once, and drops it otherwise; whether it was sent.
    ///
    /// # Errors
    /// If it could never be sent.
    pub fn emit_volatile(
        &mut self,
        now: Instant,
        socket: SocketId,
        name: &str,
        args: impl Arguments,
    ) -> Result<bool, EmitError> {
        self.clock(now);
        let body = self.event_body(name, &args)?;
        let connected = self.sockets.get(&socket).ok_or(EmitError::Gone)?.is_connected();
        let writable = self.engine.as_ref().is_some_and(|engine| engine.is_writable(&self.shared));
        if !connected || !writable || !self.has_room(&body) {
            return Ok(false);
        }
        self.send_body(socket, PacketType::Event, None, body);
        Ok(true)
    }

    /// Sends an event and asks for an acknowledgement, which comes as [`Event::Ack`] within `timeout`, the time that the
    /// event waits for its namespace included. With [`Config::retries`](super::Config::retries) the time-out is
    /// [`Config::ack_timeout`](super::Config::ack_timeout), for each try.
    ///
    /// # Errors
    /// As for [`emit`](Self::emit), or if too many acknowledgements are awaited already.
    pub fn emit_with_ack(
        &mut self,
        now: Instant,
        socket: SocketId,
        name: &str,
        args: impl Arguments,
        timeout: Duration,
    ) -> Result<AckId, EmitError> {
        self.clock(now);
        let body = self.event_body(name, &args)?;
        let entry = self.sockets.get(&socket).ok_or(EmitError::Gone)?;
        if entry.acks.len().saturating_add(entry.retried.len()) >= self.shared.config.limits.acks_per_socket_max {
            return Err(EmitError::TooManyAcks);
        }
        let id = take_number(&mut self.next_ack);
        if self.shared.config.retries > 0 {
            self.retry_until_acked(socket, body, Some(id))?;
        } else {
            self.emit_body(socket, Some(id), body)?;
            let deadline = self.shared.now.saturating_add(timeout);
            if let Some(entry) = self.sockets.get_mut(&socket) {
                entry.acks.expect(id, deadline);
            }
        }
        Ok(AckId { socket, id })
    }

    /// Gives the server the acknowledgement that it asked for.
    ///
    /// # Errors
    /// If the session in which it asked is over, or the arguments cannot be sent.
    pub fn ack(&mut self, now: Instant, reply: Reply, args: impl Arguments) -> Result<(), EmitError> {
        self.clock(now);
        let socket = self.sockets.get(&reply.socket).ok_or(EmitError::Gone)?;
        let is_there = matches!(socket.phase, Phase::Connected | Phase::Connecting { .. });
        if !is_there || reply.life != socket.life {
            return Err(EmitError::Stale);
        }
        let body = self.checked_body(ack_array(&args)?, &args)?;
        if !self.has_room(&body) {
            return Err(EmitError::Full);
        }
        self.send_body(reply.socket, PacketType::Ack, Some(reply.id), body);
        Ok(())
    }

    /// How many events to a namespace are not settled: they wait for it to be connected, or for an acknowledgement that was
    /// asked for or that [`Config::retries`](super::Config::retries) ask for. Events that are on their way without one are
    /// not counted; [`close`](Self::close) sends what is queued.
    #[must_use]
    pub fn pending(&self, socket: SocketId) -> usize {
        self.sockets.get(&socket).map_or(0, Socket::pending)
    }

    /// Asks the server for a namespace, in the session that is open.
    pub(super) fn ask_for(&mut self, id: SocketId) {
        let until = self.shared.now.saturating_add(self.shared.config.namespace_timeout);
        let protocol = self.shared.config.protocol;
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.phase = Phase::Connecting { until };
        self.lives = self.lives.saturating_add(1);
        socket.life = self.lives;
        socket.asked_again = self.asked.note(&socket.namespace);
        match protocol {
            Protocol::V4 if &*socket.namespace != "/" => self.send_connect(id),
            // The server connects it unasked, and may have done so before anybody wanted it.
            Protocol::V4 if self.root == Root::Connected => {
                socket.phase = Phase::Connected;
                socket.sid = self.engine.as_ref().map(|engine| engine.sid.clone()).unwrap_or_default();
                self.events.push_back(Event::Connected { socket: id, recovered: false });
                self.send_offline(id);
                self.send_retried(id);
            }
            Protocol::V4 if self.root == Root::Awaited => {}
            Protocol::V4 | Protocol::V5 => self.send_connect(id),
        }
    }

    /// Sends CONNECT, unless the answer to an earlier one has to come first.
    pub(super) fn send_connect(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get(&id) else { return };
        if !self.asked.ask(&socket.namespace, socket.life) {
            return;
        }
        let (asked, payload) = (
            socket.asked.clone(),
            match self.shared.config.protocol {
                Protocol::V4 => String::new(),
                Protocol::V5 => socket.connect_payload(),
            },
        );
        self.say(PacketType::Connect, &asked, &payload);
    }

    /// Sends DISCONNECT.
    pub(super) fn say_disconnect(&mut self, namespace: &str) {
        if namespace == "/" {
            self.root = Root::Gone;
        }
        self.say(PacketType::Disconnect, namespace, "");
    }

    /// Sends a packet without event, past the limit of what may be queued.
    fn say(&mut self, kind: PacketType, namespace: &str, data: &str) {
        let Self { shared, engine: Some(engine), .. } = self else { return };
        let packet = Packet { data, ..Packet::new(kind, namespace) };
        let config = &shared.config;
        config.parser.write(config.protocol, packet, Vec::new(), |packet| engine.send(shared, packet));
    }

    /// Sends what was emitted while the namespace was not connected.
    pub(super) fn send_offline(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        for (ack, body) in socket.offline.take() {
            self.send_body(id, PacketType::Event, ack, body);
        }
    }

    /// Sends the first of the events that are sent until they are acknowledged, unless it is under way.
    pub(super) fn send_retried(&mut self, id: SocketId) {
        let timeout = self.shared.config.ack_timeout;
        let now = self.shared.now;
        let Some(socket) = self.sockets.get_mut(&id).filter(|socket| socket.is_connected()) else { return };
        let Some(first) = socket.retried.front_mut().filter(|first| first.awaits.is_none()) else { return };
        let number = take_number(&mut self.next_ack);
        first.tries = first.tries.saturating_add(1);
        first.awaits = Some(number);
        let body = first.body.clone();
        socket.acks.expect(number, now.saturating_add(timeout));
        self.send_body(id, PacketType::Event, Some(number), body);
    }

    fn retry_until_acked(&mut self, id: SocketId, body: Body, told: Option<u64>) -> Result<(), EmitError> {
        let limits = self.shared.config.limits;
        let socket = self.sockets.get_mut(&id).ok_or(EmitError::Gone)?;
        let bytes = socket.retried_bytes.saturating_add(body.bytes());
        if socket.retried.len() >= limits.offline_events_max || bytes > limits.offline_bytes_max {
            return Err(EmitError::Full);
        }
        socket.retried_bytes = bytes;
        socket.retried.push_back(Retried { body, told, tries: 0, awaits: None });
        self.send_retried(id);
        Ok(())
    }

    fn emit_body(&mut self, id: SocketId, ack: Option<u64>, body: Body) -> Result<(), EmitError> {
        let limits = self.shared.config.limits;
        let room = self.has_room(&body);
        let socket = self.sockets.get_mut(&id).ok_or(EmitError::Gone)?;
        if socket.is_connected() {
            if !room {
                return Err(EmitError::Full);
            }
            self.send_body(id, PacketType::Event, ack, body);
        } else {
            if !socket.offline.has_room(&body, limits.offline_events_max, limits.offline_bytes_max) {
                return Err(EmitError::Full);
            }
            socket.offline.push(ack, body);
        }
        Ok(())
    }

    /// Hands an event or an acknowledgement over to the session.
    fn send_body(&mut self, id: SocketId, kind: PacketType, ack: Option<u64>, body: Body) {
        let Self { shared, engine, sockets, .. } = self;
        let (Some(engine), Some(socket)) = (engine, sockets.get(&id)) else { return };
        let packet = Packet { id: ack, data: &body.text, ..Packet::new(kind, &socket.namespace) };
        let config = &shared.config;
        config.parser.write(config.protocol, packet, body.attachments, |packet| engine.send(shared, packet));
    }

    pub(super) fn has_room(&self, body: &Body) -> bool {
        self.queued_bytes().saturating_add(body.bytes()) <= self.shared.config.limits.outbox_bytes_max
    }

    /// The name of a namespace, without the query that protocol 4 puts behind it.
    pub(super) fn name_of<'n>(&self, namespace: &'n str) -> &'n str {
        match self.shared.config.protocol {
            Protocol::V4 => namespace.split_once('?').map_or(namespace, |(name, _)| name),
            Protocol::V5 => namespace,
        }
    }

    fn check_namespace(&self, namespace: &str) -> Result<(), ConnectError> {
        let unfit = |c: char| c.is_control() || c == ',';
        let most = self.shared.config.limits.namespace_bytes_max;
        if !namespace.starts_with('/') || namespace.len() > most || namespace.contains(unfit) {
            return Err(ConnectError::Namespace);
        }
        Ok(())
    }

    fn check_auth(&self, auth: &str) -> Result<(), ConnectError> {
        if auth.len() > self.shared.config.limits.auth_bytes_max {
            return Err(ConnectError::Auth);
        }
        check_object(auth).map_err(|_| ConnectError::Auth)
    }

    /// The array of an event: its name, which must not be one that somebody else uses, and its arguments.
    fn event_body(&self, name: &str, args: &impl Arguments) -> Result<Body, EmitError> {
        if is_reserved(name) {
            return Err(EmitError::ReservedName);
        }
        self.checked_body(event_array(name, args)?, args)
    }

    fn checked_body(&self, text: String, args: &impl Arguments) -> Result<Body, EmitError> {
        let limits = &self.shared.config.limits;
        let size = self.shared.config.parser.size(&text, limits.outbox_bytes_max);
        let body = Body { text, size, attachments: args.attachments().into() };
        if body.attachments.len() > limits.attachments_max {
            return Err(EmitError::TooManyAttachments);
        }
        if !body.attachments.is_empty() {
            check_placeholders(&body.text, body.attachments.len()).map_err(|_| EmitError::Placeholder)?;
        }
        // With room for a namespace, an id and a frame around it.
        if body.bytes().saturating_add(limits.namespace_bytes_max).saturating_add(128) > limits.outbox_bytes_max {
            return Err(EmitError::TooLong);
        }
        Ok(body)
    }
}
