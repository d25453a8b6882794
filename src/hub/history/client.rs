//! What a client may get again: where it was, and when.

use alloc::vec::Vec;

use crate::hub::ids::{GroupId, Token};

/// How many stretches that are over are known of a client; of what lies before them it gets nothing again.
const PAST_MAX: usize = 64;

/// A client whose session can be recovered.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) pid: Token,
    /// The last event that it needs no more: it was before its time, or the client has said that it has it.
    pub(super) floor: u64,
    /// Up to this one it is no longer known what it was to get.
    pub(super) unknown: u64,
    spans: Vec<Span>,
}

/// A stretch of the history in which a client was in a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) group: GroupId,
    /// The first event of it.
    pub(super) from: u64,
    /// The first event behind it; [`OPEN`](Self::OPEN) while it lasts.
    pub(super) to: u64,
    /// The last event for the group that lies in it, or before it if none does.
    pub(super) last: u64,
}

impl Span {
    const OPEN: u64 = u64::MAX;

    pub(super) const fn is_open(&self) -> bool {
        self.to == Self::OPEN
    }
}

impl Client {
    /// One that begins now, behind the event `floor`, in these groups.
    pub(super) fn new(pid: Token, floor: u64, groups: impl Iterator<Item = GroupId>) -> Self {
        let mut client = Self { pid, floor, unknown: 0, spans: Vec::new() };
        groups.for_each(|group| client.joined(group, floor));
        client
    }

    /// It is in a group for all that comes behind the event `last`.
    pub(super) fn joined(&mut self, group: GroupId, last: u64) {
        self.spans.push(Span { group, from: last.saturating_add(1), to: Span::OPEN, last: Span::OPEN });
    }

    /// It is in a group no more behind the event `last`; the last for the group was `last_there`, the last that was for others
    /// but not for the group `excepted`.
    pub(super) fn left(&mut self, group: GroupId, last: u64, last_there: u64, excepted: u64) {
        let Some(at) = self.spans.iter().position(|span| span.is_open() && span.group == group) else { return };
        let Some(span) = self.spans.get_mut(at) else { return };
        if span.from > last_there.max(excepted) {
            // No event asks whether it was there.
            self.spans.swap_remove(at);
            return;
        }
        (span.to, span.last) = (last.saturating_add(1), last_there);
        let over = || self.spans.iter().enumerate().filter(|(_, span)| !span.is_open());
        if over().count() > PAST_MAX
            && let Some((oldest, _)) = over().min_by_key(|(_, span)| span.to)
        {
            let forgotten = self.spans.swap_remove(oldest);
            self.unknown = self.unknown.max(forgotten.to.saturating_sub(1));
        }
    }

    /// It has everything up to the event `floor`.
    pub(super) fn has(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Whether it was in a group at an event.
    pub(super) fn was_in(&self, group: GroupId, number: u64) -> bool {
        self.spans.iter().any(|span| span.group == group && (span.from..span.to).contains(&number))
    }
}
