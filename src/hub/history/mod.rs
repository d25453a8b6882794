//! What was emitted of late, for clients that were away and come back.
//!
//! Each event is kept once, under its number, however many it is for. A log for each group, for each socket that was meant
//! alone, and one for all, has the numbers of those events; of a client it is known in which groups it was when. What a client
//! has missed is what the logs of its groups have from the time in which it was there: nothing is queued for anybody.
//!
//! What is dropped for want of room is not forgotten: a log knows the last number that it has no more, so that a client either
//! gets all that it has missed or is known to have missed something. Who has missed nothing needs no log to have anything.

mod client;
mod log;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use self::client::Client;
use self::log::Log;
use super::ids::{GroupId, SocketId, Token};
use super::timers::Scheduled;
use crate::entropy::Entropy;
use crate::http::{decimal, write_decimal};
use crate::time::Instant;

/// What is kept, and for how long, so that clients who were away get what they have missed: Socket.IO's *connection state
/// recovery*, which its clients do by themselves since 4.6. See the [module](super#recovery).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes of all events that are kept. Default 16 MiB.
    pub bytes_max: usize,
    /// Bytes of the events that are kept for one room (or namespace, user, or socket, or for all), so that a loud room does not
    /// push out what was said in a quiet one. Default 1 MiB.
    pub room_bytes_max: usize,
    /// How long an event is kept. That should be as long as a session may be away
    /// ([`Config::away_timeout`](super::Config::away_timeout)), and before that be lost without anybody's knowing (the
    /// heartbeat's interval and time-out). Default 3 minutes.
    pub age_max: Duration,
}

impl Default for Recovery {
    fn default() -> Self {
        Self { bytes_max: 16 << 20, room_bytes_max: 1 << 20, age_max: Duration::from_secs(180) }
    }
}

/// What an event costs besides its text and attachments; and for each attachment, each log that has it, and each whom it is
/// not for.
const EVENT_BYTES: usize = 448;
const ATTACHMENT_BYTES: usize = 64;
const HOME_BYTES: usize = 32;
const EXCEPTION_BYTES: usize = 8;

/// What was emitted of late.
#[derive(Debug)]
pub(super) struct History {
    config: Recovery,
    /// What the offsets of this hub begin with, so that those of another are told from them.
    epoch: [u8; 6],
    /// The number of the last event; the first has 1.
    last: u64,
    events: BTreeMap<u64, Entry>,
    /// What they cost.
    bytes: usize,
    logs: BTreeMap<Home, Log>,
    clients: BTreeMap<SocketId, Client>,
    pids: BTreeMap<Token, SocketId>,
    pub(super) scheduled: Scheduled,
}

/// Whom an event was for, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Home {
    Everyone,
    Group(GroupId),
    Socket(SocketId),
}

/// An event, and all that says whom it was for.
#[derive(Debug)]
pub(super) struct Kept {
    /// Its array, with its offset behind the arguments.
    pub(super) text: String,
    pub(super) attachments: Vec<Bytes>,
    /// Whether it may be compressed.
    pub(super) compress: bool,
    /// Each once.
    pub(super) homes: Vec<Home>,
    /// Of them only those who were in this namespace.
    pub(super) only: Option<GroupId>,
    /// And not these.
    pub(super) except: Vec<SocketId>,
    /// Nor who was in these.
    pub(super) except_groups: Vec<GroupId>,
}

impl Kept {
    /// How long it is.
    fn len(&self) -> usize {
        self.attachments.iter().fold(self.text.len(), |sum, bytes| sum.saturating_add(bytes.len()))
    }

    /// What it costs to keep it.
    fn bytes(&self) -> usize {
        let attachments = self.attachments.len().saturating_mul(ATTACHMENT_BYTES);
        let homes = self.homes.len().saturating_mul(HOME_BYTES);
        let exceptions = self.except.len().saturating_add(self.except_groups.len()).saturating_mul(EXCEPTION_BYTES);
        [attachments, homes, exceptions, EVENT_BYTES].into_iter().fold(self.len(), usize::saturating_add)
    }
}

/// An event that is kept.
#[derive(Debug)]
struct Entry {
    event: Kept,
    at: Instant,
    bytes: usize,
    /// How many logs have it.
    logs: usize,
}

/// What a client says that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offset {
    /// Everything up to this event.
    Number(u64),
    /// It has got none with an offset yet.
    None,
    /// What it took for an offset is none of this hub's.
    Foreign,
}

/// What a client has missed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// It has everything up to this event.
    pub(super) floor: u64,
    /// The numbers of the events, in order.
    pub(super) numbers: Vec<u64>,
}

impl History {
    pub(super) fn new(config: Recovery, entropy: &mut Entropy) -> Self {
        let mut epoch = [b'A'; 6];
        epoch.iter_mut().zip(entropy.id()).for_each(|(to, from)| *to = from);
        Self {
            config,
            epoch,
            last: 0,
            events: BTreeMap::new(),
            bytes: 0,
            logs: BTreeMap::new(),
            clients: BTreeMap::new(),
            pids: BTreeMap::new(),
            scheduled: Scheduled::NONE,
        }
    }

    /// What the events cost that are kept.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Clients, and where they are.
impl History {
    /// A client begins anew, under another name: it is not to get anything from before.
    pub(super) fn admit(&mut self, socket: SocketId, pid: Token, groups: impl Iterator<Item = GroupId>) {
        self.forget_client(socket);
        self.clients.insert(socket, Client::new(pid, self.last, groups));
        self.pids.insert(pid, socket);
    }

    /// A client does not come back.
    pub(super) fn forget_client(&mut self, socket: SocketId) {
        if let Some(client) = self.clients.remove(&socket) {
            self.pids.remove(&client.pid);
        }
        self.forget(Home::Socket(socket));
        if self.clients.is_empty() {
            self.forget(Home::Everyone);
        }
    }

    /// Whether there is nobody who could come back.
    pub(super) fn is_idle(&self) -> bool {
        self.clients.is_empty()
    }

    /// There is no such group any more.
    pub(super) fn forget_group(&mut self, group: GroupId) {
        self.forget(Home::Group(group));
    }

    pub(super) fn joined(&mut self, socket: SocketId, group: GroupId) {
        if let Some(client) = self.clients.get_mut(&socket) {
            client.joined(group, self.last);
        }
    }

    pub(super) fn left(&mut self, socket: SocketId, group: GroupId) {
        if let Some(client) = self.clients.get_mut(&socket) {
            let log = self.logs.get(&Home::Group(group));
            let (last_there, excepted) = log.map_or((0, 0), |log| (log.last(), log.excepted));
            client.left(group, self.last, last_there, excepted);
        }
    }

    /// Whether a client can come back and get what it missed.
    pub(super) fn knows(&self, socket: SocketId) -> bool {
        self.clients.contains_key(&socket)
    }

    /// A client is known by another pid, too.
    pub(super) fn add_pid(&mut self, socket: SocketId, pid: Token) {
        self.pids.insert(pid, socket);
    }

    pub(super) fn forget_pid(&mut self, pid: &Token) {
        self.pids.remove(pid);
    }

    pub(super) fn client_of(&self, pid: &Token) -> Option<SocketId> {
        self.pids.get(pid).copied()
    }

    /// The secret by which a client is known.
    pub(super) fn pid(&self, socket: SocketId) -> Option<&Token> {
        self.clients.get(&socket).map(|client| &client.pid)
    }
}

/// Events, as they come and go.
impl History {
    /// The array of the next event with its offset behind the arguments.
    pub(super) fn number(&self, array: &str) -> String {
        self.with_offset(array, self.last.saturating_add(1))
    }

    /// An array with the offset of the last event: who gets it has got all up to that.
    pub(super) fn last_number(&self, array: &str) -> String {
        self.with_offset(array, self.last)
    }

    fn with_offset(&self, array: &str, number: u64) -> String {
        let mut text = Vec::with_capacity(array.len().saturating_add(32));
        text.extend_from_slice(array.strip_suffix(']').unwrap_or(array).as_bytes());
        text.extend_from_slice(b",\"");
        text.extend_from_slice(&self.epoch);
        write_decimal(number, &mut text);
        text.extend_from_slice(b"\"]");
        // Nothing was added to the text but ASCII.
        String::from_utf8(text).unwrap_or_default()
    }

    /// Keeps the event whose number is the next; false if it is too long for that.
    pub(super) fn keep(&mut self, now: Instant, event: Kept) -> bool {
        let number = self.last.saturating_add(1);
        self.last = number;
        let bytes = event.bytes();
        if bytes > self.config.bytes_max.min(self.config.room_bytes_max) {
            for home in event.homes {
                self.logs.entry(home).or_default().dropped = number;
            }
            return false;
        }
        while self.bytes.saturating_add(bytes) > self.config.bytes_max && self.drop_oldest() {}
        for home in &event.homes {
            while self.logs.get(home).is_some_and(|log| log.bytes.saturating_add(bytes) > self.config.room_bytes_max)
                && self.drop_first(*home)
            {}
            self.logs.entry(*home).or_default().push(number, bytes);
        }
        for group in &event.except_groups {
            self.logs.entry(Home::Group(*group)).or_default().excepted = number;
        }
        let logs = event.homes.len();
        self.bytes = self.bytes.saturating_add(bytes);
        self.events.insert(number, Entry { event, at: now, bytes, logs });
        true
    }

    pub(super) fn get(&self, number: u64) -> Option<&Kept> {
        self.events.get(&number).map(|entry| &entry.event)
    }

    /// Drops what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.poll_timeout() <= now && self.drop_oldest() {}
    }

    /// When the oldest is too old.
    pub(super) fn poll_timeout(&self) -> Instant {
        let oldest = self.events.first_key_value();
        oldest.map_or(Instant::NEVER, |(_, entry)| entry.at.saturating_add(self.config.age_max))
    }

    /// Drops the oldest event of all; false if there is none.
    fn drop_oldest(&mut self) -> bool {
        let Some((number, entry)) = self.events.pop_first() else { return false };
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        for home in entry.event.homes {
            // A log that has it has nothing older.
            if let Some(log) = self.logs.get_mut(&home).filter(|log| log.first() == Some(number)) {
                log.drop_first(entry.bytes);
            }
        }
        true
    }

    /// Drops the oldest event of one log; false if there is none.
    fn drop_first(&mut self, home: Home) -> bool {
        let Some(log) = self.logs.get_mut(&home) else { return false };
        let Some(number) = log.first() else { return false };
        log.drop_first(self.events.get(&number).map_or(0, |entry| entry.bytes));
        self.release(number);
        true
    }

    /// One log has an event no more.
    fn release(&mut self, number: u64) {
        let Some(entry) = self.events.get_mut(&number) else { return };
        entry.logs = entry.logs.saturating_sub(1);
        if entry.logs == 0 {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            self.events.remove(&number);
        }
    }

    fn forget(&mut self, home: Home) {
        let Some(log) = self.logs.remove(&home) else { return };
        log.numbers().for_each(|number| self.release(number));
    }
}

/// What was missed.
impl History {
    /// What a client says that it has.
    pub(super) fn offset(&self, text: &str) -> Offset {
        let epoch = core::str::from_utf8(&self.epoch).unwrap_or_default();
        let number = text.strip_prefix(epoch).and_then(decimal);
        number.filter(|number| *number <= self.last).map_or(Offset::Foreign, Offset::Number)
    }

    /// What a client has missed; `None` if that is not known, or not kept, any more, or longer than `bytes_max`.
    pub(super) fn missed(&self, socket: SocketId, offset: Offset, bytes_max: usize) -> Option<Missed> {
        let client = self.clients.get(&socket)?;
        let floor = match offset {
            Offset::Number(number) => number.max(client.floor),
            Offset::None | Offset::Foreign => client.floor,
        };
        let missed = self.since(socket, client, floor, bytes_max)?;
        // Whatever it has, it lacks nothing if there was nothing.
        if offset == Offset::Foreign && !missed.numbers.is_empty() { None } else { Some(missed) }
    }

    /// A client has everything up to this event.
    pub(super) fn has(&mut self, socket: SocketId, floor: u64) {
        if let Some(client) = self.clients.get_mut(&socket) {
            client.has(floor);
        }
    }

    fn since(&self, socket: SocketId, client: &Client, floor: u64, bytes_max: usize) -> Option<Missed> {
        if client.unknown > floor {
            return None;
        }
        let mut numbers = Vec::new();
        for span in client.spans() {
            let lost = match self.logs.get(&Home::Group(span.group)) {
                Some(log) => {
                    numbers.extend(log.between(span.from.max(floor.saturating_add(1)), span.to));
                    log.dropped
                }
                // The group is gone with its log, or there never was anything for it.
                None if span.is_open() => 0,
                None => span.last,
            };
            let lost = lost.min(span.last);
            if lost >= span.from && lost > floor {
                return None;
            }
        }
        for log in [Home::Everyone, Home::Socket(socket)].iter().filter_map(|home| self.logs.get(home)) {
            if log.dropped > floor {
                return None;
            }
            numbers.extend(log.between(floor.saturating_add(1), u64::MAX));
        }
        numbers.sort_unstable();
        numbers.dedup();
        let mut missed = Missed { floor, numbers: Vec::new() };
        let mut room = bytes_max;
        for number in numbers {
            if let Some(event) = self.get(number).filter(|event| is_for(event, number, socket, client)) {
                room = room.checked_sub(event.len())?;
                missed.numbers.push(number);
            }
        }
        Some(missed)
    }
}

/// Whether an event was for a client whose group, or who itself, was meant.
fn is_for(event: &Kept, number: u64, socket: SocketId, client: &Client) -> bool {
    event.only.is_none_or(|only| client.was_in(only, number))
        && !event.except.contains(&socket)
        && !event.except_groups.iter().any(|group| client.was_in(*group, number))
}
