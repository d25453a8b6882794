//! The change from long polling to WebSocket.

use roomwire::client::Config;
use roomwire::engineio::{Transport, Transports};
use roomwire::ws::{CloseCode, Message};

use crate::world::{Asked, OPEN_UPGRADE, World, config, config_4};

fn both() -> Config {
    config(Transports::ALL)
}

fn begun() -> (World, roomwire::client::SocketId, Asked) {
    let (mut world, socket, get) = World::polling(both(), OPEN_UPGRADE);
    assert_eq!(world.said(), ["UPGRADE /socket.io/?EIO=4&transport=websocket&sid=SID", "2probe"]);
    (world, socket, get)
}

#[test]
fn polling_upgraded_to_websocket() {
    let (mut world, socket, get) = begun();
    world.say("3probe");
    assert_eq!(world.client.transport(), Some(Transport::Polling));
    // What is emitted while it pauses waits.
    world.emit(socket, "during", ());
    world.nothing_asked();
    assert_eq!(world.said(), [""; 0]);
    world.answer(&get, "42[\"before\"]");
    assert_eq!(world.told(), ["1 before()", "upgraded"]);
    assert_eq!(world.said(), ["5", "42[\"during\"]"]);
    assert_eq!(world.client.transport(), Some(Transport::WebSocket));
    world.nothing_asked();
    assert_eq!(world.streams(), 1, "the streams of the requests are closed");
    world.say("42[\"after\"]");
    world.say("2");
    assert_eq!((world.told(), world.said()), (vec!["1 after()".into()], vec!["3".into()]));
}

/// A POST that is under way is answered before the change, and no other follows it.
#[test]
fn a_post_under_way_is_waited_for() {
    let (mut world, socket, get) = begun();
    world.emit(socket, "posted", ());
    let post = world.post();
    assert_eq!(post.body(), "42[\"posted\"]");
    world.say("3probe");
    world.answer(&get, "6");
    world.emit(socket, "queued", ());
    assert_eq!((world.said(), world.told()), (vec![], vec![]));
    world.nothing_asked();
    world.answer(&post, "ok");
    assert_eq!((world.said(), world.told()), (vec!["5".into(), "42[\"queued\"]".into()], vec!["upgraded".into()]));
}

/// A ping that came with the last poll is answered behind the change.
#[test]
fn a_ping_with_the_last_poll() {
    let (mut world, _, get) = begun();
    world.say("3probe");
    world.answer(&get, "2");
    assert_eq!(world.said(), ["5", "3"]);
}

/// Whatever goes wrong with it, the session goes on by polling, nothing lost.
#[test]
fn an_upgrade_that_fails() {
    type Fault = fn(&mut World);
    let faults: [(Fault, &str); 7] = [
        (|world| world.say("3"), "Packet"),
        (|world| world.say("42[\"e\"]"), "Packet"),
        (|world| world.send(&[Message::from(&[1_u8][..])]), "Packet"),
        (|world| world.send(&[Message::from("3probe"), Message::from("3probe")]), "Packet"),
        (|world| world.close_socket(CloseCode::NORMAL), "Packet"),
        (
            |world| {
                let stream = world.socket();
                world.lose(stream)
            },
            "Unreachable",
        ),
        (|world| world.pass_seconds(10), "UpgradeTimeout"),
    ];
    for (fault, error) in faults {
        let (mut world, socket, get) = begun();
        fault(&mut world);
        assert_eq!(world.told(), [format!("upgrade failed: {error}")]);
        world.emit(socket, "e", ());
        let post = world.post();
        assert_eq!(post.body(), "42[\"e\"]", "{error}");
        world.answer(&post, "ok");
        world.answer(&get, "42[\"f\"]");
        assert_eq!((world.told(), world.get().request.method()), (vec!["1 f()".into()], "GET"));
        world.nothing_asked();
        world.pass_seconds(20);
        assert_eq!((world.told(), world.streams()), (vec![], 1), "{error}");
    }
}

/// It fails between `3probe` and `5`: what waited goes out by polling.
#[test]
fn an_upgrade_that_fails_while_it_pauses() {
    let (mut world, socket, get) = begun();
    world.say("3probe");
    world.emit(socket, "waiting", ());
    let stream = world.socket();
    world.lose(stream);
    assert_eq!(world.told(), ["upgrade failed: Unreachable"]);
    let post = world.post();
    assert_eq!(post.body(), "42[\"waiting\"]");
    world.answer(&post, "ok");
    world.answer(&get, "6");
    assert_eq!(world.get().request.method(), "GET");

    // The poll was answered already: the next one begins.
    let (mut world, socket, get) = begun();
    world.emit(socket, "posted", ());
    let post = world.post();
    world.say("3probe");
    world.answer(&get, "6");
    world.nothing_asked();
    world.pass_seconds(10);
    assert_eq!(world.told(), ["upgrade failed: UpgradeTimeout"]);
    assert_eq!(world.get().request.method(), "GET");
    world.answer(&post, "ok");
}

#[test]
fn the_upgrade_is_refused() {
    let mut world = World::new(both());
    world.upgrades = false;
    world.connect("/");
    let get = world.get();
    world.answer(&get, OPEN_UPGRADE);
    assert_eq!(world.told(), ["opened", "upgrade failed: WebSocket(Handshake(Status(400)))"]);
    let (post, _get) = (world.post(), world.get());
    world.answer(&post, "ok");
}

/// Only what the server offers, and what the application allows.
#[test]
fn no_upgrade_without_offer_or_wish() {
    let (world, _, _) = World::polling(both(), crate::world::OPEN);
    assert_eq!(world.streams(), 2);
    let (mut world, _, _) = World::polling(config(crate::world::POLLING), OPEN_UPGRADE);
    assert_eq!((world.streams(), world.said()), (2, vec![]));
}

/// The session is closed while it changes: the end goes out by polling.
#[test]
fn closing_while_upgrading() {
    let (mut world, socket, _get) = begun();
    world.say("3probe");
    world.client.emit(world.now, socket, "last", ()).unwrap();
    world.client.close(world.now);
    world.turn();
    let post = world.post();
    assert_eq!(post.body(), "42[\"last\"]\u{1e}41\u{1e}1");
    world.answer(&post, "ok");
    assert!(world.client.is_finished() && world.client.transport().is_none());
    assert_eq!(world.streams(), 0);
}

#[test]
fn revision_3() {
    let open = r#"0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#;
    let mut world = World::new(config_4(Transports::ALL));
    let socket = world.connect("/");
    let get = world.get();
    world.answer(&get, &format!("{}:{open}2:40", open.len()));
    let get = world.get();
    assert_eq!(world.said(), ["UPGRADE /socket.io/?EIO=3&transport=websocket&sid=SID", "2probe"]);
    world.say("3probe");
    world.answer(&get, "1:6");
    world.emit(socket, "e", ());
    assert_eq!(world.said(), ["5", "42[\"e\"]"]);
    world.pass_seconds(25);
    assert_eq!(world.said(), ["2"]);
}
