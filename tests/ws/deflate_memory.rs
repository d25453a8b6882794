//! What compression holds, and when it gives that back.

use std::time::Duration;

use roomwire::Instant;
use roomwire::ws::{CloseCode, Connection, DeflateConfig, Event, Message, Piece};

use crate::clock::{START, after};
use crate::deflate::{all, masked_or_not, pair, receive, take};
use crate::support::memory::measure;

/// The windows are made when they are first used and given back while idle, where nothing has to be kept.
#[test]
fn d09_memory_while_idle() {
    let text = "all work and no play makes a dull boy ".repeat(10);
    for (reset, kept) in [(true, 8 * 1024), (false, 500 * 1024)] {
        let deflate = DeflateConfig { server_no_context_takeover: reset, client_no_context_takeover: reset, ..all() };
        let (mut client, _) = pair(deflate, deflate);
        client.send(START, text.as_str()).unwrap();
        let message = take(&mut client);
        let ((_, mut server), usage) = measure(|| pair(deflate, deflate));
        assert!(usage.live < 8 * 1024, "nothing is made before it is used: {usage:?}");
        let ((), usage) = measure(|| {
            assert_eq!(receive(&mut server, message.clone()).len(), 1);
            server.send(START, text.as_str()).unwrap();
            take(&mut server);
            let idle = after(START, Duration::from_secs(30));
            assert!(server.handle_timeout(idle).is_none());
            let ping: usize = server.outgoing_len();
            server.sent(idle, ping);
        });
        assert!(usage.live <= kept && (reset || usage.live > 100 * 1024), "{reset}: {usage:?}");
        // And it goes on as if nothing had been given back.
        let mut bytes = message.clone();
        let mut input = &mut bytes[..];
        if reset {
            let event = server.receive(Instant::from(Duration::from_secs(40)), &mut input);
            assert!(matches!(event, Some(Event::Message(Message::Text(got))) if got == text));
        }
    }
}

/// A connection that is over keeps no window, even if its stream has still to end; one that is closing keeps that of what
/// may come.
#[test]
fn d09_memory_after_the_end() {
    type End = fn(&mut Connection);
    let ends: [End; 5] = [
        |conn| conn.abort(START),
        |conn| drop(conn.receive_eof(START)),
        |conn| drop(receive(conn, vec![0xFF, 0xFF])),
        |conn| {
            conn.close(START, CloseCode::NORMAL, "").unwrap();
            let close = masked_or_not(conn.role(), 0x88, &1000_u16.to_be_bytes());
            drop(receive(conn, close));
        },
        |conn| drop(receive(conn, masked_or_not(conn.role(), 0x88, &1000_u16.to_be_bytes()))),
    ];
    let text = "all work and no play makes a dull boy ".repeat(10);
    for (nth, end) in ends.into_iter().enumerate() {
        for up in [true, false] {
            let (mut client, mut server) = pair(all(), all());
            let (conn, other) = if up { (&mut server, &mut client) } else { (&mut client, &mut server) };
            other.send(START, text.as_str()).unwrap();
            let message = take(other);
            let ((), usage) = measure(|| {
                assert_eq!(receive(conn, message).len(), 1);
                conn.send(START, text.as_str()).unwrap();
                end(conn);
                take(conn);
            });
            assert!(!conn.is_open() && usage.live < 2048, "{nth}: {usage:?}");
        }
    }
    // What comes before the peer's close frame refers to what came before ours.
    let (mut client, mut server) = pair(all(), all());
    let messages = [0; 2].map(|_| {
        client.send(START, text.as_str()).unwrap();
        take(&mut client)
    });
    assert!(messages[1].len() < messages[0].len() / 2);
    let told = [Ok(text.clone().into_bytes())];
    let ((), usage) = measure(|| {
        server.send(START, text.as_str()).unwrap();
        assert_eq!(receive(&mut server, messages[0].clone()), told);
        server.close(START, CloseCode::NORMAL, "").unwrap();
        take(&mut server);
    });
    assert!((20 << 10..100 << 10).contains(&usage.live), "a window, and no more: {usage:?}");
    assert_eq!(receive(&mut server, messages[1].clone()), told);
}

/// What a message under way does not need is given back within it; what it needs is not.
#[test]
fn d09_memory_while_idle_within_messages() {
    let deflate = DeflateConfig { server_no_context_takeover: true, client_no_context_takeover: true, ..all() };
    let text = "all work and no play makes a dull boy ".repeat(10);
    let (start, rest) = text.split_at(200);
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Under {
        Nothing,
        Plain,
        Compressed,
    }
    for incoming in [Under::Nothing, Under::Plain, Under::Compressed] {
        for outgoing in [Under::Nothing, Under::Plain, Under::Compressed] {
            for bits in [8, 9, 15] {
                let deflate = DeflateConfig { server_max_window_bits: bits, client_max_window_bits: bits, ..deflate };
                let (mut client, mut server) = pair(deflate, deflate);
                let send = |conn: &mut Connection, under, piece| match under {
                    Under::Nothing => {}
                    Under::Plain => conn.send_piece_plain(START, piece).unwrap(),
                    Under::Compressed => conn.send_piece(START, piece).unwrap(),
                };
                // Both directions have been used, and half of a message is there, or half of a frame.
                client.send(START, text.as_str()).unwrap();
                send(&mut client, incoming, Piece::begin(start));
                let mut begun = take(&mut client);
                send(&mut client, incoming, Piece::end(rest));
                let mut ended = take(&mut client);
                if incoming == Under::Nothing {
                    client.send(START, text.as_str()).unwrap();
                    ended = take(&mut client);
                    begun.extend(ended.drain(..3));
                }
                let (mut sent, idle) = (Vec::new(), after(START, Duration::from_secs(30)));
                let ((), usage) = measure(|| {
                    assert_eq!(receive(&mut server, begun).len(), 1);
                    server.send(START, text.as_str()).unwrap();
                    send(&mut server, outgoing, Piece::begin(start));
                    sent = take(&mut server);
                    assert!(server.handle_timeout(idle).is_none());
                    server.sent(idle, 2);
                });
                let most = if incoming == Under::Compressed { 60 << 10 } else { 4 << 10 };
                assert!(usage.live < most, "{incoming:?}, {outgoing:?}: {usage:?}");
                // And both go on as if nothing had been given back.
                assert_eq!(receive(&mut server, ended), [Ok(text.clone().into_bytes())], "{incoming:?}");
                send(&mut server, outgoing, Piece::end(rest));
                server.send(START, text.as_str()).unwrap();
                sent.extend(take(&mut server));
                let told = if outgoing == Under::Nothing { 2 } else { 3 };
                assert_eq!(receive(&mut client, sent), vec![Ok(text.clone().into_bytes()); told], "{outgoing:?}");
            }
        }
    }
}
