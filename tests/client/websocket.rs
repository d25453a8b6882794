//! WebSocket as the transport from the beginning.

use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::{CloseCode, Message};

use crate::world::{OPEN, OPEN_3, WEBSOCKET, World, config, config_4};

#[test]
fn a_session_by_websocket() {
    let mut world = World::new(config(WEBSOCKET));
    let socket = world.connect("/");
    assert_eq!(world.said(), ["UPGRADE /socket.io/?EIO=4&transport=websocket"]);
    world.say(OPEN);
    assert_eq!((world.said(), world.told()), (vec!["40".into()], vec!["opened".into()]));
    world.say(r#"40{"sid":"one"}"#);
    world.say(r#"42["hello","world",1]"#);
    assert_eq!(world.told(), ["connected 1", "1 hello(\"world\",1)"]);
    world.emit(socket, "msg", ("a", 1.5));
    world.say("2");
    assert_eq!(world.said(), [r#"42["msg","a",1.5]"#, "3"]);
    assert_eq!(world.streams(), 1);
}

#[test]
fn path_query_and_headers_go_with_every_request() {
    let mut config = config(WEBSOCKET).query("token", "a b&c").header("authorization", "Bearer x").unwrap();
    config.path = "/my/io/".into();
    let mut world = World::new(config.clone());
    world.connect("/");
    assert_eq!(world.said(), ["UPGRADE /my/io/?EIO=4&transport=websocket&token=a%20b%26c"]);
    let written = world.written.into_values().next().unwrap();
    assert!(String::from_utf8(written).unwrap().contains("\r\nauthorization: Bearer x\r\n"));

    config.transports = crate::world::POLLING;
    let mut world = World::new(config);
    world.connect("/");
    let get = world.get();
    assert_eq!(get.line, "GET /my/io/?EIO=4&transport=polling&token=a%20b%26c");
    assert_eq!(get.request.header("authorization"), Some("Bearer x"));
}

#[test]
fn attachments_both_ways() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    world.emit(socket, "photo", attach((Placeholder(0), Placeholder(1)), [&[0xde_u8, 0xad][..], &[1]]));
    let text = r#"452-["photo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    assert_eq!(world.said(), [text, "[de, ad]", "[01]"]);
    world.say(r#"451-["bin",{"_placeholder":true,"num":0}]"#);
    assert_eq!(world.told(), [""; 0]);
    world.send(&[Message::from(&[7_u8][..])]);
    assert_eq!(world.told(), [r#"1 bin({"_placeholder":true,"num":0}) b"\x07""#]);
}

/// Binary data of revision 3 begins with its type.
#[test]
fn revision_3() {
    let mut world = World::new(config_4(WEBSOCKET));
    let socket = world.connect("/");
    assert_eq!(world.said(), ["UPGRADE /socket.io/?EIO=3&transport=websocket"]);
    world.send(&[Message::from(OPEN_3), Message::from("40")]);
    assert_eq!(world.told(), ["opened", "connected 1"]);
    world.emit(socket, "b", attach((Placeholder(0),), [&[0xca_u8, 0xfe][..]]));
    assert_eq!(world.said(), [r#"451-["b",{"_placeholder":true,"num":0}]"#, "[04, ca, fe]"]);
    world.send(&[Message::from(r#"451-["b",{"_placeholder":true,"num":0}]"#), Message::from(&[4_u8, 9][..])]);
    assert_eq!(world.told(), [r#"1 b({"_placeholder":true,"num":0}) b"\t""#]);
    world.send(&[Message::from(r#"451-["b",{"_placeholder":true,"num":0}]"#), Message::from(&[5_u8, 9][..])]);
    assert_eq!(world.told(), ["disconnected 1: ProtocolError", "closed: Packet, try 1 in 1s"]);
}

#[test]
fn closing_by_websocket() {
    let (mut world, socket) = World::websocket(config(WEBSOCKET));
    world.client.emit(world.now, socket, "last", ()).unwrap();
    world.client.close(world.now);
    world.turn();
    assert_eq!(world.said(), [r#"42["last"]"#, "41", "CLOSED 1000"]);
    assert_eq!(world.told(), ["disconnected 1: Client", "closed"]);
    assert!(world.client.is_finished());
    assert_eq!((world.streams(), world.client.poll_timeout()), (0, None));
    assert!(world.client.connect(world.now, "/", "").is_err());
}

#[test]
fn the_server_closes() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    world.close_socket(CloseCode::NORMAL);
    assert_eq!(world.told(), ["disconnected 1: TransportClosed", "closed, try 1 in 1s"]);
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let stream = world.socket();
    world.lose(stream);
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: Unreachable, try 1 in 1s"]);
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let stream = world.socket();
    world.eof(stream);
    assert_eq!(world.told(), ["disconnected 1: TransportError", "closed: WebSocket(UnexpectedEof), try 1 in 1s"]);
}

#[test]
fn the_handshake_is_refused() {
    let mut world = World::new(config(WEBSOCKET));
    world.upgrades = false;
    world.connect("/");
    assert_eq!(world.told(), ["closed: WebSocket(Handshake(Status(400))), try 1 in 1s"]);
    // The driver ends the stream that the client only half closes.
    world.pass_seconds(0);
}

/// More waits than one stream takes at once: it goes out as there is room, and before the end.
#[test]
fn what_waits_goes_out_before_the_end() {
    let mut config = config(WEBSOCKET);
    config.limits.outbox_bytes_max = 1024;
    config.limits.congested_bytes = 1024;
    let mut world = World::new(config);
    let socket = world.connect("/");
    let expected: Vec<String> = (0..20).map(|nth| format!(r#"42["e",{nth},"{}"]"#, "x".repeat(400))).collect();
    for nth in 0..20 {
        world.emit(socket, "e", (nth, "x".repeat(400)));
    }
    world.say(OPEN);
    world.said();
    world.hear(&[Message::from(r#"40{"sid":"one"}"#)]);
    world.client.close(world.now);
    world.turn();
    let said = world.said();
    assert_eq!((&said[..20], &said[20..]), (&expected[..], &["41".to_owned(), "CLOSED 1000".to_owned()][..]));
}
