//! Before there is a session: slow heads, and floods of requests.

use roomwire::hub::Error;
use roomwire::{Stream, http};

use crate::app::App;
use crate::client::{Client, get};
use crate::world::{Told, World, ms, open_config, secs};

/// A head in single bytes, one every so often: its time is absolute.
#[test]
fn a24_slow_heads() {
    for gap in [100_u64, 900, 2500] {
        let mut world = World::captured();
        let mut good = Client::connected(&mut world);
        let conn = world.stream();
        let head = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nX-Filler: ";
        let start = world.now;
        // A header line without end.
        for byte in head.iter().copied().chain(std::iter::repeat(b'x')) {
            if world.closed(conn) {
                break;
            }
            world.feed(conn, &[byte]);
            world.pass(ms(gap));
        }
        let took = world.now.saturating_since(start);
        assert!(took >= secs(10) && took < secs(10) + ms(2 * gap), "{took:?}");
        assert!(world.take(conn).starts_with(b"HTTP/1.1 408 "));
        assert_eq!(world.error(conn), Some(Error::Http(http::Error::Timeout)));
        world.pass(secs(2));
        assert!(world.is_over(conn));
        assert_eq!(good.ask(&mut world, r#"420["echo"]"#).last(), Some(&crate::client::text("430[]")));
    }
}

/// Nothing at all has the same time, and so has a body.
#[test]
fn a24_silence() {
    let mut world = World::captured();
    let silent = world.stream();
    let slow = world.stream();
    world.feed(slow, b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
    world.pass(secs(10));
    assert_eq!(world.error(silent), None);
    world.pass(secs(2));
    assert_eq!(world.hub.stream(silent), Stream::Closed);
    for _ in 0..18 {
        world.feed(slow, b"x");
        world.pass(secs(1));
    }
    assert_eq!(world.error(slow), Some(Error::Http(http::Error::Timeout)));
}

/// 10⁵ requests in one go, by a peer that reads no answer: one is with the application, few are kept, reading stops.
#[test]
fn a25_pipelined_requests_are_not_queued() {
    let mut world = World::manual();
    let conn = world.stream();
    world.stalled.push(conn);
    let many = get("/page").repeat(100_000);
    let ((), usage) = crate::memory::measure(|| {
        for piece in many.chunks(16_384) {
            if world.hub.wants_read(conn) {
                world.feed(conn, piece);
            }
        }
    });
    assert_eq!(world.ear.requests.len(), 1);
    assert!(!world.hub.wants_read(conn));
    assert!(usage.peak < 64 * 1024, "{usage:?}");
    assert_eq!(world.hub.outgoing_len(conn), 0);
}

/// A driver that reads on regardless: the stream ends instead of growing.
#[test]
fn a25_against_a_driver_that_reads_on() {
    let mut world = World::manual();
    let conn = world.stream();
    world.stalled.push(conn);
    let many = get("/page").repeat(16_384 / 40);
    let ((), usage) = crate::memory::measure(|| {
        for _ in 0..200 {
            world.feed(conn, &many);
        }
    });
    assert_eq!(world.error(conn), Some(Error::Http(http::Error::Pipelined)));
    assert!(usage.peak < 256 * 1024, "{usage:?}");
    assert_eq!(world.ear.told.iter().filter(|told| matches!(told, Told::Closed { .. })).count(), 1);
}

/// Requests that are refused are answered at once; answers that are not read end the reading.
#[test]
fn a25_refusals_that_nobody_reads() {
    let mut world = World::new(open_config(), App::Accepting);
    let conn = world.stream();
    world.stalled.push(conn);
    let piece = get("/socket.io/?EIO=4&transport=polling").repeat(200);
    let mut fed = 0;
    while world.hub.wants_read(conn) {
        world.feed(conn, &piece);
        fed += piece.len();
        assert!(fed < 1_000_000, "reading goes on");
    }
    assert!(world.hub.outgoing_len(conn) < 65_536 + 3 * piece.len());
    // It goes on when they are read.
    world.stalled.clear();
    world.write(conn);
    assert!(world.hub.wants_read(conn));
    // Who never reads is cut off.
    world.stalled.push(conn);
    world.feed(conn, &piece);
    world.pass(secs(30));
    assert_eq!(world.error(conn), Some(Error::Http(http::Error::WriteTimeout)));
    assert!(world.is_over(conn));
}
