//! What goes out: messages, pings, and the answers that are owed.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::{Connection, Encoding, Extras, Outgoing, PONG_BYTES_MAX, Pong, SendError, State};
use crate::time::Instant;
use crate::ws::close::CONTROL_BYTES_MAX;
use crate::ws::frame::{FIN, HEADER_BYTES_MAX, Header, MASKED, RSV1};
use crate::ws::mask::{append_masked, append_short_masked};
use crate::ws::{Message, Opcode, Piece, Prepared, Role, Shared};

/// The length of such a payload stands in the second byte of the header.
const SHORT_BYTES_MAX: usize = 125;

impl Connection {
    /// Lends a buffer, whose content is dropped, to a connection on which nothing is queued: what is sent, and answered, is
    /// gathered there, as far as it has to be copied. So one buffer serves all connections of a thread, and nothing is allocated for
    /// what can be written at once.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use roomwire::{Instant, ws::Connection};
    ///
    /// let now = Instant::ORIGIN;
    /// let mut conn = Connection::server_after_upgrade(Arc::default(), now);
    /// let mut buffer = Vec::with_capacity(64 * 1024);
    ///
    /// conn.lend(&mut buffer);
    /// conn.send(now, "Hi")?;
    /// assert_eq!(conn.outgoing().collect::<Vec<_>>(), [b"\x81\x02Hi"]);
    /// conn.sent(now, 4);
    /// conn.reclaim(&mut buffer);
    /// assert!(buffer.is_empty() && buffer.capacity() >= 64 * 1024);
    /// # Ok::<(), roomwire::ws::SendError>(())
    /// ```
    pub fn lend(&mut self, buffer: &mut Vec<u8>) {
        if !matches!(self.state, State::Handshake(_)) {
            self.outbox.lend(buffer);
        }
    }

    /// Gives back what was lent: to be called before another connection has its turn. What could not be written moves to memory of
    /// the connection's own. If it fills more than half of the buffer, then that stays here until it is written, and `buffer`
    /// is left as it is.
    pub fn reclaim(&mut self, buffer: &mut Vec<u8>) {
        self.outbox.reclaim(buffer);
    }

    /// Queues a message, compressed where that was agreed on and is worth it.
    ///
    /// # Errors
    /// If the connection is not open, the outbox has no room or a message in pieces has not ended; nothing is queued then.
    pub fn send<'m>(&mut self, now: Instant, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        self.clock(now);
        let message = message.into();
        self.require_turn(message.as_bytes().len())?;
        if self.extras.is_some() {
            self.write_changed(message);
        } else if message.as_bytes().len() <= SHORT_BYTES_MAX {
            self.write_short(&message);
        } else {
            self.write_message(message.opcode(), true, message);
        }
        Ok(())
    }

    /// The same for a message that is owned or shared, which a server sends without a copy where it is not compressed. It
    /// stands in [`outgoing`](Self::outgoing) on its own.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_shared(&mut self, now: Instant, message: impl Into<Shared>) -> Result<(), SendError> {
        self.clock(now);
        let (opcode, payload) = message.into().into_parts();
        self.require_turn(payload.len())?;
        if self.write_compressed(opcode, &payload) {
            return Ok(());
        }
        match self.role {
            Role::Client => self.write_frame(opcode, &payload),
            Role::Server => {
                self.write_header(opcode, true, payload.len());
                self.outbox.push_bytes(payload);
                self.watch_writes();
            }
        }
        Ok(())
    }

    /// Sends a message that is neither owned nor shared without a copy of it: `write` is given the frame's header and the
    /// payload, as for a vectored write, and says how many bytes of both the stream has taken, 0 if none or if it failed. A copy of the
    /// rest is queued. It is called only where this can be: by a server, where nothing else waits to be written before and
    /// the message is not compressed. Otherwise this is [`send`](Self::send): so it is right after [`accept`](Self::accept), whose
    /// response is still to be written. It pays from some KiB on; small messages are better gathered. Since the rest may be all
    /// of it, the message must fit in the outbox ([`Limits::outbox_bytes_max`](crate::ws::Limits::outbox_bytes_max)).
    ///
    /// ```
    /// use std::io::{IoSlice, Write};
    /// use std::sync::Arc;
    /// use roomwire::{Instant, ws::Connection};
    ///
    /// let (now, mut stream) = (Instant::ORIGIN, Vec::new());
    /// let mut conn = Connection::server_after_upgrade(Arc::default(), now);
    /// let snapshot = vec![7; 100_000];
    /// conn.send_directly(now, &snapshot[..], |pieces| stream.write_vectored(&pieces.map(IoSlice::new)).unwrap_or(0))?;
    /// assert_eq!((stream.len(), conn.outgoing_len()), (10 + 100_000, 0));
    /// # Ok::<(), roomwire::ws::SendError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`send`](Self::send); `write` is not called then.
    pub fn send_directly<'m>(
        &mut self,
        now: Instant,
        message: impl Into<Message<'m>>,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<(), SendError> {
        let message = message.into();
        let payload = message.as_bytes();
        let deflate = self.extras.as_ref().and_then(|extras| extras.deflate.as_ref());
        let is_compressed = deflate.is_some_and(|deflate| deflate.is_worth(payload.len()));
        if self.role == Role::Client || !self.outbox.is_empty() || is_compressed {
            return self.send(now, message);
        }
        self.clock(now);
        self.require_turn(payload.len())?;
        let header = Header { fin: true, opcode: message.opcode(), mask: None, payload_len: payload.len() as u64 };
        let (header, size) = header.encode();
        let header = header.get(..size).unwrap_or(&header);
        let taken = write([header, payload]);
        for piece in [header.get(taken..), payload.get(taken.saturating_sub(size)..)].into_iter().flatten() {
            self.outbox.push(piece);
        }
        self.watch_writes();
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
        self.require_turn(message.as_bytes().len())?;
        self.write_message(message.opcode(), true, message);
        Ok(())
    }

    /// Queues a piece of a message, as a fragment (RFC 6455 section 5.4), so that a message of any length needs no
    /// more memory than its pieces. Control frames may go between. A message of more than one piece is compressed wherever
    /// that was agreed on, piece by piece.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use roomwire::{Instant, ws::{Connection, Piece, SendError}};
    ///
    /// let now = Instant::ORIGIN;
    /// let mut conn = Connection::server_after_upgrade(Arc::default(), now);
    /// conn.send_piece(now, Piece::begin("on"))?;
    /// conn.ping(now, b"?")?;
    /// assert_eq!(conn.send(now, "another"), Err(SendError::UnfinishedMessage));
    /// conn.send_piece(now, Piece::middle("e mes"))?;
    /// conn.send_piece(now, Piece::end("sage"))?;
    /// let bytes = conn.outgoing().collect::<Vec<_>>().concat();
    /// assert_eq!(bytes, b"\x01\x02on\x89\x01?\x00\x05e mes\x80\x04sage");
    /// # Ok::<(), SendError>(())
    /// ```
    ///
    /// # Errors
    /// If the connection is not open, the outbox has no room, or it is not the turn of such a piece; nothing is queued then,
    /// and the message goes on with the next piece that is.
    pub fn send_piece(&mut self, now: Instant, piece: Piece<'_>) -> Result<(), SendError> {
        self.queue_piece(now, piece, true)
    }

    /// The same for a message that is not compressed, as with [`send_plain`](Self::send_plain). The first piece decides
    /// for all.
    ///
    /// # Errors
    /// As for [`send_piece`](Self::send_piece).
    pub fn send_piece_plain(&mut self, now: Instant, piece: Piece<'_>) -> Result<(), SendError> {
        self.queue_piece(now, piece, false)
    }

    fn queue_piece(&mut self, now: Instant, piece: Piece<'_>, compress: bool) -> Result<(), SendError> {
        let Piece { data, first, last } = piece;
        match (first, last) {
            (true, true) if compress => return self.send(now, data),
            (true, true) => return self.send_plain(now, data),
            _ => self.clock(now),
        }
        self.require_room(data.as_bytes().len())?;
        let compress = compress && self.extras.as_ref().is_some_and(|extras| extras.deflate.is_some());
        let encoding = match (self.outgoing, first) {
            (None, true) if compress => Encoding::Deflated { begun: false },
            (None, true) => Encoding::Plain,
            (None, false) => return Err(SendError::UnexpectedContinuation),
            (Some(_), true) => return Err(SendError::UnfinishedMessage),
            (Some(outgoing), false) if outgoing.opcode != data.opcode() => return Err(SendError::OtherKind),
            (Some(outgoing), false) => outgoing.encoding,
        };
        let (kind, opcode) = (data.opcode(), if first { data.opcode() } else { Opcode::Continuation });
        let encoding = match encoding {
            Encoding::Plain => {
                self.write_message(opcode, last, data);
                Encoding::Plain
            }
            Encoding::Deflated { begun } => {
                let begun = self.write_deflated_piece(opcode, last, data.as_bytes(), begun)?;
                Encoding::Deflated { begun }
            }
        };
        self.outgoing = (!last).then_some(Outgoing { opcode: kind, encoding });
        Ok(())
    }

    /// Queues a piece of a compressed message, of which something was sent before if it has begun; whether it has now.
    fn write_deflated_piece(
        &mut self,
        opcode: Opcode,
        last: bool,
        piece: &[u8],
        mut begun: bool,
    ) -> Result<bool, SendError> {
        let mut compressed = Vec::new();
        let deflate = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut());
        if !deflate.is_some_and(|deflate| deflate.compress_piece(piece, last, &mut begun, &mut compressed)) {
            // zlib failed, which it does not; there is no other way to go on with the message or to end it.
            self.abandon(None);
            return Err(SendError::NotOpen);
        }
        // The bit stands on the first frame alone (RFC 7692 section 6.1).
        let reserved = if opcode == Opcode::Continuation { 0 } else { RSV1 };
        self.write_frame_with(opcode, last, reserved, &compressed);
        Ok(begun)
    }

    /// Queues a message that was encoded before, by reference. Where compression with context takeover was agreed on it
    /// goes plain: what is compressed once for all cannot refer to what this connection sent before. So it does where a window
    /// was agreed on that is smaller than the message. A client masks each frame anyway: there what has a compressed form is
    /// compressed anew, as by [`send`](Self::send).
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_prepared(&mut self, now: Instant, prepared: &Prepared) -> Result<(), SendError> {
        self.clock(now);
        self.require_turn(prepared.payload().len())?;
        match self.role {
            Role::Server => {
                let deflated = self.prepared_window_bits().and_then(|bits| prepared.deflated_frame(bits));
                self.outbox.push_shared(deflated.unwrap_or_else(|| prepared.frame()));
                self.watch_writes();
            }
            Role::Client => {
                if !prepared.is_deflated() || !self.write_compressed(prepared.opcode(), prepared.payload()) {
                    self.write_frame(prepared.opcode(), prepared.payload());
                }
            }
        }
        Ok(())
    }

    /// The window that a prepared message may be compressed with, if it may be.
    pub(crate) fn prepared_window_bits(&self) -> Option<u8> {
        self.extras.as_ref().and_then(|extras| extras.deflate.as_ref()?.prepared_window_bits())
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
    fn write_compressed(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let Some(deflate) = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut()) else { return false };
        if !deflate.is_worth(payload.len()) {
            return false;
        }
        let mut compressed = Vec::new();
        // Even where it is not smaller it must go: the context has it now.
        if !deflate.compress(payload, &mut compressed) {
            return false;
        }
        self.write_frame_with(opcode, true, RSV1, &compressed);
        true
    }

    /// The way of most messages of a server: a header of two bytes, and nothing else to be done.
    #[inline]
    fn write_short(&mut self, message: &Message<'_>) {
        let payload = message.as_bytes();
        let header = [FIN | message.opcode().bits(), payload.len() as u8];
        self.outbox.push_sized(header.len().saturating_add(payload.len()), |out| {
            out.extend_from_slice(&header);
            out.extend_from_slice(payload);
        });
        self.watch_writes();
    }

    /// Queues a message that may have to be masked or compressed; apart, so that it does not burden the way of most.
    #[inline(never)]
    fn write_changed(&mut self, message: Message<'_>) {
        let payload = message.as_bytes();
        match self.extras.as_deref_mut() {
            Some(Extras { masks: Some(entropy), deflate: None, .. }) if payload.len() <= SHORT_BYTES_MAX => {
                let key = entropy.bytes();
                self.write_short_masked(message.opcode(), payload, key);
            }
            _ => {
                if !self.write_compressed(message.opcode(), payload) {
                    self.write_message(message.opcode(), true, message);
                }
            }
        }
    }

    #[inline]
    fn write_short_masked(&mut self, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
        let [a, b, c, d] = key;
        let header = [FIN | opcode.bits(), MASKED | payload.len() as u8, a, b, c, d];
        self.outbox.push_sized(header.len().saturating_add(payload.len()), |out| {
            out.extend_from_slice(&header);
            append_short_masked(out, payload, key);
        });
        self.watch_writes();
    }

    /// Queues a message, or a fragment of it, as it is.
    fn write_message(&mut self, opcode: Opcode, fin: bool, message: Message<'_>) {
        let is_lent = matches!(message, Message::Text(Cow::Borrowed(_)) | Message::Binary(Cow::Borrowed(_)));
        if is_lent || self.role == Role::Client {
            return self.write_frame_with(opcode, fin, 0, message.as_bytes());
        }
        self.write_header(opcode, fin, message.as_bytes().len());
        self.outbox.push_owned(message.take_owned().unwrap_or_default());
        self.watch_writes();
    }

    pub(super) fn write_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        self.write_frame_with(opcode, true, 0, payload);
    }

    fn write_frame_with(&mut self, opcode: Opcode, fin: bool, reserved: u8, payload: &[u8]) {
        let masks = self.extras.as_mut().and_then(|extras| extras.masks.as_mut());
        let mask = masks.map(|entropy| entropy.bytes::<4>());
        let header = Header { fin, opcode, mask, payload_len: payload.len() as u64 };
        let (header, size) = header.encode_extended(reserved);
        self.outbox.push_sized(header.len().saturating_add(payload.len()), |out| {
            append_header(out, header, size);
            match mask {
                Some(key) => append_masked(out, payload, key),
                None => out.extend_from_slice(payload),
            }
        });
        self.watch_writes();
    }

    /// Queues a server's header whose payload is queued next.
    fn write_header(&mut self, opcode: Opcode, fin: bool, payload_len: usize) {
        let header = Header { fin, opcode, mask: None, payload_len: payload_len as u64 };
        let (header, size) = header.encode_extended(0);
        self.outbox.push_header(header, size);
    }

    /// Whether a whole message may be queued now.
    fn require_turn(&self, payload_len: usize) -> Result<(), SendError> {
        self.require_room(payload_len)?;
        if self.outgoing.is_some() { Err(SendError::UnfinishedMessage) } else { Ok(()) }
    }

    fn require_room(&self, payload_len: usize) -> Result<(), SendError> {
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
        let owed = self.extras.as_ref().is_some_and(|extras| extras.pong.is_some());
        if !owed && self.pong_bytes.saturating_add(size) <= PONG_BYTES_MAX {
            self.pong_bytes = self.pong_bytes.saturating_add(size);
            return self.write_pong(payload);
        }
        self.pong_bytes = PONG_BYTES_MAX;
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
        if let Some(pong) = pong {
            self.owe_pong(pong.payload.get(..pong.len).unwrap_or_default());
        }
    }

    pub(super) fn write_pong(&mut self, payload: &[u8]) {
        self.write_frame(Opcode::Pong, payload);
    }
}

fn append_header(out: &mut Vec<u8>, header: [u8; 16], size: usize) {
    // All of the array, whose length is known, and back: cheaper than a copy of some bytes.
    let end = out.len().saturating_add(size);
    out.extend_from_slice(&header);
    out.truncate(end);
}
