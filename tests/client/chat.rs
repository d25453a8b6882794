//! The chat of the examples: whoever asks for an acknowledgement gets one, for a client may send nothing more before it.

use std::time::Duration;

use roomwire::Instant;
use roomwire::hub::{Config, ConnId, Hub, Origins, Peer};

use self::example::Chat;

#[path = "../../examples/chat/mod.rs"]
#[allow(dead_code)]
mod example;

/// One line from a client; the lines that it gets.
fn say(hub: &mut Hub, chat: &mut Chat, conn: ConnId, line: &str) -> Vec<String> {
    let now = Instant::from(Duration::from_secs(1));
    let mut bytes = format!("{line}\n").into_bytes();
    let mut input = &mut bytes[..];
    while let Some(event) = hub.receive(now, conn, &mut input) {
        chat.handle(hub, now, event);
    }
    while let Some(event) = hub.poll_event() {
        chat.handle(hub, now, event);
    }
    let said = String::from_utf8(hub.outgoing(conn).collect::<Vec<_>>().concat()).unwrap();
    hub.sent(now, conn, said.len());
    said.lines().map(str::to_owned).collect()
}

#[test]
fn every_event_is_acknowledged() {
    for (event, answer) in [
        (r#"25["echo",1]"#, "35[1]"),
        (r#"25["ping",1]"#, "35[1]"),
        (r#"25["bye"]"#, r#"35[{"ok":true}]"#),
        (r#"25["goodbye"]"#, r#"35[{"ok":true}]"#),
        (r#"25["ask",1]"#, r#"35[{"ok":true}]"#),
        (r#"25["leave"]"#, r#"35[{"ok":true}]"#),
        (r#"25["subscribe","t"]"#, r#"35[{"ok":true}]"#),
        (r#"25["say","hi"]"#, r#"35[{"error":"enter a room first","ok":false}]"#),
        (r#"25["nothing"]"#, r#"35[{"error":"unknown event","ok":false}]"#),
    ] {
        let now = Instant::from(Duration::from_secs(1));
        let mut hub = Hub::new(Config::new(Origins::Any), [7; 32], now).unwrap();
        let mut chat = Chat::new(None);
        let conn = hub.connect_lines(now, Peer::default()).unwrap();
        let welcome = say(&mut hub, &mut chat, conn, "0");
        assert!(welcome.iter().any(|line| line.starts_with(r#"2["welcome""#)), "{welcome:?}");
        let said = say(&mut hub, &mut chat, conn, event);
        assert!(said.iter().any(|line| line == answer), "{event}: {said:?}");
    }
}
