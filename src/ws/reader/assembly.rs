//! One data message, from its first frame to its end: gathered, or told in pieces.

use alloc::string::String;

use super::content::Content;
use super::credit::Credit;
use super::payload::Payload;
use super::{Context, Inbound};
use crate::ws::{Error, Message, Opcode, Piece};

/// Payloads are gathered by so many bytes, which stay in the nearest cache from unmasking to copying, and inflated by as many.
const BLOCK_BYTES: usize = 4096;

/// Of a compressed message the pieces that are told have about so many bytes.
const INFLATED_PIECE_BYTES: usize = 16 << 10;

/// A message that has begun.
#[derive(Debug)]
pub(super) struct Assembly {
    content: Content,
    way: Way,
    inflating: Option<Inflating>,
    fragments: u64,
    /// Payload bytes so far: those that were announced, or those that came out of inflation.
    bytes: u64,
}

/// What becomes of the content.
///
/// ```text
///          more than may be held          an error behind what is told
///  Whole ────────────────────────▶ Pieces ────────────────────────────▶ Failed
/// ```
#[derive(Clone, Copy, Debug)]
enum Way {
    /// It is gathered, and told when it is whole.
    Whole,
    /// It is told as it comes.
    Pieces { begun: bool },
    /// All that is valid was told.
    Failed(Error),
}

/// How far a compressed message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inflating {
    /// More input is needed.
    Drained,
    /// There may be output without more input.
    Pending,
}

impl Assembly {
    pub(super) fn new(opcode: Opcode, compressed: bool) -> Self {
        let inflating = compressed.then_some(Inflating::Drained);
        Self { content: Content::new(opcode), way: Way::Whole, inflating, fragments: 0, bytes: 0 }
    }

    /// A message of which so many fragments are there, which have this payload.
    pub(super) fn begun(opcode: Opcode, fragments: u32, payload: &[u8]) -> Result<Self, Error> {
        let mut begun = Self::new(opcode, false);
        (begun.fragments, begun.bytes) = (fragments.into(), payload.len() as u64);
        begun.content.push(payload)?;
        Ok(begun)
    }

    /// Whether the message is compressed.
    pub(super) const fn is_inflating(&self) -> bool {
        self.inflating.is_some()
    }

    /// Whether one more frame may come, with a payload of so many bytes. What is too much to be held is told in pieces from
    /// here on, where that is configured.
    pub(super) fn admit(&mut self, context: &Context<'_>, size: u64) -> Result<(), Error> {
        self.fragments = self.fragments.saturating_add(1);
        if matches!(self.way, Way::Whole) {
            let limits = context.limits;
            match (self.check(limits.fragments_max.into(), limits.message_bytes_max as u64, size), context.pieces) {
                (Err(error), None) => return Err(error),
                (Err(_), Some(_)) => self.way = Way::Pieces { begun: false },
                (Ok(()), _) => {}
            }
        }
        if let (Way::Pieces { .. }, Some(limits)) = (self.way, context.pieces) {
            self.check(limits.fragments_max, limits.message_bytes_max, size)?;
        }
        if !self.is_inflating() {
            self.bytes = self.bytes.saturating_add(size);
        }
        Ok(())
    }

    fn check(&self, fragments_max: u64, message_bytes_max: u64, size: u64) -> Result<(), Error> {
        // Of a compressed message nothing is held but what comes out of inflation, so that its size before says nothing: it
        // may be any number of times as much, where each byte was flushed.
        let is_too_big = !self.is_inflating() && size > message_bytes_max.saturating_sub(self.bytes);
        if self.fragments > fragments_max {
            Err(Error::TooManyFragments)
        } else if is_too_big {
            Err(Error::MessageTooBig)
        } else {
            Ok(())
        }
    }

    /// Whether nothing more comes of this payload.
    pub(super) fn is_done_with(&self, payload: &Payload) -> bool {
        let pending = self.inflating == Some(Inflating::Pending);
        // The last fragment is done with when the end of the message is told.
        payload.is_over() && !payload.fin && !pending && !matches!(self.way, Way::Failed(_))
    }

    /// Takes of a payload what there is, or what makes a piece. Before the end it yields nothing but pieces.
    pub(super) fn read<'a>(
        &mut self,
        context: &mut Context<'_>,
        payload: &mut Payload,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Inbound<'a>>, Error> {
        match self.way {
            Way::Failed(error) => Err(error),
            _ if self.is_inflating() => self.inflate(context, payload, input),
            Way::Whole => self.gather(context.credit, payload, input),
            Way::Pieces { .. } if self.content.len() > 0 => {
                // It was gathered when nobody knew how much it would become.
                let gathered = self.content.take();
                self.tell(gathered, false, Ok(()))
            }
            Way::Pieces { .. } => self.lend(payload, input),
        }
    }

    /// Gathers what there is of a payload that goes on, unless there is more to do about it.
    pub(super) fn gather_on(
        &mut self,
        credit: &mut Credit,
        payload: &mut Payload,
        input: &mut &mut [u8],
    ) -> Option<Result<(), Error>> {
        let gathers = matches!(self.way, Way::Whole) && !self.is_inflating();
        gathers.then(|| self.gather(credit, payload, input).map(drop))
    }

    fn gather(
        &mut self,
        credit: &mut Credit,
        payload: &mut Payload,
        input: &mut &mut [u8],
    ) -> Result<Option<Inbound<'static>>, Error> {
        let (here, announced) = payload.arrived(input);
        self.content.reserve(here, announced, *credit);
        payload.take_blocks(BLOCK_BYTES, input, |block| self.content.push(block))?;
        if !(payload.is_over() && payload.fin) {
            return Ok(None);
        }
        credit.earn(self.content.len());
        self.finish().map(Some)
    }

    fn lend<'a>(&mut self, payload: &mut Payload, input: &mut &'a mut [u8]) -> Result<Option<Inbound<'a>>, Error> {
        let (data, valid) = match &mut self.content {
            Content::Binary(_) => (Message::from(payload.take(usize::MAX, input)), Ok(())),
            Content::Text(_, tail) if tail.is_empty() => {
                let (text, valid) = tail.split(payload.take(usize::MAX, input));
                (Message::from(text), valid)
            }
            Content::Text(_, tail) => {
                let mut text = String::new();
                while !tail.is_empty() {
                    let mut byte = payload.take(1, input);
                    if byte.is_empty() {
                        break;
                    }
                    text.extend(tail.complete(&mut byte).map_err(|_| Error::InvalidUtf8)?);
                }
                (Message::from(text), Ok(()))
            }
        };
        let ends = payload.is_over() && payload.fin;
        let valid = valid.map_err(|_| Error::InvalidUtf8);
        self.tell(data, ends, valid)
    }

    fn inflate(
        &mut self,
        context: &mut Context<'_>,
        payload: &mut Payload,
        input: &mut &mut [u8],
    ) -> Result<Option<Inbound<'static>>, Error> {
        let mut out = [0; BLOCK_BYTES];
        loop {
            let Some(inflater) = &mut context.inflater else { return Err(Error::InvalidDeflate) };
            let inflated = payload.read(BLOCK_BYTES, input, |bytes| {
                let inflated = inflater.inflate(bytes, &mut out);
                (inflated.taken, inflated)
            });
            let pending = inflated.given == out.len();
            self.inflating = Some(if pending { Inflating::Pending } else { Inflating::Drained });
            let valid = self.push_inflated(context, out.get(..inflated.given).unwrap_or_default());
            let valid = valid.and(inflated.valid);
            if matches!(self.way, Way::Whole) {
                valid?;
            } else if valid.is_err() || self.content.len() >= INFLATED_PIECE_BYTES {
                let piece = self.content.take();
                return self.tell(piece, false, valid);
            }
            if pending {
                continue;
            }
            if payload.is_over() && payload.fin {
                return self.end_inflation(context);
            }
            if payload.is_over() || input.is_empty() {
                break;
            }
        }
        if matches!(self.way, Way::Whole) {
            return Ok(None);
        }
        let piece = self.content.take();
        self.tell(piece, false, Ok(()))
    }

    /// Appends what came out of inflation, up to the limit.
    fn push_inflated(&mut self, context: &Context<'_>, mut bytes: &[u8]) -> Result<(), Error> {
        if matches!(self.way, Way::Whole) {
            bytes = self.push_within(context.limits.message_bytes_max as u64, bytes)?;
            if bytes.is_empty() {
                return Ok(());
            }
        }
        let limits = context.pieces.ok_or(Error::MessageTooBig)?;
        if matches!(self.way, Way::Whole) {
            // More of them may have been admitted while it seemed that it could be held.
            self.check(limits.fragments_max, limits.message_bytes_max, 0)?;
            self.way = Way::Pieces { begun: false };
        }
        let beyond = self.push_within(limits.message_bytes_max, bytes)?;
        if beyond.is_empty() { Ok(()) } else { Err(Error::MessageTooBig) }
    }

    /// Appends what is within a limit, and yields what is beyond it.
    fn push_within<'p>(&mut self, message_bytes_max: u64, bytes: &'p [u8]) -> Result<&'p [u8], Error> {
        let room = usize::try_from(message_bytes_max.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        let (within, beyond) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.bytes = self.bytes.saturating_add(within.len() as u64);
        self.content.push(within)?;
        Ok(beyond)
    }

    fn end_inflation(&mut self, context: &mut Context<'_>) -> Result<Option<Inbound<'static>>, Error> {
        let valid = context.inflater.as_mut().map_or(Err(Error::InvalidDeflate), |inflater| inflater.end_message());
        if matches!(self.way, Way::Whole) {
            valid?;
            return self.finish().map(Some);
        }
        let piece = self.content.take();
        self.tell(piece, true, valid)
    }

    /// The whole message.
    fn finish(&mut self) -> Result<Inbound<'static>, Error> {
        self.content.may_end()?;
        Ok(Inbound::Message(self.content.take()))
    }

    /// Tells a piece. What is wrong behind it is an error only when it was told.
    fn tell<'a>(
        &mut self,
        data: Message<'a>,
        ends: bool,
        valid: Result<(), Error>,
    ) -> Result<Option<Inbound<'a>>, Error> {
        let valid = if ends { valid.and(self.content.may_end()) } else { valid };
        let last = ends && valid.is_ok();
        if data.as_bytes().is_empty() && !last {
            return valid.map(|()| None);
        }
        let first = matches!(self.way, Way::Pieces { begun: false });
        self.way = valid.map_or_else(Way::Failed, |()| Way::Pieces { begun: true });
        Ok(Some(Inbound::Piece(Piece { data, first, last })))
    }
}
