//! Session ids: guessed, stolen, invented, and requests that name them.

use std::collections::BTreeSet;

use roomwire::engineio::RequestError;

use crate::app::App;
use crate::client::{Client, Frame, MAIN, MAIN_3, opening, split_head, text};
use crate::world::{Told, World, open_config, secs};

/// The error with which a query is refused, as a plain request and as an upgrade.
fn refused(world: &mut World, query: &str) -> [Option<RequestError>; 2] {
    let target = format!("/socket.io/?{query}");
    let plain = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    [plain, opening(&target, "")].map(|head| {
        let conn = world.stream();
        world.news();
        world.feed(conn, &head);
        let error = world.news().into_iter().find_map(|told| match told {
            Told::Refused { error, .. } => Some(error),
            _ => None,
        });
        if error.is_some() {
            let answer = world.take(conn);
            assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", answer.escape_ascii());
        }
        world.abort(conn);
        error
    })
}

/// The errors for a session id in a poll and in an upgrade.
fn unknown(world: &mut World, sid: &str) -> [Option<RequestError>; 2] {
    let [plain, _] = refused(world, &format!("EIO=4&transport=polling&sid={sid}"));
    let [_, upgrade] = refused(world, &format!("EIO=4&transport=websocket&sid={sid}"));
    [plain, upgrade]
}

/// An upgrade that names no session, and then the stream breaks.
#[test]
fn e04_reset_during_an_upgrade_that_is_refused() {
    for (cut, eof) in [(0, false), (1, false), (60, false), (500, false), (500, true)] {
        let mut world = World::captured();
        let conn = world.stream();
        let head = opening(&format!("{MAIN}&sid=0123456789abcdefghij"), "");
        world.feed(conn, &head[..cut.min(head.len())]);
        if eof {
            world.eof(conn)
        } else {
            world.abort(conn)
        }
        world.abort(conn);
        assert!(world.is_over(conn));
        assert_eq!(world.hub.counts(), Default::default());
        let ends = world.ear.told.iter().filter(|told| matches!(told, Told::Closed { .. })).count();
        assert_eq!(ends, 1);
        world.pass(secs(100));
    }
}

#[test]
fn e05_transports() {
    for query in [
        "EIO=4&transport=foo",
        "EIO=4&transport=__proto__",
        "EIO=4&transport=constructor",
        "EIO=4&transport=",
        "EIO=4&transport",
        "EIO=4",
        "EIO=4&transport=websocket&transport=polling",
        "EIO=4&transport=websocket&transport=websocket",
        "EIO=4&transport[]=websocket",
        "EIO=4&transport[0]=websocket",
        "EIO=4&transport=Websocket",
        "EIO=4&transport=websocket%00",
        "EIO=4&transport=%20websocket",
        "EIO=4&transport=webtransport",
        "EIO=4&TRANSPORT=websocket",
    ] {
        let mut world = World::captured();
        assert_eq!(refused(&mut world, query), [Some(RequestError::UnknownTransport); 2], "{query}");
        assert_eq!(world.hub.counts(), Default::default());
    }
}

#[test]
fn e06_session_ids() {
    let long = "x".repeat(1000);
    for sid in [
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "",
        &long,
        "%C3%A9",
        "0123456789abcdefgh%C3%A9",
        "0123456789abcdefghi%00",
        "0123456789abcdefghi+",
        "0123456789abcdefghi%2F",
        "0123456789abcdefghij",
        "0123456789abcdefghijk",
        "0123456789abcdefghij&sid=0123456789abcdefghij",
        "../../etc/passwd",
    ] {
        let mut world = World::captured();
        let client = Client::connected(&mut world);
        assert_eq!(unknown(&mut world, sid), [Some(RequestError::UnknownSession); 2], "{sid}");
        assert_eq!(world.hub.counts().sessions, 1);
        assert!(world.hub.stream(client.conn) == roomwire::Stream::Open);
    }
}

/// Longer than any target may be.
#[test]
fn e06_a_session_id_of_4096_bytes() {
    let mut world = World::captured();
    let conn = world.stream();
    world.feed(conn, &opening(&format!("{MAIN}&sid={}", "x".repeat(4096)), ""));
    assert!(world.take(conn).starts_with(b"HTTP/1.1 414 "));
    assert!(world.closed(conn) && world.hub.counts().sessions == 0);
}

/// As with the official server it is the session that is asked for first, whatever else is wrong.
#[test]
fn e06_an_unknown_session_whatever_else_is_wrong() {
    for query in ["EIO=4&transport=websocket", "EIO=4&transport=polling", "EIO=5&transport=polling"] {
        let mut world = World::captured();
        let query = format!("{query}&sid=0123456789abcdefghij");
        assert_eq!(refused(&mut world, &query), [Some(RequestError::UnknownSession); 2], "{query}");
    }
}

/// A session has a WebSocket: nothing else may join it, whatever it speaks, and it goes on in the revision that it began with.
/// A second WebSocket in the right revision is opened, as the official server does, and closed at once.
#[test]
fn e07_the_revision_is_the_sessions() {
    for (target, revision, heartbeat) in [(MAIN, "&EIO=4", false), (MAIN_3, "&EIO=3", true)] {
        let mut world = World::captured();
        let mut client = Client::open(&mut world, target);
        let sid = Client::sid_of(&client.frames(&mut world)[0]);
        client.say(&mut world, if heartbeat { "2" } else { "40" });
        client.frames(&mut world);
        for version in ["&EIO=3", "&EIO=4", ""] {
            // The one that names none speaks revision 3.
            let right = version == revision || (version.is_empty() && revision == "&EIO=3");
            let query = format!("transport=polling&sid={sid}{version}");
            assert_eq!(refused(&mut world, &query), [Some(RequestError::BadRequest); 2], "{query}");
            let query = format!("transport=websocket&sid={sid}{version}");
            let upgrade = if right { None } else { Some(RequestError::BadRequest) };
            assert_eq!(refused(&mut world, &query), [Some(RequestError::BadRequest), upgrade], "{query}");
            if right {
                let mut second = Client::open(&mut world, &format!("/socket.io/?{query}"));
                assert_eq!(second.frames(&mut world), [Frame::Close(1005, String::new())]);
                second.finish(&mut world);
                assert!(world.is_over(second.conn));
            }
        }
        assert_eq!(world.hub.counts().sessions, 1);
        assert_eq!(client.ask(&mut world, r#"420["echo"]"#), [text("430[]")]);
        if heartbeat {
            assert_eq!(client.ask(&mut world, "2"), [text("3")]);
        } else {
            world.pass(secs(25));
            assert_eq!(client.frames(&mut world), [text("2")]);
            assert_eq!(client.ask(&mut world, "3"), []);
        }
    }
}

/// 120 random bits: all different, every place takes most of its 64 values, and nothing of one tells another.
#[test]
fn e10_ids_are_random() {
    let ids = |seed: u8| {
        let mut world = World::seeded(open_config(), App::Captured, [seed; 32]);
        let mut ids = Vec::new();
        for _ in 0..400 {
            let mut client = Client::open(&mut world, MAIN);
            ids.push(Client::sid_of(&client.frames(&mut world)[0]));
            client.say(&mut world, "40");
            let socket = world.last_socket();
            ids.push(world.hub.sid(socket).unwrap().to_owned());
            let token = world.hub.token(socket).unwrap();
            assert_eq!(token.as_str().len(), 24);
            ids.push(token.as_str()[..20].to_owned());
            world.abort(client.conn);
        }
        ids
    };
    let first = ids(1);
    let distinct: BTreeSet<&String> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());
    for place in 0..20 {
        let values: BTreeSet<u8> = first.iter().map(|id| id.as_bytes()[place]).collect();
        assert!(values.len() >= 60, "place {place}: {}", values.len());
        // Nothing that counts: one id to the next, a place keeps its value once in 64 times.
        let kept = first.windows(2).filter(|two| two[0].as_bytes()[place] == two[1].as_bytes()[place]).count();
        assert!(kept < first.len() / 16, "place {place}: {kept}");
    }
    assert_eq!(first, ids(1), "the same seed gives the same ids");
    assert!(ids(2).iter().all(|id| !distinct.contains(id)), "another seed gives others");
}

/// What a client would like to be called is not what it is called.
#[test]
fn e12_ids_are_never_adopted() {
    let mut world = World::captured();
    for sid in ["mine", "0123456789abcdefghij"] {
        assert_eq!(unknown(&mut world, sid), [Some(RequestError::UnknownSession); 2]);
    }
    assert_eq!(world.hub.counts().sessions, 0);
    // In a packet it is only an object like any other.
    let mut client = Client::open(&mut world, MAIN);
    let open = client.frames(&mut world);
    client.say(&mut world, r#"40{"sid":"0123456789abcdefghij","pid":"0123456789abcdefghij","offset":"0"}"#);
    let frames = client.frames(&mut world);
    let sid = world.hub.sid(world.last_socket()).unwrap();
    assert_ne!(sid, "0123456789abcdefghij");
    assert_ne!(sid, Client::sid_of(&open[0]));
    assert_eq!(frames[0], text(&format!(r#"40{{"sid":"{sid}"}}"#)));
    // An old id is as good as none.
    let old = Client::sid_of(&open[0]);
    world.abort(client.conn);
    assert_eq!(unknown(&mut world, &old), [Some(RequestError::UnknownSession); 2]);
}

/// Many WebSockets for one session: each is closed at once, nothing is kept of them, the session is unharmed.
#[test]
fn e13_many_upgrades_of_one_session() {
    let mut world = World::captured();
    let mut client = Client::open(&mut world, MAIN);
    let sid = Client::sid_of(&client.frames(&mut world)[0]);
    client.say(&mut world, "40");
    client.frames(&mut world);
    let before = world.hub.counts();
    for _ in 0..500 {
        let conn = world.stream();
        world.feed(conn, &opening(&format!("{MAIN}&sid={sid}"), ""));
        // The probe comes behind the close frame, and is not answered.
        let opened = world.take(conn);
        assert_eq!(split_head(&opened), [0x88, 0]);
        world.feed(conn, &crate::client::message("2probe"));
        assert!(world.take(conn).is_empty());
        world.abort(conn);
    }
    assert_eq!(world.hub.counts(), before);
    assert_eq!(client.ask(&mut world, r#"420["echo"]"#), [text("430[]")]);
}

/// Probes and upgrade packets on an open WebSocket lead nowhere.
#[test]
fn e13_probes_on_an_open_session() {
    let mut world = World::captured();
    let mut client = Client::connected_3(&mut world);
    for _ in 0..1000 {
        assert_eq!(client.ask(&mut world, "2probe"), [text("3")]);
        assert_eq!(client.ask(&mut world, "5"), []);
    }
    let mut client = Client::connected(&mut world);
    assert_eq!(client.ask(&mut world, "5"), []);
    assert!(matches!(&client.ask(&mut world, "2probe")[..], [Frame::Close(1008, _)]));
}
