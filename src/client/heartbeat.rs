//! The client's side of the heartbeat.

use core::time::Duration;

use crate::engineio::Revision;
use crate::time::Instant;

/// What the server said about it when the session opened, and what is due.
///
/// In revision 4 the server pings, and the session is over when no ping came for an interval and a time-out. In revision 3
/// the client pings one interval after the session's opening and after each pong; any packet is a sign of life, and after a
/// ping one must come within the time-out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    revision: Revision,
    interval: Duration,
    timeout: Duration,
    ping_at: Instant,
    dead_at: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    Dead,
}

impl Heartbeat {
    pub(super) fn new(revision: Revision, interval: Duration, timeout: Duration, now: Instant) -> Self {
        let mut heartbeat = Self { revision, interval, timeout, ping_at: Instant::NEVER, dead_at: Instant::NEVER };
        heartbeat.alive(now);
        if revision == Revision::V3 {
            heartbeat.ping_at = now.saturating_add(interval);
        }
        heartbeat
    }

    /// How long the server may take to answer a poll: it has to say something at every interval.
    pub(super) const fn patience(&self) -> Duration {
        self.interval.saturating_add(self.timeout)
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

    pub(super) fn poll_timeout(&self) -> Instant {
        self.ping_at.min(self.dead_at)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        if self.dead_at <= now {
            self.dead_at = Instant::NEVER;
            return Some(Due::Dead);
        }
        if self.ping_at <= now {
            self.ping_at = Instant::NEVER;
            self.dead_at = now.saturating_add(self.timeout);
            return Some(Due::Ping);
        }
        None
    }

    fn alive(&mut self, now: Instant) {
        self.dead_at = now.saturating_add(self.patience());
    }
}
