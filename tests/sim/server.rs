//! The server's application, and what it holds the hub to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use roomwire::Instant;
use roomwire::hub::{AckError, AckId, ConnId, DisconnectReason, Event, Refusal, SocketId, Target, Token};

use crate::ledger::Listener;
use crate::payload::Payload;
use crate::world::{Task, World};

pub const ROOMS: [&str; 2] = ["red", "blue"];

#[derive(Debug, Default)]
pub struct Server {
    /// Streams, and whether their end was told.
    pub connections: BTreeMap<ConnId, bool>,
    /// Sockets that wait to be accepted.
    pub connecting: BTreeSet<SocketId>,
    /// Sockets that are about to be told as resumed.
    pub resuming: BTreeSet<SocketId>,
    /// All others, by their place in the ledger.
    pub sockets: BTreeMap<SocketId, usize>,
    pub namespaces: BTreeMap<SocketId, String>,
    pub rooms: BTreeMap<(String, &'static str), BTreeSet<SocketId>>,
    pub acks: BTreeMap<AckId, (Instant, u64)>,
}

impl World {
    pub fn is_live(&self, socket: SocketId) -> bool {
        self.server.sockets.get(&socket).is_some_and(|at| self.ledger.listeners[*at].live)
    }

    /// The server emits something to one socket; with a time-out it asks for an acknowledgement.
    pub fn server_say(&mut self, socket: SocketId, timeout: Option<Duration>) {
        let id = self.ledger.number();
        let now = self.now;
        let said = match timeout {
            None => self.hub.emit(now, socket, "s", Payload::new(id)).is_ok(),
            Some(timeout) => match self.hub.emit_with_ack(now, socket, "s", Payload::new(id), timeout) {
                Ok(ack) => {
                    let known = self.server.acks.insert(ack, (now.saturating_add(timeout), id));
                    assert!(known.is_none(), "an id is given twice");
                    true
                }
                Err(_) => false,
            },
        };
        if said {
            self.sum.said_by_server += 1;
            let listener = self.server.sockets[&socket];
            self.ledger.listeners[listener].said.push(id);
            self.note(|| format!("hub says {id} to {socket:?}"));
        }
    }

    /// The server emits something to a room, or to a whole namespace; how many were meant.
    pub fn server_broadcast(&mut self, namespace: &str, room: Option<&'static str>) {
        let id = self.ledger.number();
        let mut target = room.map_or_else(|| Target::namespace(namespace), |room| Target::room(room).of(namespace));
        if self.chance.percent(20) {
            target = target.volatile();
            self.ledger.volatile.insert(id);
        }
        let members = room.map(|room| self.server.rooms.get(&(namespace.into(), room)).cloned().unwrap_or_default());
        self.hub.emit(self.now, target, "s", Payload::new(id)).unwrap();
        let sockets = self.server.sockets.iter();
        let live = sockets.filter(|(socket, at)| {
            let member = members.as_ref().is_none_or(|members| members.contains(socket));
            self.ledger.listeners[**at].live && member && self.server.namespaces[socket] == namespace
        });
        for at in live.map(|(_, at)| *at).collect::<Vec<_>>() {
            self.sum.said_by_server += 1;
            self.ledger.listeners[at].said.push(id);
        }
        self.note(|| format!("hub says {id} to {namespace} {room:?}"));
    }

    pub fn hub_event(&mut self, event: Event<'_>) {
        self.note(|| format!("hub: {}", Self::brief(&event)));
        let now = self.now;
        let quiet = self.plan.calm && !self.parting;
        match event {
            Event::Connecting { socket, auth, .. } => {
                assert!(self.server.connecting.insert(socket) && !self.server.sockets.contains_key(&socket));
                if self.resumes(socket, &auth) {
                    return;
                }
                match self.chance.below(20) {
                    0 if !self.healed && !quiet => {
                        self.server.connecting.remove(&socket);
                        self.hub.refuse(now, socket, &Refusal::new("no")).unwrap();
                    }
                    1..4 => self.do_later(Duration::from_secs(4), Task::Accept(socket)),
                    _ => self.hub.accept(now, socket).unwrap(),
                }
            }
            Event::Connected { socket, resumed, .. } => {
                if resumed {
                    assert!(self.server.resuming.remove(&socket), "resumed unasked");
                    let before = &self.ledger.listeners[self.server.sockets[&socket]];
                    assert!(!before.live && !before.gone, "resumed what was not away");
                    self.sum.resumed += 1;
                } else {
                    assert!(self.server.connecting.remove(&socket));
                }
                let serial = self.ledger.listeners.len();
                let id = self.ledger.number();
                self.server.sockets.insert(socket, serial);
                let namespace = self.hub.namespace(socket).unwrap_or("/").into();
                self.server.namespaces.insert(socket, namespace);
                let token: Option<String> = self.hub.token(socket).map(Into::into);
                let said = self.hub.emit(now, socket, "hello", (id, serial, token)).is_ok().then_some(id);
                self.sum.said_by_server += u64::from(said.is_some());
                let said = said.into_iter().collect();
                self.ledger.listeners.push(Listener { live: true, gone: false, said, heard: 0, from: None });
            }
            Event::Emit { socket, name, args, reply } => self.hub_heard(socket, &name, Payload::read(&args), reply),
            Event::Ack { ack, answer, .. } => {
                let (deadline, id) = self.server.acks.remove(&ack).expect("an acknowledgement that nobody awaits");
                assert!(now <= deadline, "told {:?} too late", now.saturating_since(deadline));
                match answer {
                    Ok(args) => {
                        assert_eq!(Payload::read(&args), id, "the answer to something else");
                        self.sum.answered += 1;
                    }
                    Err(AckError::TimedOut) => {
                        assert!(now == deadline && !quiet, "too early, or in calm");
                        self.sum.timed_out += 1;
                    }
                    Err(error) => assert!(!quiet, "{error:?} in calm"),
                }
            }
            Event::Disconnected { socket, reason, away_until } => {
                assert!(!quiet, "{reason:?} in calm");
                assert_ne!(reason, DisconnectReason::ProtocolError);
                if self.server.connecting.remove(&socket) {
                    assert_eq!(away_until, None, "nobody was there that could come back");
                    return;
                }
                let listener = &mut self.ledger.listeners[self.server.sockets[&socket]];
                assert!(std::mem::replace(&mut listener.live, false), "disconnected twice");
                let taken_over = reason == DisconnectReason::TakenOver;
                assert!(away_until.is_none_or(|until| until > now || taken_over), "away until before now");
                if away_until.is_none() {
                    self.gone(socket);
                }
            }
            Event::Left { socket } => {
                let listener = &self.ledger.listeners[self.server.sockets[&socket]];
                assert!(!listener.live && !listener.gone, "left twice, or without being away");
                self.gone(socket);
            }
            Event::Closed { conn, error } => {
                let told = self.server.connections.get_mut(&conn).expect("known");
                assert!(!std::mem::replace(told, true), "closed twice");
                assert!(error.is_none() || !quiet, "{error:?} in calm");
            }
            Event::Refused { conn, error } => {
                assert!(!quiet, "{error:?} in calm");
                assert!(!self.server.connections[&conn], "told after the end");
            }
            Event::Congested { conn } | Event::Drained { conn } => {
                assert!(!self.server.connections[&conn], "told after the end");
            }
            other => panic!("{other:?}"),
        }
    }

    /// Puts a client back into the session whose token it shows.
    fn resumes(&mut self, socket: SocketId, auth: &str) -> bool {
        let Some(token) = auth.strip_prefix(r#"{"token":""#).and_then(|text| text.strip_suffix(r#""}"#)) else {
            return false;
        };
        let token = Token::parse(token).expect("a token");
        match self.hub.resume(self.now, socket, &token) {
            Ok(old) => {
                assert!(self.server.sockets.contains_key(&old) && self.server.resuming.insert(old));
                assert!(self.server.connecting.remove(&socket));
                self.note(|| format!("{socket:?} resumes {old:?}"));
                true
            }
            Err(_) => false,
        }
    }

    fn gone(&mut self, socket: SocketId) {
        let at = self.server.sockets.remove(&socket).expect("known");
        self.server.namespaces.remove(&socket);
        self.ledger.listeners[at].gone = true;
        self.server.rooms.retain(|_, members| {
            members.remove(&socket);
            !members.is_empty()
        });
    }

    /// A client's event: its name says what is to be done, its number what else is.
    fn hub_heard(&mut self, socket: SocketId, name: &str, id: u64, reply: Option<roomwire::hub::Reply>) {
        let now = self.now;
        let listener = self.server.sockets[&socket];
        assert!(self.ledger.listeners[listener].live, "an event of a socket that is away");
        self.ledger.server_heard(listener, id);
        self.sum.heard_by_server += 1;
        let namespace = self.server.namespaces[&socket].clone();
        let room = ROOMS[id as usize % ROOMS.len()];
        match name {
            "join" if self.hub.join(now, socket, room).is_ok() => {
                self.server.rooms.entry((namespace, room)).or_default().insert(socket);
            }
            "leave" if self.hub.leave(now, socket, room).is_ok() => {
                if let Some(members) = self.server.rooms.get_mut(&(namespace, room)) {
                    members.remove(&socket);
                }
                self.server.rooms.retain(|_, members| !members.is_empty());
            }
            _ if id.is_multiple_of(4) => self.server_say(socket, None),
            _ if id % 4 == 1 => self.server_broadcast(&namespace, Some(room)),
            _ => {}
        }
        match (reply, self.chance.below(10)) {
            (Some(reply), 0..6) => drop(self.hub.ack(now, reply, Payload::new(id))),
            (Some(reply), _) => self.do_later(Duration::from_secs(3), Task::ServerReply(reply, id)),
            (None, _) => {}
        }
    }
}
