//! Events to clients: to one or to many, and the acknowledgements both ways.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::error::{EmitError, SocketError};
use super::front::Hub;
use super::groups::{Groups, Scope};
use super::ids::{AckId, Reply, SessionId, SocketId};
use super::presence::{DIFF, SNAPSHOT};
use super::session::socket_place;
use super::socket::Phase;
use super::target::{Receipt, Target, To};
use crate::engineio::{self, Revision};
use crate::socketio::{Acks, Arguments, Packet, PacketType, check_placeholders, is_reserved, write_name};
use crate::ws::{Opcode, Prepared, SendError};

/// One event on its way to many: encoded for each namespace when the first socket there needs it.
struct Broadcast<'b> {
    body: Body<'b>,
    volatile: bool,
    /// Which sockets it has dealt with: those marked so.
    mark: u64,
    encoded: Vec<Encoded>,
    receipt: Receipt,
    /// Sessions that have no room for it; they are cut off when nobody walks over members any more.
    full: Vec<SessionId>,
}

/// An event's array, and the attachments that it names.
#[derive(Clone, Copy)]
struct Body<'b> {
    text: &'b str,
    attachments: &'b [Bytes],
}

/// An event as the packets of one namespace: its text is the same in both revisions, its attachments are not.
struct Encoded {
    namespace: u32,
    revision: Option<Revision>,
    packets: Vec<Prepared>,
}

impl Hub {
    /// Sends an event. Order is kept: every recipient gets it after everything that was emitted before.
    ///
    /// Sockets that are away do not get it. A connection whose outbox has no room for it is cut off (its session may resume),
    /// unless the event is [`volatile`](Target::volatile).
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
        self.clock(now);
        let target = target.into();
        if let To::Socket(socket) = target.to {
            match self.require_accepted(socket)?.phase {
                Phase::Away { .. } => return Err(SocketError::Away.into()),
                Phase::Live | Phase::Connecting { .. } => {}
            }
        }
        let text = self.event_body(name, &args)?;
        Ok(self.broadcast(&target, Body { text: &text, attachments: args.attachments() }))
    }

    /// Sends an event to one socket and asks for an acknowledgement, which comes as [`Event::Ack`](super::Event::Ack).
    ///
    /// # Errors
    /// If the event cannot be sent, or too many acknowledgements are awaited already.
    pub fn emit_with_ack(
        &mut self,
        now: crate::Instant,
        socket: SocketId,
        name: &str,
        args: impl Arguments,
        timeout: Duration,
    ) -> Result<AckId, EmitError> {
        self.clock(now);
        let entry = self.require_accepted(socket)?;
        let (namespace, session) = (entry.namespace, entry.session.ok_or(SocketError::Away)?);
        if entry.acks.as_ref().map_or(0, |acks| acks.len()) >= self.config.limits.acks_per_socket_max {
            return Err(EmitError::TooManyAcks);
        }
        let body = self.event_body(name, &args)?;
        let deadline = self.now.saturating_add(timeout);
        let entry = self.sockets.get_mut(socket).ok_or(SocketError::Gone)?;
        let id = entry.next_ack;
        entry.next_ack = id.saturating_add(1);
        entry.acks.get_or_insert_with(|| Box::new(Acks::default())).expect(id, deadline);
        let namespace = self.groups.name(namespace);
        let kind = if args.attachments().is_empty() { PacketType::Event } else { PacketType::BinaryEvent };
        let packet = Packet { id: Some(id), data: &body, ..Packet::new(kind, &namespace) };
        self.send_attached(session, packet, args.attachments());
        self.touch_socket(socket);
        Ok(AckId { socket, id })
    }

    /// Gives a client the acknowledgement that it asked for.
    ///
    /// # Errors
    /// If its transport is gone, or an argument has no form in JSON.
    pub fn ack(&mut self, now: crate::Instant, reply: Reply, args: impl Arguments) -> Result<(), EmitError> {
        self.clock(now);
        let entry = self.require_accepted(reply.socket)?;
        let (namespace, session) = (entry.namespace, entry.session.ok_or(SocketError::Away)?);
        if self.sessions.key_at(session) != Some(reply.session) {
            // It was asked for on a transport that is gone: on the new one the id means something else.
            return Err(SocketError::Away.into());
        }
        let mut body = alloc::vec![b'['];
        args.write(&mut body)?;
        body.push(b']');
        let body = self.checked_text(body, args.attachments())?;
        let namespace = self.groups.name(namespace);
        let kind = if args.attachments().is_empty() { PacketType::Ack } else { PacketType::BinaryAck };
        let packet = Packet { id: Some(reply.id), data: &body, ..Packet::new(kind, &namespace) };
        self.send_attached(session, packet, args.attachments());
        Ok(())
    }

    /// The array of an event: its name, which must not be one that somebody else uses, and its arguments.
    fn event_body(&self, name: &str, args: &impl Arguments) -> Result<String, EmitError> {
        if is_reserved(name) || matches!(name, SNAPSHOT | DIFF) {
            return Err(EmitError::ReservedName);
        }
        let mut body = alloc::vec![b'['];
        write_name(name, &mut body);
        body.push(b',');
        let empty = body.len();
        args.write(&mut body)?;
        if body.len() == empty {
            body.pop();
        }
        body.push(b']');
        self.checked_text(body, args.attachments())
    }

    /// What was written as JSON, if an outbox can hold it with its attachments and their frames.
    fn checked_text(&self, body: Vec<u8>, attachments: &[Bytes]) -> Result<String, EmitError> {
        let limits = &self.config.limits;
        let size = attachments.iter().fold(body.len(), |sum, bytes| sum.saturating_add(bytes.len()).saturating_add(16));
        if size.saturating_add(512) > limits.outbox_bytes_max {
            return Err(EmitError::TooLong);
        }
        let text = String::from_utf8(body).unwrap_or_default();
        if attachments.len() > limits.attachments_max {
            return Err(EmitError::TooManyAttachments);
        }
        if !attachments.is_empty() {
            check_placeholders(&text, attachments.len()).map_err(|_| EmitError::Placeholder)?;
        }
        Ok(text)
    }

    /// Queues a packet and its attachments on a session.
    fn send_attached(&mut self, session: u32, packet: Packet<'_>, attachments: &[Bytes]) {
        let Some(revision) = self.sessions.at(session).map(|session| session.engine.revision()) else { return };
        self.send(session, &prepare_attached(packet, attachments, revision));
    }

    fn broadcast(&mut self, target: &Target<'_>, body: Body<'_>) -> Receipt {
        let mut broadcast = self.begin_broadcast(body, target.volatile);
        let namespace = target.namespace.map(|name| self.groups.find(Scope::Namespace, name));
        for socket in &target.except {
            self.mark(socket_place(*socket), *socket, broadcast.mark);
        }
        let excepted = match namespace {
            Some(only) => only.into_iter().collect::<Vec<_>>(),
            None if target.except_rooms.is_empty() => Vec::new(),
            None => self.groups.namespaces().to_vec(),
        };
        for room in &target.except_rooms {
            for namespace in &excepted {
                self.mark_room(*namespace, room, broadcast.mark);
            }
        }
        match &target.to {
            To::Socket(socket) => self.deliver(&mut broadcast, socket_place(*socket)),
            To::Rooms(rooms) => {
                for room in rooms {
                    let scope = namespace.flatten().map(|namespace| Scope::Room { namespace });
                    if let Some(group) = scope.and_then(|scope| self.groups.find(scope, room)) {
                        self.deliver_to_group(&mut broadcast, group, None);
                    }
                }
            }
            To::User(name) => {
                if let Some(group) = self.groups.find(Scope::User, name) {
                    match namespace {
                        None => self.deliver_to_group(&mut broadcast, group, None),
                        Some(Some(only)) => self.deliver_to_group(&mut broadcast, group, Some(only)),
                        Some(None) => {}
                    }
                }
            }
            To::Everyone => match namespace {
                Some(group) => {
                    if let Some(group) = group {
                        self.deliver_to_group(&mut broadcast, group, None);
                    }
                }
                None => {
                    for group in self.groups.namespaces().to_vec() {
                        self.deliver_to_group(&mut broadcast, group, None);
                    }
                }
            },
        }
        self.finish(broadcast)
    }

    /// Sends the same to the members of a group, apart from those that are marked already.
    pub(super) fn broadcast_to_group(&mut self, group: u32, body: &str, apart_from: &[SocketId]) {
        let mut broadcast = self.begin_broadcast(Body { text: body, attachments: &[] }, false);
        for socket in apart_from {
            self.mark(socket_place(*socket), *socket, broadcast.mark);
        }
        self.deliver_to_group(&mut broadcast, group, None);
        self.finish(broadcast);
    }

    /// Sends the same to several sockets.
    pub(super) fn broadcast_to_sockets(&mut self, sockets: &[SocketId], body: &str) {
        let mut broadcast = self.begin_broadcast(Body { text: body, attachments: &[] }, false);
        for socket in sockets {
            if self.is_live(*socket) {
                self.deliver(&mut broadcast, socket_place(*socket));
            }
        }
        self.finish(broadcast);
    }

    const fn begin_broadcast<'b>(&mut self, body: Body<'b>, volatile: bool) -> Broadcast<'b> {
        self.broadcasts = self.broadcasts.saturating_add(1);
        Broadcast {
            body,
            volatile,
            mark: self.broadcasts,
            encoded: Vec::new(),
            receipt: Receipt { queued: 0, dropped: 0, away: 0, cut_off: 0 },
            full: Vec::new(),
        }
    }

    fn mark(&mut self, place: u32, socket: SocketId, mark: u64) {
        if self.sockets.key_at(place) == Some(socket)
            && let Some(entry) = self.sockets.at_mut(place)
        {
            entry.marked = mark;
        }
    }

    fn mark_room(&mut self, namespace: u32, room: &str, mark: u64) {
        let Some(group) = self.groups.find(Scope::Room { namespace }, room) else { return };
        let Some(group) = self.groups.at(group) else { return };
        for link in &group.members {
            if let Some(entry) = self.sockets.at_mut(link.place) {
                entry.marked = mark;
            }
        }
    }

    fn deliver_to_group(&mut self, broadcast: &mut Broadcast<'_>, group: u32, only: Option<u32>) {
        let mut position = 0_usize;
        while let Some(link) = self.groups.at(group).and_then(|group| group.members.get(position).copied()) {
            position = position.saturating_add(1);
            let passes = only.is_none_or(|only| self.sockets.at(link.place).is_some_and(|s| s.namespace == only));
            if passes {
                self.deliver(broadcast, link.place);
            }
        }
    }

    /// Queues the event for one socket, unless that is done.
    fn deliver(&mut self, broadcast: &mut Broadcast<'_>, place: u32) {
        let Some(socket) = self.sockets.at_mut(place) else { return };
        if core::mem::replace(&mut socket.marked, broadcast.mark) == broadcast.mark {
            return;
        }
        let session = match socket.phase {
            Phase::Connecting { .. } => return,
            Phase::Live => socket.session,
            Phase::Away { .. } => None,
        };
        let namespace = socket.namespace;
        let revision = session.and_then(|place| self.sessions.at(place)).map(|session| session.engine.revision());
        let (Some(session), Some(revision)) = (session, revision) else {
            broadcast.receipt.away = broadcast.receipt.away.saturating_add(1);
            return;
        };
        if broadcast.volatile && self.is_congested(session) {
            broadcast.receipt.dropped = broadcast.receipt.dropped.saturating_add(1);
            return;
        }
        let packets = broadcast.encoded(namespace, revision, &self.groups);
        let sent = self.queue(session, packets);
        let receipt = &mut broadcast.receipt;
        match sent {
            Ok(()) => receipt.queued = receipt.queued.saturating_add(1),
            Err(SendError::OutboxFull | SendError::TooLong) if broadcast.volatile => {
                receipt.dropped = receipt.dropped.saturating_add(1);
            }
            Err(SendError::OutboxFull | SendError::TooLong) => {
                receipt.cut_off = receipt.cut_off.saturating_add(1);
                broadcast.full.extend(self.sessions.key_at(session));
            }
            // The hub sends nothing in pieces.
            Err(
                SendError::NotOpen
                | SendError::UnfinishedMessage
                | SendError::UnexpectedContinuation
                | SendError::OtherKind,
            ) => receipt.away = receipt.away.saturating_add(1),
        }
    }

    fn finish(&mut self, broadcast: Broadcast<'_>) -> Receipt {
        for session in broadcast.full {
            self.cut_off(session);
        }
        broadcast.receipt
    }
}

impl Broadcast<'_> {
    /// The event's packets for a namespace and a revision, made when they are first asked for.
    fn encoded(&mut self, namespace: u32, revision: Revision, groups: &Groups) -> &[Prepared] {
        let revision = (!self.body.attachments.is_empty()).then_some(revision);
        let known = self.encoded.iter().position(|known| known.namespace == namespace && known.revision == revision);
        let at = known.unwrap_or_else(|| {
            let name = groups.name(namespace);
            let kind = if revision.is_none() { PacketType::Event } else { PacketType::BinaryEvent };
            let packet = Packet { data: self.body.text, ..Packet::new(kind, &name) };
            let packets = prepare_attached(packet, self.body.attachments, revision.unwrap_or(Revision::V4));
            self.encoded.push(Encoded { namespace, revision, packets });
            self.encoded.len().saturating_sub(1)
        });
        self.encoded.get(at).map_or(&[], |encoded| &encoded.packets)
    }
}

/// A Socket.IO packet as a message of Engine.IO, which is the same in both revisions.
pub(super) fn prepare(packet: &Packet<'_>) -> Prepared {
    let size = packet.data.len().saturating_add(packet.namespace.len()).saturating_add(32);
    Prepared::with(Opcode::Text, size, |out| {
        out.push(engineio::PacketType::Message.digit());
        packet.write(out);
    })
}

/// A Socket.IO packet and its attachments, as messages of Engine.IO.
fn prepare_attached(mut packet: Packet<'_>, attachments: &[Bytes], revision: Revision) -> Vec<Prepared> {
    packet.attachments = u32::try_from(attachments.len()).unwrap_or(u32::MAX);
    let attached = attachments.iter().map(|bytes| match revision {
        Revision::V4 => Prepared::binary(bytes),
        // Binary data begins with its type there.
        Revision::V3 => Prepared::with(Opcode::Binary, bytes.len().saturating_add(1), |out| {
            out.push(4);
            out.extend_from_slice(bytes);
        }),
    });
    core::iter::once(prepare(&packet)).chain(attached).collect()
}
