//! Messages that go past the outbox: the driver writes them as they are sent.

use std::time::Duration;

use proptest::prelude::*;
use roomwire::ws::{CloseCode, Config, Connection, Limits, Piece, SendError};

use crate::clock::{START, after, client, server};
use crate::support::memory::measure;
use crate::support::ws::{flush, outgoing};

#[test]
fn what_the_stream_takes_is_neither_copied_nor_queued() {
    let (payload, mut seen) = (vec![7; 1 << 20], vec![]);
    let mut conn = server(Config::default());
    let ((), usage) = measure(|| {
        conn.send_directly(START, &payload[..], |[header, rest]| {
            seen.push((header.len(), rest.as_ptr()));
            header.len() + rest.len()
        })
        .unwrap();
    });
    assert_eq!(seen, [(10, payload.as_ptr())]);
    // The place in `seen`.
    assert_eq!((usage.allocations, conn.outgoing_len()), (1, 0), "{usage:?}");
    assert_eq!(conn.poll_timeout(), server(Config::default()).poll_timeout());
}

/// Nor does the write time-out run before something waits.
#[test]
fn the_rest_is_written_in_time() {
    let timeout = Duration::from_secs(7);
    let mut conn = server(Config { write_timeout: timeout, ping_interval: None, ..Config::default() });
    conn.send_directly(START, "gone", |_| 6).unwrap();
    assert_eq!(conn.poll_timeout(), None);
    let later = after(START, timeout);
    conn.send_directly(later, "halved", |_| 5).unwrap();
    assert_eq!(outgoing(&conn), b"ved");
    assert_eq!(conn.poll_timeout(), Some(after(later, timeout)));
    assert_eq!(flush(&mut conn, later), b"ved");
    assert_eq!(conn.poll_timeout(), None);
}

#[test]
fn where_it_cannot_be_it_is_queued() {
    let never = |_: [&[u8]; 2]| -> usize { panic!("nothing goes before what waits, and a client masks a copy") };
    let mut conn = server(Config::default());
    conn.send(START, "first").unwrap();
    conn.send_directly(START, "second", never).unwrap();
    assert_eq!(flush(&mut conn, START), b"\x81\x05first\x81\x06second");
    let mut conn = client(Config::default());
    conn.send_directly(START, "masked", never).unwrap();
    assert_eq!(conn.outgoing_len(), 12);
}

#[test]
fn what_is_refused_is_not_written() {
    let never = |_: [&[u8]; 2]| -> usize { panic!("it is refused") };
    let limits = Limits { outbox_bytes_max: 2000, ..Limits::default() };
    let mut conn = server(Config { limits, ..Config::default() });
    assert_eq!(conn.send_directly(START, &[0; 2000][..], never), Err(SendError::TooLong));
    conn.send_piece(START, Piece::begin("be")).unwrap();
    flush(&mut conn, START);
    assert_eq!(conn.send_directly(START, "another", never), Err(SendError::UnfinishedMessage));
    conn.send_piece(START, Piece::end("gun")).unwrap();
    conn.close(START, CloseCode::NORMAL, "").unwrap();
    flush(&mut conn, START);
    assert_eq!(conn.send_directly(START, "late", never), Err(SendError::NotOpen));
    assert_eq!(conn.outgoing_len(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Direct(usize, usize),
    Ping(usize),
    Sent(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let size = || prop_oneof![0usize..300, 60_000usize..70_000];
    // More than there is, too: a driver that is wrong does no harm but to its own peer.
    let taken = prop_oneof![0usize..16, 0usize..300, 60_000usize..70_010, Just(usize::MAX)];
    prop_oneof![
        size().prop_map(Step::Send),
        (size(), taken).prop_map(|(size, taken)| Step::Direct(size, taken)),
        (0usize..=125).prop_map(Step::Ping),
        prop_oneof![0usize..300, Just(usize::MAX)].prop_map(Step::Sent),
    ]
}

/// Moves what was sent to the stream.
fn write(conn: &mut Connection, count: usize, stream: &mut Vec<u8>) {
    let bytes = outgoing(conn);
    stream.extend(&bytes[..count.min(bytes.len())]);
    conn.sent(START, count);
}

proptest! {
    /// Whichever way messages go, and however little of them is taken, the stream has the same bytes.
    #[test]
    fn the_stream_has_the_same_bytes(steps in prop::collection::vec(step(), 0..40)) {
        let config = || Config { limits: Limits { outbox_bytes_max: 1 << 24, ..Limits::default() }, ..Config::default() };
        let (mut direct, mut queued) = (server(config()), server(config()));
        let (mut stream, mut expected) = (vec![], vec![]);
        for (nth, step) in steps.iter().enumerate() {
            let message = |size| vec![nth as u8; size];
            match *step {
                Step::Send(size) => [&mut direct, &mut queued].map(|conn| conn.send(START, &message(size)[..]).unwrap()),
                Step::Direct(size, taken) => {
                    queued.send(START, &message(size)[..]).unwrap();
                    direct.send_directly(START, &message(size)[..], |pieces| {
                        let frame = pieces.concat();
                        stream.extend(&frame[..taken.min(frame.len())]);
                        taken
                    }).unwrap();
                    [(); 2]
                }
                Step::Ping(size) => [&mut direct, &mut queued].map(|conn| conn.ping(START, &message(size)).unwrap()),
                Step::Sent(count) => {
                    write(&mut direct, count, &mut stream);
                    write(&mut queued, count, &mut expected);
                    [(); 2]
                }
            };
        }
        write(&mut direct, usize::MAX, &mut stream);
        write(&mut queued, usize::MAX, &mut expected);
        prop_assert!(stream == expected);
    }
}
