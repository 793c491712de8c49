//! Requests with the answers that Apache Kafka gives, recorded, and compared with Klamm's.
//!
//! A family is a function that asks a fresh server a list of named questions, in order. `recorded/FAMILY.txt`
//! holds Kafka's answers; `differences.toml` the few that differ on purpose. `UPDATE=kafka` records again.

mod differences;
mod every_version;
mod families;
mod order;
mod recording;
mod rendering;
mod session;
