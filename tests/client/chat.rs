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

/// A chat with one who is in a room.
fn entered() -> (Hub, Chat, ConnId) {
    let now = Instant::from(Duration::from_secs(1));
    let mut hub = Hub::new(Config::new(Origins::Any), [7; 32], now).unwrap();
    let mut chat = Chat::new(None);
    let conn = hub.connect_lines(now, Peer::default()).unwrap();
    say(&mut hub, &mut chat, conn, "0");
    let said = say(&mut hub, &mut chat, conn, r#"20["enter",{"name":"ann","room":"lobby"}]"#);
    assert!(said.iter().any(|line| line == r#"30[{"ok":true,"room":"lobby","user":"ann"}]"#), "{said:?}");
    (hub, chat, conn)
}

/// What is as long as it may be, and what is longer by one character, of one byte or of four.
#[test]
fn names_and_texts_have_a_longest() {
    let names = "has 1 to 32 characters";
    let texts = "has 1 to 4000 characters";
    for (packet, longest, error) in [
        (r#"25["enter",{"name":"TEXT","room":"r"}]"#, 32, "name and room have 1 to 32 characters and no colon"),
        (r#"25["enter",{"name":"ann","room":"TEXT"}]"#, 32, "name and room have 1 to 32 characters and no colon"),
        (r#"25["say","TEXT"]"#, 4000, &format!("a text {texts}")),
        (r#"25["whisper",{"to":"ann","text":"TEXT"}]"#, 4000, &format!("a text {texts}")),
        (r#"25["subscribe","TEXT"]"#, 32, &format!("a topic {names}")),
        (r#"25["unsubscribe","TEXT"]"#, 32, &format!("a topic {names}")),
        (r#"25["publish","TEXT","event"]"#, 32, &format!("a topic {names}")),
        (r#"25["publish","topic","TEXT"]"#, 32, &format!("an event {names}")),
    ] {
        for character in ["x", "😀"] {
            let (mut hub, mut chat, conn) = entered();
            for (count, good) in [(0, false), (longest + 1, false), (longest, true)] {
                let line = packet.replace("TEXT", &character.repeat(count));
                let said = say(&mut hub, &mut chat, conn, &line);
                let answer = said.iter().find_map(|line| line.strip_prefix("35")).unwrap();
                if packet.contains(r#""name":"TEXT""#) && good {
                    // She has a name already.
                    assert!(answer.contains("you have a name already"), "{packet}: {answer}");
                } else if good {
                    assert!(answer.contains(r#""ok":true"#), "{packet}, {count}: {answer}");
                } else {
                    assert_eq!(answer, format!(r#"[{{"error":"{error}","ok":false}}]"#), "{packet}, {count}");
                }
            }
        }
    }
}
