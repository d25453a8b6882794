//! What the application does; README.md has the contract.

use std::collections::HashMap;
use std::time::Duration;

use roomwire::Instant;
use roomwire::http::Response;
use roomwire::hub::{AckId, Event, Hub, Refusal, Reply, SocketId, Target};
use roomwire::socketio::{Args, Arguments};
use serde_json::{Value, json};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
const TOKEN: &str = "secret";

#[derive(Default)]
pub struct App {
    /// The questions that are asked.
    questions: HashMap<AckId, SocketId>,
    /// What each socket gave to authenticate itself.
    credentials: HashMap<SocketId, Value>,
}

impl App {
    pub fn handle(&mut self, hub: &mut Hub, now: Instant, event: Event<'_>) {
        match event {
            Event::Request { conn, .. } => {
                let response = Response::new(404).header("content-type", "text/plain").unwrap_or(Response::new(404));
                hub.respond(now, conn, response.body("not here"));
            }
            Event::Connecting { socket, namespace, auth, query } => {
                self.connecting(hub, now, socket, &namespace, &auth, &query);
            }
            Event::Emit { socket, name, args, reply } => self.event(hub, now, socket, &name, args, reply),
            Event::Ack { ack, answer, .. } => {
                if let (Some(asker), Ok(args)) = (self.questions.remove(&ack), answer) {
                    emit(hub, now, asker, "answered", args);
                }
            }
            Event::Disconnected { socket, away_until: None, .. } | Event::Left { socket } => {
                self.credentials.remove(&socket);
            }
            _ => {}
        }
    }

    fn connecting(&mut self, hub: &mut Hub, now: Instant, socket: SocketId, namespace: &str, auth: &str, query: &str) {
        let auth: Value = serde_json::from_str(auth).unwrap_or_else(|_| json!({}));
        let token = auth["token"].as_str().or_else(|| query.split('&').find_map(|pair| pair.strip_prefix("token=")));
        let result = if namespace == "/admin" && token != Some(TOKEN) {
            let refusal = Refusal::new("not authorized");
            let refusal = refusal.clone().data(&json!({ "code": 401 })).unwrap_or(refusal);
            hub.refuse(now, socket, &refusal)
        } else {
            self.credentials.insert(socket, auth);
            hub.accept(now, socket)
        };
        log(result);
    }

    fn event(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        socket: SocketId,
        name: &str,
        args: Args<'_>,
        reply: Option<Reply>,
    ) {
        match (name, reply) {
            ("echo", Some(reply)) => log(hub.ack(now, reply, args)),
            ("echo", None) => emit(hub, now, socket, "echo", args),
            ("auth", Some(reply)) => {
                let auth = self.credentials.get(&socket).cloned().unwrap_or_default();
                log(hub.ack(now, reply, (auth,)));
            }
            ("ask", _) => match hub.emit_with_ack(now, socket, "question", args, ANSWER_TIMEOUT) {
                Ok(ack) => drop(self.questions.insert(ack, socket)),
                Err(error) => eprintln!("{error}"),
            },
            ("burst", _) => {
                let (count,) = args.parse::<(u32,)>().unwrap_or_default();
                for number in 0..count {
                    emit(hub, now, socket, "item", (number,));
                }
            }
            ("all", _) => log(hub.emit(now, Target::namespace("/"), "all", args).map(drop)),
            ("leave", _) => log(hub.disconnect(now, socket)),
            ("close", _) => log(hub.disconnect_client(now, socket)),
            _ => {}
        }
    }
}

/// Emits to a socket that may be gone by now, which is no error here.
fn emit(hub: &mut Hub, now: Instant, socket: SocketId, name: &str, args: impl Arguments) {
    if hub.is_live(socket) {
        log(hub.emit(now, socket, name, args).map(drop));
    }
}

fn log<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        eprintln!("{error}");
    }
}
