//! Events of which only the newest is wanted: a point of a live graph, a position, a progress.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::front::Hub;
use super::ids::SocketId;
use crate::ws::{Prepared, SendError};

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
    packets: Vec<Prepared>,
}

fn bytes_of(packets: &[Prepared]) -> usize {
    packets.iter().fold(0_usize, |sum, packet| sum.saturating_add(packet.frame().len()))
}

impl Latest {
    fn find(&self, socket: SocketId, key: &str) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.socket == socket && *waiting.key == *key)
    }

    /// Puts an event in the place of the one that waits under its key, or behind all that wait.
    ///
    /// # Errors
    /// If all together would have more than so many bytes, or keys; then what waits is as it was.
    fn put(
        &mut self,
        (socket, key): (SocketId, &str),
        packets: &[Prepared],
        bytes_max: usize,
        keys_max: usize,
    ) -> Result<(), SendError> {
        let at = self.find(socket, key);
        let before = at.and_then(|at| self.waiting.get(at)).map_or(0, |waiting| bytes_of(&waiting.packets));
        let bytes = self.bytes.saturating_sub(before).saturating_add(bytes_of(packets));
        if bytes > bytes_max || at.is_none() && self.waiting.len() >= keys_max {
            return Err(SendError::OutboxFull);
        }
        self.bytes = bytes;
        match at.and_then(|at| self.waiting.get_mut(at)) {
            Some(waiting) => waiting.packets = packets.to_vec(),
            None => self.waiting.push(Waiting { socket, key: key.into(), packets: packets.to_vec() }),
        }
        Ok(())
    }

    fn remove(&mut self, socket: SocketId, key: &str) {
        if let Some(at) = self.find(socket, key) {
            self.bytes = self.bytes.saturating_sub(bytes_of(&self.waiting.remove(at).packets));
        }
    }
}

impl Hub {
    /// Queues an event of which only the newest is wanted. While its session is congested it waits apart.
    ///
    /// # Errors
    /// As for [`queue`](Self::queue), and if there is no room for it where it would wait.
    pub(super) fn queue_latest(
        &mut self,
        session: u32,
        place: u32,
        key: &str,
        packets: &[Prepared],
    ) -> Result<(), SendError> {
        let limits = self.config.limits;
        let waiting = self.waiting_bytes(session);
        let Some(socket) = self.sockets.key_at(place) else { return Err(SendError::NotOpen) };
        let Some(entry) = self.sessions.at_mut(session) else { return Err(SendError::NotOpen) };
        if waiting > limits.congested_bytes {
            let room = limits.outbox_bytes_max.saturating_sub(waiting);
            entry.latest.get_or_insert_default().put((socket, key), packets, room, limits.latest_keys_max)?;
            // Its end is what this waits for; a pong may have brought it about, of which nobody was told.
            if let Some(conn) = entry.carrier.stream() {
                self.note_congestion(conn);
            }
            return Ok(());
        }
        if let Some(latest) = &mut entry.latest {
            latest.remove(socket, key);
        }
        self.queue(session, packets)
    }

    /// Queues what waits for a session, if it has caught up. That is so only after something was written, or fetched.
    pub(super) fn release_latest(&mut self, session: u32) {
        if self.waiting_bytes(session) > self.config.limits.congested_bytes / 2 {
            return;
        }
        let latest = self.sessions.at_mut(session).and_then(|entry| entry.latest.take());
        for waiting in latest.into_iter().flat_map(|latest| latest.waiting) {
            // It may have left the namespace meanwhile.
            if self.sockets.get(waiting.socket).is_some() {
                // There is room: what waits was counted to what waited before it.
                let _ = self.queue(session, &waiting.packets);
            }
        }
    }
}
