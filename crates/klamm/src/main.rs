//! The `klamm` binary: the server and every command-line tool, by subcommand or by the name that it is called by.

mod command_line;
mod record_json;
mod server;
mod text;
mod tools;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    ExitCode::from(tools::dispatch(&program, &words))
}
