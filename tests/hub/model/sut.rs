//! The real hub, with a driver that passes bytes on at once and clients that read or do not.

use std::collections::{BTreeMap, BTreeSet};

use roomwire::hub::{
    AckError, AckId, Config, ConnId, Event, Hub, Namespaces, Origins, Refusal, SocketId, Target, Token,
};
use roomwire::ws::Opcode;
use roomwire::{Instant, Stream};

use super::broadcast::text;
use super::poll::Poll;
use super::reference::{
    ACKS_MAX, AWAY_TIMEOUT, CONGESTED, CONNECT_TIMEOUT, NAMESPACES_MAX, OUTBOX_MAX, PING_INTERVAL, PING_TIMEOUT,
    ROOMS_MAX, SID, WINDOW, WRITE_TIMEOUT, prefix,
};
use super::transition::{Kill, Secret, To, Transition, resolve};
use crate::fuzz_hub::Told;
use crate::support::ws::{masked, opening};
use crate::world::{V3, V4, millis, packets};

pub struct Sut {
    pub hub: Hub,
    pub now: Instant,
    pub clients: Vec<Client>,
    pub sockets: Vec<SocketId>,
    pub told: Vec<String>,
    /// All questions, which must differ, and their numbers.
    questions: BTreeMap<AckId, (usize, usize)>,
    tokens: BTreeMap<usize, (Token, Option<Token>)>,
    named: BTreeSet<ConnId>,
    /// The client that says something at this moment.
    pub speaking: usize,
    /// The clients of sockets.
    owners: BTreeMap<usize, usize>,
}

pub struct Client {
    /// The stream of its WebSocket, if it has one.
    pub conn: Option<ConnId>,
    /// Its session on long polling, until it changes.
    pub poll: Option<Poll>,
    pub v3: bool,
    paused: bool,
    pub mute: bool,
    pub ended: bool,
    pub heard: Vec<String>,
}

impl Client {
    pub const fn new(v3: bool, conn: Option<ConnId>, poll: Option<Poll>) -> Self {
        Self { conn, poll, v3, paused: false, mute: false, ended: false, heard: Vec::new() }
    }
}

fn config() -> Config {
    let mut config = Config::new(Origins::Any);
    config.namespaces = Namespaces::Listed(vec!["/".into(), "/chat".into()]);
    config.engine.ping_interval = millis(PING_INTERVAL);
    config.engine.ping_timeout = millis(PING_TIMEOUT);
    config.connect_timeout = millis(CONNECT_TIMEOUT);
    config.away_timeout = millis(AWAY_TIMEOUT);
    config.write_timeout = millis(WRITE_TIMEOUT);
    config.presence_window = millis(WINDOW);
    config.limits.outbox_bytes_max = OUTBOX_MAX;
    config.limits.congested_bytes = CONGESTED;
    config.limits.rooms_per_socket_max = ROOMS_MAX;
    config.limits.acks_per_socket_max = ACKS_MAX;
    config.limits.namespaces_per_session_max = NAMESPACES_MAX;
    config
}

/// The result of a call as the model writes it.
fn shown<T, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |_| "Ok".into())
}

impl Sut {
    pub fn new() -> Self {
        Self {
            hub: Hub::new(config(), [1; 32], Instant::ORIGIN).unwrap(),
            now: Instant::ORIGIN,
            clients: Vec::new(),
            sockets: Vec::new(),
            told: Vec::new(),
            questions: BTreeMap::new(),
            tokens: BTreeMap::new(),
            named: BTreeSet::new(),
            speaking: 0,
            owners: BTreeMap::new(),
        }
    }

    pub fn apply(&mut self, step: &Transition) -> String {
        let result = self.step(step);
        self.pump();
        result
    }

    fn step(&mut self, step: &Transition) -> String {
        use Transition as T;
        let now = self.now;
        let socket =
            |this: &Self, number: usize| resolve(number, this.sockets.len()).map(|nth| (nth, this.sockets[nth]));
        macro_rules! call {
            ($number:expr, |$hub:ident, $id:ident| $call:expr) => {{
                let Some((_, $id)) = socket(self, $number) else { return "Ok".into() };
                let $hub = &mut self.hub;
                return shown($call);
            }};
        }
        match *step {
            T::Open { v3, polling: true } => self.open_poll(v3),
            T::Upgrade(client) => self.upgrade(client),
            T::Open { v3, polling: false } => match self.hub.connect(now) {
                Ok(conn) => {
                    self.clients.push(Client::new(v3, Some(conn), None));
                    self.feed(self.clients.len() - 1, &opening(if v3 { V3 } else { V4 }));
                    let head: Vec<u8> = self.hub.outgoing(conn).flatten().copied().collect();
                    self.hub.sent(now, conn, head.len());
                    assert!(head.starts_with(b"HTTP/1.1 101 "));
                }
                Err(error) => return format!("{error:?}"),
            },
            T::Connect { client, namespace } => self.say(client, &format!("40{}", prefix(namespace))),
            T::Accept(number) => call!(number, |hub, id| hub.accept(now, id)),
            T::Refuse(number) => call!(number, |hub, id| hub.refuse(now, id, &Refusal::new("no"))),
            T::Resume { socket: number, ref token } => return self.resume(number, token),
            T::Identify { socket: number, user } => call!(number, |hub, id| hub.identify(now, id, user)),
            T::Join { socket: number, room } => call!(number, |hub, id| hub.join(now, id, room)),
            T::Enter { socket: number, room } => call!(number, |hub, id| hub.enter(now, id, room)),
            T::Leave { socket: number, room } => call!(number, |hub, id| hub.leave(now, id, room)),
            T::SetMeta { socket: number, room, meta } => call!(number, |hub, id| hub.set_meta(now, id, room, &meta)),
            T::Emit { ref to, except, except_room, volatile, large } => {
                let except = except.and_then(|number| socket(self, number)).map(|(_, id)| id);
                return self.emit(to, except, except_room, volatile, large);
            }
            T::Ask { socket: number, timeout } => {
                let Some((nth, id)) = socket(self, number) else { return "Ok".into() };
                let asked = self.hub.emit_with_ack(now, id, "ask", (), millis(timeout));
                if let Ok(ack) = asked {
                    let count = self.questions.values().filter(|(owner, _)| *owner == nth).count();
                    let known = self.questions.insert(ack, (nth, count));
                    assert_eq!(known, None, "{ack:?} names two questions");
                }
                return shown(asked);
            }
            T::Answer { socket: number, question } => {
                let Some((nth, id)) = socket(self, number) else { return "Ok".into() };
                let asked = self.questions.iter().filter(|(_, (owner, _))| *owner == nth);
                let mut asked: Vec<_> = asked.map(|(ack, (_, number))| (*number, *ack)).collect();
                asked.sort_unstable();
                let client = self.owners.get(&nth).copied().filter(|_| self.hub.is_live(id));
                let (Some(question), Some(client)) = (resolve(question, asked.len()), client) else {
                    return "Ok".into();
                };
                let shown = format!("{:?}", asked[question].1);
                let wire: String = shown.chars().filter(char::is_ascii_digit).collect();
                let namespace = prefix(self.hub.namespace(id).unwrap());
                self.send(client, &format!("43{namespace}{wire}[]"));
            }
            T::Say { client, namespace, ack } => {
                self.say(client, &format!("42{}{}[\"say\"]", prefix(namespace), if ack { "7" } else { "" }));
            }
            T::Depart { client, namespace } => self.say(client, &format!("41{}", prefix(namespace))),
            T::Kill { client, how } => self.kill(client, how),
            T::Disconnect(number) => call!(number, |hub, id| hub.disconnect(now, id)),
            T::Close(number) => call!(number, |hub, id| hub.close(now, id)),
            T::Pause { client, paused } => {
                let client = self.open(client).filter(|client| self.clients[*client].poll.is_none());
                client.into_iter().for_each(|client| self.clients[client].paused = paused);
            }
            T::Mute(client) => self.open(client).into_iter().for_each(|client| self.clients[client].mute = true),
            T::Advance(span) => self.advance(span),
            T::Shutdown => self.hub.shutdown(now),
        }
        "Ok".into()
    }

    fn resume(&mut self, number: usize, token: &Secret) -> String {
        let Some(nth) = resolve(number, self.sockets.len()) else { return "Ok".into() };
        let of = |this: &Self, number: &usize| resolve(*number, this.sockets.len()).unwrap();
        let forged = Token::parse(&"x".repeat(24)).unwrap();
        let token = match token {
            // Also one that it had when it was still there.
            Secret::Of(number) => self.tokens.get(&of(self, number)).map(|(token, _)| *token),
            Secret::Used(number) => self.tokens.get(&of(self, number)).and_then(|(_, used)| *used),
            Secret::Forged => None,
        };
        let token = token.unwrap_or(forged);
        match self.hub.resume(self.now, self.sockets[nth], &token) {
            Ok(id) => {
                let (old, client) = (self.nth(id), self.owners[&nth]);
                self.tokens.entry(old).and_modify(|(_, used)| *used = Some(token));
                self.owners.insert(old, client);
                format!("Ok {old}")
            }
            Err(error) => format!("{error:?}"),
        }
    }

    fn emit(
        &mut self,
        to: &To,
        except: Option<SocketId>,
        except_room: Option<&str>,
        volatile: bool,
        large: bool,
    ) -> String {
        let mut target = match to {
            To::Socket(number) => match resolve(*number, self.sockets.len()) {
                Some(nth) => Target::socket(self.sockets[nth]),
                None => return "Ok".into(),
            },
            To::Rooms(rooms, namespace) => {
                let first = Target::room(rooms[0]).of(namespace);
                rooms[1..].iter().fold(first, |target, room| target.and_room(room))
            }
            To::Namespace(namespace) => Target::namespace(namespace),
            To::User(user, None) => Target::user(user),
            To::User(user, Some(namespace)) => Target::user(user).of(namespace),
            To::All => Target::all(),
        };
        if let Some(except) = except {
            target = target.except(except);
        }
        if let Some(room) = except_room {
            target = target.except_room(room);
        }
        if volatile {
            target = target.volatile();
        }
        match self.hub.emit(self.now, target, "event", (text(large),)) {
            Ok(r) => format!("queued {} dropped {} away {} cut off {}", r.queued, r.dropped, r.away, r.cut_off),
            Err(error) => format!("{error:?}"),
        }
    }

    /// A client whose session is open.
    pub fn open(&self, number: usize) -> Option<usize> {
        resolve(number, self.clients.len()).filter(|client| !self.clients[*client].ended)
    }

    fn say(&mut self, number: usize, packet: &str) {
        if let Some(client) = self.open(number) {
            self.send(client, packet);
        }
    }

    /// A client sends a packet, on what it has.
    fn send(&mut self, client: usize, packet: &str) {
        match &self.clients[client].poll {
            Some(_) => self.post(client, packet),
            None => self.feed(client, &masked(Opcode::Text, packet.as_bytes())),
        }
    }

    fn kill(&mut self, number: usize, how: Kill) {
        let Some(client) = self.open(number) else { return };
        match how {
            Kill::EngineClose => {
                // Nobody tells it that it closed it.
                self.clients[client].ended = self.clients[client].poll.is_some();
                return self.send(client, "1");
            }
            Kill::Nonsense => return self.send(client, "nonsense"),
            Kill::Eof | Kill::Abort | Kill::CloseFrame if self.clients[client].poll.is_some() => {
                return self.lose(client);
            }
            Kill::Eof | Kill::Abort | Kill::CloseFrame => {}
        }
        let conn = self.clients[client].conn.unwrap();
        match how {
            Kill::Eof => self.hub.receive_eof(self.now, conn),
            Kill::Abort => self.hub.abort(self.now, conn),
            _ => self.feed(client, &masked(Opcode::Close, &[3, 232])),
        }
        self.clients[client].ended = true;
        self.tell();
        // Nobody is there to read what is left.
        self.hub.sent(self.now, conn, usize::MAX);
        assert_eq!(self.hub.stream(conn), Stream::Closed);
    }

    fn advance(&mut self, span: u64) {
        for client in 0..self.clients.len() {
            let entry = &self.clients[client];
            if entry.v3 && !entry.ended && !entry.mute {
                self.send(client, "2");
            }
        }
        self.pump();
        let until = self.now.saturating_add(millis(span));
        while let Some(at) = self.hub.poll_timeout().filter(|at| *at <= until) {
            assert!(at > self.now, "still due");
            self.now = at;
            self.hub.handle_timeout(at);
            self.pump();
        }
        self.now = until;
        self.hub.handle_timeout(until);
    }

    pub fn feed(&mut self, client: usize, bytes: &[u8]) {
        self.speaking = client;
        let conn = self.clients[client].conn.unwrap();
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while let Some(event) = self.hub.receive(self.now, conn, &mut input) {
            self.event(event);
        }
    }

    /// Takes events, and lets everybody read who reads, until nothing happens any more.
    fn pump(&mut self) {
        loop {
            self.tell();
            while let Some(conn) = self.hub.poll_transmit() {
                self.named.insert(conn);
            }
            for conn in self.clients.iter().filter_map(|client| client.conn) {
                let owed = self.hub.outgoing_len(conn) > 0;
                assert!(!owed || self.named.contains(&conn), "{conn:?} is not named");
            }
            if self.read_polls() {
                continue;
            }
            let Some(client) = (0..self.clients.len()).find(|client| self.reads(*client)) else { return };
            self.read(client);
        }
    }

    fn reads(&mut self, client: usize) -> bool {
        let entry = &mut self.clients[client];
        let Some(conn) = entry.conn else { return false };
        let waiting: Vec<u8> = self.hub.outgoing(conn).flatten().copied().collect();
        // Who is closed comes to read that at last.
        entry.paused &= !packets(&waiting).last().is_some_and(|last| last.starts_with("close"));
        if entry.paused || waiting.is_empty() {
            entry.ended |= self.hub.stream(conn) == Stream::Closed;
            return false;
        }
        true
    }

    fn read(&mut self, client: usize) {
        let (conn, mute) = (self.clients[client].conn.unwrap(), self.clients[client].mute);
        let bytes: Vec<u8> = self.hub.outgoing(conn).flatten().copied().collect();
        self.named.remove(&conn);
        self.hub.sent(self.now, conn, bytes.len());
        let heard = packets(&bytes);
        for packet in &heard {
            if packet == "2" && !mute && !heard.iter().any(|packet| packet.starts_with("close")) {
                self.feed(client, &masked(Opcode::Text, b"3"));
            } else if packet.starts_with("close") {
                self.clients[client].ended = true;
                self.feed(client, &masked(Opcode::Close, &[3, 232]));
                assert_eq!(self.hub.stream(conn), Stream::Closed);
            }
        }
        self.clients[client].heard.extend(heard.into_iter().map(|packet| plain(&packet)));
    }

    pub fn tell(&mut self) {
        while let Some(event) = self.hub.poll_event() {
            self.event(event);
        }
    }

    fn nth(&self, id: SocketId) -> usize {
        self.sockets.iter().position(|own| *own == id).expect("a socket that nobody knows")
    }

    pub fn event(&mut self, event: Event<'_>) {
        let told = Told::from(&event);
        let client = |conn: &ConnId| self.clients.iter().position(|client| client.conn == Some(*conn)).unwrap();
        let text = match &told {
            Told::Connecting(socket, namespace, _) => {
                assert!(!self.sockets.contains(socket), "an id is given twice");
                self.owners.insert(self.sockets.len(), self.speaking);
                self.sockets.push(*socket);
                format!("connecting {} {namespace}", self.sockets.len() - 1)
            }
            Told::Connected(socket, resumed) => {
                let (nth, token) = (self.nth(*socket), self.hub.token(*socket));
                if let Some(token) = token {
                    let used = self.tokens.get(&nth).and_then(|(_, used)| *used);
                    self.tokens.insert(nth, (token, used));
                }
                format!("{} {nth}", if *resumed { "resumed" } else { "connected" })
            }
            Told::Emit(socket, ..) => format!("emit {}", self.nth(*socket)),
            Told::Ack(ack, socket, answer) => {
                let (nth, number) = self.questions[ack];
                assert_eq!(self.nth(*socket), nth);
                let kind = match answer {
                    Ok(_) => "answer",
                    Err(AckError::TimedOut) => "timed out",
                    Err(_) => "unanswered",
                };
                format!("{kind} {nth}.{number}")
            }
            Told::Presence { namespace, room, user, change, version } => {
                format!("presence {} {user} in {namespace} {room} at {version}", change.as_str())
            }
            Told::Disconnected(socket, reason, Some(until)) => {
                format!("lost {} by {reason:?} until {}", self.nth(*socket), until.as_nanos() / 1_000_000)
            }
            Told::Disconnected(socket, reason, None) => format!("gone {} by {reason:?}", self.nth(*socket)),
            Told::Left(socket) => format!("left {}", self.nth(*socket)),
            Told::Congested(conn) => format!("congested {}", client(conn)),
            Told::Drained(conn) => format!("drained {}", client(conn)),
            Told::Closed(conn, error) => {
                if *error == Some(roomwire::hub::Error::SlowConsumer) {
                    self.told.push("cut off".into());
                }
                format!("closed {}", client(conn))
            }
            Told::Request(..) | Told::Refused(..) | Told::Recovered(_) | Told::Message(..) | Told::Acks(..) => {
                panic!("{told:?}")
            }
        };
        self.told.push(text);
        if let Event::Emit { reply: Some(reply), .. } = event {
            self.hub.ack(self.now, reply, ("ok",)).unwrap();
        }
    }
}

/// A packet without what is random in it or the hub's own choice: session ids and the numbers of questions.
pub fn plain(packet: &str) -> String {
    if let Some((head, rest)) = packet.split_once("{\"sid\":\"") {
        assert!(rest.len() == 22, "{packet}");
        return format!("{head}{{\"sid\":\"{SID}\"}}");
    }
    match packet.strip_suffix("[\"ask\"]") {
        Some(head) => {
            format!("{}#[\"ask\"]", head[..2].to_owned() + head[2..].trim_end_matches(|c: char| c.is_ascii_digit()))
        }
        None => packet.into(),
    }
}
