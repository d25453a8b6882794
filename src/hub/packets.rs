//! What clients send, packet by packet.

use alloc::borrow::{Cow, ToOwned as _};

use super::event::{Error, Event, Refusal};
use super::front::Hub;
use super::ids::{AckId, ConnId, Reply, SessionId};
use super::session::session_place;
use super::socket::Phase;
use crate::engineio::Received;
use crate::socketio::{self, Args, EventData, Packet, PacketType, Protocol, check_object};
use crate::ws::{CloseCode, Message, Prepared};

impl Hub {
    /// A message on a WebSocket.
    pub(super) fn message<'a>(&mut self, conn: ConnId, message: Message<'a>) -> Option<Event<'a>> {
        // What comes after the session's end is nobody's.
        let session = self.conns.get(conn)?.session?;
        let result = match message {
            Message::Text(text) => self.text(conn, session, text),
            Message::Binary(_) => Err(Error::SocketIo(socketio::Error::Binary)),
        };
        result.unwrap_or_else(|error| {
            let binary = error == Error::SocketIo(socketio::Error::Binary);
            self.fail_session(conn, error, if binary { CloseCode::UNSUPPORTED } else { CloseCode::POLICY });
            None
        })
    }

    fn text<'a>(&mut self, conn: ConnId, id: SessionId, text: Cow<'a, str>) -> Result<Option<Event<'a>>, Error> {
        let Some(session) = self.sessions.get_mut(id) else { return Ok(None) };
        match session.engine.receive(self.now, &self.config.engine, &text).map_err(Error::EngineIo)? {
            Received::Message(data) => {
                let packet = Packet::parse(data).map_err(Error::SocketIo)?;
                return self.packet(id, &packet, &text).map_err(Error::SocketIo);
            }
            Received::Answer(packet) => self.send_to(conn, &Prepared::text(packet)),
            Received::Close => {
                let reason = super::event::DisconnectReason::Client;
                self.end_connection(conn, reason, None, CloseCode::NORMAL, "");
                return Ok(None);
            }
            Received::Nothing => {}
        }
        self.touch_session(id);
        Ok(None)
    }

    /// A Socket.IO packet; everything in it lies within `text`.
    fn packet<'a>(
        &mut self,
        id: SessionId,
        packet: &Packet<'_>,
        text: &Cow<'a, str>,
    ) -> Result<Option<Event<'a>>, socketio::Error> {
        if packet.kind == PacketType::Connect {
            return self.connect_packet(id, packet, text);
        }
        let Some(place) = self.socket_of(id, packet.namespace) else {
            // A client may leave what it never joined; and what it sent before it heard that it was made to leave is
            // no fault of its.
            let harmless = packet.kind == PacketType::Disconnect
                || self.sessions.get(id).is_some_and(|session| session.was_dismissed(packet.namespace));
            return if harmless { Ok(None) } else { Err(socketio::Error::NotConnected) };
        };
        let Some(socket) = self.sockets.key_at(place) else { return Ok(None) };
        if !self.is_live(socket) && packet.kind != PacketType::Disconnect {
            return Err(socketio::Error::NotConnected);
        }
        self.forget_spent_token(place);
        match packet.kind {
            PacketType::Event => {
                let EventData { name, args } = EventData::parse(packet.data)?;
                let name = match name {
                    Cow::Borrowed(name) => lend(text, name),
                    Cow::Owned(name) => Cow::Owned(name),
                };
                let args = Args::checked(lend(text, args.as_str()));
                Ok(Some(Event::Emit {
                    socket,
                    name,
                    args,
                    reply: packet.id.map(|ack| Reply { socket, session: id, id: ack }),
                }))
            }
            PacketType::Ack => {
                let args = Args::from_array(packet.data)?;
                // One that nobody awaits, or that came before, is ignored.
                let Some(id) = packet.id.filter(|id| self.take_ack(place, *id)) else { return Ok(None) };
                let answer = Ok(Args::checked(lend(text, args.as_str())));
                Ok(Some(Event::Ack { ack: AckId { socket, id }, socket, answer }))
            }
            PacketType::Disconnect => {
                self.client_left(id, place);
                Ok(None)
            }
            PacketType::BinaryEvent | PacketType::BinaryAck => Err(socketio::Error::Binary),
            PacketType::Connect | PacketType::ConnectError => Err(socketio::Error::ServerPacket),
        }
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
        if self.socket_of(id, packet.namespace).is_some() {
            // A client of protocol 4 may ask for the main namespace, which it has unasked.
            let harmless = protocol == Protocol::V4 && packet.namespace == "/";
            return if harmless { Ok(None) } else { Err(socketio::Error::AlreadyConnected) };
        }
        if count >= self.config.limits.namespaces_per_session_max {
            return Err(socketio::Error::TooManyNamespaces);
        }
        if packet.namespace.len() > self.config.limits.namespace_bytes_max {
            return Err(socketio::Error::NamespaceTooLong);
        }
        if !self.config.namespaces.contain(packet.namespace) {
            // Nothing is kept of a namespace that there is not.
            self.send_connect_error(session_place(id), packet.namespace, &Refusal::new("Invalid namespace"));
            return Ok(None);
        }
        Ok(self.connecting(id, packet.namespace, lend(text, packet.data), lend(text, packet.query)))
    }

    /// Whether an acknowledgement was awaited from a socket; it is not any more.
    fn take_ack(&mut self, place: u32, id: u64) -> bool {
        let Some(entry) = self.sockets.at_mut(place) else { return false };
        let Some(acks) = &mut entry.acks else { return false };
        let taken = acks.take(id);
        if acks.len() == 0 {
            entry.acks = None;
        }
        taken
    }

    /// The place of the session's socket in a namespace.
    fn socket_of(&self, id: SessionId, namespace: &str) -> Option<u32> {
        let session = self.sessions.get(id)?;
        session.sockets.iter().copied().find(|place| {
            let socket = self.sockets.at(*place).filter(|socket| !matches!(socket.phase, Phase::Away { .. }));
            socket.and_then(|socket| self.groups.at(socket.namespace)).is_some_and(|group| *group.name == *namespace)
        })
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
