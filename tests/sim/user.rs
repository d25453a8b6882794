//! The application of a client, and what it holds the client to.

use std::collections::BTreeMap;
use std::time::Duration;

use roomwire::Instant;
use roomwire::client::{AckError, AckId, Client, Config, DisconnectReason, EmitError, Error, Event, SocketId};
use roomwire::socketio::Protocol;

use crate::payload::Payload;
use crate::world::{Task, World};

/// Where a client's session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    Absent,
    Trying,
    Open,
    Waiting(Instant),
}

/// A namespace that a client uses.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    pub namespace: &'static str,
    pub speaker: usize,
}

#[derive(Debug)]
pub struct User {
    pub client: Client,
    pub seats: BTreeMap<SocketId, Seat>,
    pub acks: BTreeMap<AckId, (Instant, u64)>,
    pub session: Session,
    /// Whether it comes back as who it was.
    resumes: bool,
    /// Whether the session has been open since the last attempt that was told.
    opened: bool,
    upgraded: bool,
}

impl User {
    pub fn new(config: Config, resumes: bool, seed: [u8; 32], now: Instant) -> Self {
        let client = Client::new(config, seed, now).unwrap();
        let (seats, acks) = Default::default();
        Self { client, seats, acks, session: Session::Absent, resumes, opened: true, upgraded: false }
    }
}

impl World {
    /// Connects a namespace, if it is not connected or about to be.
    pub fn user_connect(&mut self, user: usize, namespace: &'static str) {
        let entry = &mut self.users[user];
        let Ok(socket) = entry.client.connect(self.now, namespace, "") else { return };
        if entry.session == Session::Absent {
            entry.session = Session::Trying;
        }
        entry.seats.entry(socket).or_insert_with(|| {
            self.ledger.speakers.push(Default::default());
            Seat { namespace, speaker: self.ledger.speakers.len() - 1 }
        });
        let late = entry.session == Session::Open && entry.client.config().protocol == Protocol::V4 && namespace == "/";
        self.ledger.speakers[entry.seats[&socket].speaker].late = late;
        self.note(|| format!("user {user} connects {namespace}"));
    }

    /// A client emits something; with a time-out it asks for an acknowledgement.
    pub fn user_say(&mut self, user: usize, socket: SocketId, name: &str, timeout: Option<Duration>) {
        let id = self.ledger.number();
        let now = self.now;
        let entry = &mut self.users[user];
        let Some(seat) = entry.seats.get(&socket).copied() else { return };
        let connected = entry.client.is_connected(socket);
        let said = match timeout {
            None => entry.client.emit(now, socket, name, Payload::new(id)).map(|()| None),
            Some(timeout) => entry.client.emit_with_ack(now, socket, name, Payload::new(id), timeout).map(Some),
        };
        match said {
            Ok(ack) => {
                self.sum.said_by_clients += 1;
                self.ledger.client_said(seat.speaker, id, connected);
                if let (Some(ack), Some(timeout)) = (ack, timeout) {
                    let known = self.users[user].acks.insert(ack, (now.saturating_add(timeout), id));
                    assert!(known.is_none(), "an id is given twice");
                }
                self.note(|| format!("user {user} says {name} {id} to {socket:?}"));
            }
            Err(EmitError::Full | EmitError::TooManyAcks) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    pub fn user_event(&mut self, user: usize, event: Event<'_>) {
        self.note(|| format!("user {user}: {}", Self::brief(&event)));
        let now = self.now;
        let quiet = self.plan.calm && !self.parting;
        let entry = &mut self.users[user];
        match event {
            Event::Opened => {
                let waited = matches!(entry.session, Session::Waiting(at) if at <= now);
                assert!(waited || entry.session == Session::Trying, "opened while {:?}", entry.session);
                entry.session = Session::Open;
                (entry.opened, entry.upgraded) = (true, false);
            }
            Event::Upgraded => {
                assert_eq!(entry.session, Session::Open);
                assert!(!std::mem::replace(&mut entry.upgraded, true), "upgraded twice");
                self.sum.upgraded += 1;
            }
            Event::UpgradeFailed { error } => {
                assert!(!entry.upgraded, "upgraded and failed");
                assert!(!quiet, "{error:?} in calm");
                self.sum.upgrades_failed += 1;
            }
            Event::Connected { socket, recovered } => {
                assert!(entry.session == Session::Open && entry.client.is_connected(socket));
                let speaker = entry.seats[&socket].speaker;
                if recovered {
                    self.ledger.recovered(speaker);
                } else {
                    self.ledger.connected(speaker);
                }
            }
            Event::Refused { socket, .. } => {
                let namespace = entry.seats[&socket].namespace;
                assert!(!quiet, "refused in calm");
                self.do_later(Duration::from_secs(5), Task::Connect(user, namespace));
            }
            Event::Emit { socket, name, args, reply } => {
                let speaker = entry.seats[&socket].speaker;
                let recovers = self.recovers && entry.client.config().protocol == Protocol::V5;
                self.sum.heard_by_clients += 1;
                if name == "hello" {
                    let first: Vec<_> = args.iter().take(3).collect();
                    let (id, listener, token): (_, _, Option<String>) =
                        serde_json::from_str(&format!("[{}]", first.join(","))).unwrap();
                    if let Some(token) = token
                        && entry.resumes
                    {
                        entry.client.set_auth(socket, &format!(r#"{{"token":"{token}"}}"#)).unwrap();
                    }
                    self.ledger.client_heard(speaker, id, Some(listener), recovers);
                } else {
                    assert_eq!(name, "s");
                    let id = Payload::read(&args);
                    self.ledger.client_heard(speaker, id, None, recovers);
                    match (reply, self.chance.below(10)) {
                        // It may be stale already: what came before is told later than it happened.
                        (Some(reply), 0..6) => drop(self.users[user].client.ack(now, reply, Payload::new(id))),
                        (Some(reply), _) => self.do_later(Duration::from_secs(3), Task::UserReply(user, reply, id)),
                        (None, _) => {}
                    }
                }
            }
            Event::Ack { ack, answer } => {
                let (deadline, id) = entry.acks.remove(&ack).expect("an acknowledgement that nobody awaits");
                if answer.is_err() {
                    self.ledger.gave_up(id);
                }
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
            Event::Disconnected { socket, reason } => {
                let seat = entry.seats[&socket];
                assert!(!entry.client.is_connected(socket));
                assert!(!quiet, "{reason:?} in calm");
                assert_ne!(reason, DisconnectReason::ProtocolError);
                self.ledger.disconnected(seat.speaker);
                self.sum.disconnected += 1;
                if reason == DisconnectReason::Server && !self.parting {
                    self.do_later(Duration::from_secs(5), Task::Connect(user, seat.namespace));
                }
            }
            Event::Closed { error, retry } => {
                let waits = matches!(entry.session, Session::Waiting(at) if at > now) && retry.is_some();
                assert!(!waits && entry.session != Session::Absent, "closed while {:?}", entry.session);
                let broken =
                    matches!(error, Some(Error::SocketIo(_) | Error::Payload(_) | Error::Packet | Error::Open));
                assert!(!broken && (error.is_none() || !quiet), "{error:?}");
                for seat in entry.seats.values() {
                    assert!(!self.ledger.speakers[seat.speaker].connected, "closed while a namespace is connected");
                }
                entry.session = match retry {
                    None => Session::Absent,
                    Some((at, attempt)) => {
                        assert!(at > now && attempt >= 1 && (attempt == 1 || !entry.opened), "attempt {attempt}");
                        Session::Waiting(at)
                    }
                };
                entry.opened = false;
            }
            Event::Undelivered { .. } => panic!("nothing is sent again"),
            other => panic!("{other:?}"),
        }
    }
}
