//! The client's side of the heartbeat.

use core::time::Duration;

use crate::engineio::Revision;
use crate::time::Instant;

/// What the server said about it when the session opened, and what is due.
///
/// In revision 4 the server pings, and the session is over when no ping came for an interval and a time-out from the last one,
/// or from when its pong was written. In revision 3 the client pings one interval after the session's opening and after each
/// pong; any packet is a sign of life, and one must come within the time-out from when a ping was written. Until then the
/// server cannot know that it is its turn, and how long it may take to read is for other time-outs to say. What comes behind a
/// long message comes when that is read: each further part of it counts like what is behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    revision: Revision,
    interval: Duration,
    timeout: Duration,
    ping_at: Instant,
    dead_at: Instant,
    /// Whether a ping or pong of ours is not written yet.
    unwritten: bool,
    /// When a message began to come whose end has not come; never, if there is none.
    begun: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    Dead,
}

impl Heartbeat {
    pub(super) fn new(revision: Revision, interval: Duration, timeout: Duration, now: Instant) -> Self {
        let (ping_at, dead_at, begun) = (Instant::NEVER, Instant::NEVER, Instant::NEVER);
        let mut heartbeat = Self { revision, interval, timeout, ping_at, dead_at, unwritten: false, begun };
        heartbeat.alive(now);
        if revision == Revision::V3 {
            heartbeat.ping_at = now.saturating_add(interval);
        }
        heartbeat
    }

    /// Bytes came, and with them the end of a message or only a part of one. Whether they count does not depend on how they
    /// were cut at that instant.
    pub(super) fn bytes(&mut self, now: Instant, is_part: bool) {
        if self.begun < now {
            self.alive(now);
        }
        self.begun = if is_part { self.begun.min(now) } else { Instant::NEVER };
    }

    /// Whether a message has begun to come whose end has not come.
    pub(super) fn is_mid_message(&self) -> bool {
        self.begun != Instant::NEVER
    }

    /// A packet came. In revision 4 only a ping counts.
    pub(super) fn packet(&mut self, now: Instant) {
        if self.revision == Revision::V3 {
            self.alive(now);
        }
    }

    /// A ping came, in revision 4.
    pub(super) fn ping(&mut self, now: Instant) {
        self.alive(now);
    }

    /// A pong came.
    pub(super) fn pong(&mut self, now: Instant) {
        if self.revision == Revision::V3 {
            self.ping_at = now.saturating_add(self.interval);
        }
    }

    /// A ping or pong of ours is on its way to be written.
    pub(super) const fn queued(&mut self) {
        self.unwritten = true;
    }

    /// It is written, if one was queued.
    pub(super) fn written(&mut self, now: Instant) {
        if core::mem::take(&mut self.unwritten) {
            match self.revision {
                Revision::V3 => self.dead_at = now.saturating_add(self.timeout),
                Revision::V4 => self.alive(now),
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        if self.unwritten { self.ping_at } else { self.ping_at.min(self.dead_at) }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        if self.dead_at <= now && !self.unwritten {
            self.dead_at = Instant::NEVER;
            return Some(Due::Dead);
        }
        if self.ping_at <= now {
            self.ping_at = Instant::NEVER;
            return Some(Due::Ping);
        }
        None
    }

    fn alive(&mut self, now: Instant) {
        self.dead_at = now.saturating_add(self.interval).saturating_add(self.timeout);
    }
}
