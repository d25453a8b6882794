//! EVENT: what clients emit, and what they are sent.

use roomwire::hub::{EmitError, SocketError, Target};
use roomwire::socketio::Args;
use serde_json::{Value, json};

use crate::app::App;
use crate::client::{Client, Frame, text};
use crate::world::{Told, World, open_config};

/// Name and arguments of the one event that a packet makes.
fn emitted(packet: &str) -> (String, String, bool) {
    let mut world = World::new(open_config(), App::Accepting);
    let mut client = Client::connected(&mut world);
    world.news();
    assert_eq!(client.ask(&mut world, packet), []);
    let told = world.news();
    let [Told::Emit { name, args, asks, .. }] = &told[..] else { panic!("{packet}: {told:?}") };
    (name.clone(), args.clone(), *asks)
}

fn plain(name: &str, args: &str) -> (String, String, bool) {
    (name.into(), args.into(), false)
}

#[test]
fn every_kind_of_json_passes_as_it_is() {
    for args in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5",
        "-1e-7",
        "1E+400",
        "123456789012345678901234567890",
        r#""""#,
        r#""text""#,
        r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#,
        "\"\u{2028}€😀\u{7f}\"",
        "[]",
        "{}",
        "[[[]],[{}]]",
        r#"{"a":{"a":1},"a":2,"":[null]}"#,
        r#"1,"two",[3],{"4":5},null,false"#,
        "{ \"spaced\" : [ 1 , 2 ] } , 3",
        r#""[not,\"arguments\"]""#,
    ] {
        assert_eq!(emitted(&format!(r#"42["e",{args}]"#)), plain("e", args));
    }
}

#[test]
fn names() {
    for (packet, name) in [
        (r#"42["a"]"#, "a"),
        (r#"42[""]"#, ""),
        (r#"42["with space, [brackets] {and} 7"]"#, "with space, [brackets] {and} 7"),
        (r#"42["esc\"aped\\\n\u0041"]"#, "esc\"aped\\\nA"),
        (r#"42["\ud83d\ude00"]"#, "😀"),
        ("42[\"\u{2028}é\"]", "\u{2028}é"),
        ("42[1]", "1"),
        ("42[-1.5e3]", "-1.5e3"),
        (r#"42["error"]"#, "error"),
        (r#"42["Connect"]"#, "Connect"),
        (r#"42["__proto__"]"#, "__proto__"),
    ] {
        assert_eq!(emitted(packet), plain(name, ""), "{packet}");
    }
    assert_eq!(emitted(r#"42[7,"a"]"#), plain("7", r#""a""#));
    assert_eq!(emitted(r#"42["a" ]"#), plain("a", ""));
    assert_eq!(emitted(r#"42[ "a" ,  1 , 2 ]"#), plain("a", "1 , 2"));
}

#[test]
fn who_asks_for_an_acknowledgement() {
    assert_eq!(emitted(r#"420["e",1]"#), ("e".into(), "1".into(), true));
    assert_eq!(emitted(r#"4218446744073709551615["e"]"#), ("e".into(), String::new(), true));
    assert_eq!(emitted(r#"42/,7["e"]"#), ("e".into(), String::new(), true));
}

#[test]
fn what_is_no_event_ends_the_session() {
    for packet in [
        "42",
        "42[",
        "42]",
        "42[]",
        "42{}",
        "42null",
        "42\"e\"",
        "42[null]",
        "42[true]",
        "42[[]]",
        "42[{}]",
        r#"42["e""#,
        r#"42["e",]"#,
        r#"42["e" 1]"#,
        r#"42["e"]x"#,
        r#"42["e"],1"#,
        "42['e']",
        "42[e]",
        "42[01]",
        "42[NaN]",
        r#"42["\x"]"#,
        r#"42["\ud800"]"#,
        "42[\"a\u{1}\"]",
        "42 [\"e\"]",
        "42-1[\"e\"]",
        "421.5[\"e\"]",
    ] {
        let mut world = World::new(open_config(), App::Accepting);
        let mut client = Client::connected(&mut world);
        world.news();
        let frames = client.ask(&mut world, packet);
        assert!(matches!(&frames[..], [Frame::Close(1008, _)]), "{packet}: {frames:?}");
        let told = world.news();
        assert!(matches!(&told[..], [Told::Disconnected { away_until: None, .. }]), "{packet}: {told:?}");
        client.finish(&mut world);
        assert!(world.error(client.conn).is_some(), "{packet}");
    }
}

#[test]
fn what_applications_emit() {
    let mut world = World::new(open_config(), App::Accepting);
    let mut client = Client::connected(&mut world);
    let socket = world.last_socket();
    let now = world.now;
    let hub = &mut world.hub;
    hub.emit(now, socket, "none", ()).unwrap();
    hub.emit(now, socket, "one", (1,)).unwrap();
    hub.emit(now, socket, "many", ("a\"b", 1.5, true, None::<u8>, json!({"k": [1]}), "€\u{2028}", -1, [0_u8; 2]))
        .unwrap();
    hub.emit(now, socket, "", ("",)).unwrap();
    hub.emit(now, socket, "quo\"te\\\n\u{1f}é", ()).unwrap();
    hub.emit(now, socket, "as it came", Args::new(" 1 , {\"a\" : 2}").unwrap()).unwrap();
    hub.emit(now, Target::all(), "all", ()).unwrap();
    world.settle();
    assert_eq!(
        client.texts(&mut world),
        [
            r#"42["none"]"#,
            r#"42["one",1]"#,
            "42[\"many\",\"a\\\"b\",1.5,true,null,{\"k\":[1]},\"€\u{2028}\",-1,[0,0]]",
            r#"42["",""]"#,
            r#"42["quo\"te\\\n\u001fé"]"#,
            r#"42["as it came",1 , {"a" : 2}]"#,
            r#"42["all"]"#,
        ]
    );
}

/// Whatever arguments there can be, what is emitted with them is JSON: a client would take anything else for a broken server.
#[test]
fn arguments_that_are_only_spaces_are_none() {
    let mut world = World::new(open_config(), App::Accepting);
    let mut client = Client::connected(&mut world);
    let socket = world.last_socket();
    let (now, spaces) = (world.now, Args::new(" \t\r\n").unwrap());
    assert!(spaces.is_empty());
    world.hub.emit(now, socket, "e", &spaces).unwrap();
    world.hub.emit_with_ack(now, socket, "e", spaces, crate::world::secs(1)).unwrap();
    world.settle();
    for packet in client.texts(&mut world) {
        let array = packet[packet.find('[').unwrap()..].to_owned();
        assert_eq!(serde_json::from_str::<Value>(&array).ok(), Some(json!(["e"])), "{packet}");
    }
}

#[test]
fn what_cannot_be_emitted() {
    let mut world = World::manual();
    let mut client = Client::open(&mut world, crate::client::MAIN);
    client.say(&mut world, "40");
    client.frames(&mut world);
    let (socket, now) = (world.last_socket(), world.now);
    let too_early = world.hub.emit(now, socket, "e", ());
    assert!(matches!(too_early, Err(EmitError::Socket(SocketError::NotAccepted))), "{too_early:?}");
    // Nor does it get what is for all.
    assert_eq!(world.hub.emit(now, Target::all(), "e", ()).unwrap().queued, 0);
    world.hub.accept(now, socket).unwrap();
    world.settle();
    client.frames(&mut world);
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        assert!(matches!(world.hub.emit(now, socket, name, ()), Err(EmitError::ReservedName)), "{name}");
    }
    let map = std::collections::BTreeMap::from([([1, 2], 3)]);
    assert!(matches!(world.hub.emit(now, socket, "e", (map,)), Err(EmitError::Arguments(_))));
    let long = "x".repeat(1 << 20);
    assert!(matches!(world.hub.emit(now, socket, "e", (long,)), Err(EmitError::TooLong)));
    world.settle();
    assert_eq!(client.frames(&mut world), []);
    world.hub.disconnect(now, socket).unwrap();
    assert!(matches!(world.hub.emit(now, socket, "e", ()), Err(EmitError::Socket(SocketError::Gone))));
}

/// A message in fragments, with a ping between them, is one packet.
#[test]
fn fragments() {
    use crate::client::frame;
    use roomwire::ws::Opcode;
    let mut world = World::captured();
    let mut client = Client::connected(&mut world);
    client.raw(&mut world, &frame(false, Opcode::Text, br#"42["msg","#));
    client.raw(&mut world, &frame(true, Opcode::Ping, b""));
    client.raw(&mut world, &frame(false, Opcode::Continuation, "\"é".as_bytes()));
    client.raw(&mut world, &frame(true, Opcode::Continuation, br#""]"#));
    assert_eq!(client.frames(&mut world), [Frame::Pong, text(r#"42["msg-back","é"]"#)]);
}

/// The longest message is one of exactly `max_payload` bytes.
#[test]
fn the_longest_message() {
    let mut config = open_config();
    config.engine.max_payload = 200;
    let mut world = World::new(config, App::Captured);
    let mut client = Client::connected(&mut world);
    let packet = |size: usize| format!(r#"42["msg","{}"]"#, "x".repeat(size - 12));
    assert_eq!(packet(200).len(), 200);
    assert_eq!(client.ask(&mut world, &packet(200)).len(), 1);
    assert_eq!(client.ask(&mut world, &packet(201)), [Frame::Close(1009, "message too big".into())]);
}
