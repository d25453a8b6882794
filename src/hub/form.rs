//! How the packets of a session on long polling stand in the bodies of its requests.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::string::{FromUtf8Error, String};
use alloc::vec::Vec;

use super::event::Error;
use crate::engineio::{
    PayloadForm, PayloadPacket, Revision, SEPARATOR, SessionError, read_jsonp, read_payload, write_jsonp, write_payload,
};
use crate::http::{Request, Response};
use crate::ws::{Message, Opcode, Prepared};

/// How the client wants its packets, for all of the session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) revision: Revision,
    /// It takes no binary bodies.
    base64: bool,
    /// The index of its function, if it polls by scripts.
    jsonp: Option<u32>,
}

/// Whether the client asks for binary data as text, in this request.
pub(super) fn wants_base64(request: &Request) -> bool {
    // Hardly anybody does, which is seen faster than the queries are told apart.
    request.query().contains("b64") && request.query_value("b64").is_some_and(|value| !value.is_empty())
}

impl Form {
    /// How the request that opens a session wants its packets.
    pub(super) fn of(request: &Request, revision: Revision) -> Self {
        let only_v3 = |name| request.query_value(name).filter(|_| revision == Revision::V3);
        // Nothing but digits: it becomes part of a script (E17).
        let digits = |text: Cow<'_, str>| text.chars().filter(char::is_ascii_digit).collect::<String>();
        Self {
            revision,
            base64: revision == Revision::V3 && wants_base64(request),
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
    pub(super) fn encode(self, packets: &[Prepared], response: Response) -> Response {
        let form = self.payload(packets);
        let response = response.own_lines(match form {
            PayloadForm::V3Binary => "content-type: application/octet-stream\r\n",
            PayloadForm::V3Text | PayloadForm::V4 => "content-type: text/plain; charset=UTF-8\r\n",
        });
        if let [packet] = packets
            && packet.opcode() == Opcode::Text
            && form == PayloadForm::V4
            && !packet.payload().contains(&SEPARATOR)
        {
            // Alone it is all of the body.
            return response.body(packet.payload().clone());
        }
        let size = packets.iter().fold(0_usize, |sum, packet| sum.saturating_add(packet.payload().len()));
        let mut body = Vec::with_capacity(size.saturating_add(packets.len().saturating_mul(8)));
        for packet in packets {
            let bytes = packet.payload().as_ref();
            let packet = match (packet.opcode(), self.revision) {
                // One packet stays one, whatever the application passes on.
                (Opcode::Text, Revision::V4) if bytes.contains(&SEPARATOR) => {
                    let text = String::from_utf8_lossy(bytes);
                    PayloadPacket::Text(text.replace(char::from(SEPARATOR), "\u{FFFD}").into())
                }
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
    pub(super) fn decode(self, body: Vec<u8>, is_octet_stream: bool, packets_max: usize) -> Packets {
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

/// The packets of a POST, up to the first that is none.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// Mostly there is but one, which needs no queue.
    one: Option<Message<'static>>,
    more: VecDeque<Message<'static>>,
    /// What is wrong behind them.
    pub(super) error: Option<Error>,
}

impl Packets {
    pub(super) fn next(&mut self) -> Option<Message<'static>> {
        self.one.take().or_else(|| self.more.pop_front())
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

/// Whether the body of a request is said to be bytes.
pub(super) fn is_octet_stream(request: &Request) -> bool {
    const OCTETS: &str = "application/octet-stream";
    let kind = request.header("content-type").unwrap_or_default();
    kind.split_at_checked(OCTETS.len()).is_some_and(|(kind, rest)| {
        kind.eq_ignore_ascii_case(OCTETS) && matches!(rest.trim_ascii_start().as_bytes(), [] | [b';', ..])
    })
}
