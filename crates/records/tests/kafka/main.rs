//! Our batches read by Apache Kafka's classes, Kafka's by ours, and both validators given the same input.
//!
//! Needs the set-up step `records`; see `tests/records/README.md`.

mod batches;
mod cases;
mod description;
mod judged;
mod prepared;
