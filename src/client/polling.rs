//! Long polling, as a session's transport: GETs for what the server says, POSTs for what the client says.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::time::Duration;

use super::engine::{Engine, Phase, Slot};
use super::error::Error;
use super::queue::Outgoing;
use super::upgrade::{Stage, Upgrade};
use super::wire::{Shared, Wire, target};
use crate::engineio::{PayloadForm, PayloadPacket, Revision, read_payload, write_payload};
use crate::http::{self, OutgoingRequest, ReceivedResponse};
use crate::ws::Message;

impl Engine {
    /// Sends the next requests, where none are under way and the session does not change its transport.
    pub(super) fn flush_polling(&mut self, shared: &mut Shared) {
        if matches!(&self.upgrade, Some(Upgrade { stage: Stage::Pausing, .. })) {
            return;
        }
        if self.phase != Phase::Opening && !self.posting {
            if self.beat.is_some() || !self.queue.is_empty() {
                self.post(shared);
            } else if self.phase == Phase::Closing {
                return self.end(shared, None);
            }
        }
        if matches!(self.phase, Phase::Opening | Phase::Open) && !self.polling {
            self.poll(shared);
        }
    }

    fn poll(&mut self, shared: &mut Shared) {
        let target = target(&shared.config, self.eio(), "polling", &self.sid);
        // Once there is a heartbeat it says how long the server may be silent.
        let patience = self.heartbeat.map_or(shared.config.connect_timeout, |_| Duration::MAX);
        let sent = shared.request("GET", &target).map_err(|_| Error::Http(http::Error::MalformedHead));
        match sent.and_then(|request| self.request(shared, Slot::Poll, request, patience)) {
            Ok(()) => self.polling = true,
            Err(error) => self.end(shared, Some(error)),
        }
    }

    /// Sends what the heartbeat owes, and as much of the queue as one body may hold; a packet that is longer goes alone.
    fn post(&mut self, shared: &mut Shared) {
        let mut packets: Vec<_> = self.beat.take().map(|packet| Outgoing::Text(packet.into())).into_iter().collect();
        let mut size = packets.iter().map(Outgoing::payload_len).sum::<usize>();
        while let Some(next) = self.queue.front() {
            size = size.saturating_add(next.payload_len());
            let full = packets.len() >= shared.config.limits.post_packets_max;
            if (size > self.post_bytes_max || full) && !packets.is_empty() {
                break;
            }
            packets.extend(self.queue.pop());
        }
        let binary = packets.iter().any(|packet| matches!(packet, Outgoing::Binary(_)));
        let (form, kind) = match self.revision {
            Revision::V4 => (PayloadForm::V4, "text/plain;charset=UTF-8"),
            Revision::V3 if binary => (PayloadForm::V3Binary, "application/octet-stream"),
            Revision::V3 => (PayloadForm::V3Text, "text/plain;charset=UTF-8"),
        };
        let mut body = Vec::with_capacity(size);
        packets.iter().for_each(|packet| write_payload(form, &packet.as_payload(), &mut body));
        let target = target(&shared.config, self.eio(), "polling", &self.sid);
        let request = shared.request("POST", &target).and_then(|request| request.header("content-type", kind));
        let sent = request.map_err(|_| Error::Http(http::Error::MalformedHead));
        let patience = shared.config.request_timeout;
        match sent.and_then(|request| self.request(shared, Slot::Post, request.body(body), patience)) {
            Ok(()) => self.posting = true,
            Err(error) => self.end(shared, Some(error)),
        }
    }

    /// Sends a request on a stream that can carry one, opened anew if need be.
    fn request(
        &mut self,
        shared: &mut Shared,
        slot: Slot,
        request: OutgoingRequest,
        patience: Duration,
    ) -> Result<(), Error> {
        if let Some(spent) = self.wire_mut(slot).take_if(|wire| !wire.is_idle()) {
            spent.give_up(shared);
        }
        let wire = self.wire_mut(slot).get_or_insert_with(|| Wire::http(shared));
        wire.request(shared.now, request, patience)
    }

    /// A poll was answered.
    pub(super) fn polled(&mut self, shared: &mut Shared, response: ReceivedResponse) {
        self.polling = false;
        shared.note_cookies(&response);
        if response.status() != 200 {
            return self.end(shared, Some(Error::Status(response.status())));
        }
        let binary = response.header("content-type").is_some_and(|kind| kind.starts_with("application/octet-stream"));
        let form = match self.revision {
            Revision::V4 => PayloadForm::V4,
            Revision::V3 if binary => PayloadForm::V3Binary,
            Revision::V3 => PayloadForm::V3Text,
        };
        let body = response.into_body();
        for packet in read_payload(form, &body, shared.config.limits.payload_packets_max) {
            let message = packet.map(own).map_err(Error::Payload);
            match message.and_then(|message| self.packet(shared, message)) {
                Ok(happening) => self.happenings.extend(happening),
                Err(error) => self.end(shared, Some(error)),
            }
            if self.phase == Phase::Closed {
                return;
            }
        }
        self.complete_upgrade(shared);
    }

    /// A POST was answered.
    pub(super) fn posted(&mut self, shared: &mut Shared, response: &ReceivedResponse) {
        self.posting = false;
        // By its answer at the latest.
        self.beat_written(shared.now);
        shared.note_cookies(response);
        match response.status() {
            200 => self.complete_upgrade(shared),
            status => self.end(shared, Some(Error::Status(status))),
        }
    }
}

/// A packet apart from the body that it came in.
fn own(packet: PayloadPacket<'_>) -> Message<'static> {
    match packet {
        PayloadPacket::Text(text) => Message::Text(Cow::Owned(text.into_owned())),
        PayloadPacket::Binary(data) => Message::Binary(Cow::Owned(data.into_owned())),
    }
}
