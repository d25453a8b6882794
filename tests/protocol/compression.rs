//! Answers of long polling that are compressed, for those who take it.

use roomwire::engineio::HttpCompression;
use roomwire::hub::{Config, Target};

use crate::app::App;
use crate::world::{World, open_config};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// A request on a stream of its own, and what comes back: the head and the body.
fn ask(world: &mut World, method: &str, target: &str, lines: &str, body: &str) -> (String, Vec<u8>) {
    let conn = world.stream();
    let length = if method == "POST" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    world.feed(conn, format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{lines}{length}\r\n{body}").as_bytes());
    let answer = world.take(conn);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end..].to_vec())
}

/// A session on long polling that is connected to `/`, and where it polls.
fn session(world: &mut World) -> String {
    let (_, open) = ask(world, "GET", OPEN, "", "");
    let open = String::from_utf8(open).unwrap();
    let sid = open.split("\"sid\":\"").nth(1).unwrap()[..20].to_owned();
    let target = format!("{OPEN}&sid={sid}");
    ask(world, "POST", &target, "", "40");
    ask(world, "GET", &target, "", "");
    target
}

fn world(http_compression: Option<HttpCompression>) -> World {
    let mut config = Config { ..open_config() };
    config.engine.http_compression = http_compression;
    World::new(config, App::Accepting)
}

fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 1 << 20];
    let config = zlib_rs::InflateConfig { window_bits: 31 };
    let (out, code) = zlib_rs::decompress_slice(&mut out, packed, config);
    assert_eq!(code, zlib_rs::ReturnCode::Ok);
    out.to_vec()
}

/// The answer to a poll for which there are so many bytes, to a client that says this.
fn polled(world: &mut World, length: usize, lines: &str) -> (String, Vec<u8>) {
    let target = session(world);
    // `42["e","…"]`
    world.hub.emit(world.now, Target::all(), "e", ("x".repeat(length - 10),)).unwrap();
    ask(world, "GET", &target, lines, "")
}

#[test]
fn long_answers_are_compressed_for_those_who_take_it() {
    let mut world = world(Some(HttpCompression::default()));
    let (head, body) = polled(&mut world, 1024, "Accept-Encoding: gzip, deflate\r\n");
    assert!(
        head.contains("\r\ncontent-encoding: gzip\r\n") && head.contains("\r\nvary: Accept-Encoding\r\n"),
        "{head}"
    );
    assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())) && body.len() < 100);
    assert_eq!(gunzip(&body), format!(r#"42["e","{}"]"#, "x".repeat(1014)).as_bytes());
    for (length, lines) in [
        (1023, "Accept-Encoding: gzip\r\n"),
        (5000, ""),
        (5000, "Accept-Encoding: gzip;q=0\r\n"),
        (5000, "Accept-Encoding: br, deflate\r\n"),
    ] {
        let (head, body) = polled(&mut world, length, lines);
        assert!(!head.contains("content-encoding") && head.contains("\r\nvary: Accept-Encoding\r\n"), "{head}");
        assert_eq!(body.len(), length);
    }
}

#[test]
fn nothing_is_compressed_by_itself() {
    let mut world = world(None);
    let (head, body) = polled(&mut world, 5000, "Accept-Encoding: gzip\r\n");
    assert!(!head.contains("content-encoding") && !head.contains("Accept-Encoding"), "{head}");
    assert_eq!(body.len(), 5000);
}

/// A poll that waits when there is something to say is answered like one that finds it.
#[test]
fn a_poll_that_waits() {
    let mut world = world(Some(HttpCompression { threshold: 200 }));
    let target = session(&mut world);
    let conn = world.stream();
    world.feed(conn, format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n").as_bytes());
    assert!(world.take(conn).is_empty());
    world.hub.emit(world.now, Target::all(), "e", ("y".repeat(500),)).unwrap();
    world.settle();
    let answer = world.take(conn);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(gunzip(&answer[end..]), format!(r#"42["e","{}"]"#, "y".repeat(500)).as_bytes());
}
