//! What a POST of long polling brings, and what is made of one that is none.

use roomwire::hub::{DisconnectReason, Error};
use roomwire::socketio;

use crate::app::App;
use crate::client::{Frame, text};
use crate::poller::{Answer, Poller, payload};
use crate::polling::{accepting, connected, emit, numbers};
use crate::world::{Told, World, open_config, secs};

const PLAIN: &str = "text/plain;charset=UTF-8";

/// Checks that a POST is answered `ok` and ends the session for good; `before` is told of its packets first.
fn fatal(revision: u8, kind: &str, body: &[u8], before: usize) {
    let shown = body[..body.len().min(60)].escape_ascii();
    for waits in [false, true] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        if waits {
            poller.park(&mut world);
        }
        let answer = poller.post(&mut world, kind, body);
        assert_eq!((answer.status, answer.text()), (200, "ok"), "{shown}");
        let mut told = world.news();
        let reason = DisconnectReason::ProtocolError;
        assert_eq!(told.pop(), Some(Told::Disconnected { socket, reason, away_until: None }), "{shown}");
        assert_eq!(told.len(), before, "{shown}: {told:?}");
        if waits {
            assert_eq!(poller.heard(&mut world).unwrap().texts(), ["1"], "{shown}");
        }
        assert!(poller.is_over(&mut world), "{shown}");
        assert_eq!(world.hub.counts().sessions, 0);
    }
}

/// The application answers between the packets of one POST: CONNECT and an event may come together.
#[test]
fn packets_are_looked_at_one_by_one() {
    let mut world = World::captured();
    let (mut poller, _) = Poller::open(&mut world, 4);
    poller.say(&mut world, &["40", r#"42["msg",1]"#, r#"421["echo",2]"#, "41", "40", r#"42["msg",3]"#]);
    let packets = poller.poll(&mut world).texts();
    let kinds: Vec<&str> = packets.iter().map(|packet| packet.get(..4).unwrap()).collect();
    assert_eq!(kinds, ["40{\"", "42[\"", "42[\"", "431[", "40{\"", "42[\"", "42[\""]);
    assert_eq!([&packets[2], &packets[3], &packets[6]], [r#"42["msg-back",1]"#, "431[2]", r#"42["msg-back",3]"#]);
    // In this order it is told too.
    let mut world = accepting();
    let (mut poller, _) = Poller::open(&mut world, 4);
    poller.say(&mut world, &["40", r#"42["a"]"#, r#"42["b"]"#]);
    let told = world.news();
    assert!(
        matches!(&told[..], [Told::Connecting { .. }, Told::Connected { .. }, Told::Emit { name: a, .. }, Told::Emit { name: b, .. }] if a == "a" && b == "b"),
        "{told:?}"
    );
}

/// An event before the answer to its CONNECT is as bad here as on WebSocket.
#[test]
fn an_event_before_it_is_accepted() {
    let mut world = World::manual();
    let (mut poller, _) = Poller::open(&mut world, 4);
    let answer = poller.post(&mut world, PLAIN, "40\u{1e}42[\"a\"]".as_bytes());
    assert_eq!(answer.text(), "ok");
    assert!(matches!(&world.news()[..], [Told::Connecting { .. }, Told::Disconnected { .. }]));
    assert_eq!(poller.poll(&mut world).texts(), ["6", "1"], "the client is told that it is over");
    assert!(poller.is_gone(&mut world));
}

/// The first packet is not CONNECT: the session ends.
#[test]
fn s13_the_first_packet() {
    for (packet, error) in [
        (r#"42["x"]"#, socketio::Error::NotConnected),
        ("430[]", socketio::Error::NotConnected),
        (r#"451-["x"]"#, socketio::Error::NotConnected),
        ("44{}", socketio::Error::NotConnected),
        ("bAAAA", socketio::Error::Binary),
    ] {
        let mut world = accepting();
        let (mut poller, _) = Poller::open(&mut world, 4);
        poller.park(&mut world);
        assert_eq!(poller.post(&mut world, PLAIN, packet.as_bytes()).text(), "ok", "{packet}");
        assert_eq!(poller.heard(&mut world).unwrap().text(), "1", "{packet}");
        assert!(poller.is_gone(&mut world));
        // The stream that brought it tells why at its end.
        let conn = poller.post.unwrap();
        world.eof(conn);
        assert_eq!(world.error(conn), Some(Error::SocketIo(error)), "{packet}");
    }
}

/// What is no payload, or no packet, is answered `ok` and ends the session, behind what came before it in the same body.
#[test]
fn e14_bodies_that_are_none() {
    for body in ["", "zzz", "x", "7", "\u{1e}", "\u{1e}4", "é", "4", "48", "42", "42[", "b", "2", "2probe"] {
        // Empty binary data are no fault of Engine.IO's, but nobody announced them.
        fatal(4, PLAIN, body.as_bytes(), 0);
    }
    let event = r#"42["e"]"#;
    for tail in ["", "\u{1e}", "zzz", "b!", "42[\"connect\"]"] {
        fatal(4, PLAIN, format!("{event}\u{1e}{event}\u{1e}{tail}").as_bytes(), 2);
    }
    for body in [
        "",
        "0",
        ":",
        "1",
        "2",
        "1:",
        "3:42",
        "01:2",
        "+1:2",
        "-1:2",
        "1e0:2",
        " 1:2",
        "1 :2",
        "99999999991:4",
        "1:x",
        "2:b4",
    ] {
        fatal(3, PLAIN, body.as_bytes(), 0);
    }
    fatal(3, PLAIN, format!("7:{event}8:{event}").as_bytes(), 1);
    fatal(3, PLAIN, format!("7:{event}1:z").as_bytes(), 1);
    // Not UTF-8, and a length that ends within a character: of two units the first.
    fatal(4, PLAIN, b"42[\"\xff\"]", 0);
    fatal(3, PLAIN, b"8:42[\"\xff\"]", 0);
    fatal(3, PLAIN, "6:42[\"😀\"]".as_bytes(), 0);
    for body in [
        &b"\x00"[..],
        b"\x00\xff",
        b"\x00\x01",
        b"\x00\x01\xff",
        b"\x00\x02\xff4",
        b"\x02\x01\xff2",
        b"\x01\x01\xff\x02",
        b"\x01\x02\xff\x04\x01",
        b"\x00\x09\x09\xff4",
        b"\x00\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4",
        b"\x00\x00\x01\xff2",
        b"\x00\x0a\xff2",
        b"\x00\x01\xff\xff",
    ] {
        fatal(3, "application/octet-stream", body, 0);
    }
    // No bytes are no packets, as with the official server.
    let mut world = accepting();
    let (mut poller, _) = connected(&mut world, 3);
    assert_eq!(poller.post(&mut world, "application/octet-stream", b"").text(), "ok");
    assert!(!poller_is_gone(&mut world, &mut poller));
}

/// Whether the session is gone, where a GET may be parked for it.
fn poller_is_gone(world: &mut World, poller: &mut Poller) -> bool {
    poller.ask(world);
    poller.heard(world).is_some_and(|answer| answer.status == 400)
}

/// Binary data in base64, in order or not (e16).
#[test]
fn e16_base64() {
    for data in ["A", "A===", "AB==", "AB", "AAB", "AAAA=", "A-_A", "AA AA", "=", "====", "AAAA\n", "é"] {
        fatal(4, PLAIN, format!("451-[\"e\"]\u{1e}b{data}").as_bytes(), 0);
        let units = 2 + data.encode_utf16().count();
        fatal(3, PLAIN, format!("9:451-[\"e\"]{units}:b4{data}").as_bytes(), 0);
    }
    for other in ["b", "b3AAAA", "b0", "bAAAA"] {
        let units = other.len();
        fatal(3, PLAIN, format!("9:451-[\"e\"]{units}:{other}").as_bytes(), 0);
    }
    for (data, bytes) in [
        ("", vec![]),
        ("AA==", vec![0]),
        ("AA", vec![0]),
        ("AAA", vec![0, 0]),
        ("AAA=", vec![0, 0]),
        ("/+/+", vec![255, 239, 254]),
    ] {
        for revision in [3, 4] {
            let mut world = accepting();
            let (mut poller, _) = connected(&mut world, revision);
            let body = if revision == 4 {
                format!("451-[\"e\"]\u{1e}b{data}")
            } else {
                format!("9:451-[\"e\"]{}:b4{data}", data.len() + 2)
            };
            assert_eq!(poller.post(&mut world, PLAIN, body.as_bytes()).text(), "ok");
            assert!(matches!(&world.news()[..], [Told::Emit { attachments, .. }] if *attachments == [bytes.clone()]));
        }
    }
}

/// A body over the limit is refused, and the session lives: one byte more than may be, and no less.
#[test]
fn too_large_a_body() {
    for revision in [3, 4] {
        let mut config = open_config();
        config.engine.max_payload = 1000;
        let mut world = World::new(config, App::Accepting);
        let (mut poller, socket) = connected(&mut world, revision);
        poller.park(&mut world);
        let fits = |size: usize| {
            let prefix = if revision == 4 { 0 } else { (size - 4).to_string().len() + 1 };
            let packet = text(&format!(r#"42["e","{}"]"#, "x".repeat(size - prefix - 10)));
            payload(revision, &[packet])
        };
        assert_eq!([fits(1000).len(), fits(1001).len()], [1000, 1001]);
        let answer = poller.post(&mut world, PLAIN, fits(1001).as_bytes());
        assert_eq!((answer.status, answer.text()), (413, ""));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(world.news(), []);
        assert_eq!(poller.post(&mut world, PLAIN, fits(1000).as_bytes()).text(), "ok");
        assert!(matches!(&world.news()[..], [Told::Emit { .. }]));
        emit(&mut world, socket, 0..1);
        assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
    }
}

/// What clients are told may come, also where HTTP by itself takes less.
#[test]
fn as_large_a_body_as_is_told() {
    let mut config = open_config();
    config.engine.max_payload = 1_500_000;
    let mut world = World::new(config, App::Accepting);
    let (mut poller, _) = connected(&mut world, 4);
    let packet = text(&format!(r#"42["e","{}"]"#, "x".repeat(1_400_000)));
    assert_eq!(poller.post(&mut world, PLAIN, payload(4, &[packet]).as_bytes()).text(), "ok");
    assert!(matches!(&world.news()[..], [Told::Emit { .. }]));
}

/// A body that HTTP itself does not take ends its stream, and the session lives.
#[test]
fn too_large_a_body_for_http() {
    let mut world = accepting();
    let (mut poller, socket) = connected(&mut world, 4);
    poller.park(&mut world);
    let conn = world.stream();
    world.feed(conn, &poller.post_bytes(PLAIN, &vec![b'4'; 1_000_001])[..1000]);
    let answer = Answer::all(&world.take(conn)).remove(0);
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert!(world.hub.is_live(socket));
    emit(&mut world, socket, 0..1);
    assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
}

/// A binary body has no place in revision 4 (e08): it is answered, once, and the session is gone.
#[test]
fn e08_an_octet_stream_in_revision_4() {
    for (kind, bad) in [
        ("application/octet-stream", true),
        ("Application/Octet-Stream", true),
        ("application/octet-stream; charset=binary", true),
        ("application/octet-streams", false),
        ("text/plain", false),
        ("application/x-www-form-urlencoded", false),
        ("", false),
    ] {
        for waits in [false, true] {
            let mut world = accepting();
            let (mut poller, socket) = connected(&mut world, 4);
            if waits {
                poller.park(&mut world);
            }
            let answer = poller.post(&mut world, kind, br#"42["e"]"#);
            if !bad {
                assert_eq!((answer.status, answer.text()), (200, "ok"), "{kind}");
                continue;
            }
            assert_eq!((answer.status, answer.text()), (400, ""), "{kind}");
            let reason = DisconnectReason::ProtocolError;
            assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
            if waits {
                assert_eq!(poller.heard(&mut world).unwrap().text(), "1");
            }
            assert!(poller.is_gone(&mut world));
        }
    }
}

/// A close packet ends the session for good: the GET that waits gets a noop, since its client knows already.
#[test]
fn a_close_packet() {
    for revision in [3, 4] {
        for waits in [false, true] {
            let mut world = accepting();
            let (mut poller, socket) = connected(&mut world, revision);
            if waits {
                poller.park(&mut world);
            }
            // What comes behind it is nobody's.
            poller.say(&mut world, &[r#"42["e"]"#, "1", r#"42["f"]"#]);
            let told = world.news();
            let left = Told::Disconnected { socket, reason: DisconnectReason::Client, away_until: None };
            assert!(matches!(&told[..], [Told::Emit { .. }, last] if *last == left), "{told:?}");
            if waits {
                assert_eq!(poller.heard(&mut world).unwrap().texts(), ["6"]);
            }
            assert!(poller.is_gone(&mut world));
        }
    }
}

/// So many packets may be in one body (e01, e18), and not one more.
#[test]
fn payload_packets_max() {
    for revision in [3, 4] {
        let mut config = open_config();
        config.engine.payload_packets_max = 10;
        for count in [10, 11] {
            let mut world = World::new(config.clone(), App::Accepting);
            let (mut poller, _) = connected(&mut world, revision);
            poller.say(&mut world, &vec![r#"42["e"]"#; count]);
            let told = world.news();
            let told: Vec<bool> = told.iter().map(|told| matches!(told, Told::Emit { .. })).collect();
            let expected = if count == 10 { vec![true; 10] } else { [vec![true; 10], vec![false]].concat() };
            assert_eq!(told, expected);
            assert_eq!(poller_is_gone(&mut world, &mut poller), count == 11);
        }
    }
}

/// A POST whose stream breaks behind it was sent all the same.
#[test]
fn a_post_that_is_not_answered() {
    let mut world = accepting();
    let (mut poller, socket) = connected(&mut world, 4);
    let conn = world.stream();
    let mut bytes = poller.post_bytes(PLAIN, "42[\"a\"]\u{1e}42[\"b\"]".as_bytes());
    let mut input = &mut bytes[..];
    // The driver finds the stream broken before it has taken any event.
    let first = world.hub.receive(world.now, conn, &mut input).map(|event| Told::from(&event));
    world.hub.abort(world.now, conn);
    world.settle();
    let told: Vec<Told> = first.into_iter().chain(world.news()).collect();
    let names: Vec<&str> = told
        .iter()
        .filter_map(|told| if let Told::Emit { name, .. } = told { Some(name.as_str()) } else { None })
        .collect();
    assert_eq!(names, ["a", "b"], "{told:?}");
    assert!(world.hub.is_live(socket));
    poller.park(&mut world);
}

/// Two POSTs in one turn are looked at one after the other, and each is answered on its own stream.
#[test]
fn posts_at_the_same_time() {
    let mut world = accepting();
    let (poller, _) = connected(&mut world, 4);
    let conns = [world.stream(), world.stream()];
    let mut told = Vec::new();
    for (conn, names) in conns.into_iter().zip([["a", "b"], ["c", "d"]]) {
        let body = names.map(|name| format!(r#"42["{name}"]"#)).join("\u{1e}");
        let mut bytes = poller.post_bytes(PLAIN, body.as_bytes());
        let mut input = &mut bytes[..];
        // At the first look only one event is told: the rest of the first POST comes before the second is read.
        let first = world.hub.receive(world.now, conn, &mut input).map(|event| Told::from(&event));
        told.extend(first);
        if conn == conns[1] {
            while let Some(event) = world.hub.receive(world.now, conn, &mut input) {
                told.push(Told::from(&event));
            }
        }
    }
    world.settle();
    told.extend(world.news());
    let names: Vec<&str> = told
        .iter()
        .map(|told| if let Told::Emit { name, .. } = told { name.as_str() } else { panic!("{told:?}") })
        .collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    for conn in conns {
        assert_eq!(Answer::all(&world.take(conn)).remove(0).text(), "ok");
    }
}

/// The heartbeat in the wrong direction.
#[test]
fn e15_heartbeats() {
    fatal(4, PLAIN, b"2", 0);
    fatal(3, PLAIN, b"1:3", 0);
    fatal(3, PLAIN, b"6:3probe", 0);
    let mut world = accepting();
    let (mut poller, _) = connected(&mut world, 3);
    // Of many pings in one POST each has its pong.
    poller.say(&mut world, &["2"; 20]);
    assert_eq!(poller.poll(&mut world).texts(), vec!["3"; 16]);
    assert_eq!(poller.poll(&mut world).texts(), vec!["3"; 4]);
    world.pass(secs(1));
}

/// Attachments over several POSTs, of one event or acknowledgement, in every place.
#[test]
fn attachments_over_several_posts() {
    for revision in [3, 4] {
        let packets = [
            text(r#"452-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#),
            Frame::Binary(vec![1, 2]),
            Frame::Binary(vec![3]),
            text(r#"42["f"]"#),
        ];
        for first in 0..4 {
            for second in first..4 {
                let mut world = accepting();
                let (mut poller, _) = connected(&mut world, revision);
                for part in [&packets[..first], &packets[first..second], &packets[second..]] {
                    if !part.is_empty() {
                        poller.send(&mut world, part);
                    }
                }
                let told = world.news();
                assert!(
                    matches!(&told[..], [Told::Emit { attachments, .. }, Told::Emit { name, .. }]
                        if *attachments == [vec![1, 2], vec![3]] && name == "f"),
                    "{told:?}"
                );
            }
        }
    }
}

/// What a POST has caused comes behind its answer, on whatever stream: python-engineio stumbles over the reverse.
#[test]
fn the_answer_of_a_post_is_written_before_a_poll_is_answered() {
    for (lost, last) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = World::captured();
        let (mut poller, _) = connected(&mut world, 4);
        poller.say(&mut world, &["2"]);
        let (mut poller, _) = connected(&mut world, 4);
        poller.say(&mut world, &[r#"42["msg",0]"#]);
        poller.poll(&mut world);
        poller.park(&mut world);
        let conn = poller.post.unwrap();
        world.stalled.push(conn);
        let post = String::from_utf8(poller.post_bytes(PLAIN, r#"42["msg",1]"#.as_bytes())).unwrap();
        // Also where the stream ends with that answer, as for clients without a pool of streams.
        let post = if last { post.replacen("Host:", "Connection: close\r\nHost:", 1) } else { post };
        world.feed(conn, post.as_bytes());
        world.pass(secs(1));
        assert_eq!((poller.heard(&mut world), world.closed(conn)), (None, last));
        world.stalled.clear();
        if lost {
            world.abort(conn);
        } else {
            world.write(conn);
            world.settle();
        }
        assert_eq!(poller.heard(&mut world).unwrap().texts(), [r#"42["msg-back",1]"#]);
    }
}
