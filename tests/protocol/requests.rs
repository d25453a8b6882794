//! Requests that are the application's own, on the same port.

use roomwire::Stream;
use roomwire::http::Response;
use roomwire::hub::Event;
use roomwire::ws::Opcode;

use crate::client::{Client, MAIN, frame, get, opening};
use crate::world::{Told, World, secs};

/// Answers the oldest request that was left to the test.
fn respond(world: &mut World, body: &str) {
    let (conn, _) = world.ear.requests.remove(0);
    world.hub.respond(world.now, conn, Response::new(200).body(body.to_owned()));
    world.settle();
}

fn bodies(world: &mut World, conn: roomwire::hub::ConnId) -> Vec<String> {
    let text = String::from_utf8(world.take(conn)).unwrap();
    let answers = text.split("HTTP/1.1 200 OK\r\n").skip(1);
    answers.map(|answer| answer.split_once("\r\n\r\n").unwrap().1.to_owned()).collect()
}

#[test]
fn a_request_is_lent_whole() {
    let mut world = World::manual();
    let conn = world.stream();
    world.feed(conn, b"POST /form?a=1&b=%20 HTTP/1.1\r\nHost: example.org\r\nX-Y: z\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(world.news(), []);
    world.feed(conn, b"body");
    let (asked, request) = &world.ear.requests[0];
    assert_eq!(*asked, conn);
    assert_eq!((request.method(), request.path(), request.query()), ("POST", "/form", "a=1&b=%20"));
    assert_eq!((request.header("x-y"), request.body()), (Some("z"), &b"body"[..]));
    respond(&mut world, "done");
    assert_eq!(bodies(&mut world, conn), ["done"]);
    assert_eq!(world.hub.stream(conn), Stream::Open);
}

#[test]
fn several_on_one_stream() {
    let mut world = World::captured();
    let conn = world.stream();
    for _ in 0..3 {
        world.feed(conn, &get("/nothing"));
        assert!(world.take(conn).starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    }
    world.feed(conn, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(world.hub.stream(conn), Stream::HalfClosed);
    assert!(world.closed(conn));
}

/// One by one, each after the answer to the one before, however late that comes: nothing else wakes the stream.
#[test]
fn pipelined_requests() {
    let mut world = World::manual();
    let conn = world.stream();
    let targets = ["/one", "/two", "/three"];
    world.feed(conn, &targets.map(get).concat());
    for target in targets {
        let told = world.news();
        assert!(matches!(&told[..], [Told::Request { target: seen, .. }] if seen == target), "{target}: {told:?}");
        assert!(!world.hub.wants_read(conn));
        world.pass(secs(1));
        respond(&mut world, target);
        assert_eq!(bodies(&mut world, conn), [target]);
    }
    assert!(world.hub.wants_read(conn));
}

/// The same while the application answers at once.
#[test]
fn pipelined_requests_answered_at_once() {
    let mut world = World::captured();
    let conn = world.stream();
    let stream = [get("/one"), get("/socket.io/?EIO=4"), get("/two"), opening(MAIN, "")].concat();
    world.feed(conn, &stream);
    let told = world.news();
    assert!(matches!(&told[..], [Told::Request { .. }, Told::Refused { .. }, Told::Request { .. }]), "{told:?}");
    let written = world.take(conn);
    let at = written.windows(12).position(|part| part == b"HTTP/1.1 101").unwrap();
    world.unread(conn, &written[at..]);
    let mut client = Client::behind(&mut world, conn);
    assert_eq!(client.frames(&mut world).len(), 1);
}

/// They wait, whole pages each, while the peer reads nothing; when it reads they are told without anything else happening.
#[test]
fn pipelined_requests_wait_for_a_reader() {
    const COUNT: usize = 60;
    let mut world = World::manual();
    let conn = world.stream();
    let page = "x".repeat(20_000);
    world.stalled.push(conn);
    world.feed(conn, &get("/page").repeat(COUNT));
    let (mut told, mut heard) = (0, 0);
    for _ in 0..COUNT {
        while !world.ear.requests.is_empty() {
            respond(&mut world, &page);
            told += 1;
        }
        assert!(world.hub.outgoing_len(conn) < 65_536 + 21_000 && (told < 10 || told - heard < 5), "{told}");
        assert_eq!(world.hub.wants_read(conn), told == COUNT && world.hub.outgoing_len(conn) < 65_536);
        world.stalled.clear();
        world.write(conn);
        world.stalled.push(conn);
        world.settle();
        heard += bodies(&mut world, conn).len();
    }
    assert_eq!((told, heard), (COUNT, COUNT));
    assert!(world.hub.wants_read(conn));
}

#[test]
fn an_answer_to_nobody() {
    let mut world = World::manual();
    let conn = world.stream();
    world.hub.respond(world.now, conn, Response::new(200));
    world.feed(conn, &get("/page"));
    world.abort(conn);
    respond(&mut world, "late");
    assert_eq!(world.take(conn), b"");
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    world.hub.respond(world.now, client.conn, Response::new(200));
    world.settle();
    assert_eq!(client.frames(&mut world), []);
}

#[test]
fn an_application_that_never_answers() {
    let mut world = World::manual();
    let conn = world.stream();
    world.feed(conn, &get("/page"));
    world.pass(secs(60));
    let answer = String::from_utf8(world.take(conn)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(world.closed(conn));
}

/// What is told can be answered: a socket that asks to be let in is not gone already, even if all its stream is there. So it is
/// after the answer, behind what others have to tell, and when an answer was read that stood in the way.
#[test]
fn everything_behind_a_late_answer() {
    for (busy, unread) in [(false, false), (true, false), (false, true)] {
        let mut world = World::manual();
        let (conn, other) = (world.stream(), world.stream());
        let connect = frame(true, Opcode::Text, b"40");
        world.feed(conn, &[get("/page"), opening(MAIN, ""), connect].concat());
        world.hub.receive_eof(world.now, conn);
        let (asked, _) = world.ear.requests.remove(0);
        if busy {
            world.hub.abort(world.now, other);
        }
        let page = Response::new(200).body(vec![b'x'; if unread { 100_000 } else { 0 }]);
        world.hub.respond(world.now, asked, page);
        if busy {
            assert!(matches!(world.hub.poll_event(), Some(Event::Closed { conn, .. }) if conn == other));
        }
        if unread {
            assert!(world.hub.poll_event().is_none());
            world.hub.sent(world.now, conn, usize::MAX);
            while world.hub.poll_transmit().is_some() {}
        }
        let first = world.hub.poll_event();
        let Some(Event::Connecting { socket, .. }) = first else { panic!("{first:?}") };
        world.hub.accept(world.now, socket).unwrap();
        assert!(matches!(world.hub.poll_event(), Some(Event::Connected { .. })));
        assert!(world.hub.is_live(socket));
        assert!(matches!(world.hub.poll_event(), Some(Event::Disconnected { .. })));
        assert!(matches!(world.hub.poll_event(), Some(Event::Closed { .. })));
        assert!(world.hub.poll_event().is_none());
    }
}
