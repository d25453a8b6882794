//! Binary attachments in both directions, over both transports, in both revisions.

use std::collections::BTreeMap;

use roomwire::hub::{AckError, Config, EmitError, Event, Target};
use roomwire::socketio::{self, Args, Placeholder, attach};
use roomwire::ws::{Message, Opcode};

use crate::app::App;
use crate::client::{Client, Frame, frame, message, text};
use crate::poller::Poller;
use crate::polling::accepting;
use crate::world::{Told, World, open_config, secs};

/// A connected client on one transport in one revision.
enum Peer {
    WebSocket(Client, u8),
    Polling(Poller),
}

const KINDS: [(bool, u8, &str); 6] =
    [(true, 4, ""), (true, 3, ""), (false, 4, ""), (false, 3, ""), (false, 3, "&b64=1"), (false, 3, "&j=0")];

impl Peer {
    fn connected(world: &mut World, (websocket, revision, further): (bool, u8, &str)) -> Self {
        match (websocket, revision) {
            (true, 4) => Self::WebSocket(Client::connected(world), 4),
            (true, _) => Self::WebSocket(Client::connected_3(world), 3),
            (false, _) => Self::Polling(Poller::connected_with(world, revision, further)),
        }
    }

    /// Everything that waits for it, binary data without any type byte.
    fn heard(&mut self, world: &mut World) -> Vec<Frame> {
        match self {
            Self::WebSocket(client, revision) => {
                let strip = |frame| match frame {
                    Frame::Binary(data) if *revision == 3 => Frame::Binary(data.strip_prefix(&[4]).unwrap().to_vec()),
                    frame => frame,
                };
                client.frames(world).into_iter().map(strip).collect()
            }
            Self::Polling(poller) => poller.poll(world).packets(),
        }
    }

    fn send(&mut self, world: &mut World, packets: &[Frame]) {
        match self {
            Self::WebSocket(client, revision) => {
                for packet in packets {
                    let bytes = match packet {
                        Frame::Text(text) => message(text),
                        Frame::Binary(data) if *revision == 3 => {
                            frame(true, Opcode::Binary, &[&[4], &data[..]].concat())
                        }
                        Frame::Binary(data) => frame(true, Opcode::Binary, data),
                        other => panic!("{other:?}"),
                    };
                    client.raw(world, &bytes);
                }
            }
            Self::Polling(poller) if poller.further == "&j=0" => {
                let body: String =
                    crate::poller::payload(3, packets).bytes().map(|byte| format!("%{byte:02X}")).collect();
                let answer = poller.post(world, "application/x-www-form-urlencoded", format!("d={body}").as_bytes());
                assert_eq!(answer.text(), "ok");
            }
            Self::Polling(poller) => poller.send(world, packets),
        }
    }
}

fn binary(data: &[u8]) -> Frame {
    Frame::Binary(data.to_vec())
}

/// To a client: the text first, then the attachments in order, whatever the order in the JSON; alone, nested and empty.
#[test]
fn to_a_client() {
    for kind in KINDS {
        let mut world = accepting();
        let mut peer = Peer::connected(&mut world, kind);
        let socket = world.last_socket();
        let nested = BTreeMap::from([("a", vec![Placeholder(2), Placeholder(0)]), ("b", vec![])]);
        let all: Vec<u8> = (0..=255).collect();
        let args = attach(("€", nested, Placeholder(1)), [&b""[..], &all, b"\x04"]);
        world.hub.emit(world.now, socket, "e", args).unwrap();
        world.settle();
        let place = |num| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
        let head = format!(r#"453-["e","€",{{"a":[{},{}],"b":[]}},{}]"#, place(2), place(0), place(1));
        assert_eq!(peer.heard(&mut world), [text(&head), binary(b""), binary(&all), binary(b"\x04")], "{kind:?}");
        // A place may be named twice, an attachment by nobody.
        let args = attach((Placeholder(1), Placeholder(1)), [b"unnamed".as_slice(), b"twice"]);
        world.hub.emit(world.now, socket, "e", args).unwrap();
        world.settle();
        let head = format!(r#"452-["e",{},{}]"#, place(1), place(1));
        assert_eq!(peer.heard(&mut world), [text(&head), binary(b"unnamed"), binary(b"twice")]);
        // Without attachments it is an event like any other.
        world.hub.emit(world.now, socket, "e", attach((1,), Vec::<Vec<u8>>::new())).unwrap();
        world.settle();
        assert_eq!(peer.heard(&mut world), [text(r#"42["e",1]"#)]);
    }
}

/// From a client, told once all of it is there.
#[test]
fn from_a_client() {
    for kind in KINDS {
        let mut world = accepting();
        let mut peer = Peer::connected(&mut world, kind);
        world.news();
        let args = r#"{"_placeholder":true,"num":1},[{"x":{"num":0,"_placeholder":true}}]"#;
        let packets = [text(&format!(r#"452-["e",{args}]"#)), binary(b"\x04\x00\xff"), binary(b"")];
        for (at, packet) in packets.iter().enumerate() {
            assert_eq!(world.news(), [], "{at}");
            peer.send(&mut world, std::slice::from_ref(packet));
        }
        let told = world.news();
        let attachments = vec![b"\x04\x00\xff".to_vec(), vec![]];
        assert!(
            matches!(&told[..], [Told::Emit { name, args: heard, attachments: all, asks: false, .. }]
                if name == "e" && heard == args && *all == attachments),
            "{kind:?} {told:?}"
        );
        // All at once, with something before and behind.
        let packets = [&[text(r#"42["a"]"#)][..], &packets, &[text(r#"42["b"]"#)]].concat();
        peer.send(&mut world, &packets);
        let told = world.news();
        assert!(matches!(&told[..], [Told::Emit { .. }, Told::Emit { attachments: all, .. }, Told::Emit { name, .. }]
            if *all == attachments && name == "b"));
    }
}

/// Acknowledgements have attachments too, both ways, with the ids they were asked with.
#[test]
fn acknowledgements() {
    for kind in KINDS {
        let mut world = accepting();
        let mut peer = Peer::connected(&mut world, kind);
        let socket = world.last_socket();
        world.news();
        let place = r#"{"_placeholder":true,"num":0}"#;
        peer.send(&mut world, &[text(&format!(r#"451-12["e",{place}]"#)), binary(b"\xDE\xAD")]);
        assert!(
            matches!(&world.news()[..], [Told::Emit { asks: true, attachments, .. }] if *attachments == [b"\xDE\xAD"])
        );
        let reply = world.ear.replies.pop().unwrap();
        world.hub.ack(world.now, reply, attach((1, Placeholder(0)), [b"\xBE".as_slice()])).unwrap();
        world.settle();
        assert_eq!(peer.heard(&mut world), [text(&format!("461-12[1,{place}]")), binary(b"\xBE")], "{kind:?}");
        let args = attach((Placeholder(0),), [b"\x01".as_slice()]);
        let ack = world.hub.emit_with_ack(world.now, socket, "q", args, secs(5)).unwrap();
        world.settle();
        assert_eq!(peer.heard(&mut world), [text(&format!(r#"451-0["q",{place}]"#)), binary(b"\x01")]);
        peer.send(&mut world, &[text(&format!("461-0[{place}]")), binary(b"\x02")]);
        assert_eq!(world.news(), [Told::Ack { ack, socket, answer: Ok(place.into()) }]);
    }
}

/// What an acknowledgement brings is there when it is told; one that nobody awaits takes its attachments with it.
#[test]
fn attachments_of_acknowledgements() {
    let mut world = accepting();
    let mut client = Client::connected(&mut world);
    let socket = world.last_socket();
    world.hub.emit_with_ack(world.now, socket, "q", (), secs(5)).unwrap();
    world.settle();
    client.raw(&mut world, &message(r#"461-0[{"_placeholder":true,"num":0}]"#));
    let mut bytes = frame(true, Opcode::Binary, b"\x07\x08");
    let mut input = &mut bytes[..];
    let event = world.hub.receive(world.now, client.conn, &mut input);
    let Some(Event::Ack { answer: Ok(args), .. }) = event else { panic!("{event:?}") };
    let (place,): (Placeholder,) = args.parse().unwrap();
    assert_eq!(args.attachment(place).unwrap(), &b"\x07\x08"[..]);
    assert!(world.hub.receive(world.now, client.conn, &mut input).is_none());
    world.news();
    for _ in 0..3 {
        client.raw(&mut world, &message("461-9[]"));
        client.raw(&mut world, &frame(true, Opcode::Binary, b"x"));
    }
    assert_eq!(world.news(), []);
    client.say(&mut world, r#"42["e"]"#);
    assert_eq!(world.news().len(), 1);
}

/// One that comes too late, between its packet and its attachments, is not told again.
#[test]
fn an_acknowledgement_that_comes_too_late() {
    let mut world = accepting();
    let mut client = Client::connected(&mut world);
    let socket = world.last_socket();
    world.news();
    let ack = world.hub.emit_with_ack(world.now, socket, "q", (), secs(5)).unwrap();
    world.settle();
    world.pass(secs(4));
    client.raw(&mut world, &message("461-0[]"));
    world.pass(secs(1));
    assert_eq!(world.news(), [Told::Ack { ack, socket, answer: Err(AckError::TimedOut) }]);
    client.raw(&mut world, &frame(true, Opcode::Binary, b"x"));
    assert_eq!(world.news(), []);
    assert!(world.hub.is_live(socket));
}

/// A broadcast reaches clients of both revisions on both transports, each in its own form.
#[test]
fn broadcasts() {
    let mut world = accepting();
    let mut peers: Vec<Peer> = KINDS.iter().chain(&KINDS).map(|kind| Peer::connected(&mut world, *kind)).collect();
    let args = attach((Placeholder(0), Placeholder(1)), [b"\x01\x02".as_slice(), b"\x04"]);
    for _ in 0..2 {
        let receipt = world.hub.emit(world.now, Target::all(), "b", &args).unwrap();
        assert_eq!(receipt.queued, peers.len());
    }
    world.settle();
    let head = r#"452-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let once = vec![text(head), binary(b"\x01\x02"), binary(b"\x04")];
    let expected = [once.clone(), once].concat();
    for peer in &mut peers {
        assert_eq!(peer.heard(&mut world), expected);
    }
    // With names of namespaces in between.
    let mut client = Client::connected(&mut world);
    client.ask(&mut world, "40/n,");
    world.hub.emit(world.now, Target::namespace("/n"), "b", &args).unwrap();
    world.settle();
    assert_eq!(client.frames(&mut world)[0], text(&head.replace("452-", "452-/n,")));
}

/// What one client sent is passed on to all as it came, attachments included, without a look into it.
#[test]
fn passed_on() {
    for from in KINDS {
        let mut world = World::captured();
        let mut peers: Vec<Peer> = KINDS.iter().map(|kind| Peer::connected(&mut world, *kind)).collect();
        peers.push(Peer::connected(&mut world, from));
        for peer in &mut peers {
            // What it was greeted with, where it has not been taken; a GET must not stay.
            if let Peer::WebSocket(client, _) = peer {
                client.frames(&mut world);
            }
        }
        world.news();
        let args = "{\"_placeholder\" : true,\"num\":0}, \"€\u{2028}\",1.50";
        let packets = [text(&format!("451-[\"all\",{args}]")), binary(b"\xCA\xFE")];
        peers.last_mut().unwrap().send(&mut world, &packets);
        for peer in &mut peers {
            let heard = peer.heard(&mut world);
            let at = heard.iter().position(|packet| *packet == packets[0]);
            assert_eq!(at.and_then(|at| heard.get(at + 1)), Some(&packets[1]), "{from:?} {heard:?}");
        }
    }
}

/// Attachments kept for later are the application's own.
#[test]
fn kept_for_later() {
    let mut world = World::manual();
    let mut client = Client::open(&mut world, crate::client::MAIN);
    client.say(&mut world, "40");
    let socket = world.last_socket();
    world.hub.accept(world.now, socket).unwrap();
    world.settle();
    client.frames(&mut world);
    client.raw(&mut world, &message(r#"451-["e",{"_placeholder":true,"num":0}]"#));
    let mut bytes = frame(true, Opcode::Binary, b"\x07");
    let kept: Args<'static> = {
        let mut input = &mut bytes[..];
        let event = world.hub.receive(world.now, client.conn, &mut input);
        let Some(Event::Emit { args, .. }) = event else { panic!("{event:?}") };
        args.into_owned()
    };
    bytes.fill(0);
    drop(bytes);
    world.abort(client.conn);
    let mut other = Client::open(&mut world, crate::client::MAIN);
    other.say(&mut world, "40");
    let socket = world.last_socket();
    world.hub.accept(world.now, socket).unwrap();
    world.hub.emit(world.now, socket, "e", &kept).unwrap();
    world.settle();
    let frames = other.frames(&mut world);
    assert_eq!(frames[2..], [text(r#"451-["e",{"_placeholder":true,"num":0}]"#), binary(b"\x07")]);
}

/// What the application cannot send: too many, too long, places that name nothing.
#[test]
fn what_cannot_be_sent() {
    let mut world = accepting();
    let mut client = Client::connected(&mut world);
    let socket = world.last_socket();
    let mut emit =
        |args: &dyn socketio::Arguments| world.hub.emit(world.now, socket, "e", args).map(|receipt| receipt.queued);
    assert_eq!(emit(&attach((), vec![vec![1_u8]; 10])).unwrap(), 1);
    assert_eq!(
        emit(&attach((), vec![vec![1_u8]; 11])).unwrap_err().to_string(),
        EmitError::TooManyAttachments.to_string()
    );
    assert_eq!(
        emit(&attach((Placeholder(1),), [vec![1_u8]])).unwrap_err().to_string(),
        EmitError::Placeholder.to_string()
    );
    let fits = (1 << 20) - 512 - 16 - r#"["e"]"#.len();
    assert_eq!(emit(&attach((), [vec![0_u8; fits + 1]])).unwrap_err().to_string(), EmitError::TooLong.to_string());
    world.settle();
    assert_eq!(client.frames(&mut world).len(), 11, "nothing of what was refused");
    world.hub.emit(world.now, socket, "e", attach((), [vec![0_u8; fits]])).unwrap();
    world.settle();
    assert_eq!(client.frames(&mut world).len(), 2);
}

/// An event and its attachments are queued whole or not at all.
#[test]
fn all_or_nothing() {
    for kind in [(true, 4, ""), (false, 4, "")] {
        let mut config = open_config();
        config.limits.outbox_bytes_max = 4096;
        config.limits.congested_bytes = 4096;
        let mut world = World::new(config, App::Accepting);
        let mut peer = Peer::connected(&mut world, kind);
        if let Peer::WebSocket(client, _) = &peer {
            world.stalled.push(client.conn);
        }
        let socket = world.last_socket();
        world.hub.emit(world.now, socket, "big", ("x".repeat(3000),)).unwrap();
        let args = attach((), [vec![1_u8; 500], vec![2_u8; 900]]);
        let receipt = world.hub.emit(world.now, Target::socket(socket).volatile(), "e", &args).unwrap();
        assert_eq!((receipt.queued, receipt.dropped), (0, 1), "{kind:?}");
        let args = attach((), [vec![1_u8; 500], vec![2_u8; 100]]);
        let receipt = world.hub.emit(world.now, Target::socket(socket).volatile(), "e", &args).unwrap();
        assert_eq!((receipt.queued, receipt.dropped), (1, 0), "{kind:?}");
        world.stalled.clear();
        if let Peer::WebSocket(client, _) = &peer {
            world.write(client.conn);
        }
        let heard = peer.heard(&mut world);
        assert_eq!(heard.len(), 4, "{kind:?}");
        assert_eq!(heard[1..], [text(r#"452-["e"]"#), binary(&[1; 500]), binary(&[2; 100])]);
    }
}

/// A packet has so many bytes with its attachments, and not one more.
#[test]
fn packet_bytes_max() {
    for kind in KINDS {
        let head = r#"452-["e"]"#;
        for over in [0, 1] {
            let mut config = open_config();
            config.limits.packet_bytes_max = 1000;
            let mut world = World::new(config, App::Accepting);
            let mut peer = Peer::connected(&mut world, kind);
            world.news();
            // Without the type of Engine.IO.
            let size = 1000 - (head.len() - 1) - 400 + over;
            peer.send(&mut world, &[text(head), binary(&vec![1; 400])]);
            assert_eq!(world.news(), []);
            peer.send(&mut world, &[binary(&vec![2; size])]);
            let told = world.news();
            match over {
                0 => assert!(matches!(&told[..], [Told::Emit { .. }]), "{kind:?} {told:?}"),
                _ => assert!(matches!(&told[0], Told::Disconnected { away_until: None, .. }), "{kind:?} {told:?}"),
            }
        }
    }
}

/// More attachments than are taken by a number of the application's choice, none at all included.
#[test]
fn attachments_max() {
    for max in [0, 1, 20] {
        let mut config = open_config();
        config.limits.attachments_max = max;
        for count in [max, max + 1] {
            let mut world = World::new(config.clone(), App::Accepting);
            let mut client = Client::connected(&mut world);
            world.news();
            let head = format!(r#"45{count}-["e"]"#);
            let stream = [message(&head), frame(true, Opcode::Binary, b"x").repeat(count)].concat();
            client.raw(&mut world, &stream);
            let told = world.news();
            assert_eq!(matches!(&told[..], [Told::Emit { .. }]), count == max, "{max} {count}: {told:?}");
        }
    }
}

/// Attachments have their time, from the packet that announced them; single ones do not extend it.
#[test]
fn attachments_timeout() {
    for kind in KINDS {
        let mut world = accepting();
        let mut peer = Peer::connected(&mut world, kind);
        let socket = world.last_socket();
        world.news();
        let alive = |peer: &mut Peer, world: &mut World| {
            let revision = if let Peer::WebSocket(_, revision) = peer { *revision } else { kind.1 };
            peer.send(world, &[text(if revision == 3 { "2" } else { "3" })]);
        };
        peer.send(&mut world, &[text(r#"453-["e"]"#)]);
        world.pass(secs(20));
        peer.send(&mut world, &[binary(b"a")]);
        alive(&mut peer, &mut world);
        world.pass(secs(9));
        peer.send(&mut world, &[binary(b"b")]);
        world.pass(secs(1) - std::time::Duration::from_nanos(1));
        assert!(world.hub.is_live(socket), "{kind:?}");
        world.pass(std::time::Duration::from_nanos(1));
        assert!(!world.hub.is_live(socket), "{kind:?}");
        let told = world.news();
        assert!(told.iter().any(|told| matches!(told, Told::Disconnected { away_until: Some(_), .. })), "{told:?}");
        if let Peer::WebSocket(client, _) = &mut peer {
            client.frames(&mut world);
            client.finish(&mut world);
            let error = socketio::Error::AttachmentsTimeout;
            assert_eq!(world.error(client.conn), Some(roomwire::hub::Error::SocketIo(error)));
        }
        // In time it is none of the clock's business any more.
        let mut peer = Peer::connected(&mut world, kind);
        let socket = world.last_socket();
        peer.send(&mut world, &[text(r#"451-["e"]"#), binary(b"a")]);
        alive(&mut peer, &mut world);
        world.pass(secs(24));
        alive(&mut peer, &mut world);
        world.pass(secs(15));
        assert!(world.hub.is_live(socket), "{kind:?}");
    }
    let config = Config { attachments_timeout: std::time::Duration::ZERO, ..open_config() };
    assert!(config.validate().is_err());
}

/// The application may lose the socket between a packet and its attachments: they come to nothing, and harm nobody.
#[test]
fn a_socket_that_goes_in_between() {
    let mut world = accepting();
    let mut client = Client::connected(&mut world);
    let socket = world.last_socket();
    client.say(&mut world, "40/n,");
    client.frames(&mut world);
    client.raw(&mut world, &message(r#"452-["e"]"#));
    client.raw(&mut world, &frame(true, Opcode::Binary, b"x"));
    world.hub.disconnect(world.now, socket).unwrap();
    world.settle();
    world.news();
    assert_eq!(client.frames(&mut world), [text("41")]);
    client.raw(&mut world, &frame(true, Opcode::Binary, b"y"));
    assert_eq!((world.news(), client.frames(&mut world)), (vec![], vec![]));
    client.say(&mut world, r#"42/n,["e"]"#);
    assert!(matches!(&world.news()[..], [Told::Emit { .. }]));
}

/// In revision 3 binary data begin with the type of a message; without it they are no packet.
#[test]
fn the_type_byte_of_revision_3() {
    for data in [&b""[..], b"\x00", b"\x05x", b"4x", b"\xffx"] {
        let mut world = accepting();
        let mut client = Client::connected_3(&mut world);
        client.raw(&mut world, &message(r#"451-["e"]"#));
        world.news();
        client.send(&mut world, Message::Binary(data.into()));
        let told = world.news();
        assert!(matches!(&told[..], [Told::Disconnected { away_until: None, .. }]), "{data:?} {told:?}");
        assert!(matches!(&client.frames(&mut world)[..], [Frame::Close(1008, _)]));
    }
}
