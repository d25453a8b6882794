//! What comes behind an answer that delivers packets waits until that is written: however it is cut, however slowly its peer
//! reads, and whatever becomes of the stream meanwhile, no packet is lost without its session.

use roomwire::Stream;
use roomwire::http::{self, Request, Response};
use roomwire::hub::{ConnId, Error, Event, Hub, Peer, Plain, SocketId};
use roomwire::ws::{CloseCode, Opcode};

use crate::fuzz_hub::Told;
use crate::review::{get, is_lost, post, read, session, stream};
use crate::support::cuts::Cuts;
use crate::support::ws::{masked, opening};
use crate::world::{World, config, count, millis, packets};

/// A session whose packet is in an answer on that stream, of which nothing is written.
struct Delivering {
    world: World,
    query: String,
    socket: SocketId,
    conn: ConnId,
}

impl Delivering {
    fn new(headers: &str) -> Self {
        let mut config = config();
        config.plain = vec![Plain::new("/raw", "/")];
        let mut world = World::new(config);
        let (query, socket) = session(&mut world);
        let conn = stream(&mut world, &get(&query, headers));
        world.hub.emit(world.now, socket, "first", ()).unwrap();
        assert_eq!(count(&world.told(), "closed"), usize::from(!headers.is_empty()));
        assert!(world.hub.outgoing_len(conn) > 0);
        Self { world, query, socket, conn }
    }

    fn feed(&mut self, bytes: &[u8], cuts: &Cuts) {
        for piece in cuts.of(bytes) {
            self.world.bytes(self.conn, piece);
        }
    }

    /// Something else than the answer was not even looked at.
    fn waits(&mut self, why: &str) {
        assert_eq!(self.world.told(), [], "{why}");
        assert!(!self.world.hub.wants_read(self.conn), "{why}");
        let unread: Vec<u8> = self.world.hub.outgoing(self.conn).flatten().copied().collect();
        assert!(!unread.windows(9).skip(1).any(|nine| nine == b"HTTP/1.1 "), "{why}");
    }

    /// The peer reads the answer, at first but a part of it.
    fn deliver(&mut self) -> String {
        let mut answer = self.world.read(self.conn, 30);
        self.waits("half of it is written");
        let left = self.world.hub.outgoing_len(self.conn);
        answer.extend(self.world.read(self.conn, left - 1));
        self.waits("a byte is left");
        answer.extend(self.world.read(self.conn, 1));
        String::from_utf8(answer).unwrap()
    }
}

/// Whole, single bytes, and in two pieces.
fn cuts(size: usize) -> Vec<Cuts> {
    [Cuts::Whole, Cuts::Bytes].into_iter().chain((1..size).step_by(37).map(|at| Cuts::At(vec![at]))).collect()
}

/// A proxy may give a stream whose answer it has read to another client, before the driver has said that it was written.
#[test]
fn a_handshake_waits_for_the_answer_before_it() {
    for path in ["/socket.io/?EIO=4&transport=websocket", "/raw", "upgrade"] {
        for cuts in cuts(opening(path).len()) {
            let mut with = Delivering::new("");
            let target = match path {
                "upgrade" => format!("/socket.io/?{}&transport=websocket", with.query),
                path => path.into(),
            };
            let first: &[u8] = match path {
                "upgrade" => b"2probe",
                "/raw" => b"hello",
                _ => b"40",
            };
            // With what nobody sends who is not answered, but whoever does shall be heard.
            with.feed(&[opening(&target), masked(Opcode::Text, first)].concat(), &cuts);
            with.waits("nothing is written");
            assert!(with.deliver().ends_with("42[\"first\"]"));
            let told = with.world.told();
            let answer = with.world.read(with.conn, usize::MAX);
            let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            assert!(answer.starts_with(b"HTTP/1.1 101 "), "{cuts:?} {}", answer.escape_ascii());
            let heard = packets(&answer[head..]);
            match path {
                "upgrade" => {
                    assert_eq!((told, heard), (vec![], vec!["3probe".to_owned()]));
                    with.world.bytes(with.conn, &masked(Opcode::Text, b"5"));
                    with.world.hub.emit(with.world.now, with.socket, "second", ()).unwrap();
                    assert_eq!(with.world.hears(with.conn), ["42[\"second\"]"]);
                }
                // What it says waits until it is accepted.
                "/raw" => assert!(matches!(&told[..], [Told::Connecting(..)]) && heard.is_empty(), "{told:?}"),
                _ => assert!(matches!(&told[..], [Told::Connecting(..)]) && heard[0].starts_with("0{"), "{told:?}"),
            }
            assert!(with.world.hub.is_live(with.socket));
        }
    }
}

/// The stream breaks with half of the answer on it. Whatever stands behind that, of whichever session: whose packets are lost
/// is told so, and nobody else is.
#[test]
fn what_waits_behind_an_answer_hides_no_loss() {
    for behind in ["a GET", "a GET that is due", "a POST", "an opening", "its own GET", "its own POST", "a page"] {
        for written in [0, 30] {
            for cuts in [Cuts::Whole, Cuts::Bytes] {
                let mut with = Delivering::new("");
                let (query, other) = session(&mut with.world);
                if behind == "a GET that is due" {
                    with.world.hub.emit(with.world.now, other, "other", ()).unwrap();
                }
                let bytes = match behind {
                    "a POST" => post(&query, "42[\"x\"]"),
                    "an opening" => get("EIO=4", ""),
                    "its own GET" => get(&with.query, ""),
                    "its own POST" => post(&with.query, "42[\"x\"]"),
                    "a page" => "GET /page HTTP/1.1\r\nHost: a\r\n\r\n".into(),
                    _ => get(&query, ""),
                };
                with.feed(bytes.as_bytes(), &cuts);
                with.waits(behind);
                with.world.read(with.conn, written);
                with.world.hub.abort(with.world.now, with.conn);
                let told = with.world.told();
                assert!(is_lost(&told, with.socket), "{behind} {told:?}");
                assert_eq!(told.len(), 2, "{behind} {told:?}");
                // The other session goes on, with what its client has not fetched.
                if behind != "a GET that is due" {
                    with.world.hub.emit(with.world.now, other, "other", ()).unwrap();
                }
                let again = stream(&mut with.world, &get(&query, ""));
                assert_eq!(with.world.told(), []);
                assert!(read(&mut with.world, again).ends_with("42[\"other\"]"), "{behind}");
                assert_eq!(with.world.hub.counts().sessions, 1, "{behind}");
            }
        }
    }
}

/// The same where the peer just does not read: its stream is given up, by the clock of what is to be written.
#[test]
fn who_reads_nothing_is_given_up_with_what_waits() {
    let mut with = Delivering::new("");
    let (query, other) = session(&mut with.world);
    with.feed(get(&query, "").as_bytes(), &Cuts::Whole);
    with.world.pass(millis(29_999));
    with.world.told();
    assert_eq!(with.world.hub.stream(with.conn), Stream::Open);
    // Both sessions are pinged by now.
    with.world.pass(millis(1));
    let told = with.world.told();
    assert!(is_lost(&told, with.socket), "{told:?}");
    assert!(told.contains(&Told::Closed(with.conn, Some(Error::Http(http::Error::WriteTimeout)))), "{told:?}");
    assert_eq!(with.world.hub.stream(with.conn), Stream::Closed);
    assert!(with.world.hub.is_live(other));
}

/// Who reads slowly has its time, however long a stream may be idle, and what waits has all of its own from then on.
#[test]
fn what_waits_has_its_time_from_then_on() {
    let mut world = World::new(config());
    let (query, socket) = session(&mut world);
    let conn = stream(&mut world, &get(&query, ""));
    let args = ("x".repeat(150_000),);
    world.hub.emit(world.now, socket, "large", &args).unwrap();
    world.told();
    let request = get(&query, "");
    world.bytes(conn, &request.as_bytes()[..20]);
    for _ in 0..8 {
        world.pass(millis(10_000));
        world.read(conn, 17_000);
        // Its heartbeat.
        let posts = stream(&mut world, &post(&query, "3"));
        // Other streams are idle for too long meanwhile.
        let told = world.told();
        assert!(told.iter().all(|told| matches!(told, Told::Closed(ended, None) if *ended != conn)), "{told:?}");
        assert!(read(&mut world, posts).ends_with("\r\n\r\nok"));
        assert!(!world.hub.wants_read(conn));
    }
    world.read(conn, usize::MAX);
    assert_eq!(world.told(), []);
    assert!(world.hub.wants_read(conn));
    // The head has begun as it is read.
    world.pass(millis(9999));
    world.bytes(conn, &request.as_bytes()[20..]);
    world.hub.emit(world.now, socket, "small", ()).unwrap();
    assert_eq!(world.told(), []);
    let answer = read(&mut world, conn);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("42[\"small\"]"), "{answer}");
}

/// The head of which a part waits times out like any other, from when it is read.
#[test]
fn a_head_that_waits_for_ever_times_out() {
    let mut with = Delivering::new("");
    with.feed(b"GET /pa", &Cuts::Whole);
    with.world.pass(millis(20_000));
    with.deliver();
    with.world.told();
    with.world.pass(millis(9999));
    assert_eq!(count(&with.world.told(), "closed with an error"), 0);
    with.world.pass(millis(1));
    assert_eq!(count(&with.world.told(), "closed with an error"), 1);
}

/// The peer ends its stream behind what waits: that is answered as far as there is something to say. Who ends a stream does not
/// wait on it, be it noticed before its GET is told or after.
#[test]
fn the_end_behind_what_waits() {
    for cuts in [Cuts::Whole, Cuts::Bytes] {
        // A GET for which there is nothing, or something, or one of a session to be opened.
        for (second, due) in [("", false), ("", true), ("EIO=4", false)] {
            let mut with = Delivering::new("");
            let query = if second.is_empty() { with.query.clone() } else { second.to_owned() };
            with.feed(get(&query, "").as_bytes(), &cuts);
            with.world.hub.receive_eof(with.world.now, with.conn);
            if due {
                with.world.hub.emit(with.world.now, with.socket, "second", ()).unwrap();
            }
            assert_eq!(with.world.told(), []);
            assert_eq!(with.world.hub.stream(with.conn), Stream::Open, "there is something to answer");
            assert!(with.deliver().ends_with("42[\"first\"]"));
            let told = with.world.told();
            assert!(told.contains(&Told::Closed(with.conn, None)), "{told:?}");
            let answer = read(&mut with.world, with.conn);
            let (is_open, ends) = (!second.is_empty(), second.is_empty() && !due);
            assert_eq!(is_lost(&told, with.socket), ends, "{told:?}");
            assert_eq!(answer.contains("42[\"second\"]"), due, "{answer}");
            assert_eq!(answer.contains("0{\"sid\""), is_open, "{answer}");
            assert_eq!(with.world.hub.stream(with.conn), Stream::Closed);
            assert_eq!(with.world.hub.counts().sessions, usize::from(!ends) + usize::from(is_open));
        }
    }
}

/// The same behind a page that the application has not answered yet.
#[test]
fn the_end_behind_a_get_behind_a_page() {
    let mut world = World::new(config());
    let (query, socket) = session(&mut world);
    let page = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    let conn = stream(&mut world, &[page, &get(&query, "")].concat());
    world.hub.receive_eof(world.now, conn);
    assert_eq!(world.told(), [Told::Request(conn, "/page".into())]);
    world.hub.respond(world.now, conn, Response::new(200).text("page"));
    let told = world.told();
    assert!(is_lost(&told, socket), "{told:?}");
}

/// A stream that was to end with its answer, that the application closes, or that a shutdown ends: what waits is nobody's.
#[test]
fn what_waits_where_the_stream_ends_is_dropped() {
    for end in ["close", "the application", "shutdown"] {
        let mut with = Delivering::new(if end == "close" { "Connection: close\r\n" } else { "" });
        with.world.told();
        with.feed(post(&with.query.clone(), "42[\"x\"]").as_bytes(), &Cuts::Whole);
        match end {
            "close" => {}
            "shutdown" => with.world.hub.shutdown(with.world.now),
            _ => with.world.hub.close_connection(with.world.now, with.conn, CloseCode::NORMAL, ""),
        }
        let told = with.world.told();
        assert_eq!(count(&told, "emit"), 0, "{end} {told:?}");
        assert_eq!(with.world.hub.stream(with.conn), Stream::HalfClosed, "{end}");
        // The answer is still the client's.
        let answer = read(&mut with.world, with.conn);
        assert!(answer.ends_with("42[\"first\"]") && answer.matches("HTTP/1.1 ").count() == 1, "{end} {answer}");
        assert_eq!(count(&with.world.told(), "emit"), 0, "{end}");
        with.world.hub.receive_eof(with.world.now, with.conn);
        with.world.told();
        assert_eq!(with.world.hub.stream(with.conn), Stream::Closed, "{end}");
    }
}

/// A driver serves until nobody is named any more: by then everything is answered for which there is nothing to tell.
#[test]
fn what_waits_is_served_while_others_are() {
    let mut with = Delivering::new("");
    let upgrade = opening(&format!("/socket.io/?{}&transport=websocket", with.query));
    let requests = [get(&with.query, "").repeat(3).as_bytes(), &upgrade, &masked(Opcode::Text, b"2probe")].concat();
    with.feed(&requests, &Cuts::Whole);
    with.waits("nothing is written");
    let mut written = Vec::new();
    while let Some(conn) = with.world.hub.poll_transmit() {
        let bytes = with.world.read(conn, usize::MAX);
        if conn == with.conn {
            written.extend(bytes);
        }
    }
    let written = String::from_utf8_lossy(&written);
    assert_eq!(written.matches("HTTP/1.1 200 ").count(), 4, "{written}");
    assert!(written.ends_with("3probe"), "{written}");
}

/// What a driver does that keeps to `wants_read`, and writes so much at once: the answers, and what was told.
fn drive(cuts: &Cuts, at_once: usize) -> (Vec<u8>, Vec<String>) {
    let with = Delivering::new("");
    let bytes = [
        post(&with.query, "42[\"a\"]\u{1e}42[\"b\"]").as_bytes(),
        get(&with.query, "").as_bytes(),
        b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n",
        get(&with.query, "").as_bytes(),
        post(&with.query, "42[\"c\"]").as_bytes(),
        &opening(&format!("/socket.io/?{}&transport=websocket", with.query)),
        &masked(Opcode::Text, b"2probe"),
        &masked(Opcode::Text, b"5"),
        &masked(Opcode::Text, b"42[\"d\"]"),
    ]
    .concat();
    let mut pieces = cuts.of(&bytes).into_iter();
    let (mut written, mut told) = (Vec::new(), Vec::new());
    let Delivering { world: World { mut hub, now, .. }, socket, conn, .. } = with;
    let mut react = |hub: &mut Hub, event: Event<'_>| {
        told.push(format!("{:?}", Told::from(&event)));
        match event {
            Event::Request { conn, .. } => hub.respond(now, conn, Response::new(200).text("page")),
            Event::Emit { name, .. } => drop(hub.emit(now, socket, &format!("heard {name}"), ()).unwrap()),
            _ => {}
        }
    };
    let mut write = |hub: &mut Hub| {
        let bytes: Vec<u8> = hub.outgoing(conn).flatten().copied().take(at_once).collect();
        hub.sent(now, conn, bytes.len());
        written.extend(bytes);
    };
    loop {
        loop {
            while let Some(event) = hub.poll_event() {
                react(&mut hub, event);
            }
            match hub.poll_transmit() {
                Some(named) if named == conn => write(&mut hub),
                Some(_) => {}
                None => break,
            }
        }
        if hub.outgoing_len(conn) > 0 {
            write(&mut hub);
        } else if let Some(piece) = pieces.next() {
            assert!(hub.wants_read(conn), "the rest is never read");
            let mut piece = piece.to_vec();
            let mut input = &mut piece[..];
            while let Some(event) = hub.receive(now, conn, &mut input) {
                react(&mut hub, event);
            }
        } else {
            return (written, told);
        }
    }
}

/// However it is cut and however slowly written: the same is told, in the same order, and answered with the same bytes.
#[test]
fn neither_cuts_nor_a_slow_reader_show() {
    let (written, told) = drive(&Cuts::Whole, usize::MAX);
    assert_eq!(told.len(), 5, "{told:?}");
    let text = String::from_utf8_lossy(&written);
    assert_eq!(text.matches("HTTP/1.1 ").count(), 7, "{text}");
    for at_once in [usize::MAX, 1, 200] {
        for cuts in [Cuts::Whole, Cuts::Bytes].into_iter().chain((1..1200).step_by(13).map(|at| Cuts::At(vec![at]))) {
            let now = drive(&cuts, at_once);
            assert_eq!(now.1, told, "{cuts:?} {at_once}");
            assert_eq!(String::from_utf8_lossy(&now.0), text, "{cuts:?} {at_once}");
        }
    }
}

/// What waits is bounded, and is read on when there is room again.
#[test]
fn what_waits_is_one_read() {
    let mut with = Delivering::new("");
    let size = http::Config::default().pipelined_bytes_max;
    let request = get(&with.query, "");
    with.feed(&request.repeat(size / request.len()).into_bytes(), &Cuts::Whole);
    with.waits("it is kept");
    with.feed(request.as_bytes(), &Cuts::Whole);
    let told = with.world.told();
    assert_eq!(told, [Told::Closed(with.conn, Some(Error::Http(http::Error::Pipelined)))]);
    let answer = read(&mut with.world, with.conn);
    assert!(answer.contains("42[\"first\"]HTTP/1.1 "), "{answer}");
    assert!(with.world.hub.is_live(with.socket));
}

/// A ping in an answer, or behind one, has not been asked before that is written: until then it is for the write time-out to say
/// how long a client may take to read.
#[test]
fn a_ping_in_an_answer_that_is_not_written_has_not_been_asked() {
    // It becomes due before the answer is made, or while that is on its way.
    for (due_first, at) in [(true, 26_000), (false, 20_000)] {
        let mut world = World::new(config());
        let (query, socket) = session(&mut world);
        world.pass(millis(at));
        world.hub.emit(world.now, socket, "large", ("x".repeat(40_000),)).unwrap();
        let conn = stream(&mut world, &get(&query, ""));
        world.told();
        let mut answer = Vec::new();
        for _ in 0..2 {
            world.pass(millis(25_000));
            answer.extend(world.read(conn, 17_000));
            world.told();
            assert!(world.hub.is_live(socket), "{due_first}: taken for dead before it could know of the ping");
        }
        answer.extend(world.read(conn, usize::MAX));
        let ask = |world: &mut World| {
            world.bytes(conn, get(&query, "").as_bytes());
            world.told();
            read(world, conn)
        };
        if due_first {
            assert!(answer.ends_with(b"]") && answer.windows(4).any(|four| four == b"2\x1e42"));
        } else {
            assert!(ask(&mut world).ends_with("\r\n\r\n2"));
        }
        // Who goes on asking, and reads, is waited for no longer.
        for second in 0..20 {
            assert!(world.hub.is_live(socket), "{due_first} {second}");
            world.hub.emit(world.now, socket, "small", ()).unwrap();
            assert!(ask(&mut world).ends_with("42[\"small\"]"));
            world.pass(millis(1000));
        }
        world.told();
        assert!(!world.hub.is_live(socket), "{due_first}: its silence counts");
    }
}

/// Nor has one that waits for a GET, which comes late; who never asks is waited for no longer than who never answers.
#[test]
fn a_ping_that_waits_for_a_get_has_not_been_asked() {
    for elsewhere in [false, true] {
        let mut world = World::new(config());
        let (query, socket) = session(&mut world);
        world.pass(millis(44_000));
        if elsewhere {
            let uri = format!("/socket.io/?{query}&transport=polling");
            let request = Request::from_parts("GET", &uri, 1, [("host", &b"a"[..])]).unwrap();
            let _parked = world.hub.handle_request(world.now, Peer::default(), request);
            let (_, response) = world.hub.poll_response().unwrap();
            assert_eq!(*response.body_bytes(), b"2"[..]);
        } else {
            let conn = stream(&mut world, &get(&query, ""));
            world.told();
            assert!(read(&mut world, conn).ends_with("\r\n\r\n2"));
        }
        world.pass(millis(19_999));
        assert!(world.hub.is_live(socket), "{elsewhere}");
        world.pass(millis(1));
        world.told();
        assert!(!world.hub.is_live(socket), "{elsewhere}: now its silence counts");
    }
    let mut world = World::new(config());
    let (_, socket) = session(&mut world);
    world.pass(millis(44_999));
    assert!(world.hub.is_live(socket));
    world.pass(millis(1));
    assert!(!world.hub.is_live(socket));
}

/// The same for one that an upgrade takes over to a WebSocket, behind what waits there.
#[test]
fn a_ping_that_changes_its_transport_has_not_been_asked() {
    let mut world = World::new(config());
    let (query, socket) = session(&mut world);
    world.pass(millis(20_000));
    let target = format!("/socket.io/?{query}&transport=websocket");
    let conn = world.open(&target);
    assert_eq!(world.says(conn, "2probe"), []);
    assert_eq!(world.hears(conn), ["3probe"]);
    world.hub.emit(world.now, socket, "large", ("x".repeat(40_000),)).unwrap();
    world.pass(millis(9_000));
    assert_eq!(world.says(conn, "5"), []);
    for _ in 0..2 {
        world.pass(millis(25_000));
        assert!(world.hub.is_live(socket), "taken for dead before it could know of the ping");
        world.read(conn, 17_000);
    }
    assert!(world.read(conn, usize::MAX).ends_with(b"\x81\x012"));
    world.pass(millis(19_999));
    assert!(world.hub.is_live(socket));
    world.pass(millis(1));
    assert!(!world.hub.is_live(socket), "now its silence counts");
}
