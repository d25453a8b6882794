use std::hint::black_box;

use roomwire::socketio::{EventData, Packet, PacketType};

use super::{Linear, Path};
use crate::section::count;

pub const HOT: &[Path] = &[
    Path { name: "socketio: parse EVENT of 90 B and its arguments", times: 500, run: parse },
    Path { name: "socketio: write EVENT of 90 B", times: 2000, run: write },
];

pub const LINEAR: &[Linear] = &[
    Linear { name: "socketio: event of many arguments", units: 8 << 10, run: |count| long_event(&"1,".repeat(count)) },
    Linear {
        name: "socketio: event of one string with escapes",
        units: 8 << 10,
        run: |count| long_event(&string(count)),
    },
    Linear {
        name: "socketio: event of many nested arrays",
        units: 4 << 10,
        run: |count| long_event(&"[[[1]]],".repeat(count)),
    },
];

const EVENT: &str = r#"2/chat,17["message",{"room":"lobby","text":"good evening, everybody","at":1700000000000},true]"#;

fn parse(times: usize) {
    count(|| {
        for _ in 0..times {
            let packet = Packet::parse(black_box(EVENT)).expect("it is a packet");
            let event = EventData::parse(packet.data).expect("it is an event");
            assert_eq!(event.args.iter().map(|arg| black_box(arg).len()).sum::<usize>(), 72);
        }
    });
}

fn write(times: usize) {
    let packet = Packet::parse(EVENT).expect("it is a packet");
    let mut out = Vec::with_capacity(200);
    count(|| {
        for _ in 0..times {
            out.clear();
            black_box(packet).write(&mut out);
        }
    });
    assert_eq!((packet.kind, out.as_slice()), (PacketType::Event, EVENT.as_bytes()));
}

fn string(count: usize) -> String {
    format!("\"{}\",", r"a\u00e9\\".repeat(count))
}

fn long_event(arguments: &str) {
    let data = format!("[\"name\",{arguments}null]");
    let arguments = count(|| EventData::parse(&data).expect("it is an event").args.iter().count());
    assert!(arguments > 1);
}
