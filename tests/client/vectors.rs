//! What the official clients were recorded to say, said again by this one: exchanges with socket.io 2.5.1 and 4.8.4.
//!
//! A line of `vectors/*.txt`:
//! ```text
//! = name       a scenario
//! ~ setting    how the client is set up
//! A action     what the application does
//! G target     the client asks,   g body   and that is the answer (␞ stands for U+001E)
//! P target     the client posts,  B body   this,  p body   and that is the answer
//! C text       the client's message by WebSocket, or its opening, or its end;  B hex   a binary one
//! S text       the server's message;  b hex   a binary one
//! X            the transport breaks
//! T millis     so much time passes
//! E text       what was told to the application, in the end
//! ```
//! Left out, because the protocol does not need it: the parameter `t` of requests, `b64`, and the header `Connection: close`
//! that the recorded clients send. They end by an empty close frame and by a POST of its own for the close packet.

use std::time::Duration;

use roomwire::client::{Config, SocketId};
use roomwire::engineio::Transports;
use roomwire::socketio::{Args, Attached, Protocol, attach};
use roomwire::ws::Message;

use crate::world::{Asked, POLLING, WEBSOCKET, World, config};

#[test]
fn exchanges_by_websocket() {
    replay(include_str!("vectors/websocket.txt"), 9);
}

#[test]
fn exchanges_by_polling() {
    replay(include_str!("vectors/polling.txt"), 3);
}

fn replay(text: &str, scenarios: usize) {
    let parts = split(text);
    assert_eq!(parts.len(), scenarios);
    for part in parts {
        let mut lines = part.lines();
        let name = lines.next().unwrap();
        Replay::new(name, lines.clone().filter_map(|line| line.strip_prefix("~ "))).run(lines);
    }
}

/// Scenarios begin where a line begins with `= `.
fn split(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("= ") {
            Some(name) => parts.push(format!("{name}\n")),
            None => *parts.last_mut().expect("a name first") += &format!("{line}\n"),
        }
    }
    parts
}

struct Replay {
    name: String,
    world: World,
    sockets: Vec<SocketId>,
    get: Option<Asked>,
    post: Option<Asked>,
    said: std::collections::VecDeque<String>,
    told: std::collections::VecDeque<String>,
}

impl Replay {
    fn new<'l>(name: &str, settings: impl Iterator<Item = &'l str>) -> Self {
        let mut config: Config = config(Transports::ALL);
        for setting in settings {
            let words: Vec<&str> = setting.split(' ').collect();
            match words[..] {
                ["polling"] => config.transports = POLLING,
                ["websocket"] => config.transports = WEBSOCKET,
                ["protocol", "4"] => config.protocol = Protocol::V4,
                ["query", name, value] => config = config.query(name, value),
                ["retries", count, millis] => {
                    config.retries = count.parse().unwrap();
                    config.ack_timeout = Duration::from_millis(millis.parse().unwrap());
                }
                _ => panic!("{name}: {setting}"),
            }
        }
        let world = World::new(config);
        let (said, told) = Default::default();
        Self { name: name.into(), world, sockets: Vec::new(), get: None, post: None, said, told }
    }

    fn run<'l>(mut self, lines: impl Iterator<Item = &'l str>) {
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('~')) {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            let body = rest.replace('␞', "\u{1e}");
            let name = format!("{}: {line}", self.name);
            match kind {
                "A" => self.act(rest),
                "G" => {
                    let asked = self.world.get();
                    assert_eq!(asked.line, format!("GET {rest}"), "{name}");
                    self.get = Some(asked);
                }
                "g" => self.world.answer(&self.get.take().expect(&name), &body),
                "P" => {
                    let asked = self.world.post();
                    assert_eq!(asked.line, format!("POST {rest}"), "{name}");
                    self.post = Some(asked);
                }
                "B" if self.post.is_some() => assert_eq!(self.post.as_ref().unwrap().body(), body, "{name}"),
                "p" => self.world.answer(&self.post.take().expect(&name), &body),
                "C" => assert_eq!(self.said().as_deref(), Some(rest), "{name}"),
                "B" => assert_eq!(self.said(), Some(format!("{:02x?}", hex(rest))), "{name}"),
                "S" => self.world.say(rest),
                "b" => self.world.send(&[Message::from(hex(rest))]),
                "X" => {
                    let stream = self.world.socket();
                    self.world.lose(stream);
                }
                "T" => self.world.pass_time(Duration::from_millis(rest.parse().unwrap())),
                "E" => {
                    self.told.extend(self.world.told());
                    assert_eq!(self.told.pop_front().as_deref(), Some(rest), "{name}");
                }
                _ => panic!("{name}"),
            }
        }
        self.told.extend(self.world.told());
        assert_eq!((self.said(), &self.told), (None, &Default::default()), "{}: what is left", self.name);
    }

    fn said(&mut self) -> Option<String> {
        self.said.extend(self.world.said());
        self.said.pop_front()
    }

    fn act(&mut self, action: &str) {
        let words: Vec<&str> = action.splitn(4, ' ').collect();
        let now = self.world.now;
        match words[..] {
            ["connect", namespace] => self.sockets.push(self.world.client.connect(now, namespace, "").unwrap()),
            ["connect", namespace, auth] => self.sockets.push(self.world.client.connect(now, namespace, auth).unwrap()),
            ["disconnect", nth] => self.world.client.disconnect(now, self.socket(nth)),
            ["emit", nth, name] => self.world.client.emit(now, self.socket(nth), name, ()).unwrap(),
            ["emit", nth, name, args] => self.world.client.emit(now, self.socket(nth), name, arguments(args)).unwrap(),
            ["ask", nth, name, args] => {
                let (socket, wait) = (self.socket(nth), Duration::from_secs(60));
                let ack = self.world.client.emit_with_ack(now, socket, name, arguments(args), wait).unwrap();
                self.world.acks.push(ack);
            }
            ["answer", args] => {
                let reply = self.world.replies.pop().expect("a question");
                self.world.client.ack(now, reply, arguments(args)).unwrap();
            }
            _ => panic!("{}: {action}", self.name),
        }
        self.world.turn();
    }

    fn socket(&self, nth: &str) -> SocketId {
        self.sockets[nth.parse::<usize>().unwrap() - 1]
    }
}

fn arguments(text: &str) -> Attached<Args<'_>> {
    let (args, attachments) = text.split_once(" | ").unwrap_or((text, ""));
    attach(Args::new(args).unwrap(), attachments.split_whitespace().map(hex))
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
