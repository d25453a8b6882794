//! How sessions on long polling end, or do not: heartbeats, lost polls, farewells, and clients that do not ask.

use roomwire::Stream;
use roomwire::hub::{DisconnectReason, Target};

use crate::client::{Client, Frame, MAIN, opening};
use crate::poller::{Answer, Poller};
use crate::polling::{accepting, accepting_with, connected, emit, numbers};
use crate::world::{Told, World, open_config, secs};

/// In revision 4 the server pings, an interval after the opening and after each pong; the ping waits for a GET.
#[test]
fn the_heartbeat_of_revision_4() {
    let mut world = accepting();
    let (mut poller, socket) = connected(&mut world, 4);
    poller.park(&mut world);
    world.pass(secs(25) - std::time::Duration::from_nanos(1));
    assert_eq!(poller.heard(&mut world), None);
    world.pass(std::time::Duration::from_nanos(1));
    assert_eq!(poller.heard(&mut world).unwrap().texts(), ["2"]);
    world.pass(secs(5));
    poller.say(&mut world, &["3"]);
    // No GET waits when the next is due.
    world.pass(secs(25));
    assert_eq!(poller.poll(&mut world).texts(), ["2"]);
    poller.say(&mut world, &["3", "3"]);
    poller.park(&mut world);
    world.pass(secs(45) - std::time::Duration::from_nanos(1));
    assert_eq!(poller.heard(&mut world).unwrap().texts(), ["2"]);
    poller.park(&mut world);
    world.news();
    world.pass(std::time::Duration::from_nanos(1));
    assert_eq!(poller.heard(&mut world).unwrap().text(), "1");
    let away_until = Some(world.now.saturating_add(secs(30)));
    assert_eq!(world.news(), [Told::Disconnected { socket, reason: DisconnectReason::PingTimeout, away_until }]);
    assert!(poller.is_gone(&mut world));
}

/// In revision 3 the client pings, the answer comes with a GET; a message is no heartbeat.
#[test]
fn the_heartbeat_of_revision_3() {
    let mut world = accepting();
    let (mut poller, socket) = connected(&mut world, 3);
    poller.park(&mut world);
    world.pass(secs(25));
    poller.say(&mut world, &["2"]);
    assert_eq!(poller.heard(&mut world).unwrap().text(), "1:3");
    poller.park(&mut world);
    world.pass(secs(30));
    poller.say(&mut world, &[r#"42["e"]"#]);
    world.pass(secs(15) - std::time::Duration::from_nanos(1));
    assert_eq!(poller.heard(&mut world), None, "never pinged");
    world.news();
    world.pass(std::time::Duration::from_nanos(1));
    assert_eq!(poller.heard(&mut world).unwrap().text(), "1:1");
    let away_until = Some(world.now.saturating_add(secs(30)));
    assert_eq!(world.news(), [Told::Disconnected { socket, reason: DisconnectReason::PingTimeout, away_until }]);
    assert!(poller.is_gone(&mut world));
}

/// Where no GET waits nobody hears of the end, and the session is as gone.
#[test]
fn a_heartbeat_that_fails_unheard() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, _) = connected(&mut world, revision);
        world.pass(secs(45));
        assert_eq!(world.hub.counts().sessions, 0);
        assert!(poller.is_gone(&mut world));
    }
}

/// A poll whose stream ends or breaks may have lost what was on its way: the session is over, its socket is away.
#[test]
fn a_lost_poll() {
    for revision in [3, 4] {
        for (eof, away) in [(true, true), (false, true), (true, false)] {
            let mut world = accepting_with(|config| {
                if !away {
                    config.away_timeout = std::time::Duration::ZERO;
                }
            });
            let (mut poller, socket) = connected(&mut world, revision);
            let conn = poller.park(&mut world);
            if eof {
                world.eof(conn);
            } else {
                world.abort(conn);
            }
            let away_until = away.then(|| world.now.saturating_add(secs(30)));
            let disconnected = Told::Disconnected { socket, reason: DisconnectReason::TransportClosed, away_until };
            let mut news = world.news();
            news.retain(|told| !matches!(told, Told::Closed { .. }));
            assert_eq!(news, [disconnected]);
            assert_eq!(world.hub.counts().sessions, 0);
            assert!(poller.is_gone(&mut world));
            if away {
                world.news();
                world.pass(secs(30));
                assert!(world.news().contains(&Told::Left { socket }));
            }
        }
    }
}

/// Streams without a GET in waiting come and go.
#[test]
fn other_streams_may_end() {
    let mut world = accepting();
    let (mut poller, socket) = connected(&mut world, 4);
    for stream in [poller.get.take(), poller.post.take()].into_iter().flatten() {
        world.eof(stream);
    }
    let conn = world.stream();
    world.feed(conn, &poller.post_bytes("text/plain", b"42[\"e\"]")[..100]);
    world.abort(conn);
    assert!(world.hub.is_live(socket));
    poller.park(&mut world);
    world.abort(poller.post.unwrap_or(conn));
    emit(&mut world, socket, 0..1);
    assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
    // Nor is one that was answered.
    world.abort(poller.get.take().unwrap());
    assert!(world.hub.is_live(socket));
}

/// A session that the application closes tells its client with the next GET, behind all that waits; it is remembered for 30 s.
#[test]
fn the_farewell() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        emit(&mut world, socket, 0..20);
        world.hub.close(world.now, socket).unwrap();
        world.settle();
        let away_until = Some(world.now.saturating_add(secs(30)));
        assert_eq!(world.news(), [Told::Disconnected { socket, reason: DisconnectReason::Closed, away_until }]);
        // It can do nothing any more.
        poller.say(&mut world, &[r#"42["e"]"#, "40/other,", "2"]);
        let mut client = Client::open(&mut world, &poller.target("websocket"));
        assert_eq!(client.frames(&mut world), [Frame::Close(1005, String::new())]);
        assert_eq!(world.news(), []);
        assert_eq!(poller.poll(&mut world).texts(), numbers(0..16));
        world.pass(secs(30) - std::time::Duration::from_nanos(1));
        // Clients look at packets of Socket.IO later than at the end of their transport: that gets an answer of its own.
        assert_eq!(poller.poll(&mut world).texts(), numbers(16..20));
        assert_eq!(poller.poll(&mut world).texts(), ["6", "1"]);
        assert!(poller.is_gone(&mut world));
        // Another one is not fetched in time.
        let (mut poller, socket) = connected(&mut world, revision);
        world.hub.close(world.now, socket).unwrap();
        world.pass(secs(30));
        assert_eq!(world.hub.counts().sessions, 0);
        assert!(poller.is_gone(&mut world));
        // Where a GET waits, and nothing else is to be said, it hears at once.
        let (mut poller, socket) = connected(&mut world, revision);
        poller.park(&mut world);
        world.hub.close(world.now, socket).unwrap();
        world.settle();
        assert_eq!(poller.heard(&mut world).unwrap().texts(), ["1"]);
        assert!(poller.is_gone(&mut world));
        let (mut poller, socket) = connected(&mut world, revision);
        poller.park(&mut world);
        world.hub.emit(world.now, socket, "n", (0,)).unwrap();
        world.hub.close(world.now, socket).unwrap();
        world.settle();
        assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
        assert_eq!(poller.poll(&mut world).texts(), ["6", "1"]);
        assert!(poller.is_gone(&mut world));
    }
}

/// To be disconnected from a namespace is a packet like any other; the session goes on.
#[test]
fn disconnected_by_the_application() {
    for revision in [3, 4] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        poller.park(&mut world);
        world.hub.disconnect(world.now, socket).unwrap();
        world.settle();
        assert_eq!(poller.heard(&mut world).unwrap().texts(), ["41"]);
        poller.say(&mut world, &["40/other,"]);
        assert!(poller.poll(&mut world).texts()[0].starts_with("40/other,"));
    }
}

/// At a shutdown a GET that waits hears of it, everybody else finds nobody.
#[test]
fn shutdown() {
    let mut world = accepting();
    let (mut waits, first) = connected(&mut world, 4);
    let (_, second) = connected(&mut world, 3);
    waits.park(&mut world);
    world.hub.shutdown(world.now);
    world.settle();
    let answer = waits.heard(&mut world).unwrap();
    assert_eq!(answer.text(), "1");
    for socket in [first, second] {
        let told = Told::Disconnected { socket, reason: DisconnectReason::Shutdown, away_until: None };
        assert!(world.ear.told.contains(&told));
    }
    world.pass(secs(10));
    assert!(world.hub.is_finished());
}

/// Who has packets to fetch at a shutdown fetches them, in answers of as many as clients take, whether a GET waits or comes
/// later on the same stream; only then it hears that the session is over, and the stream ends.
#[test]
fn a_shutdown_waits_for_what_is_fetched() {
    for (revision, waits) in [(3, false), (4, false), (3, true), (4, true)] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, revision);
        if waits {
            poller.park(&mut world);
        }
        for number in 0..35 {
            world.hub.emit(world.now, socket, "n", (number,)).unwrap();
        }
        world.hub.shutdown(world.now);
        world.settle();
        let told = Told::Disconnected { socket, reason: DisconnectReason::Shutdown, away_until: None };
        assert_eq!(world.news().first(), Some(&told));
        if !waits {
            poller.ask(&mut world);
        }
        assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..16));
        assert_eq!(poller.poll(&mut world).texts(), numbers(16..32));
        assert_eq!(poller.poll(&mut world).texts(), numbers(32..35));
        assert!(!world.hub.is_finished());
        // Nobody else begins anything on that stream meanwhile.
        let conn = poller.get.unwrap();
        world.feed(conn, &crate::client::get("/socket.io/?EIO=4&transport=polling"));
        assert_eq!(Answer::all(&world.take(conn)).remove(0).status, 503);
        assert_eq!(poller.poll(&mut world).texts(), ["6", "1"]);
        assert_eq!((world.hub.counts().sessions, world.hub.stream(conn)), (0, Stream::HalfClosed));
        world.pass(secs(5));
        assert!(world.hub.is_finished());
    }
}

/// But not for ever, and not for who has everything.
#[test]
fn a_shutdown_does_not_wait_for_who_fetches_nothing() {
    let mut world = accepting();
    let (poller, socket) = connected(&mut world, 4);
    let (mut other, _) = connected(&mut world, 4);
    emit(&mut world, socket, 0..1);
    let others = other.park(&mut world);
    world.hub.shutdown(world.now);
    world.settle();
    assert_eq!(other.heard(&mut world).unwrap().text(), "1");
    assert_eq!(world.hub.stream(others), Stream::HalfClosed);
    assert_eq!(
        (world.hub.stream(poller.get.unwrap()), world.hub.stream(poller.post.unwrap())),
        (Stream::Open, Stream::HalfClosed)
    );
    let limit = open_config().close_timeout * 2;
    world.pass(limit - std::time::Duration::from_nanos(1));
    assert_eq!((world.hub.is_finished(), world.hub.counts().sessions), (false, 1));
    world.pass(std::time::Duration::from_nanos(1));
    assert_eq!((world.hub.is_finished(), world.hub.counts().sessions), (true, 0));
}

/// A stream on which a session polled before may be another's WebSocket by now, behind a proxy that keeps streams: that is
/// closed in order like any other.
#[test]
fn a_shutdown_closes_a_websocket_on_a_stream_of_polls() {
    let mut world = accepting();
    let (poller, socket) = connected(&mut world, 4);
    let conn = poller.get.unwrap();
    world.feed(conn, &opening(MAIN, ""));
    let mut client = Client::behind(&mut world, conn);
    client.say(&mut world, "40");
    client.frames(&mut world);
    emit(&mut world, socket, 0..1);
    world.hub.shutdown(world.now);
    world.settle();
    assert_eq!(client.frames(&mut world), [Frame::Close(1001, String::new())]);
}

/// Nor for who is gone: with the last stream nobody is left who could fetch anything.
#[test]
fn a_shutdown_does_not_wait_for_who_went_away() {
    let mut world = accepting();
    let (poller, socket) = connected(&mut world, 4);
    emit(&mut world, socket, 0..1);
    world.hub.shutdown(world.now);
    world.settle();
    for stream in [poller.post.unwrap(), poller.get.unwrap()] {
        assert_eq!((world.hub.is_finished(), world.hub.counts().sessions), (false, 1));
        world.hub.abort(world.now, stream);
        world.settle();
    }
    assert_eq!((world.hub.is_finished(), world.hub.counts().sessions), (true, 0));
}

/// Also the last answer has no more packets than clients take; what is behind them is lost with the session.
#[test]
fn the_end_of_a_session_is_within_poll_packets_max() {
    for (max, expected) in [(16, 15), (1, 0)] {
        let mut world = accepting_with(|config| {
            config.engine.poll_packets_max = max;
            config.limits.outbox_bytes_max = 4096;
            config.limits.congested_bytes = 4096;
        });
        let (mut poller, _) = connected(&mut world, 4);
        poller.park(&mut world);
        let cut_off =
            (0..1000).any(|number| world.hub.emit(world.now, Target::all(), "n", (number,)).unwrap().cut_off == 1);
        assert!(cut_off);
        world.settle();
        let heard = poller.heard(&mut world).unwrap().texts();
        assert_eq!((&heard[..expected], &heard[expected..]), (&numbers(0..expected as u32)[..], &["1".to_owned()][..]));
    }
}

/// Who fetches nothing is cut off when more waits than may: by bytes, and by count where packets are small.
#[test]
fn a_slow_consumer() {
    for (size, least, most) in [(400, 20, 60), (0, 50, 1024)] {
        let mut world = accepting_with(|config| {
            config.limits.outbox_bytes_max = 16_384;
            config.limits.congested_bytes = 8_192;
        });
        let (mut poller, socket) = connected(&mut world, 4);
        let (mut other, _) = connected(&mut world, 4);
        other.park(&mut world);
        let mut queued = 0_u64;
        loop {
            let receipt = world.hub.emit(world.now, Target::all(), "x", ("x".repeat(size),)).unwrap();
            if receipt.cut_off > 0 {
                assert_eq!((receipt.cut_off, receipt.queued), (1, 1));
                break;
            }
            world.settle();
            assert!(other.heard(&mut world).is_some());
            other.park(&mut world);
            queued += 1;
        }
        world.settle();
        assert!((least..=most).contains(&queued), "{queued}");
        let away_until = Some(world.now.saturating_add(secs(30)));
        assert_eq!(world.news(), [Told::Disconnected { socket, reason: DisconnectReason::SlowConsumer, away_until }]);
        assert!(poller.is_gone(&mut world));
        assert!(other.heard(&mut world).is_some());
    }
}

/// Volatile events are dropped while more than the threshold waits, and never cut anybody off.
#[test]
fn volatile_events() {
    let mut world = accepting_with(|config| {
        config.limits.outbox_bytes_max = 4096;
        config.limits.congested_bytes = 1000;
    });
    let (mut poller, socket) = connected(&mut world, 4);
    world.hub.emit(world.now, socket, "x", ("x".repeat(987),)).unwrap();
    // As much as it would be on a WebSocket, which may take it over.
    let waiting = r#"42["x",""]"#.len() + 987 + 4;
    assert_eq!(waiting, 1001);
    let volatile = |world: &mut World, size: usize| {
        world.hub.emit(world.now, Target::socket(socket).volatile(), "v", ("x".repeat(size),)).unwrap()
    };
    let receipt = volatile(&mut world, 1);
    assert_eq!((receipt.queued, receipt.dropped), (0, 1));
    assert_eq!(poller.poll(&mut world).texts().len(), 1);
    world.hub.emit(world.now, socket, "x", ("x".repeat(986),)).unwrap();
    let receipt = volatile(&mut world, 1);
    assert_eq!((receipt.queued, receipt.dropped), (1, 0), "just as much as may wait");
    let receipt = world.hub.emit(world.now, Target::all().volatile(), "v", ("x".repeat(3500),)).unwrap();
    assert_eq!((receipt.queued, receipt.dropped, receipt.cut_off), (0, 1, 0));
    assert_eq!(poller.poll(&mut world).texts().len(), 2);
    // What alone is too much for the rest of the room is dropped too.
    world.hub.emit(world.now, socket, "x", ("x".repeat(900),)).unwrap();
    let receipt = volatile(&mut world, 3400);
    assert_eq!((receipt.queued, receipt.dropped, receipt.cut_off), (0, 1, 0));
    assert!(world.hub.is_live(socket));
}

/// Sessions on long polling have their times even where no stream is left.
#[test]
fn no_connect_in_time() {
    let mut world = accepting();
    let (mut poller, _) = Poller::open(&mut world, 4);
    poller.park(&mut world);
    world.pass(secs(25));
    assert_eq!(poller.heard(&mut world).unwrap().texts(), ["2"]);
    poller.say(&mut world, &["3"]);
    poller.park(&mut world);
    world.pass(secs(20));
    assert_eq!(poller.heard(&mut world).unwrap().text(), "1");
    assert!(poller.is_gone(&mut world));
    assert_eq!(
        world.hub.counts(),
        roomwire::hub::Counts { connections: world.hub.counts().connections, ..Default::default() }
    );
}

/// What was on its way when a stream broke is lost, and the client cannot know: the session does not go on as if nothing were
/// missing. What was written, or still will be, is not lost.
#[test]
fn an_answer_that_is_lost() {
    for (stalled, close, ends) in [(true, false, true), (false, false, false), (true, true, false)] {
        let mut world = accepting();
        let (mut poller, socket) = connected(&mut world, 4);
        let conn = poller.park(&mut world);
        if stalled {
            world.stalled.push(conn);
        }
        world.hub.emit(world.now, socket, "n", (0,)).unwrap();
        world.settle();
        if close {
            // The client has nothing more to say on that stream, and reads on.
            world.eof(conn);
            world.stalled.clear();
            world.write(conn);
            assert_eq!(poller.heard(&mut world).unwrap().texts(), numbers(0..1));
        }
        world.abort(conn);
        assert_eq!(world.hub.is_live(socket), !ends, "{stalled} {close}");
        assert_eq!(world.hub.counts().sessions, usize::from(!ends));
    }
}
