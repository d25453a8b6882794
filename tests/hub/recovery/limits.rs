//! How much is kept, how long, and for whom.

use std::time::Duration;

use roomwire::Instant;
use roomwire::hub::{ConfigError, Counts, Namespaces, Recovery, Target};

use super::{Client, recovering, said, say};
use crate::fuzz_hub::Told;
use crate::support::memory::measure;
use crate::world::{World, config, millis};

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

/// What is kept for a client is dropped in time though nobody calls for it.
#[test]
fn the_timer_is_set_by_what_is_kept() {
    let mut world = World::new(recovering(Recovery { age_max: millis(5000), ..Recovery::default() }));
    let _client = Client::member(&mut world, "lobby");
    for number in 0..10 {
        say(&mut world, Target::room("lobby"), number);
        world.pass(millis(100));
        assert!(world.hub.poll_timeout().unwrap() > world.now);
    }
    world.pass(millis(4500));
    let some = world.hub.counts().history_bytes;
    assert!(some > 0);
    world.pass(millis(500));
    assert_eq!(world.hub.counts().history_bytes, 0);
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

/// What is too long for a room is kept for nobody, and the application is not told otherwise.
#[test]
fn a_receipt_for_what_is_too_long_to_be_kept() {
    let mut world = World::new(recovering(Recovery { room_bytes_max: 2048, ..Recovery::default() }));
    let client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    let receipt = world.hub.emit(world.now, Target::room("lobby"), "say", ("long ".repeat(1000),)).unwrap();
    assert_eq!((receipt.away, receipt.kept), (1, 0));
    let receipt = world.hub.emit(world.now, Target::room("lobby"), "say", ("short",)).unwrap();
    assert_eq!((receipt.away, receipt.kept), (1, 1));
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

/// However much the frames of what was missed take, a connection gets all of it or nothing.
#[test]
fn what_is_sent_again_has_room() {
    let name = format!("/{}", "n".repeat(1500));
    for events in 1..40 {
        let mut config = recovering(Recovery::default());
        config.namespaces = Namespaces::Listed(vec![name.clone()]);
        config.limits.namespace_bytes_max = 2000;
        config.limits.outbox_bytes_max = 20_000;
        config.limits.congested_bytes = 10_000;
        let mut world = World::new(config);
        let mut client = Client::new(&mut world, &name);
        client.lose(&mut world);
        for number in 0..events {
            say(&mut world, Target::namespace(&name), number);
        }
        let told = client.return_to(&mut world);
        let answer = name.len() + 100;
        assert!(world.hub.outgoing_len(client.conn) <= 10_000 + answer, "half of an outbox is left");
        if told.contains(&Told::Recovered(client.socket)) {
            client.heard.clear();
            assert_eq!(client.listen(&mut world), Some(true));
            assert_eq!(client.heard, said(0..events));
        } else {
            assert_eq!(told, [Told::Connected(client.socket, true)]);
            assert_eq!(client.listen(&mut world), Some(false));
        }
        assert!(world.hub.connection(client.socket).is_some(), "live on what it came by");
        assert_eq!(world.hub.counts().away, 0);
    }
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

/// Whom an event is not for is kept with it, and counts.
#[test]
fn exceptions_have_their_price() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::member(&mut world, "lobby");
    let mut target = Target::room("lobby");
    say(&mut world, target.clone(), 1);
    let plain = world.hub.counts().history_bytes;
    for _ in 0..1000 {
        target = target.except(client.socket);
    }
    say(&mut world, target, 1);
    assert!(world.hub.counts().history_bytes >= 2 * plain + 8000, "{plain}");
}

/// What is counted is what it takes.
#[test]
fn what_an_event_costs() {
    for (length, count) in [(1, 10_000), (1000, 1000)] {
        let recovery = Recovery { room_bytes_max: 16 << 20, ..Recovery::default() };
        let mut world = World::new(recovering(recovery));
        let client = Client::member(&mut world, "lobby");
        client.lose(&mut world);
        let text = "x".repeat(length);
        let (_, usage) = measure(|| {
            for _ in 0..count {
                world.hub.emit(world.now, Target::room("lobby").except(client.socket), "say", (&*text,)).unwrap();
            }
        });
        let counted = world.hub.counts().history_bytes as isize;
        assert!(usage.live <= counted + 1000, "{} counted, {} taken each", counted / count, usage.live / count);
    }
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

/// Clients who come and go leave nothing, nor do their rooms and what was said there.
#[test]
fn m06_clients_that_come_and_go_leave_nothing() {
    come_and_go(millis(5000));
    come_and_go(Duration::ZERO);
}

fn come_and_go(away_timeout: Duration) {
    let mut config = recovering(Recovery { age_max: millis(10_000), ..Recovery::default() });
    config.away_timeout = away_timeout;
    config.limits.outbox_bytes_max = 20_000;
    config.limits.congested_bytes = 10_000;
    let mut world = World::new(config);
    let mut lives = |count: usize| {
        for number in 0..count {
            let room = format!("room {}", number % 7);
            let mut client = Client::member(&mut world, &room);
            say(&mut world, Target::room(&room), 1);
            say(&mut world, Target::socket(client.socket).and_room("none"), 1);
            say(&mut world, Target::all().except_room(&room), 1);
            match number % 4 {
                0 => client.lose(&mut world),
                1 => drop(world.says(client.conn, "41")),
                2 => drop(client.return_to(&mut world)),
                _ => {
                    while world.hub.is_live(client.socket) {
                        let target = Target::room(&room).and_socket(client.socket);
                        world.hub.emit(world.now, target, "say", ("long ".repeat(100),)).unwrap();
                    }
                }
            }
            world.hub.abort(world.now, client.conn);
            world.told();
            while world.hub.poll_transmit().is_some() {}
            world.pass(millis(20));
        }
        world.pass(millis(60_000));
        world.told();
        assert_eq!(world.hub.counts(), Counts::default());
    };
    lives(500);
    let (_, usage) = measure(|| lives(2000));
    assert!(usage.live < 16_000, "{usage:?}");
}
