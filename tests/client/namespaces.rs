//! Several namespaces over one session: refused, disconnected, connected again.

use roomwire::client::{ConnectError, EmitError};

use crate::world::{OPEN, OPEN_3, WEBSOCKET, World, config, config_4};

#[test]
fn namespaces_share_a_session() {
    let (mut world, main) = World::websocket(config(WEBSOCKET));
    let admin = world.client.connect(world.now, "/admin", r#"{"token":"secret"}"#).unwrap();
    world.emit(admin, "early", ());
    assert_eq!(world.said(), [r#"40/admin,{"token":"secret"}"#]);
    world.say(r#"40/admin,{"sid":"two"}"#);
    world.say(r#"42/admin,["e",1]"#);
    world.say(r#"42["e",2]"#);
    world.say(r#"42/other,["e",3]"#);
    assert_eq!(world.told(), ["connected 2", "2 e(1)", "1 e(2)"]);
    world.emit(main, "m", ());
    assert_eq!(world.said(), [r#"42/admin,["early"]"#, r#"42["m"]"#]);
    assert_eq!((world.client.namespace(admin), world.client.sid(admin)), (Some("/admin"), Some("two")));
    world.client.disconnect(world.now, main);
    world.turn();
    assert_eq!((world.said(), world.told()), (vec!["41".into()], vec!["disconnected 1: Client".into()]));
    world.client.disconnect(world.now, admin);
    world.turn();
    assert_eq!(world.said(), ["41/admin,", "CLOSED 1000"]);
    assert_eq!(world.told(), ["disconnected 2: Client", "closed"]);
}

#[test]
fn a_namespace_is_refused() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let admin = world.connect("/admin");
    world.emit(admin, "waits", ());
    world.say(r#"44/admin,{"message":"not authorized","data":{"code":401}}"#);
    assert_eq!(world.told(), [r#"refused 2: not authorized {"code":401}"#]);
    assert_eq!(world.said(), ["40/admin,"]);
    // The same socket, with what waited, and what it takes to get in.
    assert_eq!(world.client.connect(world.now, "/admin", r#"{"token":"t"}"#), Ok(admin));
    world.turn();
    world.say(r#"40/admin,{"sid":"two"}"#);
    assert_eq!(world.said(), [r#"40/admin,{"token":"t"}"#, r#"42/admin,["waits"]"#]);
    assert_eq!(world.told(), ["connected 2"]);
    assert_eq!(world.client.connect(world.now, "/admin", ""), Err(ConnectError::Already));
}

/// A session that serves no namespace is closed, and not opened again.
#[test]
fn the_only_namespace_is_refused() {
    let mut world = World::new(config(WEBSOCKET));
    world.connect("/");
    world.say(OPEN);
    world.say(r#"44{"message":"no"}"#);
    assert_eq!(world.told(), ["opened", "refused 1: no ", "closed"]);
    assert_eq!(world.said()[1..], ["40", "CLOSED 1000"]);
    assert!(world.client.is_finished());
    world.connect("/");
    assert_eq!(world.streams(), 1);
}

#[test]
fn the_server_disconnects() {
    let (mut world, main) = World::websocket(config(WEBSOCKET));
    world.connect("/a");
    world.say(r#"40/a,{"sid":"two"}"#);
    world.say("41");
    assert_eq!(world.told(), ["connected 2", "disconnected 1: Server"]);
    world.say(r#"42["late"]"#);
    assert_eq!(world.told(), [""; 0]);
    // Not yet connected is as good.
    let waiting = world.connect("/b");
    world.say("41/b,");
    assert_eq!(world.told(), ["refused 3: disconnected by the server "]);
    assert_eq!(world.connect("/b"), waiting);
    world.client.disconnect(world.now, waiting);
    world.turn();
    // It comes back when the application says so, not with the next session.
    let stream = world.socket();
    world.lose(stream);
    world.pass_seconds(1);
    world.said();
    world.told();
    world.say(OPEN);
    assert_eq!(world.said(), ["40/a,"]);
    assert_eq!(world.connect("/"), main);
    assert_eq!(world.said(), ["40"]);
}

#[test]
fn no_answer_to_connect() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    world.connect("/slow");
    world.said();
    for _ in 0..44 {
        world.pass_seconds(1);
        world.say("2");
    }
    assert_eq!(world.told(), [""; 0]);
    world.said();
    world.pass_seconds(1);
    assert_eq!(world.told(), ["refused 2: no answer in time "]);
    // Servers end a session in which somebody leaves what is not connected: that is said when there is something to leave.
    assert_eq!(world.said(), [""; 0]);
    world.say(r#"40/slow,{"sid":"late"}"#);
    assert_eq!((world.told(), world.said()), (vec![], vec!["41/slow,".into()]));
}

/// Who leaves before the answer comes, and asks again, gets the answer to the second question.
#[test]
fn left_before_the_answer() {
    for refused in [false, true] {
        let (mut world, _) = World::websocket(config(WEBSOCKET));
        let first = world.client.connect(world.now, "/a", r#"{"try":1}"#).unwrap();
        world.client.disconnect(world.now, first);
        let second = world.client.connect(world.now, "/a", r#"{"try":2}"#).unwrap();
        world.client.disconnect(world.now, second);
        let third = world.client.connect(world.now, "/a", r#"{"try":3}"#).unwrap();
        world.emit(third, "e", ());
        assert_eq!(world.said(), [r#"40/a,{"try":1}"#]);
        world.say(if refused { r#"44/a,{"message":"no"}"# } else { r#"40/a,{"sid":"two"}"# });
        let said = world.said();
        if !refused {
            assert_eq!(said[0], "41/a,");
        }
        assert_eq!((said.last().unwrap().as_str(), world.told()), (r#"40/a,{"try":3}"#, vec![]));
        // What the server says to whom it has connected, and that it disconnects it, is not for the third.
        world.say(r#"42/a,["to the first"]"#);
        world.say("41/a,");
        world.say(r#"40/a,{"sid":"three"}"#);
        assert_eq!((world.told(), world.client.sid(third)), (vec!["connected 4".into()], Some("three")));
        assert_eq!(world.said(), [r#"42/a,["e"]"#]);
        // One answer too many does no harm.
        world.say(r#"40/a,{"sid":"four"}"#);
        assert_eq!((world.told(), world.said(), world.client.sid(third)), (vec![], vec![], Some("three")));
    }
    // Nobody wants it any more.
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    let left = world.connect("/a");
    world.client.disconnect(world.now, left);
    world.turn();
    assert_eq!(world.said(), ["40/a,"]);
    world.say(r#"40/a,{"sid":"two"}"#);
    assert_eq!((world.said(), world.told()), (vec!["41/a,".into()], vec![]));
}

/// Protocol 4: the namespace `/` comes unasked, others may have a query, errors are any value.
#[test]
fn protocol_4() {
    let mut world = World::new(config_4(WEBSOCKET));
    let admin = world.connect("/admin?token=secret");
    world.said();
    world.say(OPEN_3);
    world.say("40");
    assert_eq!((world.said(), world.told()), (vec!["40/admin?token=secret,".into()], vec!["opened".into()]));
    world.say("40/admin,");
    assert_eq!((world.told(), world.client.sid(admin)), (vec!["connected 1".into()], Some("/admin#SID")));
    world.connect("/nope");
    world.say(r#"44/nope,"Invalid namespace""#);
    world.connect("/odd");
    world.say(r#"44/odd,{"code":7}"#);
    assert_eq!(world.told(), ["refused 2: Invalid namespace ", r#"refused 3:  {"code":7}"#]);
    // It was connected before anybody wanted it, and goes its way.
    world.say(r#"42["hello"]"#);
    let main = world.connect("/");
    assert_eq!((world.told(), world.client.is_connected(main)), (vec!["connected 4".into()], true));
    assert_eq!(world.said(), ["40/nope,", "40/odd,"]);
}

#[test]
fn names_and_payloads_are_checked() {
    let mut config = config(WEBSOCKET);
    config.limits.namespaces_max = 2;
    let mut world = World::new(config);
    for name in ["", "admin", "/a,b", "/a\n", &"/x".repeat(65)] {
        assert_eq!(world.client.connect(world.now, name, ""), Err(ConnectError::Namespace), "{name:?}");
    }
    for auth in ["x", "[]", "\"a\"", "{", "{}{}", &format!("{{\"a\":\"{}\"}}", "x".repeat(8192))] {
        assert_eq!(world.client.connect(world.now, "/", auth), Err(ConnectError::Auth), "{auth:?}");
    }
    let main = world.connect("/");
    world.connect("/a");
    assert_eq!(world.client.connect(world.now, "/b", ""), Err(ConnectError::TooMany));
    assert_eq!(world.client.connect(world.now, "/", ""), Err(ConnectError::Already));
    world.said();
    world.client.set_auth(main, r#"{"a":1}"#).unwrap();
    assert_eq!(world.client.set_auth(main, "1"), Err(ConnectError::Auth));
    world.say(OPEN);
    assert_eq!(world.said(), [r#"40{"a":1}"#, "40/a,"]);
}

/// Python's servers emit to whom they accept before they say so.
#[test]
fn an_event_before_the_answer_is_told() {
    let (mut world, _) = World::websocket(config(WEBSOCKET));
    world.connect("/a");
    world.say(r#"42/a,1["welcome",1]"#);
    let reply = world.replies.pop().unwrap();
    world.client.ack(world.now, reply, (2,)).unwrap();
    world.say(r#"40/a,{"sid":"two"}"#);
    assert_eq!(world.told(), ["2 welcome(1) ?", "connected 2"]);
    assert_eq!(world.said(), ["40/a,", "43/a,1[2]"]);
}

/// What comes before the answer to a second CONNECT of the same session was said to the first socket of that name.
#[test]
fn nothing_of_an_earlier_life_is_told() {
    for by_server in [true, false] {
        let (mut world, main) = World::websocket(config(WEBSOCKET));
        let first = world.connect("/a");
        world.say(r#"40/a,{"sid":"two"}"#);
        world.say(r#"42/a,7["ask",1]"#);
        world.emit_with_ack(first, "question", 50);
        if by_server {
            world.say("41/a,");
        } else {
            world.client.disconnect(world.now, first);
            world.turn();
        }
        world.told();
        world.said();
        let again = world.connect("/a");
        assert_eq!(again == first, by_server);
        world.say(r#"42/a,7["ask",2]"#);
        world.say("43/a,0[]");
        assert_eq!((world.said(), world.told()), (vec!["40/a,".into()], vec![]));
        // Nor is it answered: in its new life the number is another question's.
        let (late, expected) =
            (world.replies.pop().unwrap(), if by_server { EmitError::Stale } else { EmitError::Gone });
        let late = world.client.ack(world.now, late, ()).unwrap_err();
        assert_eq!(format!("{late:?}"), format!("{expected:?}"));
        world.say(r#"40/a,{"sid":"three"}"#);
        let number = world.emit_with_ack(again, "question", 50);
        assert_eq!(world.said(), [r#"42/a,1["question"]"#], "the number of an earlier question comes again");
        world.say("43/a,0[]");
        world.say("43/a,1[5]");
        let name = if by_server { "2" } else { "3" };
        assert_eq!(world.told(), [format!("connected {name}"), format!("ack {number}: 5")]);

        // A new session has no earlier life.
        let stream = world.socket();
        world.lose(stream);
        world.pass_seconds(1);
        world.say(OPEN);
        world.say(r#"40{"sid":"one"}"#);
        world.told();
        world.say(r#"42/a,["early"]"#);
        assert_eq!(world.told(), [format!("{name} early()")]);
        assert!(world.client.is_connected(main) && !world.client.is_connected(again));
    }
}

/// More than a session remembers: each is connected once all the same.
#[test]
fn very_many_namespaces() {
    let mut config = config(WEBSOCKET);
    config.limits.namespaces_max = 1100;
    let mut world = World::new(config);
    for nth in 0..1100 {
        world.client.connect(world.now, &format!("/{nth}"), "").unwrap();
    }
    world.turn();
    world.said();
    world.say(OPEN);
    let asked = world.said();
    assert_eq!(asked.len(), 1100);
    for connect in asked {
        world.say(&format!("{connect}{{\"sid\":\"x\"}}"));
    }
    assert!(world.said().is_empty());
    assert_eq!(world.told().len(), 1101);
}
