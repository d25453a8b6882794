//! What the official servers were recorded to say, said again by this one.
//!
//! A line of `vectors/*.txt` is a packet:
//! ```text
//! = name       a scenario, with a server of its own
//! ~ setting    how that server is set up
//! U target     the client asks for a WebSocket, and offers compression
//! G METHOD target
//! R 101, R status [content-type body]
//! C text       the client's message;  B hex  its binary message;  C. its empty close frame
//! S text       the server's message;  S. [code reason]  its close frame
//! T millis     so much time passes, in which nothing else is said
//! ```
//! `<sid>` stands for any id, `\u{2028}` for that character.

use std::collections::BTreeSet;
use std::time::Duration;

use roomwire::hub::{ConnId, Namespaces, Origins};
use roomwire::ws::Opcode;

use crate::app::App;
use crate::client::{Client, Frame, frame, opening};
use crate::world::{World, open_config};

/// What this server says otherwise, on purpose.
struct Difference {
    scenario: &'static str,
    official: &'static str,
    /// Empty if it says nothing.
    ours: &'static str,
    #[allow(dead_code)]
    why: &'static str,
}

const fn differs(scenario: &'static str, official: &'static str, ours: &'static str, why: &'static str) -> Difference {
    Difference { scenario, official, ours, why }
}

const CODE: &str = "a close frame says what was wrong, where the official server's is empty";
const MAX: &str = "a server 2.x does not tell its limit; one that serves revision 3 beside 4 does";
const SMALL: &str = "the smallest limit of a hub is 128";
const FORBIDDEN: &str = "there is no message of the application's, and the status is one for all kinds of request";
const LATE: &str = "the official server accepts the upgrade before it refuses the request";

/// All of them, each with its reason. One that never applies fails the test.
const DIFFERENCES: &[Difference] = &[
    differs("too large", "S. 1009", "S. 1009 message too big", CODE),
    differs("the client pings", "S.", "S. 1008 Engine.IO: heartbeat in the wrong direction", CODE),
    differs("unknown Engine.IO packet", "S.", "S. 1008 Engine.IO: not an Engine.IO packet", CODE),
    differs("unknown Socket.IO packet", "S.", "S. 1008 Socket.IO: unknown packet type", CODE),
    differs("bad JSON", "S.", "S. 1008 Socket.IO: invalid payload", CODE),
    differs("no array", "S.", "S. 1008 Socket.IO: invalid payload", CODE),
    differs("reserved name", "S.", "S. 1008 Socket.IO: reserved event name", CODE),
    differs("event before CONNECT", "S.", "S. 1008 Socket.IO: namespace is not connected", CODE),
    differs("second CONNECT", "S.", "S. 1008 Socket.IO: namespace is connected already", CODE),
    differs("binary that was not announced", "S.", "S. 1003 Socket.IO: unannounced binary data", CODE),
    differs("CONNECT_ERROR", "S.", "S. 1008 Socket.IO: packet type is the server's", CODE),
    differs("event after DISCONNECT", "S.", "S. 1008 Socket.IO: namespace is not connected", CODE),
    differs(
        "",
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#,
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
        MAX,
    ),
    differs(
        "",
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":400,"pingTimeout":300}"#,
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":400,"pingTimeout":300,"maxPayload":1000000}"#,
        MAX,
    ),
    differs(
        "",
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#,
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":128}"#,
        SMALL,
    ),
    differs(
        "forbidden",
        r#"R 403 application/json {"code":4,"message":"no thanks"}"#,
        r#"R 403 application/json {"code":4,"message":"Forbidden"}"#,
        FORBIDDEN,
    ),
    differs("upgrade: forbidden", "R 400 text/html no thanks", "R 403 text/html Forbidden", FORBIDDEN),
    differs(
        "upgrade: revision 3 where it is not served",
        "R 101",
        "R 400 text/html Unsupported protocol version",
        LATE,
    ),
    differs("upgrade: revision 3 where it is not served", "S.", "", LATE),
    differs("upgrade with the transport polling", "R 101", "R 400 text/html Bad request", LATE),
    differs("upgrade with the transport polling", "S.", "", LATE),
    differs("upgrade with the transport polling", "C.", "", LATE),
];

/// One scenario on its way.
struct Replay<'t> {
    name: &'t str,
    world: World,
    /// The origin of the page that asks.
    origin: &'static str,
    conn: Option<ConnId>,
    client: Option<Client>,
    /// What the server said that was not compared yet, as lines.
    said: Vec<String>,
    applied: BTreeSet<usize>,
}

impl<'t> Replay<'t> {
    fn new(name: &'t str, settings: &[&str]) -> Self {
        let mut config = open_config();
        let mut origin = "https://page.example";
        for setting in settings {
            let words: Vec<&str> = setting.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            match words[0] {
                "ping" => {
                    config.engine.ping_interval = Duration::from_millis(number(1));
                    config.engine.ping_timeout = Duration::from_millis(number(2));
                }
                "payload" => config.engine.max_payload = 128,
                "connect-timeout" => config.connect_timeout = Duration::from_millis(number(1)),
                "revision-4-only" => config.engine.allow_revision_3 = false,
                "listed" => config.namespaces = Namespaces::Listed(vec!["/".into(), "/admin".into()]),
                "forbid" => {
                    config.origins = Origins::Listed(vec!["https://page.example".into()]);
                    origin = "https://other.example";
                }
                _ => panic!("{setting}"),
            }
        }
        let config = match config.namespaces {
            Namespaces::Matching(_) => {
                let known: fn(&str) -> bool = |name| matches!(name, "/" | "/admin") || name.starts_with("/dyn-");
                roomwire::hub::Config { namespaces: Namespaces::Matching(known), ..config }
            }
            Namespaces::Listed(_) => config,
        };
        let world = World::new(config, App::Captured);
        Self { name, world, origin, conn: None, client: None, said: Vec::new(), applied: BTreeSet::new() }
    }

    /// The line as it is with this server.
    fn ours(&mut self, line: &str) -> String {
        let at = DIFFERENCES.iter().position(|difference| {
            (difference.scenario.is_empty() || difference.scenario == self.name) && difference.official == line
        });
        self.applied.extend(at);
        at.map_or(line, |at| DIFFERENCES[at].ours).replace(r"\u{2028}", "\u{2028}")
    }

    fn step(&mut self, line: &str) {
        let line = self.ours(line);
        let (kind, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match kind {
            "" => {}
            "U" => {
                let lines = format!(
                    "Origin: {}\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
                    self.origin
                );
                self.request(&opening(rest, &lines));
            }
            "G" => {
                let head = format!(
                    "{rest} HTTP/1.1\r\nHost: example.org\r\nOrigin: {}\r\nContent-Length: 0\r\n\r\n",
                    self.origin
                );
                self.request(head.as_bytes());
            }
            "R" => self.response(rest),
            "C" => self.client(|client, world| client.say(world, rest)),
            "B" => {
                let bytes: Vec<u8> = rest.split(' ').map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
                self.client(|client, world| client.raw(world, &frame(true, Opcode::Binary, &bytes)));
            }
            "C." => self.client(Client::close),
            "S" | "S." => self.heard(&line),
            "T" => {
                self.said_nothing();
                // Nothing is said before the time has come.
                self.world.pass(Duration::from_millis(rest.parse::<u64>().unwrap()) - Duration::from_nanos(1));
                self.listen();
                self.said_nothing();
                self.world.pass(Duration::from_nanos(1));
            }
            _ => panic!("{line}"),
        }
        self.listen();
    }

    fn request(&mut self, bytes: &[u8]) {
        let conn = self.world.stream();
        self.conn = Some(conn);
        self.world.feed(conn, bytes);
    }

    fn response(&mut self, expected: &str) {
        let conn = self.conn.unwrap();
        if expected == "101" {
            self.client = Some(Client::behind(&mut self.world, conn));
            return;
        }
        let answer = String::from_utf8(self.world.take(conn)).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
        let status = head.strip_prefix("HTTP/1.1 ").unwrap().split(' ').next().unwrap();
        assert_eq!(format!("{status} {kind} {body}").trim_end(), expected, "{}", self.name);
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    }

    fn client(&mut self, with: impl FnOnce(&mut Client, &mut World)) {
        self.said_nothing();
        with(self.client.as_mut().unwrap(), &mut self.world);
    }

    fn listen(&mut self) {
        let Some(client) = &mut self.client else { return };
        for frame in client.frames(&mut self.world) {
            self.said.push(match frame {
                Frame::Text(text) => format!("S {text}"),
                Frame::Close(1005, _) => "S.".into(),
                Frame::Close(code, reason) => format!("S. {code} {reason}").trim_end().into(),
                other => format!("{other:?}"),
            });
        }
    }

    fn heard(&mut self, expected: &str) {
        assert!(!self.said.is_empty(), "{}: nothing came in place of {expected}", self.name);
        let said = self.said.remove(0);
        assert_eq!(without_ids(&said, expected), expected, "{}", self.name);
    }

    fn said_nothing(&self) {
        assert_eq!(self.said, Vec::<String>::new(), "{}: said too much", self.name);
    }

    fn end(mut self) -> BTreeSet<usize> {
        self.said_nothing();
        if let Some(client) = &mut self.client {
            client.finish(&mut self.world);
            assert!(self.world.closed(client.conn) && self.world.is_over(client.conn), "{}", self.name);
            assert_eq!(self.world.hub.counts().sessions, 0);
        }
        self.applied
    }
}

/// The line with its ids, which have 20 characters of the URL-safe base64 alphabet, replaced where `like` has them replaced.
fn without_ids(line: &str, like: &str) -> String {
    let Some(at) = like.find("<sid>") else { return line.into() };
    match (line.get(..at), line.get(at..at + 20), line.get(at + 20..)) {
        (Some(before), Some(id), Some(after))
            if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') =>
        {
            format!("{before}<sid>{after}")
        }
        _ => line.into(),
    }
}

/// The scenarios of a file: names, settings, lines.
fn scenarios(text: &str) -> Vec<(&str, Vec<&str>, Vec<&str>)> {
    let mut scenarios: Vec<(&str, Vec<&str>, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("= ") {
            scenarios.push((name, Vec::new(), Vec::new()));
            continue;
        }
        let (_, settings, lines) = scenarios.last_mut().expect("a line before any scenario");
        match line.strip_prefix("~ ") {
            Some(setting) => settings.push(setting),
            None => lines.push(line),
        }
    }
    scenarios
}

#[test]
fn the_recorded_exchanges() {
    let files = [
        include_str!("vectors/websocket-only.txt"),
        include_str!("vectors/namespaces.txt"),
        include_str!("vectors/server-disconnect.txt"),
        include_str!("vectors/heartbeat.txt"),
        include_str!("vectors/errors-4.txt"),
        include_str!("vectors/websocket-faults.txt"),
        include_str!("vectors/websocket-only-3.txt"),
        include_str!("vectors/namespaces-3.txt"),
        include_str!("vectors/errors-3.txt"),
        include_str!("vectors/client-3.txt"),
    ];
    let mut applied = BTreeSet::new();
    let mut count = 0;
    for (name, settings, lines) in files.into_iter().flat_map(scenarios) {
        let mut replay = Replay::new(name, &settings);
        for line in lines {
            replay.step(line);
        }
        applied.extend(replay.end());
        count += 1;
    }
    assert_eq!(count, 50);
    for (at, difference) in DIFFERENCES.iter().enumerate() {
        assert!(applied.contains(&at), "no such difference: {} {}", difference.scenario, difference.official);
    }
}
