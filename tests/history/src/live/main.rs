//! The live run: clients and a real server under faults, and what the checker says of it. See README.md.

mod faults;
mod last_reader;
mod processes;
mod run;
