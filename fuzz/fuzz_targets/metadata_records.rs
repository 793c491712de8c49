//! Fuzzes `messages::metadata_records`.

#![no_main]

#[path = "../decoders/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| messages::metadata_records(data));
