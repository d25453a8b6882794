//! The model: what a hub is, without bytes, ids or timers. Times are milliseconds; clients and sockets are numbered in
//! the order in which they came.

use std::collections::{BTreeMap, BTreeSet};

use super::rooms::Room;
use super::transition::{Kill, Secret, Transition, resolve};

pub const PING_INTERVAL: u64 = 4000;
pub const PING_TIMEOUT: u64 = 3000;
pub const CONNECT_TIMEOUT: u64 = 5000;
pub const AWAY_TIMEOUT: u64 = 6000;
pub const WRITE_TIMEOUT: u64 = 9000;
pub const WINDOW: u64 = 50;
pub const OUTBOX_MAX: usize = 12_000;
pub const CONGESTED: usize = 4_000;
pub const ROOMS_MAX: usize = 3;
pub const ACKS_MAX: usize = 2;
pub const NAMESPACES_MAX: usize = 2;
/// What stands for a session id, which is random.
pub const SID: &str = "SSSSSSSSSSSSSSSSSSSS";

#[derive(Default)]
pub struct Reference {
    pub now: u64,
    pub clients: Vec<Client>,
    pub sockets: Vec<Socket>,
    pub rooms: BTreeMap<(&'static str, &'static str), Room>,
    /// What the application was told since it was last asked.
    pub told: Vec<String>,
    pub shut: bool,
}

#[derive(Default)]
pub struct Client {
    pub v3: bool,
    /// Whether it is on long polling, where it always has a GET in waiting.
    pub polling: bool,
    /// Whether it has a session.
    pub open: bool,
    /// Whether the hub has sent its close frame.
    pub closing: bool,
    pub sockets: Vec<usize>,
    connect_by: Option<u64>,
    /// Namespaces that the application made it leave: what it still says there is ignored.
    dismissed: BTreeSet<&'static str>,
    beat: u64,
    awaits_pong: bool,
    pub paused: bool,
    pub mute: bool,
    /// Sent, but not read.
    pub queue: Vec<String>,
    pub bytes: usize,
    congested: bool,
    stalled: Option<u64>,
    /// Read since it was last asked.
    pub heard: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connecting(u64),
    Live,
    Away(u64),
    Gone,
}

pub struct Socket {
    pub phase: Phase,
    pub namespace: &'static str,
    pub client: Option<usize>,
    pub user: Option<&'static str>,
    pub rooms: BTreeSet<&'static str>,
    pub entered: BTreeSet<&'static str>,
    /// The deadlines of all questions that it was ever asked; `None` once they have ended.
    pub asked: Vec<Option<u64>>,
    /// Whether the token before the present one is still good: until the client says something after it came back.
    pub spent: bool,
}

pub fn ok() -> String {
    "Ok".into()
}

/// How a namespace stands in a packet.
pub fn prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

impl Reference {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn client(&self, number: usize) -> Option<usize> {
        resolve(number, self.clients.len()).filter(|client| self.clients[*client].open)
    }

    fn socket(&self, number: usize) -> Option<usize> {
        resolve(number, self.sockets.len())
    }

    /// Does a step; what the call to the hub results in.
    pub fn apply(&mut self, step: &Transition) -> String {
        let result = self.step(step);
        self.settle();
        result
    }

    fn step(&mut self, step: &Transition) -> String {
        use Transition as T;
        match *step {
            T::Open { v3, polling } => return self.open(v3, polling),
            T::Upgrade(client) => {
                if let Some(client) = self.client(client).filter(|client| self.clients[*client].polling) {
                    self.clients[client].polling = false;
                    self.told.push("upgraded".into());
                }
            }
            T::Connect { client, namespace } => {
                self.client(client).into_iter().for_each(|client| self.connect(client, namespace));
            }
            T::Accept(socket) | T::Refuse(socket) => {
                let Some(socket) = self.socket(socket) else { return ok() };
                if let Err(error) = self.require_connecting(socket) {
                    return error;
                }
                match step {
                    T::Accept(_) => self.connected(socket, false),
                    _ => self.refuse(socket, "no"),
                }
            }
            T::Resume { socket, ref token } => return self.resume(socket, token),
            T::Identify { socket, user } => return self.identify(socket, user),
            T::Join { socket, room } => return self.with_accepted(socket, |this, s| this.join(s, room)),
            T::Enter { socket, room } => return self.with_accepted(socket, |this, s| this.enter(s, room)),
            T::Leave { socket, room } => {
                let leave = |this: &mut Self, s: usize| (this.leave(s, room), ok()).1;
                return self
                    .with_accepted(socket, leave)
                    .replace("Socket(Gone)", "Gone")
                    .replace("Socket(NotAccepted)", "NotAccepted");
            }
            T::SetMeta { socket, room, meta } => {
                return self.with_accepted(socket, |this, s| this.set_meta(s, room, meta));
            }
            T::Emit { ref to, except, except_room, volatile, large } => {
                return self.emit(to, except, except_room, volatile, large);
            }
            T::Ask { socket, timeout } => return self.with_accepted(socket, |this, s| this.ask(s, timeout)),
            T::Answer { socket, question } => self.answer(socket, question),
            T::Say { client, namespace, ack } => self.say(client, namespace, ack),
            T::Depart { client, namespace } => {
                let found = self.client(client).and_then(|client| self.socket_in(client, namespace));
                if let Some(socket) = found {
                    self.leave_session(socket);
                    self.lose(socket, "Client");
                }
            }
            T::Kill { client, how } => self.client(client).into_iter().for_each(|client| self.kill(client, how)),
            T::Disconnect(socket) => {
                let Some(socket) = self.socket(socket) else { return ok() };
                if self.sockets[socket].phase == Phase::Gone {
                    return "Gone".into();
                }
                if let Some(client) = self.sockets[socket].client {
                    // The packet itself may be too much for a slow client, which ends the session before.
                    let packet = format!("41{}", prefix(self.sockets[socket].namespace));
                    self.send(client, packet);
                    self.leave_session(socket);
                    let namespace = self.sockets[socket].namespace;
                    self.clients[client].dismissed.insert(namespace);
                }
                self.lose(socket, "Server");
            }
            T::Close(socket) => {
                let Some(socket) = self.socket(socket) else { return ok() };
                match (self.sockets[socket].phase, self.sockets[socket].client) {
                    (Phase::Gone, _) => return "Gone".into(),
                    (_, None) => return "Away".into(),
                    (_, Some(client)) => self.end(client, "Closed", 0),
                }
            }
            T::Pause { client, paused } => {
                let client = self.client(client).filter(|client| !self.clients[*client].polling);
                client.into_iter().for_each(|client| self.clients[client].paused = paused);
            }
            T::Mute(client) => self.client(client).into_iter().for_each(|client| self.clients[client].mute = true),
            T::Advance(span) => self.advance(self.now + span),
            T::Shutdown => {
                self.shut = true;
                for socket in 0..self.sockets.len() {
                    if let Phase::Away(_) = self.sockets[socket].phase {
                        self.forget(socket);
                        self.told.push(format!("left {socket}"));
                    }
                }
                let open: Vec<_> = (0..self.clients.len()).filter(|client| self.clients[*client].open).collect();
                open.into_iter().for_each(|client| self.end(client, "Shutdown", 1001));
            }
        }
        ok()
    }

    fn open(&mut self, v3: bool, polling: bool) -> String {
        if self.shut {
            return "ShuttingDown".into();
        }
        let client = self.clients.len();
        let connect_by = Some(self.now + CONNECT_TIMEOUT);
        self.clients.push(Client { v3, polling, open: true, connect_by, ..Client::default() });
        self.alive(client);
        if v3 {
            self.connecting(client, "/");
        }
        ok()
    }

    fn connect(&mut self, client: usize, namespace: &'static str) {
        if self.socket_in(client, namespace).is_some() {
            if !(self.clients[client].v3 && namespace == "/") {
                self.end(client, "ProtocolError", 1008);
            }
        } else if self.clients[client].sockets.len() >= NAMESPACES_MAX {
            self.end(client, "ProtocolError", 1008);
        } else if namespace == "/none" {
            self.connect_error(client, namespace, "Invalid namespace");
        } else {
            self.connecting(client, namespace);
        }
    }

    fn connecting(&mut self, client: usize, namespace: &'static str) {
        let socket = self.sockets.len();
        self.sockets.push(Socket {
            phase: Phase::Connecting(self.now + CONNECT_TIMEOUT),
            namespace,
            client: Some(client),
            user: None,
            rooms: BTreeSet::new(),
            entered: BTreeSet::new(),
            asked: Vec::new(),
            spent: false,
        });
        self.clients[client].sockets.push(socket);
        self.clients[client].connect_by = None;
        self.clients[client].dismissed.remove(namespace);
        self.told.push(format!("connecting {socket} {namespace}"));
    }

    fn connected(&mut self, socket: usize, resumed: bool) {
        self.sockets[socket].phase = Phase::Live;
        self.told.push(format!("{} {socket}", if resumed { "resumed" } else { "connected" }));
        let client = self.sockets[socket].client.unwrap();
        let sid = if self.clients[client].v3 { String::new() } else { format!("{{\"sid\":\"{SID}\"}}") };
        self.send(client, format!("40{}{sid}", prefix(self.sockets[socket].namespace)));
    }

    fn refuse(&mut self, socket: usize, message: &str) {
        let (client, namespace) = (self.sockets[socket].client.unwrap(), self.sockets[socket].namespace);
        self.leave_session(socket);
        self.connect_error(client, namespace, message);
        self.forget(socket);
    }

    fn connect_error(&mut self, client: usize, namespace: &str, message: &str) {
        let data =
            if self.clients[client].v3 { format!("\"{message}\"") } else { format!("{{\"message\":\"{message}\"}}") };
        self.send(client, format!("44{}{data}", prefix(namespace)));
    }

    fn resume(&mut self, socket: usize, token: &Secret) -> String {
        let Some(socket) = self.socket(socket) else { return ok() };
        if let Err(error) = self.require_connecting(socket) {
            return format!("Socket({error})");
        }
        let (old, good) = match *token {
            Secret::Of(number) => (self.socket(number).unwrap(), true),
            Secret::Used(number) => (self.socket(number).unwrap(), self.sockets[self.socket(number).unwrap()].spent),
            Secret::Forged => return "UnknownToken".into(),
        };
        let known = matches!(self.sockets[old].phase, Phase::Live | Phase::Away(_));
        if !known || !good || self.sockets[old].namespace != self.sockets[socket].namespace {
            return "UnknownToken".into();
        }
        let before = self.sockets[old].client;
        if before.is_some() {
            self.leave_session(old);
            self.fail_questions(old);
            self.told.push(format!("lost {old} by TakenOver until {}", self.now + AWAY_TIMEOUT));
        }
        let client = self.sockets[socket].client.unwrap();
        let own = &mut self.clients[client].sockets;
        own.iter_mut().filter(|at| **at == socket).for_each(|at| *at = old);
        self.forget(socket);
        self.sockets[old].client = Some(client);
        self.sockets[old].phase = Phase::Live;
        self.sockets[old].spent = true;
        self.presence_changed(old);
        self.owe_lists(old);
        self.connected(old, true);
        if let Some(before) = before {
            self.end(before, "TakenOver", 1001);
        }
        format!("Ok {old}")
    }

    fn identify(&mut self, socket: usize, user: &'static str) -> String {
        self.with_accepted(socket, |this, s| match this.sockets[s].user {
            Some(known) if known != user => "Identified".into(),
            _ => {
                this.sockets[s].user = Some(user);
                ok()
            }
        })
    }

    fn ask(&mut self, socket: usize, timeout: u64) -> String {
        let Some(client) = self.sockets[socket].client else { return "Socket(Away)".into() };
        if self.sockets[socket].asked.iter().flatten().count() >= ACKS_MAX {
            return "TooManyAcks".into();
        }
        self.sockets[socket].asked.push(Some(self.now + timeout));
        self.send(client, format!("42{}#[\"ask\"]", prefix(self.sockets[socket].namespace)));
        ok()
    }

    fn answer(&mut self, socket: usize, question: usize) {
        let Some(socket) = self.socket(socket).filter(|socket| self.sockets[*socket].phase == Phase::Live) else {
            return;
        };
        let Some(question) = resolve(question, self.sockets[socket].asked.len()) else { return };
        self.sockets[socket].spent = false;
        let asked = &mut self.sockets[socket].asked;
        if asked[question].take().is_some() {
            self.told.push(format!("answer {socket}.{question}"));
        }
    }

    fn say(&mut self, client: usize, namespace: &str, ack: bool) {
        let Some(client) = self.client(client) else { return };
        match self.socket_in(client, namespace).filter(|socket| self.sockets[*socket].phase == Phase::Live) {
            None if self.clients[client].dismissed.contains(namespace) => {}
            None => self.end(client, "ProtocolError", 1008),
            Some(socket) => {
                self.sockets[socket].spent = false;
                self.told.push(format!("emit {socket}"));
                if ack {
                    self.send(client, format!("43{}7[\"ok\"]", prefix(namespace)));
                }
            }
        }
    }

    fn kill(&mut self, client: usize, how: Kill) {
        match how {
            Kill::Eof | Kill::Abort | Kill::CloseFrame => self.dead(client, "TransportClosed"),
            Kill::EngineClose => self.end(client, "Client", 1000),
            Kill::Nonsense => self.end(client, "ProtocolError", 1008),
        }
    }

    /// The transport is gone, and with it what was not read.
    pub fn dead(&mut self, client: usize, reason: &str) {
        self.end_session(client, reason);
        if !self.clients[client].polling {
            self.told.push(format!("closed {client}"));
        }
        let entry = &mut self.clients[client];
        (entry.congested, entry.closing, entry.stalled, entry.bytes) = (false, false, None, 0);
        entry.queue.clear();
    }

    /// The hub ends it: with a close frame, which the client reads at last.
    fn end(&mut self, client: usize, reason: &str, code: u16) {
        self.end_session(client, reason);
        let entry = &mut self.clients[client];
        match (entry.polling, reason) {
            (false, _) => entry.queue.push(format!("close {code}")),
            // Who closes it itself is not told.
            (true, "Client") => {}
            (true, _) => entry.queue.push("1".into()),
        }
        (entry.closing, entry.paused) = (true, false);
    }

    fn end_session(&mut self, client: usize, reason: &str) {
        self.clients[client].open = false;
        for socket in std::mem::take(&mut self.clients[client].sockets) {
            self.lose(socket, reason);
        }
    }

    fn lose(&mut self, socket: usize, reason: &str) {
        if self.sockets[socket].phase == Phase::Gone {
            return;
        }
        self.sockets[socket].client = None;
        self.fail_questions(socket);
        let comes_back =
            matches!(reason, "TransportClosed" | "Closed" | "PingTimeout" | "SlowConsumer" | "TakenOver" | "Shutdown");
        if self.sockets[socket].phase == Phase::Live && comes_back && !self.shut {
            let until = self.now + AWAY_TIMEOUT;
            self.sockets[socket].phase = Phase::Away(until);
            self.told.push(format!("lost {socket} by {reason} until {until}"));
            self.presence_changed(socket);
        } else {
            self.told.push(format!("gone {socket} by {reason}"));
            self.forget(socket);
        }
    }

    fn fail_questions(&mut self, socket: usize) {
        for question in 0..self.sockets[socket].asked.len() {
            if self.sockets[socket].asked[question].take().is_some() {
                self.told.push(format!("unanswered {socket}.{question}"));
            }
        }
    }

    pub fn forget(&mut self, socket: usize) {
        let entry = &mut self.sockets[socket];
        (entry.phase, entry.client) = (Phase::Gone, None);
        for room in entry.rooms.clone() {
            self.leave(socket, room);
        }
    }

    fn leave_session(&mut self, socket: usize) {
        if let Some(client) = self.sockets[socket].client {
            self.clients[client].sockets.retain(|own| *own != socket);
            if self.clients[client].sockets.is_empty() {
                // Who is nowhere has to connect again, or go.
                self.clients[client].connect_by = Some(self.now + CONNECT_TIMEOUT);
            }
        }
    }

    pub fn socket_in(&self, client: usize, namespace: &str) -> Option<usize> {
        self.clients[client].sockets.iter().copied().find(|socket| self.sockets[*socket].namespace == namespace)
    }

    fn require_connecting(&self, socket: usize) -> Result<(), String> {
        match self.sockets[socket].phase {
            Phase::Connecting(_) => Ok(()),
            Phase::Gone => Err("Gone".into()),
            _ => Err("NotConnecting".into()),
        }
    }

    fn with_accepted(&mut self, socket: usize, call: impl FnOnce(&mut Self, usize) -> String) -> String {
        let Some(socket) = self.socket(socket) else { return ok() };
        match self.sockets[socket].phase {
            Phase::Gone => "Socket(Gone)".into(),
            Phase::Connecting(_) => "Socket(NotAccepted)".into(),
            _ => call(self, socket),
        }
    }

    /// Queues a packet, or cuts the client off that has no room for it.
    pub fn send(&mut self, client: usize, packet: String) -> bool {
        if !self.clients[client].open {
            return true;
        }
        let fits = self.queue(client, packet);
        if !fits {
            self.told.push("cut off".into());
            self.dead(client, "SlowConsumer");
        }
        fits
    }

    pub fn queue(&mut self, client: usize, packet: String) -> bool {
        let (now, entry) = (self.now, &mut self.clients[client]);
        if entry.bytes + packet.len() + 14 > OUTBOX_MAX {
            return false;
        }
        entry.bytes += packet.len() + if packet.len() < 126 { 2 } else { 4 };
        entry.queue.push(packet);
        if entry.polling {
            return true;
        }
        entry.stalled.get_or_insert(now + WRITE_TIMEOUT);
        if entry.bytes > CONGESTED && !std::mem::replace(&mut entry.congested, true) {
            self.told.push(format!("congested {client}"));
        }
        true
    }

    fn alive(&mut self, client: usize) {
        let entry = &mut self.clients[client];
        entry.awaits_pong = false;
        entry.beat = self.now + PING_INTERVAL + if entry.v3 { PING_TIMEOUT } else { 0 };
    }

    /// Everybody who reads has read, and answered.
    fn settle(&mut self) {
        for client in 0..self.clients.len() {
            let entry = &mut self.clients[client];
            if entry.paused || !(entry.open || entry.closing) {
                continue;
            }
            let read = std::mem::take(&mut entry.queue);
            (entry.bytes, entry.stalled) = (0, None);
            if std::mem::take(&mut entry.congested) {
                self.told.push(format!("drained {client}"));
            }
            let pinged = read.iter().any(|packet| packet == "2");
            entry.heard.extend(read);
            if std::mem::take(&mut entry.closing) && !entry.polling {
                self.told.push(format!("closed {client}"));
            } else if pinged && !entry.mute {
                self.alive(client);
            } else if pinged && (self.now + PING_TIMEOUT - entry.beat) * 8 > PING_TIMEOUT {
                entry.beat = self.now + PING_TIMEOUT;
            }
        }
    }

    /// When the next thing is due.
    pub fn next(&self) -> Option<u64> {
        let clients = self.clients.iter().filter(|client| client.open);
        let clients = clients.flat_map(|client| [Some(client.beat), client.connect_by, client.stalled]).flatten();
        let sockets = self.sockets.iter().flat_map(|socket| {
            let phase = match socket.phase {
                Phase::Connecting(until) | Phase::Away(until) => Some(until),
                _ => None,
            };
            socket.asked.iter().flatten().copied().chain(phase)
        });
        clients.chain(sockets).chain(self.rooms.values().filter_map(|room| room.due)).min()
    }

    fn advance(&mut self, until: u64) {
        // Clients of revision 3 send their heartbeat at the beginning of each second or so.
        for client in 0..self.clients.len() {
            if self.clients[client].open && self.clients[client].v3 && !self.clients[client].mute {
                self.alive(client);
                self.send(client, "3".into());
            }
        }
        self.settle();
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.now = at;
            while self.next() == Some(at) {
                self.due();
            }
            self.settle();
        }
        self.now = until;
    }

    fn due(&mut self) {
        let now = self.now;
        for client in 0..self.clients.len() {
            if self.clients[client].open && self.clients[client].stalled == Some(now) {
                self.dead(client, "TransportClosed");
            }
        }
        for client in 0..self.clients.len() {
            let entry = &mut self.clients[client];
            if !entry.open {
            } else if entry.connect_by == Some(now) {
                self.end(client, "ProtocolError", 0);
            } else if entry.beat == now && entry.awaits_pong && !entry.polling && entry.bytes > 0 {
                // It is not written yet.
                entry.beat = now + PING_TIMEOUT;
            } else if entry.beat == now && (entry.v3 || entry.awaits_pong) {
                self.end(client, "PingTimeout", 0);
            } else if entry.beat == now {
                (entry.awaits_pong, entry.beat) = (true, now + PING_TIMEOUT);
                self.send(client, "2".into());
            }
        }
        for socket in 0..self.sockets.len() {
            match self.sockets[socket].phase {
                Phase::Connecting(until) if until == now => {
                    self.refuse(socket, "timeout");
                    self.told.push(format!("gone {socket} by NotAccepted"));
                }
                Phase::Away(until) if until == now => {
                    self.forget(socket);
                    self.told.push(format!("left {socket}"));
                }
                _ => {}
            }
            for question in 0..self.sockets[socket].asked.len() {
                if self.sockets[socket].asked[question].is_some_and(|deadline| deadline == now) {
                    self.sockets[socket].asked[question] = None;
                    self.told.push(format!("timed out {socket}.{question}"));
                }
            }
        }
        for key in self.rooms.keys().copied().collect::<Vec<_>>() {
            if self.rooms.get(&key).is_some_and(|room| room.due == Some(now)) {
                self.tell(key);
            }
        }
    }
}
