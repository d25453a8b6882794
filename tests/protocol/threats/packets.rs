//! Hostile packets of Socket.IO: events, acknowledgements, attachments.

use roomwire::hub::Error;
use roomwire::socketio;
use roomwire::ws::Opcode;

use crate::app::App;
use crate::client::{Client, Frame, frame, message, text};
use crate::world::{Told, World, open_config, secs};

/// What an application that accepts everybody is told of packets by one client, and how that ends.
pub(super) fn fate(packets: &[String]) -> (Vec<Told>, Vec<Frame>, Option<Error>) {
    let mut stream = Vec::new();
    packets.iter().for_each(|packet| stream.extend(message(packet)));
    fate_of(&stream)
}

/// The same for frames of any kind.
fn fate_of(stream: &[u8]) -> (Vec<Told>, Vec<Frame>, Option<Error>) {
    let mut world = World::new(open_config(), App::Accepting);
    let mut client = Client::connected(&mut world);
    let mut other = Client::connected(&mut world);
    world.news();
    client.raw(&mut world, stream);
    let (told, frames) = (world.news(), client.frames(&mut world));
    client.finish(&mut world);
    world.ear.told.splice(0..0, told.clone());
    let error = world.error(client.conn);
    // Nobody else notices.
    other.say(&mut world, r#"42["e"]"#);
    assert!(matches!(world.news().last(), Some(Told::Emit { .. })));
    (told, frames, error)
}

/// Checks that a packet ends the session with `error`, and that neither it nor what comes behind it is told.
pub(super) fn fatal(packet: &str, error: socketio::Error) {
    let (told, frames, end) = fate(&[packet.into(), r#"42["behind"]"#.into(), "40/behind,".into()]);
    let shown = &packet[..packet.len().min(80)];
    assert!(matches!(&told[..], [Told::Disconnected { away_until: None, .. }]), "{shown}: {told:?}");
    let code = if error == socketio::Error::Binary { 1003 } else { 1008 };
    assert_eq!(frames, [Frame::Close(code, format!("Socket.IO: {error}"))], "{shown}");
    assert_eq!(end, Some(Error::SocketIo(error)), "{shown}");
}

#[test]
fn s02_names_are_strings_or_numbers() {
    for packet in [r#"42[{"toString":"foo"}]"#, "42[]", "42[null]", "42[[\"a\"]]", "42[true,1]", "42[ ]"] {
        fatal(packet, socketio::Error::EventName);
    }
    for packet in ["42{}", r#"42{"0":"a","length":1}"#, "42", "42\"a\"", "427"] {
        fatal(packet, socketio::Error::Payload);
    }
}

#[test]
fn s03_reserved_names() {
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        fatal(&format!(r#"42["{name}"]"#), socketio::Error::ReservedName);
        fatal(&format!(r#"421["{name}",1]"#), socketio::Error::ReservedName);
        let escaped: String = name.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
        fatal(&format!(r#"42["{escaped}"]"#), socketio::Error::ReservedName);
    }
    // An event like any other.
    for name in ["error", "message", "ping", "open", "close", "__proto__", "constructor"] {
        let mut world = World::new(open_config(), App::Accepting);
        let mut client = Client::connected(&mut world);
        world.news();
        assert_eq!(client.ask(&mut world, &format!(r#"42["{name}"]"#)), []);
        assert!(matches!(&world.news()[..], [Told::Emit { name: told, .. }] if told == name));
    }
}

/// More attachments than are taken end the session when they are announced; as many as that are waited for, and not one more.
#[test]
fn s05_attachments_without_end() {
    for count in ["11", "5999999", "4294967295", "4599999999999"] {
        fatal(&format!(r#"45{count}-["a"]"#), socketio::Error::Attachments);
        fatal(&format!(r#"46{count}-0["a"]"#), socketio::Error::Attachments);
    }
    let binary = frame(true, Opcode::Binary, &[7; 100]);
    for (count, further) in [(1, 0), (10, 0), (1, 1), (10, 1), (10, 1000)] {
        let stream = [message(&format!(r#"45{count}-["a"]"#)), binary.repeat(count + further)].concat();
        let (told, frames, end) = fate_of(&stream);
        assert!(
            matches!(&told[0], Told::Emit { name, attachments, .. } if name == "a" && *attachments == vec![[7; 100]; count]),
            "{told:?}"
        );
        // Without a fault it is the end of the stream that is told, which comes without a close frame.
        let fault = if further == 0 { None } else { Some(Error::SocketIo(socketio::Error::Binary)) };
        let eof = Error::WebSocket(roomwire::ws::Error::UnexpectedEof);
        assert_eq!((told.len(), end), (1 + usize::from(fault.is_some()), fault.or(Some(eof))));
        let close = Frame::Close(1003, "Socket.IO: unannounced binary data".into());
        assert_eq!(frames, if further == 0 { vec![] } else { vec![close] });
    }
    // One too few, and nothing is told.
    let (told, frames, _) = fate_of(&[message(r#"4510-["a"]"#), binary.repeat(9)].concat());
    assert_eq!((told, frames), (vec![], vec![]));
}

/// A packet that announces none is whole, and nothing is kept for attachments that nobody announced.
#[test]
fn s06_attachments_that_were_not_announced() {
    let (told, ..) = fate(&[r#"450-["a"]"#.into(), r#"460-7["a"]"#.into(), r#"42["behind"]"#.into()]);
    assert!(
        matches!(&told[..], [Told::Emit { name: first, attachments, .. }, Told::Emit { name: second, .. }]
            if first == "a" && attachments.is_empty() && second == "behind"),
        "{told:?}"
    );
    for announce in [Some(r#"450-["a"]"#), None] {
        let mut world = World::new(open_config(), App::Accepting);
        let mut client = Client::connected(&mut world);
        if let Some(packet) = announce {
            client.say(&mut world, packet);
        }
        world.news();
        let flood = frame(true, Opcode::Binary, &[7; 100]).repeat(10_000);
        let ((), usage) = crate::memory::measure(|| client.raw(&mut world, &flood));
        let close = Frame::Close(1003, "Socket.IO: unannounced binary data".into());
        assert_eq!(client.frames(&mut world), [close]);
        assert!(matches!(&world.news()[..], [Told::Disconnected { away_until: None, .. }]));
        assert!(usage.live < 4096 && usage.peak < flood.len() as isize + 65_536, "{usage:?}");
    }
}

#[test]
fn s08_numbers_are_digits() {
    for packet in [
        r#"451e1-["a"]"#,
        r#"45 1-["a"]"#,
        r#"45+1-["a"]"#,
        r#"450x1-["a"]"#,
        r#"45-["a"]"#,
        r#"45-1-["a"]"#,
        r#"451.5-["a"]"#,
        "451",
        "45",
        "45[\"a\"]",
        "45١-[\"a\"]",
    ] {
        fatal(packet, socketio::Error::Attachments);
    }
}

/// Nothing of Socket.IO stands between a packet and its attachments, whatever it is; Engine.IO's own packets may.
#[test]
fn s09_text_between_attachments() {
    let announcement = r#"452-["x",{"_placeholder":true,"num":0}]"#;
    let binary = frame(true, Opcode::Binary, &[7]);
    for between in [r#"42["x"]"#, announcement, r#"450-["x"]"#, "430[]", "40/other,", "41", "41/other,"] {
        for first in [0, 1] {
            let stream = [message(announcement), binary.repeat(first), message(between), binary.repeat(2)].concat();
            let (told, frames, end) = fate_of(&stream);
            assert!(matches!(&told[..], [Told::Disconnected { away_until: None, .. }]), "{between}: {told:?}");
            let error = socketio::Error::AttachmentsMissing;
            assert_eq!(frames, [Frame::Close(1008, format!("Socket.IO: {error}"))], "{between}");
            assert_eq!(end, Some(Error::SocketIo(error)));
        }
    }
    for between in ["3", "5", "6"] {
        let stream = [message(announcement), binary.clone(), message(between), binary.clone()].concat();
        let (told, frames, _) = fate_of(&stream);
        assert!(matches!(&told[..], [Told::Emit { attachments, .. }] if *attachments == [[7], [7]]), "{told:?}");
        assert_eq!(frames, []);
    }
}

#[test]
fn s10_deep_json() {
    let nested = |depth: usize, open: &str, close: &str| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        // The array of the event is a level too.
        let (told, ..) = fate(&[format!(r#"42["a",{}]"#, nested(126, open, close)), "1".into()]);
        assert!(matches!(&told[0], Told::Emit { .. }), "{told:?}");
        for depth in [127, 1000, 100_000] {
            fatal(&format!(r#"42["a",{}]"#, nested(depth, open, close)), socketio::Error::TooDeep);
            fatal(&format!(r#"430[{}]"#, nested(depth, open, close)), socketio::Error::TooDeep);
            fatal(&format!(r#"40/a,{{"a":{}}}"#, nested(depth, open, close)), socketio::Error::TooDeep);
        }
    }
    fatal(&format!(r#"42["a",{}"#, "[".repeat(990_000)), socketio::Error::TooDeep);
    // Brackets in strings are none.
    let (told, ..) = fate(&[format!(r#"42["a","{}"]"#, "[".repeat(100_000)), "1".into()]);
    assert!(matches!(&told[0], Told::Emit { .. }));
}

/// Each is a value that is passed on as it is, or an error; none can be parsed into something else.
#[test]
fn s11_odd_values() {
    for (value, valid) in [
        ("1e999", true),
        ("-0", true),
        ("1E-400", true),
        ("99999999999999999999999999999999999999", true),
        (r#"{"a":1,"a":2}"#, true),
        (r#""\ud800""#, true),
        (r#""\ud83d\ude00""#, true),
        ("\"\u{2028}\u{0}\"", false),
        ("\"\u{7f}\u{feff}\"", true),
        ("01", false),
        ("1.", false),
        (".5", false),
        ("+1", false),
        ("0x1", false),
        ("NaN", false),
        ("Infinity", false),
        ("undefined", false),
        ("'a'", false),
        (r#""\u12""#, false),
        (r#""\q""#, false),
        ("[1,]", false),
        (r#"{"a":1,}"#, false),
        (r#"{a:1}"#, false),
        ("/**/1", false),
        ("\u{a0}1", false),
    ] {
        let packet = format!(r#"42["e",{value}]"#);
        if !valid {
            fatal(&packet, socketio::Error::Payload);
            continue;
        }
        let (told, ..) = fate(&[packet, "1".into()]);
        assert!(matches!(&told[0], Told::Emit { args, .. } if args == value), "{value}: {told:?}");
        // The application's parser may say no, as JSON's numbers have no end, but it says so.
        let args = socketio::Args::new(value).unwrap();
        let _ = (args.parse::<(f64,)>(), args.parse::<(serde_json::Value,)>(), args.parse::<(String,)>());
        // And it goes out as it came in.
        let mut world = World::captured();
        let mut client = Client::connected(&mut world);
        let answer = client.ask(&mut world, &format!(r#"42["msg",{value}]"#));
        assert_eq!(answer, [text(&format!(r#"42["msg-back",{value}]"#))]);
    }
}

#[test]
fn s14_acknowledgement_ids() {
    let asked = || {
        let mut world = World::new(open_config(), App::Accepting);
        let mut client = Client::connected(&mut world);
        world.hub.emit_with_ack(world.now, world.last_socket(), "q", (), secs(9)).unwrap();
        world.settle();
        client.frames(&mut world);
        world.news();
        (world, client)
    };
    fatal("4399999999999999999999[]", socketio::Error::AckId);
    fatal("4318446744073709551616[]", socketio::Error::AckId);
    fatal(r#"4299999999999999999999["e"]"#, socketio::Error::AckId);
    // Unknown ones, floods of them, and one again: ignored.
    let (mut world, mut client) = asked();
    for id in (1..2000).chain([u64::MAX]) {
        client.say(&mut world, &format!("43{id}[]"));
    }
    assert_eq!((world.news(), client.frames(&mut world)), (vec![], vec![]));
    for _ in 0..1000 {
        client.say(&mut world, "430[]");
    }
    assert!(matches!(&world.news()[..], [Told::Ack { answer: Ok(_), .. }]), "counts once");
    // Before anything was ever asked.
    let mut world = World::new(open_config(), App::Accepting);
    let mut client = Client::connected(&mut world);
    world.news();
    assert_eq!(client.ask(&mut world, "430[]"), []);
    assert_eq!(world.news(), []);
}
