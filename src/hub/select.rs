//! Whom a target means, and what can be done to all of them.

use alloc::vec::Vec;

use super::error::{JoinError, SocketError};
use super::front::Hub;
use super::groups::Scope;
use super::ids::SocketId;
use super::socket::Phase;
use super::socket::socket_place;
use super::target::{Target, To};
use crate::time::Instant;

/// For the application: many at once.
impl Hub {
    /// The sockets that a target means, live or away.
    pub fn sockets<'t>(&mut self, target: impl Into<Target<'t>>) -> Vec<SocketId> {
        let mut found = Vec::new();
        self.select(&target.into(), |hub, place| found.extend(hub.sockets.key_at(place)));
        found
    }

    /// Makes all sockets that a target means members of a room, see [`join`](Self::join); how many they are.
    ///
    /// # Errors
    /// The first that could not join; those before it have.
    pub fn join_all<'t>(&mut self, now: Instant, who: impl Into<Target<'t>>, room: &str) -> Result<usize, JoinError> {
        let sockets = self.sockets(who);
        sockets.iter().try_for_each(|socket| self.join(now, *socket, room))?;
        Ok(sockets.len())
    }

    /// Ends the membership in a room of all sockets that a target means, see [`leave`](Self::leave); how many they are.
    pub fn leave_all<'t>(&mut self, now: Instant, who: impl Into<Target<'t>>, room: &str) -> usize {
        let sockets = self.sockets(who);
        sockets.iter().filter(|socket| self.leave(now, **socket, room).is_ok()).count()
    }

    /// Disconnects all sockets that a target means, see [`disconnect`](Self::disconnect); how many they were. Their transports
    /// stay, with what else is on them: see [`disconnect_all_clients`](Self::disconnect_all_clients).
    pub fn disconnect_all<'t>(&mut self, now: Instant, who: impl Into<Target<'t>>) -> usize {
        let sockets = self.sockets(who);
        sockets.iter().filter(|socket| self.disconnect(now, **socket) != Err(SocketError::Gone)).count()
    }

    /// Disconnects the clients of all sockets that a target means, each from everything it is in, and closes their transports,
    /// see [`disconnect_client`](Self::disconnect_client); how many sockets were meant. Who is away has left.
    pub fn disconnect_all_clients<'t>(&mut self, now: Instant, who: impl Into<Target<'t>>) -> usize {
        let sockets = self.sockets(who);
        for socket in &sockets {
            if self.disconnect_client(now, *socket) == Err(SocketError::Away) {
                // It is known; what else is gone was another socket of a client that was meant before.
                let _ = self.disconnect(now, *socket);
            }
        }
        sockets.len()
    }

    /// Calls `each` once with the place of each accepted socket that a target means.
    pub(super) fn select(&mut self, target: &Target<'_>, mut each: impl FnMut(&mut Self, u32)) {
        let mark = self.begin_selection();
        let Some(only) = self.namespace_of(target) else { return };
        for socket in &target.except {
            self.mark(*socket, mark);
        }
        for group in self.excepted_groups(target, only) {
            self.mark_members(group, mark);
        }
        for to in target.parts() {
            self.select_part(mark, to, only, &mut each);
        }
    }

    /// One part of a target, in one namespace if that is named.
    fn select_part(&mut self, mark: u64, to: &To<'_>, only: Option<u32>, each: &mut impl FnMut(&mut Self, u32)) {
        match to {
            To::Socket(socket) => self.select_socket(mark, *socket, only, each),
            To::Sockets(sockets) => {
                for socket in sockets {
                    self.select_socket(mark, *socket, only, each);
                }
            }
            To::Room(room) => {
                let scope = only.or_else(|| self.main_namespace()).map(|namespace| Scope::Room { namespace });
                if let Some(group) = scope.and_then(|scope| self.groups.find(scope, room)) {
                    self.select_members(mark, group, None, each);
                }
            }
            To::User(name) => {
                if let Some(group) = self.groups.find(Scope::User, name) {
                    self.select_members(mark, group, only, each);
                }
            }
            To::Everyone => match only {
                Some(group) => self.select_members(mark, group, None, each),
                None => {
                    for group in self.groups.namespaces().to_vec() {
                        self.select_members(mark, group, None, each);
                    }
                }
            },
        }
    }

    fn select_socket(&mut self, mark: u64, socket: SocketId, only: Option<u32>, each: &mut impl FnMut(&mut Self, u32)) {
        if self.sockets.get(socket).is_some_and(|entry| only.is_none_or(|only| entry.namespace == only)) {
            self.select_one(mark, socket_place(socket), each);
        }
    }

    /// The one namespace that a target means, if it does not mean all; `None` if there is nobody in it.
    pub(super) fn namespace_of(&self, target: &Target<'_>) -> Option<Option<u32>> {
        match target.namespace {
            Some(name) => self.groups.find(Scope::Namespace, name).map(Some),
            None => Some(None),
        }
    }

    /// The rooms whose members a target does not mean.
    pub(super) fn excepted_groups(&self, target: &Target<'_>, only: Option<u32>) -> Vec<u32> {
        if target.except_rooms.is_empty() {
            return Vec::new();
        }
        let meant = match only {
            None if target.parts().all(|to| matches!(to, To::Room(_))) => self.main_namespace(),
            only => only,
        };
        let meant = meant.map_or_else(|| self.groups.namespaces().to_vec(), |only| alloc::vec![only]);
        let rooms = target.except_rooms.iter().flat_map(|room| meant.iter().map(move |namespace| (*namespace, *room)));
        rooms.filter_map(|(namespace, room)| self.groups.find(Scope::Room { namespace }, room)).collect()
    }

    pub(super) fn main_namespace(&self) -> Option<u32> {
        self.groups.find(Scope::Namespace, "/")
    }

    /// A mark by which the sockets of one selection are told apart.
    pub(super) const fn begin_selection(&mut self) -> u64 {
        self.selections = self.selections.saturating_add(1);
        self.selections
    }

    pub(super) fn mark(&mut self, socket: SocketId, mark: u64) {
        if let Some(entry) = self.sockets.get_mut(socket) {
            entry.marked = mark;
        }
    }

    fn mark_members(&mut self, group: u32, mark: u64) {
        let Some(group) = self.groups.at(group) else { return };
        for link in &group.members {
            if let Some(entry) = self.sockets.at_mut(link.place) {
                entry.marked = mark;
            }
        }
    }

    /// The members of a group, or those of them in one namespace. `each` must not change who is a member.
    pub(super) fn select_members(
        &mut self,
        mark: u64,
        group: u32,
        only: Option<u32>,
        each: &mut impl FnMut(&mut Self, u32),
    ) {
        let mut position = 0_usize;
        while let Some(link) = self.groups.at(group).and_then(|group| group.members.get(position).copied()) {
            position = position.saturating_add(1);
            if only.is_none_or(|only| self.sockets.at(link.place).is_some_and(|s| s.namespace == only)) {
                self.select_one(mark, link.place, each);
            }
        }
    }

    pub(super) fn select_one(&mut self, mark: u64, place: u32, each: &mut impl FnMut(&mut Self, u32)) {
        let Some(socket) = self.sockets.at_mut(place) else { return };
        let first = core::mem::replace(&mut socket.marked, mark) != mark;
        if first && !matches!(socket.phase, Phase::Connecting { .. }) {
            each(self, place);
        }
    }
}
