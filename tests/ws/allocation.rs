//! What a connection holds and asks for: nothing, where nothing is partial.

use std::sync::Arc;

use bytes::Bytes;
use roomwire::http;
use roomwire::ws::{Accept, CloseCode, Config, Connection, Event, Opcode, Piece};

use crate::clock::{START, client, server};
use crate::support::memory::measure;
use crate::support::ws::{End, flush, frame, frames, key, masked, opening_with, receive};

/// Feeds `bytes` from one buffer and answers nothing; how many events there were.
fn swallow(conn: &mut Connection, bytes: &mut [u8]) -> usize {
    let mut input = bytes;
    let mut count = 0;
    while let Some(event) = conn.receive(START, &mut input) {
        assert!(!matches!(event, Event::Closed(_)));
        count += 1;
    }
    count
}

#[test]
fn it_has_at_most_128_bytes() {
    assert!(size_of::<Connection>() <= 128);
}

#[test]
fn whole_messages_are_received_without_an_allocation() {
    for mut conn in [server(Config::default()), client(Config::default())] {
        let mask = key(conn.role());
        let payloads: [(Opcode, &[u8]); 5] = [
            (Opcode::Text, b"short"),
            (Opcode::Text, "é€𝄞".as_bytes()),
            (Opcode::Text, &[b'x'; 1000]),
            (Opcode::Binary, &[0xFF; 70_000]),
            (Opcode::Pong, b"late"),
        ];
        let mut bytes: Vec<u8> =
            payloads.iter().flat_map(|(opcode, payload)| frame(true, *opcode, mask, payload)).collect();
        let (count, usage) = measure(|| swallow(&mut conn, &mut bytes));
        assert_eq!((count, usage.allocations), (5, 0), "{usage:?}");
    }
}

/// They are joined where they lie.
#[test]
fn messages_whose_fragments_are_all_there_are_received_without_an_allocation() {
    for mut conn in [server(Config::default()), client(Config::default())] {
        let mask = key(conn.role());
        // A character lies across the first and the last.
        let (begin, end) = "é€𝄞".as_bytes().split_at(4);
        let mut bytes = [
            frame(false, Opcode::Text, mask, begin),
            frame(false, Opcode::Continuation, mask, b""),
            frame(true, Opcode::Continuation, mask, end),
            frame(false, Opcode::Binary, mask, &[0xFF; 70_000]),
            frame(true, Opcode::Continuation, mask, &[0xFE; 300]),
        ]
        .concat();
        let (count, usage) = measure(|| swallow(&mut conn, &mut bytes));
        assert_eq!((count, usage.allocations), (2, 0), "{usage:?}");
    }
}

/// The ping itself is lent; its answer has to stand somewhere. With room in the outbox it costs nothing more.
#[test]
fn a_ping_costs_no_more_than_room_for_its_answer() {
    let mut conn = server(Config::default());
    let mut ping = masked(Opcode::Ping, &[7; 20]);
    let mut first = ping.clone();
    let (_, usage) = measure(|| swallow(&mut conn, &mut first));
    // Room for the header, grown once for the payload.
    assert!(usage.allocations <= 2 && usage.live <= 64, "{usage:?}");
    // Room that is there already, as behind a longer answer of which a part is written.
    let mut conn = server(Config::default());
    conn.send(START, &[0; 200][..]).unwrap();
    conn.send(START, &[0; 20][..]).unwrap();
    let (count, usage) = measure(|| swallow(&mut conn, &mut ping));
    assert_eq!((count, usage.allocations), (1, 0), "{usage:?}");
}

/// Payloads that are given up or shared stand in the outbox themselves.
#[test]
fn owned_and_shared_payloads_are_not_copied_by_a_server() {
    let (shared, owned) = (Bytes::from(vec![1; 1 << 20]), vec![2; 1 << 20]);
    let (text, piece) = ("x".repeat(1 << 20), vec![3; 1 << 20]);
    let pointers = [shared.as_ptr(), owned.as_ptr(), text.as_ptr(), piece.as_ptr()];
    let mut conn = server(Config::default());
    let ((), usage) = measure(|| {
        conn.send_shared(START, shared.clone()).unwrap();
        conn.send(START, owned).unwrap();
        conn.send_shared(START, text).unwrap();
        conn.send_piece(START, Piece::begin(piece)).unwrap();
    });
    assert!(usage.requested < 2048, "{usage:?}");
    let chunks: Vec<&[u8]> = conn.outgoing().collect();
    assert_eq!(chunks.iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), [10, 1 << 20].repeat(4));
    assert!(pointers.iter().zip(chunks.iter().skip(1).step_by(2)).all(|(pointer, chunk)| *pointer == chunk.as_ptr()));
    let headers: Vec<u8> = chunks.iter().step_by(2).map(|header| header[0]).collect();
    assert_eq!(headers, [0x82, 0x82, 0x81, 0x02]);
}

/// A client masks a copy: what others hold too stays as it is.
#[test]
fn shared_payloads_are_not_changed_by_a_client() {
    let payload = Bytes::from(vec![1; 10_000]);
    let mut conn = client(Config::default());
    conn.send_shared(START, payload.clone()).unwrap();
    assert_eq!(payload, vec![1; 10_000]);
    let written = frames(&flush(&mut conn, START));
    assert!(written[0].mask.is_some() && written[0].payload == payload);
}

/// What waits is not moved when more comes behind it: what is asked for over all is little more than what is queued.
#[test]
fn m06_an_outbox_grows_without_moving_what_is_in_it() {
    for make in [server, client] {
        for size in [10, 100, 1000, 5000, 22_000, 40_000] {
            let mut conn = make(Config::default());
            let ((), usage) =
                measure(|| (0..(4 << 20) / size).for_each(|_| conn.send(START, &vec![0; size][..]).unwrap()));
            // The test's own vectors are as much again.
            let queued = conn.outgoing_len();
            assert!(usage.requested < queued * 5 / 2, "{size}: {usage:?} for {queued}");
            assert!(usage.live < queued as isize * 3 / 2, "{size}: {usage:?} for {queued}");
        }
    }
}

/// Runs a connection through `life` and asserts that what it then holds is nothing.
fn assert_holds_nothing(what: &str, life: impl FnOnce(Arc<Config>) -> Connection) {
    let config = Arc::new(Config::default());
    let (conn, usage) = measure(|| life(config));
    assert!(conn.is_open());
    assert_eq!(usage.live, 0, "{what}: {usage:?}");
}

fn opened(config: Arc<Config>) -> Connection {
    let mut conn = Connection::server(config, START);
    receive(&mut conn, START, &opening_with("/", &format!("Cookie: {}\r\n", "x".repeat(3000))));
    conn.accept(START, &Accept::new()).unwrap();
    flush(&mut conn, START);
    conn
}

#[test]
fn m07_an_idle_open_connection_owns_no_heap() {
    assert_holds_nothing("after the handshake", opened);
    assert_holds_nothing("after early frames", |config| {
        let mut conn = Connection::server(config, START);
        let mut bytes = [opening_with("/", ""), masked(Opcode::Text, &[b'x'; 3000])].concat();
        assert_eq!(swallow(&mut conn, &mut bytes), 1);
        conn.accept(START, &Accept::new()).unwrap();
        assert_eq!(swallow(&mut conn, &mut []), 1);
        flush(&mut conn, START);
        conn
    });
    assert_holds_nothing("after a large message in pieces", |config| {
        let mut conn = opened(config);
        let bytes = masked(Opcode::Binary, &vec![1; 1 << 20]);
        let count: usize = bytes.chunks(1000).map(|piece| receive(&mut conn, START, piece).len()).sum();
        assert_eq!(count, 1);
        conn
    });
    assert_holds_nothing("after fragments and control frames between them", |config| {
        let mut conn = opened(config);
        let mask = key(conn.role());
        let bytes = [
            frame(false, Opcode::Text, mask, b"a"),
            masked(Opcode::Ping, b"between"),
            masked(Opcode::Pong, b""),
            frame(true, Opcode::Continuation, mask, b"b"),
        ];
        assert_eq!(bytes.concat().chunks(1).map(|byte| receive(&mut conn, START, byte).len()).sum::<usize>(), 3);
        flush(&mut conn, START);
        conn
    });
    assert_holds_nothing("after large messages sent", |config| {
        let mut conn = opened(config);
        for size in [1, 200, 300, 100_000] {
            conn.send(START, vec![0; size]).unwrap();
            conn.send_prepared(START, &roomwire::ws::Prepared::binary(&vec![0; size])).unwrap();
            conn.send_shared(START, vec![0; size]).unwrap();
        }
        while conn.outgoing_len() > 0 {
            conn.sent(START, 777);
        }
        conn
    });
    assert_holds_nothing("after a flood of pings", |config| {
        let mut conn = opened(config);
        let mut bytes = masked(Opcode::Ping, &[1; 125]).repeat(50);
        assert_eq!(swallow(&mut conn, &mut bytes), 50);
        flush(&mut conn, START);
        flush(&mut conn, START);
        conn
    });
}

/// A client also owns the generator of its masking keys.
#[test]
fn an_idle_client_owns_its_generator_alone() {
    let config = Arc::new(Config::default());
    let (mut conn, fresh) = measure(|| Connection::client_after_upgrade(config, [1; 32], START));
    assert!(fresh.live <= 512, "{fresh:?}");
    let (_, usage) = measure(|| {
        conn.send(START, &[0; 5000][..]).unwrap();
        flush(&mut conn, START);
    });
    assert_eq!(usage.live, 0, "{usage:?}");
}

#[test]
fn m07_a_connection_that_is_over_owns_nothing_of_its_peer() {
    let ends: [fn(&mut Connection); 4] = [
        |conn| drop(receive(conn, START, &[0xFF])),
        |conn| drop(receive(conn, START, &masked(Opcode::Close, b"\x03\xE8"))),
        |conn| drop(conn.receive_eof(START)),
        |conn| {
            conn.close(START, CloseCode::NORMAL, "").unwrap();
            drop(conn.receive_eof(START));
        },
    ];
    for end in ends {
        let config = Arc::new(Config::default());
        let (_conn, usage) = measure(|| {
            let mut conn = opened(config);
            end(&mut conn);
            flush(&mut conn, START);
            drop(conn.poll_event());
            conn
        });
        assert_eq!(usage.live, 0, "{usage:?}");
    }
}

#[test]
fn m08_a_connection_in_its_handshake_holds_at_most_9_kib() {
    let limits = http::Limits::default();
    let line = format!("A: {}\r\n", "x".repeat(limits.head_bytes_max - 400));
    let head = opening_with("/", &line);
    let mut largest = 0;
    for size in (0..=head.len()).step_by(97).chain([head.len()]) {
        let config = Arc::new(Config::default());
        let mut bytes = head[..size].to_vec();
        let (_conn, usage) = measure(|| {
            let mut conn = End::Server.connection(Config::default(), START);
            for mut piece in bytes.chunks_mut(500) {
                let _upgrade = conn.receive(START, &mut piece);
            }
            conn
        });
        drop(config);
        largest = largest.max(usage.live);
    }
    assert!(largest <= 9 * 1024, "{largest}");
}
