//! Hostile clients of the hub. The id at the front of a name stands for a known attack: `e`ngine.io, `s`ocket.io, `a`t the HTTP level.

mod attachments;
mod engineio;
mod http;
mod packets;
mod payloads;
mod sids;
mod socketio;
