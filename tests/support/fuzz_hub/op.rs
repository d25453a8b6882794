//! What is done to the hub, and how the bytes of a fuzzer mean it.

use roomwire::ws;

use crate::support::cuts::Bytes;
use crate::support::polls::dance;
use crate::support::ws::{masked, opening};

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
                Op::Bytes(index, Bytes(masked(ws::Opcode::Binary, &take(count))))
            }
            31 => Op::Recover(index, take(1).first().copied().map(usize::from)),
            30 => {
                let targets = ["/raw", BARE, BARE_3, "/raw?late", "/raw?tardy", BARE, BARE_3, "/raw?late"];
                Op::Bytes(index, Bytes(opening(targets[index])))
            }
            10..=15 => {
                let count = take(2).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                Op::Bytes(index, Bytes(take(count % 5000)))
            }
            _ => {
                let count = take(1).first().copied().map_or(0, usize::from);
                Op::Bytes(index, Bytes(masked(ws::Opcode::Text, &take(count))))
            }
        };
        ops.push(op);
    }
    ops
}
