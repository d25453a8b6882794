//! A hub, its application, and whoever is connected.

use std::collections::BTreeSet;
use std::time::Duration;

use roomwire::hub::{Config, ConnId, Hub, Namespaces, Origins, Plain, Recovery};
use roomwire::{Instant, Stream, http, ws};

use super::app::App;
use super::op::{NEWEST, Op};
use super::told::Told;
use crate::support::cuts::{Bytes, Cuts};
use crate::support::polls::Poller;
use crate::support::ws::{masked, opening};

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

pub(super) struct World {
    pub(super) hub: Hub,
    pub(super) now: Instant,
    pub(super) conns: Vec<ConnId>,
    pub(super) trace: Trace,
    app: App,
    pollers: Vec<Poller>,
    /// The streams of long polling, which nothing else uses.
    pub(super) polls: Vec<ConnId>,
    /// Those whose readers look again whether they are to read.
    woken: BTreeSet<ConnId>,
}

impl World {
    pub(super) fn new(ops: &[Op]) -> Self {
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
        Self {
            hub,
            now: Instant::ORIGIN,
            conns: Vec::new(),
            trace,
            app: App::default(),
            pollers,
            polls,
            woken: BTreeSet::new(),
        }
    }

    fn at(&self, index: usize) -> Option<ConnId> {
        if index == NEWEST {
            return self.conns.last().copied();
        }
        self.conns.get(index.checked_rem(self.conns.len())?).copied()
    }

    pub(super) fn step(&mut self, op: &Op, cuts: &Cuts) {
        self.woken.clear();
        let waiting: Vec<ConnId> = self.all().filter(|conn| !self.hub.wants_read(*conn)).collect();
        self.act(op, cuts);
        for conn in waiting {
            assert!(!self.hub.wants_read(conn) || self.woken.contains(&conn), "whoever reads {conn:?} was not told");
        }
    }

    fn all(&self) -> impl Iterator<Item = ConnId> {
        self.conns.iter().chain(&self.polls).copied()
    }

    fn act(&mut self, op: &Op, cuts: &Cuts) {
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
                self.act(&Op::Advance(*millis), cuts);
                self.feed(conn, rest, cuts);
            }
            Op::Upgrade(index, bytes) => {
                let Some(poller) = self.poller(*index) else { return };
                let opening = opening(&self.pollers[poller].target("websocket"));
                self.act(&Op::Connect, cuts);
                self.act(&Op::Bytes(NEWEST, Bytes([&opening[..], bytes].concat())), cuts);
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
                let claim = masked(ws::Opcode::Text, format!("40{{\"pid\":\"{pid}\"{offset}}}").as_bytes());
                let opening = opening("/socket.io/?EIO=4&transport=websocket");
                self.act(&Op::Connect, cuts);
                self.act(&Op::Bytes(NEWEST, Bytes([opening, claim].concat())), cuts);
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
                for socket in std::mem::take(&mut self.app.tardy) {
                    // It may have gone meanwhile.
                    let _ = self.hub.accept(self.now, socket);
                }
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
        self.woken.extend(named);
    }

    fn read(&mut self, at: usize, count: usize) {
        let conn = self.conns[at];
        let bytes: Vec<u8> = self.hub.outgoing(conn).flatten().copied().take(count).collect();
        assert!(bytes.len() == count || bytes.len() == self.hub.outgoing_len(conn));
        self.hub.sent(self.now, conn, bytes.len());
        self.woken.insert(conn);
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
            self.woken.insert(conn);
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
