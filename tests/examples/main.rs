//! The examples as they are started: what they say to a wrong command line, what they end with, whom they wake.
//!
//! They are those that `cargo test` has built beside the tests.

mod client;
mod options;
mod program;
mod server;
