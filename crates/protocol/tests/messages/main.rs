//! Every message in every version: round trips, Kafka's own bytes, hostile bytes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod counting_allocator;
#[path = "../../../../fuzz/decoders/messages.rs"]
mod decoders;
mod fill;
mod fixed_values;
mod generated;
mod hostile;
mod kafka_tables;
mod kafka_vectors;
#[path = "../../../../fuzz/decoders/mutation.rs"]
mod mutation;
mod random_values;
mod refusals;
mod round_trips;
mod setup;
