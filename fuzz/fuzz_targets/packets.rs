#![no_main]

#[path = "../../tests/support/fuzz_packets.rs"]
mod fuzz_packets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_packets::packets(data));
