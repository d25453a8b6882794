//! Packets as MessagePack. `hub` holds whole conversations so.

use roomwire::client::{EmitError, Parser};
use roomwire::socketio::msgpack::write_packet;
use roomwire::socketio::{Packet, PacketType, Placeholder, attach};
use roomwire::ws::Message;

use crate::world::{OPEN, OPEN_3, WEBSOCKET, World, config, config_4};

fn packet(kind: PacketType, data: &str) -> Message<'static> {
    let mut out = Vec::new();
    write_packet(&Packet { data, ..Packet::new(kind, "/") }, &[], &mut out).unwrap();
    out.into()
}

fn connected() -> (World, roomwire::client::SocketId) {
    let mut config = config(WEBSOCKET);
    config.parser = Parser::MessagePack;
    let mut world = World::new(config);
    let socket = world.connect("/");
    world.said();
    world.say(OPEN);
    assert_eq!(world.said(), [format!("{:02x?}", b"\x82\xa4type\x00\xa3nsp\xa1/")]);
    world.send(&[packet(PacketType::Connect, r#"{"sid":"one"}"#)]);
    assert_eq!(world.told(), ["opened", "connected 1"]);
    (world, socket)
}

#[test]
fn one_message_for_each_packet() {
    let (mut world, socket) = connected();
    world.emit(socket, "e", attach((1, Placeholder(0)), [&b"\xff"[..]]));
    let event = b"\x83\xa4type\x02\xa4data\x93\xa1e\x01\xc4\x01\xff\xa3nsp\xa1/";
    assert_eq!(world.said(), [format!("{event:02x?}")]);
    world.send(&[Message::from(&event[..])]);
    assert_eq!(world.told(), [r#"1 e(1,{"_placeholder":true,"num":0}) b"\xff""#]);
    world.send(&[packet(PacketType::Disconnect, "")]);
    assert_eq!(world.told(), ["disconnected 1: Server", "closed"]);
}

#[test]
fn what_is_no_packet_ends_the_session() {
    for bad in [Message::from(r#"42["e"]"#), Message::from(&b"\xc1"[..]), Message::from(&b"\x80"[..])] {
        let (mut world, _) = connected();
        let bad = if let Message::Text(text) = bad { Message::from(format!("4{text}")) } else { bad };
        world.send(&[bad]);
        let told = world.told();
        assert_eq!(told[0], "disconnected 1: ProtocolError", "{told:?}");
    }
}

/// In protocol 4 packets that are no events are text.
#[test]
fn protocol_4() {
    let mut config = config_4(WEBSOCKET);
    config.parser = Parser::MessagePack;
    let mut world = World::new(config);
    world.client.connect(world.now, "/a?b=c", "").unwrap();
    world.turn();
    world.said();
    world.say(OPEN_3);
    world.say(r#"4{"type":0,"nsp":"/"}"#);
    assert_eq!(world.said(), [r#"4{"type":0,"nsp":"/a?b=c"}"#]);
    world.say(r#"4{"type":4,"nsp":"/a","data":"no"}"#);
    assert_eq!(world.told(), ["opened", "refused 1: no ", "closed"]);
}

/// Numbers can take more bytes than their text.
#[test]
fn m01_events_are_counted_as_they_are_sent() {
    let numbers = serde_json::value::RawValue::from_string(format!("[{}1]", "1e9,".repeat(130_000))).unwrap();
    let (mut world, socket) = connected();
    assert!(matches!(world.client.emit(world.now, socket, "e", (&numbers,)), Err(EmitError::TooLong)));
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    world.client.emit(world.now, socket, "e", (&numbers,)).unwrap();
}
