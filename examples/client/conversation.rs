//! How far the conversation is: when goodbye is said, and whether all was as it should be.

use std::mem::{replace, take};
use std::time::Duration;

use roomwire::Instant;
use roomwire::client::{Client, DisconnectReason, Event, SocketId};

/// How long the server may answer after the end of the input. Official servers take an event for none if the client has left
/// the namespace by the time they come to it.
const LINGER: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is a connection, or there is going to be.
    Open,
    /// The server said goodbye.
    Dismissed,
    /// The namespace is not going to be connected.
    Hopeless,
    /// The client is closed.
    Over,
}

pub struct Conversation {
    /// The namespace that is spoken to.
    socket: SocketId,
    stage: Stage,
    input_ended: bool,
    /// When to say goodbye, once all is said.
    end_at: Option<Instant>,
    /// Whether the namespace was connected in this session.
    was_connected: bool,
    /// Whether something was said in this session of which nobody will tell whether it arrived.
    unsure: bool,
    /// Whether something could not be sent, was not acknowledged, or the conversation did not end as it should.
    failed: bool,
}

impl Conversation {
    pub fn new(socket: SocketId) -> Self {
        let stage = Stage::Open;
        Self { socket, stage, input_ended: false, end_at: None, was_connected: false, unsure: false, failed: false }
    }

    /// Whether lines may be said.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Whether goodbye was said.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Something could not be done.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// Something was said of which nobody will tell whether it arrived.
    pub fn said_unsurely(&mut self) {
        self.unsure = true;
    }

    /// No more lines come.
    pub fn input_ended(&mut self) {
        self.input_ended = true;
    }

    /// Whether the namespace is going to be connected, and everything arrives.
    pub fn follow(&mut self, client: &Client, event: &Event<'_>, line_waits: bool) {
        if matches!(event, Event::Closed { .. }) && self.is_open() {
            self.failed |= take(&mut self.unsure);
        }
        let stage = match event {
            Event::Connected { socket, .. } if *socket == self.socket => {
                self.was_connected = true;
                return;
            }
            Event::Ack { answer: Err(_), .. } | Event::Undelivered { .. } => {
                self.failed = true;
                return;
            }
            Event::Refused { socket, .. } if *socket == self.socket => Stage::Hopeless,
            Event::Disconnected { socket, reason: DisconnectReason::Server } if *socket == self.socket => {
                Stage::Dismissed
            }
            Event::Closed { retry: None, .. } => Stage::Hopeless,
            // Who was connected comes back for what is still to be said; who was not, to be ready for what will be.
            Event::Closed { .. } => match take(&mut self.was_connected) {
                true if client.pending(self.socket) > 0 || !self.input_ended => return,
                false if !line_waits && !self.input_ended => return,
                _ => Stage::Hopeless,
            },
            _ => return,
        };
        if self.is_open() {
            self.stage = stage;
        }
    }

    /// How long to go on before goodbye is said; without end once it was.
    pub fn left(&mut self, client: &Client, now: Instant) -> Duration {
        match self.stage {
            Stage::Dismissed | Stage::Hopeless => return Duration::ZERO,
            Stage::Over => return Duration::MAX,
            Stage::Open => {}
        }
        if self.input_ended
            && self.end_at.is_none()
            && client.is_connected(self.socket)
            && client.pending(self.socket) + client.queued_bytes() == 0
        {
            self.end_at = Some(now.saturating_add(LINGER));
        }
        self.end_at.map_or(Duration::MAX, |at| at.saturating_since(now))
    }

    /// Goodbye is said, which is as it should be when all was said before. How much was not.
    pub fn end(&mut self, client: &Client, line_waits: bool) -> usize {
        let pending = client.pending(self.socket) + usize::from(line_waits);
        let stage = replace(&mut self.stage, Stage::Over);
        self.failed |= pending > 0 || !self.input_ended || stage == Stage::Hopeless;
        pending
    }
}
