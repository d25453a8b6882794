//! Any requests of two sessions behind each other on one stream, as behind a proxy that does not wait: cuts and slow readers do not
//! show, and when the stream breaks no packet is lost but with its session.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use roomwire::Instant;
use roomwire::http::Response;
use roomwire::hub::{ConnId, Event, Hub, SocketId};
use roomwire::ws::Opcode;

use crate::chunking::{cases, cuts};
use crate::fuzz_hub::Told;
use crate::review::{get, post, session};
use crate::support::cuts::Cuts;
use crate::support::ws::{masked, opening};
use crate::world::{V4, World, config};

/// What is asked for, and by which of the sessions.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Get(usize),
    Post(usize),
    Open,
    Page,
    Upgrade(usize),
    WebSocket,
}

fn pipeline() -> impl Strategy<Value = Vec<Asked>> {
    let one = select(vec![0, 1]);
    let request = prop_oneof![
        4 => one.clone().prop_map(Asked::Get),
        4 => one.clone().prop_map(Asked::Post),
        1 => Just(Asked::Open),
        1 => Just(Asked::Page),
    ];
    let last = prop_oneof![
        2 => one.clone().prop_map(Asked::Get),
        2 => one.prop_map(Asked::Upgrade),
        1 => Just(Asked::WebSocket),
    ];
    (vec(request, 1..8), last).prop_map(|(mut asked, last)| {
        asked.push(last);
        asked
    })
}

/// Two sessions, each with packets that wait for its GET, and a stream.
struct Pipeline {
    hub: Hub,
    now: Instant,
    conn: ConnId,
    sessions: Vec<(String, SocketId)>,
    /// How many packets each was sent.
    emitted: [usize; 2],
    told: Vec<Told>,
    written: Vec<u8>,
}

impl Pipeline {
    fn new() -> Self {
        let mut world = World::new(config());
        let sessions: Vec<_> = (0..2).map(|_| session(&mut world)).collect();
        let conn = world.hub.connect(world.now).unwrap();
        let World { hub, now, .. } = world;
        let mut pipeline = Self { hub, now, conn, sessions, emitted: [0; 2], told: Vec::new(), written: Vec::new() };
        (0..2).for_each(|session| pipeline.emit(session));
        pipeline
    }

    fn emit(&mut self, session: usize) {
        let number = self.emitted[session];
        self.emitted[session] += 1;
        self.hub.emit(self.now, self.sessions[session].1, &format!("s{session}n{number}"), ()).unwrap();
    }

    fn bytes(&self, asked: &[Asked]) -> Vec<u8> {
        let query = |session: usize| &self.sessions[session].0;
        let said = |text: &str| masked(Opcode::Text, text.as_bytes());
        let bytes = |asked: &Asked| match asked {
            Asked::Get(session) => get(query(*session), "").into_bytes(),
            Asked::Post(session) => post(query(*session), "42[\"x\"]\u{1e}42[\"y\"]").into_bytes(),
            Asked::Open => get("EIO=4", "").into_bytes(),
            Asked::Page => b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            Asked::Upgrade(session) => {
                let opening = opening(&format!("/socket.io/?{}&transport=websocket", query(*session)));
                [opening, said("2probe"), said("5"), said("42[\"z\"]")].concat()
            }
            Asked::WebSocket => [opening(V4), said("40")].concat(),
        };
        asked.iter().flat_map(bytes).collect()
    }

    fn react(&mut self, told: Told) {
        match &told {
            Told::Request(conn, _) => self.hub.respond(self.now, *conn, Response::new(200).text("page")),
            Told::Connecting(socket, ..) => self.hub.accept(self.now, *socket).unwrap(),
            Told::Emit(socket, ..) => {
                let session = self.sessions.iter().position(|(_, known)| known == socket).unwrap();
                self.emit(session);
            }
            _ => {}
        }
        self.told.push(told);
    }

    fn tell(&mut self) {
        while let Some(told) = self.hub.poll_event().as_ref().map(Told::from) {
            self.react(told);
        }
    }

    /// Takes what is to be written, at most so much.
    fn write(&mut self, conn: ConnId, most: usize) -> Vec<u8> {
        let bytes: Vec<u8> = self.hub.outgoing(conn).flatten().copied().take(most).collect();
        self.hub.sent(self.now, conn, bytes.len());
        bytes
    }

    /// Drives the stream as the hub's run loop says, writing so much at once, until nothing is left to do or so much is
    /// written.
    fn drive(&mut self, asked: &[Asked], cuts: &Cuts, at_once: usize, most: usize) {
        let bytes = self.bytes(asked);
        let mut pieces = cuts.of(&bytes).into_iter();
        loop {
            self.tell();
            let named = self.hub.poll_transmit();
            if named.is_some_and(|named| named != self.conn) {
                continue;
            }
            let left = most - self.written.len();
            if named.is_some() || self.hub.outgoing_len(self.conn) > 0 && left > 0 {
                let bytes = self.write(self.conn, at_once.min(left));
                self.written.extend(bytes);
            } else if left == 0 || !self.feed(&mut pieces) {
                return;
            }
        }
    }

    /// What is read next, if there is anything.
    fn feed<'a>(&mut self, pieces: &mut impl Iterator<Item = &'a [u8]>) -> bool {
        let Some(piece) = pieces.next() else { return false };
        assert!(self.hub.wants_read(self.conn), "the rest is never read");
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Some(told) = self.hub.receive(self.now, self.conn, &mut input).as_ref().map(told) {
            self.react(told);
        }
        true
    }

    /// The stream is gone: what each session was sent was written, or is still there, or the session is over.
    fn breaks(mut self) {
        self.hub.abort(self.now, self.conn);
        self.tell();
        for session in 0..2 {
            let (query, socket) = self.sessions[session].clone();
            let lost = |told: &Told| matches!(told, Told::Disconnected(lost, ..) if *lost == socket);
            if self.told.iter().any(lost) {
                assert!(!self.hub.is_live(socket));
                continue;
            }
            let mut heard = numbers(&self.written, session);
            let conn = self.hub.connect(self.now).unwrap();
            while heard.len() < self.emitted[session] {
                let mut request = get(&query, "").into_bytes();
                assert!(self.hub.receive(self.now, conn, &mut &mut request[..]).is_none());
                self.tell();
                let answer = self.write(conn, usize::MAX);
                assert!(!answer.is_empty(), "{heard:?} of {:?} and no more: {:?}", self.emitted, self.told);
                heard.extend(numbers(&answer, session));
            }
            assert_eq!(heard, (0..self.emitted[session]).collect::<Vec<_>>(), "in order, and once");
        }
    }
}

fn told(event: &Event<'_>) -> Told {
    event.into()
}

/// The packets for a session in the answers that were written whole.
fn numbers(mut bytes: &[u8], session: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let (head, rest) = bytes.split_at(end + 4);
        let head = std::str::from_utf8(head).unwrap();
        let Some((_, length)) = head.split_once("content-length: ") else { break };
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        let body = std::str::from_utf8(body).unwrap();
        let mark = format!("42[\"s{session}n");
        numbers.extend(body.split(&mark).skip(1).map(|rest| rest.split('"').next().unwrap().parse::<usize>().unwrap()));
        bytes = rest;
    }
    numbers
}

#[test]
fn neither_cuts_nor_slow_readers_show_and_nothing_is_lost_in_silence() {
    let mut runner = TestRunner::new_with_rng(cases(500), TestRng::from_seed(RngAlgorithm::ChaCha, &[6; 32]));
    let at_once = prop_oneof![Just(usize::MAX), 1usize..300];
    let result =
        runner.run(&(pipeline(), cuts(), at_once, any::<prop::sample::Index>()), |(asked, cuts, at_once, at)| {
            let mut whole = Pipeline::new();
            whole.drive(&asked, &Cuts::Whole, usize::MAX, usize::MAX);
            let mut cut = Pipeline::new();
            cut.drive(&asked, &cuts, at_once, usize::MAX);
            prop_assert_eq!(&cut.told, &whole.told);
            prop_assert_eq!(cut.written.escape_ascii().to_string(), whole.written.escape_ascii().to_string());
            let mut broken = Pipeline::new();
            broken.drive(&asked, &cuts, at_once, at.index(whole.written.len() + 1));
            broken.breaks();
            Ok(())
        });
    result.unwrap_or_else(|error| panic!("{error}"));
}
