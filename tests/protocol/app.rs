//! Applications for the hub under test.

use std::collections::BTreeMap;
use std::time::Duration;

use roomwire::Instant;
use roomwire::http::Response;
use roomwire::hub::{Event, Hub, Refusal, Reply, SocketId, Target};
use roomwire::socketio::{Args, Placeholder, Protocol, attach};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// Leaves everything to the test.
    Manual,
    /// Accepts everybody, and leaves everything else to the test.
    Accepting,
    /// Does what the application of the captured servers did.
    Captured,
}

impl App {
    /// Deals with an event, or gives it back.
    pub fn handle<'a>(self, hub: &mut Hub, now: Instant, event: Event<'a>) -> Option<Event<'a>> {
        match (self, event) {
            (Self::Accepting | Self::Captured, Event::Connecting { socket, namespace, auth, query }) => {
                if self == Self::Captured && &*namespace == "/admin" && !has_token(&auth, &query) {
                    let hint = json!({"code": 401, "hint": "bring a token"});
                    hub.refuse(now, socket, &Refusal::new("not authorized").data(&hint).unwrap()).unwrap();
                } else {
                    hub.accept(now, socket).unwrap();
                }
                None
            }
            (Self::Captured, Event::Request { conn, .. }) => {
                hub.respond(now, conn, Response::new(404));
                None
            }
            (Self::Captured, Event::Connected { socket, .. }) => {
                welcome(hub, now, socket);
                None
            }
            (Self::Captured, Event::Emit { socket, name, args, reply }) => {
                emitted(hub, now, socket, &name, args, reply);
                None
            }
            // The one who is asked and the one who gets the answer are the same.
            (Self::Captured, Event::Ack { socket, answer: Ok(args), .. }) => {
                hub.emit(now, socket, "got", args).unwrap();
                None
            }
            (_, event) => Some(event),
        }
    }
}

fn has_token(auth: &str, query: &str) -> bool {
    query == "token=secret" || serde_json::from_str::<Value>(auth).is_ok_and(|auth| auth["token"] == "secret")
}

fn welcome(hub: &mut Hub, now: Instant, socket: SocketId) {
    match hub.namespace(socket).map(str::to_owned) {
        Some(name) if name.starts_with("/dyn-") => drop(hub.emit(now, socket, "ns", (name,)).unwrap()),
        _ => drop(hub.emit(now, socket, "hello", ("world", 1, true, json!({"a": [null]}))).unwrap()),
    }
}

fn emitted(hub: &mut Hub, now: Instant, socket: SocketId, name: &str, args: Args<'_>, reply: Option<Reply>) {
    match (name, reply) {
        ("echo", Some(reply)) => hub.ack(now, reply, args).unwrap(),
        ("msg", _) => drop(hub.emit(now, socket, "msg-back", args).unwrap()),
        ("ask", _) => drop(hub.emit_with_ack(now, socket, "q", ("x",), Duration::from_secs(5)).unwrap()),
        ("bin", _) => {
            let nested = BTreeMap::from([("n", Placeholder(1))]);
            let args = attach((Placeholder(0), nested), [&[1, 2, 3, 4][..], &[5]]);
            hub.emit(now, socket, "bin", args).unwrap();
        }
        ("leave-ns", _) => hub.disconnect(now, socket).unwrap(),
        ("bye", _) => {
            assert_eq!(hub.protocol(socket), Some(Protocol::V5));
            let conn = hub.connection(socket).unwrap();
            hub.disconnect(now, socket).unwrap();
            hub.close_connection(now, conn, roomwire::ws::CloseCode::NO_STATUS, "");
        }
        ("all", _) => drop(hub.emit(now, Target::all(), "all", args).unwrap()),
        _ => {}
    }
}
