//! Fuzzes `log_directory::log_directory`.

#![no_main]

#[path = "../decoders/log_directory.rs"]
mod log_directory;

libfuzzer_sys::fuzz_target!(|data: &[u8]| log_directory::log_directory(data));
