//! a23: which pages may connect.

use roomwire::hub::{Config, Origins};

use crate::app::App;
use crate::client::MAIN;
use crate::world::{Told, World};

/// Whether a WebSocket, and a poll, would be let in. They are treated alike.
fn allowed(origins: &Origins, host: &str, lines: &str) -> bool {
    let outcome = |target: &str, upgrade: &str| {
        let mut world = World::new(Config::new(origins.clone()), App::Accepting);
        let conn = world.stream();
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{upgrade}{lines}\r\n");
        world.feed(conn, head.as_bytes());
        let forbidden =
            world.news().iter().any(|told| matches!(told, Told::Refused { error, .. } if error.code() == 4));
        let sessions = world.hub.counts().sessions;
        assert!(!forbidden || sessions == 0);
        let answer = world.take(conn);
        assert_eq!(answer.starts_with(b"HTTP/1.1 403 Forbidden\r\n"), forbidden, "{}", answer.escape_ascii());
        (!forbidden, sessions == 1)
    };
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (websocket, opened) = outcome(MAIN, upgrade);
    let (polling, _) = outcome("/socket.io/?EIO=4&transport=polling", "");
    assert_eq!((websocket, websocket), (polling, opened), "{lines}");
    websocket
}

fn origin(value: &str) -> String {
    format!("Origin: {value}\r\n")
}

/// What no policy but `Any` lets in, where the page is `https://good.example`.
const EVIL: [&str; 22] = [
    "https://evil.example",
    "null",
    "",
    "*",
    "https://",
    "good.example",
    "//good.example",
    "https:good.example",
    "https://good.example.evil",
    "https://evilgood.example",
    "https://good.example.",
    "https://good.example:444",
    "https://good.example:",
    "https://good.example/",
    "https://good.example`.evil",
    "https://good.example$.evil",
    "https://good.example@evil",
    "https://evil@good.example",
    "https://good.example evil",
    "https://good.example, https://evil.example",
    "https://good.example\x00.evil",
    "https://evil/?https://good.example",
];

#[test]
fn a23_origins() {
    let listed = Origins::Listed(vec!["https://good.example".into(), "http://other.example:8080".into()]);
    for value in EVIL {
        // A NUL is no HTTP at all.
        if value.contains('\0') {
            continue;
        }
        assert!(allowed(&Origins::Any, "good.example", &origin(value)), "{value}");
        assert!(!allowed(&Origins::SameHost, "good.example", &origin(value)), "{value}");
        assert!(!allowed(&listed, "good.example", &origin(value)), "{value}");
    }
    // From no page at all.
    for policy in [&Origins::Any, &Origins::SameHost, &listed] {
        assert!(allowed(policy, "good.example", ""));
    }
}

#[test]
fn a23_the_same_host() {
    for (host, value, expected) in [
        ("good.example", "https://good.example", true),
        ("good.example", "http://good.example", true),
        ("good.example:8080", "http://good.example:8080", true),
        ("[::1]:8080", "http://[::1]:8080", true),
        // Browsers write origins in lower case and without the default port; the host may have come by somebody else.
        ("GOOD.example", "https://good.example", true),
        ("good.example:443", "https://good.example", true),
        ("Good.Example:80", "http://good.example", true),
        ("good.example", "https://GOOD.example", false),
        ("good.example", "https://good.example:443", false),
        ("good.example:80", "https://good.example", false),
        ("good.example:443", "http://good.example", false),
        ("good.example:443:443", "https://good.example", false),
        ("good.example", "http://good.example:80", false),
        ("good.example:8080", "http://good.example", false),
        ("good.example:8080", "http://good.example:8081", false),
        ("good.example.", "http://good.example", false),
        ("null", "null", false),
    ] {
        assert_eq!(allowed(&Origins::SameHost, host, &origin(value)), expected, "{host} {value}");
    }
}

#[test]
fn a23_a_list() {
    let listed = Origins::Listed(vec!["https://good.example".into(), "http://other.example:8080".into()]);
    for (value, expected) in [
        ("https://good.example", true),
        ("http://other.example:8080", true),
        ("http://good.example", false),
        ("https://good.example:443", false),
        ("HTTPS://good.example", false),
        ("https://Good.example", false),
        ("http://other.example", false),
        ("https://other.example:8080", false),
    ] {
        // Whatever the server is called.
        assert_eq!(allowed(&listed, "anything", &origin(value)), expected, "{value}");
    }
    assert!(!allowed(&Origins::Listed(vec![]), "good.example", &origin("https://good.example")));
}

/// A function of the application's own: here all below one host, by TLS.
#[test]
fn a23_a_function() {
    let below = |origin: &str| {
        let host =
            origin.strip_prefix("https://").filter(|host| host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'));
        host.is_some_and(|host| host == "good.example" || host.ends_with(".good.example"))
    };
    let matching = Origins::Matching(below);
    for value in EVIL.iter().filter(|value| !value.contains('\0')) {
        assert!(!allowed(&matching, "anything", &origin(value)), "{value}");
    }
    for (value, expected) in [
        ("https://good.example", true),
        ("https://a.b.good.example", true),
        ("http://a.good.example", false),
        ("https://agood.example", false),
    ] {
        assert_eq!(allowed(&matching, "anything", &origin(value)), expected, "{value}");
    }
    assert!(allowed(&matching, "anything", ""));
    assert!(!allowed(&matching, "anything", &origin("https://good.example").repeat(2)));
}

/// What is there twice, or is no text, is nobody's origin.
#[test]
fn a23_repeated_headers() {
    let listed = Origins::Listed(vec!["https://good.example".into()]);
    let twice = origin("https://good.example").repeat(2);
    let mixed = format!("{}{}", origin("https://good.example"), "oRIGIN: https://evil.example\r\n");
    for policy in [&Origins::SameHost, &listed] {
        assert!(allowed(policy, "good.example", &origin("https://good.example")));
        assert!(!allowed(policy, "good.example", &twice));
        assert!(!allowed(policy, "good.example", &mixed));
        assert!(!allowed(policy, "good.example", &origin("https://gööd.example")));
    }
    assert!(allowed(&Origins::Any, "good.example", &mixed));
}

/// A request for one of the application's own pages is not the policy's affair.
#[test]
fn a23_other_paths_are_open() {
    let mut world = World::new(Config::new(Origins::SameHost), App::Manual);
    let conn = world.stream();
    world.feed(conn, b"GET /page HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n");
    assert!(matches!(&world.news()[..], [Told::Request { .. }]));
}
