//! Presence: what is told of whom, to whom, and when.

use roomwire::hub::{EmitError, PresenceChange, PresenceEvents, PresenceState, SocketId};

use crate::fuzz_hub::Told;
use crate::world::{World, config, count, millis};

fn changes(told: &[Told]) -> Vec<(&str, PresenceChange, u64)> {
    let change = |told| match told {
        &Told::Presence { ref user, change, version, .. } => Some((user.as_str(), change, version)),
        _ => None,
    };
    told.iter().filter_map(change).collect()
}

fn enter(world: &mut World, socket: SocketId, user: &str) {
    world.hub.identify(world.now, socket, user).unwrap();
    world.hub.enter(world.now, socket, "lobby").unwrap();
}

fn diff(version: u64, change: &str) -> String {
    format!(r#"42["presence_diff",{{"room":"lobby","version":{version},"changes":[{change}]}}]"#)
}

#[test]
fn a_newcomer_gets_the_list_and_the_others_a_diff() {
    let mut world = World::new(config());
    let ((ann, ann_socket), (bob, bob_socket), (watcher, watcher_socket)) =
        (world.client(), world.client(), world.client());
    world.hub.join(world.now, watcher_socket, "lobby").unwrap();
    enter(&mut world, ann_socket, "ann");
    world.pass(millis(49));
    assert_eq!(world.hears(ann).len(), 0, "the window is open");
    world.pass(millis(1));
    let list = r#"42["presence",{"room":"lobby","version":1,"members":[{"user":"ann","state":"live","meta":null}]}]"#;
    assert_eq!((world.hears(ann), world.hears(watcher)), (vec![list.into()], vec![list.into()]));
    enter(&mut world, bob_socket, "bob");
    world.hub.set_meta(world.now, bob_socket, "lobby", &"hi").unwrap();
    world.pass(millis(50));
    let both = r#"{"user":"ann","state":"live","meta":null},{"user":"bob","state":"live","meta":"hi"}"#;
    let list = format!(r#"42["presence",{{"room":"lobby","version":2,"members":[{both}]}}]"#);
    let diff = diff(2, r#"{"user":"bob","change":"arrived","state":"live","meta":"hi"}"#);
    assert_eq!(world.hears(bob), [list]);
    assert_eq!((world.hears(ann), world.hears(watcher)), (vec![diff.clone()], vec![diff]));
    world.gone(bob);
    world.pass(millis(50));
    let away = self::diff(3, r#"{"user":"bob","change":"away","state":"away","meta":"hi"}"#);
    assert_eq!(world.hears(ann), [away]);
    world.live(&[ann, watcher], millis(28_000));
    world.pass(millis(2000));
    let left = self::diff(4, r#"{"user":"bob","change":"left"}"#);
    assert_eq!(world.hears(ann).last(), Some(&left));
}

#[test]
fn what_cancels_out_within_a_window_is_not_told() {
    let mut world = World::new(config());
    let ((ann, ann_socket), (bob, bob_socket)) = (world.client(), world.client());
    enter(&mut world, ann_socket, "ann");
    world.pass(millis(50));
    world.hears(ann);
    world.told();
    // In and out again.
    enter(&mut world, bob_socket, "bob");
    world.hub.leave(world.now, bob_socket, "lobby").unwrap();
    world.pass(millis(100));
    // Lost and back.
    world.gone(ann);
    world.pass(millis(40));
    let ann = world.resume(ann_socket);
    world.pass(millis(100));
    assert_eq!(changes(&world.told()), []);
    assert_eq!(world.hears(bob), [""; 0]);
    assert_eq!(world.hears(ann).len(), 2, "the welcome and the list, at the version that it had");
    assert_eq!(world.hub.presence("/", "lobby").0, 1);
}

/// What is shown is changed and changed back.
#[test]
fn a_change_that_is_taken_back_is_not_told() {
    let mut world = World::new(config());
    let (ann, socket) = world.client();
    enter(&mut world, socket, "ann");
    world.hub.set_meta(world.now, socket, "lobby", &1).unwrap();
    world.pass(millis(50));
    world.hears(ann);
    world.told();
    for meta in [2, 1] {
        world.hub.set_meta(world.now, socket, "lobby", &meta).unwrap();
    }
    world.pass(millis(50));
    assert_eq!((changes(&world.told()), world.hears(ann).len()), (vec![], 0));
}

/// `Hub::presence` is the list that the members have, at its version.
#[test]
fn the_list_is_as_it_was_last_told() {
    let mut world = World::new(config());
    let (_, socket) = world.client();
    enter(&mut world, socket, "ann");
    assert_eq!(world.hub.presence("/", "lobby"), (0, vec![]));
    world.hub.set_meta(world.now, socket, "lobby", &1).unwrap();
    world.pass(millis(50));
    let told = world.hub.presence("/", "lobby");
    assert_eq!((told.0, told.1[0].state, told.1[0].meta.as_deref()), (1, PresenceState::Live, Some("1")));
    world.hub.set_meta(world.now, socket, "lobby", &2).unwrap();
    assert_eq!(world.hub.presence("/", "lobby"), told, "nobody was told of the change yet");
    world.pass(millis(50));
    assert_eq!(world.hub.presence("/", "lobby").1[0].meta.as_deref(), Some("2"));
}

#[test]
fn a_user_is_there_as_long_as_one_device_is() {
    let mut world = World::new(config());
    let (desk, desk_socket) = world.client();
    let (phone, phone_socket) = world.client();
    let (watcher, watcher_socket) = world.client();
    world.hub.join(world.now, watcher_socket, "lobby").unwrap();
    let steps = |world: &mut World| {
        world.pass(millis(50));
        let told = world.told();
        changes(&told).into_iter().map(|(_, change, _)| change).collect::<Vec<_>>()
    };
    enter(&mut world, desk_socket, "ann");
    assert_eq!(steps(&mut world), [PresenceChange::Arrived]);
    enter(&mut world, phone_socket, "ann");
    assert_eq!(steps(&mut world), []);
    world.gone(desk);
    assert_eq!(steps(&mut world), [], "the phone is there");
    world.gone(phone);
    assert_eq!(steps(&mut world), [PresenceChange::Away]);
    let desk = world.resume(desk_socket);
    assert_eq!(steps(&mut world), [PresenceChange::Returned]);
    world.live(&[desk, watcher], millis(40_000));
    assert_eq!(changes(&world.told()), [], "the phone has left, the desk is there");
    world.says(desk, "41");
    assert_eq!(steps(&mut world), [PresenceChange::Left]);
}

#[test]
fn many_arrivals_are_one_diff_for_each_member() {
    let mut world = World::new(config());
    let (watcher, watcher_socket) = world.client();
    enter(&mut world, watcher_socket, "watcher");
    world.pass(millis(50));
    world.hears(watcher);
    world.told();
    let clients: Vec<_> = (0..300).map(|_| world.client()).collect();
    for (number, (_, socket)) in clients.iter().enumerate() {
        enter(&mut world, *socket, &format!("user {number}"));
    }
    world.pass(millis(50));
    let told = world.told();
    assert!(changes(&told).iter().all(|(_, change, version)| (*change, *version) == (PresenceChange::Arrived, 2)));
    assert_eq!(count(&told, "arrived"), 300);
    assert_eq!(world.hears(watcher).len(), 1);
    for (conn, _) in &clients {
        assert_eq!(world.hears(*conn).len(), 1);
    }
}

/// The list of a room that is larger than an outbox: whoever joins must learn of it in some way.
#[test]
fn a_list_too_long_for_one_event_is_not_silently_lost() {
    let mut config = config();
    config.limits.outbox_bytes_max = 10_000;
    config.limits.congested_bytes = 8_000;
    let mut world = World::new(config);
    for number in 0..40 {
        let (conn, socket) = world.client();
        enter(&mut world, socket, &format!("user {number}"));
        world.hub.set_meta(world.now, socket, "lobby", &"m".repeat(300)).unwrap();
        world.pass(millis(50));
        let heard = world.hears(conn);
        assert!(heard.iter().any(|packet| packet.starts_with("42[\"presence\"")), "number {number} hears nothing");
    }
}

#[test]
fn a_long_list_comes_in_parts() {
    let mut world = World::new(config());
    for number in 0..300 {
        let (_, socket) = world.client();
        enter(&mut world, socket, &format!("user {number:03}"));
        world.hub.set_meta(world.now, socket, "lobby", &"m".repeat(1000)).unwrap();
    }
    world.pass(millis(50));
    let (conn, socket) = world.client();
    world.hub.join(world.now, socket, "lobby").unwrap();
    world.pass(millis(50));
    let heard = world.hears(conn);
    assert!(heard.len() >= 5);
    let mut users = Vec::new();
    for (number, packet) in heard.iter().enumerate() {
        assert!(packet.len() < 40_000);
        let event: serde_json::Value = serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
        assert_eq!((&event[0], &event[1]["version"]), (&"presence".into(), &1.into()));
        assert_eq!((&event[1]["part"], &event[1]["parts"]), (&number.into(), &heard.len().into()));
        users.extend(event[1]["members"].as_array().unwrap().iter().map(|member| member["user"].to_string()));
    }
    assert!(users.len() == 300 && users.is_sorted());
}

/// Who has events of these names of his own gives the hub others.
#[test]
fn presence_under_names_of_ones_choice() {
    let mut config = config();
    config.presence_events = PresenceEvents { snapshot: "who's \"here\"".into(), diff: "changed".into() };
    let mut world = World::new(config);
    let (conn, socket) = world.client();
    world.hub.identify(world.now, socket, "ann").unwrap();
    world.hub.enter(world.now, socket, "lobby").unwrap();
    world.pass(millis(60));
    let heard = world.hears(conn);
    assert!(heard[0].starts_with(r#"42["who's \"here\"",{"#), "{heard:?}");
    let (_, other) = world.client();
    world.hub.identify(world.now, other, "bob").unwrap();
    world.hub.enter(world.now, other, "lobby").unwrap();
    world.pass(millis(60));
    let heard = world.hears(conn);
    assert!(heard[0].starts_with(r#"42["changed",{"#), "{heard:?}");
    world.hub.emit(world.now, socket, "presence", (1,)).unwrap();
    assert_eq!(world.hears(conn), [r#"42["presence",1]"#]);
    let reserved = world.hub.emit(world.now, socket, "changed", ());
    assert!(matches!(reserved, Err(EmitError::ReservedName)));
}
