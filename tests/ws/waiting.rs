//! Large frames that wait in the driver's buffer: what came of them is unmasked before their end comes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use roomwire::ws::{CloseCode, Config, Connection, Error, Event, Message, Opcode, Role};

use crate::clock::{START, after, client, closed, millis, server};
use crate::script::{cases, fragmented};
use crate::support::ws::{Seen, feed_in_place, frame, masked, receive};

const KIB: usize = 1 << 10;

/// What a driver does when something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// It keeps what is left.
    Keep,
    /// It wants its buffer for something else.
    GiveUp,
    /// It has less room now.
    Narrow(usize),
    /// It calls without what is left, to be told what else there is.
    LookTwice,
    /// The application closes.
    Close,
}

/// A driver with a buffer in which what is left moves about.
struct Driver {
    conn: Connection,
    left: Vec<u8>,
    seen: Vec<Seen>,
}

impl Driver {
    fn new(role: Role) -> Self {
        let conn = if role == Role::Server { server(Config::default()) } else { client(Config::default()) };
        Self { conn, left: Vec::new(), seen: Vec::new() }
    }

    /// `read` came behind what is left, and the buffer begins so far behind where memory was given.
    fn read(&mut self, read: &[u8], offset: usize, deed: Deed) {
        let (conn, seen) = (&mut self.conn, &mut self.seen);
        if deed == Deed::LookTwice {
            seen.extend(receive(conn, START, &[]));
        }
        if deed == Deed::Close {
            // Not twice.
            let _ = conn.close(START, CloseCode::NORMAL, "");
        }
        let room = match deed {
            Deed::GiveUp => 0,
            Deed::Narrow(room) => room,
            _ => usize::MAX,
        };
        let mut buffer = [&vec![0; offset][..], &self.left, read].concat();
        let mut input = &mut buffer[offset..];
        while let Some(event) = conn.receive_in_place(START, &mut input, room) {
            seen.push(Seen::from(&event));
        }
        self.left = input.to_vec();
    }

    /// Reads all of `stream` as `reads` say, over and over, and does something to what is left each time.
    fn read_all(&mut self, mut stream: &[u8], reads: &[(usize, usize, Deed)], mut befall: impl FnMut(&mut Vec<u8>)) {
        for &(size, offset, deed) in reads.iter().cycle() {
            if stream.is_empty() {
                return;
            }
            let (read, behind) = stream.split_at(size.min(stream.len()));
            self.read(read, offset, deed);
            befall(&mut self.left);
            stream = behind;
        }
    }
}

fn payload(size: usize) -> Vec<u8> {
    let mut payload = (0..=250).collect::<Vec<u8>>().repeat(size.div_ceil(251));
    payload.truncate(size);
    payload
}

/// Of about so many bytes.
fn text(size: usize) -> Vec<u8> {
    "plain, é, € and 𝄞; ".repeat(size.div_ceil(24)).into_bytes()
}

/// A message, or a ping where there is none. Not its bytes, of which a failing test would print too many.
#[derive(Clone, Debug)]
struct Sent {
    opcode: Opcode,
    size: usize,
    cuts: Vec<Index>,
    key: [u8; 4],
}

/// Messages of which most are larger than what is unmasked at once.
fn sent() -> impl Strategy<Value = Vec<Sent>> {
    let opcode = prop_oneof![4 => Just(Opcode::Text), 4 => Just(Opcode::Binary), 1 => Just(Opcode::Ping)];
    let size = prop_oneof![1 => 0..300_usize, 3 => 14 * KIB..110 * KIB];
    let cuts = prop_oneof![4 => Just(Vec::new()), 1 => vec(any::<Index>(), 1..3)];
    let sent = (opcode, size, cuts, any::<[u8; 4]>());
    vec(sent.prop_map(|(opcode, size, cuts, key)| Sent { opcode, size, cuts, key }), 1..4)
}

fn stream(role: Role, sent: &[Sent]) -> Vec<u8> {
    let bytes = |sent: &Sent| {
        let key = (role == Role::Server).then_some(sent.key);
        match sent.opcode {
            Opcode::Ping => frame(true, Opcode::Ping, key, &payload(sent.size % 126)),
            Opcode::Text => fragmented(Opcode::Text, &text(sent.size), &sent.cuts, &[], key),
            opcode => fragmented(opcode, &payload(sent.size), &sent.cuts, &[], key),
        }
    };
    sent.iter().flat_map(bytes).collect()
}

fn reads() -> impl Strategy<Value = Vec<(usize, usize, Deed)>> {
    let size = prop_oneof![
        1 => 1..300_usize,
        2 => Just(1460),
        4 => 15 * KIB..17 * KIB,
        1 => Just(16 * KIB),
        2 => 17 * KIB..70 * KIB,
    ];
    let deed = prop_oneof![
        12 => Just(Deed::Keep),
        1 => Just(Deed::GiveUp),
        1 => (0..120 * KIB).prop_map(Deed::Narrow),
        1 => Just(Deed::LookTwice),
        1 => Just(Deed::Close),
    ];
    vec((size, 0..70_usize, deed), 1..20)
}

/// How a driver loses what is left.
#[derive(Clone, Debug)]
enum Loss {
    Nothing,
    All,
    First(Index),
    Last(Index),
    Changed(Index, u8),
    Others(Vec<u8>),
}

impl Loss {
    /// How many bytes it puts in their place.
    fn befall(&self, left: &mut Vec<u8>) -> usize {
        match self {
            Self::Nothing => {}
            Self::All => left.clear(),
            Self::First(count) => drop(left.drain(..count.index(left.len() + 1))),
            Self::Last(count) => left.truncate(count.index(left.len() + 1)),
            Self::Changed(place, byte) => {
                // The header, mostly.
                let within = left.len().min(20);
                if within > 0 {
                    left[place.index(within)] = *byte;
                }
            }
            Self::Others(others) => {
                left.clone_from(others);
                return others.len();
            }
        }
        0
    }
}

fn losses() -> impl Strategy<Value = Loss> {
    prop_oneof![
        4 => Just(Loss::Nothing),
        1 => Just(Loss::All),
        1 => any::<Index>().prop_map(Loss::First),
        1 => any::<Index>().prop_map(Loss::Last),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Loss::Changed(place, byte)),
        1 => vec(any::<u8>(), 0..40).prop_map(Loss::Others),
    ]
}

proptest! {
    #![proptest_config(cases(300))]

    /// However it is read, wherever it lies, and whatever becomes of it while it waits.
    #[test]
    fn what_waits_is_told_as_if_it_had_come_at_once(
        role in prop_oneof![3 => Just(Role::Server), 1 => Just(Role::Client)], sent in sent(), reads in reads(),
    ) {
        let stream = stream(role, &sent);
        let mut whole = Driver::new(role);
        whole.read(&stream, 0, Deed::GiveUp);
        let mut driver = Driver::new(role);
        driver.read_all(&stream, &reads, |_| {});
        prop_assert!(driver.left.is_empty(), "{} bytes left", driver.left.len());
        prop_assert!(driver.seen == whole.seen, "told otherwise");
    }

    /// No driver can do more harm than to this one connection, and the connection is driven to its end all the same.
    #[test]
    fn what_is_lost_makes_a_wrong_message_or_an_error(sent in sent(), reads in reads(), losses in vec(losses(), 1..6)) {
        let stream = stream(Role::Server, &sent);
        let (mut driver, mut others) = (Driver::new(Role::Server), 0);
        let mut losses = losses.iter().cycle();
        driver.read_all(&stream, &reads, |left| others += losses.next().unwrap().befall(left));
        let told = driver.seen.iter().map(|seen| match seen {
            Seen::Text(text) => text.len(),
            Seen::Binary(bytes) => bytes.len(),
            _ => 0,
        });
        prop_assert!(told.sum::<usize>() <= stream.len() + others);
        let end = driver.conn.receive_eof(START).is_some();
        let ends = driver.seen.iter().filter(|seen| matches!(seen, Seen::Closed(_))).count();
        prop_assert_eq!(ends + usize::from(end), 1);
    }
}

/// Wherever the first read ends, and wherever the buffer lies.
#[test]
fn the_masking_key_goes_on_where_it_was() {
    let payload = payload(50 * KIB);
    let bytes = frame(true, Opcode::Binary, Some([1, 2, 4, 8]), &payload);
    for offset in 0..70 {
        let mut driver = Driver::new(Role::Server);
        for (nth, read) in bytes.chunks(17 * KIB + 3 * offset).enumerate() {
            driver.read(read, if nth % 2 == 0 { offset } else { 69 - offset }, Deed::Keep);
        }
        assert!(driver.seen == [Seen::Binary(payload.clone())], "{offset}");
    }
}

/// That it is so can be seen: this is what the documentation warns of.
#[test]
fn what_is_left_changes() {
    let mut conn = server(Config::default());
    let bytes = masked(Opcode::Binary, &[7; 100 * KIB]);
    let left = feed_in_place(&mut conn, START, bytes[..20 * KIB].to_vec(), 200 * KIB, |_, _| panic!("it is not whole"));
    assert_eq!(left.len(), 20 * KIB);
    assert!(left[..14] == bytes[..14] && left[14..16 * KIB].iter().all(|byte| *byte == 7));
    // A client's peer does not mask.
    let mut conn = client(Config::default());
    let bytes = frame(true, Opcode::Binary, None, &[7; 100 * KIB]);
    let left = feed_in_place(&mut conn, START, bytes[..20 * KIB].to_vec(), 200 * KIB, |_, _| panic!("it is not whole"));
    assert!(left == bytes[..20 * KIB]);
}

/// Only one message is another than was sent: the one that is given where a part was unmasked.
#[test]
fn who_loses_what_is_left_spoils_one_message() {
    let mut driver = Driver::new(Role::Server);
    let payload = payload(30 * KIB);
    let message = masked(Opcode::Binary, &payload);
    driver.read(&masked(Opcode::Binary, &[7; 100 * KIB])[..20 * KIB], 0, Deed::Keep);
    driver.left.clear();
    driver.read(&[&message[..], &message].concat(), 0, Deed::Keep);
    let [Seen::Binary(spoiled), Seen::Binary(whole)] = &driver.seen[..] else { panic!("{} events", driver.seen.len()) };
    assert!(*spoiled != payload && spoiled[20 * KIB..] == payload[20 * KIB..] && *whole == payload);
}

/// A text is checked when it is whole, or when it is given up: then at its first bad byte.
#[test]
fn text_that_was_unmasked_is_checked() {
    for (place, deed) in [(5, Deed::Keep), (5, Deed::GiveUp), (45_000, Deed::Keep), (45_000, Deed::Close)] {
        let mut payload = vec![b'x'; 50_000];
        payload[place] = 0xFF;
        let bytes = masked(Opcode::Text, &payload);
        let mut driver = Driver::new(Role::Server);
        for read in bytes[..49_000].chunks(16 * KIB) {
            driver.read(read, 0, Deed::Keep);
        }
        assert_eq!((driver.seen.len(), driver.left.len()), (0, 49_000), "it waits");
        driver.read(&bytes[49_000..49_001], 0, deed);
        assert_eq!(driver.seen.is_empty(), deed == Deed::Keep);
        driver.read(&bytes[49_001..], 0, Deed::Keep);
        let [Seen::Closed(closed)] = &driver.seen[..] else { panic!("{} events", driver.seen.len()) };
        assert_eq!(closed.error, Some(Error::InvalidUtf8));
    }
}

/// What comes while nothing of the payload does: time and an end.
#[test]
fn it_may_end_while_something_waits() {
    let bytes = masked(Opcode::Binary, &[7; 50 * KIB]);
    let mut driver = Driver::new(Role::Server);
    driver.read(&bytes[..20 * KIB], 0, Deed::Keep);
    assert_eq!(closed(driver.conn.receive_eof(START)).error, Some(Error::UnexpectedEof));
    driver.read(&bytes[20 * KIB..], 0, Deed::Keep);
    assert!(driver.seen.is_empty() && driver.left.is_empty());

    let mut driver = Driver::new(Role::Server);
    driver.read(&bytes[..20 * KIB], 0, Deed::Keep);
    driver.conn.close(START, CloseCode::NORMAL, "").unwrap();
    let mut buffer = [&driver.left, &bytes[20 * KIB..]].concat();
    let mut input = &mut buffer[..];
    let Some(Event::Message(Message::Binary(told))) = driver.conn.receive(START, &mut input) else {
        panic!("no message")
    };
    assert!(told == &[7; 50 * KIB][..]);
}

/// Nor is it a sign of life that a driver calls without anything.
#[test]
fn nothing_is_no_sign_of_life() {
    let config = Config { ping_interval: Some(millis(100)), ..Config::default() };
    let mut conn = server(config);
    let mut bytes = masked(Opcode::Binary, &[7; 50 * KIB]);
    assert!(conn.receive_in_place(START, &mut &mut bytes[..20 * KIB], 60 * KIB).is_none());
    let due = conn.poll_timeout();
    assert!(conn.receive_in_place(after(START, millis(50)), &mut &mut [][..], 60 * KIB).is_none());
    assert_eq!((due, conn.poll_timeout()), (Some(after(START, millis(100))), due));
}
