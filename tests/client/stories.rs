//! Whatever the application does and whatever the server says, in whatever order: what is told makes sense.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use roomwire::client::SocketId;
use roomwire::engineio::Transports;
use roomwire::ws::{CloseCode, Message};

use crate::world::{OPEN, OPEN_UPGRADE, POLLING, WEBSOCKET, World, config};

#[derive(Clone, Debug)]
enum Act {
    Connect(usize),
    Disconnect(usize),
    Emit(usize),
    Ask(usize, u64),
    Volatile(usize),
    Reply,
    Reconnect,
    /// The server answers what it was asked with its first packet, where that is due.
    Open,
    /// The server answers a request, or speaks by WebSocket.
    Say(Vec<&'static str>),
    Status,
    Lose(usize),
    Eof(usize),
    CloseSocket,
    Pass(u64),
}

const NAMES: [&str; 3] = ["/", "/a", "/b"];

fn packet() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        12 => prop::sample::select(vec![
            "2", "6", "40{\"sid\":\"x\",\"pid\":\"p\"}", "40/a,{\"sid\":\"y\"}", "40/b,{\"sid\":\"z\"}", "41", "41/a,", "41/b,",
            "44{\"message\":\"no\"}", "44/a,{\"message\":\"no\"}", "42[\"e\",\"o\"]", "42/a,7[\"e\"]", "430[1]", "431[]",
            "432[]", "43/a,0[]", "43/a,1[]", "43/a,2[]", "3probe",
        ]),
        2 => prop::sample::select(vec!["1", "42[", "451-[\"e\",{\"_placeholder\":true,\"num\":0}]", "bAAAA", "x"]),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let name = || 0_usize..3;
    prop_oneof![
        3 => name().prop_map(Act::Connect),
        1 => name().prop_map(Act::Disconnect),
        2 => name().prop_map(Act::Emit),
        3 => (name(), 0_u64..30).prop_map(|(name, seconds)| Act::Ask(name, seconds)),
        1 => name().prop_map(Act::Volatile),
        1 => Just(Act::Reply),
        1 => Just(Act::Reconnect),
        2 => Just(Act::Open),
        12 => prop::collection::vec(packet(), 1..4).prop_map(Act::Say),
        1 => Just(Act::Status),
        1 => (0_usize..3).prop_map(Act::Lose),
        1 => (0_usize..3).prop_map(Act::Eof),
        1 => Just(Act::CloseSocket),
        2 => (0_u64..50_000).prop_map(Act::Pass),
    ]
}

/// A server that knows what it should say, and says anything.
struct Story {
    world: World,
    sockets: [Option<SocketId>; 3],
    asked: usize,
    /// What is open, and which sockets are connected, as it was told.
    open: bool,
    connected: BTreeSet<String>,
    acks: BTreeSet<String>,
}

impl Story {
    fn act(&mut self, act: Act) {
        let world = &mut self.world;
        let now = world.now;
        match act {
            Act::Connect(name) => {
                if let Ok(socket) = world.client.connect(now, NAMES[name], "") {
                    self.sockets[name] = Some(socket);
                }
            }
            Act::Disconnect(name) => {
                if let Some(socket) = self.sockets[name] {
                    world.client.disconnect(now, socket);
                }
            }
            Act::Emit(name) => drop(self.sockets[name].map(|socket| world.client.emit(now, socket, "e", ()))),
            Act::Volatile(name) => {
                drop(self.sockets[name].map(|socket| world.client.emit_volatile(now, socket, "e", ())));
            }
            Act::Ask(name, seconds) => {
                if let Some(socket) = self.sockets[name]
                    && let Ok(ack) = world.client.emit_with_ack(now, socket, "q", (), Duration::from_secs(seconds))
                {
                    world.acks.push(ack);
                    self.asked += 1;
                    // What is due at once is done first.
                    world.client.handle_timeout(now);
                }
            }
            Act::Reply => drop(world.replies.pop().map(|reply| world.client.ack(now, reply, ()))),
            Act::Reconnect => drop(world.client.reconnect(now)),
            Act::Open => match world.any_request() {
                Some(asked) if asked.request.method() == "POST" => world.answer(&asked, "ok"),
                Some(asked) if asked.line.contains("sid=") => world.answer(&asked, "6"),
                Some(asked) => world.answer(&asked, OPEN_UPGRADE),
                None if world.any_socket().is_some() => world.say(OPEN),
                None => {}
            },
            Act::Say(packets) => {
                let mut asked = world.any_request();
                while let Some(post) = asked.take_if(|asked| asked.request.method() == "POST") {
                    world.answer(&post, "ok");
                    asked = world.any_request();
                }
                match asked {
                    Some(get) if get.line.contains("sid=") => world.answer(&get, &packets.join("\u{1e}")),
                    Some(get) => world.answer(&get, OPEN_UPGRADE),
                    None => packets.into_iter().for_each(|packet| {
                        if world.any_socket().is_some() && packet.starts_with('b') {
                            world.send(&[Message::from(&[0_u8; 3][..])]);
                        } else if world.any_socket().is_some() {
                            world.say(packet);
                        }
                    }),
                }
            }
            Act::Status => {
                if let Some(asked) = world.any_request() {
                    world.respond(&asked, "502 Bad Gateway", "connection: close\r\n", b"no");
                }
            }
            Act::Lose(nth) | Act::Eof(nth) => {
                if let Some(stream) = world.written.keys().rev().nth(nth).copied() {
                    if matches!(act, Act::Lose(_)) { world.lose(stream) } else { world.eof(stream) }
                }
            }
            Act::CloseSocket => {
                if world.any_socket().is_some() {
                    world.close_socket(CloseCode::NORMAL);
                }
            }
            Act::Pass(millis) => world.pass_time(Duration::from_millis(millis)),
        }
        self.world.turn();
        self.check();
    }

    fn check(&mut self) {
        for told in self.world.told() {
            let (what, whom) = told.split_once(' ').unwrap_or((&told, ""));
            let whom = whom.split(':').next().unwrap_or_default().to_owned();
            match what {
                "opened" => assert!(!std::mem::replace(&mut self.open, true), "opened twice"),
                "closed" | "closed:" | "closed," => {
                    self.open = false;
                    assert!(self.connected.is_empty(), "{:?} are connected without session", self.connected);
                }
                "connected" | "recovered" => assert!(self.open && self.connected.insert(whom), "{told}"),
                "disconnected" => assert!(self.connected.remove(&whom), "{told}"),
                "refused" => assert!(!self.connected.contains(&whom), "{told}"),
                "ack" => assert!(self.acks.insert(whom), "{told}"),
                _ => {}
            }
        }
        for socket in self.sockets.iter().flatten() {
            let name = format!("{socket:?}").replace("SocketId(", "").replace(')', "");
            assert_eq!(self.world.client.is_connected(*socket), self.connected.contains(&name), "{name}");
        }
        assert_eq!(self.world.client.transport().is_some(), self.open);
        assert!(self.world.streams() <= 12, "{} streams", self.world.streams());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_makes_sense(
        acts in prop::collection::vec(act(), 0..60), retries in 0_u32..2,
        transports in prop::sample::select(vec![Transports::ALL, POLLING, WEBSOCKET]),
    ) {
        let mut config = config(transports);
        config.retries = retries;
        let (connected, acks) = (BTreeSet::new(), BTreeSet::new());
        let mut story =
            Story { world: World::new(config), sockets: [None; 3], asked: 0, open: false, connected, acks };
        story.act(Act::Connect(0));
        for act in acts {
            story.act(act);
        }
        let now = story.world.now;
        story.world.client.close(now);
        story.world.turn();
        story.world.pass_seconds(12);
        story.check();
        prop_assert!(story.world.client.is_finished() && story.world.client.poll_timeout().is_none());
        prop_assert!(!story.open && story.connected.is_empty());
        prop_assert_eq!(story.acks.len(), story.asked);
    }
}
