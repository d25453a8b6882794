//! Socket.IO packets as lines, in the same rooms as everybody else.

use std::time::Duration;

use roomwire::hub::{ConnId, DisconnectReason, Error, Peer, Receipt, SocketId, Target};
use roomwire::socketio::{Args, Placeholder, attach};
use roomwire::ws::Message;
use roomwire::{Stream, lines, socketio};

use crate::fuzz_hub::Told;
use crate::world::{World, config, millis};

fn open(world: &mut World) -> ConnId {
    world.hub.connect_lines(world.now, Peer::default()).unwrap()
}

fn says(world: &mut World, conn: ConnId, line: &str) -> Vec<Told> {
    world.bytes(conn, format!("{line}\n").as_bytes());
    world.told()
}

fn hears(world: &mut World, conn: ConnId) -> Vec<String> {
    let bytes = world.read(conn, usize::MAX);
    String::from_utf8(bytes).unwrap().lines().map(Into::into).collect()
}

/// In base64 it is more than an outbox may be; that is not the fault of who reads.
#[test]
fn what_never_fits_is_dropped_and_cuts_nobody_off() {
    let mut config = config();
    (config.limits.outbox_bytes_max, config.limits.congested_bytes) = (10_000, 4_000);
    let mut world = World::new(config);
    let (line, _) = connected(&mut world);
    let (other, _) = world.client();
    for (size, as_lines) in [(7_000, 1), (9_000, 0)] {
        for as_event in [true, false] {
            let bytes = vec![1; size];
            let receipt = if as_event {
                world.hub.emit(world.now, Target::all(), "b", attach((Placeholder(0),), [&bytes[..]])).unwrap()
            } else {
                world.hub.send_message(world.now, Target::all(), bytes).unwrap()
            };
            let expected = Receipt { queued: 1 + as_lines, dropped: 1 - as_lines, ..Receipt::default() };
            assert_eq!(receipt, expected, "{size}");
            let lines = as_lines * (1 + usize::from(as_event));
            assert_eq!((hears(&mut world, line).len(), world.hub.outgoing_len(other) > size), (lines, true), "{size}");
            world.read(other, usize::MAX);
            assert!(!world.told().iter().any(|told| matches!(told, Told::Disconnected(..) | Told::Closed(..))));
        }
    }
}

fn connected(world: &mut World) -> (ConnId, SocketId) {
    let conn = open(world);
    let told = says(world, conn, r#"0{"token":"x"}"#);
    let [Told::Connecting(socket, namespace, auth)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((namespace.as_str(), auth.as_str()), ("/", r#"{"token":"x"}?"#));
    world.hub.accept(world.now, *socket).unwrap();
    assert_eq!(world.told(), [Told::Connected(*socket, false)]);
    let sid = world.hub.sid(*socket).unwrap().to_owned();
    assert_eq!(hears(world, conn), [format!(r#"0{{"sid":"{sid}"}}"#)]);
    (conn, *socket)
}

#[test]
fn events_both_ways_and_the_same_rooms() {
    let mut world = World::new(config());
    let (line, socket) = connected(&mut world);
    let (browser, other) = world.client();
    world.hub.join(world.now, socket, "red").unwrap();
    world.hub.join(world.now, other, "red").unwrap();
    world.hub.emit(world.now, Target::room("red"), "news", ("a", 1)).unwrap();
    assert_eq!(hears(&mut world, line), [r#"2["news","a",1]"#]);
    assert_eq!(world.hears(browser), [r#"42["news","a",1]"#]);
    let told = says(&mut world, line, r#"27["say","x"]"#);
    assert_eq!(told, [Told::Emit(socket, "say".into(), "\"x\"".into(), true)]);
    let ack = world.hub.emit_with_ack(world.now, socket, "ask", (), millis(100)).unwrap();
    assert_eq!(hears(&mut world, line), [r#"20["ask"]"#]);
    assert_eq!(says(&mut world, line, "30[]\r"), [Told::Ack(ack, socket, Ok(String::new()))]);
}

/// White space in JSON that is passed on must not end a line.
#[test]
fn a_packet_is_one_line() {
    let mut world = World::new(config());
    let (line, socket) = connected(&mut world);
    world.hub.emit(world.now, socket, "e", Args::new("1,\r\n\"a\\nb\"").unwrap()).unwrap();
    assert_eq!(hears(&mut world, line), [r#"2["e",1,  "a\nb"]"#]);
}

#[test]
fn binary_data_is_base64() {
    let mut world = World::new(config());
    let (line, socket) = connected(&mut world);
    world.hub.emit(world.now, socket, "file", attach((Placeholder(0),), [&[1_u8, 2, 255][..]])).unwrap();
    assert_eq!(hears(&mut world, line), [r#"51-["file",{"_placeholder":true,"num":0}]"#, "bAQL/"]);
    assert_eq!(says(&mut world, line, r#"51-["file",{"_placeholder":true,"num":0}]"#), []);
    let told = says(&mut world, line, "bAQL/");
    assert!(matches!(&told[..], [Told::Emit(from, name, ..)] if *from == socket && name == "file"), "{told:?}");
    assert_eq!(says(&mut world, line, r#"51-["file",{"_placeholder":true,"num":0}]"#), []);
    assert!(says(&mut world, line, "b!").contains(&Told::Closed(line, Some(Error::SocketIo(socketio::Error::Binary)))));
}

#[test]
fn other_lines_are_messages() {
    let mut world = World::new(config());
    let conn = open(&mut world);
    let message = |text: &str| Message::Text(text.to_owned().into());
    assert_eq!(says(&mut world, conn, "ping"), [Told::Message(conn, None, message("ping"))]);
    world.hub.send_to_connection(world.now, conn, "pong");
    assert_eq!(hears(&mut world, conn), ["pong"]);
    let (line, socket) = connected(&mut world);
    assert_eq!(
        says(&mut world, line, "b is no packet"),
        [Told::Message(line, Some(socket), message("b is no packet"))]
    );
    let (browser, _) = world.client();
    world.hub.send_message(world.now, Target::all(), "to all").unwrap();
    assert_eq!(hears(&mut world, line), ["to all"]);
    assert_eq!(world.hears(browser), [r#"42["message","to all"]"#]);
    world.hub.send_message(world.now, Target::all(), &[7_u8, 8][..]).unwrap();
    assert_eq!(hears(&mut world, line), ["bBwg="]);
    assert_eq!(world.hears(browser), [r#"451-["message",{"_placeholder":true,"num":0}]"#, "frame 82"]);
}

#[test]
fn faults_end_the_stream() {
    let mut world = World::new(config());
    for (text, error) in [
        ("27", Error::SocketIo(socketio::Error::NotConnected)),
        ("2[\"x\"]", Error::SocketIo(socketio::Error::NotConnected)),
        ("51-[\"x\"", Error::SocketIo(socketio::Error::NotConnected)),
    ] {
        let conn = open(&mut world);
        assert_eq!(says(&mut world, conn, text), [Told::Closed(conn, Some(error))], "{text}");
        assert_eq!(hears(&mut world, conn), [format!("closed: {error}")], "{text}");
        assert_eq!(world.hub.stream(conn), Stream::HalfClosed);
        assert_eq!(says(&mut world, conn, "ping"), [], "nothing is read any more");
    }
    let (conn, socket) = connected(&mut world);
    world.bytes(conn, b"\xFF\n");
    let told = world.told();
    assert!(
        matches!(&told[..], [Told::Disconnected(lost, DisconnectReason::TransportClosed, Some(_)), Told::Closed(_, error)]
            if *lost == socket && *error == Some(Error::Lines(lines::Error::Utf8))),
        "{told:?}"
    );
}

#[test]
fn who_never_connects_is_sent_away_and_who_is_silent_is_not() {
    let mut world = World::new(config());
    let silent = open(&mut world);
    let (line, _) = connected(&mut world);
    for _ in 0..30 {
        world.pass(Duration::from_secs(2));
        world.read(silent, usize::MAX);
        world.read(line, usize::MAX);
    }
    let error = Error::SocketIo(socketio::Error::ConnectTimeout);
    assert_eq!(world.told(), [Told::Closed(silent, Some(error))]);
    assert_eq!(world.hub.stream(line), Stream::Open);
    world.pass(Duration::from_secs(25));
    assert_eq!(world.read(line, usize::MAX), b"\n", "a sign of life");
}

#[test]
fn a_line_that_is_lost_is_away_and_may_resume_on_a_websocket() {
    let mut world = World::new(config());
    let (line, socket) = connected(&mut world);
    world.hub.join(world.now, socket, "red").unwrap();
    world.gone(line);
    assert!(world.told().iter().any(|told| matches!(told, Told::Disconnected(lost, _, Some(_)) if *lost == socket)));
    let conn = world.resume(socket);
    world.told();
    world.hears(conn);
    world.hub.emit(world.now, Target::room("red"), "e", ()).unwrap();
    assert_eq!(world.hears(conn), [r#"42["e"]"#]);
}
