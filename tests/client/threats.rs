//! Hostile servers.

use proptest::prelude::*;
use roomwire::engineio::Transports;
use roomwire::ws::Message;

use crate::world::{OPEN, OPEN_3, POLLING, WEBSOCKET, World, config, config_4};

/// Bytes that are nearly what a server says.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"HTTP/1.1 200 OK\r\n"[..],
        b"content-length: 6\r\n",
        b"content-type: application/octet-stream\r\n",
        b"transfer-encoding: chunked\r\n",
        b"connection: close\r\n",
        b"\r\n",
        OPEN.as_bytes(),
        b"97:",
        b"2:40",
        b"40{\"sid\":\"x\",\"pid\":\"p\"}",
        b"42[\"e\",\"o\"]",
        b"42/a,7[\"e\"]",
        b"451-[{\"_placeholder\":true,\"num\":0}]",
        b"430[]",
        b"44{\"message\":1}",
        b"\x1e",
        b"bAAAA",
        b"\x00\x01\xff4",
        b"\x81\x012",
        b"\x81\x0240",
        b"\x82\x01\x04",
        b"\x88\x00",
        b"\x81\x7e\xff\xff",
        b"\x81\x063probe",
        b"1",
        b"2",
        b"6",
    ]);
    prop::collection::vec(
        prop_oneof![9 => piece.prop_map(<[u8]>::to_vec), 1 => prop::collection::vec(any::<u8>(), 0..6)],
        0..12,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes on whatever stream, at whatever time: the client goes on, with few streams, and ends when it is told to.
    #[test]
    fn any_bytes_from_the_server(
        inputs in prop::collection::vec((nearly(), 0_usize..4, 0_u64..3000, any::<bool>()), 0..30),
        revision_3: bool, transports in prop::sample::select(vec![Transports::ALL, POLLING, WEBSOCKET]),
    ) {
        let config = if revision_3 { config_4(transports) } else { config(transports) };
        let mut world = World::new(config);
        world.client.connect(world.now, "/a", "").unwrap();
        let socket = world.connect("/");
        world.emit_with_ack(socket, "e", 20);
        for (bytes, nth, millis, open) in inputs {
            let known: Vec<_> = world.written.keys().copied().collect();
            if open && let Some(asked) = world.any_request() {
                let open_3 = format!("{}:{OPEN_3}2:40", OPEN_3.len());
                world.answer(&asked, if revision_3 { &open_3 } else { OPEN });
            } else if let Some(stream) = known.iter().rev().nth(nth) {
                world.feed(*stream, &bytes);
                world.turn();
            }
            world.pass_time(std::time::Duration::from_millis(millis));
            prop_assert!(world.streams() <= 8, "{} streams", world.streams());
        }
        world.client.close(world.now);
        world.turn();
        world.pass_seconds(10);
        prop_assert!(world.client.is_finished() && world.client.poll_timeout().is_none());
        let told = world.told();
        prop_assert_eq!(told.iter().filter(|told| told.starts_with("ack 0")).count(), 1, "{:?}", told);
    }
}

fn ended(world: &mut World, error: &str, what: &str) {
    assert_eq!(
        world.told(),
        ["disconnected 1: ProtocolError".to_owned(), format!("closed: {error}, try 1 in 1s")],
        "{what}"
    );
}

#[test]
fn packets_that_break_the_protocol() {
    for (text, error) in [
        ("4", "SocketIo(PacketType)"),
        ("47", "SocketIo(PacketType)"),
        ("42", "SocketIo(Payload)"),
        ("42[]", "SocketIo(EventName)"),
        ("42{}", "SocketIo(Payload)"),
        ("42[\"e\"", "SocketIo(Payload)"),
        ("42[{\"toString\":\"foo\"}]", "SocketIo(EventName)"),
        ("42[\"connect\"]", "SocketIo(ReservedName)"),
        ("4299999999999999999999[\"e\"]", "SocketIo(AckId)"),
        ("43{}", "SocketIo(Payload)"),
        ("45[\"e\"]", "SocketIo(Attachments)"),
        ("4511-[\"e\"]", "SocketIo(Attachments)"),
        ("451-[\"e\",{\"_placeholder\":true,\"num\":1}]", "SocketIo(Placeholder)"),
        ("451-[\"e\",{\"_placeholder\":true,\"num\":-1}]", "SocketIo(Placeholder)"),
        ("", "Packet"),
        ("7", "Packet"),
        ("x", "Packet"),
        (OPEN, "Packet"),
    ] {
        let (mut world, _) = World::websocket(config(WEBSOCKET));
        world.say(text);
        ended(&mut world, error, text);
    }
}

#[test]
fn s06_s09_attachments_out_of_place() {
    let announced = r#"451-["e",{"_placeholder":true,"num":0}]"#;
    let binary = || Message::from(&[0_u8][..]);
    for (messages, error) in [
        (vec![binary()], "Binary"),
        (vec![Message::from("450-[\"e\"]"), binary()], "Binary"),
        (vec![Message::from(announced), binary(), binary()], "Binary"),
        (vec![Message::from(announced), Message::from("42[\"e\"]")], "AttachmentsMissing"),
    ] {
        let (mut world, _) = World::websocket(config(WEBSOCKET));
        world.send(&messages);
        let told = world.told();
        assert_eq!(told.last().unwrap(), &format!("closed: SocketIo({error}), try 1 in 1s"));
    }
    // A session that is lost takes what was announced with it.
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    world.say(announced);
    let stream = world.socket();
    world.lose(stream);
    world.pass_seconds(1);
    world.say(OPEN);
    world.say(r#"40{"sid":"two"}"#);
    world.say("42[\"e\"]");
    assert_eq!(world.told().last().unwrap(), "1 e()");
}

#[test]
fn s05_s07_attachments_are_bounded() {
    let mut config = config(WEBSOCKET);
    config.limits.packet_bytes_max = 1000;
    let (mut world, _) = World::websocket(config);
    world.say(r#"452-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    world.send(&[Message::from(&[0_u8; 500][..])]);
    world.send(&[Message::from(&[0_u8; 500][..])]);
    ended(&mut world, "SocketIo(AttachmentsTooLong)", "");
}

#[test]
fn d02_messages_are_bounded() {
    let mut limited = config(WEBSOCKET);
    limited.limits.message_bytes_max = 1000;
    let (mut world, _) = World::websocket(limited);
    world.say(&"4".repeat(1001));
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: WebSocket(MessageTooBig), try 1 in 1s"]);
    assert_eq!(world.said(), ["CLOSED 1009"]);
    let mut limited = config(POLLING);
    limited.limits.message_bytes_max = 1000;
    let (mut world, _, get) = World::polling(limited, OPEN);
    world.feed(get.stream, b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n");
    world.turn();
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: Http(BodyTooLarge), try 1 in 1s"]);
}

#[test]
fn e18_packets_of_a_payload_are_bounded() {
    let mut config = config(POLLING);
    config.limits.payload_packets_max = 10;
    let (mut world, _, get) = World::polling(config, OPEN);
    world.answer(&get, ["6"; 10].join("\u{1e}").as_str());
    let get = world.get();
    world.answer(&get, ["6"; 11].join("\u{1e}").as_str());
    ended(&mut world, "Payload(TooManyPackets)", "");
}

/// A flood of pings is answered while the answers are read, and never kept without bound.
#[test]
fn e15_floods_of_pings() {
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    world.answer(&get, ["2"; 10_000].join("\u{1e}").as_str());
    assert_eq!(world.post().body(), "3");

    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let stream = world.socket();
    let flood = b"\x81\x012".repeat(10_000);
    let mut rounds = 0;
    while world.client.wants_read(stream) {
        world.feed(stream, &flood);
        rounds += 1;
        assert!(rounds < 100, "reading goes on");
    }
    // What may wait to be sent, and the answers to one read.
    assert!(world.client.outgoing_len(stream) < (1 << 20) + 3 * flood.len());
}

/// Heartbeats of the wrong revision, and packets without meaning here, do nothing.
#[test]
fn packets_without_meaning() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    for text in ["3", "3probe", "5", "6", "40{\"sid\":\"again\"}", "44{\"message\":\"late\"}", "431[]"] {
        world.say(text);
    }
    assert_eq!((world.told(), world.said()), (vec![], vec![]));
}

#[test]
fn answers_to_connect_that_are_none() {
    for data in ["", "{}", "[]", "{\"sid\":7}", "{\"sid\":null}", "\"x\""] {
        let mut world = World::new(config(WEBSOCKET));
        world.connect("/");
        world.say(OPEN);
        world.say(&format!("40{data}"));
        assert_eq!(world.told(), ["opened", "closed: SocketIo(Payload), try 1 in 1s"], "{data}");
    }
    let mut world = World::new(config(WEBSOCKET));
    world.connect("/");
    world.say(OPEN);
    world.say(&format!(r#"40{{"sid":"{}"}}"#, "x".repeat(257)));
    assert_eq!(world.told(), ["opened", "closed: SocketIo(Payload), try 1 in 1s"]);
    let mut world = World::new(config(WEBSOCKET));
    world.connect("/");
    world.say(OPEN);
    world.say(&format!(r#"40{{"sid":"x","more":"{}"}}"#, "x".repeat(5000)));
    assert_eq!(world.told(), ["opened", "closed: SocketIo(Payload), try 1 in 1s"]);
}

/// Requests stay requests: a server cannot make the client believe that a stream speaks WebSocket, or the reverse.
#[test]
fn a12_answers_of_the_wrong_kind() {
    let mut world = World::new(config(POLLING));
    world.connect("/");
    let get = world.get();
    world.feed(get.stream, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n\x81\x0240");
    world.turn();
    assert_eq!(world.told(), ["closed: Http(MalformedHead), try 1 in 1s"]);
}

/// Feeds bytes to the client alone and tells what that did to the heap.
fn fed(world: &mut World, stream: roomwire::client::StreamId, mut bytes: Vec<u8>) -> crate::memory::Usage {
    let now = world.now;
    let ((), usage) = crate::memory::measure(|| {
        let mut input = &mut bytes[..];
        while world.client.receive(now, stream, &mut input).is_some() {}
    });
    usage
}

/// Memory grows with what has come, never with what was announced.
#[test]
fn f01_lengths_that_are_only_announced() {
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    let usage = fed(&mut world, get.stream, b"HTTP/1.1 200 OK\r\ncontent-length: 16000000\r\n\r\n4".to_vec());
    assert!(usage.peak < 8192, "{usage:?}");
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nf00000\r\n4";
    let usage = fed(&mut world, get.stream, head.to_vec());
    assert!(usage.peak < 8192, "{usage:?}");
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let stream = world.socket();
    let usage = fed(&mut world, stream, b"\x81\x7f\0\0\0\0\0\xf0\0\x004".to_vec());
    assert!(usage.peak < 8192, "{usage:?}");
}

/// What was large once is given back.
#[test]
fn m07_nothing_is_kept_of_large_messages() {
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    let packet = format!("42[\"e\",\"{}\"]", "x".repeat(1_000_000));
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{packet}", packet.len());
    let usage = fed(&mut world, get.stream, head.into_bytes());
    assert!(usage.live < 16_384 && usage.peak > 1_000_000 && usage.peak < 6_000_000, "{usage:?}");
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    let packets = ["42[\"e\"]"; 20_000].join("\u{1e}");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{packets}", packets.len());
    let usage = fed(&mut world, get.stream, head.into_bytes());
    assert!(usage.live < 16_384, "nor of many: {usage:?}");

    // Events that were told only when they were asked for.
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    let now = world.now;
    let wait = std::time::Duration::from_secs(60);
    let ((), usage) = crate::memory::measure(|| {
        for _ in 0..1000 {
            world.client.emit_with_ack(now, socket, "e", (), wait).unwrap();
        }
        world.client.disconnect(now, socket);
        while world.client.poll_event().is_some() {}
        while let Some(stream) = world.client.poll_transmit() {
            let size = world.client.outgoing_len(stream);
            world.client.sent(now, stream, size);
        }
    });
    assert!(usage.live < 4096, "{usage:?}");

    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let stream = world.socket();
    let mut frame = b"\x81\x7f\0\0\0\0".to_vec();
    frame.extend((packet.len() as u32).to_be_bytes());
    frame.extend(packet.bytes());
    let usage = fed(&mut world, stream, frame);
    assert!(usage.live < 4096 && usage.peak < 4096, "lent from where it lies: {usage:?}");
}

#[test]
fn e11_secrets_are_not_shown() {
    let config = config(POLLING).header("Authorization", "secret").unwrap().query("token", "secret");
    let mut world = World::new(config);
    let socket = world.client.connect(world.now, "/", r#"{"token":"secret"}"#).unwrap();
    world.turn();
    let get = world.get();
    world.respond(&get, "200 OK", "set-cookie: a=secret\r\n", OPEN.replace("SID", "secret").as_bytes());
    world.client.emit(world.now, socket, "e", ("secret",)).unwrap();
    let get = world.get();
    world.answer(&get, r#"40{"sid":"secret","pid":"secret"}"#);
    world.client.emit(world.now, socket, "e", ("secret",)).unwrap();
    assert!(!format!("{:?}", world.client).contains("secret"), "{:?}", world.client);
}

/// What nobody asked for is not answered: by long polling the server could have any number of answers queued.
#[test]
fn answers_that_nobody_asked_for() {
    let flood = (0..1000).map(|nth| format!("40/{}{nth},{{\"sid\":\"x\"}}", "x".repeat(1000))).collect::<Vec<_>>();
    let flood = flood.join("\u{1e}");
    let (mut world, socket, mut get) = World::polling(config(POLLING), OPEN);
    world.emit(socket, "e", ());
    let usage = crate::memory::measure(|| {
        for _ in 0..5 {
            world.answer(&get, &flood);
            get = world.get();
        }
    })
    .1;
    assert!(usage.live < 200_000, "{usage:?}");
    let post = world.post();
    world.answer(&post, "ok");
    assert_eq!(world.any_request().map(|asked| asked.line), None);
}
