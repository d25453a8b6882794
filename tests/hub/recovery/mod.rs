//! Connection state recovery: who comes back gets what it has missed, all of it or the word that something is lost.

mod claims;
mod forms;
mod limits;
mod missed;
mod random;

use std::time::Duration;

use roomwire::hub::{Config, ConnId, Recovery, SocketId, Target};

use crate::fuzz_hub::Told;
use crate::world::{V4, World, config};

pub fn recovering(recovery: Recovery) -> Config {
    let mut config = config();
    config.recovery = Some(recovery);
    config.away_timeout = Duration::from_secs(120);
    config
}

/// A client as the official ones are: it knows its session's secret, and takes the last string of an event for the offset.
pub struct Client {
    pub conn: ConnId,
    pub socket: SocketId,
    pub pid: String,
    pub offset: Option<String>,
    pub heard: Vec<String>,
}

impl Client {
    pub fn new(world: &mut World, namespace: &str) -> Self {
        let (conn, socket) = world.connecting(namespace);
        world.hub.accept(world.now, socket).unwrap();
        assert_eq!(world.told().last(), Some(&Told::Connected(socket, false)));
        let mut client = Self { conn, socket, pid: String::new(), offset: None, heard: Vec::new() };
        assert!(!client.listen(world).unwrap(), "its pid is new");
        client
    }

    pub fn member(world: &mut World, room: &str) -> Self {
        let client = Self::new(world, "/");
        world.hub.join(world.now, client.socket, room).unwrap();
        client
    }

    /// Takes what comes; whether an answer to CONNECT among it has the same pid as before.
    pub fn listen(&mut self, world: &mut World) -> Option<bool> {
        let mut recovered = None;
        for packet in world.hears(self.conn) {
            if let Some(answer) = packet.strip_prefix("40").and_then(|rest| rest.find('{').map(|at| &rest[at..])) {
                let pid = member(answer, "pid");
                recovered = Some(pid == self.pid);
                self.pid = pid;
                assert_eq!(Some(&*member(answer, "sid")), world.hub.sid(self.socket));
            } else if let Some(event) = packet.strip_prefix("42") {
                self.take(&event[event.find('[').unwrap()..]);
            }
        }
        recovered
    }

    fn take(&mut self, event: &str) {
        let mut values: Vec<serde_json::Value> = serde_json::from_str(event).unwrap();
        // The name of an event without arguments, too.
        if let Some(serde_json::Value::String(offset)) = values.last() {
            self.offset = Some(offset.clone());
            values.pop();
        }
        self.heard.push(values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    }

    pub fn auth(&self) -> String {
        match &self.offset {
            None => format!(r#"{{"pid":"{}"}}"#, self.pid),
            Some(offset) => format!(r#"{{"token":[1],"pid":"{}","offset":"{offset}"}}"#, self.pid),
        }
    }

    /// Its transport ends, and what was on its way there with it.
    pub fn lose(&self, world: &mut World) {
        world.hub.abort(world.now, self.conn);
        world.told();
    }

    /// Comes back on a new transport; what was told of that.
    pub fn return_to(&mut self, world: &mut World) -> Vec<Told> {
        self.conn = world.open(V4);
        let namespace = world.hub.namespace(self.socket).unwrap().trim_end_matches('/').to_owned();
        let comma = if namespace.is_empty() { "" } else { "," };
        world.says(self.conn, &format!("40{namespace}{comma}{}", self.auth()))
    }

    /// Comes back and is told that it has everything; what it has missed.
    pub fn recovers(&mut self, world: &mut World) -> Vec<String> {
        let told = self.return_to(world);
        assert_eq!(told.last(), Some(&Told::Recovered(self.socket)));
        self.heard.clear();
        assert_eq!(self.listen(world), Some(true), "the pid is the same");
        std::mem::take(&mut self.heard)
    }

    /// Comes back into its session, and is told that it has missed something.
    pub fn has_missed_something(&mut self, world: &mut World) {
        let told = self.return_to(world);
        assert_eq!(told.last(), Some(&Told::Connected(self.socket, true)));
        self.heard.clear();
        assert_eq!((self.listen(world), self.heard.len()), (Some(false), 0), "another pid, and nothing");
    }
}

fn member(object: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(object).unwrap();
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {object}")).to_owned()
}

pub fn say(world: &mut World, target: Target<'_>, number: u32) {
    world.hub.emit(world.now, target, "say", (number,)).unwrap();
}

pub fn said(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("\"say\" {number}")).collect()
}
