//! The body of the fuzz target for packets. `cargo test` runs it over the seeds of `fuzz/corpus/packets`.

use roomwire::engineio;
use roomwire::socketio::{self, Args, Arguments, EventData};

/// Packets of both protocols, payloads of events, and arguments: what is read is written and read again as
/// the same, and nothing panics.
pub fn packets(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    engine_packet(&text);
    socket_packet(&text);
    // What lies in a packet is reached by the way that a server takes, and directly.
    let inner = engineio::Packet::parse(&text).ok().map(|packet| packet.data);
    let inner = inner.and_then(|data| socketio::Packet::parse(data).ok()).map_or(&*text, |packet| packet.data);
    for payload in [&*text, inner] {
        event(payload);
        arguments(payload);
        arguments(payload.trim_start_matches('[').trim_end_matches(']'));
    }
}

fn engine_packet(text: &str) {
    let Ok(packet) = engineio::Packet::parse(text) else { return };
    let written = written(|out| packet.write(out));
    assert_eq!(written, text);
    assert_eq!(engineio::Packet::parse(&written), Ok(packet));
    socket_packet(packet.data);
}

fn socket_packet(text: &str) {
    let Ok(packet) = socketio::Packet::parse(text) else { return };
    assert!(packet.namespace.starts_with('/') && !packet.namespace.contains(','));
    assert!(packet.attachments == 0 || text.starts_with(['5', '6']));
    let written = written(|out| packet.write(out));
    assert_eq!(socketio::Packet::parse(&written), Ok(packet), "{text} was written as {written}");
}

fn event(text: &str) {
    let Ok(event) = EventData::parse(text) else { return };
    assert!(!socketio::is_reserved(&event.name));
    let separator = if event.args.is_empty() { "" } else { "," };
    let again = format!("[{}{separator}{}]", quoted(&event.name), event.args.as_str());
    let parsed = EventData::parse(&again).unwrap_or_else(|error| panic!("{text} was written as {again}: {error}"));
    assert_eq!((&parsed.name, parsed.args.as_str()), (&event.name, event.args.as_str()));
    arguments(event.args.as_str());
}

fn arguments(text: &str) {
    let Ok(args) = Args::new(text) else { return };
    // The spaces around them are left out.
    assert_eq!(written(|out| args.write(out).unwrap()), text.trim_ascii());
    let elements: Vec<&str> = args.iter().collect();
    assert_eq!((args.len(), args.is_empty()), (elements.len(), elements.is_empty()));
    // Each is a value by itself, and together they are the same arguments.
    for element in &elements {
        assert_eq!(Args::new(*element).map(|one| one.len()), Ok(1), "{element}");
    }
    let joined = Args::new(elements.join(",")).unwrap();
    assert_eq!(joined.iter().collect::<Vec<_>>(), elements);
    assert_eq!(args.clone().into_owned(), args);
    assert!(elements.is_empty() == args.parse::<()>().is_ok());
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes);
    String::from_utf8(bytes).expect("packets are text")
}

/// A JSON string by the plainest means.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        '\0'..='\u{1F}' => format!("\\u{:04x}", u32::from(character)),
        _ => character.into(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
