//! The client against this library's own server, in one thread and virtual time, over streams that are slow and break.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use roomwire::client::{Client, Event, SocketId, StreamId};
use roomwire::engineio::Transports;
use roomwire::hub::{self, ConnId, Hub, Origins, Recovery, Target};
use roomwire::socketio::{Placeholder, Protocol, attach};
use roomwire::{Instant, Stream};

use crate::world::{POLLING, WEBSOCKET, config};

/// One direction of a stream: what is on its way, in order; `None` is its end.
type Way = VecDeque<(Instant, Option<Vec<u8>>)>;

struct Link {
    conn: ConnId,
    up: Way,
    down: Way,
}

/// One client, one hub, and what is between them.
struct Net {
    client: Client,
    hub: Hub,
    now: Instant,
    links: BTreeMap<StreamId, Link>,
    chance: u64,
    /// The longest that bytes are on their way.
    latency: Duration,
    /// What the server's application got, and the client's.
    at_server: Vec<String>,
    at_client: Vec<String>,
    told: Vec<String>,
}

impl Net {
    fn new(transports: Transports, protocol: Protocol, seed: u64, latency: Duration) -> (Self, SocketId) {
        Self::with(transports, protocol, seed, latency, 0, None)
    }

    fn with(
        transports: Transports,
        protocol: Protocol,
        seed: u64,
        latency: Duration,
        retries: u32,
        recovery: Option<Recovery>,
    ) -> (Self, SocketId) {
        let now = Instant::from(Duration::from_secs(1));
        let mut config = config(transports);
        config.protocol = protocol;
        let mut server = hub::Config::new(Origins::Any);
        server.recovery = recovery;
        // Every other seed, so that all of the tests are of both.
        #[cfg(feature = "msgpack")]
        if seed.is_multiple_of(2) {
            config.parser = roomwire::client::Parser::MessagePack;
            server.parser = hub::Parser::MessagePack;
        }
        config.retries = retries;
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut client = Client::new(config, bytes, now).unwrap();
        let socket = client.connect(now, "/", "").unwrap();
        let hub = Hub::new(server, bytes, now).unwrap();
        let net = Self {
            client,
            hub,
            now,
            links: BTreeMap::new(),
            chance: seed,
            latency,
            at_server: Vec::new(),
            at_client: Vec::new(),
            told: Vec::new(),
        };
        (net, socket)
    }

    fn chance(&mut self, below: u64) -> u64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % below.max(1)
    }

    /// Bytes set out, in pieces that arrive one by one.
    fn send(&mut self, stream: StreamId, up: bool, bytes: Option<&[u8]>) {
        let pieces: Vec<Option<Vec<u8>>> = match bytes {
            None => vec![None],
            Some(bytes) => {
                let size = 1 + self.chance(bytes.len() as u64) as usize;
                bytes.chunks(size).map(|piece| Some(piece.to_vec())).collect()
            }
        };
        for piece in pieces {
            let span = Duration::from_nanos(1 + self.chance(self.latency.as_nanos() as u64));
            let at = self.now.saturating_add(span);
            let Some(link) = self.links.get_mut(&stream) else { return };
            let way = if up { &mut link.up } else { &mut link.down };
            let after = way.back().map_or(at, |(last, _)| at.max(*last));
            way.push_back((after, piece));
        }
    }

    /// Everything that both ends have to do now.
    fn turn(&mut self) {
        loop {
            while let Some(event) = self.client.poll_event() {
                self.client_event(event);
            }
            while let Some(event) = self.hub.poll_event() {
                self.hub_event(event);
            }
            if let Some(stream) = self.client.poll_open() {
                let conn = self.hub.connect(self.now).unwrap();
                self.links.insert(stream, Link { conn, up: Way::new(), down: Way::new() });
                self.client.opened(self.now, stream);
                continue;
            }
            if let Some(stream) = self.client.poll_transmit() {
                let bytes = self.client.outgoing(stream).collect::<Vec<_>>().concat();
                self.client.sent(self.now, stream, bytes.len());
                if !bytes.is_empty() {
                    self.send(stream, true, Some(&bytes));
                }
                if self.client.stream(stream) != Stream::Open {
                    self.send(stream, true, None);
                }
                continue;
            }
            let Some(conn) = self.hub.poll_transmit() else { break };
            let bytes = self.hub.outgoing(conn).collect::<Vec<_>>().concat();
            self.hub.sent(self.now, conn, bytes.len());
            let found = self.links.iter().find(|(_, link)| link.conn == conn).map(|(stream, _)| *stream);
            if let Some(stream) = found {
                if !bytes.is_empty() {
                    self.send(stream, false, Some(&bytes));
                }
                if self.hub.stream(conn) != Stream::Open {
                    self.send(stream, false, None);
                }
            }
        }
    }

    /// Until `end`: each thing that happens, in its order.
    fn run_until(&mut self, end: Instant) {
        self.turn();
        for _ in 0..200_000 {
            let ways =
                self.links.iter().flat_map(|(stream, link)| [(*stream, true, &link.up), (*stream, false, &link.down)]);
            let next = ways.filter_map(|(stream, up, way)| way.front().map(|(at, _)| (*at, stream, up))).min();
            let timeout = [self.client.poll_timeout(), self.hub.poll_timeout()].into_iter().flatten().min();
            let at = next.map(|(at, ..)| at).into_iter().chain(timeout).min().unwrap_or(Instant::NEVER);
            if at > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(at);
            match next.filter(|(arrives, ..)| *arrives == at) {
                Some((_, stream, up)) => self.arrive(stream, up),
                None => {
                    self.client.handle_timeout(self.now);
                    self.hub.handle_timeout(self.now);
                }
            }
            self.turn();
        }
        panic!("busy for ever");
    }

    fn run(&mut self, span: Duration) {
        self.run_until(self.now.saturating_add(span));
    }

    fn arrive(&mut self, stream: StreamId, up: bool) {
        let Some(link) = self.links.get_mut(&stream) else { return };
        let conn = link.conn;
        let way = if up { &mut link.up } else { &mut link.down };
        let Some((_, piece)) = way.pop_front() else { return };
        match (piece, up) {
            (Some(mut bytes), true) => {
                let mut input = &mut bytes[..];
                while let Some(event) = self.hub.receive(self.now, conn, &mut input) {
                    // Its names are lent, which this driver does not need.
                    hub_event(&mut self.hub, self.now, &mut self.at_server, event);
                }
            }
            (Some(mut bytes), false) => {
                let mut input = &mut bytes[..];
                while let Some(event) = self.client.receive(self.now, stream, &mut input) {
                    client_event(&mut self.client, self.now, &mut self.at_client, &mut self.told, event);
                }
            }
            (None, true) => self.hub.receive_eof(self.now, conn),
            (None, false) => self.client.receive_eof(self.now, stream),
        }
    }

    /// A stream breaks, what is on its way is lost.
    fn lose_one(&mut self) {
        let streams: Vec<StreamId> = self.links.keys().copied().collect();
        if streams.is_empty() {
            return;
        }
        let stream = streams[self.chance(streams.len() as u64) as usize];
        if let Some(link) = self.links.remove(&stream) {
            self.hub.abort(self.now, link.conn);
            self.client.abort(self.now, stream);
        }
    }

    fn hub_event(&mut self, event: hub::Event<'_>) {
        hub_event(&mut self.hub, self.now, &mut self.at_server, event);
    }

    fn client_event(&mut self, event: Event<'_>) {
        client_event(&mut self.client, self.now, &mut self.at_client, &mut self.told, event);
    }
}

/// The server's application: says hello, sends everything back, and asks for an acknowledgement of what is called `ask`.
fn hub_event(hub: &mut Hub, now: Instant, log: &mut Vec<String>, event: hub::Event<'_>) {
    match event {
        hub::Event::Connecting { socket, .. } => drop(hub.accept(now, socket)),
        hub::Event::Connected { socket, .. } => drop(hub.emit(now, socket, "hello", ())),
        hub::Event::Emit { socket, name, args, reply } => {
            log.push(format!("{name}({}){:?}", args.as_str(), args.attachments()));
            if let Some(reply) = reply {
                hub.ack(now, reply, args.clone()).unwrap();
            }
            if name == "ask" {
                hub.emit_with_ack(now, socket, "asked", args, Duration::from_secs(60)).unwrap();
            } else if hub.emit(now, socket, &name, args).is_err() {
                log.push("gone".into());
            }
        }
        hub::Event::Ack { answer, .. } => log.push(format!("{answer:?}")),
        hub::Event::Disconnected { reason, .. } => log.push(format!("{reason:?}")),
        _ => {}
    }
}

fn client_event(client: &mut Client, now: Instant, log: &mut Vec<String>, told: &mut Vec<String>, event: Event<'_>) {
    match event {
        Event::Emit { name, args, reply, .. } => {
            log.push(format!("{name}({}){:?}", args.as_str(), args.attachments()));
            if let Some(reply) = reply {
                client.ack(now, reply, args).unwrap();
            }
        }
        Event::Ack { answer, .. } => log.push(format!("{answer:?}")),
        Event::Closed { error, .. } => told.push(format!("closed {error:?}")),
        Event::Disconnected { reason, .. } => told.push(format!("{reason:?}")),
        Event::UpgradeFailed { error } => told.push(format!("upgrade failed {error:?}")),
        Event::Upgraded => told.push("upgraded".into()),
        Event::Connected { recovered: true, .. } => told.push("recovered".into()),
        Event::Connected { .. } => {
            log.push("new".into());
            told.push("connected".into());
        }
        _ => {}
    }
}

const ALL: [(Transports, Protocol); 6] = [
    (POLLING, Protocol::V5),
    (WEBSOCKET, Protocol::V5),
    (Transports::ALL, Protocol::V5),
    (POLLING, Protocol::V4),
    (WEBSOCKET, Protocol::V4),
    (Transports::ALL, Protocol::V4),
];

#[test]
fn a_conversation_with_our_own_server() {
    for (seed, (transports, protocol)) in ALL.into_iter().flat_map(|each| [(1, each), (2, each)]) {
        let (mut net, socket) = Net::new(transports, protocol, seed, Duration::from_millis(20));
        net.run(Duration::from_secs(2));
        let mut expected = vec!["connected"];
        if transports == Transports::ALL {
            expected.push("upgraded");
        }
        net.told.sort();
        expected.sort_unstable();
        assert_eq!(net.told, expected, "{transports:?} {protocol:?}");
        assert_eq!(net.at_client, ["new", "hello()[]"]);
        net.at_client.clear();

        let now = net.now;
        net.client.emit(now, socket, "say", ("€😀",)).unwrap();
        net.client.emit(now, socket, "photo", attach((1, Placeholder(0)), [&[1_u8, 2][..]])).unwrap();
        net.client.emit_with_ack(now, socket, "ask", ("x",), Duration::from_secs(60)).unwrap();
        net.run(Duration::from_secs(2));
        let photo = r#"photo(1,{"_placeholder":true,"num":0})[b"\x01\x02"]"#;
        assert_eq!(net.at_client, [r#"say("€😀")[]"#, photo, r#"Ok(Args(["x"]))"#, r#"asked("x")[]"#]);
        assert_eq!(net.at_server, [r#"say("€😀")[]"#, photo, r#"ask("x")[]"#, r#"Ok(Args(["x"]))"#]);

        // The heartbeat holds it for as long as both live.
        net.run(Duration::from_secs(300));
        assert!(net.client.is_connected(socket), "{transports:?} {protocol:?} {:?}", net.told);
        net.client.close(net.now);
        net.run(Duration::from_secs(60));
        assert!(net.client.is_finished(), "{transports:?} {protocol:?}");
        assert_eq!(net.at_server.last().unwrap(), "Client", "{transports:?} {protocol:?}");
        let counts = net.hub.counts();
        assert_eq!((counts.sessions, counts.sockets, counts.connections), (0, 0, 0), "{transports:?} {protocol:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the network's pace: all events arrive, once, in their order, while the transport changes.
    #[test]
    fn nothing_is_lost_repeated_or_reordered_by_an_upgrade(
        seed: u64, latency in 1_u64..300, gaps in proptest::collection::vec(0_u64..120, 1..60), revision_3: bool,
    ) {
        let protocol = if revision_3 { Protocol::V4 } else { Protocol::V5 };
        let (mut net, socket) = Net::new(Transports::ALL, protocol, seed, Duration::from_millis(latency));
        for (nth, gap) in gaps.iter().enumerate() {
            net.run(Duration::from_millis(*gap));
            if nth % 7 == 3 {
                net.client.emit(net.now, socket, "e", attach((nth, Placeholder(0)), [&[nth as u8][..]])).unwrap();
            } else {
                net.client.emit(net.now, socket, "e", (nth,)).unwrap();
            }
        }
        net.run(Duration::from_secs(60));
        prop_assert_eq!(net.told.iter().filter(|told| *told == "upgraded").count(), 1, "{:?}", net.told);
        prop_assert_eq!(net.told.len(), 2, "{:?}", net.told);
        let events: Vec<&String> = net.at_server.iter().filter(|got| got.starts_with("e(")).collect();
        prop_assert_eq!(events.len(), gaps.len());
        for (nth, got) in events.iter().enumerate() {
            prop_assert!(got.starts_with(&format!("e({nth}")), "{}", got);
        }
        let back: Vec<&String> = net.at_client.iter().filter(|got| got.starts_with("e(")).collect();
        prop_assert_eq!(back, events);
    }

    /// Streams that break: with retries every event arrives, at least once, the first time in its order.
    #[test]
    fn every_event_arrives_over_streams_that_break(
        seed: u64, latency in 1_u64..200, steps in proptest::collection::vec((0_u64..2000, any::<bool>()), 1..40),
        which in 0_usize..6,
    ) {
        let (transports, protocol) = ALL[which];
        let (mut net, socket) = Net::with(transports, protocol, seed, Duration::from_millis(latency), 1000, None);
        let mut emitted = 0;
        for (gap, breaks) in steps {
            net.run(Duration::from_millis(gap));
            if breaks {
                net.lose_one();
                net.turn();
            } else {
                net.client.emit(net.now, socket, "e", (emitted,)).unwrap();
                emitted += 1;
            }
        }
        net.run(Duration::from_secs(900));
        prop_assert!(net.client.is_connected(socket), "{:?}", net.told);
        let mut next = 0;
        for got in net.at_server.iter().filter(|got| got.starts_with("e(")) {
            let nth: usize = got[2..].split(')').next().unwrap().parse().unwrap();
            prop_assert!(nth <= next, "{nth} before {next}");
            next = next.max(nth + 1);
        }
        prop_assert_eq!(next, emitted, "{:?} {:?}", net.told, net.at_server);
    }

    /// Streams that break: a client that is recovered has had each event of the server once, in their order.
    #[test]
    fn who_is_recovered_has_missed_nothing(
        seed: u64, latency in 1_u64..200, steps in proptest::collection::vec((0_u64..1500, 0_usize..4), 1..40),
        which in 0_usize..3, forgets: bool,
    ) {
        let (transports, protocol) = ALL[which];
        let mut recovery = Recovery::default();
        if forgets {
            // All but a few events.
            recovery.room_bytes_max = 1024;
        }
        let (mut net, socket) = Net::with(transports, protocol, seed, Duration::from_millis(latency), 0, Some(recovery));
        let mut emitted = 0;
        let mut emit = |net: &mut Net, count: usize| for _ in 0..count {
            let args = attach((emitted, Placeholder(0)), [&[7_u8][..]]);
            net.hub.emit(net.now, Target::namespace("/"), "e", args).unwrap();
            emitted += 1;
        };
        for (gap, count) in steps {
            net.run(Duration::from_millis(gap));
            emit(&mut net, count);
            if count == 0 {
                net.lose_one();
                net.turn();
            }
        }
        net.run(Duration::from_secs(60));
        emit(&mut net, 1);
        net.run(Duration::from_secs(5));
        prop_assert!(net.client.is_connected(socket), "{:?}", net.told);
        let mut next = None;
        for got in &net.at_client {
            if let Some(rest) = got.strip_prefix("e(") {
                let nth = rest.split(',').next().unwrap().parse::<i32>().unwrap();
                prop_assert!(next.is_none_or(|next| next == nth), "{nth} for {next:?}");
                next = Some(nth + 1);
            } else if got == "new" {
                next = None;
            }
        }
        prop_assert_eq!(next, Some(emitted), "{:?} {:?}", net.told, net.at_client);
        let new = net.at_client.iter().filter(|got| *got == "new").count();
        prop_assert!(new == 1 || forgets, "{:?}", net.told);
    }
}
