//! A client and a server that talk as they like, over a network that cuts and is slow, but fair: both are configured in any
//! way, and still all that is sent arrives, nobody is taken for dead, and the end is the same at both ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use roomwire::ws::{
    Accept, CloseCode, Closed, Config, Connection, DeflateConfig, Endpoint, Error, Event, Limits, Message, Opening,
    Piece, PieceLimits, Prepared, SendError, Shared,
};
use roomwire::{Instant, Stream};

use crate::clock::{START, after, millis};
use crate::pieces::pieces;
use crate::script::cases;
use crate::support::pieces::{joined, whole};
use crate::support::ws::Seen;

/// What a peer is to have read within each write time-out, if so much waited.
const PROGRESS_BYTES: usize = 16 << 10;

#[derive(Clone, Debug)]
enum Op {
    Send(How, Message<'static>),
    Piece(Piece<'static>, How),
    Ping(Vec<u8>),
    /// Does nothing for so many milliseconds.
    Rest(u64),
    Close(CloseCode, String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Lent,
    Owned,
    Plain,
    Shared,
    Prepared,
    /// Past the outbox, where that can be.
    Direct,
}

fn messages() -> impl Strategy<Value = Message<'static>> {
    prop_oneof![
        4 => "[a-c€]{0,60}".prop_map(Message::from),
        2 => ("[a-z€]{1,9}", 1usize..1500).prop_map(|(word, count)| Message::from(word.repeat(count))),
        2 => vec(any::<u8>(), 0..2000).prop_map(Message::from),
        1 => (any::<u8>(), 0usize..40_000).prop_map(|(byte, count)| Message::from(vec![byte; count])),
    ]
}

fn hows() -> impl Strategy<Value = How> {
    select(vec![How::Lent, How::Owned, How::Plain, How::Shared, How::Prepared, How::Direct])
}

fn closes() -> impl Strategy<Value = Op> {
    let code = select(vec![1000, 1001, 1011, 3000, 4999]).prop_map(|code| CloseCode::new(code).unwrap());
    (code, "[a-z€]{0,20}").prop_map(|(code, reason)| Op::Close(code, reason))
}

/// What an application does; a message in pieces has pings and rests between them.
fn scripts() -> impl Strategy<Value = VecDeque<Op>> {
    let between = || {
        prop_oneof![
            vec(any::<u8>(), 1..126).prop_map(Op::Ping),
            prop_oneof![0u64..2000, 0u64..100_000].prop_map(Op::Rest),
        ]
    };
    let part = prop_oneof![
        6 => (hows(), messages()).prop_map(|(how, message)| vec![Op::Send(how, message)]),
        3 => (hows(), messages(), vec(any::<Index>(), 1..5), vec(between(), 0..3)).prop_map(|(how, message, cuts, between)| {
            let pieces = pieces(&message, &cuts).into_iter().map(|piece| Op::Piece(piece.into_owned(), how));
            let mut between = between.into_iter();
            pieces.flat_map(|piece| [Some(piece), between.next()]).flatten().collect()
        }),
        3 => between().prop_map(|op| vec![op]),
    ];
    let close = prop_oneof![4 => Just(None), 1 => closes().prop_map(Some)];
    (vec(part, 0..6), close).prop_map(|(parts, close)| parts.into_iter().flatten().chain(close).collect())
}

#[cfg(feature = "deflate")]
fn deflates() -> impl Strategy<Value = Option<DeflateConfig>> {
    prop_oneof![1 => Just(None), 3 => crate::deflate::parameters().prop_map(Some)]
}

#[cfg(not(feature = "deflate"))]
fn deflates() -> impl Strategy<Value = Option<DeflateConfig>> {
    Just(None)
}

fn configs() -> impl Strategy<Value = Config> {
    let limits = (
        prop_oneof![3 => Just(1usize << 20), 1 => Just(20_000), 1 => Just(400)],
        prop_oneof![3 => Just(1000u32), 1 => Just(3)],
        select(vec![50_000usize, 1 << 20]),
        select(vec![1usize, 1000, 65_536]),
    );
    let limits = limits.prop_map(|(message_bytes_max, fragments_max, outbox_bytes_max, read_pause_bytes)| Limits {
        message_bytes_max,
        fragments_max,
        outbox_bytes_max,
        read_pause_bytes,
    });
    let pieces =
        prop_oneof![Just(PieceLimits::default()), Just(PieceLimits { message_bytes_max: 5000, fragments_max: 4 })];
    let times = (prop_oneof![Just(None), (1000u64..40_000).prop_map(Some)], 1000u64..30_000, 1000u64..40_000);
    (limits, prop::option::of(pieces), times, deflates()).prop_map(
        |(limits, pieces, (interval, pong, write), deflate)| {
            Config {
                limits,
                pieces,
                ping_interval: interval.map(millis),
                ping_timeout: millis(pong),
                write_timeout: millis(write),
                // How long the peer may need for all that stands before its answer is not what is tried here.
                close_timeout: Duration::from_secs(1_000_000),
                deflate,
                ..Config::default()
            }
        },
    )
}

/// How fast what one end writes is taken off it.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// So many bytes in each step, which are at least 32 KiB in the write time-out.
    Steady(usize),
    /// Just before the write time-out what waited when it began, of which 16 KiB are asked for.
    Late,
}

/// How an end is driven.
#[derive(Clone, Copy, Debug)]
struct Driver {
    pace: Pace,
    /// How many bytes it keeps for frames that are not whole.
    room: usize,
    lends: bool,
}

fn drivers() -> impl Strategy<Value = Driver> {
    let paces = prop_oneof![
        1 => select(vec![300, 5000]).prop_map(Pace::Steady),
        2 => Just(Pace::Steady(1 << 20)),
        1 => Just(Pace::Late),
    ];
    (paces, select(vec![0usize, 0, 100, 30_000]), any::<bool>()).prop_map(|(pace, room, lends)| Driver {
        pace,
        room,
        lends,
    })
}

/// A message as its receiver has to judge it.
#[derive(Clone, Copy, Debug)]
struct Measure {
    bytes: u64,
    fragments: u64,
}

impl Measure {
    fn is_too_much(self, config: &Config) -> bool {
        let limits = &config.limits;
        let held = PieceLimits {
            message_bytes_max: limits.message_bytes_max as u64,
            fragments_max: limits.fragments_max.into(),
        };
        let most = config.pieces.unwrap_or(held);
        let beyond = |most: PieceLimits| self.bytes > most.message_bytes_max || self.fragments > most.fragments_max;
        beyond(held) && beyond(most)
    }
}

/// One end, its application and its driver.
struct End {
    conn: Connection,
    config: Arc<Config>,
    driver: Driver,
    ops: VecDeque<Op>,
    rests_until: Instant,
    /// What it has said and the other end is to be told, and of its messages how large they are.
    said: Vec<Seen>,
    sizes: Vec<Measure>,
    /// The message that it has begun in pieces.
    begun: Option<(Message<'static>, u64)>,
    /// What the network took as it was sent.
    taken: Vec<u8>,
    close: Option<(CloseCode, String)>,
    /// What is on its way to it, and what its driver keeps.
    pipe: Vec<u8>,
    kept: Vec<u8>,
    seen: Vec<Seen>,
    has_eof: bool,
    /// Since when something waits to be taken, and how much did then.
    waits: Option<(Instant, usize)>,
}

impl End {
    fn new(conn: Connection, config: Arc<Config>, driver: Driver, ops: VecDeque<Op>) -> Self {
        Self {
            conn,
            config,
            driver,
            ops,
            rests_until: START,
            said: Vec::new(),
            sizes: Vec::new(),
            begun: None,
            taken: Vec::new(),
            close: None,
            pipe: Vec::new(),
            kept: Vec::new(),
            seen: Vec::new(),
            has_eof: false,
            waits: None,
        }
    }

    /// Does what the application does next; whether it did anything.
    fn act(&mut self, now: Instant) -> bool {
        if now < self.rests_until {
            return false;
        }
        let Some(op) = self.ops.front().cloned() else { return false };
        let done = match &op {
            Op::Rest(span) => {
                self.rests_until = after(now, millis(*span));
                Ok(())
            }
            Op::Ping(payload) => self.conn.ping(now, payload),
            Op::Close(code, reason) => self.conn.close(now, *code, reason),
            Op::Send(how, message) => self.send(now, *how, message),
            Op::Piece(piece, How::Plain) => self.conn.send_piece_plain(now, piece.clone()),
            Op::Piece(piece, How::Lent) => {
                let Piece { data, first, last } = piece;
                let data = match data {
                    Message::Text(text) => (&**text).into(),
                    Message::Binary(bytes) => (&**bytes).into(),
                };
                self.conn.send_piece(now, Piece { data, first: *first, last: *last })
            }
            Op::Piece(piece, _) => self.conn.send_piece(now, piece.clone()),
        };
        match done {
            Ok(()) => self.note(op),
            Err(SendError::OutboxFull) => return false,
            Err(SendError::NotOpen) => return std::mem::take(&mut self.ops).is_empty(),
            // A message in pieces was to be told by its last one: nothing else is wrong with these scripts.
            Err(error) => panic!("{error}: {op:?}"),
        }
        self.ops.pop_front();
        self.watch(now);
        true
    }

    fn send(&mut self, now: Instant, how: How, message: &Message<'static>) -> Result<(), SendError> {
        match (how, message) {
            (How::Lent, Message::Text(text)) => self.conn.send(now, &**text),
            (How::Lent, Message::Binary(bytes)) => self.conn.send(now, &**bytes),
            (How::Owned, _) => self.conn.send(now, message.clone()),
            (How::Plain, _) => self.conn.send_plain(now, message.clone()),
            (How::Shared, Message::Text(text)) => self.conn.send_shared(now, text.clone().into_owned()),
            (How::Shared, Message::Binary(bytes)) => self.conn.send_shared(now, Shared::from(bytes.to_vec())),
            (How::Direct, _) => {
                let (taken, pace) = (&mut self.taken, self.driver.pace);
                self.conn.send_directly(now, message.clone(), |pieces| {
                    let (size, mut bytes) = (taken.len(), pieces.concat());
                    bytes.truncate(if let Pace::Steady(most) = pace { most } else { 0 });
                    taken.extend(bytes);
                    taken.len() - size
                })
            }
            (How::Prepared, _) => {
                let prepared = match message {
                    Message::Text(text) => Prepared::text(text),
                    Message::Binary(bytes) => Prepared::binary(bytes),
                };
                #[cfg(feature = "deflate")]
                let prepared = prepared.deflated(1);
                self.conn.send_prepared(now, &prepared)
            }
        }
    }

    /// What the other end is to be told of it.
    fn note(&mut self, op: Op) {
        match op {
            Op::Rest(_) => {}
            Op::Ping(payload) => self.said.push(Seen::Ping(payload)),
            Op::Close(code, reason) => self.close = Some((code, reason)),
            Op::Send(_, message) => self.note_message(message, 1),
            Op::Piece(Piece { data, last, .. }, _) => {
                let (message, fragments) = match self.begun.take() {
                    None => (data, 1),
                    Some((Message::Text(text), fragments)) => {
                        let Message::Text(more) = data else { panic!("of two kinds") };
                        (Message::from(text.into_owned() + &more), fragments + 1)
                    }
                    Some((Message::Binary(bytes), fragments)) => {
                        (Message::from([bytes.as_ref(), data.as_bytes()].concat()), fragments + 1)
                    }
                };
                match last {
                    true => self.note_message(message, fragments),
                    false => self.begun = Some((message, fragments)),
                }
            }
        }
    }

    fn note_message(&mut self, message: Message<'static>, fragments: u64) {
        self.sizes.push(Measure { bytes: message.as_bytes().len() as u64, fragments });
        self.said.push(whole(message));
    }

    /// Takes what the network takes now.
    fn write(&mut self, now: Instant, step: Duration) -> Vec<u8> {
        let due = match self.driver.pace {
            Pace::Steady(bytes) => bytes,
            Pace::Late => match self.waits.take() {
                Some((since, waited)) if after(now, step) >= after(since, self.config.write_timeout) => {
                    waited.min(PROGRESS_BYTES)
                }
                waits => {
                    self.waits = waits;
                    0
                }
            },
        };
        let mut bytes: Vec<u8> = self.conn.outgoing().flatten().copied().collect();
        bytes.truncate(due);
        self.conn.sent(now, bytes.len());
        self.watch(now);
        [std::mem::take(&mut self.taken), bytes].concat()
    }

    /// Notes since when something waits to be taken.
    fn watch(&mut self, now: Instant) {
        if self.waits.is_none() && self.conn.outgoing_len() > 0 {
            self.waits = Some((now, self.conn.outgoing_len()));
        }
    }

    /// Reads what has come, cut somewhere.
    fn read(&mut self, now: Instant, chance: &mut impl FnMut(usize) -> usize, lent: &mut Vec<u8>) {
        while !self.pipe.is_empty() && (self.conn.wants_read() || self.conn.stream() != Stream::Open) {
            let most = [7, 200, 5000, 1 << 20][chance(4)];
            let size = 1 + chance(self.pipe.len().min(most));
            let read: Vec<u8> = self.pipe.drain(..size).collect();
            self.kept.extend(read);
            if self.driver.lends {
                self.conn.lend(lent);
            }
            let mut bytes = std::mem::take(&mut self.kept);
            let mut input = &mut bytes[..];
            while let Some(event) = self.conn.receive_in_place(now, &mut input, self.driver.room) {
                self.seen.push(Seen::from(&event));
            }
            self.kept = input.to_vec();
            self.conn.reclaim(lent);
        }
        self.watch(now);
    }

    fn end_of_input(&mut self, now: Instant) {
        if self.has_eof || !self.pipe.is_empty() {
            return;
        }
        self.has_eof = true;
        let mut bytes = std::mem::take(&mut self.kept);
        let mut input = &mut bytes[..];
        while let Some(event) = self.conn.receive(now, &mut input) {
            self.seen.push(Seen::from(&event));
        }
        let told = self.conn.receive_eof(now).map(|event| Seen::from(&event));
        self.seen.extend(told);
    }

    /// Whether it has nothing more to say, and the other end has heard and answered it all.
    fn is_done(&self, other: &Self, now: Instant) -> bool {
        let told = other.seen.iter().filter(|seen| match seen {
            Seen::Text(_) | Seen::Binary(_) | Seen::Piece(Piece { last: true, .. }) => true,
            Seen::Ping(payload) => !payload.is_empty(),
            _ => false,
        });
        self.ops.is_empty()
            && now >= self.rests_until
            && self.conn.is_open()
            && told.count() == self.said.len()
            && self.pongs().last() == self.pings().last()
    }

    /// What it has asked with, and what it was answered; without those of the keepalive.
    fn pings(&self) -> impl Iterator<Item = &[u8]> {
        self.said.iter().filter_map(|said| if let Seen::Ping(payload) = said { Some(&payload[..]) } else { None })
    }

    fn pongs(&self) -> impl Iterator<Item = &[u8]> {
        let pongs =
            self.seen.iter().filter_map(|seen| if let Seen::Pong(payload) = seen { Some(&payload[..]) } else { None });
        pongs.filter(|payload| !payload.is_empty())
    }

    fn closed(&self) -> Option<&Closed> {
        self.seen.iter().find_map(|seen| if let Seen::Closed(closed) = seen { Some(closed) } else { None })
    }
}

/// A client and a server that have made the opening handshake.
fn connections(client: &Arc<Config>, server: &Arc<Config>) -> (Connection, Connection) {
    let mut client = Connection::client(client.clone(), Opening::url("ws://h/").unwrap(), [7; 32], START);
    let mut server = Connection::server(server.clone(), START);
    let mut request = crate::support::ws::flush(&mut client, START);
    assert!(matches!(server.receive(START, &mut &mut request[..]), Some(Event::Upgrade(_))));
    server.accept(START, &Accept::new()).unwrap();
    let mut answer = crate::support::ws::flush(&mut server, START);
    assert!(matches!(client.receive(START, &mut &mut answer[..]), Some(Event::Opened(_))));
    (client, server)
}

/// Who can only answer late is given the time for it: a ping that is written is answered behind what waits.
fn patient(mut config: Config, step: Duration, other: (&Config, Driver)) -> Arc<Config> {
    let late = if let Pace::Late = other.1.pace { other.0.write_timeout } else { Duration::ZERO };
    config.ping_timeout = config.ping_timeout.max(late + 4 * step);
    Arc::new(config)
}

/// Steps in which every pace is fair to both.
fn step(ends: [(&Config, Driver); 2]) -> Duration {
    let fair = ends.iter().map(|(config, driver)| match driver.pace {
        Pace::Steady(bytes) => config.write_timeout.mul_f64((bytes as f64 / (2 * PROGRESS_BYTES) as f64).min(0.5)),
        Pace::Late => config.write_timeout / 4,
    });
    fair.min().unwrap().min(ends[0].0.ping_timeout / 4).min(ends[1].0.ping_timeout / 4)
}

/// Drives both to the end.
fn run(ends: &mut [End; 2], step: Duration, closer: usize, close: Op, seed: u64) -> Result<(), TestCaseError> {
    let mut state = seed | 1;
    let mut chance = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % below.max(1)
    };
    let (mut now, mut lent) = (START, Vec::with_capacity(1024));
    for _ in 0..100_000 {
        for at in [0, 1] {
            if ends[at].driver.lends {
                ends[at].conn.lend(&mut lent);
            }
            while ends[at].act(now) && chance(3) > 0 {}
            let written = ends[at].write(now, step);
            ends[at].conn.reclaim(&mut lent);
            ends[1 - at].pipe.extend(written);
            ends[1 - at].read(now, &mut chance, &mut lent);
            let has_ended = ends[at].conn.stream() != Stream::Open && ends[at].conn.outgoing_len() == 0;
            if has_ended {
                ends[1 - at].end_of_input(now);
            }
        }
        if ends.iter().all(|end| end.conn.stream() == Stream::Closed) {
            return Ok(());
        }
        let [one, other] = &*ends;
        if one.is_done(other, now) && other.is_done(one, now) {
            ends[closer].ops.push_back(close.clone());
        }
        now = after(now, step);
        for end in ends.iter_mut() {
            if end.conn.poll_timeout().is_some_and(|due| due <= now) {
                let told = end.conn.handle_timeout(now).map(|event| Seen::from(&event));
                end.seen.extend(told);
                end.watch(now);
                prop_assert!(end.conn.poll_timeout().is_none_or(|due| due > now), "still due");
            }
        }
    }
    Err(TestCaseError::fail("it never ends"))
}

/// The answers to our pings come in their order.
fn check_pongs(end: &End) -> Result<(), TestCaseError> {
    let mut pings = end.pings();
    for pong in end.pongs() {
        prop_assert!(pings.any(|ping| ping == pong), "a pong that nobody asked for");
    }
    Ok(())
}

/// What `to` was told is what `from` has said: all of it, or what stands before the message that is too much for it.
fn check_told(from: &End, to: &End) -> Result<(), TestCaseError> {
    let told = to.seen.iter().filter(|seen| !matches!(seen, Seen::Pong(_) | Seen::Closed(_)));
    // Pings without payload are the keepalive's.
    let told = told.filter(|seen| !matches!(seen, Seen::Ping(payload) if payload.is_empty())).cloned();
    let (told, rest) = joined(told.collect());
    let is_message = |seen: &&Seen| matches!(seen, Seen::Text(_) | Seen::Binary(_));
    let end = to.closed().expect("it has an end");
    let is_too_much = matches!(end.error, Some(Error::MessageTooBig | Error::TooManyFragments));
    prop_assert!(from.said.starts_with(&told), "told {told:?}\nsaid {:?}", from.said);
    let next = from.sizes.get(told.iter().filter(is_message).count());
    let begun = from
        .begun
        .as_ref()
        .map(|(begun, fragments)| Measure { bytes: begun.as_bytes().len() as u64, fragments: *fragments });
    if is_too_much {
        let next = next.copied().or(begun).expect("there is such a message");
        prop_assert!(next.is_too_much(&to.config), "{next:?} was refused: {end:?}");
    } else if to.close.is_some() || from.closed().is_none_or(|closed| closed.error.is_none()) {
        prop_assert_eq!(&told, &from.said, "not all was told: {:?}", end);
        let begun = from.begun.as_ref().map_or(&b""[..], |(begun, _)| begun.as_bytes());
        prop_assert!(rest.is_none_or(|rest| begun.starts_with(rest.as_bytes())));
    }
    let fits = from.sizes.iter().take(told.iter().filter(is_message).count()).all(|size| !size.is_too_much(&to.config));
    prop_assert!(fits, "more was told than is allowed");
    Ok(())
}

/// Each end is told of one close frame: the other's, with its code and reason, or the answer to its own.
fn check_end(one: &End, other: &End) -> Result<(), TestCaseError> {
    let ends: Vec<_> = one.seen.iter().filter(|seen| matches!(seen, Seen::Closed(_))).collect();
    prop_assert!(ends.len() == 1 && one.seen.last() == Some(ends[0]), "{:?}", ends);
    let (told, others) = (one.closed().unwrap(), other.closed().expect("both end"));
    match told.error {
        Some(Error::MessageTooBig | Error::TooManyFragments) => {
            prop_assert_eq!((told.code, told.by), (CloseCode::TOO_BIG, Endpoint::Local));
        }
        Some(error) => {
            // Who fails while it is closing leaves the other without an answer.
            let unanswered = error == Error::UnexpectedEof && others.error.is_some() && other.close.is_some();
            prop_assert!(unanswered, "{:?}, and the other {:?}", told, others);
        }
        None if told.by == Endpoint::Peer => {
            prop_assert!(one.close.is_none() || !other.conn.is_open());
            match (&other.close, others.error) {
                (Some((code, reason)), _) => prop_assert_eq!((told.code, &told.reason), (*code, reason)),
                (None, error) => prop_assert_eq!((told.code, error.is_some()), (CloseCode::TOO_BIG, true)),
            }
        }
        None => {
            let (own, _) = one.close.as_ref().expect("it has closed");
            let theirs = other.close.as_ref().map(|(code, _)| *code);
            let failed = others.error.and_then(|error| error.close_code());
            prop_assert!(told.code == *own || Some(told.code) == theirs || Some(told.code) == failed, "{:?}", told);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn all_that_is_sent_arrives(
        (client, server) in (configs(), configs()), drivers in (drivers(), drivers()), scripts in (scripts(), scripts()),
        closer in 0usize..2, close in closes(), seed: u64,
    ) {
        let step = step([(&client, drivers.0), (&server, drivers.1)]);
        let configs = [
            patient(client.clone(), step, (&server, drivers.1)),
            patient(server, step, (&client, drivers.0)),
        ];
        let (client, server) = connections(&configs[0], &configs[1]);
        let [client_config, server_config] = configs;
        let mut ends = [
            End::new(client, client_config, drivers.0, scripts.0),
            End::new(server, server_config, drivers.1, scripts.1),
        ];
        run(&mut ends, step, closer, close, seed)?;
        let [client, server] = &ends;
        for (one, other) in [(client, server), (server, client)] {
            check_end(one, other)?;
            check_told(one, other)?;
            check_pongs(one)?;
        }
    }
}
