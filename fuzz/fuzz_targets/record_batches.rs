//! Fuzzes `record_batches::record_batches`.

#![no_main]

#[path = "../decoders/record_batches.rs"]
mod record_batches;

libfuzzer_sys::fuzz_target!(|data: &[u8]| record_batches::record_batches(data));
