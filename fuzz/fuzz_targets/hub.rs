#![no_main]

#[path = "../../tests/support/fuzz_hub/mod.rs"]
mod fuzz_hub;
#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_hub::hub(data));
