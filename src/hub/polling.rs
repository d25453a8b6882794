//! Sessions on HTTP long polling: a GET waits for packets, a POST brings some.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::string::{FromUtf8Error, String};
use alloc::vec::Vec;
use core::time::Duration;

use super::carrier::Carrier;
use super::connection::{Conn, Tie};
use super::event::{DisconnectReason, Error};
use super::front::Hub;
use super::ids::{ConnId, RequestId, SessionId};
use crate::engineio::{
    HttpCompression, PayloadForm, PayloadPacket, Revision, SEPARATOR, SessionError, read_jsonp, read_payload,
    write_jsonp, write_payload,
};
use crate::http::{Request, Response};
use crate::time::Instant;
use crate::ws::{CloseCode, Message, Opcode, Prepared, SendError};

/// How long a session that this side closed waits for a GET that can be told so; the official server's.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(30);

/// A session on long polling.
#[derive(Debug)]
pub(super) struct Polling {
    form: Form,
    queue: VecDeque<Prepared>,
    bytes: usize,
    /// The GET that waits for packets.
    parked: Option<Parked>,
    /// Whether it stands in the hub's queue of polls to be answered.
    due: bool,
    /// POSTs whose answers are not written yet. Clients take it ill if what a POST has caused comes before its answer.
    posting: u32,
    /// The WebSocket that is to carry the session from now on.
    pub(super) upgrade: Option<Upgrading>,
    /// It is over, and the next GET is told so; until then it is remembered.
    farewell_until: Option<Instant>,
}

/// How the client wants its packets, for all of the session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    revision: Revision,
    /// It takes no binary bodies.
    base64: bool,
    /// The index of its function, if it polls by scripts.
    jsonp: Option<u32>,
}

#[derive(Debug)]
struct Parked {
    conn: ConnId,
    /// What its answer is made of: status and headers.
    response: Response,
    compression: Option<HttpCompression>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Upgrading {
    pub(super) conn: ConnId,
    /// Whether its probe was answered.
    pub(super) probed: bool,
    pub(super) until: Instant,
}

/// The packets of a POST that are not looked at yet.
#[derive(Debug)]
pub(super) struct Payload {
    session: SessionId,
    conn: ConnId,
    packets: Packets,
    response: Response,
}

/// The packets of a POST, up to the first that is none.
#[derive(Debug, Default)]
struct Packets {
    /// Mostly there is but one, which needs no queue.
    one: Option<Message<'static>>,
    more: VecDeque<Message<'static>>,
    /// What is wrong behind them.
    error: Option<Error>,
}

impl Packets {
    fn next(&mut self) -> Option<Message<'static>> {
        self.one.take().or_else(|| self.more.pop_front())
    }
}

impl Form {
    /// How the request that opens a session wants its packets.
    pub(super) fn of(request: &Request, revision: Revision) -> Self {
        let only_v3 = |name| request.query_value(name).filter(|_| revision == Revision::V3);
        // Nothing but digits: it becomes part of a script (E17).
        let digits = |text: Cow<'_, str>| text.chars().filter(char::is_ascii_digit).collect::<String>();
        Self {
            revision,
            base64: only_v3("b64").is_some_and(|value| !value.is_empty()),
            jsonp: only_v3("j").map(|index| digits(index).parse().unwrap_or(0)),
        }
    }

    /// Whether answers are scripts (JSONP).
    pub(super) const fn is_script(self) -> bool {
        self.jsonp.is_some()
    }

    fn payload(self, packets: &[Prepared]) -> PayloadForm {
        let text = self.base64 || self.jsonp.is_some() || packets.iter().all(|packet| packet.opcode() == Opcode::Text);
        match self.revision {
            Revision::V4 => PayloadForm::V4,
            Revision::V3 if text => PayloadForm::V3Text,
            Revision::V3 => PayloadForm::V3Binary,
        }
    }

    /// The answer to a GET.
    fn encode(self, packets: &[Prepared], response: Response) -> Response {
        let form = self.payload(packets);
        let kind = if form == PayloadForm::V3Binary { "application/octet-stream" } else { "text/plain; charset=UTF-8" };
        let response = response.own_header("content-type", kind);
        if let [packet] = packets
            && packet.opcode() == Opcode::Text
            && form == PayloadForm::V4
        {
            // Alone it is all of the body.
            return response.body(packet.payload().clone());
        }
        let size = packets.iter().fold(0_usize, |sum, packet| sum.saturating_add(packet.payload().len()));
        let mut body = Vec::with_capacity(size.saturating_add(packets.len().saturating_mul(8)));
        for packet in packets {
            let bytes = packet.payload().as_ref();
            let packet = match (packet.opcode(), self.revision) {
                (Opcode::Text, _) => PayloadPacket::Text(String::from_utf8_lossy(bytes)),
                (_, Revision::V4) => PayloadPacket::Binary(bytes.into()),
                // Behind its type byte.
                (_, Revision::V3) => PayloadPacket::Binary(bytes.get(1..).unwrap_or_default().into()),
            };
            write_payload(form, &packet, &mut body);
        }
        if let Some(index) = self.jsonp {
            let text = core::mem::take(&mut body);
            write_jsonp(index, &String::from_utf8_lossy(&text), &mut body);
        }
        response.body(body)
    }

    /// The packets of a POST.
    fn decode(self, body: Vec<u8>, is_octet_stream: bool, packets_max: usize) -> Packets {
        let failed = Some(Error::EngineIo(SessionError::Payload));
        let form = match (self.revision, is_octet_stream) {
            (Revision::V4, _) => PayloadForm::V4,
            (Revision::V3, true) => PayloadForm::V3Binary,
            (Revision::V3, false) => PayloadForm::V3Text,
        };
        let body = match (form, self.jsonp) {
            (PayloadForm::V4, _) => match only_text(body) {
                Ok(text) => return Packets { one: Some(Message::Text(text.into())), ..Packets::default() },
                Err(body) => body,
            },
            (PayloadForm::V3Text, Some(_)) => match read_jsonp(&body) {
                Ok(text) => text.into_bytes(),
                Err(_) => return Packets { error: failed, ..Packets::default() },
            },
            _ => body,
        };
        let mut packets = Packets::default();
        for packet in read_payload(form, &body, packets_max) {
            match packet {
                Ok(PayloadPacket::Text(text)) => packets.more.push_back(Message::Text(text.into_owned().into())),
                Ok(PayloadPacket::Binary(bytes)) => packets.more.push_back(Message::Binary(bytes.into_owned().into())),
                Err(_) => packets.error = failed,
            }
        }
        packets
    }
}

/// What packets take on a WebSocket, which has to have room for all that waits.
fn frame_bytes(packets: &[Prepared]) -> usize {
    packets.iter().fold(0_usize, |sum, packet| sum.saturating_add(packet.frame().len()))
}

impl Payload {
    pub(super) fn is_from(&self, conn: ConnId) -> bool {
        self.conn == conn
    }
}

/// A body of revision 4 that is one packet, and text: nothing of it is moved.
fn only_text(body: Vec<u8>) -> Result<String, Vec<u8>> {
    // Binary data, nothing, or several packets.
    if matches!(body.first(), None | Some(b'b')) || body.contains(&SEPARATOR) {
        return Err(body);
    }
    String::from_utf8(body).map_err(FromUtf8Error::into_bytes)
}

fn is_octet_stream(request: &Request) -> bool {
    const OCTETS: &str = "application/octet-stream";
    let kind = request.header("content-type").unwrap_or_default();
    kind.split_at_checked(OCTETS.len()).is_some_and(|(kind, rest)| {
        kind.eq_ignore_ascii_case(OCTETS) && matches!(rest.trim_ascii_start().as_bytes(), [] | [b';', ..])
    })
}

impl Polling {
    pub(super) const fn new(form: Form) -> Self {
        Self {
            form,
            queue: VecDeque::new(),
            bytes: 0,
            parked: None,
            due: false,
            posting: 0,
            upgrade: None,
            farewell_until: None,
        }
    }

    /// Bytes that wait for a GET.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn queue(&mut self, packets: &[Prepared], bytes_max: usize) -> Result<(), SendError> {
        if self.farewell_until.is_some() {
            return Err(SendError::NotOpen);
        }
        let size = frame_bytes(packets);
        let bytes = self.bytes.saturating_add(size);
        // A packet of few bytes holds some too. On the WebSocket that may take all of them over is the answer to its probe, and
        // it wants room for the longest header.
        if bytes > bytes_max.saturating_sub(32) || self.queue.len().saturating_add(packets.len()) > bytes_max / 16 {
            return Err(SendError::OutboxFull);
        }
        self.bytes = bytes;
        self.queue.extend(packets.iter().cloned());
        Ok(())
    }

    /// The packets of the next answer.
    fn take(&mut self, packets_max: usize) -> Vec<Prepared> {
        let packets: Vec<Prepared> = if self.queue.len() <= packets_max {
            core::mem::take(&mut self.queue).into()
        } else {
            self.queue.drain(..packets_max).collect()
        };
        let size = frame_bytes(&packets);
        self.bytes = self.bytes.saturating_sub(size);
        packets
    }

    /// Everything that no GET has fetched.
    pub(super) fn take_all(&mut self) -> Vec<Prepared> {
        self.take(usize::MAX)
    }

    pub(super) const fn is_leaving(&self) -> bool {
        self.farewell_until.is_some()
    }

    /// When something is to be done that no heartbeat asks for.
    pub(super) fn poll_timeout(&self) -> Instant {
        let upgrade = self.upgrade.map_or(Instant::NEVER, |upgrade| upgrade.until);
        self.farewell_until.map_or(upgrade, |until| until.min(upgrade))
    }
}

impl Hub {
    pub(super) fn polling(&mut self, session: SessionId) -> Option<&mut Polling> {
        self.sessions.get_mut(session)?.carrier.polling()
    }

    /// A GET of a session: it waits until there is something to answer.
    pub(super) fn poll(
        &mut self,
        conn: ConnId,
        session: SessionId,
        response: Response,
        compression: Option<HttpCompression>,
    ) {
        let Some(polling) = self.polling(session) else { return };
        if polling.parked.is_some() {
            // Two clients share a session id, or one does not wait for its answer.
            self.respond_to(conn, response.with_status(400));
            return self.close_session(
                session,
                DisconnectReason::ProtocolError,
                Some(Error::EngineIo(SessionError::SecondPoll)),
                CloseCode::POLICY,
                "",
            );
        }
        polling.parked = Some(Parked { conn, response, compression });
        self.tie(conn, Tie::Polls(session));
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.park();
        }
        self.poll_due(session);
    }

    /// The waiting GET of a session is answered before the driver writes again, if there is anything to answer.
    pub(super) fn poll_due(&mut self, session: SessionId) {
        let Some(polling) = self.polling(session) else { return };
        let Some(parked) = &polling.parked else { return };
        let conn = parked.conn;
        let probed = polling.upgrade.is_some_and(|upgrade| upgrade.probed);
        let urgent = (!polling.queue.is_empty() || probed || polling.is_leaving()) && polling.posting == 0;
        let due = polling.due;
        // What the client sends behind the poll on the same stream cannot be answered before it.
        if (urgent || self.is_followed(conn)) && !due {
            if let Some(polling) = self.polling(session) {
                polling.due = true;
            }
            self.polls.push_back(session);
        }
    }

    fn is_followed(&self, conn: ConnId) -> bool {
        self.conns.get(conn).is_some_and(Conn::is_followed)
    }

    /// The answer to a POST is written.
    pub(super) fn posted(&mut self, session: SessionId) {
        let Some(polling) = self.polling(session) else { return };
        polling.posting = polling.posting.saturating_sub(1);
        self.poll_due(session);
    }

    /// Answers the GETs for which there is something. Until now everything for them was gathered.
    pub(super) fn answer_polls(&mut self) {
        while let Some(session) = self.polls.pop_front() {
            self.answer_poll(session);
        }
    }

    fn answer_poll(&mut self, session: SessionId) {
        let packets_max = self.config.engine.poll_packets_max;
        let Some(polling) = self.polling(session) else { return };
        polling.due = false;
        let waits = polling.posting > 0;
        let parked = polling.parked.as_ref().map(|parked| parked.conn);
        if waits && !parked.is_some_and(|conn| self.is_followed(conn)) {
            return;
        }
        let Some(polling) = self.polling(session) else { return };
        let Some(parked) = polling.parked.take() else { return };
        let (form, mut packets) = (polling.form, polling.take(packets_max));
        // Not behind packets of Socket.IO: clients look at these later, and would see their transport end before.
        let leaves = polling.is_leaving() && packets.is_empty();
        if packets.is_empty() {
            packets.push(Prepared::text("6"));
        }
        if leaves {
            packets.push(Prepared::text("1"));
        }
        let conn = parked.conn;
        self.answer(parked, form, &packets);
        if self.outgoing_len(conn) > 0 {
            self.tie(conn, Tie::Delivers(session));
        } else if let Some(answered) = self.responses.back_mut().filter(|answered| answered.request == RequestId(conn))
        {
            answered.delivers = Some(session);
        }
        if leaves {
            self.end_session(session, DisconnectReason::Closed);
        }
    }

    fn answer(&mut self, parked: Parked, form: Form, packets: &[Prepared]) {
        if let Some(entry) = self.conns.get_mut(parked.conn) {
            entry.tie = Tie::None;
        }
        let response = form.encode(packets, parked.response);
        let response = match parked.compression {
            Some(compression) => compression.apply(response),
            None => response,
        };
        self.respond_to(parked.conn, response);
    }

    /// Closes a session on long polling: its sockets at once, and its client when it has fetched what is queued, by a GET of
    /// its own.
    pub(super) fn close_polling(&mut self, id: SessionId, reason: DisconnectReason, error: Option<Error>) {
        let until = self.now.saturating_add(FAREWELL_TIMEOUT);
        let Some(polling) = self.polling(id) else { return };
        let waits = match reason {
            // Its client is not there, or has said so itself.
            DisconnectReason::PingTimeout | DisconnectReason::Client => false,
            _ if polling.is_leaving() => return,
            _ if !polling.queue.is_empty() => true,
            // Who sent rubbish is not waited for; who broke a rule of Socket.IO may want to know that it is over.
            _ => polling.parked.is_none() && !matches!(error, Some(Error::EngineIo(_))),
        };
        if !waits {
            return self.end_session(id, reason);
        }
        polling.farewell_until = Some(until);
        // A client that is about to change its transport polls no more: it is told on the other one.
        if let Some(upgrade) = polling.upgrade.take_if(|upgrade| !upgrade.probed) {
            self.drop_upgrade(upgrade);
        }
        self.lose_sockets(id, reason);
        self.poll_due(id);
        self.touch_session(id);
    }

    /// What is left of a session on long polling that is over.
    pub(super) fn abandon_polling(&mut self, mut polling: Polling, reason: DisconnectReason) {
        if let Some(upgrade) = polling.upgrade.take() {
            self.drop_upgrade(upgrade);
        }
        let Some(parked) = polling.parked.take() else { return };
        let mut packets = polling.take_all();
        // Who closed it itself needs not be told.
        packets.push(Prepared::text(if reason == DisconnectReason::Client { "6" } else { "1" }));
        self.answer(parked, polling.form, &packets);
    }

    /// Does what is due for a session on long polling.
    pub(super) fn polling_due(&mut self, id: SessionId) {
        let now = self.now;
        let Some(polling) = self.polling(id) else { return };
        if polling.farewell_until.is_some_and(|until| until <= now) {
            return self.end_session(id, DisconnectReason::Closed);
        }
        if let Some(upgrade) = polling.upgrade.filter(|upgrade| upgrade.until <= now) {
            polling.upgrade = None;
            self.drop_upgrade(upgrade);
        }
    }

    /// A POST of a session: its packets are looked at one by one, so that the application can answer between them.
    pub(super) fn post(&mut self, conn: ConnId, session: SessionId, request: Request, response: Response) {
        let (packets_max, max_payload) = (self.config.engine.payload_packets_max, self.config.engine.max_payload);
        let Some(polling) = self.polling(session) else { return };
        if request.body().len() > max_payload {
            return self.respond_to(conn, response.with_status(413));
        }
        let is_octet_stream = is_octet_stream(&request);
        if polling.form.revision == Revision::V4 && is_octet_stream {
            self.respond_to(conn, response.with_status(400));
            return self.fail_session(session, Error::EngineIo(SessionError::Payload), CloseCode::POLICY);
        }
        let packets = polling.form.decode(request.into_body(), is_octet_stream, packets_max);
        let response = response.own_header("content-type", "text/html").body("ok");
        self.payloads.push_back(Payload { session, conn, packets, response });
    }

    /// Looks at the next packet of a POST; whether there was one, or an answer to give.
    pub(super) fn read_payload(&mut self) -> bool {
        let Some(payload) = self.payloads.front_mut() else { return false };
        let (session, conn) = (payload.session, payload.conn);
        // What is left when the session is over, or has another transport by now, is nobody's.
        let packet = match self.sessions.get(session).map(|session| &session.carrier) {
            Some(Carrier::Polling(polling)) if !polling.is_leaving() => payload.packets.next(),
            _ => None,
        };
        let result = match packet {
            Some(packet) => self.packet(session, packet),
            None => {
                let Some(payload) = self.payloads.pop_front() else { return false };
                self.respond_to(conn, payload.response);
                // Packets that are under way before it matter more: they are lost with the stream.
                let delivers = matches!(self.conns.get(conn).map(|entry| entry.tie), Some(Tie::Delivers(_)));
                if self.outgoing_len(conn) > 0
                    && !delivers
                    && let Some(polling) = self.polling(session)
                {
                    polling.posting = polling.posting.saturating_add(1);
                    self.tie(conn, Tie::Posts(session));
                }
                payload.packets.error.map_or(Ok(None), Err)
            }
        };
        match result {
            // Before what follows from it, as where it is lent.
            Ok(event) => event.into_iter().for_each(|event| self.events.push_front(event)),
            Err(error) => {
                if let Some(entry) = self.conns.get_mut(conn) {
                    entry.error = Some(error);
                }
                self.fail_session(session, error, CloseCode::POLICY);
            }
        }
        true
    }
}
