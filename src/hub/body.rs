//! An event or a message before it is written for anybody.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::format::Format;
use crate::socketio::{Packet, PacketType, Parser};
use crate::ws::{Message, Prepared};

/// An event's array, and the attachments that it names.
#[derive(Clone, Copy)]
pub(super) struct Body<'b> {
    pub(super) text: &'b str,
    pub(super) attachments: &'b [Bytes],
    /// The message that it is for those who take messages as they are.
    pub(super) message: Option<&'b Message<'b>>,
    /// The text with an offset behind, for those who know what that is.
    pub(super) numbered: Option<&'b str>,
}

impl<'b> Body<'b> {
    pub(super) const fn new(text: &'b str, attachments: &'b [Bytes]) -> Self {
        Self { text, attachments, message: None, numbered: None }
    }

    /// Its packets for a namespace and a format; with an id it asks for an acknowledgement.
    pub(super) fn packets(&self, namespace: &str, id: Option<u64>, format: Format, parser: Parser) -> Vec<Prepared> {
        if let Some(raw) = self.message.and_then(|message| format.message(message)) {
            return alloc::vec![raw];
        }
        let kind = if self.attachments.is_empty() { PacketType::Event } else { PacketType::BinaryEvent };
        let numbered = self.numbered.filter(|_| format.is_recoverable());
        let packet = Packet { id, data: numbered.unwrap_or(self.text), ..Packet::new(kind, namespace) };
        parser.prepare(packet, self.attachments, format)
    }

    /// The same, to be kept. Offsets are of the moment.
    pub(super) fn keep(&self) -> KeptBody {
        KeptBody {
            text: self.text.to_owned(),
            attachments: self.attachments.to_vec(),
            message: self.message.map(|message| message.clone().into_owned()),
        }
    }
}

/// An event or a message that is kept.
#[derive(Debug)]
pub(super) struct KeptBody {
    text: String,
    attachments: Vec<Bytes>,
    message: Option<Message<'static>>,
}

impl KeptBody {
    pub(super) fn lend(&self) -> Body<'_> {
        Body { message: self.message.as_ref(), ..Body::new(&self.text, &self.attachments) }
    }

    /// What it takes when it is written, at the most: binary data are a third longer in a line.
    pub(super) fn bytes(&self) -> usize {
        let attachments = self.attachments.iter().map(|bytes| bytes.len().saturating_add(bytes.len() / 3));
        attachments.fold(self.text.len().saturating_add(64), |sum, bytes| sum.saturating_add(bytes).saturating_add(64))
    }
}
