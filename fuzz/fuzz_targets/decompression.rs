//! Fuzzes `record_batches::decompression`.

#![no_main]

#[path = "../decoders/record_batches.rs"]
mod record_batches;

libfuzzer_sys::fuzz_target!(|data: &[u8]| record_batches::decompression(data));
