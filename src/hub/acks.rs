//! Acknowledgements, both ways: those that clients ask for, and those that are asked of one client or of many.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::body::Body;
use super::error::{EmitError, SocketError};
use super::event::{AckError, Event};
use super::front::Hub;
use super::ids::{AckId, Reply, SocketId};
use super::target::{Receipt, Target};
use crate::socketio::{Acks, Arguments, Packet, PacketType, ack_array};
use crate::time::Instant;

/// An event whose acknowledgement was asked of many.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// How many are still awaited.
    pub(super) awaited: usize,
    answered: usize,
    /// Who will not answer.
    pub(super) missing: Vec<SocketId>,
}

/// The acknowledgement that an event asks of each who gets it.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    pub(super) id: u64,
    pub(super) deadline: Instant,
}

/// For the application: events that ask for an answer, and answers.
impl Hub {
    /// Sends an event to one socket and asks for an acknowledgement, which comes as [`Event::Ack`]. What
    /// [`emit_with_acks`](Self::emit_with_acks) takes as a target can be volatile or uncompressed.
    ///
    /// # Errors
    /// If the event cannot be sent, or too many acknowledgements are awaited already.
    pub fn emit_with_ack(
        &mut self,
        now: Instant,
        socket: SocketId,
        name: &str,
        args: impl Arguments,
        timeout: Duration,
    ) -> Result<AckId, EmitError> {
        self.clock(now);
        let entry = self.require_accepted(socket)?;
        let (namespace, session) = (entry.namespace, entry.session.ok_or(SocketError::Away)?);
        if self.sessions.at(session).is_some_and(|session| session.format().is_plain()) {
            return Err(EmitError::NoAcks);
        }
        if entry.acks.as_ref().map_or(0, |acks| acks.len()) >= self.config.limits.acks_per_socket_max {
            return Err(EmitError::TooManyAcks);
        }
        let data = self.event_body(name, &args)?;
        let asking = self.ask(timeout);
        self.await_ack(socket, asking);
        let namespace = self.groups.name(namespace);
        let kind = if args.attachments().is_empty() { PacketType::Event } else { PacketType::BinaryEvent };
        let packet = Packet { id: Some(asking.id), data: &data, ..Packet::new(kind, &namespace) };
        self.send_attached(session, packet, args.attachments());
        Ok(AckId(asking.id))
    }

    /// Sends an event to many and asks each of them for an acknowledgement. Each answer comes as [`Event::Ack`]; when nobody is
    /// awaited any more, [`Event::Acks`] tells who did not answer.
    ///
    /// # Errors
    /// As for [`emit`](Self::emit). Who cannot be asked, or is away, is among those who did not answer.
    pub fn emit_with_acks<'t>(
        &mut self,
        now: Instant,
        target: impl Into<Target<'t>>,
        name: &str,
        args: impl Arguments,
        timeout: Duration,
    ) -> Result<(AckId, Receipt), EmitError> {
        let target = target.into();
        self.require_live(now, &target)?;
        let text = self.event_body(name, &args)?;
        let asking = self.ask(timeout);
        self.rounds.insert(asking.id, Round::default());
        let body = Body::new(&text, args.attachments());
        let receipt = self.broadcast(&target, body, Some(asking));
        self.end_round(asking.id);
        Ok((AckId(asking.id), receipt))
    }

    /// Gives a client the acknowledgement that it asked for. Where compression was agreed on it is compressed: a secret
    /// beside text of somebody else's choice is better given by an event to an
    /// [uncompressed](super::Target::uncompressed) target.
    ///
    /// # Errors
    /// If its transport is gone, or an argument has no form in JSON.
    pub fn ack(&mut self, now: Instant, reply: Reply, args: impl Arguments) -> Result<(), EmitError> {
        self.clock(now);
        let entry = self.require_accepted(reply.socket)?;
        let (namespace, session) = (entry.namespace, entry.session.ok_or(SocketError::Away)?);
        if self.sessions.key_at(session) != Some(reply.session) {
            // It was asked for on a transport that is gone: on the new one the id means something else.
            return Err(SocketError::Away.into());
        }
        let body = self.checked_text(ack_array(&args)?, args.attachments())?;
        let namespace = self.groups.name(namespace);
        let kind = if args.attachments().is_empty() { PacketType::Ack } else { PacketType::BinaryAck };
        let packet = Packet { id: Some(reply.id), data: &body, ..Packet::new(kind, &namespace) };
        self.send_attached(session, packet, args.attachments());
        Ok(())
    }

    /// The next question. Its id is never used again: an answer that is late would be taken for another.
    fn ask(&mut self, timeout: Duration) -> Asking {
        let id = self.questions;
        self.questions = id.saturating_add(1);
        Asking { id, deadline: self.now.saturating_add(timeout) }
    }

    /// Whether one more acknowledgement can be asked of a socket.
    pub(super) fn can_ask(&self, place: u32) -> bool {
        let awaited = self.sockets.at(place).and_then(|entry| entry.acks.as_ref()).map_or(0, |acks| acks.len());
        awaited < self.config.limits.acks_per_socket_max
    }

    pub(super) fn await_ack(&mut self, socket: SocketId, asking: Asking) {
        if let Some(entry) = self.sockets.get_mut(socket) {
            entry.acks.get_or_insert_with(|| Box::new(Acks::default())).expect(asking.id, asking.deadline);
        }
        self.touch_socket(socket);
    }

    /// Whether an acknowledgement was awaited from a socket; it is not any more.
    pub(super) fn take_ack(&mut self, socket: SocketId, id: u64) -> bool {
        let Some(entry) = self.sockets.get_mut(socket) else { return false };
        let Some(acks) = &mut entry.acks else { return false };
        let taken = acks.take(id);
        if acks.len() == 0 {
            entry.acks = None;
        }
        if taken && let Some(round) = self.rounds.get_mut(&id) {
            round.answered = round.answered.saturating_add(1);
            round.awaited = round.awaited.saturating_sub(1);
            self.end_round(id);
        }
        taken
    }

    /// What was asked of a client is not answered any more.
    pub(super) fn fail_acks(&mut self, socket: SocketId) {
        if let Some(mut acks) = self.sockets.get_mut(socket).and_then(|entry| entry.acks.take()) {
            for id in acks.drain() {
                self.fail_ack(socket, id, AckError::Disconnected);
            }
        }
    }

    /// Gives up what was not answered in time.
    pub(super) fn expire_acks(&mut self, socket: SocketId) {
        let now = self.now;
        while let Some(id) = self.sockets.get_mut(socket).and_then(|entry| entry.acks.as_mut()?.expire(now)) {
            self.fail_ack(socket, id, AckError::TimedOut);
        }
        if let Some(entry) = self.sockets.get_mut(socket)
            && entry.acks.as_ref().is_some_and(|acks| acks.len() == 0)
        {
            entry.acks = None;
        }
    }

    fn fail_ack(&mut self, socket: SocketId, id: u64, error: AckError) {
        match self.rounds.get_mut(&id) {
            None => self.events.push_back(Event::Ack { ack: AckId(id), socket, answer: Err(error) }),
            Some(round) => {
                round.missing.push(socket);
                round.awaited = round.awaited.saturating_sub(1);
                self.end_round(id);
            }
        }
    }

    /// Tells the end of a round when nobody is awaited any more.
    fn end_round(&mut self, id: u64) {
        if self.rounds.get(&id).is_some_and(|round| round.awaited == 0)
            && let Some(Round { answered, missing, .. }) = self.rounds.remove(&id)
        {
            self.events.push_back(Event::Acks { ack: AckId(id), answered, missing });
        }
    }
}
