//! The first part: everybody talks, and the network does what it likes.

use std::time::Duration;

use roomwire::client;
use roomwire::hub;

use crate::server::ROOMS;
use crate::world::{Task, World};

impl World {
    pub fn act(&mut self) {
        self.note(|| String::from("the story begins"));
        if self.trace {
            eprintln!("{:#?}", self.plan);
        }
        for user in 0..self.users.len() {
            self.user_connect(user, "/");
            if self.chance.percent(40) {
                self.user_connect(user, "/b");
            }
        }
        let end = self.now.saturating_add(self.plan.span);
        while self.now < end {
            let next = self.after(self.plan.pause);
            self.run_until(next);
            self.action();
            self.drain();
        }
    }

    fn action(&mut self) {
        if self.chance.percent(self.plan.faults) {
            return self.fault();
        }
        match self.chance.below(100) {
            0..35 => self.somebody_says(),
            35..70 => self.server_says(),
            70..90 => {
                let namespace = self.chance.pick(&["/", "/b"]);
                let room = [None, Some(ROOMS[0]), Some(ROOMS[1])][self.chance.index(3)];
                self.server_broadcast(namespace, room);
            }
            90..94 if !self.plan.calm => self.somebody_leaves(),
            94..97 if !self.plan.calm => self.server_ends(),
            97..100 if !self.plan.calm => self.fault(),
            _ => self.somebody_says(),
        }
    }

    fn timeout(&mut self) -> Option<Duration> {
        let timeout = if self.plan.calm { 1_000_000 } else { 100 + self.chance.below(10_000) };
        self.chance.percent(30).then_some(Duration::from_millis(timeout))
    }

    /// Few events mostly; sometimes more than an answer to a poll, or a stream, takes.
    fn count(&mut self) -> u64 {
        if self.chance.percent(5) { 10 + self.chance.below(40) } else { 1 + self.chance.below(3) }
    }

    fn somebody(&mut self) -> Option<(usize, client::SocketId)> {
        let user = self.chance.index(self.users.len());
        let seats: Vec<client::SocketId> = self.users[user].seats.keys().copied().collect();
        (!seats.is_empty()).then(|| (user, self.chance.pick(&seats)))
    }

    fn somebody_says(&mut self) {
        let Some((user, socket)) = self.somebody() else { return };
        for _ in 0..self.count() {
            let name = self.chance.pick(&["c", "c", "c", "join", "leave"]);
            let timeout = self.timeout();
            self.user_say(user, socket, name, timeout);
        }
    }

    /// One of the sockets that are there.
    pub fn some_socket(&mut self) -> Option<hub::SocketId> {
        let live: Vec<hub::SocketId> = self.server.sockets.keys().copied().filter(|at| self.is_live(*at)).collect();
        (!live.is_empty()).then(|| self.chance.pick(&live))
    }

    fn server_says(&mut self) {
        let Some(socket) = self.some_socket() else { return };
        for _ in 0..self.count() {
            // The last may have been too much for it.
            if self.hub.is_live(socket) {
                let timeout = self.timeout();
                self.server_say(socket, timeout);
            }
        }
    }

    /// A client leaves a namespace, and comes back later.
    fn somebody_leaves(&mut self) {
        let Some((user, socket)) = self.somebody() else { return };
        let entry = &mut self.users[user];
        entry.client.disconnect(self.now, socket);
        let namespace = entry.seats[&socket].namespace;
        self.note(|| format!("user {user} leaves {namespace}"));
        // What is still to be told of it is told by the name that it had.
        self.drain();
        self.users[user].seats.remove(&socket);
        self.do_later(Duration::from_secs(6), Task::Connect(user, namespace));
    }

    fn server_ends(&mut self) {
        let Some(socket) = self.some_socket() else { return };
        let kind = self.chance.below(3);
        self.note(|| format!("hub ends {socket:?} in way {kind}"));
        match kind {
            0 => self.hub.disconnect(self.now, socket).unwrap(),
            1 => self.hub.disconnect_client(self.now, socket).unwrap(),
            _ => self.hub.close(self.now, socket).unwrap(),
        }
    }
}
