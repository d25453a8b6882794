//! The forms in which revision 3 takes its packets: text, base64, binary, scripts.

use roomwire::socketio::{Args, Placeholder, attach};

use crate::app::App;
use crate::client::{Frame, get, text};
use crate::poller::{Answer, Poller};
use crate::polling::{accepting, emit};
use crate::world::{Told, World, open_config};

const OCTETS: &str = "application/octet-stream";
const FORM: &str = "application/x-www-form-urlencoded";

fn captured(revision: u8, further: &str) -> (World, Poller) {
    let mut world = World::new(open_config(), App::Captured);
    let (mut poller, answer) = Poller::open_with(&mut world, revision, further);
    if revision == 4 {
        poller.say(&mut world, &["40"]);
        poller.poll(&mut world);
    } else {
        assert_eq!(answer.packets()[1..], [text("40"), text(r#"42["hello","world",1,true,{"a":[null]}]"#)]);
    }
    (world, poller)
}

/// Lengths are those of JavaScript: UTF-16 code units.
#[test]
fn lengths_in_utf_16() {
    let (mut world, mut poller) = captured(3, "");
    let answer = poller.post(&mut world, "text/plain;charset=UTF-8", "15:42[\"msg\",\"€😀\"]".as_bytes());
    assert_eq!(answer.text(), "ok");
    assert_eq!(poller.poll(&mut world).text(), "20:42[\"msg-back\",\"€😀\"]");
    for (said, units) in [("", 0), ("é", 1), ("€", 1), ("😀", 2), ("\u{2028}", 1), ("\u{10ffff}a\u{7ff}", 4)] {
        let body = format!("{}:42[\"msg\",\"{said}\"]", 12 + units);
        poller.post(&mut world, "text/plain;charset=UTF-8", body.as_bytes());
        assert_eq!(poller.poll(&mut world).text(), format!("{}:42[\"msg-back\",\"{said}\"]", 17 + units));
    }
}

/// One packet of a binary body: its kind, the digits of its length as bytes, 255, and the packet.
fn counted(kind: u8, packet: &[u8]) -> Vec<u8> {
    let digits = packet.len().to_string().bytes().map(|digit| digit - b'0').collect::<Vec<u8>>();
    [&[kind][..], &digits, &[255], packet].concat()
}

/// Any binary packet makes the whole answer binary, every length in bytes.
#[test]
fn binary_answers() {
    let (mut world, mut poller) = captured(3, "");
    let socket = world.last_socket();
    world.hub.emit(world.now, socket, "b", attach(("€", Placeholder(0)), [vec![7_u8; 300]])).unwrap();
    emit(&mut world, socket, 0..1);
    let answer = poller.poll(&mut world);
    assert_eq!(answer.header("content-type"), Some(OCTETS));
    let head = counted(0, "451-[\"b\",\"€\",{\"_placeholder\":true,\"num\":0}]".as_bytes());
    assert_eq!(head[..4], [0, 4, 5, 255], "bytes, not characters");
    let data = counted(1, &[&[4][..], &[7; 300]].concat());
    assert_eq!(data[..6], [1, 3, 0, 1, 255, 4]);
    let expected = [head, data, counted(0, br#"42["n",0]"#)].concat();
    assert_eq!(answer.body.escape_ascii().to_string(), expected.escape_ascii().to_string());
    // The next one has none, and is text again.
    emit(&mut world, socket, 1..2);
    assert_eq!(poller.poll(&mut world).text(), r#"9:42["n",1]"#);
    // The same form the other way.
    let data = counted(1, &[4, 0xCA, 0xFE]);
    let body = [counted(0, br#"451-["msg",{"_placeholder":true,"num":0}]"#), data.clone()].concat();
    assert_eq!(poller.post(&mut world, OCTETS, &body).text(), "ok");
    let answer = poller.poll(&mut world);
    assert_eq!(answer.body, [counted(0, br#"451-["msg-back",{"_placeholder":true,"num":0}]"#), data].concat());
}

/// Text in an octet-stream is UTF-8, its length is in bytes.
#[test]
fn text_in_binary_bodies() {
    let (mut world, mut poller) = captured(3, "");
    let packet = "42[\"msg\",\"€😀\"]".as_bytes();
    let body = [&[0, 1, 9, 255][..], packet].concat();
    assert_eq!(packet.len(), 19);
    assert_eq!(poller.post(&mut world, OCTETS, &body).text(), "ok");
    assert_eq!(poller.poll(&mut world).text(), "20:42[\"msg-back\",\"€😀\"]");
    // A body that calls itself text is text.
    let answer = poller.post(&mut world, "text/plain", &body);
    assert_eq!(answer.text(), "ok");
    assert!(poller.is_gone(&mut world));
}

/// Who takes no binary bodies gets base64, and may send it.
#[test]
fn base64() {
    for further in ["&b64=1", "&b64=true"] {
        let (mut world, mut poller) = captured(3, further);
        poller.say(&mut world, &[r#"42["bin"]"#]);
        let head = r#"77:452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]"#;
        assert_eq!(poller.poll(&mut world).text(), format!("{head}10:b4AQIDBA==6:b4BQ=="));
        poller.post(&mut world, "text/plain", br#"41:451-["msg",{"_placeholder":true,"num":0}]6:b4yv4="#);
        let packets = poller.poll(&mut world).packets();
        assert_eq!(
            packets,
            [text(r#"451-["msg-back",{"_placeholder":true,"num":0}]"#), Frame::Binary(vec![0xCA, 0xFE])]
        );
    }
}

/// Scripts: the answer calls the function that the session began with, whatever the later requests name; a POST is a form.
#[test]
fn scripts() {
    let (mut world, mut poller) = captured(3, "&j=7");
    poller.further = "&j=8".into();
    let event = "15:42[\"msg\",\"x\u{2028}y\"]";
    let form = "d=15%3A42%5B%22msg%22%2C%22x%E2%80%A8y%22%5D";
    assert_eq!(poller.post(&mut world, FORM, form.as_bytes()).text(), "ok");
    let answer = poller.poll(&mut world);
    assert_eq!(answer.text(), r#"___eio[7]("20:42[\"msg-back\",\"x\u2028y\"]");"#);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.packets(), [text("42[\"msg-back\",\"x\u{2028}y\"]")]);
    // A browser sends line feeds as `\n` behind a backslash, and those that were escaped with one more.
    poller.post(&mut world, FORM, b"d=16:42[%22msg%22,%22a%5C%5Cnb%22]");
    assert_eq!(poller.poll(&mut world).packets(), [text(r#"42["msg-back","a\nb"]"#)]);
    // Binary data in base64.
    poller.post(&mut world, FORM, b"d=41:451-[%22msg%22,{%22_placeholder%22:true,%22num%22:0}]6:b4yv4=");
    let packets = poller.poll(&mut world).packets();
    assert_eq!(packets[1], Frame::Binary(vec![0xCA, 0xFE]));
    // A body that is no form.
    assert_eq!(poller.post(&mut world, FORM, event.as_bytes()).text(), "ok");
    assert!(poller.is_gone(&mut world));
}

/// Nothing of a script comes from the client but digits (e17), and no client data can end it.
#[test]
fn e17_scripts_say_nothing_of_the_clients() {
    for (index, called) in [
        ("0", "___eio[0]("),
        ("12", "___eio[12]("),
        ("alert(1)//", "___eio[1]("),
        ("%3Cscript%3E", "___eio[0]("),
        ("constructor", "___eio[0]("),
        ("-1", "___eio[1]("),
        ("1e9", "___eio[19]("),
        ("%0A0", "___eio[0]("),
        ("99999999999999999999", "___eio[0]("),
        ("", "___eio[0]("),
        ("%D9%A3", "___eio[0]("),
    ] {
        let mut world = accepting();
        let conn = world.stream();
        world.feed(conn, &get(&format!("/socket.io/?EIO=3&transport=polling&j={index}")));
        let answer = Answer::all(&world.take(conn)).remove(0);
        assert!(answer.text().starts_with(called), "{index}: {}", answer.text());
        assert_eq!(answer.packets().len(), 2, "{index}");
    }
    let (mut world, mut poller) = captured(3, "&j=0");
    let hostile =
        [r#"42["msg","</script><script>alert(1)//"]"#, r#"42["msg","\"];alert(1)//"]"#, "42[\"msg\",\"\u{2029}\"]"];
    let forms = hostile.map(|packet| {
        let body = format!("{}:{packet}", packet.encode_utf16().count());
        format!("d={}", body.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>())
    });
    for (packet, form) in hostile.iter().zip(forms) {
        poller.post(&mut world, FORM, form.as_bytes());
        let answer = poller.poll(&mut world);
        assert_eq!(answer.packets(), [text(&packet.replace("msg", "msg-back"))]);
        let body = answer.text();
        assert!(!body.contains("</") && !body.contains(['\u{2028}', '\u{2029}', '\n']), "{body}");
        assert!(body.is_ascii() || !packet.is_ascii());
    }
}

/// In revision 4 neither exists: the parameters mean nothing.
#[test]
fn nothing_of_it_in_revision_4() {
    for further in ["&b64=1", "&j=0"] {
        let mut world = accepting();
        let (mut poller, answer) = Poller::open_with(&mut world, 4, further);
        assert!(answer.text().starts_with("0{"));
        poller.say(&mut world, &["40"]);
        poller.poll(&mut world);
        let socket = world.last_socket();
        let args = attach((Placeholder(0),), [b"\xDE\xAD".as_slice()]);
        world.hub.emit(world.now, socket, "b", &args).unwrap();
        world.settle();
        assert_eq!(poller.poll(&mut world).text(), "451-[\"b\",{\"_placeholder\":true,\"num\":0}]\u{1e}b3q0=");
    }
}

/// The form belongs to the session: `b64` in a later request changes nothing.
#[test]
fn the_form_is_the_sessions() {
    for (first, later, binary) in [("", "&b64=1", true), ("&b64=1", "", false), ("&b64=", "", true)] {
        let mut world = accepting();
        let mut poller = Poller::connected_with(&mut world, 3, first);
        poller.further = later.into();
        let socket = world.last_socket();
        let args = attach((Placeholder(0),), [b"\x01".as_slice()]);
        world.hub.emit(world.now, socket, "b", &args).unwrap();
        world.settle();
        let answer = poller.poll(&mut world);
        assert_eq!(answer.header("content-type") == Some(OCTETS), binary, "{first} {later}");
        assert_eq!(answer.packets()[1], Frame::Binary(vec![1]));
    }
}

/// Line separators and other characters that scripts and payloads do not like go through in every form.
#[test]
fn every_character_in_every_form() {
    let said = "\u{2028}\u{2029}\u{7f}\u{feff}\\u001e";
    for (revision, further) in [(4, ""), (3, ""), (3, "&b64=1"), (3, "&j=3")] {
        let mut world = accepting();
        let mut poller = Poller::connected_with(&mut world, revision, further);
        let socket = world.last_socket();
        let value = Args::new(format!("\"{said}\"")).unwrap();
        world.hub.emit(world.now, socket, "e", &value).unwrap();
        world.settle();
        assert_eq!(poller.poll(&mut world).packets(), [text(&format!("42[\"e\",\"{said}\"]"))]);
        world.news();
        if further != "&j=3" {
            poller.say(&mut world, &[&format!("42[\"e\",\"{said}\"]")]);
            assert!(matches!(&world.news()[..], [Told::Emit { args, .. }] if *args == format!("\"{said}\"")));
        }
    }
}
