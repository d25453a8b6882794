//! Events of which only the newest is wanted: a point of a live graph, a position, a progress.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::body::{Body, KeptBody};
use super::front::Hub;
use super::ids::SocketId;

/// What waits for a session that is congested: for each socket and key the newest event.
#[derive(Debug, Default)]
pub(super) struct Latest {
    waiting: Vec<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    socket: SocketId,
    key: Box<str>,
    point: Arc<Point>,
}

/// An event that is written when its turn comes.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) body: KeptBody,
    /// Whether it may be compressed.
    pub(super) compress: bool,
}

impl Latest {
    fn find(&self, socket: SocketId, key: &str) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.socket == socket && *waiting.key == *key)
    }

    /// Puts an event in the place of the one that waits under its key, or behind all that wait. If all together would
    /// have more than so many bytes, or keys, what waits is as it was, and this is false.
    fn put(&mut self, socket: SocketId, key: &str, point: &Arc<Point>, bytes_max: usize, keys_max: usize) -> bool {
        let at = self.find(socket, key);
        let before = at.and_then(|at| self.waiting.get(at)).map_or(0, |waiting| waiting.point.body.bytes());
        let bytes = self.bytes.saturating_sub(before).saturating_add(point.body.bytes());
        if bytes > bytes_max || at.is_none() && self.waiting.len() >= keys_max {
            return false;
        }
        self.bytes = bytes;
        match at.and_then(|at| self.waiting.get_mut(at)) {
            Some(waiting) => waiting.point = point.clone(),
            None => self.waiting.push(Waiting { socket, key: key.into(), point: point.clone() }),
        }
        true
    }

    fn remove(&mut self, socket: SocketId, key: &str) {
        if let Some(at) = self.find(socket, key) {
            self.bytes = self.bytes.saturating_sub(self.waiting.remove(at).point.body.bytes());
        }
    }
}

impl Hub {
    /// An event waits for a session that is congested, if there is room for it: together with what is queued it fits into an
    /// outbox.
    pub(super) fn await_turn(&mut self, session: u32, place: u32, key: &str, point: &Arc<Point>) -> bool {
        let limits = self.config.limits;
        let room = limits.outbox_bytes_max.saturating_sub(self.waiting_bytes(session));
        let Some(socket) = self.sockets.key_at(place) else { return false };
        let Some(entry) = self.sessions.at_mut(session) else { return false };
        let waits = entry.latest.get_or_insert_default().put(socket, key, point, room, limits.latest_keys_max);
        // Its end is what this waits for; a pong may have brought it about, of which nobody was told.
        if let Some(conn) = entry.carrier.stream() {
            self.note_congestion(conn);
        }
        waits
    }

    /// What waits under a key is not the newest any more.
    pub(super) fn forget_latest(&mut self, session: u32, place: u32, key: &str) {
        if let Some(latest) = self.sessions.at_mut(session).and_then(|entry| entry.latest.as_mut())
            && let Some(socket) = self.sockets.key_at(place)
        {
            latest.remove(socket, key);
        }
    }

    /// Queues what waits for a session, if it has caught up. That is so only after something was written, or fetched.
    pub(super) fn release_latest(&mut self, session: u32) {
        if self.waiting_bytes(session) > self.config.limits.congested_bytes / 2 {
            return;
        }
        let Some(entry) = self.sessions.at_mut(session) else { return };
        let Some(latest) = entry.latest.take() else { return };
        let format = entry.format();
        for Waiting { socket, point, .. } in latest.waiting {
            // It may have left the namespace meanwhile.
            let Some(namespace) = self.sockets.get(socket).map(|socket| self.groups.name(socket.namespace)) else {
                continue;
            };
            let body = point.body.lend();
            let reminder = self.reminder(body.text);
            let body = Body { numbered: reminder.as_deref(), ..body };
            let packets = body.packets(&namespace, None, format, self.config.parser);
            let packets = if point.compress { self.compressed(session, packets) } else { packets };
            // There is room: what waits was counted to what was queued before it.
            let _ = self.queue(session, &packets);
        }
    }
}
