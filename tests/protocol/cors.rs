//! Pages from elsewhere: what tells their browser that they may read an answer (the CORS protocol of the Fetch standard,
//! section 3.3).

use roomwire::http;
use roomwire::hub::{Config, Cors, Error, Origins};

use crate::app::App;
use crate::client::opening;
use crate::poller::{Answer, Poller};
use crate::world::{Told, World, ms};

const PAGE: &str = "https://page.example";
const EVIL: &str = "https://evil.example";

fn world(origins: Origins) -> World {
    World::new(Config::new(origins), App::Accepting)
}

fn listed() -> Origins {
    Origins::Listed(vec![PAGE.into(), "http://localhost:8080".into()])
}

/// The answer to one request on a stream of its own.
fn answer(world: &mut World, method: &str, target: &str, lines: &str, body: &str) -> Answer {
    let conn = world.stream();
    let head = format!("{method} {target} HTTP/1.1\r\nHost: page.example\r\n{lines}");
    world.feed(conn, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    let mut answers = Answer::all(&world.take(conn));
    assert_eq!(answers.len(), 1, "{method} {target}");
    answers.remove(0)
}

/// What an answer says of CORS: the origin, credentials, `vary`.
fn said(answer: &Answer) -> [Option<&str>; 3] {
    ["access-control-allow-origin", "access-control-allow-credentials", "vary"].map(|name| answer.header(name))
}

/// The answer depends on the page, whoever asks.
const NOT_ADMITTED: [Option<&str>; 3] = [None, None, Some("Origin")];

fn admitted(origin: &str) -> [Option<&str>; 3] {
    [Some(origin), Some("true"), Some("Origin")]
}

fn origin(value: &str) -> String {
    format!("Origin: {value}\r\n")
}

/// Every answer to a page that may says so: the opening, polls, POSTs, and errors.
#[test]
fn every_answer_to_a_page_that_may() {
    for (policy, page) in [
        (listed(), PAGE),
        (listed(), "http://localhost:8080"),
        (Origins::SameHost, PAGE),
        (Origins::SameHost, "http://page.example"),
        (Origins::Any, EVIL),
        (Origins::Any, "null"),
    ] {
        let mut world = world(policy);
        let lines = origin(page);
        let open = answer(&mut world, "GET", "/socket.io/?EIO=4&transport=polling", &lines, "");
        assert_eq!((open.status, said(&open)), (200, admitted(page)));
        let text = open.text();
        let sid = &text[text.find("\"sid\":\"").unwrap() + 7..][..20];
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let further = [
            answer(&mut world, "POST", &target, &lines, "40"),
            answer(&mut world, "GET", &target, &lines, ""),
            answer(&mut world, "PUT", &target, &lines, "40"),
            answer(&mut world, "POST", &target, &format!("{lines}Content-Type: application/octet-stream\r\n"), "x"),
            answer(&mut world, "GET", &target, &lines, ""),
            answer(&mut world, "GET", "/socket.io/?EIO=4&transport=tobi", &lines, ""),
            answer(&mut world, "POST", "/socket.io/?EIO=4&transport=polling", &lines, ""),
            answer(&mut world, "GET", "/socket.io/?EIO=7&transport=polling", &lines, ""),
        ];
        assert_eq!(further.each_ref().map(|answer| answer.status), [200, 200, 400, 400, 400, 400, 400, 400]);
        for answer in &further {
            assert_eq!(said(answer), admitted(page), "{}", answer.head);
        }
    }
}

/// A body over the limit, a poll that another one ended, and a farewell are answers too.
#[test]
fn answers_that_come_otherwise() {
    let mut config = Config::new(listed());
    config.engine.max_payload = 128;
    let mut world = World::new(config, App::Accepting);
    let (poller, _) = Poller::open(&mut world, 4);
    let target = poller.target("polling");
    let lines = origin(PAGE);
    let answer_413 = answer(&mut world, "POST", &target, &lines, &"4".repeat(129));
    assert_eq!((answer_413.status, said(&answer_413)), (413, admitted(PAGE)));
    let parked = world.stream();
    world.feed(parked, format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes());
    let second = answer(&mut world, "GET", &target, &lines, "");
    assert_eq!((second.status, said(&second)), (400, admitted(PAGE)));
    let first = Answer::all(&world.take(parked)).remove(0);
    assert_eq!((first.text(), said(&first)), ("1", admitted(PAGE)));
}

/// A body that HTTP itself does not take is refused before it is there, and a page may read that too.
#[test]
fn a_body_that_is_not_even_read() {
    for (length, body) in [("Content-Length: 1000001", "4"), ("Transfer-Encoding: chunked", "3\r\n444\r\nf4240;\r\n")] {
        for (target, expected) in [("/socket.io/?EIO=4&transport=polling", admitted(PAGE)), ("/other", [None; 3])] {
            let mut world = world(listed());
            let conn = world.stream();
            let head = format!("POST {target} HTTP/1.1\r\nHost: page.example\r\n{}{length}\r\n\r\n", origin(PAGE));
            // What comes behind it is neither another request nor a reason for another answer.
            let behind = "x".repeat(100_000);
            world.feed(conn, format!("{head}{body}{behind}").as_bytes());
            let answers = Answer::all(&world.take(conn));
            assert_eq!(answers.len(), 1, "{target}");
            assert_eq!((answers[0].status, said(&answers[0])), (413, expected));
            assert_eq!(answers[0].header("connection"), Some("close"));
            let error = Some(Error::Http(http::Error::BodyTooLarge));
            assert!(world.news().contains(&Told::Closed { conn, error }), "{target}");
        }
    }
}

/// Who does not come from a page gets none of it.
#[test]
fn without_a_page() {
    for policy in [listed(), Origins::SameHost, Origins::Any] {
        let mut world = world(policy);
        for (target, status) in
            [("/socket.io/?EIO=4&transport=polling", 200), ("/socket.io/?EIO=4&transport=tobi", 400)]
        {
            let answer = answer(&mut world, "GET", target, "", "");
            assert_eq!((answer.status, said(&answer)), (status, NOT_ADMITTED));
        }
    }
}

/// Without credentials the answer to all is the same for everybody, also for who asks from no page; a list stays a list.
#[test]
fn without_credentials() {
    let credentials = |origins| {
        let cors = Cors { credentials: false, max_age: Some(ms(3_600_900)) };
        World::new(Config { cors, ..Config::new(origins) }, App::Accepting)
    };
    let preflight = format!("{}Access-Control-Request-Method: POST\r\n", origin(PAGE));
    let target = "/socket.io/?EIO=4&transport=polling";
    let public = [Some("*"), None, None];
    let listed_page = [Some(PAGE), None, Some("Origin")];
    for (policy, expected) in [(Origins::Any, public), (listed(), listed_page), (Origins::SameHost, listed_page)] {
        let mut world = credentials(policy);
        let open = answer(&mut world, "GET", target, &origin(PAGE), "");
        assert_eq!((open.status, said(&open)), (200, expected));
        let error = answer(&mut world, "GET", "/socket.io/?EIO=4&transport=tobi", &origin(PAGE), "");
        assert_eq!((error.status, said(&error)), (400, expected));
        let asked = answer(&mut world, "OPTIONS", target, &preflight, "");
        assert_eq!((asked.status, said(&asked)), (204, expected));
        assert_eq!(asked.header("access-control-max-age"), Some("3600"));
    }
    let nowhere = answer(&mut credentials(Origins::Any), "GET", target, "", "");
    assert_eq!((nowhere.status, said(&nowhere)), (200, public));
    let asked = answer(&mut world(Origins::Any), "OPTIONS", target, &preflight, "");
    assert_eq!(asked.header("access-control-max-age"), None);
}

/// Who may not is told nothing but that, whatever it asks, and begins nothing.
#[test]
fn a_page_that_may_not() {
    for policy in [listed(), Origins::SameHost] {
        for page in [EVIL, "null", "", "https://page.example:444", "https://page.example.evil"] {
            let mut world = world(policy.clone());
            let (mut poller, _) = Poller::open(&mut world, 4);
            poller.say(&mut world, &["40"]);
            poller.poll(&mut world);
            poller.park(&mut world);
            world.news();
            let target = poller.target("polling");
            for (method, target) in
                [("GET", "/socket.io/?EIO=4&transport=polling"), ("GET", &target[..]), ("POST", &target[..])]
            {
                let answer = answer(&mut world, method, target, &origin(page), "1");
                assert_eq!((answer.status, said(&answer)), (403, NOT_ADMITTED), "{method} {page}");
                assert_eq!(answer.text(), r#"{"code":4,"message":"Forbidden"}"#);
                assert!(matches!(&world.news()[..], [Told::Refused { .. }]));
            }
            // Before that comes what is wrong with the request itself; that is no secret, and not for the page either.
            let unknown = answer(&mut world, "GET", "/socket.io/?EIO=4&transport=tobi", &origin(page), "");
            assert_eq!((unknown.status, said(&unknown)), (400, NOT_ADMITTED));
            assert_eq!(poller.heard(&mut world), None, "the session is unharmed");
            assert_eq!(world.hub.counts().sessions, 1);
        }
    }
}

/// Same host means host and port as the request names them.
#[test]
fn the_same_host_and_port() {
    for (host, page, may) in [
        ("a.example", "https://a.example", true),
        ("a.example:8080", "http://a.example:8080", true),
        ("a.example:8080", "http://a.example", false),
        ("a.example", "http://a.example:8080", false),
        ("[::1]:3000", "http://[::1]:3000", true),
    ] {
        let mut world = world(Origins::SameHost);
        let conn = world.stream();
        let head =
            format!("GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: {host}\r\nOrigin: {page}\r\n\r\n");
        world.feed(conn, head.as_bytes());
        let answer = Answer::all(&world.take(conn)).remove(0);
        let expected = if may { (200, admitted(page)) } else { (403, NOT_ADMITTED) };
        assert_eq!((answer.status, said(&answer)), expected, "{host} {page}");
    }
}

/// A browser asks first where a request is not a plain one.
#[test]
fn preflights() {
    let target = "/socket.io/?EIO=4&transport=polling&sid=0123456789abcdefghij";
    let asked = |page: &str, headers: &str| format!("{}Access-Control-Request-Method: POST\r\n{headers}", origin(page));
    for (policy, page) in [(listed(), PAGE), (Origins::SameHost, PAGE), (Origins::Any, EVIL)] {
        let mut world = world(policy);
        let plain = answer(&mut world, "OPTIONS", target, &asked(page, ""), "");
        assert_eq!((plain.status, said(&plain), plain.text()), (204, admitted(page), ""));
        assert_eq!(plain.header("access-control-allow-methods"), Some("GET, POST"));
        assert_eq!(plain.header("access-control-allow-headers"), None);
        let names = "content-type, x-token";
        let lines = asked(page, &format!("Access-Control-Request-Headers: {names}\r\n"));
        let answer = answer(&mut world, "OPTIONS", target, &lines, "");
        assert_eq!((answer.status, answer.header("access-control-allow-headers")), (204, Some(names)));
        assert_eq!(world.news(), [], "the application hears nothing of it");
        assert_eq!(world.hub.counts().sessions, 0);
    }
    for policy in [listed(), Origins::SameHost] {
        let mut world = world(policy);
        let answer = answer(&mut world, "OPTIONS", target, &asked(EVIL, ""), "");
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        assert_eq!(said(&answer), NOT_ADMITTED);
        assert_eq!(answer.header("access-control-allow-methods"), None);
    }
    // An OPTIONS that is none is a bad method; elsewhere it is the application's.
    let mut world = world(listed());
    let refused = answer(&mut world, "OPTIONS", "/socket.io/?EIO=4&transport=polling", &origin(PAGE), "");
    assert_eq!((refused.status, said(&refused)), (400, admitted(PAGE)));
    world.news();
    let conn = world.stream();
    let head = format!("OPTIONS /elsewhere HTTP/1.1\r\nHost: a\r\n{}\r\n", asked(PAGE, ""));
    world.feed(conn, head.as_bytes());
    assert!(matches!(&world.news()[..], [Told::Request { .. }]));
}

/// A preflight repeats what the browser asks for as one header, and nothing that could become two (a19).
#[test]
fn a19_nothing_is_smuggled_into_the_answer() {
    for lines in [
        "Access-Control-Request-Headers: a\tb\r\n",
        "Access-Control-Request-Headers: \u{e9}\r\n",
        "Access-Control-Request-Headers: a\r\nAccess-Control-Request-Headers: b\r\n",
        "Access-Control-Request-Headers:\r\n",
    ] {
        let mut world = world(Origins::Any);
        let conn = world.stream();
        let head = "OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: POST\r\n";
        world.feed(conn, format!("{head}Origin: {EVIL}\r\n{lines}\r\n").as_bytes());
        let bytes = world.take(conn);
        assert_eq!(bytes.windows(4).filter(|four| four == b"\r\n\r\n").count(), 1);
        assert_eq!(Answer::all(&bytes).len(), 1);
    }
    // Nor by the origin itself: two of them, and one that is not text.
    for lines in ["Origin: https://a.example\r\nOrigin: https://b.example\r\n", "Origin: \u{e9}\r\n"] {
        let mut world = world(Origins::Any);
        let answer = answer(&mut world, "GET", "/socket.io/?EIO=4&transport=polling", lines, "");
        assert_eq!(answer.status, 200);
        let admitted = answer.header("access-control-allow-origin");
        assert!(admitted.is_none_or(|origin| lines.starts_with(&format!("Origin: {origin}\r\n"))), "{admitted:?}");
    }
}

/// WebSocket has no use for CORS: its handshake is refused or not.
#[test]
fn websocket_handshakes() {
    let mut world = world(listed());
    for (page, head) in [(PAGE, "HTTP/1.1 101 "), (EVIL, "HTTP/1.1 403 ")] {
        let conn = world.stream();
        world.feed(conn, &opening("/socket.io/?EIO=4&transport=websocket", &origin(page)));
        assert!(world.take(conn).starts_with(head.as_bytes()), "{page}");
    }
    // That of an upgrade too.
    let (poller, _) = Poller::open(&mut world, 4);
    let conn = world.stream();
    world.feed(conn, &opening(&poller.target("websocket"), &origin(EVIL)));
    assert!(world.take(conn).ends_with(b"Forbidden"));
}
