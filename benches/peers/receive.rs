//! Who receives, and how each is driven: with buffers made beforehand that have room for a read, or for a whole message
//! where a peer wants that, and with every limit wide open.

use std::sync::Arc;

use bytes::BytesMut;
use futures_util::StreamExt;

use crate::feed::{Duplex, Feed, run};
use crate::payload::{Kind, Random, payload};
use crate::sink::Sink;
use crate::{Contender, KIB, MIB, Stopwatch, Work, floor, rounds};

/// The limits first, then roomwire, in pieces and whole, then peers.
pub const CONTENDERS: &[Contender<Stream>] = &[
    Contender { name: "memcpy", run: memcpy },
    Contender { name: "floor", run: by_hand },
    Contender { name: "in pieces", run: in_pieces },
    Contender { name: "roomwire", run: roomwire },
    Contender { name: "tungstenite", run: tungstenite },
    Contender { name: "fastwebsockets", run: fastwebsockets },
    Contender { name: "tokio-websockets", run: tokio_websockets },
    Contender { name: "wtx", run: wtx },
    Contender { name: "sockudo-ws", run: sockudo },
];

/// The most that roomwire's driver reads at once: what lies near the processor when it is unmasked.
const NEAR_BYTES: usize = 32 * KIB;
const LINE_BYTES: usize = 64;

/// Masked messages as they come from a client, over and over.
pub struct Stream {
    bytes: Vec<u8>,
    /// Where frames end.
    ends: Vec<usize>,
    rounds: usize,
    read_bytes: usize,
    buffer_bytes: usize,
    /// For a buffer that holds a message of the row and one of 16 KiB, with headers.
    room_bytes: usize,
    /// What a sink has at the end, when it looked at the ends of payloads and when at all of them.
    expected: [Sink; 2],
}

impl Work for Stream {
    fn messages(&self) -> usize {
        self.expected[0].messages
    }
}

impl Stream {
    pub fn new(kind: Kind, size: usize, fragments: usize, read_bytes: usize) -> Self {
        let mut random = Random::new();
        let payloads: Vec<Vec<u8>> =
            (0..(MIB / size).clamp(2, 16 * KIB)).map(|_| payload(kind, size, &mut random)).collect();
        let (mut bytes, mut ends) = (vec![], vec![]);
        for payload in &payloads {
            let pieces = payload.chunks(size.div_ceil(fragments));
            let last = pieces.len() - 1;
            for (place, piece) in pieces.enumerate() {
                let opcode = if place > 0 { 0 } else { 2 - u8::from(kind.is_text()) };
                masked_frame(u8::from(place == last) << 7 | opcode, piece, random.key(), &mut bytes);
                ends.push(bytes.len());
            }
        }
        let rounds = rounds(bytes.len(), payloads.len());
        let expected = [false, true].map(|thorough| {
            let mut sink = Sink::new(thorough);
            (0..rounds).for_each(|_| payloads.iter().for_each(|payload| sink.message(kind.is_text(), payload)));
            sink
        });
        let (buffer_bytes, room_bytes) = ((64 * KIB).max(size + 14), (16 * KIB).max(size) + KIB);
        Self { bytes, ends, rounds, read_bytes, buffer_bytes, room_bytes, expected }
    }

    fn feed(&self) -> Feed<'_> {
        Feed::new(&self.bytes, self.rounds, self.read_bytes)
    }

    /// Times `work` and looks at what it delivered.
    fn measure(&self, watch: &mut Stopwatch, work: impl FnOnce(&mut Sink)) {
        let mut sink = Sink::new(watch.thorough);
        watch.time(|| work(&mut sink));
        assert_eq!(sink, self.expected[usize::from(watch.thorough)], "other messages than were sent");
    }
}

fn masked_frame(first: u8, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
    out.push(first);
    match payload.len() {
        size @ ..126 => out.push(0x80 | size as u8),
        size @ ..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The bytes are copied, as for everybody, and nothing else is done.
fn memcpy(stream: &Stream, watch: &mut Stopwatch) {
    let (mut feed, mut buffer) = (stream.feed(), vec![0; 64 * KIB]);
    watch.time(|| while std::hint::black_box(feed.fill(std::hint::black_box(&mut buffer))) > 0 {});
}

fn by_hand(stream: &Stream, watch: &mut Stopwatch) {
    let (mut feed, mut buffer) = (stream.feed(), vec![0; stream.buffer_bytes]);
    let mut gathered = Vec::with_capacity(stream.buffer_bytes);
    stream.measure(watch, |sink| floor::receive(&mut feed, &mut buffer, &mut gathered, sink));
}

fn roomwire(stream: &Stream, watch: &mut Stopwatch) {
    roomwire_with(stream, watch, ::roomwire::ws::Config::default());
}

/// Every message is told as it comes, and nothing is gathered.
fn in_pieces(stream: &Stream, watch: &mut Stopwatch) {
    use ::roomwire::ws::{Config, Limits, PieceLimits};

    let limits = Limits { message_bytes_max: 1, ..Limits::default() };
    roomwire_with(stream, watch, Config { limits, pieces: Some(PieceLimits::default()), ..Config::default() });
}

fn roomwire_with(stream: &Stream, watch: &mut Stopwatch, config: ::roomwire::ws::Config) {
    let (mut feed, mut memory) = (stream.feed(), vec![0; stream.room_bytes + 2 * LINE_BYTES]);
    let line = memory.as_ptr().align_offset(LINE_BYTES);
    let buffer = &mut memory[line..];
    let mut conn = roomwire_server(config);
    stream.measure(watch, |sink| {
        let (mut nanos, mut begin, mut end) = (0, 0, 0);
        loop {
            let most = (begin + stream.room_bytes).min(end + NEAR_BYTES);
            let count = feed.fill(&mut buffer[end..most]);
            if count == 0 {
                break;
            }
            // A driver asks its clock once for each read; what that costs is the driver's.
            nanos += 1000;
            end += count;
            let left = roomwire_receive(&mut conn, nanos, &mut buffer[begin..end], stream.room_bytes, sink);
            if left < end - begin {
                // So that the next read begins where a cache line does.
                let next = left.next_multiple_of(LINE_BYTES);
                buffer.copy_within(end - left..end, next - left);
                (begin, end) = (next - left, next);
            }
        }
    });
}

fn roomwire_server(config: ::roomwire::ws::Config) -> ::roomwire::ws::Connection {
    ::roomwire::ws::Connection::server_after_upgrade(Arc::new(config), ::roomwire::Instant::ORIGIN)
}

/// How much is left: the beginning of a frame, to be read on behind.
#[inline(always)]
fn roomwire_receive(
    conn: &mut ::roomwire::ws::Connection,
    nanos: u64,
    mut input: &mut [u8],
    room: usize,
    sink: &mut Sink,
) -> usize {
    use ::roomwire::ws::{Event, Message, Opcode};

    while let Some(event) = conn.receive_in_place(::roomwire::Instant::from_nanos(nanos), &mut input, room) {
        match event {
            Event::Message(Message::Text(text)) => sink.message(true, text.as_bytes()),
            Event::Message(Message::Binary(bytes)) => sink.message(false, &bytes),
            Event::Piece(piece) => sink.piece(piece.data.opcode() == Opcode::Text, piece.data.as_bytes(), piece.last),
            other => panic!("{other:?}"),
        }
    }
    input.len()
}

/// In the tables a frame now and then lies across two reads, and is gathered. Where reads end with frames there must
/// be no allocation at all.
pub fn whole_frames_allocate_nothing() {
    for (kind, size) in [(Kind::Binary, 16), (Kind::Ascii, KIB), (Kind::Mixed, 16 * KIB)] {
        let stream = Stream::new(kind, size, 1, 64 * KIB);
        let (mut conn, mut sink, mut buffer) =
            (roomwire_server(Default::default()), Sink::new(false), stream.bytes.clone());
        let before = crate::allocations::count();
        let mut begin = 0;
        for &end in &stream.ends {
            roomwire_receive(&mut conn, 1, &mut buffer[begin..end], 0, &mut sink);
            begin = end;
        }
        assert_eq!(crate::allocations::count(), before, "roomwire allocated for frames of {size} bytes");
        assert_eq!(sink.messages, stream.ends.len());
    }
}

fn tungstenite(stream: &Stream, watch: &mut Stopwatch) {
    use ::tungstenite::protocol::{Message, Role, WebSocket, WebSocketConfig};

    let config = WebSocketConfig::default().read_buffer_size(64 * KIB);
    let mut socket = WebSocket::from_raw_socket(Duplex::reading(stream.feed()), Role::Server, Some(config));
    stream.measure(watch, |sink| {
        for _ in 0..stream.messages() {
            match socket.read() {
                Ok(Message::Text(text)) => sink.message(true, text.as_bytes()),
                Ok(Message::Binary(bytes)) => sink.message(false, &bytes),
                other => panic!("{other:?}"),
            }
        }
    });
}

fn fastwebsockets(stream: &Stream, watch: &mut Stopwatch) {
    use ::fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};

    let socket = WebSocket::after_handshake(Duplex::reading(stream.feed()), Role::Server);
    let mut socket = FragmentCollector::new(socket);
    stream.measure(watch, |sink| {
        run(async {
            for _ in 0..stream.messages() {
                let frame = socket.read_frame().await.expect("a frame");
                sink.message(frame.opcode == OpCode::Text, &frame.payload);
            }
        });
    });
}

fn tokio_websockets(stream: &Stream, watch: &mut Stopwatch) {
    use ::tokio_websockets::{Limits, ServerBuilder};

    let mut socket = ServerBuilder::new().limits(Limits::unlimited()).serve(Duplex::reading(stream.feed()));
    stream.measure(watch, |sink| {
        run(async {
            for _ in 0..stream.messages() {
                let message = socket.next().await.expect("no end yet").expect("a message");
                sink.message(message.is_text(), message.as_payload());
            }
        });
    });
}

fn wtx(stream: &Stream, watch: &mut Stopwatch) {
    use ::wtx::collection::Vector;
    use ::wtx::rng::Xorshift64;
    use ::wtx::web_socket::{OpCode, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin};

    let buffer = WebSocketBuffer::with_capacity(stream.buffer_bytes, 0, 0).expect("memory");
    let duplex = Duplex::reading(stream.feed());
    let mut socket = WebSocketOwned::<_, _, _, false>::new((), false, Xorshift64::new(1), duplex, buffer);
    let mut gathered = Vector::with_capacity(stream.buffer_bytes).expect("memory");
    stream.measure(watch, |sink| {
        run(async {
            for _ in 0..stream.messages() {
                let frame = socket.read_frame(&mut gathered, WebSocketPayloadOrigin::Adaptive).await.expect("a frame");
                sink.message(frame.op_code() == OpCode::Text, frame.payload());
            }
        });
    });
}

/// By its protocol alone, which is what its stream drives, and quicker.
fn sockudo(stream: &Stream, watch: &mut Stopwatch) {
    use sockudo_ws::Message;
    use sockudo_ws::protocol::{Protocol, Role};

    let (mut feed, mut protocol) = (stream.feed(), Protocol::new(Role::Server, 64 * MIB, 64 * MIB));
    let (mut buffer, mut messages) = (BytesMut::with_capacity(stream.buffer_bytes), Vec::new());
    stream.measure(watch, |sink| {
        loop {
            buffer.reserve(stream.read_bytes);
            let piece = feed.next(buffer.capacity() - buffer.len());
            if piece.is_empty() {
                break;
            }
            buffer.extend_from_slice(piece);
            protocol.process_into(&mut buffer, &mut messages).expect("messages");
            for message in messages.drain(..) {
                match message {
                    Message::Text(text) => sink.message(true, &text),
                    Message::Binary(bytes) => sink.message(false, &bytes),
                    other => panic!("{other:?}"),
                }
            }
        }
    });
}
