//! What goes out: messages, pings, and the answers that are owed.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::{Connection, PONG_BYTES_MAX, Pong, SendError};
use crate::time::Instant;
use crate::ws::close::CONTROL_BYTES_MAX;
use crate::ws::frame::{HEADER_BYTES_MAX, Header, RSV1};
use crate::ws::mask::apply_mask;
use crate::ws::{Message, Opcode, Prepared, Role};

impl Connection {
    /// Queues a message, compressed where that was agreed on and is worth it.
    ///
    /// # Errors
    /// If the connection is not open or the outbox has no room; nothing is queued then.
    pub fn send<'m>(&mut self, now: Instant, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        self.clock(now);
        let message = message.into();
        self.require_room(message.as_bytes().len())?;
        if !self.write_compressed(message.opcode(), message.as_bytes()) {
            self.write_message(message);
        }
        Ok(())
    }

    /// Queues a message that is not compressed, whatever was agreed on: for one that holds a secret beside text of somebody
    /// else's choice, whose compressed size would tell of it.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_plain<'m>(&mut self, now: Instant, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        self.clock(now);
        let message = message.into();
        self.require_room(message.as_bytes().len())?;
        self.write_message(message);
        Ok(())
    }

    /// Queues a message that was encoded before, by reference. Where compression with context takeover was agreed on it
    /// goes plain: what is compressed once for all cannot refer to what this connection sent before.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_prepared(&mut self, now: Instant, prepared: &Prepared) -> Result<(), SendError> {
        self.clock(now);
        self.require_room(prepared.payload().len())?;
        match self.role {
            Role::Server => {
                let deflate = self.extras.as_ref().and_then(|extras| extras.deflate.as_ref());
                let deflated = deflate.filter(|deflate| deflate.takes_prepared()).and(prepared.deflated_frame());
                self.outbox.push_shared(deflated.unwrap_or_else(|| prepared.frame()));
                self.watch_writes();
            }
            Role::Client => self.write_frame(prepared.opcode(), prepared.payload()),
        }
        Ok(())
    }

    /// Queues a ping; the answer comes as [`Event::Pong`](super::Event::Pong).
    ///
    /// # Errors
    /// If the connection is not open, the payload has more than 125 bytes or the outbox has no room.
    pub fn ping(&mut self, now: Instant, payload: &[u8]) -> Result<(), SendError> {
        self.clock(now);
        if payload.len() > CONTROL_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        self.require_room(payload.len())?;
        self.write_frame(Opcode::Ping, payload);
        Ok(())
    }

    /// Queues a message as a compressed frame, if compression was agreed on and makes it smaller.
    pub(super) fn write_compressed(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let Some(deflate) = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut()) else { return false };
        if !deflate.is_worth(payload.len()) {
            return false;
        }
        let mut compressed = Vec::new();
        // Even where it is not smaller it must go: the context has it now.
        if !deflate.compress(payload, &mut compressed) {
            return false;
        }
        self.write_frame_with(opcode, RSV1, &compressed);
        true
    }

    /// Queues a message as it is.
    pub(super) fn write_message(&mut self, message: Message<'_>) {
        let (opcode, size) = (message.opcode(), message.as_bytes().len());
        let is_lent = matches!(message, Message::Text(Cow::Borrowed(_)) | Message::Binary(Cow::Borrowed(_)));
        if is_lent || self.role == Role::Client {
            return self.write_frame(opcode, message.as_bytes());
        }
        let (header, len) = Header { fin: true, opcode, mask: None, payload_len: size as u64 }.encode();
        self.outbox.push(header.get(..len).unwrap_or_default());
        self.outbox.push_owned(message.take_owned().unwrap_or_default());
        self.watch_writes();
    }

    pub(super) fn write_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        self.write_frame_with(opcode, 0, payload);
    }

    pub(super) fn write_frame_with(&mut self, opcode: Opcode, reserved: u8, payload: &[u8]) {
        let masks = self.extras.as_mut().and_then(|extras| extras.masks.as_mut());
        let mask = masks.map(|entropy| entropy.bytes::<4>());
        let header = Header { fin: true, opcode, mask, payload_len: payload.len() as u64 };
        let (header, size) = header.encode_extended(reserved);
        self.outbox.push_with(|out| {
            out.reserve(header.len().saturating_add(payload.len()));
            // All of the array, whose length is known, and back: cheaper than a copy of some bytes.
            let start = out.len().saturating_add(size);
            out.extend_from_slice(&header);
            out.truncate(start);
            out.extend_from_slice(payload);
            if let (Some(key), Some(payload)) = (mask, out.get_mut(start..)) {
                apply_mask(payload, key);
            }
        });
        self.watch_writes();
    }

    pub(super) fn require_room(&self, payload_len: usize) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        let room = self.config.limits.outbox_bytes_max;
        let size = payload_len.saturating_add(HEADER_BYTES_MAX);
        if size > room {
            Err(SendError::TooLong)
        } else if self.outbox.len().saturating_add(size) > room {
            Err(SendError::OutboxFull)
        } else {
            Ok(())
        }
    }

    pub(super) fn owe_pong(&mut self, payload: &[u8]) {
        if !self.is_open() {
            return;
        }
        let size = u16::try_from(payload.len().saturating_add(HEADER_BYTES_MAX)).unwrap_or(u16::MAX);
        if self.pong_bytes.saturating_add(size) <= PONG_BYTES_MAX {
            self.pong_bytes = self.pong_bytes.saturating_add(size);
            return self.write_pong(payload);
        }
        let mut pong = Pong { payload: [0; CONTROL_BYTES_MAX], len: payload.len() };
        for (to, from) in pong.payload.iter_mut().zip(payload) {
            *to = *from;
        }
        self.extras.get_or_insert_default().pong = Some(pong);
    }

    pub(super) fn write_owed_pong(&mut self) {
        let Some(extras) = &mut self.extras else { return };
        let pong = extras.pong.take();
        if extras.masks.is_none() && extras.deflate.is_none() {
            self.extras = None;
        }
        if let Some(pong) = pong.filter(|_| self.is_open()) {
            self.write_pong(pong.payload.get(..pong.len).unwrap_or_default());
        }
    }

    pub(super) fn write_pong(&mut self, payload: &[u8]) {
        self.write_frame(Opcode::Pong, payload);
    }
}
