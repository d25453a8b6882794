//! Every wait has an end, at its very instant.

use std::time::Duration;

use roomwire::client::StreamId;

use crate::world::{OPEN, OPEN_3, OPEN_UPGRADE, POLLING, WEBSOCKET, World, config, config_4};

/// It is not over one millisecond before, and over then.
fn ends_after(world: &mut World, seconds: u64, expected: &[&str]) {
    world.told();
    world.pass_time(Duration::from_millis(seconds * 1000 - 1));
    assert_eq!(world.told(), [""; 0], "before {seconds} s");
    world.pass_time(Duration::from_millis(1));
    assert_eq!(world.told(), expected);
}

#[test]
fn a_stream_is_not_opened() {
    let mut world = World::new(config(WEBSOCKET));
    world.opens = false;
    world.connect("/");
    ends_after(&mut world, 20, &["closed: Unreachable, try 1 in 1s"]);
    // The driver hears of it, and what it says too late does nothing.
    assert_eq!(world.streams(), 0);
    let stream = world.opening.pop_front().unwrap();
    world.client.opened(world.now, stream);
    world.turn();
    assert_eq!(world.client.stream(stream), roomwire::Stream::Closed);
}

#[test]
fn a_session_is_not_opened() {
    let mut world = World::new(config(POLLING));
    world.connect("/");
    world.get();
    ends_after(&mut world, 20, &["closed: Http(Timeout), try 1 in 1s"]);
    let mut world = World::new(config(WEBSOCKET));
    world.connect("/");
    ends_after(&mut world, 20, &["closed: ConnectTimeout, try 1 in 1s"]);
}

#[test]
fn a09_heartbeats() {
    let lost = ["disconnected 1: PingTimeout", "closed: PingTimeout, try 1 in 1s"];
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    ends_after(&mut world, 45, &lost);

    let (mut world, _) = World::websocket(config(WEBSOCKET));
    world.pass_seconds(25);
    world.say("2");
    world.pass_seconds(25);
    world.say(r#"42["no heartbeat"]"#);
    ends_after(&mut world, 20, &lost);

    // In revision 3 the client asks.
    let mut world = World::new(config_4(WEBSOCKET));
    world.connect("/");
    world.say(OPEN_3);
    world.say("40");
    world.said();
    world.pass_seconds(25);
    assert_eq!(world.said(), ["2"]);
    world.say("3");
    world.pass_seconds(25);
    assert_eq!(world.said(), ["2"], "one interval after the pong");
    world.say(r#"42["a sign of life"]"#);
    world.pass_seconds(19);
    world.say("3");
    world.pass_seconds(24);
    world.say(r#"42["another"]"#);
    world.pass_seconds(1);
    assert_eq!(world.said(), ["2"]);
    ends_after(&mut world, 20, &lost);
}

/// In revision 3 a server that has not got the ping yet cannot answer it: how long it may take to read, another time-out says.
#[test]
fn a09_a_ping_that_is_written_slowly() {
    let open = r#"0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":5000}"#;
    for transports in [WEBSOCKET, POLLING] {
        let mut world = World::new(config_4(transports));
        let socket = world.connect("/");
        let get = if transports == POLLING {
            let get = world.get();
            world.answer(&get, &format!("{}:{open}2:40", open.len()));
            Some(world.get())
        } else {
            world.say(open);
            world.say("40");
            None
        };
        assert_eq!(world.told(), ["opened", "connected 1"]);
        world.pass_seconds(23);
        world.emit(socket, "e", ());
        if transports == POLLING {
            let post = world.post();
            world.answer(&post, "ok");
        }
        world.pass_seconds(1);
        world.client.emit(world.now, socket, "e", ("x".repeat(40_000),)).unwrap();
        let stream = world.client.poll_transmit().unwrap();
        // It is due after one second, behind what takes longer than the time for its answer.
        assert_eq!(write_slowly(&mut world, stream, 10), 30);
        if let Some(get) = get {
            // It waits for the answer to the POST before it, and that has a time of its own.
            world.pass_seconds(10);
            assert_eq!(world.told(), [""; 0]);
            world.feed(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            world.turn();
            let post = world.post();
            assert_eq!(post.body(), "1:2");
            world.answer(&post, "ok");
            world.pass_seconds(4);
            world.answer(&get, "1:3");
        } else {
            world.pass_seconds(4);
            let mut pong = *b"\x81\x013";
            assert!(world.client.receive(world.now, stream, &mut &mut pong[..]).is_none());
        }
        world.pass_seconds(25);
        assert_eq!(world.told(), [""; 0], "it is alive");
        ends_after(&mut world, 5, &["disconnected 1: PingTimeout", "closed: PingTimeout, try 1 in 1s"]);
    }
}

/// In revision 4 the server pings an interval after it has got the pong.
#[test]
fn a09_a_pong_that_is_written_slowly() {
    for transports in [WEBSOCKET, POLLING] {
        let (mut world, socket, stream) = if transports == POLLING {
            let (mut world, socket, get) = World::polling(config(POLLING), OPEN);
            world.client.emit(world.now, socket, "e", ("x".repeat(50_000),)).unwrap();
            let stream = world.client.poll_transmit().unwrap();
            world.answer(&get, "2");
            (world, socket, stream)
        } else {
            let (mut world, socket) = World::websocket(config(WEBSOCKET));
            world.client.emit(world.now, socket, "e", ("x".repeat(50_000),)).unwrap();
            let stream = world.client.poll_transmit().unwrap();
            world.slow = Some(stream);
            let mut ping = *b"\x81\x012";
            assert!(world.client.receive(world.now, stream, &mut &mut ping[..]).is_none());
            (world, socket, stream)
        };
        assert_eq!(write_slowly(&mut world, stream, 9), 36, "{socket:?}");
        if transports == POLLING {
            world.feed(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            world.turn();
            let post = world.post();
            assert_eq!(post.body(), "3");
            world.answer(&post, "ok");
        }
        world.pass_seconds(25);
        assert_eq!(world.told(), [""; 0], "the next ping is due now");
        ends_after(&mut world, 20, &["disconnected 1: PingTimeout", "closed: PingTimeout, try 1 in 1s"]);
    }
}

/// What the server says behind a long message, pings too, comes when that is read.
#[test]
fn a09_a_message_that_comes_slowly() {
    let text = format!(r#"42["e","{}"]"#, "x".repeat(50_000));
    for transports in [WEBSOCKET, POLLING] {
        let (mut world, stream, head) = if transports == POLLING {
            let (world, _, get) = World::polling(config(POLLING), OPEN);
            (world, get.stream, format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len()).into_bytes())
        } else {
            let (world, _) = World::websocket(config(WEBSOCKET));
            let stream = world.socket();
            (world, stream, [&[0x81, 126][..], &u16::try_from(text.len()).unwrap().to_be_bytes()].concat())
        };
        let message = [&head[..], text.as_bytes()].concat();
        for (nth, piece) in message.chunks(message.len().div_ceil(5)).enumerate() {
            world.pass_seconds(20);
            assert_eq!(world.told(), [""; 0], "piece {nth}");
            world.feed(stream, piece);
            world.turn();
        }
        assert_eq!(world.told().len(), 1, "it is told");
        ends_after(&mut world, 45, &["disconnected 1: PingTimeout", "closed: PingTimeout, try 1 in 1s"]);
    }
}

/// Who has nothing to say by polling still has to ping.
#[test]
fn a_poll_without_an_answer() {
    let (mut world, _, _get) = World::polling(config(POLLING), OPEN);
    world.told();
    world.pass_seconds(45);
    let told = world.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(world.streams(), 0);
}

#[test]
fn a_post_without_an_answer() {
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    world.emit(socket, "e", ());
    ends_after(&mut world, 20, &["disconnected 1: TransportError", "closed: Http(Timeout), try 1 in 1s"]);
}

/// The network takes 16 KiB of a stream every so many seconds, until all is written; how long that took. Nothing is told
/// meanwhile.
fn write_slowly(world: &mut World, stream: StreamId, seconds: u64) -> u64 {
    let mut took = 0;
    world.slow = Some(stream);
    while world.client.outgoing_len(stream) > 0 {
        world.pass_seconds(seconds);
        took += seconds;
        assert_eq!(world.told(), [""; 0], "after {took} s");
        world.client.sent(world.now, stream, 16 * 1024);
        world.turn();
    }
    world.slow = None;
    took
}

/// Until it has the request a server cannot answer it: how long it may take to read that, another time-out says.
#[test]
fn a_post_that_is_written_slowly() {
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    world.client.emit(world.now, socket, "e", ("x".repeat(40_000),)).unwrap();
    let stream = world.client.poll_transmit().unwrap();
    assert_eq!(write_slowly(&mut world, stream, 8), 24);
    ends_after(&mut world, 20, &["disconnected 1: TransportError", "closed: Http(Timeout), try 1 in 1s"]);
}

#[test]
fn an_upgrade_without_an_answer() {
    let mut world = World::new(config(roomwire::engineio::Transports::ALL));
    world.connect("/");
    let get = world.get();
    world.answer(&get, OPEN_UPGRADE);
    let (post, _get) = (world.post(), world.get());
    world.answer(&post, "ok");
    ends_after(&mut world, 10, &["upgrade failed: UpgradeTimeout"]);
}

/// As long as one comes, it is not missing.
#[test]
fn s07_attachments_that_come_slowly() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let stream = world.socket();
    world.say(r#"452-["e",{"_placeholder":true,"num":0}]"#);
    let attachment = [&[0x82, 126, 0x80, 0][..], &[7; 0x8000]].concat();
    for piece in attachment.chunks(attachment.len() / 4) {
        world.pass_seconds(20);
        assert_eq!(world.told(), [""; 0]);
        world.feed(stream, piece);
        world.turn();
    }
    // Its time began last after 60 s. Of the second nothing has come when that is over.
    let told = ["disconnected 1: PingTimeout", "closed: SocketIo(AttachmentsTimeout), try 1 in 1s"];
    ends_after(&mut world, 10, &told);
}

#[test]
fn s07_attachments_that_do_not_come() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    world.say(r#"451-["e",{"_placeholder":true,"num":0}]"#);
    let told = ["disconnected 1: PingTimeout", "closed: SocketIo(AttachmentsTimeout), try 1 in 1s"];
    ends_after(&mut world, 30, &told);
}

/// A server that does not end a closed WebSocket does not hold the client up.
#[test]
fn c09_closing_without_an_answer() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let stream = world.socket();
    world.deaf = true;
    world.client.close(world.now);
    world.turn();
    assert!(!world.client.is_finished());
    world.pass_seconds(5);
    assert!(world.client.is_finished() && world.client.poll_timeout().is_none());
    assert_eq!(world.client.stream(stream), roomwire::Stream::Closed);
}

/// Nothing is written to a stream whose server does not read, for longer than the write time-out.
#[test]
fn c14_a_server_that_stops_reading() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    world.client.emit(world.now, socket, "e", ("x".repeat(1000),)).unwrap();
    let stream = world.client.poll_transmit().unwrap();
    world.client.sent(world.now, stream, 10);
    assert_eq!(world.client.poll_transmit(), None, "what is left is the driver's to remember");
    world.told();
    world.now = world.now.saturating_add(Duration::from_secs(30));
    world.client.handle_timeout(world.now);
    world.turn();
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: WebSocket(WriteTimeout), try 1 in 1s"]);
}

/// Time that goes backwards stands still.
#[test]
fn clocks_that_go_back() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let later = world.now.saturating_add(Duration::from_secs(10));
    world.client.handle_timeout(later);
    world.now = roomwire::Instant::ORIGIN;
    world.say("2");
    world.now = later;
    ends_after(&mut world, 45, &["disconnected 1: PingTimeout", "closed: PingTimeout, try 1 in 1s"]);
}

/// A server cannot leave unread, or unanswered, what has no stream yet.
#[test]
fn a_stream_that_opens_slowly() {
    for transports in [POLLING, WEBSOCKET] {
        let mut config = config(transports);
        config.write_timeout = Duration::from_secs(5);
        let mut world = World::new(config);
        world.opens = false;
        world.connect("/");
        world.pass_seconds(19);
        assert_eq!(world.told(), [""; 0]);
        let stream = world.opening.pop_front().unwrap();
        world.client.opened(world.now, stream);
        world.turn();
        if transports == POLLING {
            let get = world.get();
            world.answer(&get, OPEN);
        } else {
            world.say(OPEN);
        }
        assert_eq!(world.told(), ["opened"]);
    }
}
