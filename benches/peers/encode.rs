//! Who sends. A turn queues messages of together at most 64 KiB (or one), then moves what is to be written into the
//! write buffer, which stands for the socket. Everybody gets payloads as suits it best; where a peer masks
//! the caller's bytes, or must own them, the copy that this takes is its own.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::SinkExt;

use crate::feed::{Duplex, Feed, Written, run};
use crate::payload::{Kind, Random, payload};
use crate::sink::Sink;
use crate::{Contender, KIB, Stopwatch, Work, floor, rounds};

/// The limits first, then roomwire, then peers.
pub const CONTENDERS: &[Contender<Batch>] = &[
    Contender { name: "memcpy", run: memcpy },
    Contender { name: "floor", run: by_hand },
    Contender { name: "roomwire", run: roomwire },
    Contender { name: "tungstenite", run: tungstenite },
    Contender { name: "fastwebsockets", run: fastwebsockets },
    Contender { name: "tokio-websockets", run: tokio_websockets },
    Contender { name: "wtx", run: wtx },
    Contender { name: "sockudo-ws", run: sockudo },
];

/// From here on a second copy costs more than a write of its own.
const DIRECT_BYTES: usize = KIB;

/// What is sent in a turn.
pub struct Batch {
    masked: bool,
    payloads: Vec<Bytes>,
    turns: usize,
    /// What a sink has when the turn is read.
    expected: Sink,
    turn_bytes: usize,
}

impl Work for Batch {
    fn messages(&self) -> usize {
        self.payloads.len() * self.turns
    }
}

impl Batch {
    pub fn new(masked: bool, size: usize) -> Self {
        let mut random = Random::new();
        let payloads: Vec<Bytes> =
            (0..(60 * KIB / size).max(1)).map(|_| payload(Kind::Binary, size, &mut random).into()).collect();
        let mut expected = Sink::new(true);
        payloads.iter().for_each(|payload| expected.message(false, payload));
        let mut frames = Vec::new();
        payloads.iter().for_each(|payload| frame(payload, masked.then_some([0; 4]), &mut frames));
        let turns = rounds(payloads.len() * size, payloads.len());
        Self { masked, turns, expected, turn_bytes: frames.len(), payloads }
    }

    fn written(&self) -> Written {
        Written::new(self.turn_bytes)
    }

    fn duplex(&self) -> Duplex<'static> {
        Duplex::writing(self.turn_bytes)
    }

    /// The last turn is read by hand, in the pass that looks at everything.
    fn verify(&self, watch: &Stopwatch, written: Written) {
        let mut frames = written.last(self.turns);
        if !watch.thorough {
            return;
        }
        if !self.masked {
            let mut expected = Vec::new();
            self.payloads.iter().for_each(|payload| frame(payload, None, &mut expected));
            assert!(frames == expected, "other bytes than these");
            // So that they can be read as what a client sends.
            frames.clear();
            self.payloads.iter().for_each(|payload| frame(payload, Some([0; 4]), &mut frames));
        }
        let (mut sink, size) = (Sink::new(true), frames.len());
        floor::receive(&mut Feed::new(&frames, 1, size), &mut vec![0; size], &mut vec![], &mut sink);
        assert_eq!(sink, self.expected, "other messages than were sent");
    }
}

#[inline(always)]
fn frame(payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let masked = u8::from(mask.is_some()) << 7;
    match payload.len() {
        size @ ..126 => out.extend_from_slice(&[0x82, masked | size as u8]),
        size @ ..65_536 => {
            let [a, b] = (size as u16).to_be_bytes();
            out.extend_from_slice(&[0x82, masked | 126, a, b]);
        }
        size => {
            out.extend_from_slice(&[0x82, masked | 127]);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    let Some(key) = mask else { return out.extend_from_slice(payload) };
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    floor::unmask(&mut out[start..], key);
}

fn memcpy(batch: &Batch, watch: &mut Stopwatch) {
    let mut buffer = Vec::with_capacity(batch.turn_bytes);
    watch.time(|| {
        for _ in 0..batch.turns {
            batch.payloads.iter().for_each(|payload| buffer.extend_from_slice(payload));
            std::hint::black_box(&mut buffer).clear();
        }
    });
}

/// Headers and payloads into one buffer, which is written; keys come from a few shifts.
fn by_hand(batch: &Batch, watch: &mut Stopwatch) {
    let (mut buffer, mut random) = (Vec::with_capacity(batch.turn_bytes), Random::new());
    let mut written = batch.written();
    watch.time(|| {
        for _ in 0..batch.turns {
            for payload in &batch.payloads {
                frame(payload, batch.masked.then(|| random.key()), &mut buffer);
            }
            written.push(&buffer);
            buffer.clear();
        }
    });
    batch.verify(watch, written);
}

fn roomwire(batch: &Batch, watch: &mut Stopwatch) {
    use ::roomwire::{Instant, ws::Connection};

    let now = Instant::ORIGIN;
    let drain = |conn: &mut Connection, written: &mut Written| {
        conn.outgoing().for_each(|piece| written.push(piece));
        conn.sent(now, conn.outgoing_len());
    };
    let mut conn = match batch.masked {
        true => Connection::client_after_upgrade(Arc::default(), [7; 32], now),
        false => Connection::server_after_upgrade(Arc::default(), now),
    };
    let (mut written, mut buffer) = (batch.written(), Vec::with_capacity(20 * KIB));
    watch.time(|| {
        for _ in 0..batch.turns {
            conn.lend(&mut buffer);
            for payload in &batch.payloads {
                // A client has to copy it in any case.
                if payload.len() >= DIRECT_BYTES && !batch.masked {
                    let write = |pieces: [&[u8]; 2]| {
                        pieces.iter().for_each(|piece| written.push(piece));
                        pieces.iter().map(|piece| piece.len()).sum()
                    };
                    conn.send_directly(now, &payload[..], write).expect("room");
                    continue;
                }
                conn.send(now, &payload[..]).expect("room");
                // What was copied is written while it is near.
                if conn.outgoing_len() >= 16 * KIB {
                    drain(&mut conn, &mut written);
                }
            }
            drain(&mut conn, &mut written);
            conn.reclaim(&mut buffer);
        }
    });
    batch.verify(watch, written);
}

fn tungstenite(batch: &Batch, watch: &mut Stopwatch) {
    use ::tungstenite::protocol::{Message, Role, WebSocket};

    let mut duplex = batch.duplex();
    let role = if batch.masked { Role::Client } else { Role::Server };
    let mut socket = WebSocket::from_raw_socket(&mut duplex, role, None);
    watch.time(|| {
        for _ in 0..batch.turns {
            for payload in &batch.payloads {
                socket.write(Message::Binary(payload.clone())).expect("room");
            }
            socket.flush().expect("room");
        }
    });
    batch.verify(watch, duplex.written);
}

fn fastwebsockets(batch: &Batch, watch: &mut Stopwatch) {
    use ::fastwebsockets::{Frame, Payload, Role, WebSocket};

    let mut duplex = batch.duplex();
    let role = if batch.masked { Role::Client } else { Role::Server };
    let mut socket = WebSocket::after_handshake(&mut duplex, role);
    watch.time(|| {
        run(async {
            for _ in 0..batch.turns {
                for payload in &batch.payloads {
                    socket.write_frame(Frame::binary(Payload::Borrowed(payload))).await.expect("room");
                }
                socket.flush().await.expect("room");
            }
        });
    });
    drop(socket);
    batch.verify(watch, duplex.written);
}

fn tokio_websockets(batch: &Batch, watch: &mut Stopwatch) {
    use ::tokio_websockets::{ClientBuilder, Config, Message, ServerBuilder};

    let mut duplex = batch.duplex();
    // One frame for each message, and all of a turn in as few writes as it can.
    let config = Config::default().frame_size(usize::MAX).flush_threshold(usize::MAX);
    let mut socket = match batch.masked {
        true => ClientBuilder::new().config(config).take_over(&mut duplex),
        false => ServerBuilder::new().config(config).serve(&mut duplex),
    };
    watch.time(|| {
        run(async {
            for _ in 0..batch.turns {
                for payload in &batch.payloads {
                    socket.feed(Message::binary(payload.clone())).await.expect("room");
                }
                socket.flush().await.expect("room");
            }
        });
    });
    drop(socket);
    batch.verify(watch, duplex.written);
}

fn wtx(batch: &Batch, watch: &mut Stopwatch) {
    match batch.masked {
        true => wtx_as::<true>(batch, watch),
        false => wtx_as::<false>(batch, watch),
    }
}

fn wtx_as<const IS_CLIENT: bool>(batch: &Batch, watch: &mut Stopwatch) {
    use ::wtx::rng::Xorshift64;
    use ::wtx::web_socket::{Frame, OpCode, WebSocketBuffer, WebSocketOwned};

    let mut duplex = batch.duplex();
    let (buffer, random) = (WebSocketBuffer::new(), Xorshift64::new(1));
    let mut socket = WebSocketOwned::<_, _, _, IS_CLIENT>::new((), false, random, &mut duplex, buffer);
    // It wants the payload's bytes to be its own, and masks them there.
    let mut payloads: Vec<Vec<u8>> = batch.payloads.iter().map(|payload| payload.to_vec()).collect();
    let mut scratch = Vec::with_capacity(batch.turn_bytes);
    watch.time(|| {
        run(async {
            for _ in 0..batch.turns {
                for payload in &mut payloads {
                    let mut own = &mut payload[..];
                    if IS_CLIENT {
                        scratch.clear();
                        scratch.extend_from_slice(own);
                        own = &mut scratch;
                    }
                    let mut frame = Frame::<_, IS_CLIENT>::new_fin(OpCode::Binary, own);
                    socket.write_frame(&mut frame).await.expect("room");
                }
            }
        });
    });
    drop(socket);
    batch.verify(watch, duplex.written);
}

fn sockudo(batch: &Batch, watch: &mut Stopwatch) {
    use sockudo_ws::Message;
    use sockudo_ws::protocol::{Protocol, Role};

    let role = if batch.masked { Role::Client } else { Role::Server };
    let mut protocol = Protocol::new(role, usize::MAX, usize::MAX);
    let (mut outgoing, mut written) = (BytesMut::with_capacity(batch.turn_bytes), batch.written());
    watch.time(|| {
        for _ in 0..batch.turns {
            for payload in &batch.payloads {
                protocol.encode_message(&Message::Binary(payload.clone()), &mut outgoing).expect("room");
            }
            written.push(&outgoing);
            outgoing.clear();
        }
    });
    batch.verify(watch, written);
}
