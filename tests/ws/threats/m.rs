//! Memory and the peer that does not read.

use roomwire::ws::{Config, Event, Opcode};

use crate::clock::{START, server};
use crate::support::cuts::Cuts;
use crate::support::memory::measure;
use crate::support::ws::{Answers, End, answered, feed, frames, masked, outgoing, run};

/// A server that sends everything back, to a client that reads nothing: the driver is asked to stop reading.
#[test]
fn m01_echoes_to_who_does_not_read() {
    let config = Config::default();
    let mut conn = server(config.clone());
    let message = masked(Opcode::Binary, &[1; 1000]);
    let mut read = 0;
    while conn.wants_read() {
        feed(&mut conn, START, &message, |conn, event| {
            if let Event::Message(message) = event {
                conn.send(START, message).unwrap();
            }
        });
        read += 1;
        assert!(read < 1000, "it never stops");
    }
    assert!(conn.outgoing_len() <= config.limits.read_pause_bytes + 1100);
    conn.sent(START, 2000);
    assert!(conn.wants_read());
}

/// A driver that reads on regardless gets a typed refusal, not memory without end.
#[test]
fn m01_the_outbox_refuses() {
    let mut conn = server(Config::default());
    let message = masked(Opcode::Binary, &[1; 60_000]);
    let (mut sent, mut refused) = (0u32, 0u32);
    let (_, usage) = measure(|| {
        for _ in 0..1000 {
            feed(&mut conn, START, &message, |conn, event| {
                if let Event::Message(message) = event {
                    *(if conn.send(START, message).is_ok() { &mut sent } else { &mut refused }) += 1;
                }
            });
        }
    });
    assert!(sent > 500 && refused > 400);
    assert!(conn.outgoing_len() <= 32 << 20 && usage.peak <= (64 << 20) + (1 << 20), "{usage:?}");
}

#[test]
fn m02_one_violation_is_one_answer() {
    for garbage in [&[0xFF; 10_000][..], &[0; 10_000], &b"\x81\x05hello".repeat(1000)] {
        for cuts in [Cuts::Whole, Cuts::Bytes] {
            let trace = run(End::ServerAfterUpgrade, Config::default(), &cuts.of(garbage), Answers::AtOnce, true);
            let written = frames(&trace.outgoing);
            assert_eq!((trace.seen.len(), written.len()), (1, 1));
            assert!(written[0].is_close() && trace.outgoing.len() <= 256);
            let trace = run(End::Server, Config::default(), &cuts.of(garbage), Answers::AtOnce, true);
            assert_eq!(trace.seen.len(), 1);
            assert!(answered(&trace.outgoing).0.is_none_or(|status| status >= 400) && trace.outgoing.len() <= 256);
        }
    }
}

/// Control and error bytes out are at most the bytes in and 256 more, whatever comes in.
#[test]
fn m02_answers_do_not_amplify() {
    let streams = [
        masked(Opcode::Ping, b"").repeat(1000),
        masked(Opcode::Ping, &[0; 125]).repeat(1000),
        masked(Opcode::Close, b""),
        masked(Opcode::Pong, b"").repeat(100),
        b"\xFF".to_vec(),
    ];
    for stream in streams {
        for size in [1, stream.len() / 2, stream.len()] {
            let mut conn = server(Config::default());
            feed(&mut conn, START, &stream[..size], |_, _| {});
            assert!(outgoing(&conn).len() <= size + 256);
        }
    }
}
