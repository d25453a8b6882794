//! A hub with an application that reacts in a fixed way, driven by a list of operations, and what came of it:
//! the body of the fuzz target `hub`, and what `tests/hub` compares runs with.

// Each binary uses a part of it.
#![allow(dead_code, unused_imports)]

mod app;
mod op;
mod told;
mod world;

use std::collections::BTreeSet;

use roomwire::Stream;

pub use self::op::{BARE, BARE_3, NEWEST, Op, decode};
pub use self::told::Told;
use self::world::World;
pub use self::world::{Trace, config, run};
use crate::support::cuts::Cuts;
use crate::support::ws::answered;

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
