//! Compression of what the hub sends (RFC 7692), read by clients of this library's own.

use std::sync::Arc;

use roomwire::Instant;
use roomwire::hub::{Config, ConnId, Event, Plain, Recovery, SocketId, Target};
use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::{self, Connection, DeflateConfig, Message, Opening};

use crate::fuzz_hub::Told;
use crate::support::memory::measure;
use crate::world::{V4, World, config, millis};

fn deflating(server_max_window_bits: u8) -> Config {
    let deflate = Some(DeflateConfig { server_max_window_bits, ..DeflateConfig::default() });
    let plain = vec![Plain::new("/raw", "/chat")];
    Config { deflate, plain, ..config() }
}

/// A client that may offer compression.
struct Client {
    conn: ConnId,
    ws: Connection,
}

impl Client {
    fn open(world: &mut World, target: &str, window_bits: Option<u8>) -> Self {
        let deflate =
            window_bits.map(|bits| DeflateConfig { server_max_window_bits: bits, ..DeflateConfig::default() });
        let config = Arc::new(ws::Config { deflate, ..ws::Config::default() });
        let opening = Opening::url(&format!("ws://localhost{target}")).unwrap();
        let conn = world.hub.connect(world.now).unwrap();
        let mut client = Self { conn, ws: Connection::client(config, opening, [3; 32], world.now) };
        client.speaks(world);
        client.hears(world);
        assert!(client.ws.is_open());
        client
    }

    /// One that is connected to `/`.
    fn connect(world: &mut World, window_bits: Option<u8>) -> (Self, SocketId) {
        let mut client = Self::open(world, V4, window_bits);
        let told = client.says(world, "40");
        let [.., Told::Connecting(socket, ..)] = told[..] else { panic!("{told:?}") };
        world.hub.accept(world.now, socket).unwrap();
        client.hears(world);
        (client, socket)
    }

    fn says(&mut self, world: &mut World, text: &str) -> Vec<Told> {
        self.ws.send(world.now, text).unwrap();
        self.speaks(world);
        world.told()
    }

    fn speaks(&mut self, world: &mut World) {
        let bytes = self.ws.outgoing().collect::<Vec<_>>().concat();
        self.ws.sent(world.now, bytes.len());
        world.bytes(self.conn, &bytes);
    }

    /// How many bytes came, and the messages in them.
    fn hears(&mut self, world: &mut World) -> (usize, Vec<Message<'static>>) {
        let mut bytes = world.read(self.conn, usize::MAX);
        let (count, mut input, mut heard) = (bytes.len(), &mut bytes[..], Vec::new());
        while let Some(event) = self.ws.receive(world.now, &mut input) {
            match event {
                ws::Event::Message(message) => heard.push(message.into_owned()),
                ws::Event::Opened(_) => {}
                other => panic!("{other:?}"),
            }
        }
        (count, heard)
    }
}

#[test]
fn what_was_missed_is_compressed_as_it_would_have_been() {
    let text = "one and the same ".repeat(100);
    for (compress, sizes) in [(true, 0..300), (false, text.len()..2000)] {
        let config = Config { recovery: Some(Recovery::default()), ..deflating(15) };
        let mut world = World::new(config);
        let mut client = Client::open(&mut world, V4, Some(15));
        let told = client.says(&mut world, "40");
        let [.., Told::Connecting(socket, ..)] = told[..] else { panic!("{told:?}") };
        world.hub.accept(world.now, socket).unwrap();
        let (_, heard) = client.hears(&mut world);
        let [.., Message::Text(answer)] = &heard[..] else { panic!("{heard:?}") };
        world.hub.abort(world.now, client.conn);
        world.told();
        let target = Target::socket(socket);
        let target = if compress { target } else { target.uncompressed() };
        world.hub.emit(world.now, target, "say", (&text,)).unwrap();
        client = Client::open(&mut world, V4, Some(15));
        // What was answered has the sid and the pid.
        assert_eq!(client.says(&mut world, answer), [Told::Recovered(socket)]);
        let (size, heard) = client.hears(&mut world);
        let [Message::Text(said), Message::Text(again)] = &heard[..] else { panic!("{heard:?}") };
        assert!(sizes.contains(&size) && said.contains(&text) && again == answer, "{size}");
    }
}

/// Letters without a pattern, twice: it takes a window of 3,000 bytes to see that.
fn twice() -> String {
    let mut state = 1_u32;
    let letter = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 28) as u8)
    };
    (0..3000).map(letter).collect::<String>().repeat(2)
}

#[test]
fn an_event_for_many_is_compressed_for_each_window() {
    for most in [8, 12, 15] {
        let mut world = World::new(deflating(most));
        let mut clients: Vec<_> = (8..=15).map(|bits| (bits, Client::connect(&mut world, Some(bits)).0)).collect();
        let (mut bare, _) = Client::connect(&mut world, None);
        for text in [twice(), "x".repeat(200), "x".repeat(5000)] {
            world.hub.emit(world.now, Target::all(), "e", (text.as_str(),)).unwrap();
            let expected = [Message::from(format!("42[\"e\",\"{text}\"]"))];
            for (bits, client) in &mut clients {
                let (count, heard) = client.hears(&mut world);
                assert_eq!(heard, expected, "{bits}");
                let right = match (text.starts_with('x'), most.min(*bits)) {
                    (true, _) => 0..300,
                    (false, 12..) => 0..3600,
                    (false, _) => 5000..7000,
                };
                assert!(right.contains(&count), "{} in {bits} of {most}: {count}", text.len());
            }
            let (count, heard) = bare.hears(&mut world);
            assert!(count > text.len() && heard == expected, "{count}");
        }
        world.hub.emit(world.now, Target::all().uncompressed(), "e", (twice(),)).unwrap();
        for (_, client) in &mut clients {
            assert!(client.hears(&mut world).0 > 6000);
        }
    }
}

#[test]
fn what_is_for_one_is_compressed_too() {
    let text = "x".repeat(5000);
    for (bits, most) in [(Some(15), 150), (Some(9), 250), (None, 5100)] {
        let mut world = World::new(deflating(15));
        let (mut client, socket) = Client::connect(&mut world, bits);
        let check = |(count, heard): (usize, Vec<Message<'static>>), expected: &[Message<'_>]| {
            assert_eq!(heard, expected);
            assert!(count < most && (bits.is_some() || count > 5000), "{bits:?}: {count}");
        };
        world.hub.emit_with_ack(world.now, socket, "e", (text.as_str(),), millis(100)).unwrap();
        check(client.hears(&mut world), &[format!("420[\"e\",\"{text}\"]").into()]);
        let attached = attach((Placeholder(0),), [text.as_bytes()]);
        world.hub.emit_with_ack(world.now, socket, "e", attached, millis(100)).unwrap();
        let event = r#"451-1["e",{"_placeholder":true,"num":0}]"#;
        check(client.hears(&mut world), &[event.into(), text.as_bytes().into()]);

        world.told();
        client.ws.send(world.now, "427[\"ask\"]").unwrap();
        let mut asked = client.ws.outgoing().collect::<Vec<_>>().concat();
        client.ws.sent(world.now, asked.len());
        let Some(Event::Emit { reply: Some(reply), .. }) =
            world.hub.receive(world.now, client.conn, &mut &mut asked[..])
        else {
            panic!()
        };
        world.hub.ack(world.now, reply, (text.as_str(),)).unwrap();
        check(client.hears(&mut world), &[format!("437[\"{text}\"]").into()]);

        let mut plain = Client::open(&mut world, "/raw", bits);
        world.hub.send_to_connection(world.now, plain.conn, text.as_str());
        check(plain.hears(&mut world), &[text.as_str().into()]);
    }
}

/// Each heartbeat gives back what inflating takes, in both revisions, where nothing has to be kept from message to message.
#[test]
fn idle_clients_hold_no_memory_for_compression() {
    for revision in [3, 4] {
        let live = |beats: bool| {
            let mut settings = deflating(15);
            settings.deflate =
                settings.deflate.map(|deflate| DeflateConfig { client_no_context_takeover: true, ..deflate });
            let mut world = World::new(settings);
            let mut client =
                Client::open(&mut world, &format!("/socket.io/?EIO={revision}&transport=websocket"), Some(15));
            let mut write = |text: &str| {
                client.ws.send(Instant::ORIGIN, text).unwrap();
                let bytes = client.ws.outgoing().collect::<Vec<_>>().concat();
                client.ws.sent(Instant::ORIGIN, bytes.len());
                bytes
            };
            let (event, ping) = (write(&format!("40/a,{{\"a\":\"{}\"}}", "x".repeat(5000))), write("2"));
            assert!(event.len() < 500);
            let ((), usage) = measure(|| {
                world.bytes(client.conn, &event);
                world.told();
                if beats && revision == 3 {
                    world.bytes(client.conn, &ping);
                } else if beats {
                    world.pass(config().engine.ping_interval);
                }
                world.read(client.conn, usize::MAX);
            });
            usage.live
        };
        let (used, idle) = (live(false), live(true));
        assert!(used > idle + 30_000, "revision {revision}: {used} bytes, idle {idle}");
    }
}
