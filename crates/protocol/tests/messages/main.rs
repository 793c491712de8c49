//! Every message in every version: round trips, Kafka's own bytes, hostile bytes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod fill;
mod fixed_values;
mod generated;
mod kafka_tables;
mod kafka_vectors;
mod random_values;
mod round_trips;
mod setup;
