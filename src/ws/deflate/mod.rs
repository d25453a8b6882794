//! `permessage-deflate` (RFC 7692): compression of messages.
//!
//! It is off unless [`Config::deflate`](super::Config::deflate) is set, for two reasons. It costs memory: a window and tables of up to
//! about half a megabyte for a connection that is active, given back when it is over, and while it is idle where the negotiation
//! allows: when the ping is due ([`Config::ping_interval`](super::Config::ping_interval)), so never where there is none. And
//! where one context holds both a secret and text that somebody else chose, the size of what is sent tells of the
//! secret (the CRIME and BREACH attacks): leave it off there, or send those messages with
//! [`Connection::send_plain`](super::Connection::send_plain).

mod codec;
mod negotiation;

use codec::TAIL;
pub(super) use codec::{Deflater, Inflater};
pub use negotiation::DeflateConfig;
pub(super) use negotiation::{Agreed, answer, check, offer};

use super::frame::Role;

/// What was agreed on a connection, and the state of both directions.
#[derive(Debug)]
pub(super) struct Deflate {
    agreed: Agreed,
    config: DeflateConfig,
    pub(super) inflater: Inflater,
    deflater: Option<Deflater>,
    role: Role,
}

impl Deflate {
    pub(super) fn new(role: Role, agreed: Agreed, config: DeflateConfig) -> Self {
        let (bits, reset) = match role {
            Role::Server => (agreed.client_max_window_bits, agreed.client_no_context_takeover),
            Role::Client => (agreed.server_max_window_bits, agreed.server_no_context_takeover),
        };
        Self { agreed, config, inflater: Inflater::new(bits, reset), deflater: None, role }
    }

    const fn own_window_bits(&self) -> u8 {
        match self.role {
            Role::Server => self.agreed.server_max_window_bits,
            Role::Client => self.agreed.client_max_window_bits,
        }
    }

    const fn own_no_context_takeover(&self) -> bool {
        match self.role {
            Role::Server => self.agreed.server_no_context_takeover,
            Role::Client => self.agreed.client_no_context_takeover,
        }
    }

    /// Whether a message of this size is worth compressing.
    pub(super) const fn is_worth(&self, payload_len: usize) -> bool {
        payload_len > 0 && payload_len >= self.config.threshold_bytes
    }

    /// The window of what was compressed on its own, if this end may send that.
    pub(super) const fn prepared_window_bits(&self) -> Option<u8> {
        if self.own_no_context_takeover() { Some(self.own_window_bits()) } else { None }
    }

    /// Appends the compressed form of a message; false if that failed, and nothing is appended then.
    pub(super) fn compress(&mut self, payload: &[u8], out: &mut alloc::vec::Vec<u8>) -> bool {
        let (bits, level, reset) = (self.own_window_bits(), self.config.level, self.own_no_context_takeover());
        let deflater = self.deflater.get_or_insert_with(|| Deflater::new(level, bits));
        let done = deflater.compress(payload, out);
        if reset {
            deflater.reset();
        }
        done
    }

    /// Appends the compressed form of a piece of a message, of which something was compressed before if it has `begun`; false
    /// if that failed.
    pub(super) fn compress_piece(
        &mut self,
        piece: &[u8],
        last: bool,
        begun: &mut bool,
        out: &mut alloc::vec::Vec<u8>,
    ) -> bool {
        let (bits, level, reset) = (self.own_window_bits(), self.config.level, self.own_no_context_takeover());
        let deflater = self.deflater.get_or_insert_with(|| Deflater::new(level, bits));
        if !piece.is_empty() {
            if *begun {
                // What was left out at the end of the piece before belongs there only if the message ends with it.
                out.extend_from_slice(&TAIL);
            }
            if !deflater.compress(piece, out) {
                return false;
            }
            *begun = true;
        } else if last && !*begun {
            // An empty message (RFC 7692 section 7.2.3.6).
            out.push(0);
        }
        if last && reset {
            deflater.reset();
        }
        true
    }

    /// Nothing more is sent: gives back the memory for that.
    pub(super) fn end_sending(&mut self) {
        self.deflater = None;
    }

    /// Gives back the memory that the negotiation does not require to keep, nor a message that is being inflated. One that is
    /// sent in pieces goes on without it: each piece ends with its byte, and the next one then refers to nothing before it.
    pub(super) fn release(&mut self, is_inflating: bool) {
        if self.own_no_context_takeover() {
            self.deflater = None;
        }
        if !is_inflating {
            self.inflater.release();
        }
    }
}
