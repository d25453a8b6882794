//! A driver that lends one buffer to all its connections.

use proptest::prelude::*;
use roomwire::Stream;
use roomwire::ws::{Accept, Config, Connection, Event, Limits, Opcode};

use crate::clock::{START, client, server};
use crate::support::memory::measure;
use crate::support::ws::{Seen, masked, opening, outgoing, receive};

const LENT_BYTES: usize = 32 * 1024;

#[test]
fn what_is_written_at_once_takes_no_allocation() {
    let mut buffer = Vec::with_capacity(LENT_BYTES);
    let mut ping = masked(Opcode::Ping, b"still there?");
    let (mut server, mut client) = (server(Config::default()), client(Config::default()));
    let ((), usage) = measure(|| {
        for conn in [&mut server, &mut client] {
            conn.lend(&mut buffer);
            for payload in [&b"short"[..], &[7; 1000], &[8; 20_000]] {
                conn.send(START, payload).unwrap();
            }
            assert_eq!(conn.outgoing().count(), 1);
            conn.sent(START, usize::MAX);
            conn.reclaim(&mut buffer);
            assert_eq!((buffer.len(), buffer.capacity()), (0, LENT_BYTES));
        }
        server.lend(&mut buffer);
        assert!(matches!(server.receive(START, &mut &mut ping[..]), Some(Event::Ping(_))));
        assert_eq!(server.outgoing_len(), 14);
        server.sent(START, 14);
        server.reclaim(&mut buffer);
    });
    assert_eq!(usage.allocations, 0, "{usage:?}");
}

/// Peers that read nothing hold what waits for them, and not the driver's buffer.
#[test]
fn who_does_not_read_keeps_little() {
    for size in [100, 10_000, 30_000] {
        let mut buffer = Vec::new();
        let mut conns: Vec<_> = (0..100).map(|_| server(Config::default())).collect();
        let (_, usage) = measure(|| {
            for conn in &mut conns {
                buffer.reserve(LENT_BYTES);
                conn.lend(&mut buffer);
                conn.send(START, vec![1; size].as_slice()).unwrap();
                conn.sent(START, 1);
                conn.reclaim(&mut buffer);
            }
        });
        let most = 100 * (2 * size + 16).min(LENT_BYTES) + LENT_BYTES;
        assert!(usage.live >= 0 && usage.live as usize <= most, "{usage:?} for {size} bytes");
        assert!(conns.iter().all(|conn| outgoing(conn).ends_with(&vec![1; size])));
    }
}

/// The response to the opening handshake is not gathered there.
#[test]
fn a_handshake_leaves_the_buffer_alone() {
    let mut buffer = Vec::with_capacity(LENT_BYTES);
    let mut conn = Connection::server(Default::default(), START);
    conn.lend(&mut buffer);
    assert!(matches!(receive(&mut conn, START, &opening("/"))[..], [Seen::Upgrade { .. }]));
    conn.accept(START, &Accept::default()).unwrap();
    conn.reclaim(&mut buffer);
    assert_eq!(buffer.capacity(), LENT_BYTES);
    assert!(outgoing(&conn).starts_with(b"HTTP/1.1 101"));
    assert_eq!(conn.stream(), Stream::Open);
}

#[derive(Clone, Debug)]
enum Step {
    Lend,
    Reclaim,
    Send(usize),
    Shared(usize),
    Ping(usize),
    Sent(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let size = || prop_oneof![0usize..200, 500usize..2000, 10_000usize..40_000];
    prop_oneof![
        Just(Step::Lend),
        Just(Step::Reclaim),
        size().prop_map(Step::Send),
        size().prop_map(Step::Shared),
        (0usize..=125).prop_map(Step::Ping),
        size().prop_map(Step::Sent),
    ]
}

proptest! {
    /// Whether and when a buffer is lent changes no byte, and where everything is written it comes back.
    #[test]
    fn nobody_sees_it(steps in prop::collection::vec(step(), 0..60), is_client: bool) {
        let config = || Config { limits: Limits { outbox_bytes_max: 1 << 24, ..Limits::default() }, ..Config::default() };
        let open = || if is_client { client(config()) } else { server(config()) };
        let (mut lent, mut plain, mut buffer) = (open(), open(), Vec::with_capacity(LENT_BYTES));
        for (nth, step) in steps.iter().enumerate() {
            match *step {
                Step::Lend => lent.lend(&mut buffer),
                Step::Reclaim => {
                    lent.reclaim(&mut buffer);
                    buffer.reserve(LENT_BYTES);
                }
                _ => for conn in [&mut lent, &mut plain] {
                    match *step {
                        Step::Send(size) => conn.send(START, vec![nth as u8; size].as_slice()).unwrap(),
                        Step::Shared(size) => conn.send_shared(START, vec![nth as u8; size]).unwrap(),
                        Step::Ping(size) => conn.ping(START, &vec![nth as u8; size]).unwrap(),
                        Step::Sent(count) => conn.sent(START, count),
                        Step::Lend | Step::Reclaim => {}
                    }
                },
            }
            prop_assert_eq!(lent.outgoing_len(), plain.outgoing_len());
            prop_assert!(outgoing(&lent) == outgoing(&plain));
        }
        lent.lend(&mut buffer);
        lent.sent(START, usize::MAX);
        lent.reclaim(&mut buffer);
        prop_assert!(lent.outgoing_len() == 0 && buffer.is_empty());
    }
}
