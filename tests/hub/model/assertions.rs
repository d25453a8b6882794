//! What the model and the hub have to agree on after each step.

use std::collections::{BTreeMap, BTreeSet};

use roomwire::Stream;
use roomwire::engineio::Transport;
use roomwire::hub::{Counts, PresenceState};
use serde_json::Value;

use super::reference::{Phase, Reference};
use super::sut::Sut;
use super::transition::Transition;

pub fn check(
    model: &mut Reference,
    real: &mut Sut,
    number: usize,
    step: &Transition,
    met: &mut BTreeMap<String, usize>,
) {
    let at = format!("after step {number}, {step:?}");
    let (mut expected, mut told) = (std::mem::take(&mut model.told), std::mem::take(&mut real.told));
    for event in &told {
        for kind in kinds(event) {
            *met.entry(kind).or_default() += 1;
        }
    }
    in_order(&told);
    // Between events of different sockets the model has no opinion of the order.
    expected.sort();
    told.sort();
    assert_eq!(told, expected, "told {at}");
    for client in 0..model.clients.len() {
        let expected = by_stream(&std::mem::take(&mut model.clients[client].heard));
        let heard = by_stream(&std::mem::take(&mut real.clients[client].heard));
        assert_eq!(heard, expected, "heard by client {client} {at}");
    }
    membership(model, real, &at);
    presence(model, real, &at);
    counts(model, real, &at);
}

/// The kinds of an event, for counting.
fn kinds(event: &str) -> Vec<String> {
    let words = event.split(' ').take_while(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    let mut kind = words.take(2).collect::<Vec<_>>().join(" ");
    if event.ends_with("NotAccepted") {
        kind = "gone by NotAccepted".into();
    }
    vec![kind]
}

/// What a socket and a connection live through comes in the order of a life.
fn in_order(told: &[String]) {
    let mut gone = BTreeSet::new();
    for event in told {
        let mut words = event.split(' ');
        let (kind, subject) = (words.next().unwrap(), words.next().unwrap_or_default());
        match kind {
            "gone" | "left" => assert!(gone.insert(subject.to_owned()), "{subject} ends twice"),
            "connected" | "resumed" | "lost" | "emit" => assert!(!gone.contains(subject), "{event} after its end"),
            "closed" => assert!(gone.insert(format!("client {subject}")), "{event} twice"),
            "congested" | "drained" => assert!(!gone.contains(&format!("client {subject}")), "{event} after its end"),
            _ => {}
        }
    }
}

/// Packets by what they belong to, in order: the list of a room, or a namespace. In between the model has no opinion.
/// The changes in a diff are sorted.
fn by_stream(heard: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for packet in heard {
        let namespace = if packet.get(2..3) == Some("/") { packet[2..].split(',').next().unwrap() } else { "/" };
        let (mut key, mut plain) = (namespace.to_owned(), packet.clone());
        if let Some(at) = packet.find("[\"presence") {
            let mut event: Value = serde_json::from_str(&packet[at..]).expect("presence is JSON");
            key = format!("{namespace} {}", event[1]["room"]);
            if let Some(changes) = event[1].get_mut("changes").and_then(Value::as_array_mut) {
                changes.sort_by_key(|change| change["user"].to_string());
            }
            plain = format!("{}{event}", &packet[..at]);
        }
        streams.entry(key).or_default().push(plain);
    }
    streams
}

fn membership(model: &Reference, real: &Sut, at: &str) {
    let numbers = |ids: &mut dyn Iterator<Item = roomwire::hub::SocketId>| {
        let ids: Vec<_> = ids.collect();
        let found: BTreeSet<_> = ids.iter().map(|id| real.sockets.iter().position(|own| own == id).unwrap()).collect();
        assert_eq!(ids.len(), found.len(), "a member twice {at}");
        found
    };
    for namespace in ["/", "/chat", "/none"] {
        for room in ["red", "green", "blue", "grey"] {
            let expected = model.rooms.get(&(namespace, room)).map(|room| room.members.clone()).unwrap_or_default();
            assert_eq!(numbers(&mut real.hub.room(namespace, room)), expected, "{room} of {namespace} {at}");
        }
    }
    for user in ["ann", "bob", "cy"] {
        let devices = (0..model.sockets.len()).filter(|s| model.sockets[*s].user == Some(user) && there(model, *s));
        assert_eq!(numbers(&mut real.hub.devices(user)), devices.collect(), "devices of {user} {at}");
    }
    assert_eq!(real.sockets.len(), model.sockets.len());
    for (number, id) in real.sockets.iter().enumerate() {
        let (socket, hub) = (&model.sockets[number], &real.hub);
        let rooms: BTreeSet<_> = hub.rooms(*id).collect();
        let user = socket.user.filter(|_| there(model, number));
        assert_eq!((rooms, hub.user(*id)), (socket.rooms.clone(), user), "socket {number} {at}");
        assert_eq!(hub.is_live(*id), socket.phase == Phase::Live, "socket {number} {at}");
        let conn = socket.client.and_then(|client| real.clients[client].conn);
        assert_eq!(hub.connection(*id), conn, "socket {number} {at}");
        let transport = socket.client.map(|client| model.clients[client].polling);
        let polling = hub.transport(*id).map(|transport| transport == Transport::Polling);
        assert_eq!(polling, transport, "socket {number} {at}");
        assert_eq!(hub.namespace(*id), there(model, number).then_some(socket.namespace));
        assert_eq!(hub.sid(*id).is_some(), there(model, number));
    }
}

fn there(model: &Reference, socket: usize) -> bool {
    model.sockets[socket].phase != Phase::Gone
}

fn presence(model: &Reference, real: &Sut, at: &str) {
    for ((namespace, room), expected) in &model.rooms {
        let (version, present) = real.hub.presence(namespace, room);
        let present: BTreeMap<_, _> = present
            .iter()
            .map(|one| {
                let state = if one.state == PresenceState::Live { "live" } else { "away" };
                (&*one.user, (state, one.meta.as_deref().map(|meta| meta.parse().unwrap())))
            })
            .collect();
        assert_eq!((version, present), (expected.version, expected.told.clone()), "{room} of {namespace} {at}");
    }
}

fn counts(model: &Reference, real: &Sut, at: &str) {
    let there: Vec<_> = (0..model.sockets.len()).filter(|socket| there(model, *socket)).collect();
    let open = model.clients.iter().filter(|client| client.open).count();
    let expected = Counts {
        connections: open,
        sessions: open,
        sockets: there.len(),
        away: there.iter().filter(|s| matches!(model.sockets[**s].phase, Phase::Away(_))).count(),
        rooms: model.rooms.len(),
        users: there.iter().filter_map(|socket| model.sockets[*socket].user).collect::<BTreeSet<_>>().len(),
        ..Counts::default()
    };
    assert_eq!(real.hub.counts(), expected, "{at}");
    for (client, entry) in real.clients.iter().enumerate() {
        let Some(conn) = entry.conn else { continue };
        assert_eq!(real.hub.stream(conn) == Stream::Open, model.clients[client].open, "client {client} {at}");
        assert_eq!(real.hub.outgoing_len(conn), model.clients[client].bytes, "client {client} {at}");
    }
    // The hub may ask to be called sooner than the model has anything to do, never later.
    if let Some(next) = model.next() {
        let asked = real.hub.poll_timeout().expect("something is due").as_nanos();
        assert!(asked <= next * 1_000_000, "called too late {at}");
    }
}

pub fn nothing_is_left(real: &Sut) {
    assert!(real.hub.is_finished());
    assert_eq!(real.hub.counts(), Counts::default());
}
