//! All deadlines of a hub.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use super::ids::{ConnId, GroupId, SessionId, SocketId};
use crate::time::Instant;

/// Whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Conn(ConnId),
    Session(SessionId),
    Socket(SocketId),
    Group(GroupId),
    /// Events that are kept are too old.
    History,
    /// Whoever is still there is cut off.
    Shutdown,
}

/// All deadlines of a hub, lazily: an owner has at most one entry that counts, the earliest; a
/// deadline that moves to later leaves its entry where it is, and the owner is asked again when that comes.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
}

/// The entry that counts, kept with its owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheduled(Instant);

impl Default for Scheduled {
    fn default() -> Self {
        Self::NONE
    }
}

impl Scheduled {
    /// No entry.
    pub(super) const NONE: Self = Self(Instant::NEVER);

    /// Whether the entry for `at` is the one that counts.
    pub(super) fn is(self, at: Instant) -> bool {
        self.0 == at
    }

    /// Whether the entry that came due at `at` is the one that counts; if so it counts no more.
    pub(super) fn fire(&mut self, at: Instant) -> bool {
        let counts = self.0 == at;
        if counts {
            self.0 = Instant::NEVER;
        }
        counts
    }
}

impl Timers {
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Keeps the entries for which `counts` says so.
    pub(super) fn retain(&mut self, counts: impl Fn(Instant, Timer) -> bool) {
        self.heap.retain(|Reverse((at, timer))| counts(*at, *timer));
    }

    /// Makes sure that the owner is asked at `at`, or before.
    pub(super) fn schedule(&mut self, timer: Timer, scheduled: &mut Scheduled, at: Instant) {
        if at < scheduled.0 {
            scheduled.0 = at;
            self.heap.push(Reverse((at, timer)));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// The next entry that is due at `now`, whether it counts or not.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        let due = self.heap.pop();
        if self.heap.capacity() > 1024 && self.heap.len() < self.heap.capacity() / 4 {
            self.heap.shrink_to(self.heap.len().saturating_mul(2));
        }
        due.map(|Reverse(entry)| entry)
    }
}
