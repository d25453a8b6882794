//! Sessions: away, back, taken over, left; ids that are stale; shutdown.

use roomwire::hub::{ConnectError, Counts, DisconnectReason, ResumeError, SocketError, Target, Token};
use roomwire::ws::{CloseCode, Opcode};
use roomwire::{Instant, Stream};

use crate::fuzz_hub::Told;
use crate::support::ws::masked;
use crate::world::{V3, V4, World, config, count, millis};

#[test]
fn a_lost_socket_comes_back_with_its_rooms() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let sid = world.hub.sid(socket).unwrap().to_owned();
    world.hub.identify(world.now, socket, "ann").unwrap();
    world.hub.join(world.now, socket, "lobby").unwrap();
    world.gone(conn);
    let until = Instant::from(millis(30_000));
    let lost = Told::Disconnected(socket, DisconnectReason::TransportClosed, Some(until));
    assert_eq!(world.told(), [Told::Closed(conn, Some(unexpected_eof())), lost].into_iter().rev().collect::<Vec<_>>());
    world.pass(millis(29_999));
    assert_eq!(world.told(), []);
    let again = world.resume(socket);
    assert_eq!(world.told(), [Told::Connected(socket, true)]);
    assert_eq!(world.hears(again), [format!("40{{\"sid\":\"{sid}\"}}")]);
    assert_eq!(world.hub.rooms(socket).collect::<Vec<_>>(), ["lobby"]);
    assert_eq!((world.hub.user(socket), world.hub.counts().away), (Some("ann"), 0));
    assert_eq!(world.hub.connection(socket), Some(again));
    world.live(&[again], millis(60_000));
    assert_eq!(count(&world.told(), "left for good"), 0, "the old deadline is void");
    world.hub.emit(world.now, Target::room("lobby"), "say", ()).unwrap();
    assert_eq!(world.hears(again), ["42[\"say\"]"]);
}

fn unexpected_eof() -> roomwire::hub::Error {
    roomwire::hub::Error::WebSocket(roomwire::ws::Error::UnexpectedEof)
}

#[test]
fn who_does_not_come_back_has_left_once() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.gone(conn);
    world.told();
    world.pass(millis(30_000));
    assert_eq!(world.told(), [Told::Left(socket)]);
    world.pass(millis(60_000));
    assert_eq!(world.told(), []);
    assert_eq!(world.hub.counts(), Counts::default());
}

#[test]
fn s16_a_token_is_good_once() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let token = world.hub.token(socket).unwrap();
    world.gone(conn);
    let again = world.resume(socket);
    world.says(again, "42[\"first\"]");
    let (_, third) = world.connecting("/");
    assert_eq!(world.hub.resume(world.now, third, &token), Err(ResumeError::UnknownToken), "used");
    assert_ne!(world.hub.token(socket), Some(token), "there is a new one");
    world.hub.accept(world.now, third).unwrap();
    assert_eq!(world.told(), [Told::Connected(third, false)], "a new session, and nobody was disturbed");
}

/// It is looked up whole: no part of it is worth anything.
#[test]
fn a26_a_token_is_all_of_it() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let token = String::from(world.hub.token(socket).unwrap());
    world.gone(conn);
    let (_, asking) = world.connecting("/");
    for at in 0..token.len() {
        let mut guess = token.clone().into_bytes();
        guess[at] = if guess[at] == b'A' { b'B' } else { b'A' };
        let guess = Token::parse(std::str::from_utf8(&guess).unwrap()).unwrap();
        assert_eq!(world.hub.resume(world.now, asking, &guess), Err(ResumeError::UnknownToken), "{at}");
    }
    assert_eq!(Token::parse(&token[1..]), None);
    assert_eq!(world.hub.resume(world.now, asking, &Token::parse(&token).unwrap()), Ok(socket));
}

#[test]
fn s16_a_token_is_bound_to_its_namespace() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let token = world.hub.token(socket).unwrap();
    world.gone(conn);
    let (_, other) = world.connecting("/chat");
    assert_eq!(world.hub.resume(world.now, other, &token), Err(ResumeError::UnknownToken));
    let (_, right) = world.connecting("/");
    assert_eq!(world.hub.resume(world.now, right, &token), Ok(socket), "the attempt has not used it up");
}

#[test]
fn s16_unknown_and_void_tokens() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let token = world.hub.token(socket).unwrap();
    let forged = Token::parse(&"A".repeat(24)).unwrap();
    assert!(Token::parse("short").is_none() && Token::parse(&"€".repeat(24)).is_none());
    let (_, asking) = world.connecting("/");
    assert_eq!(world.hub.resume(world.now, asking, &forged), Err(ResumeError::UnknownToken));
    // One of a socket that is not accepted.
    let own = world.hub.token(asking).unwrap();
    let (_, other) = world.connecting("/");
    assert_eq!(world.hub.resume(world.now, other, &own), Err(ResumeError::UnknownToken));
    // One of a session that was left on purpose.
    world.says(conn, "41");
    assert_eq!(world.hub.resume(world.now, asking, &token), Err(ResumeError::UnknownToken));
    assert_eq!(world.hub.resume(world.now, socket, &token), Err(SocketError::Gone.into()));
    world.hub.accept(world.now, asking).unwrap();
    assert!(!format!("{token:?}").contains(token.as_str()), "a secret is not shown");
}

#[test]
fn a_take_over_ends_the_old_transport() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let chat = world.ask(conn, "/chat");
    world.hub.accept(world.now, chat).unwrap();
    world.hears(conn);
    world.told();
    let again = world.resume(socket);
    let told = world.told();
    let taken = |socket| Told::Disconnected(socket, DisconnectReason::TakenOver, Some(Instant::from(millis(30_000))));
    assert_eq!(told, [taken(socket), Told::Connected(socket, true), taken(chat)]);
    assert_eq!(world.hears(conn), ["close 1001"]);
    assert_eq!(world.hub.connection(socket), Some(again));
    // What the old transport still says is nobody's.
    assert_eq!(world.says(conn, "42[\"late\"]"), []);
    world.bytes(conn, &masked(Opcode::Close, &[3, 233]));
    assert_eq!(world.told(), [Told::Closed(conn, None)]);
    assert_eq!((world.hub.stream(conn), world.hub.is_live(socket)), (Stream::Closed, true));
}

/// A transport that is lost before the client hears of its new token must not cost it the session, however often.
#[test]
fn s16_the_old_token_is_good_until_the_client_speaks() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let token = world.hub.token(socket).unwrap();
    world.gone(conn);
    for attempt in 0..3 {
        let (conn, asking) = world.connecting("/");
        assert_eq!(world.hub.resume(world.now, asking, &token), Ok(socket), "attempt {attempt}");
        // Nothing of what was sent is read.
        world.hub.abort(world.now, conn);
        world.told();
    }
    let (conn, asking) = world.connecting("/");
    assert_eq!(world.hub.resume(world.now, asking, &token), Ok(socket));
    world.says(conn, "42[\"here\"]");
    let (_, late) = world.connecting("/");
    assert_eq!(world.hub.resume(world.now, late, &token), Err(ResumeError::UnknownToken));
}

/// Who only listens may have heard of its new token all the same: the one it used last stays good.
#[test]
fn s16_the_token_that_was_used_is_good_again() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let first = world.hub.token(socket).unwrap();
    world.gone(conn);
    let again = world.resume(socket);
    let second = world.hub.token(socket).unwrap();
    world.gone(again);
    let lost = world.resume(socket);
    let unheard = world.hub.token(socket).unwrap();
    world.gone(lost);
    for (token, expected) in [(first, Err(ResumeError::UnknownToken)), (second, Ok(socket))] {
        let (_, asking) = world.connecting("/");
        assert_eq!(world.hub.resume(world.now, asking, &token), expected);
    }
    let (_, asking) = world.connecting("/");
    assert_eq!(world.hub.resume(world.now, asking, &unheard), Err(ResumeError::UnknownToken), "it has no more use");
}

#[test]
fn without_time_to_be_away_only_a_live_session_is_taken_over() {
    let mut config = config();
    config.away_timeout = millis(0);
    let mut world = World::new(config);
    let (_, socket) = world.client();
    let again = world.resume(socket);
    let told = world.told();
    let taken = Told::Disconnected(socket, DisconnectReason::TakenOver, Some(world.now));
    assert_eq!(told, [taken, Told::Connected(socket, true)]);
    let token = world.hub.token(socket).unwrap();
    world.gone(again);
    assert_eq!((count(&world.told(), "disconnected"), world.hub.counts().sockets), (1, 0));
    let (_, asking) = world.connecting("/");
    assert_eq!(world.hub.resume(world.now, asking, &token), Err(ResumeError::UnknownToken));
}

#[test]
fn m05_so_many_are_away_and_no_more() {
    let mut config = config();
    config.limits.away_max = 3;
    let mut world = World::new(config);
    let clients = world.room(5, "lobby");
    for (conn, _) in &clients {
        world.gone(*conn);
    }
    let told = world.told();
    assert_eq!((count(&told, "lost"), count(&told, "disconnected")), (3, 2));
    assert_eq!((world.hub.counts().away, world.hub.counts().sockets), (3, 3));
    world.resume(clients[0].1);
    assert_eq!(world.hub.counts().away, 2);
    let (conn, _) = world.client();
    world.gone(conn);
    assert_eq!(world.hub.counts().away, 3, "there is place again");
}

#[test]
fn stale_ids_do_nothing() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    world.says(conn, "41");
    world.gone(conn);
    // Others take their places.
    let (other_conn, other) = world.client();
    world.hub.join(world.now, other, "lobby").unwrap();
    world.told();
    let (hub, now) = (&mut world.hub, world.now);
    assert_eq!(hub.join(now, socket, "lobby"), Err(SocketError::Gone.into()));
    assert_eq!(hub.leave(now, socket, "lobby"), Err(SocketError::Gone));
    assert_eq!(hub.identify(now, socket, "x"), Err(SocketError::Gone.into()));
    assert_eq!(hub.disconnect(now, socket), Err(SocketError::Gone));
    assert_eq!(hub.close(now, socket), Err(SocketError::Gone));
    assert_eq!(hub.accept(now, socket), Err(SocketError::Gone));
    assert!(hub.emit(now, socket, "x", ()).is_err());
    assert_eq!(hub.emit(now, Target::room("lobby").except(socket), "x", ()).unwrap().queued, 1);
    assert_eq!((hub.sid(socket), hub.token(socket), hub.connection(socket)), (None, None, None));
    hub.close_connection(now, conn, CloseCode::NORMAL, "");
    hub.abort(now, conn);
    hub.receive_eof(now, conn);
    hub.sent(now, conn, 1000);
    let mut bytes = *b"GET / HTTP/1.1\r\n\r\n";
    let mut input = &mut bytes[..];
    assert!(hub.receive(now, conn, &mut input).is_none() && input.is_empty());
    assert_eq!((hub.outgoing_len(conn), hub.wants_read(conn), hub.stream(conn)), (0, false, Stream::Closed));
    assert_eq!(world.told(), []);
    assert_eq!(world.hears(other_conn), ["42[\"x\"]"]);
    assert!(world.hub.is_live(other));
}

#[test]
fn refusals_in_both_protocols() {
    let mut world = World::new(config());
    let refusal = roomwire::hub::Refusal::new("no \"entry\"").data(&7).unwrap();
    let (conn, socket) = world.connecting("/");
    world.hears(conn);
    world.hub.refuse(world.now, socket, &refusal).unwrap();
    assert_eq!(world.hears(conn), [r#"44{"message":"no \"entry\"","data":7}"#]);
    assert_eq!(world.hub.refuse(world.now, socket, &refusal), Err(SocketError::Gone));
    assert_eq!(world.hub.counts().sockets, 0);
    let conn = world.open(V3);
    let Some(Told::Connecting(socket, ..)) = world.told().pop() else { panic!() };
    world.hears(conn);
    world.hub.refuse(world.now, socket, &refusal).unwrap();
    assert_eq!(world.hears(conn), ["447"]);
    // Who is refused everywhere has to try again, or go.
    world.pass(millis(45_000));
    assert_eq!(world.hub.counts().sessions, 0);
    assert_eq!(count(&world.told(), "disconnected"), 0, "it never was a socket");
}

#[test]
fn a_client_that_never_connects_is_closed() {
    let mut world = World::new(config());
    let conn = world.open(V4);
    // It answers heartbeats.
    world.live(&[conn], millis(44_000));
    assert_eq!(world.hub.counts().sessions, 1);
    world.live(&[conn], millis(1000));
    assert_eq!(world.hub.counts().sessions, 0);
}

#[test]
fn shutdown_ends_everything() {
    let mut world = World::new(config());
    let (conn, socket) = world.client();
    let page = world.hub.connect(world.now).unwrap();
    let half = world.hub.connect(world.now).unwrap();
    world.bytes(half, b"GET / HT");
    let (lost, away) = world.client();
    world.gone(lost);
    world.told();
    world.hub.shutdown(world.now);
    world.hub.shutdown(world.now);
    assert_eq!(world.hub.connect(world.now), Err(ConnectError::ShuttingDown));
    // Nobody can come back.
    let told = world.told();
    assert_eq!(told[..2], [Told::Left(away), Told::Disconnected(socket, DisconnectReason::Shutdown, None)]);
    assert_eq!(count(&told, "disconnected"), 1, "{told:?}");
    assert_eq!(world.hears(conn), ["close 1001"]);
    world.bytes(conn, &masked(Opcode::Close, &[3, 233]));
    assert!(!world.hub.is_finished());
    world.hub.receive_eof(world.now, page);
    world.pass(millis(2000));
    world.read(half, usize::MAX);
    assert!(world.hub.is_finished(), "{:?}", world.hub.counts());
    world.pass(millis(60_000));
    assert_eq!(world.hub.counts(), Counts::default());
}
