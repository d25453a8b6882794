//! Hostile clients of the hub: each test is named after the row of the catalogue that it stands for.

mod engineio;
mod http;
mod packets;
mod sids;
mod socketio;
