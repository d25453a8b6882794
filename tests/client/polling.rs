//! HTTP long polling as the transport.

use roomwire::socketio::{Placeholder, attach};

use crate::world::{OPEN, OPEN_3, POLLING, World, config, config_4};

#[test]
fn a_session_by_polling() {
    let mut world = World::new(config(POLLING));
    let socket = world.client.connect(world.now, "/", r#"{"token":"t"}"#).unwrap();
    world.turn();
    let get = world.get();
    assert_eq!(get.line, "GET /socket.io/?EIO=4&transport=polling");
    assert_eq!(get.request.header("host"), Some("server:3000"));
    world.answer(&get, OPEN);
    let (post, get) = (world.post(), world.get());
    assert_eq!(post.line, "POST /socket.io/?EIO=4&transport=polling&sid=SID");
    assert_eq!(post.body(), r#"40{"token":"t"}"#);
    assert_eq!(post.request.header("content-type"), Some("text/plain;charset=UTF-8"));
    assert_eq!(get.line, "GET /socket.io/?EIO=4&transport=polling&sid=SID");
    assert_ne!(post.stream, get.stream, "the one waits while the other goes");
    world.answer(&post, "ok");
    world.answer(&get, "40{\"sid\":\"one\"}\u{1e}42[\"hello\",\"world\",1]");
    assert_eq!(world.told(), ["opened", "connected 1", "1 hello(\"world\",1)"]);
    assert_eq!((world.client.is_connected(socket), world.client.sid(socket)), (true, Some("one")));
    let again = world.get();
    assert_eq!((again.line.as_str(), again.stream), (get.line.as_str(), get.stream), "kept alive");
    world.nothing_asked();
}

/// What is emitted within one turn goes in one body, and what comes while one is under way in the next.
#[test]
fn bodies_are_gathered() {
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    for nth in 0..3 {
        world.client.emit(world.now, socket, "e", (nth,)).unwrap();
    }
    world.turn();
    let post = world.post();
    assert_eq!(post.body(), "42[\"e\",0]\u{1e}42[\"e\",1]\u{1e}42[\"e\",2]");
    world.emit(socket, "e", (3,));
    world.emit(socket, "e", (4,));
    world.nothing_asked();
    world.answer(&post, "ok");
    assert_eq!(world.post().body(), "42[\"e\",3]\u{1e}42[\"e\",4]");
}

/// What waits for the next body is queued; so is a body that no stream has taken yet.
#[test]
fn what_is_queued_is_known() {
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    assert_eq!(world.client.queued_bytes(), 0);
    world.client.emit(world.now, socket, "e", ("x".repeat(1000),)).unwrap();
    assert!((1000..1100).contains(&world.client.queued_bytes()), "{}", world.client.queued_bytes());
    world.turn();
    let post = world.post();
    assert_eq!(world.client.queued_bytes(), 0);
    world.emit(socket, "e", ("x".repeat(2000),));
    assert!((2000..2100).contains(&world.client.queued_bytes()), "{}", world.client.queued_bytes());
    world.answer(&post, "ok");
    let post = world.post();
    assert_eq!(world.client.queued_bytes(), 0);
    world.answer(&post, "ok");
    assert_eq!(world.client.queued_bytes(), 0);
}

#[test]
fn bodies_are_no_longer_than_the_server_takes() {
    let open = r#"0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":110}"#;
    let (mut world, socket, _get) = World::polling(config(POLLING), open);
    for size in [30, 30, 30, 200, 1] {
        world.client.emit(world.now, socket, "e", ("x".repeat(size),)).unwrap();
    }
    world.turn();
    for sizes in [&[30, 30][..], &[30], &[200], &[1]] {
        let post = world.post();
        let found: Vec<usize> = post.body().split('\u{1e}').map(|packet| packet.matches('x').count()).collect();
        assert_eq!(found, sizes, "what is too long goes alone");
        assert!(post.body().len() <= 110 || sizes == [200]);
        world.answer(&post, "ok");
    }
    world.nothing_asked();
}

#[test]
fn bodies_have_no_more_packets_than_servers_take() {
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    for nth in 0..40 {
        world.client.emit(world.now, socket, "e", (nth,)).unwrap();
    }
    world.turn();
    for count in [16, 16, 8] {
        let post = world.post();
        assert_eq!(post.body().split('\u{1e}').count(), count);
        world.answer(&post, "ok");
    }
}

#[test]
fn attachments_both_ways() {
    let (mut world, socket, get) = World::polling(config(POLLING), OPEN);
    world.emit(socket, "photo", attach((Placeholder(0), "x"), [&[0xde_u8, 0xad][..]]));
    let post = world.post();
    assert_eq!(post.body(), "451-[\"photo\",{\"_placeholder\":true,\"num\":0},\"x\"]\u{1e}b3q0=");
    world.answer(&post, "ok");
    // The attachments come with the next answer.
    world.answer(&get, r#"452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]"#);
    assert_eq!(world.told(), [""; 0]);
    let get = world.get();
    world.answer(&get, "bAQIDBA==\u{1e}bBQ==");
    assert_eq!(
        world.told(),
        [r#"1 bin({"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}) b"\x01\x02\x03\x04" b"\x05""#]
    );
}

/// Revision 3: lengths in UTF-16, the namespace `/` unasked and in the answer that opens, binary bodies.
#[test]
fn revision_3() {
    let mut world = World::new(config_4(POLLING));
    let socket = world.connect("/");
    let get = world.get();
    assert_eq!(get.line, "GET /socket.io/?EIO=3&transport=polling");
    world.answer(&get, &format!("{}:{OPEN_3}2:40", OPEN_3.len()));
    assert_eq!(world.told(), ["opened", "connected 1"]);
    assert_eq!(world.client.sid(socket), Some("SID"));
    let get = world.get();
    world.emit(socket, "msg", ("€😀",));
    let post = world.post();
    assert_eq!(post.body(), "15:42[\"msg\",\"€😀\"]");
    assert_eq!(post.request.header("content-type"), Some("text/plain;charset=UTF-8"));
    world.answer(&post, "ok");
    world.answer(&get, "20:42[\"msg-back\",\"€😀\"]");
    assert_eq!(world.told(), ["1 msg-back(\"€😀\")"]);

    let get = world.get();
    let body = b"\x00\x04\x01\xff451-[\"bin\",{\"_placeholder\":true,\"num\":0}]\x01\x05\xff\x04\x01\x02\x03\x04";
    world.respond(&get, "200 OK", "content-type: application/octet-stream\r\n", body);
    assert_eq!(world.told(), [r#"1 bin({"_placeholder":true,"num":0}) b"\x01\x02\x03\x04""#]);
    world.emit(socket, "b", attach((Placeholder(0),), [&[0xca_u8, 0xfe][..]]));
    let post = world.post();
    assert_eq!(post.request.header("content-type"), Some("application/octet-stream"));
    assert_eq!(
        post.request.body(),
        b"\x00\x03\x09\xff451-[\"b\",{\"_placeholder\":true,\"num\":0}]\x01\x03\xff\x04\xca\xfe"
    );
}

/// The client pings in revision 3, and the server in revision 4.
#[test]
fn heartbeats_by_polling() {
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    world.answer(&get, "2\u{1e}2");
    let (post, get) = (world.post(), world.get());
    assert_eq!((post.body(), get.request.method()), ("3", "GET"), "one answer for all");

    let mut world = World::new(config_4(POLLING));
    world.connect("/");
    let get = world.get();
    world.answer(&get, &format!("{}:{OPEN_3}2:40", OPEN_3.len()));
    let get = world.get();
    world.pass_seconds(25);
    let post = world.post();
    assert_eq!(post.body(), "1:2");
    world.answer(&post, "ok");
    world.answer(&get, "1:3");
    assert_eq!(world.told(), ["opened", "connected 1"]);
}

/// Each answer may be the last of its stream, and an idle stream may end.
#[test]
fn streams_end_between_requests() {
    let (mut world, socket, get) = World::polling(config(POLLING), OPEN);
    world.respond(&get, "200 OK", "connection: close\r\n", b"6");
    let next = world.get();
    assert_ne!(next.stream, get.stream);
    world.emit(socket, "e", ());
    let post = world.post();
    world.respond(&post, "200 OK", "connection: close\r\n", b"ok");
    world.emit(socket, "e", ());
    let post = world.post();
    world.answer(&post, "ok");
    world.eof(post.stream);
    world.emit(socket, "e", ());
    let again = world.post();
    assert_ne!(again.stream, post.stream);
    world.answer(&again, "ok");
    assert_eq!(world.streams(), 2);
    // Before a server on Node would close it.
    world.pass_seconds(4);
    assert_eq!(world.streams(), 1);
    assert_eq!(world.told(), [""; 0]);
}

/// The whole end goes out: namespaces, then the session.
#[test]
fn closing_by_polling() {
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    world.client.emit(world.now, socket, "last", ()).unwrap();
    world.client.close(world.now);
    world.turn();
    let post = world.post();
    assert_eq!(post.body(), "42[\"last\"]\u{1e}41\u{1e}1");
    assert_eq!(world.told(), ["disconnected 1: Client", "closed"]);
    assert!(!world.client.is_finished());
    world.answer(&post, "ok");
    assert!(world.client.is_finished());
    assert_eq!((world.streams(), world.client.poll_timeout()), (0, None));
}

#[test]
fn closing_waits_for_what_is_under_way_and_not_for_ever() {
    let (mut world, socket, _get) = World::polling(config(POLLING), OPEN);
    world.emit(socket, "e", ());
    let post = world.post();
    world.client.close(world.now);
    world.turn();
    world.nothing_asked();
    world.answer(&post, "ok");
    assert_eq!(world.post().body(), "41\u{1e}1");
    world.pass_seconds(4);
    assert!(!world.client.is_finished());
    world.pass_seconds(1);
    assert!(world.client.is_finished());
    assert_eq!(world.streams(), 0);
}

/// The server ends the session.
#[test]
fn the_close_packet() {
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    world.answer(&get, "42[\"last\"]\u{1e}1");
    assert_eq!(world.told(), ["1 last()", "disconnected 1: TransportClosed", "closed, try 1 in 1s"]);
    assert_eq!(world.streams(), 0);
}

/// What the server says last stands in the same answer as its farewell.
#[test]
fn an_answer_that_ends_the_session() {
    // Nobody wants the session any more before its end is told.
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    world.answer(&get, "41\u{1e}1");
    assert_eq!(world.told(), ["disconnected 1: Server", "closed"]);
    assert!(world.client.is_finished() && world.client.poll_timeout().is_none());
    // It breaks the protocol before: that is told, once, and the session is opened again.
    let (mut world, _, get) = World::polling(config(POLLING), OPEN);
    world.answer(&get, "42[\u{1e}1");
    assert_eq!(world.told(), ["disconnected 1: ProtocolError", "closed: SocketIo(Payload), try 1 in 1s"]);
    world.pass_seconds(1);
    assert_eq!(world.get().line, "GET /socket.io/?EIO=4&transport=polling");
}

/// A sign of life does not wait behind what there is to say, however much that is.
#[test]
fn heartbeats_go_before_what_is_queued() {
    let (mut world, socket, get) = World::polling(config(POLLING), OPEN);
    for _ in 0..100 {
        world.client.emit(world.now, socket, "e", ()).unwrap();
    }
    world.turn();
    let post = world.post();
    world.answer(&get, "2");
    world.answer(&post, "ok");
    assert_eq!(world.post().body().split('\u{1e}').next(), Some("3"));

    let mut world = World::new(config_4(POLLING));
    let socket = world.connect("/");
    let get = world.get();
    world.answer(&get, &format!("{}:{OPEN_3}2:40", OPEN_3.len()));
    for _ in 0..100 {
        world.client.emit(world.now, socket, "e", ()).unwrap();
    }
    world.turn();
    let post = world.post();
    world.pass_seconds(15);
    world.answer(&post, "ok");
    let post = world.post();
    world.pass_seconds(10);
    world.answer(&post, "ok");
    assert!(world.post().body().starts_with("1:27:42[\"e\"]"));
}
