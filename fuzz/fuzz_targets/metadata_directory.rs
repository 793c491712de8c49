//! Fuzzes `metadata_directory::metadata_directory`.

#![no_main]

#[path = "../decoders/metadata_directory.rs"]
mod metadata_directory;

libfuzzer_sys::fuzz_target!(|data: &[u8]| metadata_directory::metadata_directory(data));
