//! Rooms and presence in the model: who is there is counted anew each time.

use std::collections::{BTreeMap, BTreeSet};

use super::reference::{Phase, ROOMS_MAX, Reference, WINDOW, ok, prefix};

/// A user's state and what is shown of it.
type Shown = (&'static str, Option<u8>);

#[derive(Default)]
pub struct Room {
    pub members: BTreeSet<usize>,
    /// Whether anybody ever entered: without that nobody is told of presence.
    listed: bool,
    pub told: BTreeMap<&'static str, Shown>,
    meta: BTreeMap<&'static str, u8>,
    pub version: u64,
    newcomers: BTreeSet<usize>,
    pub due: Option<u64>,
}

impl Reference {
    fn key(&self, socket: usize, room: &'static str) -> (&'static str, &'static str) {
        (self.sockets[socket].namespace, room)
    }

    pub fn join(&mut self, socket: usize, room: &'static str) -> String {
        if self.sockets[socket].rooms.contains(room) {
            return ok();
        }
        if self.sockets[socket].rooms.len() >= ROOMS_MAX {
            return "TooManyRooms".into();
        }
        self.sockets[socket].rooms.insert(room);
        let key = self.key(socket, room);
        let entry = self.rooms.entry(key).or_default();
        entry.members.insert(socket);
        if entry.listed {
            entry.newcomers.insert(socket);
            self.gather(key);
        }
        ok()
    }

    pub fn enter(&mut self, socket: usize, room: &'static str) -> String {
        if self.sockets[socket].user.is_none() {
            return "NotIdentified".into();
        }
        let joined = self.join(socket, room);
        if joined != ok() {
            return joined;
        }
        if self.sockets[socket].entered.insert(room) {
            let key = self.key(socket, room);
            let entry = self.rooms.get_mut(&key).unwrap();
            if !std::mem::replace(&mut entry.listed, true) {
                entry.newcomers = entry.members.clone();
            }
            self.gather(key);
        }
        ok()
    }

    pub fn leave(&mut self, socket: usize, room: &'static str) {
        let key = self.key(socket, room);
        if !self.sockets[socket].rooms.remove(room) {
            return;
        }
        if self.sockets[socket].entered.remove(room) {
            // Who is there with no device any more is shown no more, even if it is back before that is told.
            let present = self.present(key);
            self.rooms.get_mut(&key).unwrap().meta.retain(|user, _| present.contains_key(user));
            self.gather(key);
        }
        self.rooms.get_mut(&key).unwrap().members.remove(&socket);
        if self.rooms[&key].members.is_empty() {
            self.tell(key);
            self.rooms.remove(&key);
        }
    }

    pub fn set_meta(&mut self, socket: usize, room: &'static str, meta: u8) -> String {
        let Some(user) = self.sockets[socket].user else { return "NotIdentified".into() };
        if !self.sockets[socket].entered.contains(room) {
            return "NotEntered".into();
        }
        let key = self.key(socket, room);
        self.rooms.get_mut(&key).unwrap().meta.insert(user, meta);
        self.gather(key);
        ok()
    }

    /// A device of somebody who is present was lost or is back.
    pub fn presence_changed(&mut self, socket: usize) {
        for room in self.sockets[socket].entered.clone() {
            self.gather(self.key(socket, room));
        }
    }

    pub fn owe_lists(&mut self, socket: usize) {
        for room in self.sockets[socket].rooms.clone() {
            let key = self.key(socket, room);
            let entry = self.rooms.get_mut(&key).unwrap();
            if entry.listed {
                entry.newcomers.insert(socket);
                self.gather(key);
            }
        }
    }

    fn gather(&mut self, key: (&'static str, &'static str)) {
        let due = self.now + WINDOW;
        self.rooms.get_mut(&key).unwrap().due.get_or_insert(due);
    }

    fn present(&self, key: (&'static str, &'static str)) -> BTreeMap<&'static str, Shown> {
        let room = &self.rooms[&key];
        let mut present = BTreeMap::new();
        for socket in &self.sockets {
            if socket.namespace == key.0 && socket.entered.contains(key.1) {
                let user = socket.user.unwrap();
                let entry = present.entry(user).or_insert(("away", room.meta.get(user).copied()));
                if socket.phase == Phase::Live {
                    entry.0 = "live";
                }
            }
        }
        present
    }

    /// The window ends: members get what changed, newcomers the list.
    pub fn tell(&mut self, key: (&'static str, &'static str)) {
        let present = self.present(key);
        let room = self.rooms.get_mut(&key).unwrap();
        room.due = None;
        let before = std::mem::replace(&mut room.told, present.clone());
        let users: BTreeSet<_> = before.keys().chain(present.keys()).copied().collect();
        let mut changes = Vec::new();
        for user in users {
            let change = match (before.get(user), present.get(user)) {
                (None, Some(_)) => "arrived",
                (Some(_), None) => "left",
                (Some(("live", _)), Some(("away", _))) => "away",
                (Some(("away", _)), Some(("live", _))) => "returned",
                (Some((_, old)), Some((_, new))) if old != new => "updated",
                _ => continue,
            };
            changes.push((user, change, present.get(user).copied()));
        }
        room.version += u64::from(!changes.is_empty());
        let (version, newcomers) = (room.version, std::mem::take(&mut room.newcomers));
        let (newcomers, others): (Vec<_>, Vec<_>) =
            room.members.clone().into_iter().partition(|member| newcomers.contains(member));
        let head = format!("{{\"room\":\"{}\",\"version\":{version}", key.1);
        if !newcomers.is_empty() {
            let members = present.iter().map(|(user, shown)| member(user, None, Some(*shown)));
            let members = members.collect::<Vec<_>>().join(",");
            self.tell_all(&newcomers, &format!("[\"presence\",{head},\"members\":[{members}]}}]"));
        }
        if !changes.is_empty() {
            let list = changes.iter().map(|(user, change, shown)| member(user, Some(change), *shown));
            let list = list.collect::<Vec<_>>().join(",");
            self.tell_all(&others, &format!("[\"presence_diff\",{head},\"changes\":[{list}]}}]"));
        }
        for (user, change, _) in changes {
            self.told.push(format!("presence {change} {user} in {} {} at {version}", key.0, key.1));
        }
    }

    fn tell_all(&mut self, sockets: &[usize], body: &str) {
        let live: Vec<_> = sockets.iter().filter_map(|s| Some((self.sockets[*s].client?, *s))).collect();
        self.deliver(&live, body);
    }

    /// Queues an event for the sockets of these clients; who has no room for it is cut off after all. How many got it.
    pub fn deliver(&mut self, to: &[(usize, usize)], body: &str) -> (usize, usize) {
        let mut full = Vec::new();
        for (client, socket) in to {
            let packet = format!("42{}{body}", prefix(self.sockets[*socket].namespace));
            if !self.queue(*client, packet) {
                full.push(*client);
            }
        }
        let cut_off = full.len();
        for client in full.into_iter().collect::<BTreeSet<_>>() {
            self.told.push("cut off".into());
            self.dead(client, "SlowConsumer");
        }
        (to.len() - cut_off, cut_off)
    }
}

fn member(user: &str, change: Option<&str>, shown: Option<Shown>) -> String {
    let change = change.map_or(String::new(), |change| format!(",\"change\":\"{change}\""));
    let shown = shown.map_or(String::new(), |(state, meta)| {
        let meta = meta.map_or("null".into(), |meta| meta.to_string());
        format!(",\"state\":\"{state}\",\"meta\":{meta}")
    });
    format!("{{\"user\":\"{user}\"{change}{shown}}}")
}
