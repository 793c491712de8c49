//! Fuzzes `messages::responses`.

#![no_main]

#[path = "../decoders/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| messages::responses(data));
