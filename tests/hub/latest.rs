//! Events of which only the newest is wanted: who reads slowly gets fewer of them, in order, and always the last.

use proptest::prelude::*;
use roomwire::hub::{Config, ConnId, Recovery, Target};
use roomwire::socketio::{Placeholder, attach};

use crate::chunking::cases;
use crate::fuzz_hub::Told;
use crate::recovery::{Client, recovering};
use crate::support::polls::Poller;
use crate::world::{World, config, count, millis, packets};

fn small() -> Config {
    let mut config = config();
    config.limits.outbox_bytes_max = 20_000;
    config.limits.congested_bytes = 4_000;
    config
}

/// A point of some size under a key; how many it was queued for.
fn point(world: &mut World, key: &str, number: usize) -> usize {
    let point = (key, number, "x".repeat(500));
    let receipt = world.hub.emit(world.now, Target::room("graph").latest(key), "point", point).unwrap();
    assert_eq!((receipt.cut_off, receipt.away), (0, 0));
    receipt.queued
}

/// Which points a client hears under a key, in as many turns as it takes to read everything.
fn hears(world: &mut World, conn: ConnId, key: &str) -> Vec<usize> {
    let mut heard = Vec::new();
    while world.hub.outgoing_len(conn) > 0 {
        for packet in world.hears(conn) {
            let numbers = packet.strip_prefix(&format!("42[\"point\",\"{key}\","));
            heard.extend(numbers.map(|rest| rest.split(',').next().unwrap().parse::<usize>().unwrap()));
        }
    }
    heard
}

#[test]
fn who_reads_slowly_gets_fewer_and_the_last() {
    let mut world = World::new(small());
    let clients = world.room(2, "graph");
    let [(slow, _), (fast, _)] = clients[..] else { panic!() };
    for number in 0..1000 {
        assert_eq!(point(&mut world, "cpu", number), 2);
        assert_eq!(hears(&mut world, fast, "cpu"), [number]);
        assert!(world.hub.outgoing_len(slow) < 5_000);
    }
    assert_eq!(count(&world.told(), "congested"), 1);
    while world.hub.poll_transmit().is_some() {}
    let first = world.read(slow, 3000);
    assert_eq!(world.hub.poll_transmit(), Some(slow), "there is something new to write");
    let heard = [first, world.read(slow, usize::MAX)].concat();
    let heard: Vec<usize> =
        packets(&heard).iter().map(|packet| packet.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert_eq!(heard, [0, 1, 2, 3, 4, 5, 6, 7, 999]);
    assert_eq!(world.told(), [Told::Drained(slow)]);
    point(&mut world, "cpu", 1000);
    assert_eq!(hears(&mut world, slow, "cpu"), [1000]);
}

#[test]
fn each_key_has_its_own() {
    let mut world = World::new(small());
    let (conn, _) = world.room(1, "graph")[0];
    for number in 0..20 {
        for key in ["a", "b"] {
            assert_eq!(point(&mut world, key, number), 1);
        }
    }
    let packets: Vec<String> = std::iter::from_fn(|| {
        let packets = world.hears(conn);
        (!packets.is_empty()).then_some(packets)
    })
    .flatten()
    .map(|packet| packet.split(',').skip(1).take(2).collect::<Vec<_>>().join(" "))
    .collect();
    let first: Vec<String> = (0..4).flat_map(|number| [format!("\"a\" {number}"), format!("\"b\" {number}")]).collect();
    assert_eq!(packets[..8], first);
    assert_eq!(packets[8..], ["\"a\" 19", "\"b\" 19"]);
}

/// Half caught up: what waits is older than what goes out.
#[test]
fn a_newer_one_makes_an_older_one_void() {
    let mut world = World::new(small());
    let (conn, _) = world.room(1, "graph")[0];
    for number in 0..20 {
        point(&mut world, "cpu", number);
    }
    world.read(conn, 1500);
    point(&mut world, "cpu", 20);
    let mut heard = Vec::new();
    while world.hub.outgoing_len(conn) > 0 {
        let bytes = world.read(conn, usize::MAX);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        heard.extend(text.split("\"cpu\",").skip(1).map(|rest| rest.split(',').next().unwrap().to_owned()));
    }
    assert_eq!(heard.last().unwrap(), "20");
    assert!(!heard.contains(&"19".to_owned()), "{heard:?}");
}

#[test]
fn m01_what_waits_has_limits() {
    let mut config = small();
    config.limits.latest_keys_max = 3;
    let mut world = World::new(config);
    let (conn, _) = world.room(1, "graph")[0];
    for number in 0..10 {
        point(&mut world, "first", number);
    }
    let queued: Vec<usize> = ["first", "a", "b", "c", "a"].map(|key| point(&mut world, key, 7)).to_vec();
    assert_eq!(queued, [1, 1, 1, 0, 1], "a fourth key has no place");
    // Nor has what would not fit into the outbox.
    let long = Target::room("graph").latest("a");
    let receipt = world.hub.emit(world.now, long, "point", ("a", 8, "x".repeat(15_000))).unwrap();
    assert_eq!((receipt.queued, receipt.dropped), (0, 1));
    assert_eq!(hears(&mut world, conn, "a"), [7], "what waited is as it was");
}

#[test]
fn what_waits_for_who_has_left_is_not_sent() {
    let mut world = World::new(small());
    let (conn, socket) = world.client();
    let chat = world.ask(conn, "/chat");
    world.hub.accept(world.now, chat).unwrap();
    world.hears(conn);
    for number in 0..20 {
        for socket in [socket, chat] {
            let target = Target::socket(socket).latest("cpu");
            world.hub.emit(world.now, target, "point", (number, "x".repeat(500))).unwrap();
        }
    }
    world.hub.disconnect(world.now, chat).unwrap();
    let mut heard = Vec::new();
    while world.hub.outgoing_len(conn) > 0 {
        heard.extend(world.hears(conn));
    }
    let left = heard.iter().position(|packet| packet == "41/chat,").unwrap();
    assert!(heard[left..].iter().all(|packet| !packet.starts_with("42/chat")), "{heard:?}");
    assert!(heard.last().unwrap().starts_with("42[\"point\",19,"));
}

#[test]
fn attachments_go_with_their_event() {
    let mut world = World::new(small());
    let (conn, socket) = world.client();
    for number in 0..20_u8 {
        let image = attach((Placeholder(0), number), [&[number; 600][..]]);
        world.hub.emit(world.now, Target::socket(socket).latest("image"), "frame", image).unwrap();
    }
    let mut heard = Vec::new();
    while world.hub.outgoing_len(conn) > 0 {
        heard.extend(world.hears(conn));
    }
    assert!(heard.len().is_multiple_of(2) && heard.chunks(2).all(|pair| pair[1] == "frame 82"), "{heard:?}");
    assert!(heard[heard.len() - 2].ends_with(",19]"), "{heard:?}");
}

/// What is asked is answered by each who got it, or told as missing: nothing takes its place.
#[test]
fn a_question_is_never_replaced() {
    let mut world = World::new(small());
    let (conn, _) = world.room(1, "graph")[0];
    for number in 0..10 {
        point(&mut world, "cpu", number);
    }
    let target = Target::room("graph").latest("cpu");
    let (_, receipt) = world.hub.emit_with_acks(world.now, target, "ask", (), millis(1000)).unwrap();
    assert_eq!(receipt.queued, 1);
    point(&mut world, "cpu", 10);
    let heard = world.hears(conn);
    assert_eq!(heard.last().unwrap(), "420[\"ask\"]");
}

#[test]
fn by_long_polling_and_after_the_upgrade() {
    for upgrades in [false, true] {
        let mut config = small();
        config.engine.poll_packets_max = 3;
        let mut world = World::new(config);
        let (get, post) = (world.hub.connect(world.now).unwrap(), world.hub.connect(world.now).unwrap());
        let mut poller = Poller::new(false, false, get, post);
        world.bytes(get, &poller.ask());
        world.told();
        poller.hears(&world.read(get, usize::MAX));
        world.bytes(post, &poller.post(b"40"));
        let Some(Told::Connecting(socket, ..)) = world.told().pop() else { panic!() };
        world.hub.accept(world.now, socket).unwrap();
        world.hub.join(world.now, socket, "graph").unwrap();
        world.read(post, usize::MAX);
        for number in 0..30 {
            assert_eq!(point(&mut world, "cpu", number), 1);
        }
        let heard: String = if upgrades {
            let conn = world.open(&poller.target("websocket"));
            world.bytes(conn, &crate::support::polls::dance());
            world.told();
            let mut heard = Vec::new();
            while world.hub.outgoing_len(conn) > 0 {
                heard.extend(world.hears(conn));
            }
            heard.join("\n")
        } else {
            for _ in 0..8 {
                world.bytes(get, &poller.ask());
                world.told();
                poller.hears(&world.read(get, usize::MAX));
                if !poller.asks() {
                    break;
                }
            }
            poller.heard.join("\n")
        };
        let numbers: Vec<&str> = heard.split("\"cpu\",").skip(1).map(|rest| rest.split(',').next().unwrap()).collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7", "29"], "{upgrades}");
    }
}

/// What waits is told an offset when it goes out, not when it was emitted: else it would set a client back that has more.
#[test]
fn s16_what_waited_is_no_older_offset() {
    let config = Config { limits: small().limits, ..recovering(Recovery::default()) };
    let mut world = World::new(config);
    let mut client = Client::member(&mut world, "graph");
    for number in 0..20 {
        let point = (number, "x".repeat(500));
        world.hub.emit(world.now, Target::room("graph").latest("cpu"), "point", point).unwrap();
    }
    for number in 0..3 {
        world.hub.emit(world.now, Target::room("graph"), "say", (number,)).unwrap();
    }
    while world.hub.outgoing_len(client.conn) > 0 {
        client.listen(&mut world);
    }
    assert!(client.heard.last().unwrap().starts_with("\"point\" 19"), "{:?}", client.heard);
    assert_eq!(client.heard.iter().filter(|event| event.starts_with("\"say\"")).count(), 3);
    client.lose(&mut world);
    assert_eq!(client.recovers(&mut world), [] as [&str; 0], "it has all");
}

#[derive(Clone, Debug)]
enum Op {
    Point(usize),
    Reliable,
    Read(usize),
}

proptest! {
    #![proptest_config(cases(300))]

    /// Whatever is read when: under each key what is heard rises, and ends with the newest; what is reliable comes whole.
    #[test]
    fn it_rises_and_ends_with_the_newest(
        ops in prop::collection::vec(prop_oneof![
            6 => (0..3usize).prop_map(Op::Point),
            1 => Just(Op::Reliable),
            2 => (0..3000usize).prop_map(Op::Read),
        ], 0..150),
    ) {
        let keys = ["a", "b", "c"];
        let mut world = World::new(Config { limits: roomwire::hub::Limits { outbox_bytes_max: 1 << 20, ..small().limits }, ..config() });
        let (conn, _) = world.room(1, "graph")[0];
        let (mut last, mut reliable, mut bytes) = ([None; 3], 0_usize, Vec::new());
        for (number, op) in ops.iter().enumerate() {
            match op {
                Op::Point(key) => {
                    prop_assert_eq!(point(&mut world, keys[*key], number), 1);
                    last[*key] = Some(number);
                }
                Op::Reliable => {
                    world.hub.emit(world.now, Target::room("graph"), "reliable", (reliable,)).unwrap();
                    reliable += 1;
                }
                Op::Read(count) => bytes.extend(world.read(conn, *count)),
            }
        }
        while world.hub.outgoing_len(conn) > 0 {
            bytes.extend(world.read(conn, usize::MAX));
        }
        let packets = packets(&bytes);
        for (key, last) in keys.iter().zip(last) {
            let begin = format!("42[\"point\",\"{key}\",");
            let heard: Vec<usize> = packets
                .iter()
                .filter_map(|packet| packet.strip_prefix(&begin)?.split(',').next()?.parse().ok())
                .collect();
            prop_assert!(heard.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", heard);
            prop_assert_eq!(heard.last().copied(), last);
        }
        let heard: Vec<&String> = packets.iter().filter(|packet| packet.contains("reliable")).collect();
        let expected: Vec<String> = (0..reliable).map(|number| format!("42[\"reliable\",{number}]")).collect();
        prop_assert_eq!(heard, expected.iter().collect::<Vec<_>>());
    }
}
