//! What clients claim to be and to have.

use std::time::Duration;

use roomwire::hub::{EmitError, Event, Peer, Recovery, SocketError, Target};
use roomwire::ws::Opcode;

use super::{Client, recovering, said, say};
use crate::fuzz_hub::Told;
use crate::support::ws::masked;
use crate::world::{V3, V4, World, millis};

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

/// Who has missed something, and loses the transport before it hears of that, is still in its session.
#[test]
fn a_pid_is_good_until_the_next_is_heard_of() {
    let mut world = World::new(recovering(Recovery { age_max: millis(1000), ..Recovery::default() }));
    let mut client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 1);
    world.pass(millis(1000));
    for _ in 0..3 {
        let told = client.return_to(&mut world);
        assert_eq!(told, [Told::Connected(client.socket, true)]);
        client.lose(&mut world);
    }
    let first = client.auth();
    client.has_missed_something(&mut world);
    // From its first word on only the next is good; or when it comes with that.
    world.says(client.conn, "42[\"hello\"]");
    is_unknown(&mut world, &first);
    let second = client.auth();
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 2);
    world.pass(millis(1000));
    client.has_missed_something(&mut world);
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), said([]));
    is_unknown(&mut world, &second);
    assert_eq!(world.hub.rooms(client.socket).collect::<Vec<_>>(), ["lobby"]);
}

fn is_unknown(world: &mut World, auth: &str) {
    let conn = world.open(V4);
    let told = world.says(conn, &format!("40{auth}"));
    assert!(matches!(told[..], [Told::Connecting(..)]), "{told:?}");
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

/// A client takes the last string of any event for its offset, its name included, be it what another client has said.
#[test]
fn s16_a_volatile_event_is_no_offset() {
    for forged in [false, true] {
        let mut world = World::new(recovering(Recovery::default()));
        let mut client = Client::member(&mut world, "lobby");
        for number in 0..3 {
            say(&mut world, Target::room("lobby"), number);
            client.listen(&mut world);
        }
        let own = client.offset.clone().unwrap();
        let ahead = format!("{}8", own.strip_suffix('3').unwrap());
        let behind = format!("{}1", own.strip_suffix('3').unwrap());
        let other = Client::new(&mut world, "/");
        for said in if forged { [ahead, behind] } else { ["ann".to_owned(), String::new()] } {
            let event = format!("42[\"typing\",\"x\",\"{said}\" ]");
            let mut bytes = masked(Opcode::Text, event.as_bytes());
            let mut input = &mut bytes[..];
            while let Some(event) = world.hub.receive(world.now, other.conn, &mut input) {
                let Event::Emit { args, .. } = event else { panic!("{event:?}") };
                world.hub.emit(world.now, Target::room("lobby").volatile(), "typing", args).unwrap();
            }
        }
        client.listen(&mut world);
        client.lose(&mut world);
        for number in 3..10 {
            say(&mut world, Target::room("lobby"), number);
        }
        assert_eq!(client.recovers(&mut world), said(3..10));
        world.hub.emit(world.now, Target::room("lobby").volatile(), "tick", ()).unwrap();
        client.listen(&mut world);
        assert_eq!(client.recovers(&mut world), said([]));
    }
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

/// Lines know nothing of offsets: what is recovered on them would be recovered again and again.
#[test]
fn s16_a_claim_on_lines() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 1);
    let lines = world.hub.connect_lines(world.now, Peer::default()).unwrap();
    world.bytes(lines, format!("0{}\n", client.auth()).as_bytes());
    let told = world.told();
    assert!(matches!(told[..], [Told::Connecting(..)]), "{told:?}");
    assert!(!world.hub.is_live(client.socket));
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
