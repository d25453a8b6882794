//! Sessions on HTTP long polling: a GET waits for packets, in both revisions.

use roomwire::Stream;
use roomwire::engineio::{Cookie, RequestError, SameSite, Transport};
use roomwire::hub::{Config, DisconnectReason, SocketId};

use crate::app::App;
use crate::client::{Client, MAIN, get, text};
use crate::poller::{Answer, Poller};
use crate::world::{Told, World, ms, open_config};

pub fn accepting() -> World {
    World::new(open_config(), App::Accepting)
}

pub fn accepting_with(change: impl FnOnce(&mut Config)) -> World {
    let mut config = open_config();
    change(&mut config);
    World::new(config, App::Accepting)
}

/// A connected session and its socket; what was told so far is forgotten.
pub fn connected(world: &mut World, revision: u8) -> (Poller, SocketId) {
    let poller = Poller::connected(world, revision);
    world.news();
    (poller, world.last_socket())
}

/// Emits the numbers from `from` to `to`, as one turn of the application.
pub fn emit(world: &mut World, socket: SocketId, numbers: std::ops::Range<u32>) {
    for number in numbers {
        world.hub.emit(world.now, socket, "n", (number,)).unwrap();
    }
    world.settle();
}

pub fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!(r#"42["n",{number}]"#)).collect()
}

/// Both revisions tell the same, in one response each: in revision 3 the main namespace is connected unasked.
#[test]
fn the_handshake() {
    let open = |sid: &str| {
        format!(
            r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
        )
    };
    let (poller, answer) = Poller::open(&mut accepting(), 4);
    assert_eq!(answer.text(), open(&poller.sid));
    let head = "HTTP/1.1 200 OK\r\nvary: Origin\r\ncache-control: no-store\r\ncontent-type: text/plain; charset=UTF-8\r\ncontent-length: 118";
    assert_eq!(answer.head, head);
    let (poller, answer) = Poller::open(&mut accepting(), 3);
    assert_eq!(answer.text(), format!("118:{}2:40", open(&poller.sid)));
    // Without `EIO` it is revision 3.
    let mut world = accepting();
    let conn = world.stream();
    world.feed(conn, &get("/socket.io/?transport=polling&t=Q7_gs5b"));
    let answer = Answer::all(&world.take(conn)).remove(0);
    assert!(answer.text().starts_with("118:0{") && answer.text().ends_with("}2:40"));
}

/// What is not said yet comes with a later GET.
#[test]
fn a_namespace_accepted_later() {
    for revision in [3, 4] {
        let mut world = World::manual();
        let (mut poller, answer) = Poller::open(&mut world, revision);
        assert_eq!(answer.packets().len(), 1);
        if revision == 4 {
            poller.say(&mut world, &["40"]);
        }
        poller.park(&mut world);
        let socket = world.last_socket();
        assert_eq!(world.hub.transport(socket), Some(Transport::Polling));
        assert_eq!(world.hub.connection(socket), None);
        world.hub.accept(world.now, socket).unwrap();
        world.settle();
        let packets = poller.heard(&mut world).unwrap().texts();
        assert!(packets.len() == 1 && packets[0].starts_with("40"), "{packets:?}");
    }
}

/// No upgrade is offered where there is none.
#[test]
fn without_websocket() {
    let mut world = accepting_with(|config| config.engine.transports.websocket = false);
    let (mut poller, answer) = Poller::open(&mut world, 4);
    assert!(answer.text().contains(r#""upgrades":[],"#), "{}", answer.text());
    let conn = world.stream();
    world.feed(conn, &crate::client::opening(&poller.target("websocket"), ""));
    assert!(world.take(conn).ends_with(b"Transport unknown"));
    poller.say(&mut world, &["40"]);
    assert_eq!(poller.poll(&mut world).packets().len(), 1);
}

/// The cookie is set by the response that opens the session, and by no other.
#[test]
fn the_cookie() {
    let own =
        Cookie { path: "/chat".into(), max_age: Some(ms(60_000)), same_site: SameSite::Strict, ..Cookie::new("io") };
    for revision in [3, 4] {
        let mut world = accepting_with(|config| config.engine.cookie = Some(own.clone()));
        let (mut poller, answer) = Poller::open(&mut world, revision);
        let cookie = format!("io={}; Max-Age=60; Path=/chat; HttpOnly; SameSite=Strict", poller.sid);
        assert_eq!(answer.header("set-cookie"), Some(&cookie[..]));
        let further = [
            poller.post(&mut world, "text/plain", if revision == 4 { b"40" } else { b"1:2" }),
            poller.poll(&mut world),
            poller.post(&mut world, "text/plain", b"zzz"),
            poller.poll(&mut world),
        ];
        assert_eq!(further.each_ref().map(|answer| answer.status), [200, 200, 200, 400]);
        assert!(further.iter().all(|answer| answer.header("set-cookie").is_none()));
        let mut client = Client::open(&mut world, MAIN);
        assert_eq!(client.frames(&mut world).len(), 1, "its head has no cookie either");
    }
}

/// A parked GET is answered by the first turn that has something for it, with all of that turn in one response.
#[test]
fn one_turn_is_one_response() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        let conn = poller.park(&mut world);
        world.pass(ms(100));
        assert_eq!(poller.heard(&mut world), None);
        emit(&mut world, socket, 0..10);
        assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..10));
        assert_eq!(world.hub.outgoing_len(conn), 0);
        // What happens while no GET waits is gathered too.
        emit(&mut world, socket, 10..12);
        world.pass(ms(100));
        emit(&mut world, socket, 12..13);
        assert_eq!(poller.poll(&mut world).texts(), numbers(10..13));
        poller.park(&mut world);
    }
}

/// One answer has so many packets, the next GET gets more at once.
#[test]
fn poll_packets_max() {
    for (max, revision) in [(16, 3), (16, 4), (1, 3), (1, 4)] {
        let mut world = accepting_with(|config| config.engine.poll_packets_max = max);
        let (mut poller, socket) = connected(&mut world, revision);
        let max = u32::try_from(max).unwrap();
        poller.park(&mut world);
        emit(&mut world, socket, 0..2 * max + 1);
        assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..max));
        assert_eq!(poller.poll(&mut world).texts(), numbers(max..2 * max));
        assert_eq!(poller.poll(&mut world).texts(), numbers(2 * max..2 * max + 1));
        poller.park(&mut world);
    }
    let config =
        Config { engine: roomwire::engineio::Config { poll_packets_max: 0, ..Default::default() }, ..open_config() };
    assert!(config.validate().is_err());
}

/// A second GET while one waits ends the session: the first hears so, behind all that it was to get, the second is no
/// good, and nothing is parked.
#[test]
fn e09_a_second_get() {
    for (revision, queued) in [(3, false), (3, true), (4, false), (4, true)] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        let first = poller.park(&mut world);
        let second = world.stream();
        if queued {
            // In the same turn.
            world.hub.emit(world.now, socket, "n", (0,)).unwrap();
        }
        world.feed(second, &poller.get_bytes());
        // What is queued is not followed by the end in the same answer: see the farewell.
        let waiting = if queued { numbers(0..1) } else { vec!["1".into()] };
        assert_eq!(poller.heard(&mut world).unwrap().texts(), waiting);
        let refused = Answer::all(&world.take(second)).remove(0);
        assert_eq!((refused.status, refused.text()), (400, ""));
        let reason = DisconnectReason::ProtocolError;
        assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
        if queued {
            assert_eq!(poller.poll(&mut world).texts(), ["6", "1"]);
        }
        assert_eq!(world.hub.counts().sessions, 0);
        assert!(poller.is_gone(&mut world));
        // Both streams go on.
        assert_eq!([first, second].map(|conn| world.hub.stream(conn)), [Stream::Open; 2]);
    }
}

/// What comes behind a GET on its own stream cannot wait for its answer: the GET gets a noop, the rest is served.
#[test]
fn pipelined_behind_a_parked_get() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        let conn = poller.park(&mut world);
        let event = crate::poller::payload(revision, &[text(r#"42["e"]"#)]);
        let post = poller.post_bytes("text/plain", event.as_bytes());
        // A part of it is enough.
        world.feed(conn, &post[..10]);
        assert_eq!(poller.heard(&mut world).unwrap().texts(), ["6"]);
        assert_eq!(world.news(), []);
        world.feed(conn, &post[10..]);
        assert_eq!(poller.heard(&mut world).unwrap().text(), "ok");
        assert!(matches!(&world.news()[..], [Told::Emit { .. }]));
        // All at once: GET, POST, GET, of which the last is parked.
        let stream = [poller.get_bytes(), post, poller.get_bytes()].concat();
        for cut in [stream.len(), 1, 50, 200] {
            for piece in stream.chunks(cut) {
                world.feed(conn, piece);
            }
            let answers = Answer::all(&world.take(conn));
            assert_eq!(answers.len(), 2, "{answers:?}");
            assert_eq!((answers[0].texts(), answers[1].text()), (vec!["6".to_owned()], "ok"));
            assert_eq!(world.news().len(), 1);
            emit(&mut world, socket, 0..1);
            assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
        }
    }
}

/// Requests that are pipelined without end are each answered once, and the stream is not read meanwhile.
#[test]
fn e09_a_pipeline_of_gets() {
    let mut world = accepting();
    let (mut poller, _) = connected(&mut world, 4);
    let conn = poller.park(&mut world);
    assert!(world.hub.wants_read(conn), "its end is to be noticed");
    world.feed(conn, &poller.get_bytes().repeat(100));
    let answers = Answer::all(&world.take(conn));
    assert_eq!(answers.len(), 100);
    assert!(answers.iter().all(|answer| answer.texts() == ["6"]));
    assert_eq!(world.hub.counts().sessions, 1);
}

/// A request cut anywhere is the same request.
#[test]
fn requests_in_pieces() {
    for size in [1, 2, 7, 100] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, 4);
        let conn = world.stream();
        for piece in poller.post_bytes("text/plain", "42[\"é\",\"€😀\"]\u{1e}42[\"f\"]".as_bytes()).chunks(size) {
            assert!(world.take(conn).is_empty());
            world.feed(conn, piece);
        }
        assert_eq!(Answer::all(&world.take(conn)).remove(0).text(), "ok");
        assert_eq!(world.news().len(), 2);
        let conn = world.stream();
        poller.get = Some(conn);
        for piece in poller.get_bytes().chunks(size) {
            world.feed(conn, piece);
        }
        emit(&mut world, socket, 0..1);
        assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
    }
}

/// Streams for one request each, as Node's clients have them, and those of HTTP/1.0.
#[test]
fn a_stream_for_each_request() {
    for (version, line) in [("1.1", "Connection: close\r\n"), ("1.0", "")] {
        let mut world = accepting();
        let (poller, socket) = connected(&mut world, 4);
        for number in 0..3 {
            let conn = world.stream();
            let bytes = String::from_utf8(poller.get_bytes()).unwrap();
            world.feed(conn, bytes.replace("1.1\r\n", &format!("{version}\r\n{line}")).as_bytes());
            assert!(world.take(conn).is_empty());
            emit(&mut world, socket, number..number + 1);
            let answer = Answer::all(&world.take(conn)).remove(0);
            assert_eq!((answer.texts(), answer.header("connection")), (numbers(number..number + 1), Some("close")));
            assert_eq!(world.hub.stream(conn), Stream::HalfClosed);
            world.eof(conn);
            assert_eq!(world.news(), [Told::Closed { conn, error: None }]);
        }
        assert!(world.hub.is_live(socket));
    }
}

/// Sessions have a limit of their own; those that are there go on, and one that ends makes room.
#[test]
fn sessions_max() {
    let mut world = accepting_with(|config| config.limits.sessions_max = 2);
    let (mut first, _) = connected(&mut world, 4);
    let _second = connected(&mut world, 3);
    world.news();
    for target in ["/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=3&transport=polling"] {
        let conn = world.stream();
        world.feed(conn, &get(target));
        let answer = Answer::all(&world.take(conn)).remove(0);
        assert_eq!((answer.status, answer.text()), (503, r#"{"code":3,"message":"Too many sessions"}"#));
        assert_eq!(world.news(), [Told::Refused { conn, error: RequestError::TooManySessions }]);
    }
    let conn = world.stream();
    world.feed(conn, &crate::client::opening(MAIN, ""));
    let answer = Answer::all(&world.take(conn)).remove(0);
    assert_eq!((answer.status, answer.text()), (503, "Too many sessions"));
    // Even upgraded it is the same session.
    let mut client = Client::open(&mut world, &first.target("websocket"));
    assert_eq!(client.ask(&mut world, "2probe"), [text("3probe")]);
    first.say(&mut world, &["1"]);
    Poller::connected(&mut world, 4);
}

/// Two sessions that share streams do not mix.
#[test]
fn sessions_share_a_stream() {
    let mut world = accepting();
    let (mut first, one) = connected(&mut world, 4);
    let (mut second, two) = connected(&mut world, 3);
    let conn = world.stream();
    for round in 0..3 {
        for (poller, socket) in [(&mut first, one), (&mut second, two)] {
            poller.get = Some(conn);
            poller.park(&mut world);
            emit(&mut world, socket, round..round + 1);
            assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(round..round + 1));
        }
    }
}

/// Requests that do not fit their session are refused, and it is unharmed.
#[test]
fn requests_that_do_not_fit() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        poller.park(&mut world);
        let target = poller.target("polling");
        let other = target.replace(&format!("EIO={revision}"), &format!("EIO={}", 7 - revision));
        for (method, target) in [
            ("PUT", &target),
            ("HEAD", &target),
            ("DELETE", &target),
            ("OPTIONS", &target),
            ("GET", &other),
            ("POST", &other),
            ("GET", &poller.target("websocket")),
            ("POST", &poller.target("websocket")),
        ] {
            let conn = world.stream();
            let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40");
            world.feed(conn, head.as_bytes());
            assert_eq!(world.news(), [Told::Refused { conn, error: RequestError::BadRequest }], "{method} {target}");
            let bytes = world.take(conn);
            assert!(bytes.starts_with(b"HTTP/1.1 400 "));
            assert!(method == "HEAD" || bytes.ends_with(br#"{"code":3,"message":"Bad request"}"#));
        }
        // A WebSocket handshake that calls itself polling, or names the other revision.
        for target in [&target, &other, &poller.target("websocket").replace("EIO=", "EIO=1")] {
            let conn = world.stream();
            world.feed(conn, &crate::client::opening(target, ""));
            assert!(world.take(conn).ends_with(b"Bad request"), "{target}");
        }
        assert_eq!(poller.heard(&mut world), None);
        emit(&mut world, socket, 0..1);
        assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
    }
}

/// A stranger on the stream of a parked GET: bytes of another protocol.
#[test]
fn rubbish_behind_a_parked_get() {
    let mut world = accepting();
    let (mut poller, _) = connected(&mut world, 4);
    let conn = poller.park(&mut world);
    world.feed(conn, b"\x81\x82\x9a\x01\r\n\r\n");
    let answers = Answer::all(&world.take(conn));
    assert_eq!(answers[0].texts(), ["6"]);
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 400]);
    world.eof(conn);
    assert!(world.is_over(conn));
    poller.park(&mut world);
    assert_eq!(world.hub.counts().sessions, 1, "the GET was answered");
}
