//! Fuzzes `properties::properties`.

#![no_main]

#[path = "../decoders/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::properties(data));
