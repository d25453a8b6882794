//! Packets of Engine.IO that wait for their transport.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::string::String;

use bytes::Bytes;

use crate::engineio::PayloadPacket;

/// A packet: text with its type, or the binary data of a message.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    Text(String),
    Binary(Bytes),
}

impl Outgoing {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    pub(super) fn as_payload(&self) -> PayloadPacket<'_> {
        match self {
            Self::Text(text) => PayloadPacket::Text(Cow::Borrowed(text)),
            Self::Binary(bytes) => PayloadPacket::Binary(Cow::Borrowed(bytes)),
        }
    }

    /// At least as many bytes as the packet takes in a payload, whatever its form.
    pub(super) fn payload_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len().saturating_add(12),
            Self::Binary(bytes) => bytes.len().div_ceil(3).saturating_mul(4).saturating_add(14),
        }
    }
}

/// The packets in their order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    packets: VecDeque<Outgoing>,
    bytes: usize,
}

impl Queue {
    pub(super) fn push(&mut self, packet: Outgoing) {
        self.bytes = self.bytes.saturating_add(packet.len());
        self.packets.push_back(packet);
    }

    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        let packet = self.packets.pop_front()?;
        self.bytes = self.bytes.saturating_sub(packet.len());
        if self.packets.is_empty() {
            *self = Self::default();
        }
        Some(packet)
    }

    pub(super) fn front(&self) -> Option<&Outgoing> {
        self.packets.front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
