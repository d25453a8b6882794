use std::hint::black_box;
use std::time::Duration;

use roomwire::hub::{Config, ConnId, Event, Hub, Origins, Plain, Recovery, SocketId, Target};
use roomwire::ws::Opcode;
use roomwire::{Instant, Stream};

use super::{Linear, Path, masked, text};
use crate::section::count;

pub const HOT: &[Path] = &[
    Path { name: "hub: receive EVENT of 100 B, acknowledge it", times: 500, run: event_and_ack },
    Path { name: "hub: emit 100 B to a room of 1000, a delivery", times: 20_000, run: |times| emit(times, 100) },
    Path { name: "hub: emit 1 KiB to a room of 1000, a delivery", times: 20_000, run: |times| emit(times, 1024) },
    Path { name: "hub: join and leave a room of 1000", times: 2000, run: join_and_leave },
    Path { name: "hub: long polling, POST of an EVENT, GET of its acknowledgement", times: 200, run: poll_and_ack },
    Path { name: "hub: a session from its first byte to its end", times: 50, run: come_and_go },
    Path { name: "hub: heartbeat of a session", times: 1000, run: heartbeat },
    Path { name: "hub: presence diff to a room of 100", times: 40, run: presence },
    Path { name: "hub: lost, away and resumed", times: 50, run: resume },
    Path { name: "hub: emit 100 B to a room of 1000, kept, a delivery", times: 20_000, run: emit_kept },
    Path { name: "hub: recovered, an event that was missed", times: 1000, run: recover },
];

pub const LINEAR: &[Linear] = &[
    Linear { name: "hub: emit to all members of a room", units: 500, run: |members| emit(members, 100) },
    Linear { name: "hub: disconnect from all its rooms", units: 100, run: disconnect },
    Linear { name: "hub: sessions that come and go", units: 100, run: come_and_go },
    Linear { name: "hub: all enter a room within one window", units: 200, run: enter },
    Linear { name: "hub: recovered", units: 200, run: recover },
    Linear { name: "hub: messages before their client is accepted", units: 1000, run: early },
];

/// A hub, its application and the clients' side, in virtual time.
struct World {
    hub: Hub,
    now: Instant,
    acknowledged: usize,
    heard: usize,
}

impl World {
    fn new() -> Self {
        Self::with(None)
    }

    fn with(recovery: Option<Recovery>) -> Self {
        let mut config = Config::new(Origins::Any);
        config.recovery = recovery;
        config.limits.rooms_per_socket_max = 1000;
        config.plain = vec![Plain::engine_io("/engine.io/", "/")];
        let hub = Hub::new(config, [9; 32], Instant::ORIGIN).expect("the limits are in order");
        Self { hub, now: Instant::ORIGIN, acknowledged: 0, heard: 0 }
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now.saturating_add(span);
        self.hub.handle_timeout(self.now);
        self.settle();
    }

    /// Bytes of a client, which are written over; who was told to be connecting.
    fn receive(&mut self, conn: ConnId, bytes: &mut [u8]) -> Option<SocketId> {
        self.now = self.now.saturating_add(Duration::from_micros(1));
        let (mut input, mut connecting) = (bytes, None);
        while let Some(event) = self.hub.receive(self.now, conn, &mut input) {
            match event {
                Event::Connecting { socket, .. } => connecting = Some(socket),
                Event::Emit { name, args, reply, .. } => {
                    black_box((name, args));
                    if let Some(reply) = reply {
                        self.hub.ack(self.now, reply, ("ok", 7)).expect("it is live");
                        self.acknowledged += 1;
                    }
                }
                event => drop(black_box(event)),
            }
        }
        connecting
    }

    /// Everything is told and written.
    fn settle(&mut self) {
        while let Some(event) = self.hub.poll_event() {
            drop(black_box(event));
        }
        while let Some(conn) = self.hub.poll_transmit() {
            let size: usize = self.hub.outgoing(conn).map(<[u8]>::len).sum();
            self.heard += usize::from(size > 0);
            self.hub.sent(self.now, conn, size);
        }
    }

    /// A session whose client asks for `/`.
    fn connecting(&mut self) -> (ConnId, SocketId) {
        let conn = self.hub.connect(self.now).expect("there is room");
        self.receive(conn, &mut super::http::head());
        self.settle();
        let socket = self.receive(conn, &mut packet("40")).expect("it asks for a namespace");
        (conn, socket)
    }

    fn client(&mut self) -> (ConnId, SocketId) {
        let (conn, socket) = self.connecting();
        self.hub.accept(self.now, socket).expect("it is awaited");
        self.settle();
        (conn, socket)
    }

    fn room(&mut self, members: usize) -> Vec<(ConnId, SocketId)> {
        let clients: Vec<_> = (0..members).map(|_| self.client()).collect();
        for (_, socket) in &clients {
            self.hub.join(self.now, *socket, "lobby").expect("there is room");
        }
        clients
    }

    /// Clients that are identified and present.
    fn present(&mut self, members: usize) -> Vec<SocketId> {
        let sockets = (0..members).map(|nth| {
            let (_, socket) = self.client();
            self.hub.identify(self.now, socket, &format!("user {nth}")).expect("it is new");
            socket
        });
        let sockets: Vec<_> = sockets.collect();
        for socket in &sockets {
            self.hub.enter(self.now, *socket, "lobby").expect("there is room");
        }
        self.pass(WINDOW);
        sockets
    }

    /// The byte stream of a connection ends.
    fn lose(&mut self, conn: ConnId) {
        self.hub.receive_eof(self.now, conn);
        self.settle();
        assert_eq!(self.hub.stream(conn), Stream::Closed);
    }
}

/// More than changes of presence are gathered for.
const WINDOW: Duration = Duration::from_millis(100);

fn packet(text: &str) -> Vec<u8> {
    masked(true, Opcode::Text, text.as_bytes())
}

fn event_and_ack(times: usize) {
    let mut world = World::new();
    let (conn, _) = world.client();
    let event = |id| {
        format!(r#"42{id}["message",{{"room":"lobby","text":"good evening, everybody","at":1700000000000}},true]"#)
    };
    let mut packets = Vec::from_iter((0..times).map(|nth| packet(&event(100 + nth))));
    count(|| {
        for packet in &mut packets {
            world.receive(conn, packet);
            world.settle();
        }
    });
    assert_eq!(world.acknowledged, times);
}

/// The sessions of long polling: their target, and their id.
struct Poller {
    target: &'static str,
    sid: String,
}

impl Poller {
    /// A session that is opened on this stream; who is connecting by that.
    fn open(world: &mut World, target: &'static str, conn: ConnId) -> (Self, Option<SocketId>) {
        let connecting = world.receive(conn, &mut request("GET", target, "", ""));
        let opened = world.hub.outgoing(conn).collect::<Vec<_>>().concat();
        let opened = String::from_utf8(opened).expect("it is text");
        let sid = opened.split('"').nth(3).expect("it names the session").to_owned();
        world.settle();
        (Self { target, sid }, connecting)
    }

    fn request(&self, method: &str, body: &str) -> Vec<u8> {
        request(method, self.target, &format!("&sid={}", self.sid), body)
    }
}

fn poll_and_ack(times: usize) {
    let mut world = World::new();
    let get = world.hub.connect(world.now).expect("there is room");
    let post = world.hub.connect(world.now).expect("there is room");
    let (session, _) = Poller::open(&mut world, "/socket.io/", get);
    let socket = world.receive(post, &mut session.request("POST", "40")).expect("it asks for a namespace");
    world.hub.accept(world.now, socket).expect("it is awaited");
    world.receive(get, &mut session.request("GET", ""));
    world.settle();
    let event = r#"420["message",{"room":"lobby","text":"good evening, everybody","at":1700000000000},true]"#;
    let mut requests = vec![(session.request("GET", ""), session.request("POST", event)); times];
    (world.acknowledged, world.heard) = (0, 0);
    count(|| {
        for (getting, posting) in &mut requests {
            world.receive(get, getting);
            world.receive(post, posting);
            world.settle();
        }
    });
    assert_eq!((world.acknowledged, world.heard), (times, 2 * times));
}

/// All in one POST, of who has messages alone; then they are told.
fn early(messages: usize) {
    let mut world = World::new();
    let conn = world.hub.connect(world.now).expect("there is room");
    let (session, connecting) = Poller::open(&mut world, "/engine.io/", conn);
    let mut posting = session.request("POST", &vec!["4x"; messages].join("\x1e"));
    count(|| {
        world.receive(conn, &mut posting);
        world.hub.accept(world.now, connecting.expect("it asks at once")).expect("it is awaited");
        let told = std::iter::from_fn(|| world.hub.poll_event());
        assert_eq!(told.filter(|event| matches!(event, Event::Message { .. })).count(), messages);
    });
}

/// A request of long polling as a browser sends it.
fn request(method: &str, target: &str, query: &str, body: &str) -> Vec<u8> {
    let length = match method {
        "POST" => format!("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n", body.len()),
        _ => String::new(),
    };
    format!(
        "{method} {target}?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: chat.example.org\r\nConnection: keep-alive\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: */*\r\n{length}\
        Origin: https://chat.example.org\r\nReferer: https://chat.example.org/\r\nAccept-Encoding: gzip, deflate, br\r\n\
        Accept-Language: en-GB,en;q=0.9\r\n\r\n{body}"
    )
    .into_bytes()
}

fn emit(deliveries: usize, size: usize) {
    broadcast(World::new(), deliveries, size);
}

fn emit_kept(deliveries: usize) {
    broadcast(World::with(Some(Recovery::default())), deliveries, 100);
}

fn broadcast(mut world: World, deliveries: usize, size: usize) {
    let (members, text) = (deliveries.min(1000), text(size));
    world.room(members);
    world.heard = 0;
    count(|| {
        for nth in 0..deliveries / members {
            world.hub.emit(world.now, Target::room("lobby"), "message", (&*text, nth)).expect("it can be written");
            world.settle();
        }
    });
    assert_eq!(world.heard, deliveries);
}

fn join_and_leave(times: usize) {
    let mut world = World::new();
    world.room(1000);
    let (_, socket) = world.client();
    count(|| {
        for _ in 0..times {
            world.hub.join(world.now, socket, "lobby").expect("there is room");
            world.hub.leave(world.now, socket, "lobby").expect("it is there");
        }
    });
    assert_eq!(world.hub.rooms(socket).count(), 0);
}

fn come_and_go(times: usize) {
    let mut world = World::new();
    // Neither the first nor the only one.
    world.room(100);
    count(|| {
        for _ in 0..times {
            let (conn, socket) = world.client();
            world.hub.join(world.now, socket, "lobby").expect("there is room");
            world.receive(conn, &mut packet("41"));
            world.lose(conn);
        }
    });
    assert_eq!(world.hub.counts().sockets, 100);
}

fn heartbeat(times: usize) {
    let mut world = World::new();
    let (conn, _) = world.client();
    let mut pongs = vec![packet("3"); times];
    world.heard = 0;
    count(|| {
        for pong in &mut pongs {
            world.pass(Duration::from_secs(26));
            world.receive(conn, pong);
        }
    });
    assert_eq!(world.heard, times);
}

/// One of them leaves or comes back, and the window ends: the others are told, with one more who is told everything.
fn presence(times: usize) {
    let mut world = World::new();
    let sockets = world.present(100);
    world.heard = 0;
    count(|| {
        for nth in 0..times {
            match nth % 2 {
                0 => world.hub.leave(world.now, sockets[50], "lobby").expect("it is there"),
                _ => world.hub.enter(world.now, sockets[50], "lobby").expect("there is room"),
            }
            world.pass(WINDOW);
        }
    });
    assert_eq!(world.heard, times / 2 * (99 + 100));
}

fn resume(times: usize) {
    let mut world = World::new();
    let (mut conn, socket) = world.client();
    world.hub.join(world.now, socket, "lobby").expect("there is room");
    count(|| {
        for _ in 0..times {
            let token = world.hub.token(socket).expect("it has one");
            world.lose(conn);
            let (next, connecting) = world.connecting();
            assert_eq!(world.hub.resume(world.now, connecting, &token), Ok(socket));
            world.settle();
            conn = next;
        }
    });
    assert!(world.hub.is_live(socket));
}

/// It comes back to so many events.
fn recover(missed: usize) {
    let mut world = World::with(Some(Recovery::default()));
    let (conn, socket) = world.connecting();
    world.hub.accept(world.now, socket).expect("it is awaited");
    let answer = String::from_utf8(world.hub.outgoing(conn).flatten().skip(2).copied().collect()).expect("it is text");
    world.settle();
    world.hub.join(world.now, socket, "lobby").expect("there is room");
    world.lose(conn);
    for nth in 0..missed {
        let receipt = world.hub.emit(world.now, Target::room("lobby"), "message", (text(100), nth));
        assert_eq!(receipt.expect("it can be written").kept, 1);
    }
    let conn = world.hub.connect(world.now).expect("there is room");
    world.receive(conn, &mut super::http::head());
    world.settle();
    // The answer has the pid beside the sid, and the same form as the question.
    let mut claim = packet(&answer);
    count(|| {
        world.receive(conn, &mut claim);
        world.settle();
    });
    assert!(world.hub.is_live(socket));
}

fn disconnect(rooms: usize) {
    let mut world = World::new();
    let (conn, socket) = world.client();
    for nth in 0..rooms {
        world.hub.join(world.now, socket, &format!("room {nth}")).expect("there is room");
    }
    count(|| {
        world.receive(conn, &mut packet("41"));
        world.lose(conn);
    });
    assert_eq!(world.hub.counts().rooms, 0);
}

fn enter(members: usize) {
    let mut world = World::new();
    world.heard = 0;
    count(|| world.present(members));
    assert!(world.heard > members);
}
