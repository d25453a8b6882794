//! Hostile bodies and polls: how much work and memory they are worth.

use roomwire::hub::Namespaces;

use crate::app::App;
use crate::client::{Client, Frame};
use crate::memory::{Usage, measure};
use crate::poller::{Answer, Poller};
use crate::polling::{accepting, accepting_with, connected};
use crate::world::{Told, World, open_config, secs};

const PLAIN: &str = "text/plain;charset=UTF-8";

/// What one POST of a body does to the heap, and how many packets were told of.
fn cost(revision: u8, body: &[u8], packets_max: usize) -> (Usage, usize) {
    let mut config = open_config();
    config.engine.payload_packets_max = packets_max;
    let mut world = World::new(config, App::Accepting);
    let (mut poller, _) = connected(&mut world, revision);
    // A stream is there already, and its buffers.
    poller.say(&mut world, &["6"]);
    world.news();
    let request = poller.post_bytes(PLAIN, body);
    let conn = poller.post.unwrap();
    let ((), usage) = measure(|| world.feed(conn, &request));
    assert_eq!(Answer::all(&world.take(conn))[0].text(), "ok");
    let told = world.news().iter().filter(|told| matches!(told, Told::Emit { .. })).count();
    (usage, told)
}

/// Bodies full of the smallest packets: the work does not grow faster than the body, and the packets beyond the limit are not
/// even looked at.
#[test]
fn e01_e18_many_small_packets() {
    let bodies: [(u8, &[u8]); 7] = [
        (3, b"1:6"),
        (3, "2:6\u{bc}".as_bytes()),
        (3, b"0:"),
        (3, "2:4\u{bc}".as_bytes()),
        (3, b"2:42"),
        (4, b"\x1e"),
        (4, b"6\x1e"),
    ];
    for (revision, packet) in bodies {
        // Not whole packets at the end: it is bad as well as large.
        let body = |size: usize| packet.repeat(size / packet.len() + 1)[..size].to_vec();
        let measured = [250_000, 500_000, 1_000_000].map(|size| cost(revision, &body(size), usize::MAX >> 1).0);
        for two in measured.windows(2) {
            let ratio = two[1].requested as f64 / two[0].requested as f64;
            assert!(ratio < 2.6, "{}: {measured:?}", packet.escape_ascii());
        }
        // The body itself is there up to three times: as it was given to the test, read, and once more while it grows.
        let (usage, _) = cost(revision, &body(1_000_000), 10_000);
        assert!(usage.peak < 4_000_000 + 10_000 * 100, "{}: {usage:?}", packet.escape_ascii());
        assert!(usage.live < 4096, "{}: {usage:?}", packet.escape_ascii());
        assert!(usage.allocations < 30_000, "{}: {usage:?}", packet.escape_ascii());
    }
}

/// The limit holds for packets that are good as well.
#[test]
fn e18_good_packets_beyond_the_limit() {
    for (revision, packet) in [(3, r#"7:42["e"]"#), (4, "42[\"e\"]\u{1e}")] {
        let (_, told) = cost(revision, packet.repeat(20_000).as_bytes(), 10_000);
        assert_eq!(told, 10_000);
    }
}

/// A long length that is announced allocates nothing.
#[test]
fn e14_announced_lengths() {
    for body in [&b"9999999999:4"[..], b"4294967296:4", b"18446744073709551616:4", b"999999:42[\"e\"]"] {
        let (usage, told) = cost(3, body, 10_000);
        assert_eq!(told, 0);
        assert!(usage.peak < 16_384, "{usage:?}");
    }
}

/// Each request gets exactly one answer, whatever it is, also those whose session ends with them (e08).
#[test]
fn e08_every_request_gets_one_answer() {
    let mut world = accepting();
    let mut conns = Vec::new();
    for round in 0..200 {
        let (mut poller, _) = connected(&mut world, if round % 2 == 0 { 4 } else { 3 });
        conns.push(poller.park(&mut world));
        for (kind, body) in
            [("application/octet-stream", &b"\x02\x01"[..]), (PLAIN, b"zzz"), (PLAIN, b"1"), (PLAIN, b"")]
        {
            let status = poller.post(&mut world, kind, body).status;
            assert!([200, 400].contains(&status), "{status}");
        }
        assert_eq!(poller.heard(&mut world).unwrap().texts().len(), 1);
    }
    assert_eq!(world.hub.counts().sessions, 0);
    for conn in conns {
        assert!(world.take(conn).is_empty());
    }
}

/// A session whose packets nobody fetches holds no more than its outbox may.
#[test]
fn m01_nobody_polls() {
    for (revision, size) in [(4, 1000), (4, 0), (3, 1000), (3, 0)] {
        let mut config = open_config();
        config.limits.outbox_bytes_max = 100_000;
        config.limits.congested_bytes = 100_000;
        let mut world = World::new(config, App::Accepting);
        let (mut poller, socket) = connected(&mut world, revision);
        let args = ("x".repeat(size),);
        let ((), usage) = measure(|| {
            let mut rounds = 0;
            while world.hub.emit(world.now, roomwire::hub::Target::all(), "e", &args).unwrap().queued > 0 {
                rounds += 1;
                assert!(rounds < 100_000);
            }
            world.settle();
        });
        // A small packet holds more than its bytes; their number is limited for that.
        assert!(usage.peak < 1_500_000, "{size}: {usage:?}");
        assert!(usage.live < 16_384, "cut off: {size} {usage:?}");
        assert!(!world.hub.is_live(socket) && poller.is_gone(&mut world));
    }
}

/// Pings that are never fetched are answered as long as there is room; then the session ends.
#[test]
fn e15_pongs_that_nobody_fetches() {
    let mut world = accepting();
    let (mut poller, socket) = connected(&mut world, 3);
    let ((), usage) = measure(|| {
        let mut rounds = 0;
        while world.hub.is_live(socket) {
            poller.say(&mut world, &["2"; 5000]);
            rounds += 1;
            assert!(rounds < 100, "answers without end");
        }
    });
    assert!(usage.peak < 20_000_000, "{usage:?}");
    assert!(poller.is_gone(&mut world));
}

/// A session in waiting costs little, and all of it comes back.
#[test]
fn m06_sessions_come_and_go() {
    // Where there is one namespace nothing is kept of the requests that opened them.
    let mut world = accepting_with(|config| config.namespaces = Namespaces::Listed(vec!["/".into()]));
    let count = 200;
    for round in 0..3 {
        let ((), cycle) = measure(|| {
            let (mut pollers, idle) = measure(|| {
                let mut pollers: Vec<Poller> = (0..count).map(|_| connected(&mut world, 4).0).collect();
                for poller in &mut pollers {
                    world.eof(poller.post.take().unwrap());
                    poller.park(&mut world);
                }
                world.news();
                pollers
            });
            assert!(idle.live < count * 2048, "{} bytes each", idle.live / count);
            for poller in &mut pollers {
                world.abort(poller.get.unwrap());
            }
            world.pass(secs(31));
            world.news();
        });
        // What the tables grew to is kept, for the next ones.
        assert!(round == 0 || cycle.live < 8192, "{cycle:?}");
        assert_eq!(world.hub.counts(), Default::default());
    }
}

/// Upgrades that are begun and never finished: one at a time, and nothing is kept of the others (e13).
#[test]
fn e13_upgrades_without_end() {
    let mut world = accepting();
    let (poller, socket) = connected(&mut world, 4);
    let mut client = Client::open(&mut world, &poller.target("websocket"));
    client.ask(&mut world, "2probe");
    let flood = |world: &mut World| {
        for _ in 0..200 {
            let mut other = Client::open(world, &poller.target("websocket"));
            assert_eq!(other.frames(world), [Frame::Close(1005, String::new())]);
            other.finish(world);
        }
        world.news();
    };
    // Until the table of timers has its size.
    (0..10).for_each(|_| flood(&mut world));
    let before = world.hub.counts();
    let ((), usage) = measure(|| flood(&mut world));
    assert!(usage.live < 16_384, "{usage:?}");
    assert_eq!(world.hub.counts(), before);
    client.ask(&mut world, "5");
    assert_eq!(world.hub.connection(socket), Some(client.conn));
    // Probes without end are answered as far as they are read.
    let (poller, _) = connected(&mut world, 4);
    let mut client = Client::open(&mut world, &poller.target("websocket"));
    world.stalled.push(client.conn);
    let probes = crate::client::message("2probe").repeat(1000);
    let mut rounds = 0;
    while world.hub.wants_read(client.conn) {
        client.raw(&mut world, &probes);
        rounds += 1;
        assert!(rounds < 1000, "reading goes on");
    }
    assert!(world.hub.outgoing_len(client.conn) < 65_536 + probes.len());
    world.pass(secs(10));
    assert_eq!(world.hub.counts().sessions, 2, "the session does not notice");
}
