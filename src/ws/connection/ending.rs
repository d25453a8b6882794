//! How a connection ends: by either side, by an error, or in silence.

use alloc::boxed::Box;

use super::{Connection, Event, SendError, Stall, State};
use crate::time::Instant;
use crate::ws::close::{self, CloseCode, Closed, Endpoint};
use crate::ws::{Error, Opcode, Role};

impl Connection {
    /// Begins the closing handshake. A code that must not be sent leaves the frame empty; a reason of more
    /// than 123 bytes is cut. Messages that the peer sent before its answer are still told.
    ///
    /// # Errors
    /// If the connection is not open.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.clock(now);
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Open(reader, waiting) => {
                self.write_frame(Opcode::Close, &close::encode(code, reason));
                self.enter(State::Closing(reader, waiting));
                Ok(())
            }
            other => {
                self.state = other;
                Err(SendError::NotOpen)
            }
        }
    }

    /// Gives the connection up at once: nothing queued is written any more. [`Event::Closed`] is still told,
    /// unless it was.
    pub fn abort(&mut self, now: Instant) {
        self.clock(now);
        self.abandon(None);
    }

    /// Answers the peer's close frame (section 5.5.1), or takes it as the answer to ours.
    pub(super) fn peer_closed(&mut self, code: CloseCode, reason: &str) {
        let by = if self.is_open() {
            // The code is sent back; there is nothing to add to the reason.
            self.write_frame(Opcode::Close, &close::encode(code, ""));
            Endpoint::Peer
        } else {
            Endpoint::Local
        };
        self.end(code, reason, by, None);
        self.enter(match self.role() {
            Role::Server => State::Closed,
            Role::Client => State::Draining,
        });
    }

    /// The peer ended its stream while a closing handshake was due.
    pub(super) fn stream_ended<'a>(&mut self) -> Option<Event<'a>> {
        let by = if self.is_open() { Endpoint::Peer } else { Endpoint::Local };
        self.end(CloseCode::ABNORMAL, "", by, Some(Error::UnexpectedEof));
        self.enter(State::Closed);
        self.closed.take().map(Event::Closed)
    }

    /// Fails the connection (section 7.1.7): one close frame with the code, if none was sent, and the end.
    pub(super) fn fail(&mut self, error: Error) {
        let code = error.close_code().unwrap_or(CloseCode::ABNORMAL);
        let reason = alloc::format!("{error}");
        if self.is_open() && code.is_sendable() {
            self.write_frame(Opcode::Close, &close::encode(code, &reason));
        }
        self.end(code, &reason, Endpoint::Local, Some(error));
        self.enter(State::Draining);
    }

    /// Ends without another byte.
    pub(super) fn abandon(&mut self, error: Option<Error>) {
        self.end(CloseCode::ABNORMAL, "", Endpoint::Local, error);
        self.enter(State::Closed);
        self.outbox.clear();
        self.stall = Stall::NONE;
    }

    /// Notes the end, unless it was noted before.
    pub(super) fn end(&mut self, code: CloseCode, reason: &str, by: Endpoint, error: Option<Error>) {
        let told = match &mut self.state {
            State::Handshake(handshake) => core::mem::replace(&mut handshake.ended, true),
            State::Requested(_) | State::Open(..) | State::Closing(..) => false,
            State::Draining | State::Closed => true,
        };
        if !told {
            self.closed = Some(Box::new(Closed { code, reason: reason.into(), by, error }));
        }
    }

    /// Goes on in one of the states in which it ends.
    pub(super) fn enter(&mut self, state: State) {
        self.state = state;
        // While something is unwritten, it is for `stall` to say how long the peer may take to read it.
        let runs = self.is_ending() && self.outbox.is_empty();
        self.deadline = if runs { self.now.saturating_add(self.config.close_timeout) } else { Instant::NEVER };
        self.watch_writes();
        self.drop_extras();
    }

    /// Gives back what serves no purpose in a connection that ends: no frame will be sent, nor will one be read once it is over.
    fn drop_extras(&mut self) {
        if !matches!(self.state, State::Closing(..)) {
            self.extras = None;
        } else if let Some(deflate) = self.extras.as_mut().and_then(|extras| extras.deflate.as_mut()) {
            deflate.end_sending();
        }
    }

    /// Whether the peer has something to do yet before the end.
    pub(super) const fn is_ending(&self) -> bool {
        matches!(self.state, State::Closing(..) | State::Draining)
    }
}
