//! CONNECT: who asks, who answers, and how long either may take.

use roomwire::hub::{Config, DisconnectReason, Error, KeepHandshakes, Namespaces, Origins, Refusal, SocketError};
use roomwire::socketio;
use serde_json::json;

use crate::app::App;
use crate::client::{Client, Frame, MAIN, MAIN_3, message, opening, text};
use crate::world::{Told, World, open_config, secs};

const NANO: std::time::Duration = std::time::Duration::from_nanos(1);

fn connecting(world: &mut World, packet: &str) -> (Client, Vec<Told>) {
    let mut client = Client::open(world, MAIN);
    client.frames(world);
    assert_eq!(client.ask(world, packet), []);
    (client, world.news())
}

#[test]
fn the_application_sees_namespace_and_payload() {
    for (packet, namespace, auth) in [
        ("40", "/", ""),
        ("40{}", "/", "{}"),
        (r#"40{"token":"t","n":[1,{"é":null}]}"#, "/", r#"{"token":"t","n":[1,{"é":null}]}"#),
        ("40/admin", "/admin", ""),
        ("40/admin,", "/admin", ""),
        (r#"40/admin,{"a":1}"#, "/admin", r#"{"a":1}"#),
        ("40/,", "/", ""),
        ("40/a/b-c.d~é,", "/a/b-c.d~é", ""),
    ] {
        let mut world = World::manual();
        let (_, told) = connecting(&mut world, packet);
        let [Told::Connecting { namespace: seen, auth: payload, query, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!((seen.as_str(), payload.as_str(), query.as_str()), (namespace, auth, ""), "{packet}");
    }
}

#[test]
fn protocol_5_gets_an_id_that_is_not_the_sessions() {
    let mut world = World::manual();
    let mut client = Client::open(&mut world, MAIN);
    let sid = Client::sid_of(&client.frames(&mut world)[0]);
    client.say(&mut world, "40/admin,");
    let socket = world.last_socket();
    world.news();
    world.hub.accept(world.now, socket).unwrap();
    world.settle();
    assert_eq!(world.news(), [Told::Connected { socket, resumed: false }]);
    let own = world.hub.sid(socket).unwrap().to_owned();
    assert_eq!(client.frames(&mut world), [text(&format!(r#"40/admin,{{"sid":"{own}"}}"#))]);
    assert_ne!(own, sid);
    let token = world.hub.token(socket).unwrap();
    assert!(!token.as_str().contains(&sid) && !token.as_str().contains(&own));
}

#[test]
fn protocol_4_connects_the_main_namespace_unasked() {
    let mut world = World::manual();
    let mut client = Client::open(&mut world, MAIN_3);
    let open = client.frames(&mut world);
    assert!(matches!(&open[..], [Frame::Text(open)] if open.starts_with(r#"0{"sid":""#)), "{open:?}");
    let socket = world.last_socket();
    let told = world.news();
    assert!(matches!(&told[..], [Told::Connecting { namespace, auth, query, .. }]
        if namespace == "/" && auth.is_empty() && query.is_empty()));
    world.hub.accept(world.now, socket).unwrap();
    world.settle();
    assert_eq!(client.frames(&mut world), [text("40")]);
    // It may ask for what it has.
    assert_eq!(client.ask(&mut world, "40"), []);
    assert!(world.hub.is_live(socket));
}

#[test]
fn protocol_4_has_a_query_for_each_namespace() {
    for (packet, query) in [
        ("40/admin?token=t%20x&y,", "token=t%20x&y"),
        ("40/admin?token=t", "token=t"),
        ("40/admin?,", ""),
        ("40/admin?a?b,", "a?b"),
        ("40/admin,", ""),
    ] {
        let mut world = World::manual();
        let mut client = Client::open(&mut world, MAIN_3);
        world.news();
        client.say(&mut world, packet);
        let told = world.news();
        let [Told::Connecting { socket, namespace, query: seen, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!((namespace.as_str(), seen.as_str()), ("/admin", query), "{packet}");
        client.frames(&mut world);
        world.hub.accept(world.now, *socket).unwrap();
        world.settle();
        assert_eq!(client.frames(&mut world), [text("40/admin,")]);
    }
}

#[test]
fn refusals_in_both_protocols() {
    let plain = Refusal::new("say \"please\"");
    let data = Refusal::new("no").data(&json!({"code": 401})).unwrap();
    let text_alone = Refusal::new("no").data(&"a text").unwrap();
    for (target, namespace, refusal, expected) in [
        (MAIN, "", &plain, r#"44{"message":"say \"please\""}"#),
        (MAIN, "/admin,", &plain, r#"44/admin,{"message":"say \"please\""}"#),
        (MAIN, "/admin,", &data, r#"44/admin,{"message":"no","data":{"code":401}}"#),
        (MAIN_3, "/admin,", &plain, r#"44/admin,"say \"please\"""#),
        (MAIN_3, "/admin,", &data, r#"44/admin,{"code":401}"#),
        (MAIN_3, "/admin,", &text_alone, r#"44/admin,"a text""#),
    ] {
        let mut world = World::manual();
        let mut client = Client::open(&mut world, target);
        client.say(&mut world, &format!("40{namespace}"));
        client.frames(&mut world);
        let socket = world.last_socket();
        world.news();
        world.hub.refuse(world.now, socket, refusal).unwrap();
        world.settle();
        assert_eq!(client.frames(&mut world), [text(expected)]);
        // The refused is nobody, and nothing more is told of it.
        assert_eq!(world.news(), []);
        assert_eq!(world.hub.accept(world.now, socket), Err(SocketError::Gone));
        assert_eq!(world.hub.refuse(world.now, socket, refusal), Err(SocketError::Gone));
        assert_eq!(world.hub.namespace(socket), None);
        // It may try again.
        client.say(&mut world, &format!("40{namespace}"));
        assert!(matches!(&world.news()[..], [Told::Connecting { .. }]));
    }
}

/// In protocol 4 the main namespace can be refused too.
#[test]
fn refused_unasked() {
    let mut world = World::manual();
    let mut client = Client::open(&mut world, MAIN_3);
    client.frames(&mut world);
    let socket = world.last_socket();
    world.hub.refuse(world.now, socket, &Refusal::new("no")).unwrap();
    world.settle();
    assert_eq!(client.frames(&mut world), [text(r#"44"no""#)]);
    assert_eq!(world.hub.counts().sockets, 0);
}

#[test]
fn acceptance_may_come_later() {
    let mut world = World::manual();
    let (mut client, _) = connecting(&mut world, "40");
    let socket = world.last_socket();
    // The heartbeat and other namespaces go on meanwhile.
    world.pass(secs(25));
    assert_eq!(client.frames(&mut world), [text("2")]);
    assert_eq!(client.ask(&mut world, "3"), []);
    client.say(&mut world, "40/admin,");
    let other = world.last_socket();
    assert_ne!(other, socket);
    world.hub.accept(world.now, other).unwrap();
    world.settle();
    assert!(matches!(&client.frames(&mut world)[..], [Frame::Text(answer)] if answer.starts_with("40/admin,{")));
    world.hub.accept(world.now, socket).unwrap();
    world.settle();
    assert!(matches!(&client.frames(&mut world)[..], [Frame::Text(answer)] if answer.starts_with(r#"40{"sid""#)));
    assert_eq!(world.hub.accept(world.now, socket), Err(SocketError::NotConnecting));
}

/// Nobody speaks in a namespace before being let in, as with the official server.
#[test]
fn an_event_before_the_acceptance_ends_the_session() {
    let mut world = World::manual();
    let (mut client, _) = connecting(&mut world, "40");
    let socket = world.last_socket();
    let reason = "Socket.IO: namespace is not connected";
    assert_eq!(client.ask(&mut world, r#"42["early"]"#), [Frame::Close(1008, reason.into())]);
    let reason = DisconnectReason::ProtocolError;
    assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
    assert_eq!(world.hub.accept(world.now, socket), Err(SocketError::Gone));
}

/// Everything may come in one piece with the opening handshake.
#[test]
fn packets_glued_to_the_handshake() {
    let mut world = World::captured();
    let conn = world.stream();
    let bytes = [opening(MAIN, ""), message("40"), message(r#"420["echo",7]"#)].concat();
    world.feed(conn, &bytes);
    let mut client = Client::behind(&mut world, conn);
    let texts = client.texts(&mut world);
    assert!(texts[0].starts_with("0{") && texts[1].starts_with("40{"), "{texts:?}");
    assert_eq!(texts[2..], [r#"42["hello","world",1,true,{"a":[null]}]"#, "430[7]"]);
}

#[test]
fn a_client_that_leaves_before_the_acceptance() {
    let mut world = World::manual();
    let (mut client, _) = connecting(&mut world, "40");
    let socket = world.last_socket();
    assert_eq!(client.ask(&mut world, "41"), []);
    let reason = DisconnectReason::Client;
    assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
    assert_eq!(world.hub.accept(world.now, socket), Err(SocketError::Gone));
    // A transport that is lost leaves nobody away who was never there.
    client.say(&mut world, "40");
    let socket = world.last_socket();
    world.news();
    world.abort(client.conn);
    let reason = DisconnectReason::TransportClosed;
    assert_eq!(world.news()[0], Told::Disconnected { socket, reason, away_until: None });
    assert_eq!(world.hub.counts().sockets, 0);
}

#[test]
fn without_a_connect_the_session_ends_in_time() {
    let mut world = World::manual();
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    world.pass(secs(25));
    assert_eq!(client.frames(&mut world), [text("2")]);
    client.say(&mut world, "3");
    world.pass(secs(20) - NANO);
    assert_eq!(client.frames(&mut world), []);
    world.pass(NANO);
    assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
    client.finish(&mut world);
    assert_eq!(world.error(client.conn), Some(Error::SocketIo(socketio::Error::ConnectTimeout)));
}

/// Asking for namespaces that there are not buys no time.
#[test]
fn refused_namespaces_do_not_extend_the_time_out() {
    let config = Config { namespaces: Namespaces::Listed(vec!["/".into()]), ..open_config() };
    let mut world = World::new(config, crate::app::App::Manual);
    let mut client = Client::open(&mut world, MAIN);
    client.frames(&mut world);
    for second in 1..45_u64 {
        world.pass(secs(1));
        let frames = client.ask(&mut world, "40/none,");
        assert!(frames.contains(&text(r#"44/none,{"message":"Invalid namespace"}"#)), "{second}");
        if frames.contains(&text("2")) {
            client.say(&mut world, "3");
        }
    }
    world.pass(secs(1));
    assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
}

#[test]
fn an_application_that_never_accepts() {
    for (target, packet, answer) in [
        (MAIN, "40", r#"44{"message":"timeout"}"#),
        (MAIN, "40/admin,", r#"44/admin,{"message":"timeout"}"#),
        (MAIN_3, "2", r#"44"timeout""#),
    ] {
        let config = Config { connect_timeout: secs(7), ..Config::new(Origins::Any) };
        let config = Config { namespaces: open_config().namespaces, ..config };
        let mut world = World::new(config, crate::app::App::Manual);
        let mut client = Client::open(&mut world, target);
        client.say(&mut world, packet);
        client.frames(&mut world);
        let socket = world.last_socket();
        world.news();
        world.pass(secs(7) - NANO);
        assert_eq!((client.frames(&mut world), world.news()), (vec![], vec![]));
        world.pass(NANO);
        assert_eq!(client.frames(&mut world), [text(answer)]);
        let reason = DisconnectReason::NotAccepted;
        assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
        assert_eq!(world.hub.accept(world.now, socket), Err(SocketError::Gone));
        // Who is in no namespace has as long again to find one.
        world.pass(secs(7) - NANO);
        assert_eq!(client.frames(&mut world), []);
        world.pass(NANO);
        assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
    }
}

#[test]
fn a_second_connect_ends_the_session() {
    for accepted in [true, false] {
        let mut world = World::manual();
        let (mut client, _) = connecting(&mut world, "40/admin,");
        let socket = world.last_socket();
        if accepted {
            world.hub.accept(world.now, socket).unwrap();
            world.settle();
            client.frames(&mut world);
        }
        world.news();
        let reason = "Socket.IO: namespace is connected already";
        assert_eq!(client.ask(&mut world, "40/admin,"), [Frame::Close(1008, reason.into())]);
        let reason = DisconnectReason::ProtocolError;
        assert_eq!(world.news(), [Told::Disconnected { socket, reason, away_until: None }]);
        client.finish(&mut world);
        assert_eq!(world.error(client.conn), Some(Error::SocketIo(socketio::Error::AlreadyConnected)));
    }
}

/// The request with its query and headers is there while the application decides.
#[test]
fn the_request_is_shown_while_connecting() {
    // In a namespace that is the only one.
    let mut world = World::new(Config::new(Origins::Any), App::Manual);
    let mut client = Client::open_with(&mut world, &format!("{MAIN}&room=red"), "Cookie: user=7\r\n");
    client.say(&mut world, "40");
    let socket = world.last_socket();
    let request = world.hub.handshake(socket).expect("shown").request.clone().expect("by HTTP");
    assert_eq!((request.query_value("room").as_deref(), request.header("cookie")), (Some("red"), Some("user=7")));
    drop(request);
    world.hub.accept(world.now, socket).unwrap();
    assert!(world.hub.handshake(socket).is_none());
}

/// Who has several namespaces is known by its cookie in each: in protocol 4 `/` is always the first.
#[test]
fn the_request_is_shown_in_each_namespace() {
    for (keep, in_second, at_last) in [
        (KeepHandshakes::UntilAccepted, false, false),
        (KeepHandshakes::WhileNeeded, true, false),
        (KeepHandshakes::Always, true, true),
    ] {
        for target in [MAIN, MAIN_3] {
            let namespaces = Namespaces::Listed(vec!["/".into(), "/admin".into()]);
            let config = Config { keep_handshakes: keep, namespaces, ..Config::new(Origins::Any) };
            let mut world = World::new(config, App::Manual);
            let mut client = Client::open_with(&mut world, target, "Cookie: user=7\r\n");
            client.say(&mut world, "40");
            let main = world.last_socket();
            let shown = |world: &World, socket| {
                let request = world.hub.handshake(socket).and_then(|handshake| handshake.request.clone());
                request.is_some_and(|request| request.header("cookie") == Some("user=7"))
            };
            assert!(shown(&world, main));
            world.hub.accept(world.now, main).unwrap();
            client.say(&mut world, "40/admin,");
            let admin = world.last_socket();
            assert_ne!(main, admin);
            assert_eq!(shown(&world, admin), in_second, "{keep:?}");
            // Who is refused may try again with more.
            world.hub.refuse(world.now, admin, &Refusal::new("no")).unwrap();
            client.say(&mut world, "40/admin,");
            let admin = world.last_socket();
            assert_eq!(shown(&world, admin), in_second, "{keep:?}");
            world.hub.accept(world.now, admin).unwrap();
            assert_eq!((shown(&world, main), shown(&world, admin)), (at_last, at_last), "{keep:?}");
        }
    }
}

/// Of two that are connecting at once the second is not blinded by the first.
#[test]
fn the_request_is_shown_until_all_are_answered() {
    let namespaces = Namespaces::Listed(vec!["/".into(), "/admin".into()]);
    let mut world = World::new(Config { namespaces, ..Config::new(Origins::Any) }, App::Manual);
    let mut client = Client::open(&mut world, MAIN);
    let [main, admin] = ["40", "40/admin,"].map(|packet| {
        client.say(&mut world, packet);
        world.last_socket()
    });
    world.hub.accept(world.now, main).unwrap();
    assert!(world.hub.handshake(admin).is_some());
    world.hub.accept(world.now, admin).unwrap();
    assert!(world.hub.handshake(admin).is_none());
}

/// A single namespace too: who is refused there may connect again on the same transport.
#[test]
fn the_request_is_shown_again_after_a_refusal() {
    let mut world = World::new(Config::new(Origins::Any), App::Manual);
    let mut client = Client::open(&mut world, MAIN);
    client.say(&mut world, "40");
    let first = world.last_socket();
    world.hub.refuse(world.now, first, &Refusal::new("no")).unwrap();
    client.say(&mut world, "40");
    assert!(world.hub.handshake(world.last_socket()).is_some());
}
