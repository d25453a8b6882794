//! What comes in: the way of most messages first, everything else behind it.

use super::{Connection, Event, State};
use crate::cursor::read_shared;
use crate::time::Instant;
use crate::utf8;
use crate::ws::reader::{Context, Inbound, Lone};
use crate::ws::{Error, close};

impl Connection {
    /// Takes bytes off the front of `input` until there is something to tell; `None` when all are
    /// consumed. Violations by the peer are answered and told as [`Event::Closed`].
    #[must_use = "what happened is told only once"]
    #[inline]
    pub fn receive<'a>(&mut self, now: Instant, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        self.receive_in_place(now, input, 0)
    }

    /// The same for a driver that keeps what is not whole: a frame that has room in so many bytes, its header included, and
    /// whose end has not come is left in `input`. So a message that takes several reads is lent from where it lies, like any
    /// other, and nothing is copied or allocated for it.
    ///
    /// `None` with bytes left asks for more: have them first in the buffer, read behind them, and come again when
    /// something was read. Give them to [`receive`](Self::receive), all at once, when the buffer is wanted for something else, and
    /// before [`receive_eof`](Self::receive_eof). A text in one frame that is left is checked when it is whole, or then.
    ///
    /// What is left may not be what was read: of a large payload a part is unmasked while it is near the processor, and the connection
    /// knows how much. So it has to be given back as it is; who gives back less, or a copy made before, makes another
    /// message of it, or an error.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use roomwire::{Instant, ws::{Connection, Event}};
    ///
    /// let now = Instant::ORIGIN;
    /// let mut conn = Connection::server_after_upgrade(Arc::default(), now);
    /// let mut buffer = *b"\x81\x82\0\0\0\0Hi\x81\x85\0\0\0\0there";
    /// let room = buffer.len();
    ///
    /// let mut input = &mut buffer[..17]; // the last two bytes are still to come
    /// let Some(Event::Message(first)) = conn.receive_in_place(now, &mut input, room) else { panic!() };
    /// assert_eq!(first, "Hi".into());
    /// assert!(conn.receive_in_place(now, &mut input, room).is_none());
    /// assert_eq!(input.len(), 9); // of eleven
    ///
    /// let mut input = &mut buffer[8..19];
    /// let Some(Event::Message(second)) = conn.receive_in_place(now, &mut input, room) else { panic!() };
    /// assert_eq!(second, "there".into());
    /// ```
    #[must_use = "what happened is told only once"]
    #[inline]
    pub fn receive_in_place<'a>(&mut self, now: Instant, input: &mut &'a mut [u8], room: usize) -> Option<Event<'a>> {
        if let [byte] = **input
            && self.receive_byte(byte)
        {
            *input = &mut [];
            return None;
        }
        self.receive_message(now, input, room)
    }

    /// The same for all but a byte within the head of a handshake.
    #[inline]
    fn receive_message<'a>(&mut self, now: Instant, input: &mut &'a mut [u8], room: usize) -> Option<Event<'a>> {
        self.clock(now);
        if let State::Open(reader, waiting) = &self.state
            && !self.peer_ended
        {
            if waiting.has_begun() {
                return self.receive_waiting(input, room);
            }
            if let Some((is_text, payload)) = reader.read_whole(self.role, &self.config.limits, input) {
                return self.lent(is_text, payload);
            }
            // The end of most reads.
            if input.is_empty() && reader.is_between_messages() {
                return None;
            }
            if room > 0 && reader.is_to_wait(self.role, &self.config.limits, input, room) {
                return self.wait(input);
            }
        }
        self.receive_any(input)
    }

    /// A message that lies whole in the input; a text is still to be checked.
    #[inline]
    fn lent<'a>(&mut self, is_text: bool, payload: &'a [u8]) -> Option<Event<'a>> {
        self.heard();
        if !is_text {
            return Some(Event::Message(payload.into()));
        }
        match utf8::check(payload) {
            Ok(text) => Some(Event::Message(text.into())),
            Err(_) => self.failed(Error::InvalidUtf8),
        }
    }

    /// What is first in the input is left there.
    #[inline]
    fn wait<'a>(&mut self, input: &mut [u8]) -> Option<Event<'a>> {
        self.heard();
        if let State::Open(_, waiting) = &mut self.state {
            waiting.come(self.role, input);
        }
        None
    }

    /// The same where a part of what is first in the input is unmasked; apart, so that it does not burden the way of most
    /// messages.
    #[inline(never)]
    fn receive_waiting<'a>(&mut self, input: &mut &'a mut [u8], room: usize) -> Option<Event<'a>> {
        if let State::Open(reader, waiting) = &mut self.state
            && !input.is_empty()
        {
            match reader.read_waiting(self.role, &self.config.limits, room, input, waiting) {
                Some(Lone::Whole(is_text, payload)) => return self.lent(is_text, payload),
                Some(Lone::Begun) => return self.wait(input),
                None => {}
            }
        }
        self.receive_any(input)
    }

    /// The same for whatever else there is; apart, so that it does not burden the way of most messages.
    #[inline(never)]
    fn receive_any<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        if !input.is_empty() {
            self.heard();
        }
        if let State::Open(_, waiting) | State::Closing(_, waiting) = &mut self.state {
            waiting.give_up(self.role, input);
        }
        if let State::Open(reader, _) = &mut self.state
            && !self.peer_ended
        {
            if let Some(gathered) = reader.read_on(&mut self.credit, input) {
                return gathered.err().and_then(|error| self.failed(error));
            }
            if let Some(message) = reader.read_fragments(self.role, &self.config.limits, input) {
                return message.map_or_else(|error| self.failed(error), |message| Some(Event::Message(message)));
            }
        }
        if let Some(event) = self.poll_event() {
            return Some(event);
        }
        if let State::Requested(_) = self.state
            && let Some(event) = self.read_response(input)
        {
            return Some(event);
        }
        if let State::Open(..) | State::Closing(..) = self.state {
            let event = self.read_messages(input);
            if event.is_some() || input.is_empty() {
                return event;
            }
        }
        let event = match &mut self.state {
            State::Handshake(handshake) => read_shared(input, |input| handshake.http.receive(self.now, input)),
            State::Requested(_) => return None,
            _ => {
                *input = &mut [];
                None
            }
        };
        match event {
            Some(event) => self.handshake_event(event, Error::UnexpectedEof),
            None => self.poll_event(),
        }
    }

    /// Whether the byte is one within the head of a handshake, and was taken. Then nothing else happens, and no time is to be
    /// noted.
    #[inline]
    fn receive_byte(&mut self, byte: u8) -> bool {
        match &mut self.state {
            State::Handshake(handshake) => handshake.http.push(byte),
            State::Requested(requested) => requested.reader.push(&self.config.http.limits, byte),
            _ => false,
        }
    }

    /// Reads on in what the peer sent, until there is something to tell.
    pub(super) fn read_messages<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        loop {
            let (State::Open(reader, _) | State::Closing(reader, _)) = &mut self.state else { return None };
            let deflate = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut());
            let inflater = deflate.map(|deflate| &mut deflate.inflater);
            let (limits, pieces) = (&self.config.limits, self.config.pieces.as_ref());
            let mut context = Context { role: self.role, limits, pieces, inflater, credit: &mut self.credit };
            match reader.read_in(&mut context, input) {
                Ok(None) => {
                    reader.note_begun(self.now);
                    return None;
                }
                Ok(Some(inbound)) => {
                    if let Some(event) = self.inbound(inbound) {
                        return Some(event);
                    }
                }
                Err(error) => return self.failed(error),
            }
        }
    }

    /// The peer violated the protocol, which is answered and told.
    #[cold]
    pub(super) fn failed<'a>(&mut self, error: Error) -> Option<Event<'a>> {
        self.fail(error);
        self.closed.take().map(Event::Closed)
    }

    /// What a frame means for the connection, and what of it is told.
    fn inbound<'a>(&mut self, inbound: Inbound<'a>) -> Option<Event<'a>> {
        match inbound {
            Inbound::Message(message) => Some(Event::Message(message)),
            Inbound::Piece(piece) => Some(Event::Piece(piece)),
            Inbound::Ping(payload) => {
                self.owe_pong(&payload);
                Some(Event::Ping(payload))
            }
            Inbound::Pong(payload) => Some(Event::Pong(payload)),
            Inbound::Close(payload) => {
                match close::parse(&payload) {
                    Ok((code, reason)) => self.peer_closed(code, reason),
                    Err(error) => self.fail(error),
                }
                self.poll_event()
            }
        }
    }
}
