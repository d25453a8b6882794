//! Events to clients: to one or to many.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::acks::Asking;
use super::body::Body;
use super::connection::Link;
use super::error::{EmitError, SocketError};
use super::format::Format;
use super::front::Hub;
use super::groups::Groups;
use super::ids::{SessionId, SocketId};
use super::latest::Point;
use super::session::Session;
use super::socket::Phase;
use super::socket::socket_place;
use super::target::{Receipt, Target, WhenCongested};
use crate::engineio::Revision;
use crate::socketio::{Arguments, Packet, Parser, check_placeholders, event_array, is_reserved};
use crate::ws::{DeflateConfig, Prepared, SendError};

/// One event on its way to many: encoded for each namespace when the first socket there needs it.
struct Broadcast<'b> {
    body: Body<'b>,
    /// The acknowledgement that it asks for.
    asking: Option<Asking>,
    when_congested: WhenCongested<'b>,
    /// How it is compressed, where that was agreed on.
    deflate: Option<DeflateConfig>,
    encoded: Vec<Encoded>,
    /// The event itself, for those for whom it is encoded later.
    point: Option<Arc<Point>>,
    receipt: Receipt,
    /// Sessions that have no room for it, and their sockets; they are cut off when nobody walks over members any more.
    full: Vec<(SessionId, SocketId)>,
}

/// An event as the packets of one namespace, format and window.
struct Encoded {
    namespace: u32,
    format: Format,
    /// The window that they are compressed with, if they are.
    window_bits: Option<u8>,
    packets: Vec<Prepared>,
}

/// For the application: events.
impl Hub {
    /// Sends an event. Order is kept: every recipient gets it after everything that was emitted before.
    ///
    /// Sockets that are away do not get it, unless they [recover](super#recovery) it when they come back. A connection whose
    /// outbox has no room for it is cut off (its session may resume), unless the event is [`volatile`](Target::volatile) or only
    /// the [latest](Target::latest) is wanted.
    ///
    /// # Errors
    /// If the event cannot be sent at all, or a target that is one socket cannot take it. A room or a user that does
    /// not exist is nobody.
    pub fn emit<'t>(
        &mut self,
        now: crate::Instant,
        target: impl Into<Target<'t>>,
        name: &str,
        args: impl Arguments,
    ) -> Result<Receipt, EmitError> {
        let target = target.into();
        self.require_reachable(now, &target)?;
        let text = self.event_body(name, &args)?;
        Ok(self.broadcast(&target, Body::new(&text, args.attachments()), None))
    }

    /// Whether a target that is one socket can take an event.
    pub(super) fn require_live(&mut self, now: crate::Instant, target: &Target<'_>) -> Result<(), SocketError> {
        self.clock(now);
        let Some(socket) = target.one_socket() else { return Ok(()) };
        match self.require_accepted(socket)?.phase {
            Phase::Away { .. } => Err(SocketError::Away),
            Phase::Live | Phase::Connecting { .. } => Ok(()),
        }
    }

    /// Whether a target that is one socket can take an event now, or gets it when it comes back.
    pub(super) fn require_reachable(&mut self, now: crate::Instant, target: &Target<'_>) -> Result<(), SocketError> {
        match self.require_live(now, target) {
            Err(SocketError::Away) if target.is_reliable() && self.recovers(target.one_socket()) => Ok(()),
            result => result,
        }
    }

    /// The array of an event: its name, which must not be one that somebody else uses, and its arguments.
    pub(super) fn event_body(&self, name: &str, args: &impl Arguments) -> Result<String, EmitError> {
        let presence = &self.config.presence_events;
        if is_reserved(name) || *name == presence.snapshot || *name == presence.diff {
            return Err(EmitError::ReservedName);
        }
        self.checked_text(event_array(name, args)?, args.attachments())
    }

    /// What was written as JSON, if an outbox can hold it with its attachments and their frames.
    pub(super) fn checked_text(&self, text: String, attachments: &[Bytes]) -> Result<String, EmitError> {
        let limits = &self.config.limits;
        let size = self.config.parser.size(&text, limits.outbox_bytes_max);
        let size = attachments.iter().fold(size, |sum, bytes| sum.saturating_add(bytes.len()).saturating_add(16));
        if size.saturating_add(512) > limits.outbox_bytes_max {
            return Err(EmitError::TooLong);
        }
        if attachments.len() > limits.attachments_max {
            return Err(EmitError::TooManyAttachments);
        }
        if !attachments.is_empty() {
            check_placeholders(&text, attachments.len()).map_err(|_| EmitError::Placeholder)?;
        }
        Ok(text)
    }

    /// Queues a packet and its attachments on a session.
    pub(super) fn send_attached(&mut self, session: u32, packet: Packet<'_>, attachments: &[Bytes]) {
        let Some(format) = self.sessions.at(session).map(Session::format) else { return };
        if self.config.deflate.is_none() && self.config.parser == Parser::Json && attachments.is_empty() {
            // As nearly always: no list is made for one packet.
            return self.send(session, &[format.packet(&packet)]);
        }
        self.send_alone(session, self.config.parser.prepare(packet, attachments, format));
    }

    /// Queues packets that are for one session, compressed where that was agreed on.
    pub(super) fn send_alone(&mut self, session: u32, packets: Vec<Prepared>) {
        let packets = self.compressed(session, packets);
        self.send(session, &packets);
    }

    /// Packets as a session gets them if they are for it alone.
    pub(super) fn compressed(&self, session: u32, packets: Vec<Prepared>) -> Vec<Prepared> {
        deflated(packets, self.config.deflate.zip(self.window_bits(session)))
    }

    /// The window of messages that are compressed, where that was agreed on.
    fn window_bits(&self, session: u32) -> Option<u8> {
        let conn = self.sessions.at(session)?.carrier.stream()?;
        match &self.conns.get(conn)?.link {
            Link::WebSocket(ws) => ws.prepared_window_bits(),
            Link::Http(_) | Link::Lines(_) | Link::Foreign => None,
        }
    }

    pub(super) fn broadcast(&mut self, target: &Target<'_>, body: Body<'_>, asking: Option<Asking>) -> Receipt {
        let deflate = self.config.deflate.filter(|_| !target.uncompressed);
        let kept = if asking.is_none() { self.to_be_kept(target, &body) } else { None };
        let reminder = if kept.is_none() && asking.is_none() { self.reminder(body.text) } else { None };
        let numbered = kept.as_ref().map(|kept| kept.text.as_str()).or(reminder.as_deref());
        let body = Body { numbered, ..body };
        let when_congested = match target.when_congested {
            WhenCongested::Replace(_) if asking.is_some() => WhenCongested::Queue,
            other => other,
        };
        let mut broadcast = Broadcast::new(body, asking, when_congested, deflate);
        self.select(target, |hub, place| hub.deliver(&mut broadcast, place));
        let Broadcast { mut receipt, full, .. } = broadcast;
        // Before anybody is cut off: who is gone then has its own taken out again.
        let is_kept = kept.is_some_and(|kept| self.keep(kept));
        let waiting = self.cut_off_all(full);
        receipt.kept = if is_kept { receipt.kept.saturating_add(waiting) } else { 0 };
        receipt
    }

    /// Sends the same to the members of a group, apart from some.
    pub(super) fn broadcast_to_group(&mut self, group: u32, body: &str, apart_from: &[SocketId]) {
        let mut broadcast = Broadcast::new(Body::new(body, &[]), None, WhenCongested::Queue, self.config.deflate);
        let mark = self.begin_selection();
        for socket in apart_from {
            self.mark(*socket, mark);
        }
        self.select_members(mark, group, None, &mut |hub, place| hub.deliver(&mut broadcast, place));
        self.cut_off_all(broadcast.full);
    }

    /// Sends the same to several sockets, to each once.
    pub(super) fn broadcast_to_sockets(&mut self, sockets: &[SocketId], body: &str) {
        let mut broadcast = Broadcast::new(Body::new(body, &[]), None, WhenCongested::Queue, self.config.deflate);
        let mark = self.begin_selection();
        for socket in sockets {
            if self.is_live(*socket) {
                self.select_one(mark, socket_place(*socket), &mut |hub, place| hub.deliver(&mut broadcast, place));
            }
        }
        self.cut_off_all(broadcast.full);
    }

    /// Queues the event for one socket.
    fn deliver(&mut self, broadcast: &mut Broadcast<'_>, place: u32) {
        let Some(socket) = self.sockets.at(place) else { return };
        let session = socket.session;
        let namespace = socket.namespace;
        let format = session.and_then(|place| self.sessions.at(place)).map(Session::format);
        let (Some(session), Some(format)) = (session, format) else {
            self.count_away(broadcast, place);
            return self.count(broadcast, place, false);
        };
        let asks_too_much = broadcast.asking.is_some() && (format.is_plain() || !self.can_ask(place));
        let drops = matches!(broadcast.when_congested, WhenCongested::Drop) && self.is_congested(session);
        if asks_too_much || drops {
            broadcast.receipt.dropped = broadcast.receipt.dropped.saturating_add(1);
            return self.count(broadcast, place, false);
        }
        if let WhenCongested::Replace(key) = broadcast.when_congested {
            if self.is_congested(session) {
                let waits = self.await_turn(session, place, key, broadcast.point());
                let receipt = &mut broadcast.receipt;
                let count = if waits { &mut receipt.queued } else { &mut receipt.dropped };
                *count = count.saturating_add(1);
                return;
            }
            self.forget_latest(session, place, key);
        }
        let window_bits = broadcast.deflate.and_then(|_| self.window_bits(session));
        let packets = broadcast.encoded(namespace, format, window_bits, self.config.parser, &self.groups);
        let sent = self.queue(session, packets);
        self.count(broadcast, place, sent.is_ok());
        let receipt = &mut broadcast.receipt;
        match sent {
            Ok(()) => receipt.queued = receipt.queued.saturating_add(1),
            // Who has room for no more is not too slow: as a line, binary data take a third more.
            Err(SendError::TooLong) => receipt.dropped = receipt.dropped.saturating_add(1),
            Err(SendError::OutboxFull) if !matches!(broadcast.when_congested, WhenCongested::Queue) => {
                receipt.dropped = receipt.dropped.saturating_add(1);
            }
            Err(SendError::OutboxFull) => {
                receipt.cut_off = receipt.cut_off.saturating_add(1);
                broadcast.full.extend(self.sessions.key_at(session).zip(self.sockets.key_at(place)));
            }
            // The hub sends nothing in pieces.
            Err(
                SendError::NotOpen
                | SendError::UnfinishedMessage
                | SendError::UnexpectedContinuation
                | SendError::OtherKind,
            ) => self.count_away(broadcast, place),
        }
    }

    /// Keeps account of who cannot take it now, and whether it may later.
    fn count_away(&self, broadcast: &mut Broadcast<'_>, place: u32) {
        let receipt = &mut broadcast.receipt;
        receipt.away = receipt.away.saturating_add(1);
        receipt.kept = receipt.kept.saturating_add(usize::from(self.recovers(self.sockets.key_at(place))));
    }

    /// Keeps account of whom an acknowledgement was asked of.
    fn count(&mut self, broadcast: &Broadcast<'_>, place: u32, asked: bool) {
        let Some(asking) = broadcast.asking else { return };
        let Some(socket) = self.sockets.key_at(place) else { return };
        let Some(round) = self.rounds.get_mut(&asking.id) else { return };
        if asked {
            round.awaited = round.awaited.saturating_add(1);
            self.await_ack(socket, asking);
        } else {
            round.missing.push(socket);
        }
    }

    /// Cuts sessions off that were too far behind; of how many sockets the client can come back and get what it missed.
    fn cut_off_all(&mut self, full: Vec<(SessionId, SocketId)>) -> usize {
        full.iter().for_each(|(session, _)| self.cut_off(*session));
        full.iter().filter(|(_, socket)| self.recovers(Some(*socket))).count()
    }
}

impl<'b> Broadcast<'b> {
    const fn new(
        body: Body<'b>,
        asking: Option<Asking>,
        when_congested: WhenCongested<'b>,
        deflate: Option<DeflateConfig>,
    ) -> Self {
        let receipt = Receipt { queued: 0, dropped: 0, away: 0, cut_off: 0, kept: 0 };
        Self { body, asking, when_congested, deflate, encoded: Vec::new(), point: None, receipt, full: Vec::new() }
    }

    fn point(&mut self) -> &Arc<Point> {
        let (body, compress) = (&self.body, self.deflate.is_some());
        self.point.get_or_insert_with(|| Arc::new(Point { body: body.keep(), compress }))
    }

    /// The event's packets for a namespace, a format and a window, made when they are first asked for.
    fn encoded(
        &mut self,
        namespace: u32,
        format: Format,
        window_bits: Option<u8>,
        parser: Parser,
        groups: &Groups,
    ) -> &[Prepared] {
        let attached = !self.body.attachments.is_empty();
        let format = match format {
            Format::Engine(_) if self.body.numbered.is_none() && parser.is_same_in_both(attached) => {
                Format::Engine(Revision::V4)
            }
            format => format,
        };
        let known = self.encoded.iter().position(|known| {
            known.namespace == namespace && known.format == format && known.window_bits == window_bits
        });
        let at = known.unwrap_or_else(|| {
            let id = self.asking.map(|asking| asking.id);
            let packets = self.body.packets(&groups.name(namespace), id, format, parser);
            let packets = deflated(packets, self.deflate.zip(window_bits));
            self.encoded.push(Encoded { namespace, format, window_bits, packets });
            self.encoded.len().saturating_sub(1)
        });
        self.encoded.get(at).map_or(&[], |encoded| &encoded.packets)
    }
}

/// Packets, compressed for a window if there is one.
fn deflated(packets: Vec<Prepared>, by: Option<(DeflateConfig, u8)>) -> Vec<Prepared> {
    match by {
        Some((config, bits)) => packets.into_iter().map(|packet| packet.deflated_by(&config, bits)).collect(),
        None => packets,
    }
}
