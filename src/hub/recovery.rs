//! Connection state recovery: clients that were away come back by themselves, and get what they have missed.
//!
//! [`history`](super::history) knows what that is; here is who may have it, and how it is sent.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::body::Body;
use super::front::Hub;
use super::groups::Scope;
use super::history::{History, Home, Kept, Missed, Offset};
use super::ids::{SessionId, SocketId, Token};
use super::life::Connected;
use super::session::{Session, session_place};
use super::target::{Target, To};
use super::timers::Timer;
use crate::time::Instant;

impl Hub {
    /// Whether a socket that is away gets what is emitted to it when it comes back.
    pub(super) fn recovers(&self, socket: Option<SocketId>) -> bool {
        self.history.as_ref().zip(socket).is_some_and(|(history, socket)| history.knows(socket))
    }

    /// A socket begins to get events: under a new name, behind all that there were.
    pub(super) fn begin_history(&mut self, socket: SocketId) {
        let Some(entry) = self.sockets.get(socket) else { return };
        let format = entry.session.and_then(|place| self.sessions.at(place)).map(Session::format);
        let Some(history) = &mut self.history else { return };
        if format.is_some_and(|format| format.is_recoverable()) {
            let groups = entry.groups.iter().filter_map(|link| self.groups.id(link.place));
            history.admit(socket, Token::new(&mut self.entropy), groups);
        } else {
            history.forget_client(socket);
        }
    }

    /// A client came with this pid and gets another: its new transport may be lost before it hears of that.
    pub(super) fn spend_pid(&mut self, socket: SocketId, used: Token) {
        let (Some(entry), Some(history)) = (self.sockets.get_mut(socket), &mut self.history) else { return };
        entry.spent.get_or_insert_default().pid = Some(used);
        history.add_pid(socket, used);
    }

    /// Its client gets another pid, or knows the newest.
    pub(super) fn forget_spent_pid(&mut self, socket: SocketId) {
        let spent = self.sockets.get_mut(socket).and_then(|entry| entry.spent.as_mut());
        if let Some((pid, history)) = spent.and_then(|spent| spent.pid.take()).zip(self.history.as_mut()) {
            history.forget_pid(&pid);
        }
    }

    /// The next event as it is to be kept, if events are, and this is one of them and for anybody.
    pub(super) fn to_be_kept(&self, target: &Target<'_>, body: &Body<'_>) -> Option<Kept> {
        let history = self.history.as_ref().filter(|history| target.is_reliable() && !history.is_idle())?;
        let only = self.namespace_of(target)?;
        let mut homes = Vec::new();
        for to in target.parts() {
            self.find_homes(history, to, only, &mut homes);
        }
        if homes.is_empty() {
            return None;
        }
        homes.sort_unstable();
        homes.dedup();
        let except_groups = self.excepted_groups(target, only);
        Some(Kept {
            text: history.number(body.text),
            attachments: body.attachments.to_vec(),
            compress: !target.uncompressed,
            homes,
            only: only.and_then(|only| self.groups.id(only)),
            except: target.except.clone(),
            except_groups: except_groups.into_iter().filter_map(|group| self.groups.id(group)).collect(),
        })
    }

    /// An event that is not kept, with the offset of the last that may be, if it needs one: clients take the last string of an
    /// event for its offset, be it somebody else's word or the event's own name.
    pub(super) fn reminder(&self, array: &str) -> Option<String> {
        let history = self.history.as_ref()?;
        let last = array.strip_suffix(']')?.trim_ascii_end();
        last.ends_with('"').then(|| history.last_number(array))
    }

    fn find_homes(&self, history: &History, to: &To<'_>, only: Option<u32>, homes: &mut Vec<Home>) {
        let group = |place: u32| self.groups.id(place).map(Home::Group);
        match to {
            To::Socket(socket) => homes.extend(history.knows(*socket).then_some(Home::Socket(*socket))),
            To::Sockets(sockets) => {
                homes.extend(sockets.iter().filter(|socket| history.knows(**socket)).copied().map(Home::Socket));
            }
            To::Room(room) => {
                let scope = only.or_else(|| self.main_namespace()).map(|namespace| Scope::Room { namespace });
                homes.extend(scope.and_then(|scope| self.groups.find(scope, room)).and_then(group));
            }
            To::User(name) => homes.extend(self.groups.find(Scope::User, name).and_then(group)),
            To::Everyone => homes.extend(only.map_or(Some(Home::Everyone), group)),
        }
    }

    /// Keeps the event that was emitted last; false if it is too long for that.
    pub(super) fn keep(&mut self, event: Kept) -> bool {
        let now = self.now;
        let is_kept = self.history.as_mut().is_some_and(|history| history.keep(now, event));
        self.touch_history();
        is_kept
    }

    /// Drops events that are too old.
    pub(super) fn expire_history(&mut self, at: Instant) {
        if let Some(history) = self.history.as_mut().filter(|history| history.scheduled.is(at)) {
            history.scheduled.fire(at);
            history.expire(self.now);
        }
        self.touch_history();
    }

    fn touch_history(&mut self) {
        if let Some(history) = &mut self.history {
            let at = history.poll_timeout();
            self.timers.schedule(Timer::History, &mut history.scheduled, at);
        }
    }

    /// A client connects to a namespace with this payload: whether it has come back by that into the session that it had there.
    pub(super) fn recover(&mut self, id: SessionId, namespace: &str, auth: &str) -> bool {
        let Some(history) = &self.history else { return false };
        if !self.sessions.get(id).is_some_and(|session| session.format().is_recoverable()) {
            // It would get nothing by which it could say what it has.
            return false;
        }
        let Some(claim) = Claim::parse(auth) else { return false };
        let Some(socket) = history.client_of(&claim.pid) else { return false };
        let offset =
            claim.offset.map_or(Offset::None, |offset| offset.map_or(Offset::Foreign, |text| history.offset(text)));
        if self.namespace(socket) != Some(namespace) {
            return false;
        }
        let place = session_place(id);
        let before = self.come_back(socket, Some(place));
        self.enter_session(id, socket, namespace);
        // By a pid before it says that it has not heard of having missed something.
        let history = self.history.as_ref().filter(|history| history.pid(socket) == Some(&claim.pid));
        // Something more has to come after that.
        let bytes_max = (self.config.limits.outbox_bytes_max / 2).saturating_sub(self.waiting_bytes(place));
        let missed = history.and_then(|history| history.missed(socket, offset, bytes_max));
        let has_all = missed.is_some_and(|missed| self.send_missed(socket, place, namespace, &missed, bytes_max));
        let how = if has_all { Connected::Recovered } else { Connected::Missed(claim.pid) };
        self.connected(socket, how);
        self.end_taken_over(before);
        true
    }

    /// Queues what one of its sockets has missed on a session, or nothing: false if that takes more than `bytes_max`, which
    /// depends on the parser and the namespace.
    fn send_missed(
        &mut self,
        socket: SocketId,
        session: u32,
        namespace: &str,
        missed: &Missed,
        bytes_max: usize,
    ) -> bool {
        let Some(format) = self.sessions.at(session).map(Session::format) else { return false };
        let (mut all, mut room) = (Vec::new(), bytes_max);
        for number in &missed.numbers {
            let Some(event) = self.history.as_ref().and_then(|history| history.get(*number)) else { return false };
            let body = Body::new(&event.text, &event.attachments);
            let packets = body.packets(namespace, None, format, self.config.parser);
            for packet in if event.compress { self.compressed(session, packets) } else { packets } {
                let Some(rest) = room.checked_sub(packet.frame().len()) else { return false };
                room = rest;
                all.push(packet);
            }
        }
        if self.queue(session, &all).is_err() {
            return false;
        }
        if let Some(history) = &mut self.history {
            history.has(socket, missed.floor);
        }
        true
    }
}

/// What a client says that comes back: `{"pid":"…","offset":"…"}`, among what else it has to say.
#[derive(Debug, PartialEq, Eq)]
struct Claim<'a> {
    pid: Token,
    /// The last argument of the last event that it got, if that was a string.
    offset: Option<Option<&'a str>>,
}

impl<'a> Claim<'a> {
    /// Reads the payload of a CONNECT, which was checked.
    fn parse(auth: &'a str) -> Option<Self> {
        let (pid, offset) = serde_json::Deserializer::from_str(auth).deserialize_map(Members).ok()?;
        Some(Self { pid: Token::parse(plain(pid?)?)?, offset: offset.map(plain) })
    }
}

/// The text of a JSON string, as it stands there: what the hub gives out has no escapes.
fn plain(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// The members `pid` and `offset`, as JSON.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = (Option<&'de str>, Option<&'de str>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = (None, None);
        while let Some(key) = map.next_key::<&RawValue>()? {
            match key.get() {
                r#""pid""# => members.0 = Some(map.next_value::<&RawValue>()?.get()),
                r#""offset""# => members.1 = Some(map.next_value::<&RawValue>()?.get()),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(members)
    }
}
