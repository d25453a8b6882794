//! Time: what happens next, and that it ends.

use roomwire::Instant;

use crate::world::{Task, World};

/// More than this at one instant is a loop.
const STEPS_MAX: u32 = 100_000;

impl World {
    /// What both sides have to tell and to write now; afterwards they wait for something.
    pub fn drain(&mut self) {
        for _ in 0..STEPS_MAX {
            let mut idle = true;
            while let Some(event) = self.hub.poll_event() {
                idle = false;
                self.hub_event(event);
            }
            for user in 0..self.users.len() {
                while let Some(event) = self.users[user].client.poll_event() {
                    idle = false;
                    self.user_event(user, event);
                }
                while let Some(stream) = self.users[user].client.poll_open() {
                    idle = false;
                    self.open(user, stream);
                }
                while let Some(stream) = self.users[user].client.poll_transmit() {
                    idle = false;
                    let found = self.links.iter().position(|link| link.user == user && link.stream == stream);
                    if let Some(link) = found {
                        self.serve_client(link);
                    }
                }
            }
            while let Some(conn) = self.hub.poll_transmit() {
                idle = false;
                if let Some(link) = self.links.iter().position(|link| link.conn == Some(conn)) {
                    self.serve_server(link);
                }
            }
            if idle {
                self.links.retain(|link| link.at_client || link.at_server);
                return;
            }
        }
        panic!("busy for ever");
    }

    /// All that happens until `end`, in its order.
    pub fn run_until(&mut self, end: Instant) {
        self.drain();
        let mut steps = 0;
        loop {
            let link = (0..self.links.len()).map(|at| (self.links[at].next(self), at)).min();
            let user = (0..self.users.len()).filter_map(|at| Some((self.users[at].client.poll_timeout()?, at))).min();
            let hub = self.hub.poll_timeout();
            let task = self.later.iter().enumerate().map(|(at, (due, _))| (*due, at)).min();
            let all = [link.map(|next| next.0), user.map(|next| next.0), hub, task.map(|next| next.0)];
            let next = all.into_iter().flatten().min().unwrap_or(Instant::NEVER);
            if next > end {
                self.now = self.now.max(end);
                return;
            }
            steps = if next > self.now { 0 } else { steps + 1 };
            assert!(steps < STEPS_MAX, "busy for ever");
            self.now = self.now.max(next);
            let now = self.now;
            // Who is named first at the same instant is chance, too.
            let start = self.chance.index(4);
            let due = (start..start + 4).map(|nth| nth % 4).find(|nth| all[*nth].is_some_and(|at| at <= now));
            match due {
                Some(0) => {
                    let at = link.expect("it is due").1;
                    self.advance(at);
                    if self.links[at].client_owes && self.links[at].at_client {
                        self.serve_client(at);
                    }
                    if self.links[at].server_owes && self.links[at].at_server {
                        self.serve_server(at);
                    }
                }
                Some(1) => {
                    let client = &mut self.users[user.expect("it is due").1].client;
                    client.handle_timeout(now);
                    assert!(client.poll_timeout().is_none_or(|at| at > now), "a client's time-out is not done");
                }
                Some(2) => {
                    self.hub.handle_timeout(now);
                    assert!(self.hub.poll_timeout().is_none_or(|at| at > now), "a time-out of the hub is not done");
                }
                _ => {
                    let (_, task) = self.later.swap_remove(task.expect("it is due").1);
                    self.perform(task);
                }
            }
            self.drain();
        }
    }

    fn perform(&mut self, task: Task) {
        let now = self.now;
        match task {
            Task::Accept(socket) => {
                let waits = self.server.connecting.contains(&socket);
                assert_eq!(self.hub.accept(now, socket).is_ok(), waits, "{socket:?}");
            }
            Task::ServerReply(reply, id) => drop(self.hub.ack(now, reply, crate::payload::Payload::new(id))),
            Task::UserReply(user, reply, id) => {
                drop(self.users[user].client.ack(now, reply, crate::payload::Payload::new(id)));
            }
            Task::Connect(user, namespace) if !self.parting => self.user_connect(user, namespace),
            Task::Connect(..) => {}
        }
    }
}
