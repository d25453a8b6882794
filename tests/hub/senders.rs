//! Slow senders: who sends a long message slowly is not silent, on whatever it comes; and who is silent is not waited for longer.

use std::time::Duration;

use roomwire::hub::{Config, ConnId, DisconnectReason, Peer, Plain, SocketId};
use roomwire::ws::Opcode;

use crate::fuzz_hub::Told;
use crate::support::polls::Poller;
use crate::support::ws::{frame, key, masked};
use crate::world::{V3, World, config, millis};

const TIMEOUT: Duration = Duration::from_secs(20);
/// In revision 3, and on WebSocket's own level, where any byte counts.
const INTERVAL_AND_TIMEOUT: Duration = Duration::from_secs(45);

fn settings() -> Config {
    Config { plain: vec![Plain::new("/raw", "/"), Plain::engine_io("/engine.io/", "/")], ..config() }
}

/// Lets time pass while the client reads what it is sent.
fn pass(world: &mut World, conn: ConnId, span: Duration) {
    let until = world.now.saturating_add(span);
    while world.now < until {
        world.pass(millis(1000).min(until.saturating_since(world.now)));
        world.read(conn, usize::MAX);
    }
}

/// Sends so many pieces of what is sent, each after a pause.
fn send_slowly(world: &mut World, (conn, socket): (ConnId, SocketId), bytes: &[u8], pieces: usize, pause: Duration) {
    for (nth, piece) in bytes.chunks(bytes.len().div_ceil(pieces)).enumerate() {
        pass(world, conn, pause);
        assert!(world.hub.is_live(socket), "taken for dead while it sends: {nth}");
        world.bytes(conn, piece);
    }
}

/// Nothing comes from a client any more: it is given up at that very time.
fn is_given_up_after(world: &mut World, (conn, socket): (ConnId, SocketId), span: Duration) {
    pass(world, conn, span - Duration::from_nanos(1));
    assert!(world.hub.is_live(socket), "given up before its time");
    world.told();
    world.pass(Duration::from_nanos(1));
    assert!(!world.hub.is_live(socket), "waited for longer");
    let told = world.told();
    let reasons: Vec<_> = told.iter().filter(|told| matches!(told, Told::Disconnected(..))).collect();
    assert!(
        matches!(
            reasons[..],
            [Told::Disconnected(_, DisconnectReason::PingTimeout | DisconnectReason::TransportClosed, _)]
        ),
        "{told:?}"
    );
}

fn long(before: &str, after: &str) -> Vec<u8> {
    [before, &"x".repeat(50_000), after].concat().into_bytes()
}

#[test]
fn who_sends_a_long_message_slowly_is_not_silent() {
    for (target, before, after, patience) in [
        ("/socket.io/?EIO=4&transport=websocket", "42[\"say\",\"", "\"]", TIMEOUT),
        (V3, "42[\"say\",\"", "\"]", INTERVAL_AND_TIMEOUT),
        ("/engine.io/?EIO=4&transport=websocket", "4", "", TIMEOUT),
        ("/engine.io/?EIO=3&transport=websocket", "4", "", INTERVAL_AND_TIMEOUT),
        ("/raw", "", "", INTERVAL_AND_TIMEOUT),
    ] {
        let text = long(before, after);
        let mask = key(roomwire::ws::Role::Server);
        let (first, last) = text.split_at(30_000);
        let parts = [frame(false, Opcode::Text, mask, first), frame(true, Opcode::Continuation, mask, last)];
        for message in [masked(Opcode::Text, &text), parts.concat()] {
            let mut world = World::new(settings());
            let client = world.client_at(target);
            send_slowly(&mut world, client, &message, 10, millis(15_000));
            assert!(matches!(&world.told()[..], [Told::Emit(..) | Told::Message(..)]), "{target}");
            is_given_up_after(&mut world, client, patience);
            // Nor is it waited for longer who stops in the middle.
            let mut world = World::new(settings());
            let client = world.client_at(target);
            send_slowly(&mut world, client, &message[..40_000], 10, millis(15_000));
            is_given_up_after(&mut world, client, patience);
        }
    }
}

/// A client of long polling and its socket, with the GET waiting.
fn on_polling(world: &mut World, v3: bool, bare: bool) -> (Poller, SocketId) {
    let [get, post] = [(); 2].map(|()| world.hub.connect(world.now).unwrap());
    let mut poller = Poller::new(v3, bare, get, post);
    let mut told = poll(world, &mut poller);
    if !v3 && !bare {
        world.bytes(post, &poller.post(b"40"));
        world.read(post, usize::MAX);
        told = world.told();
    }
    let socket = world.let_in(&told);
    poll(world, &mut poller);
    (poller, socket)
}

/// Its GET is answered as long as there is something to say, and then waits; what is told meanwhile.
fn poll(world: &mut World, poller: &mut Poller) -> Vec<Told> {
    let mut told = Vec::new();
    loop {
        told.extend(world.told());
        let heard = world.read(poller.get, usize::MAX);
        poller.hears(&heard);
        if !poller.asks() {
            return told;
        }
        let ask = poller.ask();
        world.bytes(poller.get, &ask);
    }
}

/// The same for who polls meanwhile.
fn pass_polling(world: &mut World, poller: &mut Poller, span: Duration) {
    let until = world.now.saturating_add(span);
    while world.now < until {
        world.pass(millis(1000).min(until.saturating_since(world.now)));
        poll(world, poller);
    }
}

/// The POST that a pong, or revision 3's ping, stands in or behind comes within the time-out of HTTP, but not within that of the
/// heartbeat.
#[test]
fn who_posts_slowly_is_not_silent() {
    for (v3, bare) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = World::new(settings());
        let (mut poller, socket) = on_polling(&mut world, v3, bare);
        let patience = if v3 { INTERVAL_AND_TIMEOUT } else { TIMEOUT };
        pass_polling(&mut world, &mut poller, millis(15_000));
        let text = if bare { long("4", "") } else { long("42[\"say\",\"", "\"]") };
        let post = poller.post(&text);
        for (nth, piece) in post.chunks(post.len().div_ceil(4)).enumerate() {
            pass_polling(&mut world, &mut poller, millis(8_000));
            if nth == 0 {
                // Streams that carry nothing do not last as long.
                poller.post = world.hub.connect(world.now).unwrap();
            }
            assert!(world.hub.is_live(socket), "{v3} {bare}: taken for dead while it sends");
            world.bytes(poller.post, piece);
        }
        let told = world.told();
        assert!(matches!(told[..], [Told::Emit(..) | Told::Message(..)]), "{told:?}");
        world.read(poller.post, usize::MAX);
        pass_polling(&mut world, &mut poller, patience - Duration::from_nanos(1));
        assert!(world.hub.is_live(socket), "{v3} {bare}: given up before its time");
        pass_polling(&mut world, &mut poller, Duration::from_nanos(1));
        assert!(!world.hub.is_live(socket), "{v3} {bare}: waited for longer");
    }
}

/// How long a POST may take is still for HTTP to say, and only a POST that the session would take is one of its.
#[test]
fn a_post_that_does_not_end_gives_no_more_time_than_http_does() {
    type Change = fn(&str) -> String;
    let others: [(Change, u64); 5] = [
        (|post| post.into(), 24 + 27 + 20),
        (|post| post.replacen("POST", "GET", 1), 45),
        (|post| post.replacen("&sid=", "&sid=x", 1), 45),
        (|post| post.replacen("EIO=4", "EIO=3", 1), 45),
        (|post| post.replacen("Host: a", "Host: a\r\nOrigin: https://evil", 1), 45),
    ];
    for (change, seconds) in others {
        let mut world = World::new(Config { origins: roomwire::hub::Origins::SameHost, ..settings() });
        let (mut poller, socket) = on_polling(&mut world, false, false);
        pass_polling(&mut world, &mut poller, millis(24_000));
        let post = change(&String::from_utf8(poller.post(&[b'x'; 50_000])).unwrap());
        for piece in post.as_bytes().chunks(1000) {
            if world.hub.is_live(socket) {
                world.bytes(poller.post, piece);
                pass_polling(&mut world, &mut poller, millis(3_000));
            }
        }
        let ended = world.now.saturating_since(roomwire::Instant::ORIGIN);
        assert!((seconds..seconds + 3).contains(&ended.as_secs()), "{ended:?}\n{}", post.split('\r').next().unwrap());
    }
}

/// What comes at one instant has no parts, however it is cut.
#[test]
fn what_comes_at_once_has_no_parts() {
    let mut world = World::new(settings());
    let client = world.client_at("/socket.io/?EIO=4&transport=websocket");
    pass(&mut world, client.0, millis(30_000));
    for byte in masked(Opcode::Text, b"42[\"say\"]") {
        world.bytes(client.0, &[byte]);
    }
    is_given_up_after(&mut world, client, millis(15_000));
}

/// Sends a packet, and of what is to follow it half, in pieces; then nothing more.
fn attach_slowly(target: Option<&str>, end: bool) {
    let config = Config { attachments_timeout: millis(10_000), ..settings() };
    let mut world = World::new(config);
    let packet = r#"51-["file",{"_placeholder":true,"num":0}]"#;
    let (client, bytes) = if let Some(target) = target {
        let client = world.client_at(target);
        world.bytes(client.0, &masked(Opcode::Text, format!("4{packet}").as_bytes()));
        (client, masked(Opcode::Binary, &[4; 40_000]))
    } else {
        let conn = world.hub.connect_lines(world.now, Peer::default()).unwrap();
        world.bytes(conn, b"0\n");
        let told = world.told();
        let socket = world.let_in(&told);
        world.bytes(conn, format!("{packet}\n").as_bytes());
        ((conn, socket), [b"b", &b"AAAA".repeat(10_000)[..], b"\n"].concat())
    };
    let bytes = if end { &bytes[..] } else { &bytes[..20_000] };
    send_slowly(&mut world, client, bytes, 3, millis(6_000));
    if end {
        assert!(matches!(&world.told()[..], [Told::Emit(..)]), "{target:?}");
    } else {
        is_given_up_after(&mut world, client, millis(10_000));
    }
}

#[test]
fn s07_attachments_that_come_slowly_are_not_missing() {
    for target in [Some("/socket.io/?EIO=4&transport=websocket"), Some(V3), None] {
        attach_slowly(target, true);
        attach_slowly(target, false);
    }
}

#[test]
fn s07_attachments_that_are_posted_slowly_are_not_missing() {
    let mut world = World::new(Config { attachments_timeout: millis(10_000), ..settings() });
    let (mut poller, socket) = on_polling(&mut world, false, false);
    world.bytes(poller.post, &poller.post(br#"451-["file",{"_placeholder":true,"num":0}]"#));
    world.read(poller.post, usize::MAX);
    let post = poller.post(&[b"b", &b"AAAA".repeat(10_000)[..]].concat());
    for (nth, piece) in post.chunks(post.len().div_ceil(4)).enumerate() {
        world.bytes(poller.post, piece);
        let told = world.told();
        if nth == 3 {
            assert!(matches!(&told[..], [Told::Emit(from, ..)] if *from == socket), "{told:?}");
        } else {
            pass_polling(&mut world, &mut poller, millis(9_000));
            assert!(world.hub.is_live(socket), "{nth}");
        }
    }
}
