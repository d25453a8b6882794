//! Bytes to messages, without time and without answers.

mod assembly;
mod content;
mod credit;
mod payload;
mod waiting;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use self::assembly::Assembly;
pub(super) use self::credit::Credit;
use self::payload::Payload;
pub(super) use self::waiting::Waiting;
use super::close::CONTROL_BYTES_MAX;
use super::config::{Limits, PieceLimits};
use super::deflate::Inflater;
use super::frame::{FIN, HEADER_BYTES_MAX, Header, Opcode, RSV1, Role};
use super::mask::apply_mask;
use super::{Error, Message, Piece};
use crate::time::Instant;
use crate::utf8;

/// Reads messages and control frames out of bytes that arrive in any pieces.
///
/// Between messages it owns nothing. A frame that lies whole in the input is unmasked in place and
/// lent; everything else is gathered here.
#[derive(Debug, Default)]
pub struct MessageReader {
    partial: Option<Box<Partial>>,
}

/// What a [`MessageReader`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// A whole message.
    Message(Message<'a>),
    /// A piece of a message; only where [`Config::pieces`](super::Config::pieces) is set, which a reader alone has not.
    Piece(Piece<'a>),
    /// A ping with its payload.
    Ping(Cow<'a, [u8]>),
    /// A pong with its payload.
    Pong(Cow<'a, [u8]>),
    /// A close frame with its payload.
    Close(Cow<'a, [u8]>),
}

/// What is not complete yet.
struct Partial {
    /// Bytes that came before anybody could take them, and how many of them are taken now; they stand before all other
    /// input.
    early: Vec<u8>,
    early_taken: usize,
    /// When all that had come was read for the first time, if it was.
    begun: Instant,
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    payload: Option<Payload>,
    assembly: Option<Assembly>,
    control: Vec<u8>,
}

impl fmt::Debug for Partial {
    /// Shows how much there is, not what: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial")
            .field("early_bytes", &self.early.len().saturating_sub(self.early_taken))
            .field("header_bytes", &self.header_len)
            .field("payload", &self.payload)
            .field("assembly", &self.assembly)
            .field("control_bytes", &self.control.len())
            .finish()
    }
}

/// The first byte of a message's first frame when others follow it.
const TEXT: u8 = Opcode::Text.bits();
const BINARY: u8 = Opcode::Binary.bits();

/// Of a whole message: whether it is to be text, its masking key, and its payload as it came.
type Whole<'a> = (bool, Option<[u8; 4]>, &'a mut [u8]);

/// A message in one frame, which waits in the caller's buffer.
pub(super) enum Lone<'a> {
    /// Its end has not come.
    Begun,
    /// Whether it is to be text, and its payload.
    Whole(bool, &'a [u8]),
}

/// What is the same for all frames of a connection.
#[derive(Debug)]
pub(super) struct Context<'c> {
    /// The end that reads.
    pub(super) role: Role,
    pub(super) limits: &'c Limits,
    /// Present where messages beyond the limits are told in pieces.
    pub(super) pieces: Option<&'c PieceLimits>,
    /// Present where compression was agreed on.
    pub(super) inflater: Option<&'c mut Inflater>,
    pub(super) credit: &'c mut Credit,
}

impl Context<'_> {
    const fn defined_bits(&self) -> u8 {
        if self.inflater.is_some() { RSV1 } else { 0 }
    }
}

impl MessageReader {
    /// A reader at the beginning of a frame.
    #[must_use]
    pub const fn new() -> Self {
        Self { partial: None }
    }

    /// Whether nothing of a message is there.
    #[inline]
    pub(super) fn is_between_messages(&self) -> bool {
        self.partial.is_none()
    }

    /// When the message began to come whose end has not come; never, if there is none.
    #[inline]
    pub(super) fn begun(&self) -> Instant {
        self.partial.as_ref().map_or(Instant::NEVER, |partial| partial.begun)
    }

    /// All that has come is read: if that is not the end of a message, it has begun now or before.
    pub(super) fn note_begun(&mut self, now: Instant) {
        if let Some(partial) = &mut self.partial {
            partial.begun = partial.begun.min(now);
        }
    }

    /// Whether a compressed message has begun.
    pub(super) fn is_inflating(&self) -> bool {
        let assembly = self.partial.as_ref().and_then(|partial| partial.assembly.as_ref());
        assembly.is_some_and(Assembly::is_inflating)
    }

    /// Whether there are bytes that came before anybody could take them.
    #[inline]
    pub(super) fn has_early(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| !partial.early.is_empty())
    }

    /// A reader that has some bytes already.
    pub(super) fn with_early(early: Vec<u8>) -> Self {
        let mut reader = Self::new();
        if !early.is_empty() {
            reader.partial().early = early;
        }
        reader
    }

    /// Takes bytes off the front of `input` until a message or a control frame is whole; `None` when
    /// all are consumed. `role` is the end that reads.
    ///
    /// # Errors
    /// On the first byte that violates RFC 6455 or a limit. What the reader says after that means nothing.
    pub fn read<'a>(
        &mut self,
        role: Role,
        limits: &Limits,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Inbound<'a>>, Error> {
        if let Some((is_text, payload)) = self.read_whole(role, limits, input) {
            return Ok(Some(Inbound::Message(message(is_text, payload)?)));
        }
        match self.read_fragments(role, limits, input) {
            Some(message) => Ok(Some(Inbound::Message(message?))),
            None => {
                let mut credit = Credit::NONE;
                self.read_in(&mut Context { role, limits, pieces: None, inflater: None, credit: &mut credit }, input)
            }
        }
    }

    /// The way of most messages: one that lies whole in the input, in one frame, when nothing is partial. It is told whether
    /// it is to be text, which is not checked yet. What this does not find is left to the others.
    #[inline]
    pub(super) fn read_whole<'a>(
        &self,
        role: Role,
        limits: &Limits,
        input: &mut &'a mut [u8],
    ) -> Option<(bool, &'a [u8])> {
        let (is_text, mask, payload) = self.split_whole(role, limits, input)?;
        if let Some(key) = mask {
            apply_mask(payload, key);
        }
        Some((is_text, payload))
    }

    /// The same for one of which some is unmasked, in a buffer of `room` bytes. While its end has not come it is
    /// [`Lone::Begun`].
    pub(super) fn read_waiting<'a>(
        &self,
        role: Role,
        limits: &Limits,
        room: usize,
        input: &mut &'a mut [u8],
        waiting: &mut Waiting,
    ) -> Option<Lone<'a>> {
        let (is_text, mask, place) = self.parse_lone(role, limits, input)?;
        if input.len() < place.end {
            return if place.end <= room { Some(Lone::Begun) } else { None };
        }
        let payload = split(input, place.end)?.get_mut(place.start..)?;
        if let Some(key) = mask {
            waiting.end(payload, key);
        }
        Some(Lone::Whole(is_text, payload))
    }

    #[inline(always)]
    fn split_whole<'a>(&self, role: Role, limits: &Limits, input: &mut &'a mut [u8]) -> Option<Whole<'a>> {
        let (is_text, mask, place) = self.parse_lone(role, limits, input)?;
        let payload = split(input, place.end)?.get_mut(place.start..)?;
        Some((is_text, mask, payload))
    }

    /// The header of a message in one frame, if one may come: whether it is to be text, its masking key, and where its
    /// payload stands when all of it is there.
    #[inline(always)]
    fn parse_lone(&self, role: Role, limits: &Limits, input: &[u8]) -> Option<(bool, Option<[u8; 4]>, Range<usize>)> {
        let (&first, rest) = input.split_first()?;
        let is_text = first == FIN | TEXT;
        if self.partial.is_some() || !(is_text || first == FIN | BINARY) {
            return None;
        }
        let (size, mask, rest) = Header::parse_sizes(rest, role, false).ok()??;
        let size = usize::try_from(size).ok().filter(|size| *size <= limits.message_bytes_max)?;
        let start = input.len().saturating_sub(rest.len());
        Some((is_text, mask, start..start.saturating_add(size)))
    }

    /// Whether `input` begins with a frame that may come as far as it is there, is not whole, and is in so many bytes. It
    /// would be lent then; while a message is gathered nothing is.
    #[inline]
    pub(super) fn is_to_wait(&self, role: Role, limits: &Limits, input: &[u8], room: usize) -> bool {
        if self.partial.is_some() {
            return false;
        }
        match Header::parse(input, role) {
            Ok(None) => input.len() < room,
            Ok(Some((Header { opcode: Opcode::Continuation, .. }, _))) | Err(_) => false,
            Ok(Some((header, start))) => {
                let size = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
                let end = start.saturating_add(size);
                size <= limits.message_bytes_max && input.len() < end && end <= room
            }
        }
    }

    /// Moves the fragments of a message that lie whole in the input up to the first of them. So a message of which all are
    /// there is lent as if it had come in one frame; of another one they are kept, for [`read_in`](Self::read_in).
    pub(super) fn read_fragments<'a>(
        &mut self,
        role: Role,
        limits: &Limits,
        input: &mut &'a mut [u8],
    ) -> Option<Result<Message<'a>, Error>> {
        let opcode = *input.first().filter(|first| matches!(**first, TEXT | BINARY))?;
        if self.partial.is_some() {
            return None;
        }
        let bytes = core::mem::take(input);
        // Where the next frame begins, and between which places what was joined stands.
        let (mut at, mut from, mut to) = (0_usize, 0_usize, 0_usize);
        let (mut fragments, mut fin) = (0_u32, false);
        while !fin && fragments < limits.fragments_max {
            let Some((&first, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else { break };
            if fragments > 0 && first & !FIN != Opcode::Continuation.bits() {
                break;
            }
            let Ok(Some((size, mask, rest))) = Header::parse_sizes(rest, role, false) else { break };
            let room = limits.message_bytes_max.saturating_sub(to.saturating_sub(from)).min(rest.len());
            let Some(size) = usize::try_from(size).ok().filter(|size| *size <= room) else { break };
            let start = bytes.len().saturating_sub(rest.len());
            at = start.saturating_add(size);
            if let (Some(key), Some(payload)) = (mask, bytes.get_mut(start..at)) {
                apply_mask(payload, key);
            }
            if fragments == 0 {
                (from, to) = (start, start);
            } else if let Some(moved) = bytes.get_mut(to..at) {
                moved.copy_within(start.saturating_sub(to).., 0);
            }
            to = to.saturating_add(size);
            fragments = fragments.saturating_add(1);
            fin = first & FIN != 0;
        }
        let (taken, rest) = bytes.split_at_mut_checked(at)?;
        *input = rest;
        let payload = taken.get(from..to).unwrap_or_default();
        if fin {
            return Some(message(opcode == TEXT, payload));
        }
        if fragments > 0 {
            let opcode = if opcode == TEXT { Opcode::Text } else { Opcode::Binary };
            match Assembly::begun(opcode, fragments, payload) {
                Ok(assembly) => self.partial().assembly = Some(assembly),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// The way of most reads of a large message that is gathered: all of the input belongs to a payload that goes on behind
    /// it. What this does not find is left to the others.
    pub(super) fn read_on(&mut self, credit: &mut Credit, input: &mut &mut [u8]) -> Option<Result<(), Error>> {
        let partial = self.partial.as_mut()?;
        let payload = partial.payload.as_mut().filter(|payload| !payload.opcode.is_control())?;
        if payload.arrived(input).1 == 0 || !partial.early.is_empty() {
            return None;
        }
        partial.assembly.as_mut()?.gather_on(credit, payload, input)
    }

    pub(super) fn read_in<'a>(
        &mut self,
        context: &mut Context<'_>,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Inbound<'a>>, Error> {
        if let Some(partial) = &mut self.partial
            && !partial.early.is_empty()
        {
            let (mut early, taken) = (core::mem::take(&mut partial.early), partial.early_taken);
            let mut rest = early.get_mut(taken..).unwrap_or_default();
            let found = self.read_input(context, &mut rest)?.map(Inbound::into_owned);
            let left = rest.len();
            if left > 0 {
                let partial = self.partial();
                partial.early_taken = early.len().saturating_sub(left);
                partial.early = early;
            }
            if found.is_some() {
                self.release();
                return Ok(found);
            }
        }
        self.read_input(context, input)
    }

    fn read_input<'a>(
        &mut self,
        context: &mut Context<'_>,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Inbound<'a>>, Error> {
        loop {
            let found = if let Some(partial) = &mut self.partial
                && partial.payload.is_some()
            {
                partial.read_payload(context, input)?
            } else {
                let Some((header, compressed)) = self.read_header(context, input)? else { return Ok(None) };
                let Some(found) = self.lend(context, &header, compressed, input) else {
                    self.begin_frame(context, &header, compressed)?;
                    continue;
                };
                Some(found?)
            };
            if found.is_some() {
                self.release();
                return Ok(found);
            }
            if input.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Takes a header off the input, or keeps the part of it that is there. With it comes whether the frame begins a
    /// compressed message.
    fn read_header(&mut self, context: &Context<'_>, input: &mut &mut [u8]) -> Result<Option<(Header, bool)>, Error> {
        let defined = context.defined_bits();
        let compressed = |bytes: &[u8]| bytes.first().is_some_and(|first| first & defined != 0);
        if let Some(partial) = &mut self.partial
            && partial.header_len > 0
        {
            while let Some(slot) = partial.header.get_mut(partial.header_len) {
                let Some(byte) = split(input, 1).and_then(|byte| byte.first()) else { return Ok(None) };
                *slot = *byte;
                partial.header_len = partial.header_len.saturating_add(1);
                let begun = partial.header.get(..partial.header_len).unwrap_or_default();
                if let Some((header, _)) = Header::parse_extended(begun, context.role, defined)? {
                    partial.header_len = 0;
                    return Ok(Some((header, compressed(&partial.header))));
                }
            }
            return Ok(None);
        }
        if let Some((header, size)) = Header::parse_extended(input, context.role, defined)? {
            let compressed = compressed(input);
            split(input, size);
            return Ok(Some((header, compressed)));
        }
        if !input.is_empty() {
            let begun = core::mem::take(input);
            let partial = self.partial();
            for (to, from) in partial.header.iter_mut().zip(begun.iter()) {
                *to = *from;
            }
            partial.header_len = begun.len();
        }
        Ok(None)
    }

    /// Lends the payload of a frame that is a whole message or a control frame, if it lies whole in the input.
    fn lend<'a>(
        &self,
        context: &Context<'_>,
        header: &Header,
        compressed: bool,
        input: &mut &'a mut [u8],
    ) -> Option<Result<Inbound<'a>, Error>> {
        let begun = self.partial.as_ref().is_some_and(|partial| partial.assembly.is_some());
        let most = match header.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => CONTROL_BYTES_MAX,
            Opcode::Text | Opcode::Binary if header.fin && !compressed && !begun => context.limits.message_bytes_max,
            _ => return None,
        };
        let size = usize::try_from(header.payload_len).ok().filter(|size| *size <= most)?;
        let payload = split(input, size)?;
        if let Some(key) = header.mask {
            apply_mask(payload, key);
        }
        Some(match header.opcode {
            Opcode::Text | Opcode::Binary => message(header.opcode == Opcode::Text, payload).map(Inbound::Message),
            control => Ok(Inbound::control(control, Cow::Borrowed(payload))),
        })
    }

    /// Whether a frame may come now (section 5.4); if so its payload is read from here on.
    fn begin_frame(&mut self, context: &Context<'_>, header: &Header, compressed: bool) -> Result<(), Error> {
        let partial = self.partial();
        let assembly = match (header.opcode, &mut partial.assembly) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => None,
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Error::UnfinishedMessage),
            (Opcode::Continuation, None) => return Err(Error::UnexpectedContinuation),
            (opcode, begun) => Some(begun.get_or_insert_with(|| Assembly::new(opcode, compressed))),
        };
        if let Some(assembly) = assembly {
            assembly.admit(context, header.payload_len)?;
        }
        partial.payload = Some(Payload::of(header));
        Ok(())
    }

    fn partial(&mut self) -> &mut Partial {
        self.partial.get_or_insert_with(|| {
            Box::new(Partial {
                early: Vec::new(),
                early_taken: 0,
                begun: Instant::NEVER,
                header: [0; HEADER_BYTES_MAX],
                header_len: 0,
                payload: None,
                assembly: None,
                control: Vec::new(),
            })
        })
    }

    /// Gives the memory back when nothing is partial.
    fn release(&mut self) {
        if let Some(partial) = &self.partial
            && partial.assembly.is_none()
            && partial.payload.is_none()
            && partial.header_len == 0
            && partial.early.is_empty()
        {
            self.partial = None;
        }
    }
}

impl Partial {
    /// Reads on in the payload of the present frame.
    fn read_payload<'a>(
        &mut self,
        context: &mut Context<'_>,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Inbound<'a>>, Error> {
        let Some(payload) = &mut self.payload else { return Ok(None) };
        let (found, done) = match &mut self.assembly {
            Some(assembly) if !payload.opcode.is_control() => {
                let found = assembly.read(context, payload, input)?;
                (found, assembly.is_done_with(payload))
            }
            _ => {
                self.control.extend_from_slice(payload.take(CONTROL_BYTES_MAX, input));
                let whole = payload.is_over().then(|| core::mem::take(&mut self.control));
                let found = whole.map(|whole| Inbound::control(payload.opcode, Cow::Owned(whole)));
                (found, payload.is_over())
            }
        };
        let ends = matches!(found, Some(Inbound::Message(_) | Inbound::Piece(Piece { last: true, .. })));
        if done || ends {
            self.payload = None;
        }
        if ends {
            self.assembly = None;
        }
        Ok(found)
    }
}

impl<'a> Inbound<'a> {
    fn control(opcode: Opcode, payload: Cow<'a, [u8]>) -> Self {
        debug_assert!(payload.len() <= CONTROL_BYTES_MAX);
        match opcode {
            Opcode::Ping => Self::Ping(payload),
            Opcode::Pong => Self::Pong(payload),
            _ => Self::Close(payload),
        }
    }

    fn into_owned(self) -> Inbound<'static> {
        let own = |payload: Cow<'_, [u8]>| Cow::Owned(payload.into_owned());
        match self {
            Self::Message(message) => Inbound::Message(message.into_owned()),
            Self::Piece(piece) => Inbound::Piece(piece.into_owned()),
            Self::Ping(payload) => Inbound::Ping(own(payload)),
            Self::Pong(payload) => Inbound::Pong(own(payload)),
            Self::Close(payload) => Inbound::Close(own(payload)),
        }
    }
}

/// The message that a payload is.
#[inline]
fn message(is_text: bool, payload: &[u8]) -> Result<Message<'_>, Error> {
    if is_text { Ok(utf8::check(payload).map_err(|_| Error::InvalidUtf8)?.into()) } else { Ok(payload.into()) }
}

/// Takes `size` bytes off the front, if there are as many.
#[inline]
fn split<'a>(input: &mut &'a mut [u8], size: usize) -> Option<&'a mut [u8]> {
    if input.len() < size {
        return None;
    }
    let (front, rest) = core::mem::take(input).split_at_mut_checked(size)?;
    *input = rest;
    Some(front)
}
