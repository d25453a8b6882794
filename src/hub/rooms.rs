//! Rooms and users: who is where, and who is told.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::error::{JoinError, SocketError};
use super::event::Event;
use super::front::Hub;
use super::groups::Scope;
use super::ids::SocketId;
use super::presence::{PresenceState, Present, Roster};
use super::socket::Phase;
use super::socket::socket_place;
use super::timers::Timer;
use crate::socketio::write_name;
use crate::time::Instant;

/// For the application: users, rooms, and who is there.
impl Hub {
    /// Says who a socket's user is. A user is known by a name of the application's choice, in all namespaces; several sockets of
    /// the same user are its devices.
    ///
    /// # Errors
    /// If the socket is another user's, or the name is out of bounds.
    pub fn identify(&mut self, now: Instant, socket: SocketId, user: &str) -> Result<(), JoinError> {
        self.clock(now);
        let entry = self.require_accepted(socket)?;
        self.check_name(user)?;
        if let Some(known) = entry.user.and_then(|place| self.groups.at(place)) {
            return if *known.name == *user { Ok(()) } else { Err(JoinError::Identified) };
        }
        let group = self.groups.find_or_make(Scope::User, user).ok_or(JoinError::TooManyRooms)?;
        self.join_group(group, socket);
        if let Some(entry) = self.sockets.get_mut(socket) {
            entry.user = Some(group);
        }
        Ok(())
    }

    /// The user of a socket, if it is identified.
    #[must_use]
    pub fn user(&self, socket: SocketId) -> Option<&str> {
        let place = self.sockets.get(socket)?.user?;
        self.groups.at(place).map(|group| &*group.name)
    }

    /// The devices of a user, live or away.
    pub fn devices(&self, user: &str) -> impl Iterator<Item = SocketId> {
        self.members(self.groups.find(Scope::User, user))
    }

    /// Makes a socket a member of a room in its namespace: it gets what is emitted to the room. If others are present
    /// there, it gets the list of them. Joining again does nothing.
    ///
    /// # Errors
    /// If the name is out of bounds or the socket is in too many rooms.
    pub fn join(&mut self, now: Instant, socket: SocketId, room: &str) -> Result<(), JoinError> {
        self.clock(now);
        self.join_room(socket, room).map(|_| ())
    }

    /// Joins a room and is present there: its members are told, and it gets the list of who is present.
    /// Entering again does nothing.
    ///
    /// # Errors
    /// As for [`join`](Self::join), and if the socket is not identified.
    pub fn enter(&mut self, now: Instant, socket: SocketId, room: &str) -> Result<(), JoinError> {
        self.clock(now);
        let entry = self.require_accepted(socket)?;
        let state = match entry.phase {
            Phase::Away { .. } => PresenceState::Away,
            _ => PresenceState::Live,
        };
        let user = self.user_name(socket_place(socket)).ok_or(JoinError::NotIdentified)?;
        let place = self.join_room(socket, room)?;
        let Some(entry) = self.sockets.get_mut(socket) else { return Err(SocketError::Gone.into()) };
        if entry.entered.contains(&place) {
            return Ok(());
        }
        entry.entered.push(place);
        let members = &self.sockets;
        if let Some(group) = self.groups.at_mut(place) {
            let roster = group.roster.get_or_insert_with(|| {
                // Those who were there before owe the list to the first who enters.
                let mut roster = Box::new(Roster::new());
                roster.newcomers = group.members.iter().filter_map(|link| members.key_at(link.place)).collect();
                roster
            });
            roster.shift(&user, None, Some(state));
        }
        self.gather(place);
        Ok(())
    }

    /// Ends a membership; who was present there has left at once. Without one it does nothing.
    ///
    /// # Errors
    /// If there is no such socket.
    pub fn leave(&mut self, now: Instant, socket: SocketId, room: &str) -> Result<(), SocketError> {
        self.clock(now);
        let namespace = self.require_accepted(socket)?.namespace;
        let place = socket_place(socket);
        if let Some(group) = self.groups.find(Scope::Room { namespace }, room) {
            self.exit(place, group);
            self.leave_group(group, socket);
        }
        Ok(())
    }

    /// Shows something of a socket's user in a room that it has entered, any value that serde can write: an avatar, a
    /// status line. It is the user's, over all devices.
    ///
    /// # Errors
    /// If the socket has not entered the room, or the value is too long.
    pub fn set_meta(
        &mut self,
        now: Instant,
        socket: SocketId,
        room: &str,
        meta: &impl serde::Serialize,
    ) -> Result<(), JoinError> {
        self.clock(now);
        let namespace = self.require_accepted(socket)?.namespace;
        let meta = serde_json::to_string(meta).map_err(|_| JoinError::Meta)?;
        if meta.len() > self.config.limits.meta_bytes_max {
            return Err(JoinError::Meta);
        }
        let user = self.user_name(socket_place(socket)).ok_or(JoinError::NotIdentified)?;
        let group = self.groups.find(Scope::Room { namespace }, room).ok_or(JoinError::NotEntered)?;
        let entered = self.sockets.get(socket).is_some_and(|entry| entry.entered.contains(&group));
        let roster = self.groups.at_mut(group).and_then(|group| group.roster.as_mut()).filter(|_| entered);
        roster.ok_or(JoinError::NotEntered)?.set_meta(&user, Arc::from(meta));
        self.gather(group);
        Ok(())
    }

    /// The sockets in a room, live or away.
    pub fn room(&self, namespace: &str, room: &str) -> impl Iterator<Item = SocketId> {
        let scope = self.groups.find(Scope::Namespace, namespace).map(|namespace| Scope::Room { namespace });
        self.members(scope.and_then(|scope| self.groups.find(scope, room)))
    }

    /// The rooms of a socket.
    pub fn rooms(&self, socket: SocketId) -> impl Iterator<Item = &str> {
        let links = self.sockets.get(socket).map(|entry| entry.groups.as_slice()).unwrap_or_default();
        links
            .iter()
            .filter_map(|link| self.groups.at(link.place))
            .filter(|group| matches!(group.scope, Scope::Room { .. }))
            .map(|group| &*group.name)
    }

    /// Who is present in a room, as its members were last told, and the version of that list.
    #[must_use]
    pub fn presence(&self, namespace: &str, room: &str) -> (u64, Vec<Present>) {
        let scope = self.groups.find(Scope::Namespace, namespace).map(|namespace| Scope::Room { namespace });
        let group = scope.and_then(|scope| self.groups.find(scope, room)).and_then(|place| self.groups.at(place));
        group
            .and_then(|group| group.roster.as_ref())
            .map_or((0, Vec::new()), |roster| (roster.version(), roster.present().collect()))
    }

    fn members(&self, group: Option<u32>) -> impl Iterator<Item = SocketId> {
        let links = group.and_then(|place| self.groups.at(place)).map(|group| group.members.as_slice());
        links.unwrap_or_default().iter().filter_map(|link| self.sockets.key_at(link.place))
    }

    fn join_room(&mut self, socket: SocketId, room: &str) -> Result<u32, JoinError> {
        let entry = self.require_accepted(socket)?;
        self.check_name(room)?;
        let (scope, place) = (Scope::Room { namespace: entry.namespace }, socket_place(socket));
        // Its namespace and its user are groups too, but no rooms.
        let others = 1_usize.saturating_add(usize::from(entry.user.is_some()));
        let full = entry.groups.len().saturating_sub(others) >= self.config.limits.rooms_per_socket_max;
        if let Some(group) = self.groups.find(scope, room)
            && self.groups.contains(&self.sockets, group, place)
        {
            return Ok(group);
        }
        if full {
            return Err(JoinError::TooManyRooms);
        }
        let group = self.groups.find_or_make(scope, room).ok_or(JoinError::TooManyRooms)?;
        self.join_group(group, socket);
        self.owe_snapshot(group, socket);
        Ok(group)
    }

    fn check_name(&self, name: &str) -> Result<(), JoinError> {
        let bounds = 1..=self.config.limits.name_bytes_max;
        if bounds.contains(&name.len()) { Ok(()) } else { Err(JoinError::Name) }
    }

    fn user_name(&self, place: u32) -> Option<Arc<str>> {
        let user = self.sockets.at(place)?.user?;
        self.groups.at(user).map(|group| group.name.clone())
    }

    /// Is present no more in a room.
    fn exit(&mut self, place: u32, group: u32) {
        let user = self.user_name(place);
        let Some(entry) = self.sockets.at_mut(place) else { return };
        let Some(at) = entry.entered.iter().position(|entered| *entered == group) else { return };
        entry.entered.swap_remove(at);
        let state = match entry.phase {
            Phase::Away { .. } => PresenceState::Away,
            _ => PresenceState::Live,
        };
        if let (Some(user), Some(roster)) = (user, self.groups.at_mut(group).and_then(|group| group.roster.as_mut())) {
            roster.shift(&user, Some(state), None);
        }
        self.gather(group);
    }

    /// Is present no more anywhere.
    pub(super) fn exit_all(&mut self, place: u32) {
        while let Some(group) = self.sockets.at(place).and_then(|entry| entry.entered.last().copied()) {
            self.exit(place, group);
        }
    }

    /// Changes the state of one device in all rooms that it has entered.
    pub(super) fn shift_presence(&mut self, place: u32, from: Option<PresenceState>, to: Option<PresenceState>) {
        let Some(user) = self.user_name(place) else { return };
        let Some(entry) = self.sockets.at(place) else { return };
        for group in entry.entered.clone() {
            if let Some(roster) = self.groups.at_mut(group).and_then(|group| group.roster.as_mut()) {
                roster.shift(&user, from, to);
            }
            self.gather(group);
        }
    }

    /// Who was away has missed diffs: it begins anew with a snapshot.
    pub(super) fn owe_snapshots(&mut self, place: u32) {
        let (Some(socket), Some(entry)) = (self.sockets.key_at(place), self.sockets.at(place)) else { return };
        for link in entry.groups.clone() {
            self.owe_snapshot(link.place, socket);
        }
    }

    fn owe_snapshot(&mut self, group: u32, socket: SocketId) {
        if let Some(roster) = self.groups.at_mut(group).and_then(|group| group.roster.as_mut()) {
            roster.newcomers.push(socket);
            self.gather(group);
        }
    }

    /// Sees to it that what changed in a room is told when the window ends.
    fn gather(&mut self, place: u32) {
        let (Some(id), Some(group)) = (self.groups.id(place), self.groups.at_mut(place)) else { return };
        let Some(roster) = &mut group.roster else { return };
        if roster.due == Instant::NEVER {
            roster.due = self.now.saturating_add(self.config.presence_window);
            self.timers.schedule(Timer::Group(id), &mut group.scheduled, roster.due);
        }
    }

    /// Tells the members of a room what changed, and newcomers who is there.
    pub(super) fn tell_presence(&mut self, place: u32) {
        let Some(group) = self.groups.at_mut(place) else { return };
        let (name, scope) = (group.name.clone(), group.scope);
        let Some(roster) = &mut group.roster else { return };
        roster.due = Instant::NEVER;
        let changes = roster.changes();
        if roster.weigh(self.config.limits.outbox_bytes_max / 2) {
            let members = &self.sockets;
            roster.newcomers = group.members.iter().filter_map(|link| members.key_at(link.place)).collect();
        }
        let mut newcomers = core::mem::take(&mut roster.newcomers);
        let version = roster.version();
        let diff = if changes.is_empty() { Vec::new() } else { roster.diff(&name, &changes) };
        let snapshot = if newcomers.is_empty() { Vec::new() } else { roster.snapshot(&name) };
        let Scope::Room { namespace } = scope else { return };
        let namespace = self.groups.name(namespace);
        for change in changes {
            let (namespace, room) = (namespace.clone(), name.clone());
            self.events.push_back(Event::Presence {
                namespace,
                room,
                user: change.user,
                change: change.change,
                version,
            });
        }
        // Only who is still in the room.
        newcomers.retain(|socket| self.groups.contains(&self.sockets, place, socket_place(*socket)));
        for part in snapshot {
            self.broadcast_to_sockets(&newcomers, &hub_event(&self.config.presence_events.snapshot, &part));
        }
        for part in diff {
            self.broadcast_to_group(place, &hub_event(&self.config.presence_events.diff, &part), &newcomers);
        }
    }

    /// Makes a socket a member of a group.
    pub(super) fn join_group(&mut self, group: u32, socket: SocketId) {
        if self.groups.join(&mut self.sockets, group, socket_place(socket))
            && let Some(history) = &mut self.history
            && let Some(group) = self.groups.id(group)
        {
            history.joined(socket, group);
        }
    }

    /// Ends a membership, if there is one. A group that nobody is in any more is forgotten, after telling the application who
    /// left it last.
    pub(super) fn leave_group(&mut self, group: u32, socket: SocketId) {
        let had = self.groups.leave(&mut self.sockets, group, socket_place(socket));
        let is_empty = self.groups.at(group).is_some_and(|group| group.members.is_empty());
        if let Some(history) = &mut self.history
            && let Some(group) = self.groups.id(group)
        {
            if had {
                history.left(socket, group);
            }
            if is_empty {
                history.forget_group(group);
            }
        }
        if is_empty {
            self.tell_presence(group);
            self.groups.release(group);
        }
    }
}

/// An event of the hub's own with one argument.
fn hub_event(name: &str, arg: &str) -> String {
    let mut quoted = Vec::new();
    write_name(name, &mut quoted);
    alloc::format!("[{},{arg}]", String::from_utf8(quoted).unwrap_or_default())
}
