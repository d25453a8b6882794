//! An application that reacts in a fixed way.

use std::collections::BTreeMap;
use std::time::Duration;

use roomwire::hub::{ConnId, Event, Hub, Refusal, Reply, SocketId, Target, Token};
use roomwire::socketio::Args;
use roomwire::{Instant, http, ws};

/// An application whose every reaction follows from what it is told.
#[derive(Default)]
pub(super) struct App {
    tokens: Vec<Token>,
    users: BTreeMap<SocketId, String>,
    connected: usize,
    pub(super) late: Vec<ConnId>,
    /// Those who are let in when time has passed.
    pub(super) tardy: Vec<SocketId>,
}

impl App {
    pub(super) fn react(&mut self, hub: &mut Hub, now: Instant, event: Event<'_>) {
        match event {
            Event::Request { conn, request } if request.path() == "/late" => self.late.push(conn),
            Event::Request { conn, .. } => hub.respond(now, conn, http::Response::new(200).text("page")),
            Event::Connecting { socket, auth, namespace, query } => {
                if auth.contains("late") || query.contains("late") {
                    return;
                }
                if query.contains("tardy") {
                    return self.tardy.push(socket);
                }
                if auth.contains("refuse") || *namespace == *"/admin" {
                    let refusal = Refusal::new("no").data(&[1, 2]).unwrap();
                    hub.refuse(now, socket, &refusal).unwrap();
                    return;
                }
                let nth = auth.split_once("\"resume\":").and_then(|(_, rest)| rest.trim_end_matches('}').parse().ok());
                let token = nth.and_then(|nth: usize| self.tokens.get(nth).copied());
                if token.is_none_or(|token| hub.resume(now, socket, &token).is_err()) {
                    // Resuming may have told of others' ends, never of this one's.
                    hub.accept(now, socket).unwrap();
                }
            }
            Event::Connected { socket, .. } => {
                let user = format!("u{}", self.connected % 3);
                self.connected += 1;
                let _ = hub.identify(now, socket, &user);
                let _ = hub.join(now, socket, "lobby");
                self.tokens.extend(hub.token(socket));
                let token = hub.token(socket).map(String::from);
                let _ = hub.emit(now, socket, "welcome", (token,));
                self.users.insert(socket, user);
            }
            Event::Emit { socket, name, args, reply } => {
                self.emit(hub, now, socket, &name, &args);
                if let Some(reply) = reply {
                    answer(hub, now, reply, args);
                }
            }
            Event::Message { socket: Some(socket), message, .. } => match &message {
                ws::Message::Text(text) if text == "bye" => drop(hub.disconnect(now, socket)),
                _ => drop(hub.send_message(now, Target::room("lobby").and_socket(socket), message)),
            },
            Event::Ack { socket, answer, .. } => {
                let heard = answer.map_or_else(|error| error.to_string(), |args| args.as_str().into());
                let _ = hub.emit(now, Target::all().except(socket), "heard", (heard,));
            }
            Event::Disconnected { socket, away_until: None, .. } | Event::Left { socket } => {
                self.users.remove(&socket);
            }
            _ => {}
        }
    }

    fn emit(&self, hub: &mut Hub, now: Instant, socket: SocketId, name: &str, args: &Args<'_>) {
        let first = args.iter().next();
        let room = first.map_or("lobby", |first| first.trim_matches('"'));
        match name {
            "enter" => drop(hub.enter(now, socket, room)),
            "join" => drop(hub.join(now, socket, room)),
            "leave" => drop(hub.leave(now, socket, room)),
            "meta" => drop(hub.set_meta(now, socket, "lobby", &first)),
            "say" => drop(hub.emit(now, Target::room("lobby").except(socket), name, args)),
            "here" => drop(hub.emit(now, Target::room("lobby").and_room("red").of("/chat"), name, args)),
            "volatile" => drop(hub.emit(now, Target::all().volatile(), name, ("v".repeat(900),))),
            "latest" => drop(hub.emit(now, Target::all().latest(room), name, ("n".repeat(900), room))),
            "large" => drop(hub.emit(now, Target::all(), name, ("l".repeat(1500),))),
            "whisper" => drop(hub.emit(now, Target::user(room), name, args)),
            "ask" => drop(hub.emit_with_ack(now, socket, "question", args, Duration::from_millis(1500))),
            "bye" => drop(hub.disconnect(now, socket)),
            "close" => drop(hub.close(now, socket)),
            "drop" => {
                if let Some(conn) = hub.connection(socket) {
                    hub.close_connection(now, conn, ws::CloseCode::GOING_AWAY, "go");
                }
            }
            _ => {}
        }
    }
}

fn answer(hub: &mut Hub, now: Instant, reply: Reply, args: Args<'_>) {
    // The client may be gone by what it asked for.
    let _ = hub.ack(now, reply, args);
}
