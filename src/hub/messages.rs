//! Messages that are no events: raw ones, of clients without Socket.IO and of lines.

use alloc::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::body::Body;
use super::connection::Tie;
use super::error::EmitError;
use super::event::{Error, Event};
use super::front::Hub;
use super::ids::{ConnId, SessionId, SocketId};
use super::session::{Session, Speech, session_place};
use super::target::{Receipt, Target};
use crate::socketio::{self, Arguments as _, Packet, Placeholder, attach};
use crate::time::Instant;
use crate::ws::{CloseCode, Message};

/// For the application: messages that are no events.
impl Hub {
    /// Sends a message: to [`Plain`](super::Plain) clients and lines as it is, to Socket.IO clients as the event `message`,
    /// which is what their `send` and `on("message")` mean. A line with binary data begins with `b` and is base64. What ends a
    /// line, and on Engine.IO's revision 4 by long polling U+001E, which ends a packet, has no form there and becomes U+FFFD.
    ///
    /// # Errors
    /// As for [`emit`](Self::emit).
    pub fn send_message<'t, 'm>(
        &mut self,
        now: Instant,
        target: impl Into<Target<'t>>,
        message: impl Into<Message<'m>>,
    ) -> Result<Receipt, EmitError> {
        let (target, message) = (target.into(), message.into());
        self.require_reachable(now, &target)?;
        match &message {
            Message::Text(text) => {
                let data = self.event_body("message", &(text,))?;
                let body = Body { text: &data, attachments: &[], message: Some(&message), numbered: None };
                Ok(self.broadcast(&target, body, None))
            }
            Message::Binary(bytes) => {
                let args = attach((Placeholder(0),), [&**bytes]);
                let data = self.event_body("message", &args)?;
                let body =
                    Body { text: &data, attachments: args.attachments(), message: Some(&message), numbered: None };
                Ok(self.broadcast(&target, body, None))
            }
        }
    }

    /// Sends a message on a connection that carries lines or messages alone, whether its client is connected to a namespace or
    /// not. On others it does nothing.
    pub fn send_to_connection<'m>(&mut self, now: Instant, conn: ConnId, message: impl Into<Message<'m>>) {
        self.clock(now);
        let Some(Tie::Carries(id)) = self.conns.get(conn).map(|conn| conn.tie) else { return };
        let Some(format) = self.sessions.get(id).map(Session::format) else { return };
        if let Some(raw) = format.message(&message.into()) {
            self.send_alone(session_place(id), alloc::vec![raw]);
        }
    }

    /// A message of who has messages alone.
    pub(super) fn plain_message<'a>(
        &mut self,
        conn: ConnId,
        id: SessionId,
        message: Message<'a>,
    ) -> Result<Option<Event<'a>>, Error> {
        let place = self.sessions.get(id).and_then(|session| session.sockets.first().copied());
        let socket = place.and_then(|place| self.sockets.key_at(place));
        if socket.is_some_and(|socket| self.is_live(socket)) {
            return Ok(Some(Event::Message { conn, socket, message }));
        }
        self.hold_early(conn, id, message).ok_or(Error::EarlyMessages)?;
        Ok(None)
    }

    /// Keeps a message until the application accepts who sent it, who cannot know when that is; of a stream nothing further is
    /// read.
    fn hold_early(&mut self, conn: ConnId, id: SessionId, message: Message<'_>) -> Option<()> {
        let bytes_max = self.config.limits.packet_bytes_max;
        let session = self.sessions.get_mut(id)?;
        let Speech::Plain(plain) = &mut session.speech else { return None };
        let early = &mut plain.early;
        early.bytes = early.bytes.saturating_add(size(&message));
        // One alone is as good as it is later, whatever its size.
        if early.bytes > bytes_max && !early.messages.is_empty() {
            return None;
        }
        early.messages.push((conn, message.into_owned()));
        if let Some(conn) = session.carrier.stream() {
            self.conns.get_mut(conn)?.held = true;
        }
        Some(())
    }

    /// Tells what came before the socket was accepted, and has its stream read again.
    pub(super) fn release_early(&mut self, session: u32, socket: SocketId) {
        let now = self.now;
        let Some(session) = self.sessions.at_mut(session) else { return };
        let Speech::Plain(plain) = &mut session.speech else { return };
        let early = core::mem::take(&mut plain.early);
        if let Some(conn) = session.carrier.stream()
            && let Some(entry) = self.conns.get_mut(conn)
            && entry.release(now)
        {
            session.await_anew(now, &self.config);
            if !core::mem::replace(&mut entry.queued, true) {
                self.transmit.push_back(conn);
            }
        }
        let told =
            early.messages.into_iter().map(|(conn, message)| Event::Message { conn, socket: Some(socket), message });
        self.events.extend(told);
    }

    /// A line: a packet, an attachment, or a message.
    pub(super) fn line<'a>(&mut self, conn: ConnId, line: Cow<'a, str>) -> Option<Event<'a>> {
        let Some(Tie::Carries(id)) = self.conns.get(conn).map(|conn| conn.tie) else { return None };
        let session = self.sessions.get(id)?;
        let result = match line.as_bytes() {
            [b'0'..=b'6', ..] => Packet::parse(&line)
                .and_then(|packet| self.socketio_packet(id, &packet, &line, None))
                .map_err(Error::SocketIo),
            [b'b', data @ ..] if session.assembling.is_some() => match BASE64_STANDARD.decode(data) {
                Ok(bytes) => self.attachment(id, bytes.into()).map_err(Error::SocketIo),
                Err(_) => Err(Error::SocketIo(socketio::Error::Binary)),
            },
            _ => {
                let place = self.socket_of(id, "/");
                let socket = place.and_then(|place| self.sockets.key_at(place)).filter(|id| self.is_live(*id));
                Ok(Some(Event::Message { conn, socket, message: Message::Text(line) }))
            }
        };
        result.unwrap_or_else(|error| {
            self.fail_session(id, error, CloseCode::POLICY);
            None
        })
    }
}

/// What it costs to keep a message.
fn size(message: &Message<'_>) -> usize {
    message.as_bytes().len().saturating_add(64)
}
