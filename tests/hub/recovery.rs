//! Connection state recovery: who comes back gets what it has missed, all of it or the word that something is lost.

use std::time::Duration;

use roomwire::Instant;
use roomwire::hub::{
    Config, ConfigError, ConnId, DisconnectReason, EmitError, Peer, Recovery, SocketError, SocketId, Target,
};
use roomwire::socketio::{Placeholder, attach};

use crate::fuzz_hub::Told;
use crate::support::polls::Poller;
use crate::world::{V3, V4, World, config, millis};

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

fn say(world: &mut World, target: Target<'_>, number: u32) {
    world.hub.emit(world.now, target, "say", (number,)).unwrap();
}

fn said(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("\"say\" {number}")).collect()
}

#[test]
fn what_was_missed_comes_before_the_answer() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    world.hub.identify(world.now, client.socket, "ann").unwrap();
    say(&mut world, Target::room("lobby"), 1);
    client.listen(&mut world);
    assert_eq!(client.heard, said([1]));
    // On its way, and lost.
    say(&mut world, Target::room("lobby"), 2);
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 3);
    let receipt = world.hub.emit(world.now, client.socket, "say", (4,)).unwrap();
    assert_eq!((receipt.queued, receipt.away, receipt.kept), (0, 1, 1));
    say(&mut world, Target::user("ann"), 5);
    say(&mut world, Target::all(), 6);
    say(&mut world, Target::room("other"), 7);
    let told = client.return_to(&mut world);
    assert_eq!(told, [Told::Recovered(client.socket)]);
    let packets = world.hears(client.conn);
    let sid = world.hub.sid(client.socket).unwrap();
    assert_eq!(packets.last().unwrap(), &format!(r#"40{{"sid":"{sid}","pid":"{}"}}"#, client.pid));
    let events: Vec<_> = packets[..packets.len() - 1].iter().map(|packet| packet.split(',').nth(1).unwrap()).collect();
    assert_eq!(events, ["2", "3", "4", "5", "6"]);
    assert_eq!(world.hub.rooms(client.socket).collect::<Vec<_>>(), ["lobby"]);
    assert_eq!((world.hub.user(client.socket), world.hub.counts().away), (Some("ann"), 0));
    say(&mut world, Target::room("lobby"), 8);
    client.heard.clear();
    client.listen(&mut world);
    assert_eq!(client.heard, said([8]));
}

#[test]
fn without_it_nothing_is_different() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.hub.emit(world.now, socket, "say", (1,)).unwrap();
    assert_eq!(world.hears(conn), ["42[\"say\",1]"]);
    world.gone(conn);
    world.told();
    assert!(matches!(world.hub.emit(world.now, socket, "say", ()), Err(EmitError::Socket(SocketError::Away))));
    let conn = world.open(V4);
    let told =
        world.says(conn, &format!(r#"40{{"pid":"{}","offset":"1"}}"#, world.hub.token(socket).unwrap().as_str()));
    assert!(matches!(told[..], [Told::Connecting(..)]), "{told:?}");
}

#[test]
fn who_cannot_recover_gets_no_offsets() {
    let mut world = World::new(recovering(Recovery::default()));
    let old = world.open(V3);
    let Some(Told::Connecting(first, ..)) = world.told().pop() else { panic!() };
    world.hub.accept(world.now, first).unwrap();
    let lines = world.hub.connect_lines(world.now, Peer::default()).unwrap();
    world.bytes(lines, b"0\n");
    let Some(Told::Connecting(second, ..)) = world.told().pop() else { panic!() };
    world.hub.accept(world.now, second).unwrap();
    let new = Client::new(&mut world, "/");
    world.hears(old);
    let answer = String::from_utf8(world.read(lines, usize::MAX)).unwrap();
    assert!(answer.starts_with("0{\"sid\":") && !answer.contains("pid"), "{answer}");
    say(&mut world, Target::all(), 1);
    assert_eq!(world.hears(old), ["42[\"say\",1]"]);
    assert_eq!(world.read(lines, usize::MAX), b"2[\"say\",1]\n");
    assert!(world.hears(new.conn)[0].starts_with("42[\"say\",1,\""));
    world.hub.abort(world.now, lines);
    assert!(matches!(world.hub.emit(world.now, second, "say", ()), Err(EmitError::Socket(SocketError::Away))));
}

#[test]
fn who_was_never_told_anything_recovers_too() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), said([]));
    say(&mut world, Target::room("lobby"), 1);
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 2);
    assert_eq!(client.recovers(&mut world), said([1, 2]), "it has no offset yet");
}

#[test]
fn what_may_be_lost_is_not_kept() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    say(&mut world, Target::room("lobby").volatile(), 1);
    let (_, receipt) = world.hub.emit_with_acks(world.now, Target::room("lobby"), "ask", (), millis(1000)).unwrap();
    assert_eq!(receipt.queued, 1);
    assert_eq!(world.hears(client.conn), ["42[\"say\",1]", "420[\"ask\"]"], "neither has an offset");
    client.lose(&mut world);
    say(&mut world, Target::room("lobby").volatile(), 2);
    assert!(world.hub.emit(world.now, Target::socket(client.socket).volatile(), "say", ()).is_err());
    assert!(world.hub.emit_with_ack(world.now, client.socket, "ask", (), millis(1000)).is_err());
    assert_eq!(client.recovers(&mut world), said([]));
    assert_eq!(world.hub.counts().history_bytes, 0);
}

#[test]
fn a_live_session_is_taken_over() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    let old = client.conn;
    say(&mut world, Target::room("lobby"), 1);
    let told = client.return_to(&mut world);
    let until = world.now.saturating_add(Duration::from_secs(120));
    let taken = Told::Disconnected(client.socket, DisconnectReason::TakenOver, Some(until));
    assert_eq!(told, [taken, Told::Recovered(client.socket)]);
    client.listen(&mut world);
    assert_eq!(client.heard, said([1]), "what the old transport still had is sent again");
    assert_eq!(world.hears(old).last().unwrap(), "close 1001");
    assert_eq!(world.hub.connection(client.socket), Some(client.conn));
}

#[test]
fn it_is_as_if_one_had_been_there() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    let mut chat = Client::new(&mut world, "/chat");
    for client in [&client, &chat] {
        world.hub.identify(world.now, client.socket, "ann").unwrap();
        client.lose(&mut world);
    }
    let (hub, now) = (&mut world.hub, world.now);
    hub.join(now, client.socket, "red").unwrap();
    hub.join(now, chat.socket, "blue").unwrap();
    let targets = [
        Target::room("lobby").and_room("red").and_socket(client.socket).and_room("lobby"), // 0: once
        Target::room("lobby").except(client.socket),
        Target::room("lobby").except_room("red"),
        Target::room("lobby").except_room("blue"), // 3
        Target::user("ann"),                       // 4: both
        Target::user("ann").of("/chat"),           // 5: chat
        Target::namespace("/chat"),                // 6: chat
        Target::room("blue"),
        Target::room("blue").of("/chat"),              // 8: chat
        Target::all().except_room("blue"),             // 9
        Target::sockets([client.socket, chat.socket]), // 10: both
        Target::sockets([client.socket]).of("/chat"),
        Target::socket(chat.socket).and_user("ann").except(client.socket), // 12: chat
        Target::room("lobby").and_user("bob").of("/"),                     // 13
        Target::namespace("/none"),
    ];
    for (number, target) in targets.into_iter().enumerate() {
        say(&mut world, target, number as u32);
    }
    let live = world.hub.sockets(Target::user("ann"));
    assert_eq!(live.len(), 2);
    assert_eq!(client.recovers(&mut world), said([0, 3, 4, 9, 10, 13]));
    assert_eq!(chat.recovers(&mut world), said([4, 5, 6, 8, 10, 12]));
}

/// Rooms are joined and left at all times; what counts is where one was when something was said.
#[test]
fn rooms_that_one_was_in_for_a_while() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::new(&mut world, "/");
    let other = Client::member(&mut world, "red");
    say(&mut world, Target::room("red"), 0);
    world.hub.join(world.now, client.socket, "red").unwrap();
    say(&mut world, Target::room("red"), 1);
    world.hub.leave(world.now, client.socket, "red").unwrap();
    say(&mut world, Target::room("red"), 2);
    world.hub.join(world.now, client.socket, "red").unwrap();
    say(&mut world, Target::room("red"), 3);
    client.lose(&mut world);
    say(&mut world, Target::room("red"), 4);
    world.hub.leave(world.now, client.socket, "red").unwrap();
    say(&mut world, Target::room("red"), 5);
    world.hub.join(world.now, other.socket, "mute").unwrap();
    assert_eq!(client.recovers(&mut world), said([1, 3, 4]));
}

/// A room that nobody is in any more is forgotten, with what was said there.
#[test]
fn a_room_that_is_gone() {
    for read in [false, true] {
        let mut world = World::new(recovering(Recovery::default()));
        let mut client = Client::member(&mut world, "red");
        say(&mut world, Target::room("red"), 1);
        if read {
            client.listen(&mut world);
        }
        world.hub.leave(world.now, client.socket, "red").unwrap();
        assert_eq!(world.hub.counts().history_bytes, 0);
        client.lose(&mut world);
        if read {
            assert_eq!(client.recovers(&mut world), said([]));
        } else {
            client.has_missed_something(&mut world);
        }
    }
}

#[test]
fn s16_an_offset_gives_nothing_from_before_ones_time() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut before = Client::member(&mut world, "lobby");
    say(&mut world, Target::room("lobby"), 1);
    before.listen(&mut world);
    say(&mut world, Target::room("lobby"), 2);
    let mut late = Client::member(&mut world, "lobby");
    late.offset = before.offset.clone();
    say(&mut world, Target::room("lobby"), 3);
    assert_eq!(late.recovers(&mut world), said([3]));
    // Nor again what one said that one has.
    let first = before.offset.clone();
    before.listen(&mut world);
    before.lose(&mut world);
    assert_eq!(before.recovers(&mut world), said([]));
    before.offset = first;
    assert_eq!(before.recovers(&mut world), said([]));
}

#[test]
fn s16_forged_claims() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::new(&mut world, "/");
    let pid = client.pid.clone();
    client.lose(&mut world);
    let mut other = pid.clone();
    other.replace_range(3..4, if &pid[3..4] == "A" { "B" } else { "A" });
    let escaped = format!("\\u{:04x}{}", pid.as_bytes()[0], &pid[1..]);
    let claims = [
        format!(r#"40{{"pid":"{other}"}}"#),
        format!(r#"40{{"pid":"{}"}}"#, &pid[1..]),
        format!(r#"40{{"pid":"{escaped}"}}"#),
        format!(r#"40{{"pid":["{pid}"]}}"#),
        format!(r#"40{{"auth":{{"pid":"{pid}"}}}}"#),
        format!(r#"40/chat,{{"pid":"{pid}"}}"#),
        r#"40{"pid":null,"offset":7}"#.to_owned(),
        "40".to_owned(),
    ];
    for claim in &claims {
        let conn = world.open(V4);
        let told = world.says(conn, claim);
        assert!(matches!(told[..], [Told::Connecting(..)]), "{claim}: {told:?}");
    }
    assert!(!world.hub.is_live(client.socket));
    let conn = world.open(V4);
    assert_eq!(world.says(conn, &format!(r#"40{{"pid":"{pid}"}}"#)), [Told::Recovered(client.socket)]);
    assert!(!format!("{:?}", world.hub).contains(&pid), "a secret is not shown");
}

#[test]
fn s16_a_pid_ends_with_its_session() {
    let mut world = World::new(recovering(Recovery::default()));
    let ends: [fn(&mut World, &Client); 4] = [
        |world, client| drop(world.says(client.conn, "41")),
        |world, client| world.hub.disconnect(world.now, client.socket).unwrap(),
        |world, client| {
            client.lose(world);
            world.pass(Duration::from_secs(120));
        },
        |world, client| {
            client.lose(world);
            world.resume(client.socket);
        },
    ];
    for (at, end) in ends.into_iter().enumerate() {
        let client = Client::new(&mut world, "/");
        end(&mut world, &client);
        world.told();
        let conn = world.open(V4);
        let told = world.says(conn, &format!("40{}", client.auth()));
        assert!(matches!(told[..], [Told::Connecting(..)]), "{at}: {told:?}");
    }
}

/// Whoever takes a string for an offset that is none has all the same missed nothing if there was nothing.
#[test]
fn an_offset_of_another_server() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "lobby");
    say(&mut world, Target::room("lobby"), 1);
    client.listen(&mut world);
    let own = client.offset.clone().unwrap();
    client.lose(&mut world);
    let epoch = &own[..6];
    client.recovers(&mut world);
    let foreign =
        ["", "1", "AAAAAA1", &format!("{epoch}2"), &format!("{epoch}+1"), &format!("{epoch}99999999999999999999")];
    for offset in foreign {
        client.offset = Some(offset.to_owned());
        assert_eq!(client.recovers(&mut world), said([]), "{offset}");
    }
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 2);
    for offset in foreign.iter().filter(|offset| **offset != format!("{epoch}2")) {
        client.offset = Some((*offset).to_owned());
        client.has_missed_something(&mut world);
        client.lose(&mut world);
        say(&mut world, Target::room("lobby"), 3);
    }
}

#[test]
fn what_is_too_old_is_dropped() {
    let mut config = recovering(Recovery { age_max: Duration::from_secs(60), ..Recovery::default() });
    config.engine.ping_interval = Duration::from_secs(3600);
    let mut world = World::new(config);
    let (mut idle, mut busy) = (Client::member(&mut world, "quiet"), Client::member(&mut world, "lobby"));
    say(&mut world, Target::room("lobby"), 1);
    let full = world.hub.counts().history_bytes;
    busy.lose(&mut world);
    idle.lose(&mut world);
    world.pass(Duration::from_millis(59_999));
    assert_eq!(world.hub.counts().history_bytes, full);
    world.pass(millis(1));
    assert_eq!(world.hub.counts().history_bytes, 0);
    busy.has_missed_something(&mut world);
    assert_eq!(idle.recovers(&mut world), said([]), "nothing was lost to it");
    busy.lose(&mut world);
    say(&mut world, Target::room("lobby"), 2);
    assert_eq!(busy.recovers(&mut world), said([2]), "and from then on nothing is to it either");
}

#[test]
fn a_loud_room_does_not_push_out_a_quiet_one() {
    let recovery = Recovery { bytes_max: 1 << 20, room_bytes_max: 10_000, ..Recovery::default() };
    let mut world = World::new(recovering(recovery));
    let mut clients = ["quiet", "loud"].map(|room| Client::member(&mut world, room));
    clients.iter().for_each(|client| client.lose(&mut world));
    say(&mut world, Target::room("quiet"), 1);
    for number in 0..1000 {
        say(&mut world, Target::room("loud"), number);
        let bytes = world.hub.counts().history_bytes;
        assert!(bytes < 11_000, "{bytes}");
    }
    assert_eq!(clients[0].recovers(&mut world), said([1]));
    clients[1].has_missed_something(&mut world);
}

#[test]
fn all_together_have_a_limit() {
    let recovery = Recovery { bytes_max: 50_000, room_bytes_max: 10_000, ..Recovery::default() };
    let mut world = World::new(recovering(recovery));
    let rooms: Vec<String> = (0..20).map(|room| format!("room {room}")).collect();
    let mut clients: Vec<_> = rooms.iter().map(|room| Client::member(&mut world, room)).collect();
    clients.iter().for_each(|client| client.lose(&mut world));
    for number in 0..20 {
        for room in &rooms {
            say(&mut world, Target::room(room), number);
        }
        assert!(world.hub.counts().history_bytes <= 50_000);
    }
    clients[0].has_missed_something(&mut world);
    // One that is longer than all that a room may have is lost to everybody, and nothing else is.
    clients[0].lose(&mut world);
    say(&mut world, Target::room(&rooms[0]), 7);
    assert_eq!(clients[0].recovers(&mut world), said([7]));
    clients[0].lose(&mut world);
    world.hub.emit(world.now, Target::room(&rooms[0]), "say", ("long ".repeat(3000),)).unwrap();
    assert!(world.hub.counts().history_bytes > 40_000);
    clients[0].has_missed_something(&mut world);
}

/// What no outbox holds cannot be sent at once; the client hears that it lacks something.
#[test]
fn more_than_an_outbox_holds() {
    let mut config = recovering(Recovery::default());
    config.limits.outbox_bytes_max = 20_000;
    config.limits.congested_bytes = 10_000;
    let mut world = World::new(config);
    let mut client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    for number in 0..20 {
        say(&mut world, Target::room("lobby"), number);
    }
    assert_eq!(client.recovers(&mut world).len(), 20);
    client.lose(&mut world);
    for number in 0..1000 {
        say(&mut world, Target::room("lobby"), number);
    }
    client.has_missed_something(&mut world);
}

/// Who joins and leaves without end makes the hub remember only so much.
#[test]
fn many_rooms_one_after_the_other() {
    let mut world = World::new(recovering(Recovery::default()));
    let (mut client, other) = (Client::new(&mut world, "/"), Client::new(&mut world, "/"));
    for number in 0..200 {
        let room = format!("room {number}");
        world.hub.join(world.now, other.socket, &room).unwrap();
        world.hub.join(world.now, client.socket, &room).unwrap();
        say(&mut world, Target::room(&room), number);
        if number == 150 {
            client.listen(&mut world);
        }
        world.hub.leave(world.now, client.socket, &room).unwrap();
    }
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), said(151..200));
    let mut slow = Client::new(&mut world, "/");
    for number in 0..200 {
        let room = format!("room {number}");
        world.hub.join(world.now, slow.socket, &room).unwrap();
        say(&mut world, Target::room(&room), number);
        world.hub.leave(world.now, slow.socket, &room).unwrap();
    }
    slow.lose(&mut world);
    slow.has_missed_something(&mut world);
}

/// Where nothing was said there is nothing to remember.
#[test]
fn many_silent_rooms() {
    let mut world = World::new(recovering(Recovery::default()));
    let mut client = Client::member(&mut world, "red");
    say(&mut world, Target::room("red"), 1);
    for number in 0..200 {
        let room = format!("room {number}");
        world.hub.join(world.now, client.socket, &room).unwrap();
        world.hub.leave(world.now, client.socket, &room).unwrap();
    }
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), said([1]));
}

#[test]
fn a_room_that_is_named_twice() {
    let recovery = Recovery { bytes_max: 4096, room_bytes_max: 4096, age_max: Duration::from_secs(10) };
    let mut world = World::new(recovering(recovery));
    let mut client = Client::member(&mut world, "red");
    client.lose(&mut world);
    for number in 0..100 {
        say(&mut world, Target::room("red").and_room("red"), number);
        world.pass(millis(1000));
    }
    // Those of the last ten seconds.
    assert!(world.hub.counts().history_bytes > 2500, "{:?}", world.hub.counts());
    client.has_missed_something(&mut world);
    client.lose(&mut world);
    say(&mut world, Target::room("red").and_room("red"), 100);
    assert_eq!(client.recovers(&mut world), said([100]));
}

#[test]
fn nothing_is_kept_for_who_is_gone() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::new(&mut world, "/");
    say(&mut world, Target::socket(client.socket), 1);
    assert!(world.hub.counts().history_bytes > 0);
    world.says(client.conn, "41");
    assert_eq!(world.hub.counts().history_bytes, 0);
}

/// Who came back by its token, and speaks what knows nothing of recovery, is to be recovered no more.
#[test]
fn a_client_that_is_another_now() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::new(&mut world, "/");
    client.lose(&mut world);
    let token = world.hub.token(client.socket).unwrap();
    let lines = world.hub.connect_lines(world.now, Peer::default()).unwrap();
    world.bytes(lines, b"0\n");
    let Some(Told::Connecting(asking, ..)) = world.told().pop() else { panic!() };
    assert_eq!(world.hub.resume(world.now, asking, &token), Ok(client.socket));
    assert_eq!(world.told(), [Told::Connected(client.socket, true)]);
    let conn = world.open(V4);
    let told = world.says(conn, &format!("40{}", client.auth()));
    assert!(matches!(told[..], [Told::Connecting(..)]), "{told:?}");
}

#[test]
fn attachments_are_kept_too() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    let args = attach((Placeholder(0), 7), [&b"\x01\x02"[..]]);
    world.hub.emit(world.now, Target::room("lobby"), "file", args).unwrap();
    let conn = world.open(V4);
    world.says(conn, &format!("40{}", client.auth()));
    let packets = world.hears(conn);
    let [event, attachment, answer] = &packets[..] else { panic!("{packets:?}") };
    assert!(event.starts_with(r#"451-["file",{"_placeholder":true,"num":0},7,""#), "{event}");
    assert_eq!(attachment, "frame 82");
    assert!(answer.starts_with("40{"), "{answer}");
}

#[test]
fn by_long_polling() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 1);
    say(&mut world, Target::room("lobby"), 2);
    let (get, post) = (world.hub.connect(world.now).unwrap(), world.hub.connect(world.now).unwrap());
    let mut poller = Poller::new(false, false, get, post);
    world.bytes(get, &poller.ask());
    world.told();
    poller.hears(&world.read(get, usize::MAX));
    world.bytes(get, &poller.ask());
    world.bytes(post, &poller.post(format!("40{}", client.auth()).as_bytes()));
    assert_eq!(world.told(), [Told::Recovered(client.socket)]);
    // The answer to the POST goes first.
    assert!(world.read(post, usize::MAX).ends_with(b"ok"));
    assert_eq!(world.told(), []);
    poller.hears(&world.read(get, usize::MAX));
    let [_, first, second, answer] = &poller.heard[..] else { panic!("{:?}", poller.heard) };
    assert!(first.starts_with("42[\"say\",1,") && second.starts_with("42[\"say\",2,"), "{first} {second}");
    assert!(answer.contains(&client.pid), "{answer}");
}

#[test]
fn settings_that_cannot_work() {
    let refused = |recovery: Recovery| {
        let mut config = config();
        config.recovery = Some(recovery);
        match config.validate() {
            Err(ConfigError::Limits(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let default = Recovery::default();
    assert!(refused(Recovery { bytes_max: 1000, ..default }).contains("bytes_max"));
    assert!(refused(Recovery { room_bytes_max: (16 << 20) + 1, ..default }).contains("room_bytes_max"));
    assert!(refused(Recovery { age_max: Duration::ZERO, ..default }).contains("age_max"));
    assert_eq!(Instant::ORIGIN, World::new(recovering(default)).now);
}
