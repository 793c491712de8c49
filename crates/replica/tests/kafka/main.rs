//! Producer state and leader epochs against Apache Kafka's own classes.
//!
//! Needs the set-up step `records`; see `tests/records/README.md`.

mod files;
#[path = "../../../records/tests/kafka/prepared.rs"]
mod prepared;
mod producers;
