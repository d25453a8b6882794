//! Streams that are nearly right, whole and in pieces: nothing panics, every end is told once, nobody else notices,
//! and where a stream is cut is invisible.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roomwire::hub::{ConnId, Counts, SocketId};
use roomwire::ws::Opcode;

use crate::app::App;
use crate::client::{Client, MAIN, MAIN_3, frame, get, message, opening, text};
use crate::world::{Told, World, open_config, secs};

const PACKETS: [&str; 24] = [
    "40",
    "40/admin,{\"token\":\"secret\"}",
    "40/dyn-1",
    "40/admin?token=secret,",
    "41",
    "41/admin,",
    r#"42["msg","plain",1.5,false,null,{"k":"v"}]"#,
    r#"420["echo","with ack",{"x":1}]"#,
    r#"42/admin,12["echo",[[]]]"#,
    r#"42["ask"]"#,
    r#"42/admin,["ask"]"#,
    r#"430["answer"]"#,
    "430[ ]",
    r#"43/admin,1[]"#,
    r#"42["leave-ns"]"#,
    r#"42["msg","€ 😀"]"#,
    r#"42[1,"a"]"#,
    "44{}",
    r#"451-["a",{"_placeholder":true,"num":0}]"#,
    "2",
    "3",
    "1",
    "5",
    "4",
];

/// A step of a client.
#[derive(Clone, Debug)]
enum Step {
    Packet(String),
    Fragments(String, usize),
    Binary(Vec<u8>),
    Ping,
    Close,
}

impl Step {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Packet(packet) => message(packet),
            Self::Fragments(packet, at) => {
                let (front, back) = packet.as_bytes().split_at(at % (packet.len() + 1));
                [frame(false, Opcode::Text, front), frame(true, Opcode::Continuation, back)].concat()
            }
            Self::Binary(bytes) => frame(true, Opcode::Binary, bytes),
            Self::Ping => frame(true, Opcode::Ping, b"ping"),
            Self::Close => frame(true, Opcode::Close, &1001_u16.to_be_bytes()),
        }
    }
}

fn packet() -> impl Strategy<Value = String> {
    let known = prop::sample::select(PACKETS.to_vec()).prop_map(str::to_owned);
    // One character of a known packet is another, or gone, or there twice.
    let bent = (prop::sample::select(PACKETS.to_vec()), any::<prop::sample::Index>(), "[0-9a-z\",/\\[\\]{}?-]{0,2}")
        .prop_map(|(packet, at, with)| {
            let mut characters: Vec<String> = packet.chars().map(String::from).collect();
            let at = at.index(characters.len());
            characters[at] = with;
            characters.concat()
        });
    prop_oneof![3 => known, 2 => bent]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => packet().prop_map(Step::Packet),
        2 => (packet(), any::<usize>()).prop_map(|(packet, at)| Step::Fragments(packet, at)),
        1 => prop::collection::vec(any::<u8>(), 0..5).prop_map(Step::Binary),
        1 => Just(Step::Ping),
        1 => Just(Step::Close),
    ]
}

/// A stream of bytes from its beginning, some of them changed.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let front = prop_oneof![
        4 => Just(opening(MAIN, "")),
        4 => Just(opening(MAIN_3, "")),
        1 => Just([get("/page"), get("/socket.io/?EIO=4"), opening(MAIN, "")].concat()),
    ];
    let first = prop::option::weighted(0.8, Just(Step::Packet("40".into())));
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (front, first, prop::collection::vec(step(), 0..12), changes).prop_map(|(mut bytes, first, steps, changes)| {
        first.iter().chain(&steps).for_each(|step| bytes.extend(step.bytes()));
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes
    })
}

/// What came of a stream: what was told, and what was written.
fn run(pieces: &[&[u8]], end: bool) -> (Vec<Told>, Vec<u8>) {
    let mut world = World::captured();
    let mut neighbour = Client::connected(&mut world);
    world.news();
    let conn = world.stream();
    for piece in pieces {
        world.feed(conn, piece);
        echo(&mut world, &mut neighbour);
    }
    if end {
        world.abort(conn);
    }
    echo(&mut world, &mut neighbour);
    let written = world.take(conn);
    let told = world.news();
    check_ends(&told, conn, end);
    if end {
        world.pass(secs(25));
        assert_eq!(neighbour.ask(&mut world, "3"), [text("2")]);
        world.pass(secs(10));
        // Nothing is left but the neighbour.
        let counts = world.hub.counts();
        assert_eq!(counts, Counts { connections: 1, sessions: 1, sockets: 1, ..Counts::default() });
    }
    let neighbours = |told: &Told| matches!(told, Told::Emit { args, .. } if args == "\"neighbour\"");
    (told.into_iter().filter(|told| !neighbours(told)).collect(), written)
}

/// The neighbour says something and hears it.
fn echo(world: &mut World, neighbour: &mut Client) {
    assert_eq!(neighbour.ask(world, r#"42["msg","neighbour"]"#), [text(r#"42["msg-back","neighbour"]"#)]);
}

/// At most one end of the stream, told last; each socket that was told has an end, once, and is silent afterwards.
fn check_ends(told: &[Told], conn: ConnId, ended: bool) {
    let mut alive: BTreeMap<SocketId, bool> = BTreeMap::new();
    let mut closed = false;
    for event in told {
        if let Told::Emit { args, .. } = event
            && args == "\"neighbour\""
        {
            continue;
        }
        assert!(!closed, "{event:?} after the end: {told:?}");
        match event {
            Told::Connecting { socket, .. } => assert_eq!(alive.insert(*socket, true), None, "{told:?}"),
            Told::Connected { socket, .. } | Told::Emit { socket, .. } | Told::Ack { socket, .. } => {
                assert_eq!(alive.get(socket), Some(&true), "{event:?}: {told:?}");
            }
            Told::Disconnected { socket, .. } => assert_eq!(alive.insert(*socket, false), Some(true), "{told:?}"),
            Told::Closed { conn: over, .. } => {
                assert_eq!(*over, conn);
                closed = true;
            }
            Told::Request { .. } | Told::Refused { .. } => {}
            Told::Message { .. } | Told::Left { .. } | Told::Other(_) => panic!("{event:?}"),
        }
    }
    assert!(!ended || closed, "no end: {told:?}");
    // Those that the application refused are told by no event.
    let refused =
        told.iter().filter(|told| matches!(told, Told::Connecting { namespace, .. } if namespace == "/admin")).count();
    let left = alive.values().filter(|alive| **alive).count();
    assert!(!closed || left <= refused, "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nearly_right_streams(bytes in stream()) {
        run(&[&bytes], true);
    }

    /// A driver may read any number of bytes at a time.
    #[test]
    fn cuts_are_invisible(bytes in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6), end: bool) {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for place in places {
            pieces.push(&bytes[from..place]);
            from = place;
        }
        pieces.push(&bytes[from..]);
        let whole = run(&[&bytes], end);
        prop_assert_eq!(&run(&pieces, end), &whole);
        prop_assert_eq!(run(&bytes.chunks(1).collect::<Vec<_>>(), end), whole);
    }

    /// The same with an application that does nothing: everybody waits to be let in.
    #[test]
    fn nobody_is_let_in(bytes in stream()) {
        let mut world = World::new(open_config(), App::Manual);
        let conn = world.stream();
        world.feed(conn, &bytes);
        world.abort(conn);
        check_ends(&world.news(), conn, true);
        prop_assert_eq!(world.hub.counts(), Counts::default());
    }
}
