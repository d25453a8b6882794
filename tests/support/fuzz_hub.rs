//! A hub with an application that reacts in a fixed way, driven by a list of operations, and what came of it:
//! the body of the fuzz target `hub`, and what `tests/hub` compares runs with.

// Each binary uses a part of it.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use roomwire::hub::{
    AckError, AckId, Config, ConnId, DisconnectReason, Error, Event, Hub, Namespaces, Origins, Plain, PresenceChange,
    Recovery, Refusal, Reply, SocketId, Target, Token,
};
use roomwire::socketio::Args;
use roomwire::{Instant, Stream, http, ws};

use crate::support::cuts::{Bytes, Cuts};
use crate::support::polls::{Poller, dance};
use crate::support::ws::{answered, opening};

/// An event, on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Request(ConnId, String),
    Refused(ConnId, u8),
    Connecting(SocketId, String, String),
    Connected(SocketId, bool),
    Recovered(SocketId),
    Emit(SocketId, String, String, bool),
    Message(ConnId, Option<SocketId>, ws::Message<'static>),
    Acks(AckId, usize, Vec<SocketId>),
    Ack(AckId, SocketId, Result<String, AckError>),
    Presence { namespace: String, room: String, user: String, change: PresenceChange, version: u64 },
    Disconnected(SocketId, DisconnectReason, Option<Instant>),
    Left(SocketId),
    Congested(ConnId),
    Drained(ConnId),
    Closed(ConnId, Option<Error>),
}

impl From<&Event<'_>> for Told {
    fn from(event: &Event<'_>) -> Self {
        match event {
            Event::Request { conn, request } => Self::Request(*conn, request.target().into()),
            Event::Refused { conn, error } => Self::Refused(*conn, error.code()),
            Event::Connecting { socket, namespace, auth, query } => {
                Self::Connecting(*socket, (**namespace).into(), format!("{auth}?{query}"))
            }
            Event::Connected { socket, recovered: true, .. } => Self::Recovered(*socket),
            Event::Connected { socket, resumed, .. } => Self::Connected(*socket, *resumed),
            Event::Emit { socket, name, args, reply } => {
                Self::Emit(*socket, name.clone().into_owned(), whole(args), reply.is_some())
            }
            Event::Ack { ack, socket, answer } => {
                let answer = answer.as_ref().map(whole).map_err(|error| *error);
                Self::Ack(*ack, *socket, answer)
            }
            Event::Message { conn, socket, message } => Self::Message(*conn, *socket, message.clone().into_owned()),
            Event::Acks { ack, answered, missing } => Self::Acks(*ack, *answered, missing.clone()),
            Event::Presence { namespace, room, user, change, version } => Self::Presence {
                namespace: (**namespace).into(),
                room: (**room).into(),
                user: (**user).into(),
                change: *change,
                version: *version,
            },
            Event::Disconnected { socket, reason, away_until } => Self::Disconnected(*socket, *reason, *away_until),
            Event::Left { socket } => Self::Left(*socket),
            Event::Congested { conn } => Self::Congested(*conn),
            Event::Drained { conn } => Self::Drained(*conn),
            Event::Closed { conn, error } => Self::Closed(*conn, *error),
            other => panic!("an event that this test does not know: {other:?}"),
        }
    }
}

/// Arguments as text, their attachments behind them.
fn whole(args: &Args<'_>) -> String {
    let attachments = args.attachments().iter().map(|bytes| format!(" + {}", bytes.escape_ascii()));
    args.as_str().to_owned() + &attachments.collect::<String>()
}

impl Told {
    /// Its kind, for counting.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Request(..) => "request",
            Self::Refused(..) => "refused",
            Self::Connecting(..) => "connecting",
            Self::Connected(_, false) => "connected",
            Self::Connected(_, true) => "resumed",
            Self::Recovered(_) => "recovered",
            Self::Emit(..) => "emit",
            Self::Message(..) => "message",
            Self::Acks(..) => "acks",
            Self::Ack(_, _, Ok(_)) => "answered",
            Self::Ack(_, _, Err(AckError::TimedOut)) => "ack timed out",
            Self::Ack(_, _, Err(_)) => "ack lost",
            Self::Presence { change, .. } => change.as_str(),
            Self::Disconnected(_, _, Some(_)) => "lost",
            Self::Disconnected(_, DisconnectReason::NotAccepted, None) => "not accepted",
            Self::Disconnected(..) => "disconnected",
            Self::Left(_) => "left for good",
            Self::Congested(_) => "congested",
            Self::Drained(_) => "drained",
            Self::Closed(_, None) => "closed",
            Self::Closed(_, Some(Error::SlowConsumer)) => "slow consumer",
            Self::Closed(_, Some(_)) => "closed with an error",
        }
    }

    /// The byte stream that it is about.
    pub const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Request(conn, _)
            | Self::Refused(conn, _)
            | Self::Congested(conn)
            | Self::Drained(conn)
            | Self::Closed(conn, _) => Some(*conn),
            _ => None,
        }
    }
}

/// What is done to the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A further byte stream.
    Connect,
    /// Bytes from the peer of the stream at this position, modulo how many there are; [`NEWEST`] is the last.
    Bytes(usize, Bytes),
    Eof(usize),
    Abort(usize),
    /// The peer of this stream reads so much of what was sent to it.
    Read(usize, usize),
    /// Everybody reads everything.
    ReadAll,
    /// Time passes, by so many milliseconds, in one step.
    Advance(u64),
    /// A client of long polling, in revision 3 or 4, with Socket.IO or without; see [`Poller`].
    Poller {
        v3: bool,
        bare: bool,
    },
    /// The client of long polling at this position sends this body.
    Post(usize, Bytes),
    /// The same, with so many bytes of the request at first, modulo how many there are, and the rest so many milliseconds later.
    PostSlowly(usize, Bytes, usize, u64),
    /// It opens a WebSocket, which is the newest stream, and says this on it.
    Upgrade(usize, Bytes),
    /// The stream of its GET ends, or breaks.
    Lose(usize, bool),
    /// A new stream, on which the client with the nth pid of those that were given out comes back, with the nth offset of those that
    /// were, or none. Where this is among the operations the hub keeps what it says.
    Recover(usize, Option<usize>),
}

/// The stream that was connected last.
pub const NEWEST: usize = usize::MAX;

/// WebSockets of Engine.IO without Socket.IO.
pub const BARE: &str = "/engine.io/?EIO=4&transport=websocket";
pub const BARE_3: &str = "/engine.io/?EIO=3&transport=websocket";

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Trace {
    pub told: Vec<Told>,
    /// What each stream was sent, in the order in which they were connected; those of long polling are apart.
    pub outgoing: Vec<Bytes>,
    /// What each client of long polling heard: how the packets are spread over answers depends on when it asks.
    pub polled: Vec<Vec<String>>,
}

/// Limits and times that are easily met.
pub fn config() -> Config {
    let mut config = Config::new(Origins::Any);
    config.namespaces = Namespaces::Matching(|name| matches!(name, "/" | "/chat" | "/admin"));
    config.plain = vec![Plain::new("/raw", "/chat"), Plain::engine_io("/engine.io/", "/")];
    config.engine.max_payload = 4096;
    config.engine.ping_interval = Duration::from_secs(4);
    config.engine.ping_timeout = Duration::from_secs(3);
    config.http.limits.head_bytes_max = 2048;
    config.http.pipelined_bytes_max = 512;
    config.connect_timeout = Duration::from_secs(5);
    config.away_timeout = Duration::from_secs(6);
    config.write_timeout = Duration::from_secs(9);
    config.limits.connections_max = 6;
    config.limits.away_max = 3;
    config.limits.outbox_bytes_max = 8192;
    config.limits.congested_bytes = 2048;
    config.limits.namespaces_per_session_max = 2;
    config.limits.namespace_bytes_max = 12;
    config.limits.rooms_per_socket_max = 3;
    config.limits.name_bytes_max = 16;
    config.limits.acks_per_socket_max = 2;
    config.limits.meta_bytes_max = 32;
    config
}

/// Runs the operations, with the bytes of each cut so.
pub fn run(ops: &[Op], cuts: &Cuts) -> Trace {
    let mut world = World::new(ops);
    for op in ops {
        world.step(op, cuts);
    }
    world.trace.polled = world.pollers.into_iter().map(|poller| poller.heard).collect();
    world.trace
}

struct World {
    hub: Hub,
    now: Instant,
    conns: Vec<ConnId>,
    trace: Trace,
    app: App,
    pollers: Vec<Poller>,
    /// The streams of long polling, which nothing else uses.
    polls: Vec<ConnId>,
}

/// An application whose every reaction follows from what it is told.
#[derive(Default)]
struct App {
    tokens: Vec<Token>,
    users: BTreeMap<SocketId, String>,
    connected: usize,
    late: Vec<ConnId>,
}

impl World {
    fn new(ops: &[Op]) -> Self {
        let mut config = config();
        if ops.iter().any(|op| matches!(op, Op::Poller { .. })) {
            // How much waits for a GET depends on when it comes; so nothing may depend on how much that is.
            config.limits.outbox_bytes_max = 1 << 24;
            config.limits.congested_bytes = 1 << 24;
            config.limits.connections_max = 24;
        }
        if ops.iter().any(|op| matches!(op, Op::Recover(..))) {
            let age_max = Duration::from_secs(5);
            config.recovery = Some(Recovery { bytes_max: 8192, room_bytes_max: 4096, age_max });
        }
        let hub = Hub::new(config, [7; 32], Instant::ORIGIN).unwrap();
        let trace = Trace { told: Vec::new(), outgoing: Vec::new(), polled: Vec::new() };
        let (pollers, polls) = (Vec::new(), Vec::new());
        Self { hub, now: Instant::ORIGIN, conns: Vec::new(), trace, app: App::default(), pollers, polls }
    }

    fn at(&self, index: usize) -> Option<ConnId> {
        if index == NEWEST {
            return self.conns.last().copied();
        }
        self.conns.get(index.checked_rem(self.conns.len())?).copied()
    }

    fn step(&mut self, op: &Op, cuts: &Cuts) {
        self.poll();
        match op {
            Op::Connect => {
                if let Ok(conn) = self.hub.connect(self.now) {
                    self.conns.push(conn);
                    self.trace.outgoing.push(Bytes(Vec::new()));
                }
            }
            Op::Bytes(index, bytes) => {
                let Some(conn) = self.at(*index) else { return };
                self.feed(conn, bytes, cuts);
            }
            Op::Poller { v3, bare } => self.open_poller(*v3, *bare),
            Op::Post(index, body) => {
                if let Some((conn, request)) = self.post(*index, body) {
                    self.feed(conn, &request, cuts);
                }
            }
            Op::PostSlowly(index, body, count, millis) => {
                let Some((conn, request)) = self.post(*index, body) else { return };
                let (first, rest) = request.split_at(count % request.len());
                self.feed(conn, first, cuts);
                self.step(&Op::Advance(*millis), cuts);
                self.feed(conn, rest, cuts);
            }
            Op::Upgrade(index, bytes) => {
                let Some(poller) = self.poller(*index) else { return };
                let opening = opening(&self.pollers[poller].target("websocket"));
                self.step(&Op::Connect, cuts);
                self.step(&Op::Bytes(NEWEST, Bytes([&opening[..], bytes].concat())), cuts);
            }
            Op::Lose(index, eof) => {
                let Some(poller) = self.poller(*index) else { return };
                let conn = self.pollers[poller].get;
                if *eof {
                    self.hub.receive_eof(self.now, conn);
                } else {
                    self.hub.abort(self.now, conn);
                }
            }
            Op::Recover(pid, offset) => {
                let (pids, offsets) = self.given_out();
                let Some(pid) = pid.checked_rem(pids.len()).map(|nth| &pids[nth]) else { return };
                let offset = offset.and_then(|nth| nth.checked_rem(offsets.len()).map(|nth| &offsets[nth]));
                let offset = offset.map_or(String::new(), |offset| format!(",\"offset\":\"{offset}\""));
                let claim =
                    crate::support::ws::masked(ws::Opcode::Text, format!("40{{\"pid\":\"{pid}\"{offset}}}").as_bytes());
                let opening = opening("/socket.io/?EIO=4&transport=websocket");
                self.step(&Op::Connect, cuts);
                self.step(&Op::Bytes(NEWEST, Bytes([opening, claim].concat())), cuts);
            }
            Op::Eof(index) => self.at(*index).into_iter().for_each(|conn| self.hub.receive_eof(self.now, conn)),
            Op::Abort(index) => self.at(*index).into_iter().for_each(|conn| self.hub.abort(self.now, conn)),
            Op::Read(index, count) => {
                if let Some(at) = index.checked_rem(self.conns.len()) {
                    self.read(at, *count);
                }
            }
            Op::ReadAll => (0..self.conns.len()).for_each(|at| self.read(at, usize::MAX)),
            Op::Advance(millis) => {
                self.now = self.now.saturating_add(Duration::from_millis(*millis));
                self.hub.handle_timeout(self.now);
                assert!(self.hub.poll_timeout().is_none_or(|at| at > self.now), "still due after handle_timeout");
            }
        }
        self.settle();
    }

    /// The pids and the offsets that clients were told.
    fn given_out(&self) -> (Vec<String>, Vec<String>) {
        let (mut pids, mut offsets) = (Vec::new(), Vec::new());
        for outgoing in &self.trace.outgoing {
            let text = String::from_utf8_lossy(outgoing);
            pids.extend(text.split("\"pid\":\"").skip(1).filter_map(|rest| rest.get(..24)).map(str::to_owned));
            offsets.extend(text.split("\"]").filter_map(|part| part.rsplit(",\"").next()).map(str::to_owned));
        }
        offsets.retain(|offset| offset.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
        (pids, offsets)
    }

    fn feed(&mut self, conn: ConnId, bytes: &[u8], cuts: &Cuts) {
        for piece in cuts.of(bytes) {
            let mut piece = piece.to_vec();
            let mut input = &mut piece[..];
            while let Some(event) = self.hub.receive(self.now, conn, &mut input) {
                self.trace.told.push((&event).into());
                self.app.react(&mut self.hub, self.now, event);
            }
            assert!(input.is_empty(), "input is left over");
        }
    }

    fn settle(&mut self) {
        self.tell();
        while self.read_polls() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        for conn in std::mem::take(&mut self.app.late) {
            self.hub.respond(self.now, conn, http::Response::new(200).text("late"));
        }
        while let Some(event) = self.hub.poll_event() {
            self.trace.told.push((&event).into());
            self.app.react(&mut self.hub, self.now, event);
        }
        let mut named = BTreeSet::new();
        while let Some(conn) = self.hub.poll_transmit() {
            assert!(named.insert(conn), "{conn:?} is named twice");
        }
    }

    fn read(&mut self, at: usize, count: usize) {
        let conn = self.conns[at];
        let bytes: Vec<u8> = self.hub.outgoing(conn).flatten().copied().take(count).collect();
        assert!(bytes.len() == count || bytes.len() == self.hub.outgoing_len(conn));
        self.hub.sent(self.now, conn, bytes.len());
        self.trace.outgoing[at].0.extend(bytes);
    }
}

/// Clients of long polling: each asks again when it was answered, and before the next operation at the latest.
impl World {
    fn poller(&self, index: usize) -> Option<usize> {
        let count = self.pollers.len();
        if index == NEWEST { count.checked_sub(1) } else { index.checked_rem(count) }
    }

    fn connect_poll(&mut self) -> Option<ConnId> {
        let conn = self.hub.connect(self.now).ok()?;
        self.polls.push(conn);
        Some(conn)
    }

    fn open_poller(&mut self, v3: bool, bare: bool) {
        let (Some(get), Some(post)) = (self.connect_poll(), self.connect_poll()) else { return };
        self.pollers.push(Poller::new(v3, bare, get, post));
        self.poll();
    }

    /// Whoever may asks.
    fn poll(&mut self) {
        for poller in 0..self.pollers.len() {
            if !self.pollers[poller].asks() {
                continue;
            }
            if self.hub.stream(self.pollers[poller].get) != Stream::Open {
                let Some(conn) = self.connect_poll() else { continue };
                self.pollers[poller].get = conn;
            }
            let request = self.pollers[poller].ask();
            self.feed(self.pollers[poller].get, &request, &Cuts::Whole);
        }
    }

    /// The stream of a POST, and the request.
    fn post(&mut self, index: usize, body: &[u8]) -> Option<(ConnId, Vec<u8>)> {
        let poller = self.poller(index)?;
        if self.hub.stream(self.pollers[poller].post) != Stream::Open {
            self.pollers[poller].post = self.connect_poll()?;
        }
        Some((self.pollers[poller].post, self.pollers[poller].post(body)))
    }

    /// Reads what was answered; whether there may be more to come: what was read may be what another answer waited for.
    fn read_polls(&mut self) -> bool {
        let mut any = false;
        for conn in self.polls.clone() {
            let bytes: Vec<u8> = self.hub.outgoing(conn).flatten().copied().collect();
            any |= !bytes.is_empty();
            self.hub.sent(self.now, conn, bytes.len());
            if let Some(poller) = self.pollers.iter_mut().find(|poller| poller.get == conn) {
                poller.hears(&bytes);
            }
        }
        let again = self.pollers.iter().any(|poller| poller.asks() && poller.heard_something);
        if again {
            self.poll();
        }
        again || any
    }
}

impl App {
    fn react(&mut self, hub: &mut Hub, now: Instant, event: Event<'_>) {
        match event {
            Event::Request { conn, request } if request.path() == "/late" => self.late.push(conn),
            Event::Request { conn, .. } => hub.respond(now, conn, http::Response::new(200).text("page")),
            Event::Connecting { socket, auth, namespace, query } => {
                if auth.contains("late") || query.contains("late") {
                    return;
                }
                if auth.contains("refuse") || *namespace == *"/admin" {
                    let refusal = Refusal::new("no").data(&[1, 2]).unwrap();
                    hub.refuse(now, socket, &refusal).unwrap();
                    return;
                }
                let nth = auth.split_once("\"resume\":").and_then(|(_, rest)| rest.trim_end_matches('}').parse().ok());
                let token = nth.and_then(|nth: usize| self.tokens.get(nth).copied());
                if token.is_none_or(|token| hub.resume(now, socket, &token).is_err()) {
                    // Resuming may have told of others' ends, never of this one's.
                    hub.accept(now, socket).unwrap();
                }
            }
            Event::Connected { socket, .. } => {
                let user = format!("u{}", self.connected % 3);
                self.connected += 1;
                let _ = hub.identify(now, socket, &user);
                let _ = hub.join(now, socket, "lobby");
                self.tokens.extend(hub.token(socket));
                let token = hub.token(socket).map(String::from);
                let _ = hub.emit(now, socket, "welcome", (token,));
                self.users.insert(socket, user);
            }
            Event::Emit { socket, name, args, reply } => {
                self.emit(hub, now, socket, &name, &args);
                if let Some(reply) = reply {
                    answer(hub, now, reply, args);
                }
            }
            Event::Message { socket: Some(socket), message, .. } => match &message {
                ws::Message::Text(text) if text == "bye" => drop(hub.disconnect(now, socket)),
                _ => drop(hub.send_message(now, Target::room("lobby").and_socket(socket), message)),
            },
            Event::Ack { socket, answer, .. } => {
                let heard = answer.map_or_else(|error| error.to_string(), |args| args.as_str().into());
                let _ = hub.emit(now, Target::all().except(socket), "heard", (heard,));
            }
            Event::Disconnected { socket, away_until: None, .. } | Event::Left { socket } => {
                self.users.remove(&socket);
            }
            _ => {}
        }
    }

    fn emit(&self, hub: &mut Hub, now: Instant, socket: SocketId, name: &str, args: &Args<'_>) {
        let first = args.iter().next();
        let room = first.map_or("lobby", |first| first.trim_matches('"'));
        match name {
            "enter" => drop(hub.enter(now, socket, room)),
            "join" => drop(hub.join(now, socket, room)),
            "leave" => drop(hub.leave(now, socket, room)),
            "meta" => drop(hub.set_meta(now, socket, "lobby", &first)),
            "say" => drop(hub.emit(now, Target::room("lobby").except(socket), name, args)),
            "here" => drop(hub.emit(now, Target::room("lobby").and_room("red").of("/chat"), name, args)),
            "volatile" => drop(hub.emit(now, Target::all().volatile(), name, ("v".repeat(900),))),
            "latest" => drop(hub.emit(now, Target::all().latest(room), name, ("n".repeat(900), room))),
            "large" => drop(hub.emit(now, Target::all(), name, ("l".repeat(1500),))),
            "whisper" => drop(hub.emit(now, Target::user(room), name, args)),
            "ask" => drop(hub.emit_with_ack(now, socket, "question", args, Duration::from_millis(1500))),
            "bye" => drop(hub.disconnect(now, socket)),
            "close" => drop(hub.close(now, socket)),
            "drop" => {
                if let Some(conn) = hub.connection(socket) {
                    hub.close_connection(now, conn, ws::CloseCode::GOING_AWAY, "go");
                }
            }
            _ => {}
        }
    }
}

fn answer(hub: &mut Hub, now: Instant, reply: Reply, args: Args<'_>) {
    // The client may be gone by what it asked for.
    let _ = hub.ack(now, reply, args);
}

/// The operations that the bytes of a fuzzer mean, the first byte apart.
pub fn decode(mut data: &[u8]) -> Vec<Op> {
    let mut ops = Vec::new();
    while let Some((&head, rest)) = data.split_first() {
        data = rest;
        let index = usize::from(head >> 5);
        let mut take = |count: usize| {
            let (taken, rest) = data.split_at(count.min(data.len()));
            data = rest;
            taken.to_vec()
        };
        let op = match head & 0x1F {
            0 => Op::Connect,
            1 => Op::Bytes(index, Bytes(opening("/socket.io/?EIO=4&transport=websocket"))),
            2 => Op::Bytes(index, Bytes(opening("/socket.io/?EIO=3&transport=websocket"))),
            3 => Op::Eof(index),
            4 => Op::Abort(index),
            5 => Op::Read(index, take(1).first().map_or(0, |count| usize::from(*count) * 16)),
            6 | 7 => Op::ReadAll,
            8 | 9 => Op::Advance(take(1).first().map_or(0, |count| u64::from(*count) * 25)),
            24 => Op::Poller { v3: index & 1 == 1, bare: index & 2 == 2 },
            25 => {
                let count = take(1).first().copied().map_or(0, usize::from);
                Op::Post(index, Bytes(take(count)))
            }
            26 => Op::Upgrade(index, Bytes(Vec::new())),
            27 => Op::Upgrade(index, Bytes(dance())),
            28 => Op::Lose(index, take(1).first().is_some_and(|byte| byte % 2 == 1)),
            29 => {
                let count = take(1).first().copied().map_or(0, usize::from);
                Op::Bytes(index, Bytes(crate::support::ws::masked(ws::Opcode::Binary, &take(count))))
            }
            31 => Op::Recover(index, take(1).first().copied().map(usize::from)),
            30 => Op::Bytes(index, Bytes(opening(["/raw", BARE, BARE_3, "/raw?late"][index % 4]))),
            10..=15 => {
                let count = take(2).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                Op::Bytes(index, Bytes(take(count % 5000)))
            }
            _ => {
                let count = take(1).first().copied().map_or(0, usize::from);
                Op::Bytes(index, Bytes(crate::support::ws::masked(ws::Opcode::Text, &take(count))))
            }
        };
        ops.push(op);
    }
    ops
}

/// The fuzz target: the first byte chooses a cut, the rest are operations.
pub fn hub(data: &[u8]) {
    let Some((&choice, script)) = data.split_first() else { return };
    let ops = decode(script);
    let whole = run(&ops, &Cuts::Whole);
    assert_eq!(run(&ops, &Cuts::Bytes), whole);
    assert_eq!(run(&ops, &Cuts::At(vec![usize::from(choice), 40, 2])), whole);
    check(&whole);
    ends_clean(&ops);
}

/// What holds for every run.
pub fn check(trace: &Trace) {
    let (mut closed, mut living, mut gone) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for told in &trace.told {
        if let Some(conn) = told.conn() {
            assert!(!closed.contains(&conn), "{told:?} after the connection's last event");
        }
        match told {
            Told::Closed(conn, _) => drop(closed.insert(*conn)),
            Told::Connecting(socket, ..) => assert!(!gone.contains(socket) && living.insert(*socket)),
            Told::Connected(socket, _)
            | Told::Recovered(socket)
            | Told::Emit(socket, ..)
            | Told::Disconnected(socket, _, Some(_)) => {
                assert!(living.contains(socket), "{told:?} of a socket that is not there");
            }
            Told::Disconnected(socket, _, None) | Told::Left(socket) => {
                assert!(living.remove(socket) && gone.insert(*socket), "{told:?} of a socket that is not there");
            }
            _ => {}
        }
    }
    for outgoing in &trace.outgoing {
        well_formed(outgoing);
    }
}

/// Responses, or the answer to a handshake and whole frames; a cut end is not looked at.
fn well_formed(outgoing: &[u8]) {
    let upgraded = outgoing.windows(13).position(|window| window == b"HTTP/1.1 101 ");
    assert!(outgoing.iter().zip(b"HTTP/1.1 ").all(|(is, shall)| is == shall));
    let Some(start) = upgraded else { return };
    let Some(end) = outgoing[start..].windows(4).position(|four| four == b"\r\n\r\n") else { return };
    let (head, mut frames) = outgoing[start..].split_at(end + 4);
    assert_eq!(answered(head), (Some(101), Vec::new()));
    let mut closed = false;
    while let [first, second, ..] = *frames {
        assert!(matches!(first, 0x81 | 0x82 | 0x88..=0x8A) && second < 128, "a frame that a hub does not send");
        assert!(!std::mem::replace(&mut closed, first == 0x88), "a frame behind the close frame");
        let (header, length) = match (second, frames) {
            (126, [_, _, a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (126 | 127, _) => return,
            _ => (2, usize::from(second)),
        };
        frames = frames.get(header + length..).unwrap_or_default();
    }
}

/// After a shutdown, and with time, nothing is left.
pub fn ends_clean(ops: &[Op]) {
    let mut world = World::new(ops);
    ops.iter().for_each(|op| world.step(op, &Cuts::Whole));
    world.hub.shutdown(world.now);
    for _ in 0..20 {
        world.step(&Op::ReadAll, &Cuts::Whole);
        world.step(&Op::Advance(4000), &Cuts::Whole);
    }
    assert!(world.hub.is_finished(), "{:?}", world.hub.counts());
    assert_eq!(world.hub.counts(), roomwire::hub::Counts::default());
    assert!(world.conns.iter().all(|conn| world.hub.stream(*conn) == Stream::Closed));
    let closed = world.trace.told.iter().filter(|told| matches!(told, Told::Closed(..))).count();
    assert_eq!(closed, world.conns.len() + world.polls.len(), "each connection's end is told once");
}
