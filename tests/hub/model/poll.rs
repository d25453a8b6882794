//! The clients on long polling of the real hub: they ask again as soon as they are answered.
//!
//! Their requests are values, as of an application that has an HTTP server already.

use roomwire::engineio::{PayloadForm, PayloadPacket, read_payload, write_payload};
use roomwire::http::Request;
use roomwire::hub::{Answer, Peer, RequestId};
use roomwire::ws::Opcode;

use super::sut::{Client, Sut, plain};
use crate::support::ws::{masked, opening};
use crate::world::packets;

/// A session on long polling.
pub struct Poll {
    sid: String,
    form: PayloadForm,
    /// Its GET in waiting.
    parked: Option<RequestId>,
    /// Whether it was pinged, and has not answered.
    owes_pong: bool,
}

fn request(method: &str, target: &str, body: Vec<u8>) -> Request {
    let length = body.len().to_string();
    let headers = [("host", &b"a"[..]), ("content-length", length.as_bytes())];
    Request::from_parts(method, target, 1, headers).unwrap().with_body(body)
}

impl Sut {
    pub fn open_poll(&mut self, v3: bool) {
        let form = if v3 { PayloadForm::V3Text } else { PayloadForm::V4 };
        let poll = Poll { sid: String::new(), form, parked: None, owes_pong: false };
        self.clients.push(Client::new(v3, None, Some(poll)));
        let client = self.clients.len() - 1;
        self.speaking = client;
        self.ask(client);
        self.tell();
        self.read_polls();
        // What a WebSocket is told before anything is asked of it is not compared either.
        let entry = &mut self.clients[client];
        let open = entry.heard.remove(0);
        assert!(open.starts_with("0{"), "{open}");
    }

    fn target(&self, client: usize, transport: &str) -> String {
        let entry = &self.clients[client];
        let sid = entry.poll.as_ref().filter(|poll| !poll.sid.is_empty());
        let sid = sid.map_or(String::new(), |poll| format!("&sid={}", poll.sid));
        format!("/socket.io/?EIO={}&transport={transport}{sid}", if entry.v3 { 3 } else { 4 })
    }

    /// A GET, which is never answered before its turn.
    fn ask(&mut self, client: usize) {
        let target = self.target(client, "polling");
        let answer = self.hub.handle_request(self.now, Peer::default(), request("GET", &target, Vec::new()));
        let Answer::Parked(parked) = answer else { panic!("{answer:?}") };
        self.clients[client].poll.as_mut().unwrap().parked = Some(parked);
    }

    /// A POST of one packet: it is answered when what it brought was told.
    pub fn post(&mut self, client: usize, packet: &str) {
        let form = self.clients[client].poll.as_ref().unwrap().form;
        let mut body = Vec::new();
        write_payload(form, &PayloadPacket::Text(packet.into()), &mut body);
        let target = self.target(client, "polling");
        let answer = self.hub.handle_request(self.now, Peer::default(), request("POST", &target, body));
        let Answer::Parked(parked) = answer else { panic!("{answer:?}") };
        self.speaking = client;
        let mut answered = false;
        loop {
            self.tell();
            let Some((request, response)) = self.hub.poll_response() else { break };
            if request == parked {
                assert_eq!((response.status(), &response.body_bytes()[..]), (200, &b"ok"[..]));
                answered = true;
            } else {
                self.answered(request, response.status(), response.body_bytes());
            }
        }
        assert!(answered, "a POST without an answer");
    }

    /// Takes what GETs were answered, and answers pings; whether there was anything.
    pub fn read_polls(&mut self) -> bool {
        let mut any = false;
        while let Some((request, response)) = self.hub.poll_response() {
            self.answered(request, response.status(), response.body_bytes());
            any = true;
        }
        for client in 0..self.clients.len() {
            let entry = &mut self.clients[client];
            let owes = entry.poll.as_mut().is_some_and(|poll| std::mem::take(&mut poll.owes_pong));
            if owes && !entry.ended && !entry.mute {
                self.post(client, "3");
                any = true;
            }
        }
        any
    }

    fn answered(&mut self, request: RequestId, status: u16, body: &[u8]) {
        let is_its = |client: &Client| client.poll.as_ref().is_some_and(|poll| poll.parked == Some(request));
        let client = self.clients.iter().position(is_its).expect("an answer to nothing");
        assert_eq!(status, 200, "{}", body.escape_ascii());
        let poll = self.clients[client].poll.as_mut().unwrap();
        poll.parked = None;
        let read: Result<Vec<_>, _> = read_payload(poll.form, body, 16).collect();
        let heard: Vec<String> = read
            .unwrap()
            .into_iter()
            .map(|packet| if let PayloadPacket::Text(text) = packet { text.into_owned() } else { panic!("{packet:?}") })
            .filter(|packet| packet != "6")
            .collect();
        if poll.sid.is_empty() {
            poll.sid = heard[0].split_once("\"sid\":\"").unwrap().1[..20].to_owned();
        }
        let last = heard.last().is_some_and(|last| last == "1");
        poll.owes_pong |= heard.iter().any(|packet| packet == "2");
        let entry = &mut self.clients[client];
        entry.ended |= last;
        let ended = entry.ended;
        entry
            .heard
            .extend(heard.into_iter().map(|packet| if packet.starts_with('0') { packet } else { plain(&packet) }));
        if !ended {
            self.ask(client);
        }
    }

    /// The client of a GET goes away.
    pub fn lose(&mut self, client: usize) {
        let entry = &mut self.clients[client];
        entry.ended = true;
        let parked = entry.poll.as_mut().and_then(|poll| poll.parked.take()).expect("always one in waiting");
        self.hub.cancel_request(self.now, parked);
    }

    /// The whole of an upgrade.
    pub fn upgrade(&mut self, number: usize) {
        let Some(client) = self.open(number).filter(|client| self.clients[*client].poll.is_some()) else { return };
        let target = self.target(client, "websocket");
        let conn = self.hub.connect(self.now).unwrap();
        self.clients[client].conn = Some(conn);
        self.feed(client, &opening(&target));
        let head: Vec<u8> = self.hub.outgoing(conn).flatten().copied().collect();
        self.hub.sent(self.now, conn, head.len());
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        // From the probe on it does not ask again.
        self.feed(client, &masked(Opcode::Text, b"2probe"));
        let mut poll = self.clients[client].poll.take().unwrap();
        let (request, response) = self.hub.poll_response().expect("the GET in waiting is answered");
        assert_eq!((Some(request), response.status()), (poll.parked.take(), 200));
        assert!(response.body_bytes().ends_with(b"6"));
        let bytes: Vec<u8> = self.hub.outgoing(conn).flatten().copied().collect();
        self.hub.sent(self.now, conn, bytes.len());
        assert_eq!(packets(&bytes), ["3probe"]);
        self.feed(client, &masked(Opcode::Text, b"5"));
        self.told.push("upgraded".into());
    }
}
