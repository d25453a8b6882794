//! The upgrade of a session from long polling to WebSocket.
//!
//! ```text
//!  client (on WebSocket)   server
//!  2probe ───────────────▶
//!         ◀─────────────── 3probe, and a waiting GET is answered
//!  (stops polling: no GET and no POST is under way any more)
//!  5 ────────────────────▶
//!         ◀─────────────── everything that no GET has fetched, and all that follows
//! ```

use super::carrier::Carrier;
use super::connection::Tie;
use super::event::DisconnectReason;
use super::front::Hub;
use super::ids::{ConnId, SessionId};
use super::polling::Upgrading;
use super::session::session_place;
use crate::time::Instant;
use crate::ws::{CloseCode, Message, Prepared};

impl Hub {
    /// A WebSocket was opened for a session that there is.
    pub(super) fn begin_upgrade(&mut self, conn: ConnId, session: SessionId) {
        let until = self.now.saturating_add(self.config.engine.upgrade_timeout);
        let polling = self.polling(session).filter(|polling| polling.upgrade.is_none() && !polling.is_leaving());
        let Some(polling) = polling else {
            // It has its WebSocket, or is about to.
            return self.drop_connection(conn);
        };
        polling.upgrade = Some(Upgrading { conn, probed: false, noops: 0, noop_at: Instant::ORIGIN, until });
        self.tie(conn, Tie::Upgrades(session));
        self.touch_session(session);
    }

    /// A message on a WebSocket that does not carry the session yet.
    pub(super) fn upgrade_message(&mut self, conn: ConnId, session: SessionId, message: &Message<'_>) {
        let Some(upgrade) = self.polling(session).and_then(|polling| polling.upgrade.as_mut()) else { return };
        match message {
            Message::Text(text) if text == "2probe" => {
                upgrade.probed = true;
                let now = self.now;
                if let Some(entry) = self.conns.get_mut(conn) {
                    // It has no other way to fail than to be over, which is told by itself.
                    let _ = entry.send(now, &Prepared::text("3probe"));
                }
                self.touch(conn);
                self.poll_due(session);
            }
            Message::Text(text) if text == "5" && upgrade.probed => self.complete_upgrade(conn, session),
            _ => self.drop_connection(conn),
        }
    }

    fn complete_upgrade(&mut self, conn: ConnId, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Carrier::Polling(mut polling) = core::mem::replace(&mut session.carrier, Carrier::Stream(conn)) else {
            return;
        };
        polling.upgrade = None;
        self.tie(conn, Tie::Carries(id));
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.has_ping = polling.has_ping();
        }
        let (queued, leaves) = (polling.take_all(), polling.is_leaving());
        // A GET that still waits, against the rules, must not hang.
        self.abandon_polling(*polling, DisconnectReason::Client);
        for packet in queued {
            self.send(session_place(id), core::slice::from_ref(&packet));
        }
        self.touch_session(id);
        if leaves {
            self.end_connection(conn, DisconnectReason::Closed, None, CloseCode::NO_STATUS, "");
        }
    }

    /// The WebSocket of an upgrade is over: the session goes on as it was.
    pub(super) fn upgrade_failed(&mut self, session: SessionId) {
        if let Some(polling) = self.polling(session) {
            polling.upgrade = None;
        }
        if self.is_shutting_down() {
            // Its client polled no more, and is gone.
            self.end_session(session, DisconnectReason::Shutdown);
        }
    }

    /// Closes the WebSocket of an upgrade that is not going to be.
    pub(super) fn drop_upgrade(&mut self, upgrade: Upgrading) {
        self.drop_connection(upgrade.conn);
    }

    fn drop_connection(&mut self, conn: ConnId) {
        self.end_connection(conn, DisconnectReason::ProtocolError, None, CloseCode::NO_STATUS, "");
    }
}
