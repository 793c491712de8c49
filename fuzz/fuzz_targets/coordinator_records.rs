//! Fuzzes `messages::coordinator_records`.

#![no_main]

#[path = "../decoders/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| messages::coordinator_records(data));
