#![no_main]

#[path = "../../tests/support/fuzz_payloads.rs"]
mod fuzz_payloads;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_payloads::payloads(data));
