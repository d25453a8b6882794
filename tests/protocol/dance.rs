//! Events in both directions around every step of the upgrade, over a network that delivers any part of any stream at any
//! time: nothing is lost, repeated or reordered.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use roomwire::hub::{ConnId, SocketId};
use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::Opcode;

use crate::client::{Frame, frame, opening, split_head, text};
use crate::poller::{Answer, Poller, payload};
use crate::polling::{accepting, connected};
use crate::world::{Told, World};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// The application emits so many events; every third has two attachments.
    Emit(u32),
    /// The client emits so many.
    Say(u32),
    /// The client begins the upgrade, if it is not at it.
    Begin,
    /// So many bytes of a stream reach the server.
    Up(Lane, usize),
    /// So many reach the client.
    Down(Lane, usize),
    /// The WebSocket breaks before the client has said that it takes over.
    Break,
}

/// Which of the client's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Get,
    Post,
    WebSocket,
}

const LANES: [Lane; 3] = [Lane::Get, Lane::Post, Lane::WebSocket];

/// How far the client is; as the official one does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Polling,
    /// The WebSocket is on its way or open, the probe not answered.
    Probing,
    /// It was; now the GET and the POST that are under way must come to their end.
    Pausing,
    Upgraded,
}

/// A stream with bytes on their way, both ways.
#[derive(Default)]
struct Wire {
    conn: Option<ConnId>,
    up: VecDeque<u8>,
    down: VecDeque<u8>,
    /// What the client has of an answer or a frame.
    read: Vec<u8>,
    /// Whether a request is under way.
    busy: bool,
    /// Whether the WebSocket's handshake was answered.
    open: bool,
}

struct Dance {
    world: World,
    poller: Poller,
    socket: SocketId,
    phase: Phase,
    wires: BTreeMap<Lane, Wire>,
    /// What the client has to say, and could not yet.
    queue: VecDeque<Frame>,
    emitted: u32,
    said: u32,
    /// The packets of events that came.
    heard: Vec<Frame>,
}

impl Dance {
    fn new(revision: u8) -> Self {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        poller.get = None;
        poller.post = None;
        let wires = LANES.map(|lane| (lane, Wire::default())).into();
        let mut dance = Self {
            world,
            poller,
            socket,
            phase: Phase::Polling,
            wires,
            queue: VecDeque::new(),
            emitted: 0,
            said: 0,
            heard: Vec::new(),
        };
        dance.go_on();
        dance
    }

    fn wire(&mut self, lane: Lane) -> &mut Wire {
        self.wires.get_mut(&lane).unwrap()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Emit(count) => {
                for number in self.emitted..self.emitted + count {
                    self.emit(number);
                }
                self.emitted += count;
                self.world.settle();
            }
            Step::Say(count) => {
                for number in self.said..self.said + count {
                    self.queue.extend(event("c", number, None));
                }
                self.said += count;
            }
            Step::Begin if self.phase == Phase::Polling => {
                self.phase = Phase::Probing;
                let head = opening(&self.poller.target("websocket"), "");
                let conn = self.world.stream();
                *self.wire(Lane::WebSocket) = Wire { conn: Some(conn), up: head.into(), ..Wire::default() };
            }
            Step::Break if matches!(self.phase, Phase::Probing | Phase::Pausing) => {
                self.phase = Phase::Polling;
                let wire = std::mem::take(self.wire(Lane::WebSocket));
                self.world.abort(wire.conn.unwrap());
            }
            Step::Begin | Step::Break => {}
            Step::Up(lane, count) => {
                let wire = self.wire(lane);
                let Some(conn) = wire.conn else { return };
                let count = count.min(wire.up.len());
                let bytes: Vec<u8> = wire.up.drain(..count).collect();
                if !bytes.is_empty() {
                    self.world.feed(conn, &bytes);
                }
            }
            Step::Down(lane, count) => self.down(lane, count),
        }
        self.collect();
        self.go_on();
    }

    fn emit(&mut self, number: u32) {
        let (hub, now) = (&mut self.world.hub, self.world.now);
        if number % 3 == 2 {
            let args = attach((number, Placeholder(1), Placeholder(0)), [&b"one"[..], &number.to_be_bytes()]);
            hub.emit(now, self.socket, "s", args).unwrap();
        } else {
            hub.emit(now, self.socket, "s", (number,)).unwrap();
        }
    }

    /// What the server wrote is on its way.
    fn collect(&mut self) {
        for wire in self.wires.values_mut() {
            if let Some(conn) = wire.conn {
                wire.down.extend(self.world.take(conn));
            }
        }
    }

    fn down(&mut self, lane: Lane, count: usize) {
        let wire = self.wire(lane);
        let count = count.min(wire.down.len());
        let bytes: Vec<u8> = wire.down.drain(..count).collect();
        wire.read.extend(bytes);
        match lane {
            Lane::WebSocket => self.frames(),
            Lane::Get | Lane::Post => {
                while let Some((answer, size)) = Answer::first(&self.wire(lane).read) {
                    let wire = self.wire(lane);
                    wire.read.drain(..size);
                    assert!(std::mem::take(&mut wire.busy), "an answer to nothing");
                    match lane {
                        Lane::Get => {
                            self.heard.extend(answer.packets().into_iter().filter(|packet| *packet != text("6")))
                        }
                        _ => assert_eq!(answer.text(), "ok"),
                    }
                }
            }
        }
    }

    /// The server's frames, which have no mask and are short.
    fn frames(&mut self) {
        let revision = self.poller.revision;
        let wire = self.wire(Lane::WebSocket);
        if !wire.open {
            let Some(end) = wire.read.windows(4).position(|four| four == b"\r\n\r\n") else { return };
            split_head(&wire.read[..end + 4]);
            wire.read.drain(..end + 4);
            wire.open = true;
            wire.up.extend(frame(true, Opcode::Text, b"2probe"));
        }
        loop {
            let wire = self.wire(Lane::WebSocket);
            let [first, length, rest @ ..] = &wire.read[..] else { return };
            assert!(*length < 126, "{first:x} {length}");
            let size = usize::from(*length);
            let Some(data) = rest.get(..size) else { return };
            let packet = match (first, revision) {
                (0x81, _) => Frame::Text(String::from_utf8(data.to_vec()).unwrap()),
                (0x82, 4) => Frame::Binary(data.to_vec()),
                (0x82, _) => Frame::Binary(data.strip_prefix(&[4]).unwrap().to_vec()),
                _ => panic!("frame {first:x}"),
            };
            wire.read.drain(..size + 2);
            match (self.phase, packet) {
                (Phase::Probing, packet) => {
                    assert_eq!(packet, text("3probe"));
                    self.phase = Phase::Pausing;
                }
                (Phase::Upgraded, packet) => self.heard.push(packet),
                (phase, packet) => panic!("{packet:?} while {phase:?}"),
            }
        }
    }

    /// What the client does by itself.
    fn go_on(&mut self) {
        let revision = self.poller.revision;
        match self.phase {
            Phase::Polling | Phase::Probing => {
                if !self.wire(Lane::Get).busy {
                    let bytes = self.poller.get_bytes();
                    self.request(Lane::Get, &bytes);
                }
                if !self.wire(Lane::Post).busy && !self.queue.is_empty() {
                    // Not always all of it: what belongs together may be cut too.
                    let count = self.queue.len().min(1 + self.heard.len() % 5);
                    let packets: Vec<Frame> = self.queue.drain(..count).collect();
                    let bytes = self.poller.post_bytes("text/plain", payload(revision, &packets).as_bytes());
                    self.request(Lane::Post, &bytes);
                }
            }
            Phase::Pausing => {
                if !self.wire(Lane::Get).busy && !self.wire(Lane::Post).busy {
                    self.phase = Phase::Upgraded;
                    self.wire(Lane::WebSocket).up.extend(frame(true, Opcode::Text, b"5"));
                    self.go_on();
                }
            }
            Phase::Upgraded => {
                for packet in std::mem::take(&mut self.queue) {
                    let bytes = match packet {
                        Frame::Text(text) => frame(true, Opcode::Text, text.as_bytes()),
                        Frame::Binary(data) if revision == 3 => {
                            frame(true, Opcode::Binary, &[&[4], &data[..]].concat())
                        }
                        Frame::Binary(data) => frame(true, Opcode::Binary, &data),
                        other => panic!("{other:?}"),
                    };
                    self.wire(Lane::WebSocket).up.extend(bytes);
                }
            }
        }
    }

    fn request(&mut self, lane: Lane, bytes: &[u8]) {
        let conn = self.wire(lane).conn.unwrap_or_else(|| self.world.stream());
        let wire = self.wire(lane);
        wire.conn = Some(conn);
        wire.busy = true;
        wire.up.extend(bytes);
    }

    /// Everything arrives, an upgrade that began comes to its end, and both sides have heard all.
    fn end(mut self) -> Phase {
        self.step(&Step::Emit(1));
        self.step(&Step::Say(1));
        for _ in 0..1000 {
            for lane in LANES {
                self.step(&Step::Up(lane, usize::MAX));
                self.step(&Step::Down(lane, usize::MAX));
            }
        }
        let expected: Vec<Frame> = (0..self.emitted).flat_map(|number| event("s", number, Some("one"))).collect();
        assert_eq!(self.heard, expected);
        let told: Vec<(String, Vec<Vec<u8>>)> = self
            .world
            .news()
            .into_iter()
            .filter_map(|told| match told {
                Told::Emit { args, attachments, .. } => Some((args, attachments)),
                // The WebSockets that broke.
                Told::Closed { .. } => None,
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: Vec<(String, Vec<Vec<u8>>)> = (0..self.said)
            .map(|number| match &event("c", number, None)[..] {
                [Frame::Text(_), Frame::Binary(one), Frame::Binary(two)] => {
                    let places = r#"{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}"#;
                    (format!("{number},{places}"), vec![one.clone(), two.clone()])
                }
                _ => (number.to_string(), vec![]),
            })
            .collect();
        assert_eq!(told, expected);
        assert!(self.world.hub.is_live(self.socket));
        self.phase
    }
}

/// The packets of an event with a number; every third has two attachments.
fn event(name: &str, number: u32, first: Option<&str>) -> Vec<Frame> {
    if number % 3 == 2 {
        let places = r#"{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}"#;
        let first = first.map_or_else(|| vec![b'c', 0, 255], |text| text.as_bytes().to_vec());
        let head = text(&format!(r#"452-["{name}",{number},{places}]"#));
        return vec![head, Frame::Binary(first), Frame::Binary(number.to_be_bytes().to_vec())];
    }
    vec![text(&format!(r#"42["{name}",{number}]"#))]
}

fn lane() -> impl Strategy<Value = Lane> {
    prop::sample::select(&LANES[..])
}

fn amount() -> impl Strategy<Value = usize> {
    prop_oneof![2 => 1_usize..40, 1 => 40_usize..400, 3 => Just(usize::MAX)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1_u32..4).prop_map(Step::Emit),
        1 => (10_u32..30).prop_map(Step::Emit),
        3 => (1_u32..4).prop_map(Step::Say),
        2 => Just(Step::Begin),
        12 => (lane(), amount()).prop_map(|(lane, count)| Step::Up(lane, count)),
        12 => (lane(), amount()).prop_map(|(lane, count)| Step::Down(lane, count)),
        1 => Just(Step::Break),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn nothing_is_lost_repeated_or_reordered(revision in prop::sample::select(vec![3_u8, 4]), steps in steps()) {
        let mut dance = Dance::new(revision);
        steps.iter().for_each(|step| dance.step(step));
        prop_assert!(matches!(dance.end(), Phase::Polling | Phase::Upgraded));
    }
}

/// Every way to put one event on each side between the steps of an upgrade that goes straight on.
#[test]
fn between_every_two_steps() {
    use Lane::{Get, Post, WebSocket};
    let all = usize::MAX;
    let straight = [
        Step::Up(Get, all),
        Step::Begin,
        Step::Up(WebSocket, all),
        Step::Down(WebSocket, all),
        Step::Up(WebSocket, all),
        Step::Down(WebSocket, all),
        Step::Down(Get, all),
        Step::Up(WebSocket, all),
        Step::Down(WebSocket, all),
    ];
    for revision in [3, 4] {
        for first in 0..=straight.len() {
            for second in first..=straight.len() {
                for kinds in [[true, true], [true, false], [false, true], [false, false]] {
                    let mut dance = Dance::new(revision);
                    for at in 0..=straight.len() {
                        for (place, emits) in [first, second].into_iter().zip(kinds) {
                            if place == at {
                                // The third has attachments.
                                dance.step(&if emits { Step::Emit(3) } else { Step::Say(3) });
                                dance.step(&Step::Up(Post, all));
                            }
                        }
                        if let Some(step) = straight.get(at) {
                            dance.step(step);
                        }
                    }
                    assert_eq!(dance.end(), Phase::Upgraded);
                }
            }
        }
    }
}
