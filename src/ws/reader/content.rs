//! What of a message is held: characters or bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::credit::Credit;
use crate::utf8::Utf8Tail;
use crate::ws::{Error, Message, Opcode};

/// What was gathered of a message's payload.
pub(super) enum Content {
    /// Whole characters, and the beginning of one more.
    Text(String, Utf8Tail),
    Binary(Vec<u8>),
}

impl Content {
    pub(super) fn new(opcode: Opcode) -> Self {
        match opcode {
            Opcode::Text => Self::Text(String::new(), Utf8Tail::default()),
            _ => Self::Binary(Vec::new()),
        }
    }

    /// How much there is, without the character that has begun.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Text(text, _) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Makes room for a piece and for what is announced behind it, as far as that is not more than what has come, of this
    /// message or of one before it.
    #[inline]
    pub(super) fn reserve(&mut self, piece: usize, announced: u64, credit: Credit) {
        let capacity = match self {
            Self::Text(text, _) => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
        };
        if capacity.saturating_sub(self.len()) < piece {
            self.make_room(piece, announced, credit);
        }
    }

    fn make_room(&mut self, piece: usize, announced: u64, credit: Credit) {
        let come = self.len().saturating_add(piece);
        let room = come.max(credit.bytes().saturating_sub(come));
        let room = piece.saturating_add(usize::try_from(announced).unwrap_or(usize::MAX).min(room));
        match self {
            Self::Text(text, _) => text.reserve(room),
            Self::Binary(bytes) => bytes.reserve(room),
        }
    }

    /// Appends a piece; of a text what stands before the first bad byte is appended even then.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        match self {
            Self::Text(text, tail) => tail.push(piece, text).map_err(|_| Error::InvalidUtf8),
            Self::Binary(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Whether the message may end here: not within a character.
    pub(super) const fn may_end(&self) -> Result<(), Error> {
        match self {
            Self::Text(_, tail) if !tail.is_empty() => Err(Error::InvalidUtf8),
            _ => Ok(()),
        }
    }

    /// Takes out what there is, without the character that has begun.
    pub(super) fn take(&mut self) -> Message<'static> {
        match self {
            Self::Text(text, _) => core::mem::take(text).into(),
            Self::Binary(bytes) => core::mem::take(bytes).into(),
        }
    }
}

impl fmt::Debug for Content {
    /// Shows how much there is, not what: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Text(..) => "Text",
            Self::Binary(_) => "Binary",
        };
        f.debug_struct(kind).field("len", &self.len()).finish_non_exhaustive()
    }
}
