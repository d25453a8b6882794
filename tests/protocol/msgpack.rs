//! Clients that are configured for MessagePack.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roomwire::hub::{Config, ConnId, EmitError, Error, Namespaces, Origins, Parser, Refusal, Target};
use roomwire::socketio::msgpack::{Unpacked, write_packet};
use roomwire::socketio::{self, Args, Packet, PacketType, Placeholder, attach};
use roomwire::ws::{Message, Opcode};
use serde_json::json;

use crate::app::App;
use crate::client::{Client, Frame, MAIN, MAIN_3, frame, text};
use crate::memory::measure;
use crate::world::{Told, World, open_config};

fn packed_config() -> Config {
    Config { parser: Parser::MessagePack, ..open_config() }
}

fn world(app: App) -> World {
    World::new(packed_config(), app)
}

fn packed(packet: &Packet<'_>, attachments: &[&[u8]]) -> Vec<u8> {
    let attachments: Vec<_> = attachments.iter().map(|bytes| bytes.to_vec().into()).collect();
    let mut out = Vec::new();
    write_packet(packet, &attachments, &mut out).unwrap();
    out
}

fn unpacked(bytes: &[u8]) -> Unpacked<'_> {
    Unpacked::parse(bytes, 10, 1_000_000).unwrap()
}

fn event(data: &str) -> Packet<'_> {
    Packet { data, ..Packet::new(PacketType::Event, "/") }
}

fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

impl Client {
    fn pack(&mut self, world: &mut World, packet: &Packet<'_>, attachments: &[&[u8]]) {
        self.send(world, Message::from(&packed(packet, attachments)[..]));
    }

    /// The one binary message that came.
    fn packet(&mut self, world: &mut World) -> Vec<u8> {
        match &self.frames(world)[..] {
            [Frame::Binary(bytes)] => bytes.clone(),
            frames => panic!("{frames:?}"),
        }
    }

    /// Why the server ended it, and the code of its close frame.
    fn failed(mut self, world: &mut World) -> (Option<Error>, u16) {
        let Some(Frame::Close(code, _)) = self.frames(world).pop() else { panic!("not closed") };
        self.finish(world);
        (world.error(self.conn), code)
    }

    /// A client of protocol 5 that is connected to `/`.
    fn with_msgpack(world: &mut World) -> Self {
        let mut client = Self::open(world, MAIN);
        client.pack(world, &Packet::new(PacketType::Connect, "/"), &[]);
        client.frames(world);
        client
    }

    /// The same of protocol 4.
    fn with_msgpack_3(world: &mut World) -> Self {
        let mut client = Self::open(world, MAIN_3);
        assert_eq!(client.frames(world)[1], text(r#"4{"type":0,"nsp":"/"}"#));
        client
    }
}

/// What was recorded between the official server and client, word for word but for the order of members.
#[test]
fn the_recorded_session() {
    let mut world = world(App::Captured);
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    // Nothing is heard before a namespace is connected; that ends the session.
    let mut early = Client::open(&mut world, MAIN);
    early.pack(&mut world, &event(r#"["x"]"#), &[]);
    assert_eq!(early.failed(&mut world), (Some(Error::SocketIo(socketio::Error::NotConnected)), 1008));
    client.send(
        &mut world,
        Message::from(&hex("83 a4 74 79 70 65 00 a4 64 61 74 61 81 a5 74 6f 6b 65 6e a6 73 65 63 72 65 74 a3 6e 73 70 a6 2f 61 64 6d 69 6e")[..]),
    );
    let frames = client.frames(&mut world);
    let [Frame::Binary(connect), Frame::Binary(hello)] = &frames[..] else { panic!("{frames:?}") };
    let connect = unpacked(connect);
    assert_eq!((connect.kind, &*connect.namespace), (PacketType::Connect, "/admin"));
    assert!(connect.data.starts_with(r#"{"sid":""#));
    assert_eq!(
        hello,
        &hex(
            "83 a4 74 79 70 65 02 a4 64 61 74 61 95 a5 68 65 6c 6c 6f a5 77 6f 72 6c 64 01 c3 81 a1 61 91 c0 a3 6e 73 70 a6 2f 61 64 6d 69 6e"
        )
    );
    for (said, answer) in [
        (
            "84 a4 74 79 70 65 02 a4 64 61 74 61 96 a3 6d 73 67 a5 70 6c 61 69 6e cb 3f f8 00 00 00 00 00 00 c2 c0 81 a1 6b a1 76 a7 6f 70 74 69 6f 6e 73 81 a8 63 6f 6d 70 72 65 73 73 c3 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
            "83 a4 74 79 70 65 02 a4 64 61 74 61 96 a8 6d 73 67 2d 62 61 63 6b a5 70 6c 61 69 6e cb 3f f8 00 00 00 00 00 00 c2 c0 81 a1 6b a1 76 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
        ),
        (
            "85 a4 74 79 70 65 02 a4 64 61 74 61 93 a4 65 63 68 6f a8 77 69 74 68 20 61 63 6b 81 a1 78 01 a7 6f 70 74 69 6f 6e 73 81 a8 63 6f 6d 70 72 65 73 73 c3 a2 69 64 00 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
            "84 a2 69 64 00 a4 74 79 70 65 03 a4 64 61 74 61 92 a8 77 69 74 68 20 61 63 6b 81 a1 78 01 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
        ),
        (
            "85 a4 74 79 70 65 02 a4 64 61 74 61 92 a4 65 63 68 6f c4 02 de ad a7 6f 70 74 69 6f 6e 73 81 a8 63 6f 6d 70 72 65 73 73 c3 a2 69 64 01 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
            "84 a2 69 64 01 a4 74 79 70 65 03 a4 64 61 74 61 91 c4 02 de ad a3 6e 73 70 a6 2f 61 64 6d 69 6e",
        ),
        (
            "84 a4 74 79 70 65 02 a4 64 61 74 61 91 a3 61 73 6b a7 6f 70 74 69 6f 6e 73 81 a8 63 6f 6d 70 72 65 73 73 c3 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
            "84 a4 74 79 70 65 02 a4 64 61 74 61 92 a1 71 a1 78 a2 69 64 00 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
        ),
        (
            "84 a4 74 79 70 65 03 a2 69 64 00 a4 64 61 74 61 91 a6 61 6e 73 77 65 72 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
            "83 a4 74 79 70 65 02 a4 64 61 74 61 92 a3 67 6f 74 a6 61 6e 73 77 65 72 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
        ),
        (
            "84 a4 74 79 70 65 02 a4 64 61 74 61 92 a3 6d 73 67 ac e2 82 ac 20 f0 9f 98 80 20 e2 80 a8 a7 6f 70 74 69 6f 6e 73 81 a8 63 6f 6d 70 72 65 73 73 c3 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
            "83 a4 74 79 70 65 02 a4 64 61 74 61 92 a8 6d 73 67 2d 62 61 63 6b ac e2 82 ac 20 f0 9f 98 80 20 e2 80 a8 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
        ),
    ] {
        client.send(&mut world, Message::from(&hex(said)[..]));
        let heard = client.packet(&mut world);
        assert_eq!(unpacked(&heard), unpacked(&hex(answer)));
        assert_eq!(heard.len(), hex(answer).len(), "the shortest form");
    }
    client.send(&mut world, Message::from(&hex("82 a4 74 79 70 65 01 a3 6e 73 70 a6 2f 61 64 6d 69 6e")[..]));
    assert_eq!((client.frames(&mut world), world.hub.counts().sockets), (vec![], 0));

    let config = Config { namespaces: Namespaces::Listed(vec![]), ..packed_config() };
    let mut world = World::new(config, App::Captured);
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    client.send(
        &mut world,
        Message::from(&hex("83 a4 74 79 70 65 00 a4 64 61 74 61 d4 00 00 a3 6e 73 70 a5 2f 6e 6f 70 65")[..]),
    );
    let refusal = "83 a4 74 79 70 65 04 a3 6e 73 70 a5 2f 6e 6f 70 65 a4 64 61 74 61 81 a7 6d 65 73 73 61 67 65 b1 49 6e 76 61 6c 69 64 20 6e 61 6d 65 73 70 61 63 65";
    assert_eq!(unpacked(&client.packet(&mut world)), unpacked(&hex(refusal)));
}

/// To the application a client is the same whichever form it speaks.
#[test]
fn events_are_the_same_in_both_forms() {
    let packets = [
        event(r#"["plain"]"#),
        event(r#"["many",1,-2.5,true,null,"a\nb€",{"k":[{}]}]"#),
        Packet { id: Some(7), ..event(r#"["asks",[]]"#) },
        event(r#"[3,"number"]"#),
        event(r#"["looks",{"_placeholder":true,"num":0}]"#),
        Packet { id: Some(0), ..Packet { kind: PacketType::Ack, ..event(r#"["answer"]"#) } },
        Packet::new(PacketType::Disconnect, "/"),
    ];
    let mut told: Vec<Vec<String>> = Vec::new();
    for parser in [Parser::Json, Parser::MessagePack] {
        let mut world = World::new(Config { parser, ..open_config() }, App::Accepting);
        let mut client = Client::open(&mut world, MAIN);
        let mut say = |world: &mut World, packet: &Packet<'_>| {
            if parser == Parser::Json {
                let mut bytes = vec![b'4'];
                packet.write(&mut bytes);
                client.say(world, core::str::from_utf8(&bytes).unwrap());
            } else {
                client.pack(world, packet, &[]);
            }
        };
        say(&mut world, &Packet { data: r#"{"token":"x"}"#, ..Packet::new(PacketType::Connect, "/") });
        let socket = world.last_socket();
        world.hub.emit_with_ack(world.now, socket, "q", (), std::time::Duration::from_secs(1)).unwrap();
        for packet in &packets {
            say(&mut world, packet);
        }
        told.push(world.news().iter().map(|told| format!("{told:?}")).collect());
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].len(), 9, "{told:#?}");
}

#[test]
fn attachments_both_ways() {
    let mut world = world(App::Accepting);
    let mut client = Client::with_msgpack(&mut world);
    let data = r#"["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]"#;
    client.pack(&mut world, &event(data), &[b"\x01\x02\x03\x04", b"\x05"]);
    let Some(Told::Emit { args, .. }) = world.news().pop() else { panic!("no event") };
    assert_eq!(args, r#"{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}"#);
    let args = attach((Placeholder(0), json!({"n": Placeholder(1)})), [&b"\x01\x02\x03\x04"[..], b"\x05"]);
    world.hub.emit(world.now, Target::all(), "bin", args).unwrap();
    world.settle();
    let expected =
        "83 a4 74 79 70 65 02 a4 64 61 74 61 93 a3 62 69 6e c4 04 01 02 03 04 81 a1 6e c4 01 05 a3 6e 73 70 a1 2f";
    assert_eq!(client.packet(&mut world), hex(expected), "as it was recorded");
    // Eleven are one too many.
    let eleven: Vec<_> = (0..11).map(Placeholder).collect();
    let data = json!(["e", eleven]).to_string();
    client.pack(&mut world, &event(&data), &[&b""[..]; 11]);
    assert_eq!(client.failed(&mut world), (Some(Error::SocketIo(socketio::Error::Attachments)), 1008));
}

/// The parser of protocol 4 writes CONNECT, DISCONNECT and ERROR as text, and its client calls an event with binary data
/// another type.
#[test]
fn protocol_4() {
    let mut world = world(App::Captured);
    let mut client = Client::with_msgpack_3(&mut world);
    client.say(&mut world, r#"4{"type":0,"query":"token=secret","nsp":"/admin?token=secret"}"#);
    let frames = client.frames(&mut world);
    assert_eq!(frames[0], text(r#"4{"type":0,"nsp":"/admin"}"#));
    let Frame::Binary(hello) = &frames[1] else { panic!("{frames:?}") };
    assert_eq!((hello[0], unpacked(&hello[1..]).data.as_str()), (4, r#"["hello","world",1,true,{"a":[null]}]"#));
    let echo = hex(
        "04 84 a4 74 79 70 65 05 a4 64 61 74 61 92 a4 65 63 68 6f c4 02 de ad a2 69 64 01 a3 6e 73 70 a6 2f 61 64 6d 69 6e",
    );
    client.send(&mut world, Message::from(&echo[..]));
    let answer = client.packet(&mut world);
    let ack = unpacked(&answer[1..]);
    assert_eq!((answer[0], ack.kind, ack.id, &*ack.attachments[0]), (4, PacketType::Ack, Some(1), &b"\xDE\xAD"[..]));
    client.say(&mut world, r#"4{"type":1,"nsp":"/admin"}"#);
    assert_eq!((client.frames(&mut world), world.hub.counts().sockets), (vec![], 1));
    assert_eq!(client.ask(&mut world, "2"), [text("3")], "the heartbeat is as ever");
    // Its client takes nothing but a string for what is wrong.
    client.say(&mut world, r#"4{"type":0,"nsp":"/admin"}"#);
    assert_eq!(client.frames(&mut world), [text(r#"4{"type":4,"nsp":"/admin","data":"not authorized"}"#)]);
    client.say(&mut world, r#"4{"type":2,"nsp":"/","data":["e"]}"#);
    assert_eq!(client.failed(&mut world), (Some(Error::SocketIo(socketio::Error::Text)), 1003));

    let mut world = self::world(App::Manual);
    let mut client = Client::open(&mut world, MAIN_3);
    client.frames(&mut world);
    let refusal = Refusal::new("no").data(&"a string").unwrap();
    let socket = world.last_socket();
    world.hub.refuse(world.now, socket, &refusal).unwrap();
    world.settle();
    assert_eq!(client.frames(&mut world), [text(r#"4{"type":4,"nsp":"/","data":"a string"}"#)]);
    client.raw(&mut world, &frame(true, Opcode::Binary, &hex("82 a4 74 79 70 65 01 a3 6e 73 70 a1 2f")));
    let error = Error::EngineIo(roomwire::engineio::SessionError::Packet);
    assert_eq!(client.failed(&mut world), (Some(error), 1008), "without the type byte");
}

#[test]
fn one_broadcast_for_both_protocols() {
    let mut world = world(App::Accepting);
    let mut four = Client::with_msgpack_3(&mut world);
    let mut five = Client::with_msgpack(&mut world);
    let receipt = world.hub.emit(world.now, Target::all(), "e", ("x",)).unwrap();
    world.settle();
    let packet = five.packet(&mut world);
    assert_eq!((receipt.queued, unpacked(&packet).data.as_str()), (2, r#"["e","x"]"#));
    assert_eq!(four.packet(&mut world), [&[4], &packet[..]].concat());
}

/// What is not a packet ends the session, with a reason; engine packets are text as ever.
#[test]
fn what_is_no_packet() {
    for (message, error, code) in [
        (Message::from("42[\"e\"]"), socketio::Error::Text, 1003),
        (Message::from("40"), socketio::Error::Text, 1003),
        (Message::from(&b""[..]), socketio::Error::MessagePack, 1008),
        (Message::from(&b"\xdd\xff\xff\xff\xff"[..]), socketio::Error::MessagePack, 1008),
        (Message::from(&b"\x82\xa4type\x04\xa3nsp\xa1/"[..]), socketio::Error::ServerPacket, 1008),
        (Message::from(&b"\x82\xa4type\x02\xa3nsp\xa1/"[..]), socketio::Error::Payload, 1008),
        (
            Message::from(&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xa7connect"[..]),
            socketio::Error::ReservedName,
            1008,
        ),
        (Message::from(&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\x90"[..]), socketio::Error::EventName, 1008),
        (Message::from(&b"\x82\xa4type\x00\xa3nsp\xa1/"[..]), socketio::Error::AlreadyConnected, 1008),
        (Message::from(&b"\x82\xa4type\x02\xa3nsp\xa2/b"[..]), socketio::Error::NotConnected, 1008),
    ] {
        let mut world = world(App::Accepting);
        let mut client = Client::with_msgpack(&mut world);
        client.send(&mut world, message);
        assert_eq!(client.failed(&mut world), (Some(Error::SocketIo(error)), code));
    }
    let mut world = world(App::Accepting);
    let mut client = Client::with_msgpack(&mut world);
    world.pass(std::time::Duration::from_secs(25));
    assert_eq!(client.frames(&mut world), [text("2")]);
    client.say(&mut world, "3");
    client.say(&mut world, "1");
    assert_eq!(client.failed(&mut world), (None, 1000));
}

/// Numbers with an exponent grow: three characters become nine bytes. What an outbox cannot hold is not sent, instead of
/// cutting off everybody who was to get it.
#[test]
fn events_that_grow() {
    let mut config = packed_config();
    config.limits.outbox_bytes_max = 65_536;
    let mut world = World::new(config, App::Accepting);
    let mut client = Client::with_msgpack(&mut world);
    let floats = |count: usize| Args::new(vec!["1e9"; count].join(",")).unwrap();
    let receipt = world.hub.emit(world.now, Target::all(), "e", floats(7000)).unwrap();
    assert_eq!((receipt.queued, receipt.cut_off), (1, 0));
    world.settle();
    assert_eq!(client.packet(&mut world).len(), 7000 * 9 + 23);
    for count in [7250, 10_000, 20_000] {
        let error = world.hub.emit(world.now, Target::all(), "e", floats(count)).unwrap_err();
        assert!(matches!(error, EmitError::TooLong), "{error}");
    }
    world.settle();
    assert_eq!((client.frames(&mut world), world.hub.counts().sessions), (vec![], 1));
}

/// Nothing is allocated from a length, and what text grows to is bounded.
#[test]
fn s17_claims_cost_nothing() {
    let bombs: [(&str, Vec<u8>); 4] = [
        ("a length", b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd\xff\xff\xff\xff".to_vec()),
        ("a length of a string", b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xdb\xff\xff\xff\xff".to_vec()),
        ("nested", [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"[..], &b"\xdd\xff\xff\xff\xff".repeat(1000)].concat()),
        ("members that nobody reads", [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa1x"[..], &b"\x91".repeat(4000)].concat()),
    ];
    for (name, bomb) in bombs {
        let mut world = world(App::Accepting);
        let mut client = Client::with_msgpack(&mut world);
        let bytes = frame(true, Opcode::Binary, &bomb);
        let ((), usage) = measure(|| client.raw(&mut world, &bytes));
        assert!(client.failed(&mut world).0.is_some(), "{name}");
        assert!(usage.peak <= 2 * bytes.len() as isize + 4096, "{name}: {usage:?}");
    }
    // A million bytes that would be six.
    let keys =
        [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e\xdf\x00\x05\x00\x00"[..], &b"\xa1\x01\xc0".repeat(327_680)]
            .concat();
    let mut world = world(App::Accepting);
    let mut client = Client::with_msgpack(&mut world);
    let bytes = frame(true, Opcode::Binary, &keys);
    let ((), usage) = measure(|| client.raw(&mut world, &bytes));
    assert_eq!(client.failed(&mut world), (Some(Error::SocketIo(socketio::Error::AttachmentsTooLong)), 1008));
    // The driver's copy, the message, and the text as it grew.
    assert!(usage.peak <= 6_000_000, "{usage:?}");
}

/// One request and its answer, on a stream of its own.
fn ask(world: &mut World, method: &str, target: &str, kind: &str, body: &[u8]) -> (ConnId, Vec<u8>) {
    let conn = world.stream();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    world.feed(conn, &[head.as_bytes(), body].concat());
    let answer = world.take(conn);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |end| end + 4);
    (conn, answer[end..].to_vec())
}

fn sid(open: &[u8]) -> String {
    let text = String::from_utf8_lossy(open);
    text.split("\"sid\":\"").nth(1).unwrap()[..20].to_owned()
}

#[test]
fn long_polling_in_revision_4() {
    let mut world = world(App::Captured);
    let (_, open) = ask(&mut world, "GET", "/socket.io/?EIO=4&transport=polling", "", b"");
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", sid(&open));
    let say = |world: &mut World, packet: &Packet<'_>, attachments: &[&[u8]]| {
        let body = format!("b{}", STANDARD.encode(packed(packet, attachments)));
        assert_eq!(ask(world, "POST", &target, "text/plain", body.as_bytes()).1, b"ok");
    };
    let hear = |world: &mut World| -> Vec<Vec<u8>> {
        let body = String::from_utf8(ask(world, "GET", &target, "", b"").1).unwrap();
        body.split('\u{1e}').map(|packet| STANDARD.decode(packet.strip_prefix('b').unwrap()).unwrap()).collect()
    };
    say(&mut world, &Packet::new(PacketType::Connect, "/"), &[]);
    let packets = hear(&mut world);
    assert_eq!((unpacked(&packets[0]).kind, unpacked(&packets[1]).kind), (PacketType::Connect, PacketType::Event));
    let echo = Packet { id: Some(3), ..event(r#"["echo",{"_placeholder":true,"num":0}]"#) };
    say(&mut world, &echo, &[b"\xCA\xFE"]);
    let packets = hear(&mut world);
    let answer = unpacked(&packets[0]);
    assert_eq!((answer.id, &*answer.attachments[0]), (Some(3), &b"\xCA\xFE"[..]));
}

#[test]
fn long_polling_in_revision_3() {
    let mut world = world(App::Captured);
    let (_, open) = ask(&mut world, "GET", "/socket.io/?EIO=3&transport=polling", "", b"");
    // The event of the welcome is binary, and so is the whole body then, in which each text has a front of bytes.
    let connect = &b"\x00\x02\x01\xff4{\"type\":0,\"nsp\":\"/\"}"[..];
    assert!(open.windows(connect.len()).any(|part| part == connect), "{}", open.escape_ascii());
    let target = format!("/socket.io/?EIO=3&transport=polling&sid={}", sid(&open));
    let echo = Packet { id: Some(3), ..event(r#"["echo",{"_placeholder":true,"num":0}]"#) };
    let message = packed(&echo, &[b"\xCA\xFE"]);
    let length: Vec<u8> = (message.len() + 1).to_string().bytes().map(|digit| digit - b'0').collect();
    let body = [&[1], &length[..], &[0xFF, 4], &message[..]].concat();
    assert_eq!(ask(&mut world, "POST", &target, "application/octet-stream", &body).1, b"ok");
    let (_, heard) = ask(&mut world, "GET", &target, "", b"");
    let at = heard.iter().position(|byte| *byte == 0xFF).unwrap();
    let answer = unpacked(&heard[at + 2..]);
    assert_eq!((heard[at + 1], answer.id, &*answer.attachments[0]), (4, Some(3), &b"\xCA\xFE"[..]));
}

#[test]
fn json_is_what_a_hub_speaks_by_itself() {
    assert_eq!(Config::new(Origins::Any).parser, Parser::Json);
}
