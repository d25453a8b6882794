//! What one end sends is what the other end reads, whole or in fragments, in pieces of any size.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use roomwire::Instant;
use roomwire::ws::{Config, Connection, Message, Opcode, Prepared, Role, Shared};

use crate::script::{binaries, cases, controls, cuts, fragmented, texts};
use crate::support::cuts::Cuts;
use crate::support::ws::{End, Seen, feed, flush, frames, key, masked, opening, receive, run};

const NOW: Instant = Instant::ORIGIN;

#[derive(Clone, Debug)]
enum Sent {
    Message(Message<'static>),
    Prepared(Message<'static>),
    Shared(Message<'static>),
    Ping(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    let message = || {
        prop_oneof![
            texts().prop_map(Message::from),
            binaries().prop_map(Message::from),
            (120usize..70_000).prop_map(|size| Message::from(vec![0xA5; size])),
        ]
    };
    prop_oneof![
        3 => message().prop_map(Sent::Message),
        1 => message().prop_map(Sent::Prepared),
        1 => message().prop_map(Sent::Shared),
        1 => vec(any::<u8>(), 0..126).prop_map(Sent::Ping),
    ]
}

fn seen(message: &Message<'_>) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text.clone().into_owned()),
        Message::Binary(bytes) => Seen::Binary(bytes.clone().into_owned()),
    }
}

fn pair() -> (Connection, Connection) {
    let config = Arc::new(Config::default());
    (Connection::client_after_upgrade(config.clone(), [3; 32], NOW), Connection::server_after_upgrade(config, NOW))
}

fn send(conn: &mut Connection, sent: &Sent) -> Seen {
    match sent {
        Sent::Message(message) => {
            conn.send(NOW, message.clone()).unwrap();
            seen(message)
        }
        Sent::Prepared(message) => {
            let prepared = match message {
                Message::Text(text) => Prepared::text(text),
                Message::Binary(bytes) => Prepared::binary(bytes),
            };
            conn.send_prepared(NOW, &prepared).unwrap();
            seen(message)
        }
        Sent::Shared(message) => {
            let shared = match message {
                Message::Text(text) => Shared::from(text.to_string()),
                Message::Binary(bytes) => Shared::from(bytes.to_vec()),
            };
            conn.send_shared(NOW, shared).unwrap();
            seen(message)
        }
        Sent::Ping(payload) => {
            conn.ping(NOW, payload).unwrap();
            Seen::Ping(payload.clone())
        }
    }
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn each_end_reads_what_the_other_sent(items in vec(sent(), 0..8), to_server: bool, cuts in vec(any::<usize>(), 0..9)) {
        let (client, server) = pair();
        let (mut from, mut to) = if to_server { (client, server) } else { (server, client) };
        let expected: Vec<Seen> = items.iter().map(|item| send(&mut from, item)).collect();
        let bytes = flush(&mut from, NOW);
        let found: Vec<Seen> = Cuts::At(cuts).of(&bytes).iter().flat_map(|piece| receive(&mut to, NOW, piece)).collect();
        prop_assert_eq!(found, expected);
        // And the answers: a pong for each ping while there is room for it, then at least for the newest.
        let pings: Vec<_> = items.iter().filter_map(|item| if let Sent::Ping(payload) = item { Some(payload) } else { None }).collect();
        let mut pongs = receive(&mut from, NOW, &flush(&mut to, NOW));
        pongs.extend(receive(&mut from, NOW, &flush(&mut to, NOW)));
        prop_assert_eq!(pongs.last().cloned(), pings.last().map(|payload| Seen::Pong(payload.to_vec())));
        prop_assert!(pongs.len() <= pings.len());
    }

    #[test]
    fn any_fragmentation_is_the_message(
        items in vec((prop_oneof![texts().prop_map(Message::from), binaries().prop_map(Message::from)], vec(any::<Index>(), 0..7), any::<[u8; 4]>()), 0..6),
        between in vec(controls(Role::Server), 0..3),
        cuts in cuts(),
    ) {
        let (_, mut server) = pair();
        let mut bytes = Vec::new();
        for (message, fragments, mask) in &items {
            bytes.extend(fragmented(message.opcode(), message.as_bytes(), fragments, &between, Some(*mask)));
        }
        let found: Vec<Seen> = cuts.of(&bytes).iter().flat_map(|piece| receive(&mut server, NOW, piece)).collect();
        let messages: Vec<Seen> = found.iter().filter(|seen| matches!(seen, Seen::Text(_) | Seen::Binary(_))).cloned().collect();
        prop_assert_eq!(messages, items.iter().map(|(message, ..)| seen(message)).collect::<Vec<_>>());
        let controls: usize = items.iter().map(|(_, fragments, _)| fragments.len().min(between.len())).sum();
        prop_assert_eq!(found.len(), items.len() + controls);
    }
}

/// Lengths around each form of the length field (section 5.2), in both directions.
#[test]
fn lengths_around_each_form() {
    for size in [0, 1, 125, 126, 127, 65_535, 65_536, 65_537] {
        let (mut client, mut server) = pair();
        let payload: Vec<u8> = (0..size).map(|at| at as u8).collect();
        client.send(NOW, &payload[..]).unwrap();
        let bytes = flush(&mut client, NOW);
        assert_eq!(frames(&bytes)[0].payload, payload);
        assert_eq!(receive(&mut server, NOW, &bytes), [Seen::Binary(payload.clone())]);
        server.send(NOW, payload.clone()).unwrap();
        let bytes = flush(&mut server, NOW);
        assert_eq!(frames(&bytes)[0].mask, None);
        assert_eq!(receive(&mut client, NOW, &bytes), [Seen::Binary(payload)]);
    }
}

/// An event can be answered while it is held, and what lay whole in the buffer is lent from there.
#[test]
fn a_message_is_lent_from_the_buffer_of_the_caller() {
    let (_, mut server) = pair();
    let mut buffer = [masked(Opcode::Text, "hé".as_bytes()), masked(Opcode::Binary, b"abc")].concat();
    let range = buffer.as_ptr_range();
    let mut input = &mut buffer[..];
    for _ in 0..2 {
        let Some(roomwire::ws::Event::Message(message)) = server.receive(NOW, &mut input) else { panic!("no message") };
        assert!(range.contains(&message.as_bytes().as_ptr()));
        assert!(matches!(
            &message,
            Message::Text(std::borrow::Cow::Borrowed(_)) | Message::Binary(std::borrow::Cow::Borrowed(_))
        ));
        server.send(NOW, message).unwrap();
    }
}

/// A caller that stops early still holds the unread bytes.
#[test]
fn what_is_not_read_stays_in_the_input() {
    let (_, mut server) = pair();
    let mut buffer = [masked(Opcode::Text, b"a"), masked(Opcode::Text, b"b")].concat();
    let size = buffer.len();
    let mut input = &mut buffer[..];
    assert!(server.receive(NOW, &mut input).is_some());
    assert_eq!(input.len(), size / 2);
}

/// Every prefix and every cut in two of one stream with everything in it.
#[test]
fn f22_every_prefix_and_every_cut_in_two() {
    let split = |text: &str, at: usize| fragmented(Opcode::Text, text.as_bytes(), &[], &[], Some([at as u8; 4]));
    let mask = key(Role::Server);
    let stream = [
        opening("/chat"),
        split("hello", 1),
        masked(Opcode::Ping, b"p"),
        crate::support::ws::frame(false, Opcode::Text, mask, b"\xF0\x9F"),
        masked(Opcode::Pong, b""),
        crate::support::ws::frame(false, Opcode::Continuation, mask, b""),
        crate::support::ws::frame(true, Opcode::Continuation, mask, b"\x92\xA9"),
        masked(Opcode::Binary, &[7; 130]),
        masked(Opcode::Close, b"\x03\xE8bye"),
    ]
    .concat();
    let config = Config::default();
    let run =
        |pieces: &[&[u8]], eof| run(End::Server, config.clone(), pieces, crate::support::ws::Answers::AtOnce, eof);
    let whole = run(&[&stream], false);
    assert_eq!(whole.seen.len(), 7);
    assert_eq!(whole.seen[4], Seen::Text("💩".into()));
    for at in 0..=stream.len() {
        let (first, second) = stream.split_at(at);
        assert_eq!(run(&[first, second], false), whole, "cut at {at}");
        let prefix = run(&[first], true);
        assert!(whole.seen.starts_with(prefix.told()), "prefix of {at}");
        assert!(whole.outgoing.starts_with(&prefix.outgoing), "prefix of {at}");
        assert!(prefix.closed().is_some());
    }
}

/// Bytes behind the opening handshake that come before the application has accepted are read after it.
#[test]
fn early_frames_are_read_once_accepted() {
    let config = Arc::new(Config::default());
    let mut conn = Connection::server(config, NOW);
    let bytes = [opening("/"), masked(Opcode::Text, b"a"), masked(Opcode::Text, b"b")].concat();
    let mut told = 0;
    feed(&mut conn, NOW, &bytes, |_, _| told += 1);
    assert_eq!(told, 1);
    conn.accept(NOW, &roomwire::ws::Accept::new()).unwrap();
    let late = masked(Opcode::Text, b"c");
    let found = receive(&mut conn, NOW, &late);
    assert_eq!(found, ["a", "b", "c"].map(|text| Seen::Text(text.into())));
}
