//! Beside tungstenite, from the first byte on: each opens what the other asks for, and messages follow.

use proptest::prelude::*;
use roomwire::ws::{Connection, Opening};
use tungstenite::handshake::client::generate_key;
use tungstenite::{HandshakeError, http};

use crate::ends::{End, Item, Mode, Ours, Pipe};
use crate::script::{cases, cuts, few_cuts};

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn their_client_and_our_server(target in "/[a-z0-9?=%]{0,30}", cuts in cuts(), few in few_cuts()) {
        let request = http::Request::get(format!("ws://localhost{target}"))
            .header("Host", "localhost")
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key())
            .body(())
            .unwrap();
        let Err(HandshakeError::Interrupted(mut waiting)) = tungstenite::client(request, Pipe::default()) else {
            panic!("it does not wait for an answer")
        };
        let mut server = Ours::new(Connection::server(Default::default(), roomwire::Instant::ORIGIN), Mode::Whole);
        let asked = std::mem::take(&mut waiting.get_mut().get_mut().output);
        prop_assert_eq!(server.read(&cuts.of(&asked)), []);
        prop_assert!(server.conn.is_open());
        server.write(&Item::Text("welcome".into()));
        waiting.get_mut().get_mut().input.extend(few.of(&server.take()).into_iter().filter(|piece| !piece.is_empty()));
        let mut attempt = waiting.handshake();
        while let Err(HandshakeError::Interrupted(waiting)) = attempt {
            prop_assert!(!waiting.get_ref().get_ref().input.is_empty(), "it waits for more");
            attempt = waiting.handshake();
        }
        let (mut client, response) = attempt.unwrap();
        prop_assert_eq!(response.status(), 101);
        prop_assert_eq!(client.read().unwrap(), tungstenite::Message::text("welcome"));
        client.send(tungstenite::Message::binary(&b"thanks"[..])).unwrap();
        prop_assert_eq!(server.read(&[client.get_ref().output.clone()]), [Item::Binary(b"thanks".to_vec())]);
    }

    #[test]
    fn our_client_and_their_server(target in "/[a-z0-9?=%]{0,30}", cuts in cuts(), few in few_cuts()) {
        let opening = Opening::url(&format!("ws://localhost{target}")).unwrap();
        let mut client = Ours::new(Connection::client(Default::default(), opening, [7; 32], roomwire::Instant::ORIGIN), Mode::Whole);
        let mut pipe = Pipe::default();
        pipe.input.extend(few.of(&client.take()).into_iter().filter(|piece| !piece.is_empty()));
        let mut attempt = tungstenite::accept(pipe);
        while let Err(HandshakeError::Interrupted(waiting)) = attempt {
            prop_assert!(!waiting.get_ref().get_ref().input.is_empty(), "it waits for more");
            attempt = waiting.handshake();
        }
        let mut server = attempt.unwrap();
        server.send(tungstenite::Message::text("welcome")).unwrap();
        let answer = std::mem::take(&mut server.get_mut().output);
        prop_assert_eq!(client.read(&cuts.of(&answer)), [Item::Text("welcome".into())]);
        client.write(&Item::Binary(b"thanks".to_vec()));
        let said = client.take();
        server.get_mut().input.extend(cuts.of(&said).into_iter().filter(|piece| !piece.is_empty()));
        prop_assert_eq!(server.read().unwrap(), tungstenite::Message::binary(&b"thanks"[..]));
    }
}
