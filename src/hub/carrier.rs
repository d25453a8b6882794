//! What carries a session's packets, and how they get onto it.

use alloc::boxed::Box;

use super::connection::Tie;
use super::event::{DisconnectReason, Error};
use super::front::Hub;
use super::ids::{ConnId, SessionId};
use super::polling::Polling;
use crate::engineio::Transport;
use crate::ws::{CloseCode, Opcode, Prepared, SendError};

/// What carries a session's packets.
#[derive(Debug)]
pub(super) enum Carrier {
    /// A byte stream of its own.
    Stream(ConnId),
    /// HTTP requests.
    Polling(Box<Polling>),
}

impl Carrier {
    pub(super) const fn transport(&self) -> Transport {
        match self {
            Self::Stream(_) => Transport::WebSocket,
            Self::Polling(_) => Transport::Polling,
        }
    }

    pub(super) const fn stream(&self) -> Option<ConnId> {
        match self {
            Self::Stream(conn) => Some(*conn),
            Self::Polling(_) => None,
        }
    }

    /// The byte stream that its packets go out on; on long polling that of the last GET.
    pub(super) const fn last_stream(&self) -> ConnId {
        match self {
            Self::Stream(conn) => *conn,
            Self::Polling(polling) => polling.stream(),
        }
    }

    pub(super) fn polling(&mut self) -> Option<&mut Polling> {
        match self {
            Self::Stream(_) => None,
            Self::Polling(polling) => Some(polling),
        }
    }
}

/// What a frame adds to a message, at the most.
const FRAME_BYTES: usize = 14;

/// What packets take on a stream, with the most that each may take besides, so that the last has room if the first has.
pub(super) fn bytes_at_most(packets: &[Prepared]) -> usize {
    let size = |packet: &Prepared| packet.frame().len().saturating_add(FRAME_BYTES);
    packets.iter().fold(0_usize, |sum, packet| sum.saturating_add(size(packet)))
}

impl Hub {
    /// Queues packets on a session, all or none: an event and its attachments.
    ///
    /// # Errors
    /// If there is no room for them now, or never would be, or the session is ending.
    pub(super) fn queue(&mut self, session: u32, packets: &[Prepared]) -> Result<(), SendError> {
        let outbox_bytes_max = self.config.limits.outbox_bytes_max;
        if bytes_at_most(packets) > outbox_bytes_max {
            return Err(SendError::TooLong);
        }
        let Some(entry) = self.sessions.at_mut(session) else { return Err(SendError::NotOpen) };
        match &mut entry.carrier {
            Carrier::Polling(polling) => {
                polling.queue(packets, outbox_bytes_max)?;
                if let Some(id) = self.sessions.key_at(session) {
                    self.poll_due(id);
                }
            }
            Carrier::Stream(conn) => {
                let conn = *conn;
                let Some(entry) = self.conns.get_mut(conn) else { return Err(SendError::NotOpen) };
                match packets {
                    [packet] if packet.opcode() == Opcode::Text => entry.send(self.now, packet)?,
                    _ => entry.send_all(self.now, packets, outbox_bytes_max)?,
                }
                self.note_congestion(conn);
                self.touch(conn);
            }
        }
        Ok(())
    }

    /// Queues packets on a session, and cuts it off if that is too much.
    pub(super) fn send(&mut self, session: u32, packets: &[Prepared]) {
        match self.queue(session, packets) {
            Ok(()) | Err(SendError::NotOpen) => {}
            Err(_) => {
                if let Some(id) = self.sessions.key_at(session) {
                    self.cut_off(id);
                }
            }
        }
    }

    /// Whether a session is so far behind that it gets nothing volatile.
    pub(super) fn is_congested(&self, session: u32) -> bool {
        self.waiting_bytes(session) > self.config.limits.congested_bytes
    }

    /// How many bytes wait to be written for a session.
    pub(super) fn waiting_bytes(&self, session: u32) -> usize {
        match self.sessions.at(session).map(|session| &session.carrier) {
            Some(Carrier::Stream(conn)) => self.outgoing_len(*conn),
            Some(Carrier::Polling(polling)) => polling.bytes(),
            None => 0,
        }
    }

    /// Ends a session from this side: its sockets at once, what carries it after what is queued.
    pub(super) fn close_session(
        &mut self,
        id: SessionId,
        reason: DisconnectReason,
        error: Option<Error>,
        code: CloseCode,
        text: &str,
    ) {
        match self.sessions.get(id).map(|session| session.carrier.stream()) {
            Some(Some(conn)) => self.end_connection(conn, reason, error, code, text),
            Some(None) => self.close_polling(id, reason, error),
            None => {}
        }
    }

    /// Ends a session whose client broke the protocol.
    pub(super) fn fail_session(&mut self, id: SessionId, error: Error, code: CloseCode) {
        let text = alloc::format!("{error}");
        self.close_session(id, DisconnectReason::ProtocolError, Some(error), code, &text);
    }

    /// Cuts a session off that is too far behind for another word.
    pub(super) fn cut_off(&mut self, id: SessionId) {
        let (now, reason) = (self.now, DisconnectReason::SlowConsumer);
        let Some(conn) = self.sessions.get(id).map(|session| session.carrier.stream()) else { return };
        let Some(conn) = conn else { return self.end_session(id, reason) };
        self.detach(conn, reason, Some(Error::SlowConsumer));
        if let Some(received) = self.conns.get_mut(conn).and_then(|conn| conn.abort(now)) {
            self.received_alone(conn, received);
        }
        self.touch(conn);
    }

    /// Ends what the connection carries, and notes why.
    pub(super) fn detach(&mut self, conn: ConnId, reason: DisconnectReason, error: Option<Error>) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        entry.error = entry.error.or(error);
        // Nobody is to be accepted any more: what comes is read, to the end of the stream.
        entry.held = false;
        match core::mem::replace(&mut entry.tie, Tie::None) {
            // A poll that breaks may have lost what was on its way: the session is over, as in the official server.
            Tie::Carries(session) | Tie::Polls(session) => self.end_session(session, reason),
            Tie::Upgrades(session) => self.upgrade_failed(session),
            // What is queued still goes out, unless it was given up.
            tie @ (Tie::Delivers(_) | Tie::Posts(_)) if entry.outgoing_len() > 0 => entry.tie = tie,
            Tie::Delivers(session) => self.end_session(session, reason),
            Tie::Posts(session) => self.posted(session),
            Tie::None => {}
        }
    }

    /// A stream broke: packets that were on their way are lost, and the client cannot know.
    pub(super) fn lose_delivery(&mut self, conn: ConnId) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        if let Tie::Delivers(session) = entry.tie
            && entry.outgoing_len() > 0
        {
            entry.tie = Tie::None;
            self.end_session(session, DisconnectReason::TransportClosed);
        }
    }

    /// Makes a connection something else to a session than it was.
    pub(super) fn tie(&mut self, conn: ConnId, tie: Tie) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        if let Tie::Posts(session) = core::mem::replace(&mut entry.tie, tie) {
            // What follows on the same stream is in order anyway.
            self.posted(session);
        }
    }
}
