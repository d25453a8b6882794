//! A driver that keeps frames until they are whole.

use roomwire::Instant;
use roomwire::ws::{Config, Connection, Error, Event, Limits, Message, Opcode};

use crate::clock::{START, after, client, closed, millis, server};
use crate::support::memory::measure;
use crate::support::ws::{Seen, feed_in_place, frame, key, masked, receive};

/// Gives `bytes` to the connection; what happened, and how many bytes are left.
fn read(conn: &mut Connection, now: Instant, bytes: &[u8], room: usize) -> (Vec<Seen>, usize) {
    let mut seen = Vec::new();
    let left = feed_in_place(conn, now, bytes.to_vec(), room, |_, event| seen.push(Seen::from(&event)));
    assert!(bytes.ends_with(&left), "what is left was changed");
    (seen, left.len())
}

#[test]
fn a_message_in_many_reads_is_lent_without_an_allocation() {
    for (opcode, payload) in [(Opcode::Binary, vec![7; 100_000]), (Opcode::Text, "é€𝄞".repeat(10_000).into_bytes())]
    {
        for mut conn in [server(Config::default()), client(Config::default())] {
            let mut bytes = frame(true, opcode, key(conn.role()), &payload);
            let room = bytes.len();
            let (whole, usage) = measure(|| {
                for end in (1..room).step_by(1460) {
                    let mut input = &mut bytes[..end];
                    assert!(conn.receive_in_place(START, &mut input, room).is_none() && input.len() == end);
                }
                let mut input = &mut bytes[..];
                let Some(Event::Message(message)) = conn.receive_in_place(START, &mut input, room) else {
                    panic!("no message");
                };
                assert_eq!(message.opcode(), opcode);
                message.as_bytes() == payload && input.is_empty()
            });
            assert!(whole && usage.allocations == 0, "{usage:?}");
        }
    }
}

/// Frames that are whole are told, the one behind them waits; also where less than its header has come.
#[test]
fn what_is_whole_does_not_wait() {
    let mut conn = server(Config::default());
    let frames = [masked(Opcode::Text, b"one"), masked(Opcode::Ping, b"two"), masked(Opcode::Binary, &[3; 300])];
    let bytes = frames.concat();
    let before: usize = frames[..2].iter().map(Vec::len).sum();
    for end in before + 1..bytes.len() {
        let (seen, left) = read(&mut conn, START, &bytes[..end], 400);
        assert_eq!(seen, [Seen::Text("one".into()), Seen::Ping(b"two".to_vec())]);
        assert_eq!(left, end - before);
    }
    assert_eq!(read(&mut conn, START, &bytes[before..], 400), (vec![Seen::Binary(vec![3; 300])], 0));
    for (frame, seen) in frames.iter().zip([Seen::Text("one".into()), Seen::Ping(b"two".to_vec())]) {
        assert_eq!(read(&mut conn, START, frame, 400), (vec![seen], 0));
    }
}

/// Room for the frame and not a byte less.
#[test]
fn what_has_no_room_is_gathered() {
    let bytes = masked(Opcode::Binary, &[7; 1000]);
    for (room, left) in [(bytes.len(), 500), (bytes.len() - 1, 0), (0, 0)] {
        let mut conn = server(Config::default());
        assert_eq!(read(&mut conn, START, &bytes[..500], room), (vec![], left));
        let seen = read(&mut conn, START, &bytes[500 - left..], room);
        assert_eq!(seen, (vec![Seen::Binary(vec![7; 1000])], 0));
    }
    // A part of a header where there is no more room.
    let mut conn = server(Config::default());
    assert_eq!(read(&mut conn, START, &bytes[..3], 3), (vec![], 0));
    assert_eq!(read(&mut conn, START, &bytes[3..], 3), (vec![Seen::Binary(vec![7; 1000])], 0));
}

/// The buffer is wanted for something else.
#[test]
fn what_is_left_can_be_given_up() {
    let mut conn = server(Config::default());
    let bytes = masked(Opcode::Text, "déjà vu".as_bytes());
    let (seen, left) = read(&mut conn, START, &bytes[..8], 100);
    assert_eq!((&seen[..], left), (&[][..], 8));
    assert!(receive(&mut conn, START, &bytes[..8]).is_empty());
    assert_eq!(read(&mut conn, START, &bytes[8..], 100), (vec![Seen::Text("déjà vu".into())], 0));
    // It is as before.
    assert_eq!(read(&mut conn, START, &bytes[..8], 100), (vec![], 8));
}

/// Fragments behind the first that is gathered are gathered too; a lone continuation is refused when its header is there.
#[test]
fn fragments_do_not_wait_for_what_is_gathered() {
    let mut conn = server(Config::default());
    let first = frame(false, Opcode::Binary, key(conn.role()), &[1; 10]);
    let last = frame(true, Opcode::Continuation, key(conn.role()), &[2; 10]);
    assert_eq!(read(&mut conn, START, &first[..9], 100), (vec![], 9));
    assert_eq!(read(&mut conn, START, &[&first[..], &last[..9]].concat(), 100), (vec![], 0));
    assert_eq!(read(&mut conn, START, &last[9..], 100), (vec![Seen::Binary([[1; 10], [2; 10]].concat())], 0));

    let (seen, _) = read(&mut conn, START, &last[..6], 100);
    let [Seen::Closed(closed)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(closed.error, Some(Error::UnexpectedContinuation));
}

/// f01: what is announced beyond the limit is refused at its header, whatever room there is.
#[test]
fn f01_limits_do_not_wait() {
    let limits = Limits { message_bytes_max: 100, ..Limits::default() };
    for (size, refused) in [(100, false), (101, true)] {
        let mut conn = server(Config { limits, ..Config::default() });
        let bytes = masked(Opcode::Binary, &vec![7; size]);
        let (seen, left) = read(&mut conn, START, &bytes[..20], usize::MAX);
        assert_eq!((seen.len(), left), if refused { (1, 0) } else { (0, 20) });
        assert!(
            seen.iter().all(|seen| matches!(seen, Seen::Closed(closed) if closed.error == Some(Error::MessageTooBig)))
        );
    }
    // f04, f05: nor do lengths at the end of what a number can be.
    let mut conn = server(Config::default());
    let huge = b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0";
    let (seen, left) = read(&mut conn, START, huge, usize::MAX);
    assert!(matches!(&seen[..], [Seen::Closed(_)]) && left == 0);
}

/// Bytes that are left are a sign of life, each time that there are more.
#[test]
fn what_is_left_was_heard() {
    let config = Config { ping_interval: Some(millis(100)), ..Config::default() };
    let mut conn = server(config);
    let bytes = masked(Opcode::Binary, &[7; 1000]);
    for nth in 1u64..5 {
        let now = after(START, millis(60 * nth));
        assert_eq!(read(&mut conn, now, &bytes[..100 * nth as usize], 2000).1, 100 * nth as usize);
        assert_eq!(conn.poll_timeout(), Some(after(now, millis(100))));
    }
}

#[test]
fn text_that_was_left_is_checked() {
    let mut conn = server(Config::default());
    let mut bytes = masked(Opcode::Text, b"\xFFabcdef");
    let end = bytes.len();
    assert_eq!(read(&mut conn, START, &bytes[..end - 1], 100), (vec![], end - 1));
    let mut input = &mut bytes[..];
    let error = closed(conn.receive_in_place(START, &mut input, 100)).error;
    assert_eq!(error, Some(Error::InvalidUtf8));
}

/// What is gathered is nothing but payload, whatever it looks like.
#[test]
fn what_is_gathered_is_no_frame() {
    let mut conn = server(Config::default());
    let inner = frame(true, Opcode::Binary, Some([0; 4]), &[7; 200]);
    let outer = frame(true, Opcode::Binary, Some([0; 4]), &inner);
    let start = outer.len() - inner.len();
    assert!(receive(&mut conn, START, &outer[..start]).is_empty());
    assert_eq!(read(&mut conn, START, &outer[start..start + 100], 1000), (vec![], 0));
    assert_eq!(read(&mut conn, START, &outer[start + 100..], 1000), (vec![Seen::Binary(inner)], 0));
}

/// After the end nothing waits.
#[test]
fn nothing_is_left_after_the_end() {
    let mut conn = server(Config::default());
    conn.close(START, roomwire::ws::CloseCode::NORMAL, "").unwrap();
    let bytes = masked(Opcode::Binary, &[7; 1000]);
    assert_eq!(read(&mut conn, START, &bytes[..500], 2000), (vec![], 0));
    let mut input = &mut bytes.clone()[500..];
    assert!(matches!(conn.receive_in_place(START, &mut input, 2000), Some(Event::Message(Message::Binary(_)))));
    conn.abort(START);
    assert_eq!(read(&mut conn, START, &bytes[..500], 2000).1, 0);
}
