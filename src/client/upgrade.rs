//! WebSocket as a session's transport: from the beginning, or in the place of long polling.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::engine::{Engine, Happening, Phase, Slot};
use super::error::Error;
use super::queue::Outgoing;
use super::wire::Shared;
use crate::engineio::{Revision, Transport};
use crate::stream::Stream;
use crate::time::Instant;
use crate::ws::{self, CloseCode, Message, SendError};

/// The change of a session from long polling to WebSocket.
///
/// ```text
///        101: 2probe          3probe             no request under way: 5
///  Opening ─────────▶ Probing ────────▶ Pausing ──────────────────────▶ (the transport is WebSocket)
///     │ anything else, upgrade_timeout    │
///     └───────────────────────────────────┴──▶ (long polling goes on)
/// ```
///
/// Nothing is lost or repeated: while it pauses no request begins, what is under way is answered, and what is queued
/// goes out behind the `5`.
#[derive(Debug)]
pub(super) struct Upgrade {
    pub(super) stage: Stage,
    pub(super) until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Opening,
    Probing,
    Pausing,
}

impl Engine {
    pub(super) fn begin_upgrade(&mut self, shared: &mut Shared) {
        match self.websocket(shared) {
            Ok(wire) => {
                let until = shared.now.saturating_add(shared.config.upgrade_timeout);
                self.upgrade = Some(Upgrade { stage: Stage::Opening, until });
                self.socket = Some(wire);
            }
            Err(error) => self.happenings.push_back(Happening::UpgradeFailed(error)),
        }
    }

    /// What happened on the WebSocket.
    pub(super) fn socket_event<'a>(&mut self, shared: &mut Shared, event: ws::Event<'a>) -> Option<Happening<'a>> {
        match event {
            ws::Event::Opened(opened) => {
                shared.note_cookies(opened.response());
                if let Some(upgrade) = &mut self.upgrade {
                    upgrade.stage = Stage::Probing;
                    self.say(shared, "2probe");
                }
            }
            ws::Event::Message(message) if self.upgrade.is_some() => self.probed(shared, &message),
            ws::Event::Message(message) => {
                let result = self.without_type(message).and_then(|message| self.packet(shared, message));
                match result {
                    Ok(happening) => return happening,
                    Err(error) => self.end(shared, Some(error)),
                }
            }
            ws::Event::Closed(closed) => {
                let error = closed.error.map(Error::WebSocket);
                if self.upgrade.is_some() {
                    self.upgrade_failed(shared, error.unwrap_or(Error::Packet));
                } else {
                    self.end(shared, error);
                }
            }
            // Its status stands in the end that follows it.
            ws::Event::Refused(response) => shared.note_cookies(&response),
            ws::Event::Upgrade(_) | ws::Event::Piece(_) | ws::Event::Ping(_) | ws::Event::Pong(_) => {}
        }
        None
    }

    /// A message on the WebSocket before it is the transport.
    fn probed(&mut self, shared: &mut Shared, message: &Message<'_>) {
        match &mut self.upgrade {
            Some(upgrade) if upgrade.stage == Stage::Probing && *message == Message::from("3probe") => {
                upgrade.stage = Stage::Pausing;
                self.complete_upgrade(shared);
            }
            _ => self.upgrade_failed(shared, Error::Packet),
        }
    }

    /// Goes over to WebSocket, if no request is under way any more.
    pub(super) fn complete_upgrade(&mut self, shared: &mut Shared) {
        let paused = self.upgrade.as_ref().is_some_and(|upgrade| upgrade.stage == Stage::Pausing);
        if !paused || self.polling || self.posting || self.phase != Phase::Open {
            return;
        }
        self.upgrade = None;
        self.transport = Transport::WebSocket;
        for wire in [self.poll.take(), self.post.take()].into_iter().flatten() {
            wire.give_up(shared);
        }
        self.say(shared, "5");
        if let Some(packet) = self.beat.take() {
            self.say(shared, packet);
        }
        self.happenings.push_back(Happening::Upgraded);
    }

    /// The session goes on by long polling.
    pub(super) fn upgrade_failed(&mut self, shared: &mut Shared, error: Error) {
        if self.upgrade.take().is_some() {
            self.leave_socket(shared);
            self.happenings.push_back(Happening::UpgradeFailed(error));
        }
    }

    /// Hands packets over to the WebSocket, as many as it takes.
    pub(super) fn flush_socket(&mut self, now: Instant) {
        let Some(conn) = self.socket.as_mut().and_then(|wire| wire.websocket_mut()) else { return };
        while let Some(packet) = self.queue.front() {
            let sent = match packet {
                Outgoing::Text(text) => conn.send(now, text.as_str()),
                Outgoing::Binary(bytes) if self.revision == Revision::V4 => conn.send(now, &bytes[..]),
                // In revision 3 binary data begins with the type of a message as a byte.
                Outgoing::Binary(bytes) => conn.send(now, [&[4], &bytes[..]].concat()),
            };
            match sent {
                // What is too long was refused when it was emitted.
                Ok(()) | Err(SendError::TooLong) => drop(self.queue.pop()),
                Err(_) => return,
            }
        }
    }

    /// Begins the closing handshake of the WebSocket, or gives it up where there is none.
    pub(super) fn leave_socket(&mut self, shared: &mut Shared) {
        let Some(mut wire) = self.socket.take() else { return };
        let is_open = wire.websocket_mut().is_some_and(|conn| conn.close(shared.now, CloseCode::NORMAL, "").is_ok());
        if !is_open && wire.stream() == Stream::Open {
            return wire.give_up(shared);
        }
        if let Some(older) = self.wire_mut(Slot::Leaving).replace(wire) {
            older.give_up(shared);
        }
    }

    /// Sends a packet past the queue.
    fn say(&mut self, shared: &Shared, packet: &str) {
        if let Some(conn) = self.socket.as_mut().and_then(|wire| wire.websocket_mut()) {
            // Where it is over that is told by its end.
            let _ = conn.send(shared.now, packet);
        }
    }

    /// Binary data of revision 3 begins with the type of a message as a byte.
    fn without_type<'a>(&self, message: Message<'a>) -> Result<Message<'a>, Error> {
        match message {
            Message::Binary(bytes) if self.revision == Revision::V3 => match bytes {
                Cow::Borrowed([4, rest @ ..]) => Ok(rest.into()),
                Cow::Owned(bytes) if bytes.first() == Some(&4) => {
                    Ok(Message::from(bytes.into_iter().skip(1).collect::<Vec<u8>>()))
                }
                _ => Err(Error::Packet),
            },
            message => Ok(message),
        }
    }
}
