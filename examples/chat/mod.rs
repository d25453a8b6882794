//! The application: a chat with rooms, presence, private messages and a few events for programs.
//!
//! It is called with every event of the hub, and answers by calls to the hub; it knows nothing of bytes or threads.

mod page;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use roomwire::Instant;
use roomwire::hub::{AckId, ConnId, Event, Hub, JoinError, Refusal, Reply, SocketId, Target, Token};
use roomwire::socketio::{Args, Arguments};
use roomwire::ws::Message;
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a client may take to answer a `question`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// What is answered to a line that is no packet.
const LINES_HELP: &str = r#"not understood: 0 connects, then 2["event",arguments…], as 2["subscribe","news"]"#;
/// The longest name of a person, a room, a topic or an event.
const NAME_CHARS_MAX: usize = 32;
/// The longest text that is said or whispered.
const TEXT_CHARS_MAX: usize = 4000;

pub struct Chat {
    admin: Option<String>,
    /// Where connections come from, for the log.
    addresses: HashMap<ConnId, SocketAddr>,
    /// In which room each socket chats.
    rooms: HashMap<SocketId, String>,
    /// The questions that are asked.
    questions: HashMap<AckId, SocketId>,
}

/// What a handler says to the client's acknowledgement.
type Answer = Result<Value, String>;

#[derive(Deserialize, Default)]
struct Auth {
    #[serde(default)]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Enter {
    name: String,
    room: String,
}

#[derive(Deserialize)]
struct Whisper {
    to: String,
    text: String,
}

impl Chat {
    pub fn new(admin: Option<String>) -> Self {
        Self { admin, addresses: HashMap::new(), rooms: HashMap::new(), questions: HashMap::new() }
    }

    pub fn connected(&mut self, conn: ConnId, address: SocketAddr) {
        eprintln!("{address} connected");
        self.addresses.insert(conn, address);
    }

    pub fn handle(&mut self, hub: &mut Hub, now: Instant, event: Event<'_>) {
        match event {
            Event::Request { conn, request } => hub.respond(now, conn, page::respond(&request)),
            Event::Connecting { socket, namespace, auth, query } => {
                self.connecting(hub, now, socket, &namespace, &auth, &query);
            }
            Event::Connected { socket, resumed, .. } => self.welcome(hub, now, socket, resumed),
            Event::Emit { socket, name, args, reply } => self.event(hub, now, socket, &name, args, reply),
            // Lines that are no packets, from a terminal.
            Event::Message { conn, message: Message::Text(line), .. } => {
                let answer = if line == "ping" { "pong" } else { LINES_HELP };
                hub.send_to_connection(now, conn, answer);
            }
            Event::Ack { ack, answer, .. } => {
                if let Some(asker) = self.questions.remove(&ack) {
                    match answer {
                        Ok(args) => emit(hub, now, asker, "answered", args),
                        Err(_) => emit(hub, now, asker, "unanswered", ()),
                    }
                }
            }
            Event::Disconnected { socket, reason, away_until } => {
                let away = if away_until.is_some() { ", may come back" } else { "" };
                eprintln!("{socket:?} disconnected: {reason}{away}");
                if away_until.is_none() {
                    self.rooms.remove(&socket);
                }
            }
            Event::Left { socket } => {
                eprintln!("{socket:?} left");
                self.rooms.remove(&socket);
            }
            Event::Refused { conn, error } => eprintln!("{} refused: {error}", self.address(conn)),
            Event::Closed { conn, error } => {
                match error {
                    Some(error) => eprintln!("{} closed: {error}", self.address(conn)),
                    None => eprintln!("{} closed", self.address(conn)),
                }
                self.addresses.remove(&conn);
            }
            _ => {}
        }
    }

    fn address(&self, conn: ConnId) -> String {
        self.addresses.get(&conn).map_or_else(|| "?".to_owned(), ToString::to_string)
    }

    /// A client asks for a namespace: back into its session, in as a new one, or not at all.
    fn connecting(&self, hub: &mut Hub, now: Instant, socket: SocketId, namespace: &str, auth: &str, query: &str) {
        let token = serde_json::from_str::<Auth>(auth).unwrap_or_default().token;
        let result = if namespace == "/admin" {
            let asked = token.as_deref().or_else(|| query.split('&').find_map(|pair| pair.strip_prefix("token=")));
            if asked.is_some() && asked == self.admin.as_deref() {
                hub.accept(now, socket)
            } else {
                let refusal = Refusal::new("not authorized");
                let refusal = refusal.clone().data(&json!({ "code": 401 })).unwrap_or(refusal);
                hub.refuse(now, socket, &refusal)
            }
        } else {
            let token = token.as_deref().and_then(Token::parse);
            match token.map(|token| hub.resume(now, socket, &token)) {
                Some(Ok(_)) => Ok(()),
                _ => hub.accept(now, socket),
            }
        };
        if let Err(error) = result {
            eprintln!("{socket:?}: {error}");
        }
    }

    fn welcome(&self, hub: &mut Hub, now: Instant, socket: SocketId, resumed: bool) {
        eprintln!("{socket:?} connected{}", if resumed { " again" } else { "" });
        if hub.namespace(socket) != Some("/") {
            return;
        }
        let token = hub.token(socket).map(String::from);
        let welcome = json!({
            "sid": hub.sid(socket),
            "token": token,
            "resumed": resumed,
            "user": hub.user(socket),
            "room": self.rooms.get(&socket),
        });
        emit(hub, now, socket, "welcome", (welcome,));
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
        let admin = hub.namespace(socket) == Some("/admin");
        let answer = match name {
            "echo" => match reply {
                Some(reply) => return log(hub.ack(now, reply, args)),
                None => return emit(hub, now, socket, "echo", args),
            },
            "ping" => match reply {
                Some(reply) => return log(hub.ack(now, reply, args)),
                None => return emit(hub, now, socket, "pong", args),
            },
            "ask" => match hub.emit_with_ack(now, socket, "question", args, ANSWER_TIMEOUT) {
                Ok(ack) => {
                    self.questions.insert(ack, socket);
                    Ok(json!({ "ok": true }))
                }
                Err(error) => Err(error.to_string()),
            },
            "bye" | "goodbye" => {
                if let Some(reply) = reply {
                    log(hub.ack(now, reply, (json!({ "ok": true }),)));
                }
                return log(match name {
                    "bye" => hub.disconnect(now, socket),
                    _ => hub.disconnect_client(now, socket),
                });
            }
            "stats" if admin => Ok(stats(hub)),
            _ if admin => Err("unknown event".into()),
            "enter" => self.enter(hub, now, socket, &args),
            "say" => self.say(hub, now, socket, &args),
            "whisper" => self.whisper(hub, now, socket, &args),
            "typing" => self.typing(hub, now, socket, &args),
            "leave" => {
                if let Some(room) = self.rooms.remove(&socket) {
                    log(hub.leave(now, socket, &room));
                }
                Ok(json!({ "ok": true }))
            }
            "subscribe" => subscribe(hub, now, socket, &args, true),
            "unsubscribe" => subscribe(hub, now, socket, &args, false),
            "publish" => publish(hub, now, socket, &args),
            _ => Err("unknown event".into()),
        };
        if let Some(reply) = reply {
            let answer = answer.unwrap_or_else(|error| json!({ "ok": false, "error": error }));
            log(hub.ack(now, reply, (answer,)));
        }
    }

    fn enter(&mut self, hub: &mut Hub, now: Instant, socket: SocketId, args: &Args<'_>) -> Answer {
        let (Enter { name, room },) = parse(args)?;
        let (name, room) = (name.trim(), room.trim());
        let fits = |name: &str| has_length("a name", name, NAME_CHARS_MAX).is_ok() && !name.contains(':');
        if !fits(name) || !fits(room) {
            return Err(format!("name and room have 1 to {NAME_CHARS_MAX} characters and no colon"));
        }
        if hub.devices(name).any(|device| device != socket) {
            return Err("name is taken".into());
        }
        hub.identify(now, socket, name).map_err(|error| match error {
            JoinError::Identified => "you have a name already".to_owned(),
            other => other.to_string(),
        })?;
        hub.enter(now, socket, room).map_err(|error| error.to_string())?;
        if let Some(before) = self.rooms.insert(socket, room.to_owned())
            && before != room
        {
            log(hub.leave(now, socket, &before));
        }
        Ok(json!({ "ok": true, "user": name, "room": room }))
    }

    /// Who speaks, and where.
    fn speaker(&self, hub: &Hub, socket: SocketId) -> Result<(String, &str), String> {
        match (hub.user(socket), self.rooms.get(&socket)) {
            (Some(user), Some(room)) => Ok((user.to_owned(), room)),
            _ => Err("enter a room first".into()),
        }
    }

    fn say(&self, hub: &mut Hub, now: Instant, socket: SocketId, args: &Args<'_>) -> Answer {
        let (from, room) = self.speaker(hub, socket)?;
        let (text,): (String,) = parse(args)?;
        has_length("a text", &text, TEXT_CHARS_MAX)?;
        let said = json!({ "from": from, "room": room, "text": text });
        hub.emit(now, Target::room(room), "said", (said,)).map_err(|error| error.to_string())?;
        Ok(json!({ "ok": true }))
    }

    fn whisper(&self, hub: &mut Hub, now: Instant, socket: SocketId, args: &Args<'_>) -> Answer {
        let (from, _) = self.speaker(hub, socket)?;
        let (Whisper { to, text },) = parse(args)?;
        has_length("a text", &text, TEXT_CHARS_MAX)?;
        let whispered = json!({ "from": from, "to": to, "text": text });
        let receipt = hub.emit(now, Target::user(&to), "whispered", (whispered,)).map_err(|error| error.to_string())?;
        match (receipt.queued + receipt.kept, receipt.away) {
            (0, 0) => Err("nobody of that name is here".into()),
            (0, _) => Err(format!("{to} is away")),
            (devices, _) => Ok(json!({ "ok": true, "devices": devices })),
        }
    }

    fn typing(&self, hub: &mut Hub, now: Instant, socket: SocketId, args: &Args<'_>) -> Answer {
        let (from, room) = self.speaker(hub, socket)?;
        let (typing,): (bool,) = parse(args)?;
        let others = Target::room(room).except(socket).volatile();
        let notice = json!({ "from": from, "typing": typing });
        hub.emit(now, others, "typing", (notice,)).map_err(|error| error.to_string())?;
        Ok(json!({ "ok": true }))
    }
}

fn subscribe(hub: &mut Hub, now: Instant, socket: SocketId, args: &Args<'_>, join: bool) -> Answer {
    let (topic,): (String,) = parse(args)?;
    has_length("a topic", &topic, NAME_CHARS_MAX)?;
    let room = format!("topic:{topic}");
    if join {
        hub.join(now, socket, &room).map_err(|error| error.to_string())?;
    } else {
        hub.leave(now, socket, &room).map_err(|error| error.to_string())?;
    }
    Ok(json!({ "ok": true }))
}

fn publish(hub: &mut Hub, now: Instant, socket: SocketId, args: &Args<'_>) -> Answer {
    let mut parts = args.iter();
    let mut text = || parts.next().and_then(|part| serde_json::from_str::<String>(part).ok());
    let (Some(topic), Some(event)) = (text(), text()) else {
        return Err("publish needs a topic and an event, both strings".into());
    };
    has_length("a topic", &topic, NAME_CHARS_MAX)?;
    has_length("an event", &event, NAME_CHARS_MAX)?;
    let room = format!("topic:{topic}");
    // What follows is passed on as it came.
    let receipt = hub.emit(now, Target::room(&room).except(socket), &event, args.skip(2));
    let receipt = receipt.map_err(|error| error.to_string())?;
    Ok(json!({ "ok": true, "receivers": receipt.queued }))
}

fn stats(hub: &Hub) -> Value {
    let counts = hub.counts();
    json!({
        "connections": counts.connections,
        "sockets": counts.sockets,
        "users": counts.users,
        "rooms": counts.rooms,
    })
}

/// What is empty, or longer than so many characters, is refused in words.
fn has_length(what: &str, text: &str, chars_max: usize) -> Result<(), String> {
    match text.chars().count() {
        count if (1..=chars_max).contains(&count) => Ok(()),
        _ => Err(format!("{what} has 1 to {chars_max} characters")),
    }
}

fn parse<'a, T: Deserialize<'a>>(args: &'a Args<'_>) -> Result<T, String> {
    args.parse().map_err(|error| format!("bad arguments: {error}"))
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
