//! What clients send, packet by packet.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::connection::Tie;
use super::event::{DisconnectReason, Error, Event, Refusal};
use super::format::Format;
use super::front::Hub;
use super::ids::{AckId, ConnId, Reply, SessionId};
use super::session::{Assembling, session_place};
use super::socket::Phase;
use crate::engineio::{Received, Revision, SessionError, read_base64};
use crate::socketio::{self, Args, Assembly, EventData, Packet, PacketType, Protocol, check_object};
use crate::ws::{CloseCode, Message};

impl Hub {
    /// A message on a WebSocket.
    pub(super) fn message<'a>(&mut self, conn: ConnId, message: Message<'a>) -> Option<Event<'a>> {
        let session = match self.conns.get(conn)?.tie {
            Tie::Carries(session) => session,
            Tie::Upgrades(session) => {
                self.upgrade_message(conn, session, &message);
                return None;
            }
            // What comes after the session's end is nobody's.
            Tie::None | Tie::Polls(_) | Tie::Posts(_) | Tie::Delivers(_) => return None,
        };
        let result = match (self.sessions.get(session)?.format(), message) {
            (Format::Plain(None), message) => self.plain_message(conn, session, message),
            (Format::Engine(Revision::V3) | Format::Plain(Some(Revision::V3)), Message::Binary(bytes)) => {
                match without_type(bytes) {
                    Some(bytes) => self.packet(conn, session, Message::Binary(bytes)),
                    None => Err(Error::EngineIo(SessionError::Packet)),
                }
            }
            (Format::Engine(revision) | Format::Plain(Some(revision)), Message::Text(text))
                if text.starts_with('b') =>
            {
                self.binary_text(conn, session, revision, &text)
            }
            (_, message) => self.packet(conn, session, message),
        };
        result.unwrap_or_else(|error| {
            let kind = matches!(error, Error::SocketIo(socketio::Error::Binary | socketio::Error::Text));
            self.fail_session(session, error, if kind { CloseCode::UNSUPPORTED } else { CloseCode::POLICY });
            None
        })
    }

    /// Binary data as text, which hardly any client sends.
    #[cold]
    fn binary_text<'a>(
        &mut self,
        conn: ConnId,
        session: SessionId,
        revision: Revision,
        text: &str,
    ) -> Result<Option<Event<'a>>, Error> {
        match read_base64(revision, text) {
            Some(Ok(bytes)) => self.packet(conn, session, Message::Binary(bytes.into())),
            _ => Err(Error::EngineIo(SessionError::Packet)),
        }
    }

    /// A packet of Engine.IO, on either transport. Binary data stands without a type.
    ///
    /// # Errors
    /// If the session must end for it.
    pub(super) fn packet<'a>(
        &mut self,
        conn: ConnId,
        id: SessionId,
        packet: Message<'a>,
    ) -> Result<Option<Event<'a>>, Error> {
        let Some(session) = self.sessions.get_mut(id) else { return Ok(None) };
        let is_plain = session.format().is_plain();
        let text = match packet {
            Message::Binary(_) if is_plain => return self.plain_message(conn, id, packet),
            Message::Text(text) => text,
            #[cfg(feature = "msgpack")]
            Message::Binary(bytes) if self.config.parser == super::Parser::MessagePack => {
                return self.packed_packet(id, &bytes).map_err(Error::SocketIo);
            }
            Message::Binary(bytes) => return self.attachment(id, bytes).map_err(Error::SocketIo),
        };
        let Some(engine) = session.engine_mut() else { return Ok(None) };
        match engine.receive(self.now, &self.config.engine, &text).map_err(Error::EngineIo)? {
            Received::Message(data) if is_plain => {
                return self.plain_message(conn, id, Message::Text(lend(&text, data)));
            }
            #[cfg(feature = "msgpack")]
            Received::Message(data) if self.config.parser == super::Parser::MessagePack => {
                return self.packed_text(id, data).map_err(Error::SocketIo);
            }
            Received::Message(data) => {
                let packet = Packet::parse(data).map_err(Error::SocketIo)?;
                return self.socketio_packet(id, &packet, &text, None).map_err(Error::SocketIo);
            }
            Received::Answer(packet) => self.heartbeat(id, packet),
            Received::Close => {
                self.close_session(id, DisconnectReason::Client, None, CloseCode::NORMAL, "");
                return Ok(None);
            }
            Received::Nothing => {}
        }
        self.touch_session(id);
        Ok(None)
    }

    /// Binary data: the next attachment of the packet that announced it.
    pub(super) fn attachment(
        &mut self,
        id: SessionId,
        bytes: Cow<'_, [u8]>,
    ) -> Result<Option<Event<'static>>, socketio::Error> {
        let bytes_max = self.config.limits.packet_bytes_max;
        let Some(session) = self.sessions.get_mut(id) else { return Ok(None) };
        let assembling = session.assembling.as_mut().ok_or(socketio::Error::Binary)?;
        let Some((text, attachments)) = assembling.assembly.push(bytes.into_owned().into(), bytes_max)? else {
            return Ok(None);
        };
        session.assembling = None;
        let packet = Packet::parse(&text)?;
        // Its socket may be gone by now, without a fault of the client's.
        if self.socket_of(id, packet.namespace).is_none() {
            return Ok(None);
        }
        self.socketio_packet(id, &packet, &Cow::Owned(text.clone()), Some(attachments))
    }

    /// A packet that is nobody's: its attachments follow all the same.
    fn ignore<'a>(
        &mut self,
        id: SessionId,
        packet: &Packet<'_>,
        attachments: Option<Vec<Bytes>>,
    ) -> Result<Option<Event<'a>>, socketio::Error> {
        if packet.attachments > 0 && attachments.is_none() {
            self.await_attachments(id, packet)?;
        }
        Ok(None)
    }

    /// A Socket.IO packet; everything in it lies within `text`.
    ///
    /// `attachments` are there once they have all come.
    pub(super) fn socketio_packet<'a>(
        &mut self,
        id: SessionId,
        packet: &Packet<'_>,
        text: &Cow<'a, str>,
        attachments: Option<Vec<Bytes>>,
    ) -> Result<Option<Event<'a>>, socketio::Error> {
        if self.sessions.get(id).is_some_and(|session| session.assembling.is_some()) {
            return Err(socketio::Error::AttachmentsMissing);
        }
        if packet.kind == PacketType::Connect {
            return self.connect_packet(id, packet, text);
        }
        if packet.kind == PacketType::Disconnect && !packet.data.is_empty() {
            return Err(socketio::Error::Payload);
        }
        let Some(place) = self.socket_of(id, packet.namespace) else {
            // A client may leave what it never joined; and what it sent before it heard that it was made to leave is
            // no fault of its.
            let dismissed = self.sessions.get(id).is_some_and(|session| session.was_dismissed(packet.namespace));
            if !dismissed && packet.kind != PacketType::Disconnect {
                return Err(socketio::Error::NotConnected);
            }
            return self.ignore(id, packet, attachments);
        };
        let Some(socket) = self.sockets.key_at(place) else { return Ok(None) };
        if !self.is_live(socket) {
            match packet.kind {
                PacketType::Disconnect => {}
                // The answer to what an earlier socket of this name was asked.
                PacketType::Ack | PacketType::BinaryAck => return self.ignore(id, packet, attachments),
                _ => return Err(socketio::Error::NotConnected),
            }
        }
        self.forget_spent(place);
        let attachments = match attachments {
            None if packet.attachments > 0 => {
                self.await_attachments(id, packet)?;
                return Ok(None);
            }
            None => Vec::new(),
            Some(attachments) => attachments,
        };
        match packet.kind {
            PacketType::Event | PacketType::BinaryEvent => {
                let EventData { name, args } = EventData::parse(packet.data)?;
                let name = match name {
                    Cow::Borrowed(name) => lend(text, name),
                    Cow::Owned(name) => Cow::Owned(name),
                };
                let args = Args::checked(lend(text, args.as_str())).with_attachments(attachments);
                Ok(Some(Event::Emit {
                    socket,
                    name,
                    args,
                    reply: packet.id.map(|ack| Reply { socket, session: id, id: ack }),
                }))
            }
            PacketType::Ack | PacketType::BinaryAck => {
                let args = Args::from_array(packet.data)?;
                // One that nobody awaits, or that came before, is ignored.
                let Some(id) = packet.id.filter(|id| self.take_ack(socket, *id)) else { return Ok(None) };
                let answer = Ok(Args::checked(lend(text, args.as_str())).with_attachments(attachments));
                Ok(Some(Event::Ack { ack: AckId(id), socket, answer }))
            }
            PacketType::Disconnect => {
                self.client_left(id, place);
                Ok(None)
            }
            PacketType::Connect | PacketType::ConnectError => Err(socketio::Error::ServerPacket),
        }
    }

    /// A packet that is whole only with what follows it. What is wrong with it already is told now.
    fn await_attachments(&mut self, id: SessionId, packet: &Packet<'_>) -> Result<(), socketio::Error> {
        let until = self.now.saturating_add(self.config.attachments_timeout);
        let assembly = Assembly::new(packet, self.config.limits.attachments_max)?;
        if let Some(session) = self.sessions.get_mut(id) {
            session.assembling = Some(Box::new(Assembling { assembly, until }));
        }
        self.touch_session(id);
        Ok(())
    }

    fn connect_packet<'a>(
        &mut self,
        id: SessionId,
        packet: &Packet<'_>,
        text: &Cow<'a, str>,
    ) -> Result<Option<Event<'a>>, socketio::Error> {
        check_object(packet.data)?;
        let Some(session) = self.sessions.get(id) else { return Ok(None) };
        let (protocol, count) = (session.protocol(), session.sockets.len());
        // Protocol 4 has a query and no payload, protocol 5 the reverse.
        let (namespace, query, auth) = match (protocol, packet.namespace.split_once('?')) {
            (Protocol::V4, Some((namespace, query))) => (namespace, query, ""),
            (Protocol::V4, None) => (packet.namespace, "", ""),
            (Protocol::V5, _) => (packet.namespace, "", packet.data),
        };
        if self.socket_of(id, namespace).is_some() {
            // A client of protocol 4 may ask for the main namespace, which it has unasked.
            let harmless = protocol == Protocol::V4 && namespace == "/";
            return if harmless { Ok(None) } else { Err(socketio::Error::AlreadyConnected) };
        }
        if count >= self.config.limits.namespaces_per_session_max {
            return Err(socketio::Error::TooManyNamespaces);
        }
        if namespace.len() > self.config.limits.namespace_bytes_max {
            return Err(socketio::Error::NamespaceTooLong);
        }
        if !self.config.namespaces.contain(namespace) {
            // Nothing is kept of a namespace that there is not.
            self.send_connect_error(session_place(id), namespace, &Refusal::new("Invalid namespace"));
            return Ok(None);
        }
        if self.recover(id, namespace, auth) {
            return Ok(None);
        }
        Ok(self.connecting(id, namespace, lend(text, auth), lend(text, query)))
    }

    /// The place of the session's socket in a namespace.
    pub(super) fn socket_of(&self, id: SessionId, namespace: &str) -> Option<u32> {
        let session = self.sessions.get(id)?;
        session.sockets.iter().copied().find(|place| {
            let socket = self.sockets.at(*place).filter(|socket| !matches!(socket.phase, Phase::Away { .. }));
            socket.and_then(|socket| self.groups.at(socket.namespace)).is_some_and(|group| *group.name == *namespace)
        })
    }
}

/// The data of a binary packet of revision 3, which begins with the type of a message as a byte.
fn without_type(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    match bytes {
        Cow::Borrowed([4, rest @ ..]) => Some(Cow::Borrowed(rest)),
        Cow::Owned(bytes) => bytes.strip_prefix(&[4]).map(|rest| Cow::Owned(rest.to_vec())),
        Cow::Borrowed(_) => None,
    }
}

/// The same part of a text, lent as long as the text is.
fn lend<'a>(text: &Cow<'a, str>, part: &str) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => {
            let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            let same = text.get(start..start.saturating_add(part.len()));
            debug_assert!(part.is_empty() || same == Some(part));
            Cow::Borrowed(same.unwrap_or_default())
        }
        Cow::Owned(_) => Cow::Owned(part.to_owned()),
    }
}
