//! Cookies that the server sets, as balancers do to find their server again.

use std::time::Duration;

use roomwire::client::Limits;
use roomwire::engineio::Transports;

use crate::world::{Asked, OPEN, OPEN_UPGRADE, POLLING, WEBSOCKET, World, config};

fn set(world: &mut World, asked: &Asked, cookies: &[&str], body: &str) {
    let lines: String = cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).collect();
    world.respond(asked, "200 OK", &lines, body.as_bytes());
}

/// The header lines with cookies in what was written last to a new stream.
fn upgraded(world: &World) -> Vec<&str> {
    let (_, bytes) = world.written.last_key_value().unwrap();
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&bytes[..head]).unwrap();
    head.lines().filter(|line| line.to_ascii_lowercase().starts_with("cookie:")).collect()
}

#[test]
fn cookies_go_back_with_every_request() {
    let mut world = World::new(config(Transports::ALL).header("X-Own", "1").unwrap());
    world.connect("/");
    let get = world.get();
    assert_eq!(get.request.header("cookie"), None);
    set(&mut world, &get, &["AWSALB=abc; Path=/; Max-Age=60", "io=SID; HttpOnly; SameSite=Lax"], OPEN_UPGRADE);
    let (post, get) = (world.post(), world.get());
    for asked in [&post, &get] {
        assert_eq!(asked.request.header("cookie"), Some("AWSALB=abc; io=SID"), "{}", asked.line);
        assert_eq!(asked.request.header("x-own"), Some("1"));
    }
    assert_eq!(upgraded(&world), ["cookie: AWSALB=abc; io=SID"], "with the upgrade too");
    set(&mut world, &post, &["AWSALB=def"], "ok");
    world.say("3probe");
    set(&mut world, &get, &[], r#"40{"sid":"one"}"#);
    assert_eq!(world.told(), ["opened", "connected 1", "upgraded"]);
    // A lost session is opened again where it was.
    let socket = world.socket();
    world.lose(socket);
    world.pass_seconds(1);
    assert_eq!(world.get().request.header("cookie"), Some("io=SID; AWSALB=def"));
}

#[test]
fn cookies_end() {
    let (mut world, socket, get) = World::polling(config(POLLING), OPEN);
    set(&mut world, &get, &["a=1", "b=2; Max-Age=10", "c=3; Max-Age=20"], "6");
    let get = world.get();
    assert_eq!(get.request.header("cookie"), Some("a=1; b=2; c=3"));
    set(&mut world, &get, &["a=; Max-Age=0"], "6");
    assert_eq!(world.get().request.header("cookie"), Some("b=2; c=3"));
    world.pass_time(Duration::from_secs(10));
    world.emit(socket, "e", ());
    assert_eq!(world.post().request.header("cookie"), Some("c=3"));
}

#[test]
fn cookies_of_websockets() {
    let mut world = World::new(config(WEBSOCKET).header("cookie", "own=1").unwrap());
    world.cookie = "Set-Cookie: node=7\r\n";
    world.connect("/");
    assert_eq!(upgraded(&world), ["cookie: own=1"]);
    let socket = world.socket();
    world.lose(socket);
    // A refusal sets them as well.
    world.upgrades = false;
    world.cookie = "Set-Cookie: other=8\r\n";
    world.pass_seconds(1);
    assert_eq!(upgraded(&world), ["cookie: own=1; node=7"], "one line");
    world.pass_seconds(5);
    assert_eq!(upgraded(&world), ["cookie: own=1; node=7; other=8"]);
}

#[test]
fn cookies_are_kept_within_bounds() {
    let mut config = config(POLLING);
    config.limits = Limits { cookies_bytes_max: 0, ..config.limits };
    let (mut world, _, get) = World::polling(config, OPEN);
    set(&mut world, &get, &["a=1"], "6");
    assert_eq!(world.get().request.header("cookie"), None);
}
