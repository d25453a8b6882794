//! What the server sends: packets of Socket.IO, and what they mean for namespaces.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::engine::Engine;
use super::error::Error;
use super::event::{AckError, DisconnectReason, Event};
use super::fields::{fields, string};
use super::front::{Client, Root};
use super::ids::{AckId, Reply, SocketId};
use super::socket::Phase;
use crate::socketio::{self, Args, Assembly, EventData, Packet, PacketType, Protocol};
use crate::time::Instant;
use crate::ws::Message;

/// A packet whose attachments are still to come.
#[derive(Debug)]
pub(super) struct Assembling {
    assembly: Assembly,
    pub(super) until: Instant,
}

/// What ids and secrets a CONNECT carries is short.
const CONNECT_BYTES_MAX: usize = 4096;

impl Client {
    /// A session is open: every namespace that is wanted is asked for.
    pub(super) fn session_opened(&mut self) {
        let wanted = self.sockets.iter().filter(|(_, socket)| socket.phase == Phase::Waiting);
        let wanted: Vec<SocketId> = wanted.map(|(id, _)| *id).collect();
        for id in wanted {
            self.ask_for(id);
        }
    }

    /// A session is over, and with it everything that was awaited from it.
    pub(super) fn lose_sockets(&mut self, reason: DisconnectReason) {
        let all: Vec<SocketId> = self.sockets.keys().copied().collect();
        for id in all {
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            let was = socket.phase;
            if was != Phase::Inactive {
                socket.phase = Phase::Waiting;
            }
            if was == Phase::Connected {
                self.events.push_back(Event::Disconnected { socket: id, reason });
            }
            self.lose_acks(id);
        }
    }

    /// The acknowledgements that a lost transport owes will not come; those of what was not sent yet still may.
    pub(super) fn lose_acks(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.sid = String::new();
        for ack in socket.acks.split_off(|ack| socket.offline.contains(ack)) {
            self.ack_failed(id, ack, AckError::Disconnected);
        }
    }

    /// A message of the session: a packet, or an attachment of the last one.
    pub(super) fn message<'a>(&mut self, message: Message<'a>) -> Option<Event<'a>> {
        let result = match message {
            #[cfg(feature = "msgpack")]
            message if self.shared.config.parser == socketio::Parser::MessagePack => self.packed(&message),
            Message::Text(text) => self.text(text),
            Message::Binary(bytes) => self.attachment(bytes).map_err(Error::SocketIo),
        };
        result.unwrap_or_else(|error| {
            self.fail(error);
            None
        })
    }

    fn text<'a>(&mut self, text: Cow<'a, str>) -> Result<Option<Event<'a>>, Error> {
        if self.assembling.is_some() {
            return Err(Error::SocketIo(socketio::Error::AttachmentsMissing));
        }
        let packet = Packet::parse(&text).map_err(Error::SocketIo)?;
        if packet.attachments > 0 {
            self.await_attachments(&packet).map_err(Error::SocketIo)?;
            return Ok(None);
        }
        match &text {
            Cow::Borrowed(text) => {
                let packet = Packet::parse(text).map_err(Error::SocketIo)?;
                self.packet(&packet, Vec::new()).map_err(Error::SocketIo)
            }
            Cow::Owned(_) => Ok(self.packet(&packet, Vec::new()).map_err(Error::SocketIo)?.map(Event::into_owned)),
        }
    }

    /// Binary data: the next attachment of the packet that announced it.
    fn attachment(&mut self, bytes: Cow<'_, [u8]>) -> Result<Option<Event<'static>>, socketio::Error> {
        let bytes_max = self.shared.config.limits.packet_bytes_max;
        let assembling = self.assembling.as_mut().ok_or(socketio::Error::Binary)?;
        let Some((text, attachments)) = assembling.assembly.push(bytes.into_owned().into(), bytes_max)? else {
            return Ok(None);
        };
        self.assembling = None;
        Ok(self.packet(&Packet::parse(&text)?, attachments)?.map(Event::into_owned))
    }

    /// A packet that is whole only with what follows it. What is wrong with it already is told now.
    fn await_attachments(&mut self, packet: &Packet<'_>) -> Result<(), socketio::Error> {
        let assembly = Assembly::new(packet, self.shared.config.limits.attachments_max)?;
        let until = self.shared.now.saturating_add(self.shared.config.attachments_timeout);
        self.assembling = Some(Assembling { assembly, until }.into());
        Ok(())
    }

    pub(super) fn packet<'a>(
        &mut self,
        packet: &Packet<'a>,
        attachments: Vec<Bytes>,
    ) -> Result<Option<Event<'a>>, socketio::Error> {
        let name = self.name_of(packet.namespace);
        let is_answer = matches!(packet.kind, PacketType::Connect | PacketType::ConnectError);
        let unasked = self.shared.config.protocol == Protocol::V4 && name == "/" && self.root == Root::Awaited;
        if name == "/" {
            match packet.kind {
                PacketType::Connect => self.root = Root::Connected,
                PacketType::Disconnect | PacketType::ConnectError => self.root = Root::Gone,
                _ => {}
            }
        }
        if is_answer && !unasked && !self.is_awaited(name, packet.kind) {
            return Ok(None);
        }
        let Some(&id) = self.names.get(name) else {
            // Nobody wants it: it was left, or it is the namespace that protocol 4 connects unasked.
            return Ok(None);
        };
        match packet.kind {
            PacketType::Connect => self.connected(id, packet.data),
            PacketType::ConnectError => Ok(self.refused(id, packet.data)),
            PacketType::Disconnect => Ok(self.disconnected(id)),
            PacketType::Event | PacketType::BinaryEvent => self.emitted(id, packet, attachments),
            PacketType::Ack | PacketType::BinaryAck => self.acknowledged(id, packet, attachments),
        }
    }

    /// Whether an answer to CONNECT is for the socket that has the name. What nobody waits for any more is undone, and then it
    /// is the turn of who waits behind it. What nobody asked for says nothing, and above all gets no answer.
    fn is_awaited(&mut self, name: &str, kind: PacketType) -> bool {
        let Some(life) = self.asked.answered(name) else { return false };
        let owner = self.names.get(name).and_then(|id| Some((*id, self.sockets.get(id)?)));
        let owner = owner.map(|(id, socket)| (id, socket.phase, life == socket.life));
        if let Some((_, Phase::Connecting { .. }, true)) = owner {
            return true;
        }
        if kind == PacketType::Connect {
            self.say_disconnect(name);
        }
        if let Some((id, Phase::Connecting { .. }, _)) = owner {
            self.send_connect(id);
        }
        false
    }

    fn connected<'a>(&mut self, id: SocketId, data: &str) -> Result<Option<Event<'a>>, socketio::Error> {
        let limits = self.shared.config.limits;
        let protocol = self.shared.config.protocol;
        let engine_sid = self.engine.as_ref().map(|engine| engine.sid.clone()).unwrap_or_default();
        let Some(socket) = self.sockets.get_mut(&id) else { return Ok(None) };
        if !matches!(socket.phase, Phase::Connecting { .. }) {
            return Ok(None);
        }
        let (sid, pid) = match protocol {
            // A client is known there by the session's id.
            Protocol::V4 if &*socket.namespace == "/" => (engine_sid, None),
            Protocol::V4 => (alloc::format!("{}#{engine_sid}", socket.namespace), None),
            Protocol::V5 => {
                if data.len() > CONNECT_BYTES_MAX {
                    return Err(socketio::Error::Payload);
                }
                let [sid, pid] = fields(data, ["sid", "pid"]).ok_or(socketio::Error::Payload)?;
                let fits = |text: &String| text.len() <= limits.offset_bytes_max;
                (string(sid).filter(fits).ok_or(socketio::Error::Payload)?, string(pid).filter(fits))
            }
        };
        let recovered = pid.is_some() && pid == socket.pid;
        if !recovered {
            // An offset means something to the session that gave it.
            socket.offset = None;
        }
        socket.sid = sid;
        socket.pid = pid;
        socket.phase = Phase::Connected;
        self.send_offline(id);
        self.send_retried(id);
        Ok(Some(Event::Connected { socket: id, recovered }))
    }

    fn refused<'a>(&mut self, id: SocketId, data: &'a str) -> Option<Event<'a>> {
        let socket = self.sockets.get_mut(&id)?;
        if !matches!(socket.phase, Phase::Connecting { .. }) {
            return None;
        }
        socket.phase = Phase::Inactive;
        socket.pid = None;
        socket.offset = None;
        self.lose_acks(id);
        let (message, data) = match fields(data, ["message", "data"]) {
            Some([message, data]) if message.is_some() => (string(message), data.unwrap_or_default()),
            // Protocol 4: any value.
            _ => match string(Some(data)) {
                Some(message) => (Some(message), ""),
                None => (None, data),
            },
        };
        self.events.push_back(
            Event::Refused { socket: id, message: message.unwrap_or_default().into(), data: data.into() }.into_owned(),
        );
        self.close_if_unwanted();
        None
    }

    fn disconnected<'a>(&mut self, id: SocketId) -> Option<Event<'a>> {
        let socket = self.sockets.get_mut(&id)?;
        if matches!(socket.phase, Phase::Connecting { .. }) && socket.asked_again {
            // It met the one with which the client left: the answer is still to come.
            return None;
        }
        match core::mem::replace(&mut socket.phase, Phase::Inactive) {
            Phase::Connected => {
                self.events.push_back(Event::Disconnected { socket: id, reason: DisconnectReason::Server });
            }
            // The only answer that there will be.
            Phase::Connecting { .. } => {
                self.asked.answered(&socket.namespace);
                let message = "disconnected by the server".into();
                self.events.push_back(Event::Refused { socket: id, message, data: "".into() });
            }
            Phase::Inactive | Phase::Waiting => {}
        }
        self.lose_acks(id);
        self.close_if_unwanted();
        None
    }

    fn emitted<'a>(
        &mut self,
        id: SocketId,
        packet: &Packet<'a>,
        attachments: Vec<Bytes>,
    ) -> Result<Option<Event<'a>>, socketio::Error> {
        let EventData { name, args } = EventData::parse(packet.data)?;
        let Some(socket) = self.sockets.get_mut(&id) else { return Ok(None) };
        // Before the answer to CONNECT come the events that a recovered session has missed, and what Python's servers emit
        // when they accept.
        let early = matches!(socket.phase, Phase::Connecting { .. }) && !socket.asked_again;
        if socket.phase != Phase::Connected && !early {
            return Ok(None);
        }
        // What is to be acknowledged is not kept for recovery: its last string is the application's.
        if packet.id.is_none() {
            socket.note_offset(args.as_str(), self.shared.config.limits.offset_bytes_max);
        }
        let reply = packet.id.map(|number| Reply { socket: id, life: socket.life, id: number });
        Ok(Some(Event::Emit { socket: id, name, args: args.with_attachments(attachments), reply }))
    }

    fn acknowledged<'a>(
        &mut self,
        id: SocketId,
        packet: &Packet<'a>,
        attachments: Vec<Bytes>,
    ) -> Result<Option<Event<'a>>, socketio::Error> {
        let args = Args::from_array(packet.data)?.with_attachments(attachments);
        let (Some(number), Some(socket)) = (packet.id, self.sockets.get_mut(&id)) else { return Ok(None) };
        // An id that is not awaited may be one that was answered too late; before the answer to CONNECT it is another
        // socket's.
        if socket.phase != Phase::Connected || !socket.acks.take(number) {
            return Ok(None);
        }
        if socket.retried.front().is_none_or(|first| first.awaits != Some(number)) {
            return Ok(Some(Event::Ack { ack: AckId { socket: id, id: number }, answer: Ok(args) }));
        }
        let Some(first) = socket.retried.pop_front() else { return Ok(None) };
        socket.retried_bytes = socket.retried_bytes.saturating_sub(first.body.bytes());
        self.send_retried(id);
        Ok(first.told.map(|told| Event::Ack { ack: AckId { socket: id, id: told }, answer: Ok(args) }))
    }

    /// An acknowledgement did not come: its event is sent again, or that is told.
    pub(super) fn ack_failed(&mut self, id: SocketId, number: u64, error: AckError) {
        let retries = self.shared.config.retries;
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.offline.remove(number);
        let Some(first) = socket.retried.front_mut().filter(|first| first.awaits == Some(number)) else {
            let ack = AckId { socket: id, id: number };
            return self.events.push_back(Event::Ack { ack, answer: Err(error) });
        };
        first.awaits = None;
        if first.tries > retries
            && let Some(first) = socket.retried.pop_front()
        {
            socket.retried_bytes = socket.retried_bytes.saturating_sub(first.body.bytes());
            self.events.push_back(match first.told {
                Some(told) => Event::Ack { ack: AckId { socket: id, id: told }, answer: Err(error) },
                None => Event::Undelivered { socket: id },
            });
        }
        self.send_retried(id);
    }

    /// Where there is no room for another try, the last one is hardly written: its time begins anew. Whether that is so.
    fn await_room(&mut self, id: SocketId, number: u64) -> bool {
        let first = self.sockets.get(&id).and_then(|socket| socket.retried.front());
        if first.is_none_or(|first| first.awaits != Some(number) || self.has_room(&first.body)) {
            return false;
        }
        let deadline = self.shared.now.saturating_add(self.shared.config.ack_timeout);
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.acks.expect(number, deadline);
        }
        true
    }

    /// What is due of the packets: acknowledgements, attachments, answers to CONNECT.
    pub(super) fn handle_packet_timeouts(&mut self) {
        let now = self.shared.now;
        let comes = self.engine.as_ref().is_some_and(Engine::is_mid_message);
        match &mut self.assembling {
            Some(assembling) if assembling.until <= now && comes => {
                assembling.until = now.saturating_add(self.shared.config.attachments_timeout);
            }
            Some(assembling) if assembling.until <= now => {
                self.assembling = None;
                self.fail(Error::SocketIo(socketio::Error::AttachmentsTimeout));
            }
            _ => {}
        }
        let all: Vec<SocketId> = self.sockets.keys().copied().collect();
        for id in all {
            while let Some(number) = self.sockets.get_mut(&id).and_then(|socket| socket.acks.expire(now)) {
                if !self.await_room(id, number) {
                    self.ack_failed(id, number, AckError::TimedOut);
                }
            }
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            if matches!(socket.phase, Phase::Connecting { until } if until <= now) {
                socket.phase = Phase::Inactive;
                let message = "no answer in time".into();
                self.events.push_back(Event::Refused { socket: id, message, data: "".into() });
                self.lose_acks(id);
                self.close_if_unwanted();
            }
        }
    }
}
