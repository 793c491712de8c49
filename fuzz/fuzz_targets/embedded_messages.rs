//! Fuzzes `messages::embedded_messages`.

#![no_main]

#[path = "../decoders/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| messages::embedded_messages(data));
