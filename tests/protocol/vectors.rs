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
//! S text       the server's message;  X hex  its binary message;  S. [code reason]  its close frame
//! > n METHOD target [content-type body]      the client's request number n, on a stream of its own
//! < n status [content-type body]             the answer to it, which may come later
//! H name: value                              a header of the answer before
//! T millis     so much time passes, in which nothing else is said
//! ```
//! `<sid>` stands for any id, in a request for that of the session that opened last; `\u{2028}` and `\x1e` for those
//! characters. A body that is no text is written as `hex:`. An answer stands behind what it answers, where the recorded
//! server had two things to do at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use roomwire::hub::{ConnId, Namespaces, Origins};
use roomwire::ws::Opcode;

use crate::app::App;
use crate::client::{Client, Frame, frame, opening};
use crate::differences::DIFFERENCES;
use crate::poller::Answer;
use crate::world::{World, open_config};

/// One scenario on its way.
struct Replay<'t> {
    name: &'t str,
    world: World,
    /// The origin of the page that asks.
    origin: &'t str,
    /// Whether requests of long polling come from it.
    paged: bool,
    conn: Option<ConnId>,
    client: Option<Client>,
    /// The streams of numbered requests.
    requests: BTreeMap<String, ConnId>,
    /// The id of the session that opened last.
    sid: String,
    /// The answer that was compared last.
    answer: Option<Answer>,
    /// What the server said that was not compared yet, as lines.
    said: Vec<String>,
    applied: BTreeSet<usize>,
}

impl<'t> Replay<'t> {
    fn new(name: &'t str, settings: &[&'t str]) -> Self {
        let mut config = open_config();
        let (mut origin, mut paged) = ("https://page.example", false);
        for setting in settings {
            let words: Vec<&'t str> = setting.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            match words[0] {
                "ping" => {
                    config.engine.ping_interval = Duration::from_millis(number(1));
                    config.engine.ping_timeout = Duration::from_millis(number(2));
                }
                "payload" => config.engine.max_payload = 128,
                "upgrade-timeout" => config.engine.upgrade_timeout = Duration::from_millis(number(1)),
                "cookie" => config.engine.cookie = Some(roomwire::engineio::Cookie::new("io")),
                "page" => {
                    config.origins = Origins::Listed(vec!["http://a.example".into()]);
                    (origin, paged) = (words[1], true);
                }
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
        Self {
            name,
            world,
            origin,
            paged,
            conn: None,
            client: None,
            requests: BTreeMap::new(),
            sid: String::new(),
            answer: None,
            said: Vec::new(),
            applied: BTreeSet::new(),
        }
    }

    /// The line as it is with this server.
    fn ours(&mut self, line: &str) -> String {
        // The number of an answer is no part of what is said.
        let (number, official) = match line.strip_prefix("< ").and_then(|rest| rest.split_once(' ')) {
            Some((number, rest)) => (number, format!("< {rest}")),
            None => ("", line.to_owned()),
        };
        let at = DIFFERENCES.iter().position(|difference| {
            (difference.scenario.is_empty() || difference.scenario == self.name) && difference.official == official
        });
        self.applied.extend(at);
        let ours = at.map(|at| match number {
            "" => DIFFERENCES[at].ours.to_owned(),
            number => DIFFERENCES[at].ours.replacen("< ", &format!("< {number} "), 1),
        });
        ours.unwrap_or_else(|| line.to_owned()).replace(r"\u{2028}", "\u{2028}").replace(r"\x1e", "\u{1e}")
    }

    fn step(&mut self, line: &str) {
        for line in self.ours(line).split('\n') {
            self.one(line);
        }
    }

    fn one(&mut self, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "" => {}
            "U" => {
                let lines = format!(
                    "Origin: {}\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
                    self.origin
                );
                self.request(&opening(&rest.replace("<sid>", &self.sid), &lines));
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
                let bytes = bytes(rest);
                self.client(|client, world| client.raw(world, &frame(true, Opcode::Binary, &bytes)));
            }
            ">" => self.numbered(rest),
            "<" => self.answered(rest),
            "H" => {
                let (name, value) = rest.split_once(": ").unwrap();
                let said = self.answer.as_ref().unwrap().header(name).unwrap_or_default();
                assert_eq!(without_ids(said, value), value, "{}: {name}", self.name);
            }
            "C." => self.client(Client::close),
            "S" | "S." | "X" => self.heard(line),
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

    fn numbered(&mut self, line: &str) {
        self.said_nothing();
        let line = line.replace("<sid>", &self.sid);
        let mut words = line.splitn(5, ' ');
        let [number, method, target, kind, body] = std::array::from_fn(|_| words.next().unwrap_or_default());
        let body = body.strip_prefix("hex:").map_or_else(|| body.as_bytes().to_vec(), bytes);
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: example.org\r\nContent-Length: {}\r\n", body.len());
        if !matches!(kind, "" | "-") {
            head += &format!("Content-Type: {kind}\r\n");
        }
        if self.paged {
            head += &format!("Origin: {}\r\n", self.origin);
        }
        if method == "OPTIONS" {
            head += "Access-Control-Request-Method: POST\r\n";
        }
        let conn = self.world.stream();
        self.requests.insert(number.into(), conn);
        self.world.feed(conn, &[head.as_bytes(), b"\r\n", &body].concat());
    }

    fn answered(&mut self, line: &str) {
        let (number, expected) = line.split_once(' ').unwrap();
        let conn = self.requests.remove(number).unwrap();
        let mut answers = Answer::all(&self.world.take(conn));
        assert_eq!(answers.len(), 1, "{}: {line}", self.name);
        let answer = answers.remove(0);
        let body = match std::str::from_utf8(&answer.body) {
            Ok(text) if !expected.contains("hex:") => text.to_owned(),
            _ => format!("hex:{}", answer.body.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")),
        };
        let said = format!("{} {} {body}", answer.status, answer.header("content-type").unwrap_or_default());
        assert_eq!(without_ids(said.trim_end(), expected), expected, "{}", self.name);
        if let Some(at) = expected.find("<sid>").filter(|_| expected.contains("upgrades")) {
            self.sid = said[at..at + 20].to_owned();
        }
        self.answer = Some(answer);
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
                Frame::Binary(data) => {
                    format!("X {}", data.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
                }
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

    fn said_nothing(&mut self) {
        assert_eq!(self.said, Vec::<String>::new(), "{}: said too much", self.name);
        for (number, conn) in &self.requests {
            let answer = self.world.take(*conn);
            assert!(answer.is_empty(), "{}: {number} was answered {}", self.name, answer.escape_ascii());
        }
    }

    fn end(mut self) -> BTreeSet<usize> {
        self.said_nothing();
        assert_eq!(self.requests.len(), 0, "{}: not answered", self.name);
        let polled = !self.sid.is_empty();
        if let Some(client) = &mut self.client {
            client.finish(&mut self.world);
            assert!(self.world.closed(client.conn) && self.world.is_over(client.conn), "{}", self.name);
            assert!(polled || self.world.hub.counts().sessions == 0);
        }
        self.applied
    }
}

/// Bytes that are written in hexadecimal.
fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect()
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
        include_str!("vectors/polling-4.txt"),
        include_str!("vectors/polling-faults.txt"),
        include_str!("vectors/upgrade-4.txt"),
        include_str!("vectors/cookie-cors.txt"),
        include_str!("vectors/polling-3.txt"),
        include_str!("vectors/upgrade-3.txt"),
        include_str!("vectors/forms-3.txt"),
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
    assert_eq!(count, 78);
    for (at, difference) in DIFFERENCES.iter().enumerate() {
        assert!(applied.contains(&at), "no such difference: {} {}", difference.scenario, difference.official);
    }
}
