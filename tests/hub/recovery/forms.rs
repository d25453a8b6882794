//! In whatever form a client gets its packets.

use roomwire::hub::{Recovery, Target};
use roomwire::socketio::{Placeholder, attach};
#[cfg(feature = "msgpack")]
use roomwire::ws::Opcode;

use super::{Client, recovering, say};
use crate::fuzz_hub::Told;
use crate::support::polls::Poller;
#[cfg(feature = "msgpack")]
use crate::support::ws::masked;
use crate::world::{V4, World};

#[test]
fn attachments_are_kept_too() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    let args = attach((Placeholder(0), 7), [&b"\x01\x02"[..]]);
    world.hub.emit(world.now, Target::room("lobby"), "file", args).unwrap();
    let conn = world.open(V4);
    world.says(conn, &format!("40{}", client.auth()));
    let packets = world.hears(conn);
    let [event, attachment, answer] = &packets[..] else { panic!("{packets:?}") };
    assert!(event.starts_with(r#"451-["file",{"_placeholder":true,"num":0},7,""#), "{event}");
    assert_eq!(attachment, "frame 82");
    assert!(answer.starts_with("40{"), "{answer}");
}

#[test]
fn by_long_polling() {
    let mut world = World::new(recovering(Recovery::default()));
    let client = Client::member(&mut world, "lobby");
    client.lose(&mut world);
    say(&mut world, Target::room("lobby"), 1);
    say(&mut world, Target::room("lobby"), 2);
    let (get, post) = (world.hub.connect(world.now).unwrap(), world.hub.connect(world.now).unwrap());
    let mut poller = Poller::new(false, false, get, post);
    world.bytes(get, &poller.ask());
    world.told();
    poller.hears(&world.read(get, usize::MAX));
    world.bytes(get, &poller.ask());
    world.bytes(post, &poller.post(format!("40{}", client.auth()).as_bytes()));
    assert_eq!(world.told(), [Told::Recovered(client.socket)]);
    // The answer to the POST goes first.
    assert!(world.read(post, usize::MAX).ends_with(b"ok"));
    assert_eq!(world.told(), []);
    poller.hears(&world.read(get, usize::MAX));
    let [_, first, second, answer] = &poller.heard[..] else { panic!("{:?}", poller.heard) };
    assert!(first.starts_with("42[\"say\",1,") && second.starts_with("42[\"say\",2,"), "{first} {second}");
    assert!(answer.contains(&client.pid), "{answer}");
}

/// In the other form of packets it is the same.
#[cfg(feature = "msgpack")]
#[test]
fn packets_of_message_pack() {
    let mut config = recovering(Recovery::default());
    config.parser = roomwire::hub::Parser::MessagePack;
    let mut world = World::new(config);
    let connect = |world: &mut World, pid: &[u8], offset: &[u8]| {
        let conn = world.open(V4);
        let (begin, middle) = (&b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x82\xa3pid\xb8"[..], &b"\xa6offset"[..]);
        let length = [0xa0 + offset.len() as u8];
        let packet = [begin, pid, middle, &length[..], offset].concat();
        world.bytes(conn, &masked(Opcode::Binary, &packet));
        (conn, world.told())
    };
    // The string behind another, which is shorter than 32 bytes.
    let behind = |bytes: &[u8], key: &[u8]| {
        let at = bytes.windows(key.len()).position(|window| window == key)? + key.len();
        let length = usize::from(bytes.get(at)?.checked_sub(0xa0)?);
        bytes.get(at + 1..at + 1 + length).map(<[u8]>::to_vec)
    };
    let (conn, told) = connect(&mut world, &[b'x'; 24], b"x");
    let [Told::Connecting(socket, ..)] = told[..] else { panic!("{told:?}") };
    world.hub.accept(world.now, socket).unwrap();
    world.told();
    let pid = behind(&world.read(conn, usize::MAX), b"\xa3pid").unwrap();
    world.hub.abort(world.now, conn);
    let args = attach((1, Placeholder(0)), [&b"\x01\x02"[..]]);
    world.hub.emit(world.now, socket, "say", args).unwrap();
    let (conn, told) = connect(&mut world, &pid, b"");
    assert_eq!(told.last(), Some(&Told::Connected(socket, true)), "an offset of nobody's");
    let pid = behind(&world.read(conn, usize::MAX), b"\xa3pid").unwrap();
    let args = attach((1, Placeholder(0)), [&b"\x01\x02"[..]]);
    world.hub.emit(world.now, socket, "say", args).unwrap();
    let offset = behind(&world.read(conn, usize::MAX), b"\xc4\x02\x01\x02").unwrap();
    let args = attach((2, Placeholder(0)), [&b"\x03\x04"[..]]);
    world.hub.emit(world.now, socket, "say", args).unwrap();
    let (conn, told) = connect(&mut world, &pid, &offset);
    assert_eq!(told.last(), Some(&Told::Recovered(socket)));
    let heard = world.read(conn, usize::MAX);
    assert_eq!(behind(&heard, b"\xc4\x02\x01\x02"), None, "it has that");
    let newest = behind(&heard, b"\xc4\x02\x03\x04").unwrap();
    assert_ne!(newest, offset);
    assert_eq!(behind(&heard, b"\xa3pid"), Some(pid));
}
