//! This library and others at the two ends of a connection, in memory: whatever sequence of messages, fragments and control
//! frames one writes, the other reads the same. See README.md.
#![cfg(test)]

mod broken;
mod compressed;
mod ends;
mod handshake;
mod inflate;
mod plain;
mod script;
mod wire;
