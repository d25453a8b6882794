//! Who is in a room: per user, over all of the user's devices.
//!
//! Changes are gathered for a window, so that what cancels out within it is never told. Members
//! get a snapshot at a version, then diffs, each of which raises the version by one: folding the
//! diffs into the snapshot gives the list. On the wire these are two events:
//!
//! - `presence` `{"room":"lobby","version":7,"members":[{"user":"ann","state":"live","meta":null}]}`
//! - `presence_diff` `{"room":"lobby","version":8,"changes":[{"user":"ann","change":"away","state":"away","meta":null}]}`;
//!   for `left` there is no state.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::ids::SocketId;
use crate::http::Text;
use crate::socketio::write_name;
use crate::time::Instant;

/// The name of the event that carries a whole list.
pub(super) const SNAPSHOT: &str = "presence";
/// The name of the event that carries changes.
pub(super) const DIFF: &str = "presence_diff";

/// Whether somebody can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresenceState {
    /// At least one device is connected.
    Live,
    /// All devices are lost, and may come back.
    Away,
}

impl PresenceState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Away => "away",
        }
    }
}

/// How a user's presence in a room changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresenceChange {
    /// Came in.
    Arrived,
    /// The last device lost its transport.
    Away,
    /// Came back into the session.
    Returned,
    /// What is shown of the user is other than before.
    Updated,
    /// Went, or did not come back in time.
    Left,
}

impl PresenceChange {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Away => "away",
            Self::Returned => "returned",
            Self::Updated => "updated",
            Self::Left => "left",
        }
    }

    const fn between(before: Option<PresenceState>, after: Option<PresenceState>, updated: bool) -> Option<Self> {
        use PresenceState::{Away, Live};
        match (before, after) {
            (None, None) => None,
            (None, Some(_)) => Some(Self::Arrived),
            (Some(_), None) => Some(Self::Left),
            (Some(Live), Some(Away)) => Some(Self::Away),
            (Some(Away), Some(Live)) => Some(Self::Returned),
            (Some(_), Some(_)) if updated => Some(Self::Updated),
            (Some(_), Some(_)) => None,
        }
    }
}

/// A user who is present, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The user.
    pub user: Arc<str>,
    /// Whether the user can be reached.
    pub state: PresenceState,
    /// What the application says of the user, as JSON text.
    pub meta: Option<Arc<str>>,
}

/// The presence in one room.
#[derive(Debug)]
pub(super) struct Roster {
    version: u64,
    entries: BTreeMap<Arc<str>, Entry>,
    /// Users who changed since the last diff, in that order.
    changed: Vec<Arc<str>>,
    /// Sockets that are owed a snapshot.
    pub(super) newcomers: Vec<SocketId>,
    /// When changes and snapshots are told.
    pub(super) due: Instant,
}

#[derive(Debug, Default)]
struct Entry {
    live: u32,
    away: u32,
    told: Option<PresenceState>,
    meta: Option<Arc<str>>,
    updated: bool,
    listed: bool,
}

impl Entry {
    const fn state(&self) -> Option<PresenceState> {
        match (self.live, self.away) {
            (0, 0) => None,
            (0, _) => Some(PresenceState::Away),
            _ => Some(PresenceState::Live),
        }
    }
}

/// A change that is told.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) user: Arc<str>,
    pub(super) change: PresenceChange,
    state: Option<PresenceState>,
    meta: Option<Arc<str>>,
}

impl Roster {
    pub(super) const fn new() -> Self {
        Self { version: 0, entries: BTreeMap::new(), changed: Vec::new(), newcomers: Vec::new(), due: Instant::NEVER }
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Moves one device of a user from one state to another; `None` is not there at all.
    pub(super) fn shift(&mut self, user: &Arc<str>, from: Option<PresenceState>, to: Option<PresenceState>) {
        let entry = self.entries.entry(user.clone()).or_default();
        for (state, up) in [(from, false), (to, true)] {
            let count = match state {
                Some(PresenceState::Live) => &mut entry.live,
                Some(PresenceState::Away) => &mut entry.away,
                None => continue,
            };
            *count = if up { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
        self.note(user);
    }

    /// Sets what is shown of a user. False if the user is not there.
    pub(super) fn set_meta(&mut self, user: &Arc<str>, meta: Option<Arc<str>>) -> bool {
        let Some(entry) = self.entries.get_mut(user).filter(|entry| entry.state().is_some()) else { return false };
        entry.updated |= entry.meta != meta;
        entry.meta = meta;
        self.note(user);
        true
    }

    fn note(&mut self, user: &Arc<str>) {
        if let Some(entry) = self.entries.get_mut(user)
            && !core::mem::replace(&mut entry.listed, true)
        {
            self.changed.push(user.clone());
        }
    }

    /// What changed since it was last asked, gathered; the version rises by one if anything did.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for user in core::mem::take(&mut self.changed) {
            let Some(entry) = self.entries.get_mut(&user) else { continue };
            entry.listed = false;
            let (before, state) = (entry.told, entry.state());
            entry.told = state;
            let change = PresenceChange::between(before, state, core::mem::take(&mut entry.updated));
            let meta = entry.meta.clone();
            if state.is_none() {
                self.entries.remove(&user);
            }
            if let Some(change) = change {
                changes.push(Change { user, change, state, meta });
            }
        }
        if !changes.is_empty() {
            self.version = self.version.saturating_add(1);
        }
        changes
    }

    /// Everybody who is present, as it was last told.
    pub(super) fn present(&self) -> impl Iterator<Item = Present> {
        self.entries.iter().filter_map(|(user, entry)| {
            Some(Present { user: user.clone(), state: entry.told?, meta: entry.meta.clone() })
        })
    }

    /// The argument of a snapshot event.
    pub(super) fn snapshot(&self, room: &str) -> String {
        let mut json = self.head(room);
        list(&mut json, "members", self.present(), |out, present| {
            member(out, &present.user, None, Some(present.state), present.meta.as_deref());
        });
        text(json)
    }

    /// The argument of a diff event.
    pub(super) fn diff(&self, room: &str, changes: &[Change]) -> String {
        let mut json = self.head(room);
        list(&mut json, "changes", changes.iter(), |out, change| {
            member(out, &change.user, Some(change.change), change.state, change.meta.as_deref());
        });
        text(json)
    }

    fn head(&self, room: &str) -> Vec<u8> {
        let mut json = b"{\"room\":".to_vec();
        write_name(room, &mut json);
        // Writing to a vector does not fail.
        let _ = write!(Text(&mut json), ",\"version\":{}", self.version);
        json
    }
}

fn list<T>(json: &mut Vec<u8>, name: &str, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    json.extend_from_slice(b",\"");
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":[");
    for (at, item) in items.enumerate() {
        if at > 0 {
            json.push(b',');
        }
        write(json, item);
    }
    json.extend_from_slice(b"]}");
}

fn member(
    json: &mut Vec<u8>,
    user: &str,
    change: Option<PresenceChange>,
    state: Option<PresenceState>,
    meta: Option<&str>,
) {
    json.extend_from_slice(b"{\"user\":");
    write_name(user, json);
    if let Some(change) = change {
        let _ = write!(Text(json), ",\"change\":\"{}\"", change.as_str());
    }
    if let Some(state) = state {
        let _ = write!(Text(json), ",\"state\":\"{}\",\"meta\":{}", state.as_str(), meta.unwrap_or("null"));
    }
    json.push(b'}');
}

/// What was written here is UTF-8: names, JSON of the application's, and ASCII.
fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).unwrap_or_default()
}
