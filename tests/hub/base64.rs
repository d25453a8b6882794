//! Binary data as text on a WebSocket: what clients send and are sent that are set to `forceBase64`.

use roomwire::hub::{Config, Plain, SocketId};
use roomwire::socketio::{Placeholder, attach};
use roomwire::ws::Message;

use crate::fuzz_hub::Told;
use crate::support::polls::{Poller, dance};
use crate::support::ws::opening;
use crate::world::{V3, V4, World, config};

const EVENT: &str = r#"451-["file",{"_placeholder":true,"num":0}]"#;
const BYTES: [u8; 4] = [1, 2, 3, 255];
/// Those bytes as such a client writes them, in each revision.
const FORMS: [(&str, &str); 2] = [(V3, "b4AQID/w=="), (V4, "bAQID/w==")];

fn emit_file(world: &mut World, socket: SocketId) {
    world.hub.emit(world.now, socket, "file", attach((Placeholder(0),), [&BYTES[..]])).unwrap();
}

#[test]
fn an_attachment_is_read() {
    for (target, bytes) in FORMS {
        for bytes in [bytes, bytes.trim_end_matches('=')] {
            let mut world = World::new(config());
            let (conn, socket) = world.client_at(target);
            assert_eq!(world.says(conn, EVENT), []);
            let args = r#"{"_placeholder":true,"num":0} + \x01\x02\x03\xff"#;
            assert_eq!(world.says(conn, bytes), [Told::Emit(socket, "file".into(), args.into(), false)], "{bytes}");
            assert_eq!(world.says(conn, r#"42["b"]"#), [Told::Emit(socket, "b".into(), String::new(), false)]);
        }
    }
}

#[test]
fn a_message_without_socket_io_is_read() {
    for (target, bytes) in FORMS {
        let mut world = World::new(Config { plain: vec![Plain::engine_io("/engine.io/", "/")], ..config() });
        let (conn, socket) = world.client_at(&target.replace("socket.io", "engine.io"));
        let told = world.says(conn, bytes);
        assert_eq!(told, [Told::Message(conn, Some(socket), Message::Binary(BYTES[..].into()))], "{bytes}");
    }
}

/// What has no Engine.IO in it begins as it likes.
#[test]
fn text_on_a_bare_websocket_stays_text() {
    let mut world = World::new(Config { plain: vec![Plain::new("/raw", "/")], ..config() });
    let (conn, socket) = world.client_at("/raw?EIO=4&b64=1");
    assert_eq!(world.says(conn, "bAQID"), [Told::Message(conn, Some(socket), Message::Text("bAQID".into()))]);
    emit_file(&mut world, socket);
    assert_eq!(world.hears(conn), [r#"["file",{"_placeholder":true,"num":0}]"#, "frame 82"]);
}

#[test]
fn e16_what_is_no_base64_ends_the_session() {
    for (target, wrong) in [(V4, "b!"), (V4, "bA"), (V3, "b4!"), (V3, "bAQID"), (V3, "b"), (V3, "b2AQID")] {
        let mut world = World::new(config());
        let (conn, socket) = world.client_at(target);
        world.says(conn, EVENT);
        world.says(conn, wrong);
        assert!(!world.hub.is_live(socket), "{wrong}");
        assert_eq!(world.hears(conn), ["close 1008"], "{wrong}");
    }
    // That nobody announced it is no better than with a binary message.
    for (target, bytes) in FORMS {
        let mut world = World::new(config());
        let (conn, _) = world.client_at(target);
        world.says(conn, bytes);
        assert_eq!(world.hears(conn), ["close 1003"], "{bytes}");
    }
}

/// `b64=1` in the request of the WebSocket asks for it.
#[test]
fn who_asks_for_text_gets_attachments_as_text() {
    for (target, bytes) in FORMS {
        for (more, form) in [("&b64=1", bytes), ("&b64=", "frame 82"), ("", "frame 82")] {
            let mut world = World::new(config());
            let (conn, socket) = world.client_at(&format!("{target}{more}"));
            emit_file(&mut world, socket);
            assert_eq!(world.hears(conn), [EVENT, form], "{target}{more}");
        }
    }
}

#[test]
fn who_asks_for_text_in_the_upgrade_gets_attachments_as_text() {
    let mut world = World::new(config());
    let [get, post, conn] = [(); 3].map(|()| world.hub.connect(world.now).unwrap());
    // In revision 3 this client asks for text in all of its requests.
    let mut poller = Poller::new(true, false, get, post);
    let ask = poller.ask();
    world.bytes(get, &ask);
    let told = world.told();
    let socket = world.let_in(&told);
    let answer = world.read(get, usize::MAX);
    poller.hears(&answer);
    world.bytes(conn, &opening(&poller.target("websocket")));
    world.read(conn, usize::MAX);
    emit_file(&mut world, socket);
    world.bytes(conn, &dance());
    emit_file(&mut world, socket);
    let bytes = FORMS[0].1;
    assert_eq!(world.hears(conn).split_first().unwrap().1, ["40", EVENT, bytes, EVENT, bytes]);
}

/// An event and its attachments go together, also if it is their form that leaves no room.
#[test]
fn there_is_room_for_all_or_none() {
    for (more, fits) in [("&b64=1", false), ("", true)] {
        let mut config = config();
        config.limits.outbox_bytes_max = 5_000;
        config.limits.congested_bytes = 5_000;
        let mut world = World::new(config);
        let (conn, socket) = world.client_at(&format!("{V4}{more}"));
        let file = attach((Placeholder(0),), [vec![7; 4_000]]);
        let sent = world.hub.emit(world.now, socket, "file", file);
        let expected: &[&str] = if fits { &[EVENT, "frame 82"] } else { &[] };
        assert_eq!(world.hears(conn), expected, "{more} {sent:?}");
    }
}
