//! Who is in a room: per user, over all of the user's devices.
//!
//! Changes are gathered for a window, so that what cancels out within it is never told. The [module of the
//! hub](super) says how it looks on the wire.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::ids::SocketId;
use crate::http::Text;
use crate::socketio::write_name;
use crate::time::Instant;

/// About how many bytes of a list one event carries at the most.
const PART_BYTES: usize = 32 * 1024;

/// The names of the events by which members of a room are told who is there. The application cannot emit them itself: who
/// hears them can rely on that they are the hub's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceEvents {
    /// Carries a whole list. Default `presence`.
    pub snapshot: Cow<'static, str>,
    /// Carries changes. Default `presence_diff`.
    pub diff: Cow<'static, str>,
}

impl Default for PresenceEvents {
    fn default() -> Self {
        Self { snapshot: "presence".into(), diff: "presence_diff".into() }
    }
}

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
    /// About how long the list is, as it was last told.
    list_bytes: usize,
    /// Whether it is too long to be sent.
    counted: bool,
}

#[derive(Debug, Default)]
struct Entry {
    live: u32,
    away: u32,
    meta: Option<Arc<str>>,
    /// State and meta as they were last told.
    told: Option<(PresenceState, Option<Arc<str>>)>,
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
        Self {
            version: 0,
            entries: BTreeMap::new(),
            changed: Vec::new(),
            newcomers: Vec::new(),
            due: Instant::NEVER,
            list_bytes: 0,
            counted: false,
        }
    }

    /// Decides whether the list can be sent; true if that is other than before, so that everybody has to begin anew.
    /// Between the bounds it stays as it was.
    pub(super) const fn weigh(&mut self, bytes_max: usize) -> bool {
        let before = self.counted;
        if self.list_bytes > bytes_max {
            self.counted = true;
        } else if self.list_bytes <= bytes_max / 2 {
            self.counted = false;
        }
        before != self.counted
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
        if entry.state().is_none() {
            entry.meta = None;
        }
        self.note(user);
    }

    /// Sets what is shown of a user who is there.
    pub(super) fn set_meta(&mut self, user: &Arc<str>, meta: Arc<str>) {
        if let Some(entry) = self.entries.get_mut(user).filter(|entry| entry.state().is_some()) {
            entry.meta = Some(meta);
            self.note(user);
        }
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
            let (state, meta) = (entry.state(), entry.meta.clone());
            let before = core::mem::replace(&mut entry.told, state.map(|state| (state, meta.clone())));
            let bytes = |told: &Option<(_, Option<Arc<str>>)>| {
                let meta = |meta: &Option<Arc<str>>| meta.as_ref().map_or(4, |meta| meta.len());
                told.as_ref().map_or(0, |(_, shown)| meta(shown).saturating_add(user.len()).saturating_add(64))
            };
            self.list_bytes = self.list_bytes.saturating_sub(bytes(&before)).saturating_add(bytes(&entry.told));
            let (before, shown) = before.map_or((None, None), |(state, meta)| (Some(state), meta));
            let change = PresenceChange::between(before, state, shown != meta);
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
            let (state, meta) = entry.told.clone()?;
            Some(Present { user: user.clone(), state, meta })
        })
    }

    /// The arguments of the events that carry the whole list.
    pub(super) fn snapshot(&self, room: &str) -> Vec<String> {
        let members =
            self.present().map(|present| member(&present.user, None, Some(present.state), present.meta.as_deref()));
        self.parts(room, "members", members)
    }

    /// The arguments of the events that carry changes.
    pub(super) fn diff(&self, room: &str, changes: &[Change]) -> Vec<String> {
        let changes = changes
            .iter()
            .map(|change| member(&change.user, Some(change.change), change.state, change.meta.as_deref()));
        self.parts(room, "changes", changes)
    }

    /// A list in as many events as keep each short.
    fn parts(&self, room: &str, name: &str, items: impl Iterator<Item = Vec<u8>>) -> Vec<String> {
        if self.counted {
            let mut json = self.head(room);
            let _ = write!(Text(&mut json), ",\"count\":{}}}", self.entries.len());
            return alloc::vec![text(json)];
        }
        let mut lists = alloc::vec![Vec::new()];
        for item in items {
            match lists.last_mut() {
                Some(list) if list.is_empty() => *list = item,
                Some(list) if list.len().saturating_add(item.len()) < PART_BYTES => {
                    list.push(b',');
                    list.extend_from_slice(&item);
                }
                _ => lists.push(item),
            }
        }
        let parts = lists.len();
        let part = |(at, list): (usize, Vec<u8>)| {
            let mut json = self.head(room);
            if parts > 1 {
                let _ = write!(Text(&mut json), ",\"part\":{at},\"parts\":{parts}");
            }
            let _ = write!(Text(&mut json), ",\"{name}\":[");
            json.extend_from_slice(&list);
            json.extend_from_slice(b"]}");
            text(json)
        };
        lists.into_iter().enumerate().map(part).collect()
    }

    fn head(&self, room: &str) -> Vec<u8> {
        let mut json = b"{\"room\":".to_vec();
        write_name(room, &mut json);
        // Writing to a vector does not fail.
        let _ = write!(Text(&mut json), ",\"version\":{}", self.version);
        json
    }
}

/// A user as a list shows it.
fn member(user: &str, change: Option<PresenceChange>, state: Option<PresenceState>, meta: Option<&str>) -> Vec<u8> {
    let mut json = b"{\"user\":".to_vec();
    write_name(user, &mut json);
    if let Some(change) = change {
        let _ = write!(Text(&mut json), ",\"change\":\"{}\"", change.as_str());
    }
    if let Some(state) = state {
        let _ = write!(Text(&mut json), ",\"state\":\"{}\",\"meta\":{}", state.as_str(), meta.unwrap_or("null"));
    }
    json.push(b'}');
    json
}

/// What was written here is UTF-8: names, JSON of the application's, and ASCII.
fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).unwrap_or_default()
}
